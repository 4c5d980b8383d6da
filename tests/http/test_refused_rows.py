"""Rows whose text a server does not take, and what a whole sync keeps when it fails."""
import os
import re
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import Remote, texts_of  # noqa: E402

MODEL = "openai:m"


class Rows(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("openai")
        self.config(max_retries=0)
        self.n_seen = 0

    def refuse(self, **statuses):
        """From now on the server refuses requests with document 7, if refuse(_7=400)."""
        self.server.behave([{"status": status, "match": '"title %s body %s"' % (name[1:], name[1:]),
                             "times": "forever"} for name, status in statuses.items()])

    def asked(self):
        """The texts that were asked for since the last time."""
        requests = list(self.server.requests)
        texts = texts_of(requests[self.n_seen:])
        self.n_seen = len(requests)
        return texts

    def failed(self):
        return self.rows("SELECT rowid, attempts FROM semantic_failures('ix')")


class Refused(Rows):
    def test_one_row_of_many(self):
        self.add_documents(300)
        self.add_index(MODEL)
        self.refuse(_1=400, _42=413, _300=422)
        self.fails(r"all is done but 3 rows that failed, see semantic_failures\('ix'\): "
                   r"row 1: openai: HTTP 400", "SELECT * FROM semantic_sync('ix')")
        self.assertEqual(self.one("SELECT state FROM semantic_progress"), "done")
        self.assertEqual(self.rows("SELECT embedded, pending, total, failed FROM "
                                   "semantic_sync('ix')"), [(0, 0, 300, 3)])
        last = self.rows("SELECT embedded, pending, total, failed FROM semantic_progress")[-1]
        self.assertEqual(last, (0, 0, 300, 3))
        for (rowid, message), (number, status) in zip(
                self.rows("SELECT rowid, message FROM semantic_failures('ix')"),
                ((1, 400), (42, 413), (300, 422))):
            self.assertEqual(rowid, number)
            self.assertIn(f"HTTP {status}", message)
            self.check_message(message, "openai")
        self.check_index([i for i in range(2, 300) if i != 42])

    def test_when_it_is_tried_again(self):
        self.add_documents(20)
        self.add_index(MODEL)
        self.refuse(_7=400)
        for command in ("sync", "sync"):
            self.db.execute("INSERT INTO ix(ix) VALUES (?)", (command,))
            self.assertEqual(self.failed(), [(7, 1)])
        self.db.execute("INSERT INTO ix(rowid) VALUES (7)")
        self.db.execute("SELECT * FROM semantic_sync('ix')")
        self.assertEqual(self.failed(), [(7, 1)])
        self.asked()
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.asked(), [])
        self.db.execute("INSERT INTO ix(ix) VALUES ('retry')")
        self.assertEqual(self.failed(), [(7, 2)])
        self.assertEqual(set(self.asked()) & {f"title {i} body {i}" for i in range(1, 21)},
                         {"title 7 body 7"})
        self.db.execute("UPDATE docs SET title = 'mended' WHERE id = 7")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.asked(), ["mended body 7"])
        self.assertEqual(self.failed(), [])
        self.check_index(range(1, 21))
        self.db.execute("UPDATE docs SET title = 'title 7' WHERE id = 7")
        self.db.execute("INSERT INTO ix(rowid) VALUES (7)")
        self.assertEqual(self.failed(), [(7, 1)])
        self.check_index([i for i in range(1, 21) if i != 7])
        self.server.behave([])
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.assertEqual(self.failed(), [])
        self.check_index(range(1, 21))

    def test_in_a_transaction(self):
        self.add_documents(10)
        self.add_index(MODEL)
        self.refuse(_3=400, _5=422)
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid) SELECT id FROM docs")
        self.db.execute("COMMIT")
        self.assertEqual(self.failed(), [(3, 1), (5, 1)])
        self.db.execute("DELETE FROM docs WHERE id = 5")
        self.db.execute("DELETE FROM ix WHERE rowid = 5")
        self.assertEqual(self.failed(), [(3, 1)])
        self.check_index([1, 2, 4, 6, 7, 8, 9, 10])
        self.db.execute("BEGIN")
        self.db.execute("UPDATE docs SET title = 'mended' WHERE id = 3")
        self.db.execute("INSERT INTO ix(rowid) VALUES (3)")
        self.assertEqual(self.failed(), [])
        self.db.execute("ROLLBACK")
        self.assertEqual(self.failed(), [(3, 1)])

    def test_texts_of_its_own(self):
        self.db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index(model = '{MODEL}')")
        self.refuse(_2=400)
        self.db.execute("INSERT INTO ix(text) VALUES ('title 1 body 1'), ('title 2 body 2'), ('c')")
        self.assertEqual(self.rows("SELECT rowid, text, embedding IS NULL FROM ix"),
                         [(1, "title 1 body 1", 0), (2, "title 2 body 2", 1), (3, "c", 0)])
        self.assertEqual(self.failed(), [(2, 1)])
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.failed(), [(2, 1)])
        self.server.behave([])
        self.db.execute("INSERT INTO ix(ix) VALUES ('retry')")
        self.assertEqual(self.failed(), [])
        self.assertEqual(self.one("SELECT count(*) FROM ix WHERE embedding IS NULL"), 0)

    def test_what_fails_for_all_is_an_error(self):
        self.add_documents(20)
        self.add_index(MODEL)
        for step in ({"status": 401}, {"status": 429}, {"status": 503}, {"do": "close"}):
            with self.subTest(step):
                self.server.behave([{**step, "times": "forever"}])
                for sql in ("INSERT INTO ix(ix) VALUES ('sync')",
                            "SELECT * FROM semantic_sync('ix')",
                            "INSERT INTO ix(rowid) VALUES (1)"):
                    self.error(sql)
                self.assertEqual(self.failed(), [])


class Whole(Rows):
    def test_what_was_paid_for_is_kept(self):
        self.add_documents(500)
        self.add_index(MODEL)
        self.server.behave([{"status": 503, "match": '"title 450 body 450"', "delay": 0.3}])
        message = self.error("INSERT INTO ix(ix) VALUES ('sync')")
        kept = re.search(r"nothing is written, but the vectors of (\d+) rows are kept in memory, "
                         r"and the next try asks for the rest only: .*HTTP 503", message)
        self.assertGreater(int(kept[1]), 300, message)
        self.check_index([])
        self.asked()
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(len(self.asked()), 500 - int(kept[1]))
        self.check_index(range(1, 501))

    def test_in_a_transaction(self):
        """Several batches were written when it fails: all of them are taken back."""
        self.add_documents(5000)
        self.add_index(MODEL)
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.db.execute("UPDATE docs SET title = title || 'x'")
        before = self.rows("SELECT rowid, vector_to_json(embedding) FROM ix")
        for begin, end in (("BEGIN", "COMMIT"), ("SAVEPOINT a", "RELEASE a")):
            for command in ("sync", "retry", "rebuild", "sync 4900"):
                self.server.behave([{"status": 503, "match": '"title 4800x body 4800"',
                                     "times": "forever"}])
                self.db.execute(begin)
                self.fails("^ix: (nothing is written, but .*)?openai: HTTP 503",
                           "INSERT INTO ix(ix) VALUES (?)", command)
                self.assertEqual(self.one("SELECT count(*) FROM ix"), 5000)
                self.db.execute(end)
                self.assertEqual(self.rows("SELECT rowid, vector_to_json(embedding) FROM ix"),
                                 before)
        self.server.behave([])
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.db.execute("COMMIT")
        self.assertNotEqual(self.rows("SELECT rowid, vector_to_json(embedding) FROM ix"), before)

    def test_in_the_cache(self):
        self.add_documents(500)
        self.add_index(MODEL)
        self.config(cache=os.path.join(self.folder, "cache.db"))
        self.server.behave([{"status": 503, "match": '"title 450 body 450"', "delay": 0.3}])
        message = self.error("INSERT INTO ix(ix) VALUES ('sync')")
        kept = int(re.search(r"of (\d+) rows", message)[1])
        self.db.close()
        self.db = self.connect()
        self.config(cache=os.path.join(self.folder, "cache.db"))
        self.asked()
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(len(self.asked()), 500 - kept)

    def test_some_rows(self):
        self.add_documents(500)
        self.add_index(MODEL)
        for n in (100, 300, 400, 500, 500):
            self.db.execute("INSERT INTO ix(ix) VALUES (?)",
                            ("sync 100" if n != 300 else "sync 200",))
            self.assertEqual(self.one("SELECT count(*) FROM ix"), n)
            self.assertEqual(self.one("SELECT pending FROM semantic_progress"), 500 - n)
        self.assertEqual(len(self.asked()), 500)

    def test_batches_before_an_error_are_kept(self):
        self.add_documents(3000)
        self.add_index(MODEL)
        self.server.behave([{"status": 503, "match": '"title 2500 body 2500"', "delay": 0.3}])
        message = self.error("SELECT * FROM semantic_sync('ix')")
        kept = self.one("SELECT count(*) FROM ix")
        self.assertGreaterEqual(kept, 2000)
        self.assertLess(kept, 3000)
        self.assertRegex(message, f"{kept} rows .* are kept, call again for the rest: .*HTTP 503")
        self.assertEqual(self.one("SELECT embedded FROM semantic_sync('ix')") + kept, 3000)

    def test_lines_while_it_runs(self):
        self.add_documents(10)
        self.add_index(MODEL)
        self.config(progress="stderr")
        self.server.behave([{"delay": 2.5}])
        states = set()

        def watch(db):
            end = time.monotonic() + 20
            while "done" not in states and time.monotonic() < end:
                states.update(row[0] for row in db.execute("SELECT state FROM semantic_progress"))
                time.sleep(0.02)

        watcher = threading.Thread(target=watch, args=(self.connect(check_same_thread=False),))
        watcher.start()
        with CapturedStderr() as lines:
            self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        watcher.join()
        self.assertIn("embedding", states)
        self.assertRegex(lines.text,
                         r"^(ix: embedding, 0 embedded, 0 failed, 10 of 10 left, \d s\n)+"
                         r"ix: done, 10 embedded, 0 failed, 0 of 10 left, \d s\n$")


class CapturedStderr:
    """What the process writes to file 2."""

    def __enter__(self):
        sys.stderr.flush()
        self.reader, writer = os.pipe()
        self.saved = os.dup(2)
        os.dup2(writer, 2)
        os.close(writer)
        self.text = ""
        return self

    def __exit__(self, *error):
        os.dup2(self.saved, 2)
        os.close(self.saved)
        with os.fdopen(self.reader) as file:
            self.text = file.read()


if __name__ == "__main__":
    unittest.main()

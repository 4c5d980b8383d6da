"""semantic_pending and 'embedded': what one connection embeds, another writes."""
import os
import shutil
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import Remote  # noqa: E402
from support import connect  # noqa: E402

TAKE = ("INSERT INTO ix(ix, rowid, embedding) SELECT 'embedded ' || hash, id, embedding "
        "FROM made.made")
OPTIONS = ("", ", quantize='int8'", ", quantize='bit', partitions=4")


class Elsewhere(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("openai")
        self.made = os.path.join(self.folder, "made.db")

    def reader(self, path=None):
        db = connect(f"file:{path or self.path}?mode=ro", uri=True)
        self.addCleanup(db.close)
        return db

    def make(self, path=None):
        """What a sync would write, put into a file of its own by a connection that only reads."""
        if os.path.exists(self.made):
            os.remove(self.made)
        db = self.reader(path)
        db.execute("ATTACH ? AS made", (f"file:{self.made}?mode=rwc",))
        db.execute("CREATE TABLE made.made AS SELECT rowid AS id, hash, embedding "
                   "FROM semantic_pending('ix')")
        return db.execute("SELECT count(*) FROM made.made").fetchone()[0]

    def take(self, db, how="INSERT"):
        db.execute("ATTACH ? AS made", (self.made,))
        db.execute(TAKE.replace("INSERT", how))
        db.execute("DETACH made")

    def replica(self, name):
        path = os.path.join(self.folder, name)
        shutil.copy(self.path, path)
        return path

    def tables(self, db):
        names = [name for name, in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'ix\\_%' ESCAPE '\\'"
            " ORDER BY name")]
        return {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}

    def test_a_reader_embeds_and_nodes_write(self):
        for n, options in enumerate(OPTIONS):
            with self.subTest(options=options):
                self.add_documents(100, 100 * n + 1)
                self.add_index("openai:m", options)
                paths = [self.replica(f"node{i}-{n}.db") for i in range(2)]
                self.server.clear()
                self.assertEqual(self.make(), 100 * (n + 1))
                self.assertGreater(len(self.server.requests), 0)
                nodes = [self.connect(path) for path in paths]
                self.server.clear()
                for db in nodes:
                    self.take(db)
                    db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
                    self.assertEqual(db.execute("SELECT rows, pending, gone, problem FROM "
                                                "semantic_status('ix')").fetchone(),
                                     (100 * (n + 1), 0, 0, None))
                    db.execute("INSERT INTO ix(ix) VALUES ('sync')")
                    self.assertEqual(db.execute("SELECT sum(own) FROM ix_rows").fetchone(), (0,))
                self.assertEqual(self.server.requests, [])
                self.assertEqual(*[db.execute("SELECT rowid, embedding FROM ix ORDER BY rowid")
                                   .fetchall() for db in nodes])
                self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
                self.same_as_a_sync(nodes[0])
                nodes[0].execute("INSERT INTO ix(ix) VALUES ('rebuild')")
                self.assertGreater(len(self.server.requests), 0)
                self.db.execute("DROP TABLE ix")

    def same_as_a_sync(self, node):
        ours, theirs = self.tables(self.db), self.tables(node)
        self.assertEqual(ours.keys(), theirs.keys())
        for name in ours:
            self.assertEqual(ours[name], theirs[name], name)

    def test_what_is_bound_row_by_row(self):
        self.add_documents(10)
        self.add_index("openai:m")
        rows = self.rows("SELECT hash, rowid, embedding FROM semantic_pending('ix')")
        self.db.executemany("INSERT INTO ix(ix, rowid, embedding) VALUES ('embedded ' || ?, ?, ?)",
                            rows)
        self.check_index(range(1, 11))
        self.db.execute("DELETE FROM docs WHERE id > 7")
        self.db.execute("UPDATE docs SET title = 'new' WHERE id = 2")
        rows = self.rows("SELECT hash, rowid, embedding FROM semantic_pending('ix')")
        self.assertEqual([row[1] for row in rows], [8, 9, 10, 2])
        with self.db:
            self.db.execute("BEGIN")
            self.db.executemany(
                "INSERT INTO ix(ix, rowid, embedding) VALUES ('embedded ' || ?, ?, ?)", rows)
        self.check_index(range(1, 8))

    def test_one_row_that_changed(self):
        self.add_documents(10)
        self.add_index("openai:m")
        self.make()
        self.db.execute("UPDATE docs SET body = 'changed' WHERE id = 4")
        self.db.execute("DELETE FROM docs WHERE id = 5")
        with self.assertRaisesRegex(sqlite3.IntegrityError, "row 4: its text or the model changed"):
            self.take(self.db)
        self.db.execute("DETACH made")
        self.assertEqual(self.rows("SELECT rowid FROM ix"), [])
        self.take(self.db, "INSERT OR IGNORE")
        self.assertEqual(self.rows("SELECT pending, gone FROM semantic_status('ix')"), [(1, 0)])
        self.assertEqual(self.rows("SELECT rowid FROM semantic_pending('ix')"), [(4,)])
        self.sync()
        self.check_index([1, 2, 3, 4, 6, 7, 8, 9, 10])

    def test_another_model(self):
        self.add_documents(3)
        self.register("mine", "openai", "m")
        self.add_index("mine")
        self.make_here()
        self.db.execute("DELETE FROM rerank_models WHERE name = 'mine'")
        self.register("mine", "openai", "other")
        self.fails("its model 'mine' is openai:other now", "SELECT * FROM semantic_pending('ix')")
        self.assertIn("its model 'mine' is openai:other now",
                      self.one("SELECT problem FROM semantic_status('ix')"))
        self.assertEqual(self.one("SELECT pending FROM semantic_status('ix')"), 3)
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.db.execute("UPDATE docs SET title = title || '!'")
        self.fails("row 1: its text or the model changed", "INSERT INTO ix(ix, rowid, embedding) "
                   "SELECT 'embedded ' || hash, id, embedding FROM here")

    def make_here(self):
        self.db.execute("CREATE TEMP TABLE here AS SELECT rowid AS id, hash, embedding "
                        "FROM semantic_pending('ix')")

    def test_a_failure_gives_first_what_came(self):
        self.add_documents(600)
        self.add_index("openai:m")
        self.config(concurrency=1, max_retries=0)
        self.server.behave([{}, {}, {"status": 401}])
        got = []
        with self.assertRaisesRegex(sqlite3.Error, "semantic_pending: .*401"):
            for row in self.db.execute("SELECT rowid FROM semantic_pending('ix')"):
                got.append(row[0])
        # Python asks for the row after before it gives one.
        self.assertEqual(got, list(range(1, 256)))
        self.server.clear()
        self.assertEqual(len(self.rows("SELECT rowid FROM semantic_pending('ix')")), 600)
        self.assertEqual(self.stats("openai:m")["texts"], 600)

    def test_rows_that_cannot_be_embedded(self):
        self.add_documents(6)
        self.db.execute("UPDATE docs SET body = x'00' WHERE id = 2")
        self.db.execute("UPDATE docs SET body = 'unspeakable' WHERE id = 4")
        self.add_index("openai:m")
        self.server.behave([{"match": "unspeakable", "status": 400, "times": "forever"}])
        rows = self.rows("SELECT rowid, typeof(embedding), message FROM semantic_pending('ix')")
        self.assertEqual([row[:2] for row in rows],
                         [(i, "null" if i in (2, 4) else "blob") for i in range(1, 7)])
        self.assertEqual([row[0] for row in rows if row[2] is not None], [2, 4])
        self.assertRegex(rows[1][2], "blob")
        self.assertRegex(rows[3][2], "400")
        self.make_here()
        self.take_here()
        self.assertEqual(self.rows("SELECT rows, pending, failed, advice FROM "
                                   "semantic_status('ix')"), [(4, 0, 2, "retry: 2 rows failed")])
        failures = dict(self.rows("SELECT rowid, message FROM semantic_failures('ix')"))
        self.assertRegex(failures[2], "blob")
        self.assertEqual(failures[4], rows[3][2])
        self.server.clear()
        self.assertEqual(self.rows("SELECT * FROM semantic_pending('ix')"), [])
        self.take_here()
        self.assertEqual(self.rows("SELECT attempts FROM semantic_failures('ix')"), [(1,), (1,)])
        self.fails("row 2: expected embedding NULL: .*blob", "INSERT INTO ix(ix, rowid, embedding) "
                   "SELECT 'embedded ' || hash, id, '[1,2,3,4,5,6,7,8]' FROM here WHERE id = 2")
        # A node where it can be.
        self.db.execute("INSERT INTO ix(ix, rowid, embedding) SELECT 'embedded ' || hash, id, "
                        "'[1,2,3,4,5,6,7,8]' FROM here WHERE id = 4")
        self.assertEqual(self.rows("SELECT rowid FROM semantic_failures('ix')"), [(2,)])
        self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")

    def take_here(self):
        self.db.execute("INSERT INTO ix(ix, rowid, embedding) SELECT 'embedded ' || hash, id, "
                        "embedding FROM here")

    def test_network_for_reads(self):
        self.add_documents(10)
        self.add_index("openai:m")
        self.config(network="reads")
        self.fails("inside a write transaction", "INSERT INTO ix(ix) VALUES ('sync')")
        self.fails("inside a write transaction", "INSERT INTO ix(ix, rowid, embedding) SELECT "
                   "'embedded ' || hash, rowid, embedding FROM semantic_pending('ix')")
        rows = self.rows("SELECT hash, rowid, embedding FROM semantic_pending('ix')")
        self.server.clear()
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany("INSERT INTO ix(ix, rowid, embedding) VALUES ('embedded ' || ?, ?, ?)",
                            rows)
        self.db.execute("COMMIT")
        self.assertEqual(self.server.requests, [])
        self.check_index(range(1, 11))

    def test_interrupted(self):
        self.add_documents(300)
        self.add_index("openai:m")
        self.config(concurrency=1)
        self.server.behave([{}, {"delay": 20}])
        threading.Timer(0.5, self.db.interrupt).start()
        start = time.monotonic()
        self.fails("interrupted", "SELECT count(*) FROM semantic_pending('ix')")
        self.assertLess(time.monotonic() - start, 5)
        self.server.clear()
        self.assertEqual(self.one("SELECT count(*) FROM semantic_pending('ix')"), 300)

    def test_nothing_is_collected_that_nobody_reads(self):
        self.add_documents(3000)
        self.add_index("openai:m")
        self.config(concurrency=1)
        self.server.clear()
        self.assertEqual(len(self.rows("SELECT rowid FROM semantic_pending('ix') LIMIT 5")), 5)
        self.assertEqual(len(self.server.requests), 1)

    def test_many(self):
        self.add_documents(9000)
        self.add_index("openai:m")
        self.make()
        start = time.monotonic()
        self.take(self.db)
        self.assertLess(time.monotonic() - start, 20)
        self.assertEqual(self.one("SELECT rows FROM semantic_status('ix')"), 9000)
        self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.db.execute("DELETE FROM docs WHERE id % 3 = 0")
        self.make()
        self.take(self.db)
        self.assertEqual(self.rows("SELECT rows, pending, gone FROM semantic_status('ix')"),
                         [(6000, 0, 0)])

    def test_rows_of_the_transaction(self):
        """A trigger notes a row; its embedding comes before COMMIT, and no model is asked."""
        self.add_documents(3)
        self.add_index("openai:m")
        self.sync()
        other = self.connect(self.replica("other.db"))
        for db in (self.db, other):
            db.execute("UPDATE docs SET body = 'later' WHERE id = 2")
        rows = other.execute("SELECT hash, rowid, embedding FROM semantic_pending('ix')").fetchall()
        self.server.clear()
        self.db.execute("UPDATE docs SET body = 'now' WHERE id = 2")
        self.db.execute("BEGIN")
        self.db.execute("UPDATE docs SET body = 'later' WHERE id = 2")
        self.db.execute("INSERT INTO ix(rowid) VALUES (2)")
        self.db.executemany("INSERT INTO ix(ix, rowid, embedding) VALUES ('embedded ' || ?, ?, ?)",
                            rows)
        self.db.execute("COMMIT")
        self.assertEqual(self.server.requests, [])
        self.check_index([1, 2, 3])

    def test_triggers_and_no_network(self):
        """The triggers note rows, and what was embedded elsewhere is what they need."""
        self.add_documents(3)
        self.add_index("openai:m", ", upkeep='triggers'")
        self.sync()
        other = self.connect(self.replica("other.db"))
        change = "UPDATE docs SET body = 'later' WHERE id = 2"
        other.execute(change)
        other.execute("INSERT INTO docs VALUES (4, 'title 4', 'body 4')")
        rows = other.execute("SELECT hash, rowid, embedding FROM semantic_pending('ix')").fetchall()
        self.assertEqual(rows, [])  # they are in the index of the other
        rows = other.execute("SELECT rowid, embedding FROM ix WHERE rowid IN (2, 4)").fetchall()
        self.config(network="reads", max_retries=0)
        self.db.execute("BEGIN")
        self.db.execute(change)
        self.fails("inside a write transaction", "COMMIT")
        self.db.execute("INSERT INTO docs VALUES (4, 'title 4', 'body 4')")
        hashes = self.hashes()
        self.server.clear()
        for id, embedding in rows:
            self.db.execute("INSERT INTO ix(ix, rowid, embedding) VALUES ('embedded ' || ?, ?, ?)",
                            (hashes[id], id, embedding))
        self.db.execute("UPDATE docs SET body = body WHERE id = 2")
        self.db.execute("DELETE FROM docs WHERE id = 1")
        self.db.execute("COMMIT")
        self.assertEqual(self.server.requests, [])
        self.check_index([2, 3, 4])

    def hashes(self):
        """Those of a plain index of the same rows and model, which are the same."""
        path = os.path.join(self.folder, "plain.db")
        db = self.connect(path)
        db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, title, body)")
        db.executemany("INSERT INTO docs VALUES (?, ?, ?)", self.rows("SELECT * FROM docs"))
        db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content='docs', "
                   "text='title, body', model='openai:m')")
        return dict(db.execute("SELECT rowid, hash FROM semantic_pending('ix')"))

    def test_texts_of_its_own(self):
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(model='openai:m')")
        self.db.execute("INSERT INTO ix(rowid, text) VALUES (1, 'one'), (2, 'two')")
        self.db.execute("DELETE FROM ix_rows")
        self.db.execute("DELETE FROM ix_blocks")
        self.db.execute("DELETE FROM ix_data")
        rows = self.rows("SELECT hash, rowid, embedding FROM semantic_pending('ix')")
        self.assertEqual([row[1] for row in rows], [1, 2])
        take = "INSERT INTO ix(ix, rowid, embedding) VALUES ('embedded ' || ?, ?, ?)"
        self.db.execute("BEGIN")
        self.db.execute("UPDATE ix SET text = 'three' WHERE rowid = 2")
        self.db.execute(take, rows[0])
        self.fails("row 2: its text", take, *rows[1])
        self.db.execute("COMMIT")
        self.assertEqual(self.rows("SELECT rowid, text FROM ix ORDER BY rowid"),
                         [(1, "one"), (2, "three")])
        self.assertEqual(self.rows("SELECT pending, gone FROM semantic_status('ix')"), [(0, 0)])

    def test_no_model_is_asked_for_a_status(self):
        self.add_documents(30)
        self.add_index("openai:m")
        del os.environ["OPENAI_API_KEY"]
        self.server.clear()
        path = self.replica("copy.db")
        db = self.reader(path)
        row = db.execute("SELECT rows, pending, model, fingerprint, advice FROM "
                         "semantic_status('ix')").fetchone()
        self.assertEqual(row, (0, 30, "openai:m", "openai:m", "sync: 30 rows are pending"))
        self.assertEqual(self.server.requests, [])


if __name__ == "__main__":
    unittest.main()

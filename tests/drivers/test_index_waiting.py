"""Rows that are written one by one, and wait to be put into blocks (store/waiting.h)."""
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import ALL, Model, StorageBase, words  # noqa: E402
from support import connect  # noqa: E402

KINDS = [("none", 0, ""), ("none", 0, ", storage='int8'"), ("bit", "auto", ""),
         ("int8", 0, ", storage='float16'")]


class Waiting(StorageBase):
    def waiting(self):
        """How many rows are in no block: all that wait."""
        return self.db.execute("SELECT (SELECT count(*) FROM ix_rows) - (SELECT sum(n) "
                               "FROM ix_blocks)").fetchone()[0]

    def write(self, model, id):
        model.rows[id] = model.vector()
        self.put([(id, model.rows[id])], verb="INSERT OR REPLACE")

    def see(self, model, *connections):
        """Every connection sees all rows, and finds those that were written last."""
        for db in connections:
            ids = [id for id, in db.execute("SELECT rowid FROM ix")]
            self.assertEqual(sorted(ids), sorted(model.rows))
            self.assertEqual(len(self.found(model.vector(), ALL, db=db)), len(model.rows))
            for id in sorted(model.rows)[-5:]:
                self.assertEqual(self.found(model.rows[id], 1, db=db)[0][0], id)
                self.assertEqual([i for i, _ in self.found(model.vector(), 3, db=db,
                                                           more=f"AND rowid IN ({id})")], [id])

    def test_what_connections_see(self):
        for number, (quantize, partitions, more) in enumerate(KINDS):
            with self.subTest(quantize=quantize, more=more):
                self.create(words(quantize, partitions) + more)
                model = Model(number)
                self.fill(model, 600)
                second = connect(self.path)
                reader = connect(f"file:{self.path}?mode=ro", uri=True)
                self.write(model, 700)
                for id in range(701, 706):
                    self.write(model, id)
                self.assertEqual(self.waiting(), 6)
                self.see(model, self.db, second, reader)
                self.db.execute("BEGIN")
                before = dict(model.rows)
                self.write(model, 706)
                self.see(model, self.db)
                self.db.execute("SAVEPOINT s")
                self.write(model, 707)
                self.db.execute("DELETE FROM ix WHERE rowid = 702")
                self.assertEqual(len(self.found(model.vector(), ALL)), len(model.rows) - 1)
                self.db.execute("ROLLBACK TO s")
                del model.rows[707]
                self.see(model, self.db)
                self.db.execute("ROLLBACK")
                model.rows = before
                self.see(model, self.db, second, reader)
                self.write(model, 703)
                self.db.execute("DELETE FROM ix WHERE rowid IN (704, 3)")
                del model.rows[704], model.rows[3]
                self.see(model, second, self.db)
                for id in range(800, 840):
                    self.write(model, id)
                self.see(model, reader, self.db, second)
                self.command("integrity-check")
                self.db.execute("VACUUM")
                self.command("integrity-check")
                self.see(model, second, self.db)
                self.command("optimize")
                self.assertEqual(self.waiting(), 0)
                self.see(model, reader, self.db)
                for db in (second, reader):
                    db.close()
                self.db.execute("DROP TABLE ix")

    def test_more_than_there_is_room_for(self):
        """Damage by which rows that wait would be written beyond the block that is made of them."""
        for sql in ("INSERT INTO ix_blocks SELECT 0, partition, 1, 0, (SELECT value FROM ix_config "
                    "WHERE key = 'generation') FROM ix_blocks LIMIT 1",
                    "UPDATE ix_config SET value = CAST(x'ff07' || substr(value, 3) AS BLOB) "
                    "WHERE key = 'waiting'"):
            self.create(words("int8"))
            model = Model(9)
            self.fill(model, 600)
            for id in range(700, 720):
                self.write(model, id)
            self.db.execute("DELETE FROM ix WHERE rowid = 710")
            del model.rows[710]
            self.db.execute("SELECT rerank_config('memory_budget', 0)")
            if "config SET" in sql:
                self.compare(model, exact=False)  # the list of blocks stays in memory
            self.db.execute(sql)
            with self.assertRaisesRegex(sqlite3.Error,
                                        "block 0: it has the number|rows that wait and are"):
                self.found(model.vector(), 3)
            if "config SET" not in sql:
                self.command("optimize")
                self.compare(model, exact=False)
            self.db.execute("DROP TABLE ix")

    def test_the_last_slots_change_as_rows_come(self):
        """A row that leaves one of the last slots for its new vector, beside rows that are new."""
        for quantize, slot, n_new in [(quantize, slot, n_new) for quantize in ("none", "bit")
                                      for slot in (29, 30, 31, 32) for n_new in (1, 2, 3)]:
            with self.subTest(quantize=quantize, slot=slot, n_new=n_new):
                self.create(words(quantize))
                model = Model(slot)
                self.fill(model, 600)
                for id in range(1001, 1033):
                    self.write(model, id)
                self.assertEqual(self.waiting(), 32)
                self.db.execute("BEGIN")
                for id in (1000 + slot, *range(2000, 2000 + n_new)):
                    self.write(model, id)
                self.db.execute("COMMIT")
                self.command("integrity-check")
                self.see(model, self.db)
                self.db.execute("DROP TABLE ix")

    def log_pages(self, run):
        """Pages of the log that it takes."""
        self.db.execute("PRAGMA wal_checkpoint(truncate)")
        run()
        return os.path.getsize(self.path + "-wal") / 4120

    def test_bytes_of_the_log(self):
        """A row of 704 dimensions is written to a page of X_waiting and one of X_rows, if it has a
        text to X_text, too; not to X_config."""
        self.db.execute("PRAGMA journal_mode = wal")
        self.db.execute("PRAGMA wal_autocheckpoint = 0")
        for quantize, partitions, more in KINDS:
            with self.subTest(quantize=quantize, more=more):
                self.create(words(quantize, partitions, dimensions=704) + more)
                model = Model(7, 704)
                self.fill(model, 760)
                self.write(model, 1000)
                self.assertLess(self.log_pages(  # two more where X_rows gets another page
                    lambda: [self.write(model, id) for id in range(1001, 1011)]), 22.1)
                self.assertLess(self.log_pages(lambda: self.db.execute(
                    "INSERT INTO ix(rowid, text, embedding) SELECT 2000, 'a text', embedding "
                    "FROM ix WHERE rowid = 1000")), 3.1)
                self.db.execute("DROP TABLE ix")
                self.db.execute("VACUUM")  # the list of free pages would be one more

    def test_rows_without_text(self):
        """They are in no X_text, and rows all the same."""
        self.create("dimensions = 2, model = 'builtin:lexical'")
        self.db.executemany("INSERT INTO ix(rowid, text, embedding) VALUES (?, ?, ?)", [
            (1, None, "[1, 0]"), (3, "a text", "[0, 1]"), (5, None, "[1, 1]"), (7, None, None)])
        ask = lambda sql, *values: self.db.execute(sql, values).fetchall()  # noqa: E731
        self.assertEqual(ask("SELECT id FROM ix_text"), [(3,), (7,)])
        self.assertEqual(ask("SELECT rowid, text FROM ix"),
                         [(1, None), (3, "a text"), (5, None), (7, None)])
        self.assertEqual(ask("SELECT text FROM ix WHERE rowid = 5"), [(None,)])
        self.assertEqual(ask("SELECT count(*) FROM ix WHERE rowid IN (1, 2, 7)"), [(2,)])
        near = "SELECT rowid FROM ix WHERE query = '[1, 0]' AND k = 3 AND "
        self.assertEqual(ask(near + "text IS NULL"), [(1,), (5,)])
        self.assertEqual(ask(near + "text = 'a text'"), [(3,)])
        with self.assertRaisesRegex(sqlite3.IntegrityError, "UNIQUE|5"):
            self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (5, '[0, 1]')")
        self.db.execute("INSERT INTO ix(embedding) VALUES ('[0, 1]')")
        self.assertEqual(ask("SELECT max(rowid) FROM ix"), [(8,)])
        self.db.execute("UPDATE ix SET text = 'another', embedding = '[1, 0]' WHERE rowid = 1")
        self.db.execute("UPDATE ix SET text = NULL, embedding = '[0, 1]' WHERE rowid = 3")
        self.db.execute("DELETE FROM ix WHERE rowid = 5")
        self.assertEqual(ask("SELECT id, text FROM ix_text"), [(1, "another"), (7, None)])
        self.command("integrity-check")
        self.assertEqual(ask("SELECT rowid, text FROM ix"),
                         [(1, "another"), (3, None), (7, None), (8, None)])


if __name__ == "__main__":
    unittest.main()

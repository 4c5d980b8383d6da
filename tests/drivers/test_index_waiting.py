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
    def waiting(self, db=None):
        return (db or self.db).execute("SELECT length(value) / 16 FROM ix_config "
                                       "WHERE key = 'waiting'").fetchone()[0]

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
                self.fill(model, 400)
                second = connect(self.path)
                reader = connect(f"file:{self.path}?mode=ro", uri=True)
                self.write(model, 500)
                for id in range(501, 506):
                    self.write(model, id)
                self.assertIn(self.waiting(), (5, 6))  # without codes one makes a block
                self.see(model, self.db, second, reader)
                self.db.execute("BEGIN")
                before = dict(model.rows)
                self.write(model, 506)
                self.see(model, self.db)
                self.db.execute("SAVEPOINT s")
                self.write(model, 507)
                self.db.execute("DELETE FROM ix WHERE rowid = 502")
                self.assertEqual(len(self.found(model.vector(), ALL)), len(model.rows) - 1)
                self.db.execute("ROLLBACK TO s")
                del model.rows[507]
                self.see(model, self.db)
                self.db.execute("ROLLBACK")
                model.rows = before
                self.see(model, self.db, second, reader)
                self.write(model, 503)
                self.db.execute("DELETE FROM ix WHERE rowid IN (504, 3)")
                del model.rows[504], model.rows[3]
                self.see(model, second, self.db)
                for id in range(600, 640):
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
                    "UPDATE ix_config SET value = CAST(value || substr(value, 1, 160) AS BLOB) "
                    "WHERE key = 'waiting'"):
            self.create(words("int8"))
            model = Model(9)
            self.fill(model, 400)
            for id in range(500, 520):
                self.write(model, id)
            self.db.execute("SELECT rerank_config('memory_budget', 0)")
            if "config SET" in sql:
                self.compare(model, exact=False)  # the list of blocks stays in memory
            self.db.execute(sql)
            with self.assertRaisesRegex(sqlite3.Error,
                                        "block 0: it has the number|was changed while"):
                self.found(model.vector(), 3)
            self.command("optimize")
            self.compare(model, exact=False)
            self.db.execute("DROP TABLE ix")

    def test_bytes_of_the_log(self):
        """Pages that a row of 704 dimensions is written to: X_config, X_text, X_rows, and those of
        its vector, which with codes takes a new page of X_vectors."""
        self.db.execute("PRAGMA journal_mode = wal")
        self.db.execute("PRAGMA wal_autocheckpoint = 0")
        for (quantize, _, more), most in zip(KINDS, (5, 5, 6, 6)):
            with self.subTest(quantize=quantize, more=more):
                self.create(words(quantize, dimensions=704) + more)
                model = Model(7, 704)
                self.fill(model, 760)
                self.write(model, 1000)
                self.db.execute("PRAGMA wal_checkpoint(truncate)")
                for id in range(1001, 1011):
                    self.write(model, id)
                pages = os.path.getsize(self.path + "-wal") / 4120 / 10
                self.assertLess(pages, most + 0.3)
                self.db.execute("DROP TABLE ix")
                self.db.execute("VACUUM")  # the list of free pages would be one more


if __name__ == "__main__":
    unittest.main()

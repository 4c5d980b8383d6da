"""What a connection keeps of words from search to search: never stale, and read again only where
something changed."""
import os
import random
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, connect  # noqa: E402

INDEX = ("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 't', "
         "model = 'builtin:lexical', reranker = 'builtin:lexical', lexical = 'fts5', "
         "tokenizer = 'unicode61', storage = 'float32')")
QUERIES = ("c0 c1 c2 r7", "c3 c4 r1 r2 r3", "c0 c5")
SEARCH = "SELECT rowid, bm25 FROM ix WHERE query = ? AND k = 60 AND weight = 0"
N_ROWS = 900  # lists of fewer than 512 documents are not kept


class Kept(Base):
    def setUp(self):
        super().setUp()
        self.draw = random.Random(5)
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, t TEXT)")
        self.db.executemany("INSERT INTO docs VALUES (?, ?)",
                            [(i, self.text()) for i in range(1, N_ROWS + 1)])
        self.make(self.db)

    def make(self, db):
        db.execute(INDEX)
        db.execute("INSERT INTO ix(ix) VALUES ('sync')")

    def text(self):
        """Words c0 to c5 are in most texts, r0 to r9 in some."""
        words = [f"c{i}" for i in range(6) for _ in range(self.draw.choice((0, 1, 1, 1, 2)))]
        words += [f"r{i}" for i in range(10) if self.draw.random() < .1]
        return " ".join(words or ["c0"])

    def search(self, db):
        return [db.execute(SEARCH, (query,)).fetchall() for query in QUERIES]


class Stale(Kept):
    """Whatever two connections do, both find what a third does, which has just been opened."""

    def some(self):
        return self.draw.randint(1, N_ROWS)

    def write(self, db):
        for _ in range(self.draw.randint(1, 5)):
            id = self.draw.choice((self.some(), self.some() + N_ROWS))
            db.execute("REPLACE INTO docs VALUES (?, ?)", (id, self.text()))
            db.execute("REPLACE INTO ix(rowid) VALUES (?)", (id,))

    def delete(self, db):
        id = self.some()
        db.execute("DELETE FROM docs WHERE id = ?", (id,))
        db.execute("DELETE FROM ix WHERE rowid = ?", (id,))

    def transaction(self, db):
        db.execute("BEGIN")
        self.write(db)
        self.search(db)
        self.write(db)
        db.execute("COMMIT")

    def rollback(self, db):
        db.execute("BEGIN")
        self.write(db)
        self.search(db)
        db.execute("ROLLBACK")
        self.write(db)

    def savepoint(self, db):
        db.execute("BEGIN")
        self.write(db)
        db.execute("SAVEPOINT s")
        self.write(db)
        self.search(db)
        db.execute("ROLLBACK TO s")
        self.write(db)
        db.execute("COMMIT")

    def swap(self, db):
        """As many documents and words as before, and pages, in the same segments."""
        pair = self.draw.sample(range(1, 20), 2)
        db.execute("UPDATE docs SET t = (SELECT t FROM docs d WHERE d.id = ? + ? - docs.id) "
                   "WHERE id IN (?, ?) AND (SELECT count(*) FROM docs WHERE id IN (?, ?)) = 2",
                   pair * 3)
        db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")

    def again(self, db):
        db.execute("DROP TABLE ix")
        db.execute("UPDATE docs SET t = ? WHERE id = ?", (self.text(), self.some()))
        self.make(db)

    def bring_back(self, db):
        """The file as it was earlier, and on from there."""
        with sqlite3.connect(":memory:") as saved:
            db.backup(saved)
            self.write(db)
            self.search(self.db)
            self.search(self.other)
            saved.backup(db)
        saved.close()
        self.write(db)

    def of_fts5(self, db):
        word = self.draw.choice(("'optimize', NULL", "'merge', 4", "'merge', -8", "'automerge', 2"))
        db.execute(f"INSERT INTO ix_fts(ix_fts, rank) VALUES ({word})")

    def of_index(self, db):
        word = self.draw.choice(("sync", "optimize", "rebuild"))
        db.execute(f"INSERT INTO ix(ix) VALUES ('{word}')")

    def vacuum(self, db):
        db.execute("VACUUM")

    def run_all(self, n):
        self.other = connect(self.path)
        self.addCleanup(self.other.close)
        steps = [self.write] * 8 + [self.delete, self.transaction, self.rollback, self.rollback,
                                    self.savepoint, self.swap, self.again, self.bring_back,
                                    self.of_fts5, self.of_fts5, self.of_index, self.vacuum]
        for i in range(n):
            step = steps[i] if i < len(steps) else self.draw.choice(steps)
            step(self.draw.choice((self.db, self.other)))
            if self.draw.random() < .2:
                continue
            fresh = connect(self.path)
            want = self.search(fresh)
            fresh.close()
            for db in (self.db, self.other):
                self.assertEqual(self.search(db), want, f"after {step.__name__}")

    def test_wal(self):
        self.db.execute("PRAGMA journal_mode = WAL")
        self.run_all(45)

    def test_rollback_journal(self):
        self.draw.seed(8)
        self.run_all(30)


class Counts(Kept):
    def read_by_search(self, db):
        """Look-ups of lengths, and searches for pages of a word."""
        seen = []
        db.set_trace_callback(seen.append)
        self.search(db)
        db.set_trace_callback(None)
        return (sum("SELECT sz" in statement for statement in seen),
                sum("SELECT pgno" in statement for statement in seen))

    def write(self, db, id):
        db.execute("REPLACE INTO docs VALUES (?, ?)", (id, self.text()))
        db.execute("REPLACE INTO ix(rowid) VALUES (?)", (id,))

    def settle(self, db):
        while self.read_by_search(db)[0] > 0:
            pass

    def check(self, writer):
        """A write adds a document and a segment: nothing else is read again, until FTS5 merges."""
        self.settle(self.db)
        n_rare = self.read_by_search(self.db)[1]
        for id in range(3):
            self.write(writer, 100 + id)
            lengths, places = self.read_by_search(self.db)
            self.assertLessEqual(lengths, 3)
            self.assertLessEqual(places, n_rare + 4 * (id + 1) + 6)  # r1, r2, r3, r7; c0 to c5
            self.assertEqual(self.read_by_search(self.db)[0], 0)

    def test_own_writes(self):
        self.check(self.db)

    def test_writes_elsewhere(self):
        other = connect(self.path)
        self.addCleanup(other.close)
        self.check(other)

    def test_many_writes(self):
        """More of them than X_config tells of: all is read again."""
        self.settle(self.db)
        for id in range(40):
            self.write(self.db, 100 + id)
        self.assertGreater(self.read_by_search(self.db)[0], 40)


if __name__ == "__main__":
    unittest.main()

"""How many blocks the searches of a process read, from the first on: counted, not timed."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import FOLDER, Model, StorageBase, words  # noqa: E402
from support import blob, connect  # noqa: E402

SHARE = 8  # of the blocks, one in so many stays in any case
LARGE = 512


class Warmth(StorageBase):
    """An index that is large: of more than 2^21 components, and of some 30 MB."""

    def setUp(self):
        super().setUp()
        self.create(words(dimensions=LARGE))
        self.model = Model(1, LARGE)
        some = [blob(*self.model.vector()) for _ in range(64)]
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                            [(id, some[id % 64]) for id in range(1, 16001)])
        self.db.execute("COMMIT")
        self.n_blocks = self.one("SELECT count(*) FROM ix_blocks")
        self.db.close()  # with it the memory of the index goes
        self.db = connect(self.path)

    def read_by_search(self, db=None):
        """The blocks that a search reads: each is looked up, and read off the file or by SQLite."""
        seen = []
        (db or self.db).set_trace_callback(seen.append)
        self.found(self.model.vector(), 3, db)
        (db or self.db).set_trace_callback(None)
        return max(sum(part in statement for statement in seen)
                   for part in ('_blocks" WHERE block =', '_data" d'))

    def write(self, db=None):
        (db or self.db).execute("REPLACE INTO ix(rowid, embedding) VALUES (?, ?)",
                                (77, blob(*self.model.vector())))

    def warm_up(self, read, n_read, n_changed=0):
        """Each search reads at least so much less, until it reads what changed alone."""
        n_searches = 0
        while n_read > n_changed:
            n = read()
            self.assertLessEqual(n, max(n_changed, n_read - self.n_blocks // SHARE))
            n_read = n
            n_searches += 1
        self.assertLessEqual(n_searches, SHARE + 1)
        self.assertLessEqual(read(), n_changed)

    def test_searches(self):
        """The first keeps nothing."""
        self.assertGreater(self.n_blocks, 100)
        for _ in range(2):
            self.assertEqual(self.read_by_search(), self.n_blocks)
        self.warm_up(self.read_by_search, self.n_blocks)

    def test_writes_and_searches(self):
        """The process that writes keeps from the first search on; then a search reads what changed:
        the block that the row left, and the one that it is in now."""
        def write_and_search():
            self.write()
            return self.read_by_search()

        self.assertLessEqual(write_and_search(), self.n_blocks)
        self.warm_up(write_and_search, self.n_blocks, 2)
        self.warm_up(self.read_by_search, 1)

    def test_writes_elsewhere(self):
        """Another connection writes between any two searches."""
        other = connect(self.path)
        self.write(other)
        self.assertLessEqual(self.read_by_search(), self.n_blocks)
        self.read_by_search(other)

        def search_after_a_write():
            self.write(other)
            return self.read_by_search()

        self.warm_up(search_after_a_write, self.n_blocks, 2)
        other.close()

    ELSEWHERE = """
import sys
sys.path.insert(0, {folder!r})
from support import blob, connect
from storage import Model
db, model = connect(sys.argv[1], timeout=60), Model(5, int(sys.argv[2]))
for line in sys.stdin:
    db.execute("REPLACE INTO ix(rowid, embedding) VALUES (?, ?)", (77, blob(*model.vector())))
    db.execute("SELECT rowid FROM ix(?, 3)", (blob(*model.vector()),)).fetchall()
    print("done", flush=True)
"""

    def test_processes_that_alternate(self):
        """Another process writes and searches between any two searches: none forgets what it has in
        memory for what the other wrote."""
        with subprocess.Popen(
                [sys.executable, "-B", "-c", self.ELSEWHERE.format(folder=FOLDER), self.path,
                 str(LARGE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:

            def search_after_the_other():
                other.stdin.write("\n")
                other.stdin.flush()
                self.assertEqual(other.stdout.readline(), "done\n")
                return self.read_by_search()

            for _ in range(2):
                self.assertLessEqual(search_after_the_other(), self.n_blocks + 1)
            self.warm_up(search_after_the_other, self.n_blocks + 1, 2)
            other.stdin.close()

    def test_without_a_budget(self):
        """What may not be kept is read each time."""
        self.db.execute("SELECT rerank_config('memory_budget', 0)")
        for _ in range(3):
            self.write()
            self.assertEqual(self.read_by_search(), self.n_blocks)


class KeptVectors(StorageBase):
    """A small index with codes, whose searches keep its vectors: they find the same, and what is
    written or rolled back since."""

    def found_by_vectors(self, ids):
        vector = blob(*self.model.vector())
        sql = "SELECT rowid FROM ix(?, 5) WHERE rowid IN (SELECT value FROM json_each(?))"
        return ([row[0] for row in self.db.execute("SELECT rowid FROM ix(?, 5)", (vector,))],
                [row[0] for row in self.db.execute(sql, (vector, str(ids)))])

    def test_the_same_after_writes(self):
        self.create("quantize = 'bit', dimensions = 16")
        self.model = Model(1, 16)
        for id in range(1, 201):
            self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                            (id, blob(*self.model.vector())))
        for turn in range(4):
            seen = []
            for _ in range(4):
                self.db.set_trace_callback(seen.append)
                found, listed = self.found_by_vectors(list(range(1, 201)))
                self.db.set_trace_callback(None)
                self.assertEqual(found, listed)
            self.db.set_trace_callback(seen.append)
            seen.clear()
            self.db.execute("SELECT rowid FROM ix(?, 5)", (blob(*self.model.vector()),)).fetchall()
            self.db.set_trace_callback(None)
            self.assertFalse([sql for sql in seen if '"ix_vectors"' in sql], seen)
            vector = blob(*self.model.vector())
            self.db.execute("BEGIN")
            self.db.execute("REPLACE INTO ix(rowid, embedding) VALUES (?, ?)", (turn + 1, vector))
            nearest = self.db.execute("SELECT rowid FROM ix(?, 1)", (vector,)).fetchone()[0]
            self.assertEqual(nearest, turn + 1)
            self.db.execute("ROLLBACK" if turn % 2 else "COMMIT")


if __name__ == "__main__":
    unittest.main()

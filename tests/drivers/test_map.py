"""semantic_map: the same picture however rows are kept, and on whatever processor."""
import math
import os
import sqlite3
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from storage import OPTIONS, Model, StorageBase, words  # noqa: E402
from support import add_films, add_index, blob, interrupted  # noqa: E402

SIMD = ("scalar", "avx2", "avx512", "avx512vnni", "neon", "neondot")

ASK = """
import sys
from support import connect
for row in connect(sys.argv[1]).execute("SELECT key, x, y FROM semantic_map('ix', 300)"):
    print(row[0], row[1].hex(), row[2].hex())
"""


class MapTest(StorageBase):
    def map(self, points=None):
        return self.rows("SELECT key, x, y FROM semantic_map('ix', ?)", points)

    def assert_near(self, picture, other, most):
        """Up to a mirror: an axis whose largest components are nearly equal may turn over."""
        for axis in (1, 2):
            sides = [sum(abs(a[axis] - sign * b[axis]) for a, b in zip(picture, other))
                     for sign in (1, -1)]
            self.assertLess(min(sides) / len(picture), most)

    def test_the_same_however_rows_are_kept(self):
        for metric in ("cosine", "dot", "l2"):
            first = None
            for quantize, partitions in OPTIONS:
                self.create(words(quantize, partitions, metric))
                self.fill(Model(1), 700)
                picture = self.map()
                first = first or picture
                self.assertEqual(picture, first, (metric, quantize, partitions))
                self.assertEqual([row[0] for row in picture], list(range(1, 701)))
                self.command("optimize")
                self.assertEqual(self.map(), first)
                self.db.execute("DROP TABLE ix")
            for storage in ("int8", "float16"):
                self.create(words("bit", 0, metric) + f", storage = '{storage}'")
                self.fill(Model(1), 700)
                self.assert_near(self.map(), first, 0.02)
                self.db.execute("DROP TABLE ix")

    def test_clusters_lie_apart(self):
        """Rows around three centres, of the same length: nearest neighbours on the map are of the
        same centre."""
        model = Model(2, 64, centres=3)
        self.create(words(dimensions=64))
        self.fill(model, 300)
        of = {id: min(range(3), key=lambda c, v=vector: math.dist(v, model.centres[c]))
              for id, vector in model.rows.items()}
        picture = self.map()
        same = 0
        for id, x, y in picture:
            nearest = min((other for other in picture if other[0] != id),
                          key=lambda other: math.hypot(other[1] - x, other[2] - y))
            same += of[nearest[0]] == of[id]
        self.assertGreater(same, 290)
        largest = max(max(abs(x), abs(y)) for _, x, y in picture)
        self.assertEqual(largest, 1.0)

    def test_some_of_many(self):
        self.create(words("bit", "auto"))
        self.fill(Model(3), 5000)
        self.assertEqual(len(self.map()), 2000)
        self.assertEqual([row[0] for row in self.map(5)], [1, 1001, 2001, 3001, 4001])
        self.assertEqual(len(self.map(4999)), 4999)
        self.assertEqual(len(self.map(10**6)), 5000)

    def test_on_every_processor(self):
        self.create(words(dimensions=50))
        self.fill(Model(4, 50), 700)
        pictures = set()
        for simd in SIMD:  # one that is not here stands for the best that is
            result = subprocess.run(
                [sys.executable, "-c", ASK, self.path], cwd=HERE, check=True,
                env=dict(os.environ, RERANK_SIMD=simd), stdout=subprocess.PIPE)
            pictures.add(result.stdout)
        self.assertEqual(len(pictures), 1)
        self.assertEqual(len(pictures.pop().splitlines()), 300)

    def test_interrupted(self):
        """At any step of SQLite's own, and between those by the token."""
        add_films(self.db)
        add_index(self.db)
        self.command("sync")
        steps = 1
        while interrupted(self, "SELECT * FROM semantic_map('ix')", steps):
            steps += 1
        self.assertGreater(steps, 20)
        self.assertEqual(len(self.map()), 5)

    def test_read_only(self):
        add_films(self.db)
        add_index(self.db)
        self.command("sync")
        db = self.db
        db.execute("PRAGMA query_only = on")
        self.assertEqual(len(self.map()), 5)
        db.execute("PRAGMA query_only = off")
        db.execute("CREATE VIEW points AS SELECT title, x, y FROM semantic_map('ix') "
                   "JOIN films ON id = key")
        self.assertEqual(len(self.rows("SELECT * FROM points")), 5)

    def test_written_while_it_is_read(self):
        self.create(words())
        self.fill(Model(5), 50)
        seen = []
        for row in self.db.execute("SELECT key, x FROM semantic_map('ix')"):
            self.db.execute("DELETE FROM ix WHERE rowid = ?", (row[0],))
            seen.append(row[0])
        self.assertEqual(seen, list(range(1, 51)))
        self.assertEqual(self.map(), [])

    def test_a_row_whose_vector_is_damaged(self):
        self.create(words("int8"))
        self.fill(Model(6), 20)
        id = self.one("SELECT max(id) FROM ix_vectors")
        self.db.execute("UPDATE ix_vectors SET vector = zeroblob(64) WHERE id = ?", (id,))
        self.fails(f"row {id}: its vector is zero", "SELECT * FROM semantic_map('ix')",
                   error=sqlite3.DatabaseError)
        self.db.execute("DELETE FROM ix_vectors WHERE id = ?", (id,))
        self.fails(f"row {id}: its vector is not there", "SELECT * FROM semantic_map('ix')",
                   error=sqlite3.DatabaseError)

    def test_vectors_of_any_size(self):
        """Of few dimensions and of many, of which the sample is smaller."""
        for dimensions in (1, 2, 3, 9, 20000):
            self.create(words(metric="l2", dimensions=dimensions))
            n = 300 if dimensions > 9 else 40
            seven = [[math.sin(id * (i + 1)) for i in range(7)] for id in range(n)]
            rows = [(id + 1, (seven[id] * dimensions)[:dimensions]) for id in range(n)]
            self.db.execute("BEGIN")
            self.put(rows)
            self.db.execute("COMMIT")
            picture = self.map()
            self.assertEqual(len(picture), n)
            self.assertEqual(max(max(abs(x), abs(y)) for _, x, y in picture), 1.0)
            self.assertEqual(any(y != 0.0 for _, _, y in picture), dimensions > 1)
            self.db.execute("DROP TABLE ix")

    def test_lengths_of_all_magnitudes(self):
        self.create(words(metric="l2", dimensions=2))
        for id, unit in enumerate((1e-30, 1.0, 1e30, 3e38), 1):
            self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                            (id, blob(unit, -unit)))
        picture = self.map()
        self.assertTrue(all(abs(x) <= 1 and abs(y) <= 1 for _, x, y in picture))


if __name__ == "__main__":
    unittest.main()

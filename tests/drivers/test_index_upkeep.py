"""A semantic_index over time: optimize, backup, dump, other databases, limits."""
import math
import os
import random
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import ALL, DIMENSIONS, OPTIONS, QUANTIZE, Model, StorageBase, words  # noqa: E402
from support import SHELL, blob, connect, from_blob, have_shell  # noqa: E402


class Upkeep(StorageBase):
    def test_optimize_gives_space_back(self):
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(2)
            self.fill(model, 3000)
            pages = self.one("PRAGMA page_count")
            gone = [id for id in model.rows if id % 10]
            self.db.execute("DELETE FROM ix WHERE rowid % 10")
            for id in gone:
                del model.rows[id]
            free = self.one("PRAGMA freelist_count")
            self.command("optimize")
            self.assertGreater(self.one("PRAGMA freelist_count"), free)
            self.check()
            self.whole(model)
            self.db.execute("VACUUM")
            self.assertLess(self.one("PRAGMA page_count"), pages / 4)
            self.check()
            self.whole(model)
            self.db.execute("DROP TABLE ix")
            self.db.execute("VACUUM")

    def test_vectors_at_the_end_of_float32(self):
        """Their differences, sums and rotations are beyond it; centroids are finite."""
        ends = (3e38, -3e38, 3.4028234663852886e38, 1.0, -0.5)
        chosen = random.Random(3)
        rows = [[chosen.choice(ends) for _ in range(3)] for _ in range(700)]
        queries = rows[:2] + [[3e38, 3e38, 1.0], [0.25, 0.5, -1.0]]
        stored = [from_blob(blob(*row)) for row in rows]
        for metric in ("l2", "dot"):
            for quantize, partitions in OPTIONS:
                self.create(words(quantize, partitions, metric, dimensions=3))
                self.db.execute("BEGIN")
                self.db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                                    [(i, blob(*row)) for i, row in enumerate(rows, 1)])
                self.db.execute("COMMIT")
                for step in ("fresh", "optimized", "optimized twice"):
                    with self.subTest(metric, quantize=quantize, partitions=partitions, step=step):
                        if step != "fresh":
                            self.command("optimize")
                        self.db.close()
                        self.db = connect(self.path)
                        self.check()
                        for bytes_ in self.centroids():
                            self.assertTrue(all(map(math.isfinite, from_blob(bytes_))))
                        for query in queries:
                            self.finds_best(metric, stored, query, exact=not partitions)
                self.db.execute("DROP TABLE ix")

    def centroids(self):
        if not self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'ix_partitions'"):
            return []
        return [row[0] for row in self.rows("SELECT centroid FROM ix_partitions")]

    def finds_best(self, metric, rows, query, exact):
        def score(row):
            if metric == "dot":
                return sum(a * b for a, b in zip(query, row))
            return -sum((a - b) ** 2 for a, b in zip(query, row))
        query = from_blob(blob(*query))
        found = [score(rows[id - 1]) for id, in self.rows("SELECT rowid FROM ix(?, 10)",
                                                          blob(*query))]
        self.assertEqual(len(found), 10)
        if exact:
            best = sorted(map(score, rows), reverse=True)[:10]
            for a, b in zip(found, best):
                self.assertTrue(math.isclose(a, b, rel_tol=1e-9), (found, best))

    def test_optimize_of_little(self):
        for quantize, partitions in OPTIONS:
            self.db.execute(f"CREATE VIRTUAL TABLE e USING semantic_index(quantize={quantize})"
                            if quantize != "none"
                            else "CREATE VIRTUAL TABLE e USING semantic_index()")
            self.command("optimize", name="e")
            self.db.execute("DROP TABLE e")
            self.create(words(quantize, partitions))
            self.command("optimize")
            model = Model(1)
            for n in (1, 1, 2):
                self.fill(model, n, first=len(model.rows) + 1)
                self.command("optimize")
                self.check()
                self.whole(model)
            self.db.execute("BEGIN")
            self.fill(model, 300, first=10)
            self.command("optimize")
            before = dict(model.rows)
            self.whole(model)
            self.db.execute("SAVEPOINT s")
            self.fill(model, 300, first=1000)
            self.command("optimize")
            self.whole(model)
            self.db.execute("ROLLBACK TO s")
            model.rows = before
            self.whole(model)
            self.db.execute("COMMIT")
            self.check()
            self.db.execute("DELETE FROM ix")
            self.command("optimize")
            self.check()
            self.assertEqual(self.found(model.vector(), 1), [])
            self.db.execute("DROP TABLE ix")

    def test_small_inserts_fill_blocks(self):
        """Rows that come one transaction at a time do not leave blocks with little in them."""
        for quantize in QUANTIZE:
            self.create(words(quantize))
            model = Model(2)
            for id in range(1, 301):
                self.put([(id, model.vector())])
            self.assertLessEqual(self.one("SELECT count(*) FROM ix_blocks"), 8)
            self.assertLess(self.one("SELECT sum(room) FROM ix_blocks"), 300)
            self.check()
            self.db.execute("DROP TABLE ix")

    def test_rename_and_backup(self):
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(4)
            self.fill(model, 600)
            self.whole(model)
            self.db.execute("ALTER TABLE ix RENAME TO other")
            self.whole(model, name="other")
            self.create(words(quantize, partitions))
            self.assertEqual(self.found(model.vector(), 3), [])
            self.put([(1, model.vector())], name="ix")
            self.assertEqual(len(self.found(model.vector(), 3)), 1)
            self.whole(model, name="other")
            self.command("integrity-check", name="other")
            path = os.path.join(self.folder.name, "copy.db")
            plain = sqlite3.connect(path)
            self.db.backup(plain)
            plain.close()
            copy = connect(path)
            self.whole(model, copy, name="other")
            copy.execute("DELETE FROM other WHERE rowid > 300")
            self.whole(model, name="other")
            copy.execute("INSERT INTO other(other) VALUES ('integrity-check')")
            # And over a database that is open and was searched.
            self.db.backup(copy)
            self.whole(model, copy, name="other")
            copy.close()
            os.remove(path)
            self.db.execute("DROP TABLE ix")
            self.db.execute("DROP TABLE other")

    @unittest.skipUnless(have_shell(), "no sqlite3 shell")
    def test_dump_and_restore(self):
        models = {}
        for number, (quantize, partitions) in enumerate(OPTIONS):
            name = f"ix{number}"
            self.create(words(quantize, partitions), name)
            models[name] = Model(number)
            self.fill(models[name], 400, name=name)
        self.db.close()
        dump = subprocess.run([SHELL, self.path, ".dump"], stdout=subprocess.PIPE,
                              check=True).stdout
        restored = os.path.join(self.folder.name, "restored.db")
        result = subprocess.run([SHELL, restored], input=dump, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        self.assertEqual((result.returncode, result.stdout), (0, b""))
        self.db = connect(restored)
        for name, model in models.items():
            self.whole(model, name=name)
            self.command("integrity-check", name=name)
            self.fill(model, 400, first=1000, name=name)
            self.whole(model, name=name)
        self.assertEqual(self.one("PRAGMA integrity_check"), "ok")

    def test_other_databases(self):
        """Attached, temporary and in-memory ones, of the same names."""
        self.db.execute("ATTACH ? AS a", (os.path.join(self.folder.name, "a.db"),))
        self.db.execute("ATTACH ':memory:' AS m")
        self.db.execute("ATTACH ':memory:' AS m2")
        models = {}
        for number, (quantize, partitions) in enumerate(OPTIONS):
            for schema in ("main", "a", "m", "m2", "temp"):
                name = f"{schema}.ix{number}"
                models[name] = Model(name)
                self.create(words(quantize, partitions), name)
                self.fill(models[name], 40, name=name)
        for _ in range(2):
            for name, model in models.items():
                self.whole(model, name=name)
        for schema in ("m", "m2"):
            self.db.execute(f"DETACH {schema}")
        self.db.execute("ATTACH ':memory:' AS m")
        self.create(words(), "m.ix0")
        self.assertEqual(self.found([1] * DIMENSIONS, 3, name="m.ix0"), [])
        self.whole(models["a.ix0"], name="a.ix0")
        other = connect()
        other.execute("CREATE VIRTUAL TABLE ix0 USING semantic_index(dimensions=16)")
        self.assertEqual(self.found([1] * DIMENSIONS, 3, other, "ix0"), [])
        other.close()

    def test_rowids_and_dimensions(self):
        least, most = -2**63, 2**63 - 1
        for quantize, partitions in OPTIONS:
            for dimensions in (1, 3):
                self.create(words(quantize, partitions, "l2", dimensions))
                model = Model(1, dimensions)
                ids = [least, least + 1, -7, -1, 0, 1, 2**40, most - 1, most]
                model.rows.update((id, model.vector()) for id in ids)
                self.put(model.rows.items())
                self.assertEqual(self.ids(), ids)
                self.whole(model, metric="l2")
                self.assertEqual(
                    sorted(id for id, _ in self.found(
                        model.vector(), 9, more=f"AND rowid IN ({most}, {least + 1}, 5, -1)")),
                    [least + 1, -1, most])
                self.check()
                for id in (least, most, 0):
                    self.db.execute("DELETE FROM ix WHERE rowid = ?", (id,))
                    del model.rows[id]
                self.whole(model, metric="l2")
                self.command("optimize")
                self.check()
                self.whole(model, metric="l2")
                self.db.execute("DROP TABLE ix")

    def test_exactly_similar_enough(self):
        """similarity >= x of a row whose similarity is x, of the smallest vectors there are."""
        for quantize, partitions in OPTIONS:
            for metric in ("dot", "l2", "cosine"):
                for dimensions in (1, 2, 3):
                    self.create(words(quantize, partitions, metric, dimensions))
                    model = Model(7, dimensions)
                    self.fill(model, 2500 if partitions == 4 else 900)
                    query = model.vector()
                    hits = self.found(query, ALL)
                    for place in (0, 1, 3, 6, 10):
                        found = self.found(query, 15, more=f"AND similarity >= {hits[place][1]!r}")
                        wanted = sum(value >= hits[place][1] for _, value in hits)
                        self.assertEqual(len(found), min(15, wanted),
                                         (quantize, partitions, metric, dimensions, place))
                    self.db.execute("DROP TABLE ix")

    def test_65536_dimensions(self):
        for quantize, partitions in (("none", 0), ("int8", 0), ("bit", 2)):
            self.create(words(quantize, partitions, dimensions=65536))
            draw = random.Random(1)
            rows = {}
            for id in range(1, 20):
                vector = [0.0] * 65536
                for _ in range(40):
                    vector[draw.randrange(65536)] = draw.gauss(0, 1)
                rows[id] = vector
            self.put(rows.items())
            for id in (1, 19):
                self.assertEqual(self.found(rows[id], 1)[0][0], id)
            self.assertEqual(len(self.found(rows[3], ALL)), 19)
            self.command("optimize")
            self.check()
            self.db.execute("DROP TABLE ix")

    def test_memory_budgets(self):
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(6)
            self.fill(model, 1200)
            for budget in (0, 1, 5000, 100000, 3 << 20, 1 << 30, 0):
                self.db.execute("SELECT rerank_config('memory_budget', ?)", (budget,))
                for _ in range(2):
                    self.compare(model, exact=quantize == "none" and not partitions, n=1)
                    self.whole(model)
                self.fill(model, 3, first=5000 + model.draw.randrange(1000), verb="REPLACE")
            self.db.execute("DROP TABLE ix")

    def test_defensive_mode(self):
        if not hasattr(self.db, "setconfig"):
            self.skipTest("Python's sqlite3 has no setconfig before 3.12")
        self.db.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
        self.create(words("int8", 4))
        model = Model(6)
        self.fill(model, 600)
        self.command("optimize")
        self.whole(model)
        self.check()


if __name__ == "__main__":
    unittest.main()

"""An index with storage = 'int8' or 'float16': what it holds is what it gives back, and that is
scored."""
import math
import os
import sys
import unittest
from operator import mul

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import ALL, Model, StorageBase, similarity, words  # noqa: E402
from support import blob, connect, from_blob  # noqa: E402

KINDS = [("none", 0, "cosine"), ("none", 4, "dot"), ("bit", 0, "l2"), ("bit", "auto", "cosine"),
         ("int8", 0, "dot"), ("none", 0, "l2")]


def cosine(a, b):
    return similarity("cosine", a, b)


class Int8Storage(StorageBase):
    STORAGE = "int8"
    KINDS = KINDS
    BYTES = 396  # of a row of 384 dimensions in a block
    ROW = 460  # and in the file, some of them of slots for rows that wait
    LEAST = 0.9999  # cosine of a vector and what is kept of it
    NEAR = 3e-4  # similarities

    def make(self, quantize="none", partitions=0, metric="cosine", **more):
        self.create(words(quantize, partitions, metric, **more) + f", storage='{self.STORAGE}'")

    def stored(self, db=None):
        """{rowid: the vector that the index holds}."""
        rows = (db or self.db).execute("SELECT rowid, embedding FROM ix").fetchall()
        return {id: from_blob(embedding) for id, embedding in rows}

    def assert_holds(self, model, message=None):
        """Each row's vector is near the one given; returns those that are held."""
        stored = self.stored()
        self.assertEqual(sorted(stored), sorted(model.rows), message)
        for id, vector in model.rows.items():
            self.assertGreater(cosine(stored[id], vector), self.LEAST, message)
        return stored

    def assert_scores(self, stored, metric, hits, query, message=None):
        """Similarities are those of the vectors held, ranked."""
        for id, got in hits:
            size = math.sqrt(sum(map(mul, query, query)) * sum(map(mul, stored[id], stored[id])))
            expected = similarity(metric, stored[id], query)
            allowed = 5e-6 * (size if metric == "dot" else 1)
            self.assertLess(abs(got - expected), allowed, message)
        self.assertEqual([got for _, got in hits], sorted((s for _, s in hits), reverse=True))

    def test_histories(self):
        for number, (quantize, partitions, metric) in enumerate(self.KINDS):
            message = f"{quantize}, {partitions}, {metric}"
            self.make(quantize, partitions, metric)
            model = Model(number)
            self.fill(model, 700)
            for rolled_back in (True, False):
                self.db.execute("BEGIN")
                before = dict(model.rows)
                self.fill(model, 300, first=600, verb="INSERT OR REPLACE")
                self.db.execute("SAVEPOINT s")
                self.db.execute("DELETE FROM ix WHERE rowid % 3 = 0")
                self.assertEqual(len(self.found(model.vector(), ALL)), 600)
                self.db.execute("ROLLBACK TO s")
                changed = {id: model.vector() for id in range(1, 900, 7)}
                self.db.executemany("UPDATE ix SET embedding = ? WHERE rowid = ?",
                                    [(blob(*vector), id) for id, vector in changed.items()])
                model.rows.update(changed)
                if rolled_back:
                    self.db.execute("ROLLBACK")
                    model.rows = before
                else:
                    self.db.execute("COMMIT")
                self.check()
                stored = self.assert_holds(model, message)
            query = model.vector()
            hits = self.found(query, ALL)
            self.assertEqual(len(hits), len(stored))
            self.assert_scores(stored, metric, hits, query, message)
            # However a row is found its score is the same, to the bit.
            scores = dict(hits)
            listed = self.found(query, ALL, more="AND rowid IN (7, 8)")
            for id, got in self.found(query, 20) + listed:
                self.assertEqual(got, scores[id], message)
            if quantize == "none" and not partitions:
                self.assertEqual(self.found(query, 20), hits[:20])
            self.command("optimize")
            self.check()
            self.assertEqual(self.stored(), stored, message)
            self.assertEqual(self.found(query, ALL), hits, message)
            self.db.execute("DROP TABLE ix")

    def test_rankings_are_those_of_float32(self):
        """Of vectors with large components here and there, as embeddings have."""
        model = Model(3, 384, centres=6)
        self.make(dimensions=384)
        self.create(words(dimensions=384), name="floats")
        rows = [(id, [x + 20 * (i % 90 == 7) for i, x in enumerate(model.vector())])
                for id in range(1, 301)]
        for name in ("ix", "floats"):
            self.put(rows, name=name)
        stored = self.stored()
        self.assertTrue(all(cosine(stored[id], vector) > self.LEAST for id, vector in rows))
        common = 0
        for id, vector in rows[:20]:
            exact, kept = self.found(vector, 10, name="floats"), self.found(vector, 10)
            self.assertEqual(kept[0][0], id)
            common += len({id for id, _ in exact} & {id for id, _ in kept})
            for (_, a), (_, b) in zip(exact, kept):
                self.assertLess(abs(a - b), self.NEAR)
        self.assertGreaterEqual(common, 195)

    def test_written_again_from_what_is_read(self):
        """The vector that an index gives back is kept as it is, but for the last bits."""
        model = Model(5)
        self.make()
        self.fill(model, 50)
        stored = self.stored()
        self.put(stored.items(), verb="INSERT OR REPLACE")
        for id, vector in self.stored().items():
            self.assertLess(math.dist(vector, stored[id]), 1e-5)

    def test_another_connection(self):
        second = connect(self.path)
        self.addCleanup(second.close)
        self.make()
        model = Model(6)
        query = model.vector()
        for start in (1, 101):
            rows = [(id, model.vector()) for id in range(start, start + 100)]
            self.put(rows)
            hits = self.found(query, 25, db=second)
            self.assertEqual(hits, self.found(query, 25))
            self.assert_scores(self.stored(second), "cosine", hits, query)
        self.assertEqual(len(self.found(query, ALL, db=second)), 200)
        second.execute("PRAGMA query_only = on")
        self.assertEqual(self.found(query, 25, db=second), hits)

    def test_bytes_of_a_row(self):
        """384 dimensions: so many bytes in a block, and some 20 of X_rows."""
        self.make(dimensions=384)
        model = Model(9, 384)
        self.fill(model, 2 * 661)  # blocks of a quarter of a megabyte
        self.command("optimize")
        self.assertEqual(self.rows("SELECT DISTINCT length(bytes) / (n + room) FROM ix_data "
                                   "JOIN ix_blocks USING (block)"), [(self.BYTES,)])
        pages = self.one("PRAGMA page_count") - self.one("PRAGMA freelist_count")
        self.assertLess(pages * self.one("PRAGMA page_size") / 1322, self.ROW)


class Float16Storage(Int8Storage):
    STORAGE = "float16"
    KINDS = [("none", 0, "l2"), ("bit", "auto", "cosine")]
    BYTES = 776
    ROW = 870
    LEAST = 0.9999998
    NEAR = 3e-5


if __name__ == "__main__":
    unittest.main()

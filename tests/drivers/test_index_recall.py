"""What searches of partitions find, whatever the rows are like and in which order they came."""
import math
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import StorageBase, words  # noqa: E402
from support import connect  # noqa: E402

DIMENSIONS = 32
ROWS = 2500
QUERIES = 20


def around(draw, centre, width):
    return [x + draw.gauss(0, width) for x in centre]


def unequal(draw, n):
    """Clusters of unequal sizes, of which a few directions hold most."""
    scales = [(i + 1) ** -0.4 for i in range(DIMENSIONS)]
    centres = [[draw.gauss(0, scale) for scale in scales] for _ in range(30)]
    sizes = [math.exp(draw.gauss(0, 1)) for _ in centres]
    rows = []
    for which in draw.choices(range(30), sizes, k=n):
        noise = [draw.gauss(0, 0.6 * scale) for scale in scales]
        rows.append((which, [sum(pair) for pair in zip(centres[which], noise)]))
    return rows


def in_order(draw, n):
    return sorted(unequal(draw, n), key=lambda row: row[0])


def heavy(draw, n):
    """Far more rows near the centre than far away, and some very far."""
    return [(0, [draw.gauss(0, 1) / max(draw.random(), 1e-3) ** 0.5 + 1 for _ in range(DIMENSIONS)])
            for _ in range(n)]


def near_duplicates(draw, n):
    bases = [[draw.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(n // 10)]
    return [(0, around(draw, draw.choice(bases), 0.02)) for _ in range(n)]


def noise(draw, n):
    """No row is nearer to any other than to most."""
    return [(0, [draw.gauss(0, 1) for _ in range(DIMENSIONS)]) for _ in range(n)]


SHAPES = (unequal, in_order, heavy, near_duplicates, noise)


class Recall(StorageBase):
    def recall(self, queries, k):
        """The share of the k nearest of an exact index that the other one finds."""
        found = wanted = 0
        for query in queries:
            exact = self.found(query, k, name="exact")
            least = exact[-1][1] - 1e-6
            found += sum(similarity >= least for _, similarity in self.found(query, k))
            wanted += len(exact)
        return found / wanted

    def check_shape(self, shape, metric, quantize, together, n=ROWS):
        draw = random.Random(7)
        vectors = [vector for _, vector in shape(draw, n + QUERIES)]
        queries = [vectors.pop(draw.randrange(len(vectors))) for _ in range(QUERIES)]
        self.create(words(quantize, "auto", metric, DIMENSIONS))
        self.create(words("none", 0, metric, DIMENSIONS), name="exact")
        rows = list(enumerate(vectors))
        for start in range(0, n, together):
            self.db.execute("BEGIN")
            self.put(rows[start:start + together])
            self.put(rows[start:start + together], name="exact")
            self.db.execute("COMMIT")
        for state in ("inserted", "optimized"):
            for k in (10, 25):
                self.assertGreaterEqual(self.recall(queries, k), 0.95,
                                        (shape.__name__, metric, quantize, state, k))
            self.command("optimize")
        self.command("integrity-check")
        for name in ("ix", "exact"):
            self.db.execute(f"DROP TABLE {name}")

    def test_shapes(self):
        for number, shape in enumerate(SHAPES):
            metric = ("cosine", "dot", "l2")[number % 3]
            with self.subTest(shape=shape.__name__):
                self.check_shape(shape, metric, ("bit", "none")[number % 2], 700)

    def test_row_by_row(self):
        self.check_shape(unequal, "l2", "bit", 1, 400)

    def test_first_answers(self):
        """Those of a process that has just opened a small index are those of all later ones."""
        for shape in SHAPES:
            draw = random.Random(11)
            vectors = [vector for _, vector in shape(draw, ROWS + QUERIES)]
            self.create(words("bit", "auto", "cosine", DIMENSIONS))
            self.db.execute("BEGIN")
            self.put(list(enumerate(vectors[:ROWS])))
            self.db.execute("COMMIT")
            self.db.close()
            self.db = connect(self.path)
            answers = [[self.found(query, 10) for query in vectors[-6:]] for _ in range(4)]
            with self.subTest(shape=shape.__name__):
                self.assertTrue(all(later == answers[0] for later in answers))
            self.db.execute("DROP TABLE ix")


if __name__ == "__main__":
    unittest.main()

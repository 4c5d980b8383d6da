"""storage.py: an index, the same in Python, and how they are compared."""
import math
import os
import random
import sys
from operator import mul

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, blob, from_blob  # noqa: E402

FOLDER = os.path.dirname(os.path.abspath(__file__))
DIMENSIONS = 16
ALL = 10**9

QUANTIZE = ("none", "int8", "bit")
PARTITIONS = (0, "auto", 4)
OPTIONS = [(quantize, partitions) for quantize in QUANTIZE for partitions in PARTITIONS]


def words(quantize="none", partitions=0, metric="cosine", dimensions=DIMENSIONS):
    text = f"dimensions={dimensions}, metric={metric}"
    text += f", quantize={quantize}" if quantize != "none" else ""
    return text + (f", partitions={partitions}" if partitions else "")


def as_float32(vector):
    return tuple(from_blob(blob(*vector)))


def similarity(metric, a, b):
    dot = sum(map(mul, a, b))
    if metric == "dot":
        return dot
    if metric == "cosine":
        return dot / (math.hypot(*a) * math.hypot(*b))
    return 1 / (1 + math.dist(a, b))


class Model:
    """The index, in Python: {rowid: vector}; draws vectors around a few centres."""

    def __init__(self, seed, dimensions=DIMENSIONS, centres=12):
        self.draw = random.Random(seed)
        self.dimensions = dimensions
        self.rows = {}
        self.centres = [self.noise(1) for _ in range(centres)]

    def noise(self, width):
        return [self.draw.gauss(0, width) for _ in range(self.dimensions)]

    def vector(self):
        centre = self.draw.choice(self.centres)
        return as_float32(map(sum, zip(centre, self.noise(0.6))))

    def nearest(self, query, k, metric="cosine", among=None, least=-math.inf):
        ranked = sorted((-similarity(metric, vector, query), id) for id, vector in self.rows.items()
                        if among is None or id in among)
        return [(id, -negative) for negative, id in ranked if -negative >= least][:k]


class StorageBase(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("PRAGMA synchronous = off")

    def create(self, options="", name="ix", db=None):
        (db or self.db).execute(f"CREATE VIRTUAL TABLE {name} USING semantic_index({options})")

    def put(self, rows, db=None, verb="INSERT", name="ix"):
        (db or self.db).executemany(f"{verb} INTO {name}(rowid, embedding) VALUES (?, ?)",
                                    [(id, blob(*vector)) for id, vector in rows])

    def fill(self, model, n, first=1, **options):
        rows = [(id, model.vector()) for id in range(first, first + n)]
        with_transaction = not self.db.in_transaction
        if with_transaction:
            self.db.execute("BEGIN")
        self.put(rows, **options)
        if with_transaction:
            self.db.execute("COMMIT")
        model.rows.update(rows)

    def found(self, query, k, db=None, name="ix", more=""):
        return (db or self.db).execute(
            f"SELECT rowid, similarity FROM {name} WHERE query = ? AND k = ? {more}",
            (blob(*query), k)).fetchall()

    def assert_same(self, hits, expected, message=None):
        """Neighbours whose similarities differ by less than float32 can tell may be swapped."""
        wanted = dict(expected)
        self.assertEqual(sorted(id for id, _ in hits), sorted(wanted), message)
        for (id, got), (expected_id, value) in zip(hits, expected):
            if abs(got - wanted[id]) > 4e-6:  # or rounded to 5 digits they are equal
                self.assertAlmostEqual(got, wanted[id], 5, message)
            if id != expected_id:
                self.assertAlmostEqual(value, wanted[id], 6, message)

    def compare(self, model, metric="cosine", exact=True, n=6, k=10, least=0.95, db=None,
                message=None):
        """Searches agree with the model; approximate ones find nearly all."""
        hit = wanted = 0
        for _ in range(n):
            query = model.vector()
            hits, expected = self.found(query, k, db), model.nearest(query, k, metric)
            self.assertEqual(len(hits), len(expected), message)
            if exact:
                self.assert_same(hits, expected, message)
            for id, got in hits:
                self.assertAlmostEqual(got, similarity(metric, model.rows[id], query), 5)
            hit += len({id for id, _ in hits} & {id for id, _ in expected})
            wanted += len(expected)
        self.assertGreaterEqual(hit, wanted * least, message)

    def whole(self, model, db=None, metric="cosine", name="ix", message=None):
        """All rows come back when all are asked for, ranked."""
        query = model.vector()
        self.assert_same(self.found(query, ALL, db, name), model.nearest(query, ALL, metric),
                         message)

    def command(self, text, db=None, name="ix"):
        (db or self.db).execute(f"INSERT INTO {name}({name}) VALUES (?)", (text,))

"""nearest.py: indexes built row by row of the vectors of shapes.py, and how much of the nearest is
found: what near_bench and recall_bench do alike.

Recall is the share of the k nearest by the vectors' own similarities; a row that is as near as the
k-th counts for it.
"""
import sqlite3
import sys
import time

import numpy

import shapes

TOLERANCE = 1e-6
NAMES = [*shapes.SHAPES, "text", "local"]


def add_arguments(parser, queries):
    parser.add_argument("library", metavar="LIBRARY")
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=queries)
    parser.add_argument("--shapes", default=",".join(NAMES))
    parser.add_argument("--text", metavar="FOLDER", default="/usr/share/doc",
                        help="of documentation, for the shape text")


def names(arguments):
    """The shapes that are asked for, but those whose texts or model are not there."""
    for name in arguments.shapes.split(","):
        if name not in NAMES:
            sys.exit(f"no shape {name}: {', '.join(NAMES)}")
        why = shapes.why_no_local() if name == "local" else ""
        if why:
            print(f"{name}: skipped, {why}", flush=True)
        else:
            yield name


def drawn(name, arguments):
    """arguments.rows rows of a shape, and queries that are none of them."""
    wanted = arguments.rows + arguments.queries
    if name == "text":
        rows = shapes.text(wanted, arguments.library, arguments.text)
    elif name == "local":
        rows = shapes.local(wanted, arguments.library)
    else:
        rows = shapes.SHAPES[name](wanted, arguments.dimensions)
    return shapes.split(rows, arguments.queries)


class Clock:
    """Seconds by the clock, and of processor time, of what is done within it."""

    def __init__(self):
        self.seconds = self.processor = 0.0

    def __enter__(self):
        self.begun = time.perf_counter(), time.process_time()

    def __exit__(self, *_):
        self.seconds += time.perf_counter() - self.begun[0]
        self.processor += time.process_time() - self.begun[1]


def build(library, path, options, blocks):
    """A connection whose index ix has the rows of each block, written by a transaction each, how
    many they are, and what writing took."""
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(library)
    clock, count = Clock(), 0
    for block in blocks:
        if count == 0:
            db.execute("CREATE VIRTUAL TABLE ix USING semantic_index("
                       f"dimensions = {block.shape[1]}, {options})")
        with clock:
            db.execute("BEGIN")
            db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                           ((count + i, row.tobytes()) for i, row in enumerate(block)))
            db.execute("COMMIT")
        count += len(block)
    return db, count, clock


def ask(db, k, columns="rowid"):
    sql = f"SELECT {columns} FROM ix(?, ?)"
    return lambda query: db.execute(sql, (query.tobytes(), k)).fetchall()


def kth_best(blocks, queries, k):
    """[n_queries] the similarity of the k-th nearest of all rows of the blocks."""
    best = numpy.empty((len(queries), 0), numpy.float32)
    for block in blocks:
        both = numpy.hstack([best, queries @ block.T])
        best = numpy.partition(both, max(both.shape[1] - k, 0), axis=1)[:, -k:]
    return best.min(axis=1)


def recall(similarities, bounds, k):
    """similarities: of what was found, a list a query."""
    counts = [min(int((numpy.asarray(found) >= bound - TOLERANCE).sum()), k)
              for found, bound in zip(similarities, bounds)]
    return float(numpy.mean(counts)) / k


def similarities_of(rows, queries, found):
    """found: numbers of rows, a list a query."""
    return [rows[numpy.array(numbers, dtype=numpy.int64)] @ query
            for query, numbers in zip(queries, found)]

"""recall_bench.py: what searches of partitions = 'auto' find, on vectors of every shape.

Each line is an index that was built row by row: of the k nearest of queries that are no rows, the
share found (recall), for k = 10 and 25; the share of the rows that a search compares by their codes
and the rows compared exactly, as semantic_recall counts them; the same after 'optimize'. A row that
is as near as the k-th counts for it. Counts do not depend on how busy a machine is. With --faiss:
k-means lists of faiss (faiss-cpu of PyPI), the share of rows in as many lists as give .95 and .98.
"""
import argparse
import sqlite3
import sys
import time

import numpy

import shapes

TOLERANCE = 1e-6


def connect(library):
    db = sqlite3.connect("", isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(library)
    return db


def build(db, rows, options, together):
    """Seconds of processor time that the rows took."""
    db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index(dimensions = {rows.shape[1]}, "
               f"{options})")
    begun = time.process_time()
    for start in range(0, len(rows), together):
        db.execute("BEGIN")
        db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                       [(start + i, row.tobytes())
                        for i, row in enumerate(rows[start:start + together])])
        db.execute("COMMIT")
    return time.process_time() - begun


def kth_best(rows, queries, k):
    best = [numpy.partition(rows @ query, -k)[-k] for query in queries]
    return numpy.array(best)


def measure(db, rows, queries, k):
    bounds, n_found = kth_best(rows, queries, k), 0
    for query, bound in zip(queries, bounds):
        found = [row[0] for row in db.execute("SELECT rowid FROM ix(?, ?)", (query.tobytes(), k))]
        n_found += min((rows[found] @ query >= bound - TOLERANCE).sum(), k)
    scanned, rescored, partitions = db.execute(
        "SELECT scanned, rescored, partitions FROM semantic_recall('ix', ?, 100)", (k,)).fetchone()
    return n_found / k / len(queries), scanned / len(rows), rescored, partitions


def faiss_shares(rows, queries, k, wanted):
    """The least share of rows, of whole lists, that gives each recall."""
    import faiss
    faiss.omp_set_num_threads(1)
    lists = max(int(2 * len(rows) ** 0.5), 1)
    flat = faiss.IndexFlatIP(rows.shape[1])
    index = faiss.IndexIVFFlat(flat, rows.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    bounds, shares = kth_best(rows, queries, k), []
    for recall in wanted:
        index.nprobe = 1
        while True:
            similarities, _ = index.search(queries, k)
            if (similarities >= bounds[:, None] - TOLERANCE).mean() >= recall or \
                    index.nprobe == lists:
                break
            index.nprobe = min(max(index.nprobe * 5 // 4, index.nprobe + 1), lists)
        shares.append(index.nprobe / lists)
    return shares


def report(what, k, figures):
    recall, scanned, rescored, partitions = figures
    print(f"{what:<32}{k:>4}{recall:>8.3f}{scanned:>9.3f}{rescored:>9}{partitions:>7}", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", metavar="LIBRARY")
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--shapes", default=",".join([*shapes.SHAPES, "text"]))
    parser.add_argument("--options", default="quantize = 'bit', partitions = 'auto'")
    parser.add_argument("--together", type=int, default=10**9, help="rows of a transaction")
    parser.add_argument("--text", metavar="FOLDER", default="/usr/share/doc",
                        help="of documentation, for the shape text")
    parser.add_argument("--faiss", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    print(f"{arguments.options}\n{'':<32}{'k':>4}{'recall':>8}{'scanned':>9}{'rescored':>9}"
          f"{'parts':>7}")
    for name in arguments.shapes.split(","):
        wanted = arguments.rows + arguments.queries
        if name == "text":
            rows = shapes.text(wanted, arguments.library, arguments.text)
        elif name in shapes.SHAPES:
            rows = shapes.SHAPES[name](wanted, arguments.dimensions)
        else:
            sys.exit(f"recall_bench: no shape {name}: {', '.join([*shapes.SHAPES, 'text'])}")
        rows, queries = shapes.split(rows, arguments.queries)
        db = connect(arguments.library)
        seconds = build(db, rows, arguments.options, arguments.together)
        for k in (10, 25):
            report(f"{name}, {len(rows):,}, {len(rows) / seconds:,.0f}/s", k,
                   measure(db, rows, queries, k))
        db.execute("INSERT INTO ix(ix) VALUES ('optimize')")
        for k in (10, 25):
            report(f"{name}, optimized", k, measure(db, rows, queries, k))
        if arguments.faiss:
            for k in (10, 25):
                found = faiss_shares(rows, queries, k, (0.95, 0.98))
                print(f"{name + ', faiss .95, .98':<32}{k:>4}"
                      + "".join(f"{share:>9.3f}" for share in found))
        db.close()


if __name__ == "__main__":
    main()

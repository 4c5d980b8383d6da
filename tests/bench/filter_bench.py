"""filter_bench.py LIBRARY [--rows N] [--dimensions N] [--options SQL]: searches with conditions.

A content table with wide rows, and an index of it with vectors of its own (`skewed` of shapes.py),
without codes, with bits, and with partitions, too. Each line is a condition on a column of the
content, without an index and with one, that a share of the rows meets; its figures are the
milliseconds of the median search for the 10 nearest, by the clock, how many times those of the
search without a condition that is, and the share of the 10 nearest that meet it which was found.
"""
import argparse
import os
import sqlite3
import statistics
import tempfile
import time

import numpy

import aims
import nearest
import shapes

K = 10
OPTIONS = ("quantize = 'none'", "quantize = 'bit'", "quantize = 'bit', partitions = 'auto'")
MOST_TIMES, LEAST_RECALL = 1.5, 0.95

# A share of the rows, its column, what that is (0: the row meets the condition), of a hash of the
# id, so that no block has more of them; whether there is an aim for it.
SHARES = (("all rows", "all", "0", False), ("90 %", "most", "{} % 10 = 0", True),
          ("10 %", "some", "{} % 10", True), ("1 %", "few", "{} % 100", True),
          ("1 in 10,000", "rare", "{} % 10000", False))
HASH = "(i * 2654435761 >> 7)"


def connect(library, path):
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(os.path.splitext(os.path.abspath(library))[0])
    db.execute("PRAGMA journal_mode = off")
    return db


def fill_content(db, rows, width):
    columns = ", ".join(f"share_{name} INT, served_{name} INT" for _, name, _, _ in SHARES)
    db.execute(f"CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, {columns})")
    values = ", ".join(f"{value.format(HASH)}, {value.format(HASH)}" for _, _, value, _ in SHARES)
    db.execute("WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1) "
               f"INSERT INTO docs SELECT i, hex(randomblob(?)), {values} FROM n",
               (rows, width // 2))
    for _, name, _, _ in SHARES:
        db.execute(f"CREATE INDEX docs_{name} ON docs(served_{name})")


def fill_index(db, options, rows):
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body', "
               f"dimensions = {rows.shape[1]}, {options})")
    db.execute("BEGIN")
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   ((i, row.tobytes()) for i, row in enumerate(rows)))
    db.execute("COMMIT")


def measure(db, sql, queries):
    """Milliseconds of the median search, and what each found."""
    found, times = [], []
    for query in queries:
        begun = time.perf_counter()
        found.append([row[0] for row in db.execute(sql, (query.tobytes(),))])
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times), found


def recall(rows, queries, found, meeting):
    """Of the nearest that meet the condition; meeting: their numbers."""
    k = min(K, len(meeting))
    bounds = nearest.kth_best([rows[meeting]], queries, k)
    return nearest.recall(nearest.similarities_of(rows, queries, found), bounds, k)


def compare(db, options, rows, queries, table):
    search = f"SELECT rowid FROM ix WHERE query = ? AND k = {K}"
    for _ in range(2):     # until what is kept in memory is there
        measure(db, search, queries)
    plain, found = measure(db, search, queries)
    of_all = recall(rows, queries, found, numpy.arange(len(rows)))
    print(f"\n{options}: {len(rows):,} x {rows.shape[1]}, k = {K}\n"
          f"{'no condition':32} {plain:8.2f} ms {'':14} recall {of_all:.3f}", flush=True)
    for prefix, how in (("share", ""), ("served", ", an index")):
        for label, name, _, has_aim in SHARES:
            column = f"{prefix}_{name}"
            ids = db.execute(f"SELECT id FROM docs WHERE {column} = 0").fetchall()
            took, found = measure(db, f"{search} AND {column} = 0", queries)
            share = recall(rows, queries, found, numpy.array([row[0] for row in ids]))
            print(f"{label + how:32} {took:8.2f} ms {took / plain:8.2f} times recall {share:.3f}",
                  flush=True)
            if has_aim:
                what = f"{options}: {label}{how}"
                table.note(f"{what}: times", took / plain, MOST_TIMES)
                table.note(f"{what}: recall", share, LEAST_RECALL, True, form="{:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--rows", type=int, default=63666)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--width", type=int, default=1000, help="bytes of a content row")
    parser.add_argument("--options", help="of the index, in place of all above")
    parser.add_argument("--searches", type=int, default=30)
    arguments, table = parser.parse_args(), aims.Aims()
    rows = shapes.skewed(arguments.rows + arguments.searches, arguments.dimensions)
    rows, queries = shapes.split(rows, arguments.searches)
    with tempfile.TemporaryDirectory() as folder:
        db = connect(arguments.library, os.path.join(folder, "filters.db"))
        fill_content(db, len(rows), arguments.width)
        for options in [arguments.options] if arguments.options else OPTIONS:
            fill_index(db, options, rows)
            compare(db, options, rows, queries, table)
            db.execute("DROP TABLE ix")
    table.print()


if __name__ == "__main__":
    main()

"""filter_bench.py LIBRARY [--rows N] [--dimensions N] [--quantize WORD]: searches with conditions.

A content table with wide rows, and an index of it with vectors of its own. Each line is a condition
on a column of the content, without an index and with one, that a share of the rows meets; its
figures are the milliseconds of the median search for the 10 nearest, and how many times those of
the search without a condition that is.
"""
import argparse
import os
import random
import sqlite3
import statistics
import struct
import tempfile
import time

SHARES = (("all rows", 1), ("1 in 10", 10), ("1 in 100", 100), ("1 in 10,000", 10000))


def connect(library, path):
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(os.path.splitext(os.path.abspath(library))[0])
    db.execute("PRAGMA journal_mode = off")
    return db


def vectors(seed, dimensions):
    draw = random.Random(seed)
    noise = [draw.gauss(0, 1) for _ in range(1 << 16)]
    while True:
        start = draw.randrange(len(noise) - dimensions)
        scale = draw.random() + .5
        yield struct.pack(f"<{dimensions}f", *(scale * x for x in noise[start:start + dimensions]))


def fill(db, options):
    """Who meets a condition follows from a hash of the id: no block has more of them."""
    columns = ", ".join(f"share{n} INT, served{n} INT" for _, n in SHARES)
    db.execute(f"CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, {columns})")
    values = ", ".join(f"(i * 2654435761 >> 7) % {n}, (i * 2654435761 >> 7) % {n}"
                       for _, n in SHARES)
    db.execute("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
               f"INSERT INTO docs SELECT i, hex(randomblob(?)), {values} FROM n",
               (options.rows, options.width // 2))
    for _, n in SHARES:
        db.execute(f"CREATE INDEX docs_{n} ON docs(served{n})")
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body', "
               f"dimensions = {options.dimensions}, quantize = '{options.quantize}')")
    db.execute("BEGIN")
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   zip(range(1, options.rows + 1), vectors(1, options.dimensions)))
    db.execute("COMMIT")


def median(db, sql, options):
    drawn, times = vectors(2, options.dimensions), []
    for i in range(options.searches + 1):
        query = next(drawn)
        begun = time.perf_counter()
        rows = db.execute(sql, (query,)).fetchall()
        if i > 0:
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times), len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--rows", type=int, default=63666)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--width", type=int, default=1000, help="bytes of a content row")
    parser.add_argument("--quantize", default="none")
    parser.add_argument("--searches", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = connect(options.library, os.path.join(folder, "filters.db"))
        fill(db, options)
        search = "SELECT rowid FROM ix WHERE query = ? AND k = 10"
        plain, _ = median(db, search, options)
        print(f"{options.rows} rows, {options.dimensions} dimensions, quantize = "
              f"{options.quantize}")
        print(f"{'no condition':32} {plain:8.2f} ms")
        for column, how in (("share", ""), ("served", ", an index")):
            for name, n in SHARES:
                took, found = median(db, f"{search} AND {column}{n} = 0", options)
                print(f"{name + how:32} {took:8.2f} ms {took / plain:8.2f} times, {found} rows",
                      flush=True)


if __name__ == "__main__":
    main()

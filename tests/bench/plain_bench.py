"""plain_bench.py LIBRARY [--vec FILE] [--rows N] [--texts N]: a plain table, and a sync of nothing.

A table of BLOBs ordered by cosine_sim beside sqlite-vec's vec_distance_cosine, in turn: the process
time of the first query of a connection (cold: the file in the system's cache), the median of FIRSTS
connections each, and the median of QUERIES after it. Then syncs that find nothing to do, of so many
texts of 100 characters, the best of three: the second of a process, and the first beside SQLite's
own reading of the texts and of the index's hashes (SELECT max).
"""
import argparse
import os
import random
import sqlite3
import statistics
import struct
import tempfile
import time

import aims
import peers

DIMENSIONS, FIRSTS, QUERIES = 384, 5, 12
SETTINGS = (("default", ""), ("mmap", "mmap_size = 4000000000"), ("cache", "cache_size = -1000000"))
OURS = "cosine_sim(v, ?1) DESC"
PEER = "vec_distance_cosine(v, ?1)"


def connect(path, *libraries):
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    for library in libraries:
        db.load_extension(library)
    return db


def vector(draw, dimensions):
    return struct.pack(f"<{dimensions}f", *[draw.gauss(0, 1) for _ in range(dimensions)])


def milliseconds(db, sql, *values):
    start = time.process_time()
    db.execute(sql, values).fetchall()
    return (time.process_time() - start) * 1000


def fill_vectors(path, rows):
    db, draw = sqlite3.connect(path), random.Random(1)
    noise = [vector(draw, DIMENSIONS) for _ in range(1000)]
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
    db.executemany("INSERT INTO t(v) VALUES (?)", (
        (noise[i % 1000][4 * (i // 1000 % DIMENSIONS):] + noise[(i + 1) % 1000]
         [:4 * (i // 1000 % DIMENSIONS)],) for i in range(rows)))
    db.commit()
    db.close()


def order_by(path, library, setting, order, query):
    """The first query of a connection, and the median of those after it."""
    db = connect(path, library)
    if setting:
        db.execute("PRAGMA " + setting).fetchall()
    sql = f"SELECT id FROM t ORDER BY {order} LIMIT 25"
    first, *warm = [milliseconds(db, sql, query) for _ in range(1 + QUERIES)]
    db.close()
    return first, statistics.median(warm)


def plain_table(path, library, peer, rows, table):
    fill_vectors(path, rows)
    query = vector(random.Random(2), DIMENSIONS)
    for name, setting in SETTINGS:
        pairs = [(order_by(path, library, setting, OURS, query),
                  order_by(path, peer, setting, PEER, query)) for _ in range(FIRSTS)]
        (first, warm), (peer_first, peer_warm) = [
            [statistics.median(run[i] for run in side) for i in (0, 1)] for side in zip(*pairs)]
        print(f"plain table, {rows:,} x {DIMENSIONS}, {name}: first {first:.1f}, then {warm:.1f}; "
              f"sqlite-vec {peer_first:.1f}, {peer_warm:.1f} ms", flush=True)
        table.note(f"plain table, {name}, cold: times faster than sqlite-vec", peer_first / first,
                   1, True)
        if setting:
            table.note(f"plain table, {name}, warm: times faster than sqlite-vec",
                       peer_warm / warm, 2.5, True)


def fill_texts(path, library, rows):
    db, draw = connect(path, library), random.Random(1)
    words = [f"w{i}" for i in range(5000)]
    db.execute("PRAGMA synchronous = OFF")
    db.execute("CREATE TABLE texts(id INTEGER PRIMARY KEY, text)")
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'texts', text = 'text', "
               "dimensions = 8)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO texts(text) VALUES (?)", (
        (" ".join(draw.choices(words, k=22))[:99] + "x",) for _ in range(rows)))
    own = vector(draw, 8)
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   ((i, own) for i in range(1, rows + 1)))
    db.execute("COMMIT")
    db.close()


def best(path, library, *statements):
    """Of the last of these statements in a process's own connection."""
    times = []
    for _ in range(3):
        db = connect(path, library)
        times.append([milliseconds(db, sql) for sql in statements][-1])
        db.close()
    return min(times) / 1000


def syncs(path, library, rows, table):
    fill_texts(path, library, rows)
    function, command = "SELECT * FROM semantic_sync('ix')", "INSERT INTO ix(ix) VALUES ('sync')"
    for sync in (function, command):
        again = best(path, library, sync, sync)
        table.note(f"2nd {sync[:34]}", again, .3, unit=" s")
    first = best(path, library, function)
    read = (best(path, library, "SELECT max(text) FROM texts")
            + best(path, library, "SELECT max(hash) FROM ix_rows"))
    table.note("1st of a process", first, .3, unit=" s")
    print(f"it takes {first / read:.2f} times what SQLite takes to read texts and hashes, "
          f"{read:.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", metavar="LIBRARY")
    parser.add_argument("--vec", help="the library of sqlite-vec; default: as npm has it")
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--texts", type=int, default=1000000)
    options = parser.parse_args()
    library = os.path.abspath(options.library)
    if options.vec is None:
        peers.install()
    peer = options.vec or peers.libraries().get("sqlite-vec")
    table = aims.Aims()
    with tempfile.TemporaryDirectory() as folder:
        if peer is None:
            print("sqlite-vec is not installed")
        else:
            plain_table(os.path.join(folder, "plain.db"), library, os.path.abspath(peer),
                        options.rows, table)
        syncs(os.path.join(folder, "texts.db"), library, options.texts, table)
    table.print()


if __name__ == "__main__":
    main()

"""warm_bench.py LIBRARY [--rows N] [--dimensions N] [--quantize WORD]: searches of a cold process.

A process that has just opened an index searches it, or writes a row and searches it, again and
again. Each line is a pattern; its figures are the milliseconds of the first searches one after the
other, each the median of as many processes as --processes says, and the megabytes that the process
grew by until after the first and after the last.
"""
import argparse
import os
import random
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import time

SEARCHES = 10
PATTERNS = ("search", "write, search", "search, write elsewhere")


def connect(library, path):
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(os.path.splitext(os.path.abspath(library))[0])
    db.execute("PRAGMA journal_mode = wal")
    db.execute("PRAGMA synchronous = off")
    return db


def vectors(seed, dimensions):
    draw = random.Random(seed)
    noise = [draw.gauss(0, 1) for _ in range(1 << 16)]
    while True:
        start = draw.randrange(len(noise) - dimensions)
        scale = draw.random() + .5
        yield struct.pack(f"<{dimensions}f", *(scale * x for x in noise[start:start + dimensions]))


def fill(db, options):
    db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index(dimensions = {options.dimensions}, "
               f"quantize = '{options.quantize}')")
    db.execute("BEGIN")
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   zip(range(1, options.rows + 1), vectors(1, options.dimensions)))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cold(options):
    """The part of a process: prints its times, and what it grew by."""
    db, drawn = connect(options.library, options.cold), vectors(2, options.dimensions)
    other = connect(options.library, options.cold) if "elsewhere" in options.pattern else db
    before, times = resident(), []
    for i in range(SEARCHES):
        if "write" in options.pattern and (i > 0 or other is db):
            other.execute("REPLACE INTO ix(rowid, embedding) VALUES (?, ?)", (17, next(drawn)))
        query = next(drawn)
        begun = time.perf_counter()
        db.execute("SELECT rowid FROM ix(?, 10)", (query,)).fetchall()
        times.append((time.perf_counter() - begun) * 1000)
        if i == 0:
            times.append(resident() - before)
    print(*times, resident() - before)


def measure(options, path, pattern):
    runs = [list(map(float, subprocess.run(
        [sys.executable, "-B", __file__, options.library, "--cold", path, "--pattern", pattern,
         "--dimensions", str(options.dimensions)],
        check=True, stdout=subprocess.PIPE, text=True).stdout.split()))
        for _ in range(options.processes)]
    times = list(map(statistics.median, zip(*runs)))
    grown = times.pop(1), times.pop()
    print(f"{pattern:24}", " ".join(f"{t:6.1f}" for t in times),
          "   MB %.0f, %.0f" % grown, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--quantize", default="none")
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--cold", help=argparse.SUPPRESS)
    parser.add_argument("--pattern", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cold:
        cold(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "warm.db")
        db = connect(options.library, path)
        fill(db, options)
        db.close()
        for pattern in PATTERNS:
            measure(options, path, pattern)


if __name__ == "__main__":
    main()

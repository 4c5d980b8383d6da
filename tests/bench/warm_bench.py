"""warm_bench.py LIBRARY [--rows N] [--dimensions N] [--quantize WORD] [--aims] [--cpu]: searches of
a cold process.

A process that has just opened an index searches it, or writes a row and searches it, again and
again. Each line is a pattern; its figures are the milliseconds of the first searches one after the
other, each the median of as many processes as --processes says, and the megabytes that the process
grew by until after the first and after the last.

--aims: of each way to keep vectors, and of an index with words (100,000 rows of 100 words, asked
for five of them), what is aimed at: the first search of a process beside reading the file's bytes
by read(), a MB at a time, which takes turns with it, also where it has written a row before, which
is in the write-ahead log; a search after a write, its own or another connection's, beside one
without; and the search that fills the memory beside one that does not.
With --cpu the processor's time of all threads, on a machine that has other work.
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

import words_asking
import words_bench
from aims import Aims

SEARCHES = 24  # until all blocks are in memory, and beside each what searches derive of it
QUESTION = "w50 w80 w500 w3000 w20000"
PATTERNS = ("search", "write, search", "search, write elsewhere")

# Ways to keep vectors, and what is aimed at: times of read(), times of a search without a write,
# times of a search that fills nothing.
WAYS = (("exact", ""), ("int8", ", quantize = 'int8'"), ("bit", ", quantize = 'bit'"),
        ("storage int8", ", storage = 'int8'"), ("words", None))
AIM_READ, AIM_WRITE, AIM_FILL = 1.2, 1.2, 1.1


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
    db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index(dimensions = {options.dimensions}"
               f"{options.way})")
    db.execute("BEGIN")
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   zip(range(1, options.rows + 1), vectors(1, options.dimensions)))
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def fill_words(db, options):
    words_asking.fill(db, words_bench.texts, options.rows)
    db.execute("DROP TABLE alone")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def write(db, options, i, vector):
    if not options.words:
        db.execute("REPLACE INTO ix(rowid, embedding) VALUES (?, ?)", (17, vector))
        return
    db.execute("UPDATE docs SET body = ? WHERE id = 17", (f"w50 w3000 w{i} {time.time_ns()}",))
    db.execute("REPLACE INTO ix(rowid) VALUES (17)")


def read_bytes(options):
    """Milliseconds that reading a file takes; prints them."""
    buffer, file = bytearray(1 << 20), os.open(options.read, os.O_RDONLY)
    os.readv(file, [buffer])
    os.lseek(file, 0, os.SEEK_SET)
    begun = options.clock()
    while os.readv(file, [buffer]) > 0:
        pass
    print((options.clock() - begun) * 1000)


def cold(options):
    """The part of a process: prints its times, and what it grew by."""
    db, drawn = connect(options.library, options.cold), vectors(2, options.dimensions)
    other = connect(options.library, options.cold) if "elsewhere" in options.pattern else db
    before, times = resident(), []
    for i in range(SEARCHES):
        if "write" in options.pattern and (i > 0 or other is db):
            write(other, options, i, next(drawn))
        query = QUESTION if options.words else next(drawn)
        begun = options.clock()
        db.execute("SELECT rowid FROM ix(?, 10)", (query,)).fetchall()
        times.append((options.clock() - begun) * 1000)
        if i == 0:
            times.append(resident() - before)
    print(*times, resident() - before)


def run(options, *arguments):
    """The figures that a process of its own prints."""
    command = [sys.executable, "-B", __file__, options.library, "--dimensions",
               str(options.dimensions), *arguments]
    command += ["--cpu"] * options.cpu + ["--words"] * options.words
    return list(map(float, subprocess.run(command, check=True, stdout=subprocess.PIPE,
                                          text=True).stdout.split()))


def measure(options, path, pattern):
    runs = [run(options, "--cold", path, "--pattern", pattern) for _ in range(options.processes)]
    times = list(map(statistics.median, zip(*runs)))
    grown = times.pop(1), times.pop()
    print(f"{pattern:24}", " ".join(f"{t:6.1f}" for t in times),
          "   MB %.0f, %.0f" % grown, flush=True)


def compare(options):
    table = Aims()

    def tell(name, what, time, base, aim):
        print(f"{name:14} {what:44} {time:7.1f} ms, {time / base:5.2f} times {base:7.1f}",
              flush=True)
        table.note(f"{name}: {what}", time / base, aim)

    for name, way in WAYS:
        options.way, options.words = way, way is None
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "warm.db")
            db = connect(options.library, path)
            (fill_words if options.words else fill)(db, options)
            db.close()
            reads, firsts, fills, written = [], [], [], []
            for _ in range(options.processes):
                reads += run(options, "--read", path)
                times = run(options, "--cold", path, "--pattern", "search")
                firsts.append(times[0])
                written.append(run(options, "--cold", path, "--pattern", PATTERNS[1])[0])
                fills.append(times[2] / times[0])
            tell(name, "first search, times read() of the file", statistics.median(firsts),
                 statistics.median(reads), AIM_READ)
            tell(name, "first search after a write, times read()",
                 statistics.median(written), statistics.median(reads), AIM_READ)
            tell(name, "second search, which fills, times the first",
                 statistics.median(fills) * statistics.median(firsts), statistics.median(firsts),
                 AIM_FILL)
            warm = statistics.median(times[-4:-1])
            for pattern in PATTERNS[1:]:
                after = statistics.median(run(options, "--cold", path, "--pattern", pattern)[-4:-1])
                tell(name, f"{pattern}, times a search", after, warm, AIM_WRITE)
    table.print()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--quantize", default="none")
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--aims", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--words", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--cold", help=argparse.SUPPRESS)
    parser.add_argument("--pattern", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.way = f", quantize = '{options.quantize}'"
    options.clock = time.process_time if options.cpu else time.perf_counter
    if options.read:
        read_bytes(options)
        return
    if options.cold:
        cold(options)
        return
    if options.aims:
        compare(options)
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

"""words_bench.py LIBRARY [--rows N,N] [--searches N] [--cpu] [--writing N,N]: words beside FTS5.

Rows of about 100 made-up words whose frequencies fall as those of a language do (Zipf), and queries
of five of them (words_asking.py).

Before that what it takes to write an index (words_writing.py): the first sync of so many documents
and rows of 100 characters, new rows, and bytes, each beside what it aims at.
"""
import argparse
import itertools
import os
import random
import tempfile
import time

import aims
import words_asking
import words_writing
from filter_bench import connect

VOCABULARY = 200000

# By the place of a word among all: the first is in nearly all rows, the 12th in half of them, the
# 80th in a tenth, the 500th in one of 60, the 20,000th in one of 2500.
QUERIES = (("a tenth of the rows", (50, 80, 500, 3000, 20000)),
           ("a question", (1, 3, 12, 500, 5000)),
           ("a fifth of the rows", (31, 33, 35, 37, 39)),
           ("rare words", (1000, 2000, 5000, 10000, 20000)))


def texts(n):
    draw = random.Random(1)
    words = [f"w{i + 1}" for i in range(VOCABULARY)]
    weights = list(itertools.accumulate(1 / (i + 1) for i in range(VOCABULARY)))
    for _ in range(n):
        yield " ".join(draw.choices(words, cum_weights=weights, k=draw.randint(50, 150)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--rows", default="100000,1000000")
    parser.add_argument("--searches", type=int, default=9)
    parser.add_argument("--cpu", action="store_true",
                        help="the processor's time, on a machine that has other work")
    parser.add_argument("--writing", default="100000,1000000",
                        help="documents and short rows of a first sync; '': none")
    parser.add_argument("--translations", default="build/translations",
                        help="where package descriptions lie, or apt is to put them")
    options = parser.parse_args()
    table = aims.Aims()
    if options.writing:
        n, n_short = map(int, options.writing.split(","))
        with tempfile.TemporaryDirectory() as folder:
            words_writing.measure(folder, options.library, texts, n, n_short, options.translations,
                                  table)
    clock = time.process_time if options.cpu else time.perf_counter
    for n in map(int, filter(None, options.rows.split(","))):
        with tempfile.TemporaryDirectory() as folder:
            db = connect(options.library, os.path.join(folder, "words.db"))
            db.execute("PRAGMA synchronous = off")
            begun = time.perf_counter()
            words_asking.fill(db, texts, n)
            print(f"{n:,} rows, written in {time.perf_counter() - begun:.0f} s")
            queries = [(name, [f"w{place}" for place in places]) for name, places in QUERIES]
            words_asking.measure(db, n, queries, options.searches, clock, table)
            db.close()
    table.print()


if __name__ == "__main__":
    main()

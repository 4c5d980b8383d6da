"""words_bench.py LIBRARY [--rows N,N] [--searches N] [--cpu] [--writing N,N]: words beside FTS5.

Rows of about 100 words whose frequencies fall as those of a language do (Zipf). Each line is a
query of five words: the milliseconds of the median search for the 100 best rows by the words alone
(weight = 0) of an index with words, of FTS5's own `MATCH 'a OR b OR c OR d OR e' ORDER BY rank
LIMIT 100` on the same words, and the ratio. The two take turns. In the brackets is how many of the
100 rows both found.

Before that what it takes to write an index (words_writing.py): the first sync of so many documents
and rows of 100 characters, new rows, and bytes, each beside what it aims at.
"""
import argparse
import itertools
import os
import random
import statistics
import struct
import tempfile
import time

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


def fill(db, n):
    """Vectors of the rows are the user's own: nothing but words takes time."""
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT)")
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body', "
               "dimensions = 8, lexical = 'fts5')")
    vector = struct.pack("<8f", *[1] * 8)
    db.execute("BEGIN")
    db.executemany("INSERT INTO docs VALUES (?, ?)", enumerate(texts(n), 1))
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   ((i, vector) for i in range(1, n + 1)))
    db.execute("COMMIT")


def measure(db, words, n_searches, clock):
    ours = "SELECT rowid FROM ix WHERE query = ? AND k = 100 AND weight = 0"
    theirs = "SELECT rowid FROM ix_fts WHERE ix_fts MATCH ? ORDER BY rank LIMIT 100"
    times, found = ([], []), [None, None]
    for _ in range(n_searches):
        for i, (sql, query) in enumerate(((ours, " ".join(words)), (theirs, " OR ".join(words)))):
            begun = clock()
            found[i] = {row for row, in db.execute(sql, (query,))}
            times[i].append((clock() - begun) * 1000)
    return [statistics.median(t) for t in times], len(found[0] & found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--rows", default="100000,1000000")
    parser.add_argument("--searches", type=int, default=5)
    parser.add_argument("--cpu", action="store_true",
                        help="the processor's time, on a machine that has other work")
    parser.add_argument("--writing", default="100000,1000000",
                        help="documents and short rows of a first sync; '': none")
    parser.add_argument("--translations", default="build/translations",
                        help="where package descriptions lie, or apt is to put them")
    options = parser.parse_args()
    if options.writing:
        n, n_short = map(int, options.writing.split(","))
        with tempfile.TemporaryDirectory() as folder:
            words_writing.measure(folder, options.library, texts, n, n_short, options.translations)
    clock = time.process_time if options.cpu else time.perf_counter
    for n in map(int, filter(None, options.rows.split(","))):
        with tempfile.TemporaryDirectory() as folder:
            db = connect(options.library, os.path.join(folder, "words.db"))
            db.execute("PRAGMA synchronous = off")
            begun = time.perf_counter()
            fill(db, n)
            print(f"{n:,} rows, written in {time.perf_counter() - begun:.0f} s")
            for name, places in QUERIES:
                words = [f"w{place}" for place in places]
                (ours, theirs), both = measure(db, words, options.searches, clock)
                print(f"  {name:20} {ours:8.2f} ms   FTS5 {theirs:8.2f} ms   {theirs / ours:5.1f} "
                      f"times [{both}]", flush=True)
            db.close()


if __name__ == "__main__":
    main()

"""limits_bench.py LIBRARY [--rows N,N] [--searches N]: how far one file goes.

Documents of about 100 made-up words (words_bench.py), in an index of words and meaning and in one
of vectors alone with quantize = 'bit' and partitions = 'auto'. Of each: the processor's time of the
first sync, bytes of the file, of a query, and of one row written by a transaction of its own while
nothing else runs. Queries a second are those that two processors have time for: two seconds of
processor in a second, by the median of the searches' own. So the figures hold on a machine that
has other work, and for readers in processes of their own, which share nothing that is written.
"""
import argparse
import os
import random
import statistics
import tempfile
import time

from filter_bench import connect
from words_bench import texts

PROCESSORS = 2
PLACES = (50, 80, 500, 3000, 20000)  # of the words of a query, by how frequent they are
INDEXES = (("words and meaning", ""),
           ("vectors, in partitions", "lexical = 'none', quantize = 'bit', partitions = 'auto'"))


def spent(run):
    """Seconds of the processor, of all threads."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def query_of(draw):
    return " ".join(f"w{place + draw.randrange(place)}" for place in PLACES)


def measure(db, path, options, n, n_searches):
    draw = random.Random(2)
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body'"
               + (", " + options if options else "") + ")")
    sync = spent(lambda: db.execute("INSERT INTO ix(ix) VALUES ('sync')"))
    db.execute("PRAGMA wal_checkpoint(truncate)")
    size = os.path.getsize(path)
    search = "SELECT rowid, rank FROM ix WHERE query = ? AND k = 10"
    for _ in range(10):  # until all is in memory
        db.execute(search, (query_of(draw),)).fetchall()
    query = statistics.median(
        spent(lambda text=query_of(draw): db.execute(search, (text,)).fetchall())
        for _ in range(n_searches))
    writes = [(n + i, text) for i, text in enumerate(texts(100), 1)]

    def write():
        for row in writes:
            db.execute("BEGIN")
            db.execute("INSERT INTO docs VALUES (?, ?)", row)
            db.execute("INSERT INTO ix(rowid) VALUES (?)", row[:1])
            db.execute("COMMIT")

    written = spent(write) / len(writes)
    db.execute("DELETE FROM docs WHERE id > ?", (n,))
    db.execute("DROP TABLE ix")
    return sync, size, query, written


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--rows", default="10000,100000,1000000")
    parser.add_argument("--searches", type=int, default=99)
    options = parser.parse_args()
    for n in map(int, options.rows.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "limits.db")
            db = connect(options.library, path)
            db.execute("PRAGMA journal_mode = wal")
            db.execute("PRAGMA synchronous = off")
            db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT)")
            db.execute("BEGIN")
            db.executemany("INSERT INTO docs VALUES (?, ?)", enumerate(texts(n), 1))
            db.execute("COMMIT")
            db.execute("PRAGMA wal_checkpoint(truncate)")
            content = os.path.getsize(path)
            print(f"{n:,} rows, {content / 1e6:,.0f} MB of content")
            for name, create in INDEXES:
                sync, size, query, written = measure(db, path, create, n, options.searches)
                print(f"  {name}: {(size - content) / n:,.0f} bytes a row; sync {sync:,.1f} s; "
                      f"query {query * 1000:.2f} ms, {PROCESSORS / query:,.0f} a second; "
                      f"a row written {written * 1000:.2f} ms", flush=True)
                db.execute("VACUUM")
                db.execute("PRAGMA wal_checkpoint(truncate)")
            db.close()


if __name__ == "__main__":
    main()

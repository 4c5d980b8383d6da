"""file_bench.py LIBRARY [BEFORE] [--rows N]: what an index takes of the file, and a row of the log.

First, on Linux, bytes written to file and log for 200,000 rows of 384 dimensions by bits and
partitions, in transactions of 10,000. Then:

63,666 vectors of 704 dimensions, or N: bytes of the file beside those of the vectors and codes that
are kept; bytes of a write-ahead log for rows of a transaction each, 20 of them and, with all that
is put off, 200; and the processor's time of 100 vectors read by their ids, beside the library
BEFORE. Then what each storage loses: recall, and the largest error of a cosine. Needs numpy.
"""
import argparse
import os
import sqlite3
import statistics
import tempfile
import time

import numpy as np

import aims

DIMENSIONS = 704
RAW = 4 * DIMENSIONS
KINDS = (("", RAW), (", quantize='bit'", RAW + DIMENSIONS / 8),
         (", quantize='int8'", RAW + DIMENSIONS),
         (", quantize='bit', partitions='auto'", RAW + DIMENSIONS / 8),
         (", storage='float16'", RAW / 2), (", storage='int8'", RAW / 4))
AIM_OF_FILE, AIM_OF_LOG = 1.05, 12  # the log in KiB


def connect(library, path):
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(library)
    return db


def written():
    with open("/proc/self/io", encoding="ascii") as file:
        return int(dict(line.split(": ") for line in file)["wchar"])


def bulk(library, n=200000, together=10000):
    """Bytes written for each row, and of the file in the end."""
    draw = np.random.default_rng(3)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bulk.db")
        db = connect(library, path)
        db.execute("PRAGMA journal_mode = wal")
        db.execute("PRAGMA synchronous = normal")
        db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(dimensions = 384, "
                   "quantize = 'bit', partitions = 'auto')")
        before = written()
        for first in range(1, n, together):
            db.execute("BEGIN")
            put(db, clustered(draw, together, 384), first)
            db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(truncate)")
        bytes_ = (written() - before) / n, os.path.getsize(path) / n
        db.close()
    return bytes_


def put(db, rows, first=1):
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   ((first + i, row.tobytes()) for i, row in enumerate(rows)))


def make(library, folder, options, rows):
    path = os.path.join(folder, f"file{time.monotonic_ns()}.db")
    db = connect(library, path)
    db.execute("PRAGMA journal_mode = wal")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA synchronous = off")
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index("
               f"dimensions = {rows.shape[1]}{options})")
    db.execute("BEGIN")
    put(db, rows)
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(truncate)")
    return db, path


def log_bytes(db, path, rows, first):
    log = path + "-wal"
    before = os.path.getsize(log)
    for i, row in enumerate(rows):
        put(db, [row], first + i)
    return (os.path.getsize(log) - before) / len(rows)


def fetch_us(db, n):
    ids = np.random.default_rng(5).integers(1, n, (9, 100)).tolist()
    times = []
    for some in ids:
        begun = time.process_time()
        for id in some:
            db.execute("SELECT embedding FROM ix WHERE rowid = ?", (id,)).fetchone()
        times.append(time.process_time() - begun)
    return statistics.median(times) * 1e6


def measure(library, options, payload, rows, more):
    """Of the file, times vectors and codes; KiB of the log of a row, and in the long run;
    microseconds of 100 rows that are fetched. None: the library has no such storage."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            db, path = make(library, folder, options, rows)
        except sqlite3.OperationalError:
            return None
        ratio = os.path.getsize(path) / (len(rows) * payload)
        few = log_bytes(db, path, more[:20], len(rows) + 1) / 1024
        all_of_it = log_bytes(db, path, more[20:], len(rows) + 21) / 1024
        fetched = fetch_us(db, len(rows))
        db.close()
    return ratio, few, all_of_it, fetched


def words(figures):
    return "there was none" if figures is None else (
        "file {:.3f} of vectors and codes, log {:.1f} KiB a row, {:.1f} in the long run, 100 rows "
        "fetched in {:.0f} us".format(*figures))


def clustered(draw, n, dimensions):
    widths = np.linspace(1, 0.05, dimensions)
    centres = draw.standard_normal((200, dimensions)) * widths
    rows = centres[draw.integers(0, 200, n)]
    return (rows + 0.5 * draw.standard_normal((n, dimensions)) * widths).astype("f4")


def nearest(similarities, k):
    return set(np.argsort(-similarities, kind="stable")[:k].tolist())


def losses(library, name, rows, queries):
    unit = rows.astype("f8") / np.linalg.norm(rows.astype("f8"), axis=1)[:, None]
    for storage in ("float32", "float16", "int8"):
        db = connect(library, ":memory:")
        db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index(dimensions = {rows.shape[1]}, "
                   f"storage = '{storage}')")
        db.execute("BEGIN")
        put(db, rows)
        db.execute("COMMIT")
        recalls, error = {10: [], 25: []}, 0.0
        for query in queries:
            exact = unit @ (query.astype("f8") / np.linalg.norm(query.astype("f8")))
            found = dict(db.execute("SELECT rowid, similarity FROM ix(?, ?)",
                                    (query.tobytes(), len(rows))))
            kept = np.array([found[i + 1] for i in range(len(rows))])
            error = max(error, float(np.abs(kept - exact).max()))
            for k, recall in recalls.items():
                recall.append(len(nearest(exact, k) & nearest(kept, k)) / k)
        print(f"{name}, {storage}: recall@10 {statistics.mean(recalls[10]):.4f}, @25 "
              f"{statistics.mean(recalls[25]):.4f}; largest error of a cosine {error:.1g}",
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("before", nargs="?")
    parser.add_argument("--rows", type=int, default=63666)
    options = parser.parse_args()
    table, draw = aims.Aims(), np.random.default_rng(1)
    rows = draw.standard_normal((options.rows + 220, DIMENSIONS), dtype="f4")
    library = os.path.abspath(options.library)
    for each in (library, options.before) if os.path.exists("/proc/self/io") else ():
        if each is not None:
            print("{}: {:.0f} bytes written a row of 384 dimensions, {:.0f} of the file".format(
                each, *bulk(os.path.abspath(each))), flush=True)
    for kind, payload in KINDS:
        name = kind.lstrip(", ") or "float32"
        figures = measure(library, kind, payload, rows[:options.rows], rows[options.rows:])
        print(f"{name}: {words(figures)}", flush=True)
        table.note(f"{name}: file, times vectors and codes", figures[0], AIM_OF_FILE,
                   form="{:.3f}")
        table.note(f"{name}: log of a row", figures[1], AIM_OF_LOG, unit=" KiB", form="{:.1f}")
        if options.before is not None:
            before = measure(os.path.abspath(options.before), kind, payload, rows[:options.rows],
                             rows[options.rows:])
            print(f"    before: {words(before)}", flush=True)
    sample = clustered(draw, 10000, 384)
    queries = sample[draw.integers(0, 10000, 100)] + 0.02 * draw.standard_normal((100, 384))
    losses(library, "384 in clusters", sample, queries.astype("f4"))
    losses(library, "704, uniform", rows[:10000], rows[-100:])
    table.print()


if __name__ == "__main__":
    main()

"""exact_bench.py: searches of all rows beside a scan of all bytes, and the aims.

Each line is an index in memory: the milliseconds of the median search for the 25 nearest, warm,
when its blocks have sketches (ext/index/sketch.h) and when memory_budget has no room for them, the
bytes that each keeps, the searches that made the sketches and what they took together beyond as
many later ones; and how many times a plain read of the vectors' bytes by two threads
(read_bench.c). `cpu`: the same in processor time, which says more on a busy machine; the read's is
not taken. Answers are compared: ids, order and similarities must be the same to the last bit.

Shapes are those of shapes.py; text is Cranfield's and CISI's documents and queries below
RERANK_SHARED, cut into windows of 12 words, embedded by builtin:static.
"""
import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import time

import numpy

import aims
import index_bench
import machine
import shapes

K, MAKING = 25, 24
READ, FULL = "read", "full scan"
# shape, options, dimensions, the other figure, and at most so many times that
AIMS = (("even", "", (384, 768), READ, 0.5),
        ("text", "", (384,), READ, 0.5),
        ("noise", "", (384, 768), FULL, 1.1),
        ("even", ", storage = 'int8'", (384,), FULL, 0.5),
        ("even", ", quantize = 'int8'", (384,), FULL, 0.5))


def windows(rows):
    """Different windows of 12 words of the judged collections; fewer than `rows` if they end."""
    folder, seen = os.path.join(os.environ.get("RERANK_SHARED", ""), "eval"), {}
    for where, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if not name.endswith(".jsonl"):
                continue
            with open(os.path.join(where, name), encoding="utf-8") as file:
                for line in file:
                    words = " ".join(str(value) for value in json.loads(line).values()).split()
                    for start in range(0, max(len(words) - 6, 1), 3):
                        seen[" ".join(words[start:start + 12])] = None
                        if len(seen) == rows:
                            return list(seen)
    return list(seen)


def connect(library):
    db = sqlite3.connect("", isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(os.path.splitext(os.path.abspath(library))[0])
    return db


def embedded(library, rows):
    db, found = connect(library), []
    for text in windows(rows):
        blob = db.execute("SELECT embed(?, 'builtin:static')", (text,)).fetchone()[0]
        if blob is not None:
            found.append(numpy.frombuffer(blob, numpy.float32))
    found = numpy.array(found, numpy.float32).reshape(len(found), -1)
    return found[shapes.draw_of("exact").permutation(len(found))]


def build(library, path, rows, options):
    db = connect(library)
    db.execute("ATTACH ? AS f", (path,))
    db.execute("PRAGMA f.journal_mode = off")
    db.execute("PRAGMA f.synchronous = off")
    db.execute(f"CREATE VIRTUAL TABLE f.ix USING semantic_index(dimensions = {rows.shape[1]}"
               f"{options})")
    db.execute("BEGIN")
    db.executemany("INSERT INTO f.ix(rowid, embedding) VALUES (?, ?)",
                   ((i + 1, row.tobytes()) for i, row in enumerate(rows)))
    db.execute("COMMIT")
    db.close()


def ask(db, query):
    cpu, begun = time.process_time(), time.perf_counter()
    rows = db.execute("SELECT rowid, similarity FROM f.ix(?, ?)", (query.tobytes(), K)).fetchall()
    return time.perf_counter() - begun, time.process_time() - cpu, rows


def measure(library, path, queries, budget):
    """Medians of wall and processor time in ms, what making took in ms, and the answers."""
    db = connect(library)
    db.execute("SELECT rerank_config('memory_budget', ?)", (budget,))
    db.execute("ATTACH ? AS f", (path,))
    first = [ask(db, queries[0])[0] for _ in range(MAKING)]
    runs = [ask(db, query) for _ in range(3) for query in queries]
    wall, cpu = (statistics.median(run[i] for run in runs) * 1e3 for i in (0, 1))
    db.close()
    making = sum(first[2:]) * 1e3 - wall * len(first[2:])
    return wall, cpu, making, [rows for _, _, rows in runs]


def compare(library, folder, rows, queries, options):
    path = os.path.join(folder, "exact.db")
    if os.path.exists(path):
        os.remove(path)
    build(library, path, rows, options)
    per_row = {"": 4 * rows.shape[1], ", storage = 'int8'": rows.shape[1] + 4,
               ", quantize = 'int8'": rows.shape[1] + 12}[options]
    # Some bytes less than the blocks and sketches of all rows have: then none are made.
    tight = len(rows) * (8 + per_row + (rows.shape[1] + 127) // 128 * 64 + 12)
    full = measure(library, path, queries, tight)
    mine = measure(library, path, queries, 1 << 40)
    os.remove(path)
    return mine, full, mine[3] == full[3]


def line(what, mine, full, read):
    print(f"{what:<44}{mine[0]:>8.2f}{full[0]:>10.2f}{read:>8.2f}{mine[0] / full[0]:>8.2f}"
          f"{mine[0] / read:>8.2f}{mine[1]:>9.2f}{full[1]:>9.2f}{mine[2]:>9.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", metavar="LIBRARY")
    parser.add_argument("--rows", default="100000,1000000")
    parser.add_argument("--queries", type=int, default=20)
    arguments = parser.parse_args()
    print(f"{machine.processor()}, k = {K}\n{'':<44}{'sketch':>8}{'full scan':>10}{'read':>8}"
          f"{'/ full':>8}{'/ read':>8}{'cpu':>9}{'full cpu':>9}{'making':>9}")
    table = aims.Aims()
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in map(int, arguments.rows.split(",")):
            for shape, options, widths, other, bound in AIMS:
                for dimensions in widths:
                    wanted = n_rows + arguments.queries
                    rows = embedded(arguments.library, wanted) if shape == "text" else \
                        shapes.SHAPES[shape](wanted, dimensions)
                    if len(rows) <= arguments.queries:
                        print(f"{shape}: RERANK_SHARED has no texts")
                        continue
                    rows, queries = shapes.split(rows, arguments.queries)
                    read = index_bench.read_milliseconds(folder, rows.nbytes)
                    mine, full, is_same = compare(arguments.library, folder, rows, queries, options)
                    what = f"{shape}, {len(rows):,} x {rows.shape[1]}{options}"
                    line(what, mine, full, read)
                    ratio = mine[0] / (read if other == READ else full[0])
                    table.note(f"{what}: of the {other}", ratio if is_same else None, bound,
                               why="" if is_same else "OTHER ANSWERS")
                    del rows
    table.print()


if __name__ == "__main__":
    main()

"""near_bench.py: partitions = 'auto' beside faiss, hnswlib and usearch, and beside the aims.

The same vectors (shapes.py), k and two threads for all; recall of the k nearest by the vectors' own
similarities, a row as near as the k-th counts. Peers come from PyPI by name (--install) into
build/peers-near; one that is not there has no line. ms: the median of single queries, warm, by the
clock: it says little where other work runs. rows/s: from CREATE to COMMIT by the clock.

    near_bench.py LIBRARY                  100,000 x 384, k = 10 and 25
    near_bench.py LIBRARY --reach=1M       1,000,000 x 768, k = 25
    near_bench.py LIBRARY --reach=10M      10,000,000 x 384, k = 25; some 45 GB of disk

With --reach the rows are drawn in blocks and inserted as they are drawn: never all in memory.
"""
import argparse
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEERS = os.path.join(ROOT, "build", "peers-near")
sys.path.insert(1, PEERS)   # faiss wants a newer numpy than a system may have

import numpy

import aims
import shapes
import vectors

OPTIONS = "metric = 'cosine', quantize = 'bit', partitions = 'auto'"
THREADS = 2
TOLERANCE = 1e-6
REACH = {"1M": (1000000, 768, 1.5, 0.98), "10M": (10000000, 384, 10.0, 0.95)}
WANTED_RATE = 20000
MOST_MEGABYTES = 2048


def install():
    for package in ("faiss-cpu", "hnswlib", "usearch"):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        subprocess.run(["pip3", "install", "-q", "--upgrade", "--target", PEERS, "--python-version",
                        version, "--only-binary=:all:", package], check=False)


def kth_best(blocks, queries, k):
    best = numpy.empty((len(queries), 0), numpy.float32)
    for block in blocks:
        both = numpy.hstack([best, queries @ block.T])
        best = numpy.partition(both, max(both.shape[1] - k, 0), axis=1)[:, -k:]
    return best.min(axis=1)


def timed(search, queries):
    """Answers, and the median of milliseconds, of the second time that each is asked."""
    for query in queries:
        search(query)
    answers, times = [], []
    for query in queries:
        begun = time.perf_counter()
        answers.append(search(query))
        times.append(1e3 * (time.perf_counter() - begun))
    return answers, statistics.median(times)


def ours(library, path, blocks, dimensions):
    """The connection, and rows a second without the time of drawing them."""
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(library)
    db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index({OPTIONS}, dimensions={dimensions})")
    seconds, count = 0.0, 0
    for block in blocks:
        begun = time.perf_counter()
        db.execute("BEGIN")
        db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                       ((count + i, row.tobytes()) for i, row in enumerate(block)))
        db.execute("COMMIT")
        seconds += time.perf_counter() - begun
        count += len(block)
    return db, count / seconds


def ask_ours(db, k):
    sql = "SELECT rowid, similarity FROM ix(?, ?)"
    return lambda query: db.execute(sql, (query.tobytes(), k)).fetchall()


def faiss_lists(rows):
    import faiss
    faiss.omp_set_num_threads(THREADS)
    lists = int(2 * len(rows) ** 0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], lists,
                               faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    index.nprobe = max(lists // 32, 1)
    return lambda query, k: index.search(query[None], k)[1][0]


def faiss_graph(rows):
    import faiss
    faiss.omp_set_num_threads(THREADS)
    index = faiss.IndexHNSWFlat(rows.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = 64
    index.add(rows)
    return lambda query, k: index.search(query[None], k)[1][0]


def hnswlib_graph(rows):
    import hnswlib
    index = hnswlib.Index("cosine", rows.shape[1])
    index.init_index(max_elements=len(rows), M=16, ef_construction=100)
    index.set_num_threads(THREADS)
    index.add_items(rows, numpy.arange(len(rows)))
    index.set_ef(64)
    return lambda query, k: index.knn_query(query, k)[0][0]


def usearch_graph(rows):
    from usearch.index import Index
    index = Index(ndim=rows.shape[1], metric="cos", dtype="f32")
    index.add(numpy.arange(len(rows)), rows, threads=THREADS)
    return lambda query, k: index.search(query, k).keys


PEER_KINDS = {"faiss lists, 1 in 32": faiss_lists, "faiss hnsw 16, ef 64": faiss_graph,
              "hnswlib 16, ef 64": hnswlib_graph, "usearch": usearch_graph}


def line(label, k, rate, milliseconds, recall):
    print(f"{label:<44}{k:>4}{rate:>10,.0f}{milliseconds:>9.2f}{recall:>8.3f}", flush=True)


def recall_of(rows, queries, bounds, answers):
    shares = [(rows[numpy.array(found, dtype=numpy.int64)] @ query >= bound - TOLERANCE).mean()
              for query, bound, found in zip(queries, bounds, answers)]
    return float(numpy.mean(shares))


def compare_shape(arguments, name, table):
    if name == "text":
        rows = shapes.text(arguments.rows + arguments.queries, arguments.library, arguments.text)
    else:
        rows = shapes.SHAPES[name](arguments.rows + arguments.queries, arguments.dimensions)
    rows, queries = shapes.split(rows, arguments.queries)
    bounds = {k: kth_best([rows], queries, k) for k in (10, 25)}
    db, rate = ours(arguments.library, "", [rows], rows.shape[1])
    for k in (10, 25):
        answers, milliseconds = timed(ask_ours(db, k), queries)
        recall = recall_of(rows, queries, bounds[k], [[row[0] for row in found]
                                                      for found in answers])
        line(f"{name}, {len(rows):,}: ours", k, rate, milliseconds, recall)
        table.note(f"{name}, k = {k}: recall", recall, 0.95, True, form="{:.3f}")
        table.note(f"{name}, k = {k}: median", milliseconds, 0.5, unit=" ms")
    table.note(f"{name}: built", rate, WANTED_RATE, True, " rows/s", "{:,.0f}")
    db.close()
    for label, make in PEER_KINDS.items():
        begun = time.perf_counter()
        try:
            search = make(rows)
        except ImportError:
            print(f"{name}: {label}: not installed", flush=True)
            continue
        rate = len(rows) / (time.perf_counter() - begun)
        for k in (10, 25):
            answers, milliseconds = timed(lambda query, k=k: search(query, k), queries)
            line(f"{name}: {label}", k, rate, milliseconds,
                 recall_of(rows, queries, bounds[k], answers))


def drawn(rows, dimensions):
    clusters = vectors.Clusters(dimensions)
    for block, start in enumerate(range(0, rows, vectors.BLOCK)):
        yield clusters.draw(vectors.BLOCK, 1, block)[:rows - start]


def joined(blocks, count):
    """As many blocks together: what one transaction writes."""
    waiting = []
    for block in blocks:
        waiting.append(block)
        if len(waiting) == count:
            yield numpy.concatenate(waiting)
            waiting = []
    if waiting:
        yield numpy.concatenate(waiting)


def reach(arguments, folder, table):
    rows, dimensions, milliseconds_wanted, recall_wanted = REACH[arguments.reach]
    rows, dimensions = arguments.rows or rows, arguments.dimensions or dimensions
    k, path = 25, os.path.join(folder, "near.db")
    queries = vectors.Clusters(dimensions).draw(arguments.queries, 2)
    bounds = kth_best(drawn(rows, dimensions), queries, k)
    db, rate = ours(arguments.library, path, joined(drawn(rows, dimensions), 5), dimensions)
    answers, milliseconds = timed(ask_ours(db, k), queries)
    recall = float(numpy.mean([sum(row[1] >= bound - TOLERANCE for row in found) / k
                               for bound, found in zip(bounds, answers)]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    what = f"{rows:,} x {dimensions}, k = {k}"
    line(what, k, rate, milliseconds, recall)
    table.note(f"{what}: recall", recall, recall_wanted, True, form="{:.3f}")
    table.note(f"{what}: median", milliseconds, milliseconds_wanted, unit=" ms")
    table.note(f"{what}: built", rate, WANTED_RATE, True, " rows/s", "{:,.0f}")
    table.note(f"{what}: most memory of the process", peak, MOST_MEGABYTES, unit=" MB",
               form="{:,.0f}")
    table.note(f"{what}: file", os.path.getsize(path) / 1e9, unit=" GB", why="stated")
    db.close()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", metavar="LIBRARY")
    parser.add_argument("--reach", choices=REACH)
    parser.add_argument("--rows", type=int, help="other than said above")
    parser.add_argument("--dimensions", type=int)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--shapes", default=",".join([*shapes.SHAPES, "text"]))
    parser.add_argument("--text", metavar="FOLDER", default="/usr/share/doc")
    parser.add_argument("--folder", help="for the database of --reach; default: a temporary one")
    parser.add_argument("--install", action="store_true", help="the peers, first")
    return parser.parse_args()


def main():
    arguments, table = parse_arguments(), aims.Aims()
    arguments.library = os.path.abspath(arguments.library)
    if arguments.install:
        install()
    print(f"{'':<44}{'k':>4}{'rows/s':>10}{'ms':>9}{'recall':>8}")
    if arguments.reach:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            reach(arguments, folder, table)
    else:
        arguments.rows, arguments.dimensions = arguments.rows or 100000, arguments.dimensions or 384
        for name in arguments.shapes.split(","):
            compare_shape(arguments, name, table)
    table.print()


if __name__ == "__main__":
    main()

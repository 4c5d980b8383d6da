"""near_bench.py: partitions = 'auto' beside faiss, hnswlib and usearch, and beside the aims.

The same vectors (shapes.py), k and two threads for all; recall of the k nearest by the vectors' own
similarities, a row as near as the k-th counts. Peers come from PyPI by name (--install) into
build/peers-near; one that is not there has a line that says why. ms: the median of single queries,
by the clock, after 2000 others that bring into memory what stays there: it says little where other
work runs. rows/s: what writing took, by the clock.

    near_bench.py LIBRARY                  100,000 x 384, k = 10 and 25
    near_bench.py LIBRARY --small          5,000 and 20,000 x 384, with codes and without
    near_bench.py LIBRARY --reach=1M       1,000,000 x 768, k = 25
    near_bench.py LIBRARY --reach=10M      10,000,000 x 384, k = 25; some 45 GB of disk

With --reach the rows are drawn in blocks and inserted as they are drawn: never all in memory. Less
rows show that it works: --reach=10M --rows=100000.
"""
import argparse
import os
import resource
import statistics
import sys
import tempfile
import time

import near_peers
import nearest

import numpy

import aims
import vectors

OPTIONS = "metric = 'cosine', quantize = 'bit', partitions = 'auto'"
REACH = {"1M": (1000000, 768, 1.5, 0.98), "10M": (10000000, 384, 10.0, 0.95)}
WANTED_RATE = 20000
MOST_MEGABYTES = 2048
SMALL = (5000, 20000)
WARMING = 2000
ROUNDS = 7
NOT_SLOWER = 1.05   # what two measurements of one thing differ by


def timed(search, queries, n_before=WARMING):
    """Answers, and the median of milliseconds, after so many searches."""
    for i in range(n_before):
        search(queries[i % len(queries)])
    answers, times = [], []
    for query in queries:
        begun = time.perf_counter()
        answers.append(search(query))
        times.append(1e3 * (time.perf_counter() - begun))
    return answers, statistics.median(times)


def line(label, k, rate, milliseconds, recall):
    print(f"{label:<44}{k:>4}{rate:>10,.0f}{milliseconds:>9.2f}{recall:>8.3f}", flush=True)


def recall_of(rows, queries, bounds, answers, k):
    return nearest.recall(nearest.similarities_of(rows, queries, answers), bounds, k)


def numbers_of(answers):
    return [[row[0] for row in found] for found in answers]


def compare_peers(name, rows, queries, bounds, table):
    for label, make in near_peers.PEERS.items():
        begun = time.perf_counter()
        try:
            search = make(rows)
        except ImportError as problem:
            print(f"{name}: {label}: absent: {problem}", flush=True)
            continue
        rate = len(rows) / (time.perf_counter() - begun)
        for k in (10, 25):
            answers, milliseconds = timed(lambda query, k=k: search(query, k), queries)
            recall = recall_of(rows, queries, bounds[k], answers, k)
            line(f"{name}: {label}", k, rate, milliseconds, recall)
            table.note(f"{name}, k = {k}: {label}", milliseconds, unit=" ms",
                       why=f"a peer, recall {recall:.3f}, {rate:,.0f} rows/s")


def compare_shape(arguments, name, table):
    rows, queries = nearest.drawn(name, arguments)
    bounds = {k: nearest.kth_best([rows], queries, k) for k in (10, 25)}
    db, count, clock = nearest.build(arguments.library, "", OPTIONS, [rows])
    rate = count / clock.seconds
    for k in (10, 25):
        answers, milliseconds = timed(nearest.ask(db, k), queries)
        recall = recall_of(rows, queries, bounds[k], numbers_of(answers), k)
        line(f"{name}, {count:,}: ours", k, rate, milliseconds, recall)
        table.note(f"{name}, k = {k}: recall", recall, 0.98, True, form="{:.3f}")
        table.note(f"{name}, k = {k}: median", milliseconds, 0.5, unit=" ms")
    table.note(f"{name}: built", rate, WANTED_RATE, True, " rows/s", "{:,.0f}")
    db.close()
    compare_peers(name, rows, queries, bounds, table)


def least_of_pairs(searches, queries):
    """Answers of each search, and medians of the least milliseconds of a query, which both are
    asked in turn."""
    answers = [[search(query) for query in queries] for search in searches]
    times = [[float("inf")] * len(queries) for _ in searches]
    for _ in range(ROUNDS):
        for i, query in enumerate(queries):
            for search, least in zip(searches, times):
                begun = time.perf_counter()
                search(query)
                least[i] = min(least[i], 1e3 * (time.perf_counter() - begun))
    return answers, [statistics.median(least) for least in times]


def compare_small(arguments, name, table):
    """Codes beside no codes: never slower."""
    rows, queries = nearest.drawn(name, arguments)
    quantizes = ("none", "bit")
    built = [nearest.build(arguments.library, "", f"quantize = '{quantize}'", [rows])
             for quantize in quantizes]
    for k in (10, 25):
        bounds = nearest.kth_best([rows], queries, k)
        searches = [nearest.ask(db, k) for db, _, _ in built]
        timed(searches[1], queries)
        answers, took = least_of_pairs(searches, queries)
        for i, (quantize, (_, count, clock)) in enumerate(zip(quantizes, built)):
            line(f"{name}, {count:,}: {quantize}", k, count / clock.seconds, took[i],
                 recall_of(rows, queries, bounds, numbers_of(answers[i]), k))
        table.note(f"{name}, {len(rows):,}, k = {k}: bit, in times of none", took[1] / took[0],
                   NOT_SLOWER)
    for db, _, _ in built:
        db.close()


def drawn_in_blocks(rows, dimensions):
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
    rows, k, path = arguments.rows or rows, 25, os.path.join(folder, "near.db")
    queries = vectors.Clusters(dimensions).draw(arguments.queries, 2)
    bounds = nearest.kth_best(drawn_in_blocks(rows, dimensions), queries, k)
    db, _, clock = nearest.build(arguments.library, path, OPTIONS,
                                 joined(drawn_in_blocks(rows, dimensions), 5))
    answers, milliseconds = timed(nearest.ask(db, k, "similarity"), queries, len(queries))
    recall, rate = nearest.recall(numbers_of(answers), bounds, k), rows / clock.seconds
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
    nearest.add_arguments(parser, queries=100)
    parser.add_argument("--reach", choices=REACH)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rows", type=int, help="other than said above")
    parser.add_argument("--folder", help="for the database of --reach; default: a temporary one")
    parser.add_argument("--install", action="store_true", help="the peers, first")
    return parser.parse_args()


def main():
    arguments, table = parse_arguments(), aims.Aims()
    arguments.library = os.path.abspath(arguments.library)
    if arguments.install:
        near_peers.install()
        again = [word for word in sys.argv if word != "--install"]
        os.execv(sys.executable, [sys.executable, *again])
    print(f"{'':<44}{'k':>4}{'rows/s':>10}{'ms':>9}{'recall':>8}")
    if arguments.reach:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            reach(arguments, folder, table)
    elif arguments.small:
        for rows in [arguments.rows] if arguments.rows else SMALL:
            arguments.rows = rows
            for name in nearest.names(arguments):
                compare_small(arguments, name, table)
    else:
        arguments.rows = arguments.rows or 100000
        for name in nearest.names(arguments):
            compare_shape(arguments, name, table)
    table.print()


if __name__ == "__main__":
    main()

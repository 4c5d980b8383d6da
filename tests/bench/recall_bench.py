"""recall_bench.py: what searches of partitions = 'auto' find, on vectors of every shape.

Each line is an index that was built row by row: of the k nearest of queries that are no rows, the
share found (recall), for k = 10 and 25; the share of the rows that a search compares by their codes
and the rows compared exactly, as semantic_recall counts them; the same after 'optimize'. Counts do
not depend on how busy a machine is. With --faiss: k-means lists of faiss (peers of near_bench.py),
the share of rows in as many lists as give .95 and .98.
"""
import argparse

import near_peers
import nearest


def measure(db, rows, queries, k):
    bounds, search = nearest.kth_best([rows], queries, k), nearest.ask(db, k)
    found = [[row[0] for row in search(query)] for query in queries]
    recall = nearest.recall(nearest.similarities_of(rows, queries, found), bounds, k)
    scanned, rescored, partitions = db.execute(
        "SELECT scanned, rescored, partitions FROM semantic_recall('ix', ?, 100)", (k,)).fetchone()
    return recall, scanned / len(rows), rescored, partitions


def faiss_shares(index, rows, queries, k, wanted):
    """The least share of rows, of whole lists, that gives each recall."""
    bounds, shares, lists = nearest.kth_best([rows], queries, k), [], index.nlist
    for least in wanted:
        index.nprobe = 1
        while nearest.recall(index.search(queries, k)[0], bounds, k) < least and \
                index.nprobe < lists:
            index.nprobe = min(max(index.nprobe * 5 // 4, index.nprobe + 1), lists)
        shares.append(index.nprobe / lists)
    return shares


def report(what, k, figures):
    recall, scanned, rescored, partitions = figures
    print(f"{what:<32}{k:>4}{recall:>8.3f}{scanned:>9.3f}{rescored:>9}{partitions:>7}", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    nearest.add_arguments(parser, queries=200)
    parser.add_argument("--rows", type=int, default=20000)
    parser.add_argument("--options", default="quantize = 'bit', partitions = 'auto'")
    parser.add_argument("--together", type=int, default=10**9, help="rows of a transaction")
    parser.add_argument("--faiss", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    print(f"{arguments.options}\n{'':<32}{'k':>4}{'recall':>8}{'scanned':>9}{'rescored':>9}"
          f"{'parts':>7}")
    for name in nearest.names(arguments):
        rows, queries = nearest.drawn(name, arguments)
        blocks = (rows[i:i + arguments.together] for i in range(0, len(rows), arguments.together))
        db, count, clock = nearest.build(arguments.library, "", arguments.options, blocks)
        for k in (10, 25):
            report(f"{name}, {count:,}, {count / clock.processor:,.0f}/s", k,
                   measure(db, rows, queries, k))
        db.execute("INSERT INTO ix(ix) VALUES ('optimize')")
        for k in (10, 25):
            report(f"{name}, optimized", k, measure(db, rows, queries, k))
        if arguments.faiss:
            index = near_peers.faiss_lists(rows, 1)
            for k in (10, 25):
                found = faiss_shares(index, rows, queries, k, (0.95, 0.98))
                print(f"{name + ', faiss .95, .98':<32}{k:>4}"
                      + "".join(f"{share:>9.3f}" for share in found))
        db.close()


if __name__ == "__main__":
    main()

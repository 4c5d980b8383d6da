"""filter_bench.py LIBRARY [--rows N] [--dimensions N] [--options SQL] [--processor]: conditions.

A content table with wide rows, and an index of it with vectors of its own (`skewed` of shapes.py),
without codes, with bits, and with partitions, too. Each line is a condition that a share of the
rows meets, asked in one of these ways:

column       on a column of the content that no index serves
indexed      on one that an index serves
IN           rowid IN (SELECT ...) of the indexed column, which SQLite lists before the search
JOIN         of the content by rowid, on the column, ORDER BY distance LIMIT k

Its figures are milliseconds of the median search for the 10 nearest, by the clock or of processor
time, and how many times those of a search without a condition that is: `new` directly after another
table was written, so that nothing that was found of the condition still holds, `again` when the
same condition was asked before; what SQLite alone takes to find the rows, without the index; the
share of the 10 nearest that meet it which was found.
"""
import argparse
import os
import sqlite3
import statistics
import tempfile
import time

import numpy

import aims
import nearest
import shapes

K = 10
OPTIONS = ("quantize = 'none'", "quantize = 'bit'", "quantize = 'bit', partitions = 'auto'")
MOST_TIMES, LESS_RECALL = 1.5, 0.01
WARM_UP = 150   # searches: until what asking about rows one by one teaches is known

# A share of the rows, its column, what that is (0: the row meets the condition), of a hash of the
# id, so that no block has more of them; whether there is an aim for it.
SHARES = (("all rows", "all", "0", False), ("90 %", "most", "{} % 10 = 0", True),
          ("10 %", "some", "{} % 10", True), ("1 %", "few", "{} % 100", True),
          ("1 in 10,000", "rare", "{} % 10000", False))
HASH = "(i * 2654435761 >> 7)"

# A way to ask, what tells its column, a search, and what SQLite alone does for it.
SEARCH = f"SELECT rowid FROM ix WHERE query = ? AND k = {K}"
LISTED = "(SELECT id FROM docs WHERE {} = 0)"
WAYS = (
    ("column", "share", SEARCH + " AND {} = 0", "SELECT count(*) FROM docs WHERE {} = 0"),
    ("indexed", "served", SEARCH + " AND {} = 0", "SELECT count(*) FROM docs WHERE {} = 0"),
    ("IN", "served", f"{SEARCH} AND rowid IN {LISTED}", f"SELECT -1 IN {LISTED}"),
    ("JOIN", "share", "SELECT ix.rowid FROM ix JOIN docs ON docs.id = ix.rowid WHERE query = ? "
     f"AND docs.{{}} = 0 ORDER BY distance LIMIT {K}", None))


def connect(library, path):
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(os.path.splitext(os.path.abspath(library))[0])
    db.execute("PRAGMA journal_mode = off")
    return db


def fill_content(db, rows, width):
    columns = ", ".join(f"share_{name} INT, served_{name} INT" for _, name, _, _ in SHARES)
    db.execute(f"CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, {columns})")
    values = ", ".join(f"{value.format(HASH)}, {value.format(HASH)}" for _, _, value, _ in SHARES)
    db.execute("WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1) "
               f"INSERT INTO docs SELECT i, hex(randomblob(?)), {values} FROM n",
               (rows, width // 2))
    for _, name, _, _ in SHARES:
        db.execute(f"CREATE INDEX docs_{name} ON docs(served_{name})")
    db.execute("CREATE TABLE other(n INT)")
    db.execute("INSERT INTO other VALUES (0)")


def fill_index(db, options, rows):
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body', "
               f"dimensions = {rows.shape[1]}, {options})")
    db.execute("BEGIN")
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   ((i, row.tobytes()) for i, row in enumerate(rows)))
    db.execute("COMMIT")


class Bench:
    def __init__(self, db, rows, queries, clock):
        self.db, self.rows, self.queries, self.clock = db, rows, queries, clock

    def measure(self, sql, is_new=False):
        """Milliseconds of the median search, and what each found."""
        found, times = [], []
        for query in self.queries:
            if is_new:
                self.db.execute("UPDATE other SET n = n + 1")
            begun = self.clock()
            found.append([row[0] for row in self.db.execute(sql, (query.tobytes(),))])
            times.append((self.clock() - begun) * 1000)
        return statistics.median(times), found

    def warm_up(self, sql, searches):
        for i in range(searches):
            self.db.execute(sql, (self.queries[i % len(self.queries)].tobytes(),)).fetchall()

    def least(self, sql):
        """Milliseconds of what SQLite alone does."""
        times = []
        for _ in range(5):
            begun = self.clock()
            self.db.execute(sql).fetchall()
            times.append((self.clock() - begun) * 1000)
        return min(times)

    def recall(self, found, meeting):
        """Of the nearest that meet the condition; meeting: their numbers."""
        k = min(K, len(meeting))
        bounds = nearest.kth_best([self.rows[meeting]], self.queries, k)
        return nearest.recall(nearest.similarities_of(self.rows, self.queries, found), bounds, k)

    def compare(self, options, table):
        self.warm_up(SEARCH, WARM_UP)
        plain_new, _ = self.measure(SEARCH, is_new=True)
        plain, found = self.measure(SEARCH)
        of_all = self.recall(found, numpy.arange(len(self.rows)))
        print(f"\n{options}: {len(self.rows):,} x {self.rows.shape[1]}, k = {K}\n{'':24}"
              f"{'new':>9}{'times':>7}{'again':>9}{'times':>7}{'SQLite':>9}  recall\n"
              f"{'no condition':24}{plain_new:9.2f}{'':7}{plain:9.2f}{'':18}{of_all:.3f}",
              flush=True)
        for way, prefix, search, alone in WAYS:
            for label, name, _, has_aim in SHARES:
                column = f"{prefix}_{name}"
                what = f"{label}, {way}"
                ids = self.db.execute(f"SELECT id FROM docs WHERE {column} = 0").fetchall()
                meeting = numpy.array([row[0] for row in ids])
                new, found = self.measure(search.format(column), is_new=True)
                share = self.recall(found, meeting)
                self.warm_up(search.format(column), WARM_UP if has_aim else len(self.queries))
                again, found = self.measure(search.format(column))
                share = min(share, self.recall(found, meeting))
                floor = "" if alone is None else f"{self.least(alone.format(column)):.2f}"
                print(f"{what:24}{new:9.2f}{new / plain_new:7.2f}{again:9.2f}{again / plain:7.2f}"
                      f"{floor:>9}  {share:.3f}", flush=True)
                if has_aim:
                    what = f"{options}: {what}"
                    table.note(f"{what}: new", new / plain_new, MOST_TIMES)
                    table.note(f"{what}: again", again / plain, MOST_TIMES)
                    table.note(f"{what}: recall", share, of_all - LESS_RECALL, True, form="{:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("--rows", type=int, default=63666)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--width", type=int, default=1000, help="bytes of a content row")
    parser.add_argument("--options", help="of the index, in place of all above")
    parser.add_argument("--searches", type=int, default=30)
    parser.add_argument("--processor", action="store_true", help="processor time, not the clock")
    arguments, table = parser.parse_args(), aims.Aims()
    rows = shapes.skewed(arguments.rows + arguments.searches, arguments.dimensions)
    rows, queries = shapes.split(rows, arguments.searches)
    clock = time.process_time if arguments.processor else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        db = connect(arguments.library, os.path.join(folder, "filters.db"))
        fill_content(db, len(rows), arguments.width)
        for options in [arguments.options] if arguments.options else OPTIONS:
            fill_index(db, options, rows)
            Bench(db, rows, queries, clock).compare(options, table)
            db.execute("DROP TABLE ix")
    table.print()


if __name__ == "__main__":
    main()

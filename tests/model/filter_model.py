"""filter_model.py: searches with random conditions, beside the same conditions on a plain table.

A content table of one of several kinds, with columns of each affinity and collation and values of
each type, with indexes or without; its index has vectors of its own. A mirror table has the rows
that the index can find, under the rowids of the index. What a search is to give follows from the
mirror (which rows meet the conditions) and from a search without any (their order).

    python3 tests/model/filter_model.py --runs 200
"""
import argparse
import os
import random
import sys
import tempfile

from compare import Difference, to_blob
from connections import Plain, with_apsw

DIMENSIONS = 4
COLUMNS = {
    "n": "INTEGER", "t": "TEXT", "c": "TEXT COLLATE NOCASE", "r": "TEXT COLLATE RTRIM", "x": "",
    "f": "REAL", "m": "NUMERIC", "g": "TEXT COLLATE NOCASE GENERATED ALWAYS AS (t || c) STORED",
    "v": "INT GENERATED ALWAYS AS (n + 1) VIRTUAL",
}
WRITTEN = [name for name, kind in COLUMNS.items() if "GENERATED" not in kind]
VALUES = (None, 0, 1, 2, 7, -1, 2.5, 7.0, 1e300, "", "a", "A", "a ", "b", "B", "ab", "aB", "7",
          "07", "7.0", " 7", "2.5", "É", "é", b"", b"a", b"7", 2 ** 60 + 1, "%", "_", "'")
TEXTLIKE = ("t", "c", "r", "g", "x")  # where a number may be read in more than one way
COLLATED = ("c", "r", "g")
TEXTS = [value for value in VALUES if isinstance(value, str)]
KINDS = {
    "rowid": "CREATE TABLE docs(id INTEGER PRIMARY KEY, {columns})",
    "key": "CREATE TABLE docs(uuid TEXT NOT NULL UNIQUE, {columns})",
    "without": "CREATE TABLE docs(uuid PRIMARY KEY NOT NULL, {columns}) WITHOUT ROWID",
    "view": "CREATE TABLE base(id INTEGER PRIMARY KEY, {columns})",
}
COMPARISONS = ("=", "==", "<", "<=", ">", ">=", "!=", "<>", "IS", "IS NOT")


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


class Run:
    def __init__(self, draw, opener, path):
        self.draw, self.log = draw, []
        self.db, self.other = opener(path), opener(path)
        self.sql(f"PRAGMA journal_mode = {draw.choice(['wal', 'delete'])}")
        self.kind = draw.choice(sorted(KINDS))
        self.quantize = draw.choice(["none", "none", "none", "int8", "bit"])
        self.metric = draw.choice(["cosine", "dot", "l2"])
        self.is_keyed = self.kind in ("key", "without")
        self.key = "uuid" if self.is_keyed else "id"
        self.names = [self.key, *COLUMNS]
        self.fill()
        self.mirror()

    def close(self):
        self.other.close()
        self.db.close()

    def sql(self, text, bindings=(), db=None):
        self.log.append((text, bindings))
        try:
            return (db or self.db).execute(text, bindings)
        except self.db.Error as error:
            raise Difference(f"{text}: {error}") from error

    # -- the tables ------------------------------------------------------------------------------

    def fill(self):
        draw, columns = self.draw, ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        table = "base" if self.kind == "view" else "docs"
        self.sql(KINDS[self.kind].format(columns=columns))
        for name in draw.sample(list(COLUMNS), draw.randint(0, 4)):
            collation = draw.choice(["", "", " COLLATE NOCASE"])
            self.sql(f"CREATE INDEX {table}_{name} ON {table}({name}{collation})")
        n_rows = draw.choice([5, 40, 40, 400])
        few = draw.sample(VALUES, draw.choice([2, 4, len(VALUES)]))
        keys = [f"k{i}" if self.is_keyed else i for i in range(1, n_rows + 1)]
        with_key = ", ".join([self.key, *WRITTEN])
        for key in keys:
            self.db.execute(f"INSERT INTO {table}({with_key}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                            (key, *(draw.choice(few) for _ in WRITTEN)))
        if self.kind == "view":
            self.sql("CREATE VIEW docs AS SELECT * FROM base")
        self.sql(f"CREATE VIRTUAL TABLE i USING semantic_index(content = 'docs', text = 't', "
                 f"content_rowid = '{self.key}', dimensions = {DIMENSIONS}, metric = "
                 f"'{self.metric}', quantize = '{self.quantize}')")
        self.db.execute("BEGIN")
        for key in keys:
            self.db.execute(f"INSERT INTO i({'uuid' if self.is_keyed else 'rowid'}, embedding) "
                            "VALUES (?, ?)", (key, self.vector()))
        self.db.execute("COMMIT")
        for key in draw.sample(keys, n_rows // 10):
            self.db.execute(f"DELETE FROM {table} WHERE {self.key} = ?", (key,))

    def mirror(self):
        columns = ", ".join(f"{name} {kind.split(' GENERATED')[0]}"
                            for name, kind in COLUMNS.items())
        key = "id INTEGER PRIMARY KEY" if self.key == "id" else "rid INTEGER PRIMARY KEY, uuid TEXT"
        self.sql(f"CREATE TABLE mirror({key}, {columns})")
        names = ", ".join(self.names)
        source = f"SELECT d.{', d.'.join(self.names)} FROM docs AS d"
        if self.key == "uuid":
            source = (f"SELECT k.id, d.{', d.'.join(self.names)} FROM i_keys AS k JOIN docs AS d "
                      "ON d.uuid = k.key")
            names = "rid, " + names
        self.sql(f"INSERT INTO mirror({names}) {source}")

    def vector(self):
        return to_blob([self.draw.gauss(0, 1) for _ in range(DIMENSIONS)])

    # -- conditions ------------------------------------------------------------------------------

    def value(self, bindings, is_text=False):
        """A value, as a literal, a parameter, or what comes out of a subquery."""
        value, how = self.draw.choice(TEXTS if is_text else VALUES), self.draw.random()
        if how < .45:
            self.has_number |= not isinstance(value, (str, bytes, type(None)))
            bindings.append(value)
            return "?"
        self.has_number |= not isinstance(value, (str, bytes, type(None)))
        if how < .55 and value is not None:
            return f"(SELECT {literal(value)})"
        if how < .65:
            self.has_number = True
            bindings.append(value)
            kind = self.draw.choice(["INTEGER", "REAL", "NUMERIC", "TEXT", "BLOB"])
            return self.draw.choice([f"CAST(? AS {kind})", f"(SELECT CAST(? AS {kind}))"])
        return literal(value)

    def on_column(self, bindings):
        """A condition on a column. self.is_wide: SQLite alone knows what it means, and keeps of the
        k rows those that it does: see sql/README.md."""
        name, self.has_number = self.draw.choice(list(COLUMNS)), False
        sql, is_unequal = self.compared(name, bindings)
        self.is_wide |= self.has_number and name in TEXTLIKE
        self.is_wide |= " OR " in sql and "(SELECT" in sql or " OR " in sql and "CAST" in sql
        self.is_wide |= is_unequal and "(" in sql
        self.is_wide |= is_unequal and "COLLATE" in sql
        self.is_wide_without_k |= is_unequal and name in COLLATED
        return sql

    def compared(self, name, bindings):
        draw = self.draw
        collation = draw.choice([""] * 8 + [" COLLATE NOCASE", " COLLATE BINARY", " COLLATE RTRIM"])
        what = draw.random()
        if what < .5:
            operator = draw.choice(COMPARISONS)
            return (f"{name} {operator} {self.value(bindings, bool(collation))}{collation}",
                    operator in ("!=", "<>", "IS NOT"))
        return self.listed(name, collation, what, bindings), False

    def listed(self, name, collation, what, bindings):
        draw = self.draw
        if what < .65:
            values = ", ".join(self.value(bindings) for _ in range(draw.choice([1, 2, 2, 5])))
            return f"{name}{collation} IN ({values})"
        if what < .7:
            return f"{name} IN (SELECT {self.value(bindings)} UNION SELECT 'b')"
        if what < .75:
            return f"{name} BETWEEN {self.value(bindings)} AND {self.value(bindings)}"
        if what < .8:
            return f"{name} {draw.choice(['IS NULL', 'IS NOT NULL', 'NOTNULL'])}"
        if what < .85:
            return f"({name} = {self.value(bindings)} OR {name} = {self.value(bindings)})"
        pattern = draw.choice(["a%", "A_", "%", "7%", "_", "%b", ""])
        operator = draw.choice(["LIKE", "GLOB"])
        bindings.append(pattern if operator == "LIKE" else pattern.replace("%", "*"))
        return f"{name} {operator} ?"

    def on_rowid(self, bindings):
        draw = self.draw
        name = "i.rowid" if self.is_keyed else draw.choice(["i.rowid", "id"])
        def number():
            value = draw.choice([draw.randint(0, 45), float(draw.randint(1, 9)), 2.5, 1e300, "7",
                                 "a"])
            if draw.random() < .5:
                bindings.append(value)
                return "?"
            return literal(value)
        what = draw.random()
        if what < .3:
            return f"{name} = {number()}"
        if what < .5:
            return f"{name} IN ({', '.join(number() for _ in range(draw.randint(1, 9)))})"
        if what < .6:
            return f"{name} BETWEEN {number()} AND {number()}"
        return f"{name} {draw.choice(COMPARISONS[2:8])} {number()}"

    def on_key(self, bindings):
        bindings.append(f"k{self.draw.randint(1, 20)}")
        return self.draw.choice(["uuid = ?", "uuid >= ?", "uuid IN (?, 'k3')", "uuid != ?"])

    def condition(self, bindings):
        what = self.draw.random()
        if what < .25:
            return self.on_rowid(bindings)
        if what < .32 and self.is_keyed:
            return self.on_key(bindings)
        return self.on_column(bindings)

    def on_rank(self, rows):
        """A condition on what a search computes: its SQL, and the rows that meet it."""
        draw, (column, place) = self.draw, self.draw.choice([("similarity", 1), ("distance", 2)])
        if not rows:
            return "", rows
        bound, operator = draw.choice(rows)[place], draw.choice(["<", "<=", ">", ">="])
        test = {"<": lambda x: x < bound, "<=": lambda x: x <= bound, ">": lambda x: x > bound,
                ">=": lambda x: x >= bound}[operator]
        return f" AND {column} {operator} {bound!r}", [row for row in rows if test(row[place])]

    # -- searches --------------------------------------------------------------------------------

    def step(self):
        draw, bindings, query = self.draw, [], self.vector()
        self.is_wide = self.is_wide_without_k = False
        conditions = [self.condition(bindings) for _ in range(draw.choice([1, 1, 1, 2, 3]))]
        where = " AND ".join(conditions)
        allowed = {row[0] for row in self.sql(f"SELECT rowid FROM mirror AS i WHERE {where}",
                                              bindings)}
        rows = [row for row in self.sql("SELECT rowid, similarity, distance FROM i WHERE query = ?",
                                        (query,)) if row[0] in allowed]
        extra = ""
        if draw.random() < .3:
            extra, rows = self.on_rank(rows)
        first = 1
        if draw.random() < .15:
            first = draw.randint(1, 12)
            extra += f" AND rank >= {first}"
        rows = list(enumerate((row[0] for row in rows), 1))[first - 1:]
        k, limit, offset = draw.choice([1, 3, 10, 100]), None, 0
        if draw.random() < .7:
            extra += draw.choice([f" AND k = {k}", f" AND k <= {k}", f" AND k < {k + 1}"])
            rows = rows[:k]
        else:
            self.is_wide |= self.is_wide_without_k
        order = " ORDER BY rank"
        if draw.random() < .3:
            limit, offset = draw.randint(0, 12), draw.choice([0, 0, 5])
            order += f" LIMIT {limit} OFFSET {offset}"
            rows = rows[offset:offset + limit]
        source, end = draw.choice([
            ("SELECT i.rowid, rank FROM i WHERE", ""),
            ("SELECT i.rowid, rank FROM i CROSS JOIN (SELECT 1 AS one) WHERE", ""),
            ("SELECT i.rowid, rank FROM (SELECT 1 AS one) CROSS JOIN i WHERE", ""),
            ("SELECT * FROM (SELECT i.rowid, rank FROM i WHERE", ")")])
        sql = f"{source} query = ? AND {where}{extra}{order}{end}"
        for _ in range(draw.choice([1, 1, 1, 1, 12])):  # until what meets it is known
            got = [(rank, rowid) for rowid, rank in self.sql(sql, (query, *bindings))]
            if self.is_wide and (" AND k " in sql or " AND rank " in sql):
                rows = got
            if self.is_wide:
                got, rows = [(0, rowid) for _, rowid in got], [(0, rowid) for _, rowid in rows]
            self.compare(got, rows, allowed, sql)

    def change(self, db):
        """A row of the content alone: the index has vectors of its own."""
        table, draw = "base" if self.kind == "view" else "docs", self.draw
        name, value, one = draw.choice(WRITTEN), draw.choice(VALUES), draw.randint(1, 40)
        key = f"k{one}" if self.is_keyed else one
        if draw.random() < .8:
            self.sql(f"UPDATE {table} SET {name} = ? WHERE {self.key} = ?", (value, key), db)
        else:
            self.sql(f"DELETE FROM {table} WHERE {self.key} = ?", (key,), db)

    def look(self):
        self.sql("DROP TABLE mirror")
        self.mirror()
        self.step()

    def write(self):
        """By this connection, in a transaction or not, perhaps undone in part; by another one."""
        draw = self.draw
        if draw.random() < .3:
            self.change(self.other)
            self.look()
            return
        self.sql(draw.choice(["BEGIN", "SELECT 1"]))
        self.change(self.db)
        self.look()
        if self.db.in_transaction():
            self.sql("SAVEPOINT part")
            self.change(self.db)
            self.look()
            self.sql(draw.choice(["RELEASE part", "ROLLBACK TO part"]))
            self.step()
            self.sql(draw.choice(["COMMIT", "ROLLBACK"]))

    def compare(self, got, want, allowed, sql):
        if self.quantize == "none" and got != want:
            raise Difference(f"{sql}: {got[:12]}, not {want[:12]}")
        if [rank for rank, _ in got] != [rank for rank, _ in want]:
            raise Difference(f"{sql}: the ranks {got[:12]}, not {want[:12]}")
        if not allowed.issuperset(rowid for _, rowid in got):
            raise Difference(f"{sql}: {got}, of which some do not meet it")


def difference(seed, n_steps, opener, n_logged=3):
    """The first difference of the run of that seed, with what led to it; None: all agreed."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run(random.Random(seed), opener, os.path.join(folder, "filters.db"))
        try:
            for _ in range(n_steps):
                if run.draw.random() < .1:
                    run.write()
                run.step()
        except Difference as found:
            lines = [f"seed {seed}: {found}", f"    docs is of kind {run.kind}"]
            lines += [f"    {sql} {bindings or ''}" for sql, bindings in run.log[-n_logged:]]
            return "\n".join(lines)
        finally:
            run.close()
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--apsw", action="store_true")
    options = parser.parse_args()
    opener = with_apsw() if options.apsw else Plain
    n_different = 0
    for seed in range(options.seed, options.seed + options.runs):
        found = difference(seed, options.steps, opener)
        if found is not None:
            n_different += 1
            print(found, flush=True)
    print(f"SQLite {opener.version}: {options.runs} runs of {options.steps} searches: "
          f"{n_different} differ")
    return 1 if n_different else 0


if __name__ == "__main__":
    sys.exit(main())

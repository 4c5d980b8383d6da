"""INSERT OR IGNORE, ABORT, FAIL, ROLLBACK, REPLACE: beside an ordinary table, and beside FTS5.

FTS5 has texts of its own too. Before SQLite 3.41 it errs itself where extended result codes are on,
as Python has them, so that it is asked in the SQLite that apsw brings.
"""
import itertools
import os
import random
import sqlite3
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "model")]
from connections import Plain, with_apsw  # noqa: E402
from support import SANITIZED, Base  # noqa: E402

CLAUSES = ["", "OR IGNORE", "OR ABORT", "OR FAIL", "OR ROLLBACK", "OR REPLACE"]

# Rows 1 to 3 are there, 9 is not.
SOURCES = [
    "VALUES (9, 'new')", "VALUES (2, 'two')", "VALUES (9, 'new'), (2, 'two'), (8, 'newer')",
    "VALUES (9, 'new'), (9, 'again')", "SELECT rowid + 1, text || ' copied' FROM kept",
    "SELECT n, 'from ' || n FROM (SELECT 7 AS n UNION ALL SELECT 1 UNION ALL SELECT 6)"]

# Where the statement stands: what comes before it, what after it.
PLACES = {
    "alone": ([], []),
    "in a transaction": (["BEGIN"], ["COMMIT"]),
    "beside rows that wait": (["BEGIN", "INSERT INTO t(rowid, text) VALUES (9, 'waits')"],
                              ["COMMIT"]),
    "beside a row about to go": (["BEGIN", "DELETE FROM t WHERE rowid = 2"], ["COMMIT"]),
    "a row comes again": (["BEGIN", "DELETE FROM t WHERE rowid = 2",
                           "INSERT INTO t(rowid, text) VALUES (2, 'again')"], ["COMMIT"]),
    "in a savepoint": (["BEGIN", "INSERT INTO t(rowid, text) VALUES (8, 'waits')", "SAVEPOINT s"],
                       ["RELEASE s", "COMMIT"]),
    "in a savepoint rolled back": (["SAVEPOINT s", "INSERT INTO t(rowid, text) VALUES (8, 'goes')"],
                                   ["ROLLBACK TO s", "RELEASE s"]),
    "after one rolled back": (["BEGIN", "SAVEPOINT s",
                               "INSERT INTO t(rowid, text) VALUES (9, 'goes')", "ROLLBACK TO s"],
                              ["COMMIT"]),
}


class Pair:
    """The same statements for both; what each says of them."""

    def __init__(self, opener, other):
        self.dbs = [opener(":memory:"), opener(":memory:")]
        for db, table in zip(self.dbs, ("VIRTUAL TABLE t USING semantic_index()", other)):
            db.execute(f"CREATE {table}")
            db.execute("CREATE TABLE kept(rowid INTEGER PRIMARY KEY, text)")
            db.execute("INSERT INTO kept VALUES (1, 'a'), (3, 'c'), (4, 'd')")
            db.execute("INSERT INTO t(rowid, text) VALUES (1, 'one'), (2, 'deux'), (3, 'three')")

        # FTS5's own UPDATE leaves a number of its own there.
        self.counts = "changes()" if "fts5" in other else "changes(), last_insert_rowid()"

    def run(self, db, statement):
        """What it raises, whether a transaction is open then, and what it counts."""
        try:
            db.execute(statement)
        except db.Error as error:
            return type(error), db.in_transaction(), None
        is_write = statement.startswith(("INSERT", "UPDATE", "DELETE"))
        return None, db.in_transaction(), is_write and db.execute("SELECT " + self.counts)

    def agree(self, test, statements, message):
        for statement in statements:
            ours, theirs = (self.run(db, statement) for db in self.dbs)
            test.assertEqual(ours, theirs, f"{message}: {statement}")

    def agree_on_rows(self, test, message):
        ours, theirs = (db.execute("SELECT rowid, text FROM t ORDER BY rowid") for db in self.dbs)
        test.assertEqual(ours, theirs, message)

    def close(self):
        self.dbs[0].execute("INSERT INTO t(t) VALUES ('integrity-check')")
        for db in self.dbs:
            db.close()


class BesideTable(unittest.TestCase):
    def pair(self):
        return Pair(Plain, "TABLE t(rowid INTEGER PRIMARY KEY, text)")

    def test_every_clause(self):
        for clause, source, (place, (before, after)) in itertools.product(
                CLAUSES, SOURCES, PLACES.items()):
            for reads in (False, True):
                message = f"{place}, {'read, ' if reads else ''}{clause} {source}"
                pair = self.pair()
                pair.agree(self, before, message)
                if reads:
                    pair.agree_on_rows(self, message)
                pair.agree(self, [f"INSERT {clause} INTO t(rowid, text) {source}"], message)
                pair.agree_on_rows(self, message)
                pair.agree(self, after, message)
                pair.agree_on_rows(self, message)
                pair.close()

    def test_at_random(self):
        for seed in range(20 if SANITIZED else 120):
            draw, pair = random.Random(seed), self.pair()
            done = []
            for _ in range(40):
                rows = ", ".join(f"({draw.randint(1, 12)}, 'text {draw.randint(1, 99)}')"
                                 for _ in range(draw.choice([1, 1, 2, 4])))
                rowid, name = draw.randint(1, 12), draw.choice("st")
                done.append(draw.choice([
                    f"INSERT {draw.choice(CLAUSES)} INTO t(rowid, text) VALUES {rows}",
                    f"INSERT {draw.choice(CLAUSES)} INTO t(rowid, text) VALUES {rows}",
                    f"INSERT {draw.choice(CLAUSES)} INTO t(text) VALUES ('any')",
                    f"UPDATE {draw.choice(CLAUSES)} t SET text = 'changed' WHERE rowid < {rowid}",
                    f"DELETE FROM t WHERE rowid = {rowid}", "BEGIN", "COMMIT", "ROLLBACK",
                    f"SAVEPOINT {name}", f"RELEASE {name}", f"ROLLBACK TO {name}"]))
                pair.agree(self, done[-1:], (seed, done))
                if draw.random() < .3:
                    pair.agree_on_rows(self, (seed, done))
            pair.agree_on_rows(self, (seed, done))
            pair.close()

    def test_from_triggers(self):
        """The clause of the outer statement counts."""
        for clause in CLAUSES:
            pair = self.pair()
            pair.agree(self, [
                "CREATE TRIGGER k AFTER INSERT ON kept BEGIN"
                " INSERT INTO t(rowid, text) VALUES (new.rowid, new.text); END",
                f"INSERT {clause} INTO kept VALUES (5, 'five'), (2, 'two'), (6, 'six')"], clause)
            pair.agree_on_rows(self, clause)
            pair.close()


class BesideFts5(BesideTable):
    def pair(self):
        try:
            return Pair(with_apsw(), "VIRTUAL TABLE t USING fts5(text)")
        except ImportError:
            return self.skipTest("apsw is not here")


class Conflicts(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(dimensions = 2)")
        self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (1, '[1, 0]'), (2, '[0, 1]')")

    def vectors(self):
        return self.rows("SELECT rowid, vector_to_json(embedding) FROM ix")

    def test_vectors_alone(self):
        self.fails("^UNIQUE constraint failed: ix.rowid$",
                   "INSERT INTO ix(rowid, embedding) VALUES (2, '[9, 9]')",
                   error=sqlite3.IntegrityError)
        self.db.execute("INSERT OR IGNORE INTO ix(rowid, embedding) VALUES (2, '[9, 9]'), "
                        "(3, '[1, 1]')")
        self.assertEqual(self.vectors(), [(1, "[1,0]"), (2, "[0,1]"), (3, "[1,1]")])
        self.db.execute("REPLACE INTO ix(rowid, embedding) VALUES (2, '[9, 9]')")
        self.assertEqual(self.vectors(), [(1, "[1,0]"), (2, "[9,9]"), (3, "[1,1]")])

    def test_what_is_no_conflict(self):
        """OR IGNORE ignores conflicts, and nothing else."""
        for clause in CLAUSES:
            self.fails("expected 2 dimensions",
                       f"INSERT {clause} INTO ix(rowid, embedding) VALUES (5, '[1]')")
            self.fails("a rowid cannot be changed",
                       f"UPDATE {clause} ix SET rowid = 2 WHERE rowid = 1")
        self.assertEqual(self.vectors(), [(1, "[1,0]"), (2, "[0,1]")])

    def test_replace_is_a_new_row(self):
        """Nothing of the row before stays: not the user's vector, as it does for the same text."""
        for begin, end in (("SELECT 1", "SELECT 1"), ("BEGIN", "COMMIT")):
            self.db.execute("DROP TABLE ix")
            self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(storage = 'float32')")
            vector = "[" + ",".join(["1"] * 384) + "]"
            self.db.execute("INSERT INTO ix(rowid, text, embedding) VALUES (1, 'bats', ?), "
                            "(2, 'bats', ?)", (vector, vector))
            self.db.execute(begin)
            self.db.execute("UPDATE ix SET text = 'bats' WHERE rowid = 2")
            self.db.execute("REPLACE INTO ix(rowid, text) VALUES (1, 'bats')")
            self.db.execute(end)
            self.assertEqual(self.rows("SELECT rowid, embedding = vector(?) FROM ix", vector),
                             [(1, 0), (2, 1)])
            self.assertEqual(self.rows("SELECT id, own FROM ix_rows ORDER BY id"), [(1, 0), (2, 1)])
            self.check()

    def test_a_text_that_is_none(self):
        """It breaks a constraint, as one of a CHECK of a table."""
        self.db.execute("CREATE VIRTUAL TABLE n USING semantic_index()")
        self.db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, text)")
        self.db.execute("INSERT INTO t VALUES (1, 'one'), (2, x'ff'), (3, 'three'), "
                        "(4, CAST(x'ff' AS TEXT)), (5, 'nul' || char(0)), (6, 'six')")
        copy = "INTO n(rowid, text) SELECT id, text FROM t"
        for clause, kept in (("", []), ("OR ABORT", []), ("OR REPLACE", []), ("OR FAIL", [1]),
                             ("OR IGNORE", [1, 3, 6])):
            if clause == "OR IGNORE":
                self.db.execute(f"INSERT {clause} {copy}")
            else:
                self.fails("row 2: expected text, not a blob", f"INSERT {clause} {copy}",
                           error=sqlite3.IntegrityError)
            self.assertEqual([row[0] for row in self.rows("SELECT rowid FROM n")], kept)
            if clause != "OR IGNORE":
                self.db.execute("DELETE FROM n")
        self.db.execute("UPDATE OR IGNORE n SET text = CASE rowid WHEN 3 THEN x'ff' ELSE 'new' END")
        self.assertEqual(self.rows("SELECT text FROM n"), [("new",), ("three",), ("new",)])

    def test_a_content_table_is_looked_at_again(self):
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body)")
        self.db.execute("INSERT INTO docs VALUES (1, 'bats')")
        self.db.execute("CREATE VIRTUAL TABLE d USING semantic_index(content='docs', text='body')")
        self.db.execute("INSERT INTO d(d) VALUES ('sync')")
        for clause in CLAUSES:
            self.db.execute("UPDATE docs SET body = ?", ("text " + clause,))
            self.db.execute(f"INSERT {clause} INTO d(rowid) VALUES (1)")
            self.assertEqual(self.rows("SELECT embedded FROM semantic_sync('d')")[-1:], [(0,)])

    def test_a_constraint_of_a_shadow_table_is_no_conflict(self):
        """A write that fails inside may have changed something: OR IGNORE must not hide it."""
        self.db.execute("CREATE TRIGGER bad BEFORE INSERT ON ix_rows BEGIN "
                        "SELECT RAISE(ABORT, 'no more rows'); END")
        self.db.execute("BEGIN")
        self.db.execute("INSERT OR IGNORE INTO ix(rowid, embedding) VALUES (5, '[1, 0]')")
        self.fails("no more rows", "INSERT OR IGNORE INTO ix(ix) VALUES ('optimize')")
        self.db.execute("ROLLBACK")
        self.assertEqual(self.vectors(), [(1, "[1,0]"), (2, "[0,1]")])

    def test_many_rows_wait(self):
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, '[1, 1]')",
                            [(i,) for i in range(10, 9000)])
        for rowid in (1, 10, 4105, 4106, 4107, 8999):
            self.fails("UNIQUE", "INSERT INTO ix(rowid, embedding) VALUES (?, '[1, 1]')", rowid)
        self.db.execute("COMMIT")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 8992)
        self.check()


if __name__ == "__main__":
    unittest.main()

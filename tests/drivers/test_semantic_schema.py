"""test_semantic_schema.py: CREATE, DROP and RENAME of an index: in transactions, beside tables of
the user's, and with the library loaded twice."""
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import EXTENSION, Base, blob, connect  # noqa: E402

EMPTY = "CREATE VIRTUAL TABLE {} USING semantic_index(dimensions = 2)"


class Indexes(Base):
    """Indexes that keep their own texts, so that a row needs nothing but a vector."""

    def setUp(self):
        super().setUp()
        self.db.execute(EMPTY.format("a"))

    def run_all(self, *statements):
        for statement in statements:
            self.db.execute(statement)

    def add(self, name, *ids):
        for id in ids:
            self.db.execute(f"INSERT INTO {name}(rowid, embedding) VALUES (?, ?)",
                            (id, blob(1, id)))

    def holds(self, name, *ids):
        """Listed, found, and whole; also for another connection once it is committed."""
        connections = [self.db] if self.db.in_transaction else [self.db, connect(self.path)]
        for db in connections:
            self.assertEqual([r[0] for r in db.execute(f"SELECT rowid FROM {name}")], list(ids))
            found = db.execute(f"SELECT rowid FROM {name} WHERE query = ? AND k = 100",
                               (blob(1, 0),))
            self.assertEqual(sorted(r[0] for r in found), list(ids))
            db.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")
        for db in connections[1:]:
            db.close()


class InTransactions(Indexes):
    """Rows that wait belong to an index, not to a name."""

    def test_a_new_index_under_the_old_name(self):
        self.db.execute("BEGIN")
        self.add("a", 1)
        self.run_all("ALTER TABLE a RENAME TO b",
                     "CREATE VIRTUAL TABLE a USING semantic_index(quantize = 'int8')")
        self.add("a", 2)
        self.add("b", 3)
        self.db.execute("COMMIT")
        for name, ids in (("a", (2,)), ("b", (1, 3))):
            self.holds(name, *ids)
            self.db.execute(f"INSERT INTO {name}({name}) VALUES ('optimize')")
            self.holds(name, *ids)

    def test_names_change_places(self):
        self.db.execute(EMPTY.format("b"))
        self.db.execute("BEGIN")
        self.add("a", 1)
        self.add("b", 2)
        self.run_all("ALTER TABLE a RENAME TO c", "ALTER TABLE b RENAME TO a",
                     "ALTER TABLE c RENAME TO b")
        self.add("a", 3)
        self.add("b", 4)
        self.db.execute("COMMIT")
        self.holds("a", 2, 3)
        self.holds("b", 1, 4)

    def test_rename_that_is_rolled_back(self):
        self.db.execute("BEGIN")
        self.add("a", 1)
        self.run_all("SAVEPOINT s", "ALTER TABLE a RENAME TO b", EMPTY.format("a"))
        self.add("a", 2)
        self.add("b", 3)
        self.db.execute("ROLLBACK TO s")
        self.add("a", 4)
        self.db.execute("COMMIT")
        self.holds("a", 1, 4)

    def test_create_that_is_rolled_back(self):
        self.run_all("BEGIN", "SAVEPOINT s", EMPTY.format("b"))
        self.add("b", 1)
        self.db.execute("ROLLBACK TO s")
        self.fails("no such table: b", "SELECT * FROM b")
        self.db.execute("COMMIT")
        self.run_all("BEGIN", "SAVEPOINT s", EMPTY.format("b"))
        self.add("b", 1)
        self.run_all("ROLLBACK TO s", EMPTY.format("b"))
        self.add("b", 2)
        self.db.execute("COMMIT")
        self.holds("b", 2)

    def test_drop_and_create(self):
        self.db.execute("BEGIN")
        self.add("a", 1)
        self.run_all("CREATE TABLE other(x)", "DROP TABLE other")
        self.add("a", 2)
        self.run_all("DROP TABLE a", EMPTY.format("a"))
        self.assertEqual(self.rows("SELECT rowid FROM a WHERE rowid = 1"), [])
        self.add("a", 3)
        self.db.execute("COMMIT")
        self.holds("a", 3)

    def test_drop_that_is_rolled_back(self):
        self.add("a", 1)
        for undo in ("ROLLBACK", "ROLLBACK TO s"):
            open_statement = self.db.execute("SELECT rowid FROM a UNION ALL VALUES (0), (0)")
            open_statement.fetchone()  # it keeps the index connected
            self.run_all("BEGIN", "SAVEPOINT s")
            self.add("a", 2)
            self.run_all("CREATE TABLE other(x)")
            self.add("a", 3)
            open_statement.fetchall()
            self.run_all("DROP TABLE a", undo)
            self.assertEqual(self.rows("SELECT rowid FROM a WHERE rowid > 1"), [])
            if self.db.in_transaction:
                self.db.execute("COMMIT")
            self.holds("a", 1)

    def test_an_index_without_a_number_of_its_own(self):
        """As 0.1.0 made them."""
        self.add("a", 1)
        self.db.execute("DELETE FROM a_config WHERE key = 'created'")
        self.db.close()
        self.db = connect(self.path)
        self.db.execute("BEGIN")
        self.add("a", 2)
        self.run_all("CREATE TABLE other(x)", "SAVEPOINT s")
        self.add("a", 3)
        self.run_all("ROLLBACK TO s", "ALTER TABLE a RENAME TO b", EMPTY.format("a"))
        self.add("b", 4)
        self.add("a", 5)
        self.db.execute("COMMIT")
        self.holds("b", 1, 2, 4)
        self.holds("a", 5)


class ChosenRowids(Indexes):
    def chosen(self):
        self.db.execute("INSERT INTO a(embedding) VALUES ('[1, 0]')")
        return self.one("SELECT last_insert_rowid()")

    def test_deleted_rows_do_not_count(self):
        self.add("a", *range(1, 101))
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM a WHERE rowid = 100")
        self.assertEqual(self.chosen(), 100)
        self.db.execute("DELETE FROM a WHERE rowid > 50")
        self.assertEqual(self.chosen(), 51)
        self.add("a", 60, 70)
        self.db.execute("DELETE FROM a WHERE rowid = 70")
        self.assertEqual(self.chosen(), 61)
        self.db.execute("DELETE FROM a")
        self.assertEqual(self.chosen(), 1)
        self.db.execute("COMMIT")
        self.holds("a", 1)

    def test_the_smallest_rowid_deleted(self):
        self.add("a", -2**63)
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM a")
        self.assertEqual(self.chosen(), 1)
        self.db.execute("COMMIT")
        self.holds("a", 1)


SUFFIXES = ("config", "rows", "blocks", "data", "vectors", "partitions", "text", "model")


class BesideTablesOfTheUser(Indexes):
    """What the index did not make it does not take, and never drops or renames."""

    def tables(self):
        return {row[0] for row in self.rows("SELECT name FROM sqlite_master")}

    def test_create_where_a_name_is_taken(self):
        content = "CREATE VIRTUAL TABLE notes USING semantic_index(content = '{}', text = 'x')"
        for suffix in SUFFIXES:
            name = "Notes_" + suffix
            self.db.execute(f"CREATE TABLE {name}(x)")
            before = self.tables()
            for create in (EMPTY.format("notes"), content.format(name)):
                self.fails(f"notes_{suffix} is there already", create)
                self.assertEqual(self.tables(), before)
            self.db.execute(f"DROP TABLE {name}")
        self.db.execute("CREATE VIEW notes_model AS SELECT 1")
        self.fails("notes_model is there already", EMPTY.format("notes"))
        self.db.execute("DROP VIEW notes_model")
        self.db.execute(EMPTY.format("notes"))

    def test_rename_where_a_name_is_taken(self):
        self.add("a", 1)
        self.db.execute("CREATE TABLE b_vectors(x)")
        before = self.tables()
        self.fails("b_vectors is there already", "ALTER TABLE a RENAME TO b")
        self.assertEqual(self.tables(), before)
        self.holds("a", 1)

    def test_drop_and_rename_leave_other_tables(self):
        """The user's tables came later, or before a version that looks."""
        self.db.execute("CREATE TABLE films(title)")
        for options, theirs in (
                ("content = 'films', text = 'title'", ("text", "vectors", "partitions")),
                ("content = 'films', text = 'title', quantize = 'bit'", ("text",)),
                ("content = 'films', text = 'title', partitions = 4", ("text", "vectors")),
                ("quantize = 'int8'", ()),
                ("", ("vectors", "partitions"))):
            before = self.tables()
            self.db.execute(f"CREATE VIRTUAL TABLE notes USING semantic_index({options})")
            made = {"notes_" + suffix for suffix in SUFFIXES} - {"notes_" + t for t in theirs}
            self.assertLessEqual(made, self.tables())
            for suffix in theirs:
                self.db.execute(f"CREATE TABLE notes_{suffix}(x)")
                self.db.execute(f"INSERT INTO notes_{suffix} VALUES ('mine')")
            self.db.execute("ALTER TABLE notes RENAME TO others")
            self.db.execute("ALTER TABLE others RENAME TO x")
            for suffix in theirs:
                self.db.execute(f"ALTER TABLE notes_{suffix} RENAME TO x_{suffix}")
            self.db.execute("DROP TABLE x")
            self.assertEqual(self.tables() - before, {"x_" + suffix for suffix in theirs})
            for suffix in theirs:
                self.assertEqual(self.one(f"SELECT x FROM x_{suffix}"), "mine")
                self.db.execute(f"DROP TABLE x_{suffix}")


class WhatMayBeContent(Base):
    def test_tables_of_sqlite(self):
        self.db.execute("CREATE TABLE films(id INTEGER PRIMARY KEY AUTOINCREMENT, title)")
        for name in ("sqlite_schema", "sqlite_master", "SQLite_Schema", "sqlite_sequence"):
            self.fails(f"content: {name} belongs to SQLite",
                       "CREATE VIRTUAL TABLE ix USING semantic_index("
                       f"content = '{name}', text = 'name')")

    def test_tables_that_nobody_created(self):
        self.rows("SELECT * FROM rerank_models")
        for name in ("rerank_models", "rerank_stats", "pragma_database_list", "nothing"):
            self.fails(f"content: no table or view {name}",
                       "CREATE VIRTUAL TABLE ix USING semantic_index("
                       f"content = '{name}', text = 'name', content_rowid = 'name')")

    def test_a_schema_edited_by_hand(self):
        for name, why in (("rerank_models", "no such table: main.rerank_models"),
                          ("pragma_database_list", "no such table: main.pragma_database_list"),
                          ("sqlite_schema", "sqlite_schema belongs to SQLite")):
            self.db.execute("CREATE TABLE films(name, seq INTEGER PRIMARY KEY)")
            self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'films', "
                            "text = 'name')")
            self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (1, '[1, 0]')")
            self.db.execute("PRAGMA writable_schema = ON")
            self.db.execute("UPDATE sqlite_schema SET sql = replace(sql, 'films', ?) "
                            "WHERE name = 'ix'", (name,))
            self.db.close()
            self.db = connect(self.path)
            self.db.execute("PRAGMA trusted_schema = OFF")
            for sql in ("SELECT * FROM semantic_sync('ix')", "SELECT * FROM ix",
                        "INSERT INTO ix(rowid) VALUES (2)", "INSERT INTO ix(ix) VALUES ('sync')"):
                self.fails(f"content {name} cannot be read: {why}", sql)
            self.assertEqual(self.rows("SELECT rowid FROM ix"), [(1,)])
            self.db.execute("DROP TABLE ix")
            self.db.execute("DROP TABLE films")


class LoadedTwice(Indexes):
    """The first load stays: tables are connected by it."""

    def test_between_statements(self):
        self.add("a", 1)
        self.db.execute("BEGIN")
        self.add("a", 2)
        self.db.load_extension(EXTENSION)
        self.add("a", 3)
        self.db.execute("COMMIT")
        self.assertEqual(self.rows('SELECT "rows" FROM semantic_recall(?)', "a"), [(3,)])
        self.holds("a", 1, 2, 3)

    def test_while_a_statement_runs(self):
        self.add("a", 1, 2)
        rows = self.db.execute("SELECT rowid, vector_dims(embedding) FROM a")
        self.assertEqual(rows.fetchone(), (1, 2))
        self.db.load_extension(EXTENSION)
        self.assertEqual(rows.fetchone(), (2, 2))

    def test_under_an_authorizer(self):
        """One that denies the function by which the library is found, or every SELECT."""
        self.add("a", 1)
        self.db.execute("SELECT rerank_config('locked', 1)")
        for answer in (sqlite3.SQLITE_DENY, sqlite3.SQLITE_IGNORE):
            self.db.set_authorizer(lambda action, _, name, *others: answer
                                   if name == "rerank_version" else sqlite3.SQLITE_OK)
            rows = self.db.execute("SELECT rowid FROM a")
            self.db.load_extension(EXTENSION)
            self.assertEqual(rows.fetchall(), [(1,)])
        self.db.set_authorizer(lambda action, *others: sqlite3.SQLITE_DENY
                               if action == sqlite3.SQLITE_SELECT else sqlite3.SQLITE_OK)
        with self.assertRaisesRegex(sqlite3.Error, "the authorizer of this connection denies "
                                    "SELECT .*: load the library before it is set"):
            self.db.load_extension(EXTENSION)
        self.db.set_authorizer(None)
        self.add("a", 2)
        self.holds("a", 1, 2)
        self.assertEqual(self.rows("SELECT rerank_config('locked')"), [(1,)])

    def test_under_an_authorizer_of_pragmas(self):
        """Rows are written where the size of pages is not told."""
        for n, answer in enumerate((sqlite3.SQLITE_DENY, sqlite3.SQLITE_IGNORE)):
            self.db.execute(f"CREATE VIRTUAL TABLE coded{n} USING semantic_index(dimensions = 2, "
                            "quantize = 'bit')")
            self.db.set_authorizer(lambda action, *others: answer
                                   if action == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK)
            self.db.execute(f"INSERT INTO coded{n}(rowid, embedding) VALUES (1, ?), (2, ?)",
                            (blob(1, 2), blob(3, 4)))
            self.db.execute(f"DELETE FROM coded{n} WHERE rowid = 1")
            self.db.set_authorizer(None)
            self.db.execute(f"INSERT INTO coded{n}(coded{n}) VALUES ('integrity-check')")
            self.assertEqual(self.rows(f"SELECT rowid, embedding FROM coded{n}"),
                             [(2, blob(3, 4))])

    def test_another_version(self):
        db = sqlite3.connect(":memory:")
        self.addCleanup(db.close)
        db.enable_load_extension(True)
        db.create_function("rerank_version", 0, lambda: "0.0.9")
        with self.assertRaisesRegex(sqlite3.Error, "this connection has version 0.0.9 loaded, and "
                                    "version .* cannot be loaded beside it"):
            db.load_extension(EXTENSION)

    def test_what_is_in_the_way_is_named(self):
        db = sqlite3.connect(":memory:")
        self.addCleanup(db.close)
        db.enable_load_extension(True)
        db.create_function("embed", 1, lambda text: text)
        rows = db.execute("SELECT embed(value) FROM json_each('[1, 2]')")
        rows.fetchone()
        with self.assertRaisesRegex(sqlite3.Error, "rerank: unable to delete/modify user-function"):
            db.load_extension(EXTENSION)


if __name__ == "__main__":
    unittest.main()

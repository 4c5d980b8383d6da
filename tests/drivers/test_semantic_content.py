"""test_semantic_content.py: the content of an index changes its shape: columns come, go and are
renamed, the table is renamed or made anew, a view is redefined; and rows go that nobody reports."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, connect  # noqa: E402

DOCS = [("cats", "the cat sleeps", 1), ("dogs", "dogs bark", 2), ("sea", "a ship at sea", 3)]
COLUMNS = ["id", "title", "body", "year"]


class Docs(Base):
    OPTIONS = "content = 'docs', text = 'title, body', document = 'body'"

    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT, body TEXT, "
                        "year INT)")
        self.db.executemany("INSERT INTO docs(title, body, year) VALUES (?, ?, ?)", DOCS)
        self.make()

    def make(self):
        self.db.execute(f"CREATE VIRTUAL TABLE i USING semantic_index({self.OPTIONS})")
        self.db.execute("INSERT INTO i(i) VALUES ('sync')")
        self.other = connect(self.path)
        self.addCleanup(self.other.close)
        for db in self.each():
            self.assertEqual(self.names(db), COLUMNS)

    def each(self):
        return self.db, self.other

    def run_all(self, *statements):
        for statement in statements:
            self.db.execute(statement)

    def names(self, db, query="SELECT * FROM i('ship', 1)"):
        cursor = db.execute(query)
        cursor.fetchall()
        return [column[0] for column in cursor.description]

    def found(self, columns="id", db=None):
        return (db or self.db).execute(f"SELECT {columns} FROM i('ship', 1)").fetchall()

    def embeds_nothing(self):
        self.assertEqual(self.rows("SELECT embedded, deleted FROM semantic_sync('i')"), [(0, 0)])
        self.db.execute("INSERT INTO i(i) VALUES ('integrity-check')")


class Columns(Docs):
    def test_added(self):
        self.db.execute("ALTER TABLE docs ADD COLUMN author TEXT DEFAULT 'ann'")
        for db in self.each():
            self.assertEqual(self.names(db), COLUMNS + ["author"])
            self.assertEqual(self.found("year, author", db), [(3, "ann")])
        self.embeds_nothing()

    def test_added_under_a_name_of_ours(self):
        for name in ("rank", "i", "embedding"):
            self.db.execute(f"ALTER TABLE docs ADD COLUMN {name} TEXT DEFAULT 'theirs'")
        for db in self.each():
            self.assertEqual(self.names(db), COLUMNS)
            self.assertEqual(self.found("id, rank", db), [(3, 1)])
        self.embeds_nothing()

    def test_affinity_is_that_of_now(self):
        self.run_all("ALTER TABLE docs DROP COLUMN year", "ALTER TABLE docs ADD COLUMN year TEXT",
                     "UPDATE docs SET year = '3'")
        for db in self.each():
            self.assertEqual(db.execute("SELECT id FROM i WHERE year = 3").fetchall(),
                             [(1,), (2,), (3,)])

    def test_dropped(self):
        kept = self.db.cursor()
        self.db.execute("ALTER TABLE docs DROP COLUMN year")
        for db in self.each():
            self.assertEqual(self.names(db), COLUMNS[:3])
            self.assertEqual(self.found("title", db), [("sea",)])
            with self.assertRaisesRegex(Exception, "no such column: year"):
                self.found("year", db)
        self.assertEqual(kept.execute("SELECT id, relevance FROM i('ship') ORDER BY relevance DESC "
                                      "LIMIT 1").fetchall()[0][0], 3)
        self.run_all("INSERT INTO i(i) VALUES ('rebuild')", "INSERT INTO i(rowid) VALUES (1)")
        self.embeds_nothing()

    def test_dropped_column_of_the_reranker(self):
        self.db.execute("DROP TABLE i")
        self.OPTIONS = "content = docs, text = title, document = body"
        self.make()
        self.db.execute("ALTER TABLE docs DROP COLUMN body")
        for db in self.each():
            self.assertEqual(db.execute("SELECT id FROM i('sea', 1)").fetchall(), [(3,)])
            with self.assertRaisesRegex(Exception, "document: no such column: body"):
                db.execute("SELECT id FROM i('sea') ORDER BY relevance DESC").fetchall()
        self.embeds_nothing()
        self.db.execute("ALTER TABLE docs ADD COLUMN body TEXT DEFAULT 'the sea'")
        self.assertEqual(len(self.rows("SELECT id FROM i('sea') ORDER BY relevance DESC")), 3)

    def test_renamed(self):
        self.db.execute("ALTER TABLE docs RENAME COLUMN year TO published")
        for db in self.each():
            self.assertEqual(self.found("title, published", db), [("sea", 3)])
        self.embeds_nothing()

    def test_embedded_column_is_renamed_and_back(self):
        self.db.execute("ALTER TABLE docs RENAME COLUMN title TO heading")
        why = ("content docs cannot be read: no such column: title, which the index embeds "
               ".rename it back, or make a view")
        for sql in ("SELECT * FROM semantic_sync('i')", "INSERT INTO i(i) VALUES ('sync')",
                    "INSERT INTO i(rowid) VALUES (1)", "INSERT INTO i(i) VALUES ('rebuild')"):
            self.fails(why, sql)
        for db in self.each():
            self.assertEqual(self.found("heading, body", db), [("sea", "a ship at sea")])
        self.db.execute("ALTER TABLE docs RENAME COLUMN heading TO title")
        self.embeds_nothing()

    def test_a_view_gives_an_embedded_column_its_name(self):
        self.run_all("ALTER TABLE docs RENAME COLUMN title TO heading",
                     "CREATE VIEW d AS SELECT id AS rowid, id, heading AS title, body, year FROM "
                     "docs", "INSERT INTO i(i) VALUES ('content d')")
        for db in self.each():
            self.assertEqual(self.found("title, body", db), [("sea", "a ship at sea")])
        self.embeds_nothing()

    def test_in_a_transaction_that_is_rolled_back(self):
        for change in ("ALTER TABLE docs ADD COLUMN author", "ALTER TABLE docs DROP COLUMN year",
                       "ALTER TABLE docs RENAME COLUMN year TO y"):
            for begin, end in (("BEGIN", ("ROLLBACK",)),
                               ("SAVEPOINT s", ("ROLLBACK TO s", "RELEASE s"))):
                self.run_all(begin, "INSERT INTO i(rowid) VALUES (2)", change)
                self.assertNotEqual(self.names(self.db), COLUMNS)
                self.run_all(*end)
                self.assertEqual(self.names(self.db), COLUMNS)
                self.embeds_nothing()

    def test_while_a_search_is_read(self):
        cursor = self.db.execute("SELECT title FROM i('ship')")
        self.assertEqual(cursor.fetchone(), ("sea",))
        self.other.execute("PRAGMA busy_timeout = 10")
        self.db.execute("ALTER TABLE docs ADD COLUMN author")
        self.assertEqual(len(cursor.fetchall()), 2)
        self.assertEqual(self.names(self.db), COLUMNS + ["author"])


class MadeAnew(Docs):
    TABLE = ("CREATE TABLE {}(year INT, body TEXT, title TEXT, id INTEGER PRIMARY KEY, extra)",
             "INSERT INTO {}(id, title, body, year) SELECT id, title, body, year FROM {}")

    def shows_its_own(self):
        for db in self.each():
            self.assertEqual(self.names(db), ["year", "body", "title", "id", "extra"])
            self.assertEqual(self.found("id, title, body, year, extra", db),
                             [(3, "sea", "a ship at sea", 3, None)])
        self.embeds_nothing()

    def test_by_renaming(self):
        create, copy = self.TABLE
        self.run_all("BEGIN", create.format("made"), copy.format("made", "docs"), "DROP TABLE docs",
                     "ALTER TABLE made RENAME TO docs", "COMMIT")
        self.shows_its_own()

    def test_by_dropping_it_first(self):
        create, copy = self.TABLE
        self.run_all("CREATE TEMP TABLE kept AS SELECT * FROM docs", "DROP TABLE docs",
                     create.format("docs"), copy.format("docs", "temp.kept"))
        self.assertEqual(self.found("title, body"), [("sea", "a ship at sea")])
        self.shows_its_own()

    def test_redefined_view(self):
        self.db.execute("DROP TABLE i")
        self.db.execute("CREATE VIEW v AS SELECT id, title, body, year FROM docs")
        self.OPTIONS = "content = v, text = 'title, body', content_rowid = id"
        self.make()
        for columns in ("body, id, title, year * 2 AS twice", "title, id, body", "year, body, id, "
                        "title"):
            self.run_all("DROP VIEW v", f"CREATE VIEW v AS SELECT {columns} FROM docs")
            names = [c.split()[-1] for c in columns.split(", ")]
            self.embeds_nothing()
            for db in self.each():
                self.assertEqual(self.found("title, body", db), [("sea", "a ship at sea")])
                self.assertEqual(self.names(db), names)
        self.run_all("DROP VIEW v", "CREATE VIEW v AS SELECT id, title FROM docs")
        for db in self.each():
            self.assertEqual(self.found("title", db), [("sea",)])
        self.fails("no such column: body, which the index embeds", "SELECT * FROM "
                   "semantic_sync('i')")

    def test_redefined_view_in_a_statement_that_writes(self):
        """Its columns are read by name also while SQLite knows them by other places."""
        self.db.execute("DROP TABLE i")
        self.db.execute("CREATE VIEW v AS SELECT id, title, body, year FROM docs")
        self.OPTIONS = "content = v, text = 'title, body', content_rowid = id"
        self.make()
        self.run_all("DROP VIEW v", "CREATE VIEW v AS SELECT year, title, id, body FROM docs",
                     "CREATE TABLE got AS SELECT id, title, year FROM i('ship', 1)")
        self.assertEqual(self.rows("SELECT * FROM got"), [(3, "sea", 3)])


class Renamed(Docs):
    def test_and_told(self):
        self.db.execute("ALTER TABLE docs RENAME TO papers")
        why = (r"content docs cannot be read: no such table: main.docs \(rename it back, or tell "
               r"its new name: INSERT INTO i\(i\) VALUES \('content NAME'\)\)")
        for sql in ("SELECT title FROM i", "SELECT id FROM i('ship', 1)",
                    "INSERT INTO i(rowid) VALUES (1)", "INSERT INTO i(i) VALUES ('sync')",
                    "SELECT * FROM semantic_sync('i')"):
            self.fails(why, sql)
        self.assertEqual(self.rows("SELECT rowid FROM i"), [(1,), (2,), (3,)])
        self.db.execute("INSERT INTO i(i) VALUES ('content papers')")
        for db in (*self.each(), connect(self.path)):
            self.assertEqual(self.found("title", db), [("sea",)])
        self.embeds_nothing()
        self.run_all("ALTER TABLE papers RENAME TO \"odd name\"",
                     "INSERT INTO i(i) VALUES ('content \"odd name\"')")
        self.embeds_nothing()
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE '%reload'"), [])

    def test_and_back(self):
        self.run_all("ALTER TABLE docs RENAME TO papers", "ALTER TABLE papers RENAME TO docs")
        self.embeds_nothing()

    def test_rolled_back(self):
        self.db.execute("CREATE VIEW papers AS SELECT id AS rowid, * FROM docs")
        for begin, end in (("BEGIN", ("ROLLBACK",)),
                           ("SAVEPOINT s", ("ROLLBACK TO s", "RELEASE s"))):
            self.run_all(begin, "INSERT INTO i(i) VALUES ('content papers')")
            self.assertEqual(self.found("title"), [("sea",)])
            self.run_all("UPDATE docs SET title = 'x'", *end, "UPDATE docs SET year = year")
            self.assertIsNone(self.db.execute("SELECT max(value) FROM i_config WHERE key = "
                                              "'content'").fetchone()[0])
            self.embeds_nothing()

    def test_what_is_refused(self):
        self.run_all("CREATE TABLE other(id INTEGER PRIMARY KEY, title TEXT)",
                     "CREATE VIEW v AS SELECT title, body FROM docs",
                     "CREATE TABLE keyed(rowid TEXT NOT NULL UNIQUE, title, body)")
        for name, why in (("other", "text: other has no column 'body'"),
                          ("nothing", "content: no table or view nothing in schema main"),
                          ("sqlite_schema", "belongs to SQLite"),
                          ("v", "content_rowid: v has no column 'rowid'"),
                          ("keyed", "is no integer|of its own"),
                          ("", "expected column names"), ("a, b", "expected one table or view")):
            self.fails(why, f"INSERT INTO i(i) VALUES ('content {name}')")
        self.embeds_nothing()
        self.db.execute("CREATE VIRTUAL TABLE n USING semantic_index()")
        self.fails("no content table", "INSERT INTO n(n) VALUES ('content docs')")

    def test_beside_a_broken_view(self):
        self.run_all("CREATE TABLE gone(a)", "CREATE VIEW broken AS SELECT a FROM gone",
                     "DROP TABLE gone", "CREATE TABLE papers AS SELECT * FROM docs")
        self.db.execute("INSERT INTO i(i) VALUES ('content papers')")
        self.embeds_nothing()


    def test_rows_that_wait(self):
        """Rows of this transaction are read by the name that the content has when they are."""
        self.run_all("ALTER TABLE docs RENAME TO papers", "BEGIN",
                     "INSERT INTO i(i) VALUES ('content papers')",
                     "INSERT INTO papers(id, title, body) VALUES (90, 'owls', 'an owl hoots')",
                     "INSERT INTO i(i, rowid) VALUES ('changed', 90)", "COMMIT")
        self.assertEqual(self.rows("SELECT rowid FROM i('owl', 1)"), [(90,)])
        self.run_all("BEGIN", "INSERT INTO papers(id, title, body) VALUES (91, 'frogs', 'a frog')",
                     "INSERT INTO i(i, rowid) VALUES ('changed', 91)",
                     "ALTER TABLE papers RENAME TO sheets")
        self.fails("content papers cannot be read", "COMMIT")
        self.run_all("INSERT INTO i(i) VALUES ('content sheets')", "COMMIT")
        self.assertEqual(self.rows("SELECT rowid FROM i('frog', 1)"), [(91,)])

    def test_an_older_name_comes_back(self):
        self.run_all("BEGIN", "INSERT INTO docs(id, title, body) VALUES (90, 'owls', 'an owl')",
                     "INSERT INTO i(i, rowid) VALUES ('changed', 90)", "SAVEPOINT a",
                     "ALTER TABLE docs RENAME TO papers",
                     "INSERT INTO i(i) VALUES ('content papers')")
        self.assertEqual(self.rows("SELECT rowid FROM i('owl', 1)"), [(90,)])
        self.run_all("ROLLBACK TO a", "COMMIT")
        self.assertEqual(self.rows("SELECT rowid FROM i('owl', 1)"), [(90,)])


class Gone(Docs):
    def test_table(self):
        self.db.execute("DROP TABLE docs")
        for db in self.each():
            with self.assertRaisesRegex(Exception, "no such table: main.docs"):
                self.found("title", db)
            self.assertEqual(len(db.execute("SELECT rowid FROM i").fetchall()), 3)
        self.db.execute("DROP TABLE i")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema"), [])

    def test_another_name_for_the_index(self):
        self.run_all("ALTER TABLE docs DROP COLUMN year", "ALTER TABLE i RENAME TO year",
                     "DROP TABLE docs")
        for db in (*self.each(), connect(self.path)):
            self.assertEqual(len(db.execute("SELECT rowid FROM year").fetchall()), 3)
        self.db.execute("DROP TABLE year")

    def hits(self, sql="SELECT id FROM i('ship', {})", k=2):
        return [row[0] for row in self.rows(sql.format(k))]

    def test_rows_take_no_place(self):
        self.db.executemany("INSERT INTO docs(title, body) VALUES (?, ?)",
                            [("ship %d" % n, "a ship at sea " + "x" * n) for n in range(40)])
        self.db.execute("INSERT INTO i(i) VALUES ('sync')")
        everything = self.hits(k=100)
        for n_gone in (1, 3, 20, 39):
            gone = everything[:n_gone]
            self.db.execute("DELETE FROM docs WHERE id IN (%s)" % ",".join(map(str, gone)))
            left = everything[n_gone:]
            for k in (1, 2, 5, 100):
                self.assertEqual(self.hits(k=k), left[:k])
                self.assertEqual([r[0] for r in self.rows(
                    "SELECT id FROM semantic_search_each('i', '[\"ship\"]', ?)", k)], left[:k])
            self.assertEqual([r[0] for r in self.rows("SELECT rowid FROM i('ship')")], left)
            self.assertEqual([r[0] for r in self.rows("SELECT rowid FROM i('ship') LIMIT 3")],
                             left[:3])
            self.assertEqual([r[0] for r in self.rows("SELECT rank FROM i('ship') LIMIT 3")],
                             [1, 2, 3][:len(left)])
            self.assertEqual(len(self.rows("SELECT id FROM i('ship') ORDER BY relevance DESC")),
                             min(25, len(left)))
        self.assertEqual(self.rows("SELECT recall FROM semantic_recall('i')"), [(1.0,)])
        self.rows("SELECT * FROM semantic_sync('i')")
        self.assertEqual(self.hits(k=100), left)

    def test_rows_of_codes_and_partitions(self):
        self.db.execute("DROP TABLE i")
        self.OPTIONS += ", quantize = int8, partitions = 3"
        self.make()
        self.db.execute("DELETE FROM docs WHERE id = 3")
        self.assertEqual(sorted(self.hits()), [1, 2])
        self.db.execute("DELETE FROM docs")
        self.assertEqual(self.hits(), [])
        self.assertEqual(self.rows("SELECT rowid FROM i('ship') LIMIT 1"), [])

    def test_rows_that_left_a_view(self):
        self.db.execute("DROP TABLE i")
        self.db.execute("CREATE VIEW v AS SELECT id, title, body, year FROM docs WHERE year > 0")
        self.OPTIONS = "content = v, text = 'title, body', content_rowid = id"
        self.make()
        self.db.execute("UPDATE docs SET year = 0 WHERE id = 3")
        self.assertEqual(sorted(self.hits()), [1, 2])

    def test_vacuum_renumbers_rows(self):
        """A table without INTEGER PRIMARY KEY: nothing tells but the texts."""
        self.run_all("CREATE TABLE plain(title)", "INSERT INTO plain SELECT title FROM docs",
                     "CREATE VIRTUAL TABLE p USING semantic_index(content = plain, text = title)",
                     "INSERT INTO p(p) VALUES ('sync')", "INSERT INTO p(p) VALUES "
                     "('integrity-check')", "DELETE FROM plain WHERE title = 'cats'",
                     "DELETE FROM p WHERE rowid = 1", "INSERT INTO p(p) VALUES ('integrity-check')",
                     "VACUUM")
        self.fails("plain has no INTEGER PRIMARY KEY, so that VACUUM gives its rows other numbers",
                   "INSERT INTO p(p) VALUES ('integrity-check')")
        self.run_all("INSERT INTO p(p) VALUES ('sync')", "INSERT INTO p(p) VALUES "
                     "('integrity-check')")


if __name__ == "__main__":
    unittest.main()

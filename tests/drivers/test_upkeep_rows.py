"""upkeep = 'triggers': names that change under it, and rows that are not as others."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import connect  # noqa: E402
from test_upkeep import UpkeepBase  # noqa: E402


class Followed(UpkeepBase):
    """SQLite renames columns in the triggers, which tell the index."""

    def setUp(self):
        super().setUp()
        self.db.execute('CREATE TABLE papers(uid TEXT NOT NULL UNIQUE, "odd "", name" TEXT, more)')
        self.db.execute("INSERT INTO papers VALUES ('a', 'bats', 1), ('b', 'ships', 2)")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = papers, text = "
                        "'more, \"odd \"\", name\"', content_rowid = uid, upkeep = 'triggers')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.other = connect(self.path)
        self.addCleanup(self.other.close)

    def follows(self, key, table="papers"):
        self.db.execute(f"DELETE FROM {table}")
        for n, db in enumerate((self.db, self.other)):
            db.execute(f"INSERT INTO {table} VALUES (?, 'trains', {n}), (?, 'owls', {n})",
                       (f"x{n}", f"y{n}"))
            self.assertEqual(db.execute(f"SELECT {key} FROM ix('owls {n}', 1)").fetchall(),
                             [(f"y{n}",)])
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 4)
        self.assertEqual(self.rows("SELECT problem, advice FROM semantic_status('ix') "
                                   "WHERE advice NOT LIKE 'rebuild%'"), [])
        self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.assertEqual(self.rows("SELECT embedded, deleted FROM semantic_sync('ix')"), [(0, 0)])

    def test_key_and_text(self):
        for legacy in ("OFF", "ON"):
            self.db.execute(f"PRAGMA legacy_alter_table = {legacy}")
            for before, after in (("uid", "rank"), ("rank", '"a key, ""odd"""'),
                                  ('"a key, ""odd"""', "uid")):
                self.db.execute(f"ALTER TABLE papers RENAME COLUMN {before} TO {after}")
                if after != "rank":
                    self.follows(after)
            self.db.execute('ALTER TABLE papers RENAME COLUMN "odd "", name" TO title')
            self.follows("uid")
            self.db.execute('ALTER TABLE papers RENAME COLUMN title TO "odd "", name"')
            self.follows("uid")

    def test_another_column_takes_the_name(self):
        self.db.execute("ALTER TABLE papers RENAME COLUMN uid TO guid")
        self.db.execute("ALTER TABLE papers RENAME COLUMN more TO uid")
        self.follows("guid")

    def test_the_table(self):
        self.db.execute("ALTER TABLE papers RENAME TO archive")
        self.follows("uid", "archive")
        self.db.execute("INSERT INTO ix(ix) VALUES ('content archive')")
        self.follows("uid", "archive")

    def test_rolled_back(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO papers VALUES ('c', 'snow', 3)")
        self.db.execute("ALTER TABLE papers RENAME COLUMN uid TO guid")
        self.db.execute("ALTER TABLE papers RENAME TO archive")
        self.db.execute("SAVEPOINT s")
        self.db.execute("ALTER TABLE archive RENAME COLUMN more TO less")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 3)
        self.db.execute("ROLLBACK TO s")
        self.db.execute("UPDATE archive SET more = 'rain' WHERE guid = 'c'")
        self.assertEqual(self.one("SELECT guid FROM ix('rain', 1)"), "c")
        self.db.execute("ROLLBACK")
        self.follows("uid")

    def test_a_reader(self):
        self.db.execute("ALTER TABLE papers RENAME COLUMN uid TO guid")
        db = connect(f"file:{self.path}?mode=ro", uri=True)
        self.addCleanup(db.close)
        self.assertEqual(db.execute("SELECT guid FROM ix('ships', 1)").fetchall(), [("b",)])

    def test_another_content(self):
        """Triggers go with 'content NAME', or all stays as it was."""
        self.db.execute("CREATE TABLE films(uid TEXT NOT NULL UNIQUE, \"odd \"\", name\", more)")
        self.db.execute("CREATE VIEW papers_view AS SELECT * FROM papers")
        self.db.execute("CREATE VIRTUAL TABLE fts USING fts5(uid, \"odd \"\", name\", more)")
        for command, why in (("content papers_view", "papers_view is a view, which cannot have"),
                             ("content fts", "fts is a virtual table, which cannot have")):
            for begin, end in (("SELECT 1", "SELECT 1"), ("BEGIN", "COMMIT")):
                self.db.execute(begin)
                self.fails(why, "INSERT INTO ix(ix) VALUES (?)", command)
                self.db.execute(end)
                self.follows("uid")
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(ix) VALUES ('content films')")
        self.db.execute("INSERT INTO films VALUES ('f', 'a film', 1)")
        self.assertEqual(self.one("SELECT uid FROM ix('film', 1)"), "f")
        self.db.execute("ROLLBACK")
        self.follows("uid")
        self.db.execute("INSERT INTO ix(ix) VALUES ('content films')")
        self.db.execute("INSERT INTO papers VALUES ('n', 'not noted', 1)")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.follows("uid", "films")
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.triggers(), [])

    def test_all_or_nothing(self):
        """A command that fails half way leaves the triggers, in a transaction too."""
        self.db.execute("CREATE TRIGGER ix_upkeep_before_update_ AFTER INSERT ON papers BEGIN "
                        "SELECT 1; END")
        self.db.execute("PRAGMA writable_schema = ON")
        self.db.execute("UPDATE sqlite_schema SET name = 'ix_upkeep_before_update', sql = "
                        "replace(sql, 'update_', 'update') WHERE name = 'ix_upkeep_before_update_'")
        self.db.execute("DELETE FROM sqlite_schema WHERE name = 'ix_upkeep_before_update' AND "
                        "sql LIKE '%changing%'")
        self.db.execute("PRAGMA writable_schema = RESET")
        before = self.rows("SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")
        self.db.execute("BEGIN")
        for command in ("upkeep", "content papers"):
            self.fails("a trigger ix_upkeep_before_update is there already",
                       "INSERT INTO ix(ix) VALUES (?)", command)
        self.db.execute("COMMIT")
        self.assertEqual(self.rows("SELECT sql FROM sqlite_schema WHERE type = 'trigger' "
                                   "ORDER BY name"), before)


class Odd(UpkeepBase):
    """Rows that the index cannot have fail no statement on the table, and no sync."""

    def test_null_in_a_primary_key(self):
        self.db.execute("CREATE TABLE t(uuid TEXT PRIMARY KEY, title TEXT)")
        self.db.execute("INSERT INTO t VALUES ('a', 'a cat'), (NULL, 'x'), (NULL, 'y'), "
                        "('b', 'a dog')")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = t, text = title, "
                        "content_rowid = uuid)")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.rows("SELECT uuid FROM ix ORDER BY uuid"), [("a",), ("b",)])
        self.assertEqual(self.rows("SELECT pending, failed, advice FROM semantic_status('ix')"),
                         [(0, 2, "2 rows of t are left out: their uuid is NULL")])
        self.assertEqual(self.rows("SELECT embedded, failed, total FROM semantic_sync('ix')"),
                         [(0, 2, 2)])
        self.db.execute("UPDATE t SET uuid = 'c' WHERE title = 'x'")
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 3)
        self.check()

    def test_keys(self):
        for column, bad, good in (("TEXT PRIMARY KEY", None, "b"),
                                  ("INT NOT NULL UNIQUE", "A-1", 5),
                                  ("INT NOT NULL UNIQUE", 2.5, 5),
                                  ("INT NOT NULL UNIQUE", b"x", 5),
                                  ("INT PRIMARY KEY", None, 5)):
            with self.subTest(column=column, bad=bad):
                self.db.execute(f"CREATE TABLE t(key {column}, title, n UNIQUE)")
                self.db.execute("INSERT INTO t VALUES (?, 'there before', 1)", (bad,))
                self.make(content="t", options=", content_rowid = key")
                self.db.execute("INSERT INTO t VALUES (?, 'good', 2)", (good,))
                self.assertEqual(self.rows("SELECT rowid > 0, title FROM ix"), [(1, "good")])
                self.db.execute("REPLACE INTO t SELECT key, title || '!', n FROM t")
                self.db.execute("UPDATE OR REPLACE t SET n = 1 WHERE n = 2")
                self.assertEqual(self.rows("SELECT title FROM ix"), [("good!",)])
                self.db.execute("UPDATE t SET key = ? WHERE n = 1", (bad,))
                self.assertEqual(self.rows("SELECT title FROM ix"), [])
                self.assertEqual(self.rows("SELECT pending, gone, failed FROM "
                                           "semantic_status('ix')"), [(0, 0, 1)])
                self.assertIn("1 row of t is left out: its key is ",
                              self.one("SELECT advice FROM semantic_status('ix')"))
                self.db.execute("UPDATE t SET key = ?", (good,))
                self.assertEqual(self.rows("SELECT title FROM ix"), [("good!",)])
                self.db.execute("DELETE FROM t")
                self.assertEqual(self.rows("SELECT title FROM ix"), [])
                self.check()
                self.db.execute("DROP TABLE ix")
                self.db.execute("DROP TABLE t")

    def test_generated_columns(self):
        """Of columns that an UPDATE leaves alone a BEFORE trigger is told only what it asks."""
        for kind in ("STORED", "VIRTUAL"):
            self.db.execute(f"CREATE TABLE t(id INTEGER PRIMARY KEY, title, a, b, c, g AS "
                            f"(a || '/' || B || '/' || length(\"c\")) {kind} UNIQUE)")
            self.make(content="t")
            self.db.execute("INSERT INTO t VALUES (1, 'one', 1, 1, 'x'), (2, 'two', 1, 2, 'x'), "
                            "(3, 'three', 2, 2, 'xx')")
            self.db.execute("UPDATE OR REPLACE t SET b = 2 WHERE id = 1")
            self.assertEqual(self.ids(), [1, 3])
            self.db.execute("UPDATE OR REPLACE t SET c = 'yy', a = 2 WHERE id = 1")
            self.assertEqual(self.ids(), [1])
            self.db.execute("REPLACE INTO t VALUES (4, 'four', 2, 2, 'zz')")
            self.assertEqual(self.ids(), [4])
            self.db.execute("ALTER TABLE t ADD COLUMN unrelated")
            self.db.execute("ALTER TABLE t RENAME COLUMN b TO other")
            self.assertIsNone(self.one("SELECT problem FROM semantic_status('ix')"))
            self.check()
            self.db.execute("DROP TABLE ix")
            self.db.execute("DROP TABLE t")

    def test_null_becomes_the_default(self):
        self.db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, title, u TEXT NOT NULL DEFAULT "
                        "('it''s ' || 7) UNIQUE)")
        self.make(content="t")
        self.db.execute("INSERT INTO t(id, title) VALUES (1, 'one')")
        self.db.execute("REPLACE INTO t VALUES (2, 'two', NULL)")
        self.assertEqual(self.ids(), [2])
        self.db.execute("INSERT INTO t VALUES (3, 'three', 'u')")
        self.db.execute("UPDATE OR REPLACE t SET u = NULL WHERE id = 3")
        self.assertEqual(self.ids(), [3])
        self.check()


if __name__ == "__main__":
    unittest.main()

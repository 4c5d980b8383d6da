"""upkeep = 'triggers': made, dropped, renamed with the index; the content and schemas under it."""
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, connect  # noqa: E402

NAMES = ["ix_upkeep_before_insert", "ix_upkeep_before_update", "ix_upkeep_delete",
         "ix_upkeep_insert", "ix_upkeep_update"]


class UpkeepBase(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT, code UNIQUE, n INT)")
        self.db.execute("INSERT INTO docs VALUES (1, 'cats', 'a', 0), (2, 'dogs', 'b', 0)")

    def make(self, name="ix", content="docs", options="", schema="main"):
        self.db.execute(f"CREATE VIRTUAL TABLE {schema}.{name} USING semantic_index("
                        f"content = '{content}', text = 'title', upkeep = 'triggers'{options})")
        self.db.execute(f"INSERT INTO {schema}.{name}({name}) VALUES ('sync')")

    def triggers(self, schema="main"):
        return [row[0] for row in self.rows(
            f"SELECT name FROM {schema}.sqlite_master WHERE type = 'trigger' ORDER BY name")]

    def in_step(self, name="ix", content="docs", schema="main"):
        """Writes of each kind, and what the index has then."""
        self.db.execute(f"REPLACE INTO {schema}.{content}(id, title, code) "
                        "VALUES (11, 'ship', 'a')")
        self.db.execute(f"INSERT INTO {schema}.{content}(id, title) VALUES (12, 'sea')")
        self.db.execute(f"UPDATE {schema}.{content} SET title = 'owls' WHERE id = 2")
        self.db.execute(f"UPDATE {schema}.{content} SET id = 13 WHERE id = 12")
        self.assertEqual(self.rows(f"SELECT rowid FROM {schema}.{name}"), [(2,), (11,), (13,)])
        self.assertEqual(self.one(f"SELECT rowid FROM {schema}.{name}('owls', 1)"), 2)
        self.db.execute(f"DELETE FROM {schema}.{content} WHERE id > 11")
        self.assertEqual(self.rows(f"SELECT rowid FROM {schema}.{name}"), [(2,), (11,)])
        self.db.execute(f"INSERT INTO {schema}.{name}({name}) VALUES ('integrity-check')")
        self.assertEqual(self.rows("SELECT embedded, deleted FROM semantic_sync(?, ?)", name,
                                   schema), [(0, 0)])


class Made(UpkeepBase):
    def test_made_and_dropped(self):
        self.make()
        self.assertEqual(self.triggers(), NAMES)
        self.in_step()
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.triggers(), [])
        self.db.execute("INSERT INTO docs(title) VALUES ('after')")

    def test_only_what_is_needed(self):
        self.db.execute("CREATE TABLE plain(id INTEGER PRIMARY KEY, title)")
        self.make(content="plain")
        self.assertEqual(self.triggers(), NAMES[2:])

    def test_rolled_back(self):
        for command in ("ROLLBACK", "ROLLBACK TO s"):
            self.db.execute("BEGIN")
            self.db.execute("SAVEPOINT s")
            self.make()
            self.db.execute("INSERT INTO docs(title) VALUES ('goes')")
            self.db.execute(command)
            if self.db.in_transaction:
                self.db.execute("COMMIT")
            self.assertEqual(self.triggers(), [])
            self.db.execute("INSERT INTO docs(title) VALUES ('stays')")
            self.db.execute("DELETE FROM docs WHERE title = 'stays'")
        self.make()
        self.db.execute("BEGIN")
        self.db.execute("DROP TABLE ix")
        self.db.execute("ROLLBACK")
        self.assertEqual(self.triggers(), NAMES)
        self.in_step()

    def test_refused(self):
        self.db.execute("CREATE VIEW v AS SELECT id, title FROM docs")
        self.db.execute("CREATE VIRTUAL TABLE fts USING fts5(title)")
        self.db.execute("CREATE TABLE by_expression(title)")
        self.db.execute("CREATE UNIQUE INDEX lower_title ON by_expression(lower(title))")
        for content, options, what in (
                ("v", ", content_rowid = 'id'", "v is a view.*'changed'"),
                ("fts", "", "fts is a virtual table.*'changed'"),
                ("by_expression", "", "the unique index lower_title of .* is on an expression")):
            self.fails(f"upkeep: {what}",
                       "CREATE VIRTUAL TABLE ix USING semantic_index(text = 'title', upkeep = "
                       f"'triggers', content = '{content}'{options})")
        self.fails("upkeep must be 'none' or 'triggers', not 'yes'",
                   "CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'title', "
                   "upkeep = 'yes')")
        self.fails("upkeep needs content",
                   "CREATE VIRTUAL TABLE ix USING semantic_index(upkeep = 'triggers')")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'ix%'"), [])

    def test_names_that_are_taken(self):
        self.db.execute("CREATE TRIGGER ix_upkeep_DELETE AFTER DELETE ON docs BEGIN SELECT 1; END")
        self.fails("ix_upkeep_delete is there already", "CREATE VIRTUAL TABLE ix USING "
                   "semantic_index(content = 'docs', text = 'title', upkeep = 'triggers')")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'ix_rows%'"), [])
        self.make("iy")
        self.fails("ix_upkeep_delete is there already", "ALTER TABLE iy RENAME TO ix")
        self.in_step("iy")
        self.db.execute("DROP TABLE iy")
        self.assertEqual(self.triggers(), ["ix_upkeep_DELETE"])

    def test_a_trigger_of_the_users_stays(self):
        """It took the place of ours."""
        self.make()
        self.db.execute("DROP TRIGGER ix_upkeep_delete")
        self.db.execute("CREATE TRIGGER ix_upkeep_delete AFTER DELETE ON docs BEGIN SELECT 1; END")
        self.fails("ix_upkeep_delete is missing or not what docs needs now: .*'upkeep'",
                   "INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.fails("ix_upkeep_delete is there already", "INSERT INTO ix(ix) VALUES ('upkeep')")
        self.assertEqual(self.triggers(), NAMES)
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.triggers(), ["ix_upkeep_delete"])

    def test_made_again(self):
        self.make()
        for name in NAMES:
            self.db.execute(f"DROP TRIGGER {name}")
            self.fails(f"trigger {name} is missing",
                       "INSERT INTO ix(ix) VALUES ('integrity-check')")
            self.assertEqual(self.one("SELECT advice FROM semantic_status('ix')"),
                             f"upkeep: trigger {name} is missing or stale")
            self.db.execute("INSERT INTO ix(ix) VALUES ('upkeep')")
            self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.assertIsNone(self.one("SELECT advice FROM semantic_status('ix')"))
        self.assertEqual(self.triggers(), NAMES)
        self.in_step()
        self.db.execute("CREATE VIRTUAL TABLE other USING semantic_index(content = 'docs', "
                        "text = 'title')")
        self.fails("'upkeep' is for an index", "INSERT INTO other(other) VALUES ('upkeep')")

    def test_a_unique_index_that_came_later(self):
        self.make()
        self.db.execute("CREATE UNIQUE INDEX by_n ON docs(n) WHERE n > 5")
        self.fails("ix_upkeep_before_insert is missing or not what",
                   "INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('upkeep')")
        self.db.execute("INSERT INTO docs VALUES (3, 'three', 'c', 7), (4, 'four', 'd', 3)")
        self.db.execute("REPLACE INTO docs VALUES (5, 'five', 'e', 7), (6, 'six', 'f', 3)")
        self.assertEqual(self.ids(), [1, 2, 4, 5, 6])


class Renamed(UpkeepBase):
    def setUp(self):
        super().setUp()
        self.make()

    def test_what_a_unique_index_depends_on(self):
        """REPLACE may come from a column of its WHERE, or of its expression."""
        for n, (index, change) in enumerate((("slug) WHERE live", "live = 1"),
                                             ("slug, lower(live))", "live = 'A'"))):
            self.db.execute(f"CREATE TABLE t{n}(id INTEGER PRIMARY KEY, title, slug, live)")
            self.db.execute(f"CREATE UNIQUE INDEX u{n} ON t{n}({index}")
            self.db.execute(f"INSERT INTO t{n} VALUES (1, 'one', 's', ?), (2, 'two', 's', 0)",
                            ("1a"[n],))
            self.make(f"i{n}", f"t{n}")
            self.db.execute(f"UPDATE OR REPLACE t{n} SET {change} WHERE id = 2")
            self.assertEqual(self.rows(f"SELECT id FROM t{n}"), [(2,)])
            self.assertEqual(self.rows(f"SELECT rowid FROM i{n}"), [(2,)])

    def test_the_index(self):
        for legacy in ("OFF", "ON"):
            self.db.execute(f"PRAGMA legacy_alter_table = {legacy}")
            for before, name in (("ix", "iy"), ("iy", '"odd ""name"'), ('"odd ""name"', "ix")):
                self.db.execute(f"ALTER TABLE {before} RENAME TO {name}")
                self.db.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")
                self.db.execute("INSERT INTO docs(id, title) VALUES (9, 'nine')")
                self.assertEqual(self.rows(f"SELECT rowid FROM {name}"), [(1,), (2,), (9,)])
                self.db.execute("DELETE FROM docs WHERE id = 9")
                self.assertEqual(self.rows(f"SELECT rowid FROM {name}"), [(1,), (2,)])
        self.assertEqual(self.triggers(), NAMES)
        self.db.execute("BEGIN")
        self.db.execute("ALTER TABLE ix RENAME TO iy")
        self.db.execute("INSERT INTO docs(id, title) VALUES (9, 'nine')")
        self.db.execute("ROLLBACK")
        self.assertEqual(self.triggers(), NAMES)
        self.in_step()

    def test_columns(self):
        self.db.execute("ALTER TABLE docs RENAME COLUMN code TO kode")
        self.db.execute("ALTER TABLE docs RENAME COLUMN id TO number")
        self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.db.execute("ALTER TABLE docs ADD COLUMN more TEXT")
        self.db.execute("ALTER TABLE docs DROP COLUMN n")
        self.db.execute("REPLACE INTO docs(number, title, kode) VALUES (5, 'five', 'a')")
        self.assertEqual(self.ids(), [2, 5])
        self.db.execute("ALTER TABLE docs RENAME COLUMN number TO id")
        self.db.execute("ALTER TABLE docs RENAME COLUMN kode TO code")
        self.in_step()

    def test_the_content(self):
        """SQLite renames it in the triggers, and the index is told by a command."""
        for legacy in ("OFF", "ON"):
            self.db.execute(f"PRAGMA legacy_alter_table = {legacy}")
            for before, name in (("docs", "papers"), ("papers", "docs")):
                self.db.execute(f"ALTER TABLE {before} RENAME TO {name}")
                self.db.execute(f"INSERT INTO ix(ix) VALUES ('content {name}')")
                if legacy == "ON":  # in the bodies it does not
                    self.db.execute("INSERT INTO ix(ix) VALUES ('upkeep')")
                self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
                self.db.execute(f"REPLACE INTO {name}(id, title, code) VALUES (7, 'x', 'b')")
                self.assertEqual(self.ids(), [1, 7])
                self.db.execute(f"UPDATE {name} SET id = 2 WHERE id = 7")
                self.assertEqual(self.ids(), [1, 2])
        self.in_step()

    def test_the_content_made_anew(self):
        """What tools that migrate a schema do: the triggers go with the old table."""
        self.db.executescript("""
            BEGIN;
            CREATE TABLE new_docs(id INTEGER PRIMARY KEY, code UNIQUE, title TEXT, n INT);
            INSERT INTO new_docs(id, title, code, n) SELECT id, title, code, n FROM docs;
            DROP TABLE docs;
            ALTER TABLE new_docs RENAME TO docs;
            COMMIT""")
        self.assertEqual(self.triggers(), [])
        self.fails("ix_upkeep_insert is missing", "INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('upkeep')")
        self.in_step()

    def test_the_content_gone(self):
        self.db.execute("DROP TABLE docs")
        self.fails("docs", "INSERT INTO ix(ix) VALUES ('upkeep')")
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema"), [])


class Keyed(UpkeepBase):
    """The key is no rowid: the triggers name rows by it."""

    def keys(self, name="ix"):
        return [row[0] for row in self.rows(f"SELECT uid FROM {name} ORDER BY uid")]

    def follow(self, columns, name="ix"):
        self.db.execute(f"CREATE TABLE papers({columns}")
        self.db.execute(f"CREATE VIRTUAL TABLE {name} USING semantic_index(content = 'papers', "
                        "text = 'title', content_rowid = 'uid', upkeep = 'triggers')")
        self.db.execute("INSERT INTO papers(uid, title, n) VALUES ('a', 'bats', 1), "
                        "('b', 'ships', 2), (x'00', 'trains', 3)")
        self.db.execute(f"INSERT INTO {name}({name}) VALUES ('sync')")
        self.db.execute("REPLACE INTO papers(uid, title, n) VALUES ('c', 'owls', 2)")
        self.assertEqual(self.keys(), ["a", "c", b"\0"])
        self.db.execute("UPDATE OR REPLACE papers SET n = 3 WHERE uid = 'a'")
        self.db.execute("UPDATE papers SET uid = 'd' WHERE uid = 'c'")
        self.assertEqual(self.keys(), ["a", "d"])
        self.db.execute(f"ALTER TABLE {name} RENAME TO renamed")
        self.db.execute("DELETE FROM papers WHERE uid = 'a'")
        self.db.execute("INSERT INTO papers(uid, title) VALUES ('e', 'snow')")
        self.assertEqual(self.keys("renamed"), ["d", "e"])
        self.assertEqual(self.rows("SELECT uid FROM renamed('owls', 1)"), [("d",)])
        self.db.execute("INSERT INTO renamed(renamed) VALUES ('integrity-check')")
        self.assertEqual(self.rows("SELECT embedded, deleted FROM semantic_sync('renamed')"),
                         [(0, 0)])

    def test_beside_a_rowid(self):
        self.follow("id INTEGER PRIMARY KEY, uid UNIQUE NOT NULL, title, n UNIQUE)")
        self.db.execute("REPLACE INTO papers(id, uid, title) SELECT id, 'f', 'rain' FROM papers "
                        "WHERE uid = 'd'")
        self.assertEqual(self.keys("renamed"), ["e", "f"])

    def test_without_rowid(self):
        self.follow("uid PRIMARY KEY NOT NULL, title, n UNIQUE) WITHOUT ROWID")

    def test_cases_of_a_key(self):
        """They are other keys, also where the table's collation takes them for one."""
        self.db.execute("CREATE TABLE papers(uid TEXT NOT NULL UNIQUE COLLATE nocase, title)")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'papers', "
                        "text = 'title', content_rowid = 'uid', upkeep = 'triggers')")
        self.db.execute("INSERT INTO papers VALUES ('a', 'bats'), ('b', 'ships')")
        self.db.execute("UPDATE papers SET uid = 'A' WHERE uid = 'a'")
        self.db.execute("REPLACE INTO papers VALUES ('B', 'owls')")
        self.assertEqual(self.keys(), ["A", "B"])


class Schemas(UpkeepBase):
    def test_attached_and_temporary(self):
        self.make()
        self.db.execute("ATTACH ':memory:' AS aux")
        for schema in ("aux", "temp"):
            self.db.execute(f"CREATE TABLE {schema}.docs(id INTEGER PRIMARY KEY, title TEXT, "
                            "code UNIQUE)")
            self.db.execute(f"INSERT INTO {schema}.docs VALUES (1, 'cats', 'a'), (2, 'dogs', 'b')")
            self.make(schema=schema)
            self.assertEqual(self.triggers(schema), NAMES)
            self.in_step(schema=schema)
            self.db.execute(f"DROP TABLE {schema}.ix")
            self.assertEqual(self.triggers(schema), [])
            self.db.execute(f"DROP TABLE {schema}.docs")
        self.assertEqual(self.ids(), [1, 2])
        self.in_step()

    def test_trusted_schema(self):
        self.db.execute("PRAGMA trusted_schema = OFF")
        self.make()
        self.in_step()
        self.assertEqual(self.one("SELECT count(*) FROM ix('cats')"), 2)
        self.db.execute("CREATE VIEW found AS SELECT rowid FROM ix WHERE query = 'owls' AND k = 1")
        self.assertEqual(self.rows("SELECT * FROM found"), [(2,)])
        self.db.close()
        self.db = connect(self.path)
        self.db.execute("PRAGMA trusted_schema = OFF")
        self.db.execute("DELETE FROM docs")
        self.assertEqual(self.ids(), [])

    def test_models_that_are_not_built_in(self):
        self.db.execute("INSERT INTO rerank_models(name, provider, model, url) VALUES ('desk', "
                        "'openai', 'm', 'http://localhost:1/v1'), ('words', 'builtin', 'lexical', "
                        "NULL)")
        for options in (", model = 'desk'", ", model = 'words'", ", reranker = 'words'"):
            self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                            f"text = 'title', upkeep = 'triggers'{options})")
            self.db.execute("PRAGMA trusted_schema = OFF")
            self.fails('unsafe use of virtual table "ix"', "DELETE FROM docs")
            self.db.execute("PRAGMA trusted_schema = ON")
            self.db.execute("DROP TABLE ix")

    def test_no_other_model_under_an_innocuous_name(self):
        self.make()
        self.db.execute("INSERT INTO rerank_models(name, task, provider, model, url) VALUES "
                        "('desk', 'embed', 'openai', 'm', 'http://localhost:1/v1')")
        self.db.execute("UPDATE ix_config SET value = 'desk' WHERE key = 'model'")
        for sql in ("INSERT INTO ix(ix) VALUES ('rebuild')", "SELECT rowid FROM ix('cats')",
                    "INSERT INTO docs(title) VALUES ('new')"):
            self.fails("ix_config names the model desk since the index was opened", sql)

    def test_no_virtual_table_is_read_through_it(self):
        self.db.execute("CREATE VIRTUAL TABLE fts USING fts5(title)")
        self.db.execute("CREATE VIEW over_fts AS SELECT rowid AS id, title FROM fts")
        for content in ("fts", "over_fts"):
            self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = "
                            f"'{content}', text = 'title', content_rowid = 'rowid')"
                            if content == "fts" else
                            "CREATE VIRTUAL TABLE ix USING semantic_index(content = "
                            f"'{content}', text = 'title', content_rowid = 'id')")
            self.db.execute("CREATE VIEW v AS SELECT rowid FROM ix")
            self.db.execute("PRAGMA trusted_schema = OFF")
            self.fails('unsafe use of virtual table "ix"', "SELECT * FROM v")
            self.db.execute("PRAGMA trusted_schema = ON")
            self.db.execute("DROP VIEW v")
            self.db.execute("DROP TABLE ix")

    def test_read_only(self):
        self.make()
        with self.assertRaisesRegex(sqlite3.OperationalError, "readonly"):
            db = connect(f"file:{self.path}?mode=ro", uri=True)
            self.addCleanup(db.close)
            db.execute("INSERT INTO ix(ix) VALUES ('upkeep')")


class Commands(UpkeepBase):
    def setUp(self):
        super().setUp()
        self.make()
        self.db.execute("CREATE VIRTUAL TABLE own USING semantic_index()")

    def test_refused(self):
        for word in ("changed", "CHANGING"):
            self.fails(f"'{word.lower()}' needs a row", "INSERT INTO ix(ix) VALUES (?)", word)
            self.fails(f"'{word.lower()}' is of a row of the content table, and own has texts",
                       "INSERT INTO own(own, rowid) VALUES (?, 1)", word)
            self.fails("a command stands alone",
                       "INSERT INTO ix(ix, rowid, embedding) VALUES (?, 1, '[1]')", word)

    def test_what_is_there_counts(self):
        """Whatever is noted, in whatever order."""
        self.db.execute("PRAGMA recursive_triggers = ON")
        for name in NAMES:
            self.db.execute(f"DROP TRIGGER {name}")
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(ix, rowid) VALUES ('changed', 1), ('changed', 2), "
                        "('changing', 3), ('changed', 99)")
        self.db.execute("DELETE FROM docs WHERE id = 1")
        self.db.execute("UPDATE docs SET title = 'owls' WHERE id = 2")
        self.assertEqual(self.ids(), [2])
        self.db.execute("INSERT INTO docs(id, title) VALUES (3, 'ship')")  # is changing still
        self.assertEqual(self.ids(), [2])
        self.db.execute("INSERT INTO ix(ix, rowid) VALUES ('changing', 3)")
        self.db.execute("SAVEPOINT s")
        self.assertEqual(self.ids(), [2, 3])
        self.db.execute("DELETE FROM docs WHERE id = 3")
        self.assertEqual(self.ids(), [2])
        self.db.execute("ROLLBACK TO s")
        self.assertEqual(self.ids(), [2, 3])
        self.db.execute("COMMIT")
        self.assertEqual(self.one("SELECT rowid FROM ix('owls', 1)"), 2)
        self.check_all()

    def check_all(self):
        self.db.execute("INSERT INTO ix(ix) VALUES ('upkeep')")
        self.check()
        self.assertEqual(self.rows("SELECT embedded, deleted FROM semantic_sync('ix')"), [(0, 0)])

    def test_looked_up_while_it_waits(self):
        self.db.execute("BEGIN")
        self.db.execute("REPLACE INTO docs(id, title, code) VALUES (3, 'ship', 'a')")
        for rowid, there in ((1, []), (2, [(2,)]), (3, [(3,)])):
            self.assertEqual(self.rows("SELECT rowid FROM ix WHERE rowid = ?", rowid), there)
        self.db.execute("COMMIT")

    def test_one_batch(self):
        """Writes of any kind in a transaction are embedded together."""
        self.db.execute("BEGIN")
        for i in range(3, 300):
            self.db.execute("INSERT INTO docs(id, title, code) VALUES (?, 'text ' || ?, ?)",
                            (i, i, str(i % 50)) if i < 50 else (i, i, None))
            self.db.execute("UPDATE docs SET title = title || ' more' WHERE id = ?", (i - 1,))
            self.db.execute("DELETE FROM docs WHERE id = ?", (i - 7,))
        before = self.one("SELECT sum(requests) FROM rerank_stats WHERE task = 'embed'")
        self.db.execute("COMMIT")
        after = self.one("SELECT sum(requests) FROM rerank_stats WHERE task = 'embed'")
        self.assertEqual(after - before, 1)
        self.check_all()

    def test_bad_rows(self):
        """A row that cannot be embedded fails no statement of the table's."""
        self.db.execute("INSERT INTO docs(id, title) VALUES (3, x'00ff'), (4, 'good'), (5, ' ')")
        self.assertEqual(self.ids(), [1, 2, 4])
        self.assertEqual(self.rows("SELECT rowid FROM semantic_failures('ix')"), [(3,)])
        self.db.execute("DELETE FROM docs WHERE id = 3")
        self.assertEqual(self.ids(), [1, 2, 4])
        self.assertEqual(self.rows("SELECT rowid FROM semantic_failures('ix')"), [])
        self.check_all()


if __name__ == "__main__":
    unittest.main()

"""test_semantic_keys.py: indexes whose content has keys of any type: what may be a key, and that
rows are found, written, deleted and synchronised by it."""
import os
import sys
import unittest
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, connect  # noqa: E402

TEXTS = ["the cat sleeps", "dogs bark at night", "a ship at sea", "owls hunt in the dark"]

TRIGGERS = """
CREATE TRIGGER docs_i AFTER INSERT ON docs BEGIN INSERT INTO ix(uuid) VALUES (new.uuid); END;
CREATE TRIGGER docs_d AFTER DELETE ON docs BEGIN DELETE FROM ix WHERE uuid = old.uuid; END;
CREATE TRIGGER docs_u AFTER UPDATE ON docs BEGIN DELETE FROM ix WHERE uuid = old.uuid;
    INSERT INTO ix(uuid) VALUES (new.uuid); END;
"""


class Keyed(Base):
    TABLE = "CREATE TABLE docs(uuid TEXT NOT NULL UNIQUE, title TEXT, year INT)"
    OPTIONS = "content = 'docs', text = 'title', content_rowid = 'uuid'"
    KEYS = ["k0", "k1", "k2", "k3"]

    def setUp(self):
        super().setUp()
        self.db.execute(self.TABLE)
        self.db.executemany("INSERT INTO docs(uuid, title, year) VALUES (?, ?, 1)",
                            zip(self.KEYS, TEXTS))
        self.db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index({self.OPTIONS})")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")

    def run_all(self, *statements):
        for statement in statements:
            self.db.execute(statement)

    def keys(self, db=None):
        return [row[0] for row in (db or self.db).execute("SELECT uuid FROM ix ORDER BY rowid")]

    def best(self, query, k=1):
        return [row[0] for row in self.rows("SELECT uuid FROM ix(?, ?)", query, k)]

    def in_step(self):
        """Index and content hold the same keys, and nothing is left to embed."""
        self.assertEqual(self.rows("SELECT embedded, deleted FROM semantic_sync('ix')"), [(0, 0)])
        self.check()
        self.assertEqual(self.rows("SELECT id FROM ix_keys EXCEPT SELECT id FROM ix_rows"), [])
        self.assertEqual(sorted(map(str, self.keys())),
                         sorted(str(r[0]) for r in self.rows("SELECT uuid FROM docs WHERE "
                                                             "title > ''")))


class Search(Keyed):
    def test_rows_show_their_key(self):
        self.assertEqual(self.rows("SELECT * FROM ix('ships', 1)"), [("k2", "a ship at sea", 1)])
        self.assertEqual(self.rows("SELECT rowid, uuid FROM ix('ships', 1)"), [(3, "k2")])
        self.assertEqual(self.keys(), self.KEYS)
        self.assertEqual(self.keys(connect(self.path)), self.KEYS)
        self.in_step()

    def test_by_key(self):
        plan = self.rows("EXPLAIN QUERY PLAN SELECT title FROM ix WHERE uuid = 'k2'")[0][3]
        self.assertNotEqual(plan, self.rows("EXPLAIN QUERY PLAN SELECT title FROM ix")[0][3])
        self.assertEqual(self.rows("SELECT title FROM ix WHERE uuid = 'k2'"), [("a ship at sea",)])
        self.assertEqual(self.rows("SELECT title FROM ix WHERE uuid = 'K2'"), [])
        self.assertEqual(self.rows("SELECT uuid FROM ix WHERE uuid IN ('k3', 'no', 'k0')"),
                         [("k0",), ("k3",)])
        self.assertEqual(self.rows("SELECT uuid FROM ix WHERE uuid > 'k1' ORDER BY 1"),
                         [("k2",), ("k3",)])

    def test_lists_apply_before_the_k(self):
        sql = "SELECT uuid FROM ix('ships', 1) WHERE uuid IN (SELECT value FROM json_each(?))"
        self.assertEqual(self.rows(sql, '["k1", "none"]'), [("k1",)])
        self.assertEqual(self.rows(sql, "[]"), [])
        self.assertEqual(self.rows(sql + " AND rowid IN (1, 3)", '["k1", "k2"]'), [("k2",)])
        self.assertEqual(self.rows("SELECT uuid FROM ix('ships', 1) WHERE uuid = 'k1'"), [("k1",)])

    def test_joins(self):
        self.assertEqual(self.rows("SELECT d.title FROM ix('ships', 1) AS s JOIN docs AS d ON "
                                   "d.uuid = s.uuid"), [("a ship at sea",)])
        self.assertEqual(self.rows("SELECT s.title FROM docs AS d JOIN ix AS s ON s.uuid = d.uuid "
                                   "WHERE d.uuid > 'k1' ORDER BY 1"),
                         [("a ship at sea",), ("owls hunt in the dark",)])

    def test_other_functions(self):
        self.assertEqual(self.rows("SELECT k.key FROM semantic_search_each('ix', '[\"ships\"]', 1) "
                                   "JOIN ix_keys AS k USING (id)"), [("k2",)])
        self.assertEqual(self.rows("SELECT recall FROM semantic_recall('ix')"), [(1.0,)])
        self.assertEqual(self.rows("SELECT uuid FROM ix('a ship') ORDER BY relevance DESC LIMIT 1"),
                         [("k2",)])


class Writes(Keyed):
    def test_rows_by_their_key(self):
        self.run_all("INSERT INTO docs VALUES ('new', 'a whale in the ocean', 9)",
                     "INSERT INTO ix(uuid) VALUES ('new')")
        self.assertEqual(self.db.execute("SELECT last_insert_rowid()").fetchone(), (5,))
        self.assertEqual(self.best("ocean"), ["new"])
        self.in_step()
        self.run_all("UPDATE docs SET title = '' WHERE uuid = 'new'",
                     "INSERT INTO ix(uuid) VALUES ('new')")
        self.in_step()
        self.run_all("DELETE FROM docs WHERE uuid = 'k1'", "DELETE FROM ix WHERE uuid = 'k1'")
        self.in_step()
        self.assertEqual(self.keys(), ["k0", "k2", "k3"])

    def test_vectors_of_ones_own(self):
        self.run_all("UPDATE ix SET embedding = (SELECT embedding FROM ix WHERE uuid = 'k2') WHERE "
                     "uuid = 'k0'")
        self.db.execute("INSERT INTO ix(uuid, embedding) SELECT 'k1', embedding FROM ix WHERE uuid "
                        "= 'k2'")
        self.assertEqual(sorted(self.best("ships", 3)), ["k0", "k1", "k2"])
        self.assertEqual(self.rows("SELECT id FROM ix_rows WHERE own"), [(1,), (2,)])
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.assertEqual(self.rows("SELECT id FROM ix_rows WHERE own"), [(1,), (2,)])
        self.in_step()

    def test_what_is_refused(self):
        for why, sql in (
            ("docs has no row to index whose uuid is nope", "INSERT INTO ix(uuid) VALUES ('nope')"),
            ("the rowid is the index's own", "INSERT INTO ix(rowid, uuid) VALUES (1, 'k0')"),
            ("the index has no row 100", "INSERT INTO ix(rowid) VALUES (100)"),
            ("a row needs its uuid: that of docs", "INSERT INTO ix(uuid) VALUES (NULL)"),
            ("column title belongs to docs", "INSERT INTO ix(uuid, title) VALUES ('k0', 'x')"),
            ("column uuid belongs to docs", "UPDATE ix SET uuid = 'x' WHERE uuid = 'k0'"),
            ("a command stands alone", "INSERT INTO ix(ix, uuid) VALUES ('sync', 'k0')"),
            ("expected 2|embedding", "INSERT INTO ix(uuid, embedding) VALUES ('k0', x'00')"),
        ):
            self.fails(why, sql)
        self.db.execute("INSERT INTO ix(rowid) VALUES (1)")
        self.in_step()

    def test_triggers(self):
        self.db.executescript(TRIGGERS)
        before = self.one("SELECT sum(requests) FROM rerank_stats WHERE task = 'embed'")
        self.db.execute("UPDATE docs SET year = 2")
        self.assertEqual(self.rows("SELECT id, key FROM ix_keys"),
                         list(enumerate(self.KEYS, 1)))
        self.assertEqual(self.one("SELECT sum(requests) FROM rerank_stats WHERE task = 'embed'"),
                         before)
        self.run_all("UPDATE docs SET uuid = 'other' WHERE uuid = 'k2'",
                     "INSERT INTO docs VALUES ('w', 'whales', 1)", "DELETE FROM docs WHERE uuid = "
                     "'k0'", "UPDATE docs SET title = 'submarines' WHERE uuid = 'k1'")
        self.in_step()
        self.assertEqual(self.best("submarines"), ["k1"])
        self.run_all("BEGIN", "DELETE FROM docs WHERE uuid = 'w'", "INSERT INTO docs VALUES ('w', "
                     "'penguins', 1)", "COMMIT")
        self.assertEqual(self.best("penguins"), ["w"])
        self.in_step()

    def test_savepoints(self):
        self.db.executescript(TRIGGERS)
        everything = self.rows("SELECT * FROM ix_keys")
        insert = "INSERT INTO docs VALUES ('{0}', 'text of {0}', 1)"
        for end in (("ROLLBACK",), ("ROLLBACK TO s", "COMMIT")):
            for flush in ("SELECT 1", "SELECT count(*) FROM ix('text')"):
                self.run_all("BEGIN", "SAVEPOINT s", insert.format("a"), flush,
                             "DELETE FROM docs WHERE uuid = 'k1'", "SAVEPOINT t",
                             insert.format("b"), flush, "ROLLBACK TO t", insert.format("c"), *end)
                self.assertEqual(self.rows("SELECT * FROM ix_keys"), everything)
                self.in_step()
        self.run_all("BEGIN", insert.format("a"), "SAVEPOINT t", insert.format("b"),
                     "ROLLBACK TO t", insert.format("c"), "COMMIT")
        self.assertEqual(sorted(self.keys()), sorted(self.KEYS + ["a", "c"]))
        self.in_step()

    def test_two_connections(self):
        other = connect(self.path)
        kept = "SELECT uuid FROM ix WHERE uuid = ?"
        self.assertEqual(other.execute(kept, ("z",)).fetchall(), [])
        self.run_all("INSERT INTO docs VALUES ('z', 'zebras', 1)", "INSERT INTO ix(uuid) VALUES "
                     "('z')")
        self.assertEqual(other.execute(kept, ("z",)).fetchall(), [("z",)])
        other.execute("DELETE FROM docs WHERE uuid = 'z'")
        other.execute("DELETE FROM ix WHERE uuid = 'z'")
        self.assertEqual(self.rows(kept, "z"), [])
        self.in_step()

    def test_keys_taken_while_a_sync_goes_on(self):
        """Ids are given out when a batch is stored: others may have been faster."""
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.db.executemany("INSERT INTO docs VALUES (?, ?, 1)",
                            [("m%d" % n, "words %d" % n) for n in range(5000)])
        sync = self.db.execute("SELECT * FROM semantic_sync('ix')")
        sync.fetchone()
        self.db.execute("INSERT INTO docs VALUES ('fast', 'a fast one', 1)")
        self.db.execute("INSERT INTO ix(uuid) VALUES ('fast')")
        self.db.execute("INSERT INTO ix(uuid) VALUES ('m4999')")
        sync.fetchall()
        self.in_step()
        self.assertEqual(self.best("a fast one"), ["fast"])


class Sync(Keyed):
    def test_what_changed(self):
        self.run_all("UPDATE docs SET title = 'a plane' WHERE uuid = 'k1'",
                     "DELETE FROM docs WHERE uuid = 'k3'", "INSERT INTO docs VALUES ('a', 'x', 1)",
                     "UPDATE docs SET uuid = 'z' WHERE uuid = 'k0'")
        self.assertEqual(self.rows("SELECT embedded, deleted, pending, total FROM "
                                   "semantic_sync('ix')"), [(3, 2, 0, 4)])
        self.in_step()
        self.assertEqual(self.rows("SELECT id FROM ix_keys WHERE key IN ('k1', 'k2') ORDER BY 1"),
                         [(2,), (3,)])

    def test_estimate_writes_nothing(self):
        self.db.execute("INSERT INTO docs VALUES ('a', 'a new text', 1)")
        self.one("SELECT semantic_estimate('ix')")
        self.assertEqual(self.one("SELECT count(*) FROM ix_keys"), 4)

    def test_in_a_transaction(self):
        self.run_all("BEGIN", "INSERT INTO docs VALUES ('a', 'a new text', 1)",
                     "INSERT INTO ix(ix) VALUES ('sync')", "ROLLBACK")
        self.in_step()
        self.run_all("BEGIN", "INSERT INTO docs VALUES ('a', 'a new text', 1)",
                     "INSERT INTO ix(ix) VALUES ('sync')", "COMMIT")
        self.in_step()

    def test_order_of_keys_is_no_matter(self):
        keys = [str(uuid.UUID(int=n * 0x9e3779b97f4a7c15f39cc0605cedc835 % 2**128))
                for n in range(300)]
        self.db.executemany("INSERT INTO docs VALUES (?, ?, 1)",
                            [(key, "text " + key) for key in keys])
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.in_step()
        self.db.executemany("DELETE FROM docs WHERE uuid = ?", [(k,) for k in keys[::3]])
        self.db.executemany("UPDATE docs SET title = title || '!' WHERE uuid = ?",
                            [(k,) for k in keys[::2]])
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.in_step()

    def test_no_scan_for_each_row(self):
        """Both passes of a sync look keys up in an index."""
        for sql in ("SELECT k.id, c.title FROM ix_keys AS k CROSS JOIN docs AS c ON c.uuid = k.key "
                    "AND c.uuid = k.key COLLATE BINARY ORDER BY k.id",
                    "SELECT c.uuid, c.title FROM docs AS c WHERE NOT EXISTS (SELECT 1 FROM ix_keys "
                    "AS k WHERE k.key = +c.uuid)"):
            plan = [row[3] for row in self.rows("EXPLAIN QUERY PLAN " + sql)]
            self.assertTrue(any(step.startswith("SEARCH") for step in plan), plan)

    def test_rename_drop_optimize(self):
        self.run_all("INSERT INTO ix(ix) VALUES ('optimize')", "ALTER TABLE ix RENAME TO jx")
        self.assertEqual(self.rows("SELECT uuid FROM jx('ships', 1)"), [("k2",)])
        self.run_all("ALTER TABLE jx RENAME TO ix")
        self.in_step()
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'ix%'"), [])


class OtherTracks(Keyed):
    """What else knows rows by their numbers: triggers of upkeep, failures, semantic_pending."""

    def test_upkeep(self):
        self.db.execute("DROP TABLE ix")
        self.db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index({self.OPTIONS}, "
                        "upkeep = 'triggers')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        for _ in range(2):
            self.run_all("REPLACE INTO docs VALUES ('k1', 'submarines', 1)",
                         "INSERT INTO docs VALUES ('w', 'whales', 1), ('e', '', 1)",
                         "UPDATE docs SET uuid = 'other' WHERE uuid = 'k2'",
                         "UPDATE OR REPLACE docs SET uuid = 'k0' WHERE uuid = 'k3'",
                         "DELETE FROM docs WHERE uuid IN ('w', 'e')")
            self.in_step()
            self.assertEqual(self.best("submarines"), ["k1"])
            self.run_all("BEGIN", "DELETE FROM docs", "INSERT INTO docs VALUES ('z', 'zebras', 1)",
                         "ROLLBACK")
            self.in_step()
            self.run_all("UPDATE docs SET uuid = 'k2' WHERE uuid = 'other'",
                         "REPLACE INTO docs VALUES ('k3', 'owls', 1)",
                         "ALTER TABLE ix RENAME TO jx", "ALTER TABLE jx RENAME TO ix")
        self.in_step()

    def test_upkeep_without_rowid(self):
        self.run_all("DROP TABLE ix", "DROP TABLE docs",
                     "CREATE TABLE docs(uuid TEXT PRIMARY KEY, title TEXT, year INT UNIQUE) "
                     "WITHOUT ROWID")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = docs, text = title,"
                        " upkeep = 'triggers')")
        self.run_all("INSERT INTO docs VALUES ('a', 'cats', 1), ('b', 'dogs', 2)",
                     "REPLACE INTO docs VALUES ('c', 'ships', 1)")
        self.assertEqual(sorted(self.keys()), ["b", "c"])
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.in_step()

    def test_rows_that_cannot_be_embedded(self):
        self.run_all("INSERT INTO docs VALUES ('bad', x'00', 1)", "INSERT INTO ix(ix) VALUES "
                     "('sync')")
        self.assertEqual(self.rows("SELECT rowid FROM semantic_failures('ix')"), [("bad",)])
        self.run_all("INSERT INTO ix(ix) VALUES ('optimize')", "UPDATE docs SET title = 'good' "
                     "WHERE uuid = 'bad'", "INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.rows("SELECT * FROM semantic_failures('ix')"), [])
        self.in_step()
        self.db.execute("UPDATE docs SET title = x'00' WHERE uuid = 'bad'")
        self.db.execute("INSERT INTO ix(uuid) VALUES ('bad')")
        self.db.execute("DELETE FROM docs WHERE uuid = 'bad'")
        self.db.execute("DELETE FROM ix WHERE uuid = 'bad'")
        self.assertEqual(self.rows("SELECT * FROM semantic_failures('ix')"), [])
        self.in_step()

    def test_embedded_elsewhere(self):
        other = connect(self.path)
        self.run_all("INSERT INTO docs VALUES ('new', 'a new one', 1)",
                     "UPDATE docs SET title = 'changed' WHERE uuid = 'k1'",
                     "DELETE FROM docs WHERE uuid = 'k0'")
        made = other.execute("SELECT rowid, hash, embedding FROM semantic_pending('ix')").fetchall()
        self.assertEqual(sorted(row[0] for row in made), ["k0", "k1", "new"])
        self.db.executemany("INSERT INTO ix(ix, uuid, embedding) VALUES ('embedded ' || ?2, ?1, "
                            "?3)", made)
        self.in_step()
        other.close()


class Kinds(Base):
    """Keys of every type, in one table each."""

    ALL = [1, "1", b"1", 2.5, "a", "A", "a\0b", b"\xff\x00", "x" * 100000, -3, "\u00e9", "", b"",
           2**62, "\U0001f600"]

    def keyed(self, column, keys, index=""):
        self.db.execute(f"CREATE TABLE docs(uuid {column}, title TEXT)" + index)
        self.db.executemany("INSERT INTO docs VALUES (?, ?)",
                            [(key, "a cat %d" % n) for n, key in enumerate(keys)])
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = docs, text = title"
                        + (")" if index else ", content_rowid = uuid)"))
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")

    def test_strict_any(self):
        """A STRICT table's ANY keeps '1' and 1 apart, as does the index."""
        self.db.execute("CREATE TABLE docs(u ANY NOT NULL UNIQUE, title TEXT, c ANY) STRICT")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = docs, "
                        "text = title, content_rowid = u, upkeep = 'triggers')")
        self.db.execute("INSERT INTO docs VALUES ('1', 'cats', '007'), ('2', 'dogs', 7), "
                        "(2, 'owls', 8)")
        self.assertEqual(self.rows("SELECT u FROM ix WHERE c = '007'"), [("1",)])
        self.assertEqual(self.rows("SELECT title FROM ix WHERE u = '2'"), [("dogs",)])
        self.assertEqual(self.rows("SELECT title FROM ix WHERE u = 2"), [("owls",)])
        self.db.execute("DELETE FROM docs WHERE u = '1'")
        self.assertEqual(self.rows("SELECT title FROM ix ORDER BY title"), [("dogs",), ("owls",)])

    def found(self, key):
        got = set()
        for sql in ("SELECT title FROM ix WHERE uuid = ?", "SELECT title FROM ix('cat', 100) WHERE "
                    "uuid IN (?, 'nothing')", "SELECT title FROM ix('cat', 100) WHERE uuid = ?"):
            got.add(tuple(r[0] for r in self.rows(sql, key)))
        self.assertEqual(len(got), 1, (key, got))
        return got.pop()

    def test_without_a_type(self):
        self.keyed("PRIMARY KEY", self.ALL, " WITHOUT ROWID")
        for n, key in enumerate(self.ALL):
            self.assertEqual(self.found(key), ("a cat %d" % n,))
        self.assertEqual(self.found(1.0), ("a cat 0",))
        self.assertEqual(self.rows("SELECT embedded, deleted FROM semantic_sync('ix')"), [(0, 0)])
        for key in self.ALL:
            self.db.execute("INSERT INTO ix(uuid) VALUES (?)", (key,))
        self.assertEqual(self.one("SELECT count(*) FROM ix"), len(self.ALL))
        for key in self.ALL:
            self.db.execute("DELETE FROM ix WHERE uuid = ?", (key,))
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 0)
        self.assertEqual(self.one("SELECT count(*) FROM ix_keys"), 0)
        self.check()

    def test_invalid_utf8(self):
        self.keyed("TEXT NOT NULL UNIQUE", ["a"])
        self.db.execute("INSERT INTO docs VALUES (CAST(x'61ff62' AS TEXT), 'a dog')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.rows("SELECT title FROM ix WHERE uuid = CAST(x'61ff62' AS TEXT)"),
                         [("a dog",)])
        self.db.execute("DELETE FROM ix WHERE uuid = CAST(x'61ff62' AS TEXT)")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 1)

    def test_text_column(self):
        self.keyed("TEXT NOT NULL UNIQUE", ["7", "08", "1.5", b"x"])
        self.assertEqual(self.found(7), ("a cat 0",))
        self.assertEqual(self.found(1.5), ("a cat 2",))
        self.assertEqual(self.found(8), ())
        self.assertEqual(self.found(b"x"), ("a cat 3",))
        self.db.execute("INSERT INTO ix(uuid) VALUES (7)")
        self.db.execute("DELETE FROM ix WHERE uuid = 7")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 3)

    def test_numeric_column(self):
        self.keyed("NUMERIC NOT NULL UNIQUE", [7, 2.5, "x"])
        for key, title in ((7, "a cat 0"), ("7", "a cat 0"), (2.5, "a cat 1"), ("x", "a cat 2")):
            self.assertEqual(self.rows("SELECT title FROM ix WHERE uuid = ?", key), [(title,)])

    def test_blobs(self):
        keys = [uuid.UUID(int=n * 7919).bytes for n in range(50)]
        self.keyed("BLOB PRIMARY KEY NOT NULL", keys)
        self.assertEqual(self.found(keys[33]), ("a cat 33",))

    def test_integers_are_rowids(self):
        for column, index in (("INT NOT NULL UNIQUE", ""), ("INTEGER PRIMARY KEY", ""),
                              ("INTEGER PRIMARY KEY", " WITHOUT ROWID")):
            self.keyed(column, [5, 6], index)
            self.assertEqual(self.ids(), [5, 6])
            self.assertEqual(self.found(6), ("a cat 1",))
            self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name = 'ix_keys'"), [])
            self.db.execute("INSERT INTO ix(rowid) VALUES (5)")
            self.check()
            self.db.execute("DROP TABLE ix")
            self.db.execute("DROP TABLE docs")

    def test_nocase(self):
        """Keys are compared byte for byte, as an index shows what its content has."""
        self.keyed("TEXT COLLATE NOCASE NOT NULL UNIQUE", ["Abc", "def"])
        self.assertEqual(self.rows("SELECT title FROM ix WHERE uuid = 'Abc'"), [("a cat 0",)])
        self.assertEqual(self.rows("SELECT title FROM ix WHERE uuid = 'abc'"), [])
        self.db.execute("UPDATE docs SET uuid = 'aBC' WHERE uuid = 'abc'")
        self.assertEqual(self.rows("SELECT uuid FROM ix('cat', 5)"), [("def",)])
        self.assertEqual(self.rows("SELECT embedded, deleted FROM semantic_sync('ix')"), [(1, 1)])
        self.assertEqual(sorted(self.rows("SELECT uuid FROM ix('cat', 5)")), [("aBC",), ("def",)])
        self.check()

    def test_views(self):
        self.db.execute("CREATE TABLE docs(uuid TEXT NOT NULL UNIQUE, title TEXT)")
        self.db.execute("INSERT INTO docs VALUES ('a', 'a cat'), ('b', 'a dog')")
        for key in ("uuid", "'x' || uuid"):
            self.db.execute(f"CREATE VIEW v AS SELECT {key} AS uuid, title FROM docs")
            self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = v, text = "
                            "title, content_rowid = uuid)")
            self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
            self.assertEqual(self.rows("SELECT uuid FROM ix('cat', 1)"),
                             self.rows(f"SELECT {key} FROM docs WHERE title = 'a cat'"))
            self.db.execute("INSERT INTO ix(uuid) SELECT uuid FROM v")
            self.db.execute("DELETE FROM ix WHERE uuid = (SELECT uuid FROM v LIMIT 1)")
            self.assertEqual(self.one("SELECT count(*) FROM ix"), 1)
            self.check()
            self.db.execute("DROP TABLE ix")
            self.db.execute("DROP VIEW v")
        self.db.execute("DELETE FROM docs")
        self.db.execute("CREATE VIEW v AS SELECT 'x' || uuid AS uuid, title FROM docs")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = v, text = title, "
                        "content_rowid = uuid)")
        self.db.execute("INSERT INTO docs VALUES ('a', 'a cat')")
        if self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'ix_keys'") == []:
            self.fails("content_rowid uuid of v must be an integer, not another type .to have such "
                       "keys drop the index", "INSERT INTO ix(ix) VALUES ('sync')")


class Create(Base):
    def refused(self, table, why, extra="", options="content_rowid = u"):
        self.db.execute("DROP TABLE IF EXISTS t")
        self.db.execute(f"CREATE TABLE t({table}){extra}")
        for statement in self.indexes:
            self.db.execute(statement)
        self.fails(why, "CREATE VIRTUAL TABLE ix USING semantic_index(content = t, text = a"
                   + (", " if options else "") + options + ")")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'ix%'"), [])

    def test_what_may_be_no_key(self):
        self.indexes = ()
        for table, why in (
            ("u TEXT UNIQUE, a", "u of t may be NULL: name a column that is UNIQUE NOT NULL"),
            ("u TEXT NOT NULL, a", "u of t is not unique: CREATE UNIQUE INDEX on it alone"),
            ("u INT NOT NULL, a", "u of t is not unique"),
            ("u INT UNIQUE, a", "u of t may be NULL"),
            ("u TEXT NOT NULL, v TEXT NOT NULL, a, UNIQUE(u, v)", "u of t is not unique"),
            ("u TEXT NOT NULL, v TEXT NOT NULL, a, PRIMARY KEY(u, v)", "u of t is not unique"),
            ("v, a", "t has no column 'u'"),
        ):
            self.refused(table, why)
        self.refused("rank TEXT NOT NULL UNIQUE, a", "the index has a column rank of its own",
                     options="content_rowid = rank")
        self.refused("ix TEXT NOT NULL UNIQUE, a", "the index has a column ix of its own",
                     options="content_rowid = ix")
        self.refused("u, v, a, PRIMARY KEY(u, v)", "primary key has 2 columns: add content_rowid",
                     " WITHOUT ROWID", "")
        for index in ("(u) WHERE a IS NOT NULL", "(lower(u))", "(u, a)", "(u COLLATE NOCASE)"):
            self.indexes = ("CREATE UNIQUE INDEX t_u ON t" + index,)
            self.refused("u TEXT NOT NULL, a", "u of t is not unique")
        self.indexes = ("CREATE INDEX t_u ON t(u)",)
        self.refused("u TEXT NOT NULL, a", "u of t is not unique")

    def test_what_may(self):
        for table, extra, index, options in (
            ("u TEXT NOT NULL, a", "", "CREATE UNIQUE INDEX t_u ON t(u DESC)", "content_rowid = U"),
            ("u TEXT PRIMARY KEY, a", "", "", "content_rowid = u"),
            ("u TEXT NOT NULL UNIQUE, v, a, PRIMARY KEY(v, a)", " WITHOUT ROWID", "",
             "content_rowid = u"),
            ("u TEXT PRIMARY KEY, a", " WITHOUT ROWID", "", ""),
            ("a, u AS (a || 'x') STORED NOT NULL UNIQUE", "", "", "content_rowid = u"),
            ("u TEXT PRIMARY KEY NOT NULL, a TEXT", " STRICT", "", "content_rowid = u"),
        ):
            self.db.execute("DROP TABLE IF EXISTS t")
            self.db.execute(f"CREATE TABLE t({table}){extra}")
            self.db.execute(index or "SELECT 1")
            self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = t, text = a"
                            + (", " if options else "") + options + ")")
            columns = "a" if "STORED" in table else "u, a" if "v," not in table else "u, a, v"
            self.db.execute(f"INSERT INTO t({columns}) VALUES "
                            f"({', '.join(['?'] * len(columns.split(', ')))})",
                            ("cat", "dog", "v")[:len(columns.split(", "))])
            self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
            self.assertEqual(self.rows("SELECT u FROM ix('cat dog', 1)"),
                             self.rows("SELECT u FROM t"))
            self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
            other = connect(self.path)
            self.assertEqual(other.execute("SELECT u FROM ix").fetchall(),
                             self.rows("SELECT u FROM t"))
            other.close()
            self.db.execute("DROP TABLE ix")

    def test_the_name_of_the_key_is_taken(self):
        self.db.execute("CREATE TABLE t(u TEXT PRIMARY KEY, a)")
        self.db.execute("CREATE TABLE ix_keys(mine)")
        for key in ("u", "rowid"):
            self.fails("ix_keys is there already", "CREATE VIRTUAL TABLE ix USING semantic_index("
                       f"content = t, text = a, content_rowid = {key})")


class Changes(Keyed):
    def test_key_is_renamed(self):
        self.db.execute("ALTER TABLE docs RENAME COLUMN uuid TO guid")
        for sql in ("SELECT guid FROM ix('ships', 1)", "INSERT INTO ix(ix) VALUES ('sync')"):
            self.fails("no such column: uuid, which the index knows rows by", sql)
        self.db.execute("CREATE VIEW v AS SELECT guid AS uuid, title FROM docs")
        self.db.execute("INSERT INTO ix(ix) VALUES ('content v')")
        self.assertEqual(self.best("ships"), ["k2"])
        self.assertEqual(self.rows("SELECT embedded, deleted FROM semantic_sync('ix')"), [(0, 0)])

    def test_another_kind_of_key(self):
        self.db.execute("CREATE TABLE other(uuid INTEGER PRIMARY KEY, title)")
        self.fails("content_rowid: uuid of other is an integer, that of docs was none",
                   "INSERT INTO ix(ix) VALUES ('content other')")
        self.in_step()

    def test_older_files_have_no_keys(self):
        self.db.execute("CREATE TABLE films(id INTEGER PRIMARY KEY, title)")
        self.db.execute("CREATE VIRTUAL TABLE f USING semantic_index(content = films, text = "
                        "title)")
        self.db.execute("CREATE TABLE f_keys(mine)")
        self.db.execute("DROP TABLE f")
        self.assertEqual(self.rows("SELECT count(*) FROM f_keys"), [(0,)])


class Damage(Keyed):
    def edit(self, *statements):
        for statement in statements:
            self.db.execute(statement)
        self.db.close()
        self.db = connect(self.path)

    def test_a_row_without_a_key(self):
        self.edit("DELETE FROM ix_keys WHERE id = 3")
        self.fails("row 3: its key is not there .'sync' mends it",
                   "INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.assertNotIn("k2", self.best("ships", 5))
        self.assertEqual(self.rows("SELECT uuid FROM ix WHERE rowid = 3"), [(None,)])
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.in_step()
        self.assertEqual(self.best("ships"), ["k2"])

    def test_keys_without_a_row(self):
        self.edit("INSERT INTO ix_keys VALUES (77, 'lost'), (-5, 'low')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('optimize')")
        self.in_step()

    def test_keys_that_were_exchanged(self):
        self.edit("DROP TABLE ix_keys", "CREATE TABLE ix_keys(id, key)",
                  "INSERT INTO ix_keys VALUES (1, 'k1'), (1, 'k1'), ('x', 'k0'), (3, NULL)")
        for sql in ("SELECT * FROM ix", "SELECT * FROM ix('ships', 5)", "DELETE FROM ix WHERE uuid "
                    "= 'k1'", "INSERT INTO ix(uuid) VALUES ('k0')", "INSERT INTO ix(uuid) VALUES "
                    "('k3')", "INSERT INTO ix(ix) VALUES ('sync')", "INSERT INTO ix(ix) VALUES "
                    "('optimize')", "SELECT * FROM semantic_sync('ix')"):
            try:
                self.rows(sql)
            except Exception as error:
                self.assertRegex(str(error), "ix|semantic_sync")
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'ix%'"), [])

    def test_the_largest_id(self):
        self.edit(f"INSERT INTO ix_keys VALUES ({2**63 - 1}, 'k9')")
        self.fails("ix_keys: 9223372036854775807 is no id of ours",
                   "INSERT INTO ix(ix) VALUES ('sync')")
        self.db.execute("INSERT INTO docs VALUES ('n', 'new', 1)")
        self.db.execute("INSERT INTO ix(uuid) VALUES ('n')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('optimize')")

    def test_no_keys_at_all(self):
        self.edit("DROP TABLE ix_keys")
        for sql in ("SELECT uuid FROM ix", "SELECT uuid FROM ix('ships', 1)",
                    "INSERT INTO ix(ix) VALUES ('sync')", "INSERT INTO ix(ix) VALUES "
                    "('integrity-check')", "INSERT INTO ix(uuid) VALUES ('k1')"):
            self.fails("no such table: main.ix_keys", sql)
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'ix%'"), [])


if __name__ == "__main__":
    unittest.main()

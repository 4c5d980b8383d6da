"""What searches have found of conditions, and keep: every write that they must see, whoever wrote;
what may not be kept; answers that are those of a connection that knows nothing.

Whether the content was asked is told by the steps of SQLite's machine.
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, connect, to_blob  # noqa: E402

ROWS = 600
K = 10
OPTIONS = ("quantize = 'none'", "quantize = 'int8'", "quantize = 'bit', partitions = 'auto'",
           "quantize = 'none', partitions = 4", "storage = 'int8'", "storage = 'float16'")


def fill(db, key="id INTEGER PRIMARY KEY", options=OPTIONS[0], schema="main"):
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    db.execute(f"CREATE TABLE {schema}.docs({key}, body TEXT, part INT, name TEXT)")
    db.executemany(f"INSERT INTO {schema}.docs VALUES (?, ?, ?, ?)", (
        (i, f"report {i}", i % 100, None if i % 7 == 0 else f"n{i % 10}")
        for i in range(-100, ROWS - 100)))
    index(db, options, schema)
    db.execute("COMMIT")


def index(db, options, schema="main", content="docs"):
    db.execute(f"CREATE VIRTUAL TABLE {schema}.ix USING semantic_index(content = '{content}', text "
               f"= 'body', dimensions = 2, metric = 'l2', {options})")
    db.execute(f"INSERT INTO {schema}.ix(rowid, embedding) SELECT id, vector(json_array(id, 1)) "
               f"FROM {schema}.docs")


SEARCH = f"SELECT rowid FROM ix WHERE query = ? AND k = {K} AND {{}}"
FROM = to_blob([-200, 1])     # the nearest rows come in the order of their ids
TENTH = "part BETWEEN 20 AND 29"
NEAREST = list(range(-80, -70))


class KnownTest(Base):
    def setUp(self):
        super().setUp()
        fill(self.db)

    def open(self, uri=None):
        db = connect(self.path) if uri is None else connect(uri, uri=True)
        self.addCleanup(db.close)
        return db

    def search(self, where=TENTH, db=None, bindings=()):
        return [row[0] for row in (db or self.db).execute(SEARCH.format(where), (FROM, *bindings))]

    def steps(self, where=TENTH, db=None):
        count = []
        (db or self.db).set_progress_handler(lambda: count.append(1) and None, 20)
        self.search(where, db)
        (db or self.db).set_progress_handler(None, 20)
        return len(count)

    def learn(self, where=TENTH, db=None):
        """Until the rows are listed."""
        for _ in range(40):
            self.search(where, db)

    def knows(self, where=TENTH, db=None):
        """Asking about rows one by one, or listing them, takes many more steps."""
        return self.steps(where, db) < self.steps(where.replace("29", "28"), db) / 2

    def check(self, where=TENTH):
        """As one that knows nothing."""
        fresh = self.open()
        self.assertEqual(self.search(where), self.search(where, fresh))
        fresh.close()

    # -- what is seen ----------------------------------------------------------------------------

    def test_they_are_known(self):
        before = self.steps()
        self.learn()
        self.assertLess(self.steps(), before / 2)
        self.assertEqual(self.search(), NEAREST)
        self.db.execute("CREATE TABLE other(x)")      # a write of something else: they may hold not
        self.check()

    def test_own_writes(self):
        for sql in ("UPDATE docs SET part = 20 WHERE id = -90", "DELETE FROM docs WHERE id = -79",
                    "INSERT INTO docs VALUES (1000, 'x', 20, 'y')",
                    "REPLACE INTO docs VALUES (-78, 'x', 0, '')",
                    "UPDATE docs SET id = 2000 WHERE id = -77", "DELETE FROM ix WHERE rowid = -76",
                    "INSERT INTO ix(rowid, embedding) VALUES (1000, '[-199, 1]')"):
            with self.subTest(sql):
                self.learn()
                self.db.execute(sql)
                self.check()
                self.learn()
                self.check()
        self.assertIn(-90, self.search())
        self.assertIn(1000, self.search())
        self.assertFalse({-79, -78, -77, -76} & set(self.search()))

    def test_writes_of_triggers(self):
        self.db.execute("CREATE TABLE source(id INTEGER PRIMARY KEY)")
        self.db.execute("INSERT INTO source VALUES (1)")
        self.db.execute("CREATE TEMP TRIGGER t AFTER DELETE ON source BEGIN "
                        "UPDATE docs SET part = 25 WHERE id = -100; END")
        self.learn()
        self.db.execute("DELETE FROM source")
        self.assertEqual(self.search()[0], -100)
        self.check()

    def test_writes_of_others(self):
        other = self.open()
        for sql, first in (("UPDATE docs SET part = 20 WHERE id = -90", -90),
                           ("UPDATE docs SET part = 0 WHERE id = -90", -80)):
            self.learn()
            other.execute(sql)
            self.assertEqual(self.search()[0], first)

    def test_writes_in_wal(self):
        self.db.execute("PRAGMA journal_mode = wal")
        self.test_writes_of_others()
        self.test_in_a_transaction()

    def test_in_a_transaction(self):
        want = self.search()
        self.learn()
        self.db.execute("BEGIN")
        self.assertEqual(self.search(), want)
        self.db.execute("UPDATE docs SET part = 20 WHERE id = -90")
        for _ in range(30):
            self.assertEqual(self.search()[0], -90)
        self.db.execute("SAVEPOINT a")
        self.db.execute("UPDATE docs SET part = 20 WHERE id = -91")
        for _ in range(30):
            self.assertEqual(self.search()[:2], [-91, -90])
        self.db.execute("ROLLBACK TO a")
        self.assertEqual(self.search()[0], -90)
        self.db.execute("ROLLBACK")
        self.assertEqual(self.search(), want)
        self.assertTrue(self.knows())

    def test_a_reader_that_began_before(self):
        self.db.execute("PRAGMA journal_mode = wal")
        other = self.open()
        self.learn()
        self.db.execute("BEGIN")
        want = self.search()
        other.execute("UPDATE docs SET part = 20 WHERE id = -90")
        self.learn()
        self.assertEqual(self.search(), want)
        self.db.execute("COMMIT")
        self.assertEqual(self.search()[0], -90)

    def test_a_cursor_that_is_open(self):
        self.learn()
        reading = self.db.execute(SEARCH.format(TENTH), (FROM,))
        first = reading.fetchone()[0]
        self.db.execute("UPDATE docs SET part = 20 WHERE id = -90")
        for other in range(20):       # others than are kept
            self.search(f"part = {other}")
        self.assertEqual(self.search()[0], -90)
        self.assertEqual([first, *(row[0] for row in reading)], NEAREST)

    def test_the_schema_changes(self):
        self.learn()
        self.db.execute("CREATE INDEX docs_part ON docs(part)")
        self.check()
        self.learn()
        self.db.execute("ALTER TABLE docs RENAME TO old")
        self.db.execute("CREATE VIEW docs AS SELECT id, body, 99 - part AS part, name FROM old")
        self.check()
        self.db.execute("DROP VIEW docs")
        with self.assertRaisesRegex(self.db.OperationalError, "docs"):
            self.search()
        self.db.execute("ALTER TABLE old RENAME TO docs")
        self.assertEqual(self.search(), NEAREST)

    # -- what is not kept ------------------------------------------------------------------------

    def test_views_and_functions(self):
        """What is not of the file: a function, a clock, a temporary table."""
        answers = [20]
        self.db.create_function("now", 0, lambda: answers[0])
        self.db.execute("ALTER TABLE docs RENAME TO old")
        self.db.execute("CREATE VIEW docs AS SELECT id, body, name, part = now() AS part FROM old")
        self.db.execute("DROP TABLE ix")
        index(self.db, OPTIONS[0] + ", content_rowid = 'id'")
        for _ in range(40):
            self.assertEqual(self.search("part = 1")[0], -80)
        answers[0] = 21
        self.assertEqual(self.search("part = 1")[0], -79)

    def test_patterns(self):
        where, before = "name LIKE 'N2%'", ["n"]
        self.learn(where)
        self.assertNotEqual(self.search(where), [])
        self.db.execute("PRAGMA case_sensitive_like = on")
        self.assertEqual(self.search(where), [])
        self.db.create_function("regexp", 2, lambda a, b: b == before[0] + "3")
        where = "name REGEXP 'x'"
        self.learn(where)
        self.assertEqual(self.search(where)[0], -97)
        before[0] = "m"
        self.assertEqual(self.search(where), [])

    def test_generated_columns(self):
        answers = [1]
        self.db.create_function("f", 1, lambda x: x * answers[0], deterministic=True)
        self.db.execute("DROP TABLE ix")
        self.db.execute("ALTER TABLE docs ADD COLUMN twice INT GENERATED ALWAYS AS (f(part))")
        index(self.db, OPTIONS[0])
        self.learn("twice = 20")
        answers[0] = 2
        self.assertEqual(self.search("twice = 20")[0], -90)

    def test_collations(self):
        sign = [1]
        self.db.create_collation("mine", lambda a, b: sign[0] * ((a > b) - (a < b)))
        self.db.execute("DROP TABLE ix")
        self.db.execute("ALTER TABLE docs ADD COLUMN word TEXT COLLATE mine")
        self.db.execute("UPDATE docs SET word = 'w' || part % 10")
        index(self.db, OPTIONS[0])
        for where, column in (("word > 'w7'", "word"), ("name > 'n7' COLLATE mine", "name")):
            sign[0] = 1
            self.learn(where)
            sign[0] = -1
            self.db.create_collation("mine", lambda a, b: sign[0] * ((a > b) - (a < b)))
            self.assertEqual(self.search(where), [row[0] for row in self.rows(
                f"SELECT id FROM docs WHERE {where} ORDER BY id LIMIT {K}")], column)

    def test_shared_cache(self):
        uri = f"file:{self.path}?cache=shared"
        reader, writer = self.open(uri=uri), self.open(uri=uri)
        for change in ("UPDATE docs SET part = 20 WHERE id = -90",
                       "UPDATE docs SET part = 0 WHERE id = -80"):
            self.learn(db=reader)
            reader.execute("PRAGMA read_uncommitted = on")
            writer.execute("BEGIN")
            writer.execute(change)
            for _ in range(40):
                self.assertNotEqual(self.search(db=reader), NEAREST)
            reader.execute("PRAGMA read_uncommitted = off")
            writer.execute("ROLLBACK")
            self.assertEqual(self.search(db=reader), NEAREST)
        writer.close()
        self.learn(db=reader)
        self.assertTrue(self.knows(db=reader))

    def test_a_function_that_reads_on(self):
        """It is called by a condition, and reads what a search of the same condition finds."""
        reading, found = [], []
        self.db.execute("INSERT INTO docs SELECT id + 1000, body, part, name FROM docs")
        self.db.execute("INSERT INTO ix(rowid, embedding) SELECT id, vector(json_array(id, 1)) "
                        "FROM docs WHERE id > 600")

        def read_on(a, b):
            if reading:
                cursor = reading.pop()
                found.extend(row[0] for row in cursor.fetchmany(1))
                reading.append(cursor)
            return b == "n3"

        self.db.create_function("regexp", 2, read_on)
        want = [row[0] for row in self.rows("SELECT id FROM docs WHERE name = 'n3' ORDER BY id")]
        for k in (K, 2 * K, 200):
            cursor = self.db.execute("SELECT rowid FROM ix WHERE query = ? AND name REGEXP 'x'",
                                     (FROM,))
            found[:] = [row[0] for row in cursor.fetchmany(3)]
            reading.append(cursor)
            for row, expected in zip(self.rows(f"SELECT rowid FROM ix WHERE query = ? AND k = {k} "
                                               "AND name REGEXP 'x'", FROM), want[:k]):
                self.assertEqual(row[0], expected)
            found.extend(row[0] for row in reading.pop())
            self.assertEqual(found, want)

    # -- answers ---------------------------------------------------------------------------------

    def test_as_a_scan_of_all(self):
        """Whatever share of the rows: none, one, few, half, most, all; of every kind of index."""
        shares = ("part < 0", "id = 17", "id = 9999", "part = 3", TENTH, "part < 50", "part >= 10",
                  "part IS NOT NULL", "name IS NULL", "name <> 'n3'", "name IN ('n1', 'n2')",
                  "id IN (SELECT id FROM docs WHERE part = 7)", "part = 3 AND name = 'n3'",
                  "rowid IN (SELECT id FROM docs WHERE part < 90) AND part >= 10",
                  "rowid IN (SELECT value FROM json_each('[5, 5, null, \"6\", -3, 9999, \"x\"]'))")
        for options in OPTIONS:
            self.db.execute("DROP TABLE ix")
            index(self.db, options)
            for where in shares:
                met = self.rows(f"SELECT id FROM docs WHERE {where.replace('rowid', 'id')} "
                                f"ORDER BY id LIMIT {K}")
                if "json" in where:
                    met = [(-3,), (5,), (6,)]
                for _ in range(12):
                    found = self.search(where)
                    self.assertEqual(len(found), len(met), (options, where))
                    if "bit" not in options and "int8" not in options:
                        self.assertEqual(found, [row[0] for row in met], (options, where))

    def test_many_values(self):
        """More conditions than are kept, in turns; values that are alike."""
        values = (3, "3", 3.0, b"3", "3 ", None, *range(20))
        want = {}
        for _ in range(4):
            for value in values:
                found = self.search("part IS ?", bindings=(value,))
                self.assertEqual(want.setdefault(repr(value), found), found)
        self.assertEqual(want["3"], list(range(-97, ROWS - 100, 100)))

    def test_a_small_budget(self):
        self.learn()
        self.db.execute("SELECT rerank_config('memory_budget', 0)")
        self.assertEqual(self.search(), NEAREST)
        self.db.execute("UPDATE docs SET part = 20 WHERE id = -90")
        self.learn()
        self.assertEqual(self.search()[0], -90)

    def test_of_keys(self):
        self.db.execute("DROP TABLE ix")
        self.db.execute("CREATE TABLE letters(key TEXT UNIQUE NOT NULL, body TEXT, part INT)")
        self.db.execute("INSERT INTO letters SELECT 'k' || id, body, part FROM docs")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'letters', text = "
                        "'body', content_rowid = 'key', dimensions = 2, metric = 'l2')")
        self.db.execute("INSERT INTO ix(key, embedding) SELECT 'k' || id, "
                        "vector(json_array(id, 1)) FROM docs")
        sql = SEARCH.format(TENTH).replace("rowid", "key")
        for _ in range(30):
            self.assertEqual([row[0] for row in self.rows(sql, FROM)],
                             [f"k{i}" for i in NEAREST])
        self.db.execute("UPDATE letters SET part = 20 WHERE key = 'k-90'")
        self.assertEqual(self.rows(sql, FROM)[0], ("k-90",))

    def test_in_a_join(self):
        self.db.execute("CREATE TABLE asked(part INT)")
        self.db.executemany("INSERT INTO asked VALUES (?)", [(i % 12,) for i in range(60)])
        for _ in range(3):
            rows = self.rows("SELECT a.part, i.rowid FROM asked AS a CROSS JOIN ix AS i ON i.query "
                             "= ? AND i.k = 2 AND i.part = a.part ORDER BY a.rowid", FROM)
            self.assertEqual(len(rows), 120)
            for part, rowid in rows:
                self.assertIn(rowid, (part - 100, part))

    def test_interrupted(self):
        """While the list is read."""
        for where in (TENTH, "rowid IN (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                      "FROM n WHERE i < 100000) SELECT i FROM n)"):
            for step in (1, 5, 40):
                count = []
                self.db.set_progress_handler(lambda: count.append(1) or len(count) > step, 100)
                try:
                    for _ in range(40):
                        self.search(where)
                except self.db.OperationalError as error:
                    self.assertIn("interrupted", str(error))
                self.db.set_progress_handler(None, 100)
            self.search(where)
        self.assertEqual(self.search(), NEAREST)


if __name__ == "__main__":
    unittest.main()

"""test_where.py: conditions of a search apply before the k are taken; rings, pages, numbers;
columns as in their table. What they give beside brute force is model/filter_model.py's to say."""
import os
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, connect, model_calls  # noqa: E402

N_ROWS = 300


class Where(Base):
    """Row i of 300 has the vector [i]: the nearest of [0] come in the order of their ids."""

    def setUp(self):
        super().setUp()
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("BEGIN")
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, section TEXT, "
                        "price REAL, \"a \"\"b\"\" ?\" TEXT)")
        self.db.executemany("INSERT INTO docs VALUES (?, ?, ?, ?, 'x' || ?)", [
            (i, f"report {i}", "rare" if i % 100 == 0 else "usual", i / 2, i % 7)
            for i in range(1, N_ROWS + 1)])
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                        "text = 'body', dimensions = 1, metric = 'l2', candidates = 5)")
        self.db.execute("INSERT INTO ix(rowid, embedding) SELECT id, vector(json_array(id)) "
                        "FROM docs")
        self.db.execute("COMMIT")

    def nearest(self, where, *bindings, tail=""):
        return [row[0] for row in self.rows(
            f"SELECT rowid FROM ix WHERE query = '[0]' AND {where} {tail}", *bindings)]


class Filters(Where):
    def test_with_an_index_and_without(self):
        for _ in range(2):
            self.assertEqual(self.nearest("k = 2 AND section = ?", "rare"), [100, 200])
            self.assertEqual(self.nearest("k = 5 AND section = 'rare'"), [100, 200, 300])
            self.assertEqual(self.nearest("section = 'rare'"), [100, 200, 300])
            self.assertEqual(self.nearest("k = 1 AND section = 'none'"), [])
            self.assertEqual(self.nearest("section = 'rare'", tail="LIMIT 1 OFFSET 1"), [200])
            self.db.execute("CREATE INDEX IF NOT EXISTS by_section ON docs(section)")

    def test_names_that_must_be_quoted(self):
        self.assertEqual(self.nearest("k = 2 AND \"a \"\"b\"\" ?\" = ?", "x0"), [7, 14])

    def test_changes_of_this_transaction_count(self):
        self.db.execute("BEGIN")
        self.db.execute("UPDATE docs SET section = 'rare' WHERE id = 3")
        self.db.execute("DELETE FROM docs WHERE id = 100")
        self.assertEqual(self.nearest("k = 2 AND section = 'rare'"), [3, 200])
        self.db.execute("ROLLBACK")
        self.assertEqual(self.nearest("k = 2 AND section = 'rare'"), [100, 200])

    def test_rows_that_are_gone_take_no_place(self):
        self.db.execute("DELETE FROM docs WHERE id BETWEEN 2 AND 150")
        self.assertEqual(self.nearest("k = 3"), [1, 151, 152])
        self.assertEqual(self.nearest("k = 2 AND section = 'rare'"), [200, 300])

    def test_own_texts(self):
        self.db.execute("CREATE VIRTUAL TABLE notes USING semantic_index(dimensions = 1, metric = "
                        "'l2')")
        self.db.execute("INSERT INTO notes(rowid, text, embedding) SELECT id, 'note ' || id, "
                        "vector(json_array(id)) FROM docs WHERE id < 60")
        for where, want in (("text LIKE '%9'", [9, 19]), ("text IN ('note 5', 'note 50')", [5, 50]),
                            ("rowid > 57", [58, 59]), ("rowid IN (7)", [7]), ("rowid = ?", [7])):
            self.assertEqual([row[0] for row in self.rows(
                f"SELECT rowid FROM notes('[0]', 2) WHERE {where}",
                *([7] if "?" in where else []))], want)

    def test_joined_tables_filter_after(self):
        self.db.execute("CREATE TABLE chosen(id INTEGER PRIMARY KEY, section TEXT)")
        self.db.execute("INSERT INTO chosen SELECT id, section FROM docs WHERE id > 2")
        for order in ("ix AS i JOIN chosen AS c", "chosen AS c JOIN ix AS i",
                      "ix AS i CROSS JOIN chosen AS c", "chosen AS c CROSS JOIN ix AS i"):
            self.assertEqual(self.rows(f"SELECT i.rowid FROM {order} ON c.id = i.rowid WHERE "
                                       "i.query = '[0]' AND i.k = 4 ORDER BY 1"), [(3,), (4,)],
                             order)
        for order in ("ix AS i JOIN chosen AS c", "chosen AS c JOIN ix AS i"):
            self.assertEqual(self.rows(f"SELECT count(*) FROM {order} ON c.section = i.section "
                                       "WHERE i.query = '[0]' AND i.k = 4 AND c.id = 100"), [(0,)])

    def test_a_join_by_the_key_counts_after(self):
        self.db.execute("CREATE TABLE units(id INTEGER PRIMARY KEY, code INT NOT NULL UNIQUE, "
                        "body)")
        self.db.execute("INSERT INTO units SELECT 1000 - id, id, body FROM docs")
        self.db.execute("CREATE VIRTUAL TABLE iu USING semantic_index(content = 'units', text = "
                        "'body', content_rowid = 'code', dimensions = 1, metric = 'l2')")
        self.db.execute("INSERT INTO iu(rowid, embedding) SELECT code, vector(json_array(code)) "
                        "FROM units")
        for index, key in (("ix", "rowid"), ("ix", "id"), ("iu", "rowid"), ("iu", "code")):
            search = f"{index} AS i ON i.{key} = d.id AND i.query = '[0]' AND i.k = 10"
            where = search.replace("ON", "WHERE")
            for sql in (f"count(i.rowid) FROM docs AS d LEFT JOIN {search}",
                        f"count(*) FROM docs AS d CROSS JOIN {search}",
                        f"count(*) FROM docs AS d JOIN {search}",
                        f"count(*) FROM docs AS d WHERE EXISTS (SELECT 1 FROM {where})",
                        f"count((SELECT i.rank FROM {where})) FROM docs AS d"):
                self.assertEqual(self.one(f"SELECT {sql}"), 10, sql)
        self.assertEqual(self.one("SELECT i.code FROM iu AS i WHERE query = '[0]' AND k = 1 AND "
                                  "id = 700"), 300)
        for where in ("id = 40", "id IN (SELECT 40)", "id = '40'", "id IS 40", "id >= 40"):
            self.assertEqual(self.nearest(f"k = 1 AND {where}"), [40])

    def test_a_query_for_each_row(self):
        rows = self.rows("WITH q(v, s) AS (VALUES ('[0]', 'rare'), ('[299]', 'usual')) SELECT q.s, "
                         "i.rowid FROM q LEFT JOIN ix AS i ON i.query = q.v AND i.k = 1 AND "
                         "i.section = q.s")
        self.assertEqual(rows, [("rare", 100), ("usual", 299)])

    def test_branches_of_or_take_k_together(self):
        self.assertEqual(self.nearest("k = 1 AND ((rowid = 5 AND price > 1) OR "
                                      "(rowid = 4 AND price > 1))"), [])
        self.assertEqual(self.nearest("k = 1 AND (rowid = 5 OR rowid = 4)"), [4])
        self.assertEqual(self.nearest("k = 3 AND (section = 'rare' OR section = 'none')"),
                         [100, 200, 300])

    def mixed(self):
        """Texts and values that are the same as numbers, and those that are so but for case."""
        self.db.execute("CREATE TABLE mix(id INTEGER PRIMARY KEY, body, t TEXT, x, c TEXT COLLATE "
                        "NOCASE)")
        self.db.executemany("INSERT INTO mix VALUES (?1, 'report', ?2, ?3, ?4)", [
            (i, ("5", "05", "5.0", " 5", "a", "7")[i % 6], (5, "5", "5.0", 5.0, "a", b"5")[i % 6],
             "xXy"[i % 3]) for i in range(1, 61)])
        self.db.execute("CREATE VIRTUAL TABLE im USING semantic_index(content = 'mix', text = "
                        "'body', dimensions = 1, metric = 'l2')")
        self.db.execute("INSERT INTO im(rowid, embedding) SELECT id, vector(json_array(id)) FROM "
                        "mix")
        self.db.execute("CREATE TABLE nums(n INT, r REAL, s TEXT, z)")
        self.db.execute("INSERT INTO nums VALUES (5, 5.0, '5', 5)")

    def test_no_row_is_lost_to_what_is_not_told(self):
        self.mixed()
        others = ["CAST('5' AS INTEGER)", "CAST(5 AS REAL)", "(SELECT n FROM nums)", "5",
                  "(SELECT s FROM nums)", "(SELECT z FROM nums)", "abs(-5)", "'5'"]
        tests = [f"{column} {operator} {other}" for column in "tx" for other in others
                 for operator in ("=", "<>", "<", ">=", "IS", "IS NOT")]
        tests += [f"{column} IN ({members})" for column in "tx" for members in (
            "5", "5, 'a'", "CAST(5 AS INT), 6", "SELECT n FROM nums", "SELECT z FROM nums",
            "SELECT s FROM nums UNION SELECT 7")]
        tests += ["c <> 'x' COLLATE BINARY", "c IS NOT 'x' COLLATE BINARY", "c <> 'x'",
                  "t <> 'A' COLLATE NOCASE", "'x' <> c", "c NOT IN ('x')"]
        for test in tests:
            self.assertEqual(self.rows(f"SELECT rowid FROM im WHERE query = '[0]' AND {test}"),
                             self.rows(f"SELECT id FROM mix WHERE {test} ORDER BY id"), test)
        for value in ("5", 5, 5.0, "x"):
            for test in ("t = CAST(? AS INTEGER)", "x <> CAST(? AS INTEGER)", "t > CAST(? AS REAL)",
                         "c <> ? COLLATE BINARY", "t IN (CAST(? AS INT), 7)", "t >= ?"):
                self.assertEqual(
                    self.rows(f"SELECT rowid FROM im WHERE query = '[0]' AND {test}", value),
                    self.rows(f"SELECT id FROM mix WHERE {test} ORDER BY id", value), test)
        for test in ("t <> 'a'", "x >= 'a'", "c <> 'X'", "c <> 'x' COLLATE BINARY", "t IN ('a')",
                     "x IN (SELECT n FROM nums)", "t = CAST(5 AS INT)"):
            self.assertEqual(
                self.rows(f"SELECT rowid FROM im WHERE query = '[0]' AND k = 4 AND {test}"),
                self.rows(f"SELECT id FROM mix WHERE {test} ORDER BY id LIMIT 4"), test)
        self.assertEqual(self.rows("SELECT rowid FROM im('[0]', 2) WHERE c <> ?", "X"),
                         [(2,), (5,)])

    def test_long_lists_of_numbers(self):
        self.mixed()
        self.db.execute("CREATE TABLE many(i INT)")
        self.db.execute("INSERT INTO many WITH n(i) AS (SELECT 7 UNION ALL SELECT i + 1 FROM n "
                        "WHERE i < 20000) SELECT i FROM n")
        for column, want in (("t", [5, 11]), ("x", []), ("id", [7, 8])):
            self.assertEqual([row[0] for row in self.rows(
                f"SELECT id FROM im('[0]', 2) WHERE {column} IN (SELECT i FROM many)")], want)

    def test_a_long_list(self):
        ids = ", ".join(str(i / 2) for i in range(250, 3000))
        self.assertEqual(self.nearest(f"k = 2 AND price IN ({ids})"), [250, 251])

    def test_a_list_that_is_too_long(self):
        if not hasattr(self.db, "setlimit"):
            self.skipTest("this Python sets no limits")
        self.db.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 100)
        self.fails(r"rowid IN \(SELECT", "SELECT rowid FROM ix('[0]', 2) WHERE price IN (SELECT id "
                   "FROM docs)")

    def test_too_many_conditions(self):
        self.fails("32 conditions", "SELECT rowid FROM ix('[0]', 2) WHERE " +
                   " AND ".join(f"price != {i}" for i in range(40)))

    def test_a_column_that_is_gone(self):
        statement = "SELECT rowid FROM ix('[0]', 2) WHERE section = 'rare'"
        other = "price > 100"
        self.db.execute("ALTER TABLE docs DROP COLUMN section")
        self.fails("no such column", statement)
        self.assertEqual(self.nearest(f"k = 1 AND {other}"), [201])

    def test_read_only(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.db")
            self.db.execute("VACUUM INTO ?", (path,))
            db = connect(f"file:{path}?mode=ro", uri=True)
            self.assertEqual(db.execute("SELECT rowid FROM ix('[0]', 2) WHERE section = 'rare'"
                                        ).fetchall(), [(100,), (200,)])
            db.close()

    def test_interrupt(self):
        calls = []
        self.db.execute("CREATE TABLE many AS SELECT a.id * 1000 + b.id AS id FROM docs a, docs b")
        self.db.execute("CREATE VIEW slow AS SELECT id, body, (SELECT count(*) FROM many WHERE id "
                        "> docs.id) AS n FROM docs")
        self.db.execute("CREATE VIRTUAL TABLE iv USING semantic_index(content = 'slow', text = "
                        "'body', content_rowid = 'id', dimensions = 1, metric = 'l2')")
        self.db.execute("INSERT INTO iv(rowid, embedding) SELECT id, vector(json_array(id)) FROM "
                        "docs")
        self.db.set_progress_handler(lambda: calls.append(1) or len(calls) > 3, 1000)
        self.fails("interrupted", "SELECT rowid FROM iv('[0]', 2) WHERE n < 0")
        self.db.set_progress_handler(None, 0)
        self.assertEqual(self.rows("SELECT rowid FROM iv('[0]', 1) WHERE id > 7"), [(8,)])


class Rings(Where):
    def test_bounds_of_similarity_and_distance(self):
        self.assertEqual(self.nearest("k = 2 AND distance > 100"), [101, 102])
        self.assertEqual(self.nearest("k = 2 AND distance BETWEEN 99.5 AND 100.5"), [100])
        self.assertEqual(self.nearest("distance = 7"), [7])
        self.assertEqual(self.nearest("k = 2 AND similarity < 0.1"), [10, 11])
        self.assertEqual(self.nearest("similarity >= 0.25"), [1, 2, 3])
        self.assertEqual(self.nearest("k = 2 AND distance > 250 AND section = 'rare'"), [300])
        self.assertEqual(self.nearest("k = 2 AND distance < 'text'"), [1, 2])
        self.assertEqual(self.nearest("k = 2 AND distance > 'text'"), [])
        self.assertEqual(self.nearest("k = 2 AND distance < NULL"), [])

    def test_numbers_that_are_bound_as_text(self):
        """As PHP's PDO does with all of them: as in a column of numbers."""
        for where, value in (("distance > ?", "100"), ("distance BETWEEN ? AND 200", " 1.005e2 "),
                             ("similarity < ?", "0.0099"), ("rank > ?", "100"),
                             ("rank >= ?", "101")):
            self.assertEqual(self.nearest(f"k = 2 AND {where}", value), [101, 102], where)
        self.assertEqual(self.nearest("distance = ?", "7"), [7])
        self.assertEqual(self.nearest("rank IN (?, ?)", "7", "8.0"), [7, 8])
        self.assertEqual(self.nearest("k = 2 AND distance > ?", "100 m"), [])
        self.assertEqual(self.nearest("k = 2 AND distance < ?", "1\0"), [1, 2])
        self.assertEqual(self.rows("SELECT id FROM semantic_search_each('ix', '[\"[0]\"]', 3) "
                                   "WHERE distance >= ? AND rank <= ?", "2", "2"), [(2,)])
        self.assertEqual(self.rows("SELECT key FROM rerank('bat', '[\"a\", \"bat\"]') "
                                   "WHERE relevance_score > ?", "0.01"), [(1,)])

    def test_rank(self):
        self.assertEqual(self.rows("SELECT rowid, rank FROM ix('[0]', 2) WHERE rank > 20"),
                         [(21, 21), (22, 22)])
        self.assertEqual(self.rows("SELECT rowid, rank FROM ix('[0]') WHERE rank BETWEEN 299 AND "
                                   "400"), [(299, 299), (300, 300)])
        self.assertEqual(self.nearest("rank = 7.0"), [7])
        self.assertEqual(self.nearest("k = 2 AND rank IS 7"), [7])
        self.assertEqual(self.nearest("k = 2 AND distance IS 7"), [7])
        self.assertEqual(self.nearest("k = 2 AND rank IS NULL"), [])
        self.assertEqual(self.nearest("rank IN (7, 8)"), [7, 8])
        self.fails("rank BETWEEN", "SELECT rowid FROM ix('[0]', 2) WHERE rank IN (7, 8)")
        self.assertEqual(self.nearest("rank < 1"), [])
        self.assertEqual(self.nearest("rank > 2.5 AND rank < 4.5"), [3, 4])
        self.assertEqual(self.rows("SELECT rowid, rank FROM ix('[0]', 2) WHERE rank >= 2 AND "
                                   "section = 'rare'"), [(200, 2), (300, 3)])

    def test_k_as_a_bound(self):
        for k in ("k <= 2", "k < 3", "k < 2.5", "k <= 2.5", "k BETWEEN 1 AND 2", "2 >= k",
                  "k = 2 AND k <= 5", "k <= 3 AND k <= 2", "k < 3 AND k <= 7", "k <= 9 AND k < 3",
                  "k IS 2", "k <= 5 AND k IS 2", "k = 2 AND k IS 2", "k = 2 AND k <> 5"):
            self.assertEqual(self.nearest(k), [1, 2], k)
        self.assertEqual(self.nearest("k = 2 AND k = 3"), [])
        self.assertEqual(self.nearest("k <= 0.5"), [])
        self.assertEqual(self.nearest("k <= 3 AND k < 1"), [])
        self.assertEqual(self.nearest("k <= 3 AND k <= NULL"), [])
        self.fails("k", "SELECT rowid FROM ix WHERE query = '[0]' AND k <= 2 AND k <= 'a'")
        for k in ("k >= 2", "k <> 5", "k IS NOT 5", "k IS NOT NULL", "k LIKE 5", "k GLOB '5'"):
            self.fails("k = n or k <= n", f"SELECT rowid FROM ix WHERE query = '[0]' AND {k}")

    def test_pages_beyond_the_candidates(self):
        self.db.execute("DROP TABLE ix")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                        "text = 'body', candidates = 5)")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        sql = "SELECT rowid FROM ix('report') ORDER BY relevance DESC"
        self.assertEqual(len(self.rows(sql)), 5)
        self.assertEqual(len(self.rows(sql + " LIMIT 10 OFFSET 20")), 10)
        self.assertEqual(len(self.rows(sql + " LIMIT -1")), 5)
        self.assertEqual(len(self.rows(sql + " LIMIT -1 OFFSET 20")), 5)
        self.assertEqual(self.rows(sql + " LIMIT -1 OFFSET 300"), [])
        self.assertEqual(len(self.rows(sql + " LIMIT 1000000")), 300)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('report', 3) ORDER BY relevance DESC "
                                       "LIMIT 10")), 3)
        self.assertEqual([row[0] for row in self.rows(
            "SELECT rank FROM ix('report') WHERE rank > 7 AND section = 'usual' ORDER BY rank, "
            "relevance")], [8, 9, 10, 11, 12])

    def test_pages_beyond_what_may_be_reranked(self):
        self.db.execute("CREATE VIRTUAL TABLE big USING semantic_index()")
        self.db.execute("INSERT INTO big(text) SELECT 'note' FROM docs, (SELECT 1 FROM docs LIMIT "
                        "4)")
        self.fails("k = n", "SELECT relevance FROM big('note') LIMIT 1100")
        self.assertEqual(len(self.rows("SELECT relevance FROM big('note', 1100) LIMIT 1100")), 1100)


class Parts(Base):
    """Rows in the order of their nearness for as long as somebody reads, without a k."""

    ROWS = 9000
    OPTIONS = ""

    def setUp(self):
        super().setUp()
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("BEGIN")
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, part INT)")
        self.db.execute("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i "
                        f"< {self.ROWS}) INSERT INTO docs SELECT i, 'report ' || i, i % 1000 "
                        "FROM n")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = "
                        f"'body', dimensions = 1, metric = 'l2'{self.OPTIONS})")
        # Two rows at each place.
        self.db.execute("INSERT INTO ix(rowid, embedding) SELECT id, vector(json_array(id / 2)) "
                        "FROM docs")
        self.db.execute("COMMIT")

    def test_all_rows_once(self):
        rows = self.rows("SELECT rowid, rank FROM ix WHERE query = '[0]'")
        self.assertEqual(rows, [(i, i) for i in range(1, self.ROWS + 1)])
        self.db.execute("DELETE FROM docs WHERE id % 3 = 0")
        rows = self.rows("SELECT i.rowid FROM ix AS i LEFT JOIN docs AS d ON d.id = i.rowid WHERE "
                         "query = '[0]' ORDER BY distance")
        self.assertEqual(rows, [(i,) for i in range(1, self.ROWS + 1) if i % 3 != 0])

    def test_as_far_as_a_join_reads(self):
        for limit, part in ((1, 7), (3, 7), (8, 7), (20, 7), (3, 2000)):
            self.assertEqual(self.rows(
                "SELECT d.id FROM ix JOIN docs AS d ON d.id = ix.rowid WHERE query = '[0]' AND "
                "d.part = ? ORDER BY distance LIMIT ?", part, limit),
                [(i,) for i in range(7, self.ROWS, 1000) if part == 7][:limit])
        self.assertEqual(self.rows(
            "WITH q(v) AS (VALUES ('[0]'), ('[4500]')) SELECT v, i.rowid FROM q CROSS JOIN ix AS i "
            "JOIN docs AS d ON d.id = i.rowid WHERE i.query = v AND d.part = 990 AND "
            "i.distance < 500"), [("[0]", 990), ("[4500]", 8990)])

    def test_rows_written_meanwhile(self):
        reading = self.db.execute("SELECT rowid FROM ix WHERE query = '[0]'")
        given = [reading.fetchone()[0] for _ in range(50)]
        self.db.execute("DELETE FROM ix WHERE rowid > 8000")
        self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (8500, '[0]')")
        given += [row[0] for row in reading]
        self.assertEqual(len(given), len(set(given)))
        self.assertEqual(given[:100], list(range(1, 101)))
        self.assertEqual(sorted(given), [*range(1, 8001), 8500])

    def test_where_few_meet_it(self):
        """A new condition each time, before vectors are in memory beside codes, and then."""
        conditions = (("< 10", lambda part: part < 10), ("= 7", lambda part: part == 7),
                      ("> 2000", lambda part: part > 2000))
        self.db.execute("CREATE TABLE other(x)")
        for sql in ("SELECT 1", "SELECT count(*) FROM ix WHERE query = '[0]'", "SELECT 2"):
            self.rows(sql)
            for condition, meets in conditions:
                met = [i for i in range(1, self.ROWS + 1) if meets(i % 1000)]
                for k in (1, 10, 40):
                    self.rows("INSERT INTO other VALUES (1)")
                    self.assertEqual(self.rows(
                        f"SELECT rowid FROM ix WHERE query = '[0]' AND k = {k} AND part "
                        f"{condition}"), [(i,) for i in met[:k]])


class PartsOfCodes(Parts):
    """The same: what reads no k ranks by vectors, which it does not keep where there is no room."""

    OPTIONS = ", quantize = 'bit'"

    def test_without_room(self):
        self.db.execute("SELECT rerank_config('memory_budget', 200000)")
        self.test_as_far_as_a_join_reads()
        self.test_all_rows_once()

    def test_a_rank_is_a_k(self):
        self.assertEqual(self.rows("SELECT rowid FROM ix WHERE query = '[0]' AND rank <= 3"),
                         [(1,), (2,), (3,)])
        self.assertEqual(self.rows("SELECT rowid, rank FROM ix WHERE query = '[0]' AND "
                                   "rank > 8990"), [(i, i) for i in range(8991, 9001)])


class PartsOfPartitions(Parts):
    OPTIONS = ", quantize = 'int8', partitions = 8"


class PartsOfExactPartitions(Parts):
    OPTIONS = ", partitions = 8"


class Columns(Base):
    def index(self, content, **options):
        more = "".join(f", {name} = '{value}'" for name, value in options.items())
        self.db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index(content = '{content}', "
                        f"text = 'body'{more})")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")

    def test_collations_of_a_view(self):
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, name TEXT COLLATE "
                        "NOCASE, cut TEXT COLLATE RTRIM, plain TEXT)")
        self.db.execute("INSERT INTO docs VALUES (1, 'a cat', 'Bob', 'x ', 'P')")
        self.db.execute("CREATE VIEW v AS SELECT id, body, name, cut, plain FROM docs")
        self.index("v", content_rowid="id")
        for where, n in (("name = 'bOB'", 1), ("cut = 'x'", 1), ("plain = 'p'", 0)):
            for source in ("ix", "ix('cat')", "v"):
                self.assertEqual(self.one(f"SELECT count(*) FROM {source} WHERE {where}"), n)

    def test_a_collation_of_the_application(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.db")
            db = connect(path)
            db.create_collation("turned", lambda a, b: (a[::-1] > b[::-1]) - (a[::-1] < b[::-1]))
            db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body, name TEXT COLLATE turned)")
            db.execute("INSERT INTO docs VALUES (1, 'a cat', 'ab'), (2, 'a dog', 'ba')")
            db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = "
                       "'body')")
            db.execute("INSERT INTO ix(ix) VALUES ('sync')")
            self.assertEqual(db.execute("SELECT rowid FROM ix('cat', 1) WHERE name < 'ab'"
                                        ).fetchall(), [(2,)])
            db.close()
            db = connect(path)  # where nobody has it
            self.assertEqual(db.execute("SELECT name FROM ix('cat', 1)").fetchall(), [("ab",)])
            db.close()

    def test_an_index_called_like_a_column(self):
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, Author TEXT)")
        for name in ("body", "author", "ID"):
            self.fails(f"an index cannot be called {name}: docs has a column of that name",
                       f"CREATE VIRTUAL TABLE {name} USING semantic_index(content = 'docs', text = "
                       "'body')")
        self.index("docs")
        self.fails("cannot be called author", "ALTER TABLE ix RENAME TO author")

    def test_types_as_they_were_declared(self):
        """Drivers convert by them, and SQLite compares by their affinity."""
        types = ["DATETIME", "BOOLEAN", "decimal(10, +2)", "unsigned -- so\n big int", "",
                 '"PRIMARY KEY"', "[a)b]", "'x\"y z'", "VARCHAR ( 9 ) /* nine */", "xhiddeny",
                 "ANY"]
        columns = ", ".join(f"c{i} {declared}" for i, declared in enumerate(types))
        self.db.execute(f"CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, {columns}\n)")
        self.db.execute("INSERT INTO docs(body, c0, c3) VALUES ('a bat', 'noon', 7)")
        self.index("docs")
        for _ in range(2):
            ours = dict(self.rows("SELECT name, type FROM pragma_table_info('ix')"))
            theirs = dict(self.rows("SELECT name, type FROM pragma_table_info('docs')"))
            self.assertEqual(ours, {**theirs, "c4": "BLOB", "c9": "NUMERIC"})
            self.assertEqual(self.rows("SELECT c0 FROM ix('bat', 1) WHERE c3 = '7'"), [("noon",)])
            self.db.close()
            self.db = connect(self.path)
        self.db.executescript("DROP TABLE docs; CREATE TABLE docs(id INTEGER PRIMARY KEY, "
                              "body TEXT, c0 INT, c1 ANY) STRICT")
        self.assertEqual(self.rows("SELECT name, type FROM pragma_table_info('ix')"), [
            ("id", "INTEGER"), ("body", "TEXT"), ("c0", "INT"), ("c1", "BLOB")])

    def test_a_listing_of_all_columns(self):
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT)")
        self.db.execute("INSERT INTO docs VALUES (1, 'a bat'), (2, 'a cat')")
        self.index("docs")
        names = [row[1] for row in self.rows("PRAGMA table_xinfo(ix)")]
        every = ", ".join(f'"{name}"' for name in names)
        for tail, n in (("ORDER BY rowid LIMIT 101", 2), ("WHERE rowid = 2", 1)):
            rows = self.rows(f"SELECT {every} FROM ix {tail}")
            self.assertEqual(len(rows), n)
            found = dict(zip(names, rows[-1]))
            self.assertEqual({found[name] for name in names[:6]}, {None})
            self.assertEqual((found["ix"], found["id"], found["body"]), (None, 2, "a cat"))
        hidden = "query, k, similarity, distance, relevance, rank, embedding"
        self.db.execute(f"CREATE VIEW v AS SELECT {hidden}, body FROM ix LIMIT 10")
        self.fails("the query did not reach", "SELECT body FROM v WHERE query = 'cat'")


class Numbers(Base):
    def test_a_vector_that_is_bound_as_text(self):
        self.db.execute("CREATE VIRTUAL TABLE v USING semantic_index(dimensions = 2)")
        self.db.execute("INSERT INTO v(rowid, embedding) VALUES (1, '[1, 2]')")
        text = "CAST(x'0000803f00000040' AS TEXT)"
        for sql in (f"SELECT vector({text})", f"SELECT rowid FROM v({text})",
                    f"INSERT INTO v(rowid, embedding) VALUES (2, {text})"):
            self.fails("bind a BLOB", sql)

    def test_settings(self):
        self.assertEqual(self.one("SELECT rerank_config('threads', 2.0)"), 2)
        self.fails("not '2.5'", "SELECT rerank_config('threads', 2.5)")

    def test_null_is_null(self):
        self.db.execute("CREATE VIRTUAL TABLE notes USING semantic_index()")
        self.db.execute("INSERT INTO notes(rowid, text) VALUES (1, 'a bat'), (2, 'dogs bark')")
        for where in ("bm25 IS NULL", "bm25 IS ?1", "bm25 IS (SELECT ?1)"):
            self.assertEqual(self.rows(f"SELECT rowid FROM notes('bat', 2) WHERE {where} AND "
                                       "?1 IS NULL", None), [(2,)])
        self.assertEqual(self.rows("SELECT rowid FROM notes('bat', 2) WHERE rank IS ?", None), [])

    def test_an_empty_index_asks_no_model(self):
        self.db.execute("CREATE VIRTUAL TABLE notes USING semantic_index()")
        self.assertEqual(self.rows("SELECT rowid FROM notes('a cat')"), [])
        self.assertEqual(model_calls(self.db, "embed"), 0)
        self.fails("dimensions|multiple of 4", "SELECT rowid FROM notes(x'010203')")


if __name__ == "__main__":
    unittest.main()

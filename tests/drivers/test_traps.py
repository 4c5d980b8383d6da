"""semantic_index where SQLite's ways are treacherous: each test is a way in which rows were lost,
or answers were wrong without a word."""
import os
import random
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, add_films, add_index, blob, connect  # noqa: E402


class Notes(Base):
    """An index that keeps its own text."""

    def setUp(self):
        super().setUp()
        self.db.execute("CREATE VIRTUAL TABLE n USING semantic_index()")

    def texts(self):
        return [row[0] for row in self.rows("SELECT text FROM n")]

    def run_all(self, *statements):
        for statement in statements:
            self.db.execute(statement)

    def test_savepoint_that_begins_the_transaction(self):
        self.run_all("SAVEPOINT a", "INSERT INTO n(text) VALUES ('ghost')", "ROLLBACK TO a",
                     "RELEASE a")
        self.assertEqual(self.texts(), [])
        self.run_all("INSERT INTO n(text) VALUES ('stays')", "SAVEPOINT a", "DELETE FROM n",
                     "ROLLBACK TO a", "INSERT INTO n(text) VALUES ('more')", "RELEASE a")
        self.assertEqual(self.texts(), ["stays", "more"])

    def test_schema_change_keeps_waiting_rows(self):
        self.run_all("CREATE TABLE o(a)", "BEGIN", "INSERT INTO n(text) VALUES ('alpha')",
                     "ALTER TABLE o ADD COLUMN b")
        self.assertEqual(self.texts(), ["alpha"])
        self.run_all("INSERT INTO n(text) VALUES ('beta')", "COMMIT")
        self.assertEqual(self.texts(), ["alpha", "beta"])

    def test_schema_change_and_savepoints(self):
        self.run_all("BEGIN", "SAVEPOINT s", "INSERT INTO n(text) VALUES ('alpha')",
                     "CREATE TABLE z(a)", "INSERT INTO n(text) VALUES ('beta')", "ROLLBACK TO s")
        self.assertEqual(self.texts(), [])
        self.run_all("INSERT INTO n(text) VALUES ('gamma')", "SAVEPOINT t",
                     "INSERT INTO n(text) VALUES ('delta')", "CREATE TABLE z(a)", "ROLLBACK TO t",
                     "COMMIT")
        self.assertEqual(self.texts(), ["gamma"])
        self.db.execute("INSERT INTO n(n) VALUES ('integrity-check')")

    def test_delete_before_a_schema_change(self):
        self.run_all("INSERT INTO n(text) VALUES ('alpha')", "CREATE TABLE o(a)", "BEGIN",
                     "DELETE FROM n", "ALTER TABLE o ADD COLUMN b")
        self.assertEqual(self.texts(), [])
        self.db.execute("ROLLBACK")
        self.assertEqual(self.texts(), ["alpha"])

    def test_drop_that_is_rolled_back(self):
        self.run_all("BEGIN", "INSERT INTO n(text) VALUES ('alpha')", "SAVEPOINT s")
        self.fails("locked", "DROP TABLE n")
        self.run_all("ROLLBACK TO s", "COMMIT")
        self.assertEqual(self.texts(), ["alpha"])
        self.run_all("BEGIN", "INSERT INTO n(text) VALUES ('beta')", "DROP TABLE n", "ROLLBACK")
        self.assertEqual(self.texts(), ["alpha"])
        self.run_all("BEGIN", "INSERT INTO n(text) VALUES ('beta')", "DROP TABLE n", "COMMIT")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema"), [])

    def test_rename_that_is_rolled_back(self):
        self.run_all("BEGIN", "INSERT INTO n(text) VALUES ('alpha')", "SAVEPOINT s",
                     "ALTER TABLE n RENAME TO m", "INSERT INTO m(text) VALUES ('beta')",
                     "ROLLBACK TO s", "INSERT INTO n(text) VALUES ('gamma')", "COMMIT")
        self.assertEqual(self.texts(), ["alpha", "gamma"])
        self.run_all("BEGIN", "INSERT INTO n(text) VALUES ('delta')", "ALTER TABLE n RENAME TO m",
                     "INSERT INTO m(text) VALUES ('epsilon')", "COMMIT")
        self.assertEqual(len(self.rows("SELECT text FROM m")), 4)

    def test_names_that_a_column_has(self):
        for name in ("rank", "query", "text", "ROWID"):
            self.fails("cannot be called", f"ALTER TABLE n RENAME TO \"{name}\"")
            self.fails("cannot be called",
                       f"CREATE VIRTUAL TABLE \"{name}\" USING semantic_index()")
        self.db.execute("ALTER TABLE n RENAME TO fine")
        self.db.execute("DROP TABLE fine")

    def test_own_vectors_without_a_text_survive_sync(self):
        self.db.execute("CREATE VIRTUAL TABLE v USING semantic_index(dimensions=3)")
        self.db.execute("INSERT INTO v(rowid, embedding) VALUES (1, '[1,2,3]'), (2, '[3,2,1]')")
        self.db.execute("INSERT INTO v(v) VALUES ('sync')")
        self.rows("SELECT * FROM semantic_sync('v')")
        self.assertEqual(self.one("SELECT count(*) FROM v"), 2)

    def test_commands_stand_alone(self):
        self.fails("a command stands alone", "INSERT INTO n(n, text) VALUES ('sync', 'lost')")
        for command in ("sync", "rebuild", "optimize", "nonsense"):
            self.fails(f"'{command}' is of no single row: name no rowid",
                       "INSERT INTO n(n, rowid) VALUES (?, 3)", command)

    def test_largest_rowid(self):
        self.db.execute("INSERT INTO n(rowid, text) VALUES (9223372036854775807, 'x')")
        self.fails("no rowid is left", "INSERT INTO n(text) VALUES ('y')")

    def test_brackets_are_no_vector(self):
        self.db.execute("INSERT INTO n(text) VALUES ('a film called [REC]'), ('cooking')")
        for text in ("[REC] horror film", "[REC]", "film [REC]", '["film"]', "[[film]]"):
            self.assertEqual(self.one("SELECT text FROM n(?)", text), "a film called [REC]", text)
        for text in ("[", "[]x", "[]", "[1, 2]", " [ NaN ] ", '["a"]', "[[1]]", "[null]"):
            self.assertLessEqual(len(self.rows("SELECT text FROM n(?)", text)), 2, text)

    def test_left_join_of_a_view_does_not_lose_the_query(self):
        self.db.execute("INSERT INTO n(text) VALUES ('a dog'), ('a cat')")
        self.db.execute("CREATE VIEW v AS SELECT query, k, similarity, text FROM n")
        self.db.execute("CREATE TABLE q(t)")
        self.db.execute("INSERT INTO q VALUES ('dog')")
        self.assertEqual(self.rows("SELECT v.text FROM q JOIN v ON v.query = q.t AND v.k = 1"),
                         [("a dog",)])
        for condition in ("v.k = 1", "v.similarity > 0"):
            with self.subTest(condition):
                try:
                    rows = self.rows("SELECT v.text FROM q LEFT JOIN v ON v.query = q.t AND "
                                     + condition)
                    self.assertEqual(rows[0], ("a dog",))
                except sqlite3.Error as error:
                    self.assertIn("did not reach the index", str(error))
        self.fails("did not reach the index", "SELECT rowid FROM n WHERE k = 2")
        self.fails("did not reach the index", "SELECT rowid FROM n WHERE similarity > 0.1")


class Content(Base):
    def setUp(self):
        super().setUp()
        add_films(self.db)
        add_index(self.db)

    def test_update_trigger_keeps_an_own_vector(self):
        self.db.execute("ALTER TABLE films ADD COLUMN year")
        self.db.execute("CREATE TRIGGER u AFTER UPDATE ON films BEGIN "
                        "INSERT INTO ix(rowid) VALUES (new.id); END")
        self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (1, embed('my own'))")
        self.db.execute("UPDATE films SET year = 2 WHERE id = 1")
        self.assertEqual(self.one("SELECT own FROM ix_rows"), 1)
        self.db.execute("UPDATE films SET title = 'Another' WHERE id = 1")
        self.assertEqual(self.one("SELECT own FROM ix_rows"), 0)

    def test_own_vector_of_an_emptied_row_survives_sync(self):
        self.rows("SELECT * FROM semantic_sync('ix')")
        self.db.execute("INSERT INTO ix(rowid, embedding) SELECT 1, embedding FROM ix LIMIT 1")
        self.db.execute("UPDATE films SET title = NULL, overview = '' WHERE id = 1")
        self.rows("SELECT * FROM semantic_sync('ix')")
        self.assertIn(1, self.ids())
        self.db.execute("DELETE FROM films WHERE id = 1")
        self.rows("SELECT * FROM semantic_sync('ix')")
        self.assertNotIn(1, self.ids())

    def test_columns_of_the_content_cannot_be_set_to_null(self):
        self.rows("SELECT * FROM semantic_sync('ix')")
        self.fails("belongs to films", "UPDATE ix SET title = NULL")
        self.fails("cannot be written", "UPDATE ix SET similarity = NULL")

    def test_content_that_reads_the_index(self):
        self.db.execute("CREATE VIEW v AS SELECT id, title FROM films")
        self.db.execute("CREATE VIRTUAL TABLE i USING semantic_index(content=v, text=title, "
                        "content_rowid=id)")
        self.db.execute("INSERT INTO i(i) VALUES ('sync')")
        for body in ("SELECT rowid AS id, title FROM i",
                     "SELECT id, 'y' || (SELECT count(*) FROM i('bat')) AS title FROM films"):
            self.db.execute("DROP VIEW v")
            self.db.execute("CREATE VIEW v AS " + body)
            self.fails("reads the index itself", "SELECT title FROM i")
            self.fails("reads the index itself", "INSERT INTO i(i) VALUES ('sync')")
            self.fails("reads the index itself", "INSERT INTO i(rowid) VALUES (1)")

    def test_content_that_asks_a_function_of_the_index(self):
        self.db.execute("CREATE VIEW v AS SELECT id, title FROM films")
        self.db.execute("CREATE VIRTUAL TABLE i USING semantic_index(content=v, text=title, "
                        "content_rowid=id)")
        self.db.execute("INSERT INTO i(i) VALUES ('sync')")
        for function in ("semantic_search_each('i', '[\"bat\"]')", "semantic_map('i')",
                         "semantic_recall('i')", "semantic_status('i')"):
            self.db.execute("DROP VIEW v")
            self.db.execute("CREATE VIEW v AS SELECT id, title FROM films "
                            f"WHERE (SELECT count(*) FROM {function}) > 0")
            for asked in ("semantic_search_each('i', '[\"bat\"]')", "semantic_map('i')",
                          "i('bat')"):
                self.fails("reads the index itself", f"SELECT * FROM {asked}")
            self.fails("reads the index itself", "INSERT INTO i(i) VALUES ('sync')")
        problem = self.one("SELECT problem FROM semantic_status('i')")
        self.assertIn("reads the index itself", problem)

    def test_content_that_asks_another_index(self):
        """It may; but two that ask each other never end."""
        self.rows("SELECT * FROM semantic_sync('ix')")
        for name, asked in (("one", "ix"), ("two", "one"), ("one", "two")):
            self.db.execute(f"DROP VIEW IF EXISTS view_{name}")
            self.db.execute(f"CREATE VIEW view_{name} AS SELECT id, title FROM films WHERE id IN "
                            f"(SELECT key FROM semantic_map('{asked}')) AND id IN "
                            f"(SELECT id FROM semantic_search_each('{asked}', '[\"bat\"]'))")
            if asked == "two":
                break
            self.db.execute(f"CREATE VIRTUAL TABLE {name} USING semantic_index("
                            f"content=view_{name}, text=title, content_rowid=id)")
            self.rows(f"SELECT * FROM semantic_sync('{name}')")
            self.assertEqual(len(self.rows(f"SELECT * FROM {name}('bat')")), 5)
            self.assertIsNone(self.one(f"SELECT problem FROM semantic_status('{name}')"))
        for name in ("one", "two"):
            self.fails("reads the index itself", f"SELECT * FROM semantic_map('{name}')")
            self.fails("reads the index itself", f"SELECT * FROM {name}('bat')")
            self.fails("reads the index itself", f"INSERT INTO {name}({name}) VALUES ('sync')")

    def test_trigger_on_the_content_that_asks_the_index(self):
        self.rows("SELECT * FROM semantic_sync('ix')")
        self.db.execute("CREATE TABLE log(n)")
        self.db.execute("CREATE TRIGGER a AFTER INSERT ON films BEGIN "
                        "INSERT INTO ix(rowid) VALUES (new.id); "
                        "INSERT INTO log SELECT count(*) FROM ix('bat'); "
                        "INSERT INTO log SELECT count(*) FROM semantic_map('ix'); "
                        "INSERT INTO log SELECT rows FROM semantic_status('ix'); END")
        self.db.execute("INSERT INTO films VALUES (6, 'Bat Man', 'a bat')")
        self.assertEqual(self.rows("SELECT n FROM log"), [(6,), (6,), (6,)])

    def test_damaged_column_list_can_be_dropped(self):
        for value in (None, '[["query","TEXT"]]', '[["a","TEXT"],["A","TEXT"]]', '[["ix","TEXT"]]'):
            for key in ("columns", "reranker") if value is None else ("columns",):
                other = os.path.join(self.folder.name, "other.db")
                db = connect(other)
                add_films(db)
                add_index(db)
                db.execute("UPDATE ix_config SET value = ? WHERE key = ?", (value, key))
                db.close()
                db = connect(other)
                with self.assertRaisesRegex(sqlite3.Error, "drop the index"):
                    db.execute("SELECT * FROM ix").fetchall()
                db.execute("DROP TABLE ix")
                db.close()
                os.remove(other)

    def test_rebuild_while_a_sync_is_read(self):
        self.db.executemany("INSERT INTO films VALUES (?, ?, ?)",
                            [(i, f"film {i}", f"story {i % 7}") for i in range(10, 1000)])
        rows = self.db.execute("SELECT embedded FROM semantic_sync('ix')")
        first = rows.fetchone()
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        report = [first] + rows.fetchall()
        self.assertEqual(report[-1], (995,))
        self.assertEqual(self.rows("SELECT pending, embedded FROM semantic_sync('ix')"), [(0, 0)])


class Memory(Base):
    """What an index keeps in memory is what a search of the shadow tables finds."""

    def setUp(self):
        super().setUp()
        add_films(self.db)

    def nearest(self, db=None):
        return (db or self.db).execute("SELECT rowid FROM ix('[1, 0]', 1)").fetchone()[0]

    def fill(self, options=""):
        add_index(self.db, options=", dimensions=2" + options)
        self.put(1, 1, 0)
        self.put(2, 0, 1)

    def put(self, rowid, *vector, db=None):
        (db or self.db).execute("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                                (rowid, blob(*vector)))

    def test_writes_are_seen(self):
        for options in ("", ", quantize=int8", ", quantize=bit", ", metric=l2"):
            with self.subTest(options):
                self.fill(options)
                self.assertEqual(self.nearest(), 1)
                self.put(1, -1, 0)
                self.assertEqual(self.nearest(), 2)
                self.db.execute("DELETE FROM ix WHERE rowid = 2")
                self.assertEqual(self.nearest(), 1)
                self.db.execute("DROP TABLE ix")

    def test_rollback_and_savepoints(self):
        self.fill()
        self.assertEqual(self.nearest(), 1)
        self.db.execute("BEGIN")
        self.put(1, -1, 0)
        self.assertEqual(self.nearest(), 2)
        self.db.execute("SAVEPOINT s")
        self.put(3, 1, 0.1)
        self.assertEqual(self.nearest(), 3)
        self.db.execute("ROLLBACK TO s")
        self.assertEqual(self.nearest(), 2)
        self.put(3, -1, 0.1)
        self.assertEqual(self.nearest(), 2)
        self.db.execute("ROLLBACK")
        self.assertEqual(self.nearest(), 1)

    def test_another_connection(self):
        for mode in ("delete", "wal"):
            self.db.execute(f"PRAGMA journal_mode={mode}")
            self.fill()
            other = connect(self.path)
            self.assertEqual((self.nearest(), self.nearest(other)), (1, 1))
            self.put(1, -1, 0, db=other)
            self.assertEqual((self.nearest(), self.nearest(other)), (2, 2))
            self.put(1, 1, 0)
            self.assertEqual((self.nearest(), self.nearest(other)), (1, 1))
            other.execute("DROP TABLE ix")
            other.close()

    def test_budget(self):
        self.fill()
        for budget in (0, 1, 40, 1 << 30, 0):
            self.db.execute("SELECT rerank_config('memory_budget', ?)", (budget,))
            for _ in range(3):
                self.assertEqual(self.nearest(), 1)
            self.put(3, 1, 0.5)

    def test_embedding_of_a_hit(self):
        self.fill()
        for _ in range(2):
            self.assertEqual(self.rows("SELECT rowid, embedding FROM ix('[1, 0]', 1)"),
                             [(1, blob(1, 0))])


class LongTexts(Base):
    """Ctrl-C is heard inside one text. The times are generous: a test is no clock."""

    def interrupted(self, sql, *arguments):
        """Seconds from the first interrupt to the end."""
        done = threading.Event()
        first = []

        def interrupt():
            while not done.wait(0.02):
                first.append(time.perf_counter())
                self.db.interrupt()

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            self.fails("interrupted", sql, *arguments)
        finally:
            done.set()
            thread.join()
        return time.perf_counter() - first[0]

    def test_interrupt_within_a_text(self):
        draw = random.Random(1)
        words = ["".join(draw.choices("etaoinshrdlu", k=6)) for _ in range(200000)]
        text = " ".join(words * 20)
        for sql in ("SELECT embed(?)", "SELECT rerank('night story', ?)",
                    "SELECT * FROM embed_each(json_array(?))"):
            self.assertLess(self.interrupted(sql, text), 5)
        self.assertEqual(self.one("SELECT vector_dims(embed('still works'))"), 384)


class LargeIndexes(Base):
    """What codes, partitions and hints must not take away."""

    def fill(self, rows, options):
        self.db.execute("DROP TABLE IF EXISTS v")
        self.db.execute(f"CREATE VIRTUAL TABLE v USING semantic_index({options})")
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO v(rowid, embedding) VALUES (?, ?)",
                            ((i + 1, blob(*row)) for i, row in enumerate(rows)))
        self.db.execute("COMMIT")

    def test_limit_is_no_bound_for_the_reranker(self):
        add_films(self.db)
        add_index(self.db)
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        ask = "SELECT rowid, relevance FROM ix{} ORDER BY relevance DESC"
        for form in ("('murder on a train')", " WHERE ix MATCH 'murder on a train'"):
            whole = self.rows(ask.format(form))
            self.assertEqual(self.rows(ask.format(form) + " LIMIT 2"), whole[:2])
            self.assertEqual(self.rows(ask.format(form) + " LIMIT 1 OFFSET 1"), whole[1:2])

    def test_rows_of_two_lengths_leave_the_transaction_open(self):
        self.db.execute("CREATE VIRTUAL TABLE n USING semantic_index()")
        self.db.execute("CREATE TABLE t(a)")
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO t VALUES (1)")
        self.db.execute("INSERT INTO n(rowid, text) VALUES (1, 'hello')")
        self.db.execute("INSERT INTO n(rowid, embedding) VALUES (2, ?)", (blob(1, 2, 3),))
        with self.assertRaisesRegex(sqlite3.Error, "dimensions"):
            self.db.execute("COMMIT")
        self.assertTrue(self.db.in_transaction)
        self.db.execute("DELETE FROM n WHERE rowid = 2")
        self.db.execute("COMMIT")
        self.assertEqual(self.rows("SELECT a, text FROM t, n"), [(1, "hello")])

    def test_codes_that_say_little_cost_time_not_neighbours(self):
        draw = random.Random(7)
        shapes = {
            "far from the origin": lambda: [1000 + draw.gauss(0, 1) for _ in range(32)],
            "of all lengths": lambda: (lambda s: [s * draw.gauss(0, 1) for _ in range(32)])(
                10 ** draw.uniform(-3, 3)),
            "huge": lambda: [1e20 * draw.gauss(0, 1) for _ in range(32)],
        }
        for name, shape in shapes.items():
            rows = [shape() for _ in range(3000)]
            for quantize in ("int8", "bit"):
                with self.subTest(name, quantize=quantize):
                    self.fill(rows, f"metric = 'l2', quantize = '{quantize}'")
                    self.assertGreaterEqual(
                        self.rows("SELECT recall FROM semantic_recall('v', 10, 20)")[0][0], 0.95)

    def test_similarity_that_rounds_to_one(self):
        draw = random.Random(8)
        for metric, size in (("l2", 1e-20), ("dot", 1e-25)):
            rows = [[size * draw.gauss(0, 1) for _ in range(16)] for _ in range(3000)]
            for quantize in ("int8", "bit"):
                with self.subTest(metric, quantize=quantize):
                    self.fill(rows, f"metric = '{metric}', quantize = '{quantize}'")
                    least = self.rows("SELECT similarity FROM v(?, 60) ORDER BY similarity LIMIT 1",
                                      blob(*rows[0]))[0][0]
                    found = self.rows("SELECT count(*) FROM v(?, 60) WHERE similarity >= ?",
                                      blob(*rows[0]), least)
                    self.assertEqual(found, [(60,)])

    def test_optimize_mends_what_it_says(self):
        draw = random.Random(9)
        rows = [[draw.gauss(0, 1) for _ in range(8)] for _ in range(5000)]
        self.fill(rows, "partitions = 'auto'")
        self.db.execute("INSERT INTO v_data SELECT max(block) + 1, x'00' FROM v_data")
        self.db.execute("UPDATE v_partitions SET partition = 9223372036854775807 WHERE partition = "
                        "(SELECT max(partition) FROM v_partitions)")
        self.db.execute("UPDATE v_blocks SET partition = 9223372036854775807 WHERE partition = "
                        "(SELECT max(partition) FROM v_blocks)")
        self.db.execute("INSERT INTO v(v) VALUES ('optimize')")
        self.db.execute("INSERT INTO v(v) VALUES ('integrity-check')")
        self.db.executemany("INSERT INTO v(rowid, embedding) VALUES (?, ?)",
                            ((i + 5001, blob(*row)) for i, row in enumerate(rows)))
        self.db.execute("INSERT INTO v(v) VALUES ('integrity-check')")
        self.assertEqual(self.rows("SELECT count(*) FROM v"), [(10000,)])


if __name__ == "__main__":
    unittest.main()

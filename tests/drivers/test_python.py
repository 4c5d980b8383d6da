"""The extension as a Python program sees it, and as a program that has it built in."""
import array
import json
import os
import sqlite3
import subprocess
import threading
import time
import unittest

import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

FILMS = [
    (1, "Batman Begins", "A masked hero fights crime in a dark city."),
    (2, "Penguin Island", "Birds on the ice look for their egg."),
    (3, "Night Train", "A detective follows a murder mystery on a train."),
    (4, "Cooking School", "A young chef learns to make soup."),
]


class Base(unittest.TestCase):
    def setUp(self):
        self.db = support.connect()
        self.addCleanup(self.db.close)

    def one(self, sql, *arguments):
        return self.db.execute(sql, arguments).fetchone()[0]


class VectorTest(Base):
    def test_struct_round_trip(self):
        components = [1.5, -2.25, 0.0, 3.0e-40, 3.4e38]
        blob = support.to_blob(components)
        self.assertEqual(self.one("SELECT vector(?)", blob), blob)
        self.assertEqual(self.one("SELECT vector(vector_to_json(?))", blob), blob)
        self.assertEqual(self.one("SELECT vector(?)", json.dumps([1.5, -2.25])),
                         support.to_blob([1.5, -2.25]))

    def test_any_buffer_is_a_vector(self):
        components = array.array("f", [3.0, 4.0])
        self.assertEqual(self.one("SELECT vector_norm(?)", components), 5.0)
        self.assertEqual(self.one("SELECT vector_norm(?)", memoryview(components)), 5.0)
        self.assertEqual(self.one("SELECT vector_dims(?)", bytearray(16)), 4)

    def test_agrees_with_python(self):
        a, b = [0.25, -1.0, 3.5], [2.0, 0.5, -0.75]
        dot = sum(x * y for x, y in zip(a, b))
        blobs = support.to_blob(a), support.to_blob(b)
        self.assertAlmostEqual(self.one("SELECT dot_product(?, ?)", *blobs), dot, places=6)
        norms = (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
        self.assertAlmostEqual(self.one("SELECT cosine_sim(?, ?)", *blobs), dot / norms, places=6)

    def test_an_error_is_an_operational_error(self):
        with self.assertRaisesRegex(sqlite3.OperationalError, "dimensions"):
            self.one("SELECT dot_product('[1]', '[1, 2]')")

    def test_functions_in_an_index_and_a_generated_column(self):
        self.db.execute("CREATE TABLE v(e TEXT, n REAL AS (vector_norm(e)) STORED)")
        self.db.execute("CREATE INDEX v_dims ON v(vector_dims(e))")
        self.db.execute("INSERT INTO v(e) VALUES ('[3, 4]')")
        self.assertEqual(self.one("SELECT n FROM v WHERE vector_dims(e) = 2"), 5.0)


class FlowTest(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE films(id INTEGER PRIMARY KEY, title TEXT, overview TEXT)")
        self.db.executemany("INSERT INTO films VALUES (?, ?, ?)", FILMS)

    def test_plain_table(self):
        vectors = {
            int(key): vector for key, vector in self.db.execute(
                "SELECT key, embedding FROM embed_each("
                "(SELECT json_group_object(id, title || ' ' || overview) FROM films))")
        }
        self.assertEqual(sorted(vectors), [1, 2, 3, 4])
        self.assertEqual(vectors[4], self.one("SELECT embed(title || ' ' || overview) FROM films "
                                              "WHERE id = 4"))
        length = sum(x * x for x in support.from_blob(vectors[1]))
        self.assertAlmostEqual(length, 1.0, places=5)

    def test_candidates_from_python(self):
        documents = {row[0]: row[1] for row in FILMS}
        rows = self.db.execute(
            "SELECT rank, key, document, relevance_score FROM rerank(?, ?, 2)",
            ("a murder on the night train", json.dumps(documents))).fetchall()
        self.assertEqual([row[0] for row in rows], [1, 2])
        self.assertEqual(rows[0][1:3], ("3", "Night Train"))
        self.assertGreaterEqual(rows[0][3], rows[1][3])

    def test_index(self):
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index("
                        "content='films', text='title, overview', document='title')")
        last = self.db.execute("SELECT embedded, total FROM semantic_sync('ix')").fetchall()[-1]
        self.assertEqual(last, (4, 4))
        rows = self.db.execute("SELECT title, relevance FROM ix(?) ORDER BY relevance DESC LIMIT 2",
                               ("chef makes soup",)).fetchall()
        self.assertEqual(rows[0][0], "Cooking School")
        rows = self.db.execute("SELECT rowid, similarity FROM ix WHERE query = ? AND k = 2",
                               ("birds and an egg",)).fetchall()
        self.assertEqual(len(rows), 2)
        self.assertEqual(rows[0][0], 2)

    def test_a_transaction_of_the_driver(self):
        self.db.execute("CREATE VIRTUAL TABLE notes USING semantic_index()")
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO notes(rowid, text) VALUES (?, ?)",
                            [(i, f"note number {i}") for i in range(1, 51)])
        self.db.execute("ROLLBACK")
        self.assertEqual(self.one("SELECT count(*) FROM notes"), 0)


class ThreadTest(unittest.TestCase):
    def test_a_connection_in_each_thread(self):
        expected = support.connect().execute("SELECT embed('the same words')").fetchone()[0]
        wrong = []

        def work(number):
            db = support.connect()
            try:
                for i in range(50):
                    db.execute("SELECT embed(?)", (f"thread {number} text {i}",)).fetchone()
                    got = db.execute("SELECT embed('the same words')").fetchone()[0]
                    if got != expected:
                        wrong.append(number)
            finally:
                db.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_a_connection_passed_between_threads(self):
        db = support.connect(check_same_thread=False)
        self.addCleanup(db.close)
        db.execute("CREATE VIRTUAL TABLE notes USING semantic_index()")
        results = []

        def work():
            db.execute("INSERT INTO notes(rowid, text) VALUES (1, 'from another thread')")
            results.append(db.execute("SELECT text FROM notes('thread', 1)").fetchone()[0])

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        self.assertEqual(results, ["from another thread"])

    def interrupted(self, sql, *arguments):
        """Seconds from interrupt() to the end of a statement that would run for a long time."""
        db = support.connect(check_same_thread=False)
        self.addCleanup(db.close)
        outcome = {}

        def work():
            try:
                db.execute(sql, arguments).fetchall()
                outcome["error"] = None
            except sqlite3.Error as error:
                outcome["error"] = error
            outcome["ended"] = time.monotonic()

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.3)
        asked = time.monotonic()
        while thread.is_alive() and time.monotonic() - asked < 60:
            db.interrupt()
            thread.join(0.05)
        self.assertFalse(thread.is_alive(), "the interrupt was not heard")
        self.assertIsInstance(outcome["error"], sqlite3.OperationalError)
        self.assertIn("interrupted", str(outcome["error"]))
        self.assertEqual(db.execute("SELECT vector_dims('[1]')").fetchone()[0], 1)
        return outcome["ended"] - asked

    def test_interrupt_of_embed_each(self):
        texts = json.dumps([f"text number {i} " + "about many things " * 50 for i in range(60000)])
        self.assertLess(self.interrupted("SELECT count(embedding) FROM embed_each(?)", texts), 5)

    def test_interrupt_of_rerank(self):
        texts = json.dumps([f"text number {i} " + "about many things " * 50 for i in range(60000)])
        seconds = self.interrupted("SELECT count(*) FROM rerank('number of things', ?)", texts)
        self.assertLess(seconds, 5)

    def test_interrupt_of_a_loop_over_embed(self):
        self.assertLess(self.interrupted(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) "
            "SELECT count(embed('text ' || i)) FROM n"), 5)


class StaticTest(unittest.TestCase):
    def test_a_program_with_the_extension_built_in(self):
        program = os.path.join(support.BUILD, "tests", "static_host")
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        if support.SANITIZED:
            environment["ASAN_OPTIONS"] = "detect_leaks=1"
        result = subprocess.run([program], env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        answers, _, errors = result.stdout.decode().partition("opened\n")
        self.assertEqual(answers, "3\n1.0\n1|1\n0\n1\n1\n1\n")
        why = "rerank: RERANK_TIMEOUT_MS must be an integer [^\n]*"
        self.assertRegex(errors, f"^error 1: {why}\nerror 1: [^\n]* failed: {why}\n$")
        self.assertEqual(result.returncode, 0)

    def test_no_name_of_the_archive_meets_one_of_the_program(self):
        archive = os.path.join(support.BUILD, "librerank.a")
        result = subprocess.run(["nm", "-g", "--defined-only", archive], stdout=subprocess.PIPE,
                                check=True)
        names = [line.split()[2].lstrip("_") for line in result.stdout.decode().splitlines()
                 if len(line.split()) == 3]
        self.assertEqual(names, ["sqlite3_rerank_auto_init", "sqlite3_rerank_init",
                                 "sqlite3_rerank_locked_init"])


if __name__ == "__main__":
    unittest.main()

"""What a page without a server asks, answered by WebAssembly (session.mjs) as by the server of the
package on the same file: the same statements, rows, marks, and scores to 1e-6."""
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wasm import HERE, SITE, Served, make_films, needs_it, support  # noqa: E402

QUERIES = (support.QUERY, "the bats", "a heist goes wrong", "Nolan", '"bats from space"', "", "лес")


class Asked:
    """session.mjs in a process of Node."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "asks.mjs"), SITE], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def ask(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@needs_it
class SessionTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "films.db")
        self.asked = Asked()
        self.addCleanup(self.asked.close)

    def answer(self, **question):
        got = self.asked.ask(**question)
        self.assertNotIn("error", got)
        return got["answer"]

    @contextlib.contextmanager
    def both(self):
        """A server of the file; the session has it too."""
        served = Served(self.path)
        try:
            self.answer(open=self.path)
            yield served
        finally:
            served.close()

    def indexes(self, served):
        _, _, body = served.request("GET", "/indexes")
        return json.loads(body)["indexes"]

    def assert_same(self, served, **question):
        there, here = served.sql(**question), self.answer(**question)
        for name in ("columns", "more", "marks"):
            self.assertEqual(here[name], there[name], question)
        self.assertEqual(len(here["rows"]), len(there["rows"]), question)
        for ours, theirs in zip(here["rows"], there["rows"]):
            for one, other in zip(ours, theirs):
                if isinstance(other, float):
                    self.assertAlmostEqual(one, other, delta=1e-6, msg=question)
                else:
                    self.assertEqual(one, other, question)
        return there["rows"]

    def assert_all_same(self, served):
        """Whatever the page asks of each index."""
        indexes = self.indexes(served)
        self.assertEqual(self.answer(indexes=True), indexes)
        for index in indexes:
            name, found = index["name"], []
            for query in QUERIES:
                found += self.assert_same(served, sql=index["search"], index=name, mark=query,
                                          values={"query": query, "index": name})
            values = {"key": str(found[0][0]), "index": name, "query": "bats in the night"}
            self.assert_same(served, sql=index["document"], values=values, index=name, mark="bats")
            for what in ("status", "map", "barcodes"):
                self.assert_same(served, sql=index[what], values=values, most=5000)
        return len(indexes)

    def test_the_films(self):
        make_films(self.path, support.published_movies())
        with self.both() as served:
            self.assertEqual(self.assert_all_same(served), 2)

    def test_odd_names_and_keys(self):
        db = support.connect(self.path)
        db.executescript("""
            CREATE TABLE "table"(id TEXT PRIMARY KEY, "group" TEXT, "odd ""name" TEXT);
            INSERT INTO "table" VALUES ('a', 'bats in caves', 'at night'), ('b', 'soup', 'hot');
            CREATE VIRTUAL TABLE "order" USING semantic_index(
                content = 'table', content_rowid = 'id', text = 'group');
            INSERT INTO "order"("order") VALUES ('sync');
            CREATE VIRTUAL TABLE 'odd ''index' USING semantic_index(model = 'builtin:lexical');
            INSERT INTO "odd 'index"(text) VALUES ('bats in caves'), ('soup at night');
            CREATE TABLE plain(x DEFAULT 'create virtual table x using semantic_index');""")
        db.close()
        with self.both() as served:
            self.assertEqual(self.assert_all_same(served), 2)

    def test_values(self):
        make_films(self.path)
        with self.both() as served:
            self.assert_same(served, sql="SELECT 9223372036854775807, x'0001', NULL, 1.5, "
                                         "CAST(x'ff41' AS TEXT), printf('%.*c', 1000000, 'x')")
            self.assert_same(served, sql="SELECT value FROM json_each(:list)", most=3,
                             values={"list": json.dumps(list(range(9)))})
        for sql, error in (("SELECT * FROM nowhere", "no such table: nowhere"),
                           ("SELECT :missing", "no value for :missing")):
            self.assertIn(error, self.asked.ask(sql=sql)["error"])

    def test_a_file_without_an_index_is_offered_one(self):
        db = support.connect(self.path)
        db.execute("CREATE TABLE numbers(a INTEGER, b REAL)")
        db.execute('CREATE TABLE notes(id INTEGER PRIMARY KEY, "the title" VARCHAR(80), body TEXT)')
        db.executemany('INSERT INTO notes("the title", body) VALUES (?, ?)', [
            (f"note {i}", f"a text on the {i}th of many things that a visitor brings")
            for i in range(4_000)])
        db.close()
        self.answer(open=self.path)
        offered, = self.answer(indexes=True)
        self.assertEqual(self.answer(sql=offered["status"])["rows"],
                         [[4_000, "no index yet: Run makes one"]])
        made = self.answer(sql=offered["search"])
        self.assertGreater(made["saved"], os.path.getsize(self.path))
        self.assertTrue(any(re.fullmatch(r"\w+: \d+ of 4000 rows", told) for told in made["told"]),
                        made["told"])
        index, = self.answer(indexes=True)
        self.assertEqual((index["name"], index["texts"]), ("notes_index", ["the title", "body"]))
        found = self.answer(sql=index["search"], values={"query": "a visitor's 77th"})
        self.assertEqual((len(found["rows"]), found["saved"]), (25, 0))

    def test_odd_names_are_offered_in_quotes(self):
        db = support.connect(self.path)
        db.executescript("""
            CREATE TABLE "my 'notes'"("a, b" TEXT, "it's" TEXT, "say ""x"" it" TEXT, "order" TEXT);
            INSERT INTO "my 'notes'" VALUES ('bats', 'in', 'a', 'cave');""")
        db.close()
        self.answer(open=self.path)
        offered, = self.answer(indexes=True)
        self.answer(sql=offered["search"])
        found = self.answer(sql="""
            SELECT "a, b", "it's", "say ""x"" it", "order" FROM "my 'notes'_index"('cave')
            """)
        self.assertEqual(found["rows"], [["bats", "in", "a", "cave"]])

    def test_a_file_without_texts(self):
        support.connect(self.path).execute("CREATE TABLE numbers(a INTEGER)")
        self.answer(open=self.path)
        offered, = self.answer(indexes=True)
        self.assertEqual(self.answer(sql=offered["status"])["rows"],
                         [[0, "no table with texts is in this file"]])
        self.assertEqual(self.answer(sql=offered["search"])["rows"],
                         [["numbers", "CREATE TABLE numbers(a INTEGER)"]])

    def test_what_is_no_database(self):
        with open(self.path, "w", encoding="ascii") as file:
            file.write("this is no database" * 100)
        self.assertIn("not a database", self.asked.ask(open=self.path)["error"])


if __name__ == "__main__":
    unittest.main()

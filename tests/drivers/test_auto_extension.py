"""The entry point for sqlite3_auto_extension, where the library cannot start: everything of it is
there, and answers why. A program that registers it is static.c, another librerank_preload.so."""
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

WHY = "^rerank: RERANK_TIMEOUT_MS must be an integer .*, not 'soon'$"


class AutoExtensionTest(unittest.TestCase):
    def setUp(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.addCleanup(self.db.close)
        self.db.enable_load_extension(True)
        self.before = self.names()
        os.environ["RERANK_TIMEOUT_MS"] = "soon"
        self.addCleanup(os.environ.pop, "RERANK_TIMEOUT_MS", None)

    def names(self, db=None):
        return [{name for name, in (db or self.db).execute(f"SELECT name FROM pragma_{kind}_list")}
                for kind in ("function", "module")]

    def load(self):
        self.db.execute("SELECT load_extension(?, 'sqlite3_rerank_auto_init')",
                        (support.EXTENSION,)).fetchall()

    def added(self, db=None):
        return [now - before for now, before in zip(self.names(db), self.before)]

    def answers_why(self, sql):
        with self.assertRaisesRegex(sqlite3.OperationalError, WHY, msg=sql):
            self.db.execute(sql).fetchall()

    def test_every_function_and_table_answers_why(self):
        self.load()
        functions, tables = self.added()
        for name in functions:
            self.answers_why(f"SELECT {name}()")
            self.answers_why(f"SELECT {name}('a', 1)")
        for name in tables:
            self.answers_why(f"SELECT * FROM {name}('a')")
        self.answers_why("CREATE VIRTUAL TABLE ix USING semantic_index()")
        self.assertEqual(self.db.execute("SELECT 1").fetchall(), [(1,)])

    def test_they_are_those_that_the_library_has(self):
        self.load()
        of_none = self.added()
        del os.environ["RERANK_TIMEOUT_MS"]
        db = support.connect()
        self.addCleanup(db.close)
        self.assertEqual(self.added(db), of_none)

    def test_an_index_that_is_there(self):
        del os.environ["RERANK_TIMEOUT_MS"]
        self.load()
        path = os.path.join(support.BUILD, "auto_extension.db")
        self.addCleanup(os.remove, path)
        self.db.execute("ATTACH ? AS it", (path,))
        self.db.execute("CREATE VIRTUAL TABLE it.ix USING semantic_index()")
        self.db.close()
        os.environ["RERANK_TIMEOUT_MS"] = "soon"
        self.db = sqlite3.connect(path, isolation_level=None)
        self.addCleanup(self.db.close)
        self.db.enable_load_extension(True)
        self.load()
        for sql in ("SELECT * FROM ix", "INSERT INTO ix(text) VALUES ('a')", "DROP TABLE ix"):
            self.answers_why(sql)

    def test_loaded_again_it_works(self):
        self.load()
        with self.assertRaisesRegex(sqlite3.OperationalError, "RERANK_TIMEOUT_MS"):
            self.db.load_extension(support.EXTENSION)
        del os.environ["RERANK_TIMEOUT_MS"]
        self.load()
        self.assertEqual(self.db.execute("SELECT vector_dims('[1, 2]')").fetchone(), (2,))
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index()")
        self.db.execute("INSERT INTO ix(text) VALUES ('a bat')")
        self.assertEqual(self.db.execute("SELECT rowid FROM ix('bat')").fetchall(), [(1,)])
        self.assertEqual(self.db.execute("SELECT count(*) FROM rerank_models").fetchone()[0] > 0,
                         True)

    def test_another_version_stays(self):
        self.db.create_function("rerank_version", 0, lambda: "0.0.9")
        self.db.create_function("embed", 1, lambda text: "another's")
        self.load()
        self.assertEqual(self.db.execute("SELECT embed('a')").fetchone(), ("another's",))
        self.assertEqual(self.added()[1], set())


if __name__ == "__main__":
    unittest.main()

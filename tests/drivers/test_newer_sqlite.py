"""A SQLite newer than the system's, which the package apsw brings."""
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

try:
    import apsw
except ImportError:
    apsw = None


@unittest.skipIf(apsw is None, "apsw, which brings a newer SQLite, is not there")
class NewerSqliteTest(unittest.TestCase):
    def setUp(self):
        self.db = apsw.Connection(":memory:")
        self.addCleanup(self.db.close)
        self.db.enable_load_extension(True)
        self.db.load_extension(support.EXTENSION)
        self.rows("CREATE VIRTUAL TABLE ix USING semantic_index()")
        self.rows("INSERT INTO ix(rowid, text) VALUES (1, 'bats in a cave'), (2, 'a night train')")

    def rows(self, sql):
        return list(self.db.execute(sql))

    def fails(self, pattern, sql):
        with self.assertRaisesRegex(apsw.Error, pattern):
            self.rows(sql)

    def test_numbers_that_are_no_numbers(self):
        """SQLite 3.53: the numeric type of a copied value is read through a NULL database."""
        for sql, what in (
                ("SELECT * FROM rerank('q', '[\"a\"]', %s)", "top_n must be an integer"),
                ("SELECT * FROM chunk_each('a b c', %s)", "max_tokens must be an integer"),
                ("SELECT * FROM chunk_each('a b c', 20, %s)", "overlap must be an integer"),
                ("SELECT * FROM semantic_search_each('ix', '[\"a\"]', %s)", "k must be an integer"),
                ("SELECT * FROM semantic_recall('ix', %s)", "k must be an integer"),
                ("SELECT rowid FROM ix('bats', %s)", "k must be an integer")):
            for value in ("'x'", "1.5", "x'00'"):
                self.fails(what, sql % value)

    def test_numbers_in_texts(self):
        self.assertEqual(self.rows("SELECT key FROM rerank('a', '[\"b\", \"a\"]', '1')"), [(1,)])
        self.assertEqual(self.rows("SELECT rowid FROM ix('bats', '1')"), [(1,)])
        self.assertEqual(self.rows("SELECT rowid FROM ix('bats') LIMIT '1'"), [(1,)])
        self.assertEqual(
            self.rows("SELECT rowid FROM semantic_search_each('ix', '[\"bats\"]', '1')"), [(1,)])
        self.assertEqual(
            self.rows("SELECT rowid FROM ix WHERE ix MATCH 'bats' AND rowid IN ('2', 2.0)"), [(2,)])

    def test_integrity_check_of_an_index_that_cannot_start(self):
        """SQLite 3.44 asks virtual tables too; one of an unknown module it passes over."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "it.db")
            self.rows(f"ATTACH '{path}' AS it")
            self.rows("CREATE VIRTUAL TABLE it.ix USING semantic_index()")
            self.rows("DETACH it")
            os.environ["RERANK_TIMEOUT_MS"] = "soon"
            self.addCleanup(os.environ.pop, "RERANK_TIMEOUT_MS", None)
            self.db = apsw.Connection(path)
            self.addCleanup(self.db.close)
            self.assertEqual(self.rows("PRAGMA integrity_check"), [("ok",)])
            self.db.enable_load_extension(True)
            self.db.load_extension(support.EXTENSION, "sqlite3_rerank_auto_init")
            self.fails("RERANK_TIMEOUT_MS must be", "PRAGMA integrity_check")
            self.rows("CREATE TABLE t(a)")
            self.rows("ALTER TABLE t RENAME TO u")
            self.rows("VACUUM")
            self.assertEqual(self.rows("SELECT count(*) FROM u"), [(0,)])


if __name__ == "__main__":
    unittest.main()

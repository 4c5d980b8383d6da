"""A database with indexes by the version before (tests/golden/old/): it opens, answers as it did,
learns what came since, and is dropped whole."""
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import Remote  # noqa: E402
from support import ROOT, connect  # noqa: E402

OLD = os.path.join(ROOT, "tests", "golden", "old", "format2.sql")
NAMES = ("words", "notes", "own", "remote")


class EarlierVersion(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("openai")
        self.db.close()
        with open(OLD, encoding="ascii") as file:
            plain = sqlite3.connect(self.path)
            plain.executescript(file.read())
            plain.close()
        self.db = self.connect()

    def command(self, name, word):
        self.db.execute(f"INSERT INTO {name}({name}) VALUES (?)", (word,))

    def status(self, name, *columns):
        return self.rows(f"SELECT {', '.join(columns)} FROM semantic_status(?)", name)[0]

    def check(self):
        for name in NAMES:
            self.command(name, "integrity-check")
        self.assertEqual(self.one("PRAGMA integrity_check"), "ok")

    def test_answers_are_as_they_were(self):
        """Row 4 went since: what is gone is not found."""
        for name, query in self.rows("SELECT DISTINCT name, query FROM answers"):
            with self.subTest(name=name, query=query):
                want = self.rows("SELECT id, similarity FROM answers WHERE name = ? AND query = ? "
                                 "AND (id <> 4 OR name = 'notes')", name, query)
                got = dict(self.rows(f"SELECT rowid, similarity FROM {name}(?, 4)", query))
                for id, similarity in want:
                    self.assertAlmostEqual(got[id], similarity, 6)
        self.check()

    def test_a_reader(self):
        db = connect(f"file:{self.path}?mode=ro", uri=True)
        self.addCleanup(db.close)
        for name, pending, gone in (("words", 2, 1), ("notes", 0, 0), ("own", 4, 0),
                                    ("remote", 2, 1)):
            self.assertEqual(
                db.execute("SELECT pending, gone, failed, fitted_on, problem FROM "
                           "semantic_status(?)", (name,)).fetchall(),
                [(pending, gone, 0, None, None)])
        self.assertEqual([row[0] for row in db.execute(
            "SELECT rowid FROM semantic_pending('words')")], [4, 3, 20])
        self.assertEqual(db.execute("SELECT id FROM semantic_search_each('words', '[\"bats\"]', 1)")
                         .fetchall(), [(1,)])

    def test_in_step_again(self):
        for name in ("words", "remote"):
            self.db.execute("CREATE TEMP TABLE made AS SELECT rowid AS id, hash, embedding FROM "
                            "semantic_pending(?)", (name,))
            self.db.execute(f"INSERT INTO {name}({name}, rowid, embedding) "
                            "SELECT 'embedded ' || hash, id, embedding FROM made")
            self.db.execute("DROP TABLE made")
        self.command("notes", "sync")
        for name in ("words", "notes", "remote"):
            self.assertEqual(self.status(name, "pending", "gone", "problem"), (0, 0, None))
        self.assertEqual(self.one("SELECT rowid FROM words('frozen', 1)"), 3)
        self.check()
        self.assertEqual(self.rows("SELECT rowid FROM words('BatCave', 1)"), [(1,)])
        self.assertEqual(self.status("words", "advice"),
                         ("rebuild: fitted by an earlier version, whose rules of words it keeps",))
        self.command("words", "rebuild")
        self.assertEqual(self.status("words", "rows", "fitted_on", "advice"), (7, 7, None))
        self.db.execute("UPDATE notes SET embedding = '[1,2,3,4,5,6,7,8]' WHERE rowid = 5")
        self.command("notes", "optimize")
        self.check()

    def test_dropped_whole(self):
        self.test_in_step_again()
        for name in NAMES:
            self.db.execute(f"ALTER TABLE {name} RENAME TO {name}2")
            self.db.execute(f"DROP TABLE {name}2")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' "
                                   "ORDER BY name"),
                         [("answers",), ("docs",)])


if __name__ == "__main__":
    unittest.main()

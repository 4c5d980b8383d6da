"""Rows that cannot be embedded: what is kept of them, in any history, file and transaction."""
import os
import random
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import EXTENSION, Base, connect  # noqa: E402

BAD = [b"\xff\x00", "nul \0 inside"]


class Failures(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body)")

    def add_index(self, options=""):
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                        f"text = 'body'{options})")

    def sync(self, command="sync"):
        self.db.execute("INSERT INTO ix(ix) VALUES (?)", (command,))

    def failed(self):
        return [row[0] for row in self.rows("SELECT rowid FROM semantic_failures('ix')")]

    def test_any_history(self):
        """What is indexed and what is recorded is what the content says, whatever wrote it."""
        for seed in range(6):
            chance = random.Random(seed)
            self.db.execute("DROP TABLE IF EXISTS ix")
            self.db.execute("DELETE FROM docs")
            self.add_index(chance.choice(["", ", quantize='int8'", ", partitions=2"]))
            docs = {}
            for step in range(60):
                with self.subTest(seed=seed, step=step):
                    for _ in range(chance.randrange(4)):
                        self.change(chance, docs)
                    hows = ["sync", "retry", "semantic_sync", "rebuild", "optimize"]
                    self.look(chance.choice(hows) if chance.random() < 0.4 else "flush", docs,
                              chance)
            self.sync()
            self.look("sync", docs, chance)

    def change(self, chance, docs):
        row = chance.randrange(8)
        body = chance.choice([None, "", "  \u3000", f"words {row} and {chance.randrange(3)}", *BAD])
        if chance.random() < 0.2:
            docs.pop(row, None)
            self.db.execute("DELETE FROM docs WHERE id = ?", (row,))
            self.db.execute("DELETE FROM ix WHERE rowid = ?", (row,))
        else:
            docs[row] = body
            self.db.execute("REPLACE INTO docs VALUES (?, ?)", (row, body))
            self.db.execute("INSERT INTO ix(rowid) VALUES (?)", (row,))

    def look(self, how, docs, chance):
        if how == "semantic_sync":
            self.db.execute("SELECT * FROM semantic_sync('ix')")
        elif how != "flush":
            self.sync(how)
        if chance.random() < 0.3:
            self.db.execute("BEGIN")
            self.change(chance, dict(docs))
            self.failed()
            self.db.execute("ROLLBACK")
        good = [i for i in sorted(docs) if docs[i] and docs[i] not in BAD and docs[i].strip()]
        self.assertEqual(self.ids(), good)
        self.assertEqual(self.failed(), [i for i in sorted(docs) if docs[i] in BAD])
        self.check()

    def fill(self):
        self.db.executemany("INSERT INTO docs VALUES (?, ?)",
                            [(1, "a bat"), (2, b"\x00"), (3, "a cat"), (4, b"\x01")])

    def make_old(self):
        """As the version before left it: no X_failures."""
        self.db.execute("DROP TABLE ix_failures")
        self.db.execute("DELETE FROM ix_config WHERE key = 'failures'")
        self.db.close()
        self.db = connect(self.path)

    def test_a_file_without_the_table(self):
        for how in ("INSERT INTO ix(ix) VALUES ('sync')", "SELECT * FROM semantic_sync('ix')",
                    "INSERT INTO ix(rowid) VALUES (2), (3), (4)"):
            with self.subTest(how):
                self.db.execute("DELETE FROM docs")
                self.db.execute("INSERT INTO docs VALUES (1, 'a bat')")
                self.add_index()
                self.sync()
                self.make_old()
                self.assertEqual(self.rows("SELECT * FROM semantic_failures('ix')"), [])
                self.assertEqual(self.ids(), [1])
                self.sync()
                self.db.execute("DELETE FROM docs")
                self.fill()
                self.db.execute(how)
                self.assertEqual(self.failed(), [2, 4])
                self.assertEqual(self.ids(), [1, 3])
                self.check()
                self.db.execute("ALTER TABLE ix RENAME TO iy")
                self.db.execute("DROP TABLE iy")
                self.assertEqual(self.rows("SELECT name FROM sqlite_schema "
                                           "WHERE name LIKE 'i%'"), [])

    def test_a_transaction_makes_the_table_and_is_rolled_back(self):
        self.fill()
        self.add_index()
        self.make_old()
        for end in ("ROLLBACK", "ROLLBACK TO s; RELEASE s; COMMIT", "COMMIT"):
            self.db.executescript("BEGIN; SAVEPOINT s; INSERT INTO ix(ix) VALUES ('sync'); " + end)
            self.assertEqual(self.failed(), [2, 4] if end == "COMMIT" else [])
            self.check()

    def test_a_table_of_the_users(self):
        self.add_index()
        self.make_old()
        self.db.execute("CREATE TABLE ix_failures(mine)")
        self.db.execute("INSERT INTO ix_failures VALUES ('precious')")
        self.fill()
        self.fails("ix_failures is there already", "INSERT INTO ix(ix) VALUES ('sync')")
        self.fails("ix_failures is there already", "INSERT INTO ix(rowid) VALUES (2)")
        self.db.execute("UPDATE docs SET body = 'fine' WHERE id IN (2, 4)")
        self.sync()
        self.assertEqual(self.ids(), [1, 2, 3, 4])
        self.db.execute("ALTER TABLE ix RENAME TO iy")
        self.db.execute("DROP TABLE iy")
        self.assertEqual(self.rows("SELECT * FROM ix_failures"), [("precious",)])
        self.fails("ix_failures is there already",
                   "CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body')")

    def test_damage(self):
        self.fill()
        for sql, message in (
                ("INSERT INTO ix_failures VALUES (1, 0, 1, 0, 'x')", "row 1: it has a vector"),
                ("DROP TABLE ix_failures", "no such table: main.ix_failures"),
                ("UPDATE ix_failures SET message = x'ff', attempts = 'many', hash = 'x'", None),
                ("UPDATE ix_config SET value = 'x' WHERE key = 'failures'", None)):
            with self.subTest(sql):
                self.add_index()
                self.sync()
                self.db.execute(sql)
                if message:
                    self.fails(message, "INSERT INTO ix(ix) VALUES ('integrity-check')")
                if "DROP" not in sql:
                    self.sync()
                    self.assertEqual(self.failed(), [2, 4])
                    self.check()
                self.db.execute("DROP TABLE ix")

    def test_of_a_reader(self):
        self.fill()
        self.add_index()
        self.sync()
        self.db.close()
        self.db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        self.db.enable_load_extension(True)
        self.db.load_extension(EXTENSION)
        self.assertEqual(self.failed(), [2, 4])
        self.fails("readonly", "INSERT INTO ix(ix) VALUES ('retry')")
        self.fails("readonly", "SELECT * FROM semantic_sync('ix')")

    def test_attached(self):
        self.db.execute("ATTACH ':memory:' AS other")
        self.db.execute("CREATE TABLE other.notes(id INTEGER PRIMARY KEY, body)")
        self.db.execute("INSERT INTO other.notes VALUES (5, x'00')")
        self.db.execute("CREATE VIRTUAL TABLE other.iy USING semantic_index(content = 'notes', "
                        "text = 'body')")
        self.db.execute("SELECT * FROM semantic_sync('iy', 'other')")
        self.assertEqual(self.rows("SELECT rowid FROM semantic_failures('iy', 'other')"), [(5,)])
        self.fails("no semantic_index", "SELECT * FROM semantic_failures('iy', 'main')")
        self.assertEqual(self.rows("SELECT file, schema, \"index\" FROM semantic_progress"),
                         [("", "other", "iy")])

    def test_all_rows_are_bad(self):
        self.db.executemany("INSERT INTO docs VALUES (?, ?)", [(i, b"\xff") for i in range(1, 601)])
        self.add_index()
        for command in ("sync", "sync", "rebuild"):
            self.sync(command)
            self.assertEqual(len(self.failed()), 600)
            self.assertEqual(self.ids(), [])
        self.db.execute("UPDATE docs SET body = 'word ' || id")
        self.assertEqual(self.rows("SELECT embedded, failed FROM semantic_sync('ix')")[-1],
                         (600, 0))
        self.assertEqual(self.rows("SELECT rowid FROM ix('word 77', 1)"), [(77,)])


class Progress(Base):
    def test_of_connections(self):
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body)")
        self.db.execute("INSERT INTO docs VALUES (1, 'a bat'), (2, 'a cat'), (3, x'00')")
        for name in ("ix", "iy"):
            self.db.execute(f"CREATE VIRTUAL TABLE {name} USING semantic_index(content = 'docs', "
                            "text = 'body')")
        watcher = connect(":memory:")
        other = connect(self.path)
        self.addCleanup(watcher.close)
        self.addCleanup(other.close)

        def progress():
            return watcher.execute(
                "SELECT file, \"index\", state, embedded, deleted, failed, pending, total FROM "
                "semantic_progress WHERE seconds >= 0 ORDER BY 2").fetchall()

        self.assertEqual(progress(), [])
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.db.execute("SELECT * FROM semantic_sync('iy')").fetchall()
        path = self.one("SELECT file FROM pragma_database_list")
        self.assertEqual(progress(), [(path, "ix", "done", 2, 0, 1, 0, 3),
                                      (path, "iy", "done", 2, 0, 1, 0, 3)])
        other.execute("DELETE FROM docs WHERE id = 1")
        other.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(progress()[0], (path, "ix", "done", 0, 1, 1, 0, 2))
        self.db.execute("DROP TABLE docs")
        self.fails("docs cannot be read", "INSERT INTO iy(iy) VALUES ('rebuild')")
        self.assertEqual(progress()[1][2], "failed")
        self.fails("may not be modified", "DELETE FROM semantic_progress")
        self.db.execute("CREATE VIEW v AS SELECT * FROM semantic_progress")
        self.fails("unsafe use", "SELECT * FROM v")
        self.db.close()
        self.assertEqual([row[1] for row in progress()], ["ix"])
        other.close()
        self.assertEqual(progress(), [])

    def shell(self, sql, **environment):
        return subprocess.run(["sqlite3", self.path], input=f".load {EXTENSION}\n{sql}", text=True,
                              capture_output=True, env={**os.environ, **environment}, check=False)

    def test_lines_on_stderr(self):
        fill = ("CREATE TABLE docs(id INTEGER PRIMARY KEY, body);"
                "INSERT INTO docs VALUES (1, 'a bat'), (2, x'00');"
                "CREATE VIRTUAL TABLE \"i\x1bx\" USING semantic_index(content = 'docs', "
                "text = 'body');")
        sync = "INSERT INTO \"i\x1bx\"(\"i\x1bx\") VALUES ('sync');"
        result = self.shell(fill + "SELECT quote(rerank_config('progress'));" + sync)
        self.assertEqual((result.stdout, result.stderr), ("''\n", ""))
        result = self.shell("SELECT rerank_config('progress', 'stderr');" + sync)
        self.assertEqual(result.stdout, "stderr\n")
        self.assertRegex(result.stderr, r"^i x: done, 0 embedded, 1 failed, 0 of 2 left, \d+ s\n$")
        result = self.shell("SELECT * FROM semantic_sync('i\x1bx');", RERANK_PROGRESS="stderr")
        self.assertRegex(result.stderr, r"^i x: done, .*\n$")
        result = self.shell("SELECT rerank_config('progress', '');" + sync,
                            RERANK_PROGRESS="stderr")
        self.assertEqual(result.stderr, "")
        result = self.shell("SELECT rerank_config('progress', 'file');")
        self.assertIn("progress must be '' or 'stderr', not 'file'", result.stderr)


if __name__ == "__main__":
    unittest.main()

"""semantic_status: of damaged indexes, by connections that only read, beside other writers."""
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import (EXTENSION, SHELL, Base, add_films, add_index, connect,  # noqa: E402
                     have_shell)

SHADOWS = ("config", "rows", "blocks", "data", "vectors", "partitions", "model")
NUMBERS = ("rows, pending, gone, failed, bytes, vector_bytes, code_bytes, text_bytes, "
           "model_bytes, dimensions, fitted_on, model, fingerprint")
STATUS = f"SELECT {NUMBERS}, problem, advice FROM semantic_status('ix')"


class StatusTest(Base):
    def setUp(self):
        super().setUp()
        add_films(self.db)
        add_index(self.db, options=", quantize='int8'")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")

    def status(self, db=None):
        cursor = (db or self.db).execute(STATUS)
        rows = cursor.fetchall()
        self.assertEqual(len(rows), 1)
        return dict(zip([column[0] for column in cursor.description], rows[0]))

    def test_bytes_are_those_of_the_tables(self):
        for options, size in (("", lambda n: n + 4),
                              (", model = 'builtin:lexical'", lambda n: 4 * n)):
            self.db.execute("DROP TABLE ix")
            add_index(self.db, options=", quantize='int8'" + options)
            self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
            got = self.status()
            alone = self.one("SELECT count(*) FROM ix_vectors WHERE length(vector) = "
                             f"{size(got['dimensions'])}")
            ids = 8 * (5 - alone)
            self.assertEqual(got["vector_bytes"], 5 * size(got["dimensions"]) + ids)
            self.assertEqual(got["code_bytes"], self.one("SELECT sum(length(bytes)) FROM ix_data"))
            self.assertEqual(got["model_bytes"],
                             self.one("SELECT coalesce(sum(length(bytes)), 0) FROM ix_model"))
            got["word_bytes"] = self.one("SELECT word_bytes FROM semantic_status('ix')")
            self.assertEqual(got["bytes"], sum(got[part + "_bytes"] for part in (
                "vector", "code", "text", "model", "word")))
            self.assertEqual((got["problem"], got["advice"]), (None, None))
            self.assertEqual(got["fitted_on"], 5 if options else None)

    def test_vectors_of_the_users(self):
        """The model makes others: a sync could only fail."""
        self.db.execute("CREATE VIRTUAL TABLE own USING semantic_index(content = 'films', "
                        "text = 'overview', dimensions = 3)")
        for left in (5, 4):
            self.assertEqual(self.one("SELECT advice FROM semantic_status('own')"),
                             f"{left} rows have no vector: write them, as the model makes other "
                             "dimensions")
            self.db.execute("INSERT INTO own(rowid, embedding) VALUES (1, '[1, 2, 3]')")

    def test_readers(self):
        self.db.execute("DELETE FROM films WHERE id = 1")
        copy = os.path.join(self.folder.name, "copy.db")
        shutil.copy(self.path, copy)
        os.chmod(copy, 0o444)
        want = self.status()
        for uri in (f"file:{self.path}?mode=ro", f"file:{copy}?mode=ro",
                    f"file:{copy}?immutable=1"):
            with self.subTest(uri=uri):
                db = connect(uri, uri=True)
                self.addCleanup(db.close)
                self.assertEqual(self.status(db), want)
                self.assertEqual(db.execute("SELECT rowid, embedding FROM semantic_pending('ix')")
                                 .fetchall(), [(1, None)])

    def test_each_table_lost(self):
        for shadow in SHADOWS:
            with self.subTest(shadow=shadow):
                self.db.execute("SAVEPOINT a")
                self.db.execute(f"DROP TABLE ix_{shadow}")
                db = self.reopened()
                got = self.status(db)
                if shadow not in ("blocks", "partitions"):
                    self.assertRegex(got["problem"], shadow)
                    self.assertIn(None, got.values())
                db.close()
                self.db.execute("ROLLBACK TO a")
                self.db.execute("RELEASE a")

    def reopened(self):
        """Another connection, to the file as the open savepoint has it."""
        path = os.path.join(self.folder.name, "damaged.db")
        if os.path.exists(path):
            os.remove(path)
        db = connect(path)
        db.deserialize(self.db.serialize()) if hasattr(db, "deserialize") else \
            self.db.backup(db)
        return db

    def test_values_that_make_no_sense(self):
        for sql in ("UPDATE ix_config SET value = 'x'",
                    "UPDATE ix_config SET value = zeroblob(1000) WHERE key <> 'format'",
                    "UPDATE ix_config SET value = NULL WHERE key = 'model'",
                    "UPDATE ix_config SET value = -5 WHERE key = 'fitted_on'",
                    "UPDATE ix_config SET value = 'many' WHERE key = 'fitted_on'",
                    "UPDATE ix_config SET value = 9223372036854775807 WHERE key = 'fitted_on'",
                    "UPDATE ix_model SET bytes = 'text'", "UPDATE ix_model SET bytes = x'00'",
                    "UPDATE ix_data SET bytes = 17", "UPDATE ix_vectors SET vector = 'v'",
                    "UPDATE ix_rows SET own = 'own', hash = 'hash', block = -1",
                    "DELETE FROM ix_config"):
            with self.subTest(sql=sql):
                db = self.reopened()
                db.execute(sql)
                got = self.status(db)
                self.assertEqual(set(got), set(NUMBERS.split(", ")) | {"problem", "advice"})
                db.close()

    def test_a_writer_beside_it(self):
        other = connect(self.path)
        self.addCleanup(other.close)
        other.execute("BEGIN")
        other.execute("INSERT INTO films VALUES (6, 'Six', 'Another film.')")
        self.assertEqual(self.status()["pending"], 0)
        other.execute("COMMIT")
        self.assertEqual(self.status()["pending"], 1)
        other.execute("BEGIN EXCLUSIVE")
        self.db.execute("PRAGMA busy_timeout = 0")
        with self.assertRaisesRegex(sqlite3.OperationalError, "locked"):
            self.status()
        other.execute("COMMIT")

    def test_interrupted(self):
        self.db.execute("WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE "
                        "i < 200000) INSERT INTO films SELECT i, 'film ' || i, "
                        "'a long text of many words that is hashed' FROM n")
        stop = threading.Event()

        def interrupt():
            while not stop.wait(0.005):
                self.db.interrupt()
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            start = time.monotonic()
            for sql in (STATUS, "SELECT count(*) FROM semantic_pending('ix')"):
                self.fails("interrupted", sql)
            self.assertLess(time.monotonic() - start, 5)
        finally:
            stop.set()
            thread.join()
        self.assertEqual(self.status()["pending"], 200000 - 9)

    def test_a_torn_transaction(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO films VALUES (6, 'Six', 'Another film.')")
        self.db.execute("INSERT INTO ix(rowid) VALUES (6)")
        self.assertEqual(self.status()["pending"], 1)
        self.db.execute("COMMIT")
        self.assertEqual(self.status()["pending"], 0)

    def test_unfitted_and_old(self):
        self.db.execute("CREATE VIRTUAL TABLE new USING semantic_index(content='films', "
                        "text='title', model='builtin:lexical')")
        self.fails("'sync'", "SELECT * FROM semantic_pending('new')")
        self.assertEqual(self.rows("SELECT pending, fitted_on FROM semantic_status('new')"),
                         [(5, None)])

    def test_in_a_view(self):
        self.db.execute("CREATE VIEW v AS SELECT pending FROM semantic_status('ix')")
        self.assertEqual(self.rows("SELECT * FROM v"), [(0,)])
        self.db.execute("CREATE VIEW w AS SELECT * FROM semantic_pending('ix')")
        self.fails("unsafe use", "SELECT * FROM w")


@unittest.skipUnless(have_shell(), "no sqlite3 shell")
class LogTest(Base):
    """What has no place in an answer is in SQLite's error log, which the shell shows."""

    def shell(self, sql):
        return subprocess.run([SHELL, "-batch", self.path], text=True, capture_output=True,
                              check=False, input=f".log stderr\n.load {EXTENSION}\n{sql}").stderr

    def test_numbers_that_vacuum_changes(self):
        told = self.shell("""CREATE TABLE t(x TEXT); CREATE TABLE u(id INTEGER PRIMARY KEY, x);
            CREATE VIRTUAL TABLE a USING semantic_index(content = t, text = x);
            CREATE VIRTUAL TABLE b USING semantic_index(content = u, text = x);
            INSERT INTO t VALUES ('a bat');
            INSERT INTO a(a) VALUES ('sync'); INSERT INTO a(a) VALUES ('integrity-check');
            INSERT INTO b(b) VALUES ('integrity-check'); PRAGMA integrity_check;""")
        self.assertRegex(told, r"\(28\) a: t has no INTEGER PRIMARY KEY: VACUUM may renumber")
        self.assertNotIn("b: u", told)
        self.assertNotIn("rror near", told)

    def test_a_drop_that_is_locked(self):
        told = self.shell("""CREATE VIRTUAL TABLE a USING semantic_index();
            BEGIN; INSERT INTO a(text) VALUES ('a bat'); SAVEPOINT s; DROP TABLE a;
            RELEASE s; DROP TABLE a; COMMIT; SELECT * FROM a;""")
        self.assertRegex(told, r"DROP TABLE a: rows wait that were written before a savepoint that "
                               r"is open: RELEASE it, or ROLLBACK, first")
        self.assertIn("no such table: a", told)


if __name__ == "__main__":
    unittest.main()

"""A sync that need not read: what nobody wrote since; and every way to write that it must see.

Whether texts were read is told by the steps of SQLite's machine; what is right by a connection that
remembers nothing.
"""
import os
import shutil
import sqlite3
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, connect  # noqa: E402

ROWS = 400
STATUS = "SELECT rows, pending, gone, failed FROM {}semantic_status('ix')"
COMMAND = "INSERT INTO ix(ix) VALUES ('sync')"
FUNCTION = "SELECT * FROM semantic_sync('ix')"
CHANGE = "UPDATE t SET text = 'other words' WHERE id = 7"


def fill(db, schema="main", key="id INTEGER PRIMARY KEY", options=""):
    db.execute(f"CREATE TABLE {schema}.t({key + ', ' if key else ''}text TEXT)")
    column = "id, " if key else ""
    db.execute(f"INSERT INTO {schema}.t({column}text) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
               f"SELECT i + 1 FROM n WHERE i < {ROWS}) SELECT {'i,' if key else ''} "
               "'film number ' || i FROM n")
    create(db, schema, options=options)


def create(db, schema="main", content="t", options=""):
    db.execute(f"CREATE VIRTUAL TABLE {schema}.ix USING semantic_index(content = '{content}', "
               f"text = 'text'{options})")
    db.execute(FUNCTION).fetchall()


class AgreementTest(Base):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder.name, "agreement.db")
        self.held = self.open()
        fill(self.held)

    def open(self, path=None, **options):
        db = connect(path or self.path, **options)
        self.addCleanup(db.close)
        return db

    def steps(self, db, sql):
        """How many hundreds of steps SQLite took."""
        count = []
        db.set_progress_handler(lambda: count.append(1) and None, 100)
        db.execute(sql).fetchall()
        db.set_progress_handler(None, 100)
        return len(count)

    def is_quick(self, db=None, sql=FUNCTION):
        return self.steps(db or self.held, sql) * 100 < ROWS * 4

    def settle(self, db=None):
        """Until nothing is to be done, and that is known."""
        for _ in range(3):
            (db or self.held).execute(FUNCTION).fetchall()
        self.assertTrue(self.is_quick(db))

    def check_seen(self, db=None, expected=None):
        """The connection sees what one without a memory sees, and a sync of either kind does it."""
        db = db or self.held
        found = db.execute(STATUS.format("")).fetchone()
        if expected is None:
            expected = self.open().execute(STATUS.format("")).fetchone()
        self.assertEqual(found, expected)
        self.assertNotEqual(found[1:3], (0, 0))
        db.execute(COMMAND)
        self.assertEqual(db.execute(STATUS.format("")).fetchone()[1:3], (0, 0))

    def other_process(self, *statements):
        """Writes without this library."""
        code = ("import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                "for sql in sys.argv[2:]: db.execute(sql)")
        subprocess.run([sys.executable, "-c", code, self.path, *statements], check=True)

    def test_it_need_not_read(self):
        self.assertTrue(self.is_quick())                    # all of it was embedded by this one
        self.assertTrue(self.is_quick(sql=COMMAND))
        self.assertTrue(self.is_quick(sql=COMMAND))         # which is a commit itself
        self.assertTrue(self.is_quick(sql=STATUS.format("")))
        self.held.execute(CHANGE)
        self.assertFalse(self.is_quick(sql=COMMAND))
        self.assertTrue(self.is_quick(sql=COMMAND))         # what a command embedded, too
        fresh = self.open()
        self.assertFalse(self.is_quick(fresh))
        self.assertTrue(self.is_quick(fresh))
        report = fresh.execute("SELECT embedded, deleted, pending, total, failed FROM "
                               "semantic_sync('ix')").fetchall()
        self.assertEqual(report, [(0, 0, 0, ROWS, 0)])

    def test_counts_are_kept(self):
        """Of texts that fail, and of an index that has words."""
        self.held.execute("DROP TABLE ix")
        self.held.execute("UPDATE t SET text = x'00' WHERE id < 4")
        self.held.execute("UPDATE t SET text = ' ' WHERE id = 5")
        create(self.held, options=", lexical = 'fts5'")
        self.settle()
        self.assertEqual(self.held.execute(STATUS.format("")).fetchone(),
                         self.open().execute(STATUS.format("")).fetchone())
        self.assertEqual(self.held.execute("SELECT total, failed FROM semantic_sync('ix')")
                         .fetchall(), [(ROWS - 1, 3)])

    def test_a_part_is_not_all(self):
        self.held.execute("UPDATE t SET text = 'x' || text")
        self.held.execute("INSERT INTO ix(ix) VALUES ('sync 10')")
        self.check_seen()

    def test_own_writes(self):
        for sql in ("INSERT INTO t(text) VALUES ('new')", CHANGE, "DELETE FROM t WHERE id = 9",
                    "UPDATE t SET id = 1000000 + id WHERE id = 12",
                    "REPLACE INTO t VALUES (13, 'else')", "DELETE FROM ix WHERE rowid = 20"):
            with self.subTest(sql):
                self.settle()
                self.held.execute(sql)
                self.check_seen()

    def test_in_a_transaction(self):
        for sync in (COMMAND, FUNCTION):
            with self.subTest(sync):
                self.settle()
                self.held.execute("BEGIN")
                self.held.execute(CHANGE.replace("other", "yet other"))
                self.check_seen(expected=(ROWS, 1, 0, 0))
                self.held.execute(sync).fetchall()
                self.held.execute("ROLLBACK")
                self.assertEqual(self.held.execute(STATUS.format("")).fetchone()[1], 0)
                self.held.execute("SAVEPOINT a")
                self.held.execute(CHANGE)
                self.held.execute(sync).fetchall()
                self.held.execute("SAVEPOINT b")
                self.held.execute("DELETE FROM t WHERE id = 8")
                self.held.execute(sync).fetchall()
                self.held.execute("ROLLBACK TO b")
                self.held.execute("DELETE FROM t WHERE id = 10")
                self.held.execute("RELEASE a")
                self.check_seen()
                self.held.execute("INSERT INTO t VALUES (10, 'again')")

    def test_blob_handles(self):
        """They fire no trigger, and are not counted as changes."""
        if not hasattr(self.held, "blobopen"):
            self.skipTest("this Python opens no BLOBs")
        self.settle()
        with self.held.blobopen("t", "text", 7) as blob:
            blob.write(b"FILM")
            self.held.execute(COMMAND)                      # not committed before it is closed
        self.assertEqual(self.open().execute(STATUS.format("")).fetchone()[1], 0)
        self.settle()
        self.held.execute("BEGIN")
        with self.held.blobopen("t", "text", 8) as blob:
            blob.write(b"FILM")
        self.check_seen(expected=(ROWS, 1, 0, 0))
        self.held.execute("COMMIT")
        with self.held.blobopen("t", "text", 9) as blob:
            blob.write(b"FILM")
        self.check_seen()

    def test_others(self):
        other = self.open()
        for mode in ("delete", "truncate", "persist", "wal"):
            with self.subTest(mode):
                self.held.execute(f"PRAGMA journal_mode = {mode}").fetchall()
                self.held.execute("PRAGMA synchronous = OFF")
                self.settle()
                other.execute(f"UPDATE t SET text = 'of another, {mode}' WHERE id = 3")
                self.check_seen()
                self.settle()
                self.other_process(f"UPDATE t SET text = 'of a process, {mode}' WHERE id = 4")
                self.check_seen()
                self.settle()
                self.other_process("BEGIN", "DELETE FROM t WHERE id = 30", "ROLLBACK")
                self.assertEqual(self.held.execute(STATUS.format("")).fetchone()[1:3], (0, 0))

    def test_alone(self):
        self.held.execute("PRAGMA locking_mode = EXCLUSIVE")
        self.held.execute("INSERT INTO t(text) VALUES ('one')")
        self.settle()
        self.held.execute(CHANGE)
        self.check_seen(expected=(ROWS + 1, 1, 0, 0))

    def test_triggers(self):
        """A sync in the middle of a statement, before and after its row."""
        for when in ("BEFORE", "AFTER"):
            for command in (COMMAND, "INSERT INTO ix(ix) SELECT 'sync'"):
                with self.subTest((when, command)):
                    self.settle()
                    self.held.execute(f"CREATE TRIGGER tr {when} UPDATE ON t BEGIN {command}; END")
                    self.settle()
                    self.held.execute(f"UPDATE t SET text = text || '{when}' WHERE id IN (5, 6)")
                    fresh = self.open().execute(STATUS.format("")).fetchone()
                    self.assertEqual(self.held.execute(STATUS.format("")).fetchone(), fresh)
                    self.held.execute(COMMAND)
                    self.assertEqual(self.open().execute(STATUS.format("")).fetchone()[1], 0)
                    self.held.execute("DROP TRIGGER tr")

    def test_a_view_of_the_same_name(self):
        self.held.execute("CREATE VIEW relay(ix) AS SELECT 1")
        self.held.execute("CREATE TRIGGER on_relay INSTEAD OF INSERT ON relay BEGIN "
                          "INSERT INTO ix(ix) VALUES (new.ix); END")
        self.held.execute("CREATE TEMP VIEW ix(ix) AS SELECT 1")
        self.held.execute(f"CREATE TEMP TRIGGER on_ix INSTEAD OF INSERT ON ix BEGIN {CHANGE}; "
                          "INSERT INTO relay VALUES ('sync'); "
                          "UPDATE t SET text = 'after it' WHERE id = 8; END")
        self.held.execute("SELECT * FROM semantic_sync('ix', 'main')").fetchall()
        self.held.execute(COMMAND)
        found = self.held.execute("SELECT pending FROM semantic_status('ix', 'main')").fetchone()
        self.assertEqual(found, (1,))

    def test_a_trigger_on_a_shadow_table(self):
        for when in ("INSERT", "UPDATE", "DELETE"):
            self.held.execute(f"CREATE TRIGGER tr_{when} AFTER {when} ON ix_rows BEGIN UPDATE t "
                              "SET text = 'of a trigger' WHERE id = 40; END")
        for sync in (FUNCTION, COMMAND):
            for _ in range(2):
                self.held.execute("UPDATE t SET text = 'x' || text WHERE id IN (7, 40)")
                self.held.execute(sync).fetchall()
                found = self.open().execute(STATUS.format("")).fetchone()
                self.assertEqual(found[1], 1)
                self.assertEqual(self.held.execute(STATUS.format("")).fetchone(), found)

    def test_schema(self):
        self.settle()
        self.held.execute("ALTER TABLE t RENAME COLUMN text TO words")
        with self.assertRaisesRegex(sqlite3.OperationalError, "no such column: text"):
            self.held.execute(FUNCTION).fetchall()
        self.held.execute("ALTER TABLE t RENAME COLUMN words TO text")
        self.settle()
        self.other_process("PRAGMA writable_schema = ON",
                           "UPDATE sqlite_master SET sql = replace(sql, 'text TEXT', 'words TEXT') "
                           "WHERE name = 't'", "PRAGMA schema_version = 1000")
        with self.assertRaisesRegex(sqlite3.OperationalError, "no such column: text"):
            self.held.execute(FUNCTION).fetchall()
        self.other_process("ALTER TABLE t RENAME TO u")
        with self.assertRaisesRegex(sqlite3.OperationalError, "no such table"):
            self.held.execute(COMMAND)

    def test_vacuum_renumbers(self):
        self.held.execute("DROP TABLE ix")
        self.held.execute("DROP TABLE t")
        fill(self.held, key="")
        self.held.execute("DELETE FROM t WHERE rowid = 1")
        self.settle()
        self.held.execute("VACUUM")
        self.check_seen()

    def test_files_that_take_the_place(self):
        other = os.path.join(self.folder.name, "other.db")
        shutil.copyfile(self.path, other)
        changed = self.open(other)
        changed.execute(CHANGE)
        self.settle()
        shutil.copyfile(other, self.path)                   # restored while it is open
        self.check_seen()
        self.settle()
        changed.execute("DELETE FROM t WHERE id = 30")
        changed.backup(self.held)
        self.check_seen()
        if hasattr(self.held, "serialize"):
            db, first = self.open(":memory:"), self.open(":memory:")
            fill(first)
            same = first.serialize()
            first.execute(CHANGE)
            db.execute("ATTACH ':memory:' AS aux")
            db.deserialize(same, name="aux")
            self.settle(db)
            db.deserialize(first.serialize(), name="aux")
            self.check_seen(db, (ROWS, 1, 0, 0))

    def test_attached(self):
        paths = [os.path.join(self.folder.name, f"{name}.db") for name in ("a", "b")]
        db = self.open(":memory:")
        for path in paths:
            db.execute("ATTACH ? AS aux", (path,))
            fill(db, "aux")
            db.execute("DETACH aux")
        self.open(paths[1]).execute(CHANGE)
        db.execute("ATTACH ? AS aux", (paths[0],))
        self.settle(db)
        self.assertTrue(self.is_quick(db, COMMAND))
        db.execute("DETACH aux")
        db.execute("ATTACH ? AS aux", (paths[1],))
        self.check_seen(db, (ROWS, 1, 0, 0))
        db.execute("ATTACH ? AS twice", (paths[1],))
        self.settle(db)
        db.execute("UPDATE twice.t SET text = 'by the other name' WHERE id = 30")
        self.check_seen(db, (ROWS, 1, 0, 0))
        db.execute("CREATE TABLE main.unrelated(x)")
        self.assertTrue(self.is_quick(db))

    def test_temporary(self):
        db = self.open(":memory:")
        fill(db, "temp")
        self.settle(db)
        self.assertTrue(self.is_quick(db, COMMAND))
        db.execute(CHANGE)
        self.check_seen(db, (ROWS, 1, 0, 0))

    def test_texts_of_its_own(self):
        db = self.open(":memory:")
        db.execute("CREATE VIRTUAL TABLE ix USING semantic_index()")
        db.executemany("INSERT INTO ix(text) VALUES (?)", [(f"film {i}",) for i in range(ROWS)])
        self.settle(db)
        db.execute("UPDATE ix_text SET text = 'written past it' WHERE id = 7")
        self.check_seen(db, (ROWS, 1, 0, 0))

    def test_keys(self):
        db = self.open(":memory:")
        fill(db, key="id TEXT PRIMARY KEY")
        self.settle(db)
        db.execute(CHANGE.replace("7", "'7'"))
        self.check_seen(db, (ROWS, 1, 0, 0))

    def test_what_other_content_depends_on(self):
        """Views and virtual tables may read anything: they are read each time."""
        db = self.open(":memory:")
        said = ["one"]
        db.create_function("said", 1, lambda _: said[0], deterministic=True)
        for content in ("CREATE VIEW c AS SELECT id, said(id) AS text FROM n",
                        "CREATE TEMP VIEW c AS SELECT id, text FROM main.n",
                        "CREATE TABLE c(id INTEGER PRIMARY KEY, text AS (said(id)))",
                        "CREATE TEMP VIEW c AS SELECT a.id, a.text FROM main.n AS a, o AS b"):
            with self.subTest(content):
                schema = "temp" if "TEMP" in content else "main"
                db.execute("CREATE TABLE n(id INTEGER PRIMARY KEY, text)")
                db.execute("INSERT INTO n VALUES (1, 'one'), (2, 'one')")
                db.execute("CREATE TEMP TABLE o(text)")
                db.execute("INSERT INTO o VALUES ('one')")
                db.execute(content)
                if "TABLE c" in content:
                    db.execute("INSERT INTO c(id) VALUES (1), (2)")
                db.execute(f"CREATE VIRTUAL TABLE {schema}.ix USING semantic_index(content = 'c', "
                           "text = 'text', content_rowid = 'id')")
                for _ in range(3):
                    db.execute(FUNCTION).fetchall()
                said[0] = said[0] + "!"
                if "said" not in content:
                    db.execute("UPDATE n SET text = 'two'")
                self.check_seen(db, (2, 2, 0, 0))
                for name in ("TABLE ix", "VIEW c" if "VIEW" in content else "TABLE c",
                             "TABLE n", "TABLE o"):
                    db.execute(f"DROP {name}")

    def test_shared_cache(self):
        """What is read there before it is committed may be rolled back."""
        uri = f"file:{self.path}?cache=shared"
        first, second = self.open(uri, uri=True), self.open(uri, uri=True)
        first.execute("PRAGMA read_uncommitted = ON")
        self.settle()
        self.held.close()
        second.execute("UPDATE t SET text = 'film number 7' WHERE id = 8")
        second.execute("BEGIN")
        second.execute("UPDATE t SET text = 'film number 8' WHERE id = 8")
        first.execute(FUNCTION).fetchall()
        second.execute("ROLLBACK")
        self.check_seen(first, (ROWS, 1, 0, 0))


if __name__ == "__main__":
    unittest.main()

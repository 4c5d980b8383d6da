"""semantic_index as a program sees it: several connections, locks, interrupts."""
import os
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, add_films, add_index, connect  # noqa: E402


class Concurrency(Base):
    def setUp(self):
        super().setUp()
        self.big = [(i, f"Film {i}", f"Words of number {i * 7919} and {i * 31}")
                    for i in range(1, 801)]

    def fill(self, journal):
        self.db.execute(f"PRAGMA journal_mode = {journal}")
        add_films(self.db, films=self.big)
        add_index(self.db, options=", model='builtin:lexical'")  # of small batches

    def meanwhile(self, action):
        """Within the statements of self.db, once a sync has stored rows: calls action(other, rows),
        `other` being another connection, until it returns something."""
        other = connect(self.path, timeout=0)
        self.addCleanup(other.close)
        watcher = connect(":memory:")
        self.addCleanup(watcher.close)

        def look():
            stored = watcher.execute("SELECT max(embedded) FROM semantic_progress "
                                     "WHERE state <> 'done'").fetchone()[0]
            try:
                if stored and action(other, stored):
                    self.db.set_progress_handler(None, 0)
            except sqlite3.OperationalError as error:
                self.assertIn("locked", str(error))
            return 0

        self.db.set_progress_handler(look, 1000)

    def test_batches_are_committed(self):
        self.fill("delete")
        seen = []

        def look(other, stored):
            self.assertGreaterEqual(other.execute("SELECT count(*) FROM ix").fetchone()[0], stored)
            seen.append(stored)

        self.meanwhile(look)
        reports = self.rows("SELECT embedded, pending FROM semantic_sync('ix')")
        self.assertGreater(len(reports), 1)
        self.assertEqual(reports[-1], (800, 0))
        self.assertGreater(len(set(seen)), 1)

    def test_one_step_does_all(self):
        self.fill("delete")
        for sql in ("SELECT * FROM semantic_sync('ix')",
                    "SELECT 1 FROM semantic_sync('ix') LIMIT 1",
                    "INSERT INTO ix(ix) VALUES ('sync')"):
            self.db.execute("DELETE FROM ix")
            self.db.execute(sql)
            self.assertEqual(self.one("SELECT count(*) FROM ix"), 800, sql)
        self.db.execute("DELETE FROM ix")
        self.db.executescript("SELECT * FROM semantic_sync('ix')")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 800)

    def test_inside_a_transaction_nothing_is_committed(self):
        self.fill("wal")
        other = connect(self.path)
        self.addCleanup(other.close)
        self.db.execute("BEGIN")
        self.rows("SELECT * FROM semantic_sync('ix')")
        self.assertEqual(other.execute("SELECT count(*) FROM ix").fetchone()[0], 0)
        self.db.execute("ROLLBACK")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 0)

    def test_another_writer_in_wal(self):
        self.fill("wal")
        self.meanwhile(lambda other, stored: other.execute("CREATE TABLE log(x)"))
        with self.assertRaises(sqlite3.OperationalError) as raised:
            self.rows("SELECT embedded FROM semantic_sync('ix')")
        kept = self.one("SELECT count(*) FROM ix")
        self.assertGreater(kept, 0)
        self.assertRegex(str(raised.exception), f"{kept} rows .*kept, call again .*: another "
                         "connection wrote meanwhile")
        last = self.rows("SELECT embedded, pending FROM semantic_sync('ix')")[-1]
        self.assertEqual(last, (800 - kept, 0))
        self.check()

    def test_another_writer_holds_the_lock(self):
        self.fill("delete")
        self.db.execute("PRAGMA busy_timeout = 60")
        others = []

        def block(other, stored):
            other.execute("BEGIN IMMEDIATE")
            others.append(other)
            return True

        self.meanwhile(block)
        self.fails("rows .*kept, call again .*: another connection is writing",
                   "SELECT embedded FROM semantic_sync('ix')")
        others[0].execute("ROLLBACK")
        kept = self.one("SELECT count(*) FROM ix")
        self.db.execute("PRAGMA busy_timeout = 20000")
        blocker = threading.Thread(target=self.hold_the_lock, args=(0.2,))
        blocker.start()
        self.addCleanup(blocker.join)
        self.assertEqual(self.rows("SELECT embedded FROM semantic_sync('ix')")[-1][0], 800 - kept)

    def hold_the_lock(self, seconds):
        db = connect(self.path)
        db.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        db.execute("ROLLBACK")
        db.close()

    def test_two_connections_writing(self):
        self.fill("wal")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        errors = []

        def work(first):
            db = connect(self.path, timeout=30)
            try:
                for i in range(first, first + 40):
                    db.execute("BEGIN IMMEDIATE")
                    db.execute("INSERT INTO films VALUES (?, ?, ?)", (i, f"New {i}", f"story {i}"))
                    db.execute("INSERT INTO ix(rowid) VALUES (?)", (i,))
                    db.execute("COMMIT")
            except Exception as error:  # noqa: BLE001
                errors.append(error)
            finally:
                db.close()

        threads = [threading.Thread(target=work, args=(first,)) for first in (10000, 20000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 880)
        self.check()

    def test_interrupt_of_semantic_sync_keeps_batches(self):
        self.fill("delete")

        def interrupt(other, stored):
            self.db.interrupt()
            return True

        self.meanwhile(interrupt)
        self.fails("interrupt", "SELECT embedded, pending FROM semantic_sync('ix')")
        self.assertEqual(self.one("SELECT state FROM semantic_progress"), "interrupted")
        kept = self.one("SELECT count(*) FROM ix")
        self.assertGreater(kept, 0)
        self.assertLess(kept, 800)
        self.db.execute("CREATE TABLE after_interrupt(x)")
        self.db.execute("INSERT INTO after_interrupt VALUES (1)")
        self.assertEqual(self.rows("SELECT embedded FROM semantic_sync('ix')")[-1][0], 800 - kept)
        self.db.close()
        self.db = connect(self.path)
        self.assertEqual(self.one("SELECT x FROM after_interrupt"), 1)
        self.check()

    def test_failure_at_commit_leaves_the_transaction_open(self):
        self.fill("delete")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO films VALUES (5000, 'Late', ?)", ("word number " * 300000,))
        self.db.execute("INSERT INTO ix(rowid) VALUES (5000)")
        stop = threading.Event()

        def interrupt():
            while not stop.is_set():
                self.db.interrupt()
                time.sleep(0.0005)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with self.assertRaises(sqlite3.OperationalError):
                self.db.execute("COMMIT")
        finally:
            stop.set()
            thread.join()
        self.assertTrue(self.db.in_transaction)
        self.db.execute("COMMIT")
        self.assertEqual(self.one("SELECT count(*) FROM ix WHERE rowid = 5000"), 1)
        self.check()


if __name__ == "__main__":
    unittest.main()

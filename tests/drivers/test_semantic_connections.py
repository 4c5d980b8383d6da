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
                    for i in range(1, 2001)]

    def fill(self, journal):
        self.db.execute(f"PRAGMA journal_mode = {journal}")
        add_films(self.db, films=self.big)
        add_index(self.db)

    def test_batches_are_committed(self):
        self.fill("delete")
        other = connect(self.path)
        self.addCleanup(other.close)
        seen = []
        for embedded, pending in self.db.execute(
            "SELECT embedded, pending FROM semantic_sync('ix')"):
            seen.append((embedded, pending))
            self.assertGreaterEqual(other.execute("SELECT count(*) FROM ix").fetchone()[0],
                                    embedded)
        self.assertGreater(len(seen), 1)
        self.assertEqual(seen[-1], (2000, 0))

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
        other = connect(self.path)
        self.addCleanup(other.close)
        with self.assertRaisesRegex(sqlite3.OperationalError, "kept, call again"):
            for row in self.db.execute("SELECT embedded FROM semantic_sync('ix')"):
                other.execute("CREATE TABLE IF NOT EXISTS log(x)")
                other.execute("INSERT INTO log VALUES (1)")
        kept = self.one("SELECT count(*) FROM ix")
        self.assertGreater(kept, 0)
        last = self.rows("SELECT embedded, pending FROM semantic_sync('ix')")[-1]
        self.assertEqual(last, (2000 - kept, 0))
        self.check()

    def test_another_writer_holds_the_lock(self):
        self.fill("delete")
        self.db.execute("PRAGMA busy_timeout = 60")
        other = connect(self.path)
        self.addCleanup(other.close)
        cursor = self.db.execute("SELECT embedded FROM semantic_sync('ix')")
        cursor.fetchone()
        other.execute("BEGIN IMMEDIATE")
        with self.assertRaisesRegex(sqlite3.OperationalError, "another connection is writing"):
            cursor.fetchall()
        other.execute("ROLLBACK")
        kept = self.one("SELECT count(*) FROM ix")
        self.db.execute("PRAGMA busy_timeout = 20000")
        blocker = threading.Thread(target=self.hold_the_lock, args=(0.2,))
        blocker.start()
        self.addCleanup(blocker.join)
        self.assertEqual(self.rows("SELECT embedded FROM semantic_sync('ix')")[-1][0], 2000 - kept)

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
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 2080)
        self.check()

    def test_interrupt_of_semantic_sync_keeps_batches(self):
        self.fill("delete")
        cursor = self.db.execute("SELECT embedded, pending FROM semantic_sync('ix')")
        cursor.fetchone()
        stop = threading.Event()

        def interrupt():
            while not stop.is_set():
                self.db.interrupt()
                time.sleep(0.001)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with self.assertRaisesRegex(sqlite3.OperationalError, "interrupt"):
                cursor.fetchall()
        finally:
            stop.set()
            thread.join()
        kept = self.one("SELECT count(*) FROM ix")
        self.assertGreater(kept, 0)
        self.assertLess(kept, 2000)
        self.db.execute("CREATE TABLE after_interrupt(x)")
        self.db.execute("INSERT INTO after_interrupt VALUES (1)")
        self.assertEqual(self.rows("SELECT embedded FROM semantic_sync('ix')")[-1][0], 2000 - kept)
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

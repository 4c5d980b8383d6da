"""test_interrupt.py: sqlite3_interrupt and Ctrl-C end whatever a remote model is waiting for, and
leave the database and the connection in order."""
import contextlib
import json
import os
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import EXTENSION, Remote, texts_of, variable_of  # noqa: E402
from support import SANITIZED, SHELL, have_shell  # noqa: E402

MODEL = "together:m"
IN_TIME = 1.0  # seconds; the promise is 0.1, and machines are busy
SECONDS = 20  # that a wait would take without the interrupt
WAITS = {
    "silence": {"do": "silence"},
    "silence after the head": {"do": "silence_after_head"},
    "drip": {"do": "drip"},
    "slow answer": {"do": [], "delay": SECONDS},
    "too many requests": {"status": 429, "headers": {"Retry-After": str(SECONDS)}},
}


@contextlib.contextmanager
def full_backlog():
    """A port that takes no connection: what knocks waits."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield listener.getsockname()[1]


class Interrupts(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("together")
        self.config(max_retries=0)

    def wait_for_request(self, n=1):
        deadline = time.monotonic() + 5
        while len(self.server.requests) < n and time.monotonic() < deadline:
            time.sleep(0.005)

    def interrupted(self, sql, *arguments, when=None):
        """The statement is interrupted, once, when its request is with the server."""
        moment = []

        def interrupt():
            (when or self.wait_for_request)()
            time.sleep(0.1)
            moment.append(time.monotonic())
            self.db.interrupt()
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with self.assertRaises(sqlite3.OperationalError) as caught:
                self.db.execute(sql, arguments).fetchall()
            end = time.monotonic()
        finally:
            thread.join()
        self.assertRegex(str(caught.exception), "interrupt")
        self.assertGreaterEqual(end, moment[0])
        self.assertLess(end - moment[0], IN_TIME)

    def check_works(self):
        self.server.behave([])
        self.number = getattr(self, "number", 0) + 1
        text = "after %d" % self.number
        self.check_vector(self.one("SELECT embed(?, ?)", text, MODEL), text)


class Statements(Interrupts):
    def test_every_kind_of_wait(self):
        for name, step in WAITS.items():
            with self.subTest(name):
                self.config(max_retries=2)
                self.server.clear()
                self.server.behave([{**step, "times": "forever"}])
                self.interrupted("SELECT embed('x', ?)", MODEL)
                self.check_works()

    def test_a_growing_delay(self):
        self.config(max_retries=5)
        self.server.behave([{"status": 502, "times": "forever"}])
        self.interrupted("SELECT embed('x', ?)", MODEL, when=lambda: self.wait_for_request(2))
        self.check_works()

    def test_a_connection_that_is_not_taken(self):
        with full_backlog() as port:
            os.environ[variable_of("together")] = "http://127.0.0.1:%d/v1" % port
            self.db = self.connect()
            self.interrupted("SELECT embed('x', ?)", MODEL, when=lambda: time.sleep(0.2))

    def test_a_handshake_that_does_not_end(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            os.environ[variable_of("together")] = "https://127.0.0.1:%d/v1" % (
                listener.getsockname()[1])
            self.db = self.connect()
            self.interrupted("SELECT embed('x', ?)", MODEL, when=lambda: time.sleep(0.2))

    def test_every_statement(self):
        self.add_documents(20)
        self.add_index(MODEL, ", reranker='%s'" % MODEL)
        self.sync()
        self.one("SELECT rowid FROM ix('known')")
        self.add_documents(20, 21)
        for sql in ("SELECT embed('x', '%s')" % MODEL,
                    "SELECT embed(title, '%s') FROM docs" % MODEL,
                    "SELECT * FROM embed_each('[\"a\", \"b\"]', '%s')" % MODEL,
                    "SELECT rerank('q', 'd', '%s')" % MODEL,
                    "SELECT * FROM rerank('q', '[\"a\"]', 1, '%s')" % MODEL,
                    "SELECT rowid FROM ix('unknown')",
                    "SELECT relevance FROM ix('known')",
                    "SELECT * FROM semantic_sync('ix')",
                    "INSERT INTO ix(ix) VALUES ('sync')",
                    "INSERT INTO ix(ix) VALUES ('rebuild')",
                    "INSERT INTO ix(rowid) SELECT id FROM docs",
                    "CREATE TABLE copy AS SELECT embed('y', '%s')" % MODEL):
            with self.subTest(sql):
                self.server.clear()
                self.server.behave([{"do": "silence", "times": "forever"}])
                self.interrupted(sql)
                self.assertFalse(self.db.in_transaction)
                self.check_works()
                self.check_index(range(1, 21))
        self.assertEqual(self.sync()[0], 20)
        self.check_index(range(1, 41))
        self.assertEqual(self.rows("SELECT name FROM sqlite_master WHERE name = 'copy'"), [])

    def test_commit(self):
        self.add_documents(20)
        self.add_index(MODEL)
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid) SELECT id FROM docs")
        self.server.behave([{"do": "silence", "times": "forever"}])
        self.interrupted("COMMIT")
        self.assertTrue(self.db.in_transaction)
        self.server.behave([])
        self.db.execute("COMMIT")
        self.check_index(range(1, 21))

    def test_what_came_is_kept(self):
        texts = ["text %d" % i for i in range(500)]
        self.server.behave([{"do": "silence", "match": '"text 250"'}])
        self.interrupted("SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL,
                         when=lambda: (self.wait_for_request(5), time.sleep(0.2)))
        self.server.clear()
        self.rows("SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)
        self.assertEqual(texts_of(self.server.requests), texts[200:300])

    def test_a_sync_keeps_its_batches(self):
        self.add_documents(1000)
        self.add_index(MODEL)
        self.server.behave([{"do": "silence", "match": '"title 950 body 950"'}])
        self.interrupted("SELECT * FROM semantic_sync('ix')",
                         when=lambda: self.wait_for_request(10))
        self.check_index(range(1, 801))
        self.db.execute("CREATE TABLE later(x)")
        self.db.execute("INSERT INTO later VALUES (1)")
        self.db.close()
        self.db = self.connect()
        self.assertEqual(self.one("SELECT x FROM later"), 1)
        self.server.clear()
        self.assertEqual(self.sync()[:4], (200, 0, 0, 1000))
        self.assertEqual(len(texts_of(self.server.requests)), 200)
        self.check_index(range(1, 1001))

    def test_a_sync_within_a_transaction(self):
        self.add_documents(20)
        self.add_index(MODEL)
        self.db.execute("BEGIN")
        self.add_documents(1, 21)
        self.server.behave([{"do": "silence", "times": "forever"}])
        self.interrupted("SELECT * FROM semantic_sync('ix')")
        self.server.behave([])
        self.assertTrue(self.db.in_transaction)
        self.db.execute("ROLLBACK")
        self.check_index([])
        self.assertEqual(self.one("SELECT count(*) FROM docs"), 20)

    def test_another_thread_is_not_in_the_way(self):
        """A second connection works while the first one waits."""
        self.server.behave([{"do": "silence", "match": "waits"}])
        found = []

        def when():
            self.wait_for_request()
            other = self.connect(check_same_thread=False)
            found.append(other.execute("SELECT length(embed('y', ?))", (MODEL,)).fetchone()[0])
        self.interrupted("SELECT embed('waits', ?)", MODEL, when=when)
        self.assertEqual(found, [32])

    def test_closing_after_an_interrupt(self):
        self.server.behave([{"do": "silence", "times": "forever"}])
        self.interrupted("SELECT embed('x', ?)", MODEL)
        with self.within(IN_TIME):
            self.db.close()


@unittest.skipUnless(have_shell(), "no sqlite3 shell")
@unittest.skipUnless(hasattr(os, "openpty"), "no pseudo-terminals")
class Shell(Interrupts):
    """Ctrl-C where a person sits."""

    def start(self, *arguments, **streams):
        environment = dict(os.environ, HOME=self.folder, TERM="dumb")
        process = subprocess.Popen([SHELL, *arguments, self.path], env=environment, **streams)
        self.addCleanup(process.wait, 5)
        self.addCleanup(process.kill)
        return process

    def statements(self, last):
        return "\n".join((".bail off", ".load '%s'" % EXTENSION, "SELECT 'ready';", last)) + "\n"

    def test_at_a_terminal(self):
        """The statement ends, the shell lives on and the next statement works."""
        self.add_documents(1000)
        self.add_index(MODEL)
        self.server.behave([{"do": "silence", "match": "title 950 body 950"}])
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        process = self.start("-interactive", stdin=theirs, stdout=theirs, stderr=theirs,
                             start_new_session=True)
        os.close(theirs)
        os.write(ours, self.statements("SELECT * FROM semantic_sync('ix');").encode())
        self.wait_for_request(10)
        time.sleep(0.2)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        self.read_until(ours, b"interrupted")
        self.assertLess(time.monotonic() - start, IN_TIME)
        os.write(ours, b"SELECT 'rows:' || count(*) FROM ix;\n")
        self.read_until(ours, b"rows:800")
        os.write(ours, b"SELECT 'pending:' || max(pending) || ':' || max(embedded) "
                       b"FROM semantic_sync('ix');\n")
        self.read_until(ours, b"pending:0:200")
        os.write(ours, b".quit\n")
        self.assertIn(process.wait(5), (0, 1))  # 1: there was an error

    def read_until(self, file, wanted):
        """Reads what the shell says; fails when `wanted` has not come in time."""
        said, deadline = b"", time.monotonic() + 5
        while wanted not in said:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([file], [], [], left)[0]:
                self.fail("%r did not come, but %r" % (wanted, said))
            said += os.read(file, 65536)

    def run_script(self, slow, request):
        """(exit status, error text) of a shell that reads a script and gets Ctrl-C meanwhile."""
        with tempfile.TemporaryFile() as errors:
            process = self.start("-batch", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=errors)
            process.stdin.write(self.statements(slow + "\nSELECT 'more';").encode())
            process.stdin.close()
            self.addCleanup(process.stdout.close)
            process.stdout.readline()
            request()
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            said = process.stdout.read()
            status = process.wait(10)
            self.assertLess(time.monotonic() - start, IN_TIME + SANITIZED)
            errors.seek(0)
            return status, b"more" in said, b"interrupted" in errors.read()

    def test_in_a_script(self):
        """The shell ends as it does for any other statement."""
        self.server.behave([{"do": "silence", "times": "forever"}])
        ours = self.run_script("SELECT embed('x', '%s');" % MODEL,
                               lambda: (self.wait_for_request(), time.sleep(0.1)))
        usual = self.run_script(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
            "SELECT max(n) FROM c;", lambda: time.sleep(0.3))
        self.assertEqual(ours, usual)
        self.assertTrue(ours[2])


if __name__ == "__main__":
    unittest.main()

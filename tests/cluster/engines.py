"""engines.py: what the tests of engines that replicate SQLite share: their programs, which
`make cluster` builds or installs, and how copies of one database are compared."""
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), folder) for folder in ("drivers", "http")]
from remote import Remote, texts_of  # noqa: E402
from support import BUILD, SANITIZED, connect  # noqa: E402

PATIENCE = 60.0  # seconds that anything here may take


def program(name):
    """Its path; who needs one that is not here is skipped."""
    path = os.path.join(BUILD, "cluster", name)
    if SANITIZED:
        raise unittest.SkipTest(f"{name} runs the library as it is released")
    if not os.path.exists(path):
        raise unittest.SkipTest(f"{name} is not here: make cluster")
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(condition, what, seconds=PATIENCE):
    """What the condition gives, once that is true; errors are no answer yet."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return last
        except Exception as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}: {last}")


class Process:
    """A program of an engine, ended by its own id; what it prints goes into a file."""

    def __init__(self, case, log, *command, **pipes):
        with open(log, "ab") as file:
            self.child = subprocess.Popen(command, **{
                "stdin": subprocess.DEVNULL, "stdout": file, "stderr": file, **pipes})
        self.log = log
        case.addCleanup(self.kill)

    def kill(self):
        """SIGKILL: it has no time to write anything more."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(PATIENCE)
        for stream in (self.child.stdin, self.child.stdout):
            if stream:
                stream.close()

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


class Told(Process):
    """One that answers each line of JSON by one."""

    def __init__(self, case, log, *command):
        super().__init__(case, log, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.answer()  # it has started

    def read(self):
        try:
            for line in self.child.stdout:
                self.lines.put(line)
        except ValueError:
            pass  # closed by kill()
        self.lines.put(b"")

    def answer(self):
        line = self.lines.get(timeout=PATIENCE)
        if not line:
            raise ConnectionError("the program ended: " + self.said()[-2000:])
        reply = json.loads(line)
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply["rows"]

    def ask(self, **request):
        try:
            self.child.stdin.write(json.dumps(request).encode() + b"\n")
            self.child.stdin.flush()
        except OSError as error:
            raise ConnectionError("the program ended") from error
        return self.answer()


# ---- copies --------------------------------------------------------------------------------------


def content_of(db, name="ix"):
    """{table: its rows} of an index, each table of it."""
    names = [row[0] for row in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ? AND rootpage > 0 "
        "ORDER BY name", (name + "_*",))]
    return {table: db.execute(f'SELECT * FROM "{table}"').fetchall() for table in names}


class Copies(Remote):
    """Databases that must hold the same, and say the same."""

    def open(self, path):
        db = connect(path)
        self.addCleanup(db.close)
        return db

    def embedded(self):
        """Every text that the server was asked to embed."""
        return texts_of(self.asked())

    def answers(self, db, queries, name="ix"):
        """What searches find: rows, and their numbers to the last bit."""
        return [db.execute(f"SELECT rowid, similarity, rank FROM {name} WHERE query = ? AND k = 10",
                           (query,)).fetchall() for query in queries]

    def check_sound(self, db, name="ix"):
        db.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")

    def check_same(self, databases, queries, name="ix"):
        """How many answers were compared."""
        first, *others = databases
        content, answers = content_of(first, name), self.answers(first, queries, name)
        self.assertTrue(all(answers))
        for db in databases:
            self.check_sound(db, name)
        for db in others:
            self.assertEqual(content_of(db, name), content)
            self.assertEqual(self.answers(db, queries, name), answers)
        return len(answers) * len(databases)

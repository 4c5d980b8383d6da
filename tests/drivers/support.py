"""support.py: what the Python tests share: the library, connections, vectors, the shell."""
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("RERANK_BUILD", os.path.join(ROOT, "build"))
EXTENSION = os.environ.get("RERANK_EXTENSION", os.path.join(BUILD, "rerank"))
SHELL = os.environ.get("SQLITE3") or "sqlite3"
SANITIZED = os.environ.get("RERANK_SANITIZED") == "1"
# apsw, where `install.sh drivers` fetched it: a SQLite newer than the system's.
sys.path.append(os.path.join(ROOT, "build", "drivers", "python"))

QUERY = "super hero mystery action movie about bats"


def connect(path=":memory:", **options):
    db = sqlite3.connect(path, isolation_level=None, **options)
    db.enable_load_extension(True)
    db.load_extension(EXTENSION)
    return db


def to_blob(components):
    return struct.pack("<%df" % len(components), *components)


def from_blob(blob):
    return list(struct.unpack("<%df" % (len(blob) // 4), blob))


def published_movies():
    """The file of 1000 movies, or None: RERANK_SHARED names the folder that holds it."""
    shared = os.environ.get("RERANK_SHARED", "")
    for path in (os.path.join(shared, "movies.json"),
                 os.path.join(ROOT, "datasets", "movies-1000.json")):
        if os.path.isfile(path):
            return path
    return None


class Workplace:
    """A folder that looks like the repository's root: sql/, datasets/ and build/rerank.

    `movies`: a file to stand as datasets/movies-1000.json, or None for the repository's own films.
    """

    def __init__(self, movies=None):
        self.folder = tempfile.TemporaryDirectory()
        path = self.folder.name
        os.symlink(os.path.join(ROOT, "sql"), os.path.join(path, "sql"))
        os.mkdir(os.path.join(path, "datasets"))
        os.symlink(os.path.join(ROOT, "datasets", "movies.json"),
                   os.path.join(path, "datasets", "movies.json"))
        if movies:
            os.symlink(movies, os.path.join(path, "datasets", "movies-1000.json"))
        os.mkdir(os.path.join(path, "build"))
        library = EXTENSION if os.path.splitext(EXTENSION)[1] else EXTENSION + ".so"
        os.symlink(library, os.path.join(path, "build", os.path.basename(library)))

    def run(self, text, **variables):
        """(exit status, output) of the shell that was fed `text`."""
        environment = dict(os.environ, HOME=self.folder.name, **variables)
        result = subprocess.run(
            [SHELL, "-batch", ":memory:"], cwd=self.folder.name, env=environment,
            input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
            check=False)
        return result.returncode, result.stdout.decode("utf-8", "replace")

    def close(self):
        self.folder.cleanup()


FILMS = [
    (1, "Batman Begins", "A masked hero fights crime in a dark city."),
    (2, "The Penguin Island", "Birds on the ice look for their egg."),
    (3, "Night Train", "A detective follows a murder mystery on a train."),
    (4, "Cooking School", "A young chef learns to make soup."),
    (5, "Bat Cave", "Bats live in a cave under the old house."),
]


def blob(*components):
    return struct.pack("<%df" % len(components), *components)


def add_films(db, schema="main", films=FILMS):
    db.execute(f"CREATE TABLE {schema}.films(id INTEGER PRIMARY KEY, title TEXT, overview TEXT)")
    db.executemany(f"INSERT INTO {schema}.films VALUES (?, ?, ?)", films)


def add_index(db, schema="main", options=""):
    db.execute(
        f"CREATE VIRTUAL TABLE {schema}.ix USING semantic_index(content='films', "
        f"text='title, overview', document='title'{options})"
    )


def model_calls(db, task):
    row = db.execute("SELECT sum(requests) FROM rerank_stats WHERE task = ?", (task,)).fetchone()
    return row[0] or 0


class Base(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "films.db")
        self.db = connect(self.path)
        self.addCleanup(self.db.close)

    def rows(self, sql, *arguments):
        return self.db.execute(sql, arguments).fetchall()

    def one(self, sql, *arguments):
        return self.db.execute(sql, arguments).fetchone()[0]

    def fails(self, pattern, sql, *arguments, error=sqlite3.Error):
        with self.assertRaisesRegex(error, pattern):
            self.db.execute(sql, arguments).fetchall()

    def ids(self):
        return [row[0] for row in self.rows("SELECT rowid FROM ix")]

    def check(self):
        self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.assertEqual(self.one("PRAGMA integrity_check"), "ok")


def interrupted(test, sql, after):
    """Runs sql on test.db, interrupted after so many steps of SQLite's machine; whether it was."""
    left = [after]

    def tick():
        left[0] -= 1
        return left[0] <= 0

    test.db.set_progress_handler(tick, 1)
    try:
        test.db.execute(sql).fetchall()
        return False
    except sqlite3.Error as error:
        test.assertIn("interrupted", str(error))
        return True
    finally:
        test.db.set_progress_handler(None, 1)


def have_shell():
    return shutil.which(SHELL) is not None

"""support.py: what the Python tests share: the library, connections, vectors, the shell."""
import os
import shutil
import sqlite3
import struct
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("RERANK_BUILD", os.path.join(ROOT, "build"))
EXTENSION = os.environ.get("RERANK_EXTENSION", os.path.join(BUILD, "rerank"))
SHELL = os.environ.get("SQLITE3") or "sqlite3"
SANITIZED = os.environ.get("RERANK_SANITIZED") == "1"

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

    def run(self, text):
        """(exit status, output) of the shell that was fed `text`."""
        environment = dict(os.environ, HOME=self.folder.name)
        result = subprocess.run(
            [SHELL, "-batch", ":memory:"], cwd=self.folder.name, env=environment,
            input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
            check=False)
        return result.returncode, result.stdout.decode("utf-8", "replace")

    def close(self):
        self.folder.cleanup()


def have_shell():
    return shutil.which(SHELL) is not None

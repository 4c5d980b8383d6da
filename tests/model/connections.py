"""connections.py: the two ways to SQLite that the model takes, with one face: execute() gives all
rows, in_transaction() says what the name says, Error is what execute() raises."""
import os
import sqlite3
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "drivers"))
from support import EXTENSION  # noqa: E402

# The file is not for keeps; a writer whose pages do not fit into memory would lock out readers.
SETTINGS = "PRAGMA synchronous = OFF", "PRAGMA cache_spill = OFF"


class Plain:
    """Python's own sqlite3, which keeps statements prepared."""

    Error = sqlite3.Error
    version = sqlite3.sqlite_version

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None, timeout=0)
        self.db.enable_load_extension(True)
        self.db.load_extension(EXTENSION)
        for setting in SETTINGS:
            self.execute(setting)

    def execute(self, sql, bindings=()):
        return self.db.execute(sql, bindings).fetchall()

    def in_transaction(self):
        return self.db.in_transaction

    def load_again(self):
        self.db.load_extension(EXTENSION)

    def close(self):
        self.db.close()


def with_apsw():
    """A class like Plain over PyPI's apsw, which brings an SQLite of its own; ImportError."""
    import apsw

    class WithApsw(Plain):
        Error = apsw.Error
        version = apsw.sqlite_lib_version()

        def __init__(self, path):  # pylint: disable=super-init-not-called
            self.db = apsw.Connection(path)
            self.db.enable_load_extension(True)
            self.db.load_extension(EXTENSION)
            for setting in SETTINGS:
                self.execute(setting)

        def execute(self, sql, bindings=()):
            return list(self.db.execute(sql, bindings))

    return WithApsw

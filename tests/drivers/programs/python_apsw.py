"""apsw, which brings a SQLite of its own."""
from apsw import Error

import steps


def connect():
    SNIPPET
    return db, title


steps.follow(steps.Driver(connect, Error))

"""Python's own sqlite3."""
from sqlite3 import Error

import steps


def connect():
    SNIPPET
    return db, title


steps.follow(steps.Driver(connect, Error))

"""replicas.py: nodes that replicate statements, by the rules that rqlite publishes for its own.

In its documents design, api/api, api/non-deterministic and api/read-consistency:
- a request to write is one entry of the log, its statements in one transaction if it says so; every
  node runs every entry, in their order, on a file of its own;
- RANDOM() and the clock are values before the entry is written: other functions are not rewritten;
- requests are JSON: a BLOB is written as a literal, and read as base64;
- a request to read runs on one node, by a connection that only reads; one of level "strong" is an
  entry of the log, and so runs on every node;
- a node that starts throws its file away, takes the latest snapshot and runs the log behind it; a
  snapshot is a copy of the file.
"""
import base64
import json
import os
import random
import re
import shutil
import sqlite3
import time

from engines import connect


def rewritten(sql):
    """Without what each node would draw for itself."""
    sql = re.sub(r"(?i)\brandom\(\)", lambda _: str(random.getrandbits(62)), sql)
    return re.sub(r"(?i)\bdatetime\('now'\)",
                  lambda _: "'%s'" % time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()), sql)


def as_json(rows):
    return json.loads(json.dumps([[base64.b64encode(value).decode() if isinstance(value, bytes)
                                   else value for value in row] for row in rows]))


class Node:
    """A file, and how far it is in the log."""

    def __init__(self, path, cluster, **settings):
        self.path, self.cluster, self.settings = path, cluster, settings
        self.db, self.applied = None, 0
        self.start()

    def connect(self, path, **options):
        db = connect(path, **options)
        for name, value in {"network": "reads", **self.settings}.items():
            db.execute("SELECT rerank_config(?, ?)", (name, value))
        return db

    def start(self):
        if self.db:
            self.db.close()
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.path + end):
                os.remove(self.path + end)
        snapshot, self.applied = self.cluster.snapshot
        if snapshot:
            shutil.copy(snapshot, self.path)
        self.db = self.connect(self.path)
        self.db.execute("PRAGMA journal_mode = wal")
        self.catch_up()

    def catch_up(self):
        """What the entries gave that it has not run before."""
        given = []
        while self.applied < self.cluster.length:
            given.append(self.apply(*self.cluster.entry(self.applied)))
            self.applied += 1
        return given

    def apply(self, statements, transaction):
        if transaction:
            self.db.execute("BEGIN")
        try:
            rows = [as_json(self.db.execute(*statement).fetchall()) for statement in statements]
            if transaction:
                self.db.execute("COMMIT")
            return rows
        except sqlite3.Error as error:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            return str(error)

    def read(self, sql, *bind):
        db = self.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return as_json(db.execute(sql, bind).fetchall())
        finally:
            db.close()


class Cluster:
    """The log, and nodes in a folder; each with settings of its own."""

    def __init__(self, folder, settings):
        self.folder, self.log, self.start, self.snapshot = folder, [], 0, (None, 0)
        self.nodes = []
        for each in settings:
            self.join(**each)

    @property
    def length(self):
        return self.start + len(self.log)

    def entry(self, number):
        return self.log[number - self.start]

    def join(self, **settings):
        path = os.path.join(self.folder, f"replica{len(self.nodes)}.db")
        self.nodes.append(Node(path, self, **settings))
        return self.nodes[-1]

    def write(self, *statements, transaction=True):
        """What each node gave: rows or an error. A statement is SQL, or [SQL, value, ...]."""
        statements = [[statement] if isinstance(statement, str) else statement
                      for statement in statements]
        statements = json.loads(json.dumps([[rewritten(sql), bind] for sql, *bind in statements]))
        self.log.append((statements, transaction))
        return [node.catch_up()[-1] for node in self.nodes]

    def read(self, sql, *bind, level="weak"):
        if level == "strong":
            return self.write([sql, *bind], transaction=False)[0]
        return self.nodes[0].read(sql, *bind)

    def compact(self):
        """A snapshot in place of the log so far."""
        path = os.path.join(self.folder, f"snapshot{self.length}.db")
        self.nodes[0].db.execute("VACUUM INTO ?", (path,))
        self.snapshot, self.start, self.log = (path, self.length), self.length, []

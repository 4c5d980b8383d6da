"""dqlite: three nodes on this machine, a leader that is killed in the middle of a sync, a node that
comes later. dqlite replicates pages: only the leader runs statements, and so embeds.

`make cluster` builds the node, dqlite_node.go, by Debian's packages of dqlite and for Go."""
import base64
import contextlib
import os
import shutil
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from engines import PATIENCE, Copies, Told, content_of, free_port, program, wait_for  # noqa: E402

ROWS = 300
BATCH = 100


def blob(value):
    return {"blob": base64.b64encode(value).decode()}


def plain(value):
    return base64.b64decode(value["blob"]) if isinstance(value, dict) else value


class Node:
    """A process, its folder and its address."""

    def __init__(self, case, number, *members):
        self.case, self.address = case, f"127.0.0.1:{free_port()}"
        self.folder = os.path.join(case.folder, f"node{number}")
        os.makedirs(self.folder)
        self.told = Told(case, self.folder + ".log", program("dqlite-node"), self.folder,
                         self.address, *members)

    def kill(self):
        self.told.kill()

    def exec(self, sql, *bind):
        self.told.ask(do="exec", sql=sql,
                      bind=[blob(value) if isinstance(value, bytes) else value for value in bind])

    def query(self, sql, *bind):
        return [tuple(map(plain, row)) for row in self.told.ask(
            do="query", sql=sql,
            bind=[blob(value) if isinstance(value, bytes) else value for value in bind])]

    def one(self, sql):
        return self.query(sql)[0][0]

    def leader(self):
        return self.told.ask(do="leader")[0][0]

    def copy(self):
        """A connection to this node's own copy of the database, as it is now."""
        folder = self.folder + ".copy"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.told.ask(do="dump", into=folder)
        return self.case.open(os.path.join(folder, "cluster"))


class Dqlite(Copies):
    server_options = {"lifetime": 300}

    def setUp(self):
        program("dqlite-node")
        super().setUp()
        self.set_up("openai")
        first = Node(self, 1)
        self.nodes = [first] + [Node(self, number, first.address) for number in (2, 3)]
        self.made = 3

    def add(self):
        self.made += 1
        self.nodes.append(Node(self, self.made, self.nodes[0].address))

    def leading(self):
        """(the leader, the others)."""
        address = wait_for(self.nodes[0].leader, "a leader")
        return (next(node for node in self.nodes if node.address == address),
                [node for node in self.nodes if node.address != address])

    def turn(self, node):
        """Whether that node leads; asks for it if not."""
        if node.leader() == node.address:
            return True
        node.told.ask(do="lead")
        return node.leader() == node.address

    def fill(self, options="model = 'openai:m'"):
        node = self.nodes[0]
        node.exec("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT, body TEXT)")
        node.exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                  "INSERT INTO docs SELECT i, 'title ' || i, 'body ' || i * 7919 % 613 FROM n",
                  ROWS)
        node.exec("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                  f"text = 'title, body', {options})")

    def sync(self, node):
        """In statements that are short, each of which commits."""
        while node.one("SELECT pending FROM semantic_status('ix')"):
            node.exec(f"INSERT INTO ix(ix) VALUES ('sync {BATCH}')")

    def kill_leader(self, during, when):
        """The leader, while a statement runs on it that a follower has sent, and once `when`.
        What is left goes on under another leader; gives a node of that, and how many texts the dead
        one had asked for."""
        leader, (node, *_) = self.leading()

        def run():
            with contextlib.suppress(RuntimeError):  # or the driver has sent it again by itself
                during(node)

        thread = threading.Thread(target=run)
        thread.start()
        wait_for(when, "the moment to kill at")
        leader.kill()
        asked = len(self.embedded())
        thread.join(PATIENCE)
        self.nodes.remove(leader)
        wait_for(lambda: node.leader() != leader.address, "another leader")
        wait_for(lambda: node.query("SELECT 1"), "its first answer")
        return node, asked

    def check_nodes(self, n, queries=()):
        """All have the same rows, answers and sound files, each in its own copy."""
        leader, others = self.leading()
        copy = leader.copy()
        queries = [row[0] for row in copy.execute(
            "SELECT embedding FROM ix WHERE rowid % 25 = 1")] + list(queries)
        databases = [copy] + [wait_for(lambda node=node: self.caught_up(node, copy), "its copy")
                              for node in others]
        self.assertEqual(copy.execute("SELECT rows, pending, gone, problem FROM "
                                      "semantic_status('ix')").fetchone(), (n, 0, 0, None))
        return self.check_same(databases, queries)

    def caught_up(self, node, other):
        copy = node.copy()
        return copy if content_of(copy) == content_of(other) else None

    def test_three_nodes(self):
        self.fill()
        self.sync(self.nodes[0])
        self.assertEqual(len(self.embedded()), ROWS)
        self.assertGreater(self.check_nodes(ROWS), 30)
        for node in list(self.nodes):  # and each says so where it leads
            wait_for(lambda node=node: self.turn(node), "its turn")
            self.assertEqual(node.one("SELECT rows FROM semantic_status('ix')"), ROWS)
            node.exec("INSERT INTO ix(ix) VALUES ('sync')")
            node.exec("INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.assertEqual(len(self.embedded()), ROWS)

    def test_a_leader_killed_in_a_sync(self):
        self.fill()
        self.nodes[0].exec(f"INSERT INTO ix(ix) VALUES ('sync {BATCH}')")
        self.assertEqual(len(self.embedded()), BATCH)
        self.server.behave([{"delay": 2.0}])
        node, asked = self.kill_leader(
            lambda node: node.exec(f"INSERT INTO ix(ix) VALUES ('sync {BATCH}')"),
            lambda: len(self.embedded()) > BATCH)
        in_flight = asked - BATCH
        self.assertLessEqual(in_flight, BATCH)
        self.assertGreaterEqual(node.one("SELECT rows FROM semantic_status('ix')"), BATCH)
        self.sync(node)
        self.add()
        self.sync(self.nodes[-1])
        # What was committed was embedded once; what the leader was asking for when it died, again.
        self.assertEqual(len(self.embedded()), ROWS + in_flight)
        self.assertGreater(self.check_nodes(ROWS), 30)

    def test_embedded_by_a_read(self):
        """The vectors are the client's before they are written: a leader that is killed while it
        writes them costs none."""
        self.fill()
        made = self.nodes[0].query("SELECT hash, rowid, embedding FROM semantic_pending('ix')")
        self.assertEqual((len(made), len(self.embedded())), (ROWS, ROWS))
        pieces = [made[at:at + 50] for at in range(0, ROWS, 50)]
        started = threading.Event()

        def write(node, piece):
            node.exec("INSERT OR IGNORE INTO ix(ix, rowid, embedding) VALUES " + ", ".join(
                ["('embedded ' || ?, ?, ?)"] * len(piece)), *(v for row in piece for v in row))

        def write_all(node):
            for number, piece in enumerate(pieces):
                write(node, piece)
                if number == 1:
                    started.set()

        node, _ = self.kill_leader(write_all, started.is_set)
        kept = node.one("SELECT rows FROM semantic_status('ix')")
        self.assertGreaterEqual(kept, 100)
        for piece in pieces:  # once more: what is there stays as it is
            write(node, piece)
        self.add()
        self.assertEqual(len(self.embedded()), ROWS)
        self.assertGreater(self.check_nodes(ROWS), 30)
        self.assertEqual(len(self.embedded()), ROWS)

    def test_a_statement_that_takes_too_long(self):
        """It costs the leader the lead, and is undone there, after SQLite had committed it."""
        self.fill()
        self.nodes[0].exec(f"INSERT INTO ix(ix) VALUES ('sync {BATCH}')")
        leader, _ = self.leading()
        self.assertEqual(leader.one("SELECT count(*) FROM ix"), BATCH)
        self.server.behave([{"delay": 9.0}])
        with contextlib.suppress(RuntimeError):  # or the driver has sent it again by itself
            leader.exec(f"INSERT INTO ix(ix) VALUES ('sync {BATCH}')")
        self.assertIsNot(self.leading()[0], leader)
        wait_for(lambda: self.turn(leader), "its turn")
        self.sync(leader)
        self.assertLessEqual(len(self.embedded()), ROWS + BATCH)
        self.assertGreater(self.check_nodes(ROWS), 30)

    def test_a_select_that_writes(self):
        """It is refused, as its rows would be on the leader alone. What dqlite 1.11 tells of a
        SELECT that fails is the name of its first column: unit/semantic/test_replicated.c has the
        message."""
        self.fill()
        with self.assertRaises(RuntimeError):
            self.nodes[0].query("SELECT * FROM semantic_sync('ix')")
        self.assertEqual(self.embedded(), [])
        self.assertEqual(self.nodes[0].one("SELECT rows FROM semantic_status('ix')"), 0)
        self.sync(self.nodes[0])
        self.check_nodes(ROWS)

    def test_words_and_the_built_in_model(self):
        """The same tables as one file has by the same statements, from what SQLite spilled too."""
        options = "quantize = 'bit', partitions = 4, upkeep = 'triggers'"
        self.fill(options)
        statements = [
            "INSERT INTO ix(ix) VALUES ('sync')",
            "INSERT INTO docs SELECT id + 10000, title || ' again', body FROM docs",
            "DELETE FROM docs WHERE id % 7 = 3",
            "UPDATE docs SET body = 'snow in the ' || body WHERE id % 5 = 2",
            "INSERT INTO ix(ix) VALUES ('optimize')"]
        for statement in statements:
            self.nodes[0].exec(statement)
        n = self.nodes[0].one("SELECT count(*) FROM docs")
        self.assertGreater(self.check_nodes(n, ["title 7", "snow", "body 19 -again"]), 30)


if __name__ == "__main__":
    unittest.main()

"""What several connections, threads and processes see of a semantic_index."""
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import ALL, DIMENSIONS, FOLDER, Model, StorageBase, words  # noqa: E402
from support import blob, connect  # noqa: E402

CHILD = """
import os, sys
sys.path.insert(0, {folder!r})
from support import blob, connect
from storage import Model, words
db = connect(sys.argv[1], timeout=60)
def say(text):
    print(text, flush=True)
"""


class Processes(StorageBase):
    def child(self, program, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-B", "-c", CHILD.format(folder=FOLDER) + program, self.path,
             *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def end():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

        self.addCleanup(end)
        return process

    def ask(self, process, line=""):
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    SERVANT = """
for line in sys.stdin:
    try:
        say(repr(db.execute(line).fetchall()))
    except Exception as error:
        say("error " + str(error))
"""

    def test_a_writer_and_a_reader(self):
        """What another process commits is seen at once; what it rolls back never."""
        for mode in ("delete", "wal"):
            self.db.execute(f"PRAGMA journal_mode = {mode}")
            for quantize, partitions in (("none", 0), ("int8", "auto"), ("bit", 4)):
                self.create(words(quantize, partitions, dimensions=2))
                self.put([(1, (1, 0)), (2, (0, 1))])
                child = self.child(self.SERVANT)
                insert = "REPLACE INTO ix(rowid, embedding) VALUES ({}, '[{}, {}]')"

                def nearest():
                    mine = self.rows("SELECT rowid FROM ix('[1, 0]', 1)")
                    theirs = self.ask(child, "SELECT rowid FROM ix('[1, 0]', 1)")
                    self.assertEqual(theirs, repr(mine))
                    return mine[0][0]

                self.assertEqual(nearest(), 1)
                self.assertEqual(self.ask(child, insert.format(1, -1, 0)), "[]")
                self.assertEqual(nearest(), 2)
                self.put([(3, (1, 0.5))])
                self.assertEqual(nearest(), 3)
                self.ask(child, "BEGIN")
                self.ask(child, insert.format(4, 1, 0.1))
                self.assertEqual(self.ask(child, "SELECT rowid FROM ix('[1, 0]', 1)"), "[(4,)]")
                if mode == "wal":
                    self.assertEqual(self.rows("SELECT rowid FROM ix('[1, 0]', 1)"), [(3,)])
                self.ask(child, "ROLLBACK")
                self.assertEqual(nearest(), 3)
                if mode == "wal":  # an open transaction keeps what it saw
                    self.db.execute("BEGIN")
                    self.assertEqual(self.rows("SELECT rowid FROM ix('[1, 0]', 1)"), [(3,)])
                    self.ask(child, insert.format(4, 1, 0.1))
                    other = connect(self.path)
                    self.assertEqual(other.execute("SELECT rowid FROM ix('[1, 0]', 1)").fetchall(),
                                     [(4,)])
                    for _ in range(2):
                        self.assertEqual(self.rows("SELECT rowid FROM ix('[1, 0]', 1)"), [(3,)])
                        self.assertEqual(self.rows("SELECT rowid FROM ix('[1, 0]', 9)"),
                                         [(3,), (2,), (1,)])
                    self.db.execute("COMMIT")
                    other.close()
                    self.assertEqual(nearest(), 4)
                self.assertEqual(self.ask(child, "DROP TABLE ix"), "[]")
                child.stdin.close()
                child.wait()

    WRITER = """
model = Model(1)
db.execute("PRAGMA synchronous = off")
for batch in range(int(sys.argv[2])):
    first = batch * 100
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM ix WHERE rowid <= ?", (first - 500,))
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   [(id, blob(*model.vector())) for id in range(first + 1, first + 101)])
    db.execute("COMMIT")
    if batch == 6:
        say("begun")
say("done")
"""

    def test_never_half_a_batch(self):
        """A reader in WAL mode is never blocked, and never sees a part of a transaction."""
        self.db.execute("PRAGMA journal_mode = wal")
        for quantize, partitions in (("none", 0), ("int8", 0), ("bit", "auto"), ("none", 3)):
            self.create(words(quantize, partitions))
            child = self.child(self.WRITER, 40)
            self.assertEqual(child.stdout.readline().strip(), "begun")
            reader = connect(self.path, timeout=0)
            query = [1.0] * DIMENSIONS
            generations = set()
            while child.poll() is None:
                ids = sorted(id for id, _ in self.found(query, ALL, reader))
                self.assertEqual(len(ids), 600)
                self.assertEqual(ids, list(range(ids[0], ids[0] + 600)))
                generations.add(ids[0])
                self.assertEqual(len(self.found(query, 10, reader)), 10)
            self.assertGreater(len(generations), 1)
            reader.close()
            self.check()
            self.db.execute("DROP TABLE ix")

    ACCOUNTS, COMPONENTS = 4500, 256

    BANK = """
import random, struct
draw, amounts, n = random.Random(1), [100] * int(sys.argv[2]), int(sys.argv[3])
db.execute("PRAGMA synchronous = off")
for turn in range(10**6):
    db.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        pair, amount = draw.sample(range(len(amounts)), 2), draw.randint(1, 9)
        amounts[pair[0]] -= amount
        amounts[pair[1]] += amount
        db.executemany("REPLACE INTO ix(rowid, embedding) VALUES (?, ?)",
                       [(i + 1, struct.pack("f", amounts[i]) + bytes(4 * n - 4)) for i in pair])
    db.execute("COMMIT")
    if turn % 2:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if turn == 2:
        say("begun")
"""

    CUSTOMER = """
import struct
for line in sys.stdin:
    db = connect(sys.argv[1], timeout=60)
    say(db.execute("SELECT count(*), sum(similarity) FROM ix(?, 1000000)", (
        struct.pack("f", 1) + bytes(4 * int(sys.argv[2]) - 4),)).fetchone())
    db.close()
"""

    def test_cold_searches_beside_a_writer(self):
        """Each search reads all blocks off the file or by SQLite, by several threads, while another
        process moves amounts between rows and empties the WAL: their sum is always the same."""
        for mode in ("wal", "delete"):
            self.db.execute(f"PRAGMA journal_mode = {mode}")
            self.create(f"dimensions = {self.COMPONENTS}, metric = dot")
            self.db.execute("BEGIN")
            self.put([(i, [100] + [0] * (self.COMPONENTS - 1))
                      for i in range(1, self.ACCOUNTS + 1)])
            self.db.execute("COMMIT")
            self.db.close()  # what is in memory goes
            writer = self.child(self.BANK, self.ACCOUNTS, self.COMPONENTS)
            self.assertEqual(writer.stdout.readline().strip(), "begun")
            customers = [self.child(self.CUSTOMER, self.COMPONENTS) for _ in range(2)]
            for _ in range(25):
                for customer in customers:
                    self.assertEqual(self.ask(customer), f"({self.ACCOUNTS}, "
                                     f"{100.0 * self.ACCOUNTS})")
            writer.kill()
            writer.wait()
            self.db = connect(self.path, timeout=60)
            self.check()
            self.db.execute("DROP TABLE ix")

    def descriptors(self):
        return [fd for fd in os.listdir("/proc/self/fd")
                if os.path.exists(f"/proc/self/fd/{fd}")
                and os.readlink(f"/proc/self/fd/{fd}") == os.path.realpath(self.path)]

    @unittest.skipUnless(os.path.isdir("/proc/self/fd"), "no /proc")
    def test_locks_of_a_search_that_reads_the_file(self):
        """Its threads open the file again and close it: what the transaction locked stays so."""
        alone = {"delete": "BEGIN EXCLUSIVE", "wal": "PRAGMA journal_mode = delete"}
        for mode, statement in alone.items():
            self.db.execute(f"PRAGMA journal_mode = {mode}")
            self.create(f"dimensions = {self.COMPONENTS}")
            self.fill(Model(1, self.COMPONENTS), 6000)
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.db.close()
            self.db = connect(self.path)
            self.db.execute("SELECT rerank_config('threads', 4)")
            child = self.child(self.SERVANT)
            for turn in range(4):
                self.db.execute("SELECT rerank_config('memory_budget', 0)")
                self.db.execute("BEGIN")
                hits = self.found(Model(2, self.COMPONENTS).vector(), 3)
                self.assertEqual(len(hits), 3)
                self.assertEqual(len(self.descriptors()), 4)  # closed when nothing is locked
                self.assertEqual(self.ask(child, "PRAGMA busy_timeout = 0"), "[(0,)]")
                self.assertIn("locked", self.ask(child, statement))
                self.db.execute("COMMIT")
            self.assertLessEqual(len(self.descriptors()), 4)
            child.stdin.close()
            child.wait()
            self.db.execute("DROP TABLE ix")
            self.db.close()
            self.assertEqual(self.descriptors(), [])
            self.db = connect(self.path)

    KILLED = """
model = Model(1)
db.execute("PRAGMA cache_size = 10")
n = int(sys.argv[2])
db.execute("BEGIN")
db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
               [(id, blob(*model.vector())) for id in range(1, n + 1)])
db.execute("COMMIT")
say("committed")
db.execute("BEGIN")
for id in range(1, 1000000):
    db.execute("INSERT OR REPLACE INTO ix(rowid, embedding) VALUES (?, ?)",
               (id * 3, blob(*model.vector())))
    if id % 500 == 0:
        db.execute("DELETE FROM ix WHERE rowid = ?", (id,))
        db.execute("SELECT rowid FROM ix WHERE query = ? AND k = 1", (blob(*model.vector()),))
        say("more")
"""

    def test_a_writer_that_is_killed(self):
        for number, mode in enumerate(("delete", "wal", "truncate")):
            self.db.execute(f"PRAGMA journal_mode = {mode}")
            quantize, partitions = (("none", 4), ("bit", 4), ("int8", 0))[number]
            self.create(words(quantize, partitions))
            self.db.close()
            child = self.child(self.KILLED, 700)
            for expected in ("committed", "more", "more", "more"):
                self.assertEqual(child.stdout.readline().strip(), expected)
            child.send_signal(signal.SIGKILL)
            child.wait()
            self.db = connect(self.path)
            self.check()
            model = Model(1)
            model.rows.update((id, model.vector()) for id in range(1, 701))
            self.whole(model)
            self.fill(model, 300, first=2000)
            self.check()
            self.whole(model)
            self.db.execute("DROP TABLE ix")

    def test_connections_share(self):
        """A block that one connection has read is there for all: a budget for one is enough."""
        self.create(words("none"))
        model = Model(9)
        self.fill(model, 4000)
        others = [connect(self.path) for _ in range(4)]
        for other in others * 2:
            self.whole(model, other)
        others[0].execute("DELETE FROM ix WHERE rowid = 17")
        del model.rows[17]
        for other in others:
            self.whole(model, other)
        for other in others:
            other.close()
        self.whole(model)

    REMOTE = """
for line in sys.stdin:
    try:
        say(repr(db.execute(*eval(line)).fetchall()))
    except Exception as error:
        say(repr(str(error)))
"""

    def run_anywhere(self, where, sql, *arguments):
        """Of a connection here, or of a child process; None: another one was in the way."""
        try:
            if isinstance(where, sqlite3.Connection):
                return where.execute(sql, arguments).fetchall()
            answer = eval(self.ask(where, repr((sql, arguments))))
            if isinstance(answer, list):
                return answer
        except sqlite3.OperationalError as error:
            answer = str(error)
        self.assertIn("locked", answer, sql)
        return None

    def step(self, draw, model, where, rows):
        """Writes, perhaps, what rows are after that; or looks at all of them."""
        what, last = draw.random(), sorted(rows)[-draw.randint(1, 6)]
        id = last if what < 0.1 else len(rows) + draw.randint(10**4, 10**9)
        if what < 0.35:
            vector = model.vector()
            sql = "INSERT OR REPLACE INTO ix(rowid, embedding) VALUES (?, ?)"
            done = self.run_anywhere(where, sql, id, blob(*vector))
            return rows if done is None else {**rows, id: vector}
        if what < 0.45:
            done = self.run_anywhere(where, "DELETE FROM ix WHERE rowid = ?", last)
            return rows if done is None else {i: v for i, v in rows.items() if i != last}
        if what < 0.6:
            self.run_anywhere(where, draw.choice((
                "PRAGMA wal_checkpoint(truncate)", "PRAGMA wal_checkpoint(passive)",
                "INSERT INTO junk VALUES (randomblob(30000))", "DELETE FROM junk",
                "PRAGMA incremental_vacuum(20)", "SELECT rerank_config('memory_budget', 0)",
                "SELECT rerank_config('memory_budget', 1000000000)")))
            return rows
        model.rows = rows
        k, query = draw.choice((1, 5, ALL)), model.vector()
        hits = self.run_anywhere(where, "SELECT rowid, similarity FROM ix WHERE query = ? AND "
                                 "k = ?", blob(*query), k)
        if hits is not None and (k == ALL or self.exact):
            self.assert_same(hits, model.nearest(query, k))
        return rows

    def test_any_order(self):
        """Statements of three connections of two processes, in an order that is drawn: each sees
        what was committed before its transaction, and what it wrote itself."""
        for seed, (mode, quantize, partitions) in enumerate((
                ("wal", "none", 0), ("delete", "none", 0), ("wal", "bit", "auto"),
                ("truncate", "int8", 0))):
            draw, model = random.Random(seed), Model(seed)
            self.exact = quantize == "none"
            self.path = os.path.join(self.folder.name, f"{mode}_{quantize}.db")
            first = connect(self.path, timeout=0)
            for pragma in ("page_size = 512", "auto_vacuum = 2", f"journal_mode = {mode}",
                           "synchronous = off", "cache_size = 5", "wal_autocheckpoint = 5"):
                first.execute(f"PRAGMA {pragma}")
            first.execute("CREATE TABLE junk(bytes)")
            self.create(words(quantize, partitions), db=first)
            first.execute("BEGIN")
            self.put([(id, model.rows.setdefault(id, model.vector())) for id in range(1, 301)],
                     db=first)
            first.execute("COMMIT")
            everywhere = [first, connect(self.path, timeout=0), self.child(self.REMOTE)]
            self.run_anywhere(everywhere[2], "PRAGMA busy_timeout = 0")
            committed, views, writes = dict(model.rows), {}, set()
            for step in range(120):
                which = draw.randrange(3)
                where, rows = everywhere[which], views.get(which)
                if which not in views and draw.random() < 0.1:
                    self.run_anywhere(where, "BEGIN")
                    if self.run_anywhere(where, "SELECT count(*) FROM junk") is None:
                        self.run_anywhere(where, "ROLLBACK")
                    else:
                        views[which] = committed
                elif which in views and draw.random() < 0.3:
                    ends = draw.random() < 0.6 and self.run_anywhere(where, "COMMIT") is not None
                    if not ends:
                        self.run_anywhere(where, "ROLLBACK")
                    elif which in writes:
                        committed = rows
                    del views[which]
                    writes.discard(which)
                else:
                    with self.subTest(mode=mode, quantize=quantize, step=step):
                        after = self.step(draw, model, where, committed if rows is None else rows)
                    if rows is None:
                        committed = after
                    elif after is not rows:
                        views[which] = after
                        writes.add(which)
            for where in everywhere[:2]:
                where.close()

    def test_threads(self):
        """Connections of several threads search and write at once."""
        self.db.execute("PRAGMA journal_mode = wal")
        for quantize, partitions in (("none", 0), ("int8", 3), ("bit", 0)):
            self.create(words(quantize, partitions))
            self.fill(Model(1), 500)
            failures = []

            def work(number):
                try:
                    model = Model(number)
                    db = connect(self.path, timeout=60)
                    db.execute("PRAGMA synchronous = off")
                    for step in range(12):
                        if number % 2 == 0:
                            id, vector = 1000 * (number + 1) + step, model.vector()
                            db.execute("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                                       (id, blob(*vector)))
                            model.rows[id] = vector
                            hits = db.execute("SELECT rowid FROM ix(?, 1)", (blob(*vector),))
                            assert hits.fetchall() == [(id,)]
                        hits = db.execute("SELECT rowid FROM ix(?, 100000)",
                                          (blob(*model.vector()),)).fetchall()
                        assert len({row[0] for row in hits}) == len(hits) >= 500
                        assert set(model.rows) <= {row[0] for row in hits}
                    db.close()
                except BaseException as error:
                    failures.append(error)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.check()
            self.assertEqual(self.one("SELECT count(*) FROM ix"), 536)
            self.db.execute("DROP TABLE ix")


if __name__ == "__main__":
    unittest.main()

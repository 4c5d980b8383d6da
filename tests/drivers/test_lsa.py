"""builtin:lsa: fitted again by the syncs that find an index doubled, and by nothing else."""
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import EXTENSION, Base, connect, interrupted, to_blob  # noqa: E402
from test_index_replicas import tables  # noqa: E402

WORDS = "bat train ice snow hero city cave murder egg ship dragon letter island garden".split()
INDEX = ("CREATE VIRTUAL TABLE {} USING semantic_index(content = 'docs', text = 't', "
         "model = 'builtin:lsa', reranker = 'builtin:lexical', lexical = 'none', "
         "storage = 'float32'{})")
SYNC = "INSERT INTO ix(ix) VALUES ('sync')"
BATCHES = "SELECT * FROM semantic_sync('ix')"
PROBE = "SELECT rowid, similarity FROM ix('a dragon in the snow', 9)"
KILLED = f"""
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.enable_load_extension(True)
db.load_extension({EXTENSION!r})
watcher = sqlite3.connect(":memory:")
watcher.enable_load_extension(True)
watcher.load_extension({EXTENSION!r})
def look():
    done = watcher.execute("SELECT max(embedded) FROM semantic_progress").fetchone()[0]
    if done:
        os.kill(os.getpid(), {int(signal.SIGKILL)})
    return 0
db.set_progress_handler(look, 1000)
db.execute("{BATCHES}").fetchall()
"""


def text(i):
    return " ".join(WORDS[i * k % 14] for k in (1, 3, 5)) + f" {WORDS[i % 7]} in number{i % 11}"


class Lsa(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, t TEXT)")

    def add(self, first, last, db=None):
        (db or self.db).executemany("INSERT INTO docs VALUES (?, ?)",
                                    [(i, text(i)) for i in range(first, last + 1)])

    def make(self, options="", n=30, name="ix"):
        self.add(1, n)
        self.db.execute(INDEX.format(name, options))
        self.db.execute(SYNC)

    def status(self, db=None):
        return (db or self.db).execute("SELECT rows, pending, fitted_on, advice "
                                       "FROM semantic_status('ix')").fetchone()

    def fit(self):
        return self.one("SELECT value FROM ix_config WHERE key = 'fit'")

    def vectors(self):
        return self.rows("SELECT rowid, embedding FROM ix")

    def check_as_new(self):
        """Each vector is the one that an index of these rows has which is made now."""
        self.db.execute(INDEX.format("other", ""))
        self.db.execute("INSERT INTO other(other) VALUES ('sync')")
        self.assertEqual(self.vectors(), self.rows("SELECT rowid, embedding FROM other"))
        self.db.execute("DROP TABLE other")
        self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")

    def test_only_syncs_fit_again(self):
        self.make(", upkeep = 'triggers'")
        fit, before = self.fit(), self.vectors()
        self.add(31, 59)
        self.db.execute(SYNC)
        self.assertEqual(self.status(), (59, 0, 30, None))
        self.db.execute("BEGIN")
        self.add(60, 80)
        self.rows(PROBE)
        self.db.execute("COMMIT")
        self.db.execute("INSERT INTO ix(rowid) VALUES (60)")
        self.db.execute("INSERT INTO ix(ix) VALUES ('optimize')")
        self.assertEqual(self.status(), (80, 80, 30, "sync: 80 rows are pending\n"
                                         "sync: fitted on 30 of 80 rows, it fits again"))
        self.assertEqual((self.fit(), self.vectors()[:30]), (fit, before))
        self.assertIn('"texts":80', self.one("SELECT semantic_estimate('ix')").replace(" ", ""))
        self.db.execute(SYNC)
        self.assertNotEqual(self.fit(), fit)
        self.assertEqual(self.status(), (80, 0, 80, None))
        self.check_as_new()

    def test_exactly_twice_as_many(self):
        self.make(n=7)
        self.add(8, 13)
        self.db.execute(SYNC)
        self.assertEqual(self.status()[2], 7)
        self.add(14, 14)
        self.assertEqual(self.rows("SELECT embedded, pending FROM semantic_sync('ix')"), [(14, 0)])
        self.assertEqual(self.status(), (14, 0, 14, None))
        self.check_as_new()

    def test_the_model_of_old_does_not(self):
        self.add(1, 10)
        self.db.execute(INDEX.format("ix", "").replace("builtin:lsa", "builtin:lexical"))
        self.db.execute(SYNC)
        self.add(11, 40)
        self.db.execute(SYNC)
        self.assertEqual(self.status(), (40, 0, 10, "rebuild: fitted on 10 of 40 rows"))

    def test_texts_that_the_fit_cannot_read_do_not_count(self):
        self.make(n=10)
        self.db.execute("INSERT INTO docs SELECT 100 + id, x'00' FROM docs")
        self.db.execute("INSERT INTO docs SELECT 200 + id, ' ' FROM docs")
        self.db.execute(SYNC)
        self.assertEqual(self.status()[:3], (10, 0, 10))
        self.add(11, 20)
        self.db.execute("INSERT INTO ix(ix) VALUES ('retry')")
        self.assertEqual(self.status()[:3], (20, 0, 20))

    def test_a_bounded_sync(self):
        """The fit sees all rows, and leaves none behind that had a vector."""
        self.add(1, 50)
        self.db.execute(INDEX.format("ix", ""))
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync 20')")
        self.assertEqual(self.status()[:3], (20, 30, 50))
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync 20')")
        self.add(51, 100)
        self.assertEqual(self.status()[:3], (40, 100, 50))
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync 20')")
        self.assertEqual(self.status(), (100, 0, 100, None))
        self.check_as_new()

    def test_rows_that_came_before_any_sync(self):
        self.db.execute(INDEX.format("ix", ", upkeep = 'triggers'"))
        self.add(1, 20)
        self.assertEqual(self.status()[:3], (20, 20, None))
        self.assertEqual(self.one("SELECT dimensions FROM semantic_status('ix')"), 1024)
        self.db.execute(SYNC)
        self.assertEqual(self.status(), (20, 0, 20, None))
        self.check_as_new()

    def test_vectors_of_ones_own_and_dimensions_hold_it(self):
        self.make(n=10)
        dimensions = self.one("SELECT dimensions FROM semantic_status('ix')")
        own = to_blob([1.0] * dimensions)
        self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (3, ?)", (own,))
        self.add(11, 40)
        self.db.execute(SYNC)
        self.assertEqual(self.status(), (40, 0, 10, "rebuild: fitted on 10 of 40 rows"))
        self.db.execute("DELETE FROM ix WHERE rowid = 3")
        self.db.execute(SYNC)
        self.assertEqual(self.status(), (40, 0, 40, None))
        self.db.execute("DROP TABLE ix")
        self.db.execute("DELETE FROM docs WHERE id > 10")
        self.db.execute(INDEX.format("ix", f", dimensions = {dimensions}"))
        self.db.execute(SYNC)
        self.add(11, 40)
        self.db.execute(SYNC)
        self.assertEqual(self.status(), (40, 0, 10, "rebuild: fitted on 10 of 40 rows"))

    def test_every_kind_of_index(self):
        for options in (", quantize = 'bit', partitions = 4", ", quantize = 'int8'",
                        ", lexical = 'fts5', tokenizer = 'unicode61'", ", content_rowid = 'code'"):
            self.db.execute("DROP TABLE docs")
            self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, t TEXT, "
                            "code TEXT NOT NULL UNIQUE DEFAULT (hex(randomblob(9))))")
            self.db.executemany("INSERT INTO docs(id, t) VALUES (?, ?)",
                                [(i, text(i)) for i in range(1, 13)])
            index = INDEX.format("ix", options)
            self.db.execute(index.replace("lexical = 'none', ", "") if "fts5" in options else index)
            for n in (24, 48):
                self.db.execute(SYNC)
                self.db.executemany("INSERT INTO docs(id, t) VALUES (?, ?)",
                                    [(i, text(i)) for i in range(n // 2 + 1, n + 1)])
            self.rows(BATCHES)
            self.assertEqual(self.status(), (48, 0, 48, None))
            self.check()
            found = self.rows(PROBE)
            self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
            self.assertEqual(self.rows(PROBE), found)
            self.db.execute("DROP TABLE ix")

    def test_interrupts(self):
        """Of 'sync': all of it or nothing."""
        self.make(n=20)
        self.add(21, 40)
        before, after, times = (self.fit(), self.vectors(), self.rows(PROBE)), 1, 0
        while interrupted(self, SYNC, after):
            self.assertEqual((self.fit(), self.vectors(), self.rows(PROBE)), before)
            after, times = after * 2 + 7, times + 1
        self.assertGreater(times, 5)
        self.assertEqual(self.status(), (40, 0, 40, None))
        self.check_as_new()

    def test_a_rollback(self):
        self.make(n=20)
        before = self.fit(), self.vectors(), self.rows(PROBE)
        self.db.execute("BEGIN")
        self.add(21, 40)
        self.db.execute(SYNC)
        self.assertEqual(self.status()[:3], (40, 0, 40))
        self.db.execute("INSERT INTO docs VALUES (99, 'bats')")
        self.db.execute("INSERT INTO ix(rowid) VALUES (99)")
        self.rows(PROBE)
        self.db.execute("ROLLBACK")
        self.assertEqual((self.fit(), self.vectors(), self.rows(PROBE)), before)
        self.check_as_new()

    def test_rows_that_wait(self):
        """Of a transaction that syncs: noted before the new fit, and written after."""
        self.make(n=20)
        self.db.execute("BEGIN")
        self.add(21, 40)
        self.db.execute("INSERT INTO ix(rowid) SELECT id FROM docs WHERE id > 35")
        self.db.execute("SAVEPOINT a")
        self.db.execute(SYNC)
        self.db.execute("ROLLBACK TO a")
        self.db.execute("INSERT INTO ix(rowid) VALUES (21)")
        self.db.execute("COMMIT")
        self.assertEqual(self.status()[:3], (26, 40, 20))
        self.db.execute(SYNC)
        self.check_as_new()

    def stop(self):
        """semantic_sync interrupted, and killed in another process, when rows are embedded."""
        watcher = connect()
        self.addCleanup(watcher.close)

        def look():
            return watcher.execute("SELECT embedded > 0 FROM semantic_progress WHERE state = "
                                   "'embedding'").fetchone() == (1,)

        self.db.set_progress_handler(look, 100)
        with self.assertRaisesRegex(Exception, "interrupted") as caught:
            self.rows(BATCHES)
        self.db.set_progress_handler(None, 0)
        self.assertNotIn("are kept", str(caught.exception))
        child = subprocess.run([sys.executable, "-B", "-c", KILLED, self.path], check=False)
        self.assertEqual(child.returncode, -signal.SIGKILL)

    def test_a_sync_in_batches_that_stops(self):
        """The old fit stays whole, and is found by; the next call does all."""
        for journal in ("delete", "wal"):
            self.db.execute(f"PRAGMA journal_mode = {journal}")
            self.make(n=300)
            before = self.fit(), self.vectors(), self.rows(PROBE)
            self.add(301, 700)
            self.stop()
            self.assertEqual((self.fit(), self.vectors(), self.rows(PROBE)), before)
            self.assertEqual(self.status()[:3], (300, 700, 300))
            self.assertEqual(self.rows("SELECT embedded FROM semantic_sync('ix')"), [(700,)])
            self.check_as_new()
            self.db.execute("DROP TABLE ix")
            self.db.execute("DELETE FROM docs")

    def test_a_first_sync_in_batches_that_stops(self):
        """Its batches are kept: there was nothing before; they are of one fit."""
        self.add(1, 700)
        self.db.execute(INDEX.format("ix", ""))
        child = subprocess.run([sys.executable, "-B", "-c", KILLED, self.path], check=False)
        self.assertEqual(child.returncode, -signal.SIGKILL)
        rows, pending, fitted_on, _ = self.status()
        self.assertEqual((rows + pending, fitted_on), (700, 700))
        self.assertTrue(0 < rows < 700)
        self.assertEqual(self.rows("SELECT embedded FROM semantic_sync('ix')")[-1], (pending,))
        self.check_as_new()

    def test_readers_while_it_is_fitted_again(self):
        """They see all rows of one fit or of the other."""
        for journal in ("wal", "delete"):
            self.db.execute(f"PRAGMA journal_mode = {journal}")
            self.make(n=300)
            self.add(301, 600)
            other = connect(self.path, timeout=0)
            self.addCleanup(other.close)
            old, seen = other.execute(PROBE).fetchall(), []

            def look(other=other, seen=seen):
                try:
                    seen.append(other.execute(PROBE).fetchall())
                except Exception as error:  # pylint: disable=broad-except
                    self.assertIn("locked", str(error))
                return 0

            self.db.set_progress_handler(look, 2000)
            self.rows(BATCHES)
            self.db.set_progress_handler(None, 0)
            new = other.execute(PROBE).fetchall()
            self.assertNotEqual(new, old)
            self.assertIn(old, seen)
            self.assertTrue(all(found in (old, new) for found in seen))
            if journal == "wal":
                other.execute("BEGIN")
                other.execute(PROBE).fetchall()
                self.add(601, 1200)
                self.rows(BATCHES)
                self.assertEqual(other.execute(PROBE).fetchall(), new)
                other.execute("COMMIT")
                self.assertEqual(self.status(other)[:3], (1200, 0, 1200))
            self.db.execute("DROP TABLE ix")
            self.db.execute("DELETE FROM docs")
            other.close()

    def test_two_connections(self):
        self.make(n=20)
        other = connect(self.path, timeout=0)
        self.addCleanup(other.close)
        other.execute(PROBE).fetchall()
        self.add(21, 40)
        self.db.execute(SYNC)
        self.assertEqual(other.execute(PROBE).fetchall(), self.rows(PROBE))
        self.add(41, 41, other)
        other.execute("INSERT INTO ix(rowid) VALUES (41)")
        self.add(42, 80, other)
        other.execute(SYNC)
        self.db.execute("INSERT INTO docs VALUES (81, 'bat')")
        self.db.execute("INSERT INTO ix(rowid) VALUES (81)")
        self.db.execute("DELETE FROM docs WHERE id = 81")
        self.db.execute(SYNC)
        self.assertEqual(other.execute(PROBE).fetchall(), self.rows(PROBE))
        self.check_as_new()

    def test_replicas(self):
        """Nodes fit by the same statements; what is embedded elsewhere goes on with a fit."""
        nodes = [self.db, connect(os.path.join(self.folder.name, "node.db"))]
        self.addCleanup(nodes[1].close)
        nodes[1].execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, t TEXT)")
        for node in nodes:
            self.add(1, 20, node)
            node.execute(INDEX.format("ix", ""))
        self.fails("fitted by its first sync", "SELECT * FROM semantic_pending('ix')")
        for first, last, syncs in ((21, 30, 1), (31, 60, 0), (61, 130, 1)):
            for node in nodes:
                if syncs:
                    node.execute(SYNC)
                self.add(first, last, node)
            made = self.rows("SELECT rowid, hash, embedding FROM semantic_pending('ix')")
            self.assertEqual(len(made), last - first + 1)
            for node in nodes:
                node.executemany("INSERT INTO ix(ix, rowid, embedding) "
                                 "VALUES ('embedded ' || ?2, ?1, ?3)", made)
            self.assertEqual(tables(nodes[0]), tables(nodes[1]))
        self.add(500, 500)
        old = self.rows("SELECT rowid, hash, embedding FROM semantic_pending('ix')")
        self.db.execute(SYNC)
        self.db.execute("DELETE FROM ix WHERE rowid = 500")
        self.fails("the model changed", "INSERT INTO ix(ix, rowid, embedding) VALUES "
                   "('embedded ' || ?2, ?1, ?3)", *old[0])
        self.db.execute(SYNC)
        self.check_as_new()

    def test_the_reranker_knows_the_fit(self):
        self.make(n=40)
        self.db.execute(INDEX.format("old", "").replace("builtin:lsa", "builtin:lexical"))
        self.db.execute("INSERT INTO old(old) VALUES ('sync')")
        relevance = "SELECT rowid, relevance FROM {}('a dragon in the snow', 9)"
        self.assertEqual(self.rows(relevance.format("ix")), self.rows(relevance.format("old")))

    def test_without_an_index(self):
        self.assertEqual(self.one("SELECT embed('bats', 'builtin:lsa') = "
                                  "embed('bats', 'builtin:lexical')"), 1)
        self.fails("builtin:lsa does not rerank", "SELECT rerank('a', 'b', 'builtin:lsa')")
        self.db.execute("INSERT INTO rerank_models(name, provider, model) "
                        "VALUES ('rows', 'builtin', 'lsa')")
        self.add(1, 5)
        self.db.execute(INDEX.format("ix", "").replace("builtin:lsa", "rows"))
        self.db.execute(SYNC)
        self.add(6, 10)
        self.db.execute(SYNC)
        self.assertEqual(self.status()[2], 10)

    def test_untrusted_schemas(self):
        self.db.execute("PRAGMA trusted_schema = OFF")
        self.db.execute(INDEX.format("ix", ", upkeep = 'triggers'"))
        self.add(1, 4)
        self.assertEqual(self.status()[0], 4)

    def test_a_fit_of_unknown_size_is_made_again(self):
        self.make(n=5)
        self.db.execute("DELETE FROM ix_config WHERE key = 'fitted_on'")
        self.assertEqual(self.status()[:3], (5, 5, None))
        self.db.execute(SYNC)
        self.assertEqual(self.status(), (5, 0, 5, None))

    def test_a_read_only_database(self):
        self.make(n=5)
        self.add(6, 10)
        db = connect(f"file:{self.path}?mode=ro", uri=True)
        self.addCleanup(db.close)
        self.assertEqual(self.status(db)[:3], (5, 10, 5))
        self.assertEqual(len(db.execute(PROBE).fetchall()), 5)
        for sql in (SYNC, BATCHES):
            with self.assertRaisesRegex(Exception, "readonly"):
                db.execute(sql).fetchall()


if __name__ == "__main__":
    unittest.main()

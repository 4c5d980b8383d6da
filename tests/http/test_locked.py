"""test_locked.py: what SQL may not do any more once a connection is locked, what it may never do
where it can only read, and `network = 'reads'`."""
import os
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import EXTENSION, Remote  # noqa: E402

MODEL = "openai:m"


class Locked(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("openai", "cohere", "together")

    def lock(self, db=None):
        (db or self.db).execute("SELECT rerank_config('locked', 1)")

    def asked(self):
        return len(self.server.requests)

    def test_what_was_registered_is_asked(self):
        self.register("alias", "openai")
        self.register("own", "openai", "n", batch_size=3)
        self.config(rerank_model="cohere:m")
        self.lock()
        for name in ("alias", MODEL, "own"):
            self.check_vector(self.one("SELECT embed(?, ?)", name, name), name)
        self.assertEqual(self.asked(), 3)
        self.one("SELECT rerank('a', 'b')")
        self.one("SELECT rerank('c', 'd', 'cohere:m')")
        self.assertEqual(self.asked(), 5)
        for name in ("openai:n", "openai:o", "together:m", "owner/name", "cohere:m"):
            self.fails("was not registered before this connection was locked: it is not asked .*"
                       "set RERANK_EMBED_MODEL", "SELECT embed('x', ?)", name)
        self.fails("together:m was not registered .*set RERANK_RERANK_MODEL",
                   "SELECT rerank('x', 'y', 'together:m')")
        self.assertEqual(self.asked(), 5)

    def test_a_name_that_sql_used_is_not_registered(self):
        self.one("SELECT embed('a', ?)", MODEL)
        self.lock()
        self.fails("was not registered", "SELECT embed('a', ?)", MODEL)
        self.assertEqual(self.asked(), 1)

    def test_a_change_registers(self):
        self.one("SELECT embed('a', ?)", MODEL)
        self.db.execute("UPDATE rerank_models SET batch_size = 7 WHERE name = ?", (MODEL,))
        self.lock()
        self.check_vector(self.one("SELECT embed('b', ?)", MODEL), "b")

    def test_the_environment(self):
        os.environ.update(RERANK_LOCKED="1", RERANK_EMBED_MODEL="openai:m",
                          RERANK_RERANK_MODEL="Owner/Name", RERANK_TIMEOUT_MS="1234")
        self.db = self.connect()
        self.assertEqual(self.one("SELECT rerank_config('locked')"), 1)
        self.assertEqual(self.one("SELECT rerank_config('timeout_ms')"), 1234)
        self.fails("timeout_ms cannot change: this connection is locked",
                   "SELECT rerank_config('timeout_ms', 1)")
        self.fails("this connection is locked", "SELECT rerank_config('locked', 0)")
        # By the full name first: that is what an index stores.
        self.one("SELECT embed('a', 'openai:m')")
        self.one("SELECT embed('b')")
        self.one("SELECT rerank('a', 'b', 'together:Owner/Name')")
        self.one("SELECT rerank('c', 'd')")
        self.assertEqual(self.asked(), 4)
        self.fails("was not registered", "SELECT embed('a', 'together:Owner/Name')")
        self.add_documents(3)
        self.add_index(MODEL)
        self.assertEqual(self.sync()[0], 3)
        self.assertEqual(len(self.rows("SELECT rowid, relevance FROM ix('body 2')")), 3)
        self.fails("rerank_models: models cannot change",
                   "INSERT INTO rerank_models(name, model) VALUES ('x', 'builtin:lexical')")
        os.environ["RERANK_LOCKED"] = "0"
        self.assertEqual(self.connect().execute("SELECT rerank_config('locked', 1)").fetchone(),
                         (1,))

    def test_a_value_that_is_none_does_not_open(self):
        for value in ("yes", "2", "-1", "on"):
            os.environ["RERANK_LOCKED"] = value
            with self.assertRaisesRegex(sqlite3.Error, "RERANK_LOCKED must be an integer from 0 to "
                                        "1, not '%s'" % value):
                self.connect()

    def test_a_default_that_is_not_set_up(self):
        os.environ.update(RERANK_LOCKED="1", RERANK_EMBED_MODEL="voyage:m")
        self.db = self.connect()
        self.fails("was not registered", "SELECT embed('a', ?)", MODEL)
        self.fails("RERANK_EMBED_MODEL: voyage: no API key", "SELECT embed('a')")
        self.fails("voyage:m was not registered", "SELECT embed('a', 'voyage:m')")

    def test_an_index_of_a_model_that_was_not_registered(self):
        """It is read, searched by vectors and dropped, as where its model is gone."""
        self.add_documents(4)
        self.add_index(MODEL)
        self.sync()
        vector = self.one("SELECT embedding FROM ix WHERE rowid = 2")
        self.db = self.connect()
        self.lock()
        asked = self.asked()
        self.assertEqual(self.rows("SELECT rowid FROM ix(?, 1)", vector), [(2,)])
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 4)
        self.db.execute("INSERT INTO docs VALUES (9, 'nine', 'lives')")
        for sql in ("SELECT rowid FROM ix('body 2')", "SELECT * FROM semantic_sync('ix')",
                    "SELECT * FROM semantic_pending('ix')", "INSERT INTO ix(rowid) VALUES (9)",
                    "SELECT * FROM semantic_search_each('ix', '[\"a\"]', 1)",
                    "INSERT INTO ix(ix) VALUES ('sync')", "INSERT INTO ix(ix) VALUES ('rebuild')"):
            self.fails("openai:m was not registered", sql)
        self.assertEqual(self.one("SELECT pending FROM semantic_status('ix')"), 1)
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.asked(), asked)

    def test_another_connection_is_free(self):
        self.lock()
        other = self.connect()
        other.execute("SELECT rerank_config('max_retries', 7)")
        self.assertEqual(other.execute("SELECT length(embed('a', ?))", (MODEL,)).fetchone(), (32,))

    def test_syncs_of_others(self):
        with tempfile.TemporaryDirectory() as folder:
            ours, other = (self.connect(os.path.join(folder, name)) for name in ("a.db", "b.db"))
            for db in (ours, other):
                db.execute("CREATE VIRTUAL TABLE notes USING semantic_index()")
                db.execute("INSERT INTO notes(notes) VALUES ('sync')")
            files = "SELECT file FROM semantic_progress WHERE file LIKE ? || '%'"
            folder = os.path.realpath(folder)
            self.assertEqual(len(ours.execute(files, (folder,)).fetchall()), 2)
            self.lock(ours)
            self.assertEqual(ours.execute(files, (folder,)).fetchall(),
                             [(os.path.join(folder, "a.db"),)])

    def test_the_cache(self):
        path = os.path.join(self.folder, "cache")
        self.lock()
        self.fails("cache cannot change: this connection is locked",
                   "SELECT rerank_config('cache', ?)", path)
        os.environ.update(RERANK_LOCKED="1", RERANK_CACHE=path, RERANK_EMBED_MODEL=MODEL)
        self.db = self.connect()
        self.fails("cannot change", "SELECT rerank_config('cache', '')")
        self.one("SELECT embed('a')")
        self.assertTrue(os.path.exists(path))
        self.db = self.connect()
        self.one("SELECT embed('a')")
        self.assertEqual(self.asked(), 1)

    def test_the_entry_point_that_locks(self):
        def load(db):
            db.execute("SELECT load_extension(?, 'sqlite3_rerank_locked_init')", (EXTENSION,))
        db = sqlite3.connect(":memory:")
        self.addCleanup(db.close)
        db.enable_load_extension(True)
        load(db)
        self.assertIn("was not registered", self.error("SELECT embed('a', ?)", MODEL, db=db))
        self.assertIn("is locked", self.error("SELECT rerank_config('locked', 0)", db=db))
        # A connection that has the library; loading it as usual does not unlock it.
        load(self.db)
        self.fails("is locked", "SELECT rerank_config('threads', 1)")
        self.db.load_extension(EXTENSION)
        self.fails("is locked", "SELECT rerank_config('threads', 1)")


class ReadOnly(Remote):
    """A page that lets people write SELECTs."""

    def setUp(self):
        super().setUp()
        self.set_up("openai")
        self.add_documents(3)
        self.add_index(MODEL)

    def readers(self):
        self.db.close()
        for options in ("mode=ro", "immutable=1"):
            db = self.connect("file:%s?%s" % (self.path, options), uri=True)
            yield db
        db = self.connect()
        db.execute("PRAGMA query_only = 1")
        yield db

    def test_no_file_is_made(self):
        path = os.path.join(self.folder, "new.file")
        for db in self.readers():
            for value in (path, "relative.file", ""):
                self.assertIn("cache cannot change: this connection can only read",
                              self.error("SELECT rerank_config('cache', ?)", value, db=db))
            self.assertEqual(os.listdir(self.folder), ["test.db"])
            self.assertFalse(os.path.exists("relative.file"))
        os.environ["RERANK_CACHE"] = path
        for db in self.readers():
            self.assertIn("can only read", self.error("SELECT rerank_config('cache', '')", db=db))
            db.execute("SELECT embed('a', ?)", (MODEL,)).fetchall()
            self.assertTrue(os.path.exists(path))
        self.assertEqual(len(self.server.requests), 1)

    def test_no_model_is_registered(self):
        for db in self.readers():
            self.assertIn("readonly database", self.error(
                "INSERT INTO rerank_models(name, provider, model, url) VALUES ('x', 'openai', "
                "'m', ?)", self.server.base_url("openai"), db=db))

    def test_nothing_is_embedded_that_cannot_be_stored(self):
        for db in self.readers():
            self.assertEqual(self.error("SELECT * FROM semantic_sync('ix')", db=db),
                             "semantic_sync: attempt to write a readonly database")
            db.execute("SELECT semantic_estimate('ix')").fetchall()
            self.error("INSERT INTO ix(ix) VALUES ('sync')", db=db)
        self.assertEqual(self.server.requests, [])

    def test_a_permission(self):
        self.db.close()
        os.chmod(self.path, 0o444)
        if os.access(self.path, os.W_OK):
            self.skipTest("this user may write everything")
        self.db = self.connect()
        self.fails("can only read", "SELECT rerank_config('cache', ?)",
                   os.path.join(self.folder, "x"))


class Reads(Remote):
    """network = 'reads': no remote model is asked inside a write transaction."""

    def setUp(self):
        super().setUp()
        self.set_up("openai", "cohere")
        self.add_documents(3)
        self.config(network="reads")

    def refused(self, sql, *arguments, model=MODEL):
        asked = len(self.server.requests)
        self.fails("%s is not asked inside a write transaction \\(network = 'reads'\\): ask it "
                   "before, and write what came \\(of an index, the rows of semantic_pending\\)" %
                   model, sql, *arguments)
        self.assertEqual(len(self.server.requests), asked)

    def test_words(self):
        self.assertEqual(self.one("SELECT rerank_config('network')"), "reads")
        self.fails("network must be 'always' or 'reads', not 'never'",
                   "SELECT rerank_config('network', 'never')")
        os.environ["RERANK_NETWORK"] = "reads"
        db = self.connect()
        self.assertEqual(db.execute("SELECT rerank_config('network')").fetchone(), ("reads",))
        os.environ["RERANK_NETWORK"] = "x"
        with self.assertRaisesRegex(sqlite3.Error, "RERANK_NETWORK must be 'always' or 'reads'"):
            self.connect()

    def test_statements(self):
        self.db.execute("CREATE TABLE t(a)")
        self.refused("INSERT INTO t SELECT embed(body, ?) FROM docs", MODEL)
        self.refused("INSERT INTO t VALUES (embed('a constant', ?))", MODEL)
        self.refused("UPDATE docs SET title = embed(body, ?)", MODEL)
        self.refused("DELETE FROM docs WHERE embed(body, ?) IS NULL", MODEL)
        self.refused("CREATE TABLE u AS SELECT embed(body, ?) FROM docs", MODEL)
        self.refused("INSERT INTO t SELECT embedding FROM embed_each('[\"x\"]', ?)", MODEL)
        self.refused("INSERT INTO t SELECT rerank('q', body, 'cohere:m') FROM docs",
                     model="cohere:m")
        self.refused("INSERT INTO t SELECT key FROM rerank('q', '[\"a\"]', 1, 'cohere:m')",
                     model="cohere:m")
        self.db.execute("CREATE TEMP TABLE mine(a)")
        self.refused("INSERT INTO mine SELECT embed(body, ?) FROM docs", MODEL)
        self.assertEqual(self.one("SELECT count(*) FROM t"), 0)

    def test_reads_and_what_is_known(self):
        self.db.execute("CREATE TABLE t(a)")
        self.assertEqual(len(self.rows("SELECT embed(body, ?) FROM docs", MODEL)), 3)
        self.db.execute("BEGIN")
        self.one("SELECT embed('new', ?)", MODEL)
        self.db.execute("INSERT INTO t SELECT embed(body, ?) FROM docs", (MODEL,))
        self.refused("SELECT embed('newer', ?)", MODEL)
        self.db.execute("ROLLBACK")
        self.one("SELECT embed('newer', ?)", MODEL)
        self.db.execute("BEGIN IMMEDIATE")
        self.refused("SELECT embed('newest', ?)", MODEL)
        self.db.execute("INSERT INTO t VALUES (embed('bats')), (rerank('bats', 'a bat'))")
        self.db.execute("COMMIT")
        self.db.execute("INSERT INTO t SELECT embed(body, ?) FROM docs", (MODEL,))
        self.assertEqual(self.one("SELECT count(*) FROM t"), 5)

    def test_an_index(self):
        self.add_index(MODEL, ", reranker='cohere:m'")
        self.assertEqual(self.sync()[0], 3)
        self.db.execute("BEGIN IMMEDIATE")
        self.refused("SELECT rowid FROM ix('another query')")
        self.db.execute("COMMIT")
        self.rows("SELECT rowid FROM ix('another query')")
        self.db.execute("BEGIN IMMEDIATE")
        self.refused("SELECT rowid, relevance FROM ix('another query')", model="cohere:m")
        self.db.execute("COMMIT")
        self.db.execute("INSERT INTO docs VALUES (9, 'nine', 'lives')")
        self.refused("INSERT INTO ix(rowid) VALUES (9)")
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid) VALUES (9)")
        self.refused("COMMIT")
        self.db.execute("ROLLBACK")
        vector = self.one("SELECT embed('nine lives', ?)", MODEL)
        self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (9, ?)", (vector,))
        self.check_index([1, 2, 3, 9])

    def test_what_another_embeds(self):
        self.add_index(MODEL)
        take = "INSERT INTO ix(ix, rowid, embedding) "
        self.refused(take + "SELECT 'embedded ' || hash, rowid, embedding FROM "
                     "semantic_pending('ix')")
        rows = self.rows("SELECT hash, rowid, embedding FROM semantic_pending('ix')")
        self.db.executemany(take + "VALUES ('embedded ' || ?, ?, ?)", rows)
        self.check_index([1, 2, 3])

    def test_what_is_kept_of_a_sync(self):
        """Texts that were embedded before are not asked for again."""
        self.add_index(MODEL)
        self.rows("SELECT embed(title || ' ' || body, ?) FROM docs WHERE id < 3", MODEL)
        asked = len(self.server.requests)
        self.refused("INSERT INTO ix(ix) VALUES ('sync')")
        self.rows("SELECT embed(title || ' ' || body, ?) FROM docs", MODEL)
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(len(self.server.requests), asked + 1)
        self.check_index([1, 2, 3])


if __name__ == "__main__":
    unittest.main()

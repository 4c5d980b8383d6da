"""The words of an index (lexical = 'fts5'): whatever is done, the documents that live in FTS5 are
those of the texts that have vectors."""
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "model")]
from compare import ROWS_OF_WORDS, rows_of_words  # noqa: E402
from support import EXTENSION, SHELL, connect, interrupted, to_blob  # noqa: E402

LOOSE = ("CREATE VIRTUAL TABLE {0} USING semantic_index(content = 'docs', text = 't', "
         "lexical = 'fts5', tokenizer = 'unicode61')")
INDEX = LOOSE.replace("lexical", "upkeep = 'triggers', lexical")
KILLED = f"""
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.enable_load_extension(True)
db.load_extension({EXTENSION!r})
for i in range(1000):
    db.execute("UPDATE docs SET t = 'cat ' || ? || ' ' || id WHERE id % 3 = ?", (i, i % 3))
    if i == 5:
        db.execute("BEGIN")
    print(i, flush=True)
"""


class Words(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "words.db")
        self.open()
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, t TEXT)")
        self.db.executemany("INSERT INTO docs VALUES (?, ?)",
                            [(i, f"cat {i} in a house") for i in range(1, 31)])
        self.db.execute(INDEX.format("ix"))
        self.command("sync")

    def open(self):
        self.db = connect(self.path)
        self.addCleanup(self.db.close)
        self.db.execute("PRAGMA synchronous = OFF")

    def command(self, word, name="ix"):
        self.db.execute(f"INSERT INTO {name}({name}) VALUES ('{word}')")

    def loosen(self):
        """The index hears of nothing by itself."""
        self.db.execute("DROP TABLE ix")
        self.db.execute(LOOSE.format("ix"))
        self.command("sync")

    def one(self, sql, bindings=()):
        return self.db.execute(sql, bindings).fetchone()[0]

    def rows_of(self, word, name="ix", db=None):
        return [row for _, row in (db or self.db).execute(
            ROWS_OF_WORDS.format(name), (f'["{word}"]',))]

    def fails(self, message, sql, bindings=()):
        with self.assertRaisesRegex(sqlite3.Error, message):
            self.db.execute(sql, bindings)

    def check(self, name="ix", db=None, whole=True):
        """The index has the words of its texts."""
        db = db or self.db
        texts = dict(db.execute(f"SELECT rowid, t FROM {name}").fetchall())
        want, words = rows_of_words(texts)
        self.assertEqual(db.execute(ROWS_OF_WORDS.format(name), (words,)).fetchall(), want)
        self.assertGreater(len(want), 0)
        if whole and not db.in_transaction:
            db.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")

    def n_exceptions(self, name="ix"):
        return self.one(f"SELECT count(*) FROM {name}_docs")

    # -- writes ------------------------------------------------------------------------------------

    def test_texts_that_do_not_change_get_no_document(self):
        before = self.one("SELECT count(*) FROM ix_fts_docsize")
        self.db.execute("UPDATE docs SET t = t || ''")
        self.command("sync")
        self.db.execute("INSERT INTO ix(rowid) SELECT id FROM docs")
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO docs VALUES (100, 'new')")
        for _ in range(3):
            self.db.execute("UPDATE docs SET t = 'new' WHERE id = 100")
        self.db.execute("COMMIT")
        self.assertEqual(self.one("SELECT count(*) FROM ix_fts_docsize"), before + 1)
        self.check()

    def test_a_sync_writes_one_piece_of_words(self):
        """FTS5 writes a piece whenever a statement below makes a savepoint: a sync has none."""
        self.db.execute("DROP TABLE ix")
        self.db.execute(LOOSE.format("ix")[:-1] + ", model = 'builtin:static', storage = 'int8')")
        self.db.execute("WITH n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 4900) "
                        "INSERT INTO docs SELECT i, 'dog ' || i FROM n")
        pieces = "SELECT count(DISTINCT id >> 37) FROM ix_fts_data WHERE id > 10"
        self.command("sync")
        self.assertEqual(self.one(pieces), 1)
        self.db.execute("UPDATE docs SET t = 'hen ' || id WHERE id % 5 = 0")
        self.command("sync")
        self.assertEqual(self.one(pieces), 2)
        self.assertEqual(len(self.rows_of("hen")), 967)
        self.command("integrity-check")

    def test_a_number_that_comes_again(self):
        for i in range(5):
            self.db.execute("DELETE FROM docs WHERE id = 7")
            self.db.execute("INSERT INTO docs VALUES (7, ?)", (f"dog {i}",))
            self.check()
        self.assertEqual(self.rows_of("dog"), [7])

    def test_vectors_of_ones_own(self):
        vector = self.one("SELECT embedding FROM ix WHERE rowid = 1")
        self.db.execute("UPDATE docs SET t = 'cow' WHERE id = 2")
        self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (2, ?)", (vector,))
        self.assertEqual(self.rows_of("cow"), [2])
        self.check()
        self.command("rebuild")
        self.check()
        self.db.execute("CREATE VIRTUAL TABLE ox USING semantic_index(lexical = 'fts5')")
        self.db.execute("INSERT INTO ox(rowid, text, embedding) VALUES (1, 'cow', ?), "
                        "(2, NULL, ?), (3, ' ', ?)", (vector,) * 3)
        self.assertEqual(self.one("SELECT group_concat(id) FROM ox_fts_docsize"), "1")
        self.db.execute("UPDATE ox SET text = NULL, embedding = ? WHERE rowid = 1", (vector,))
        self.assertEqual(self.rows_of("cow", "ox"), [])
        for word in ("integrity-check", "optimize", "rebuild", "integrity-check"):
            self.command(word, "ox")

    def test_rows_that_cannot_be_embedded(self):
        self.db.execute("UPDATE docs SET t = x'00' WHERE id = 3")
        self.db.execute("UPDATE docs SET t = ' ' WHERE id = 4")
        self.assertEqual(self.rows_of("3"), [])
        self.check()
        self.command("retry")
        self.db.execute("BEGIN")
        self.db.execute("UPDATE docs SET t = 'mule' WHERE id = 3")
        self.db.execute("UPDATE docs SET t = x'00' WHERE id = 3")
        self.db.execute("COMMIT")
        self.assertEqual(self.rows_of("mule"), [])
        self.check()
        self.db.execute("UPDATE docs SET t = 'mule' WHERE id = 3")
        self.check()

    def test_rows_that_went_unnoticed(self):
        self.loosen()
        self.db.execute("DELETE FROM docs WHERE id < 5")
        self.db.execute("UPDATE docs SET t = 'dog' WHERE id < 10")
        self.db.execute("INSERT INTO docs VALUES (200, 'owl')")
        self.command("optimize")
        self.assertEqual(self.rows_of("5"), [5])
        self.command("sync 1")
        self.command("sync")
        self.command("integrity-check")
        self.assertEqual(self.rows_of("dog"), [5, 6, 7, 8, 9])
        self.check()

    def test_what_commit_finds_otherwise(self):
        """A text that is another at COMMIT than when the row was noted."""
        self.loosen()
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(ix, rowid) VALUES ('changed', 1)")
        self.db.execute("UPDATE docs SET t = 'dog' WHERE id = 1")
        self.db.execute("COMMIT")
        self.assertEqual(self.rows_of("dog"), [])
        self.assertEqual(self.db.execute("SELECT pending, advice FROM semantic_status('ix')")
                         .fetchall(), [(1, "sync: 1 row is pending")])
        self.command("integrity-check")
        self.db.execute("INSERT INTO ix(rowid) VALUES (2)")
        self.check()
        self.assertEqual(self.rows_of("dog"), [1])
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(ix, rowid) VALUES ('changed', 1)")
        self.db.execute("SAVEPOINT a")
        self.db.execute("UPDATE docs SET t = 'hen' WHERE id = 1")
        self.check()  # a read finds it, too
        self.db.execute("ROLLBACK TO a")
        self.db.execute("UPDATE docs SET t = 'elk' WHERE id = 1")
        self.db.execute("COMMIT")
        self.db.execute("SELECT * FROM semantic_sync('ix')").fetchall()
        self.check()
        self.assertEqual(self.rows_of("elk"), [1])

    def test_made_in_format_2(self):
        """As development versions made it: it opens, and becomes one of today when written."""
        self.db.execute("DROP TABLE ix")
        self.db.execute(INDEX.format("ix").replace("lexical", "storage = 'float32', lexical", 1))
        self.command("sync")
        self.db.execute("UPDATE ix_config SET value = 2 WHERE key = 'format'")
        self.db.execute("DELETE FROM ix_config WHERE key = 'storage'")
        self.db.close()
        self.open()
        self.db.execute("UPDATE docs SET t = 'a dog' WHERE id = 1")
        self.check()
        self.assertEqual(self.rows_of("dog"), [1])
        self.command("rebuild")
        self.assertEqual(self.one("SELECT value FROM ix_config WHERE key = 'format'"), 5)
        self.db.close()
        self.open()
        self.check()
        self.db.execute("UPDATE ix_config SET value = 3 WHERE key = 'format'")
        self.db.execute("DELETE FROM ix_config WHERE key = 'storage'")
        self.db.close()
        self.open()  # of format 3 such an index is of a byte a component, which this one is not
        self.fails("storage is not what CREATE VIRTUAL TABLE says", "SELECT rowid FROM ix('cat')")

    def test_an_interrupt_between_statements(self):
        """FTS5 reads on in a transaction, which must not make all that follows interrupted."""
        for sql in ("UPDATE docs SET t = 'a dog' WHERE id = 1",
                    "INSERT INTO ix(rowid) VALUES (2)", "INSERT INTO ix(ix) VALUES ('sync')"):
            self.db.execute("UPDATE docs SET t = t || ' owl' WHERE id = 2")
            self.db.execute("BEGIN")
            self.db.execute(sql)
            self.db.interrupt()
            self.assertEqual(self.one("SELECT 1"), 1)
            self.db.execute("ROLLBACK")
        self.check()

    def test_too_many_dead(self):
        self.db.execute("UPDATE docs SET t = 'dog ' || id WHERE id <= 10")
        self.command("sync")
        self.assertEqual(self.n_exceptions(), 20)  # a quarter is not more than a quarter
        self.db.execute("UPDATE docs SET t = 'dog ' || id WHERE id = 11")
        self.assertIn("optimize: words of 11 texts",
                      self.one("SELECT advice FROM semantic_status('ix')"))
        self.assertEqual(self.one("SELECT pending FROM semantic_sync('ix')"), 0)
        self.assertEqual(self.n_exceptions(), 0)
        self.check()

    def test_a_keyed_index(self):
        self.db.execute("CREATE TABLE papers(uid TEXT PRIMARY KEY, t TEXT)")
        self.db.execute("CREATE VIRTUAL TABLE px USING semantic_index(content = 'papers', "
                        "text = 't', content_rowid = 'uid', upkeep = 'triggers', lexical = 'fts5')")
        self.db.execute("INSERT INTO papers VALUES ('a', 'cat'), ('b', 'dog'), ('c', 'owl')")
        self.command("sync", "px")
        self.db.execute("DELETE FROM papers WHERE uid = 'c'")
        self.db.execute("INSERT OR REPLACE INTO papers VALUES ('d', 'hen'), ('a', 'elk')")
        self.check("px")
        self.command("optimize", "px")
        self.check("px")

    def test_the_rowid_of_the_last_insert(self):
        self.db.execute("INSERT INTO docs VALUES (400, 'dog')")
        self.db.execute("UPDATE docs SET t = 'dogs' WHERE id = 5")
        self.db.execute("DELETE FROM docs WHERE id = 6")
        self.db.execute("DELETE FROM ix WHERE rowid = 7")
        self.assertEqual(self.one("SELECT last_insert_rowid()"), 400)

    # -- transactions ------------------------------------------------------------------------------

    def test_a_statement_that_fails(self):
        self.db.execute("CREATE VIRTUAL TABLE ox USING semantic_index(lexical = 'fts5')")
        for begin, end in (("", ""), ("BEGIN", "COMMIT"), ("BEGIN", "ROLLBACK")):
            self.db.execute(begin)
            self.fails("UNIQUE", "INSERT INTO docs VALUES (1000, 'mouse'), (1, 'mouse')")
            self.fails("not a blob", "INSERT INTO ox(rowid, text) VALUES (1, 'mouse'), (2, x'00')")
            self.db.execute(end)
            self.assertEqual((self.rows_of("mouse"), self.rows_of("mouse", "ox")), ([], []))
            self.check()

    def test_words_that_cannot_be_written_tear(self):
        self.loosen()
        self.db.execute("CREATE TRIGGER t AFTER INSERT ON ix_docs BEGIN "
                        "SELECT raise(FAIL, 'no'); END")
        self.db.execute("UPDATE docs SET t = 'dog' WHERE id = 1")
        self.fails("no", "INSERT INTO ix(rowid) VALUES (1)")
        self.db.execute("BEGIN")
        self.db.execute("SAVEPOINT a")
        self.fails("no", "INSERT INTO ix(rowid) VALUES (1)")
        self.fails("failed half way: ROLLBACK", "SELECT count(*) FROM ix")
        self.fails("failed half way: ROLLBACK", "COMMIT")
        self.db.execute("ROLLBACK TO a")
        self.db.execute("COMMIT")
        self.assertEqual(self.rows_of("1"), [1])
        self.db.execute("DROP TRIGGER t")
        self.db.execute("INSERT INTO ix(rowid) VALUES (1)")
        self.check()
        self.db.execute("UPDATE ix_fts_data SET block = x'00' WHERE id = 10")
        self.db.close()
        self.open()
        self.db.execute("UPDATE docs SET t = 'dog' WHERE id = 2")
        self.fails("malformed|constraint", "INSERT INTO ix(rowid) VALUES (2)")
        self.command("optimize")
        self.db.execute("UPDATE ix_fts_data SET block = x'00' WHERE id > 1000")
        self.fails("malformed", "INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.command("rebuild")
        self.check()

    def test_the_schema_changes_within_a_transaction(self):
        """SQLite connects the index and FTS5's table anew."""
        for change in ("ALTER TABLE docs ADD COLUMN c{}", "CREATE TABLE other{}(a)",
                       "ALTER TABLE other{} RENAME TO another{}",
                       "INSERT INTO ix(ix) VALUES ('content docs')"):
            for i in range(2):
                self.db.execute("BEGIN")
                self.db.execute("INSERT INTO docs(t) VALUES ('first cat')")
                self.db.execute("UPDATE docs SET t = t || ' seen' WHERE id % 5 = 0")
                self.db.execute(change.format(i, i))
                self.db.execute("INSERT INTO docs(t) VALUES ('second cat')")
                self.db.execute("UPDATE docs SET t = t || ' again' WHERE id % 3")
                self.db.execute("COMMIT")
                self.check()

    def test_another_connection(self):
        other = connect(self.path, timeout=0)
        self.addCleanup(other.close)
        self.db.execute("BEGIN")
        self.db.execute("UPDATE docs SET t = 'dog' WHERE id < 9")
        self.check(db=other, whole=False)
        self.assertEqual(self.rows_of("dog", db=other), [])
        self.db.execute("COMMIT")
        self.check(db=other)
        other.execute("UPDATE docs SET t = 'hen' WHERE id < 7")
        self.check()
        self.db.execute("UPDATE docs SET t = 'owl' WHERE id < 5")
        self.check(db=other)

    def test_read_only(self):
        db = connect(f"file:{self.path}?mode=ro", uri=True)
        self.addCleanup(db.close)
        self.assertEqual(self.rows_of("7", db=db), [7])
        self.assertEqual(db.execute("SELECT problem FROM semantic_status('ix')").fetchall(),
                         [(None,)])
        with self.assertRaisesRegex(sqlite3.Error, "readonly"):
            db.execute("INSERT INTO ix(ix) VALUES ('optimize')")

    def test_interrupts(self):
        """Of what writes all words anew: all of it, or nothing."""
        self.db.execute("UPDATE docs SET t = 'dog ' || id WHERE id <= 20")
        for sql in ("INSERT INTO ix(ix) VALUES ('optimize')", "SELECT * FROM semantic_sync('ix')"):
            n, after, times = self.n_exceptions(), 1, 0
            while interrupted(self, sql, after):
                self.assertEqual(self.n_exceptions(), n)
                self.check()
                after, times = after * 2 + 7, times + 1
            self.assertGreater(times, 5)
            self.assertEqual(self.n_exceptions(), 0)
            self.check()
            self.db.execute("UPDATE docs SET t = 'hen ' || id WHERE id <= 20")

    def test_a_writer_that_is_killed(self):
        child = subprocess.Popen([sys.executable, "-B", "-c", KILLED, self.path],
                                 stdout=subprocess.PIPE, text=True)
        with child:
            while child.stdout.readline().strip() != "9":
                self.assertIsNone(child.poll())
            child.send_signal(signal.SIGKILL)
        self.check()
        self.db.execute("UPDATE docs SET t = 'dog ' || id")
        self.check()

    # -- the file ----------------------------------------------------------------------------------

    def test_dump_and_restore(self):
        self.db.execute("UPDATE docs SET t = 'dog' WHERE id < 9")
        self.db.close()
        dump = subprocess.run([SHELL, self.path, ".dump"], stdout=subprocess.PIPE,
                              check=True).stdout
        self.path = os.path.join(self.folder.name, "restored.db")
        result = subprocess.run([SHELL, self.path], input=dump, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        self.assertEqual((result.returncode, result.stdout), (0, b""))
        self.open()
        self.check()
        self.db.execute("UPDATE docs SET t = 'hen' WHERE id < 15")
        self.check()

    def test_vacuum(self):
        self.db.execute("UPDATE docs SET t = 'dog' WHERE id < 9")
        self.db.execute("VACUUM")
        self.check()
        copy = os.path.join(self.folder.name, "copy.db")
        self.db.execute("VACUUM INTO ?", (copy,))
        self.path = copy
        self.open()
        self.check()

    def test_other_databases(self):
        self.db.execute("ATTACH ? AS other", (os.path.join(self.folder.name, "other.db"),))
        self.db.execute("CREATE TABLE other.docs(id INTEGER PRIMARY KEY, t TEXT)")
        self.db.execute(INDEX.format("other.jx"))
        self.db.execute("INSERT INTO other.docs VALUES (1, 'cow'), (2, 'cat')")
        self.check("other.jx".split(".")[1])
        self.db.execute("ALTER TABLE other.jx RENAME TO kx")
        self.db.execute("UPDATE other.docs SET t = 'dog'")
        self.check("kx")
        self.db.execute("DROP TABLE other.kx")
        self.assertEqual(self.db.execute("SELECT name FROM other.sqlite_schema").fetchall(),
                         [("docs",)])

    def test_names_within_transactions(self):
        for end in ("ROLLBACK", "COMMIT"):
            self.db.execute("BEGIN")
            self.db.execute("INSERT INTO docs(t) VALUES ('before')")
            self.db.execute("SAVEPOINT a")
            self.db.execute("ALTER TABLE ix RENAME TO jx")
            self.db.execute("INSERT INTO docs(t) VALUES ('after')")
            self.check("jx")
            self.db.execute("ROLLBACK TO a")
            self.check()
            self.db.execute("ALTER TABLE ix RENAME TO jx")
            self.check("jx")
            self.db.execute(end)
            self.check("ix" if end == "ROLLBACK" else "jx")
        self.db.execute("DROP TABLE jx")
        self.assertEqual(self.db.execute("SELECT name FROM sqlite_schema").fetchall(), [("docs",)])

    def test_a_table_of_the_users_that_is_called_like_ours(self):
        """Only an index with words needs the names."""
        self.db.execute("CREATE TABLE ox_docs(a)")
        self.db.execute("CREATE VIRTUAL TABLE ox USING semantic_index(lexical = 'none')")
        self.db.execute("CREATE VIRTUAL TABLE ox_fts USING fts5(a)")
        self.db.execute("INSERT INTO ox(text) VALUES ('cat')")
        self.db.execute("INSERT INTO ox_docs VALUES (1)")
        self.db.execute("DROP TABLE ox")
        self.assertEqual(self.one("SELECT count(*) FROM ox_docs"), 1)
        self.assertEqual(self.one("SELECT count(*) FROM ox_fts"), 0)
        self.fails("ox_docs is there already", "CREATE VIRTUAL TABLE ox USING semantic_index("
                   "lexical = 'fts5')")
        self.db.execute("CREATE INDEX px_fts ON docs(t)")
        self.fails("px_fts is there already", "CREATE VIRTUAL TABLE px USING semantic_index("
                   "lexical = 'fts5')")

    def test_damage(self):
        for sql, message in (("DELETE FROM ix_docs WHERE id = 1", "it has words, and no vector"),
                             ("INSERT INTO ix_docs VALUES (5, NULL)", "row 5: it has a vector"),
                             ("DELETE FROM ix_fts_docsize WHERE id = 5", "row 5: it has a vector"),
                             ("UPDATE ix_fts_docsize SET sz = x'' WHERE id = 5", "5: its length"),
                             ("INSERT INTO ix_wordless VALUES (6)", "row 6: it waits"),
                             ("UPDATE ix_docs SET doc = 99 WHERE id = 1", "document 99")):
            with self.subTest(sql=sql):
                self.db.execute("UPDATE docs SET t = 'dog ' || random() WHERE id = 1")
                self.db.execute(sql)
                self.fails(message, "INSERT INTO ix(ix) VALUES ('integrity-check')")
                self.command("optimize")
                self.check()
        self.db.execute("DROP TABLE ix_docs")
        self.assertRegex(self.one("SELECT problem FROM semantic_status('ix')"), "ix_docs")
        self.fails("ix_docs", "UPDATE docs SET t = 'dog' WHERE id = 1")

    def test_words_that_fts5_cannot_read(self):
        """FTS5 would neither clear nor drop them."""
        for sql in ("DELETE FROM ix_fts_data", "UPDATE ix_fts_data SET block = x'ffffffffffff'",
                    "DELETE FROM ix_fts_config", "DROP TABLE ix_fts_config"):
            for mend in ("INSERT INTO ix(ix) VALUES ('optimize')",
                         "INSERT INTO ix(ix) VALUES ('rebuild')", "DROP TABLE ix"):
                with self.subTest(sql=sql, mend=mend):
                    self.db.close()
                    plain = sqlite3.connect(self.path)
                    plain.executescript(sql)
                    plain.close()
                    self.open()
                    self.fails("the words of ix: .*'optimize' writes them anew",
                               "INSERT INTO ix(ix) VALUES ('integrity-check')")
                    self.db.execute(mend)
                    if mend.startswith("DROP"):
                        self.assertEqual(self.one("SELECT count(*) FROM sqlite_schema"), 1)
                        self.db.execute(INDEX.format("ix"))
                        self.command("sync")
                    self.check()

    def test_a_tokenizer_that_is_not_there(self):
        self.db.execute("PRAGMA writable_schema = ON")
        self.db.execute("UPDATE sqlite_schema SET sql = replace(sql, 'unicode61', 'klingon') WHERE "
                        "name = 'ix_fts'")
        self.db.close()
        self.open()
        self.fails("the words of ix: .*klingon", "UPDATE docs SET t = 'dog' WHERE id = 1")
        self.db.execute("BEGIN")
        self.fails("klingon", "UPDATE docs SET t = 'dog' WHERE id = 1")
        self.db.execute("DELETE FROM docs WHERE id = 2")
        self.db.execute("COMMIT")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 29)

    def test_elsewhere(self):
        """semantic_pending gives vectors, and who writes them writes words."""
        self.loosen()
        self.db.execute("UPDATE docs SET t = 'dog ' || id WHERE id < 9")
        self.db.execute("DELETE FROM docs WHERE id = 9")
        rows = self.db.execute("SELECT rowid, hash, embedding FROM "
                               "semantic_pending('ix')").fetchall()
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO ix(ix, rowid, embedding) VALUES ('embedded ' || ?, ?, ?)",
                            [(hash, rowid, vector) for rowid, hash, vector in rows])
        self.db.execute("COMMIT")
        self.check()
        self.assertEqual(self.rows_of("dog"), list(range(1, 9)))

    def test_defensive(self):
        db = connect()
        self.addCleanup(db.close)
        if not hasattr(db, "setconfig"):
            db.execute("PRAGMA trusted_schema = OFF")
        else:
            db.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE)
        db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, t TEXT)")
        db.execute(INDEX.format("ix"))
        db.execute("INSERT INTO docs VALUES (1, 'cat')")
        db.execute("UPDATE docs SET t = 'dog'")
        self.check(db=db)
        db.execute("ALTER TABLE ix RENAME TO jx")
        self.check("jx", db=db)
        db.execute("DROP TABLE jx")

    def test_a_given_vector_of_other_dimensions(self):
        self.fails("dimensions", "INSERT INTO ix(rowid, embedding) VALUES (1, ?)",
                   (to_blob([1.0, 2.0]),))
        self.check()


if __name__ == "__main__":
    unittest.main()

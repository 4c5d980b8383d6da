"""Damage to the words of an index that FTS5 does not see: found, told, and mended from the texts."""
import os
import shutil
import sqlite3
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "model")]
from compare import ROWS_OF_WORDS, rows_of_words  # noqa: E402
from support import Base, connect, interrupted  # noqa: E402

INDEX = ("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 't', "
         "model = 'builtin:lexical', reranker = 'builtin:lexical', lexical = 'fts5', "
         "tokenizer = {!r}, storage = 'float32'{})")
MENDS = ("optimize", "rebuild")
CURE = r"\('optimize' writes them anew\)|'optimize' writes the words anew|'optimize' mends it"
QUERY = "SELECT rowid, bm25 FROM ix WHERE query = {!r} AND k = 400 AND weight = 0"

# What is done by hand, and what integrity-check then says.
DAMAGE = (
    ("DELETE FROM ix_fts_idx", "ix_fts_idx: it says of no word where that is"),
    ("DELETE FROM ix_fts_idx WHERE pgno > 2", "is found in other places"),
    ("UPDATE ix_fts_idx SET pgno = 2 WHERE pgno > 2", "malformed|is found in other places"),
    ("UPDATE ix_fts_docsize SET sz = x'63' WHERE id = 7", "row 7 has 6, and is said to have 99"),
    ("UPDATE ix_fts_docsize SET sz = x'07'", "and is said to have 7"),
    ("DELETE FROM ix_fts_docsize WHERE id = 7", "row 7: it has a vector, and no words"),
    ("DELETE FROM ix_fts_docsize", "there is no such document"),
    ("UPDATE ix_fts_data SET block = x'0506' WHERE id = 1", "FTS5 counts others|malformed"),
    ("DROP TABLE ix_fts", "ix_fts is not there"),
    ("DROP TABLE ix_fts_idx", "ix_fts_idx is not there"),
    ("DROP TABLE ix_fts_docsize", "ix_fts_docsize is not there"),
    ("DROP TABLE ix_fts_data", "ix_fts_data is not there"),
    ("DROP TABLE ix_fts_config", "ix_fts_config is not there"),
    ("INSERT INTO ix_fts(ix_fts) VALUES ('delete-all')", "there is no such document"),
    ("INSERT INTO ix_fts(rowid, text) VALUES (999, 'cat')", "it has words, and no vector"),
    ("INSERT INTO ix_fts(ix_fts, rowid, text) VALUES ('delete', 7, 'cat 7 in a house w33')",
     "it has a vector, and no words|FTS5 counts"),
)


class Damage(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, t TEXT)")

    def make(self, tokenizer="unicode61", options="", n=240):
        """An index whose words take more than one page of FTS5, with dead documents."""
        self.db.executemany("INSERT INTO docs VALUES (?, ?)",
                            [(i, f"cat {i} in a house w{i * 99991 % 1000}")
                             for i in range(1, n + 1)])
        self.db.execute(INDEX.format(tokenizer, options))
        self.command("sync")
        self.db.execute("INSERT INTO ix_fts(ix_fts) VALUES ('optimize')")

    def command(self, word):
        self.db.execute(f"INSERT INTO ix(ix) VALUES ('{word}')")

    def reopen(self):
        self.db.close()
        self.db = connect(self.path)
        self.addCleanup(self.db.close)

    def check_words(self):
        want, words = rows_of_words(dict(self.rows("SELECT rowid, t FROM ix")))
        self.assertEqual(self.rows(ROWS_OF_WORDS.format("ix"), words), want)
        self.command("integrity-check")

    def answers(self):
        """Of some queries: the rows, or None for an error."""
        found = []
        for query in ("cat", "w91 house", "zebra", '"in a house" -7', "w33", "240 239"):
            try:
                found.append(self.rows(QUERY.format(query)))
            except sqlite3.DatabaseError as error:
                self.assertRegex(str(error), "optimize|rebuild|ix_fts")
                found.append(None)
        return found

    def test_each_kind(self):
        self.make()
        self.db.execute("UPDATE docs SET t = 'dead' WHERE id = 240")
        self.command("sync")
        self.db.execute("PRAGMA journal_mode = delete")
        whole = self.path
        for number, (sql, message) in enumerate(DAMAGE):
            with self.subTest(sql=sql):
                self.db.close()
                self.path = f"{whole}.{number}"
                shutil.copyfile(whole, self.path)
                self.reopen()
                self.db.execute(sql)
                self.fails(f"(?s)({message}).*({CURE})",
                           "INSERT INTO ix(ix) VALUES ('integrity-check')")
                if number % 2:
                    self.reopen()
                self.answers()
                self.command(MENDS[number // 2 % 2])
                self.check_words()
                self.check()
                self.assertEqual(self.rows(QUERY.format("dead"))[0][0], 240)

    def test_searches_on_lost_places(self):
        """What would be silently missing is an error."""
        self.make()
        whole = self.answers()
        self.db.execute("DELETE FROM ix_fts_idx")
        broken = self.answers()
        for before, after in zip(whole, broken):
            self.assertIn(after, (before, None))
        self.assertIn(None, broken)
        self.fails("ix_fts_idx: it says of no word where that is", QUERY.format("zebra"))

    def test_a_dropped_table_in_a_transaction(self):
        self.make(n=30)
        for mend in MENDS + ("SELECT",):
            self.db.execute("BEGIN")
            self.db.execute("DROP TABLE ix_fts")
            self.fails("no such table: main.ix_fts", QUERY.format("cat"))
            if mend != "SELECT":
                self.command(mend)
                self.check_words()
                self.db.execute("INSERT INTO docs VALUES (1000, 'cow')")
                self.db.execute("INSERT INTO ix(rowid) VALUES (1000)")
                self.check_words()
            self.db.execute("ROLLBACK")
            self.check_words()

    def test_writes_on_a_dropped_table(self):
        self.make(n=30)
        self.db.execute("DROP TABLE ix_fts")
        self.db.execute("UPDATE docs SET t = 'dog' WHERE id = 1")
        for sql in ("INSERT INTO ix(rowid) VALUES (1)", "INSERT INTO ix(ix) VALUES ('sync')",
                    "SELECT * FROM semantic_sync('ix')"):
            self.fails("no such table: main.ix_fts.*optimize' writes them anew", sql)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix(vector((SELECT embedding FROM ix "
                                       "LIMIT 1)), 5)")), 5)
        self.command("optimize")
        self.command("sync")
        self.check_words()
        self.db.execute("DROP TABLE ix_fts")
        self.db.execute("DROP TABLE ix")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema"), [("docs",)])

    def test_another_connection_sees_it_mended(self):
        self.make(n=30)
        other = connect(self.path)
        self.addCleanup(other.close)
        expected = other.execute(QUERY.format("cat")).fetchall()
        self.db.execute("DROP TABLE ix_fts")
        with self.assertRaisesRegex(sqlite3.Error, "no such table: main.ix_fts"):
            other.execute(QUERY.format("cat"))
        self.command("optimize")
        self.assertEqual(other.execute(QUERY.format("cat")).fetchall(), expected)
        other.execute("INSERT INTO docs VALUES (1000, 'cow')")
        other.execute("INSERT INTO ix(rowid) VALUES (1000)")
        self.check_words()

    def test_nothing_is_made_up(self):
        """Dead documents, rows without words, vectors of one's own, texts that changed since."""
        for tokenizer in ("trigram", "rerank porter unicode61 remove_diacritics 2", "porter ascii"):
            self.make(tokenizer, n=40)
            own = self.one("SELECT embedding FROM ix WHERE rowid = 1")
            self.db.execute("UPDATE docs SET t = 'running dogs of 東京都 ' || id WHERE id < 9")
            self.command("sync")
            self.db.execute("UPDATE docs SET t = 'hen' WHERE id IN (2, 20)")
            self.db.execute("UPDATE docs SET t = x'00' WHERE id = 3")
            self.db.execute("DELETE FROM docs WHERE id = 30")
            self.db.execute("INSERT INTO docs VALUES (200, NULL), (201, 'an owl')")
            self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (4, ?1), (200, ?1), (201, ?1)",
                            (own,))
            self.command("integrity-check")
            self.db.execute("BEGIN")
            self.db.execute("INSERT INTO ix(ix, rowid) VALUES ('changing', 5)")
            self.db.execute("UPDATE docs SET t = 'elk' WHERE id = 5")
            self.command("integrity-check")
            self.db.execute("INSERT INTO ix(ix, rowid) VALUES ('changed', 6)")
            self.db.execute("UPDATE docs SET t = 'elk' WHERE id = 6")
            self.command("integrity-check")
            self.db.execute("COMMIT")
            self.command("integrity-check")
            self.command("optimize")
            self.command("integrity-check")
            self.db.execute("DROP TABLE ix")
            self.db.execute("DELETE FROM docs")

    def test_a_keyed_index_and_one_without_content(self):
        self.db.execute("CREATE TABLE papers(uid TEXT PRIMARY KEY, t TEXT)")
        self.db.execute("INSERT INTO papers VALUES ('a', 'cat'), ('b', 'dog'), ('c', 'owl cat')")
        self.db.execute(INDEX.format("unicode61", ", content_rowid = 'uid'")
                        .replace("'docs'", "'papers'"))
        self.command("sync")
        self.command("integrity-check")
        self.db.execute("UPDATE ix_fts_docsize SET sz = x'02'")
        self.fails("and is said to have 2", "INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.command("optimize")
        self.command("integrity-check")
        self.db.execute("DROP TABLE ix")
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(model = 'builtin:lexical', "
                        "lexical = 'fts5', tokenizer = 'unicode61', storage = 'float32')")
        self.db.execute("INSERT INTO ix(text) VALUES ('cat'), ('a dog'), ('')")
        self.command("integrity-check")
        self.db.execute("DROP TABLE ix_fts")
        self.fails("is not there", "INSERT INTO ix(ix) VALUES ('integrity-check')")
        self.command("optimize")
        self.command("integrity-check")
        self.assertEqual(self.one("SELECT count(*) FROM ix WHERE query = 'dog' AND weight = 0"), 1)

    def test_without_the_content(self):
        """There is nothing to compare with, and nothing wrong."""
        self.make(n=30)
        for sql in ("ALTER TABLE docs RENAME TO gone", "ALTER TABLE docs RENAME COLUMN t TO gone"):
            self.db.execute("BEGIN")
            self.db.execute(sql)
            self.command("integrity-check")
            self.command("optimize")
            self.db.execute("ROLLBACK")
        self.check_words()

    def test_interrupts(self):
        self.make(n=60)
        for sql in ("INSERT INTO ix(ix) VALUES ('integrity-check')",
                    "INSERT INTO ix(ix) VALUES ('optimize')"):
            after = 1
            while interrupted(self, sql, after):
                after = after * 2 + 7
        self.check_words()

    def test_an_interrupt_while_the_table_is_made(self):
        """SQLite may call it a change of the schema."""
        self.make(n=60)
        self.db.execute("DROP TABLE ix_fts")
        left = [0]

        def tick():
            left[0] -= 1
            return left[0] <= 0

        for after in (1, 10, 50, 100, 200, 400, 800, 1600, 3200):
            left[0] = after
            self.db.set_progress_handler(tick, 1)
            self.fails("interrupted|schema has changed", "INSERT INTO ix(ix) VALUES ('optimize')")
            self.db.set_progress_handler(None, 0)
            self.assertEqual(self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'ix_fts'"), [])
        self.command("optimize")
        self.check_words()


if __name__ == "__main__":
    unittest.main()

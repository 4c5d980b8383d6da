"""A year of an application: its table is written, its server fails, its rows are bad, its names
change; after each month the indexes hold what they must, and semantic_status says so."""
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from loopback import vector_of  # noqa: E402
from remote import Remote, from_blob  # noqa: E402
from support import connect  # noqa: E402

WORDS = ("bats", "trains", "ice", "soup", "ships", "caves", "lakes", "bread")


class Year(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("openai")
        self.config(max_retries=0)
        self.content, self.title = "docs", "title"
        self.failed = {}

    # -- what must be ------------------------------------------------------------------------------

    def command(self, text, name="far"):
        self.db.execute(f"INSERT INTO {name}({name}) VALUES (?)", (text,))

    def status(self, column, name="far"):
        return self.one(f"SELECT {column} FROM semantic_status(?)", name)

    def texts(self):
        """{id: what is embedded of the row}; rows of bytes that are no text are left out."""
        rows = self.rows(f'SELECT id, trim(coalesce("{self.title}", \'\') || \' \' || '
                         f"coalesce(body, '')) FROM {self.content} WHERE id NOT IN "
                         f"({', '.join(map(str, self.failed)) or -1})")
        return {id: text for id, text in rows if text}

    def check(self, db=None):
        """Both indexes are in step: rows, vectors, failures, soundness."""
        db = db or self.db
        wanted = self.texts()
        for name in ("near", "far"):
            db.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")
            self.assertEqual(
                db.execute("SELECT rows, pending, gone, failed, problem FROM semantic_status(?)",
                           (name,)).fetchone(),
                (len(wanted) + (len(self.refused()) if name == "near" else 0), 0, 0,
                 len(self.failed) - (len(self.refused()) if name == "near" else 0), None), name)
        found = dict(db.execute("SELECT rowid, embedding FROM far"))
        self.assertEqual(found.keys(), wanted.keys())
        for id, embedding in found.items():
            expected = vector_of(wanted[id], 8)
            for got, want in zip(from_blob(embedding), expected):
                self.assertAlmostEqual(got, want, delta=2e-7, msg=wanted[id])
        self.assertEqual({id for id, in db.execute("SELECT rowid FROM semantic_failures('far')")},
                         set(self.failed))
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))

    def refused(self):
        """Rows that fail at the server alone."""
        return [id for id, why in self.failed.items() if why == "server"]

    def sync(self, names=("near", "far")):
        for name in names:
            self.command("sync", name)

    def write(self, n, first, word="note"):
        self.db.execute("BEGIN")
        self.db.executemany(
            f'INSERT INTO {self.content}(id, "{self.title}", body) VALUES (?, ?, ?)',
            [(i, f"{word} {i}", f"of {WORDS[i % 8]} and {WORDS[i // 8 % 8]}")
             for i in range(first, first + n)])
        self.db.execute("COMMIT")

    # -- the months --------------------------------------------------------------------------------

    def test_it(self):
        for month in ("january", "february", "march", "april", "may", "june", "july", "august",
                      "september", "october", "november", "december"):
            getattr(self, month)()

    def january(self):
        """Two indexes of one table: one by a server, one by a model that is fitted."""
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT, body TEXT, "
                        "slug TEXT UNIQUE)")
        self.write(20, 1)
        options = "content = 'docs', text = 'title, body'"
        self.db.execute(f"CREATE VIRTUAL TABLE near USING semantic_index({options}, "
                        "model = 'builtin:lexical')")
        self.db.execute(f"CREATE VIRTUAL TABLE far USING semantic_index({options}, "
                        "model = 'openai:m', quantize = 'int8')")
        self.assertEqual(self.status("advice"), "sync: 20 rows are pending")
        self.sync()
        self.assertEqual(self.status("fitted_on", "near"), 20)
        self.check()

    def february(self):
        """Bad rows: they are told, and hold up nothing."""
        self.write(300, 21)
        self.db.execute("UPDATE docs SET title = x'00ff', body = NULL WHERE id = 30")
        self.db.execute("UPDATE docs SET title = CAST(x'61ff' AS TEXT), body = '' WHERE id = 31")
        self.db.execute("UPDATE docs SET title = '   ', body = NULL WHERE id = 32")
        self.db.execute("UPDATE docs SET body = 'unspeakable' WHERE id IN (33, 34)")
        self.server.behave([{"match": "unspeakable", "status": 400, "times": "forever"}])
        self.failed = {30: "blob", 31: "utf-8", 33: "server", 34: "server"}
        self.sync()
        self.check()
        self.assertEqual(self.status("advice"), "retry: 4 rows failed")
        requests = len(self.server.requests)
        self.sync()
        self.assertEqual(len(self.server.requests), requests)
        self.db.execute("UPDATE docs SET title = 'mended', body = '' WHERE id IN (30, 31, 34)")
        self.failed = {33: "server"}
        self.sync()
        self.check()
        self.server.clear()
        self.command("retry")
        self.failed = {}
        self.check()

    def march(self):
        """The server goes away in the middle: what it gave is not asked for again."""
        self.write(600, 400)
        before = self.stats("openai:m")["texts"]
        self.server.behave([{}, {"status": 503, "times": "forever"}])
        self.fails("503", "INSERT INTO far(far) VALUES ('sync')")
        self.assertEqual(self.status("pending"), 600)
        self.server.clear()
        self.sync()
        self.check()
        self.assertEqual(self.stats("openai:m")["texts"] - before, 600)

    def april(self):
        """In small steps, with a bound; then the connection is closed."""
        self.write(50, 1000)
        for left in (30, 10, 0):
            self.command("sync 20")
            self.assertEqual(self.status("pending"), left)
        self.command("sync", "near")
        self.db.close()
        self.db = self.connect()
        self.config(max_retries=0)
        self.check()

    def may(self):
        """Much is deleted."""
        self.db.execute(f"DELETE FROM {self.content} WHERE id % 3 = 0")
        self.db.execute(f"UPDATE {self.content} SET body = body || '!' WHERE id % 10 = 1")
        self.assertGreater(self.status("gone"), 200)
        self.sync()
        self.command("optimize")
        self.db.execute("VACUUM")
        self.check()

    def june(self):
        """Another connection that only reads embeds, and ours writes without a network."""
        self.write(40, 2000)
        self.db.execute(f"DELETE FROM {self.content} WHERE id = 2")
        reader = connect(f"file:{self.path}?mode=ro", uri=True)
        made = {name: reader.execute("SELECT hash, rowid, embedding FROM semantic_pending(?)",
                                     (name,)).fetchall() for name in ("near", "far")}
        reader.close()
        self.config(network="reads")
        self.server.clear()
        for name, rows in made.items():
            self.assertEqual(len(rows), 41)
            self.db.execute("BEGIN")
            self.db.executemany(f"INSERT INTO {name}({name}, rowid, embedding) "
                                "VALUES ('embedded ' || ?, ?, ?)", rows)
            self.db.execute("COMMIT")
        self.assertEqual(self.server.requests, [])
        self.config(network="always")
        self.check()

    def july(self):
        """Somebody presses Ctrl-C; somebody else writes."""
        self.write(400, 3000)
        self.config(concurrency=1)
        self.server.behave([{}, {"delay": 20}])
        threading.Timer(0.4, self.db.interrupt).start()
        self.fails("interrupted", "INSERT INTO far(far) VALUES ('sync')")
        self.server.clear()
        other = self.connect()
        other.execute(f"UPDATE {self.content} SET body = 'by another' WHERE id = 3001")
        self.sync()
        self.check()
        self.check(other)

    def august(self):
        """Transactions are rolled back, in parts and whole."""
        texts = self.texts()
        self.db.execute("BEGIN")
        self.db.execute(f"UPDATE {self.content} SET body = 'never' WHERE id < 50")
        self.sync()
        self.db.execute("SAVEPOINT a")
        self.db.execute(f"DELETE FROM {self.content} WHERE id < 40")
        self.db.execute("DELETE FROM far WHERE rowid < 40")
        self.db.execute("ROLLBACK TO a")
        self.assertEqual(self.one("SELECT count(*) FROM far"), len(self.texts()))
        self.db.execute("ROLLBACK")
        self.assertEqual(self.texts(), texts)
        self.check()
        self.mail()

    def letters(self):
        return self.rows("SELECT uuid, body FROM letters WHERE body <> '' ORDER BY uuid")

    def follows(self, advice=None):
        """The index that keeps itself in step has what its table has."""
        self.assertEqual(self.rows("SELECT uuid, body FROM post ORDER BY uuid"), self.letters())
        self.assertEqual(self.rows("SELECT rows, pending, gone, problem, advice FROM "
                                   "semantic_status('post')"),
                         [(len(self.letters()), 0, 0, None, advice)])
        self.command("integrity-check", "post")

    def mail(self):
        """A table with keys that are no integers, and an index that follows it by itself, of words
        and meaning as it names nothing."""
        self.db.execute("CREATE TABLE letters(uuid TEXT PRIMARY KEY NOT NULL, sender TEXT UNIQUE, "
                        "body TEXT)")
        self.db.execute("CREATE VIRTUAL TABLE post USING semantic_index(content = 'letters', "
                        "content_rowid = 'uuid', text = 'body', upkeep = 'triggers')")
        self.db.executemany("INSERT INTO letters VALUES (?, ?, ?)",
                            [(f"u{i}", f"s{i}", f"a letter of {WORDS[i % 8]}") for i in range(40)])
        self.assertEqual(self.rows("SELECT rows, pending, fitted_on, advice FROM "
                                   "semantic_status('post')"),
                         [(40, 0, None, None)])
        self.command("sync", "post")
        self.follows()
        self.db.execute("REPLACE INTO letters VALUES ('new', 's5', 'instead of another')")
        self.db.execute("INSERT OR IGNORE INTO letters VALUES ('newer', 's6', 'never comes')")
        self.db.execute("UPDATE letters SET body = NULL WHERE uuid = 'u7'")
        self.db.execute("UPDATE letters SET uuid = 'moved' WHERE uuid = 'u8'")
        self.follows()
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM letters")
        self.db.execute("SAVEPOINT a")
        self.db.execute("INSERT INTO letters VALUES ('x', 'y', 'z')")
        self.db.execute("ROLLBACK TO a")
        self.follows("optimize: words of 42 texts that are gone are kept")
        self.db.execute("ROLLBACK")
        self.follows()

    def september(self):
        """Names change: the index's, and back; a column's, the table's. A vector of the user's
        stays until its text goes."""
        self.db.execute("ALTER TABLE far RENAME TO farther")
        self.command("sync", "farther")
        self.db.execute("ALTER TABLE farther RENAME TO far")
        self.db.execute("ALTER TABLE docs RENAME COLUMN slug TO code")
        self.db.execute("ALTER TABLE docs ADD COLUMN more")
        self.sync()
        self.db.execute("ALTER TABLE docs RENAME TO papers")
        self.content = "papers"
        for name in ("near", "far"):
            self.assertRegex(self.status("problem", name), "no such table")
            self.command("content papers", name)
        self.check()
        self.db.execute("INSERT INTO far(rowid, embedding) VALUES (1, '[1, 2, 3, 4, 5, 6, 7, 8]')")
        self.sync()
        self.assertEqual(self.one("SELECT own FROM far_rows WHERE id = 1"), 1)
        self.db.execute(f"UPDATE {self.content} SET body = 'of mine' WHERE id = 1")
        self.sync()
        self.check()

    def october(self):
        """The collection has grown: what was learnt from 20 rows is learnt anew."""
        rows = self.status("rows", "near")
        self.assertEqual(self.status("advice", "near"), f"rebuild: fitted on 20 of {rows} rows")
        self.command("rebuild", "near")
        self.assertEqual(self.status("fitted_on", "near"), rows)
        self.assertIsNone(self.status("advice", "near"))
        self.check()

    def november(self):
        """The key is gone; the status tells, and searches of what is there go on."""
        key = os.environ.pop("OPENAI_API_KEY")
        db = connect(self.path)
        self.assertRegex(db.execute("SELECT problem FROM semantic_status('far')").fetchone()[0],
                         "no API key")
        self.assertEqual(db.execute("SELECT rows, pending FROM semantic_status('far')").fetchone(),
                         (len(self.texts()), 0))
        self.assertEqual(db.execute("SELECT rowid FROM far(?, 1)", (self.one(
            "SELECT embedding FROM far WHERE rowid = 1"),)).fetchone(), (1,))
        db.close()
        os.environ["OPENAI_API_KEY"] = key
        self.check()

    def december(self):
        """All is dropped."""
        self.follows()
        for name in ("near", "far", "post"):
            self.db.execute(f"DROP TABLE {name}")
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'"),
                         [(self.content,), ("letters",)])
        self.fails("no semantic_index", "SELECT * FROM semantic_status('far')")


if __name__ == "__main__":
    unittest.main()

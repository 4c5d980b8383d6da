"""The page in Chromium from a folder without a server of ours: tests/page/browser.mjs has the
checks, those of `make serve` and more."""
import contextlib
import functools
import glob
import http.server
import json
import os
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wasm import SITE, make_films, needs_it, support  # noqa: E402
import browser  # noqa: E402

SEARCH = "SELECT title, relevance FROM movie_index(:query) ORDER BY relevance DESC LIMIT 5"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *arguments):
        pass


@contextlib.contextmanager
def served(folder):
    """The address of a server of files, as Python has one."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@needs_it
@unittest.skipIf(browser.what_is_missing(), browser.what_is_missing())
class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for path in glob.glob(os.path.join(SITE, "*")):
            os.symlink(path, self.path(os.path.basename(path)))
        make_films(self.path("films.db"))
        os.mkdir(self.path("broken"))
        for name in ("index.html", "page.js", "search.js", "worker.mjs", "movies.db"):
            os.symlink(os.path.join(SITE, name), self.path(os.path.join("broken", name)))

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_files(self):
        """A visitor's: one without an index, one that is no database, and one with HTML in it."""
        db = support.connect(self.path("notes.db"))
        db.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT, body TEXT)")
        db.executemany("INSERT INTO notes(title, body) VALUES (?, ?)", [
            (f"note {i}", f"how to mend a bicycle of kind {i}") for i in range(300)])
        db.execute("PRAGMA journal_mode = wal")
        db.close()
        with open(self.path("nothing.txt"), "w", encoding="ascii") as file:
            file.write("this is no database" * 100)
        html = "<img src=x onerror='window.ran = 1'></script><script>window.ran = 2</script>"
        db = support.connect(self.path("hostile.db"))
        name = f'"{html}"'
        db.execute(f"CREATE TABLE {name}(id INTEGER PRIMARY KEY, title TEXT, {name} TEXT)")
        db.execute(f"INSERT INTO {name} VALUES (1, ?, ?)", (html + " bats", html + " caves"))
        db.commit()
        db.close()

    def test_the_page(self):
        self.make_files()
        db = support.connect(self.path("films.db"))
        expected = db.execute(SEARCH, {"query": support.QUERY}).fetchall()
        db.close()
        needed = {"sql": SEARCH, "expected": expected, "notes": self.path("notes.db"),
                  "words": "mend a bicycle", "saved": self.path("saved.db"),
                  "nothing": self.path("nothing.txt"), "hostile": self.path("hostile.db"),
                  "site": SITE}
        with served(self.folder) as url:
            result = browser.run(url + "?file=films.db", RERANK_PAGE=json.dumps(needed))
        browser.expect_checks(self, result, 14)
        self.check_saved()

    def check_saved(self):
        """What was saved in the browser is a file for the library of this machine."""
        db = support.connect(self.path("saved.db"))
        self.addCleanup(db.close)
        db.execute("INSERT INTO notes_index(notes_index) VALUES ('integrity-check')")
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        rows, pending, problem = db.execute(
            "SELECT rows, pending, problem FROM semantic_status('notes_index')").fetchone()
        self.assertEqual((rows, pending, problem), (300, 0, None))
        self.assertEqual(db.execute("SELECT title FROM notes_index('kind 77', 1)").fetchall(),
                         [("note 77",)])

    def test_what_is_there(self):
        with open(os.path.join(SITE, "index.html"), encoding="utf-8") as file:
            page = file.read()
        self.assertIn('<script src="page.js"></script>\n<script src="search.js">\n</script>', page)
        policy = page.split('"Content-Security-Policy" content="')[1].split('"')[0]
        self.assertIn("default-src 'none'", policy)
        self.assertIn("connect-src 'self'", policy)
        self.assertIn("script-src 'self';", policy)
        self.assertEqual(sorted(os.listdir(SITE)), [
            "index.html", "movies.db", "page.js", "rerank.mjs", "rerank.wasm", "search.js",
            "session.mjs", "sqlite-rerank.mjs", "worker.mjs"])


if __name__ == "__main__":
    unittest.main()

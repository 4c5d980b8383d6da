"""`sqlite-rerank search`, `get`, `status`, and what is said of mistakes."""
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packed  # noqa: E402
import support  # noqa: E402

NOTES = {
    "bats.md": "# Bats\n\nBats sleep in caves by day. At night they hunt moths.\n",
    "trains.md": "# Timetable\n\nThe night train to Vienna leaves at nine.\n",
    "soup.md": "# Soup\n\nOnions, water, and bread with cheese.\n",
}


class SearchTest(packed.CommandTest):
    def setUp(self):
        super().setUp()
        for name, text in NOTES.items():
            self.write(f"docs/{name}", text)

    def test_the_piece_that_answered_and_its_scores(self):
        self.report("docs")
        best, *_ = self.found("where do bats sleep", "-n", "2")
        self.assertEqual((best["path"], best["title"], best["place"]),
                         (self.path("docs/bats.md"), "Bats", 1))
        self.assertIn("sleep in caves", best["text"])
        self.assertGreater(best["relevance"], 0)
        self.assertTrue({"score", "similarity", "bm25"} <= set(best))
        lines = self.said("search", "notes.db", "where do bats sleep", "-n", "1").splitlines()
        self.assertEqual(lines[0], "1. docs/bats.md:1  Bats")
        self.assertRegex(lines[1], r"relevance [\d.]+  score [\d.]+  similarity [\d.]+  bm25 ")
        self.assertIn("Bats sleep in caves by day.", lines[2])

    def test_each_document_once_by_its_best_piece(self):
        self.write("docs/long.txt", "\n\n".join(
            f"Page {i} of bats. " + "They hang upside down. " * 40 for i in range(12)))
        self.report("docs")
        paths = [row["path"] for row in self.found("bats", "-n", "10")]
        self.assertEqual(len(paths), len(set(paths)))

    def test_what_people_type(self):
        self.report("docs")
        self.assertEqual(self.found('"night train"')[0]["title"], "Timetable")
        self.assertNotIn("Bats", [row["title"] for row in self.found("night -moths")])
        self.assertEqual(self.found(""), [])
        status, out, err = self.run_command("search", "notes.db", '"no such phrase"')
        self.assertEqual((status, out, err), (0, "", "nothing found\n"))
        self.found("it's a ' quote; -- \" :k")

    def test_the_sql_of_it_gives_the_same(self):
        self.report("docs")
        rows = self.found("it's a night train")
        printed = self.shell(".mode json\n" + self.said("search", "notes.db", "it's a night train",
                                                        "--sql"))
        self.assertEqual([row["path"] for row in json.loads(printed)],
                         [row["path"] for row in rows])

    def test_a_table_of_the_file(self):
        self.write("films.csv", "id,title,plot\n1,Batman,a masked hero\n2,Up,an old house flies\n")
        self.shell(".import --csv films.csv films")
        self.assertIn("2 rows embedded", self.said("index", "notes.db", "--table", "films",
                                                     "--text", "title, plot"))
        self.assertEqual(self.found("masked hero", "-n", "1")[0]["title"], "Batman")
        self.assertEqual(self.said("index", "notes.db", "--table", "films"), "0 rows embedded\n")
        self.refused("films_index is there, and keeps what it was made with", "index", "notes.db",
                     "--table", "films", "--text", "plot")
        self.said("index", "notes.db", "docs")
        self.assertEqual(self.found("bats", "-n", "1")[0]["title"], "Bats")
        self.assertEqual(self.found("flying house", "--table", "films", "-n", "1")[0]["rowid"], 2)
        printed = self.shell(self.said("search", "notes.db", "masked", "--table", "films", "--sql"))
        self.assertIn("Batman", printed)
        self.refused("no table trains", "index", "notes.db", "--table", "trains")
        self.refused("no index of trains", "search", "notes.db", "x", "--table", "trains")

    def test_an_index_that_sql_has_made(self):
        db = support.connect(self.path("notes.db"))
        support.add_films(db)
        support.add_index(db)
        db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        db.close()
        self.assertEqual(self.found("bats in a cave")[0]["title"], "Bat Cave")
        self.assertIn("rows: 5", self.said("status", "notes.db"))

    def test_tables_that_are_odd(self):
        db = support.connect(self.path("notes.db"))
        db.execute('CREATE TABLE "odd""t"(id INTEGER PRIMARY KEY, "a b" TEXT, "c:d" TEXT)')
        db.execute('INSERT INTO "odd""t" VALUES (1, ?, ?), (2, CAST(? AS TEXT), ?)',
                   ("bats \x1b[31m", "trains", b"caf\xe9", "soup"))
        db.execute("CREATE VIRTUAL TABLE liar USING fts5(semantic_index)")
        db.commit()
        db.close()
        status, out, err = self.run_command("index", "notes.db", "--table", 'odd"t')
        self.assertEqual((status, out), (0, "1 row embedded\n"))
        self.assertIn("left out: row 2: the text is not valid UTF-8 at byte 3", err)
        options = ("bats", "--table", 'odd"t')
        self.assertEqual(self.found(*options)[0]["title"], "bats \x1b[31m")
        self.assertNotIn("\x1b", self.said("search", "notes.db", *options))
        self.assertIn("bats", self.shell(self.said("search", "notes.db", *options, "--sql")))
        self.assertNotIn("liar", self.said("status", "notes.db"))

    def test_get_gives_the_text_as_it_was_cut(self):
        text = "\n\n".join(f"Paragraph {i}: " + "many words " * 60 for i in range(10)).strip()
        self.write("docs/long.txt", text)
        self.report("docs")
        self.assertEqual(self.said("get", "notes.db", "docs/long.txt").split(), text.split())
        self.refused("has no document docs/none.md", "get", "notes.db", "docs/none.md")

    def test_status_tells_what_is_there(self):
        self.report("docs")
        told = json.loads(self.said("status", "notes.db", "--json"))
        self.assertEqual((told["documents"], told["pieces"], told["folders"]),
                         (3, 3, [self.path("docs")]))
        self.assertEqual(told["indexes"]["piece_index"]["model"], "builtin:static")
        self.assertIn("documents: 3\n", self.said("status", "notes.db"))
        self.said("remove", "notes.db", "docs/soup.md")
        self.assertIn("documents: 2\n", self.said("status", "notes.db"))
        self.assertIn("rows: 2\n", self.said("status", "notes.db"))

    def test_mistakes_are_told_in_a_sentence(self):
        self.refused("none.db is not there: sqlite-rerank index none.db FOLDER makes it", "search",
                     "none.db", "bats")
        self.refused("name files or folders to index", "index", "notes.db")
        self.refused("docs/none is not there", "index", "notes.db", "docs/none")
        self.refused("it takes no PATHS", "index", "notes.db", "docs", "--table", "films")
        self.write("text.db", "This is a text, and no database at all. " * 100)
        self.refused("text.db: file is not a database", "search", "text.db", "bats")
        self.refused("text.db: file is not a database", "index", "text.db", "docs")
        self.shell("CREATE TABLE documents(x); CREATE TABLE other(y TEXT);", "own.db")
        self.refused("own.db has a table documents of its own", "index", "own.db", "docs")
        self.refused("own.db has no index yet", "search", "own.db", "bats")
        self.refused("no model is called 'nobody:knows'", "index", "model.db", "docs",
                     "--model", "nobody:knows")
        self.report("docs")
        self.refused("was made with model builtin:static, not builtin:lexical", "index", "notes.db",
                     "docs", "--model", "builtin:lexical")

    def test_another_model(self):
        self.assertIn("3 pieces embedded", self.said(
            "index", "notes.db", "docs", "--model", "builtin:lexical", "--reranker",
            "builtin:lexical"))
        self.assertEqual(self.found("where do bats sleep")[0]["title"], "Bats")

    def test_ctrl_c_while_a_reranker_is_waited_for(self):
        with socket.create_server(("127.0.0.1", 0)) as server:  # it never answers
            server.settimeout(60)
            self.environment.update(
                CO_API_KEY="test-key",
                COHERE_BASE_URL=f"http://127.0.0.1:{server.getsockname()[1]}")
            self.said("index", "remote.db", "docs", "--reranker", "cohere:m")
            with self.start("search", "remote.db", "bats") as process:
                asked, _ = server.accept()
                process.send_signal(signal.SIGINT)
                _, err = process.communicate(timeout=20)
                asked.close()
        self.assertEqual((process.returncode, err.strip()), (1, "Aborted!"))

    @unittest.skipUnless(packed.installed("apsw"), "apsw is not in build/command")
    def test_by_another_module(self):
        program = ("import sys; sys.modules['sqlite3'] = None; sys.modules['pysqlite3'] = None\n"
                   "from sqlite_rerank.__main__ import main; main()")
        said = [subprocess.run([sys.executable, "-B", "-c", program, *arguments], text=True,
                               cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False).stdout
                for arguments in (("index", "notes.db", "docs"),
                                  ("search", "notes.db", "where do bats sleep", "-n", "1"),
                                  ("search", "none.db", "bats"))]
        self.assertIn("3 new, 3 pieces embedded", said[0])
        self.assertIn("1. docs/bats.md:1  Bats", said[1])
        self.assertIn("none.db is not there", said[2])


@unittest.skipUnless(packed.HERE, "packs for linux x86_64")
class WithoutLibrariesTest(unittest.TestCase):
    """The wheel alone, as pip installs it without an extra."""

    def test_it_says_which_extra(self):
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(packed.pack(folder)) as wheel:
                points = next(name for name in wheel.namelist()
                              if name.endswith("entry_points.txt"))
                self.assertIn("sqlite-rerank = sqlite_rerank.__main__:main",
                              wheel.read(points).decode())
                wheel.extractall(folder)
            ran = subprocess.run([sys.executable, "-B", "-S", "-m", "sqlite_rerank"], cwd=folder,
                                 stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(ran.returncode, 1)
            self.assertIn("is not installed", ran.stderr)
            self.assertIn("pip install 'sqlite-rerank[command]'", ran.stderr)


if __name__ == "__main__":
    unittest.main()

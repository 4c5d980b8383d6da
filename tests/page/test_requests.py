"""The page's server, by plain requests: what it answers, and what it refuses.

tests/page/test_browser.py looks at the same in a browser.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from served import PACKAGES, Served, make_films, readonly, serve, support  # noqa: E402
sys.path.insert(0, os.path.join(support.ROOT, "tests", "http"))
from remote import Remote  # noqa: E402

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.file = os.path.join(cls.folder, "films.db")
        make_films(cls.file)
        cls.served = Served(cls.file)
        cls.addClassCleanup(cls.served.close)

    def refused(self, pattern, sql, values=None, status=400):
        got, answer = self.served.post({"sql": sql, "values": values or {}})
        self.assertEqual(got, status, answer)
        self.assertRegex(answer["error"], pattern)

    def index(self, name, served=None):
        _, _, body = (served or self.served).request("GET", "/indexes")
        return next(index for index in json.loads(body)["indexes"] if index["name"] == name)


class AnswerTest(Base):
    def test_the_page_loads_nothing_else(self):
        status, headers, page = self.served.request("GET", "/")
        self.assertEqual(status, 200)
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        named = set(re.findall(rb"https?://[^\"']*", page)) - {b"http://www.w3.org/2000/svg"}
        self.assertEqual(named, set())
        self.assertNotRegex(page, rb"(?i)<(link|img|script|iframe)[^>]* (src|href)=\"(?!data:)")

    def test_indexes_are_found(self):
        status, _, body = self.served.request("GET", "/indexes?anything")
        self.assertEqual(status, 200)
        found = json.loads(body)
        self.assertEqual(found["file"], "films.db")
        self.assertEqual([index["name"] for index in found["indexes"]],
                         ["movie_index", "directors"])
        self.assertEqual(found["indexes"][0]["texts"], ["title", "overview", "tagline"])
        self.assertNotIn("bm25", found["indexes"][1]["search"])

    def test_names_that_are_words_of_sql(self):
        path = os.path.join(self.folder, "words.db")
        db = support.connect(path)
        db.executescript("""
            CREATE TABLE "table"(id INTEGER PRIMARY KEY, "group" TEXT, current_date TEXT);
            INSERT INTO "table" VALUES (1, 'bats in caves', 'at night');
            CREATE VIRTUAL TABLE "order" USING semantic_index(
                content = 'table', text = 'group, current_date');
            INSERT INTO "order"("order") VALUES ('sync');""")
        db.close()
        served = Served(path)
        self.addCleanup(served.close)
        index = self.index("order", served)
        answer = served.sql(index["search"], {"query": "bats"}, index="order", mark="bats")
        self.assertEqual(answer["rows"][0][2:4], ["bats in caves", "at night"])
        self.assertEqual(len(answer["marks"]), 1)

    def test_a_search_ranks_and_marks(self):
        index = self.index("movie_index")
        answer = self.served.sql(index["search"], {"query": "the bats"}, index="movie_index",
                                 mark="the bats")
        self.assertEqual(answer["columns"], ["rowid", "rank", "title", "overview", "tagline",
                                             "score", "bm25", "similarity", "relevance"])
        self.assertEqual(len(answer["rows"]), 25)
        relevance = [row[-1] for row in answer["rows"]]
        self.assertEqual(relevance, sorted(relevance, reverse=True))
        words = {word.lower() for _, _, text in answer["marks"]
                 for word in re.findall("\x02(.*?)\x03", text)}
        self.assertIn("bat", words)       # by its stem
        self.assertNotIn("the", words)    # more than half of the rows have it

    def test_without_words_nothing_is_marked(self):
        index = self.index("directors")
        answer = self.served.sql(index["search"], {"query": "Nolan"}, index="directors",
                                 mark="Nolan")
        self.assertEqual((len(answer["rows"]), answer["marks"]), (25, []))

    def test_a_document_is_marked_as_a_whole(self):
        index = self.index("movie_index")
        answer = self.served.sql(index["document"], {"key": "1"}, index="movie_index",
                                 mark="knight")
        self.assertEqual(answer["rows"][0][1], "The Dark Knight")
        self.assertIn([0, 1, "The Dark \x02Knight\x03"], answer["marks"])

    def test_its_state(self):
        answer = self.served.sql(self.index("movie_index")["status"], {"index": "movie_index"})
        self.assertEqual(answer["rows"][0][1:], ["builtin:static", None, None])

    def test_values_that_json_or_a_browser_lacks(self):
        answer = self.served.sql("SELECT 9223372036854775807, 9e999, x'0001', NULL, "
                                 "CAST(x'ff41' AS TEXT)")
        self.assertEqual(answer["rows"],
                         [["9223372036854775807", "inf", "(2 bytes)", None, "\ufffdA"]])

    def test_limits_of_rows_and_texts(self):
        numbers = ENDLESS.replace("count(*)", "i")
        answer = self.served.sql(numbers)
        self.assertEqual((len(answer["rows"]), answer["more"]), (1000, True))
        answer = self.served.sql(numbers, most=3)
        self.assertEqual((answer["rows"], answer["more"]), ([[1], [2], [3]], True))
        answer = self.served.sql("SELECT 1 LIMIT 1", most=1)
        self.assertFalse(answer["more"])
        answer = self.served.sql("SELECT printf('%.*c', 1000000, 'x')")
        self.assertTrue(answer["rows"][0][0].endswith("… (1000000 characters)"))
        large = numbers.replace("SELECT i FROM", "SELECT hex(zeroblob(99000)) FROM")
        answer = self.served.sql(large)
        self.assertTrue(answer["more"])
        self.assertLess(len(answer["rows"]), 30)

    def test_many_at_once(self):
        search = self.index("movie_index")["search"]
        queries = ["bats", "a heist goes wrong", "toys", "lost in space"] * 4
        alone = [self.served.sql(search, {"query": query})["rows"] for query in queries[:4]]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda query: self.served.sql(search, {"query": query}), queries))
        self.assertEqual([answer["rows"] for answer in found], alone * 4)

    def test_names_and_keys_of_every_kind(self):
        path = os.path.join(self.folder, "odd.db")
        db = support.connect(path)
        db.executescript('''
            CREATE TABLE letters("the id" TEXT NOT NULL UNIQUE, "the ""title""" TEXT);
            INSERT INTO letters VALUES ('a-1', 'why dogs bark'), ('b-2', 'the sleep of cats');
            CREATE VIRTUAL TABLE "odd ""index""" USING semantic_index(content = 'letters',
                text = '"the ""title"""', content_rowid = 'the id');
            INSERT INTO "odd ""index"""("odd ""index""") VALUES ('sync');
            CREATE VIRTUAL TABLE notes USING semantic_index();
            INSERT INTO notes(rowid, text) VALUES (7, 'dogs bark at night');
            CREATE TABLE "using semantic_index"(x);
            CREATE TABLE plain(x DEFAULT 'create virtual table x using semantic_index');
        ''')
        db.close()
        served = Served(path)
        self.addCleanup(served.close)
        for name, key in (('odd "index"', "a-1"), ("notes", "dogs bark at night")):
            index = self.index(name, served)
            found = served.sql(index["search"], {"query": "bark"}, index=name, mark="bark")
            self.assertEqual(len(found["marks"]), 1)
            shown = served.sql(index["document"], {"key": found["rows"][0][0]})
            self.assertIn(key, shown["rows"][0])
            if "map" in index:
                self.assertIn(found["rows"][0][0], [
                    row[0] for row in served.sql(index["map"], {"index": name})["rows"]])


class RefusedTest(Base):
    def test_writes(self):
        with open(self.file, "rb") as file:
            before = hashlib.sha256(file.read()).digest()
        for what, sql in (
                ("INSERT movies", "INSERT INTO movies(title) VALUES ('x')"),
                ("INSERT movie_index", "INSERT INTO movie_index(movie_index) VALUES ('sync')"),
                ("INSERT rerank_models", "INSERT INTO rerank_models(name, model) VALUES (1, 2)"),
                ("UPDATE movies", "UPDATE movies SET title = ''"),
                ("DELETE movies", "WITH x AS (SELECT 1) DELETE FROM movies"),
                ("a change of the schema", "CREATE TABLE x(y)"),
                ("a change of the schema", "CREATE TEMP TABLE x AS SELECT 1"),
                ("a change of the schema", "CREATE VIRTUAL TABLE temp.x USING semantic_index()"),
                ("", "DROP TABLE movies"),
                ("ATTACH", f"ATTACH '{self.folder}/other.db' AS other"),
                ("ATTACH", f"VACUUM INTO '{self.folder}/other.db'"),
                ("PRAGMA query_only", "PRAGMA query_only = 0"),
                ("PRAGMA journal_mode", "PRAGMA journal_mode = wal"),
                ("PRAGMA writable_schema", "PRAGMA writable_schema(1)"),
                ("TRANSACTION", "BEGIN IMMEDIATE"), ("SAVEPOINT", "SAVEPOINT x"),
                ("a change of the schema", "ANALYZE movies"), ("REINDEX", "REINDEX")):
            with self.subTest(sql):
                self.refused(what + ".* is refused: only reading is allowed here", sql)
        self.refused("is locked", "SELECT rerank_config('threads', 2)")
        self.refused("not authorized", "SELECT load_extension('x')")
        self.refused("one statement at a time", "SELECT 1; SELECT 2")
        self.refused("openai:m was not registered", "SELECT embed('x', 'openai:m')")
        self.refused("may not be modified", "UPDATE sqlite_schema SET sql = ''")
        for sql in ("SELECT * FROM semantic_sync('movie_index')", "PRAGMA incremental_vacuum",
                    "PRAGMA optimize", "PRAGMA wal_checkpoint"):
            self.served.post({"sql": sql})  # no error of SQLite, and nothing is written
        with open(self.file, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).digest(), before)
        self.assertEqual(os.listdir(self.folder), ["films.db"])

    @unittest.skipUnless(hasattr(sqlite3.Connection, "setlimit"), "a Python before 3.11")
    def test_a_value_that_fills_the_memory(self):
        for sql in ("SELECT randomblob(1000000000)", "SELECT length(hex(zeroblob(400000000)))"):
            self.refused("too big", sql)

    def test_errors_of_sqlite_are_said(self):
        self.refused("syntax error", "SELEC")
        self.refused("no such table: nowhere", "SELECT * FROM nowhere")
        self.refused("(?i)binding", "SELECT :missing")
        self.assertEqual(self.served.sql("")["rows"], [])

    def test_other_names_and_other_sites(self):
        port = self.served.port
        for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}",
                     f"127.0.0.1.evil.example:{port}", "", None):
            for method, path in (("GET", "/"), ("GET", "/indexes"), ("POST", "/sql")):
                status, _, body = self.served.request(method, path, b"{}", Host=host)
                self.assertEqual(status, 403, host)
                self.assertIn("Host is", json.loads(body)["error"])
        for origin in ("https://evil.example", "null", f"https://127.0.0.1:{port}",
                       f"http://localhost:{port}", "http://127.0.0.1:1"):
            status, answer = self.served.post({"sql": "SELECT 1"}, Origin=origin)
            self.assertEqual(status, 403, origin)
            self.assertIn("pages of other sites are not answered", answer["error"])
        name = f"localhost:{port}"
        status, answer = self.served.post({"sql": "SELECT 1"}, Host=name, Origin=f"http://{name}")
        self.assertEqual((status, answer["rows"]), (200, [[1]]))
        _, headers, _ = self.served.request("GET", "/indexes")
        self.assertNotIn("Access-Control-Allow-Origin", headers)

    def test_bodies_that_are_none(self):
        for body in (b"", b"{", b"\xff\xfe", b'{"sql": "\xff"}', b"[]", b"1", b"[" * 100_000,
                     b'{"sql": 1}', b'{"sql": "SELECT 1", "values": []}',
                     b'{"sql": "SELECT 1", "most": "x"}', b'{"sql": "SELECT 1", "most": -1}',
                     b'{"sql": "SELECT 1", "most": 1e99}', b'{"sql": "SELECT 1", "mark": {}}'):
            status, answer = self.served.post(body)
            self.assertEqual(status, 400, body[:40])
            self.assertTrue(answer["error"])
        status, _ = self.served.post(b"{}", Content_Type="text/plain")
        self.assertEqual(status, 415)
        status, _ = self.served.post(b"", Content_Length=None)
        self.assertEqual(status, 411)
        status, answer = self.served.post(b"", Content_Length=str(10 ** 12))
        self.assertEqual((status, answer["error"]),
                         (413, "1000000000000 bytes, more than 200000"))

    def test_paths_and_methods(self):
        for method, path, status in (("GET", "/page.html", 404), ("GET", "/../readonly.py", 404),
                                     ("POST", "/", 404), ("GET", "/sql", 404), ("PUT", "/sql", 501),
                                     ("OPTIONS", "/sql", 501)):
            self.assertEqual(self.served.request(method, path, b"")[0], status, path)

    def test_characters_that_are_none(self):
        search = self.index("movie_index")["search"]
        for query in ("bats\0caves", "\ufffd bats", "犬 \u200b", "", "\"", "'", "OR AND NEAR("):
            self.served.sql(search, {"query": query}, index="movie_index", mark=query)
        self.refused(".", search, {"query": "\ud800"})
        self.refused(".", "SELECT '\0'")
        self.refused(".", "SELECT '\ud800'")
        self.refused(".", search, {"query": {"a": 1}})
        self.refused(".", search, {"query": 10 ** 30})
        self.served.sql("SELECT 'bats'", index="no such index", mark="bats")


class TimeTest(Base):
    def test_a_statement_has_so_many_seconds(self):
        served = Served(self.file, seconds=.3)
        self.addCleanup(served.close)
        status, answer = served.post({"sql": ENDLESS})
        self.assertEqual(status, 400)
        self.assertRegex(answer["error"], r"^stopped after .* s, the statement may take 0.3 s$")
        self.assertEqual(served.sql("SELECT 1")["rows"], [[1]])

    def test_what_the_extension_computes_ends_too(self):
        served = Served(self.file, seconds=.3)
        self.addCleanup(served.close)
        began = time.monotonic()
        status, answer = served.post(
            {"sql": "SELECT vector_dims(embed(printf('%.*c', 100000000, 'x')))"})
        self.assertEqual(status, 400, answer)
        self.assertIn("stopped after", answer["error"])
        self.assertLess(time.monotonic() - began, 30)

    def test_who_hangs_up_ends_it(self):
        body = json.dumps({"sql": ENDLESS}).encode()
        with socket.create_connection(("127.0.0.1", self.served.port)) as client:
            client.sendall(b"POST /sql HTTP/1.0\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n"
                           b"Content-Type: application/json\r\n\r\n%s"
                           % (self.served.port, len(body), body))
            self.wait_for(lambda: self.threads("(watch)"))
        self.wait_for(lambda: not self.threads("(process_request_thread)"))

    def test_who_hangs_up_within_a_body(self):
        with socket.create_connection(("127.0.0.1", self.served.port)) as client:
            client.sendall(b"POST /sql HTTP/1.0\r\nHost: 127.0.0.1:%d\r\nContent-Length: 99\r\n"
                           b"Content-Type: application/json\r\n\r\n{" % self.served.port)
            self.wait_for(lambda: self.threads("(process_request_thread)"))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.wait_for(lambda: not self.threads("(process_request_thread)"))

    def threads(self, function):
        return [thread for thread in threading.enumerate() if function in thread.name]

    def wait_for(self, condition):
        until = time.monotonic() + 10
        while not condition():
            self.assertLess(time.monotonic(), until)
            time.sleep(.01)


class ModelTest(Remote):
    def test_only_models_of_the_file_are_asked(self):
        self.set_up("together", "openai")
        path = os.path.join(self.folder, "remote.db")
        db = support.connect(path)
        support.add_films(db)
        support.add_index(db, options=", model = 'together:m', reranker = 'together:r'")
        db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        db.close()
        served = Served(path)
        self.addCleanup(served.close)
        asked = len(self.server.requests)
        search = "SELECT title FROM ix(:query) ORDER BY relevance DESC"
        self.assertEqual(len(served.sql(search, {"query": "bats"})["rows"]), 5)
        self.assertGreater(len(self.server.requests), asked)
        for other in ("together:other", "openai:m"):
            status, answer = served.post({"sql": f"SELECT embed('x', '{other}')"})
            self.assertEqual(status, 400)
            self.assertIn(f"{other} was not registered", answer["error"])
        self.assertEqual(served.sql("SELECT rerank_config('embed_model')")["rows"],
                         [["builtin:static"]])

    def test_an_environment_that_locks(self):
        path = os.path.join(self.folder, "films.db")
        make_films(path)
        os.environ["RERANK_LOCKED"] = "1"
        served = Served(path)
        self.addCleanup(served.close)
        self.assertEqual(len(served.sql("SELECT * FROM movie_index('bats', 3)")["rows"]), 3)


class FileTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.file = folder.name, os.path.join(folder.name, "films.db")

    def make(self, path):
        db = support.connect(path)
        support.add_films(db)
        support.add_index(db)
        db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        return db

    def test_what_cannot_be_served(self):
        with self.assertRaisesRegex(readonly.Refused, "No such file"):
            serve.Server(self.file, 0)
        self.assertEqual(os.listdir(self.folder), [])
        with open(self.file, "w", encoding="ascii") as file:
            file.write("this is no database" * 100)
        with self.assertRaisesRegex(readonly.Refused, "not a database"):
            serve.Server(self.file, 0)
        os.remove(self.file)
        support.connect(self.file).execute("CREATE TABLE x(y)")
        with self.assertRaisesRegex(readonly.Refused, "has no semantic_index"):
            serve.Server(self.file, 0)

    def test_a_file_that_means_harm(self):
        """What looks like an index, and is a view that never ends."""
        db = support.connect(self.file)
        db.execute(f"CREATE VIEW x_config(key, value) AS SELECT 'model', ({ENDLESS})")
        db.execute("PRAGMA writable_schema = 1")
        db.execute("INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, "
                   "'CREATE VIRTUAL TABLE x USING semantic_index()')")
        db.close()
        with self.assertRaisesRegex(readonly.Refused, "interrupted"):
            serve.Server(self.file, 0, seconds=.3)

    def test_a_file_that_changes_goes_and_comes(self):
        db = self.make(self.file)
        self.addCleanup(db.close)
        served = Served(self.file)
        self.addCleanup(served.close)
        count = "SELECT count(*) FROM ix"
        self.assertEqual(served.sql(count)["rows"], [[5]])
        db.execute("DELETE FROM films WHERE id > 2")
        db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(served.sql(count)["rows"], [[2]])
        away = os.path.join(self.folder, "away.db")
        os.rename(self.file, away)
        status, answer = served.post({"sql": count})
        self.assertEqual(status, 400)
        self.assertIn("No such file", answer["error"])
        shutil.copy(away, self.file)
        self.assertEqual(served.sql(count)["rows"], [[2]])

    def test_a_file_in_wal_mode(self):
        db = self.make(self.file)
        self.addCleanup(db.close)
        db.execute("PRAGMA journal_mode = wal")
        served = Served(self.file)
        self.addCleanup(served.close)
        db.execute("DELETE FROM films WHERE id > 2")
        self.assertEqual(served.sql("SELECT pending, gone FROM semantic_status('ix')")["rows"],
                         [[0, 3]])

    def test_the_command(self):
        self.make(self.file).close()
        command = [sys.executable, "-B", "-m", "sqlite_rerank.serve"]
        environment = {**os.environ, "PYTHONPATH": PACKAGES}
        with subprocess.Popen([*command, self.file, "--port", "0"], env=environment,
                              stdout=subprocess.PIPE, text=True) as process:
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline()).group(1))
            with socket.create_connection(("127.0.0.1", port)):
                pass
            taken = subprocess.run([*command, self.file, "--port", str(port)], env=environment,
                                   stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(taken.returncode, 1)
            self.assertIn(f"port {port}: Address already in use; another one: --port N",
                          taken.stderr)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(30), 0)
        beyond = subprocess.run([*command, self.file, "--port", "70000"], env=environment,
                                stderr=subprocess.PIPE, text=True, check=False)
        self.assertIn("serve: port 70000: bind(): port must be 0-65535", beyond.stderr)
        missing = subprocess.run([*command, "nothing.db"], env=environment, stderr=subprocess.PIPE,
                                 text=True, check=False)
        self.assertIn("serve: nothing.db: No such file", missing.stderr)


if __name__ == "__main__":
    unittest.main()

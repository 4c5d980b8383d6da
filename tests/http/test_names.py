"""test_names.py: what registered names may mean, while they are changed, and what stays of it."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import KEY, Remote  # noqa: E402

CONTROL = "[\x00-\x1f\x7f]"


class Names(Remote):
    def setUp(self):
        super().setUp()
        self.other = self.start_server()
        self.config(max_retries=0)

    def own(self, name, server=None, provider="openai", model="m", path=None, **columns):
        self.register(name, provider, model, url=(server or self.server).base_url(path or "vllm"),
                      **columns)

    def keys(self, server):
        return [request.headers.get("authorization") for request in server.requests]

    def test_a_cursor_beside_a_change(self):
        self.own("a")
        cursor = self.db.execute("SELECT m.name, m.url, j.value FROM rerank_models m CROSS JOIN "
                                 "json_each('[1,2,3]') j WHERE m.provider = 'openai'")
        first = cursor.fetchone()
        self.db.execute("UPDATE rerank_models SET url = ? WHERE provider = 'openai'",
                        (self.other.base_url("vllm"),))
        rows = [first] + cursor.fetchall()
        self.assertEqual([row[2] for row in rows], [1, 2, 3])
        self.assertEqual({row[1] for row in rows}, {self.server.base_url("vllm"),
                                                    self.other.base_url("vllm")})

    def test_a_model_removed_while_a_sync_is_read(self):
        self.own("a", batch_size=2)
        self.config(concurrency=1)
        self.add_documents(10)
        self.add_index("a")
        cursor = self.db.execute("SELECT embedded FROM semantic_sync('ix')")
        self.assertLess(cursor.fetchone()[0], 10)
        self.db.execute("DELETE FROM rerank_models WHERE name = 'a'")
        self.assertEqual(cursor.fetchall()[-1], (10,))
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 10)
        self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")

    def test_a_model_that_a_trigger_takes_away(self):
        self.add_documents(20)
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content='docs', "
                        "text='title', model='builtin:lexical')")
        self.rows("SELECT * FROM semantic_sync('ix')")
        self.db.execute("CREATE TRIGGER tr AFTER INSERT ON ix_rows BEGIN UPDATE ix_config SET "
                        "value = 'nope:x' WHERE key = 'model'; END")
        self.add_documents(800, first=100)
        self.fails("names the model nope:x", "SELECT * FROM semantic_sync('ix')")

    def test_a_given_key_stays_with_its_host(self):
        os.environ["OPENAI_BASE_URL"] = self.other.base_url("openai")
        self.own("a", path="openai", api_key=KEY)
        self.one("SELECT embed('x', 'a')")
        self.db.execute("UPDATE rerank_models SET batch_size = 3 WHERE name = 'a'")
        self.one("SELECT embed('y', 'a')")
        self.assertEqual(self.keys(self.server), ["Bearer " + KEY] * 2)
        self.fails("no API key", "UPDATE rerank_models SET url = NULL WHERE name = 'a'")
        self.register("b", "openai", api_key=KEY)
        self.one("SELECT embed('z', 'b')")
        os.environ["OPENAI_BASE_URL"] = self.server.base_url("openai")
        self.fails("no API key", "UPDATE rerank_models SET batch_size = 7 WHERE name = 'b'")
        self.assertEqual(self.keys(self.other), ["Bearer " + KEY])
        self.assertEqual(self.keys(self.server), ["Bearer " + KEY] * 2)

    def test_a_token_that_everybody_has_sets_nothing_up(self):
        os.environ["HF_TOKEN"] = "hf-token"
        self.fails("tei is not set up", "SELECT embed('x', 'tei:anything')")

    def test_the_cure_of_a_wrong_key_is_where_it_was_set(self):
        self.own("a", path="openai", api_key="wrong")
        self.fails("HTTP 401.*set the api_key of its row", "SELECT embed('x', 'a')")

    def test_an_empty_key_is_none(self):
        self.fails("no API key", "INSERT INTO rerank_models(name, provider, model, api_key) "
                   "VALUES ('a', 'openai', 'm', '')")

    def test_names_of_names(self):
        self.own("a", document_prefix="P1:")
        self.fails("would only be a name of a", "INSERT INTO rerank_models(name, model, url) "
                   "VALUES ('private', 'a', ?)", self.other.base_url("vllm"))
        self.db.execute("INSERT INTO rerank_models(name, model, document_prefix) "
                        "VALUES ('b', 'a', 'P2:')")
        self.db.execute("INSERT INTO rerank_models(name, model) VALUES ('c', 'b')")
        self.one("SELECT embed('x', 'c')")
        self.assertEqual(self.server.requests[-1].body["input"], ["P2:x"])

    def sent(self):
        return self.server.requests[-1].body["input"]

    def test_an_index_obeys_the_prefixes_of_a_name(self):
        """Also where the name is the default, or its key the environment's."""
        os.environ.update(OPENAI_BASE_URL=self.server.base_url("openai"), OPENAI_API_KEY=KEY)
        self.add_documents(2)
        for options, text in (("", "a fox"), (", model = 'mine'", "a crow")):
            with self.subTest(options):
                self.db = self.connect()
                self.register("mine", "openai", "m", document_prefix="red ", query_prefix="blue ",
                              is_default=1)
                self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                                f"text = 'title'{options})")
                self.rows("SELECT * FROM semantic_pending('ix')")
                self.assertRegex(self.sent()[0], "^red ")
                self.sync()
                self.db.execute("INSERT INTO docs(title) VALUES (?)", (text,))
                self.db.execute("INSERT INTO ix(rowid) VALUES (last_insert_rowid())")
                self.assertEqual(self.sent(), ["red " + text])
                self.rows("SELECT * FROM ix('ships')")
                self.assertEqual(self.sent(), ["blue ships"])
                self.rows("SELECT * FROM semantic_search_each('ix', '[\"boats\"]')")
                self.assertEqual(self.sent(), ["blue boats"])
                self.db = self.connect()
                self.fails("'mine' here; where .* stood for openai:m", "SELECT * FROM ix('x')")
                self.db.execute("DROP TABLE ix")

    def test_a_name_that_gets_a_prefix(self):
        os.environ.update(OPENAI_BASE_URL=self.server.base_url("openai"), OPENAI_API_KEY=KEY)
        self.add_documents(2)
        self.register("mine", "openai", "m")
        self.add_index("mine")
        self.sync()
        self.db.execute("UPDATE rerank_models SET query_prefix = 'blue ' WHERE name = 'mine'")
        self.rows("SELECT * FROM ix('ships')")
        self.assertEqual(self.sent(), ["blue ships"])
        change = "UPDATE rerank_models SET document_prefix = ? WHERE name = 'mine'"
        self.db.execute(change, ("red ",))
        self.fails("'rebuild'", "SELECT * FROM ix('ships')")
        self.db.execute(change, (None,))
        self.assertEqual(len(self.rows("SELECT * FROM ix('ships')")), 2)
        self.db.execute(change, ("red ",))
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.assertRegex(self.sent()[0], "^red ")
        self.assertEqual(len(self.rows("SELECT * FROM ix('ships')")), 2)
        self.db.execute(change, (None,))
        self.fails("'rebuild'", "SELECT * FROM ix('ships')")

    def test_a_prefix_that_is_taken_away(self):
        self.own("a", model="e5-base", document_prefix="red ")
        change = "UPDATE rerank_models SET document_prefix = ? WHERE name = 'a'"
        for prefix, sent in (("", "x"), (None, "passage: x"), ("blue ", "blue x")):
            self.db.execute(change, (prefix,))
            self.one("SELECT embed('x', 'a')")
            self.assertEqual(self.sent(), [sent])

    def test_an_index_knows_what_a_name_stood_for(self):
        self.own("desk")
        self.add_documents(2)
        self.add_index("desk")
        self.sync()
        db = self.db = self.connect()
        self.own("desk", model="another")
        self.fails("stood for openai:m, and now it stands for openai:another",
                   "SELECT * FROM ix('title')")
        self.fails("stood for openai:m", "SELECT * FROM semantic_sync('ix')")
        db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        self.assertEqual(len(self.rows("SELECT * FROM ix('title')")), 2)

    def test_the_cache_file_knows_paths(self):
        self.config(cache=os.path.join(self.folder, "cache.db"))
        self.own("a", path="vllm")
        self.own("b", path="litellm", api_key=KEY)
        for _ in range(2):
            self.one("SELECT embed('x', 'a')")
            self.one("SELECT embed('x', 'b')")
            self.config(memory_budget=0)
        self.assertEqual([request.provider for request in self.server.requests],
                         ["vllm", "litellm"])

    def test_the_cache_is_no_database_of_the_connection(self):
        for path in (self.path, os.path.join(self.folder, ".", "test.db")):
            self.add_documents(1)
            self.fails("is a database of this connection", "SELECT rerank_config('cache', ?)", path)
            self.db.execute("DELETE FROM docs")
        fresh = os.path.join(self.folder, "fresh.db")
        self.fails("is a database of this connection", "SELECT rerank_config('cache', ?)", fresh,
                   db=self.attach(fresh))

    def attach(self, path):
        self.db.execute("ATTACH ? AS fresh", (path,))
        return self.db

    def test_errors_are_text(self):
        for name in ("a" + "é" * 60, "é" * 150, "no\nbody\x1b[31m", "x" * 5000):
            message = self.error("SELECT embed('x', ?)", name)
            self.assertNotRegex(message, CONTROL)
        self.fails("expected provider:model|no API key",
                   "SELECT embed('x', CAST(x'6f70656e61693affff' AS TEXT))")
        self.own("a")
        self.assertEqual(self.one("SELECT count(*) FROM rerank_models WHERE length(name) > 0"), 5)

    def test_settings_take_what_they_give(self):
        for name in ("max_requests", "memory_budget", "threads", "timeout_ms", "concurrency"):
            value = self.one("SELECT rerank_config(?)", name)
            self.assertEqual(self.one("SELECT rerank_config(?, ?)", name, value), value)

    def test_a_query_in_a_url(self):
        self.fails("holds a query", "INSERT INTO rerank_models(name, provider, model, url) "
                   "VALUES ('a', 'openai', 'm', 'http://localhost/v1?api-version=1')")

    def test_an_alias_has_the_tasks_of_its_model(self):
        self.own("a")
        self.db.execute("INSERT INTO rerank_models(name, model) VALUES ('b', 'a')")
        self.assertEqual(self.rows("SELECT task FROM rerank_models WHERE name = 'b'"), [("embed",)])

    def test_models_are_not_named_without_end(self):
        os.environ["OPENAI_API_KEY"] = KEY
        self.fails("1000 models were named",
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                   "FROM n WHERE i < 3000) SELECT count(*) FROM n, embed_each('[]', 'openai:' || "
                   "i)")

    def test_paid_neighbours_of_a_failure_are_kept(self):
        self.own("a", batch_size=10)
        self.server.behave([{"match": '"text 55"', "status": 404},
                            {"do": [], "delay": 0.2, "times": "forever"}])
        texts = ["text %d" % i for i in range(80)]
        self.error("SELECT * FROM embed_each(?, 'a')", json.dumps(texts))
        self.server.clear()
        self.rows("SELECT * FROM embed_each(?, 'a')", json.dumps(texts))
        self.assertEqual([len(request.body["input"]) for request in self.server.requests], [10])


if __name__ == "__main__":
    unittest.main()

"""test_safety.py: a database file reaches no host, key or file that the application did not set up,
and keys stay with their host and out of everything that is written or said.

`server` is what the application has set up, as together; `canary` stands for everybody else."""
import contextlib
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import KEY, KEY_VARIABLES, Remote, variable_of  # noqa: E402

MODEL = "together:m"


class Safety(Remote):
    def setUp(self):
        super().setUp()
        self.canary = self.start_server()
        self.set_up("together")
        self.config(max_retries=0)

    def check_canary(self):
        self.assertEqual(self.canary.connections, 0)

    def keys_seen(self, server):
        """Authorization of each request since the last look; None where there was none."""
        seen = [request.headers.get("authorization") for request in server.requests]
        server.clear()
        return seen


class HostileFiles(Safety):
    """Everything below could stand in a file that somebody sent."""

    def names(self):
        url = self.canary.base_url("together")
        return ["ollama:m", "ollama-openai:m", "tei:m", "tei-openai:m", "infinity:m", "vllm:m",
                "llamacpp:m", "openai:m", "litellm:m", "cohere:m", url, url + "/embeddings",
                "openai:" + url, "http:" + url, "tei://127.0.0.1:%d" % self.canary.port,
                "nobody:m", "file:///etc/passwd",
                "local:/etc/passwd", "", "\n", "a\nb", ":", ":m",
                "together:", "builtin:", "builtin:other", "x" * 5000]

    def check_refused(self, sql):
        message = self.error(sql)
        self.assertNotIn(KEY, message)
        self.assertLess(len(message), 900)
        self.check_canary()
        self.assertEqual(self.server.requests, [])
        return message

    def test_names_in_views(self):
        self.add_documents(3)
        for i, name in enumerate(self.names()):
            with self.subTest(name[:60]):
                for kind, body in (
                        ("embed", "SELECT embed(title, %s) FROM docs"),
                        ("each", "SELECT * FROM embed_each('[\"x\"]', %s)"),
                        ("rerank", "SELECT rerank('q', title, %s) FROM docs"),
                        ("ranks", "SELECT * FROM rerank('q', '[\"x\"]', 1, %s)")):
                    view = "%s%d" % (kind, i)
                    quoted = "'%s'" % name
                    self.db.execute("CREATE VIEW %s AS %s" % (view, body % quoted))
                    self.check_refused("SELECT * FROM " + view)

    def test_names_in_the_schema(self):
        for i, name in enumerate(("ollama:m", "openai:m", self.canary.base_url("together"))):
            call = "embed('x', '%s')" % name
            for kind, create, use in (
                    ("default", "CREATE TABLE t%s(a, b DEFAULT (%s))",
                     "INSERT INTO t%s(a) VALUES (1)"),
                    ("generated", "CREATE TABLE t%s(a, b AS (%s) STORED)",
                     "INSERT INTO t%s(a) VALUES (1)"),
                    ("check", "CREATE TABLE t%s(a, CHECK (%s IS NOT NULL))",
                     "INSERT INTO t%s VALUES (1)"),
                    ("expression", "CREATE TABLE t%s(a); CREATE INDEX i%s ON t%s(a, %s)",
                     "INSERT INTO t%s VALUES (1)"),
                    ("trigger", "CREATE TABLE t%s(a); CREATE TRIGGER r%s AFTER INSERT ON t%s BEGIN "
                     "SELECT %s; END", "INSERT INTO t%s VALUES (1)")):
                with self.subTest(kind=kind, name=name):
                    table = "%s%d" % (kind, i)
                    self.db.executescript(create % ((table,) * (create.count("%s") - 1) + (call,)))
                    self.check_refused(use % table)
                    self.assertEqual(self.one("SELECT count(*) FROM t%s" % table), 0)

    def test_a_model_that_is_set_up_is_all_there_is(self):
        """Any model of the provider that is set up, with the host, the path and the key as set."""
        self.db.execute("CREATE VIEW v AS "
                        "SELECT embed('x', 'together:../../m?a=b#c\r\nHost: evil')")
        self.rows("SELECT * FROM v")
        request = self.server.requests[0]
        self.assertEqual(request.path, "/together/v1/embeddings")
        self.assertEqual(request.headers["host"], "127.0.0.1:%d" % self.server.port)
        self.assertEqual(request.body["model"], "../../m?a=b#c\r\nHost: evil")
        self.check_canary()

    def test_indexes(self):
        self.add_documents(3)
        for i, name in enumerate(name for name in self.names() if len(name) < 1000):
            with self.subTest(name):
                index = "ix%d" % i
                try:
                    self.add_index(name.replace("'", "''"), name=index)
                except sqlite3.Error:
                    continue  # refused at once
                for sql in ("SELECT * FROM semantic_sync('%s')", "SELECT rowid FROM %s('bats')",
                            "INSERT INTO %s(rowid) VALUES (1)",
                            "INSERT INTO {0}({0}) VALUES ('rebuild')".format(index) + "%.0s"):
                    self.check_refused(sql % index)

    def test_a_config_that_was_edited(self):
        self.add_documents(3)
        self.add_index(MODEL)
        self.sync()
        self.server.clear()
        for name in self.names():
            with self.subTest(name[:60]):
                self.db.execute("UPDATE ix_config SET value = ? WHERE key = 'model'", (name,))
                self.assertEqual(self.one("SELECT changes()"), 1)
                self.db.close()
                self.db = self.connect()
                self.db.execute("UPDATE docs SET body = body || '.'")
                for sql in ("SELECT rowid FROM ix('bats')", "INSERT INTO ix(rowid) VALUES (1)",
                            "SELECT * FROM semantic_sync('ix')"):
                    self.check_refused(sql)

    def test_a_reranker_that_was_edited(self):
        self.add_documents(3)
        self.add_index(MODEL)
        self.sync()
        for name in self.names():
            with self.subTest(name[:60]):
                self.db.execute("UPDATE ix_config SET value = ? WHERE key = 'reranker'", (name,))
                self.db.close()
                self.db = self.connect()
                self.error("SELECT relevance FROM ix('bats')")
                self.check_canary()
        self.assertEqual({request.path for request in self.server.requests},
                         {"/together/v1/embeddings"})

    def test_a_schema_that_was_edited(self):
        self.add_documents(3)
        self.add_index(MODEL)
        self.sync()
        self.server.clear()
        for name in ("ollama:m", self.canary.base_url("together"), "local:/etc/passwd"):
            self.db.execute("PRAGMA writable_schema = on")
            self.db.execute("UPDATE sqlite_master SET sql = 'CREATE VIRTUAL TABLE ix USING "
                            "semantic_index(content=''docs'', text=''title, body'', model=''%s'', "
                            "reranker=''%s'')' WHERE name = 'ix'" % (name, name))
            self.db.execute("PRAGMA writable_schema = off")
            self.db.close()
            self.db = self.connect()
            self.check_refused("INSERT INTO ix(ix) VALUES ('rebuild')")
            with contextlib.suppress(sqlite3.Error):  # what made the index may still answer
                self.rows("SELECT relevance FROM ix('bats')")
            self.check_canary()
            self.assertLessEqual(self.keys_seen(self.server), ["Bearer " + KEY])

    def test_registering_from_a_file(self):
        url = self.canary.base_url("together")
        insert = ("INSERT INTO rerank_models(name, provider, model, url) VALUES ('evil', "
                  "'together', 'm', '%s')" % url)
        self.db.executescript("""
            CREATE TABLE bait(a);
            CREATE VIEW bait_view AS SELECT a FROM bait;
            CREATE TRIGGER bait_insert AFTER INSERT ON bait BEGIN %s; END;
            CREATE TRIGGER bait_delete AFTER DELETE ON bait BEGIN
                DELETE FROM rerank_models; END;
            CREATE TRIGGER bait_update INSTEAD OF INSERT ON bait_view BEGIN
                UPDATE rerank_models SET url = '%s'; END;
            CREATE VIEW models AS SELECT * FROM rerank_models;
            CREATE VIEW configures AS SELECT rerank_config('embed_model', 'ollama:m');
            CREATE VIEW syncs AS SELECT * FROM semantic_sync('ix');
            """ % (insert, url))
        for sql in ("INSERT INTO bait VALUES (1)", "INSERT INTO bait_view VALUES (1)",
                    "SELECT * FROM models", "SELECT * FROM configures", "SELECT * FROM syncs"):
            self.fails("unsafe use of", sql)
        self.assertEqual(self.one("SELECT count(*) FROM rerank_models WHERE name = 'evil'"), 0)
        self.assertEqual(self.one("SELECT rerank_config('embed_model')"), "builtin:static")

    def test_trusted_schema_off(self):
        self.add_documents(1)
        self.db.executescript("""
            CREATE VIEW v1 AS SELECT embed('x', 'together:m');
            CREATE VIEW v2 AS SELECT * FROM embed_each('["x"]', 'together:m');
            CREATE VIEW v3 AS SELECT rerank('q', 'd', 'together:m');
            CREATE VIEW v4 AS SELECT * FROM rerank('q', '["d"]', 1, 'together:m');
            PRAGMA trusted_schema = OFF;""")
        for view in ("v1", "v2", "v3", "v4"):
            self.check_refused("SELECT * FROM " + view)
        self.check_vector(self.one("SELECT embed('x', 'together:m')"), "x")  # typed by the user

    def test_local_servers_need_a_set_up(self):
        for provider in ("ollama", "tei", "vllm", "llamacpp", "infinity"):
            model = provider + ":m"
            self.fails("%s is not set up .set %s, or INSERT" % (provider, variable_of(provider)),
                       "SELECT embed('x', ?)", model)
            self.set_up(provider, key=None)
            self.assertNotIn(KEY_VARIABLES[provider], os.environ)
            self.check_vector(self.one("SELECT embed('x', ?)", model), "x")
            self.assertEqual(self.keys_seen(self.server), [None])

    def test_registering_is_a_set_up(self):
        self.register("mine", "ollama")
        message = self.error("SELECT embed('x', 'mine')")  # nobody there, or not a model of his
        self.assertIn("ollama: ", message)
        self.assertNotIn("not set up", message)


class Urls(Safety):
    def test_urls_that_are_refused(self):
        for url in ("", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/",
                    "dict://127.0.0.1/", "127.0.0.1:80", "//127.0.0.1", "http://", "http:///v1",
                    "https://user:pw@127.0.0.1/", "http://127.0.0.1/#x", "http://127.0.0.1/a b",
                    "http://127.0.0.1/\r\nX: y", "http://127.0.0.1\\@evil/", "http://%31/",
                    "http://ex\u00e4mple/", "unix:/tmp/x", "http://127.0.0.1:99999/",
                    "http://127.0.0.1:x/"):
            with self.subTest(url):
                with self.assertRaises(sqlite3.Error):
                    self.register("mine", "together", url=url)
                os.environ[variable_of("openai")] = url or "x"
                os.environ[KEY_VARIABLES["openai"]] = KEY
                self.fails("OPENAI_BASE_URL", "SELECT embed('x', 'openai:m')", db=self.connect())
        self.assertEqual(self.one("SELECT count(*) FROM rerank_models WHERE name = 'mine'"), 0)

    def test_plain_http_to_another_machine_only_where_it_is_meant(self):
        self.register("mine", "together", url="http://nowhere.invalid/v1")
        self.fails("there is no address for nowhere.invalid", "SELECT embed('x', 'mine')")
        os.environ[variable_of("ollama")] = "http://nowhere.invalid:11434"
        self.fails("there is no address for nowhere.invalid", "SELECT embed('x', 'ollama:m')")

    def test_a_redirect_is_not_followed(self):
        for status in (301, 302, 303, 307, 308):
            self.server.behave([{"status": status, "body": "", "headers": {
                "Location": self.canary.base_url("together") + "/embeddings"}}])
            message = self.fails("HTTP %d: redirected, which is not followed" % status,
                                 "SELECT embed('x', ?)", MODEL)
            self.check_message(message, "together")
        self.assertEqual(len(self.server.requests), 5)
        self.check_canary()

    def test_the_environments_key_stays_with_its_host(self):
        self.register("other", "together", url=self.canary.base_url("together"))
        self.fails("HTTP 401", "SELECT embed('x', 'other')")
        self.assertEqual(self.keys_seen(self.canary), [None])
        self.register("same", "together", url=self.server.base_url("together"))
        self.one("SELECT embed('x', 'same')")
        self.assertEqual(self.keys_seen(self.server), ["Bearer " + KEY])
        local = self.server.base_url("together").replace("127.0.0.1", "localhost")
        self.register("local", "together", url=local)
        self.fails("HTTP 401", "SELECT embed('x', 'local')")
        self.assertEqual(self.keys_seen(self.server), [None])

    def test_a_change_of_host_drops_the_environments_key(self):
        self.register("mine", "together", url=self.server.base_url("together"))
        self.one("SELECT embed('a', 'mine')")
        self.db.execute("UPDATE rerank_models SET url = ? WHERE name = 'mine'",
                        (self.canary.base_url("together"),))
        self.fails("HTTP 401", "SELECT embed('b', 'mine')")
        self.assertEqual(self.keys_seen(self.canary), [None])
        self.db.execute("UPDATE rerank_models SET url = NULL WHERE name = 'mine'")
        self.one("SELECT embed('c', 'mine')")
        self.assertEqual(self.keys_seen(self.server), ["Bearer " + KEY] * 2)

    def test_a_change_of_host_drops_the_key_that_was_given(self):
        given, home, away = "sk-test-key", self.server, self.canary
        self.register("mine", "together", url=home.base_url("together"), api_key=given)
        self.one("SELECT embed('a', 'mine')")
        self.db.execute("UPDATE rerank_models SET batch_size = 3 WHERE name = 'mine'")
        self.one("SELECT embed('b', 'mine')")
        self.db.execute("UPDATE rerank_models SET url = url || '/' WHERE name = 'mine'")
        self.one("SELECT embed('c', 'mine')")
        self.assertEqual(self.keys_seen(home), ["Bearer " + given] * 3)
        self.db.execute("UPDATE rerank_models SET url = ? WHERE name = 'mine'",
                        (away.base_url("together"),))
        self.fails("HTTP 401", "SELECT embed('d', 'mine')")
        self.assertEqual(self.keys_seen(away), [None])
        self.db.execute("UPDATE rerank_models SET url = ? WHERE name = 'mine'",
                        (home.base_url("together"),))
        self.one("SELECT embed('e', 'mine')")  # the given one is gone for good
        self.assertEqual(self.keys_seen(home), ["Bearer " + KEY])
        self.db.execute("UPDATE rerank_models SET url = ?, api_key = ? WHERE name = 'mine'",
                        (away.base_url("together"), given))
        self.one("SELECT embed('f', 'mine')")
        self.assertEqual(self.keys_seen(away), ["Bearer " + given])

    def test_a_key_given_without_a_url(self):
        self.register("mine", "together", api_key="sk-test-key")
        self.one("SELECT embed('a', 'mine')")
        self.assertEqual(self.keys_seen(self.server), ["Bearer sk-test-key"])
        self.db.execute("UPDATE rerank_models SET url = ? WHERE name = 'mine'",
                        (self.canary.base_url("together"),))
        self.error("SELECT embed('b', 'mine')")
        self.assertEqual(self.keys_seen(self.canary), [None])

    def test_a_key_of_the_providers_own_host(self):
        """TOGETHER_BASE_URL is another host than the one that the key was given for."""
        self.register("mine", "together", url="https://api.together.ai/v1", api_key="sk-test-key")
        self.db.execute("UPDATE rerank_models SET url = NULL WHERE name = 'mine'")
        self.one("SELECT embed('a', 'mine')")
        self.assertEqual(self.keys_seen(self.server), ["Bearer " + KEY])
        self.register("usual", "together", api_key="sk-test-key")
        self.db.execute("UPDATE rerank_models SET url = ? WHERE name = 'usual'",
                        (self.server.base_url("together"),))
        self.one("SELECT embed('a', 'usual')")
        self.assertEqual(self.keys_seen(self.server), ["Bearer sk-test-key"])

    def test_the_model_itself_can_move(self):
        """And its names with it; the environment's key does not."""
        self.register("alias", "together")
        away = self.canary.base_url("together")
        self.fails("would only be a name of together:m", "UPDATE rerank_models SET url = ? "
                   "WHERE name = 'alias'", away)
        self.one("SELECT embed('a', 'alias')")
        self.db.execute("UPDATE rerank_models SET url = ? WHERE name = ?", (away, MODEL))
        for model in (MODEL, "alias"):
            self.error("SELECT embed('a', ?)", model)  # nothing of the old host is known of it
        self.assertEqual(self.keys_seen(self.canary), [None, None])
        self.assertEqual(self.keys_seen(self.server), ["Bearer " + KEY])

    def test_an_index_follows_the_name_not_the_key(self):
        """Who registers the index's model at another host sends it no key of this one."""
        self.add_documents(2)
        self.register("mine", "together", url=self.server.base_url("together"), api_key=KEY)
        self.add_index("mine")
        self.sync()
        other = self.connect()
        other.execute("INSERT INTO rerank_models(name, provider, model, url) VALUES ('mine', "
                      "'together', 'm', ?)", (self.canary.base_url("together"),))
        self.assertIn("HTTP 401", self.error("SELECT rowid FROM ix('bats')", db=other))
        self.assertEqual(self.keys_seen(self.canary), [None])

    def test_netrc_and_proxies_have_no_say(self):
        os.environ["HOME"] = self.folder
        with open(os.path.join(self.folder, ".netrc"), "w", encoding="ascii") as file:
            file.write("machine 127.0.0.1 login somebody password secret\n")
        os.chmod(os.path.join(self.folder, ".netrc"), 0o600)
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            os.environ[name] = self.canary.url
        self.set_up("ollama", key=None)
        self.check_vector(self.one("SELECT embed('x', 'ollama:m')"), "x")
        self.assertEqual(self.keys_seen(self.server), [None])
        self.check_canary()


class Keys(Safety):
    KEYS = ("test-key", "sk-test-key")

    def test_nothing_says_the_key(self):
        self.register("mine", "together", url=self.server.base_url("together"),
                      api_key="sk-test-key")
        self.add_documents(3)
        echo = "your key test-key, sk-test-key, Bearer sk-test-key, c2stdGVzdC1rZXk="
        for step in ("key_echo", {"status": 400, "body": {"error": {"message": echo}}},
                     {"status": 429, "body": {"error": {"message": echo, "code":
                                                        "insufficient_quota"}}},
                     {"status": 200, "body": {"error": {"message": echo}}},
                     {"status": 200, "body": echo}, "reset", "redirect"):
            for model in (MODEL, "mine"):
                self.server.behave([dict({"do": step} if isinstance(step, str) else step,
                                         times="forever")])
                message = self.error("SELECT embed('x', ?)", model)
                # each message is free of the key that was sent with the request
                self.assertNotIn("sk-test-key" if model == "mine" else "test-key,", message)
        self.server.behave([])

    def test_nothing_stores_the_key(self):
        self.db.execute("PRAGMA journal_mode = wal")
        self.add_documents(20)
        self.register("mine", "together", url=self.server.base_url("together"),
                      api_key="sk-test-key", is_default=1)
        self.add_index("mine")
        self.sync()
        self.add_index(MODEL, name="ix2")
        self.rows("SELECT * FROM semantic_sync('ix2')")
        self.rows("SELECT rowid, relevance FROM ix('bats')")
        tables = [row[0] for row in self.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table'")]
        said = [self.rows("SELECT * FROM %s" % table) for table in
                tables + ["rerank_models", "rerank_stats"] if table not in ("ix", "ix2")]
        said += self.rows("SELECT rerank_config(value) FROM json_each('[\"embed_model\", "
                          "\"rerank_model\"]')")
        self.assertNotIn(KEY, str(said))
        self.assertEqual(self.rows("SELECT DISTINCT api_key FROM rerank_models"), [(None,)])
        self.assertEqual(self.one("SELECT count(*) FROM rerank_models WHERE api_key IS NOT NULL"),
                         0)
        for name in os.listdir(self.folder):
            with open(os.path.join(self.folder, name), "rb") as file:
                self.assertNotIn(KEY.encode(), file.read(), name)

    def test_keys_that_cannot_be_sent(self):
        for key in ("two\nlines", "a\r\nX-Evil: 1", "bell\x07"):
            message = self.error("INSERT INTO rerank_models(name, provider, model, api_key) "
                                 "VALUES ('mine', 'together', 'm', ?)", key)
            self.assertRegex(message, "the key in api_key holds a (line break|control character)")
            os.environ["TOGETHER_API_KEY"] = key
            message = self.error("SELECT embed('x', ?)", MODEL, db=self.connect())
            self.assertRegex(message, "^embed: the key in TOGETHER_API_KEY holds a [^']*alone$")
        self.assertEqual(self.server.requests, [])


class Rows(Safety):
    """rerank_models as a table."""

    def test_names_of_providers_cannot_be_taken(self):
        for name in ("together:m", "openai:text-embedding-3-small", "owner/name", "ollama:x",
                     "BAAI/bge-base-en-v1.5", "builtin:lexical", "a/b:c"):
            with self.subTest(name):
                message = self.error("INSERT INTO rerank_models(name, provider, model, url) "
                                     "VALUES (?, 'together', 'm', ?)", name,
                                     self.canary.base_url("together"))
                self.assertRegex(message, "is the name of a model of|there is a model called")
        self.register("mine", "together")
        self.fails("is the name of a model of together",
                   "UPDATE rerank_models SET name = 'together:m2' WHERE name = 'mine'")

    def test_insert_update_delete(self):
        self.register("mine", "together", "first")
        self.one("SELECT embed('a', 'mine')")
        self.fails("there is a model called 'mine'", "INSERT INTO rerank_models(name, provider, "
                   "model) VALUES ('mine', 'together', 'm')")
        self.db.execute("UPDATE rerank_models SET model = 'second' WHERE name = 'mine'")
        self.one("SELECT embed('b', 'mine')")
        self.db.execute("UPDATE rerank_models SET name = 'yours' WHERE name = 'mine'")
        self.one("SELECT embed('c', 'yours')")
        self.assertEqual([request.body["model"] for request in self.server.requests],
                         ["first", "second", "second"])
        self.fails("no model is called 'mine'", "SELECT embed('a', 'mine')")
        self.db.execute("DELETE FROM rerank_models WHERE name = 'yours'")
        self.fails("no model is called 'yours'", "SELECT embed('a', 'yours')")
        self.error("DELETE FROM rerank_models WHERE name = 'builtin:lexical'")
        self.error("UPDATE rerank_models SET provider = 'openai' WHERE name = 'together:first'")

    def test_a_model_with_a_url_of_its_own(self):
        url = self.server.base_url("together")
        self.register("mine", "together", "m", url=url, api_key=KEY, dimensions=None)
        self.assertEqual(self.rows("SELECT task, provider, model, url, is_default FROM "
                                   "rerank_models WHERE name = 'mine' ORDER BY task"),
                         [("embed", "together", "m", url, 0), ("rerank", "together", "m", url, 0)])
        self.fails("no provider is called 'nobody'", "INSERT INTO rerank_models(name, provider, "
                   "model) VALUES ('x', 'nobody', 'm')")
        self.db.execute("UPDATE rerank_models SET is_default = 1 WHERE name = 'mine'")
        self.check_vector(self.one("SELECT embed('default')"), "default")
        self.db.execute("DELETE FROM rerank_models WHERE name = 'mine'")
        self.assertEqual(self.one("SELECT rerank_config('embed_model')"), "builtin:static")

    def test_two_connections(self):
        other = self.connect()
        self.register("mine", "together", is_default=1)
        self.assertIn("no model is called 'mine'",
                      self.error("SELECT embed('a', 'mine')", db=other))
        self.assertEqual(other.execute("SELECT rerank_config('embed_model')").fetchone()[0],
                         "builtin:static")
        other.execute("INSERT INTO rerank_models(name, provider, model, url, api_key) VALUES "
                      "('mine', 'together', 'm', ?, 'sk-test-key')",
                      (self.canary.base_url("together"),))
        other.execute("SELECT embed('a', 'mine')").fetchall()
        self.one("SELECT embed('a', 'mine')")
        self.assertEqual(self.keys_seen(self.canary), ["Bearer sk-test-key"])
        self.assertEqual(self.keys_seen(self.server), ["Bearer " + KEY])


if __name__ == "__main__":
    unittest.main()

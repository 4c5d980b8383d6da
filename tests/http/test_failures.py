"""test_failures.py: what SQL says when a provider refuses, fails or answers nonsense, and that the
database and the connection are as they were. Retries and limits are in test_retries.py."""
import json
import os
import re
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from chat import CHATS  # noqa: E402
from loopback import BEHAVIOURS, refused_port  # noqa: E402
from remote import KEY_VARIABLES, Remote, inputs_of, load, variable_of, wire_folder  # noqa: E402

MODEL = "together:m"
AT_ONCE = {"retry-after-ms": "1"}
DOCUMENTS = '["a bat", "a cat", "a hat"]'

# Entries of our own, in the form of errors.json, for when that is not around.
OWN_ERRORS = [
    {"provider": "together", "status": 401, "retry": False, "message_at": "/error/message",
     "body": {"error": {"message": "Invalid API key provided", "code": "invalid_api_key"}}},
    {"provider": "together", "status": 429, "retry": True, "message_at": "/error/message",
     "body": {"error": {"message": "Rate limit reached", "type": "rate_limit"}}},
    {"provider": "together", "status": 500, "retry": False, "message_at": None, "body": ""},
    {"provider": "openai", "status": 500, "retry": True, "message_at": "/error/message",
     "body": {"error": {"message": "The server had an error", "type": "server_error"}}},
    {"provider": "openai", "status": 429, "retry": False, "message_at": "/error/message",
     "body": {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}},
    {"provider": "openai", "status": 401, "retry": False, "message_at": "/error/message",
     "body": {"error": {"message": "Incorrect API key provided: test-key. Find yours."}}},
    {"provider": "mistral", "status": 422, "retry": False, "message_at": "/detail/0/msg",
     "body": {"detail": [{"loc": ["body"], "msg": "Field required", "type": "missing"}]}},
    {"provider": "cohere", "status": 498, "retry": False, "message_at": "/message",
     "body": {"id": "1", "message": "invalid token"}},
    {"provider": "voyage", "status": 503, "retry": True, "message_at": "/detail",
     "body": {"detail": "try later"}},
    {"provider": "jina", "status": 400, "retry": False, "message_at": "/detail/message",
     "body": {"detail": {"message": "Input text exceeds", "code": "INPUT_TOKEN"}}},
    {"provider": "ollama", "status": 404, "retry": False, "message_at": "/error",
     "body": {"error": "model 'x' not found"}},
    {"provider": "tei", "status": 401, "retry": False, "message_at": None, "body": ""},
    {"provider": "vllm", "status": 401, "retry": False, "message_at": "/error",
     "body": {"error": "Unauthorized"}},
    {"provider": "llamacpp", "status": 501, "retry": False, "message_at": "/error/message",
     "body": {"error": {"code": 501, "message": "does not support", "type": "x"}}},
]


def at(document, pointer):
    for name in (pointer or "").split("/")[1:]:
        document = document[int(name) if isinstance(document, list) else name]
    return document


class Failures(Remote):
    """An index of five rows that is in step, and five more rows."""

    def prepare(self, model=MODEL):
        self.provider = model.partition(":")[0]
        self.set_up(self.provider)
        self.model = model
        self.add_documents(5)
        self.add_index(model)
        self.sync()
        self.one("SELECT embed('known', ?)", model)
        self.add_documents(5, 6)
        self.server.clear()

    def statements(self):
        """Each asks the model for what it has not said yet."""
        self.number = getattr(self, "number", 0) + 1
        return [
            ("SELECT embed('new %d', ?)" % self.number, (self.model,)),
            ("SELECT * FROM embed_each('[\"new %d\", \"known\", \"newer %d\"]', ?)"
             % (self.number, self.number), (self.model,)),
            ("SELECT * FROM semantic_sync('ix')", ()),
            ("INSERT INTO ix(ix) VALUES ('sync')", ()),
            ("INSERT INTO ix(rowid) SELECT id FROM docs", ()),
            ("SELECT rowid FROM ix('never asked %d')" % self.number, ()),
        ]

    def check_unchanged(self):
        self.check_index(range(1, 6))
        self.assertEqual(self.one("SELECT count(*) FROM docs"), 10)
        self.assertEqual(self.one("PRAGMA integrity_check"), "ok")
        self.assertFalse(self.db.in_transaction)

    def check_recovers(self):
        """With patience: a machine that has much to do answers late, and rightly."""
        timeout = self.one("SELECT rerank_config('timeout_ms')")
        self.config(timeout_ms=60000)
        self.server.behave([])
        self.number = getattr(self, "number", 0) + 1
        text = "recovered %d" % self.number
        self.check_vector(self.one("SELECT embed(?, ?)", text, self.model), text)
        self.config(timeout_ms=timeout)

    def check_fails(self, steps, pattern=".", statements=None):
        """Each statement gives a clear error; nothing has changed and all goes on."""
        for sql, arguments in statements or self.statements():
            self.server.behave(steps)
            before = self.stats(self.model)["failures"]
            message = self.fails(pattern, sql, *arguments)
            self.check_message(message, self.provider)
            self.assertEqual(self.stats(self.model)["failures"], before + 1, sql)
            self.check_unchanged()
            self.check_recovers()

    def finish(self):
        """What was not done is done now."""
        self.server.behave([])
        self.assertEqual(self.sync()[:4], (5, 0, 0, 10))
        self.check_index(range(1, 11))


class Answers(Failures):
    """Every error that is known of a provider."""

    def errors(self):
        folder = wire_folder()
        return load(folder, "errors.json")["errors"] if folder else OWN_ERRORS

    def test_every_known_error(self):
        for i, entry in enumerate(self.errors()):
            provider = entry["provider"] if entry["provider"] in KEY_VARIABLES else "together"
            with self.subTest(number=i, provider=provider, status=entry["status"]):
                self.set_up(provider)
                self.db = self.connect(":memory:")
                self.server.clear()
                self.server.behave([{"status": entry["status"], "body": entry["body"], "times":
                                     "forever",
                                     "headers": {**entry.get("headers", {}), **AT_ONCE}}])
                message = self.error("SELECT embed('x', ?)", provider + ":m")
                self.check_message(message, provider)
                self.assertRegex(message, "^embed: %s: HTTP %d: ." % (provider, entry["status"]))
                if entry["status"] in (401, 498):
                    self.assertIn("set " + KEY_VARIABLES[provider], message)
                told = at(entry["body"], entry["message_at"]) if entry["message_at"] else None
                if told and not re.search("test-key|non-serverless|RID", told):
                    self.assertIn(" ".join(told.split())[:60].strip(". "), message)
                self.assertEqual(len(self.asked()), 3 if entry["retry"] else 1, message)
                self.assertLessEqual(len(self.server.requests) - len(self.asked()), 1, message)
                stats = self.stats(provider + ":m")
                self.assertEqual(stats["failures"], 1)
                self.assertEqual(stats["requests"], len(self.server.requests))
                self.assertEqual(stats["retries"], len(self.asked()) - 1)
                self.check_after(provider + ":m")

    def check_after(self, model):
        self.server.behave([])
        self.check_vector(self.one("SELECT embed('after', ?)", model), "after")

    @unittest.skipUnless(wire_folder(), "RERANK_SHARED names no folder with errors.json")
    def test_every_known_broken_answer(self):
        self.prepare()
        for entry in load(wire_folder(), "errors.json")["misbehaviour"]:
            if entry["name"] in ("right JSON, wrong content type", "reordered"):
                continue  # right answers; test_behaviours has them
            with self.subTest(entry["name"]):
                step = {"status": entry["status"], "body": entry["body"], "times": "forever",
                        "headers": {**entry["headers"], **AT_ONCE, "Retry-After": "0"}}
                self.check_fails([step])
        self.finish()

    def test_errors_leave_the_index_as_it_was(self):
        self.prepare()
        for status in (400, 401, 403, 404, 413, 418, 422, 429, 500, 503):
            with self.subTest(status):
                self.check_fails([{"status": status, "headers": AT_ONCE, "times": "forever"}],
                                 "HTTP %d: " % status)
        self.finish()

    def test_messages_are_made_fit_to_print(self):
        self.prepare()
        self.config(max_retries=0)
        for text in ("two\nlines\r\n\x1b[31mred\x07", "x" * 100000, "\u202eright to left\u0000nul",
                     "key test-key and sk-abcdefghijklmnopqrstuvwxyz0123456789ABCD", "", " \n ",
                     "Bearer test-key", "%s%n%s%d", "<script>alert(1)</script>"):
            with self.subTest(text[:20]):
                self.server.behave([{"status": 400, "body": {"error": {"message": text}}}])
                message = self.error("SELECT embed('other', ?)", MODEL)
                self.assertLess(len(message.encode()), 400)
                self.assertNotIn("test-key", message)
                self.assertNotIn("sk-abcdef", message)
                self.assertNotRegex(message, "[\x00-\x1f\x7f\u202e]")

    def test_an_error_within_a_transaction(self):
        self.prepare()
        self.db.execute("BEGIN")
        self.add_documents(1, 11)
        self.db.execute("INSERT INTO ix(rowid) VALUES (11)")
        self.server.behave([{"status": 400, "times": "forever"}])
        self.assertIn("HTTP 400", self.error("COMMIT"))
        self.assertTrue(self.db.in_transaction)
        self.server.behave([])
        self.db.execute("COMMIT")
        self.check_index([1, 2, 3, 4, 5, 11])
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid) VALUES (6)")
        self.server.behave([{"status": 400, "times": "forever"}])
        self.assertIn("HTTP 400", self.error("COMMIT"))
        self.db.execute("ROLLBACK")
        self.check_index([1, 2, 3, 4, 5, 11])

    def test_a_dedicated_model(self):
        self.set_up("together")
        self.server.behave([{"status": 400, "body": {"error": {
            "message": "Unable to access non-serverless model Salesforce/Llama-Rank-V1. Please "
            "create and start a new dedicated endpoint", "code": "model_not_available"}}}])
        message = self.error("SELECT rerank('q', 'd', 'Salesforce/Llama-Rank-V1')")
        self.assertRegex(message, "needs a dedicated endpoint at together: choose another")


# Behaviours with which the answer is right all the same.
HARMLESS = {"base64", "swapped", "unsorted", "limit_ignored", "text_type", "gzip", "close_after",
            "http10", "chunked", "pieces", "interim", "byte_order_mark", "invalid_utf8",
            "zero_vector"}
# Behaviours after which nothing comes.
SLOW = {"silence", "silence_after_head", "drip"}
# Behaviours that go on until the client has had enough.
ENDLESS = {"gzip_bomb", "flood", "flood_chunked", "flood_head", "flood_line", "flood_status"}


class Behaviours(Failures):
    """Everything that the server can do wrong."""

    def check_all(self, names):
        self.prepare()
        for name in sorted(names):
            with self.subTest(name):
                self.config(max_retries=0, timeout_ms=120 if name in SLOW else 10000)
                self.check_fails([{"do": name, "times": "forever"}])
        self.config(timeout_ms=60000)
        self.finish()

    def test_answers_that_are_wrong(self):
        self.check_all(set(BEHAVIOURS) - set(CHATS) - HARMLESS - SLOW - ENDLESS
                       - {"missing_index"})

    def test_an_index_that_is_missing(self):
        self.prepare()
        self.config(max_retries=0)
        step = {"do": "missing_index", "times": "forever"}
        self.server.behave([step])
        self.one("SELECT embed('the only one needs none', ?)", MODEL)
        self.assertEqual(len(self.rows(self.statements()[1][0], MODEL)), 3)
        self.assertEqual(self.sync()[:4], (5, 0, 0, 10))
        self.check_index(range(1, 11))

    def test_answers_that_do_not_come(self):
        self.check_all(SLOW)

    def test_answers_without_end(self):
        self.check_all(ENDLESS)

    def test_answers_that_are_odd_but_right(self):
        self.check_harmless(HARMLESS - {"zero_vector"})

    def check_harmless(self, names):
        self.prepare()
        for name in sorted(names):
            with self.subTest(name):
                self.server.behave([{"do": name, "times": "forever"}])
                texts = ["text %d %s" % (j, name) for j in range(5)]
                for text, vector in self.rows("SELECT text, embedding FROM embed_each(?, ?)",
                                              json.dumps(texts), MODEL):
                    self.check_vector(vector, text)
                rows = self.rows("SELECT key FROM rerank('a bat', ?, 2, ?)", DOCUMENTS, MODEL)
                self.assertEqual(rows[0], (0,))
                self.assertEqual(len(rows), 2)
                self.db.execute("DELETE FROM ix WHERE rowid > 5")
                self.db.execute("UPDATE docs SET body = body || '.' WHERE id > 5")
                self.assertEqual(self.sync()[0], 5)
                self.check_index(range(1, 11))

    def test_the_zero_vector(self):
        self.prepare()
        self.server.behave([{"do": "zero_vector", "times": "forever"}])
        self.assertEqual(self.one("SELECT vector_norm(embed('nothing', ?))", MODEL), 0)
        for sql in ("SELECT * FROM semantic_sync('ix')", "INSERT INTO ix(ix) VALUES ('sync')",
                    "INSERT INTO ix(rowid) SELECT id FROM docs",
                    "INSERT INTO ix(ix) VALUES ('retry')"):
            self.rows(sql)
            self.check_unchanged()
            failures = self.rows("SELECT rowid, attempts, message FROM semantic_failures('ix')")
            self.assertEqual([row[:2] for row in failures],
                             [(i, 2 if "retry" in sql else 1) for i in range(6, 11)])
            self.assertIn("together:m: the zero vector has no direction", failures[0][2])
        self.fails("the query: together:m: the zero vector", "SELECT rowid FROM ix('never asked')")
        self.check_that_zeros_are_not_kept()
        self.db.execute("DROP TABLE ix")
        self.add_index(MODEL, ", metric='dot'")
        self.assertEqual(self.sync()[0], 10)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('bats')")), 10)

    def check_that_zeros_are_not_kept(self):
        """Neither in memory nor in a file, of which an older version may have made some."""
        self.config(cache=os.path.join(self.folder, "cache.db"))
        self.rows("INSERT INTO ix(ix) VALUES ('retry')")
        self.server.behave([])
        self.server.clear()
        self.one("SELECT embed('nothing', ?)", MODEL)
        self.rows("INSERT INTO ix(ix) VALUES ('retry')")
        self.assertEqual([len(inputs_of(request)) for request in self.server.requests], [1, 5])
        self.assertEqual(self.rows("SELECT * FROM semantic_failures('ix')"), [])
        self.check_index(range(1, 11))
        file = sqlite3.connect(os.path.join(self.folder, "cache.db"))
        file.execute("UPDATE vectors SET vector = zeroblob(length(vector))")
        file.commit()
        file.close()
        self.db.execute("DROP TABLE ix")
        self.db.close()
        self.db = self.connect()
        self.config(cache=os.path.join(self.folder, "cache.db"))
        self.server.clear()
        self.add_index(MODEL)
        self.assertEqual(self.sync()[0], 10)
        self.assertEqual(len(self.server.requests), 1)
        self.server.behave([{"do": "zero_vector", "times": "forever"}])
        self.config(memory_budget=0, cache="")

    def test_rerank(self):
        self.set_up("together", "tei", "mixedbread")
        self.config(max_retries=0)
        wrong = {"one_too_few", "one_too_many", "no_items", "duplicate_index", "missing_index",
                 "index_out_of_range", "index_negative", "index_fraction", "index_text",
                 "index_huge", "nan", "huge", "null", "text", "missing_value", "null_value",
                 "not_json", "truncated_json", "trailing_bytes", "deep_nesting",
                 "empty_body", "empty_object", "error_200", "html", "redirect", "no_content",
                 "key_echo", "gzip_bomb", "reset", "close_middle", "flood", "not_http"}
        for provider in ("together", "tei", "mixedbread"):
            for name in sorted(wrong):
                with self.subTest(provider=provider, name=name):
                    self.server.behave([{"do": name, "times": "forever"}])
                    asked = ("SELECT * FROM rerank(?, ?, NULL, ?)", "a bat, %s" % name, DOCUMENTS,
                             provider + ":m")
                    message = self.error(*asked)
                    self.check_message(message, provider)
                    self.server.behave([])
                    self.assertEqual(len(self.rows(*asked)), 3)
            self.assertEqual(self.stats(provider + ":m", "rerank")["failures"], len(wrong))


class Connections(Failures):
    def test_a_port_where_nobody_listens(self):
        self.set_up("together")
        os.environ[variable_of("together")] = "http://127.0.0.1:%d/v1" % refused_port()
        self.config(max_retries=0)
        message = self.error("SELECT embed('x', ?)", MODEL)
        self.check_message(message, "together")
        self.assertRegex(message, r"could not connect to 127\.0\.0\.1 port \d+: connection refused")

    def test_a_host_that_has_no_address(self):
        self.set_up("together")
        os.environ[variable_of("together")] = "http://nowhere.invalid/v1"
        message = self.error("SELECT embed('x', ?)", MODEL)
        self.check_message(message, "together")
        self.assertIn("there is no address for nowhere.invalid", message)
        self.assertEqual(self.stats(MODEL)["requests"], 1)

    def tls(self, kind):
        server = self.start_server(tls=kind)
        self.set_up("together", server=server)
        return server

    def test_certificates_that_are_refused(self):
        for kind in ("good", "selfsigned", "wronghost", "expired"):
            for trusted in (False, True):
                if kind == "good" and trusted:
                    continue
                with self.subTest(kind=kind, trusted=trusted):
                    server = self.tls(kind)
                    os.environ.pop("SSL_CERT_FILE", None)
                    if trusted:
                        os.environ["SSL_CERT_FILE"] = server.ca_file
                    self.db = self.connect(":memory:")
                    message = self.error("SELECT embed('x', ?)", MODEL)
                    self.check_message(message, "together")
                    self.assertRegex(message, "certificate")
                    self.assertEqual(server.requests, [])
                    self.assertEqual(self.stats(MODEL)["requests"], 1)  # trying again heals nothing

    def test_a_certificate_of_the_users_authority(self):
        server = self.tls("good")
        os.environ["SSL_CERT_FILE"] = server.ca_file
        self.check_vector(self.one("SELECT embed('x', ?)", MODEL), "x")
        self.assertEqual(server.requests[0].headers["authorization"], "Bearer test-key")

    def test_a_bundle_that_is_not_there(self):
        self.tls("good")
        os.environ["SSL_CERT_FILE"] = "/nowhere/bundle.pem"
        self.check_message(self.fails("certificate bundle cannot be read", "SELECT embed('x', ?)",
                                      MODEL), "together")

    def test_plain_text_where_tls_was_meant(self):
        self.set_up("together")
        os.environ[variable_of("together")] = self.server.base_url("together").replace(
            "http:", "https:")
        self.config(max_retries=0)
        self.check_message(self.error("SELECT embed('x', ?)", MODEL), "together")


if __name__ == "__main__":
    unittest.main()

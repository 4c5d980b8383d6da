"""test_addresses.py: base URLs and keys as people paste them, for every provider, given in a row or
by the environment; and what an index says of a name that is not registered here."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialects import PROVIDERS  # noqa: E402
from remote import KEY, KEY_VARIABLES, Remote, variable_of  # noqa: E402

# What a server of each kind has at its root: (base path, path to embed).
PATHS = {"ollama": ("", "/api/embed"), "tei": ("", "/embed"), "infinity": ("", "/embeddings"),
         "cohere": ("/v2", "/embed"), "nomic": ("/v1", "/embedding/text")}


class Addresses(Remote):
    """The server has one provider at its root, as a real one."""

    def setUp(self):
        super().setUp()
        self.provider = None
        judge = self.server.enter

        def enter(request):
            request.asked = request.path
            request.path = "/%s%s" % (self.provider, request.path)
            request.provider = self.provider
            return judge(request)

        self.server.enter = enter

    def ask(self, provider, url, by_row):
        """None, or the error."""
        self.provider = provider
        self.db = self.connect(":memory:")
        self.config(max_retries=0)
        for variable in (variable_of(provider), KEY_VARIABLES[provider]):
            os.environ.pop(variable, None)
        if by_row:
            self.register("x", provider, url=url, api_key=KEY)
        else:
            os.environ[variable_of(provider)] = url
            os.environ[KEY_VARIABLES[provider]] = " %s\n" % KEY
        name = "x" if by_row else provider + ":m"
        try:
            self.check_vector(self.one("SELECT embed('a text', ?)", name), "a text")
        except Exception as error:  # noqa: B902
            return str(error)
        self.assertIn(self.server.requests[-1].headers.get("authorization"), ("Bearer " + KEY,))
        return None

    def test_every_provider(self):
        for provider in sorted(PROVIDERS):
            base, path = PATHS.get(provider, ("/v1", "/embeddings"))
            for end in {"", "/", base, base + "/", base + "//", base + path, base + path + "/"}:
                for before, after in (("", ""), (" ", "\n")):
                    for by_row in (True, False):
                        with self.subTest(provider=provider, end=end, by_row=by_row):
                            url = before + self.server.url + end + after
                            error = self.ask(provider, url, by_row)
                            if error and end.endswith(path + "/"):  # that is meant as a base
                                self.assertIn(self.server.requests[-1].asked, error)
                            else:
                                self.assertIsNone(error)

    def test_bases_of_another_api(self):
        for provider, ends in (("ollama", ("/api", "/api/", "/v1", "/v1/", "/api/embeddings")),
                               ("ollama-openai", ("/api", "/v1")), ("cohere", ("/v1",)),
                               ("tei", ("/v1", "/v1/embeddings")), ("tei-openai", ("/v1",)),
                               ("openai", ("/v1/chat/completions",))):
            for end in ends:
                for by_row in (True, False):
                    with self.subTest(provider=provider, end=end, by_row=by_row):
                        self.assertIsNone(self.ask(provider, self.server.url + end, by_row))

    def test_what_cannot_be_known_is_shown(self):
        for provider, end in (("openai", "/api"), ("vllm", "/openai"), ("infinity", "/v1"),
                              ("tei", "/elsewhere"), ("together", "/v2")):
            for by_row in (True, False):
                error = self.ask(provider, self.server.url + end, by_row)
                self.assertRegex(error, r"HTTP 404: .*\(asked http://127\.0\.0\.1:\d+%s/" % end)
                self.check_message(error, provider)

    def test_another_shape_of_answer_shows_it_too(self):
        for step in ({"status": 200, "body": "<html><body>It works!</body></html>"},
                     {"status": 200, "body": {"hello": "world"}}, {"status": 405}):
            self.server.behave([{**step, "times": "forever"}])
            error = self.ask("openai", self.server.url, False)
            self.assertRegex(error, r"\(asked http://127\.0\.0\.1:\d+/v1/embeddings\)$")

    def test_the_list_shows_where_a_model_is(self):
        self.register("x", "openai", url=" %s/ " % self.server.url)
        self.assertEqual(self.one("SELECT url FROM rerank_models WHERE name = 'x'"),
                         self.server.url + "/v1")

    def test_who_names_a_wrong_key(self):
        self.set_up("openai", key="wrong")
        self.provider = "openai"
        os.environ[variable_of("openai")] = self.server.url
        self.fails(r"HTTP 401.*\(set OPENAI_API_KEY\)", "SELECT embed('x', 'openai:m')")
        self.register("mine", "openai", batch_size=3)
        self.fails(r"HTTP 401.*\(set OPENAI_API_KEY\)", "SELECT embed('x', 'mine')")
        self.register("own", "openai", api_key="bad")
        self.fails(r"HTTP 401.*\(set the api_key of its row", "SELECT embed('x', 'own')")


class NotRegistered(Remote):
    def setUp(self):
        super().setUp()
        self.add_documents(3)
        for name, provider in (("desk", "openai"), ("judge", "jina")):
            self.register(name, provider, url=self.server.base_url(provider), api_key=KEY)

    def test_an_embedder(self):
        self.add_index("desk")
        self.sync()
        self.db = self.connect()
        for sql in ("SELECT * FROM ix('title')", "SELECT * FROM semantic_sync('ix')",
                    "INSERT INTO ix(ix) VALUES ('sync')"):
            self.fails(r"no model is called 'desk' here.* stood for openai:m.*INSERT INTO "
                       r"rerank_models\(name, provider, model, .*'desk', 'openai', 'm'", sql)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix")), 3)

    def test_a_reranker(self):
        self.add_index("desk", ", reranker='judge'")
        self.sync()
        self.db = self.connect()
        self.register("desk", "openai", url=self.server.base_url("openai"), api_key=KEY)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('title')")), 3)
        self.fails(r"no model is called 'judge' here.* stood for jina:m.*'judge', 'jina', 'm'",
                   "SELECT rowid, relevance FROM ix('title')")

    def test_before_the_first_row(self):
        self.add_index("desk")
        self.db = self.connect()
        self.fails("stood for openai:m", "SELECT * FROM semantic_sync('ix')")


if __name__ == "__main__":
    unittest.main()

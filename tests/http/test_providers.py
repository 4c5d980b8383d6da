"""test_providers.py: all sixteen providers from SQL, against the loopback server."""
import functools
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from forms import count_tokens  # noqa: E402
from loopback import PROVIDERS, logit_of, score_of, vector_of  # noqa: E402
from remote import (  # noqa: E402
    EMBEDDERS, KEY, KEY_VARIABLES, RERANKERS, Remote, from_blob, inputs_of, load, wire_folder)

# What a provider is told, in the body, of a text's role; the others are not told.
ROLES = {
    "cohere": ("input_type", "search_query", "search_document"),
    "voyage": ("input_type", "query", "document"),
    "jina": ("task", "retrieval.query", "retrieval.passage"),
    "nomic": ("task_type", "search_query", "search_document"),
}
NO_TOKENS = {("together", "embed"), ("cohere", "rerank")}
QUERY = "which bat is a hero"
DOCUMENTS = ["a bat is a mammal", "a hero is a sandwich", "the night train", "bat hero is which",
             "soup"]


def of_each(providers):
    """The method runs for each provider, with a connection of its own: (self, provider, model)."""
    def decorate(method):
        @functools.wraps(method)
        def run(self):
            for provider in providers:
                with self.subTest(provider):
                    method(self, provider, self.fresh(provider))
        return run
    return decorate


def embed_path(provider):
    return "/%s%s" % (provider, PROVIDERS[provider].forms[0].paths.split()[0])


def rerank_form(provider):
    return [form for form in PROVIDERS[provider].forms if form.api == "rerank"][0]


class Providers(Remote):
    server_options = {"strict": True}

    def setUp(self):
        super().setUp()
        self.set_up(*EMBEDDERS)

    def fresh(self, provider):
        """A connection that has named no model, and a server that has seen no request."""
        self.db.close()
        if os.path.exists(self.path):
            os.remove(self.path)
        self.db = self.connect()
        self.server.clear()
        return provider + ":m"

    def request(self):
        """The only request since the last look; it was in the provider's form."""
        requests = self.server.requests
        self.server.clear()
        self.assertEqual(len(requests), 1)
        self.assertIsNone(requests[0].refused)
        return requests[0]

    def expected_score(self, provider, query, text):
        score = score_of(query, text)
        return logit_of(score) if rerank_form(provider).logits else score

    # -- embeddings --------------------------------------------------------------------------------

    @of_each(EMBEDDERS)
    def test_embed_as_document_and_as_query(self, provider, model):
        for place, role in ((2, "document"), (1, "query")):
            text = "a %s – für %s, \"quoted\"\n\t\x01" % (role, provider)
            blob = self.one("SELECT embed(?, ?, ?)", text, model, role)
            self.check_vector(blob, text)
            request = self.request()
            self.assertEqual((request.method, request.path), ("POST", embed_path(provider)))
            self.assertEqual(inputs_of(request), [text])
            if provider in ROLES:
                self.assertEqual(request.body[ROLES[provider][0]], ROLES[provider][place])
            self.assertEqual(request.body.get("model"), None if provider == "tei" else "m")

    @of_each(EMBEDDERS)
    def test_headers(self, provider, model):
        self.one("SELECT embed('x', ?)", model)
        request = self.request()
        self.assertEqual(request.headers["authorization"], "Bearer " + KEY)
        self.assertEqual(request.headers["content-type"], "application/json")
        self.assertEqual(int(request.headers["content-length"]), len(request.raw))
        self.assertNotIn("expect", request.headers)
        self.assertNotIn("cookie", request.headers)
        self.assertNotIn("transfer-encoding", request.headers)

    @of_each(EMBEDDERS)
    def test_no_key_no_header(self, provider, model):
        os.environ.pop(KEY_VARIABLES[provider], None)
        if PROVIDERS[provider].key_required:
            self.fails("%s: no API key .set %s" % (provider, KEY_VARIABLES[provider]),
                       "SELECT embed('x', ?)", model)
            self.assertEqual(self.server.requests, [])
        else:
            self.check_vector(self.one("SELECT embed('x', ?)", model), "x")
            self.assertNotIn("authorization", self.request().headers)

    @of_each(EMBEDDERS)
    def test_embed_each(self, provider, model):
        texts = ["text %d of %s" % (i, provider) for i in range(7)]
        rows = self.rows("SELECT key, text, embedding FROM embed_each(?, ?)",
                         json.dumps(texts), model)
        self.assertEqual([row[:2] for row in rows], list(enumerate(texts)))
        for _, text, blob in rows:
            self.check_vector(blob, text)
        self.assertEqual(inputs_of(self.request()), texts)
        named = {"k%d" % i: text for i, text in enumerate(texts)}
        rows = self.rows("SELECT key, text FROM embed_each(?, ?, 'query')",
                         json.dumps(named), model)
        self.assertEqual(rows, list(named.items()))

    @of_each(EMBEDDERS)
    def test_dimensions(self, provider, _):
        form = PROVIDERS[provider].forms[0]
        if not form.dimensions:
            self.assertRegex(self.error("INSERT INTO rerank_models(name, provider, model, "
                                        "dimensions) VALUES ('short', ?, 'm', 5)", provider),
                             provider + " cannot be asked for dimensions")
            return
        self.register("short", provider, dimensions=5)
        if provider == "vllm":  # refuses the field, and says so
            self.fails("vllm: HTTP 400: .*matryoshka", "SELECT embed('x', 'short')")
            return
        self.check_vector(self.one("SELECT embed('x', 'short')"), "x", 5)
        self.assertEqual(self.request().body[form.dimensions], 5)
        self.assertEqual(self.one("SELECT dimensions FROM rerank_models WHERE name = 'short' "
                                  "AND task = 'embed'"), 5)

    @of_each(EMBEDDERS)
    def test_index(self, provider, model):
        self.add_documents(9)
        self.add_index(model)
        self.assertEqual(self.sync()[:4], (9, 0, 0, 9))
        self.check_index(range(1, 10))
        requests = self.server.requests
        self.assertEqual({text for r in requests for text in inputs_of(r)},
                         {"title %d body %d" % (i, i) for i in range(1, 10)})
        self.server.clear()
        found = self.rows("SELECT rowid, similarity FROM ix('bats', 3)")
        query = vector_of("bats")
        exact = {i: sum(a * b for a, b in zip(query, vector_of("title %d body %d" % (i, i))))
                 for i in range(1, 10)}
        best = sorted(exact, key=lambda i: -exact[i])[:3]
        self.assertEqual([row[0] for row in found], best)
        for rowid, similarity in found:
            self.assertAlmostEqual(similarity, exact[rowid], places=5)
        request = self.request()
        if provider in ROLES:
            self.assertEqual(request.body[ROLES[provider][0]], ROLES[provider][1])
            self.assertEqual({r.body[ROLES[provider][0]] for r in requests},
                             {ROLES[provider][2]})

    # -- reranking ---------------------------------------------------------------------------------

    @of_each(RERANKERS)
    def test_rerank_scalar(self, provider, model):
        score = self.one("SELECT rerank(?, ?, ?)", QUERY, DOCUMENTS[0], model)
        self.assertAlmostEqual(score, self.expected_score(provider, QUERY, DOCUMENTS[0]),
                               places=6)
        request = self.request()
        form = rerank_form(provider)
        self.assertEqual(request.path, "/%s%s" % (provider, form.paths.split()[0]))
        self.assertEqual(request.body[form.texts], [DOCUMENTS[0]])

    @of_each(RERANKERS)
    def test_rerank_table(self, provider, model):
        expected = sorted(((self.expected_score(provider, QUERY, text), i, text)
                           for i, text in enumerate(DOCUMENTS)), key=lambda row: -row[0])
        for top_n in (None, 2, 100):
            rows = self.rows("SELECT rank, key, document, relevance_score FROM "
                             "rerank(?, ?, ?, ?)", QUERY, json.dumps(DOCUMENTS), top_n, model)
            self.assertEqual([row[:3] for row in rows],
                             [(rank, i, text) for rank, (_, i, text)
                              in enumerate(expected[:top_n], 1)])
            for row, (score, _, _) in zip(rows, expected):
                self.assertAlmostEqual(row[3], score, places=5)
            if top_n == 100:  # the same call as the first
                self.assertEqual(self.server.requests, [])
                continue
            request = self.request()
            self.assertEqual(request.body["query"], QUERY)
            self.assertEqual(request.body[rerank_form(provider).texts], DOCUMENTS)

    @of_each(RERANKERS)
    def test_objects(self, provider, model):
        objects = [{"title": "bat", "year": 1999, "text": "hero"}, {"title": "soup", "text": "bat"},
                   {"title": "cave", "text": "which bat"}]
        model = "together:Salesforce/Llama-Rank-V1" if provider == "together" else model
        for fields in ("title", "title,text"):
            rows = self.rows("SELECT key, relevance_score FROM rerank(?, ?, NULL, ?) "
                             "WHERE rank_fields = ?", QUERY, json.dumps(objects), model, fields)
            self.assertEqual(len(rows), 3)
            request = self.request()
            sent = request.body[rerank_form(provider).texts]
            if provider in ("mixedbread", "litellm", "together"):
                self.assertEqual(sent, objects)
                self.assertEqual(request.body["rank_fields"], fields.split(","))
                for key, score in rows:
                    text = " ".join(objects[key][field] for field in fields.split(","))
                    self.assertAlmostEqual(score, score_of(QUERY, text), places=6)
            else:
                self.assertTrue(all(isinstance(document, str) for document in sent))
                self.assertNotIn("rank_fields", request.body)
                for text, document in zip(sent, objects):
                    self.assertIn(document["title"], text)
                    self.assertEqual(document["text"] in text.replace(document["title"], ""),
                                     "text" in fields, text)

    def test_other_models_of_together_get_texts(self):
        self.rows("SELECT key FROM rerank('q', '[{\"a\":\"x\"}]', NULL, 'together:other/model')")
        self.assertIsInstance(self.request().body["documents"][0], str)

    @of_each(RERANKERS)
    def test_relevance_of_an_index(self, provider, model):
        self.add_documents(9)
        self.add_index(model, ", reranker='%s', candidates=5" % model)
        self.sync()
        self.server.clear()
        rows = self.rows("SELECT title || ' ' || body, relevance FROM ix('body of title 3') "
                         "ORDER BY relevance DESC")
        self.assertEqual(len(rows), 5)
        for text, relevance in rows:
            self.assertAlmostEqual(
                relevance, self.expected_score(provider, "body of title 3", text), places=5)
        paths = [request.path for request in self.server.requests]
        self.assertEqual(paths.count("/%s%s" % (provider,
                                                rerank_form(provider).paths.split()[0])), 1)
        self.assertEqual(len(paths), 2)

    # -- what is counted ---------------------------------------------------------------------------

    @of_each(EMBEDDERS)
    def test_statistics(self, provider, model):
        texts = ["one text", "and a second text"]
        self.rows("SELECT * FROM embed_each(?, ?)", json.dumps(texts), model)
        stats, request = self.stats(model), self.request()
        self.assertEqual((stats["requests"], stats["retries"], stats["texts"],
                          stats["failures"], stats["cache_hits"]), (1, 0, 2, 0, 0))
        self.assertEqual(stats["tokens"], 0 if (provider, "embed") in NO_TOKENS
                         else count_tokens(texts))
        self.assertGreater(stats["bytes"], len(request.raw) + 2 * 8)
        self.assertGreater(stats["seconds"], 0)
        self.rows("SELECT * FROM embed_each(?, ?)", json.dumps(texts), model)
        self.assertEqual(self.stats(model)["cache_hits"], 2)
        self.assertEqual(self.server.requests, [])

    @of_each(RERANKERS)
    def test_statistics_of_reranking(self, provider, model):
        self.rows("SELECT key FROM rerank(?, ?, NULL, ?)", QUERY, json.dumps(DOCUMENTS), model)
        stats, request = self.stats(model, "rerank"), self.request()
        self.assertEqual((stats["requests"], stats["texts"], stats["failures"]),
                         (1, len(DOCUMENTS), 0))
        self.assertEqual(stats["tokens"] > 0,
                         (provider, "rerank") not in NO_TOKENS, provider)
        self.assertGreater(stats["bytes"], len(request.raw))

    @of_each(sorted(set(EMBEDDERS) - set(RERANKERS)))
    def test_who_does_not_rerank_says_so(self, provider, model):
        self.fails(provider + " does not rerank", "SELECT rerank('q', 'd', ?)", model)
        self.assertEqual(self.server.requests, [])

    def test_bare_names_are_of_together(self):
        self.check_vector(self.one("SELECT embed('x', 'BAAI/bge-base-en-v1.5')"), "x")
        request = self.request()
        self.assertEqual((request.provider, request.body["model"]),
                         ("together", "BAAI/bge-base-en-v1.5"))
        self.assertEqual(self.stats("together:BAAI/bge-base-en-v1.5")["requests"], 1)


# Of the captured requests: what a caller may ask for besides, and this library does not.
NOT_ASKED = {"prompt", "user", "keep_alive", "options", "output_dtype", "return_documents",
             "raw_scores", "return_text", "truncation_direction", "rewrite_query", "return_input",
             "max_tokens", "max_tokens_per_text", "max_tokens_per_doc", "prompt_name"}
# The captured value is another one than this library's, on purpose: answers without an echo, texts
# cut where they are too long, vectors as the provider gives them.
OTHER_VALUE = {"return_documents", "truncate", "truncation", "embedding_types", "embedding_type",
               "encoding_format", "return_input"}


@unittest.skipUnless(wire_folder(), "RERANK_SHARED names no folder with captured requests")
class Captured(Remote):
    """What vendors' own clients sent, asked for in SQL: the same request comes out."""

    server_options = {"strict": True}

    def captured(self, api):
        for provider in EMBEDDERS if api == "embeddings" else RERANKERS:
            path = os.path.join(wire_folder(), "%s-%s.json" % (provider, api))
            if os.path.exists(path):
                document = load(path)
                yield from ((provider, entry.get("name", "first"), entry["request"])
                            for entry in [document] + document["variants"]
                            if entry.get("request") and "declare" not in entry.get("name", ""))

    def compare(self, provider, request):
        """Ours is the last recorded one."""
        ours = self.server.requests[-1]
        form = [form for form in PROVIDERS[provider].forms if request["path"] in form.paths][0]
        self.assertIsNone(ours.refused)
        self.assertEqual(ours.method, request["method"])
        self.assertEqual(ours.path, "/%s%s" % (provider, form.paths.split()[0]))
        self.assertEqual(ours.headers["content-type"], request["headers"]["Content-Type"])
        if "Authorization" in request["headers"]:
            self.assertEqual(ours.headers["authorization"], "Bearer " + KEY)
        for name, value in request["body"].items():
            if name not in ours.body:
                self.assertTrue(name in NOT_ASKED or value == "base64", name)
                continue
            if name not in OTHER_VALUE:
                value = [value] if name == form.texts and isinstance(value, str) else value
                self.assertEqual(ours.body[name], value, name)
            self.assertIs(type(ours.body[name]), type(value), name)

    def test_embeddings(self):
        self.set_up(*EMBEDDERS)
        seen = 0
        for provider, name, request in self.captured("embeddings"):
            form = PROVIDERS[provider].forms[0]
            body = request["body"]
            texts = body.get(form.texts)
            texts = [texts] if isinstance(texts, str) else texts
            own = request["path"] == form.paths.split()[0] and texts and all(
                isinstance(text, str) and text for text in texts)
            if not own:
                continue
            seen += 1
            with self.subTest(provider=provider, name=name):
                role = "query" if ROLES.get(provider) and body.get(
                    ROLES[provider][0]) == ROLES[provider][1] else "document"
                alias = "captured %d" % seen
                dimensions = body.get(form.dimensions) if form.dimensions else None
                self.register(alias, provider, body.get("model", "m"), api_key=KEY,
                              document_prefix="", query_prefix="", dimensions=dimensions)
                rows = self.rows("SELECT embedding FROM embed_each(?, ?, ?)", json.dumps(texts),
                                 alias, role)
                self.assertEqual(len(from_blob(rows[0][0])), dimensions or 8)
                self.compare(provider, request)
        self.assertGreater(seen, 14)

    def test_rerank(self):
        self.set_up(*RERANKERS)
        seen = 0
        for provider, name, request in self.captured("rerank"):
            form = rerank_form(provider)
            body = request["body"]
            own = request["path"] == form.paths.split()[0] and form.texts in body
            takes = provider in ("together", "mixedbread", "litellm")
            if not own or not takes and not isinstance(body[form.texts][0], str):
                continue
            seen += 1
            with self.subTest(provider=provider, name=name):
                limit = body.get(form.top) if form.top else None
                fields = body.get("rank_fields")
                sql = "SELECT key FROM rerank(?, ?, ?, ?)"
                arguments = [body["query"], json.dumps(body[form.texts]), limit,
                             "%s:%s" % (provider, body.get("model", "m"))]
                if fields:
                    sql += " WHERE rank_fields = ?"
                    arguments.append(",".join(fields))
                self.rows(sql, *arguments)
                self.compare(provider, request)
        self.assertGreater(seen, 9)


if __name__ == "__main__":
    unittest.main()

"""test_loopback.py: the loopback server answers in every provider's form and refuses what is not
in it. With RERANK_SHARED its answers are held against captured ones."""
import base64
import contextlib
import glob
import http.client
import json
import math
import os
import struct
import sys
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from behaviours import provider_error  # noqa: E402
from forms import Refusal  # noqa: E402
from loopback import PROVIDERS, ROUTES, Loopback, logit_of, score_of, vector_of  # noqa: E402

HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer test-key"}
TEXTS = ["a bat", "ein Käfer", "猫"]
DOCUMENTS = ["Paris is the capital of France.", "Berlin is in Germany.", "The capital: Rome?"]

# provider: field of the texts, what else a request needs, pointer to the items, the pointer from an
# item to its vector, the field that asks for a length, how many texts are too many
EMBEDDINGS = {
    "together": ("input", {"model": "m"}, "/data", "/embedding", None, None),
    "openai": ("input", {"model": "m"}, "/data", "/embedding", "dimensions", 2049),
    "mistral": ("input", {"model": "m"}, "/data", "/embedding", "output_dimension", 257),
    "cohere": ("texts", {"model": "m", "input_type": "search_query", "embedding_types": ["float"]},
               "/embeddings/float", "", "output_dimension", 97),
    "voyage": ("input", {"model": "m", "input_type": "document", "truncation": True}, "/data",
               "/embedding", "output_dimension", 1001),
    "jina": ("input", {"model": "m", "task": "retrieval.query", "normalized": True}, "/data",
             "/embedding", "dimensions", 513),
    "mixedbread": ("input", {"model": "m", "normalized": True}, "/data", "/embedding",
                   "dimensions", 257),
    "nomic": ("texts", {"model": "m", "task_type": "search_query"}, "/embeddings", "",
              "dimensionality", None),
    "ollama": ("input", {"model": "m", "truncate": True}, "/embeddings", "", "dimensions", None),
    "ollama-openai": ("input", {"model": "m"}, "/data", "/embedding", "dimensions", None),
    "tei": ("inputs", {"truncate": True, "normalize": True}, "", "", "dimensions", 33),
    "tei-openai": ("input", {"model": "m"}, "/data", "/embedding", "dimensions", 33),
    "infinity": ("input", {"model": "m"}, "/data", "/embedding", "dimensions", 2049),
    "vllm": ("input", {"model": "m", "truncate_prompt_tokens": -1}, "/data", "/embedding", None,
             None),
    "llamacpp": ("input", {"model": "m"}, "/data", "/embedding", None, None),
    "litellm": ("input", {"model": "m"}, "/data", "/embedding", "dimensions", None),
}
# provider: field of the documents, of the limit, pointer to the items, name of the score, how many
# documents are too many
RERANK = {
    "together": ("documents", "top_n", "/results", "relevance_score", None),
    "cohere": ("documents", "top_n", "/results", "relevance_score", 10001),
    "voyage": ("documents", "top_k", "/data", "relevance_score", 1001),
    "jina": ("documents", "top_n", "/results", "relevance_score", None),
    "mixedbread": ("input", "top_k", "/data", "score", 1001),
    "tei": ("texts", None, "", "score", 33),
    "infinity": ("documents", "top_n", "/results", "relevance_score", 2049),
    "vllm": ("documents", "top_n", "/results", "relevance_score", None),
    "llamacpp": ("documents", "top_n", "/results", "relevance_score", None),
    "litellm": ("documents", "top_n", "/results", "relevance_score", None),
}
# provider: status of a body with a missing field, of too many texts, and where its message is
ERRORS = {
    "together": (400, None, "/error/message"), "openai": (400, 400, "/error/message"),
    "mistral": (422, 400, "/detail/0/msg"), "cohere": (400, 400, "/message"),
    "voyage": (400, 400, "/detail"), "jina": (422, 400, "/detail"),
    "mixedbread": (422, 422, "/detail/0/msg"), "nomic": (422, None, "/detail/0/msg"),
    "ollama": (400, None, "/error"), "ollama-openai": (400, None, "/error/message"),
    "tei": (422, 422, "/error"), "tei-openai": (422, 422, "/message"),
    "infinity": (422, 422, "/detail/0/msg"), "vllm": (400, None, "/error/message"),
    "llamacpp": (400, None, "/error/message"), "litellm": (400, None, "/error/message"),
}


def path_of(provider, api):
    return next(path for path, (name, form) in ROUTES.items()
                if name == provider and form.api == api)


def routes_but_chat():
    """(path, (provider, Form)); test_chat.py has the others."""
    return [(path, route) for path, route in ROUTES.items() if route[1].api != "chat"]


def at(value, pointer):
    for step in pointer.split("/")[1:]:
        value = value[int(step) if isinstance(value, list) else step]
    return value


def embed_body(provider, texts=None, **more):
    field, others, *_ = EMBEDDINGS[provider]
    return {field: TEXTS if texts is None else texts, **others, **more}


def rerank_body(provider, documents=None, **more):
    body = {"query": "capital?", RERANK[provider][0]: documents or DOCUMENTS, **more}
    return body if provider == "tei" else {"model": "m", **body}


def wire_folder():
    """The folder of captured requests and answers, or None."""
    shared = os.environ.get("RERANK_SHARED", "")
    for folder in (os.path.join(shared, "wire"), shared):
        if shared and os.path.isfile(os.path.join(folder, "providers.json")):
            return folder
    return None


class Case(unittest.TestCase):
    """One server for all tests of a class; each test begins with it clean."""
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.server = Loopback(lifetime=30, **cls.options).start()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.server.clear()
        self.client = self.connect()
        self.addCleanup(self.client.close)

    def connect(self, timeout=5):
        return http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=timeout)

    def ask(self, path, body, headers=None, method="POST", client=None):
        """(status, headers, JSON value or bytes); None in headers takes one away."""
        headers = {k: v for k, v in {**HEADERS, **(headers or {})}.items() if v is not None}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        client = client or self.client
        client.request(method, path, data, headers)
        answer = client.getresponse()
        raw = answer.read()
        with contextlib.suppress(ValueError, RecursionError):
            return answer.status, answer.headers, json.loads(raw)
        return answer.status, answer.headers, raw

    def embed(self, provider, *arguments, **more):
        return self.ask(path_of(provider, "embeddings"), embed_body(provider, *arguments, **more))

    def rerank(self, provider, *arguments, **more):
        return self.ask(path_of(provider, "rerank"), rerank_body(provider, *arguments, **more))


class Values(unittest.TestCase):
    def test_vectors(self):
        vector = vector_of("a bat", 300)
        self.assertEqual(len(vector), 300)
        self.assertEqual(vector, struct.unpack("<300f", struct.pack("<300f", *vector)))
        self.assertAlmostEqual(math.hypot(*vector), 1.0, places=6)
        self.assertEqual(vector, vector_of("a bat", 300))
        self.assertNotEqual(vector_of("a bat"), vector_of("a cat"))
        self.assertEqual(len(vector_of("\ud83d\0")), 8)

    def test_scores(self):
        scores = [score_of("bat hero", text) for text in ("Hero, bat!", "a bat", "a dog", "")]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertTrue(all(0 <= score < 1 for score in scores))
        self.assertEqual(len(set(scores)), 4)
        self.assertEqual(logit_of(0.5), 0.0)


class RightRequests(Case):
    def vectors(self, provider, value):
        _, _, items, vector, _, _ = EMBEDDINGS[provider]
        items = at(value, items)
        if vector:
            self.assertEqual([item["index"] for item in items], list(range(len(items))))
        return [at(item, vector) for item in items]

    def test_embeddings(self):
        for provider in PROVIDERS:
            with self.subTest(provider):
                status, headers, value = self.embed(provider)
                self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
                self.assertEqual(self.vectors(provider, value),
                                 [list(vector_of(text)) for text in TEXTS])
        self.assertTrue(all(request.refused is None for request in self.server.requests))

    def test_one_text_as_a_string(self):
        for provider in PROVIDERS:
            status, _, value = self.embed(provider, "a bat")
            with self.subTest(provider):
                if EMBEDDINGS[provider][0] == "texts":
                    self.assertEqual(status, ERRORS[provider][0])
                else:
                    self.assertEqual(self.vectors(provider, value), [list(vector_of("a bat"))])

    def test_dimensions(self):
        for provider, (_, _, _, _, field, _) in EMBEDDINGS.items():
            with self.subTest(provider):
                if field:
                    value = self.embed(provider, **{field: 5})[2]
                    self.assertEqual(self.vectors(provider, value)[0], list(vector_of("a bat", 5)))
        self.assertEqual(self.embed("vllm", dimensions=8)[0], 400)

    def test_base64(self):
        asked = {"jina": {"embedding_type": "base64"}, "cohere": {"embedding_types": ["base64"]}}
        for provider, (_, _, items, vector, _, _) in EMBEDDINGS.items():
            if provider in ("together", "nomic", "ollama", "tei"):
                continue
            with self.subTest(provider):
                fields = asked.get(provider, {"encoding_format": "base64"})
                value = self.embed(provider, **fields)[2]
                text = at(at(value, items.replace("float", "base64"))[1], vector)
                self.assertEqual(struct.unpack("<8f", base64.b64decode(text)), vector_of(TEXTS[1]))

    def test_usage(self):
        pointers = {"cohere": "/meta/billed_units/input_tokens", "ollama": "/prompt_eval_count"}
        for provider in PROVIDERS:
            _, headers, value = self.embed(provider)
            with self.subTest(provider):
                if provider == "tei":
                    self.assertEqual(headers["x-compute-tokens"], "5")
                elif provider == "together":
                    self.assertNotIn("usage", value)
                else:
                    self.assertEqual(at(value, pointers.get(provider, "/usage/total_tokens")), 5)

    def test_rerank(self):
        for provider, (_, limit, items, score, _) in RERANK.items():
            with self.subTest(provider):
                wanted = [(score_of("capital?", text), i) for i, text in enumerate(DOCUMENTS)]
                if provider == "llamacpp":
                    wanted = [(logit_of(value), i) for value, i in wanted]
                wanted.sort(reverse=True)
                value = self.rerank(provider)[2]
                self.assertEqual([(r[score], r["index"]) for r in at(value, items)], wanted)
                if limit:
                    value = self.rerank(provider, **{limit: 2})[2]
                    self.assertEqual([(r[score], r["index"]) for r in at(value, items)], wanted[:2])

    def test_echo(self):
        switches = {"mixedbread": "return_input", "tei": "return_text"}
        for provider, (_, _, items, _, _) in RERANK.items():
            if provider in ("cohere", "vllm", "llamacpp"):
                continue
            switch = switches.get(provider, "return_documents")
            with self.subTest(provider):
                for wanted in (True, False):
                    text = json.dumps(self.rerank(provider, **{switch: wanted})[2])
                    self.assertEqual("Berlin" in text, wanted)
        self.assertIn("Berlin", json.dumps(self.rerank("vllm")[2]))
        self.assertIn("Berlin", json.dumps(self.rerank("jina")[2]))

    def test_objects(self):
        documents = [{"title": "Cats", "text": "They purr."}, {"title": "capital", "text": "Rome"}]
        for provider in ("mixedbread", "litellm"):
            value = self.rerank(provider, documents, rank_fields=["title"])[2]
            self.assertEqual(at(value, RERANK[provider][2])[0]["index"], 1)
        self.assertEqual(self.rerank("together", documents)[0], 400)
        self.assertEqual(self.rerank("together", documents, model="Salesforce/Llama-Rank-V1")[0],
                         200)
        self.assertEqual(self.rerank("voyage", documents)[0], 400)

    def test_odd_texts(self):
        texts = ["nul \0", "half \ud83d", "\u2028 / \x7f", " "]
        value = self.embed("cohere", texts)[2]
        self.assertEqual(value["texts"], texts)
        self.assertEqual(value["embeddings"]["float"], [list(vector_of(text)) for text in texts])
        self.assertEqual(self.embed("ollama", ["a", ""])[2]["embeddings"], [list(vector_of("a"))])
        self.assertEqual(self.embed("ollama", "")[2], {"model": "m", "embeddings": []})
        self.assertEqual(self.embed("openai", ["a", ""])[0], 400)

    def test_connection_stays(self):
        for _ in range(3):
            self.embed("together")
        self.assertEqual(len({request.connection for request in self.server.requests}), 1)
        request = self.server.requests[0]
        self.assertEqual((request.method, request.path, request.provider),
                         ("POST", "/together/v1/embeddings", "together"))
        self.assertEqual(request.headers["authorization"], "Bearer test-key")
        self.assertEqual(request.body, embed_body("together"))
        self.assertEqual(json.loads(request.raw), request.body)


class WrongRequests(Case):
    def refused(self, provider, status, answer, pointer=None):
        got, _, value = answer
        with self.subTest(provider):
            self.assertEqual(got, status, value)
            if got != 401 or provider not in ("tei", "tei-openai"):
                message = at(value, pointer) if pointer else value
                self.assertTrue(message)
            self.assertIsNotNone(self.server.requests[-1].refused)

    def test_keys(self):
        for provider, description in PROVIDERS.items():
            path, body = path_of(provider, "embeddings"), embed_body(provider)
            for value in ("Bearer other", "test-key", "Basic test-key", "Bearer "):
                self.refused(provider, 401, self.ask(path, body, {"Authorization": value}))
            answer = self.ask(path, body, {"Authorization": None})
            if description.key_required:
                self.refused(provider, 401, answer)
            else:
                self.assertEqual(answer[0], 200)

    def test_how_it_is_sent(self):
        for provider in PROVIDERS:
            path, body = path_of(provider, "embeddings"), embed_body(provider)
            self.refused(provider, 415, self.ask(path, body, {"Content-Type": "text/plain"}))
            self.refused(provider, 415, self.ask(path, body, {"Content-Type": None}))
            self.refused(provider, 405, self.ask(path, body, method="PUT"))
            self.refused(provider, 404, self.ask(path + "/x", body))
            self.refused(provider, 411, self.ask_chunked(path, body))
        self.assertEqual(self.ask("/nobody/v1/embeddings", {})[0], 404)

    def ask_chunked(self, path, body):
        pieces = iter([json.dumps(body).encode()])
        self.client.request("POST", path, pieces, HEADERS, encode_chunked=True)
        answer = self.client.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())

    def test_bodies_that_are_not_json(self):
        for provider in PROVIDERS:
            path = path_of(provider, "embeddings")
            for body in (b"", b"{", b"[]", b'"text"', b'{"model":"m"} x', b'{"input":NaN}',
                         b'{"model":"m","model":"m"}', b'{"model":"\xff"}', b"[" * 100000):
                self.refused(provider, 400, self.ask(path, body))

    def test_fields(self):
        for provider, (status, _, pointer) in ERRORS.items():
            path, right = path_of(provider, "embeddings"), embed_body(provider)
            field, others, _, _, dimensions, _ = EMBEDDINGS[provider]
            wrong = [{field: 7}, {field: ["a", 7]}, {field: {"a": 1}}, {field: None}]
            wrong += [{"model": 3}, {"model": None}] if "model" in others and \
                provider != "tei-openai" else []
            wrong += [{dimensions: value} for value in (0, -1, "8", True, 2.5) if dimensions]
            for change in wrong:
                self.refused(provider, status, self.ask(path, {**right, **change}), pointer)
            del right[field]
            self.refused(provider, status, self.ask(path, right), pointer)
            self.assertNotEqual(self.embed(provider, [])[0], 200)

    def test_rerank_fields(self):
        for provider, (field, limit, _, _, _) in RERANK.items():
            status, _, pointer = ERRORS[provider]
            path, right = path_of(provider, "rerank"), rerank_body(provider)
            wrong = [{field: "a"}, {field: [7]}, {"query": ["a"]}, {"query": None}]
            wrong += [{limit: value} for value in ("2", 2.5, True) if limit]
            for change in wrong:
                self.refused(provider, status, self.ask(path, {**right, **change}), pointer)
            for name in ("query", field):
                body = {k: v for k, v in right.items() if k != name}
                self.refused(provider, status, self.ask(path, body), pointer)

    def test_values_of_a_list(self):
        for provider, change in (
                ("cohere", {"input_type": "query"}), ("cohere", {"embedding_types": "float"}),
                ("cohere", {"embedding_types": ["text"]}), ("cohere", {"truncate": "end"}),
                ("voyage", {"encoding_format": "float"}), ("voyage", {"input_type": "passage"}),
                ("openai", {"encoding_format": "int8"}), ("nomic", {"task_type": "query"}),
                ("jina", {"embedding_type": "text"}), ("mistral", {"output_dtype": "text"})):
            self.refused(provider, ERRORS[provider][0], self.embed(provider, **change),
                         ERRORS[provider][2])
        body = {"model": "m", "texts": ["a"]}
        self.refused("cohere", 400, self.ask("/cohere/v2/embed", body), "/message")

    def test_unknown_fields(self):
        refuse = {("openai", "embeddings"), ("together", "rerank")}
        for path, (provider, form) in routes_but_chat():
            body = (embed_body if form.api == "embeddings" else rerank_body)(provider, surprise=1)
            with self.subTest(path):
                self.assertEqual(self.ask(path, body)[0],
                                 400 if (provider, form.api) in refuse else 200)

    def test_too_many(self):
        for provider, (_, _, _, _, _, count) in EMBEDDINGS.items():
            if count:
                _, status, pointer = ERRORS[provider]
                pointer = "/message" if provider == "mistral" else pointer
                self.assertEqual(self.embed(provider, ["a"] * (count - 1))[0], 200)
                self.refused(provider, status, self.embed(provider, ["a"] * count), pointer)
        for provider, (_, _, _, _, count) in RERANK.items():
            if count:
                self.refused(provider, ERRORS[provider][1],
                             self.rerank(provider, ["a"] * count), ERRORS[provider][2])


class Strict(Case):
    options = {"strict": True, "max_inputs": 2, "dimensions": 3}

    def test_options(self):
        for path, (provider, form) in routes_but_chat():
            make = embed_body if form.api == "embeddings" else rerank_body
            with self.subTest(path):
                self.assertEqual(self.ask(path, make(provider, ["a", "b"]))[0], 200)
                self.assertGreaterEqual(self.ask(path, make(provider, ["a", "b", "c"]))[0], 400)
                self.assertGreaterEqual(self.ask(path, make(provider, ["a"], surprise=1))[0], 400)
        self.assertEqual(self.embed("tei", ["a"])[2], [list(vector_of("a", 3))])


def shape(value):
    """The structure of a JSON value: names and types, a list by its first item."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) \
        else type(value).__name__


@unittest.skipUnless(wire_folder(), "RERANK_SHARED names no folder with wire formats")
class Captured(Case):
    def exchanges(self):
        """(file, full path, request, response or None) of every capture whose path is ours."""
        for name in sorted(glob.glob(os.path.join(wire_folder(), "*-*.json"))):
            with open(name, encoding="utf-8") as file:
                record = json.load(file)
            if "request" not in record:
                continue
            for exchange in [record] + (record.get("variants") or []):
                request = exchange.get("request")
                if not request:
                    continue
                base = urllib.parse.urlsplit(request["base_url"]).path
                path = "/" + record["provider"] + base + request["path"]
                tei_form = record["provider"] == "llamacpp" and "texts" in request["body"]
                if path in ROUTES and not tei_form:
                    yield os.path.basename(name), path, request, exchange.get("response")

    def test_requests_are_accepted_and_answers_alike(self):
        count = 0
        for name, path, request, response in self.exchanges():
            count += 1
            with self.subTest(name + " " + json.dumps(request["body"])[:60]):
                status, headers, value = self.ask(path, request["body"])
                self.assertEqual((status, self.server.requests[-1].refused), (200, None))
                if response is None or self.numbers_for_base64(path, request, response):
                    continue
                self.assertEqual(shape(value), shape(response["body"]))
                if "x-compute-tokens" in response["headers"]:
                    self.assertTrue(headers["x-compute-tokens"].isdigit())
        self.assertGreaterEqual(count, 45)

    def numbers_for_base64(self, path, request, response):
        """The SDK asked for base64 and a server that knows none answered numbers."""
        return request["body"].get("encoding_format") == "base64" and path.startswith("/openai/") \
            and isinstance(response["body"]["data"][0]["embedding"], list)

    def test_every_row_of_the_table_is_spoken(self):
        with open(os.path.join(wire_folder(), "providers.json"), encoding="utf-8") as file:
            table = json.load(file)
        for api in ("embeddings", "rerank"):
            for row in table[api]:
                with self.subTest(row["provider"] + " " + api):
                    base = urllib.parse.urlsplit(row["base_url"]).path
                    self.assertEqual(PROVIDERS[row["provider"]].base, base)
                    self.assertEqual(PROVIDERS[row["provider"]].key_required,
                                     row["auth"] == "bearer")
                    name, form = ROUTES["/" + row["provider"] + base + row["path"]]
                    self.assertEqual((name, form.api), (row["provider"], api))
                    for key in ("dimensions", "encoding", "role", "truncation", "limit", "echo",
                                "input", "documents", "query"):
                        if row.get(key):
                            self.assertIn(row[key], form.fields)
                    if row.get("max_inputs_kind", row.get("max_documents_kind")) == "hard":
                        self.assertEqual(form.most, row.get("max_inputs", row.get("max_documents")))

    def test_errors_are_alike(self):
        with open(os.path.join(wire_folder(), "errors.json"), encoding="utf-8") as file:
            errors = json.load(file)["errors"]
        wanted, ours = {}, {}
        for error in errors:
            if error["provider"] in PROVIDERS and isinstance(error["body"], dict):
                key = error["provider"], error["status"]
                wanted.setdefault(key, []).append(self.names(error["body"]))
                ours[key] = [self.names(json.loads(provider_error(
                    key[0], Refusal(kind, "message", "input"), key[1]).body))
                    for kind in ("server", "missing", "many", "key", "path")]
        self.assertGreater(len(wanted), 40)
        for key, shapes in wanted.items():
            with self.subTest(key):
                self.assertTrue(any(one in ours[key] for one in shapes), (shapes, ours[key]))

    def names(self, value):
        """Where texts are in an error; ids, codes and parameters are of either type or absent."""
        if isinstance(value, dict):
            return {k: self.names(v) for k, v in value.items()
                    if k not in ("id", "code", "param", "type", "error_type", "request_id")}
        if isinstance(value, list):
            return [self.names(item) for item in value[:1]]
        return type(value).__name__


if __name__ == "__main__":
    unittest.main()

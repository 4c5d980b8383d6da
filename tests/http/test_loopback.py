"""test_loopback.py: the loopback server answers in every provider's form, refuses what is not in
it, and misbehaves as told. With RERANK_SHARED its answers are held against captured ones."""
import base64
import contextlib
import glob
import gzip
import http.client
import io
import json
import math
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from behaviours import provider_error  # noqa: E402
from dialects import Refusal  # noqa: E402
from loopback import (  # noqa: E402
    BEHAVIOURS, PROVIDERS, ROUTES, Loopback, logit_of, refused_port, score_of, vector_of)

HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer test-key"}
TEXTS = ["a bat", "ein Käfer", "猫"]
DOCUMENTS = ["Paris is the capital of France.", "Berlin is in Germany.", "The capital: Rome?"]
SLOW_SECONDS = 1.0

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
                value = self.embed(provider, **asked.get(provider, {"encoding_format": "base64"}))[2]
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
        for path, (provider, form) in ROUTES.items():
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
        for path, (provider, form) in ROUTES.items():
            make = embed_body if form.api == "embeddings" else rerank_body
            with self.subTest(path):
                self.assertEqual(self.ask(path, make(provider, ["a", "b"]))[0], 200)
                self.assertGreaterEqual(self.ask(path, make(provider, ["a", "b", "c"]))[0], 400)
                self.assertGreaterEqual(self.ask(path, make(provider, ["a"], surprise=1))[0], 400)
        self.assertEqual(self.embed("tei", ["a"])[2], [list(vector_of("a", 3))])


def data(check):
    """A behaviour whose answer is JSON: check(data[] of two texts)."""
    return lambda case: case.assertTrue(check(case.embed("together", ["a", "b"])[2]["data"]))


def raw(check):
    """check(status, bytes or JSON)."""
    def run(case):
        status, _, value = case.embed("together", ["a", "b"])
        case.assertTrue(check(status, value), value)
    return run


def fails(*errors):
    def run(case):
        with case.assertRaises(errors):
            case.embed("together")
    return run


def still_right(case):
    value = case.embed("together", ["a", "b"])[2]
    case.assertEqual([item["embedding"] for item in value["data"]],
                     [list(vector_of("a")), list(vector_of("b"))])


def right_and_closed(case):
    still_right(case)
    with case.assertRaises((OSError, http.client.HTTPException)):
        case.client.auto_open = 0
        case.embed("together")


def starts(timeout, count):
    """Begins an answer; `count` bytes of its body come in time, then none for a while."""
    def run(case):
        client = case.connect(timeout)
        client.request("POST", "/together/v1/embeddings", json.dumps(embed_body("together")),
                       HEADERS)
        with contextlib.closing(client.sock):
            answer = client.getresponse()
            case.assertEqual(len(answer.read(count)), count)
            with case.assertRaises(TimeoutError):
                answer.read(1)
    return run


def silent(case):
    client = case.connect(0.1)
    with contextlib.closing(client), case.assertRaises(TimeoutError):
        case.ask("/together/v1/embeddings", embed_body("together"), client=client)


def begin(case):
    """An answer whose body is still to be read."""
    case.client.request("POST", "/together/v1/embeddings", json.dumps(embed_body("together")),
                        HEADERS)
    return case.client.getresponse()


def floods(length):
    def run(case):
        answer = begin(case)
        case.assertEqual(answer.headers["Content-Length"], length)
        case.assertEqual(len(answer.read(5000000)), 5000000)
    return run


def unsorted(case):
    def order(value):
        return [item["index"] for item in value["results"]]
    wrong = order(case.rerank("cohere")[2])
    case.assertNotEqual(wrong, order(case.rerank("cohere")[2]))


def limit_ignored(case):
    indexes = [item["index"] for item in case.rerank("llamacpp", top_n=1)[2]["results"]]
    case.assertEqual(indexes, [0, 1, 2])


def zipped(case):
    _, headers, value = case.embed("together")
    case.assertEqual(headers["Content-Encoding"], "gzip")
    case.assertEqual(len(json.loads(gzip.decompress(value))["data"]), 3)


def bombed(case):
    _, headers, value = case.embed("together")
    case.assertEqual(headers["Content-Encoding"], "gzip")
    case.assertLess(len(value), 1 << 20)
    with gzip.GzipFile(fileobj=io.BytesIO(value)) as file:
        case.assertEqual(file.read(1 << 24), b" " * (1 << 24))


def redirected(case):
    status, headers, _ = case.embed("together")
    case.assertEqual((status, headers["Location"]), (302, case.server.url + "/redirected"))


def marked(case):
    case.assertTrue(begin(case).read().startswith(b'\xef\xbb\xbf{"object"'))


def dripping(case):
    answer, start = begin(case), time.monotonic()
    case.assertEqual(answer.read(2), b'{"')
    case.assertGreater(time.monotonic() - start, 0.2)


def old(case):
    answer = begin(case)
    case.assertEqual((answer.version, answer.headers["Content-Length"]), (10, None))
    case.assertEqual(len(json.loads(answer.read())["data"]), 3)


def interim(case):
    with socket.create_connection(("127.0.0.1", case.server.port), 1) as sock:
        body = json.dumps(embed_body("together")).encode()
        sock.sendall(b"POST /together/v1/embeddings HTTP/1.1\r\nConnection: close\r\n"
                     b"Content-Type: application/json\r\nAuthorization: Bearer test-key\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    case.assertTrue(answer.startswith(b"HTTP/1.1 103 "))
    case.assertIn(b"\r\n\r\nHTTP/1.1 200 ", answer)


def last(items):
    return items[1]["embedding"]


CHECKS = {
    "one_too_few": data(lambda items: len(items) == 1),
    "one_too_many": data(lambda items: len(items) == 3),
    "no_items": data(lambda items: items == []),
    "duplicate_index": data(lambda items: [i["index"] for i in items] == [0, 0]),
    "missing_index": data(lambda items: "index" in items[0] and "index" not in items[1]),
    "index_out_of_range": data(lambda items: items[1]["index"] > 1),
    "index_negative": data(lambda items: items[1]["index"] == -1),
    "index_fraction": data(lambda items: items[1]["index"] == 0.5),
    "index_text": data(lambda items: items[1]["index"] == "0"),
    "index_huge": data(lambda items: items[1]["index"] == math.inf),
    "nan": data(lambda items: math.isnan(last(items)[4])),
    "huge": data(lambda items: last(items)[4] == math.inf),
    "null": data(lambda items: last(items)[4] is None),
    "text": data(lambda items: last(items)[4] == "0.5"),
    "missing_value": data(lambda items: "embedding" not in items[1]),
    "null_value": data(lambda items: last(items) is None),
    "empty_vector": data(lambda items: last(items) == []),
    "zero_vector": data(lambda items: last(items) == [0] * 8),
    "wrong_dimensions": data(lambda items: [len(i["embedding"]) for i in items] == [9, 9]),
    "mixed_dimensions": data(lambda items: [len(i["embedding"]) for i in items] == [8, 7]),
    "base64": data(lambda items: [len(base64.b64decode(i["embedding"])) for i in items] == [32] * 2),
    "base64_odd": data(lambda items: len(base64.b64decode(last(items))) == 33),
    "base64_bad": data(lambda items: last(items)[0] == "*"),
    "swapped": data(lambda items: [i["index"] for i in items] == [1, 0]
                    and last(items) == list(vector_of("a"))),
    "unsorted": unsorted,
    "limit_ignored": limit_ignored,
    "not_json": raw(lambda status, value: status == 200 and isinstance(value, bytes)),
    "truncated_json": raw(lambda status, value: status == 200 and value[:1] == b"{"),
    "trailing_bytes": raw(lambda status, value: value.endswith(b"} x")),
    "deep_nesting": raw(lambda status, value: value == b"[" * 100000 + b"]" * 100000),
    "invalid_utf8": raw(lambda status, value: b"\xff\xfe" in value),
    "byte_order_mark": marked,
    "nul_byte": raw(lambda status, value: b"\0" in value),
    "empty_body": raw(lambda status, value: (status, value) == (200, b"")),
    "empty_object": raw(lambda status, value: (status, value) == (200, {})),
    "empty_array": raw(lambda status, value: (status, value) == (200, [])),
    "error_200": raw(lambda status, value: status == 200 and value["error"]["message"]),
    "html": raw(lambda status, value: status == 200 and value.startswith(b"<html>")),
    "html_502": raw(lambda status, value: status == 502 and value.startswith(b"<html>")),
    "text_type": still_right,
    "redirect": redirected,
    "no_content": raw(lambda status, value: (status, value) == (204, b"")),
    "key_echo": raw(lambda status, value: status == 401
                    and "test-key" in value["error"]["message"]),
    "gzip": zipped,
    "gzip_bomb": bombed,
    "reset": fails(ConnectionResetError),
    "reset_middle": fails(ConnectionResetError, http.client.IncompleteRead),
    "close": fails(http.client.RemoteDisconnected),
    "close_middle": fails(http.client.IncompleteRead),
    "close_after": right_and_closed,
    "silence": silent,
    "silence_after_head": starts(0.1, 0),
    "drip": dripping,
    "flood": floods("10000000000"),
    "flood_chunked": floods(None),
    "flood_head": fails(http.client.HTTPException),
    "http10": old,
    "chunked": still_right,
    "pieces": still_right,
    "interim": interim,
    "not_http": fails(http.client.BadStatusLine),
}


class Behaviours(Case):
    def test_each_does_what_its_name_says(self):
        self.assertEqual(set(CHECKS), set(BEHAVIOURS))
        for name, check in CHECKS.items():
            with self.subTest(name):
                self.server.behave([{"do": name, "interval": 0.3 if name == "drip" else 1}])
                start = time.monotonic()
                check(self)
                self.assertLess(time.monotonic() - start, SLOW_SECONDS)
                self.client.close()
                self.client = self.connect()

    def test_after_each_the_server_still_serves(self):
        still_right(self)

    def test_drip_is_a_byte_a_second(self):
        self.server.behave(["drip"])
        starts(0.3, 1)(self)

    def test_scores(self):
        for name, wanted in (("null", None), ("huge", math.inf), ("text", "0.5"),
                             ("missing_value", "absent"), ("null_value", None)):
            self.server.behave([name])
            item = self.rerank("cohere")[2]["results"][-1]
            with self.subTest(name):
                self.assertEqual(item.get("relevance_score", "absent"), wanted)
        self.server.behave(["nan"])
        self.assertTrue(math.isnan(self.rerank("tei")[2][-1]["score"]))

    def test_rows_of_every_provider(self):
        for path, (provider, form) in ROUTES.items():
            make = embed_body if form.api == "embeddings" else rerank_body
            right = self.ask(path, make(provider))[2]
            with self.subTest(path):
                for name in ("one_too_few", "nan", "wrong_dimensions", "unsorted", "index_huge"):
                    self.server.behave([name])
                    status, _, value = self.ask(path, make(provider))
                    self.assertEqual(status, 200)
                    nothing = (name == "index_huge" and not form.indexed
                               or name == "unsorted" and form.api == "embeddings"
                               or name == "wrong_dimensions" and form.api == "rerank")
                    self.assertEqual(value == right, nothing)

    def test_statuses(self):
        for provider in PROVIDERS:
            for status in (400, 401, 408, 429, 500, 503, 529):
                self.server.behave([{"status": status, "headers": {"Retry-After": "1"}}])
                got, headers, _ = self.embed(provider)
                self.assertEqual((got, headers["Retry-After"]), (status, "1"))
        self.server.behave([{"status": 500, "body": '{"error": {"mess'},
                            {"status": 429, "body": ""}, {"status": 200, "body": {"data": []}}])
        self.assertEqual(self.embed("voyage")[::2], (500, b'{"error": {"mess'))
        self.assertEqual(self.embed("voyage")[::2], (429, b""))
        self.assertEqual(self.embed("voyage")[::2], (200, {"data": []}))

    def test_steps(self):
        self.server.behave([{"status": 503, "times": 2}, {"do": "html", "match": "beetle"},
                            {"status": 500, "match": "/cohere/", "times": "forever"}])
        self.assertEqual([self.embed("voyage")[0] for _ in range(3)], [503, 503, 200])
        self.assertEqual(self.embed("voyage", ["a beetle"])[2][:6], b"<html>")
        self.assertEqual([self.embed("cohere")[0] for _ in range(4)], [500] * 4)
        self.assertEqual(self.embed("voyage", ["a beetle"])[0], 200)
        self.server.behave([{"do": ["swapped", "base64", "chunked"], "delay": 0.05}])
        start = time.monotonic()
        items = self.embed("voyage", ["a", "b"])[2]["data"]
        self.assertGreaterEqual(time.monotonic() - start, 0.05)
        self.assertEqual([item["index"] for item in items], [1, 0])
        self.assertIsInstance(items[0]["embedding"], str)
        self.assertEqual(self.server.requests[-1].step["delay"], 0.05)
        for step in ("no such", {"do": ["html", "no such"]}, {"stat": 500}):
            with self.assertRaises(ValueError):
                self.server.behave([step])

    def test_redirect_elsewhere(self):
        self.server.behave([{"do": "redirect", "location": "http://127.0.0.1:1/"}])
        self.assertEqual(self.embed("voyage")[1]["Location"], "http://127.0.0.1:1/")

    def test_control(self):
        self.assertEqual(self.ask("/loopback/behave", [{"status": 418}])[0], 200)
        self.assertEqual(self.embed("voyage")[0], 418)
        self.assertEqual(self.ask("/loopback/behave", ["no such"])[0], 400)
        requests = self.ask("/loopback/requests", b"", method="GET")[2]
        self.assertEqual([request["path"] for request in requests], ["/voyage/v1/embeddings"])
        self.assertEqual(self.ask("/loopback/clear", {})[0], 200)
        self.assertEqual(self.server.requests, [])


class Bounds(unittest.TestCase):
    def ask(self, server, client=None):
        client = client or http.client.HTTPConnection("127.0.0.1", server.port, timeout=2)
        with contextlib.closing(client):
            client.request("POST", "/tei/embed", b'{"inputs":"a"}', HEADERS)
            return client.getresponse().read()

    def test_peak(self):
        with Loopback(delay=0.1) as server:
            threads = [threading.Thread(target=self.ask, args=(server,)) for _ in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(2)
            self.assertEqual((server.peak, server.connections, len(server.requests)), (5, 5, 5))
            server.clear()
            self.ask(server)
            self.assertEqual((server.peak, len(server.requests)), (1, 1))

    def test_peak_counts_nobody_twice(self):
        with Loopback() as server:
            clients = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=2)
                       for _ in range(2)]
            for turn in range(300):
                clients[turn % 2].request("POST", "/tei/embed", b'{"inputs":"a"}', HEADERS)
                clients[turn % 2].getresponse().read()
            for client in clients:
                client.close()
            self.assertEqual(server.peak, 1)

    def test_number_of_requests(self):
        with Loopback(max_requests=2) as server:
            self.ask(server)
            self.ask(server)
            with self.assertRaises((OSError, http.client.HTTPException)):
                self.ask(server)
            server.stopping.wait(1)
            self.assertTrue(server.stopping.is_set())

    def test_lifetime(self):
        with Loopback(lifetime=0.2) as server:
            self.ask(server)
            self.assertTrue(server.stopping.wait(1))

    def test_closing_ends_what_is_held(self):
        server = Loopback().start()
        server.behave([{"do": "silence"}])
        with self.assertRaises(TimeoutError):
            self.ask(server, http.client.HTTPConnection("127.0.0.1", server.port, timeout=0.1))
        client = socket.create_connection(("127.0.0.1", server.port), 1)
        start = time.monotonic()
        server.close()
        self.assertLess(time.monotonic() - start, SLOW_SECONDS)
        with contextlib.closing(client), contextlib.suppress(ConnectionResetError):
            self.assertEqual(client.recv(1), b"")

    def test_refused_port(self):
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", refused_port()), 1)


class Tls(unittest.TestCase):
    def ask(self, server, ca_file):
        context = ssl.create_default_context(cafile=ca_file)
        client = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=2, context=context)
        with contextlib.closing(client):
            client.request("POST", "/tei/embed", b'{"inputs":"a"}', HEADERS)
            return json.loads(client.getresponse().read())

    def test_certificates(self):
        for kind, reason in (("good", ""), ("selfsigned", "self.signed"),
                             ("wronghost", "not valid for"), ("expired", "expired")):
            with self.subTest(kind), Loopback(tls=kind) as server:
                self.assertTrue(server.url.startswith("https://"))
                if kind == "good":
                    self.assertEqual(self.ask(server, server.ca_file), [list(vector_of("a"))])
                    reason = "unable to get local issuer|self.signed"
                with self.assertRaisesRegex(ssl.SSLCertVerificationError, reason):
                    self.ask(server, server.ca_file if kind != "good" else None)
                folder = os.path.dirname(server.ca_file)
                self.assertTrue(os.path.isdir(folder))
            self.assertFalse(os.path.isdir(folder))

    def test_misbehaviour(self):
        with Loopback(tls="good") as server:
            for name in ("reset", "reset_middle", "close", "close_middle"):
                server.behave([name])
                with self.subTest(name), self.assertRaises((OSError, http.client.HTTPException)):
                    self.ask(server, server.ca_file)


class Program(unittest.TestCase):
    def start(self, *arguments):
        process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "loopback.py"), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait, 5)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().split()

    def test_it_serves(self):
        process, (port,) = self.start("--delay-ms", "50", "--dimensions", "2", "--behave",
                                      '[{"status": 503}]')
        start = time.monotonic()
        for status in (503, 200):
            client = http.client.HTTPConnection("127.0.0.1", int(port), timeout=2)
            with contextlib.closing(client):
                client.request("POST", "/tei/embed", b'{"inputs":"a"}', HEADERS)
                self.assertEqual(client.getresponse().status, status)
        self.assertGreaterEqual(time.monotonic() - start, 0.1)
        process.stdin.close()
        self.assertEqual(process.wait(2), 0)

    def test_it_ends(self):
        process, _ = self.start()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(2), 0)
        process, (_, ca_file) = self.start("--lifetime", "0.2", "--tls", "good")
        self.assertEqual(process.wait(2), 0)
        self.assertFalse(os.path.exists(ca_file))


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

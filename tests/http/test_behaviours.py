"""test_behaviours.py: each behaviour of the loopback server does what its name says, in bounded
time; steps, bounds, certificates and the program."""
import base64
import contextlib
import gzip
import http.client
import io
import json
import math
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from behaviours import bomb  # noqa: E402
from chat import CHATS  # noqa: E402
from loopback import BEHAVIOURS, PROVIDERS, Loopback, refused_port, vector_of  # noqa: E402
from test_loopback import HEADERS, Case, embed_body, rerank_body, routes_but_chat  # noqa: E402

SLOW_SECONDS = 1.0


def data(check):
    """A behaviour whose answer is JSON: check(data[] of two texts)."""
    return lambda case: case.assertTrue(check(case.embed("together", ["a", "b"])[2]["data"]))


def raw(check):
    """check(status, bytes or JSON)."""
    def run(case):
        status, _, value = case.embed("together", ["a", "b"])
        case.assertTrue(check(status, value), value)
    return run


def fails(error):
    """Exactly this error: a connection that is closed is not one that is reset."""
    def run(case):
        with case.assertRaises(error) as caught:
            case.embed("together")
        case.assertIs(type(caught.exception), error)
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
    "base64": data(lambda items: all(len(base64.b64decode(i["embedding"])) == 32 for i in items)),
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
    "reset_middle": fails(ConnectionResetError),
    "close": fails(http.client.RemoteDisconnected),
    "close_middle": fails(http.client.IncompleteRead),
    "close_after": right_and_closed,
    "silence": silent,
    "silence_after_head": starts(0.1, 0),
    "drip": dripping,
    "flood": floods("10000000000"),
    "flood_chunked": floods(None),
    "flood_head": fails(http.client.HTTPException),
    "flood_line": fails(http.client.LineTooLong),
    "flood_status": fails(http.client.LineTooLong),
    "http10": old,
    "chunked": still_right,
    "pieces": still_right,
    "interim": interim,
    "not_http": fails(http.client.BadStatusLine),
}


class Behaviours(Case):
    def test_each_does_what_its_name_says(self):
        self.assertEqual(set(CHECKS) | set(CHATS), set(BEHAVIOURS))  # test_chat.py has CHATS
        bomb()  # made once
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
        for path, (provider, form) in routes_but_chat():
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

    def test_who_has_an_answer_is_not_counted(self):
        with Loopback() as server:
            leave = server.leave
            server.leave = lambda: (time.sleep(0.02), leave())
            for _ in range(5):
                self.ask(server)
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


if __name__ == "__main__":
    unittest.main()

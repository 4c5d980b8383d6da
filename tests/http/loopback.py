#!/usr/bin/env python3
"""loopback.py: an HTTP server on 127.0.0.1 that answers as an embeddings or rerank provider, and
misbehaves on command.

    with Loopback(dimensions=8) as server:
        server.base_url("voyage")              http://127.0.0.1:PORT/voyage/v1
        server.behave([{"status": 429, "headers": {"Retry-After": "1"}}, "reset_middle",
                       {"do": ["swapped", "gzip"], "times": 2, "delay": 0.1, "match": "text 7"}])
        server.requests[0].body, server.peak

    python3 loopback.py --delay-ms 50 --lifetime 60     prints its port and serves

The first segment of a path is the provider, what follows is the provider's own path (dialects.py).
A program in another language gives steps with POST /loopback/behave (a JSON array) and reads what
was asked with GET /loopback/requests; neither is counted or recorded.

Steps and behaviours are described in behaviours.py.

Threads: one accepts, one serves each connection; what tests read is behind one lock. Nothing
outlives `lifetime` seconds or `max_requests` requests.
"""
import argparse
import atexit
import contextlib
import copy
import dataclasses
import functools
import json
import os
import select
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from behaviours import (  # noqa: E402
    ANSWERS, BEHAVIOURS, SENDERS, Answer, change_rows, parse_step, provider_error, send_whole)
from chat import CHATS  # noqa: E402
from dialects import PROVIDERS, ROUTES, fill, judge  # noqa: E402
from forms import KEYS, Refusal, dump, logit_of, score_of, to_base64, vector_of  # noqa: E402

__all__ = ["BEHAVIOURS", "KEYS", "Loopback", "PROVIDERS", "ROUTES", "logit_of", "refused_port",
           "score_of", "to_base64", "vector_of"]

MAX_HEAD_LINES = 200
MAX_LINE_BYTES = 1 << 16
MAX_BODY_BYTES = 1 << 26


@dataclasses.dataclass
class Request:
    """One recorded request."""
    method: str
    path: str
    headers: dict  # lower-case names
    raw: bytes
    body: Any  # parsed JSON; None when it is not JSON
    time: float  # time.monotonic() when it had been read
    connection: int  # 1 for the first connection
    provider: str  # the first segment of the path
    refused: Any = None  # why it is not in the provider's form; None when it is
    step: Any = None  # the step that it took
    judged: Any = dataclasses.field(default=None, repr=False)  # what judge() found


# ---- one connection -----------------------------------------------------------------------------


class Gone(Exception):
    """The client or the server has left."""


class Link:
    """One connection: reads requests, has them answered."""

    def __init__(self, server, sock, number):
        self.server, self.sock, self.number = server, sock, number
        self.reader = sock.makefile("rb")

    def stopped(self):
        return self.server.stopping.is_set()

    def send(self, data):
        self.sock.sendall(data)

    def wait(self, seconds):
        """Waits; True when the server stops or the client goes (or says something) before."""
        deadline = time.monotonic() + seconds
        while not self.stopped():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if select.select([self.sock], [], [], min(left, 0.1))[0]:
                return True
        return True

    def reset(self):
        """Closing now sends RST in place of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def read_line(self):
        line = self.reader.readline(MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise Gone()
        return line.rstrip(b"\r\n").decode("latin-1")

    def read_exactly(self, size):
        data = self.reader.read(size) if 0 <= size <= MAX_BODY_BYTES else b""
        if len(data) != size:
            raise Gone()
        return data

    def read_chunks(self):
        data = b""
        while len(data) <= MAX_BODY_BYTES:
            size = int(self.read_line().split(";")[0], 16)
            data += self.read_exactly(size)
            while self.read_line() and size == 0:
                pass  # trailers
            if size == 0:
                return data
        raise Gone()

    def read_request(self):
        method, path, _version = self.read_line().split(" ", 2)
        headers = {}
        for line in iter(self.read_line, ""):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
            if len(headers) > MAX_HEAD_LINES:
                raise Gone()
        if headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            raw = self.read_chunks()
        else:
            raw = self.read_exactly(int(headers.get("content-length", 0)))
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            body = None
        return Request(method, path, headers, raw, body, time.monotonic(), self.number,
                       path.split("/")[1] if path.startswith("/") else "")

    def serve(self):
        stays = True
        while stays and not self.stopped():
            request = self.read_request()
            if request.provider == "loopback":
                stays = send_whole(self, self.server.control(request), {})
                continue
            if not self.server.enter(request):
                return
            stays = self.respond(request)
            stays = stays and request.headers.get("connection", "").lower() != "close"

    def respond(self, request):
        try:
            answer, send, step = self.prepare(request)
            if send is not send_whole:
                return send(self, answer, step)
        finally:
            self.server.leave()  # before the client can know, and ask for more
        return send(self, answer, step)

    def prepare(self, request):
        step = request.step or {"do": []}
        answer = self.server.answer(request, step)
        send = send_whole
        for name in step["do"]:
            if name in ANSWERS:
                answer = ANSWERS[name](answer, request)
            send = SENDERS.get(name, send)
        if "redirect" in step["do"]:
            answer.headers["Location"] = step.get("location", self.server.url + "/redirected")
        self.server.stopping.wait(self.server.delay + step.get("delay", 0))
        return answer, send, step


# ---- the server ---------------------------------------------------------------------------------


class Loopback:
    """The server; a context manager, or start() and close()."""

    def __init__(self, dimensions=8, delay=0.0, lifetime=120.0, max_requests=1000000,
                 strict=False, max_inputs=0, tls=None):
        """strict: fields that are not in the table are refused for every provider. max_inputs:
        texts a request, in place of the provider's own limit. tls: "good", "selfsigned",
        "wronghost" or "expired"."""
        self.dimensions, self.delay, self.lifetime = dimensions, delay, lifetime
        self.max_requests, self.strict, self.max_inputs = max_requests, strict, max_inputs
        self.tls, self.ca_file, self.port, self.url = tls, None, 0, None
        self.peak = self.connections = self.tls_failures = self.served = 0
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._requests, self._steps, self._links = [], [], set()
        self._in_flight, self._folder, self._context = 0, None, None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def start(self):
        if self.tls:
            self._folder = tempfile.mkdtemp(prefix="loopback-")
            self.ca_file, chain, key = make_certificates(self._folder, self.tls)
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(chain, key)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._listener.settimeout(0.2)
        self.port = self._listener.getsockname()[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if self.tls else "http", self.port)
        self._deadline = time.monotonic() + self.lifetime
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def close(self):
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._acceptor.join(5)
        with self._lock:
            links = list(self._links)
        for sock, _ in links:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for _, thread in links:
            thread.join(1)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def base_url(self, provider):
        """What a client is given as the provider's base URL."""
        return "%s/%s%s" % (self.url, provider, PROVIDERS[provider].base)

    @property
    def requests(self):
        with self._lock:
            return list(self._requests)

    def behave(self, steps):
        """What the next requests meet; steps that were left are forgotten."""
        steps = [parse_step(step) for step in steps]
        with self._lock:
            self._steps = steps

    def clear(self):
        """Forgets requests, steps and the peak."""
        with self._lock:
            self._requests, self._steps, self.peak = [], [], self._in_flight

    # what Link calls

    def enter(self, request):
        """Records a request and gives it its step; False when there were enough."""
        try:
            request.judged = judge(request.path, request.method, request.headers, request.raw,
                                   self.strict, self.max_inputs)
        except Refusal as refusal:
            request.refused, request.judged = refusal.message, refusal
        with self._lock:
            self.served += 1
            if self.served > self.max_requests:
                self.stopping.set()
                return False
            for step in self._steps:
                match = step.get("match", "")
                if match in request.path or match.encode() in request.raw:
                    request.step = copy.deepcopy(step)
                    if step.get("times", 1) != "forever":
                        step["times"] = step.get("times", 1) - 1
                    break
            self._steps = [step for step in self._steps if step.get("times", 1) != 0]
            self._requests.append(request)
            self._in_flight += 1
            self.peak = max(self.peak, self._in_flight)
        return True

    def leave(self):
        with self._lock:
            self._in_flight -= 1

    def answer(self, request, step):
        """The answer before behaviours of the whole answer and of its sending."""
        if "status" in step:
            refusal = Refusal("server", "told to answer %d" % step["status"])
            answer = provider_error(request.provider, refusal, step["status"])
            if "body" in step:
                body = step["body"]
                body = body if isinstance(body, (str, bytes)) else dump(body)
                answer.body = body if isinstance(body, bytes) else body.encode()
            answer.headers.update(step.get("headers", {}))
            return answer
        if isinstance(request.judged, Refusal):
            return provider_error(request.provider, request.judged)
        name, form, body = request.judged
        value, headers = fill(name, form, body, self.dimensions, change_rows(step["do"], form),
                              cut="limit_ignored" not in step["do"])
        for change in step["do"] if form.api == "chat" else []:
            value = CHATS.get(change, lambda answer: answer)(value)
        return Answer(200, {"Content-Type": "application/json", **headers,
                            **step.get("headers", {})}, dump(value).encode())

    def control(self, request):
        """The server's own paths, for programs in other languages."""
        value, status = {"ok": True}, 200
        if request.path == "/loopback/behave" and isinstance(request.body, list):
            try:
                self.behave(request.body)
            except (ValueError, TypeError, AttributeError) as error:
                value, status = {"error": str(error)}, 400
        elif request.path == "/loopback/clear":
            self.clear()
        elif request.path == "/loopback/requests":
            value = [{"method": r.method, "path": r.path, "headers": r.headers, "body": r.body,
                      "time": r.time, "connection": r.connection, "refused": r.refused}
                     for r in self.requests]
        else:
            value, status = {"error": "no such path"}, 404
        return Answer(status, {"Content-Type": "application/json"}, dump(value).encode())

    def _accept(self):
        while not self.stopping.is_set() and time.monotonic() < self._deadline:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                continue
            with self._lock:
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(sock, self.connections),
                                          daemon=True)
            thread.start()
        self.stopping.set()
        self._listener.close()

    def _serve(self, sock, number):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(max(0.1, self._deadline - time.monotonic()))
        if self._context:
            try:
                sock = self._context.wrap_socket(sock, server_side=True)
            except (OSError, ValueError):
                with self._lock:
                    self.tls_failures += 1
                sock.close()
                return
        entry = (sock, threading.current_thread())
        with self._lock:
            self._links.add(entry)
        link = Link(self, sock, number)
        try:
            link.serve()
        except (OSError, ValueError, Gone):
            pass  # the client went, or does not speak HTTP
        finally:
            with self._lock:
                self._links.discard(entry)
            with contextlib.suppress(OSError):
                link.reader.close()  # or the socket would stay open
            sock.close()


# ---- certificates, ports, the program -----------------------------------------------------------


def openssl(folder, *arguments):
    subprocess.run(("openssl",) + arguments, cwd=folder, check=True, timeout=30,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_certificates(folder, kind):
    """(CA file, certificate file, key file) for 127.0.0.1 and localhost, but for what is wrong."""
    if kind not in ("good", "selfsigned", "wronghost", "expired"):
        raise ValueError("no such kind of certificate: %s" % kind)
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    names = "DNS:elsewhere.invalid" if kind == "wronghost" else "IP:127.0.0.1,DNS:localhost"
    path = functools.partial(os.path.join, folder)
    with open(path("names"), "w", encoding="ascii") as file:
        file.write("subjectAltName=%s\n" % names)
    openssl(folder, "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=loopback test CA")
    openssl(folder, "req", *new_key, "-keyout", "key", "-out", "request", "-subj", "/CN=loopback")
    signer = ("-signkey", "key") if kind == "selfsigned" else (
        "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7")
    openssl(folder, "x509", "-req", "-in", "request", *signer, "-extfile", "names", "-days",
            "-1" if kind == "expired" else "2", "-out", "chain")
    return path("ca.pem"), path("chain"), path("key")


def refused_port():
    """A port of 127.0.0.1 that is taken but where nothing listens."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    atexit.register(sock.close)
    return sock.getsockname()[1]


def watch_input(stopping):
    """Stops the server when the pipe or terminal it was started with closes."""
    mode = os.fstat(0).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(0)):
        return
    while os.read(0, 4096):
        pass
    stopping.set()


def main():
    parser = argparse.ArgumentParser(description="prints its port (and CA file) and serves")
    parser.add_argument("--delay-ms", type=float, default=0, help="before every answer")
    parser.add_argument("--lifetime", type=float, default=60, help="seconds")
    parser.add_argument("--dimensions", type=int, default=8)
    parser.add_argument("--max-requests", type=int, default=1000000)
    parser.add_argument("--max-inputs", type=int, default=0)
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--tls", choices=["good", "selfsigned", "wronghost", "expired"])
    parser.add_argument("--behave", type=json.loads, default=[], help="steps, as a JSON array")
    options = parser.parse_args()
    server = Loopback(options.dimensions, options.delay_ms / 1000, options.lifetime,
                      options.max_requests, options.strict, options.max_inputs, options.tls)
    server.behave(options.behave)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stopping.set())
    with server:
        print(server.port, *([server.ca_file] if server.ca_file else []), flush=True)
        threading.Thread(target=watch_input, args=(server.stopping,), daemon=True).start()
        server.stopping.wait(options.lifetime)


if __name__ == "__main__":
    main()

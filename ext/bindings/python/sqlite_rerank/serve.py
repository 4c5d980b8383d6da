"""serve.py: a page to search the indexes of a file with, and to see why a row ranks where it does.

    python3 -m sqlite_rerank.serve FILE [--port N]

It serves this machine alone: 127.0.0.1, requests to that name only, and none that another site's
page sends. It reads the file and never writes it (readonly.py). Three things can be asked for:

    GET  /         the page: page.html, which loads nothing else
    GET  /indexes  the file's indexes, and the statements with which the page searches each
    POST /sql      {"sql", "values", "most", "mark", "index"}, of which sql is needed
                   -> {"columns", "rows", "more", "seconds", "marks": [[row, column, text], ...]}

All that the page shows it asks for by SQL, `most` rows of it. `mark` is a query: the words of it
that answered in `index` are marked in texts. What cannot be done is answered by {"error"}.
"""
import argparse
import base64
import contextlib
import hashlib
import json
import os
import queue
import re
import select
import socket
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, Iterator, List, Optional

from .marks import Marker, words_of
from .readonly import MAX_ROWS, SECONDS, Answer, Index, Reader, Refused
from .sqltext import literal, quoted

PORT = 8765
MAX_BODY = 200_000
MAX_POINTS = 5000
FEW = 10  # rows that may all have a word
KEPT_READERS = 4


class Failure(Exception):
    """An answer that is no success: its status, and what the body says."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


# ---- what the page asks --------------------------------------------------------------------------

def describe(index: Index, functions: List[str]) -> Dict[str, Any]:
    """What the page knows of an index. :query, :key and :index are bound by whoever runs them."""
    name, texts = quoted(index.name), [quoted(column) for column in index.texts]
    columns = ", ".join(["rowid", "rank", *texts, *index.scores, "relevance"])
    model = literal(index.model or "")
    about = {
        "name": index.name, "texts": index.texts,
        "search": f"SELECT {columns}\n  FROM {name}(:query)\n ORDER BY relevance DESC",
        "document": f"SELECT * FROM {name} WHERE rowid = CAST(:key AS INTEGER)",
        "status": "SELECT rows, model, advice, problem FROM semantic_status(:index)"}
    if "semantic_map" in functions:
        about["map"] = (
            f"SELECT i.rowid, m.x, m.y, substr(i.{texts[0]}, 1, 100) "
            f"FROM semantic_map(:index, {MAX_POINTS}) AS m "
            f"JOIN {name} AS i ON i.{quoted(index.key)} = m.key")
    if "vector_barcode" in functions:
        about["barcodes"] = (
            f"SELECT vector_barcode(embed(:query, {model}, 'query'), 'svg'), "
            f"(SELECT vector_barcode(embedding, 'svg') FROM {name} "
            "WHERE rowid = CAST(:key AS INTEGER))")
    return about


class Session:
    """A connection of the page, and what marks words for it."""

    def __init__(self, file: str, seconds: float) -> None:
        self.reader = Reader(file, seconds)
        self.marker = Marker()

    def close(self) -> None:
        self.reader.close()
        self.marker.close()

    def indexes(self) -> List[Dict[str, Any]]:
        names = "SELECT name FROM pragma_function_list UNION SELECT name FROM pragma_module_list"
        functions = [name for name, in self.reader.read(names, {}, 10_000).rows]
        return [describe(index, functions) for index in self.reader.indexes()]

    def marks(self, answer: Answer, query: str, index: str) -> List[List[Any]]:
        """[row, column, text with marks] of each text that has a word that answered."""
        tokenizer = next((found.tokenizer for found in self.reader.indexes()
                          if found.name == index), None)
        if tokenizer is None:
            return []
        width = len(answer.columns)
        texts = {number * width + column: value for number, row in enumerate(answer.rows)
                 for column, value in enumerate(row) if isinstance(value, str)}
        found = self.marker.mark(texts, self._telling(index, words_of(query)), tokenizer)
        return [[*divmod(cell, width), text] for cell, text in found.items()]

    def _telling(self, index: str, words: List[str]) -> List[str]:
        """Those that few or at most half of the rows have: others count for nothing in BM25."""
        rows, texts = quoted(index + "_rows"), quoted(index + "_fts")
        half = self.reader.read(f"SELECT max({FEW}, count(*) / 2) FROM {rows}", {}).rows[0][0]
        counting = f"SELECT count(*) FROM (SELECT 1 FROM {texts}(:word) LIMIT :most)"

        def tells(word: str) -> bool:
            counted = self.reader.read(counting, {"word": f'"{word}"', "most": half + 1})
            return bool(counted.rows[0][0] <= half)
        return [word for word in words if tells(word)]


# ---- the server ----------------------------------------------------------------------------------

class Server(ThreadingHTTPServer):
    """Of port 0 the system chooses one: `server_port` says which. Refused: there is no such file,
    or no index in it."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, file: str, port: int = PORT, seconds: float = SECONDS) -> None:
        self.file, self.seconds = file, seconds
        self._sessions: "queue.LifoQueue[Session]" = queue.LifoQueue(KEPT_READERS)
        self.page = _read_page()
        self.policy = _policy(self.page)
        with self.session() as session:
            if not session.indexes():
                raise Refused(f"{file} has no semantic_index")
        super().__init__(("127.0.0.1", port), Handler)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """One of this thread's own until it is given back."""
        session = self._kept() or self._open()
        try:
            yield session
        finally:
            try:
                self._sessions.put_nowait(session)
            except queue.Full:
                session.close()

    def _kept(self) -> Optional[Session]:
        with contextlib.suppress(queue.Empty):
            while True:
                session = self._sessions.get_nowait()
                with contextlib.suppress(Refused):
                    if not session.reader.is_stale():
                        return session
                session.close()
        return None

    def _open(self) -> Session:
        try:
            return Session(self.file, self.seconds)
        except (sqlite3.Error, NotImplementedError) as error:
            raise Refused(f"{self.file}: {error}") from error

    def server_close(self) -> None:
        super().server_close()
        with contextlib.suppress(queue.Empty):
            while True:
                self._sessions.get_nowait().close()


class Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 30  # of a socket that says nothing
    server_version, sys_version = "sqlite-rerank", ""

    def do_GET(self) -> None:
        self._answer({"/": self._page, "/indexes": self._indexes})

    def do_POST(self) -> None:
        self._answer({"/sql": self._sql})

    def _answer(self, routes: Dict[str, Any]) -> None:
        try:
            self._check_who_asks()
            path = self.path.partition("?")[0]
            if path not in routes:
                raise Failure(404, f"there is no {self.command} {path}")
            routes[path]()
        except Failure as failure:
            self._send_json({"error": str(failure)}, failure.status)
        except Refused as refused:
            self._send_json({"error": str(refused)}, 400)
        except OSError:  # who asked has gone
            self.close_connection = True

    def _check_who_asks(self) -> None:
        """A name that leads here by DNS is not ours, a page of another site may not ask."""
        ours = [f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")]
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host not in ours:
            raise Failure(403, f"Host is '{host}': this page answers at http://{ours[0]}")
        if origin is not None and origin != f"http://{host}":
            raise Failure(403, f"Origin is '{origin}': pages of other sites are not answered")

    def _page(self) -> None:
        self._send(200, "text/html; charset=utf-8", self.server.page)

    def _indexes(self) -> None:
        with self.server.session() as session:
            self._send_json({"file": os.path.basename(self.server.file),
                             "indexes": session.indexes()})

    def _sql(self) -> None:
        asked = self._read_json()
        sql, values = asked.get("sql", ""), asked.get("values", {})
        index, mark = asked.get("index", ""), asked.get("mark", "")
        most = asked.get("most", MAX_ROWS)
        if not (all(isinstance(text, str) for text in (sql, index, mark))
                and isinstance(values, dict) and isinstance(most, int) and 0 < most <= MAX_POINTS):
            raise Failure(400, "expected sql, index and mark as texts, values as an object, most "
                               f"as a number up to {MAX_POINTS}")
        with self.server.session() as session:
            answer = session.reader.read(sql, values, most, self._is_waited_for)
            marks = session.marks(answer, mark, index) if mark else []
        self._send_json({**answer._asdict(), "marks": marks})

    def _read_json(self) -> Dict[str, Any]:
        if self.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            raise Failure(415, "expected Content-Type: application/json")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise Failure(411, "expected a Content-Length")
        if int(length) > MAX_BODY:
            raise Failure(413, f"{length} bytes, more than {MAX_BODY}")
        body = self.rfile.read(int(length))
        try:
            asked = json.loads(body.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise Failure(400, f"the body is no JSON: {error}") from error
        if not isinstance(asked, dict):
            raise Failure(400, "expected a JSON object")
        return asked

    def _is_waited_for(self) -> bool:
        """Whether the browser has not hung up: a search that another took the place of ends."""
        with contextlib.suppress(OSError, ValueError):
            readable, _, _ = select.select([self.connection], [], [], 0)
            return not readable or self.connection.recv(1, socket.MSG_PEEK) != b""
        return False

    def _send_json(self, value: Any, status: int = 200) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (
                ("Content-Type", kind), ("Content-Length", str(len(body))),
                ("Content-Security-Policy", self.server.policy), ("Cache-Control", "no-store"),
                ("Cross-Origin-Resource-Policy", "same-origin"),
                ("Referrer-Policy", "no-referrer"), ("X-Content-Type-Options", "nosniff")):
            self.send_header(name, value)
        with contextlib.suppress(OSError):  # who asked has gone
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: what is searched for is nobody's."""


def _read_page() -> bytes:
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.html"), "rb") as file:
        return file.read()


def _policy(page: bytes) -> str:
    """Nothing is loaded, and only the script and the style that stand in the page count."""
    def hashes(element: bytes) -> str:
        return " ".join(
            "'sha256-" + base64.b64encode(hashlib.sha256(text).digest()).decode() + "'"
            for text in re.findall(b"<%s>(.*?)</%s>" % (element, element), page, re.DOTALL))
    return (f"default-src 'none'; script-src {hashes(b'script')}; style-src {hashes(b'style')}; "
            "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'")


def main(file: str, port: int = PORT) -> None:
    """Serves until Ctrl-C. SystemExit says why the file cannot be served."""
    try:
        server = Server(file, port)
    except Refused as refused:
        sys.exit(f"serve: {refused}")
    except (OSError, OverflowError) as error:
        sys.exit(f"serve: port {port}: {getattr(error, 'strerror', error)}; another one: --port N")
    with server:
        print(f"{file}: http://127.0.0.1:{server.server_port}  (Ctrl-C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(
        prog="sqlite_rerank.serve", description="Serves a page to search the indexes of FILE with.")
    _parser.add_argument("file", metavar="FILE")
    _parser.add_argument("--port", type=int, default=PORT, help=f"0: any that is free ({PORT})")
    _options = _parser.parse_args()
    main(_options.file, _options.port)

"""served.py: the Python package beside the library that is tested, files to serve, a server.

The package's folder is put together of links, as the wheel lays it out.
"""
import glob
import http.client
import json
import os
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "drivers"))
import support  # noqa: E402

_FOLDER = tempfile.TemporaryDirectory()
PACKAGES = _FOLDER.name


def _link_package():
    package = os.path.join(PACKAGES, "sqlite_rerank")
    os.mkdir(package)
    for path in glob.glob(os.path.join(support.ROOT, "ext/bindings/python/sqlite_rerank/*.*")):
        os.symlink(path, os.path.join(package, os.path.basename(path)))
    library = support.EXTENSION
    if not os.path.splitext(library)[1]:
        library += ".dylib" if sys.platform == "darwin" else ".so"
    os.symlink(library, os.path.join(package, os.path.basename(library)))
    sys.path.insert(0, PACKAGES)


_link_package()
from sqlite_rerank import readonly, serve  # noqa: E402, F401


def make_films(path, movies=None):
    """A file with the films, an index of them, and another of their directors."""
    source = movies or os.path.join(support.ROOT, "datasets", "movies.json")
    with open(source, encoding="utf-8") as file:
        films = json.load(file)
    db = support.connect(path)
    db.execute("CREATE TABLE movies(id INTEGER PRIMARY KEY, title TEXT NOT NULL, overview TEXT, "
               "director TEXT, genres TEXT, tagline TEXT)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO movies(title, overview, director, genres, tagline) "
                   "VALUES (:title, :overview, :director, :genres, :tagline)", films)
    db.execute("COMMIT")
    db.execute("CREATE VIRTUAL TABLE movie_index USING semantic_index(content = 'movies', "
               "text = 'title, overview, tagline', document = 'title, overview')")
    db.execute("INSERT INTO movie_index(movie_index) VALUES ('sync')")
    db.execute("CREATE VIRTUAL TABLE directors USING semantic_index(content = 'movies', "
               "text = 'director, title', lexical = 'none')")
    db.execute("INSERT INTO directors(directors) VALUES ('sync')")
    db.close()


class Served:
    """A server of a file in a thread of this process."""

    def __init__(self, file, **options):
        self.server = serve.Server(file, 0, **options)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(.05,), daemon=True)
        self._thread.start()

    def close(self):
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def request(self, method, path, body=None, **headers):
        """(status, headers, body) of one request; a header that is None is not sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        if body is not None:
            headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        if body:
            connection.send(body)
        response = connection.getresponse()
        answer = response.status, response.headers, response.read()
        connection.close()
        return answer

    def post(self, body, **headers):
        """(status, what the answer says) of a body of bytes, or of a value as JSON."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers.setdefault("Content_Type", "application/json")
        status, _, text = self.request("POST", "/sql", body, **headers)
        return status, json.loads(text)

    def sql(self, sql, values=None, **more):
        status, answer = self.post({"sql": sql, "values": values or {}, **more})
        assert status == 200, answer
        return answer

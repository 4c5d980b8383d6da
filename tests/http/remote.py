"""remote.py: what the tests of remote models share: a connection with the extension, a loopback
server that stands for every provider, and an environment that names nobody else.

The environment is read when a connection first names a model: set_up() comes before that.
"""
import json
import os
import re
import sqlite3
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "drivers")]
from loopback import PROVIDERS, Loopback, vector_of  # noqa: E402
from support import EXTENSION, connect, from_blob, to_blob  # noqa: E402

__all__ = ["EXTENSION", "EMBEDDERS", "KEY", "KEY_VARIABLES", "PLAIN", "RERANKERS", "Remote",
           "from_blob", "to_blob", "variable_of", "wire_folder"]

KEY = "test-key"
PLAIN = "text"  # what asks whether the provider answers
KEY_VARIABLES = {
    "together": "TOGETHER_API_KEY", "openai": "OPENAI_API_KEY", "mistral": "MISTRAL_API_KEY",
    "cohere": "CO_API_KEY", "voyage": "VOYAGE_API_KEY", "jina": "JINA_API_KEY",
    "mixedbread": "MXBAI_API_KEY", "nomic": "NOMIC_API_KEY", "ollama": "OLLAMA_API_KEY",
    "ollama-openai": "OLLAMA_API_KEY", "tei": "HF_TOKEN", "tei-openai": "HF_TOKEN",
    "infinity": "INFINITY_API_KEY", "vllm": "VLLM_API_KEY", "llamacpp": "LLAMA_API_KEY",
    "litellm": "LITELLM_API_KEY",
}
EMBEDDERS = sorted(PROVIDERS)
RERANKERS = sorted(name for name, provider in PROVIDERS.items()
                   if any(form.api == "rerank" for form in provider.forms))

NOT_OURS = re.compile(
    r"_API_KEY$|_BASE_URL$|^HF_TOKEN$|^RERANK_(?!SHARED|BUILD|EXTENSION|ROOT|SANITIZED)|_proxy$|"
    r"^SSL_CERT|^CURL_CA", re.IGNORECASE)


def variable_of(provider):
    return provider.upper().replace("-", "_") + "_BASE_URL"


def wire_folder():
    """The folder of captured requests and errors, or None: RERANK_SHARED names the one around."""
    folder = os.path.join(os.environ.get("RERANK_SHARED", ""), "wire")
    return folder if os.path.isabs(folder) and os.path.isdir(folder) else None


def restore(environment):
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


class Remote(unittest.TestCase):
    """`server`, `db` (a file) and a clean environment for each test."""

    server_options = {}

    def setUp(self):
        self.addCleanup(restore, dict(os.environ))
        for name in list(os.environ):
            if NOT_OURS.search(name):
                del os.environ[name]
        self.server = self.start_server(**self.server_options)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "test.db")
        self.db = self.connect()

    def start_server(self, **options):
        server = Loopback(**{"lifetime": 60, **options}).start()
        self.addCleanup(server.close)
        return server

    def connect(self, path=None, **options):
        db = connect(path or self.path, **options)
        self.addCleanup(db.close)
        db.execute("PRAGMA synchronous = off")
        return db

    def set_up(self, *providers, server=None, key=KEY):
        """What the application would put into the environment."""
        for provider in providers:
            os.environ[variable_of(provider)] = (server or self.server).base_url(provider)
            if key is not None:
                os.environ[KEY_VARIABLES[provider]] = key

    def config(self, **settings):
        for name, value in settings.items():
            self.db.execute("SELECT rerank_config(?, ?)", (name, value))

    def register(self, name, provider, model="m", **columns):
        columns = {"name": name, "provider": provider, "model": model, **columns}
        self.db.execute("INSERT INTO rerank_models(%s) VALUES (%s)" % (
            ", ".join(columns), ", ".join("?" * len(columns))), tuple(columns.values()))

    def rows(self, sql, *arguments):
        return self.db.execute(sql, arguments).fetchall()

    def one(self, sql, *arguments):
        return self.db.execute(sql, arguments).fetchone()[0]

    def error(self, sql, *arguments, db=None):
        """The message of the error that the statement must give."""
        with self.assertRaises(sqlite3.Error) as caught:
            (db or self.db).execute(sql, arguments).fetchall()
        return str(caught.exception)

    def fails(self, pattern, sql, *arguments, db=None):
        message = self.error(sql, *arguments, db=db)
        self.assertRegex(message, pattern)
        return message

    def stats(self, model, task="embed"):
        """The row of rerank_stats as a dict; zeros for a model that was never named."""
        cursor = self.db.execute("SELECT * FROM rerank_stats WHERE model = ? AND task = ?",
                                 (model, task))
        names = [column[0] for column in cursor.description]
        row = cursor.fetchone()
        return dict(zip(names, row)) if row else dict.fromkeys(names, 0)

    def asked(self):
        """The requests, but for those with the plain word that asks whether anything is taken."""
        return [request for request in self.server.requests if inputs_of(request) != [PLAIN]]

    # -- documents and their index -----------------------------------------------------------------

    def add_documents(self, n, first=1):
        self.db.execute("CREATE TABLE IF NOT EXISTS docs(id INTEGER PRIMARY KEY, title TEXT, "
                        "body TEXT)")
        rows = [(i, "title %d" % i, "body %d" % i) for i in range(first, first + n)]
        begins = not self.db.in_transaction
        self.db.execute("BEGIN" if begins else "SELECT 1")
        self.db.executemany("INSERT INTO docs VALUES (?, ?, ?)", rows)
        self.db.execute("COMMIT" if begins else "SELECT 1")

    def add_index(self, model, options="", name="ix", content="docs"):
        self.db.execute("CREATE VIRTUAL TABLE %s USING semantic_index(content='%s', "
                        "text='title, body', model='%s'%s)" % (name, content, model, options))

    def sync(self, name="ix"):
        """The last row of the report: embedded, deleted, pending, total, requests, seconds,
        failed."""
        return self.rows("SELECT * FROM semantic_sync(?)", name)[-1]

    def check_index(self, expected_ids, prefix="", dimensions=8):
        """The index is sound and holds the right vector of each of these rows and of no other."""
        self.db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
        rows = self.rows("SELECT rowid, title || ' ' || body, embedding FROM ix ORDER BY rowid")
        self.assertEqual([row[0] for row in rows], list(expected_ids))
        for _, text, embedding in rows:
            self.check_vector(embedding, prefix + text, dimensions)

    def check_vector(self, blob, text, dimensions=8):
        vector = from_blob(blob)
        self.assertEqual(len(vector), dimensions)
        for value, expected in zip(vector, vector_of(text, dimensions)):
            self.assertAlmostEqual(value, expected, delta=2e-7)

    # -- messages, time ----------------------------------------------------------------------------

    def check_message(self, message, provider, key=KEY):
        """One clear line that says who, and nothing that was not meant to be read."""
        self.assertIn(provider, message)
        self.assertNotIn(key, message)
        self.assertLessEqual(len(message), 400, message)
        self.assertTrue(message.isprintable(), repr(message))
        self.assertNotRegex(message, r"(?i)</?(html|body|h1)\b")

    def within(self, seconds):
        return Within(self, seconds)


class Within:
    """with case.within(1): fails when the block took longer."""

    def __init__(self, case, seconds):
        self.case, self.seconds = case, seconds

    def __enter__(self):
        self.start = time.monotonic()
        return self

    def __exit__(self, kind, *_):
        self.took = time.monotonic() - self.start
        if kind is None:
            self.case.assertLess(self.took, self.seconds)


def texts_of(requests):
    """How many texts, all together, these requests to embed held."""
    return [text for request in requests for text in inputs_of(request)]


def inputs_of(request):
    for field in ("input", "inputs", "texts"):
        if isinstance(request.body, dict) and field in request.body:
            value = request.body[field]
            return value if isinstance(value, list) else [value]
    return []


def load(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)

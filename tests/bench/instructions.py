"""instructions.py [LIBRARY...]: instructions of searches, single rows and embeddings, by callgrind.

Counts tell a regression where times are too noisy to: give the libraries of two trees, and the last
column compares the last with the first. Valgrind shows a processor with AVX2 and without AVX-512.
An operation's count is the difference between two runs of the sqlite3 shell, one with a few of it
and one with more, divided. Databases are filled before, without valgrind, by the library itself.
"""
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHELL = os.environ.get("SQLITE3") or "sqlite3"
ROWS, DIMENSIONS = 1000, 384
FEW, MORE = 5, 105


def literals(seed):
    """Vectors as SQL, without end."""
    draw = random.Random(seed)
    while True:
        vector = [draw.gauss(0, 1) for _ in range(DIMENSIONS)]
        yield "x'" + struct.pack(f"<{DIMENSIONS}f", *vector).hex() + "'"


def insert(n, seed, first):
    vectors = literals(seed)
    return [f"INSERT INTO ix(rowid, embedding) VALUES ({i}, {next(vectors)});"
            for i in range(first, first + n)]


def index(options=""):
    return [f"CREATE VIRTUAL TABLE ix USING semantic_index(dimensions={DIMENSIONS}{options});",
            "BEGIN;", *insert(ROWS, 1, 1), "COMMIT;"]


def search(n):
    vectors = literals(2)
    return [f"SELECT sum(rowid) FROM ix({next(vectors)}, 10);" for _ in range(n)]


def some(n):
    """Rows that lie apart."""
    return range(7, 7 * n + 7, 7)


def fetch(n):
    return [f"SELECT length(embedding) FROM ix WHERE rowid = {i};" for i in some(n)]


def update(n):
    return [f"UPDATE ix SET embedding = {vector} WHERE rowid = {i};"
            for i, vector in zip(some(n), literals(4))]


def delete(n):
    return [f"DELETE FROM ix WHERE rowid = {i};" for i in some(n)]


def together(operation):
    """The same in one transaction."""
    return lambda n: ["BEGIN;", *operation(n), "COMMIT;"]


def opening(n):
    """A connection, and its first statement."""
    return [".open DATABASE", ".load LIBRARY", "SELECT rowid FROM ix WHERE rowid = 7;"] * n


def texts(verb):
    """Rows of a model of the library, by their texts."""
    return lambda n: [verb.format(row=i, text=f"'film number {i}: a hero fights crime'")
                      for i in some(n)]


WORDS = ["CREATE VIRTUAL TABLE ix USING semantic_index(model='builtin:static');", "BEGIN;",
         *texts("INSERT INTO ix(rowid, text) VALUES ({row}, {text} || ' at night');")(ROWS),
         "COMMIT;"]


def embed(n, model):
    return [f"SELECT length(embed('film number {i}: a hero fights crime in a dark city', {model}));"
            for i in range(1000, 1000 + n)]


# What is counted: what fills the database, and n of it.
OPERATIONS = [
    ("search, exact", index(), search),
    ("search, int8 codes", index(", quantize=int8"), search),
    ("search, int8, 8 partitions", index(", quantize=int8, partitions=8"), search),
    *[(f"{name}, {kind}", index(options), operation)
      for kind, options in (("exact", ""), ("int8, 8 partitions", ", quantize=int8, partitions=8"),
                            ("bit codes", ", quantize=bit"))
      for name, operation in (
          ("opening", opening), ("insert", lambda n: insert(n, 3, ROWS + 1)), ("fetch", fetch),
          ("update", update), ("delete", delete), ("deletes together", together(delete)))],
    ("insert of a text", WORDS,
     texts("INSERT INTO ix(rowid, text) VALUES (100000 + {row}, {text});")),
    ("update of a text", WORDS, texts("UPDATE ix SET text = {text} WHERE rowid = {row};")),
    ("embed, embedded model", [], lambda n: embed(n, "NULL")),
    ("embed, local model", [], lambda n: embed(n, "'local:test/mean'")),
]


class Place:
    """A folder with models and databases."""

    def __init__(self, folder):
        self.database = os.path.join(folder, "test.db")
        self.models = os.path.join(folder, "models")
        maker = os.path.join(ROOT, "tests", "golden", "local", "models.py")
        subprocess.run([sys.executable, "-B", maker, self.models], check=True)

    def run(self, library, statements, *command):
        """What the shell, run by `command`, says on its standard error."""
        loaded = f"'{os.path.splitext(os.path.abspath(library))[0]}'"
        words = {".open DATABASE": f".open '{self.database}'", ".load LIBRARY": f".load {loaded}"}
        script = [f".load {loaded}", "SELECT rerank_config('threads', 1);",
                  *[words.get(statement, statement) for statement in statements]]
        done = subprocess.run(
            [*command, SHELL, "-batch", "-bail", self.database], input="\n".join(script),
            env=dict(os.environ, RERANK_MODEL_PATH=self.models), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{library}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
        return done.stderr

    def count(self, library, before, statements):
        """Instructions of a process that runs the statements on a fresh database."""
        if os.path.exists(self.database):
            os.remove(self.database)
        self.run(library, before)
        said = self.run(library, statements, "valgrind", "--tool=callgrind",
                        "--callgrind-out-file=/dev/null")
        return int(re.search(r"Collected : (\d+)", said).group(1))


def main():
    libraries = sys.argv[1:] or [os.path.join(ROOT, "build", "rerank.so")]
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        for name, before, operation in OPERATIONS:
            counts = [(place.count(library, before, operation(MORE))
                       - place.count(library, before, operation(FEW))) / (MORE - FEW)
                      for library in libraries]
            ratio = f"{counts[-1] / counts[0]:8.3f}" if len(counts) > 1 else ""
            print(f"{name:<36}" + "".join(f"{n:14,.0f}" for n in counts) + ratio, flush=True)


if __name__ == "__main__":
    main()

"""What it takes to write an index of meaning and words, beside the aims: for words_bench.py.

Options are named here, so that the figures stay those of the same index: vectors of builtin:static
in a byte a component, and words with the pieces that find other forms of them.
"""
import itertools
import os
import random
import sqlite3
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "quality"))
import known_item  # noqa: E402

TOKENIZER = "porter unicode61 remove_diacritics 2"
INDEX = ("CREATE VIRTUAL TABLE {0} USING semantic_index(content = 'docs', text = 'body', "
         "model = 'builtin:static', lexical = 'fts5', storage = 'int8', "
         f"tokenizer = 'rerank {TOKENIZER}')")

# Microseconds a row, of documents of 100 words and of rows of 100 characters; of a new row;
# and kilobytes a description.
DOCUMENT, SHORT, NEW, BYTES = 120, 60, 100, 60e6 / 63666 / 1e3


class Place:
    """A database in a file, with rows of texts, written as SQLite does unless told otherwise."""

    def __init__(self, folder, library, name):
        self.path = os.path.join(folder, name + ".db")
        self.db = sqlite3.connect(self.path, isolation_level=None)
        self.db.enable_load_extension(True)
        self.db.load_extension(os.path.splitext(os.path.abspath(library))[0])
        self.n = 0

    def close(self):
        self.db.close()
        os.remove(self.path)

    def fill(self, texts):
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT)")
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO docs(body) VALUES (?)", ((text,) for text in texts))
        self.db.execute("COMMIT")
        self.n, size = self.db.execute("SELECT count(*), sum(length(CAST(body AS BLOB))) FROM docs"
                                       ).fetchone()
        return size

    def timed(self, *statements):
        begun = time.perf_counter()
        for sql in statements:
            self.db.execute(sql)
        return time.perf_counter() - begun

    def fts5(self):
        """Seconds that FTS5 alone takes for the same texts, and its bytes."""
        before = os.path.getsize(self.path)
        seconds = self.timed(
            "CREATE VIRTUAL TABLE f USING fts5(body, content = 'docs', content_rowid = 'id', "
            f"tokenize = '{TOKENIZER}')", "INSERT INTO f(f) VALUES ('rebuild')")
        size = os.path.getsize(self.path) - before
        self.db.execute("DROP TABLE f")
        self.db.execute("VACUUM")
        return seconds, size

    def sync(self):
        before = os.path.getsize(self.path)
        seconds = self.timed(INDEX.format("ix"), "INSERT INTO ix(ix) VALUES ('sync')")
        return seconds, os.path.getsize(self.path) - before


def first_sync(folder, library, name, texts, aim, table):
    place = Place(folder, library, "sync")
    size = place.fill(texts)
    alone, _ = place.fts5()
    seconds, written = place.sync()
    print(f"{place.n:,} {name}, {size / 1e6:.1f} MB: first sync {seconds:.1f} s, "
          f"{written / 1e6:.1f} MB; FTS5 alone {alone:.1f} s")
    table.note(f"{place.n:,} {name}: a row of the first sync", seconds / place.n * 1e6, aim,
               unit=" us")
    return place


def new_rows(place, table, n=300, many=3000):
    """INSERT of a row's id and COMMIT, without fsync; the median of n, and the mean of many."""
    db, text = place.db, "a new row of some words about bats and caves"
    first = place.n + 1
    db.executemany("INSERT INTO docs VALUES (?, ?)",
                   ((i, f"{text} {i}") for i in range(first, first + n + many)))
    db.execute("PRAGMA synchronous = off")
    times = []
    for i in range(first, first + n):
        begun = time.perf_counter()
        db.execute("INSERT INTO ix(rowid) VALUES (?)", (i,))
        times.append(time.perf_counter() - begun)
    table.note("a new row, in a transaction of its own", statistics.median(times) * 1e6, NEW,
               unit=" us")
    begun = time.perf_counter()
    db.execute("BEGIN")
    db.executemany("INSERT INTO ix(rowid) VALUES (?)",
                   ((i,) for i in range(first + n, first + n + many)))
    db.execute("COMMIT")
    table.note(f"each of {many} in one transaction", (time.perf_counter() - begun) / many * 1e6,
               NEW, unit=" us")


def prose(descriptions, n):
    """n documents of 50 to 150 words, as they stand in descriptions; other cuts in each round."""
    draw = random.Random(3)
    words = itertools.chain.from_iterable(
        text.split() for text in itertools.cycle(descriptions))
    for _ in range(n):
        yield " ".join(itertools.islice(words, draw.randint(50, 150)))


def measure(folder, library, made_up, n, n_short, translations, table):
    """made_up(n): documents of words that are none; translations: known_item.py's folder."""
    known_item.fetch(translations, ["en"])
    english = [text for _, text in known_item.descriptions(translations, "en")]
    place = first_sync(folder, library, "descriptions of packages", english, DOCUMENT, table)
    size = os.path.getsize(place.path)
    new_rows(place, table)
    place.db.execute("DROP TABLE ix")
    place.db.execute("VACUUM")
    size -= os.path.getsize(place.path)
    table.note("the index on disk, a description", size / place.n / 1e3, BYTES, unit=" kB")
    place.close()
    for name, texts, aim in (("documents of 100 English words", prose(english, n), DOCUMENT),
                             ("documents of 100 made-up words", made_up(n), DOCUMENT),
                             ("rows of 100 characters",
                              (text[:100] for text in prose(english, n_short)), SHORT)):
        first_sync(folder, library, name, texts, aim, table).close()

"""bench.py LIBRARY: seconds for load, sync, query and rerank, best of several runs."""
import itertools
import json
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QUERIES = [
    "super hero mystery action movie about bats", "toys that come to life", "lost in space",
    "a heist goes wrong", "young wizard at school", "a detective follows a killer",
]


def movies_file():
    for path in (os.path.join(ROOT, "datasets", "movies-1000.json"),
                 os.path.join(os.environ.get("RERANK_SHARED", ""), "movies.json"),
                 os.path.join(ROOT, "datasets", "movies.json")):
        if os.path.isfile(path):
            return path
    sys.exit("no movies")


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def connect(library, path):
    if os.path.exists(path):
        os.remove(path)
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(library)
    return db


def build(db, movies, options=""):
    db.execute("CREATE TABLE movies(id INTEGER PRIMARY KEY, title, overview, tagline)")
    db.executemany("INSERT INTO movies(title, overview, tagline) VALUES (?, ?, ?)",
                   [(m["title"], m["overview"], m["tagline"]) for m in movies])
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'movies', "
               f"text = 'title, overview, tagline', document = 'title'{options})")


def median_ms(db, sql, repeat=20):
    times = [seconds(lambda q=q: db.execute(sql, (q,)).fetchall())
             for _ in range(repeat) for q in QUERIES]
    return statistics.median(times) * 1000


def measure(library, movies, options, folder):
    db = connect(library, path := os.path.join(folder, "bench.db"))
    build(db, movies, options)
    sync = seconds(lambda: db.execute("SELECT * FROM semantic_sync('ix')").fetchall())
    again = seconds(lambda: db.execute("SELECT * FROM semantic_sync('ix')").fetchall())
    retrieve = median_ms(db, "SELECT rowid, similarity FROM ix(?, 25)")
    flow = median_ms(db, "SELECT rowid, relevance FROM ix(?) ORDER BY relevance DESC LIMIT 5")
    size = os.path.getsize(path) / 1e6
    db.close()
    return sync, again, retrieve, flow, size


def measure_large(library, folder, n_documents, n_words):
    """Seconds to index documents of words drawn as in a language (Zipf), and to query them."""
    draw = random.Random(1)
    letters = "etaoinshrdlucmfwyp"
    vocabulary = ["".join(draw.choices(letters, k=draw.randint(2, 10))) for _ in range(40000)]
    weights = list(itertools.accumulate(1 / (i + 10) for i in range(len(vocabulary))))
    db = connect(library, os.path.join(folder, "large.db"))
    db.execute("CREATE TABLE documents(id INTEGER PRIMARY KEY, text)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO documents(text) VALUES (?)", (
        (" ".join(draw.choices(vocabulary, cum_weights=weights, k=n_words)),)
        for _ in range(n_documents)))
    db.execute("COMMIT")
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'documents', text = 'text')")
    sync = seconds(lambda: db.execute("SELECT * FROM semantic_sync('ix')").fetchall())
    db.close()
    return sync


def main():
    library = os.path.abspath(sys.argv[1])
    path = movies_file()
    with open(path, encoding="utf-8") as file:
        movies = json.load(file)
    print(f"{len(movies)} movies from {path}")
    print(f"{'quantize':<10}{'sync s':>10}{'again s':>10}{'25 nearest ms':>15}"
          f"{'rerank to 5 ms':>16}{'file MB':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("none", "int8", "bit"):
            figures = measure(library, movies, f", quantize = '{name}'", folder)
            print(f"{name:<10}{figures[0]:>10.3f}{figures[1]:>10.3f}{figures[2]:>15.3f}"
                  f"{figures[3]:>16.3f}{figures[4]:>10.2f}")
        print(f"sync of 100,000 documents of 100 words: "
              f"{measure_large(library, folder, 100000, 100):.1f} s")


if __name__ == "__main__":
    main()

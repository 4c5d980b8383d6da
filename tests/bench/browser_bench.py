"""browser_bench.py LIBRARY: the build for browsers (`make browser`) under Node beside LIBRARY, on
the films: milliseconds of the processor that a statement takes, the mean of as many as STATEMENTS
says, after as many others. The median of RUNS, in turn.
"""
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "drivers"))
import support  # noqa: E402

RUNS = 5
SITE = os.path.join(support.BUILD, "dist", "browser")
STATEMENTS = {
    "retrieve 25": ("SELECT rowid FROM movie_index('lost in space ' || :n, 25)", 100),
    "and rerank them": ("SELECT rowid, relevance FROM movie_index('lost in space ' || :n) "
                        "ORDER BY relevance DESC LIMIT 5", 100),
    "embed all again": ("INSERT INTO movie_index(movie_index) VALUES ('rebuild')", 3)}


def connect(library, path):
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(os.path.abspath(library))
    return db


def make_films(library, path):
    with open(support.published_movies() or os.path.join(support.ROOT, "datasets/movies.json"),
              encoding="utf-8") as file:
        films = json.load(file)
    db = connect(library, path)
    db.execute("CREATE TABLE movies(id INTEGER PRIMARY KEY, title TEXT, overview TEXT)")
    db.executemany("INSERT INTO movies(title, overview) VALUES (:title, :overview)", films)
    db.execute("CREATE VIRTUAL TABLE movie_index USING semantic_index(content = 'movies', "
               "text = 'title, overview', document = 'title')")
    db.execute("INSERT INTO movie_index(movie_index) VALUES ('sync')")
    db.close()
    return len(films)


def here(library, path):
    """In memory, by one thread, as there."""
    db = connect(library, ":memory:")
    db.execute("SELECT rerank_config('threads', 1)").fetchall()
    with sqlite3.connect(path) as file:
        file.backup(db)
    took = []
    for sql, times in STATEMENTS.values():
        for start in (0, times):
            before = time.process_time()
            for n in range(start, start + times):
                db.execute(sql, {"n": n}).fetchall()
        took.append((time.process_time() - before) * 1000 / times)
    db.close()
    return took


def there(path):
    command = ["node", os.path.join(HERE, "browser_child.mjs"), SITE, path,
               json.dumps(list(STATEMENTS.values()))]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def main():
    if len(sys.argv) != 2 or not os.path.exists(os.path.join(SITE, "rerank.mjs")):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "films.db")
        print(f"{make_films(sys.argv[1], path)} films, milliseconds: here, WebAssembly, ratio")
        runs = [(here(sys.argv[1], path), there(path)) for _ in range(RUNS)]
    for i, name in enumerate(STATEMENTS):
        native, wasm = (statistics.median(run[side][i] for run in runs) for side in (0, 1))
        print(f"{name:16} {native:8.2f} {wasm:8.2f} {wasm / native:6.1f}")


if __name__ == "__main__":
    main()

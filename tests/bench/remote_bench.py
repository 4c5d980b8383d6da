"""remote_bench.py LIBRARY: 1000 movies embedded by a server that answers after 50 ms.

The server is the tests' own, on this machine. Beside semantic_sync: a request a row on one
connection that is kept, as an embedder does that SQLite calls row by row.
"""
import http.client
import json
import math
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "http"), os.path.dirname(os.path.abspath(__file__))]
from bench import build, connect, movies_file  # noqa: E402
from loopback import Loopback  # noqa: E402

DELAY = 0.05
CONCURRENCY = 8
MODEL = "BAAI/bge-base-en-v1.5"


def row_by_row(server, texts):
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"Authorization": "Bearer test-key", "Content-Type": "application/json"}
    start = time.perf_counter()
    for text in texts:
        body = json.dumps({"model": MODEL, "input": [text]})
        connection.request("POST", "/together/v1/embeddings", body, headers)
        json.loads(connection.getresponse().read())
    connection.close()
    return time.perf_counter() - start


def synchronise(server, db):
    server.clear()
    start = time.perf_counter()
    db.execute("SELECT * FROM semantic_sync('ix')").fetchall()
    return time.perf_counter() - start, len(server.requests)


def main():
    with open(movies_file(), encoding="utf-8") as file:
        movies = json.load(file)
    with Loopback(delay=DELAY, dimensions=16, lifetime=600) as server:
        os.environ["TOGETHER_API_KEY"] = "test-key"
        os.environ["TOGETHER_BASE_URL"] = server.base_url("together")
        db = connect(os.path.abspath(sys.argv[1]), ":memory:")
        build(db, movies, f", model = '{MODEL}'")
        first = synchronise(server, db)
        again = synchronise(server, db)
        db.execute("UPDATE movies SET title = title || '!' WHERE id <= 7")
        changed = synchronise(server, db)
        ideal = math.ceil(first[1] / CONCURRENCY) * DELAY
        print(f"{len(movies)} movies, a server that answers after {DELAY * 1000:.0f} ms")
        print(f"semantic_sync: {first[0]:.3f} s, {first[1]} requests, {first[0] / ideal:.2f} times "
              f"the ideal")
        print(f"  again: {again[0]:.3f} s, {again[1]} requests; 7 rows changed: {changed[0]:.3f} "
              f"s, "
              f"{changed[1]} requests")
        peer = row_by_row(server, [movie["title"] for movie in movies])
        print(f"a request a row: {peer:.1f} s, {peer / first[0]:.0f} times as long")


if __name__ == "__main__":
    main()

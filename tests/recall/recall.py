"""How good the embedded model is: nDCG@10 and recall@25 on judged collections, beside FTS5 BM25.

    RERANK_SHARED=folder python3 tests/recall/recall.py [collection...]

Reads RERANK_SHARED/eval/<collection>/{docs.jsonl, queries.jsonl, qrels.tsv}; default: cranfield and
cisi. Prints, for each, FTS5 BM25 (porter unicode61, the words of the query joined by OR), retrieval
alone, and retrieval of 50 and rerank. nDCG takes the grades as gains, log2 discount; only judged
queries count. Exit status 1 when retrieve + rerank is below 1.08 times BM25 in either measure.
"""
import os
import re
import sqlite3
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "quality"))
from judged import Collection, ndcg  # noqa: E402

WANTED = 1.08


def measure(collection, search):
    """Means of nDCG@10 and recall@25 over the judged queries; search(text) gives document ids, best
    first."""
    gain = recall = 0.0
    for query, grades in collection.grades.items():
        found = search(collection.queries[query])
        gain += ndcg(found, grades)
        recall += sum(doc in grades for doc in found[:25]) / len(grades)
    return gain / len(collection.grades), recall / len(collection.grades)


def open_database(collection):
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(os.environ.get("RERANK_EXTENSION", os.path.join(ROOT, "build", "rerank")))
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, name TEXT, text TEXT)")
    db.executemany("INSERT INTO docs(name, text) VALUES (?, ?)", collection.texts.items())
    db.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize = 'porter unicode61')")
    db.execute("INSERT INTO words(rowid, text) SELECT id, text FROM docs")
    db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'text', "
               "model = 'builtin:lexical')")
    db.execute("INSERT INTO ix(ix) VALUES ('sync')")
    return db


def searches(db):
    def names(sql, *arguments):
        return [row[0] for row in db.execute(sql, arguments)]

    def bm25(text):
        match = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", text))
        return names("SELECT name FROM words JOIN docs ON id = words.rowid WHERE words MATCH ? "
                     "ORDER BY words.rank LIMIT 50", match)

    def retrieve(text):
        return names("SELECT name FROM ix WHERE query = ? AND k = 50 ORDER BY similarity DESC",
                     text)

    def rerank(text):
        return names("SELECT name FROM ix WHERE query = ? AND k = 50 ORDER BY relevance DESC", text)

    return [("FTS5 BM25", bm25), ("retrieve", retrieve), ("retrieve + rerank", rerank)]


def main():
    shared = os.environ.get("RERANK_SHARED")
    if not shared:
        print("recall: skipped, RERANK_SHARED is not set")
        return 0
    low = False
    print(f"{'collection':12} {'method':18} {'nDCG@10':>8} {'ratio':>6} {'recall@25':>10} "
          f"{'ratio':>6}")
    for name in sys.argv[1:] or ["cranfield", "cisi"]:
        collection = Collection(os.path.join(shared, "eval", name))
        base = None
        for method, search in searches(open_database(collection)):
            measured = measure(collection, search)
            base = base or measured
            ratios = [a / b for a, b in zip(measured, base)]
            print(f"{name:12} {method:18} {measured[0]:8.4f} {ratios[0]:6.3f} {measured[1]:10.4f} "
                  f"{ratios[1]:6.3f}")
        low = low or min(ratios) < WANTED
    return int(low)


if __name__ == "__main__":
    sys.exit(main())

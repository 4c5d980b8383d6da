"""quality.py LIBRARY [--model NAME] [--options OPTIONS] [COLLECTION...]: how well an index ranks.

For each folder of RERANK_SHARED/eval and each COLLECTION (judged.py says what is in one): nDCG@10
of FTS5's BM25 (`porter unicode61`, the words of the query, each once, joined by OR), and how many
times that an index reaches: by its vectors alone, its words alone, both fused, and the fused rows
reranked; median milliseconds a query, seconds of the first sync, and MB of the index's tables
beside those of FTS5. Then the same in indexes of 30 rows. An index without words has vectors alone,
and these reranked.

--model: the index's model (default: the library's). --options: more of its options, as in CREATE
VIRTUAL TABLE. Of RERANK_SHARED/movies.json the published query is asked, too.
"""
import argparse
import json
import os
import random
import re
import sqlite3
import statistics
import sys
import tempfile
import time

from judged import Collection, ndcg

DEPTH = 50
# A small index: so many rows, of so many queries some answers each, the rest of no query's.
SMALL_ROWS, SMALL_QUERIES, SMALL_ANSWERS, SMALL_INDEXES = 30, 3, 5, 60
PUBLISHED_QUERY = "super hero mystery action movie about bats"

MEASURES = {  # what is asked of an index with words, and of one without
    "vectors": ("AND weight = 1 ORDER BY score DESC", "ORDER BY similarity DESC"),
    "words": ("AND weight = 0 ORDER BY score DESC", None),
    "fused": ("ORDER BY score DESC", None),
    "reranked": ("ORDER BY relevance DESC", "ORDER BY relevance DESC"),
}


class Index:
    """Rows in a table, in an FTS5 table and in a semantic_index of a new database."""

    def __init__(self, library, options, path=":memory:"):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.enable_load_extension(True)
        self.db.load_extension(library)
        self.options = options

    def fill(self, rows):
        """rows: (name, title, text)."""
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, name, title, text)")
        self.db.executemany("INSERT INTO docs(name, title, text) VALUES (?, ?, ?)", rows)
        self.db.execute("CREATE VIRTUAL TABLE words USING fts5(text, content = '', "
                        "tokenize = 'porter unicode61')")
        before = self.size()
        self.db.execute("INSERT INTO words(rowid, text) SELECT id, title || char(10) || text "
                        "FROM docs")
        self.words_size = self.size() - before
        self.n_rows = len(rows)
        self.has_words = self.create()
        self.sync_seconds = seconds(lambda: self.db.execute("INSERT INTO ix(ix) VALUES ('sync')"))
        self.index_size = self.size() - before - self.words_size

    def create(self):
        """Whether the index has words beside its vectors."""
        base = "content = 'docs', text = 'title, text'" + self.options
        create = "CREATE VIRTUAL TABLE ix USING semantic_index("
        if "lexical" in base:
            self.db.execute(create + base + ")")
        else:
            try:
                self.db.execute(create + base + ", lexical = 'fts5')")
            except sqlite3.OperationalError as error:
                if "lexical" not in str(error):
                    raise
                self.db.execute(create + base + ")")
        return any(row[1] == "bm25" for row in self.db.execute("PRAGMA table_xinfo('ix')"))

    def size(self):
        pages, free, page_size = (self.db.execute("PRAGMA " + name).fetchone()[0]
                                  for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * page_size / 1e6

    def best_words(self, query):
        words = dict.fromkeys(re.findall(r"\w+", query.lower()))
        match = " OR ".join(f'"{word}"' for word in words)
        return match and self.names(
            "SELECT name FROM words JOIN docs ON id = words.rowid WHERE words MATCH ? "
            f"ORDER BY words.rank LIMIT {DEPTH}", match)

    def search(self, measure, query):
        """Names of rows, best first; None: this index has no such measure."""
        asked = MEASURES[measure][0 if self.has_words else 1]
        return asked and self.names(
            f"SELECT name FROM ix WHERE query = ? AND k = {DEPTH} {asked}", query)

    def names(self, sql, query):
        return [row[0] for row in self.db.execute(sql, (query,))]

    def close(self):
        self.db.close()


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Sums:
    """nDCG@10 and times of each measure, over queries."""

    def __init__(self):
        self.gains = {name: [] for name in ("FTS5", *MEASURES)}
        self.times = {name: [] for name in self.gains}

    def ask(self, index, query, grades):
        for name in self.gains:
            start = time.perf_counter()
            found = index.best_words(query) if name == "FTS5" else index.search(name, query)
            if found is None:
                continue
            self.times[name].append((time.perf_counter() - start) * 1000)
            self.gains[name].append(ndcg(found, grades))

    def ratios(self):
        """{measure: times FTS5}, without what could not be measured."""
        base = statistics.mean(self.gains["FTS5"])
        return {name: statistics.mean(gains) / base
                for name, gains in self.gains.items() if gains and name != "FTS5"}


def measure_whole(library, options, collection):
    with tempfile.TemporaryDirectory() as folder:
        index = Index(library, options, os.path.join(folder, "quality.db"))
        index.fill([(name, *texts) for name, texts in collection.documents.items()])
        sums = Sums()
        for query, grades in collection.grades.items():
            sums.ask(index, collection.queries[query], grades)
        index.close()
    return sums, index


def draw_small(collection, draw):
    """Some documents, and {query: grades} of those queries whose answers are among them."""
    queries = draw.sample(sorted(collection.grades), min(SMALL_QUERIES, len(collection.grades)))
    names = set()
    for query in queries:
        answers = sorted(collection.grades[query])
        names.update(draw.sample(answers, min(SMALL_ANSWERS, len(answers))))
    others = sorted(set(collection.documents) - names)
    names.update(draw.sample(others, min(SMALL_ROWS - len(names), len(others))))
    names = sorted(names)
    draw.shuffle(names)
    return names, {query: {name: grade for name, grade in collection.grades[query].items()
                           if name in names} for query in queries}


def measure_small(library, options, collection):
    draw = random.Random(collection.name)
    sums = Sums()
    for _ in range(SMALL_INDEXES):
        names, grades = draw_small(collection, draw)
        index = Index(library, options)
        index.fill([(name, *collection.documents[name]) for name in names])
        for query, wanted in grades.items():
            sums.ask(index, collection.queries[query], wanted)
        index.close()
    return sums


def print_ratios(title, table):
    """table: [(name, Sums)]; rows of means and minima end it."""
    def cells(ratios):
        return "".join(f"{ratios[name]:10.3f}" if name in ratios else f"{'-':>10}"
                       for name in MEASURES)

    print(f"\n{title:18}{'FTS5':>8}" + "".join(f"{name:>10}" for name in MEASURES))
    for name, sums in table:
        print(f"{name:18}{statistics.mean(sums.gains['FTS5']):8.4f}{cells(sums.ratios())}")
    ratios = [sums.ratios() for _, sums in table]
    for name, end in (("mean", statistics.mean), ("minimum", min)):
        print(f"{name:18}{'':8}" + cells({measure: end([row[measure] for row in ratios])
                                          for measure in ratios[0]}))


def print_costs(table):
    """table: [(name, Sums, Index)]."""
    print(f"\n{'milliseconds':18}" + "".join(f"{name:>10}" for name in ("FTS5", *MEASURES)) +
          f"{'rows':>8}{'sync s':>8}{'MB':>7}{'FTS5 MB':>9}")
    for name, sums, index in table:
        print(f"{name:18}" + "".join(f"{statistics.median(times):10.2f}" if times else f"{'-':>10}"
                                     for times in sums.times.values()) +
              f"{index.n_rows:8}{index.sync_seconds:8.2f}{index.index_size:7.1f}"
              f"{index.words_size:9.1f}")


def print_movies(library, options, path):
    """The published flow: titles are what is reranked."""
    with open(path, encoding="utf-8") as file:
        movies = json.load(file)
    index = Index(library, options + ", document = 'title'")
    index.fill([(m["title"], m["title"], f"{m['overview']}\n{m['tagline']}") for m in movies])
    print(f"\n{PUBLISHED_QUERY}:")
    for name in MEASURES:
        found = index.search(name, PUBLISHED_QUERY)
        if found is not None:
            print(f"{name:14}{' · '.join(found[:5])}")
    index.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":", 1)[1].split("\n")[0])
    parser.add_argument("library")
    parser.add_argument("--model", default="")
    parser.add_argument("--options", default="")
    parser.add_argument("collections", nargs="*")
    arguments = parser.parse_args()
    shared = os.environ.get("RERANK_SHARED", "")
    given = os.path.join(shared, "eval")
    folders = [os.path.join(given, name) for name in sorted(os.listdir(given))
               if os.path.isfile(os.path.join(given, name, "qrels.tsv"))] \
        if shared and os.path.isdir(given) else []
    collections = [Collection(folder) for folder in folders + arguments.collections]
    if not collections:
        sys.exit("no collections: name folders (make quality COLLECTIONS='a b'), or set "
                 "RERANK_SHARED")
    options = "".join(", " + option for option in (
        f"model = '{arguments.model}'" if arguments.model else "", arguments.options) if option)
    library = os.path.abspath(arguments.library)
    movies = os.path.join(shared, "movies.json")
    whole = [(each.name, *measure_whole(library, options, each)) for each in collections]
    print_ratios("collection", [(name, sums) for name, sums, _ in whole])
    print_costs(whole)
    print_ratios(f"{SMALL_ROWS} rows", [(each.name, measure_small(library, options, each))
                                for each in collections])
    if shared and os.path.isfile(movies):
        print_movies(library, options, movies)


if __name__ == "__main__":
    main()

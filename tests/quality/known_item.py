"""known_item.py: how well words are found in many languages, beside plain FTS5. By hand.

    python3 tests/quality/known_item.py [--folder DIR] [--rows 4000] [--queries 500]
        [--options "lexical = 'fts5'"] [--tokenizer 'unicode61'] [--texts FILE] [language...]

Known-item search: the short description of a package must find its long one. The texts are
Debian's own, in every language that has translations of them; apt fetches and checks them (once:
what lies in DIR is taken as it is). Default languages: those of WANTED. Nothing of it is kept in
the repository.

Prints MRR@10 (1 / the place of the right row among the ten best, 0 if it is not there) of
    unicode61, trigram   plain FTS5: the OR of the query's words, or of its runs of 3 characters
    TOKENIZER            of each --tokenizer: FTS5 with it, the OR of the query's words
    index                semantic_index(OPTIONS), asked with the query as it is, no reranking
and the last beside the better of the first two. Exit status 1 when that is below .97 in a language
of WANTED, or below 1.00 in their mean.

--texts reads FILE instead, a JSON object a line, {"query": ..., "text": ...}: texts of one's own.
"""
import argparse
import glob
import json
import os
import random
import re
import sqlite3
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WANTED = ["de", "ru", "ja", "es", "fr", "uk", "en"]
LEAST, MEAN = 0.97, 1.0
SHORTEST = 60  # characters of a long description that says something


def fetch(folder, languages):
    """apt's lists of these languages in the folder; apt alone knows where they lie."""
    missing = [one for one in languages if not list_of(folder, one)]
    if not missing:
        return
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    everything = sorted(set(languages) | {"en"})
    subprocess.run(["apt-get", "-q", "-o", f"Dir::State::Lists={folder}/lists", "-o",
                    f"Dir::Cache={folder}/cache", "-o",
                    "Acquire::Languages=" + ",".join(everything), "update"],
                   check=True, stdout=subprocess.DEVNULL)


def list_of(folder, language):
    """The longest list of that language, or None."""
    name = f"*_Translation-{language.replace('_', '%5f')}*"
    paths = glob.glob(os.path.join(glob.escape(os.path.join(folder, "lists")), name))
    return max(paths, key=os.path.getsize, default=None)


def descriptions(folder, language, rows):
    """(short, long) descriptions; each short one once. The same rows in every run."""
    path = list_of(folder, language)
    if path is None:
        sys.exit(f"known_item: no translations into {language} in {folder}/lists")
    text = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", path], check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    pairs, seen = [], set()
    for block in text.split("\n\n"):
        match = re.search(r"^Description-(?!md5)\w+: (.*)\n((?: .*\n?)*)", block, re.M)
        if not match:
            continue
        short = match.group(1).strip()
        lines = [line.strip() for line in match.group(2).split("\n")]
        long = " ".join(line for line in lines if line != ".").strip()
        if short and len(long) > SHORTEST and short not in seen:
            seen.add(short)
            pairs.append((short, long))
    random.Random(1).shuffle(pairs)
    return pairs[:rows]


def own_texts(path, rows):
    with open(path, encoding="utf-8") as file:
        pairs = [(one["query"], one["text"]) for one in map(json.loads, file)]
    return pairs[:rows]


def words_of(query):
    return re.findall(r"\w+", query)


def trigrams_of(query):
    return [query[i:i + 3] for i in range(len(query) - 2)]


def any_of(terms):
    return " OR ".join('"' + term.replace('"', '""') + '"' for term in dict.fromkeys(terms))


class Rows:
    def __init__(self, pairs, n_queries, library):
        self.texts = [text for _, text in pairs]
        self.queries = [query for query, _ in pairs[:n_queries]]
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        if library:
            self.db.enable_load_extension(True)
            self.db.load_extension(library)
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, text TEXT)")
        self.db.executemany("INSERT INTO docs(text) VALUES (?)", [(text,) for text in self.texts])

    def mrr(self, search):
        """search(query): ids, the best first. The right one is the query's own number from 1."""
        total = 0.0
        for number, query in enumerate(self.queries, 1):
            found = search(query)[:10]
            total += 1 / (found.index(number) + 1) if number in found else 0
        return total / len(self.queries)

    def ids(self, sql, argument):
        return [row[0] for row in self.db.execute(sql, (argument,))]

    def fts5(self, tokenizer, terms):
        self.db.execute("CREATE VIRTUAL TABLE f USING fts5(text, content = 'docs', content_rowid = "
                        f"'id', tokenize = \"{tokenizer}\")")
        self.db.execute("INSERT INTO f(f) VALUES ('rebuild')")

        def search(query):
            match = any_of(terms(query))
            return match and self.ids("SELECT rowid FROM f WHERE f MATCH ? ORDER BY rank, rowid "
                                      "LIMIT 10", match)
        result = self.mrr(search)
        self.db.execute("DROP TABLE f")
        return result

    def index(self, options):
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                        f"text = 'text', {options})")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        return self.mrr(lambda query: self.ids("SELECT id FROM ix WHERE query = ? AND k = 10 "
                                               "ORDER BY rank", query))


def measure(pairs, arguments):
    """What there is to print of one language, and the index beside the better of plain FTS5."""
    rows = Rows(pairs, arguments.queries, arguments.library)
    plain = [rows.fts5("unicode61", words_of), rows.fts5("trigram", trigrams_of)]
    others = [rows.fts5(tokenizer, words_of) for tokenizer in arguments.tokenizer]
    index = rows.index(arguments.options) if arguments.options else max(others + [0])
    return plain + others + [index], index / max(plain)


def arguments_of(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "translations"))
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--options", default="lexical = 'fts5', model = 'builtin:static'")
    parser.add_argument("--tokenizer", action="append", default=[])
    parser.add_argument("--texts")
    parser.add_argument("--library", default=os.environ.get(
        "RERANK_EXTENSION", os.path.join(ROOT, "build", "rerank")))
    parser.add_argument("languages", nargs="*", metavar="language")
    return parser.parse_args(argv)


def main():
    arguments = arguments_of(sys.argv[1:])
    languages = [arguments.texts] if arguments.texts else arguments.languages or WANTED
    if not arguments.texts:
        fetch(arguments.folder, languages)
    print(f"{'language':10} {'rows':>5}" + "".join(
        f" {name:>9}" for name in ["unicode61", "trigram"] + arguments.tokenizer + ["index"]) +
        "  / the better of unicode61, trigram")
    ratios = {}
    for language in languages:
        pairs = (own_texts(language, arguments.rows) if arguments.texts else
                 descriptions(arguments.folder, language, arguments.rows))
        found, ratios[language] = measure(pairs, arguments)
        print(f"{language:10} {len(pairs):5}" + "".join(f" {one:9.3f}" for one in found) +
              f"  {ratios[language]:.3f}", flush=True)
    wanted = [ratios[one] for one in WANTED if one in ratios]
    if not wanted:
        return 0
    print(f"of {len(wanted)} of {len(WANTED)}: least {min(wanted):.3f} (wanted {LEAST}), mean "
          f"{sum(wanted) / len(wanted):.3f} (wanted {MEAN:.2f})")
    return int(min(wanted) < LEAST or sum(wanted) / len(wanted) < MEAN)


if __name__ == "__main__":
    sys.exit(main())

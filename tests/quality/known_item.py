"""known_item.py: how well words are found in many languages, beside plain FTS5. By hand.

    python3 tests/quality/known_item.py [--folder DIR] [--rows 4000] [--queries 500] [--seeds 1]
        [--options OPTIONS] [--tokenizer 'unicode61'] [--texts FILE] [language...]

Known-item search: the short description of a package must find its long one. The texts are
Debian's own, in every language that has translations of them; apt fetches and checks them (once:
what lies in DIR is taken as it is). Default languages: those of WANTED. Nothing of it is kept in
the repository. Of each language --seeds times as many rows as --rows says, others each time, or as
many as there are; then the means are printed.

Prints MRR@10 (1 / the place of the right row among the ten best, 0 if it is not there) of
    unicode61, trigram   plain FTS5: the OR of the query's words, or of its runs of 3 characters
    TOKENIZER            of each --tokenizer: FTS5 with it, the OR of the query's words
    index                semantic_index(OPTIONS), asked with the query as it is, no reranking
then how many times as large as that of unicode61 its FTS5 table is, and what it finds beside the
better of the first two, beside the aim. Exit status 1 when that is below .97 in a language of
WANTED, or below 1.00 in their mean.

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
OPTIONS = ("model = 'builtin:static', storage = 'int8', lexical = 'fts5', "
           "tokenizer = 'rerank porter unicode61 remove_diacritics 2'")
SHORTEST = 60  # characters of a long description that says something


def fetch(folder, languages):
    """apt's lists of these languages in the folder; apt alone knows where they lie."""
    folder = os.path.abspath(folder)  # apt takes others from the root
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
    name = f"*_Translation-{language.replace('_', '%5f')}"
    begin = os.path.join(glob.escape(os.path.join(folder, "lists")), name)
    paths = glob.glob(begin) + glob.glob(begin + ".*")
    return max(paths, key=os.path.getsize, default=None)


def descriptions(folder, language):
    """All (short, long) descriptions; each short one once."""
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
    return pairs


def own_texts(path):
    with open(path, encoding="utf-8") as file:
        return [(one["query"], one["text"]) for one in map(json.loads, file)]


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
        result = self.mrr(search), self.size("f")
        self.db.execute("DROP TABLE f")
        return result

    def size(self, table):
        return self.db.execute(f"SELECT sum(length(block)) FROM {table}_data").fetchone()[0]

    def index(self, options):
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                        f"text = 'text', {options})")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        found = self.mrr(lambda query: self.ids("SELECT id FROM ix WHERE query = ? AND k = 10 "
                                                "ORDER BY rank", query))
        has_words = self.db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'ix_fts'")
        return found, self.size("ix_fts") if has_words.fetchone()[0] else 0


def measure(pairs, arguments):
    """What there is to print of some rows: MRRs, how large the index's words are, and the index
    beside the better of plain FTS5."""
    rows = Rows(pairs, arguments.queries, arguments.library)
    words, trigrams = rows.fts5("unicode61", words_of), rows.fts5("trigram", trigrams_of)
    others = [rows.fts5(tokenizer, words_of) for tokenizer in arguments.tokenizer]
    index = rows.index(arguments.options)
    found = [one for one, _ in [words, trigrams] + others + [index]]
    return found + [index[1] / words[1], index[0] / max(words[0], trigrams[0])]


def means(pairs, arguments):
    """The same, of several samples of rows."""
    samples = []
    for seed in range(1, arguments.seeds + 1):
        random.Random(seed).shuffle(pairs)
        samples.append(measure(pairs[:arguments.rows], arguments))
    return [sum(column) / len(samples) for column in zip(*samples)]


def arguments_of(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--folder", type=os.path.abspath,
                        default=os.path.join(ROOT, "build", "translations"))
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--options", default=OPTIONS)
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
        "   size  index / the better of plain FTS5")
    ratios = {}
    for language in languages:
        pairs = (own_texts(language) if arguments.texts else
                 descriptions(arguments.folder, language))
        *found, size, ratios[language] = means(pairs, arguments)
        aim = f"  (aim {LEAST})" if language in WANTED else ""
        print(f"{language:10} {min(len(pairs), arguments.rows):5}" +
              "".join(f" {one:9.3f}" for one in found) +
              f"  {size:5.2f}  {ratios[language]:.3f}{aim}", flush=True)
    wanted = [ratios[one] for one in WANTED if one in ratios]
    if not wanted:
        return 0
    print(f"of {len(wanted)} of {len(WANTED)}: least {min(wanted):.3f} (wanted {LEAST}), mean "
          f"{sum(wanted) / len(wanted):.3f} (wanted {MEAN:.2f})")
    return int(min(wanted) < LEAST or sum(wanted) / len(wanted) < MEAN)


if __name__ == "__main__":
    sys.exit(main())

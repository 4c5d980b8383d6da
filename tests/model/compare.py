"""compare.py: a database beside what is expected of it; searches beside brute force."""
import json
import math
import struct

DIMENSIONS = 8


class Difference(Exception):
    pass


def to_blob(vector):
    return struct.pack("<%df" % len(vector), *vector)


def from_blob(blob):
    return struct.unpack("<%df" % (len(blob) // 4), blob)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


SIMILARITY = {
    "cosine": lambda a, b: dot(a, b) / math.sqrt(dot(a, a) * dot(b, b)),
    "dot": dot,
    "l2": lambda a, b: 1 / (1 + math.dist(a, b)),
}


# Documents that have a word, and the rows that they are of: those that live.
ROWS_OF_WORDS = """SELECT DISTINCT value, coalesce(d.id, f.rowid) FROM json_each(?), {0}_fts AS f
    LEFT JOIN {0}_docs AS d ON d.doc = f.rowid WHERE {0}_fts MATCH '"' || value || '"' AND
    (d.doc IS NULL OR d.id IS NOT NULL) ORDER BY 1, 2"""


def rows_of_words(texts):
    """What that must give for {row: text}, and the words of which it is to be asked."""
    pairs = sorted({(word, row) for row, text in texts.items()
                    for word in (text or "").lower().split()})
    return pairs, json.dumps(sorted({word for word, _ in pairs} | {"cat", "dog", "ship"}))


def is_near(a, b):
    return abs(a - b) <= 1e-4 * max(1, abs(b))


class Comparison:
    """One look at all tables through one connection. `who` is for messages."""

    def __init__(self, random, db, state, who):
        self.random, self.db, self.state, self.who = random, db, state, who

    def differ(self, what):
        raise Difference(f"{self.who}: {what}")

    def ask(self, sql, bindings=()):
        try:
            return self.db.execute(sql, bindings)
        except self.db.Error as error:
            return self.differ(f"{sql}: {error}")

    def run(self):
        there = [row[0] for row in self.ask(
            "SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL%semantic_index%' "
            "ORDER BY name")]
        if there != sorted([*self.state.tables, "f"]):
            self.differ(f"there are the indexes {there}, not {sorted(self.state.tables)} and f")
        for name in sorted(self.state.tables):
            if self.random.random() < .7:
                self.listing(name)
            self.search(name)
        if self.random.random() < .3:
            self.content_index()

    def listing(self, name):
        table = self.state.tables[name]
        got = [(rowid, text, from_blob(vector)) for rowid, text, vector in
               self.ask(f"SELECT rowid, text, embedding FROM {name}")]
        want = [(rowid, *table[rowid]) for rowid in sorted(table)]
        if got != want:
            first = next((pair for pair in zip(got, want) if pair[0] != pair[1]), None)
            self.differ(f"{name} lists {[row[0] for row in got]}, not "
                        f"{[row[0] for row in want]}; the first that differs: {first}")

        if self.state.options[name][2]:
            self.words(name, {rowid: text for rowid, (text, _) in table.items()})

    def words(self, name, texts):
        """After a read, which has written what waited."""
        want, words = rows_of_words(texts)
        got = self.ask(ROWS_OF_WORDS.format(name), (words,))
        if got != want:
            self.differ(f"{name} has the words {got}, not {want}")

    def search(self, name):
        """All of the right rows; the best ones, where no codes estimate; each similarity exact."""
        table, (metric, quantize, _) = self.state.tables[name], self.state.options[name]
        query = from_blob(to_blob([self.random.gauss(0, 1) for _ in range(DIMENSIONS)]))
        k, where, allowed = self.random.choice([1, 3, 10, 100]), "", set(table)
        if self.random.random() < .3:
            ids = [self.random.randint(1, 40) for _ in range(8)]
            where = f" AND rowid IN ({', '.join(map(str, ids))})"
            allowed &= set(ids)
        got = self.ask(f"SELECT rowid, similarity FROM {name} WHERE query = ? AND k = ?{where} "
                       "ORDER BY rank", (to_blob(query), k))
        exact = {rowid: SIMILARITY[metric](query, table[rowid][1]) for rowid in allowed}
        best = sorted(exact.values(), reverse=True)
        if len(got) != min(k, len(best)) or len({rowid for rowid, _ in got}) != len(got):
            self.differ(f"{name}: found {got}, of {len(best)} rows, k = {k}")
        for (rowid, similarity), possible in zip(got, best):
            if rowid not in allowed:
                self.differ(f"{name}: found row {rowid}, which is not there")
            if not is_near(exact[rowid], similarity):
                self.differ(f"{name}: row {rowid}: {similarity}, not {exact[rowid]}")
            if quantize == "none" and not is_near(similarity, possible):
                self.differ(f"{name}: {similarity} is found, but {possible} is there")

    def content_index(self):
        content, indexed = self.state.content, self.state.indexed
        got = [row[0] for row in self.ask("SELECT rowid FROM f")]
        if got != sorted(indexed):
            self.differ(f"f lists {got}, not {sorted(indexed)}")
        texts = self.ask("SELECT rowid, body FROM f")
        if texts != [(rowid, content.get(rowid)) for rowid in sorted(indexed)]:
            self.differ(f"f shows {texts}, of {content}")
        if self.ask("SELECT 1 FROM sqlite_schema WHERE name = 'f_fts'"):
            self.words("f", indexed)
        if set(indexed) <= set(content):
            words = " ".join(content[rowid] for rowid in indexed)
            found = self.ask("SELECT rowid FROM f WHERE query = ? AND k = 100", (words,))
            if sorted(row[0] for row in found) != got:
                self.differ(f"f finds {found}, not {got}")

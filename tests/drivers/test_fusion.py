"""test_fusion.py: words and vectors in one ranking, beside the same computed here: similarities
from the index itself (weight = 1), BM25 from a plain FTS5 table of the same texts."""
import math
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, connect, model_calls  # noqa: E402

TOKENIZER = "porter unicode61 remove_diacritics 2"
VOCABULARY = [a + b for a in ("ba", "do", "ki", "lu", "mo", "sa") for b in ("rat", "len", "nos",
                                                                        "tim", "vek")]
LEAST_DEPTH = 100
MISS = {}  # what a side does not know


def text_of(draw):
    """Few words are frequent, as in texts that people write."""
    return " ".join(VOCABULARY[min(int(draw.expovariate(.18)), len(VOCABULARY) - 1)]
                    for _ in range(draw.randint(1, 12)))


class Oracle:
    """What each side says of every row."""

    def __init__(self, db, query, words=None):
        self.ids = [row[0] for row in db.execute("SELECT id FROM docs")]
        self.similarity = dict(db.execute(
            "SELECT rowid, similarity FROM ix WHERE query = ? AND weight = 1", (query,)))
        words = query.split() if words is None else words
        match = " OR ".join(f'"{word}"' for word in words)
        self.bm25 = dict(db.execute(
            "SELECT rowid, -bm25(plain) FROM plain WHERE plain MATCH ?", (match,)))
        total = db.execute("SELECT count(*) FROM docs").fetchone()[0]
        self.bound = 0
        for word in words:
            n = db.execute("SELECT count(*) FROM plain WHERE plain MATCH ?",
                           (f'"{word}"',)).fetchone()[0]
            self.bound += max(math.log((total - n + .5) / (n + .5)), 1e-6)
        self.trust = 1
        if db.execute("SELECT value FROM ix_config WHERE key = 'model'").fetchone() == (
                "builtin:static",):
            whole = sum(db.execute("SELECT token_count(?, 'builtin:static') = 1",
                                   (word,)).fetchone()[0] for word in words)
            self.trust = .6 + .4 * whole / len(words)

    def ranking(self, kind, weight, k=None, passing=None):
        """[(score, id)] of the k best of those that pass, as sql/README.md says it."""
        depth = len(self.ids) if k is None else max(k, LEAST_DEPTH)
        weight = weight * self.trust / (weight * self.trust + (1 - weight))
        sides = [sorted(((-score, i) for i, score in side.items()
                         if passing is None or i in passing))[:depth]
                 for side in (self.bm25 if weight < 1 else MISS,
                              self.similarity if weight > 0 else MISS)]
        scores = {i: 0.0 for side in sides for _, i in side}
        if kind == "rrf" and weight < 1:
            for side, share in zip(sides, (1 - weight, weight)):
                for place, (_, i) in enumerate(side, 1):
                    scores[i] += share / (60 + place)
        elif weight == 1:
            scores = {i: self.similarity[i] for i in scores}
        else:
            similarity = self.similarity if weight > 0 else MISS
            for i in scores:
                words = self.bm25[i] / (2.2 * self.bound) if i in self.bm25 else 0
                scores[i] = (1 - weight) * words + weight * similarity.get(i, 0)
        return sorted(((score, i) for i, score in scores.items()),
                      key=lambda pair: (-pair[0], pair[1]))[:k]


class Collection(Base):
    N_ROWS, SEED, MODEL, OPTIONS = 400, 7, "model = 'builtin:lexical'", ""

    @classmethod
    def setUpClass(cls):
        """The same file for each test."""
        cls.made = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.made.cleanup)
        draw, db = random.Random(cls.SEED), connect(os.path.join(cls.made.name, "docs.db"))
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, section TEXT, price INT)")
        db.executemany("INSERT INTO docs VALUES (?, ?, ?, ?)", [
            (i, text_of(draw), "rare" if i % 50 == 0 else "usual", i % 7)
            for i in range(1, cls.N_ROWS + 1)])
        db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', text = 'body', "
                   f"lexical = 'fts5', tokenizer = '{TOKENIZER}', {cls.MODEL}{cls.OPTIONS})")
        db.execute(f"CREATE VIRTUAL TABLE plain USING fts5(text, tokenize = '{TOKENIZER}')")
        db.execute("INSERT INTO plain(rowid, text) SELECT id, body FROM docs")
        db.execute("COMMIT")
        db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        db.close()

    def setUp(self):
        super().setUp()
        self.draw = random.Random(self.SEED)
        self.db.close()
        shutil.copy(os.path.join(self.made.name, "docs.db"), self.path)
        self.db = connect(self.path)
        self.addCleanup(self.db.close)

    def query(self):
        return " ".join(self.draw.sample(VOCABULARY + ["qqqq"], self.draw.randint(1, 4)))

    def same(self, rows, ranking, note):
        """Rows (id, score): those of the ranking, but for the order of scores that round alike."""
        self.assertEqual(len(rows), len(ranking), note)
        for (i, score), (expected, other) in zip(rows, ranking):
            self.assertAlmostEqual(score, expected, delta=1e-9, msg=note)
            if i != other:
                self.assertTrue(any(j == i and abs(s - expected) < 1e-9 for s, j in ranking)
                                or abs(ranking[-1][0] - score) < 1e-9, f"{note}: {i}, {other}")


class Rankings(Collection):
    def test_any_weight_and_k(self):
        for _ in range(40):
            query, kind = self.query(), self.draw.choice(["weighted", "rrf"])
            weight = self.draw.choice([0, 1, .2, .5, self.draw.random()])
            k = self.draw.choice([None, 1, 10, 100, 150, 1000])
            where, passing = self.draw.choice([
                ("", None), (" AND price > 2", "price > 2"), (" AND section = 'rare'",
                                                              "section = 'rare'"),
                (" AND rowid IN (SELECT id FROM docs WHERE id % 3 = 0)", "id % 3 = 0")])
            passing = passing and {row[0] for row in self.rows(
                f"SELECT id FROM docs WHERE {passing}")}
            rows = self.rows("SELECT rowid, score FROM ix WHERE query = ? AND fusion = ? AND "
                             "weight = ? AND k IS ?" + where, query, kind, weight, k) if k else \
                self.rows("SELECT rowid, score FROM ix WHERE query = ? AND fusion = ? AND "
                          "weight = ?" + where, query, kind, weight)
            self.same(rows, Oracle(self.db, query).ranking(kind, weight, k, passing),
                      f"{query}, {kind}, {weight}, k = {k}{where}")

    def test_each_part_is_as_it_says(self):
        query = "barat lunos kivek"
        oracle = Oracle(self.db, query)
        rows = self.rows("SELECT rowid, similarity, distance, bm25, rank, fusion, weight FROM "
                         "ix(?, 20)", query)
        self.assertEqual([row[4] for row in rows], list(range(1, 21)))
        for i, similarity, distance, bm25, _, fusion, weight in rows:
            self.assertAlmostEqual(similarity, oracle.similarity[i], delta=1e-12)
            self.assertAlmostEqual(distance, 1 - similarity, delta=1e-12)
            self.assertEqual(bm25 is None, i not in oracle.bm25)
            self.assertAlmostEqual(bm25 or 0, oracle.bm25.get(i, 0), delta=1e-9)
            self.assertEqual((fusion, weight), ("weighted", .3))

    def test_pages(self):
        query = "barat lunos"
        whole = self.rows("SELECT rowid FROM ix(?, 100)", query)
        for k in (1, 10, 30):
            self.assertEqual(self.rows("SELECT rowid FROM ix(?, ?)", query, k), whole[:k])
        self.assertEqual(self.rows("SELECT rowid FROM ix(?, 10) WHERE rank > 20", query),
                         whole[20:30])
        self.assertEqual(self.rows("SELECT rowid FROM ix(?) LIMIT 10 OFFSET 20", query),
                         whole[20:30])
        by_rank = " FROM ix(?%s) WHERE fusion = 'rrf'"
        last = self.rows("SELECT rowid, score" + by_rank % ", 100", query)[90:]
        self.assertEqual(self.rows("SELECT rowid, score" + by_rank % "" + " LIMIT 10 OFFSET 90",
                                   query), last)
        self.assertEqual(self.rows("SELECT rowid FROM ix(?, 100) ORDER BY score DESC LIMIT 10 "
                                   "OFFSET 20", query), whole[20:30])
        self.assertEqual(self.rows("SELECT rowid FROM ix(?) WHERE rank IN (1, 3)", query),
                         [whole[0], whole[2]])

    def test_bounds(self):
        query = "barat lunos"
        oracle = Oracle(self.db, query)
        for kind in ("rrf", "weighted"):
            everything = oracle.ranking(kind, .3)
            self.bounded(kind, query, oracle, everything)
        self.assertEqual(self.rows("SELECT rowid FROM ix(?, 5) WHERE bm25 > 0 AND weight = 1",
                                   query), [])
        self.assertEqual(self.rows("SELECT rowid FROM ix(?, 5) WHERE similarity > 0 AND weight = 0",
                                   query), [])

    def bounded(self, kind, query, oracle, everything):
        found = f"SELECT rowid, score FROM ix(?) WHERE fusion = '{kind}' AND "
        high, low = everything[30][0] - 1e-8, everything[60][0] - 1e-8
        for where, keep in (
                (f"score < {high}", lambda s, i: s < high),
                (f"score BETWEEN {low} AND {high}", lambda s, i: low <= s <= high),
                ("bm25 < 1.5", lambda s, i: oracle.bm25.get(i, 9) < 1.5),
                ("bm25 >= 1.5", lambda s, i: oracle.bm25.get(i, 0) >= 1.5),
                ("similarity > .3", lambda s, i: oracle.similarity[i] > .3),
                ("distance > .8 AND bm25 > 0", lambda s, i: oracle.similarity[i] < .2
                 and i in oracle.bm25)):
            expected = [(s, i) for s, i in everything if keep(s, i)]
            self.assertGreater(len(expected), 5, where)
            for k in (5, 1000):
                if kind == "weighted" or "score" in where:
                    self.same(self.rows(f"{found} {where} AND k = ?", query, k), expected[:k],
                              where)
            if kind == "weighted" or "score" in where:
                self.same(self.rows(f"{found} {where}", query), expected, where)
        for limit in (9, 99):
            self.same(self.rows(f"{found} score >= {low} LIMIT ?", query, limit),
                      [(s, i) for s, i in everything if s >= low][:limit], "LIMIT")

    def test_other_orders(self):
        query = "barat lunos"
        rows = self.rows("SELECT similarity, bm25, score FROM ix(?, 30) ORDER BY similarity DESC",
                         query)
        self.assertEqual([row[0] for row in rows], sorted((row[0] for row in rows), reverse=True))
        plans = {order: any("TEMP B-TREE" in row[3] for row in self.rows(
            f"EXPLAIN QUERY PLAN SELECT rowid FROM ix(?) ORDER BY {order}", query))
            for order in ("score DESC", "rank", "relevance DESC", "score", "similarity DESC",
                          "distance", "bm25 DESC")}
        self.assertEqual(plans, {"score DESC": 0, "rank": 0, "relevance DESC": 0, "score": 1,
                                 "similarity DESC": 1, "distance": 1, "bm25 DESC": 1})

    def test_a_condition_that_sqlite_checks_and_limit(self):
        query = "barat lunos"
        expected = [i for _, i in Oracle(self.db, query).ranking("weighted", .3) if i % 11 == 0]
        self.assertEqual([row[0] for row in self.rows(
            "SELECT rowid FROM ix(?) WHERE id % 11 = 0 ORDER BY score DESC LIMIT 12", query)],
            expected[:12])

    def are_candidates(self, rows, oracle, scores):
        """Rows (id, ...) by rank: of those that are left, each fifth is the nearest, the others
        have the best score."""
        left = set(scores)
        for place, row in enumerate(rows, 1):
            values = oracle.similarity if place % 5 == 0 else scores
            self.assertAlmostEqual(values[row[0]], max(values[i] for i in left), delta=1e-9)
            left.remove(row[0])

    def test_the_candidates_of_the_reranker(self):
        others = 0
        for query, weight in (("barat lunos", .3), ("dorat kivek moten", .6), ("salen", .1)):
            oracle = Oracle(self.db, query)
            for where, passing in (("", None), ("AND price > 2", "price > 2")):
                ids = None if passing is None else {row[0] for row in self.rows(
                    f"SELECT id FROM docs WHERE {passing}")}
                scores = {i: score for score, i in oracle.ranking("weighted", weight, None, ids)}
                ask = ("SELECT rowid, relevance, rank FROM ix WHERE query = ? AND weight = ? "
                       f"{where}")
                whole = self.rows(f"{ask} AND k = 60 ORDER BY rank", query, weight)
                self.assertEqual([row[2] for row in whole], list(range(1, 61)))
                self.are_candidates(whole, oracle, scores)
                ids = [row[0] for row in whole]
                others += ids != [row[0] for row in self.rows(
                    f"SELECT rowid FROM ix WHERE query = ? AND weight = ? {where} AND k = 60",
                    query, weight)]
                for k in (1, 5, 7, 25):
                    self.assertEqual([row[0] for row in self.rows(
                        f"{ask} AND k = {k} ORDER BY rank", query, weight)], ids[:k])
                self.assertEqual([row[0] for row in self.rows(
                    f"{ask} AND k = 10 AND rank > 20 ORDER BY rank", query, weight)], ids[20:30])
        self.assertGreaterEqual(others, 2)  # than the best by score

    def test_how_many_are_reranked(self):
        query = "barat lunos"
        ids = [row[0] for row in self.rows("SELECT rowid, relevance FROM ix(?, 60) ORDER BY rank",
                                           query)]
        rows = self.rows("SELECT rowid, relevance FROM ix(?) ORDER BY relevance DESC", query)
        self.assertEqual({row[0] for row in rows}, set(ids[:25]))
        self.assertEqual([row[1] for row in rows], sorted((r[1] for r in rows), reverse=True))
        for limit, offset in ((5, 0), (40, 0), (20, 25)):
            rows = self.rows("SELECT rowid FROM ix(?) ORDER BY relevance DESC LIMIT ? OFFSET ?",
                             query, limit, offset)
            self.assertEqual(len(rows), limit)
            self.assertLessEqual({row[0] for row in rows}, set(ids[:max(25, limit + offset)]))
        low = self.rows("SELECT score FROM ix(?, 30)", query)[-1][0]
        rows = self.rows("SELECT rowid, score, relevance FROM ix(?) WHERE score >= ?", query, low)
        self.assertEqual(len(rows), 25)
        self.assertTrue(all(row[1] >= low for row in rows))
        for fusion in ("rrf", "weighted"):
            rows = self.rows("SELECT score, relevance FROM ix(?, 40) WHERE fusion = ? "
                             "ORDER BY score DESC", query, fusion)
            self.assertEqual([row[0] for row in rows], sorted((r[0] for r in rows), reverse=True))
            self.assertEqual(len(rows), 40)
        rows = self.rows("SELECT rowid, relevance FROM ix(?, 5) WHERE weight = 0 ORDER BY rank",
                         query)
        self.assertEqual([row[0] for row in rows],
                         [i for _, i in Oracle(self.db, query).ranking("weighted", 0, 5)])
        self.assertTrue(all(row[1] is not None for row in rows))

    def test_many_queries_in_one_pass(self):
        queries = [self.query() for _ in range(70)] + ['"barat lunos" kivek', "barat -lunos"]
        found = {}
        for key, i, similarity, score, bm25 in self.rows(
                "SELECT key, id, similarity, score, bm25 FROM semantic_search_each('ix', "
                f"json_array({', '.join('?' * len(queries))}), 7)", *queries):
            found.setdefault(key, []).append((i, similarity, score, bm25))
        for key, query in enumerate(queries):
            self.assertEqual(found.get(key, []), self.rows(
                "SELECT rowid, similarity, score, bm25 FROM ix(?, 7)", query), query)

    def test_rows_that_are_gone(self):
        query = "barat lunos"
        before = [row[0] for row in self.rows("SELECT rowid FROM ix(?)", query)]
        gone = set(before[::2])
        self.db.executemany("DELETE FROM docs WHERE id = ?", [(i,) for i in gone])
        left = [i for i in before if i not in gone]
        for weight in (.2, 0):
            self.assertEqual([row[0] for row in self.rows(
                "SELECT rowid FROM ix(?, 30) WHERE weight = ?", query, weight)],
                [row[0] for row in self.rows("SELECT rowid FROM ix(?) WHERE weight = ?", query,
                                             weight)][:30])
        self.assertEqual([row[0] for row in self.rows("SELECT rowid FROM ix(?)", query)], left)

    def test_joined_and_united(self):
        self.db.execute("CREATE TABLE queries(q TEXT, w REAL)")
        self.db.execute("INSERT INTO queries VALUES ('barat', 0), ('lunos', .5), ('kivek', 1)")
        rows = self.rows("SELECT q, w, i.rowid FROM queries, ix AS i WHERE i.query = q AND "
                         "i.weight = w AND k = 3 ORDER BY q, i.rank")
        for query, weight in self.rows("SELECT * FROM queries"):
            self.assertEqual([row[2] for row in rows if row[0] == query], [
                row[0] for row in self.rows("SELECT rowid FROM ix(?, 3) WHERE weight = ?", query,
                                            weight)])
        self.assertEqual(
            self.rows("SELECT weight, count(*) FROM ix('barat', 5) WHERE weight IN (0, .5, 1) "
                      "GROUP BY weight"), [(0, 5), (.5, 5), (1, 5)])
        self.db.execute("CREATE VIEW found AS SELECT i.rowid AS id, i.score, i.weight, i.query, "
                        "i.k FROM ix AS i")
        self.assertEqual(
            self.rows("SELECT id, score FROM found WHERE query = 'barat' AND k = 3 AND weight = "
                      ".4"), self.rows("SELECT rowid, score FROM ix('barat', 3) WHERE weight = .4"))

    def test_every_column_of_a_listing(self):
        names = [row[1] for row in self.rows("PRAGMA table_xinfo(ix)")]
        self.assertEqual(names[-4:], ["score", "bm25", "fusion", "weight"])
        listed = self.rows(f"SELECT {', '.join(names)} FROM ix ORDER BY rowid LIMIT 2")
        self.assertEqual([row[-4:] for row in listed], [(None,) * 4] * 2)
        self.assertEqual(len(self.rows("SELECT * FROM ix LIMIT 1")[0]), 4)
        self.fails("score has a value only in a search", "SELECT score FROM ix")

    def test_no_embedding_where_words_rank_alone(self):
        before = model_calls(self.db, "embed")
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('barat', 5) WHERE weight = 0")), 5)
        self.assertEqual(model_calls(self.db, "embed"), before)

    def test_what_a_vector_finds(self):
        vector = self.one("SELECT embedding FROM ix WHERE rowid = 7")
        rows = self.rows("SELECT rowid, score = similarity, bm25 FROM ix WHERE query = ? AND k = 3",
                         vector)
        self.assertEqual(rows[0], (7, 1, None))
        self.assertEqual({row[1:] for row in rows}, {(1, None)})

    def test_a_write_while_it_is_read(self):
        cursor = self.db.execute("SELECT rowid FROM ix('barat', 50)")
        first = [cursor.fetchone()[0] for _ in range(5)]
        self.db.execute("INSERT INTO docs VALUES (1000, 'barat', 'usual', 1)")
        self.db.execute("INSERT INTO ix(rowid) VALUES (1000)")
        rest = [row[0] for row in cursor]
        self.assertEqual(len(set(first + rest)), 50)
        self.assertNotIn(1000, first + rest)

    def test_recall_is_of_vectors(self):
        self.assertEqual(self.rows("SELECT recall FROM semantic_recall('ix', 10, 20)"), [(1.0,)])


class Coded(Rankings):
    """Where vectors are found by codes, all are compared for so few rows."""
    N_ROWS, OPTIONS = 300, ", quantize = 'int8'"


class Meaning(Collection):
    """As an index has it by default: builtin:static, a byte a component."""
    N_ROWS, MODEL = 150, "storage = 'int8'"
    test_any_weight_and_k = Rankings.test_any_weight_and_k
    test_each_part_is_as_it_says = Rankings.test_each_part_is_as_it_says
    test_many_queries_in_one_pass = Rankings.test_many_queries_in_one_pass


class Rarity(Base):
    """Words of a query count in its vector by how rare they are in an index with words."""

    def setUp(self):
        super().setUp()
        self.db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, text TEXT)")
        self.db.executemany("INSERT INTO docs(text) VALUES (?)", [("bats",), ("taxes",)] + [
            (f"taxes on {fruit}",) for fruit in ("apples", "pears", "plums", "figs") * 9])
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                        "text = 'text', storage = 'float32', upkeep = 'triggers')")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.plain = self.cosines("embed('bats taxes')")

    def cosines(self, vector):
        return dict(self.db.execute(f"SELECT rowid, cosine_sim(embedding, {vector}) FROM ix"))

    def found(self, query, rest=""):
        return dict(self.db.execute("SELECT rowid, similarity FROM ix WHERE query = ?" + rest,
                                    (query,)))

    def test_rare_words_count_more(self):
        for rest in ("", " AND weight = 1", " AND weight = .01"):
            found = self.found("bats taxes", rest)
            self.assertGreater(found[1], self.plain[1] + .05)
            self.assertLess(found[2], self.plain[2] - .05)
        self.assertEqual(self.found("bats taxes -figs")[1], found[1])
        each = dict(self.db.execute(
            "SELECT id, similarity FROM semantic_search_each('ix', '[\"bats taxes\", \"figs\"]', "
            "100) WHERE key = 0"))
        self.assertEqual(each, found)

    def test_a_vector_is_what_it_is(self):
        vector = self.db.execute("SELECT embed('bats taxes')").fetchone()[0]
        for rowid, similarity in self.found(vector).items():
            self.assertAlmostEqual(similarity, self.plain[rowid], delta=1e-6)

    def test_what_is_written_counts_at_once(self):
        before = self.found("bats taxes")[1]
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO docs(text) VALUES (?)", [("bats and figs",)] * 60)
        self.assertLess(self.found("bats taxes")[1], before - .05)
        self.db.execute("ROLLBACK")
        self.assertEqual(self.found("bats taxes")[1], before)

    def test_without_words(self):
        self.db.execute("CREATE VIRTUAL TABLE bare USING semantic_index(content = 'docs', "
                        "text = 'text', lexical = 'none')")
        self.db.execute("INSERT INTO bare(bare) VALUES ('sync')")
        for rowid, similarity in self.rows("SELECT rowid, similarity FROM bare('bats taxes')"):
            self.assertAlmostEqual(similarity, self.plain[rowid], delta=.01)

    def test_a_prefix_is_not_weighed(self):
        self.db.execute("INSERT INTO rerank_models(name, model, query_prefix) "
                        "VALUES ('asked', 'builtin:static', 'bats ')")
        self.db.execute("CREATE VIRTUAL TABLE other USING semantic_index(content = 'docs', text = "
                        "'text', lexical = 'fts5', model = 'asked')")
        self.db.execute("INSERT INTO other(other) VALUES ('sync')")
        for rowid, similarity in self.db.execute("SELECT rowid, similarity FROM other('taxes')"):
            self.assertAlmostEqual(similarity, self.plain[rowid], delta=.01)

    def test_words_that_are_damaged(self):
        self.db.execute("DELETE FROM ix_fts_data")
        self.db.close()
        self.db = connect(self.path)
        self.assertEqual(len(self.found("bats taxes", " AND weight = 1")), 38)


class Asked(Collection):
    N_ROWS = 300

    def having(self, phrase):
        return {row[0] for row in self.rows("SELECT rowid FROM plain WHERE plain MATCH ?", phrase)}

    def test_phrases_and_exclusions_hold_for_both_sides(self):
        must, without = self.having('"barat dorat"'), self.having("lurat")
        self.assertTrue(must and without)
        for weight in (0, .2, 1):
            for tail, k in (("", None), (" AND k = 200", 200), (" AND k = 3", 3)):
                found = {row[0] for row in self.rows(
                    "SELECT rowid FROM ix WHERE query = '\"barat dorat\" moten' AND weight = ?"
                    + tail, weight)}
                self.assertLessEqual(found, must)
                self.assertEqual(len(found), min(len(must), k or len(must)))
                found = {row[0] for row in self.rows(
                    "SELECT rowid FROM ix WHERE query = 'barat -lurat' AND weight = ?" + tail,
                    weight)}
                self.assertFalse(found & without)
                there = (self.having("barat") if weight == 0 else set(range(1, 301))) - without
                self.assertEqual(len(found), min(len(there), k or len(there)))

    def test_with_conditions(self):
        without = self.having("lurat")
        wanted = {row[0] for row in self.rows("SELECT id FROM docs WHERE price = 3")} - without
        for weight in (.2, 1):
            found = self.rows("SELECT rowid FROM ix('barat -lurat', 300) WHERE price = 3 AND "
                              "weight = ?", weight)
            self.assertEqual({row[0] for row in found}, wanted)

    def test_what_is_excluded_is_not_meant(self):
        # relevance depends on the candidates: the same ones, left out by a condition
        left = ", ".join(map(str, self.having("lurat")))
        for fields in ("similarity", "relevance"):
            with_it = dict(self.rows(f"SELECT rowid, {fields} FROM ix('barat moten -lurat', 50)"))
            without = dict(self.rows(f"SELECT rowid, {fields} FROM ix('barat moten', 50) "
                                     f"WHERE id NOT IN ({left})"))
            self.assertEqual(with_it.keys(), without.keys())
            for i, value in with_it.items():
                self.assertAlmostEqual(value, without[i], delta=1e-6)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('-lurat -dorat', 7)")), 7)

    def test_neither_words_nor_sense(self):
        for weight in (0, .2):
            self.assertEqual(self.rows("SELECT rowid FROM ix('qqqq zzzz') WHERE weight = ?",
                                       weight), [])


class AskedOfCodes(Asked):
    OPTIONS = ", quantize = 'bit'"


class Words(Base):
    """Indexes that are small, or have no content."""

    def test_columns_of_the_content_are_its_own(self):
        self.db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT, score INT, weight TEXT)")
        self.db.execute("INSERT INTO t VALUES (1, 'a cat', 7, 'x'), (2, 'a cat', 9, 'y')")
        named, left = ", model = 'builtin:lexical'", ["bm25", "fusion"]
        for options, ours in (("", left), (", lexical = 'none'", []), (named, []),
                              (named + ", lexical = 'fts5'", left)):
            self.db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index(content = 't', text = "
                            f"'body', document = 'score, body'{options})")
            self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
            self.assertEqual([row[1] for row in self.rows("PRAGMA table_info(ix)")],
                             ["id", "body", "score", "weight"])
            names = [row[1] for row in self.rows("PRAGMA table_xinfo(ix)")]
            self.assertEqual(names[names.index("weight") + 1:], ours)
            self.assertEqual(self.rows("SELECT id, score FROM ix('cat') WHERE weight = 'y'"),
                             [(2, 9)])
            self.db.execute("DROP TABLE ix")

    def test_equal_scores_lower_id_first(self):
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(lexical = 'fts5')")
        self.db.executemany("INSERT INTO ix(rowid, text) VALUES (?, ?)",
                            [(i, "the same text" if i % 2 else "another one") for i in
                             random.Random(3).sample(range(1, 201), 200)])
        for fusion in ("weighted", "rrf"):
            rows = [row[0] for row in self.rows(
                "SELECT rowid FROM ix('same text', 20) WHERE fusion = ?", fusion)]
            self.assertEqual(rows, list(range(1, 40, 2)))

    def test_an_earlier_connection(self):
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(lexical = 'fts5', fusion = "
                        "'rrf', weight = '0.25')")
        self.db.execute("INSERT INTO ix(rowid, text) VALUES (1, 'a cat'), (2, 'a dog')")
        other = connect(self.path)
        self.addCleanup(other.close)
        self.assertEqual(other.execute("SELECT rowid, fusion, weight FROM ix('cat', 1)").fetchall(),
                         [(1, "rrf", .25)])

    def test_interrupt(self):
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(lexical = 'fts5')")
        self.db.execute("INSERT INTO ix(rowid, text) VALUES (1, 'a cat'), (2, 'a dog')")
        self.db.set_progress_handler(lambda: 1, 1)
        with self.assertRaises(sqlite3.OperationalError):
            self.db.execute("SELECT rowid FROM ix('cat')").fetchall()
        self.db.set_progress_handler(None, 0)
        self.assertEqual(self.one("SELECT rowid FROM ix('cat', 1)"), 1)


if __name__ == "__main__":
    unittest.main()

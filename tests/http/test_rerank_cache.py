"""test_rerank_cache.py: reranking is paid for once; scores arrive as they were sent."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import KEY, Remote  # noqa: E402

MODEL = "together:m"
DOCUMENTS = ["a bat", "two bats", "a cave", "night"]


class Cache(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("together", "cohere")

    def reranks(self):
        n = sum("rerank" in request.path for request in self.server.requests)
        self.server.clear()
        return n

    def scores(self, query="bats", documents=DOCUMENTS, top_n=None, model=MODEL):
        return self.rows("SELECT key, relevance_score FROM rerank(?, ?, ?, ?)", query,
                         json.dumps(documents), top_n, model)

    def test_an_equal_call_asks_once(self):
        first = self.scores()
        for _ in range(3):
            self.assertEqual(self.scores(), first)
        self.assertEqual(self.reranks(), 1)
        stats = self.stats(MODEL, "rerank")
        self.assertEqual((stats["requests"], stats["texts"], stats["cache_hits"]), (1, 4, 12))

    def test_whatever_differs_is_another_call(self):
        calls = [{}, {"query": "bats "}, {"documents": DOCUMENTS[::-1]},
                 {"documents": DOCUMENTS[:3]}, {"documents": ["a ba", "ttwo bats"] + DOCUMENTS[2:]},
                 {"top_n": 2}, {"top_n": 3}, {"model": "cohere:m"},
                 {"documents": [{"text": text} for text in DOCUMENTS]},
                 {"documents": DOCUMENTS + [""]}]
        results = [self.scores(**call) for call in calls]
        self.assertEqual(self.reranks(), len(calls))
        self.assertEqual([self.scores(**call) for call in calls], results)
        self.assertEqual(self.reranks(), 0)
        self.assertEqual([key for key, score in results[-1] if score is None], [4])

    def test_the_scalar(self):
        for _ in range(2):
            self.rows("SELECT rerank('bats', value, ?) FROM json_each(?)", MODEL,
                      json.dumps(DOCUMENTS))
        self.assertEqual(self.reranks(), len(DOCUMENTS))

    def test_a_statement_that_is_stepped_reset_and_stepped(self):
        """As PHP does, and whoever shows a page twice, or the next one."""
        self.add_documents(30)
        self.add_index(MODEL, ", reranker='%s'" % MODEL)
        self.sync()
        self.server.clear()
        page = "SELECT rowid, relevance FROM ix('body') ORDER BY relevance DESC LIMIT 5 OFFSET ?"
        first = self.rows(page, 0)
        cursor = self.db.execute(page, (0,))
        cursor.fetchone()
        cursor.close()
        self.assertEqual(self.rows(page, 0), first)
        self.assertFalse(set(first) & set(self.rows(page, 5)))
        self.assertEqual(self.reranks(), 1)
        self.db.execute("UPDATE docs SET body = 'another' WHERE id = ?", (first[0][0],))
        self.rows(page, 0)
        self.assertEqual(self.reranks(), 1)

    def test_failures_are_not_kept(self):
        self.config(max_retries=0)
        for step in ({"status": 503}, {"status": 401}, {"do": "not_json", "times": "forever"}):
            self.server.behave([step])
            self.error("SELECT * FROM rerank('bats', ?, NULL, ?)", json.dumps(DOCUMENTS), MODEL)
        self.server.behave([{"status": 400, "match": "a cave", "times": "forever"}])
        self.assertIsNone(self.scores()[-1][1])
        self.server.clear()
        self.assertIsNotNone(self.scores()[-1][1])
        self.assertEqual(self.reranks(), 1)

    def test_what_ends_it(self):
        self.scores()
        self.config(memory_budget=0)
        self.scores()
        self.assertEqual(self.reranks(), 2)
        self.config(memory_budget=1 << 20)
        self.register("mine", "together", url=self.server.base_url("together"), api_key=KEY)
        for batch_size in (10, 20):
            self.db.execute("UPDATE rerank_models SET batch_size = ? WHERE name = 'mine'",
                            (batch_size,))
            self.scores(model="mine")
            self.scores(model="mine")
        self.assertEqual(self.reranks(), 2)
        self.db = self.connect()
        self.scores()
        self.assertEqual(self.reranks(), 1)

    def test_it_is_bounded(self):
        """An eighth of the budget: 80 kB here, and each of these lists takes 1 kB."""
        self.config(memory_budget=640000, concurrency=1)
        documents = ["document %d" % i for i in range(100)]
        for i in range(100):
            self.scores("query %d" % i, documents)
        self.assertEqual(self.reranks(), 100)
        self.scores("query 99", documents)
        self.assertEqual(self.reranks(), 0)
        self.scores("query 0", documents)
        self.assertEqual(self.reranks(), 1)

    def test_inside_a_write_transaction(self):
        self.scores()
        self.config(network="reads")
        self.db.execute("CREATE TABLE t(x)")
        self.db.execute("BEGIN IMMEDIATE")
        self.scores()
        self.fails("is not asked inside a write transaction",
                   "SELECT * FROM rerank('other', ?, NULL, ?)", json.dumps(DOCUMENTS), MODEL)
        self.db.execute("ROLLBACK")


class Digits(Remote):
    """A score is the double that is nearest to what the server wrote."""

    numbers = [0.7, 0.05, 0.1, 0.9, 1 / 3, -11.123456789012345, 5e-324, 1.7976931348623157e308,
               123456789.123456789, 0.30000000000000004]

    def setUp(self):
        super().setUp()
        self.set_up("cohere", "openai")
        self.server.behave([{"match": "documents", "times": "forever", "status": 200, "body": {
            "results": [{"index": i, "relevance_score": number}
                        for i, number in enumerate(self.numbers)]}}])
        self.names = ["document %d" % i for i in range(len(self.numbers))]

    def check(self, got):
        self.assertEqual(dict(got), dict(zip(self.names, self.numbers)))
        self.assertEqual([score for _, score in got], sorted(self.numbers, reverse=True))

    def test_the_table(self):
        for _ in range(2):  # the second comes from the cache
            self.check(self.rows("SELECT document, relevance_score FROM rerank('q', ?, NULL, "
                                 "'cohere:m')", json.dumps(self.names)))
        self.assertEqual(len(self.server.requests), 1)
        self.assertEqual(self.one("SELECT count(*) FROM rerank('q', ?, NULL, 'cohere:m') "
                                  "WHERE relevance_score >= 0.7", json.dumps(self.names)), 4)

    def test_the_scalar(self):
        self.server.behave([{"match": "documents", "times": "forever", "status": 200, "body":
                             '{"results":[{"index":0,"relevance_score":7.000000000000001e-1}]}'}])
        for _ in range(2):
            self.assertEqual(self.one("SELECT rerank('q', 'd', 'cohere:m')"), 0.7000000000000001)

    def test_an_index(self):
        self.db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT)")
        self.db.executemany("INSERT INTO t(x) VALUES (?)", [(name,) for name in self.names])
        self.db.execute("CREATE VIRTUAL TABLE i USING semantic_index(content='t', text='x', "
                        "model='openai:m', reranker='cohere:m')")
        self.rows("SELECT * FROM semantic_sync('i')")
        got = self.rows("SELECT relevance FROM i('document') ORDER BY relevance DESC")
        self.assertEqual([score for score, in got], sorted(self.numbers, reverse=True))


if __name__ == "__main__":
    unittest.main()

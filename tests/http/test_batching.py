"""test_batching.py: how many requests SQL makes of many rows, and what they hold: counts, no
times."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from loopback import score_of  # noqa: E402
from remote import Remote, inputs_of, texts_of  # noqa: E402

MODEL = "together:BAAI/bge-base-en-v1.5"
RERANKER = "together:Salesforce/Llama-Rank-V1"


class Batching(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("together", "tei", "nomic", "cohere", "mistral", "openai", "jina", "ollama")

    def count(self):
        """Requests since the last look."""
        requests = self.server.requests
        self.server.clear()
        return len(requests)

    def embed_each(self, texts, model=MODEL, role="document"):
        rows = self.rows("SELECT text, embedding FROM embed_each(?, ?, ?)", json.dumps(texts),
                         model, role)
        self.assertEqual([row[0] for row in rows], texts)
        for text, blob in rows:
            self.check_vector(blob, text, self.server.dimensions)


class Figures(Batching):
    """1000 rows: the figures that tests/bench/README.md gives."""

    def test_sync_of_1000_rows(self):
        self.add_documents(1000)
        self.add_index(MODEL)
        self.assertEqual(self.sync()[:4], (1000, 0, 0, 1000))
        self.assertEqual(len(texts_of(self.server.requests)), 1000)
        self.assertLessEqual(self.count(), 10)
        self.check_index(range(1, 1001))

        self.assertEqual(self.sync()[:5], (0, 0, 0, 1000, 0))
        self.assertEqual(self.count(), 0)

        self.db.execute("UPDATE docs SET body = 'changed ' || id WHERE id % 143 = 1")
        self.assertEqual(self.sync()[:5], (7, 0, 0, 1000, 1))
        self.assertEqual(len(texts_of(self.server.requests)), 7)
        self.assertEqual(self.count(), 1)
        self.check_index(range(1, 1001))

        self.db.execute("UPDATE docs SET title = title")  # nothing that is embedded changed
        self.db.execute("DELETE FROM docs WHERE id > 990")
        self.assertEqual(self.sync()[:5], (0, 10, 0, 990, 0))
        self.assertEqual(self.count(), 0)

    def test_insert_of_1000_rows_in_one_statement(self):
        self.add_documents(1000)
        self.add_index(MODEL)
        self.db.execute("INSERT INTO ix(rowid) SELECT id FROM docs")
        self.assertLessEqual(self.count(), 10)
        self.check_index(range(1, 1001))

    def test_the_command_sync(self):
        self.add_documents(1000)
        self.add_index(MODEL)
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertLessEqual(self.count(), 10)
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.count(), 0)
        self.db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")  # all of it is in the cache
        self.assertEqual(self.count(), 0)
        self.check_index(range(1, 1001))

    def test_embed_each_of_1000_texts(self):
        self.embed_each(["text %d" % i for i in range(1000)])
        self.assertLessEqual(self.count(), 10)

    def test_triggers_in_one_transaction(self):
        self.add_documents(0)
        self.add_index(MODEL)
        self.db.executescript("""
            CREATE TRIGGER docs_insert AFTER INSERT ON docs BEGIN
                INSERT INTO ix(rowid) VALUES (new.id); END;
            CREATE TRIGGER docs_update AFTER UPDATE ON docs BEGIN
                INSERT INTO ix(rowid) VALUES (new.id); END;
            CREATE TRIGGER docs_delete AFTER DELETE ON docs BEGIN
                DELETE FROM ix WHERE rowid = old.id; END;""")
        self.db.execute("BEGIN")
        self.add_documents(300)
        self.assertEqual(self.count(), 0)
        self.db.execute("COMMIT")
        self.assertEqual(self.count(), 3)
        self.check_index(range(1, 301))
        self.db.execute("BEGIN")
        self.db.execute("UPDATE docs SET body = 'new ' || id WHERE id <= 20")
        self.db.execute("UPDATE docs SET body = 'newer ' || id WHERE id <= 20")
        self.db.execute("DELETE FROM docs WHERE id > 290")
        self.db.execute("COMMIT")
        self.assertEqual(len(texts_of(self.server.requests)), 20)
        self.assertEqual(self.count(), 1)
        self.check_index(range(1, 291))

    def test_rolled_back_rows_cost_nothing(self):
        self.add_documents(50)
        self.add_index(MODEL)
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid) SELECT id FROM docs")
        self.db.execute("ROLLBACK")
        self.assertEqual(self.count(), 0)
        self.check_index([])

    def test_relevance_is_one_request(self):
        self.add_documents(200)
        self.add_index(MODEL, ", reranker='%s'" % RERANKER)
        self.sync()
        for sql, n in (("SELECT rowid, relevance FROM ix('body 7') ORDER BY relevance DESC", 25),
                       ("SELECT rowid, relevance FROM ix('body 8', 120)", 120),
                       ("SELECT rowid FROM ix('body 9', 40) WHERE relevance > 0.1", None)):
            self.server.clear()
            rows = self.rows(sql)
            reranks = [request for request in self.server.requests if "rerank" in request.path]
            self.assertEqual((len(reranks), len(self.server.requests)), (1, 2))
            self.assertIn(len(reranks[0].body["documents"]), (n, 40))
            for rowid, relevance in rows if n else ():
                text = "title %d body %d" % (rowid, rowid)
                self.assertAlmostEqual(relevance, score_of(reranks[0].body["query"], text),
                                       places=6)
        self.server.clear()
        self.rows("SELECT rowid, similarity FROM ix('body 7')")
        self.assertEqual(self.count(), 0)  # no relevance, and the query is known


class SearchBoxes(Batching):
    """Nothing to ask is not asked, and what a person pasted is sent as text."""

    def setUp(self):
        super().setUp()
        self.add_documents(3)
        self.add_index(MODEL, f", reranker = '{RERANKER}'")
        self.sync()
        self.count()

    def test_blank(self):
        for text in ("", " \n", "\u3000\u00a0", "\u200b\ufeff", "\0"):
            with self.subTest(text=ascii(text)):
                self.assertEqual(self.rows("SELECT rowid FROM ix(?)", text), [])
                self.assertEqual(self.rows("SELECT relevance FROM ix WHERE ix MATCH ?", text), [])
                self.assertEqual(self.rows("SELECT id FROM semantic_search_each('ix', ?)",
                                           json.dumps([text, text])), [])
                self.assertIsNone(self.one("SELECT rerank(?, 'a text', ?)", text, RERANKER))
                self.assertEqual(self.rows("SELECT * FROM rerank(?, '[\"a\"]', NULL, ?)", text,
                                           RERANKER), [])
                self.assertIsNone(self.one("SELECT embed(?, ?, 'query')", text, MODEL))
        self.assertEqual(self.count(), 0)

    def test_one_of_several(self):
        found = self.rows("SELECT key, id FROM semantic_search_each('ix', ?, 1)",
                          json.dumps(["", "body 2", " "]))
        self.assertEqual([key for key, _ in found], [1])
        self.assertEqual(texts_of(self.server.requests), ["body 2"])

    def test_what_is_no_text_and_no_vector(self):
        self.assertEqual(len(self.rows("SELECT rowid FROM ix(CAST(x'ff626f6479002180' AS TEXT))")),
                         3)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('[1, 2]')")), 3)
        self.assertEqual(texts_of(self.server.requests), [" body ! ", "[1, 2]"])
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('[1, 2, 3, 4, 5, 6, 7, 8]')")), 3)
        self.assertEqual(len(texts_of(self.server.requests)), 2)


class Requests(Batching):
    def test_duplicates_are_sent_once(self):
        self.embed_each(["same", "other"] * 50)
        self.assertEqual(texts_of(self.server.requests), ["same", "other"])
        stats = self.stats(MODEL)
        self.assertEqual((stats["texts"], stats["cache_hits"]), (2, 98))
        self.add_documents(40)
        self.db.execute("UPDATE docs SET title = 'one', body = id % 4")
        self.add_index(MODEL)
        self.server.clear()
        self.assertEqual(self.sync()[0], 40)
        self.assertEqual(len(texts_of(self.server.requests)), 4)
        self.check_index(range(1, 41))

    def test_a_constant_in_a_row_loop(self):
        self.add_documents(200)
        self.assertEqual(self.one("SELECT count(embed('constant', ?)) FROM docs", MODEL), 200)
        self.assertEqual(self.count(), 1)
        self.db.execute("UPDATE docs SET title = 'title ' || (id % 3)")
        self.one("SELECT count(embed(title, ?)) FROM docs", MODEL)
        self.assertEqual(self.count(), 3)  # the cache covers what SQLite does not lift

    def test_roles_are_cached_apart(self):
        for role in ("query", "document", "query", "document"):
            self.one("SELECT embed('same', 'jina:m', ?)", role)
        self.assertEqual([request.body["task"] for request in self.server.requests],
                         ["retrieval.query", "retrieval.passage"])

    def test_order_when_answers_come_swapped(self):
        self.server.behave([{"do": "swapped", "times": "forever"}])
        self.embed_each(["text %d" % i for i in range(250)])
        self.assertEqual(self.count(), 3)

    def test_order_when_later_requests_are_answered_first(self):
        self.server.behave([{"do": [], "delay": 0.2, "match": '"text 0"'},
                            {"do": [], "delay": 0.1, "match": '"text 100"'}])
        self.embed_each(["text %d" % i for i in range(300)])

    def test_concurrency_is_kept(self):
        for concurrency in (1, 3, 8):
            self.config(concurrency=concurrency)
            self.server.clear()
            self.server.delay = 0.05
            self.embed_each(["text %d of %d" % (i, concurrency) for i in range(1200)])
            self.assertLessEqual(self.server.peak, concurrency)
            self.assertGreater(self.server.peak, concurrency // 2 - 1)
        self.assertLessEqual(self.server.connections, 8)

    def test_connections_are_used_again(self):
        for i in range(20):
            self.one("SELECT embed(?, ?)", "text %d" % i, MODEL)
        self.assertEqual((self.count(), self.server.connections), (20, 1))

    def test_limits_of_providers(self):
        for model, most in ((MODEL, 100), ("cohere:m", 96), ("tei:m", 32), ("nomic:m", 10),
                            ("openai:m", 128), ("ollama:m", 64)):
            with self.subTest(model):
                self.server.clear()
                self.embed_each(["text %d" % i for i in range(300)], model)
                sizes = [len(inputs_of(request)) for request in self.server.requests]
                self.assertEqual((max(sizes), sum(sizes)), (most, 300))
                self.assertEqual(len(sizes), -(-300 // most))

    def test_tokens_of_a_request(self):
        self.embed_each([("word%d " % i) * 1000 for i in range(40)], "mistral:m")
        for request in self.server.requests:
            self.assertLess(sum(len(text.split()) for text in inputs_of(request)), 16384)

    def test_bytes_of_a_request(self):
        self.embed_each(["%d" % i + "x" * 400000 for i in range(8)])
        self.assertLess(max(len(request.raw) for request in self.server.requests), 1600000)

    def test_numbers_of_an_answer(self):
        self.server.dimensions = 4096
        self.one("SELECT embed('to learn the length', ?)", MODEL)
        self.server.clear()
        self.embed_each(["text %d" % i for i in range(100)])
        for request in self.server.requests:
            self.assertLessEqual(len(inputs_of(request)) * 4096, 200000)

    def test_batch_size_of_ones_own(self):
        self.register("mine", "together", batch_size=7)
        self.embed_each(["text %d" % i for i in range(70)], "mine")
        self.assertEqual(self.count(), 10)
        self.db.execute("UPDATE rerank_models SET batch_size = 35 WHERE name = 'mine'")
        self.embed_each(["text %d" % i for i in range(100, 170)], "mine")
        self.assertEqual(self.count(), 2)

    def test_more_documents_than_a_provider_takes(self):
        documents = ["document %d of many" % i for i in range(70)]
        rows = self.rows("SELECT key, relevance_score FROM rerank('many documents 7', ?, 9, "
                         "'tei:m')", json.dumps(documents))
        best = sorted(range(70), key=lambda i: (-score_of("many documents 7", documents[i]), i))
        self.assertEqual([row[0] for row in rows], best[:9])
        self.assertEqual(self.count(), 3)

    def test_empty_lists_ask_nobody(self):
        self.assertEqual(self.rows("SELECT * FROM embed_each('[]', ?)", MODEL), [])
        self.assertEqual(self.rows("SELECT * FROM rerank('q', '[]', NULL, ?)", RERANKER), [])
        self.assertEqual(self.rows("SELECT * FROM rerank('q', '[\"x\"]', 0, ?)", RERANKER), [])
        self.assertIsNone(self.one("SELECT embed(NULL, ?)", MODEL))
        self.add_documents(0)
        self.add_index(MODEL)
        self.assertEqual(self.sync()[:5], (0, 0, 0, 0, 0))
        self.assertEqual(self.count(), 0)


class Prefixes(Batching):
    def sent(self, model, role):
        self.server.clear()
        self.one("SELECT embed('bats', ?, ?)", model, role)
        return texts_of(self.server.requests)[0]

    def test_known_models(self):
        instruct = "Instruct: Given a web search query, retrieve relevant passages that answer " \
                   "the query\nQuery: "
        passages = "Represent this sentence for searching relevant passages: "
        for model, query, document in (
                ("together:intfloat/e5-base-v2", "query: ", "passage: "),
                ("together:intfloat/multilingual-e5-large", "query: ", "passage: "),
                ("together:intfloat/multilingual-e5-large-instruct", instruct, ""),
                ("together:BAAI/bge-base-en-v1.5", "", ""),
                ("together:BAAI/bge-large-en-v1.5", "", ""),
                ("together:BAAI/bge-base-en", passages, ""),
                ("ollama:nomic-embed-text", "search_query: ", "search_document: "),
                ("ollama:mxbai-embed-large:latest", passages, ""),
                ("nomic:nomic-embed-text-v1.5", "", ""),  # the API has a field for it
                ("together:unknown/model", "", "")):
            with self.subTest(model):
                self.assertEqual(self.sent(model, "query"), query + "bats")
                self.assertEqual(self.sent(model, "document"), document + "bats")

    def test_ones_own(self):
        self.register("mine", "together", "intfloat/e5-base-v2", query_prefix="ask: ",
                      document_prefix="")
        self.assertEqual(self.sent("mine", "query"), "ask: bats")
        self.assertEqual(self.sent("mine", "document"), "bats")
        self.register("theirs", "together", "intfloat/e5-base-v2")
        self.assertEqual(self.sent("theirs", "document"), "passage: bats")

    def test_an_index(self):
        self.add_documents(5)
        self.add_index("together:intfloat/e5-base-v2")
        self.sync()
        self.check_index(range(1, 6), prefix="passage: ")
        self.server.clear()
        self.rows("SELECT rowid FROM ix('bats')")
        self.assertEqual(texts_of(self.server.requests), ["query: bats"])


class Dimensions(Batching):
    def test_learnt_from_the_first_answer(self):
        self.server.dimensions = 12
        self.add_documents(5)
        self.add_index(MODEL)
        self.sync()
        self.check_index(range(1, 6), dimensions=12)
        self.assertEqual(self.one("SELECT dimensions FROM rerank_models WHERE name = ? "
                                  "AND task = 'embed'", MODEL), 12)

    def test_a_server_that_changes_its_mind(self):
        self.add_documents(5)
        self.add_index(MODEL)
        self.sync()
        self.server.dimensions = 12
        self.add_documents(5, 6)
        for sql in ("SELECT * FROM semantic_sync('ix')", "INSERT INTO ix(ix) VALUES ('sync')",
                    "INSERT INTO ix(rowid) SELECT id FROM docs",
                    "SELECT embed('new', '%s')" % MODEL,
                    "SELECT * FROM embed_each('[\"new\"]', '%s')" % MODEL,
                    "SELECT rowid FROM ix('new')"):
            self.fails("12 dimensions, expected 8", sql)
            self.check_index(range(1, 6))
        # a connection that did not see the first answers knows it from the index
        self.db.close()
        self.db = self.connect()
        for sql in ("SELECT * FROM semantic_sync('ix')", "INSERT INTO ix(ix) VALUES ('sync')",
                    "INSERT INTO ix(rowid) SELECT id FROM docs", "SELECT rowid FROM ix('new')"):
            self.fails("8 dimensions", sql)
            self.check_index(range(1, 6))
        self.server.dimensions = 8
        self.db.close()
        self.db = self.connect()
        self.assertEqual(self.sync()[0], 5)
        self.check_index(range(1, 11))

    def test_within_one_call(self):
        self.server.behave([{"do": "wrong_dimensions", "match": '"text 100"', "times": "forever"}])
        message = self.error("SELECT * FROM embed_each(?, ?)",
                             json.dumps(["text %d" % i for i in range(300)]), MODEL)
        self.assertRegex(message, "vector of [89] dimensions, expected [89]")

    def test_the_option(self):
        self.add_documents(5)
        self.add_index(MODEL, ", dimensions=12")
        self.fails("expected 12 dimensions, .*not 8", "SELECT * FROM semantic_sync('ix')")
        self.check_index([])


if __name__ == "__main__":
    unittest.main()

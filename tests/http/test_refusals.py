"""test_refusals.py: texts that a provider refuses while it takes others, providers that refuse
everything, and how many requests it takes to tell one from the other."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from loopback import score_of  # noqa: E402
from remote import KEY, PLAIN, Remote, inputs_of, texts_of  # noqa: E402

MODEL = "together:m"
RERANKER = "together:Salesforce/Llama-Rank-V1"
FOREVER = {"times": "forever"}
NAN = {"error": "failed to encode response: json: unsupported value: NaN"}


class Refusals(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("together", "openai", "tei")

    def count(self):
        """Requests since the last look; what the server is to do is forgotten with them."""
        n = len(self.server.requests)
        self.server.clear()
        return n

    def refuse(self, match="bad", status=400, **step):
        self.server.behave([{"status": status, "match": match, **FOREVER, **step}])

    def embed_each(self, texts, model=MODEL):
        return self.rows("SELECT text, embedding FROM embed_each(?, ?)", json.dumps(texts), model)


class OneText(Refusals):
    texts = ["row %d" % i for i in range(300)]
    texts[177] = "bad 177"

    def check(self, step, pattern, most=20):
        """One among 300 is named, all others are kept, in few requests."""
        texts = ["%s %s" % (text, json.dumps(step)) for text in self.texts]
        self.server.clear()
        self.server.behave([{"match": "bad", **FOREVER, **step}])
        self.fails(r"^embed_each: element 177: together: " + pattern,
                   "SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)
        sent = [text for text in texts_of(self.server.requests) if text not in (PLAIN, texts[177])]
        self.assertLessEqual(set(sent), set(texts))
        self.assertLessEqual(self.count(), most)
        del texts[177]
        self.server.behave([])
        for text, blob in self.embed_each(texts):
            self.check_vector(blob, text)
        self.assertEqual(self.count(), 0)

    def test_statuses(self):
        for status in (400, 413, 422):
            with self.subTest(status):
                self.check({"status": status}, "HTTP %d" % status)

    def test_a_number_that_is_none(self):
        self.check({"status": 500, "body": NAN}, "HTTP 500: .*NaN")
        self.check({"do": "null"}, "vector 0: component 4 is null")
        self.check({"do": "nan"}, "")
        self.check({"do": "huge"}, "vector 0: component 4 is not finite")

    def test_other_failures_are_the_call_s(self):
        for status in (401, 404, 500):
            self.server.behave([{"status": status, "match": "bad", **FOREVER}])
            message = self.error("SELECT * FROM embed_each(?, ?)",
                                 json.dumps(["%s %d" % (text, status) for text in self.texts]),
                                 MODEL)
            self.assertRegex(message, "^embed_each: together: HTTP %d" % status)
            self.assertEqual(self.count(), 3)

    def test_several(self):
        self.refuse()
        texts = ["%s %d" % ("bad" if i % 10 == 3 else "good", i) for i in range(100)]
        self.fails(r"element 3: together: HTTP 400: .* \(and 9 more\)",
                   "SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)
        self.assertLess(self.count(), 120)

    def test_answers_that_do_not_hold_what_was_asked_for(self):
        self.config(max_retries=0)
        for name, pattern in (("one_too_few", "expected 1 vectors, not 0"),
                              ("one_too_many", "expected 1 vectors, not 2"),
                              ("duplicate_index", "expected 1 vectors, not 2"),
                              ("index_out_of_range", "expected an index from 0 to 0"),
                              ("index_text", "expected a number as index"),
                              ("wrong_dimensions", ".*gave a vector of 9 dimensions, expected 8"),
                              ("mixed_dimensions", ".*gave a vector of 7 dimensions, expected 8"),
                              ("empty_vector", "vector 0: it is empty"),
                              ("missing_value", "vector 0: expected an array"),
                              ("empty_object", "expected an array at /data, not nothing"),
                              ("error_200", "HTTP 200"), ("html", "expected JSON, not HTML"),
                              ("not_json", "not JSON"), ("empty_body", "expected JSON")):
            with self.subTest(name):
                self.check({"do": name}, pattern)

    def test_the_first_answer_of_a_connection(self):
        """Nobody knows yet how long a vector is: that of the plain word tells."""
        for text in ("bad", "good"):
            self.db = self.connect()
            self.config(max_retries=0)
            self.server.behave([{"do": "mixed_dimensions", "match": '"%s"' % text, **FOREVER}])
            texts = ["bad", "better", "good"]
            self.fails("element %d: .*a vector of 7 dimensions, expected 8" % texts.index(text),
                       "SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)

    def test_all_of_them(self):
        """Each is refused for itself: a plain word is not."""
        self.refuse()
        texts = ["bad %d" % i for i in range(40)]
        self.fails(r"element 0: together: HTTP 400: .* \(and 39 more\)",
                   "SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)
        self.assertLess(self.count(), 100)

    def test_equal_ones(self):
        self.config(concurrency=1)
        self.refuse()
        self.fails(r"element 1: .* \(and 2 more\)", "SELECT * FROM embed_each(?, ?)",
                   json.dumps(["good", "bad", "good", "bad", "bad"]), MODEL)
        sent = texts_of(self.server.requests)
        self.assertEqual(sent, ["good", "bad", PLAIN, "good", "bad"])

    def test_alone_it_is_the_call(self):
        self.refuse()
        self.fails(r"^embed: together: HTTP 400: .* \(the text begins 'bad' and has 3 bytes\)$",
                   "SELECT embed('bad', ?)", MODEL)
        self.assertEqual(self.count(), 2)

    def test_a_text_that_is_shown(self):
        text = "bad\n" + "\u00e4" * 400
        self.refuse()
        message = self.error("SELECT embed(?, ?)", text, MODEL)
        self.assertRegex(message, r"\(the text begins 'bad \u00e4{18}' and has 804 bytes\)$")
        self.assertTrue(message.isprintable())

    def test_a_search(self):
        """Of several queries one that is refused is the error, named by its element."""
        self.add_documents(5)
        self.add_index(MODEL)
        self.sync()
        self.refuse("bad query")
        self.fails("element 2: together: HTTP 400",
                   "SELECT * FROM semantic_search_each('ix', ?, 2)",
                   json.dumps(["bats", "[1, 0, 0, 0, 0, 0, 0, 0]", "bad query", "cats"]))


class Everything(Refusals):
    def test_the_first_refusals_of_a_call(self):
        """As many requests as are in flight, one with a plain word, and four with texts."""
        for n, most in ((1, 1), (2, 4), (100, 6), (5000, 13)):
            self.server.behave([{"status": 400, **FOREVER}])
            message = self.error("SELECT * FROM embed_each(?, ?)",
                                 json.dumps(["row %d" % i for i in range(n)]), MODEL)
            self.assertRegex(message, "^embed_each: together: HTTP 400: [^(]*$")
            self.assertLessEqual(self.count(), max(most, 2))
        self.assertEqual(self.stats(MODEL)["texts"], 0)

    def test_of_one_text(self):
        """No text is blamed for what is said of all."""
        self.config(max_retries=0)
        for step in ({"status": 400}, {"status": 422}, {"do": "null"}, {"do": "no_items"}):
            for sql, model in (("SELECT embed('some', ?)", MODEL),
                               ("SELECT rerank('q', 'some', ?)", RERANKER)):
                self.server.behave([{**step, **FOREVER}])
                self.assertNotIn("begins", self.error(sql, model))
                self.assertEqual(self.count(), 2)

    def test_lies_of_every_kind(self):
        self.config(max_retries=0)
        self.add_documents(300)
        self.add_index(MODEL)
        for name in ("no_items", "one_too_many", "duplicate_index", "null", "empty_vector",
                     "missing_value", "index_out_of_range", "empty_object", "error_200", "html"):
            self.server.behave([{"do": name, **FOREVER}])
            self.fails("^ix: together: ", "INSERT INTO ix(ix) VALUES ('sync')")
            self.assertEqual(self.rows("SELECT * FROM semantic_failures('ix')"), [])
            self.assertLessEqual(self.count(), 8)

    def test_the_plain_word_is_refused_too(self):
        """One that refuses what is short refuses the word that asks whether it answers at all."""
        self.server.behave([{"status": 400, "match": '"%s"' % text, **FOREVER}
                            for text in ("abc", PLAIN)])
        got = self.error("SELECT * FROM embed_each('[\"abc\", \"long enough\", \"another\"]', ?)",
                         MODEL)
        self.assertIn("element 0", got)
        self.add_documents(300)
        self.add_index(MODEL)
        self.db.execute("UPDATE docs SET title = 'abc', body = NULL WHERE id IN (1, 7, 200)")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.rows("SELECT rowid FROM semantic_failures('ix')"),
                         [(1,), (7,), (200,)])
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 297)

    def test_codes_that_blame_no_text(self):
        for code in ("model_not_available", "invalid_api_key"):
            self.server.behave([{"status": 400, **FOREVER,
                                 "body": {"error": {"message": "no", "code": code}}}])
            self.error("SELECT * FROM embed_each('[\"a\", \"b\"]', ?)", MODEL)
            self.assertEqual(self.count(), 1)

    def test_refusals_that_begin_in_the_middle(self):
        self.register("one", "together", batch_size=1)
        self.config(concurrency=1)
        self.server.behave([{"do": [], "times": 5}, {"status": 400, **FOREVER}])
        texts = ["row %d" % i for i in range(200)]
        self.assertNotIn("element", self.error("SELECT * FROM embed_each(?, 'one')",
                                               json.dumps(texts)))
        self.assertEqual(self.count(), 5 + 16 + 1)
        self.server.behave([])
        self.embed_each(texts, "one")
        self.assertEqual(self.count(), 195)

    def test_the_budget(self):
        self.config(max_requests=1)
        self.server.behave([{"status": 400, **FOREVER}])
        self.assertIn("max_requests", self.error("SELECT * FROM embed_each('[\"a\", \"b\"]', ?)",
                                                 MODEL))
        self.assertEqual(self.count(), 1)

    def test_what_asks_may_have_to_wait(self):
        self.config(concurrency=1)
        self.server.behave([{"status": 400, "match": '"row 0"'},
                            {"status": 503, "headers": {"retry-after-ms": "1"}}])
        self.assertEqual(len(self.embed_each(["row 0", "row 1"])), 2)
        self.assertEqual([inputs_of(request) for request in self.server.requests],
                         [["row 0", "row 1"], [PLAIN], [PLAIN], ["row 0"], ["row 1"]])


class Sizes(Refusals):
    def test_a_limit_is_learnt(self):
        server = self.start_server(max_inputs=13)
        self.set_up("openai", server=server)
        self.embed_each(["row %d" % i for i in range(300)], "openai:m")
        self.assertLess(sum(1 for request in server.requests if request.refused), 40)
        server.clear()
        self.embed_each(["text %d" % i for i in range(300)], "openai:m")
        self.assertEqual([r for r in server.requests if r.refused], [])
        self.assertLessEqual(len(server.requests), 50)

    def test_larger_ones_are_tried_again(self):
        self.register("two", "together", batch_size=2)
        self.config(concurrency=1)
        self.server.behave([{"status": 400, "match": '"row 1"'}])
        self.embed_each(["row %d" % i for i in range(301)], "two")
        sizes = [len(inputs_of(request)) for request in self.server.requests]
        self.assertEqual(sizes.count(2), 1 + (301 - sizes.count(1) + 1) // 2)
        self.assertGreaterEqual(sizes.count(1), 100)
        self.assertLess(sizes.count(1), 120)

    def test_what_was_taken_once_is_no_limit(self):
        """Two long texts are too much together: that says nothing of others."""
        self.config(concurrency=1)
        self.server.behave([{"status": 400, "match": '"row 6","row 7"', **FOREVER}])
        self.embed_each(["row %d" % i for i in range(500)])
        self.assertLessEqual(self.count(), 22)


    def told(self, limit, status, body, n=200):
        """Requests that were refused by a server that takes so many, and tells."""
        server = self.start_server(max_inputs=limit)
        self.register("m%d" % server.port, "openai", url=server.base_url("openai"), api_key=KEY,
                      batch_size=100)
        self.config(concurrency=2)
        texts = ["row %d" % i for i in range(n)]
        judge = server.answer

        def answer(request, step):
            answer = judge(request, step)
            if answer.status != 200:
                answer.status = status
                sent = str(len(inputs_of(request)))
                answer.body = json.dumps(body).replace("SENT", sent).encode()
            return answer
        server.answer = answer
        self.embed_each(texts, "m%d" % server.port)
        return sum(1 for request in server.requests if request.refused)

    def test_limits_that_are_told(self):
        for limit, status, body in (
                (32, 422, {"error": "batch size SENT > maximum allowed batch size 32"}),
                (64, 400, {"error": {"message": "Maximum batch size of 64 exceeded"}}),
                (40, 400, {"error": {"message": "You can send at most 40 inputs"}}),
                (48, 400, {"message": "input array length must be less than or equal to 48"}),
                (30, 400, {"error": {"message": "too many inputs: SENT > 30"}}),
                (25, 400, {"error": {"message": "<400> batch size is invalid, it should not be "
                                                "larger than 25.: input.contents"}}),
                (16, 422, {"detail": [{"type": "too_long", "loc": ["body", "input"], "ctx": {
                    "field_type": "List", "max_length": 16, "actual_length": "SENT"}}]}),
                (20, 500, {"error": {"code": "batch_too_large", "max_batch_size": 20}})):
            with self.subTest(body):
                self.assertLessEqual(self.told(limit, status, body), 2)

    def test_a_limit_of_documents_that_is_told(self):
        self.config(concurrency=1)
        self.server.behave([{"status": 400, "match": "document 60", "body": {
            "message": "invalid request: at most 32 documents can be ranked"}}])
        documents = ["document %d of many" % i for i in range(100)]
        rows = self.rows("SELECT key FROM rerank('document 7 of many', ?, NULL, ?)",
                         json.dumps(documents), RERANKER)
        self.assertEqual((rows[0], len(rows)), ((7,), 100))
        sizes = [len(request.body["documents"]) for request in self.server.requests]
        self.assertEqual(sizes, [100, 25, 25, 25, 25])
        self.server.clear()
        self.rows("SELECT key FROM rerank('another', ?, NULL, ?)", json.dumps(documents), RERANKER)
        self.assertEqual(max(len(request.body["documents"]) for request in self.server.requests),
                         32)

    def test_numbers_that_are_none(self):
        """One text is refused, with a number in it: the size of requests stays what it was."""
        self.config(concurrency=1)
        for i, message in enumerate((
                "input 3 is too long", "texts[3] must not exceed 8 tokens", "at most 20 characters",
                "1 validation error: input should be a valid string", "limit of 60 words",
                "model bge-m3 v1.5 cannot read this text, must be less than 12 kB",
                '["body","input",17]: input should be a text',
                "a text may hold at most 3 emoji", "text too long: 9 sections > 8")):
            self.server.behave([{"status": 400, "match": "bad", "body": {"error": message},
                                 **FOREVER}])
            texts = ["row %d %d" % (i, j) for j in range(99)] + ["bad %d" % i]
            self.error("SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)
            self.server.clear()
            self.embed_each(["text %d %d" % (i, j) for j in range(100)])
            self.assertEqual(self.count(), 1, message)


class Documents(Refusals):
    def scores(self, query, documents, model=RERANKER, top_n=None):
        return self.rows("SELECT key, relevance_score FROM rerank(?, ?, ?, ?)", query,
                         json.dumps(documents), top_n, model)

    def check(self, got, query, documents, last):
        """Scores as they are, best first, and those of `last` NULL, behind."""
        good = [i for i in range(len(documents)) if i not in last]
        good.sort(key=lambda i: (-score_of(query, documents[i]), i))
        self.assertEqual([key for key, _ in got], good + last)
        for key, score in got:
            if key in last:
                self.assertIsNone(score)
            else:
                self.assertAlmostEqual(score, score_of(query, documents[key]), places=6)

    def test_one_is_refused(self):
        documents = ["document %d of many" % i for i in range(40)]
        documents[17] = "a bad one of many"
        for i, step in enumerate(({"status": 400}, {"status": 422}, {"status": 413},
                                  {"status": 500, "body": NAN}, {"do": "nan"})):
            with self.subTest(step):
                self.server.behave([{"match": "bad", **FOREVER, **step}])
                query = "document of many %d" % i
                self.check(self.scores(query, documents), query, documents, [17])
                self.assertLessEqual(self.count(), 20)
        self.assertEqual(len(self.scores("some of many", documents, top_n=5)), 5)

    def test_an_answer_that_does_not_hold_what_was_asked_for(self):
        documents = ["document %d of many" % i for i in range(20)]
        documents[7] = "a bad one of many"
        self.config(max_retries=0)
        for name in ("one_too_few", "one_too_many", "duplicate_index", "null", "text",
                     "index_out_of_range", "missing_value", "empty_object", "not_json"):
            with self.subTest(name):
                self.server.behave([{"match": "bad", "do": name, **FOREVER}])
                query = "document of many, " + name
                self.check(self.scores(query, documents), query, documents, [7])
                self.assertLessEqual(self.count(), 16)

    def test_empty_ones_are_not_sent(self):
        documents = ["a bat", "", "two bats", " \u3000\n", "bats"]
        self.check(self.scores("bats", documents), "bats", documents, [1, 3])
        self.assertEqual(self.server.requests[0].body["documents"], ["a bat", "two bats", "bats"])
        self.assertEqual([key for key, _ in self.scores("bats", documents, top_n=4)][3:], [1])
        self.assertNotIn("top_n", self.server.requests[1].body)
        self.server.clear()
        self.assertEqual(self.scores("bats", ["", " "]), [(0, None), (1, None)])
        self.assertIsNone(self.one("SELECT rerank('bats', '\u00a0', ?)", RERANKER))
        self.assertEqual(self.count(), 0)

    def test_a_query_that_is_refused(self):
        self.refuse("bad query")
        self.fails("^rerank: together: HTTP 400", "SELECT * FROM rerank('bad query', ?, NULL, ?)",
                   json.dumps(["a", "b", "c"]), RERANKER)
        self.assertEqual(self.count(), 2 + 3)  # a sample each

    def test_the_scalar_names_it(self):
        self.refuse()
        self.fails(r"HTTP 400: .*\(the document begins 'bad' and has 3 bytes\)$",
                   "SELECT rerank('q', 'bad', ?)", RERANKER)
        self.assertEqual(self.count(), 2)

    def test_candidates_of_a_search(self):
        self.add_documents(9)
        self.db.execute("ALTER TABLE docs ADD COLUMN shown")
        self.db.execute("UPDATE docs SET shown = 'shown ' || id")
        for row, value in ((2, "''"), (3, "NULL"), (4, "x'00ff'"), (5, "CAST(x'61ff62' AS TEXT)"),
                           (6, "'a' || char(0) || 'b'"), (7, "'bad'"), (8, "char(0x3000, 10)")):
            self.db.execute("UPDATE docs SET shown = %s WHERE id = %d" % (value, row))
        self.add_index(MODEL, ", document='shown', reranker='%s'" % RERANKER)
        self.sync()
        self.server.clear()
        self.refuse('"bad"')
        got = self.rows("SELECT rowid, relevance FROM ix('body', 9) ORDER BY relevance DESC")
        self.assertEqual({key for key, score in got[:2]}, {1, 9})
        self.assertTrue(all(score is not None for _, score in got[:2]))
        self.assertEqual({key for key, score in got[2:] if score is None}, set(range(2, 9)))
        self.assertLessEqual(len(self.server.requests), 6)
        self.assertEqual(len(self.rows("SELECT rowid FROM ix('body', 9) WHERE relevance > 0")), 2)
        self.assertEqual(len(self.rows("SELECT rowid, relevance FROM ix('body', 9)")), 9)

    def test_all_candidates_are_refused(self):
        self.server.behave([{"status": 422, "match": "rerank", **FOREVER}])
        self.add_documents(9)
        self.add_index(MODEL, ", reranker='%s'" % RERANKER)
        self.sync()
        self.fails("HTTP 422", "SELECT rowid, relevance FROM ix('body', 9)")


if __name__ == "__main__":
    unittest.main()

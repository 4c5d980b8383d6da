"""test_retries.py: which requests are sent again and when, batches that are halved, the limits that
rerank_config sets, and that what was paid for is kept."""
import email.utils
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from loopback import refused_port, score_of  # noqa: E402
from remote import Remote, inputs_of, texts_of, variable_of  # noqa: E402

MODEL = "together:m"
AT_ONCE = {"retry-after-ms": "1"}
SLACK = 0.05  # seconds that clocks and threads may differ


class Retries(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("together", "openai")

    def embed_each(self, texts, model=MODEL):
        rows = self.rows("SELECT text, embedding FROM embed_each(?, ?)", json.dumps(texts), model)
        self.assertEqual([row[0] for row in rows], texts)
        for text, blob in rows:
            self.check_vector(blob, text)

    def attempts(self, step, model=MODEL, text="x", **settings):
        """How many requests one text was when all answers are like that."""
        self.config(**settings)
        self.server.clear()
        self.server.behave([{**step, "times": "forever"}])
        self.error("SELECT embed(?, ?)", text, model)
        self.assertLessEqual(len(self.server.requests) - len(self.asked()), 2)
        return len(self.asked())

    def gaps(self):
        times = [request.time for request in self.server.requests]
        return [after - before for before, after in zip(times, times[1:])]


class Attempts(Retries):
    def test_statuses(self):
        for model, again in (("together:m", {408, 409, 429, 502, 503, 504, 529}),
                             ("openai:m", {408, 409, 429, 500, 502, 503, 504, 529})):
            for status in (300, 302, 304, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 418,
                           422, 425, 429, 451, 500, 501, 502, 503, 504, 505, 529, 599):
                with self.subTest(model=model, status=status):
                    self.assertEqual(self.attempts({"status": status, "headers": AT_ONCE}, model),
                                     3 if status in again else 1)

    def test_max_retries(self):
        for n in (0, 1, 5):
            self.assertEqual(self.attempts({"status": 503, "headers": AT_ONCE}, max_retries=n),
                             n + 1)
        stats = self.stats(MODEL)
        self.assertEqual((stats["requests"], stats["retries"], stats["failures"]), (9, 6, 3))
        self.assertIn("(6 attempts)", self.error("SELECT embed('y', ?)", MODEL))
        self.config(max_retries=0)
        self.assertNotIn("attempt", self.error("SELECT embed('y', ?)", MODEL).replace("told", ""))

    def test_broken_answers_are_asked_for_once_more(self):
        for name in ("not_json", "one_too_few", "html", "empty_body"):
            self.assertEqual(self.attempts({"do": name, "headers": AT_ONCE}, max_retries=5), 2,
                             name)
        self.server.clear()
        self.server.behave([{"do": "not_json", "headers": AT_ONCE}])
        self.check_vector(self.one("SELECT embed('heals', ?)", MODEL), "heals")
        self.assertEqual(len(self.server.requests), 2)

    def test_bills_are_final(self):
        for code in ("insufficient_quota", "credit_balance_exhausted",
                     "organization_spend_limit_exceeded", "project_spend_limit_exceeded",
                     "organization_usage_limit_exceeded"):
            for place in ("code", "type"):
                self.assertEqual(1, self.attempts(
                    {"status": 429, "headers": AT_ONCE,
                     "body": {"error": {"message": "pay first", place: code}}}, "openai:m"))

    def test_x_should_retry(self):
        headers = {**AT_ONCE, "x-should-retry": "false"}
        self.assertEqual(self.attempts({"status": 503, "headers": headers}), 1)
        self.assertEqual(self.attempts({"status": 429, "headers": headers}), 1)
        headers["x-should-retry"] = "true"
        self.assertEqual(self.attempts({"status": 400, "headers": headers}), 1)

    def test_lost_connections(self):
        """All at once, as each takes its second."""
        kinds = ["reset", "reset_middle", "close", "close_middle", "silence", "silence_after_head"]
        self.register("one", "together", batch_size=1)
        self.config(timeout_ms=500)
        self.server.behave([{"do": kind, "match": '"%s"' % kind} for kind in kinds])
        self.embed_each(kinds, "one")
        seen = [inputs_of(request)[0] for request in self.server.requests]
        self.assertEqual({kind: seen.count(kind) for kind in kinds}, dict.fromkeys(kinds, 2))
        self.assertEqual(self.stats("one")["retries"], len(kinds))

    def test_a_refused_port_is_tried_again(self):
        os.environ[variable_of("openai")] = "http://127.0.0.1:%d/v1" % refused_port()
        self.db = self.connect()
        self.config(max_retries=1)
        with self.within(3) as clock:
            self.assertIn("2 attempts", self.error("SELECT embed('x', 'openai:m')"))
        self.assertGreater(clock.took, 0.75 - SLACK)


class Delays(Retries):
    def delay_of(self, status, headers, model=MODEL):
        """Seconds between an answer like that and the next attempt."""
        self.number = getattr(self, "number", 0) + 1
        self.server.clear()
        self.server.behave([{"status": status, "headers": headers}])
        self.one("SELECT embed(?, ?)", "text %d" % self.number, model)
        self.assertEqual(len(self.server.requests), 2)
        return self.gaps()[0]

    def test_the_delay_grows(self):
        self.server.behave([{"status": 502, "times": 2}])
        self.one("SELECT embed('x', ?)", MODEL)
        first, second = self.gaps()
        self.assertGreater(first, 0.75 - SLACK)
        self.assertLess(first, 1 + 0.3)
        self.assertGreater(second, 1.5 - SLACK)
        self.assertLess(second, 2 + 0.3)

    def test_delays_that_the_server_asks_for(self):
        soon = email.utils.formatdate(time.time() + 2, usegmt=True)
        for status, headers, model, least, most in (
                (429, {"Retry-After": soon}, MODEL, 0.9, 3),
                (429, {"retry-after-ms": "300"}, MODEL, 0.3, 0.7),
                (429, {"Retry-After": "0.4"}, MODEL, 0.4, 0.7),
                (503, {"Retry-After": "1"}, "openai:m", 1, 2),
                (429, {"x-ratelimit-reset": "0.3"}, MODEL, 0.3, 0.7),
                (502, {"retry-after-ms": "200", "Retry-After": "30"}, MODEL, 0.2, 0.7),
                # not a delay: the one that grows
                (429, {"Retry-After": "0"}, MODEL, 0.75, 2),
                (429, {"x-ratelimit-reset": "1"}, "openai:m", 0.75, 2)):
            with self.subTest(headers=headers):
                delay = self.delay_of(status, headers, model)
                self.assertGreater(delay, least - SLACK)
                self.assertLess(delay, most)

    def test_nonsense_for_a_delay(self):
        """One call: each request gets another header, and all use the delay that grows."""
        values = ["-5", "nan", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", "", "0x1"]
        self.register("one", "openai", batch_size=1)
        self.server.behave([{"status": 502, "headers": {"Retry-After": value},
                             "match": '"text %d"' % i} for i, value in enumerate(values)])
        with self.within(3) as clock:
            self.embed_each(["text %d" % i for i in range(len(values))], "one")
        self.assertGreater(clock.took, 0.75 - SLACK)
        self.assertEqual(len(self.server.requests), 2 * len(values))

    def test_a_server_that_asks_for_too_much(self):
        for status, headers in ((429, {"x-ratelimit-reset": "90"}), (429, {"Retry-After": "90"}),
                                (503, {"Retry-After": "61"}),
                                (502, {"retry-after-ms": "3600000"}),
                                (503, {"Retry-After": "99999999999999999999"})):
            self.server.clear()
            self.server.behave([{"status": status, "headers": headers}])
            with self.within(1):
                message = self.error("SELECT embed('x', ?)", MODEL)
            self.assertRegex(message, r"the server asks to wait \d+ s")
            self.assertEqual(len(self.server.requests), 1)

    def test_one_delay_for_all(self):
        """After a 429 nobody is sent before its delay is over."""
        self.register("one", "together", batch_size=1)
        self.config(concurrency=4)
        for i, headers in enumerate(({"retry-after-ms": "400"}, {"Retry-After": "0.4"},
                                     {"x-ratelimit-reset": "0.4"})):
            with self.subTest(headers=headers):
                texts = ["text %d of %d" % (j, i) for j in range(16)]
                self.server.clear()
                self.server.behave([{"status": 429, "headers": headers},
                                    {"do": [], "delay": 0.1, "times": 3}])
                self.embed_each(texts, "one")
                times = [request.time for request in self.server.requests]
                self.assertEqual(len(times), 17)
                self.assertLess(times[3] - times[0], 0.4)
                self.assertGreater(times[4] - times[0], 0.4 - SLACK)

    def test_a_storm(self):
        self.register("one", "together", batch_size=1)
        self.config(max_retries=20)
        self.server.behave([{"status": 429, "headers": {"retry-after-ms": "20"}, "times": 30}])
        self.embed_each(["text %d" % i for i in range(40)], "one")
        self.assertEqual(len(self.server.requests), 70)
        stats = self.stats("one")
        self.assertEqual((stats["requests"], stats["retries"], stats["failures"]), (70, 30, 0))


class Halving(Retries):
    def test_too_many_texts(self):
        server = self.start_server(max_inputs=13)
        providers = ["openai", "mistral", "cohere", "voyage", "jina", "tei", "tei-openai"]
        self.set_up(*providers, server=server)
        self.add_documents(100)
        for i, provider in enumerate(providers):
            with self.subTest(provider):
                server.clear()
                self.embed_each(["text %d" % j for j in range(100)], provider + ":m")
                right = [request for request in server.requests if not request.refused]
                self.assertEqual(len(texts_of(right)), 100)
                self.assertLessEqual(len(right), 16)
                stats = self.stats(provider + ":m")
                self.assertEqual((stats["texts"], stats["failures"]), (100, 0))
                self.add_index(provider + ":m", name="ix%d" % i)
                self.assertEqual(self.sync("ix%d" % i)[0], 100)

    def test_too_many_bytes(self):
        self.server.behave([{"status": 413, "body": "length limit exceeded", "times": 3}])
        self.embed_each(["text %d" % i for i in range(100)])
        self.assertEqual(len(self.server.requests), 3 + 4)

    def test_a_single_text_is_the_callers(self):
        for status, body in ((413, None), (422, {"error": "batch > maximum allowed batch size"})):
            step = {"status": status, "body": body} if body else {"status": status}
            self.assertEqual(self.attempts(step), 1)
        self.server.clear()
        self.server.behave([{"status": 413, "times": "forever"}])
        self.assertIn("HTTP 413", self.error("SELECT * FROM embed_each(?, ?)",
                                             json.dumps(["t%d" % i for i in range(100)]), MODEL))
        self.assertLess(len(self.server.requests), 60)

    def test_documents(self):
        server = self.start_server(max_inputs=10)
        self.set_up("tei", server=server)
        documents = ["document %d of many" % i for i in range(30)]
        rows = self.rows("SELECT key, relevance_score FROM rerank('of document 7', ?, 5, 'tei:m')",
                         json.dumps(documents))
        best = sorted(range(30), key=lambda i: (-score_of("of document 7", documents[i]), i))
        self.assertEqual([row[0] for row in rows], best[:5])


class Limits(Retries):
    def test_timeout(self):
        self.config(timeout_ms=200, max_retries=0)
        for name in ("silence", "silence_after_head", "drip"):
            self.server.behave([{"do": name}])
            with self.within(1):
                self.assertIn("timed out after 0.2 seconds",
                              self.error("SELECT embed('x', ?)", MODEL))

    def test_max_requests(self):
        texts = ["text %d" % i for i in range(500)]
        self.config(max_requests=3, concurrency=1)
        message = self.error("SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)
        self.assertRegex(message, r"all 3 requests of this connection are spent \(rerank_config\(")
        self.assertEqual(len(self.server.requests), 3)
        self.error("SELECT embed('x', ?)", MODEL)
        self.error("SELECT rerank('q', 'd', ?)", MODEL)
        self.assertEqual(len(self.server.requests), 3)
        self.config(max_requests=5)
        self.embed_each(texts)
        self.assertEqual(len(texts_of(self.server.requests)), 500)

    def test_max_requests_loses_nothing_that_was_paid(self):
        texts = ["text %d" % i for i in range(500)]
        self.config(max_requests=3, concurrency=8)
        self.server.delay = 0.05
        self.error("SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)
        self.assertEqual(len(self.server.requests), 3)
        self.config(max_requests=5)
        self.embed_each(texts)
        self.assertEqual(len(texts_of(self.server.requests)), 500)

    def test_max_requests_counts_repeated_ones(self):
        self.config(max_requests=2, max_retries=9)
        self.server.behave([{"status": 503, "headers": AT_ONCE, "times": "forever"}])
        message = self.error("SELECT embed('x', ?)", MODEL)
        self.assertRegex(message, "HTTP 503.*all 2 requests of this connection are spent")
        self.assertEqual(len(self.server.requests), 2)

    def test_max_requests_counts_what_was_sent(self):
        self.config(max_retries=1)
        for step, n in (({"status": 503, "headers": AT_ONCE}, 2), ({"status": 404}, 1),
                        ({"status": 429, "headers": {"Retry-After": "90"}}, 1)):
            self.server.behave([{**step, "times": "forever"}])
            before = self.server.served
            self.error("SELECT embed('x', ?)", MODEL)
            self.assertEqual(self.server.served - before, n)
        self.config(max_requests=6)
        self.server.behave([])
        self.one("SELECT embed('fifth', ?)", MODEL)
        self.one("SELECT embed('sixth', ?)", MODEL)
        self.assertIn("all 6 requests", self.error("SELECT embed('seventh', ?)", MODEL))

    def test_max_requests_of_a_sync(self):
        self.add_documents(1000)
        self.add_index(MODEL)
        self.config(max_requests=9)
        self.assertIn("9 requests", self.error("SELECT * FROM semantic_sync('ix')"))
        self.check_index(range(1, 901))
        self.config(max_requests=10)
        self.assertEqual(self.sync()[0], 100)
        self.check_index(range(1, 1001))


class Environment(Retries):
    """RERANK_... variables give the settings their first values."""

    def test_settings(self):
        os.environ.update(RERANK_MAX_RETRIES="1", RERANK_CONCURRENCY="2", RERANK_MAX_REQUESTS="7",
                          RERANK_TIMEOUT_MS="250", RERANK_EMBED_MODEL=MODEL)
        self.db = self.connect()
        self.assertEqual(self.attempts({"status": 503, "headers": AT_ONCE}), 2)
        self.server.behave([])
        self.server.clear()
        self.server.delay = 0.02
        self.assertIn("all 7 requests", self.error("SELECT * FROM embed_each(?)",
                                                   json.dumps(["t%d" % i for i in range(900)])))
        self.assertEqual((len(self.server.requests), self.server.peak), (5, 2))
        self.config(max_requests=8, max_retries=0)
        self.server.behave([{"do": "silence"}])
        self.assertIn("timed out after 0.25 seconds", self.error("SELECT embed('by default')"))

    def test_values_that_are_none(self):
        for name, value in (("RERANK_TIMEOUT_MS", "soon"), ("RERANK_CONCURRENCY", "0"),
                            ("RERANK_MAX_RETRIES", "-1"), ("RERANK_MAX_REQUESTS", "1.5")):
            os.environ[name] = value
            with self.assertRaisesRegex(Exception, name + " must be an integer"):
                self.connect().execute("SELECT embed('x', ?)", (MODEL,)).fetchall()
            del os.environ[name]
        for setting in ("timeout_ms", "concurrency"):
            for value in ("0", "-1", "x", "1e3", ""):
                self.fails(setting, "SELECT rerank_config(?, ?)", setting, value)


class Kept(Retries):
    """A failure in the middle: the second run asks only for the rest."""

    def test_embed_each(self):
        texts = ["text %d" % i for i in range(500)]
        self.config(concurrency=1)
        self.server.behave([{"status": 404, "match": '"text 250"'}])
        self.error("SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)
        self.assertEqual(len(self.server.requests), 3)
        self.server.clear()
        self.embed_each(texts)
        self.assertEqual(sorted(texts_of(self.server.requests)), sorted(texts[200:]))

    def test_embed_each_side_by_side(self):
        texts = ["text %d" % i for i in range(500)]
        self.server.behave([{"status": 404, "match": '"text 250"', "delay": 0.3}])
        self.error("SELECT * FROM embed_each(?, ?)", json.dumps(texts), MODEL)
        self.server.clear()
        self.embed_each(texts)
        self.assertEqual(texts_of(self.server.requests), texts[200:300])

    def test_sync(self):
        self.add_documents(2000)
        self.add_index(MODEL)
        self.server.behave([{"status": 404, "match": '"title 1000 body 1000"', "delay": 0.3}])
        self.assertIn("HTTP 404", self.error("SELECT embedded FROM semantic_sync('ix')"))
        self.check_index([*range(1, 901), *range(1001, 1601)])
        self.server.clear()
        self.db.close()
        self.db = self.connect()
        self.assertEqual(self.sync()[:4], (500, 0, 0, 2000))
        self.assertEqual(len(texts_of(self.server.requests)), 500)
        self.check_index(range(1, 2001))

    def test_the_command_sync(self):
        self.add_documents(500)
        self.add_index(MODEL)
        self.server.behave([{"status": 404, "match": '"title 450 body 450"', "delay": 0.3}])
        self.assertIn("HTTP 404", self.error("INSERT INTO ix(ix) VALUES ('sync')"))
        self.check_index([])
        self.server.clear()
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(len(texts_of(self.server.requests)), 100)
        self.check_index(range(1, 501))


if __name__ == "__main__":
    unittest.main()

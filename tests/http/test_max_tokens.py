"""test_max_tokens.py: texts longer than the user says that a remote model reads are cut here."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import KEY, Remote, inputs_of  # noqa: E402

LONG = " ".join("word%d" % i for i in range(2000))


class MaxTokens(Remote):
    def setUp(self):
        super().setUp()
        self.url = self.server.base_url("together")
        self.own(max_tokens=100)

    def own(self, name="mine", provider="together", **columns):
        self.register(name, provider, url=self.url, api_key=KEY, **columns)

    def sent(self):
        texts = [text for request in self.server.requests for text in inputs_of(request)]
        self.server.clear()
        return texts

    def test_a_text(self):
        self.one("SELECT embed(?, 'mine')", LONG)
        sent, = self.sent()
        self.assertTrue(LONG.startswith(sent))
        self.assertTrue(sent.endswith(" "))
        self.assertGreater(len(sent.split()), 20)
        self.assertLessEqual(len(sent) / 4, 100)
        self.assertEqual(self.stats("mine")["truncated"], 1)
        self.one("SELECT embed('short', 'mine')")
        self.assertEqual(self.sent(), ["short"])
        self.assertEqual(self.stats("mine")["truncated"], 1)

    def test_with_a_prefix(self):
        self.db.execute("UPDATE rerank_models SET document_prefix = 'passage: ' "
                        "WHERE task = 'embed' AND name = 'mine'")
        self.one("SELECT embed(?, 'mine')", LONG)
        self.assertTrue(self.sent()[0].startswith("passage: word0 word1 "))
        self.db.execute("UPDATE rerank_models SET max_tokens = 7 "
                        "WHERE task = 'embed' AND name = 'mine'")
        for text in ("extraordinarily", "word"):  # a word that is longer than what is left
            self.one("SELECT embed(?, 'mine')", text)
        self.assertEqual(self.sent(), ["passage: ext", "passage: wor"])
        self.db.execute("UPDATE rerank_models SET max_tokens = 6 "
                        "WHERE task = 'embed' AND name = 'mine'")
        self.fails("max_tokens 6 leaves no room for a text behind the prefix, which takes 6",
                   "SELECT embed('words', 'mine')")

    def test_rows_that_a_server_would_refuse(self):
        """All are embedded, and found; the index keeps the whole text."""
        self.add_documents(30)
        self.db.execute("UPDATE docs SET body = ? WHERE id % 3 = 0", (LONG,))
        self.server.behave([{"status": 400, "match": "word99 ", "times": "forever"}])
        self.add_index("mine")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.rows("SELECT * FROM semantic_failures('ix')"), [])
        self.assertEqual(self.one("SELECT count(*) FROM ix WHERE embedding IS NOT NULL"), 30)
        self.assertEqual(self.stats("mine")["truncated"], 10)

    def test_documents_and_their_query(self):
        documents = [LONG, "short", "word1 " * 500]
        for query in ("a query", "a long query " * 100):
            rows = self.rows("SELECT key, document FROM rerank(?, ?, NULL, 'mine')", query,
                             json.dumps(documents))
            self.assertEqual({key: text for key, text in rows}, dict(enumerate(documents)))
            body = self.server.requests[-1].body
            for sent, whole in zip(body["documents"], documents):
                self.assertTrue(sent and whole.startswith(sent))
                self.assertLessEqual(len((body["query"] + sent)) / 4, 100)
                self.assertLessEqual(len((body["query"] + sent).split()), 97)
            self.assertTrue(query.startswith(body["query"]))

    def test_objects_become_texts(self):
        self.own("rank", model="Salesforce/Llama-Rank-V1", max_tokens=20)
        self.rows("SELECT * FROM rerank('q', ?, NULL, 'rank')",
                  json.dumps([{"title": LONG}, {"title": "short"}]))
        documents = self.server.requests[-1].body["documents"]
        self.assertTrue(documents[0].endswith("word0 word1 ") or "word2" in documents[0])
        self.assertLessEqual(len(documents[0]), 80)

    def test_it_can_change(self):
        self.config(cache=os.path.join(self.folder, "cache.db"))
        lengths = []
        for n in (100, 50, None, 100):
            self.db.execute("UPDATE rerank_models SET max_tokens = ? WHERE name = 'mine'", (n,))
            self.assertEqual(self.one("SELECT max_tokens FROM rerank_models WHERE name = 'mine'"),
                             n)
            self.one("SELECT embed(?, 'mine')", LONG)
            lengths.append([len(text) for text in self.sent()])
        self.assertEqual(lengths[2], [len(LONG)])
        self.assertLess(lengths[1][0], lengths[0][0])
        self.assertEqual(lengths[3], [])  # of the cache file
        self.db.execute("UPDATE rerank_models SET batch_size = 3 WHERE name = 'mine'")
        self.assertEqual(self.one("SELECT max_tokens FROM rerank_models WHERE name = 'mine'"), 100)

    def test_what_is_refused(self):
        for value in (0, -1, 1.5, "many", 10 ** 9):
            self.fails("max_tokens must be an integer from 1", "UPDATE rerank_models SET "
                       "max_tokens = ? WHERE name = 'mine'", value)
        self.fails("max_tokens cannot be set", "UPDATE rerank_models SET max_tokens = 5 "
                   "WHERE name = 'builtin:lexical'")
        self.db.execute("UPDATE rerank_models SET max_tokens = 1 WHERE name = 'mine'")
        self.one("SELECT embed('several words', 'mine')")
        self.assertEqual(self.sent(), ["sev"])


if __name__ == "__main__":
    unittest.main()

"""builtin:static: its vectors beside those of tests/golden/embedded/reference.py, byte for byte."""
import hashlib
import json
import os
import random
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "golden", "embedded")
sys.path[:0] = [HERE, GOLDEN]
from support import EXTENSION, connect  # noqa: E402
import reference  # noqa: E402

PARTS = ("the Re ing un x 9 42 quick ZEBRA ation ' - . _ ## ( qqqq supercalifragilistic é ß ł ü "
         "\u00a1 \u2014 \u201c \u2019 \u0301 \ufb01 \uff21 ② 東京 に ー москва Ёж ελ 🦇 \x02").split(" ")

# What a process with this family of kernels embeds, as one hash.
CHILD = """
import hashlib, sqlite3, sys
db = sqlite3.connect(":memory:")
db.enable_load_extension(True)
db.load_extension(sys.argv[1])
text = "Bats fly at night; москва 東京. " * 60
print(hashlib.sha256(db.execute("SELECT embed(?, 'builtin:static')", (text,)).fetchone()[0])
      .hexdigest())
"""


class EmbeddedTest(unittest.TestCase):
    def setUp(self):
        self.db = connect()
        self.addCleanup(self.db.close)

    def embed(self, text):
        return self.db.execute("SELECT embed(?, 'builtin:static')", (text,)).fetchone()[0]

    def test_golden_vectors(self):
        with open(os.path.join(GOLDEN, "golden.txt"), encoding="utf-8") as file:
            for line in file:
                text, _, digest = line.rstrip("\n").split("\t")
                with self.subTest(text[:40]):
                    vector = self.embed(json.loads(text))
                    self.assertEqual(hashlib.sha256(vector).hexdigest(), digest)

    def test_texts_made_of_parts(self):
        random.seed(16)
        oracle = reference.Reference()
        for _ in range(40):
            text = "".join(random.choice(PARTS) + random.choice(("", " ", "\n"))
                           for _ in range(12))
            with self.subTest(text):
                self.assertEqual(self.embed(text), oracle.embed(text))

    def test_the_same_bytes_by_all_kernels(self):
        digests = {
            subprocess.run([sys.executable, "-c", CHILD, EXTENSION], check=True,
                           env=dict(os.environ, RERANK_SIMD=family),
                           stdout=subprocess.PIPE).stdout
            for family in ("", "scalar", "avx2")}
        self.assertEqual(len(digests), 1)

    def test_an_index_shares_the_space_of_embed(self):
        texts = ("a puppy finds a home", "bankers and their loans", "東京の夜", "???", "a puppy")
        self.db.executescript("""
            CREATE TABLE docs(id INTEGER PRIMARY KEY, text);
            CREATE VIRTUAL TABLE found USING semantic_index(content = 'docs', text = 'text',
                                                            storage = 'float32');""")
        self.db.executemany("INSERT INTO docs(text) VALUES (?)", [(text,) for text in texts[:4]])
        self.db.execute("INSERT INTO found(found) VALUES ('sync')")
        self.db.execute("INSERT INTO docs(text) VALUES (?)", (texts[4],))
        self.db.execute("INSERT INTO found(rowid) VALUES (5)")
        for rowid, similarity in self.db.execute(
                "SELECT rowid, similarity FROM found('dogs') ORDER BY rank").fetchall():
            expected, = self.db.execute(
                "SELECT cosine_sim(embed('dogs'), embed(?, 'builtin:static'))",
                (texts[rowid - 1],)).fetchone()
            self.assertAlmostEqual(similarity, expected, places=6)
        self.assertEqual(self.db.execute("SELECT count(*) FROM semantic_failures('found')")
                         .fetchone(), (0,))


if __name__ == "__main__":
    unittest.main()

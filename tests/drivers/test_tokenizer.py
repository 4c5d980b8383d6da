"""token_ids() beside published ids, beside an independent WordPiece, and what holds for any
text."""
import json
import os
import random
import shutil
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "golden", "local"))
import pieces  # noqa: E402
from support import connect  # noqa: E402

SHARED = os.path.join(os.environ.get("RERANK_SHARED") or "/nowhere", "models")
EXPECTED = os.path.join(SHARED, "tokenizer_expectations", "llama.cpp-ggml-vocab-bert-bge.gguf")
CONFIG = {"architectures": ["BertModel"], "hidden_size": 8, "num_hidden_layers": 1,
          "num_attention_heads": 1, "intermediate_size": 8, "vocab_size": 30522,
          "max_position_embeddings": 512, "type_vocab_size": 2}
# Letters, marks and signs of several scripts; no character that Unicode versions disagree about.
CHARACTERS = ("abcdefghijklmnopqrstuvwxyz" * 3 + "ABCXYZ0123456789" + " " * 20
              + "\t\n.,;:!?'\"()-_/@#$%&*+=<>[]{}|~^`"
              "äöüÄÖÜßéèêñçåøÅØœŒıİ\u0301\u0308\u0327\u00a0\u3000\u200b\u00ad½²©€™…–—“”„"
              "абвгдежзАБВГДабвйёЙЁαβγδάέΑΒΓ日本語東京映画가나다한국어ไทยकखगعربית🦇🎬👍🏽\u200d\ufe0f\ufb01")


@unittest.skipUnless(os.path.exists(SHARED), "RERANK_SHARED does not name the models' files")
class TokenizerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp()
        cls.before = os.environ.get("RERANK_MODEL_PATH")
        os.environ["RERANK_MODEL_PATH"] = cls.root
        for name, source, target in (("vocab", "bert-base-uncased-vocab.txt", "vocab.txt"),
                                     ("bge", "bge-small-en-v1.5.tokenizer.json", "tokenizer.json"),
                                     ("minilm", "tokenizer.json", "tokenizer.json")):
            folder = os.path.join(cls.root, "published", name)
            os.makedirs(folder)
            shutil.copy(os.path.join(SHARED, source), os.path.join(folder, target))
            for file, content in (("config.json", CONFIG),
                                  ("tokenizer_config.json", {"do_lower_case": True})):
                with open(os.path.join(folder, file), "w", encoding="utf-8") as output:
                    json.dump(content, output)
        cls.db = connect()
        cls.oracle = pieces.Pieces(os.path.join(cls.root, "published", "vocab"))

    @classmethod
    def tearDownClass(cls):
        cls.db.close()
        shutil.rmtree(cls.root)
        if cls.before is None:
            del os.environ["RERANK_MODEL_PATH"]
        else:
            os.environ["RERANK_MODEL_PATH"] = cls.before

    def ids(self, text, name="vocab"):
        ids, n = self.db.execute("SELECT token_ids(?1, ?2), token_count(?1, ?2)",
                                 (text, "local:published/" + name)).fetchone()
        ids = json.loads(ids)
        self.assertEqual((ids[0], ids[-1], len(ids)), (101, 102, n))
        return ids[1:-1]

    def random_texts(self, n):
        chance = random.Random(n)
        for _ in range(n):
            yield "".join(chance.choices(CHARACTERS, k=chance.choice((1, 3, 8, 20, 60))))

    def test_published_ids(self):
        with open(EXPECTED + ".inp", encoding="utf-8", newline="") as file:
            texts = file.read().split("\n__ggml_vocab_test__\n")
        with open(EXPECTED + ".out", encoding="utf-8") as file:
            wanted = [[int(number) for number in line.split()] for line in file.read().split("\n")]
        self.assertEqual((len(texts), len(wanted)), (47, 47))
        for name in ("vocab", "bge", "minilm"):
            for text, ids in zip(texts, wanted):
                with self.subTest(name=name, text=text):
                    self.assertEqual(self.ids(text, name), ids)

    def test_another_word_piece_gives_the_same(self):
        for text in self.random_texts(3000):
            with self.subTest(text=text):
                self.assertEqual(self.ids(text), list(self.oracle.ids(text)[0][1:-1]))

    def test_both_kinds_of_files_give_the_same(self):
        for text in self.random_texts(2000):
            with self.subTest(text=text):
                self.assertEqual(self.ids(text, "bge"), self.ids(text, "vocab"))

    def test_words_are_apart(self):
        """The tokens of two texts with a space between them are those of each."""
        chance = random.Random(7)
        texts = list(self.random_texts(500))
        for _ in range(2000):
            first, second = chance.choice(texts), chance.choice(texts)
            with self.subTest(first=first, second=second):
                self.assertEqual(self.ids(first + " " + second), self.ids(first) + self.ids(second))

    def test_case_and_accents_do_not_count(self):
        for text in self.random_texts(1000):
            plain = text.replace("İ", "i")
            with self.subTest(text=text):
                self.assertEqual(self.ids(plain.lower()), self.ids(plain))

    def test_long_texts(self):
        word = self.ids("superhero")
        self.assertEqual(self.ids("superhero " * 50000), word * 50000)
        self.assertEqual(self.ids("x" * 100), self.ids("x" * 100, "bge"))
        self.assertEqual(self.ids("x" * 101), [100])      # of more than 100 characters: unknown
        self.assertEqual(self.ids("日" * 10000), self.ids("日") * 10000)


if __name__ == "__main__":
    unittest.main()

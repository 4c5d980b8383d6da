"""A static model whose tokenizer is Unigram: the mark of a space is no word."""
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import test_fingerprint  # noqa: E402
from test_local import numpy  # noqa: E402

if numpy is not None:
    import models

WORDS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "▁", "▁bat", "▁cave", "s")


@unittest.skipIf(numpy is None, "numpy is not there")
class StaticWordsTest(test_fingerprint.FingerprintTest):
    def test_the_mark_of_a_space(self):
        def read_pieces(value):
            size = len(value["model"]["vocab"])
            names = WORDS + tuple(f"<{number}>" for number in range(len(WORDS), size))
            value.update(models.xlm_tokenizer([(name, -1 - len(name)) for name in names]),
                         added_tokens=[], post_processor=None)
        self.write("static-raw")
        self.edit("tokenizer.json", read_pieces)
        self.reopen()
        self.db.executescript("""
            CREATE TABLE docs(id INTEGER PRIMARY KEY, text);
            INSERT INTO docs(text) VALUES ('bats'), ('cave'), ('⛄');
            CREATE VIRTUAL TABLE found USING semantic_index(content = 'docs', text = 'text',
                                                            model = 'local:test/own');
            INSERT INTO found(found) VALUES ('sync');""")
        for query, rows in (("bat", [(1,)]), ("⛄", []), ("zzz ⛄", []), ("zzz cave", [(2,)])):
            with self.subTest(query):
                self.assertEqual(self.db.execute(test_fingerprint.QUERY, (query,)).fetchall(), rows)
        self.assertEqual(self.db.execute("SELECT rowid FROM semantic_failures('found')").fetchall(),
                         [(3,)])


if __name__ == "__main__":
    unittest.main()

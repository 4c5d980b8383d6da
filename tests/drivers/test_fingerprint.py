"""An index keeps what its model was made of: other weights under the same name are refused."""
import json
import os
import shutil
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from support import connect  # noqa: E402
from test_local import LocalTest, numpy  # noqa: E402

if numpy is not None:
    import models
    import texts

REFUSED = "is not what it was when the index was made: .*VALUES \\('rebuild'\\)"
QUERY = "SELECT rowid FROM found(?, 1)"


class FingerprintTest(LocalTest):
    """found: an index of the model test/own."""

    @classmethod
    def write_models(cls):
        models.write(os.path.join(cls.root, "test", "cls"), models.KINDS["cls"])

    def setUp(self):
        self.file = os.path.join(self.root, "found.db")
        self.db = connect(self.file)
        self.addCleanup(os.remove, self.file)

    def reopen(self):
        self.db.close()
        self.db = connect(self.file)

    def make(self, kind="max", model="local:test/own", options="", **changes):
        """The model's folder, and an index of four rows."""
        if kind is not None:
            self.write(kind, **changes)
            self.reopen()
        self.db.executescript(f"""
            CREATE TABLE docs(id INTEGER PRIMARY KEY, text);
            CREATE VIRTUAL TABLE found USING semantic_index(content = 'docs', text = 'text',
                                                            model = '{model}'{options});""")
        self.db.executemany("INSERT INTO docs(text) VALUES (?)",
                            [(text,) for text in texts.TEXTS[:4]])
        self.db.execute("INSERT INTO found(found) VALUES ('sync')")

    def write(self, kind, **changes):
        folder = self.folder("own")
        shutil.rmtree(folder, ignore_errors=True)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        spec = models.KINDS[kind]
        models.write(folder, models.dataclasses.replace(spec, **changes))

    def edit(self, file, change):
        path = os.path.join(self.folder("own"), file)
        with open(path, encoding="utf-8") as opened:
            value = json.load(opened)
        change(value)
        with open(path, "w", encoding="utf-8") as opened:
            json.dump(value, opened, indent=3)

    def finds(self):
        self.reopen()
        for number, text in enumerate(texts.TEXTS[:4]):
            self.assertEqual(self.db.execute(QUERY, (text,)).fetchone()[0], number + 1)

    def is_refused(self):
        self.reopen()
        self.fails(REFUSED, QUERY, texts.TEXTS[0])

    def status(self, column):
        return self.db.execute(f"SELECT {column} FROM semantic_status('found')").fetchone()[0]

    def stored(self):
        row = self.db.execute("SELECT value FROM found_config WHERE key = 'fingerprint'").fetchone()
        return row and row[0]


@unittest.skipIf(numpy is None, "numpy is not there")
class WeightsTest(FingerprintTest):
    def test_other_weights(self):
        self.make()
        before = self.status("fingerprint")
        self.assertRegex(before, "^local:test/own [0-9a-f]{16}$")
        vector = self.db.execute("SELECT embedding FROM found WHERE rowid = 2").fetchone()[0]
        self.write("max", seed=99)
        self.is_refused()
        self.fails(REFUSED, "SELECT * FROM semantic_search_each('found', '[\"a bat\"]')")
        self.db.execute("INSERT INTO docs VALUES (5, 'a king')")
        self.fails(REFUSED, "INSERT INTO found(found) VALUES ('sync')")
        self.fails(REFUSED, "SELECT * FROM semantic_sync('found')")
        self.fails(REFUSED, "SELECT * FROM semantic_pending('found')")
        self.fails(REFUSED, "INSERT INTO found(rowid) VALUES (5)")
        self.assertEqual(self.status("rows"), 4)
        self.assertRegex(self.status("problem"), REFUSED)
        # What needs no model works: vectors of one's own, deletions.
        rows = self.db.execute("SELECT rowid FROM found WHERE query = ? AND k = 1", (vector,))
        self.assertEqual(rows.fetchone()[0], 2)
        self.db.execute("DELETE FROM docs WHERE id = 5")
        self.db.execute("DELETE FROM docs WHERE id = 4")
        self.db.execute("INSERT INTO found(found) VALUES ('sync')")
        self.db.execute("INSERT INTO found(found) VALUES ('rebuild')")
        self.assertEqual(self.db.execute(QUERY, (texts.TEXTS[1],)).fetchone()[0], 2)
        self.assertNotEqual(self.status("fingerprint"), before)
        self.assertIsNone(self.status("problem"))
        self.write("max")
        self.is_refused()

    def test_what_a_vector_depends_on(self):
        def swap(vocabulary):
            path = os.path.join(self.folder("own"), "vocab.txt")
            with open(path, encoding="utf-8") as file:
                lines = file.read().split("\n")
            lines[-2], lines[-3] = lines[-3], lines[-2]
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(lines))
        self.make()
        for changes in ({"pooling": "mean"}, {"normalize": True}, {"activation": "relu"},
                        {"max_tokens": 20}, {"lowers": True}, {"cased": True},
                        {"dense": ((32, "Tanh", True),)}, {"prompts": {"document": "bats: "}}):
            with self.subTest(changes):
                self.write("max", **changes)
                self.is_refused()
        self.write("max")
        swap("vocab.txt")
        self.is_refused()
        self.write("max")
        self.finds()

    def test_what_it_does_not_depend_on(self):
        self.make(kind="plain")
        for changes in ({"shards": 1}, {"prefix": "bert."}, {"old_norms": False},
                        {"prompts": {"query": "bats: ", "document": ""}}):
            with self.subTest(changes):
                self.write("plain", **changes)
                self.reopen()
                self.assertEqual(len(self.db.execute(QUERY, ("a bat",)).fetchall()), 1)
        self.write("plain")
        self.edit("tokenizer.json", lambda value: value.update(
            truncation={"max_length": 5}, padding={"strategy": "BatchLongest"}, version="2.0"))
        self.finds()

        def turn(value):
            """Members the other way round, without those that are null."""
            if isinstance(value, list):
                return [turn(item) for item in value]
            return value if not isinstance(value, dict) else {
                name: turn(value[name]) for name in list(value)[::-1] if value[name] is not None}

        def turn_all(value):
            turned = turn(value)
            value.clear()
            value.update(turned)
        self.edit("tokenizer.json", turn_all)
        self.finds()
        self.edit("tokenizer.json", lambda value: value["normalizer"].update(lowercase=False))
        self.is_refused()

    def test_the_same_numbers_in_another_type(self):
        self.make(kind="max", type="BF16")
        path = os.path.join(self.folder("own"), "model.safetensors")
        import reference
        tensors = reference.read_file(path)
        models.write_safetensors(path, tensors, "F32")
        self.finds()
        models.write_safetensors(path, tensors, "F64")
        self.finds()
        name = "bert.encoder.layer.0.output.dense.bias"
        tensors[name][3] += 1e-3
        models.write_safetensors(path, tensors, "F64")
        self.is_refused()

    def test_every_kind_of_file(self):
        """A Dense module, a mapping, weights of tokens."""
        for kind, file, name in (("dense", "2_Dense/model.safetensors", "linear.weight"),
                                 ("static-shared", "model.safetensors", "mapping"),
                                 ("static-raw", "model.safetensors", "weights"),
                                 ("static-part", "0_StaticEmbedding/model.safetensors",
                                  "embedding.weight")):
            with self.subTest(kind=kind):
                self.make(kind=kind)
                self.finds()
                import reference
                path = os.path.join(self.folder("own"), file)
                tensors = reference.read_file(path)
                tensors[name].flat[1] = tensors[name].flat[1] * .5 // 1
                models.write_safetensors(path, tensors, "F32", types={"mapping": "I32"})
                self.is_refused()
                self.db.executescript("DROP TABLE found; DROP TABLE docs")


@unittest.skipIf(numpy is None, "numpy is not there")
class NamesTest(FingerprintTest):
    def test_a_name_of_another_model(self):
        self.write("max")
        self.alias("mine", "local:test/own", precision="float32")
        self.make(None, model="mine")
        self.reopen()
        self.alias("mine", "local:test/cls", precision="float32")
        self.fails("stood for local:test/own, and now it stands for local:test/cls: .*rebuild",
                   QUERY, "a bat")
        self.reopen()
        self.alias("mine", "local:test/own", precision="int8")
        self.fails(REFUSED, QUERY, "a bat")
        self.db.execute("INSERT INTO found(found) VALUES ('rebuild')")
        self.assertEqual(len(self.db.execute(QUERY, ("a bat",)).fetchall()), 1)

    def test_a_name_with_prefixes(self):
        for model in ("local:test/own", "builtin:lexical"):
            with self.subTest(model):
                self.write("max")
                self.reopen()
                self.alias("mine", model, document_prefix="red ", query_prefix="blue ")
                self.make(None, model="mine")
                self.fails("no model is called 'mine' here; where the index was made it stood for "
                           + model, QUERY, "a bat", db=connect(self.file))
                stored = self.db.execute("SELECT embedding FROM found WHERE rowid = 2").fetchone()
                if model != "builtin:lexical":
                    self.assertEqual(stored, self.db.execute("SELECT embed(?, 'mine')",
                                                             (texts.TEXTS[1],)).fetchone())
                self.assertEqual(len(self.db.execute(QUERY, ("a bat",)).fetchall()), 1)
                self.db.execute("UPDATE rerank_models SET document_prefix = NULL "
                                "WHERE name = 'mine'")
                self.fails(REFUSED, QUERY, "a bat")
                self.db.executescript("DROP TABLE found; DROP TABLE docs")

    def test_a_name_that_was_changed_and_changed_back(self):
        self.write("max")
        self.alias("mine", "local:test/own")
        self.make(None, model="mine")
        for column, value in (("precision", "int8"), ("document_prefix", "red ")):
            sql = f"UPDATE rerank_models SET {column} = ? WHERE name = 'mine'"
            self.db.execute(sql, (value,))
            self.fails(REFUSED, QUERY, "a bat")
            self.db.execute(sql, (None,))
            self.assertEqual(len(self.db.execute(QUERY, ("a bat",)).fetchall()), 1)

    def test_a_prefix_of_the_users(self):
        self.make()
        sql = "UPDATE rerank_models SET document_prefix = ? WHERE name = 'local:test/own'"
        self.db.execute("UPDATE rerank_models SET query_prefix = 'a ' WHERE name = "
                        "'local:test/own'")
        self.assertEqual(len(self.db.execute(QUERY, ("bat",)).fetchall()), 1)
        self.db.execute(sql, ("passage: ",))
        self.fails(REFUSED, QUERY, "a bat")
        self.db.execute(sql, ("",))
        self.assertEqual(len(self.db.execute(QUERY, ("a bat",)).fetchall()), 1)
        self.db.execute(sql, ("passage: ",))
        self.db.execute("INSERT INTO found(found) VALUES ('rebuild')")
        self.assertEqual(len(self.db.execute(QUERY, ("a bat",)).fetchall()), 1)
        self.reopen()
        self.fails(REFUSED, QUERY, "a bat")

    def test_a_prefix_of_the_built_in_model(self):
        for options, name in (("", "builtin:static"),
                              ("model = 'builtin:lexical'", "builtin:lexical")):
            self.db.execute("DROP TABLE IF EXISTS found")
            self.db.execute(f"CREATE VIRTUAL TABLE found USING semantic_index({options})")
            self.db.execute("INSERT INTO found(text) VALUES ('bats in caves')")
            self.assertRegex(self.status("fingerprint"), f"^{name}( [0-9a-f]{{16}})?$")
            self.db.execute("UPDATE rerank_models SET document_prefix = 'ships ' "
                            "WHERE name = ? AND task = 'embed'", (name,))
            self.fails(REFUSED, QUERY, "caves")
            self.fails(REFUSED, "INSERT INTO found(text) VALUES ('birds')")


@unittest.skipIf(numpy is None, "numpy is not there")
class StoredTest(FingerprintTest):
    def test_an_index_of_an_earlier_version_takes_it_with_the_next_write(self):
        self.make()
        kept = self.stored()
        self.assertIsInstance(kept, int)
        self.db.execute("DELETE FROM found_config WHERE key = 'fingerprint'")
        self.finds()
        self.assertEqual(self.status("fingerprint"), "local:test/own")
        self.assertIsNone(self.stored())
        self.db.execute("INSERT INTO docs VALUES (5, 'a king')")
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO found(rowid) VALUES (5)")
        self.assertEqual(len(self.db.execute("SELECT rowid FROM found").fetchall()), 5)
        self.assertEqual(self.stored(), kept)
        self.db.execute("ROLLBACK")
        self.assertIsNone(self.stored())
        self.db.execute("INSERT INTO found(rowid) VALUES (5)")
        self.assertEqual(self.stored(), kept)
        self.write("max", seed=99)
        self.is_refused()

    def test_an_index_of_an_earlier_version_and_another_model(self):
        differs = "makes another vector of row 1 than the one that is stored .*rebuild"
        for quantize in ("none", "bit"):
            for changes in ({"seed": 99}, {"prompts": {"document": "bats in caves: "}}):
                with self.subTest(quantize=quantize, changes=changes):
                    self.make(options=f", quantize = '{quantize}'")
                    kept = self.stored()
                    self.db.execute("DELETE FROM found_config WHERE key = 'fingerprint'")
                    self.write("max", **changes)
                    self.reopen()
                    self.fails(differs, QUERY, "a bat")
                    self.assertRegex(self.status("problem"), differs)
                    self.db.execute("INSERT INTO docs VALUES (5, 'a king')")
                    self.fails(differs, "INSERT INTO found(found) VALUES ('sync')")
                    self.fails(differs, "INSERT INTO found(rowid) VALUES (5)")
                    self.assertIsNone(self.stored())
                    # A row whose text changed since tells nothing: the next does.
                    self.write("max")
                    self.reopen()
                    self.db.execute("UPDATE docs SET text = 'a queen' WHERE id = 1")
                    self.db.execute("INSERT INTO found(found) VALUES ('sync')")
                    self.assertEqual(self.stored(), kept)
                    self.db.executescript("DROP TABLE found; DROP TABLE docs")

    def test_damage(self):
        self.make()
        for value in ("'x'", "NULL", "zeroblob(8)", "1.5"):
            self.db.execute(f"UPDATE found_config SET value = {value} WHERE key = 'fingerprint'")
            self.finds()
        self.db.execute("UPDATE found_config SET value = 5 WHERE key = 'fingerprint'")
        self.is_refused()
        self.db.execute("INSERT INTO found(found) VALUES ('rebuild')")
        self.finds()

    def test_without_rows_it_is_not_known(self):
        self.make()
        self.db.execute("DELETE FROM docs")
        self.db.execute("INSERT INTO found(found) VALUES ('rebuild')")
        self.assertIsNone(self.stored())
        self.write("max", seed=99)
        self.reopen()
        self.db.execute("INSERT INTO docs VALUES (1, 'a bat')")
        self.db.execute("INSERT INTO found(found) VALUES ('sync')")
        self.assertEqual(self.db.execute(QUERY, ("a bat",)).fetchone()[0], 1)

    def test_a_model_that_is_gone(self):
        self.make()
        os.remove(os.path.join(self.folder("own"), "model.safetensors"))
        self.reopen()
        self.fails("model.safetensors", QUERY, "a bat")
        self.assertRegex(self.status("problem"), "model.safetensors")

    def test_a_reader(self):
        self.make()
        self.db.close()
        self.db = connect(f"file:{self.file}?mode=ro", uri=True)
        self.assertEqual(self.db.execute(QUERY, (texts.TEXTS[1],)).fetchone()[0], 2)

    def test_any_number_of_threads(self):
        self.make(kind="cls")
        kept = self.stored()
        for threads in (1, 3):
            self.reopen()
            self.db.execute("SELECT rerank_config('threads', ?)", (threads,)).fetchall()
            self.db.execute("INSERT INTO found(found) VALUES ('rebuild')")
            self.assertEqual(self.stored(), kept)


if __name__ == "__main__":
    unittest.main()

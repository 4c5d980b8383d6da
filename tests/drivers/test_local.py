"""Local models through SQL, beside an independent reference (tests/golden/local/reference.py,
double precision in numpy; PyTorch's own numbers in golden.txt)."""
import json
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "golden", "local"))
from support import ROOT, Workplace, connect  # noqa: E402

try:
    import numpy
except ImportError:
    numpy = None
if numpy is not None:
    import models
    import reference
    import texts

FLOAT32 = 2e-5
COSINE = {"bf16": .9999, "int8": .999}


def cosine(a, b):
    return float(a @ b / numpy.sqrt((a @ a) * (b @ b)))


@unittest.skipIf(numpy is None, "numpy is not there")
class LocalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.mkdtemp()
        cls.write_models()
        cls.before = os.environ.get("RERANK_MODEL_PATH")
        os.environ["RERANK_MODEL_PATH"] = cls.root

    @classmethod
    def write_models(cls):
        models.write_all(cls.root)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.root)
        if cls.before is None:
            del os.environ["RERANK_MODEL_PATH"]
        else:
            os.environ["RERANK_MODEL_PATH"] = cls.before

    def setUp(self):
        self.db = connect()

    def tearDown(self):
        self.db.close()

    def folder(self, kind):
        return os.path.join(self.root, "test", kind)

    def embed(self, text, model, db=None):
        blob = (db or self.db).execute("SELECT embed(?, ?)", (text, model)).fetchone()[0]
        return numpy.frombuffer(blob, dtype="<f4")

    def embed_all(self, all_texts, model):
        rows = self.db.execute("SELECT embedding FROM embed_each(?, ?)",
                               (json.dumps(all_texts), model))
        return [numpy.frombuffer(row[0], dtype="<f4") for row in rows]

    def scores(self, model):
        rows = self.db.execute(
            "SELECT key, relevance_score FROM rerank(?, ?, NULL, ?) ORDER BY key",
            (texts.QUERY, json.dumps(texts.DOCUMENTS), model))
        return [row[1] for row in rows]

    def alias(self, name, model, **columns):
        names = ", ".join(["name", "model", *columns])
        marks = ", ".join("?" * (2 + len(columns)))
        self.db.execute(f"INSERT INTO rerank_models({names}) VALUES ({marks})",
                        (name, model, *columns.values()))

    def fails(self, pattern, sql, *arguments, db=None):
        with self.assertRaisesRegex(sqlite3.Error, pattern):
            (db or self.db).execute(sql, arguments).fetchall()

    def copy(self, kind, name):
        shutil.copytree(self.folder(kind), self.folder(name))
        self.addCleanup(shutil.rmtree, self.folder(name), ignore_errors=True)
        return self.folder(name)


EMBEDDERS = [kind for kind, spec in models.KINDS.items() if not spec.classifies] if numpy else []
RERANKERS = [kind for kind, spec in models.KINDS.items() if spec.classifies] if numpy else []


class ReferenceTest(LocalTest):
    def test_embedders(self):
        for kind in EMBEDDERS:
            model = reference.Model(self.folder(kind))
            for text, vector in zip(texts.TEXTS, self.embed_all(texts.TEXTS, "local:test/" + kind)):
                with self.subTest(kind=kind, text=text[:30]):
                    wanted = model.embed(text)
                    self.assertEqual(len(vector), len(wanted))
                    scale = max(1, float(numpy.abs(wanted).max()))
                    self.assertLess(float(numpy.abs(vector - wanted).max()), FLOAT32 * scale)

    def test_a_query_without_a_word_that_is_known(self):
        """Static vectors have none for it: it has no rows, while others have."""
        self.db.execute("CREATE VIRTUAL TABLE n USING semantic_index(model = 'local:test/static')")
        self.db.executemany("INSERT INTO n(text) VALUES (?)", [(t,) for t in texts.DOCUMENTS[:3]])
        rows = "SELECT count(*) FROM n(?)"
        unknown = "\U00013000"
        self.assertEqual(float(numpy.abs(self.embed(unknown, "local:test/static")).max()), 0.0)
        for query, n in ((unknown, 0), ("", 0), (texts.DOCUMENTS[0], 3)):
            self.assertEqual(self.db.execute(rows, (query,)).fetchone(), (n,))
        self.assertEqual({row[0] for row in self.db.execute(
            "SELECT key FROM semantic_search_each('n', ?)",
            (json.dumps([unknown, texts.DOCUMENTS[0], " "]),))}, {1})

    def test_rerankers(self):
        for kind in RERANKERS:
            model = reference.Model(self.folder(kind))
            for document, score in zip(texts.DOCUMENTS, self.scores("local:test/" + kind)):
                with self.subTest(kind=kind, document=document[:30]):
                    self.assertAlmostEqual(score, model.score(texts.QUERY, document), delta=FLOAT32)

    def test_numbers_of_pytorch(self):
        """golden.txt: what torch.nn.TransformerEncoderLayer gave."""
        path = os.path.join(HERE, "..", "golden", "local", "golden.txt")
        with open(path, encoding="utf-8") as file:
            lines = [line.split() for line in file if not line.startswith("#")]
        self.assertGreater(len(lines), 100)
        results = {kind: self.embed_all(texts.TEXTS, "local:test/" + kind) for kind in EMBEDDERS}
        results |= {kind: [[x] for x in self.scores("local:test/" + kind)] for kind in RERANKERS}
        for kind, _, number, *numbers in lines:
            for got, wanted in zip(results[kind][int(number)], map(float, numbers)):
                self.assertAlmostEqual(float(got), wanted, delta=FLOAT32 * max(1, abs(wanted)))

    def test_token_ids(self):
        for kind in ("mean", "cls", "masked", "xlm", "roberta", "mpnet", "static"):
            pieces = reference.Model(self.folder(kind)).pieces
            for text in texts.TEXTS:
                with self.subTest(kind=kind, text=text[:30]):
                    got, n = self.db.execute("SELECT token_ids(?1, ?2), token_count(?1, ?2)",
                                             (text, "local:test/" + kind)).fetchone()
                    if kind != "static":
                        self.assertEqual(json.loads(got), list(pieces.ids(text)[0]))
                    self.assertEqual(len(json.loads(got)), n)

    def test_reduced_precision(self):
        for precision, least in COSINE.items():
            for kind in ("mean", "cls", "xlm", "mpnet"):
                name = f"{kind}-{precision}"
                self.alias(name, "local:test/" + kind, precision=precision)
                exact = self.embed_all(texts.TEXTS, "local:test/" + kind)
                for a, b in zip(exact, self.embed_all(texts.TEXTS, name)):
                    self.assertGreater(cosine(a, b), least)

    def test_matryoshka(self):
        self.alias("short", "local:test/mean", dimensions=16)
        model = reference.Model(self.folder("mean"))
        for text in texts.TEXTS:
            wanted = model.embed(text, 16)
            self.assertLess(float(numpy.abs(self.embed(text, "short") - wanted).max()), FLOAT32)


@unittest.skipIf(numpy is None or os.environ.get("RERANK_SANITIZED") == "1",
                 "numpy is not there, or a sanitizer is")
class FullSizeTest(LocalTest):
    def check(self, precisions, some, **shape):
        models.write(self.folder("base"), models.Spec(hidden=768, heads=12, layers=12, inner=3072,
                                                      seed=15, **shape))
        self.addCleanup(shutil.rmtree, self.folder("base"))
        model = reference.Model(self.folder("base"))
        wanted = [model.embed(text) for text in some]
        for vector, right in zip(self.embed_all(some, "local:test/base"), wanted):
            self.assertLess(float(numpy.abs(vector - right).max()), FLOAT32)
        for precision, least in precisions.items():
            self.alias(precision, "local:test/base", precision=precision)
            for vector, right in zip(self.embed_all(some, precision), wanted):
                self.assertGreater(cosine(vector, right), least)

    def test_the_shape_of_bge_base(self):
        """12 layers of 768: what no small model shows, such as sums over 3072 products."""
        self.check(COSINE, [texts.TEXTS[1], " ".join(texts.TEXTS)[:2000]], positions=512,
                   pooling="cls")

    def test_the_shape_of_all_mpnet_base(self):
        """And as long a text as it reads: tokens are further apart than the buckets tell."""
        self.check({}, [" ".join(texts.TEXTS) * 2], architecture="MPNetModel", positions=514,
                   max_tokens=384)


class BehaviourTest(LocalTest):
    def test_a_vector_does_not_depend_on_its_batch(self):
        many = texts.TEXTS * 7
        together = self.embed_all(many, "local:test/cls")
        for text, vector in zip(texts.TEXTS, together):
            other = connect()
            alone = self.embed(text, "local:test/cls", other)
            other.close()
            self.assertLess(float(numpy.abs(alone - vector).max()), 1e-6)

    def test_any_number_of_threads(self):
        vectors = []
        for threads in ("1", "2", "5"):
            db = connect()
            db.execute("SELECT rerank_config('threads', ?)", (threads,)).fetchall()
            rows = db.execute("SELECT embedding FROM embed_each(?, 'local:test/cls')",
                              (json.dumps(texts.TEXTS),))
            vectors.append([row[0] for row in rows])
            db.close()
        self.assertEqual(vectors[0], vectors[1])
        self.assertEqual(vectors[0], vectors[2])

    def test_connections_in_threads(self):
        wanted, got = self.embed(texts.LONG, "local:test/cls").tobytes(), []

        def work():
            db = connect()
            for _ in range(5):
                row = db.execute("SELECT embed(?, 'local:test/cls')", (texts.LONG,)).fetchone()
                got.append(row[0])
                db.execute("SELECT rerank(?, 'x', 'local:test/cross')", (texts.QUERY,)).fetchall()
            db.close()
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(got), {wanted})
        self.assertEqual(len(got), 20)

    def test_too_long(self):
        self.embed(texts.LONG, "local:test/masked")
        n = self.db.execute("SELECT truncated FROM rerank_stats WHERE model = 'local:test/masked'")
        self.assertEqual(n.fetchone()[0], 1)
        self.db.execute("SELECT rerank_config('on_overlong', 'error')").fetchall()
        self.fails("reads 20 tokens, and the text has [0-9]+",
                   "SELECT embed(?, 'local:test/masked')", texts.LONG + " again")
        self.assertEqual(len(self.embed("bats", "local:test/masked")), 64)

    def test_interrupt(self):
        many = json.dumps([f"{texts.LONG} {i}" for i in range(20000)])
        self.embed("warm", "local:test/cls")
        times = []

        def interrupt():
            time.sleep(.3)
            times.append(time.monotonic())
            self.db.interrupt()
        thread = threading.Thread(target=interrupt)
        thread.start()
        self.fails("interrupted", "SELECT count(*) FROM embed_each(?, 'local:test/cls')", many)
        times.append(time.monotonic())
        thread.join()
        self.assertLess(times[1] - times[0], 1)

    def test_an_index(self):
        self.db.executescript("""
            CREATE TABLE docs(id INTEGER PRIMARY KEY, text);
            CREATE VIRTUAL TABLE found USING semantic_index(content = 'docs', text = 'text',
                model = 'local:test/cls', reranker = 'local:test/cross');
            SELECT rerank_config('embed_model', 'local:test/cls');""")
        self.db.executemany("INSERT INTO docs(text) VALUES (?)", [(text,) for text in texts.TEXTS])
        self.db.execute("SELECT * FROM semantic_sync('found')").fetchall()
        rows = self.db.execute("SELECT rowid, similarity, relevance FROM found(?, 5) ORDER BY rank",
                               (texts.QUERY,)).fetchall()
        query = self.embed(texts.QUERY, "local:test/cls")
        wanted = sorted(((cosine(query, self.embed(text, "local:test/cls")), i + 1)
                         for i, text in enumerate(texts.TEXTS)), reverse=True)[:5]
        self.assertEqual([row[0] for row in rows], [i for _, i in wanted])
        cross = reference.Model(self.folder("cross"))
        for rowid, _, relevance in rows:
            wanted = cross.score(texts.QUERY, texts.TEXTS[rowid - 1])
            self.assertAlmostEqual(relevance, wanted, delta=FLOAT32)

    def test_a_model_of_one_task(self):
        self.fails("embeds and does not rerank", "SELECT rerank('a', 'b', 'local:test/mean')")
        self.fails("reranks and does not embed", "SELECT embed('a', 'local:test/cross')")

    def test_chunks_fit_the_model(self):
        text = " ".join([texts.LONG] * 5)
        rows = self.db.execute("SELECT start, text FROM chunk_each(?, 20, 5, 'local:test/masked')",
                               (text,)).fetchall()
        self.assertGreater(len(rows), 10)
        for start, piece in rows:
            self.assertEqual(text[start - 1:start - 1 + len(piece)], piece)
            row = self.db.execute("SELECT token_count(?, 'local:test/masked')", (piece,)).fetchone()
            self.assertLessEqual(row[0], 20)

    def test_a_long_text(self):
        text = "bats and penguins " * 600000
        self.assertEqual(self.embed(text, "local:test/mean").shape, (64,))
        self.assertEqual(self.embed("x" * 10000000, "local:test/xlm").shape, (48,))


class FilesTest(LocalTest):
    """What the files of a folder say, beside weights."""

    def vectors(self, text, model):
        """As a document, and as a query."""
        rows = [self.db.execute("SELECT embed(?, ?, ?)", (text, model, role)).fetchone()[0]
                for role in ("document", "query")]
        return [numpy.frombuffer(row, dtype="<f4") for row in rows]

    def near(self, vector, wanted):
        self.assertLess(float(numpy.abs(vector - wanted).max()), FLOAT32)

    def test_prompts_by_role(self):
        model = reference.Model(self.folder("prompted"))
        document, query = self.vectors("a bat", "local:test/prompted")
        self.near(document, model.embed("a bat", role="passage"))
        self.near(query, model.embed("a bat", role="query"))
        row = self.db.execute("SELECT query_prefix, document_prefix FROM rerank_models WHERE name "
                              "= 'local:test/prompted'").fetchone()
        self.assertEqual(row, ("bats: ", "house "))
        # The user's come first, one by one, and '' is none.
        self.alias("mine", "local:test/prompted", query_prefix="the ")
        document, query = self.vectors("a bat", "mine")
        self.near(document, model.embed("house a bat", role=None))
        self.near(query, model.embed("the a bat", role=None))
        self.alias("own", "local:test/prompted", document_prefix="", precision="float32")
        document, query = self.vectors("a bat", "own")
        self.near(document, model.embed("a bat", role=None))
        self.near(query, model.embed("a bat", role="query"))
        rows = self.db.execute("SELECT text FROM chunk_each(?, NULL, 0, 'local:test/prompted')",
                               (texts.LONG * 3,)).fetchall()
        counts = [self.db.execute("SELECT token_count('house ' || ?, 'local:test/prompted')", row)
                  .fetchone()[0] for row in rows]
        self.assertGreater(len(counts), 3)
        self.assertLessEqual(max(counts), 64)

    def test_prompts_of_the_folder_before_those_of_known_names(self):
        """e5 is known to want "query: " and "passage: "."""
        for name, prompts, wanted in (
                ("e5-a", None, ("query: ", "passage: ")), ("e5-b", {}, ("query: ", "passage: ")),
                ("e5-c", {"query": "bats: "}, ("bats: ", None)),
                ("e5-d", {"query": "", "document": ""}, (None, None))):
            spec = models.dataclasses.replace(models.KINDS["max"], prompts=prompts)
            self.addCleanup(shutil.rmtree, models.write(self.folder(name), spec))
            self.embed("bat", "local:test/" + name)
            row = self.db.execute("SELECT nullif(query_prefix, ''), nullif(document_prefix, '') "
                                  "FROM rerank_models WHERE name = ?", ("local:test/" + name,))
            self.assertEqual(row.fetchone(), wanted)

    def test_lower_case(self):
        model = reference.Model(self.folder("lower"))
        for text in ("NIGHT Train", "\u0130STANBUL \u00c5ngstr\u00f6m", "[MASK] X"):
            self.near(self.embed(text, "local:test/lower"), model.embed(text))

    def test_one_blank_or_unreadable_text(self):
        """By every kind of model NULL, and vectors for the others."""
        some = '["a bat", "", "x\\u0000y", "two penguins", " \u3000"]'
        for kind in ("mean", "xlm", "mpnet", "static", "static-part", "dense"):
            rows = self.db.execute("SELECT key, embedding FROM embed_each(?, ?)",
                                   (some, "local:test/" + kind)).fetchall()
            self.assertEqual([row[1] is None for row in rows], [False, True, True, False, True])
            for key, text in ((0, "a bat"), (3, "two penguins")):
                self.assertEqual(rows[key][1], self.embed(text, "local:test/" + kind).tobytes())

    def test_a_static_model_without_limit(self):
        """sentence-transformers cuts no text for a StaticEmbedding, Model2Vec at 512 tokens."""
        text = "bats " * 600 + "penguin"
        for kind, n in (("static", 1), ("static-part", 0)):
            model = reference.Model(self.folder(kind))
            self.near(self.embed(text, "local:test/" + kind), model.embed(text))
            row = self.db.execute("SELECT truncated FROM rerank_stats WHERE model = ?",
                                  ("local:test/" + kind,)).fetchone()
            self.assertEqual(row[0], n)

    def test_the_demo(self):
        """`make demo` with a model of the environment, and with EMBED, which comes first."""
        environment = dict(os.environ, RERANK_EMBED_MODEL="local:test/static")
        for arguments, wanted in (([], "local:test/static"), (["EMBED=local:a/b"], "local:a/b")):
            result = subprocess.run(["make", "-s", "-n", "demo", *arguments], cwd=ROOT, check=True,
                                    env=environment, stdout=subprocess.PIPE)
            self.assertIn(f"RERANK_EMBED_MODEL='{wanted}'", result.stdout.decode())
        workplace = Workplace()
        self.addCleanup(workplace.close)
        status, output = workplace.run(".read sql/demo.sql\n",
                                       RERANK_EMBED_MODEL="local:test/static")
        self.assertEqual(status, 0, output)
        self.assertIn("Models: local:test/static to retrieve", output)
        self.assertEqual(len(re.findall(r"(?m)^│ \d+ +│ .* │ -?\d\.\d{3} +│$", output)), 25)


class DamageTest(LocalTest):
    def damaged(self, pattern, change, kind="mean", task="embed"):
        folder = self.copy(kind, "damaged")
        change(folder)
        sql = ("SELECT embed('a bat', 'local:test/damaged')" if task == "embed"
               else "SELECT rerank('a', 'b', 'local:test/damaged')")
        db = connect()
        self.fails(pattern, sql, db=db)
        db.close()
        shutil.rmtree(folder)

    @staticmethod
    def edit(name, **members):
        def change(folder):
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                value = json.load(file)
            value.update(members)
            with open(path, "w", encoding="utf-8") as file:
                json.dump(value, file)
        return change

    @staticmethod
    def remove(name):
        return lambda folder: os.remove(os.path.join(folder, name))

    @staticmethod
    def edit_weights(change_header=None, change_bytes=None):
        def change(folder):
            path = os.path.join(folder, "model.safetensors")
            with open(path, "rb") as file:
                data = file.read()
            size = struct.unpack("<Q", data[:8])[0]
            header, body = json.loads(data[8:8 + size]), bytearray(data[8 + size:])
            if change_header:
                change_header(header)
            if change_bytes:
                body = change_bytes(header, body)
            text = json.dumps(header).encode()
            with open(path, "wb") as file:
                file.write(struct.pack("<Q", len(text)) + text + body)
        return change

    def test_missing_files(self):
        self.damaged("vocab.txt", self.remove("vocab.txt"))
        self.damaged("model.safetensors", self.remove("model.safetensors"))
        self.damaged("no model test/damaged|config.json", self.remove("config.json"))

    def test_configurations(self):
        self.damaged("GPT2Model", self.edit("config.json", architectures=["GPT2Model"]))
        self.damaged("swish", self.edit("config.json", hidden_act="swish"))
        self.damaged("relative_key",
                     self.edit("config.json", position_embedding_type="relative_key"))
        self.damaged("3 labels",
                     self.edit("config.json", id2label={"0": "a", "1": "b", "2": "c"}), "cross",
                     "rerank")
        self.damaged("hidden_size", self.edit("config.json", hidden_size=-1))
        self.damaged("shape", self.edit("config.json", intermediate_size=101))
        self.damaged("no tensor encoder.layer.2", self.edit("config.json", num_hidden_layers=3))
        self.damaged("shape", self.edit("config.json", vocab_size=7))

    def test_vocabulary_and_matrix(self):
        def longer(folder):
            with open(os.path.join(folder, "vocab.txt"), "a", encoding="utf-8") as file:
                file.write("onemore\n")
        self.damaged("the tokenizer has [0-9]+ tokens, and the embedding matrix [0-9]+ rows",
                     longer)

    def test_a_text_without_tokens(self):
        folder = self.copy("cls", "bare")
        self.edit("tokenizer.json", post_processor=None)(folder)
        self.assertEqual(len(self.embed("a bat", "local:test/bare")), 96)
        self.fails("the text has no tokens of local:test/bare",
                   "SELECT embed(char(8203), 'local:test/bare')")

    def test_weights(self):
        name = "encoder.layer.1.output.dense.weight"
        self.damaged("no tensor", self.edit_weights(lambda h: h.update({"other": h.pop(name)})))
        self.damaged("model.safetensors",
                     self.edit_weights(lambda h: h[name].update(data_offsets=[0, 4])))

        def put(name, value):
            def change(header, body):
                at = header[name]["data_offsets"][0]
                body[at:at + 4] = struct.pack("<f", value)
                return body
            return self.edit_weights(change_bytes=change)
        self.damaged("not finite", put(name, float("nan")))
        # A tanh makes 1 of what comes of it.
        self.damaged("not finite", put("bert.encoder.layer.1.output.LayerNorm.bias",
                                       float("inf")), "cross", "rerank")
        self.damaged("model.safetensors", self.edit_weights(change_bytes=lambda h, b: b[:-5]))

    def test_dense(self):
        at = os.path.join("2_Dense", "model.safetensors")

        def put(tensors, types=None):
            return lambda folder: models.write_safetensors(os.path.join(folder, at), tensors,
                                                           types=types)
        weight, bias = numpy.ones((70, 32)), numpy.ones(70)
        good = {"linear.weight": weight, "linear.bias": bias}
        self.damaged("2_Dense: model.safetensors|2_Dense/model.safetensors", self.remove(at),
                     "dense")
        self.damaged("2_Dense: .*no tensor linear.bias", put({"linear.weight": weight}), "dense")
        self.damaged("2_Dense: .*no tensor linear.weight", put({"weight": weight}), "dense")
        self.damaged("2_Dense: .*shape \\[32, 70\\], expected \\[70, 32\\]",
                     put(dict(good, **{"linear.weight": weight.T})), "dense")
        self.damaged("2_Dense: .*shape \\[7\\]",
                     put(dict(good, **{"linear.bias": bias[:7]})), "dense")
        self.damaged("2_Dense: .*type I8, expected F32", put(good, {"linear.weight": "I8"}),
                     "dense")
        self.damaged("2_Dense: .*not finite",
                     put(dict(good, **{"linear.bias": bias * numpy.inf})), "dense")
        self.damaged("2_Dense: .*cut short|2_Dense: .*bytes",
                     lambda folder: os.truncate(os.path.join(folder, at), 5000), "dense")
        self.damaged("in_features: expected 32, as the module before it gives, not 31",
                     self.edit("2_Dense/config.json", in_features=31), "dense")
        self.damaged("no such file, which modules.json names",
                     self.remove("2_Dense/config.json"), "dense")
        self.damaged("1_Dense/config.json: in_features: expected 30, as the model gives, not 31",
                     self.edit("1_Dense/config.json", in_features=31), "static-part")

    def test_static(self):
        def put(types=None, name="model.safetensors", **changes):
            def change(folder):
                path = os.path.join(folder, name)
                tensors = dict(reference.read_file(path), **changes)
                tensors = {key: value for key, value in tensors.items() if value is not None}
                models.write_safetensors(path, tensors, types=types)
            return change
        n = len(models.bert_vocabulary())
        rows = numpy.arange(n) % 40
        for mapping, pattern in ((rows + 1, "mapping: token 39 has row 40, and there are 40"),
                                 (rows - 1, "mapping: token 0 has row -1"),
                                 (rows[:-1], f"has {n} tokens, and the embedding matrix {n - 1}"),
                                 (rows[:, None], "mapping has the shape")):
            self.damaged(pattern, put({"mapping": "I64"}, mapping=mapping), "static-shared")
        self.damaged("mapping is of type F32, expected I32 or I64", put(mapping=rows),
                     "static-shared")
        self.damaged(f"weights has the shape \\[{n - 1}\\], expected \\[{n}\\]",
                     put(weights=numpy.ones(n - 1)), "static-raw")
        self.damaged("weights has the shape", put(weights=numpy.ones((n, 2))), "static-raw")
        self.damaged("weights is of type I64", put({"weights": "I64"}, weights=numpy.ones(n)),
                     "static-raw")
        self.damaged("weights holds a number that is not finite",
                     put({"weights": "F64"}, weights=numpy.full(n, 1e300)), "static-raw")
        self.damaged("no tensor embeddings", put(embeddings=None), "static-raw")
        self.damaged("embeddings is of type I32",
                     put({"embeddings": "I32"}, embeddings=numpy.ones((n, 4))), "static-raw")
        self.damaged("0_StaticEmbedding", self.remove("0_StaticEmbedding/tokenizer.json"),
                     "static-part")
        self.damaged("model.safetensors", self.remove("0_StaticEmbedding/model.safetensors"),
                     "static-part")
        folder = self.copy("static-raw", "columns")      # [n, 1], as some versions write them
        put(weights=reference.read_tensors(folder)["weights"][:, None])(folder)
        self.assertLess(float(numpy.abs(
            self.embed("bats", "local:test/columns") - self.embed("bats", "local:test/static-raw")
        ).max()), FLOAT32)

    def test_paths_of_modules(self):
        for path in ("../mean", "/etc", "..", "1_Pooling/../../mean", "a\\b", ".git"):
            def change(folder, path=path):
                file = os.path.join(folder, "modules.json")
                with open(file, encoding="utf-8") as opened:
                    value = json.load(opened)
                value[0]["path"] = path
                with open(file, "w", encoding="utf-8") as opened:
                    json.dump(value, opened)
            self.damaged("modules.json: Transformer: expected a folder's name", change)

    def test_a_folder_that_leads_to_itself(self):
        def change(folder):
            shutil.rmtree(os.path.join(folder, "2_Dense"))
            os.symlink("2_Dense", os.path.join(folder, "2_Dense"))
        self.damaged("2_Dense/config.json: no such file", change, "dense")

    def test_names(self):
        for name in ("local:../test/mean", "local:/etc/passwd", "local:test/../test/mean",
                     "local:.", "local:", "local:test/none"):
            self.fails("embed: ", "SELECT embed('a', ?)", name)

    def test_the_cache_layout_of_the_hub(self):
        hub = os.path.join(self.root, "models--who--what")
        shutil.copytree(self.folder("mean"), os.path.join(hub, "snapshots", "0123abc"))
        os.makedirs(os.path.join(hub, "refs"))
        with open(os.path.join(hub, "refs", "main"), "w", encoding="utf-8") as file:
            file.write("0123abc")
        self.assertEqual(self.embed("a bat", "local:who/what").tobytes(),
                         self.embed("a bat", "local:test/mean").tobytes())
        self.alias("who/what", "local:who/what")
        self.assertEqual(len(self.embed("a bat", "who/what")), 64)
        shutil.rmtree(hub)


if __name__ == "__main__":
    unittest.main()

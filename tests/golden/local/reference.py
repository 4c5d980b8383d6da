"""reference.py: what a model folder's vectors and scores are, in float64 with numpy.

The formulas of Devlin et al. 2019 (post-norm encoder), Liu et al. 2019 (RoBERTa: positions from
pad_token_id + 1 on, its classifier), Song et al. 2020 (MPNet: a bias by relative position, as in
T5, Raffel et al. 2020) and of sentence-transformers and Model2Vec (pooling), one text at a time and
without a thought for speed. torch_reference.py shows that PyTorch's own layers give the same.
"""
import bisect
import json
import math
import os
import struct

import numpy

from models import ATTENTION, ATTENTION_NORM
from pieces import Pieces

TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "F64": "<f8", "I8": "i1", "I32": "<i4",
         "I64": "<i8"}
erf = numpy.vectorize(math.erf, otypes=[numpy.float64])


def read_json(folder, name, missing=None):
    path = os.path.join(folder, name)
    if missing is not None and not os.path.exists(path):
        return missing
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def read_file(path):
    """name -> float64 array, of one safetensors file."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, facts in json.loads(data[8:8 + length]).items():
        if name == "__metadata__" or facts["dtype"] not in TYPES:
            continue
        first, last = (8 + length + offset for offset in facts["data_offsets"])
        values = numpy.frombuffer(data[first:last], TYPES[facts["dtype"]])
        if facts["dtype"] == "BF16":
            values = (values.astype("<u4") << 16).view("<f4")
        tensors[name] = values.astype(numpy.float64).reshape(facts["shape"])
    return tensors


def read_tensors(folder):
    index = read_json(folder, "model.safetensors.index.json",
                      {"weight_map": {"": "model.safetensors"}})
    tensors = {}
    for file in sorted(set(index["weight_map"].values())):
        tensors.update(read_file(os.path.join(folder, file)))
    renamed = {}
    for name, values in tensors.items():
        for prefix in ("bert.", "roberta.", "mpnet."):
            if name.startswith(prefix):
                name = name[len(prefix):]
        for old, new in ((".gamma", ".weight"), (".beta", ".bias")):
            if name.endswith("LayerNorm" + old):
                name = name[:-len(old)] + new
        renamed[name] = values
    return renamed


def gelu(x):
    return x * (1 + erf(x / math.sqrt(2))) / 2


def gelu_tanh(x):
    return x * (1 + numpy.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))) / 2


ACTIVATIONS = {"gelu": gelu, "gelu_new": gelu_tanh, "gelu_pytorch_tanh": gelu_tanh,
               "relu": lambda x: numpy.maximum(x, 0)}


# The least distance of each of the 16 buckets of a side; from the ninth on 8 * 2 ** (k / 2),
# rounded up.
STARTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]


def relative_bucket(distance):
    """Of a key's place less the query's."""
    return bisect.bisect_right(STARTS, abs(distance)) - 1 + (16 if distance > 0 else 0)


def unit(vector):
    length = math.sqrt(float(vector @ vector))
    return vector / length if length else vector


DENSE_ACTIVATIONS = {"Identity": lambda x: x, "Tanh": numpy.tanh, "GELU": gelu,
                     "ReLU": lambda x: numpy.maximum(x, 0),
                     "Sigmoid": lambda x: 1 / (1 + numpy.exp(-x))}


class Model:
    def __init__(self, folder):
        self.modules = [(module["type"].split(".")[-1], os.path.join(folder, module["path"]))
                        for module in read_json(folder, "modules.json", [])]
        self.of_sentence_transformers = self.modules[:1] and not os.path.exists(
            os.path.join(self.modules[0][1], "config.json"))
        part = self.modules[0][1] if self.modules else folder
        self.config = read_json(part, "config.json", {"model_type": "model2vec",
                                                      "architectures": ["StaticModel"],
                                                      "normalize": False})
        self.tensors = read_tensors(part)
        self.pieces = Pieces(part)
        self.lowers = read_json(part, "sentence_bert_config.json", {}).get("do_lower_case", False)
        self.prompts = read_json(folder, "config_sentence_transformers.json", {}).get("prompts", {})
        self.is_static = self.config["model_type"] == "model2vec"
        self.is_xlm = "roberta" in self.config["model_type"]
        self.is_mpnet = self.config["model_type"] == "mpnet"
        self.classifies = "Classification" in self.config["architectures"][0]
        self.first_position = (2 if self.is_mpnet else
                               self.config["pad_token_id"] + 1 if self.is_xlm else 0)
        self.attention_names = ATTENTION[self.is_mpnet]
        self.attention_norm = ATTENTION_NORM[self.is_mpnet]
        self.head_names = (("classifier.dense", "classifier.out_proj")
                           if self.is_xlm or self.is_mpnet else ("pooler.dense", "classifier"))
        self.pooling = self.read_pooling()
        self.normalize = (self.is_static and self.config["normalize"]) or (
            self.modules[-1:] and self.modules[-1][0] == "Normalize")
        self.max_tokens = self.read_max_tokens(part)

    def read_pooling(self):
        folders = [folder for kind, folder in self.modules if kind == "Pooling"]
        if not folders:
            return "mean"
        pooling = read_json(folders[0], "config.json")
        name = [mode for mode in ("cls_token", "mean_tokens", "max_tokens")
                if pooling["pooling_mode_" + mode]]
        return name[0].split("_")[0]

    def read_max_tokens(self, folder):
        if self.of_sentence_transformers:
            return None
        if self.is_static:
            return 512      # what Model2Vec's encode() reads if nobody says otherwise
        limits = [self.config["max_position_embeddings"] - self.first_position]
        for name, key in (("sentence_bert_config.json", "max_seq_length"),
                          ("tokenizer_config.json", "model_max_length")):
            limits.append(read_json(folder, name, {}).get(key) or limits[0])
        return int(min(limits))

    # -- the encoder -----------------------------------------------------------------------------

    def linear(self, name, x):
        return x @ self.tensors[name + ".weight"].T + self.tensors[name + ".bias"]

    def norm(self, name, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred ** 2).mean(axis=-1, keepdims=True)
        deviation = numpy.sqrt(variance + self.config["layer_norm_eps"])
        return centred / deviation * self.tensors[name + ".weight"] + self.tensors[name + ".bias"]

    def relative_bias(self, n_tokens):
        """[n_heads, n_tokens, n_tokens]"""
        table = self.tensors["encoder.relative_attention_bias.weight"]
        rows = table[[relative_bucket(distance) for distance in range(1 - n_tokens, n_tokens)]]
        places = numpy.arange(n_tokens)
        return rows[places[None, :] - places[:, None] + n_tokens - 1].transpose(2, 0, 1)

    def attention(self, layer, x):
        n_heads = self.config["num_attention_heads"]
        queries, keys, values = (
            self.linear(layer + part, x).reshape(len(x), n_heads, -1).transpose(1, 0, 2)
            for part in self.attention_names[:3])
        logits = queries @ keys.transpose(0, 2, 1) / math.sqrt(queries.shape[2])
        if self.is_mpnet:
            logits = logits + self.relative_bias(len(x))
        weights = numpy.exp(logits - logits.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ values).transpose(1, 0, 2).reshape(x.shape)

    def hidden(self, ids, segments):
        """[n_tokens, hidden_size] of the last layer."""
        tables = self.tensors
        x = tables["embeddings.word_embeddings.weight"][ids]
        x = x + tables["embeddings.position_embeddings.weight"][
            numpy.arange(len(ids)) + self.first_position]
        if not self.is_mpnet:
            x = x + tables["embeddings.token_type_embeddings.weight"][segments]
        x = self.norm("embeddings.LayerNorm", x)
        activate = ACTIVATIONS[self.config["hidden_act"]]
        for number in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{number}."
            mixed = self.linear(layer + self.attention_names[3], self.attention(layer, x))
            x = self.norm(layer + self.attention_norm, x + mixed)
            inner = activate(self.linear(layer + "intermediate.dense", x))
            outer = self.linear(layer + "output.dense", inner)
            x = self.norm(layer + "output.LayerNorm", x + outer)
        return x

    # -- what comes of it ------------------------------------------------------------------------

    def pool(self, hidden):
        if self.pooling == "cls":
            return hidden[0]
        return hidden.mean(axis=0) if self.pooling == "mean" else hidden.max(axis=0)

    def static(self, text):
        table = self.tensors.get("embeddings", self.tensors.get("embedding.weight"))
        ids = [number for number in self.pieces.plain(text)
               if self.of_sentence_transformers or number != self.pieces.unknown]
        ids = ids[:self.max_tokens]
        if not ids:
            return numpy.zeros(table.shape[1])
        mapping = self.tensors.get("mapping", numpy.arange(len(self.tensors.get("weights", table))))
        rows = table[mapping[ids].astype(int)]
        if "weights" in self.tensors:
            rows = rows * self.tensors["weights"][ids][:, None]
        return rows.mean(axis=0)

    def go_through(self, vector):
        """The modules behind the pooling, but for a last Normalize."""
        for kind, folder in self.modules[:-1] if self.normalize else self.modules:
            if kind == "Normalize":
                vector = unit(vector)
            if kind == "Dense":
                config, tensors = read_json(folder, "config.json"), read_tensors(folder)
                vector = tensors["linear.weight"] @ vector + tensors.get("linear.bias", 0)
                name = config["activation_function"].split(".")[-1]
                vector = DENSE_ACTIVATIONS[name](vector)
        return vector

    def prepare(self, text, role="passage"):
        """What the tokenizer sees."""
        text = self.prompts.get(role, "") + text
        return text.lower() if self.lowers else text

    def embed(self, text, dimensions=0, role="passage"):
        text = self.prepare(text, role)
        if self.is_static:
            vector = self.static(text)
        else:
            ids, segments, _ = self.pieces.ids(text, max_tokens=self.max_tokens)
            vector = self.pool(self.hidden(ids, segments))
        vector = self.go_through(vector)
        vector = vector[:dimensions] if dimensions else vector
        return unit(vector) if self.normalize else vector

    def classify(self, first):
        """The logit, of the first token's hidden state."""
        dense, out = self.head_names
        return float(self.linear(out, numpy.tanh(self.linear(dense, first)))[0])

    def logit(self, query, document):
        ids, segments, _ = self.pieces.ids(query, document, self.max_tokens)
        return self.classify(self.hidden(ids, segments)[0])

    def score(self, query, document):
        asked = self.config.get("sentence_transformers", {}).get(
            "activation_fn", self.config.get("sbert_ce_default_activation_function", "Sigmoid"))
        logit = self.logit(query, document)
        return logit if asked.endswith("Identity") else 1 / (1 + math.exp(-logit))

"""models.py: model folders with random weights, as transformers, sentence-transformers and
Model2Vec lay them out, for tests and benches without a download.

    python3 tests/golden/local/models.py FOLDER   writes all of KINDS as FOLDER/test/KIND

Names of files, tensors and settings are those of published checkpoints. The random stream is the
frozen one of numpy (RandomState), so that the bytes are the same everywhere.
"""
import dataclasses
import json
import math
import os
import struct
import sys
from typing import Optional

import numpy

WORDS = """the a of and in to is with on for by an at night train detective murder mystery bat bats
cave hero masked city crime penguin ice birds egg chef soup learn movie film love story space ship
war king queen young old house dark world man woman friend family look super action about cook
school follow fight""".split()
SUFFIXES = "s ing ed er ly ness ful ment".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
PUNCTUATION = ".,!?'-:;()"
MPNET_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
XLM_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


@dataclasses.dataclass
class Spec:
    """A model folder."""
    architecture: str = "BertModel"   # or of XLMRoberta..., MPNet..., "StaticModel"
    hidden: int = 64
    heads: int = 4
    layers: int = 2
    inner: int = 100
    positions: int = 64               # rows of the position embeddings
    rows: int = 0                     # of the word embeddings; 0: as many as tokens
    activation: str = "gelu"
    pooling: Optional[str] = "mean"   # or cls, max; None: no modules.json
    normalize: bool = True
    type: str = "F32"                 # or F16, BF16
    shards: int = 1
    prefix: str = ""                  # of the encoder's tensors: "bert.", "roberta.", "mpnet."
    old_norms: bool = False           # LayerNorm.gamma and .beta
    tokenizer: str = "tokenizer.json"  # or vocab.txt
    cased: bool = False
    max_tokens: int = 0               # max_seq_length, of a cross-encoder model_max_length; 0: none
    score: Optional[str] = None       # "old" or "new" way to ask for the raw logit; None: none
    weighted: str = ""                # of a static model: a weight for each token, of that type
    mapped: str = ""                  # of a static model: tokens share 40 rows, told by that type
    part: str = ""                    # the folder of the model's files; static: no config.json
    dense: tuple = ()                 # behind the pooling: (n_out, activation, bias), "Normalize"
    lowers: bool = False              # do_lower_case of sentence_bert_config.json
    prompts: Optional[dict] = None    # of config_sentence_transformers.json
    spread: float = 0.0               # deviation of the weights; 0: 1 / sqrt(inputs)
    seed: int = 1

    @property
    def is_xlm(self):
        return "Roberta" in self.architecture

    @property
    def is_mpnet(self):
        return "MPNet" in self.architecture

    @property
    def is_static(self):
        return self.architecture == "StaticModel"

    @property
    def classifies(self):
        return "Classification" in self.architecture


KINDS = {
    "mean": Spec(tokenizer="vocab.txt"),
    "cls": Spec(hidden=96, heads=3, layers=3, inner=130, pooling="cls", type="F16", seed=2),
    "max": Spec(hidden=32, heads=2, layers=1, pooling="max", normalize=False, type="BF16",
                prefix="bert.", tokenizer="vocab.txt", seed=3),
    "plain": Spec(pooling=None, old_norms=True, activation="gelu_new", shards=2, seed=4),
    "relu": Spec(hidden=40, heads=4, inner=52, activation="relu", normalize=False, rows=300,
                 seed=5),
    "masked": Spec(architecture="BertForMaskedLM", prefix="bert.", pooling="cls", cased=True,
                   max_tokens=20, positions=48, tokenizer="vocab.txt", seed=6),
    "xlm": Spec(architecture="XLMRobertaModel", hidden=48, heads=3, inner=77, positions=50, seed=7),
    "roberta": Spec(architecture="XLMRobertaModel", pooling="cls", prefix="roberta.",
                    activation="gelu", positions=66, type="F16", shards=2, seed=8),
    "cross": Spec(architecture="BertForSequenceClassification", prefix="bert.", score="old",
                  seed=9),
    "cross-new": Spec(architecture="BertForSequenceClassification", prefix="bert.", score="new",
                      hidden=32, heads=2, layers=3, tokenizer="vocab.txt", max_tokens=40, seed=10),
    "sigmoid": Spec(architecture="BertForSequenceClassification", prefix="bert.", type="BF16",
                    seed=11),
    "xlm-cross": Spec(architecture="XLMRobertaForSequenceClassification", prefix="roberta.",
                      positions=66, seed=12),
    "mpnet": Spec(architecture="MPNetModel", positions=220, max_tokens=200, seed=16),
    "mpnet-masked": Spec(architecture="MPNetForMaskedLM", prefix="mpnet.", pooling="cls", hidden=48,
                         heads=3, layers=3, inner=77, positions=66, type="F16", seed=17),
    "mpnet-cross": Spec(architecture="MPNetForSequenceClassification", prefix="mpnet.",
                        positions=66, seed=18),
    "static": Spec(architecture="StaticModel", hidden=37, seed=13),
    "static-raw": Spec(architecture="StaticModel", hidden=64, normalize=False, weighted="F16",
                       type="F16", seed=14),
    "dense": Spec(hidden=32, heads=2, layers=1, part="0_Transformer", seed=20,
                  dense=((70, "Tanh", True), "Normalize", (24, "Identity", False))),
    "dense-each": Spec(hidden=32, heads=2, layers=1, pooling="cls", normalize=False, type="BF16",
                       seed=21, dense=((33, "GELU", True), (40, "ReLU", False),
                                       (20, "Sigmoid", True))),
    "lower": Spec(hidden=32, heads=2, layers=1, cased=True, lowers=True, seed=22),
    "prompted": Spec(hidden=32, heads=2, layers=1, seed=23,
                     prompts={"query": "bats: ", "passage": "house "}),
    "static-mapped": Spec(architecture="StaticModel", hidden=30, weighted="F64", mapped="I64",
                          seed=24),
    "static-shared": Spec(architecture="StaticModel", hidden=30, mapped="I32", type="F16", seed=25),
    "static-codes": Spec(architecture="StaticModel", hidden=30, type="I8", normalize=False,
                         weighted="F32", seed=26),
    "static-wide": Spec(architecture="StaticModel", hidden=30, type="F64", seed=27),
    "static-part": Spec(architecture="StaticModel", hidden=30, part="0_StaticEmbedding", seed=28,
                        normalize=False, dense=((16, "Tanh", True), "Normalize")),
}


# ---- vocabularies and tokenizers -----------------------------------------------------------------

def bert_vocabulary():
    pieces = BERT_SPECIAL + list(LETTERS) + ["##" + letter for letter in LETTERS]
    pieces += PUNCTUATION
    return pieces + WORDS + ["##" + suffix for suffix in SUFFIXES] + ["日", "Night", "City"]


def mpnet_vocabulary():
    """BERT's pieces between other special tokens, but for [UNK], which keeps its name."""
    return MPNET_SPECIAL + bert_vocabulary()[len(BERT_SPECIAL):] + ["[UNK]", "<mask>"]


def xlm_vocabulary():
    """(piece, score); no two scores are alike, so that one way to split a word is the best."""
    pieces = [(piece, 0.0) for piece in XLM_SPECIAL]
    rest = ["▁" + word for word in WORDS] + SUFFIXES + ["▁"]
    rest += [*LETTERS, *PUNCTUATION, "日", "N"]
    for number, piece in enumerate(rest):
        pieces.append((piece, -(3 + 0.0371 * number) - (3 if len(piece) == 1 else 0)))
    return pieces + [("<mask>", 0.0)]


def added_tokens(names, vocabulary):
    return [{"id": vocabulary.index(name), "content": name, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True} for name in names]


def template(begin, middle, end, vocabulary, second):
    def special(name, kind):
        return {"SpecialToken": {"id": name, "type_id": kind}}

    def sequence(name, kind):
        return {"Sequence": {"id": name, "type_id": kind}}

    single = [special(begin, 0), sequence("A", 0), special(end, 0)]
    pair = single + [special(name, second) for name in middle]
    pair += [sequence("B", second), special(end, second)]
    names = {begin, end, *middle}
    return {"type": "TemplateProcessing", "single": single, "pair": pair,
            "special_tokens": {name: {"id": name, "ids": [vocabulary.index(name)], "tokens": [name]}
                               for name in sorted(names)}}


def bert_tokenizer(vocabulary, cased):
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": added_tokens(BERT_SPECIAL, vocabulary),
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": not cased},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": template("[CLS]", [], "[SEP]", vocabulary, 1),
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {piece: number for number, piece in enumerate(vocabulary)}}}


def mpnet_tokenizer(vocabulary, cased):
    """As published with all-mpnet-base-v2: pairs are RoBERTa's <s> A </s></s> B </s>."""
    tokenizer = bert_tokenizer(MPNET_SPECIAL + BERT_SPECIAL, cased)
    tokenizer["added_tokens"] = added_tokens(MPNET_SPECIAL + ["[UNK]", "<mask>"], vocabulary)
    tokenizer["added_tokens"][-1]["lstrip"] = True
    tokenizer["post_processor"] = {
        "type": "RobertaProcessing", "sep": ["</s>", vocabulary.index("</s>")],
        "cls": ["<s>", vocabulary.index("<s>")], "trim_offsets": True, "add_prefix_space": False}
    tokenizer["model"]["vocab"] = {piece: number for number, piece in enumerate(vocabulary)}
    return tokenizer


def xlm_tokenizer(vocabulary):
    names = [piece for piece, _ in vocabulary]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": added_tokens(XLM_SPECIAL + ["<mask>"], names),
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}]},
        "post_processor": template("<s>", ["</s>"], "</s>", names, 0),
        "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
        "model": {"type": "Unigram", "unk_id": 3, "vocab": [list(pair) for pair in vocabulary]}}


# ---- weights -------------------------------------------------------------------------------------

class Weights:
    """Random tensors, in the order in which they are asked for."""

    def __init__(self, spec):
        self.spec = spec
        self.random = numpy.random.RandomState(spec.seed)
        self.tensors = {}
        self.types = {}               # of tensors that are not of the spec's type

    def normal(self, name, *shape, spread):
        self.tensors[name] = (spread * self.random.standard_normal(shape)).astype(numpy.float32)

    def linear(self, name, n_out, n_in):
        spread = self.spec.spread or 1 / math.sqrt(n_in)
        self.normal(name + ".weight", n_out, n_in, spread=spread)
        self.normal(name + ".bias", n_out, spread=min(0.1, 2 * spread))

    def norm(self, name):
        weight, bias = ("gamma", "beta") if self.spec.old_norms else ("weight", "bias")
        self.normal(f"{name}.{weight}", self.spec.hidden, spread=0.1)
        self.tensors[f"{name}.{weight}"] += numpy.float32(1)
        self.normal(f"{name}.{bias}", self.spec.hidden, spread=0.05)


# Query, key, value and output; of BERT and XLM-R, of MPNet.
ATTENTION = (("attention.self.query", "attention.self.key", "attention.self.value",
              "attention.output.dense"),
             ("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"))
ATTENTION_NORM = ("attention.output.LayerNorm", "attention.LayerNorm")


def make_encoder(weights, spec, n_tokens):
    hidden, at = spec.hidden, spec.prefix
    spread = spec.spread or 0.3
    table = at + "embeddings.%s_embeddings.weight"
    weights.normal(table % "word", spec.rows or n_tokens, hidden, spread=spread)
    weights.normal(table % "position", spec.positions, hidden, spread=spread / 2)
    if not spec.is_mpnet:
        weights.normal(table % "token_type", 1 if spec.is_xlm else 2, hidden, spread=spread / 2)
    weights.norm(at + "embeddings.LayerNorm")
    for number in range(spec.layers):
        layer = f"{at}encoder.layer.{number}."
        for part in ATTENTION[spec.is_mpnet]:
            weights.linear(layer + part, hidden, hidden)
        weights.norm(layer + ATTENTION_NORM[spec.is_mpnet])
        weights.linear(layer + "intermediate.dense", spec.inner, hidden)
        weights.linear(layer + "output.dense", hidden, spec.inner)
        weights.norm(layer + "output.LayerNorm")
    if spec.is_mpnet:
        weights.normal(at + "encoder.relative_attention_bias.weight", 32, spec.heads, spread=1)
    if (spec.is_xlm or spec.is_mpnet) and spec.classifies:
        weights.linear("classifier.dense", hidden, hidden)
        weights.linear("classifier.out_proj", 1, hidden)
    elif spec.architecture == "BertForMaskedLM":
        weights.linear("cls.predictions.transform.dense", hidden, hidden)
    elif spec.architecture == "MPNetForMaskedLM":
        weights.linear("lm_head.dense", hidden, hidden)
    elif not spec.is_xlm:
        weights.linear(at + "pooler.dense", hidden, hidden)
    if spec.classifies and not spec.is_xlm and not spec.is_mpnet:
        weights.linear("classifier", 1, hidden)


def make_weights(spec, n_tokens):
    """name -> array, and the types of those that are not of the spec's."""
    weights = Weights(spec)
    if spec.is_static:
        make_static(weights, spec, n_tokens)
    else:
        make_encoder(weights, spec, n_tokens)
    return weights.tensors, weights.types


def make_static(weights, spec, n_tokens):
    name = "embedding.weight" if spec.part else "embeddings"
    n_rows = 40 if spec.mapped else spec.rows or n_tokens
    weights.normal(name, n_rows, spec.hidden, spread=0.5)
    if spec.type == "I8":
        weights.tensors[name] = numpy.clip(numpy.round(weights.tensors[name] * 60), -127, 127)
    if spec.weighted:
        weights.normal("weights", n_tokens, spread=0.2)
        weights.tensors["weights"] += numpy.float32(1)
        weights.types["weights"] = spec.weighted
    if spec.mapped:
        weights.tensors["mapping"] = weights.random.randint(0, n_rows, n_tokens)
        weights.types["mapping"] = spec.mapped


def make_dense(spec):
    """For each Dense the tensors of its own file."""
    weights, n_in, made = Weights(dataclasses.replace(spec, seed=spec.seed + 1000)), spec.hidden, []
    for n_out, _, bias in (module for module in spec.dense if module != "Normalize"):
        weights.tensors = {}
        weights.linear("linear", n_out, n_in)
        if not bias:
            del weights.tensors["linear.bias"]
        made.append(weights.tensors)
        n_in = n_out
    return made


# ---- safetensors ---------------------------------------------------------------------------------

TYPES = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I8": "i1", "I32": "<i4", "I64": "<i8"}


def to_bytes(values, kind):
    if kind in TYPES:
        return values.astype(TYPES[kind]).tobytes()
    bits = values.astype("<f4").view("<u4")     # BF16: to the nearest, to even when between two
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def write_safetensors(path, tensors, kind="F32", shapes=None, types=None):
    """`shapes`: name -> a shape to claim instead of the true one; `types`: name -> another type."""
    header, offset, parts = {"__metadata__": {"format": "pt"}}, 0, []
    for name, values in tensors.items():
        its_kind = (types or {}).get(name, kind)
        parts.append(to_bytes(values, its_kind))
        end = offset + len(parts[-1])
        shape = (shapes or {}).get(name, values.shape)
        header[name] = {"dtype": its_kind, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for part in parts:
            file.write(part)


def write_weights(folder, tensors, types, spec):
    if spec.shards == 1:
        write_safetensors(os.path.join(folder, "model.safetensors"), tensors, spec.type,
                          types=types)
        return
    names, where = list(tensors), {}
    for number in range(spec.shards):
        file = f"model-{number + 1:05}-of-{spec.shards:05}.safetensors"
        part = {name: tensors[name] for name in names[number::spec.shards]}
        write_safetensors(os.path.join(folder, file), part, spec.type)
        where.update({name: file for name in part})
    total = sum(values.nbytes for values in tensors.values())
    write_json(folder, "model.safetensors.index.json",
               {"metadata": {"total_size": total}, "weight_map": where})


# ---- the other files -----------------------------------------------------------------------------

def write_json(folder, name, value):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)


def make_config(spec, n_tokens):
    if spec.is_static:
        return {"model_type": "model2vec", "architectures": ["StaticModel"],
                "tokenizer_name": "test/base", "apply_pca": spec.hidden, "apply_zipf": True,
                "hidden_dim": spec.hidden, "seq_length": 1000000, "normalize": spec.normalize}
    config = {
        "architectures": [spec.architecture],
        "model_type": "xlm-roberta" if spec.is_xlm else "bert", "hidden_size": spec.hidden,
        "num_hidden_layers": spec.layers, "num_attention_heads": spec.heads,
        "intermediate_size": spec.inner, "hidden_act": spec.activation,
        "max_position_embeddings": spec.positions, "type_vocab_size": 1 if spec.is_xlm else 2,
        "vocab_size": spec.rows or n_tokens, "layer_norm_eps": 1e-05 if spec.is_xlm else 1e-12,
        "pad_token_id": 1 if spec.is_xlm else 0, "position_embedding_type": "absolute",
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "initializer_range": 0.02}
    if spec.is_mpnet:
        config.update(model_type="mpnet", layer_norm_eps=1e-05, pad_token_id=1,
                      relative_attention_num_buckets=32)
        for name in ("type_vocab_size", "position_embedding_type"):
            del config[name]
    if spec.classifies:
        config.update(id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0})
    if spec.score == "old":
        config["sbert_ce_default_activation_function"] = "torch.nn.modules.linear.Identity"
    if spec.score == "new":
        config["sentence_transformers"] = {"activation_fn": "torch.nn.modules.linear.Identity",
                                           "version": "4.0.1"}
    return config


ACTIVATIONS = {"Identity": "torch.nn.modules.linear.Identity"}


def write_dense(folder, path, n_in, module, tensors):
    n_out, activation, bias = module
    write_json(folder, path + "/config.json", {
        "in_features": n_in, "out_features": n_out, "bias": bias, "activation_function":
            ACTIVATIONS.get(activation, "torch.nn.modules.activation." + activation)})
    write_safetensors(os.path.join(folder, path, "model.safetensors"), tensors)


def write_modules(folder, spec):
    first = "StaticEmbedding" if spec.is_static else "Transformer"
    modules, tensors, n_in = [(spec.part, first)], make_dense(spec), spec.hidden
    if not spec.is_static:
        modules.append(("1_Pooling", "Pooling"))
        write_json(folder, "1_Pooling/config.json", {
            "word_embedding_dimension": spec.hidden,
            "pooling_mode_cls_token": spec.pooling == "cls",
            "pooling_mode_mean_tokens": spec.pooling == "mean",
            "pooling_mode_max_tokens": spec.pooling == "max",
            "pooling_mode_mean_sqrt_len_tokens": False})
    for module in spec.dense + (("Normalize",) if spec.normalize else ()):
        kind = module if module == "Normalize" else "Dense"
        modules.append((f"{len(modules)}_{kind}", kind))
        if kind == "Dense":
            write_dense(folder, modules[-1][0], n_in, module, tensors.pop(0))
            n_in = module[0]
    write_json(folder, "modules.json", [
        {"idx": number, "name": str(number), "path": path,
         "type": "sentence_transformers.models." + kind}
        for number, (path, kind) in enumerate(modules)])


def write_tokenizer(folder, spec, vocabulary):
    if spec.is_xlm:
        write_json(folder, "tokenizer.json", xlm_tokenizer(vocabulary))
    elif spec.is_mpnet:
        write_json(folder, "tokenizer.json", mpnet_tokenizer(vocabulary, spec.cased))
    elif spec.tokenizer == "tokenizer.json":
        write_json(folder, "tokenizer.json", bert_tokenizer(vocabulary, spec.cased))
    else:
        with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as file:
            file.write("\n".join(vocabulary) + "\n")
    family = "XLMRoberta" if spec.is_xlm else "MPNet" if spec.is_mpnet else "Bert"
    config = {"tokenizer_class": family + "Tokenizer"}
    if not spec.is_xlm:
        config.update(do_lower_case=not spec.cased, strip_accents=None, tokenize_chinese_chars=True)
    if spec.classifies and spec.max_tokens:
        config["model_max_length"] = spec.max_tokens
    write_json(folder, "tokenizer_config.json", config)


def write(folder, spec, vocabulary=None):
    """Writes the model's folder, which is made if it is not there, and gives its path."""
    part = os.path.join(folder, spec.part)
    os.makedirs(part, exist_ok=True)
    if vocabulary is None:
        vocabulary = (xlm_vocabulary() if spec.is_xlm else
                      mpnet_vocabulary() if spec.is_mpnet else bert_vocabulary())
    write_tokenizer(part, spec, vocabulary)
    if not (spec.is_static and spec.part):
        write_json(part, "config.json", make_config(spec, len(vocabulary)))
    write_weights(part, *make_weights(spec, len(vocabulary)), spec)
    if (spec.pooling and not spec.classifies and not spec.is_static) or spec.part:
        write_modules(folder, spec)
    if spec.pooling and not spec.classifies and not spec.is_static and (
            spec.max_tokens or spec.lowers):
        write_json(part, "sentence_bert_config.json",
                   {"max_seq_length": spec.max_tokens or None, "do_lower_case": spec.lowers})
    if spec.prompts is not None:
        write_json(folder, "config_sentence_transformers.json",
                   {"prompts": spec.prompts, "default_prompt_name": None})
    return folder


def write_all(root):
    for name, spec in KINDS.items():
        write(os.path.join(root, "test", name), spec)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write_all(sys.argv[1])

"""torch_reference.py: PyTorch's own encoder layers beside reference.py: the numbers of golden.txt.

    /usr/bin/python3 tests/golden/local/torch_reference.py > tests/golden/local/golden.txt

For each of models.KINDS: torch.nn.TransformerEncoderLayer (post-norm, in double precision) with the
folder's weights, all texts as one padded batch with a padding mask. The run fails where numpy and
PyTorch differ by more than 1e-9. A line of the output: kind, SHA-256 of the folder's files (24
digits), the number of the text or document, and the first components of its vector, or the score.
Needs python3-torch (Debian); nothing else does: tests/drivers/test_local.py reads golden.txt.
"""
import hashlib
import math
import os
import sys
import tempfile

import numpy
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import models  # noqa: E402
import reference  # noqa: E402
import texts  # noqa: E402

SHOWN = 6
TOLERANCE = 1e-9
GELU_TANH = ("gelu_new", "gelu_pytorch_tanh")


def activation(name):
    if name in GELU_TANH:
        return lambda x: torch.nn.functional.gelu(x, approximate="tanh")
    return {"gelu": torch.nn.functional.gelu, "relu": torch.nn.functional.relu}[name]


def go_through(model, x):
    """The modules behind the pooling."""
    for kind, folder in model.modules:
        if kind == "Normalize":
            x = torch.nn.functional.normalize(x)
        if kind == "Dense":
            config = reference.read_json(folder, "config.json")
            tensors = {name.split(".")[1]: torch.from_numpy(values)
                       for name, values in reference.read_tensors(folder).items()}
            x = torch.nn.functional.linear(x, tensors["weight"], tensors.get("bias"))
            x = getattr(torch.nn, config["activation_function"].split(".")[-1])()(x)
    is_unit = any(kind == "Normalize" for kind, _ in model.modules)
    return torch.nn.functional.normalize(x) if model.normalize and not is_unit else x


class Network:
    """A reference.Model's weights in PyTorch's modules."""

    def __init__(self, model):
        self.model = model
        self.config = model.config
        n_layers = self.config["num_hidden_layers"]
        self.layers = [self.make_layer(number) for number in range(n_layers)]

    def tensor(self, name):
        return torch.from_numpy(self.model.tensors[name])

    def make_layer(self, number):
        config, at = self.config, f"encoder.layer.{number}."
        layer = torch.nn.TransformerEncoderLayer(
            config["hidden_size"], config["num_attention_heads"], config["intermediate_size"],
            dropout=0, activation=activation(config["hidden_act"]),
            layer_norm_eps=config["layer_norm_eps"], batch_first=True, norm_first=False,
            dtype=torch.float64)
        state = {}
        for kind in ("weight", "bias"):
            state["self_attn.in_proj_" + kind] = torch.cat(
                [self.tensor(f"{at}{part}.{kind}") for part in self.model.attention_names[:3]])
            for ours, theirs in ((self.model.attention_names[3], "self_attn.out_proj"),
                                 (self.model.attention_norm, "norm1"),
                                 ("intermediate.dense", "linear1"),
                                 ("output.dense", "linear2"), ("output.LayerNorm", "norm2")):
                state[f"{theirs}.{kind}"] = self.tensor(f"{at}{ours}.{kind}")
        layer.load_state_dict(state)
        # In training mode PyTorch goes the long way round, through the modules one by one.
        return layer.train()

    def embeddings(self, ids, segments):
        positions = torch.arange(ids.shape[1]) + self.model.first_position
        x = (self.tensor("embeddings.word_embeddings.weight")[ids]
             + self.tensor("embeddings.position_embeddings.weight")[positions])
        if not self.model.is_mpnet:
            x = x + self.tensor("embeddings.token_type_embeddings.weight")[segments]
        return torch.nn.functional.layer_norm(
            x, x.shape[-1:], self.tensor("embeddings.LayerNorm.weight"),
            self.tensor("embeddings.LayerNorm.bias"), self.config["layer_norm_eps"])

    def relative_bias(self, n_texts, n):
        """[n_texts * n_heads, n, n], by T5's formula in floating point; None: no bias."""
        if not self.model.is_mpnet:
            return None
        distances = torch.arange(n)[None, :] - torch.arange(n)[:, None]
        far = distances.abs().clamp(min=8).to(torch.float32)
        wide = 8 + (torch.log(far / 8) / math.log(128 / 8) * 8).to(torch.int64)
        buckets = torch.where(distances.abs() < 8, distances.abs(), wide.clamp(max=15))
        buckets = buckets + 16 * (distances > 0)
        bias = self.tensor("encoder.relative_attention_bias.weight")[buckets].permute(2, 0, 1)
        return bias.repeat(n_texts, 1, 1)

    def hidden(self, rows):
        """(hidden [n, longest, hidden_size], mask [n, longest]: 1 where there is a token)"""
        longest = max(len(ids) for ids, _, _ in rows)
        padded = [[part + [0] * (longest - len(part)) for part in row[:2]] for row in rows]
        ids, segments = (torch.tensor([row[part] for row in padded]) for part in (0, 1))
        mask = torch.tensor([[1.0] * len(row[0]) + [0.0] * (longest - len(row[0])) for row in rows],
                            dtype=torch.float64)
        x = self.embeddings(ids, segments)
        for layer in self.layers:
            x = layer(x, src_mask=self.relative_bias(*mask.shape), src_key_padding_mask=mask == 0)
        return x, mask

    def pool(self, x, mask):
        if self.model.pooling == "cls":
            x = x[:, 0]
        elif self.model.pooling == "max":
            x = x.masked_fill(mask[:, :, None] == 0, -torch.inf).max(dim=1).values
        else:
            x = (x * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return go_through(self.model, x)

    def embed(self, some):
        rows = [self.model.pieces.ids(self.model.prepare(text), max_tokens=self.model.max_tokens)
                for text in some]
        return self.pool(*self.hidden(rows))

    def scores(self, query, documents):
        rows = [self.model.pieces.ids(query, document, self.model.max_tokens)
                for document in documents]
        x = self.hidden(rows)[0][:, 0]
        for name in self.model.head_names:
            weight, bias = self.tensor(name + ".weight"), self.tensor(name + ".bias")
            x = torch.nn.functional.linear(x, weight, bias)
            x = torch.tanh(x) if name.endswith("dense") else x
        told = str(self.config.get("sentence_transformers") or self.config)
        return x if "Identity" in told else torch.sigmoid(x)


def embed_static(model, some):
    """EmbeddingBag: the mean of the rows of tokens; as Model2Vec does of those that are known, 512
    at most, as sentence-transformers does of all."""
    table = torch.from_numpy(model.tensors.get("embeddings", model.tensors.get("embedding.weight")))
    if "mapping" in model.tensors:
        table = table[torch.from_numpy(model.tensors["mapping"]).long()]
    if "weights" in model.tensors:
        table = table * torch.from_numpy(model.tensors["weights"])[:, None]
    bag = torch.nn.EmbeddingBag.from_pretrained(table, mode="mean")
    rows = [model.pieces.plain(text) for text in some]
    if not model.of_sentence_transformers:
        rows = [[number for number in row if number != model.pieces.unknown][:512] for row in rows]
    offsets = numpy.cumsum([0] + [len(row) for row in rows[:-1]])
    means = bag(torch.tensor([number for row in rows for number in row]), torch.from_numpy(offsets))
    return go_through(model, means)


def both(model):
    """(PyTorch's, numpy's), a row a text."""
    if model.is_static:
        theirs = embed_static(model, texts.TEXTS)
    elif model.classifies:
        theirs = Network(model).scores(texts.QUERY, texts.DOCUMENTS)
    else:
        theirs = Network(model).embed(texts.TEXTS)
    if model.classifies:
        ours = [[model.score(texts.QUERY, document)] for document in texts.DOCUMENTS]
    else:
        ours = [model.embed(text) for text in texts.TEXTS]
    return theirs.detach().numpy(), numpy.array(ours)


def folder_hash(folder):
    digest = hashlib.sha256()
    for path, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            with open(os.path.join(path, name), "rb") as file:
                digest.update(name.encode() + b"\0" + file.read())
    return digest.hexdigest()[:24]


def main():
    torch.manual_seed(0)
    worst = 0.0
    print("# " + "python3 tests/golden/local/torch_reference.py: see there")
    with tempfile.TemporaryDirectory() as root:
        models.write_all(root)
        for kind in models.KINDS:
            folder = os.path.join(root, "test", kind)
            theirs, ours = both(reference.Model(folder))
            difference = float(numpy.abs(theirs - ours).max())
            worst = max(worst, difference)
            print(f"{kind:<12} numpy and torch differ by {difference:.1e}", file=sys.stderr)
            for number, row in enumerate(theirs):
                print(kind, folder_hash(folder), number, *(f"{value:.9f}" for value in row[:SHOWN]))
    if not worst < TOLERANCE:
        sys.exit(f"numpy and PyTorch differ by {worst:.1e}")


if __name__ == "__main__":
    main()

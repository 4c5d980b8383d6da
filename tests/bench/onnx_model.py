"""onnx_model.py: an ONNX graph of the model in a folder, of the same weights, for onnxruntime.

    onnx_model.py FOLDER OUT.onnx float32|int8 export|fused

BERT alone, as tests/golden/local/models.py writes it: an embedder that pools the first token, or
where 1_Pooling/config.json says so all of them, and normalises, or a cross-encoder of one label
(its raw logit).
    export   the standard operators that exporters write; onnxruntime fuses what it knows at load
    fused    onnxruntime's own operators (com.microsoft), as its transformer optimiser writes them
int8 is dynamic quantisation: weights by column, symmetric; activations as onnxruntime does, a scale
for the whole batch. Needs python3-onnx (Debian); numpy.
"""
import json
import math
import os
import struct
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {"F32": "<f4", "F16": "<f2"}


def read_tensors(folder):
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, facts in json.loads(data[8:8 + length]).items():
        if name == "__metadata__" or facts["dtype"] not in TYPES:
            continue
        kind = numpy.dtype(TYPES[facts["dtype"]])
        first, last = facts["data_offsets"]
        values = numpy.frombuffer(data, kind, (last - first) // kind.itemsize, 8 + length + first)
        tensors[name.removeprefix("bert.")] = values.astype(numpy.float32).reshape(facts["shape"])
    return tensors


def takes_mean(folder):
    path = os.path.join(folder, "1_Pooling", "config.json")
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        return json.load(file)["pooling_mode_mean_tokens"]


class Graph:
    """Nodes and constants as they are asked for; each method gives the name of its output."""

    def __init__(self, folder, precision, style):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.tensors = read_tensors(folder)
        self.takes_mean = takes_mean(folder)
        self.is_int8, self.is_fused = precision == "int8", style == "fused"
        self.nodes, self.constants = [], {}
        self.hidden = self.config["hidden_size"]
        self.heads = self.config["num_attention_heads"]

    def node(self, operator, *inputs, outputs=1, domain="", **attributes):
        names = [f"v{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def own(self, operator, *inputs, **attributes):
        return self.node(operator, *inputs, domain="com.microsoft", **attributes)

    def constant(self, name, values):
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(numpy.array(values, order="C"), name)
        return name

    def tensor(self, name):
        return self.constant(name, self.tensors[name])

    def numbers(self, *values, kind=numpy.int64):
        return self.constant("n_" + "_".join(map(str, values)) + numpy.dtype(kind).char,
                             numpy.array(values, kind))

    # -- products --------------------------------------------------------------------------------

    def weights(self, names):
        """[n_in, n_out] of Linear layers side by side, and their biases."""
        matrix = numpy.concatenate([self.tensors[name + ".weight"] for name in names]).T
        return matrix, numpy.concatenate([self.tensors[name + ".bias"] for name in names])

    def product(self, name, x, names=None, bias=True):
        """x [.., n_in] through the Linear layers `names` (or the one called `name`)."""
        matrix, biases = self.weights(names or [name])
        bias_name = self.constant(name + ".b", biases) if bias else None
        if not self.is_int8:
            y = self.node("MatMul", x, self.constant(name + ".w", matrix))
            return self.node("Add", y, bias_name) if bias else y
        scales = numpy.abs(matrix).max(axis=0) / 127
        codes = self.constant(name + ".q", numpy.rint(matrix / scales).astype(numpy.int8))
        scales_name = self.constant(name + ".s", scales.astype(numpy.float32))
        if self.is_fused:
            zeros = self.constant(name + ".z", numpy.zeros(matrix.shape[1], numpy.int8))
            return self.own("DynamicQuantizeMatMul", x, codes, scales_name, zeros,
                            *[bias_name] * bias)
        quantised, scale, zero = self.quantise(x)
        y = self.node("Cast", self.node("MatMulInteger", quantised, codes, zero),
                      to=TensorProto.FLOAT)
        y = self.node("Mul", y, self.node("Mul", scale, scales_name))
        return self.node("Add", y, bias_name) if bias else y

    def quantise(self, x):
        if not hasattr(self, "quantised") or self.quantised[0] != x:
            self.quantised = x, self.node("DynamicQuantizeLinear", x, outputs=3)
        return self.quantised[1]

    # -- layers ----------------------------------------------------------------------------------

    def norm(self, name, x, residual):
        weight, bias = self.tensor(name + ".weight"), self.tensor(name + ".bias")
        epsilon = self.config["layer_norm_eps"]
        if residual is not None and self.is_fused:
            return self.own("SkipLayerNormalization", x, residual, weight, bias, epsilon=epsilon)
        x = x if residual is None else self.node("Add", x, residual)
        return self.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=epsilon)

    def split_heads(self, x, order):
        shape = self.numbers(0, 0, self.heads, self.hidden // self.heads)
        return self.node("Transpose", self.node("Reshape", x, shape), perm=order)

    def attention(self, layer, x):
        names = [f"{layer}attention.self.{part}" for part in ("query", "key", "value")]
        if self.is_fused:
            wide = self.product(layer + "qkv", x, names)
            q, k, v = self.node("Split", wide, self.numbers(*[self.hidden] * 3), outputs=3, axis=2)
            return self.own("MultiHeadAttention", q, k, v, "", self.mask32, num_heads=self.heads)
        q, k, v = (self.product(name, x) for name in names)
        logits = self.node("MatMul", self.split_heads(q, [0, 2, 1, 3]),
                           self.split_heads(k, [0, 2, 3, 1]))
        root = self.constant("root", numpy.float32(math.sqrt(self.hidden // self.heads)))
        logits = self.node("Add", self.node("Div", logits, root), self.mask)
        mixed = self.node("MatMul", self.node("Softmax", logits, axis=-1),
                          self.split_heads(v, [0, 2, 1, 3]))
        return self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]),
                         self.numbers(0, 0, self.hidden))

    def gelu(self, name, x):
        if self.is_fused and not self.is_int8:
            y = self.product(name, x, bias=False)
            return self.own("BiasGelu", y, self.tensor(name + ".bias"))
        y = self.product(name, x)
        if self.is_fused:
            return self.own("Gelu", y)
        inner = self.node("Erf",
                          self.node("Div", y, self.constant("root2", numpy.float32(math.sqrt(2)))))
        inner = self.node("Add", inner, self.constant("one", numpy.float32(1)))
        return self.node("Mul", self.node("Mul", y, inner),
                         self.constant("half", numpy.float32(0.5)))

    def layer(self, number, x):
        at = f"encoder.layer.{number}."
        mixed = self.product(at + "attention.output.dense", self.attention(at, x))
        x = self.norm(at + "attention.output.LayerNorm", mixed, x)
        inner = self.gelu(at + "intermediate.dense", x)
        return self.norm(at + "output.LayerNorm", self.product(at + "output.dense", inner), x)

    def embeddings(self):
        word = self.node("Gather", self.tensor("embeddings.word_embeddings.weight"), "input_ids")
        kind = self.node("Gather", self.tensor("embeddings.token_type_embeddings.weight"),
                         "token_type_ids")
        length = self.node("Gather", self.node("Shape", "input_ids"), self.numbers(1), axis=0)
        positions = self.node("Slice", self.tensor("embeddings.position_embeddings.weight"),
                              self.numbers(0), length, self.numbers(0))
        x = self.node("Add", self.node("Add", word, kind), positions)
        return self.norm("embeddings.LayerNorm", x, None)

    def masks(self):
        self.mask32 = self.node("Cast", "attention_mask", to=TensorProto.INT32)
        mask = self.node("Cast", self.node("Unsqueeze", "attention_mask", self.numbers(1, 2)),
                         to=TensorProto.FLOAT)
        mask = self.node("Sub", self.constant("one", numpy.float32(1)), mask)
        self.mask = self.node("Mul", mask, self.constant("least", numpy.finfo(numpy.float32).min))

    def mean(self, x):
        mask = self.node("Cast", self.node("Unsqueeze", "attention_mask", self.numbers(2)),
                         to=TensorProto.FLOAT)
        return self.node("ReduceSum", self.node("Mul", x, mask), self.numbers(1), keepdims=0)

    def head(self, x):
        if self.takes_mean: # the length of a sum is lost when it is normalised
            return self.node("LpNormalization", self.mean(x), axis=1, p=2)
        first = self.node("Gather", x, self.constant("zero", numpy.int64(0)), axis=1)
        if "Classification" not in self.config["architectures"][0]:
            return self.node("LpNormalization", first, axis=1, p=2)
        self.is_int8 = False
        return self.product("classifier", self.node("Tanh", self.product("pooler.dense", first)))

    def build(self):
        self.masks()
        x = self.embeddings()
        for number in range(self.config["num_hidden_layers"]):
            x = self.layer(number, x)
        output = self.head(x)
        used = {name for node in self.nodes for name in node.input} | {output}
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
                  for name in ("input_ids", "token_type_ids", "attention_mask")]
        graph = helper.make_graph(
            [node for node in self.nodes if used & set(node.output)], "bert", inputs,
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["texts", "values"])],
            list(self.constants.values()))
        return helper.make_model(graph, ir_version=8, opset_imports=[
            helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])


def write(folder, path, precision, style):
    onnx.save(Graph(folder, precision, style).build(), path)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    write(*sys.argv[1:])

"""teacher.py MODEL CORPUS.txt OUT.npz [N]: what the teacher makes of N texts (400,000), and of each
piece of its vocabulary alone. The mean of the last layer, as all-MiniLM-L6-v2 pools.

The network of BERT is built here for OpenVINO, from MODEL's config.json and model.safetensors:
nothing of PyTorch is needed. Arrays: texts float16 [N, 384], pieces float32 [vocabulary, 384].
"""
import json
import os
import sys

import numpy
import openvino
import openvino.opset13 as op
from safetensors.numpy import load_file
from tokenizers import Tokenizer

LONGEST = 128     # tokens of a text
BATCH = 2048      # tokens of a call
THREADS = 2


class Network:
    """The encoder as a graph: ids [n, length] and mask -> [n, size]."""

    def __init__(self, folder):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.weights = load_file(os.path.join(folder, "model.safetensors"))

    def constant(self, value):
        return op.constant(numpy.ascontiguousarray(value))

    def weight(self, name):
        return self.constant(self.weights[name].astype(numpy.float32))

    def linear(self, x, name):
        return op.add(op.matmul(x, self.weight(name + ".weight"), False, True),
                      self.weight(name + ".bias"))

    def normalised(self, x, name):
        axis = self.constant(numpy.array([-1], numpy.int64))
        x = op.mvn(x, axis, True, self.config["layer_norm_eps"], "inside_sqrt")
        return op.add(op.multiply(x, self.weight(name + ".weight")), self.weight(name + ".bias"))

    def embeddings(self, ids):
        one, zero = (self.constant(numpy.array([i], numpy.int64)) for i in (1, 0))
        length = op.gather(op.shape_of(ids), one, self.constant(numpy.int64(0)))
        positions = op.slice(self.weight("embeddings.position_embeddings.weight"), zero, length,
                             one, zero)
        words = op.gather(self.weight("embeddings.word_embeddings.weight"), ids,
                          self.constant(numpy.int64(0)))
        kind = self.constant(
            self.weights["embeddings.token_type_embeddings.weight"][0].astype(numpy.float32))
        return self.normalised(op.add(op.add(words, positions), kind), "embeddings.LayerNorm")

    def attention(self, x, bias, layer):
        n_heads = self.config["num_attention_heads"]
        size = self.config["hidden_size"] // n_heads
        split = self.constant(numpy.array([0, 0, n_heads, size], numpy.int64))
        join = self.constant(numpy.array([0, 0, n_heads * size], numpy.int64))
        swap = self.constant(numpy.array([0, 2, 1, 3], numpy.int64))
        query, key, value = (
            op.transpose(op.reshape(self.linear(x, f"{layer}attention.self.{name}"), split, True),
                         swap)
            for name in ("query", "key", "value"))
        scores = op.multiply(op.matmul(query, key, False, True),
                             self.constant(numpy.float32(size ** -.5)))
        shares = op.softmax(op.add(scores, bias), -1)
        mixed = op.transpose(op.matmul(shares, value, False, False), swap)
        return self.linear(op.reshape(mixed, join, True), layer + "attention.output.dense")

    def build(self):
        ids = op.parameter([-1, -1], numpy.int32, name="ids")
        mask = op.parameter([-1, -1], numpy.float32, name="mask")
        axes = self.constant(numpy.array([1, 2], numpy.int64))
        one = self.constant(numpy.float32(1))
        bias = op.unsqueeze(
            op.multiply(op.subtract(mask, one), self.constant(numpy.float32(1e4))), axes)
        x = self.embeddings(ids)
        for i in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}."
            x = self.normalised(op.add(x, self.attention(x, bias, layer)),
                                layer + "attention.output.LayerNorm")
            hidden = op.gelu(self.linear(x, layer + "intermediate.dense"), "erf")
            x = self.normalised(op.add(x, self.linear(hidden, layer + "output.dense")),
                                layer + "output.LayerNorm")
        wide = op.unsqueeze(mask, self.constant(numpy.array([2], numpy.int64)))
        axis = self.constant(numpy.array([1], numpy.int64))
        mean = op.divide(op.reduce_sum(op.multiply(x, wide), axis, False),
                         op.reduce_sum(wide, axis, False))
        return openvino.Model([mean], [ids, mask])


class Teacher:
    def __init__(self, folder):
        self.tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        network = Network(folder)
        self.size = network.config["hidden_size"]
        self.model = openvino.Core().compile_model(
            network.build(), "CPU",
            {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": THREADS,
             "PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": str(THREADS)})

    def run(self, ids):
        """Texts of like length together, up to BATCH tokens a call."""
        order = numpy.argsort([len(row) for row in ids], kind="stable")
        out = numpy.zeros((len(ids), self.size), numpy.float32)
        queue = openvino.AsyncInferQueue(self.model, THREADS)

        def done(request, rows):
            out[rows] = request.get_output_tensor(0).data

        queue.set_callback(done)
        start = 0
        while start < len(order):
            end = start + 1
            while end < len(order) and (end - start + 1) * len(ids[order[end]]) <= BATCH:
                end += 1
            rows = order[start:end]
            length = len(ids[rows[-1]]) + 7 & ~7
            tokens = numpy.zeros((len(rows), length), numpy.int32)
            mask = numpy.zeros((len(rows), length), numpy.float32)
            for i, row in enumerate(rows):
                tokens[i, :len(ids[row])] = ids[row]
                mask[i, :len(ids[row])] = 1
            queue.start_async([tokens, mask], rows)
            start = end
        queue.wait_all()
        return out

    def embed(self, texts):
        return self.run([encoding.ids if len(encoding.ids) <= LONGEST
                         else encoding.ids[:LONGEST - 1] + [encoding.ids[-1]]
                         for encoding in self.tokenizer.encode_batch(texts)])

    def embed_pieces(self):
        first, last = (self.tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]"))
        return self.run([[first, i, last] for i in range(self.tokenizer.get_vocab_size())])


def main():
    folder, corpus, out = sys.argv[1:4]
    n = int(sys.argv[4]) if len(sys.argv) > 4 else 400000
    teacher = Teacher(folder)
    with open(corpus, encoding="utf-8") as file:
        texts = file.read().splitlines()[:n]
    parts = []
    for start in range(0, len(texts), 20000):
        parts.append(teacher.embed(texts[start:start + 20000]).astype(numpy.float16))
        print(start + len(parts[-1]), "of", len(texts), flush=True)
    numpy.savez(out, texts=numpy.concatenate(parts), pieces=teacher.embed_pieces())


if __name__ == "__main__":
    main()

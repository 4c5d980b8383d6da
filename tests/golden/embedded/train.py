"""train.py MODEL CORPUS.txt TEACHER.npz OUT.safetensors: a row for each piece, and VOCABULARY.txt
beside it: OUT.vocab.txt.

The sum of a text's rows, weighted by idf, is to point where the teacher's vector points (cosine),
and texts of a batch are to be as similar as the teacher says (Kullback-Leibler divergence of each
one's similarities, as softmax). Rows begin as what Model2Vec distils (Tulkens and van Dongen 2024):
the teacher's vector of the piece alone, turned to its principal components. Adam (Kingma and Ba
2015), of the rows that a batch has. Then the signs are kept and one length for each row, with the
idf in it: training for one bit is not needed, and float32 was worse.
"""
import os
import sys

import numpy
import scipy.sparse
from safetensors.numpy import save_file
from tokenizers import Tokenizer

SIZE = 384
EPOCHS, BATCH, RATE = 2, 2048, .006
BLOCK = 1024          # texts whose similarities are compared
TEMPERATURE = .05
LATIN_END = 0x250     # pieces of other scripts get no row
SPECIAL = ("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]")


def unit(rows):
    return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def count_pieces(tokenizer, texts):
    """[texts, vocabulary] how often each has each piece."""
    skipped = {tokenizer.token_to_id(name) for name in SPECIAL}
    starts, ids = [0], []
    for at in range(0, len(texts), 2000):
        for encoding in tokenizer.encode_batch(texts[at:at + 2000], add_special_tokens=False):
            ids.extend(i for i in encoding.ids if i not in skipped)
            starts.append(len(ids))
    counts = scipy.sparse.csr_matrix(
        (numpy.ones(len(ids), numpy.float32), numpy.array(ids, numpy.int32), numpy.array(starts)),
        shape=(len(texts), tokenizer.get_vocab_size()))
    counts.sum_duplicates()
    return counts


def softmax(rows):
    rows = numpy.exp(rows - rows.max(axis=1, keepdims=True))
    return rows / rows.sum(axis=1, keepdims=True)


def gradient(vectors, wanted):
    """Of both losses, with respect to unit vectors of a batch."""
    gradient_of_all = -wanted / len(vectors)
    for at in range(0, len(vectors) - BLOCK + 1, BLOCK):
        own, theirs = vectors[at:at + BLOCK], wanted[at:at + BLOCK]
        similar, expected = own @ own.T / TEMPERATURE, theirs @ theirs.T / TEMPERATURE
        numpy.fill_diagonal(similar, -1e4)
        numpy.fill_diagonal(expected, -1e4)
        difference = (softmax(similar) - softmax(expected)) / len(vectors)
        gradient_of_all[at:at + BLOCK] += difference @ own + difference.T @ own
    return gradient_of_all


class Adam:
    def __init__(self, rows, n_steps):
        self.rows, self.n_steps, self.step = rows, n_steps, 0
        self.means, self.squares = numpy.zeros_like(rows), numpy.zeros_like(rows)
        self.counts = numpy.zeros(len(rows), numpy.int32)

    def update(self, some, slope):
        """Rows `some` against their slope; the rate grows over 50 steps, then falls."""
        self.counts[some] += 1
        self.means[some] = .9 * self.means[some] + .1 * slope
        self.squares[some] = .98 * self.squares[some] + .02 * slope * slope
        rate = RATE * min(1, (self.step + 1) / 50) * (1 - self.step / self.n_steps * .95)
        counts = self.counts[some][:, None]
        mean = self.means[some] / (1 - .9 ** counts)
        self.rows[some] -= rate * mean / (numpy.sqrt(self.squares[some] / (1 - .98 ** counts))
                                          + 1e-8)
        self.step += 1


def train(weighted, wanted, rows):
    random = numpy.random.default_rng(0)
    n = weighted.shape[0]
    adam = Adam(rows, EPOCHS * (n // BATCH))
    for epoch in range(EPOCHS):
        order, loss = random.permutation(n), 0
        for at in range(0, n - BATCH + 1, BATCH):
            some = numpy.sort(order[at:at + BATCH])
            batch, target = weighted[some], wanted[some]
            sums = batch @ rows
            lengths = numpy.maximum(numpy.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
            vectors = sums / lengths
            loss += 1 - (vectors * target).sum(axis=1).mean()
            slope = gradient(vectors, target)
            slope = (slope - vectors * (slope * vectors).sum(axis=1, keepdims=True)) / lengths
            used = numpy.unique(batch.indices)
            adam.update(used, numpy.asarray(batch[:, used].T @ slope) * len(some))
        print(f"epoch {epoch + 1}: 1 - cosine {loss / max(1, n // BATCH):.4f}", flush=True)


def save(path, tokenizer, rows, idf):
    names = [tokenizer.id_to_token(i) for i in range(len(rows))]
    ids = numpy.array([i for i, name in enumerate(names)
                       if name not in SPECIAL and not name.startswith("[unused")
                       and all(ord(c) < LATIN_END for c in name)])
    rows = rows * idf[:, None]
    rows = rows[ids] / numpy.linalg.norm(rows, axis=1).max()
    scale = numpy.linalg.norm(rows, axis=1) / numpy.sqrt(SIZE)
    save_file({"rows": numpy.packbits(rows > 0, axis=1, bitorder="little"),
               "scale": scale.astype(numpy.float16), "idf": idf[ids].astype(numpy.float16),
               "ids": ids.astype(numpy.uint16)}, path)
    with open(os.path.splitext(path)[0] + ".vocab.txt", "w", encoding="utf-8") as file:
        file.writelines(names[i] + "\n" for i in ids)


def main():
    folder, corpus, teacher, out = sys.argv[1:]
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    made = numpy.load(teacher)
    wanted = unit(made["texts"].astype(numpy.float32))
    with open(corpus, encoding="utf-8") as file:
        texts = file.read().splitlines()[:len(wanted)]
    counts = count_pieces(tokenizer, texts)
    n, n_with = len(texts), numpy.asarray((counts > 0).sum(axis=0)).ravel()
    idf = numpy.log(1 + (n - n_with + .5) / (n_with + .5)).astype(numpy.float32)
    sample = wanted[numpy.random.default_rng(0).permutation(n)[:20000]]
    basis = numpy.linalg.svd(sample, full_matrices=False)[2][:SIZE].T.astype(numpy.float32)
    rows = (made["pieces"] @ basis).astype(numpy.float32)
    rows /= numpy.linalg.norm(rows, axis=1).mean()
    kept = numpy.flatnonzero(counts.getnnz(axis=1))
    weighted = (counts @ scipy.sparse.diags(idf)).tocsr().astype(numpy.float32)[kept]
    train(weighted, unit(wanted @ basis)[kept], rows)
    save(out, tokenizer, rows, idf)


if __name__ == "__main__":
    main()

"""vectors.py: the vectors that index_bench searches, its queries, and which answers are right.

Without a file the vectors are drawn: unit vectors around CLUSTERS centres, of uneven sizes
(log-normal), at uneven distances from their centre (about .75 cosine). The numbers are chosen so
that sign bits rank them as they rank embeddings: among the 200 nearest by Hamming distance are .99
of the true 25 at 100,000 x 384, and .73 at 1,000,000 x 384. Blocks of rows have their own seeds:
fewer rows are a prefix of more.

With a file (.npy, or lines of a word and its numbers as GloVe and word2vec write them) the rows are
shuffled, and some of them kept out as queries. All vectors are scaled to unit length, so that
cosine and l2 have the same neighbours. They lie in .npy files, which the contenders read.
"""
import os

import numpy

SEED = 20240607
BLOCK = 10000
CLUSTERS = 800
SPREAD = 0.88          # the length of what is added to a centre, in the median
SPREAD_SIGMA = 0.15
SIZE_SIGMA = 0.7
K = 25
TOLERANCE = 1e-6       # a hit this much below the k-th true similarity is a tie


def scale_to_unit(vectors):
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


class Clusters:
    """A distribution of unit vectors, the same for the same dimensions on every machine."""

    def __init__(self, dimensions):
        draw = numpy.random.default_rng([SEED, dimensions])
        self.dimensions = dimensions
        shape = (CLUSTERS, dimensions)
        self.centres = scale_to_unit(draw.standard_normal(shape, dtype=numpy.float32))
        sizes = numpy.exp(SIZE_SIGMA * draw.standard_normal(CLUSTERS))
        self.bounds = numpy.cumsum(sizes / sizes.sum())

    def draw(self, count, *seed):
        draw = numpy.random.default_rng([SEED, self.dimensions, *seed])
        which = numpy.searchsorted(self.bounds, draw.random(count)).clip(max=CLUSTERS - 1)
        spread = SPREAD * numpy.exp(SPREAD_SIGMA * draw.standard_normal((count, 1)))
        vectors = draw.standard_normal((count, self.dimensions), dtype=numpy.float32)
        vectors *= (spread / self.dimensions ** 0.5).astype(numpy.float32)
        vectors += self.centres[which]
        return scale_to_unit(vectors)


def create(path, rows, dimensions):
    return numpy.lib.format.open_memmap(path, "w+", numpy.float32, (rows, dimensions))


def draw_files(path, queries_path, rows, dimensions, n_queries):
    clusters = Clusters(dimensions)
    vectors = create(path + ".part", rows, dimensions)
    for block, start in enumerate(range(0, rows, BLOCK)):
        drawn = clusters.draw(BLOCK, 1, block)
        vectors[start:start + BLOCK] = drawn[:rows - start]
    vectors.flush()
    os.rename(path + ".part", path)
    numpy.save(queries_path, clusters.draw(n_queries, 2))


def read_words(path):
    """The numbers of a text file of word vectors, as many at each line's end as the first has.

    Words may have spaces in them; lines that do not end in so many numbers are left out.
    """
    rows, width = [], None
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.rstrip().split(" ")
            if len(fields) <= 2:    # word2vec begins with a line of two numbers
                continue
            width = width or len(fields) - 1
            try:
                row = numpy.array(fields[-width:], dtype=numpy.float32)
            except ValueError:
                continue
            if len(row) == width:
                rows.append(row)
    if not rows:
        raise ValueError(f"{path}: no line of a word and its numbers")
    return numpy.stack(rows)


def read_file(path):
    vectors = numpy.load(path) if path.endswith(".npy") else read_words(path)
    if vectors.ndim != 2:
        raise ValueError(f"{path}: expected rows of vectors, not {vectors.ndim} dimensions")
    vectors = numpy.ascontiguousarray(vectors, dtype=numpy.float32)
    return scale_to_unit(vectors[numpy.linalg.norm(vectors, axis=1) > 0])


class Dataset:
    """Vectors and queries of one width: the paths of their files, and the measure of answers."""

    def __init__(self, path, queries_path):
        self.path, self.queries_path = path, queries_path
        self.vectors = numpy.load(path, mmap_mode="r")
        self.queries = numpy.load(queries_path)
        self.rows, self.dimensions = self.vectors.shape
        self.nearest = {}

    def kth_similarity(self, rows):
        """[n_queries]: the similarity of the k-th neighbour of each query among the first rows."""
        if rows not in self.nearest:
            k = min(K, rows)
            best = numpy.empty((len(self.queries), 0), numpy.float32)
            for start in range(0, rows, 4 * BLOCK):
                block = self.vectors[start:min(start + 4 * BLOCK, rows)]
                both = numpy.hstack([best, self.queries @ block.T])
                best = numpy.partition(both, max(both.shape[1] - k, 0), axis=1)[:, -k:]
            self.nearest[rows] = best.min(axis=1)
        return self.nearest[rows]

    def recall(self, rows, found):
        """The mean share of the k nearest; found[i]: the rowids (from 1) that answered query i."""
        k, bounds = min(K, rows), self.kth_similarity(rows)
        shares = []
        for query, bound, rowids in zip(self.queries, bounds, found):
            rowids = numpy.array(sorted(set(rowids)), dtype=numpy.int64)[:k]
            hits = self.vectors[rowids - 1] @ query >= bound - TOLERANCE
            shares.append(hits.sum() / k)
        return float(numpy.mean(shares))


def drawn(folder, rows, dimensions, n_queries):
    """The dataset of drawn vectors; files that are in the folder already are used when they
    suffice."""
    path = os.path.join(folder, f"vectors-{dimensions}.npy")
    queries_path = os.path.join(folder, f"queries-{dimensions}-{n_queries}.npy")
    if os.path.exists(path) and os.path.exists(queries_path):
        there = Dataset(path, queries_path)
        if there.rows >= rows:
            return there
    draw_files(path, queries_path, rows, dimensions, n_queries)
    return Dataset(path, queries_path)


def from_file(folder, source, n_queries):
    vectors = read_file(source)
    if len(vectors) <= n_queries:
        raise ValueError(f"{source}: {len(vectors)} vectors are too few for {n_queries} queries")
    order = numpy.random.default_rng(SEED).permutation(len(vectors))
    path, queries_path = (os.path.join(folder, name) for name in ("file.npy", "file-queries.npy"))
    numpy.save(queries_path, vectors[order[:n_queries]])
    kept = create(path, len(vectors) - n_queries, vectors.shape[1])
    for start in range(0, len(kept), BLOCK):
        which = order[n_queries:][start:start + BLOCK]
        kept[start:start + len(which)] = vectors[which]
    kept.flush()
    return Dataset(path, queries_path)

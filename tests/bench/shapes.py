"""shapes.py: vectors of other shapes than vectors.py draws, to see how partitions take them.

Each function gives [count, dimensions] unit vectors, the same on every machine, in the order in
which they are to arrive. Queries are kept out of them by `split`.

skewed      1000 clusters of unequal sizes, a few directions hold most of the variance, random order
ordered     the same, one cluster after the other
heavy       distances from the centre as Student's t with 3 degrees of freedom, sizes as Zipf's law,
            a tenth of the rows near no centre
duplicates  rows in 1 to some 100 near-identical copies
noise       uniform on the sphere: nothing lies near anything
text        paragraphs of the documentation in a folder, embedded by builtin:static
local       sentences of the movies and judged collections under RERANK_SHARED, embedded by
            all-MiniLM-L6-v2 (make weights; RERANK_WEIGHTS: another folder)
"""
import gzip
import json
import os
import re
import sqlite3

import numpy

import vectors

SEED = 20261128
CLUSTERS = 1000
SMALLEST, LARGEST = 60, 1200    # characters of a paragraph
SHORTEST = 20                   # characters of a sentence
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.environ.get("RERANK_SHARED", "")
WEIGHTS = os.environ.get("RERANK_WEIGHTS") or os.path.join(ROOT, "build", "weights")
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def draw_of(name):
    return numpy.random.default_rng([SEED, *name.encode()])


def spectrum(dimensions, exponent):
    sizes = (numpy.arange(dimensions) + 1.0) ** -exponent
    return (sizes / numpy.sqrt((sizes ** 2).mean())).astype(numpy.float32)


def clustered(draw, count, dimensions, clusters, sizes, exponent=0.0):
    """Which cluster each of count rows belongs to, and its centre."""
    centres = draw.standard_normal((clusters, dimensions), dtype=numpy.float32)
    centres = vectors.scale_to_unit(centres * spectrum(dimensions, exponent))
    which = draw.choice(clusters, count, p=sizes / sizes.sum())
    return which, centres[which]


def noise_of(draw, count, dimensions, exponent=0.0):
    noise = draw.standard_normal((count, dimensions), dtype=numpy.float32)
    noise *= spectrum(dimensions, exponent) / numpy.float32(dimensions ** 0.5)
    return noise


def draw_skewed(count, dimensions):
    draw = draw_of("skewed")
    sizes = numpy.exp(draw.standard_normal(CLUSTERS))
    which, rows = clustered(draw, count, dimensions, CLUSTERS, sizes, 0.4)
    rows += 0.8 * noise_of(draw, count, dimensions, 0.4)
    return which, vectors.scale_to_unit(rows)


def skewed(count, dimensions):
    return draw_skewed(count, dimensions)[1]


def ordered(count, dimensions):
    which, rows = draw_skewed(count, dimensions)
    return rows[numpy.argsort(which, kind="stable")]


def heavy(count, dimensions):
    draw = draw_of("heavy")
    sizes = (numpy.arange(CLUSTERS) + 1.0) ** -1.0
    _, rows = clustered(draw, count, dimensions, CLUSTERS, sizes, 0.2)
    far = numpy.abs(draw.standard_t(3, (count, 1))).astype(numpy.float32)
    rows[draw.random(count) < 0.1] = 0
    rows += 0.7 * far * noise_of(draw, count, dimensions, 0.2) + 1e-6
    return vectors.scale_to_unit(rows)


def duplicates(count, dimensions):
    draw = draw_of("duplicates")
    bases = max(count // 8, 1)
    sizes = (numpy.arange(bases) + 20.0) ** -0.8
    rows = skewed(bases, dimensions)[draw.choice(bases, count, p=sizes / sizes.sum())]
    spread = numpy.float32(0.1) * draw.random((count, 1), dtype=numpy.float32)
    rows += spread * noise_of(draw, count, dimensions)
    return vectors.scale_to_unit(rows)


def noise(count, dimensions):
    return vectors.scale_to_unit(noise_of(draw_of("noise"), count, dimensions))


def read_text(path):
    opened = gzip.open if path.endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except (OSError, EOFError):
        return ""


def paragraphs(folder, most):
    """Different paragraphs of the text files below a folder, in the order of their paths."""
    seen = {}
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            for part in re.split(r"\n\s*\n", read_text(path)):
                part = " ".join(part.split())
                letters = sum(letter.isalpha() for letter in part[:200])
                if SMALLEST <= len(part) <= LARGEST and letters > 0.6 * len(part[:200]):
                    seen[part] = None
            if len(seen) >= most:
                return list(seen)[:most]
    return list(seen)


def embedded(texts, library, model):
    """Of those texts that a model makes something of, in random order."""
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(library)
    rows = []
    for start in range(0, len(texts), 1000):
        found = db.execute("SELECT embedding FROM embed_each(?, ?)",
                           (json.dumps(texts[start:start + 1000]), model))
        rows += [numpy.frombuffer(blob, numpy.float32) for blob, in found if blob is not None]
    rows = vectors.scale_to_unit(numpy.array([row for row in rows if row.any()]))
    return rows[draw_of("text").permutation(len(rows))]


def text(count, library, folder="/usr/share/doc"):
    """As many as there are, at most count."""
    return embedded(paragraphs(folder, count), library, "builtin:static")


def sentences(shared):
    """Different sentences of the documents of all collections and of the movies."""
    texts = []
    for where, folders, names in os.walk(os.path.join(shared, "eval")):
        folders.sort()
        if "docs.jsonl" in names:
            with open(os.path.join(where, "docs.jsonl"), encoding="utf-8") as file:
                texts += [json.loads(line)["text"] for line in file]
    with open(os.path.join(shared, "movies.json"), encoding="utf-8") as file:
        texts += [movie["overview"] for movie in json.load(file)]
    parts = (part.strip() for each in texts for part in re.split(r"(?<=[.!?])\s+", each))
    return list(dict.fromkeys(part for part in parts if len(part) >= SHORTEST))


def why_no_local():
    """What is not there that local is made of; '' if all is."""
    for path in (os.path.join(SHARED, "movies.json"), os.path.join(WEIGHTS, MODEL)):
        if not os.path.exists(path):
            return f"no {path}"
    return ""


def local(count, library):
    """As many as there are, some 20,000, at most count; a minute and more."""
    os.environ["RERANK_MODEL_PATH"] = WEIGHTS
    texts = sentences(SHARED)
    chosen = draw_of("local").permutation(len(texts))[:count]
    return embedded([texts[i] for i in chosen], library, f"local:{MODEL}")


def even(count, dimensions):
    """What vectors.py draws."""
    return vectors.Clusters(dimensions).draw(count, 1)


SHAPES = {"even": even, "skewed": skewed, "ordered": ordered, "heavy": heavy,
          "duplicates": duplicates, "noise": noise}


def split(rows, n_queries):
    """The rows without n_queries of them, and these."""
    chosen = draw_of("queries").choice(len(rows), n_queries, replace=False)
    return numpy.delete(rows, chosen, axis=0), rows[chosen]

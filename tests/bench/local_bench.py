"""local_bench.py: local models beside onnxruntime, on random weights of real shapes, two threads.

    local_bench.py LIBRARY [--quick]     --quick: 100 movies instead of 1000

Speed does not depend on the values of weights. Texts and vocabulary are the published ones where
RERANK_SHARED names them. onnxruntime computes with the same weights as an ONNX graph
(onnx_model.py); it gets the token ids (tokenizing is not in its time), sorted by length and padded
by batch, and the fastest of its ways counts: the graph of an exporter or onnxruntime's own
operators, several sizes of batches, one session of two threads or two sessions of one. Outputs are
compared, so that both are known to compute the same. Medians of three runs. On two cores the whole
takes some 15 minutes, with --quick 4.
"""
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden", "local"))
import models  # noqa: E402
import numpy  # noqa: E402
import peers  # noqa: E402

SHARED = os.environ.get("RERANK_SHARED", "")
THREADS = 2
REPEATS = 3
TRIED_ON = 60           # texts that onnxruntime's ways are tried on
PRECISIONS = ("float32", "bf16", "int8")
STYLES = ("export", "fused")
CREWS = ((THREADS, 1), (1, THREADS))    # threads of a session, sessions
QUERY = "super hero mystery action movie about bats"
SHAPES = {
    "base": models.Spec(hidden=768, heads=12, layers=12, inner=3072, positions=512, rows=30522,
                        pooling="cls", seed=21),
    "cross": models.Spec(architecture="BertForSequenceClassification", hidden=384, heads=12,
                         layers=6, inner=1536, positions=512, rows=30522, prefix="bert.",
                         score="old", seed=22),
}


# ---- texts and models ----------------------------------------------------------------------------

def read_movies():
    path = os.path.join(SHARED, "movies.json")
    if SHARED and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    words = models.WORDS
    return [{"title": " ".join(words[(i * 7 + j) % len(words)] for j in range(3)),
             "overview": " ".join(words[(i * 13 + j * 5) % len(words)]
                                  for j in range(30 + i * 37 % 90)),
             "tagline": ""} for i in range(1000)]


def vocabulary():
    path = os.path.join(SHARED, "models", "bert-base-uncased-vocab.txt")
    if SHARED and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return file.read().split("\n")[:-1]
    return models.bert_vocabulary()


def connect(library):
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(library)
    db.execute("SELECT rerank_config('threads', ?)", (str(THREADS),)).fetchall()
    for precision in PRECISIONS[1:]:
        for shape in SHAPES:
            db.execute("INSERT INTO rerank_models(name, model, precision) VALUES (?, ?, ?)",
                       (name_of(shape, precision), "local:bench/" + shape, precision))
    return db


def name_of(shape, precision):
    return "local:bench/" + shape if precision == "float32" else f"{shape} {precision}"


def ids_of(db, text):
    return json.loads(db.execute("SELECT token_ids(?, 'local:bench/base')", (text,)).fetchone()[0])


def text_rows(db, texts):
    """[ids, segments] of each text."""
    return [[ids, [0] * len(ids)] for ids in (ids_of(db, text) for text in texts)]


def pair_rows(db, documents):
    first = ids_of(db, QUERY)
    return [[first + second, [0] * len(first) + [1] * len(second)]
            for second in (ids_of(db, document)[1:] for document in documents)]


def mean_tokens(rows):
    return sum(len(ids) for ids, _ in rows) / len(rows)


# ---- onnxruntime ---------------------------------------------------------------------------------

class Peer:
    """onnxruntime on rows of token ids, in the fastest of its ways."""

    def __init__(self, folder):
        self.folder = folder
        self.version = peers.version(peers.FOLDER, "onnxruntime-node")

    def graph(self, shape, precision, style):
        path = os.path.join(self.folder, f"{shape}-{precision}-{style}.onnx")
        if not os.path.exists(path):
            subprocess.run([sys.executable, os.path.join(HERE, "onnx_model.py"),
                            os.path.join(self.folder, "bench", shape), path, precision, style],
                           check=True)
        return path

    def child(self, path, rows, way, repeats, outputs=None):
        """What onnx_child.js prints; None after a failure, which is shown."""
        rows_path = os.path.join(self.folder, "rows.json")
        with open(rows_path, "w", encoding="utf-8") as file:
            json.dump(rows, file)
        style_, batch, (threads, workers) = way
        task = {"peers": os.path.abspath(peers.FOLDER), "model": path, "rows": rows_path,
                "batch": batch, "threads": threads, "workers": workers, "repeats": repeats,
                "limit": 0, "outputs": outputs}
        done = subprocess.run(["node", os.path.join(HERE, "onnx_child.js"), json.dumps(task)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"  onnxruntime, {style_}: "
                  f"{(done.stderr.strip() or 'failed').splitlines()[-1][:100]}")
            return None
        return json.loads(done.stdout)

    def best_way(self, shape, precision, rows, batches, repeats):
        """The best size of a batch first, and then with it the best graph and crew; None: all
        failed."""
        step = max(1, len(rows) // TRIED_ON)
        tried = {}

        def attempt(style, batch, crew):
            way = style, batch, crew
            if way not in tried and (crew[1] == 1 or len(rows) > batch):
                done = self.child(self.graph(shape, precision, style), rows[::step], way, repeats)
                tried[way] = statistics.median(done["seconds"]) if done else float("inf")

        for batch in batches:
            attempt(STYLES[0], batch, CREWS[0])
        batch = min(tried, key=tried.get)[1]
        for style in STYLES:
            for crew in CREWS:
                attempt(style, batch, crew)
        best = min(tried, key=tried.get)
        return best if tried[best] < float("inf") else None

    def run(self, shape, precision, rows, batches, repeats=(1, REPEATS)):
        """(seconds, the way in words, outputs [len(rows), any]); None without the peer. `repeats`:
        to choose, and to measure."""
        if self.version is None:
            return None
        way = self.best_way(shape, precision, rows, batches, repeats[0])
        outputs = os.path.join(self.folder, "outputs")
        done = way and self.child(self.graph(shape, precision, way[0]), rows, way, repeats[1],
                                  outputs)
        if not done:
            return None
        words = f"{way[0]}, batches of {way[1]}" + f", {way[2][1]} sessions" * (way[2][1] > 1)
        values = numpy.fromfile(outputs, "<f4").reshape(len(rows), -1)
        return statistics.median(done["seconds"]), words, values


# ---- ours ----------------------------------------------------------------------------------------

def first_vector(library):
    """In processes of their own: seconds to the first vector, and the most memory one held, in
    MB."""
    # Not ru_maxrss: it begins with what the parent held.
    code = ("import sys, time, sqlite3; start = time.perf_counter();"
            "db = sqlite3.connect(':memory:'); db.enable_load_extension(True); "
            "db.load_extension(sys.argv[1]);"
            "db.execute(\"SELECT embed('bats', 'local:bench/base')\").fetchall();"
            "print(time.perf_counter() - start,"
            " [x.split()[1] for x in open('/proc/self/status') if x.startswith('VmHWM')][0])")
    runs = [subprocess.run([sys.executable, "-c", code, library], capture_output=True, text=True,
                           check=True)
            .stdout.split() for _ in range(REPEATS)]
    return statistics.median(float(run[0]) for run in runs), max(int(run[1]) for run in runs) / 1024


def embed_all(db, texts, precision):
    rows = db.execute("SELECT embedding FROM embed_each(?, ?)",
                      (json.dumps(texts), name_of("base", precision)))
    return numpy.array([numpy.frombuffer(row[0], dtype="<f4") for row in rows])


def embed_seconds(library, texts, precision):
    """Each run on a connection of its own, whose cache knows no text; the weights are there
    already."""
    times = []
    for _ in range(REPEATS):
        db = connect(library)
        embed_all(db, ["warm"], precision)
        start = time.perf_counter()
        vectors = embed_all(db, texts, precision)
        times.append(time.perf_counter() - start)
        db.close()
    return statistics.median(times), vectors


def rerank_scores(db, documents, precision):
    rows = db.execute("SELECT relevance_score FROM rerank(?, ?, NULL, ?) ORDER BY key + 0",
                      (QUERY, json.dumps(documents), name_of("cross", precision)))
    return numpy.array([row[0] for row in rows])


def rerank_seconds(db, documents, precision, repeats):
    scores = rerank_scores(db, documents, precision)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        rerank_scores(db, documents, precision)
        times.append(time.perf_counter() - start)
    return statistics.median(times), scores


# ---- tables --------------------------------------------------------------------------------------

def least_cosine(exact, near):
    lengths = numpy.linalg.norm(exact, axis=1) * numpy.linalg.norm(near, axis=1)
    return float(((exact * near).sum(axis=1) / lengths).min())


def bench_embedder(library, peer, movies):
    texts = [" ".join(filter(None, (m["title"], m["overview"], m["tagline"]))) for m in movies]
    keeper = connect(library)
    rows = text_rows(keeper, texts)
    print(f"\nbge-base's shape, {len(texts)} movies, {mean_tokens(rows):.0f} tokens on average\n"
          f"{'':26}{'docs/s':>8}{'least cosine to float32':>26}  ours / onnxruntime", flush=True)
    exact = None
    for precision in PRECISIONS:
        embed_all(keeper, ["keeps the weights"], precision)
        seconds, vectors = embed_seconds(library, texts, precision)
        exact = vectors if exact is None else exact
        print(f"{precision:26}{len(texts) / seconds:8.1f}{least_cosine(exact, vectors):26.6f}",
              flush=True)
        found = peer.run("base", precision, rows, (1, 8, 16, 32)) if precision != "bf16" else None
        if found:
            print(f"{'  onnxruntime ' + precision:26}{len(texts) / found[0]:8.1f}"
                  f"{least_cosine(exact, found[2]):26.6f}  {found[0] / seconds:.2f}  ({found[1]})",
                  flush=True)
    keeper.close()


def bench_reranker(library, peer, movies):
    db = connect(library)
    for field in ("title", "overview"):
        documents = [movie[field] for movie in movies[:25]]
        rows = pair_rows(db, documents)
        print(f"\nMiniLM-L6's shape, 25 pairs of the query and the {field}, "
              f"{mean_tokens(rows):.0f} tokens on "
              f"average\n{'':26}{'ms':>8}{'furthest from float32':>26}  onnxruntime / ours",
              flush=True)
        exact = None
        for precision in PRECISIONS:
            seconds, scores = rerank_seconds(db, documents, precision, 25)
            exact = scores if exact is None else exact
            print(f"{precision:26}{seconds * 1e3:8.1f}{abs(scores - exact).max():26.6f}",
                  flush=True)
            found = peer.run("cross", precision, rows, (1, 5, 13, 25),
                             (9, 25)) if precision != "bf16" else None
            if found:
                print(f"{'  onnxruntime ' + precision:26}{found[0] * 1e3:8.1f}"
                      f"{abs(found[2][:, 0] - exact).max():26.6f}  {found[0] / seconds:.2f}  "
                      f"({found[1]})",
                      flush=True)
    db.close()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    library = os.path.abspath(sys.argv[1])
    movies = read_movies()[:100 if "--quick" in sys.argv else 1000]
    if peers.version(peers.FOLDER, "onnxruntime-node") is None and shutil.which("npm"):
        peers.npm_install(peers.FOLDER, ["--ignore-scripts", "onnxruntime-node"])
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(folder)
        os.environ["RERANK_MODEL_PATH"] = folder
        for name, spec in SHAPES.items():
            models.write(os.path.join(folder, "bench", name), spec, vocabulary())
        print(f"onnxruntime-node {peer.version or 'is not there'}; load {os.getloadavg()[0]:.1f}")
        size = os.path.getsize(os.path.join(folder, "bench", "base", "model.safetensors")) / 1048576
        seconds, peak = first_vector(library)
        print(f"bge-base's shape, a file of {size:.0f} MB: first vector of a process after "
              f"{seconds:.2f} s, "
              f"its peak memory {peak:.0f} MB (Python's 10 included)", flush=True)
        bench_reranker(library, peer, movies)
        bench_embedder(library, peer, movies)


if __name__ == "__main__":
    main()

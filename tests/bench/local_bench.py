"""local_bench.py: local models beside onnxruntime, two threads, each figure beside its aim.

    local_bench.py LIBRARY [--quick] [--real]     --quick: 100 movies instead of 1000
                                                  --real: real weights alone

all-MiniLM-L6-v2 with its real weights, where `make weights` has installed them; else random weights
of real shapes: speed does not depend on their values. Texts and vocabulary are the published ones
where RERANK_SHARED names them; ours are tokenized in the time that is measured. onnxruntime
computes with the same weights as an ONNX graph (onnx_model.py); it gets the token ids (tokenizing
is not in its time), sorted by length and padded by batch, and the fastest of its ways counts: the
graph of an exporter or onnxruntime's own operators, several sizes of batches, one session of two
threads or two sessions of one. Outputs are compared, so that both are known to compute the same.
Medians of three runs. On two cores the whole takes some 20 minutes, with --quick 5.
"""
import itertools
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
import machine  # noqa: E402
import models  # noqa: E402
import numpy  # noqa: E402
import peers  # noqa: E402
from aims import Aims  # noqa: E402
from odd_texts import ODD  # noqa: E402

SHARED = os.environ.get("RERANK_SHARED", "")
THREADS = 2
REPEATS = 3
TRIED_ON = 60           # texts that onnxruntime's ways are tried on
PRECISIONS = ("float32", "bf16", "int8")
STYLES = ("export", "fused")
CREWS = ((THREADS, 1), (1, THREADS))    # threads of a session, sessions
WEIGHTS = os.environ.get("RERANK_WEIGHTS") or os.path.join(peers.ROOT, "build", "weights")
REAL = "sentence-transformers/all-MiniLM-L6-v2"
SHORT = "movie about bats and heroes"   # and a number: 8 tokens
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
        for shape in filter(is_there, [*SHAPES, "real"]):
            db.execute("INSERT INTO rerank_models(name, model, precision) VALUES (?, ?, ?)",
                       (name_of(shape, precision), name_of(shape, "float32"), precision))
    return db


def name_of(shape, precision):
    if precision != "float32":
        return f"{shape} {precision}"
    return "local:" + (REAL if shape == "real" else "bench/" + shape)


def is_there(shape):
    name = name_of(shape, "float32").removeprefix("local:")
    return any(os.path.exists(os.path.join(folder, name))
               for folder in os.environ["RERANK_MODEL_PATH"].split(":"))


def ids_of(db, shape, text):
    return json.loads(db.execute("SELECT token_ids(?, ?)",
                                 (text, name_of(shape, "float32"))).fetchone()[0])


def text_rows(db, shape, texts):
    """[ids, segments] of each text."""
    return [[ids, [0] * len(ids)] for ids in (ids_of(db, shape, text) for text in texts)]


def pair_rows(db, documents):
    first = ids_of(db, "cross", QUERY)
    return [[first + second, [0] * len(first) + [1] * len(second)]
            for second in (ids_of(db, "cross", document)[1:] for document in documents)]


def speed_of_int8():
    """What int8 is to be, in times of onnxruntime, on this processor; None: nothing is aimed at."""
    flags = machine.of_processor("flags").split()
    return 3 if "amx_int8" in flags else 1.6 if "avx512_vnni" in flags else None


def note_speed(aims, what, precision, times):
    aim = 1.5 if precision == "float32" else speed_of_int8()
    aims.note(f"{what}, {precision}: times as fast as onnxruntime", times, aim, True,
              why="" if aim else "no aim without VNNI and AMX")


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
            model = (os.path.join(WEIGHTS, REAL) if shape == "real" else
                     os.path.join(self.folder, "bench", shape))
            subprocess.run([sys.executable, os.path.join(HERE, "onnx_model.py"), model, path,
                            precision, style], check=True)
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


def shared_memory(library):
    """Of two processes that hold the model at once: the part of the resident memory of both that
    is not shared, and the memory of one, in MB."""
    code = ("import sys, sqlite3; db = sqlite3.connect(':memory:'); db.enable_load_extension(True);"
            "db.load_extension(sys.argv[1]);"
            "db.execute(\"SELECT embed('bats', 'local:bench/base')\").fetchall();"
            "print('ready', flush=True); sys.stdin.readline();"
            "print(*[x.split()[1] for x in open('/proc/self/smaps_rollup')"
            " if x.startswith(('Rss', 'Pss:'))], flush=True); sys.stdin.readline()")
    both = [subprocess.Popen([sys.executable, "-c", code, library], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        process.stdout.readline()
    sizes = []
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
        sizes.append([int(size) / 1024 for size in process.stdout.readline().split()])
    for process in both:
        process.communicate("\n")
    return sum(size[1] for size in sizes) / sum(size[0] for size in sizes), sizes[0][0]


def short_seconds(db, shape, precision, repeats=300):
    """Of one query of 8 tokens, each another one, so that no cache knows it."""
    name, times = name_of(shape, precision), []
    for number in range(repeats):
        start = time.perf_counter()
        db.execute("SELECT embed(?, ?)", (f"{SHORT} {number % 1000}", name)).fetchall()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def embed_all(db, texts, precision, shape="base"):
    rows = db.execute("SELECT embedding FROM embed_each(?, ?)",
                      (json.dumps(texts), name_of(shape, precision)))
    return numpy.array([numpy.frombuffer(row[0], dtype="<f4") for row in rows])


def embed_seconds(library, texts, precision, shape):
    """Each run on a connection of its own, whose cache knows no text; the weights are there
    already."""
    times = []
    for _ in range(REPEATS):
        db = connect(library)
        embed_all(db, ["warm"], precision, shape)
        start = time.perf_counter()
        vectors = embed_all(db, texts, precision, shape)
        times.append(time.perf_counter() - start)
        db.close()
    return statistics.median(times), vectors


def rerank_scores(db, documents, precision, query=QUERY):
    rows = db.execute("SELECT relevance_score FROM rerank(?, ?, NULL, ?) ORDER BY key + 0",
                      (query, json.dumps(documents), name_of("cross", precision)))
    return numpy.array([row[0] for row in rows])


def rerank_seconds(db, documents, precision, repeats):
    """Each time the query's words come in another order: the scores of an equal call are kept."""
    scores = rerank_scores(db, documents, precision)
    times = []
    orders = itertools.permutations(QUERY.split())
    next(orders)
    for words in itertools.islice(orders, repeats):
        start = time.perf_counter()
        rerank_scores(db, documents, precision, " ".join(words))
        times.append(time.perf_counter() - start)
    return statistics.median(times), scores


# ---- tables --------------------------------------------------------------------------------------

def least_cosine(exact, near):
    lengths = numpy.linalg.norm(exact, axis=1) * numpy.linalg.norm(near, axis=1)
    return float(((exact * near).sum(axis=1) / lengths).min())


def bench_embedder(library, peer, movies, shape, title, aims):
    texts = [" ".join(filter(None, (m["title"], m["overview"], m["tagline"]))) for m in movies]
    keeper = connect(library)
    rows = text_rows(keeper, shape, texts)
    print(f"\n{title}, {len(texts)} movies, {mean_tokens(rows):.0f} tokens on average\n"
          f"{'':26}{'docs/s':>8}{'least cosine to float32':>26}  ours / onnxruntime", flush=True)
    exact = None
    for precision in PRECISIONS:
        embed_all(keeper, ["keeps the weights"], precision, shape)
        seconds, vectors = embed_seconds(library, texts, precision, shape)
        exact = vectors if exact is None else exact
        print(f"{precision:26}{len(texts) / seconds:8.1f}{least_cosine(exact, vectors):26.6f}",
              flush=True)
        if precision == "bf16":
            continue
        if shape == "real" and precision == "int8":
            note_real(keeper, least_cosine(exact, vectors), aims)
        found = peer.run(shape, precision, rows, (1, 8, 16, 32))
        note_speed(aims, title, precision, found and found[0] / seconds)
        if found:
            print(f"{'  onnxruntime ' + precision:26}{len(texts) / found[0]:8.1f}"
                  f"{least_cosine(exact, found[2]):26.6f}  {found[0] / seconds:.2f}  ({found[1]})",
                  flush=True)
    keeper.close()


def note_real(db, of_movies, aims):
    odd = least_cosine(embed_all(db, ODD, "float32", "real"), embed_all(db, ODD, "int8", "real"))
    aims.note(f"{REAL.split('/')[1]}, int8: least cosine, movies", of_movies, .997, True,
              form="{:.4f}")
    aims.note(f"  of {len(ODD)} odd texts", odd, .997, True, form="{:.4f}")
    for precision, aim in (("float32", None), ("int8", 1)):
        aims.note(f"  a query of {len(ids_of(db, 'real', SHORT + ' 7'))} tokens, {precision}",
                  short_seconds(db, "real", precision) * 1e3, aim, unit=" ms")


def bench_reranker(library, peer, movies, aims):
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
            if field == "title" and precision == "int8":
                aims.note("MiniLM-L6's shape: 25 pairs with titles reranked, int8",
                          seconds * 1e3, 4, unit=" ms")
            found = peer.run("cross", precision, rows, (1, 5, 13, 25),
                             (9, 25)) if precision != "bf16" else None
            if found:
                print(f"{'  onnxruntime ' + precision:26}{found[0] * 1e3:8.1f}"
                      f"{abs(found[2][:, 0] - exact).max():26.6f}  {found[0] / seconds:.2f}  "
                      f"({found[1]})",
                      flush=True)
    db.close()


def bench_shapes(library, peer, folder, movies, aims):
    for name, spec in SHAPES.items():
        models.write(os.path.join(folder, "bench", name), spec, vocabulary())
    size = os.path.getsize(os.path.join(folder, "bench", "base", "model.safetensors")) / 1048576
    seconds, peak = first_vector(library)
    print(f"bge-base's shape, a file of {size:.0f} MB: first vector of a process after "
          f"{seconds:.2f} s, its peak memory {peak:.0f} MB (Python's 10 included)", flush=True)
    aims.note(f"a file of {size:.0f} MB: first vector of a process", seconds * 1e3, 50, unit=" ms",
              form="{:.0f}")
    share, whole = shared_memory(library)
    aims.note(f"  two processes of {whole:.0f} MB: their memory, of twice one's", share, .6)
    bench_reranker(library, peer, movies, aims)
    bench_embedder(library, peer, movies, "base", "bge-base's shape", aims)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    library = os.path.abspath(sys.argv[1])
    movies = read_movies()[:100 if "--quick" in sys.argv else 1000]
    if peers.version(peers.FOLDER, "onnxruntime-node") is None and shutil.which("npm"):
        peers.npm_install(peers.FOLDER, ["--ignore-scripts", "onnxruntime-node"])
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(folder)
        aims = Aims()
        os.environ["RERANK_MODEL_PATH"] = folder + ":" + WEIGHTS
        print(f"onnxruntime-node {peer.version or 'is not there'}; "
              f"{machine.facts()}")
        if is_there("real"):
            bench_embedder(library, peer, movies, "real", REAL.split("/")[1], aims)
        else:
            print("real weights are not there: make weights")
        if "--real" not in sys.argv:
            bench_shapes(library, peer, folder, movies, aims)
        aims.print()


if __name__ == "__main__":
    main()

"""local_bench.py: local models beside onnxruntime, on random weights of real shapes, two threads.

    local_bench.py LIBRARY [--quick]     --quick: 100 movies instead of 1000

Speed does not depend on the values of weights. Texts and tokenizer are the published ones where
RERANK_SHARED names them. onnxruntime gets the token ids (tokenizing is not in its time) of the same weights
as an ONNX graph, and the best of its ways to batch counts.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "golden", "local"))
sys.path.insert(0, os.path.join(HERE, "..", "drivers"))
import models  # noqa: E402
import numpy  # noqa: E402

PEERS = os.path.join(HERE, "..", "..", "build", "peers")
SHARED = os.environ.get("RERANK_SHARED", "")
THREADS = 2
QUERY = "super hero mystery action movie about bats"
SHAPES = {
    "base": models.Spec(hidden=768, heads=12, layers=12, inner=3072, positions=512, rows=30522, pooling="cls",
                        seed=21),
    "cross": models.Spec(architecture="BertForSequenceClassification", hidden=384, heads=12, layers=6,
                         inner=1536, positions=512, rows=30522, prefix="bert.", seed=22),
}


def read_movies():
    path = os.path.join(SHARED, "movies.json")
    if SHARED and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    words = models.WORDS
    return [{"title": " ".join(words[(i * 7 + j) % len(words)] for j in range(3)),
             "overview": " ".join(words[(i * 13 + j * 5) % len(words)] for j in range(30 + i % 60)),
             "tagline": ""} for i in range(1000)]


def vocabulary():
    path = os.path.join(SHARED, "models", "bert-base-uncased-vocab.txt")
    if SHARED and os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return file.read().split("\n")[:-1]
    return models.bert_vocabulary()


def connect(library):
    import sqlite3
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(library)
    db.execute("SELECT rerank_config('threads', ?)", (str(THREADS),)).fetchall()
    for precision in ("bf16", "int8"):
        for shape in SHAPES:
            db.execute("INSERT INTO rerank_models(name, model, precision) VALUES (?, ?, ?)",
                       (f"{shape} {precision}", "local:bench/" + shape, precision))
    return db


def name_of(shape, precision):
    return "local:bench/" + shape if precision == "float32" else f"{shape} {precision}"


def timed(work, repeats=3):
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def ids_of(db, text):
    return json.loads(db.execute("SELECT token_ids(?, 'local:bench/base')", (text,)).fetchone()[0])


def pair_rows(db, documents):
    first = ids_of(db, QUERY)
    return [[first + second, [0] * len(first) + [1] * len(second)]
            for second in (ids_of(db, document)[1:] for document in documents)]


def run_peer(folder, shape, precision, rows, batches, repeats=3):
    """The best seconds over styles of graph and of batching; None without the peer."""
    rows_path, best = os.path.join(folder, "rows.json"), None
    with open(rows_path, "w", encoding="utf-8") as file:
        json.dump(rows, file)
    for style in ("export", "fused"):
        path = os.path.join(folder, f"{shape}-{precision}-{style}.onnx")
        if not os.path.exists(path):
            subprocess.run([sys.executable, os.path.join(HERE, "onnx_model.py"),
                            os.path.join(folder, "bench", shape), path, precision, style], check=True)
        for batch in batches:
            task = {"peers": os.path.abspath(PEERS), "model": path, "rows": rows_path, "batch": batch,
                    "threads": THREADS, "workers": 1, "repeats": repeats, "limit": 0, "outputs": None}
            done = subprocess.run(["node", os.path.join(HERE, "onnx_child.js"), json.dumps(task)],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                print("onnxruntime:", done.stderr.strip().split("\n")[-1][:100], flush=True)
                continue
            seconds = statistics.median(json.loads(done.stdout)["seconds"])
            if best is None or seconds < best[0]:
                best = (seconds, f"{style}, batches of {batch}")
    return best


def first_vector(library):
    """In a process of its own: seconds to the first vector, and the most memory it held."""
    code = ("import sys, time, sqlite3; start = time.perf_counter();"
            "db = sqlite3.connect(':memory:'); db.enable_load_extension(True); db.load_extension(sys.argv[1]);"
            "db.execute(\"SELECT embed('bats', 'local:bench/base')\").fetchall();"
            "print(time.perf_counter() - start,"
            " [x.split()[1] for x in open('/proc/self/status') if x.startswith('VmHWM')][0])")
    runs = [subprocess.run([sys.executable, "-c", code, library], capture_output=True, text=True, check=True)
            .stdout.split() for _ in range(3)]
    return statistics.median(float(run[0]) for run in runs), max(int(run[1]) for run in runs) / 1024


def cosines(exact, near):
    return min(float(a @ b / numpy.sqrt((a @ a) * (b @ b))) for a, b in zip(exact, near))


def embed_all(db, texts, precision):
    rows = db.execute("SELECT embedding FROM embed_each(?, ?)", (json.dumps(texts), name_of("base", precision)))
    return [numpy.frombuffer(row[0], dtype="<f4") for row in rows]


def bench_embedder(library, folder, movies):
    texts = [" ".join(filter(None, (m["title"], m["overview"], m["tagline"]))).strip() for m in movies]
    db = connect(library)
    rows = [[ids, [0] * len(ids)] for ids in (ids_of(db, text) for text in texts)]
    n_tokens = sum(len(ids) for ids, _ in rows)
    print(f"\n{len(texts)} movies, mean {n_tokens / len(texts):.0f} tokens, the shape of bge-base")
    vectors, seconds = {}, {}
    for precision in ("float32", "bf16", "int8"):
        vectors[precision] = embed_all(db, texts[:100], precision)
        times = []
        for _ in range(3 if len(texts) < 500 or precision != "float32" else 2):
            fresh = connect(library)        # its cache knows no text yet
            embed_all(fresh, ["warm"], precision)
            start = time.perf_counter()
            embed_all(fresh, texts, precision)
            times.append(time.perf_counter() - start)
            fresh.close()
        seconds[precision] = statistics.median(times)
        print(f"  {precision:8} {len(texts) / seconds[precision]:6.1f} docs/s, cosine to float32 at least "
              f"{cosines(vectors['float32'], vectors[precision]):.5f}", flush=True)
    print(f"  bf16 is {seconds['float32'] / seconds['bf16']:.2f} times float32", flush=True)
    for precision in ("float32", "int8"):
        peer = run_peer(folder, "base", precision, rows[:200], (1, 8, 16), 1)
        if peer:
            rate = min(200, len(rows)) / peer[0]
            print(f"  onnxruntime {precision:8} {rate:6.1f} docs/s ({peer[1]}; of 200 movies): ours is "
                  f"{len(texts) / seconds[precision] / rate:.2f} times that", flush=True)
    db.close()


def bench_reranker(library, folder, movies):
    db = connect(library)
    for what in ("title", "overview"):
        documents = [movie[what] for movie in movies[:25]]
        rows = pair_rows(db, documents)
        mean = sum(len(ids) for ids, _ in rows) / len(rows)
        print(f"\n25 pairs of the query and the {what}, mean {mean:.0f} tokens, the shape of MiniLM-L6")
        for precision in ("float32", "bf16", "int8"):
            sql = "SELECT count(*) FROM rerank(?, ?, NULL, ?)"
            values = (QUERY, json.dumps(documents), name_of("cross", precision))
            db.execute(sql, values).fetchall()
            ours = timed(lambda: db.execute(sql, values).fetchall(), 15)
            print(f"  {precision:8} {ours * 1e3:6.1f} ms", flush=True)
            peer = None if precision == "bf16" else run_peer(folder, "cross", precision, rows, (1, 5, 25), 9)
            if peer:
                print(f"  onnxruntime {peer[0] * 1e3:6.1f} ms ({peer[1]}): {peer[0] / ours:.2f} times ours",
                      flush=True)
    db.close()


def main():
    library = os.path.abspath(sys.argv[1])
    movies = read_movies()[:100 if "--quick" in sys.argv else 1000]
    subprocess.run(["npm", "install", "--no-package-lock", "--no-save", "--no-audit", "--no-fund", "--silent",
                    "--ignore-scripts", "--prefix", PEERS, "onnxruntime-node"], check=False)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RERANK_MODEL_PATH"] = folder
        for name, spec in SHAPES.items():
            models.write(os.path.join(folder, "bench", name), spec, vocabulary())
        size = os.path.getsize(os.path.join(folder, "bench", "base", "model.safetensors")) / 1048576
        seconds, peak = first_vector(library)
        print(f"a model of {size:.0f} MB: first vector after {seconds:.2f} s, peak memory {peak:.0f} MB "
              f"(the whole process of Python)", flush=True)
        bench_reranker(library, folder, movies)
        bench_embedder(library, folder, movies)


if __name__ == "__main__":
    main()

"""near_peers.py: libraries that find near vectors, from PyPI by name into build/peers-near.

Imported before numpy, which faiss wants newer than a system may have: that lies there, too.
"""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "build", "peers-near")
PACKAGES = ("numpy", "faiss-cpu", "hnswlib", "usearch")
THREADS = 2
sys.path.insert(1, FOLDER)


def install():
    """Those that pip finds, or makes of their source. Without one its lines say so."""
    for package in PACKAGES:
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target",
                        FOLDER, package], check=False)


def faiss_lists(rows, threads=THREADS):
    import faiss
    faiss.omp_set_num_threads(threads)
    lists = max(int(2 * len(rows) ** 0.5), 1)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], lists,
                               faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    return index


def ask_faiss(index):
    return lambda query, k: index.search(query[None], k)[1][0]


def near_lists(rows):
    index = faiss_lists(rows)
    index.nprobe = max(index.nlist // 32, 1)
    return ask_faiss(index)


def faiss_graph(rows):
    import faiss
    faiss.omp_set_num_threads(THREADS)
    index = faiss.IndexHNSWFlat(rows.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = 64
    index.add(rows)
    return ask_faiss(index)


def hnswlib_graph(rows):
    import hnswlib
    index = hnswlib.Index("cosine", rows.shape[1])
    index.init_index(max_elements=len(rows), M=16, ef_construction=100)
    index.set_num_threads(THREADS)
    index.add_items(rows)
    index.set_ef(64)
    return lambda query, k: index.knn_query(query, k)[0][0]


def usearch_graph(rows):
    from usearch.index import Index
    index = Index(ndim=rows.shape[1], metric="cos", dtype="f32")
    index.add(range(len(rows)), rows, threads=THREADS)
    return lambda query, k: index.search(query, k).keys


# What makes, of rows, a function from a query and k to the numbers of rows.
PEERS = {"faiss lists, 1 in 32": near_lists, "faiss hnsw 16, ef 64": faiss_graph,
         "hnswlib 16, ef 64": hnswlib_graph, "usearch": usearch_graph}

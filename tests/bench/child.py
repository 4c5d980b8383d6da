"""child.py TASK: one contender of index_bench in a process of its own, so that its memory is its
own.

TASK is JSON: `do` is build, search or numpy, the rest is what these functions take. The last line
of the output is JSON. Vectors are read from a .npy file in pieces, without numpy where SQLite is
measured.
"""
import concurrent.futures
import json
import resource
import sqlite3
import sys
import time

K = 25
LEAST_QUERIES = 11      # measured, however slow they are
LEAST_SECONDS = 1.0     # of measuring, however fast they are
MOST_ROUNDS = 20
WARM_UP = 2
PIECE = 1000            # vectors that a build reads at a time


def peak_bytes():
    """The most memory that was resident; pages of mapped files count."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss   # bytes on macOS


def seek_vectors(file):
    """Leaves an open .npy file at its first number (format version 1: numpy's NEP 1)."""
    head = file.read(10)
    file.seek(10 + int.from_bytes(head[8:10], "little"))


def numbered_vectors(path, rows, dimensions):
    size = 4 * dimensions
    with open(path, "rb") as file:
        seek_vectors(file)
        for start in range(0, rows, PIECE):
            count = min(PIECE, rows - start)
            piece = memoryview(file.read(count * size))
            for i in range(count):
                yield start + i + 1, piece[i * size:(i + 1) * size]


def connect(path, libraries):
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    for library in libraries:
        db.load_extension(library)
    return db


def build(path, libraries, create, insert, finish, vectors, rows, dimensions):
    db = connect(path, libraries)
    start = time.perf_counter()
    for sql in create:
        db.execute(sql)
    db.execute("BEGIN")
    db.executemany(insert, numbered_vectors(vectors, rows, dimensions))
    db.execute("COMMIT")
    for sql in finish:
        db.execute(sql).fetchall()
    db.close()              # vectorlite writes its file here
    seconds = time.perf_counter() - start
    return {"rows_per_second": rows / seconds, "build_bytes": peak_bytes()}


def read_queries(path, dimensions):
    with open(path, "rb") as file:
        seek_vectors(file)
        data = file.read()
    size = 4 * dimensions
    return [data[i:i + size] for i in range(0, len(data), size)]


def measure(search, queries, seconds):
    """Milliseconds of searches after the first, and what each query found.

    Each query once, and again in rounds while that took less than LEAST_SECONDS; when the time is
    over the rest is left out.
    """
    for query in queries[:WARM_UP]:
        search(query)
    times, found = [], []
    begin = time.perf_counter()
    for number in range(MOST_ROUNDS * len(queries)):
        passed = time.perf_counter() - begin
        if number >= min(LEAST_QUERIES, len(queries)) and passed > seconds:
            break
        if number >= LEAST_QUERIES and number % len(queries) == 0 and passed > LEAST_SECONDS:
            break
        start = time.perf_counter()
        answer = search(queries[number % len(queries)])
        times.append((time.perf_counter() - start) * 1000)
        if number < len(queries):
            found.append(answer)
    return times, found


def by_key(rows, count):
    found = [[] for _ in range(count)]
    for key, rowid in rows:
        found[key].append(rowid)
    return found


def search(path, libraries, prepare, query, queries, dimensions, many, seconds, only_first):
    """A fresh connection: its first query, what it needs before that included; then the others."""
    blobs = read_queries(queries, dimensions)
    count = len(blobs)
    if many:
        blobs = [b"".join(blobs)]
    db = connect(path, libraries)
    start = time.perf_counter()
    for sql in prepare:
        db.execute(sql).fetchall()
    db.execute(query, (blobs[0],)).fetchall()
    first = (time.perf_counter() - start) * 1000
    if only_first:
        return {"first": first / count if many else first}
    if many:
        times, (rows,) = measure(lambda blob: db.execute(query, (blob,)).fetchall(), blobs, seconds)
        times, found, first = [time / count for time in times], by_key(rows, count), first / count
    else:
        times, found = measure(lambda blob: [row[0] for row in db.execute(query, (blob,))], blobs,
                               seconds)
    return {"first": first, "times": times, "found": found, "bytes": peak_bytes()}


def numpy_search(vectors, rows, dimensions, queries, threads, seconds):
    """argpartition of a product of all vectors, which are in memory; with threads, of a part
    each."""
    import numpy  # only here: it takes 30 MB

    start = time.perf_counter()
    with open(vectors, "rb") as file:
        seek_vectors(file)
        matrix = numpy.fromfile(file, numpy.float32, rows * dimensions).reshape(rows, dimensions)
    parts = [(rows * i // threads, rows * (i + 1) // threads) for i in range(threads)]
    k = min(K, rows)

    def best_of(part, query):
        begin, end = part
        similarities = matrix[begin:end] @ query
        if end - begin <= k:
            return similarities, numpy.arange(begin, end)
        which = numpy.argpartition(similarities, -k)[-k:]
        return similarities[which], which + begin

    def find(query, run):
        answers = list(run(best_of, parts, [query] * threads))
        similarities, rowids = (numpy.concatenate(arrays) for arrays in zip(*answers))
        return (rowids[numpy.argsort(-similarities)[:k]] + 1).tolist()

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        run = pool.map if threads > 1 else map
        arrays = [numpy.frombuffer(blob, numpy.float32)
                  for blob in read_queries(queries, dimensions)]
        find(arrays[0], run)
        first = (time.perf_counter() - start) * 1000
        times, found = measure(lambda query: find(query, run), arrays, seconds)
    return {"first": first, "times": times, "found": found, "bytes": peak_bytes()}


def main():
    task = json.loads(sys.argv[1])
    work = {"build": build, "search": search, "numpy": numpy_search}[task.pop("do")]
    print(json.dumps(work(**task)))


if __name__ == "__main__":
    main()

"""index_bench.py: semantic_index beside other vector searches, one table for each size.

Each contender builds and searches in processes of its own, on the same vectors; databases are files
with SQLite's default settings. rows/s: from CREATE to closing, one transaction. first: the first
query of a fresh process and connection, the file in the system's cache, median of three. warm, p95:
the queries after it. recall: of the 25 true neighbours. peak: the most resident memory of the
searching process, and of the building one, mapped files and the interpreter (some 15 MB) included.
x ours: the warm median over that of our line for the same work.
"""
import argparse
import dataclasses
import fnmatch
import glob
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile

import contenders
import machine
import peers
import reach

try:
    import numpy
    import vectors
except ImportError:
    sys.exit("index_bench: this Python has no numpy (Debian: apt-get install python3-numpy "
             "libopenblas0-pthread, and /usr/bin/python3)")

HERE = os.path.dirname(os.path.abspath(__file__))
# This machine's own kernels of OpenBLAS, and one thread for each of ours.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
ENVIRONMENT["OPENBLAS_NUM_THREADS"] = "1"
ROWS = [1000, 10000, 100000, 1000000]
DIMENSIONS = [384, 768]
QUERIES = 100
SECONDS = 20            # of measuring a contender, at most; eleven queries at least
FIRSTS = 3
READS = 3
LONGEST = 3600          # seconds of one process
HELP = """On two cores the default run takes some 70 minutes and 15 GB of disk, half of it for
1,000,000 x 768; --reach 10 to 15 minutes. Sizes up to 10,000 take 10 minutes, most of them for
libSQL's DiskANN."""


@dataclasses.dataclass
class Figures:
    """One line of the table; what was not measured is None."""
    label: str
    group: str
    rate: float = None
    file_megabytes: float = None
    first: float = None
    median: float = None
    p95: float = None
    recall: float = None
    megabytes: float = None
    build_megabytes: float = None
    error: str = None


class Failure(Exception):
    pass


def run_process(command):
    """The last line of what a process prints, from JSON; Failure with its last words."""
    try:
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True,
                              timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"took longer than {LONGEST} s") from None
    except OSError as error:
        raise Failure(str(error)) from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Failure(lines[-1])
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise Failure(f"no figures, but {done.stdout[-60:]!r}") from None


def run_python(**task):
    return run_process([sys.executable, os.path.join(HERE, "child.py"), json.dumps(task)])


def run_node(**task):
    return run_process(["node", os.path.join(HERE, "libsql_child.js"), json.dumps(task)])


class Table:
    """All contenders on one size. Stores are built when the first contender needs them, and then
    kept until the last one is done."""

    def __init__(self, setting, dataset, rows):
        self.setting, self.dataset, self.rows = setting, dataset, rows
        self.built = {}
        self.figures = {}

    def common(self, contender):
        return {"rows": contender.rows_built(self.rows), "dimensions": self.dataset.dimensions}

    def libraries(self, names):
        missing = [name for name in names if name not in self.setting.libraries]
        if missing:
            raise Failure(f"{missing[0]} is not installed")
        return [self.setting.libraries[name] for name in names]

    def store_path(self, name):
        return os.path.join(self.setting.folder, f"{name}.db")

    def fill(self, statements, path):
        dimensions = str(self.dataset.dimensions)
        return [sql.replace("{d}", dimensions).replace("{path}", path) for sql in statements]

    def build(self, contender):
        """What building the contender's store gave, or its Failure, from the first time."""
        name = contender.store
        if name not in self.built:
            try:
                self.built[name] = self.build_now(contender)
            except Failure as failure:
                self.built[name] = failure
        if isinstance(self.built[name], Failure):
            raise self.built[name]
        return self.built[name]

    def build_now(self, contender):
        path = self.store_path(contender.store)
        task = {"do": "build", "path": path, "vectors": self.dataset.path, **self.common(contender)}
        if contender.kind == "libsql":
            self.need_libsql()
            built = run_node(peers=self.setting.peers, index="diskann" in contender.store, **task)
        else:
            store = contenders.STORES[contender.store]
            built = run_python(libraries=self.libraries(store.libraries), insert=store.insert,
                               create=self.fill(store.create, path),
                               finish=self.fill(store.finish, path), **task)
        return {**built, "file_bytes": sum(os.path.getsize(part) for part in glob.glob(path + "*"))}

    def need_libsql(self):
        if shutil.which("node") is None or "libsql" not in self.setting.versions:
            raise Failure("libsql is not installed")

    def remove_store(self, name):
        for part in glob.glob(self.store_path(name) + "*"):
            os.remove(part)

    def search(self, contender):
        path = self.store_path(contender.store)
        task = {"do": "search", "path": path, "queries": self.dataset.queries_path,
                "query": contender.query, "dimensions": self.dataset.dimensions, "seconds": SECONDS}
        if contender.kind == "libsql":
            task.update(peers=self.setting.peers, n_queries=len(self.dataset.queries))
            run = run_node
        else:
            task.update(libraries=self.libraries(contender.libraries), many=contender.many,
                        prepare=self.fill(contender.prepare, path))
            run = run_python
        answer = run(only_first=False, **task)
        firsts = [run(only_first=True, **task)["first"] for _ in range(FIRSTS - 1)]
        answer["first"] = statistics.median([answer["first"], *firsts])
        return answer

    def search_numpy(self, contender):
        return run_python(do="numpy", vectors=self.dataset.path, queries=self.dataset.queries_path,
                          threads=contender.threads, seconds=SECONDS, **self.common(contender))

    def read(self, contender, figures):
        n_bytes = self.rows * self.dataset.dimensions * contender.bits // 8
        figures.median = read_milliseconds(self.setting.folder, n_bytes)

    def measure(self, contender, figures):
        if contender.kind == "read":
            self.read(contender, figures)
            return
        if contender.store:
            built = self.build(contender)
            figures.rate = built["rows_per_second"]
            figures.file_megabytes = built["file_bytes"] / 1e6
            figures.build_megabytes = built["build_bytes"] / 1e6
        search = self.search_numpy if contender.kind == "numpy" else self.search
        answer = search(contender)
        times = sorted(answer["times"])
        figures.first, figures.median = answer["first"], statistics.median(times)
        figures.p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
        figures.megabytes = answer["bytes"] / 1e6
        figures.recall = self.dataset.recall(contender.rows_built(self.rows), answer["found"])

    def run(self, chosen):
        """Prints a line for each contender, in the order of the list, and gives name -> Figures."""
        chosen = [contender for contender in chosen if contender.takes_part(self.rows)]
        print(f"\n{self.rows:,} x {self.dataset.dimensions}, k = {contenders.K}, "
              f"{len(self.dataset.queries)} queries\n{HEAD}")
        for position, contender in enumerate(chosen):
            label = contender.label
            if contender.rows_built(self.rows) < self.rows:
                label += f", of {contender.built_rows:,} rows"
            figures = self.figures[contender.name] = Figures(label, contender.group)
            try:
                self.measure(contender, figures)
            # whatever it is, it belongs to this line: the run goes on
            except Exception as failure:
                figures.error = str(failure) or type(failure).__name__
            print(line(figures, self.figures.get(contenders.OURS[contender.group])), flush=True)
            if contender.store and all(other.store != contender.store
                                       for other in chosen[position + 1:]):
                self.remove_store(contender.store)
        return self.figures


HEAD = (f"{'':<46}{'rows/s':>9}{'file MB':>9}{'first ms':>10}{'warm ms':>10}{'p95 ms':>10}"
        f"{'recall':>8}"
        f"{'peak MB':>9}{'building':>9}{'x ours':>8}")


def line(figures, ours):
    if figures.error:
        return f"{figures.label:<46}  {figures.error[:100]}"

    def cell(value, width, digits):
        return f"{'':>{width}}" if value is None else f"{value:>{width},.{digits}f}"

    compared = ours if ours is not figures and ours is not None and ours.median else None
    ratio = figures.median / compared.median if compared else None
    return (f"{figures.label:<46}{cell(figures.rate, 9, 0)}{cell(figures.file_megabytes, 9, 1)}"
            f"{cell(figures.first, 10, 2)}{cell(figures.median, 10, 3)}{cell(figures.p95, 10, 3)}"
            f"{cell(figures.recall, 8, 3)}{cell(figures.megabytes, 9, 0)}"
            f"{cell(figures.build_megabytes, 9, 0)}{cell(ratio, 8, 2)}")


def read_milliseconds(folder, n_bytes):
    """What read_bench.c measures, built for this very processor: the least median, as it is a
    floor."""
    program = os.path.join(folder, "read_bench")
    try:
        if not os.path.exists(program):
            subprocess.run([os.environ.get("CC", "cc"), "-O3", "-march=native", "-pthread", "-o",
                            program, os.path.join(HERE, "read_bench.c")], check=True,
                           capture_output=True)
        done = subprocess.run([program, "2", *[str(n_bytes)] * READS], check=True,
                              capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(str(error)) from None
    return min(float(row.split()[2]) for row in done.stdout.splitlines()[1:])


@dataclasses.dataclass
class Setting:
    """What all tables of a run share."""
    folder: str
    peers: str
    libraries: dict
    versions: dict


def blas_name():
    """The kernels that numpy's BLAS runs in the children."""
    code = ("import ctypes, numpy, re\n"
            "paths = re.findall(r'/\\S*blas\\S*', open('/proc/self/maps').read())\n"
            "name = ctypes.CDLL(next(p for p in paths if 'openblas' in p)).openblas_get_corename\n"
            "name.restype = ctypes.c_char_p\n"
            "print('\"OpenBLAS ' + name().decode() + '\"')")
    try:
        return run_process([sys.executable, "-c", code])
    except Failure:
        return "without OpenBLAS: slow"


def print_facts(setting):
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(setting.libraries["rerank"])
    ours = db.execute("SELECT rerank_version()").fetchone()[0]
    print(machine.facts())
    print(f"SQLite {sqlite3.sqlite_version}, Python {platform.python_version()}, numpy "
          f"{numpy.__version__} "
          f"({blas_name()})")
    others = [f"{name} {number}" for name, number in setting.versions.items()]
    print(", ".join([f"sqlite-rerank {ours}", *others]))


def comma_list(convert):
    def parse(text):
        return [convert(item) for item in text.split(",") if item]
    return parse


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, epilog=HELP,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", metavar="LIBRARY")
    parser.add_argument("--rows", type=comma_list(int), help="of " + ",".join(map(str, ROWS)))
    parser.add_argument("--dimensions", type=comma_list(int), default=DIMENSIONS, help="384,768")
    parser.add_argument("--vectors", metavar="FILE",
                        help="real vectors: .npy, or GloVe or word2vec text")
    parser.add_argument("--peers", metavar="FOLDER", default=peers.FOLDER,
                        help="where npm puts them")
    parser.add_argument("--only", type=comma_list(str), metavar="NAME,...",
                        help="contenders, * allowed: "
                        + " ".join(c.name for c in contenders.CONTENDERS))
    parser.add_argument("--queries", type=int, default=QUERIES, help=f"{QUERIES}")
    parser.add_argument("--reach", action="store_true",
                        help="only what the aims in reach.py compare")
    parser.add_argument("--folder",
                        help="for vectors (kept) and databases; default: a temporary one")
    return parser.parse_args()


def choose(patterns):
    return [contender for contender in contenders.CONTENDERS
            if not patterns
            or any(fnmatch.fnmatch(contender.name, pattern) for pattern in patterns)]


def datasets(arguments, folder):
    """Pairs of a dataset and the rows to take from it, in the order of the tables."""
    if arguments.vectors:
        dataset = vectors.from_file(folder, arguments.vectors, arguments.queries)
        rows = [n for n in arguments.rows or ROWS if n <= dataset.rows] or [dataset.rows]
        return [(dataset, n) for n in rows]
    sizes = [(n, d) for d in arguments.dimensions for n in arguments.rows or ROWS]
    if arguments.reach:
        sizes = [size for size in reach.needed() if size[1] in arguments.dimensions
                 and (not arguments.rows or size[0] in arguments.rows)]
    most = {d: max(n for n, other in sizes if other == d) for _, d in sizes}
    drawn = {d: vectors.drawn(folder, n, d, arguments.queries) for d, n in most.items()}
    return [(drawn[d], n) for n, d in sizes]


def run_all(arguments, folder):
    peers.install(arguments.peers)
    libraries = {"rerank": os.path.abspath(arguments.library), **peers.libraries(arguments.peers)}
    setting = Setting(folder, os.path.abspath(arguments.peers), libraries,
                      peers.versions(arguments.peers))
    print_facts(setting)
    results = {}
    try:
        sizes = datasets(arguments, folder)
    except (OSError, ValueError) as error:
        sys.exit(f"index_bench: {error}")
    for dataset, rows in sizes:
        size = (rows, dataset.dimensions)
        chosen = choose(arguments.only)
        if arguments.reach:
            chosen = [contender for contender in chosen if contender.name in reach.needed()[size]]
        results[size] = Table(setting, dataset, rows).run(chosen)
    reach.report(results)


def main():
    arguments = parse_arguments()
    if arguments.folder:
        os.makedirs(arguments.folder, exist_ok=True)
        run_all(arguments, arguments.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        run_all(arguments, folder)


if __name__ == "__main__":
    main()

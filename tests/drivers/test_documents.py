"""The documents: their SQL runs, their results come out, and what they name is there.

A document is any *.md of FOLDERS. Each has its ```sql blocks run in one shell of its own, from top
to bottom. A line `--> text` is a line that the statement before it prints.
"""
import glob
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import support  # noqa: E402
sys.path.insert(0, os.path.join(support.ROOT, "tests", "http"))
from loopback import Loopback  # noqa: E402

FOLDERS = ("", "ext", "ext/bindings", "sql", "tests", "tests/bench", "datasets")
WIDTH = 120
README_LINES = 200
# Beside the README.md of each folder.
PAGES = ("ext/CHANGES.md", "sql/browser.md", "sql/cluster.md", "sql/drivers.md")
# Small models with random weights stand in for those that the documents name.
LOCAL_MODELS = {"BAAI/bge-base-en-v1.5": "cls", "cross-encoder/ms-marco-MiniLM-L6-v2": "cross"}


def path_of(name):
    return os.path.join(support.ROOT, name)


def read(name):
    with open(path_of(name), encoding="utf-8") as file:
        return file.read()


def documents():
    return [os.path.relpath(path, support.ROOT) for folder in FOLDERS
            for path in sorted(glob.glob(path_of(os.path.join(folder, "*.md"))))]


# ---- what a document holds -----------------------------------------------------------------------

def sql_of(text):
    return "\n".join(re.findall(r"^```sql\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def code_of(text):
    """Each `span` of code, and each line of indented or fenced code that is not SQL."""
    text = re.sub(r"^```sql\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in text.splitlines():
        if line.startswith("    "):
            yield line.strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)


def anchors_of(text):
    """The fragments that links may name: headings, as GitHub writes them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def make_targets():
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))


def source_names():
    """Every name in the C sources: functions, structs, constants."""
    names = set()
    for pattern in ("ext/*/*.[ch]", "ext/*/*/*.[ch]"):
        for path in glob.glob(path_of(pattern)):
            names.update(re.findall(r"\w+", read(path)))
    return names


# ---- the tests -----------------------------------------------------------------------------------

def with_markers(sql):
    """(script, expectations): behind each group of `-->` lines a marker is printed."""
    script, expected, group = [], [], []
    for line in sql.splitlines() + [""]:
        if line.startswith("-->"):
            group.append(line[3:].strip())
        elif group:
            script.append(f".print =={len(expected)}==")
            expected.append(group)
            group = []
        script.append(line)
    return "\n".join(script), expected


class SqlTest(unittest.TestCase):
    def setUp(self):
        self.workplace = support.Workplace()
        self.addCleanup(self.workplace.close)
        self.models = os.path.join(self.workplace.folder.name, "models")
        self.write_models()

    def write_models(self):
        subprocess.run([sys.executable, "-B", path_of("tests/golden/local/models.py"), self.models],
                       stderr=subprocess.DEVNULL, check=False)
        for name, kind in LOCAL_MODELS.items():
            os.makedirs(os.path.join(self.models, os.path.dirname(name)), exist_ok=True)
            os.symlink(os.path.join(self.models, "test", kind), os.path.join(self.models, name))

    def have_models(self):
        return os.path.isdir(os.path.join(self.models, "test"))

    def run_sql(self, sql, server):
        """The output, with the loopback server for Together and for the server on the desk."""
        sql = sql.replace("http://localhost:1234/v1", server.base_url("vllm"))
        status, output = self.workplace.run(
            sql, TOGETHER_API_KEY="test-key", TOGETHER_BASE_URL=server.base_url("together"),
            RERANK_MODEL_PATH=self.models)
        self.assertNotRegex(output, r"(?i)\berror\b")
        self.assertEqual(status, 0, output)
        return output

    def check(self, name):
        script, expected = with_markers(sql_of(read(name)))
        if "'local:" in script and not self.have_models():
            self.skipTest("numpy is not there, which writes the local models")
        with Loopback() as server:
            output = self.run_sql(script, server)
            paths = {request.path for request in server.requests}
        parts = re.split(r"^==\d+==\n", output, flags=re.MULTILINE)
        self.assertEqual(len(parts), len(expected) + 1, output)
        for part, lines in zip(parts, expected):
            self.assertEqual(part.splitlines()[-len(lines):], lines)
        return len(expected), paths

    def test_readme(self):
        self.check("README.md")

    def test_reference(self):
        n_results, paths = self.check("sql/README.md")
        self.assertGreater(n_results, 8)
        self.assertEqual(paths, {"/together/v1/embeddings", "/together/v1/rerank",
                                 "/vllm/v1/embeddings", "/together/v1/chat/completions"})

    def test_the_others(self):
        for name in documents():
            if name not in ("README.md", "sql/README.md") and sql_of(read(name)):
                with self.subTest(name):
                    self.check(name)


class PythonTest(unittest.TestCase):
    def test_it_runs(self):
        """All ```python blocks, with a connection called db; test_drivers.py has its own."""
        names = [name for name in documents() if name != "sql/drivers.md"]
        blocks = [block for name in names for block in re.findall(
            r"^```python\n(.*?)^```", read(name), re.MULTILINE | re.DOTALL)]
        self.assertGreater(len(blocks), 0)
        for block in blocks:
            db = support.sqlite3.connect(":memory:")
            self.addCleanup(db.close)
            exec(block.replace("build/rerank", support.EXTENSION), {"db": db})
            self.assertTrue(db.execute("SELECT rerank_version()").fetchone())


class PictureTest(unittest.TestCase):
    @unittest.skipIf(support.published_movies() is None, "the published movies are not here")
    def test_it_is_what_the_recipe_draws(self):
        workplace = support.Workplace(support.published_movies())
        self.addCleanup(workplace.close)
        status, output = workplace.run(".read sql/pictures.sql\n")
        self.assertEqual(status, 0, output)
        with open(os.path.join(workplace.folder.name, "build", "ranks.svg"),
                  encoding="utf-8") as file:
            self.assertEqual(file.read(), read("sql/demo.svg"))


class FormTest(unittest.TestCase):
    def test_width(self):
        long = [f"{name}:{number}" for name in documents()
                for number, line in enumerate(read(name).splitlines(), 1) if len(line) > WIDTH]
        self.assertEqual(long, [])

    def test_readme_is_short(self):
        self.assertLessEqual(len(read("README.md").splitlines()), README_LINES)

    def test_documents_are_there(self):
        expected = {os.path.join(folder, "README.md") for folder in FOLDERS} | set(PAGES)
        self.assertEqual(set(documents()), expected)


def link_is_broken(name, target):
    file, _, anchor = target.partition("#")
    found = os.path.normpath(os.path.join(os.path.dirname(name), file)) if file else name
    if not os.path.exists(path_of(found)):
        return True
    return bool(anchor) and anchor not in anchors_of(read(found))


def unknown_targets(code):
    """The words after `make` that are no targets; options and variables are none either."""
    words = code.partition("#")[0].split()
    named = words[words.index("make") + 1:] if "make" in words else []
    return [word for word in named if re.fullmatch(r"[a-z]+", word) and word not in make_targets()]


def file_is_missing(name, word):
    """Is it a path, from the root or from the document's folder, that is not there? What is built
    is looked for as its source. In capitals stands whatever name one gives; an extension may be
    left out."""
    word = word.removeprefix("./")
    top, _, rest = word.partition("/")
    built = re.fullmatch(r"build/(?:\w+/)?(bench|fuzz|tests)/(.+)", word)
    if built:
        folder = "tests" if built.group(1) == "tests" else f"tests/{built.group(1)}"
        return not os.path.exists(path_of(f"{folder}/{built.group(2)}.c"))
    if not top or not rest or top == "build":
        return False
    folders = [folder for folder in {"", os.path.dirname(name)}
               if os.path.isdir(path_of(os.path.join(folder, top)))]
    paths = [os.path.join(folder, path) for folder in folders
             for path in (word, word + ".*", re.sub(r"[A-Z]{3,}", "*", word))]
    return bool(paths) and not any(glob.glob(path_of(path)) for path in paths)


class NamesTest(unittest.TestCase):
    """What a document names is there."""

    maxDiff = None

    def test_links(self):
        links = [(name, target) for name in documents()
                 for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", read(name))]
        self.assertGreater(len(links), 30)
        self.assertEqual([link for link in links if link_is_broken(*link)], [])

    def test_make_targets(self):
        self.assertEqual([(name, word) for name in documents() for code in code_of(read(name))
                          for word in unknown_targets(code)], [])

    def test_files(self):
        named = [(name, word.rstrip(".,")) for name in documents() for code in code_of(read(name))
                 for word in re.findall(r"[\w.*\[\]/-]+", code)]
        self.assertEqual([file for file in named if file_is_missing(*file)], [])

    def test_names_in_the_map(self):
        """ext/README.md: `name()` is a function of ours, `A_NAME` a constant, `struct x` one."""
        known, text = source_names(), read("ext/README.md")
        spans = [span for line in text.splitlines() for span in re.findall(r"`([^`]+)`", line)]
        names = [name for span in spans
                 for name in re.findall(
                     r"\b([a-z]\w*)\(\)|\b([A-Z]+_[A-Z_0-9]+)\b|\b(?:struct|enum) (\w+)", span)]
        names = {part for name in names for part in name if part}
        self.assertGreater(len(names), 30)
        self.assertEqual(sorted(name for name in names if name not in known), [])

    def test_where_the_map_finds_functions(self):
        """`name()` in `file`, and `file`, `name()`."""
        text = " ".join(read("ext/README.md").split())
        found = [(file, name) for name, file in re.findall(r"`(\w+)\(\)` in `([\w/]+\.c)`", text)]
        found += re.findall(r"`([\w/]+\.c)`, `(\w+)\(\)`", text)
        self.assertGreater(len(found), 20)
        self.assertEqual([pair for pair in found if not re.search(
            rf"^[a-z].*\b{pair[1]}\(", read(os.path.join("ext", pair[0])), re.MULTILINE)], [])

    def test_every_room_is_on_the_map(self):
        text = read("ext/README.md")
        for folder in sorted(glob.glob(path_of("ext/*/"))):
            self.assertIn(f"`{os.path.basename(folder[:-1])}`", text)

    def test_every_file_of_the_virtual_table_is_told(self):
        """The head of ext/semantic/table.h lists the files of its room."""
        head = read("ext/semantic/table.h").partition("*/")[0]
        for path in glob.glob(path_of("ext/semantic/*.[ch]")):
            name = os.path.basename(path)[:-2]
            if name != "table":
                self.assertRegex(head, rf"\*.*(   |  | ){name}  ?")

    def test_every_bench_is_told(self):
        text = read("tests/bench/README.md")
        programs = [path for path in glob.glob(path_of("tests/bench/*")) if "bench." in path]
        for program in programs + ["instructions.py", "recall.py"]:
            self.assertIn(re.sub(r"\.c$", "", os.path.basename(program)), text)

    def test_every_kind_of_test_is_told(self):
        text = read("tests/README.md")
        for folder in sorted(glob.glob(path_of("tests/*/"))):
            kind = os.path.basename(folder[:-1])
            if not kind.startswith("__"):
                self.assertIn(f"`{kind}/`", text)

    def test_the_newest_version_is_this_one(self):
        db = support.connect()
        self.addCleanup(db.close)
        versions = re.findall(r"^## (\d+\.\d+\.\d+)", read("ext/CHANGES.md"), re.MULTILINE)
        self.assertEqual(versions[0], db.execute("SELECT rerank_version()").fetchone()[0])


class ReferenceTest(support.Base):
    """What SQL can name is in sql/README.md."""

    def is_told(self, names, form="{}"):
        text = read("sql/README.md")
        self.assertGreater(len(names), 1)
        self.assertEqual([name for name in sorted(names) if form.format(name) not in text], [])

    def listed_by_error(self, sql):
        """The names of "... (there are: a, b, c)"."""
        with self.assertRaises(support.sqlite3.Error) as caught:
            self.db.execute(sql)
        return re.search(r"\(there are: (.*)\)", str(caught.exception)).group(1).split(", ")

    def made_by_us(self, names):
        """Of the names that a query lists those that there are not without the library."""
        plain = support.sqlite3.connect(":memory:")
        self.addCleanup(plain.close)
        return {name for name, in self.db.execute(names)} - {
            name for name, in plain.execute(names)}

    def test_recipes(self):
        self.is_told([os.path.basename(path) for path in glob.glob(path_of("sql/*.sql"))], "]({})")

    def test_functions_and_tables(self):
        self.is_told(self.made_by_us(
            "SELECT name FROM pragma_function_list UNION SELECT name FROM pragma_module_list"))

    def test_columns(self):
        """In code, be it of a signature; but for k, which semantic_recall has twice."""
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index()")
        code = " ".join(code_of(read("sql/README.md")))
        for table in self.made_by_us("SELECT name FROM pragma_module_list") | {"ix"}:
            columns = {name for name, in self.db.execute(
                "SELECT name FROM pragma_table_xinfo(?)", (table,))} - {"wanted_k", "ix"}
            self.assertEqual(columns - set(re.findall(r"\w+", code)), set(), table)

    def test_commands(self):
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index()")
        listed = self.listed_by_error("INSERT INTO ix(ix) VALUES ('nothing')")
        words = [re.sub(r"^.*: | [A-Z]+$", "", name) for name in listed]
        self.is_told(words, "'{}")

    def test_settings(self):
        self.is_told(self.listed_by_error("SELECT rerank_config('nothing')"), "| `{}` |")

    def test_options(self):
        sql = "CREATE VIRTUAL TABLE ix USING semantic_index(nothing = 1)"
        self.is_told(self.listed_by_error(sql), "`{}`")

    def test_providers(self):
        self.is_told(re.findall(r'\.name = "([a-z-]+)"', read("ext/api/provider.c")), "`{}`")

    def test_architectures(self):
        sources = "".join(read(path) for path in glob.glob(path_of("ext/local/*.c")))
        names = re.findall(r'\{"([A-Z]\w+(?:Model|Classification|MaskedLM))", ', sources)
        self.is_told(names, "`{}`")


if __name__ == "__main__":
    unittest.main()

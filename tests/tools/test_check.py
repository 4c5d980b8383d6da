"""Plants a violation of each rule in a copy of ext/base/: check.py must find it."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHECK = os.path.join(ROOT, "tests", "check.py")

LONG_FUNCTION = "void base_planted(void)\n{\n" + "    ;\n" * 121 + "}\n"

# (rule, file, what is planted, what the message says)
VIOLATIONS = [
    ("floors", "base/planted.c", '#include "vector/codec.h"\n', "base/ does not include vector/"),
    ("floors", "lexical/planted.c", '#include "api/provider.h"\n', "does not include api/"),
    ("floors", "text/planted.c", '#include "vector/codec.h"\n', "text/ does not include vector/"),
    ("floors", "index/planted.c", '#include "catalog/catalog.h"\n', "does not include catalog/"),
    ("floors", "cellar/planted.c", "int cellar;\n", "cellar/ has no floor"),
    ("floors", "model/planted.c", '#include "planted.h"\n', "does not begin with a room"),
    ("third-party headers", "model/planted.c", "#include <sqlite3.h>\n", "sqlite3.h belongs to"),
    ("third-party headers", "index/planted.c", "#include <sqlite3ext.h>\n", "belongs to sqlite/"),
    ("third-party headers", "model/planted.c", "#include <curl/curl.h>\n", "belongs to http/"),
    ("third-party headers", "sqlite/planted.c", "#include <cjson/cJSON.h>\n", "base/ alone"),
    ("third-party headers", "base/planted.c", "#include <openssl/sha.h>\n", "not a header"),
    ("no included .c file", "base/planted.c", '#include "base/hash.c"\n', "includes base/hash.c"),
    ("memory through base/", "text/planted.c", "void *p(void) { return malloc(1); }\n", "malloc()"),
    ("memory through base/", "text/planted.c", "void p(void *b) { free(b); }\n", "free()"),
    ("no output, no exit", "text/planted.c", "void p(void) { abort(); }\n", "abort()"),
    ("no output, no exit", "text/planted.c", "void p(void) { exit(1); }\n", "exit()"),
    ("no output, no exit", "text/planted.c", 'void p(void) { printf("x"); }\n', "printf()"),
    ("no output, no exit", "text/planted.c", "void *p(void) { return stderr; }\n", "stderr"),
    ("file length", "base/planted.c", "\n" * 1001, "1001 lines"),
    ("function length", "base/planted.c", LONG_FUNCTION, "a function of 123 lines"),
    ("nothing left over", "base/planted.c", "/* TO" "DO: more */\n", "TO" "DO"),
] + [
    ("banned functions", "base/planted.c", f"void p(void) {{ {name}(0); }}\n", name + "() is banned")
    for name in ("strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "atof")
]

# What looks like a violation and is none.
INNOCENT = """/* strcpy(a, b); malloc(1) */
int base_planted(struct base_methods *methods, void *block);
int base_planted(struct base_methods *methods, void *block)
{
    methods->free(block);
    return snprintf_like("exit(1); printf(x)", 'x');
}
"""


class CheckTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        shutil.copytree(os.path.join(ROOT, "ext", "base"), os.path.join(self.root, "ext", "base"))

    def check(self, *arguments):
        result = subprocess.run(
            [sys.executable, CHECK, "--root", self.root, *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False)
        return result.returncode, result.stdout.decode()

    def plant(self, path, text):
        path = os.path.join(self.root, "ext", path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def test_finds_each_violation(self):
        for rule, path, text, message in VIOLATIONS:
            with self.subTest(rule=rule, text=text[:40]):
                self.plant(path, text)
                status, output = self.check()
                os.remove(os.path.join(self.root, "ext", path))
                self.assertEqual(status, 1, output)
                self.assertRegex(output, rf"(?m)^{rule} +broken$")
                self.assertIn(f"ext/{path}:", output)
                self.assertIn(message, output)

    def test_comments_strings_and_members_are_innocent(self):
        self.plant("base/planted.c", INNOCENT)
        status, output = self.check()
        self.assertEqual(status, 0, output)

    def test_finds_symbols_of_a_library(self):
        source = os.path.join(self.root, "library.c")
        library = os.path.join(self.root, "library.so")
        with open(source, "w", encoding="utf-8") as file:
            file.write("void abort(void); int other(void) { abort(); }\n")
        subprocess.run(["cc", "-w", "-shared", "-fPIC", "-o", library, source], check=True)
        status, output = self.check("--library", library)
        self.assertEqual(status, 1, output)
        self.assertIn("exports other", output)
        self.assertIn("does not export sqlite3_rerank_init", output)
        self.assertIn("needs abort", output)

    def test_finds_what_clang_format_would_change(self):
        shutil.copy(os.path.join(ROOT, ".clang-format"), self.root)
        self.plant("base/planted.c", "int  base_planted ( void ) ;\n")
        status, output = self.check()
        if "format                   skipped" in output:
            self.skipTest("clang-format 14 is not here")
        self.assertEqual(status, 1, output)
        self.assertIn("clang-format would change", output)


if __name__ == "__main__":
    unittest.main()

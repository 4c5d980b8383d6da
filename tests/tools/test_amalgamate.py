"""A small house whose files clash in every way: in one file they must not."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import amalgamate  # noqa: E402

HOUSE = {
    "rooms": "base:\nextension: base\n",
    "base/a.h": "#ifndef A_H\n#define A_H\n#include \"base/rounding.h\"\n"
                "struct a;\nextern const int a_number;\nint a_value(void);\n#endif\n",
    "base/rounding.h": "#ifndef R_H\n#define R_H\n#endif\n",
    "base/a.c": '#include "base/a.h"\n\n#include <cjson/cJSON.h>\n\n'
                "#define SIZE 3\nenum { LIMIT = 4 };\n"
                "struct a {\n    int limit;\n};\nstatic int helper(void)\n{\n    return SIZE;\n}\n"
                "const int a_number = LIMIT;\n"
                "int a_value(void)\n{\n    struct a a = {.limit = helper()};\n"
                "    return a.limit;\n}\n",
    "extension/version.h": '#define RERANK_VERSION "9.8.7"\n',
    "extension/e.c": '#include "base/a.h"\n#include "extension/version.h"\n\n#define SIZE 10\n'
                     "enum { LIMIT = 100 };\nstruct own {\n    int helper;\n};\n"
                     "static int helper(void)\n{\n    return SIZE;\n}\n"
                     "int sqlite3_rerank_init(void);\nint sqlite3_rerank_init(void)\n{\n"
                     "    struct own own = {.helper = helper()};\n"
                     "    return own.helper + LIMIT + a_value() + a_number;\n}\n",
}
CJSON = {
    "cJSON.h": "/* first */\n#define CJSON_PUBLIC(type) type\n\n/* second */\n"
               "CJSON_PUBLIC(const char*) cJSON_Version(void);\n",
    "cJSON.c": '#include "cJSON.h"\nCJSON_PUBLIC(const char*) cJSON_Version(void)\n{\n'
               '    return "1";\n}\n',
}
MAIN = ('int sqlite3_rerank_init(void);\nint helper(void);\nint helper(void) { return 0; }\n'
        "int main(void) { return sqlite3_rerank_init(); }\n")


def write(folder, files):
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)


class AmalgamateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.addCleanup(setattr, amalgamate, "EXT", amalgamate.EXT)
        amalgamate.EXT = self.folder
        write(self.folder, HOUSE)
        write(self.folder, {"words.c": "const int table_words[1] = {7};\n", "main.c": MAIN})

    def made(self):
        amalgamate.Amalgamation(self.folder, os.path.join(self.folder, "words.c")).write(
            self.folder)

    def run_there(self, *words):
        return subprocess.run(words, cwd=self.folder, stdout=subprocess.PIPE, check=False)

    def test_names_that_clash_keep_apart(self):
        if not shutil.which("cc"):
            self.skipTest("no cc")
        write(self.folder, CJSON)
        self.made()
        self.assertEqual(self.run_there("cc", "-Wall", "-o", "try", "main.c", "rerank.c")
                         .returncode, 0)
        self.assertEqual(self.run_there("./try").returncode, 10 + 100 + 3 + 4)
        self.run_there("cc", "-c", "rerank.c")
        names = self.run_there("nm", "-g", "--defined-only", "rerank.o").stdout.decode().split()
        self.assertEqual(names[2:], ["sqlite3_rerank_init"])
        with open(os.path.join(self.folder, "rerank.h"), encoding="utf-8") as file:
            self.assertIn('#define RERANK_VERSION "9.8.7"', file.read())

    def test_without_the_sources_of_cjson(self):
        write(self.folder, {"cJSON.h": "#include_next <cjson/cJSON.h>\n", "cJSON.c": ""})
        with self.assertRaisesRegex(SystemExit, "CJSON=folder"):
            self.made()


if __name__ == "__main__":
    unittest.main()

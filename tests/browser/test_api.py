"""The API of the browser's build, sqlite-rerank.mjs, under Node: tests/browser/api.mjs has the
checks."""
import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wasm import HERE, SITE, needs_it, support  # noqa: E402
import browser  # noqa: E402


@needs_it
class ApiTest(unittest.TestCase):
    def test_the_checks(self):
        models = os.environ.get("RERANK_MODEL_PATH", "")
        result = subprocess.run(
            ["node", os.path.join(HERE, "api.mjs"), SITE, models if os.path.isdir(models) else ""],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=300)
        browser.expect_checks(self, result, 10)

    def test_what_the_document_shows(self):
        with open(os.path.join(support.ROOT, "sql/browser.md"), encoding="utf-8") as file:
            block, = re.findall(r"^```js\n(.*?)^```", file.read(), re.MULTILINE | re.DOTALL)
        program = block.replace("./sqlite-rerank.mjs", os.path.join(SITE, "sqlite-rerank.mjs")) + \
            "console.log(JSON.stringify([columns, rows[0][0], bytes.length > 0]));"
        result = subprocess.run(
            ["node", "--input-type=module", "-"], input=program, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=300)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(json.loads(result.stdout),
                         [["body", "relevance"], "bats sleep in caves", True])


if __name__ == "__main__":
    unittest.main()

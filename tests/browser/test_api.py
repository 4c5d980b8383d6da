"""The API of the browser's build, sqlite-rerank.mjs, under Node: tests/browser/api.mjs has the
checks."""
import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wasm import HERE, SITE, needs_it  # noqa: E402


@needs_it
class ApiTest(unittest.TestCase):
    def test_the_checks(self):
        models = os.environ.get("RERANK_MODEL_PATH", "")
        result = subprocess.run(
            ["node", os.path.join(HERE, "api.mjs"), SITE, models if os.path.isdir(models) else ""],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        checks = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertGreater(len(checks), 10)
        for check in checks:
            with self.subTest(check["name"]):
                self.assertEqual(check["error"], "")


if __name__ == "__main__":
    unittest.main()

"""tests/sql in WebAssembly, by SQLite's shell under Node: what comes out is what comes out of the
library of this machine, byte for byte. Both are without remote models."""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wasm import NO_REMOTE, SHELL, needs_it, support  # noqa: E402

# The newer shell has other defaults, and another .mode line, which one script looks at.
NEWER = """.output /dev/null
.dbconfig defensive off
.dbconfig trusted_schema on
.output
.mode list --escape off
"""
OTHER_SHELL = {"status.sql"}

# What 32 bits do not hold, where sizes have no more: counts, and a product of two of them.
LARGE = """
CREATE VIRTUAL TABLE ix USING semantic_index(dimensions = 2, storage = 'float32');
INSERT INTO ix(rowid, embedding)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000)
SELECT i, vector(json_array(cos(i * 0.001), sin(i * 0.001))) FROM n;
SELECT count(*) FROM ix(vector('[1,0]'), 4294967297);
SELECT count(*) FROM ix(vector('[1,0]'), 4294967296.0);
SELECT count(*) FROM ix WHERE query = vector('[1,0]') AND k < 1e12;
SELECT count(*) FROM ix WHERE query = vector('[1,0]') AND k = 9 AND rank >= 4294967297;
SELECT count(*) FROM ix WHERE query = vector('[1,0]') AND k = 9 AND rank <= 4294967297;
CREATE VIRTUAL TABLE tx USING semantic_index();
INSERT INTO tx(text) VALUES ('a bat in a cave'), ('a train at night'), ('a bat at night'), ('soup');
SELECT count(*) FROM (SELECT rowid FROM tx('bat', 3) ORDER BY relevance DESC LIMIT 4294967297);
SELECT count(*) FROM (SELECT rowid FROM ix(vector('[1,0]'), 3) LIMIT 2 OFFSET 4294967297);
SELECT count(*) FROM semantic_map('ix', 69999);
SELECT count(DISTINCT key), max(key) FROM semantic_map('ix', 69999);
"""


def normalise(output):
    """Each shell words in its own way what an error is about."""
    output = re.sub(r"^(?:Runtime error|Parse error|Error) near line \d+: ", "Error: ", output,
                    flags=re.MULTILINE)
    return re.sub(r"^(Error: .*) \(\d+\)$", r"\1", output, flags=re.MULTILINE)


def run(shell, sql):
    """What the shell prints, fed in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, HOME=folder)
        result = subprocess.run(
            [*shell, "-batch", ":memory:"], cwd=folder, env=environment, input=sql.encode(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
    return normalise(result.stdout.decode("utf-8", "replace"))


def answers(sql):
    """(of this machine's library, of WebAssembly)"""
    sql = ".nullvalue NULL\n" + sql
    return (run([support.SHELL], f".load '{NO_REMOTE}'\n{sql}"), run(["node", SHELL], NEWER + sql))


@needs_it
class SqlTest(unittest.TestCase):
    maxDiff = None

    def test_the_scripts(self):
        paths = [path for path in sorted(glob.glob(os.path.join(support.ROOT, "tests/sql/*.sql")))
                 if os.path.basename(path) not in OTHER_SHELL]
        self.assertGreater(len(paths), 30)
        if not os.path.isdir(os.environ.get("RERANK_MODEL_PATH", "")):
            paths = [path for path in paths if not path.endswith("/local.sql")]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for path, (here, wasm) in zip(paths, pool.map(self.answers_of, paths)):
                with self.subTest(os.path.basename(path)):
                    self.assertGreater(len(here), 10)
                    self.assertEqual(wasm, here)

    @staticmethod
    def answers_of(path):
        with open(path, encoding="utf-8") as file:
            return answers(file.read())

    def test_numbers_that_32_bits_do_not_hold(self):
        here, wasm = answers(LARGE)
        self.assertNotIn("Error", here)
        self.assertEqual(wasm, here)

    def test_threads_that_are_asked_for_do_not_start(self):
        here, wasm = answers("""
            SELECT rerank_config('threads', 8);
            SELECT hex(embed(group_concat('a bat in a cave at night' || value, ' '))) FROM
              json_each('[' || substr(replace(hex(zeroblob(9999)), '00', ',1'), 2) || ']');""")
        self.assertEqual(wasm, here)


if __name__ == "__main__":
    unittest.main()

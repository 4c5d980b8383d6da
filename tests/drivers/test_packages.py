"""What the wheel and npm's packages hold, packed of the library that is tested.

`make test-packages` installs every package as a user would; this is the part of it that is cheap.
"""
import glob
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import EXTENSION, ROOT  # noqa: E402

FLOW = """
import sqlite3, sqlite_rerank
db = sqlite3.connect(":memory:")
db.enable_load_extension(False)
sqlite_rerank.load(db)
vector = db.execute("SELECT vector('[1, 0.5]')").fetchone()[0]
assert sqlite_rerank.serialize_float32([1, .5]) == vector
assert db.execute("SELECT rerank_version()").fetchone()[0] == sqlite_rerank.__version__
try:
    db.load_extension(sqlite_rerank.loadable_path())
except sqlite3.OperationalError:
    print("extensions are off again")
try:
    sqlite_rerank.load(object())
except NotImplementedError as error:
    print(error)
"""


@unittest.skipUnless(sys.platform == "linux" and platform.machine() == "x86_64",
                     "packs for linux x86_64")
class PackagesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.mkdir(os.path.join(self.folder, "linux-x86_64"))
        library = EXTENSION if os.path.splitext(EXTENSION)[1] else EXTENSION + ".so"
        shutil.copyfile(library, os.path.join(self.folder, "linux-x86_64", "rerank.so"))

    def pack(self, *kinds):
        return subprocess.run(
            [sys.executable, "-B", os.path.join(ROOT, "ext/bindings/packages.py"), self.folder,
             *kinds], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def built(self, pattern):
        found = glob.glob(os.path.join(self.folder, pattern))
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_the_wheel_loads_and_says_what_helps_where_nothing_loads(self):
        said = self.pack("python")
        self.assertEqual(said.returncode, 0, said.stdout)
        self.assertIn("without linux-aarch64", said.stdout)
        with zipfile.ZipFile(self.built("*-py3-none-manylinux2014_x86_64.whl")) as wheel:
            self.assertLessEqual({"sqlite_rerank/py.typed", "sqlite_rerank/page.html"},
                                 set(wheel.namelist()))
            wheel.extractall(self.folder)
        ran = subprocess.run([sys.executable, "-B", "-c", FLOW], cwd=self.folder, text=True,
                             check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(ran.returncode, 0, ran.stdout)
        self.assertIn("extensions are off again", ran.stdout)
        self.assertIn("LD_PRELOAD=librerank_preload.so", ran.stdout)

    def test_npm_names_a_package_a_platform_and_equal_files_give_equal_bytes(self):
        packed = []
        for _ in range(2):
            self.assertEqual(self.pack("npm").returncode, 0)
            with open(self.built("sqlite-rerank-[0-9]*.tgz"), "rb") as file:
                packed.append(file.read())
        self.assertEqual(*packed)
        with tarfile.open(self.built("sqlite-rerank-linux-x64-*.tgz")) as archive:
            self.assertIn("package/rerank.so", archive.getnames())

    def test_a_kind_that_there_is_not(self):
        said = self.pack("cobol")
        self.assertEqual(said.returncode, 2)
        self.assertIn("no kind cobol: there are python, npm", said.stdout)


if __name__ == "__main__":
    unittest.main()

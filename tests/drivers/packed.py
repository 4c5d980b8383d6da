"""packed.py: the command of the wheel, packed of the library that is tested, for Python tests.

What it is made of lies in build/command (tests/tools/install.sh command).
"""
import glob
import importlib.machinery
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import EXTENSION, ROOT, SANITIZED, SHELL  # noqa: E402

LIBRARIES = os.path.join(ROOT, "build", "command")
HERE = sys.platform == "linux" and platform.machine() == "x86_64"


def installed(*modules, folder=LIBRARIES):
    """Whether these are there; a finder of its own, as importing them here is not wanted."""
    return all(importlib.machinery.PathFinder.find_spec(module, [folder]) for module in modules)


def pack(folder):
    """Packs the wheel into a folder, and gives its path."""
    library = EXTENSION if os.path.splitext(EXTENSION)[1] else EXTENSION + ".so"
    os.mkdir(os.path.join(folder, "linux-x86_64"))
    shutil.copyfile(library, os.path.join(folder, "linux-x86_64", "rerank.so"))
    subprocess.run([sys.executable, "-B", os.path.join(ROOT, "ext/bindings/packages.py"), folder,
                    "python"], check=True, stdout=subprocess.DEVNULL)
    return glob.glob(os.path.join(folder, "*.whl"))[0]


@unittest.skipUnless(HERE, "packs for linux x86_64")
@unittest.skipIf(SANITIZED, "the library alone is looked at by sanitizers")
class WheelTest(unittest.TestCase):
    """The wheel, unpacked in a folder: cls.wheel."""

    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory()
        cls.addClassCleanup(place.cleanup)
        cls.wheel = place.name
        with zipfile.ZipFile(pack(place.name)) as wheel:
            wheel.extractall(place.name)


@unittest.skipUnless(installed("click", "rich", "pathspec", "pypdf", "markdownify"),
                     "build/command is not there (tests/tools/install.sh command)")
class CommandTest(WheelTest):
    """An empty folder, in which the command runs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("RERANK_")}
        self.environment["PYTHONPATH"] = self.wheel + os.pathsep + LIBRARIES

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def start(self, *arguments, **options):
        return subprocess.Popen(
            [sys.executable, "-B", "-m", "sqlite_rerank", *arguments], cwd=self.folder,
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            **options)

    def run_command(self, *arguments):
        """(exit status, stdout, stderr)."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=120)
        self.assertNotIn("Traceback", out + err)
        return process.returncode, out, err

    def said(self, *arguments):
        """What a command prints that goes well."""
        status, out, err = self.run_command(*arguments)
        self.assertEqual(status, 0, err)
        return out

    def refused(self, pattern, *arguments):
        """A mistake is told in a sentence."""
        status, out, err = self.run_command(*arguments)
        self.assertNotEqual(status, 0, out)
        self.assertRegex(err, pattern)

    def report(self, *arguments):
        return json.loads(self.said("index", "notes.db", "--json", *arguments))

    def assert_report(self, expected, *arguments):
        """`expected`: 3 new, 1 moved; what is not named is 0."""
        made = self.report(*arguments)
        counts = [f"{made[kind]} {kind}" for kind in ("new", "changed", "moved", "gone",
                                                      "unchanged", "embedded") if made[kind]]
        self.assertEqual(", ".join(counts), expected)
        return made

    def found(self, query, *arguments):
        return json.loads(self.said("search", "notes.db", query, "--json", *arguments))

    def shell(self, script, database="notes.db"):
        """What the sqlite3 shell makes of a script."""
        made = subprocess.run([SHELL, "-batch", "-bail", database], cwd=self.folder, check=False,
                              input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        self.assertEqual(made.returncode, 0, made.stdout)
        return made.stdout

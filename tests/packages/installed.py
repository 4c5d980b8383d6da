"""installed.py: what the tests of packages share: a folder where this repository is not, and the
answer that every one of them must give."""
import glob
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FLOWS = os.path.join(HERE, "flows")
MACHINE = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
HOST = ("macos-" if sys.platform == "darwin" else "linux-") + MACHINE
DIST = os.path.abspath(os.environ.get("RERANK_DIST", os.path.join(ROOT, "build/dist")))
# What a package must not see of where it is tested.
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(("PYTHON", "RERANK_", "LD_"))}


class Failed(AssertionError):
    """A command that did not go well, with what it printed."""


def run(*command, cwd, timeout=600, **environment):
    """What the command prints."""
    result = subprocess.run(
        command, cwd=cwd, env={**CLEAN, **environment}, text=True, timeout=timeout,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if result.returncode:
        raise Failed(f"{' '.join(command)}: status {result.returncode}\n{result.stdout[-2000:]}"
                     f"\n{result.stderr[-4000:]}")
    return result.stdout.strip()


def reach(*command, cwd, timeout=600, **environment):
    """As run(), for what asks a registry: one that is not to be had is no failure of ours."""
    try:
        return run(*command, cwd=cwd, timeout=timeout, **environment)
    except (Failed, subprocess.TimeoutExpired) as error:
        raise unittest.SkipTest(f"cannot be installed here: {str(error)[-300:]}") from None


def need(*commands):
    for command in commands:
        if not shutil.which(command):
            raise unittest.SkipTest(f"no {command} here")


def built(pattern):
    """The one file of `make packages` that has this name."""
    found = glob.glob(os.path.join(DIST, pattern))
    if len(found) != 1:
        raise unittest.SkipTest(f"{pattern} was not built")
    return found[0]


def version():
    with open(os.path.join(ROOT, "ext/extension/version.h"), encoding="utf-8") as file:
        return re.search(r'RERANK_VERSION "([^"]+)"', file.read()).group(1)


def flow_of_the_shell():
    """The flow as arguments of the sqlite3 shell."""
    with open(os.path.join(FLOWS, "flow.sql"), encoding="utf-8") as file:
        flow = file.read()
    with open(os.path.join(FLOWS, "ask.sql"), encoding="utf-8") as file:
        return flow, file.read().replace("?", "'bats in the dark'")


class PackageTest(unittest.TestCase):
    """A folder that holds a program of flows/ and nothing else."""
    answers = set()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name in ("flow.sql", "ask.sql"):
            self.take(name)

    def take(self, name, target=None):
        path = os.path.join(self.folder, target or name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(os.path.join(FLOWS, name), path)

    def run_here(self, *command, **options):
        return run(*command, cwd=self.folder, **options)

    def reach(self, *command, **options):
        return reach(*command, cwd=self.folder, **options)

    def unpack(self, archive):
        """The folder that an archive holds."""
        with tarfile.open(archive) as packed:
            packed.extractall(self.folder)
            return os.path.join(self.folder, packed.getnames()[0].split("/")[0])

    def assert_answer(self, printed):
        """The film, the version, and a vector that is the same wherever it was made."""
        line = printed.strip().splitlines()[-1] if printed.strip() else ""
        self.assertRegex(line, rf"^Bat Cave {re.escape(version())} [0-9A-F]{{32}}$")
        PackageTest.answers.add(line)
        self.assertEqual(len(PackageTest.answers), 1, PackageTest.answers)

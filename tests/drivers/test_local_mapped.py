"""Weights that stay in their files: local models whose files are mapped."""
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from support import EXTENSION, connect  # noqa: E402
from test_local import LocalTest, numpy  # noqa: E402

if numpy is not None:
    import models


class ChangeTest(LocalTest):
    def test_files_change_while_in_use(self):
        """What is mapped is renamed over and nothing changes; of what is written to a call is an
        error, not the numbers of two models, nor the end of the process."""
        folder = self.copy("mean", "changing")
        path = os.path.join(folder, "model.safetensors")
        before = self.embed("a bat", "local:test/changing").tobytes()
        shutil.copy(path, path + ".new")
        with open(path + ".new", "r+b") as file:
            file.truncate(100)
        os.rename(path + ".new", path)
        self.assertEqual(self.embed("a bat", "local:test/changing").tobytes(), before)
        self.assertEqual(len(self.embed("two penguins", "local:test/changing")), 64)
        other = connect()
        self.fails("model.safetensors", "SELECT embed('a bat', 'local:test/changing')", db=other)
        shutil.copy(os.path.join(self.folder("mean"), "model.safetensors"), path + ".new")
        os.rename(path + ".new", path)
        self.assertEqual(self.embed("a bat", "local:test/changing", other).tobytes(), before)
        with open(path, "r+b") as file:
            file.truncate(100)
        self.fails("local:test/changing: model.safetensors was written to while it was in use",
                   "SELECT embed('a third text', 'local:test/changing')", db=other)
        self.assertEqual(len(self.embed("a third text", "local:test/changing")), 64)
        other.close()

    def test_a_module_changes_while_in_use(self):
        folder = self.copy("dense", "changing")
        self.embed("a bat", "local:test/changing")
        with open(os.path.join(folder, "2_Dense", "model.safetensors"), "r+b") as file:
            file.truncate(100)
        self.fails("2_Dense: model.safetensors was written to",
                   "SELECT embed('another text', 'local:test/changing')")

    def test_a_shard_changes_while_in_use(self):
        path = os.path.join(self.copy("plain", "changing"), "model-00002-of-00002.safetensors")
        before = self.embed("a bat", "local:test/changing").tobytes()
        with open(path, "rb") as file:
            whole = file.read()
        with open(path, "r+b") as file:
            file.truncate(100)
        other = connect()
        for db, told in ((self.db, "was written to while it was in"), (other, "00002-of-00002")):
            self.fails(told, "SELECT embed('another text', 'local:test/changing')", db=db)
        with open(path, "wb") as file:
            file.write(whole)
        self.assertEqual(self.embed("a bat", "local:test/changing", other).tobytes(), before)
        other.close()


@unittest.skipUnless(os.path.exists("/proc/self/smaps"), "no /proc/self/smaps")
class SharedTest(LocalTest):
    """Processes share the weights of a model: they are pages of its file."""
    CODE = """if True:
        import os, sys, sqlite3
        db = sqlite3.connect(":memory:")
        db.enable_load_extension(True)
        db.load_extension(sys.argv[1])
        db.execute("SELECT embed('a bat', ?)", (sys.argv[2],)).fetchall()
        print("ready", flush=True)
        sys.stdin.readline()
        size, found = {}, False
        for line in open("/proc/self/smaps", encoding="utf-8", errors="replace"):
            words = line.split()
            if "-" in words[0]:
                found = line.rstrip().endswith("model.safetensors")
            elif found and words[-1] == "kB":
                size[words[0]] = size.get(words[0], 0) + int(words[1])
        print(*(size.get(name, 0) for name in
                ("Shared_Clean:", "Shared_Dirty:", "Private_Clean:", "Private_Dirty:")), flush=True)
        sys.stdin.readline()
        """

    @classmethod
    def write_models(cls):
        for kind, type_ in (("mapped", "F32"), ("converted", "F16")):
            models.write(os.path.join(cls.root, "test", kind),
                         models.Spec(hidden=256, heads=4, layers=4, inner=1024, positions=64,
                                     type=type_, seed=3))

    def sizes(self, model):
        """Of each of two processes that have the model: KB of its file that are in memory, and
        shared or not. Dirty is also what the system has not written to the disk yet."""
        both = [subprocess.Popen([sys.executable, "-c", self.CODE, EXTENSION, model], text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                for _ in range(2)]
        sizes = []
        for process in both:
            self.assertEqual(process.stdout.readline(), "ready\n")
        for process in both:
            process.stdin.write("\n")
            process.stdin.flush()
            sizes.append([int(size) for size in process.stdout.readline().split()])
        for process in both:
            process.communicate("\n")
            self.assertEqual(process.returncode, 0)
        return sizes

    def test_two_processes_share_the_pages(self):
        file = os.path.getsize(os.path.join(self.folder("mapped"), "model.safetensors")) // 1024
        for clean, dirty, *private in self.sizes("local:test/mapped"):
            self.assertGreater(clean + dirty, .9 * file)
            self.assertLess(sum(private), .1 * file)

    def test_what_is_converted_is_not_mapped(self):
        self.assertEqual(self.sizes("local:test/converted"), [[0, 0, 0, 0]] * 2)


if __name__ == "__main__":
    unittest.main()

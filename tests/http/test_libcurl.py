"""libcurl: loaded by the first thing that needs it, and what is said where that cannot be."""
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from remote import EXTENSION, PLAIN, Remote  # noqa: E402

NAMES = ("libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4")
CHILD = """
import sqlite3, sys
db = sqlite3.connect(":memory:")
db.enable_load_extension(True)
db.load_extension(sys.argv[1])
for sql in sys.argv[2:]:
    try:
        print(db.execute(sql).fetchone()[0])
    except sqlite3.Error as error:
        print("error:", error)
    print("libcurl" in open("/proc/self/maps").read())
"""
LOCAL = "SELECT vector_dims(embed('a text', 'builtin:static'))"
REMOTE = f"SELECT vector_dims(embed('{PLAIN}', 'openai:m'))"


@unittest.skipUnless(sys.platform == "linux", "the names of libraries are Linux's")
class Libcurl(Remote):
    def setUp(self):
        super().setUp()
        self.set_up("openai")

    def say(self, *statements, libraries=None):
        """What each statement returns in a new process, and whether libcurl is loaded after it."""
        environment = dict(os.environ)
        if libraries is not None:
            environment["LD_LIBRARY_PATH"] = libraries
        done = subprocess.run([sys.executable, "-c", CHILD, EXTENSION, *statements], timeout=60,
                              env=environment, stdout=subprocess.PIPE, check=True)
        lines = done.stdout.decode().splitlines()
        return list(zip(lines[::2], (line == "True" for line in lines[1::2])))

    def broken(self, *names):
        folder = os.path.join(self.folder, "libraries")
        os.makedirs(folder, exist_ok=True)
        for name in names:
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write("no library")
        return folder

    def test_it_is_loaded_when_it_is_needed(self):
        (_, before), (dimensions, after) = self.say(LOCAL, REMOTE)
        self.assertFalse(before)
        self.assertTrue(after)
        self.assertGreater(int(dimensions), 0)

    def test_without_it_all_else_works(self):
        said = self.say(LOCAL, REMOTE, REMOTE, LOCAL, libraries=self.broken(*NAMES))
        local, first, second, again = (text for text, _ in said)
        self.assertEqual((local, again), ("384", "384"))
        self.assertIn("remote models are asked by libcurl, which cannot be loaded: ", first)
        self.assertIn("libcurl.so.4", first)
        self.assertEqual(first, second)

    def test_one_that_lacks_functions(self):
        folder = self.broken(*NAMES)
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            self.skipTest("there is no C compiler")
        subprocess.run([compiler, "-shared", "-fPIC", "-x", "c", "-", "-o",
                        os.path.join(folder, "libcurl.so.4")],
                       input=b"void curl_easy_cleanup(void *handle) { (void)handle; }", check=True)
        said = self.say(REMOTE, libraries=folder)[0][0]
        self.assertIn("this machine has a libcurl without curl_easy_getinfo: 7.66 or newer is "
                      "wanted", said)
        self.assertNotIn("BASE_URL", said)

    def test_under_the_name_of_another_build(self):
        found = self.say(REMOTE, libraries=self.broken(NAMES[0]))[0][0]
        if "cannot be loaded" in found:
            self.skipTest("no libcurl but libcurl.so.4 is installed")
        self.assertGreater(int(found), 0)


if __name__ == "__main__":
    unittest.main()

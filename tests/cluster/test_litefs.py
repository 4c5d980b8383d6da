"""LiteFS: an index on one node, read on another, whose first node is killed and comes back."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from engines import (  # noqa: E402
    PATIENCE, Copies, Process, content_of, free_port, program, wait_for)

CONFIGURATION = """
fuse:
  dir: {folder}/files
data:
  dir: {folder}/data
http:
  addr: 127.0.0.1:{port}
lease:
  type: static
  candidate: {candidate}
  hostname: {name}
  advertise-url: http://127.0.0.1:{primary}
skip-sync: true
"""


class Mount:
    """A node of LiteFS: its files are where programs open them."""

    def __init__(self, case, name, primary=None):
        self.case, self.folder = case, os.path.join(case.folder, name)
        self.port = free_port()
        self.files = os.path.join(self.folder, "files")
        os.makedirs(self.files)
        self.configuration = os.path.join(self.folder, "litefs.yml")
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(
                folder=self.folder, port=self.port, name=name, primary=primary or self.port,
                candidate="false" if primary else "true"))
        self.path = os.path.join(self.files, "test.db")
        case.addCleanup(self.unmount)
        self.start()

    def start(self):
        self.process = Process(self.case, self.folder + ".log", program("litefs"), "mount",
                               "-config", self.configuration)
        try:
            wait_for(lambda: os.path.ismount(self.files) or self.process.child.poll() is not None,
                     "its mount", 20)
        except AssertionError:
            self.process.kill()
        if not os.path.ismount(self.files):
            raise unittest.SkipTest("LiteFS cannot mount here: " + self.process.said()[-200:])

    def kill(self):
        self.process.kill()
        self.unmount()

    def unmount(self):
        if hasattr(self, "process"):
            self.process.kill()
        subprocess.run(["umount", "-l", self.files], timeout=PATIENCE, check=False,
                       stderr=subprocess.DEVNULL)


class Litefs(Copies):
    server_options = {"lifetime": 300}

    def setUp(self):
        program("litefs")
        if not os.path.exists("/dev/fuse"):
            self.skipTest("FUSE is not here")
        super().setUp()
        self.set_up("openai")
        self.primary = Mount(self, "primary")
        self.replica = Mount(self, "replica", self.primary.port)

    def read(self, mount):
        db = self.open(mount.path)
        try:
            return content_of(db)
        finally:
            db.close()

    def test_rollback_mode(self):
        self.two_nodes("delete")

    def test_wal_mode(self):
        self.two_nodes("wal")

    def two_nodes(self, mode):
        self.db = self.open(self.primary.path)
        self.db.execute(f"PRAGMA journal_mode = {mode}")
        self.add_documents(200)
        self.add_index("openai:m", ", quantize = 'bit'")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        content = content_of(self.db)
        queries = [row[0] for row in self.db.execute(
            "SELECT embedding FROM ix WHERE rowid % 20 = 1")]
        answers = self.answers(self.db, queries)
        self.db.close()
        wait_for(lambda: self.read(self.replica) == content, "the replica")
        self.check_replica(queries, answers)
        reader = self.open(self.replica.path)  # has the index in memory, and stays
        self.assertEqual(self.answers(reader, queries), answers)
        self.primary.kill()
        self.check_replica(queries, answers)
        self.primary.start()
        self.db = self.open(self.primary.path)
        self.check_sound(self.db)
        self.assertEqual(content_of(self.db), content)
        self.assertEqual(self.answers(self.db, queries), answers)
        self.db.execute("UPDATE docs SET body = 'another' WHERE id = 21")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        content, before, answers = content_of(self.db), answers, self.answers(self.db, queries)
        self.db.close()
        self.assertNotEqual(answers, before)
        wait_for(lambda: self.read(self.replica) == content, "the replica")
        self.check_replica(queries, answers)
        self.assertEqual(self.answers(reader, queries), answers)
        reader.close()
        self.assertEqual(len(self.embedded()), 201)

    def check_replica(self, queries, answers):
        db = self.open(self.replica.path)
        self.assertEqual(self.answers(db, queries), answers)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        db.execute("SELECT rerank_config('network', 'reads')")
        self.fails("not asked inside a write", "INSERT INTO ix(ix) VALUES ('rebuild')", db=db)
        self.fails("readonly database|disk I/O error", "DELETE FROM docs", db=db)
        db.close()


if __name__ == "__main__":
    unittest.main()

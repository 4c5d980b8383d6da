"""Litestream: an index that is replicated as it is written, lost, and restored."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from engines import PATIENCE, Copies, Process, content_of, program, wait_for  # noqa: E402

CONFIGURATION = """
dbs:
  - path: {path}
    monitor-interval: 100ms
    replica:
      type: file
      path: {replica}
      sync-interval: 100ms
"""
# A program of its own, so that it can be killed: syncs one row after the other.
WRITER = """
import sys
sys.path[:0] = {folders!r}
from support import connect
db = connect({path!r})
while db.execute("SELECT pending FROM semantic_status('ix')").fetchone()[0]:
    db.execute("INSERT INTO ix(ix) VALUES ('sync 10')")
"""


class Litestream(Copies):
    server_options = {"lifetime": 300}

    def setUp(self):
        self.program = program("litestream")
        super().setUp()
        self.set_up("openai")
        self.db.execute("PRAGMA journal_mode = wal")
        self.configuration = os.path.join(self.folder, "litestream.yml")
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(path=self.path,
                                            replica=os.path.join(self.folder, "replica")))
        self.restored = 0

    def replicate(self):
        return Process(self, os.path.join(self.folder, "litestream.log"), self.program,
                       "replicate", "-config", self.configuration)

    def restore(self):
        """A connection to what the replica gives, in a new file."""
        self.restored += 1
        path = os.path.join(self.folder, f"restored{self.restored}.db")
        subprocess.run([self.program, "restore", "-config", self.configuration, "-o", path,
                        self.path], check=True, timeout=PATIENCE, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE)
        return self.open(path)

    def restored_as(self, content):
        db = self.restore()
        return db if content_of(db) == content else None

    def lose(self):
        """The machine is gone, with all that was only there."""
        self.db.close()
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.path + end):
                os.remove(self.path + end)

    def test_lost_and_restored(self):
        process = self.replicate()
        self.add_documents(200)
        self.add_index("openai:m", ", quantize = 'bit', partitions = 4")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.db.execute("DELETE FROM docs WHERE id % 7 = 2")
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.db.execute("CREATE VIRTUAL TABLE words USING semantic_index(content = 'docs', "
                        "text = 'title, body', upkeep = 'triggers')")
        self.db.execute("INSERT INTO words(words) VALUES ('sync')")
        kept = os.path.join(self.folder, "kept.db")
        self.db.execute("VACUUM INTO ?", (kept,))
        content = content_of(self.db)
        wait_for(lambda: self.restored_as(content), "the replica")
        process.kill()
        self.lose()
        kept, db = self.open(kept), self.restore()
        queries = [row[0] for row in kept.execute("SELECT embedding FROM ix WHERE rowid % 9 = 1")]
        self.assertGreater(self.check_same([kept, db], queries), 20)
        self.check_same([kept, db], ["title 7", "body 19 title"], "words")
        self.assertEqual(len(self.embedded()), 200)
        db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(len(self.embedded()), 200)

    def test_a_writer_that_is_killed(self):
        """What was committed and replicated is there, whole; a sync does the rest."""
        process = self.replicate()
        self.add_documents(200)
        self.add_index("openai:m")
        self.server.behave([{"delay": 0.1, "times": "forever"}])
        log = os.path.join(self.folder, "writer.log")
        writer = Process(self, log, sys.executable, "-B", "-c", WRITER.format(
            folders=sys.path[:3], path=self.path))
        wait_for(lambda: len(self.embedded()) > 100, "half a sync")
        writer.kill()
        asked = len(self.embedded())
        committed = self.one("SELECT rows FROM semantic_status('ix')")
        self.assertGreaterEqual(committed, asked - 10)
        content = content_of(self.db)
        wait_for(lambda: self.restored_as(content), "the replica")
        process.kill()
        self.lose()
        self.server.behave([])
        db = self.restore()
        self.check_sound(db)
        self.assertEqual(db.execute("SELECT rows FROM semantic_status('ix')").fetchone()[0],
                         committed)
        db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.check_sound(db)
        self.assertEqual(len(self.embedded()), asked + 200 - committed)


if __name__ == "__main__":
    unittest.main()

"""Nothing of a row that was deleted or replaced is left in the file, with PRAGMA secure_delete."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import OPTIONS, Model, StorageBase, words  # noqa: E402
from support import blob, connect, from_blob  # noqa: E402

LARGE = 128  # dimensions: also a code of bits is long enough not to occur by chance
PIECE = 16   # bytes that are looked for


class Erasure(StorageBase):
    def open_again(self, *pragmas):
        self.db.close()
        self.db = connect(self.path)
        for pragma in pragmas:
            self.db.execute(pragma)

    def in_file(self):
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(self.path, "rb") as file:
            return file.read()

    def codes(self):
        """{rowid: the bytes of its place in a block, behind the id}: a vector or a code."""
        found = {}
        for n, room, bytes_ in self.rows(
                "SELECT n, room, bytes FROM ix_blocks JOIN ix_data USING (block)"):
            capacity = n + room
            stride = len(bytes_) // capacity - 8
            if stride != 4 * LARGE:
                stride -= 12
            start = len(bytes_) - capacity * stride
            for i in range(n):
                id = int.from_bytes(bytes_[8 * i:8 * i + 8], "little", signed=True)
                found[id] = bytes_[start + i * stride:start + (i + 1) * stride]
            for at, size in ((0, 8), (start, stride)):
                self.assertFalse(any(bytes_[at + n * size:at + capacity * size]))
        return found

    def traces(self, ids):
        """What is searched for: each row's text, vector and code."""
        codes = self.codes()
        rows = self.rows("SELECT rowid, text, embedding FROM ix")
        return [piece for id, text, vector in rows if id in ids
                for trace in (text.encode(), vector, codes[id]) for piece in self.pieces(trace)]

    def pieces(self, trace):
        """What is long may lie in several pages."""
        return [trace[:PIECE], trace[-PIECE:]]

    def assert_there(self, traces, message):
        content = self.in_file()
        n = sum(piece in content for piece in traces)
        self.assertGreater(n, len(traces) * .9, message)

    def assert_gone(self, traces, message):
        content = self.in_file()
        self.assertEqual([], [piece for piece in traces if piece in content], message)

    def secret(self, model):
        number = model.draw.getrandbits(60)
        return f"{number:019} is the secret of {number:019}"

    def insert(self, model, ids):
        self.db.execute("BEGIN")
        self.db.executemany("REPLACE INTO ix(rowid, text, embedding) VALUES (?, ?, ?)",
                            [(id, self.secret(model), blob(*model.vector()))
                             for id in ids])
        self.db.execute("COMMIT")

    def test_nothing_is_left(self):
        for number, (quantize, partitions) in enumerate(OPTIONS):
            mode = ("wal", "delete")[number % 2]
            message = (quantize, partitions, mode)
            self.open_again("PRAGMA journal_mode = " + mode, "PRAGMA secure_delete = on",
                            "PRAGMA synchronous = off")
            self.create(words(quantize, partitions, dimensions=LARGE))
            model = Model(number, LARGE)
            self.insert(model, range(1, 401))
            ids = set(range(3, 400, 7))
            traces = self.traces(ids)
            self.assert_there(traces, message)
            self.db.execute("DELETE FROM ix WHERE rowid % 7 = 3")
            self.assert_gone(traces, ("deleted", *message))
            ids = set(range(1, 400, 7))
            traces = self.traces(ids)
            self.insert(model, sorted(ids))
            self.assert_gone(traces, ("replaced", *message))
            traces = self.traces({4, 5})
            self.db.execute("DELETE FROM ix WHERE rowid = 4")
            self.db.execute("UPDATE ix SET text = 'other', embedding = ? WHERE rowid = 5",
                            (blob(*model.vector()),))
            self.assert_gone(traces, ("one by one", *message))
            moved = self.codes()
            self.insert(model, range(2000, 2500))  # partitions are cut, rows move
            self.command("optimize")
            now = self.codes()
            traces = [piece for id, code in list(moved.items())[::5] for piece in self.pieces(code)
                      if piece not in self.pieces(now[id])]
            self.assert_gone(traces, ("moved", *message))
            traces = self.traces(set(range(0, 4000, 9)))
            self.db.execute("DELETE FROM ix")
            self.assert_gone(traces, ("all deleted", *message))
            self.check()
            self.db.execute("DROP TABLE ix")

    def test_fast(self):
        """As SQLite means it: pages that are written are wiped, those that become free are not."""
        self.db.execute("PRAGMA secure_delete = fast")
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions, dimensions=LARGE))
            model = Model(3, LARGE)
            self.insert(model, range(1, 101))
            for statement in ("DELETE FROM ix WHERE rowid = 17",
                              "UPDATE ix SET text = 'x', embedding = ? WHERE rowid = 18"):
                traces = self.traces({17, 18} if "DELETE" not in statement else {17})
                self.db.execute(statement, (blob(*model.vector()),) * statement.count("?"))
                self.assert_gone(traces, (statement, quantize, partitions))
            self.db.execute("DROP TABLE ix")

    def test_rows_that_wait(self):
        for number, (quantize, partitions) in enumerate(OPTIONS):
            self.open_again("PRAGMA secure_delete = on", "PRAGMA synchronous = off")
            self.create(words(quantize, partitions, dimensions=LARGE))
            model = Model(number, LARGE)
            self.insert(model, range(1, 601))
            for id in range(601, 606):
                self.insert(model, [id])
            rows = self.rows("SELECT rowid, text, embedding FROM ix WHERE rowid IN (602, 604)")
            traces = [piece for _, text, vector in rows for trace in (text.encode(), vector)
                      for piece in self.pieces(trace)]
            self.assert_there(traces, (quantize, partitions))
            self.db.execute("DELETE FROM ix WHERE rowid = 602")
            self.insert(model, [604])
            self.assert_gone(traces, (quantize, partitions))
            # Those that have come into blocks since: what they waited in is still there.
            for id in range(606, 640):
                self.insert(model, [id])
            rows = self.rows("SELECT rowid, text, embedding FROM ix WHERE rowid IN (610, 612)")
            traces = [piece for _, text, vector in rows for trace in (text.encode(), vector)
                      for piece in self.pieces(trace)]
            self.db.execute("DELETE FROM ix WHERE rowid = 610")
            self.insert(model, [612])
            self.assert_gone(traces, (quantize, partitions))
            self.check()
            self.db.execute("DROP TABLE ix")

    def test_the_last_row_takes_its_centroid_along(self):
        for quantize, partitions in OPTIONS[1:]:
            self.create(words(quantize, partitions, dimensions=LARGE))
            model = Model(1, LARGE)
            self.insert(model, [1])
            before = self.rows("SELECT * FROM ix_partitions")
            self.db.execute("DELETE FROM ix WHERE rowid = 1")
            self.assertEqual(self.rows("SELECT * FROM ix_partitions"), [])
            self.check()
            self.insert(model, [2])
            self.insert(model, [2])
            self.assertEqual(len(before), 1)
            self.assertNotEqual(self.rows("SELECT * FROM ix_partitions"), before)
            self.assertEqual(len(self.found(model.vector(), 5)), 1)
            self.check()
            self.db.execute("DROP TABLE ix")

    def test_a_place_without_a_row_is_zero(self):
        """With or without the pragma."""
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions, dimensions=LARGE))
            model = Model(1, LARGE)
            self.insert(model, range(1, 300))
            for first in (299, 1, 100):
                self.db.execute("DELETE FROM ix WHERE rowid BETWEEN ? AND ?", (first, first + 20))
                self.assertEqual(sorted(self.codes()), [
                    row[0] for row in self.rows("SELECT rowid FROM ix ORDER BY 1")])
            for id, vector in self.rows("SELECT rowid, embedding FROM ix"):
                if quantize == "none":
                    self.assertEqual(self.codes()[id], vector)
                    break
            self.assertEqual(len(from_blob(vector)), LARGE)
            self.db.execute("DROP TABLE ix")


if __name__ == "__main__":
    unittest.main()

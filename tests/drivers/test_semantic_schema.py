"""test_semantic_schema.py: CREATE, DROP and RENAME of an index: in transactions, beside tables of
the user's, and with the library loaded twice."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import Base, blob, connect  # noqa: E402

EMPTY = "CREATE VIRTUAL TABLE {} USING semantic_index(dimensions = 2)"


class Indexes(Base):
    """Indexes that keep their own texts, so that a row needs nothing but a vector."""

    def setUp(self):
        super().setUp()
        self.db.execute(EMPTY.format("a"))

    def run_all(self, *statements):
        for statement in statements:
            self.db.execute(statement)

    def add(self, name, *ids):
        for id in ids:
            self.db.execute(f"INSERT INTO {name}(rowid, embedding) VALUES (?, ?)",
                            (id, blob(1, id)))

    def holds(self, name, *ids):
        """Listed, found, and whole; also for another connection once it is committed."""
        connections = [self.db] if self.db.in_transaction else [self.db, connect(self.path)]
        for db in connections:
            self.assertEqual([r[0] for r in db.execute(f"SELECT rowid FROM {name}")], list(ids))
            found = db.execute(f"SELECT rowid FROM {name} WHERE query = ? AND k = 100",
                               (blob(1, 0),))
            self.assertEqual(sorted(r[0] for r in found), list(ids))
            db.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")
        for db in connections[1:]:
            db.close()


class ChosenRowids(Indexes):
    def chosen(self):
        self.db.execute("INSERT INTO a(embedding) VALUES ('[1, 0]')")
        return self.one("SELECT last_insert_rowid()")

    def test_deleted_rows_do_not_count(self):
        self.add("a", *range(1, 101))
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM a WHERE rowid = 100")
        self.assertEqual(self.chosen(), 100)
        self.db.execute("DELETE FROM a WHERE rowid > 50")
        self.assertEqual(self.chosen(), 51)
        self.add("a", 60, 70)
        self.db.execute("DELETE FROM a WHERE rowid = 70")
        self.assertEqual(self.chosen(), 61)
        self.db.execute("DELETE FROM a")
        self.assertEqual(self.chosen(), 1)
        self.db.execute("COMMIT")
        self.holds("a", 1)

    def test_the_smallest_rowid_deleted(self):
        self.add("a", -2**63)
        self.db.execute("BEGIN")
        self.db.execute("DELETE FROM a")
        self.assertEqual(self.chosen(), 1)
        self.db.execute("COMMIT")
        self.holds("a", 1)


if __name__ == "__main__":
    unittest.main()

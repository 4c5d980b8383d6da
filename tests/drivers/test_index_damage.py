"""What happens when the tables of a semantic_index are damaged."""
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import ALL, DIMENSIONS, Model, StorageBase, words  # noqa: E402
from support import blob, connect  # noqa: E402

NAN = "x'" + "0000c07f" * DIMENSIONS + "'"
DATA = "UPDATE ix_data SET bytes = "
BLOCKS = "UPDATE ix_blocks SET "
WAITING = "UPDATE ix_waiting SET "
SLOT = " WHERE slot = 3"
ONE = " WHERE block = (SELECT max(block) FROM ix_blocks)"

# Of an index without codes.
WITHOUT_CODES = [
    ("UPDATE ix_rows SET block = block + 1", False),
    ("UPDATE ix_rows SET block = 999 WHERE id = 5", False),
]

# What is done to the tables; whether 'optimize' mends it in an index with codes.
DAMAGE = [
    (DATA + "substr(bytes, 1, length(bytes) - 1)" + ONE, True),
    (DATA + "x''" + ONE, True),
    (DATA + "'text'" + ONE, True),
    (DATA + "bytes || x'00'", True),
    (DATA + "zeroblob(length(bytes))" + ONE, True),
    (DATA + "zeroblob(8) || substr(bytes, 9)" + ONE, True),
    (DATA + "substr(bytes, 1, length(bytes) / 2) || randomblob(length(bytes) - length(bytes) / 2)",
     True),
    ("DELETE FROM ix_data" + ONE, True),
    ("DELETE FROM ix_data", True),
    ("INSERT INTO ix_data VALUES (5000, x'00')", True),
    ("DELETE FROM ix_blocks" + ONE, True),
    ("DELETE FROM ix_blocks", True),
    (BLOCKS + "n = -1" + ONE, True),
    (BLOCKS + "n = 0" + ONE, True),
    (BLOCKS + "n = 0, room = 0" + ONE, True),
    (BLOCKS + "n = n - 1, room = room + 1" + ONE, True),
    (BLOCKS + "n = n + 1" + ONE, True),
    (BLOCKS + "room = room + 1" + ONE, True),
    (BLOCKS + "n = 9223372036854775807" + ONE, True),
    (BLOCKS + "n = 65536, room = 65536", True),
    (BLOCKS + "room = -9223372036854775807" + ONE, True),
    (BLOCKS + "room = 60000" + ONE, True),
    (BLOCKS + "n = 'many'" + ONE, True),
    (BLOCKS + "partition = 77" + ONE, None),
    (BLOCKS + "partition = 'x'" + ONE, None),
    (BLOCKS + "version = 0", None),
    (BLOCKS + "version = 'v'" + ONE, None),
    (BLOCKS + "block = 9223372036854775807" + ONE, None),
    (BLOCKS + "block = -5" + ONE, True),
    ("INSERT INTO ix_blocks VALUES (900, 0, 10, 6, 1)", True),
    ("UPDATE ix_rows SET block = NULL WHERE id = -1", None),
    ("DELETE FROM ix_rows WHERE id % 3 = 0", True),
    ("DELETE FROM ix_rows", True),
    ("INSERT INTO ix_rows VALUES (12345, 1, 1, 1)", True),
    ("UPDATE ix_rows SET id = id + 100000", None),
    ("UPDATE ix_config SET value = 0 WHERE key = 'generation'", None),
    ("UPDATE ix_config SET value = 'x' WHERE key = 'generation'", None),
    ("UPDATE ix_config SET value = 15 WHERE key = 'dimensions'", False),
    ("UPDATE ix_config SET value = 65536 WHERE key = 'dimensions'", False),
    ("UPDATE ix_config SET value = 0 WHERE key = 'dimensions'", False),
    ("UPDATE ix_config SET value = 1 WHERE key = 'format'", False),
    ("UPDATE ix_config SET value = 2 WHERE key = 'metric'", False),
    ("UPDATE ix_config SET value = 7 WHERE key = 'quantize'", False),
    ("DELETE FROM ix_waiting", False),
    ("DELETE FROM ix_waiting WHERE slot = 3", False),
    (WAITING + "vector = x'00'" + SLOT, False),
    (WAITING + f"vector = {NAN}" + SLOT, False),
    (WAITING + "head = zeroblob(32)" + SLOT, None),
    (WAITING + "head = CAST(substr(head, 1, 16) || randomblob(16) AS BLOB)" + SLOT, None),
    (WAITING + "head = CAST(substr(head, 1, 24) || randomblob(8) AS BLOB)" + SLOT, None),
    (WAITING + "slot = slot + 40", False),
    ("UPDATE ix_config SET value = CAST(x'7f' || substr(value, 2) AS BLOB) WHERE key = 'waiting'",
     None),
    ("UPDATE ix_config SET value = CAST(substr(value, 1, 8) || randomblob(256) AS BLOB) "
     "WHERE key = 'waiting'", None),
    ("UPDATE ix_config SET value = -1 WHERE key = 'waiting'", False),
    ("UPDATE ix_config SET value = zeroblob(160) WHERE key = 'waiting'", None),
    ("DELETE FROM ix_config WHERE key = 'waiting'", False),
    ("DROP TABLE ix_waiting", False),
    ("DROP TABLE ix_rows", False),
    ("DROP TABLE ix_blocks", False),
    ("DROP TABLE ix_data", False),
]

WITH_PARTITIONS = [
    ("DELETE FROM ix_partitions", True),
    ("DELETE FROM ix_partitions WHERE partition = 2", True),
    ("UPDATE ix_partitions SET centroid = x'' WHERE partition = 1", True),
    ("UPDATE ix_partitions SET centroid = substr(centroid, 2)", True),
    (f"UPDATE ix_partitions SET centroid = {NAN} WHERE partition = 1", True),
    ("UPDATE ix_partitions SET centroid = zeroblob(length(centroid))", True),
    ("UPDATE ix_partitions SET partition = partition + 50", True),
    ("INSERT INTO ix_partitions SELECT 9223372036854775807, centroid FROM ix_partitions LIMIT 1",
     None),
    ("INSERT INTO ix_partitions SELECT -3, centroid FROM ix_partitions LIMIT 1", None),
    ("UPDATE ix_config SET value = 0 WHERE key = 'partitions'", True),
    ("UPDATE ix_config SET value = 5 WHERE key = 'partitions'", None),
    ("DROP TABLE ix_partitions", False),
]

WITH_VECTORS = [
    ("UPDATE ix_vectors SET vector = substr(vector, 1, 5) WHERE id = 5", False),
    ("UPDATE ix_vectors SET vector = x'' WHERE id = 5", False),
    ("UPDATE ix_vectors SET vector = 'x' WHERE id % 2", False),
    (f"UPDATE ix_vectors SET vector = {NAN} WHERE id = 5", False),
    ("UPDATE ix_vectors SET vector = zeroblob(length(vector)) WHERE id = 5", False),
    ("UPDATE ix_vectors SET vector = vector || vector", False),
    ("DELETE FROM ix_vectors WHERE id = 5", True),
    ("DELETE FROM ix_vectors", True),
    ("INSERT INTO ix_vectors SELECT 777777, vector FROM ix_vectors LIMIT 1", True),
    ("DROP TABLE ix_vectors", False),
]


class Damage(StorageBase):
    """The tables of an index are read as hostile input: a clear error or an answer, never a
    crash."""

    STATEMENTS = [
        "SELECT rowid, similarity, embedding FROM ix(:query, 5)",
        "SELECT rowid FROM ix(:query)",
        "SELECT rowid FROM ix WHERE query = :query AND k = 7 AND rowid IN (1, 5, 300, 12345)",
        "SELECT rowid FROM ix WHERE query = :query AND k = 3 AND similarity > 0.9",
        "SELECT rowid FROM ix WHERE query = :query AND k = 3 AND similarity > 0.9 AND rowid IN "
        "(SELECT id FROM ix_rows)",
        "SELECT rowid FROM ix WHERE query = :query AND text IS NULL LIMIT 3",
        "SELECT rowid, embedding FROM ix",
        "SELECT embedding FROM ix WHERE rowid = 5",
        "SELECT * FROM semantic_map('ix', 50)",
        "INSERT INTO ix(ix) VALUES ('integrity-check')",
    ]
    WRITES = [
        "INSERT INTO ix(rowid, embedding) VALUES (5000, :query)",
        "INSERT INTO ix(rowid, embedding) SELECT 6000 + id, :query FROM ix_rows WHERE id < 300",
        "INSERT INTO ix(rowid, embedding) VALUES (5, :query)",
        "DELETE FROM ix WHERE rowid = 1",
        "DELETE FROM ix WHERE rowid > 300",
        "UPDATE ix SET embedding = :query WHERE rowid IN (2, 3)",
        "INSERT INTO ix(ix) VALUES ('optimize')",
    ]

    def tried(self, db, sql, query):
        try:
            db.execute(sql, {"query": blob(*query)}).fetchall()
            return None
        except sqlite3.Error as error:
            self.assertNotIn("out of memory", str(error), sql)
            return str(error)

    def test_recall_names_the_damaged_row(self):
        for quantize, damage, message in (
                ("none", "UPDATE ix_config SET value = 0 WHERE key = 'dimensions'",
                 "block 1: expected"),
                ("int8", "UPDATE ix_vectors SET vector = zeroblob(8) WHERE id = 1",
                 "row 1: its vector is zero")):
            with self.subTest(quantize=quantize):
                self.db.execute("DROP TABLE IF EXISTS ix")
                self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(dimensions = 2, "
                                f"quantize = '{quantize}')")
                self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (1, ?), (2, ?)",
                                (blob(1, 2), blob(2, 1)))
                self.db.execute(damage)
                self.fails(message, "SELECT * FROM semantic_recall('ix')")

    def test_damage(self):
        template = os.path.join(self.folder.name, "template.db")
        for quantize, partitions in (("none", 0), ("none", 2), ("int8", 0), ("bit", 3),
                                     ("int8", 2)):
            self.db.close()
            if os.path.exists(self.path):
                os.remove(self.path)
            self.db = connect(self.path)
            self.db.execute("PRAGMA page_size = 1024")
            self.create(words(quantize, partitions))
            model = Model(1)
            self.fill(model, 600)
            for id in range(601, 605):  # these wait
                self.fill(model, 1, id)
            self.put([(602, model.rows[602])], verb="REPLACE")
            self.fill(model, 1, 605)
            n_parts = self.one("SELECT count(DISTINCT partition) FROM ix_blocks")
            self.assertEqual(n_parts > 1, partitions > 0)
            with open(self.path, "rb") as file:
                template = file.read()
            damage = list(DAMAGE)
            if partitions or quantize == "bit":
                damage += WITH_PARTITIONS
            damage += WITH_VECTORS if quantize != "none" else WITHOUT_CODES
            for sql, mended in damage:
                self.one_damage(template, sql, mended, model, quantize)

    def one_damage(self, template, sql, mended, model, quantize):
        query = model.rows[7]

        def fresh():
            self.db.close()
            with open(self.path, "wb") as file:
                file.write(template)
            self.db = connect(self.path)
            self.db.execute("PRAGMA synchronous = off")
            try:
                self.db.execute(sql)
            except sqlite3.IntegrityError:
                self.skipped = sql

        fresh()
        outcomes = [self.tried(self.db, statement, query) for statement in self.STATEMENTS]
        if mended is not None and (quantize != "none" or "zeroblob(length(centroid))" not in sql):
            self.assertIsNotNone(outcomes[-1], f"{quantize}: integrity-check passes {sql}")
        elif outcomes[-1] is None and "id + 100000" not in sql:
            self.whole(model, message=sql)
        if mended and quantize != "none":
            self.assertIn("optimize", outcomes[-1], sql)
            self.command("optimize")
            self.check()
            left = {row[0] for row in self.rows("SELECT rowid FROM ix "
                                                "WHERE embedding IS NOT NULL")}
            self.assertLessEqual(left, set(model.rows) | {12345})
            hits = self.found(query, ALL)
            self.assertEqual({id for id, _ in hits}, left)
            if "ix_rows" not in sql and "ix_vectors" not in sql:
                self.whole(model, message=sql)
        for statement in self.WRITES:
            self.db.execute("BEGIN")
            self.tried(self.db, statement, query)
            for again in (self.STATEMENTS[0], self.STATEMENTS[3]):
                self.tried(self.db, again, query)
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
        fresh()
        for statement in self.WRITES + self.STATEMENTS[:2]:
            self.tried(self.db, statement, query)
        self.tried(self.db, "DROP TABLE ix", query)
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'ix%'"), [], sql)


if __name__ == "__main__":
    unittest.main()

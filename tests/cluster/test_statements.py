"""Engines that replicate statements: the same ones on three files, by rqlite's rules (replicas.py).
Vectors are made once, by a read, and written as values."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from engines import Copies  # noqa: E402
from replicas import Cluster  # noqa: E402

ROWS = 200
SETTINGS = ({"threads": 1}, {"threads": 2}, {"threads": 1, "memory_budget": 1 << 20})
# As sql/cluster.md has it: a read gives the statements to write.
PENDING = ("SELECT 'INSERT OR IGNORE INTO ix(ix, rowid, embedding) VALUES (' || "
           "quote('embedded ' || hash) || ', ' || quote(rowid) || ', ' || quote(embedding) || ')' "
           "FROM semantic_pending('ix')")
QUERIES = ("title 7", "a body that is new", '"title 7" -body')


class Statements(Copies):
    def setUp(self):
        super().setUp()
        self.set_up("openai")
        self.cluster = Cluster(self.folder, SETTINGS)
        self.addCleanup(lambda: [node.db.close() for node in self.cluster.nodes])
        self.write("CREATE TABLE docs(id INTEGER PRIMARY KEY, title TEXT, body TEXT, drawn INT, "
                   "at TEXT, embedding BLOB)")
        self.write("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
                   "INSERT INTO docs(id, title, body) SELECT i, 'title ' || i, 'body ' || i * 7919 "
                   "% 613 FROM n")

    def write(self, *statements, transaction=True):
        """Every node gives the same, and no error."""
        given = self.cluster.write(*statements, transaction=transaction)
        self.assertEqual(given, [given[0]] * len(given))
        self.assertIsInstance(given[0], list)

    def create(self, options):
        self.write("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                   f"text = 'title, body', {options})")

    def check_nodes(self, n, queries=QUERIES):
        databases = [node.db for node in self.cluster.nodes]
        for db in databases:
            self.assertEqual(db.execute("SELECT rows, pending, gone, problem FROM "
                                        "semantic_status('ix')").fetchone(), (n, 0, 0, None))
        docs = [db.execute("SELECT * FROM docs ORDER BY id").fetchall() for db in databases]
        self.assertEqual(docs, docs[:1] * len(docs))
        return self.check_same(databases, queries)

    def restart(self):
        """All from their log; and one that comes later, by a snapshot."""
        for node in self.cluster.nodes:
            node.start()
        self.cluster.compact()
        self.cluster.join(threads=2)

    def change(self):
        self.write(
            "INSERT INTO docs(id, title, body, drawn, at) "
            "VALUES (1000, 'title 1000', 'a body that is new', random(), datetime('now'))",
            "DELETE FROM docs WHERE id % 9 = 4",
            ["UPDATE docs SET body = ? || body WHERE id % 10 = ?", "snow in the ", 3])

    def test_built_in_models(self):
        """A sync is a statement like any other: it reads the content alone."""
        for options in ("quantize = 'int8'", "model = 'builtin:lexical', partitions = 4",
                        "upkeep = 'triggers', quantize = 'bit', partitions = 'auto'"):
            with self.subTest(options):
                self.create(options)
                self.write("INSERT INTO ix(ix) VALUES ('sync')")
                self.change()
                self.write("INSERT INTO ix(ix) VALUES ('sync')")
                n = self.cluster.read("SELECT count(*) FROM docs")[0][0]
                self.assertEqual(self.check_nodes(n), len(QUERIES) * len(self.cluster.nodes))
                self.cluster.nodes[1].start()
                self.check_nodes(n)
                self.write("DROP TABLE ix", "DELETE FROM docs WHERE id = 1000")
        self.assertEqual(self.embedded(), [])

    def test_a_remote_model(self):
        self.create("model = 'openai:m'")
        refused = self.cluster.write("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertRegex(refused[0], "not asked inside a write transaction")
        self.assertEqual(refused, refused[:1] * 3)
        self.assertEqual(self.embedded(), [])
        made = [row[0] for row in self.cluster.read(PENDING)]
        self.assertEqual((len(made), len(self.embedded())), (ROWS, ROWS))
        self.write(*made)
        self.change()
        self.write(*[row[0] for row in self.cluster.read(PENDING)])
        n = self.cluster.read("SELECT count(*) FROM docs")[0][0]
        changed = self.cluster.read(
            "SELECT count(*) FROM docs WHERE id = 1000 OR body LIKE 'snow%'")[0][0]
        self.assertEqual(len(self.embedded()), ROWS + changed)
        vectors = [row[0] for row in self.cluster.nodes[0].db.execute(
            "SELECT embedding FROM ix WHERE rowid % 20 = 1")]
        self.check_nodes(n, vectors)
        self.restart()
        self.check_nodes(n, vectors)
        self.assertEqual(len(self.embedded()), ROWS + changed)

    def test_what_changed_meanwhile(self):
        """A vector of a text that is no more is passed over by every node, and made anew."""
        self.create("model = 'openai:m'")
        made = [row[0] for row in self.cluster.read(PENDING)]
        self.change()
        self.write(*made)
        status = [node.db.execute("SELECT pending FROM semantic_status('ix')").fetchone()[0]
                  for node in self.cluster.nodes]
        self.assertGreater(status[0], 0)
        self.assertEqual(status, status[:1] * 3)
        self.write(*[row[0] for row in self.cluster.read(PENDING)])
        n = self.cluster.read("SELECT count(*) FROM docs")[0][0]
        self.check_nodes(n, [self.cluster.nodes[0].db.execute(
            "SELECT embedding FROM ix LIMIT 1").fetchone()[0]])

    def test_a_column_of_vectors(self):
        texts = "(SELECT json_group_object(id, title) FROM docs WHERE embedding IS NULL)"
        made = self.cluster.read("SELECT 'UPDATE docs SET embedding = ' || quote(embedding) || "
                                 f"' WHERE id = ' || key FROM embed_each({texts}, 'openai:m')")
        self.assertEqual(len(self.embedded()), ROWS)
        self.write(*[row[0] for row in made])
        self.restart()
        found = [node.read("SELECT id FROM docs ORDER BY cosine_sim(embedding, (SELECT embedding "
                           "FROM docs WHERE id = 7)) DESC LIMIT 10") for node in self.cluster.nodes]
        self.assertEqual(found, found[:1] * 4)
        self.assertEqual(found[0][0], [7])
        self.assertEqual(len(self.embedded()), ROWS)

    def test_reads(self):
        """One of level strong is run by every node, which asks a remote model each time; a SELECT
        that writes is refused where a connection only reads, and by every node in a write."""
        self.create("model = 'openai:m'")
        with self.assertRaisesRegex(Exception, "readonly database"):
            self.cluster.read("SELECT * FROM semantic_sync('ix')")
        self.assertEqual(self.embedded(), [])
        self.cluster.read("SELECT embed('a query', 'openai:m')", level="strong")
        self.assertEqual(self.embedded(), ["a query"] * 3)


if __name__ == "__main__":
    unittest.main()

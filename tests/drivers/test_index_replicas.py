"""The same statements give the same bytes in every table of an index, on any machine; and what
tells writes apart is never shared by two that differ."""
import hashlib
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import DIMENSIONS, FOLDER, OPTIONS, Model, StorageBase, words  # noqa: E402
from support import blob, connect  # noqa: E402

WORDS = "bat train ice snow hero city cave murder egg ship".split()

CHILD = """
import sys
sys.path.insert(0, {folder!r})
from test_index_replicas import tell
tell(int(sys.argv[1]))
"""


def tables(db, name="ix"):
    """{table: all of its rows}, but for the index itself."""
    names = [row[0] for row in db.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ? ORDER BY name",
        (name + "_*",))]
    return {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}


def histories(db):
    """Writes of every kind; yields what stands in the tables after each phase."""
    def put(rows, verb="INSERT"):
        db.executemany(f"{verb} INTO ix(rowid, text, embedding) VALUES (?, ?, ?)",
                       [(id, f"row {id}", blob(*vector)) for id, vector in rows])

    for number, (quantize, partitions) in enumerate(OPTIONS):
        metric = ("cosine", "dot", "l2")[number % 3]
        model = Model(number)
        db.execute(f"CREATE VIRTUAL TABLE ix USING semantic_index("
                   f"{words(quantize, partitions, metric)})")
        put([(0, model.vector())])
        db.execute("BEGIN")
        put([(id, model.vector()) for id in range(1, 2600)])
        db.execute("COMMIT")
        yield quantize, partitions, "filled", tables(db)
        db.execute("DELETE FROM ix WHERE rowid % 5 = 0")
        db.execute("UPDATE ix SET embedding = ? WHERE rowid < 40", (blob(*model.vector()),))
        db.execute("BEGIN")
        put([(id, model.vector()) for id in range(30, 60)], "REPLACE")
        db.execute("SAVEPOINT s")
        put([(id, model.vector()) for id in range(5000, 5100)])
        db.execute("ROLLBACK TO s")
        put([(id, model.vector()) for id in range(6000, 6040)])
        db.execute("COMMIT")
        yield quantize, partitions, "changed", tables(db)
        db.execute("INSERT INTO ix(ix) VALUES ('optimize')")
        put([(7000, model.vector())])
        db.execute("ALTER TABLE ix RENAME TO other")
        db.execute("ALTER TABLE other RENAME TO ix")
        yield quantize, partitions, "optimized", tables(db)
        db.execute("DELETE FROM ix")
        put([(1, model.vector())])
        yield quantize, partitions, "emptied", tables(db)
        db.execute("DROP TABLE ix")
    db.execute("CREATE TABLE content(id INTEGER PRIMARY KEY, body)")
    for id in range(300):
        db.execute("INSERT INTO content VALUES (?, ?)", (id, " ".join(
            WORDS[id * factor % len(WORDS)] for factor in range(1, 2 + id % 7))))
    for options in ("", ", quantize = 'int8'", ", quantize = 'bit', partitions = 4"):
        db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'content', "
                   f"text = 'body'{options})")
        for change in ("SELECT 1", "DELETE FROM content WHERE id % 11 = 3",
                       "UPDATE content SET body = body || ' snow' WHERE id % 7 = 3"):
            db.execute(change)
            db.execute("INSERT INTO ix(ix) VALUES ('sync')")
            yield options, change, "synced", tables(db)
        db.execute("INSERT INTO ix(ix) VALUES ('rebuild')")
        yield options, "", "rebuilt", tables(db)
        db.execute("DROP TABLE ix")


def tell(threads):
    """Prints a line for each phase: what it was, and a digest of each table."""
    db = connect()
    db.execute("SELECT rerank_config('threads', ?)", (threads,))
    for *phase, all_rows in histories(db):
        print(*phase, *(name + "=" + hashlib.sha256(repr(rows).encode()).hexdigest()[:12]
                        for name, rows in all_rows.items()))


class Replicas(StorageBase):
    def told(self, threads, simd=""):
        return subprocess.run(
            [sys.executable, "-B", "-c", CHILD.format(folder=FOLDER), str(threads)], check=True,
            env=dict(os.environ, RERANK_SIMD=simd), stdout=subprocess.PIPE,
            text=True).stdout.splitlines()

    def test_the_same_statements(self):
        """By any number of threads, by any kernels."""
        first = self.told(1)
        self.assertEqual(len(first), len(OPTIONS) * 4 + 12)
        for threads, simd in ((2, ""), (1, "scalar"), (1, "avx2")):
            with self.subTest(threads=threads, simd=simd):
                for one, other in zip(first, self.told(threads, simd)):
                    self.assertEqual(one, other)

    def generation(self):
        return self.one("SELECT value FROM ix_config WHERE key = 'generation'")

    def test_a_write_that_is_done_again(self):
        """It has its number again if it is the same write of the same rows, and only then."""
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(1)
            self.fill(model, 700)
            other = connect(self.path)
            kept, before = dict(model.rows), self.generation()
            vectors = [model.vector() for _ in range(3)]
            seen = []
            for number in (0, 1, 0, 2, 2):
                self.db.execute("BEGIN")
                self.put([(9, vectors[number])], verb="REPLACE")
                model.rows[9] = vectors[number]
                self.assertEqual(self.found(vectors[number], 1)[0][0], 9)
                self.whole(model)
                seen.append(self.generation())
                self.db.execute("ROLLBACK")
                self.assertEqual(self.generation(), before)
                model.rows = dict(kept)
                self.whole(model)
            self.assertEqual(len({before, *seen}), 4)
            self.assertTrue(seen[0] == seen[2] and seen[3] == seen[4])
            self.put([(9, vectors[1])], verb="REPLACE", db=other)
            model.rows[9] = vectors[1]
            self.assertEqual(self.generation(), seen[1])
            self.whole(model)
            self.whole(model, other)
            other.close()
            self.check()
            self.db.execute("DROP TABLE ix")

    def test_what_a_number_stands_for(self):
        """Each of these writes has another one: of the same rows before."""
        self.create(f"dimensions = {DIMENSIONS}, metric = 'dot', partitions = 4")
        model = Model(2)
        self.fill(model, 300)
        row = "INSERT OR REPLACE INTO ix(rowid, text, embedding) VALUES "
        one = blob(*model.vector())
        writes = [
            ("DELETE FROM ix WHERE rowid = 1", ()), ("DELETE FROM ix WHERE rowid = 2", ()),
            ("DELETE FROM ix WHERE rowid < 3", ()),
            (row + "(1, 'a', ?)", (one,)), (row + "(2, 'a', ?)", (one,)),
            (row + "(1, 'b', ?)", (one,)), (row + "(1, NULL, ?)", (one,)),
            (row + "(1, '', ?)", (one,)), (row + "(1, 'a', ?)", (blob(*model.vector()),)),
            (row + "(1, 'a', ?), (2, 'a', ?)", (one, one)),
            ("INSERT INTO ix(ix) VALUES ('optimize')", ())]
        numbers = {self.generation()}
        for write, bindings in writes:
            self.db.execute("BEGIN")
            self.db.execute(write, bindings)
            self.found(model.vector(), 1)  # writes what waits
            numbers.add(self.generation())
            self.db.execute("ROLLBACK")
        self.assertEqual(len(numbers), len(writes) + 1)
        self.assertNotIn(0, numbers)

    def run_all(self, *statements):
        for statement in statements:
            self.db.execute(statement)

    def test_numbers_of_the_version_before(self):
        """It drew them by chance, and knew none of them for 'created' at first."""
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(4)
            self.fill(model, 400)
            drawn = [model.draw.randrange(-1 << 63, 1 << 63) for _ in range(3)]
            for key, value in (("generation", drawn[0]), ("created", drawn[1])):
                self.db.execute("UPDATE ix_config SET value = ? WHERE key = ?", (value, key))
            self.db.execute("UPDATE ix_config SET value = ? WHERE key = 'partitions' "
                            "AND value <> 0", (drawn[2],))
            self.db.execute("UPDATE ix_blocks SET version = ?", (drawn[0],))
            if partitions:
                self.db.execute("DELETE FROM ix_config WHERE key = 'created'")
            self.db.close()
            self.db = connect(self.path)
            self.whole(model)
            self.fill(model, 300, first=350, verb="REPLACE")
            self.assertNotEqual(self.generation(), drawn[0])
            self.whole(model)
            self.command("optimize")
            self.whole(model)
            self.check()
            self.db.execute("DROP TABLE ix")

    def created(self, name="ix"):
        return self.one(f"SELECT value FROM {name}_config WHERE key = 'created'")

    def test_create_again(self):
        """A CREATE that was rolled back and comes again has its number: the rows do not come."""
        empty = words()
        for undo in (["ROLLBACK TO s"],
                     ["ROLLBACK TO s", "RELEASE s", "COMMIT", "BEGIN", "SAVEPOINT s"],
                     ["ROLLBACK", "BEGIN", "SAVEPOINT s"]):
            for rename in (False, True):
                self.run_all("BEGIN", "SAVEPOINT s")
                self.create(empty)
                number = self.created()
                self.put([(1, [1.0] * DIMENSIONS)])
                kept = self.db.execute("SELECT rowid FROM ix UNION ALL VALUES (0), (0)")
                kept.fetchone()
                self.put([(2, [1.0] * DIMENSIONS)])
                if rename:
                    self.db.execute("ALTER TABLE ix RENAME TO other")
                    self.put([(3, [1.0] * DIMENSIONS)], name="other")
                kept.fetchall()
                self.run_all(*undo)
                self.create(empty)
                self.assertEqual(self.created(), number)
                self.assertEqual(self.rows("SELECT rowid FROM ix WHERE rowid IN (1, 2)"), [])
                self.put([(4, [1.0] * DIMENSIONS)])
                self.db.execute("CREATE TABLE x(y)")
                self.put([(5, [1.0] * DIMENSIONS)])
                if rename:
                    self.db.execute("ALTER TABLE ix RENAME TO other")
                    self.db.execute("ALTER TABLE other RENAME TO ix")
                self.run_all("RELEASE s", "COMMIT", "DROP TABLE x")
                self.assertEqual(self.rows("SELECT rowid FROM ix ORDER BY 1"), [(4,), (5,)])
                self.check()
                self.db.execute("DROP TABLE ix")

    def test_each_index_has_its_own(self):
        """Also one that takes the name of another, made by the same statement; but one that is made
        again has the number of the one that is gone."""
        numbers = set()
        for name in "abcd":
            self.create(words())
            numbers.add(self.created())
            self.db.execute(f"ALTER TABLE ix RENAME TO {name}")
        self.create(words())
        numbers.add(self.created())
        self.assertEqual(len(numbers), 5)
        self.assertNotIn(0, numbers)
        self.db.execute("DROP TABLE ix")
        self.create(words())
        self.assertIn(self.created(), numbers)

    def test_what_one_node_does_alone(self):
        """VACUUM, ANALYZE and statements on other tables leave no trace in an index."""
        told = []
        for alone in ((), ("VACUUM", "ANALYZE", "CREATE TABLE t(x)", "ALTER TABLE t ADD y",
                           "DROP TABLE t", "VACUUM")):
            db = connect(os.path.join(self.folder.name, f"node{len(told)}.db"))
            self.addCleanup(db.close)
            for statement in alone:
                db.execute(statement)
            db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(dimensions = 2)")
            for statement in alone:
                db.execute(statement)
            db.execute("INSERT INTO ix(rowid, embedding) VALUES (1, '[1, 2]')")
            told.append(tables(db))
        self.assertEqual(told[0], told[1])

    def test_made_again_and_other_connections(self):
        """What they keep in memory is known by what was written since CREATE."""
        self.create("dimensions = 2")
        other = connect(self.path)
        self.addCleanup(other.close)
        vectors = {1: "[1, 0]", 2: "[0, 1]"}
        for first, second in ((1, 2), (2, 1), (1, 2), (2, 2)):
            self.db.execute("DROP TABLE ix")
            self.create("dimensions = 2")
            self.assertEqual(other.execute("SELECT rowid FROM ix('[1, 0]')").fetchall(), [])
            for rowid, number in ((7, first), (8, second)):
                self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                                (rowid, vectors[number]))
                for db in (self.db, other):
                    self.assertEqual(
                        db.execute("SELECT rowid FROM ix('[1, 0]', 1)").fetchone()[0],
                        8 if rowid == 8 and number == 1 and first == 2 else 7)
            self.assertEqual(other.execute("SELECT vector_to_json(embedding) FROM ix WHERE "
                                           "rowid = 7").fetchone()[0],
                             vectors[first].replace(" ", ""))


if __name__ == "__main__":
    unittest.main()

"""semantic_index as a program sees it: own vectors, no content table, transactions and
savepoints."""
import itertools
import os
import random
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import FILMS, Base, add_films, add_index, blob, connect, model_calls  # noqa: E402


class OwnVectors(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index(metric='l2')")

    def test_bring_your_own(self):
        for id in range(1, 6):
            self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (?, ?)", (id, blob(id, 0)))
        self.assertEqual(
            self.rows("SELECT rowid, distance FROM ix(?, 2)", blob(3.25, 0)), [(3, 0.25), (4, 0.75)]
        )
        self.fails("expected 2 dimensions, as the index has, not 3",
                   "INSERT INTO ix(rowid, embedding) VALUES (9, '[1,2,3]')")
        self.fails("NaN|not finite|finite", "INSERT INTO ix(rowid, embedding) VALUES (9, ?)",
                   blob(float("nan"), 1))
        self.fails("multiple of 4", "INSERT INTO ix(rowid, embedding) VALUES (9, x'01')")
        self.fails("embedding", "INSERT INTO ix(rowid, embedding) VALUES (9, 'abc')")
        self.db.execute("UPDATE ix SET embedding = '[30, 0]' WHERE rowid = 3")
        self.assertEqual(self.one("SELECT vector_to_json(embedding) FROM ix WHERE rowid = 3"),
                         "[30,0]")
        self.fails("a rowid cannot be changed", "UPDATE ix SET rowid = 8 WHERE rowid = 3")
        self.check()

    def test_mixed_dimensions_in_one_transaction(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (1, '[1,2]')")
        self.fails("expected 2 dimensions",
                   "INSERT INTO ix(rowid, embedding) VALUES (2, '[1,2,3]')")
        self.db.execute("COMMIT")
        self.assertEqual(self.ids(), [1])

    def test_metrics(self):
        for metric, expected in (("cosine", 0.6), ("dot", 30.0)):
            self.db.execute(f"CREATE VIRTUAL TABLE m USING semantic_index(metric='{metric}', "
                            "dimensions=2)")
            self.db.execute("INSERT INTO m(rowid, embedding) VALUES (1, '[6, 8]')")
            row = self.db.execute("SELECT similarity, distance FROM m('[5, 0]')").fetchone()
            similarity, distance = row
            self.assertAlmostEqual(similarity, expected, places=5)
            self.assertAlmostEqual(distance, {"cosine": 0.4, "dot": -30.0}[metric], places=5)
            if metric == "cosine":
                self.fails("zero vector", "INSERT INTO m(rowid, embedding) VALUES (2, '[0, 0]')")
                self.fails("zero vector", "SELECT rowid FROM m('[0, 0]')")
            self.db.execute("DROP TABLE m")


class WithoutContent(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("CREATE VIRTUAL TABLE ix USING semantic_index()")

    def test_keeps_its_text(self):
        self.db.execute("INSERT INTO ix(rowid, text) VALUES (1, 'bats live in a cave'), (2, 'soup "
                        "is hot')")
        self.db.execute("INSERT INTO ix(text) VALUES ('trains are late')")
        self.assertEqual(self.rows("SELECT rowid, text FROM ix"),
                         [(1, "bats live in a cave"), (2, "soup is hot"), (3, "trains are late")])
        self.assertEqual(self.one("SELECT text FROM ix('hot soup', 1)"), "soup is hot")
        self.db.execute("UPDATE ix SET text = 'ice cream is cold' WHERE rowid = 2")
        self.assertEqual(self.one("SELECT text FROM ix('cold ice cream', 1)"), "ice cream is cold")
        self.fails("UNIQUE", "INSERT INTO ix(rowid, text) VALUES (2, 'again soup')")
        self.db.execute("REPLACE INTO ix(rowid, text) VALUES (2, 'again soup')")
        self.assertEqual(self.one("SELECT text FROM ix WHERE rowid = 2"), "again soup")
        self.db.execute("DELETE FROM ix WHERE rowid = 1")
        self.assertEqual(self.ids(), [2, 3])
        self.db.execute("INSERT INTO ix(ix) VALUES ('sync')")
        self.assertEqual(self.one("SELECT text FROM ix('late train', 1)"), "trains are late")
        self.assertEqual(len(self.rows("SELECT relevance FROM ix('late train')")), 2)
        self.check()
        self.db.execute("DELETE FROM ix")
        self.assertEqual(self.ids(), [])

    def test_bad_rows(self):
        self.fails("blob", "INSERT INTO ix(rowid, text) VALUES (1, x'00')")
        self.fails("UTF-8", "INSERT INTO ix(rowid, text) VALUES (1, CAST(x'ff' AS TEXT))")
        self.fails("column similarity cannot be written",
                   "INSERT INTO ix(rowid, text, similarity) VALUES (1, 'a', 2)")
        self.assertEqual(self.ids(), [])

    def test_rows_with_nothing_to_embed_are_kept(self):
        self.db.execute("INSERT INTO ix(text) VALUES ('cats sleep'), (''), (NULL), ('\u3000 '), "
                        "('dogs bark')")
        listed = [(1, "cats sleep"), (2, ""), (3, None), (4, "\u3000 "), (5, "dogs bark")]
        for command in (None, "sync", "rebuild", "optimize"):
            if command:
                self.db.execute("INSERT INTO ix(ix) VALUES (?)", (command,))
            self.assertEqual(self.rows("SELECT rowid, text FROM ix"), listed)
            self.assertEqual(self.rows("SELECT text FROM ix WHERE rowid = 2"), [("",)])
            self.assertEqual(self.rows("SELECT rowid FROM ix WHERE embedding IS NULL"),
                             [(2,), (3,), (4,)])
            self.assertEqual(sorted(self.rows("SELECT rowid FROM ix('dogs')")), [(1,), (5,)])
            self.check()
        self.assertEqual(self.rows("SELECT * FROM semantic_failures('ix')"), [])
        self.db.execute("UPDATE ix SET text = ' ' WHERE rowid = 1")
        self.db.execute("UPDATE ix SET text = 'mice run' WHERE rowid = 2")
        self.db.execute("DELETE FROM ix WHERE rowid > 2 AND rowid < 5")
        self.assertEqual(self.rows("SELECT rowid, text FROM ix"),
                         [(1, " "), (2, "mice run"), (5, "dogs bark")])
        self.assertEqual(sorted(self.rows("SELECT rowid FROM ix('mice')")), [(2,), (5,)])
        self.check()


class Transactions(Base):
    def setUp(self):
        super().setUp()
        add_films(self.db)
        add_index(self.db)

    def test_rows_of_a_statement_are_one_request(self):
        before = model_calls(self.db, "embed")
        self.db.execute("INSERT INTO ix(rowid) SELECT id FROM films")
        self.assertEqual(model_calls(self.db, "embed") - before, 1)
        self.assertEqual(self.ids(), [1, 2, 3, 4, 5])

    def test_rows_of_a_transaction_are_one_request(self):
        before = model_calls(self.db, "embed")
        self.db.execute("BEGIN")
        for id, *_ in FILMS:
            self.db.execute("INSERT INTO ix(rowid) VALUES (?)", (id,))
        self.db.execute("DELETE FROM ix WHERE rowid = 2")
        self.db.execute("INSERT INTO ix(rowid) VALUES (2)")
        self.db.execute("COMMIT")
        self.assertEqual(model_calls(self.db, "embed") - before, 1)
        self.assertEqual(self.ids(), [1, 2, 3, 4, 5])
        self.check()

    def add_triggers(self):
        self.db.executescript(
            """
            CREATE TRIGGER a AFTER INSERT ON films BEGIN INSERT INTO ix(rowid) VALUES (new.id); END;
            CREATE TRIGGER b AFTER DELETE ON films BEGIN DELETE FROM ix WHERE rowid = old.id; END;
            CREATE TRIGGER c AFTER UPDATE ON films BEGIN INSERT INTO ix(rowid) VALUES (new.id); END;
            """
        )

    def test_row_triggers_are_one_request(self):
        self.add_triggers()
        before = model_calls(self.db, "embed")
        self.db.execute("INSERT INTO films SELECT id + 10, title, overview || ' again' FROM films")
        self.assertEqual(model_calls(self.db, "embed") - before, 1)
        self.assertEqual(len(self.ids()), 5)
        self.db.execute("UPDATE films SET title = 'New ' || title WHERE id > 10")
        self.assertEqual(model_calls(self.db, "embed") - before, 2)
        self.db.execute("DELETE FROM films WHERE id = 11")
        self.assertEqual(self.ids(), [12, 13, 14, 15])
        self.check()

    def test_trigger_statement_that_fails_leaves_nothing(self):
        self.add_triggers()
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO films VALUES (20, 'Kept', 'kept row')")
        with self.assertRaises(sqlite3.IntegrityError):
            self.db.execute("INSERT INTO films SELECT CASE value WHEN 4 THEN 20 ELSE 30 + value "
                            "END, 'x', 'y' FROM json_each('[1,2,3,4]')")
        self.db.execute("COMMIT")
        self.assertEqual(self.ids(), [20])
        self.check()

    def test_rollback(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid) VALUES (1)")
        self.assertEqual(self.ids(), [1])
        self.db.execute("INSERT INTO ix(rowid) VALUES (2)")
        self.db.execute("ROLLBACK")
        self.assertEqual(self.ids(), [])
        self.db.execute("INSERT INTO ix(rowid) VALUES (3)")
        self.assertEqual(self.ids(), [3])

    def test_flush_on_read_then_rollback_to(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid) VALUES (1)")
        self.db.execute("SAVEPOINT a")
        self.db.execute("INSERT INTO ix(rowid) VALUES (2)")
        self.assertEqual(self.ids(), [1, 2])
        self.db.execute("ROLLBACK TO a")
        self.assertEqual(self.ids(), [1])
        self.db.execute("INSERT INTO ix(rowid) VALUES (3)")
        self.db.execute("SAVEPOINT b")
        self.db.execute("DELETE FROM ix WHERE rowid = 1")
        self.assertEqual(self.ids(), [3])
        self.db.execute("ROLLBACK TO b")
        self.db.execute("RELEASE b")
        self.db.execute("COMMIT")
        self.assertEqual(self.ids(), [1, 3])
        self.check()

    def test_paid_vectors_survive_rollback_to(self):
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid) VALUES (1)")
        self.db.execute("SAVEPOINT a")
        self.assertEqual(self.ids(), [1])
        before = model_calls(self.db, "embed")
        self.db.execute("ROLLBACK TO a")
        self.db.execute("COMMIT")
        self.assertEqual(self.ids(), [1])
        self.assertEqual(model_calls(self.db, "embed"), before)

    def test_random_histories(self):
        """Savepoints, writes and reads in any order agree with a model that is three lines long."""

        random.seed(7)
        for _ in range(60):
            committed = set(self.ids())
            now, saved = set(committed), []
            self.db.execute("BEGIN")
            for _ in range(random.randrange(1, 25)):
                action, id = random.randrange(7), random.randrange(1, 6)
                if action == 0:
                    self.db.execute(f"SAVEPOINT s{len(saved)}")
                    saved.append(set(now))
                elif action == 1 and saved:
                    self.db.execute(f"ROLLBACK TO s{len(saved) - 1}")
                    now = set(saved[-1])
                elif action == 2 and saved:
                    saved.pop()
                    self.db.execute(f"RELEASE s{len(saved)}")
                elif action == 3:
                    self.db.execute("DELETE FROM ix WHERE rowid = ?", (id,))
                    now.discard(id)
                elif action == 4:
                    self.assertEqual(set(self.ids()), now)
                else:
                    self.db.execute("INSERT INTO ix(rowid) VALUES (?)", (id,))
                    now.add(id)
            if random.random() < 0.3:
                self.db.execute("ROLLBACK")
                self.assertEqual(set(self.ids()), committed)
            else:
                self.db.execute("COMMIT")
                self.assertEqual(set(self.ids()), now)
        self.check()

    def test_insert_of_a_missing_row(self):
        self.fails("films has no row 99 to index", "INSERT INTO ix(rowid) VALUES (99)")
        self.fails("a row needs its rowid", "INSERT INTO ix(embedding) VALUES ('[1]')")
        self.fails("column title belongs to films", "INSERT INTO ix(rowid, title) VALUES (1, 'x')")
        self.db.execute("INSERT INTO ix(rowid) VALUES (1)")
        self.fails("column title belongs to films", "UPDATE ix SET title = 'x'")

    def test_many_rows_in_one_statement(self):
        self.db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 3099) "
            "INSERT INTO films SELECT i, 'Film ' || i, 'number ' || (i * 7919) FROM n"
        )
        self.db.execute("BEGIN")
        self.db.execute("INSERT INTO ix(rowid) SELECT id FROM films")
        self.db.execute("SAVEPOINT a")
        self.db.execute("DELETE FROM ix")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 0)
        self.db.execute("ROLLBACK TO a")
        self.db.execute("COMMIT")
        self.assertEqual(self.one("SELECT count(*) FROM ix"), 3005)
        self.check()


class Upkeep(Base):
    """What 'sync' and 'rebuild' find out before they write."""

    def setUp(self):
        super().setUp()
        add_films(self.db)
        add_index(self.db)

    def command(self, text):
        self.db.execute("INSERT INTO ix(ix) VALUES (?)", (text,))

    def test_rebuild_of_an_emptied_index(self):
        self.db.executemany("INSERT INTO films VALUES (?, ?, ?)", [
            (id, f"Film {id}", f"bats in cave {id} near house {id % 7}") for id in range(10, 60)])
        for empty, fill in (("DELETE FROM films", "INSERT INTO films SELECT * FROM kept"),
                            ("UPDATE films SET title = NULL, overview = NULL",
                             "REPLACE INTO films SELECT * FROM kept")):
            for synced_before in (False, True):
                self.command("sync")
                self.db.execute("CREATE TEMP TABLE kept AS SELECT * FROM films")
                self.db.execute(empty)
                if synced_before:
                    self.command("sync")
                self.command("rebuild")
                self.assertEqual(self.rows("SELECT rowid FROM ix('bats')"), [])
                self.check()
                self.db.execute(fill)
                self.db.execute("INSERT INTO ix(rowid) SELECT id FROM films WHERE id < 20")
                self.assertEqual(self.one("SELECT count(*) FROM ix"), 15)
                self.command("sync")
                self.assertEqual(self.one("SELECT count(*) FROM ix"), 55)
                self.check()
                self.db.execute("DROP TABLE kept")

    def test_what_can_be_foreseen_costs_no_transaction(self):
        self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (1, '[1, 2]')")
        for id, command in ((10, "sync"), (11, "rebuild")):
            self.db.execute("BEGIN")
            self.db.execute("INSERT INTO films VALUES (?, 'Another', 'of ships')", (id,))
            self.fails("expected 2 dimensions, as the index has", "INSERT INTO ix(ix) VALUES (?)",
                       command)
            self.assertEqual(self.rows("SELECT rowid FROM ix('[1, 2]')"), [(1,)])
            self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (2, '[2, 1]')")
            self.db.execute("COMMIT")
            self.db.execute("DELETE FROM ix WHERE rowid = 2")
            self.check()
        self.assertEqual(self.one("SELECT count(*) FROM films"), 7)


V, W = ("'[" + ",".join("1" if i == at else "0" for i in range(384)) + "]'" for at in (0, 1))


class Borders(unittest.TestCase):
    """What is kept does not depend on where transactions and savepoints begin and end."""

    WITHOUT_CONTENT = [
        f"REPLACE INTO ix(rowid, embedding) VALUES (1, {V})",
        f"REPLACE INTO ix(rowid, text, embedding) VALUES (1, 'bats', {V})",
        "REPLACE INTO ix(rowid, text) VALUES (1, 'bats')",
        "INSERT INTO ix(rowid, text) VALUES (1, 'soup')",
        "INSERT OR IGNORE INTO ix(rowid, text) VALUES (1, 'bats')",
        "UPDATE ix SET text = 'bats' WHERE rowid = 1",
        "UPDATE ix SET text = 'soup' WHERE rowid = 1",
        f"UPDATE ix SET embedding = {W} WHERE rowid = 1",
        f"UPDATE ix SET text = 'bats', embedding = {W} WHERE rowid = 1",
        "DELETE FROM ix WHERE rowid = 1",
    ]
    WITH_CONTENT = [
        "INSERT INTO ix(rowid) VALUES (1)",
        f"INSERT INTO ix(rowid, embedding) VALUES (1, {V})",
        f"UPDATE ix SET embedding = {W} WHERE rowid = 1",
        "UPDATE ix SET embedding = NULL WHERE rowid = 1",
        "DELETE FROM ix WHERE rowid = 1",
        "UPDATE content SET text = 'bats' WHERE id = 1",
        "UPDATE content SET text = 'soup' WHERE id = 1",
    ]

    def outcome(self, options, statements, borders):
        db = connect()
        db.executescript("CREATE TABLE content(id INTEGER PRIMARY KEY, text);"
                         "INSERT INTO content VALUES (1, 'bats');"
                         f"CREATE VIRTUAL TABLE ix USING semantic_index({options})")
        if borders != "statements":
            db.execute("BEGIN")
        for statement in statements:
            try:
                db.execute(statement)
            except sqlite3.IntegrityError:
                pass
            if borders == "savepoints":
                db.execute("SAVEPOINT s")
        if borders != "statements":
            db.execute("COMMIT")
        rows = db.execute("SELECT rowid, text, embedding FROM ix").fetchall()
        rows += db.execute("SELECT hash, own FROM ix_rows").fetchall()
        db.execute("INSERT INTO ix(ix) VALUES ('integrity-check')")
        db.close()
        return rows

    def test_one_meaning(self):
        draw = random.Random(4)
        for options, statements in (("", self.WITHOUT_CONTENT),
                                    ("content=content, text=text", self.WITH_CONTENT)):
            cases = list(itertools.product(statements, repeat=2))
            cases += draw.sample(list(itertools.product(statements, repeat=3)), 150)
            for case in cases:
                expected = self.outcome(options, case, "statements")
                for borders in ("transaction", "savepoints"):
                    self.assertEqual(self.outcome(options, case, borders), expected, case)


if __name__ == "__main__":
    unittest.main()

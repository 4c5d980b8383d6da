"""What a semantic_index holds after any history is what a list in Python holds, also when a
statement ends half-way."""
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from storage import ALL, OPTIONS, QUANTIZE, Model, StorageBase, similarity, words  # noqa: E402
from support import blob, interrupted  # noqa: E402


class Growth(StorageBase):
    def history(self, model, steps, metric):
        """Random writes in a transaction with savepoints, now and then rolled back."""
        draw, db = model.draw, self.db
        before = dict(model.rows)
        saved = []
        db.execute("BEGIN")
        for _ in range(steps):
            action = draw.randrange(9)
            known = sorted(model.rows)
            if action == 0:
                db.execute(f"SAVEPOINT s{len(saved)}")
                saved.append(dict(model.rows))
            elif action == 1 and saved:
                db.execute(f"ROLLBACK TO s{len(saved) - 1}")
                model.rows = dict(saved[-1])
            elif action == 2 and saved:
                saved.pop()
                db.execute(f"RELEASE s{len(saved)}")
            elif action == 3 and known:
                gone = draw.sample(known, min(len(known), draw.randrange(1, 60)))
                db.executemany("DELETE FROM ix WHERE rowid = ?", [(id,) for id in gone])
                for id in gone:
                    del model.rows[id]
            elif action == 4 and known:
                changed = [(model.vector(), id) for id in draw.sample(known, min(len(known), 20))]
                db.executemany("UPDATE ix SET embedding = ? WHERE rowid = ?",
                               [(blob(*vector), id) for vector, id in changed])
                model.rows.update((id, vector) for vector, id in changed)
            elif action == 5 and known:
                # A search in the middle sees what was written until here.
                id = draw.choice(known)
                vector = model.rows[id]
                hits = self.found(vector, ALL, more=f"AND rowid IN ({id}, 99999)")
                self.assertAlmostEqual(hits[0][1], similarity(metric, vector, vector), 5)
                self.assertEqual(len(hits), 1)
                self.assertEqual(len(self.found(vector, ALL)), len(model.rows))
            elif action == 6:
                mixed = [(draw.randrange(1, 1200), model.vector()) for _ in range(40)]
                self.put(mixed, verb="INSERT OR REPLACE")
                model.rows.update(mixed)
            else:
                self.fill(model, draw.randrange(1, 60), first=draw.randrange(1, 1200),
                          verb="INSERT OR REPLACE")
        if draw.random() < 0.3:
            db.execute("ROLLBACK")
            model.rows = before
        else:
            db.execute("COMMIT")

    def test_histories(self):
        for number, (quantize, partitions) in enumerate(OPTIONS):
            metric = ("cosine", "dot", "l2")[number % 3]
            message = f"{quantize}, {partitions}, {metric}"
            self.create(words(quantize, partitions, metric))
            model = Model(number)
            self.fill(model, 500)
            for phase in range(6):
                self.history(model, 20, metric)
                self.check()
                self.assertEqual(self.ids(), sorted(model.rows), message)
                self.compare(model, metric, quantize == "none" and not partitions, n=3,
                             message=message)
                self.whole(model, metric=metric, message=message)
            self.command("optimize")
            self.check()
            self.compare(model, metric, quantize == "none" and not partitions, message=message)
            self.whole(model, metric=metric, message=message)
            embeddings = dict(self.rows("SELECT rowid, embedding FROM ix"))
            self.assertEqual(embeddings, {id: blob(*v) for id, v in model.rows.items()}, message)
            self.db.execute("DELETE FROM ix")
            self.assertEqual(self.found(model.vector(), 5), [])
            self.check()
            self.assertEqual(self.one("SELECT count(*) FROM ix_data"), 0)
            self.db.execute("DROP TABLE ix")

    def test_parts_are_cut(self):
        """'auto' cuts at 2048 rows and before; 'optimize' gives up the parts that have become
        small."""
        for quantize in QUANTIZE:
            self.create(words(quantize, "auto", dimensions=8))
            model = Model(3, 8, centres=40)
            self.fill(model, 5000)
            parts = self.one("SELECT count(*) FROM ix_partitions")
            self.assertGreaterEqual(parts, 3)
            self.assertLessEqual(self.one("SELECT max(n) FROM (SELECT sum(n) AS n FROM ix_blocks "
                                          "GROUP BY partition)"), 2048)
            self.check()
            self.compare(model, exact=False, n=10)
            for id in range(1, 4900):
                del model.rows[id]
            self.db.execute("DELETE FROM ix WHERE rowid < 4900")
            self.command("optimize")
            self.assertLess(self.one("SELECT count(*) FROM ix_partitions"), parts)
            self.check()
            self.whole(model)
            self.db.execute("DROP TABLE ix")

    def test_equal_vectors(self):
        """Rows that no cut can tell apart; ties come by rowid."""
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(1)
            same = model.vector()
            rows = [(id, same) for id in range(700, 0, -1)]
            self.put(rows)
            model.rows.update(rows)
            self.assertEqual([id for id, _ in self.found(same, 700)], list(range(1, 701)))
            self.assertEqual([id for id, _ in self.found(same, 9)], list(range(1, 10)),
                             (quantize, partitions))
            self.check()
            self.db.execute("DROP TABLE ix")

    def test_filters(self):
        """k rows that qualify come whenever there are k: of a list, and similar enough."""
        for number, (quantize, partitions) in enumerate(OPTIONS):
            metric = ("cosine", "dot", "l2")[(number + number // 3) % 3]
            self.create(words(quantize, partitions, metric))
            model = Model(5)
            self.fill(model, 1500)
            for n_listed in (0, 1, 30, 700, 1400):
                query = model.vector()
                listed = set(model.draw.sample(range(1, 1501), n_listed)) | {-5, 10**15}
                text = ",".join(map(str, listed))
                hits = self.found(query, 12, more=f"AND rowid IN ({text})")
                expected = model.nearest(query, 12, metric, listed)
                self.assertEqual(len(hits), len(expected))
                if quantize == "none" or n_listed <= 30:
                    self.assert_same(hits, expected)
            for k in (1, 5, 100, 1500):
                query = model.vector()
                for place in (0, 1, 4, 30, 800):
                    least = self.found(query, ALL)[place][1]
                    hits = self.found(query, k, more=f"AND similarity >= {least!r}")
                    self.assertEqual(len(hits), min(k, place + 1), (quantize, partitions, metric))
                    if k > place:
                        self.assert_same(hits, model.nearest(query, place + 1, metric))
                    above = self.found(query, k, more=f"AND similarity > {least!r}")
                    self.assertEqual(len(above), min(k, place))
            self.db.execute("DROP TABLE ix")

    def test_limit_is_a_hint(self):
        """Rows that SQLite filters away afterwards do not count towards LIMIT."""
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(8)
            rows = [(id, model.vector()) for id in range(1, 801)]
            self.db.executemany(
                "INSERT INTO ix(rowid, embedding, text) VALUES (?, ?, ?)",
                [(id, blob(*vector), "kept" if id % 50 == 0 else "not") for id, vector in rows])
            model.rows.update(rows)
            query = model.vector()
            kept = [id for id, _ in model.nearest(query, ALL) if id % 50 == 0]
            for condition in ("text = 'kept'", "text LIKE 'k%'", "text IN ('kept', 'x')"):
                for limit, offset in ((1, 0), (3, 0), (7, 5), (16, 0), (100, 0), (5, 14), (5, 99)):
                    found = [row[0] for row in self.rows(
                        f"SELECT rowid FROM ix WHERE query = ? AND {condition} LIMIT ? OFFSET ?",
                        blob(*query), limit, offset)]
                    wanted = kept[offset:offset + limit]
                    if quantize == "none" and not partitions:
                        self.assertEqual(found, wanted)
                    self.assertEqual(len(found), len(wanted))
                    self.assertEqual(len(set(found)), len(found))
            everything = [id for id, _ in model.nearest(query, ALL)]
            found = [row[0] for row in self.rows(
                "SELECT rowid FROM ix WHERE query = ? LIMIT -1 OFFSET 3", blob(*query))]
            self.assertEqual(found, everything[3:])
            found = [row[0] for row in self.rows(
                "SELECT rowid FROM ix WHERE query = ? LIMIT 4 OFFSET 790", blob(*query))]
            self.assertEqual(len(found), 4)
            self.db.execute("DROP TABLE ix")

    def test_writing_while_a_search_is_read(self):
        """A cursor that goes on after writes, and a ROLLBACK of them, leaves no wrong bytes."""
        for quantize, partitions, budget in (("none", 40, 1 << 30), ("bit", 40, 1 << 30),
                                             ("int8", 40, 1 << 30), ("none", 0, 0)):
            self.db.execute("SELECT rerank_config('memory_budget', ?)", (budget,))
            self.create(words(quantize, partitions))
            model = Model(8, centres=40)
            rows = [(id, model.vector()) for id in range(1, 6001)]
            rows[1] = (2, rows[0][1])
            self.db.execute("BEGIN")
            self.db.executemany(
                "INSERT INTO ix(rowid, embedding, text) VALUES (?, ?, ?)",
                [(id, blob(*vector), "x" if id < 3 or id % 500 == 0 else "y")
                 for id, vector in rows])
            self.db.execute("COMMIT")
            model.rows.update(rows)
            if partitions:
                self.assertGreater(self.one("SELECT count(*) FROM ix_partitions"), 20)
            self.found(rows[0][1], 1)
            self.db.execute("BEGIN")
            cursor = self.db.execute("SELECT rowid FROM ix WHERE query = ? AND text = 'x' LIMIT 9",
                                     (blob(*rows[0][1]),))
            self.assertEqual(cursor.fetchone(), (1,))
            changed = [(id, model.vector()) for id in range(3, 6001) if id % 500]
            self.put(changed, verb="INSERT OR REPLACE")
            self.assertEqual(self.one("SELECT count(*) FROM ix"), 6000)
            found = [row[0] for row in cursor.fetchall()]
            self.assertEqual(len(found), 8)
            self.assertEqual(found[0], 2)
            self.assertTrue(all(id % 500 == 0 for id in found[1:]), found)
            cursor.close()
            self.db.execute("ROLLBACK")
            self.whole(model)
            self.compare(model, exact=quantize == "none" and not partitions, least=0.9)
            self.check()
            self.db.execute("DROP TABLE ix")


class HalfWay(StorageBase):
    """A write that fails half way leaves nothing that could be committed."""

    def test_interrupts(self):
        for quantize, partitions in (("none", 0), ("int8", 4), ("bit", 0)):
            self.create(words(quantize, partitions))
            model = Model(1)
            self.fill(model, 20)
            rows = [(id, model.vector()) for id in range(1, 301)]
            for sql in ("SELECT count(*) FROM ix", "COMMIT",
                        "INSERT INTO ix(ix) VALUES ('optimize')"):
                after, torn = 1, 0
                while True:
                    self.db.execute("BEGIN")
                    self.put([(21, rows[20][1])])
                    self.assertEqual(self.one("SELECT count(*) FROM ix"), 21)
                    self.db.execute("SAVEPOINT s")
                    self.put(rows, verb="INSERT OR REPLACE")
                    was_interrupted = interrupted(self, sql, after)
                    if self.db.in_transaction and was_interrupted:
                        try:
                            self.assertEqual(self.one("SELECT count(*) FROM ix"), 300)
                        except sqlite3.Error as error:
                            torn += 1
                            self.assertNotEqual(sql, "COMMIT")
                            self.assertIn("ROLLBACK", str(error))
                            self.fails("ROLLBACK", "COMMIT")
                            self.fails("ROLLBACK", "INSERT INTO ix(ix) VALUES ('optimize')")
                            self.fails("locked", "DROP TABLE ix")
                            self.db.execute("ROLLBACK TO s")
                            self.assertEqual(self.one("SELECT count(*) FROM ix"), 21)
                            self.put([(22, rows[21][1])])
                        self.command("integrity-check")
                    if self.db.in_transaction:
                        self.db.execute("ROLLBACK")
                    if not was_interrupted:
                        break
                    self.assertEqual(self.one("SELECT count(*) FROM ix"), 20)
                    after = after * 5 // 4 + 7
                if sql.startswith("SELECT"):
                    self.assertGreater(torn, 0)
                if sql == "COMMIT":
                    model.rows.update(rows)
                    self.whole(model)
                    self.db.execute("DELETE FROM ix WHERE rowid > 20")
                    for id in range(21, 301):
                        del model.rows[id]
                self.check()
                self.whole(model)
            self.db.execute("DROP TABLE ix")

    def test_damage_in_the_middle(self):
        for quantize in QUANTIZE:
            self.create(words(quantize))
            model = Model(1)
            self.fill(model, 2500)
            self.command("optimize")
            good = dict(model.rows)
            table, key, column = (("ix_data", "block", "bytes") if quantize == "none" else
                                  ("ix_vectors", "id", "vector"))
            last, whole = self.rows(
                f"SELECT {key}, {column} FROM {table} ORDER BY 1 DESC LIMIT 1")[0]
            damage = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"
            self.db.execute(damage, (whole[:-1], last))
            for statement in ("INSERT INTO ix(ix) VALUES ('optimize')",
                              "INSERT INTO ix(ix) SELECT 'optimize'"):
                self.db.execute("BEGIN")
                self.fails(f"wrong size|row {last}:", statement)
                try:
                    self.db.execute("COMMIT")
                except sqlite3.Error:
                    self.db.execute("ROLLBACK")
                self.assertEqual(self.one("SELECT sum(n) FROM ix_blocks"), 2500)
            self.db.execute(damage, (whole, last))
            model.rows = good
            self.check()
            self.whole(model)
            self.db.execute("DROP TABLE ix")

    def test_last_insert_rowid(self):
        """SQLite's last_insert_rowid() is that of the user's row, not of one of ours."""
        self.create(words("int8", 2))
        model = Model(2)
        for first in (1, 200, 400):
            self.db.execute("BEGIN")
            self.fill(model, 150, first=first)
            self.db.execute("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                            (9000 - first, blob(*model.vector())))
            self.assertEqual(self.one("SELECT count(*) FROM ix WHERE rowid = 1"), 1)
            self.assertEqual(self.one("SELECT last_insert_rowid()"), 9000 - first)
            self.fill(model, 20, first=first + 150)
            self.db.execute("COMMIT")
            self.assertEqual(self.one("SELECT last_insert_rowid()"), first + 169)


if __name__ == "__main__":
    unittest.main()

"""How a semantic_index is stored: what it holds after any history is what a list in Python holds; what
several connections and processes see of it; what happens when its tables are damaged."""
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import unittest
from operator import mul

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import SANITIZED, SHELL, Base, blob, connect, from_blob, have_shell  # noqa: E402

FOLDER = os.path.dirname(os.path.abspath(__file__))
DIMENSIONS = 16
ALL = 10**9

QUANTIZE = ("none", "int8", "bit")
PARTITIONS = (0, "auto", 4)
OPTIONS = [(quantize, partitions) for quantize in QUANTIZE for partitions in PARTITIONS]


def words(quantize="none", partitions=0, metric="cosine", dimensions=DIMENSIONS):
    text = f"dimensions={dimensions}, metric={metric}"
    text += f", quantize={quantize}" if quantize != "none" else ""
    return text + (f", partitions={partitions}" if partitions else "")


def as_float32(vector):
    return tuple(from_blob(blob(*vector)))


def similarity(metric, a, b):
    dot = sum(map(mul, a, b))
    if metric == "dot":
        return dot
    if metric == "cosine":
        return dot / math.sqrt(sum(map(mul, a, a)) * sum(map(mul, b, b)))
    return 1 / (1 + math.dist(a, b))


class Model:
    """The index, in Python: {rowid: vector}; draws vectors around a few centres."""

    def __init__(self, seed, dimensions=DIMENSIONS, centres=12):
        self.draw = random.Random(seed)
        self.dimensions = dimensions
        self.rows = {}
        self.centres = [self.noise(1) for _ in range(centres)]

    def noise(self, width):
        return [self.draw.gauss(0, width) for _ in range(self.dimensions)]

    def vector(self):
        centre = self.draw.choice(self.centres)
        return as_float32(map(sum, zip(centre, self.noise(0.6))))

    def nearest(self, query, k, metric="cosine", among=None, least=-math.inf):
        ranked = sorted((-similarity(metric, vector, query), id) for id, vector in self.rows.items()
                        if among is None or id in among)
        return [(id, -negative) for negative, id in ranked if -negative >= least][:k]


class StorageBase(Base):
    def setUp(self):
        super().setUp()
        self.db.execute("PRAGMA synchronous = off")

    def create(self, options="", name="ix", db=None):
        (db or self.db).execute(f"CREATE VIRTUAL TABLE {name} USING semantic_index({options})")

    def put(self, rows, db=None, verb="INSERT", name="ix"):
        (db or self.db).executemany(f"{verb} INTO {name}(rowid, embedding) VALUES (?, ?)",
                                    [(id, blob(*vector)) for id, vector in rows])

    def fill(self, model, n, first=1, **options):
        rows = [(id, model.vector()) for id in range(first, first + n)]
        with_transaction = not self.db.in_transaction
        if with_transaction:
            self.db.execute("BEGIN")
        self.put(rows, **options)
        if with_transaction:
            self.db.execute("COMMIT")
        model.rows.update(rows)

    def found(self, query, k, db=None, name="ix", more=""):
        return (db or self.db).execute(
            f"SELECT rowid, similarity FROM {name} WHERE query = ? AND k = ? {more}",
            (blob(*query), k)).fetchall()

    def assert_same(self, hits, expected, message=None):
        """Neighbours whose similarities differ by less than float32 can tell may be swapped."""
        wanted = dict(expected)
        self.assertEqual(sorted(id for id, _ in hits), sorted(wanted), message)
        for (id, got), (expected_id, value) in zip(hits, expected):
            self.assertAlmostEqual(got, wanted[id], 5, message)
            if id != expected_id:
                self.assertAlmostEqual(value, wanted[id], 6, message)

    def compare(self, model, metric="cosine", exact=True, n=6, k=10, least=0.95, db=None,
                message=None):
        """Searches agree with the model; approximate ones find nearly all."""
        hit = wanted = 0
        for _ in range(n):
            query = model.vector()
            hits, expected = self.found(query, k, db), model.nearest(query, k, metric)
            self.assertEqual(len(hits), len(expected), message)
            if exact:
                self.assert_same(hits, expected, message)
            for id, got in hits:
                self.assertAlmostEqual(got, similarity(metric, model.rows[id], query), 5)
            hit += len({id for id, _ in hits} & {id for id, _ in expected})
            wanted += len(expected)
        self.assertGreaterEqual(hit, wanted * least, message)

    def whole(self, model, db=None, metric="cosine", name="ix", message=None):
        """All rows come back when all are asked for, ranked."""
        query = model.vector()
        self.assert_same(self.found(query, ALL, db, name), model.nearest(query, ALL, metric),
                         message)

    def command(self, text, db=None, name="ix"):
        (db or self.db).execute(f"INSERT INTO {name}({name}) VALUES (?)", (text,))


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
        """'auto' cuts at 2048 rows; 'optimize' gives up the parts that have become small."""
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

    def interrupted(self, sql, after):
        """Runs sql, interrupted after so many steps of SQLite's machine; whether it was."""
        left = [after]

        def tick():
            left[0] -= 1
            return left[0] <= 0

        self.db.set_progress_handler(tick, 1)
        try:
            self.db.execute(sql).fetchall()
            return False
        except sqlite3.Error as error:
            self.assertIn("interrupted", str(error))
            return True
        finally:
            self.db.set_progress_handler(None, 1)

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
                    was_interrupted = self.interrupted(sql, after)
                    if self.db.in_transaction and was_interrupted:
                        try:
                            self.assertEqual(self.one("SELECT count(*) FROM ix"), 300)
                        except sqlite3.Error as error:
                            torn += 1
                            self.assertNotEqual(sql, "COMMIT")
                            self.assertIn("ROLLBACK", str(error))
                            self.fails("ROLLBACK", "COMMIT")
                            self.fails("ROLLBACK", "INSERT INTO ix(ix) VALUES ('optimize')")
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
            last, whole = self.rows(f"SELECT {key}, {column} FROM {table} ORDER BY 1 DESC LIMIT 1")[0]
            damage = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"
            self.db.execute(damage, (whole[:-1], last))
            for statement in ("INSERT INTO ix(ix) VALUES ('optimize')",
                              "INSERT INTO ix(ix) SELECT 'optimize'"):
                self.db.execute("BEGIN")
                self.fails("wrong size|row 2500", statement)
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


class Upkeep(StorageBase):
    def test_optimize_gives_space_back(self):
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(2)
            self.fill(model, 3000)
            pages = self.one("PRAGMA page_count")
            gone = [id for id in model.rows if id % 10]
            self.db.execute("DELETE FROM ix WHERE rowid % 10")
            for id in gone:
                del model.rows[id]
            free = self.one("PRAGMA freelist_count")
            self.command("optimize")
            self.assertGreater(self.one("PRAGMA freelist_count"), free)
            self.check()
            self.whole(model)
            self.db.execute("VACUUM")
            self.assertLess(self.one("PRAGMA page_count"), pages / 4)
            self.check()
            self.whole(model)
            self.db.execute("DROP TABLE ix")
            self.db.execute("VACUUM")

    def test_optimize_of_little(self):
        for quantize, partitions in OPTIONS:
            self.db.execute(f"CREATE VIRTUAL TABLE e USING semantic_index(quantize={quantize})"
                            if quantize != "none" else "CREATE VIRTUAL TABLE e USING semantic_index()")
            self.command("optimize", name="e")
            self.db.execute("DROP TABLE e")
            self.create(words(quantize, partitions))
            self.command("optimize")
            model = Model(1)
            for n in (1, 1, 2):
                self.fill(model, n, first=len(model.rows) + 1)
                self.command("optimize")
                self.check()
                self.whole(model)
            self.db.execute("BEGIN")
            self.fill(model, 300, first=10)
            self.command("optimize")
            before = dict(model.rows)
            self.whole(model)
            self.db.execute("SAVEPOINT s")
            self.fill(model, 300, first=1000)
            self.command("optimize")
            self.whole(model)
            self.db.execute("ROLLBACK TO s")
            model.rows = before
            self.whole(model)
            self.db.execute("COMMIT")
            self.check()
            self.db.execute("DELETE FROM ix")
            self.command("optimize")
            self.check()
            self.assertEqual(self.found(model.vector(), 1), [])
            self.db.execute("DROP TABLE ix")

    def test_small_inserts_fill_blocks(self):
        """Rows that come one transaction at a time do not leave blocks with little in them."""
        for quantize in QUANTIZE:
            self.create(words(quantize))
            model = Model(2)
            for id in range(1, 301):
                self.put([(id, model.vector())])
            self.assertLessEqual(self.one("SELECT count(*) FROM ix_blocks"), 8)
            self.assertLess(self.one("SELECT sum(room) FROM ix_blocks"), 300)
            self.check()
            self.db.execute("DROP TABLE ix")

    def test_rename_and_backup(self):
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(4)
            self.fill(model, 600)
            self.whole(model)
            self.db.execute("ALTER TABLE ix RENAME TO other")
            self.whole(model, name="other")
            self.create(words(quantize, partitions))
            self.assertEqual(self.found(model.vector(), 3), [])
            self.put([(1, model.vector())], name="ix")
            self.assertEqual(len(self.found(model.vector(), 3)), 1)
            self.whole(model, name="other")
            self.command("integrity-check", name="other")
            path = os.path.join(self.folder.name, "copy.db")
            plain = sqlite3.connect(path)
            self.db.backup(plain)
            plain.close()
            copy = connect(path)
            self.whole(model, copy, name="other")
            copy.execute("DELETE FROM other WHERE rowid > 300")
            self.whole(model, name="other")
            copy.execute("INSERT INTO other(other) VALUES ('integrity-check')")
            # And over a database that is open and was searched.
            self.db.backup(copy)
            self.whole(model, copy, name="other")
            copy.close()
            os.remove(path)
            self.db.execute("DROP TABLE ix")
            self.db.execute("DROP TABLE other")

    @unittest.skipUnless(have_shell(), "no sqlite3 shell")
    def test_dump_and_restore(self):
        models = {}
        for number, (quantize, partitions) in enumerate(OPTIONS):
            name = f"ix{number}"
            self.create(words(quantize, partitions), name)
            models[name] = Model(number)
            self.fill(models[name], 400, name=name)
        self.db.close()
        dump = subprocess.run([SHELL, self.path, ".dump"], stdout=subprocess.PIPE, check=True).stdout
        restored = os.path.join(self.folder.name, "restored.db")
        result = subprocess.run([SHELL, restored], input=dump, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, check=False)
        self.assertEqual((result.returncode, result.stdout), (0, b""))
        self.db = connect(restored)
        for name, model in models.items():
            self.whole(model, name=name)
            self.command("integrity-check", name=name)
            self.fill(model, 400, first=1000, name=name)
            self.whole(model, name=name)
        self.assertEqual(self.one("PRAGMA integrity_check"), "ok")

    def test_other_databases(self):
        """Attached, temporary and in-memory ones, of the same names."""
        self.db.execute("ATTACH ? AS a", (os.path.join(self.folder.name, "a.db"),))
        self.db.execute("ATTACH ':memory:' AS m")
        self.db.execute("ATTACH ':memory:' AS m2")
        models = {}
        for number, (quantize, partitions) in enumerate(OPTIONS):
            for schema in ("main", "a", "m", "m2", "temp"):
                name = f"{schema}.ix{number}"
                models[name] = Model(name)
                self.create(words(quantize, partitions), name)
                self.fill(models[name], 40, name=name)
        for _ in range(2):
            for name, model in models.items():
                self.whole(model, name=name)
        for schema in ("m", "m2"):
            self.db.execute(f"DETACH {schema}")
        self.db.execute("ATTACH ':memory:' AS m")
        self.create(words(), "m.ix0")
        self.assertEqual(self.found([1] * DIMENSIONS, 3, name="m.ix0"), [])
        self.whole(models["a.ix0"], name="a.ix0")
        other = connect()
        other.execute("CREATE VIRTUAL TABLE ix0 USING semantic_index(dimensions=16)")
        self.assertEqual(self.found([1] * DIMENSIONS, 3, other, "ix0"), [])
        other.close()

    def test_rowids_and_dimensions(self):
        least, most = -2**63, 2**63 - 1
        for quantize, partitions in OPTIONS:
            for dimensions in (1, 3):
                self.create(words(quantize, partitions, "l2", dimensions))
                model = Model(1, dimensions)
                ids = [least, least + 1, -7, -1, 0, 1, 2**40, most - 1, most]
                model.rows.update((id, model.vector()) for id in ids)
                self.put(model.rows.items())
                self.assertEqual(self.ids(), ids)
                self.whole(model, metric="l2")
                self.assertEqual(
                    sorted(id for id, _ in self.found(
                        model.vector(), 9, more=f"AND rowid IN ({most}, {least + 1}, 5, -1)")),
                    [least + 1, -1, most])
                self.check()
                for id in (least, most, 0):
                    self.db.execute("DELETE FROM ix WHERE rowid = ?", (id,))
                    del model.rows[id]
                self.whole(model, metric="l2")
                self.command("optimize")
                self.check()
                self.whole(model, metric="l2")
                self.db.execute("DROP TABLE ix")

    def test_exactly_similar_enough(self):
        """similarity >= x of a row whose similarity is x, of the smallest vectors there are."""
        for quantize, partitions in OPTIONS:
            for metric in ("dot", "l2", "cosine"):
                for dimensions in (1, 2, 3):
                    self.create(words(quantize, partitions, metric, dimensions))
                    model = Model(7, dimensions)
                    self.fill(model, 2500 if partitions == 4 else 900)
                    query = model.vector()
                    hits = self.found(query, ALL)
                    for place in (0, 1, 3, 6, 10):
                        found = self.found(query, 15, more=f"AND similarity >= {hits[place][1]!r}")
                        wanted = sum(value >= hits[place][1] for _, value in hits)
                        self.assertEqual(len(found), min(15, wanted),
                                         (quantize, partitions, metric, dimensions, place))
                    self.db.execute("DROP TABLE ix")

    def test_65536_dimensions(self):
        for quantize, partitions in (("none", 0), ("int8", 0), ("bit", 2)):
            self.create(words(quantize, partitions, dimensions=65536))
            draw = random.Random(1)
            rows = {}
            for id in range(1, 20):
                vector = [0.0] * 65536
                for _ in range(40):
                    vector[draw.randrange(65536)] = draw.gauss(0, 1)
                rows[id] = vector
            self.put(rows.items())
            for id in (1, 19):
                self.assertEqual(self.found(rows[id], 1)[0][0], id)
            self.assertEqual(len(self.found(rows[3], ALL)), 19)
            self.command("optimize")
            self.check()
            self.db.execute("DROP TABLE ix")

    def test_memory_budgets(self):
        for quantize, partitions in OPTIONS:
            self.create(words(quantize, partitions))
            model = Model(6)
            self.fill(model, 1200)
            for budget in (0, 1, 5000, 100000, 3 << 20, 1 << 30, 0):
                self.db.execute("SELECT rerank_config('memory_budget', ?)", (budget,))
                for _ in range(2):
                    self.compare(model, exact=quantize == "none" and not partitions, n=1)
                    self.whole(model)
                self.fill(model, 3, first=5000 + model.draw.randrange(1000), verb="REPLACE")
            self.db.execute("DROP TABLE ix")

    def test_defensive_mode(self):
        if not hasattr(self.db, "setconfig"):
            self.skipTest("Python's sqlite3 has no setconfig before 3.12")
        self.db.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
        self.create(words("int8", 4))
        model = Model(6)
        self.fill(model, 600)
        self.command("optimize")
        self.whole(model)
        self.check()


# ---- several connections, several processes --------------------------------------------------------

CHILD = """
import os, sys
sys.path.insert(0, {folder!r})
from support import blob, connect
from test_index_storage import Model, words
db = connect(sys.argv[1], timeout=60)
def say(text):
    print(text, flush=True)
"""


class Processes(StorageBase):
    def child(self, program, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-B", "-c", CHILD.format(folder=FOLDER) + program, self.path,
             *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def end():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

        self.addCleanup(end)
        return process

    def ask(self, process, line=""):
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    SERVANT = """
for line in sys.stdin:
    try:
        say(repr(db.execute(line).fetchall()))
    except Exception as error:
        say("error " + str(error))
"""

    def test_a_writer_and_a_reader(self):
        """What another process commits is seen at once; what it rolls back never."""
        for mode in ("delete", "wal"):
            self.db.execute(f"PRAGMA journal_mode = {mode}")
            for quantize, partitions in (("none", 0), ("int8", "auto"), ("bit", 4)):
                self.create(words(quantize, partitions, dimensions=2))
                self.put([(1, (1, 0)), (2, (0, 1))])
                child = self.child(self.SERVANT)
                insert = "INSERT INTO ix(rowid, embedding) VALUES ({}, '[{}, {}]')"

                def nearest():
                    mine = self.rows("SELECT rowid FROM ix('[1, 0]', 1)")
                    theirs = self.ask(child, "SELECT rowid FROM ix('[1, 0]', 1)")
                    self.assertEqual(theirs, repr(mine))
                    return mine[0][0]

                self.assertEqual(nearest(), 1)
                self.assertEqual(self.ask(child, insert.format(1, -1, 0)), "[]")
                self.assertEqual(nearest(), 2)
                self.put([(3, (1, 0.5))])
                self.assertEqual(nearest(), 3)
                self.ask(child, "BEGIN")
                self.ask(child, insert.format(4, 1, 0.1))
                self.assertEqual(self.ask(child, "SELECT rowid FROM ix('[1, 0]', 1)"), "[(4,)]")
                if mode == "wal":
                    self.assertEqual(self.rows("SELECT rowid FROM ix('[1, 0]', 1)"), [(3,)])
                self.ask(child, "ROLLBACK")
                self.assertEqual(nearest(), 3)
                if mode == "wal":  # an open transaction keeps what it saw
                    self.db.execute("BEGIN")
                    self.assertEqual(self.rows("SELECT rowid FROM ix('[1, 0]', 1)"), [(3,)])
                    self.ask(child, insert.format(4, 1, 0.1))
                    other = connect(self.path)
                    self.assertEqual(other.execute("SELECT rowid FROM ix('[1, 0]', 1)").fetchall(),
                                     [(4,)])
                    for _ in range(2):
                        self.assertEqual(self.rows("SELECT rowid FROM ix('[1, 0]', 1)"), [(3,)])
                        self.assertEqual(self.rows("SELECT rowid FROM ix('[1, 0]', 9)"),
                                         [(3,), (2,), (1,)])
                    self.db.execute("COMMIT")
                    other.close()
                    self.assertEqual(nearest(), 4)
                self.assertEqual(self.ask(child, "DROP TABLE ix"), "[]")
                child.stdin.close()
                child.wait()

    WRITER = """
model = Model(1)
db.execute("PRAGMA synchronous = off")
for batch in range(int(sys.argv[2])):
    first = batch * 100
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM ix WHERE rowid <= ?", (first - 500,))
    db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                   [(id, blob(*model.vector())) for id in range(first + 1, first + 101)])
    db.execute("COMMIT")
    if batch == 6:
        say("begun")
say("done")
"""

    def test_never_half_a_batch(self):
        """A reader in WAL mode is never blocked, and never sees a part of a transaction."""
        self.db.execute("PRAGMA journal_mode = wal")
        for quantize, partitions in (("none", 0), ("int8", 0), ("bit", "auto"), ("none", 3)):
            self.create(words(quantize, partitions))
            child = self.child(self.WRITER, 40)
            self.assertEqual(child.stdout.readline().strip(), "begun")
            reader = connect(self.path, timeout=0)
            query = [1.0] * DIMENSIONS
            generations = set()
            while child.poll() is None:
                ids = sorted(id for id, _ in self.found(query, ALL, reader))
                self.assertEqual(len(ids), 600)
                self.assertEqual(ids, list(range(ids[0], ids[0] + 600)))
                generations.add(ids[0])
                self.assertEqual(len(self.found(query, 10, reader)), 10)
            self.assertGreater(len(generations), 1)
            reader.close()
            self.check()
            self.db.execute("DROP TABLE ix")

    KILLED = """
model = Model(1)
db.execute("PRAGMA cache_size = 10")
n = int(sys.argv[2])
db.execute("BEGIN")
db.executemany("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
               [(id, blob(*model.vector())) for id in range(1, n + 1)])
db.execute("COMMIT")
say("committed")
db.execute("BEGIN")
for id in range(1, 1000000):
    db.execute("INSERT OR REPLACE INTO ix(rowid, embedding) VALUES (?, ?)",
               (id * 3, blob(*model.vector())))
    if id % 500 == 0:
        db.execute("DELETE FROM ix WHERE rowid = ?", (id,))
        db.execute("SELECT rowid FROM ix WHERE query = ? AND k = 1", (blob(*model.vector()),))
        say("more")
"""

    def test_a_writer_that_is_killed(self):
        for number, mode in enumerate(("delete", "wal", "truncate")):
            self.db.execute(f"PRAGMA journal_mode = {mode}")
            quantize, partitions = (("none", 4), ("bit", 4), ("int8", 0))[number]
            self.create(words(quantize, partitions))
            self.db.close()
            child = self.child(self.KILLED, 700)
            for expected in ("committed", "more", "more", "more"):
                self.assertEqual(child.stdout.readline().strip(), expected)
            child.send_signal(signal.SIGKILL)
            child.wait()
            self.db = connect(self.path)
            self.check()
            model = Model(1)
            model.rows.update((id, model.vector()) for id in range(1, 701))
            self.whole(model)
            self.fill(model, 300, first=2000)
            self.check()
            self.whole(model)
            self.db.execute("DROP TABLE ix")

    def test_connections_share(self):
        """A block that one connection has read is there for all: a budget for one is enough."""
        self.create(words("none"))
        model = Model(9)
        self.fill(model, 4000)
        others = [connect(self.path) for _ in range(4)]
        for other in others * 2:
            self.whole(model, other)
        others[0].execute("DELETE FROM ix WHERE rowid = 17")
        del model.rows[17]
        for other in others:
            self.whole(model, other)
        for other in others:
            other.close()
        self.whole(model)

    def test_threads(self):
        """Connections of several threads search and write at once."""
        self.db.execute("PRAGMA journal_mode = wal")
        for quantize, partitions in (("none", 0), ("int8", 3), ("bit", 0)):
            self.create(words(quantize, partitions))
            self.fill(Model(1), 500)
            failures = []

            def work(number):
                try:
                    model = Model(number)
                    db = connect(self.path, timeout=60)
                    db.execute("PRAGMA synchronous = off")
                    for step in range(12):
                        if number % 2 == 0:
                            id, vector = 1000 * (number + 1) + step, model.vector()
                            db.execute("INSERT INTO ix(rowid, embedding) VALUES (?, ?)",
                                       (id, blob(*vector)))
                            model.rows[id] = vector
                            hits = db.execute("SELECT rowid FROM ix(?, 1)", (blob(*vector),))
                            assert hits.fetchall() == [(id,)]
                        hits = db.execute("SELECT rowid FROM ix(?, 100000)",
                                          (blob(*model.vector()),)).fetchall()
                        assert len({row[0] for row in hits}) == len(hits) >= 500
                        assert set(model.rows) <= {row[0] for row in hits}
                    db.close()
                except BaseException as error:
                    failures.append(error)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.check()
            self.assertEqual(self.one("SELECT count(*) FROM ix"), 536)
            self.db.execute("DROP TABLE ix")


# ---- damage -----------------------------------------------------------------------------------------

NAN = "x'" + "0000c07f" * DIMENSIONS + "'"
DATA = "UPDATE ix_data SET bytes = "
BLOCKS = "UPDATE ix_blocks SET "
ONE = " WHERE block = (SELECT max(block) FROM ix_blocks)"

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
    ("UPDATE ix_rows SET block = block + 1", True),
    ("UPDATE ix_rows SET block = 999 WHERE id = 5", True),
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
    ("DELETE FROM ix_text WHERE id = 5", False),
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
    """The tables of an index are read as hostile input: a clear error or an answer, never a crash."""

    STATEMENTS = [
        "SELECT rowid, similarity, embedding FROM ix(:query, 5)",
        "SELECT rowid FROM ix(:query)",
        "SELECT rowid FROM ix WHERE query = :query AND k = 7 AND rowid IN (1, 5, 300, 12345)",
        "SELECT rowid FROM ix WHERE query = :query AND k = 3 AND similarity > 0.9",
        "SELECT rowid FROM ix WHERE query = :query AND k = 3 AND similarity > 0.9 AND rowid IN "
        "(SELECT id FROM ix_text)",
        "SELECT rowid FROM ix WHERE query = :query AND text IS NULL LIMIT 3",
        "SELECT rowid, embedding FROM ix",
        "SELECT embedding FROM ix WHERE rowid = 5",
        "INSERT INTO ix(ix) VALUES ('integrity-check')",
    ]
    WRITES = [
        "INSERT INTO ix(rowid, embedding) VALUES (5000, :query)",
        "INSERT INTO ix(rowid, embedding) SELECT 6000 + id, :query FROM ix_text WHERE id < 300",
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

    def test_damage(self):
        template = os.path.join(self.folder.name, "template.db")
        for quantize, partitions in (("none", 0), ("none", 2), ("int8", 0), ("bit", 3), ("int8", 2)):
            self.db.close()
            if os.path.exists(self.path):
                os.remove(self.path)
            self.db = connect(self.path)
            self.db.execute("PRAGMA page_size = 1024")
            self.create(words(quantize, partitions))
            model = Model(1)
            self.fill(model, 400)
            n_parts = self.one("SELECT count(DISTINCT partition) FROM ix_blocks")
            self.assertEqual(n_parts > 1, partitions > 0)
            with open(self.path, "rb") as file:
                template = file.read()
            damage = list(DAMAGE)
            if partitions or quantize == "bit":
                damage += WITH_PARTITIONS
            if quantize != "none":
                damage += WITH_VECTORS
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
            left = {row[0] for row in self.rows("SELECT rowid FROM ix")}
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

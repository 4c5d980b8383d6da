"""run.py: a run: random statements on a database, and the same on what is expected of it.

A run has a file and two connections: one that writes, one that only looks. In the file are up to
three indexes a, b, c that keep texts of their own, made, dropped and renamed as chance has it, and
an index f of the content table `content`, with triggers or without. A statement that fails must
leave all as it was. Some statements come again and again, so that after a rollback the same one
comes as well as another: what tells writes and indexes apart (ext/store/store.h) is the same then.
"""
from compare import DIMENSIONS, SIMILARITY, Comparison, Difference, from_blob, to_blob
from expected import Expected

IDS = 40
WORDS = "cat dog rain roof sea ship snow valley train murder egg ice hero city bat cave".split()
TRIGGERS = (
    "CREATE TRIGGER t1 AFTER INSERT ON content BEGIN INSERT INTO f(rowid) VALUES (new.id); END",
    "CREATE TRIGGER t2 AFTER DELETE ON content BEGIN DELETE FROM f WHERE rowid = old.id; END",
    "CREATE TRIGGER t3 AFTER UPDATE ON content BEGIN INSERT INTO f(rowid) VALUES (new.id); END")


class Run:
    def __init__(self, random, opener, path):
        self.random, self.opener, self.path = random, opener, path
        self.log = []
        self.expected = Expected()
        self.db, self.other = opener(path), opener(path)
        self.has_triggers = random.random() < .5
        self.few = [self.vector(), self.vector()]
        self.must(f"PRAGMA page_size = {random.choice([512, 4096, 65536])}")
        self.must("CREATE TABLE content(id INTEGER PRIMARY KEY, body)")
        self.must("CREATE VIRTUAL TABLE f USING semantic_index(content = 'content', text = 'body', "
                  f"content_rowid = 'id'{self.lexical()}{self.codes()})")
        for trigger in TRIGGERS if self.has_triggers else ():
            self.must(trigger)
        self.create("a")

    def close(self):
        self.db.close()
        self.other.close()

    @property
    def now(self):
        return self.expected.now

    # -- running ---------------------------------------------------------------------------------

    def sql(self, text, bindings=()):
        """(rows, None) or (None, error)."""
        self.log.append((text, tuple(f"<{len(value)} bytes>" if isinstance(value, bytes) else value
                                     for value in bindings)))
        try:
            return self.db.execute(text, bindings), None
        except self.db.Error as error:
            self.log.append((f"-- {error}", ()))
            return None, error

    def must(self, text, bindings=()):
        rows, error = self.sql(text, bindings)
        if error is not None:
            raise Difference(f"{text}: {error}")
        return rows

    def must_fail(self, text, bindings=()):
        rows, _ = self.sql(text, bindings)
        if rows is not None:
            raise Difference(f"accepted: {text}")
        if self.expected.begun and not self.db.in_transaction():
            raise Difference(f"ended the transaction: {text}")

    # -- what statements are made of -------------------------------------------------------------

    def vector(self):
        return from_blob(to_blob([self.random.gauss(0, 1) for _ in range(DIMENSIONS)]))

    def text(self):
        return " ".join(self.random.choice(WORDS) for _ in range(self.random.randint(1, 6)))

    def lexical(self):
        return self.random.choice(["", "", ", lexical = 'fts5'"])

    def codes(self):
        return self.random.choice(["", ", quantize = 'int8'", ", quantize = 'bit'",
                                   ", quantize = 'bit', partitions = 'auto'"])

    def rowid(self):
        return self.random.randint(1, IDS)

    def name(self):
        return self.random.choice(sorted(self.now.tables)) if self.now.tables else None

    # -- indexes with texts of their own ---------------------------------------------------------

    def insert(self, name):
        rows = {self.rowid(): (self.text() if self.random.random() < .7 else None, self.vector())
                for _ in range(self.random.choice([1, 1, 1, 2, 5]))}
        if self.random.random() < .3:
            rows = {self.random.randint(1, 2): ("cat", self.random.choice(self.few))}
        table = self.now.tables[name]
        verbs = ["REPLACE", "INSERT OR REPLACE"]
        if not rows.keys() & table.keys():
            verbs.append("INSERT")
        self.must(f"{self.random.choice(verbs)} INTO {name}(rowid, text, embedding) VALUES "
                  + ", ".join(["(?, ?, ?)"] * len(rows)),
                  [value for rowid, (text, vector) in rows.items()
                   for value in (rowid, text, to_blob(vector))])
        table.update(rows)
        self.expected.done()

    def insert_or(self, name):
        """Conflicts: with what is there, and between the rows of the statement."""
        clause = self.random.choice(["", "OR ABORT", "OR IGNORE", "OR FAIL", "OR ROLLBACK"])
        rows = [(self.rowid(), self.text() if self.random.random() < .7 else None, self.vector())
                for _ in range(self.random.choice([1, 1, 2, 5]))]
        before, table, failed = dict(self.now.tables[name]), self.now.tables[name], False
        for rowid, text, vector in rows:
            if rowid not in table:
                table[rowid] = (text, vector)
            elif clause != "OR IGNORE":
                failed = True
                break
        _, error = self.sql(
            f"INSERT {clause} INTO {name}(rowid, text, embedding) VALUES "
            + ", ".join(["(?, ?, ?)"] * len(rows)),
            [value for rowid, text, vector in rows for value in (rowid, text, to_blob(vector))])
        if failed != (error is not None) or (failed and "UNIQUE" not in str(error)):
            raise Difference(f"INSERT {clause}: {error}, expected {failed and 'a conflict'}")
        if failed and clause == "OR ROLLBACK":
            self.expected.rollback()
        elif failed and clause != "OR FAIL":
            self.now.tables[name] = before
        if self.expected.begun != self.db.in_transaction():
            raise Difference(f"in a transaction: {self.db.in_transaction()}")
        self.expected.done()

    def insert_without_rowid(self, name):
        table, row = self.now.tables[name], (self.text(), self.vector())
        self.must(f"INSERT INTO {name}(text, embedding) VALUES (?, ?)", (row[0], to_blob(row[1])))
        got, want = self.must("SELECT last_insert_rowid()")[0][0], max(table, default=0) + 1
        if got != want:
            raise Difference(f"the rowid chosen is {got}, not {want}")
        table[want] = row
        self.expected.done()

    def update(self, name):
        rowid, vector, table = self.rowid(), self.vector(), self.now.tables[name]
        self.must(f"UPDATE {name} SET embedding = ? WHERE rowid = ?", (to_blob(vector), rowid))
        if rowid in table:
            table[rowid] = (table[rowid][0], vector)
        self.expected.done()

    def delete(self, name):
        first = self.rowid()
        last = first + self.random.choice([0, 0, 0, 9])
        self.must(f"DELETE FROM {name} WHERE rowid BETWEEN ? AND ?" if last > first else
                  f"DELETE FROM {name} WHERE rowid = ?", (first, last)[:1 + (last > first)])
        for rowid in range(first, last + 1):
            self.now.tables[name].pop(rowid, None)
        self.expected.done()

    def wrong(self, name):
        rowid, good = self.rowid(), to_blob(self.vector())
        self.must_fail(*self.random.choice([
            (f"REPLACE INTO {name}(rowid, embedding) VALUES (?, ?), (?, ?)",
             (rowid, good, rowid + 1, to_blob((1, 2, 3)))),
            (f"REPLACE INTO {name}(rowid, embedding) VALUES (?, ?)", (rowid, b"abc")),
            (f"REPLACE INTO {name}(rowid, text) VALUES (?, ?)", (rowid, b"abc")),
            (f"REPLACE INTO {name}(rowid, embedding, rank) VALUES (?, ?, 1)", (rowid, good)),
            (f"INSERT INTO {name}({name}) VALUES ('no such command')", ()),
            ("INSERT INTO f(rowid) VALUES (1000)", ()),
            (f"CREATE VIRTUAL TABLE {name} USING semantic_index()", ())]))

    def upkeep(self, name):
        command = self.random.choice(["optimize", "integrity-check"])
        self.must(f"INSERT INTO {name}({name}) VALUES ('{command}')")
        self.expected.done()

    # -- the index of a content table ------------------------------------------------------------

    def content_changed(self, rowids):
        """What triggers do."""
        for rowid in rowids if self.has_triggers else ():
            self.row_indexed(rowid, self.now.content.get(rowid))

    def row_indexed(self, rowid, text):
        if text:
            self.now.indexed[rowid] = text
        else:
            self.now.indexed.pop(rowid, None)

    def content(self, _):
        content, rowid = self.now.content, self.rowid()
        text = self.text() if self.random.random() < .9 else ""
        what = self.random.choice(["insert", "insert", "update", "delete", "wrong"])
        rowids = range(rowid, rowid + self.random.choice([1, 1, 4]))
        if what == "insert":
            rowids = [rowid for rowid in rowids if rowid not in content]
            if rowids:
                self.must("INSERT INTO content VALUES " + ", ".join(["(?, ?)"] * len(rowids)),
                          [value for rowid in rowids for value in (rowid, text)])
            content.update((rowid, text) for rowid in rowids)
        elif what == "update":
            self.must("UPDATE content SET body = ? WHERE id BETWEEN ? AND ?",
                      (text, rowids[0], rowids[-1]))
            rowids = [rowid for rowid in rowids if rowid in content]
            content.update((rowid, text) for rowid in rowids)
        elif what == "delete":
            self.must("DELETE FROM content WHERE id BETWEEN ? AND ?", (rowids[0], rowids[-1]))
            rowids = [rowid for rowid in rowids if content.pop(rowid, None) is not None]
        elif content:
            there = self.random.choice(sorted(content))
            self.must_fail("INSERT INTO content VALUES (?, 'x'), (?, 'x')", (1000, there))
            return
        self.content_changed(rowids)
        self.expected.done()

    def content_row(self, _):
        """A row of the index, written without a trigger."""
        content = self.now.content
        if not content:
            return
        rowid = self.random.choice(sorted(content))
        if self.random.random() < .5:
            self.must("INSERT INTO f(rowid) VALUES (?)", (rowid,))
            self.row_indexed(rowid, content[rowid])
        else:
            self.must("DELETE FROM f WHERE rowid = ?", (rowid,))
            self.row_indexed(rowid, None)
        self.expected.done()

    def sync(self, _):
        self.must(self.random.choice([
            "INSERT INTO f(f) VALUES ('sync')", "INSERT INTO f(f) VALUES ('sync')",
            "INSERT INTO f(f) VALUES ('rebuild')", "SELECT * FROM semantic_sync('f')"]))
        self.now.indexed = {rowid: text for rowid, text in self.now.content.items() if text}
        self.expected.done()
        again = self.must("SELECT embedded, deleted, pending FROM semantic_sync('f')")
        if again != [(0, 0, 0)]:
            raise Difference(f"a sync after a sync did {again}")
        self.must("INSERT INTO f(f) VALUES ('integrity-check')")

    # -- transactions ----------------------------------------------------------------------------

    def border(self, _):
        expected = self.expected
        if not expected.begun:
            if self.random.random() < .3:
                self.must("SAVEPOINT s0")
                expected.savepoint("s0")
            else:
                self.must(self.random.choice(["BEGIN", "BEGIN IMMEDIATE"]))
                expected.begin()
            return
        what = self.random.choice(["savepoint", "savepoint", "to", "to", "release", "commit",
                                   "rollback"])
        if what == "savepoint":
            name = self.random.choice(["s1", "s2", "s3"])
            self.must("SAVEPOINT " + name)
            expected.savepoint(name)
        elif what in ("to", "release"):
            if expected.marks:
                name = self.random.choice(expected.marks)[0]
                self.must(("ROLLBACK TO " if what == "to" else "RELEASE ") + name)
                (expected.rollback_to if what == "to" else expected.release)(name)
        else:
            self.must(what.upper())
            (expected.commit if what == "commit" else expected.rollback)()

    # -- the schema ------------------------------------------------------------------------------

    def create(self, name):
        if name in self.now.tables:
            return
        metric = self.random.choice(list(SIMILARITY))
        quantize = self.random.choice(["none", "none", "int8", "bit"])
        partitions = self.random.choice(["", "", ", partitions = 'auto'"])
        if self.random.random() < .5:
            metric, quantize, partitions = "dot", "none", ""
        lexical = self.lexical()
        self.must(f"CREATE VIRTUAL TABLE {name} USING semantic_index(metric = '{metric}', "
                  f"quantize = '{quantize}', dimensions = {DIMENSIONS}{partitions}{lexical})")
        self.now.tables[name], self.now.options[name] = {}, (metric, quantize, lexical != "")
        self.expected.done()

    def drop(self, name):
        _, error = self.sql(f"DROP TABLE {name}")
        if error is not None:
            # Rows that wait since before an open savepoint: refused, as the reference says.
            if self.expected.marks and "locked" in str(error):
                return
            raise Difference(f"DROP: {error}")
        del self.now.tables[name], self.now.options[name]
        self.expected.done()

    def rename(self, name):
        to = self.random.choice("abc")
        if to in self.now.tables:
            self.must_fail(f"ALTER TABLE {name} RENAME TO {to}")
            return
        self.must(f"ALTER TABLE {name} RENAME TO {to}")
        for tables in (self.now.tables, self.now.options):
            tables[to] = tables.pop(name)
        self.expected.done()

    def schema(self, name):
        what = self.random.choice(["create", "create", "drop", "rename", "other", "vacuum"])
        if what == "create" or name is None:
            self.create(self.random.choice("abc"))
        elif what == "drop":
            self.drop(name)
        elif what == "rename":
            self.rename(name)
        elif what == "other":
            self.must("CREATE TABLE other(x)")
            self.must("DROP TABLE other")
        elif not self.expected.begun:
            self.must("VACUUM")

    # -- connections -----------------------------------------------------------------------------

    def reopen(self, _):
        if self.expected.begun and self.random.random() < .8:
            self.db.load_again()
            return
        self.db.close()
        self.log.append(("-- closed and opened", ()))
        self.expected.rollback()
        self.db = self.opener(self.path)

    def other_schema(self, _):
        """Another connection changes the schema under this one."""
        if not self.expected.begun:
            self.log.append(("-- another connection made and dropped a table", ()))
            # A statement that fails outside a transaction leaves the lock of a reader where FTS5
            # had a BLOB open, without any index of ours as well: until the next one that reads.
            self.db.execute("SELECT count(*) FROM sqlite_schema")
            self.other.execute("CREATE TABLE others(x)")
            self.other.execute("DROP TABLE others")

    # -- all of it -------------------------------------------------------------------------------

    STEPS = [(insert, 26), (insert_or, 14), (insert_without_rowid, 5), (update, 8), (delete, 8),
             (wrong, 6), (upkeep, 4), (content, 10), (content_row, 3), (sync, 1), (border, 26),
             (schema, 9), (reopen, 2), (other_schema, 1)]
    NEED_A_NAME = (insert, insert_or, insert_without_rowid, update, delete, wrong, upkeep)

    def compare(self, db, state, who):
        Comparison(self.random, db, state, who).run()

    def steps(self, n_steps):
        steps = [step for step, weight in self.STEPS for _ in range(weight)]
        for _ in range(n_steps):
            step, name = self.random.choice(steps), self.name()
            if name is None and step in self.NEED_A_NAME:
                step = Run.schema
            step(self, name)
            if self.random.random() < .5:
                self.compare(self.db, self.now, "here")
            if self.random.random() < .1:
                self.compare(self.other, self.expected.committed, "another connection")
        if self.expected.begun:
            self.must("COMMIT")
            self.expected.commit()
        self.compare(self.db, self.now, "at the end")
        for name in [*self.now.tables, "f"]:
            self.must(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")

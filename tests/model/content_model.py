"""content_model.py: random statements on a table that an index with upkeep = 'triggers' follows.

    content_model.py [--runs N] [--steps N] [--seed N] [--apsw]

After every transaction the index must have the rows of the table that have a text, with the text
that they have, whatever was done: REPLACE that removes rows by any unique index, UPDATE OR REPLACE,
UPSERT, foreign keys, other triggers, several rows, errors, rollbacks, two connections, names that
change. Rows whose text is none are recorded as failures, rows without a usable key are left out;
neither fails a statement on the table.
"""
import argparse
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare import ROWS_OF_WORDS, Difference, rows_of_words  # noqa: E402
from connections import Plain, with_apsw  # noqa: E402

IDS = 12
WORDS = ", lexical = 'fts5', tokenizer = 'unicode61'"
FITTED = ", model = 'builtin:lexical'"
CLAUSES = ["", "", "OR REPLACE", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ABORT", "OR ROLLBACK"]

# The table `docs` has `id` (INTEGER PRIMARY KEY or none), or `uid` or `num`, which is the key then,
# and title, body, code, a, b, owner.
TABLES = [
    "id INTEGER PRIMARY KEY, title TEXT, body TEXT, code TEXT UNIQUE COLLATE nocase, a INT, b INT, "
    "owner INT REFERENCES owners(id) ON DELETE CASCADE ON UPDATE CASCADE, UNIQUE(a, b)",
    "id INTEGER PRIMARY KEY, title TEXT, body TEXT, code TEXT UNIQUE ON CONFLICT REPLACE, a INT, "
    "b INT, owner INT REFERENCES owners(id) ON DELETE SET NULL, UNIQUE(a, b)",
    "id INTEGER PRIMARY KEY DESC, title TEXT, body TEXT AS (title || coalesce(a, '')) STORED, code "
    "TEXT UNIQUE, a INT, b INT, owner INT REFERENCES owners(id) ON DELETE CASCADE",
    "title TEXT, body TEXT, code TEXT UNIQUE, a INT, b INT UNIQUE, owner INT",
    "id INTEGER PRIMARY KEY, title TEXT, body TEXT, code TEXT, a INT, b INT, owner INT",
    "id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, title TEXT, body TEXT, code TEXT UNIQUE, "
    "a INT, b INT, owner INT REFERENCES owners(id) ON DELETE CASCADE",
    "uid TEXT PRIMARY KEY NOT NULL, title TEXT, body TEXT, code TEXT UNIQUE, a INT, b INT, "
    "owner INT) WITHOUT ROWID -- (",
    "uid TEXT PRIMARY KEY, title TEXT, body TEXT, code TEXT NOT NULL DEFAULT 'a' UNIQUE, a INT, "
    "b INT, owner INT, both TEXT AS (a || '/' || b) STORED UNIQUE",
    "num INT NOT NULL UNIQUE, title TEXT, body TEXT, code TEXT, a INT, b INT, owner INT, "
    "sum INT AS (a + coalesce(b, 0)) UNIQUE",
    "id INTEGER PRIMARY KEY, title TEXT, body TEXT, code TEXT, a INT REFERENCES docs(id) "
    "ON DELETE CASCADE ON UPDATE CASCADE, b INT NOT NULL DEFAULT 3 UNIQUE ON CONFLICT REPLACE, "
    "owner INT, both TEXT AS (owner || code || coalesce(a, '')) STORED UNIQUE",
]
# What an application has beside ours, fired before or after them.
OTHER_TRIGGERS = [
    "CREATE TRIGGER o1 BEFORE INSERT ON docs BEGIN DELETE FROM docs WHERE a = new.b; END",
    "CREATE TRIGGER o2 AFTER INSERT ON docs WHEN new.title = 'gone' BEGIN "
    "DELETE FROM docs WHERE {key} = new.{key}; END",
    "CREATE TRIGGER o3 AFTER UPDATE OF a ON docs BEGIN "
    "UPDATE docs SET title = 'by o3' WHERE {key} = new.{key}; END",
    "CREATE TRIGGER o4 AFTER DELETE ON docs WHEN old.title = 'back' BEGIN "
    "INSERT OR IGNORE INTO docs({key}, title) VALUES (old.{key}, 'is back'); END",
    "CREATE TRIGGER o5 BEFORE INSERT ON docs BEGIN SELECT count(*) FROM ix; END",
    "CREATE TRIGGER o6 AFTER INSERT ON docs BEGIN SELECT count(*) FROM ix WHERE query = 'cat'; END",
]


class ContentRun:
    def __init__(self, draw, opener, path):
        self.random, self.log, self.opener, self.path = draw, [], opener, path
        self.table = draw.choice(TABLES)
        self.has_body = " AS (" not in self.table
        self.key = next((key for key in ("uid", "num") if key in self.table), "rowid")
        self.make_index = ("CREATE VIRTUAL TABLE ix USING semantic_index(content = 'docs', "
                           f"text = 'title, body', content_rowid = '{self.key}', "
                           "upkeep = 'triggers'" + draw.choice(["", FITTED, WORDS]) + ")")
        self.connections = [opener(path), opener(path)]
        self.db = self.connections[0]
        self.must("CREATE TABLE owners(id INTEGER PRIMARY KEY)")
        self.must("INSERT INTO owners VALUES (1), (2), (3), (4)")
        self.must(f"CREATE TABLE docs({self.table})")
        if draw.random() < .3:
            self.must("CREATE UNIQUE INDEX docs_part ON docs(owner, title) WHERE a > 5")
        if draw.random() < .5:
            self.must(self.make_index)
            self.other_triggers()
        else:
            self.other_triggers()
            self.must(self.make_index)
        for db in self.connections:
            for pragma in ("foreign_keys", "recursive_triggers", "trusted_schema"):
                db.execute(f"PRAGMA {pragma} = {draw.choice(['ON', 'OFF'])}")

    def other_triggers(self):
        for trigger in OTHER_TRIGGERS:
            if self.random.random() < .15:
                self.must(trigger.format(key=self.key))

    def close(self):
        for db in self.connections:
            db.close()

    # -- running ---------------------------------------------------------------------------------

    def sql(self, text, bindings=()):
        self.log.append((text, bindings))
        try:
            return self.db.execute(text, bindings)
        except self.db.Error as error:
            self.log.append((f"-- {error}", ()))
            return None

    def must(self, text):
        rows = self.sql(text)
        if rows is None:
            raise Difference(f"{text}: {self.log[-1][0]}")
        return rows

    def compare(self):
        key, bad = self.key, "'blob' IN (typeof(title), typeof(body))"
        usable = f"typeof({key}) = 'integer'" if key == "num" else f"{key} IS NOT NULL"
        want = self.must(f"SELECT {key} FROM docs WHERE {usable} AND NOT {bad} AND "
                         "trim(coalesce(title, '') || ' ' || coalesce(body, '')) <> '' ORDER BY 1")
        failed = self.must(f"SELECT {key} FROM docs WHERE {usable} AND {bad} ORDER BY 1")
        for what, got, expected in (
                ("the index", self.must(f"SELECT {key} FROM ix ORDER BY 1"), want),
                ("the failures", self.must("SELECT rowid FROM semantic_failures('ix') ORDER BY 1"),
                 failed)):
            if got != expected:
                raise Difference(f"{what}: {[row[0] for row in got]}, the table: "
                                 f"{[row[0] for row in expected]}")
        if WORDS in self.make_index:
            self.compare_words(f"{usable} AND NOT {bad}")
        if not self.db.in_transaction():
            # The first sync fits a model that can be, and embeds all again.
            fits = FITTED in self.make_index and \
                self.must("SELECT fitted_on FROM semantic_status('ix')") == [(None,)]
            done = self.must("SELECT embedded, deleted FROM semantic_sync('ix')")
            if done != [(len(want) if fits else 0, 0)]:
                raise Difference(f"a sync embedded and deleted {done}")
            self.compare_status(len(failed), self.must(
                f"SELECT count(*) FROM docs WHERE NOT {usable}")[0][0])

    def compare_words(self, where):
        texts = dict(self.must(f"SELECT {self.key}, coalesce(title, '') || ' ' || "
                               f"coalesce(body, '') FROM docs WHERE {where}"))
        if self.key == "uid":
            ids = dict(self.must("SELECT key, id FROM ix_keys"))
            texts = {ids[key]: text for key, text in texts.items() if text.strip()}
        want, words = rows_of_words(texts)
        got = self.sql(ROWS_OF_WORDS.format("ix"), (words,))
        if got != want:
            raise Difference(f"the words: {got}, those of the table: {want}")

    def compare_status(self, n_failed, n_left_out):
        (status,) = self.must("SELECT pending, gone, failed, problem, coalesce(advice, '') FROM "
                              "semantic_status('ix')")
        advice = status[4].split("\n")
        if status[:4] != (0, 0, n_failed + n_left_out, None) or \
                (f"retry: {n_failed} row" in status[4]) != (n_failed > 0) or \
                ("left out" in status[4]) != (n_left_out > 0) or \
                any(line.startswith(("sync", "upkeep")) for line in advice):
            raise Difference(f"{n_failed} failed, {n_left_out} left out, the status: {status}")

    # -- statements ------------------------------------------------------------------------------

    def value(self, column):
        draw = self.random
        if column == "owner":
            return draw.choice(["NULL", "1", "2", "3", "4", "5"])
        if column in ("a", "b", "rowid"):
            return draw.choice(["NULL"] + [str(i) for i in range(1, IDS)] * 2)
        if column == "num":
            return draw.choice([str(i) for i in range(1, IDS)] * 3 + ["'A-1'", "2.5", "'A-2'"])
        if column == "uid":
            some = ["'u%d'" % i for i in range(1, IDS)]
            return draw.choice(some * 3 + ["NULL"] * 4)
        if column == "code":
            return draw.choice(["NULL"] + [f"'{letter}'" for letter in "abcdeABCDE"])
        return draw.choice(["NULL", "''", "'cat'", "'dog'", "'ship'", "'gone'", "'back'",
                            "x'626174'"])

    def columns(self):
        all_columns = [self.key, "title", "code", "a", "b", "owner"] + ["body"] * self.has_body
        return [column for column in all_columns if self.random.random() < .6] or ["title"]

    def insert(self):
        columns, draw = self.columns(), self.random
        if self.key != "rowid" and self.key not in columns:
            columns.append(self.key)
        rows = ", ".join("(" + ", ".join(map(self.value, columns)) + ")"
                         for _ in range(draw.choice([1, 1, 2, 5])))
        upsert = ""
        if draw.random() < .2 and "code TEXT UNIQUE" in self.table:
            upsert = " ON CONFLICT(code) DO " + draw.choice(
                ["NOTHING", "UPDATE SET title = 'upserted'", "UPDATE SET a = excluded.b"])
        self.sql(f"INSERT {draw.choice(CLAUSES)} INTO docs({', '.join(columns)}) VALUES "
                 f"{rows}{upsert}")

    def insert_select(self):
        self.sql(f"INSERT {self.random.choice(CLAUSES)} INTO docs({self.key}, title, code, a, b) "
                 f"SELECT {self.value(self.key)}, title || ' copied', code, b, a FROM docs "
                 "WHERE a % 2")

    def where(self):
        if self.random.random() < .3:
            return f"{self.key} {self.random.choice('=>')} {self.value(self.key)}"
        return self.random.choice(["a = {}", "b < {}", "title = 'cat'"]).format(
            self.random.randint(1, IDS))

    def update(self):
        settings = ", ".join(f"{column} = {self.value(column)}" for column in self.columns())
        if self.random.random() < .2:
            settings = self.random.choice([
                "a = a + 1", "code = upper(code)", *(
                    {"rowid": ["rowid = rowid + 1", "rowid = -rowid"],
                     "num": ["num = num + 1", "num = num || '-'"],
                     "uid": ["uid = uid || '0'", "uid = upper(uid)"]}[self.key])])
        self.sql(f"UPDATE {self.random.choice(CLAUSES)} docs SET {settings} WHERE {self.where()}")

    def delete(self):
        self.sql(f"DELETE FROM docs WHERE {self.where()}")

    def owners(self):
        self.sql(self.random.choice([
            "DELETE FROM owners WHERE id = 1", "UPDATE owners SET id = id + 10 WHERE id = 2",
            "INSERT OR REPLACE INTO owners VALUES (1), (2)", "REPLACE INTO owners VALUES (3)"]))

    def border(self):
        name = self.random.choice("st")
        self.sql(self.random.choice(["BEGIN", "BEGIN", "COMMIT", "COMMIT", "ROLLBACK",
                                     f"SAVEPOINT {name}", f"SAVEPOINT {name}",
                                     f"ROLLBACK TO {name}", f"RELEASE {name}"]))

    def schema(self):
        draw = self.random
        what = draw.choice(["vacuum", "index", "again", "names", "column", "drop", "content"])
        if what == "vacuum" and not self.db.in_transaction() and "PRIMARY" in self.table:
            self.must("VACUUM")
        elif what == "index":
            if self.sql("ALTER TABLE ix RENAME TO iy") is not None:
                self.insert()
                if self.must("SELECT 1 FROM sqlite_schema WHERE name = 'iy'"):  # no OR ROLLBACK
                    self.must("ALTER TABLE iy RENAME TO ix")
        elif what == "again":
            self.must("INSERT INTO ix(ix) VALUES ('upkeep')")
        elif what == "column":
            self.must("ALTER TABLE docs RENAME COLUMN code TO kode")
            self.must("ALTER TABLE docs RENAME COLUMN kode TO code")
        elif what == "names":
            self.renamed()
        elif what == "content":
            self.must("CREATE TABLE others AS SELECT * FROM docs")
            if self.key != "rowid":
                self.must(f"CREATE UNIQUE INDEX others_key ON others({self.key})")
            self.sql("INSERT INTO ix(ix) VALUES ('content others')")
            self.sql("INSERT INTO ix(ix) VALUES ('content docs')")
            self.must("DROP TABLE others")
            self.must("INSERT INTO ix(ix) VALUES ('sync')")
        elif what == "drop" and self.sql("DROP TABLE ix") is not None:
            self.must(self.make_index)
            self.must("INSERT INTO ix(ix) VALUES ('sync')")

    def command(self):
        self.must("INSERT INTO ix(ix) VALUES ('" + self.random.choice(
            ["sync", "optimize", "rebuild", "integrity-check"]) + "')")

    def renamed(self):
        """Names change under the index, and change again; in between rows do."""
        draw, pairs = self.random, [("title", "heading"), ("docs", "papers")]
        if self.key != "rowid":
            pairs.append((self.key, "renamed"))
        pairs = draw.sample(pairs, draw.randint(1, len(pairs)))
        if "AS (title" in self.table:  # no list of columns tells it
            pairs = [("docs", "papers")]
        names = dict(pairs)
        table, key, title = names.get("docs", "docs"), names.get(self.key, self.key), names.get(
            "title", "title")
        for before, after in pairs:
            self.must("ALTER TABLE docs RENAME TO papers" if before == "docs" else
                      f"ALTER TABLE docs RENAME COLUMN {before} TO {after}"
                      .replace("docs", table if ("docs", "papers") in
                               pairs[:pairs.index((before, after))] else "docs"))
        self.sql(f"INSERT OR REPLACE INTO {table}({key}, {title}, a, b) VALUES "
                 f"({self.value(self.key)}, {self.value('title')}, 3, 4)")
        self.sql(f"UPDATE {table} SET {title} = 'cat ' || {title}, a = b WHERE b = 4")
        self.must(f"SELECT {key} FROM ix('cat', 3)")
        if "docs" in names:
            self.must("ALTER TABLE papers RENAME TO docs")
        for before, after in pairs:
            if before != "docs":
                self.must(f"ALTER TABLE docs RENAME COLUMN {after} TO {before}")

    def other_connection(self):
        if not self.db.in_transaction():
            self.db = self.connections[self.db is self.connections[0]]
            self.log.append(("-- the other connection", ()))

    STEPS = [(insert, 30), (insert_select, 3), (update, 25), (delete, 8), (owners, 5), (border, 25),
             (schema, 2), (other_connection, 3), (command, 1)]

    def steps(self, n_steps):
        steps = [step for step, weight in self.STEPS for _ in range(weight)]
        for _ in range(n_steps):
            self.random.choice(steps)(self)
            if not self.db.in_transaction() or self.random.random() < .2:
                self.compare()
        if self.db.in_transaction():
            self.must("COMMIT")
        self.compare()
        self.must("INSERT INTO ix(ix) VALUES ('integrity-check')")


def difference(seed, n_steps, opener, n_logged=14):
    """What differs in the run of that seed, and its last statements; None if nothing does."""
    with tempfile.TemporaryDirectory() as folder:
        run = ContentRun(random.Random(seed), opener, os.path.join(folder, "model.db"))
        try:
            run.steps(n_steps)
        except Difference as found:
            lines = [f"seed {seed}: {found}", f"    docs({run.table})"]
            lines += [f"    {sql} {bindings or ''}" for sql, bindings in run.log[-n_logged:]]
            return "\n".join(lines)
        finally:
            run.close()
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=int, default=14)
    parser.add_argument("--apsw", action="store_true")
    options = parser.parse_args()
    opener = with_apsw() if options.apsw else Plain
    n_different = 0
    for seed in range(options.seed, options.seed + options.runs):
        found = difference(seed, options.steps, opener, options.log)
        if found is not None:
            n_different += 1
            print(found, flush=True)
    print(f"SQLite {opener.version}: {options.runs} runs of {options.steps} steps: "
          f"{n_different} differ")
    return 1 if n_different else 0


if __name__ == "__main__":
    sys.exit(main())

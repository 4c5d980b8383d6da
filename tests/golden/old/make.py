"""Makes format2.sql: a database with indexes by an earlier version of the library, as SQL that a
shell without the library can read. Its path is the argument; it is made once and kept.

    python3 tests/golden/old/make.py OLD/build/rerank > tests/golden/old/format2.sql

The version is that before X_failures, X_keys and 'fitted_on'. Its answers are in the table
`answers`.
"""
import os
import re
import sqlite3
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "http"))
from loopback import Loopback  # noqa: E402

TEXTS = ["bats in a cave", "trains at night", "ice on the lake", "soup and bread",
         "a bat and a ball", "night train to the lake", "  ", None, "bread of the baker"]
QUERIES = {"words": ["bats", "a train", "bread"], "notes": ["[1, 2, 3, 4, 5, 6, 7, 8]"],
           "own": ["[8, 7, 6, 5, 4, 3, 2, 1]"], "remote": ["bats in a cave"]}


def components(i):
    return str([(i * 7 + j * 3) % 11 - 5 for j in range(8)])


def build(db):
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, t)")
    db.executemany("INSERT INTO docs(t) VALUES (?)", [(text,) for text in TEXTS])
    content = "USING semantic_index(content = 'docs', text = 't'"
    db.execute(f"CREATE VIRTUAL TABLE words {content})")
    db.execute("INSERT INTO words(words) VALUES ('sync')")
    db.execute("CREATE VIRTUAL TABLE notes USING semantic_index(quantize = 'bit', dimensions = 8)")
    db.executemany("INSERT INTO notes(rowid, text, embedding) VALUES (?, ?, ?)",
                   [(i, f"note {i}", components(i)) for i in range(1, 20)])
    db.execute(f"CREATE VIRTUAL TABLE own {content}, dimensions = 8)")
    db.executemany("INSERT INTO own(rowid, embedding) VALUES (?, ?)",
                   [(i, components(i)) for i in (1, 2, 5)])
    db.execute(f"CREATE VIRTUAL TABLE remote {content}, model = 'openai:m', quantize = 'int8')")
    db.execute("INSERT INTO remote(remote) VALUES ('sync')")
    db.execute("CREATE TABLE answers(name, query, id, similarity)")
    for name, queries in QUERIES.items():
        for query in queries:
            rows = db.execute(f"SELECT rowid, similarity FROM {name}(?, 3)", (query,)).fetchall()
            db.executemany("INSERT INTO answers VALUES (?, ?, ?, ?)",
                           [(name, query, *row) for row in rows])
    db.execute("UPDATE docs SET t = 'a frozen lake' WHERE id = 3")
    db.execute("DELETE FROM docs WHERE id = 4")
    db.execute("INSERT INTO docs VALUES (20, 'a new text about bats')")


def literal(value):
    """SQL for a value; of zeros there are many in a block with room."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if not isinstance(value, bytes):
        return repr(value)
    pieces = []
    for zeros, others in re.findall(rb"(\0{16,})|((?:(?!\0{16})[\s\S])+)", value):
        pieces.append(f"zeroblob({len(zeros)})" if zeros else f"x'{others.hex()}'")
    return pieces[0] if len(pieces) == 1 else "CAST(" + " || ".join(pieces) + " AS BLOB)"


def wrapped(text, width=100):
    """Lines of SQL: long BLOB literals are cut, as x'..' || x'..' are the same bytes."""
    out = []
    for piece in re.split(r"(x'[0-9a-f]{90,}')", text):
        if piece.startswith("x'"):
            digits = piece[2:-1]
            cuts = [digits[i:i + 90] for i in range(0, len(digits), 90)]
            out.append("\n  CAST(" + " ||\n  ".join(f"x'{cut}'" for cut in cuts) + " AS BLOB)")
        else:
            out.append(piece)
    return "".join(out)


def dump(db):
    print("-- Made by make.py beside it.")
    print("BEGIN;\nPRAGMA writable_schema = ON;")
    for name, sql in db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'"):
        if sql.startswith("CREATE VIRTUAL"):
            print("INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql)\n"
                  f"VALUES ('table', {literal(name)}, {literal(name)}, 0, {literal(sql)});")
            continue
        print(sql + ";")
        for row in db.execute(f'SELECT * FROM "{name}"'):
            print(wrapped(f'INSERT INTO "{name}" VALUES ({", ".join(map(literal, row))});'))
    print("PRAGMA writable_schema = OFF;\nCOMMIT;")


def main():
    with Loopback().start() as server:
        os.environ["OPENAI_BASE_URL"] = server.base_url("openai")
        os.environ["OPENAI_API_KEY"] = "test-key"
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.enable_load_extension(True)
        db.load_extension(sys.argv[1])
        build(db)
        dump(db)
        db.close()


if __name__ == "__main__":
    main()

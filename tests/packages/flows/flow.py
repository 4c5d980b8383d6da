"""flow.py MODULE: sqlite3, apsw or pysqlite3."""
import importlib
import sys

import sqlite_rerank

module = importlib.import_module(sys.argv[1])
is_apsw = sys.argv[1] == "apsw"
db = module.Connection(":memory:") if is_apsw else module.connect(":memory:")
sqlite_rerank.load(db)
with open("flow.sql", encoding="utf-8") as file:
    (db.execute if is_apsw else db.executescript)(file.read())
assert sqlite_rerank.serialize_float32([1, 0.5]) == db.execute(
    "SELECT vector('[1, 0.5]')").fetchall()[0][0]
with open("ask.sql", encoding="utf-8") as file:
    print(db.execute(file.read(), ("bats in the dark",)).fetchall()[0][0])

"""documents.py: texts with metadata in one table, and an index of them, over one connection.

What langchain.py and llama_index.py have in common. A collection NAME is

    CREATE TABLE NAME(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, text TEXT NOT NULL,
                      metadata TEXT NOT NULL)       -- JSON, an object
    CREATE VIRTUAL TABLE NAME_index USING semantic_index(content = 'NAME', text = 'text', ...)

and so open to SQL of one's own. Without `dimensions` the index embeds the texts itself, by its
`options`, and ranks by words and meaning where it has both; with them vectors are brought along.
"""
from __future__ import annotations

import contextlib
import json
import re
import threading
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import sqlite_rerank
from sqlite_rerank.sqltext import literal, quoted

COMPARED = (">", ">=", "<", "<=")
LISTED = ("in", "nin", "any", "all")
_locks: Dict[int, threading.RLock] = {}  # of connections, by id()


class Row(NamedTuple):
    """A text that was found, and its score: similarity, or of words and meaning."""
    key: str
    text: str
    metadata: Dict[str, Any]
    score: Optional[float] = None
    embedding: Optional[bytes] = None


class Condition(NamedTuple):
    """What is asked of the table's columns: SQL, and the values of its question marks."""
    sql: str = "1"
    values: Tuple = ()


def compare(field: str, operator: str, value: Any) -> Condition:
    """What metadata say: == != > >= < <= of a value; in, nin: among some values; contains: a list
    has it; any, all: of some; text: has these letters (itext: large or small); empty: nothing."""
    check(field, operator, value)

    def has(what: str, *values: Any) -> Condition:
        return Condition("EXISTS (SELECT 1 FROM json_each(metadata) AS m WHERE m.key = ? AND "
                         f"{what})", (field, *values))

    def element(one: Any) -> Condition:
        return has("m.type = 'array' AND EXISTS (SELECT 1 FROM json_each(m.value) AS e "
                   "WHERE e.value = ?)", one)

    if operator in COMPARED:
        # SQLite puts every number before every text: only like is compared with like.
        kind = "'text'" if isinstance(value, str) else "'integer', 'real'"
        return has(f"m.value {operator} ? AND m.type IN ({kind})", value)
    if operator in ("==", "!="):
        found = has("m.value IS ?", value)
        return found if operator == "==" else join("NOT", [found])
    if operator in ("in", "nin"):
        found = has("m.value IN (SELECT value FROM json_each(?))", json.dumps(list(value)))
        return found if operator == "in" else join("NOT", [found])
    if operator == "contains":
        return element(value)
    if operator in ("any", "all"):
        return join("OR" if operator == "any" else "AND", map(element, value))
    if operator == "text":
        return has("instr(m.value, ?) > 0", value)
    if operator == "itext":
        return has("instr(lower(m.value), lower(?)) > 0", value)
    if operator == "empty":
        return join("NOT", [has("m.type <> 'null' AND m.value <> '[]'")])
    raise ValueError(f"there is no comparison {operator!r}; expected ==, !=, >, >=, <, <=, in, "
                     "nin, contains, any, all, text, itext or empty")


def check(field: str, operator: str, value: Any) -> None:
    """Refuses what no metadata can be compared with."""
    wanted, values = "a text or a number", [value]
    if operator in LISTED:
        wanted, values = "a list of texts or numbers", value
        if not isinstance(value, (list, tuple, set)):
            raise ValueError(f"{field} {operator} {value!r}: expected {wanted}")
    for one in values:
        if not isinstance(one, (str, int, float, type(None))) or one != one:
            raise ValueError(f"{field} {operator} {value!r}: expected {wanted}")


def join(word: str, conditions: Iterable[Condition]) -> Condition:
    """Conditions that hold together (AND), one at least (OR), or none of them (NOT)."""
    parts = list(conditions)
    if not parts:
        return Condition("0" if word == "OR" else "1")
    sql = f" {'OR' if word == 'NOT' else word} ".join(part.sql for part in parts)
    return Condition(f"{'NOT ' if word == 'NOT' else ''}({sql})",
                     tuple(value for part in parts for value in part.values))


def of_keys(column: str, keys: Optional[Iterable[str]]) -> Condition:
    """Rows of these keys, as many as there are; None: of all."""
    if keys is None:
        return Condition()
    return Condition(f"{column} IN (SELECT value FROM json_each(?))", (json.dumps(list(keys)),))


def rows_of(connection: Any, sql: str, values: Sequence = ()) -> List[Tuple]:
    """The rows of a statement, whatever the connection itself makes of rows."""
    cursor = connection.cursor()
    if hasattr(cursor, "row_factory"):
        cursor.row_factory = None
    return cursor.execute(sql, tuple(values)).fetchall()


def prepare(connection: Any) -> None:
    """Loads the extension if it is not there."""
    if not rows_of(connection, "SELECT 1 FROM pragma_module_list WHERE name = 'semantic_index'"):
        sqlite_rerank.load(connection)


class Documents:
    """A collection in a database. Threads may share it if they may share the connection."""

    def __init__(self, connection: Any, name: str, dimensions: Optional[int] = None,
                 options: str = "") -> None:
        if not name or "\0" in name:
            raise ValueError("a collection needs a name")
        if dimensions is not None and dimensions < 1:
            raise ValueError(f"dimensions is {dimensions}: expected how many a vector has")
        self.connection, self.name, self.dimensions = connection, name, dimensions
        self.table, self.index = quoted(name), quoted(name + "_index")
        # Stores of one connection share a lock: one's COMMIT would end another's savepoint.
        self.lock = _locks.setdefault(id(connection), threading.RLock())
        with self.lock:
            prepare(connection)
            # With vectors that are brought along nobody else is to embed a text.
            own = f"dimensions = {dimensions}" if dimensions else "upkeep = 'triggers'"
            self._open(", ".join(filter(None, (own, options))))
            self.has_words = any(column == "score" for column, in self._rows(
                "SELECT name FROM pragma_table_xinfo(?)", (name + "_index",)))

    def _open(self, options: str) -> None:
        """An index keeps what it was made with: of other vectors, or options, it is not opened."""
        made = self._rows("SELECT sql FROM sqlite_schema WHERE name = ?", (self.name + "_index",))
        if not made:
            with self._write():
                self._create(options)
        elif not re.search(re.escape(options) + "[,)]", made[0][0]):
            raise ValueError(f"{self.name}_index was made otherwise, expected {options}: "
                             f"{made[0][0]}")

    def _create(self, options: str) -> None:
        self._run(f"CREATE TABLE IF NOT EXISTS {self.table}(id INTEGER PRIMARY KEY, "
                  "key TEXT NOT NULL UNIQUE, text TEXT NOT NULL, metadata TEXT NOT NULL)")
        self._run(f"CREATE VIRTUAL TABLE IF NOT EXISTS {self.index} USING semantic_index("
                  f"content = {literal(self.name)}, text = 'text', {options})")

    # ---- statements --------------------------------------------------------------------------

    def _rows(self, sql: str, values: Sequence = ()) -> List[Tuple]:
        with self.lock:
            return rows_of(self.connection, sql, values)

    def _run(self, sql: str, values: Sequence = ()) -> None:
        self._rows(sql, values)

    @contextlib.contextmanager
    def _write(self) -> Iterator[None]:
        """All or nothing, within the transaction that is open, if one is."""
        with self.lock:
            begin, end, undo = ("BEGIN IMMEDIATE", "COMMIT", ["ROLLBACK"])
            if self.connection.in_transaction:
                begin, end = "SAVEPOINT documents", "RELEASE documents"
                undo = ["ROLLBACK TO documents", "RELEASE documents"]
            self._run(begin)
            try:
                yield
                self._run(end)
            except BaseException:
                for statement in undo if self.connection.in_transaction else []:
                    self._run(statement)
                raise

    # ---- writing -----------------------------------------------------------------------------

    def add(self, keys: Sequence[str], texts: Sequence[str], metadatas: Sequence[Dict[str, Any]],
            embeddings: Optional[Sequence[Sequence[float]]] = None) -> None:
        """Puts texts there; one whose key is known takes the place of the other."""
        if embeddings is not None and len(embeddings) != len(keys):
            raise ValueError(f"{len(keys)} texts came with {len(embeddings)} vectors")
        encoded = [json.dumps(one, ensure_ascii=False, allow_nan=False) for one in metadatas]
        with self._write():
            for i, key in enumerate(keys):
                (row,), = self._rows(
                    f"INSERT INTO {self.table}(key, text, metadata) VALUES (?, ?, ?) ON CONFLICT "
                    "(key) DO UPDATE SET text = excluded.text, metadata = excluded.metadata "
                    "RETURNING id", (key, texts[i], encoded[i]))
                if embeddings is not None:
                    self._run(f"INSERT INTO {self.index}(rowid, embedding) VALUES (?, ?)",
                              (row, sqlite_rerank.serialize_float32(embeddings[i])))
            for key, why in self._rows(
                    f"SELECT key, message FROM semantic_failures(?) AS f JOIN {self.table} AS t "
                    "ON t.id = f.rowid WHERE key IN (SELECT value FROM json_each(?)) LIMIT 1",
                    (self.name + "_index", json.dumps(list(keys)))):
                raise ValueError(f"{key}: {why}")

    def delete(self, where: Condition) -> None:
        """Takes texts away."""
        with self._write():
            if self.dimensions is not None:
                self._run(f"DELETE FROM {self.index} WHERE rowid IN "
                          f"(SELECT id FROM {self.table} WHERE {where.sql})", where.values)
            self._run(f"DELETE FROM {self.table} WHERE {where.sql}", where.values)

    # ---- reading -----------------------------------------------------------------------------

    def get(self, where: Condition = Condition()) -> List[Row]:
        """Texts in the order in which they came."""
        return [Row(key, text, json.loads(metadata)) for key, text, metadata in self._rows(
            f"SELECT key, text, metadata FROM {self.table} WHERE {where.sql} ORDER BY id",
            where.values)]

    def search(self, query: Any, k: int, where: Condition = Condition(),
               weight: Optional[float] = None, vectors: bool = False) -> List[Row]:
        """The k best, by a text or a vector; weight: the share of the vectors, from 0 to 1;
        vectors: with theirs, each of which is read from its place in the file."""
        if k < 1:
            return []
        if not isinstance(query, str):
            query = sqlite_rerank.serialize_float32(query)
        more, values = "", [query, k]
        if where != Condition():
            more = f" AND i.rowid IN (SELECT id FROM {self.table} WHERE {where.sql})"
            values += where.values
        if weight is not None:
            if not self.has_words:
                raise ValueError(f"{self.name}: has no words, so that there is nothing to weigh; "
                                 "lexical = 'fts5' among the options makes an index that has them")
            more, values = more + " AND i.weight = ?", [*values, weight]
        columns = f"i.{'score' if self.has_words else 'similarity'}" + ", i.embedding" * vectors
        return [Row(key, text, json.loads(metadata), *rest)
                for key, text, metadata, *rest in self._rows(
                    f"SELECT i.key, i.text, i.metadata, {columns} FROM {self.index} "
                    f"AS i WHERE i.query = ? AND i.k = ?{more} ORDER BY i.rank", values)]

    def embed(self, query: str) -> List[float]:
        """The query as the index embeds it."""
        (vector,), = self._rows(
            "SELECT vector_to_json(embed(?, (SELECT model FROM semantic_status(?)), 'query'))",
            (query, self.name + "_index"))
        return json.loads(vector) if vector else []

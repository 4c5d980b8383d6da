"""search.py: asks an index: that of a collection, or one that anybody made in SQL."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from sqlite_rerank import collection, readers
from sqlite_rerank.database import Database, Mistake, filled
from sqlite_rerank.sqltext import listed, makes_index, quoted

SCORES = ("relevance", "score", "similarity", "bm25")
CANDIDATES = 25    # retrieved and reranked; of more results that are asked for, more
SNIPPET_CHARS = 300


@dataclass(frozen=True)
class Result:
    """A row that was found: where it is, what it is called, the text that answered, its scores."""
    where: str
    key: Dict[str, Any]
    title: str
    text: str
    scores: Dict[str, Optional[float]]

    def as_json(self) -> Dict[str, Any]:
        """For programs."""
        return {**self.key, "title": self.title, "text": self.text, **self.scores}


class Search:
    """An index of a database, and how it is asked."""

    def __init__(self, db: Database, table: Optional[str] = None) -> None:
        self.db = db
        self.index = choose(indexes(db), table, db.path)
        self.columns = [column for column, in db.rows(
            "SELECT name FROM pragma_table_xinfo(:index)", index=self.index)]
        self.scores = [column for column in SCORES if column in self.columns]
        self.is_collection = self.index == collection.INDEX

    def statement(self) -> str:
        """The SQL that answers :query by at most :limit rows of :k that are retrieved."""
        scores = ", ".join(f"s.{column}" for column in self.scores if column != "relevance")
        if self.is_collection:  # of each document its best piece
            return ("SELECT d.path, d.record, p.place, coalesce(d.title, '') AS title, p.text,\n"
                    f"       max(s.relevance) AS relevance, {scores}\n"
                    f"  FROM {self.index}(:query, :k) AS s\n"
                    "  JOIN pieces AS p ON p.id = s.rowid\n"
                    "  JOIN documents AS d ON d.id = p.document\n"
                    " GROUP BY d.id ORDER BY relevance DESC LIMIT :limit")
        texts = ", ".join(f"s.{quoted(column)}" for column in self.texts())
        return (f"SELECT s.rowid, {texts}, s.relevance, {scores}\n"
                f"  FROM {quoted(self.index)}(:query, :k) AS s\n"
                " ORDER BY relevance DESC LIMIT :limit")

    def sql(self, query: str, limit: int) -> str:
        """The same for a query, as the sqlite3 shell takes it."""
        return filled(self.statement(), values(query, limit)) + ";"

    def texts(self) -> List[str]:
        """The columns that the index embeds."""
        made = self.db.value("SELECT sql FROM sqlite_schema WHERE name = :index", index=self.index)
        return [word for word in listed(made, "text") or ["text"] if word in self.columns]

    def results(self, query: str, limit: int) -> List[Result]:
        """The best rows, best first."""
        return [self.result(row) for row in self.db.interruptible_rows(
            self.statement(), **values(query, limit))]

    def missing(self) -> int:
        """How many pieces the index has not: a run was stopped, or they failed."""
        return int(self.db.value("SELECT (SELECT count(*) FROM pieces)"
                                 f" - (SELECT count(*) FROM {collection.INDEX}_rows)")) \
            if self.is_collection else 0

    def result(self, row: Tuple[Any, ...]) -> Result:
        """A row of sql()."""
        scores = dict(zip(self.scores, row[-len(self.scores):]))
        if self.is_collection:
            path, record, place, title, text = row[:5]
            return Result(readers.place(path, record, place),
                          {"path": path, "record": record, "place": place}, title, text, scores)
        key, title, *texts = row[:-len(self.scores)]
        return Result(f"{self.index} {key}", {"rowid": key}, str(title or ""),
                      "\n".join(str(text) for text in texts if text is not None), scores)


def values(query: str, limit: int) -> Dict[str, Any]:
    """What a statement is asked with."""
    return {"query": query, "k": max(CANDIDATES, 5 * limit), "limit": limit}


def indexes(db: Database) -> List[str]:
    """The names of every semantic_index of a file."""
    return [name for name, sql in db.rows(
        "SELECT name, sql FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%' ORDER BY name")
        if makes_index(sql)]


def choose(names: List[str], table: Optional[str], path: str) -> str:
    """The index that is meant: of --table, or of the collection, or the only one."""
    if table:
        for index in (table, f"{table}_index"):
            if index in names:
                return index
        raise Mistake(f"{path} has no index of {table}: sqlite-rerank index {path} --table {table}")
    if collection.INDEX in names:
        return collection.INDEX
    if len(names) == 1:
        return names[0]
    if not names:
        raise Mistake(f"{path} has no index yet: sqlite-rerank index {path} FOLDER makes one")
    raise Mistake(f"{path} has several indexes: say one by --table ({', '.join(names)})")


def words_of(query: str) -> List[str]:
    """What is marked in a text, and decides where it is cut."""
    return [word.lower() for word in re.findall(r"\w+", query)
            if len(word) > 2 or not word.isascii()]


def snippet(text: str, query: str) -> str:
    """The part of a text, of some lines, that has most of the query's words."""
    text = " ".join(text.split())
    if len(text) <= SNIPPET_CHARS:
        return text
    words = words_of(query)
    starts = [0] + [match.end() for match in re.finditer(r"[.!?:;]\s|\s(?=[-#*|])", text)]

    def worth(start: int) -> int:
        part = text[start:start + SNIPPET_CHARS].lower()
        return sum(word in part for word in words)

    start = max(starts, key=worth)  # the first of the best
    end = text.rfind(" ", start, start + SNIPPET_CHARS)
    cut = text[start:end if end > start and start + SNIPPET_CHARS < len(text) else None]
    return "…" * (start > 0) + cut[:SNIPPET_CHARS] + "…" * (start + len(cut) < len(text))

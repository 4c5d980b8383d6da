"""marks.py: which words of a text answered a query, as FTS5 itself tells.

The texts go into a table in memory with the tokenizer of the index, so that whatever made a word
match there (endings, accents, scripts without spaces) marks it here.
"""
import re
import sqlite3
from typing import Dict, List, Mapping

from . import load
from .sqltext import literal

BEGIN, END = "\x02", "\x03"  # around a word that answered
_MOST_WORDS = 64


def words_of(query: str) -> List[str]:
    """The different words of a query, as an FTS5 expression may hold them."""
    return list(dict.fromkeys(re.findall(r"\w+", query.lower())))[:_MOST_WORDS]


class Marker:
    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        load(self._db)

    def mark(self, texts: Mapping[int, str], words: List[str], tokenizer: str) -> Dict[int, str]:
        """Those of the texts that have one of the words, with marks."""
        if not words or not texts:
            return {}
        option = literal(tokenizer)
        try:
            self._db.execute(f"CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = {option})")
        except sqlite3.Error:  # an SQLite without FTS5, or a tokenizer of the application's own
            return {}
        try:
            self._db.executemany("INSERT INTO texts(rowid, text) VALUES (?, ?)", texts.items())
            return dict(self._db.execute(
                "SELECT rowid, highlight(texts, 0, ?, ?) FROM texts WHERE texts MATCH ?",
                (BEGIN, END, " OR ".join(f'"{word}"' for word in words))))
        finally:
            self._db.execute("DROP TABLE texts")

    def close(self) -> None:
        self._db.close()

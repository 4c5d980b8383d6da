"""readonly.py: SQL that others write, over a connection that can only read.

SQLite's own means keep it so: the file is opened with mode=ro, PRAGMA query_only is on, and an
authorizer refuses whatever does not read, before it begins. The extension is locked: no setting
changes, and no remote model is asked but those of the file's own indexes. A statement has so many
seconds, rows and characters, and ends when nobody waits for it any more.
"""
import contextlib
import math
import os
import pathlib
import sqlite3
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from . import load
from .sqltext import listed, makes_index, quoted

MAX_ROWS = 1000
MAX_TEXT = 200_000      # characters of a cell
MAX_TOTAL = 4_000_000   # of all cells
MAX_VALUE = 2 ** 28     # bytes of a value while a statement runs
SECONDS = 20.0

_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION,
            sqlite3.SQLITE_RECURSIVE)
_LISTING = frozenset((  # pragmas whose value is what they list; others are set by theirs
    "foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_list",
    "table_xinfo"))
_WORDS = ("ATTACH", "DETACH", "INSERT", "UPDATE", "DELETE", "PRAGMA", "TRANSACTION", "SAVEPOINT",
          "CREATE_VTABLE", "DROP_VTABLE", "ALTER_TABLE", "REINDEX", "ANALYZE")
_ACTIONS = {getattr(sqlite3, "SQLITE_" + word): word.replace("_", " ") for word in _WORDS}


class Refused(Exception):
    """What came cannot be done; the text is for whoever sent it."""


class Answer(NamedTuple):
    columns: List[str]
    rows: List[List[Any]]
    more: bool          # there were others, which are left out
    seconds: float


class Index(NamedTuple):
    """A semantic_index of the file."""
    name: str
    texts: List[str]    # the columns that are embedded, of those that it shows
    scores: List[str]   # those of score, bm25, similarity that are its own
    model: Optional[str]
    reranker: Optional[str]
    tokenizer: Optional[str]  # of its words; None: it has none
    key: str            # the column that tells rows apart


class Reader:
    """One connection. It serves a statement at a time, from any thread."""

    def __init__(self, file: str, seconds: float = SECONDS) -> None:
        self.file, self.seconds = file, seconds
        self._denied = ""
        self._identity = _identity(file)
        uri = pathlib.Path(os.path.abspath(file)).as_uri() + "?mode=ro"
        self._db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            self._db.text_factory = lambda text: text.decode("utf-8", "replace")
            self._rows("SELECT count(*) FROM sqlite_schema")
            load(self._db)
            self._lock()
        except BaseException:
            self._db.close()
            raise

    def _lock(self) -> None:
        """A model that was a default once is known, and may be asked when all is locked."""
        defaults = self._rows(
            "SELECT rerank_config('embed_model'), rerank_config('rerank_model')")[0]
        if not self._rows("SELECT rerank_config('locked')")[0][0]:  # by RERANK_LOCKED
            for index in self.indexes():
                for task, name in (("embed_model", index.model), ("rerank_model", index.reranker)):
                    with contextlib.suppress(Refused):  # a search will say what is wrong with it
                        self._rows("SELECT rerank_config(?, ?)", task, name)
            self._rows("SELECT rerank_config('embed_model', ?), rerank_config('rerank_model', ?), "
                       "rerank_config('locked', 1)", *defaults)
        if hasattr(self._db, "setlimit"):  # from Python 3.11 on
            self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
        self._db.execute("PRAGMA query_only = 1")
        self._db.set_authorizer(self._authorize)

    def _authorize(self, action: int, first: Optional[str], second: Optional[str],
                   _schema: Optional[str], _source: Optional[str]) -> int:
        if action in _READING:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and (second is None or first in _LISTING):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
            return sqlite3.SQLITE_OK  # a table function declares its columns; the rest fails
        if not self._denied:
            self._denied = _ACTIONS.get(action, "a change of the schema")
            if first and not first.startswith("sqlite_"):
                self._denied += f" {first}"
            elif action == sqlite3.SQLITE_INSERT:
                self._denied = "a change of the schema"
        return sqlite3.SQLITE_DENY

    def close(self) -> None:
        self._db.close()

    def is_stale(self) -> bool:
        """Another file, or none, has the name by now."""
        return _identity(self.file) != self._identity

    def indexes(self) -> List[Index]:
        """Those of the file, in the order in which they were made."""
        found = self._rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table' "
                           "AND sql LIKE '%semantic_index%' ORDER BY rowid")
        return [self._index(name, sql) for name, sql in found if makes_index(sql)]

    def _index(self, name: str, sql: str) -> Index:
        kept: Dict[str, Any] = dict(self._rows(
            f"SELECT key, value FROM {quoted(name + '_config')} "
            "WHERE key IN ('model', 'reranker', 'lexical', 'keyed', 'content_rowid')"))
        columns = self._rows("SELECT name, hidden FROM pragma_table_xinfo(?)", name)
        shown = [column for column, hidden in columns if not hidden]
        own = [column for column, hidden in columns if hidden]
        texts = [column for column in listed(sql, "text") if column in shown]
        key = kept.get("content_rowid") or "".join(listed(sql, "content_rowid"))
        return Index(name, texts or [column for column in shown if column != key] or shown,
                     [column for column in ("score", "bm25", "similarity") if column in own],
                     kept.get("model"), kept.get("reranker"), kept.get("lexical"),
                     key if kept.get("keyed") else "rowid")

    def _rows(self, sql: str, *values: Any) -> List[Any]:
        try:
            with self._watch(lambda: True):
                return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise Refused(f"{self.file}: {error}") from error

    def read(self, sql: str, values: Mapping[str, Any], most: int = MAX_ROWS,
             is_wanted: Callable[[], bool] = lambda: True) -> Answer:
        """Runs one statement. Refused says why it was not, or not to its end."""
        self._denied = ""
        began = time.monotonic()
        try:
            with self._watch(is_wanted):
                cursor = self._db.execute(sql, values)
                rows, more = _take(cursor, most)
                names = [column[0] for column in cursor.description or ()]
                cursor.close()
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            raise Refused(self._explain(error, time.monotonic() - began)) from error
        return Answer(names, rows, more, time.monotonic() - began)

    def _explain(self, error: Exception, seconds: float) -> str:
        if self._denied:
            return f"{self._denied} is refused: only reading is allowed here"
        if str(error) == "interrupted" or seconds > self.seconds:
            return f"stopped after {seconds:.1f} s, the statement may take {self.seconds:g} s"
        return str(error)

    @contextlib.contextmanager
    def _watch(self, is_wanted: Callable[[], bool]) -> Iterator[None]:
        """Interrupts the connection when its time is over or nobody waits. Unlike a progress
        handler that reaches into what the extension computes, too."""
        finished = threading.Event()
        deadline = time.monotonic() + self.seconds

        def watch() -> None:
            while not finished.wait(.05):
                if time.monotonic() > deadline or not is_wanted():
                    self._db.interrupt()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            finished.set()
            watcher.join()


def _identity(file: str) -> Tuple[int, int]:
    try:
        found = os.stat(file)
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from error
    return found.st_dev, found.st_ino


def _take(cursor: sqlite3.Cursor, most: int) -> Tuple[List[List[Any]], bool]:
    rows: List[List[Any]] = []
    total = 0
    for row in cursor:
        if len(rows) == most or total > MAX_TOTAL:
            return rows, True
        rows.append([_shown(value) for value in row])
        total += sum(len(value) for value in rows[-1] if isinstance(value, str))
    return rows, False


def _shown(value: Any) -> Any:
    """As JSON and a browser's numbers can carry it."""
    if isinstance(value, bytes):
        return f"({len(value)} bytes)"
    if isinstance(value, int) and abs(value) > 2 ** 53:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{value[:MAX_TEXT]}… ({len(value)} characters)"
    return value

"""database.py: a connection that has the extension, by whichever SQLite module can load one.

Every statement of the command goes through a Database. Where the user asked for the SQL, those that
write are printed in place of being run, with their values in them, as the sqlite3 shell takes them.
"""
from __future__ import annotations

import concurrent.futures
import importlib
import os
import re
import threading
import time
import urllib.parse
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

import sqlite_rerank
from sqlite_rerank.sqltext import literal

BUSY_MS = 30_000  # how long is waited for others that write
TURN_MS = 200
MODULES = ("sqlite3", "pysqlite3", "apsw")


class Mistake(Exception):
    """What the user can mend: shown as a sentence, without a traceback."""


class Locked(Mistake):
    """Another process is writing the file."""


def loading_module() -> Any:
    """The first SQLite module here whose connections load extensions."""
    for wanted in MODULES:
        try:
            module = importlib.import_module(wanted)
        except ImportError:
            continue
        if hasattr(module.Connection, "load_extension"):
            return module
    raise Mistake(sqlite_rerank.WITHOUT_EXTENSIONS)


def filled(sql: str, values: Dict[str, Any]) -> str:
    """A statement with its :parameters filled in, but for what stands in quotes."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|:([a-z_0-9]+)",
                  lambda match: literal(values[match[1]]) if match[1] else match[0], sql)


def loading() -> str:
    """What a script for the sqlite3 shell begins with."""
    path = sqlite_rerank.loadable_path().replace("\\", "\\\\").replace('"', '\\"')
    return f'.load "{path}"'


def open_file(path: str, write: bool = False,
              show: Optional[Callable[[str], None]] = None) -> Database:
    """The database of a file, to read or to write; one to write is made where it is not there.

    show: what statements that write are handed to, as text, in place of being run.
    """
    shown = path
    if not os.path.exists(path) and path != ":memory:":
        if not write:
            raise Mistake(f"{path} is not there: sqlite-rerank index {path} FOLDER makes it")
        if show:
            path = ":memory:"
    module = loading_module()
    uri = path if path == ":memory:" else (
        f"file://{urllib.parse.quote(os.fsencode(os.path.abspath(path)))}"
        f"?mode={'rwc' if write and not show else 'ro'}")
    try:
        connection = connect(module, uri)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}").fetchall()
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        sqlite_rerank.load(connection)
    except module.Error as error:
        raise Mistake(f"{shown}: {error}") from None
    if hasattr(connection, "text_factory"):  # what is no UTF-8 is shown as far as it is
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
    if show:
        show(loading())
    return Database(connection, shown, module.Error, show)


def connect(module: Any, uri: str) -> Any:
    """A connection that begins no transaction by itself, and may be used by any thread."""
    if module.__name__ == "apsw":
        return module.Connection(uri, flags=module.SQLITE_OPEN_READWRITE
                                 | module.SQLITE_OPEN_CREATE | module.SQLITE_OPEN_URI)
    return module.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


class Database:
    """A connection that has the extension, whatever module it is of."""

    def __init__(self, connection: Any, path: str = "", error: Type[Exception] = Exception,
                 show: Optional[Callable[[str], None]] = None) -> None:
        self.connection, self.path, self.error, self.show = connection, path, error, show

    def close(self) -> None:
        """Ends the connection."""
        self.connection.close()

    def rows(self, sql: str, **values: Any) -> List[Tuple[Any, ...]]:
        """The rows of a statement that reads."""
        try:
            return list(self.connection.execute(sql, values).fetchall())
        except UnicodeEncodeError as error:
            raise Mistake(f"not UTF-8: {error.object!a}") from None
        except self.error as error:
            busy = re.search("is locked|wrote meanwhile", str(error))
            raise (Locked if busy else Mistake)(f"{self.path}: {error}") from None

    def value(self, sql: str, **values: Any) -> Any:
        """The first column of the first row; None where there is none."""
        rows = self.rows(sql, **values)
        return rows[0][0] if rows else None

    def run(self, sql: str, **values: Any) -> None:
        """A statement that writes: run, or shown."""
        if self.show:
            self.show(filled(sql, values) + ";")
        else:
            self.rows(sql, **values)

    def has_table(self, table: str) -> bool:
        """Whether there is a table or view of this name."""
        return bool(self.rows("SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view')"
                              " AND name = :table COLLATE NOCASE", table=table))

    def failures(self, index: str) -> List[Tuple[Any, str]]:
        """(key, why) of each row that an index could not embed."""
        return [] if self.show else self.rows(
            "SELECT rowid, message FROM semantic_failures(:index)", index=index)

    def sync(self, index: str, progress: Optional[Callable[[int, int], None]] = None) -> int:
        """Embeds what is new in an index, and says how many rows; progress(done, all) meanwhile.

        A sync reads while it waits for who writes, who may be waiting for those that read: so it
        waits in turns.
        """
        sql = f"SELECT embedded FROM semantic_sync({literal(index)})"
        if self.show:
            self.show(sql + ";")
            return 0
        until = time.monotonic() + BUSY_MS / 1000
        self.rows(f"PRAGMA busy_timeout = {TURN_MS}")
        try:
            while True:
                try:
                    return self._sync(sql, progress)
                except Locked:
                    if time.monotonic() > until:
                        raise
                    time.sleep(TURN_MS / 1000)
        finally:
            self.rows(f"PRAGMA busy_timeout = {BUSY_MS}")

    def _sync(self, sql: str, progress: Optional[Callable[[int, int], None]]) -> int:
        """What was embedded until Ctrl-C came stays."""
        watcher = open_file(":memory:")  # a connection that is not busy

        def watch() -> None:
            for embedded, pending in watcher.rows(
                    "SELECT embedded, pending FROM semantic_progress"):
                if progress:
                    progress(embedded, embedded + (pending or 0))

        try:
            rows = self.interruptible_rows(sql, watch)
        finally:
            watcher.close()
        return int(rows[-1][0]) if rows else 0

    def interruptible_rows(self, sql: str, meanwhile: Callable[[], None] = lambda: None,
                           **values: Any) -> List[Tuple[Any, ...]]:
        """rows() of a statement that may take long: in a thread, so that Ctrl-C reaches it."""
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            executor.submit(int).result()  # Ctrl-C while its thread starts would lose sight of it
            try:
                running = executor.submit(lambda: self.rows(sql, **values))
                while not running.done():
                    concurrent.futures.wait([running], timeout=0.1)
                    meanwhile()
                return running.result()
            except KeyboardInterrupt:
                self._interrupt_until(executor.shutdown)
                raise

    def _interrupt_until(self, ended: Callable[[], None]) -> None:
        """Again and again: what has not begun yet cannot be interrupted, and begins."""
        done = threading.Event()

        def interrupt() -> None:
            while not done.wait(0.02):
                self.connection.interrupt()

        threading.Thread(target=interrupt, daemon=True).start()
        try:
            ended()
        finally:
            done.set()

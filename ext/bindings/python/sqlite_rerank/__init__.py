"""The SQLite extension rerank, ready to load.

    import sqlite3, sqlite_rerank
    db = sqlite3.connect("notes.db")
    sqlite_rerank.load(db)

After that the connection has semantic_index, embed(), rerank() and all the rest. Works with
sqlite3, and with what gives out connections that have its load_extension(): apsw, pysqlite3,
SQLAlchemy's driver connections.
"""
import os
import struct
from typing import Any, Iterable

__all__ = ["__version__", "load", "loadable_path", "serialize_float32"]
__version__ = "@VERSION@"

WITHOUT_EXTENSIONS = (
    "this connection has no load_extension(): its SQLite module was built without. One of these "
    "helps: another module (pip install apsw, or pip install pysqlite3-binary); a Python whose "
    "sqlite3 loads extensions (of Debian, Homebrew or conda, or built with "
    "--enable-loadable-sqlite-extensions); or, where SQLite is a library of the system, "
    "LD_PRELOAD=librerank_preload.so (make preload), with which every connection has the extension")


def loadable_path() -> str:
    """The library's file as load_extension() takes it: without its suffix, which SQLite adds."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "rerank")


def load(connection: Any) -> None:
    """Loads the extension into a connection.

    Where the connection does not allow extensions now, they are allowed for this one alone.
    NotImplementedError: the connection cannot load any.
    """
    if not hasattr(connection, "load_extension"):
        raise NotImplementedError(WITHOUT_EXTENSIONS)
    try:
        connection.load_extension(loadable_path())
    except Exception as error:  # each module has a class of its own
        if "not authorized" not in str(error):
            raise
        connection.enable_load_extension(True)
        try:
            connection.load_extension(loadable_path())
        finally:
            connection.enable_load_extension(False)


def serialize_float32(vector: Iterable[float]) -> bytes:
    """A vector as the BLOB that SQL takes: float32, little-endian, one after the other."""
    numbers = list(vector)
    return struct.pack(f"<{len(numbers)}f", *numbers)

"""sqlite_utils_plugin.py: the extension in every connection of sqlite-utils."""
from __future__ import annotations

from typing import Any

from sqlite_utils import hookimpl

import sqlite_rerank


@hookimpl
def prepare_connection(conn: Any) -> None:
    """Loads it, where the connection can load one."""
    if hasattr(conn, "load_extension"):
        sqlite_rerank.load(conn)

"""mcp.py: a database as tools for agents, by the Model Context Protocol over stdin and stdout.

Without --write the file is opened to read alone, and `add` is not offered.
"""
from __future__ import annotations

import datetime
import threading
from typing import Any, Dict, List

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

import sqlite_rerank
from sqlite_rerank.collection import Collection
from sqlite_rerank.database import Database, Mistake, open_file
from sqlite_rerank.readers import Document, encodable
from sqlite_rerank.search import Search

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
MOST = 50  # results of a search


class Tools:
    """What agents may call. One call at a time: they share a connection, and what it keeps."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.lock = threading.Lock()

    def search(self, query: str, limit: int = 5) -> List[Dict[str, Any]]:
        """Finds documents by words and meaning: the piece of each that answers best, with its path
        and scores. "a phrase" must be there, -word must not."""
        with self.lock:
            try:
                results = Search(self.db).results(encodable(query), min(max(limit, 1), MOST))
            except Mistake as error:
                raise ToolError(str(error)) from None
        return [result.as_json() for result in results]

    def get(self, path: str) -> str:
        """The whole text of a document, by a path that search has given."""
        with self.lock:
            try:
                return Collection(self.db).text(encodable(path))
            except Mistake as error:
                raise ToolError(str(error)) from None

    def add(self, text: str, title: str = "", name: str = "") -> str:
        """Keeps a note, to be found by search from now on, and gives its path. A note of the same
        name is replaced."""
        if not text.strip():
            raise ToolError("a note needs a text")
        path = "note/" + (encodable(name) or f"{datetime.datetime.now():%Y-%m-%d-%H%M%S-%f}")
        with self.lock:
            try:
                Collection(self.db).note(path, Document(encodable(text), encodable(title) or None))
            except Mistake as error:
                raise ToolError(str(error)) from None
        return path


def main(path: str, write: bool) -> None:
    """Serves until stdin ends."""
    db = open_file(path, write=write)
    if write:
        Collection(db).create()
    tools = Tools(db)
    server = MCPServer("sqlite-rerank", version=sqlite_rerank.__version__, log_level="WARNING",
                       instructions=f"Searches the documents of {path}.")
    server.add_tool(tools.search, annotations=READS)
    server.add_tool(tools.get, annotations=READS)
    if write:
        server.add_tool(tools.add, annotations=ADDS)
    server.run("stdio")

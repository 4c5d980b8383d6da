"""datasette_plugin.py: the extension in Datasette, and a search form for every index.

Whoever reaches the page writes SQL there: each connection is locked, so that settings, keys and
models stay as the environment says.
"""
from __future__ import annotations

from typing import Any, Awaitable, Callable, Dict, List

from datasette import hookimpl
from datasette.utils import tilde_decode

import sqlite_rerank
from sqlite_rerank.database import Database
from sqlite_rerank.search import CANDIDATES, Search, indexes

Links = List[Dict[str, str]]
Forms = Dict[str, Dict[str, str]]
Application = Callable[[Dict[str, Any], Any, Any], Awaitable[None]]
RESULTS = 10
FORM = "search_"  # before the name of an index: that of its query


@hookimpl
def prepare_connection(conn: Any) -> None:
    """Loads the extension into each connection that can load one."""
    if not hasattr(conn, "load_extension"):
        return
    sqlite_rerank.load(conn)
    conn.execute("SELECT rerank_config('locked', 1)").fetchall()


@hookimpl
def canned_queries(datasette: Any, database: str) -> Callable[[], Awaitable[Forms]]:
    """A query with a form for each index."""
    async def queries() -> Forms:
        made: Forms = await datasette.get_database(database).execute_fn(forms)
        return made
    return queries


def forms(conn: Any) -> Forms:
    """The query of each index of a connection."""
    db = Database(conn)
    return {FORM + index: {
        "title": f"Search {index}",
        "description": 'By words and meaning. "A phrase" must be there, -word must not.',
        "sql": Search(db, index).statement().replace(":k", str(CANDIDATES)).replace(
            ":limit", str(RESULTS))} for index in indexes(db)}


@hookimpl
def table_actions(datasette: Any, database: str, table: str) -> Callable[[], Awaitable[Links]]:
    """A link from the page of an index to its form."""
    async def actions() -> Links:
        if not await is_index(datasette, database, table):
            return []
        return [{"href": datasette.urls.query(database, FORM + table),
                 "label": "Search by words and meaning"}]
    return actions


@hookimpl
def asgi_wrapper(datasette: Any) -> Callable[[Application], Application]:
    """The page of an index suggests no facets: they ask for ranks where there is no query."""
    def wrap(app: Application) -> Application:
        async def without_suggestions(scope: Dict[str, Any], receive: Any, send: Any) -> None:
            parts = scope.get("path", "").strip("/").split("/")[-2:]  # base_url may be before them
            if scope["type"] == "http" and len(parts) == 2 and \
                    await is_index(datasette, *map(tilde_decode, parts)):
                scope = {**scope, "query_string": scope["query_string"] + b"&_nosuggest=1"}
            await app(scope, receive, send)
        return without_suggestions
    return wrap


async def is_index(datasette: Any, database: str, table: str) -> bool:
    """Whether it is a semantic_index."""
    if database not in datasette.databases:
        return False
    names = await datasette.get_database(database).execute_fn(lambda conn: indexes(Database(conn)))
    return table in names or table.rpartition(".")[0] in names

"""command.py: `sqlite-rerank`: index, search, get, status, remove, serve, mcp."""
from __future__ import annotations

import json
import sys
from typing import Any, Optional, Tuple

import click

import sqlite_rerank
from sqlite_rerank import search as asking, show
from sqlite_rerank.collection import INDEX, Collection
from sqlite_rerank.database import Database, Mistake, loading, open_file
from sqlite_rerank.sqltext import literal, quoted
from sqlite_rerank.update import Report, Update

STOPPED = 130  # the exit status of what Ctrl-C has ended


class Commands(click.Group):
    """A group whose commands say what went wrong in a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Mistake as error:
            raise click.ClickException(str(error)) from None


file_argument = click.argument("file", type=click.Path(dir_okay=False))
sql_option = click.option("--sql", is_flag=True, help="Print the SQL in place of running it: "
                          "text that the sqlite3 shell takes.")
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
table_option = click.option("--table", metavar="NAME", help="A table of FILE, in place of files.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(sqlite_rerank.__version__)
def command() -> None:
    """Search documents by words and meaning, in a SQLite file.

    \b
    sqlite-rerank index notes.db docs/        reads, cuts into pieces, embeds
    sqlite-rerank search notes.db "a question"
    """


@command.command()
@file_argument
@click.argument("paths", nargs=-1, type=click.Path())
@table_option
@click.option("--text", metavar="COLUMNS", help="Of --table: the columns to embed, with commas "
              "(those of text).")
@click.option("--model", metavar="NAME", help="What embeds: builtin:static (the default, without a "
              "download), local:owner/name, provider:model.")
@click.option("--reranker", metavar="NAME", help="What reranks (builtin:lexical).")
@sql_option
@json_option
def index(file: str, paths: Tuple[str, ...], table: Optional[str], text: Optional[str],
          model: Optional[str], reranker: Optional[str], sql: bool, as_json: bool) -> None:
    """Index files and folders, or a table; again, and only what changed is embedded.

    FILE is the database; it is made. PATHS are text, Markdown, HTML, PDF, source code, and CSV,
    JSON and JSON Lines, a document a record. Without PATHS all that FILE knows is looked at again.
    """
    if table and paths:
        raise click.UsageError("--table is of FILE itself: it takes no PATHS")
    if text and not table:
        raise click.UsageError("--text names columns of a --table")
    db = open_file(file, write=True, show=click.echo if sql else None)
    if table:
        index_table(db, table, text, model, reranker, as_json)
        return
    run: Optional[Update] = None
    try:
        collection = Collection(db)
        if not paths and not collection.exists:
            raise Mistake("name files or folders to index")
        run = Update(collection, paths)
        collection.create(model, reranker)
        with show.progress("reading") as progress:
            run.run(progress)
        with show.progress("embedding") as progress:
            run.report.embedded = db.sync(INDEX, progress)
        run.report.skipped += collection.failures()
    except KeyboardInterrupt:
        show.stopped(db, INDEX, run.report if run else Report())
        sys.exit(STOPPED)
    if not sql:
        show.report(run.report, as_json)


def index_table(db: Database, table: str, text: Optional[str], model: Optional[str],
                reranker: Optional[str], as_json: bool) -> None:
    """An index of a table that is there, as SQL makes it."""
    index_name = f"{table}_index"
    if not db.has_table(table):
        raise Mistake(f"{db.path} has no table {table}")
    if db.has_table(index_name):
        if text or model or reranker:
            raise Mistake(f"{index_name} is there, and keeps what it was made with: leave out "
                          "--text, --model and --reranker")
    else:
        columns = text or ", ".join(column for column, in db.rows(
            "SELECT name FROM pragma_table_info(:table) WHERE type LIKE '%CHAR%'"
            " OR type LIKE '%CLOB%' OR type LIKE '%TEXT%'", table=table))
        if not columns:
            raise Mistake(f"{table} has no columns of type TEXT: say which to embed by --text")
        options = [("content", table), ("text", columns), ("lexical", "fts5"), ("model", model),
                   ("reranker", reranker)]
        db.run(f"CREATE VIRTUAL TABLE {quoted(index_name)} USING semantic_index(" + ", ".join(
            f"{option} = {literal(value)}" for option, value in options if value) + ")")
    report = Report()
    try:
        with show.progress("embedding") as progress:
            report.embedded = db.sync(index_name, progress)
        report.skipped += [(f"row {key}", why) for key, why in db.failures(index_name)]
    except KeyboardInterrupt:
        show.stopped(db, index_name, report, "row")
        sys.exit(STOPPED)
    if not db.show:
        show.report(report, as_json, "row")


@command.command()
@file_argument
@click.argument("query")
@click.option("-n", "limit", default=5, show_default=True, type=click.IntRange(1, 1000),
              help="How many results.")
@table_option
@sql_option
@json_option
def search(file: str, query: str, limit: int, table: Optional[str], sql: bool,
           as_json: bool) -> None:
    """Search by words and meaning; the best are reranked.

    "a phrase" must be there, -word must not. The piece of text that answered is shown with where it
    stands and its scores: relevance of the reranker, score of words and meaning together.
    """
    asked = asking.Search(open_file(file), table)
    if sql:
        click.echo(loading())
        click.echo(asked.sql(query, limit))
        return
    results = asked.results(query, limit)
    if asked.missing():
        click.echo(f"{asked.missing()} pieces are not in the index: sqlite-rerank status {file} "
                   "tells why", err=True)
    if as_json:
        click.echo(json.dumps([result.as_json() for result in results], ensure_ascii=False,
                              indent=2))
    else:
        show.results(results, query)


@command.command()
@file_argument
@click.argument("path")
def get(file: str, path: str) -> None:
    """Print the text of a document, as it was indexed."""
    click.echo(Collection(open_file(file)).text(path))


@command.command()
@file_argument
@json_option
def status(file: str, as_json: bool) -> None:
    """Tell what is in FILE, what is pending and what is to be done."""
    db = open_file(file)
    names = asking.indexes(db)
    if not names:
        raise Mistake(f"{file} has no index yet: sqlite-rerank index {file} FOLDER makes one")
    show.status(db, names, as_json)


@command.command()
@file_argument
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@sql_option
def remove(file: str, paths: Tuple[str, ...], sql: bool) -> None:
    """Forget documents: files, folders, notes. The files themselves stay."""
    open_file(file).close()  # it must be there
    db = open_file(file, write=True, show=click.echo if sql else None)
    collection = Collection(db)
    for path in paths:
        collection.remove(path)
    db.sync(INDEX)


@command.command()
@file_argument
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535),
              help="0: any that is free.")
def serve(file: str, port: int) -> None:
    """Serve a page to search FILE, on this machine alone."""
    from sqlite_rerank import serve as page  # by the sqlite3 of Python itself, others need none
    open_file(file).close()
    page.main(file, port)


@command.command()
@file_argument
@click.option("--write", is_flag=True, help="Offer `add` too: an agent may keep notes in FILE.")
def mcp(file: str, write: bool) -> None:
    """Serve FILE to agents by the Model Context Protocol, over stdin and stdout."""
    try:
        from sqlite_rerank import mcp as server
    except ModuleNotFoundError as error:
        raise Mistake(f"{error.name} is not installed: pip install 'sqlite-rerank[mcp]'") from None
    server.main(file, write)

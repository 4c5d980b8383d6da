"""show.py: what the command prints: on a terminal with colours and bars, else as plain lines."""
from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import unicodedata
from typing import Any, Callable, Dict, Iterator, List, Optional

import click
import rich.console
import rich.progress
import rich.text

from sqlite_rerank.collection import INDEX, Collection
from sqlite_rerank.database import Database
from sqlite_rerank.sqltext import literal
from sqlite_rerank.search import Result, snippet, words_of
from sqlite_rerank.update import Report

STATUS = ("rows", "pending", "failed", "bytes", "dimensions", "model", "problem", "advice")


@contextlib.contextmanager
def progress(what: str) -> Iterator[Optional[Callable[[int, int], None]]]:
    """A bar on a terminal, moved by what is yielded: (done, of how many); else None."""
    console = rich.console.Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"), rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(), rich.progress.TimeRemainingColumn(),
            console=console, transient=True) as drawn:
        task = drawn.add_task(what, total=None)
        yield lambda done, total: drawn.update(task, completed=done, total=total)


def counted(report: Report, unit: str) -> str:
    """3 new, 1 changed, 1 moved, 2 gone, 12 pieces embedded."""
    counts = [f"{getattr(report, kind)} {kind}" for kind in
              ("new", "changed", "moved", "gone", "unchanged") if getattr(report, kind)]
    plural = "s" * (report.embedded != 1)
    return ", ".join(counts + [f"{report.embedded} {unit}{plural} embedded"])


def report(made: Report, as_json: bool, unit: str = "piece") -> None:
    """What a run did, and which files it could not read."""
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(made), ensure_ascii=False))
        return
    for path, why in made.skipped:
        click.echo(f"left out: {shortened(path)}: {why}", err=True)
    click.echo(counted(made, unit))


def stopped(db: Database, index: str, made: Report, unit: str = "piece") -> None:
    """How far a run came before Ctrl-C."""
    left = db.value(f"SELECT pending FROM semantic_status({literal(index)})") \
        if db.has_table(index) else 0
    click.echo(f"stopped: {counted(made, unit)}, {left} not embedded yet; what is whole is kept, "
               "and the next run goes on from here", err=True)


def shortened(path: str) -> str:
    """A path as one types it here."""
    near = os.path.relpath(path) if os.path.isabs(path) else path
    return printable(path if near.startswith("..") else near)


def printable(text: str) -> str:
    """Without what would be commands to a terminal."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) == "Cc"
                   else character for character in text)


def results(found: List[Result], query: str) -> None:
    """Each result in three lines: where, scores, the text that answered."""
    console = rich.console.Console(highlight=False, soft_wrap=True)
    if not found:
        click.echo("nothing found", err=True)
    for number, result in enumerate(found, 1):
        head = rich.text.Text(f"{number}. ")
        head.append(shortened(result.where), "bold cyan")
        head.append(f"  {printable(result.title)}" if result.title else "", "bold")
        text = rich.text.Text("   " + printable(snippet(result.text, query)))
        text.highlight_words(words_of(query), "bold yellow", case_sensitive=False)
        scores = "  ".join(f"{name} {value:.3f}" for name, value in result.scores.items()
                           if value is not None)
        console.print(head)
        console.print(rich.text.Text("   " + scores, "dim"))
        console.print(text)


def status(db: Database, indexes: List[str], as_json: bool) -> None:
    """Documents and folders, and how each index is."""
    told: Dict[str, Any] = {"file": db.path, "bytes": os.path.getsize(db.path)}
    if INDEX in indexes:
        told["documents"] = db.value("SELECT count(*) FROM documents")
        told["pieces"] = db.value("SELECT count(*) FROM pieces")
        told["folders"] = Collection(db).folders()
    told["indexes"] = {
        index: dict(zip(STATUS, row)) for index in indexes for row in db.rows(
            f"SELECT {', '.join(STATUS)} FROM semantic_status({literal(index)})")}
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    states = told.pop("indexes")
    told["folders"] = ", ".join(shortened(path) for path in told.get("folders", [])) or None
    for title, values in [("", told), *states.items()]:
        if title:
            click.echo(title)
        for key, value in values.items():
            if value not in (None, ""):
                click.echo(f"{'  ' * bool(title)}{key}: {value}")

"""collection.py: documents in a database, cut into pieces, with one index over the pieces.

A piece that is still there when its document has changed keeps its row, and so its vector.
"""
from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Optional, Set, Tuple

from sqlite_rerank import files
from sqlite_rerank.database import Database, Mistake
from sqlite_rerank.sqltext import literal
from sqlite_rerank.readers import Document, place

INDEX = "piece_index"
OVERLAP_TOKENS = 32
At = Tuple[Optional[int], Optional[int]]  # size and time of a file

SCHEMA = (
    """CREATE TABLE documents(
  id     INTEGER PRIMARY KEY,
  path   TEXT NOT NULL,     -- of a file; the name of a note
  record INTEGER NOT NULL,  -- 1, 2, 3... in a file of records, else 0
  title  TEXT,
  sha256 TEXT NOT NULL,     -- of title and text
  size   INTEGER,           -- of the file when it was read; NULL of a note
  mtime  INTEGER            -- in nanoseconds
)""",
    "CREATE INDEX documents_path ON documents(path)",
    """CREATE TABLE pieces(
  id       INTEGER PRIMARY KEY,
  document INTEGER NOT NULL REFERENCES documents(id),
  n        INTEGER NOT NULL,  -- 0, 1, 2...
  start    INTEGER NOT NULL,  -- the first character, counted from 1
  place    INTEGER,           -- the line, or the page, on which it begins
  title    TEXT,
  text     TEXT NOT NULL
)""",
    "CREATE INDEX pieces_document ON pieces(document)",
    "CREATE TABLE folders(path TEXT PRIMARY KEY)",
)


@dataclass(frozen=True)
class Known:
    """A document as it is stored."""
    id: int
    record: int
    sha256: str
    size: Optional[int]
    mtime: Optional[int]


def digest(document: Document) -> str:
    """What tells whether a document is another."""
    return hashlib.sha256(f"{document.title or ''}\0{document.text}".encode()).hexdigest()


class Collection:
    """The documents of a database."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.exists = db.has_table(INDEX)
        self.model = self._option("model") if self.exists else ""

    def create(self, model: Optional[str] = None, reranker: Optional[str] = None) -> None:
        """Makes the tables, where there are none."""
        if not self.exists:
            with self.transaction(), self.whole():
                if not self.db.has_table(INDEX):  # nobody was faster
                    self._make(model, reranker)
            self.exists = not self.db.show
        if not self.exists:
            self.model = model or self.db.value("SELECT rerank_config('embed_model')")
            return
        self.model = self._option("model")
        self._refuse_another("model", model)
        self._refuse_another("reranker", reranker)

    def _make(self, model: Optional[str], reranker: Optional[str]) -> None:
        for table in ("documents", "pieces", "folders"):
            if self.db.has_table(table):
                raise Mistake(f"{self.db.path} has a table {table} of its own: give another file, "
                              f"or index that by --table {table}")
        options = "".join(f", {option} = {literal(value)}" for option, value in
                          (("model", model), ("reranker", reranker)) if value)
        for sql in SCHEMA:
            self.db.run(sql)
        self.db.run(f"CREATE VIRTUAL TABLE {INDEX} USING semantic_index(content = 'pieces',"
                    f" text = 'title, text', lexical = 'fts5'{options})")

    def _option(self, key: str) -> str:
        return self.db.value(f"SELECT value FROM {INDEX}_config WHERE key = :key", key=key) or ""

    def _refuse_another(self, option: str, value: Optional[str]) -> None:
        stored = self._option(option)
        if value and value != stored:
            raise Mistake(f"{self.db.path} was made with {option} {stored}, not {value}: an index "
                          "keeps what it was made with. Give another file")

    def folders(self) -> List[str]:
        """Those that were indexed."""
        return [path for path, in self.db.rows("SELECT path FROM folders ORDER BY path")] \
            if self.exists else []

    def remove(self, path: str) -> None:
        """Forgets a file, a note, or a folder with all that is in it."""
        full = os.path.abspath(path)
        names = [name for name, in self.db.rows("SELECT DISTINCT path FROM documents")
                 if name == path or files.below(name, full)]
        if not names and full not in self.folders():
            raise Mistake(f"{self.db.path} has no document {path}")
        with self.transaction():
            for folder in self.folders():
                if files.below(folder, full):
                    self.db.run("DELETE FROM folders WHERE path = :path", path=folder)
            for name in names:
                self.delete(self.stored(name))

    def note(self, path: str, document: Document) -> None:
        """Keeps a text that is in no file, in place of the one of that name."""
        with self.transaction():
            stored = self.stored(path)
            if stored:
                self.place(stored[0].id, path, document, (None, None))
                self.cut(stored[0].id, document)
            else:
                self.add(path, document)
        self.db.sync(INDEX)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Of a run that stops, the files that are whole stay."""
        self.db.run("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            if self.db.show or self.db.connection.in_transaction:
                self.db.run("COMMIT")

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """A file is stored whole or not at all, also where Ctrl-C comes between."""
        if self.db.show:
            yield
            return
        self.db.run("SAVEPOINT file")
        try:
            yield
        except BaseException:
            if self.db.connection.in_transaction:
                self.db.run("ROLLBACK TO file")
            raise
        self.db.run("RELEASE file")

    def paths(self) -> Set[str]:
        """Of all documents that are files."""
        return {path for path, in self.db.rows(
            "SELECT path FROM documents WHERE mtime IS NOT NULL")} if self.exists else set()

    def stored(self, path: str) -> List[Known]:
        """The documents of a path."""
        return [Known(*row) for row in self.db.rows(
            "SELECT id, record, sha256, size, mtime FROM documents WHERE path = :path"
            " ORDER BY record", path=path)] if self.exists else []

    def failures(self) -> List[Tuple[str, str]]:
        """(where, why) of each piece that could not be embedded."""
        return [(place(*self.db.rows(
            "SELECT d.path, d.record, p.place FROM pieces AS p JOIN documents AS d"
            " ON d.id = p.document WHERE p.id = :id", id=piece)[0]), why)
            for piece, why in self.db.failures(INDEX)]

    # ---- a document ----------------------------------------------------------------------------

    def add(self, path: str, document: Document, at: At = (None, None)) -> None:
        """A new one. Within a transaction."""
        self.db.run("INSERT INTO documents(path, record, title, sha256, size, mtime)"
                    " VALUES (:path, :record, :title, :sha256, :size, :mtime)",
                    path=path, record=document.record, title=document.title,
                    sha256=digest(document), size=at[0], mtime=at[1])
        self.cut(None, document)

    def place(self, key: int, path: str, document: Document, at: At) -> None:
        """Says anew where a document is, and what it says. Its pieces stay."""
        self.db.run("UPDATE documents SET path = :path, record = :record, title = :title,"
                    " sha256 = :sha256, size = :size, mtime = :mtime WHERE id = :id",
                    id=key, path=path, record=document.record, title=document.title,
                    sha256=digest(document), size=at[0], mtime=at[1])

    def cut(self, key: Optional[int], document: Document) -> None:
        """Its pieces, of which those that were there before keep their rows. None: the newest."""
        owner = "(SELECT max(id) FROM documents)" if key is None else str(key)
        old: Dict[Tuple[Optional[str], str], List[int]] = {}
        for piece, title, text in self.db.rows(
                "SELECT id, title, text FROM pieces WHERE document = :key ORDER BY n DESC",
                key=key) if key is not None else ():
            old.setdefault((title, text), []).append(piece)
        text = document.text if document.text.strip() else document.title or ""
        # A model of this machine tells how much it reads; for others the built-in one does.
        counter = self.model if self.model.startswith("local:") else "builtin:static"
        place, counted = 1, 0
        for n, start, piece in self.db.rows(
                "SELECT n, start, text FROM chunk_each(:text, NULL, :overlap, :model)",
                text=text, overlap=OVERLAP_TOKENS, model=counter):
            if document.mark:
                place += text.count(document.mark, counted, start - 1)
                counted = start - 1
            values = {"n": n, "start": start, "place": place if document.mark else None}
            same = old.get((document.title, piece))
            if same:
                self.db.run("UPDATE pieces SET n = :n, start = :start, place = :place"
                            " WHERE id = :id", id=same.pop(), **values)
            else:
                self.db.run("INSERT INTO pieces(document, n, start, place, title, text)"
                            f" VALUES ({owner}, :n, :start, :place, :title, :text)",
                            title=document.title, text=piece, **values)
        for piece in [piece for same in old.values() for piece in same]:
            self.db.run("DELETE FROM pieces WHERE id = :id", id=piece)

    def delete(self, documents: Iterable[Known]) -> None:
        """Takes documents and their pieces away."""
        for document in documents:
            self.db.run("DELETE FROM pieces WHERE document = :id", id=document.id)
            self.db.run("DELETE FROM documents WHERE id = :id", id=document.id)

    def text(self, path: str) -> str:
        """The text of a document, put together from its pieces."""
        full = os.path.abspath(path)
        parts: List[str] = []
        at: Optional[Tuple[int, int]] = None  # document, the next character
        for document, start, piece in self.db.rows(
                "SELECT p.document, p.start, p.text FROM documents AS d JOIN pieces AS p"
                " ON p.document = d.id WHERE d.path IN (:path, :full) ORDER BY d.record, p.n",
                path=path, full=full):
            if at and at[0] == document and start <= at[1]:
                piece_left = piece[at[1] - start:]
            else:
                piece_left = ("\n\n" if at else "") + piece
            parts.append(piece_left)
            at = (document, start + len(piece))
        if not parts:
            raise Mistake(f"{self.db.path} has no document {path}")
        return "".join(parts)

"""update.py: brings a collection in step with files and folders.

Files are looked at again by size and time, then by the hash of their text. One that was moved keeps
its pieces, and so their vectors.
"""
from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from sqlite_rerank import files, readers
from sqlite_rerank.collection import At, Collection, Known, digest
from sqlite_rerank.database import Mistake
from sqlite_rerank.readers import Document

COMMIT_SECONDS = 1.0
Progress = Callable[[int, int], None]  # done, of how many


@dataclass
class Report:
    """What a run found and did."""
    new: int = 0
    changed: int = 0
    moved: int = 0
    gone: int = 0
    unchanged: int = 0
    embedded: int = 0
    skipped: List[Tuple[str, str]] = field(default_factory=list)  # path, why


class Update:
    """A run over files and folders; of no path, over all that the collection knows."""

    def __init__(self, collection: Collection, paths: Sequence[str]) -> None:
        self.collection, self.db = collection, collection.db
        self.report = Report()
        self.gone: Dict[str, List[Known]] = {}  # by hash: documents that have left
        self.stored = collection.paths()
        self.folders, self.named = self._sources(paths)

    def _sources(self, paths: Sequence[str]) -> Tuple[List[str], Set[str]]:
        """(folders, files) that are to be looked at."""
        full = [os.path.abspath(path) for path in paths]
        if not paths:
            full = self.collection.folders()
            full += sorted(path for path in self.stored if os.path.exists(path))
            if not full and not self.stored:
                raise Mistake(f"{self.db.path} knows no files: name files or folders to index")
        for path in full:
            if not os.path.exists(path):
                raise Mistake(f"{path} is not there: nothing was changed (if it is gone for good: "
                              f"sqlite-rerank remove {self.db.path} {path})")
        return [path for path in full if os.path.isdir(path)], \
            {path for path in full if not os.path.isdir(path)}

    def run(self, progress: Optional[Progress] = None) -> None:
        """Looks at every file; the report tells, also where this is stopped."""
        found = dict.fromkeys(path for folder in self.folders
                              for path in files.files_of(folder, self.report.skipped))
        found.update(dict.fromkeys(sorted(self.named)))
        with self.collection.transaction():
            for folder in self.folders:
                self.db.run("INSERT OR IGNORE INTO folders VALUES (:path)", path=folder)
            for path in sorted(self.stored.difference(found)):
                if not os.path.exists(path) or \
                        any(files.below(path, folder) for folder in self.folders):
                    self._leave(self.collection.stored(path))
            committed = time.monotonic()
            for done, path in enumerate(found):
                with self.collection.whole():
                    self._look(path)
                if progress:
                    progress(done + 1, len(found))
                if time.monotonic() - committed > COMMIT_SECONDS and not self.db.show:
                    self.db.run("COMMIT")
                    self.db.run("BEGIN IMMEDIATE")
                    committed = time.monotonic()
            for same in self.gone.values():
                self.collection.delete(same)
                self.report.gone += len(same)

    def _look(self, path: str) -> None:
        """One file: what it says now, beside what is stored of it."""
        if path != readers.encodable(path):
            self.report.skipped.append((readers.encodable(path), "its name is not UTF-8"))
            return
        stored = self.collection.stored(path)
        suffix = os.path.splitext(path)[1].lower()
        try:
            status = os.stat(path)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
                raise readers.NoText("it is no file")
            at = (status.st_size, status.st_mtime_ns)
            if stored and all((old.size, old.mtime) == at for old in stored):
                self.report.unchanged += len(stored)
                return
            documents = readers.read(path)
        except (OSError, readers.NoText) as error:
            if not isinstance(error, readers.Binary) or path in self.named or stored \
                    or suffix in readers.READERS:
                self.report.skipped.append((path, str(error)))
            self._leave(stored)
            return
        self._match(path, documents, stored, at)

    def _leave(self, documents: Iterable[Known]) -> None:
        """They may be found elsewhere yet, before the run ends."""
        for document in documents:
            self.gone.setdefault(document.sha256, []).append(document)

    def _match(self, path: str, documents: List[Document], stored: List[Known], at: At) -> None:
        """Each document takes the place of the one with its text, or else with its number."""
        same: Dict[str, List[Known]] = {}
        for old in reversed(stored):
            same.setdefault(old.sha256, []).append(old)
        others = []
        for document in documents:
            sha256 = digest(document)
            if same.get(sha256):
                self.report.unchanged += 1
                self.collection.place(same[sha256].pop().id, path, document, at)
            elif self.gone.get(sha256):
                self.report.moved += 1
                self.collection.place(self.gone[sha256].pop().id, path, document, at)
            else:
                others.append(document)
        left = {old.record: old for olds in same.values() for old in olds}
        for document in others:
            if document.record in left:
                key = left.pop(document.record).id
                self.report.changed += 1
                self.collection.place(key, path, document, at)
                self.collection.cut(key, document)
            else:
                self.report.new += 1
                self.collection.add(path, document, at)
        self._leave(left.values())

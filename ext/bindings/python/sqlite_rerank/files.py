"""files.py: which files a user means by naming files and folders."""
from __future__ import annotations

import os
from typing import Iterator, List, Sequence, Tuple

import pathspec

LEFT_OUT = ("node_modules", "__pycache__")
Rules = Tuple[str, pathspec.GitIgnoreSpec]  # of a .gitignore, and the folder that it is in


def below(path: str, folder: str) -> bool:
    """Whether a file is in a folder, at any depth, or is it."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def files_of(folder: str, unread: List[Tuple[str, str]],
             outer: Sequence[Rules] = ()) -> Iterator[str]:
    """The files below a folder, in order: neither hidden ones, nor those that Git ignores.

    unread: gets the folders that cannot be read, and why.
    """
    rules = [*outer, *rules_of(folder)]
    folders: List[str] = []
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        unread.append((folder, error.strerror or str(error)))
        return
    for entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name.startswith(".") or entry.name in LEFT_OUT or \
                ignored(entry.path, is_folder, rules):
            continue
        if is_folder:
            folders.append(entry.path)
        elif entry.is_file():
            yield entry.path
    for path in folders:
        yield from files_of(path, unread, rules)


def rules_of(folder: str) -> List[Rules]:
    """Those of the folder's own .gitignore."""
    try:
        with open(os.path.join(folder, ".gitignore"), encoding="utf-8", errors="replace") as file:
            return [(folder, pathspec.GitIgnoreSpec.from_lines(file))]
    except OSError:
        return []


def ignored(path: str, is_folder: bool, rules: Sequence[Rules]) -> bool:
    """What the nearest .gitignore says of a path that says anything."""
    for folder, spec in reversed(rules):
        said = spec.check_file(os.path.relpath(path, folder) + "/" * is_folder).include
        if said is not None:
            return said
    return False

"""files.py: which files a user means by naming files and folders."""
from __future__ import annotations

import contextlib
import os
from typing import Iterator, List, Sequence, Tuple

import pathspec

LEFT_OUT = ("node_modules", "__pycache__")
Rules = Tuple[str, pathspec.GitIgnoreSpec]  # of a .gitignore, and the folder that it is in


def below(path: str, folder: str) -> bool:
    """Whether a file is in a folder, at any depth, or is it."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def files_of(root: str, unread: List[Tuple[str, str]]) -> Iterator[str]:
    """The files below a folder, in order: neither hidden ones, nor those that Git ignores.

    unread: gets the folders that cannot be read, and why.
    """
    folders: List[Tuple[str, List[Rules]]] = [(root, [])]  # to be read, the next one last
    while folders:
        folder, outer = folders.pop()
        rules = [*outer, *rules_of(folder)]
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            unread.append((folder, error.strerror or str(error)))
            continue
        inner: List[Tuple[str, List[Rules]]] = []
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name.startswith(".") or entry.name in LEFT_OUT or \
                    ignored(entry.path, is_folder, rules):
                continue
            if is_folder:
                inner.append((entry.path, rules))
            elif os.path.isfile(entry.path):  # also by a link, which may lead nowhere
                yield entry.path
        folders += reversed(inner)


def rules_of(folder: str) -> List[Rules]:
    """Those of the folder's own .gitignore. Git passes over a line that is no pattern."""
    try:
        with open(os.path.join(folder, ".gitignore"), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    patterns = []
    for line in lines:
        with contextlib.suppress(ValueError):
            patterns += pathspec.GitIgnoreSpec.from_lines([line]).patterns
    return [(folder, pathspec.GitIgnoreSpec(patterns))]


def ignored(path: str, is_folder: bool, rules: Sequence[Rules]) -> bool:
    """What the nearest .gitignore says of a path that says anything."""
    for folder, spec in reversed(rules):
        said = spec.check_file(os.path.relpath(path, folder) + "/" * is_folder).include
        if said is not None:
            return said
    return False

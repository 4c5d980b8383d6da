"""sqltext.py: values and names as SQL text, and what the text of a CREATE says of an index."""
from __future__ import annotations

import re
from typing import Any, List

# https://www.sqlite.org/lang_keywords.html
KEYWORDS = frozenset("""
    abort action add after all alter always analyze and as asc attach autoincrement before begin
    between by cascade case cast check collate column commit conflict constraint create cross
    current current_date current_time current_timestamp database default deferrable deferred delete
    desc detach distinct do drop each else end escape except exclude exclusive exists explain fail
    filter first following for foreign from full generated glob group groups having if ignore
    immediate in index indexed initially inner insert instead intersect into is isnull join key last
    left like limit match materialized natural no not nothing notnull null nulls of offset on or
    order others outer over partition plan pragma preceding primary query raise range recursive
    references regexp reindex release rename replace restrict returning right rollback row rows
    savepoint select set table temp temporary then ties to transaction trigger unbounded union
    unique update using vacuum values view virtual when where window with without""".split())


def literal(value: Any) -> str:
    """A value as SQL text."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def quoted(name: str) -> str:
    """A name as SQL text, in quotes only where it needs them."""
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name) and name not in KEYWORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def makes_index(sql: str) -> bool:
    """Whether this is the CREATE of a semantic_index."""
    return bool(re.match(r"create\s+virtual\s+table\s.*\busing\s+[\"'`\[]?semantic_index\b", sql,
                         re.I | re.S))


def listed(sql: str, option: str) -> List[str]:
    """The names that an option of that CREATE lists, as far as they need no quotes in quotes."""
    found = re.search(rf"\b{option}\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|(\w+))", sql, re.I)
    names = "".join(filter(None, found.groups())).split(",") if found else []
    return [name.strip(" \t\r\n\"'`[]") for name in names]

"""readers.py: what files say: their texts, with a title where they have one.

A file is one document; one of records (CSV, JSON, JSON Lines) is a document a record.
"""
from __future__ import annotations

import codecs
import csv
import io
import json
import logging
import os
import re
import sys
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Optional

TITLES = ("title", "name", "subject", "heading")  # of the field of a record that is its title
PAGE = "\f"
HEAD = 8192  # bytes that tell whether a file is worth reading
MOST_BYTES = 256 << 20
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NoText(Exception):
    """The file holds no text; str() says why."""


class Binary(NoText):
    """It was not meant to be text."""


@dataclass(frozen=True)
class Document:
    """What is indexed.

    record: 1, 2, 3... in a file of records, else 0. mark: what ends a line, or a page, by which is
    told where a piece stands.
    """
    text: str
    title: Optional[str] = None
    record: int = 0
    mark: Optional[str] = "\n"


def read(path: str) -> List[Document]:
    """The documents of a file. NoText: it has none."""
    reader = READERS.get(os.path.splitext(path)[1].lower(), read_text)
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise NoText(f"it is larger than {MOST_BYTES >> 20} MiB")
            data = file.read(HEAD)
            if reader is not read_pdf:
                refuse_binary(data)
            data += file.read()
    except OSError as error:
        raise NoText(error.strerror or str(error)) from None
    try:
        return reader(data)
    except NoText:
        raise
    except RecursionError:
        raise NoText("it is nested too deeply") from None
    except Exception as error:  # of many kinds, for files that are wrong in many ways
        raise NoText(f"it cannot be read: {error}") from None


def place(path: str, record: int, number: Optional[int]) -> str:
    """Where a piece stands, as a person and an editor read it."""
    if record:
        return f"{path}, record {record}"
    if number is None:
        return path
    return f"{path}, page {number}" if path.lower().endswith(".pdf") else f"{path}:{number}"


def refuse_binary(data: bytes) -> None:
    """No text has a zero byte, but one of wide characters."""
    if b"\0" in data and not data.startswith(WIDE):
        raise Binary("it is binary")


def decoded(data: bytes) -> str:
    """The characters of a file: UTF-8, or UTF-16 that says so. Every line ends by a newline."""
    refuse_binary(data)
    try:
        text = data.decode("utf-16" if data.startswith(WIDE) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise NoText(f"it is not UTF-8 (at byte {error.start})") from None
    return encodable(text).replace("\r\n", "\n").replace("\r", "\n")


def read_text(data: bytes) -> List[Document]:
    """Plain text, and source code."""
    return [Document(decoded(data))]


def read_markdown(data: bytes) -> List[Document]:
    """Markdown as it is written; its title is that of the front matter, or the first heading."""
    text = decoded(data)
    end = text.find("\n---\n", 3) if text.startswith("---\n") else -1
    found = re.compile(r"^title:[ \t]*(.+)$", re.MULTILINE).search(text, 0, max(end, 0)) or \
        re.search(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", text, re.MULTILINE)
    return [Document(text, found[1].strip("\"' ") if found else None)]


def read_html(data: bytes) -> List[Document]:
    """A page as Markdown, without what is not read."""
    import bs4
    import markdownify
    page = bs4.BeautifulSoup(data, "html.parser")
    title = page.title.get_text().strip() if page.title else ""
    for element in page(["head", "script", "style", "template", "noscript", "svg", "nav"]):
        element.decompose()
    text = markdownify.MarkdownConverter(heading_style=markdownify.ATX,
                                         strip=["a", "img"]).convert_soup(page)
    return [Document(encodable(text).strip(), encodable(title) or None, mark=None)]


def read_pdf(data: bytes) -> List[Document]:
    """The text of a PDF's pages; one of pictures alone has none."""
    import pypdf
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # of what it could mend
    file = pypdf.PdfReader(io.BytesIO(data))
    pages = [page.extract_text() for page in file.pages]
    title = str(file.metadata.title or "") if file.metadata else ""
    text = PAGE.join(page.replace(PAGE, "\n") for page in pages)
    return [Document(encodable(text), encodable(title).strip() or None, mark=PAGE)]


def encodable(text: str) -> str:
    """Without what no text of SQLite has: zero bytes, and halves of characters."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


# ---- records -------------------------------------------------------------------------------------

def read_csv(data: bytes) -> List[Document]:
    """A document a row, by the names of the first one."""
    text = decoded(data)
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:  # what else it guesses is wrong where the first lines have no quotes, and later ones do
        delimiter = csv.Sniffer().sniff(text[:HEAD], delimiters=",;\t|").delimiter
    except csv.Error:
        delimiter = ","
    return records(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def read_json(data: bytes) -> List[Document]:
    """A document an object of a list; any other JSON is a text."""
    text = decoded(data)
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return records(value)
    return [Document(text)]


def read_json_lines(data: bytes) -> List[Document]:
    """A document a line."""
    try:
        values = [json.loads(line) for line in decoded(data).split("\n") if line.strip()]
    except ValueError as error:
        raise NoText(f"it is not JSON Lines: {error}") from None
    return records(value if isinstance(value, dict) else {"": value} for value in values)


def records(rows: Iterable[Dict[Any, Any]]) -> List[Document]:
    """Each record as lines `field: value`; a field that is called like a title is that."""
    documents = []
    for number, row in enumerate(rows, 1):
        fields = {str(key or ""): shown(value) for key, value in row.items()}
        title = next((key for key in fields if key.lower() in TITLES and fields[key]), None)
        lines = [f"{key}: {value}" if key else value
                 for key, value in fields.items() if value and key != title]
        documents.append(Document(encodable("\n".join(lines)),
                                  encodable(fields[title]) if title else None,
                                  number, mark=None))
    return documents


def shown(value: Any) -> str:
    """A value of a field as people read it."""
    if value is None:
        return ""
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return ", ".join(shown(item) for item in value)
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value, ensure_ascii=False)


READERS: Dict[str, Callable[[bytes], List[Document]]] = {
    ".md": read_markdown, ".markdown": read_markdown,
    ".html": read_html, ".htm": read_html, ".xhtml": read_html,
    ".pdf": read_pdf,
    ".csv": read_csv, ".tsv": read_csv,
    ".json": read_json, ".jsonl": read_json_lines, ".ndjson": read_json_lines,
}

"""langchain.py: a LangChain vector store and reranker over a connection that has the extension.

    from sqlite_rerank.langchain import SQLiteRerank, SQLiteReranker
    store = SQLiteRerank(connection)                 # embeds by itself, searches words and meaning
    store = SQLiteRerank(connection, embedding=...)  # by vectors of a LangChain embedding alone
    retriever = ContextualCompressionRetriever(
        base_retriever=store.as_retriever(search_kwargs={"k": 25}),
        base_compressor=SQLiteReranker(connection=connection, top_n=5))

LangChain calls the store from other threads where it is asked by async: open the connection with
check_same_thread=False then.
"""
from __future__ import annotations

import json
import struct
import uuid
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from pydantic import ConfigDict

from sqlite_rerank.documents import (
    Condition, Documents, Row, compare, join, of_keys, prepare, rows_of)

OPERATORS = {"$eq": "==", "$ne": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<=",
             "$in": "in", "$nin": "nin", "$contains": "contains"}
Filter = Optional[Dict[str, Any]]


def condition(wanted: Filter) -> Condition:
    """A filter on metadata: {"genre": "drama", "year": {"$gte": 1990}}, joined by $and, $or, $not.
    """
    if not isinstance(wanted, (dict, type(None))):
        raise ValueError(f"a filter is a dict, not {wanted!r}")
    parts = []
    for field, value in (wanted or {}).items():
        if field in ("$and", "$or"):
            parts.append(join(field[1:].upper(), map(condition, value)))
        elif field == "$not":
            parts.append(join("NOT", [condition(value)]))
        elif field.startswith("$"):
            raise ValueError(f"there is no {field!r} in filters; expected $and, $or or $not")
        elif isinstance(value, dict):
            for operator, operand in value.items():
                if operator not in OPERATORS:
                    raise ValueError(f"there is no {operator!r} in filters; expected one of "
                                     f"{', '.join(OPERATORS)}")
                parts.append(compare(field, OPERATORS[operator], operand))
        else:
            parts.append(compare(field, "==", value))
    return join("AND", parts) if parts else Condition()


def document(row: Row) -> Document:
    """A row as LangChain has it."""
    return Document(page_content=row.text, metadata=row.metadata, id=row.key)


class SQLiteRerank(VectorStore):
    """Documents in a table of a database, `name`, with an index of them, `name`_index.

    connection: of sqlite3, pysqlite3 or apsw; the extension is loaded if it is not there.
    embedding: makes the vectors; without it the index does, by its `options` (model = '...'; the
    default is inside the extension), and finds by words, too.
    """

    def __init__(self, connection: Any, *, name: str = "langchain",
                 embedding: Optional[Embeddings] = None, options: str = "") -> None:
        self._embedding = embedding
        dimensions = len(embedding.embed_query("dimensions")) if embedding else None
        self._documents = Documents(connection, name, dimensions, options)

    @property
    def embeddings(self) -> Optional[Embeddings]:
        return self._embedding

    # ---- writing ---------------------------------------------------------------------------------

    def add_texts(self, texts: Iterable[str], metadatas: Optional[List[dict]] = None, *,
                  ids: Optional[List[Optional[str]]] = None, **kwargs: Any) -> List[str]:
        texts = list(texts)
        metadatas = metadatas or [{} for _ in texts]
        keys = [key or str(uuid.uuid4()) for key in ids or [None] * len(texts)]
        if not len(texts) == len(metadatas) == len(keys):
            raise ValueError(f"{len(texts)} texts came with {len(metadatas)} metadatas and "
                             f"{len(keys)} ids; expected one of each")
        vectors = self._embedding.embed_documents(texts) if self._embedding else None
        self._documents.add(keys, texts, metadatas, vectors)
        return keys

    def delete(self, ids: Optional[List[str]] = None, **kwargs: Any) -> Optional[bool]:
        self._documents.delete(of_keys("key", ids))
        return True

    # ---- searching -------------------------------------------------------------------------------

    def get_by_ids(self, ids: Sequence[str], /) -> List[Document]:
        return [document(row) for row in self._documents.get(of_keys("key", ids))]

    def _search(self, query: str, k: int, wanted: Filter) -> List[Row]:
        asked = self._embedding.embed_query(query) if self._embedding else query
        return self._documents.search(asked, k, condition(wanted))

    def similarity_search(self, query: str, k: int = 4, filter: Filter = None,
                          **kwargs: Any) -> List[Document]:
        return [document(row) for row in self._search(query, k, filter)]

    def similarity_search_with_score(self, query: str, k: int = 4, filter: Filter = None,
                                     **kwargs: Any) -> List[Tuple[Document, float]]:
        """Higher is better: cosine similarity, or the score of words and meaning."""
        return [(document(row), row.score or 0.0) for row in self._search(query, k, filter)]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda score: min(max(score, 0.0), 1.0)

    def similarity_search_by_vector(self, embedding: List[float], k: int = 4,
                                    filter: Filter = None, **kwargs: Any) -> List[Document]:
        return [document(row)
                for row in self._documents.search(embedding, k, condition(filter))]

    def max_marginal_relevance_search(self, query: str, k: int = 4, fetch_k: int = 20,
                                      lambda_mult: float = 0.5, filter: Filter = None,
                                      **kwargs: Any) -> List[Document]:
        vector = (self._embedding.embed_query if self._embedding else self._documents.embed)(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, filter)

    def max_marginal_relevance_search_by_vector(
            self, embedding: List[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5,
            filter: Filter = None, **kwargs: Any) -> List[Document]:
        import numpy  # which maximal_marginal_relevance needs
        rows = self._documents.search(embedding, fetch_k, condition(filter),
                                      vectors=True) if embedding else []
        vectors = [struct.unpack(f"<{len(row.embedding) // 4}f", row.embedding) for row in rows]
        chosen = maximal_marginal_relevance(numpy.array(embedding), vectors, lambda_mult, k) \
            if rows else []
        return [document(rows[i]) for i in chosen]

    @classmethod
    def from_texts(cls, texts: List[str], embedding: Optional[Embeddings] = None,
                   metadatas: Optional[List[dict]] = None, *, ids: Optional[List[str]] = None,
                   connection: Any = None, **kwargs: Any) -> SQLiteRerank:
        """A store with these texts; without a connection in a database that is in memory."""
        if connection is None:
            import sqlite3
            connection = sqlite3.connect(":memory:", check_same_thread=False)
        store = cls(connection, embedding=embedding, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store


class SQLiteReranker(BaseDocumentCompressor):
    """Keeps the top_n documents that answer the query best, by a model that reads both."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")
    connection: Any
    top_n: int = 5
    model: Optional[str] = None

    def model_post_init(self, context: Any, /) -> None:
        prepare(self.connection)

    def compress_documents(self, documents: Sequence[Document], query: str,
                           callbacks: Callbacks = None) -> Sequence[Document]:
        texts = json.dumps([one.page_content for one in documents], ensure_ascii=False)
        found = rows_of(self.connection, "SELECT key, relevance_score FROM rerank(?, ?, ?, ?)"
                        " ORDER BY rank", (query, texts, self.top_n, self.model))
        return [documents[key].model_copy(update={"metadata": {
            **documents[key].metadata, "relevance_score": score}}) for key, score in found]

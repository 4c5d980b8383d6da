"""llama_index.py: a LlamaIndex vector store over a connection that has the extension.

    from sqlite_rerank.llama_index import SQLiteRerankVectorStore
    store = SQLiteRerankVectorStore(connection)   # embeds by itself, searches words and meaning
    index = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(1))

    store = SQLiteRerankVectorStore(connection, dimensions=384)   # by vectors of an embed_model

LlamaIndex always asks an embed_model for a vector of each node: MockEmbedding(1) costs nothing
where the store needs none. LlamaIndex calls the store from other threads where it is asked by
async: open the connection with check_same_thread=False then.
"""
from __future__ import annotations

from typing import Any, List, Optional, Sequence

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore, MetadataFilter, MetadataFilters, VectorStoreQuery,
    VectorStoreQueryMode, VectorStoreQueryResult)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from sqlite_rerank.documents import Condition, Documents, Row, compare, join, of_keys

# Those of LlamaIndex that have another name in documents.py.
OPERATORS = {"text_match": "text", "text_match_insensitive": "itext", "is_empty": "empty"}
WORDS_ALONE = (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE)
MODES = (VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.HYBRID,
         VectorStoreQueryMode.SEMANTIC_HYBRID, *WORDS_ALONE)


def condition(wanted: Optional[MetadataFilters]) -> Condition:
    """Filters on metadata, one inside the other."""
    if wanted is None or not wanted.filters:
        return Condition()
    return join((wanted.condition or "and").upper(), [
        compare(one.key, OPERATORS.get(one.operator.value, one.operator.value), one.value)
        if isinstance(one, MetadataFilter) else condition(one) for one in wanted.filters])


def of_documents(ids: Optional[Sequence[str]]) -> Condition:
    """The nodes of these documents."""
    return of_keys("metadata ->> 'ref_doc_id'", ids)


def node(row: Row) -> BaseNode:
    """A row as LlamaIndex has it."""
    return metadata_dict_to_node(row.metadata, text=row.text)


class SQLiteRerankVectorStore(BasePydanticVectorStore):
    """Nodes in a table of a database, `name`, with an index of them, `name`_index.

    connection: of sqlite3, pysqlite3 or apsw; the extension is loaded if it is not there.
    dimensions: of the vectors of an embed_model; without them the index embeds by its `options`
    (model = '...'; the default is inside the extension), and finds by words, too.
    """

    stores_text: bool = True
    is_embedding_query: bool = True
    flat_metadata: bool = False
    _documents: Documents = PrivateAttr()

    def __init__(self, connection: Any, *, name: str = "llama_index",
                 dimensions: Optional[int] = None, options: str = "") -> None:
        super().__init__(is_embedding_query=dimensions is not None)
        self._documents = Documents(connection, name, dimensions, options)

    @classmethod
    def class_name(cls) -> str:
        return "SQLiteRerankVectorStore"

    @property
    def client(self) -> Any:
        return self._documents.connection

    # ---- writing ---------------------------------------------------------------------------------

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> List[str]:
        keys = [one.node_id for one in nodes]
        self._documents.add(
            keys, [one.get_content(metadata_mode=MetadataMode.NONE) for one in nodes],
            [node_to_metadata_dict(one, remove_text=True) for one in nodes],
            [one.get_embedding() for one in nodes] if self.is_embedding_query else None)
        return keys

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        self._documents.delete(of_documents([ref_doc_id]))

    def delete_nodes(self, node_ids: Optional[List[str]] = None,
                     filters: Optional[MetadataFilters] = None, **delete_kwargs: Any) -> None:
        if node_ids is not None or filters and filters.filters:
            self._documents.delete(join("AND", [of_keys("key", node_ids), condition(filters)]))

    def clear(self) -> None:
        self._documents.delete(Condition())

    # ---- reading ---------------------------------------------------------------------------------

    def get_nodes(self, node_ids: Optional[List[str]] = None,
                  filters: Optional[MetadataFilters] = None) -> List[BaseNode]:
        return [node(row) for row in self._documents.get(
            join("AND", [of_keys("key", node_ids), condition(filters)]))]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nearest nodes. hybrid: alpha is the share of the vectors; text_search and sparse: by
        words alone."""
        mode = VectorStoreQueryMode(query.mode)
        if mode not in MODES:
            raise NotImplementedError(f"a query in mode {mode.value}; expected one of "
                                      f"{', '.join(mode.value for mode in MODES)}")
        asks_words = mode != VectorStoreQueryMode.DEFAULT
        if self.is_embedding_query and asks_words and mode not in WORDS_ALONE:
            raise ValueError(f"{mode.value} asks by one text for words and vectors, which a store "
                             "without dimensions can: it embeds by itself")
        asked = query.query_embedding if self.is_embedding_query and not asks_words \
            else query.query_str
        if asked is None:
            raise ValueError("the query has no " + ("query_embedding" if self.is_embedding_query
                                                    and not asks_words else "query_str"))
        weight = 0.0 if mode in WORDS_ALONE else query.alpha if asks_words else None
        # An empty list asks for nothing here.
        wanted = [of_keys("key", query.node_ids or None), of_documents(query.doc_ids or None),
                  condition(query.filters)]
        wanted = [one for one in wanted if one != Condition()]
        k = asks_words and query.hybrid_top_k or query.similarity_top_k
        rows = self._documents.search(asked, k, join("AND", wanted) if wanted else Condition(),
                                      weight)
        return VectorStoreQueryResult(nodes=[node(row) for row in rows],
                                      similarities=[row.score or 0.0 for row in rows],
                                      ids=[row.key for row in rows])

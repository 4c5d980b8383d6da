"""LangChain's and LlamaIndex's stores over one connection, with the real packages.

Those lie in build/frameworks (tests/tools/install.sh frameworks).
"""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packed  # noqa: E402
from support import ROOT  # noqa: E402

LIBRARIES = os.path.join(ROOT, "build", "frameworks")

# What langchain-tests asks of every vector store, by its vectors and by ours.
CONFORMANCE = """
import sqlite3
import pytest
from langchain_tests.integration_tests.vectorstores import VectorStoreIntegrationTests
from sqlite_rerank.langchain import SQLiteRerank


class TestOfTheirVectors(VectorStoreIntegrationTests):
    @pytest.fixture()
    def vectorstore(self):
        db = sqlite3.connect(":memory:", check_same_thread=False)
        yield SQLiteRerank(db, embedding=self.get_embeddings())
        db.close()


class TestOfOurVectors(VectorStoreIntegrationTests):
    @pytest.fixture()
    def vectorstore(self):
        db = sqlite3.connect(":memory:", check_same_thread=False)
        yield SQLiteRerank(db)
        db.close()
"""

COMMON = """
import sqlite3
TEXTS = ["Bats sleep in caves by day.", "The night train to Vienna leaves at nine.",
         "A masked hero fights crime in a dark city.", "Onions and water make a soup."]
METADATA = [{"kind": "animal", "year": 1999, "tags": ["wing", "dark"]}, {"kind": "train"},
            {"kind": "film", "year": 2005, "tags": []}, {"kind": "it's \\"food\\"", "year": "2005"}]
db = sqlite3.connect(":memory:", check_same_thread=False)

def refused(words, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except Exception as error:
        assert words in str(error), error
    else:
        raise AssertionError(f"not refused: {words}")
"""

LANGCHAIN = COMMON + """
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from sqlite_rerank.langchain import SQLiteRerank, SQLiteReranker

store = SQLiteRerank(db, name="it's notes")
ids = store.add_texts(TEXTS, METADATA, ids=["a", None, "c", "d"])
assert ids[0] == "a" and len(set(ids)) == 4
def found(query="night", **options):
    return {one.id for one in store.similarity_search(query, k=4, **options)}
assert store.similarity_search("bats in caves", k=1)[0].page_content == TEXTS[0]
assert store.similarity_search("bats", k=0) == []
assert found(filter={"kind": "animal"}) == {"a"}
assert found(filter={"kind": "it's \\"food\\""}) == {"d"}
assert found(filter={"year": {"$gte": 1999, "$lt": 2005}}) == {"a"}
assert found(filter={"year": {"$gt": 1}}) == {"a", "c"}
assert found(filter={"year": "2005"}) == {"d"}
assert found(filter={"year": {"$ne": 1999}}) == set(ids[1:])
assert found(filter={"kind": {"$in": ["film", "train"]}}) == {ids[1], "c"}
assert found(filter={"kind": {"$nin": ["film", "train"]}}) == {"a", "d"}
assert found(filter={"tags": {"$contains": "dark"}}) == {"a"}
assert found(filter={"$or": [{"kind": "film"}, {"kind": "animal"}]}) == {"a", "c"}
assert found(filter={"$not": {"kind": "film"}}) == {"a", ids[1], "d"}
assert found(filter={"$and": []}) == set(ids)
for wrong in ({"$nor": []}, [], {"$and": {"kind": "film"}}, {"year": {"$in": None}},
              {"year": {"$in": "1999"}}, {"year": [1999]}, {"year": {"$gt": float("nan")}}):
    refused("expected" if isinstance(wrong, dict) and "$and" not in wrong else "is a dict",
            found, filter=wrong)
refused("no '$near'", found, filter={"kind": {"$near": 1}})
scored = store.similarity_search_with_relevance_scores("bats in caves", k=2)
assert 1 >= scored[0][1] > scored[1][1] >= 0
assert len(store.max_marginal_relevance_search("bats in caves", k=2)) == 2
assert store.max_marginal_relevance_search(" ", k=2) == []

# The reranker keeps what answers best, with its score, and changes no document that it is given.
documents = store.similarity_search("bats", k=4)
best = SQLiteReranker(connection=db, top_n=2).compress_documents(documents, "caves of bats")
assert [one.id for one in best][:1] == ["a"] and len(best) == 2
assert best[0].metadata["relevance_score"] >= best[1].metadata["relevance_score"]
assert "relevance_score" not in documents[0].metadata
assert SQLiteReranker(connection=sqlite3.connect(":memory:")).compress_documents([], "x") == []
refused("no model", SQLiteReranker(connection=db, model="local:no/model").compress_documents,
        documents, "x")

# All or nothing, within the transaction that is open.
refused("NOT NULL", store._documents.add, ["e", None], ["x", "y"], [{}, {}])
assert store.get_by_ids(["e"]) == [] and not db.in_transaction
db.execute("BEGIN")
store.add_texts(["kept for a while"], ids=["e"])
refused("NOT NULL", store._documents.add, ["f", None], ["x", "y"], [{}, {}])
assert db.in_transaction and store.get_by_ids(["e"]) and not store.get_by_ids(["f"])
db.rollback()
assert store.get_by_ids(["e"]) == []
refused("JSON", store.add_texts, ["x"], [{"x": float("nan")}])
refused("f: the text holds a NUL character", store.add_texts, ["x", "bat\\0s"], ids=["e", "f"])
assert store.get_by_ids(["e"]) == []
refused("2 texts came with 1 vectors", store._documents.add, ["e", "f"], ["x", "y"], [{}, {}],
        [[1.0]])
refused("expected one of each", store.add_texts, ["x", "y"], [{}])

# The same collection again, and another one with vectors of other dimensions.
assert found() == {one.id for one in SQLiteRerank(db, name="it's notes").similarity_search("night")}
given = SQLiteRerank(db, name="given", embedding=DeterministicFakeEmbedding(size=8))
given.add_texts(TEXTS, METADATA)
assert given.similarity_search(TEXTS[2], k=1, filter={"kind": "film"})[0].page_content == TEXTS[2]
assert len(given.max_marginal_relevance_search("x", k=3)) == 3
# An index is not opened for vectors or options other than those that it was made with.
refused("made otherwise", SQLiteRerank, db, name="given",
        embedding=DeterministicFakeEmbedding(size=9))
refused("made otherwise", SQLiteRerank, db, name="given")
refused("made otherwise", SQLiteRerank, db, name="it's notes", options="lexical = 'none'")
given.delete()
assert given.similarity_search("x") == []
assert db.execute("SELECT count(*) FROM given_index").fetchone() == (0,)
other = SQLiteRerank.from_texts(TEXTS)
assert other.as_retriever(search_kwargs={"k": 1}).invoke("soup")[0].page_content == TEXTS[3]
refused("a collection needs a name", SQLiteRerank, db, name="")

# Whatever the connection makes of rows, and stores of one connection in several threads.
import threading
dicts = sqlite3.connect(":memory:", check_same_thread=False)
dicts.row_factory = lambda cursor, row: {"column": row}
stores = [SQLiteRerank(dicts, name=name) for name in ("a", "b")]
failed = []
def add(number):
    try:
        for i in range(10):
            stores[number % 2].add_texts([f"{number} {i}", "bats"], ids=[f"{number} {i}", None])
            assert stores[number % 2].similarity_search("bats", k=1)[0].page_content == "bats"
    except Exception as error:
        failed.append(error)
threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed and not dicts.in_transaction, failed
assert [len(one._documents.get()) for one in stores] == [40, 40]
assert SQLiteReranker(connection=dicts).compress_documents(documents, "bats")
"""

LLAMA_INDEX = COMMON + """
from llama_index.core import MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition, FilterOperator, MetadataFilter, MetadataFilters, VectorStoreQuery,
    VectorStoreQueryMode)
from sqlite_rerank.llama_index import SQLiteRerankVectorStore

def nodes(dimensions=None):
    return [TextNode(id_=f"n{i}", text=text, metadata=METADATA[i],
                     embedding=[float(i == j) for j in range(dimensions)] if dimensions else None,
                     relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"d{i // 2}")})
            for i, text in enumerate(TEXTS)]

def one(key, operator, value=None):
    return MetadataFilters(filters=[MetadataFilter(key=key, operator=operator, value=value)])

store = SQLiteRerankVectorStore(db)
assert store.add(nodes()) == ["n0", "n1", "n2", "n3"]
def found(filters=None, query="night", k=4, **options):
    return set(store.query(VectorStoreQuery(query_str=query, similarity_top_k=k, filters=filters,
                                            **options)).ids)
answer = store.query(VectorStoreQuery(query_str="bats in caves", similarity_top_k=1))
assert answer.ids == ["n0"] and answer.similarities[0] > 0
assert answer.nodes[0].text == TEXTS[0] and answer.nodes[0].metadata == METADATA[0]
assert answer.nodes[0].ref_doc_id == "d0"
O = FilterOperator
for operator, key, value, expected in (
        (O.EQ, "kind", "film", "2"), (O.NE, "kind", "film", "013"), (O.GT, "year", 1999, "2"),
        (O.GTE, "year", 1999, "02"), (O.LT, "year", 2005, "0"), (O.LTE, "year", 2005, "02"),
        (O.IN, "kind", ["film", "train"], "12"), (O.NIN, "kind", ["film", "train"], "03"),
        (O.CONTAINS, "tags", "wing", "0"), (O.ANY, "tags", ["wing", "x"], "0"),
        (O.ALL, "tags", ["wing", "dark"], "0"), (O.ALL, "tags", ["wing", "x"], ""),
        (O.TEXT_MATCH, "kind", "rai", "1"), (O.TEXT_MATCH, "kind", "RAI", ""),
        (O.TEXT_MATCH_INSENSITIVE, "kind", "RAI", "1"), (O.IS_EMPTY, "tags", None, "123")):
    assert found(one(key, operator, value)) == {"n" + i for i in expected}, (operator, value)
both = [one("kind", O.EQ, "film"), one("kind", O.EQ, "train")]
assert found(MetadataFilters(filters=both, condition=FilterCondition.OR)) == {"n1", "n2"}
assert found(MetadataFilters(filters=both, condition=FilterCondition.AND)) == set()
assert found(MetadataFilters(filters=both, condition=FilterCondition.NOT)) == {"n0", "n3"}
assert found(doc_ids=["d1"]) == {"n2", "n3"} and found(node_ids=["n3"]) == {"n3"}

mode = VectorStoreQueryMode
assert found(query="soup", mode=mode.TEXT_SEARCH) == {"n3"}
assert found(query="soup", mode=mode.HYBRID, alpha=0.5, hybrid_top_k=2) >= {"n3"}
refused("mode svm", found, mode=mode.SVM)
refused("mode mmr", found, mode="mmr")
refused("no query_str", found, query=None)

assert [node.node_id for node in store.get_nodes(["n1", "n2"])] == ["n1", "n2"]
assert [node.node_id for node in store.get_nodes(filters=one("kind", O.EQ, "film"))] == ["n2"]
store.delete("d0")
assert found() == {"n2", "n3"}
store.delete_nodes()
store.delete_nodes(filters=MetadataFilters(filters=[]))
assert found() == {"n2", "n3"}
store.delete_nodes(["n2"])
assert found() == {"n3"}
store.clear()
assert store.get_nodes() == []

given = SQLiteRerankVectorStore(db, name="given", dimensions=4)
given.add(nodes(4))
asked = VectorStoreQuery(query_embedding=[0., 0., 1., 0.], similarity_top_k=1)
assert given.query(asked).ids == ["n2"]
refused("no words", given.query, VectorStoreQuery(query_str="soup", mode=mode.TEXT_SEARCH))

refused("embeds by itself", given.query, VectorStoreQuery(query_str="soup", mode=mode.HYBRID))
refused("dimensions is 0", SQLiteRerankVectorStore, db, name="none", dimensions=0)
refused("made otherwise", SQLiteRerankVectorStore, db, name="given", dimensions=5)

index = VectorStoreIndex(nodes(), embed_model=MockEmbedding(1),
                         storage_context=StorageContext.from_defaults(vector_store=store))
assert index.as_retriever(similarity_top_k=1).retrieve("soup of onions")[0].node_id == "n3"
index.delete_ref_doc("d1")
assert {one.node_id for one in index.as_retriever().retrieve("soup of onions")} == {"n0", "n1"}
"""

APSW = """
import apsw
from sqlite_rerank.langchain import SQLiteRerank
store = SQLiteRerank(apsw.Connection(":memory:"))
store.add_texts(["bats in caves", "trains at night"])
assert store.similarity_search("caves", k=1)[0].page_content == "bats in caves"
"""


class FrameworksTest(packed.WheelTest):
    def setUp(self):
        if not packed.installed("langchain_core", "langchain_tests", "llama_index",
                                folder=LIBRARIES):
            self.skipTest("build/frameworks is not there (tests/tools/install.sh frameworks)")

    def python(self, *arguments):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(
            (self.wheel, LIBRARIES, packed.LIBRARIES))}
        made = subprocess.run([sys.executable, "-B", *arguments], cwd=self.wheel, check=False,
                              env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=300)
        self.assertEqual(made.returncode, 0, made.stdout[-4000:])
        return made.stdout

    def test_langchain_conformance(self):
        path = os.path.join(self.wheel, "conformance.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFORMANCE)
        said = self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-o",
                           "asyncio_mode=auto", path)
        self.assertRegex(said, re.compile(r"^50 passed in [\d.]+s", re.MULTILINE))

    def test_langchain(self):
        self.python("-c", LANGCHAIN)

    def test_llama_index(self):
        self.python("-c", LLAMA_INDEX)

    def test_a_connection_of_apsw(self):
        if not packed.installed("apsw"):
            self.skipTest("build/command has no apsw")
        self.python("-c", APSW)


if __name__ == "__main__":
    unittest.main()

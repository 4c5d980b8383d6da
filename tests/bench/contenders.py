"""contenders.py: who takes part in index_bench: how each stores vectors, and the SQL of its search.

A store is a database file that is built once for the contenders that search it (those of libSQL are
built by libsql_child.js); a contender is a line of the table. Statements have {d} for the
dimensions and {path} for the store's file. In queries ?1 is the vector, a BLOB of float32, and the
answer begins with the rowid.
"""
import dataclasses

K = 25
OVERSAMPLED = 8 * K     # sqlite-vec's documentation on binary quantisation: limit 20 * 8
HNSW_ROWS = 20000       # what a contender that builds some 700 rows a second is given


@dataclasses.dataclass(frozen=True)
class Store:
    create: tuple
    insert: str                  # ?1 the rowid, ?2 the vector
    libraries: tuple = ()
    finish: tuple = ()           # statements after the rows are committed


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    label: str
    group: str                   # compared with the contender OURS[group]
    kind: str = "sql"            # sql, libsql, numpy or read
    store: str = ""
    libraries: tuple = ()
    prepare: tuple = ()          # statements of a fresh connection, counted with its first query
    query: str = ""
    many: bool = False           # all queries in one call, which answers with (key, rowid)
    most_rows: int = 0           # with more rows it does not take part
    built_rows: int = 0          # with more rows it is given this many
    threads: int = 0             # of numpy
    bits: int = 0                # of a component that is read

    def takes_part(self, rows):
        return not self.most_rows or rows <= self.most_rows

    def rows_built(self, rows):
        return min(rows, self.built_rows) if self.built_rows else rows


TABLE = "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)"
INSERT = "INSERT INTO t(id, v) VALUES (?1, ?2)"
VECTOR_INIT = "SELECT vector_init('t', 'v', 'dimension={d},type=FLOAT32,distance=COSINE')"
VEC_INT8, VEC_BIT = "vec_quantize_int8({}, 'unit')", "vec_quantize_binary({})"


def ours_store(options):
    return Store((f"CREATE VIRTUAL TABLE ix USING semantic_index({options}, dimensions={{d}})",),
                 "INSERT INTO ix(rowid, embedding) VALUES (?1, ?2)", ("rerank",))


def vec0_store(metric):
    return Store((f"CREATE VIRTUAL TABLE ix USING vec0(v float[{{d}}] distance_metric={metric})",),
                 "INSERT INTO ix(rowid, v) VALUES (?1, ?2)", ("sqlite-vec",))


def vec0_codes_store(column, code):
    """Codes in vec0, vectors in a table: rescoring from a second column of vec0 takes twice as
    long."""
    return Store((TABLE, f"CREATE VIRTUAL TABLE ix USING vec0({column})"), INSERT, ("sqlite-vec",),
                 (f"INSERT INTO ix(rowid, c) SELECT id, {code.format('v')} FROM t",))


def sqlite_vector_store(library):
    return Store((TABLE,), INSERT, (library,), (VECTOR_INIT, "SELECT vector_quantize('t', 'v')"))


STORES = {
    "ours-cosine": ours_store("metric='cosine'"),
    "ours-l2": ours_store("metric='l2'"),
    "ours-int8": ours_store("metric='cosine', quantize='int8'"),
    "ours-bit": ours_store("metric='cosine', quantize='bit'"),
    "ours-partitions": ours_store("metric='cosine', quantize='bit', partitions='auto'"),
    "sqlite-vec-cosine": vec0_store("cosine"),
    "sqlite-vec-l2": vec0_store("l2"),
    "sqlite-vec-int8": vec0_codes_store("c int8[{d}] distance_metric=cosine", VEC_INT8),
    "sqlite-vec-bit": vec0_codes_store("c bit[{d}]", VEC_BIT),
    "table": Store((TABLE,), INSERT),
    "sqlite-vector": sqlite_vector_store("sqlite-vector"),
    "sqlite-vector-new": sqlite_vector_store("sqlite-vector-new"),
    "vectorlite": Store(("CREATE VIRTUAL TABLE ix USING vectorlite(v float32[{d}] cosine, "
                         f"hnsw(max_elements={HNSW_ROWS}), '{{path}}.hnsw')",),
                        "INSERT INTO ix(rowid, v) VALUES (?1, ?2)", ("vectorlite",)),
}

OURS = {"exact": "ours-cosine", "l2": "ours-l2", "int8": "ours-int8", "bit": "ours-bit",
        "partitions": "ours-partitions", "plain": "plain-ours"}


def ours(name, label, group):
    return Contender(name, label, group, store=name, libraries=("rerank",),
                     query=f"SELECT rowid, similarity FROM ix(?1, {K})")


def ours_many(name, label, group, store):
    return Contender(name, label, group, store=store, libraries=("rerank",), many=True,
                     query=f"SELECT key, id FROM semantic_search_each('ix', ?1, {K})")


def vec0(name, label, group):
    return Contender(name, label, group, store=name, libraries=("sqlite-vec",),
                     query=f"SELECT rowid FROM ix WHERE v MATCH ?1 AND k = {K}")


def vec0_rescored(name, label, group, code):
    return Contender(
        name, label, group, store=name, libraries=("sqlite-vec",),
        query=f"SELECT t.id FROM ix JOIN t ON t.id = ix.rowid WHERE ix.c MATCH {code.format('?1')} "
              f"AND ix.k = {OVERSAMPLED} ORDER BY vec_distance_cosine(t.v, ?1) LIMIT {K}")


def sqlite_vector(library, title):
    """Full scan, codes from the file, codes in memory, and those ranked again by sqlite-vec's
    distance."""
    preload = (VECTOR_INIT, "SELECT vector_quantize_preload('t', 'v')")
    codes = f"SELECT rowid FROM vector_quantize_scan('t', 'v', ?1, {K})"
    rescored = (f"SELECT t.id FROM vector_quantize_scan('t', 'v', ?1, {4 * K}) AS c JOIN t ON t.id "
                f"= c.rowid "
                f"ORDER BY vec_distance_cosine(t.v, ?1) LIMIT {K}")
    return [
        Contender(f"{library}-full", f"{title} full scan", "exact", store="table",
                  libraries=(library,), prepare=(VECTOR_INIT,),
                  query=codes.replace("quantize", "full")),
        Contender(f"{library}-quantised", f"{title} quantised", "int8", store=library,
                  libraries=(library,), prepare=(VECTOR_INIT,), query=codes),
        Contender(f"{library}-preload", f"{title} preloaded", "int8", store=library,
                  libraries=(library,), prepare=preload, query=codes),
        Contender(f"{library}-rescore", f"{title} preloaded + rescore", "int8", store=library,
                  libraries=(library, "sqlite-vec"), prepare=preload, query=rescored),
    ]


def plain(name, label, library, order):
    return Contender(name, label, "plain", store="table", libraries=(library,), most_rows=100000,
                     query=f"SELECT id FROM t ORDER BY {order} LIMIT {K}")


CONTENDERS = [
    ours("ours-cosine", "ours, cosine", "exact"),
    ours_many("ours-many", "ours, cosine, all queries in one call", "exact", "ours-cosine"),
    ours("ours-l2", "ours, l2", "l2"),
    ours("ours-int8", "ours, int8", "int8"),
    ours("ours-bit", "ours, bit", "bit"),
    ours_many("ours-many-bit", "ours, bit, all queries in one call", "bit", "ours-bit"),
    ours("ours-partitions", "ours, bit, partitions", "partitions"),
    vec0("sqlite-vec-cosine", "sqlite-vec cosine", "exact"),
    vec0("sqlite-vec-l2", "sqlite-vec l2", "l2"),
    vec0_rescored("sqlite-vec-int8", "sqlite-vec int8 + rescore", "int8", VEC_INT8),
    vec0_rescored("sqlite-vec-bit", "sqlite-vec bit + rescore", "bit", VEC_BIT),
    *sqlite_vector("sqlite-vector", "sqlite-vector"),
    *sqlite_vector("sqlite-vector-new", "sqlite-vector newest"),
    Contender("vectorlite", "vectorlite HNSW, ef 100", "partitions", store="vectorlite",
              libraries=("vectorlite",), built_rows=HNSW_ROWS,
              query=f"SELECT rowid FROM ix WHERE knn_search(v, knn_param(?1, {K}, 100))"),
    Contender("libsql-scan", "libSQL scan", "exact", "libsql", "libsql-scan", most_rows=100000,
              query=f"SELECT id FROM t ORDER BY vector_distance_cos(v, ?1) LIMIT {K}"),
    Contender("libsql-diskann", "libSQL DiskANN", "partitions", "libsql", "libsql-diskann",
              most_rows=10000, query=f"SELECT id FROM vector_top_k('ix', ?1, {K})"),
    Contender("numpy-1", "numpy argpartition, one thread", "exact", "numpy", threads=1),
    Contender("numpy-2", "numpy argpartition, two threads", "exact", "numpy", threads=2),
    Contender("read-float32", "the float32 bytes read, two threads", "exact", "read", bits=32),
    Contender("read-int8", "the int8 bytes read, two threads", "int8", "read", bits=8),
    Contender("read-bit", "the bit bytes read, two threads", "bit", "read", bits=1),
    plain("plain-ours", "ours, plain table, cosine_sim", "rerank", "cosine_sim(v, ?1) DESC"),
    plain("plain-sqlite-vec", "sqlite-vec, plain table", "sqlite-vec",
          "vec_distance_cosine(v, ?1)"),
]

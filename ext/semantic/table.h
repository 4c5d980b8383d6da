/*
 * table.h: one connected semantic_index, as its files share it.
 *
 *   semantic_config    the options              semantic_pending   rows written, not embedded yet
 *   semantic_store     the shadow tables        semantic_write     xUpdate, transactions
 *   semantic_blocks    writing blocks of rows   semantic_command   'sync', 'rebuild', ...
 *   semantic_parts     partitions               semantic_sync      bringing the index in step
 *   semantic_reader    reading, with a cache    semantic_progress  the table function of that name
 *   semantic_content   the content table        semantic_cursor    xFilter ... xColumn
 *   semantic_embed     the index's model        semantic_plan      xBestIndex
 *   semantic_module    create, connect, destroy, registration
 *
 * On disk, for an index named X (all are ours alone; read as hostile input):
 *   X_config(key TEXT PRIMARY KEY, value) WITHOUT ROWID
 *       'format' (2), 'model', 'identity' (provider:model that it stands for), 'reranker',
 *       'dimensions' (0: none yet), 'metric', 'quantize',
 *       'columns' (JSON [[name, affinity], ...]), 'fit' (id of the fitted model; 0: none),
 *       'generation' (a random number, another after each write of rows),
 *       'partitions' (the generation that last changed X_partitions; 0: there are none)
 *   X_rows(id INTEGER PRIMARY KEY, hash INTEGER, own INTEGER, block INTEGER)
 *       hash: XXH64 of the row's text; own: 1 if the user gave the vector; block: where it lies
 *   X_blocks(block INTEGER PRIMARY KEY, partition, n, room, version, UNIQUE(partition, room, block))
 *       n rows are in the block and room more have place; version: the generation that wrote it
 *   X_data(block INTEGER PRIMARY KEY, bytes BLOB)     see index/block.h
 *   X_vectors(id INTEGER PRIMARY KEY, vector BLOB)    with quantize: 4 * dimensions
 *   X_partitions(partition INTEGER PRIMARY KEY, centroid BLOB)    in code space: 4 * dimensions
 *   X_text(id INTEGER PRIMARY KEY, text TEXT)         without content
 *   X_model(id INTEGER PRIMARY KEY, bytes BLOB)       the fitted model, cut in pieces
 *
 * What is scanned lies in blocks: SQLite reads a blob of 256 KiB for a quarter of what 170 rows of
 * 1.5 KB cost. What is fetched row by row, the vectors behind codes, lies in rows: a blob's end can
 * only be reached through all of its pages. The list of blocks is a table of its own, so that a
 * reader learns in one short scan what changed.
 *
 * A row whose text is empty is not in X_rows: there is nothing to embed.
 */
#ifndef SEMANTIC_TABLE_H
#define SEMANTIC_TABLE_H

#include "index/snapshot.h"
#include "sqlite/connection.h"
#include "semantic/config.h"

/* Columns of the virtual table. The hidden ones come first: sqlite3_index_info.colUsed has one bit
 * for all columns from 63 on. The column with the table's own name takes MATCH and commands. */
enum semantic_column_number {
    COLUMN_QUERY,
    COLUMN_K,
    COLUMN_SIMILARITY,
    COLUMN_DISTANCE,
    COLUMN_RELEVANCE,
    COLUMN_RANK,
    COLUMN_EMBEDDING,
    COLUMN_TABLE,
    COLUMN_CONTENT /* the first content column */
};

/* What X_config says now. Read anew for each search and each write: another connection may have
 * changed it. */
struct semantic_state {
    size_t dimensions;  /* 0: no vector yet */
    int64_t fit;        /* 0: the model has not been fitted */
    int64_t generation; /* of all rows; 0: none was written */
    int64_t partitions; /* of the partitions; 0: there are none */
    char model[256];    /* the full name of the model that made the vectors */
    char identity[300]; /* the "provider:model" that it stood for; "": not known */
};

/* Statements that a table keeps prepared. */
enum semantic_statement {
    STATEMENT_STATE,
    STATEMENT_SET_STATE,
    STATEMENT_PUT_ROW,
    STATEMENT_GET_ROW,
    STATEMENT_MOVE_ROW,
    STATEMENT_DELETE_ROW,
    STATEMENT_PUT_VECTOR,
    STATEMENT_GET_VECTOR,
    STATEMENT_DELETE_VECTOR,
    STATEMENT_GET_BLOCK,
    STATEMENT_BLOCK_WITH_ROOM,
    STATEMENT_LAST_CAPACITY,
    STATEMENT_LAST_BLOCK,
    STATEMENT_PUT_BLOCK,
    STATEMENT_DELETE_BLOCK,
    STATEMENT_PUT_DATA,
    STATEMENT_GET_DATA,
    STATEMENT_DELETE_DATA,
    STATEMENT_PART_SIZE,
    STATEMENT_PUT_PARTITION,
    STATEMENT_PUT_TEXT,
    STATEMENT_GET_TEXT,
    STATEMENT_DELETE_TEXT,
    STATEMENT_CONTENT_TEXT,
    STATEMENT_LAST_ID,
    N_STATEMENTS
};

/* A row written in this transaction. */
enum pending_kind {
    PENDING_TEXT,
    PENDING_VECTOR,
    PENDING_DELETE,
    PENDING_FORGET /* deleted, but for its text */
};

struct pending_row {
    enum pending_kind kind;
    int64_t id;
    uint64_t hash;
    char *text; /* owned; PENDING_TEXT: what to embed; without content also with PENDING_VECTOR, or
                   NULL */
    size_t text_size;
    float *vector; /* owned; [dimensions]; NULL until embedded */
    size_t dimensions;
    int64_t fit; /* the fit that made the vector of a PENDING_TEXT */
};

/* Where the buffer stood when a savepoint began. */
struct pending_mark {
    size_t n_rows, n_flushed;
};

/* One for all connections of one index that live in a transaction: a change of the schema makes
 * SQLite connect the table anew, and the old one stays until the transaction ends. */
struct semantic_pending {
    int references;
    struct pending_row *rows; /* [n_rows]; the first n_flushed of them are in the shadow tables */
    size_t n_rows, n_flushed, capacity;
    size_t n_bytes; /* texts and vectors of the rows not flushed */
    struct pending_mark *marks;
    size_t n_marks, marks_capacity;
    int explicit_transaction; /* the rows were written between BEGIN and COMMIT */
    int torn;                 /* a write of the shadow tables has begun and not ended */
    size_t torn_marks;        /* the savepoints that were there when it began */
};

struct semantic_registry;
struct semantic_sync;

struct semantic_table {
    sqlite3_vtab base; /* first: SQLite's view of us */
    struct semantic_registry *registry;
    struct connection *connection;
    struct semantic_table *next, **previous; /* in the registry */
    sqlite3 *db;
    char *schema, *name; /* owned */
    struct semantic_config config;
    struct semantic_column *columns;
    size_t n_columns;
    char *reranker_name; /* as stored; owned */
    struct error broken; /* set when X_config cannot be read: every use but DROP reports it */
    sqlite3_stmt *statements[N_STATEMENTS];
    struct model *fitted; /* the model of X_model with id fitted_id; NULL: not loaded */
    int64_t fitted_id;
    int reading_content;                 /* a statement on the content is being stepped */
    struct index_cache *cache;           /* shared with other connections; NULL: not open yet */
    struct index_partitions *partitions; /* as last read or written; a reference; may be NULL */
    struct semantic_pending *pending;    /* one reference of it */
};

#endif

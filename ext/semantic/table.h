/*
 * table.h: one connected semantic_index, as its files share it.
 *
 *   module       create, connect, destroy       content        the texts, from the content table
 *   config       the options                    embedder       the index's models
 *   columns      the columns that it shows      retrieve       from queries to ranked rows
 *   plan         xBestIndex                     request        the arguments of a search
 *   cursor       xFilter ... xColumn            sync           bringing the index in step
 *   update       xUpdate, transactions          sync_function  semantic_sync
 *   pending      rows that wait                 estimate       semantic_estimate
 *   flush        writing them                   search_each    semantic_search_each
 *   command      'sync', 'rebuild', ...         recall         semantic_recall
 *   registry     the tables connected now       failures       semantic_failures
 *   progress     what syncs are doing           status         semantic_status
 *   embedded     rows embedded elsewhere        pending_function  semantic_pending
 *   semantic     what is registered
 *
 * The shadow tables are store/'s.
 */
#ifndef SEMANTIC_TABLE_H
#define SEMANTIC_TABLE_H

#include "semantic/config.h"
#include "sqlite/connection.h"
#include "store/store.h"

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

/* A row written in this transaction. */
enum pending_kind {
    PENDING_TEXT,
    PENDING_VECTOR,
    PENDING_BLANK, /* without content: a text with nothing to embed, which is kept */
    PENDING_DELETE
};

struct pending_row {
    enum pending_kind kind;
    int64_t id;
    uint64_t hash;
    char
        *text; /* owned; PENDING_TEXT: what to embed; without content also of the others, or NULL */
    size_t text_size;
    char *refused; /* owned; of PENDING_TEXT, why that text cannot be embedded; NULL: not known to
                      be so. Without a text it was not even one */
    float *vector; /* owned; [dimensions]; NULL until embedded */
    size_t dimensions;
    int64_t fit; /* the fit that made the vector of a PENDING_TEXT, or refused its text */
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
    struct store_write write; /* of the shadow tables */
};

struct semantic_registry;
struct semantic_sync;

struct semantic_table {
    sqlite3_vtab base; /* first: SQLite's view of us */
    struct semantic_registry *registry;
    struct connection *connection;
    struct semantic_table *next, **previous; /* in the registry */
    struct store store; /* the shadow tables; with the index's db, schema and name */
    struct semantic_config config;
    struct semantic_column *columns;
    size_t n_columns;
    char *reranker_name;  /* as stored; owned */
    struct error broken;  /* set when X_config cannot be read: every use but DROP reports it */
    struct model *fitted; /* the model of X_model with id fitted_id; NULL: not loaded */
    int64_t fitted_id;
    sqlite3_stmt *content_text;       /* see content_text(); NULL: not prepared */
    int reading_content;              /* a statement on the content is being stepped */
    struct semantic_pending *pending; /* one reference of it */
};

#endif

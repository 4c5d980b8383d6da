/*
 * store.h: the shadow tables of a semantic_index, and nothing of what they mean.
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
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/span.h"
#include "index/snapshot.h"
#include "sqlite/connection.h"
#include "sqlite/statement.h"

/* What X_config says now. Read anew for each search and each write: another connection may have
 * changed it. */
struct store_state {
    size_t dimensions;  /* 0: no vector yet */
    int64_t fit;        /* 0: the model has not been fitted */
    int64_t generation; /* of all rows; 0: none was written */
    int64_t partitions; /* of the partitions; 0: there are none */
    char model[256];    /* the full name of the model that made the vectors */
    char identity[300]; /* the "provider:model" that it stood for; "": not known */
};

/* Statements that are kept prepared. */
enum store_statement {
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
    STATEMENT_DELETE_TEXT,
    STATEMENT_LAST_ID,
    N_STATEMENTS
};

/* What CREATE VIRTUAL TABLE says of how rows are kept. */
struct store_options {
    enum index_metric metric;
    enum index_quantize quantize;
    size_t partitions; /* 0: a search looks at all rows; STORE_AUTO */
    int keeps_texts;   /* there is no content table: texts are here */
};

#define STORE_FORMAT 2
#define STORE_AUTO SIZE_MAX

/* How far the writes of a transaction are, see write.h. One for all struct store of an index that
 * live in it. */
struct store_write {
    enum { STORE_IDLE, STORE_WRITING, STORE_TORN } step;
    size_t n_savepoints; /* open now */
    size_t begun_at;     /* n_savepoints when the last write began */
};

struct store {
    struct connection *connection; /* borrowed, with its settings and its cancel token */
    sqlite3 *db;
    char *schema, *name; /* of the index; owned */
    struct store_options options;
    struct store_write *write; /* borrowed */
    sqlite3_stmt *statements[N_STATEMENTS];
    struct index_cache *cache;           /* shared with other connections; NULL: not open yet */
    struct index_partitions *partitions; /* as last read or written; a reference; may be NULL */
};

/* The shadow tables of that index; the options come later. deinit also after a failure. */
int store_init(struct store *store, struct connection *connection, const char *schema,
               const char *name, struct store_write *write, struct error *err);
void store_deinit(struct store *store);

/* Whether rows lie in partitions: those that a search may leave out, those that make bits precise,
 * or the only one of int8, whose centre they are counted from. */
int store_is_partitioned(const struct store *store);

/* The kept statement, prepared at first use, reset and ready to be bound. */
int store_statement(struct store *store, enum store_statement which, sqlite3_stmt **statement,
                    struct error *err);
void store_finalize(struct store *store);

/* What may change under us; and its change. */
int store_read_state(struct store *store, struct store_state *state, struct error *err);
int store_set(struct store *store, const char *key, int64_t value, struct error *err);
int store_set_text(struct store *store, const char *key, const char *value, struct error *err);

/* ERROR_CORRUPT: what is wrong with X_config. */
int store_corrupt_config(const struct store *store, const char *what, struct error *err);

/* Steps a kept statement that gives no rows; the bindings are dropped, as they may point to what the
 * caller frees. */
int store_run(struct store *store, sqlite3_stmt *statement, struct error *err);

/* Runs a kept statement whose only parameter is a number. */
int store_delete_with(struct store *store, enum store_statement which, int64_t number,
                      struct error *err);

/* What X_rows says of a row. */
struct store_row {
    uint64_t hash;
    int own; /* the vector is the user's */
    int64_t block;
};
int store_get_row(struct store *store, int64_t id, struct store_row *row, int *found,
                  struct error *err);

/* What is to become of a row. */
enum store_change_kind {
    STORE_PUT,
    STORE_DELETE,
    STORE_FORGET /* deleted, but for its text */
};
struct store_change {
    enum store_change_kind kind;
    int64_t id;
    /* of STORE_PUT; borrowed */
    uint64_t hash;
    int own;          /* the vector is the user's */
    const char *text; /* where texts are kept; NULL: none */
    size_t text_size;
    const float *vector; /* [dimensions] */
    size_t dimensions;
};

/* Writes or replaces a row that lies in that block: X_rows, its vector (with quantize) and (without
 * content) its text; and deletes one, all but its place in the block. */
int store_put(struct store *store, const struct store_change *row, int64_t block,
              struct error *err);
int store_delete(struct store *store, const struct store_change *row, struct error *err);

/* Empties all tables of rows, but keeps the texts; is there any row, or (own 1) any whose vector the
 * user gave? */
int store_delete_all(struct store *store, struct error *err);
int store_any_row(struct store *store, int own, int *any, struct error *err);

/* The largest id in use, 0 if there is none. */
int store_last_id(struct store *store, int64_t *id, struct error *err);

/* The fitted model: its bytes out (buffer initialised by the caller) and in. */
int store_read_model(struct store *store, struct buffer *bytes, struct error *err);
int store_write_model(struct store *store, struct span bytes, struct error *err);

#endif

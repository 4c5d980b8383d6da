/*
 * statements.h: the SQL of enum store_question and enum store_query, the statements that are kept
 * beside them, and how any SQL on shadow tables is run. For the files of this room.
 */
#ifndef STORE_STATEMENTS_H
#define STORE_STATEMENTS_H

#include "store/store.h"

/* The shadow tables in SQL, whose schema and name sqlite3_mprintf puts in: three at most. */
#define X_CONFIG "\"%w\".\"%w_config\""
#define X_ROWS "\"%w\".\"%w_rows\""
#define X_BLOCKS "\"%w\".\"%w_blocks\""
#define X_DATA "\"%w\".\"%w_data\""
#define X_VECTORS "\"%w\".\"%w_vectors\""
#define X_WAITING "\"%w\".\"%w_waiting\""
#define X_PARTITIONS "\"%w\".\"%w_partitions\""
#define X_TEXT "\"%w\".\"%w_text\""
#define X_MODEL "\"%w\".\"%w_model\""
#define X_FAILURES "\"%w\".\"%w_failures\""
#define X_FTS "\"%w\".\"%w_fts\""
#define X_FTS_DOCSIZE "\"%w\".\"%w_fts_docsize\""
#define X_FTS_CONFIG "\"%w\".\"%w_fts_config\""
#define X_FTS_IDX "\"%w\".\"%w_fts_idx\""
#define X_FTS_DATA "\"%w\".\"%w_fts_data\""
#define X_DOCS "\"%w\".\"%w_docs\""
#define X_WORDLESS "\"%w\".\"%w_wordless\""

/* Statements that are kept beside those of enum store_question. */
enum store_kept {
    KEPT_STATE = STORE_N_QUESTIONS,
    KEPT_SET,
    KEPT_SLOTS,
    KEPT_GET_SLOT,
    KEPT_MAKE_SLOT,
    KEPT_PUT_SLOT,
    KEPT_PUT_ROW,
    KEPT_GET_ROW,
    KEPT_MOVE_ROW,
    KEPT_DELETE_ROW,
    KEPT_PUT_TEXT,
    KEPT_DELETE_TEXT,
    KEPT_PUT_RUN,
    KEPT_CHANGE_RUN,
    KEPT_GET_RUN, /* the only one that id ?1 may be in */
    KEPT_DELETE_RUN,
    KEPT_VECTORS_FROM,
    KEPT_RUNS, /* all from id ?1 on */
    KEPT_ADD_BLOCK,
    KEPT_CHANGE_BLOCK,
    KEPT_GET_BLOCK,
    KEPT_BLOCK_OF_ROW,
    KEPT_BLOCKS_OF_PARTITION,
    KEPT_DELETE_BLOCK,
    KEPT_PUT_DATA,
    KEPT_GET_DATA,
    KEPT_DELETE_DATA,
    KEPT_PUT_CENTROID,
    KEPT_PUT_FAILURE,
    KEPT_GET_FAILURE,
    KEPT_DELETE_FAILURE,
    KEPT_GET_HISTORY,
    KEPT_WORDS_ROW, /* of what FTS5 keeps, as the next */
    KEPT_WORDS_ROWS,
    KEPT_WORDS_PLACE,
    KEPT_WORDS_LENGTH,
    KEPT_WORDS_LENGTHS,
    KEPT_WORDS_RANGE,
    KEPT_REST_WORDS,
    KEPT_PUT_WORDS, /* the first of words, see words_prepare() */
    KEPT_HAS_DOCUMENT,
    KEPT_FIRST_DOCUMENT,
    KEPT_DOCUMENT_OF,
    KEPT_PUT_DOCUMENT,
    KEPT_BURY_DOCUMENT,
    KEPT_PUT_WORDLESS,
    KEPT_DELETE_WORDLESS,
    N_KEPT
};
/* Prepares SQL of shadow tables' names; the caller finalizes. */
int store_prepare(struct store *store, const char *sql, unsigned flags, sqlite3_stmt **statement,
                  struct error *err);

/* A kept statement (of enum store_kept or store_question), prepared at first use, reset and ready
 * to be bound. */
int store_keep(struct store *store, size_t which, sqlite3_stmt **statement, struct error *err);

/* Steps a kept statement that writes; the bindings are dropped, as they may point to what the
 * caller frees. */
int store_run(struct store *store, sqlite3_stmt *statement, struct error *err);

/* Runs a kept statement whose only parameter is a number; whose parameters are that and bytes. */
int store_run_with(struct store *store, enum store_kept which, int64_t number, struct error *err);
int store_run_with_bytes(struct store *store, enum store_kept which, int64_t number,
                         const void *bytes, size_t size, struct error *err);

/* Runs SQL that writes once. */
int store_execute(struct store *store, const char *sql, struct error *err);

/* Looks for the row of that number; if it is found, the caller resets the statement. */
int store_look_up(struct store *store, size_t which, int64_t number, sqlite3_stmt **statement,
                  int *found, struct error *err);

#endif

/*
 * semantic_store.h: the shadow tables of a semantic_index, and nothing of what they mean. All SQL
 * on them is here.
 */
#ifndef SQLITE_SEMANTIC_STORE_H
#define SQLITE_SEMANTIC_STORE_H

#include "sqlite/semantic_table.h"

/* Runs formatted SQL (sqlite3_mprintf style, %w for names) to its end. */
int store_execute(sqlite3 *db, struct error *err, const char *format, ...);

/* Prepares formatted SQL; the caller finalizes. */
int store_prepare(sqlite3 *db, sqlite3_stmt **statement, struct error *err, const char *format,
                  ...);

/* The table's kept statement, prepared at first use, reset and ready to be bound. */
int store_statement(struct semantic_table *table, enum semantic_statement which,
                    sqlite3_stmt **statement, struct error *err);
void store_finalize(struct semantic_table *table);

/* sqlite3_step with the outcome as an error of ours: *row says whether there is a row. Not a row:
 * the statement is reset. */
int store_step(sqlite3 *db, sqlite3_stmt *statement, int *row, struct error *err);

/* True for the end of a shadow table's name. */
int store_is_shadow(const char *suffix);

/* CREATE, DROP and RENAME of all shadow tables. */
int store_create(struct semantic_table *table, const char *model_name, struct error *err);
int store_drop(struct semantic_table *table, struct error *err);
int store_rename(struct semantic_table *table, const char *name, struct error *err);

/* X_config at connection time: format, reranker, columns; checked against the options. */
int store_read_config(struct semantic_table *table, struct error *err);

/* What may change under us; and its change. */
int store_read_state(struct semantic_table *table, struct semantic_state *state, struct error *err);
int store_set(struct semantic_table *table, const char *key, int64_t value, struct error *err);
int store_set_text(struct semantic_table *table, const char *key, const char *value,
                   struct error *err);

/* A new generation: first thing in every write of vectors or codes, see semantic_reader.h. */
int store_touch(struct semantic_table *table, struct error *err);

/* Writes or replaces a row: vector, code, and (without content) text. text NULL keeps the text that
 * is there. */
int store_put(struct semantic_table *table, const struct pending_row *row, struct error *err);
int store_delete(struct semantic_table *table, int64_t id, struct error *err);

/* Deletes all vectors that a model made; is there any (other) one? */
int store_delete_all_vectors(struct semantic_table *table, struct error *err);
int store_any_vector(struct semantic_table *table, int *any, struct error *err);

/* *found, the stored hash and whether the vector is the user's own. */
int store_get_hash(struct semantic_table *table, int64_t id, int *found, uint64_t *hash, int *own,
                   struct error *err);

/* The largest id in use, 0 if there is none. */
int store_last_id(struct semantic_table *table, int64_t *id, struct error *err);

/* The fitted model: its bytes out (buffer initialised by the caller) and in. */
int store_read_model(struct semantic_table *table, struct buffer *bytes, struct error *err);
int store_write_model(struct semantic_table *table, struct span bytes, struct error *err);

/* Codes written anew from the vectors. */
int store_rebuild_codes(struct semantic_table *table, size_t dimensions, struct error *err);

/* The blob of a column, or out of memory. SQLite gives NULL for an empty one, whose size 0 says so.
 */
int store_column_bytes(sqlite3_stmt *statement, int column, const void **bytes, size_t *size,
                       struct error *err);

#endif

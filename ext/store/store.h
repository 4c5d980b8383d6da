/*
 * store.h: the shadow tables of a semantic_index, and nothing of what they mean. All SQL
 * on them is here.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "semantic/table.h"
#include "sqlite/statement.h"

/* The table's kept statement, prepared at first use, reset and ready to be bound. */
int store_statement(struct semantic_table *table, enum semantic_statement which,
                    sqlite3_stmt **statement, struct error *err);
void store_finalize(struct semantic_table *table);

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

/* A new generation, into *state too: first thing in every write of rows, see semantic_reader.h. The
 * last thing is pending_write_end. */
int store_touch(struct semantic_table *table, struct semantic_state *state, struct error *err);

/* Steps a kept statement that gives no rows; the bindings are dropped, as they may point to what the
 * caller frees. */
int store_run(struct semantic_table *table, sqlite3_stmt *statement, struct error *err);

/* Runs a kept statement whose only parameter is a number. */
int store_delete_with(struct semantic_table *table, enum semantic_statement which, int64_t number,
                      struct error *err);

/* What X_rows says of a row. */
struct store_row {
    uint64_t hash;
    int own; /* the vector is the user's */
    int64_t block;
};
int store_get_row(struct semantic_table *table, int64_t id, struct store_row *row, int *found,
                  struct error *err);

/* Writes or replaces a row that lies in that block: X_rows, its vector (with quantize) and (without
 * content) its text; and deletes one, all but its place in the block. */
int store_put(struct semantic_table *table, const struct pending_row *row, int64_t block,
              struct error *err);
int store_delete(struct semantic_table *table, const struct pending_row *row, struct error *err);

/* Empties all tables of rows, but keeps the texts; is there any row, or (own 1) any whose vector the user gave? */
int store_delete_all(struct semantic_table *table, struct error *err);
int store_any_row(struct semantic_table *table, int own, int *any, struct error *err);

/* The largest id in use, 0 if there is none. */
int store_last_id(struct semantic_table *table, int64_t *id, struct error *err);

/* The fitted model: its bytes out (buffer initialised by the caller) and in. */
int store_read_model(struct semantic_table *table, struct buffer *bytes, struct error *err);
int store_write_model(struct semantic_table *table, struct span bytes, struct error *err);

#endif

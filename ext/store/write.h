/*
 * write.h: a write of the shadow tables, from its begin to its end.
 *
 * A write that fails half way (interrupted, or it met damage) is not always undone by SQLite: not
 * when a SELECT writes what waits, nor for an INSERT of one row. Then the transaction is torn: it
 * can neither be read, written nor committed, until ROLLBACK, or ROLLBACK TO a savepoint from
 * before the write.
 *
 *             begin              end, all well
 *   idle ----------------> writing ----------> idle
 *                          writing ----------> torn    end after a failure
 *                          writing ----------> idle    rolled back: SQLite undoes the whole
 *                                                      transaction, below one of our statements
 *                                                      (an interrupt, a full disk)
 *                             torn ----------> idle    rolled back, or back to before the write
 *
 * SQLite opens and closes savepoints of its own below statements of ours: the innermost ones.
 */
#ifndef STORE_WRITE_H
#define STORE_WRITE_H

#include "store/store.h"

/* ERROR_INVALID when the transaction is torn. */
int store_write_check(const struct store *store, struct error *err);

/* A number that stands for what is to become of rows, and for `before`: all of it but texts, which
 * their hashes stand for. */
uint64_t store_hash_changes(const struct store_change *changes, size_t n_changes, uint64_t before);

/* First and last thing in every write of rows. Begin makes a new generation, in *state: the hash of
 * the generation before and of `written`, which stands for all that the write is told to do
 * (store.h). ERROR_INVALID when the transaction is torn. End follows each begin that gave 0; it is
 * told how the write went, and returns it: of one that went well it notes generation and rows that
 * wait, where that is still to be done. */
int store_write_begin(struct store *store, struct store_state *state, uint64_t written,
                      struct error *err);
int store_write_end(struct store *store, struct store_state *state, int rc, struct error *err);

/* The same for a write that changes words alone (words.h): no reader keeps these. */
int store_write_open(struct store *store, struct error *err);
int store_write_close(struct store *store, int rc);

/* 0 if a vector of that many dimensions, made by `who`, may be stored or searched with: the index
 * has as many, or none yet. ERROR_INVALID. */
int store_check_dimensions(const struct store_state *state, const char *who, size_t dimensions,
                           struct error *err);

/* Whether all vectors have the index's dimensions, or, where it has none yet, those of the first:
 * to be asked before a write, so that it need not tear. */
int store_check_changes(const struct store_state *state, const struct store_change *changes,
                        size_t n_changes, struct error *err);

/* Within a write: what becomes of rows, each id once. The index takes its dimensions from the first
 * vector it gets. Rows that are deleted or refused have no words any more; those of the others are
 * the caller's to write. */
int store_write_rows(struct store *store, struct store_state *state,
                     const struct store_change *changes, size_t n_changes, struct error *err);

/* Deletes rows by their ids, each once: STORE_DELETE or STORE_FORGET. */
int store_delete_rows(struct store *store, struct store_state *state, const int64_t *ids,
                      size_t n_ids, enum store_change_kind kind, struct error *err);

/* What SQLite says of the transaction, for each struct store of it: twice is as good as once.
 * SQLite's number of a savepoint that began the transaction is -1. */
void store_write_savepoint(struct store_write *write, int number);
void store_write_release(struct store_write *write, int number);
void store_write_rollback_to(struct store_write *write, int number);
void store_write_over(struct store_write *write); /* COMMIT or ROLLBACK */

#endif

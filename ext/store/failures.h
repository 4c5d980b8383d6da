/*
 * failures.h: rows whose text no vector can be made of, recorded in X_failures with the reason.
 */
#ifndef STORE_FAILURES_H
#define STORE_FAILURES_H

#include "store/store.h"

/* How many there are. */
int failures_count(struct store *store, const struct store_state *state, int64_t *n,
                   struct error *err);

/* Asks if there is none, as there seldom is, for what asks the state after. */
int failures_look(struct store *store, struct store_state *state, struct error *err);

/* The hash of the text of that row that could not be embedded. *found = 0: it is not recorded. */
int failures_find(struct store *store, const struct store_state *state, int64_t id, uint64_t *hash,
                  int *found, struct error *err);

/* Within a write: records the rows that are refused, with a reason, and forgets all other rows of
 * the changes; forgets all. */
int failures_write(struct store *store, struct store_state *state,
                   const struct store_change *changes, size_t n_changes, struct error *err);
int failures_clear(struct store *store, const struct store_state *state, struct error *err);

#endif

/*
 * history.h: of an index with words the latest generations, those from which on documents were
 * only added to X_fts: 'history' in X_config.
 *
 * What was read of a document then (its length, that it has a word) still holds, in whatever
 * process it was written. A document's number comes again once all were taken away, or where the
 * transaction that added it was rolled back, or the file brought back to an earlier state: there
 * the history has not that generation.
 *
 * The value is a BLOB of little-endian numbers, the latest last, at most HISTORY_MOST. Whatever
 * else is there stands for none.
 */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "store/store.h"

#define HISTORY_MOST 32

/* Within a write, which makes this generation out of the one before. */
int history_add(struct store *store, int64_t before, int64_t generation, struct error *err);

/* Within a write, that takes documents away. */
int history_clear(struct store *store, struct error *err);

/* Whether nothing but adding has led from an earlier generation, which was committed, to the one
 * that is there. */
int history_has(struct store *store, int64_t earlier, int64_t generation, int *has,
                struct error *err);

#endif

/*
 * placement.h: the partitions (index/partitions.h) of an index in its shadow tables: which one
 * a row goes to, and cutting those that have grown too large.
 */
#ifndef STORE_PLACEMENT_H
#define STORE_PLACEMENT_H

#include "store/blocks.h"

/* The partitions that the state speaks of, borrowed from the store until the next call; NULL for an
 * index without. ERROR_CORRUPT. */
int placement_read(struct store *store, const struct store_state *state,
                   const struct index_partitions **partitions, struct error *err);

/* Puts rows into blocks (after number `after` only) of the partitions whose centroids are nearest,
 * or of the only one: fills in their partition and block. A partition that is too large with them
 * is cut, in memory: it and what comes of it are written once, together with the rows. All else but
 * the rows given is in X_rows, which is told where vectors lie now, and codes, while it is small:
 * see codes.h. */
int placement_place(struct store *store, struct store_state *state, struct block_row *rows,
                    size_t n_rows, int64_t after, struct error *err);

/* The partitions whose centroids are nearest to rows, of an index that has some: fills them in. */
int placement_find(struct store *store, const struct store_state *state, struct block_row *rows,
                   size_t n_rows, struct error *err);

/* What X_rows says of where a row lies; and tells it where rows lie now. */
int64_t placement_of(const struct store *store, const struct block_row *row);
int placement_move(struct store *store, const struct block_row *rows, size_t n_rows,
                   struct error *err);

/* How many rows a partition may have, where there are so many of them. */
size_t placement_limit(const struct store *store, const struct store_state *state,
                       size_t n_partitions);

/* Forgets what was read or written of them last. */
void placement_forget(struct store *store);

/* Makes these the partitions: all of X_partitions is written anew. Takes the reference over. */
int placement_replace(struct store *store, struct store_state *state,
                      struct index_partitions *partitions, struct error *err);

#endif

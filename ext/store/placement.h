/*
 * placement.h: the partitions (index/partitions.h) of an index in its shadow tables: which one
 * a row goes to, and cutting those that have grown too large.
 */
#ifndef STORE_PLACEMENT_H
#define STORE_PLACEMENT_H

#include "store/blocks.h"

/* The partitions that the state speaks of, borrowed from the table until the next call; NULL for an
 * index without. ERROR_CORRUPT. */
int parts_read(struct store *store, const struct store_state *state,
               const struct index_partitions **partitions, struct error *err);

/* Puts rows into blocks (after number `after` only) of the parts whose centroids are nearest, or of
 * the only one: fills in their partition and block. The order of rows changes. */
int parts_place(struct store *store, struct store_state *state, struct block_row *rows,
                size_t n_rows, int64_t after, struct error *err);

/* Cuts the parts of these rows, placed before and known to X_rows, until none is too large. */
int parts_split(struct store *store, struct store_state *state, struct block_row *rows,
                size_t n_rows, int64_t after, struct error *err);

/* Tells X_rows where rows lie now. */
int parts_move(struct store *store, const struct block_row *rows, size_t n_rows, struct error *err);

/* How many rows a part may have. */
size_t parts_limit(const struct store *store, const struct store_state *state, size_t n_parts);

/* Makes these the partitions: all of X_partitions is written anew. Takes the reference over. */
int parts_replace(struct store *store, struct store_state *state,
                  struct index_partitions *partitions, struct error *err);

/* The vector of a row of an index with codes, copied to [dimensions]. */
int parts_vector(struct store *store, const struct store_state *state, int64_t id, float *vector,
                 struct error *err);

#endif

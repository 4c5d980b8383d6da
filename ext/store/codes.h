/*
 * codes.h: in which blocks the codes of rows lie.
 *
 * X_rows does not say it: partitions are cut and blocks become one, which moves thousands of rows
 * at a time, and to note it would be a page of X_rows a row. The vector of a row says it. Its code
 * lies in the partition whose centroid is nearest, or in one a little farther, where a cut has put
 * a nearer centroid since. So the partitions are looked through from the nearest on.
 */
#ifndef STORE_CODES_H
#define STORE_CODES_H

#include "store/blocks.h"

/* Fills in the blocks of places, by their ids, which are in X_rows. ERROR_CORRUPT names the row
 * that is in none. */
int codes_find(struct store *store, const struct store_state *state, struct block_place *places,
               size_t n_places, struct error *err);

#endif

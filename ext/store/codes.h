/*
 * codes.h: in which blocks the codes of rows lie.
 *
 * Of int8 without partitions X_rows says it. Else X_rows says the partition that a code was put in,
 * but in a large index not where it lies now: partitions are cut, which moves hundreds of rows at a
 * time, and to note it would be a page of X_rows for each. The vector of a row says it. Its code
 * lies in the partition whose centroid is nearest, or in one a little farther, where a cut has put
 * a nearer centroid since. So the partition that X_rows says is looked through, then all from the
 * nearest on.
 */
#ifndef STORE_CODES_H
#define STORE_CODES_H

#include "store/blocks.h"

/* Fills in the blocks of places, by their ids, where `block` is what X_rows says of these: fastest
 * where places of a partition stand side by side. ERROR_CORRUPT names the row that is in none.
 * *blob, which the caller closes, is the block that was opened last, or NULL. */
int codes_find(struct store *store, const struct store_state *state, struct block_place *places,
               size_t n_places, sqlite3_blob **blob, struct error *err);

#endif

/*
 * vectors_change.h: what a write changes of the vectors that are in memory (vectors.h).
 *
 * X_vectors has no versions, but blocks of codes have, and to write a row changes the block that
 * its code was in and the one that it is in then (rows that wait are blocks, too: block_list.h). So
 * whatever was written since the older snapshot, in whatever process, is among the rows of the
 * blocks that only one of the two has. These rows are read again, and compared with what is in
 * memory: most are the same. A block of vectors without a row that differs stays; the others are
 * made anew.
 *
 * Where the older snapshot has not all of such blocks in memory, so that a row may have gone that
 * nothing tells of, or where so many rows are in such blocks that it pays little, nothing is taken
 * over.
 */
#ifndef STORE_VECTORS_CHANGE_H
#define STORE_VECTORS_CHANGE_H

#include "store/reader.h"

/* Gives the reader's snapshot, just taken, what is in memory of the vectors of an older one.
 * ERROR_NOMEM, ERROR_INTERRUPTED, ERROR_STORAGE. */
int vectors_take_over(struct store_reader *reader, const struct index_snapshot *older,
                      struct error *err);

#endif

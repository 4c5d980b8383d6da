/*
 * waiting.h: rows that are written one by one, and are not wholly in a block yet.
 *
 * A row goes to many places: its id, its vector or code and the numbers of that, each to an array
 * of its block, what X_blocks says of the block, and an index of that, each on a page of its own.
 * So a row that is written alone waits: X_config lists it, beside the generation, which is written
 * anyway.
 *   with codes   X_vectors has the vector, in a run of its own if it can be; the list says in
 *                which partition the code is to be. A reader makes the codes: they are one block
 *                more of each such partition, in no table, of number STORE_NO_BLOCK
 *   without      the vector is in its block, behind the rows that X_blocks counts, in the order of
 *                the list, and X_rows says so. All that wait are in one block. A reader adds them
 *                to it
 * Such a block's version is the generation. When the list is full all are written where they
 * belong; without codes also before anything else changes blocks.
 *
 * Not in small indexes, nor in partitions of vectors, nor in an index that was made by a version
 * without this.
 */
#ifndef STORE_WAITING_H
#define STORE_WAITING_H

#include "index/partitions.h"
#include "store/blocks.h"

/* Lists rows that are written together, if they are to wait: *taken, with their partitions or
 * blocks. What else is to be written of them is the caller's. If not, rows that wait are where they
 * must be before others come. Part of a write. */
int waiting_take(struct store *store, struct store_state *state, struct block_row *rows,
                 size_t n_rows, int *taken, struct error *err);

/* Writes all that wait where they belong; or forgets the list, where codes are made anew after. */
int waiting_settle(struct store *store, struct store_state *state, struct error *err);
int waiting_drop(struct store *store, struct store_state *state, struct error *err);

/* Takes a row that waits for its code off the list, in the state alone; 0: it is not there. */
int waiting_remove(struct store_state *state, int64_t id);

/* The partitions of the rows that wait for codes, ascending, each once. */
size_t waiting_partitions(const struct store_state *state, int64_t found[STORE_MOST_WAITING]);

/* How many rows wait for a partition. */
size_t waiting_count(const struct store_state *state, int64_t partition);

/* Makes the codes of the rows that wait for a partition, into the first places of a block.
 * ERROR_CORRUPT. */
int waiting_fill(struct store *store, const struct store_state *state,
                 const struct index_partitions *partitions, int64_t partition,
                 const struct index_rows *rows, struct error *err);

#endif

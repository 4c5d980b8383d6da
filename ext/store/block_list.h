/*
 * block_list.h: the blocks of a generation, as a search sees them: those of X_blocks, with the rows
 * that wait (store/waiting.h). Internal to the room.
 */
#ifndef STORE_BLOCK_LIST_H
#define STORE_BLOCK_LIST_H

#include "index/snapshot.h"
#include "store/blocks.h"

/* A snapshot of this state, which the caller frees, also after an error. ERROR_CORRUPT. */
int block_list_read(struct store *store, const struct store_state *state,
                    struct index_snapshot **snapshot, struct error *err);

/* What a row of X_blocks says of a block (as STORE_BLOCKS has it). ERROR_CORRUPT. */
int block_list_entry(sqlite3_stmt *row, struct index_block *block, struct error *err);

#endif

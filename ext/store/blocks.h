/*
 * blocks.h: writing rows into blocks (index/block.h) of the shadow tables.
 *
 * A row that is new goes where its partition has room, else into a new block, as large as
 * all before it up to a full one. A row that goes leaves its place to the last row of its block,
 * whose own place becomes zeros; a block without rows goes too, and SQLite uses its pages again. Of
 * a block that is there only the changed places are written (sqlite3_blob_write), so one row costs
 * a page or two.
 *
 * Codes in partitions come a few at a time to each of many, and a place of a large block is on five
 * pages. So theirs is a new block of one page; when it is full, it and those before it become one
 * as long as they are no larger than what follows them: a code is copied some times, in order, and
 * a partition has a few blocks, each full but for one.
 *
 * Everything is written in the caller's transaction. Before the first write of a statement the
 * caller makes a new generation (store_write_begin); blocks take it as their version.
 */
#ifndef STORE_BLOCKS_H
#define STORE_BLOCKS_H

#include "store/store.h"

/* The layout of this index's blocks. */
struct index_layout blocks_layout(const struct store *store, const struct store_state *state);

/* One vector on its way into a block. */
struct block_row {
    int64_t id;
    const void *stored;                /* the bytes of its vector (index/block.h) */
    const float *rotated;              /* the same in code space; NULL if the index needs it not */
    int64_t partition, block;          /* where it went */
    const struct store_change *change; /* what was written; NULL when a row only moves */
};

/* By id, as qsort wants it. */
int block_row_compare(const void *a, const void *b);

/* A block as it is stored: bytes in memory of its own. */
struct block_bytes {
    int64_t number, partition;
    size_t n, capacity;
    void *bytes; /* owned */
    struct index_rows rows;
};

/* Reads a block whole and checks its size; ERROR_CORRUPT. */
int block_read(struct store *store, const struct index_layout *layout, int64_t number,
               struct block_bytes *block, struct error *err);
void block_free(struct block_bytes *block);

/* Whether it is so: codes move from block to block. */
int blocks_become_one(const struct store *store);

/* What X_blocks says of the blocks of a partition, of those after number `after`: [n] by number,
 * the caller's to free; NULL: there are none. ERROR_CORRUPT. */
int blocks_list(struct store *store, int64_t partition, int64_t after, struct store_block **list,
                size_t *n, struct error *err);

/* The ids of a block: [n], the caller's to free; ERROR_CORRUPT. *blob, which the caller closes, is
 * the block that was opened before, or NULL. */
int blocks_read_ids(struct store *store, const struct store_state *state,
                    const struct store_block *block, sqlite3_blob **blob, int64_t **ids,
                    struct error *err);

/* Appends rows to a partition (0 for an index without), of blocks after number `after` only. */
struct block_target {
    int64_t partition, after;
    const float *centroid; /* NULL: the origin */
};
int blocks_append(struct store *store, const struct store_state *state,
                  const struct block_target *target, struct block_row *rows, size_t n_rows,
                  struct error *err);

/* Rows, by their ids, that are to be in blocks. */
struct block_place {
    int64_t block, id;
};

/* Where the ids of places, which ascend, each once, are among n: at [n_places]; n: nowhere. */
void blocks_find_ids(const int64_t *ids, size_t n, const struct block_place *places,
                     size_t n_places, size_t *at);

/* Takes rows out of one block, that of all places, whose ids ascend, each once; a block without
 * rows goes. *blob as above. */
int blocks_remove(struct store *store, const struct store_state *state,
                  const struct block_place *places, size_t n_places, sqlite3_blob **blob,
                  struct error *err);

#endif

/*
 * blocks.h: writing rows into blocks (index/block.h) of the shadow tables.
 *
 * A row that is new goes where its part of the index has room, else into a new block, as large as
 * all before it up to a full one. A row that goes leaves its place to the last row of its block; a
 * block without rows goes too, and SQLite uses its pages again. Of a block that is there only the
 * changed places are written (sqlite3_blob_write), so one row costs a page or two.
 *
 * Everything is written in the caller's transaction. Before the first write of a statement the
 * caller makes a new generation (store_touch); blocks take it as their version.
 */
#ifndef STORE_BLOCKS_H
#define STORE_BLOCKS_H

#include "semantic/table.h"

/* The layout of this index's blocks. */
struct index_layout blocks_layout(const struct semantic_table *table,
                                  const struct semantic_state *state);

/* One vector on its way into a block. */
struct block_row {
    int64_t id;
    const float *vector;           /* [dimensions] */
    const float *turned;           /* the same in code space; NULL if the index needs it not */
    int64_t partition, block;      /* where it went */
    const struct pending_row *row; /* what was written; NULL when a row only moves */
};

/* A block as it is stored: bytes in memory of its own. */
struct block_bytes {
    int64_t number, partition;
    size_t n, capacity;
    void *bytes; /* owned */
    struct index_rows rows;
};

/* Reads a block whole and checks its size; ERROR_CORRUPT. */
int block_read(struct semantic_table *table, const struct index_layout *layout, int64_t number,
               struct block_bytes *block, struct error *err);
void block_free(struct block_bytes *block);

/* Appends rows to a partition (0 for an index without), of blocks after number `after` only. */
struct block_target {
    int64_t partition, after;
    const float *centroid; /* NULL: the origin */
};
int blocks_append(struct semantic_table *table, const struct semantic_state *state,
                  const struct block_target *target, struct block_row *rows, size_t n_rows,
                  struct error *err);

/* Deletes a whole block. */
int blocks_drop(struct semantic_table *table, int64_t number, struct error *err);

/* Writes rows, each id once: some kinds are deleted, others replace what is there.
 */
int blocks_write(struct semantic_table *table, struct semantic_state *state,
                 struct pending_row *const *rows, size_t n_rows, struct error *err);

/* Deletes rows by their ids, each once: PENDING_DELETE or PENDING_FORGET. */
int blocks_delete(struct semantic_table *table, struct semantic_state *state, const int64_t *ids,
                  size_t n_ids, enum pending_kind kind, struct error *err);

/* The answer of a kept statement with up to two numbers as parameters; 0 if it gives none. */
int blocks_ask(struct semantic_table *table, enum semantic_statement which, int64_t argument,
               int64_t second, int64_t *answer, struct error *err);

#endif

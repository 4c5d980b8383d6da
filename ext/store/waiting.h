/*
 * waiting.h: rows that are written one by one, and are in no block yet.
 *
 * A row goes to many places: its id, its vector or code and the numbers of that, each to an array
 * of its block, what X_blocks says of the block, and an index of that, each on a page of its own.
 * So a row that is written alone waits in a slot of X_waiting, which is there already: SQLite
 * overwrites it, a page or two, and X_rows has the row, another. The slot has the generation, too:
 * where a write lets rows wait and does no more, X_config stays what it is, and the slots that
 * follow those it speaks of go on from there (store.h). Any other write brings X_config up to date.
 *
 * A reader sees the rows of each partition as one block more, in no table, of number STORE_NO_BLOCK
 * and of the generation as its version. When the slots are full all are written where they belong.
 * What a slot had then stays in it until the next row comes, but for rows that go.
 *
 * There are slots from some hundreds of rows on: an index that is small, or was made by a version
 * without them, gets them by the next write that puts rows into blocks.
 *
 * By formats 3 and 4 X_config lists the rows. Vectors behind codes are in X_vectors then, others in
 * a block, behind the rows that X_blocks counts. They are read as they are, and put into blocks by
 * the next write.
 */
#ifndef STORE_WAITING_H
#define STORE_WAITING_H

#include "base/ids.h"
#include "index/partitions.h"
#include "store/runs.h"

/* Lets rows that are written together wait, if they are to: *taken, with their partitions. What
 * X_rows says of them is the caller's to write. Part of a write, as the next. */
int waiting_take(struct store *store, struct store_state *state, struct block_row *rows,
                 size_t n_rows, int *taken, struct error *err);

/* Makes the slots, if there are none and the index is no small one. */
int waiting_prepare(struct store *store, struct store_state *state, struct error *err);

/* Writes all that wait where they belong; or, before codes are made anew, their vectors alone, and
 * deletes the slots. */
int waiting_settle(struct store *store, struct store_state *state, struct error *err);
int waiting_drop(struct store *store, struct store_state *state, struct error *err);

/* Takes a row off those that wait, in the state alone; 0: it does not wait. And, once the write has
 * put its rows, of those that changed all that slots have, but where one waits. */
int waiting_remove(struct store_state *state, int64_t id);
int waiting_clear(struct store *store, struct store_state *state,
                  const struct store_change *changes, size_t n_changes, struct error *err);

/* The partitions of the rows that wait, ascending, each once; how many wait for one. */
size_t waiting_partitions(const struct store_state *state, int64_t found[STORE_MOST_WAITING]);
size_t waiting_count(const struct store_state *state, int64_t partition);

/* The rows that wait, ascending by id, with their vectors as they are stored. */
struct waiting_rows {
    int64_t generation; /* of the state that they were read by */
    int in_runs;        /* by an earlier format X_vectors has them, too */
    size_t n, vector_size;
    struct store_waiting *rows; /* [n] owned, as the next */
    unsigned char *vectors;     /* [n, vector_size] */
};

/* Reads them; ERROR_CORRUPT. free also after an error. */
int waiting_read(struct store *store, const struct store_state *state, struct waiting_rows *waiting,
                 struct error *err);
void waiting_free(struct waiting_rows *waiting);

/* The vector of one of them; NULL: it is not among them. */
const void *waiting_find(const struct waiting_rows *waiting, int64_t id);

/* Those of a partition into the first places of a block; it has room for them. ERROR_CORRUPT. */
int waiting_fill(const struct index_layout *layout, const struct waiting_rows *waiting,
                 const struct index_partitions *partitions, int64_t partition,
                 const struct index_rows *rows, struct error *err);

/* All rows of an index with codes, ascending, by a statement (id, vector) that does so for
 * X_vectors: the next one, as runs_next gives it. All zero but the first two: to begin. */
struct waiting_scan {
    struct runs_scan runs;
    const struct waiting_rows *waiting;
    size_t i;
    int is_ahead, more; /* of runs a row is read: it is there, and what it is */
    int64_t id;
    const void *vector;
    size_t size;
};
int waiting_next(struct waiting_scan *scan, struct store *store, int *row, int64_t *id,
                 const void **vector, size_t *size, struct error *err);

/* Of X_rows and vectors behind codes: ids that are in one of them alone, where `only_rows` and
 * `only_vectors` are to have them. */
int waiting_compare(struct store *store, const struct waiting_rows *waiting, struct ids *only_rows,
                    struct ids *only_vectors, struct error *err);

#endif

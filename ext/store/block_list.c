#include "store/block_list.h"

#include <stdlib.h>

#include "store/placement.h"
#include "store/statements.h"
#include "store/waiting.h"

int block_list_entry(sqlite3_stmt *row, struct index_block *block, struct error *err)
{
    struct store_block entry = store_block_of(row);
    block->number = entry.number;
    block->partition = entry.partition;
    block->version = entry.version;
    if (entry.number == STORE_NO_BLOCK)
        return error_set(err, ERROR_CORRUPT,
                         "block %d: it has the number of those that are in no table",
                         STORE_NO_BLOCK);
    if (!store_block_is_possible(&entry))
        return error_set(err, ERROR_CORRUPT, "block %lld: its size is damaged",
                         (long long)block->number);
    block->n = (size_t)entry.n;
    block->capacity = (size_t)(entry.n + entry.room);
    return 0;
}

/* The rows that wait for a partition, as a block. */
static void add_waiting(struct index_snapshot *snapshot, const struct store_state *state,
                        int64_t partition, size_t i)
{
    struct index_block *block = &snapshot->blocks[i];
    block->number = STORE_NO_BLOCK;
    block->partition = partition;
    block->version = state->generation;
    block->n = block->capacity = waiting_count(state, partition);
    snapshot->n_rows += block->n;
}

/* By partition, then number: SQLite would look up each row through an index for it. */
static void sort_blocks(struct index_snapshot *snapshot)
{
    for (size_t i = 1; i < snapshot->n_blocks; i++)
        if (index_block_compare(&snapshot->blocks[i - 1], &snapshot->blocks[i]) > 0) {
            qsort(snapshot->blocks, snapshot->n_blocks, sizeof *snapshot->blocks,
                  index_block_compare);
            return;
        }
}

/* And those of rows that wait. */
static int list_blocks(struct store *store, const struct store_state *state,
                       struct index_snapshot *snapshot, struct error *err)
{
    int64_t waiting[STORE_MOST_WAITING];
    size_t n_waiting = waiting_partitions(state, waiting), i = 0;
    sqlite3_stmt *scan;
    int row = 0;
    int rc = store_query(store, STORE_BLOCKS, &scan, err);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row &&
           i < snapshot->n_blocks) {
        rc = block_list_entry(scan, &snapshot->blocks[i], err);
        snapshot->n_rows += snapshot->blocks[i++].n;
    }
    for (size_t j = 0; rc == 0 && j < n_waiting && i < snapshot->n_blocks; j++)
        add_waiting(snapshot, state, waiting[j], i++);
    sqlite3_finalize(scan);
    if (rc == 0) sort_blocks(snapshot);
    return rc;
}

int block_list_read(struct store *store, const struct store_state *state,
                    struct index_snapshot **made, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    const struct index_partitions *partitions = NULL;
    int64_t n_blocks, waiting[STORE_MOST_WAITING];
    *made = NULL;
    int rc = store_ask(store, STORE_N_BLOCKS, 0, 0, &n_blocks, err);
    if (rc != 0) return rc;
    n_blocks += (int64_t)waiting_partitions(state, waiting);
    struct index_snapshot *snapshot =
        index_snapshot_new(&layout, state->generation, (size_t)n_blocks);
    if (snapshot == NULL) return error_nomem(err);
    *made = snapshot;
    if (n_blocks > 0) rc = placement_read(store, state, &partitions, err);
    if (partitions != NULL) snapshot->partitions = index_partitions_reference(store->partitions);
    if (rc == 0) rc = list_blocks(store, state, snapshot, err);
    if (rc == 0 && n_blocks > 0 && partitions == NULL && store_is_partitioned(store))
        rc = error_set(err, ERROR_CORRUPT, "the partitions are missing ('optimize' mends them)");
    return rc;
}

#include "store/integrity.h"

#include <string.h>

#include "base/ids.h"
#include "base/memory.h"
#include "store/blocks.h"
#include "store/keys.h"
#include "store/placement.h"
#include "store/runs.h"
#include "store/waiting.h"

/* Codes and blocks are made anew from the vectors; without quantize the blocks are all there is. */
static const char *cure(const struct store *store)
{
    return !store_keeps_vectors(store) ? "" : " ('optimize' mends it)";
}

/* A query that must find nothing: it gives numbers of what is `what`. */
static int check_none(struct store *store, enum store_query which, const char *what,
                      const char *message, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    int rc = store_query(store, which, &statement, err);
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row)
        rc = error_set(err, ERROR_CORRUPT, "%s %lld: %s", what,
                       (long long)sqlite3_column_int64(statement, 0), message);
    sqlite3_finalize(statement);
    return rc;
}

/* What a row of a block must be: the code of its vector, or a usable vector. */
static int check_place(struct store *store, const struct store_state *state,
                       const struct block_bytes *block, size_t i, const float *centroid,
                       struct block_bytes *expected, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    const struct index_rows *rows = &block->rows;
    int64_t id = rows->ids[i];
    size_t size = index_vector_size(&layout);
    if (!store_keeps_vectors(store))
        return index_vector_check(&layout, id, rows->components + i * rows->stride, size, err);
    void *stored = memory_alloc(size, 1);
    float *point = memory_alloc(layout.dimensions, sizeof *point);
    int rc = stored == NULL || point == NULL ? error_nomem(err) : 0;
    if (rc == 0) rc = runs_get(store, id, size, stored, err);
    if (rc == 0) rc = index_vector_check(&layout, id, stored, size, err);
    if (rc == 0) {
        const struct index_rows *made = &expected->rows;
        index_vector_point(&layout, stored, point);
        index_row_write(&layout, made, 0, id, stored, point, centroid);
        if (made->offsets[0] != rows->offsets[i] || made->scales[0] != rows->scales[i] ||
            made->errors[0] != rows->errors[i] ||
            memcmp(made->components, rows->components + i * rows->stride, rows->stride) != 0)
            rc = error_set(err, ERROR_CORRUPT,
                           "row %lld: its code is not that of its vector ('optimize' mends it)",
                           (long long)id);
    }
    memory_free(stored);
    memory_free(point);
    return rc;
}

/* What the codes of a block are counted from; NULL: the origin. */
static int find_centroid(struct store *store, const struct store_state *state,
                         const struct block_bytes *block, const float **centroid, struct error *err)
{
    const struct index_partitions *partitions;
    *centroid = NULL;
    int rc = placement_read(store, state, &partitions, err);
    if (rc != 0 || !store_is_partitioned(store)) return rc;
    size_t at = partitions == NULL ? 0 : index_partitions_find(partitions, block->partition);
    if (partitions == NULL || at == partitions->n)
        return error_set(err, ERROR_CORRUPT,
                         "block %lld: its partition is not there ('optimize' mends it)",
                         (long long)block->number);
    *centroid = partitions->centroids + at * partitions->dimensions;
    return 0;
}

/* X_rows has a row of a block, and says that it lies there, where it says that; and it does so
 * once. */
static int check_row(struct store *store, const struct block_bytes *block, size_t i,
                     struct error *err)
{
    int64_t id = block->rows.ids[i];
    struct store_row row;
    int found;
    int rc = store_get_row(store, id, &row, &found, err);
    int is_there = found && (blocks_become_one(store) || row.block == block->number);
    if (rc == 0 && (!is_there || index_row_find(&block->rows, i, id) < i))
        rc = error_set(err, ERROR_CORRUPT,
                       "row %lld: it lies in block %lld, which is not its place%s", (long long)id,
                       (long long)block->number, cure(store));
    return rc;
}

static int check_block(struct store *store, const struct store_state *state, int64_t number,
                       struct ids *ids, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_bytes block, expected = {.capacity = 1};
    const float *centroid;
    int rc = block_read(store, &layout, number, &block, err);
    if (rc != 0) return rc;
    expected.bytes = memory_alloc(index_block_size(&layout, 1), 1);
    if (expected.bytes == NULL) rc = error_nomem(err);
    else expected.rows = index_block_rows(&layout, expected.bytes, 1);
    if (rc == 0) rc = find_centroid(store, state, &block, &centroid, err);
    for (size_t i = 0; rc == 0 && i < block.n; i++) {
        rc = check_row(store, &block, i, err);
        if (rc == 0) rc = check_place(store, state, &block, i, centroid, &expected, err);
        if (rc == 0) rc = ids_add(ids, block.rows.ids[i], err);
    }
    block_free(&expected);
    block_free(&block);
    return rc != 0 ? rc : cancel_check(store->cancel, err);
}

/* Of the rows that wait there are vectors, and partitions that they belong to; X_rows has them, and
 * says that they are in no block, where it would say in which. */
static int check_waiting(struct store *store, const struct store_state *state,
                         const struct waiting_rows *waiting, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_bytes made = {.capacity = STORE_MOST_WAITING};
    const float *centroid;
    made.bytes = memory_alloc(index_block_size(&layout, made.capacity), 1);
    int rc = made.bytes == NULL ? error_nomem(err) : 0;
    if (rc == 0) made.rows = index_block_rows(&layout, made.bytes, made.capacity);
    for (size_t i = 0; rc == 0 && i < waiting->n; i++) {
        struct store_row row;
        int found = 0;
        made.partition = waiting->rows[i].partition;
        rc = find_centroid(store, state, &made, &centroid, err);
        if (rc == 0)
            rc = waiting_fill(&layout, waiting, store->partitions, made.partition, &made.rows, err);
        if (rc == 0) rc = store_get_row(store, waiting->rows[i].id, &row, &found, err);
        int is_right =
            found && (state->has_list || blocks_become_one(store) || row.block == STORE_NO_BLOCK);
        if (rc == 0 && !is_right)
            rc = error_set(err, ERROR_CORRUPT, "row %lld: it is wrongly listed as one that waits%s",
                           (long long)waiting->rows[i].id, cure(store));
    }
    block_free(&made);
    return rc;
}

/* The rows of all blocks, and those that wait. */
static int list_rows(struct store *store, const struct store_state *state,
                     const struct waiting_rows *waiting, struct ids *ids, struct error *err)
{
    sqlite3_stmt *scan = NULL;
    int row = 0;
    int rc = store_query(store, STORE_BLOCK_NUMBERS, &scan, err);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row)
        rc = check_block(store, state, sqlite3_column_int64(scan, 0), ids, err);
    sqlite3_finalize(scan);
    if (rc == 0) rc = check_waiting(store, state, waiting, err);
    for (size_t i = 0; rc == 0 && i < waiting->n; i++) rc = ids_add(ids, waiting->rows[i].id, err);
    return rc;
}

/* All rows are in blocks, or wait, each once: as many as X_rows has. */
static int check_blocks(struct store *store, const struct store_state *state,
                        const struct waiting_rows *waiting, struct error *err)
{
    struct ids ids = {0};
    int64_t n_expected = 0;
    int rc = list_rows(store, state, waiting, &ids, err);
    size_t n_rows = ids.n;
    if (rc == 0) rc = store_ask(store, STORE_N_ROWS, 0, 0, &n_expected, err);
    if (rc == 0) ids_sort(&ids);
    if (rc == 0 && (n_expected != (int64_t)n_rows || ids.n < n_rows))
        rc = error_set(err, ERROR_CORRUPT, "there are %lld rows, but %zu in blocks%s",
                       (long long)n_expected, n_expected == (int64_t)n_rows ? ids.n : n_rows,
                       cure(store));
    ids_deinit(&ids);
    return rc;
}

/* Of each row there is a vector, and of no other. */
static int check_vectors(struct store *store, const struct waiting_rows *waiting, struct error *err)
{
    struct ids rows = {0}, vectors = {0};
    int rc = waiting_compare(store, waiting, &rows, &vectors, err);
    if (rc == 0 && rows.n > 0)
        rc = error_set(err, ERROR_CORRUPT,
                       "row %lld: its vector is not there ('optimize' forgets the row)",
                       (long long)rows.items[0]);
    else if (rc == 0 && vectors.n > 0)
        rc = error_set(err, ERROR_CORRUPT,
                       "row %lld: its vector belongs to no row ('optimize' mends it)",
                       (long long)vectors.items[0]);
    ids_deinit(&rows);
    ids_deinit(&vectors);
    return rc;
}

int store_integrity_check(struct store *store, struct error *err)
{
    struct store_state state;
    struct waiting_rows waiting = {0};
    int rc = store_read_state(store, &state, err);
    if (rc == 0) rc = waiting_read(store, &state, &waiting, err);
    if (rc == 0) rc = check_blocks(store, &state, &waiting, err);
    if (rc == 0)
        rc = check_none(store, STORE_LOST_DATA, "block",
                        "its bytes belong to no block ('optimize' mends it)", err);
    if (rc == 0 && store_keeps_vectors(store)) rc = check_vectors(store, &waiting, err);
    waiting_free(&waiting);
    if (rc == 0 && store->options.keeps_texts)
        rc = check_none(store, STORE_ROWS_WITHOUT_TEXT, "row", "its vector has no text", err);
    if (rc == 0 && store->keeps_keys) rc = keys_check(store, err);
    if (rc == 0 && state.keeps_failures)
        rc = check_none(store, STORE_LOST_FAILURES, "row",
                        "it has a vector, and is recorded as one that cannot be embedded", err);
    return rc;
}

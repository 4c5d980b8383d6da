#include "store/optimize.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "store/blocks.h"
#include "store/keys.h"
#include "store/placement.h"
#include "store/runs.h"
#include "store/statements.h"
#include "store/waiting.h"

/* Rows of a pass that are worked on together; bytes of their vectors, at most. */
#define MAX_ROWS 2048
#define MAX_BYTES ((size_t)4 << 20)

#define MIN_ROWS 16

/* Steps of Lloyd's algorithm. */
#define LLOYD_STEPS 4

/* A partition with less than one in so many of the rows that it may have is given up. */
#define SMALL_PARTITION 16

/* ---- all rows, some at a time ---------------------------------------------------------------- */

/* Where rows come from: with quantize from X_vectors, which hold the truth; else from the blocks
 * that were there when the pass began. */
struct pass {
    struct store *store;
    struct store_state *state;
    struct index_layout layout;
    sqlite3_stmt *scan;
    struct runs_scan runs;    /* of it, with quantize */
    struct block_bytes block; /* the one that is read, without quantize */
    size_t in_block;
    struct block_row *rows; /* [n_rows] */
    unsigned char *vectors; /* [capacity, index_vector_size] */
    size_t n_rows, capacity;
};

static int pass_open(struct store *store, struct store_state *state, int64_t last_block,
                     struct pass *pass, struct error *err)
{
    *pass = (struct pass){.store = store, .state = state, .layout = blocks_layout(store, state)};
    size_t row_size = state->dimensions * sizeof(float); /* of points, the largest */
    pass->capacity = MAX_BYTES / row_size > MAX_ROWS ? MAX_ROWS : MAX_BYTES / row_size;
    if (pass->capacity < MIN_ROWS) pass->capacity = MIN_ROWS;
    pass->rows = memory_alloc(pass->capacity, sizeof *pass->rows);
    pass->vectors = memory_alloc(pass->capacity, index_vector_size(&pass->layout));
    if (pass->rows == NULL || pass->vectors == NULL) return error_nomem(err);
    int has_vectors = store_keeps_vectors(store);
    int rc = store_query(store, has_vectors ? STORE_VECTORS : STORE_BLOCKS_UNTIL, &pass->scan, err);
    pass->runs = (struct runs_scan){pass->scan, index_vector_size(&pass->layout), {0}, 0};
    if (rc == 0 && !has_vectors) sqlite3_bind_int64(pass->scan, 1, last_block);
    return rc;
}

static void pass_close(struct pass *pass)
{
    sqlite3_finalize(pass->scan);
    block_free(&pass->block);
    memory_free(pass->rows);
    memory_free(pass->vectors);
}

/* A row's vector among those that are worked on. */
static int take(struct pass *pass, int64_t id, const void *bytes, size_t size, struct error *err)
{
    int rc = index_vector_check(&pass->layout, id, bytes, size, err);
    if (rc != 0) return rc;
    void *to = pass->vectors + pass->n_rows * size;
    memcpy(to, bytes, size);
    pass->rows[pass->n_rows++] = (struct block_row){.id = id, .stored = to};
    return 0;
}

/* The next row of X_vectors. */
static int take_vector(struct pass *pass, int *row, struct error *err)
{
    int64_t id;
    const void *bytes;
    size_t size;
    int rc = runs_next(&pass->runs, pass->store, row, &id, &bytes, &size, err);
    return rc == 0 && *row ? take(pass, id, bytes, size, err) : rc;
}

/* The next block. */
static int open_block(struct pass *pass, int *row, struct error *err)
{
    int rc = statement_step(pass->store->db, pass->scan, row, err);
    if (rc != 0 || !*row) return rc;
    block_free(&pass->block);
    pass->in_block = 0;
    return block_read(pass->store, &pass->layout, sqlite3_column_int64(pass->scan, 0), &pass->block,
                      err);
}

/* The next row of the block that is read. */
static int take_place(struct pass *pass, struct error *err)
{
    size_t i = pass->in_block++;
    const struct index_rows *rows = &pass->block.rows;
    return take(pass, rows->ids[i], rows->components + i * rows->stride, rows->stride, err);
}

/* The next rows; n_rows is 0 after the last. */
static int pass_next(struct pass *pass, struct error *err)
{
    int row = 0;
    int rc = cancel_check(pass->store->cancel, err);
    pass->n_rows = 0;
    while (rc == 0 && pass->n_rows < pass->capacity) {
        if (pass->block.bytes != NULL && pass->in_block < pass->block.n) {
            rc = take_place(pass, err);
            continue;
        }
        if (pass->scan == NULL) break;
        rc = store_keeps_vectors(pass->store) ? take_vector(pass, &row, err)
                                              : open_block(pass, &row, err);
        if (rc == 0 && !row) {
            sqlite3_finalize(pass->scan); /* stepped once more it would begin again */
            pass->scan = NULL;
        }
    }
    return rc;
}

/* ---- partitions ------------------------------------------------------------------------------ */

/* What the rows of each partition add up to. */
struct sums {
    float *means; /* [partitions, dimensions] */
    size_t *n;    /* [partitions] */
};

/* Moves the mean of a partition by one point more: it stays the mean of all so far. By half of the
 * difference, as all of it may be beyond float32. */
static void add_point(struct sums *sums, size_t partition, const float *point, size_t dimensions)
{
    float *mean = sums->means + partition * dimensions, share = 2.0f / (float)++sums->n[partition];
    for (size_t i = 0; i < dimensions; i++) mean[i] += (point[i] / 2 - mean[i] / 2) * share;
}

static int add_rows(struct pass *pass, const struct index_partitions *partitions, struct sums *sums,
                    float *points, uint32_t *places, struct error *err)
{
    const struct store *store = pass->store;
    size_t dimensions = pass->layout.dimensions;
    for (size_t i = 0; i < pass->n_rows; i++)
        index_vector_point(&pass->layout, pass->rows[i].stored, points + i * dimensions);
    int rc = index_partitions_assign(partitions, points, pass->n_rows, store_threads(store), places,
                                     store->cancel, err);
    for (size_t i = 0; rc == 0 && i < pass->n_rows; i++)
        add_point(sums, places[i], points + i * dimensions, dimensions);
    return rc;
}

/* The partitions that follow from the sums; those of `least` rows and fewer are left out, but never
 * all. */
static int make_partitions(const struct index_partitions *before, const struct sums *sums,
                           size_t least, struct index_partitions **made, struct error *err)
{
    size_t dimensions = before->dimensions, n = 0, largest = 0;
    for (size_t i = 0; i < before->n; i++) {
        if (sums->n[i] > sums->n[largest]) largest = i;
        n += sums->n[i] > least;
    }
    int rc = index_partitions_new(n == 0 ? 1 : n, dimensions, made, err);
    if (rc != 0) return rc;
    for (size_t i = 0, j = 0; i < before->n; i++) {
        if (n == 0 ? i != largest : sums->n[i] <= least) continue;
        (*made)->numbers[j] = (int64_t)j + 1;
        memcpy((*made)->centroids + j * dimensions, sums->means + i * dimensions,
               dimensions * sizeof *sums->means);
        index_centroid_bound((*made)->centroids + j++ * dimensions, dimensions);
    }
    index_partitions_ready(*made);
    return 0;
}

static int sum_rows(struct store *store, struct store_state *state, int64_t last_block,
                    const struct index_partitions *before, struct sums *sums, struct error *err)
{
    struct pass pass;
    int rc = pass_open(store, state, last_block, &pass, err);
    size_t dimensions = state->dimensions;
    float *points = memory_alloc(pass.capacity, dimensions * sizeof *points);
    uint32_t *places = memory_alloc(pass.capacity, sizeof *places);
    memset(sums->means, 0, before->n * dimensions * sizeof *sums->means);
    memset(sums->n, 0, before->n * sizeof *sums->n);
    if (rc == 0 && (points == NULL || places == NULL)) rc = error_nomem(err);
    while (rc == 0 && (rc = pass_next(&pass, err)) == 0 && pass.n_rows > 0)
        rc = add_rows(&pass, before, sums, points, places, err);
    memory_free(points);
    memory_free(places);
    pass_close(&pass);
    return rc;
}

/* Lloyd's algorithm from the partitions that are there: those that lose their last row go at once,
 * those that stay small after the last step. */
static int move_centroids(struct store *store, struct store_state *state, int64_t last_block,
                          const struct index_partitions *before, struct error *err)
{
    struct index_partitions *made = NULL;
    struct sums sums = {memory_alloc(before->n, state->dimensions * sizeof *sums.means),
                        memory_alloc(before->n, sizeof *sums.n)};
    int rc = sums.means == NULL || sums.n == NULL ? error_nomem(err) : 0;
    for (int step = 1; rc == 0 && step <= LLOYD_STEPS; step++) {
        const struct index_partitions *from = made == NULL ? before : made;
        struct index_partitions *next = NULL;
        size_t least = step < LLOYD_STEPS ? 0 : placement_limit(store, state, 0) / SMALL_PARTITION;
        rc = sum_rows(store, state, last_block, from, &sums, err);
        if (rc == 0) rc = make_partitions(from, &sums, least, &next, err);
        index_partitions_free(made);
        made = next;
    }
    memory_free(sums.means);
    memory_free(sums.n);
    if (rc == 0) return placement_replace(store, state, made, err);
    index_partitions_free(made);
    return rc;
}

/* Partitions that cannot be read are begun anew. */
static int renew_partitions(struct store *store, struct store_state *state, int64_t last_block,
                            struct error *err)
{
    const struct index_partitions *before;
    if (!store_is_partitioned(store)) return 0;
    int rc = placement_read(store, state, &before, err);
    if (rc == ERROR_CORRUPT) return store_delete_partitions(store, state, err);
    return rc == 0 && before != NULL ? move_centroids(store, state, last_block, before, err) : rc;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static int write_again(struct store *store, struct store_state *state, int64_t last_block,
                       struct error *err)
{
    struct pass pass;
    int rc = pass_open(store, state, last_block, &pass, err);
    while (rc == 0 && (rc = pass_next(&pass, err)) == 0 && pass.n_rows > 0) {
        rc = placement_place(store, state, pass.rows, pass.n_rows, last_block, err);
        if (rc == 0) rc = placement_move(store, pass.rows, pass.n_rows, err);
    }
    pass_close(&pass);
    return rc;
}

/* Where vectors are kept: tidies them, and forgets rows without one, and vectors without a row. */
static int delete_halves(struct store *store, const struct store_state *state, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct ids rows = {0}, vectors = {0};
    size_t size = index_vector_size(&layout);
    const struct waiting_rows none = {.vector_size = size};
    if (!store_keeps_vectors(store)) return 0;
    int rc = runs_tidy(store, size, err);
    if (rc == 0) rc = waiting_compare(store, &none, &rows, &vectors, err);
    for (size_t i = 0; rc == 0 && i < rows.n; i++)
        rc = store_run_with(store, KEPT_DELETE_ROW, rows.items[i], err);
    if (rc == 0) rc = runs_delete(store, size, vectors.items, vectors.n, err);
    ids_deinit(&rows);
    ids_deinit(&vectors);
    return rc;
}

int store_optimize(struct store *store, struct store_state *state, struct error *err)
{
    int64_t last_block = 0;
    assert(store->write->step == STORE_WRITING);
    if (state->dimensions == 0) return 0;
    int rc = waiting_drop(store, state, err);
    if (rc == 0) rc = delete_halves(store, state, err);
    if (rc == 0 && store->keeps_keys) rc = keys_tidy(store, state->keeps_failures, err);
    /* What can be made anew from the vectors goes first, whatever damage is in it. */
    if (rc == 0)
        rc = store_keeps_vectors(store) ? store_delete_blocks(store, err)
                                        : store_delete_lost_data(store, err);
    if (rc == 0) rc = store_ask(store, STORE_LAST_BLOCK, 0, 0, &last_block, err);
    if (rc == 0) rc = renew_partitions(store, state, last_block, err);
    if (rc == 0) rc = write_again(store, state, last_block, err);
    if (rc == 0) rc = store_delete_blocks_until(store, last_block, err);
    return rc == 0 ? waiting_prepare(store, state, err) : rc;
}

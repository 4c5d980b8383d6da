#include "store/placement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Rows of a partition, at most, for bits, whose scan goes through all. */
#define AUTO_MOST 2048

/* For partitions = 'auto': one for so many partitions that there are, and so many at least. Both
 * grow with the square root of the rows then: 100,000 give some 550 partitions, a million some
 * 1,700. Small ones lie close around what is near a query; many centroids cost every row and every
 * query. */
#define AUTO_SHARE 2
#define AUTO_LEAST 64

/* Rows of a partition, at most, while partitions = n has fewer than n. */
#define GROWING_LIMIT 256

/* Partitions around one that is cut which its rows may move to. */
#define NEIGHBOURS 64

/* A partition is cut in memory: bytes of its vectors, at most. */
#define MAX_BYTES ((size_t)32 << 20)
#define MIN_ROWS 16

size_t placement_limit(const struct store *store, const struct store_state *state,
                       size_t n_partitions)
{
    size_t wanted = store->options.partitions, limit = AUTO_MOST;
    if (wanted == 0 && store->options.quantize != INDEX_BIT) return SIZE_MAX;
    if (n_partitions >= (wanted == 0 || wanted == STORE_AUTO ? INDEX_MAX_PARTITIONS : wanted))
        return SIZE_MAX;
    if (wanted == STORE_AUTO && n_partitions / AUTO_SHARE < limit)
        limit = n_partitions / AUTO_SHARE < AUTO_LEAST ? AUTO_LEAST : n_partitions / AUTO_SHARE;
    if (wanted != 0 && wanted != STORE_AUTO) limit = GROWING_LIMIT;
    size_t most = MAX_BYTES / (state->dimensions * sizeof(float));
    if (limit > most) limit = most;
    return limit < MIN_ROWS ? MIN_ROWS : limit;
}

/* ---- X_partitions ---------------------------------------------------------------------------- */

static int corrupt_partitions(struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "the partitions are damaged ('optimize' mends them)");
}

static int read_centroid(struct index_partitions *made, size_t i, sqlite3_stmt *scan,
                         struct error *err)
{
    const void *bytes;
    size_t size;
    int rc = statement_column_bytes(scan, 1, &bytes, &size, err);
    if (rc != 0) return rc;
    if (i >= made->n || size != made->dimensions * sizeof(float)) return corrupt_partitions(err);
    float *centroid = made->centroids + i * made->dimensions;
    made->numbers[i] = sqlite3_column_int64(scan, 0);
    memcpy(centroid, bytes, size);
    for (size_t j = 0; j < made->dimensions; j++)
        if (!isfinite(centroid[j])) return corrupt_partitions(err);
    return 0;
}

static int load(struct store *store, const struct store_state *state,
                struct index_partitions **loaded, struct error *err)
{
    sqlite3_stmt *scan = NULL;
    struct index_partitions *made = NULL;
    int row = 0;
    size_t i = 0;
    int64_t n;
    int rc = store_ask(store, STORE_N_PARTITIONS, 0, 0, &n, err);
    if (rc == 0 && (n < 1 || n > INDEX_MAX_PARTITIONS || state->dimensions == 0))
        rc = corrupt_partitions(err);
    if (rc == 0) rc = index_partitions_new((size_t)n, state->dimensions, &made, err);
    if (rc == 0) rc = store_query(store, STORE_CENTROIDS, &scan, err);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row)
        rc = read_centroid(made, i++, scan, err);
    sqlite3_finalize(scan);
    if (rc == 0 && i < made->n) rc = corrupt_partitions(err);
    if (rc != 0) {
        index_partitions_free(made);
        return rc;
    }
    made->version = state->partitions;
    index_partitions_ready(made);
    *loaded = made;
    return 0;
}

static void adopt(struct store *store, struct index_partitions *partitions)
{
    index_partitions_free(store->partitions);
    store->partitions = partitions;
}

void placement_forget(struct store *store)
{
    adopt(store, NULL);
}

int placement_read(struct store *store, const struct store_state *state,
                   const struct index_partitions **partitions, struct error *err)
{
    *partitions = NULL;
    if (!store_is_partitioned(store) || state->partitions == 0) return 0;
    if (store->partitions == NULL || store->partitions->version != state->partitions ||
        store->partitions->dimensions != state->dimensions) {
        struct index_partitions *loaded = NULL;
        int rc = load(store, state, &loaded, err);
        if (rc != 0) return rc;
        adopt(store, loaded);
    }
    *partitions = store->partitions;
    return 0;
}

static int put_centroid(struct store *store, const struct index_partitions *partitions, size_t i,
                        struct error *err)
{
    return store_put_centroid(store, partitions->numbers[i],
                              partitions->centroids + i * partitions->dimensions,
                              partitions->dimensions, err);
}

/* The table's partitions are these from now on, in this generation. */
static int take(struct store *store, struct store_state *state, struct index_partitions *partitions,
                struct error *err)
{
    index_partitions_ready(partitions);
    partitions->version = state->partitions = state->generation;
    adopt(store, partitions);
    return store_set(store, "partitions", state->partitions, err);
}

int placement_replace(struct store *store, struct store_state *state,
                      struct index_partitions *partitions, struct error *err)
{
    int rc = store_delete_partitions(store, state, err);
    for (size_t i = 0; rc == 0 && i < partitions->n; i++)
        rc = put_centroid(store, partitions, i, err);
    if (rc == 0) return take(store, state, partitions, err);
    index_partitions_free(partitions);
    return rc;
}

/* ---- placing --------------------------------------------------------------------------------- */

/* The first rows make the first partition. */
static int begin_partitions(struct store *store, struct store_state *state, const float *points,
                            size_t n_points, struct error *err)
{
    struct index_partitions *made;
    int rc = index_partitions_new(1, state->dimensions, &made, err);
    if (rc != 0) return rc;
    made->numbers[0] = 1;
    index_centroid(points, n_points, state->dimensions, made->centroids);
    return placement_replace(store, state, made, err);
}

static int compare_partitions(const void *a, const void *b)
{
    const struct block_row *x = a, *y = b;
    if (x->partition != y->partition) return x->partition < y->partition ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Rows whose partition is known, in any order, partition by partition. The order is that of the
 * partitions afterwards. */
static int append(struct store *store, const struct store_state *state, struct block_row *rows,
                  size_t n_rows, int64_t after, struct error *err)
{
    const struct index_partitions *partitions = store->partitions;
    int rc = 0;
    qsort(rows, n_rows, sizeof *rows, compare_partitions);
    for (size_t begin = 0, end; rc == 0 && begin < n_rows; begin = end) {
        for (end = begin + 1; end < n_rows && rows[end].partition == rows[begin].partition;) end++;
        size_t at = index_partitions_find(partitions, rows[begin].partition);
        struct block_target target = {rows[begin].partition, after,
                                      partitions->centroids + at * partitions->dimensions};
        rc = blocks_append(store, state, &target, rows + begin, end - begin, err);
    }
    return rc;
}

static int place_near(struct store *store, struct store_state *state, struct block_row *rows,
                      size_t n_rows, const float *points, int64_t after, struct error *err)
{
    const struct index_partitions *partitions;
    uint32_t *places = memory_alloc(n_rows, sizeof *places);
    int rc = places == NULL ? error_nomem(err) : placement_read(store, state, &partitions, err);
    if (rc == 0 && partitions == NULL) {
        rc = begin_partitions(store, state, points, n_rows, err);
        partitions = store->partitions;
    }
    if (rc == 0)
        rc = index_partitions_assign(partitions, points, n_rows, store_threads(store), places,
                                     store->cancel, err);
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        rows[i].partition = partitions->numbers[places[i]];
    memory_free(places);
    return rc == 0 ? append(store, state, rows, n_rows, after, err) : rc;
}

int placement_place(struct store *store, struct store_state *state, struct block_row *rows,
                    size_t n_rows, int64_t after, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_target target = {.after = after};
    if (n_rows == 0) return 0;
    if (!store_is_partitioned(store))
        return blocks_append(store, state, &target, rows, n_rows, err);
    float *points = memory_alloc(n_rows, layout.dimensions * sizeof *points);
    if (points == NULL) return error_nomem(err);
    for (size_t i = 0; i < n_rows; i++) {
        float *rotated = points + i * layout.dimensions;
        index_vector_point(&layout, rows[i].stored, rotated);
        rows[i].rotated = rotated;
    }
    int rc = place_near(store, state, rows, n_rows, points, after, err);
    memory_free(points);
    return rc;
}

int placement_find(struct store *store, const struct store_state *state, struct block_row *rows,
                   size_t n_rows, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    const struct index_partitions *partitions;
    int rc = placement_read(store, state, &partitions, err);
    if (rc != 0) return rc;
    for (size_t i = 0; i < n_rows; i++) rows[i].partition = partitions->numbers[0];
    if (partitions->n == 1) return 0;
    float *points = memory_alloc(n_rows, layout.dimensions * sizeof *points);
    uint32_t *places = memory_alloc(n_rows, sizeof *places);
    if (points == NULL || places == NULL) rc = error_nomem(err);
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        index_vector_point(&layout, rows[i].stored, points + i * layout.dimensions);
    if (rc == 0)
        rc = index_partitions_assign(partitions, points, n_rows, store_threads(store), places,
                                     store->cancel, err);
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        rows[i].partition = partitions->numbers[places[i]];
    memory_free(points);
    memory_free(places);
    return rc;
}

int placement_move(struct store *store, const struct block_row *rows, size_t n_rows,
                   struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        rc = store_move_row(store, rows[i].id, rows[i].block, err);
    return rc;
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* A partition, all in memory. */
struct partition {
    int64_t number;
    int64_t *blocks; /* [n_blocks] */
    size_t n_blocks, n_rows, n_read;
    struct block_row *rows; /* [n_rows] */
    unsigned char *vectors; /* [n_rows, index_vector_size]: as stored */
    float *points;          /* [n_rows, dimensions]: in code space */
    unsigned char *sides;   /* [n_rows] */
};

static void partition_free(struct partition *partition)
{
    memory_free(partition->blocks);
    memory_free(partition->rows);
    memory_free(partition->vectors);
    memory_free(partition->points);
    memory_free(partition->sides);
}

static int list_blocks(struct store *store, struct partition *partition, int64_t after,
                       struct error *err)
{
    sqlite3_stmt *scan;
    int row = 0;
    int rc = store_query(store, STORE_BLOCKS_OF_PARTITION, &scan, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(scan, 1, partition->number);
    sqlite3_bind_int64(scan, 2, after);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row) {
        int64_t *blocks =
            memory_realloc(partition->blocks, partition->n_blocks + 1, sizeof *blocks);
        if (blocks == NULL) {
            rc = error_nomem(err);
            break;
        }
        partition->blocks = blocks;
        partition->blocks[partition->n_blocks++] = sqlite3_column_int64(scan, 0);
        int64_t n = sqlite3_column_int64(scan, 1);
        if (n > 0 && n < (int64_t)MAX_BYTES) partition->n_rows += (size_t)n;
    }
    sqlite3_finalize(scan);
    return rc;
}

static int read_block(struct store *store, const struct store_state *state,
                      struct partition *partition, int64_t number, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_bytes block;
    size_t size = index_vector_size(&layout);
    int rc = block_read(store, &layout, number, &block, err);
    for (size_t i = 0; rc == 0 && i < block.n && partition->n_read < partition->n_rows; i++) {
        size_t at = partition->n_read++;
        unsigned char *stored = partition->vectors + at * size;
        float *point = partition->points + at * layout.dimensions;
        partition->rows[at] =
            (struct block_row){.id = block.rows.ids[i], .stored = stored, .rotated = point};
        if (layout.quantize == INDEX_EXACT)
            memcpy(stored, block.rows.components + i * block.rows.stride, size);
        else rc = store_get_vector(store, block.rows.ids[i], size, stored, err);
        if (rc == 0) index_vector_point(&layout, stored, point);
    }
    block_free(&block);
    return rc;
}

static int read_partition(struct store *store, const struct store_state *state,
                          struct partition *partition, int64_t after, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    int rc = list_blocks(store, partition, after, err);
    if (rc != 0) return rc;
    partition->rows = memory_alloc(partition->n_rows, sizeof *partition->rows);
    partition->vectors = memory_alloc(partition->n_rows, index_vector_size(&layout));
    partition->points = memory_alloc(partition->n_rows, layout.dimensions * sizeof(float));
    partition->sides = memory_alloc(partition->n_rows, 1);
    if (partition->rows == NULL || partition->vectors == NULL || partition->points == NULL ||
        partition->sides == NULL)
        return error_nomem(err);
    for (size_t i = 0; rc == 0 && i < partition->n_blocks; i++)
        rc = read_block(store, state, partition, partition->blocks[i], err);
    partition->n_rows = partition->n_read;
    return rc;
}

/* One partition becomes two: the first keeps its number, the second comes behind all others. */
static int make_two(struct store *store, struct store_state *state,
                    const struct partition *partition, int64_t *second, struct error *err)
{
    const struct index_partitions *before = store->partitions;
    struct index_partitions *after;
    size_t dimensions = before->dimensions, at = index_partitions_find(before, partition->number);
    if (at == before->n || before->numbers[before->n - 1] == INT64_MAX)
        return corrupt_partitions(err);
    int rc = index_partitions_new(before->n + 1, dimensions, &after, err);
    float *centroids = rc == 0 ? memory_alloc(2, dimensions * sizeof *centroids) : NULL;
    if (rc == 0 && centroids == NULL) rc = error_nomem(err);
    if (rc == 0)
        rc = index_partitions_split(partition->points, partition->n_rows, dimensions,
                                    partition->sides, centroids, store->cancel, err);
    if (rc == 0) {
        memcpy(after->numbers, before->numbers, before->n * sizeof *after->numbers);
        memcpy(after->centroids, before->centroids,
               before->n * dimensions * sizeof *after->centroids);
        memcpy(after->centroids + at * dimensions, centroids, dimensions * sizeof *centroids);
        memcpy(after->centroids + before->n * dimensions, centroids + dimensions,
               dimensions * sizeof *centroids);
        *second = after->numbers[before->n] = before->numbers[before->n - 1] + 1;
        rc = put_centroid(store, after, at, err);
        if (rc == 0) rc = put_centroid(store, after, before->n, err);
    }
    memory_free(centroids);
    if (rc == 0) return take(store, state, after, err);
    index_partitions_free(after);
    return rc;
}

/* Rows of a partition that was cut go to a third one where that is nearer than their half is. */
static int move_out(struct store *store, struct partition *partition, struct error *err)
{
    const struct index_partitions *all = store->partitions;
    struct index_partitions *near = NULL;
    uint32_t *places = memory_alloc(partition->n_rows, sizeof *places);
    int rc = places == NULL ? error_nomem(err) : 0;
    if (rc == 0)
        rc = index_partitions_near(store->partitions, index_partitions_find(all, partition->number),
                                   NEIGHBOURS, &near, err);
    if (rc == 0)
        rc = index_partitions_assign(near, partition->points, partition->n_rows,
                                     store_threads(store), places, store->cancel, err);
    for (size_t i = 0; rc == 0 && i < partition->n_rows; i++) {
        struct block_row *row = &partition->rows[i];
        if (near->numbers[places[i]] == row->partition) continue;
        size_t half = index_partitions_find(all, row->partition);
        if (index_partitions_distance(near, row->rotated, places[i]) <
            index_partitions_distance(all, row->rotated, half))
            row->partition = near->numbers[places[i]];
    }
    index_partitions_free(near);
    memory_free(places);
    return rc;
}

static int split(struct store *store, struct store_state *state, int64_t number, int64_t after,
                 int64_t *second, struct error *err)
{
    struct partition partition = {.number = number};
    int rc = read_partition(store, state, &partition, after, err);
    if (rc == 0 && partition.n_rows < 2) rc = corrupt_partitions(err);
    if (rc == 0) rc = make_two(store, state, &partition, second, err);
    for (size_t i = 0; rc == 0 && i < partition.n_blocks; i++)
        rc = store_delete_block(store, partition.blocks[i], err);
    for (size_t i = 0; rc == 0 && i < partition.n_rows; i++)
        partition.rows[i].partition = partition.sides[i] ? *second : number;
    if (rc == 0) rc = move_out(store, &partition, err);
    if (rc == 0) rc = append(store, state, partition.rows, partition.n_rows, after, err);
    if (rc == 0) rc = placement_move(store, partition.rows, partition.n_rows, err);
    partition_free(&partition);
    return rc;
}

/* A partition, and what comes of it. */
static int split_until_small(struct store *store, struct store_state *state, int64_t number,
                             int64_t after, struct error *err)
{
    int64_t size, second = 0;
    for (;;) {
        int rc = store_ask(store, STORE_N_ROWS_OF_PARTITION, number, after, &size, err);
        if (rc != 0) return rc;
        if (size <= 1 || (uint64_t)size <= placement_limit(store, state, store->partitions->n))
            return 0;
        rc = split(store, state, number, after, &second, err);
        if (rc == 0) rc = split_until_small(store, state, second, after, err);
        if (rc != 0) return rc;
    }
}

int placement_split(struct store *store, struct store_state *state, struct block_row *rows,
                    size_t n_rows, int64_t after, struct error *err)
{
    int rc = 0;
    if (!store_is_partitioned(store)) return 0;
    qsort(rows, n_rows, sizeof *rows, compare_partitions);
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        if (i == 0 || rows[i].partition != rows[i - 1].partition)
            rc = split_until_small(store, state, rows[i].partition, after, err);
    return rc;
}

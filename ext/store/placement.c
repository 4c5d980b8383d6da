#include "store/placement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/store.h"

/* Rows of a part, at most, for partitions = 'auto' and for bits: a scan of codes is through them in
 * microseconds, and a million rows give some 700 centroids, which a query meets in 0.1 ms. */
#define AUTO_LIMIT 2048

/* Rows of a part, at most, while partitions = n has fewer than n parts. */
#define GROWING_LIMIT 256

/* A part is cut in memory: bytes of its vectors, at most. */
#define MOST_BYTES ((size_t)32 << 20)
#define FEWEST_ROWS 16

size_t parts_limit(const struct store *store, const struct store_state *state, size_t n_parts)
{
    size_t wanted = store->options.partitions, limit = AUTO_LIMIT;
    if (wanted == 0 && store->options.quantize != INDEX_BIT) return SIZE_MAX;
    if (n_parts >= (wanted == 0 || wanted == STORE_AUTO ? INDEX_MAX_PARTITIONS : wanted))
        return SIZE_MAX;
    if (wanted != 0 && wanted != STORE_AUTO) limit = GROWING_LIMIT;
    size_t most = MOST_BYTES / (state->dimensions * sizeof(float));
    if (limit > most) limit = most;
    return limit < FEWEST_ROWS ? FEWEST_ROWS : limit;
}

/* ---- X_partitions ---------------------------------------------------------------------------- */

static int corrupt_parts(struct error *err)
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
    if (i >= made->n || size != made->dimensions * sizeof(float)) return corrupt_parts(err);
    float *centroid = made->centroids + i * made->dimensions;
    made->numbers[i] = sqlite3_column_int64(scan, 0);
    memcpy(centroid, bytes, size);
    for (size_t j = 0; j < made->dimensions; j++)
        if (!isfinite(centroid[j])) return corrupt_parts(err);
    return 0;
}

static int load(struct store *store, const struct store_state *state,
                struct index_partitions **loaded, struct error *err)
{
    sqlite3_stmt *scan = NULL;
    struct index_partitions *made = NULL;
    int row = 0;
    size_t i = 0;
    int rc =
        statement_prepare(store->db, &scan, err, "SELECT count(*) FROM \"%w\".\"%w_partitions\"",
                          store->schema, store->name);
    if (rc == 0) rc = statement_step(store->db, scan, &row, err);
    int64_t n = row ? sqlite3_column_int64(scan, 0) : 0;
    sqlite3_finalize(scan);
    scan = NULL;
    if (rc == 0 && (n < 1 || n > INDEX_MAX_PARTITIONS || state->dimensions == 0))
        rc = corrupt_parts(err);
    if (rc == 0) rc = index_partitions_new((size_t)n, state->dimensions, &made, err);
    if (rc == 0)
        rc = statement_prepare(store->db, &scan, err,
                               "SELECT partition, centroid FROM \"%w\".\"%w_partitions\" ORDER BY "
                               "partition",
                               store->schema, store->name);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row)
        rc = read_centroid(made, i++, scan, err);
    sqlite3_finalize(scan);
    if (rc == 0 && i != made->n) rc = corrupt_parts(err);
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

int parts_read(struct store *store, const struct store_state *state,
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
    sqlite3_stmt *statement;
    int rc = store_statement(store, STATEMENT_PUT_PARTITION, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, partitions->numbers[i]);
    sqlite3_bind_blob64(statement, 2, partitions->centroids + i * partitions->dimensions,
                        partitions->dimensions * sizeof(float), SQLITE_STATIC);
    return store_run(store, statement, err);
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

int parts_replace(struct store *store, struct store_state *state,
                  struct index_partitions *partitions, struct error *err)
{
    int rc = statement_execute(store->db, err, "DELETE FROM \"%w\".\"%w_partitions\"",
                               store->schema, store->name);
    for (size_t i = 0; rc == 0 && i < partitions->n; i++)
        rc = put_centroid(store, partitions, i, err);
    if (rc == 0) return take(store, state, partitions, err);
    index_partitions_free(partitions);
    return rc;
}

/* ---- placing --------------------------------------------------------------------------------- */

/* The first rows make the first part. */
static int begin_parts(struct store *store, struct store_state *state, const float *points,
                       size_t n_points, struct error *err)
{
    struct index_partitions *made;
    int rc = index_partitions_new(1, state->dimensions, &made, err);
    if (rc != 0) return rc;
    made->numbers[0] = 1;
    index_centroid(points, n_points, state->dimensions, made->centroids);
    return parts_replace(store, state, made, err);
}

static int compare_partitions(const void *a, const void *b)
{
    const struct block_row *x = a, *y = b;
    if (x->partition != y->partition) return x->partition < y->partition ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Rows whose partition is known, in any order, part by part. The order is that of the partitions
 * afterwards. */
static int append_parts(struct store *store, const struct store_state *state,
                        struct block_row *rows, size_t n_rows, int64_t after, struct error *err)
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
    struct connection *connection = store->connection;
    uint32_t *places = memory_alloc(n_rows, sizeof *places);
    int rc = places == NULL ? error_nomem(err) : parts_read(store, state, &partitions, err);
    if (rc == 0 && partitions == NULL) {
        rc = begin_parts(store, state, points, n_rows, err);
        partitions = store->partitions;
    }
    if (rc == 0)
        rc = index_partitions_assign(partitions, points, n_rows,
                                     (size_t)catalog_get(connection->catalog, CATALOG_THREADS),
                                     places, &connection->cancel, err);
    for (size_t i = 0; rc == 0 && i < n_rows; i++)
        rows[i].partition = partitions->numbers[places[i]];
    memory_free(places);
    return rc == 0 ? append_parts(store, state, rows, n_rows, after, err) : rc;
}

int parts_place(struct store *store, struct store_state *state, struct block_row *rows,
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
        float *turned = points + i * layout.dimensions;
        index_code_space(&layout, rows[i].vector, turned);
        rows[i].turned = turned;
    }
    int rc = place_near(store, state, rows, n_rows, points, after, err);
    memory_free(points);
    return rc;
}

int parts_move(struct store *store, const struct block_row *rows, size_t n_rows, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n_rows; i++) {
        sqlite3_stmt *statement;
        rc = store_statement(store, STATEMENT_MOVE_ROW, &statement, err);
        if (rc != 0) return rc;
        sqlite3_bind_int64(statement, 1, rows[i].id);
        sqlite3_bind_int64(statement, 2, rows[i].block);
        rc = store_run(store, statement, err);
    }
    return rc;
}

/* ---- cutting --------------------------------------------------------------------------------- */

int parts_vector(struct store *store, const struct store_state *state, int64_t id, float *vector,
                 struct error *err)
{
    sqlite3_stmt *statement;
    const void *bytes;
    size_t size = 0;
    int row = 0;
    int rc = store_statement(store, STATEMENT_GET_VECTOR, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, id);
    rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && !row)
        return error_set(err, ERROR_CORRUPT,
                         "row %lld: its vector is not there ('optimize' forgets the row)",
                         (long long)id);
    if (rc == 0) rc = statement_column_bytes(statement, 0, &bytes, &size, err);
    if (rc == 0 && size != state->dimensions * sizeof *vector)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                       (long long)id, state->dimensions * sizeof *vector, size);
    if (rc == 0) memcpy(vector, bytes, size);
    if (row) sqlite3_reset(statement);
    return rc;
}

/* A part, all in memory. */
struct part {
    int64_t number;
    int64_t *blocks; /* [n_blocks] */
    size_t n_blocks, n_rows, n_read;
    struct block_row *rows;  /* [n_rows] */
    float *vectors, *points; /* [n_rows, dimensions]: as given, and in code space */
    unsigned char *sides;    /* [n_rows] */
};

static void part_free(struct part *part)
{
    memory_free(part->blocks);
    memory_free(part->rows);
    memory_free(part->vectors);
    memory_free(part->points);
    memory_free(part->sides);
}

static int list_blocks(struct store *store, struct part *part, int64_t after, struct error *err)
{
    sqlite3_stmt *scan;
    int row = 0;
    int rc =
        statement_prepare(store->db, &scan, err,
                          "SELECT block, n FROM \"%w\".\"%w_blocks\" WHERE partition = %lld AND "
                          "block > %lld",
                          store->schema, store->name, (long long)part->number, (long long)after);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row) {
        int64_t *blocks = memory_realloc(part->blocks, part->n_blocks + 1, sizeof *blocks);
        if (blocks == NULL) {
            rc = error_nomem(err);
            break;
        }
        part->blocks = blocks;
        part->blocks[part->n_blocks++] = sqlite3_column_int64(scan, 0);
        int64_t n = sqlite3_column_int64(scan, 1);
        if (n > 0 && n < (int64_t)MOST_BYTES) part->n_rows += (size_t)n;
    }
    sqlite3_finalize(scan);
    return rc;
}

static int read_block(struct store *store, const struct store_state *state, struct part *part,
                      int64_t number, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    struct block_bytes block;
    int rc = block_read(store, &layout, number, &block, err);
    for (size_t i = 0; rc == 0 && i < block.n && part->n_read < part->n_rows; i++) {
        size_t at = part->n_read++ * layout.dimensions;
        part->rows[part->n_read - 1] = (struct block_row){
            .id = block.rows.ids[i], .vector = part->vectors + at, .turned = part->points + at};
        if (layout.quantize == INDEX_EXACT)
            memcpy(part->vectors + at, block.rows.components + i * block.rows.stride,
                   block.rows.stride);
        else rc = parts_vector(store, state, block.rows.ids[i], part->vectors + at, err);
        if (rc == 0) index_code_space(&layout, part->vectors + at, part->points + at);
    }
    block_free(&block);
    return rc;
}

static int read_part(struct store *store, const struct store_state *state, struct part *part,
                     int64_t after, struct error *err)
{
    size_t row_size = state->dimensions * sizeof(float);
    int rc = list_blocks(store, part, after, err);
    if (rc != 0) return rc;
    part->rows = memory_alloc(part->n_rows, sizeof *part->rows);
    part->vectors = memory_alloc(part->n_rows, row_size);
    part->points = memory_alloc(part->n_rows, row_size);
    part->sides = memory_alloc(part->n_rows, 1);
    if (part->rows == NULL || part->vectors == NULL || part->points == NULL || part->sides == NULL)
        return error_nomem(err);
    for (size_t i = 0; rc == 0 && i < part->n_blocks; i++)
        rc = read_block(store, state, part, part->blocks[i], err);
    part->n_rows = part->n_read;
    return rc;
}

/* One part becomes two: the first keeps its number, the second comes behind all others. */
static int make_two(struct store *store, struct store_state *state, const struct part *part,
                    int64_t *second, struct error *err)
{
    const struct index_partitions *before = store->partitions;
    struct index_partitions *after;
    size_t dimensions = before->dimensions, at = index_partitions_find(before, part->number);
    if (at == before->n || before->numbers[before->n - 1] == INT64_MAX) return corrupt_parts(err);
    int rc = index_partitions_new(before->n + 1, dimensions, &after, err);
    float *centroids = rc == 0 ? memory_alloc(2, dimensions * sizeof *centroids) : NULL;
    if (rc == 0 && centroids == NULL) rc = error_nomem(err);
    if (rc == 0)
        rc = index_partitions_split(part->points, part->n_rows, dimensions, part->sides, centroids,
                                    &store->connection->cancel, err);
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

static int split_part(struct store *store, struct store_state *state, int64_t number, int64_t after,
                      int64_t *second, struct error *err)
{
    struct part part = {.number = number};
    int rc = read_part(store, state, &part, after, err);
    if (rc == 0 && part.n_rows < 2) rc = corrupt_parts(err);
    if (rc == 0) rc = make_two(store, state, &part, second, err);
    for (size_t i = 0; rc == 0 && i < part.n_blocks; i++)
        rc = blocks_drop(store, part.blocks[i], err);
    for (size_t i = 0; rc == 0 && i < part.n_rows; i++)
        part.rows[i].partition = part.sides[i] ? *second : number;
    if (rc == 0) rc = append_parts(store, state, part.rows, part.n_rows, after, err);
    if (rc == 0) rc = parts_move(store, part.rows, part.n_rows, err);
    part_free(&part);
    return rc;
}

/* A part, and what comes of it. */
static int split_until_small(struct store *store, struct store_state *state, int64_t number,
                             int64_t after, struct error *err)
{
    int64_t size, second = 0;
    for (;;) {
        int rc = blocks_ask(store, STATEMENT_PART_SIZE, number, after, &size, err);
        if (rc != 0) return rc;
        if (size <= 1 || (uint64_t)size <= parts_limit(store, state, store->partitions->n))
            return 0;
        rc = split_part(store, state, number, after, &second, err);
        if (rc == 0) rc = split_until_small(store, state, second, after, err);
        if (rc != 0) return rc;
    }
}

int parts_split(struct store *store, struct store_state *state, struct block_row *rows,
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

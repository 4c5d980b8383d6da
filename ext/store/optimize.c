#include "store/optimize.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "store/blocks.h"
#include "store/placement.h"
#include "store/store.h"

/* Rows of a pass that are worked on together; bytes of their vectors, at most. */
#define MOST_ROWS 2048
#define MOST_BYTES ((size_t)4 << 20)

#define FEWEST_ROWS 16

/* A part with less than one in so many of the rows that it may have is given up. */
#define SMALL_PART 16

/* ---- all rows, some at a time ---------------------------------------------------------------- */

/* Where rows come from: with quantize from X_vectors, which hold the truth; else from the blocks
 * that were there when the pass began. */
struct pass {
    struct store *store;
    struct store_state *state;
    struct index_layout layout;
    sqlite3_stmt *scan;
    struct block_bytes block; /* the one that is read, without quantize */
    size_t in_block;
    struct block_row *rows; /* [n_rows] */
    float *vectors;         /* [capacity, dimensions] */
    size_t n_rows, capacity;
};

static int pass_open(struct store *store, struct store_state *state, int64_t last_block,
                     struct pass *pass, struct error *err)
{
    *pass = (struct pass){.store = store, .state = state, .layout = blocks_layout(store, state)};
    size_t row_size = state->dimensions * sizeof(float);
    pass->capacity = MOST_BYTES / row_size > MOST_ROWS ? MOST_ROWS : MOST_BYTES / row_size;
    if (pass->capacity < FEWEST_ROWS) pass->capacity = FEWEST_ROWS;
    pass->rows = memory_alloc(pass->capacity, sizeof *pass->rows);
    pass->vectors = memory_alloc(pass->capacity, row_size);
    if (pass->rows == NULL || pass->vectors == NULL) return error_nomem(err);
    if (store->options.quantize != INDEX_EXACT)
        return statement_prepare(store->db, &pass->scan, err,
                                 "SELECT id, vector FROM \"%w\".\"%w_vectors\" ORDER BY id",
                                 store->schema, store->name);
    return statement_prepare(store->db, &pass->scan, err,
                             "SELECT block FROM \"%w\".\"%w_blocks\" WHERE block <= %lld ORDER BY "
                             "block",
                             store->schema, store->name, (long long)last_block);
}

static void pass_close(struct pass *pass)
{
    sqlite3_finalize(pass->scan);
    block_free(&pass->block);
    memory_free(pass->rows);
    memory_free(pass->vectors);
}

static int check_vector(const struct store *store, int64_t id, const void *bytes, size_t size,
                        size_t dimensions, struct error *err)
{
    if (size != dimensions * sizeof(float) || bytes == NULL)
        return error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                         (long long)id, dimensions * sizeof(float), size);
    int zero = 1;
    for (size_t i = 0; i < dimensions; i++) {
        float component;
        memcpy(&component, (const char *)bytes + i * sizeof component, sizeof component);
        if (!isfinite(component))
            return error_set(err, ERROR_CORRUPT,
                             "row %lld: component %zu of its vector is not finite", (long long)id,
                             i);
        if (component != 0.0f) zero = 0;
    }
    if (zero && index_metrics[store->options.metric].of_directions)
        return error_set(err, ERROR_CORRUPT, "row %lld: its vector is zero", (long long)id);
    return 0;
}

/* One row of a statement on X_vectors. */
static int take_vector(struct pass *pass, struct error *err)
{
    const void *bytes;
    size_t size;
    int64_t id = sqlite3_column_int64(pass->scan, 0);
    float *to = pass->vectors + pass->n_rows * pass->layout.dimensions;
    int rc = statement_column_bytes(pass->scan, 1, &bytes, &size, err);
    if (rc == 0) rc = check_vector(pass->store, id, bytes, size, pass->layout.dimensions, err);
    if (rc != 0) return rc;
    memcpy(to, bytes, size);
    pass->rows[pass->n_rows++] = (struct block_row){.id = id, .vector = to};
    return 0;
}

/* The next row of the block that is read. */
static int take_place(struct pass *pass, struct error *err)
{
    size_t i = pass->in_block++;
    float *to = pass->vectors + pass->n_rows * pass->layout.dimensions;
    const struct index_rows *rows = &pass->block.rows;
    memcpy(to, rows->components + i * rows->stride, rows->stride);
    pass->rows[pass->n_rows++] =
        (struct block_row){.id = rows->ids[i], .vector = to, .block = pass->block.number};
    return check_vector(pass->store, rows->ids[i], to, rows->stride, pass->layout.dimensions, err);
}

/* The next rows; n_rows is 0 after the last. */
static int pass_next(struct pass *pass, struct error *err)
{
    int row = 0;
    int rc = cancel_check(&pass->store->connection->cancel, err);
    pass->n_rows = 0;
    while (rc == 0 && pass->n_rows < pass->capacity) {
        if (pass->block.bytes != NULL && pass->in_block < pass->block.n) {
            rc = take_place(pass, err);
            continue;
        }
        if (pass->scan == NULL) break;
        rc = statement_step(pass->store->db, pass->scan, &row, err);
        if (rc == 0 && !row) {
            sqlite3_finalize(pass->scan); /* stepped once more it would begin again */
            pass->scan = NULL;
        } else if (rc == 0 && pass->layout.quantize != INDEX_EXACT) {
            rc = take_vector(pass, err);
        } else if (rc == 0) {
            block_free(&pass->block);
            pass->in_block = 0;
            rc = block_read(pass->store, &pass->layout, sqlite3_column_int64(pass->scan, 0),
                            &pass->block, err);
        }
    }
    return rc;
}

/* ---- 'optimize' ------------------------------------------------------------------------------ */

/* What the rows of each part add up to. */
struct sums {
    float *means; /* [parts, dimensions] */
    size_t *n;    /* [parts] */
};

/* Moves the mean of a part by one point more: it stays the mean of all so far. */
static void add_point(struct sums *sums, size_t part, const float *point, size_t dimensions)
{
    float *mean = sums->means + part * dimensions, share = 1.0f / (float)++sums->n[part];
    for (size_t i = 0; i < dimensions; i++) mean[i] += (point[i] - mean[i]) * share;
}

static int add_rows(struct pass *pass, const struct index_partitions *partitions, struct sums *sums,
                    float *points, uint32_t *places, struct error *err)
{
    struct connection *connection = pass->store->connection;
    size_t dimensions = pass->layout.dimensions;
    for (size_t i = 0; i < pass->n_rows; i++)
        index_code_space(&pass->layout, pass->rows[i].vector, points + i * dimensions);
    int rc = index_partitions_assign(partitions, points, pass->n_rows,
                                     (size_t)catalog_get(connection->catalog, CATALOG_THREADS),
                                     places, &connection->cancel, err);
    for (size_t i = 0; rc == 0 && i < pass->n_rows; i++)
        add_point(sums, places[i], points + i * dimensions, dimensions);
    return rc;
}

/* The partitions that follow from the sums: small ones are left out, but never all. */
static int make_partitions(struct store *store, struct store_state *state,
                           const struct index_partitions *before, const struct sums *sums,
                           struct error *err)
{
    size_t dimensions = before->dimensions, n = 0, largest = 0,
           least = parts_limit(store, state, 0) / SMALL_PART;
    struct index_partitions *made;
    for (size_t i = 0; i < before->n; i++) {
        if (sums->n[i] > sums->n[largest]) largest = i;
        n += sums->n[i] > least;
    }
    int rc = index_partitions_new(n == 0 ? 1 : n, dimensions, &made, err);
    if (rc != 0) return rc;
    for (size_t i = 0, j = 0; i < before->n; i++) {
        if (n == 0 ? i != largest : sums->n[i] <= least) continue;
        made->numbers[j] = (int64_t)j + 1;
        memcpy(made->centroids + j++ * dimensions, sums->means + i * dimensions,
               dimensions * sizeof *made->centroids);
    }
    return parts_replace(store, state, made, err);
}

static int move_centroids(struct store *store, struct store_state *state, int64_t last_block,
                          const struct index_partitions *before, struct error *err)
{
    struct pass pass;
    int rc = pass_open(store, state, last_block, &pass, err);
    size_t dimensions = state->dimensions;
    struct sums sums = {memory_zalloc(before->n, dimensions * sizeof *sums.means),
                        memory_zalloc(before->n, sizeof *sums.n)};
    float *points = memory_alloc(pass.capacity, dimensions * sizeof *points);
    uint32_t *places = memory_alloc(pass.capacity, sizeof *places);
    if (rc == 0 && (sums.means == NULL || sums.n == NULL || points == NULL || places == NULL))
        rc = error_nomem(err);
    while (rc == 0 && (rc = pass_next(&pass, err)) == 0 && pass.n_rows > 0)
        rc = add_rows(&pass, before, &sums, points, places, err);
    if (rc == 0) rc = make_partitions(store, state, before, &sums, err);
    memory_free(sums.means);
    memory_free(sums.n);
    memory_free(points);
    memory_free(places);
    pass_close(&pass);
    return rc;
}

/* Partitions that cannot be read are begun anew. */
static int renew_partitions(struct store *store, struct store_state *state, int64_t last_block,
                            struct error *err)
{
    const struct index_partitions *before;
    if (!store_is_partitioned(store)) return 0;
    int rc = parts_read(store, state, &before, err);
    if (rc == ERROR_CORRUPT) {
        state->partitions = 0;
        rc = statement_execute(store->db, err, "DELETE FROM \"%w\".\"%w_partitions\"",
                               store->schema, store->name);
        return rc == 0 ? store_set(store, "partitions", 0, err) : rc;
    }
    return rc == 0 && before != NULL ? move_centroids(store, state, last_block, before, err) : rc;
}

/* With quantize: rows without a vector are forgotten, so that the next sync embeds them; vectors
 * without a row too. */
static int drop_halves(struct store *store, struct error *err)
{
    if (store->options.quantize == INDEX_EXACT) return 0;
    int rc = statement_execute(store->db, err,
                               "DELETE FROM \"%w\".\"%w_rows\" WHERE id NOT IN (SELECT id FROM "
                               "\"%w\".\"%w_vectors\")",
                               store->schema, store->name, store->schema, store->name);
    if (rc != 0) return rc;
    return statement_execute(store->db, err,
                             "DELETE FROM \"%w\".\"%w_vectors\" WHERE id NOT IN (SELECT id FROM "
                             "\"%w\".\"%w_rows\")",
                             store->schema, store->name, store->schema, store->name);
}

/* What can be made anew from the vectors goes first, whatever damage is in it. */
static int drop_blocks(struct store *store, struct error *err)
{
    int rc = statement_execute(store->db, err, "DELETE FROM \"%w\".\"%w_blocks\"", store->schema,
                               store->name);
    if (rc != 0) return rc;
    return statement_execute(store->db, err, "DELETE FROM \"%w\".\"%w_data\"", store->schema,
                             store->name);
}

static int write_again(struct store *store, struct store_state *state, int64_t last_block,
                       struct error *err)
{
    struct pass pass;
    int rc = pass_open(store, state, last_block, &pass, err);
    while (rc == 0 && (rc = pass_next(&pass, err)) == 0 && pass.n_rows > 0) {
        rc = parts_place(store, state, pass.rows, pass.n_rows, last_block, err);
        if (rc == 0) rc = parts_move(store, pass.rows, pass.n_rows, err);
        if (rc == 0) rc = parts_split(store, state, pass.rows, pass.n_rows, last_block, err);
    }
    pass_close(&pass);
    return rc;
}

static int drop_orphans(struct store *store, struct error *err)
{
    return statement_execute(store->db, err,
                             "DELETE FROM \"%w\".\"%w_data\" WHERE block NOT IN (SELECT block FROM "
                             "\"%w\".\"%w_blocks\")",
                             store->schema, store->name, store->schema, store->name);
}

int store_optimize(struct store *store, struct store_state *state, struct error *err)
{
    int64_t last_block = 0;
    if (state->dimensions == 0) return 0;
    int rc = drop_halves(store, err);
    if (rc == 0)
        rc = store->options.quantize != INDEX_EXACT ? drop_blocks(store, err)
                                                    : drop_orphans(store, err);
    if (rc == 0) rc = blocks_ask(store, STATEMENT_LAST_BLOCK, 0, 0, &last_block, err);
    if (rc == 0) rc = renew_partitions(store, state, last_block, err);
    if (rc == 0) rc = write_again(store, state, last_block, err);
    if (rc == 0)
        rc = statement_execute(store->db, err,
                               "DELETE FROM \"%w\".\"%w_blocks\" WHERE block <= %lld",
                               store->schema, store->name, (long long)last_block);
    return rc == 0 ? drop_orphans(store, err) : rc;
}

/* ---- 'integrity-check' ----------------------------------------------------------------------- */

/* Codes and blocks are made anew from the vectors; without quantize the blocks are all there is. */
static const char *cure(const struct store *store)
{
    return store->options.quantize == INDEX_EXACT ? "" : " ('optimize' mends it)";
}

/* A query that must find nothing: `sql` takes schema and name twice and selects a number. */
static int check_none(struct store *store, const char *what, const char *message, struct error *err,
                      const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    int rc = statement_prepare(store->db, &statement, err, sql, store->schema, store->name,
                               store->schema, store->name);
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
    float *vector = memory_alloc(2 * layout.dimensions, sizeof *vector);
    int rc = vector == NULL ? error_nomem(err) : 0;
    if (rc == 0 && layout.quantize != INDEX_EXACT) rc = parts_vector(store, state, id, vector, err);
    else if (rc == 0) memcpy(vector, rows->components + i * rows->stride, rows->stride);
    if (rc == 0)
        rc = check_vector(store, id, vector, layout.dimensions * sizeof *vector, layout.dimensions,
                          err);
    if (rc == 0 && layout.quantize != INDEX_EXACT) {
        const struct index_rows *made = &expected->rows;
        index_code_space(&layout, vector, vector + layout.dimensions);
        index_row_write(&layout, made, 0, id, vector, vector + layout.dimensions, centroid);
        if (made->offsets[0] != rows->offsets[i] || made->scales[0] != rows->scales[i] ||
            made->errors[0] != rows->errors[i] ||
            memcmp(made->components, rows->components + i * rows->stride, rows->stride) != 0)
            rc = error_set(err, ERROR_CORRUPT,
                           "row %lld: its code is not that of its vector ('optimize' mends it)",
                           (long long)id);
    }
    memory_free(vector);
    return rc;
}

/* One block: its rows say that they lie in it. */
static int check_block(struct store *store, const struct store_state *state, int64_t number,
                       size_t *n_rows, struct error *err)
{
    struct index_layout layout = blocks_layout(store, state);
    const struct index_partitions *partitions;
    struct block_bytes block, expected = {.capacity = 1};
    const float *centroid = NULL;
    int rc = block_read(store, &layout, number, &block, err);
    if (rc != 0) return rc;
    expected.bytes = memory_alloc(index_block_size(&layout, 1), 1);
    if (expected.bytes == NULL) rc = error_nomem(err);
    else expected.rows = index_block_rows(&layout, expected.bytes, 1);
    if (rc == 0) rc = parts_read(store, state, &partitions, err);
    if (rc == 0 && store_is_partitioned(store)) {
        size_t at = partitions == NULL ? 0 : index_partitions_find(partitions, block.partition);
        if (partitions == NULL || at == partitions->n)
            rc = error_set(err, ERROR_CORRUPT,
                           "block %lld: its partition is not there ('optimize' mends it)",
                           (long long)number);
        else centroid = partitions->centroids + at * partitions->dimensions;
    }
    for (size_t i = 0; rc == 0 && i < block.n; i++) {
        struct store_row row;
        int found;
        rc = store_get_row(store, block.rows.ids[i], &row, &found, err);
        if (rc == 0 && (!found || row.block != number ||
                        index_row_find(&block.rows, i, block.rows.ids[i]) < i))
            rc = error_set(err, ERROR_CORRUPT,
                           "row %lld: it lies in block %lld, which is not its place%s",
                           (long long)block.rows.ids[i], (long long)number, cure(store));
        if (rc == 0) rc = check_place(store, state, &block, i, centroid, &expected, err);
    }
    *n_rows += block.n;
    block_free(&expected);
    block_free(&block);
    return rc != 0 ? rc : cancel_check(&store->connection->cancel, err);
}

/* All rows are in blocks: as many as X_rows has. */
static int check_blocks(struct store *store, const struct store_state *state, struct error *err)
{
    sqlite3_stmt *scan = NULL;
    int row = 0;
    size_t n_rows = 0;
    int64_t n_expected = 0;
    int rc = statement_prepare(store->db, &scan, err, "SELECT block FROM \"%w\".\"%w_blocks\"",
                               store->schema, store->name);
    while (rc == 0 && (rc = statement_step(store->db, scan, &row, err)) == 0 && row)
        rc = check_block(store, state, sqlite3_column_int64(scan, 0), &n_rows, err);
    sqlite3_finalize(scan);
    scan = NULL;
    if (rc == 0)
        rc = statement_prepare(store->db, &scan, err, "SELECT count(*) FROM \"%w\".\"%w_rows\"",
                               store->schema, store->name);
    if (rc == 0) rc = statement_step(store->db, scan, &row, err);
    if (rc == 0) n_expected = sqlite3_column_int64(scan, 0);
    sqlite3_finalize(scan);
    if (rc == 0 && n_expected != (int64_t)n_rows)
        rc = error_set(err, ERROR_CORRUPT, "there are %lld rows, but %zu in blocks%s",
                       (long long)n_expected, n_rows, cure(store));
    return rc;
}

int store_integrity_check(struct store *store, struct error *err)
{
    struct store_state state;
    int rc = store_read_state(store, &state, err);
    if (rc == 0) rc = check_blocks(store, &state, err);
    if (rc == 0)
        rc = check_none(store, "block", "its bytes belong to no block ('optimize' mends it)", err,
                        "SELECT block FROM \"%w\".\"%w_data\" WHERE block NOT IN (SELECT block "
                        "FROM \"%w\".\"%w_blocks\")");
    if (rc == 0 && store->options.quantize != INDEX_EXACT)
        rc = check_none(store, "row", "its vector belongs to no row ('optimize' mends it)", err,
                        "SELECT id FROM \"%w\".\"%w_vectors\" WHERE id NOT IN (SELECT id FROM "
                        "\"%w\".\"%w_rows\")");
    if (rc == 0 && store->options.keeps_texts)
        rc = check_none(store, "row", "its vector has no text row", err,
                        "SELECT id FROM \"%w\".\"%w_rows\" WHERE id NOT IN (SELECT id FROM "
                        "\"%w\".\"%w_text\")");
    return rc;
}

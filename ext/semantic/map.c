/*
 * map.c: semantic_map(index [, points [, schema]]): the rows of an index as points of a plane.
 *
 * A table `key, x, y`: of each row its key in the content (the rowid, where that is what the index
 * goes by), and where it lies, x and y from -1 to 1. Rows that are alike lie near each other, as
 * far as a plane can show that: it is the one on which the rows differ most (vector/plane.h), found
 * by a sample of them. The mean of the sample is the origin, both axes have one scale, and the
 * point that is farthest along either lies on the border.
 *
 * Of an index of more rows than `points` (2,000) these come at equal steps through it, in the order
 * of their rowids. Each vector is read when it is needed and not kept, but for the sample. Rows
 * that the content has no more, as nobody told the index, are left out, as in a search.
 */
#include <math.h>

#include "base/memory.h"
#include "semantic/candidates.h"
#include "semantic/content.h"
#include "semantic/retrieve.h"
#include "semantic/semantic.h"
#include "sqlite/table_function.h"
#include "vector/distance.h"
#include "vector/plane.h"

#define USUAL_POINTS 2000
#define MOST_POINTS 1000000

/* The sample: rows, and bytes of their vectors. */
#define SAMPLE_ROWS ((size_t)2000)
#define SAMPLE_BYTES ((size_t)16 << 20)

enum { MAP_KEY, MAP_X, MAP_Y, MAP_INDEX, MAP_POINTS, MAP_SCHEMA };

struct map_cursor {
    struct table_cursor base;
    struct retrieval retrieval;
    int64_t *ids;        /* [n] owned */
    double (*places)[2]; /* [n] owned */
    size_t n, at;
    sqlite3_value *key; /* of a keyed index: the current row's; owned */
};

static void map_free(struct table_cursor *base)
{
    struct map_cursor *cursor = (struct map_cursor *)base;
    retrieve_close(&cursor->retrieval);
    sqlite3_value_free(cursor->key);
    memory_free(cursor->ids);
    memory_free(cursor->places);
}

static int look(struct map_cursor *cursor, struct error *err)
{
    return cancel_check(&table_cursor_connection(&cursor->base)->cancel, err);
}

/* Ids of at most so many rows, at equal steps. */
static int list_rows(struct map_cursor *cursor, size_t points, struct error *err)
{
    struct store *store = &cursor->retrieval.table->store;
    sqlite3_stmt *scan = NULL;
    int64_t n_rows;
    int row = 1;
    int rc = store_ask(store, STORE_N_ROWS, 0, 0, &n_rows, err);
    if (rc == 0) rc = store_query(store, STORE_IDS, &scan, err);
    size_t total = rc == 0 ? (size_t)n_rows : 0;
    if (points > total) points = total;
    cursor->ids = memory_alloc(points, sizeof *cursor->ids);
    if (rc == 0 && cursor->ids == NULL) rc = error_nomem(err);
    for (size_t i = 0; rc == 0 && cursor->n < points; i++) {
        rc = statement_step(store->db, scan, &row, err);
        if (rc != 0 || !row) break;
        if (i == (uint64_t)cursor->n * total / points)
            cursor->ids[cursor->n++] = sqlite3_column_int64(scan, 0);
    }
    sqlite3_finalize(scan);
    return rc;
}

/* Leaves the rows that the content has. */
static int drop_lost(struct map_cursor *cursor, struct error *err)
{
    unsigned char pass[FILTER_GROUP];
    size_t n = 0;
    int rc = 0;
    if (!candidates_are_filtered(&cursor->retrieval)) return 0;
    for (size_t first = 0; rc == 0 && first < cursor->n; first += FILTER_GROUP) {
        size_t left = cursor->n - first, size = left < FILTER_GROUP ? left : FILTER_GROUP;
        const int64_t *ids = cursor->ids + first;
        rc = candidates_pass(&cursor->retrieval, ids, size, pass, err);
        for (size_t i = 0; rc == 0 && i < size; i++)
            if (pass[i]) cursor->ids[n++] = ids[i];
        if (rc == 0) rc = look(cursor, err);
    }
    cursor->n = n;
    return rc;
}

/* The vector of a row as it is drawn: its direction alone, where only that counts. */
static int read_vector(struct map_cursor *cursor, size_t i, float *vector, struct error *err)
{
    struct retrieval *retrieval = &cursor->retrieval;
    int rc = retrieve_copy_vector(retrieval, cursor->ids[i], vector, err);
    if (rc == 0 && index_metrics[retrieval->table->config.metric].of_directions)
        vector_normalize(vector, retrieval->state.dimensions, vector);
    return rc == 0 && i % 64 == 63 ? look(cursor, err) : rc;
}

static int fit(struct map_cursor *cursor, struct vector_plane *plane, struct error *err)
{
    size_t dimensions = cursor->retrieval.state.dimensions, size = dimensions * sizeof(float);
    size_t n = cursor->n < SAMPLE_ROWS ? cursor->n : SAMPLE_ROWS;
    if (n > SAMPLE_BYTES / size) n = SAMPLE_BYTES / size;
    float *rows = memory_alloc(n, size);
    int rc = rows == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_vector(cursor, i * cursor->n / n, rows + i * dimensions, err);
    if (rc == 0)
        rc = vector_plane_fit(plane, rows, n, dimensions,
                              &table_cursor_connection(&cursor->base)->cancel, err);
    memory_free(rows);
    return rc;
}

/* The places of all rows. */
static int place(struct map_cursor *cursor, const struct vector_plane *plane, struct error *err)
{
    double most = 0.0;
    float *vector = memory_alloc(plane->dimensions, sizeof *vector);
    cursor->places = memory_alloc(cursor->n, sizeof *cursor->places);
    int rc = vector == NULL || cursor->places == NULL ? error_nomem(err) : 0;
    for (size_t i = 0; rc == 0 && i < cursor->n; i++) {
        double *at = cursor->places[i];
        rc = read_vector(cursor, i, vector, err);
        if (rc != 0) break;
        vector_plane_place(plane, vector, at);
        most = fmax(most, fmax(fabs(at[0]), fabs(at[1])));
    }
    for (size_t i = 0; rc == 0 && most > 0.0 && i < cursor->n; i++)
        for (int axis = 0; axis < 2; axis++) cursor->places[i][axis] /= most;
    memory_free(vector);
    return rc;
}

/* The row at cursor->at. */
static int settle(struct map_cursor *cursor, struct error *err)
{
    struct semantic_table *table = cursor->retrieval.table;
    cursor->base.is_done = cursor->at == cursor->n;
    if (cursor->base.is_done || !table->store.keeps_keys) return 0;
    sqlite3_value_free(cursor->key);
    cursor->key = NULL;
    return content_key(table, NULL, cursor->ids[cursor->at], &cursor->key, err);
}

static int map_start(struct table_cursor *base, struct error *err)
{
    struct map_cursor *cursor = (struct map_cursor *)base;
    sqlite3_value *const *arguments = base->arguments;
    struct vector_plane plane = {0};
    size_t points = USUAL_POINTS;
    int rc = argument_optional_count(arguments[1], "points", 1, MOST_POINTS, &points, err);
    if (rc == 0)
        rc = retrieve_open_named(&cursor->retrieval, table_cursor_context(base), arguments[0],
                                 arguments[2], err);
    if (rc == 0 && cursor->retrieval.state.dimensions == 0) { /* no rows */
        base->is_done = 1;
        return 0;
    }
    if (rc == 0) rc = list_rows(cursor, points, err);
    if (rc == 0) rc = drop_lost(cursor, err);
    if (rc == 0 && cursor->n > 0) {
        rc = fit(cursor, &plane, err);
        if (rc == 0) rc = place(cursor, &plane, err);
        vector_plane_deinit(&plane);
    }
    return rc == 0 ? settle(cursor, err) : rc;
}

static int map_next(struct table_cursor *base, struct error *err)
{
    struct map_cursor *cursor = (struct map_cursor *)base;
    cursor->at++;
    return settle(cursor, err);
}

static void map_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    const struct map_cursor *cursor = (struct map_cursor *)base;
    if (column == MAP_KEY && cursor->retrieval.table->store.keeps_keys) {
        if (cursor->key != NULL) sqlite3_result_value(context, cursor->key);
    } else if (column == MAP_KEY) {
        sqlite3_result_int64(context, cursor->ids[cursor->at]);
    } else {
        sqlite3_result_double(context, cursor->places[cursor->at][column - MAP_X]);
    }
}

static const struct table_function map = {
    .name = "semantic_map",
    .usage = "semantic_map(index [, points [, schema]])",
    .declaration = "CREATE TABLE x(key, x, y, \"index\" HIDDEN, points HIDDEN, schema HIDDEN)",
    .first_argument = MAP_INDEX,
    .n_arguments = 3,
    .n_needed = 1,
    .cursor_size = sizeof(struct map_cursor),
    .start = map_start,
    .next = map_next,
    .column = map_column,
    .free = map_free,
};

int map_register(struct connection *connection, struct semantic_registry *registry)
{
    return table_function_register(connection, &map, registry);
}

/*
 * search_each.c: semantic_search_each(index, queries [, k [, schema]]): many queries in one pass.
 *
 * A table `key, id, similarity, distance, rank`: for each query its k (25) nearest rows, best first.
 * queries is a JSON array or object of texts, as embed_each takes it, or of vectors (JSON arrays, or
 * texts that are JSON arrays), or a BLOB of vectors one behind the other; key is what json_each
 * calls key, or the 0-based position in the BLOB. SQLite asks a virtual table one query at a time, so that a join of
 * queries with an index reads all rows for each; here a group of queries meets each block together,
 * and texts are embedded in one call.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "functions/functions.h"
#include "semantic/embedder.h"
#include "semantic/view.h"
#include "sqlite/table_function.h"
#include "sqlite/text_list.h"
#include "vector/codec.h"

/* Queries that go through the index together; bytes of their hits, at most. */
#define GROUP ((size_t)64)
#define GROUP_BYTES ((size_t)64 << 20)

#define USUAL_K 25

enum {
    EACH_KEY,
    EACH_ID,
    EACH_SIMILARITY,
    EACH_DISTANCE,
    EACH_RANK,
    EACH_INDEX, /* the first argument */
    EACH_QUERIES,
    EACH_K,
    EACH_SCHEMA
};

struct each_cursor {
    struct table_cursor base;
    struct semantic_view view;
    struct text_list list; /* of a JSON list */
    float *vectors;        /* [n_queries, dimensions]; owned */
    const float **queries; /* [n_queries]; NULL for null */
    size_t n_queries, k;
    struct top_k hits[GROUP]; /* of the queries from `group` on */
    size_t group, n_group;
    size_t query; /* the current one */
    struct top_k_hit hit;
    int64_t rank;
};

static void drop_group(struct each_cursor *cursor)
{
    for (size_t i = 0; i < cursor->n_group; i++) top_k_deinit(&cursor->hits[i]);
    cursor->n_group = 0;
}

static void each_free(struct table_cursor *base)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    drop_group(cursor);
    view_close(&cursor->view);
    text_list_deinit(&cursor->list);
    memory_free(cursor->vectors);
    memory_free(cursor->queries);
}

/* ---- the queries ----------------------------------------------------------------------------- */

static int make_room(struct each_cursor *cursor, size_t n, struct error *err)
{
    cursor->n_queries = n;
    cursor->vectors = memory_alloc(n, cursor->view.state.dimensions * sizeof *cursor->vectors);
    cursor->queries = memory_zalloc(n, sizeof *cursor->queries);
    return cursor->vectors == NULL || cursor->queries == NULL ? error_nomem(err) : 0;
}

/* A query's vector, checked, into its place. */
static int take_vector(struct each_cursor *cursor, size_t i, const float *vector, size_t dimensions,
                       struct error *err)
{
    const struct semantic_view *view = &cursor->view;
    float *place = cursor->vectors + i * view->state.dimensions;
    int rc = semantic_check_dimensions(&view->state, "the query", dimensions, err);
    if (rc == 0) rc = semantic_check_direction(view->table, vector, dimensions, err);
    if (rc != 0) return rc;
    memcpy(place, vector, dimensions * sizeof *place);
    cursor->queries[i] = place;
    return 0;
}

static int read_blob(struct each_cursor *cursor, sqlite3_value *blob, struct error *err)
{
    size_t size = (size_t)sqlite3_value_bytes(blob), dimensions = cursor->view.state.dimensions;
    if (size == 0 || size % (dimensions * sizeof(float)) != 0)
        return error_set(err, ERROR_INVALID,
                         "queries: expected vectors of %zu bytes one behind the other, not %zu "
                         "bytes",
                         dimensions * sizeof(float), size);
    size_t n = size / (dimensions * sizeof(float));
    int rc = make_room(cursor, n, err);
    const char *bytes = sqlite3_value_blob(blob);
    if (rc == 0 && bytes == NULL) rc = error_nomem(err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        size_t checked;
        float *place = cursor->vectors + i * dimensions;
        memcpy(place, bytes + i * dimensions * sizeof(float), dimensions * sizeof(float));
        rc = vector_check(place, dimensions * sizeof(float), &checked, err);
        if (rc == 0) rc = semantic_check_direction(cursor->view.table, place, dimensions, err);
        if (rc != 0) error_context(err, "query %zu", i);
        if (rc == 0 && i % 256 == 255)
            rc = cancel_check(&cursor->view.table->connection->cancel, err);
        cursor->queries[i] = place;
    }
    return rc;
}

/* Embeds the texts of the list, all in one call. */
static int embed_texts(struct each_cursor *cursor, const struct span *texts, const size_t *places,
                       size_t n_texts, struct error *err)
{
    struct semantic_table *table = cursor->view.table;
    struct model_embeddings embeddings = {0};
    struct model_texts request = {texts, n_texts, MODEL_QUERY, &table->connection->cancel};
    struct catalog_entry *entry;
    struct model *fitted;
    if (n_texts == 0) return 0;
    int rc = semantic_embedder(table, &cursor->view.state, &entry, &fitted, err);
    if (rc == 0)
        rc = catalog_embed(table->connection->catalog, entry, fitted, &request, &embeddings, err);
    for (size_t i = 0; rc == 0 && i < n_texts; i++) {
        rc = take_vector(cursor, places[i], embeddings.vectors + i * embeddings.dimensions,
                         embeddings.dimensions, err);
        if (rc != 0) rc = text_item_error(&cursor->list.items[places[i]], rc, err);
    }
    memory_free(embeddings.vectors);
    return rc;
}

static int read_item(struct each_cursor *cursor, size_t i, struct error *err)
{
    struct argument_vector vector = {0};
    const struct text_item *item = &cursor->list.items[i];
    int rc = argument_vector(item->value, &vector, err);
    if (rc == 0) rc = take_vector(cursor, i, vector.data, vector.dimensions, err);
    argument_vector_deinit(&vector);
    return rc == 0 ? 0 : text_item_error(item, rc, err);
}

static int read_json(struct each_cursor *cursor, sqlite3_value *json, struct error *err)
{
    struct text_list *list = &cursor->list;
    int rc = text_list_read(cursor->view.table->db, json, TEXT_LIST_ARRAYS, NULL, list, err);
    if (rc == 0) rc = make_room(cursor, list->n, err);
    if (rc != 0) return rc;
    size_t n_texts = 0;
    struct span *texts = memory_alloc(list->n, sizeof *texts);
    size_t *places = memory_alloc(list->n, sizeof *places);
    if (texts == NULL || places == NULL) rc = error_nomem(err);
    for (size_t i = 0; rc == 0 && i < list->n; i++) {
        const struct text_item *item = &list->items[i];
        if (item->is_null) continue;
        if (argument_is_json_array(item->value)) {
            rc = read_item(cursor, i, err);
            continue;
        }
        rc = model_check_text(item->text, 1, err);
        if (rc != 0) rc = text_item_error(item, rc, err);
        places[n_texts] = i;
        texts[n_texts++] = item->text;
    }
    if (rc == 0) rc = embed_texts(cursor, texts, places, n_texts, err);
    memory_free(texts);
    memory_free(places);
    return rc;
}

static int read_k(struct each_cursor *cursor, sqlite3_value *value, struct error *err)
{
    cursor->k = USUAL_K;
    if (value == NULL || sqlite3_value_type(value) == SQLITE_NULL) return 0;
    if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER || sqlite3_value_int64(value) < 1)
        return error_set(err, ERROR_INVALID, "k must be an integer of 1 or more");
    cursor->k = (size_t)sqlite3_value_int64(value);
    return 0;
}

/* ---- the hits -------------------------------------------------------------------------------- */

/* Searches for the next group; null queries have no hits. */
static int search_group(struct each_cursor *cursor, struct error *err)
{
    struct index_search search = reader_search(&cursor->view.reader, &cursor->view.storage);
    size_t n_rows = cursor->view.reader.snapshot->n_rows, n = 0,
           k = cursor->k < n_rows ? cursor->k : n_rows, most = GROUP;
    struct index_query queries[GROUP];
    drop_group(cursor);
    if (k > 0 && GROUP_BYTES / (k * sizeof(struct top_k_hit)) < most)
        most = GROUP_BYTES / (k * sizeof(struct top_k_hit));
    if (most == 0) most = 1;
    cursor->group = cursor->query;
    while (n < most && cursor->group + n < cursor->n_queries &&
           cursor->queries[cursor->group + n] != NULL) {
        queries[n] = (struct index_query){.vector = cursor->queries[cursor->group + n],
                                          .k = cursor->k,
                                          .min_similarity = -INFINITY};
        top_k_init(&cursor->hits[n++], cursor->k);
    }
    cursor->n_group = n;
    return n == 0 ? 0 : index_search(&search, queries, n, cursor->hits, err);
}

/* The next hit: of the current query, or of the next one that has any. */
static int each_next(struct table_cursor *base, struct error *err)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    for (; cursor->query < cursor->n_queries; cursor->query++, cursor->rank = 0) {
        if (cursor->queries[cursor->query] == NULL) continue;
        if (cursor->query >= cursor->group + cursor->n_group) {
            int rc = search_group(cursor, err);
            if (rc != 0) return rc;
        }
        if (!top_k_pop(&cursor->hits[cursor->query - cursor->group], &cursor->hit)) continue;
        cursor->rank++;
        return 0;
    }
    base->is_done = 1;
    return 0;
}

static int each_start(struct table_cursor *base, struct error *err)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    sqlite3_value *const *arguments = base->arguments;
    sqlite3_value *queries = arguments[EACH_QUERIES - EACH_INDEX];
    int rc = read_k(cursor, arguments[EACH_K - EACH_INDEX], err);
    if (rc == 0)
        rc = view_open(table_cursor_connection(base), arguments[0],
                       arguments[EACH_SCHEMA - EACH_INDEX], &cursor->view, err);
    if (rc == 0 && cursor->view.state.dimensions == 0) { /* no rows */
        base->is_done = 1;
        return 0;
    }
    if (rc == 0)
        rc = sqlite3_value_type(queries) == SQLITE_BLOB ? read_blob(cursor, queries, err)
                                                        : read_json(cursor, queries, err);
    return rc == 0 ? each_next(base, err) : rc;
}

static void each_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    enum index_metric metric = cursor->view.table->config.metric;
    if (column == EACH_ID) sqlite3_result_int64(context, cursor->hit.id);
    else if (column == EACH_SIMILARITY)
        sqlite3_result_double(context, index_similarity(metric, cursor->hit.similarity));
    else if (column == EACH_DISTANCE)
        sqlite3_result_double(context, index_distance(metric, cursor->hit.similarity));
    else if (column == EACH_RANK) sqlite3_result_int64(context, cursor->rank);
    else if (cursor->list.n > 0)
        sqlite3_result_value(context, cursor->list.items[cursor->query].key);
    else sqlite3_result_int64(context, (sqlite3_int64)cursor->query);
}

static const struct table_function search_each = {
    .name = "semantic_search_each",
    .usage = "semantic_search_each(index, queries [, k [, schema]])",
    .declaration = "CREATE TABLE x(key, id, similarity, distance, rank, \"index\" HIDDEN, queries "
                   "HIDDEN, k HIDDEN, schema HIDDEN)",
    .first_argument = EACH_INDEX,
    .n_arguments = 4,
    .n_needed = 2,
    .cursor_size = sizeof(struct each_cursor),
    .start = each_start,
    .next = each_next,
    .column = each_column,
    .free = each_free,
};

int search_each_register(struct connection *connection)
{
    return table_function_register(connection, &search_each);
}

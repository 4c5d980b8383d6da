/*
 * search_each.c: semantic_search_each(index, queries [, k [, schema]]): many queries in one pass.
 *
 * A table `key, id, similarity, distance, rank, score, bm25`: for each query its k (25) best rows,
 * best first; score and bm25 are NULL in an index without words. queries is a JSON array or object
 * of texts, as embed_each takes it, or of vectors (JSON arrays, or texts that are JSON arrays), or
 * a BLOB of vectors one behind the other; key is what json_each calls key, or the 0-based position
 * in the BLOB. SQLite asks a virtual table one query at a time, so that a join of queries with an
 * index reads all rows for each; here a group of queries meets each block together, and texts are
 * embedded in one call.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "semantic/retrieve.h"
#include "semantic/semantic.h"
#include "sqlite/result.h"
#include "sqlite/table_function.h"
#include "sqlite/text_list.h"
#include "vector/codec.h"

#define USUAL_K 25

enum {
    EACH_KEY,
    EACH_ID,
    EACH_SIMILARITY,
    EACH_DISTANCE,
    EACH_RANK,
    EACH_SCORE,
    EACH_BM25,
    EACH_INDEX, /* the first argument */
    EACH_QUERIES,
    EACH_K,
    EACH_SCHEMA
};

struct each_cursor {
    struct table_cursor base;
    struct retrieval retrieval;
    struct text_list list;          /* of JSON: whose elements the queries borrow */
    float *vectors;                 /* of a BLOB: [n_queries, dimensions]; owned */
    struct semantic_query *queries; /* [n_queries]; owned */
    size_t n_queries;
    struct retrieve_row row; /* the current one */
};

static void each_free(struct table_cursor *base)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    retrieve_close(&cursor->retrieval);
    for (size_t i = 0; i < cursor->n_queries; i++) semantic_query_deinit(&cursor->queries[i]);
    memory_free(cursor->queries);
    memory_free(cursor->vectors);
    text_list_deinit(&cursor->list);
}

static int make_room(struct each_cursor *cursor, size_t n, struct error *err)
{
    cursor->queries = memory_zalloc(n, sizeof *cursor->queries);
    if (cursor->queries == NULL) return error_nomem(err);
    cursor->n_queries = n;
    return 0;
}

/* Which query an error of code rc is about: SIZE_MAX for none. */
static int name_query(const struct each_cursor *cursor, size_t i, int rc, struct error *err)
{
    if (i >= cursor->n_queries) return rc;
    if (cursor->list.n > 0) return text_item_error(&cursor->list.items[i], rc, err);
    error_context(err, "query %zu", i);
    return rc;
}

/* Vectors that lie one behind the other, where they are aligned and checked to be finite. */
static int read_blob(struct each_cursor *cursor, sqlite3_value *blob, struct error *err)
{
    size_t size = (size_t)sqlite3_value_bytes(blob);
    size_t dimensions = cursor->retrieval.state.dimensions, row_size = dimensions * sizeof(float);
    if (size == 0 || size % row_size != 0)
        return error_set(err, ERROR_INVALID,
                         "queries: expected vectors of %zu bytes one behind the other, not %zu "
                         "bytes",
                         row_size, size);
    int rc = make_room(cursor, size / row_size, err);
    const void *bytes = sqlite3_value_blob(blob);
    cursor->vectors = memory_alloc(size, 1);
    if (rc == 0 && (bytes == NULL || cursor->vectors == NULL)) rc = error_nomem(err);
    if (rc == 0) memcpy(cursor->vectors, bytes, size);
    for (size_t i = 0; rc == 0 && i < cursor->n_queries; i++) {
        struct argument_vector *vector = &cursor->queries[i].vector;
        vector->data = cursor->vectors + i * dimensions;
        rc = vector_check(vector->data, row_size, &vector->dimensions, err);
        if (rc != 0) rc = name_query(cursor, i, rc, err);
        if (rc == 0 && i % 256 == 255)
            rc = cancel_check(&table_cursor_connection(&cursor->base)->cancel, err);
    }
    return rc;
}

static int read_json(struct each_cursor *cursor, sqlite3_value *json, struct error *err)
{
    struct text_list *list = &cursor->list;
    int rc = text_list_read(table_cursor_connection(&cursor->base)->db, json, TEXT_LIST_ARRAYS,
                            NULL, list, err);
    if (rc == 0) rc = make_room(cursor, list->n, err);
    for (size_t i = 0; rc == 0 && i < list->n; i++) {
        const struct text_item *item = &list->items[i];
        rc = item->object.data != NULL /* an array */
                 ? argument_vector(item->value, &cursor->queries[i].vector, err)
                 : semantic_query_read(&cursor->queries[i], cursor->retrieval.table, item->value,
                                       err);
        if (rc != 0) rc = name_query(cursor, i, rc, err);
    }
    return rc;
}

static int each_next(struct table_cursor *base, struct error *err)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    int found;
    int rc = retrieve_next(&cursor->retrieval, &cursor->row, &found, err);
    base->is_done = !found;
    return rc;
}

static int each_start(struct table_cursor *base, struct error *err)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    struct retrieval *retrieval = &cursor->retrieval;
    struct retrieve_limits limits = {.k = USUAL_K, .hint = SIZE_MAX, .min_similarity = -INFINITY};
    sqlite3_value *const *arguments = base->arguments;
    sqlite3_value *queries = arguments[EACH_QUERIES - EACH_INDEX];
    int rc =
        argument_optional_count(arguments[EACH_K - EACH_INDEX], "k", 1, SIZE_MAX, &limits.k, err);
    if (rc == 0)
        rc = retrieve_open_named(retrieval, table_cursor_context(base), arguments[0],
                                 arguments[EACH_SCHEMA - EACH_INDEX], err);
    if (rc == 0 && retrieval->state.dimensions == 0) { /* no rows */
        base->is_done = 1;
        return 0;
    }
    if (rc == 0)
        rc = sqlite3_value_type(queries) == SQLITE_BLOB ? read_blob(cursor, queries, err)
                                                        : read_json(cursor, queries, err);
    if (rc != 0) return rc;
    rc = retrieve_search(retrieval, cursor->queries, cursor->n_queries, &limits, err);
    return rc == 0 ? each_next(base, err) : name_query(cursor, retrieval->blamed, rc, err);
}

static void each_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    struct each_cursor *cursor = (struct each_cursor *)base;
    const struct retrieve_row *row = &cursor->row;
    int has_words = cursor->retrieval.table->store.tokenizer != NULL;
    if (column == EACH_ID) sqlite3_result_int64(context, row->id);
    else if (column == EACH_SIMILARITY) result_number(context, row->similarity);
    else if (column == EACH_DISTANCE) result_number(context, row->distance);
    else if (column == EACH_BM25) result_number(context, row->bm25);
    else if (column == EACH_RANK) sqlite3_result_int64(context, row->rank);
    else if (column == EACH_SCORE) result_number(context, has_words ? row->score : NAN);
    else if (cursor->list.n > 0) sqlite3_result_value(context, cursor->list.items[row->query].key);
    else sqlite3_result_int64(context, (sqlite3_int64)row->query);
}

static const struct table_function search_each = {
    .name = "semantic_search_each",
    .usage = "semantic_search_each(index, queries [, k [, schema]])",
    .declaration = "CREATE TABLE x(key, id, similarity REAL, distance REAL, rank INTEGER, score "
                   "REAL, bm25 REAL, \"index\" HIDDEN, queries HIDDEN, k HIDDEN, schema HIDDEN)",
    .first_argument = EACH_INDEX,
    .n_arguments = 4,
    .n_needed = 2,
    .cursor_size = sizeof(struct each_cursor),
    .start = each_start,
    .next = each_next,
    .column = each_column,
    .free = each_free,
};

int search_each_register(struct connection *connection, struct semantic_registry *registry)
{
    return table_function_register(connection, &search_each, registry);
}

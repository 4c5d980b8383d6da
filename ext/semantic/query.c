#include "semantic/query.h"

#include "base/memory.h"
#include "store/store.h"
#include "text/asked.h"
#include "text/blank.h"

/* Whether a text is a vector of the index. */
static int read_vector(struct semantic_query *query, struct semantic_table *table,
                       sqlite3_value *value, int *is_vector, struct error *err)
{
    struct store_state state;
    struct error bad;
    *is_vector = 0;
    if (!argument_is_json_array(value)) return 0;
    int rc = argument_vector(value, &query->vector, &bad);
    if (rc == ERROR_NOMEM) return error_nomem(err);
    if (rc != 0) return 0;
    rc = store_read_state(&table->store, &state, err);
    *is_vector = rc == 0 && query->vector.dimensions == state.dimensions;
    if (*is_vector) return 0;
    argument_vector_deinit(&query->vector);
    query->vector = (struct argument_vector){0};
    return rc;
}

/* What nobody types: no text, and of as many bytes as a vector of the index has. */
static int refuse_bytes(struct semantic_table *table, sqlite3_value *value, struct error *err)
{
    struct store_state state;
    size_t size = (size_t)sqlite3_value_bytes(value);
    int rc = store_read_state(&table->store, &state, err);
    if (rc != 0 || size != state.dimensions * sizeof(float)) return rc;
    error_set(err, ERROR_INVALID, "a query of %zu bytes that are no text", size);
    return argument_hint_blob(err);
}

int semantic_query_is_fused(const struct semantic_query *query)
{
    return query->text.data != NULL && query->weight < 1.0;
}

int semantic_query_is_embedded(const struct semantic_query *query)
{
    return query->text.data != NULL && query->weight > 0.0;
}

struct span semantic_query_meant(const struct semantic_query *query)
{
    if (query->meant.size == 0) return query->text;
    return (struct span){query->meant.data, query->meant.size};
}

/* What is excluded is not meant, unless that is all there is. */
static int read_asked(struct semantic_query *query, struct error *err)
{
    struct asked asked = {0};
    struct buffer *meant = &query->meant;
    int rc = asked_read(&asked, query->text, err), excludes = 0;
    buffer_init(meant, 2 * query->text.size);
    for (size_t i = 0; rc == 0 && i < asked.n; i++) {
        const struct asked_piece *piece = &asked.pieces[i];
        if (piece->kind != ASKED_WORDS) query->restricts = 1;
        if (piece->kind == ASKED_NOT) {
            excludes = 1;
            continue;
        }
        if (meant->size > 0) rc = buffer_append(meant, " ", 1, err);
        if (rc == 0) rc = buffer_append(meant, piece->text.data, piece->text.size, err);
    }
    struct span left = {meant->data, meant->size};
    if (!excludes || text_is_invisible(left)) buffer_clear(meant);
    asked_deinit(&asked);
    return rc;
}

int semantic_query_read(struct semantic_query *query, struct semantic_table *table,
                        sqlite3_value *value, struct error *err)
{
    int is_vector;
    *query = (struct semantic_query){
        .fusion = table->config.fusion, .weight = table->config.weight, .known = 1.0};
    if (sqlite3_value_type(value) == SQLITE_BLOB)
        return argument_vector(value, &query->vector, err);
    int rc = read_vector(query, table, value, &is_vector, err);
    if (rc != 0 || is_vector) return rc;
    rc = argument_query(value, &query->text, &query->owned, err);
    if (rc == 0 && query->owned != NULL) rc = refuse_bytes(table, value, err);
    return rc == 0 && table->store.tokenizer != NULL ? read_asked(query, err) : rc;
}

void semantic_query_deinit(struct semantic_query *query)
{
    argument_vector_deinit(&query->vector);
    memory_free(query->owned);
    buffer_deinit(&query->meant);
    *query = (struct semantic_query){0};
}

/*
 * failures_function.c: SELECT * FROM semantic_failures('movie_index' [, schema]): the rows of an
 * index whose text could not be embedded: rowid (of a keyed index the key), message, attempts, at.
 * Top-level SQL only.
 */
#include "semantic/content.h"
#include "semantic/flush.h"
#include "semantic/registry.h"
#include "semantic/semantic.h"
#include "sqlite/table_function.h"

enum { FAILURES_ROWID, FAILURES_MESSAGE, FAILURES_ATTEMPTS, FAILURES_AT, FAILURES_INDEX };

struct failures_cursor {
    struct table_cursor base;
    sqlite3_stmt *pin, *scan;     /* owned */
    struct semantic_table *index; /* while it is pinned */
    sqlite3_value *key;           /* of a keyed index; owned; NULL: of the index's number alone */
};

static void failures_free(struct table_cursor *base)
{
    struct failures_cursor *cursor = (struct failures_cursor *)base;
    sqlite3_value_free(cursor->key);
    sqlite3_finalize(cursor->scan);
    sqlite3_finalize(cursor->pin);
}

static int failures_next(struct table_cursor *base, struct error *err)
{
    struct failures_cursor *cursor = (struct failures_cursor *)base;
    int row;
    int rc = statement_step(table_cursor_connection(base)->db, cursor->scan, &row, err);
    base->is_done = !row;
    if (rc != 0 || !row || !cursor->index->store.keeps_keys) return rc;
    sqlite3_value_free(cursor->key);
    return content_key(cursor->index, NULL, sqlite3_column_int64(cursor->scan, 0), &cursor->key,
                       err);
}

static int failures_start(struct table_cursor *base, struct error *err)
{
    struct failures_cursor *cursor = (struct failures_cursor *)base;
    struct store_state state;
    int rc = registry_open(table_cursor_context(base), base->arguments[0], base->arguments[1],
                           &cursor->pin, &cursor->index, err);
    if (rc == 0) rc = flush_pending(cursor->index, err);
    if (rc == 0) rc = store_read_state(&cursor->index->store, &state, err);
    base->is_done = 1;
    if (rc != 0 || !state.keeps_failures) return rc;
    rc = store_query(&cursor->index->store, STORE_FAILURES, &cursor->scan, err);
    return rc == 0 ? failures_next(base, err) : rc;
}

static void failures_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    static const int columns[] = {
        [FAILURES_ROWID] = 0, [FAILURES_MESSAGE] = 2, [FAILURES_ATTEMPTS] = 3, [FAILURES_AT] = 4};
    const struct failures_cursor *cursor = (struct failures_cursor *)base;
    if (column == FAILURES_ROWID && cursor->key != NULL) sqlite3_result_value(context, cursor->key);
    else sqlite3_result_value(context, sqlite3_column_value(cursor->scan, columns[column]));
}

static const struct table_function failures_function = {
    .name = "semantic_failures",
    .usage = "the name of a semantic_index: semantic_failures('movie_index')",
    .declaration = "CREATE TABLE x(\"rowid\", message, attempts, at, \"index\" HIDDEN, schema "
                   "HIDDEN)",
    .first_argument = FAILURES_INDEX,
    .n_arguments = 2,
    .n_needed = 1,
    .is_direct_only = 1,
    .cursor_size = sizeof(struct failures_cursor),
    .start = failures_start,
    .next = failures_next,
    .column = failures_column,
    .free = failures_free,
};

int failures_register(struct connection *connection, struct semantic_registry *registry)
{
    return table_function_register(connection, &failures_function, registry);
}

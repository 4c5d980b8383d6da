/*
 * failures_function.c: SELECT * FROM semantic_failures('movie_index' [, schema]): the rows of an
 * index whose text could not be embedded: rowid, message, attempts, at. Top-level SQL only.
 */
#include "semantic/flush.h"
#include "semantic/registry.h"
#include "semantic/semantic.h"
#include "sqlite/table_function.h"

enum { FAILURES_ROWID, FAILURES_MESSAGE, FAILURES_ATTEMPTS, FAILURES_AT, FAILURES_INDEX };

struct failures_cursor {
    struct table_cursor base;
    sqlite3_stmt *pin, *scan; /* owned */
};

static void failures_free(struct table_cursor *base)
{
    struct failures_cursor *cursor = (struct failures_cursor *)base;
    sqlite3_finalize(cursor->scan);
    sqlite3_finalize(cursor->pin);
}

static int failures_next(struct table_cursor *base, struct error *err)
{
    struct failures_cursor *cursor = (struct failures_cursor *)base;
    int row;
    int rc = statement_step(table_cursor_connection(base)->db, cursor->scan, &row, err);
    base->is_done = !row;
    return rc;
}

static int failures_start(struct table_cursor *base, struct error *err)
{
    struct failures_cursor *cursor = (struct failures_cursor *)base;
    struct semantic_table *index;
    struct store_state state;
    int rc = registry_open(table_cursor_context(base), base->arguments[0], base->arguments[1],
                           &cursor->pin, &index, err);
    if (rc == 0) rc = flush_pending(index, err);
    if (rc == 0) rc = store_read_state(&index->store, &state, err);
    base->is_done = 1;
    if (rc != 0 || !state.keeps_failures) return rc;
    rc = store_query(&index->store, STORE_FAILURES, &cursor->scan, err);
    return rc == 0 ? failures_next(base, err) : rc;
}

static void failures_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    static const int columns[] = {
        [FAILURES_ROWID] = 0, [FAILURES_MESSAGE] = 2, [FAILURES_ATTEMPTS] = 3, [FAILURES_AT] = 4};
    const struct failures_cursor *cursor = (struct failures_cursor *)base;
    sqlite3_result_value(context, sqlite3_column_value(cursor->scan, columns[column]));
}

static const struct table_function failures_function = {
    .name = "semantic_failures",
    .usage = "the name of a semantic_index: semantic_failures('movie_index')",
    .declaration = "CREATE TABLE x(\"rowid\", message, attempts, at, \"index\" HIDDEN, schema "
                   "HIDDEN)",
    .first_argument = FAILURES_INDEX,
    .n_arguments = 2,
    .n_needed = 1,
    .rising = 1 << FAILURES_ROWID,
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

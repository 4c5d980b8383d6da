/*
 * progress_function.c: SELECT * FROM semantic_progress: what the syncs of this process are doing,
 * or did, one row for each index: file, schema, index, state, embedded, deleted, failed, pending,
 * total, requests, seconds. Any connection of the process may ask; one that is locked sees those of
 * its own files. Top-level SQL only.
 */
#include "base/memory.h"
#include "semantic/progress.h"
#include "semantic/semantic.h"
#include "sqlite/statement.h"
#include "sqlite/table_function.h"

struct progress_cursor {
    struct table_cursor base;
    struct progress **runs; /* [n] with a reference each; owned */
    size_t n, position;
};

static void progress_free(struct table_cursor *base)
{
    struct progress_cursor *cursor = (struct progress_cursor *)base;
    for (size_t i = 0; i < cursor->n; i++) progress_release(cursor->runs[i]);
    memory_free(cursor->runs);
}

static int is_of_own_file(sqlite3 *db, struct progress *run, int *own, struct error *err)
{
    struct progress_description description;
    sqlite3_stmt *statement;
    progress_describe(run, &description);
    int rc = statement_prepare(db, &statement, err,
                               "SELECT 1 FROM pragma_database_list WHERE file = %Q AND file <> ''",
                               description.file);
    if (rc == 0) rc = statement_step(db, statement, own, err);
    sqlite3_finalize(statement);
    return rc;
}

/* Whoever may only ask a locked connection does not learn where other databases are. */
static int leave_others_out(struct progress_cursor *cursor, struct error *err)
{
    struct connection *connection = table_cursor_connection(&cursor->base);
    int rc = 0;
    if (catalog_get(connection->catalog, CATALOG_LOCKED) == 0) return 0;
    for (size_t i = cursor->n; rc == 0 && i-- > 0;) {
        int own = 0;
        rc = is_of_own_file(connection->db, cursor->runs[i], &own, err);
        if (rc != 0 || own) continue;
        progress_release(cursor->runs[i]);
        cursor->runs[i] = cursor->runs[--cursor->n];
    }
    return rc;
}

static int progress_start(struct table_cursor *base, struct error *err)
{
    struct progress_cursor *cursor = (struct progress_cursor *)base;
    int rc = progress_list(&cursor->runs, &cursor->n, err);
    if (rc == 0) rc = leave_others_out(cursor, err);
    base->is_done = cursor->n == 0;
    return rc;
}

static int progress_next(struct table_cursor *base, struct error *err)
{
    struct progress_cursor *cursor = (struct progress_cursor *)base;
    (void)err;
    base->is_done = ++cursor->position == cursor->n;
    return 0;
}

static void progress_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    const struct progress_cursor *cursor = (struct progress_cursor *)base;
    struct progress_description run;
    progress_describe(cursor->runs[cursor->position], &run);
    const char *const texts[] = {run.file, run.schema, run.index, run.state};
    const int64_t counts[] = {run.counts.embedded, run.counts.deleted, run.counts.failed,
                              run.counts.pending,  run.counts.total,   run.counts.requests};
    int n_texts = sizeof texts / sizeof *texts, n_counts = sizeof counts / sizeof *counts;
    if (column < n_texts) sqlite3_result_text(context, texts[column], -1, SQLITE_TRANSIENT);
    else if (column < n_texts + n_counts) sqlite3_result_int64(context, counts[column - n_texts]);
    else sqlite3_result_double(context, run.seconds);
}

static const struct table_function progress_function = {
    .name = "semantic_progress",
    .usage = "no argument: semantic_progress",
    .declaration = "CREATE TABLE x(file, schema, \"index\", state, embedded, deleted, failed, "
                   "pending, total, requests, seconds)",
    .first_argument = 11,
    .is_direct_only = 1,
    .cursor_size = sizeof(struct progress_cursor),
    .start = progress_start,
    .next = progress_next,
    .column = progress_column,
    .free = progress_free,
};

int progress_register(struct connection *connection, struct semantic_registry *registry)
{
    return table_function_register(connection, &progress_function, registry);
}

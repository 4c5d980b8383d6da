/*
 * sync_function.c: SELECT * FROM semantic_sync('movie_index' [, schema]).
 *
 * Brings an index in step, batch by batch, with a row after each: embedded, deleted, pending,
 * total, requests, seconds, all running totals of this call. Top-level SQL only. Outside a
 * transaction each batch is committed as it is done, by being ONE nested statement: an INSERT of
 * the command 'store-batch', whose xUpdate writes the shadow tables. Never BEGIN or SAVEPOINT:
 * after an interrupt a nested savepoint cannot be released, and the user's next write would be
 * lost.
 *
 * Our own SELECT holds a read transaction, so SQLite does not wait for other writers (busy_timeout
 * is ignored when a reader wants to write): we wait ourselves, up to it. When another connection
 * has committed in WAL mode meanwhile our snapshot is old and no batch can be written any more
 * (SQLITE_BUSY_SNAPSHOT): the call ends, the batches are kept, calling again goes on.
 */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "semantic/flush.h"
#include "semantic/registry.h"
#include "semantic/semantic.h"
#include "semantic/sync.h"
#include "sqlite/statement.h"
#include "sqlite/table_function.h"

enum {
    SYNC_EMBEDDED,
    SYNC_DELETED,
    SYNC_PENDING,
    SYNC_TOTAL,
    SYNC_REQUESTS,
    SYNC_SECONDS,
    SYNC_INDEX /* the first argument; the other is the schema */
};

struct sync_cursor {
    struct table_cursor base;
    char *schema, *name; /* owned; of the index */
    struct semantic_sync *sync;
    double start; /* clock_seconds */
};

static void sync_free(struct table_cursor *base)
{
    struct sync_cursor *cursor = (struct sync_cursor *)base;
    sync_close(cursor->sync);
    memory_free(cursor->schema);
    memory_free(cursor->name);
}

static int busy_timeout(sqlite3 *db, int *milliseconds, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(db, &statement, err, "PRAGMA busy_timeout");
    if (rc == 0) rc = statement_step(db, statement, &row, err);
    *milliseconds = row ? sqlite3_column_int(statement, 0) : 0;
    sqlite3_finalize(statement);
    return rc;
}

/* One nested statement writes the batch; while another connection is in the way it is tried again.
 */
static int write_batch(struct sync_cursor *cursor, struct error *err)
{
    struct connection *connection = table_cursor_connection(&cursor->base);
    struct semantic_registry *registry = table_cursor_context(&cursor->base);
    int timeout;
    double start = clock_seconds();
    int rc = busy_timeout(connection->db, &timeout, err);
    if (rc != 0) return rc;
    for (int pause = 1;; pause = pause < 25 ? pause * 2 : pause) {
        registry->storing = cursor->sync;
        rc = statement_execute(connection->db, err,
                               "INSERT INTO \"%w\".\"%w\"(\"%w\") VALUES ('store-batch')",
                               cursor->schema, cursor->name, cursor->name);
        registry->storing = NULL;
        if (rc != ERROR_STORAGE || (err->storage_code & 0xff) != SQLITE_BUSY) break;
        int stale = sqlite3_extended_errcode(connection->db) == SQLITE_BUSY_SNAPSHOT;
        if (stale || (clock_seconds() - start) * 1000 >= timeout) {
            error_context(err, "%s; the %zu rows embedded before are kept, call again for the rest",
                          stale ? "another connection wrote meanwhile"
                                : "another connection is writing",
                          cursor->sync->n_embedded);
            return rc;
        }
        rc = cancel_check(&connection->cancel, err);
        if (rc != 0) return rc;
        sqlite3_sleep(pause);
    }
    if (rc == 0) sync_stored(cursor->sync);
    return rc;
}

static int do_batch(struct sync_cursor *cursor, struct error *err)
{
    sqlite3_stmt *pin = NULL;
    int rc = registry_pin(table_cursor_context(&cursor->base), cursor->schema, cursor->name, &pin,
                          &cursor->sync->table, err);
    if (rc == 0) rc = sync_collect(cursor->sync, err);
    if (rc == 0) rc = write_batch(cursor, err);
    if (rc == 0) rc = sync_failure(cursor->sync, err);
    sqlite3_finalize(pin);
    return rc;
}

/* SQLite takes a SELECT for one that only reads, and refuses the first batch: by then that is
 * embedded, and maybe paid for. */
static int check_writable(struct semantic_table *index, struct error *err)
{
    int read_only;
    int rc = connection_is_read_only(index->connection, index->store.schema, &read_only, err);
    if (rc != 0 || !read_only) return rc;
    rc = error_set(err, ERROR_STORAGE, "%s", sqlite3_errstr(SQLITE_READONLY));
    err->storage_code = SQLITE_READONLY;
    return rc;
}

/* The index is connected for a batch at a time: a row of ours holds no statement on it open. */
static int sync_start(struct table_cursor *base, struct error *err)
{
    struct sync_cursor *cursor = (struct sync_cursor *)base;
    struct semantic_table *index;
    sqlite3_stmt *pin = NULL;
    cursor->start = clock_seconds();
    int rc = registry_open(table_cursor_context(base), base->arguments[0], base->arguments[1], &pin,
                           &index, err);
    if (rc == 0) {
        cursor->schema = memory_copy(index->store.schema, strlen(index->store.schema));
        cursor->name = memory_copy(index->store.name, strlen(index->store.name));
        if (cursor->schema == NULL || cursor->name == NULL) rc = error_nomem(err);
    }
    if (rc == 0) rc = check_writable(index, err);
    if (rc == 0) rc = flush_pending(index, err);
    if (rc == 0) rc = sync_open(index, 0, &cursor->sync, err);
    sqlite3_finalize(pin);
    /* The first row comes also when there is nothing to do: it says so. */
    return rc == 0 && sync_pending(cursor->sync) ? do_batch(cursor, err) : rc;
}

static int sync_next(struct table_cursor *base, struct error *err)
{
    struct sync_cursor *cursor = (struct sync_cursor *)base;
    base->is_done = !sync_pending(cursor->sync);
    return base->is_done ? 0 : do_batch(cursor, err);
}

static void sync_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    const struct sync_cursor *cursor = (struct sync_cursor *)base;
    const struct semantic_sync *sync = cursor->sync;
    const size_t counts[] = {[SYNC_EMBEDDED] = sync->n_embedded,
                             [SYNC_DELETED] = sync->n_deleted,
                             [SYNC_PENDING] = sync->n_ids - sync->n_collected,
                             [SYNC_TOTAL] = (size_t)sync->n_total,
                             [SYNC_REQUESTS] = sync->n_requests};
    if (column == SYNC_SECONDS) sqlite3_result_double(context, clock_seconds() - cursor->start);
    else sqlite3_result_int64(context, (sqlite3_int64)counts[column]);
}

static const struct table_function sync_function = {
    .name = "semantic_sync",
    .usage = "the name of a semantic_index: semantic_sync('movie_index')",
    .declaration = "CREATE TABLE x(embedded, deleted, pending, total, requests, seconds, \"index\" "
                   "HIDDEN, schema HIDDEN)",
    .first_argument = SYNC_INDEX,
    .n_arguments = 2,
    .n_needed = 1,
    .is_direct_only = 1,
    .cursor_size = sizeof(struct sync_cursor),
    .start = sync_start,
    .next = sync_next,
    .column = sync_column,
    .free = sync_free,
};

int sync_register(struct connection *connection, struct semantic_registry *registry)
{
    return table_function_register(connection, &sync_function, registry);
}

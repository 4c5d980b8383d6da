/*
 * sync_function.c: SELECT * FROM semantic_sync('movie_index' [, schema]).
 *
 * Brings an index in step, batch by batch, all before its first row: who steps a statement once, as
 * most drivers do for what gives no result, has done all. The rows are the report, one a batch:
 * embedded, deleted, pending, total, requests, seconds, failed, as running totals. Top-level SQL
 * only. Outside a transaction each batch is committed as it is done, by being ONE nested statement:
 * an INSERT of the command 'store-batch', whose xUpdate writes the shadow tables. Never BEGIN or
 * SAVEPOINT: after an interrupt a nested savepoint cannot be released, and the user's next write
 * would be lost. A fit of an index that has rows is all one batch.
 *
 * Our own SELECT holds a read transaction, so SQLite does not wait for other writers (busy_timeout
 * is ignored when a reader wants to write): we wait ourselves, up to it. When another connection
 * has committed in WAL mode meanwhile our snapshot is old and no batch can be written any more
 * (SQLITE_BUSY_SNAPSHOT): the call ends, the batches are kept, calling again goes on.
 */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "semantic/columns.h"
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
    SYNC_FAILED,
    SYNC_INDEX /* the first argument; the other is the schema */
};

/* A row: after so many batches. */
struct report {
    struct progress_counts counts;
    double seconds;
};

struct sync_cursor {
    struct table_cursor base;
    char *schema, *name;        /* owned; of the index */
    struct semantic_sync *sync; /* owned */
    struct progress *progress;  /* while it runs */
    double start;               /* clock_seconds */
    struct report *reports;     /* [n_reports]; owned */
    size_t n_reports, capacity, position;
};

static void sync_free(struct table_cursor *base)
{
    struct sync_cursor *cursor = (struct sync_cursor *)base;
    sync_close(cursor->sync);
    memory_free(cursor->reports);
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
        /* Batches that were one with it are gone. */
        int is_lost = cursor->sync->is_whole && cursor->sync->started;
        if (stale || is_lost || (clock_seconds() - start) * 1000 >= timeout) {
            error_context(err, "another connection %s", stale ? "wrote meanwhile" : "is writing");
            return rc;
        }
        rc = cancel_check(&connection->cancel, err);
        if (rc != 0) return rc;
        sqlite3_sleep(pause);
    }
    return rc == 0 ? sync_stored(cursor->sync, err) : rc;
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

/* dqlite replicates what SQLite writes for a statement that may write. Of a SELECT it replicates
 * nothing: the rows would be on this node alone, until it dies. */
static int check_replicated(struct semantic_table *index, struct error *err)
{
    sqlite3_vfs *vfs = NULL;
    if (sqlite3_file_control(index->store.db, index->store.schema, SQLITE_FCNTL_VFS_POINTER,
                             &vfs) != SQLITE_OK ||
        vfs == NULL || vfs->zName == NULL || strncmp(vfs->zName, "dqlite", 6) != 0)
        return 0;
    return error_set(err, ERROR_INVALID,
                     "dqlite does not replicate what a SELECT writes: INSERT INTO %s(%s) VALUES "
                     "('sync 100') until nothing is pending",
                     index->store.name, index->store.name);
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

static int add_report(struct sync_cursor *cursor, struct error *err)
{
    if (cursor->n_reports == cursor->capacity) {
        size_t capacity = cursor->capacity == 0 ? 8 : cursor->capacity * 2;
        struct report *reports = memory_realloc(cursor->reports, capacity, sizeof *reports);
        if (reports == NULL) return error_nomem(err);
        cursor->reports = reports;
        cursor->capacity = capacity;
    }
    cursor->reports[cursor->n_reports++] =
        (struct report){sync_counts(cursor->sync), clock_seconds() - cursor->start};
    return 0;
}

/* A row comes also when there is nothing to do: it says so. */
static int do_batches(struct sync_cursor *cursor, struct error *err)
{
    int rc = 0;
    do {
        if (sync_pending(cursor->sync)) rc = do_batch(cursor, err);
        if (rc == 0) rc = add_report(cursor, err);
    } while (rc == 0 && sync_pending(cursor->sync));
    if (rc != 0 && rc != ERROR_NOMEM && cursor->sync->started && !cursor->sync->is_whole)
        error_context(err, "%zu rows embedded before this are kept, call again for the rest",
                      cursor->sync->n_embedded);
    return rc;
}

/* The index is connected for a batch at a time: no statement of ours holds it between two. */
static int sync_all(struct sync_cursor *cursor, struct error *err)
{
    struct table_cursor *base = &cursor->base;
    struct semantic_table *index;
    sqlite3_stmt *pin = NULL;
    int rc = registry_open(table_cursor_context(base), base->arguments[0], base->arguments[1], &pin,
                           &index, err);
    if (rc == 0) rc = registry_copy_names(index, &cursor->schema, &cursor->name, err);
    if (rc == 0) rc = check_replicated(index, err);
    if (rc == 0) rc = check_writable(index, err);
    if (rc == 0) rc = progress_begin(index, &cursor->progress, err);
    if (rc == 0) rc = flush_pending(index, err);
    if (rc == 0) columns_renew(index, 0);
    if (rc == 0) rc = sync_open(index, SYNC_CHANGES, cursor->progress, &cursor->sync, err);
    sqlite3_finalize(pin);
    return rc == 0 ? do_batches(cursor, err) : rc;
}

/* All else is stored when a server's refusal is told, once: it may be the server's fault. */
static int tell_refusal(const struct sync_cursor *cursor, struct error *err)
{
    int rc = sync_refusal(cursor->sync, err);
    if (rc != 0)
        error_context(err, "all is done but %zu row%s that failed, see semantic_failures('%s')",
                      cursor->sync->n_failed, cursor->sync->n_failed == 1 ? "" : "s", cursor->name);
    return rc;
}

static int sync_start(struct table_cursor *base, struct error *err)
{
    struct sync_cursor *cursor = (struct sync_cursor *)base;
    cursor->start = clock_seconds();
    int rc = sync_all(cursor, err);
    progress_end(cursor->progress, rc);
    cursor->progress = NULL;
    return rc == 0 ? tell_refusal(cursor, err) : rc;
}

static int sync_next(struct table_cursor *base, struct error *err)
{
    struct sync_cursor *cursor = (struct sync_cursor *)base;
    (void)err;
    base->is_done = ++cursor->position == cursor->n_reports;
    return 0;
}

static void sync_column(struct table_cursor *base, sqlite3_context *context, int column)
{
    const struct sync_cursor *cursor = (struct sync_cursor *)base;
    const struct report *report = &cursor->reports[cursor->position];
    const int64_t counts[] = {
        [SYNC_EMBEDDED] = report->counts.embedded, [SYNC_DELETED] = report->counts.deleted,
        [SYNC_FAILED] = report->counts.failed,     [SYNC_PENDING] = report->counts.pending,
        [SYNC_TOTAL] = report->counts.total,       [SYNC_REQUESTS] = report->counts.requests};
    if (column == SYNC_SECONDS) sqlite3_result_double(context, report->seconds);
    else sqlite3_result_int64(context, counts[column]);
}

static const struct table_function sync_function = {
    .name = "semantic_sync",
    .usage = "the name of a semantic_index: semantic_sync('movie_index')",
    .declaration = "CREATE TABLE x(embedded, deleted, pending, total, requests, seconds, failed, "
                   "\"index\" HIDDEN, schema HIDDEN)",
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

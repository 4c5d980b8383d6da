#include "semantic/sync_function.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "sqlite/argument.h"
#include "semantic/module.h"
#include "store/store.h"
#include "semantic/sync.h"
#include "semantic/update.h"

enum progress_column {
    COLUMN_EMBEDDED,
    COLUMN_DELETED,
    COLUMN_PENDING,
    COLUMN_TOTAL,
    COLUMN_REQUESTS,
    COLUMN_SECONDS,
    COLUMN_INDEX,
    COLUMN_SCHEMA
};

struct progress_table {
    sqlite3_vtab base;
    sqlite3 *db;
    struct semantic_module *module;
};

struct progress_cursor {
    sqlite3_vtab_cursor base;
    char *schema, *name; /* owned; of the index */
    struct semantic_sync *sync;
    double start; /* clock_seconds */
    int eof;
    int64_t row;
    sqlite3_value *index_argument, *schema_argument; /* as given, to read back; owned */
};

static int progress_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                            sqlite3_vtab **opened, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    int rc = sqlite3_declare_vtab(
        db, "CREATE TABLE x(embedded, deleted, pending, total, requests, seconds, "
            "\"index\" HIDDEN, schema HIDDEN)");
    if (rc != SQLITE_OK) return rc;
    sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    struct progress_table *table = memory_zalloc(1, sizeof *table);
    if (table == NULL) return SQLITE_NOMEM;
    table->db = db;
    table->module = aux;
    *opened = &table->base;
    return SQLITE_OK;
}

static int progress_disconnect(sqlite3_vtab *base)
{
    memory_free(base);
    return SQLITE_OK;
}

/* argv[0] is the index, argv[1] the schema; idxNum has bit 0 and bit 1 for them. */
static int progress_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    (void)base;
    int at[2] = {-1, -1};
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        int argument = constraint->iColumn - COLUMN_INDEX;
        if (argument < 0 || constraint->op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
        if (!constraint->usable) return SQLITE_CONSTRAINT;
        at[argument] = i;
    }
    info->idxNum = 0;
    for (int i = 0, n = 0; i < 2; i++) {
        if (at[i] < 0) continue;
        info->aConstraintUsage[at[i]].argvIndex = ++n;
        info->aConstraintUsage[at[i]].omit = 1;
        info->idxNum |= 1 << i;
    }
    info->estimatedCost = 1e6;
    info->estimatedRows = 100;
    return SQLITE_OK;
}

static int progress_open(sqlite3_vtab *base, sqlite3_vtab_cursor **opened)
{
    (void)base;
    struct progress_cursor *cursor = memory_zalloc(1, sizeof *cursor);
    if (cursor == NULL) return SQLITE_NOMEM;
    *opened = &cursor->base;
    return SQLITE_OK;
}

static void reset(struct progress_cursor *cursor)
{
    sync_close(cursor->sync);
    memory_free(cursor->schema);
    memory_free(cursor->name);
    sqlite3_value_free(cursor->index_argument);
    sqlite3_value_free(cursor->schema_argument);
    *cursor = (struct progress_cursor){.base = cursor->base, .eof = 1};
}

static int progress_close(sqlite3_vtab_cursor *base)
{
    reset((struct progress_cursor *)base);
    memory_free(base);
    return SQLITE_OK;
}

static struct progress_table *table_of(struct progress_cursor *cursor)
{
    return (struct progress_table *)cursor->base.pVtab;
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
static int write_batch(struct progress_cursor *cursor, struct error *err)
{
    struct progress_table *table = table_of(cursor);
    int timeout;
    double start = clock_seconds();
    int rc = busy_timeout(table->db, &timeout, err);
    if (rc != 0) return rc;
    for (int pause = 1;; pause = pause < 25 ? pause * 2 : pause) {
        table->module->storing = cursor->sync;
        rc = statement_execute(table->db, err,
                               "INSERT INTO \"%w\".\"%w\"(\"%w\") VALUES ('store-batch')",
                               cursor->schema, cursor->name, cursor->name);
        table->module->storing = NULL;
        if (rc != ERROR_STORAGE || (err->storage_code & 0xff) != SQLITE_BUSY) break;
        int stale = sqlite3_extended_errcode(table->db) == SQLITE_BUSY_SNAPSHOT;
        if (stale || (clock_seconds() - start) * 1000 >= timeout) {
            error_context(err, "%s; the %zu rows embedded before are kept, call again for the rest",
                          stale ? "another connection wrote meanwhile"
                                : "another connection is writing",
                          cursor->sync->n_embedded);
            return rc;
        }
        rc = cancel_check(&table->module->connection->cancel, err);
        if (rc != 0) return rc;
        sqlite3_sleep(pause);
    }
    if (rc == 0) sync_stored(cursor->sync);
    return rc;
}

static int do_batch(struct progress_cursor *cursor, struct error *err)
{
    sqlite3_stmt *pin = NULL;
    int rc = semantic_module_pin(table_of(cursor)->module, cursor->schema, cursor->name, &pin,
                                 &cursor->sync->table, err);
    if (rc == 0) rc = sync_collect(cursor->sync, err);
    if (rc == 0) rc = write_batch(cursor, err);
    if (rc == 0) rc = sync_failure(cursor->sync, err);
    sqlite3_finalize(pin);
    cursor->row++;
    return rc;
}

static int begin(struct progress_cursor *cursor, int argc, sqlite3_value **argv, int plan,
                 struct error *err)
{
    struct semantic_table *index;
    sqlite3_stmt *pin = NULL;
    const char *name = (const char *)sqlite3_value_text(argv[0]);
    const char *schema = plan & 2 ? (const char *)sqlite3_value_text(argv[1]) : NULL;
    cursor->index_argument = sqlite3_value_dup(argv[0]);
    if (argc > 1) cursor->schema_argument = sqlite3_value_dup(argv[1]);
    if (name == NULL || cursor->index_argument == NULL) return error_nomem(err);
    cursor->start = clock_seconds();
    struct semantic_module *module = table_of(cursor)->module;
    int rc = semantic_module_resolve(module, name, schema, &cursor->schema, &cursor->name, err);
    if (rc == 0) rc = semantic_module_pin(module, cursor->schema, cursor->name, &pin, &index, err);
    if (rc == 0) rc = semantic_flush(index, err);
    if (rc == 0) rc = sync_open(index, 0, &cursor->sync, err);
    sqlite3_finalize(pin);
    return rc;
}

/* The first row comes also when there is nothing to do: it says so. */
static int progress_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                           sqlite3_value **argv)
{
    (void)unused;
    struct progress_cursor *cursor = (struct progress_cursor *)base;
    struct error err;
    reset(cursor);
    if (!(plan & 1)) {
        error_set(&err, ERROR_INVALID,
                  "expected the name of a semantic_index: semantic_sync('movie_index')");
        return argument_table_error(base->pVtab, "semantic_sync", &err);
    }
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return SQLITE_OK;
    int rc = begin(cursor, argc, argv, plan, &err);
    if (rc == 0 && sync_pending(cursor->sync)) rc = do_batch(cursor, &err);
    cursor->eof = rc != 0;
    return rc == 0 ? SQLITE_OK : argument_table_error(base->pVtab, "semantic_sync", &err);
}

static int progress_next(sqlite3_vtab_cursor *base)
{
    struct progress_cursor *cursor = (struct progress_cursor *)base;
    struct error err;
    cursor->eof = !sync_pending(cursor->sync);
    if (cursor->eof || do_batch(cursor, &err) == 0) return SQLITE_OK;
    cursor->eof = 1;
    return argument_table_error(base->pVtab, "semantic_sync", &err);
}

static int progress_eof(sqlite3_vtab_cursor *base)
{
    return ((struct progress_cursor *)base)->eof;
}

static int progress_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct progress_cursor *cursor = (struct progress_cursor *)base;
    const struct semantic_sync *sync = cursor->sync;
    switch (column) {
    case COLUMN_EMBEDDED:
        sqlite3_result_int64(context, (int64_t)sync->n_embedded);
        break;
    case COLUMN_DELETED:
        sqlite3_result_int64(context, (int64_t)sync->n_deleted);
        break;
    case COLUMN_PENDING:
        sqlite3_result_int64(context, (int64_t)(sync->n_ids - sync->n_collected));
        break;
    case COLUMN_TOTAL:
        sqlite3_result_int64(context, sync->n_total);
        break;
    case COLUMN_REQUESTS:
        sqlite3_result_int64(context, (int64_t)sync->n_requests);
        break;
    case COLUMN_SECONDS:
        sqlite3_result_double(context, clock_seconds() - cursor->start);
        break;
    case COLUMN_INDEX:
        sqlite3_result_value(context, cursor->index_argument);
        break;
    default:
        if (cursor->schema_argument != NULL) sqlite3_result_value(context, cursor->schema_argument);
    }
    return SQLITE_OK;
}

static int progress_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = ((struct progress_cursor *)base)->row;
    return SQLITE_OK;
}

static const sqlite3_module semantic_sync_module = {
    .iVersion = 0,
    .xConnect = progress_connect,
    .xBestIndex = progress_best_index,
    .xDisconnect = progress_disconnect,
    .xOpen = progress_open,
    .xClose = progress_close,
    .xFilter = progress_filter,
    .xNext = progress_next,
    .xEof = progress_eof,
    .xColumn = progress_column,
    .xRowid = progress_rowid,
};

int semantic_progress_register(sqlite3 *db, struct semantic_module *module)
{
    return sqlite3_create_module_v2(db, "semantic_sync", &semantic_sync_module, module, NULL);
}

#include "sqlite/table_function.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/result.h"

int connected_table_new(sqlite3 *db, struct connection *connection, const char *declaration,
                        sqlite3_vtab **opened)
{
    int rc = sqlite3_declare_vtab(db, declaration);
    if (rc != SQLITE_OK) return rc;
    struct connected_table *table = memory_zalloc(1, sizeof *table);
    if (table == NULL) return SQLITE_NOMEM;
    table->connection = connection;
    *opened = &table->base;
    return SQLITE_OK;
}

int connected_table_free(sqlite3_vtab *base)
{
    memory_free(base);
    return SQLITE_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

/* What SQLite hands to xConnect. */
struct registration {
    struct connection *connection;
    const struct table_function *function;
    void *context;
};

static const struct table_function *function_of(const sqlite3_vtab *table)
{
    return ((const struct connected_table *)table)->function;
}

static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **opened,
                   char **message)
{
    const struct registration *registration = aux;
    (void)argc;
    (void)argv;
    (void)message;
    int rc = connected_table_new(db, registration->connection, registration->function->declaration,
                                 opened);
    if (rc != SQLITE_OK) return rc;
    struct connected_table *table = (struct connected_table *)*opened;
    table->function = registration->function;
    table->context = registration->context;
    if (table->function->is_direct_only) sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    return SQLITE_OK;
}

/* idxNum gets one bit for each argument that is given. One that cannot be had in a plan rules it
 * out. */
static int best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    const struct table_function *function = function_of(table);
    int at[TABLE_FUNCTION_MAX_ARGUMENTS] = {-1, -1, -1, -1, -1};
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        int argument = constraint->iColumn - function->first_argument;
        if (argument < 0 || argument >= function->n_arguments ||
            constraint->op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        if (!constraint->usable) return SQLITE_CONSTRAINT;
        at[argument] = i;
    }
    info->idxNum = 0;
    for (int i = 0, n_given = 0; i < function->n_arguments; i++) {
        if (at[i] < 0) continue;
        info->aConstraintUsage[at[i]].argvIndex = ++n_given;
        info->aConstraintUsage[at[i]].omit = 1;
        info->idxNum |= 1 << i;
    }
    if (info->nOrderBy == 1 && info->aOrderBy[0].iColumn >= 0) {
        unsigned ordered = info->aOrderBy[0].desc ? function->falling : function->rising;
        info->orderByConsumed = (int)(ordered >> info->aOrderBy[0].iColumn & 1);
    }
    info->estimatedCost = 10000;
    info->estimatedRows = 100;
    return SQLITE_OK;
}

/* ---- the cursor ------------------------------------------------------------------------------ */

struct connection *table_cursor_connection(const struct table_cursor *cursor)
{
    return ((struct connected_table *)cursor->base.pVtab)->connection;
}

void *table_cursor_context(const struct table_cursor *cursor)
{
    return ((struct connected_table *)cursor->base.pVtab)->context;
}

static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **opened)
{
    struct table_cursor *cursor = memory_zalloc(1, function_of(table)->cursor_size);
    if (cursor == NULL) return SQLITE_NOMEM;
    *opened = &cursor->base;
    return SQLITE_OK;
}

static void reset(struct table_cursor *cursor)
{
    const struct table_function *function = function_of(cursor->base.pVtab);
    sqlite3_vtab_cursor base = cursor->base;
    if (function->free != NULL) function->free(cursor);
    for (int i = 0; i < function->n_arguments; i++) sqlite3_value_free(cursor->arguments[i]);
    memset(cursor, 0, function->cursor_size);
    cursor->base = base;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    reset((struct table_cursor *)base);
    memory_free(base);
    return SQLITE_OK;
}

static int fail(struct table_cursor *cursor, const struct error *err)
{
    cursor->is_done = 1;
    return result_table_error(cursor->base.pVtab, function_of(cursor->base.pVtab)->name, err);
}

/* Copies of the arguments as xFilter gets them, each in its place. */
static int keep_arguments(struct table_cursor *cursor, int plan, sqlite3_value **argv,
                          struct error *err)
{
    const struct table_function *function = function_of(cursor->base.pVtab);
    for (int i = 0; i < function->n_arguments; i++) {
        if (!(plan & (1 << i))) continue;
        cursor->arguments[i] = sqlite3_value_dup(*argv++);
        if (cursor->arguments[i] == NULL) return error_nomem(err);
    }
    for (int i = 0; i < function->n_needed; i++) {
        if (cursor->arguments[i] == NULL)
            return error_set(err, ERROR_INVALID, "expected %s", function->usage);
        if (sqlite3_value_type(cursor->arguments[i]) == SQLITE_NULL) cursor->is_done = 1;
    }
    return 0;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                  sqlite3_value **argv)
{
    struct table_cursor *cursor = (struct table_cursor *)base;
    struct error err;
    (void)unused;
    (void)argc;
    reset(cursor);
    int rc = keep_arguments(cursor, plan, argv, &err);
    if (rc == 0 && !cursor->is_done) rc = function_of(base->pVtab)->start(cursor, &err);
    return rc == 0 ? SQLITE_OK : fail(cursor, &err);
}

static int next(sqlite3_vtab_cursor *base)
{
    struct table_cursor *cursor = (struct table_cursor *)base;
    struct error err;
    cursor->n_rows++;
    int rc = function_of(base->pVtab)->next(cursor, &err);
    return rc == 0 ? SQLITE_OK : fail(cursor, &err);
}

static int eof(sqlite3_vtab_cursor *base)
{
    return ((struct table_cursor *)base)->is_done;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int number)
{
    struct table_cursor *cursor = (struct table_cursor *)base;
    const struct table_function *function = function_of(base->pVtab);
    int argument = number - function->first_argument;
    if (argument < 0 || argument >= function->n_arguments)
        function->column(cursor, context, number);
    else if (cursor->arguments[argument] != NULL)
        sqlite3_result_value(context, cursor->arguments[argument]);
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *id)
{
    *id = ((struct table_cursor *)base)->n_rows + 1;
    return SQLITE_OK;
}

/* ---- registering ----------------------------------------------------------------------------- */

static const sqlite3_module module = {
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = connected_table_free,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = eof,
    .xColumn = column,
    .xRowid = rowid,
};

static void unregister(void *data)
{
    struct registration *registration = data;
    struct connection *connection = registration->connection;
    memory_free(registration);
    connection_release(connection);
}

int table_function_register(struct connection *connection, const struct table_function *function,
                            void *context)
{
    struct registration *registration = memory_alloc(1, sizeof *registration);
    if (registration == NULL) return SQLITE_NOMEM;
    *registration = (struct registration){connection_reference(connection), function, context};
    /* SQLite calls the destructor also when it refuses the module. */
    return sqlite3_create_module_v2(connection->db, function->name, &module, registration,
                                    unregister);
}

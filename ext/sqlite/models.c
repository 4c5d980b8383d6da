#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "sqlite/functions.h"
#include "sqlite/table_function.h"

/* rerank_models: what models there are, and the user's names for them. rerank_stats: what they did. Both list catalog entries. */
enum { NAME, TASK, PROVIDER, MODEL, URL, DIMENSIONS, MAX_TOKENS, BATCH_SIZE, QUERY_PREFIX, DOCUMENT_PREFIX, IS_DEFAULT, API_KEY };
enum { STATS_MODEL, STATS_TASK, STATS_REQUESTS, STATS_TEXTS, STATS_CACHE_HITS, STATS_SECONDS, STATS_FAILURES };

struct entry_cursor {
    sqlite3_vtab_cursor base;
    struct catalog_entry *entry;
    int stats; /* full names only */
};

static struct catalog *catalog_of(sqlite3_vtab *base)
{
    return ((struct table_function *)base)->connection->catalog;
}

static int models_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **opened, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    int rc = table_function_connect(db, aux,
                                    "CREATE TABLE x(name TEXT, task TEXT, provider TEXT, model TEXT, url TEXT, dimensions "
                                    "INTEGER, max_tokens INTEGER, batch_size INTEGER, query_prefix TEXT, document_prefix TEXT, "
                                    "is_default INTEGER, api_key HIDDEN)",
                                    opened);
    if (rc == SQLITE_OK) sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    return rc;
}

static int stats_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **opened, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    return table_function_connect(db, aux,
                                  "CREATE TABLE x(model TEXT, task TEXT, requests INTEGER, texts INTEGER, cache_hits INTEGER, "
                                  "seconds REAL, failures INTEGER)",
                                  opened);
}

static int entries_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    (void)base;
    info->estimatedCost = 100;
    info->estimatedRows = 10;
    return SQLITE_OK;
}

static int entries_open(sqlite3_vtab *base, sqlite3_vtab_cursor **opened)
{
    (void)base;
    struct entry_cursor *cursor = memory_zalloc(1, sizeof *cursor);
    if (cursor == NULL) return SQLITE_NOMEM;
    *opened = &cursor->base;
    return SQLITE_OK;
}

static int stats_open(sqlite3_vtab *base, sqlite3_vtab_cursor **opened)
{
    int rc = entries_open(base, opened);
    if (rc == SQLITE_OK) ((struct entry_cursor *)*opened)->stats = 1;
    return rc;
}

static int entries_close(sqlite3_vtab_cursor *base)
{
    memory_free(base);
    return SQLITE_OK;
}

static void skip(struct entry_cursor *cursor)
{
    while (cursor->entry != NULL && (cursor->entry->deleted || (cursor->stats && cursor->entry->is_alias)))
        cursor->entry = cursor->entry->next;
}

static int entries_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc, sqlite3_value **argv)
{
    (void)plan;
    (void)unused;
    (void)argc;
    (void)argv;
    struct entry_cursor *cursor = (struct entry_cursor *)base;
    cursor->entry = catalog_first(catalog_of(base->pVtab));
    skip(cursor);
    return SQLITE_OK;
}

static int entries_next(sqlite3_vtab_cursor *base)
{
    struct entry_cursor *cursor = (struct entry_cursor *)base;
    cursor->entry = cursor->entry->next;
    skip(cursor);
    return SQLITE_OK;
}

static int entries_eof(sqlite3_vtab_cursor *base)
{
    return ((struct entry_cursor *)base)->entry == NULL;
}

/* An entry's place in the catalog: entries are never taken out, so it stays. */
static int entries_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    struct catalog_entry *entry = catalog_first(catalog_of(base->pVtab));
    for (*rowid = 1; entry != ((struct entry_cursor *)base)->entry; entry = entry->next) ++*rowid;
    return SQLITE_OK;
}

static const char *task_name(const struct catalog_entry *entry)
{
    return entry->task == MODEL_EMBED ? "embed" : "rerank";
}

static void result_text(sqlite3_context *context, const char *text)
{
    if (text != NULL) sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static int models_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct catalog_entry *entry = ((struct entry_cursor *)base)->entry;
    const char *full = catalog_entry_name(entry), *colon = strchr(full, ':');
    switch (column) {
    case NAME: result_text(context, entry->name); break;
    case TASK: result_text(context, task_name(entry)); break;
    case PROVIDER: sqlite3_result_text(context, full, (int)(colon - full), SQLITE_TRANSIENT); break;
    case MODEL: result_text(context, colon + 1); break;
    case DIMENSIONS:
        if (entry->task == MODEL_EMBED) sqlite3_result_int64(context, (sqlite3_int64)entry->model->dimensions);
        break;
    case BATCH_SIZE:
        if (entry->task == MODEL_EMBED) sqlite3_result_int64(context, (sqlite3_int64)entry->model->batch_size);
        break;
    case QUERY_PREFIX: result_text(context, entry->query_prefix); break;
    case DOCUMENT_PREFIX: result_text(context, entry->document_prefix); break;
    case IS_DEFAULT: sqlite3_result_int(context, entry->is_default); break;
    default: break; /* url and max_tokens do not apply; api_key is never read back */
    }
    return SQLITE_OK;
}

static int stats_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct catalog_entry *entry = ((struct entry_cursor *)base)->entry;
    switch (column) {
    case STATS_MODEL: result_text(context, entry->name); break;
    case STATS_TASK: result_text(context, task_name(entry)); break;
    case STATS_REQUESTS: sqlite3_result_int64(context, (sqlite3_int64)entry->requests); break;
    case STATS_TEXTS: sqlite3_result_int64(context, (sqlite3_int64)entry->texts); break;
    case STATS_CACHE_HITS: sqlite3_result_int64(context, (sqlite3_int64)entry->cache_hits); break;
    case STATS_SECONDS: sqlite3_result_double(context, entry->seconds); break;
    case STATS_FAILURES: sqlite3_result_int64(context, (sqlite3_int64)entry->failures); break;
    default: break;
    }
    return SQLITE_OK;
}

static const char *text_of(sqlite3_value *value)
{
    return sqlite3_value_type(value) == SQLITE_NULL ? NULL : (const char *)sqlite3_value_text(value);
}

/* Columns that describe a model of this machine cannot be set. */
static int check_columns(sqlite3_value **columns, struct error *err)
{
    static const struct {
        int column;
        const char *name;
    } fixed[] = {{URL, "url"}, {API_KEY, "api_key"}, {MAX_TOKENS, "max_tokens"}};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (text_of(columns[fixed[i].column]) != NULL)
            return error_set(err, ERROR_INVALID, "%s does not apply: builtin:lexical runs without a network", fixed[i].name);
    return 0;
}

static int apply(struct catalog *catalog, struct catalog_entry *entry, sqlite3_value **columns, struct error *err)
{
    int rc = catalog_set_prefix(catalog, entry, MODEL_QUERY, text_of(columns[QUERY_PREFIX]), err);
    if (rc == 0) rc = catalog_set_prefix(catalog, entry, MODEL_DOCUMENT, text_of(columns[DOCUMENT_PREFIX]), err);
    if (rc == 0 && sqlite3_value_int(columns[IS_DEFAULT]) != 0) catalog_set_default(catalog, entry);
    return rc;
}

/* One name for the tasks asked for: 'embed', 'rerank', or both when task is NULL. */
static int insert(struct catalog *catalog, sqlite3_value **columns, struct error *err)
{
    const char *name = text_of(columns[NAME]), *task = text_of(columns[TASK]), *provider = text_of(columns[PROVIDER]),
               *model = text_of(columns[MODEL]);
    struct catalog_entry *entry, *target;
    if (name == NULL || provider == NULL || model == NULL)
        return error_set(err, ERROR_INVALID, "expected name, provider and model (a name of your own for provider:model)");
    if (task != NULL && strcmp(task, "embed") != 0 && strcmp(task, "rerank") != 0)
        return error_set(err, ERROR_INVALID, "task must be 'embed' or 'rerank', not '%.100s'", task);
    char *full = sqlite3_mprintf("%s:%s", provider, model);
    int rc = full == NULL ? error_nomem(err) : check_columns(columns, err);
    static const enum model_task tasks[] = {MODEL_EMBED, MODEL_RERANK};
    static const char *const names[] = {"embed", "rerank"};
    for (int i = 0; rc == 0 && i < 2; i++) {
        if (task != NULL && strcmp(task, names[i]) != 0) continue;
        rc = catalog_find(catalog, full, tasks[i], &target, err);
        if (rc == 0) rc = catalog_add(catalog, name, tasks[i], full, &entry, err);
        if (rc == 0) rc = apply(catalog, entry, columns, err);
    }
    sqlite3_free(full);
    return rc;
}

/* UPDATE changes prefixes and the default; what an entry is stays. */
static int change(struct catalog *catalog, struct catalog_entry *entry, sqlite3_value **columns, struct error *err)
{
    const char *name = text_of(columns[NAME]), *task = text_of(columns[TASK]);
    const char *full = catalog_entry_name(entry), *colon = strchr(full, ':');
    const char *provider = text_of(columns[PROVIDER]), *model = text_of(columns[MODEL]);
    int rc = check_columns(columns, err);
    if (rc != 0) return rc;
    if (name == NULL || strcmp(name, entry->name) != 0 || task == NULL || strcmp(task, task_name(entry)) != 0 ||
        provider == NULL || strncmp(provider, full, (size_t)(colon - full)) != 0 || model == NULL ||
        strcmp(model, colon + 1) != 0)
        return error_set(err, ERROR_INVALID, "of a model only query_prefix, document_prefix and is_default change: delete and "
                                             "insert it for the rest");
    return apply(catalog, entry, columns, err);
}

static int models_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *rowid)
{
    (void)rowid;
    struct catalog *catalog = catalog_of(base);
    struct catalog_entry *entry = catalog_first(catalog);
    struct error err;
    int rc;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
        rc = insert(catalog, argv + 2, &err);
    } else {
        for (sqlite3_int64 i = sqlite3_value_int64(argv[0]); i > 1 && entry != NULL; i--) entry = entry->next;
        if (entry == NULL) return SQLITE_OK;
        rc = argc == 1 ? catalog_delete(catalog, entry, &err) : change(catalog, entry, argv + 2, &err);
    }
    return rc == 0 ? SQLITE_OK : argument_table_error(base, "rerank_models", &err);
}

static const sqlite3_module models_module = {
    .xConnect = models_connect,
    .xBestIndex = entries_best_index,
    .xDisconnect = table_function_disconnect,
    .xOpen = entries_open,
    .xClose = entries_close,
    .xFilter = entries_filter,
    .xNext = entries_next,
    .xEof = entries_eof,
    .xColumn = models_column,
    .xRowid = entries_rowid,
    .xUpdate = models_update,
};

static const sqlite3_module stats_module = {
    .xConnect = stats_connect,
    .xBestIndex = entries_best_index,
    .xDisconnect = table_function_disconnect,
    .xOpen = stats_open,
    .xClose = entries_close,
    .xFilter = entries_filter,
    .xNext = entries_next,
    .xEof = entries_eof,
    .xColumn = stats_column,
    .xRowid = entries_rowid,
};

int models_register(struct connection *connection)
{
    int rc = connection_module(connection, "rerank_models", &models_module);
    return rc == SQLITE_OK ? connection_module(connection, "rerank_stats", &stats_module) : rc;
}

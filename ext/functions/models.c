#include <string.h>

#include "base/memory.h"
#include "functions/functions.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "sqlite/table_function.h"
#include "vector/codec.h"

#define MAX_BATCH_SIZE 10000
#define MAX_MAX_TOKENS 10000000

/* rerank_models: what models there are, and the user's names for them. rerank_stats: what they did.
 * Both list catalog entries. */
enum {
    NAME,
    TASK,
    PROVIDER,
    MODEL,
    URL,
    DIMENSIONS,
    MAX_TOKENS,
    BATCH_SIZE,
    PRECISION,
    QUERY_PREFIX,
    DOCUMENT_PREFIX,
    IS_DEFAULT,
    PROMPT,
    API_KEY
};
enum {
    STATS_MODEL,
    STATS_TASK,
    STATS_REQUESTS,
    STATS_RETRIES,
    STATS_TEXTS,
    STATS_TOKENS,
    STATS_CACHE_HITS,
    STATS_BYTES,
    STATS_SECONDS,
    STATS_FAILURES,
    STATS_TRUNCATED
};

struct entry_cursor {
    sqlite3_vtab_cursor base;
    struct catalog_entry *entry; /* NULL at the end */
    struct catalog_description description;
    size_t number;
    int stats; /* full names only */
};

static struct catalog *catalog_of(sqlite3_vtab *base)
{
    return ((struct connected_table *)base)->connection->catalog;
}

static int models_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                          sqlite3_vtab **opened, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    int rc = connected_table_new(
        db, aux,
        "CREATE TABLE x(name TEXT, task TEXT, provider TEXT, model TEXT, url TEXT, dimensions "
        "INTEGER, max_tokens INTEGER, batch_size INTEGER, precision TEXT, query_prefix TEXT, "
        "document_prefix TEXT, "
        "is_default INTEGER, prompt TEXT, api_key HIDDEN)",
        opened);
    if (rc == SQLITE_OK) sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    return rc;
}

static int stats_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **opened, char **message)
{
    (void)argc;
    (void)argv;
    (void)message;
    return connected_table_new(db, aux,
                               "CREATE TABLE x(model TEXT, task TEXT, requests INTEGER, retries "
                               "INTEGER, texts INTEGER, tokens INTEGER, cache_hits INTEGER, "
                               "bytes INTEGER, seconds REAL, failures INTEGER, truncated INTEGER)",
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

/* Moves to the first entry to be listed from `number` on. */
static void seek(struct entry_cursor *cursor, size_t number)
{
    struct catalog *catalog = catalog_of(cursor->base.pVtab);
    int end = 0;
    for (cursor->number = number;; cursor->number++) {
        cursor->entry = catalog_entry_at(catalog, cursor->number, &end);
        if (cursor->entry == NULL && end) return;
        if (cursor->entry == NULL) continue;
        catalog_describe(catalog, cursor->entry, &cursor->description);
        if (!(cursor->stats && cursor->description.is_alias)) return;
    }
}

static int entries_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                          sqlite3_value **argv)
{
    (void)plan;
    (void)unused;
    (void)argc;
    (void)argv;
    seek((struct entry_cursor *)base, 0);
    return SQLITE_OK;
}

static int entries_next(sqlite3_vtab_cursor *base)
{
    seek((struct entry_cursor *)base, ((struct entry_cursor *)base)->number + 1);
    return SQLITE_OK;
}

static int entries_eof(sqlite3_vtab_cursor *base)
{
    return ((struct entry_cursor *)base)->entry == NULL;
}

/* Entries have numbers for good; rowids begin at 1. */
static int entries_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((struct entry_cursor *)base)->number + 1;
    return SQLITE_OK;
}

static const char *task_name(const struct catalog_description *description)
{
    return description->task == MODEL_EMBED ? "embed" : "rerank";
}

static void result_text(sqlite3_context *context, const char *text)
{
    if (text != NULL) sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

static void result_count(sqlite3_context *context, uint64_t count)
{
    sqlite3_result_int64(context, (sqlite3_int64)count);
}

static int models_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    /* Described anew: an UPDATE beside this statement may have changed it. */
    struct entry_cursor *cursor = (struct entry_cursor *)base;
    const struct catalog_description *entry = &cursor->description;
    catalog_describe(catalog_of(base->pVtab), cursor->entry, &cursor->description);
    /* An UPDATE leaves alone what it does not name. */
    if (sqlite3_vtab_nochange(context) &&
        (column == URL || column == DIMENSIONS || column == MAX_TOKENS || column == BATCH_SIZE ||
         column == PRECISION || column == PROMPT || column == API_KEY))
        return SQLITE_OK;
    switch (column) {
    case NAME:
        result_text(context, entry->name);
        break;
    case TASK:
        result_text(context, task_name(entry));
        break;
    case PROVIDER:
        result_text(context, entry->provider);
        break;
    case MODEL:
        result_text(context, entry->model);
        break;
    case URL:
        result_text(context, entry->url);
        break;
    case DIMENSIONS:
        if (entry->dimensions != 0) result_count(context, entry->dimensions);
        break;
    case MAX_TOKENS:
        if (entry->max_tokens != 0) result_count(context, entry->max_tokens);
        break;
    case PRECISION:
        result_text(context, entry->precision);
        break;
    case BATCH_SIZE:
        if (entry->batch_size != 0) result_count(context, entry->batch_size);
        break;
    case QUERY_PREFIX:
        result_text(context, entry->query_prefix);
        break;
    case DOCUMENT_PREFIX:
        result_text(context, entry->document_prefix);
        break;
    case PROMPT:
        result_text(context, entry->prompt);
        break;
    case IS_DEFAULT:
        sqlite3_result_int(context, entry->is_default);
        break;
    default:
        break; /* api_key is never read back */
    }
    return SQLITE_OK;
}

static int stats_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct entry_cursor *cursor = (struct entry_cursor *)base;
    struct catalog_statistics statistics;
    catalog_entry_statistics(cursor->entry, &statistics);
    switch (column) {
    case STATS_MODEL:
        result_text(context, cursor->description.name);
        break;
    case STATS_TASK:
        result_text(context, task_name(&cursor->description));
        break;
    case STATS_REQUESTS:
        result_count(context, statistics.usage.requests);
        break;
    case STATS_RETRIES:
        result_count(context, statistics.usage.retries);
        break;
    case STATS_TOKENS:
        result_count(context, statistics.usage.tokens);
        break;
    case STATS_BYTES:
        result_count(context, statistics.usage.bytes);
        break;
    case STATS_TEXTS:
        result_count(context, statistics.texts);
        break;
    case STATS_CACHE_HITS:
        result_count(context, statistics.cache_hits);
        break;
    case STATS_SECONDS:
        sqlite3_result_double(context, statistics.seconds);
        break;
    case STATS_TRUNCATED:
        result_count(context, statistics.usage.truncated);
        break;
    default:
        result_count(context, statistics.failures);
        break;
    }
    return SQLITE_OK;
}

static const char *text_of(sqlite3_value *value)
{
    return sqlite3_value_type(value) == SQLITE_NULL ? NULL
                                                    : (const char *)sqlite3_value_text(value);
}

/* Is the column given? An INSERT has NULL for what it does not name. */
static int is_given(sqlite3_value *value, int inserts)
{
    return inserts ? sqlite3_value_type(value) != SQLITE_NULL : !sqlite3_value_nochange(value);
}

/* Where a model is, and how it is to be called. */
static int read_given(sqlite3_value **columns, int inserts, struct catalog_alias *alias,
                      struct error *err)
{
    if (is_given(columns[MAX_TOKENS], inserts)) alias->given |= CATALOG_MAX_TOKENS;
    if (is_given(columns[URL], inserts)) alias->given |= CATALOG_URL;
    if (is_given(columns[API_KEY], inserts)) alias->given |= CATALOG_API_KEY;
    if (is_given(columns[DIMENSIONS], inserts)) alias->given |= CATALOG_DIMENSIONS;
    if (is_given(columns[BATCH_SIZE], inserts)) alias->given |= CATALOG_BATCH_SIZE;
    if (is_given(columns[PRECISION], inserts)) alias->given |= CATALOG_PRECISION;
    if (is_given(columns[PROMPT], inserts)) alias->given |= CATALOG_PROMPT;
    if (alias->given & CATALOG_PROMPT) alias->prompt = text_of(columns[PROMPT]);
    if (alias->given & CATALOG_URL) alias->url = text_of(columns[URL]);
    if (alias->given & CATALOG_API_KEY) alias->api_key = text_of(columns[API_KEY]);
    if (alias->given & CATALOG_PRECISION) alias->precision = text_of(columns[PRECISION]);
    if (alias->api_key != NULL && alias->api_key[0] == '\0') alias->api_key = NULL;
    int rc = 0;
    if (alias->given & CATALOG_DIMENSIONS)
        rc = argument_optional_count(columns[DIMENSIONS], "dimensions", 1, VECTOR_MAX_DIMENSIONS,
                                     &alias->dimensions, err);
    if (rc == 0 && alias->given & CATALOG_BATCH_SIZE)
        rc = argument_optional_count(columns[BATCH_SIZE], "batch_size", 1, MAX_BATCH_SIZE,
                                     &alias->batch_size, err);
    if (rc == 0 && alias->given & CATALOG_MAX_TOKENS)
        rc = argument_optional_count(columns[MAX_TOKENS], "max_tokens", 1, MAX_MAX_TOKENS,
                                     &alias->max_tokens, err);
    return rc;
}

/* What the row says, checked as far as the catalog does not. */
static int read_alias(sqlite3_value **columns, int inserts, struct catalog_alias *alias,
                      size_t *is_default, struct error *err)
{
    const char *task = text_of(columns[TASK]);
    *alias = (struct catalog_alias){.name = text_of(columns[NAME]),
                                    .provider = text_of(columns[PROVIDER]),
                                    .model = text_of(columns[MODEL]),
                                    .query_prefix = text_of(columns[QUERY_PREFIX]),
                                    .document_prefix = text_of(columns[DOCUMENT_PREFIX])};
    if (alias->name == NULL || alias->model == NULL)
        return error_set(err, ERROR_INVALID,
                         "expected name and model: a name of your own, and what it stands for");
    if (task != NULL && strcmp(task, "embed") != 0 && strcmp(task, "rerank") != 0)
        return error_set(err, ERROR_INVALID, "task must be 'embed' or 'rerank', not '%.100s'",
                         task);
    if (task != NULL) alias->task = strcmp(task, "embed") == 0 ? MODEL_EMBED : MODEL_RERANK;
    int rc = argument_optional_count(columns[IS_DEFAULT], "is_default", 0, 1, is_default, err);
    if (rc == ERROR_INVALID) return error_set(err, ERROR_INVALID, "is_default must be 0 or 1");
    return rc == 0 ? read_given(columns, inserts, alias, err) : rc;
}

/* is_default = 1 makes the entries of that name the default for their tasks; 0, for one that is it,
 * goes back to the default there was without it. */
static int set_default(struct catalog *catalog, const struct catalog_alias *alias, int is_default,
                       struct error *err)
{
    static const enum model_task tasks[] = {MODEL_EMBED, MODEL_RERANK};
    struct catalog_entry *entry;
    int rc = 0;
    for (int i = 0; rc == 0 && i < 2; i++) {
        if (alias->task != 0 && alias->task != tasks[i]) continue;
        int find_rc = catalog_find(catalog, alias->name, tasks[i], &entry, NULL);
        if (find_rc == ERROR_NOMEM) rc = error_nomem(err);
        if (find_rc != 0) continue;
        if (is_default) rc = catalog_set_default(catalog, tasks[i], alias->name, err);
        else if (strcmp(catalog_default(catalog, tasks[i]), alias->name) == 0)
            rc = catalog_set_default(catalog, tasks[i], NULL, err);
    }
    return rc;
}

static int models_update(sqlite3_vtab *base, int argc, sqlite3_value **argv, sqlite3_int64 *rowid)
{
    struct catalog *catalog = catalog_of(base);
    struct catalog_entry *entry = NULL;
    struct catalog_alias alias;
    struct error err;
    size_t number = 0, is_default = 0;
    int rc = 0, end;
    int inserts = sqlite3_value_type(argv[0]) == SQLITE_NULL;
    if (argc > 1) rc = read_alias(argv + 2, inserts, &alias, &is_default, &err);
    if (!inserts) {
        entry = catalog_entry_at(catalog, (size_t)sqlite3_value_int64(argv[0]) - 1, &end);
        if (entry == NULL) return SQLITE_OK;
    }
    if (rc == 0 && argc == 1) rc = catalog_remove(catalog, entry, &err);
    else if (rc == 0 && inserts) rc = catalog_add(catalog, &alias, &number, &err);
    else if (rc == 0) rc = catalog_change(catalog, entry, &alias, &err);
    if (rc == 0 && argc > 1) rc = set_default(catalog, &alias, is_default != 0, &err);
    if (inserts) *rowid = (sqlite3_int64)number + 1;
    return rc == 0 ? SQLITE_OK : result_table_error(base, "rerank_models", &err);
}

static const sqlite3_module models_module = {
    .xConnect = models_connect,
    .xBestIndex = entries_best_index,
    .xDisconnect = connected_table_free,
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
    .xDisconnect = connected_table_free,
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

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "functions/functions.h"
#include "sqlite/argument.h"
#include "sqlite/result.h"
#include "sqlite/statement.h"

static int unknown(const char *name, struct error *err)
{
    return error_set(
        err, ERROR_INVALID,
        "unknown setting '%.100s' (there are: embed_model, rerank_model, timeout_ms, "
        "max_retries, concurrency, max_requests, threads, on_overlong, memory_budget, cache, "
        "network, locked, progress)",
        name);
}

/* Is the path that of a database of this connection? One that is new has no file yet. */
static int is_own_database(sqlite3 *db, const char *path, int *own, struct error *err)
{
    char whole[FILE_PATH_SIZE];
    sqlite3_stmt *statement;
    file_whole_path(path, whole);
    int rc = statement_prepare(db, &statement, err,
                               "SELECT 1 FROM pragma_database_list WHERE file = %Q", whole);
    if (rc == 0) rc = statement_step(db, statement, own, err);
    sqlite3_finalize(statement);
    return rc;
}

/* Who may only read the database makes no files either: a web page may let anybody ask. */
static int set_cache(struct connection *connection, const char *path, struct error *err)
{
    int own = 0, read_only;
    int rc = connection_is_read_only(connection, "main", &read_only, err);
    if (rc == 0 && read_only)
        rc = error_set(err, ERROR_INVALID,
                       "cache cannot change: this connection can only read, so its SQL makes no "
                       "file (set RERANK_CACHE in the environment)");
    if (rc != 0) return rc;
    if (path[0] == '\0') return catalog_set_store(connection->catalog, NULL, err);
    rc = is_own_database(connection->db, path, &own, err);
    if (rc != 0) return rc;
    if (own)
        return error_set(err, ERROR_INVALID,
                         "cache: '%.200s' is a database of this connection: name a file of its own",
                         path);
    return catalog_set_store(connection->catalog, path, err);
}

static int set(struct connection *connection, const char *name, const char *value,
               struct error *err)
{
    struct catalog *catalog = connection->catalog;
    enum catalog_setting setting;
    if (strcmp(name, "embed_model") == 0)
        return catalog_set_default(catalog, MODEL_EMBED, value, err);
    if (strcmp(name, "rerank_model") == 0)
        return catalog_set_default(catalog, MODEL_RERANK, value, err);
    if (strcmp(name, "cache") == 0) return set_cache(connection, value, err);
    return catalog_setting_find(name, &setting) ? catalog_set(catalog, setting, value, err)
                                                : unknown(name, err);
}

static int get(sqlite3_context *context, struct catalog *catalog, const char *name,
               struct error *err)
{
    enum catalog_setting setting;
    const char *word;
    if (strcmp(name, "embed_model") == 0)
        sqlite3_result_text(context, catalog_default(catalog, MODEL_EMBED), -1, SQLITE_TRANSIENT);
    else if (strcmp(name, "rerank_model") == 0)
        sqlite3_result_text(context, catalog_default(catalog, MODEL_RERANK), -1, SQLITE_TRANSIENT);
    else if (strcmp(name, "cache") == 0 && catalog_store_path(catalog) != NULL)
        sqlite3_result_text(context, catalog_store_path(catalog), -1, SQLITE_TRANSIENT);
    else if (strcmp(name, "cache") == 0) sqlite3_result_text(context, "", 0, SQLITE_STATIC);
    else if (!catalog_setting_find(name, &setting)) return unknown(name, err);
    else if ((word = catalog_get_word(catalog, setting)) != NULL)
        sqlite3_result_text(context, word, -1, SQLITE_STATIC);
    else sqlite3_result_int64(context, (sqlite3_int64)catalog_get(catalog, setting));
    return 0;
}

/* A value as text; drivers bind integers as real numbers. */
static int read_value(sqlite3_value *value, char *digits, size_t size, struct span *text,
                      struct error *err)
{
    int64_t n;
    if (sqlite3_value_type(value) != SQLITE_FLOAT || !argument_integer(value, &n))
        return argument_text(value, text, err);
    snprintf(digits, size, "%lld", (long long)n);
    *text = (struct span){digits, strlen(digits)};
    return 0;
}

/* rerank_config(name [, value]) */
static void configure(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct connection *connection = sqlite3_user_data(context);
    struct error err;
    struct span name = {NULL, 0}, value = {NULL, 0};
    char digits[32];
    int rc = argument_text(argv[0], &name, &err);
    if (rc == 0 && argc > 1) rc = read_value(argv[1], digits, sizeof digits, &value, &err);
    if (rc == 0 && argc > 1) rc = set(connection, name.data, value.data, &err);
    if (rc == 0) rc = get(context, connection->catalog, name.data, &err);
    if (rc != 0) result_error(context, "rerank_config", &err);
}

int settings_register(struct connection *connection)
{
    int rc = SQLITE_OK;
    for (int n = 1; rc == SQLITE_OK && n <= 2; n++)
        rc = connection_function(connection, "rerank_config", n, SQLITE_DIRECTONLY, configure);
    return rc;
}

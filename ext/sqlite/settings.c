#include <string.h>

#include "sqlite/argument.h"
#include "sqlite/functions.h"

static int unknown(const char *name, struct error *err)
{
    return error_set(err, ERROR_INVALID,
                     "unknown setting '%.100s' (there are: embed_model, rerank_model, timeout_ms, "
                     "max_retries, concurrency, max_requests, threads, memory_budget, cache)",
                     name);
}

static int set(struct catalog *catalog, const char *name, const char *value, struct error *err)
{
    enum catalog_setting setting;
    if (strcmp(name, "embed_model") == 0)
        return catalog_set_default(catalog, MODEL_EMBED, value, err);
    if (strcmp(name, "rerank_model") == 0)
        return catalog_set_default(catalog, MODEL_RERANK, value, err);
    if (strcmp(name, "cache") == 0)
        return catalog_set_store(catalog, value[0] == '\0' ? NULL : value, err);
    return catalog_setting_find(name, &setting) ? catalog_set(catalog, setting, value, err)
                                                : unknown(name, err);
}

static int get(sqlite3_context *context, struct catalog *catalog, const char *name,
               struct error *err)
{
    enum catalog_setting setting;
    if (strcmp(name, "embed_model") == 0)
        sqlite3_result_text(context, catalog_default(catalog, MODEL_EMBED), -1, SQLITE_TRANSIENT);
    else if (strcmp(name, "rerank_model") == 0)
        sqlite3_result_text(context, catalog_default(catalog, MODEL_RERANK), -1, SQLITE_TRANSIENT);
    else if (strcmp(name, "cache") == 0 && catalog_store_path(catalog) != NULL)
        sqlite3_result_text(context, catalog_store_path(catalog), -1, SQLITE_TRANSIENT);
    else if (strcmp(name, "cache") == 0) sqlite3_result_text(context, "", 0, SQLITE_STATIC);
    else if (catalog_setting_find(name, &setting))
        sqlite3_result_int64(context, (sqlite3_int64)catalog_get(catalog, setting));
    else return unknown(name, err);
    return 0;
}

/* rerank_config(name [, value]) */
static void configure(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct connection *connection = sqlite3_user_data(context);
    struct error err;
    struct span name = {NULL, 0}, value = {NULL, 0};
    int rc = argument_text(argv[0], &name, &err);
    if (rc == 0 && argc > 1) rc = argument_text(argv[1], &value, &err);
    if (rc == 0 && argc > 1) rc = set(connection->catalog, name.data, value.data, &err);
    if (rc == 0) rc = get(context, connection->catalog, name.data, &err);
    if (rc != 0) argument_result_error(context, "rerank_config", &err);
}

int settings_register(struct connection *connection)
{
    int rc = SQLITE_OK;
    for (int n = 1; rc == SQLITE_OK && n <= 2; n++)
        rc = connection_function(connection, "rerank_config", n, SQLITE_DIRECTONLY, configure);
    return rc;
}

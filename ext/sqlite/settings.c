#include <string.h>

#include "sqlite/argument.h"
#include "sqlite/functions.h"

#define SETTINGS "embed_model, rerank_model, memory_budget"

static int set_budget(struct catalog *catalog, const char *text, struct error *err)
{
    uint64_t bytes = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9' && bytes < (uint64_t)1 << 50; p++)
        bytes = bytes * 10 + (uint64_t)(*p - '0');
    if (p == text || *p != '\0')
        return error_set(err, ERROR_INVALID,
                         "memory_budget must be a number of bytes, not '%.100s'", text);
    catalog_set_memory_budget(catalog, bytes);
    return 0;
}

static int set(struct catalog *catalog, const char *name, const char *value, struct error *err)
{
    if (strcmp(name, "embed_model") == 0)
        return catalog_set_default(catalog, MODEL_EMBED, value, err);
    if (strcmp(name, "rerank_model") == 0)
        return catalog_set_default(catalog, MODEL_RERANK, value, err);
    if (strcmp(name, "memory_budget") == 0) return set_budget(catalog, value, err);
    return error_set(err, ERROR_INVALID, "unknown setting '%.100s' (there are: " SETTINGS ")",
                     name);
}

static int get(sqlite3_context *context, struct catalog *catalog, const char *name,
               struct error *err)
{
    if (strcmp(name, "embed_model") == 0)
        sqlite3_result_text(context, catalog_default(catalog, MODEL_EMBED), -1, SQLITE_TRANSIENT);
    else if (strcmp(name, "rerank_model") == 0)
        sqlite3_result_text(context, catalog_default(catalog, MODEL_RERANK), -1, SQLITE_TRANSIENT);
    else if (strcmp(name, "memory_budget") == 0)
        sqlite3_result_int64(context, (sqlite3_int64)catalog_memory_budget(catalog));
    else
        return error_set(err, ERROR_INVALID, "unknown setting '%.100s' (there are: " SETTINGS ")",
                         name);
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

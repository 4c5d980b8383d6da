#include "semantic/estimate.h"

#include "base/memory.h"
#include "sqlite/argument.h"
#include "semantic/module.h"
#include "semantic/sync.h"
#include "semantic/flush.h"

void estimate_result(sqlite3_context *context, const struct catalog_estimate *estimate)
{
    char *json = sqlite3_mprintf(
        "{\"texts\":%llu,\"requests\":%llu,\"tokens\":%llu}", (unsigned long long)estimate->texts,
        (unsigned long long)estimate->requests, (unsigned long long)estimate->tokens);
    if (json == NULL) sqlite3_result_error_nomem(context);
    else sqlite3_result_text(context, json, -1, sqlite3_free);
}

static int estimate_index(struct semantic_module *module, const char *schema, const char *name,
                          struct catalog_estimate *estimate, struct error *err)
{
    struct semantic_table *index;
    struct semantic_sync *sync = NULL;
    sqlite3_stmt *pin = NULL;
    int rc = semantic_module_pin(module, schema, name, &pin, &index, err);
    if (rc == 0) rc = flush_pending(index, err);
    if (rc == 0) rc = sync_open(index, 0, &sync, err);
    while (rc == 0 && sync_pending(sync)) rc = sync_estimate(sync, estimate, err);
    sync_close(sync);
    sqlite3_finalize(pin);
    return rc;
}

static void estimate(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct semantic_module *module = sqlite3_user_data(context);
    struct catalog_estimate sum = {0};
    struct span name, schema = {NULL, 0};
    char *found_schema = NULL, *found_name = NULL;
    struct error err;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
    int rc = argument_text(argv[0], &name, &err);
    if (rc == 0 && argc > 1 && sqlite3_value_type(argv[1]) != SQLITE_NULL)
        rc = argument_text(argv[1], &schema, &err);
    if (rc == 0)
        rc = semantic_module_resolve(module, name.data, schema.data, &found_schema, &found_name,
                                     &err);
    if (rc == 0) rc = estimate_index(module, found_schema, found_name, &sum, &err);
    if (rc == 0) estimate_result(context, &sum);
    else argument_result_error(context, "semantic_estimate", &err);
    memory_free(found_schema);
    memory_free(found_name);
}

int semantic_estimate_register(sqlite3 *db, struct semantic_module *module)
{
    int rc = SQLITE_OK;
    for (int n = 1; rc == SQLITE_OK && n <= 2; n++)
        rc = sqlite3_create_function_v2(db, "semantic_estimate", n, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                        module, estimate, NULL, NULL, NULL);
    return rc;
}

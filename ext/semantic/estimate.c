/*
 * estimate.c: semantic_estimate(index [, schema]): what a semantic_sync of that index would take,
 * before it is paid for.
 *
 * Gives JSON, {"texts": n, "requests": n, "tokens": n}. Texts that are known already, or come
 * twice, do not count; requests and tokens are estimates. Nothing is sent.
 */
#include "semantic/flush.h"
#include "semantic/registry.h"
#include "semantic/semantic.h"
#include "semantic/sync.h"
#include "sqlite/result.h"

static void estimate(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    struct catalog_estimate sum = {0};
    struct semantic_table *index;
    struct semantic_sync *sync = NULL;
    sqlite3_stmt *pin = NULL;
    struct error err;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
    int rc = registry_open(sqlite3_user_data(context), argv[0], argc > 1 ? argv[1] : NULL, &pin,
                           &index, &err);
    if (rc == 0) rc = flush_pending(index, &err);
    if (rc == 0) rc = sync_open(index, SYNC_CHANGES, NULL, &sync, &err);
    while (rc == 0 && sync_pending(sync)) rc = sync_estimate(sync, &sum, &err);
    if (rc == 0) result_estimate(context, &sum);
    else result_error(context, "semantic_estimate", &err);
    sync_close(sync);
    sqlite3_finalize(pin);
}

int estimate_register(struct connection *connection, struct semantic_registry *registry)
{
    int rc = SQLITE_OK;
    for (int n = 1; rc == SQLITE_OK && n <= 2; n++)
        rc = sqlite3_create_function_v2(connection->db, "semantic_estimate", n,
                                        SQLITE_UTF8 | SQLITE_DIRECTONLY, registry, estimate, NULL,
                                        NULL, NULL);
    return rc;
}

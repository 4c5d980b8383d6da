#include "semantic/semantic.h"

#include "semantic/module.h"

int semantic_register(struct connection *connection)
{
    struct semantic_registry *registry;
    if (registry_new(connection, &registry, NULL) != 0) return SQLITE_NOMEM;
    int rc = module_register(connection, registry);
    if (rc == SQLITE_OK) rc = sync_register(connection, registry);
    if (rc == SQLITE_OK) rc = failures_register(connection, registry);
    if (rc == SQLITE_OK) rc = progress_register(connection, registry);
    if (rc == SQLITE_OK) rc = estimate_register(connection, registry);
    if (rc == SQLITE_OK) rc = status_register(connection, registry);
    if (rc == SQLITE_OK) rc = pending_function_register(connection, registry);
    if (rc == SQLITE_OK) rc = search_each_register(connection, registry);
    if (rc == SQLITE_OK) rc = recall_register(connection, registry);
    if (rc == SQLITE_OK) rc = map_register(connection, registry);
    return rc;
}

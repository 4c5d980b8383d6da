#include "catalog/store.h"

#include "base/environment.h"
#include "base/memory.h"
#include "catalog/entry.h"

#define STORE_VARIABLE "RERANK_CACHE"

void entry_close_store(struct catalog *catalog)
{
    if (catalog->store.close != NULL) catalog->store.close(catalog->store.context);
    catalog->store = (struct catalog_store){0};
    entry_clear_text(&catalog->store_path);
}

void catalog_set_store_opener(struct catalog *catalog, catalog_store_opener open)
{
    catalog->open_store = open;
}

const char *catalog_store_path(const struct catalog *catalog)
{
    return catalog->store_path != NULL ? catalog->store_path : environment_value(STORE_VARIABLE);
}

int catalog_set_store(struct catalog *catalog, const char *path, struct error *err)
{
    struct catalog_store store = {0};
    char *copy = NULL;
    int rc = entry_check_unlocked(catalog, "cache", err);
    if (rc == 0) rc = entry_replace_text(&copy, path != NULL ? path : "", err);
    if (rc == 0 && path != NULL) rc = catalog->open_store(path, &store, err);
    if (rc != 0) {
        memory_free(copy);
        return rc;
    }
    entry_close_store(catalog);
    catalog->store_path = copy;
    catalog->store = store;
    return 0;
}

int entry_store(struct catalog *catalog, struct catalog_store **store, struct error *err)
{
    const char *path = catalog_store_path(catalog);
    *store = NULL;
    if (path == NULL || path[0] == '\0' || catalog->open_store == NULL) return 0;
    int rc = catalog->store.find == NULL ? catalog->open_store(path, &catalog->store, err) : 0;
    if (rc == 0) *store = &catalog->store;
    else error_context(err, "%s", STORE_VARIABLE);
    return rc;
}

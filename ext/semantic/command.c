#include "semantic/command.h"

#include <string.h>

#include "base/hash.h"
#include "semantic/embedder.h"
#include "semantic/flush.h"
#include "semantic/registry.h"
#include "semantic/sync.h"
#include "store/integrity.h"
#include "store/optimize.h"
#include "store/write.h"

static int synchronize(struct semantic_table *table, int rebuild, struct error *err)
{
    struct semantic_sync *sync;
    int rc = sync_open(table, rebuild, &sync, err);
    while (rc == 0 && sync_pending(sync)) {
        rc = sync_collect(sync, err);
        if (rc == 0) rc = sync_store(sync, err);
        if (rc == 0) sync_stored(sync);
        if (rc == 0) rc = sync_failure(sync, err);
    }
    sync_close(sync);
    return rc;
}

/* The batch is for this table, as this connection sees it now. */
static int store_batch(struct semantic_table *table, struct error *err)
{
    struct semantic_sync *sync = table->registry->storing;
    sync->table = table;
    return sync_store(sync, err);
}

static int optimize(struct semantic_table *table, struct error *err)
{
    struct store_state state;
    int rc = store_read_state(&table->store, &state, err);
    if (rc == 0) rc = store_write_begin(&table->store, &state, hash_bytes("optimize", 8, 0), err);
    return rc == 0 ? store_write_end(&table->store, store_optimize(&table->store, &state, err))
                   : rc;
}

int semantic_integrity_check(struct semantic_table *table, struct error *err)
{
    int rc = store_integrity_check(&table->store, err);
    return rc == 0 ? semantic_check_fitted(table, err) : rc;
}

int semantic_command(struct semantic_table *table, const char *command, struct error *err)
{
    int rc = flush_pending(table, err);
    if (rc != 0) return rc;
    if (sqlite3_stricmp(command, "sync") == 0) return synchronize(table, 0, err);
    if (sqlite3_stricmp(command, "rebuild") == 0) return synchronize(table, 1, err);
    if (sqlite3_stricmp(command, "optimize") == 0) return optimize(table, err);
    if (sqlite3_stricmp(command, "integrity-check") == 0)
        return semantic_integrity_check(table, err);
    if (strcmp(command, "store-batch") == 0 && table->registry->storing != NULL)
        return store_batch(table, err);
    return error_set(
        err, ERROR_INVALID,
        "unknown command '%.100s' (there are: sync, rebuild, optimize, integrity-check)", command);
}

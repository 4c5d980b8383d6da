#include "sqlite/semantic_command.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/semantic_embed.h"
#include "sqlite/semantic_reader.h"
#include "sqlite/semantic_store.h"
#include "sqlite/semantic_sync.h"
#include "sqlite/semantic_write.h"

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
    struct semantic_sync *sync = table->module->storing;
    sync->table = table;
    return sync_store(sync, err);
}

static int optimize(struct semantic_table *table, struct error *err)
{
    struct semantic_state state;
    int rc = store_read_state(table, &state, err);
    if (rc == 0) rc = store_touch(table, err);
    return rc == 0 ? store_rebuild_codes(table, state.dimensions, err) : rc;
}

int semantic_command(struct semantic_table *table, const char *command, struct error *err)
{
    int rc = semantic_flush(table, err);
    if (rc != 0) return rc;
    if (sqlite3_stricmp(command, "sync") == 0) return synchronize(table, 0, err);
    if (sqlite3_stricmp(command, "rebuild") == 0) return synchronize(table, 1, err);
    if (sqlite3_stricmp(command, "optimize") == 0) return optimize(table, err);
    if (sqlite3_stricmp(command, "integrity-check") == 0)
        return semantic_integrity_check(table, err);
    if (strcmp(command, "store-batch") == 0 && table->module->storing != NULL)
        return store_batch(table, err);
    return error_set(
        err, ERROR_INVALID,
        "unknown command '%.100s' (there are: sync, rebuild, optimize, integrity-check)", command);
}

static int check_vector(const struct semantic_table *table, int64_t id, const void *bytes,
                        size_t size, size_t dimensions, struct error *err)
{
    if (size != dimensions * sizeof(float) || bytes == NULL)
        return error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                         (long long)id, dimensions * sizeof(float), size);
    int zero = 1;
    for (size_t i = 0; i < dimensions; i++) {
        float component;
        memcpy(&component, (const char *)bytes + i * sizeof component, sizeof component);
        if (!isfinite(component))
            return error_set(err, ERROR_CORRUPT,
                             "row %lld: component %zu of its vector is not finite", (long long)id,
                             i);
        if (component != 0.0f) zero = 0;
    }
    if (zero && table->config.metric == INDEX_COSINE)
        return error_set(err, ERROR_CORRUPT, "row %lld: its vector is zero", (long long)id);
    return 0;
}

static int check_vectors(struct semantic_table *table, size_t dimensions, int64_t *n_vectors,
                         struct error *err)
{
    struct semantic_reader reader;
    struct index_storage storage;
    const void *bytes;
    size_t size;
    int64_t id;
    int done = 0;
    *n_vectors = 0;
    reader_open(table, &reader, &storage);
    int rc = storage.rewind(storage.context, 0, err);
    while (rc == 0 && (rc = storage.next(storage.context, &id, &bytes, &size, &done, err)) == 0 &&
           !done) {
        rc = check_vector(table, id, bytes, size, dimensions, err);
        if (rc == 0 && ++*n_vectors % 1024 == 0) rc = cancel_check(&table->connection->cancel, err);
    }
    reader_close(&reader);
    return rc;
}

/* A query that must find nothing: `sql` takes schema and name twice and selects ids. */
static int check_none(struct semantic_table *table, const char *message, struct error *err,
                      const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    int rc = store_prepare(table->db, &statement, err, sql, table->schema, table->name,
                           table->schema, table->name);
    if (rc == 0) rc = store_step(table->db, statement, &row, err);
    if (rc == 0 && row)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: %s",
                       (long long)sqlite3_column_int64(statement, 0), message);
    sqlite3_finalize(statement);
    return rc;
}

/* Every code has its vector, and is that vector's code; every vector has its code. */
static int check_codes(struct semantic_table *table, size_t dimensions, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    size_t size = index_code_size(table->config.quantize, dimensions);
    float *vector = memory_alloc(dimensions, sizeof *vector);
    char *code = memory_alloc(size, 1);
    int rc = vector == NULL || code == NULL ? error_nomem(err) : 0;
    if (rc == 0)
        rc = store_prepare(table->db, &statement, err,
                           "SELECT v.id, v.vector, c.code FROM \"%w\".\"%w_vectors\" v LEFT JOIN "
                           "\"%w\".\"%w_codes\" c ON "
                           "c.id = v.id",
                           table->schema, table->name, table->schema, table->name);
    while (rc == 0 && (rc = store_step(table->db, statement, &row, err)) == 0 && row) {
        const void *bytes = sqlite3_column_blob(statement, 1),
                   *stored = sqlite3_column_blob(statement, 2);
        if (bytes == NULL) continue;
        memcpy(vector, bytes, dimensions * sizeof *vector);
        index_encode(table->config.quantize, vector, dimensions, code);
        if (stored == NULL || (size_t)sqlite3_column_bytes(statement, 2) != size ||
            memcmp(stored, code, size) != 0)
            rc = error_set(err, ERROR_CORRUPT,
                           "row %lld: its code is not that of its vector ('optimize' mends it)",
                           (long long)sqlite3_column_int64(statement, 0));
    }
    sqlite3_finalize(statement);
    memory_free(vector);
    memory_free(code);
    return rc != 0 ? rc
                   : check_none(table, "its code has no vector ('optimize' mends it)", err,
                                "SELECT id FROM \"%w\".\"%w_codes\" WHERE id NOT IN (SELECT id "
                                "FROM \"%w\".\"%w_vectors\")");
}

int semantic_integrity_check(struct semantic_table *table, struct error *err)
{
    struct semantic_state state;
    struct catalog_entry *entry;
    struct model *fitted;
    int64_t n_vectors;
    int rc = store_read_state(table, &state, err);
    if (rc == 0) rc = check_vectors(table, state.dimensions, &n_vectors, err);
    if (rc == 0 && table->config.quantize != INDEX_EXACT)
        rc = check_codes(table, state.dimensions, err);
    if (rc == 0 && table->config.content == NULL)
        rc = check_none(table, "its vector has no text row", err,
                        "SELECT id FROM \"%w\".\"%w_vectors\" WHERE id NOT IN (SELECT id FROM "
                        "\"%w\".\"%w_text\")");
    if (rc != 0 || state.fit == 0) return rc;
    model_free(table->fitted);
    table->fitted = NULL;
    return semantic_embedder(table, &state, &entry, &fitted, err);
}

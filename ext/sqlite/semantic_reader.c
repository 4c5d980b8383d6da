#include "sqlite/semantic_reader.h"

#include "sqlite/semantic_store.h"

void reader_forget(struct semantic_table *table)
{
    table->connection->packed_bytes -= index_packed_bytes(&table->packed);
    index_packed_deinit(&table->packed);
    table->packed_generation = 0;
}

/* Does memory hold what this scan, or look-up, reads? */
static int is_in_memory(const struct semantic_reader *reader, int codes)
{
    const struct semantic_table *table = reader->table;
    return codes == (table->config.quantize != INDEX_EXACT) && reader->generation != 0 &&
           reader->generation == table->packed_generation;
}

static int rewind_scan(void *context, int codes, struct error *err)
{
    struct semantic_reader *reader = context;
    struct semantic_table *table = reader->table;
    reader->filling = codes == (table->config.quantize != INDEX_EXACT) && reader->generation != 0;
    if (reader->filling) reader_forget(table);
    sqlite3_finalize(reader->scan);
    return store_prepare(table->db, &reader->scan, err,
                         codes ? "SELECT id, code FROM \"%w\".\"%w_codes\" ORDER BY id"
                               : "SELECT id, vector FROM \"%w\".\"%w_vectors\" ORDER BY id",
                         table->schema, table->name);
}

static const struct index_packed *packed(void *context, int codes)
{
    struct semantic_reader *reader = context;
    struct semantic_table *table = reader->table;
    struct connection *connection = table->connection;
    if (connection->packed_bytes > catalog_get(connection->catalog, CATALOG_MEMORY_BUDGET))
        reader_forget(table);
    return is_in_memory(reader, codes) ? &table->packed : NULL;
}

/* Keeps a row that was scanned, if all can be kept. */
static void keep(struct semantic_reader *reader, int64_t id, const void *bytes, size_t size)
{
    struct semantic_table *table = reader->table;
    struct connection *connection = table->connection;
    uint64_t before = index_packed_bytes(&table->packed),
             budget = catalog_get(connection->catalog, CATALOG_MEMORY_BUDGET);
    uint64_t others = connection->packed_bytes - before;
    reader->filling =
        index_packed_add(&table->packed, id, bytes, size, budget > others ? budget - others : 0);
    connection->packed_bytes = others + index_packed_bytes(&table->packed);
    if (!reader->filling) reader_forget(table);
}

static int next(void *context, int64_t *id, const void **bytes, size_t *size, int *done,
                struct error *err)
{
    struct semantic_reader *reader = context;
    struct semantic_table *table = reader->table;
    int row;
    int rc = store_step(table->db, reader->scan, &row, err);
    *done = !row;
    if (rc == 0 && !row && reader->filling) table->packed_generation = reader->generation;
    if (rc != 0 || !row) return rc;
    *id = sqlite3_column_int64(reader->scan, 0);
    rc = store_column_bytes(reader->scan, 1, bytes, size, err);
    if (rc == 0 && reader->filling) keep(reader, *id, *bytes, *size);
    return rc;
}

static int fetch(void *context, int64_t id, const void **bytes, size_t *size, int *found,
                 struct error *err)
{
    struct semantic_reader *reader = context;
    struct semantic_table *table = reader->table;
    int rc = 0;
    if (is_in_memory(reader, 0)) {
        *bytes = index_packed_find(&table->packed, id);
        *size = table->packed.row_size;
        *found = *bytes != NULL;
        return 0;
    }
    if (reader->lookup == NULL)
        rc = store_prepare(table->db, &reader->lookup, err,
                           "SELECT vector FROM \"%w\".\"%w_vectors\" WHERE id = ?1", table->schema,
                           table->name);
    if (rc != 0) return rc;
    sqlite3_reset(reader->lookup);
    sqlite3_bind_int64(reader->lookup, 1, id);
    rc = store_step(table->db, reader->lookup, found, err);
    if (rc != 0 || !*found) return rc;
    return store_column_bytes(reader->lookup, 0, bytes, size, err);
}

void reader_open(struct semantic_table *table, struct semantic_reader *reader,
                 struct index_storage *storage)
{
    *reader = (struct semantic_reader){.table = table};
    *storage = (struct index_storage){rewind_scan, next, fetch, packed, reader};
}

void reader_close(struct semantic_reader *reader)
{
    sqlite3_finalize(reader->scan);
    sqlite3_finalize(reader->lookup);
    reader->scan = reader->lookup = NULL;
    reader->generation = 0;
}

#include "store/store.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "vector/codec.h"

#define MODEL_PIECE ((size_t)1 << 20)

int store_init(struct store *store, struct connection *connection, const char *schema,
               const char *name, struct store_write *write, struct error *err)
{
    *store = (struct store){.connection = connection, .db = connection->db, .write = write};
    store->schema = memory_copy(schema, strlen(schema));
    store->name = memory_copy(name, strlen(name));
    return store->schema == NULL || store->name == NULL ? error_nomem(err) : 0;
}

void store_deinit(struct store *store)
{
    store_finalize(store);
    index_partitions_free(store->partitions);
    index_cache_close(store->cache);
    memory_free(store->schema);
    memory_free(store->name);
    *store = (struct store){0};
}

int store_is_partitioned(const struct store *store)
{
    return store->options.partitions != 0 || store->options.quantize != INDEX_EXACT;
}

int store_corrupt_config(const struct store *store, const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "%s_config: %s (drop the index and create it again)",
                     store->name, what);
}

int store_run(struct store *store, sqlite3_stmt *statement, struct error *err)
{
    return statement_run(store->db, statement, err);
}

/* The SQL of the kept statements; the schema and the name go in. */
static const char *const statement_formats[N_STATEMENTS] = {
    [STATEMENT_STATE] =
        "SELECT key, value FROM \"%w\".\"%w_config\" "
        "WHERE key IN ('dimensions', 'fit', 'format', 'generation', 'identity', 'model', "
        "'partitions')",
    [STATEMENT_SET_STATE] = "REPLACE INTO \"%w\".\"%w_config\"(key, value) VALUES (?1, ?2)",
    [STATEMENT_PUT_ROW] =
        "REPLACE INTO \"%w\".\"%w_rows\"(id, hash, own, block) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_GET_ROW] = "SELECT hash, own, block FROM \"%w\".\"%w_rows\" WHERE id = ?1",
    [STATEMENT_MOVE_ROW] = "UPDATE \"%w\".\"%w_rows\" SET block = ?2 WHERE id = ?1",
    [STATEMENT_DELETE_ROW] = "DELETE FROM \"%w\".\"%w_rows\" WHERE id = ?1",
    [STATEMENT_PUT_VECTOR] = "REPLACE INTO \"%w\".\"%w_vectors\"(id, vector) VALUES (?1, ?2)",
    [STATEMENT_GET_VECTOR] = "SELECT vector FROM \"%w\".\"%w_vectors\" WHERE id = ?1",
    [STATEMENT_DELETE_VECTOR] = "DELETE FROM \"%w\".\"%w_vectors\" WHERE id = ?1",
    [STATEMENT_GET_BLOCK] = "SELECT partition, n, room FROM \"%w\".\"%w_blocks\" WHERE block = ?1",
    [STATEMENT_BLOCK_WITH_ROOM] =
        "SELECT block, n, room FROM \"%w\".\"%w_blocks\" "
        "WHERE partition = ?1 AND room > 0 AND block > ?2 ORDER BY room DESC LIMIT 1",
    [STATEMENT_LAST_CAPACITY] = "SELECT n + room FROM \"%w\".\"%w_blocks\" "
                                "WHERE partition = ?1 AND room = 0 ORDER BY block DESC LIMIT 1",
    [STATEMENT_LAST_BLOCK] = "SELECT max(block) FROM \"%w\".\"%w_blocks\"",
    [STATEMENT_PUT_BLOCK] = "REPLACE INTO \"%w\".\"%w_blocks\"(block, partition, n, room, version) "
                            "VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_DELETE_BLOCK] = "DELETE FROM \"%w\".\"%w_blocks\" WHERE block = ?1",
    [STATEMENT_PUT_DATA] = "INSERT INTO \"%w\".\"%w_data\"(block, bytes) VALUES (?1, ?2)",
    [STATEMENT_GET_DATA] = "SELECT bytes FROM \"%w\".\"%w_data\" WHERE block = ?1",
    [STATEMENT_DELETE_DATA] = "DELETE FROM \"%w\".\"%w_data\" WHERE block = ?1",
    [STATEMENT_PART_SIZE] =
        "SELECT sum(n) FROM \"%w\".\"%w_blocks\" WHERE partition = ?1 AND block > ?2",
    [STATEMENT_PUT_PARTITION] =
        "REPLACE INTO \"%w\".\"%w_partitions\"(partition, centroid) VALUES (?1, ?2)",
    [STATEMENT_PUT_TEXT] = "REPLACE INTO \"%w\".\"%w_text\"(id, text) VALUES (?1, ?2)",
    [STATEMENT_DELETE_TEXT] = "DELETE FROM \"%w\".\"%w_text\" WHERE id = ?1",
    [STATEMENT_LAST_ID] = "SELECT max(id) FROM \"%w\".\"%w_text\"",
};

int store_statement(struct store *store, enum store_statement which, sqlite3_stmt **statement,
                    struct error *err)
{
    *statement = store->statements[which];
    if (*statement != NULL) {
        sqlite3_reset(*statement);
        return 0;
    }
    int rc = statement_prepare_text(
        store->db, statement, SQLITE_PREPARE_PERSISTENT, err,
        sqlite3_mprintf(statement_formats[which], store->schema, store->name));
    store->statements[which] = *statement;
    return rc;
}

void store_finalize(struct store *store)
{
    for (int i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
}

int store_read_state(struct store *store, struct store_state *state, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int64_t dimensions = -1, format = 0;
    *state = (struct store_state){0};
    int rc = store_statement(store, STATEMENT_STATE, &statement, err);
    while (rc == 0 && (rc = statement_step(store->db, statement, &row, err)) == 0 && row) {
        const char *key = (const char *)sqlite3_column_text(statement, 0);
        int64_t value = sqlite3_column_int64(statement, 1);
        if (key == NULL) rc = error_nomem(err);
        if (rc != 0) break;
        if (strcmp(key, "dimensions") == 0) dimensions = value;
        if (strcmp(key, "fit") == 0) state->fit = value;
        if (strcmp(key, "format") == 0) format = value;
        if (strcmp(key, "generation") == 0) state->generation = value;
        if (strcmp(key, "partitions") == 0) state->partitions = value;
        const char *text = (const char *)sqlite3_column_text(statement, 1);
        if (text == NULL) text = "";
        if (strcmp(key, "model") == 0)
            sqlite3_snprintf((int)sizeof state->model, state->model, "%s", text);
        if (strcmp(key, "identity") == 0)
            sqlite3_snprintf((int)sizeof state->identity, state->identity, "%s", text);
    }
    if (rc != 0) return rc;
    if (format != STORE_FORMAT || dimensions < 0 || dimensions > VECTOR_MAX_DIMENSIONS)
        return store_corrupt_config(store, "format or dimensions is damaged", err);
    state->dimensions = (size_t)dimensions;
    return 0;
}

int store_set(struct store *store, const char *key, int64_t value, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(store, STATEMENT_SET_STATE, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, value);
    return store_run(store, statement, err);
}

int store_set_text(struct store *store, const char *key, const char *value, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(store, STATEMENT_SET_STATE, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    return store_run(store, statement, err);
}

static int put_text(struct store *store, const struct store_change *row, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(store, STATEMENT_PUT_TEXT, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, row->id);
    if (row->text != NULL)
        sqlite3_bind_text64(statement, 2, row->text, row->text_size, SQLITE_STATIC, SQLITE_UTF8);
    return store_run(store, statement, err);
}

static int put_vector(struct store *store, const struct store_change *row, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(store, STATEMENT_PUT_VECTOR, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, row->id);
    sqlite3_bind_blob64(statement, 2, row->vector, row->dimensions * sizeof(float), SQLITE_STATIC);
    return store_run(store, statement, err);
}

int store_put(struct store *store, const struct store_change *row, int64_t block, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(store, STATEMENT_PUT_ROW, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, row->id);
    sqlite3_bind_int64(statement, 2, (int64_t)row->hash);
    sqlite3_bind_int(statement, 3, row->own);
    sqlite3_bind_int64(statement, 4, block);
    rc = store_run(store, statement, err);
    if (rc == 0 && store->options.quantize != INDEX_EXACT) rc = put_vector(store, row, err);
    if (rc == 0 && store->options.keeps_texts) rc = put_text(store, row, err);
    return rc;
}

int store_delete_with(struct store *store, enum store_statement which, int64_t number,
                      struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(store, which, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, number);
    return store_run(store, statement, err);
}

int store_delete(struct store *store, const struct store_change *row, struct error *err)
{
    int rc = store_delete_with(store, STATEMENT_DELETE_ROW, row->id, err);
    if (rc == 0 && store->options.quantize != INDEX_EXACT)
        rc = store_delete_with(store, STATEMENT_DELETE_VECTOR, row->id, err);
    if (rc == 0 && store->options.keeps_texts && row->kind == STORE_DELETE)
        rc = store_delete_with(store, STATEMENT_DELETE_TEXT, row->id, err);
    return rc;
}

int store_delete_all(struct store *store, struct error *err)
{
    static const char *const emptied[] = {"rows", "blocks", "data", "vectors", "partitions"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof emptied / sizeof *emptied; i++)
        if ((i != 3 || store->options.quantize != INDEX_EXACT) &&
            (i != 4 || store_is_partitioned(store)))
            rc = statement_execute(store->db, err, "DELETE FROM \"%w\".\"%w_%w\"", store->schema,
                                   store->name, emptied[i]);
    return rc == 0 ? store_set(store, "partitions", 0, err) : rc;
}

int store_any_row(struct store *store, int own, int *any, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = statement_prepare(store->db, &statement, err,
                               "SELECT 1 FROM \"%w\".\"%w_rows\" WHERE own >= %d LIMIT 1",
                               store->schema, store->name, own);
    if (rc == 0) rc = statement_step(store->db, statement, any, err);
    sqlite3_finalize(statement);
    return rc;
}

int store_get_row(struct store *store, int64_t id, struct store_row *row, int *found,
                  struct error *err)
{
    sqlite3_stmt *statement;
    *found = 0;
    *row = (struct store_row){0};
    int rc = store_statement(store, STATEMENT_GET_ROW, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, id);
    if ((rc = statement_step(store->db, statement, found, err)) != 0 || !*found) return rc;
    row->hash = (uint64_t)sqlite3_column_int64(statement, 0);
    row->own = sqlite3_column_int(statement, 1);
    row->block = sqlite3_column_int64(statement, 2);
    sqlite3_reset(statement);
    return 0;
}

int store_last_id(struct store *store, int64_t *id, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *id = 0;
    int rc = store_statement(store, STATEMENT_LAST_ID, &statement, err);
    if (rc == 0) rc = statement_step(store->db, statement, &row, err);
    if (rc != 0 || !row) return rc;
    *id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return 0;
}

int store_read_model(struct store *store, struct buffer *bytes, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(store->db, &statement, err,
                               "SELECT bytes FROM \"%w\".\"%w_model\" ORDER BY id", store->schema,
                               store->name);
    while (rc == 0 && (rc = statement_step(store->db, statement, &row, err)) == 0 && row) {
        const void *piece = sqlite3_column_blob(statement, 0);
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        rc = piece == NULL && sqlite3_column_type(statement, 0) == SQLITE_BLOB && size > 0
                 ? error_nomem(err)
                 : buffer_append(bytes, piece, size, err);
    }
    sqlite3_finalize(statement);
    return rc;
}

int store_write_model(struct store *store, struct span bytes, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = statement_execute(store->db, err, "DELETE FROM \"%w\".\"%w_model\"", store->schema,
                               store->name);
    if (rc == 0)
        rc = statement_prepare(store->db, &statement, err,
                               "INSERT INTO \"%w\".\"%w_model\"(bytes) VALUES (?1)", store->schema,
                               store->name);
    for (size_t at = 0; rc == 0 && at < bytes.size; at += MODEL_PIECE) {
        size_t left = bytes.size - at;
        sqlite3_bind_blob64(statement, 1, bytes.data + at, left < MODEL_PIECE ? left : MODEL_PIECE,
                            SQLITE_STATIC);
        rc = store_run(store, statement, err);
    }
    sqlite3_finalize(statement);
    return rc;
}

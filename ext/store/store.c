#include "store/store.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/statement.h"
#include "vector/codec.h"

#define MODEL_PIECE ((size_t)1 << 20)

/* The shadow tables in SQL, whose schema and name sqlite3_mprintf puts in: two of them at most. */
#define X_CONFIG "\"%w\".\"%w_config\""
#define X_ROWS "\"%w\".\"%w_rows\""
#define X_BLOCKS "\"%w\".\"%w_blocks\""
#define X_DATA "\"%w\".\"%w_data\""
#define X_VECTORS "\"%w\".\"%w_vectors\""
#define X_PARTITIONS "\"%w\".\"%w_partitions\""
#define X_TEXT "\"%w\".\"%w_text\""
#define X_MODEL "\"%w\".\"%w_model\""

enum kept {
    KEPT_STATE = STORE_N_QUESTIONS,
    KEPT_SET,
    KEPT_PUT_ROW,
    KEPT_GET_ROW,
    KEPT_MOVE_ROW,
    KEPT_DELETE_ROW,
    KEPT_PUT_TEXT,
    KEPT_DELETE_TEXT,
    KEPT_PUT_VECTOR,
    KEPT_GET_VECTOR,
    KEPT_DELETE_VECTOR,
    KEPT_PUT_BLOCK,
    KEPT_GET_BLOCK,
    KEPT_DELETE_BLOCK,
    KEPT_PUT_DATA,
    KEPT_GET_DATA,
    KEPT_DELETE_DATA,
    KEPT_PUT_CENTROID,
    N_KEPT
};
_Static_assert(N_KEPT == STORE_N_KEPT, "struct store has a place for each");

static const char *const kept_sql[N_KEPT] = {
    [STORE_N_ROWS] = "SELECT count(*) FROM " X_ROWS,
    [STORE_ANY_OWN] = "SELECT 1 FROM " X_ROWS " WHERE own >= 1 LIMIT 1",
    [STORE_LAST_ID] = "SELECT max(id) FROM " X_TEXT " WHERE id <= ?1",
    [STORE_N_BLOCKS] = "SELECT count(*) FROM " X_BLOCKS,
    [STORE_LAST_BLOCK] = "SELECT max(block) FROM " X_BLOCKS,
    [STORE_BLOCK_WITH_ROOM] =
        "SELECT block FROM " X_BLOCKS " WHERE partition = ?1 AND room > 0 AND block > ?2 "
        "ORDER BY room DESC, block DESC LIMIT 1",
    [STORE_LAST_CAPACITY] = "SELECT n + room FROM " X_BLOCKS
                            " WHERE partition = ?1 AND room = 0 ORDER BY block DESC LIMIT 1",
    [STORE_N_ROWS_OF_PARTITION] =
        "SELECT sum(n) FROM " X_BLOCKS " WHERE partition = ?1 AND block > ?2",
    [STORE_N_PARTITIONS] = "SELECT count(*) FROM " X_PARTITIONS,
    [KEPT_STATE] =
        "SELECT key, value FROM " X_CONFIG " WHERE key IN ('created', 'dimensions', 'fit', "
        "'format', 'generation', 'identity', 'model', 'partitions')",
    [KEPT_SET] = "REPLACE INTO " X_CONFIG "(key, value) VALUES (?1, ?2)",
    [KEPT_PUT_ROW] = "REPLACE INTO " X_ROWS "(id, hash, own, block) VALUES (?1, ?2, ?3, ?4)",
    [KEPT_GET_ROW] = "SELECT hash, own, block FROM " X_ROWS " WHERE id = ?1",
    [KEPT_MOVE_ROW] = "UPDATE " X_ROWS " SET block = ?2 WHERE id = ?1",
    [KEPT_DELETE_ROW] = "DELETE FROM " X_ROWS " WHERE id = ?1",
    [KEPT_PUT_TEXT] = "REPLACE INTO " X_TEXT "(id, text) VALUES (?1, ?2)",
    [KEPT_DELETE_TEXT] = "DELETE FROM " X_TEXT " WHERE id = ?1",
    [KEPT_PUT_VECTOR] = "REPLACE INTO " X_VECTORS "(id, vector) VALUES (?1, ?2)",
    [KEPT_GET_VECTOR] = "SELECT vector FROM " X_VECTORS " WHERE id = ?1",
    [KEPT_DELETE_VECTOR] = "DELETE FROM " X_VECTORS " WHERE id = ?1",
    [KEPT_PUT_BLOCK] =
        "REPLACE INTO " X_BLOCKS "(block, partition, n, room, version) VALUES (?1, ?2, ?3, ?4, ?5)",
    [KEPT_GET_BLOCK] =
        "SELECT block, partition, n, room, version FROM " X_BLOCKS " WHERE block = ?1",
    [KEPT_DELETE_BLOCK] = "DELETE FROM " X_BLOCKS " WHERE block = ?1",
    [KEPT_PUT_DATA] = "INSERT INTO " X_DATA "(block, bytes) VALUES (?1, ?2)",
    [KEPT_GET_DATA] = "SELECT bytes FROM " X_DATA " WHERE block = ?1",
    [KEPT_DELETE_DATA] = "DELETE FROM " X_DATA " WHERE block = ?1",
    [KEPT_PUT_CENTROID] = "REPLACE INTO " X_PARTITIONS "(partition, centroid) VALUES (?1, ?2)",
};

static const char *const query_sql[] = {
    [STORE_IDS] = "SELECT id FROM " X_ROWS " ORDER BY id",
    [STORE_ROWS] = "SELECT id, hash, own FROM " X_ROWS " ORDER BY id",
    [STORE_MODEL_IDS] = "SELECT id FROM " X_ROWS " WHERE own = 0 ORDER BY id",
    [STORE_TEXTS] = "SELECT id, text FROM " X_TEXT " ORDER BY id",
    [STORE_TEXT] = "SELECT id, text FROM " X_TEXT " WHERE id = ?1",
    [STORE_DOCUMENT] = "SELECT id, text, text FROM " X_TEXT " WHERE id = ?1",
    [STORE_VECTORS] = "SELECT id, vector FROM " X_VECTORS,
    [STORE_SORTED_VECTORS] = "SELECT id, vector FROM " X_VECTORS " ORDER BY id",
    [STORE_VECTOR] = "SELECT vector FROM " X_VECTORS " WHERE id = ?1",
    [STORE_BLOCKS] =
        "SELECT block, partition, n, room, version FROM " X_BLOCKS " ORDER BY partition, block",
    [STORE_BLOCK_OF_ROW] = "SELECT b.block, b.partition, b.n, b.room, b.version FROM " X_ROWS
                           " r JOIN " X_BLOCKS " b ON b.block = r.block WHERE r.id = ?1",
    [STORE_BLOCK_NUMBERS] = "SELECT block FROM " X_BLOCKS,
    [STORE_BLOCKS_UNTIL] = "SELECT block FROM " X_BLOCKS " WHERE block <= ?1 ORDER BY block",
    [STORE_BLOCKS_OF_PARTITION] =
        "SELECT block, n FROM " X_BLOCKS " WHERE partition = ?1 AND block > ?2 ORDER BY block",
    [STORE_DATA] = "SELECT d.bytes, b.version FROM " X_DATA " d LEFT JOIN " X_BLOCKS
                   " b ON b.block = d.block WHERE d.block = ?1",
    [STORE_CENTROIDS] = "SELECT partition, centroid FROM " X_PARTITIONS " ORDER BY partition",
    [STORE_LOST_DATA] =
        "SELECT block FROM " X_DATA " WHERE block NOT IN (SELECT block FROM " X_BLOCKS ")",
    [STORE_LOST_VECTORS] =
        "SELECT id FROM " X_VECTORS " WHERE id NOT IN (SELECT id FROM " X_ROWS ")",
    [STORE_ROWS_WITHOUT_TEXT] =
        "SELECT id FROM " X_ROWS " WHERE id NOT IN (SELECT id FROM " X_TEXT ")",
};

int store_init(struct store *store, struct connection *connection, const char *schema,
               const char *name, struct store_write *write, struct error *err)
{
    *store = (struct store){.connection = connection,
                            .cancel = &connection->cancel,
                            .db = connection->db,
                            .write = write};
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

void store_finalize(struct store *store)
{
    for (int i = 0; i < N_KEPT; i++) {
        sqlite3_finalize(store->kept[i]);
        store->kept[i] = NULL;
    }
}

int store_keeps_vectors(const struct store *store)
{
    return store->options.quantize != INDEX_EXACT;
}

int store_is_partitioned(const struct store *store)
{
    return store->options.partitions != 0 || store->options.quantize != INDEX_EXACT;
}

size_t store_threads(const struct store *store)
{
    return (size_t)catalog_get(store->connection->catalog, CATALOG_THREADS);
}

uint64_t store_memory_budget(const struct store *store)
{
    return catalog_get(store->connection->catalog, CATALOG_MEMORY_BUDGET);
}

/* ---- statements ------------------------------------------------------------------------------ */

static int prepare(struct store *store, const char *sql, unsigned flags, sqlite3_stmt **statement,
                   struct error *err)
{
    return statement_prepare_text(
        store->db, statement, flags, err,
        sqlite3_mprintf(sql, store->schema, store->name, store->schema, store->name));
}

int store_query(struct store *store, enum store_query which, sqlite3_stmt **statement,
                struct error *err)
{
    return prepare(store, query_sql[which], 0, statement, err);
}

/* A kept statement, prepared at first use, reset and ready to be bound. */
static int keep(struct store *store, size_t which, sqlite3_stmt **statement, struct error *err)
{
    *statement = store->kept[which];
    if (*statement != NULL) {
        sqlite3_reset(*statement);
        return 0;
    }
    int rc = prepare(store, kept_sql[which], SQLITE_PREPARE_PERSISTENT, statement, err);
    store->kept[which] = *statement;
    return rc;
}

int store_ask(struct store *store, enum store_question which, int64_t first, int64_t second,
              int64_t *answer, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0, n_parameters;
    *answer = 0;
    int rc = keep(store, which, &statement, err);
    if (rc != 0) return rc;
    n_parameters = sqlite3_bind_parameter_count(statement);
    if (n_parameters > 0) sqlite3_bind_int64(statement, 1, first);
    if (n_parameters > 1) sqlite3_bind_int64(statement, 2, second);
    rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row) {
        *answer = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    return rc;
}

/* Steps a kept statement that writes; the bindings are dropped, as they may point to what the
 * caller frees. */
static int run(struct store *store, sqlite3_stmt *statement, struct error *err)
{
    assert(store->write->step == STORE_WRITING);
    return statement_run(store->db, statement, err);
}

/* Runs a kept statement whose only parameter is a number. */
static int run_with(struct store *store, enum kept which, int64_t number, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keep(store, which, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, number);
    return run(store, statement, err);
}

/* Runs a kept statement whose parameters are a number and bytes. */
static int run_with_bytes(struct store *store, enum kept which, int64_t number, const void *bytes,
                          size_t size, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keep(store, which, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, number);
    sqlite3_bind_blob64(statement, 2, bytes, size, SQLITE_STATIC);
    return run(store, statement, err);
}

/* Runs SQL once. */
static int execute(struct store *store, const char *sql, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = prepare(store, sql, 0, &statement, err);
    if (rc == 0) rc = run(store, statement, err);
    sqlite3_finalize(statement);
    return rc;
}

/* ---- X_config -------------------------------------------------------------------------------- */

int store_corrupt_config(const struct store *store, const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "%s_config: %s (drop the index and create it again)",
                     store->name, what);
}

int store_read_state(struct store *store, struct store_state *state, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int64_t dimensions = -1, format = 0;
    *state = (struct store_state){0};
    int rc = keep(store, KEPT_STATE, &statement, err);
    while (rc == 0 && (rc = statement_step(store->db, statement, &row, err)) == 0 && row) {
        const char *key = (const char *)sqlite3_column_text(statement, 0);
        int64_t value = sqlite3_column_int64(statement, 1);
        if (key == NULL) rc = error_nomem(err);
        if (rc != 0) break;
        if (strcmp(key, "created") == 0) state->created = value;
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

static int has_config(struct store *store, int *has, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = statement_prepare(store->db, &statement, err,
                               "SELECT 1 FROM \"%w\".sqlite_master WHERE type = 'table' AND "
                               "name = '%q_config' COLLATE nocase",
                               store->schema, store->name);
    if (rc == 0) rc = statement_step(store->db, statement, has, err);
    sqlite3_finalize(statement);
    return rc;
}

int store_is_there(struct store *store, int *there, struct error *err)
{
    struct store_state state;
    struct error problem;
    int has = 1, rc = store_read_state(store, &state, err);
    *there = rc == 0 && state.created == store->created;
    if (rc != ERROR_STORAGE) return rc;
    int looked = has_config(store, &has, &problem);
    if (looked == ERROR_NOMEM) return error_nomem(err);
    return looked == 0 && !has ? 0 : rc;
}

int store_set(struct store *store, const char *key, int64_t value, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keep(store, KEPT_SET, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, value);
    return statement_run(store->db, statement, err);
}

int store_set_text(struct store *store, const char *key, const char *value, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keep(store, KEPT_SET, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    return statement_run(store->db, statement, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int put_text(struct store *store, const struct store_change *change, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keep(store, KEPT_PUT_TEXT, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, change->id);
    if (change->text != NULL)
        sqlite3_bind_text64(statement, 2, change->text, change->text_size, SQLITE_STATIC,
                            SQLITE_UTF8);
    return run(store, statement, err);
}

int store_put(struct store *store, const struct store_change *change, int64_t block,
              struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keep(store, KEPT_PUT_ROW, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, change->id);
    sqlite3_bind_int64(statement, 2, (int64_t)change->hash);
    sqlite3_bind_int(statement, 3, change->own);
    sqlite3_bind_int64(statement, 4, block);
    rc = run(store, statement, err);
    if (rc == 0 && store_keeps_vectors(store))
        rc = run_with_bytes(store, KEPT_PUT_VECTOR, change->id, change->vector,
                            change->dimensions * sizeof(float), err);
    if (rc == 0 && store->options.keeps_texts) rc = put_text(store, change, err);
    return rc;
}

int store_delete(struct store *store, const struct store_change *change, struct error *err)
{
    int rc = run_with(store, KEPT_DELETE_ROW, change->id, err);
    if (rc == 0 && store_keeps_vectors(store))
        rc = run_with(store, KEPT_DELETE_VECTOR, change->id, err);
    if (rc == 0 && store->options.keeps_texts && change->kind == STORE_DELETE)
        rc = run_with(store, KEPT_DELETE_TEXT, change->id, err);
    return rc;
}

/* Looks for the row of that number; if it is found, the caller resets the statement. */
static int look_up(struct store *store, size_t which, int64_t number, sqlite3_stmt **statement,
                   int *found, struct error *err)
{
    *found = 0;
    int rc = keep(store, which, statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(*statement, 1, number);
    return statement_step(store->db, *statement, found, err);
}

int store_get_row(struct store *store, int64_t id, struct store_row *row, int *found,
                  struct error *err)
{
    sqlite3_stmt *statement;
    *row = (struct store_row){0};
    int rc = look_up(store, KEPT_GET_ROW, id, &statement, found, err);
    if (rc != 0 || !*found) return rc;
    row->hash = (uint64_t)sqlite3_column_int64(statement, 0);
    row->own = sqlite3_column_int(statement, 1);
    row->block = sqlite3_column_int64(statement, 2);
    sqlite3_reset(statement);
    return 0;
}

int store_move_row(struct store *store, int64_t id, int64_t block, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keep(store, KEPT_MOVE_ROW, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, block);
    return run(store, statement, err);
}

int store_get_vector(struct store *store, int64_t id, size_t dimensions, float *vector,
                     struct error *err)
{
    sqlite3_stmt *statement;
    const void *bytes;
    size_t size = 0;
    int row;
    int rc = look_up(store, KEPT_GET_VECTOR, id, &statement, &row, err);
    if (rc == 0 && !row)
        return error_set(err, ERROR_CORRUPT,
                         "row %lld: its vector is not there ('optimize' forgets the row)",
                         (long long)id);
    if (rc == 0) rc = statement_column_bytes(statement, 0, &bytes, &size, err);
    if (rc == 0 && size != dimensions * sizeof *vector)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                       (long long)id, dimensions * sizeof *vector, size);
    if (rc == 0) memcpy(vector, bytes, size);
    if (row) sqlite3_reset(statement);
    return rc;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

int store_block_is_possible(const struct store_block *block)
{
    return block->n >= 0 && block->room >= 0 && block->n <= INDEX_MAX_CAPACITY &&
           block->room <= INDEX_MAX_CAPACITY && block->n + block->room > 0;
}

struct store_block store_block_of(sqlite3_stmt *row)
{
    return (struct store_block){.number = sqlite3_column_int64(row, 0),
                                .partition = sqlite3_column_int64(row, 1),
                                .n = sqlite3_column_int64(row, 2),
                                .room = sqlite3_column_int64(row, 3),
                                .version = sqlite3_column_int64(row, 4)};
}

int store_get_block(struct store *store, int64_t number, struct store_block *block, int *found,
                    struct error *err)
{
    sqlite3_stmt *statement;
    *block = (struct store_block){.number = number};
    int rc = look_up(store, KEPT_GET_BLOCK, number, &statement, found, err);
    if (rc != 0 || !*found) return rc;
    *block = store_block_of(statement);
    sqlite3_reset(statement);
    return 0;
}

int store_put_block(struct store *store, const struct store_block *block, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = keep(store, KEPT_PUT_BLOCK, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, block->number);
    sqlite3_bind_int64(statement, 2, block->partition);
    sqlite3_bind_int64(statement, 3, block->n);
    sqlite3_bind_int64(statement, 4, block->room);
    sqlite3_bind_int64(statement, 5, block->version);
    return run(store, statement, err);
}

int store_put_data(struct store *store, int64_t number, const void *bytes, size_t size,
                   struct error *err)
{
    return run_with_bytes(store, KEPT_PUT_DATA, number, bytes, size, err);
}

int store_get_data(struct store *store, int64_t number, sqlite3_stmt **data, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *data = NULL;
    int rc = keep(store, KEPT_GET_DATA, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, number);
    rc = statement_step(store->db, statement, &row, err);
    if (rc == 0 && row) *data = statement;
    return rc;
}

int store_open_data(struct store *store, int64_t number, sqlite3_blob **data, struct error *err)
{
    char *table = sqlite3_mprintf("%s_data", store->name);
    *data = NULL;
    if (table == NULL) return error_nomem(err);
    int opened = sqlite3_blob_open(store->db, store->schema, table, "bytes", number, 1, data);
    int rc = opened == SQLITE_OK ? 0 : statement_error(store->db, opened, err);
    sqlite3_free(table);
    return rc;
}

int store_delete_block(struct store *store, int64_t number, struct error *err)
{
    int rc = run_with(store, KEPT_DELETE_BLOCK, number, err);
    return rc == 0 ? run_with(store, KEPT_DELETE_DATA, number, err) : rc;
}

int store_put_centroid(struct store *store, int64_t partition, const float *centroid,
                       size_t dimensions, struct error *err)
{
    return run_with_bytes(store, KEPT_PUT_CENTROID, partition, centroid,
                          dimensions * sizeof *centroid, err);
}

int store_delete_partitions(struct store *store, struct store_state *state, struct error *err)
{
    int rc = execute(store, "DELETE FROM " X_PARTITIONS, err);
    state->partitions = 0;
    return rc == 0 ? store_set(store, "partitions", 0, err) : rc;
}

/* ---- many at once ---------------------------------------------------------------------------- */

int store_delete_blocks(struct store *store, struct error *err)
{
    int rc = execute(store, "DELETE FROM " X_BLOCKS, err);
    return rc == 0 ? execute(store, "DELETE FROM " X_DATA, err) : rc;
}

int store_delete_blocks_until(struct store *store, int64_t last, struct error *err)
{
    int rc = statement_execute(store->db, err, "DELETE FROM " X_BLOCKS " WHERE block <= %lld",
                               store->schema, store->name, (long long)last);
    return rc == 0 ? store_delete_lost_data(store, err) : rc;
}

int store_delete_lost_data(struct store *store, struct error *err)
{
    return execute(
        store, "DELETE FROM " X_DATA " WHERE block NOT IN (SELECT block FROM " X_BLOCKS ")", err);
}

int store_delete_halves(struct store *store, struct error *err)
{
    if (!store_keeps_vectors(store)) return 0;
    int rc = execute(store, "DELETE FROM " X_ROWS " WHERE id NOT IN (SELECT id FROM " X_VECTORS ")",
                     err);
    if (rc != 0) return rc;
    return execute(store, "DELETE FROM " X_VECTORS " WHERE id NOT IN (SELECT id FROM " X_ROWS ")",
                   err);
}

int store_delete_all(struct store *store, struct store_state *state, struct error *err)
{
    int rc = execute(store, "DELETE FROM " X_ROWS, err);
    if (rc == 0) rc = store_delete_blocks(store, err);
    if (rc == 0 && store_keeps_vectors(store)) rc = execute(store, "DELETE FROM " X_VECTORS, err);
    return rc == 0 && store_is_partitioned(store) ? store_delete_partitions(store, state, err) : rc;
}

/* ---- X_model --------------------------------------------------------------------------------- */

int store_read_model(struct store *store, struct buffer *bytes, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = prepare(store, "SELECT bytes FROM " X_MODEL " ORDER BY id", 0, &statement, err);
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
    int rc = execute(store, "DELETE FROM " X_MODEL, err);
    if (rc == 0)
        rc = prepare(store, "INSERT INTO " X_MODEL "(bytes) VALUES (?1)", 0, &statement, err);
    for (size_t at = 0; rc == 0 && at < bytes.size; at += MODEL_PIECE) {
        size_t left = bytes.size - at;
        sqlite3_bind_blob64(statement, 1, bytes.data + at, left < MODEL_PIECE ? left : MODEL_PIECE,
                            SQLITE_STATIC);
        rc = run(store, statement, err);
    }
    sqlite3_finalize(statement);
    return rc;
}

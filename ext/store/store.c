#include "store/store.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "semantic/pending.h"
#include "vector/codec.h"

#define STORE_FORMAT 2
#define MODEL_PIECE ((size_t)1 << 20)

static const struct {
    const char *suffix, *definition;
} shadows[] = {
    {"config", "key TEXT PRIMARY KEY, value) WITHOUT ROWID"},
    {"rows", "id INTEGER PRIMARY KEY, hash INT NOT NULL, own INT NOT NULL, block INT NOT NULL)"},
    {"blocks", "block INTEGER PRIMARY KEY, partition INT NOT NULL, n INT NOT NULL, "
               "room INT NOT NULL, version INT NOT NULL, UNIQUE(partition, room, block))"},
    {"data", "block INTEGER PRIMARY KEY, bytes BLOB NOT NULL)"},
    {"vectors", "id INTEGER PRIMARY KEY, vector BLOB NOT NULL)"},
    {"partitions", "partition INTEGER PRIMARY KEY, centroid BLOB NOT NULL)"},
    {"text", "id INTEGER PRIMARY KEY, text TEXT)"},
    {"model", "id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)"},
};
#define N_SHADOWS (sizeof shadows / sizeof *shadows)

int store_run(struct semantic_table *table, sqlite3_stmt *statement, struct error *err)
{
    return statement_run(table->db, statement, err);
}

/* The SQL of the kept statements; the schema and the name go in. STATEMENT_CONTENT_TEXT is made by
 * semantic_content. */
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
    [STATEMENT_GET_TEXT] = "SELECT text FROM \"%w\".\"%w_text\" WHERE id = ?1",
    [STATEMENT_DELETE_TEXT] = "DELETE FROM \"%w\".\"%w_text\" WHERE id = ?1",
    [STATEMENT_LAST_ID] = "SELECT max(id) FROM \"%w\".\"%w_text\"",
};

int store_statement(struct semantic_table *table, enum semantic_statement which,
                    sqlite3_stmt **statement, struct error *err)
{
    *statement = table->statements[which];
    if (*statement != NULL) {
        sqlite3_reset(*statement);
        return 0;
    }
    int rc = statement_prepare_text(
        table->db, statement, SQLITE_PREPARE_PERSISTENT, err,
        sqlite3_mprintf(statement_formats[which], table->schema, table->name));
    table->statements[which] = *statement;
    return rc;
}

void store_finalize(struct semantic_table *table)
{
    for (int i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(table->statements[i]);
        table->statements[i] = NULL;
    }
}

int store_is_shadow(const char *suffix)
{
    for (size_t i = 0; i < N_SHADOWS; i++)
        if (sqlite3_stricmp(suffix, shadows[i].suffix) == 0) return 1;
    return 0;
}

static int has_shadow(const struct semantic_table *table, const char *suffix)
{
    if (strcmp(suffix, "vectors") == 0) return table->config.quantize != INDEX_EXACT;
    if (strcmp(suffix, "partitions") == 0) return semantic_is_partitioned(&table->config);
    if (strcmp(suffix, "text") == 0) return table->config.content == NULL;
    return 1;
}

static int write_columns(struct semantic_table *table, struct error *err)
{
    int rc = store_set_text(table, "columns", "[]", err);
    for (size_t i = 0; rc == 0 && i < table->n_columns; i++)
        rc = statement_execute(table->db, err,
                               "UPDATE \"%w\".\"%w_config\" SET value = json_insert(value, '$[#]', "
                               "json_array(%Q, %Q)) "
                               "WHERE key = 'columns'",
                               table->schema, table->name, table->columns[i].name,
                               table->columns[i].affinity);
    return rc;
}

int store_create(struct semantic_table *table, const char *model_name, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < N_SHADOWS; i++)
        if (has_shadow(table, shadows[i].suffix))
            rc =
                statement_execute(table->db, err, "CREATE TABLE \"%w\".\"%w_%w\"(%s", table->schema,
                                  table->name, shadows[i].suffix, shadows[i].definition);
    if (rc == 0) rc = store_set(table, "format", STORE_FORMAT, err);
    if (rc == 0) rc = store_set_text(table, "model", model_name, err);
    if (rc == 0) rc = store_set_text(table, "reranker", table->reranker_name, err);
    if (rc == 0) rc = store_set(table, "dimensions", (int64_t)table->config.dimensions, err);
    if (rc == 0) rc = store_set(table, "metric", table->config.metric, err);
    if (rc == 0) rc = store_set(table, "quantize", table->config.quantize, err);
    if (rc == 0) rc = store_set(table, "fit", 0, err);
    if (rc == 0) rc = write_columns(table, err);
    return rc;
}

int store_drop(struct semantic_table *table, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < N_SHADOWS; i++)
        rc = statement_execute(table->db, err, "DROP TABLE IF EXISTS \"%w\".\"%w_%w\"",
                               table->schema, table->name, shadows[i].suffix);
    return rc;
}

int store_rename(struct semantic_table *table, const char *name, struct error *err)
{
    int rc = 0;
    store_finalize(table);
    for (size_t i = 0; rc == 0 && i < N_SHADOWS; i++)
        if (has_shadow(table, shadows[i].suffix))
            rc = statement_execute(
                table->db, err, "ALTER TABLE \"%w\".\"%w_%w\" RENAME TO \"%w_%w\"", table->schema,
                table->name, shadows[i].suffix, name, shadows[i].suffix);
    return rc;
}

static int copy_text(sqlite3_stmt *statement, int column, char **copy, struct error *err)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    int size = sqlite3_column_bytes(statement, column);
    memory_free(*copy);
    *copy = text == NULL ? NULL : memory_copy(text, (size_t)size);
    /* NULL is left to whoever misses it. */
    if (*copy == NULL && sqlite3_column_type(statement, column) != SQLITE_NULL)
        return error_nomem(err);
    return 0;
}

static int corrupt_config(const struct semantic_table *table, const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "%s_config: %s (drop the index and create it again)",
                     table->name, what);
}

/* One column from its JSON: [name, affinity]. */
static int add_column(struct semantic_table *table, sqlite3_stmt *statement, struct error *err)
{
    const char *affinity = (const char *)sqlite3_column_text(statement, 1);
    if (sqlite3_column_type(statement, 0) != SQLITE_TEXT || affinity == NULL ||
        semantic_affinity(affinity) == NULL)
        return sqlite3_errcode(table->db) == SQLITE_NOMEM
                   ? error_nomem(err)
                   : corrupt_config(table, "the column list is damaged", err);
    struct semantic_column *columns =
        memory_realloc(table->columns, table->n_columns + 1, sizeof *columns);
    if (columns == NULL) return error_nomem(err);
    table->columns = columns;
    columns[table->n_columns] = (struct semantic_column){NULL, semantic_affinity(affinity)};
    char **name = &columns[table->n_columns].name;
    int rc = copy_text(statement, 0, name, err);
    if (rc != 0) return rc;
    int taken = semantic_column_is_ours(table->name, *name);
    for (size_t i = 0; i < table->n_columns; i++)
        if (sqlite3_stricmp(*name, columns[i].name) == 0) taken = 1;
    table->n_columns++;
    return taken ? corrupt_config(table, "the column list is damaged", err) : 0;
}

/* `json` is bound as NUL terminated text: json_each takes a text that it cannot get at for an empty
 * one. */
static int read_columns(struct semantic_table *table, const char *json, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(
        table->db, &statement, err,
        "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?1)");
    if (rc == 0) sqlite3_bind_text(statement, 1, json, -1, SQLITE_STATIC);
    while (rc == 0 && (rc = statement_step(table->db, statement, &row, err)) == 0 && row)
        rc = add_column(table, statement, err);
    sqlite3_finalize(statement);
    if (rc == 0 && table->n_columns == 0 && strcmp(json, "[]") != 0)
        rc = corrupt_config(table, "the column list is damaged", err);
    return rc;
}

static int check_config(const struct semantic_table *table, int64_t format, int64_t metric,
                        int64_t quantize, const char *columns, struct error *err)
{
    if (format != STORE_FORMAT)
        return error_set(err, ERROR_CORRUPT,
                         "%s has format version %lld, and this version of rerank reads %d",
                         table->name, (long long)format, STORE_FORMAT);
    if (metric != (int64_t)table->config.metric || quantize != (int64_t)table->config.quantize)
        return corrupt_config(table, "metric or quantize is not what CREATE VIRTUAL TABLE says",
                              err);
    if (table->reranker_name == NULL || columns == NULL)
        return corrupt_config(table, "the reranker's name or the column list is missing", err);
    return 0;
}

int store_read_config(struct semantic_table *table, struct error *err)
{
    sqlite3_stmt *statement;
    int64_t format = 0, metric = -1, quantize = -1;
    char *columns = NULL;
    int row = 0;
    int rc =
        statement_prepare(table->db, &statement, err, "SELECT key, value FROM \"%w\".\"%w_config\"",
                          table->schema, table->name);
    while (rc == 0 && (rc = statement_step(table->db, statement, &row, err)) == 0 && row) {
        const char *key = (const char *)sqlite3_column_text(statement, 0);
        if (key == NULL) rc = error_nomem(err);
        if (rc != 0) break;
        if (strcmp(key, "format") == 0) format = sqlite3_column_int64(statement, 1);
        if (strcmp(key, "metric") == 0) metric = sqlite3_column_int64(statement, 1);
        if (strcmp(key, "quantize") == 0) quantize = sqlite3_column_int64(statement, 1);
        if (strcmp(key, "reranker") == 0) rc = copy_text(statement, 1, &table->reranker_name, err);
        if (strcmp(key, "columns") == 0) rc = copy_text(statement, 1, &columns, err);
    }
    sqlite3_finalize(statement);
    if (rc == 0) rc = check_config(table, format, metric, quantize, columns, err);
    if (rc == 0) rc = read_columns(table, columns, err);
    memory_free(columns);
    return rc;
}

int store_read_state(struct semantic_table *table, struct semantic_state *state, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int64_t dimensions = -1, format = 0;
    *state = (struct semantic_state){0};
    int rc = store_statement(table, STATEMENT_STATE, &statement, err);
    while (rc == 0 && (rc = statement_step(table->db, statement, &row, err)) == 0 && row) {
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
        return corrupt_config(table, "format or dimensions is damaged", err);
    state->dimensions = (size_t)dimensions;
    return 0;
}

int store_set(struct semantic_table *table, const char *key, int64_t value, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(table, STATEMENT_SET_STATE, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, value);
    return store_run(table, statement, err);
}

int store_touch(struct semantic_table *table, struct semantic_state *state, struct error *err)
{
    int rc = pending_write_begin(table->pending, err);
    if (rc != 0) return rc;
    do sqlite3_randomness(sizeof state->generation, &state->generation);
    while (state->generation == 0);
    return store_set(table, "generation", state->generation, err);
}

int store_set_text(struct semantic_table *table, const char *key, const char *value,
                   struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(table, STATEMENT_SET_STATE, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    return store_run(table, statement, err);
}

static int put_text(struct semantic_table *table, const struct pending_row *row, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(table, STATEMENT_PUT_TEXT, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, row->id);
    if (row->text != NULL)
        sqlite3_bind_text64(statement, 2, row->text, row->text_size, SQLITE_STATIC, SQLITE_UTF8);
    return store_run(table, statement, err);
}

static int put_vector(struct semantic_table *table, const struct pending_row *row,
                      struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(table, STATEMENT_PUT_VECTOR, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, row->id);
    sqlite3_bind_blob64(statement, 2, row->vector, row->dimensions * sizeof(float), SQLITE_STATIC);
    return store_run(table, statement, err);
}

int store_put(struct semantic_table *table, const struct pending_row *row, int64_t block,
              struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(table, STATEMENT_PUT_ROW, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, row->id);
    sqlite3_bind_int64(statement, 2, (int64_t)row->hash);
    sqlite3_bind_int(statement, 3, row->kind == PENDING_VECTOR);
    sqlite3_bind_int64(statement, 4, block);
    rc = store_run(table, statement, err);
    if (rc == 0 && table->config.quantize != INDEX_EXACT) rc = put_vector(table, row, err);
    if (rc == 0 && table->config.content == NULL) rc = put_text(table, row, err);
    return rc;
}

int store_delete_with(struct semantic_table *table, enum semantic_statement which, int64_t number,
                      struct error *err)
{
    sqlite3_stmt *statement;
    int rc = store_statement(table, which, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, number);
    return store_run(table, statement, err);
}

int store_delete(struct semantic_table *table, const struct pending_row *row, struct error *err)
{
    int rc = store_delete_with(table, STATEMENT_DELETE_ROW, row->id, err);
    if (rc == 0 && table->config.quantize != INDEX_EXACT)
        rc = store_delete_with(table, STATEMENT_DELETE_VECTOR, row->id, err);
    if (rc == 0 && table->config.content == NULL && row->kind == PENDING_DELETE)
        rc = store_delete_with(table, STATEMENT_DELETE_TEXT, row->id, err);
    return rc;
}

int store_delete_all(struct semantic_table *table, struct error *err)
{
    static const char *const emptied[] = {"rows", "blocks", "data", "vectors", "partitions"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof emptied / sizeof *emptied; i++)
        if (has_shadow(table, emptied[i]))
            rc = statement_execute(table->db, err, "DELETE FROM \"%w\".\"%w_%w\"", table->schema,
                                   table->name, emptied[i]);
    return rc == 0 ? store_set(table, "partitions", 0, err) : rc;
}

int store_any_row(struct semantic_table *table, int own, int *any, struct error *err)
{
    sqlite3_stmt *statement;
    int rc = statement_prepare(table->db, &statement, err,
                               "SELECT 1 FROM \"%w\".\"%w_rows\" WHERE own >= %d LIMIT 1",
                               table->schema, table->name, own);
    if (rc == 0) rc = statement_step(table->db, statement, any, err);
    sqlite3_finalize(statement);
    return rc;
}

int store_get_row(struct semantic_table *table, int64_t id, struct store_row *row, int *found,
                  struct error *err)
{
    sqlite3_stmt *statement;
    *found = 0;
    *row = (struct store_row){0};
    int rc = store_statement(table, STATEMENT_GET_ROW, &statement, err);
    if (rc != 0) return rc;
    sqlite3_bind_int64(statement, 1, id);
    if ((rc = statement_step(table->db, statement, found, err)) != 0 || !*found) return rc;
    row->hash = (uint64_t)sqlite3_column_int64(statement, 0);
    row->own = sqlite3_column_int(statement, 1);
    row->block = sqlite3_column_int64(statement, 2);
    sqlite3_reset(statement);
    return 0;
}

int store_last_id(struct semantic_table *table, int64_t *id, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *id = 0;
    int rc = store_statement(table, STATEMENT_LAST_ID, &statement, err);
    if (rc == 0) rc = statement_step(table->db, statement, &row, err);
    if (rc != 0 || !row) return rc;
    *id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return 0;
}

int store_read_model(struct semantic_table *table, struct buffer *bytes, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(table->db, &statement, err,
                               "SELECT bytes FROM \"%w\".\"%w_model\" ORDER BY id", table->schema,
                               table->name);
    while (rc == 0 && (rc = statement_step(table->db, statement, &row, err)) == 0 && row) {
        const void *piece = sqlite3_column_blob(statement, 0);
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        rc = piece == NULL && sqlite3_column_type(statement, 0) == SQLITE_BLOB && size > 0
                 ? error_nomem(err)
                 : buffer_append(bytes, piece, size, err);
    }
    sqlite3_finalize(statement);
    return rc;
}

int store_write_model(struct semantic_table *table, struct span bytes, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = statement_execute(table->db, err, "DELETE FROM \"%w\".\"%w_model\"", table->schema,
                               table->name);
    if (rc == 0)
        rc = statement_prepare(table->db, &statement, err,
                               "INSERT INTO \"%w\".\"%w_model\"(bytes) VALUES (?1)", table->schema,
                               table->name);
    for (size_t at = 0; rc == 0 && at < bytes.size; at += MODEL_PIECE) {
        size_t left = bytes.size - at;
        sqlite3_bind_blob64(statement, 1, bytes.data + at, left < MODEL_PIECE ? left : MODEL_PIECE,
                            SQLITE_STATIC);
        rc = store_run(table, statement, err);
    }
    sqlite3_finalize(statement);
    return rc;
}

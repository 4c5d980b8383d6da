#include "store/schema.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "store/statements.h"
#include "store/words.h"

static const struct {
    const char *suffix, *definition;
} shadows[] = {
    {"config", "key TEXT PRIMARY KEY, value) WITHOUT ROWID"},
    {"rows", "id INTEGER PRIMARY KEY, hash INT NOT NULL, own INT NOT NULL, block INT NOT NULL)"},
    {"blocks", "block INTEGER PRIMARY KEY, partition INT NOT NULL, n INT NOT NULL, "
               "room INT NOT NULL, version INT NOT NULL, UNIQUE(partition, room, block))"},
    {"data", "block INTEGER PRIMARY KEY, bytes BLOB NOT NULL)"},
    {"vectors", "id INTEGER PRIMARY KEY, vector BLOB NOT NULL)"},
    {"waiting", "slot INTEGER PRIMARY KEY, head BLOB NOT NULL, vector BLOB NOT NULL)"},
    {"partitions", "partition INTEGER PRIMARY KEY, centroid BLOB NOT NULL)"},
    {"text", "id INTEGER PRIMARY KEY, text TEXT)"},
    {"model", "id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)"},
    {"failures", "id INTEGER PRIMARY KEY, hash INT NOT NULL, attempts INT NOT NULL, "
                 "at INT NOT NULL, message TEXT NOT NULL)"},
    {"keys", "id INTEGER PRIMARY KEY, key NOT NULL UNIQUE)"},
    {"docs", "doc INTEGER PRIMARY KEY, id INT UNIQUE)"},
    {"wordless", "id INTEGER PRIMARY KEY)"},
};
#define N_SHADOWS (sizeof shadows / sizeof *shadows)

/* Names that X_fts takes beside its own. */
static const char *const fts_names[] = {"fts",         "fts_data",   "fts_idx",
                                        "fts_docsize", "fts_config", "fts_content"};

/* Of an index that has words alone: users had tables of such names before there were words. */
static int is_of_words(const char *suffix)
{
    return strcmp(suffix, "docs") == 0 || strcmp(suffix, "wordless") == 0;
}

int schema_is_shadow(const char *suffix)
{
    for (size_t i = 0; i < N_SHADOWS; i++)
        if (sqlite3_stricmp(suffix, shadows[i].suffix) == 0) return !is_of_words(shadows[i].suffix);
    return 0;
}

static int has_shadow(const struct store *store, const char *suffix)
{
    if (strcmp(suffix, "vectors") == 0) return store_keeps_vectors(store);
    if (strcmp(suffix, "partitions") == 0) return store_is_partitioned(store);
    if (strcmp(suffix, "text") == 0) return store->options.keeps_texts;
    if (strcmp(suffix, "keys") == 0) return store->keeps_keys;
    if (is_of_words(suffix)) return store->tokenizer != NULL;
    return 1;
}

/* Of a table that is not in indexes of an older version, whose users may have one of that name. */
static int is_late(const char *suffix)
{
    return strcmp(suffix, "failures") == 0 || strcmp(suffix, "waiting") == 0;
}

/* Whether that table is there, and made by us. */
static int is_ours(const struct store *store, size_t i, int *ours, struct error *err)
{
    sqlite3_stmt *statement;
    *ours = has_shadow(store, shadows[i].suffix);
    if (!*ours || !is_late(shadows[i].suffix)) return 0;
    int rc =
        statement_prepare(store->db, &statement, err,
                          "SELECT 1 FROM \"%w\".sqlite_master WHERE type = 'table' AND "
                          "name = '%q_%q' COLLATE nocase AND substr(sql, -length('%q')) = '%q'",
                          store->schema, store->name, shadows[i].suffix, shadows[i].definition,
                          shadows[i].definition);
    if (rc == 0) rc = statement_step(store->db, statement, ours, err);
    sqlite3_finalize(statement);
    return rc;
}

/* No shadow table's name may be taken: SQLite takes tables of such names for ours, and lets nobody
 * write them. */
static int check_free_of(const struct store *store, const char *name, const char *suffix,
                         struct error *err)
{
    sqlite3_stmt *statement;
    int taken = 0;
    int rc = statement_prepare(store->db, &statement, err,
                               "SELECT 1 FROM \"%w\".sqlite_master WHERE type <> 'trigger' AND "
                               "name = '%q_%q' COLLATE nocase",
                               store->schema, name, suffix);
    if (rc == 0) rc = statement_step(store->db, statement, &taken, err);
    sqlite3_finalize(statement);
    if (rc == 0 && taken)
        rc = error_set(err, ERROR_INVALID,
                       "%.100s_%s is there already, a name that an index called %.100s needs for "
                       "itself: choose another name for one of them",
                       name, suffix, name);
    return rc;
}

/* Not even of those that this index lacks, but for the words'. */
static int check_free(const struct store *store, const char *name, struct error *err)
{
    int rc = 0, has_words = store->tokenizer != NULL;
    for (size_t i = 0; rc == 0 && i < N_SHADOWS; i++)
        if (has_words || !is_of_words(shadows[i].suffix))
            rc = check_free_of(store, name, shadows[i].suffix, err);
    for (size_t i = 0; rc == 0 && has_words && i < sizeof fts_names / sizeof *fts_names; i++)
        rc = check_free_of(store, name, fts_names[i], err);
    return rc;
}

static int create(struct store *store, size_t i, struct error *err)
{
    return statement_execute(store->db, err, "CREATE TABLE \"%w\".\"%w_%w\"(%s", store->schema,
                             store->name, shadows[i].suffix, shadows[i].definition);
}

/* Whether another index of the schema has the number. */
static int is_taken(const struct store *store, int64_t created, int *taken, struct error *err)
{
    sqlite3_stmt *configs, *statement;
    int row = 0;
    *taken = 0;
    int rc = statement_prepare(store->db, &configs, err,
                               "SELECT name FROM \"%w\".sqlite_master WHERE type = 'table' AND "
                               "name LIKE '%%\\_config' ESCAPE '\\' AND "
                               "substr(sql, -length('%q')) = '%q'",
                               store->schema, shadows[0].definition, shadows[0].definition);
    while (rc == 0 && !*taken && (rc = statement_step(store->db, configs, &row, err)) == 0 && row) {
        rc = statement_prepare(store->db, &statement, err,
                               "SELECT 1 FROM \"%w\".\"%w\" WHERE key = 'created' AND value = %lld",
                               store->schema, (const char *)sqlite3_column_text(configs, 0),
                               (long long)created);
        if (rc == 0) rc = statement_step(store->db, statement, taken, err);
        sqlite3_finalize(statement);
    }
    sqlite3_finalize(configs);
    return rc;
}

/* 'created': no other index of the schema has it, not even one that had this name; after a CREATE
 * that was rolled back, or a DROP, the same one comes again. */
static int number_created(struct store *store, const struct schema_config *config,
                          struct error *err)
{
    const char *const texts[] = {store->name, config->model, config->reranker, config->columns};
    const struct store_options *options = &store->options;
    const uint64_t numbers[] = {
        (uint64_t)options->metric, (uint64_t)options->quantize | (uint64_t)options->vectors << 8,
        options->partitions == STORE_AUTO ? UINT64_MAX : options->partitions,
        (uint64_t)options->keeps_texts, config->dimensions};
    uint64_t hash = hash_bytes(numbers, sizeof numbers, 0);
    int taken = 1, rc = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hash = hash_bytes(texts[i], strlen(texts[i]), hash);
    if (store->tokenizer != NULL)
        hash = hash_bytes(store->tokenizer, strlen(store->tokenizer), hash);
    while (rc == 0 && taken) {
        store->created = store_number(hash);
        rc = is_taken(store, store->created, &taken, err);
        hash = hash_bytes(&hash, sizeof hash, 0);
    }
    return rc;
}

int schema_create(struct store *store, const struct schema_config *config, struct error *err)
{
    int rc = check_free(store, store->name, err);
    if (rc == 0) rc = number_created(store, config, err);
    if (rc == 0 && store->tokenizer != NULL) rc = words_create(store, err);
    for (size_t i = 0; rc == 0 && i < N_SHADOWS; i++)
        if (has_shadow(store, shadows[i].suffix)) rc = create(store, i, err);
    if (rc == 0) rc = store_set(store, "format", STORE_FORMAT, err);
    if (rc == 0) rc = store_set(store, "created", store->created, err);
    if (rc == 0) rc = store_set_text(store, "model", config->model, err);
    if (rc == 0) rc = store_set_text(store, "reranker", config->reranker, err);
    if (rc == 0) rc = store_set(store, "dimensions", (int64_t)config->dimensions, err);
    if (rc == 0) rc = store_set(store, "metric", store->options.metric, err);
    if (rc == 0) rc = store_set(store, "quantize", store->options.quantize, err);
    if (rc == 0) rc = store_set(store, "fit", 0, err);
    if (rc == 0) rc = store_set(store, "failures", 1, err);
    if (rc == 0) rc = store_set_text(store, "columns", config->columns, err);
    if (rc == 0 && store->keeps_keys) rc = store_set(store, "keyed", 1, err);
    if (rc == 0) rc = store_set(store, "storage", store->options.vectors, err);
    if (rc == 0 && store->tokenizer != NULL)
        rc = store_set_text(store, "lexical", store->tokenizer, err);
    if (rc == 0 && store->lacks_words) rc = store_set(store, "lacks_words", 1, err);
    return rc;
}

static int create_late(struct store *store, const char *suffix, struct error *err)
{
    size_t i = 0;
    int ours;
    while (strcmp(shadows[i].suffix, suffix) != 0) i++;
    int rc = is_ours(store, i, &ours, err);
    if (rc == 0 && !ours) rc = check_free_of(store, store->name, suffix, err);
    return rc == 0 && !ours ? create(store, i, err) : rc;
}

int schema_create_failures(struct store *store, struct error *err)
{
    int rc = create_late(store, "failures", err);
    return rc == 0 ? store_set(store, "failures", 1, err) : rc;
}

int schema_create_waiting(struct store *store, int *there, struct error *err)
{
    int rc = create_late(store, "waiting", err);
    *there = rc == 0;
    return rc == ERROR_INVALID ? 0 : rc;
}

int schema_drop(struct store *store, struct error *err)
{
    int rc = 0, ours;
    store_finalize(store);
    if (store->tokenizer != NULL) rc = words_drop(store, err);
    for (size_t i = 0; rc == 0 && i < N_SHADOWS; i++) {
        rc = is_ours(store, i, &ours, err);
        if (rc == 0 && ours)
            rc = statement_execute(store->db, err, "DROP TABLE IF EXISTS \"%w\".\"%w_%w\"",
                                   store->schema, store->name, shadows[i].suffix);
    }
    return rc;
}

int schema_rename(struct store *store, const char *name, struct error *err)
{
    int rc = check_free(store, name, err), ours;
    store_finalize(store);
    if (rc == 0 && store->tokenizer != NULL) rc = words_rename(store, name, err);
    for (size_t i = 0; rc == 0 && i < N_SHADOWS; i++) {
        rc = is_ours(store, i, &ours, err);
        if (rc == 0 && ours)
            rc = statement_execute(
                store->db, err, "ALTER TABLE \"%w\".\"%w_%w\" RENAME TO \"%w_%w\"", store->schema,
                store->name, shadows[i].suffix, name, shadows[i].suffix);
    }
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

/* How vectors are kept; -1 of `storage`: X_config does not say. */
static int take_storage(struct store *store, int64_t format, int64_t storage, struct error *err)
{
    if (format < STORE_FORMAT_PLAIN || format > STORE_FORMAT)
        return error_set(err, ERROR_CORRUPT,
                         "%s has format version %lld, and this version of rerank reads %d to %d",
                         store->name, (long long)format, STORE_FORMAT_PLAIN, STORE_FORMAT);
    if (storage == -1) storage = format == STORE_FORMAT_PLAIN ? INDEX_FLOAT32 : INDEX_COMPACT;
    int is_known = storage >= 0 && storage < INDEX_VECTORS;
    store->options.vectors = is_known ? (enum index_vectors)storage : INDEX_FLOAT32;
    if (!is_known || !store_takes_format(store, format))
        return store_corrupt_config(store, "format or storage is damaged", err);
    return 0;
}

static int check(const struct store *store, int64_t metric, int64_t quantize, struct error *err)
{
    if (metric != (int64_t)store->options.metric || quantize != (int64_t)store->options.quantize)
        return store_corrupt_config(
            store, "metric or quantize is not what CREATE VIRTUAL TABLE says", err);
    return 0;
}

void schema_stored_deinit(struct schema_stored *stored)
{
    memory_free(stored->reranker);
    memory_free(stored->columns);
    memory_free(stored->content);
    memory_free(stored->content_rowid);
    *stored = (struct schema_stored){0};
}

int schema_read(struct store *store, struct schema_stored *stored, struct error *err)
{
    sqlite3_stmt *statement;
    int64_t format = 0, storage = -1, metric = -1, quantize = -1;
    int row = 0;
    *stored = (struct schema_stored){0};
    int rc = store_keep(store, KEPT_STATE, &statement, err);
    while (rc == 0 && (rc = statement_step(store->db, statement, &row, err)) == 0 && row) {
        const char *key = (const char *)sqlite3_column_text(statement, 0);
        if (key == NULL) rc = error_nomem(err);
        if (rc != 0) break;
        int64_t value = sqlite3_column_int64(statement, 1);
        if (strcmp(key, "created") == 0) store->created = value;
        if (strcmp(key, "format") == 0) format = value;
        if (strcmp(key, "metric") == 0) metric = value;
        if (strcmp(key, "quantize") == 0) quantize = value;
        if (strcmp(key, "storage") == 0)
            storage = sqlite3_column_type(statement, 1) == SQLITE_INTEGER ? value : INDEX_VECTORS;
        if (strcmp(key, "lacks_words") == 0) store->lacks_words = value != 0;
        if (strcmp(key, "keyed") == 0) store->keeps_keys = value != 0;
        if (strcmp(key, "lexical") == 0) rc = copy_text(statement, 1, &store->tokenizer, err);
        if (strcmp(key, "reranker") == 0) rc = copy_text(statement, 1, &stored->reranker, err);
        if (strcmp(key, "columns") == 0) rc = copy_text(statement, 1, &stored->columns, err);
        if (strcmp(key, "content") == 0) rc = copy_text(statement, 1, &stored->content, err);
        if (strcmp(key, "content_rowid") == 0)
            rc = copy_text(statement, 1, &stored->content_rowid, err);
    }
    sqlite3_reset(statement);
    if (rc == 0) rc = take_storage(store, format, storage, err);
    if (rc == 0) rc = check(store, metric, quantize, err);
    if (rc == 0 && (stored->reranker == NULL || stored->columns == NULL))
        rc = store_corrupt_config(store, "the reranker's name or the column list is missing", err);
    return rc;
}

/* Statements that write may point into the schema, but not those that write our table alone. */
static int may_forget(sqlite3 *db, int n_ours)
{
    sqlite3_stmt *statement = NULL;
    int is_writable = 0, n = 0;
    while ((statement = sqlite3_next_stmt(db, statement)) != NULL)
        n += sqlite3_stmt_busy(statement) && !sqlite3_stmt_readonly(statement);
    /* The user is editing the schema: RESET would end that. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, -1, &is_writable);
    return n <= n_ours && !is_writable;
}

int schema_forget(struct store *store, int n_ours)
{
    if (!may_forget(store->db, n_ours)) return 0;
    if (store->tokenizer != NULL && words_settle(store, NULL) != 0) return 0;
    return statement_execute(store->db, NULL, "PRAGMA writable_schema = RESET") == 0;
}

int schema_reload(struct store *store, int n_ours, struct error *err)
{
    schema_forget(store, n_ours);
    int rc = statement_execute(store->db, err,
                               "CREATE VIEW IF NOT EXISTS \"%w\".\"%w_config_reload\" AS SELECT 1",
                               store->schema, store->name);
    if (rc != 0) return rc;
    return statement_execute(store->db, err, "DROP VIEW \"%w\".\"%w_config_reload\"", store->schema,
                             store->name);
}

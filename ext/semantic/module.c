#include "semantic/module.h"

#include <string.h>

#include "base/memory.h"
#include "semantic/columns.h"
#include "semantic/command.h"
#include "semantic/cursor.h"
#include "semantic/embedder.h"
#include "semantic/flush.h"
#include "semantic/known.h"
#include "semantic/pending.h"
#include "semantic/plan.h"
#include "semantic/registry.h"
#include "semantic/update.h"
#include "semantic/upkeep.h"
#include "sqlite/fts5.h"
#include "sqlite/result.h"
#include "sqlite/statement.h"
#include "store/schema.h"
#include "store/write.h"

static void table_free(struct semantic_table *table)
{
    if (table == NULL) return;
    sqlite3_finalize(table->content_text);
    sqlite3_finalize(table->content_by_key);
    sqlite3_finalize(table->content_row);
    known_forget(table);
    sqlite3_finalize(table->schema_number);
    store_deinit(&table->store);
    pending_unreference(table->pending);
    model_free(table->fitted);
    semantic_config_deinit(&table->config);
    semantic_columns_free(table->columns, table->n_columns);
    memory_free(table->declared_content);
    memory_free(table->reranker_name);
    struct semantic_registry *held = registry_remove(table);
    memory_free(table);
    registry_release(held);
}

static int table_new(struct semantic_registry *registry, const char *schema, const char *name,
                     struct semantic_table **opened, struct error *err)
{
    struct semantic_table *table = memory_zalloc(1, sizeof *table);
    *opened = table;
    if (table == NULL) return error_nomem(err);
    table->registry = registry;
    table->key = table->rowid_column = SIZE_MAX;
    table->connection = registry->connection;
    table->pending = pending_new();
    if (table->pending == NULL) return error_nomem(err);
    int rc =
        store_init(&table->store, table->connection, schema, name, &table->pending->write, err);
    if (rc != 0) return rc;
    registry_add(registry, table);
    return 0;
}

/* Rows that wait are the index's, however often it is connected in a transaction. */
static void share_pending(struct semantic_table *table)
{
    struct semantic_table *twin = registry_find_twin(table);
    if (twin == NULL) return;
    pending_unreference(table->pending);
    table->pending = twin->pending;
    table->pending->references++;
    table->store.write = &table->pending->write;
}

/* Tells SQLite our columns: hidden ones first, but for those of words, which come last: see enum
 * semantic_column_number. */
static int declare(struct semantic_table *table, struct error *err)
{
    struct buffer sql;
    buffer_init(&sql, 4 << 20);
    char *hidden = sqlite3_mprintf(
        "CREATE TABLE x(query HIDDEN, k HIDDEN, similarity REAL HIDDEN, distance REAL HIDDEN, "
        "relevance REAL HIDDEN, rank INTEGER HIDDEN, embedding HIDDEN, \"%w\" HIDDEN",
        table->store.name);
    int rc = hidden == NULL ? error_nomem(err) : buffer_append(&sql, hidden, strlen(hidden), err);
    sqlite3_free(hidden);
    for (size_t i = 0; rc == 0 && i < table->n_columns; i++) {
        const char *collation = table->columns[i].collation, *type = table->columns[i].type;
        char *column = sqlite3_mprintf(", \"%w\" \"%w\" COLLATE \"%w\"", table->columns[i].name,
                                       type == NULL ? table->columns[i].affinity : type,
                                       collation == NULL ? "BINARY" : collation);
        rc = column == NULL ? error_nomem(err) : buffer_append(&sql, column, strlen(column), err);
        sqlite3_free(column);
    }
    for (int i = 0; rc == 0 && i < table->n_words_columns; i++) {
        enum semantic_words_column which = table->words_columns[i];
        rc = buffer_format(&sql, err, ", %s %s HIDDEN", semantic_words_names[which],
                           which == WORDS_FUSION ? "TEXT" : "REAL");
    }
    /* SELECT * of a broken index must get as far as xFilter, which says what is wrong. */
    const char *end = table->broken.code != 0 ? ", damaged)" : ")";
    if (rc == 0) rc = buffer_append(&sql, end, strlen(end) + 1, err);
    if (rc == 0) {
        int declared = sqlite3_declare_vtab(table->store.db, sql.data);
        if (declared != SQLITE_OK) rc = statement_error(table->store.db, declared, err);
    }
    buffer_deinit(&sql);
    return rc;
}

static int choose_reranker(struct semantic_table *table, struct error *err)
{
    struct catalog_entry *entry;
    int rc =
        catalog_find(table->connection->catalog, table->config.reranker, MODEL_RERANK, &entry, err);
    if (rc != 0) {
        error_context(err, "reranker");
        return rc;
    }
    const char *reranker = catalog_entry_name(entry);
    table->reranker_name = memory_copy(reranker, strlen(reranker));
    return table->reranker_name == NULL ? error_nomem(err) : 0;
}

/* Words are stems, without accents, and other forms in other languages: what finds most in most. */
#define TOKENIZER "rerank porter unicode61 remove_diacritics 2"

/* Texts by builtin:static have words, too, and their vectors lose nothing in a byte a component.
 * Vectors of the user's own are kept as they are. */
static int choose_storage(struct semantic_table *table, const struct catalog_entry *entry,
                          struct error *err)
{
    const struct semantic_config *config = &table->config;
    struct store *store = &table->store;
    int is_ours = catalog_is_embedded(table->connection->catalog, entry) &&
                  config->dimensions == 0 && config->metric == INDEX_COSINE;
    int has_words = config->lexical >= 0 ? config->lexical : is_ours, rc = 0;
    fts5_api *api;
    if (has_words && config->lexical < 0) {
        rc = fts5_find(table->connection, &api, err);
        store->lacks_words = rc == 0 && api == NULL;
    }
    if (rc != 0) return rc;
    if (config->storage < 0 && is_ours) store->options.vectors = INDEX_COMPACT;
    if (has_words && !store->lacks_words) {
        const char *tokenizer = config->tokenizer == NULL ? TOKENIZER : config->tokenizer;
        store->tokenizer = memory_copy(tokenizer, strlen(tokenizer));
        return store->tokenizer == NULL ? error_nomem(err) : 0;
    }
    return config->needs_words == NULL
               ? 0
               : error_set(err, ERROR_INVALID,
                           "option %s needs lexical = 'fts5': without words an index ranks by its "
                           "vectors alone",
                           config->needs_words);
}

/* The full names of both models, looked up by what the options say, or the defaults; and what
 * follows from the first. */
static int choose(struct semantic_table *table, char *model_name, size_t size, struct error *err)
{
    struct catalog_entry *entry;
    int rc =
        catalog_find(table->connection->catalog, table->config.model, MODEL_EMBED, &entry, err);
    if (rc != 0) {
        error_context(err, "model");
        return rc;
    }
    if (strlen(catalog_entry_name(entry)) >= size)
        return error_set(err, ERROR_INVALID, "model: a name has at most %zu bytes", size - 1);
    sqlite3_snprintf((int)size, model_name, "%s", catalog_entry_name(entry));
    rc = choose_storage(table, entry, err);
    return rc == 0 ? choose_reranker(table, err) : rc;
}

/* The table's name is a column of it, so no other column can have it. */
static int check_name(const char *name, const struct semantic_table *table, struct error *err)
{
    int taken = semantic_column_is_ours("", name);
    for (size_t i = 0; !taken && i < table->n_columns; i++)
        taken = sqlite3_stricmp(name, table->columns[i].name) == 0;
    for (int i = 0; !taken && i < table->n_words_columns; i++)
        taken = sqlite3_stricmp(name, semantic_words_names[table->words_columns[i]]) == 0;
    return taken ? error_set(err, ERROR_INVALID,
                             "an index cannot be called %.100s: it has a column of that name", name)
                 : 0;
}

static int create_table(struct semantic_table *table, struct error *err)
{
    char model_name[sizeof((struct store_state *)NULL)->model], *columns = NULL;
    int rc = choose(table, model_name, sizeof model_name, err);
    int names_key = table->config.content_rowid != NULL;
    if (rc == 0) rc = columns_create(table, err);
    columns_add_words(table);
    if (rc == 0) rc = check_name(table->store.name, table, err);
    if (rc == 0) rc = columns_format(table, &columns, err);
    if (rc == 0)
        rc = schema_create(&table->store,
                           &(struct schema_config){model_name, table->reranker_name, columns,
                                                   table->config.dimensions},
                           err);
    if (rc == 0 && !names_key && table->config.content_rowid != NULL)
        rc = store_set_text(&table->store, "content_rowid", table->config.content_rowid, err);
    memory_free(columns);
    if (rc == 0) registry_disown_others(table);
    if (rc == 0) rc = semantic_store_identity(table, model_name, err);
    if (rc == 0) rc = semantic_store_reranker(table, err);
    if (rc == 0) rc = semantic_config_defaults(&table->config, err);
    if (rc == 0) rc = upkeep_create(table, err);
    /* Of a table that is made in a transaction SQLite does not call xBegin. */
    table->pending->explicit_transaction = !sqlite3_get_autocommit(table->store.db);
    if (rc == 0 && table->store.lacks_words)
        sqlite3_log(SQLITE_WARNING,
                    "%s has no words, and finds rows by vectors alone: this SQLite was built "
                    "without FTS5",
                    table->store.name);
    return rc;
}

static void swap(char **one, char **other)
{
    char *kept = *one;
    *one = *other;
    *other = kept;
}

/* xConnect reads X_config and the schema of the content. If the former that is damaged the
 * table connects all the same, so that it can be dropped, and every use reports the damage. */
static int connect_table(struct semantic_table *table, struct error *err)
{
    struct schema_stored stored;
    int rc = schema_read(&table->store, &stored, err);
    int storage = table->config.storage;
    if (rc == 0 && storage >= 0 && storage != (int)table->store.options.vectors)
        rc = store_corrupt_config(&table->store, "storage is not what CREATE VIRTUAL TABLE says",
                                  err);
    swap(&table->reranker_name, &stored.reranker);
    if (table->config.content != NULL && stored.content != NULL) {
        swap(&table->config.content, &stored.content);
        swap(&table->declared_content, &stored.content);
    }
    if (table->config.content_rowid == NULL)
        swap(&table->config.content_rowid, &stored.content_rowid);
    int given = semantic_config_defaults(&table->config, rc == 0 ? err : NULL);
    if (rc == 0) rc = given;
    if (rc == 0) rc = columns_connect(table, stored.columns, err);
    if (rc == 0) share_pending(table);
    schema_stored_deinit(&stored);
    if (rc != 0 && rc != ERROR_NOMEM && rc != ERROR_INTERRUPTED) {
        if (rc == ERROR_STORAGE && (err->storage_code & 0xff) != SQLITE_ERROR) return rc;
        table->broken = *err;
        semantic_columns_free(table->columns, table->n_columns);
        table->columns = NULL;
        table->n_columns = 0;
        table->key = table->rowid_column = SIZE_MAX;
        rc = 0;
    }
    columns_add_words(table);
    return rc;
}

static void set_store_options(struct semantic_table *table)
{
    const struct semantic_config *config = &table->config;
    table->store.options = (struct store_options){
        config->metric, config->quantize, config->partitions, config->content == NULL,
        config->storage < 0 ? INDEX_FLOAT32 : (enum index_vectors)config->storage};
}

static int open_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
                      sqlite3_vtab **opened, char **message, int create)
{
    struct error err = {0};
    struct semantic_table *table = NULL;
    int rc = table_new(aux, argv[1], argv[2], &table, &err);
    if (rc == 0) rc = semantic_config_parse(argc, argv, &table->config, &err);
    if (rc == 0) set_store_options(table);
    if (rc == 0) rc = create ? create_table(table, &err) : connect_table(table, &err);
    if (rc == 0 && table->store.tokenizer == NULL) table->config.weight = 1.0;
    if (rc == 0) rc = declare(table, &err);
    if (rc == 0) rc = semantic_is_innocuous(table, &table->innocuous, &err);
    if (rc == 0) {
        sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 1);
        if (table->innocuous) sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
        *opened = &table->base;
        return SQLITE_OK;
    }
    table_free(table);
    sqlite3_vtab holder = {0};
    rc = result_table_error(&holder, "semantic_index", &err);
    *message = holder.zErrMsg;
    return rc;
}

static int create(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **opened,
                  char **message)
{
    return open_table(db, aux, argc, argv, opened, message, 1);
}

static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **opened,
                   char **message)
{
    return open_table(db, aux, argc, argv, opened, message, 0);
}

static int disconnect(sqlite3_vtab *base)
{
    table_free((struct semantic_table *)base);
    return SQLITE_OK;
}

static int refuse_drop(const struct semantic_table *table, const char *why)
{
    sqlite3_log(SQLITE_LOCKED, "DROP TABLE %s: %s", table->store.name, why);
    return SQLITE_LOCKED;
}

static int destroy(sqlite3_vtab *base)
{
    struct semantic_table *table = (struct semantic_table *)base;
    struct error err;
    /* Rows that wait to be embedded, written before an open savepoint: ROLLBACK TO would bring the
     * table back but not them, as nobody asks a table that was destroyed. SQLite has no place for a
     * message here but its log. */
    if (pending_is_held(table->pending))
        return refuse_drop(table, "rows wait that were written before a savepoint that is open: "
                                  "RELEASE it, or ROLLBACK, first");
    /* Nor does anybody remember then that a write has failed half way. */
    if (table->pending->write.step == STORE_TORN)
        return refuse_drop(table, "an earlier write of this transaction failed half way: ROLLBACK");
    if (upkeep_drop(table, &err) != 0 || schema_drop(&table->store, &err) != 0)
        return result_table_error(base, table->store.name, &err);
    /* Others that the index was connected by may live on, and none hears of this one's rollback. */
    pending_clear(table->pending);
    store_write_over(&table->pending->write);
    table_free(table);
    return SQLITE_OK;
}

/* What X_config keeps may have a column that is gone, and that the new name is. */
static int keep_columns(struct semantic_table *table, struct error *err)
{
    char *columns = NULL;
    int rc = columns_format(table, &columns, err);
    if (rc == 0) rc = store_set_text(&table->store, "columns", columns, err);
    memory_free(columns);
    return rc;
}

/* Pending rows are written under the old name first. SQLite connects the table anew under the new
 * one; this connection keeps the old name, which a rollback brings back. */
static int rename_table(sqlite3_vtab *base, const char *name)
{
    struct semantic_table *table = (struct semantic_table *)base;
    struct error err;
    int rc = check_name(name, table, &err);
    if (rc == 0) rc = flush_pending(table, &err);
    if (rc == 0) rc = keep_columns(table, &err);
    if (rc == 0) rc = schema_rename(&table->store, name, &err);
    if (rc == 0) rc = upkeep_rename(table, name, &err);
    return rc == 0 ? SQLITE_OK : result_table_error(base, table->store.name, &err);
}

#if SQLITE_VERSION_NUMBER >= 3044000
static int check_integrity(sqlite3_vtab *base, const char *schema, const char *name, int flags,
                           char **message)
{
    (void)flags;
    struct semantic_table *table = (struct semantic_table *)base;
    struct error err = table->broken;
    int rc = err.code != 0 ? err.code : semantic_integrity_check(table, &err);
    if (rc == 0) return SQLITE_OK;
    if (rc == ERROR_NOMEM) return SQLITE_NOMEM;
    if (rc == ERROR_INTERRUPTED) return SQLITE_INTERRUPT;
    *message = sqlite3_mprintf("semantic_index %s.%s: %s", schema, name, err.text);
    return *message == NULL ? SQLITE_NOMEM : SQLITE_OK;
}
#endif

static const sqlite3_module semantic_index = {
#if SQLITE_VERSION_NUMBER >= 3044000
    .iVersion = 4,
    .xIntegrity = check_integrity,
#else
    .iVersion = 3,
#endif
    .xCreate = create,
    .xConnect = connect,
    .xBestIndex = semantic_best_index,
    .xDisconnect = disconnect,
    .xDestroy = destroy,
    .xOpen = semantic_open,
    .xClose = semantic_close,
    .xFilter = semantic_filter,
    .xNext = semantic_next,
    .xEof = semantic_eof,
    .xColumn = semantic_column,
    .xRowid = semantic_rowid,
    .xUpdate = semantic_update,
    .xBegin = semantic_begin,
    .xSync = semantic_sync_transaction,
    .xCommit = semantic_commit,
    .xRollback = semantic_rollback,
    .xRename = rename_table,
    .xSavepoint = semantic_savepoint,
    .xRelease = semantic_release,
    .xRollbackTo = semantic_rollback_to,
    .xShadowName = schema_is_shadow,
};

int module_register(struct connection *connection, struct semantic_registry *registry)
{
    /* SQLite calls the destructor also when registering fails. */
    return sqlite3_create_module_v2(connection->db, "semantic_index", &semantic_index, registry,
                                    registry_release);
}

#include "semantic/module.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/argument.h"
#include "semantic/semantic.h"
#include "semantic/command.h"
#include "semantic/cursor.h"
#include "semantic/embedder.h"
#include "semantic/estimate.h"
#include "store/optimize.h"
#include "semantic/pending.h"
#include "semantic/plan.h"
#include "semantic/sync_function.h"
#include "store/store.h"
#include "semantic/update.h"

struct semantic_table *semantic_module_find(struct semantic_module *module, const char *schema,
                                            const char *name)
{
    for (struct semantic_table *table = module->tables; table != NULL; table = table->next)
        if (sqlite3_stricmp(table->schema, schema) == 0 && sqlite3_stricmp(table->name, name) == 0)
            return table;
    return NULL;
}

int semantic_module_resolve(struct semantic_module *module, const char *name, const char *schema,
                            char **found_schema, char **found_name, struct error *err)
{
    sqlite3 *db = module->connection->db;
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(db, &statement, err,
                               "SELECT t.schema, t.name FROM pragma_table_list AS t JOIN "
                               "pragma_database_list AS d ON d.name = t.schema "
                               "WHERE t.type = 'virtual' AND t.name = %Q COLLATE nocase AND "
                               "(%Q IS NULL OR t.schema = %Q COLLATE nocase) "
                               "ORDER BY d.seq <> 1, d.seq LIMIT 1",
                               name, schema, schema);
    if (rc == 0) rc = statement_step(db, statement, &row, err);
    if (rc == 0 && row) {
        *found_schema = memory_copy((const char *)sqlite3_column_text(statement, 0),
                                    (size_t)sqlite3_column_bytes(statement, 0));
        *found_name = memory_copy((const char *)sqlite3_column_text(statement, 1),
                                  (size_t)sqlite3_column_bytes(statement, 1));
        if (*found_schema == NULL || *found_name == NULL) rc = error_nomem(err);
    } else if (rc == 0) {
        rc = error_set(err, ERROR_INVALID, "no semantic_index is called %.100s", name);
    }
    sqlite3_finalize(statement);
    return rc;
}

int semantic_module_pin(struct semantic_module *module, const char *schema, const char *name,
                        sqlite3_stmt **pin, struct semantic_table **index, struct error *err)
{
    int rc = statement_prepare(module->connection->db, pin, err, "SELECT 1 FROM \"%w\".\"%w\"",
                               schema, name);
    if (rc != 0) return rc;
    *index = semantic_module_find(module, schema, name);
    if (*index == NULL) return error_set(err, ERROR_INVALID, "%s is not a semantic_index", name);
    if ((*index)->broken.code != 0) {
        *err = (*index)->broken;
        return err->code;
    }
    return 0;
}

static void table_free(struct semantic_table *table)
{
    if (table == NULL) return;
    if (table->previous != NULL) {
        *table->previous = table->next;
        if (table->next != NULL) table->next->previous = table->previous;
    }
    store_finalize(table);
    index_partitions_free(table->partitions);
    index_cache_close(table->cache);
    pending_unreference(table->pending);
    model_free(table->fitted);
    semantic_config_deinit(&table->config);
    semantic_columns_free(table->columns, table->n_columns);
    memory_free(table->reranker_name);
    memory_free(table->schema);
    memory_free(table->name);
    memory_free(table);
}

static int table_new(sqlite3 *db, struct semantic_module *module, const char *schema,
                     const char *name, struct semantic_table **opened, struct error *err)
{
    struct semantic_table *table = memory_zalloc(1, sizeof *table);
    *opened = table;
    if (table == NULL) return error_nomem(err);
    table->db = db;
    table->module = module;
    table->connection = module->connection;
    table->schema = memory_copy(schema, strlen(schema));
    table->name = memory_copy(name, strlen(name));
    if (table->schema == NULL || table->name == NULL) return error_nomem(err);
    struct semantic_table *older = semantic_module_find(module, schema, name);
    table->pending = older != NULL ? older->pending : pending_new();
    if (table->pending == NULL) return error_nomem(err);
    if (older != NULL) table->pending->references++;
    table->next = module->tables;
    table->previous = &module->tables;
    if (table->next != NULL) table->next->previous = &table->next;
    module->tables = table;
    return 0;
}

/* Tells SQLite our columns: hidden ones first, see enum semantic_column_number. */
static int declare(struct semantic_table *table, struct error *err)
{
    struct buffer sql;
    buffer_init(&sql, 4 << 20);
    char *hidden = sqlite3_mprintf(
        "CREATE TABLE x(query HIDDEN, k HIDDEN, similarity HIDDEN, distance HIDDEN, relevance "
        "HIDDEN, rank HIDDEN, embedding HIDDEN, \"%w\" HIDDEN",
        table->name);
    int rc = hidden == NULL ? error_nomem(err) : buffer_append(&sql, hidden, strlen(hidden), err);
    sqlite3_free(hidden);
    for (size_t i = 0; rc == 0 && i < table->n_columns; i++) {
        char *column =
            sqlite3_mprintf(", \"%w\" %s", table->columns[i].name, table->columns[i].affinity);
        rc = column == NULL ? error_nomem(err) : buffer_append(&sql, column, strlen(column), err);
        sqlite3_free(column);
    }
    /* SELECT * of a broken index must get as far as xFilter, which says what is wrong. */
    const char *end = table->broken.code != 0 ? ", damaged)" : ")";
    if (rc == 0) rc = buffer_append(&sql, end, strlen(end) + 1, err);
    if (rc == 0) {
        int declared = sqlite3_declare_vtab(table->db, sql.data);
        if (declared != SQLITE_OK) rc = argument_storage_error(table->db, declared, err);
    }
    buffer_deinit(&sql);
    return rc;
}

/* The full names of both models, looked up by what the options say, or the defaults. */
static int choose_models(struct semantic_table *table, char *model_name, size_t size,
                         struct error *err)
{
    struct catalog *catalog = table->connection->catalog;
    struct catalog_entry *entry;
    int rc = catalog_find(catalog, table->config.model, MODEL_EMBED, &entry, err);
    if (rc != 0) {
        error_context(err, "model");
        return rc;
    }
    if (strlen(catalog_entry_name(entry)) >= size)
        return error_set(err, ERROR_INVALID, "model: a name has at most %zu bytes", size - 1);
    sqlite3_snprintf((int)size, model_name, "%s", catalog_entry_name(entry));
    rc = catalog_find(catalog, table->config.reranker, MODEL_RERANK, &entry, err);
    if (rc != 0) {
        error_context(err, "reranker");
        return rc;
    }
    const char *reranker = catalog_entry_name(entry);
    table->reranker_name = memory_copy(reranker, strlen(reranker));
    return table->reranker_name == NULL ? error_nomem(err) : 0;
}

/* The table's name is a column of it, so no other column can have it. */
static int check_name(const char *name, const struct semantic_column *columns, size_t n_columns,
                      struct error *err)
{
    int taken = semantic_column_is_ours("", name);
    for (size_t i = 0; !taken && i < n_columns; i++)
        taken = sqlite3_stricmp(name, columns[i].name) == 0;
    return taken ? error_set(err, ERROR_INVALID,
                             "an index cannot be called %.100s: it has a column of that name", name)
                 : 0;
}

static int create_table(struct semantic_table *table, struct error *err)
{
    char model_name[sizeof((struct semantic_state *)NULL)->model];
    int rc = choose_models(table, model_name, sizeof model_name, err);
    if (rc == 0)
        rc = semantic_config_resolve(table->db, table->schema, table->name, &table->config,
                                     &table->columns, &table->n_columns, err);
    if (rc == 0) rc = check_name(table->name, table->columns, table->n_columns, err);
    if (rc == 0) rc = store_create(table, model_name, err);
    if (rc == 0) rc = semantic_store_identity(table, model_name, err);
    return rc;
}

/* xConnect reads nothing but X_config. If that is damaged the table connects all the same, so that
 * it can be dropped, and every use reports the damage. */
static int connect_table(struct semantic_table *table, struct error *err)
{
    int rc = store_read_config(table, err);
    if (rc != 0 && rc != ERROR_NOMEM && rc != ERROR_INTERRUPTED) {
        if (rc == ERROR_STORAGE && (err->storage_code & 0xff) != SQLITE_ERROR) return rc;
        table->broken = *err;
        semantic_columns_free(table->columns, table->n_columns);
        table->columns = NULL;
        table->n_columns = 0;
        rc = 0;
    }
    return rc;
}

static int open_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
                      sqlite3_vtab **opened, char **message, int create)
{
    struct error err = {0};
    struct semantic_table *table = NULL;
    int rc = table_new(db, aux, argv[1], argv[2], &table, &err);
    if (rc == 0) rc = semantic_config_parse(argc, argv, &table->config, &err);
    if (rc == 0) rc = create ? create_table(table, &err) : connect_table(table, &err);
    if (rc == 0) rc = semantic_config_defaults(&table->config, &err);
    if (rc == 0) rc = declare(table, &err);
    if (rc == 0) {
        sqlite3_vtab_config(db, SQLITE_VTAB_CONSTRAINT_SUPPORT, 0);
        *opened = &table->base;
        return SQLITE_OK;
    }
    table_free(table);
    sqlite3_vtab holder = {0};
    rc = argument_table_error(&holder, "semantic_index", &err);
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

static int destroy(sqlite3_vtab *base)
{
    struct semantic_table *table = (struct semantic_table *)base;
    struct error err;
    /* Rows that wait to be embedded, written before an open savepoint: ROLLBACK TO would bring the
     * table back but not them, as nobody asks a table that was destroyed. SQLite has no place for a
     * message here. */
    if (pending_is_held(table->pending)) return SQLITE_LOCKED;
    store_finalize(table);
    if (store_drop(table, &err) != 0) return argument_table_error(base, table->name, &err);
    table_free(table);
    return SQLITE_OK;
}

/* Pending rows are written under the old name first. SQLite connects the table anew under the new
 * one; this connection keeps the old name, which a rollback brings back. */
static int rename_table(sqlite3_vtab *base, const char *name)
{
    struct semantic_table *table = (struct semantic_table *)base;
    struct error err;
    int rc = check_name(name, table->columns, table->n_columns, &err);
    if (rc == 0) rc = semantic_flush(table, &err);
    if (rc == 0) rc = store_rename(table, name, &err);
    return rc == 0 ? SQLITE_OK : argument_table_error(base, table->name, &err);
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
    .xShadowName = store_is_shadow,
};

/* semantic_index owns the module data, semantic_sync borrows it: when SQLite drops modules no
 * statement runs any more. */
static void module_free(void *data)
{
    struct semantic_module *module = data;
    connection_release(module->connection);
    memory_free(module);
}

int semantic_register(struct connection *connection)
{
    struct semantic_module *module = memory_zalloc(1, sizeof *module);
    if (module == NULL) return SQLITE_NOMEM;
    module->connection = connection_reference(connection);
    connection->indexes = module;
    /* SQLite calls the destructor also when registering fails. */
    int rc = sqlite3_create_module_v2(connection->db, "semantic_index", &semantic_index, module,
                                      module_free);
    if (rc == SQLITE_OK) rc = semantic_progress_register(connection->db, module);
    if (rc == SQLITE_OK) rc = semantic_estimate_register(connection->db, module);
    return rc;
}

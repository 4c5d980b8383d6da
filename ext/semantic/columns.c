#include "semantic/columns.h"

#include <string.h>

#include "base/memory.h"
#include "semantic/content_schema.h"
#include "semantic/upkeep.h"
#include "store/schema.h"

/* ---- what CREATE says ------------------------------------------------------------------------ */

/* The content, which must be there. */
static int read_content(struct semantic_table *table, const char *content,
                        struct content_schema *read, struct error *err)
{
    int rc = content_schema_read(table->store.db, table->store.schema, content, read, err);
    if (rc == ERROR_INVALID) error_context(err, "content");
    if (rc == 0 && !read->is_there)
        rc = error_set(err, ERROR_INVALID, "content: no table or view %.100s in schema %.100s",
                       content, table->store.schema);
    return rc;
}

/* The key of a keyed index; NULL: the rowid is. */
static const char *key_name(const struct semantic_table *table, const char *key)
{
    return table->store.keeps_keys ? key : NULL;
}

/* The key among the columns, and the column that is the rowid of an index without one. */
static void find_key(struct semantic_table *table)
{
    const char *key = table->config.content_rowid;
    int is_rowid = key == NULL || sqlite3_stricmp(key, "rowid") == 0;
    table->key = table->rowid_column = SIZE_MAX;
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct semantic_column *column = &table->columns[i];
        if (is_rowid ? !column->is_rowid : sqlite3_stricmp(column->name, key) != 0) continue;
        if (table->store.keeps_keys) table->key = i;
        else table->rowid_column = i;
    }
}

void columns_add_words(struct semantic_table *table)
{
    table->n_words_columns = 0;
    for (int which = 0; table->store.tokenizer != NULL && which < N_WORDS_COLUMNS; which++) {
        int taken = 0;
        for (size_t i = 0; !taken && i < table->n_columns; i++)
            taken = sqlite3_stricmp(table->columns[i].name, semantic_words_names[which]) == 0;
        if (!taken)
            table->words_columns[table->n_words_columns++] = (enum semantic_words_column)which;
    }
}

int columns_of_words(const struct semantic_table *table, int column)
{
    int i = column - COLUMN_CONTENT - (int)table->n_columns;
    return i >= 0 && i < table->n_words_columns ? (int)table->words_columns[i] : -1;
}

const char *columns_key_affinity(const struct semantic_table *table)
{
    return table->key == SIZE_MAX ? "BLOB" : table->columns[table->key].affinity;
}

static int only_text(struct semantic_table *table, struct error *err)
{
    table->key = table->rowid_column = SIZE_MAX;
    table->columns = memory_zalloc(1, sizeof *table->columns);
    if (table->columns == NULL || (table->columns->name = memory_copy("text", 4)) == NULL)
        return error_nomem(err);
    table->columns->affinity = "TEXT";
    table->n_columns = 1;
    return 0;
}

int columns_create(struct semantic_table *table, struct error *err)
{
    const struct store *store = &table->store;
    struct content_schema read;
    char *key = NULL;
    if (table->config.content == NULL) return only_text(table, err);
    int rc = read_content(table, table->config.content, &read, err);
    if (rc == 0)
        rc = content_schema_check(store->db, store->schema, store->name, &table->config, &read,
                                  &key, &table->store.keeps_keys, err);
    if (rc == 0 && content_schema_find(&read, store->name) != NULL)
        rc = error_set(err, ERROR_INVALID,
                       "an index cannot be called %.100s: %.100s has a column of that name",
                       store->name, table->config.content);
    const char *given = table->config.content_rowid;
    if (rc == 0)
        rc = content_schema_show(&read, store, key_name(table, key != NULL ? key : given),
                                 &table->columns, &table->n_columns, err);
    if (key != NULL) table->config.content_rowid = key;
    find_key(table);
    content_schema_deinit(&read);
    return rc;
}

int columns_use_content(struct semantic_table *table, char *content, int n_ours, struct error *err)
{
    const struct store *store = &table->store;
    struct semantic_config config = table->config; /* borrows all but the name */
    struct content_schema read;
    char *key = NULL;
    int is_keyed = 0;
    if (config.content == NULL)
        return error_set(err, ERROR_INVALID, "the index has no content table: it keeps its texts");
    if (sqlite3_stricmp(content, store->name) == 0)
        return error_set(err, ERROR_INVALID, "content %.100s is the index itself", content);
    config.content = content;
    int rc = read_content(table, content, &read, err);
    if (rc == 0)
        rc = content_schema_check(store->db, store->schema, store->name, &config, &read, &key,
                                  &is_keyed, err);
    if (rc == 0 && read.has_constraints && is_keyed != store->keeps_keys)
        rc = error_set(err, ERROR_INVALID,
                       "content_rowid: %.100s of %.100s is %s integer, that of %.100s was %s",
                       config.content_rowid, content, is_keyed ? "no" : "an", table->config.content,
                       is_keyed ? "one" : "none");
    memory_free(key);
    content_schema_deinit(&read);
    if (rc == 0) rc = upkeep_move(table, content, err);
    if (rc == 0) rc = store_set_text(&table->store, "content", content, err);
    if (rc == 0) table->pending->content_told = 1;
    return rc == 0 ? schema_reload(&table->store, n_ours, err) : rc;
}

/* ---- what X_config keeps --------------------------------------------------------------------- */

int columns_format(const struct semantic_table *table, char **json, struct error *err)
{
    sqlite3 *db = table->store.db;
    sqlite3_stmt *statement;
    int row = 0;
    *json = memory_copy("[]", 2);
    int rc = *json == NULL ? error_nomem(err) : 0;
    if (rc == 0)
        rc = statement_prepare(db, &statement, err,
                               "SELECT json_insert(?1, '$[#]', json_array(?2, ?3))");
    if (rc != 0) return rc;
    for (size_t i = 0; rc == 0 && i < table->n_columns; i++) {
        sqlite3_bind_text(statement, 1, *json, -1, SQLITE_TRANSIENT);
        sqlite3_bind_text(statement, 2, table->columns[i].name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, table->columns[i].affinity, -1, SQLITE_STATIC);
        rc = statement_step(db, statement, &row, err);
        const char *text = rc == 0 ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        memory_free(*json);
        *json = text == NULL ? NULL : memory_copy(text, strlen(text));
        if (rc == 0 && *json == NULL) rc = error_nomem(err);
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return rc;
}

/* One column from its JSON: [name, affinity]. */
static int add_column(struct semantic_table *table, sqlite3_stmt *statement, struct error *err)
{
    const char *affinity = (const char *)sqlite3_column_text(statement, 1);
    if (sqlite3_column_type(statement, 0) != SQLITE_TEXT || affinity == NULL ||
        semantic_affinity(affinity) == NULL)
        return sqlite3_errcode(table->store.db) == SQLITE_NOMEM
                   ? error_nomem(err)
                   : store_corrupt_config(&table->store, "the column list is damaged", err);
    struct semantic_column *columns =
        memory_realloc(table->columns, table->n_columns + 1, sizeof *columns);
    if (columns == NULL) return error_nomem(err);
    table->columns = columns;
    columns[table->n_columns] = (struct semantic_column){.affinity = semantic_affinity(affinity)};
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    if (name == NULL) return error_nomem(err);
    columns[table->n_columns].name = memory_copy(name, (size_t)sqlite3_column_bytes(statement, 0));
    name = columns[table->n_columns].name;
    if (name == NULL) return error_nomem(err);
    int taken = semantic_column_is_ours(table->store.name, name);
    for (size_t i = 0; i < table->n_columns; i++)
        if (sqlite3_stricmp(name, columns[i].name) == 0) taken = 1;
    table->n_columns++;
    return taken ? store_corrupt_config(&table->store, "the column list is damaged", err) : 0;
}

/* `json` is bound as NUL terminated text: json_each takes a text that it cannot get at for an empty
 * one. */
static int parse(struct semantic_table *table, const char *json, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(
        table->store.db, &statement, err,
        "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?1)");
    if (rc == 0) sqlite3_bind_text(statement, 1, json, -1, SQLITE_STATIC);
    while (rc == 0 && (rc = statement_step(table->store.db, statement, &row, err)) == 0 && row)
        rc = add_column(table, statement, err);
    sqlite3_finalize(statement);
    if (rc == 0 && table->n_columns == 0 && strcmp(json, "[]") != 0)
        rc = store_corrupt_config(&table->store, "the column list is damaged", err);
    return rc;
}

/* ---- what the content has -------------------------------------------------------------------- */

/* SQLite plans statements more often than it changes the schema: the question is kept. */
static int read_schema_version(struct semantic_table *table, int64_t *version, struct error *err)
{
    int row = 0, rc = 0;
    if (table->schema_number == NULL)
        rc = statement_prepare(table->store.db, &table->schema_number, err,
                               "PRAGMA \"%w\".schema_version", table->store.schema);
    if (rc == 0) rc = statement_step(table->store.db, table->schema_number, &row, err);
    if (rc == 0 && row) *version = sqlite3_column_int64(table->schema_number, 0);
    sqlite3_reset(table->schema_number);
    return rc;
}

/* The columns of the content now, and the number of the schema that says so; NULL: it is gone. */
static int read_now(struct semantic_table *table, struct semantic_column **columns, size_t *n,
                    int64_t *version, struct error *err)
{
    const struct store *store = &table->store;
    struct content_schema read;
    *columns = NULL;
    *n = 0;
    int rc = content_schema_read(store->db, store->schema, table->config.content, &read, err);
    if (rc == 0 && read.is_there)
        rc = content_schema_show(&read, store, key_name(table, table->config.content_rowid),
                                 columns, n, err);
    content_schema_deinit(&read);
    return rc == 0 ? read_schema_version(table, version, err) : rc;
}

int columns_connect(struct semantic_table *table, const char *json, struct error *err)
{
    struct semantic_column *columns = NULL;
    size_t n = 0;
    struct error unread;
    int followed, rc = parse(table, json, err);
    if (rc == 0) {
        rc = upkeep_follow(table, &followed, err);
        if (rc != ERROR_NOMEM && rc != ERROR_INTERRUPTED) rc = 0;
    }
    if (rc == 0 && table->config.content != NULL) {
        int now = read_now(table, &columns, &n, &table->schema_version, &unread);
        if (now == ERROR_NOMEM || now == ERROR_INTERRUPTED) {
            rc = now;
            *err = unread;
        }
        if (now == 0 && columns != NULL) {
            semantic_columns_free(table->columns, table->n_columns);
            table->columns = columns;
            table->n_columns = n;
        } else {
            semantic_columns_free(columns, n);
        }
    }
    find_key(table);
    return rc;
}

static const char *collation_of(const struct semantic_column *column)
{
    return column->collation == NULL ? "BINARY" : column->collation;
}

static const char *type_of(const struct semantic_column *column)
{
    return column->type == NULL ? column->affinity : column->type;
}

static int is_as_told(const struct semantic_table *table, const struct semantic_column *columns,
                      size_t n)
{
    if (n != table->n_columns) return 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(columns[i].name, table->columns[i].name) != 0 ||
            columns[i].affinity != table->columns[i].affinity ||
            strcmp(type_of(&columns[i]), type_of(&table->columns[i])) != 0 ||
            strcmp(collation_of(&columns[i]), collation_of(&table->columns[i])) != 0)
            return 0;
    return 1;
}

int columns_keep_rowids(const struct semantic_table *table, int *keep, struct error *err)
{
    const struct semantic_config *config = &table->config;
    const struct store *store = &table->store;
    struct content_schema read;
    *keep = 1;
    if (config->content == NULL || sqlite3_stricmp(config->content_rowid, "rowid") != 0) return 0;
    int rc = content_schema_read(store->db, store->schema, config->content, &read, err);
    if (rc == 0 && content_schema_find(&read, "rowid") == NULL)
        *keep = content_schema_keeps_rowids(&read);
    content_schema_deinit(&read);
    return rc;
}

int columns_look(struct semantic_table *table, struct error *err)
{
    struct semantic_column *columns = NULL;
    size_t n = 0;
    int64_t version = table->schema_version;
    /* A view that reads its own index is planned by looking at it. */
    if (table->config.content == NULL || table->broken.code != 0 || table->is_looking) return 0;
    int rc = read_schema_version(table, &version, err);
    if (rc == 0 && version == table->schema_version) return 0;
    table->is_looking = 1;
    if (rc == 0) rc = read_now(table, &columns, &n, &version, err);
    table->is_looking = 0;
    if (rc == 0) {
        table->schema_version = version;
        table->is_outdated = columns != NULL && !is_as_told(table, columns, n);
    }
    semantic_columns_free(columns, n);
    return rc == ERROR_NOMEM || rc == ERROR_INTERRUPTED ? rc : 0;
}

void columns_renew(struct semantic_table *table, int n_ours)
{
    if (table->is_outdated && schema_forget(&table->store, n_ours)) table->is_outdated = 0;
}

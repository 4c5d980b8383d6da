#include "semantic/content.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "model/model.h"
#include "semantic/columns.h"
#include "semantic/content_schema.h"
#include "semantic/known.h"
#include "semantic/upkeep.h"
#include "sqlite/statement.h"
#include "store/keys.h"
#include "store/store.h"
#include "text/blank.h"

/* What is trimmed: the blanks of ASCII alone, as the hashes of all that is stored are of texts
 * trimmed so. */
static int is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Appends ', c."name"' for each. Without the c SQLite would take an unknown "name" for a string. */
static int append_names(struct buffer *sql, const struct name_list *list, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < list->n_names; i++) {
        char *quoted = sqlite3_mprintf(", c.\"%w\"", list->names[i]);
        rc = quoted == NULL ? error_nomem(err) : buffer_append(sql, quoted, strlen(quoted), err);
        sqlite3_free(quoted);
    }
    return rc;
}

static int no_content(const struct semantic_table *table, struct error *err)
{
    const char *index = table->store.name, *content = table->config.content;
    error_set(err, ERROR_INVALID,
              "no such table: %.100s.%.100s (rename it back, or tell its new name: INSERT INTO "
              "%.100s(%.100s) VALUES ('content NAME'))",
              table->store.schema, content, index, index);
    error_context(err, "content %s cannot be read", content);
    return ERROR_INVALID;
}

static int no_column(const struct semantic_table *table, const char *column, const char *use,
                     struct error *err)
{
    const char *index = table->store.name;
    error_set(err, ERROR_INVALID,
              "no such column: %.100s, which the index %s (rename it back, or make a view that has "
              "it and INSERT INTO %.100s(%.100s) VALUES ('content VIEW'))",
              column, use, index, index);
    error_context(err, "content %s cannot be read", table->config.content);
    return ERROR_INVALID;
}

/* What of the schema keeps the content from being read, if that is it. */
static int explain(const struct semantic_table *table, struct error *err)
{
    const struct semantic_config *config = &table->config;
    const char *key = config->content_rowid;
    struct content_schema read;
    int rc =
        content_schema_read(table->store.db, table->store.schema, config->content, &read, NULL);
    if (rc == ERROR_NOMEM) error_nomem(err);
    else if (rc == 0 && !read.is_there) no_content(table, err);
    else if (rc == 0 && sqlite3_stricmp(key, "rowid") != 0 &&
             content_schema_find(&read, key) == NULL)
        no_column(table, key, "knows rows by", err);
    for (size_t i = 0; rc == 0 && read.is_there && i < config->text.n_names; i++)
        if (content_schema_find(&read, config->text.names[i]) == NULL)
            no_column(table, config->text.names[i], "embeds", err);
    content_schema_deinit(&read);
    return err->code;
}

static int failed(const struct semantic_table *table, struct error *err)
{
    int may_be_the_schema =
        err->code == ERROR_STORAGE && (err->storage_code & 0xff) == SQLITE_ERROR;
    return may_be_the_schema ? explain(table, err) : err->code;
}

/* How a statement on the content finds its rows. */
enum by { BY_NOTHING, BY_ID, BY_KEY, BY_KNOWN_KEYS, BY_NEW_KEYS };

/* The SQL behind the columns. The content is c. A key is equal by its column's collation, which the
 * content has an index of, and byte for byte; affinities must not keep an index from being used. */
static char *format_rest(const struct semantic_table *table, enum by by)
{
    const char *content = table->config.content, *schema = table->store.schema,
               *index = table->store.name, *key = table->config.content_rowid;
    int keyed = table->store.keeps_keys;
    if (by == BY_NOTHING && !keyed)
        return sqlite3_mprintf("FROM \"%w\".\"%w\" AS c ORDER BY 1", schema, content);
    if (by == BY_NOTHING) return sqlite3_mprintf("FROM \"%w\".\"%w\" AS c", schema, content);
    if (by == BY_ID && !keyed)
        return sqlite3_mprintf("FROM \"%w\".\"%w\" AS c WHERE c.\"%w\" = ?1", schema, content, key);
    if (by == BY_KEY)
        return sqlite3_mprintf(
            "FROM \"%w\".\"%w\" AS c WHERE c.\"%w\" = ?1 AND c.\"%w\" = ?1 COLLATE BINARY", schema,
            content, key, key);
    if (by == BY_NEW_KEYS)
        return sqlite3_mprintf("FROM \"%w\".\"%w\" AS c WHERE NOT EXISTS (SELECT 1 FROM "
                               "\"%w\".\"%w_keys\" AS k WHERE k.key = +c.\"%w\")",
                               schema, content, schema, index, key);
    return sqlite3_mprintf(
        "FROM \"%w\".\"%w_keys\" AS k CROSS JOIN \"%w\".\"%w\" AS c ON c.\"%w\" = k.key AND "
        "c.\"%w\" = k.key COLLATE BINARY %s",
        schema, index, schema, content, key, key,
        by == BY_ID ? "WHERE k.id = ?1" : "ORDER BY k.id");
}

/* A statement of ours on a view that reads this index would keep the table connected. */
static void let_go(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
    *statement = NULL;
}

/* After the command 'content' this connection of the index may be one that knows an older name, and
 * ROLLBACK TO may bring an older one back: until the transaction ends X_config is asked. */
int content_follow(struct semantic_table *table, struct error *err)
{
    char *name;
    if (!table->pending->content_told || table->config.content == NULL) return 0;
    int rc = store_get_text(&table->store, "content", &name, err);
    if (rc != 0) return rc;
    char *declared = table->declared_content;
    if (name == NULL && declared == NULL) return 0;
    if (name == NULL && (name = memory_copy(declared, strlen(declared))) == NULL)
        return error_nomem(err);
    if (strcmp(name, table->config.content) == 0) {
        memory_free(name);
        return 0;
    }
    if (declared == NULL) table->declared_content = table->config.content;
    else memory_free(table->config.content);
    table->config.content = name;
    let_go(&table->content_text);
    let_go(&table->content_by_key);
    let_go(&table->content_row);
    known_forget(table);
    return 0;
}

int content_prepare(struct semantic_table *table, sqlite3_stmt **statement, char *sql,
                    struct error *err)
{
    const char *content = table->config.content;
    int found = 1, rc = 0;
    *statement = NULL;
    /* Asked again, as a schema can be written without CREATE. */
    if (content != NULL)
        rc = semantic_config_find_content(table->store.db, table->store.schema, content, &found,
                                          err);
    if (rc != 0 || !found) {
        sqlite3_free(sql);
        if (rc == 0) return no_content(table, err);
    } else {
        rc = statement_prepare_text(table->store.db, statement, 0, err, sql);
        if (content == NULL) return rc;
        if (rc != 0 && failed(table, err) == ERROR_INVALID) return ERROR_INVALID;
    }
    if (rc != 0 && rc != ERROR_NOMEM && rc != ERROR_INTERRUPTED)
        error_context(err, "content %s cannot be read", content);
    return rc;
}

/* "SELECT <first><columns> FROM ...", of the content as it is now. */
static int prepare_content(struct semantic_table *table, sqlite3_stmt **statement,
                           const char *columns, enum by by, struct error *err)
{
    *statement = NULL;
    int rc = content_follow(table, err);
    if (rc != 0) return rc;
    const char *first = by == BY_KNOWN_KEYS ? "k.\"%w\"" : "c.\"%w\"";
    char *name = sqlite3_mprintf(first, by == BY_KNOWN_KEYS ? "id" : table->config.content_rowid);
    char *rest = format_rest(table, by);
    char *sql = name == NULL || rest == NULL
                    ? NULL
                    : sqlite3_mprintf("SELECT %s%s %s", name, columns, rest);
    sqlite3_free(name);
    sqlite3_free(rest);
    return content_prepare(table, statement, sql, err);
}

/* A statement on texts: a number or the key, and the text columns. */
static int prepare_text(struct semantic_table *table, sqlite3_stmt **statement, enum by by,
                        struct error *err)
{
    *statement = NULL;
    if (table->config.content == NULL)
        return store_query(&table->store, by == BY_NOTHING ? STORE_TEXTS : STORE_TEXT, statement,
                           err);
    struct buffer columns;
    buffer_init(&columns, 1 << 20);
    int rc = append_names(&columns, &table->config.text, err);
    if (rc == 0) rc = buffer_append(&columns, "", 1, err);
    if (rc == 0) rc = prepare_content(table, statement, columns.data, by, err);
    buffer_deinit(&columns);
    return rc;
}

/* Joins n columns from `first` by one space, NULL and '' skipped, ends trimmed, after what is in
 * `out`; nothing if all is white space. ERROR_INVALID for a blob, or too much: what there is, is
 * joined all the same. */
static int join_columns(sqlite3 *db, sqlite3_stmt *row, int first, int n, struct buffer *out,
                        struct error *err)
{
    size_t start = out->size;
    int unusable = 0;
    for (int i = first; i < first + n; i++) {
        /* Of a value no mutex is taken, as of a column. */
        sqlite3_value *value = sqlite3_column_value(row, i);
        int type = sqlite3_value_type(value);
        if (type == SQLITE_NULL) continue;
        if (type == SQLITE_BLOB && !unusable)
            unusable = error_set(err, ERROR_INVALID, "column %.100s holds a blob, expected text",
                                 sqlite3_column_name(row, i));
        const char *text = type == SQLITE_BLOB ? sqlite3_column_blob(row, i)
                                               : (const char *)sqlite3_column_text(row, i);
        int size = sqlite3_value_bytes(value);
        if (text == NULL && (size > 0 || type != SQLITE_BLOB))
            return statement_error(db, SQLITE_NOMEM, err);
        if (size == 0) continue;
        int rc = out->size > start ? buffer_append(out, " ", 1, err) : 0;
        if (rc == 0) rc = buffer_append(out, text, (size_t)size, err);
        if (rc != 0) return rc;
    }
    while (out->size > start && is_space(out->data[out->size - 1])) out->size--;
    size_t lead = start;
    while (lead < out->size && is_space(out->data[lead])) lead++;
    if (lead > start) memmove(out->data + start, out->data + lead, out->size - lead);
    out->size -= lead - start;
    if (!unusable && out->size > start &&
        text_is_blank((struct span){out->data + start, out->size - start}))
        out->size = start;
    return unusable;
}

static int n_text_columns(const struct semantic_table *table)
{
    return table->config.content == NULL ? 1 : (int)table->config.text.n_names;
}

int content_check_text(const struct buffer *text, struct error *bad)
{
    if (bad->code == 0) model_check_text((struct span){text->data, text->size}, 0, bad);
    return bad->code;
}

/* The text of the row that `statement` stands on, not checked: column 0 is the id, then the text
 * columns. */
static int join_text(struct semantic_table *table, sqlite3_stmt *statement, struct buffer *text,
                     struct error *bad, struct error *err)
{
    struct error problem;
    buffer_clear(text);
    bad->code = 0;
    int rc = join_columns(table->store.db, statement, 1, n_text_columns(table), text, &problem);
    if (rc == ERROR_INVALID) {
        *bad = problem;
        return 0;
    }
    if (rc != 0 && err != NULL) *err = problem;
    return rc;
}

static int read_text(struct semantic_table *table, sqlite3_stmt *statement, struct buffer *text,
                     struct error *bad, struct error *err)
{
    int rc = join_text(table, statement, text, bad, err);
    if (rc == 0) content_check_text(text, bad);
    return rc;
}

uint64_t content_hash(const struct buffer *text, const struct error *bad)
{
    return hash_bytes(text->data, text->size, bad->code != 0);
}

int content_step(struct semantic_table *table, sqlite3_stmt *statement, int *row, struct error *err)
{
    table->reading_content++;
    int rc = statement_step(table->store.db, statement, row, err);
    table->reading_content--;
    return rc != 0 && table->config.content != NULL ? failed(table, err) : rc;
}

/* ---- texts ----------------------------------------------------------------------------------- */

int content_scan_open(struct semantic_table *table, struct content_keys *keys,
                      struct content_scan *scan, struct error *err)
{
    int is_keyed = table->store.keeps_keys && keys != NULL;
    *scan = (struct content_scan){.keys = is_keyed ? keys : NULL};
    int rc = is_keyed ? content_keys_begin(table, keys, err) : 0;
    return rc == 0
               ? prepare_text(table, &scan->statement, is_keyed ? BY_KNOWN_KEYS : BY_NOTHING, err)
               : rc;
}

void content_scan_close(struct content_scan *scan)
{
    sqlite3_finalize(scan->statement);
    scan->statement = NULL;
}

/* The next row; after the last of a keyed index whose key is known the first whose key is new. */
static int next_row(struct semantic_table *table, struct content_scan *scan, int *row,
                    struct error *err)
{
    int rc = content_step(table, scan->statement, row, err);
    if (rc != 0 || *row || scan->keys == NULL || scan->is_new) return rc;
    content_scan_close(scan);
    scan->is_new = 1;
    rc = prepare_text(table, &scan->statement, BY_NEW_KEYS, err);
    return rc == 0 ? content_step(table, scan->statement, row, err) : rc;
}

/* A view's keys have no type: all may be none of the index, by mistake. */
static int check_not_view(struct semantic_table *table, struct error *err)
{
    const struct semantic_config *config = &table->config;
    struct content_schema read;
    int rc = content_schema_read(table->store.db, table->store.schema, config->content, &read, err);
    if (rc == 0 && !read.has_constraints)
        rc = error_set(err, ERROR_INVALID,
                       "content_rowid %s of %s must be an integer, not another type (to have such "
                       "keys drop the index and create it again, of a table or a view whose column "
                       "says its type)",
                       config->content_rowid, config->content);
    content_schema_deinit(&read);
    return rc;
}

static int read_id(struct semantic_table *table, struct content_scan *scan, int64_t *id,
                   int *usable, struct error *err)
{
    sqlite3_value *value = sqlite3_column_value(scan->statement, 0);
    int type = sqlite3_value_type(value), is_keyed = table->store.keeps_keys;
    *id = sqlite3_value_int64(value);
    *usable = type != SQLITE_NULL && (type == SQLITE_INTEGER || is_keyed);
    if (!*usable && type != SQLITE_NULL && scan->n_unusable == 0) return check_not_view(table, err);
    if (!*usable || scan->keys == NULL || !scan->is_new) return 0;
    return content_keys_add(scan->keys, value, id, err);
}

int content_scan_next(struct semantic_table *table, struct content_scan *scan, int64_t *id,
                      struct buffer *text, struct error *bad, int *done, struct error *err)
{
    int row, usable = 0;
    do {
        int rc = next_row(table, scan, &row, err);
        *done = !row;
        if (rc != 0 || !row) return rc;
        rc = read_id(table, scan, id, &usable, err);
        if (rc != 0) return rc;
        scan->n_unusable += !usable;
    } while (!usable);
    return scan->is_unchecked ? join_text(table, scan->statement, text, bad, err)
                              : read_text(table, scan->statement, text, bad, err);
}

int content_text(struct semantic_table *table, int64_t id, struct buffer *text, struct error *bad,
                 int *exists, int *found, struct error *err)
{
    return content_new_text(table, NULL, id, text, bad, exists, found, err);
}

static int read_row(struct semantic_table *table, sqlite3_value *key, int64_t id,
                    struct buffer *text, struct error *bad, int *exists, int *found,
                    struct error *err)
{
    sqlite3_stmt **statement = key != NULL ? &table->content_by_key : &table->content_text;
    *exists = *found = bad->code = 0;
    int rc = content_follow(table, err);
    if (rc == 0 && *statement == NULL)
        rc = prepare_text(table, statement, key != NULL ? BY_KEY : BY_ID, err);
    if (rc != 0) return rc;
    sqlite3_reset(*statement);
    if (key != NULL) sqlite3_bind_value(*statement, 1, key);
    else sqlite3_bind_int64(*statement, 1, id);
    rc = content_step(table, *statement, exists, err);
    if (rc == 0 && *exists) rc = read_text(table, *statement, text, bad, err);
    *found = rc == 0 && *exists && (text->size > 0 || bad->code != 0);
    sqlite3_reset(*statement);
    if (rc != 0) let_go(statement);
    return rc;
}

int content_new_text(struct semantic_table *table, const struct content_keys *keys, int64_t id,
                     struct buffer *text, struct error *bad, int *exists, int *found,
                     struct error *err)
{
    sqlite3_value *key = content_keys_new(keys, id);
    struct error unread;
    int followed = 0;
    int rc = read_row(table, key, id, text, bad, exists, found, err);
    if (rc != ERROR_INVALID) return rc;
    /* A row that was noted before a column, or the table, was renamed in the same transaction. */
    int asked = upkeep_follow(table, &followed, &unread);
    if (asked == ERROR_NOMEM || asked == ERROR_INTERRUPTED) {
        *err = unread;
        return asked;
    }
    return asked == 0 && followed ? read_row(table, key, id, text, bad, exists, found, err) : rc;
}

int content_find(struct semantic_table *table, sqlite3_value *key, int wanted, int64_t *id,
                 struct buffer *text, struct error *bad, int *exists, int *found, struct error *err)
{
    sqlite3_stmt **statement = &table->content_by_key;
    struct keys_value value = {key, columns_key_affinity(table)};
    int known, rc = *statement == NULL ? prepare_text(table, statement, BY_KEY, err) : 0;
    *exists = *found = bad->code = 0;
    *id = 0;
    if (rc != 0) return rc;
    sqlite3_reset(*statement);
    sqlite3_bind_value(*statement, 1, key);
    rc = content_step(table, *statement, exists, err);
    if (rc == 0 && *exists) value = (struct keys_value){sqlite3_column_value(*statement, 0), NULL};
    if (rc == 0) rc = keys_find(&table->store, value, id, &known, err);
    if (rc == 0 && *exists) rc = read_text(table, *statement, text, bad, err);
    *found = rc == 0 && *exists && (text->size > 0 || bad->code != 0);
    if (rc == 0 && !known && (*found || wanted)) rc = keys_put(&table->store, value, id, err);
    sqlite3_reset(*statement);
    if (rc != 0) let_go(statement);
    return rc;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int append_shown(const struct semantic_table *table, struct buffer *sql, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < table->n_columns; i++) {
        struct name_list one = {&table->columns[i].name, 1};
        rc = append_names(sql, &one, err);
    }
    return rc == 0 ? append_names(sql, &table->config.document, err) : rc;
}

/* Appends what the content still has, and NULL for what it has not. */
static int append_present(const struct content_schema *read, const char *name, struct buffer *sql,
                          struct name_list *lacks, struct error *err)
{
    struct name_list one = {(char **)&name, 1};
    if (content_schema_find(read, name) != NULL) return append_names(sql, &one, err);
    int rc = name_list_add(lacks, name, strlen(name), err);
    return rc == 0 ? buffer_append(sql, ", NULL", 6, err) : rc;
}

/* The columns of a content that has lost some. */
static int append_what_is_left(const struct semantic_table *table, struct buffer *sql,
                               struct name_list *lacks, struct error *err)
{
    const struct name_list *document = &table->config.document;
    struct content_schema read;
    int rc = content_schema_read(table->store.db, table->store.schema, table->config.content, &read,
                                 err);
    for (size_t i = 0; rc == 0 && i < table->n_columns; i++)
        rc = append_present(&read, table->columns[i].name, sql, lacks, err);
    for (size_t i = 0; rc == 0 && i < document->n_names; i++)
        rc = append_present(&read, document->names[i], sql, lacks, err);
    content_schema_deinit(&read);
    return rc;
}

/* The one that an earlier cursor left, if it is of the columns of now. */
static sqlite3_stmt *take_row(struct semantic_table *table)
{
    if (table->content_row_schema != table->schema_version) let_go(&table->content_row);
    sqlite3_stmt *row = table->content_row;
    table->content_row = NULL;
    return row;
}

int content_row_open(struct semantic_table *table, sqlite3_stmt **row, struct name_list *lacks,
                     struct error *err)
{
    int followed = content_follow(table, err);
    *row = followed == 0 ? take_row(table) : NULL;
    if (followed != 0 || *row != NULL) return followed;
    if (table->config.content == NULL) return store_query(&table->store, STORE_DOCUMENT, row, err);
    struct buffer columns;
    struct error left;
    buffer_init(&columns, 1 << 20);
    int rc = append_shown(table, &columns, err);
    if (rc == 0) rc = buffer_append(&columns, "", 1, err);
    if (rc == 0) rc = prepare_content(table, row, columns.data, BY_ID, err);
    if (rc != 0 && rc != ERROR_NOMEM && rc != ERROR_INTERRUPTED) {
        buffer_clear(&columns);
        int again = append_what_is_left(table, &columns, lacks, &left);
        if (again == 0 && lacks->n_names > 0) again = buffer_append(&columns, "", 1, &left);
        if (again == 0 && lacks->n_names > 0) {
            rc = prepare_content(table, row, columns.data, BY_ID, err);
        } else if (again == ERROR_NOMEM) {
            rc = error_nomem(err);
        }
    }
    buffer_deinit(&columns);
    return rc;
}

void content_row_close(struct semantic_table *table, sqlite3_stmt *row, int64_t schema_version,
                       struct name_list *lacks)
{
    int may_keep = lacks->n_names == 0 && table->content_row == NULL &&
                   schema_version == table->schema_version;
    name_list_deinit(lacks);
    if (row != NULL) sqlite3_reset(row);
    if (!may_keep) {
        sqlite3_finalize(row);
        return;
    }
    table->content_row = row;
    table->content_row_schema = table->schema_version;
}

int content_check_column(const struct semantic_table *table, const struct name_list *lacks,
                         const char *column, struct error *err)
{
    for (size_t i = 0; i < lacks->n_names; i++)
        if (sqlite3_stricmp(lacks->names[i], column) == 0)
            return error_set(err, ERROR_INVALID,
                             "no such column: %.100s (%.100s has it no more: rename it back, or do "
                             "not ask for it)",
                             column, table->config.content);
    return 0;
}

int content_check_document(const struct semantic_table *table, const struct name_list *lacks,
                           struct error *err)
{
    const struct name_list *names = &table->config.document;
    int rc = 0;
    for (size_t i = 0; rc == 0 && lacks->n_names > 0 && i < names->n_names; i++)
        rc = content_check_column(table, lacks, names->names[i], err);
    if (rc != 0) error_context(err, "document");
    return rc;
}

int content_document(struct semantic_table *table, sqlite3_stmt *row, struct buffer *document,
                     struct error *err)
{
    int n = table->config.content == NULL ? 1 : (int)table->config.document.n_names;
    return join_columns(table->store.db, row, 1 + (int)table->n_columns, n, document, err);
}

size_t content_title_size(const struct semantic_table *table, sqlite3_stmt *row)
{
    int first = 1 + (int)table->n_columns;
    if (table->config.content == NULL || table->config.document.n_names < 2) return 0;
    const char *text = (const char *)sqlite3_column_text(row, first);
    size_t size = text == NULL ? 0 : (size_t)sqlite3_column_bytes(row, first);
    while (size > 0 && is_space(text[0])) text++, size--;
    return size;
}

#include "semantic/content.h"

#include <string.h>

#include "base/hash.h"
#include "model/model.h"
#include "sqlite/statement.h"
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

static int prepare_content(struct semantic_table *table, sqlite3_stmt **statement,
                           const char *columns, int scan, struct error *err)
{
    const char *key = table->config.content_rowid, *schema = table->store.schema;
    int found = 0;
    *statement = NULL;
    /* Asked again, as a schema can be written without CREATE. */
    int rc =
        semantic_config_find_content(table->store.db, schema, table->config.content, &found, err);
    if (rc == 0 && !found)
        rc = error_set(err, ERROR_INVALID, "no such table: %.100s.%.100s", schema,
                       table->config.content);
    if (rc == 0)
        rc = statement_prepare(
            table->store.db, statement, err,
            scan ? "SELECT c.\"%w\"%s FROM \"%w\".\"%w\" AS c ORDER BY 1"
                 : "SELECT c.\"%w\"%s FROM \"%w\".\"%w\" AS c WHERE c.\"%w\" = ?1",
            key, columns, schema, table->config.content, key);
    if (rc != 0 && rc != ERROR_NOMEM && rc != ERROR_INTERRUPTED)
        error_context(err, "content %s cannot be read", table->config.content);
    return rc;
}

/* Either the scan of all texts or the text of one id. */
static int prepare_text(struct semantic_table *table, sqlite3_stmt **statement, int scan,
                        struct error *err)
{
    *statement = NULL;
    if (table->config.content == NULL)
        return store_query(&table->store, scan ? STORE_TEXTS : STORE_TEXT, statement, err);
    struct buffer columns;
    buffer_init(&columns, 1 << 20);
    int rc = append_names(&columns, &table->config.text, err);
    if (rc == 0) rc = buffer_append(&columns, "", 1, err);
    if (rc == 0) rc = prepare_content(table, statement, columns.data, scan, err);
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
        int type = sqlite3_column_type(row, i);
        if (type == SQLITE_NULL) continue;
        if (type == SQLITE_BLOB && !unusable)
            unusable = error_set(err, ERROR_INVALID, "column %.100s holds a blob, expected text",
                                 sqlite3_column_name(row, i));
        const char *text = type == SQLITE_BLOB ? sqlite3_column_blob(row, i)
                                               : (const char *)sqlite3_column_text(row, i);
        int size = sqlite3_column_bytes(row, i);
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

/* The text of the row that `statement` stands on: column 0 is the id, then the text columns. */
static int read_text(struct semantic_table *table, sqlite3_stmt *statement, struct buffer *text,
                     struct error *bad, struct error *err)
{
    struct error problem;
    buffer_clear(text);
    bad->code = 0;
    int rc = join_columns(table->store.db, statement, 1, n_text_columns(table), text, &problem);
    if (rc == 0) rc = model_check_text((struct span){text->data, text->size}, 0, &problem);
    if (rc == ERROR_INVALID) {
        *bad = problem;
        return 0;
    }
    if (rc != 0 && err != NULL) *err = problem;
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
    return rc;
}

int content_scan_open(struct semantic_table *table, sqlite3_stmt **scan, struct error *err)
{
    return prepare_text(table, scan, 1, err);
}

int content_scan_next(struct semantic_table *table, sqlite3_stmt *scan, int64_t *id,
                      struct buffer *text, struct error *bad, int *done, struct error *err)
{
    int row;
    int rc = content_step(table, scan, &row, err);
    *done = !row;
    if (rc != 0 || !row) return rc;
    if (sqlite3_column_type(scan, 0) != SQLITE_INTEGER)
        return error_set(err, ERROR_INVALID, "content_rowid %s of %s must be an integer, not %s",
                         table->config.content_rowid, table->config.content,
                         sqlite3_column_type(scan, 0) == SQLITE_NULL ? "NULL" : "another type");
    *id = sqlite3_column_int64(scan, 0);
    return read_text(table, scan, text, bad, err);
}

int content_text(struct semantic_table *table, int64_t id, struct buffer *text, struct error *bad,
                 int *exists, int *found, struct error *err)
{
    sqlite3_stmt *statement = table->content_text;
    *exists = *found = bad->code = 0;
    int rc = 0;
    if (statement == NULL) {
        rc = prepare_text(table, &statement, 0, err);
        table->content_text = statement;
    }
    if (rc != 0) return rc;
    sqlite3_reset(statement);
    sqlite3_bind_int64(statement, 1, id);
    rc = content_step(table, statement, exists, err);
    if (rc == 0 && *exists) rc = read_text(table, statement, text, bad, err);
    *found = rc == 0 && *exists && (text->size > 0 || bad->code != 0);
    sqlite3_reset(statement);
    if (rc != 0) {
        /* A statement of ours on a view that reads this index would keep the table connected. */
        sqlite3_finalize(statement);
        table->content_text = NULL;
    }
    return rc;
}

int content_row_open(struct semantic_table *table, sqlite3_stmt **row, struct error *err)
{
    *row = NULL;
    if (table->config.content == NULL) return store_query(&table->store, STORE_DOCUMENT, row, err);
    struct buffer columns;
    buffer_init(&columns, 1 << 20);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < table->n_columns; i++) {
        struct name_list one = {&table->columns[i].name, 1};
        rc = append_names(&columns, &one, err);
    }
    if (rc == 0) rc = append_names(&columns, &table->config.document, err);
    if (rc == 0) rc = buffer_append(&columns, "", 1, err);
    if (rc == 0) rc = prepare_content(table, row, columns.data, 0, err);
    buffer_deinit(&columns);
    return rc;
}

int content_document(struct semantic_table *table, sqlite3_stmt *row, struct buffer *document,
                     struct error *err)
{
    int n = table->config.content == NULL ? 1 : (int)table->config.document.n_names;
    return join_columns(table->store.db, row, 1 + (int)table->n_columns, n, document, err);
}

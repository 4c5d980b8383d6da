#include "semantic/columns.h"

#include <string.h>

#include "base/memory.h"

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
    columns[table->n_columns] = (struct semantic_column){NULL, semantic_affinity(affinity)};
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
int columns_parse(struct semantic_table *table, const char *json, struct error *err)
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

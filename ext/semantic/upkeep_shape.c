#include "semantic/upkeep_shape.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/statement.h"

void upkeep_shape_deinit(struct upkeep_shape *shape)
{
    memory_free(shape->alias);
    memory_free(shape->columns);
    memory_free(shape->unique_columns);
    memory_free(shape->sources);
    name_list_deinit(&shape->conditions);
}

static int check_kind(struct semantic_table *table, struct upkeep_shape *shape, struct error *err)
{
    const char *content = table->config.content, *name = table->store.name;
    sqlite3_stmt *statement;
    int row = 0;
    int rc = statement_prepare(table->store.db, &statement, err,
                               "SELECT wr, type = 'table', type = 'view' FROM pragma_table_list "
                               "WHERE schema = %Q COLLATE nocase AND name = %Q COLLATE nocase",
                               table->store.schema, content);
    if (rc == 0) rc = statement_step(table->store.db, statement, &row, err);
    if (rc == 0 && !row) rc = error_set(err, ERROR_INVALID, "upkeep: %.100s is not there", content);
    if (rc == 0 && !sqlite3_column_int(statement, 1))
        rc = error_set(
            err, ERROR_INVALID,
            "upkeep: %.100s is a %s, which cannot have these triggers: write your own on "
            "the tables behind it, for an index without upkeep: INSERT INTO %.100s(%.100s, rowid) "
            "VALUES ('changed', new.id)",
            content, sqlite3_column_int(statement, 2) ? "view" : "virtual table", name, name);
    if (rc == 0) shape->has_rowid = !sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return rc;
}

static int find_alias(struct semantic_table *table, struct upkeep_shape *shape, struct error *err)
{
    const char *content = table->config.content, *schema = table->store.schema;
    sqlite3_stmt *statement;
    int rc = statement_prepare(
        table->store.db, &statement, err,
        "SELECT max(name) FROM pragma_table_xinfo(%Q, %Q) WHERE pk > 0 HAVING count(*) = 1 AND "
        "max(type) = 'INTEGER' COLLATE nocase AND NOT EXISTS (SELECT 1 FROM pragma_index_list(%Q, "
        "%Q) WHERE origin = 'pk')",
        content, schema, content, schema);
    return rc == 0 ? statement_take_text(table->store.db, statement, &shape->alias, err) : rc;
}

/* UPDATE OF goes by the names that a statement uses. */
#define ROWID_NAMES "\"rowid\", \"oid\", \"_rowid_\""

int upkeep_shape_key_is_rowid(const struct semantic_table *table, const struct upkeep_shape *shape)
{
    const char *key = table->config.content_rowid;
    return sqlite3_stricmp(key, "rowid") == 0 || sqlite3_stricmp(key, "oid") == 0 ||
           sqlite3_stricmp(key, "_rowid_") == 0 ||
           (shape->alias != NULL && sqlite3_stricmp(key, shape->alias) == 0);
}

/* The column behind the key; NULL: it is a rowid without one. */
static const char *key_column(const struct semantic_table *table, const struct upkeep_shape *shape)
{
    return upkeep_shape_key_is_rowid(table, shape) ? shape->alias : table->config.content_rowid;
}

const char *upkeep_shape_key(const struct semantic_table *table, const struct upkeep_shape *shape)
{
    const char *column = key_column(table, shape);
    return column == NULL ? table->config.content_rowid : column;
}

/* Columns that are computed change with others. */
static int list_columns(struct semantic_table *table, struct upkeep_shape *shape, struct error *err)
{
    const struct name_list *text = &table->config.text;
    const char *key = key_column(table, shape);
    int rc = 0, is_generated = 0;
    sqlite3_str *list = sqlite3_str_new(table->store.db);
    for (size_t i = 0; rc == 0 && i < text->n_names; i++) {
        sqlite3_stmt *statement;
        int row = 0;
        rc = statement_prepare(table->store.db, &statement, err,
                               "SELECT 1 FROM pragma_table_xinfo(%Q, %Q) WHERE name = %Q COLLATE "
                               "nocase AND hidden > 1",
                               table->config.content, table->store.schema, text->names[i]);
        if (rc == 0) rc = statement_step(table->store.db, statement, &row, err);
        sqlite3_finalize(statement);
        is_generated |= row;
        sqlite3_str_appendf(list, "\"%w\", ", text->names[i]);
    }
    if (key != NULL) sqlite3_str_appendf(list, "\"%w\", ", key);
    sqlite3_str_appendall(list, ROWID_NAMES);
    char *columns = sqlite3_str_finish(list);
    if (rc == 0 && columns == NULL) rc = error_nomem(err);
    if (rc == 0 && !is_generated) {
        shape->columns = memory_copy(columns, strlen(columns));
        if (shape->columns == NULL) rc = error_nomem(err);
    }
    sqlite3_free(columns);
    return rc;
}

/* A NULL for a column that is NOT NULL becomes its default where REPLACE is what is to be done. */
#define NEW_VALUE                                                                                  \
    "CASE WHEN t.\"notnull\" AND t.dflt_value IS NOT NULL THEN "                                   \
    "printf('ifnull(new.\"%%w\", (%%s))', x.name, t.dflt_value) ELSE printf('new.\"%%w\"', "       \
    "x.name) END"

/* The rows that unique indexes put in the way, but for those of the same key. */
static int list_conditions(struct semantic_table *table, struct upkeep_shape *shape,
                           struct error *err)
{
    const char *content = table->config.content, *schema = table->store.schema;
    const char *key = key_column(table, shape);
    sqlite3_stmt *statement;
    int row = 0;
    if (shape->has_rowid && !upkeep_shape_key_is_rowid(table, shape)) {
        static const char by_rowid[] = "c.rowid = new.rowid";
        int rc = name_list_add(&shape->conditions, by_rowid, sizeof by_rowid - 1, err);
        if (rc != 0) return rc;
    }
    int rc = statement_prepare(
        table->store.db, &statement, err,
        "SELECT group_concat(printf('c.\"%%w\" = %%s COLLATE \"%%w\"', x.name, " NEW_VALUE
        ", x.coll), ' AND ') FILTER (WHERE x.name IS NOT NULL), i.name FROM pragma_index_list(%Q, "
        "%Q) AS i, pragma_index_xinfo(i.name, %Q) AS x LEFT JOIN pragma_table_xinfo(%Q, %Q) AS t "
        "ON t.name = x.name WHERE i.\"unique\" AND x.key GROUP BY i.seq HAVING count(*) > 1 OR NOT "
        "(coalesce(max(x.name), '') IS %Q COLLATE nocase AND max(x.coll) = 'BINARY' COLLATE "
        "nocase)",
        content, schema, schema, content, schema, key);
    while (rc == 0 && (rc = statement_step(table->store.db, statement, &row, err)) == 0 && row)
        rc =
            sqlite3_column_type(statement, 0) == SQLITE_NULL
                ? error_set(err, ERROR_INVALID,
                            "upkeep: the unique index %.100s of %.100s is on an expression, and "
                            "no trigger can tell which row REPLACE removes for it: make the "
                            "expression a column (ALTER TABLE %.100s ADD COLUMN x AS (...)) and "
                            "the index one on that column",
                            (const char *)sqlite3_column_text(statement, 1), content, content)
                : name_list_add(&shape->conditions, (const char *)sqlite3_column_text(statement, 0),
                                (size_t)sqlite3_column_bytes(statement, 0), err);
    sqlite3_finalize(statement);
    return rc;
}

/* The columns of those conditions. */
static int list_unique_columns(struct semantic_table *table, struct upkeep_shape *shape,
                               struct error *err)
{
    const char *content = table->config.content, *schema = table->store.schema;
    int by_rowid = shape->has_rowid && !upkeep_shape_key_is_rowid(table, shape);
    sqlite3_stmt *statement;
    int rc = statement_prepare(
        table->store.db, &statement, err,
        "SELECT group_concat(printf('\"%%w\"', name), ', ') || %Q FROM pragma_table_xinfo(%Q, %Q) "
        "WHERE name IN (SELECT x.name FROM pragma_index_list(%Q, %Q) AS i, "
        "pragma_index_xinfo(i.name, %Q) AS x WHERE i.\"unique\" AND x.key) OR name = %Q "
        "HAVING max(hidden) <= 1 AND NOT EXISTS (SELECT 1 FROM pragma_index_list(%Q, %Q) AS i, "
        "pragma_index_xinfo(i.name, %Q) AS x WHERE i.\"unique\" AND (i.partial OR x.cid = -2 AND "
        "x.key))",
        by_rowid ? ", " ROWID_NAMES : "", content, schema, content, schema, schema,
        by_rowid ? shape->alias : NULL, content, schema, schema);
    return rc == 0 ? statement_take_text(table->store.db, statement, &shape->unique_columns, err)
                   : rc;
}

/* SQLite computes the generated columns of `new` in a BEFORE UPDATE trigger, but of the columns
 * that the statement leaves alone it reads only those that some trigger names, and takes NULL for
 * the others. Which columns an expression reads no PRAGMA tells; those whose names come in the
 * table's SQL but once, where they are declared, are in none. */
static int list_sources(struct semantic_table *table, struct upkeep_shape *shape, struct error *err)
{
    const char *content = table->config.content, *schema = table->store.schema;
    sqlite3_stmt *statement;
    int rc = statement_prepare(
        table->store.db, &statement, err,
        "SELECT group_concat(printf('new.\"%%w\"', t.name), ', ') FROM "
        "(SELECT t.name FROM pragma_table_xinfo(%Q, %Q) AS t, \"%w\".sqlite_master AS s "
        "WHERE t.hidden = 0 AND s.type = 'table' AND s.name = %Q COLLATE nocase AND "
        "length(s.sql) - length(replace(lower(s.sql), lower(t.name), '')) >= 2 * length(t.name) "
        "ORDER BY t.cid) AS t WHERE EXISTS (SELECT 1 FROM pragma_index_list(%Q, %Q) AS i, "
        "pragma_index_xinfo(i.name, %Q) AS x, pragma_table_xinfo(%Q, %Q) AS g "
        "WHERE i.\"unique\" AND x.key AND g.name = x.name AND g.hidden > 1)",
        content, schema, schema, content, content, schema, schema, content, schema);
    return rc == 0 ? statement_take_text(table->store.db, statement, &shape->sources, err) : rc;
}

int upkeep_shape_read(struct semantic_table *table, struct upkeep_shape *shape, struct error *err)
{
    *shape = (struct upkeep_shape){0};
    int rc = check_kind(table, shape, err);
    if (rc == 0) rc = find_alias(table, shape, err);
    if (rc == 0) rc = list_columns(table, shape, err);
    if (rc == 0) rc = list_conditions(table, shape, err);
    if (rc == 0) rc = list_unique_columns(table, shape, err);
    if (rc == 0) rc = list_sources(table, shape, err);
    return rc;
}

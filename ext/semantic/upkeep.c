#include "semantic/upkeep.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/statement.h"

#define MARK "/* upkeep of a semantic_index */"

enum part { ON_INSERT, ON_UPDATE, ON_DELETE, BEFORE_INSERT, BEFORE_UPDATE, N_PARTS };

static const struct {
    const char *suffix, *event;
} parts[N_PARTS] = {
    {"insert", "AFTER INSERT"},         {"update", "AFTER UPDATE"},
    {"delete", "AFTER DELETE"},         {"before_insert", "BEFORE INSERT"},
    {"before_update", "BEFORE UPDATE"},
};

/* What the triggers depend on. All owned. */
struct shape {
    int has_rowid;
    char *alias;                 /* the INTEGER PRIMARY KEY; NULL: there is none */
    char *columns;               /* of text and key, as UPDATE OF has them; NULL: any may be */
    char *unique_columns;        /* of unique indexes, the same */
    struct name_list conditions; /* when a row `c` is in the way of `new`, one for each index */
};

static void shape_deinit(struct shape *shape)
{
    memory_free(shape->alias);
    memory_free(shape->columns);
    memory_free(shape->unique_columns);
    name_list_deinit(&shape->conditions);
}

/* ---- the content table ----------------------------------------------------------------------- */

/* Column 0 of the first row of a query, which is taken over; *text NULL: no row, or NULL. */
static int take_text(struct semantic_table *table, sqlite3_stmt *statement, char **text,
                     struct error *err)
{
    int row = 0;
    int rc = statement_step(table->store.db, statement, &row, err);
    if (rc == 0 && row && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
        const char *value = (const char *)sqlite3_column_text(statement, 0);
        *text = value == NULL ? NULL : memory_copy(value, strlen(value));
        if (*text == NULL) rc = error_nomem(err);
    }
    sqlite3_finalize(statement);
    return rc;
}

static int check_kind(struct semantic_table *table, struct shape *shape, struct error *err)
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
            "the tables behind it: INSERT INTO %.100s(%.100s, rowid) VALUES ('changed', "
            "new.id)",
            content, sqlite3_column_int(statement, 2) ? "view" : "virtual table", name, name);
    if (rc == 0) shape->has_rowid = !sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return rc;
}

static int find_alias(struct semantic_table *table, struct shape *shape, struct error *err)
{
    const char *content = table->config.content, *schema = table->store.schema;
    sqlite3_stmt *statement;
    int rc = statement_prepare(
        table->store.db, &statement, err,
        "SELECT max(name) FROM pragma_table_xinfo(%Q, %Q) WHERE pk > 0 HAVING count(*) = 1 AND "
        "max(type) = 'INTEGER' COLLATE nocase AND NOT EXISTS (SELECT 1 FROM pragma_index_list(%Q, "
        "%Q) WHERE origin = 'pk')",
        content, schema, content, schema);
    return rc == 0 ? take_text(table, statement, &shape->alias, err) : rc;
}

/* UPDATE OF goes by the names that a statement uses. */
#define ROWID_NAMES "\"rowid\", \"oid\", \"_rowid_\""

static int key_is_rowid(const struct semantic_table *table, const struct shape *shape)
{
    const char *key = table->config.content_rowid;
    return sqlite3_stricmp(key, "rowid") == 0 || sqlite3_stricmp(key, "oid") == 0 ||
           sqlite3_stricmp(key, "_rowid_") == 0 ||
           (shape->alias != NULL && sqlite3_stricmp(key, shape->alias) == 0);
}

/* The column behind the key; NULL: it is a rowid without one. */
static const char *key_column(const struct semantic_table *table, const struct shape *shape)
{
    return key_is_rowid(table, shape) ? shape->alias : table->config.content_rowid;
}

/* Columns that are computed change with others. */
static int list_columns(struct semantic_table *table, struct shape *shape, struct error *err)
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

/* The rows that unique indexes put in the way, but for those of the same key. */
static int list_conditions(struct semantic_table *table, struct shape *shape, struct error *err)
{
    const char *content = table->config.content, *schema = table->store.schema;
    const char *key = key_column(table, shape);
    sqlite3_stmt *statement;
    int row = 0;
    if (shape->has_rowid && !key_is_rowid(table, shape)) {
        static const char by_rowid[] = "c.rowid = new.rowid";
        int rc = name_list_add(&shape->conditions, by_rowid, sizeof by_rowid - 1, err);
        if (rc != 0) return rc;
    }
    int rc = statement_prepare(
        table->store.db, &statement, err,
        "SELECT group_concat(printf('c.\"%%w\" = new.\"%%w\" COLLATE \"%%w\"', x.name, x.name, "
        "x.coll), ' AND ') FILTER (WHERE x.name IS NOT NULL), i.name FROM pragma_index_list(%Q, "
        "%Q) AS i, pragma_index_xinfo(i.name, "
        "%Q) AS x WHERE i.\"unique\" AND x.key GROUP BY i.seq HAVING count(*) > 1 OR NOT "
        "(coalesce(max(x.name), '') IS %Q COLLATE nocase AND max(x.coll) = 'BINARY' COLLATE "
        "nocase)",
        content, schema, schema, key);
    while (rc == 0 && (rc = statement_step(table->store.db, statement, &row, err)) == 0 && row)
        rc =
            sqlite3_column_type(statement, 0) == SQLITE_NULL
                ? error_set(err, ERROR_INVALID,
                            "upkeep: the unique index %.100s of %.100s is on an expression, and no "
                            "trigger can tell which row REPLACE removes for it",
                            (const char *)sqlite3_column_text(statement, 1), content)
                : name_list_add(&shape->conditions, (const char *)sqlite3_column_text(statement, 0),
                                (size_t)sqlite3_column_bytes(statement, 0), err);
    sqlite3_finalize(statement);
    return rc;
}

/* The columns of those conditions. */
static int list_unique_columns(struct semantic_table *table, struct shape *shape, struct error *err)
{
    const char *content = table->config.content, *schema = table->store.schema;
    int by_rowid = shape->has_rowid && !key_is_rowid(table, shape);
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
    return rc == 0 ? take_text(table, statement, &shape->unique_columns, err) : rc;
}

static int shape_read(struct semantic_table *table, struct shape *shape, struct error *err)
{
    *shape = (struct shape){0};
    int rc = check_kind(table, shape, err);
    if (rc == 0) rc = find_alias(table, shape, err);
    if (rc == 0) rc = list_columns(table, shape, err);
    if (rc == 0) rc = list_conditions(table, shape, err);
    if (rc == 0) rc = list_unique_columns(table, shape, err);
    return rc;
}

/* ---- the triggers as SQL --------------------------------------------------------------------- */

/* As SQLite writes it too, when it renames the column. */
static const char *key_name(const struct semantic_table *table, const struct shape *shape)
{
    const char *column = key_column(table, shape);
    return column == NULL ? table->config.content_rowid : column;
}

/* One statement of a body, without its end: `word` for the key of that row. */
static void append_note(sqlite3_str *sql, const struct semantic_table *table, const char *word,
                        const char *row, const char *key)
{
    const char *index = table->store.name;
    if (table->store.keeps_keys)
        sqlite3_str_appendf(sql, "INSERT INTO \"%w\"(\"%w\", \"%w\") SELECT '%s', %s.\"%w\"", index,
                            index, key, word, row, key);
    else
        sqlite3_str_appendf(sql, "INSERT INTO \"%w\"(\"%w\", rowid) SELECT '%s', %s.\"%w\"", index,
                            index, word, row, key);
}

static void append_body(sqlite3_str *sql, const struct semantic_table *table,
                        const struct shape *shape, enum part part)
{
    const char *key = key_name(table, shape);
    if (part == ON_UPDATE) {
        append_note(sql, table, "changed", "old", key);
        sqlite3_str_appendf(sql, " WHERE old.\"%w\" IS NOT new.\"%w\" COLLATE BINARY; ", key, key);
    }
    if (part <= ON_DELETE) {
        append_note(sql, table, "changed", part == ON_DELETE ? "old" : "new", key);
        sqlite3_str_appendall(sql, "; ");
        return;
    }
    for (size_t i = 0; i < shape->conditions.n_names; i++) {
        append_note(sql, table, "changing", "c", key);
        sqlite3_str_appendf(sql, " FROM \"%w\" AS c WHERE %s", table->config.content,
                            shape->conditions.names[i]);
        if (part == BEFORE_UPDATE)
            sqlite3_str_appendf(sql, " AND c.\"%w\" IS NOT old.\"%w\"", key, key);
        sqlite3_str_appendall(sql, "; ");
    }
}

/* What follows "CREATE TRIGGER " and the schema. *sql, freed by sqlite3_free; NULL: the content
 * needs no such trigger. */
static int make_sql(const struct semantic_table *table, const struct shape *shape, enum part part,
                    char **made, struct error *err)
{
    const char *columns = part == ON_UPDATE       ? shape->columns
                          : part == BEFORE_UPDATE ? shape->unique_columns
                                                  : NULL;
    *made = NULL;
    if (part >= BEFORE_INSERT && shape->conditions.n_names == 0) return 0;
    sqlite3_str *sql = sqlite3_str_new(table->store.db);
    sqlite3_str_appendf(sql, "\"%w_upkeep_%s\" %s%s%s ON \"%w\" BEGIN " MARK " ", table->store.name,
                        parts[part].suffix, parts[part].event, columns == NULL ? "" : " OF ",
                        columns == NULL ? "" : columns, table->config.content);
    append_body(sql, table, shape, part);
    sqlite3_str_appendall(sql, "END");
    *made = sqlite3_str_finish(sql);
    return *made == NULL ? error_nomem(err) : 0;
}

/* ---- what is there --------------------------------------------------------------------------- */

/* The trigger of that name as sqlite_schema has it, after "CREATE TRIGGER "; *sql NULL: there is
 * none. *is_ours: this index made it. */
static int find(struct semantic_table *table, const char *name, enum part part, char **sql,
                int *is_ours, struct error *err)
{
    sqlite3_stmt *statement;
    *sql = NULL;
    int rc = statement_prepare(table->store.db, &statement, err,
                               "SELECT substr(sql, 16) FROM \"%w\".sqlite_master WHERE type = "
                               "'trigger' AND name = '%q_upkeep_%q' COLLATE nocase",
                               table->store.schema, name, parts[part].suffix);
    if (rc == 0) rc = take_text(table, statement, sql, err);
    *is_ours = rc == 0 && *sql != NULL && strstr(*sql, MARK) != NULL;
    return rc;
}

static int check_free(struct semantic_table *table, const char *name, struct error *err)
{
    int rc = 0, is_ours;
    for (enum part part = 0; rc == 0 && part < N_PARTS; part++) {
        char *sql;
        rc = find(table, name, part, &sql, &is_ours, err);
        if (rc == 0 && sql != NULL)
            rc = error_set(err, ERROR_INVALID,
                           "upkeep: a trigger %.100s_upkeep_%s is there already, a name that an "
                           "index called %.100s needs for its own: drop it, or choose another name",
                           name, parts[part].suffix, name);
        memory_free(sql);
    }
    return rc;
}

static int make_all(struct semantic_table *table, const struct shape *shape, struct error *err)
{
    int rc = 0;
    for (enum part part = 0; rc == 0 && part < N_PARTS; part++) {
        char *sql;
        rc = make_sql(table, shape, part, &sql, err);
        if (rc == 0 && sql != NULL)
            rc = statement_execute(table->store.db, err, "CREATE TRIGGER \"%w\".%s",
                                   table->store.schema, sql);
        sqlite3_free(sql);
    }
    return rc;
}

int upkeep_create(struct semantic_table *table, struct error *err)
{
    struct shape shape;
    if (!table->config.upkeep) return 0;
    int rc = shape_read(table, &shape, err);
    if (rc == 0) rc = check_free(table, table->store.name, err);
    if (rc == 0) rc = make_all(table, &shape, err);
    shape_deinit(&shape);
    return rc;
}

int upkeep_drop(struct semantic_table *table, struct error *err)
{
    int rc = 0;
    for (enum part part = 0; table->config.upkeep && rc == 0 && part < N_PARTS; part++) {
        char *sql;
        int is_ours;
        rc = find(table, table->store.name, part, &sql, &is_ours, err);
        if (is_ours)
            rc = statement_execute(table->store.db, err, "DROP TRIGGER \"%w\".\"%w_upkeep_%s\"",
                                   table->store.schema, table->store.name, parts[part].suffix);
        memory_free(sql);
    }
    return rc;
}

int upkeep_restore(struct semantic_table *table, struct error *err)
{
    struct shape shape;
    if (!table->config.upkeep)
        return error_set(err, ERROR_INVALID,
                         "'upkeep' is for an index that was created with upkeep = 'triggers'");
    int rc = shape_read(table, &shape, err);
    if (rc == 0) rc = upkeep_drop(table, err);
    if (rc == 0) rc = check_free(table, table->store.name, err);
    if (rc == 0) rc = make_all(table, &shape, err);
    shape_deinit(&shape);
    return rc;
}

/* ---- renamed, compared ----------------------------------------------------------------------- */

/* The same trigger for an index of another name. SQLite has put that in place of the table's name,
 * unless legacy_alter_table is on, but not of the column's. */
static int rename_part(struct semantic_table *table, const char *name, enum part part,
                       const char *sql, struct error *err)
{
    const char *before = table->store.name, *suffix = parts[part].suffix;
    char *renamed = NULL;
    sqlite3_stmt *statement;
    int rc = statement_prepare(
        table->store.db, &statement, err,
        "SELECT replace(replace(substr(?1, length(printf('\"%%w_upkeep_%%s\"', ?2, ?4)) + 1), "
        "printf('INTO \"%%w\"(', ?2), printf('INTO \"%%w\"(', ?3)), "
        "printf('INTO \"%%w\"(\"%%w\", ', ?3, ?2), printf('INTO \"%%w\"(\"%%w\", ', ?3, ?3))");
    if (rc != 0) return rc;
    sqlite3_bind_text(statement, 1, sql, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, before, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, suffix, -1, SQLITE_STATIC);
    rc = take_text(table, statement, &renamed, err);
    if (rc == 0)
        rc = statement_execute(table->store.db, err, "DROP TRIGGER \"%w\".\"%w_upkeep_%s\"",
                               table->store.schema, before, suffix);
    if (rc == 0)
        rc = statement_execute(table->store.db, err, "CREATE TRIGGER \"%w\".\"%w_upkeep_%s\"%s",
                               table->store.schema, name, suffix, renamed);
    memory_free(renamed);
    return rc;
}

int upkeep_rename(struct semantic_table *table, const char *name, struct error *err)
{
    if (!table->config.upkeep) return 0;
    int rc = check_free(table, name, err);
    for (enum part part = 0; rc == 0 && part < N_PARTS; part++) {
        char *sql;
        int is_ours;
        rc = find(table, table->store.name, part, &sql, &is_ours, err);
        if (is_ours) rc = rename_part(table, name, part, sql, err);
        memory_free(sql);
    }
    return rc;
}

int upkeep_find_stale(struct semantic_table *table, const char **suffix, struct error *err)
{
    struct shape shape;
    *suffix = NULL;
    if (!table->config.upkeep) return 0;
    int rc = shape_read(table, &shape, err);
    for (enum part part = 0; rc == 0 && *suffix == NULL && part < N_PARTS; part++) {
        char *wanted, *there = NULL;
        int is_ours;
        rc = make_sql(table, &shape, part, &wanted, err);
        if (rc == 0) rc = find(table, table->store.name, part, &there, &is_ours, err);
        if (rc == 0 && (wanted == NULL ? is_ours : there == NULL || strcmp(wanted, there) != 0))
            *suffix = parts[part].suffix;
        sqlite3_free(wanted);
        memory_free(there);
    }
    shape_deinit(&shape);
    return rc;
}

int upkeep_check(struct semantic_table *table, struct error *err)
{
    const char *suffix, *name = table->store.name;
    int rc = upkeep_find_stale(table, &suffix, err);
    if (rc != 0 || suffix == NULL) return rc;
    return error_set(err, ERROR_INVALID,
                     "trigger %.100s_upkeep_%s is missing or not what %.100s needs now: INSERT "
                     "INTO %.100s(%.100s) VALUES ('upkeep') makes all of them, then 'sync' what "
                     "was missed",
                     name, suffix, table->config.content, name, name);
}

#include "semantic/content_schema.h"

#include <string.h>

#include "base/memory.h"
#include "sqlite/statement.h"

/* ---- reading --------------------------------------------------------------------------------- */

static int read_kind(sqlite3 *db, const char *schema, const char *content,
                     struct content_schema *read, int *is_view, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = statement_prepare(
        db, &statement, err,
        "SELECT type, wr, strict FROM pragma_table_list WHERE schema = %Q COLLATE "
        "nocase AND name = %Q COLLATE nocase",
        schema, content);
    if (rc == 0) rc = statement_step(db, statement, &read->is_there, err);
    if (rc == 0 && read->is_there) {
        const char *type = (const char *)sqlite3_column_text(statement, 0);
        if (type == NULL) rc = error_nomem(err);
        read->is_strict = sqlite3_column_int(statement, 2);
        read->has_constraints = rc == 0 && strcmp(type, "table") == 0;
        *is_view = rc == 0 && strcmp(type, "view") == 0;
        read->has_rowid = rc == 0 && !*is_view && !sqlite3_column_int(statement, 1);
    }
    sqlite3_finalize(statement);
    return rc;
}

/* Whether a column of a virtual table can be declared so, and has the same affinity then. */
static int can_be_shown(const char *type, int is_any)
{
    return *type != '\0' && !is_any && sqlite3_strlike("%HIDDEN%", type, 0) != 0;
}

/* From a row of PRAGMA table_xinfo: cid, name, type, notnull, dflt_value, pk, hidden. */
static int add_column(struct content_schema *read, sqlite3_stmt *row, struct error *err)
{
    const char *name = (const char *)sqlite3_column_text(row, 1);
    const char *type = (const char *)sqlite3_column_text(row, 2);
    if (name == NULL) return error_nomem(err);
    if (type == NULL) type = "";
    struct content_column *columns =
        memory_realloc(read->columns, read->n_columns + 1, sizeof *columns);
    if (columns == NULL) return error_nomem(err);
    read->columns = columns;
    int is_any = read->is_strict && sqlite3_stricmp(type, "ANY") == 0;
    struct content_column *column = &columns[read->n_columns++];
    *column = (struct content_column){.affinity = is_any ? semantic_affinity("BLOB")
                                                         : semantic_affinity_of_type(type),
                                      .is_declared = *type != '\0',
                                      .is_integer = sqlite3_stricmp(type, "INTEGER") == 0,
                                      .is_not_null = sqlite3_column_int(row, 3),
                                      .is_primary = sqlite3_column_int(row, 5) != 0};
    if (!memory_copy_text(name, &column->name) ||
        !memory_copy_text(can_be_shown(type, is_any) ? type : NULL, &column->type))
        return error_nomem(err);
    return 0;
}

/* Whether the connection has such a collation. */
static int has_collation(sqlite3 *db, const char *name, int *has, struct error *err)
{
    sqlite3_stmt *statement;
    *has = sqlite3_stricmp(name, "NOCASE") == 0 || sqlite3_stricmp(name, "RTRIM") == 0;
    if (*has) return 0;
    int rc = statement_prepare(db, &statement, err, "SELECT 'a' = 'b' COLLATE \"%w\"", name);
    sqlite3_finalize(statement);
    *has = rc == 0;
    return rc == ERROR_NOMEM || rc == ERROR_INTERRUPTED ? rc : 0;
}

/* Of a view's column SQLite tells no collation: it is seen by what is the same to it. */
static int see_collation(sqlite3 *db, const char *schema, const char *view, const char *column,
                         const char **collation, struct error *err)
{
    sqlite3_stmt *statement;
    int row = 0;
    *collation = NULL;
    int rc = statement_prepare(db, &statement, err,
                               "WITH v(x) AS (SELECT c.\"%w\" FROM \"%w\".\"%w\" AS c LIMIT 0) "
                               "SELECT (SELECT count(*) FROM (SELECT x FROM v UNION SELECT 'a' "
                               "UNION SELECT 'A')) = 1 AND (SELECT count(*) FROM (SELECT x FROM v "
                               "UNION SELECT %Q UNION SELECT %Q)) = 2, "
                               "(SELECT count(*) FROM (SELECT x FROM v UNION SELECT 'a' UNION "
                               "SELECT 'a ')) = 1",
                               column, schema, view, "\xc3\xa9", "\xc3\x89");
    if (rc == 0) rc = statement_step(db, statement, &row, err);
    int nocase = row && sqlite3_column_int(statement, 0),
        rtrim = row && sqlite3_column_int(statement, 1);
    if (nocase != rtrim) *collation = nocase ? "NOCASE" : "RTRIM";
    sqlite3_finalize(statement);
    return rc == ERROR_NOMEM || rc == ERROR_INTERRUPTED ? rc : 0;
}

static int read_collation(sqlite3 *db, const char *schema, const char *content, int is_view,
                          struct content_column *column, struct error *err)
{
    const char *collation = NULL;
    int has = 1, rc = 0;
    if (is_view) rc = see_collation(db, schema, content, column->name, &collation, err);
    else
        sqlite3_table_column_metadata(db, schema, content, column->name, NULL, &collation, NULL,
                                      NULL, NULL);
    if (rc != 0 || collation == NULL || sqlite3_stricmp(collation, "BINARY") == 0) return rc;
    column->collation = memory_copy(collation, strlen(collation));
    if (column->collation == NULL) return error_nomem(err);
    rc = has_collation(db, column->collation, &has, err);
    if (has) return rc;
    memory_free(column->collation);
    column->collation = NULL;
    return rc;
}

/* Is there a row of a query of the schema? Its parameters are the schema, the content and, twice,
 * the name of a column or collation. */
static int ask(sqlite3 *db, const char *sql, const char *schema, const char *content,
               const char *first, const char *second, int *answer, struct error *err)
{
    sqlite3_stmt *statement;
    const char *const values[] = {schema, content, first, second};
    int rc = statement_prepare(db, &statement, err, "%s", sql);
    for (int i = 0; rc == 0 && i < sqlite3_bind_parameter_count(statement); i++)
        sqlite3_bind_text(statement, i + 1, values[i], -1, SQLITE_STATIC);
    if (rc == 0) rc = statement_step(db, statement, answer, err);
    sqlite3_finalize(statement);
    return rc;
}

static size_t n_primary(const struct content_schema *read, struct content_column **last)
{
    size_t n = 0;
    for (size_t i = 0; i < read->n_columns; i++) {
        if (!read->columns[i].is_primary) continue;
        *last = &read->columns[i];
        n++;
    }
    return n;
}

/* The INTEGER PRIMARY KEY that is the rowid: SQLite makes no index of it. */
static int find_rowid(sqlite3 *db, const char *schema, const char *content,
                      const struct content_schema *read, struct error *err)
{
    struct content_column *column = NULL;
    int has_index = 0;
    if (!read->has_constraints || !read->has_rowid || n_primary(read, &column) != 1 ||
        !column->is_integer)
        return 0;
    int rc = ask(db, "SELECT 1 FROM pragma_index_list(?2, ?1) WHERE origin = 'pk'", schema, content,
                 NULL, NULL, &has_index, err);
    column->is_rowid = rc == 0 && !has_index;
    return rc;
}

int content_schema_read(sqlite3 *db, const char *schema, const char *content,
                        struct content_schema *read, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    *read = (struct content_schema){0};
    int rc = semantic_config_find_content(db, schema, content, &row, err);
    if (rc != 0 || !row) return rc;
    int is_view = 0;
    rc = read_kind(db, schema, content, read, &is_view, err);
    if (rc == 0)
        rc = statement_prepare(db, &statement, err, "PRAGMA \"%w\".table_xinfo(%Q)", schema,
                               content);
    while (rc == 0 && (rc = statement_step(db, statement, &row, err)) == 0 && row)
        if (sqlite3_column_int(statement, 6) != 1) rc = add_column(read, statement, err);
    sqlite3_finalize(statement);
    for (size_t i = 0; rc == 0 && i < read->n_columns; i++)
        rc = read_collation(db, schema, content, is_view, &read->columns[i], err);
    return rc == 0 ? find_rowid(db, schema, content, read, err) : rc;
}

void content_schema_deinit(struct content_schema *read)
{
    for (size_t i = 0; i < read->n_columns; i++) {
        memory_free(read->columns[i].name);
        memory_free(read->columns[i].type);
        memory_free(read->columns[i].collation);
    }
    memory_free(read->columns);
    *read = (struct content_schema){0};
}

const struct content_column *content_schema_find(const struct content_schema *read,
                                                 const char *name)
{
    for (size_t i = 0; i < read->n_columns; i++)
        if (sqlite3_stricmp(read->columns[i].name, name) == 0) return &read->columns[i];
    return NULL;
}

int content_schema_show(const struct content_schema *read, const struct store *index,
                        const char *key, struct semantic_column **columns, size_t *n_columns,
                        struct error *err)
{
    *n_columns = 0;
    *columns = memory_zalloc(read->n_columns, sizeof **columns);
    if (*columns == NULL) return error_nomem(err);
    int names_rowid = content_schema_find(read, "rowid") == NULL;
    for (size_t i = 0; i < read->n_columns; i++) {
        const struct content_column *column = &read->columns[i];
        if (semantic_column_is_ours(index->name, column->name)) continue;
        struct semantic_column *shown = &(*columns)[*n_columns];
        int is_key = key != NULL && sqlite3_stricmp(key, column->name) == 0;
        const char *collation = is_key ? NULL : column->collation;
        *shown = (struct semantic_column){.affinity = column->affinity,
                                          .is_rowid = column->is_rowid && names_rowid};
        ++*n_columns;
        if (!memory_copy_text(column->name, &shown->name) ||
            !memory_copy_text(column->type, &shown->type) ||
            !memory_copy_text(collation, &shown->collation))
            return error_nomem(err);
    }
    return 0;
}

/* ---- the key --------------------------------------------------------------------------------- */

/* A unique index on this column alone, by which `column = x` can be looked up. Unique by a
 * collation is unique byte for byte. */
static int is_unique(sqlite3 *db, const char *schema, const char *content, const char *column,
                     int *unique, struct error *err)
{
    const char *collation = NULL;
    int found = sqlite3_table_column_metadata(db, schema, content, column, NULL, &collation, NULL,
                                              NULL, NULL);
    if (found != SQLITE_OK) return statement_error(db, found, err);
    return ask(db,
               "SELECT 1 FROM pragma_index_list(?2, ?1) AS l WHERE l.\"unique\" AND NOT l.partial "
               "AND (SELECT count(*) FROM pragma_index_xinfo(l.name, ?1) WHERE key) = 1 "
               "AND EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name, ?1) WHERE key AND cid >= 0 "
               "AND name = ?3 COLLATE nocase AND (coll = 'BINARY' OR coll = ?4 COLLATE nocase))",
               schema, content, column, collation, unique, err);
}

int content_schema_keeps_rowids(const struct content_schema *read)
{
    if (!read->has_constraints || !read->has_rowid) return 1;
    for (size_t i = 0; i < read->n_columns; i++)
        if (read->columns[i].is_rowid) return 1;
    return 0;
}

/* Without constraints only the type, or a value, can tell: integers are the rowid. */
static int guess_keyed(sqlite3 *db, const char *schema, const char *content,
                       const struct content_column *column, int *is_keyed, struct error *err)
{
    sqlite3_stmt *statement;
    *is_keyed = strcmp(column->affinity, "TEXT") == 0 ||
                (column->is_declared && strcmp(column->affinity, "BLOB") == 0);
    if (column->is_declared) return 0;
    int rc =
        statement_prepare(db, &statement, err,
                          "SELECT 1 FROM (SELECT c.\"%w\" AS key FROM \"%w\".\"%w\" AS c LIMIT 1) "
                          "WHERE typeof(key) IN ('text', 'blob')",
                          column->name, schema, content);
    if (rc == 0) rc = statement_step(db, statement, is_keyed, err);
    sqlite3_finalize(statement);
    return rc;
}

static int check_column(sqlite3 *db, const char *schema, const char *content,
                        const struct content_schema *read, const struct content_column *column,
                        int *is_keyed, struct error *err)
{
    struct content_column *primary = NULL;
    int unique = 0;
    if (!read->has_constraints) return guess_keyed(db, schema, content, column, is_keyed, err);
    if (column->is_rowid) return 0;
    int rc = is_unique(db, schema, content, column->name, &unique, err);
    if (rc != 0) return rc;
    if (!unique)
        return error_set(err, ERROR_INVALID,
                         "content_rowid: %.100s of %.100s is not unique: CREATE UNIQUE INDEX on it "
                         "alone, without WHERE, or name another column",
                         column->name, content);
    if (!column->is_not_null && !(column->is_primary && n_primary(read, &primary) == 1))
        return error_set(err, ERROR_INVALID,
                         "content_rowid: %.100s of %.100s may be NULL: name a column that is "
                         "UNIQUE NOT NULL",
                         column->name, content);
    *is_keyed = strcmp(column->affinity, "INTEGER") != 0;
    return 0;
}

/* Without a name it is the rowid, or what a table has instead. */
static int choose_key(const char *content, const struct content_schema *read, char **key,
                      struct error *err)
{
    struct content_column *column = NULL;
    if (read->has_rowid) return 0;
    if (!read->has_constraints)
        return error_set(err, ERROR_INVALID,
                         "content: %.100s is a view, whose rowid is NULL: add content_rowid = 'a "
                         "column that tells its rows apart'",
                         content);
    size_t n = n_primary(read, &column);
    if (n != 1)
        return error_set(err, ERROR_INVALID,
                         "content: %.100s is a WITHOUT ROWID table whose primary key has %zu "
                         "columns: add content_rowid = 'one column that is UNIQUE NOT NULL'",
                         content, n);
    *key = memory_copy(column->name, strlen(column->name));
    return *key == NULL ? error_nomem(err) : 0;
}

static int check_key(sqlite3 *db, const char *schema, const char *table,
                     const struct semantic_config *config, const struct content_schema *read,
                     char **key, int *is_keyed, struct error *err)
{
    const char *name = config->content_rowid, *content = config->content;
    int rc = 0;
    if (name == NULL && (rc = choose_key(content, read, key, err)) != 0) return rc;
    if (name == NULL) name = *key == NULL ? "rowid" : *key;
    const struct content_column *column = content_schema_find(read, name);
    if (column == NULL && read->has_rowid && sqlite3_stricmp(name, "rowid") == 0) return 0;
    if (column == NULL)
        return error_set(err, ERROR_INVALID, "content_rowid: %.100s has no column '%.100s'",
                         content, name);
    rc = check_column(db, schema, content, read, column, is_keyed, err);
    if (rc == 0 && *is_keyed && semantic_column_is_ours(table, name))
        rc = error_set(err, ERROR_INVALID,
                       "content_rowid: the index has a column %.100s of its own, so that the key "
                       "could not be named: give the column of %.100s another name",
                       name, content);
    return rc;
}

static int check_names(const char *option, const struct name_list *wanted,
                       const struct content_schema *read, const char *content, struct error *err)
{
    for (size_t i = 0; i < wanted->n_names; i++)
        if (content_schema_find(read, wanted->names[i]) == NULL)
            return error_set(err, ERROR_INVALID, "%s: %.100s has no column '%.100s'", option,
                             content, wanted->names[i]);
    return 0;
}

int content_schema_check(sqlite3 *db, const char *schema, const char *table,
                         const struct semantic_config *config, const struct content_schema *read,
                         char **key, int *is_keyed, struct error *err)
{
    *key = NULL;
    *is_keyed = 0;
    int rc = check_names("text", &config->text, read, config->content, err);
    if (rc == 0) rc = check_names("document", &config->document, read, config->content, err);
    if (rc == 0) rc = check_key(db, schema, table, config, read, key, is_keyed, err);
    return rc;
}

#include "semantic/upkeep.h"

#include <string.h>

#include "base/memory.h"
#include "semantic/upkeep_shape.h"
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

/* ---- the triggers as SQL --------------------------------------------------------------------- */

/* " WHERE " or " AND ", and that the row's key is one: rows without are none of the index. */
static void append_guard(sqlite3_str *sql, const struct semantic_table *table,
                         const struct upkeep_shape *shape, const char *before, const char *row)
{
    const char *key = upkeep_shape_key(table, shape);
    if (table->store.keeps_keys)
        sqlite3_str_appendf(sql, "%s%s.\"%w\" IS NOT NULL", before, row, key);
    else if (!upkeep_shape_key_is_rowid(table, shape))
        sqlite3_str_appendf(sql, "%stypeof(%s.\"%w\") = 'integer'", before, row, key);
}

/* One statement of a body, up to what says of which rows: `word` for the key of each. */
static void append_note(sqlite3_str *sql, const struct semantic_table *table,
                        const struct upkeep_shape *shape, const char *word, const char *row)
{
    const char *index = table->store.name;
    sqlite3_str_appendf(sql, "INSERT INTO \"%w\"(\"%w\", %s) SELECT '%s', %s.\"%w\"", index, index,
                        table->store.keeps_keys ? "query" : "rowid", word, row,
                        upkeep_shape_key(table, shape));
}

static void append_after(sqlite3_str *sql, const struct semantic_table *table,
                         const struct upkeep_shape *shape, enum part part)
{
    const char *key = upkeep_shape_key(table, shape), *row = part == ON_DELETE ? "old" : "new";
    if (part == ON_UPDATE) {
        append_note(sql, table, shape, "changed", "old");
        sqlite3_str_appendf(sql, " WHERE old.\"%w\" IS NOT new.\"%w\" COLLATE BINARY", key, key);
        append_guard(sql, table, shape, " AND ", "old");
        sqlite3_str_appendall(sql, "; ");
    }
    append_note(sql, table, shape, "changed", row);
    append_guard(sql, table, shape, " WHERE ", row);
    sqlite3_str_appendall(sql, "; ");
}

static void append_before(sqlite3_str *sql, const struct semantic_table *table,
                          const struct upkeep_shape *shape, enum part part)
{
    const char *key = upkeep_shape_key(table, shape);
    if (part == BEFORE_UPDATE && shape->sources != NULL)
        sqlite3_str_appendf(sql, "SELECT %s; ", shape->sources);
    for (size_t i = 0; i < shape->conditions.n_names; i++) {
        append_note(sql, table, shape, "changing", "c");
        sqlite3_str_appendf(sql, " FROM \"%w\" AS c WHERE %s", table->config.content,
                            shape->conditions.names[i]);
        if (part == BEFORE_UPDATE)
            sqlite3_str_appendf(sql, " AND c.\"%w\" IS NOT old.\"%w\"", key, key);
        append_guard(sql, table, shape, " AND ", "c");
        sqlite3_str_appendall(sql, "; ");
    }
}

/* What follows "CREATE TRIGGER " and the schema. *sql, freed by sqlite3_free; NULL: the content
 * needs no such trigger. */
static int make_sql(const struct semantic_table *table, const struct upkeep_shape *shape,
                    enum part part, char **made, struct error *err)
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
    if (part < BEFORE_INSERT) append_after(sql, table, shape, part);
    else append_before(sql, table, shape, part);
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
    if (rc == 0) rc = statement_take_text(table->store.db, statement, sql, err);
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

static int make_all(struct semantic_table *table, const struct upkeep_shape *shape,
                    struct error *err)
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
    struct upkeep_shape shape;
    if (!table->config.upkeep) return 0;
    int rc = upkeep_shape_read(table, &shape, err);
    if (rc == 0) rc = check_free(table, table->store.name, err);
    if (rc == 0) rc = make_all(table, &shape, err);
    upkeep_shape_deinit(&shape);
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

static int restore(struct semantic_table *table, struct error *err)
{
    struct upkeep_shape shape;
    int rc = upkeep_shape_read(table, &shape, err);
    if (rc == 0) rc = upkeep_drop(table, err);
    if (rc == 0) rc = check_free(table, table->store.name, err);
    if (rc == 0) rc = make_all(table, &shape, err);
    upkeep_shape_deinit(&shape);
    return rc;
}

int upkeep_restore(struct semantic_table *table, struct error *err)
{
    if (!table->config.upkeep)
        return error_set(err, ERROR_INVALID,
                         "'upkeep' is for an index that was created with upkeep = 'triggers'");
    return restore(table, err);
}

int upkeep_move(struct semantic_table *table, char *content, struct error *err)
{
    char *before = table->config.content;
    if (!table->config.upkeep) return 0;
    table->config.content = content;
    int rc = restore(table, err);
    table->config.content = before;
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
    rc = statement_take_text(table->store.db, statement, &renamed, err);
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
    struct upkeep_shape shape;
    *suffix = NULL;
    if (!table->config.upkeep) return 0;
    int rc = upkeep_shape_read(table, &shape, err);
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
    upkeep_shape_deinit(&shape);
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

/* ---- followed -------------------------------------------------------------------------------- */

static int replace(char **name, const char *by, struct error *err)
{
    char *copy = memory_copy(by, strlen(by));
    if (copy == NULL) return error_nomem(err);
    memory_free(*name);
    *name = copy;
    return 0;
}

/* Where the name that stands at *at differs from *name, that becomes it. */
static int follow_name(const char **at, char **name, int *changed, struct error *err)
{
    struct buffer word;
    buffer_init(&word, 1 << 20);
    int rc = name_list_read_word(at, ",", &word, err);
    if (rc == 0) rc = buffer_append(&word, "", 1, err);
    if (rc == 0 && sqlite3_stricmp(word.data, *name) != 0) {
        rc = replace(name, word.data, err);
        *changed = 1;
    }
    buffer_deinit(&word);
    return rc;
}

static int is_rowid(const char *key)
{
    return sqlite3_stricmp(key, "rowid") == 0 || sqlite3_stricmp(key, "oid") == 0 ||
           sqlite3_stricmp(key, "_rowid_") == 0;
}

static int follow_key(struct semantic_table *table, int *changed, struct error *err)
{
    static const char before[] = " SELECT 'changed', new.";
    char *sql;
    int is_ours;
    if (is_rowid(table->config.content_rowid)) return 0;
    int rc = find(table, table->store.name, ON_INSERT, &sql, &is_ours, err);
    const char *at = is_ours ? strstr(sql, before) : NULL;
    if (at != NULL) {
        at += sizeof before - 1;
        rc = follow_name(&at, &table->config.content_rowid, changed, err);
    }
    memory_free(sql);
    return rc;
}

/* A column of text; those of document that are called like it are the same. */
static int follow_text(struct semantic_config *config, size_t i, const char **at, int *changed,
                       struct error *err)
{
    char *before = memory_copy(config->text.names[i], strlen(config->text.names[i]));
    int moved = 0;
    int rc =
        before == NULL ? error_nomem(err) : follow_name(at, &config->text.names[i], &moved, err);
    for (size_t j = 0; rc == 0 && moved && j < config->document.n_names; j++)
        if (sqlite3_stricmp(config->document.names[j], before) == 0)
            rc = replace(&config->document.names[j], config->text.names[i], err);
    *changed |= moved;
    memory_free(before);
    return rc;
}

static int follow_texts(struct semantic_table *table, int *changed, struct error *err)
{
    static const char before[] = " AFTER UPDATE OF ";
    struct semantic_config *config = &table->config;
    char *sql;
    int is_ours;
    int rc = find(table, table->store.name, ON_UPDATE, &sql, &is_ours, err);
    const char *at = is_ours ? strstr(sql, before) : NULL;
    if (at != NULL) at += sizeof before - 1;
    for (size_t i = 0; rc == 0 && at != NULL && i < config->text.n_names; i++) {
        rc = follow_text(config, i, &at, changed, err);
        at = strncmp(at, ", ", 2) == 0 ? at + 2 : NULL;
    }
    memory_free(sql);
    return rc;
}

/* Only where no content of the name is left that the index was told. */
static int follow_content(struct semantic_table *table, int *changed, struct error *err)
{
    const struct store *store = &table->store;
    sqlite3_stmt *statement;
    char *content = NULL;
    int found = 0;
    int rc =
        semantic_config_find_content(store->db, store->schema, table->config.content, &found, err);
    if (rc != 0 || found) return rc;
    rc = statement_prepare(store->db, &statement, err,
                           "SELECT tbl_name FROM \"%w\".sqlite_master WHERE type = 'trigger' AND "
                           "name = '%q_upkeep_insert' COLLATE nocase AND instr(sql, %Q) > 0",
                           store->schema, store->name, MARK);
    if (rc == 0) rc = statement_take_text(store->db, statement, &content, err);
    if (content == NULL) return rc;
    if (table->declared_content == NULL) table->declared_content = table->config.content;
    else memory_free(table->config.content);
    table->config.content = content;
    *changed = 1;
    return 0;
}

int upkeep_follow(struct semantic_table *table, int *changed, struct error *err)
{
    *changed = 0;
    if (!table->config.upkeep) return 0;
    int rc = follow_content(table, changed, err);
    if (rc == 0) rc = follow_key(table, changed, err);
    return rc == 0 ? follow_texts(table, changed, err) : rc;
}

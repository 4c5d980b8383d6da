#include "semantic/filter.h"

#include <string.h>

#include "base/memory.h"
#include "semantic/content.h"
#include "sqlite/statement.h"

/* What conditions may be as SQL; SQLite's own limit is lower. */
#define MOST_SQL ((size_t)64 << 20)

/* A row that is asked about costs as much as so many that are listed. */
#define LISTED_FOR_ONE 8

/* Ids taken between two looks at the cancel token. */
#define IDS_PER_POLL 4096

void filter_begin(struct filter *filter, struct semantic_table *table)
{
    for (size_t i = 0; i < filter->n_values; i++) sqlite3_value_free(filter->values[i]);
    filter->n_values = 0;
    filter->n_conditions = 0;
    filter->is_whole = 0;
    filter->has_functions = 0;
    filter->excludes_null = 0;
    if (filter->table == NULL) buffer_init(&filter->where, MOST_SQL);
    else buffer_clear(&filter->where);
    filter->table = table;
}

void filter_deinit(struct filter *filter)
{
    if (filter->table == NULL) return;
    filter_begin(filter, filter->table);
    buffer_deinit(&filter->where);
    memory_free(filter->values);
    *filter = (struct filter){0};
}

/* ---- conditions as SQL ----------------------------------------------------------------------- */

/* Appends SQL that sqlite3_mprintf made; NULL: out of memory. */
static int append(struct filter *filter, char *sql, struct error *err)
{
    int rc = sql == NULL ? error_nomem(err) : buffer_append(&filter->where, sql, strlen(sql), err);
    sqlite3_free(sql);
    return rc;
}

/* Takes a value over; *number is its parameter's. */
static int add_value(struct filter *filter, sqlite3_value *value, int *number, struct error *err)
{
    if (filter->n_values == filter->n_capacity) {
        size_t capacity = filter->n_capacity == 0 ? 8 : filter->n_capacity * 2;
        sqlite3_value **values = memory_realloc(filter->values, capacity, sizeof(sqlite3_value *));
        if (values == NULL) return error_nomem(err);
        filter->values = values;
        filter->n_capacity = capacity;
    }
    sqlite3_value *copy = sqlite3_value_dup(value);
    if (copy == NULL) return error_nomem(err);
    filter->values[filter->n_values++] = copy;
    *number = FILTER_GROUP + (int)filter->n_values;
    return 0;
}

static const char *operator_of(int op)
{
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return "=";
    case SQLITE_INDEX_CONSTRAINT_GT:
        return ">";
    case SQLITE_INDEX_CONSTRAINT_LE:
        return "<=";
    case SQLITE_INDEX_CONSTRAINT_LT:
        return "<";
    case SQLITE_INDEX_CONSTRAINT_GE:
        return ">=";
    case SQLITE_INDEX_CONSTRAINT_LIKE:
        return "LIKE";
    case SQLITE_INDEX_CONSTRAINT_GLOB:
        return "GLOB";
    case SQLITE_INDEX_CONSTRAINT_REGEXP:
        return "REGEXP";
    case SQLITE_INDEX_CONSTRAINT_NE:
        return "<>";
    case SQLITE_INDEX_CONSTRAINT_ISNOT:
        return "IS NOT";
    default:
        return "IS";
    }
}

/* Those that SQLite has functions for, which an application can replace. */
static int is_function(int op)
{
    return op == SQLITE_INDEX_CONSTRAINT_LIKE || op == SQLITE_INDEX_CONSTRAINT_GLOB ||
           op == SQLITE_INDEX_CONSTRAINT_REGEXP;
}

static int is_plain(const char *collation)
{
    return collation == NULL || sqlite3_stricmp(collation, "BINARY") == 0 ||
           sqlite3_stricmp(collation, "NOCASE") == 0 || sqlite3_stricmp(collation, "RTRIM") == 0;
}

/* Whether it calls a function that an application can replace: its own collation is one. */
static int has_function(const struct filter *filter, const struct plan_condition *condition)
{
    int column = condition->column - COLUMN_CONTENT;
    return is_function(condition->op) || !is_plain(condition->collation) ||
           (column >= 0 && !is_plain(filter->table->columns[column].collation));
}

static int excludes_null(const struct plan_condition *condition)
{
    return condition->column >= 0 && !is_function(condition->op) &&
           condition->op != SQLITE_INDEX_CONSTRAINT_ISNULL &&
           condition->op != SQLITE_INDEX_CONSTRAINT_IS &&
           condition->op != SQLITE_INDEX_CONSTRAINT_ISNOT;
}

/* The column as the statements have it: the content is c, X_keys k. */
static char *format_column(const struct filter *filter, int column)
{
    const struct semantic_table *table = filter->table;
    if (column >= 0)
        return sqlite3_mprintf("c.\"%w\"", table->columns[column - COLUMN_CONTENT].name);
    if (table->config.content == NULL) return sqlite3_mprintf("c.id");
    if (table->store.keeps_keys) return sqlite3_mprintf("k.id");
    return sqlite3_mprintf("c.\"%w\"", table->config.content_rowid);
}

/* SQLite compares a column of text, or of no type, with a number as text, by numbers or as it is:
 * that depends on the type of the other side, which is not told. Then each way will do: SQLite
 * looks again. A literal or a parameter is not taken as it is by a column of text. */
static int may_be_numeric(const struct filter *filter, const struct plan_condition *condition,
                          sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    if (condition->column < COLUMN_CONTENT) return 0;
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) return 0;
    if (is_function(condition->op)) return 0;
    const char *affinity = filter->table->columns[condition->column - COLUMN_CONTENT].affinity;
    return strcmp(affinity, "TEXT") == 0 || strcmp(affinity, "BLOB") == 0;
}

/* Of <> and IS NOT SQLite does not tell the collation. It is the column's beside a literal, with
 * which no COLLATE stands, and as a rule beside a parameter. Else what differs by any collation,
 * and so byte for byte, is let through: SQLite looks again, which costs rows only where k are
 * taken. */
static char *format_collation(const struct filter *filter, const struct plan_condition *condition,
                              sqlite3_value *value)
{
    switch (condition->op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_LE:
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_GE:
    case SQLITE_INDEX_CONSTRAINT_IS:
        return sqlite3_mprintf(" COLLATE \"%w\"", condition->collation);
    case SQLITE_INDEX_CONSTRAINT_NE:
    case SQLITE_INDEX_CONSTRAINT_ISNOT:
        return sqlite3_mprintf(condition->is_literal ||
                                       (filter->is_cut && sqlite3_value_frombind(value))
                                   ? ""
                                   : " COLLATE BINARY");
    default:
        return sqlite3_mprintf("");
    }
}

static int add_comparison(struct filter *filter, const struct plan_condition *condition,
                          const char *column, const char *collation, sqlite3_value *value,
                          struct error *err)
{
    const char *operator= operator_of(condition->op);
    int number, is_value = condition->is_literal || sqlite3_value_frombind(value);
    int rc = add_value(filter, value, &number, err);
    if (rc != 0) return rc;
    if (!may_be_numeric(filter, condition, value))
        return append(
            filter, sqlite3_mprintf(" AND %s %s ?%d%s", column, operator, number, collation), err);
    rc = append(filter,
                sqlite3_mprintf(" AND (%s %s ?%d%s OR %s %s CAST(?%d AS NUMERIC)%s",
                                column, operator, number, collation, column, operator, number,
                                collation),
                err);
    if (rc == 0 && !is_value)
        rc = append(filter,
                    sqlite3_mprintf(" OR +%s %s ?%d%s", column, operator, number, collation), err);
    return rc == 0 ? append(filter, sqlite3_mprintf(")"), err) : rc;
}

/* SQLite looks numbered parameters up one by one, so that only the first of a list has a number:
 * those after it follow on. */
static int add_member(struct filter *filter, sqlite3_value *value, const char *before,
                      const char *after, int is_first, struct error *err)
{
    int number, most = sqlite3_limit(filter->table->store.db, SQLITE_LIMIT_VARIABLE_NUMBER, -1);
    if (filter->n_values + FILTER_GROUP >= (size_t)most)
        return error_set(err, ERROR_INVALID,
                         "a list of more than %d values is too long for a condition on a column: "
                         "rowid IN (SELECT ...) may be of any length",
                         most - FILTER_GROUP);
    int rc = add_value(filter, value, &number, err);
    if (rc != 0) return rc;
    if (is_first) return append(filter, sqlite3_mprintf("%s?%d%s", before, number, after), err);
    return append(filter, sqlite3_mprintf(", %s?%s", before, after), err);
}

/* The members of a list that may be numeric, or the others. */
static int add_members(struct filter *filter, const struct plan_condition *condition,
                       sqlite3_value *list, int numeric, const char *before, const char *after,
                       int *n, struct error *err)
{
    sqlite3_value *value = NULL;
    int rc = 0, step = sqlite3_vtab_in_first(list, &value);
    *n = 0;
    for (; rc == 0 && step == SQLITE_OK; step = sqlite3_vtab_in_next(list, &value)) {
        if (may_be_numeric(filter, condition, value) != numeric) continue;
        rc = add_member(filter, value, before, after, *n == 0, err);
        ++*n;
    }
    return rc == 0 && step != SQLITE_DONE ? statement_error(filter->table->store.db, step, err)
                                          : rc;
}

/* Numbers that may be numeric are compared as such, which finds those that are the same as they
 * are. */
static int add_list(struct filter *filter, const struct plan_condition *condition,
                    const char *column, const char *collation, sqlite3_value *list,
                    struct error *err)
{
    int n, rc = append(filter, sqlite3_mprintf(" AND (%s%s IN (", column, collation), err);
    if (rc == 0) rc = add_members(filter, condition, list, 0, "", "", &n, err);
    size_t size = filter->where.size;
    if (rc == 0)
        rc = append(
            filter,
            sqlite3_mprintf(") OR %s IN (SELECT CAST(column1 AS NUMERIC) FROM (VALUES ", column),
            err);
    if (rc == 0) rc = add_members(filter, condition, list, 1, "(", ")", &n, err);
    if (rc == 0 && n == 0) filter->where.size = size;
    return rc == 0 ? append(filter, sqlite3_mprintf(n == 0 ? "))" : ")))"), err) : rc;
}

int filter_add(struct filter *filter, const struct plan_condition *condition, sqlite3_value *value,
               struct error *err)
{
    char *column = format_column(filter, condition->column);
    char *collation = format_collation(filter, condition, value);
    int rc = column == NULL || collation == NULL ? error_nomem(err) : 0;
    filter->n_conditions++;
    filter->has_functions |= has_function(filter, condition);
    filter->excludes_null |= excludes_null(condition);
    if (rc != 0) goto done;
    if (condition->op == SQLITE_INDEX_CONSTRAINT_ISNULL)
        rc = append(filter, sqlite3_mprintf(" AND %s IS NULL", column), err);
    else if (condition->op == SQLITE_INDEX_CONSTRAINT_ISNOTNULL)
        rc = append(filter, sqlite3_mprintf(" AND %s IS NOT NULL", column), err);
    else if (condition->is_list) rc = add_list(filter, condition, column, collation, value, err);
    else rc = add_comparison(filter, condition, column, collation, value, err);
done:
    sqlite3_free(column);
    sqlite3_free(collation);
    return rc;
}

/* ---- statements ------------------------------------------------------------------------------ */

/* The parameters that are ids, "?1, ?2, ...". */
static char *format_group(void)
{
    sqlite3_str *list = sqlite3_str_new(NULL);
    for (int i = 1; i <= FILTER_GROUP; i++) sqlite3_str_appendf(list, i == 1 ? "?1" : ", ?%d", i);
    return sqlite3_str_finish(list);
}

/* Of an index that keeps the texts: those that are NULL are in no X_text, where the vector is the
 * user's. */
static char *format_own(const struct filter *filter, const char *group, const char *where)
{
    const char *schema = filter->table->store.schema, *index = filter->table->store.name;
    const char *before = group == NULL ? "1" : "c.id IN (", *ids = group == NULL ? "" : group,
               *behind = group == NULL ? "" : ")";
    if (filter->excludes_null)
        return sqlite3_mprintf("SELECT c.id FROM \"%w\".\"%w_text\" AS c WHERE %s%s%s%s", schema,
                               index, before, ids, behind, where);
    return sqlite3_mprintf("SELECT c.id FROM (SELECT id, text FROM \"%w\".\"%w_text\" UNION ALL "
                           "SELECT id, CAST(NULL AS TEXT) FROM \"%w\".\"%w_rows\" WHERE own <> 0 "
                           "AND id NOT IN (SELECT id FROM \"%w\".\"%w_text\")) AS c WHERE "
                           "%s%s%s%s",
                           schema, index, schema, index, schema, index, before, ids, behind, where);
}

/* The conditions are the last of a WHERE. To be asked for, ids are looked up; to be listed, rows of
 * the content come first. */
static char *format_ids(const struct filter *filter, const char *group, const char *where)
{
    const struct semantic_table *table = filter->table;
    const char *schema = table->store.schema, *index = table->store.name;
    const char *content = table->config.content, *key = table->config.content_rowid;
    if (content == NULL) return format_own(filter, group, where);
    if (!table->store.keeps_keys && group == NULL)
        return sqlite3_mprintf("SELECT c.\"%w\" FROM \"%w\".\"%w\" AS c WHERE 1%s", key, schema,
                               content, where);
    if (!table->store.keeps_keys)
        return sqlite3_mprintf("SELECT c.\"%w\" FROM \"%w\".\"%w\" AS c WHERE c.\"%w\" IN (%s)%s",
                               key, schema, content, key, group, where);
    if (group == NULL)
        return sqlite3_mprintf("SELECT k.id FROM \"%w\".\"%w\" AS c CROSS JOIN \"%w\".\"%w_keys\" "
                               "AS k ON k.key = +c.\"%w\" WHERE 1%s",
                               schema, content, schema, index, key, where);
    return sqlite3_mprintf("SELECT k.id FROM \"%w\".\"%w_keys\" AS k CROSS JOIN \"%w\".\"%w\" AS c "
                           "ON c.\"%w\" = k.key AND c.\"%w\" = k.key COLLATE BINARY "
                           "WHERE k.id IN (%s)%s",
                           schema, index, schema, content, key, key, group, where);
}

/* A value behind the SQL: what tells it from any other. */
static int append_value(struct filter *filter, sqlite3_value *value, struct error *err)
{
    struct buffer *where = &filter->where;
    char type = (char)sqlite3_value_type(value);
    int rc = buffer_append(where, &type, 1, err);
    if (rc != 0 || type == SQLITE_NULL) return rc;
    if (type == SQLITE_INTEGER) {
        sqlite3_int64 integer = sqlite3_value_int64(value);
        return buffer_append(where, &integer, sizeof integer, err);
    }
    if (type == SQLITE_FLOAT) {
        double number = sqlite3_value_double(value);
        return buffer_append(where, &number, sizeof number, err);
    }
    const void *bytes = type == SQLITE_TEXT ? sqlite3_value_text(value) : sqlite3_value_blob(value);
    int size = sqlite3_value_bytes(value);
    if (bytes == NULL && (type == SQLITE_TEXT || size > 0)) return error_nomem(err);
    rc = buffer_append(where, &size, sizeof size, err);
    return rc == 0 && size > 0 ? buffer_append(where, bytes, (size_t)size, err) : rc;
}

/* Behind the SQL a NUL, then the values: all that tells the conditions from others. */
static int finish(struct filter *filter, struct error *err)
{
    if (filter->is_whole) return 0;
    int rc = buffer_append(&filter->where, "", 1, err);
    for (size_t i = 0; rc == 0 && i < filter->n_values; i++)
        rc = append_value(filter, filter->values[i], err);
    filter->is_whole = rc == 0;
    return rc;
}

/* What is known of the conditions, until the next call. */
static int know(struct filter *filter, struct known **known, struct error *err)
{
    int is_first = !filter->is_whole, rc = content_follow(filter->table, err);
    if (rc == 0) rc = finish(filter, err);
    if (rc == 0) rc = known_find(filter->table, filter->where.data, filter->where.size, known, err);
    if (rc == 0 && is_first) (*known)->n_searches++;
    return rc;
}

static int bind_values(const struct filter *filter, sqlite3_stmt *statement, struct error *err)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < filter->n_values; i++)
        rc = sqlite3_bind_value(statement, FILTER_GROUP + 1 + (int)i, filter->values[i]);
    return rc == SQLITE_OK ? 0 : statement_error(filter->table->store.db, rc, err);
}

/* Prepares "<before>SELECT id ... WHERE <conditions>" of a group, or of all. */
static int prepare(struct filter *filter, const char *before, int of_group,
                   sqlite3_stmt **statement, struct error *err)
{
    *statement = NULL;
    int rc = finish(filter, err);
    char *group = of_group && rc == 0 ? format_group() : NULL;
    if (rc == 0 && of_group && group == NULL) rc = error_nomem(err);
    if (rc == 0) {
        char *sql = format_ids(filter, group, filter->where.data);
        if (sql != NULL && *before != '\0') {
            char *longer = sqlite3_mprintf("%s%s", before, sql);
            sqlite3_free(sql);
            sql = longer;
        }
        rc = content_prepare(filter->table, statement, sql, err);
    }
    sqlite3_free(group);
    if (rc == 0) rc = bind_values(filter, *statement, err);
    return rc;
}

/* The statement of a group, with the values of now, taken from what is known: functions that it
 * calls may search, too. */
static int open_group(struct filter *filter, sqlite3_stmt **group, struct error *err)
{
    struct known *known;
    *group = NULL;
    int rc = know(filter, &known, err);
    if (rc != 0) return rc;
    *group = known->group;
    known->group = NULL;
    if (*group != NULL) return 0;
    *group = known_take_statement(filter->table, known);
    return *group != NULL ? bind_values(filter, *group, err) : prepare(filter, "", 1, group, err);
}

/* Gives it back, after it was asked about n ids, unless the conditions were forgotten meanwhile: it
 * may be of another content. */
static int close_group(struct filter *filter, sqlite3_stmt *group, size_t n, size_t n_passed,
                       struct error *err)
{
    struct known *known;
    int rc = know(filter, &known, err);
    if (rc == 0) known_note(known, n, n_passed);
    if (rc == 0 && known->group == NULL && known->n_searches > 0) known->group = group;
    else sqlite3_finalize(group);
    return rc;
}

static void mark(const int64_t *ids, size_t n, int64_t id, unsigned char *pass)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id) pass[i] = 1;
}

/* Those of a group that the content has, and that meet the conditions. */
static int ask_group(const struct filter *filter, sqlite3_stmt *group, const int64_t *ids, size_t n,
                     unsigned char *pass, struct error *err)
{
    int row = 0, rc = 0;
    for (int i = 0; i < FILTER_GROUP; i++) {
        if ((size_t)i < n) sqlite3_bind_int64(group, i + 1, ids[i]);
        else sqlite3_bind_null(group, i + 1);
    }
    while ((rc = content_step(filter->table, group, &row, err)) == 0 && row)
        mark(ids, n, sqlite3_column_int64(group, 0), pass);
    sqlite3_reset(group);
    return rc;
}

int filter_pass(struct filter *filter, const int64_t *ids, size_t n, unsigned char *pass,
                struct error *err)
{
    sqlite3_stmt *group;
    size_t n_passed = 0;
    int rc = open_group(filter, &group, err);
    memset(pass, 0, n);
    if (rc == 0) rc = ask_group(filter, group, ids, n, pass, err);
    for (size_t i = 0; rc == 0 && i < n; i++) n_passed += pass[i];
    if (rc == 0) return close_group(filter, group, n, n_passed, err);
    sqlite3_finalize(group);
    return rc;
}

int filter_estimate(struct filter *filter, double *share, struct error *err)
{
    struct store *store = &filter->table->store;
    struct known *known;
    int64_t ids[FILTER_GROUP], first, last;
    unsigned char pass[FILTER_GROUP];
    size_t n = 0, n_passed = 0;
    int rc = know(filter, &known, err);
    if (rc == 0 && known->n_asked > 2 * FILTER_GROUP) {
        *share = (double)known->n_passed / (double)known->n_asked;
        return 0;
    }
    if (rc == 0) rc = store_ask(store, STORE_ROW_FROM, INT64_MIN, 0, &first, err);
    if (rc == 0) rc = store_ask(store, STORE_LAST_ROW, 0, 0, &last, err);
    uint64_t step = rc == 0 ? ((uint64_t)last - (uint64_t)first) / FILTER_GROUP : 0;
    for (uint64_t i = 0; rc == 0 && i < FILTER_GROUP; i++) {
        int64_t from = (int64_t)((uint64_t)first + i * step);
        rc = store_ask(store, STORE_ROW_FROM, from, 0, &ids[n], err);
        if (n == 0 || ids[n] != ids[n - 1]) n++;
    }
    if (rc == 0) rc = filter_pass(filter, ids, n, pass, err);
    for (size_t i = 0; rc == 0 && i < n; i++) n_passed += pass[i];
    /* One of a group passes by chance where one row in a hundred does. */
    *share = n_passed > 1 ? (double)n_passed / (double)n : 0.0;
    return rc;
}

int filter_is_served(struct filter *filter, int *served, struct error *err)
{
    struct known *known;
    sqlite3_stmt *plan;
    int row = 0, searches = 0, scans = 0, rc = know(filter, &known, err);
    *served = rc == 0 ? known->is_served : 0;
    if (rc != 0 || *served >= 0) return rc;
    rc = prepare(filter, "EXPLAIN QUERY PLAN ", 0, &plan, err);
    while (rc == 0 && (rc = content_step(filter->table, plan, &row, err)) == 0 && row) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        searches += detail != NULL && strncmp(detail, "SEARCH", 6) == 0;
        scans += detail != NULL && strncmp(detail, "SCAN", 4) == 0;
    }
    sqlite3_finalize(plan);
    *served = rc == 0 && searches > 0 && scans == 0;
    if (rc == 0) rc = know(filter, &known, err);
    if (rc == 0) known->is_served = *served;
    return rc;
}

/* The ids that meet the conditions, of which `most` and one more are enough. */
static int read_ids(struct filter *filter, size_t most, struct ids *ids, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0, rc = ids_init(ids, err);
    if (rc == 0) rc = prepare(filter, "", 0, &statement, err);
    while (rc == 0 && ids->n <= most &&
           (rc = content_step(filter->table, statement, &row, err)) == 0 && row) {
        rc = ids_add(ids, sqlite3_column_int64(statement, 0), err);
        if (rc == 0 && ids->n % IDS_PER_POLL == 0)
            rc = cancel_check(&filter->table->connection->cancel, err);
    }
    sqlite3_finalize(statement);
    return rc;
}

int filter_list(struct filter *filter, size_t most, struct passing **passing, struct error *err)
{
    struct known *known;
    struct ids ids = {0};
    int may = 0, rc = know(filter, &known, err);
    *passing = NULL;
    if (rc == 0 && known->more_than >= most) return 0;
    if (rc == 0) rc = read_ids(filter, most, &ids, err);
    if (rc == 0) rc = know(filter, &known, err);
    if (rc == 0) known->more_than = ids.n > most ? most : 0;
    if (rc != 0 || ids.n > most) {
        ids_deinit(&ids);
        return rc;
    }
    ids_sort(&ids);
    rc = passing_new(&ids, passing, err);
    if (rc == 0 && !filter->has_functions) rc = known_may_keep(filter->table, known, &may, err);
    if (rc == 0 && may) known_keep(filter->table, known, *passing);
    if (rc == 0) return 0;
    passing_release(*passing);
    *passing = NULL;
    return rc;
}

int filter_recall(struct filter *filter, size_t n_rows, struct passing **passing, struct error *err)
{
    struct known *known;
    int may = 0, rc = know(filter, &known, err);
    *passing = NULL;
    if (rc != 0 || filter->has_functions || !known->is_current) return rc;
    if (known->passing != NULL) {
        *passing = passing_share(known->passing);
        return 0;
    }
    if (known->spent < n_rows / LISTED_FOR_ONE) return 0;
    rc = known_may_keep(filter->table, known, &may, err);
    return rc == 0 && may ? filter_list(filter, SIZE_MAX, passing, err) : rc;
}

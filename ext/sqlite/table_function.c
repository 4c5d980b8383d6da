#include "sqlite/table_function.h"

#include "base/memory.h"
#include "sqlite/argument.h"

int table_function_connect(sqlite3 *db, struct connection *connection, const char *declaration,
                           sqlite3_vtab **opened)
{
    int rc = sqlite3_declare_vtab(db, declaration);
    if (rc != SQLITE_OK) return rc;
    struct table_function *table = memory_zalloc(1, sizeof *table);
    if (table == NULL) return SQLITE_NOMEM;
    table->connection = connection;
    *opened = &table->base;
    return SQLITE_OK;
}

int table_function_disconnect(sqlite3_vtab *base)
{
    memory_free(base);
    return SQLITE_OK;
}

int table_function_plan(sqlite3_index_info *info, int first, int n)
{
    int at[TABLE_FUNCTION_MAX_ARGUMENTS] = {-1, -1, -1, -1, -1};
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        int argument = constraint->iColumn - first;
        if (argument < 0 || argument >= n || constraint->op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
        if (!constraint->usable) return SQLITE_CONSTRAINT;
        at[argument] = i;
    }
    info->idxNum = 0;
    for (int i = 0, n_given = 0; i < n; i++) {
        if (at[i] < 0) continue;
        info->aConstraintUsage[at[i]].argvIndex = ++n_given;
        info->aConstraintUsage[at[i]].omit = 1;
        info->idxNum |= 1 << i;
    }
    info->estimatedCost = 10000;
    info->estimatedRows = 100;
    return SQLITE_OK;
}

void table_function_arguments(int plan, sqlite3_value **argv,
                              sqlite3_value *arguments[TABLE_FUNCTION_MAX_ARGUMENTS])
{
    for (int i = 0; i < TABLE_FUNCTION_MAX_ARGUMENTS; i++)
        arguments[i] = plan & (1 << i) ? *argv++ : NULL;
}

int table_function_keep(sqlite3_value *const *arguments, sqlite3_value **kept, int n)
{
    for (int i = 0; i < n; i++) {
        if (arguments[i] == NULL) continue;
        kept[i] = sqlite3_value_dup(arguments[i]);
        if (kept[i] == NULL) return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

void table_function_release(sqlite3_value **kept, int n)
{
    for (int i = 0; i < n; i++) {
        sqlite3_value_free(kept[i]);
        kept[i] = NULL;
    }
}

int table_function_text(sqlite3_value *argument, const char **text, struct error *err)
{
    struct span span;
    *text = NULL;
    if (argument == NULL || sqlite3_value_type(argument) == SQLITE_NULL) return 0;
    int rc = argument_text(argument, &span, err);
    if (rc == 0) *text = span.data;
    return rc;
}

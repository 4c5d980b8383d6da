#include "sqlite/statement.h"

#include <stdarg.h>
#include <string.h>

#include "base/memory.h"

int statement_error(sqlite3 *db, int rc, struct error *err)
{
    if ((rc & 0xff) == SQLITE_NOMEM) return error_nomem(err);
    if ((rc & 0xff) == SQLITE_INTERRUPT) return error_set(err, ERROR_INTERRUPTED, "interrupted");
    error_set(err, ERROR_STORAGE, "%s", sqlite3_errmsg(db));
    if (err != NULL) err->storage_code = rc;
    return ERROR_STORAGE;
}

int statement_prepare_text(sqlite3 *db, sqlite3_stmt **statement, unsigned flags, struct error *err,
                           char *sql)
{
    *statement = NULL;
    if (sql == NULL) return error_nomem(err);
    int rc = sqlite3_prepare_v3(db, sql, -1, flags, statement, NULL);
    sqlite3_free(sql);
    return rc == SQLITE_OK ? 0 : statement_error(db, rc, err);
}

int statement_prepare(sqlite3 *db, sqlite3_stmt **statement, struct error *err, const char *format,
                      ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    return statement_prepare_text(db, statement, 0, err, sql);
}

int statement_step(sqlite3 *db, sqlite3_stmt *statement, int *row, struct error *err)
{
    int rc = sqlite3_step(statement);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) return 0;
    if (rc == SQLITE_DONE) {
        sqlite3_reset(statement);
        return 0;
    }
    rc = statement_error(db, rc, err);
    sqlite3_reset(statement);
    return rc;
}

int statement_take_text(sqlite3 *db, sqlite3_stmt *statement, char **text, struct error *err)
{
    int row = 0;
    *text = NULL;
    int rc = statement_step(db, statement, &row, err);
    if (rc == 0 && row && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
        const char *value = (const char *)sqlite3_column_text(statement, 0);
        *text = value == NULL ? NULL : memory_copy(value, strlen(value));
        if (*text == NULL) rc = error_nomem(err);
    }
    sqlite3_finalize(statement);
    return rc;
}

int statement_run(sqlite3 *db, sqlite3_stmt *statement, struct error *err)
{
    int row;
    int rc = statement_step(db, statement, &row, err);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return rc;
}

int statement_execute(sqlite3 *db, struct error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    sqlite3_stmt *statement;
    int rc = statement_prepare_text(db, &statement, 0, err, sql);
    if (rc == 0) rc = statement_run(db, statement, err);
    sqlite3_finalize(statement);
    return rc;
}

int statement_column_bytes(sqlite3_stmt *statement, int column, const void **bytes, size_t *size,
                           struct error *err)
{
    *bytes = sqlite3_column_blob(statement, column);
    *size = (size_t)sqlite3_column_bytes(statement, column);
    return *bytes == NULL && *size > 0 ? error_nomem(err) : 0;
}

/*
 * statement.h: SQL statements whose failure is an error of ours.
 */
#ifndef SQLITE_STATEMENT_H
#define SQLITE_STATEMENT_H

#include <stddef.h>

#include "base/error.h"
#include "sqlite/api.h"

/* Wraps the SQLite error of `db` with result code rc: ERROR_NOMEM, ERROR_INTERRUPTED or
 * ERROR_STORAGE. Returns the code. */
int statement_error(sqlite3 *db, int rc, struct error *err);

/* Prepares formatted SQL (sqlite3_mprintf style, %w for names); the caller finalizes. */
int statement_prepare(sqlite3 *db, sqlite3_stmt **statement, struct error *err, const char *format,
                      ...);

/* Prepares `sql`, which sqlite3_mprintf made (NULL: out of memory) and which is freed; `flags` are
 * those of sqlite3_prepare_v3. */
int statement_prepare_text(sqlite3 *db, sqlite3_stmt **statement, unsigned flags, struct error *err,
                           char *sql);

/* sqlite3_step: *row says whether there is a row. Not a row: the statement is reset. */
int statement_step(sqlite3 *db, sqlite3_stmt *statement, int *row, struct error *err);

/* The text in column 0 of the first row, copied (NULL: there is no row, or it has NULL), of a
 * statement that is finalized here. */
int statement_take_text(sqlite3 *db, sqlite3_stmt *statement, char **text, struct error *err);

/* Steps a statement that gives no rows and resets it; the bindings are dropped, as they may point
 * to what the caller frees. */
int statement_run(sqlite3 *db, sqlite3_stmt *statement, struct error *err);

/* Prepares formatted SQL and runs it to its end. */
int statement_execute(sqlite3 *db, struct error *err, const char *format, ...);

/* The blob of a column, or out of memory. SQLite gives NULL for an empty one, whose size 0 says so.
 */
int statement_column_bytes(sqlite3_stmt *statement, int column, const void **bytes, size_t *size,
                           struct error *err);

#endif

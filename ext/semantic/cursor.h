/*
 * cursor.h: xOpen, xFilter, xNext, xColumn: searches, lookups and listings.
 */
#ifndef SEMANTIC_CURSOR_H
#define SEMANTIC_CURSOR_H

#include "semantic/table.h"

int semantic_open(sqlite3_vtab *base, sqlite3_vtab_cursor **cursor);
int semantic_close(sqlite3_vtab_cursor *base);
int semantic_filter(sqlite3_vtab_cursor *base, int plan, const char *conditions, int argc,
                    sqlite3_value **argv);
int semantic_next(sqlite3_vtab_cursor *base);
int semantic_eof(sqlite3_vtab_cursor *base);
int semantic_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column);
int semantic_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid);

#endif

/*
 * table_function.h: what the table-valued functions share: arguments are hidden columns, bound by
 * equality.
 */
#ifndef SQLITE_TABLE_FUNCTION_H
#define SQLITE_TABLE_FUNCTION_H

#include "sqlite/connection.h"

#define TABLE_FUNCTION_MAX_ARGUMENTS 5

/* A table function's xConnect: `declaration` is its CREATE TABLE. */
struct table_function {
    sqlite3_vtab base;
    struct connection *connection;
};
int table_function_connect(sqlite3 *db, struct connection *connection, const char *declaration,
                           sqlite3_vtab **opened);
int table_function_disconnect(sqlite3_vtab *base);

/* xBestIndex: columns first .. first + n - 1 are arguments; idxNum gets one bit for each that is
 * given. An argument that cannot be had in a plan rules the plan out. */
int table_function_plan(sqlite3_index_info *info, int first, int n);

/* The arguments as xFilter gets them, each in its place, NULL pointers where not given. */
void table_function_arguments(int plan, sqlite3_value **argv,
                              sqlite3_value *arguments[TABLE_FUNCTION_MAX_ARGUMENTS]);

/* Owned copies, to read back; NULL where not given. Returns SQLITE_OK or SQLITE_NOMEM. */
int table_function_keep(sqlite3_value *const *arguments, sqlite3_value **kept, int n);
void table_function_release(sqlite3_value **kept, int n);

/* The text of an optional argument: NULL when it was not given or is NULL. ERROR_INVALID for a
 * blob. */
int table_function_text(sqlite3_value *argument, const char **text, struct error *err);

#endif

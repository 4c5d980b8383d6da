/*
 * table_function.h: table-valued functions, of which each says only what is its own. Arguments are
 * hidden columns, the last ones, bound by equality.
 */
#ifndef SQLITE_TABLE_FUNCTION_H
#define SQLITE_TABLE_FUNCTION_H

#include "sqlite/connection.h"

#define TABLE_FUNCTION_MAX_ARGUMENTS 5

/* What a table's xConnect makes: `declaration` is its CREATE TABLE. */
struct connected_table {
    sqlite3_vtab base;
    struct connection *connection;
    const struct table_function *function; /* NULL for other tables */
    void *context;                         /* as table_function_register got it */
};
int connected_table_new(sqlite3 *db, struct connection *connection, const char *declaration,
                        sqlite3_vtab **opened);
int connected_table_free(sqlite3_vtab *base);

/* The first member of a function's own cursor, whose other members are zero when it starts. */
struct table_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_value *arguments[TABLE_FUNCTION_MAX_ARGUMENTS]; /* owned; NULL where not given */
    sqlite3_int64 n_rows;                                   /* before the current one */
    int is_done;
};

struct table_function {
    const char *name, *usage;  /* "a text: chunk_each(text)": what was expected if arguments lack */
    const char *declaration;   /* its CREATE TABLE */
    int first_argument;        /* a column; what comes after them are columns, hidden ones */
    int n_arguments, n_needed; /* if one of those needed is NULL, there are no rows */
    unsigned rising, falling;  /* columns, as bits: what rows come in the order of anyway */
    int is_direct_only;        /* not for views and triggers */
    size_t cursor_size;
    /* Each leaves the cursor at a row or sets is_done; after an error it is done. */
    int (*start)(struct table_cursor *cursor, struct error *err);
    int (*next)(struct table_cursor *cursor, struct error *err);
    void (*column)(struct table_cursor *cursor, sqlite3_context *context, int column);
    void (*free)(struct table_cursor *cursor); /* what the cursor owns; or NULL */
};

/* Returns an SQLite code. `function` is a constant; `context` is for the function's own use, and
 * outlives every statement. */
int table_function_register(struct connection *connection, const struct table_function *function,
                            void *context);

struct connection *table_cursor_connection(const struct table_cursor *cursor);
void *table_cursor_context(const struct table_cursor *cursor);

#endif

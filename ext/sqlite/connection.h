/*
 * connection.h: what the functions and tables of one database connection share.
 *
 * Reference counted: each registered function and module holds one reference, released by SQLite
 * through connection_release when the database closes. It holds no prepared statement: one would
 * make sqlite3_close() answer SQLITE_BUSY. As long as it is there the library belongs to its SQLite
 * (api.h): whoever gives back what may be the last reference frees his own memory before.
 */
#ifndef SQLITE_CONNECTION_H
#define SQLITE_CONNECTION_H

#include "base/cancel.h"
#include "catalog/catalog.h"
#include "sqlite/api.h"

struct connection {
    sqlite3 *db;
    struct catalog *catalog;
    /* Asks SQLite whether the running statement was interrupted: its parser answers
     * SQLITE_INTERRUPT then, even to a space, on every version (sqlite3_is_interrupted came with
     * 3.41). Less than a microsecond. */
    struct cancel cancel;
    const void *fts5; /* the FTS5 that has our function (fts5.h); NULL: not yet asked for */
    int references;
};

int connection_new(sqlite3 *db, struct connection **connection,
                   struct error *err); /* one reference, the caller's */
struct connection *connection_reference(struct connection *connection);
void connection_release(void *connection); /* the shape of SQLite's destructors */

/* A scalar function that owns a reference to the connection. flags: SQLITE_DETERMINISTIC and so on.
 */
int connection_function(struct connection *connection, const char *name, int n_arguments, int flags,
                        void (*function)(sqlite3_context *, int, sqlite3_value **));

/* A module that owns a reference to the connection. */
int connection_module(struct connection *connection, const char *name,
                      const sqlite3_module *module);

/* Whether statements of this connection cannot write that database, whatever it is that forbids it:
 * the way it was opened, the file's permissions, or PRAGMA query_only. */
int connection_is_read_only(struct connection *connection, const char *schema, int *read_only,
                            struct error *err);

#endif

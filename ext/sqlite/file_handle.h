/*
 * file_handle.h: handles of a database's file beside the one that its connection has, so that
 * several threads can read it at once.
 *
 * A handle of SQLite's file system (sqlite3_file) belongs to one thread at a time. These are opened
 * by the same file system, as another connection of the process would open its own, and only read:
 * they take no lock, and see what the connection's transaction sees only as long as that does.
 *
 * Opening the file past SQLite would not do: to close any descriptor of a file drops the POSIX
 * locks that the process has on it, those of transactions included. SQLite's file systems for Unix
 * know all handles of a file, and leave a descriptor open until no connection has a lock, when
 * another handle may have used it again.
 */
#ifndef SQLITE_FILE_HANDLE_H
#define SQLITE_FILE_HANDLE_H

#include "base/error.h"
#include "sqlite/api.h"

/* The handle that the connection has, if it is one of a file system of SQLite's own that locks it;
 * else NULL: of a temporary database, of one in memory, of a shim's that may encrypt it. */
sqlite3_file *file_handle_of(sqlite3 *db, const char *schema);

/* Another one of the same file; NULL: there is none, as the file lies elsewhere now, or no more
 * files may be open. ERROR_NOMEM. */
int file_handle_open(sqlite3 *db, const char *schema, sqlite3_file **handle, struct error *err);
void file_handle_close(sqlite3_file *handle); /* accepts NULL */

#endif

/*
 * cache_file.h: the store of catalog/store.h as a SQLite file of its own.
 *
 * The file is opened through a connection of its own, so that neither ROLLBACK, nor a lock, nor
 * sqlite3_interrupt() of the user's connection reaches it, and no statement of the user's is ever
 * open on it. Several processes and connections may use one file. It never holds a text: only the
 * SHA-256 of what decides a vector, the time of its last use, and the vector.
 *
 * Not for a process that forks and goes on with both halves: as with every SQLite connection, the
 * child opens the file anew.
 *
 * Opening a connection runs SQLite's automatic extensions (sqlite3_auto_extension), ours too where
 * a program has it built in. So the entry point itself must not open a cache file: the first use
 * does.
 */
#ifndef SQLITE_CACHE_FILE_H
#define SQLITE_CACHE_FILE_H

#include <stdint.h>

#include "catalog/store.h"

/* Bytes that the pages in use may come to; the file is larger by the WAL (a few MiB) at most. */
#define CACHE_FILE_CEILING ((uint64_t)1 << 30)

/* Opens or creates the file at `path` (NUL terminated). ERROR_INVALID, with the file as it was: not
 * a path, not a database, another application's, or a newer version's. ERROR_UNAVAILABLE: it cannot
 * be opened, read or written. ERROR_NOMEM. The text names the file. On success *store is complete,
 * and store->close gives everything back; after an error it is all zero. */
int cache_file_open(const char *path, struct catalog_store *store, struct error *err);

/* The same with limits of the caller's, for tests. */
struct cache_file_limits {
    uint64_t ceiling;     /* bytes, as CACHE_FILE_CEILING */
    int64_t (*now)(void); /* seconds since 1970 */
    int patience;         /* milliseconds to wait for another process */
};

int cache_file_open_limited(const char *path, const struct cache_file_limits *limits,
                            struct catalog_store *store, struct error *err);

#endif

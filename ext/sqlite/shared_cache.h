/*
 * shared_cache.h: whether pages that a connection has in memory are its own
 * (https://www.sqlite.org/sharedcache.html).
 *
 * Another connection that shares them, of another thread, may write at any time, also while this
 * one reads: what it has not committed is in memory then, some of it in the file, and with PRAGMA
 * read_uncommitted in what this one reads.
 */
#ifndef SQLITE_SHARED_CACHE_H
#define SQLITE_SHARED_CACHE_H

#include "sqlite/api.h"

/* Whether another connection shares a cache of this one, now; of whatever schema. */
int shared_cache_has_others(sqlite3 *db);

#endif

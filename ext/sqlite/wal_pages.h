/*
 * wal_pages.h: which pages of a database its write-ahead log has
 * (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
 *
 * A page that the log has not is in the database file as every transaction sees it. The log is read
 * within one: all frames that it sees are there then, and while it lasts no checkpoint brings later
 * ones into the file. (Nor is the log begun anew but where the transaction sees nothing of it.)
 */
#ifndef SQLITE_WAL_PAGES_H
#define SQLITE_WAL_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sqlite/api.h"

/* All zero: none. */
struct wal_pages {
    uint32_t *numbers; /* [n] owned, ascending */
    size_t n;
};

/* The pages of all frames, perhaps of some that were never committed, of a log that has a header.
 * *known = 0: they cannot be read. ERROR_NOMEM; free in any case. */
int wal_pages_read(struct wal_pages *pages, sqlite3_file *log, size_t page_size, int *known,
                   struct error *err);
void wal_pages_free(struct wal_pages *pages);

/* Whether it has any of n pages from the first on. */
int wal_pages_have(const struct wal_pages *pages, int64_t first, size_t n);

#endif

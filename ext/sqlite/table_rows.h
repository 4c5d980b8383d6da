/*
 * table_rows.h: the rows of a table one after the other, read off the database file as table_file.h
 * reads single ones: by any of its readers, one thread each, while it is current
 * (table_file_is_current).
 *
 * Pages that lie together are read together, fewer where they turned out not to be wanted. Where
 * one is in the log, or not as the format has it, nothing more is read: SQLite is to be asked from
 * there on.
 */
#ifndef SQLITE_TABLE_ROWS_H
#define SQLITE_TABLE_ROWS_H

#include "sqlite/table_file.h"
#include "sqlite/table_node.h"

/* All zero: closed. */
struct table_rows {
    const struct table_file *table; /* borrowed; NULL: closed */
    size_t reader;
    unsigned char *pages; /* [TABLE_MOST_LEVELS] owned: those from the root to the leaf */
    struct table_level {
        struct table_node node;
        size_t cell; /* below which the next level is; of the leaf the next row */
    } levels[TABLE_MOST_LEVELS];
    size_t n_levels;
    int64_t first; /* of those read together, */
    size_t n;      /* their number, */
    size_t n_used; /* how many of them were wanted, */
    size_t most;   /* and how many are to be read next */
    struct table_blob row;
};

/* Opened and closed by the thread that has the connection. ERROR_NOMEM. */
int table_rows_open(struct table_rows *rows, const struct table_file *table, size_t reader,
                    struct error *err);
void table_rows_close(struct table_rows *rows);

/* Goes to the last row whose id is that one or below it, else to the first. 0: it cannot be
 * read. */
int table_rows_seek(struct table_rows *rows, int64_t id);

/* Reads the next row: its id and size into rows->row. *more = 0: there is none. 0: it cannot be
 * read. */
int table_rows_next(struct table_rows *rows, int *more);

/* The next bytes of its blob, copied; NULL: passed over. 0: they cannot be read, or are no more. */
int table_rows_take(struct table_rows *rows, void *bytes, size_t size);

#endif

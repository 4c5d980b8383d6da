/*
 * table_file.h: BLOBs of a table read off the database file itself, many pages at once.
 *
 * SQLite reads a file page by page: a system call, a place in its cache and two copies each, which
 * of a blob of 256 KiB come to three times what one read of these bytes costs. Here the pages of a
 * blob are read together, past SQLite's cache: through the file that it has open, or, by several
 * threads at once, through a handle of each one's own (file_handle.h). It knows the table B-tree of
 * the file format (https://www.sqlite.org/fileformat2.html) and nothing else.
 *
 * What is read must be what the transaction sees. It is where
 * - this connection has a transaction that reads and has written nothing, and shares its cache
 *   with no other: no page is newer in its memory, and in rollback modes nobody may change the file
 *   until it ends;
 * - in WAL mode the log has none of the pages (wal_pages.h): they are in the file since before the
 *   transaction began, and no checkpoint may bring what is written meanwhile into it until it ends;
 * - the file system is SQLite's own, which stores pages as they are: no shim that encrypts them;
 * - it is no temporary database, of which SQLite keeps in memory what it has not yet had to write;
 * - the first bytes are those of a database that is not encrypted;
 * - nobody has written, this connection neither, what it sees since the table was looked up.
 * That is looked at when a blob is found, by the thread that has the connection, and holds its
 * mutex until the blob is read. Where anything is otherwise, or not as the format has it, nothing
 * is read, which is no failure: then SQLite is to be asked, which knows, or says what is wrong.
 */
#ifndef SQLITE_TABLE_FILE_H
#define SQLITE_TABLE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/workers.h"
#include "sqlite/api.h"
#include "sqlite/wal_pages.h"

/* All zero: to be opened. */
struct table_file {
    sqlite3 *db; /* borrowed, as the next */
    const char *schema;
    int64_t root;             /* the page at which the table begins */
    unsigned version;         /* of what the transaction saw then */
    size_t page_size, usable; /* bytes, and those of them that SQLite uses */
    int64_t n_pages;
    struct wal_pages log;     /* that are not to be read in the file */
    struct table_reader {     /* what a thread reads by; the first has the connection */
        sqlite3_file *file;   /* of the first SQLite's, else owned */
        unsigned char *pages; /* [TABLE_FILE_RUN] owned: those read together */
    } readers[WORKERS_MAX];
    size_t n_readers; /* 0: there is nothing to read by */
};

/* Bytes that are read at once. */
#define TABLE_FILE_RUN ((size_t)64 << 10)

/* Looks the table up, within a transaction, for one thread; `schema` lives as long as it is open.
 * In WAL mode a log of more bytes than most_log is not read: SQLite knows it. ERROR_NOMEM,
 * ERROR_INTERRUPTED. close always. */
int table_file_open(struct table_file *table, sqlite3 *db, const char *schema, const char *name,
                    size_t most_log, struct error *err);
void table_file_close(struct table_file *table);

/* For so many threads, at most WORKERS_MAX, or as many as can be: n_readers. ERROR_NOMEM. */
int table_file_share(struct table_file *table, size_t n_readers, struct error *err);

/* Whether the transaction sees what it saw when the table was looked up: asked by the thread that
 * has the connection, before any reads. */
int table_file_is_current(const struct table_file *table);

/* Into readers[number].pages, at most TABLE_FILE_RUN bytes. 0: the file has not all of them, or the
 * log has one. */
int table_file_pages(const struct table_file *table, size_t number, int64_t first, size_t n);

/* Where a blob lies: its first bytes in a leaf, the rest on pages that each say which is next. */
struct table_place {
    int64_t at, next; /* in the file; the first of those pages, 0: there is none */
    size_t n_here;    /* bytes in the leaf */
};

/* Of a table (INTEGER PRIMARY KEY, BLOB): finds the blob of a row, if it has that size. 0: SQLite
 * is to be asked. */
int table_file_find(struct table_file *table, int64_t id, size_t size, struct table_place *place);

/* Reads it, by that reader: one thread each, while the transaction lasts. 0: it was not read, and
 * the bytes are anything. */
int table_file_read(const struct table_file *table, size_t reader, const struct table_place *place,
                    void *bytes, size_t size);

#endif

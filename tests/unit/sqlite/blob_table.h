/*
 * blob_table.h: a database file whose table "T t" has BLOBs of many sizes.
 *
 * For one test program, which includes cmocka.h before.
 */
#ifndef TESTS_SQLITE_BLOB_TABLE_H
#define TESTS_SQLITE_BLOB_TABLE_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ROWS 40
#define MOST_LOG ((size_t)64 << 20)

static char folder[] = "/tmp/table_file_XXXXXX";
static char path[64];

static void execute(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static sqlite3 *open_file(void)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

/* Sizes about each bound: of a page, of what is left in a leaf, of what is read together. */
static int size_of(int id)
{
    static const int sizes[] = {1,    470,  477,  500,   511,    1000,   4060,  4061,
                                4062, 4100, 9000, 70000, 262144, 300001, 600000};
    return sizes[id % (int)(sizeof sizes / sizeof *sizes)];
}

/* A database whose table has pages in order, or scattered. */
static void make(int page_size, int is_scattered, const char *more)
{
    char sql[400];
    unlink(path);
    sqlite3 *db = open_file();
    snprintf(sql, sizeof sql,
             "PRAGMA page_size = %d; PRAGMA synchronous = off;"
             "CREATE TABLE other(a, b); CREATE TABLE \"T t\"(id INTEGER PRIMARY KEY, bytes BLOB)",
             page_size);
    execute(db, sql);
    execute(db, "BEGIN");
    for (int id = 1; id <= N_ROWS; id++) {
        snprintf(sql, sizeof sql, "INSERT INTO \"T t\" VALUES (%d, randomblob(%d))", id * 3 - 50,
                 size_of(id));
        execute(db, sql);
        /* Gaps of which some hold most of what is read together, and the rest lies elsewhere. */
        if (is_scattered) {
            snprintf(sql, sizeof sql,
                     "INSERT INTO other VALUES (1, randomblob(%d)), (2, randomblob(20000));"
                     "DELETE FROM other WHERE a = 1 AND rowid %% 3 > 0",
                     id * 7919 % 100000);
            execute(db, sql);
        }
    }
    if (is_scattered)
        execute(db, "DELETE FROM \"T t\" WHERE id % 4 = 1;"
                    "INSERT INTO \"T t\" SELECT id + 1000, randomblob(length(bytes)) FROM \"T t\"");
    execute(db, "COMMIT");
    execute(db, more);
    sqlite3_close(db);
}

#endif

/*
 * cache_folder.h: for the tests of the cache file: a folder of its own for each test, keys and
 * vectors that follow from a number, and SQL on the file through another connection.
 *
 * For one test program: include it in one file.
 */
#ifndef TESTS_SQLITE_CACHE_FOLDER_H
#define TESTS_SQLITE_CACHE_FOLDER_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "sqlite/cache_file.h"

#define DIMENSIONS 256

static char folder[64], path[128];
static int64_t clock_now; /* what the store believes the time is */

static int64_t read_clock(void)
{
    return clock_now;
}

static int make_folder(void **state)
{
    (void)state;
    clock_now = 1700000000;
    snprintf(folder, sizeof folder, "/tmp/cache_file_XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/cache.db", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[160];
        snprintf(name, sizeof name, "%s%s", path, names[i]);
        unlink(name);
    }
    return rmdir(folder);
}

static int open_small(struct catalog_store *store, uint64_t ceiling, struct error *err)
{
    struct cache_file_limits limits = {ceiling, read_clock, 2000};
    return cache_file_open_limited(path, &limits, store, err);
}

static void open_store(struct catalog_store *store)
{
    struct error err = {0};
    int rc = open_small(store, CACHE_FILE_CEILING, &err);
    if (rc != 0) fprintf(stderr, "%s\n", err.text);
    assert_int_equal(rc, 0);
}

/* The key of text number n; `text` lives with the caller. */
static struct store_key numbered_key(int n, char text[32])
{
    snprintf(text, 32, "text %d", n);
    return (struct store_key){"fake:model", 0, 1, {text, strlen(text)}};
}

static void numbered_vector(int n, float vector[DIMENSIONS])
{
    for (int i = 0; i < DIMENSIONS; i++) vector[i] = (float)n + (float)i / DIMENSIONS;
}

static int keep_number(struct catalog_store *store, int n, struct error *err)
{
    char text[32];
    float vector[DIMENSIONS];
    struct store_key key = numbered_key(n, text);
    numbered_vector(n, vector);
    return store->keep(store->context, &key, vector, DIMENSIONS, err);
}

/* 1 known and right, 0 not known, -1 an error or a wrong vector. */
static int find_number(struct catalog_store *store, int n)
{
    char text[32];
    float *vector, expected[DIMENSIONS];
    size_t dimensions;
    struct store_key key = numbered_key(n, text);
    int rc = store->find(store->context, &key, &vector, &dimensions, NULL);
    if (rc != 0) return vector == NULL ? -1 : -2;
    if (vector == NULL) return 0;
    numbered_vector(n, expected);
    int is_right = dimensions == DIMENSIONS && memcmp(vector, expected, sizeof expected) == 0;
    memory_free(vector);
    return is_right ? 1 : -1;
}

static int flush_store(struct catalog_store *store, struct error *err)
{
    return store->flush(store->context, err);
}

static void close_store(struct catalog_store *store)
{
    store->close(store->context);
}

/* Runs SQL on the file as somebody else would; gives the first number it answers. */
static int64_t other_sql(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    int64_t number = 0;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 2000);
    for (const char *left = sql; *left != '\0';) {
        if (sqlite3_prepare_v2(db, left, -1, &statement, &left) != SQLITE_OK)
            fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        int rc;
        while ((rc = sqlite3_step(statement)) == SQLITE_ROW)
            number = sqlite3_column_int64(statement, 0);
        if (rc != SQLITE_DONE && statement != NULL)
            fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(db));
        assert_true(statement == NULL || rc == SQLITE_DONE);
        sqlite3_finalize(statement);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

/* integrity_check says "ok" in one row. */
static int is_sound(void)
{
    return other_sql("SELECT count(*) = 1 AND min(integrity_check) = 'ok' "
                     "FROM pragma_integrity_check") == 1;
}

#endif

/*
 * test_table_rows.c: the rows of a table one after the other off the database file, beside what
 * SQLite reads; where the log has some of them, and damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "sqlite/blob_table.h"
#include "sqlite/table_rows.h"

static void open_table(struct table_file *table, sqlite3 *db)
{
    struct error err = {0};
    execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
    assert_int_equal(table_file_open(table, db, "main", "T t", MOST_LOG, &err), 0);
    assert_int_equal(table_file_share(table, 2, &err), 0);
    assert_true(table_file_is_current(table));
}

/* The row that is next, or none after the last, is that of a statement; its blob comes in parts,
 * one of which is passed over. 0: it cannot be read. */
static int is_next(struct table_rows *rows, sqlite3_stmt *statement, int is_there)
{
    static unsigned char bytes[700000];
    int more;
    if (!table_rows_next(rows, &more)) return 0;
    assert_int_equal(more, is_there);
    if (!more) return 1;
    size_t size = (size_t)sqlite3_column_bytes(statement, 1), part = size / 3;
    assert_int_equal(rows->row.id, sqlite3_column_int64(statement, 0));
    assert_int_equal(rows->row.size, size);
    if (!table_rows_take(rows, bytes, part) || !table_rows_take(rows, NULL, part) ||
        !table_rows_take(rows, bytes + 2 * part, size - 2 * part))
        return 0;
    const unsigned char *expected = sqlite3_column_blob(statement, 1);
    assert_memory_equal(bytes, expected, part);
    assert_memory_equal(bytes + 2 * part, expected + 2 * part, size - 2 * part);
    return 1;
}

/* How many rows can be read one after the other, from a row or the one before it on. */
static int walk(struct table_file *table, size_t reader, sqlite3 *db, int64_t id)
{
    struct table_rows rows;
    struct error err = {0};
    sqlite3_stmt *statement;
    int n = 0, is_there;
    assert_int_equal(table_rows_open(&rows, table, reader, &err), 0);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT id, bytes FROM \"T t\" WHERE id >= ifnull((SELECT max(id) FROM "
                           "\"T t\" WHERE id <= ?1), ?1) ORDER BY id",
                           -1, &statement, NULL),
        SQLITE_OK);
    sqlite3_bind_int64(statement, 1, id);
    int can_read = table_rows_seek(&rows, id);
    do {
        is_there = sqlite3_step(statement) == SQLITE_ROW;
        can_read = can_read && is_next(&rows, statement, is_there);
        n += can_read && is_there;
    } while (can_read && is_there);
    sqlite3_finalize(statement);
    table_rows_close(&rows);
    return n;
}

static void test_like_sqlite(void **state)
{
    static const int page_sizes[] = {512, 1024, 4096, 65536};
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct table_file table;
        make(page_sizes[i % 4], i >= 4, "");
        sqlite3 *db = open_file();
        open_table(&table, db);
        assert_int_equal(walk(&table, 1, db, INT64_MIN), i < 4 ? N_ROWS : 68);
        for (int64_t id = -60; id < 1100; id += 7) assert_true(walk(&table, 0, db, id) > 0);
        assert_int_equal(walk(&table, 1, db, INT64_MAX), 1);
        table_file_close(&table);
        sqlite3_close(db);
    }
}

/* Many small rows, on several levels; then none. */
static void test_levels(void **state)
{
    struct table_file table;
    (void)state;
    make(512, 0,
         "DELETE FROM \"T t\"; INSERT INTO \"T t\" WITH n(id) AS (SELECT 1 UNION ALL SELECT id + 1 "
         "FROM n LIMIT 9000) SELECT id * 3, randomblob(id % 50) FROM n; "
         "DELETE FROM \"T t\" WHERE id BETWEEN 1000 AND 9000");
    sqlite3 *db = open_file();
    open_table(&table, db);
    assert_in_range(walk(&table, 1, db, INT64_MIN), 6000, 7000);
    for (int64_t id = 900; id < 10000; id += 101) assert_true(walk(&table, 0, db, id) > 5000);
    table_file_close(&table);
    execute(db, "COMMIT; DELETE FROM \"T t\"");
    open_table(&table, db);
    assert_int_equal(walk(&table, 1, db, 0), 0);
    table_file_close(&table);
    sqlite3_close(db);
}

/* Rows of which the log has a page end the walk; those behind them are to be read. */
static void test_log(void **state)
{
    struct table_file table;
    (void)state;
    make(4096, 0, "PRAGMA journal_mode = wal");
    sqlite3 *db = open_file(), *other = open_file();
    execute(other, "UPDATE \"T t\" SET bytes = zeroblob(length(bytes)) WHERE id = 10");
    open_table(&table, db);
    assert_in_range(walk(&table, 0, db, INT64_MIN), 0, 19);
    assert_true(walk(&table, 1, db, 40) > 5);
    table_file_close(&table);
    sqlite3_close(other);
    sqlite3_close(db);
}

/* All rows that can be read, as long as their ids ascend: they end. */
static void walk_damaged(struct table_file *table, unsigned char *bytes)
{
    struct table_rows rows;
    struct error err = {0};
    int64_t before = INT64_MIN;
    int more;
    assert_int_equal(table_rows_open(&rows, table, 0, &err), 0);
    for (int64_t id = INT64_MIN; id < 2000; id += id < -100 ? INT64_MAX : 50) {
        if (!table_rows_seek(&rows, id)) continue;
        before = INT64_MIN;
        while (table_rows_next(&rows, &more) && more && rows.row.id >= before) {
            before = rows.row.id < INT64_MAX ? rows.row.id + 1 : INT64_MAX;
            if (rows.row.size <= 700000) table_rows_take(&rows, bytes, rows.row.size);
        }
    }
    table_rows_close(&rows);
}

/* Bytes of any page are others: nothing is read beyond what there is. */
static void test_damaged(void **state)
{
    uint64_t seed = 9;
    unsigned char *bytes = malloc(700000);
    (void)state;
    make(512, 1, "DELETE FROM \"T t\" WHERE length(bytes) > 5000; VACUUM");
    for (int i = 0; i < 200; i++) {
        struct table_file table;
        unsigned char old[4], other[4];
        sqlite3 *db = open_file();
        open_table(&table, db);
        FILE *file = fopen(path, "r+b");
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        long at = (long)(seed >> 33) % (size - 600) + 500;
        if (i % 3 > 0) at = at / 512 * 512 + (long)(seed >> 20) % 16; /* the head of a page */
        for (int j = 0; j < 4; j++) other[j] = (unsigned char)(seed >> (24 + 8 * j));
        fseek(file, at, SEEK_SET);
        assert_int_equal(fread(old, 1, 4, file), 4);
        fseek(file, at, SEEK_SET);
        assert_int_equal(fwrite(other, 1, 4, file), 4);
        fflush(file);
        walk_damaged(&table, bytes);
        fseek(file, at, SEEK_SET);
        assert_int_equal(fwrite(old, 1, 4, file), 4);
        fclose(file);
        table_file_close(&table);
        sqlite3_close(db);
    }
    free(bytes);
}

static int open_rows(void *context, struct error *err)
{
    struct table_rows rows;
    int rc = table_rows_open(&rows, context, 0, err);
    if (rc == 0) assert_true(table_rows_seek(&rows, 1));
    table_rows_close(&rows);
    return rc;
}

static void test_out_of_memory(void **state)
{
    struct table_file table;
    (void)state;
    make(4096, 0, "");
    sqlite3 *db = open_file();
    open_table(&table, db);
    assert_int_equal(each_allocation(open_rows, &table), 1);
    table_file_close(&table);
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_sqlite),   cmocka_unit_test(test_levels),
        cmocka_unit_test(test_log),           cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/t.db", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}

/*
 * test_history.c: which generations of an index only added documents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/history.h"
#include "store/tables.h"

static const struct store_options options = {INDEX_COSINE, INDEX_EXACT, 0, 0, INDEX_FLOAT32};

static void add(struct tables *tables, int64_t before, int64_t generation)
{
    struct error err = {0};
    assert_int_equal(store_write_open(&tables->store, &err), 0);
    assert_int_equal(
        store_write_close(&tables->store, history_add(&tables->store, before, generation, &err)),
        0);
}

static int has(struct tables *tables, int64_t earlier, int64_t generation)
{
    struct error err = {0};
    int found;
    assert_int_equal(history_has(&tables->store, earlier, generation, &found, &err), 0);
    return found;
}

static void test_adding(void **state)
{
    struct tables tables;
    (void)state;
    tables_create(&tables, &options);
    assert_false(has(&tables, 1, 1));
    add(&tables, 1, -2);
    assert_false(has(&tables, 1, -2)); /* what was before it is not known */
    assert_true(has(&tables, -2, -2));
    add(&tables, -2, INT64_MAX);
    assert_true(has(&tables, -2, INT64_MAX));
    assert_true(has(&tables, INT64_MAX, INT64_MAX));
    assert_false(has(&tables, -2, -2)); /* that is there no more */
    assert_false(has(&tables, -2, 4));
    add(&tables, 7, 8); /* another version has written in between */
    assert_false(has(&tables, -2, 8));
    for (int64_t i = 8; i < 8 + HISTORY_MOST; i++) add(&tables, i, i + 1);
    assert_false(has(&tables, 8, 8 + HISTORY_MOST));
    assert_true(has(&tables, 9, 8 + HISTORY_MOST));
    tables_execute(&tables, "BEGIN");
    add(&tables, 8 + HISTORY_MOST, 100);
    assert_true(has(&tables, 20, 100));
    tables_execute(&tables, "ROLLBACK");
    assert_false(has(&tables, 20, 100));
    tables_close(&tables);
}

static void test_taking_away(void **state)
{
    struct tables tables;
    struct error err = {0};
    (void)state;
    tables_create(&tables, &options);
    add(&tables, 1, 2);
    add(&tables, 2, 3);
    assert_int_equal(store_write_open(&tables.store, &err), 0);
    assert_int_equal(store_write_close(&tables.store, history_clear(&tables.store, &err)), 0);
    assert_false(has(&tables, 3, 3));
    add(&tables, 3, 4);
    assert_false(has(&tables, 3, 4));
    tables_close(&tables);
}

static void test_damaged(void **state)
{
    static const char *const values[] = {"NULL", "'text'", "5", "x'0102'", "zeroblob(8000)", "x''"};
    struct tables tables;
    (void)state;
    tables_create(&tables, &options);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char *sql = sqlite3_mprintf("REPLACE INTO X_config VALUES ('history', %s)", values[i]);
        tables_execute(&tables, sql);
        sqlite3_free(sql);
        assert_false(has(&tables, 0, 0));
        add(&tables, 0, 6);
        assert_true(has(&tables, 6, 6));
        assert_false(has(&tables, 0, 6));
    }
    tables_close(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adding),
        cmocka_unit_test(test_taking_away),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How far a write is: idle, writing, torn; and what savepoints and rollbacks make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/tables.h"

static const struct store_options exact = {INDEX_COSINE, INDEX_EXACT, 0, 1, INDEX_FLOAT32};

static int open_tables(void **state)
{
    static struct tables tables;
    tables_create(&tables, &exact);
    *state = &tables;
    return 0;
}

static int close_tables(void **state)
{
    tables_close(*state);
    return 0;
}

/* A write that ends with that code. */
static void write_once(struct tables *tables, int code)
{
    struct store_state state = {0};
    struct error err = {0};
    assert_int_equal(store_write_begin(&tables->store, &state, 0, &err), 0);
    assert_int_equal(tables->write.step, STORE_WRITING);
    assert_int_equal(store_write_end(&tables->store, &state, code, &err), code);
}

static void assert_idle(struct tables *tables)
{
    struct error err = {0};
    assert_int_equal(tables->write.step, STORE_IDLE);
    assert_int_equal(store_write_check(&tables->store, &err), 0);
}

static void assert_torn(struct tables *tables)
{
    struct store_state state = {0};
    struct error err = {0};
    assert_int_equal(tables->write.step, STORE_TORN);
    assert_int_equal(store_write_check(&tables->store, &err), ERROR_INVALID);
    assert_string_equal(err.text, "an earlier write of this transaction failed half way: ROLLBACK");
    assert_int_equal(store_write_begin(&tables->store, &state, 0, &err), ERROR_INVALID);
    assert_int_equal(tables->write.step, STORE_TORN);
}

static void test_generations(void **context)
{
    struct tables *tables = *context;
    struct store_state state, stored;
    struct error err = {0};
    int64_t last = 0;
    assert_idle(tables);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_read_state(&tables->store, &state, &err), 0);
        assert_int_equal(state.generation, last);
        assert_int_equal(store_write_begin(&tables->store, &state, 0, &err), 0);
        assert_int_not_equal(state.generation, 0);
        assert_int_not_equal(state.generation, last);
        assert_int_equal(store_write_end(&tables->store, &state, 0, &err), 0);
        assert_idle(tables);
        last = state.generation;
        assert_int_equal(store_read_state(&tables->store, &stored, &err), 0);
        assert_int_equal(stored.generation, last);
    }
}

static void test_a_failed_write_tears(void **context)
{
    struct tables *tables = *context;
    write_once(tables, ERROR_CORRUPT);
    assert_torn(tables);
    store_write_over(&tables->write);
    assert_idle(tables);
    write_once(tables, 0);
    assert_idle(tables);
}

static void test_a_begin_that_fails_tears(void **context)
{
    struct tables *tables = *context;
    struct store_state state = {0};
    struct error err = {0};
    tables_execute(tables, "DROP TABLE X_config");
    assert_int_equal(store_write_begin(&tables->store, &state, 0, &err), ERROR_STORAGE);
    assert_torn(tables);
}

/* A trigger that someone put on a shadow table could write the index while it is written. */
static void test_no_write_in_a_write(void **context)
{
    struct tables *tables = *context;
    struct store_state state = {0}, inner = {0};
    struct error err = {0};
    assert_int_equal(store_write_begin(&tables->store, &state, 0, &err), 0);
    assert_int_equal(store_write_begin(&tables->store, &inner, 0, &err), ERROR_INVALID);
    assert_int_equal(store_write_check(&tables->store, &err), ERROR_INVALID);
    assert_int_equal(tables->write.step, STORE_WRITING);
    assert_int_equal(store_write_end(&tables->store, &state, 0, &err), 0);
    assert_idle(tables);
}

/* An interrupt of a statement of ours: SQLite rolls all back before it tells us. */
static void test_rolled_back_while_writing(void **context)
{
    struct tables *tables = *context;
    struct store_state state = {0};
    struct error err = {0};
    assert_int_equal(store_write_begin(&tables->store, &state, 0, &err), 0);
    store_write_over(&tables->write);
    assert_int_equal(store_write_end(&tables->store, &state, ERROR_INTERRUPTED, &err),
                     ERROR_INTERRUPTED);
    assert_idle(tables);
}

static void test_back_to_before_the_write(void **context)
{
    struct tables *tables = *context;
    struct store_write *write = &tables->write;
    for (int number = 0; number < 3; number++) {
        for (int i = 0; i < 3; i++) store_write_savepoint(write, i);
        write_once(tables, ERROR_INTERRUPTED);
        store_write_rollback_to(write, number);
        assert_idle(tables);
        store_write_over(write);
    }
    write_once(tables, ERROR_INTERRUPTED);
    store_write_rollback_to(write, -1); /* of the savepoint that began the transaction */
    assert_idle(tables);
}

static void test_savepoints_after_the_write(void **context)
{
    struct tables *tables = *context;
    struct store_write *write = &tables->write;
    store_write_savepoint(write, 0);
    write_once(tables, ERROR_INTERRUPTED);
    store_write_savepoint(write, 1);
    store_write_savepoint(write, 1); /* another struct store of the transaction */
    store_write_rollback_to(write, 1);
    assert_torn(tables);
    store_write_rollback_to(write, 4); /* older than our part in the transaction: not ours */
    assert_torn(tables);
    store_write_release(write, 1);
    assert_torn(tables);
    store_write_rollback_to(write, 0);
    assert_idle(tables);
}

/* SQLite has savepoints of its own below a statement of ours that writes many rows. */
static void test_savepoints_within_a_write(void **context)
{
    struct tables *tables = *context;
    struct store_write *write = &tables->write;
    struct store_state state = {0};
    struct error err = {0};
    store_write_savepoint(write, 0);
    assert_int_equal(store_write_begin(&tables->store, &state, 0, &err), 0);
    store_write_savepoint(write, 1);
    store_write_rollback_to(write, 1);
    store_write_release(write, 1);
    assert_int_equal(write->step, STORE_WRITING);
    assert_int_equal(store_write_end(&tables->store, &state, ERROR_CORRUPT, &err), ERROR_CORRUPT);
    assert_torn(tables);
}

/* The number of a savepoint that was released comes again, for one that is younger than the
 * write. */
static void test_a_number_that_comes_again(void **context)
{
    struct tables *tables = *context;
    struct store_write *write = &tables->write;
    store_write_savepoint(write, 0);
    store_write_savepoint(write, 1);
    write_once(tables, ERROR_INTERRUPTED);
    store_write_release(write, 1);
    store_write_savepoint(write, 1);
    store_write_rollback_to(write, 1);
    assert_torn(tables);
    store_write_rollback_to(write, 0);
    assert_idle(tables);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_tables, close_tables)
    const struct CMUnitTest tests[] = {
        TEST(test_generations),
        TEST(test_a_failed_write_tears),
        TEST(test_a_begin_that_fails_tears),
        TEST(test_no_write_in_a_write),
        TEST(test_rolled_back_while_writing),
        TEST(test_back_to_before_the_write),
        TEST(test_savepoints_after_the_write),
        TEST(test_savepoints_within_a_write),
        TEST(test_a_number_that_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

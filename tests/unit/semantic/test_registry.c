/*
 * test_registry.c: who keeps the list of open indexes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "semantic/module.h"

static void add_module(struct connection *connection)
{
    struct semantic_registry *registry;
    struct error err;
    assert_int_equal(registry_new(connection, &registry, &err), 0);
    assert_int_equal(module_register(connection, registry), SQLITE_OK);
}

/* The table is connected by the first module and disconnected after SQLite has let go of it: what
 * it then touches must be there, which the sanitizers see. */
static void test_module_replaced_under_a_table(void **state)
{
    static const char make[] = "CREATE VIRTUAL TABLE x USING semantic_index(dimensions = 1);"
                               "INSERT INTO x(rowid, embedding) VALUES (1, '[1]')";
    sqlite3 *db;
    struct connection *connection;
    struct error err;
    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(connection_new(db, &connection, &err), 0);
    add_module(connection);
    assert_int_equal(sqlite3_exec(db, make, NULL, NULL, NULL), SQLITE_OK);
    add_module(connection);
    add_module(connection);
    connection_release(connection);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_module_replaced_under_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

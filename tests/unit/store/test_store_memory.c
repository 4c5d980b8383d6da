/* The shadow tables with each of our allocations failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "store/integrity.h"
#include "store/optimize.h"
#include "store/reader.h"
#include "store/tables.h"

static const struct store_options kinds[] = {
    {INDEX_COSINE, INDEX_EXACT, 0, 1, INDEX_FLOAT32},
    {INDEX_COSINE, INDEX_INT8, 0, 1, INDEX_FLOAT32},
    {INDEX_L2, INDEX_BIT, 3, 0, INDEX_FLOAT32},
    {INDEX_COSINE, INDEX_EXACT, 0, 1, INDEX_COMPACT},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds, N_ROWS = 520 };

/* A store of its own for each run, in a transaction that is rolled back. */
struct attempt {
    struct tables *tables;
    int (*operation)(struct tables *tables, struct error *err);
};

static int attempt(void *context, struct error *err)
{
    struct attempt *attempt = context;
    struct tables *tables = attempt->tables;
    struct store_options options = tables->store.options;
    tables_execute(tables, "BEGIN");
    int rc = store_init(&tables->store, tables->connection, "main", "X", &tables->write, err);
    tables->store.options = options;
    if (rc == 0) rc = attempt->operation(tables, err);
    assert_int_not_equal(tables->write.step, STORE_WRITING);
    assert_true(rc != 0 || tables->write.step == STORE_IDLE);
    store_deinit(&tables->store);
    tables->store.options = options;
    tables_execute(tables, "ROLLBACK");
    store_write_over(&tables->write);
    return rc;
}

/* One row after the other, each in a write of its own. */
static void write_singly(struct tables *tables, int64_t first, int64_t last)
{
    struct error err = {0};
    for (int64_t id = first; id <= last; id++)
        assert_int_equal(tables_write(tables, id, id, &err), 0);
}

static void try_kinds(int (*operation)(struct tables *tables, struct error *err), int n_waiting)
{
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct tables tables;
        struct error err = {0};
        tables_create(&tables, &kinds[kind]);
        /* A block that memory has no room for is read all the same: here none has. */
        assert_int_equal(catalog_set(tables.connection->catalog, CATALOG_MEMORY_BUDGET, "0", &err),
                         0);
        assert_int_equal(tables_write(&tables, 1, N_ROWS, &err), 0);
        write_singly(&tables, N_ROWS + 1, N_ROWS + n_waiting);
        tables_reopen(&tables);
        store_deinit(&tables.store);
        tables.store.options = kinds[kind];
        struct attempt context = {&tables, operation};
        assert_true(each_allocation(attempt, &context) > 2);
        tables_close(&tables);
    }
}

static void try_all(int (*operation)(struct tables *tables, struct error *err))
{
    try_kinds(operation, 0);
}

static int write_more(struct tables *tables, struct error *err)
{
    return tables_write(tables, N_ROWS - 50, N_ROWS + 100, err);
}

static int delete_some(struct tables *tables, struct error *err)
{
    static const int64_t ids[] = {3, 5, 7, 299};
    return tables_delete(tables, ids, 4, STORE_DELETE, err);
}

static int optimize(struct tables *tables, struct error *err)
{
    struct store *store = &tables->store;
    struct store_state state;
    int rc = store_read_state(store, &state, err);
    if (rc == 0) rc = store_write_begin(store, &state, 0, err);
    return rc == 0 ? store_write_end(store, &state, store_optimize(store, &state, err), err) : rc;
}

static int check(struct tables *tables, struct error *err)
{
    return store_integrity_check(&tables->store, err);
}

static int read_config(struct tables *tables, struct error *err)
{
    struct schema_stored stored;
    int rc = schema_read(&tables->store, &stored, err);
    schema_stored_deinit(&stored);
    return rc;
}

static int fetch_row(struct tables *tables, int64_t id, struct error *err)
{
    struct store_state state;
    struct store_reader reader;
    struct index_storage storage;
    const void *bytes;
    size_t size;
    int found;
    int rc = store_read_state(&tables->store, &state, err);
    reader_open(&tables->store, &reader, &storage);
    if (rc == 0) rc = reader_begin(&reader, &state, err);
    if (rc == 0) rc = reader_vector(&reader, id, &bytes, &size, &found, err);
    if (rc == 0) assert_true(found);
    reader_close(&reader);
    return rc;
}

static int fetch(struct tables *tables, struct error *err)
{
    int rc = fetch_row(tables, 123, err);
    return rc == 0 ? fetch_row(tables, N_ROWS + 2, err) : rc;
}

/* A row that waits goes, one is written, and with it, where the list is full, all that wait. */
static int write_one(struct tables *tables, struct error *err)
{
    static const int64_t id = N_ROWS + 2;
    int rc = tables_delete(tables, &id, 1, STORE_DELETE, err);
    if (rc == 0) rc = tables_write(tables, N_ROWS + 40, N_ROWS + 42, err);
    return rc == 0 ? fetch_row(tables, 123, err) : rc;
}

static void test_rows_that_wait(void **state)
{
    (void)state;
    try_kinds(write_one, STORE_MOST_WAITING);
    try_kinds(check, 2);
}

static void test_write(void **state)
{
    (void)state;
    try_all(write_more);
}

static void test_delete(void **state)
{
    (void)state;
    try_all(delete_some);
}

static void test_optimize(void **state)
{
    (void)state;
    try_kinds(optimize, 2);
}

static void test_integrity_check(void **state)
{
    (void)state;
    try_all(check);
}

static void test_read_config(void **state)
{
    (void)state;
    try_all(read_config);
}

static void test_fetch(void **state)
{
    (void)state;
    try_kinds(fetch, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),           cmocka_unit_test(test_rows_that_wait),
        cmocka_unit_test(test_delete),          cmocka_unit_test(test_optimize),
        cmocka_unit_test(test_integrity_check), cmocka_unit_test(test_read_config),
        cmocka_unit_test(test_fetch),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

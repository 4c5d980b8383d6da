/* Vectors of an index with codes, as searches keep them in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/seen.h"
#include "store/vectors.h"

enum { N_ROWS = 5000 };

static const struct store_options bits = {INDEX_COSINE, INDEX_BIT, 0, 0, INDEX_FLOAT32};

struct asked {
    struct store_reader reader;
    struct index_storage storage;
};

static void begin(struct tables *tables, struct asked *asked)
{
    struct store_state state;
    struct error err = {0};
    assert_int_equal(store_read_state(&tables->store, &state, &err), 0);
    reader_open(&tables->store, &asked->reader, &asked->storage);
    assert_int_equal(reader_begin(&asked->reader, &state, &err), 0);
}

/* Fetches the rows from `first` on; each is its own. */
static void fetch(struct asked *asked, int64_t first, int64_t n)
{
    struct error err = {0};
    for (int64_t id = first; id < first + n; id++) {
        float vector[DIMENSIONS];
        const void *bytes;
        size_t size;
        int found;
        tables_vector(id, vector);
        assert_int_equal(
            asked->storage.fetch(asked->storage.context, id, &bytes, &size, &found, &err), 0);
        assert_true(found);
        assert_int_equal(size, sizeof vector);
        assert_memory_equal(bytes, vector, size);
    }
}

/* How many are in memory. */
static int64_t n_kept(const struct asked *asked)
{
    int64_t n = 0;
    for (int64_t id = 1; id <= N_ROWS; id++) n += vectors_find(&asked->reader, id) != NULL;
    return n;
}

static void create(struct tables *tables, struct asked *asked)
{
    tables_create(tables, &bits);
    write_rows(tables, 1, N_ROWS);
    begin(tables, asked); /* the first search of a process may be the last */
    reader_close(&asked->reader);
    begin(tables, asked);
}

/* As many as were fetched, those of the least ids; each block when it is due. */
static void test_block_by_block(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct index_layout layout = {INDEX_COSINE, INDEX_EXACT, DIMENSIONS, INDEX_FLOAT32};
    int64_t capacity = (int64_t)index_block_capacity(&layout, N_ROWS);
    assert_in_range(capacity, 100, N_ROWS / 2);
    create(&tables, &asked);
    fetch(&asked, N_ROWS - 99, 100);
    assert_int_equal(n_kept(&asked), 0);
    for (int64_t n = 100; n < capacity; n += 100)
        fetch(&asked, N_ROWS - 99, n + 100 < capacity ? 100 : capacity - n);
    assert_int_equal(n_kept(&asked), capacity);
    assert_null(index_snapshot_vectors(asked.reader.snapshot));
    fetch(&asked, 1, capacity); /* from memory: nothing is due */
    assert_int_equal(n_kept(&asked), capacity);
    while (n_kept(&asked) < N_ROWS) fetch(&asked, N_ROWS, 1);
    assert_non_null(index_snapshot_vectors(asked.reader.snapshot));
    fetch(&asked, 1, N_ROWS);
    reader_close(&asked.reader);
    tables_close(&tables);
}

/* A scan of all keeps all, for whoever comes after; a write ends it. */
static void test_scan(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct error err = {0};
    create(&tables, &asked);
    assert_int_equal(asked.storage.rewind(asked.storage.context, &err), 0);
    assert_int_equal(n_kept(&asked), N_ROWS);
    reader_close(&asked.reader);
    begin(&tables, &asked);
    assert_int_equal(n_kept(&asked), N_ROWS);
    reader_close(&asked.reader);
    write_rows(&tables, N_ROWS + 1, N_ROWS + 1);
    begin(&tables, &asked);
    assert_int_equal(n_kept(&asked), 0);
    assert_int_equal(nearest(&tables, N_ROWS + 1), N_ROWS + 1);
    reader_close(&asked.reader);
    tables_close(&tables);
}

static void test_budget(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct error err = {0};
    create(&tables, &asked);
    struct catalog *catalog = tables.connection->catalog;
    assert_int_equal(catalog_set(catalog, CATALOG_MEMORY_BUDGET, "2600000", &err), 0);
    assert_int_equal(asked.storage.rewind(asked.storage.context, &err), 0);
    assert_int_equal(n_kept(&asked), 0); /* 680,000 bytes with ids: over a quarter */
    fetch(&asked, 1, N_ROWS);
    assert_int_equal(catalog_set(catalog, CATALOG_MEMORY_BUDGET, "4000000", &err), 0);
    assert_int_equal(asked.storage.rewind(asked.storage.context, &err), 0);
    assert_int_equal(n_kept(&asked), N_ROWS);
    reader_close(&asked.reader);
    tables_close(&tables);
}

/* Rows that are not what the snapshot tells are not kept: whoever wants them is told by the read
 * that finds out. */
static void test_damage(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "INSERT INTO X_vectors SELECT 99999, vector FROM X_vectors WHERE id = 1",
        "DELETE FROM X_vectors WHERE id > 4990", "UPDATE X_vectors SET vector = x'00' WHERE id = 7",
        "UPDATE X_vectors SET vector = '' WHERE id = 4999"};
    for (size_t i = 0; i < 4; i++) {
        struct tables tables;
        struct asked asked;
        struct error err = {0};
        create(&tables, &asked);
        tables_execute(&tables, damages[i]);
        assert_int_equal(asked.storage.rewind(asked.storage.context, &err), 0);
        assert_null(index_snapshot_vectors(asked.reader.snapshot));
        assert_true(n_kept(&asked) < N_ROWS);
        assert_int_equal(asked.storage.rewind(asked.storage.context, &err), 0);
        assert_null(index_snapshot_vectors(asked.reader.snapshot));
        reader_close(&asked.reader);
        tables_close(&tables);
    }
}

static int interrupt(void *context)
{
    return ++*(int *)context >= 2;
}

/* What fails half-way goes on from there. */
static void test_interrupted(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct error err = {0};
    int n_calls = 0;
    create(&tables, &asked);
    sqlite3_progress_handler(tables.db, 4000, interrupt, &n_calls);
    assert_int_equal(asked.storage.rewind(asked.storage.context, &err), ERROR_INTERRUPTED);
    sqlite3_progress_handler(tables.db, 0, NULL, NULL);
    assert_true(n_kept(&asked) < N_ROWS);
    assert_int_equal(asked.storage.rewind(asked.storage.context, &err), 0);
    assert_int_equal(n_kept(&asked), N_ROWS);
    fetch(&asked, 1, N_ROWS);
    reader_close(&asked.reader);
    tables_close(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_by_block), cmocka_unit_test(test_scan),
        cmocka_unit_test(test_budget),         cmocka_unit_test(test_damage),
        cmocka_unit_test(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

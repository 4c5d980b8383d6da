/*
 * test_loading.c: searches of which no block is in memory, by several threads off a file: each
 * allocation failing, interrupts, damage, and a file that has no second handle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/each_allocation.h"
#include "store/seen.h"

enum { N_ROWS = 40000, N_THREADS = 3 }; /* 5 MB */

static const struct store_options exact = {INDEX_COSINE, INDEX_EXACT, 0, 0, INDEX_FLOAT32};
static char folder[] = "/tmp/loading_XXXXXX";
static char path[64];

/* A connection that has read nothing yet, in a transaction. */
static void begin(struct tables *tables, const char *budget)
{
    struct error err = {0};
    tables_connect_to(tables, path, &exact);
    struct catalog *catalog = tables->connection->catalog;
    assert_int_equal(catalog_set(catalog, CATALOG_THREADS, "3", &err), 0);
    assert_int_equal(catalog_set(catalog, CATALOG_MEMORY_BUDGET, budget, &err), 0);
    tables_execute(tables, "BEGIN");
}

static void end(struct tables *tables)
{
    tables_execute(tables, "COMMIT");
    tables_close(tables);
}

struct asking {
    struct tables *tables;
    struct cancel *cancel;
    size_t n_readers; /* of the file, in the latest search */
    size_t n_kept;    /* of its blocks are in memory */
    size_t n_blocks;
};

/* The nearest row to that of id 777 is itself. */
static int search(void *context, struct error *err)
{
    struct asking *asking = context;
    struct store *store = &asking->tables->store;
    struct store_state state;
    struct store_reader reader;
    struct index_storage storage;
    struct top_k hits;
    float vector[DIMENSIONS];
    tables_vector(777, vector);
    struct index_query query = {.vector = vector, .k = 5, .min_similarity = -INFINITY};
    top_k_init(&hits, query.k);
    reader_open(store, &reader, &storage);
    int rc = store_read_state(store, &state, err);
    if (rc == 0) rc = reader_begin(&reader, &state, err);
    struct index_search asked = reader_search(&reader, &storage);
    asked.cancel = asking->cancel;
    if (rc == 0) rc = index_search(&asked, &query, 1, &hits, err);
    if (rc == 0) {
        top_k_sort(&hits);
        assert_int_equal(hits.n, query.k);
        assert_int_equal(hits.hits[0].id, 777);
        asking->n_readers = reader.blocks.file.n_readers;
        asking->n_blocks = reader.snapshot->n_blocks;
        asking->n_kept = 0;
        for (size_t i = 0; i < asking->n_blocks; i++)
            asking->n_kept += index_block_data(&reader.snapshot->blocks[i]) != NULL;
    }
    top_k_deinit(&hits);
    reader_close(&reader);
    return rc;
}

static void make(void)
{
    struct tables tables;
    unlink(path);
    tables_connect_to(&tables, path, &exact);
    tables_execute(&tables, "PRAGMA synchronous = off; BEGIN");
    assert_int_equal(schema_create(&tables.store, &usual_config, NULL), 0);
    write_rows(&tables, 1, N_ROWS);
    end(&tables);
}

static void test_readers(void **state)
{
    (void)state;
    for (int keeps = 0; keeps < 2; keeps++) {
        struct tables tables;
        struct asking asking = {.tables = &tables};
        begin(&tables, keeps ? "1000000000" : "0");
        assert_int_equal(search(&asking, NULL), 0);
        assert_int_equal(asking.n_readers, N_THREADS);
        assert_true(asking.n_blocks > 10);
        assert_int_equal(asking.n_kept, keeps ? asking.n_blocks : 0);
        end(&tables);
    }
}

/* Nothing is in memory before it, or after. */
static int search_anew(void *context, struct error *err)
{
    struct asking *asking = context;
    int rc = search(asking, err);
    index_cache_close(asking->tables->store.cache);
    asking->tables->store.cache = NULL;
    return rc;
}

/* Blocks that memory has no room for are read all the same: here none has. */
static void test_out_of_memory(void **state)
{
    struct tables tables;
    struct asking asking = {.tables = &tables};
    (void)state;
    begin(&tables, "0");
    assert_int_equal(search_anew(&asking, NULL), 0); /* statements are kept */
    assert_true(each_allocation(search_anew, &asking) > 10);
    end(&tables);
}

static int is_cancelled(void *context)
{
    return --*(int *)context <= 0;
}

static void test_interrupt(void **state)
{
    struct tables tables;
    int left = 0, rc = ERROR_INTERRUPTED;
    struct cancel cancel = {is_cancelled, &left};
    struct asking asking = {.tables = &tables, .cancel = &cancel};
    (void)state;
    begin(&tables, "1000000000");
    asking.cancel = NULL;
    assert_int_equal(search_anew(&asking, NULL), 0); /* statements are kept */
    asking.cancel = &cancel;
    long blocks = failing_memory_blocks;
    for (int n = 1; rc != 0; n++) {
        left = n;
        rc = search_anew(&asking, NULL);
        assert_true(rc == 0 || rc == ERROR_INTERRUPTED);
        assert_int_equal(failing_memory_blocks, blocks);
    }
    end(&tables);
}

/* Behind its path lies another file, or none: it is read by the handle that is open. */
static void test_moved(void **state)
{
    struct tables tables;
    struct asking asking = {.tables = &tables};
    char away[80];
    (void)state;
    snprintf(away, sizeof away, "%s.away", path);
    begin(&tables, "0");
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(search(&asking, NULL), 0);
    assert_int_equal(asking.n_readers, 1);
    end(&tables);
    assert_int_equal(rename(away, path), 0);
}

/* A page says that another is next than that which is. */
static void test_damaged(void **state)
{
    struct tables tables;
    struct asking asking = {.tables = &tables};
    struct error err = {0};
    (void)state;
    begin(&tables, "0");
    int64_t root = tables_number(&tables, "SELECT rootpage FROM sqlite_master "
                                          "WHERE name = 'X_data'");
    end(&tables);
    FILE *file = fopen(path, "r+b");
    fseek(file, 0, SEEK_END);
    long n_pages = ftell(file) / 4096;
    assert_true(root < n_pages / 2);
    for (long page = n_pages / 2; page < n_pages / 2 + 40; page++) {
        fseek(file, page * 4096, SEEK_SET);
        assert_int_equal(fwrite("\x7f\xff\xff\xff", 1, 4, file), 4);
    }
    fclose(file);
    begin(&tables, "0");
    assert_int_not_equal(search(&asking, &err), 0);
    assert_int_equal(err.code, ERROR_STORAGE);
    assert_int_equal(err.storage_code & 255, SQLITE_CORRUPT);
    tables_close(&tables);
    make();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers),   cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_interrupt), cmocka_unit_test(test_moved),
        cmocka_unit_test(test_damaged),
    };
    failing_memory_bind();
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/t.db", folder);
    make();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}

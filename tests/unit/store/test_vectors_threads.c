/*
 * test_vectors_threads.c: all vectors of an index with codes, read off the file by several threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/asked.h"

enum { MANY_ROWS = 40000 }; /* 5 MB */

static char folder[] = "/tmp/vectors_XXXXXX";
static char path[64];

/* Several threads read them off the file: as long as few are in the log, all of them. */
static void test_threads(void **state)
{
    (void)state;
    struct tables tables;
    struct asked asked;
    struct error err = {0};
    unlink(path);
    tables_connect_to(&tables, path, &bits);
    tables_execute(&tables, "PRAGMA synchronous = off; PRAGMA journal_mode = wal; BEGIN");
    assert_int_equal(schema_create(&tables.store, &usual_config, &err), 0);
    for (int64_t first = 1; first <= MANY_ROWS; first += 1000)
        write_rows(&tables, first, first + 999);
    tables_execute(&tables, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    struct catalog *catalog = tables.connection->catalog;
    assert_int_equal(catalog_set(catalog, CATALOG_THREADS, "3", &err), 0);
    for (int turn = 0; turn < 4; turn++) {
        if (turn == 2) write_rows(&tables, 1234, 1234); /* in the log, as the next */
        tables_reopen(&tables);                         /* nothing is in memory */
        assert_int_equal(
            catalog_set(catalog, CATALOG_MEMORY_BUDGET, turn % 2 ? "0" : "1000000000", &err), 0);
        tables_execute(&tables, "BEGIN");
        begin(&tables, &asked);
        assert_int_equal(scan(&asked, 1234, &err), 0);
        assert_int_equal(asked.reader.vectors.file.n_readers, 3);
        assert_int_equal(index_snapshot_vectors(asked.reader.snapshot) != NULL, turn % 2 == 0);
        for (int64_t id = 1; id <= MANY_ROWS; id += 777) {
            float vector[DIMENSIONS];
            const void *found = vectors_find(&asked.reader, id);
            tables_vector(id, vector);
            if (found != NULL) assert_memory_equal(found, vector, sizeof vector);
        }
        reader_close(&asked.reader);
        tables_execute(&tables, "COMMIT");
    }
    tables_close(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/x.db", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}

/*
 * test_cache_file_memory.c: the cache file with the 1st, 2nd, 3rd... allocation failing, SQLite's
 * own included.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sqlite/cache_folder.h"

/* ---- SQLite's memory, ours with it ----------------------------------------------------------- */

static sqlite3_mem_methods real;
static long refuse_at;        /* the request that fails, from 1; 0: none */
static int refuse_later_ones; /* all after it, too */
static long n_requests, n_refused, n_blocks;

static int refuses(void)
{
    n_requests++;
    if (refuse_at == 0 || n_requests < refuse_at) return 0;
    if (n_requests > refuse_at && !refuse_later_ones) return 0;
    n_refused++;
    return 1;
}

static void *refusing_malloc(int size)
{
    void *block = refuses() ? NULL : real.xMalloc(size);
    if (block != NULL) n_blocks++;
    return block;
}

static void *refusing_realloc(void *block, int size)
{
    return refuses() ? NULL : real.xRealloc(block, size);
}

static void counting_free(void *block)
{
    if (block != NULL) n_blocks--;
    real.xFree(block);
}

static void *alloc_64(uint64_t size)
{
    return sqlite3_malloc64(size);
}

static void *realloc_64(void *block, uint64_t size)
{
    return sqlite3_realloc64(block, size);
}

static int install_memory(void)
{
    static const struct memory_methods ours = {alloc_64, realloc_64, sqlite3_free};
    int rc = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    sqlite3_mem_methods methods = real;
    methods.xMalloc = refusing_malloc;
    methods.xRealloc = refusing_realloc;
    methods.xFree = counting_free;
    if (rc == SQLITE_OK) rc = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    if (rc == SQLITE_OK) rc = sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    memory_bind(&ours);
    return rc;
}

/* ---- one run --------------------------------------------------------------------------------- */

/* What a run did without an error. */
struct outcome {
    int n_kept;     /* texts 0... that are in a batch whose every keep and flush went well */
    int n_failures; /* calls that gave an error */
};

static void note(struct outcome *outcome, int rc, const struct error *err)
{
    if (rc == 0) return;
    assert_true(rc == ERROR_NOMEM || rc == ERROR_UNAVAILABLE);
    assert_int_equal(err->code, rc);
    assert_int_equal(err->storage_code, 0);
    outcome->n_failures++;
}

/* Two batches of three, each asked for before and after, with a day between them. */
static void use(struct catalog_store *store, struct outcome *outcome)
{
    struct error err;
    for (int batch = 0; batch < 2; batch++) {
        int before = outcome->n_failures;
        clock_now += 100000;
        for (int n = 0; n < 3 * batch; n++) {
            int found = find_number(store, n);
            assert_true(found >= -1);
            if (found < 0) outcome->n_failures++;
        }
        for (int n = 3 * batch; n < 3 * batch + 3; n++)
            note(outcome, keep_number(store, n, &err), &err);
        note(outcome, flush_store(store, &err), &err);
        if (outcome->n_failures == before && outcome->n_kept == 3 * batch) outcome->n_kept += 3;
    }
}

static struct outcome run_once(uint64_t ceiling)
{
    struct outcome outcome = {0};
    struct catalog_store store;
    struct error err = {0};
    int rc = open_small(&store, ceiling, &err);
    note(&outcome, rc, &err);
    if (rc != 0) return outcome;
    use(&store, &outcome);
    close_store(&store);
    return outcome;
}

/* A file of an earlier run, made once. */
static void give_file(void)
{
    static char bytes[1 << 17];
    static size_t size;
    if (size == 0) {
        run_once(CACHE_FILE_CEILING);
        FILE *made = fopen(path, "rb");
        assert_non_null(made);
        size = fread(bytes, 1, sizeof bytes, made);
        fclose(made);
        clock_now -= 200000;
    } else {
        FILE *copy = fopen(path, "wb");
        assert_non_null(copy);
        assert_int_equal(fwrite(bytes, 1, size, copy), size);
        fclose(copy);
    }
}

static void try_each_allocation(int file_exists, uint64_t ceiling)
{
    for (refuse_later_ones = 0; refuse_later_ones < 2; refuse_later_ones++) {
        for (long at = 1, done = 0; !done; at++) {
            void *nothing = NULL;
            assert_int_equal(make_folder(&nothing), 0);
            if (file_exists) give_file();
            long blocks = n_blocks;
            n_requests = n_refused = 0;
            refuse_at = at;
            struct outcome outcome = run_once(ceiling);
            refuse_at = 0;
            done = n_refused == 0;
            assert_int_equal(n_blocks, blocks);
            if (done) assert_int_equal(outcome.n_failures, 0);
            struct catalog_store store;
            open_store(&store);
            if (ceiling == CACHE_FILE_CEILING)
                for (int n = 0; n < outcome.n_kept; n++)
                    assert_int_equal(find_number(&store, n), 1);
            close_store(&store);
            if (at % 10 == 0) assert_true(is_sound());
            assert_int_equal(remove_folder(&nothing), 0);
        }
    }
}

static void test_new_file(void **state)
{
    (void)state;
    try_each_allocation(0, CACHE_FILE_CEILING);
}

static void test_known_file(void **state)
{
    (void)state;
    try_each_allocation(1, CACHE_FILE_CEILING);
}

static void test_while_forgetting(void **state)
{
    (void)state;
    try_each_allocation(1, 1);
}

int main(void)
{
    if (install_memory() != SQLITE_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_file),
        cmocka_unit_test(test_known_file),
        cmocka_unit_test(test_while_forgetting),
    };
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    sqlite3_shutdown();
    return n_failed != 0 || n_blocks != 0;
}

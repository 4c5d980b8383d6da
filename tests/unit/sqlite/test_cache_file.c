/*
 * test_cache_file.c: what one process sees of the cache file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sqlite/cache_folder.h"
#include "vector/codec.h"

/* ---- what it promises ------------------------------------------------------------------------ */

static void test_round_trip(void **state)
{
    (void)state;
    struct catalog_store store;
    open_store(&store);
    assert_int_equal(find_number(&store, 1), 0);
    for (int n = 0; n < 50; n++) assert_int_equal(keep_number(&store, n, NULL), 0);
    assert_int_equal(find_number(&store, 1), 1); /* before it is durable, too */
    assert_int_equal(flush_store(&store, NULL), 0);
    assert_int_equal(flush_store(&store, NULL), 0);
    for (int n = 0; n < 50; n++) assert_int_equal(find_number(&store, n), 1);
    assert_int_equal(find_number(&store, 50), 0);
    close_store(&store);

    open_store(&store);
    for (int n = 0; n < 50; n++) assert_int_equal(find_number(&store, n), 1);
    assert_int_equal(keep_number(&store, 50, NULL), 0);
    close_store(&store); /* flushes */
    open_store(&store);
    assert_int_equal(find_number(&store, 50), 1);
    close_store(&store);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors"), 51);
    assert_int_equal(other_sql("SELECT sum(length(key) = 32) FROM vectors"), 51);
    assert_true(is_sound());
}

static void test_every_size_of_vector(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 1000, 1536, VECTOR_MAX_DIMENSIONS};
    struct catalog_store store;
    float *vector = calloc(VECTOR_MAX_DIMENSIONS, sizeof *vector), *found;
    open_store(&store);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct store_key key = {"fake:model", sizes[i], 0, {"text", 4}};
        size_t n;
        vector[sizes[i] - 1] = (float)(i + 1);
        assert_int_equal(store.keep(store.context, &key, vector, sizes[i], NULL), 0);
        assert_int_equal(store.find(store.context, &key, &found, &n, NULL), 0);
        assert_int_equal(n, sizes[i]);
        assert_memory_equal(found, vector, n * sizeof *vector);
        memory_free(found);
    }
    close_store(&store);
    free(vector);
}

/* Each key differs from the first in one part, or in where one part ends and the next begins. */
static void test_every_part_of_the_key_counts(void **state)
{
    (void)state;
    static const struct store_key keys[] = {
        {"fake:model", 8, 1, {"text", 4}},  {"fake:mode", 8, 1, {"text", 4}},
        {"fake:model2", 8, 1, {"text", 4}}, {"fake:model", 0, 1, {"text", 4}},
        {"fake:model", 8, 2, {"text", 4}},  {"fake:model", 8, -1, {"text", 4}},
        {"fake:model", 8, 1, {"texts", 5}}, {"fake:model", 8, 1, {"tex", 3}},
        {"fake:model", 8, 1, {NULL, 0}},    {"fake:model", 8, 1, {"text\0", 5}},
        {"", 8, 1, {"fake:modeltext", 14}}, {"fake:modelt", 8, 1, {"ext", 3}},
        {"fake:model", 8, 1, {"Text", 4}},
    };
    const size_t n_keys = sizeof keys / sizeof *keys;
    struct catalog_store store;
    open_store(&store);
    for (size_t i = 0; i < n_keys; i++) {
        float vector[8] = {(float)i}, *found;
        size_t n;
        assert_int_equal(store.find(store.context, &keys[i], &found, &n, NULL), 0);
        assert_null(found);
        assert_int_equal(store.keep(store.context, &keys[i], vector, 8, NULL), 0);
    }
    for (size_t i = 0; i < n_keys; i++) {
        float *found;
        size_t n;
        assert_int_equal(store.find(store.context, &keys[i], &found, &n, NULL), 0);
        assert_int_equal(n, 8);
        assert_true(found[0] == (float)i);
        memory_free(found);
    }
    close_store(&store);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors"), n_keys);
    /* The key of the first, computed apart from this code: what is in files must stay readable. */
    assert_int_equal(
        other_sql("SELECT count(*) FROM vectors WHERE hex(key) = "
                  "'5D202259033F6581258227530FED09EB9CDE1B2820DA22AD2A2EA08236A49501'"),
        1);
}

static void test_keep_again_replaces(void **state)
{
    (void)state;
    struct catalog_store store;
    struct store_key key = {"fake:model", 0, 1, {"text", 4}};
    float vector[2] = {1, 2}, longer[3] = {3, 4, 5}, *found;
    size_t n;
    open_store(&store);
    assert_int_equal(store.keep(store.context, &key, vector, 2, NULL), 0);
    assert_int_equal(store.keep(store.context, &key, longer, 3, NULL), 0);
    assert_int_equal(store.find(store.context, &key, &found, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_memory_equal(found, longer, sizeof longer);
    memory_free(found);
    close_store(&store);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors"), 1);
}

static void test_refuses_what_is_no_vector(void **state)
{
    (void)state;
    struct catalog_store store;
    struct error err;
    struct store_key key = {"fake:model", 2, 1, {"text", 4}};
    float vector[3] = {1, 2, 3}, hostile[2] = {1, NAN};
    open_store(&store);
    assert_int_equal(store.keep(store.context, &key, vector, 3, &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, "cache.db': expected 2 dimensions, not 3"));
    assert_int_equal(store.keep(store.context, &key, hostile, 2, &err), ERROR_INVALID);
    assert_non_null(strstr(err.text, "component 1 is NaN"));
    assert_int_equal(store.keep(store.context, &key, vector, 0, &err), ERROR_INVALID);
    assert_int_equal(store.keep(store.context, &key, vector, SIZE_MAX, &err), ERROR_INVALID);
    assert_int_equal(flush_store(&store, &err), 0);
    close_store(&store);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors"), 0);
}

/* ---- the ceiling ----------------------------------------------------------------------------- */

static long file_size(const char *suffix)
{
    char name[160];
    struct stat status;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &status) == 0 ? (long)status.st_size : 0;
}

static void test_stays_below_the_ceiling(void **state)
{
    (void)state;
    struct catalog_store store;
    const uint64_t ceiling = (uint64_t)1 << 20;
    assert_int_equal(open_small(&store, ceiling, NULL), 0);
    for (int n = 0; n < 3000; n++) {
        clock_now++;
        assert_int_equal(keep_number(&store, n, NULL), 0);
        assert_int_equal(find_number(&store, n), 1); /* never forgets what it was just given */
        if (n % 20 != 19) continue;
        assert_int_equal(flush_store(&store, NULL), 0);
        assert_true(file_size("") <= (long)ceiling);
    }
    close_store(&store);
    assert_true(file_size("") <= (long)ceiling);
    int64_t n_left = other_sql("SELECT count(*) FROM vectors");
    assert_in_range(n_left, 500, 1000); /* full, and not emptied */
    assert_int_equal(open_small(&store, ceiling, NULL), 0);
    for (int n = 0; n < 3000; n++)
        assert_int_equal(find_number(&store, n), n >= 3000 - n_left); /* the newest are left */
    close_store(&store);
    assert_true(is_sound());
}

static void test_what_is_read_stays(void **state)
{
    (void)state;
    struct catalog_store store;
    assert_int_equal(open_small(&store, (uint64_t)1 << 20, NULL), 0);
    for (int n = 0; n < 2000; n++) {
        clock_now += 3600;
        assert_int_equal(keep_number(&store, n, NULL), 0);
        assert_int_equal(flush_store(&store, NULL), 0);
        assert_int_equal(find_number(&store, 0), 1);
        assert_int_equal(find_number(&store, 1), n >= 1);
    }
    assert_int_equal(find_number(&store, 2), 0);
    close_store(&store);
}

/* Reading alone writes nothing within a day, and the time of the last use after that. */
static void test_use_is_written_lazily(void **state)
{
    (void)state;
    struct catalog_store store;
    open_store(&store);
    for (int n = 0; n < 200; n++) assert_int_equal(keep_number(&store, n, NULL), 0);
    assert_int_equal(flush_store(&store, NULL), 0);
    clock_now += 80000;
    for (int n = 0; n < 200; n++) assert_int_equal(find_number(&store, n), 1);
    assert_int_equal(flush_store(&store, NULL), 0);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors WHERE used > 1700000000"), 0);
    clock_now += 10000;
    for (int n = 0; n < 150; n++) assert_int_equal(find_number(&store, n), 1);
    assert_int_equal(flush_store(&store, NULL), 0);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors WHERE used = 1700090000"), 150);
    /* A row from the future comes back to the present. */
    other_sql("UPDATE vectors SET used = 9223372036854775807");
    assert_int_equal(find_number(&store, 7), 1);
    close_store(&store);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors WHERE used = 1700090000"), 1);
}

static void test_a_file_above_the_ceiling_shrinks(void **state)
{
    (void)state;
    struct catalog_store store;
    open_store(&store);
    for (int n = 0; n < 2000; n++) assert_int_equal(keep_number(&store, n, NULL), 0);
    close_store(&store);
    assert_int_equal(open_small(&store, 200000, NULL), 0);
    for (int n = 2000; n < 2010; n++) assert_int_equal(keep_number(&store, n, NULL), 0);
    for (int n = 2000; n < 2010; n++) assert_int_equal(find_number(&store, n), 1);
    close_store(&store);
    assert_true(other_sql("SELECT (SELECT page_count FROM pragma_page_count) - "
                          "(SELECT freelist_count FROM pragma_freelist_count)") <= 200000 / 4096);
    /* Less than a single row needs: it keeps the last one. */
    assert_int_equal(open_small(&store, 1, NULL), 0);
    for (int n = 0; n < 3; n++) {
        assert_int_equal(keep_number(&store, n, NULL), 0);
        assert_int_equal(find_number(&store, n), 1);
    }
    close_store(&store);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors"), 1);
}

/* ---- files that are not ours ----------------------------------------------------------------- */

static char *read_file(size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc((size_t)1 << 20);
    assert_non_null(file);
    *size = fread(bytes, 1, (size_t)1 << 20, file);
    fclose(file);
    return bytes;
}

static void write_file(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* Is refused with this in the message, and not a byte of it changes. */
static void assert_refused(int code, const char *message)
{
    struct catalog_store store;
    struct error err = {0};
    size_t before, after;
    char *old = read_file(&before);
    int rc = open_small(&store, CACHE_FILE_CEILING, &err);
    char *new = read_file(&after);
    if (strstr(err.text, message) == NULL) fprintf(stderr, "got: %s\n", err.text);
    assert_int_equal(rc, code);
    assert_non_null(strstr(err.text, message));
    assert_non_null(strstr(err.text, path));
    assert_null(store.context);
    assert_int_equal(before, after);
    assert_memory_equal(old, new, before);
    free(old);
    free(new);
}

/* Leaves the database as a program does that crashed: with rows in its WAL. */
static void crash_with_a_wal(void)
{
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db;
        _exit(sqlite3_open(path, &db) != SQLITE_OK ||
              sqlite3_exec(db, "INSERT INTO t VALUES(1)", NULL, NULL, NULL) != SQLITE_OK);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(file_size("-wal") > 0);
}

static void test_other_applications(void **state)
{
    (void)state;
    other_sql("CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    assert_refused(ERROR_INVALID, "the database of another application");
    other_sql("PRAGMA application_id = 77; DROP TABLE t");
    assert_refused(ERROR_INVALID, "the database of another application");
    other_sql("PRAGMA application_id = 0; PRAGMA user_version = 1");
    assert_refused(ERROR_INVALID, "the database of another application");
    other_sql("PRAGMA user_version = 0; PRAGMA journal_mode = wal; CREATE TABLE t(x)");
    assert_refused(ERROR_INVALID, "the database of another application");
    crash_with_a_wal();
    long size = file_size("-wal");
    assert_refused(ERROR_INVALID, "the database of another application");
    assert_int_equal(file_size("-wal"), size);
    assert_int_equal(other_sql("SELECT count(*) FROM t"), 1);
}

static void test_versions_and_changed_tables(void **state)
{
    (void)state;
    struct catalog_store store;
    open_store(&store);
    assert_int_equal(keep_number(&store, 1, NULL), 0);
    close_store(&store);
    other_sql("PRAGMA user_version = 2");
    assert_refused(ERROR_INVALID, "expected version 1 of the cache, not 2");
    other_sql("PRAGMA user_version = 1; CREATE TABLE mine(x)");
    assert_refused(ERROR_INVALID, "its tables were changed");
    other_sql("DROP TABLE mine; "
              "CREATE TRIGGER t AFTER INSERT ON vectors BEGIN DELETE FROM vectors; END");
    assert_refused(ERROR_INVALID, "its tables were changed");
    other_sql("DROP TRIGGER t; ALTER TABLE vectors ADD COLUMN more TEXT");
    assert_refused(ERROR_INVALID, "its tables were changed");
    other_sql("ALTER TABLE vectors DROP COLUMN more; DROP INDEX vectors_by_use");
    assert_refused(ERROR_INVALID, "its tables were changed");
    /* What SQLite's own tools leave is no change. */
    other_sql("CREATE INDEX vectors_by_use ON vectors(used); ANALYZE; VACUUM");
    open_store(&store);
    assert_int_equal(find_number(&store, 1), 1);
    close_store(&store);
}

static void test_not_a_database(void **state)
{
    (void)state;
    char bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 31 + i / 7);
    write_file(bytes, sizeof bytes);
    assert_refused(ERROR_INVALID, "file is not a database");
    write_file("my diary\n", 9);
    assert_refused(ERROR_INVALID, "file is not a database");
    struct catalog_store store;
    write_file("", 0); /* an empty file becomes a cache, as with every SQLite database */
    open_store(&store);
    assert_int_equal(keep_number(&store, 1, NULL), 0);
    close_store(&store);
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", ":memory:", "/nonexistent/folder/cache.db", "/tmp"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct catalog_store store;
        struct error err = {0};
        int rc = cache_file_open(wrong[i], &store, &err);
        assert_int_equal(rc, i < 2 ? ERROR_INVALID : ERROR_UNAVAILABLE);
        assert_non_null(strstr(err.text, i < 2 ? "expected the path of a file" : "unable to open"));
        assert_null(store.context);
    }
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void fill_file(int n)
{
    struct catalog_store store;
    open_store(&store);
    for (int i = 0; i < n; i++) assert_int_equal(keep_number(&store, i, NULL), 0);
    close_store(&store);
}

static void test_hostile_rows(void **state)
{
    (void)state;
    fill_file(20);
    /* STRICT keeps others from writing text; what is edited below SQL is tried by the next test. */
    other_sql("UPDATE vectors SET vector = x'' WHERE rowid = 1;"
              "UPDATE vectors SET vector = x'000000' WHERE rowid = 2;"
              "UPDATE vectors SET vector = zeroblob(1023) WHERE rowid = 3;"
              "UPDATE vectors SET vector = x'0000C07F' WHERE rowid = 4;" /* NaN */
              "UPDATE vectors SET vector = x'0000807F' WHERE rowid = 5;" /* infinity */
              "UPDATE vectors SET vector = zeroblob(4 * 65537) WHERE rowid = 6;"
              "UPDATE vectors SET vector = zeroblob(50000000) WHERE rowid = 7;"
              "UPDATE vectors SET used = -9223372036854775808 WHERE rowid = 8;"
              "UPDATE vectors SET key = x'00' WHERE rowid = 9;"
              "INSERT INTO vectors SELECT zeroblob(1000000), 5, x'00000000'");
    struct catalog_store store;
    open_store(&store);
    for (int n = 0; n < 20; n++) {
        assert_int_equal(find_number(&store, n), n >= 7 && n != 8);
        assert_int_equal(keep_number(&store, n, NULL), 0);
        assert_int_equal(find_number(&store, n), 1);
    }
    assert_int_equal(flush_store(&store, NULL), 0);
    close_store(&store);
    assert_true(is_sound());
    /* The dimensions that were asked for decide. */
    struct store_key key = {"fake:model", 4, 1, {"text", 4}};
    float vector[4] = {1, 2, 3, 4}, *found;
    size_t n;
    open_store(&store);
    assert_int_equal(store.keep(store.context, &key, vector, 4, NULL), 0);
    assert_int_equal(flush_store(&store, NULL), 0);
    other_sql("UPDATE vectors SET vector = x'0000803F' WHERE length(vector) = 16");
    assert_int_equal(store.find(store.context, &key, &found, &n, NULL), 0);
    assert_null(found);
    close_store(&store);
}

/* Whatever the bytes are: no crash, and what is given back has the shape of a vector. */
static void try_file(int n)
{
    struct catalog_store store;
    struct error err;
    if (open_small(&store, CACHE_FILE_CEILING, &err) != 0) {
        assert_non_null(strstr(err.text, path));
        return;
    }
    for (int i = 0; i < n; i++) {
        char text[32];
        float *vector;
        size_t dimensions;
        struct store_key key = numbered_key(i, text);
        store.find(store.context, &key, &vector, &dimensions, &err);
        for (size_t d = 0; vector != NULL && d < dimensions; d++) assert_true(isfinite(vector[d]));
        memory_free(vector);
    }
    clock_now += 100000;
    for (int i = n / 2; i < 2 * n; i++) {
        find_number(&store, i);
        keep_number(&store, i, &err);
    }
    flush_store(&store, &err);
    close_store(&store);
}

static void test_damaged_bytes(void **state)
{
    (void)state;
    size_t size;
    uint64_t random = 88172645463325252u;
    fill_file(60);
    char *bytes = read_file(&size), *damaged = malloc(size);
    for (int round = 0; round < 400; round++) {
        size_t n_changes = 1 + (size_t)(round % 20);
        memcpy(damaged, bytes, size);
        for (size_t i = 0; i < n_changes; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            /* Half of the changes in the first pages: the header, the schema, the roots. */
            size_t at = (size_t)(random >> 16) % (round % 2 == 0 ? size : 4 * 4096);
            damaged[at] = (char)random;
        }
        write_file(damaged, size);
        try_file(60);
    }
    free(bytes);
    free(damaged);
}

static void test_truncated(void **state)
{
    (void)state;
    size_t size;
    fill_file(60);
    char *bytes = read_file(&size);
    for (size_t left = 1; left < size; left += left < 200 ? 33 : 2039) {
        write_file(bytes, left);
        try_file(60);
    }
    free(bytes);
    /* Cut while it is open. */
    struct catalog_store store;
    unlink(path);
    fill_file(60);
    open_store(&store);
    assert_int_equal(find_number(&store, 1), 1);
    assert_int_equal(truncate(path, 9000), 0);
    for (int n = 0; n < 80; n++) {
        find_number(&store, n);
        keep_number(&store, n, NULL);
    }
    flush_store(&store, NULL);
    close_store(&store);
}

/* ---- rights ---------------------------------------------------------------------------------- */

/* The permissions of files mean nothing to root: the child is nobody. */
static int in_child_without_rights(int (*run)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(99);
        _exit(run());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int open_fails(void)
{
    struct catalog_store store;
    struct error err = {0};
    int rc = open_small(&store, CACHE_FILE_CEILING, &err);
    if (rc != ERROR_UNAVAILABLE || strstr(err.text, path) == NULL) {
        fprintf(stderr, "%d %s\n", rc, err.text);
        return 1;
    }
    return store.context != NULL;
}

static void test_read_only(void **state)
{
    (void)state;
    assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(in_child_without_rights(open_fails), 0); /* cannot be created */
    assert_int_equal(chmod(folder, 0755), 0);
    fill_file(3);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(in_child_without_rights(open_fails), 0); /* no place for the WAL */
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(in_child_without_rights(open_fails), 0); /* the file cannot be written */
    assert_int_equal(chmod(folder, 0755), 0);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(test_round_trip),
        FRESH(test_every_size_of_vector),
        FRESH(test_every_part_of_the_key_counts),
        FRESH(test_keep_again_replaces),
        FRESH(test_refuses_what_is_no_vector),
        FRESH(test_stays_below_the_ceiling),
        FRESH(test_what_is_read_stays),
        FRESH(test_use_is_written_lazily),
        FRESH(test_a_file_above_the_ceiling_shrinks),
        FRESH(test_other_applications),
        FRESH(test_versions_and_changed_tables),
        FRESH(test_not_a_database),
        FRESH(test_paths),
        FRESH(test_hostile_rows),
        FRESH(test_damaged_bytes),
        FRESH(test_truncated),
        FRESH(test_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_table_file.c: BLOBs read off the database file, beside what SQLite reads; when they are not,
 * and damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/each_allocation.h"
#include "base/memory.h"
#include "sqlite/blob_table.h"
#include "sqlite/table_file.h"

static const char *program;

/* As a search reads it, by that reader. */
static int read_row(struct table_file *table, size_t reader, int64_t id, void *bytes, size_t size)
{
    struct table_place place;
    return table_file_find(table, id, size, &place) &&
           table_file_read(table, reader, &place, bytes, size);
}

/* How many of all rows can be read; all that are read are right, by any reader. */
static int read_all(sqlite3 *db)
{
    struct table_file table;
    struct error err = {0};
    sqlite3_stmt *rows;
    int n = 0;
    assert_int_equal(table_file_open(&table, db, "main", "t T", MOST_LOG, &err), 0);
    assert_int_equal(table_file_share(&table, 2, &err), 0);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT id, bytes FROM \"T t\"", -1, &rows, NULL),
                     SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        size_t size = (size_t)sqlite3_column_bytes(rows, 1);
        unsigned char *bytes = malloc(size + 1);
        int64_t id = sqlite3_column_int64(rows, 0);
        assert_false(read_row(&table, 0, id, bytes, size + 1));
        assert_false(read_row(&table, 0, id, bytes, size - 1));
        assert_false(read_row(&table, 0, id + 2000, bytes, size));
        if (read_row(&table, (size_t)n % 2, id, bytes, size)) {
            assert_memory_equal(bytes, sqlite3_column_blob(rows, 1), size);
            n++;
        }
        free(bytes);
    }
    sqlite3_finalize(rows);
    table_file_close(&table);
    return n;
}

/* Within a transaction that has begun to read. */
static int read_within(sqlite3 *db)
{
    execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
    int n = read_all(db);
    execute(db, "COMMIT");
    return n;
}

static void test_like_sqlite(void **state)
{
    static const int page_sizes[] = {512, 1024, 4096, 65536};
    (void)state;
    for (int i = 0; i < 8; i++) {
        make(page_sizes[i % 4], i >= 4, "");
        sqlite3 *db = open_file();
        assert_int_equal(read_within(db), i < 4 ? N_ROWS : 68);
        sqlite3_close(db);
    }
}

static void test_what_the_transaction_sees(void **state)
{
    (void)state;
    make(4096, 0, "PRAGMA journal_mode = wal");
    sqlite3 *db = open_file(), *other = open_file();
    assert_int_equal(read_within(db), N_ROWS);
    /* No transaction, and one that has written. */
    struct table_file table;
    struct error err = {0};
    unsigned char byte;
    assert_int_equal(table_file_open(&table, db, "main", "T t", MOST_LOG, &err), 0);
    assert_false(read_row(&table, 0, -5, &byte, 1));
    table_file_close(&table);
    execute(db, "BEGIN; UPDATE \"T t\" SET bytes = x'00' WHERE id = -5");
    assert_int_equal(read_all(db), 0);
    execute(db, "ROLLBACK");
    /* Another's write is in the WAL: what it changed is not read, as it was or as it is. */
    execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
    assert_int_equal(table_file_open(&table, db, "main", "T t", MOST_LOG, &err), 0);
    execute(other, "UPDATE \"T t\" SET bytes = x'0102' WHERE id = -5");
    assert_true(read_row(&table, 0, -5, &byte, 1));
    table_file_close(&table);
    assert_in_range(read_all(db), 30, N_ROWS - 1);
    execute(other, "PRAGMA wal_checkpoint(PASSIVE)");
    assert_in_range(read_all(db), 30, N_ROWS - 1);
    execute(db, "COMMIT");
    assert_in_range(read_within(db), 30, N_ROWS - 1);
    assert_int_equal(table_file_open(&table, db, "main", "T t", 100, &err), 0); /* too large */
    assert_int_equal(table.n_readers, 0);
    table_file_close(&table);
    /* The log begins anew over the frames of the one before. */
    execute(other, "UPDATE \"T t\" SET bytes = zeroblob(length(bytes) + 5)");
    assert_int_equal(read_within(db), 0);
    execute(other, "PRAGMA wal_checkpoint(PASSIVE); INSERT INTO other VALUES (1, 2)");
    assert_int_equal(read_within(db), N_ROWS);
    execute(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(read_within(db), N_ROWS);
    sqlite3_close(other);
    /* In another mode. */
    execute(db, "PRAGMA journal_mode = delete");
    assert_int_equal(read_within(db), N_ROWS);
    execute(db, "BEGIN; UPDATE other SET a = 1; INSERT INTO other VALUES (1, 2)");
    assert_int_equal(read_all(db), 0);
    execute(db, "COMMIT; VACUUM; CREATE TABLE third(a)");
    assert_int_equal(read_within(db), N_ROWS);
    sqlite3_close(db);
}

static void patch(long at, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "r+b");
    fseek(file, at, SEEK_SET);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

/* A WAL that SQLite reads beside a file which is not in that mode by its first page; and what looks
 * like a database whose first bytes alone are not encrypted. */
static void test_misleading_header(void **state)
{
    (void)state;
    make(4096, 0, "PRAGMA journal_mode = wal");
    sqlite3 *writer = open_file();
    execute(writer, "UPDATE \"T t\" SET bytes = x'0102' WHERE id = -5");
    patch(18, "\1\1", 2);
    sqlite3 *db = open_file();
    assert_int_equal(read_within(db), 0);
    sqlite3_close(db);
    sqlite3_close(writer);
    make(4096, 0, "");
    db = open_file();
    assert_int_equal(read_within(db), N_ROWS);
    patch(72, "\1", 1);
    assert_int_equal(read_within(db), 0);
    sqlite3_close(db);
}

/* A connection that shares the cache may write, and move pages, at any time. */
static void test_shared_cache(void **state)
{
    sqlite3 *db, *writer;
    struct table_file table;
    struct error err = {0};
    unsigned char byte;
    (void)state;
    make(4096, 0, "");
    sqlite3_enable_shared_cache(1);
    db = open_file();
    assert_int_equal(read_within(db), N_ROWS);
    execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
    assert_int_equal(table_file_open(&table, db, "main", "T t", MOST_LOG, &err), 0);
    assert_true(read_row(&table, 0, -5, &byte, 1));
    writer = open_file();
    sqlite3_enable_shared_cache(0);
    execute(writer, "SELECT count(*) FROM other");
    assert_false(read_row(&table, 0, -5, &byte, 1));
    table_file_close(&table);
    execute(db, "COMMIT");
    assert_int_equal(read_within(db), 0);
    execute(writer, "BEGIN; INSERT INTO other VALUES (1, 2)");
    assert_int_equal(read_within(db), 0);
    execute(writer, "COMMIT");
    sqlite3_close(writer);
    assert_int_equal(read_within(db), N_ROWS);
    sqlite3_close(db);
}

/* Looked up before the schema was another. */
static void test_another_schema(void **state)
{
    struct table_file table;
    struct error err = {0};
    unsigned char byte;
    (void)state;
    make(4096, 0, "");
    sqlite3 *db = open_file();
    execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
    assert_int_equal(table_file_open(&table, db, "main", "T t", MOST_LOG, &err), 0);
    assert_true(read_row(&table, 0, -5, &byte, 1));
    execute(db, "COMMIT; CREATE TABLE third(a); BEGIN; SELECT count(*) FROM sqlite_master");
    assert_false(read_row(&table, 0, -5, &byte, 1));
    table_file_close(&table);
    assert_int_equal(table_file_open(&table, db, "main", "none", MOST_LOG, &err), 0);
    assert_false(read_row(&table, 0, -5, &byte, 1));
    table_file_close(&table);
    execute(db, "COMMIT");
    sqlite3_close(db);
    /* In a temporary file, which has some of it. */
    assert_int_equal(sqlite3_open("", &db), SQLITE_OK);
    execute(db, "PRAGMA cache_size = 10; CREATE TABLE \"T t\"(id INTEGER PRIMARY KEY, bytes BLOB);"
                "INSERT INTO \"T t\" VALUES (1, randomblob(200000)), (2, randomblob(300))");
    assert_int_equal(read_within(db), 0);
    execute(db, "UPDATE \"T t\" SET bytes = randomblob(300)");
    assert_int_equal(read_within(db), 0);
    sqlite3_close(db);
    /* In no file. */
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    execute(db, "CREATE TABLE \"T t\"(id INTEGER PRIMARY KEY, bytes BLOB);"
                "INSERT INTO \"T t\" VALUES (1, x'0102')");
    assert_int_equal(read_within(db), 0);
    sqlite3_close(db);
}

/* Bytes of any page are others: whatever is read then, nothing is read beyond what there is. */
static void test_damaged(void **state)
{
    uint64_t seed = 7;
    struct error err = {0};
    unsigned char *bytes = malloc(700000);
    (void)state;
    make(512, 1, "DELETE FROM \"T t\" WHERE length(bytes) > 5000; VACUUM");
    for (int i = 0; i < 60; i++) {
        struct table_file table;
        sqlite3 *db = open_file();
        execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
        assert_int_equal(table_file_open(&table, db, "main", "T t", MOST_LOG, &err), 0);
        FILE *file = fopen(path, "r+b");
        unsigned char old[4], other[4];
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        /* Mostly heads of pages, where it matters. */
        long at = (long)(seed >> 33) % (size - 600) + 500;
        if (i % 3 > 0) at = at / 512 * 512 + (long)(seed >> 20) % 16;
        for (int j = 0; j < 4; j++) other[j] = (unsigned char)(seed >> (24 + 8 * j));
        fseek(file, at, SEEK_SET);
        assert_int_equal(fread(old, 1, 4, file), 4);
        fseek(file, at, SEEK_SET);
        assert_int_equal(fwrite(other, 1, 4, file), 4);
        fflush(file);
        for (int64_t row = 0; row < 2 * N_ROWS; row++)
            for (int j = 0; j < 15; j++)
                if (size_of(j) <= 5000)
                    read_row(&table, 0, row / 2 * 3 - 50 + row % 2 * 1000, bytes,
                             (size_t)size_of(j));
        fseek(file, at, SEEK_SET);
        assert_int_equal(fwrite(old, 1, 4, file), 4);
        fclose(file);
        table_file_close(&table);
        sqlite3_close(db);
    }
    free(bytes);
}

/* ---- several readers ------------------------------------------------------------------------- */

static struct table_file open_table(sqlite3 *db, size_t n_readers)
{
    struct table_file table;
    struct error err = {0};
    assert_int_equal(table_file_open(&table, db, "main", "T t", MOST_LOG, &err), 0);
    assert_int_equal(table_file_share(&table, n_readers, &err), 0);
    return table;
}

/* What threads read at once. */
struct reads {
    struct table_file *table;
    struct table_place places[N_ROWS];
    unsigned char *bytes[4][N_ROWS];
    atomic_int n_failed;
};

static void read_places(void *context, size_t number)
{
    struct reads *reads = context;
    for (size_t i = 0; i < N_ROWS; i++)
        if (!table_file_read(reads->table, number, &reads->places[i], reads->bytes[number][i],
                             (size_t)size_of((int)i + 1)))
            atomic_fetch_add(&reads->n_failed, 1);
}

static void test_threads(void **state)
{
    static struct reads reads;
    (void)state;
    make(4096, 0, "PRAGMA journal_mode = wal");
    sqlite3 *db = open_file();
    execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
    struct table_file table = open_table(db, 4);
    assert_int_equal(table.n_readers, 4);
    reads.table = &table;
    for (int i = 0; i < N_ROWS; i++) {
        size_t size = (size_t)size_of(i + 1);
        assert_true(table_file_find(&table, (i + 1) * 3 - 50, size, &reads.places[i]));
        for (int t = 0; t < 4; t++) reads.bytes[t][i] = malloc(size);
    }
    workers_run(4, read_places, &reads);
    assert_int_equal(reads.n_failed, 0);
    for (int i = 0; i < N_ROWS; i++) {
        unsigned char *own = malloc((size_t)size_of(i + 1));
        assert_true(read_row(&table, 0, (i + 1) * 3 - 50, own, (size_t)size_of(i + 1)));
        for (int t = 0; t < 4; t++) {
            assert_memory_equal(reads.bytes[t][i], own, (size_t)size_of(i + 1));
            free(reads.bytes[t][i]);
        }
        free(own);
    }
    table_file_close(&table);
    sqlite3_close(db);
}

/* What another process may do with the file now: this program, called with the file and SQL. */
static int other_process(const char *sql)
{
    pid_t child = fork();
    int status = -1;
    if (child == 0) {
        execl(program, program, path, sql, (char *)NULL);
        _exit(9);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Opening and closing handles of the file leaves the locks of a transaction where they are; closing
 * another descriptor of it, as a program may, does not. */
static void test_locks(void **state)
{
    static const char *const modes[] = {"delete", "wal"};
    /* The first needs the file for itself, too. */
    static const char *const alone[] = {"BEGIN EXCLUSIVE", "PRAGMA journal_mode = delete"};
    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        char sql[64];
        snprintf(sql, sizeof sql, "PRAGMA journal_mode = %s", modes[mode]);
        make(4096, 0, sql);
        sqlite3 *db = open_file();
        for (int i = 0; i < 2; i++) {
            execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
            struct table_file table = open_table(db, 3);
            assert_int_equal(table.n_readers, 3);
            assert_int_equal(other_process(alone[mode]), SQLITE_BUSY);
            table_file_close(&table);
            assert_int_equal(other_process(alone[mode]), SQLITE_BUSY);
            if (i == 0) execute(db, "COMMIT");
        }
        close(open(path, O_RDONLY));
        assert_int_equal(other_process(alone[mode]), SQLITE_OK);
        sqlite3_close(db);
    }
}

static int n_descriptors(void)
{
    int n = 0;
    for (int i = 0; i < 256; i++) n += fcntl(i, F_GETFD) >= 0;
    return n;
}

/* SQLite puts off closing a file that is locked, and uses what is open again. */
static void test_descriptors(void **state)
{
    (void)state;
    for (int is_wal = 0; is_wal < 2; is_wal++) {
        make(4096, 0, is_wal ? "PRAGMA journal_mode = wal" : "");
        int before = n_descriptors(), most = 0;
        sqlite3 *db = open_file();
        for (int i = 0; i < 20; i++) {
            execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
            struct table_file table = open_table(db, 5);
            assert_int_equal(table.n_readers, 5);
            table_file_close(&table);
            if (i == 0) most = n_descriptors();
            assert_true(n_descriptors() <= most);
            if (i % 2) execute(db, "COMMIT; BEGIN; SELECT count(*) FROM sqlite_master");
            execute(db, "COMMIT");
        }
        sqlite3_close(db);
        assert_int_equal(n_descriptors(), before);
    }
}

/* A file that lies elsewhere, or with another in its place, has no other handle; nor has one where
 * no more files may be open. */
static void test_no_other_handle(void **state)
{
    char away[80], sql[160];
    struct rlimit limit, few;
    (void)state;
    make(4096, 0, "");
    snprintf(away, sizeof away, "%s.away", path);
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", away);
    sqlite3 *db = open_file();
    execute(db, sql);
    execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
    assert_int_equal(rename(away, path), 0);
    struct table_file table = open_table(db, 3);
    unsigned char byte;
    assert_int_equal(table.n_readers, 1);
    assert_true(read_row(&table, 0, -5, &byte, 1));
    table_file_close(&table);
    unlink(path);
    table = open_table(db, 3);
    assert_int_equal(table.n_readers, 1);
    table_file_close(&table);
    sqlite3_close(db);

    make(4096, 0, "");
    db = open_file();
    execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
    int before = n_descriptors();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    few.rlim_cur = (rlim_t)dup(0) + 2; /* one more may be open */
    close((int)few.rlim_cur - 2);
    few.rlim_cur -= 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    table = open_table(db, 3);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(table.n_readers, 2);
    assert_int_equal(n_descriptors(), before + 1);
    table_file_close(&table);
    sqlite3_close(db);
}

static int open_one(void *context, struct error *err)
{
    struct table_file table;
    int rc = table_file_open(&table, context, "main", "T t", MOST_LOG, err);
    if (rc == 0) rc = table_file_share(&table, 3, err);
    table_file_close(&table);
    return rc;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    make(4096, 0, "");
    sqlite3 *db = open_file();
    execute(db, "BEGIN; SELECT count(*) FROM sqlite_master");
    assert_true(each_allocation(open_one, db) > 0);
    execute(db, "COMMIT");
    sqlite3_close(db);
}

/* Of other_process(): what SQLite says. */
static int run_sql(const char *file, const char *sql)
{
    sqlite3 *db;
    int rc = sqlite3_open(file, &db);
    if (rc == SQLITE_OK) rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
    return rc & 255;
}

int main(int argc, char **argv)
{
    if (argc == 3) return run_sql(argv[1], argv[2]);
    program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_sqlite),       cmocka_unit_test(test_what_the_transaction_sees),
        cmocka_unit_test(test_misleading_header), cmocka_unit_test(test_shared_cache),
        cmocka_unit_test(test_another_schema),    cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_threads),           cmocka_unit_test(test_locks),
        cmocka_unit_test(test_descriptors),       cmocka_unit_test(test_no_other_handle),
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

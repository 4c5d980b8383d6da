/*
 * semantic_index in a program with threads and children: each thread has its own connection to one
 * file, all search and write at once, and share what is in memory. Built with SANITIZE=thread too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vector/random.h"

int sqlite3_rerank_init(sqlite3 *db, char **message, const void *api);

enum { DIMENSIONS = 192, ROWS = 3000, N_THREADS = 4, N_ROUNDS = 20 };

static char folder[64], path[96];

static const char *const kinds[] = {"", ", quantize=int8", ", quantize=bit",
                                    ", quantize=int8, partitions=6"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* Nothing here asserts: it runs in threads and children, where cmocka cannot. 0 is success. */
static int execute(sqlite3 *db, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments), *message = NULL;
    va_end(arguments);
    int rc = sqlite3_exec(db, sql, NULL, NULL, &message);
    if (rc != SQLITE_OK) fprintf(stderr, "%s: %s\n", sql, message != NULL ? message : "?");
    sqlite3_free(message);
    sqlite3_free(sql);
    return rc;
}

static int open_database(sqlite3 **db)
{
    int rc = sqlite3_open(path, db);
    if (rc == SQLITE_OK) rc = sqlite3_busy_timeout(*db, 60000);
    if (rc == SQLITE_OK) rc = execute(*db, "PRAGMA synchronous = off");
    if (rc == SQLITE_OK) rc = execute(*db, "SELECT rerank_config('threads', 3)");
    return rc;
}

static int put(sqlite3 *db, int kind, int64_t id, uint64_t seed)
{
    sqlite3_stmt *statement = NULL;
    float vector[DIMENSIONS];
    char *sql = sqlite3_mprintf("REPLACE INTO ix%d(rowid, embedding) VALUES (?, ?)", kind);
    random_vector(&seed, DIMENSIONS, vector);
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    sqlite3_free(sql);
    if (rc != SQLITE_OK) return rc;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_blob(statement, 2, vector, sizeof vector, SQLITE_STATIC);
    sqlite3_step(statement);
    return sqlite3_finalize(statement);
}

/* The nearest of the k rows found, and how many there were. */
static int search(sqlite3 *db, int kind, uint64_t seed, int k, int64_t *nearest, int *n)
{
    sqlite3_stmt *statement = NULL;
    float vector[DIMENSIONS];
    char *sql = sqlite3_mprintf("SELECT rowid FROM ix%d WHERE query = ? AND k = ?", kind);
    random_vector(&seed, DIMENSIONS, vector);
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    sqlite3_free(sql);
    if (rc != SQLITE_OK) return rc;
    sqlite3_bind_blob(statement, 1, vector, sizeof vector, SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, k);
    for (*n = 0; sqlite3_step(statement) == SQLITE_ROW; ++*n)
        if (*n == 0) *nearest = sqlite3_column_int64(statement, 0);
    return sqlite3_finalize(statement);
}

static int setup(void **state)
{
    (void)state;
    sqlite3 *db;
    snprintf(folder, sizeof folder, "/tmp/semantic_threads.XXXXXX");
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(path, sizeof path, "%s/index.db", folder);
    int rc = open_database(&db);
    if (rc == SQLITE_OK) rc = execute(db, "PRAGMA journal_mode = wal");
    for (int kind = 0; rc == SQLITE_OK && kind < N_KINDS; kind++) {
        rc = execute(db, "BEGIN; CREATE VIRTUAL TABLE ix%d USING semantic_index(dimensions=%d%s)",
                     kind, DIMENSIONS, kinds[kind]);
        for (int64_t id = 1; rc == SQLITE_OK && id <= ROWS; id++)
            rc = put(db, kind, id, (uint64_t)id);
        if (rc == SQLITE_OK) rc = execute(db, "COMMIT");
    }
    return sqlite3_close(db) != SQLITE_OK || rc != SQLITE_OK;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    return rmdir(folder);
}

struct job {
    pthread_t thread;
    int64_t number;
    const char *failure;
};

/* One round on one index: what this thread wrote is found, all rows are there. */
static const char *play(sqlite3 *db, int64_t number, int64_t round, uint64_t *random)
{
    int kind = (int)(round % N_KINDS), n;
    uint64_t seed = 1 + random_bits(random) % ROWS;
    int64_t nearest = 0;
    if (number % 2 == 0) {
        int64_t id = 10000 * (number + 1) + round;
        if (put(db, kind, id, (uint64_t)id) != SQLITE_OK) return "a write failed";
        if (search(db, kind, (uint64_t)id, 3, &nearest, &n) != SQLITE_OK) return "a search failed";
        if (nearest != id || n != 3) return "what was written is not found";
    }
    if (search(db, kind, seed, 5, &nearest, &n) != SQLITE_OK) return "a search failed";
    if (nearest != (int64_t)seed || n != 5) return "a row is not found";
    if (round % 7 != 0) return NULL;
    if (search(db, kind, seed, 1000000, &nearest, &n) != SQLITE_OK) return "a search failed";
    return n < ROWS || nearest != (int64_t)seed ? "a search of all rows lacks some" : NULL;
}

static void *work(void *data)
{
    struct job *job = data;
    uint64_t random = (uint64_t)job->number;
    sqlite3 *db = NULL;
    if (open_database(&db) != SQLITE_OK) job->failure = "cannot open the database";
    for (int64_t round = 0; job->failure == NULL && round < N_ROUNDS; round++) {
        if (round == N_ROUNDS / 2) { /* the last one to close a cache, and the first to open it */
            sqlite3_close(db);
            if (open_database(&db) != SQLITE_OK) job->failure = "cannot open the database";
        }
        if (job->failure == NULL) job->failure = play(db, job->number, round, &random);
    }
    if (sqlite3_close(db) != SQLITE_OK) job->failure = "a connection does not close";
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct job jobs[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        jobs[i] = (struct job){.number = i};
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
    }
    for (int i = 0; i < N_THREADS; i++) pthread_join(jobs[i].thread, NULL);
    for (int i = 0; i < N_THREADS; i++)
        if (jobs[i].failure != NULL) fail_msg("thread %d: %s", i, jobs[i].failure);
    sqlite3 *db;
    assert_int_equal(open_database(&db), SQLITE_OK);
    for (int kind = 0; kind < N_KINDS; kind++)
        assert_int_equal(
            execute(db, "INSERT INTO ix%d(ix%d) VALUES ('integrity-check')", kind, kind),
            SQLITE_OK);
    sqlite3_close(db);
}

/* In a child: a connection of its own, which searches and writes. */
static int child_fails(int kind)
{
    sqlite3 *db;
    int64_t nearest = 0, id = 70000 + kind;
    int n;
    int rc = open_database(&db);
    if (rc == SQLITE_OK) rc = search(db, kind, 17, 4, &nearest, &n);
    if (rc != SQLITE_OK || nearest != 17 || n != 4) return 1;
    if (put(db, kind, id, (uint64_t)id) != SQLITE_OK) return 2;
    if (search(db, kind, (uint64_t)id, 1, &nearest, &n) != SQLITE_OK || nearest != id) return 3;
    return sqlite3_close(db) == SQLITE_OK ? 0 : 4;
}

static void test_a_child(void **state)
{
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        sqlite3 *db;
        int64_t nearest = 0;
        int n, status = -1;
        assert_int_equal(open_database(&db), SQLITE_OK);
        assert_int_equal(search(db, kind, 5, 4, &nearest, &n), SQLITE_OK);
        assert_int_equal(nearest, 5);
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) _exit(child_fails(kind));
        assert_int_equal(search(db, kind, 6, 4, &nearest, &n), SQLITE_OK);
        assert_int_equal(nearest, 6);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(search(db, kind, 70000 + (uint64_t)kind, 1, &nearest, &n), SQLITE_OK);
        assert_int_equal(nearest, 70000 + kind);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_a_child),
    };
    if (sqlite3_auto_extension((void (*)(void))sqlite3_rerank_init) != SQLITE_OK) return 1;
    int failed = cmocka_run_group_tests(tests, setup, teardown);
    sqlite3_reset_auto_extension();
    return failed;
}

/*
 * test_cache_file_processes.c: several connections and processes on one cache file, locks that
 * stay, and a writer that is killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "sqlite/cache_folder.h"

static void test_two_connections(void **state)
{
    (void)state;
    struct catalog_store one, two;
    open_store(&one);
    open_store(&two);
    for (int n = 0; n < 40; n += 2) {
        assert_int_equal(keep_number(&one, n, NULL), 0);
        assert_int_equal(find_number(&two, n), 0); /* not before it is durable */
        assert_int_equal(flush_store(&one, NULL), 0);
        assert_int_equal(find_number(&two, n), 1);
        assert_int_equal(keep_number(&two, n + 1, NULL), 0);
        assert_int_equal(keep_number(&two, n, NULL), 0); /* paid for twice: either is right */
        assert_int_equal(flush_store(&two, NULL), 0);
        assert_int_equal(find_number(&one, n + 1), 1);
    }
    close_store(&one);
    close_store(&two);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors"), 40);
    assert_true(is_sound());
}

/* A lock that stays costs the patience once, not once a vector; what was kept before it is there,
 * and the store works again when the lock is gone. */
static void test_a_lock_that_stays(void **state)
{
    (void)state;
    struct cache_file_limits limits = {CACHE_FILE_CEILING, read_clock, 400};
    struct catalog_store store;
    struct error err;
    sqlite3 *other;
    assert_int_equal(cache_file_open_limited(path, &limits, &store, NULL), 0);
    assert_int_equal(keep_number(&store, 0, NULL), 0);
    assert_int_equal(flush_store(&store, NULL), 0);
    clock_now += 100000; /* so that `find` has something to write, too */
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    double start = clock_seconds();
    for (int n = 1; n < 200; n++) {
        assert_int_equal(keep_number(&store, n, &err), ERROR_UNAVAILABLE);
        assert_int_equal(err.storage_code, 0);
        assert_non_null(strstr(err.text, "cache.db': database is locked"));
        assert_int_equal(find_number(&store, 0), 1);
    }
    assert_int_equal(flush_store(&store, &err), ERROR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "cache.db': 199 vectors not stored"));
    assert_int_equal(flush_store(&store, &err), 0);
    assert_true(clock_seconds() - start < 5);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    for (int n = 1; n < 200; n++) assert_int_equal(keep_number(&store, n, NULL), 0);
    assert_int_equal(flush_store(&store, NULL), 0);
    close_store(&store);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors"), 200);
}

static void test_interrupt_of_the_user(void **state)
{
    (void)state;
    struct catalog_store store;
    sqlite3 *user;
    open_store(&store);
    assert_int_equal(sqlite3_open(":memory:", &user), SQLITE_OK);
    assert_int_equal(sqlite3_exec(user, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(keep_number(&store, 1, NULL), 0);
    sqlite3_interrupt(user);
    assert_int_equal(keep_number(&store, 2, NULL), 0);
    assert_int_equal(flush_store(&store, NULL), 0);
    assert_int_equal(sqlite3_exec(user, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(user), SQLITE_OK);
    assert_int_equal(find_number(&store, 1), 1);
    assert_int_equal(find_number(&store, 2), 1);
    close_store(&store);
}

/* The limit on the size of files is one of the process, so a child runs into it. */
static int run_into_a_full_disk(void)
{
    struct rlimit limit = {400000, 400000};
    struct catalog_store store;
    struct error err;
    int n_kept = 0, rc = 0;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    if (open_small(&store, CACHE_FILE_CEILING, &err) != 0) return 2;
    for (int n = 0; n < 500 && rc == 0; n++) {
        rc = keep_number(&store, n, &err);
        if (rc == 0 && n % 10 == 9) rc = flush_store(&store, &err);
        if (rc == 0 && n % 10 == 9) n_kept = n + 1;
    }
    if (rc != ERROR_UNAVAILABLE || err.storage_code != 0) return 3;
    flush_store(&store, &err);
    for (int n = 0; n < n_kept; n++)
        if (find_number(&store, n) != 1) return 4;
    if (find_number(&store, 499) != 0) return 5;
    close_store(&store);
    return n_kept >= 50 ? 0 : 6;
}

/* No room on the disk: the error comes back, what was flushed stays. */
static void test_full_disk(void **state)
{
    (void)state;
    int status;
    pid_t child = fork();
    if (child == 0) _exit(run_into_a_full_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct catalog_store store;
    open_store(&store);
    for (int n = 0; n < 50; n++) assert_int_equal(find_number(&store, n), 1);
    assert_int_equal(keep_number(&store, 499, NULL), 0);
    assert_int_equal(flush_store(&store, NULL), 0);
    close_store(&store);
    assert_true(is_sound());
}

/* ---- processes ------------------------------------------------------------------------------- */

#define N_PROCESSES 4
#define N_OWN 300
#define N_SHARED 50

/* Keeps texts that are its own and texts that the others keep too; a number says what failed. */
static int write_as(int process)
{
    struct cache_file_limits limits = {CACHE_FILE_CEILING, read_clock, 20000};
    struct catalog_store store;
    struct error err;
    if (cache_file_open_limited(path, &limits, &store, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (int i = 0; i < N_OWN; i++) {
        int own = 1000 * (process + 1) + i;
        if (find_number(&store, i % N_SHARED) < 0) return 2;
        if (keep_number(&store, i % N_SHARED, &err) != 0) return 3;
        if (keep_number(&store, own, &err) != 0) return 4;
        if (i % 7 == 6 && flush_store(&store, &err) != 0) return 5;
        if (find_number(&store, own) != 1) return 6;
    }
    close_store(&store);
    return 0;
}

static void test_processes_at_once(void **state)
{
    (void)state;
    pid_t children[N_PROCESSES];
    for (int i = 0; i < N_PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) _exit(write_as(i)); /* the file does not exist yet */
    }
    for (int i = 0; i < N_PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    struct catalog_store store;
    open_store(&store);
    for (int n = 0; n < N_SHARED; n++) assert_int_equal(find_number(&store, n), 1);
    for (int i = 0; i < N_PROCESSES; i++)
        for (int n = 0; n < N_OWN; n++)
            assert_int_equal(find_number(&store, 1000 * (i + 1) + n), 1);
    close_store(&store);
    assert_int_equal(other_sql("SELECT count(*) FROM vectors"), N_SHARED + N_PROCESSES * N_OWN);
    assert_int_equal(other_sql("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert_true(is_sound());
}

/* Says the last number of each flushed batch; never ends by itself. */
static void write_until_killed(int out, int first)
{
    struct catalog_store store;
    if (open_small(&store, CACHE_FILE_CEILING, NULL) != 0) _exit(1);
    for (int n = first;; n++) {
        if (keep_number(&store, n, NULL) != 0) _exit(2);
        if (n % 10 != 9) continue;
        if (flush_store(&store, NULL) != 0) _exit(3);
        if (write(out, &n, sizeof n) != sizeof n) _exit(4);
    }
}

/* Each writer dies at another moment, most of them inside a transaction. */
static void test_killed_writers(void **state)
{
    (void)state;
    int first = 0, n_flushed[12];
    for (int round = 0; round < 12; round++, first += 100000) {
        int ends[2], last = first - 1, n, status;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) write_until_killed(ends[1], first);
        close(ends[1]);
        for (int i = 0; i < 3 + 5 * round; i++)
            assert_int_equal(read(ends[0], &last, sizeof last), sizeof last);
        poll(NULL, 0, round % 4);
        kill(child, SIGKILL);
        while (read(ends[0], &n, sizeof n) == sizeof n) last = n;
        close(ends[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        n_flushed[round] = last - first + 1;
        struct catalog_store store;
        open_store(&store);
        for (int r = 0; r <= round; r++)
            for (int i = 0; i < n_flushed[r]; i++)
                assert_int_equal(find_number(&store, 100000 * r + i), 1);
        assert_int_equal(keep_number(&store, first + 99999, NULL), 0);
        assert_int_equal(flush_store(&store, NULL), 0);
        assert_int_equal(find_number(&store, first + 99999), 1);
        close_store(&store);
        assert_true(is_sound());
    }
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(test_two_connections),       FRESH(test_a_lock_that_stays),
        FRESH(test_interrupt_of_the_user), FRESH(test_full_disk),
        FRESH(test_processes_at_once),     FRESH(test_killed_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

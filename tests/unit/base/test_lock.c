#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"

enum { N_THREADS = 4, N_TURNS = 20000 };

static struct lock lock = LOCK_FREE;
static long counter; /* under the lock */

static void test_take_and_release(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(lock_take(&lock));
        lock_release(&lock);
    }
}

/* Whoever does not get it waits some milliseconds and goes on. */
static void test_held(void **state)
{
    (void)state;
    assert_true(lock_take(&lock));
    double start = clock_seconds();
    assert_false(lock_take(&lock));
    double waited = clock_seconds() - start;
    assert_true(waited >= 0.005 && waited < 5.0);
    lock_release(&lock);
    assert_true(lock_take(&lock));
    lock_release(&lock);
}

static void *count(void *data)
{
    size_t *n_taken = data;
    for (int i = 0; i < N_TURNS; i++) {
        if (!lock_take(&lock)) continue;
        counter++;
        ++*n_taken;
        lock_release(&lock);
    }
    return NULL;
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    pthread_t threads[N_THREADS];
    size_t n_taken[N_THREADS] = {0}, total = 0;
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, &n_taken[i]), 0);
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        total += n_taken[i];
    }
    assert_int_equal(counter, total);
    assert_true(total > N_TURNS);
}

/* A child that inherited it taken does not wait for ever. */
static void test_child(void **state)
{
    (void)state;
    assert_true(lock_take(&lock));
    pid_t child = fork();
    if (child == 0) _exit(lock_take(&lock) ? 1 : 0);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    lock_release(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_and_release),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

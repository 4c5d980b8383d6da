#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/workers.h"

enum { N = 10000 };

struct shared {
    atomic_size_t next, n_calls;
    atomic_int done[N];
    pthread_t caller;
    int first_is_the_caller;
};

static void count(void *context, size_t number)
{
    struct shared *shared = context;
    atomic_fetch_add(&shared->n_calls, 1);
    if (number == 0) shared->first_is_the_caller = pthread_equal(pthread_self(), shared->caller);
    for (size_t i; (i = atomic_fetch_add(&shared->next, 1)) < N;)
        atomic_fetch_add(&shared->done[i], 1);
}

static void test_each_piece_is_done_once(void **state)
{
    (void)state;
    static const size_t threads[] = {0, 1, 2, 3, 8, WORKERS_MAX, 1000};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        static struct shared shared;
        shared = (struct shared){.caller = pthread_self()};
        workers_run(threads[i], count, &shared);
        for (size_t j = 0; j < N; j++) assert_int_equal(shared.done[j], 1);
        assert_true(shared.first_is_the_caller);
        assert_true(shared.n_calls >= 1 && shared.n_calls <= WORKERS_MAX);
        if (threads[i] <= 1) assert_int_equal(shared.n_calls, 1);
    }
}

static void test_processors(void **state)
{
    (void)state;
    assert_true(workers_processors() >= 1 && workers_processors() <= WORKERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_piece_is_done_once),
        cmocka_unit_test(test_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

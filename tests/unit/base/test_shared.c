#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/shared.h"
#include "base/workers.h"

static atomic_int n_made, n_freed, is_failing;

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* Takes its time, so that others come meanwhile. */
static int make_number(void *context, void **thing, struct error *err)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    if (atomic_load(&is_failing)) return error_set(err, ERROR_UNAVAILABLE, "no number today");
    int *number = memory_alloc(1, sizeof *number);
    if (number == NULL) return error_nomem(err);
    *number = *(int *)context;
    atomic_fetch_add(&n_made, 1);
    *thing = number;
    return 0;
}

static void free_number(void *thing)
{
    atomic_fetch_add(&n_freed, 1);
    memory_free(thing);
}

static int take(const char *key, int number, struct shared **taken, struct error *err)
{
    struct shared_maker maker = {make_number, free_number, &number};
    return shared_take(span_of(key), &maker, NULL, taken, err);
}

static void reset(void)
{
    n_made = n_freed = is_failing = 0;
}

static void test_made_once_and_freed_with_the_last(void **state)
{
    (void)state;
    struct shared *a, *b, *c;
    reset();
    assert_int_equal(take("seven", 7, &a, NULL), 0);
    assert_int_equal(take("seven", 8, &b, NULL), 0);
    assert_int_equal(take("nine", 9, &c, NULL), 0);
    assert_ptr_equal(shared_thing(a), shared_thing(b));
    assert_int_equal(*(int *)shared_thing(b), 7);
    assert_int_equal(*(int *)shared_thing(c), 9);
    assert_int_equal(n_made, 2);
    shared_give(a);
    assert_int_equal(n_freed, 0);
    shared_give(b);
    shared_give(c);
    assert_int_equal(n_freed, 2);
    assert_int_equal(take("seven", 70, &a, NULL), 0);
    assert_int_equal(*(int *)shared_thing(a), 70);
    shared_give(a);
    shared_give(NULL);
}

static void test_a_failure_is_not_kept(void **state)
{
    (void)state;
    struct shared *taken;
    struct error err;
    reset();
    is_failing = 1;
    assert_int_equal(take("seven", 7, &taken, &err), ERROR_UNAVAILABLE);
    assert_null(taken);
    is_failing = 0;
    assert_int_equal(take("seven", 7, &taken, &err), 0);
    shared_give(taken);
}

static void take_at_once(void *context, size_t number)
{
    struct shared **all = context;
    if (take("crowd", (int)number, &all[number], NULL) != 0) all[number] = NULL;
}

static void test_who_comes_meanwhile_waits(void **state)
{
    (void)state;
    struct shared *all[8] = {NULL};
    reset();
    workers_run(8, take_at_once, all);
    assert_int_equal(n_made, 1);
    for (size_t i = 0; i < 8; i++) {
        assert_non_null(all[i]);
        assert_ptr_equal(shared_thing(all[i]), shared_thing(all[0]));
    }
    for (size_t i = 1; i < 8; i++) shared_give(all[i]);
    assert_int_equal(n_freed, 0);
    shared_give(all[0]);
    assert_int_equal(n_freed, 1);
}

static void test_who_waits_for_a_failure_tries_himself(void **state)
{
    (void)state;
    struct shared *all[8] = {NULL};
    reset();
    is_failing = 1;
    workers_run(8, take_at_once, all);
    for (size_t i = 0; i < 8; i++) assert_null(all[i]);
}

static int requested(void *context)
{
    return (*(int *)context)++ >= 2;
}

static void interrupt_waiting(void *context, size_t number)
{
    int *rc = context, polls = 0, seven = 7;
    struct cancel cancel = {requested, &polls};
    struct shared_maker maker = {make_number, free_number, &seven};
    struct shared *taken;
    if (number == 1) nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    rc[number] = shared_take(span_of("slow"), &maker, number == 1 ? &cancel : NULL, &taken, NULL);
    shared_give(taken);
}

static void test_waiting_is_interrupted(void **state)
{
    (void)state;
    int rc[2] = {-1, -1};
    reset();
    workers_run(2, interrupt_waiting, rc);
    assert_int_equal(rc[0], 0);
    assert_true(rc[1] == ERROR_INTERRUPTED || rc[1] == 0); /* 0: the other one began too late */
    assert_int_equal(n_made, n_freed);
}

static void hold_while_forking(void *context, size_t number)
{
    struct shared *taken;
    int *status = context;
    if (number == 0) {
        if (take("forked", 1, &taken, NULL) == 0) shared_give(taken);
        return;
    }
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    pid_t child = fork();
    if (child == 0) {
        int rc = take("forked", 2, &taken, NULL);
        _exit(rc == 0 && *(int *)shared_thing(taken) == 2 ? 0 : 1);
    }
    waitpid(child, status, 0);
}

static void test_a_child_makes_what_its_parent_was_making(void **state)
{
    (void)state;
    int status = -1;
    reset();
    workers_run(2, hold_while_forking, &status);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_once_and_freed_with_the_last),
        cmocka_unit_test(test_a_failure_is_not_kept),
        cmocka_unit_test(test_who_comes_meanwhile_waits),
        cmocka_unit_test(test_who_waits_for_a_failure_tries_himself),
        cmocka_unit_test(test_waiting_is_interrupted),
        cmocka_unit_test(test_a_child_makes_what_its_parent_was_making),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

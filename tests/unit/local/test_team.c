#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "base/workers.h"
#include "local/team.h"

enum { STEPS = 200, ITEMS = 37, MEMBERS = 5 };

struct course {
    struct team team;
    struct team_step steps[STEPS];
    struct halt halt;
    atomic_int counts[STEPS][ITEMS];
    atomic_int n_early; /* items that were begun before the step before was done */
    size_t absent;      /* this member never comes */
    size_t late;        /* and this one comes when others are half way */
};

/* What an item is told: the course, and the step it belongs to. */
struct place {
    struct course *course;
    size_t step;
};

static void count_item(void *context, struct team_member *member, size_t i)
{
    const struct place *place = context;
    struct course *course = place->course;
    (void)member;
    atomic_fetch_add(&course->counts[place->step][i], 1);
    if (place->step == 0) return;
    for (size_t j = 0; j < ITEMS; j++)
        if (atomic_load(&course->counts[place->step - 1][j]) != 1)
            atomic_fetch_add(&course->n_early, 1);
}

static void go(void *context, size_t number)
{
    struct course *course = context;
    struct team_member member = {.team = &course->team, .number = number, .is_caller = number == 0};
    if (number == course->absent) return;
    if (number == course->late) nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
    for (size_t step = 0; step < STEPS; step++) {
        struct place place = {course, step};
        team_step(&member, ITEMS, count_item, &place);
    }
}

static void run(size_t n_members, size_t absent, size_t late)
{
    static struct course course;
    course = (struct course){.absent = absent, .late = late};
    course.team = (struct team){n_members, course.steps, &course.halt};
    halt_init(&course.halt, NULL);
    workers_run(n_members, go, &course);
    assert_int_equal(course.n_early, 0);
    for (size_t step = 0; step < STEPS; step++)
        for (size_t i = 0; i < ITEMS; i++) assert_int_equal(course.counts[step][i], 1);
}

static void test_each_item_once_and_steps_in_order(void **state)
{
    (void)state;
    for (size_t n = 1; n <= MEMBERS; n++) run(n, MEMBERS, MEMBERS);
}

static void test_members_that_are_late_or_absent(void **state)
{
    (void)state;
    run(4, 2, 9);
    run(4, 9, 1);
    run(4, 3, 0);
}

static int requested(void *context)
{
    return ++*(int *)context > 2;
}

static void slow_item(void *context, struct team_member *member, size_t i)
{
    (void)member;
    (void)i;
    atomic_fetch_add((atomic_int *)context, 1);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

struct slow {
    struct team team;
    struct team_step step;
    struct halt halt;
    atomic_int n_items;
};

static void go_slowly(void *context, size_t number)
{
    struct slow *slow = context;
    struct team_member member = {.team = &slow->team, .number = number, .is_caller = number == 0};
    team_step(&member, 100000, slow_item, &slow->n_items);
}

static void test_a_halt_reaches_all(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 3; n++) {
        int polls = 0;
        struct cancel cancel = {requested, &polls};
        struct slow slow = {.team = {n, &slow.step, &slow.halt}};
        halt_init(&slow.halt, &cancel);
        workers_run(n, go_slowly, &slow);
        assert_true(atomic_load(&slow.halt.is_halted));
        assert_true(atomic_load(&slow.n_items) < 10000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_item_once_and_steps_in_order),
        cmocka_unit_test(test_members_that_are_late_or_absent),
        cmocka_unit_test(test_a_halt_reaches_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_ids.c: lists of ids: sorted, kept, dropped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ids.h"

static void fill(struct ids *ids)
{
    static const int64_t given[] = {5, INT64_MIN, 7, 5, 0, INT64_MAX, 7};
    struct error err;
    assert_int_equal(ids_init(ids, &err), 0);
    assert_non_null(ids->items);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        assert_int_equal(ids_add(ids, given[i], &err), 0);
    ids_sort(ids);
}

static void expect(struct ids *ids, const int64_t *wanted, size_t n)
{
    assert_int_equal(ids->n, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(ids->items[i], wanted[i]);
    ids_deinit(ids);
}

static void sorted_each_once(void **state)
{
    (void)state;
    struct ids ids;
    fill(&ids);
    expect(&ids, (const int64_t[]){INT64_MIN, 0, 5, 7, INT64_MAX}, 5);
}

static void some_are_kept_or_dropped(void **state)
{
    (void)state;
    const int64_t others[] = {INT64_MIN, 1, 5, 6, INT64_MAX};
    struct ids ids;
    fill(&ids);
    ids_keep(&ids, others, 5);
    expect(&ids, (const int64_t[]){INT64_MIN, 5, INT64_MAX}, 3);
    fill(&ids);
    ids_drop(&ids, others, 5);
    expect(&ids, (const int64_t[]){0, 7}, 2);
    fill(&ids);
    ids_drop(&ids, others, 0);
    assert_int_equal(ids.n, 5);
    ids_keep(&ids, others, 0);
    expect(&ids, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_each_once),
        cmocka_unit_test(some_are_kept_or_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

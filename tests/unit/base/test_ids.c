/*
 * test_ids.c: lists of ids: sorted, kept, dropped; as bits.
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

static void in_order_they_stay(void **state)
{
    (void)state;
    struct ids ids = {0};
    ids_sort(&ids);
    assert_int_equal(ids.n, 0);
    for (int64_t i = -2; i < 3; i++) assert_int_equal(ids_add(&ids, i, NULL), 0);
    ids_sort(&ids);
    expect(&ids, (const int64_t[]){-2, -1, 0, 1, 2}, 5);
}

/* Those that lie dense; not those that would take more memory than the list. */
static void as_bits(void **state)
{
    (void)state;
    static const int64_t steps[] = {1, 3, 64, 65, 1000}, firsts[] = {INT64_MIN, -100, 0, 7};
    struct ids ids = {0};
    struct ids_bits bits;
    assert_int_equal(ids_bits_init(&bits, &ids, NULL), 0);
    assert_null(bits.words);
    for (size_t i = 0; i < 20; i++) {
        int64_t step = steps[i % 5], first = firsts[i / 5], last = first + 999 * step;
        ids.n = 0;
        for (int64_t id = first; id <= last; id += step) ids_add(&ids, id, NULL);
        assert_int_equal(ids_bits_init(&bits, &ids, NULL), 0);
        assert_int_equal(bits.words != NULL, step <= 64);
        for (int64_t at = 0; bits.words != NULL && at <= 999 * step; at++)
            assert_int_equal(ids_bits_have(&bits, first + at), at % step == 0);
        if (bits.words != NULL) {
            assert_false(ids_bits_have(&bits, last + 1));
            assert_false(ids_bits_have(&bits, INT64_MAX));
            if (first > INT64_MIN) assert_false(ids_bits_have(&bits, first - 1));
            if (first > INT64_MIN) assert_false(ids_bits_have(&bits, INT64_MIN));
        }
        ids_bits_deinit(&bits);
    }
    ids.n = 1;
    ids_add(&ids, INT64_MAX, NULL);
    ids.items[0] = INT64_MIN;
    assert_int_equal(ids_bits_init(&bits, &ids, NULL), 0);
    assert_null(bits.words);
    ids.n = 1;
    assert_int_equal(ids_bits_init(&bits, &ids, NULL), 0);
    assert_true(ids_bits_have(&bits, INT64_MIN) && !ids_bits_have(&bits, INT64_MIN + 1));
    ids_bits_deinit(&bits);
    ids_deinit(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_each_once),
        cmocka_unit_test(some_are_kept_or_dropped),
        cmocka_unit_test(in_order_they_stay),
        cmocka_unit_test(as_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

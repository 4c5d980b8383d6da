#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/pages.h"

/* Sizes around each at which something changes. */
static const size_t sizes[] = {1,
                               4095,
                               4096,
                               4097,
                               PAGES_HUGE / 2 - 4097,
                               PAGES_HUGE / 2 - 1,
                               PAGES_HUGE / 2,
                               PAGES_HUGE / 2 + 1,
                               PAGES_HUGE - 1,
                               PAGES_HUGE,
                               PAGES_HUGE + 1,
                               5 * PAGES_HUGE + 4095};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

/* Rounding what was rounded changes nothing: memory is given back by either size. */
static void test_rounding(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SIZES; i++) {
        size_t rounded = pages_round(sizes[i]);
        assert_true(rounded >= sizes[i] && rounded % 4096 == 0);
        assert_true(rounded - sizes[i] < PAGES_HUGE);
        assert_int_equal(pages_round(rounded), rounded);
        if (rounded >= PAGES_HUGE) assert_int_equal(rounded % PAGES_HUGE, 0);
    }
    assert_int_equal(pages_round(SIZE_MAX), 0);
    assert_int_equal(pages_round(SIZE_MAX - PAGES_HUGE + 1), 0);
}

static void test_memory(void **state)
{
    (void)state;
    unsigned char *pages[N_SIZES];
    for (size_t i = 0; i < N_SIZES; i++) {
        size_t rounded = pages_round(sizes[i]);
        pages[i] = pages_alloc(sizes[i]);
        assert_non_null(pages[i]);
        assert_int_equal((uintptr_t)pages[i] % (rounded >= PAGES_HUGE ? PAGES_HUGE : 4096), 0);
        for (size_t at = 0; at < rounded; at += 512) assert_int_equal(pages[i][at], 0);
        memset(pages[i], (int)i + 1, rounded);
    }
    /* Every second one goes, by its own size or by what it was rounded to; its neighbours stay. */
    for (size_t i = 0; i < N_SIZES; i += 2)
        pages_free(pages[i], i % 4 == 0 ? sizes[i] : pages_round(sizes[i]));
    for (size_t i = 1; i < N_SIZES; i += 2) {
        for (size_t at = 0; at < sizes[i]; at += 512) assert_int_equal(pages[i][at], i + 1);
        pages_free(pages[i], pages_round(sizes[i]));
    }
}

static void test_nothing(void **state)
{
    (void)state;
    assert_null(pages_alloc(SIZE_MAX));
    assert_null(pages_alloc(SIZE_MAX - PAGES_HUGE));
    assert_null(pages_alloc(SIZE_MAX / 2));
    pages_free(NULL, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

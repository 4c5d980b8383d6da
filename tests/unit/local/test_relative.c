#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "local/relative.h"

/* Where the buckets of a side begin. */
static const size_t starts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};

static void test_buckets(void **state)
{
    (void)state;
    for (size_t bucket = 0; bucket < 16; bucket++) {
        ptrdiff_t first = (ptrdiff_t)starts[bucket];
        ptrdiff_t next = bucket < 15 ? (ptrdiff_t)starts[bucket + 1] : 1 << 20;
        assert_int_equal(relative_bucket(-first), bucket);
        assert_int_equal(relative_bucket(1 - next), bucket);
        if (first > 0) assert_int_equal(relative_bucket(first), 16 + bucket);
        if (next > 1) assert_int_equal(relative_bucket(next - 1), 16 + bucket);
    }
    assert_int_equal(relative_bucket(PTRDIFF_MAX), 31);
    assert_int_equal(relative_bucket(-PTRDIFF_MAX), 15);
}

/* The formula as it is printed, but where it meets a whole number, which rounding may miss. */
static void test_the_formula(void **state)
{
    (void)state;
    for (ptrdiff_t n = 8; n < 1000; n++) {
        double exact = log((double)n / 8) / log(128.0 / 8) * 8;
        if (fabs(exact - rint(exact)) < 1e-9) exact = rint(exact);
        double bucket = fmin(15, 8 + floor(exact));
        assert_int_equal(relative_bucket(-n), (size_t)bucket);
        assert_int_equal(relative_bucket(n), 16 + (size_t)bucket);
    }
}

static void test_spread(void **state)
{
    (void)state;
    enum { HEADS = 3, REACH = 100 };
    float buckets[RELATIVE_BUCKETS * HEADS], biases[HEADS * (2 * REACH - 1)];
    for (size_t i = 0; i < RELATIVE_BUCKETS * HEADS; i++) buckets[i] = (float)i;
    for (size_t reach = 1; reach <= REACH; reach += 33) {
        relative_spread(buckets, HEADS, reach, biases);
        for (size_t head = 0; head < HEADS; head++)
            for (size_t i = 0; i < 2 * reach - 1; i++) {
                ptrdiff_t distance = (ptrdiff_t)i - (ptrdiff_t)reach + 1;
                assert_true(biases[head * (2 * reach - 1) + i] ==
                            buckets[relative_bucket(distance) * HEADS + head]);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_the_formula),
        cmocka_unit_test(test_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

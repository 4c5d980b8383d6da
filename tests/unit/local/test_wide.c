/*
 * Which inputs are wide.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "local/wide.h"

#define N 64

static void check(const struct local_wide *wide, size_t n, const size_t *inputs)
{
    assert_int_equal(wide->n, n);
    for (size_t k = 0; k < n; k++) assert_int_equal(wide->inputs[k], inputs[k]);
}

static void test_the_largest_ascend(void **state)
{
    (void)state;
    float sizes[N] = {[0] = 2, [7] = 4, [8] = 3, [40] = 9, [N - 1] = 3};
    const size_t wanted[LOCAL_WIDE] = {7, 40};
    struct local_wide wide = wide_largest(sizes, N);
    check(&wide, LOCAL_WIDE, wanted);
}

static void test_equal_ones_are_taken_in_their_order(void **state)
{
    (void)state;
    float sizes[N] = {0};
    const size_t wanted[LOCAL_WIDE] = {0, 1};
    struct local_wide wide = wide_largest(sizes, N);
    check(&wide, LOCAL_WIDE, wanted);
}

static void test_few_of_few_inputs(void **state)
{
    (void)state;
    float sizes[N] = {[5] = 1, [20] = 2};
    const size_t wanted[] = {5, 20};
    struct local_wide wide = wide_largest(sizes, 32);
    check(&wide, 2, wanted);
    wide = wide_largest(sizes, 31);
    check(&wide, 1, wanted + 1);
    wide = wide_largest(sizes, 15);
    check(&wide, 0, wanted);
}

static void test_a_norm_multiplies_what_comes(void **state)
{
    (void)state;
    float sizes[3] = {1, 1, 1}, added[3] = {0, 0, 6};
    const float weight[3] = {2, 1, -1}, bias[3] = {0, 3, 0};
    wide_pass_norm(sizes, 3, NULL, weight, bias);
    assert_true(fabs((double)sizes[0] - 2) < 1e-6);
    assert_true(fabs((double)sizes[1] - sqrt(10)) < 1e-6);
    assert_true(fabs((double)sizes[2] - 1) < 1e-6);
    /* Of 4, 10 and 1, in the mean 5, .6 stay; of the third coordinate's 36, in the mean 12, .4
     * come. */
    wide_pass_norm(sizes, 3, added, weight, bias);
    assert_true(fabs((double)sizes[0] - sqrt(4 * .6 * 4 / 5)) < 1e-6);
    assert_true(fabs((double)sizes[1] - sqrt(.6 * 10 / 5 + 9)) < 1e-6);
    assert_true(fabs((double)sizes[2] - sqrt(.6 / 5 + .4 * 3)) < 1e-6);
}

static void test_zeros_are_no_error(void **state)
{
    (void)state;
    float sizes[2] = {0, 0}, added[2] = {0, 0};
    const float weight[2] = {1, 1}, bias[2] = {0, 0};
    wide_pass_norm(sizes, 2, added, weight, bias);
    assert_true(sizes[0] == 0 && sizes[1] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_largest_ascend),
        cmocka_unit_test(test_equal_ones_are_taken_in_their_order),
        cmocka_unit_test(test_few_of_few_inputs),
        cmocka_unit_test(test_a_norm_multiplies_what_comes),
        cmocka_unit_test(test_zeros_are_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

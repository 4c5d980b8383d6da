/* Vectors of halves: what they keep, the same bits in every family, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "vector/distance.h"
#include "vector/families.h"
#include "vector/half.h"
#include "vector/random.h"

#define MOST 65536

static float vector[MOST], other[MOST], back[MOST];
static unsigned char half[2 * MOST + 1];

static uint16_t half_at(size_t i)
{
    uint16_t value;
    memcpy(&value, half + 1 + 2 * i, sizeof value);
    return value;
}

/* What IEEE 754 says of a binary16 number that is finite. */
static double meaning(unsigned bits)
{
    unsigned exponent = bits >> 10 & 31u, mantissa = bits & 0x3FFu;
    double magnitude =
        exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024.0 + mantissa, (int)exponent - 25);
    return bits & 0x8000u ? -magnitude : magnitude;
}

/* Each of the numbers is read as what it is, and written as itself; not numbers stay none. */
static void test_all_numbers(void **state)
{
    (void)state;
    int is_zero;
    for (size_t i = 0; i < MOST; i++) {
        uint16_t bits = (uint16_t)i;
        memcpy(half + 1 + 2 * i, &bits, sizeof bits);
    }
    assert_false(vector_half_is_valid(half + 1, MOST, &is_zero));
    vector_half_decode(half + 1, MOST, back);
    for (size_t i = 0; i < MOST; i++) {
        if ((i & 0x7C00u) == 0x7C00u) assert_true(!isfinite(back[i]));
        else assert_true((double)back[i] == meaning((unsigned)i));
        if (!isfinite(back[i])) back[i] = 1.0f;
    }
    memcpy(vector, back, sizeof vector);
    vector_half_encode(vector, MOST, half + 1);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal(half_at(i), (i & 0x7C00u) == 0x7C00u ? 0x3C00u : (unsigned)i);
}

static unsigned rounded(double value)
{
    vector[0] = (float)value;
    vector_half_encode(vector, 1, half + 1);
    return half_at(0);
}

/* To the nearest, ties to even, between any two neighbours. */
static void test_rounding(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 0x7BFFu; i++) {
        double low = meaning(i), high = meaning(i + 1), middle = (low + high) / 2;
        double step = (high - low) / 1024;
        assert_int_equal(rounded(middle), i % 2 == 0 ? i : i + 1);
        assert_int_equal(rounded(middle - step), i);
        assert_int_equal(rounded(-(middle + step)), 0x8000u | (i + 1));
    }
    assert_int_equal(rounded(1e-30), 0);
    assert_int_equal(rounded(65504.0), 0x7BFF);
}

/* Sums are those of what the bytes stand for, at odd addresses. */
static void test_sums(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 5, 8, 13, 31, 100, 384, 704, 1000, 1536, MOST};
    uint64_t seed = 9;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        double u = ((double)n / 16 + 16) * 0x1p-23;
        int is_zero;
        random_vector(&seed, n, other);
        random_vector(&seed, n, vector);
        assert_int_equal(vector_half_size(n), 2 * n);
        assert_true(vector_half_takes(vector, n));
        vector_half_encode(vector, n, half + 1);
        assert_true(vector_half_is_valid(half + 1, n, &is_zero) && !is_zero);
        vector_half_decode(half + 1, n, back);
        for (size_t i = 0; i < n; i++)
            assert_true(fabsf(back[i] - vector[i]) <= 0x1p-11f * fabsf(vector[i]) + 0x1p-25f);
        double size = vector_norm(other, n) * vector_norm(back, n);
        assert_true(fabs(vector_half_dot(other, half + 1, n) - vector_dot(other, back, n)) <=
                    u * size);
        double square = vector_half_square(half + 1, n);
        assert_true(fabs(square / vector_dot(back, back, n) - 1.0) <= u);
        double l2 = vector_half_squared_l2(other, half + 1, n);
        assert_true(fabs(l2 / vector_squared_l2(other, back, n) - 1.0) <= u);
        assert_true(vector_half_squared_l2(back, half + 1, n) == 0.0);
    }
}

/* Sums of queries near the ends of float32 are taken again. */
static void test_far_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < 64; i++) {
        vector[i] = i % 2 == 0 ? 65504.0f : -65504.0f;
        other[i] = i % 2 == 0 ? 1e37f : -1e37f;
    }
    vector_half_encode(vector, 64, half + 1);
    assert_true(fabs(vector_half_dot(other, half + 1, 64) / (64 * 65504e37) - 1.0) < 1e-6);
    assert_true(fabs(vector_half_squared_l2(other, half + 1, 64) / 64e74 - 1.0) < 1e-6);
    for (size_t i = 0; i < 64; i++) vector[i] = other[i] = 0.0f;
    vector[3] = VECTOR_HALF_LEAST;
    other[3] = 1e-38f;
    vector_half_encode(vector, 64, half + 1);
    assert_true(fabs(vector_half_dot(other, half + 1, 64) / (0x1p-14 * 1e-38) - 1.0) < 1e-6);
}

static void test_limits(void **state)
{
    (void)state;
    float few[4] = {0.0f};
    int is_zero;
    static const float inside[] = {0x1p-14f, 1.0f, -65504.0f};
    static const float outside[] = {6e-5f, -65505.0f, INFINITY, NAN};
    assert_true(vector_half_takes(few, 4));
    vector_half_encode(few, 4, half + 1);
    assert_true(vector_half_is_valid(half + 1, 4, &is_zero) && is_zero);
    for (size_t i = 0; i < 4; i++) {
        few[2] = outside[i];
        assert_false(vector_half_takes(few, 4));
        if (i == 3) break;
        few[2] = inside[i];
        assert_true(vector_half_takes(few, 4));
        vector_half_encode(few, 4, half + 1);
        assert_true(vector_half_is_valid(half + 1, 4, &is_zero) && !is_zero);
    }
    half[1 + 5] = 0x7C; /* the high byte of the third: infinite */
    assert_false(vector_half_is_valid(half + 1, 4, &is_zero));
    half[1 + 5] = 0x80;
    half[1 + 4] = 0; /* -0 */
    assert_true(vector_half_is_valid(half + 1, 4, &is_zero) && is_zero);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_numbers), cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_sums),        cmocka_unit_test(test_far_ends),
        cmocka_unit_test(test_limits),
    };
    return run_for_each_family(tests, sizeof tests / sizeof tests[0]);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "vector/distance.h"
#include "vector/families.h"
#include "vector/random.h"

#define N 70

static int is_near(double value, double expected)
{
    return fabs(value - expected) <= 1e-6 * fabs(expected);
}

static void test_known_values(void **state)
{
    (void)state;
    const float a[] = {1.0f, 2.0f, 3.0f}, b[] = {4.0f, -5.0f, 6.0f}, c[] = {3.0f, -4.0f};
    assert_true(vector_dot(a, b, 3) == 12.0);
    assert_true(vector_squared_l2(a, b, 3) == 67.0);
    assert_true(is_near(vector_cosine(a, b, 3), 12.0 / sqrt(14.0 * 77.0)));
    assert_true(vector_norm(c, 2) == 5.0);
    float unit[2];
    assert_int_equal(vector_normalize(c, 2, unit), 1);
    assert_true(unit[0] == 0.6f && unit[1] == -0.8f);
}

static void test_cosine_stays_in_its_range(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (size_t n = 1; n < 600; n++) {
        float a[600], opposite[600], longer[600];
        random_vector(&seed, n, a);
        for (size_t i = 0; i < n; i++) {
            opposite[i] = -a[i];
            longer[i] = a[i] * 3.3f;
        }
        assert_true(vector_cosine(a, a, n) == 1.0);
        assert_true(vector_cosine(a, opposite, n) == -1.0);
        double cosine = vector_cosine(a, longer, n);
        assert_true(cosine <= 1.0 && cosine > 1.0 - 1e-5);
        assert_true(vector_cosine(a, longer, n) == vector_cosine(longer, a, n));
    }
}

static void test_zero_vectors(void **state)
{
    (void)state;
    float zero[N] = {0.0f}, one[N] = {1.0f}, unit[1] = {7.0f};
    zero[3] = -0.0f;
    assert_true(isnan(vector_cosine(zero, one, N)) != 0);
    assert_true(isnan(vector_cosine(one, zero, N)) != 0);
    assert_true(isnan(vector_cosine(zero, zero, N)) != 0);
    assert_true(vector_norm(zero, N) == 0.0);
    assert_true(vector_dot(zero, one, N) == 0.0);
    assert_true(vector_squared_l2(one, one, N) == 0.0);
    assert_int_equal(vector_normalize(zero, N, unit), 0);
    assert_true(unit[0] == 7.0f);
}

/* Magnitudes whose squares are outside of float32 cost no accuracy. */
static void test_huge_and_tiny(void **state)
{
    (void)state;
    static const float scales[] = {FLT_MAX / 8, 1e30f, 1e-20f, 1e-30f, 1e-38f};
    uint64_t seed = 10;
    float a[N], b[N], scaled_a[N], scaled_b[N], unit[N];
    random_vector(&seed, N, a);
    random_vector(&seed, N, b);
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++) {
        double scale = (double)scales[s],
               loose = scale < 1e-37 ? 1e-4 : 1e-5; /* 1e-38 is denormal */
        for (size_t i = 0; i < N; i++) {
            scaled_a[i] = a[i] * scales[s];
            scaled_b[i] = b[i] * scales[s];
        }
        assert_true(fabs(vector_cosine(scaled_a, scaled_b, N) - vector_cosine(a, b, N)) < loose);
        assert_true(fabs(vector_cosine(scaled_a, b, N) - vector_cosine(a, b, N)) < loose);
        double dot = vector_dot(scaled_a, scaled_b, N) / scale / scale;
        assert_true(fabs(dot - vector_dot(a, b, N)) < loose * 100);
        double l2 = sqrt(vector_squared_l2(scaled_a, scaled_b, N)) / scale;
        assert_true(fabs(l2 / sqrt(vector_squared_l2(a, b, N)) - 1.0) < loose);
        assert_true(fabs(vector_norm(scaled_a, N) / scale / vector_norm(a, N) - 1.0) < loose);
        assert_int_equal(vector_normalize(scaled_a, N, unit), 1);
        assert_true(fabs(vector_norm(unit, N) - 1.0) < 1e-6);
    }
}

static void test_largest_vectors_stay_finite(void **state)
{
    (void)state;
    static float a[65536], b[65536];
    for (size_t i = 0; i < 65536; i++) {
        a[i] = FLT_MAX;
        b[i] = i % 2 == 0 ? FLT_MAX : -FLT_MAX;
    }
    double square = (double)FLT_MAX * (double)FLT_MAX;
    assert_true(is_near(vector_dot(a, a, 65536), 65536.0 * square));
    assert_true(vector_dot(a, b, 65536) == 0.0);
    assert_true(is_near(vector_squared_l2(a, b, 65536), 32768.0 * 4.0 * square));
    assert_true(vector_cosine(a, a, 65536) == 1.0);
    assert_true(vector_cosine(a, b, 65536) == 0.0);
    assert_true(is_near(vector_norm(a, 65536), 256.0 * (double)FLT_MAX));
}

static void test_normalize_in_place_at_odd_address(void **state)
{
    (void)state;
    uint64_t seed = 11;
    float a[N], unit[N], again[N];
    unsigned char bytes[4 * N + 1];
    random_vector(&seed, N, a);
    memcpy(bytes + 1, a, sizeof a);
    assert_int_equal(vector_normalize(bytes + 1, N, unit), 1);
    assert_true(vector_dot(bytes + 1, unit, N) > 0.0);
    assert_int_equal(vector_normalize(a, N, a), 1);
    assert_memory_equal(a, unit, sizeof a);
    assert_int_equal(vector_normalize(unit, N, again), 1);
    for (size_t i = 0; i < N; i++) assert_true(fabsf(again[i] - unit[i]) <= fabsf(unit[i]) * 1e-6f);
}

static void test_what_is_not_finite_shows(void **state)
{
    (void)state;
    float a[N], b[N];
    for (size_t at = 0; at < N; at++) {
        for (size_t i = 0; i < N; i++) a[i] = b[i] = i % 2 == 0 ? 0.0f : 1.0f;
        b[at] = at % 3 == 0 ? NAN : at % 3 == 1 ? INFINITY : -INFINITY;
        assert_true(!isfinite(vector_dot(a, b, N)));
        assert_true(!isfinite(vector_squared_l2(a, b, N)));
        assert_true(!isfinite(vector_cosine(a, b, N)));
    }
}

static void test_dots_of_rows(void **state)
{
    (void)state;
    uint64_t seed = 12;
    float vector[N], rows[7 * N], dots[7];
    random_vector(&seed, N, vector);
    random_vector(&seed, 7 * N, rows);
    vector_dots(vector, rows, 7, N, dots);
    for (size_t i = 0; i < 7; i++)
        assert_true(fabs((double)dots[i] - vector_dot(vector, rows + i * N, N)) < 1e-4);
    vector_dots(vector, rows, 0, N, NULL);
}

static void test_hamming(void **state)
{
    (void)state;
    const unsigned char a[] = {0x00, 0xFF, 0x0F, 0x80, 1, 2, 3, 4, 5, 6, 7},
                        b[] = {0x01, 0x00, 0xF0, 0x00, 1, 2, 3, 4, 5, 6, 4};
    assert_true(vector_hamming(a, b, 0) == 0);
    assert_true(vector_hamming(a, b, 1) == 1);
    assert_true(vector_hamming(a, b, 3) == 17);
    assert_true(vector_hamming(a, b, 11) == 20);
    assert_true(vector_hamming(a + 1, b + 1, 9) == 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_cosine_stays_in_its_range),
        cmocka_unit_test(test_zero_vectors),
        cmocka_unit_test(test_huge_and_tiny),
        cmocka_unit_test(test_largest_vectors_stay_finite),
        cmocka_unit_test(test_normalize_in_place_at_odd_address),
        cmocka_unit_test(test_what_is_not_finite_shows),
        cmocka_unit_test(test_dots_of_rows),
        cmocka_unit_test(test_hamming),
    };
    return run_for_each_family(tests, sizeof tests / sizeof tests[0]);
}

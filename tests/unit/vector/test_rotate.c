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
#include "vector/rotate.h"

#define MOST 65536

static const size_t sizes[] = {1, 2, 3, 5, 7, 8, 100, 384, 768, 1000, 1024, 1536, 4096, 65536};
#define SIZES (sizeof sizes / sizeof sizes[0])

static float a[MOST], b[MOST], rotated_a[MOST], rotated_b[MOST];

static void rotate_to(const float *vector, size_t n, float *rotated)
{
    memcpy(rotated, vector, n * sizeof *vector);
    vector_rotate(rotated, n);
}

static void test_keeps_norms_and_dots(void **state)
{
    (void)state;
    uint64_t seed = 30;
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        random_vector(&seed, n, a);
        random_vector(&seed, n, b);
        rotate_to(a, n, rotated_a);
        rotate_to(b, n, rotated_b);
        double norms = vector_norm(a, n) * vector_norm(b, n);
        assert_true(fabs(vector_norm(rotated_a, n) / vector_norm(a, n) - 1.0) < 1e-5);
        assert_true(fabs(vector_dot(rotated_a, rotated_b, n) - vector_dot(a, b, n)) < 1e-5 * norms);
    }
}

/* The images of the axes are orthogonal, each of length 1: no direction is lost. */
static void test_is_orthogonal(void **state)
{
    (void)state;
    enum { LARGEST = 40 };
    for (size_t n = 1; n <= LARGEST; n++) {
        float images[LARGEST][LARGEST] = {{0.0f}};
        for (size_t i = 0; i < n; i++) {
            images[i][i] = 1.0f;
            vector_rotate(images[i], n);
        }
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                assert_true(fabs(vector_dot(images[i], images[j], n) - (i == j)) < 1e-5);
    }
}

/* An axis becomes a vector without large components: of n numbers like noise of variance 1 / n
 * hardly any is beyond 6 standard deviations, and their fourth powers have a mean near 3 / n^2. */
static void test_spreads_an_axis(void **state)
{
    (void)state;
    static const size_t large[] = {384, 768, 1000, 1023, 1024, 1536, 3072, 4096};
    for (size_t s = 0; s < sizeof large / sizeof large[0]; s++) {
        size_t n = large[s];
        for (size_t axis = 0; axis < n; axis += axis < 3 || axis > n - 4 ? 1 : n / 9) {
            double fourth = 0.0, most = 0.0;
            memset(a, 0, n * sizeof *a);
            a[axis] = 1.0f;
            vector_rotate(a, n);
            for (size_t i = 0; i < n; i++) {
                double square = (double)a[i] * (double)a[i] * (double)n;
                fourth += square * square / (double)n;
                most = fmax(most, sqrt(square));
            }
            if (most > 6.0 || fourth > 4.5)
                fail_msg("axis %zu of %zu: largest %f, fourth moment %f", axis, n, most, fourth);
        }
    }
}

/* Part of the format of files: these bits never change. */
static void test_golden_bits(void **state)
{
    (void)state;
    static const uint32_t expected_6[6] = {0x401A6666, 0xBEE851E8, 0x3EC1EB82,
                                           0x3E23D70E, 0xBFB07AE0, 0xBD70A3D1};
    static const uint32_t expected_16[16] = {0x3FFA3D71, 0x404CCCCD, 0x3E428F64, 0x3F651EB3,
                                             0x4066147D, 0xBFDC28F6, 0x3FC147AC, 0x403051ED,
                                             0xC008F5C2, 0xBF9B851E, 0x3FDF5C2A, 0x3EFFFFFA,
                                             0x4005C28F, 0x3DD70A28, 0xBE5C28F4, 0x4005C28F};
    uint32_t bits[16];
    for (size_t i = 0; i < 16; i++) a[i] = (float)i * 0.37f - 1.9f;
    rotate_to(a, 6, rotated_a);
    memcpy(bits, rotated_a, sizeof expected_6);
    for (size_t i = 0; i < 6; i++) assert_int_equal(bits[i], expected_6[i]);
    rotate_to(a, 16, rotated_a);
    memcpy(bits, rotated_a, sizeof expected_16);
    for (size_t i = 0; i < 16; i++) assert_int_equal(bits[i], expected_16[i]);
}

/* One number made of all bits (FNV-1a). */
static uint64_t fnv(const float *vector, size_t n)
{
    uint64_t sum = 0xCBF29CE484222325u;
    for (size_t i = 0; i < 4 * n; i++)
        sum = (sum ^ ((const unsigned char *)vector)[i]) * 0x100000001B3u;
    return sum;
}

/* Of each size one such number, so that all families must agree on it. */
static void test_golden_sums(void **state)
{
    (void)state;
    static const uint64_t expected[SIZES] = {
        0xF3A9799CF5C677F4, 0x65B47A8755389B0C, 0x80EC6BEFE5C9AF37, 0x524169F6B053FAD3,
        0x441DBFC1409D903F, 0x5978385DB1452CEC, 0x41760D222E237F9B, 0x847737FABDD214DD,
        0x33E4D493B95B4AB5, 0x4C59777D00F448B6, 0xC080C984572B0165, 0x5485BB9E7685C477,
        0x90237387CEBD58F4, 0x3C618453D5554C65};
    for (size_t s = 0; s < SIZES; s++) {
        for (size_t i = 0; i < sizes[s]; i++)
            a[i] = (float)((i * 7919 + 13) % 1009) / 1009.0f - 0.5f;
        vector_rotate(a, sizes[s]);
        uint64_t sum = fnv(a, sizes[s]);
        if (sum != expected[s])
            fail_msg("%zu dimensions: 0x%016llX", sizes[s], (unsigned long long)sum);
    }
}

/* Back is where it was; all families agree on the bits of the way back, as on those of the way. */
static void test_back(void **state)
{
    (void)state;
    static const uint64_t expected[SIZES] = {
        0xF3A9799CF5C677F4, 0x65B47A8755389B0C, 0xA00B96D0F1EF3D85, 0x5DE7B41E16281580,
        0xEA8BCFD4FFC64299, 0x0C549513B18AC8AD, 0x6851DF866C8613C0, 0x1842435436E0AC03,
        0x7C6B9D2D448A7A2B, 0x5F2FD8A4C70B5B17, 0xA8E4EE76337098B5, 0xEDE1AEE971DC368C,
        0x7F6CFB122DDFDA86, 0x276FC30E44ECF4DB};
    uint64_t seed = 31;
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        random_vector(&seed, n, a);
        rotate_to(a, n, rotated_a);
        vector_rotate_back(rotated_a, n);
        assert_true(sqrt(vector_squared_l2(a, rotated_a, n)) < 1e-5 * vector_norm(a, n));
        for (size_t i = 0; i < n; i++) a[i] = (float)((i * 7919 + 13) % 1009) / 1009.0f - 0.5f;
        vector_rotate_back(a, n);
        if (fnv(a, n) != expected[s])
            fail_msg("%zu dimensions: 0x%016llX", n, (unsigned long long)fnv(a, n));
    }
}

static void test_extremes(void **state)
{
    (void)state;
    static const float extremes[] = {0.0f, 1e37f, 1e-37f, 0x1p-149f};
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        for (size_t e = 0; e < 4; e++) {
            for (size_t i = 0; i < n; i++) a[i] = i == n / 2 ? extremes[e] : 0.0f;
            rotate_to(a, n, rotated_a);
            double norm = vector_norm(rotated_a, n), least = 0x1p-148 * (double)n;
            assert_true(fabs(norm - (double)extremes[e]) <= 1e-5 * norm + least);
        }
        for (size_t i = 0; i < n; i++) a[i] = FLT_MAX / 2 / sqrtf((float)n);
        rotate_to(a, n, rotated_a);
        assert_true(fabs(vector_norm(rotated_a, n) / vector_norm(a, n) - 1.0) < 1e-5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_norms_and_dots),
        cmocka_unit_test(test_is_orthogonal),
        cmocka_unit_test(test_spreads_an_axis),
        cmocka_unit_test(test_golden_bits),
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_golden_sums),
        cmocka_unit_test(test_extremes),
    };
    return run_for_each_family(tests, sizeof tests / sizeof tests[0]);
}

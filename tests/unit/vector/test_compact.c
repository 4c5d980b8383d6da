/* Compact vectors: what they keep, to the bit in every family, and what is no compact vector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "vector/compact.h"
#include "vector/distance.h"
#include "vector/families.h"
#include "vector/random.h"
#include "vector/rotate.h"

#define MOST 4096

static const size_t sizes[] = {1, 2, 3, 5, 8, 13, 100, 384, 768, 1000, 1024, 1536, MOST};
#define SIZES (sizeof sizes / sizeof sizes[0])

static float vector[MOST], other[MOST], back[MOST], rotated[MOST], scratch[MOST];
static unsigned char compact[MOST + 5], again[MOST + 4];

/* Vectors of five kinds: noise; one component alone; some large components in all of them, as
 * embeddings have; components of one size; tiny or huge ones. */
static void make(uint64_t *seed, size_t n, size_t kind, float *made)
{
    random_vector(seed, n, made);
    for (size_t i = 0; i < n; i++) {
        if (kind == 1) made[i] = i == n / 3 ? -3.0f : 0.0f;
        if (kind == 2 && i % 97 == 5) made[i] += 25.0f;
        if (kind == 3) made[i] = made[i] < 0.0f ? -0.25f : 0.25f;
        if (kind == 4) made[i] *= n % 2 == 0 ? 1e28f : 1e-29f;
    }
}

static void test_keeps_vectors(void **state)
{
    (void)state;
    uint64_t seed = 8;
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        assert_int_equal(vector_compact_size(n), n + 4);
        for (size_t kind = 0; kind < 5; kind++) {
            int is_zero;
            make(&seed, n, kind, vector);
            compact[0] = compact[n + 5 - (n == MOST)] = 77;
            assert_true(vector_compact_takes(vector, n));
            vector_compact_encode(vector, n, scratch, compact + 1);
            assert_int_equal(compact[0], 77);
            assert_true(vector_compact_is_valid(compact + 1, n, &is_zero) && !is_zero);
            vector_compact_read(compact + 1, n, back);
            assert_true(vector_cosine(vector, back, n) > 0.9999);
            assert_true(fabs(vector_norm(back, n) / vector_norm(vector, n) - 1.0) < 0.01);
            /* What was read is kept as the same components. */
            vector_compact_encode(back, n, back, again);
            assert_memory_equal(again + 4, compact + 5, n);
        }
    }
}

/* Sums are those of what the bytes stand for. */
static void test_sums(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        double u = ((double)n / 16 + 16) * 0x1p-23;
        random_vector(&seed, n, other);
        make(&seed, n, s % 4, vector);
        vector_compact_encode(vector, n, scratch, compact + 1);
        vector_compact_decode(compact + 1, n, rotated);
        double size = vector_norm(other, n) * vector_norm(rotated, n);
        double dot = vector_compact_dot(other, compact + 1, n);
        assert_true(fabs(dot - vector_dot(other, rotated, n)) <= u * size);
        double square = vector_compact_square(compact + 1, n);
        assert_true(fabs(square / vector_dot(rotated, rotated, n) - 1.0) <= u);
        double l2 = vector_compact_squared_l2(other, compact + 1, n);
        assert_true(fabs(l2 / vector_squared_l2(other, rotated, n) - 1.0) <= u);
        assert_true(vector_compact_squared_l2(rotated, compact + 1, n) <= u * square);
        vector_compact_read(compact + 1, n, back);
        vector_rotate_back(other, n);
        assert_true(fabs(dot - vector_dot(other, back, n)) <= 1e-5 * size);
    }
}

/* Sums of queries and rows near the ends of float32 are taken again. */
static void test_far_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < 64; i++) vector[i] = other[i] = i % 2 == 0 ? 1e30f : -1e30f;
    vector_compact_encode(vector, 64, scratch, compact);
    vector_rotate(other, 64);
    assert_true(fabs(vector_compact_dot(other, compact, 64) / 64e60 - 1.0) < 0.01);
    assert_true(fabs(vector_compact_square(compact, 64) / 64e60 - 1.0) < 0.01);
    for (size_t i = 0; i < 64; i++) other[i] = -other[i];
    assert_true(fabs(vector_compact_squared_l2(other, compact, 64) / 256e60 - 1.0) < 0.01);
    for (size_t i = 0; i < 64; i++) vector[i] = other[i] = 1e-30f;
    vector_compact_encode(vector, 64, scratch, compact);
    vector_rotate(other, 64);
    assert_true(fabs(vector_compact_dot(other, compact, 64) / 64e-60 - 1.0) < 0.01);
    for (size_t i = 0; i < 64; i++) other[i] = -other[i];
    assert_true(fabs(vector_compact_squared_l2(other, compact, 64) / 256e-60 - 1.0) < 0.01);
}

static void test_limits(void **state)
{
    (void)state;
    float few[4] = {0.0f};
    int is_zero;
    static const float inside[] = {1e-30f, 1.0f, -1e30f}, outside[] = {9e-31f, -1.1e30f, INFINITY};
    assert_true(vector_compact_takes(few, 4));
    vector_compact_encode(few, 4, scratch, compact);
    assert_true(vector_compact_is_valid(compact, 4, &is_zero) && is_zero);
    vector_compact_read(compact, 4, back);
    for (size_t i = 0; i < 4; i++) assert_true(back[i] == 0.0f);
    for (size_t i = 0; i < 3; i++) {
        few[2] = inside[i];
        assert_true(vector_compact_takes(few, 4));
        vector_compact_encode(few, 4, scratch, compact);
        assert_true(vector_compact_is_valid(compact, 4, &is_zero) && !is_zero);
        few[2] = outside[i];
        assert_false(vector_compact_takes(few, 4));
    }
    few[2] = NAN;
    assert_false(vector_compact_takes(few, 4));
    for (size_t i = 0; i < MOST; i++) vector[i] = 1e30f;
    vector_compact_encode(vector, MOST, scratch, compact);
    assert_true(vector_compact_is_valid(compact, MOST, &is_zero) && !is_zero);
    vector_compact_read(compact, MOST, back);
    assert_true(vector_cosine(vector, back, MOST) > 0.9999);
}

static void refuse(float scale, int8_t a, int8_t b, int valid)
{
    const int8_t components[2] = {a, b};
    memcpy(compact, &scale, sizeof scale);
    memcpy(compact + sizeof scale, components, sizeof components);
    assert_int_equal(vector_compact_is_valid(compact, 2, &(int){0}), valid);
}

static void test_what_is_none(void **state)
{
    (void)state;
    refuse(0.5f, 127, 3, 1);
    refuse(0.5f, 0, -127, 1);
    refuse(0.5f, 126, 3, 0);
    refuse(0.5f, -128, 127, 0);
    refuse(0.0f, 0, 0, 1);
    refuse(0.5f, 0, 0, 0);
    refuse(0.0f, 127, 0, 0);
    refuse(-0.5f, 127, 0, 0);
    refuse(NAN, 127, 0, 0);
    refuse(INFINITY, 127, 0, 0);
    refuse(FLT_MAX / 126, 127, 0, 0);
    refuse(NAN, 0, 0, 0);
}

/* Part of the format of files: these bytes never change, on any processor. */
static void test_golden_bytes(void **state)
{
    (void)state;
    static const unsigned char expected[10] = {0x19, 0x60, 0x57, 0x3B, 0x33,
                                               0xB0, 0x52, 0xEA, 0x6F, 0x81};
    static const uint64_t sum_of_384 = 0xA429A0EA51AE507B;
    uint64_t sum = 0xCBF29CE484222325u;
    for (size_t i = 0; i < 384; i++) vector[i] = (float)((i * 7919 + 13) % 1009) / 1009.0f - 0.5f;
    vector_compact_encode(vector, 6, scratch, compact);
    assert_memory_equal(compact, expected, sizeof expected);
    vector_compact_encode(vector, 384, scratch, compact);
    for (size_t i = 0; i < 388; i++) sum = (sum ^ compact[i]) * 0x100000001B3u;
    if (sum != sum_of_384) fail_msg("0x%016llX", (unsigned long long)sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_vectors), cmocka_unit_test(test_sums),
        cmocka_unit_test(test_far_ends),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_what_is_none),  cmocka_unit_test(test_golden_bytes),
    };
    return run_for_each_family(tests, sizeof tests / sizeof tests[0]);
}

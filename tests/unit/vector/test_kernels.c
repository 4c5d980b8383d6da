/*
 * Every family of kernels that this machine runs, against the scalar one, within the bounds that
 * distance.h states.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vector/kernels.h"
#include "vector/random.h"

#define U 0x1p-24
#define LARGEST 5000

static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};

/* Two vectors at odd addresses, with NaN on both sides of them. */
struct pair {
    unsigned char bytes[2][4 * LARGEST + 16];
    unsigned char *a, *b;
};

static void fill(struct pair *pair, size_t n, size_t shift, const float *a, const float *b)
{
    memset(pair->bytes, 0xFF, sizeof pair->bytes);
    pair->a = pair->bytes[0] + 4 + shift;
    pair->b = pair->bytes[1] + 4 + (shift + 1) % 4;
    memcpy(pair->a, a, 4 * n);
    memcpy(pair->b, b, 4 * n);
}

static double sum_of_magnitudes(const struct pair *pair, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += fabs(vector_component(pair->a, i) * vector_component(pair->b, i));
    return sum;
}

static void compare_with_scalar(const struct vector_kernels *kernels, const struct pair *pair,
                                size_t n)
{
    const void *a = pair->a, *b = pair->b;
    double steps = (double)n / 16 + 8, least = (double)n * 0x1p-149;
    double dot = vector_kernels_scalar.dot(a, b, n), l2 = vector_kernels_scalar.squared_l2(a, b, n);
    struct vector_sums exact = vector_kernels_scalar.sums(a, b, n), sums = kernels->sums(a, b, n);
    double bound = steps * U * sum_of_magnitudes(pair, n) + least;
    assert_true(fabs(kernels->dot(a, b, n) - dot) <= bound);
    assert_true(fabs(sums.ab - exact.ab) <= bound);
    assert_true(fabs(sums.aa - exact.aa) <= steps * U * exact.aa + least);
    assert_true(fabs(sums.bb - exact.bb) <= steps * U * exact.bb + least);
    assert_true(fabs(kernels->squared_l2(a, b, n) - l2) <= (steps + 2) * U * l2 + least);
    struct vector_sums same = kernels->sums(a, a, n);
    assert_true(same.ab == same.aa && same.aa == same.bb);
}

static void for_each_family(void (*test)(const struct vector_kernels *kernels))
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct vector_kernels *kernels = vector_kernels_find(names[i]);
        if (kernels == NULL) continue;
        assert_string_equal(kernels->name, names[i]);
        test(kernels);
    }
}

static void try_all_dimensions(const struct vector_kernels *kernels)
{
    static struct pair pair;
    static float a[LARGEST], b[LARGEST];
    uint64_t seed = 5;
    static const size_t large[] = {383, 384, 511, 768, 1000, 1023, 1024, 1025, 1536, 4096, 4999};
    for (size_t n = 0; n <= 257 + sizeof large / sizeof large[0]; n++) {
        size_t dimensions = n <= 257 ? n : large[n - 258];
        random_vector(&seed, dimensions, a);
        random_vector(&seed, dimensions, b);
        fill(&pair, dimensions, n % 4, a, b);
        compare_with_scalar(kernels, &pair, dimensions);
    }
}

static void test_all_dimensions(void **state)
{
    (void)state;
    for_each_family(try_all_dimensions);
}

static void try_magnitudes(const struct vector_kernels *kernels)
{
    static struct pair pair;
    static float a[300], b[300];
    uint64_t seed = 6;
    for (size_t n = 1; n < 300; n += 13) {
        for (int kind = 0; kind < 4; kind++) {
            for (size_t i = 0; i < n; i++) {
                int spread = kind == 0 ? 60 : kind == 1 ? 0 : 20;
                int power = spread == 0
                                ? -140
                                : (int)(random_bits(&seed) % (2u * (unsigned)spread)) - spread;
                a[i] = ldexpf(random_bell(&seed), power);
                b[i] = kind == 3 && i % 2 == 1 ? -b[i - 1] : ldexpf(random_bell(&seed), power);
                if (kind == 3 && i % 2 == 1) a[i] = a[i - 1]; /* all cancels */
            }
            fill(&pair, n, kind & 3, a, b);
            compare_with_scalar(kernels, &pair, n);
        }
    }
}

static void test_magnitudes(void **state)
{
    (void)state;
    for_each_family(try_magnitudes);
}

static void try_what_is_not_finite(const struct vector_kernels *kernels)
{
    static struct pair pair;
    static float a[100], b[100];
    for (size_t n = 1; n < 100; n++) {
        for (size_t i = 0; i < n; i++) a[i] = b[i] = i % 3 == 0 ? 0.0f : 1.0f;
        b[n / 2] = n % 2 == 0 ? NAN : INFINITY;
        fill(&pair, n, n % 4, a, b);
        assert_true(!isfinite(kernels->dot(pair.a, pair.b, n)));
        assert_true(!isfinite(kernels->squared_l2(pair.a, pair.b, n)));
        assert_true(!isfinite(kernels->sums(pair.a, pair.b, n).bb));
        assert_true(!isfinite(kernels->sums(pair.a, pair.b, n).ab));
    }
}

static void test_what_is_not_finite_shows(void **state)
{
    (void)state;
    for_each_family(try_what_is_not_finite);
}

static void try_int8(const struct vector_kernels *kernels)
{
    static int8_t a[65536], b[65536];
    uint64_t seed = 7;
    for (size_t n = 0; n < 300; n++) {
        int32_t expected = 0;
        for (size_t i = 0; i < n; i++) {
            a[i + 1] = (int8_t)random_bits(&seed);
            b[i] = (int8_t)random_bits(&seed);
            expected += a[i + 1] * b[i];
        }
        assert_int_equal(kernels->dot_int8(a + 1, b, n), expected);
    }
    memset(a, -128, sizeof a);
    memset(b, -128, sizeof b);
    assert_int_equal(kernels->dot_int8(a, b, sizeof a), 1 << 30);
    memset(b, 127, sizeof b);
    assert_int_equal(kernels->dot_int8(a, b, sizeof a), -128 * 127 * 65536);
}

static void test_int8(void **state)
{
    (void)state;
    for_each_family(try_int8);
}

static void try_bits(const struct vector_kernels *kernels)
{
    static uint8_t bits[100];
    uint64_t seed = 8;
    for (size_t bytes = 0; bytes < 80; bytes++) {
        uint64_t planes[10][VECTOR_PLANES] = {{0}};
        uint8_t *odd = bits + bytes % 8;
        int32_t expected = 0;
        memset(bits, 0xFF, sizeof bits);
        for (size_t i = 0; i < 8 * bytes; i++) {
            int component = bytes % 9 == 0 ? -32 : (int)(random_bits(&seed) % 64) - 32;
            for (int j = 0; j < VECTOR_PLANES; j++)
                planes[i / 64][j] |= (uint64_t)((unsigned)component >> j & 1) << (i % 64);
            if (random_bits(&seed) & 1) odd[i / 8] &= (uint8_t) ~(1u << (i % 8));
            else expected += component;
        }
        assert_int_equal(kernels->sum_of_bits(planes[0], odd, bytes), expected);
    }
}

static void test_bits(void **state)
{
    (void)state;
    for_each_family(try_bits);
}

/* The same bits as the scalar loop, and nothing behind the end is touched. */
static void try_add(const struct vector_kernels *kernels)
{
    uint64_t seed = 9;
    for (size_t n = 0; n <= 70; n++) {
        float b[70], sums[72], expected[72];
        int8_t codes[70];
        for (size_t i = 0; i < 72; i++)
            sums[i] = expected[i] = (float)(random_bits(&seed) % 1000) / 7.0f;
        for (size_t i = 0; i < n; i++) {
            b[i] = (float)(random_bits(&seed) % 1000) / 3.0f - 100.0f;
            codes[i] = (int8_t)(random_bits(&seed) % 256 - 128);
        }
        kernels->add(sums, b, 0.3f, n);
        kernels->add_int8(sums, codes, -1.7f, n);
        vector_kernels_scalar.add(expected, b, 0.3f, n);
        vector_kernels_scalar.add_int8(expected, codes, -1.7f, n);
        assert_memory_equal(sums, expected, sizeof sums);
    }
}

static void test_add(void **state)
{
    (void)state;
    for_each_family(try_add);
}

/* What a process with RERANK_SIMD = value chooses: the index in names. */
static int choice_with(const char *value)
{
    pid_t child = fork();
    if (child == 0) {
        if (value == NULL) unsetenv("RERANK_SIMD");
        else setenv("RERANK_SIMD", value, 1);
        const struct vector_kernels *chosen = vector_kernels_chosen();
        setenv("RERANK_SIMD", "scalar", 1); /* comes too late */
        int found = chosen == vector_kernels_chosen() ? 0 : 99;
        while (found < 4 && strcmp(names[found], chosen->name) != 0) found++;
        _exit(found);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_choice(void **state)
{
    (void)state;
    int automatic = choice_with(NULL);
    assert_in_range(automatic, 0, 3);
    for (int i = 0; i < 4; i++)
        assert_int_equal(choice_with(names[i]),
                         vector_kernels_find(names[i]) != NULL ? i : automatic);
    assert_int_equal(choice_with("sse9"), automatic);
    assert_int_equal(choice_with(""), automatic);
    assert_null(vector_kernels_find("sse9"));
    assert_null(vector_kernels_find(NULL));
    assert_ptr_equal(vector_kernels_find("scalar"), &vector_kernels_scalar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice), /* first: the choice is made once */
        cmocka_unit_test(test_all_dimensions),
        cmocka_unit_test(test_magnitudes),
        cmocka_unit_test(test_what_is_not_finite_shows),
        cmocka_unit_test(test_int8),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_add),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/failing_memory.h"
#include "vector/distance.h"
#include "vector/quantize.h"
#include "vector/random.h"

#define MOST 1024

static const enum vector_code kinds[] = {VECTOR_INT8, VECTOR_BIT};

static struct vector_code_query *prepare(enum vector_code kind, const float *query,
                                         size_t dimensions)
{
    struct vector_code_query *prepared = NULL;
    assert_int_equal(vector_code_query_new(kind, query, dimensions, &prepared, NULL), 0);
    return prepared;
}

static void test_layout(void **state)
{
    (void)state;
    const float vector[] = {1.0f, -2.0f, 0.5f, -0.25f, 0.0f, 2.0f, -1.0f, 1.5f, -0.0f, -3.0f};
    unsigned char code[64];
    float head[2];
    assert_int_equal(vector_code_size(VECTOR_INT8, 10), 18);
    assert_int_equal(vector_code_size(VECTOR_BIT, 10), 10);
    assert_int_equal(vector_code_size(VECTOR_BIT, 8), 9);

    memset(code, 0xAA, sizeof code);
    vector_code_encode(VECTOR_INT8, vector, 10, code + 1);
    memcpy(head, code + 1, sizeof head);
    assert_true(head[0] == (float)vector_norm(vector, 10));
    assert_true(head[1] == (float)(3.0 / 127.0));
    const int8_t expected[] = {42, -85, 21, -11, 0, 85, -42, 64, 0, -127};
    assert_memory_equal(code + 9, expected, 10);
    assert_int_equal(code[19], 0xAA);

    memset(code, 0xAA, sizeof code);
    vector_code_encode(VECTOR_BIT, vector, 10, code + 1);
    memcpy(head, code + 1, sizeof head);
    double norm = vector_norm(vector, 10);
    assert_true(head[0] == (float)norm);
    assert_true(head[1] == (float)(norm * norm / 11.25));
    assert_int_equal(code[9], 0xB5); /* + - + - + + - + from the lowest bit */
    assert_int_equal(code[10], 0x01);
    assert_int_equal(code[11], 0xAA);
}

static void test_int8_keeps_its_bound(void **state)
{
    (void)state;
    uint64_t seed = 12;
    float query[MOST], vector[MOST];
    unsigned char code[MOST + 8];
    for (size_t n = 1; n < MOST; n += n < 70 ? 1 : 97) {
        random_vector(&seed, n, query);
        random_vector(&seed, n, vector);
        double sum_q = 0.0, sum_v = 0.0, max_q = 0.0, max_v = 0.0;
        for (size_t i = 0; i < n; i++) {
            sum_q += fabs((double)query[i]);
            sum_v += fabs((double)vector[i]);
            max_q = fmax(max_q, fabs((double)query[i]));
            max_v = fmax(max_v, fabs((double)vector[i]));
        }
        double scale_q = max_q / 127, scale_v = max_v / 127;
        double bound =
            scale_v / 2 * sum_q + scale_q / 2 * sum_v + (double)n * scale_q * scale_v / 4;
        struct vector_code_query *prepared = prepare(VECTOR_INT8, query, n);
        vector_code_encode(VECTOR_INT8, vector, n, code);
        double dot = vector_dot(query, vector, n),
               norms = vector_norm(query, n) * vector_norm(vector, n);
        assert_true(fabs(vector_code_dot(prepared, code) - dot) <= bound * 1.00001);
        assert_true(fabs(vector_code_cosine(prepared, code) - dot / norms) <= bound / norms + 1e-5);
        double l2 = vector_squared_l2(query, vector, n);
        assert_true(fabs(vector_code_squared_l2(prepared, code) - l2) <= 2.0 * bound + 1e-5 * l2);
        vector_code_query_free(prepared);
    }
    assert_int_equal(failing_memory_blocks, 0);
}

/* The root mean square of what the estimate of the cosine is wrong by, over noise-like vectors. */
static double cosine_error(enum vector_code kind, size_t n, uint64_t seed)
{
    enum { ROUNDS = 400 };
    float query[MOST], vector[MOST];
    unsigned char code[MOST + 8];
    double sum = 0.0;
    for (int i = 0; i < ROUNDS; i++) {
        random_vector(&seed, n, query);
        random_vector(&seed, n, vector);
        struct vector_code_query *prepared = prepare(kind, query, n);
        vector_code_encode(kind, vector, n, code);
        double error = vector_code_cosine(prepared, code) - vector_cosine(query, vector, n);
        sum += error * error;
        vector_code_query_free(prepared);
    }
    return sqrt(sum / ROUNDS);
}

static void test_errors_are_as_stated(void **state)
{
    (void)state;
    assert_true(cosine_error(VECTOR_INT8, 384, 13) < 0.003);
    assert_true(cosine_error(VECTOR_INT8, 1024, 14) < 0.003);
    double unit = 0.75 / sqrt(384.0), error = cosine_error(VECTOR_BIT, 384, 15);
    assert_true(error > 0.85 * unit && error < 1.15 * unit);
    unit = 0.75 / sqrt(1024.0);
    error = cosine_error(VECTOR_BIT, 1024, 16);
    assert_true(error > 0.85 * unit && error < 1.15 * unit);
}

static void test_a_vector_is_nearest_to_itself(void **state)
{
    (void)state;
    uint64_t seed = 17;
    float vectors[50][100];
    for (size_t i = 0; i < 50; i++) random_vector(&seed, 100, vectors[i]);
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < 50; i++) {
            struct vector_code_query *prepared = prepare(kinds[k], vectors[i], 100);
            unsigned char code[108];
            vector_code_encode(kinds[k], vectors[i], 100, code);
            double own = vector_code_cosine(prepared, code);
            assert_true(fabs(own - 1.0) < (kinds[k] == VECTOR_INT8 ? 0.01 : 0.05));
            for (size_t j = 0; j < 50; j++) {
                vector_code_encode(kinds[k], vectors[j], 100, code);
                assert_true(j == i || vector_code_cosine(prepared, code) < own);
            }
            vector_code_query_free(prepared);
        }
    }
}

/* Of 2000 vectors around 40 centres, how many of the 10 nearest are among the 50 of the highest
 * estimates. */
static double recall(enum vector_code kind)
{
    enum { N = 2000, DIMENSIONS = 128, CENTRES = 40 };
    static float vectors[N][DIMENSIONS], centres[CENTRES][DIMENSIONS];
    static unsigned char codes[N][DIMENSIONS + 8];
    uint64_t seed = 18;
    for (size_t i = 0; i < CENTRES; i++) random_vector(&seed, DIMENSIONS, centres[i]);
    for (size_t i = 0; i < N; i++) {
        for (size_t d = 0; d < DIMENSIONS; d++)
            vectors[i][d] = centres[i % CENTRES][d] + 0.7f * random_bell(&seed);
        vector_code_encode(kind, vectors[i], DIMENSIONS, codes[i]);
    }
    int found = 0;
    for (size_t q = 0; q < 40; q++) {
        double exact[N], estimate[N];
        struct vector_code_query *prepared = prepare(kind, vectors[q], DIMENSIONS);
        for (size_t i = 0; i < N; i++) {
            exact[i] = vector_cosine(vectors[q], vectors[i], DIMENSIONS);
            estimate[i] = vector_code_cosine(prepared, codes[i]);
        }
        vector_code_query_free(prepared);
        for (size_t i = 0; i < N; i++) {
            int before = 0, estimated_before = 0;
            for (size_t j = 0; j < N; j++) {
                before += exact[j] > exact[i];
                estimated_before += estimate[j] > estimate[i];
            }
            found += before < 10 && estimated_before < 50;
        }
    }
    return found / 400.0;
}

static void test_recall(void **state)
{
    (void)state;
    assert_true(recall(VECTOR_INT8) >= 0.995);
    assert_true(recall(VECTOR_BIT) >= 0.9);
}

static void test_zero_and_extreme_vectors(void **state)
{
    (void)state;
    static const float extremes[] = {0.0f, FLT_MAX, FLT_MIN, 0x1p-149f, -FLT_MAX, 1.0f};
    float query[20], vector[20];
    unsigned char code[28];
    for (size_t k = 0; k < 2; k++) {
        for (size_t q = 0; q < 6; q++) {
            for (size_t v = 0; v < 6; v++) {
                for (size_t i = 0; i < 20; i++) {
                    query[i] = extremes[q];
                    vector[i] = i % 2 == 0 ? extremes[v] : extremes[v] / 2;
                }
                struct vector_code_query *prepared = prepare(kinds[k], query, 20);
                vector_code_encode(kinds[k], vector, 20, code);
                size_t size = vector_code_size(kinds[k], 20);
                assert_int_equal(vector_code_check(kinds[k], code, size, 20, NULL), 0);
                assert_true(isfinite(vector_code_dot(prepared, code)) != 0);
                assert_true(isfinite(vector_code_cosine(prepared, code)) != 0);
                assert_true(isfinite(vector_code_squared_l2(prepared, code)) != 0);
                assert_true(vector_code_squared_l2(prepared, code) >= 0.0);
                if (q == 0 || v == 0) assert_true(vector_code_cosine(prepared, code) == 0.0);
                vector_code_query_free(prepared);
            }
        }
    }
}

static void test_check(void **state)
{
    (void)state;
    struct error err;
    unsigned char code[30] = {0};
    assert_int_equal(vector_code_check(VECTOR_INT8, code, 18, 10, &err), 0);
    assert_int_equal(vector_code_check(VECTOR_INT8, code, 17, 10, &err), ERROR_CORRUPT);
    assert_string_equal(err.text, "expected a code of 18 bytes, not 17");
    assert_int_equal(vector_code_check(VECTOR_BIT, code, 0, 10, &err), ERROR_CORRUPT);
    const float bad[][2] = {{NAN, 1.0f},      {1.0f, NAN},   {INFINITY, 1.0f},
                            {1.0f, INFINITY}, {-1.0f, 1.0f}, {1.0f, -1.0f}};
    for (size_t i = 0; i < 6; i++) {
        memcpy(code, bad[i], 8);
        assert_int_equal(vector_code_check(VECTOR_BIT, code, 10, 10, &err), ERROR_CORRUPT);
        assert_string_equal(err.text, "the norm or the scale of a code is negative or not finite");
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    float query[100] = {1.0f};
    for (size_t k = 0; k < 2; k++) {
        int rc = ERROR_NOMEM;
        for (long after = 0; rc != 0; after++) {
            struct vector_code_query *prepared = NULL;
            failing_memory_after = after;
            rc = vector_code_query_new(kinds[k], query, 100, &prepared, NULL);
            failing_memory_after = -1;
            if (rc != 0) {
                assert_int_equal(rc, ERROR_NOMEM);
                assert_null(prepared);
            }
            vector_code_query_free(prepared);
            assert_int_equal(failing_memory_blocks, 0);
        }
    }
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_int8_keeps_its_bound),
        cmocka_unit_test(test_errors_are_as_stated),
        cmocka_unit_test(test_a_vector_is_nearest_to_itself),
        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_zero_and_extreme_vectors),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

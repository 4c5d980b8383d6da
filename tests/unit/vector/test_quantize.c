#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/failing_memory.h"
#include "base/oracle.h"
#include "vector/distance.h"
#include "vector/quantize.h"
#include "vector/families.h"
#include "vector/random.h"
#include "vector/rotate.h"

#define MOST 1100

static const enum vector_code kinds[] = {VECTOR_INT8, VECTOR_BIT};
static const enum vector_form forms[] = {VECTOR_DOT, VECTOR_SQUARED_L2};

static struct vector_code_query *prepare(enum vector_code kind, const float *query,
                                         size_t dimensions)
{
    struct vector_code_query *prepared = NULL;
    assert_int_equal(vector_code_query_new(kind, query, dimensions, &prepared, NULL), 0);
    return prepared;
}

ORACLE static double component(enum vector_code kind, const unsigned char *components, size_t i)
{
    if (kind == VECTOR_INT8) return (int8_t)components[i];
    return components[i / 8] >> (i % 8) & 1 ? 1.0 : -1.0;
}

static void test_layout(void **state)
{
    (void)state;
    const float vector[] = {1.0f, -2.0f, 0.5f, -0.25f, 0.0f, 2.0f, -1.0f, 1.5f, -0.0f, -3.0f};
    unsigned char code[12];
    struct vector_code_head head;
    assert_int_equal(vector_code_size(VECTOR_INT8, 10), 10);
    assert_int_equal(vector_code_size(VECTOR_BIT, 10), 2);
    assert_int_equal(vector_code_size(VECTOR_BIT, 8), 1);

    memset(code, 0xAA, sizeof code);
    vector_code_encode(VECTOR_INT8, VECTOR_DOT, vector, NULL, 10, &head, code + 1);
    const int8_t expected[] = {42, -85, 21, -11, 0, 85, -42, 64, 0, -127};
    assert_memory_equal(code + 1, expected, 10);
    assert_int_equal(code[0], 0xAA);
    assert_int_equal(code[11], 0xAA);
    assert_true(head.scale == (float)(3.0 / 127.0));
    assert_true(head.offset == 0.0f);

    memset(code, 0xAA, sizeof code);
    vector_code_encode(VECTOR_BIT, VECTOR_SQUARED_L2, vector, NULL, 10, &head, code + 1);
    assert_int_equal(code[1], 0xB5); /* + - + - + + - + from the lowest bit */
    assert_int_equal(code[2], 0x01);
    assert_int_equal(code[3], 0xAA);
    double squares = 21.5625; /* their sum; that of the magnitudes is 11.25 */
    assert_true(head.scale == 2.0f * (float)(squares / 11.25));
    assert_true(head.offset == (float)-squares);
    double e = sqrt(squares * squares / 11.25 / 11.25 * 10.0 - squares);
    assert_true(fabs((double)head.error - 2.0 * e / sqrt(10.0)) < 1e-6);
}

/* A rounding of the same query: what vector_code_bounds computes, in double and one by one. */
struct estimate {
    double exact;    /* <q, v> or -|q - v|^2 */
    double value;    /* from the code and the query as it is */
    double e;        /* |e|, of the code as it is stored; twice that for VECTOR_SQUARED_L2 */
    double distance; /* |q - c| */
    double base;
    double magnitudes; /* of the terms */
};

struct trial {
    enum vector_code kind;
    enum vector_form form;
    size_t n;
    const float *query, *vector, *centroid;
    struct vector_code_head head;
    const unsigned char *components;
};

ORACLE static struct estimate estimate_exactly(const struct trial *trial)
{
    double qc = 0.0, qv = 0.0, d2 = 0.0, v2 = 0.0, product = 0.0, e2 = 0.0;
    double factor = trial->form == VECTOR_DOT ? 1.0 : 2.0;
    for (size_t i = 0; i < trial->n; i++) {
        double c = trial->centroid == NULL ? 0.0 : (double)trial->centroid[i];
        double q = (double)trial->query[i], v = (double)trial->vector[i];
        double k = component(trial->kind, trial->components, i);
        double e = (double)trial->head.scale / factor * k - (v - c);
        qc += q * c;
        qv += q * v;
        d2 += (q - c) * (q - c);
        v2 += (q - v) * (q - v);
        product += q * k;
        e2 += e * e;
    }
    struct estimate estimate = {.exact = trial->form == VECTOR_DOT ? qv : -v2,
                                .base = trial->form == VECTOR_DOT ? qc : -d2,
                                .e = factor * sqrt(e2),
                                .distance = sqrt(d2)};
    double scaled = (double)trial->head.scale * product, offset = (double)trial->head.offset;
    estimate.value = estimate.base + offset + scaled;
    estimate.magnitudes = fabs(estimate.base) + fabs(offset) + fabs(scaled);
    return estimate;
}

static float bound_of(const struct trial *trial, const struct vector_code_query *prepared,
                      const struct estimate *estimate, double z)
{
    struct vector_codes codes = {&trial->head.offset, &trial->head.scale, &trial->head.error,
                                 trial->components, 1};
    struct vector_code_bound bound = {(float)estimate->base, (float)(z * estimate->distance),
                                      (float)vector_code_slack(prepared, z)};
    float value;
    vector_code_bounds(prepared, &codes, &bound, &value);
    return value;
}

/* The head says what it should, the estimate is what the formula gives, and no error is beyond what
 * Cauchy and Schwarz allow, above or below. */
static void expect_true_bounds(const struct trial *trial)
{
    struct estimate estimate = estimate_exactly(trial);
    double root = sqrt((double)trial->n);
    struct vector_code_query *prepared = prepare(trial->kind, trial->query, trial->n);
    double slack = vector_code_slack(prepared, root), scale = (double)trial->head.scale;
    double hard = (double)trial->head.error * root * estimate.distance + scale * slack;
    double rounding = 1e-6 * (estimate.magnitudes + hard) + 1e-30;
    assert_true(fabs((double)trial->head.error * root - estimate.e) <= 1e-6 * estimate.e + 1e-43);
    assert_true(fabs(estimate.value - estimate.exact) <=
                (double)trial->head.error * root * estimate.distance + rounding);
    double plain = (double)bound_of(trial, prepared, &estimate, 0.0);
    assert_true(fabs(plain - estimate.value) <= scale * slack + rounding);
    double upper = (double)bound_of(trial, prepared, &estimate, root);
    double lower = (double)bound_of(trial, prepared, &estimate, -root);
    assert_true(upper >= estimate.exact - rounding && lower <= estimate.exact + rounding);
    assert_true(fabs(upper - plain - hard) <= rounding && fabs(plain - lower - hard) <= rounding);
    vector_code_query_free(prepared);
}

static void test_bounds_hold(void **state)
{
    (void)state;
    static float query[MOST], vector[MOST], centroid[MOST];
    static unsigned char bytes[MOST + 1];
    uint64_t seed = 12;
    for (size_t n = 1; n < MOST; n += n < 70 ? 1 : 97) {
        for (int i = 0; i < 24; i++) {
            struct trial trial = {.kind = kinds[i % 2],
                                  .form = forms[i / 2 % 2],
                                  .n = n,
                                  .query = query,
                                  .vector = vector,
                                  .centroid = i / 4 % 2 == 0 ? NULL : centroid,
                                  .components = bytes + 1};
            random_vector(&seed, n, query);
            random_vector(&seed, n, centroid);
            random_vector(&seed, n, vector);
            for (size_t j = 0; j < n && i >= 8; j++) { /* near each other, and far from zero */
                vector[j] = 3.0f * centroid[j] + 0.1f * vector[j];
                query[j] = vector[j] + 0.2f * query[j];
                centroid[j] *= 3.0f;
                if (i >= 16 && j == n / 2) vector[j] = 50.0f;
            }
            vector_code_encode(trial.kind, trial.form, vector, trial.centroid, n, &trial.head,
                               bytes + 1);
            expect_true_bounds(&trial);
        }
    }
    assert_int_equal(failing_memory_blocks, 0);
}

/* q is v itself, or e: the worst that can be. */
static void test_the_worst_query(void **state)
{
    (void)state;
    float vector[100], query[100];
    unsigned char bytes[100];
    uint64_t seed = 13;
    random_vector(&seed, 100, vector);
    for (size_t i = 0; i < 8; i++) {
        struct trial trial = {.kind = kinds[i % 2],
                              .form = forms[i / 2 % 2],
                              .n = 100,
                              .query = query,
                              .vector = vector,
                              .components = bytes};
        vector_code_encode(trial.kind, trial.form, vector, NULL, 100, &trial.head, bytes);
        double scale = (double)trial.head.scale / (trial.form == VECTOR_DOT ? 1.0 : 2.0);
        for (size_t j = 0; j < 100; j++) {
            double e = scale * component(trial.kind, bytes, j) - (double)vector[j];
            query[j] = i < 4 ? vector[j] : (float)(i % 3 == 0 ? e : -e);
        }
        expect_true_bounds(&trial);
    }
}

/* The root mean square of the error in units of |q - c| |e| / sqrt(n), of vectors that are rotated:
 * it is 1. And hardly any is beyond 4. */
static void test_errors_are_as_stated(void **state)
{
    (void)state;
    enum { ROUNDS = 1000 };
    static float query[MOST], vector[MOST], centroid[MOST];
    unsigned char bytes[MOST];
    uint64_t seed = 14;
    static const size_t sizes[] = {384, 1000, 1024};
    for (size_t s = 0; s < 3; s++) {
        size_t n = sizes[s], beyond[4] = {0};
        double sums[4] = {0.0}, relative[4] = {0.0};
        for (size_t i = 0; i < ROUNDS; i++) {
            for (size_t j = 0; j < n; j++) { /* few components are large, the same in all */
                float weight = 1.0f / (1.0f + 0.1f * (float)j);
                centroid[j] = 0.3f * weight;
                query[j] = weight * random_bell(&seed);
                vector[j] = weight * random_bell(&seed);
            }
            vector_rotate(query, n);
            vector_rotate(vector, n);
            vector_rotate(centroid, n);
            double r = sqrt(vector_squared_l2(vector, centroid, n));
            for (size_t c = 0; c < 4; c++) {
                struct trial trial = {.kind = kinds[c % 2],
                                      .form = forms[c / 2],
                                      .n = n,
                                      .query = query,
                                      .vector = vector,
                                      .centroid = centroid,
                                      .components = bytes};
                vector_code_encode(trial.kind, trial.form, vector, centroid, n, &trial.head, bytes);
                struct estimate estimate = estimate_exactly(&trial);
                struct vector_code_query *prepared = prepare(trial.kind, query, n);
                double plain = (double)bound_of(&trial, prepared, &estimate, 0.0);
                double unit = (double)trial.head.error * estimate.distance;
                double error = (plain - estimate.exact) / unit;
                sums[c] += error * error;
                beyond[c] += fabs(error) > 4.0;
                relative[c] += estimate.e / r / (trial.form == VECTOR_DOT ? 1.0 : 2.0);
                vector_code_query_free(prepared);
            }
        }
        for (size_t c = 0; c < 4; c++) {
            double expected = kinds[c % 2] == VECTOR_BIT ? 0.75 : 0.0075;
            assert_in_range((unsigned long)(100.0 * sqrt(sums[c] / ROUNDS)), 90, 112);
            assert_true(beyond[c] <= 3);
            assert_true(relative[c] / ROUNDS < 1.05 * expected);
            assert_true(relative[c] / ROUNDS > 0.7 * expected);
        }
    }
}

static void test_no_residual(void **state)
{
    (void)state;
    float query[21], vector[21];
    unsigned char bytes[21];
    uint64_t seed = 15;
    random_vector(&seed, 21, query);
    random_vector(&seed, 21, vector);
    for (size_t i = 0; i < 4; i++) {
        struct trial trial = {.kind = kinds[i % 2],
                              .form = forms[i / 2],
                              .n = 21,
                              .query = query,
                              .vector = vector,
                              .centroid = vector,
                              .components = bytes};
        vector_code_encode(trial.kind, trial.form, vector, vector, 21, &trial.head, bytes);
        assert_true(trial.head.offset == 0.0f && trial.head.scale == 0.0f);
        assert_true(trial.head.error == 0.0f);
        expect_true_bounds(&trial);
    }
}

/* Many codes at once are as one by one, at any address. */
static void test_many_codes(void **state)
{
    (void)state;
    enum { CODES = 700, N = 45 };
    static float vectors[CODES][N], query[N], offsets[CODES], scales[CODES], errors[CODES];
    static float bounds[CODES + 1];
    static unsigned char bytes[CODES * N + 3];
    uint64_t seed = 16;
    random_vector(&seed, N, query);
    for (size_t k = 0; k < 2; k++) {
        size_t size = vector_code_size(kinds[k], N);
        struct vector_code_query *prepared = prepare(kinds[k], query, N);
        for (size_t i = 0; i < CODES; i++) {
            struct vector_code_head head;
            random_vector(&seed, N, vectors[i]);
            vector_code_encode(kinds[k], VECTOR_DOT, vectors[i], NULL, N, &head,
                               bytes + 3 + i * size);
            offsets[i] = head.offset;
            scales[i] = head.scale;
            errors[i] = head.error;
        }
        static const size_t counts[] = {0, 1, 3, 255, 256, 257, 512, CODES};
        struct vector_code_bound bound = {0.5f, 2.0f, 0.25f};
        for (size_t c = 0; c < 8; c++) {
            struct vector_codes codes = {offsets, scales, errors, bytes + 3, counts[c]};
            bounds[counts[c]] = 77.0f;
            vector_code_bounds(prepared, &codes, &bound, bounds);
            assert_true(bounds[counts[c]] == 77.0f);
            for (size_t i = 0; i < counts[c]; i++) {
                struct vector_codes one = {offsets + i, scales + i, errors + i,
                                           bytes + 3 + i * size, 1};
                float alone;
                vector_code_bounds(prepared, &one, &bound, &alone);
                assert_true(alone == bounds[i]);
            }
        }
        vector_code_query_free(prepared);
    }
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The value at that place, from 1, of n in descending order. */
static double largest(const double *values, size_t n, int place)
{
    double *sorted = malloc(n * sizeof *sorted), value;
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, descending);
    value = sorted[place - 1];
    free(sorted);
    return value;
}

/* Of 2000 vectors around 40 centres, how many of the 10 nearest are among the `most` of the highest
 * estimates. */
static double recall(enum vector_code kind, enum vector_form form, int most)
{
    enum { N = 2000, DIMENSIONS = 128, CENTRES = 40 };
    static float vectors[N][DIMENSIONS], centres[CENTRES][DIMENSIONS];
    static float offsets[N], scales[N], errors[N], estimate[N];
    static unsigned char bytes[N * DIMENSIONS];
    uint64_t seed = 18;
    for (size_t i = 0; i < CENTRES; i++) random_vector(&seed, DIMENSIONS, centres[i]);
    for (size_t i = 0; i < N; i++) {
        struct vector_code_head head;
        for (size_t d = 0; d < DIMENSIONS; d++)
            vectors[i][d] = centres[i % CENTRES][d] + 0.7f * random_bell(&seed);
        vector_code_encode(kind, form, vectors[i], centres[0], DIMENSIONS, &head,
                           bytes + i * vector_code_size(kind, DIMENSIONS));
        offsets[i] = head.offset;
        scales[i] = head.scale;
        errors[i] = head.error;
    }
    int found = 0;
    struct vector_codes codes = {offsets, scales, errors, bytes, N};
    for (size_t q = 0; q < 40; q++) {
        static double exact[N], estimated[N];
        struct vector_code_query *prepared = prepare(kind, vectors[q], DIMENSIONS);
        vector_code_bounds(prepared, &codes, &(struct vector_code_bound){0.0f, 0.0f, 0.0f},
                           estimate);
        vector_code_query_free(prepared);
        for (size_t i = 0; i < N; i++) {
            exact[i] = form == VECTOR_DOT ? vector_dot(vectors[q], vectors[i], DIMENSIONS)
                                          : -vector_squared_l2(vectors[q], vectors[i], DIMENSIONS);
            estimated[i] = (double)estimate[i];
        }
        double tenth = largest(exact, N, 10), last = largest(estimated, N, most);
        for (size_t i = 0; i < N; i++) found += exact[i] >= tenth && estimated[i] >= last;
    }
    return found / 400.0;
}

static void test_recall(void **state)
{
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        assert_true(recall(VECTOR_INT8, forms[f], 10) >= 0.95);
        assert_true(recall(VECTOR_INT8, forms[f], 15) >= 0.995);
        assert_true(recall(VECTOR_BIT, forms[f], 50) >= 0.9);
    }
}

/* Every head is finite; no bound is NaN, nor below what it bounds. */
static void expect_harmless(struct trial *trial, unsigned char *bytes)
{
    vector_code_encode(trial->kind, trial->form, trial->vector, trial->centroid, trial->n,
                       &trial->head, bytes);
    assert_true(isfinite(trial->head.offset) && isfinite(trial->head.scale) &&
                isfinite(trial->head.error) && trial->head.scale >= 0.0f &&
                trial->head.error >= 0.0f);
    struct vector_code_query *prepared = prepare(trial->kind, trial->query, trial->n);
    struct estimate estimate = estimate_exactly(trial);
    double root = sqrt((double)trial->n);
    estimate.base = fmax(estimate.base, -(double)FLT_MAX);
    float upper = bound_of(trial, prepared, &estimate, root);
    double reserve = 1e-6 * (estimate.magnitudes + fabs(estimate.exact)) + 1e-35;
    assert_true((double)upper >= estimate.exact - reserve);
    vector_code_query_free(prepared);
}

static void test_zero_and_extreme_vectors(void **state)
{
    (void)state;
    static const float extremes[] = {0.0f, FLT_MAX,   FLT_MIN, 0x1p-149f, -FLT_MAX,
                                     1.0f, 0x1p-142f, 1e19f,   -1e20f,    1e-25f};
    float query[20], vector[20], centroid[20];
    unsigned char bytes[20];
    for (size_t i = 0; i < 4 * 10 * 10 * 10; i++) {
        struct trial trial = {.kind = kinds[i % 2],
                              .form = forms[i / 2 % 2],
                              .n = 20,
                              .query = query,
                              .vector = vector,
                              .centroid = i / 4 % 10 == 0 ? NULL : centroid,
                              .components = bytes};
        for (size_t j = 0; j < 20; j++) {
            float part = j % 2 == 0 ? 1.0f : j % 3 == 0 ? -0.5f : 0.3f;
            query[j] = extremes[i / 40 % 10] * (j % 5 == 0 ? -part : part);
            vector[j] = extremes[i / 400] * part;
            centroid[j] = extremes[i / 4 % 10] * (j % 3 == 0 ? part : 1.0f);
        }
        expect_harmless(&trial, bytes);
    }
}

static void test_what_is_not_finite(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 12; i++) {
        float vector[9] = {1.0f, 2.0f};
        unsigned char bytes[9];
        struct vector_code_head head;
        vector[i % 2 == 0 ? 3 : 8] = bad[i % 3];
        vector_code_encode(kinds[i % 2], forms[i / 6], vector, NULL, 9, &head, bytes);
        assert_true(head.offset == 0.0f && head.scale == 0.0f && head.error == FLT_MAX);
        struct vector_code_query *prepared = prepare(kinds[i % 2], vector, 9);
        float hostile[] = {NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 0.0f, -1.0f};
        for (size_t j = 0; j < 7 * 7 * 7; j++) {
            struct vector_codes codes = {&hostile[j % 7], &hostile[j / 7 % 7], &hostile[j / 49],
                                         bytes, 1};
            float bound;
            vector_code_bounds(prepared, &codes, &(struct vector_code_bound){1.0f, 1.0f, 1.0f},
                               &bound);
            assert_true(bound >= -FLT_MAX);
        }
        vector_code_query_free(prepared);
    }
}

/* Part of the format of files: these bytes never change. */
static void test_golden_bytes(void **state)
{
    (void)state;
    float vector[19], centroid[19];
    for (size_t i = 0; i < 19; i++) {
        vector[i] = (float)((i * 7919 + 13) % 1009) / 1009.0f - 0.5f;
        centroid[i] = (float)((i * 104729 + 5) % 997) / 4000.0f - 0.125f;
    }
    static const struct {
        uint32_t head[3];
        unsigned char bytes[19];
    } expected[4] = {
        {{0xB93478B8, 0x3B808A44, 0x3A948D96},
         {163, 121, 79, 38, 252, 211, 170, 127, 86, 44, 3, 217, 176, 134, 92, 50, 9, 223, 182}},
        {{0xBD0EFDBF, 0x3EAE5107, 0x3E311D0F}, {142, 199, 1}},
        {{0xBFBC82B1, 0x3C008A44, 0x3B148D96},
         {163, 121, 79, 38, 252, 211, 170, 127, 86, 44, 3, 217, 176, 134, 92, 50, 9, 223, 182}},
        {{0xBFC56745, 0x3F2E5107, 0x3EB11D0F}, {142, 199, 1}},
    };
    for (size_t i = 0; i < 4; i++) {
        struct vector_code_head head;
        unsigned char bytes[19] = {0};
        uint32_t bits[3];
        vector_code_encode(kinds[i % 2], forms[i / 2], vector, centroid, 19, &head, bytes);
        memcpy(bits, &head, sizeof bits);
        for (size_t j = 0; j < 3; j++) assert_int_equal(bits[j], expected[i].head[j]);
        assert_memory_equal(bytes, expected[i].bytes, sizeof bytes);
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

/* Statistics take their time: of the family in use alone, whose sums are those of all. */
int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_bounds_hold),
        cmocka_unit_test(test_the_worst_query),
        cmocka_unit_test(test_no_residual),
        cmocka_unit_test(test_many_codes),
        cmocka_unit_test(test_zero_and_extreme_vectors),
        cmocka_unit_test(test_what_is_not_finite),
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_out_of_memory),
    };
    const struct CMUnitTest statistics[] = {
        cmocka_unit_test(test_errors_are_as_stated),
        cmocka_unit_test(test_recall),
    };
    int failed = run_for_each_family(tests, sizeof tests / sizeof tests[0]);
    return cmocka_run_group_tests(statistics, NULL, NULL) != 0 || failed;
}

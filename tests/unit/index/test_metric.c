/* What each row of the table promises, of vectors near and far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "index/metric.h"
#include "vector/compact.h"
#include "vector/distance.h"
#include "vector/random.h"
#include "vector/rotate.h"

enum { N = 50, DIMENSIONS = 37 };

static float query[DIMENSIONS], rows[N][DIMENSIONS];
static const struct index_sums *const floats = &index_sums[INDEX_FLOAT32];

static int fill(void **state)
{
    (void)state;
    uint64_t random = 4;
    random_vector(&random, DIMENSIONS, query);
    for (size_t i = 0; i < N; i++) random_vector(&random, DIMENSIONS, rows[i]);
    memcpy(rows[7], query, sizeof query);
    for (size_t i = 0; i < DIMENSIONS; i++) rows[8][i] = -query[i];
    return 0;
}

static void for_each_metric(void (*test)(const struct index_metric_row *metric))
{
    for (size_t i = 0; i < INDEX_METRICS; i++) test(&index_metrics[i]);
}

/* Files store these numbers, and CREATE VIRTUAL TABLE these names. */
static void test_numbers_and_names(void **state)
{
    (void)state;
    assert_int_equal(INDEX_COSINE, 0);
    assert_int_equal(INDEX_DOT, 1);
    assert_int_equal(INDEX_L2, 2);
    assert_string_equal(index_metrics[INDEX_COSINE].name, "cosine");
    assert_string_equal(index_metrics[INDEX_DOT].name, "dot");
    assert_string_equal(index_metrics[INDEX_L2].name, "l2");
}

static void test_known_values(void **state)
{
    (void)state;
    const struct index_metric_row *cosine = &index_metrics[INDEX_COSINE],
                                  *dot = &index_metrics[INDEX_DOT], *l2 = &index_metrics[INDEX_L2];
    assert_true(cosine->similarity(0.5) == 0.5);
    assert_true(cosine->distance(0.25) == 0.75);
    assert_true(dot->similarity(-7.0) == -7.0);
    assert_true(dot->distance(-7.0) == 7.0);
    assert_true(l2->similarity(-3.0) == 0.25);
    assert_true(l2->distance(-3.0) == 3.0);
    assert_true(l2->similarity(0.0) == 1.0);
    assert_int_equal(cosine->form, VECTOR_DOT);
    assert_int_equal(dot->form, VECTOR_DOT);
    assert_int_equal(l2->form, VECTOR_SQUARED_L2);
    const float a[] = {1.0f, 2.0f, 3.0f}, b[] = {4.0f, -5.0f, 6.0f};
    assert_true(fabs(cosine->score(floats, a, b, 3) - 12.0 / sqrt(14.0 * 77.0)) < 1e-6);
    assert_true(dot->score(floats, a, b, 3) == 12.0);
    assert_true(l2->score(floats, a, b, 3) == -sqrt(67.0));
    assert_true(cosine->score(floats, a, a, 3) == 1.0);
    assert_true(l2->score(floats, a, a, 3) == 0.0);
    assert_true(fabs(index_inverse(floats, a, 3) - 1.0 / sqrt(14.0)) < 1e-7);
}

/* All rows together score as each does alone, but for the slack. */
static void scores_of_rows(const struct index_metric_row *metric)
{
    double scores[N + 1], inverses[N];
    for (size_t i = 0; i < N; i++) inverses[i] = index_inverse(floats, rows[i], DIMENSIONS);
    struct index_comparison comparison = {.sums = floats,
                                          .query = query,
                                          .inverse = index_inverse(floats, query, DIMENSIONS),
                                          .rows = (const unsigned char *)rows,
                                          .inverses = metric->of_directions ? inverses : NULL,
                                          .n = N,
                                          .dimensions = DIMENSIONS,
                                          .stride = DIMENSIONS * sizeof(float)};
    scores[N] = 77.0;
    metric->scores(&comparison, scores);
    assert_true(scores[N] == 77.0);
    for (size_t i = 0; i < N; i++)
        assert_true(fabs(scores[i] - metric->score(floats, query, rows[i], DIMENSIONS)) <=
                    metric->slack);
}

static void test_scores_of_rows(void **state)
{
    (void)state;
    for_each_metric(scores_of_rows);
}

/* Similarity, distance and estimate follow the score; a vector as similar as asked reaches the
 * least estimate. */
static void follow_the_score(const struct index_metric_row *metric)
{
    for (size_t i = 0; i < N; i++) {
        double score = metric->score(floats, query, rows[i], DIMENSIONS);
        double similarity = metric->similarity(score);
        assert_true(!metric->is_bounded || (similarity >= -1.0 && similarity <= 1.0));
        double estimate = metric->estimate(score), rounding = 1e-12 * fabs(estimate);
        assert_true(estimate >= metric->min_estimate(similarity) - rounding);
        for (size_t j = 0; j < N; j++) {
            double other = metric->score(floats, query, rows[j], DIMENSIONS);
            if (!(other > score)) continue;
            assert_true(metric->similarity(other) > similarity);
            assert_true(metric->distance(other) < metric->distance(score));
            assert_true(metric->estimate(other) > metric->estimate(score));
        }
    }
    assert_true(metric->min_estimate(-INFINITY) == -INFINITY);
}

static void test_all_follows_the_score(void **state)
{
    (void)state;
    for_each_metric(follow_the_score);
}

/* The base is the estimate of the centroid itself, and no larger than its magnitude. */
static void bases(const struct index_metric_row *metric)
{
    for (size_t i = 0; i < N; i++) {
        float q[DIMENSIONS], c[DIMENSIONS];
        memcpy(q, query, sizeof q);
        memcpy(c, rows[i], sizeof c);
        if (metric->of_directions) vector_normalize(q, DIMENSIONS, q);
        double norm = vector_norm(q, DIMENSIONS), centroid_norm = vector_norm(c, DIMENSIONS);
        struct index_pair pair = {.query = q,
                                  .centroid = c,
                                  .dimensions = DIMENSIONS,
                                  .squared_norm = centroid_norm * centroid_norm,
                                  .squared_distance = vector_squared_l2(q, c, DIMENSIONS)};
        double expected =
            metric->form == VECTOR_DOT ? vector_dot(q, c, DIMENSIONS) : -pair.squared_distance;
        assert_true(fabs(metric->base(&pair) - expected) <= 1e-5 * norm * centroid_norm);
        double magnitude = metric->magnitude(norm, centroid_norm, -INFINITY);
        assert_true(fabs(expected) <= magnitude * (1.0 + 1e-6));
        assert_true(metric->magnitude(norm, centroid_norm, -1.0) >= magnitude);
        pair = (struct index_pair){
            .query = q, .dimensions = DIMENSIONS, .squared_distance = norm * norm};
        assert_true(metric->base(&pair) == (metric->form == VECTOR_DOT ? 0.0 : -norm * norm));
    }
    struct vector_code_bound near = {.base = 3.0f, .radius = 1.0f},
                             far = {.base = 2.0f, .radius = 2.0f};
    assert_true(metric->nearness(&near) > metric->nearness(&far));
}

static void test_bases(void **state)
{
    (void)state;
    for_each_metric(bases);
}

/* What is of no use has no score. */
static void no_score(const struct index_metric_row *metric)
{
    float useless[DIMENSIONS] = {0.0f};
    double score = metric->score(floats, query, useless, DIMENSIONS);
    assert_true(metric->of_directions ? isnan(score) : isfinite(score));
    useless[3] = NAN;
    assert_true(!isfinite(metric->score(floats, query, useless, DIMENSIONS)));
    useless[3] = INFINITY;
    assert_true(!isfinite(metric->score(floats, query, useless, DIMENSIONS)));
}

/* The bound of a unit query beside a centroid of that length, at an angle of that cosine. */
static struct vector_code_bound beside(float length, float cosine)
{
    float base = length * cosine;
    return (struct vector_code_bound){base, sqrtf(1.0f + length * length - 2.0f * base), 0.0f};
}

/* Partitions in the direction of the query are nearer, wide ones than close ones; whatever
 * a centroid is, it has a place. */
static void test_nearness_of_directions(void **state)
{
    (void)state;
    double (*nearness)(const struct vector_code_bound *) = index_metrics[INDEX_COSINE].nearness;
    struct vector_code_bound near = beside(0.8f, 0.9f), beyond = beside(0.8f, 0.5f),
                             wide = beside(0.4f, 0.75f), close = beside(0.9f, 1.0f / 3.0f),
                             origin = beside(0.0f, 0.0f), mad = {NAN, INFINITY, 0.0f};
    assert_true(nearness(&near) > nearness(&beyond));
    assert_true(nearness(&wide) > nearness(&close)); /* the dot products are equal */
    assert_true(nearness(&origin) > 0.0 && nearness(&origin) < nearness(&wide));
    assert_true(nearness(&mad) == -INFINITY);
}

static void test_no_score(void **state)
{
    (void)state;
    for_each_metric(no_score);
}

/* Compact rows score as the floats that they stand for do, all together as each alone; equal ones
 * are equally far. */
static void compact_rows(const struct index_metric_row *metric)
{
    const struct index_sums *compact = &index_sums[INDEX_COMPACT];
    enum { STRIDE = sizeof(float) + DIMENSIONS };
    static unsigned char stored[N * STRIDE + 1];
    float scratch[DIMENSIONS], rotated[DIMENSIONS], vector[DIMENSIONS];
    double scores[N], inverses[N];
    assert_int_equal(vector_compact_size(DIMENSIONS), STRIDE);
    memcpy(rotated, query, sizeof query);
    vector_rotate(rotated, DIMENSIONS);
    for (size_t i = 0; i < N; i++) {
        vector_compact_encode(rows[i], DIMENSIONS, scratch, stored + 1 + i * STRIDE);
        inverses[i] = index_inverse(compact, stored + 1 + i * STRIDE, DIMENSIONS);
    }
    struct index_comparison comparison = {.sums = compact,
                                          .query = rotated,
                                          .inverse = index_inverse(floats, rotated, DIMENSIONS),
                                          .rows = stored + 1,
                                          .inverses = metric->of_directions ? inverses : NULL,
                                          .n = N,
                                          .dimensions = DIMENSIONS,
                                          .stride = STRIDE};
    metric->scores(&comparison, scores);
    for (size_t i = 0; i < N; i++) {
        const void *row = stored + 1 + i * STRIDE;
        double score = metric->score(compact, rotated, row, DIMENSIONS);
        assert_true(fabs(scores[i] - score) <= metric->slack);
        vector_compact_read(row, DIMENSIONS, vector);
        assert_true(fabs(score - metric->score(floats, query, vector, DIMENSIONS)) < 1e-4);
        assert_true(fabs(vector_cosine(vector, rows[i], DIMENSIONS)) > 0.9999);
        assert_true(compact->is_finite(row, DIMENSIONS));
    }
}

static void test_compact_rows(void **state)
{
    (void)state;
    for_each_metric(compact_rows);
}

/* Whatever bytes there are, a row whose scale is not a number has no score. */
static void no_compact_score(const struct index_metric_row *metric)
{
    const struct index_sums *compact = &index_sums[INDEX_COMPACT];
    unsigned char zeros[sizeof(float) + DIMENSIONS] = {0}, ones[sizeof zeros];
    double score = metric->score(compact, query, zeros, DIMENSIONS);
    assert_true(metric->of_directions ? isnan(score) : isfinite(score));
    memset(ones, 0xFF, sizeof ones);
    assert_true(isnan(metric->score(compact, query, ones, DIMENSIONS)));
    assert_false(compact->is_finite(ones, DIMENSIONS));
}

static void test_no_compact_score(void **state)
{
    (void)state;
    for_each_metric(no_compact_score);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_names),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_scores_of_rows),
        cmocka_unit_test(test_all_follows_the_score),
        cmocka_unit_test(test_bases),
        cmocka_unit_test(test_nearness_of_directions),
        cmocka_unit_test(test_no_score),
        cmocka_unit_test(test_compact_rows),
        cmocka_unit_test(test_no_compact_score),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}

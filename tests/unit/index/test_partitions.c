#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/each_allocation.h"
#include "index/partitions.h"
#include "vector/distance.h"
#include "vector/random.h"

enum { POINTS = 700 };

static struct index_partitions *make(size_t n, size_t dimensions, uint64_t *random)
{
    struct index_partitions *partitions;
    assert_int_equal(index_partitions_new(n, dimensions, &partitions, NULL), 0);
    for (size_t i = 0; i < n; i++) partitions->numbers[i] = 7 * (int64_t)i - 20;
    random_vector(random, n * dimensions, partitions->centroids);
    index_partitions_ready(partitions);
    return partitions;
}

static void test_find(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (size_t n = 1; n < 40; n++) {
        struct index_partitions *partitions = make(n, 3, &random);
        for (int64_t number = -25; number < 7 * 40; number++) {
            int is_one = number >= -20 && (number + 20) % 7 == 0 && (number + 20) / 7 < (int64_t)n;
            assert_int_equal(index_partitions_find(partitions, number),
                             is_one ? (size_t)((number + 20) / 7) : n);
        }
        assert_int_equal(index_partitions_find(partitions, INT64_MIN), n);
        assert_int_equal(index_partitions_find(partitions, INT64_MAX), n);
        assert_ptr_equal(index_partitions_reference(partitions), partitions);
        index_partitions_free(partitions);
        assert_int_equal(index_partitions_find(partitions, -20), 0);
        index_partitions_free(partitions);
    }
    index_partitions_free(NULL);
}

static double distance(const float *a, const float *b, size_t dimensions)
{
    double sum = 0.0;
    for (size_t i = 0; i < dimensions; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

/* No other centroid is nearer than the chosen one, by more than float32 can tell. */
static void test_assign(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 7, 255, 256, 257, 600}, sizes[] = {1, 3, 40, 300};
    uint64_t random = 2;
    for (size_t c = 0; c < 28; c++) {
        size_t n = counts[c % 7], dimensions = sizes[c / 7];
        struct index_partitions *partitions = make(n, dimensions, &random);
        float *points = malloc(POINTS * dimensions * sizeof *points);
        uint32_t places[POINTS], again[POINTS];
        random_vector(&random, POINTS * dimensions, points);
        memcpy(points, partitions->centroids, dimensions * sizeof *points);
        assert_int_equal(index_partitions_assign(partitions, points, POINTS, 1, places, NULL, NULL),
                         0);
        for (size_t i = 0; i<POINTS; i += dimensions> 40 ? 9 : 1) {
            const float *point = points + i * dimensions;
            double least = INFINITY, chosen;
            for (size_t j = 0; j < n; j++) {
                double d = distance(point, partitions->centroids + j * dimensions, dimensions);
                if (d < least) least = d;
            }
            assert_true(places[i] < n);
            chosen = distance(point, partitions->centroids + places[i] * dimensions, dimensions);
            assert_true(chosen <= least + 1e-4 * (double)dimensions);
        }
        for (size_t n_threads = 0; n_threads < 9; n_threads += 2) {
            assert_int_equal(
                index_partitions_assign(partitions, points, POINTS, n_threads, again, NULL, NULL),
                0);
            assert_memory_equal(again, places, sizeof places);
        }
        assert_int_equal(index_partitions_assign(partitions, points, 0, 3, again, NULL, NULL), 0);
        free(points);
        index_partitions_free(partitions);
    }
}

/* Centroids that float32 cannot tell apart, and equal ones: the place is that of sums which are the
 * same on every processor, the first of equal ones. */
static void test_assign_ties(void **state)
{
    (void)state;
    enum { N = 300, DIMENSIONS = 43 };
    uint64_t random = 5;
    for (int scale = -60; scale <= 60; scale += 40) {
        struct index_partitions *partitions = make(N, DIMENSIONS, &random);
        float *points = malloc(POINTS * DIMENSIONS * sizeof *points), *centroids;
        uint32_t places[POINTS];
        centroids = partitions->centroids;
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < DIMENSIONS; j++) {
                float *component = &centroids[i * DIMENSIONS + j];
                if (i >= 20) *component = centroids[i % 20 * DIMENSIONS + j];
                if (i < 20) *component = ldexpf(*component, scale);
                if (i >= 200 && j % 9 == i % 9) *component = nextafterf(*component, INFINITY);
            }
        index_partitions_ready(partitions);
        random_vector(&random, POINTS * DIMENSIONS, points);
        for (size_t i = 0; i < POINTS * DIMENSIONS; i++) points[i] = ldexpf(points[i], scale);
        memcpy(points, centroids, N * DIMENSIONS * sizeof *points);
        assert_int_equal(index_partitions_assign(partitions, points, POINTS, 2, places, NULL, NULL),
                         0);
        for (size_t i = 0; i < POINTS; i++) {
            double least = INFINITY;
            size_t nearest = 0;
            for (size_t j = 0; j < N; j++) {
                const float *centroid = centroids + j * DIMENSIONS;
                double d =
                    vector_dot_everywhere(centroid, centroid, DIMENSIONS) -
                    2.0 * vector_dot_everywhere(points + i * DIMENSIONS, centroid, DIMENSIONS);
                if (d >= least) continue;
                least = d;
                nearest = j;
            }
            assert_int_equal(places[i], nearest);
        }
        free(points);
        index_partitions_free(partitions);
    }
}

/* Points so large that their products overflow still go to some partition. */
static void test_assign_extremes(void **state)
{
    (void)state;
    uint64_t random = 3;
    struct index_partitions *partitions = make(3, 4, &random);
    float points[12];
    uint32_t places[3] = {9, 9, 9};
    for (size_t i = 0; i < 12; i++) points[i] = i % 2 ? FLT_MAX / 4 : -FLT_MAX / 4;
    for (size_t i = 0; i < 12; i++) partitions->centroids[i] = points[11 - i];
    index_partitions_ready(partitions);
    assert_int_equal(index_partitions_assign(partitions, points, 3, 1, places, NULL, NULL), 0);
    for (size_t i = 0; i < 3; i++) assert_true(places[i] < 3);
    index_partitions_free(partitions);
}

/* ---- neighbours ------------------------------------------------------------------------------ */

/* The nearest centroids, under the numbers that they have among all. */
static void test_near(void **state)
{
    (void)state;
    enum { N = 70, DIMENSIONS = 12 };
    uint64_t random = 11;
    struct index_partitions *partitions = make(N, DIMENSIONS, &random), *near;
    for (size_t n = 1; n < N; n += 17)
        for (size_t place = 0; place < N; place += 23) {
            const float *point = partitions->centroids + place * DIMENSIONS;
            double farthest = -INFINITY, nearest = INFINITY;
            assert_int_equal(index_partitions_near(partitions, place, n, &near, NULL), 0);
            assert_int_equal(near->n, n);
            assert_true(index_partitions_find(near, partitions->numbers[place]) < n);
            for (size_t i = 0; i < N; i++) {
                const float *centroid = partitions->centroids + i * DIMENSIONS;
                size_t at = index_partitions_find(near, partitions->numbers[i]);
                double d = distance(point, centroid, DIMENSIONS);
                double told = index_partitions_distance(partitions, point, i);
                assert_true(fabs(told + distance(point, (float[DIMENSIONS]){0}, DIMENSIONS) - d) <
                            1e-4);
                if (at == n && d < nearest) nearest = d;
                if (at == n) continue;
                if (d > farthest) farthest = d;
                assert_memory_equal(near->centroids + at * DIMENSIONS, centroid,
                                    DIMENSIONS * sizeof(float));
            }
            assert_true(farthest <= nearest + 1e-4);
            index_partitions_free(near);
        }
    for (size_t n = N; n < N + 2; n++) {
        assert_int_equal(index_partitions_near(partitions, 3, n, &near, NULL), 0);
        assert_ptr_equal(near, partitions);
        index_partitions_free(near);
    }
    index_partitions_free(partitions);
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* Cuts, and checks what the header promises. Returns how many points lie on side 1. */
static size_t cut(const float *points, size_t n, size_t dimensions)
{
    unsigned char *sides = malloc(n), *again = malloc(n);
    float *centroids = malloc(2 * dimensions * sizeof *centroids);
    assert_int_equal(index_partitions_split(points, n, dimensions, sides, centroids, NULL, NULL),
                     0);
    size_t n_side[2] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        assert_true(sides[i] <= 1);
        n_side[sides[i]]++;
    }
    for (int side = 0; side < 2; side++) {
        assert_true(n_side[side] >= 1);
        assert_true(n_side[side] >= n / 8);
        for (size_t d = 0; d < dimensions; d++) {
            double mean = 0.0, size = 0.0;
            for (size_t i = 0; i < n; i++) {
                if (sides[i] != side) continue;
                mean += (double)points[i * dimensions + d] / (double)n_side[side];
                size += fabs((double)points[i * dimensions + d]) / (double)n_side[side];
            }
            float got = centroids[(size_t)side * dimensions + d];
            assert_true(isfinite(got));
            assert_true(fabs((double)got - mean) <= 1e-5 * size + 1e-30);
        }
    }
    assert_int_equal(index_partitions_split(points, n, dimensions, again, centroids, NULL, NULL),
                     0);
    assert_memory_equal(again, sides, n);
    free(sides);
    free(again);
    free(centroids);
    return n_side[1];
}

static void test_split(void **state)
{
    (void)state;
    static const size_t counts[] = {2, 3, 4, 7, 8, 9, 64, POINTS}, sizes[] = {1, 2, 17, 200};
    uint64_t random = 4;
    for (size_t c = 0; c < 32; c++) {
        size_t n = counts[c % 8], dimensions = sizes[c / 8];
        float *points = malloc(n * dimensions * sizeof *points);
        random_vector(&random, n * dimensions, points);
        cut(points, n, dimensions);
        /* Identical ones are dealt out. */
        for (size_t i = dimensions; i < n * dimensions; i++) points[i] = points[i - dimensions];
        size_t beyond = cut(points, n, dimensions);
        assert_true(beyond >= n / 2 && beyond <= n - n / 2);
        memset(points, 0, n * dimensions * sizeof *points);
        cut(points, n, dimensions);
        /* All but one are identical. */
        points[(n - 1) * dimensions] = 5.0f;
        cut(points, n, dimensions);
        free(points);
    }
}

/* Two clouds come apart. */
static void test_split_of_two_clouds(void **state)
{
    (void)state;
    enum { DIMENSIONS = 20, EACH = 100 };
    static float points[2 * EACH][DIMENSIONS];
    unsigned char sides[2 * EACH];
    float centroids[2 * DIMENSIONS];
    uint64_t random = 5;
    for (size_t i = 0; i < 2 * EACH; i++) {
        random_vector(&random, DIMENSIONS, points[i]);
        for (size_t d = 0; d < DIMENSIONS; d++) points[i][d] += i % 2 ? 3.0f : -3.0f;
    }
    assert_int_equal(
        index_partitions_split(points[0], 2 * EACH, DIMENSIONS, sides, centroids, NULL, NULL), 0);
    for (size_t i = 2; i < 2 * EACH; i++) assert_int_equal(sides[i], sides[i - 2]);
    assert_int_not_equal(sides[0], sides[1]);
}

/* Near float32's end products are infinite; subnormal ones vanish. */
static void test_split_extremes(void **state)
{
    (void)state;
    static const float sizes[] = {FLT_MAX / 4, 1e30f, 1e-30f, 1e-45f, FLT_MIN};
    uint64_t random = 6;
    float points[50 * 6];
    for (size_t s = 0; s < 5; s++) {
        for (size_t i = 0; i < 50 * 6; i++)
            points[i] = (float)(random_unit(&random) - 0.5) * sizes[s];
        cut(points, 50, 6);
        for (size_t i = 0; i < 50 * 6; i++) points[i] = i / 6 % 3 ? sizes[s] : -sizes[s];
        cut(points, 50, 6);
    }
}

static void test_centroid(void **state)
{
    (void)state;
    static const float points[] = {1, 2, 3, 4, -4, 0, 2, 2, -9};
    float centroid[3];
    index_centroid(points, 3, 3, centroid);
    assert_true(fabsf(centroid[0] - 7.0f / 3.0f) < 1e-6f && fabsf(centroid[1]) < 1e-6f &&
                fabsf(centroid[2] + 2.0f) < 1e-6f);
    index_centroid(points, 1, 3, centroid);
    assert_memory_equal(centroid, points, sizeof centroid);
}

/* Of points at float32's end, and beyond it. */
static void test_centroids_are_finite(void **state)
{
    (void)state;
    static const float ends[] = {3e38f, -3e38f, FLT_MAX, -FLT_MAX, INFINITY, -INFINITY};
    uint64_t random = 9;
    float points[90 * 6], centroids[12];
    unsigned char sides[90];
    for (int round = 0; round < 200; round++) {
        size_t n_ends = round % 2 ? 6 : 4;
        for (size_t i = 0; i < 90 * 6; i++)
            points[i] = ends[(size_t)(random_unit(&random) * (double)n_ends) % n_ends];
        index_centroid(points, 90, 6, centroids);
        for (size_t i = 0; i < 6; i++) assert_true(isfinite(centroids[i]));
        assert_int_equal(index_partitions_split(points, 90, 6, sides, centroids, NULL, NULL), 0);
        for (size_t i = 0; i < 12; i++) assert_true(isfinite(centroids[i]));
    }
    for (size_t i = 0; i < 90 * 6; i++) points[i] = FLT_MAX;
    index_centroid(points, 90, 6, centroids);
    for (size_t i = 0; i < 6; i++) assert_true(centroids[i] > FLT_MAX * 0.999f);
}

/* ---- failures -------------------------------------------------------------------------------- */

static float some_points[POINTS * 8];

static int try_new(void *context, struct error *err)
{
    (void)context;
    struct index_partitions *partitions;
    int rc = index_partitions_new(5, 8, &partitions, err);
    assert_true((rc == 0) == (partitions != NULL));
    index_partitions_free(partitions);
    return rc;
}

static int try_near(void *context, struct error *err)
{
    struct index_partitions *near;
    int rc = index_partitions_near(context, 1, 3, &near, err);
    assert_true((rc == 0) == (near != NULL));
    index_partitions_free(near);
    return rc;
}

static int try_split(void *context, struct error *err)
{
    (void)context;
    unsigned char sides[POINTS];
    float centroids[16];
    return index_partitions_split(some_points, POINTS, 8, sides, centroids, NULL, err);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    assert_true(each_allocation(try_new, NULL) >= 4);
    assert_true(each_allocation(try_split, NULL) >= 3);
    uint64_t random = 12;
    struct index_partitions *partitions = make(9, 8, &random);
    assert_true(each_allocation(try_near, partitions) >= 5);
    index_partitions_free(partitions);
}

static int is_cancelled(void *context)
{
    return --*(int *)context < 0;
}

static void test_cancel(void **state)
{
    (void)state;
    uint64_t random = 7;
    struct index_partitions *partitions = make(9, 8, &random);
    uint32_t places[POINTS];
    unsigned char sides[POINTS];
    float centroids[16];
    int left = 0;
    struct cancel cancel = {is_cancelled, &left};
    for (size_t n_threads = 1; n_threads < 5; n_threads++) {
        struct error err = {0};
        left = 0;
        int rc = index_partitions_assign(partitions, some_points, POINTS, n_threads, places,
                                         &cancel, &err);
        /* The caller's thread asks after the points that it has compared: others may be faster. */
        assert_true(rc == ERROR_INTERRUPTED || (n_threads > 1 && rc == 0 && left == 0));
        assert_int_equal(err.code, rc);
        left = 1000;
        assert_int_equal(index_partitions_assign(partitions, some_points, POINTS, n_threads, places,
                                                 &cancel, NULL),
                         0);
    }
    left = 0;
    assert_int_equal(
        index_partitions_split(some_points, POINTS, 8, sides, centroids, &cancel, NULL),
        ERROR_INTERRUPTED);
    index_partitions_free(partitions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_assign),
        cmocka_unit_test(test_assign_ties),
        cmocka_unit_test(test_assign_extremes),
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_of_two_clouds),
        cmocka_unit_test(test_split_extremes),
        cmocka_unit_test(test_centroid),
        cmocka_unit_test(test_centroids_are_finite),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_cancel),
    };
    uint64_t random = 8;
    failing_memory_bind();
    random_vector(&random, POINTS * 8, some_points);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

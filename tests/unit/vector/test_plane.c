#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/each_allocation.h"
#include "base/hash.h"
#include "vector/distance.h"
#include "vector/families.h"
#include "vector/plane.h"
#include "vector/random.h"
#include "vector/rotate.h"

enum { ROWS = 300, MOST = 768 };

static float rows[ROWS * MOST], copy[ROWS * MOST];
static double places[ROWS][2];

/* Fits the plane of n rows, and places them all. */
static void fit(struct vector_plane *plane, size_t n, size_t dimensions)
{
    memcpy(copy, rows, n * dimensions * sizeof *rows);
    *plane = (struct vector_plane){0};
    assert_int_equal(vector_plane_fit(plane, copy, n, dimensions, NULL, NULL), 0);
    for (size_t r = 0; r < n; r++) vector_plane_place(plane, rows + r * dimensions, places[r]);
}

/* Rows that differ along known axes, turned all together: by `spread` along the first, the next...
 * and by noise along all; around a mean that is not 0. */
static void make_rows(uint64_t *seed, size_t n, size_t dimensions, const float *spread,
                      size_t n_spread, float noise)
{
    for (size_t r = 0; r < n; r++) {
        float *row = rows + r * dimensions;
        random_vector(seed, dimensions, row);
        for (size_t i = 0; i < dimensions; i++) row[i] = row[i] * noise;
        for (size_t i = 0; i < n_spread; i++) row[i] += spread[i] * random_bell(seed);
        row[dimensions - 1] += 5.0f;
        vector_rotate(row, dimensions);
    }
}

/* How much of an axis that the rows were made along an axis of the plane has. */
static double common(const struct vector_plane *plane, size_t axis, size_t made)
{
    float turned[MOST] = {0.0f};
    turned[made] = 1.0f;
    vector_rotate(turned, plane->dimensions);
    return fabs(vector_dot(turned, plane->axes + axis * plane->dimensions, plane->dimensions));
}

static void test_finds_the_axes(void **state)
{
    (void)state;
    static const size_t sizes[] = {2, 3, 7, 8, 9, 64, 100, MOST};
    static const float spread[] = {3.0f, 9.0f};
    uint64_t seed = 51;
    struct vector_plane plane;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t n = sizes[s];
        make_rows(&seed, ROWS, n, spread, 2, 0.1f);
        fit(&plane, ROWS, n);
        assert_true(common(&plane, 0, 1) > 0.99);
        assert_true(common(&plane, 1, 0) > 0.99);
        assert_true(fabs(vector_norm(plane.axes, n) - 1.0) < 1e-5);
        assert_true(fabs(vector_norm(plane.axes + n, n) - 1.0) < 1e-5);
        assert_true(fabs(vector_dot(plane.axes, plane.axes + n, n)) < 1e-5);
        vector_plane_deinit(&plane);
    }
}

/* No other plane shows more: of rows that differ in many directions nearly alike the variance shown
 * is that of the two largest eigenvalues, which power iteration finds here in its own plain way. */
ORACLE static double largest_variance(size_t n, size_t dimensions, double found[2][MOST])
{
    static double mean[MOST], next[MOST];
    double sum = 0.0, value = 0.0;
    for (size_t i = 0; i < dimensions; i++) {
        mean[i] = 0.0;
        for (size_t r = 0; r < n; r++) mean[i] += (double)rows[r * dimensions + i] / (double)n;
    }
    for (int axis = 0; axis < 2; axis++, sum += value) {
        double *v = found[axis];
        for (size_t i = 0; i < dimensions; i++) v[i] = i % 3 == 0 ? 1.0 : -0.5;
        for (int round = 0; round < 400; round++) {
            memset(next, 0, sizeof next);
            for (size_t r = 0; r < n; r++) {
                double dot = 0.0;
                for (size_t i = 0; i < dimensions; i++)
                    dot += ((double)rows[r * dimensions + i] - mean[i]) * v[i];
                for (size_t i = 0; i < dimensions; i++)
                    next[i] += dot * ((double)rows[r * dimensions + i] - mean[i]);
            }
            for (int before = 0; before < axis; before++) {
                double dot = 0.0;
                for (size_t i = 0; i < dimensions; i++) dot += next[i] * found[before][i];
                for (size_t i = 0; i < dimensions; i++) next[i] -= dot * found[before][i];
            }
            double norm = 0.0;
            for (size_t i = 0; i < dimensions; i++) norm += next[i] * next[i];
            value = sqrt(norm);
            for (size_t i = 0; i < dimensions; i++) v[i] = next[i] / value;
        }
    }
    return sum;
}

static void test_shows_most(void **state)
{
    (void)state;
    enum { SIZE = 48 };
    static double found[2][MOST];
    float spread[SIZE];
    uint64_t seed = 52;
    struct vector_plane plane;
    for (size_t i = 0; i < SIZE; i++) spread[i] = 4.0f / sqrtf((float)(i + 1));
    make_rows(&seed, ROWS, SIZE, spread, SIZE, 0.5f);
    double most = largest_variance(ROWS, SIZE, found), shown = 0.0;
    fit(&plane, ROWS, SIZE);
    for (size_t r = 0; r < ROWS; r++)
        shown += places[r][0] * places[r][0] + places[r][1] * places[r][1];
    assert_true(shown < most * (1.0 + 1e-6));
    assert_true(shown > most * 0.9999);
    vector_plane_deinit(&plane);
}

/* A place is (vector - mean) times the axes. */
static void test_places(void **state)
{
    (void)state;
    static const float points[4][3] = {{4, 1, 0}, {-4, 1, 0}, {0, 3, 0}, {0, -1, 0}};
    struct vector_plane plane;
    memcpy(rows, points, sizeof points);
    fit(&plane, 4, 3);
    for (size_t r = 0; r < 4; r++) {
        assert_true(fabs(places[r][0] - (double)points[r][0]) < 1e-5);
        assert_true(fabs(places[r][1] - ((double)points[r][1] - 1.0)) < 1e-5);
    }
    vector_plane_deinit(&plane);
}

/* As many directions as there are, and none where nothing differs. */
static void test_degenerate(void **state)
{
    (void)state;
    struct vector_plane plane;
    uint64_t seed = 53;
    random_vector(&seed, MOST, rows);
    fit(&plane, 1, MOST); /* one row */
    assert_true(places[0][0] == 0.0 && places[0][1] == 0.0);
    vector_plane_deinit(&plane);

    for (size_t r = 1; r < ROWS; r++) memcpy(rows + r * MOST, rows, MOST * sizeof *rows);
    fit(&plane, ROWS, MOST); /* all equal */
    for (size_t r = 0; r < ROWS; r++) assert_true(places[r][0] == 0.0 && places[r][1] == 0.0);
    vector_plane_deinit(&plane);

    for (size_t r = 0; r < ROWS; r++) rows[r] = (float)r;
    fit(&plane, ROWS, 1); /* a line */
    for (size_t r = 0; r < ROWS; r++) {
        assert_true(fabs(places[r][0] - ((double)r - 149.5)) < 1e-4);
        assert_true(places[r][1] == 0.0);
    }
    vector_plane_deinit(&plane);

    for (size_t r = 0; r < ROWS; r++)
        for (size_t i = 0; i < 20; i++) rows[r * 20 + i] = (float)r * (float)(i + 1) / 7.0f;
    fit(&plane, ROWS, 20); /* the same in more dimensions */
    assert_true(fabs(places[0][0]) > 1.0);
    for (size_t r = 0; r < ROWS; r++) assert_true(places[r][1] == 0.0);
    vector_plane_deinit(&plane);

    for (size_t r = 0; r < 4; r++)
        for (size_t i = 0; i < 4; i++) rows[r * 4 + i] = r == i ? 1.0f : 0.0f;
    fit(&plane, 4, 4); /* no direction is stronger than another */
    for (size_t r = 0; r < 4; r++) assert_true(isfinite(places[r][0]) && isfinite(places[r][1]));
    assert_true(fabs(vector_dot(plane.axes, plane.axes + 4, 4)) < 1e-5);
    vector_plane_deinit(&plane);
}

/* The same picture in any unit, as far as float32 reaches. */
static void test_extremes(void **state)
{
    (void)state;
    static const float units[] = {3e38f, 1e-38f, 0x1p-140f};
    static const float points[4][2] = {{1, 0.25f}, {-1, 0.25f}, {0, 0.75f}, {0, -0.25f}};
    struct vector_plane plane;
    for (size_t u = 0; u < 3; u++) {
        for (size_t r = 0; r < 4; r++)
            for (size_t i = 0; i < 2; i++) rows[r * 2 + i] = points[r][i] * units[u];
        fit(&plane, 4, 2);
        for (size_t r = 0; r < 4; r++) {
            double unit = (double)units[u];
            assert_true(fabs(places[r][0] / unit - (double)points[r][0]) < 1e-3);
            assert_true(fabs(places[r][1] / unit - ((double)points[r][1] - 0.25)) < 1e-3);
        }
        vector_plane_deinit(&plane);
    }
}

/* All families agree, on every bit. */
static void test_golden_bits(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 5, 33, 384, MOST};
    static const uint64_t expected[] = {0x35540A3AD6EF0559, 0x00F3EEB41374F763, 0xFC87EFBA9CA36500,
                                        0x1F95B428D3F35101, 0x3D5A43038F97A668, 0xC202F2E775CBC6F3};
    static const float spread[] = {2.0f, 1.0f, 1.5f, 0.7f};
    uint64_t seed = 54;
    struct vector_plane plane;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t n = sizes[s];
        make_rows(&seed, 60, n, spread, n < 4 ? n : 4, 0.5f);
        fit(&plane, 60, n);
        uint64_t hash = hash_bytes(places, 60 * sizeof *places, 0);
        if (hash != expected[s]) fail_msg("%zu dimensions: 0x%016llX", n, (unsigned long long)hash);
        vector_plane_deinit(&plane);
    }
}

static int fit_once(void *context, struct error *err)
{
    struct vector_plane plane = {0};
    memcpy(copy, rows, 50 * 64 * sizeof *rows);
    int rc = vector_plane_fit(&plane, copy, 50, 64, context, err);
    vector_plane_deinit(&plane);
    return rc;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    uint64_t seed = 55;
    random_vector(&seed, 50 * 64, rows);
    assert_int_equal(each_allocation(fit_once, NULL), 4);
}

static int soon(void *context)
{
    int *left = context;
    return (*left)-- == 0;
}

/* Each look at the token may be the one that stops it. */
static void test_interrupted(void **state)
{
    (void)state;
    uint64_t seed = 56;
    struct vector_plane plane = {0};
    struct error err;
    int stopped = 0;
    random_vector(&seed, (size_t)ROWS * MOST, rows);
    for (int looks = 0;; looks++, stopped++) {
        int left = looks;
        struct cancel cancel = {soon, &left};
        memcpy(copy, rows, sizeof rows);
        int rc = vector_plane_fit(&plane, copy, ROWS, MOST, &cancel, &err);
        vector_plane_deinit(&plane);
        if (rc == 0) break;
        assert_int_equal(rc, ERROR_INTERRUPTED);
    }
    assert_true(stopped >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_axes), cmocka_unit_test(test_shows_most),
        cmocka_unit_test(test_places),         cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_extremes),       cmocka_unit_test(test_golden_bits),
        cmocka_unit_test(test_out_of_memory),  cmocka_unit_test(test_interrupted),
    };
    failing_memory_bind();
    return run_for_each_family(tests, sizeof tests / sizeof tests[0]);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "vector/eigen.h"
#include "vector/random.h"

#define MOST 40

static double matrix[MOST * MOST], before[MOST * MOST], vectors[MOST * MOST];

/* M^T M of a random M, which is not negative; every third column of M may be that before it. */
static void make_matrix(uint64_t *seed, size_t n, int is_singular)
{
    float rows[MOST][MOST];
    for (size_t r = 0; r < n; r++) {
        random_vector(seed, n, rows[r]);
        for (size_t i = 1; is_singular && i < n; i += 3) rows[r][i] = rows[r][i - 1];
    }
    memset(matrix, 0, sizeof matrix);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t r = 0; r < n; r++)
                matrix[i * n + j] += (double)rows[r][i] * (double)rows[r][j];
    memcpy(before, matrix, sizeof before);
}

/* matrix v = value v for each, and the vectors are orthonormal. */
static void check(size_t n)
{
    double trace = 0.0;
    for (size_t i = 0; i < n; i++) trace += before[i * n + i];
    for (size_t k = 0; k < n; k++) {
        const double *v = vectors + k * n;
        for (size_t i = 0; i < n; i++) {
            double product = 0.0;
            for (size_t j = 0; j < n; j++) product += before[i * n + j] * v[j];
            assert_true(fabs(product - matrix[k * n + k] * v[i]) <= 1e-8 * trace);
        }
        for (size_t l = 0; l < n; l++) {
            double dot = 0.0;
            for (size_t i = 0; i < n; i++) dot += v[i] * vectors[l * n + i];
            assert_true(fabs(dot - (k == l)) < 1e-12);
        }
    }
}

static void test_values_and_vectors(void **state)
{
    (void)state;
    uint64_t seed = 41;
    for (size_t n = 1; n <= MOST; n += n < 8 ? 1 : 7) {
        for (int is_singular = 0; is_singular < 2; is_singular++) {
            make_matrix(&seed, n, is_singular);
            assert_int_equal(vector_eigen(matrix, vectors, n, NULL, NULL), 0);
            check(n);
        }
    }
}

static void test_order(void **state)
{
    (void)state;
    uint64_t seed = 42;
    size_t order[MOST];
    make_matrix(&seed, MOST, 0);
    assert_int_equal(vector_eigen(matrix, vectors, MOST, NULL, NULL), 0);
    vector_eigen_order(matrix, MOST, order);
    for (size_t i = 1; i < MOST; i++)
        assert_true(matrix[order[i - 1] * (MOST + 1)] >= matrix[order[i] * (MOST + 1)]);
}

static void test_zeros(void **state)
{
    (void)state;
    memset(matrix, 0, sizeof matrix);
    assert_int_equal(vector_eigen(matrix, vectors, 3, NULL, NULL), 0);
    for (size_t i = 0; i < 9; i++) {
        assert_true(matrix[i] == 0.0);
        assert_true(vectors[i] == (i % 4 == 0));
    }
}

static int now(void *context)
{
    (void)context;
    return 1;
}

static void test_interrupted(void **state)
{
    (void)state;
    uint64_t seed = 43;
    struct cancel cancel = {now, NULL};
    struct error err;
    make_matrix(&seed, MOST, 0);
    assert_int_equal(vector_eigen(matrix, vectors, MOST, &cancel, &err), ERROR_INTERRUPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_vectors),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

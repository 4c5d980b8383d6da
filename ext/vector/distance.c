#include "vector/distance.h"

#include <math.h>

#include "vector/simd/kernels.h"

double vector_dot(const void *a, const void *b, size_t dimensions)
{
    double sum = vector_kernels_chosen()->dot(a, b, dimensions);
    return vector_sum_is_safe(sum) ? sum : vector_kernels_scalar.dot(a, b, dimensions);
}

double vector_dot_everywhere(const float *a, const float *b, size_t dimensions)
{
    double s[VECTOR_LANES] = {0.0};
    size_t whole = dimensions - dimensions % VECTOR_LANES;
    vector_kernels_chosen()->products(a, b, whole, s);
    for (size_t j = 0; whole + j < dimensions; j++)
        s[j] += (double)a[whole + j] * (double)b[whole + j];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

double vector_squared_l2(const void *a, const void *b, size_t dimensions)
{
    double sum = vector_kernels_chosen()->squared_l2(a, b, dimensions);
    return vector_sum_is_safe(sum) ? sum : vector_kernels_scalar.squared_l2(a, b, dimensions);
}

double vector_cosine(const void *a, const void *b, size_t dimensions)
{
    struct vector_sums sums = vector_kernels_chosen()->sums(a, b, dimensions);
    if (!isfinite(sums.ab) || !vector_sum_is_safe(sums.aa) || !vector_sum_is_safe(sums.bb))
        sums = vector_kernels_scalar.sums(a, b, dimensions);
    if (sums.aa == 0.0 || sums.bb == 0.0) return NAN;
    double cosine = sums.ab / sqrt(sums.aa * sums.bb); /* of sums up to 2^272: far from overflow */
    return cosine > 1.0 ? 1.0 : cosine < -1.0 ? -1.0 : cosine;
}

void vector_dots(const float *vector, const float *rows, size_t n_rows, size_t dimensions,
                 float *dots)
{
    vector_kernels_chosen()->dots(vector, rows, n_rows, dimensions, dots);
}

uint64_t vector_hamming(const void *a, const void *b, size_t bytes)
{
    return vector_kernels_chosen()->hamming(a, b, bytes);
}

double vector_norm(const void *a, size_t dimensions)
{
    return sqrt(vector_kernels_scalar.dot(a, a, dimensions));
}

int vector_normalize(const void *a, size_t dimensions, float *unit)
{
    double norm = vector_norm(a, dimensions);
    if (norm == 0.0) return 0;
    for (size_t i = 0; i < dimensions; i++) unit[i] = (float)(vector_component(a, i) / norm);
    return 1;
}

void vector_add(float *restrict sums, const float *restrict b, float factor, size_t dimensions)
{
    vector_kernels_chosen()->add(sums, b, factor, dimensions);
}

void vector_add_int8(float *restrict sums, const int8_t *restrict b, float factor,
                     size_t dimensions)
{
    vector_kernels_chosen()->add_int8(sums, b, factor, dimensions);
}

void vector_add_where(int32_t *restrict sums, const uint8_t *restrict bits, int32_t value,
                      size_t dimensions)
{
    vector_kernels_chosen()->add_where(sums, bits, value, dimensions);
}

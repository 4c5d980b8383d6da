/*
 * kernels_scalar.c: plain C, for every processor, and the oracle of the other families.
 *
 * Sums are doubles: a product of two floats is exact in one, and 65536 of them neither overflow nor
 * lose more than 2^-37 of the sum of their magnitudes. Four sums run side by side, or each addition
 * would wait for the one before.
 */
#include "vector/kernels.h"

#include <string.h>

static double scalar_dot(const void *a, const void *b, size_t dimensions)
{
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
    size_t i = 0;
    for (; i + 4 <= dimensions; i += 4)
        for (size_t j = 0; j < 4; j++)
            sum[j] += vector_component(a, i + j) * vector_component(b, i + j);
    for (; i < dimensions; i++) sum[0] += vector_component(a, i) * vector_component(b, i);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static double scalar_squared_l2(const void *a, const void *b, size_t dimensions)
{
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
    size_t i = 0;
    for (; i + 4 <= dimensions; i += 4) {
        for (size_t j = 0; j < 4; j++) {
            double difference = vector_component(a, i + j) - vector_component(b, i + j);
            sum[j] += difference * difference;
        }
    }
    for (; i < dimensions; i++) {
        double difference = vector_component(a, i) - vector_component(b, i);
        sum[0] += difference * difference;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static struct vector_sums scalar_sums(const void *a, const void *b, size_t dimensions)
{
    return (struct vector_sums){
        .ab = scalar_dot(a, b, dimensions),
        .aa = scalar_dot(a, a, dimensions),
        .bb = scalar_dot(b, b, dimensions),
    };
}

static int32_t scalar_dot_int8(const int8_t *a, const int8_t *b, size_t dimensions)
{
    int32_t sum = 0;
    for (size_t i = 0; i < dimensions; i++) sum += a[i] * b[i];
    return sum;
}

/* The number of set bits, added up in fields of 2, 4 and 8 bits (Warren, "Hacker's Delight", 5-1).
 */
static int32_t count_bits(uint64_t word)
{
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (int32_t)((word * 0x0101010101010101u) >> 56);
}

static int32_t scalar_sum_of_bits(const uint64_t *planes, const uint8_t *bits, size_t bytes)
{
    int32_t count[VECTOR_PLANES] = {0};
    for (size_t at = 0; at < bytes; at += 8, planes += VECTOR_PLANES) {
        uint64_t word = 0;
        memcpy(&word, bits + at, bytes - at < 8 ? bytes - at : 8);
        for (int j = 0; j < VECTOR_PLANES; j++) count[j] += count_bits(planes[j] & word);
    }
    int32_t sum = -count[VECTOR_PLANES - 1] * (1 << (VECTOR_PLANES - 1));
    for (int j = 0; j < VECTOR_PLANES - 1; j++) sum += count[j] * (1 << j);
    return sum;
}

void vector_kernels_scalar_add(float *restrict sums, const float *restrict b, float factor,
                               size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * b[i];
}

void vector_kernels_scalar_add_int8(float *restrict sums, const int8_t *restrict b, float factor,
                                    size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * (float)b[i];
}

const struct vector_kernels vector_kernels_scalar = {
    .name = "scalar",
    .dot = scalar_dot,
    .squared_l2 = scalar_squared_l2,
    .sums = scalar_sums,
    .dot_int8 = scalar_dot_int8,
    .sum_of_bits = scalar_sum_of_bits,
    .add = vector_kernels_scalar_add,
    .add_int8 = vector_kernels_scalar_add_int8,
};

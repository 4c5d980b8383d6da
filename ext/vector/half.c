#include "vector/half.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "vector/distance.h"
#include "vector/simd/kernels.h"

#define MAGNITUDE 0x7FFFu
#define HALF_INFINITY 0x7C00u

size_t vector_half_size(size_t dimensions)
{
    return dimensions * sizeof(uint16_t);
}

int vector_half_takes(const float *vector, size_t dimensions)
{
    float largest = 0.0f;
    for (size_t i = 0; i < dimensions; i++) {
        float magnitude = fabsf(vector[i]);
        if (!(magnitude <= VECTOR_HALF_MOST)) return 0;
        if (magnitude > largest) largest = magnitude;
    }
    return largest == 0.0f || largest >= VECTOR_HALF_LEAST;
}

/* Below 2^-14 a half counts in steps of 2^-24: adding 2^-1, whose last bit that is, rounds to them.
 * Above, the 13 bits that go round what stays by a carry. */
static uint16_t half_of(float value)
{
    uint32_t bits, sign;
    memcpy(&bits, &value, sizeof bits);
    sign = bits >> 16 & 0x8000u;
    bits &= 0x7FFFFFFFu;
    if (bits < 113u << 23) {
        float magnitude = fabsf(value) + 0.5f;
        memcpy(&bits, &magnitude, sizeof bits);
        return (uint16_t)(sign | (bits - (126u << 23)));
    }
    bits += 0xFFFu + (bits >> 13 & 1u);
    return (uint16_t)(sign | ((bits >> 13) - (112u << 10)));
}

void vector_half_encode(const float *vector, size_t dimensions, void *half)
{
    for (size_t i = 0; i < dimensions; i++) {
        uint16_t value = half_of(vector[i]);
        memcpy((unsigned char *)half + i * sizeof value, &value, sizeof value);
    }
}

void vector_half_decode(const void *half, size_t dimensions, float *vector)
{
    vector_kernels_chosen()->widen_half(half, dimensions, vector);
}

int vector_half_is_valid(const void *half, size_t dimensions, int *is_zero)
{
    unsigned largest = 0;
    for (size_t i = 0; i < dimensions; i++) {
        uint16_t value;
        memcpy(&value, (const unsigned char *)half + i * sizeof value, sizeof value);
        if ((value & MAGNITUDE) > largest) largest = value & MAGNITUDE;
    }
    *is_zero = largest == 0;
    return largest < HALF_INFINITY;
}

/* ---- sums ------------------------------------------------------------------------------------ */

double vector_half_dot(const void *vector, const void *half, size_t dimensions)
{
    double sum = vector_kernels_chosen()->dot_half(vector, half, dimensions);
    return vector_sum_is_safe(sum) ? sum : vector_kernels_scalar.dot_half(vector, half, dimensions);
}

/* Squares of halves are 0 or 2^-48 to 2^32. */
double vector_half_square(const void *half, size_t dimensions)
{
    return vector_kernels_chosen()->square_half(half, dimensions);
}

double vector_half_squared_l2(const void *vector, const void *half, size_t dimensions)
{
    double sum = vector_kernels_chosen()->squared_l2_half(vector, half, dimensions);
    return vector_sum_is_safe(sum)
               ? sum
               : vector_kernels_scalar.squared_l2_half(vector, half, dimensions);
}

#define CHUNK ((size_t)64)

void vector_half_add(float *sums, const void *half, float factor, size_t dimensions)
{
    const unsigned char *bytes = half;
    for (size_t at = 0; at < dimensions; at += CHUNK) {
        size_t n = dimensions - at < CHUNK ? dimensions - at : CHUNK;
        float chunk[CHUNK];
        vector_half_decode(bytes + vector_half_size(at), n, chunk);
        vector_add(sums + at, chunk, factor, n);
    }
}

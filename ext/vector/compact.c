#include "vector/compact.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "vector/quantize.h"
#include "vector/rotate.h"
#include "vector/simd/kernels.h"

#define LARGEST 127

size_t vector_compact_size(size_t dimensions)
{
    return sizeof(float) + vector_code_size(VECTOR_INT8, dimensions);
}

static float scale_of(const void *compact)
{
    float scale;
    memcpy(&scale, compact, sizeof scale);
    return scale;
}

static const int8_t *components_of(const void *compact)
{
    return (const int8_t *)compact + sizeof(float);
}

int vector_compact_takes(const float *vector, size_t dimensions)
{
    float largest = 0.0f;
    for (size_t i = 0; i < dimensions; i++) {
        float magnitude = fabsf(vector[i]);
        if (!(magnitude <= VECTOR_COMPACT_MOST)) return 0;
        if (magnitude > largest) largest = magnitude;
    }
    return largest == 0.0f || largest >= VECTOR_COMPACT_LEAST;
}

void vector_compact_encode(const float *vector, size_t dimensions, float *scratch, void *compact)
{
    struct vector_code_head head;
    memmove(scratch, vector, dimensions * sizeof *scratch);
    vector_rotate(scratch, dimensions);
    vector_code_encode(VECTOR_INT8, VECTOR_DOT, scratch, NULL, dimensions, &head,
                       (char *)compact + sizeof head.scale);
    memcpy(compact, &head.scale, sizeof head.scale);
}

void vector_compact_decode(const void *compact, size_t dimensions, float *rotated)
{
    memset(rotated, 0, dimensions * sizeof *rotated);
    vector_kernels_chosen()->add_int8(rotated, components_of(compact), scale_of(compact),
                                      dimensions);
}

void vector_compact_add(float *sums, const void *compact, float factor, size_t dimensions)
{
    vector_kernels_chosen()->add_int8(sums, components_of(compact), scale_of(compact) * factor,
                                      dimensions);
}

void vector_compact_read(const void *compact, size_t dimensions, float *vector)
{
    vector_compact_decode(compact, dimensions, vector);
    vector_rotate_back(vector, dimensions);
}

int vector_compact_is_valid(const void *compact, size_t dimensions, int *is_zero)
{
    const int8_t *components = components_of(compact);
    float scale = scale_of(compact);
    int largest = 0;
    for (size_t i = 0; i < dimensions; i++) {
        int magnitude = components[i] < 0 ? -components[i] : components[i];
        if (magnitude > largest) largest = magnitude;
    }
    *is_zero = largest == 0;
    if (*is_zero) return scale == 0.0f;
    return largest == LARGEST && scale >= FLT_MIN && scale <= FLT_MAX / LARGEST;
}

/* ---- sums ------------------------------------------------------------------------------------ */

double vector_compact_dot(const void *rotated, const void *compact, size_t dimensions)
{
    const int8_t *components = components_of(compact);
    double sum = vector_kernels_chosen()->dot_int8(rotated, components, dimensions);
    if (!vector_sum_is_safe(sum))
        sum = vector_kernels_scalar.dot_int8(rotated, components, dimensions);
    return sum * (double)scale_of(compact);
}

double vector_compact_square(const void *compact, size_t dimensions)
{
    double scale = (double)scale_of(compact);
    return vector_kernels_chosen()->square_int8(components_of(compact), dimensions) * scale * scale;
}

double vector_compact_squared_l2(const void *rotated, const void *compact, size_t dimensions)
{
    const int8_t *components = components_of(compact);
    float scale = scale_of(compact);
    double sum = vector_kernels_chosen()->squared_l2_int8(rotated, components, scale, dimensions);
    if (vector_sum_is_safe(sum)) return sum;
    return vector_kernels_scalar.squared_l2_int8(rotated, components, scale, dimensions);
}

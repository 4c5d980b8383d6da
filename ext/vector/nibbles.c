#include "vector/nibbles.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "vector/distance.h"
#include "vector/simd/kernels.h"

#define LARGEST 127
#define STEP 0.335   /* between two levels, in root mean squares: Max's for 16 levels */
#define ALIGNMENT 64 /* of a query: a register that crosses a line costs two loads */

size_t vector_nibbles_room(size_t dimensions)
{
    return (dimensions + VECTOR_NIBBLES - 1) / VECTOR_NIBBLES * VECTOR_NIBBLES;
}

size_t vector_nibbles_size(size_t dimensions)
{
    return vector_nibbles_room(dimensions) / 2;
}

float vector_nibbles_encode(float *r, size_t dimensions, unsigned char *code)
{
    size_t room = vector_nibbles_room(dimensions);
    double square = vector_dot(r, r, dimensions);
    float step = (float)(STEP * sqrt(square / (double)dimensions));
    float units = step > 0.0f ? 1.0f / step : 0.0f;
    if (!isfinite(units)) step = units = 0.0f;
    memset(r + dimensions, 0, (room - dimensions) * sizeof *r);
    vector_kernels_chosen()->round_to_nibbles(r, room, units, step, code);
    return step / 2.0f;
}

static double largest_magnitude(const float *vector, size_t dimensions)
{
    double largest = 0.0;
    for (size_t i = 0; i < dimensions; i++) {
        double magnitude = fabs((double)vector[i]);
        if (magnitude > largest) largest = magnitude;
    }
    return largest;
}

int vector_nibbles_query_init(struct vector_nibbles_query *prepared, const float *query,
                              size_t dimensions, struct error *err)
{
    double largest = largest_magnitude(query, dimensions), squares = 0.0;
    double units = largest > 0.0 ? LARGEST / largest : 0.0;
    *prepared = (struct vector_nibbles_query){.size = vector_nibbles_size(dimensions)};
    prepared->memory = memory_zalloc(2 * prepared->size + ALIGNMENT, 1);
    if (prepared->memory == NULL) return error_nomem(err);
    size_t beyond = (uintptr_t)prepared->memory % ALIGNMENT;
    prepared->rounded = (int8_t *)prepared->memory + (ALIGNMENT - beyond);
    prepared->unit = (float)(largest / LARGEST);
    for (size_t i = 0; i < dimensions; i++) {
        double exact = (double)query[i] * units;
        int t = (int)(exact + (exact < 0.0 ? -0.5 : 0.5));
        double off = (double)query[i] - (double)prepared->unit * t;
        prepared->rounded[i] = (int8_t)t;
        prepared->sum += t;
        squares += off * off;
    }
    prepared->off = sqrt(squares) * (1.0 + 0x1p-40);
    return 0;
}

void vector_nibbles_query_deinit(struct vector_nibbles_query *prepared)
{
    memory_free(prepared->memory);
    *prepared = (struct vector_nibbles_query){0};
}

void vector_nibbles_bounds(const struct vector_nibbles_query *prepared,
                           const struct vector_nibbles *some, float radius, float needed,
                           float *bounds, uint64_t reached[VECTOR_NIBBLES_MOST / 64])
{
    const struct vector_kernels *kernels = vector_kernels_chosen();
    const struct vector_nibble_terms terms = {.offsets = some->offsets,
                                              .scales = some->scales,
                                              .errors = some->errors,
                                              .all = 15 * prepared->sum,
                                              .unit = prepared->unit,
                                              .radius = radius,
                                              .needed = needed};
    int32_t sums[VECTOR_NIBBLES_MOST];
    memset(reached, 0, VECTOR_NIBBLES_MOST / 64 * sizeof *reached);
    kernels->dots_of_nibbles(prepared->rounded, some->codes, some->n, prepared->size, sums);
    kernels->bounds_of_nibbles(&terms, sums, some->n, bounds, reached);
}

#include "vector/rotate.h"

#include <assert.h>
#include <stdint.h>

#include "base/splitmix.h"
#include "vector/codec.h"
#include "vector/simd/kernels.h"

#define ROUNDS 4
#define WORDS (VECTOR_MAX_DIMENSIONS / 64)
#define SEED 0x524F54415445u
#define SQRT_HALF 0x1.6a09e6p-1f /* the float32 nearest to 1/sqrt(2) */

static uint64_t random_word(uint64_t number)
{
    uint64_t state = SEED + number * SPLITMIX_STEP;
    return splitmix_next(&state);
}

/* 2^(-log2 / 2): a power of two, or one times 1/sqrt(2). */
static float factor_of_block(unsigned log2)
{
    float power = 1.0f / (float)(1u << (log2 / 2));
    return log2 % 2 == 0 ? power : power * SQRT_HALF;
}

/* What all rounds of a vector have in common. */
struct rotation {
    const struct vector_kernels *kernels;
    float *vector;
    size_t dimensions, block, half;
    float factor;
};

static struct rotation begin(float *vector, size_t dimensions)
{
    unsigned log2 = 0;
    assert(dimensions >= 1 && dimensions <= VECTOR_MAX_DIMENSIONS);
    while (dimensions >> (log2 + 1) != 0) log2++;
    return (struct rotation){.kernels = vector_kernels_chosen(),
                             .vector = vector,
                             .dimensions = dimensions,
                             .block = (size_t)1 << log2,
                             .half = dimensions / 2,
                             .factor = factor_of_block(log2)};
}

static void negate(const struct rotation *rotation, unsigned round)
{
    uint64_t signs[WORDS];
    for (size_t w = 0; w < (rotation->dimensions + 63) / 64; w++)
        signs[w] = random_word(WORDS * round + w);
    rotation->kernels->signs(rotation->vector, signs, rotation->dimensions);
}

static void transform(const struct rotation *rotation, unsigned round)
{
    size_t first = round % 2 == 0 ? 0 : rotation->dimensions - rotation->block;
    rotation->kernels->hadamard(rotation->vector + first, rotation->block, rotation->factor);
}

static void mix(const struct rotation *rotation, unsigned round)
{
    if (rotation->block == rotation->dimensions || round % 2 == 0) return;
    rotation->kernels->mix(rotation->vector,
                           rotation->vector + (rotation->dimensions - rotation->half),
                           rotation->half, SQRT_HALF);
}

void vector_rotate(float *vector, size_t dimensions)
{
    struct rotation rotation = begin(vector, dimensions);
    for (unsigned round = 0; round < ROUNDS; round++) {
        negate(&rotation, round);
        transform(&rotation, round);
        mix(&rotation, round);
    }
}

void vector_rotate_back(float *vector, size_t dimensions)
{
    struct rotation rotation = begin(vector, dimensions);
    for (unsigned round = ROUNDS; round-- > 0;) {
        mix(&rotation, round);
        transform(&rotation, round);
        negate(&rotation, round);
    }
}

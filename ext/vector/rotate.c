#include "vector/rotate.h"

#include <assert.h>
#include <stdint.h>

#include "vector/codec.h"
#include "vector/simd/kernels.h"

#define ROUNDS 4
#define WORDS (VECTOR_MAX_DIMENSIONS / 64)
#define SEED 0x524F54415445u
#define GOLDEN_GAMMA 0x9E3779B97F4A7C15u
#define SQRT_HALF 0x1.6a09e6p-1f /* the float32 nearest to 1/sqrt(2) */

static uint64_t random_word(uint64_t number)
{
    uint64_t z = SEED + (number + 1) * GOLDEN_GAMMA;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* 2^(-log2 / 2): a power of two, or one times 1/sqrt(2). */
static float factor_of_block(unsigned log2)
{
    float power = 1.0f / (float)(1u << (log2 / 2));
    return log2 % 2 == 0 ? power : power * SQRT_HALF;
}

void vector_rotate(float *vector, size_t dimensions)
{
    const struct vector_kernels *kernels = vector_kernels_chosen();
    assert(dimensions >= 1 && dimensions <= VECTOR_MAX_DIMENSIONS);
    uint64_t signs[WORDS];
    unsigned log2 = 0;
    while (dimensions >> (log2 + 1) != 0) log2++;
    size_t block = (size_t)1 << log2, half = dimensions / 2;
    float factor = factor_of_block(log2);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t w = 0; w < (dimensions + 63) / 64; w++)
            signs[w] = random_word(WORDS * round + w);
        kernels->signs(vector, signs, dimensions);
        kernels->hadamard(round % 2 == 0 ? vector : vector + (dimensions - block), block, factor);
        if (block != dimensions && round % 2 == 1)
            kernels->mix(vector, vector + (dimensions - half), half, SQRT_HALF);
    }
}

/*
 * kernels.h: the inner loops, one table a processor family. Internal to the room (and its tests and
 * bench).
 *
 * Vectors are float32 at any address. Each loop says what it sums; distance.h states the error
 * bounds and guards against overflow. A new family: a kernels_NAME.c, a line in kernels.c, and the
 * tests try it against the scalar one, which adds in double and is the oracle.
 *
 * One build holds all families of its architecture (target attributes, no compiler flags). The
 * choice is made once a process: the best that processor and system support, or the one that
 * RERANK_SIMD names (scalar, avx2, avx512, neon) if it can run here. Any thread may be the first.
 */
#ifndef VECTOR_KERNELS_H
#define VECTOR_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VECTOR_PLANES 6 /* bits of a component of a query that is compared with bit codes */

struct vector_sums {
    double ab, aa, bb; /* a . b, a . a, b . b */
};

struct vector_kernels {
    const char *name;
    double (*dot)(const void *a, const void *b, size_t dimensions);
    double (*squared_l2)(const void *a, const void *b, size_t dimensions);
    /* ab and aa are the same bits when a and b are. */
    struct vector_sums (*sums)(const void *a, const void *b, size_t dimensions);
    /* Sum of a_i b_i, at most 65536 terms: exact. */
    int32_t (*dot_int8)(const int8_t *a, const int8_t *b, size_t dimensions);
    /* Sum over the set bits i of c_i, a whole number of VECTOR_PLANES bits in two's complement:
     * exact. planes: [ceil(bytes / 8)][VECTOR_PLANES]; bit i % 64 of planes[i / 64][j] is bit j of
     * c_i. bits: bit i is bit i % 8 of byte i / 8. */
    int32_t (*sum_of_bits)(const uint64_t *planes, const uint8_t *bits, size_t bytes);
    /* sums_i += factor * b_i: a product and a sum, each rounded, the same bits in every family. */
    void (*add)(float *restrict sums, const float *restrict b, float factor, size_t dimensions);
    void (*add_int8)(float *restrict sums, const int8_t *restrict b, float factor,
                     size_t dimensions);
};

/* Component i of a vector at any address. */
static inline double vector_component(const void *vector, size_t i)
{
    float value;
    memcpy(&value, (const unsigned char *)vector + 4 * i, sizeof value);
    return (double)value;
}

extern const struct vector_kernels vector_kernels_scalar;
void vector_kernels_scalar_add(float *restrict sums, const float *restrict b, float factor,
                               size_t dimensions);
void vector_kernels_scalar_add_int8(float *restrict sums, const int8_t *restrict b, float factor,
                                    size_t dimensions);

#if defined(__x86_64__)
#define VECTOR_HAS_X86 1
extern const struct vector_kernels vector_kernels_avx2;   /* AVX2, FMA, POPCNT */
extern const struct vector_kernels vector_kernels_avx512; /* AVX-512 F, BW; else as AVX2 */
int32_t vector_kernels_popcnt_sum(const uint64_t *planes, const uint8_t *bits, size_t bytes);
void vector_kernels_avx2_add(float *restrict sums, const float *restrict b, float factor,
                             size_t dimensions);
void vector_kernels_avx2_add_int8(float *restrict sums, const int8_t *restrict b, float factor,
                                  size_t dimensions);
#elif defined(__aarch64__)
#define VECTOR_HAS_NEON 1
extern const struct vector_kernels vector_kernels_neon; /* part of every aarch64 processor */
#endif

/* The table of that name; NULL if there is none or this machine cannot run it. */
const struct vector_kernels *vector_kernels_find(const char *name);

/* The table in use, the same for the life of the process. */
const struct vector_kernels *vector_kernels_chosen(void);

#endif

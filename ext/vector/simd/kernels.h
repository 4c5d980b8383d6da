/*
 * kernels.h: the inner loops, one table a processor family. Internal to the room (and its tests and
 * bench).
 *
 * Vectors are float32 at any address. Each loop says what it sums; distance.h states the error
 * bounds and guards against overflow. A new family: a kernels_NAME.c that says what its registers
 * do and includes kernels_each.h, a declaration here, a line in kernels.c, and its name in the
 * tests (tests/unit/vector/families.h), which try it against the scalar one: that adds in double
 * and is the oracle. Sums of whole numbers, and all that ends in a file (products; signs, hadamard,
 * mix; spread, round_int8, take_signs), are the same bits in every family: each addition has its
 * place in the order, none is fused with a product.
 *
 * One build holds all families of its architecture (target attributes, no compiler flags). The
 * choice is made once a process: the best that processor and system support, or the one that
 * RERANK_SIMD names if it can run here. Any thread may be the first.
 *   scalar      plain C
 *   avx2        AVX2, FMA, F16C, POPCNT
 *   avx512      AVX-512 F, BW (2017 on)
 *   avx512vnni  AVX-512 F, BW, VNNI, VPOPCNTDQ (Ice Lake, Zen 4 on): as avx512, codes faster
 *   neon        every aarch64 processor
 *   neondot     and with SDOT (ARMv8.2 with dot products): as neon, int8 codes faster
 */
#ifndef VECTOR_SIMD_KERNELS_H
#define VECTOR_SIMD_KERNELS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/processor.h"
#include "base/rounding.h"

#define VECTOR_PLANES 6      /* bits of a component of a query that is compared with bit codes */
#define VECTOR_PLANE_WORDS 8 /* the planes of 64 components, and zeros: a whole cache line */
#define VECTOR_LANES 8       /* sums side by side of an encoding */
#define VECTOR_NIBBLES 128   /* components of 4 bits that lie in 64 bytes together */

/* Of so many components 16-bit times 8-bit products, 2 a step in 8 lanes or more, fit in an int32:
 * 8192 / 16 * 2 * 128 * (128 * 127 + 64) < 2^31. */
#define VECTOR_INT32_STRETCH 8192

struct vector_sums {
    double ab, aa, bb; /* a . b, a . a, b . b */
};

/* A query of whole numbers. Its arrays are [dimensions], then zeros up to a multiple of 64. They
 * may lie at any address, and are read fastest at a multiple of 64. */
struct vector_rounded {
    const int16_t *whole;     /* for int8 codes: 128 * high + low */
    const int8_t *high, *low; /* -127..127 and -64..63; for bit codes high is all of it, -32..31 */
    const uint64_t *planes;   /* high once more, for bit codes: [ceil(dimensions / 64)]
                                 [VECTOR_PLANE_WORDS]; bit i % 64 of planes[i / 64][j] is bit j of
                                 high[i] in two's complement */
    size_t dimensions;        /* at most VECTOR_MAX_DIMENSIONS */
};

/* A stretch of a vector on its way to a code: r = vector - centroid, taken in double. Component i
 * is added to sum i % VECTOR_LANES. */
struct vector_encoding {
    const float *vector, *centroid; /* [n]; centroid NULL: zeros */
    size_t n;                       /* a multiple of VECTOR_LANES */
    double units;                   /* of round_int8: what r is multiplied by */
    double scale;                   /* what one unit of a component is worth */
    double sums[3][VECTOR_LANES];   /* added to */
};

/* What bounds of codes of nibbles are made of, and what they are to reach. */
struct vector_nibble_terms {
    const float *offsets, *scales, *errors; /* [n] */
    int32_t all;                            /* 15 times the sum of the query */
    float unit, radius, needed;
};

struct vector_kernels {
    const char *name;
    double (*dot)(const void *a, const void *b, size_t dimensions);
    double (*squared_l2)(const void *a, const void *b, size_t dimensions);
    /* ab and aa are the same bits when a and b are. */
    struct vector_sums (*sums)(const void *a, const void *b, size_t dimensions);
    /* dots[i] = vector . row i, each within the bound of dot; rows: [n_rows, dimensions]. */
    void (*dots)(const float *vector, const float *rows, size_t n_rows, size_t dimensions,
                 float *dots);

    /* sums[i] = the sum of query->whole times the components of code i, exact and then rounded once
     * to float32. codes: [n, dimensions]. */
    void (*dots_int8)(const struct vector_rounded *query, const int8_t *codes, size_t n,
                      float *sums);
    /* a . b, b . b and |a - scale b|^2, of float32 at any address and bytes. */
    double (*dot_int8)(const void *a, const int8_t *b, size_t dimensions);
    double (*square_int8)(const int8_t *b, size_t dimensions);
    double (*squared_l2_int8)(const void *a, const int8_t *b, float scale, size_t dimensions);
    /* a . b, b . b and |a - b|^2, of float32 and binary16, both at any address; and the floats of
     * those, the same in every family. */
    double (*dot_half)(const void *a, const void *b, size_t dimensions);
    double (*square_half)(const void *b, size_t dimensions);
    double (*squared_l2_half)(const void *a, const void *b, size_t dimensions);
    void (*widen_half)(const void *halves, size_t dimensions, float *floats);
    /* sums[i] = the sum of query->high over the bits set in code i, exact. codes: [n,
     * ceil(dimensions / 8)], component j is bit j % 8 of byte j / 8. */
    void (*sums_of_bits)(const struct vector_rounded *query, const uint8_t *codes, size_t n,
                         int32_t *sums);
    /* sums[i] = the sum of query times the nibbles of code i, exact. codes: [n, size], size a
     * multiple of VECTOR_NIBBLES / 2; byte b of the j-th VECTOR_NIBBLES / 2 has component
     * VECTOR_NIBBLES j + b in its low half, and VECTOR_NIBBLES / 2 components on the other. query:
     * [2 size], none is -128. */
    void (*dots_of_nibbles)(const int8_t *query, const uint8_t *codes, size_t n, size_t size,
                            int32_t *sums);
    /* bounds[i] = vector_nibble_bound(terms, sums[i], i), the same bits in every family, and sets
     * bit i % 64 of reached[i / 64] where that is at least `needed`. */
    void (*bounds_of_nibbles)(const struct vector_nibble_terms *terms, const int32_t *sums,
                              size_t n, float *bounds, uint64_t *reached);
    /* n a multiple of VECTOR_NIBBLES: u_i = floor(r_i * units + 8), at least 0 and at most 15, into
     * code, laid out as above; r_i -= (u_i - 7.5) * step. |r_i * units| is below 2^30. The same
     * bits in every family. */
    void (*round_to_nibbles)(float *restrict r, size_t n, float units, float step,
                             uint8_t *restrict code);
    /* sums[i % VECTOR_LANES] += a_i * b_i, in double; n is a multiple of VECTOR_LANES. */
    void (*products)(const float *a, const float *b, size_t n, double sums[VECTOR_LANES]);
    /* The number of bits that differ. */
    uint64_t (*hamming)(const void *a, const void *b, size_t bytes);

    /* sums_i += factor * b_i: a product and a sum, each rounded, the same bits in every family. */
    void (*add)(float *restrict sums, const float *restrict b, float factor, size_t dimensions);
    void (*add_int8)(float *restrict sums, const int8_t *restrict b, float factor,
                     size_t dimensions);
    /* sums_i += value where bit i % 8 of bits[i / 8] is set; n is a multiple of 32. The caller
     * knows that nothing overflows. */
    void (*add_where)(int32_t *restrict sums, const uint8_t *restrict bits, int32_t value,
                      size_t n);

    /* Negates component i where bit i % 64 of bits[i / 64] is set. */
    void (*signs)(float *vector, const uint64_t *bits, size_t n);
    /* The fast Walsh-Hadamard transform of factor * vector, n a power of two: (x_i, x_i+s) become
     * (x_i + x_i+s, x_i - x_i+s) for the strides s = 1, 2, 4, ... n / 2 in this order. */
    void (*hadamard)(float *vector, size_t n, float factor);
    /* (a_i, b_i) become ((a_i + b_i) * factor, (a_i - b_i) * factor). */
    void (*mix)(float *restrict a, float *restrict b, size_t n, float factor);

    /* sums: the largest |r_i| (not a sum), |r_i|, r_i^2. */
    void (*spread)(struct vector_encoding *encoding);
    /* k_i = r_i * units to the nearest whole number, ties away from zero, |r_i * units| < 127.5.
     * With e_i = scale k_i - r_i the sums are e_i^2, centroid_i e_i, centroid_i k_i. */
    void (*round_int8)(struct vector_encoding *encoding, int8_t *components);
    /* The same of k_i = 1 where r_i >= 0 (bit i % 8 of bits[i / 8] set), else -1. */
    void (*take_signs)(struct vector_encoding *encoding, uint8_t *bits);
};

/* Whether a sum in float32 is to be trusted. Products below the least float32, 2^-149, vanish:
 * 65536 of them weigh less than 2^-53 of a sum of 2^-80. */
static inline int vector_sum_is_safe(double sum)
{
    return isfinite(sum) && fabs(sum) >= 0x1p-80;
}

/* Component i of a vector at any address. */
static inline double vector_component(const void *vector, size_t i)
{
    float value;
    memcpy(&value, (const unsigned char *)vector + 4 * i, sizeof value);
    return (double)value;
}

/* Binary16 number i at any address, as a float: its exponent counts from 15, a float's from 127;
 * one without is so many times 2^-24. */
static inline float vector_half_component(const void *halves, size_t i)
{
    uint16_t half;
    memcpy(&half, (const unsigned char *)halves + 2 * i, sizeof half);
    uint32_t exponent = half >> 10 & 31u, mantissa = half & 0x3FFu;
    uint32_t bits = (exponent == 31 ? 255u : exponent + 112u) << 23 | mantissa << 13;
    float value = (float)mantissa * 0x1p-24f;
    if (exponent > 0) memcpy(&value, &bits, sizeof value);
    return half & 0x8000u ? -value : value;
}

/* The first 1 to 8 of `bytes` bytes, then zeros: a word of bits. */
__attribute__((always_inline)) static inline uint64_t vector_word(const unsigned char *p,
                                                                  size_t bytes)
{
    uint64_t word = 0;
    if (bytes >= 8) memcpy(&word, p, 8);
    else memcpy(&word, p, bytes);
    return word;
}

/* The bound of a code; of `sum`, that of query times nibbles, <query, k> is 2 sum - all. */
static inline float vector_nibble_bound(const struct vector_nibble_terms *terms, int32_t sum,
                                        size_t i)
{
    float dot = terms->unit * (float)(2 * sum - terms->all);
    return terms->offsets[i] + terms->scales[i] * dot + terms->radius * terms->errors[i];
}

/* Where a stretch of VECTOR_INT32_STRETCH components or less ends. */
static inline size_t vector_stretch_end(size_t from, size_t dimensions)
{
    return dimensions - from < VECTOR_INT32_STRETCH ? dimensions : from + VECTOR_INT32_STRETCH;
}

extern const struct vector_kernels vector_kernels_scalar;

#ifdef PROCESSOR_HAS_X86
extern const struct vector_kernels vector_kernels_avx2;
extern const struct vector_kernels vector_kernels_avx512;
extern const struct vector_kernels vector_kernels_avx512vnni;
uint64_t vector_kernels_popcnt_hamming(const void *a, const void *b, size_t bytes);
#elif defined(__aarch64__)
#define VECTOR_HAS_NEON 1
extern const struct vector_kernels vector_kernels_neon;
extern const struct vector_kernels vector_kernels_neondot;
#endif

/* The table of that name; NULL if there is none or this machine cannot run it. */
const struct vector_kernels *vector_kernels_find(const char *name);

/* The table in use, the same for the life of the process. */
const struct vector_kernels *vector_kernels_chosen(void);

#endif

/*
 * kernels_avx512.c: 16 floats at a time, for x86-64 with AVX-512 F and BW (2017 on).
 *
 * As kernels_avx2.c, with mask registers for what is left over.
 */
#include "vector/kernels.h"

#ifdef VECTOR_HAS_X86

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define WIDE 64 /* bytes of a register */

AVX512 static inline __m512 load(const unsigned char *p)
{
    return _mm512_loadu_ps(p);
}

/* The first `count` (0 to 15) floats at p, then zeros. */
AVX512 static inline __m512 load_first(const unsigned char *p, size_t count)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}

AVX512 static inline double add_lanes(__m512 sum)
{
    return (double)_mm512_reduce_add_ps(sum);
}

AVX512 static double avx512_dot(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 64; left -= 64, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = _mm512_fmadd_ps(load(p), load(q), s0);
        s1 = _mm512_fmadd_ps(load(p + WIDE), load(q + WIDE), s1);
        s2 = _mm512_fmadd_ps(load(p + 2 * WIDE), load(q + 2 * WIDE), s2);
        s3 = _mm512_fmadd_ps(load(p + 3 * WIDE), load(q + 3 * WIDE), s3);
    }
    for (; left >= 16; left -= 16, p += WIDE, q += WIDE) s0 = _mm512_fmadd_ps(load(p), load(q), s0);
    if (left > 0) s1 = _mm512_fmadd_ps(load_first(p, left), load_first(q, left), s1);
    return add_lanes(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

AVX512 static inline __m512 add_square(__m512 a, __m512 b, __m512 sum)
{
    __m512 difference = _mm512_sub_ps(a, b);
    return _mm512_fmadd_ps(difference, difference, sum);
}

AVX512 static double avx512_squared_l2(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 64; left -= 64, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = add_square(load(p), load(q), s0);
        s1 = add_square(load(p + WIDE), load(q + WIDE), s1);
        s2 = add_square(load(p + 2 * WIDE), load(q + 2 * WIDE), s2);
        s3 = add_square(load(p + 3 * WIDE), load(q + 3 * WIDE), s3);
    }
    for (; left >= 16; left -= 16, p += WIDE, q += WIDE) s0 = add_square(load(p), load(q), s0);
    if (left > 0) s1 = add_square(load_first(p, left), load_first(q, left), s1);
    return add_lanes(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

/* Two registers for each of the three sums. */
struct six {
    __m512 ab[2], aa[2], bb[2];
};

AVX512 static inline void add_products(struct six *sums, int half, __m512 a, __m512 b)
{
    sums->ab[half] = _mm512_fmadd_ps(a, b, sums->ab[half]);
    sums->aa[half] = _mm512_fmadd_ps(a, a, sums->aa[half]);
    sums->bb[half] = _mm512_fmadd_ps(b, b, sums->bb[half]);
}

AVX512 static struct vector_sums avx512_sums(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m512 zero = _mm512_setzero_ps();
    struct six sums = {{zero, zero}, {zero, zero}, {zero, zero}};
    size_t left = dimensions;
    for (; left >= 32; left -= 32, p += 2 * WIDE, q += 2 * WIDE) {
        add_products(&sums, 0, load(p), load(q));
        add_products(&sums, 1, load(p + WIDE), load(q + WIDE));
    }
    for (; left >= 16; left -= 16, p += WIDE, q += WIDE) add_products(&sums, 0, load(p), load(q));
    if (left > 0) add_products(&sums, 1, load_first(p, left), load_first(q, left));
    return (struct vector_sums){
        .ab = add_lanes(_mm512_add_ps(sums.ab[0], sums.ab[1])),
        .aa = add_lanes(_mm512_add_ps(sums.aa[0], sums.aa[1])),
        .bb = add_lanes(_mm512_add_ps(sums.bb[0], sums.bb[1])),
    };
}

AVX512 static inline __m512i load_int8(const int8_t *p)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

/* madd multiplies 16-bit numbers and adds neighbours: at most 2^15 a step, 2^30 in all. */
AVX512 static int32_t avx512_dot_int8(const int8_t *a, const int8_t *b, size_t dimensions)
{
    __m512i s0 = _mm512_setzero_si512(), s1 = s0;
    size_t i = 0;
    for (; i + 64 <= dimensions; i += 64) {
        s0 = _mm512_add_epi32(s0, _mm512_madd_epi16(load_int8(a + i), load_int8(b + i)));
        s1 = _mm512_add_epi32(s1, _mm512_madd_epi16(load_int8(a + i + 32), load_int8(b + i + 32)));
    }
    int32_t sum = _mm512_reduce_add_epi32(_mm512_add_epi32(s0, s1));
    for (; i < dimensions; i++) sum += a[i] * b[i];
    return sum;
}

const struct vector_kernels vector_kernels_avx512 = {
    .name = "avx512",
    .dot = avx512_dot,
    .squared_l2 = avx512_squared_l2,
    .sums = avx512_sums,
    .dot_int8 = avx512_dot_int8,
    .sum_of_bits = vector_kernels_popcnt_sum,
    .add = vector_kernels_avx2_add,
    .add_int8 = vector_kernels_avx2_add_int8,
};

#endif

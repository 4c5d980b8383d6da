/*
 * kernels_avx2.c: 8 floats at a time, for x86-64 with AVX2, FMA and POPCNT (2013 on).
 *
 * Four registers of sums hide the latency of a fused multiply-add. What is left over is read under
 * a mask, so that no byte behind a vector is touched.
 */
#include "vector/kernels.h"

#ifdef VECTOR_HAS_X86

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2,fma,popcnt")))
#define WIDE 32 /* bytes of a register */

AVX2 static inline __m256 load(const unsigned char *p)
{
    return _mm256_loadu_ps((const float *)(const void *)p);
}

/* The first `count` (0 to 7) floats at p, then zeros. */
AVX2 static inline __m256 load_first(const unsigned char *p, size_t count)
{
    static const int32_t ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    __m256i mask = _mm256_loadu_si256((const __m256i *)(const void *)(ones_then_zeros + 8 - count));
    return _mm256_maskload_ps((const float *)(const void *)p, mask);
}

AVX2 static inline double add_lanes(__m256 sum)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return (double)_mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

AVX2 static double avx2_dot(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 32; left -= 32, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = _mm256_fmadd_ps(load(p), load(q), s0);
        s1 = _mm256_fmadd_ps(load(p + WIDE), load(q + WIDE), s1);
        s2 = _mm256_fmadd_ps(load(p + 2 * WIDE), load(q + 2 * WIDE), s2);
        s3 = _mm256_fmadd_ps(load(p + 3 * WIDE), load(q + 3 * WIDE), s3);
    }
    for (; left >= 8; left -= 8, p += WIDE, q += WIDE) s0 = _mm256_fmadd_ps(load(p), load(q), s0);
    if (left > 0) s1 = _mm256_fmadd_ps(load_first(p, left), load_first(q, left), s1);
    return add_lanes(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

AVX2 static inline __m256 add_square(__m256 a, __m256 b, __m256 sum)
{
    __m256 difference = _mm256_sub_ps(a, b);
    return _mm256_fmadd_ps(difference, difference, sum);
}

AVX2 static double avx2_squared_l2(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 32; left -= 32, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = add_square(load(p), load(q), s0);
        s1 = add_square(load(p + WIDE), load(q + WIDE), s1);
        s2 = add_square(load(p + 2 * WIDE), load(q + 2 * WIDE), s2);
        s3 = add_square(load(p + 3 * WIDE), load(q + 3 * WIDE), s3);
    }
    for (; left >= 8; left -= 8, p += WIDE, q += WIDE) s0 = add_square(load(p), load(q), s0);
    if (left > 0) s1 = add_square(load_first(p, left), load_first(q, left), s1);
    return add_lanes(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

/* Two registers for each of the three sums. */
struct six {
    __m256 ab[2], aa[2], bb[2];
};

AVX2 static inline void add_products(struct six *sums, int half, __m256 a, __m256 b)
{
    sums->ab[half] = _mm256_fmadd_ps(a, b, sums->ab[half]);
    sums->aa[half] = _mm256_fmadd_ps(a, a, sums->aa[half]);
    sums->bb[half] = _mm256_fmadd_ps(b, b, sums->bb[half]);
}

AVX2 static struct vector_sums avx2_sums(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    __m256 zero = _mm256_setzero_ps();
    struct six sums = {{zero, zero}, {zero, zero}, {zero, zero}};
    size_t left = dimensions;
    for (; left >= 16; left -= 16, p += 2 * WIDE, q += 2 * WIDE) {
        add_products(&sums, 0, load(p), load(q));
        add_products(&sums, 1, load(p + WIDE), load(q + WIDE));
    }
    for (; left >= 8; left -= 8, p += WIDE, q += WIDE) add_products(&sums, 0, load(p), load(q));
    if (left > 0) add_products(&sums, 1, load_first(p, left), load_first(q, left));
    return (struct vector_sums){
        .ab = add_lanes(_mm256_add_ps(sums.ab[0], sums.ab[1])),
        .aa = add_lanes(_mm256_add_ps(sums.aa[0], sums.aa[1])),
        .bb = add_lanes(_mm256_add_ps(sums.bb[0], sums.bb[1])),
    };
}

AVX2 static inline __m256i load_int8(const int8_t *p)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* madd multiplies 16-bit numbers and adds neighbours: at most 2^15 a step, 2^30 in all. */
AVX2 static int32_t avx2_dot_int8(const int8_t *a, const int8_t *b, size_t dimensions)
{
    __m256i s0 = _mm256_setzero_si256(), s1 = s0;
    size_t i = 0;
    for (; i + 32 <= dimensions; i += 32) {
        s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(load_int8(a + i), load_int8(b + i)));
        s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(load_int8(a + i + 16), load_int8(b + i + 16)));
    }
    s0 = _mm256_add_epi32(s0, s1);
    int32_t lanes[8], sum = 0;
    _mm256_storeu_si256((__m256i *)(void *)lanes, s0);
    for (int j = 0; j < 8; j++) sum += lanes[j];
    for (; i < dimensions; i++) sum += a[i] * b[i];
    return sum;
}

__attribute__((target("popcnt"))) int32_t
vector_kernels_popcnt_sum(const uint64_t *planes, const uint8_t *bits, size_t bytes)
{
    int64_t count[VECTOR_PLANES] = {0};
    for (size_t at = 0; at < bytes; at += 8, planes += VECTOR_PLANES) {
        uint64_t word = 0;
        if (bytes - at >= 8) memcpy(&word, bits + at, 8);
        else memcpy(&word, bits + at, bytes - at);
#pragma GCC unroll 6 /* so that the counts stay in registers */
        for (int j = 0; j < VECTOR_PLANES; j++) count[j] += _mm_popcnt_u64(planes[j] & word);
    }
    int64_t sum = -count[VECTOR_PLANES - 1] * (1 << (VECTOR_PLANES - 1));
    for (int j = 0; j < VECTOR_PLANES - 1; j++) sum += count[j] * (1 << j);
    return (int32_t)sum;
}

AVX2 void vector_kernels_avx2_add(float *restrict sums, const float *restrict b, float factor,
                                  size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * b[i];
}

AVX2 void vector_kernels_avx2_add_int8(float *restrict sums, const int8_t *restrict b, float factor,
                                       size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * (float)b[i];
}

const struct vector_kernels vector_kernels_avx2 = {
    .name = "avx2",
    .dot = avx2_dot,
    .squared_l2 = avx2_squared_l2,
    .sums = avx2_sums,
    .dot_int8 = avx2_dot_int8,
    .sum_of_bits = vector_kernels_popcnt_sum,
    .add = vector_kernels_avx2_add,
    .add_int8 = vector_kernels_avx2_add_int8,
};

#endif

/*
 * gemm_avx2.c: tiles of up to 6 rows times 16 columns, for x86-64 with AVX2 and FMA.
 *
 * int8 goes by 16-bit multiplications, whose sums of two are exact: those of VPMADDUBSW would
 * be cut off at 32767.
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET __attribute__((always_inline)) static inline
#define LANES 8
#define TILE_ROWS 6

#define EACH_ROW(DO)                                                                               \
    DO(0, c0, d0, p0)                                                                              \
    DO(1, c1, d1, p0 + next)                                                                       \
    DO(2, c2, d2, p0 + 2 * next)                                                                   \
    DO(3, c3, d3, p0 + third)                                                                      \
    DO(4, c4, d4, p4)                                                                              \
    DO(5, c5, d5, p4 + next)

#define EACH_NUMBER(DO, kind)                                                                      \
    DO(kind, 1) DO(kind, 2) DO(kind, 3) DO(kind, 4) DO(kind, 5) DO(kind, 6)

typedef __m256 lanes;

INLINE __m256i mask_of_first(size_t count)
{
    const __m256i numbers = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), numbers);
}

INLINE __m256i whole_of(lanes a)
{
    return _mm256_castps_si256(a);
}

INLINE lanes lanes_of(__m256i a)
{
    return _mm256_castsi256_ps(a);
}

/* ---- memory ------------------------------------------------------------------------------------ */

/* Into the second level cache. */
INLINE void prefetch(const void *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}

INLINE lanes load_line(const void *p)
{
    return _mm256_load_ps(p);
}

INLINE void store_line(void *p, lanes a)
{
    _mm256_store_ps(p, a);
}

INLINE lanes load_first(const float *p, size_t count)
{
    return count == LANES ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, mask_of_first(count));
}

/* On AMD's processors a masked store takes long. */
INLINE void store_first(float *p, size_t count, lanes a)
{
    if (count == LANES) _mm256_storeu_ps(p, a);
    else _mm256_maskstore_ps(p, mask_of_first(count), a);
}

INLINE lanes all_four_bytes(const unsigned char *p)
{
    return _mm256_broadcast_ss((const float *)(const void *)p);
}

INLINE lanes all_eight_bytes(const unsigned char *p)
{
    return _mm256_castpd_ps(_mm256_broadcast_sd((const double *)(const void *)p));
}

/* The low halves of all lanes, side by side. */
INLINE __m128i low_words(__m256i a)
{
    return _mm_packus_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}

/* Whole numbers 0..255 as bytes. */
INLINE void store_codes(uint8_t *codes, size_t count, lanes values)
{
    __m128i words = low_words(_mm256_cvtps_epi32(values));
    int64_t bytes = _mm_cvtsi128_si64(_mm_packus_epi16(words, words));
    memcpy(codes, &bytes, count);
}

/* As gemm_bfloat16. */
INLINE void store_rounded(uint16_t *rounded, size_t count, lanes values)
{
    __m256i bits = whole_of(values);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    bits = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
    __m128i words = low_words(_mm256_srli_epi32(bits, 16));
    memcpy(rounded, &words, count * sizeof *rounded);
}

INLINE lanes widen_rounded(const uint16_t *rounded, size_t count)
{
    __m128i words = _mm_setzero_si128();
    memcpy(&words, rounded, count * sizeof *rounded);
    return lanes_of(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
}

INLINE void store_wide_codes(int16_t *wide, const uint8_t *codes, size_t count)
{
    int64_t bytes = 0;
    memcpy(&bytes, codes, count);
    _mm_store_si128((__m128i *)(void *)wide, _mm_cvtepu8_epi16(_mm_cvtsi64_si128(bytes)));
}

/* 16 signed codes as words. */
INLINE lanes load_words(const unsigned char *p)
{
    return lanes_of(_mm256_cvtepi8_epi16(_mm_load_si128((const __m128i *)(const void *)p)));
}

/* ---- arithmetic -------------------------------------------------------------------------------- */

INLINE lanes all(float a)
{
    return _mm256_set1_ps(a);
}

INLINE lanes plus(lanes a, lanes b)
{
    return _mm256_add_ps(a, b);
}

INLINE lanes times(lanes a, lanes b)
{
    return _mm256_mul_ps(a, b);
}

INLINE lanes fused(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

INLINE lanes least(lanes a, lanes b)
{
    return _mm256_min_ps(a, b);
}

INLINE lanes largest(lanes a, lanes b)
{
    return _mm256_max_ps(a, b);
}

INLINE float least_lane(lanes a)
{
    __m128 four = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)));
}

INLINE float largest_lane(lanes a)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

INLINE lanes plus_whole(lanes a, lanes b)
{
    return lanes_of(_mm256_add_epi32(whole_of(a), whole_of(b)));
}

/* a - b * c, whole numbers. */
INLINE lanes minus_product(lanes a, int32_t b, lanes c)
{
    __m256i product = _mm256_mullo_epi32(_mm256_set1_epi32(b), whole_of(c));
    return lanes_of(_mm256_sub_epi32(whole_of(a), product));
}

INLINE lanes floats_of_whole(lanes a)
{
    return _mm256_cvtepi32_ps(whole_of(a));
}

INLINE lanes firsts_of_pairs(lanes pairs)
{
    return lanes_of(_mm256_slli_epi32(whole_of(pairs), 16));
}

INLINE lanes seconds_of_pairs(lanes pairs)
{
    return lanes_of(_mm256_and_si256(whole_of(pairs), _mm256_set1_epi32(-0x10000)));
}

INLINE lanes add_words(lanes sum, lanes a, lanes b)
{
    return plus_whole(sum, lanes_of(_mm256_madd_epi16(whole_of(a), whole_of(b))));
}

/* Each two neighbours of low, then of high, added: whole numbers. */
INLINE lanes add_neighbours(lanes low, lanes high)
{
    __m256i mixed = _mm256_hadd_epi32(whole_of(low), whole_of(high)); /* in halves: low, high */
    return lanes_of(_mm256_permute4x64_epi64(mixed, 0xD8));
}

#include "local/simd/gemm_lanes.h"

void avx2_convert(enum local_precision precision, const struct local_rows *rows, size_t first,
                  size_t last)
{
    gemm_convert(&coder, precision, rows, first, last);
}

DEFINE_PRODUCT(avx2, avx2, sum_wide, sum_words)

#endif

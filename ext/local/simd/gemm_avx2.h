/*
 * gemm_avx2.h: the operations of gemm_lanes.h 8 floats at a time, for x86-64 with AVX2 and FMA.
 *
 * int8 goes by 16-bit multiplications, whose sums of two are exact: those of VPMADDUBSW would
 * be cut off at 32767.
 */
#ifndef LOCAL_SIMD_GEMM_AVX2_H
#define LOCAL_SIMD_GEMM_AVX2_H

#include <string.h>

#include "local/simd/lanes_avx2.h"

#define TILE_ROWS 6

/* ---- memory ---------------------------------------------------------------------------------- */

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

/* The same of LANES numbers each. What is too large or too small for a byte becomes its end. */
INLINE void store_four_codes(uint8_t *codes, lanes a, lanes b, lanes c, lanes d)
{
    __m256i low = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
    __m256i high = _mm256_packs_epi32(_mm256_cvtps_epi32(c), _mm256_cvtps_epi32(d));
    __m256i bytes = _mm256_packus_epi16(low, high); /* four of each, half by half */
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)codes, bytes);
}

INLINE void store_rounded(uint16_t *rounded, size_t count, lanes values)
{
    __m128i words = low_words(rounded_bits(values));
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

/* ---- arithmetic ------------------------------------------------------------------------------ */

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

#endif

/*
 * gemm_avx512.h: the operations of gemm_lanes.h 16 floats at a time, for x86-64 with AVX-512 F, BW,
 * DQ, VL; with VNNI for int8, and with AVX512-BF16.
 *
 * A step of 14 rows is 16 loads for 28 multiplications, of which two begin each cycle. The
 * instructions of VNNI and BF16, and broadcasts, are written in assembly: gcc 12 copies the sums of
 * _mm512_dpbusd_epi32 to and fro, at half the speed.
 */
#ifndef LOCAL_SIMD_GEMM_AVX512_H
#define LOCAL_SIMD_GEMM_AVX512_H

#include "local/simd/lanes_avx512.h"

#define TILE_ROWS 14
#define HAS_DOT4

/* ---- memory ---------------------------------------------------------------------------------- */

INLINE lanes all_four_bytes(const unsigned char *p)
{
    lanes result;
    __asm__("vbroadcastss %1, %0" : "=v"(result) : "m"(*(const float *)(const void *)p));
    return result;
}

INLINE lanes all_eight_bytes(const unsigned char *p)
{
    lanes result;
    __asm__("vbroadcastsd %1, %0" : "=v"(result) : "m"(*(const double *)(const void *)p));
    return result;
}

/* Whole numbers 0..255 as bytes. */
INLINE void store_codes(uint8_t *codes, size_t count, lanes values)
{
    __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(values));
    _mm_mask_storeu_epi8(codes, mask_of_first(count), bytes);
}

/* The same of LANES numbers each. What is too large or too small for a byte becomes its end. */
INLINE void store_four_codes(uint8_t *codes, lanes a, lanes b, lanes c, lanes d)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i low = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
    __m512i high = _mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d));
    __m512i bytes = _mm512_packus_epi16(low, high); /* four of each, quarter by quarter */
    _mm512_storeu_si512(codes, _mm512_permutexvar_epi32(order, bytes));
}

INLINE void store_rounded(uint16_t *rounded, size_t count, lanes values)
{
    __m256i words = _mm512_cvtepi32_epi16(rounded_bits(values));
    _mm256_mask_storeu_epi16(rounded, mask_of_first(count), words);
}

INLINE lanes widen_rounded(const uint16_t *rounded, size_t count)
{
    __m256i words = _mm256_maskz_loadu_epi16(mask_of_first(count), rounded);
    return lanes_of(_mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16));
}

INLINE void store_wide_codes(int16_t *wide, const uint8_t *codes, size_t count)
{
    __m128i bytes = _mm_maskz_loadu_epi8(mask_of_first(count), codes);
    _mm256_store_si256((__m256i *)(void *)wide, _mm256_cvtepu8_epi16(bytes));
}

/* 32 signed codes as words. */
INLINE lanes load_words(const unsigned char *p)
{
    return lanes_of(_mm512_cvtepi8_epi16(_mm256_load_si256((const __m256i *)(const void *)p)));
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

/* Of a the bytes have no sign. */
INLINE lanes add_dot4(lanes sum, lanes a, lanes b)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

INLINE lanes add_words(lanes sum, lanes a, lanes b)
{
    __m512i products = _mm512_madd_epi16(whole_of(a), whole_of(b));
    __asm__("vpaddd %1, %0, %0" : "+v"(sum) : "v"(products));
    return sum;
}

/* Each two neighbours of low, then of high, added: whole numbers. */
INLINE lanes add_neighbours(lanes low, lanes high)
{
    const __m512i even =
        _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    return plus_whole(_mm512_permutex2var_ps(low, even, high),
                      _mm512_permutex2var_ps(low, odd, high));
}

#endif

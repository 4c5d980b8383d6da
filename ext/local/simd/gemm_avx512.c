/*
 * gemm_avx512.c: tiles of up to 14 rows times 32 columns, for x86-64 with AVX-512 F, BW, DQ, VL; with
 * VNNI for int8, and with AVX512-BF16.
 *
 * A step is 16 loads for 28 multiplications, of which two begin each cycle. The instructions of
 * VNNI and BF16, and broadcasts, are written in assembly: gcc 12 copies the sums of
 * _mm512_dpbusd_epi32 to and fro, at half the speed.
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE TARGET __attribute__((always_inline)) static inline
#define LANES 16
#define TILE_ROWS 14
#define HAS_PAIRS
#define HAS_FOURS

#define EACH_ROW(DO)                                                                               \
    DO(0, c0, d0, p0)                                                                              \
    DO(1, c1, d1, p0 + next)                                                                       \
    DO(2, c2, d2, p0 + 2 * next)                                                                   \
    DO(3, c3, d3, p0 + third)                                                                      \
    DO(4, c4, d4, p4)                                                                              \
    DO(5, c5, d5, p4 + next)                                                                       \
    DO(6, c6, d6, p4 + 2 * next)                                                                   \
    DO(7, c7, d7, p4 + third)                                                                      \
    DO(8, c8, d8, p8)                                                                              \
    DO(9, c9, d9, p8 + next)                                                                       \
    DO(10, c10, d10, p8 + 2 * next)                                                                \
    DO(11, c11, d11, p8 + third)                                                                   \
    DO(12, c12, d12, p12)                                                                          \
    DO(13, c13, d13, p12 + next)

#define EACH_NUMBER(DO, kind)                                                                      \
    DO(kind, 1)                                                                                    \
    DO(kind, 2)                                                                                    \
    DO(kind, 3)                                                                                    \
    DO(kind, 4)                                                                                    \
    DO(kind, 5)                                                                                    \
    DO(kind, 6)                                                                                    \
    DO(kind, 7)                                                                                    \
    DO(kind, 8)                                                                                    \
    DO(kind, 9)                                                                                    \
    DO(kind, 10)                                                                                   \
    DO(kind, 11)                                                                                   \
    DO(kind, 12)                                                                                   \
    DO(kind, 13)                                                                                   \
    DO(kind, 14)

typedef __m512 lanes;

INLINE __mmask16 mask_of_first(size_t count)
{
    return (__mmask16)((1u << count) - 1);
}

INLINE __m512i whole_of(lanes a)
{
    return _mm512_castps_si512(a);
}

INLINE lanes lanes_of(__m512i a)
{
    return _mm512_castsi512_ps(a);
}

/* ---- memory ------------------------------------------------------------------------------------ */

/* Into the second level cache. */
INLINE void prefetch(const void *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}

INLINE lanes load_line(const void *p)
{
    return _mm512_load_ps(p);
}

INLINE void store_line(void *p, lanes a)
{
    _mm512_store_ps(p, a);
}

INLINE lanes load_first(const float *p, size_t count)
{
    return _mm512_maskz_loadu_ps(mask_of_first(count), p);
}

INLINE void store_first(float *p, size_t count, lanes a)
{
    _mm512_mask_storeu_ps(p, mask_of_first(count), a);
}

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

/* As gemm_bfloat16. */
INLINE void store_rounded(uint16_t *rounded, size_t count, lanes values)
{
    __m512i bits = whole_of(values);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    __m256i words = _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16));
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

/* ---- arithmetic -------------------------------------------------------------------------------- */

INLINE lanes all(float a)
{
    return _mm512_set1_ps(a);
}

INLINE lanes plus(lanes a, lanes b)
{
    return _mm512_add_ps(a, b);
}

INLINE lanes times(lanes a, lanes b)
{
    return _mm512_mul_ps(a, b);
}

INLINE lanes fused(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

INLINE lanes least(lanes a, lanes b)
{
    return _mm512_min_ps(a, b);
}

INLINE lanes largest(lanes a, lanes b)
{
    return _mm512_max_ps(a, b);
}

INLINE float least_lane(lanes a)
{
    return _mm512_reduce_min_ps(a);
}

INLINE float largest_lane(lanes a)
{
    return _mm512_reduce_max_ps(a);
}

INLINE lanes plus_whole(lanes a, lanes b)
{
    return lanes_of(_mm512_add_epi32(whole_of(a), whole_of(b)));
}

/* a - b * c, whole numbers. */
INLINE lanes minus_product(lanes a, int32_t b, lanes c)
{
    __m512i product = _mm512_mullo_epi32(_mm512_set1_epi32(b), whole_of(c));
    return lanes_of(_mm512_sub_epi32(whole_of(a), product));
}

INLINE lanes floats_of_whole(lanes a)
{
    return _mm512_cvtepi32_ps(whole_of(a));
}

INLINE lanes firsts_of_pairs(lanes pairs)
{
    return lanes_of(_mm512_slli_epi32(whole_of(pairs), 16));
}

INLINE lanes seconds_of_pairs(lanes pairs)
{
    return lanes_of(_mm512_and_si512(whole_of(pairs), _mm512_set1_epi32(-0x10000)));
}

INLINE lanes add_pairs(lanes sum, lanes a, lanes b)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

/* Of a the bytes have no sign. */
INLINE lanes add_fours(lanes sum, lanes a, lanes b)
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

#include "local/simd/gemm_lanes.h"

/* ---- with VNNI and BF16 ------------------------------------------------------------------------ */

DEFINE_ALL(PAIRS)
DEFINE_ALL(FOURS)

TARGET static void sum_pairs(struct gemm_tile *tile)
{
    struct source source = source_of(tile, 2);
    sum_PAIRS[tile->n_rows - 1](&source, tile->sums->floats);
}

TARGET static void sum_fours(struct gemm_tile *tile)
{
    struct source source = source_of(tile, 4);
    sum_FOURS[tile->n_rows - 1](&source, tile->sums->floats);
}

void avx512_convert(enum local_precision precision, const struct local_rows *rows, size_t first,
                    size_t last)
{
    gemm_convert(&coder, precision, rows, first, last);
}

DEFINE_PRODUCT(avx512, avx512, sum_wide, sum_words)
DEFINE_PRODUCT(avx512vnni, avx512, sum_wide, sum_fours)
DEFINE_PRODUCT(avx512bf16, avx512, sum_pairs, sum_fours)

#ifdef LOCAL_HAS_AMX
void amx_product(const struct local_matrix *matrix, const struct local_rows *rows,
                 const struct local_output *output, size_t first, size_t last)
{
    static const struct gemm_family family = {
        .width = WIDTH,
        .n_rows = 32,
        .row_step = 16,
        .sum = {NULL, amx_sum_pairs, amx_sum_fours},
        .store = store_tile,
        .activate = avx512_activate,
        .end = amx_end,
    };
    if (matrix->precision == LOCAL_FLOAT32) avx512_product(matrix, rows, output, first, last);
    else gemm_run(&family, matrix, rows, output, first, last);
}
#endif

#endif

/*
 * lanes_avx512.h: 16 floats a register, for x86-64 with AVX-512 F, BW, DQ, VL. Masks take what is
 * left over.
 */
#ifndef LOCAL_SIMD_LANES_AVX512_H
#define LOCAL_SIMD_LANES_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define LANES 16
#define MM(name) _mm512_##name

typedef __m512 lanes;
typedef __m512i whole_lanes;

TARGET __attribute__((always_inline)) static inline whole_lanes whole_of(lanes a)
{
    return _mm512_castps_si512(a);
}

TARGET __attribute__((always_inline)) static inline lanes lanes_of(whole_lanes a)
{
    return _mm512_castsi512_ps(a);
}

#include "local/simd/lanes_x86.h"

INLINE __mmask16 mask_of_first(size_t count)
{
    return (__mmask16)((1u << count) - 1);
}

/* 0..LANES floats; the other lanes are zeros. */
INLINE lanes load_first(const float *p, size_t count)
{
    return _mm512_maskz_loadu_ps(mask_of_first(count), p);
}

INLINE void store_first(float *p, size_t count, lanes a)
{
    _mm512_mask_storeu_ps(p, mask_of_first(count), a);
}

INLINE lanes keep_first(lanes a, size_t count, lanes b)
{
    return _mm512_mask_blend_ps(mask_of_first(count), b, a);
}

/* ---- pairs of bfloat16, with AVX512-BF16, which TARGET does not name: so in assembly --------- */

#define HAS_DOT2

/* The nearest bfloat16 of each, ties to even: of `low`, then of `high`. */
INLINE lanes rounded_rows(lanes low, lanes high)
{
    lanes result;
    __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(result) : "v"(low), "v"(high));
    return result;
}

/* The same, side by side in each lane. */
INLINE lanes rounded_lanes(lanes low, lanes high)
{
    static const uint16_t order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                       21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512i rows = whole_of(rounded_rows(low, high));
    return lanes_of(_mm512_permutexvar_epi16(_mm512_loadu_si512(order), rows));
}

/* sum + a's first times b's + a's second times b's. */
INLINE lanes add_dot2(lanes sum, lanes a, lanes b)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

INLINE float sum_lanes(lanes a)
{
    return _mm512_reduce_add_ps(a);
}

INLINE float min_lane(lanes a)
{
    return _mm512_reduce_min_ps(a);
}

INLINE float max_lane(lanes a)
{
    return _mm512_reduce_max_ps(a);
}

#endif

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

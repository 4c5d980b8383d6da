/*
 * lanes_avx2.h: 8 floats a register, for x86-64 with AVX2 and FMA. What is left over is loaded and
 * stored by mask: not a byte beyond is touched.
 */
#ifndef LOCAL_SIMD_LANES_AVX2_H
#define LOCAL_SIMD_LANES_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define MM(name) _mm256_##name
#define _mm256_and_epi32 _mm256_and_si256 /* AVX-512 names it by the size of a lane */

typedef __m256 lanes;
typedef __m256i whole_lanes;

TARGET __attribute__((always_inline)) static inline whole_lanes whole_of(lanes a)
{
    return _mm256_castps_si256(a);
}

TARGET __attribute__((always_inline)) static inline lanes lanes_of(whole_lanes a)
{
    return _mm256_castsi256_ps(a);
}

#include "local/simd/lanes_x86.h"

INLINE whole_lanes mask_of_first(size_t count)
{
    const whole_lanes numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), numbers);
}

/* 0..LANES floats; the other lanes are zeros. */
INLINE lanes load_first(const float *p, size_t count)
{
    return count == LANES ? load(p) : _mm256_maskload_ps(p, mask_of_first(count));
}

/* On AMD's processors a masked store takes long. */
INLINE void store_first(float *p, size_t count, lanes a)
{
    if (count == LANES) store(p, a);
    else _mm256_maskstore_ps(p, mask_of_first(count), a);
}

INLINE lanes keep_first(lanes a, size_t count, lanes b)
{
    return _mm256_blendv_ps(b, a, lanes_of(mask_of_first(count)));
}

INLINE float sum_lanes(lanes a)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE float min_lane(lanes a)
{
    __m128 four = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)));
}

INLINE float max_lane(lanes a)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#endif

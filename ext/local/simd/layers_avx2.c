/*
 * layers_avx2.c: the layer kernels 8 floats at a time, for x86-64 with AVX2 and FMA.
 *
 * What is left over is loaded and stored by mask: not a byte beyond is touched.
 */
#include "local/simd/layers.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define FAMILY(name) avx2_##name
#define TARGET __attribute__((target("avx2,fma")))
#define INLINE TARGET __attribute__((always_inline)) static inline
#define LANES 8
#define ROWS 6 /* 12 sums, 2 of the right side, 1 of the left: 15 of 16 registers */

typedef __m256 lanes;

INLINE __m256i first_lanes(size_t count)
{
    __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), places);
}

INLINE lanes load(const float *p)
{
    return _mm256_loadu_ps(p);
}

INLINE lanes load_first(const float *p, size_t count)
{
    return _mm256_maskload_ps(p, first_lanes(count));
}

INLINE void store(float *p, lanes a)
{
    _mm256_storeu_ps(p, a);
}

INLINE void store_first(float *p, size_t count, lanes a)
{
    _mm256_maskstore_ps(p, first_lanes(count), a);
}

INLINE lanes all(float a)
{
    return _mm256_set1_ps(a);
}

INLINE lanes fused(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

INLINE lanes fused_minus(lanes a, lanes b, lanes c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

INLINE lanes lesser(lanes a, lanes b)
{
    return _mm256_min_ps(a, b);
}

INLINE lanes larger(lanes a, lanes b)
{
    return _mm256_max_ps(a, b);
}

INLINE lanes magnitude_up_to(lanes a, lanes b)
{
    return _mm256_min_ps(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a), b);
}

INLINE lanes nearest(lanes a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* -127 and 128 give the exponent bits of 0 and of infinity. */
INLINE lanes exponents(lanes a)
{
    return lesser(all(128.0f), larger(all(-127.0f), a));
}

INLINE lanes times_power(lanes a, lanes n)
{
    __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return a * _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}

INLINE lanes keep_first(lanes a, size_t count, lanes b)
{
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(first_lanes(count)));
}

INLINE float sum_of(lanes a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

INLINE float largest_of(lanes a)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

INLINE lanes low_pairs(lanes a, lanes b)
{
    return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}

INLINE lanes high_pairs(lanes a, lanes b)
{
    return _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}

/* Squares of 4 by 4 within the halves of four registers: [j] is column j of each. */
INLINE void transpose_halves(lanes a[4])
{
    lanes low0 = _mm256_unpacklo_ps(a[0], a[1]), high0 = _mm256_unpackhi_ps(a[0], a[1]);
    lanes low1 = _mm256_unpacklo_ps(a[2], a[3]), high1 = _mm256_unpackhi_ps(a[2], a[3]);
    a[0] = low_pairs(low0, low1);
    a[1] = high_pairs(low0, low1);
    a[2] = low_pairs(high0, high1);
    a[3] = high_pairs(high0, high1);
}

INLINE void transpose(lanes a[8])
{
    transpose_halves(a);
    transpose_halves(a + 4);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        lanes low = _mm256_permute2f128_ps(a[i], a[i + 4], 0x20);
        a[i + 4] = _mm256_permute2f128_ps(a[i], a[i + 4], 0x31);
        a[i] = low;
    }
}

#include "local/simd/layers_attention.h"

#endif

/*
 * layers_avx512.c: the layer kernels 16 floats at a time, for x86-64 with AVX-512 F, BW, DQ, VL.
 *
 * Masks take what is left over; VRANGEPS limits a magnitude and VSCALEFPS multiplies with a power
 * of two, each in one step and whatever its operands are.
 */
#include "local/simd/layers.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define FAMILY(name) avx512_##name
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE TARGET __attribute__((always_inline)) static inline
#define LANES 16
#define ROWS 8

typedef __m512 lanes;

INLINE __mmask16 first_lanes(size_t count)
{
    return (__mmask16)((1u << count) - 1);
}

INLINE lanes load(const float *p)
{
    return _mm512_loadu_ps(p);
}

INLINE lanes load_first(const float *p, size_t count)
{
    return _mm512_maskz_loadu_ps(first_lanes(count), p);
}

INLINE void store(float *p, lanes a)
{
    _mm512_storeu_ps(p, a);
}

INLINE void store_first(float *p, size_t count, lanes a)
{
    _mm512_mask_storeu_ps(p, first_lanes(count), a);
}

INLINE lanes all(float a)
{
    return _mm512_set1_ps(a);
}

INLINE lanes fused(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

INLINE lanes fused_minus(lanes a, lanes b, lanes c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

INLINE lanes lesser(lanes a, lanes b)
{
    return _mm512_min_ps(a, b);
}

INLINE lanes larger(lanes a, lanes b)
{
    return _mm512_max_ps(a, b);
}

INLINE lanes magnitude_up_to(lanes a, lanes b)
{
    return _mm512_range_ps(a, b, 0xA); /* the lesser magnitude, without its sign */
}

INLINE lanes nearest(lanes a)
{
    return _mm512_roundscale_ps(a, 0x8); /* to nearest, no exception */
}

INLINE lanes exponents(lanes a)
{
    return a;
}

INLINE lanes times_power(lanes a, lanes n)
{
    return _mm512_scalef_ps(a, n);
}

INLINE lanes keep_first(lanes a, size_t count, lanes b)
{
    return _mm512_mask_blend_ps(first_lanes(count), b, a);
}

INLINE float sum_of(lanes a)
{
    return _mm512_reduce_add_ps(a);
}

INLINE float largest_of(lanes a)
{
    return _mm512_reduce_max_ps(a);
}

INLINE lanes low_pairs(lanes a, lanes b)
{
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

INLINE lanes high_pairs(lanes a, lanes b)
{
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

/* Squares of 4 by 4 within the quarters of four registers: [j] is column j of each. */
INLINE void transpose_quarters(lanes a[4])
{
    lanes low0 = _mm512_unpacklo_ps(a[0], a[1]), high0 = _mm512_unpackhi_ps(a[0], a[1]);
    lanes low1 = _mm512_unpacklo_ps(a[2], a[3]), high1 = _mm512_unpackhi_ps(a[2], a[3]);
    a[0] = low_pairs(low0, low1);
    a[1] = high_pairs(low0, low1);
    a[2] = low_pairs(high0, high1);
    a[3] = high_pairs(high0, high1);
}

/* Then the quarters themselves are a square of 4 by 4. */
INLINE void transpose(lanes a[16])
{
    for (int i = 0; i < 4; i++) transpose_quarters(a + 4 * i);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        lanes even0 = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
        lanes odd0 = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xDD);
        lanes even1 = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
        lanes odd1 = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xDD);
        a[i] = _mm512_shuffle_f32x4(even0, even1, 0x88);
        a[i + 4] = _mm512_shuffle_f32x4(odd0, odd1, 0x88);
        a[i + 8] = _mm512_shuffle_f32x4(even0, even1, 0xDD);
        a[i + 12] = _mm512_shuffle_f32x4(odd0, odd1, 0xDD);
    }
}

#include "local/simd/layers_attention.h"

#endif

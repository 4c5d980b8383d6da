/*
 * layers_avx512.c: the layer kernels 16 floats at a time, for x86-64 with AVX-512 F, BW, DQ, VL.
 *
 * Masks take what is left over; VRANGEPS limits a magnitude and VSCALEFPS multiplies with a power
 * of two, each in one step and whatever its operands are.
 */
#include "local/simd/layers.h"

#ifdef PROCESSOR_HAS_X86

#include "local/simd/lanes_avx512.h"

#define FAMILY(name) avx512_##name
#define ROWS 8

INLINE lanes magnitude_up_to(lanes a, lanes b)
{
    return _mm512_range_ps(a, b, 0xA); /* the smaller magnitude, without its sign */
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

/* Then the quarters themselves are a square of 4 by 4. */
INLINE void transpose(lanes a[16])
{
    for (int i = 0; i < 4; i++) transpose_squares(a + 4 * i);
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

/* Four floats of each fourth row, from `rows` on. */
INLINE lanes load_quarters(const float *rows, size_t stride)
{
    lanes a = _mm512_castps128_ps512(_mm_loadu_ps(rows));
    a = _mm512_mask_broadcast_f32x4(a, 0x00F0, _mm_loadu_ps(rows + 4 * stride));
    a = _mm512_mask_broadcast_f32x4(a, 0x0F00, _mm_loadu_ps(rows + 8 * stride));
    return _mm512_mask_broadcast_f32x4(a, 0xF000, _mm_loadu_ps(rows + 12 * stride));
}

/* Half the shuffles of a transposition: loads put the quarters where they belong. */
INLINE void load_columns(lanes a[16], const float *rows, size_t stride)
{
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++) {
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++)
            a[4 * j + i] = load_quarters(rows + i * stride + 4 * j, stride);
        transpose_squares(a + 4 * j);
    }
}

#include "local/simd/layers_attention.h"

#endif

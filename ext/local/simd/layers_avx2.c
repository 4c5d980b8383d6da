/*
 * layers_avx2.c: the layer kernels 8 floats at a time, for x86-64 with AVX2 and FMA.
 *
 * What is left over is loaded and stored by mask: not a byte beyond is touched.
 */
#include "local/simd/layers.h"

#ifdef PROCESSOR_HAS_X86

#include "local/simd/lanes_avx2.h"

#define FAMILY(name) avx2_##name
#define ROWS 6 /* 12 sums, 2 of the right side, 1 of the left: 15 of 16 registers */

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
    return min(all(128.0f), max(all(-127.0f), a));
}

INLINE lanes times_power(lanes a, lanes n)
{
    __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return a * _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}

INLINE void transpose(lanes a[8])
{
    transpose_squares(a);
    transpose_squares(a + 4);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        lanes low = _mm256_permute2f128_ps(a[i], a[i + 4], 0x20);
        a[i + 4] = _mm256_permute2f128_ps(a[i], a[i + 4], 0x31);
        a[i] = low;
    }
}

/* Half the shuffles of a transposition: loads put the halves where they belong. */
INLINE void load_columns(lanes a[8], const float *rows, size_t stride)
{
#pragma GCC unroll 2
    for (size_t j = 0; j < 2; j++) {
        const float *from = rows + 4 * j;
#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++, from += stride)
            a[4 * j + i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from)),
                                                _mm_loadu_ps(from + 4 * stride), 1);
        transpose_squares(a + 4 * j);
    }
}

#include "local/simd/layers_attention.h"

#endif

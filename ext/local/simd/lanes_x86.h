/*
 * lanes_x86.h: operations on a register of floats that AVX2 and AVX-512 spell alike. Included by
 * lanes_avx2.h and lanes_avx512.h alone, which say before what differs:
 *
 *   MM(name)              the intrinsic of that name and width
 *   TARGET                what a function needs to be compiled for the family
 *   LANES, lanes          floats of a register, and its type: + - * / work on it
 *   whole_lanes           the type of whole numbers of 32 bits
 *   whole_of, lanes_of    the same bits as whole numbers, as floats
 */
#ifndef LOCAL_SIMD_LANES_X86_H
#define LOCAL_SIMD_LANES_X86_H

#define INLINE TARGET __attribute__((always_inline)) static inline

/* ---- memory ---------------------------------------------------------------------------------- */

/* Into the second level cache. */
INLINE void prefetch(const void *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}

INLINE lanes load(const float *p)
{
    return MM(loadu_ps)(p);
}

INLINE void store(float *p, lanes a)
{
    MM(storeu_ps)(p, a);
}

/* At a multiple of the register's size. */
INLINE lanes load_line(const void *p)
{
    return MM(load_ps)(p);
}

INLINE void store_line(void *p, lanes a)
{
    MM(store_ps)(p, a);
}

/* ---- floats ---------------------------------------------------------------------------------- */

INLINE lanes all(float a)
{
    return MM(set1_ps)(a);
}

INLINE lanes plus(lanes a, lanes b)
{
    return MM(add_ps)(a, b);
}

INLINE lanes times(lanes a, lanes b)
{
    return MM(mul_ps)(a, b);
}

/* a * b + c, rounded once. */
INLINE lanes fused(lanes a, lanes b, lanes c)
{
    return MM(fmadd_ps)(a, b, c);
}

/* c - a * b, rounded once. */
INLINE lanes fused_minus(lanes a, lanes b, lanes c)
{
    return MM(fnmadd_ps)(a, b, c);
}

/* Where either is NaN: b. */
INLINE lanes min(lanes a, lanes b)
{
    return MM(min_ps)(a, b);
}

INLINE lanes max(lanes a, lanes b)
{
    return MM(max_ps)(a, b);
}

/* Squares of 4 by 4 within the quarters of 16 bytes of four registers: [j] is column j of each. */
INLINE void transpose_squares(lanes a[4])
{
    lanes low0 = MM(unpacklo_ps)(a[0], a[1]), high0 = MM(unpackhi_ps)(a[0], a[1]);
    lanes low1 = MM(unpacklo_ps)(a[2], a[3]), high1 = MM(unpackhi_ps)(a[2], a[3]);
    a[0] = MM(shuffle_ps)(low0, low1, 0x44); /* the low pairs of both */
    a[1] = MM(shuffle_ps)(low0, low1, 0xEE); /* the high ones */
    a[2] = MM(shuffle_ps)(high0, high1, 0x44);
    a[3] = MM(shuffle_ps)(high0, high1, 0xEE);
}

/* ---- whole numbers --------------------------------------------------------------------------- */

INLINE lanes plus_whole(lanes a, lanes b)
{
    return lanes_of(MM(add_epi32)(whole_of(a), whole_of(b)));
}

/* a - b * c. */
INLINE lanes minus_product(lanes a, int32_t b, lanes c)
{
    whole_lanes product = MM(mullo_epi32)(MM(set1_epi32)(b), whole_of(c));
    return lanes_of(MM(sub_epi32)(whole_of(a), product));
}

INLINE lanes floats_of_whole(lanes a)
{
    return MM(cvtepi32_ps)(whole_of(a));
}

/* ---- bfloat16 -------------------------------------------------------------------------------- */

/* The bits of the nearest bfloat16, ties to even, in the low half of each lane: as
 * gemm_bfloat16. */
INLINE whole_lanes rounded_bits(lanes values)
{
    whole_lanes bits = whole_of(values);
    whole_lanes odd = MM(and_epi32)(MM(srli_epi32)(bits, 16), MM(set1_epi32)(1));
    bits = MM(add_epi32)(bits, MM(add_epi32)(odd, MM(set1_epi32)(0x7FFF)));
    return MM(srli_epi32)(bits, 16);
}

/* Of pairs of bfloat16 the first, the second of each as a float. */
INLINE lanes evens_of_pairs(lanes pairs)
{
    return lanes_of(MM(slli_epi32)(whole_of(pairs), 16));
}

INLINE lanes odds_of_pairs(lanes pairs)
{
    return lanes_of(MM(and_epi32)(whole_of(pairs), MM(set1_epi32)(-0x10000)));
}

#endif

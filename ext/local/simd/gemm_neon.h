/*
 * gemm_neon.h: the operations of gemm_lanes.h 8 floats at a time in two registers, for aarch64;
 * int8 by 16-bit multiplications or, where the processor has it, by the dot product of
 * FEAT_DotProd.
 */
#ifndef LOCAL_SIMD_GEMM_NEON_H
#define LOCAL_SIMD_GEMM_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TARGET
#define INLINE __attribute__((always_inline)) static inline
#define LANES 8
#define TILE_ROWS 4 /* with more, gcc 12 keeps sums on the stack */
#define HAS_DOT4

typedef float32x4x2_t lanes;

INLINE lanes lanes_of(int32x4_t low, int32x4_t high)
{
    return (lanes){{vreinterpretq_f32_s32(low), vreinterpretq_f32_s32(high)}};
}

/* The half i, as whole numbers. */
INLINE int32x4_t whole_of(lanes a, int i)
{
    return vreinterpretq_s32_f32(a.val[i]);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Into the second level cache. */
INLINE void prefetch(const void *p)
{
    __builtin_prefetch(p, 0, 2);
}

INLINE lanes load_line(const void *p)
{
    return (lanes){{vld1q_f32(p), vld1q_f32((const float *)p + 4)}};
}

INLINE void store_line(void *p, lanes a)
{
    vst1q_f32(p, a.val[0]);
    vst1q_f32((float *)p + 4, a.val[1]);
}

INLINE lanes load(const float *p)
{
    return load_line(p);
}

INLINE void store(float *p, lanes a)
{
    store_line(p, a);
}

INLINE lanes load_first(const float *p, size_t count)
{
    float some[LANES] = {0};
    if (count == LANES) return load_line(p);
    memcpy(some, p, count * sizeof *p);
    return load_line(some);
}

INLINE void store_first(float *p, size_t count, lanes a)
{
    float all[LANES];
    store_line(count == LANES ? p : all, a);
    if (count < LANES) memcpy(p, all, count * sizeof *p);
}

INLINE lanes all_four_bytes(const unsigned char *p)
{
    float32x4_t four = vld1q_dup_f32((const float *)(const void *)p);
    return (lanes){{four, four}};
}

INLINE lanes all_eight_bytes(const unsigned char *p)
{
    float32x4_t eight = vreinterpretq_f32_f64(vld1q_dup_f64((const double *)(const void *)p));
    return (lanes){{eight, eight}};
}

/* The low halves of all lanes, side by side. */
INLINE uint16x8_t low_words(uint32x4_t low, uint32x4_t high)
{
    return vcombine_u16(vmovn_u32(low), vmovn_u32(high));
}

/* Whole numbers 0..255 as bytes. */
INLINE void store_codes(uint8_t *codes, size_t count, lanes values)
{
    uint16x8_t words = low_words(vcvtnq_u32_f32(values.val[0]), vcvtnq_u32_f32(values.val[1]));
    uint8_t bytes[LANES];
    vst1_u8(bytes, vmovn_u16(words));
    memcpy(codes, bytes, count);
}

INLINE void store_limited(uint8_t *codes, lanes values)
{
    uint16x4_t low = vqmovn_u32(vcvtnq_u32_f32(values.val[0]));
    uint16x4_t high = vqmovn_u32(vcvtnq_u32_f32(values.val[1]));
    vst1_u8(codes, vqmovn_u16(vcombine_u16(low, high)));
}

/* The same of LANES numbers each. What is too large or too small for a byte becomes its end. */
INLINE void store_four_codes(uint8_t *codes, lanes a, lanes b, lanes c, lanes d)
{
    store_limited(codes, a);
    store_limited(codes + LANES, b);
    store_limited(codes + 2 * LANES, c);
    store_limited(codes + 3 * LANES, d);
}

/* As gemm_bfloat16, in the high half. */
INLINE uint32x4_t rounded_bits(float32x4_t values)
{
    uint32x4_t bits = vreinterpretq_u32_f32(values);
    uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    return vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
}

INLINE void store_rounded(uint16_t *rounded, size_t count, lanes values)
{
    uint16_t words[LANES];
    vst1q_u16(words, low_words(vshrq_n_u32(rounded_bits(values.val[0]), 16),
                               vshrq_n_u32(rounded_bits(values.val[1]), 16)));
    memcpy(rounded, words, count * sizeof *rounded);
}

INLINE lanes widen_rounded(const uint16_t *rounded, size_t count)
{
    uint16_t words[LANES] = {0};
    memcpy(words, rounded, count * sizeof *rounded);
    return (lanes){{vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(words), 16)),
                    vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(words + 4), 16))}};
}

INLINE void store_wide_codes(int16_t *wide, const uint8_t *codes, size_t count)
{
    uint8_t bytes[LANES] = {0};
    memcpy(bytes, codes, count);
    vst1q_s16(wide, vreinterpretq_s16_u16(vmovl_u8(vld1_u8(bytes))));
}

/* 16 signed codes as words. */
INLINE lanes load_words(const unsigned char *p)
{
    int8x16_t codes = vld1q_s8((const int8_t *)p);
    return lanes_of(vreinterpretq_s32_s16(vmovl_s8(vget_low_s8(codes))),
                    vreinterpretq_s32_s16(vmovl_high_s8(codes)));
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

INLINE lanes all(float a)
{
    return (lanes){{vdupq_n_f32(a), vdupq_n_f32(a)}};
}

INLINE lanes plus(lanes a, lanes b)
{
    return (lanes){{vaddq_f32(a.val[0], b.val[0]), vaddq_f32(a.val[1], b.val[1])}};
}

INLINE lanes times(lanes a, lanes b)
{
    return (lanes){{vmulq_f32(a.val[0], b.val[0]), vmulq_f32(a.val[1], b.val[1])}};
}

INLINE lanes fused(lanes a, lanes b, lanes c)
{
    return (lanes){
        {vfmaq_f32(c.val[0], a.val[0], b.val[0]), vfmaq_f32(c.val[1], a.val[1], b.val[1])}};
}

/* Of a number and NaN the number, as in the other families. */
INLINE lanes min(lanes a, lanes b)
{
    return (lanes){{vminnmq_f32(a.val[0], b.val[0]), vminnmq_f32(a.val[1], b.val[1])}};
}

INLINE lanes max(lanes a, lanes b)
{
    return (lanes){{vmaxnmq_f32(a.val[0], b.val[0]), vmaxnmq_f32(a.val[1], b.val[1])}};
}

INLINE float min_lane(lanes a)
{
    return vminnmvq_f32(vminnmq_f32(a.val[0], a.val[1]));
}

INLINE float max_lane(lanes a)
{
    return vmaxnmvq_f32(vmaxnmq_f32(a.val[0], a.val[1]));
}

INLINE lanes plus_whole(lanes a, lanes b)
{
    return lanes_of(vaddq_s32(whole_of(a, 0), whole_of(b, 0)),
                    vaddq_s32(whole_of(a, 1), whole_of(b, 1)));
}

/* a - b * c, whole numbers. */
INLINE lanes minus_product(lanes a, int32_t b, lanes c)
{
    return lanes_of(vmlsq_n_s32(whole_of(a, 0), whole_of(c, 0), b),
                    vmlsq_n_s32(whole_of(a, 1), whole_of(c, 1), b));
}

INLINE lanes floats_of_whole(lanes a)
{
    return (lanes){{vcvtq_f32_s32(whole_of(a, 0)), vcvtq_f32_s32(whole_of(a, 1))}};
}

INLINE lanes evens_of_pairs(lanes pairs)
{
    return lanes_of(vshlq_n_s32(whole_of(pairs, 0), 16), vshlq_n_s32(whole_of(pairs, 1), 16));
}

INLINE lanes odds_of_pairs(lanes pairs)
{
    int32x4_t high = vdupq_n_s32(-0x10000);
    return lanes_of(vandq_s32(whole_of(pairs, 0), high), vandq_s32(whole_of(pairs, 1), high));
}

/* Four sums of two products each. */
INLINE int32x4_t half_of_words(lanes a, lanes b, int i)
{
    int16x8_t x = vreinterpretq_s16_f32(a.val[i]), y = vreinterpretq_s16_f32(b.val[i]);
    return vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}

INLINE lanes add_words(lanes sum, lanes a, lanes b)
{
    return plus_whole(sum, lanes_of(half_of_words(a, b, 0), half_of_words(a, b, 1)));
}

INLINE float32x4_t half_of_dot4(float32x4_t sum, float32x4_t a, float32x4_t b)
{
    uint8x16_t codes = veorq_u8(vreinterpretq_u8_f32(a), vdupq_n_u8(0x80));
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(codes), "w"(b));
    return sum;
}

/* Both are signed: of the codes 128 less. */
INLINE lanes add_dot4(lanes sum, lanes a, lanes b)
{
    return (lanes){{half_of_dot4(sum.val[0], a.val[0], b.val[0]),
                    half_of_dot4(sum.val[1], a.val[1], b.val[1])}};
}

/* Each two neighbours of low, then of high, added: whole numbers. */
INLINE lanes add_neighbours(lanes low, lanes high)
{
    return lanes_of(vpaddq_s32(whole_of(low, 0), whole_of(low, 1)),
                    vpaddq_s32(whole_of(high, 0), whole_of(high, 1)));
}

#endif

/*
 * kernels_neon.c: 4 floats at a time, for aarch64, of which NEON is a part, and a second table for
 * those with the dot products of ARMv8.2.
 *
 * Vectors are loaded as bytes: a load of floats would promise the compiler an alignment that a BLOB
 * has not.
 */
#include "vector/simd/kernels.h"

#ifdef VECTOR_HAS_NEON

#include <arm_neon.h>
#include <string.h>

#define FAMILY(name) neon_##name
#define TARGET
#define LANES 4
#define REGISTERS 4
#define DOUBLES 2

typedef float32x4_t lanes;
typedef float64x2_t doubles;
typedef int64x2_t integers;

static inline lanes load(const void *p)
{
    return vreinterpretq_f32_u8(vld1q_u8(p));
}

static inline lanes load_first(const void *p, size_t count)
{
    unsigned char four[16] = {0};
    memcpy(four, p, 4 * count);
    return load(four);
}

static inline void store(float *p, lanes a)
{
    vst1q_f32(p, a);
}

static inline lanes all(float value)
{
    return vdupq_n_f32(value);
}

static inline lanes widen_int8(const int8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    int16x8_t words = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
}

static inline lanes widen_halves(const void *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

static inline lanes fused(lanes a, lanes b, lanes c)
{
    return vfmaq_f32(c, a, b);
}

static inline double sum_of(lanes a)
{
    return (double)vaddvq_f32(a);
}

static inline lanes negate_where(lanes a, uint64_t bits)
{
    static const int32_t left[4] = {31, 30, 29, 28};
    uint32x4_t four = vdupq_n_u32((uint32_t)(bits & 0xF));
    uint32x4_t flip = vandq_u32(vshlq_u32(four, vld1q_s32(left)), vdupq_n_u32(0x80000000u));
    return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(a), flip));
}

/* Each lane meets its partner. One below it gives partner - itself. */
static inline float32x4_t transform_lanes(float32x4_t x)
{
    static const uint32_t masks[8] = {0, ~0u, 0, ~0u, 0, 0, ~0u, ~0u};
    float32x4_t partner = vrev64q_f32(x);
    x = vbslq_f32(vld1q_u32(masks), vsubq_f32(partner, x), vaddq_f32(x, partner));
    partner = vextq_f32(x, x, 2);
    return vbslq_f32(vld1q_u32(masks + 4), vsubq_f32(partner, x), vaddq_f32(x, partner));
}

static inline doubles load_doubles(const double *p)
{
    return vld1q_f64(p);
}

static inline void store_doubles(double *p, doubles a)
{
    vst1q_f64(p, a);
}

static inline doubles widen(const float *p)
{
    return vcvt_f64_f32(vld1_f32(p));
}

static inline doubles all_doubles(double value)
{
    return vdupq_n_f64(value);
}

static inline doubles magnitude(doubles a)
{
    return vabsq_f64(a);
}

static inline doubles max_of(doubles a, doubles b)
{
    return vmaxnmq_f64(a, b);
}

static inline integers round_away(doubles a)
{
    return vcvtaq_s64_f64(a);
}

static inline doubles doubles_of(integers a)
{
    return vcvtq_f64_s64(a);
}

static inline void store_int8(int8_t *p, const integers a[4])
{
    int16x4_t low = vmovn_s32(vcombine_s32(vmovn_s64(a[0]), vmovn_s64(a[1])));
    int16x4_t high = vmovn_s32(vcombine_s32(vmovn_s64(a[2]), vmovn_s64(a[3])));
    vst1_s8(p, vmovn_s16(vcombine_s16(low, high)));
}

static inline unsigned take_sign(doubles a, doubles *k)
{
    uint64x2_t positive = vcgezq_f64(a);
    *k = vbslq_f64(positive, vdupq_n_f64(1.0), vdupq_n_f64(-1.0));
    return (unsigned)(vgetq_lane_u64(positive, 0) & 1) |
           (unsigned)(vgetq_lane_u64(positive, 1) & 2);
}

static inline unsigned at_least(lanes a, lanes b)
{
    const uint32x4_t bit = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vcgeq_f32(a, b), bit));
}

#include "vector/simd/kernels_each.h"

/* ---- codes ----------------------------------------------------------------------------------- */

/* Components from..to of a code, at most VECTOR_INT32_STRETCH: a term is below 2^21 and a lane
 * takes 512 of them. */
static int64_t dot_int8(const struct vector_rounded *query, const int8_t *code, size_t from,
                        size_t to)
{
    int32x4_t s[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    size_t i = from;
    for (; i + 16 <= to; i += 16) {
        int8x16_t bytes = vld1q_s8(code + i);
        int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
        int16x8_t t = vld1q_s16(query->whole + i), u = vld1q_s16(query->whole + i + 8);
        s[0] = vmlal_s16(s[0], vget_low_s16(low), vget_low_s16(t));
        s[1] = vmlal_high_s16(s[1], low, t);
        s[2] = vmlal_s16(s[2], vget_low_s16(high), vget_low_s16(u));
        s[3] = vmlal_high_s16(s[3], high, u);
    }
    int64_t sum = 0;
    for (int j = 0; j < 4; j++) sum += vaddlvq_s32(s[j]);
    for (; i < to; i++) sum += query->whole[i] * code[i];
    return sum;
}

static void neon_dots_int8(const struct vector_rounded *query, const int8_t *codes, size_t n,
                           float *sums)
{
    size_t dimensions = query->dimensions;
    for (size_t i = 0; i < n; i++, codes += dimensions) {
        int64_t sum = 0;
        for (size_t from = 0; from < dimensions; from += VECTOR_INT32_STRETCH) {
            sum += dot_int8(query, codes, from, vector_stretch_end(from, dimensions));
        }
        sums[i] = (float)sum;
    }
}

/* clang before 16 declares vdotq_s32 only where the whole build may use it. */
#ifdef __clang__
#define SDOT __attribute__((target("dotprod")))
#else
#define SDOT __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

SDOT static inline int32x4_t add_dot_products(int32x4_t sum, int8x16_t a, int8x16_t b)
{
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
}

SDOT static void sdot_dots_int8(const struct vector_rounded *query, const int8_t *codes, size_t n,
                                float *sums)
{
    size_t dimensions = query->dimensions;
    for (size_t i = 0; i < n; i++, codes += dimensions) {
        int32x4_t high[2] = {vdupq_n_s32(0), vdupq_n_s32(0)}, low[2] = {high[0], high[0]};
        size_t j = 0;
        for (; j + 32 <= dimensions; j += 32) {
            int8x16_t c0 = vld1q_s8(codes + j), c1 = vld1q_s8(codes + j + 16);
            high[0] = add_dot_products(high[0], c0, vld1q_s8(query->high + j));
            high[1] = add_dot_products(high[1], c1, vld1q_s8(query->high + j + 16));
            low[0] = add_dot_products(low[0], c0, vld1q_s8(query->low + j));
            low[1] = add_dot_products(low[1], c1, vld1q_s8(query->low + j + 16));
        }
        int64_t sum = 128 * vaddlvq_s32(vaddq_s32(high[0], high[1]));
        sum += vaddlvq_s32(vaddq_s32(low[0], low[1]));
        for (; j < dimensions; j++) sum += query->whole[j] * codes[j];
        sums[i] = (float)sum;
    }
}

/* The products of 16 nibbles, added in 16 bits. */
static inline int16x8_t add_nibbles(int16x8_t sum, uint8x16_t nibbles, const int8_t *query)
{
    int8x16_t u = vreinterpretq_s8_u8(nibbles), t = vld1q_s8(query);
    return vmlal_high_s8(vmlal_s8(sum, vget_low_s8(u), vget_low_s8(t)), u, t);
}

/* 64 bytes fit in 16 bits: 16 * 15 * 127 < 2^15. */
static void neon_dots_of_nibbles(const int8_t *query, const uint8_t *codes, size_t n, size_t size,
                                 int32_t *sums)
{
    for (size_t i = 0; i < n; i++, codes += size) {
        int32x4_t s = vdupq_n_s32(0);
        for (size_t j = 0; j < size; j += 64) {
            int16x8_t sum = vdupq_n_s16(0);
            for (size_t b = j; b < j + 64; b += 16) {
                uint8x16_t bytes = vld1q_u8(codes + b);
                sum = add_nibbles(sum, vandq_u8(bytes, vdupq_n_u8(15)), query + j + b);
                sum = add_nibbles(sum, vshrq_n_u8(bytes, 4), query + j + b + 64);
            }
            s = vpadalq_s16(s, sum);
        }
        sums[i] = vaddvq_s32(s);
    }
}

/* 16 bytes of a code at a time: each of its words meets the six planes. */
static int32_t sum_of_bits(const uint64_t *planes, const uint8_t *bits, size_t bytes)
{
    uint32x4_t counts[VECTOR_PLANES];
    for (int j = 0; j < VECTOR_PLANES; j++) counts[j] = vdupq_n_u32(0);
    size_t at = 0;
    for (; at + 16 <= bytes; at += 16, planes += 2 * VECTOR_PLANE_WORDS) {
        uint8x16_t code = vld1q_u8(bits + at);
#pragma GCC unroll 6
        for (int j = 0; j < VECTOR_PLANES; j++) {
            uint64x2_t plane =
                vcombine_u64(vld1_u64(planes + j), vld1_u64(planes + VECTOR_PLANE_WORDS + j));
            uint8x16_t both = vandq_u8(code, vreinterpretq_u8_u64(plane));
            counts[j] = vpadalq_u16(counts[j], vpaddlq_u8(vcntq_u8(both)));
        }
    }
    int32_t sum = 0;
    for (int j = 0; j < VECTOR_PLANES; j++) {
        int32_t count = (int32_t)vaddvq_u32(counts[j]);
        const uint64_t *plane = planes + j;
        for (size_t last = at; last < bytes; last += 8, plane += VECTOR_PLANE_WORDS) {
            uint64_t word = vector_word(bits + last, bytes - last);
            count += vaddv_u8(vcnt_u8(vcreate_u8(*plane & word)));
        }
        sum += (j == VECTOR_PLANES - 1 ? -count : count) * (1 << j);
    }
    return sum;
}

static void neon_sums_of_bits(const struct vector_rounded *query, const uint8_t *codes, size_t n,
                              int32_t *sums)
{
    size_t bytes = (query->dimensions + 7) / 8;
    for (size_t i = 0; i < n; i++) sums[i] = sum_of_bits(query->planes, codes + i * bytes, bytes);
}

static uint64_t neon_hamming(const void *a, const void *b, size_t bytes)
{
    const unsigned char *p = a, *q = b;
    uint64x2_t counts = vdupq_n_u64(0);
    size_t at = 0;
    for (; at + 16 <= bytes; at += 16) {
        uint8x16_t differ = veorq_u8(vld1q_u8(p + at), vld1q_u8(q + at));
        counts = vpadalq_u32(counts, vpaddlq_u16(vpaddlq_u8(vcntq_u8(differ))));
    }
    uint64_t sum = vaddvq_u64(counts);
    for (; at < bytes; at++) sum += vaddv_u8(vcnt_u8(vcreate_u8((uint64_t)(p[at] ^ q[at]))));
    return sum;
}

const struct vector_kernels vector_kernels_neon = {
    .name = "neon",
    KERNELS_OF_EACH,
    .dots_int8 = neon_dots_int8,
    .sums_of_bits = neon_sums_of_bits,
    .dots_of_nibbles = neon_dots_of_nibbles,
    .hamming = neon_hamming,
};

const struct vector_kernels vector_kernels_neondot = {
    .name = "neondot",
    KERNELS_OF_EACH,
    .dots_int8 = sdot_dots_int8,
    .sums_of_bits = neon_sums_of_bits,
    .dots_of_nibbles = neon_dots_of_nibbles,
    .hamming = neon_hamming,
};

#endif

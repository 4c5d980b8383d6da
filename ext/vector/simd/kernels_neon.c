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

#define WIDE 16 /* bytes of a register */

static inline float32x4_t load(const unsigned char *p)
{
    return vreinterpretq_f32_u8(vld1q_u8(p));
}

/* The first `count` (0 to 3) floats at p, then zeros. */
static inline float32x4_t load_first(const unsigned char *p, size_t count)
{
    unsigned char four[WIDE] = {0};
    memcpy(four, p, 4 * count);
    return load(four);
}

static double neon_dot(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    float32x4_t s0 = vdupq_n_f32(0.0f), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 16; left -= 16, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = vfmaq_f32(s0, load(p), load(q));
        s1 = vfmaq_f32(s1, load(p + WIDE), load(q + WIDE));
        s2 = vfmaq_f32(s2, load(p + 2 * WIDE), load(q + 2 * WIDE));
        s3 = vfmaq_f32(s3, load(p + 3 * WIDE), load(q + 3 * WIDE));
    }
    for (; left >= 4; left -= 4, p += WIDE, q += WIDE) s0 = vfmaq_f32(s0, load(p), load(q));
    if (left > 0) s1 = vfmaq_f32(s1, load_first(p, left), load_first(q, left));
    return (double)vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3)));
}

static inline float32x4_t add_square(float32x4_t a, float32x4_t b, float32x4_t sum)
{
    float32x4_t difference = vsubq_f32(a, b);
    return vfmaq_f32(sum, difference, difference);
}

static double neon_squared_l2(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    float32x4_t s0 = vdupq_n_f32(0.0f), s1 = s0, s2 = s0, s3 = s0;
    size_t left = dimensions;
    for (; left >= 16; left -= 16, p += 4 * WIDE, q += 4 * WIDE) {
        s0 = add_square(load(p), load(q), s0);
        s1 = add_square(load(p + WIDE), load(q + WIDE), s1);
        s2 = add_square(load(p + 2 * WIDE), load(q + 2 * WIDE), s2);
        s3 = add_square(load(p + 3 * WIDE), load(q + 3 * WIDE), s3);
    }
    for (; left >= 4; left -= 4, p += WIDE, q += WIDE) s0 = add_square(load(p), load(q), s0);
    if (left > 0) s1 = add_square(load_first(p, left), load_first(q, left), s1);
    return (double)vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3)));
}

/* Four registers for each of the three sums. */
struct twelve {
    float32x4_t ab[4], aa[4], bb[4];
};

static inline void add_products(struct twelve *sums, int quarter, float32x4_t a, float32x4_t b)
{
    sums->ab[quarter] = vfmaq_f32(sums->ab[quarter], a, b);
    sums->aa[quarter] = vfmaq_f32(sums->aa[quarter], a, a);
    sums->bb[quarter] = vfmaq_f32(sums->bb[quarter], b, b);
}

static inline double add_four(const float32x4_t s[4])
{
    return (double)vaddvq_f32(vaddq_f32(vaddq_f32(s[0], s[1]), vaddq_f32(s[2], s[3])));
}

static struct vector_sums neon_sums(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    float32x4_t zero = vdupq_n_f32(0.0f);
    struct twelve sums = {
        {zero, zero, zero, zero}, {zero, zero, zero, zero}, {zero, zero, zero, zero}};
    size_t left = dimensions;
    for (; left >= 16; left -= 16, p += 4 * WIDE, q += 4 * WIDE) {
        add_products(&sums, 0, load(p), load(q));
        add_products(&sums, 1, load(p + WIDE), load(q + WIDE));
        add_products(&sums, 2, load(p + 2 * WIDE), load(q + 2 * WIDE));
        add_products(&sums, 3, load(p + 3 * WIDE), load(q + 3 * WIDE));
    }
    for (; left >= 4; left -= 4, p += WIDE, q += WIDE) add_products(&sums, 0, load(p), load(q));
    if (left > 0) add_products(&sums, 1, load_first(p, left), load_first(q, left));
    return (struct vector_sums){
        .ab = add_four(sums.ab),
        .aa = add_four(sums.aa),
        .bb = add_four(sums.bb),
    };
}

/* Four rows share each load of the vector; a row has four registers of sums. */
static void dots_of_four(const float *vector, const float *rows, size_t dimensions, float *dots)
{
    const unsigned char *p = (const unsigned char *)vector, *q[4];
    float32x4_t s[4][4];
    for (size_t r = 0; r < 4; r++) {
        q[r] = (const unsigned char *)(rows + r * dimensions);
        s[r][0] = s[r][1] = s[r][2] = s[r][3] = vdupq_n_f32(0.0f);
    }
    size_t left = dimensions, at = 0;
    for (; left >= 16; left -= 16, at += 4 * WIDE) {
#pragma GCC unroll 4 /* so that the sums stay in registers, here and below */
        for (size_t j = 0; j < 4; j++) {
            float32x4_t v = load(p + at + j * WIDE);
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++)
                s[r][j] = vfmaq_f32(s[r][j], v, load(q[r] + at + j * WIDE));
        }
    }
    for (; left >= 4; left -= 4, at += WIDE) {
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) s[r][0] = vfmaq_f32(s[r][0], load(p + at), load(q[r] + at));
    }
    if (left > 0) {
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++)
            s[r][1] = vfmaq_f32(s[r][1], load_first(p + at, left), load_first(q[r] + at, left));
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) dots[r] = (float)add_four(s[r]);
}

static void neon_dots(const float *vector, const float *rows, size_t n_rows, size_t dimensions,
                      float *dots)
{
    size_t i = 0;
    for (; i + 4 <= n_rows; i += 4)
        dots_of_four(vector, rows + i * dimensions, dimensions, dots + i);
    for (; i < n_rows; i++) dots[i] = (float)neon_dot(vector, rows + i * dimensions, dimensions);
}

/* Components from..to of a code, at most VECTOR_INT32_STRETCH: a product is below 2^21 and a lane
 * takes 512 of them. */
static int64_t add_int8(const struct vector_rounded *query, const int8_t *code, size_t from,
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
            size_t left = dimensions - from;
            size_t to = left < VECTOR_INT32_STRETCH ? dimensions : from + VECTOR_INT32_STRETCH;
            sum += add_int8(query, codes, from, to);
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
            uint64_t word = 0;
            memcpy(&word, bits + last, bytes - last < 8 ? bytes - last : 8);
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

static void neon_signs(float *vector, const uint64_t *bits, size_t n)
{
    static const int32_t left[4] = {31, 30, 29, 28};
    const int32x4_t shifts = vld1q_s32(left);
    const uint32x4_t sign = vdupq_n_u32(0x80000000u);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        uint32x4_t four = vdupq_n_u32((uint32_t)(bits[i / 64] >> (i % 64) & 0xF));
        uint32x4_t flip = vandq_u32(vshlq_u32(four, shifts), sign);
        uint32x4_t x = vreinterpretq_u32_f32(vld1q_f32(vector + i));
        vst1q_f32(vector + i, vreinterpretq_f32_u32(veorq_u32(x, flip)));
    }
    for (; i < n; i++)
        if (bits[i / 64] >> (i % 64) & 1) vector[i] = -vector[i];
}

/* The strides 1 and 2: each lane meets its partner. One below it gives partner - itself. */
static inline float32x4_t transform_lanes(float32x4_t x)
{
    static const uint32_t masks[8] = {0, ~0u, 0, ~0u, 0, 0, ~0u, ~0u};
    float32x4_t partner = vrev64q_f32(x);
    x = vbslq_f32(vld1q_u32(masks), vsubq_f32(partner, x), vaddq_f32(x, partner));
    partner = vextq_f32(x, x, 2);
    return vbslq_f32(vld1q_u32(masks + 4), vsubq_f32(partner, x), vaddq_f32(x, partner));
}

static inline void butterfly(float32x4_t *a, float32x4_t *b)
{
    float32x4_t sum = vaddq_f32(*a, *b);
    *b = vsubq_f32(*a, *b);
    *a = sum;
}

/* Two strides, `stride` and twice that, in one pass. */
static void transform_two_strides(float *vector, size_t n, size_t stride)
{
    for (size_t at = 0; at < n; at += 4 * stride) {
        for (size_t i = at; i < at + stride; i += 4) {
            float32x4_t x[4];
            for (size_t j = 0; j < 4; j++) x[j] = vld1q_f32(vector + i + j * stride);
            butterfly(&x[0], &x[1]);
            butterfly(&x[2], &x[3]);
            butterfly(&x[0], &x[2]);
            butterfly(&x[1], &x[3]);
            for (size_t j = 0; j < 4; j++) vst1q_f32(vector + i + j * stride, x[j]);
        }
    }
}

static void neon_hadamard(float *vector, size_t n, float factor)
{
    if (n < 4) {
        vector_kernels_scalar_hadamard(vector, n, factor);
        return;
    }
    for (size_t i = 0; i < n; i += 4)
        vst1q_f32(vector + i, transform_lanes(vmulq_n_f32(vld1q_f32(vector + i), factor)));
    size_t stride = 4;
    for (; 4 * stride <= n; stride *= 4) transform_two_strides(vector, n, stride);
    if (2 * stride > n) return;
    for (size_t i = 0; i < stride; i += 4) {
        float32x4_t a = vld1q_f32(vector + i), b = vld1q_f32(vector + stride + i);
        butterfly(&a, &b);
        vst1q_f32(vector + i, a);
        vst1q_f32(vector + stride + i, b);
    }
}

/* Two components of an encoding as doubles. */
struct two {
    float64x2_t c, r;
};

static inline struct two load_two(const struct vector_encoding *encoding, size_t i)
{
    struct two two = {vdupq_n_f64(0.0), vcvt_f64_f32(vld1_f32(encoding->vector + i))};
    if (encoding->centroid != NULL) {
        two.c = vcvt_f64_f32(vld1_f32(encoding->centroid + i));
        two.r = vsubq_f64(two.r, two.c);
    }
    return two;
}

static inline void load_sums(const struct vector_encoding *encoding, float64x2_t s[3][4])
{
    for (size_t j = 0; j < 12; j++) s[j / 4][j % 4] = vld1q_f64(&encoding->sums[j / 4][j % 4 * 2]);
}

static inline void store_sums(struct vector_encoding *encoding, float64x2_t s[3][4])
{
    for (size_t j = 0; j < 12; j++) vst1q_f64(&encoding->sums[j / 4][j % 4 * 2], s[j / 4][j % 4]);
}

static void neon_spread(struct vector_encoding *encoding)
{
    float64x2_t s[3][4];
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += 8) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            float64x2_t r = load_two(encoding, i + 2 * j).r, magnitude = vabsq_f64(r);
            s[0][j] = vmaxnmq_f64(s[0][j], magnitude);
            s[1][j] = vaddq_f64(s[1][j], magnitude);
            s[2][j] = vaddq_f64(s[2][j], vmulq_f64(r, r));
        }
    }
    store_sums(encoding, s);
}

static inline void add_components(float64x2_t s[3][4], size_t j, struct two two, float64x2_t k,
                                  double scale)
{
    float64x2_t e = vsubq_f64(vmulq_n_f64(k, scale), two.r);
    s[0][j] = vaddq_f64(s[0][j], vmulq_f64(e, e));
    s[1][j] = vaddq_f64(s[1][j], vmulq_f64(two.c, e));
    s[2][j] = vaddq_f64(s[2][j], vmulq_f64(two.c, k));
}

static void neon_round_int8(struct vector_encoding *encoding, int8_t *components)
{
    float64x2_t s[3][4];
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += 8) {
        int32x2_t whole[4];
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            struct two two = load_two(encoding, i + 2 * j);
            /* To the nearest, ties away from zero. */
            int64x2_t k = vcvtaq_s64_f64(vmulq_n_f64(two.r, encoding->units));
            add_components(s, j, two, vcvtq_f64_s64(k), encoding->scale);
            whole[j] = vmovn_s64(k);
        }
        int16x4_t low = vmovn_s32(vcombine_s32(whole[0], whole[1]));
        int16x4_t high = vmovn_s32(vcombine_s32(whole[2], whole[3]));
        vst1_s8(components + i, vmovn_s16(vcombine_s16(low, high)));
    }
    store_sums(encoding, s);
}

static void neon_take_signs(struct vector_encoding *encoding, uint8_t *bits)
{
    const float64x2_t plus = vdupq_n_f64(1.0), minus = vdupq_n_f64(-1.0);
    float64x2_t s[3][4];
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += 8) {
        unsigned byte = 0;
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            struct two two = load_two(encoding, i + 2 * j);
            uint64x2_t positive = vcgezq_f64(two.r);
            add_components(s, j, two, vbslq_f64(positive, plus, minus), encoding->scale);
            byte |= (unsigned)(vgetq_lane_u64(positive, 0) & 1) << (2 * j);
            byte |= (unsigned)(vgetq_lane_u64(positive, 1) & 1) << (2 * j + 1);
        }
        bits[i / 8] = (uint8_t)byte;
    }
    store_sums(encoding, s);
}

const struct vector_kernels vector_kernels_neon = {
    .name = "neon",
    .dot = neon_dot,
    .squared_l2 = neon_squared_l2,
    .sums = neon_sums,
    .dots = neon_dots,
    .dots_int8 = neon_dots_int8,
    .sums_of_bits = neon_sums_of_bits,
    .hamming = neon_hamming,
    .add = vector_kernels_scalar_add,
    .add_int8 = vector_kernels_scalar_add_int8,
    .signs = neon_signs,
    .hadamard = neon_hadamard,
    .mix = vector_kernels_scalar_mix,
    .spread = neon_spread,
    .round_int8 = neon_round_int8,
    .take_signs = neon_take_signs,
};

const struct vector_kernels vector_kernels_neondot = {
    .name = "neondot",
    .dot = neon_dot,
    .squared_l2 = neon_squared_l2,
    .sums = neon_sums,
    .dots = neon_dots,
    .dots_int8 = sdot_dots_int8,
    .sums_of_bits = neon_sums_of_bits,
    .hamming = neon_hamming,
    .add = vector_kernels_scalar_add,
    .add_int8 = vector_kernels_scalar_add_int8,
    .signs = neon_signs,
    .hadamard = neon_hadamard,
    .mix = vector_kernels_scalar_mix,
    .spread = neon_spread,
    .round_int8 = neon_round_int8,
    .take_signs = neon_take_signs,
};

#endif

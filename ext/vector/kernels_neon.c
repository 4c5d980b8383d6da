/*
 * kernels_neon.c: 4 floats at a time, for aarch64, of which NEON is a part.
 *
 * Vectors are loaded as bytes: a load of floats would promise the compiler an alignment that a BLOB
 * has not.
 */
#include "vector/kernels.h"

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

/* A product is at most 2^14, two of them at most 2^15 a step, 2^30 in all. */
static int32_t neon_dot_int8(const int8_t *a, const int8_t *b, size_t dimensions)
{
    int32x4_t s0 = vdupq_n_s32(0), s1 = s0;
    size_t i = 0;
    for (; i + 16 <= dimensions; i += 16) {
        int8x16_t x = vld1q_s8(a + i), y = vld1q_s8(b + i);
        s0 = vpadalq_s16(s0, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
        s1 = vpadalq_s16(s1, vmull_high_s8(x, y));
    }
    int32_t sum = vaddvq_s32(vaddq_s32(s0, s1));
    for (; i < dimensions; i++) sum += a[i] * b[i];
    return sum;
}

static int32_t neon_sum_of_bits(const uint64_t *planes, const uint8_t *bits, size_t bytes)
{
    int32_t sum = 0;
    for (size_t at = 0; at < bytes; at += 8, planes += VECTOR_PLANES) {
        uint64_t word = 0;
        memcpy(&word, bits + at, bytes - at < 8 ? bytes - at : 8);
        for (int j = 0; j < VECTOR_PLANES; j++) {
            int32_t count = vaddv_u8(vcnt_u8(vcreate_u8(planes[j] & word))) * (1 << j);
            sum += j == VECTOR_PLANES - 1 ? -count : count;
        }
    }
    return sum;
}

const struct vector_kernels vector_kernels_neon = {
    .name = "neon",
    .dot = neon_dot,
    .squared_l2 = neon_squared_l2,
    .sums = neon_sums,
    .dot_int8 = neon_dot_int8,
    .sum_of_bits = neon_sum_of_bits,
    .add = vector_kernels_scalar_add,
    .add_int8 = vector_kernels_scalar_add_int8,
};

#endif

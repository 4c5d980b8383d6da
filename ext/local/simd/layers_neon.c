/*
 * layers_neon.c: the layer kernels 4 floats at a time, for aarch64.
 */
#include "local/simd/layers.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#define FAMILY(name) neon_##name
#define TARGET
#define INLINE __attribute__((always_inline)) static inline
#define LANES 4
#define ROWS 8

typedef float32x4_t lanes;

INLINE lanes load(const float *p)
{
    return vld1q_f32(p);
}

INLINE lanes load_first(const float *p, size_t count)
{
    lanes a = vdupq_n_f32(0.0f);
    if (count > 0) a = vld1q_lane_f32(p, a, 0);
    if (count > 1) a = vld1q_lane_f32(p + 1, a, 1);
    if (count > 2) a = vld1q_lane_f32(p + 2, a, 2);
    return a;
}

INLINE void store(float *p, lanes a)
{
    vst1q_f32(p, a);
}

INLINE void store_first(float *p, size_t count, lanes a)
{
    if (count > 0) vst1q_lane_f32(p, a, 0);
    if (count > 1) vst1q_lane_f32(p + 1, a, 1);
    if (count > 2) vst1q_lane_f32(p + 2, a, 2);
}

INLINE lanes all(float a)
{
    return vdupq_n_f32(a);
}

INLINE lanes fused(lanes a, lanes b, lanes c)
{
    return vfmaq_f32(c, a, b);
}

INLINE lanes fused_minus(lanes a, lanes b, lanes c)
{
    return vfmsq_f32(c, a, b);
}

/* NaN where either is. */
INLINE lanes min(lanes a, lanes b)
{
    return vminq_f32(a, b);
}

INLINE lanes max(lanes a, lanes b)
{
    return vmaxq_f32(a, b);
}

INLINE lanes magnitude_up_to(lanes a, lanes b)
{
    return vminq_f32(vabsq_f32(a), b);
}

INLINE lanes nearest(lanes a)
{
    return vrndnq_f32(a);
}

/* -127 and 128 give the exponent bits of 0 and of infinity. */
INLINE lanes exponents(lanes a)
{
    return min(all(128.0f), max(all(-127.0f), a));
}

INLINE lanes times_power(lanes a, lanes n)
{
    int32x4_t biased = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    return vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32(biased, 23)));
}

INLINE lanes keep_first(lanes a, size_t count, lanes b)
{
    static const uint32_t places[LANES] = {0, 1, 2, 3};
    uint32x4_t kept = vcltq_u32(vld1q_u32(places), vdupq_n_u32((uint32_t)count));
    return vbslq_f32(kept, a, b);
}

INLINE float sum_lanes(lanes a)
{
    return vaddvq_f32(a);
}

INLINE float max_lane(lanes a)
{
    return vmaxvq_f32(a);
}

INLINE lanes low_pairs(lanes a, lanes b)
{
    return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}

INLINE lanes high_pairs(lanes a, lanes b)
{
    return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}

INLINE void transpose(lanes a[4])
{
    lanes low0 = vzip1q_f32(a[0], a[1]), high0 = vzip2q_f32(a[0], a[1]);
    lanes low1 = vzip1q_f32(a[2], a[3]), high1 = vzip2q_f32(a[2], a[3]);
    a[0] = low_pairs(low0, low1);
    a[1] = high_pairs(low0, low1);
    a[2] = low_pairs(high0, high1);
    a[3] = high_pairs(high0, high1);
}

INLINE void load_columns(lanes a[4], const float *rows, size_t stride)
{
    for (size_t i = 0; i < 4; i++) a[i] = load(rows + i * stride);
    transpose(a);
}

#include "local/simd/layers_attention.h"

#endif

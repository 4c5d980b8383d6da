/*
 * layers.h: the layer kernels of each family: all of an encoder that is not gemm.
 * What each computes is said in kernels.h, whose tables name them. Internal to the room.
 *
 * layers_scalar.c is plain C, in double but for what it stores: the oracle. The other families are
 * the same loops, written once over lanes (layers_each.h, layers_attention.h), and differ in what
 * a lane operation is.
 *
 *   activate     LOCAL_GELU and LOCAL_GELU_TANH within 2e-7 * max(1, |x|) of the exact value,
 *                LOCAL_TANH and LOCAL_SIGMOID within 2e-7, LOCAL_ROUGH_GELU within
 *                1.1e-4 * max(1, |x|) of GELU. NaN stays NaN.
 *   layer_norm   within 1e-6 * max(1, |result - bias|) for weights about 1, also where all values
 *                of a row lie far from zero.
 *   pack         moves numbers, to the bit.
 *   attention    any n_tokens and head_size from 1 on; float32 throughout. A score beyond +-1e38
 *                counts as that, so what is finite stays so. Keys and values are packed in the
 *                scratch anew by each call: few calls of many queries are faster than many of few.
 *                attention_in_pairs is for attention_rounded: sums are of float32, what is
 *                multiplied is off by 2^-8 of itself at most, and finite below 2^127.
 */
#ifndef LOCAL_SIMD_LAYERS_H
#define LOCAL_SIMD_LAYERS_H

#include "base/processor.h"
#include "base/rounding.h"
#include "local/simd/kernels.h"

/* Before a loop whose turns must become straight code, so that an array's elements are
 * registers. */
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

#define LOCAL_LAYERS_OF(family)                                                                    \
    void family##_activate(enum local_activation activation, float *values, size_t stride,         \
                           size_t n_rows, size_t n_columns);                                       \
    void family##_layer_norm(float *values, size_t n_rows, size_t n, const float *weight,          \
                             const float *bias, float epsilon);                                    \
    int family##_pack(const float *weights, size_t n_in, size_t width, float *panel);              \
    size_t family##_attention_scratch(size_t n_tokens, size_t head_size);                          \
    void family##_attention(const struct local_attention *attention)

LOCAL_LAYERS_OF(scalar);
#ifdef PROCESSOR_HAS_X86
LOCAL_LAYERS_OF(avx2);
LOCAL_LAYERS_OF(avx512);
void avx512_attention_in_pairs(const struct local_attention *attention);
#elif defined(__aarch64__)
LOCAL_LAYERS_OF(neon);
#endif

#endif

/*
 * wide.h: which inputs of an encoder's matrices are wide (struct local_wide), known by the weights
 * alone.
 *
 * A few coordinates of BERT's hidden states are many times as large as the others (Kovaleva and
 * others 2021, "BERT Busters"; Dettmers and others 2022, "LLM.int8()", which keeps them apart as
 * they come). How large is estimated here: a LayerNorm multiplies a coordinate by its weight, and
 * before it a layer adds to each coordinate what its weights allow.
 */
#ifndef LOCAL_WIDE_H
#define LOCAL_WIDE_H

#include "local/simd/kernels.h"

/* The indices of the largest of n numbers, none negative: LOCAL_WIDE, but at most one of 16. */
struct local_wide wide_largest(const float *sizes, size_t n);

/* `sizes` [n]: of the hidden state's coordinates, before something is added and a LayerNorm of that
 * weight and bias follows; then after it. At first all are 1. added [n]: in what proportion
 * something is added; NULL: the same to each. */
void wide_pass_norm(float *sizes, size_t n, const float *added, const float *weight,
                    const float *bias);

#endif

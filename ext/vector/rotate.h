/*
 * rotate.h: rotates a vector, so that no component says more than another.
 *
 * A code of signs or bytes (quantize.h) errs least, and errs like noise, when the weight of a
 * vector is spread over its components. Embeddings are not like that: some components are large in
 * all of them. A random rotation evens them out and keeps lengths, angles and distances (Gao, Long,
 * "RaBitQ", SIGMOD 2024; "Practical and Asymptotically Optimal Quantization", SIGMOD 2025).
 *
 * Instead of a random matrix, four rounds of random signs and a fast Walsh-Hadamard transform, in
 * O(n log n) (Ailon, Chazelle, "The fast Johnson-Lindenstrauss transform and approximate nearest
 * neighbors", SIAM J. Comput. 39, 2009). Round r = 0..3 of a vector of n components:
 *   1. component i is negated where bit i % 64 of word (r, i / 64) is set;
 *   2. the largest block of 2^b <= n components, the first ones in even rounds and the last ones in
 *      odd rounds, is multiplied by 2^(-b/2) and transformed, strides 1, 2, 4, ... 2^(b-1);
 *   3. after odd rounds, and unless n = 2^b, components i and i + ceil(n / 2), i < floor(n / 2),
 *      become their sum and their difference, both times 1/sqrt(2): a step of Kac's walk. It comes
 *      only when both blocks, and so all components, have been through a transform: one that had
 *      not would stay large for good, half of it in each step.
 * Word (r, w) is the output of splitmix64 (Steele, Lea, Flood, OOPSLA 2014) at the state
 * 0x524F54415445 + (1024 r + w + 1) * 0x9E3779B97F4A7C15.
 *
 * Codes in files are codes of rotated vectors: this is part of their format and does not change.
 * Each step is one float32 addition, subtraction or multiplication, so that the result is the same
 * bits on every processor.
 */
#ifndef VECTOR_ROTATE_H
#define VECTOR_ROTATE_H

#include <stddef.h>

/* Rotates vector [dimensions], at most VECTOR_MAX_DIMENSIONS, in place. Norms and dot products are
 * kept up to rounding: the vector is off by at most 5 (log2 n + 3) 2^-24 times its norm, and n
 * 2^-148, what factors of the least float32 cost. Nothing overflows while the norm is below FLT_MAX
 * / 2. */
void vector_rotate(float *vector, size_t dimensions);

/* Rotates back: the same steps, each its own inverse, from the last to the first. Within the same
 * bounds, the same bits on every processor. */
void vector_rotate_back(float *vector, size_t dimensions);

#endif

/*
 * matrix.h: weights, packed for a kernel family.
 */
#ifndef LOCAL_MATRIX_H
#define LOCAL_MATRIX_H

#include "base/error.h"
#include "local/simd/kernels.h"

/* Bytes that a matrix of that shape keeps, panels, bias, scales, sums and wide weights together, a
 * multiple of 64. */
size_t local_matrix_bytes(const struct local_kernels *kernels, enum local_precision precision,
                          size_t n_out, size_t n_in);

/* Lays the matrix out in `memory` (of local_matrix_bytes, all zero, at a multiple of 64, which
 * must outlive it). Biases are zeros, until others are written there. No input is wide:
 * matrix->wide may be set before anything is packed. */
void local_matrix_init(struct local_matrix *matrix, const struct local_kernels *kernels,
                       enum local_precision precision, size_t n_out, size_t n_in, void *memory);

/* Packs output columns first .. first + n - 1: weights [n, n_in] row-major, as PyTorch's Linear
 * has them. first is a multiple of the kernels' width, unless it is the start of other weights that
 * are stacked (query, key, value): then any. Different ranges may be packed by different threads
 * if both begin at a multiple of the width. */
void local_matrix_pack(struct local_matrix *matrix, const struct local_kernels *kernels,
                       size_t first, size_t n, const float *weights);

/* A matrix of float32 [n_parts * n_out, n_in] whose weights stay where they are: parts [n_parts]
 * [n_out, n_in]. Only its biases lie in `memory`, of local_matrix_bias_bytes, as above. */
size_t local_matrix_bias_bytes(const struct local_kernels *kernels, size_t n_out);
void local_matrix_init_mapped(struct local_matrix *matrix, const struct local_kernels *kernels,
                              const float *const *parts, size_t n_parts, size_t n_out, size_t n_in,
                              void *memory);

/* kernels->gemm of panels first .. last - 1. A matrix that is not packed is packed on the way, a
 * panel at a time, in `scratch`: local_matrix_scratch bytes of its inputs, at a multiple of 64.
 * Where a weight of a panel is not finite, no output of it is. */
size_t local_matrix_scratch(const struct local_kernels *kernels, size_t n_in);
void local_matrix_multiply(const struct local_matrix *matrix, const struct local_kernels *kernels,
                           const struct local_rows *rows, const struct local_output *output,
                           size_t first, size_t last, void *scratch);

/* A good stride for rows of n floats: never a multiple of 2048 bytes, so that rows next to each
 * other are not in the same lines of the first level cache. */
size_t local_row_stride(size_t n);

/* Bytes that rows of that shape need for codes, scales, zeros and wide values, a multiple of 64 (0
 * for float32), and where they go. Rows for a matrix with wide inputs get its `wide` then. */
size_t local_rows_bytes(enum local_precision precision, size_t n_rows, size_t n_in);
void local_rows_init(struct local_rows *rows, enum local_precision precision, size_t n_rows,
                     size_t n_in, float *floats, size_t stride, void *memory);

#endif

/*
 * kernels.h: the inner loops of an encoder, one table a processor family. Internal to the room (and
 * its tests and bench).
 *
 * Two sorts: gemm (gemm_NAME.c: packed weights times rows of activations) and layers
 * (layers_NAME.c: all else: normalisation, activations, attention). The scalar table is the oracle
 * of all others.
 *
 * Every row is computed alike whatever its neighbours are: the order in which a sum is added
 * depends on n_in alone, never on n_rows or on a row's place. So a text's vector is the same, to
 * the bit, in any batch.
 *
 * One build holds all families of its architecture (target attributes, no compiler flags). The
 * choice is made once a process: the best that processor and system support, or the one that
 * RERANK_SIMD names if it can run here (as in vector/simd/kernels.h: a name that only one of the
 * two has means the best in the other).
 *   scalar      plain C
 *   avx2        AVX2, FMA
 *   avx512      AVX-512 F, BW, DQ, VL
 *   avx512vnni  and VNNI (int8); with AVX512-BF16 where the processor has it: avx512bf16
 *   amx         and tiles (AMX-TILE, AMX-INT8, AMX-BF16) for int8 and bfloat16; Linux
 *   neon        every aarch64 processor; with FEAT_DotProd (int8): neondot
 */
#ifndef LOCAL_SIMD_KERNELS_H
#define LOCAL_SIMD_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "local/simd/activation.h"

enum local_precision { LOCAL_FLOAT32, LOCAL_BFLOAT16, LOCAL_INT8 };

/* ---- gemm: output = activation(rows x weights' + bias) + residual ---------------------------- */

/*
 * Weights [n_out, n_in], packed once when a model is loaded. Columns of the output lie in panels of
 * kernels->width; a panel is contiguous:
 *   float32   [n_in][width]               float
 *   bfloat16  [ceil(n_in / 2)][width][2]  uint16_t, two inputs of a column side by side
 *   int8      [ceil(n_in / 4)][width][4]  int8_t, four of them
 * What is beyond n_out or n_in is zero. int8: weight = scale of its column * code, codes -127..127,
 * scale = the largest absolute weight of the column / 127. The weights of wide inputs have code 0
 * and stand apart as floats.
 */

/* Inputs of a matrix of int8 that are multiplied as floats, ascending: those few whose values or
 * weights are so large that codes with room for them would be too coarse for all others. */
enum { LOCAL_WIDE = 2 };
struct local_wide {
    size_t n;
    size_t inputs[LOCAL_WIDE];
};

/* Linears that one matrix is made of, at most: query, key, value. */
enum { LOCAL_PARTS = 3 };

struct local_matrix {
    enum local_precision precision;
    size_t n_out, n_in;
    size_t n_panels;
    void *panels;  /* [n_panels] as above; at a multiple of 64 bytes; NULL: not packed */
    float *bias;   /* [n_panels * width], zeros beyond n_out */
    float *scales; /* int8: [n_panels * width]; else NULL */
    int32_t *sums; /* int8: [n_panels * width] the sum of a column's codes; else NULL */
    struct local_wide wide;
    float *wide_weights; /* int8: [LOCAL_WIDE][n_panels * width]; else NULL */
    /* Not packed: float32 weights [part_size, n_in] of each part of the output, where a file has
     * them. gemm takes no such matrix: local_matrix_multiply() packs a panel at a time. */
    const float *parts[LOCAL_PARTS];
    size_t part_size;
    const void *next; /* as many bytes as a panel has that are needed next; NULL: none */
};

/*
 * Rows of activations as gemm of some precision reads them. float32: the floats themselves, nothing
 * is converted. bfloat16: each rounded to nearest even, [n_rows][ceil(n_in / 2) * 2]. int8: each
 * row by itself as codes 0..255: value = scale * (code - zero), [n_rows][ceil(n_in / 4) * 4], what
 * is beyond n_in has weight zero; wide inputs are coded as 0.0 and stand apart.
 */
struct local_rows {
    size_t n_rows, n_in;
    float *floats;  /* [n_rows, stride]; convert makes wide inputs 0.0 for a moment */
    size_t stride;  /* floats from one row to the next */
    void *codes;    /* bfloat16, int8: as above; at a multiple of 64 bytes */
    float *scales;  /* int8: [n_rows] */
    int32_t *zeros; /* int8: [n_rows] */
    struct local_wide wide;
    float *wide_values; /* int8: [n_rows][LOCAL_WIDE] */
};

/* Where the output of gemm goes. */
struct local_output {
    float *values; /* [n_rows, stride] */
    size_t stride;
    enum local_activation activation; /* not LOCAL_SIGMOID */
    const float *residual; /* [n_rows, stride], added last; may be `values` itself; NULL: none */
};

/* ---- attention ------------------------------------------------------------------------------- */

/* Queries first_query .. first_query + n_queries - 1 of one head of one text:
 * output = softmax(scale * queries keys' + bias) values. */
struct local_attention {
    const float *queries, *keys, *values; /* [n_tokens, head_size], rows `stride` floats apart */
    size_t stride;
    size_t n_tokens, head_size;
    size_t first_query, n_queries;
    float scale;
    /* Token q's query meets token t's key with bias[t - q]: points into the middle of
     * [2 n_tokens - 1]. NULL: no bias. */
    const float *bias;
    float *output; /* [n_tokens, head_size], rows `output_stride` floats apart */
    size_t output_stride;
    float *scratch; /* [attention_scratch(n_tokens, head_size)] at a multiple of 64 bytes */
};

struct local_kernels {
    const char *name;
    size_t width; /* columns of a panel, a multiple of 16 */

    /* Converts rows first .. last - 1 of rows->floats into rows->codes, scales, zeros. Nothing
     * for float32. */
    void (*convert)(enum local_precision precision, const struct local_rows *rows, size_t first,
                    size_t last);
    /* Weights [width, n_in] as a panel of float32, at a multiple of 64 bytes. Whether all are
     * finite. */
    int (*pack)(const float *weights, size_t n_in, size_t width, float *panel);
    /* Panels first .. last - 1 of the output, all rows. rows->n_in = matrix->n_in, and the wide
     * inputs are the same. */
    void (*gemm)(const struct local_matrix *matrix, const struct local_rows *rows,
                 const struct local_output *output, size_t first, size_t last);

    /* The layers: */
    void (*activate)(enum local_activation activation, float *values, size_t stride, size_t n_rows,
                     size_t n_columns);
    /* Each row to (x - mean) / sqrt(variance + epsilon) * weight + bias, in place. values:
     * [n_rows, n]. */
    void (*layer_norm)(float *values, size_t n_rows, size_t n, const float *weight,
                       const float *bias, float epsilon);
    size_t (*attention_scratch)(size_t n_tokens, size_t head_size);
    void (*attention)(const struct local_attention *attention);
    /* Of models whose matrices are not float32: where the processor multiplies bfloat16 faster than
     * floats, queries (times the scale), keys, values and probabilities are rounded to them. */
    void (*attention_rounded)(const struct local_attention *attention);
};

/* The table for this machine. */
const struct local_kernels *local_kernels_chosen(void);

/* The n-th family of this build, NULL beyond the last one; and whether it runs on this machine. */
const struct local_kernels *local_kernels_at(size_t n);
int local_kernels_runs(const struct local_kernels *kernels);

#endif

/*
 * gemm_scalar.c: plain C, the oracle of all other families, and all there is on other processors.
 *
 * A panel's numbers of one input lie side by side: the compiler makes vectors of the inner loops.
 */
#include "local/simd/gemm.h"

#include <string.h>

#include "local/simd/layers.h"

#define WIDTH 16

/* ---- conversions ----------------------------------------------------------------------------- */

static struct gemm_range range_of(const float *floats, size_t n)
{
    float low = 0.0f, high = 0.0f;
    for (size_t i = 0; i < n; i++) {
        low = floats[i] < low ? floats[i] : low;
        high = floats[i] > high ? floats[i] : high;
    }
    return gemm_range(low, high);
}

static void code_row(const float *floats, size_t n, struct gemm_range range, uint8_t *codes)
{
    for (size_t i = 0; i < n; i++) {
        float code = floats[i] * range.inverse + range.zero;
        code = code > 0.0f ? code : 0.0f;
        code = code < 255.0f ? code : 255.0f;
        /* 2^23 is where floats are whole: the sum is rounded, to even, and so is the difference. */
        codes[i] = (uint8_t)(code + 0x1p23f - 0x1p23f);
    }
    memset(codes + n, 0, (4 - n % 4) % 4);
}

static void round_row(const float *floats, size_t n, uint16_t *rounded)
{
    for (size_t i = 0; i < n; i++) rounded[i] = gemm_bfloat16(floats[i]);
    if (n % 2 == 1) rounded[n] = 0;
}

void scalar_convert(enum local_precision precision, const struct local_rows *rows, size_t first,
                    size_t last)
{
    static const struct gemm_coder coder = {range_of, code_row, round_row};
    gemm_convert(&coder, precision, rows, first, last);
}

/* ---- gemm ------------------------------------------------------------------------------------ */

static void sum_float32(struct gemm_tile *tile)
{
    const float *row = (const float *)(const void *)gemm_row(tile, 0);
    const float *panel = (const float *)(const void *)tile->panel;
    float sums[WIDTH] = {0};
    for (size_t i = 0; i < tile->matrix->n_in; i++)
        for (size_t c = 0; c < WIDTH; c++) sums[c] += row[i] * panel[i * WIDTH + c];
    memcpy(tile->sums, sums, sizeof sums);
}

/* The two numbers of a pair. */
static inline float widen(uint16_t number)
{
    union {
        uint32_t bits;
        float value;
    } wide = {(uint32_t)number << 16};
    return wide.value;
}

static void sum_bfloat16(struct gemm_tile *tile)
{
    const uint16_t *row = (const uint16_t *)(const void *)gemm_row(tile, 0);
    const uint16_t *panel = (const uint16_t *)(const void *)tile->panel;
    float sums[WIDTH] = {0};
    for (size_t i = 0; i < tile->matrix->n_in; i += 2) {
        float even = widen(row[i]), odd = widen(row[i + 1]);
        for (size_t c = 0; c < WIDTH; c++) {
            const uint16_t *pair = panel + i * WIDTH + 2 * c;
            sums[c] += even * widen(pair[0]);
            sums[c] += odd * widen(pair[1]);
        }
    }
    memcpy(tile->sums, sums, sizeof sums);
}

static void sum_int8(struct gemm_tile *tile)
{
    const uint8_t *row = gemm_row(tile, 0);
    const int8_t *panel = (const int8_t *)tile->panel;
    int32_t sums[WIDTH] = {0};
    for (size_t i = 0; i < tile->matrix->n_in; i += 4)
        for (size_t c = 0; c < WIDTH; c++) {
            const int8_t *four = panel + i * WIDTH + 4 * c;
            sums[c] += row[i] * four[0] + row[i + 1] * four[1] + row[i + 2] * four[2] +
                       row[i + 3] * four[3];
        }
    memcpy(tile->sums, sums, sizeof sums);
}

static void store(const struct gemm_tile *tile, float *values, size_t stride, const float *residual)
{
    (void)stride; /* of one row */
    const struct local_matrix *matrix = tile->matrix;
    const float *bias = matrix->bias + tile->column;
    size_t n_columns = matrix->n_panels * WIDTH;
    for (size_t c = 0; c < tile->n_columns; c++) {
        float value;
        if (matrix->precision == LOCAL_INT8) {
            int32_t whole = tile->sums->whole[c] -
                            tile->rows->zeros[tile->row] * matrix->sums[tile->column + c];
            value =
                (float)whole * (tile->rows->scales[tile->row] * matrix->scales[tile->column + c]);
            for (size_t k = 0; k < matrix->wide.n; k++)
                value += tile->rows->wide_values[tile->row * LOCAL_WIDE + k] *
                         matrix->wide_weights[k * n_columns + tile->column + c];
        } else {
            value = tile->sums->floats[c];
        }
        value += bias[c];
        values[c] = residual == NULL ? value : value + residual[c];
    }
}

void scalar_gemm(const struct local_matrix *matrix, const struct local_rows *rows,
                 const struct local_output *output, size_t first, size_t last)
{
    static const struct gemm_family family = {.width = WIDTH,
                                              .n_rows = 1,
                                              .row_step = 1,
                                              .sum = {sum_float32, sum_bfloat16, sum_int8},
                                              .store = store,
                                              .activate = scalar_activate};
    gemm_run(&family, matrix, rows, output, first, last);
}

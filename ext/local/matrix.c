#include "local/matrix.h"

#include <math.h>

#include "local/simd/gemm.h"

#define BLOCK 16 /* inputs of a column that are packed before the next column's */

static size_t round_up(size_t size)
{
    return (size + 63) / 64 * 64;
}

size_t local_matrix_bytes(const struct local_kernels *kernels, enum local_precision precision,
                          size_t n_out, size_t n_in)
{
    size_t n_panels = (n_out + kernels->width - 1) / kernels->width;
    size_t n_arrays = precision == LOCAL_INT8 ? 3 + LOCAL_WIDE : 1; /* bias, scales, sums, wide */
    return n_panels * gemm_panel_bytes(precision, kernels->width, n_in) +
           n_arrays * n_panels * kernels->width * sizeof(float);
}

void local_matrix_init(struct local_matrix *matrix, const struct local_kernels *kernels,
                       enum local_precision precision, size_t n_out, size_t n_in, void *memory)
{
    size_t n_panels = (n_out + kernels->width - 1) / kernels->width;
    size_t n_columns = n_panels * kernels->width;
    unsigned char *behind =
        (unsigned char *)memory + n_panels * gemm_panel_bytes(precision, kernels->width, n_in);
    *matrix = (struct local_matrix){.precision = precision,
                                    .n_out = n_out,
                                    .n_in = n_in,
                                    .n_panels = n_panels,
                                    .panels = memory,
                                    .bias = (const float *)(const void *)behind};
    if (precision != LOCAL_INT8) return;
    matrix->scales = matrix->bias + n_columns;
    matrix->sums = (const int32_t *)(const void *)(matrix->scales + n_columns);
    matrix->wide_weights = matrix->scales + 2 * n_columns;
}

/* ---- packing --------------------------------------------------------------------------------- */

/* Columns that lie in one panel, and where they go. */
struct strip {
    const float *weights; /* [n, n_in] */
    size_t n, n_in, width, lane;
    void *panel;
    const struct local_wide *wide;
};

static void pack_float32(const struct strip *strip)
{
    float *panel = (float *)strip->panel + strip->lane;
    for (size_t first = 0; first < strip->n_in; first += BLOCK) {
        size_t last = first + BLOCK < strip->n_in ? first + BLOCK : strip->n_in;
        for (size_t c = 0; c < strip->n; c++)
            for (size_t i = first; i < last; i++)
                panel[i * strip->width + c] = strip->weights[c * strip->n_in + i];
    }
}

static void pack_bfloat16(const struct strip *strip)
{
    uint16_t *panel = (uint16_t *)strip->panel + 2 * strip->lane;
    for (size_t first = 0; first < strip->n_in; first += BLOCK) {
        size_t last = first + BLOCK < strip->n_in ? first + BLOCK : strip->n_in;
        for (size_t c = 0; c < strip->n; c++)
            for (size_t i = first; i < last; i++)
                panel[(i / 2 * strip->width + c) * 2 + i % 2] =
                    gemm_bfloat16(strip->weights[c * strip->n_in + i]);
    }
}

static float larger_magnitude(const float *values, size_t n, float largest)
{
    for (size_t i = 0; i < n; i++) {
        float magnitude = fabsf(values[i]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

/* Of the inputs that are not wide. */
static float largest_magnitude(const float *values, size_t n, const struct local_wide *wide)
{
    float largest = 0.0f;
    size_t first = 0;
    for (size_t k = 0; k < wide->n; k++) {
        largest = larger_magnitude(values + first, wide->inputs[k] - first, largest);
        first = wide->inputs[k] + 1;
    }
    return larger_magnitude(values + first, n - first, largest);
}

/* Codes of one column's inputs first .. last - 1; their sum. */
static int32_t pack_codes(const struct strip *strip, size_t c, float inverse, size_t first,
                          size_t last)
{
    int8_t *panel = (int8_t *)strip->panel + 4 * (strip->lane + c);
    const float *weights = strip->weights + c * strip->n_in;
    int32_t sum = 0;
    for (size_t i = first; i < last; i++) {
        /* At most 127 in magnitude, but for the rounding of the inverse. At 1.5 * 2^23 floats are
         * whole: the sum is rounded, to even, and so is the difference. */
        float code = weights[i] * inverse + 0x1.8p23f - 0x1.8p23f;
        int8_t kept = (int8_t)(code > 127.0f ? 127.0f : code > -127.0f ? code : -127.0f);
        panel[i / 4 * strip->width * 4 + i % 4] = kept;
        sum += kept;
    }
    return sum;
}

/* Takes the codes of wide inputs out of a column; their sum. */
static int32_t remove_wide(const struct strip *strip, size_t c)
{
    int8_t *panel = (int8_t *)strip->panel + 4 * (strip->lane + c);
    int32_t sum = 0;
    for (size_t k = 0; k < strip->wide->n; k++) {
        size_t i = strip->wide->inputs[k];
        int8_t *code = &panel[i / 4 * strip->width * 4 + i % 4];
        sum += *code;
        *code = 0;
    }
    return sum;
}

/* scales, sums, wide_weights: of the strip's first column; `n_columns` from one wide input to the
 * next. */
static void pack_int8(const struct strip *strip, float *scales, int32_t *sums, float *wide_weights,
                      size_t n_columns)
{
    float inverses[GEMM_WIDTH];
    for (size_t c = 0; c < strip->n; c++) {
        const float *weights = strip->weights + c * strip->n_in;
        float scale = largest_magnitude(weights, strip->n_in, strip->wide) / 127.0f;
        for (size_t k = 0; k < strip->wide->n; k++)
            wide_weights[k * n_columns + c] = weights[strip->wide->inputs[k]];
        if (!(scale >= 0x1p-126f)) scale = 0.0f; /* its inverse may be beyond the largest float */
        inverses[c] = scale == 0.0f ? 0.0f : 1.0f / scale;
        scales[c] = scale;
        sums[c] = 0;
    }
    for (size_t first = 0; first < strip->n_in; first += BLOCK) {
        size_t last = first + BLOCK < strip->n_in ? first + BLOCK : strip->n_in;
        for (size_t c = 0; c < strip->n; c++)
            sums[c] += pack_codes(strip, c, inverses[c], first, last);
    }
    for (size_t c = 0; c < strip->n; c++) sums[c] -= remove_wide(strip, c);
}

void local_matrix_pack(struct local_matrix *matrix, const struct local_kernels *kernels,
                       size_t first, size_t n, const float *weights, const float *bias)
{
    size_t width = kernels->width, n_columns = matrix->n_panels * width;
    size_t panel_bytes = gemm_panel_bytes(matrix->precision, width, matrix->n_in);
    /* The arrays behind the panels, which are read only but here. */
    float *biases =
        (float *)(void *)((unsigned char *)matrix->panels + matrix->n_panels * panel_bytes);
    float *scales = biases + n_columns;
    int32_t *sums = (int32_t *)(void *)(scales + n_columns);
    for (size_t done = 0, taken; done < n; done += taken) {
        size_t column = first + done, lane = column % width;
        taken = n - done < width - lane ? n - done : width - lane;
        struct strip strip = {weights + done * matrix->n_in,
                              taken,
                              matrix->n_in,
                              width,
                              lane,
                              (unsigned char *)matrix->panels + column / width * panel_bytes,
                              &matrix->wide};
        if (matrix->precision == LOCAL_FLOAT32) pack_float32(&strip);
        else if (matrix->precision == LOCAL_BFLOAT16) pack_bfloat16(&strip);
        else
            pack_int8(&strip, scales + column, sums + column, scales + 2 * n_columns + column,
                      n_columns);
        for (size_t c = 0; c < taken; c++)
            biases[column + c] = bias == NULL ? 0.0f : bias[done + c];
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

size_t local_row_stride(size_t n)
{
    return n % 1024 == 0 ? n + 16 : n;
}

static size_t code_bytes(enum local_precision precision, size_t n_rows, size_t n_in)
{
    struct local_rows rows = {.n_in = n_in};
    return precision == LOCAL_FLOAT32 ? 0 : round_up(n_rows * gemm_row_bytes(precision, &rows));
}

size_t local_rows_bytes(enum local_precision precision, size_t n_rows, size_t n_in)
{
    size_t per_row =
        precision == LOCAL_INT8 ? (1 + LOCAL_WIDE) * sizeof(float) + sizeof(int32_t) : 0;
    return code_bytes(precision, n_rows, n_in) + round_up(n_rows * per_row);
}

void local_rows_init(struct local_rows *rows, enum local_precision precision, size_t n_rows,
                     size_t n_in, float *floats, size_t stride, void *memory)
{
    *rows = (struct local_rows){.n_rows = n_rows, .n_in = n_in, .floats = floats, .stride = stride};
    if (precision == LOCAL_FLOAT32) return;
    rows->codes = memory;
    if (precision == LOCAL_BFLOAT16) return;
    rows->scales = (float *)(void *)((unsigned char *)memory + code_bytes(precision, n_rows, n_in));
    rows->zeros = (int32_t *)(void *)(rows->scales + n_rows);
    rows->wide_values = rows->scales + 2 * n_rows;
}

#include "local/matrix.h"

#include <math.h>
#include <string.h>

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
                                    .bias = (float *)(void *)behind};
    if (precision != LOCAL_INT8) return;
    matrix->scales = matrix->bias + n_columns;
    matrix->sums = (int32_t *)(void *)(matrix->scales + n_columns);
    matrix->wide_weights = matrix->scales + 2 * n_columns;
}

size_t local_matrix_bias_bytes(const struct local_kernels *kernels, size_t n_out)
{
    return (n_out + kernels->width - 1) / kernels->width * kernels->width * sizeof(float);
}

void local_matrix_init_mapped(struct local_matrix *matrix, const struct local_kernels *kernels,
                              const float *const *parts, size_t n_parts, size_t n_out, size_t n_in,
                              void *memory)
{
    *matrix =
        (struct local_matrix){.precision = LOCAL_FLOAT32,
                              .n_out = n_parts * n_out,
                              .n_in = n_in,
                              .n_panels = (n_parts * n_out + kernels->width - 1) / kernels->width,
                              .bias = memory,
                              .part_size = n_out};
    for (size_t i = 0; i < n_parts; i++) matrix->parts[i] = parts[i];
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
                       size_t first, size_t n, const float *weights)
{
    size_t width = kernels->width, n_columns = matrix->n_panels * width;
    size_t panel_bytes = gemm_panel_bytes(matrix->precision, width, matrix->n_in);
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
            pack_int8(&strip, matrix->scales + column, matrix->sums + column,
                      matrix->wide_weights + column, n_columns);
    }
}

/* ---- weights that stay where they are -------------------------------------------------------- */

static const float *weights_of_column(const struct local_matrix *matrix, size_t column)
{
    size_t part = column / matrix->part_size, row = column % matrix->part_size;
    return matrix->parts[part] + row * matrix->n_in;
}

/* Of columns that lie in several parts, or fewer than there are in a panel. Whether all are
 * finite. */
static int pack_pieces(const struct local_matrix *matrix, size_t first, size_t n, size_t width,
                       float *panel)
{
    float zeros = 0.0f;
    if (n < width) memset(panel, 0, matrix->n_in * width * sizeof *panel);
    for (size_t lane = 0, taken; lane < n; lane += taken) {
        size_t left = matrix->part_size - (first + lane) % matrix->part_size;
        taken = n - lane < left ? n - lane : left;
        pack_float32(&(struct strip){.weights = weights_of_column(matrix, first + lane),
                                     .n = taken,
                                     .n_in = matrix->n_in,
                                     .width = width,
                                     .lane = lane,
                                     .panel = panel});
    }
    for (size_t i = 0; i < matrix->n_in * width; i++) zeros += 0.0f * panel[i];
    return zeros == 0.0f;
}

/* The next panel, if there is one, is prefetched as this one is multiplied. A number that is not
 * finite makes all of them NaN, so that whatever becomes of them is none either: attention bounds
 * scores. */
static void pack_panel(struct local_matrix *matrix, const struct local_kernels *kernels,
                       size_t first, float *panel)
{
    size_t width = kernels->width, left = matrix->n_out - first, row = first % matrix->part_size;
    int is_whole = left >= width && row + width <= matrix->part_size;
    int is_finite =
        is_whole ? kernels->pack(weights_of_column(matrix, first), matrix->n_in, width, panel)
                 : pack_pieces(matrix, first, left < width ? left : width, width, panel);
    for (size_t i = 0; !is_finite && i < matrix->n_in * width; i++) panel[i] = NAN;
    matrix->next = left > width ? weights_of_column(matrix, first + width) : NULL;
}

size_t local_matrix_scratch(const struct local_kernels *kernels, size_t n_in)
{
    return round_up(gemm_panel_bytes(LOCAL_FLOAT32, kernels->width, n_in));
}

void local_matrix_multiply(const struct local_matrix *matrix, const struct local_kernels *kernels,
                           const struct local_rows *rows, const struct local_output *output,
                           size_t first, size_t last, void *scratch)
{
    if (matrix->panels != NULL) {
        kernels->gemm(matrix, rows, output, first, last);
        return;
    }
    for (size_t number = first; number < last; number++) {
        size_t column = number * kernels->width;
        struct local_matrix panel = *matrix;
        struct local_output its_output = *output;
        pack_panel(&panel, kernels, column, scratch);
        panel.panels = scratch;
        panel.n_panels = 1;
        panel.n_out = matrix->n_out - column;
        panel.bias += column;
        its_output.values += column;
        if (output->residual != NULL) its_output.residual += column;
        kernels->gemm(&panel, rows, &its_output, 0, 1);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

size_t local_row_stride(size_t n)
{
    return n % 512 == 0 ? n + 16 : n;
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

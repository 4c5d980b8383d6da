#include "local/simd/gemm.h"

#include <float.h>
#include <math.h>
#include <unistd.h>

/* Bytes of rows that meet a panel together, half of the second level cache: with the panel they
 * fit. */
#define USUAL_BLOCK ((size_t)512 << 10)
#define LARGEST_BLOCK ((size_t)1 << 20)

/* Rows so many bytes apart (or a multiple) lie in the same lines of a first level cache of 32 or
 * 48 KB, of which there are 8 or 12. */
#define ALIAS_BYTES 4096
#define ALIASED_ROWS 8

#define LINE 64 /* bytes of the caches */

#define CODED_ROWS 4 /* that are coded together */

size_t gemm_row_bytes(enum local_precision precision, const struct local_rows *rows)
{
    if (precision == LOCAL_FLOAT32) return rows->stride * sizeof(float);
    if (precision == LOCAL_BFLOAT16) return (rows->n_in + 1) / 2 * 2 * sizeof(uint16_t);
    return (rows->n_in + 3) / 4 * 4;
}

size_t gemm_panel_bytes(enum local_precision precision, size_t width, size_t n_in)
{
    if (precision == LOCAL_FLOAT32) return n_in * width * sizeof(float);
    if (precision == LOCAL_BFLOAT16) return (n_in + 1) / 2 * 2 * width * sizeof(uint16_t);
    return (n_in + 3) / 4 * 4 * width;
}

struct gemm_range gemm_range(float low, float high)
{
    /* Each divided by itself: high - low may be beyond the largest float. */
    float scale = high / 255.0f - low / 255.0f;
    if (!(scale >= FLT_MIN)) return (struct gemm_range){0.0f, 0.0f, 0.0f};
    float inverse = 1.0f / scale;
    return (struct gemm_range){scale, inverse, rintf(-low * inverse)};
}

/* Moves the wide inputs of a row to where they stand apart; the other way, gives them back. */
static void take_wide(const struct local_rows *rows, size_t r)
{
    for (size_t k = 0; k < LOCAL_WIDE; k++) {
        float *value = &rows->floats[r * rows->stride + rows->wide.inputs[k]];
        int is_wide = k < rows->wide.n;
        rows->wide_values[r * LOCAL_WIDE + k] = is_wide ? *value : 0.0f;
        if (is_wide) *value = 0.0f;
    }
}

static void give_wide(const struct local_rows *rows, size_t r)
{
    for (size_t k = 0; k < rows->wide.n; k++)
        rows->floats[r * rows->stride + rows->wide.inputs[k]] =
            rows->wide_values[r * LOCAL_WIDE + k];
}

/* Codes of a few rows, while they are in the first level cache. Step by step for all of them, so
 * that one row's range comes together while the next row is read. */
static void code_rows(const struct gemm_coder *coder, const struct local_rows *rows, size_t first,
                      size_t n)
{
    struct gemm_range ranges[CODED_ROWS];
    for (size_t r = first; r < first + n; r++) take_wide(rows, r);
    for (size_t i = 0; i < n; i++)
        ranges[i] = coder->range_of(rows->floats + (first + i) * rows->stride, rows->n_in);
    for (size_t i = 0, r = first; i < n; i++, r++) {
        coder->code_row(rows->floats + r * rows->stride, rows->n_in, ranges[i],
                        (uint8_t *)rows->codes + r * gemm_row_bytes(LOCAL_INT8, rows));
        rows->scales[r] = ranges[i].scale;
        rows->zeros[r] = (int32_t)ranges[i].zero;
    }
    for (size_t r = first; r < first + n; r++) give_wide(rows, r);
}

void gemm_convert(const struct gemm_coder *coder, enum local_precision precision,
                  const struct local_rows *rows, size_t first, size_t last)
{
    size_t row_bytes = gemm_row_bytes(precision, rows);
    for (size_t r = first; r < last && precision == LOCAL_INT8; r += CODED_ROWS)
        code_rows(coder, rows, r, last - r < CODED_ROWS ? last - r : CODED_ROWS);
    for (size_t r = first; r < last && precision == LOCAL_BFLOAT16; r++)
        coder->round_row(rows->floats + r * rows->stride, rows->n_in,
                         (uint16_t *)rows->codes + r * row_bytes / sizeof(uint16_t));
}

static void add_residual(const struct gemm_tile *tile, size_t width, float *values, size_t stride,
                         const float *residual)
{
    for (size_t r = 0; r < tile->n_rows; r++)
        for (size_t c = 0; c < tile->n_columns; c++)
            values[r * stride + c] = tile->sums->floats[r * width + c] + residual[r * stride + c];
}

static void finish(const struct gemm_family *family, const struct gemm_tile *tile,
                   const struct local_output *output)
{
    size_t at = tile->row * output->stride + tile->column;
    float *values = output->values + at, *sums = tile->sums->floats;
    const float *residual = output->residual == NULL ? NULL : output->residual + at;
    if (output->activation == LOCAL_IDENTITY) {
        family->store(tile, values, output->stride, residual);
    } else if (residual == NULL) {
        family->store(tile, values, output->stride, NULL);
        family->activate(output->activation, values, output->stride, tile->n_rows, tile->n_columns);
    } else { /* residual may be values: it is not to be overwritten yet */
        family->store(tile, sums, family->width, NULL);
        family->activate(output->activation, sums, family->width, tile->n_rows, tile->n_columns);
        add_residual(tile, family->width, values, output->stride, residual);
    }
}

/* Tile i of a panel prefetches its share of the next one, of so many bytes: the memory, which
 * bounds what few rows need, is never to stand still. */
static void look_ahead(struct gemm_tile *tile, const unsigned char *next, size_t bytes, size_t i,
                       size_t n_tiles)
{
    tile->ahead = tile->ahead_end = next;
    if (next == NULL) return;
    tile->ahead += bytes * i / n_tiles;
    tile->ahead_end += bytes * (i + 1) / n_tiles;
}

/* The lines that the tile is stored to are there by the time its sums are. */
static void fetch_output(const struct gemm_tile *tile, const struct local_output *output)
{
    const float *row = output->values + tile->row * output->stride + tile->column;
    for (size_t r = 0; r < tile->n_rows; r++, row += output->stride)
        for (size_t c = 0; c < tile->n_columns; c += LINE / sizeof *row)
            __builtin_prefetch(row + c, 1);
}

/* Sums a tile up, then finishes the one before, whose sums nothing waits for any more. */
static void run_tile(const struct gemm_family *family, struct gemm_tile *tile,
                     struct gemm_tile *before, const struct local_output *output)
{
    union gemm_sums *sums = before->sums;
    if (tile->matrix->precision == LOCAL_FLOAT32) fetch_output(tile, output);
    family->sum[tile->matrix->precision](tile);
    if (before->n_rows > 0) finish(family, before, output);
    *before = *tile;
    tile->sums = sums;
}

/* Rows first .. last - 1 meet a panel, in tiles of nearly the same height. */
static void run_panel(const struct gemm_family *family, struct gemm_tile *tile,
                      struct gemm_tile *before, const struct local_output *output,
                      const size_t rows[2], const unsigned char *next)
{
    enum local_precision precision = tile->matrix->precision;
    size_t step = family->row_step, most = family->n_rows / step;
    size_t row_bytes = gemm_row_bytes(precision, tile->rows);
    size_t panel_bytes = gemm_panel_bytes(precision, family->width, tile->matrix->n_in);
    if (row_bytes % ALIAS_BYTES == 0 && step == 1 && most > ALIASED_ROWS) most = ALIASED_ROWS;
    size_t n_steps = (rows[1] - rows[0] + step - 1) / step, n_tiles = (n_steps + most - 1) / most;
    for (size_t i = 0; i < n_tiles; i++) {
        size_t end = rows[0] + n_steps * (i + 1) / n_tiles * step;
        tile->row = rows[0] + n_steps * i / n_tiles * step;
        tile->n_rows = (end < rows[1] ? end : rows[1]) - tile->row;
        look_ahead(tile, next, panel_bytes, i, n_tiles);
        run_tile(family, tile, before, output);
    }
}

static size_t block_bytes(void)
{
#ifdef _SC_LEVEL2_CACHE_SIZE
    long size = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (size > 0) return (size_t)size / 2 < LARGEST_BLOCK ? (size_t)size / 2 : LARGEST_BLOCK;
#endif
    return USUAL_BLOCK;
}

void gemm_run(const struct gemm_family *family, const struct local_matrix *matrix,
              const struct local_rows *rows, const struct local_output *output, size_t first,
              size_t last)
{
    _Alignas(64) union gemm_sums sums[2];
    size_t width = family->width;
    size_t panel_bytes = gemm_panel_bytes(matrix->precision, width, matrix->n_in);
    size_t n_blocks = 1 + rows->n_rows * gemm_row_bytes(matrix->precision, rows) / block_bytes();
    struct gemm_tile tile = {.matrix = matrix, .rows = rows, .sums = &sums[0]};
    struct gemm_tile before = {.n_rows = 0, .sums = &sums[1]};
    for (size_t block = 0; block < n_blocks; block++) {
        size_t part[2] = {rows->n_rows * block / n_blocks, rows->n_rows * (block + 1) / n_blocks};
        for (size_t panel = first; panel < last; panel++) {
            tile.panel = (const unsigned char *)matrix->panels + panel * panel_bytes;
            tile.column = panel * width;
            size_t left = matrix->n_out - tile.column;
            tile.n_columns = left < width ? left : width;
            run_panel(family, &tile, &before, output, part,
                      panel + 1 < last ? tile.panel + panel_bytes : matrix->next);
        }
    }
    if (before.n_rows > 0) finish(family, &before, output);
    if (family->end != NULL) family->end();
}

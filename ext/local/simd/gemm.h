/*
 * gemm.h: the loop over tiles that gemm of all families shares, and what a family adds to it.
 * Internal to them.
 *
 * It goes panel by panel. A panel stays in the second level cache while all rows of a block
 * meet it, some at a time: a tile is what one pass over a panel gives, at most GEMM_ROWS rows times
 * the width of a panel. A family sums a tile up in registers, then stores it: scales, bias, and the
 * activation, which finds it still in the first level cache. (Goto, van de Geijn: Anatomy of
 * High-Performance Matrix Multiplication, ACM TOMS 34, 2008; here rows are few enough to be read
 * where they are.)
 */
#ifndef LOCAL_SIMD_GEMM_H
#define LOCAL_SIMD_GEMM_H

#include <stddef.h>
#include <stdint.h>

#include "base/processor.h"
#include "base/rounding.h"
#include "local/simd/kernels.h"

#define GEMM_ROWS 32  /* of a tile, at most */
#define GEMM_WIDTH 32 /* of a panel, at most */

/* [n_rows][width]; of int8 whole: sums of code times code. */
union gemm_sums {
    float floats[GEMM_ROWS * GEMM_WIDTH];
    int32_t whole[GEMM_ROWS * GEMM_WIDTH];
};

struct gemm_tile {
    const struct local_matrix *matrix;
    const struct local_rows *rows;
    const unsigned char *panel;
    size_t row, n_rows;       /* 1 to the family's n_rows */
    size_t column, n_columns; /* of the output; n_columns at most the width */
    /* What shall be in the second level cache next, to be prefetched while the panel is read. */
    const unsigned char *ahead, *ahead_end;
    union gemm_sums *sums; /* at a multiple of 64 bytes */
    size_t prepared;       /* the family's own, from one tile to the next; 0 at first */
};

struct gemm_family {
    size_t width;
    size_t n_rows;                          /* of a tile at most */
    size_t row_step;                        /* that is a multiple of this, but for the last tile */
    void (*sum[3])(struct gemm_tile *tile); /* by precision */
    /* The sums in units of the output, plus bias, plus `residual` if that is not NULL, to `values`.
     * Both [n_rows, stride], of the tile alone; values may be the sums themselves. */
    void (*store)(const struct gemm_tile *tile, float *values, size_t stride,
                  const float *residual);
    void (*activate)(enum local_activation activation, float *values, size_t stride, size_t n_rows,
                     size_t n_columns);
    void (*end)(void); /* behind the last tile; or NULL */
};

/* As the gemm of struct local_kernels. */
void gemm_run(const struct gemm_family *family, const struct local_matrix *matrix,
              const struct local_rows *rows, const struct local_output *output, size_t first,
              size_t last);

/* Bytes from one row, or one panel, to the next. */
size_t gemm_row_bytes(enum local_precision precision, const struct local_rows *rows);
size_t gemm_panel_bytes(enum local_precision precision, size_t width, size_t n_in);

static inline const unsigned char *gemm_row(const struct gemm_tile *tile, size_t row)
{
    enum local_precision precision = tile->matrix->precision;
    const void *rows =
        precision == LOCAL_FLOAT32 ? (const void *)tile->rows->floats : tile->rows->codes;
    return (const unsigned char *)rows + (tile->row + row) * gemm_row_bytes(precision, tile->rows);
}

/* ---- conversions ----------------------------------------------------------------------------- */

/* To the nearest bfloat16, ties to even, of a finite number. */
static inline uint16_t gemm_bfloat16(float value)
{
    union {
        float value;
        uint32_t bits;
    } number = {value};
    return (uint16_t)((number.bits + 0x7FFF + (number.bits >> 16 & 1)) >> 16);
}

/* What a row from `low` (at most 0) to `high` (at least 0) is coded with: code = the nearest
 * whole number, ties to even, to value * inverse + zero, kept in 0..255. The same in every
 * family. */
struct gemm_range {
    float scale, inverse, zero;
};
struct gemm_range gemm_range(float low, float high);

/* How a family converts a row: to codes, which fill up to a multiple of 4, or to bfloat16, of 2. */
struct gemm_coder {
    struct gemm_range (*range_of)(const float *floats, size_t n);
    void (*code_row)(const float *floats, size_t n, struct gemm_range range, uint8_t *codes);
    void (*round_row)(const float *floats, size_t n, uint16_t *rounded);
};

/* As the convert of struct local_kernels. */
void gemm_convert(const struct gemm_coder *coder, enum local_precision precision,
                  const struct local_rows *rows, size_t first, size_t last);

/* Of all families by those names: what struct local_kernels has. */
#define LOCAL_GEMM_OF(family)                                                                      \
    void family##_convert(enum local_precision precision, const struct local_rows *rows,           \
                          size_t first, size_t last);                                              \
    void family##_gemm(const struct local_matrix *matrix, const struct local_rows *rows,           \
                       const struct local_output *output, size_t first, size_t last)

LOCAL_GEMM_OF(scalar);
#ifdef PROCESSOR_HAS_X86
LOCAL_GEMM_OF(avx2);
LOCAL_GEMM_OF(avx512);
/* Converted as by avx512. */
void avx512vnni_gemm(const struct local_matrix *matrix, const struct local_rows *rows,
                     const struct local_output *output, size_t first, size_t last);
void avx512bf16_gemm(const struct local_matrix *matrix, const struct local_rows *rows,
                     const struct local_output *output, size_t first, size_t last);
#ifdef PROCESSOR_MAY_HAVE_AMX
/* float32 as by avx512, whose conversions these are. */
void amx_gemm(const struct local_matrix *matrix, const struct local_rows *rows,
              const struct local_output *output, size_t first, size_t last);
/* The sums of its tiles: of up to 32 rows, of which 16 go together. */
void amx_sum_dot2(struct gemm_tile *tile);
void amx_sum_dot4(struct gemm_tile *tile);
void amx_end(void);
#endif
#endif
#if defined(__aarch64__)
LOCAL_GEMM_OF(neon);
/* Converted as by neon. */
void neondot_gemm(const struct local_matrix *matrix, const struct local_rows *rows,
                  const struct local_output *output, size_t first, size_t last);
#endif

#endif

/*
 * gemm_neon.c: tiles of up to 4 rows times 16 columns, for aarch64. Speed has not been measured on
 * real hardware.
 */
#if defined(__aarch64__)

#include "local/simd/gemm_neon.h"
#include "local/simd/gemm_lanes.h"

/* ---- with dot products ----------------------------------------------------------------------- */

/* As in vector/simd/kernels_neon.c: clang before 16 declares no vdotq_s32 for a function alone. */
#undef TARGET
#ifdef __clang__
#define TARGET __attribute__((target("dotprod")))
#else
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

DEFINE_ALL(DOT4)

/* What codes lack is 128 times the sum of a column's weights. */
TARGET static void sum_dot4(struct gemm_tile *tile)
{
    struct source source = source_of(tile, 4);
    sum_DOT4[tile->n_rows - 1](&source, tile->sums->floats);
    for (size_t half = 0; half < 2; half++) {
        lanes weights = load_line(tile->matrix->sums + tile->column + half * LANES);
        for (size_t r = 0; r < tile->n_rows; r++) {
            float *sums = tile->sums->floats + r * WIDTH + half * LANES;
            store_line(sums, minus_product(load_line(sums), -128, weights));
        }
    }
}

void neon_convert(enum local_precision precision, const struct local_rows *rows, size_t first,
                  size_t last)
{
    gemm_convert(&coder, precision, rows, first, last);
}

DEFINE_GEMM(neon, neon, sum_wide, sum_words)
DEFINE_GEMM(neondot, neon, sum_wide, sum_dot4)

#endif

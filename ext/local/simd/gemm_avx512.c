/*
 * gemm_avx512.c: tiles of up to 14 rows times 32 columns, for x86-64 with AVX-512 F, BW, DQ, VL;
 * with VNNI for int8, and with AVX512-BF16.
 */
#include "base/processor.h"

#ifdef PROCESSOR_HAS_X86

#include "local/simd/gemm_avx512.h"
#include "local/simd/gemm_lanes.h"

/* ---- with VNNI and BF16 ---------------------------------------------------------------------- */

DEFINE_ALL(DOT2)
DEFINE_ALL(DOT4)

TARGET static void sum_dot2(struct gemm_tile *tile)
{
    struct source source = source_of(tile, 2);
    sum_DOT2[tile->n_rows - 1](&source, tile->sums->floats);
}

TARGET static void sum_dot4(struct gemm_tile *tile)
{
    struct source source = source_of(tile, 4);
    sum_DOT4[tile->n_rows - 1](&source, tile->sums->floats);
}

void avx512_convert(enum local_precision precision, const struct local_rows *rows, size_t first,
                    size_t last)
{
    gemm_convert(&coder, precision, rows, first, last);
}

DEFINE_GEMM(avx512, avx512, sum_wide, sum_words)
DEFINE_GEMM(avx512vnni, avx512, sum_wide, sum_dot4)
DEFINE_GEMM(avx512bf16, avx512, sum_dot2, sum_dot4)

#ifdef PROCESSOR_MAY_HAVE_AMX
void amx_gemm(const struct local_matrix *matrix, const struct local_rows *rows,
              const struct local_output *output, size_t first, size_t last)
{
    static const struct gemm_family family = {
        .width = WIDTH,
        .n_rows = 32,
        .row_step = 16,
        .sum = {NULL, amx_sum_dot2, amx_sum_dot4},
        .store = store_tile,
        .activate = avx512_activate,
        .end = amx_end,
    };
    if (matrix->precision == LOCAL_FLOAT32) avx512_gemm(matrix, rows, output, first, last);
    else gemm_run(&family, matrix, rows, output, first, last);
}
#endif

#endif

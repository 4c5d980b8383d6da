/*
 * gemm_avx2.c: tiles of up to 6 rows times 16 columns, for x86-64 with AVX2 and FMA.
 */
#include "base/processor.h"

#ifdef PROCESSOR_HAS_X86

#include "local/simd/gemm_avx2.h"
#include "local/simd/gemm_lanes.h"

void avx2_convert(enum local_precision precision, const struct local_rows *rows, size_t first,
                  size_t last)
{
    gemm_convert(&coder, precision, rows, first, last);
}

DEFINE_GEMM(avx2, avx2, sum_wide, sum_words)

#endif

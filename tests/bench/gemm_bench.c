/*
 * gemm_bench.c: how near the products of an encoder come to what a core can do, by one thread.
 *
 *     gemm_bench [FAMILY]      (the one in use, by default)
 *
 * First the peak: multiplications and additions a second with all operands in registers, of the
 * widest instructions for float32, bfloat16 and int8 that the family has (of AVX-512 and AMX). Then
 * for each shape and precision the product of n_rows activations with weights [n_out, n_in], the
 * conversion of the rows included: Gop/s (2 n_rows n_out n_in operations), and the share of that
 * peak. The best of 7 rounds of 30 ms or more: what the machine does beside it only takes away. 24
 * matrices are used in turn where few rows meet them, as the layers of a model are: they come from
 * the memory, whose speed (GB/s of weights) is the bound then.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/pages.h"
#include "local/matrix.h"
#include "local/simd/gemm.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define ROUNDS 100
#define ROUND_SECONDS 0.002
#define MOST_ROWS 512
#define MOST_INPUTS 3072
#define MATRICES 24

static const char *const precisions[] = {"float32", "bfloat16", "int8"};
static double peaks[3]; /* operations a second */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- peak ------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
#define EACH_16(DO)                                                                                \
    DO(0)                                                                                          \
    DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define ZMM(n) "%%zmm" #n
#define CLEAR(n) __asm__ volatile("vpxord %%zmm" #n ", %%zmm" #n ", %%zmm" #n ::: "xmm" #n);
#define LOOP_512(name, instruction)                                                                \
    __attribute__((target("avx512f"))) static void name(long n)                                    \
    {                                                                                              \
        EACH_16(CLEAR)                                                                             \
        __asm__ volatile(                                                                          \
            "1:\n" instruction " %%zmm15, %%zmm14, %%zmm0\n" instruction                           \
            " %%zmm15, %%zmm14, %%zmm1\n" instruction " %%zmm15, %%zmm14, %%zmm2\n" instruction    \
            " %%zmm15, %%zmm14, %%zmm3\n" instruction " %%zmm15, %%zmm14, %%zmm4\n" instruction    \
            " %%zmm15, %%zmm14, %%zmm5\n" instruction " %%zmm15, %%zmm14, %%zmm6\n" instruction    \
            " %%zmm15, %%zmm14, %%zmm7\n" instruction " %%zmm15, %%zmm14, %%zmm8\n" instruction    \
            " %%zmm15, %%zmm14, %%zmm9\n" instruction " %%zmm15, %%zmm14, %%zmm10\n" instruction   \
            " %%zmm15, %%zmm14, %%zmm11\n"                                                         \
            "dec %0\njnz 1b"                                                                       \
            : "+r"(n)::"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",     \
              "xmm9", "xmm10", "xmm11", "xmm14", "xmm15", "cc");                                   \
    }
LOOP_512(loop_float32, "vfmadd231ps")
LOOP_512(loop_bfloat16, "vdpbf16ps")
LOOP_512(loop_int8, "vpdpbusd")
#endif

#ifdef LOCAL_HAS_AMX
#define TILES __attribute__((target("amx-tile,amx-int8,amx-bf16")))

/* All eight registers of 16 lines of 64 bytes. */
TILES static void load_tiles(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t line_bytes[16];
        uint8_t n_rows[16];
    } config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.line_bytes[i] = 64;
        config.n_rows[i] = 16;
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config));
}

TILES static void loop_tiles_bfloat16(long n)
{
    load_tiles();
    for (; n > 0; n -= 4) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
}

TILES static void loop_tiles_int8(long n)
{
    load_tiles();
    for (; n > 0; n -= 4) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_release();
}
#endif

static double peak(void (*loop)(long n), double operations)
{
    double best = 0.0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now();
        loop(200000);
        double rate = 2e5 * operations / (now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

/* Those that the family has no instructions for stay 0. */
static void measure_peaks(const char *family)
{
    int is_amx = strcmp(family, "amx") == 0, is_bfloat16 = strcmp(family, "avx512bf16") == 0;
#if defined(__x86_64__)
    if (strncmp(family, "avx512", 6) == 0 || is_amx) peaks[0] = peak(loop_float32, 12 * 32);
    if (is_bfloat16) peaks[1] = peak(loop_bfloat16, 12 * 64);
    if (is_bfloat16 || strcmp(family, "avx512vnni") == 0) peaks[2] = peak(loop_int8, 12 * 128);
#endif
#ifdef LOCAL_HAS_AMX
    if (is_amx) peaks[1] = peak(loop_tiles_bfloat16, 2 * 16 * 16 * 32);
    if (is_amx) peaks[2] = peak(loop_tiles_int8, 2 * 16 * 16 * 64);
#endif
    for (int i = 0; i < 3; i++) printf("peak %-10s %7.1f Gop/s\n", precisions[i], peaks[i] * 1e-9);
}

/* ---- products -------------------------------------------------------------------------------- */

static float *activations, *values, *weights;
static unsigned char *memory, *codes;

static void fill(float *floats, size_t n)
{
    uint32_t number = 1;
    for (size_t i = 0; i < n; i++) {
        number = number * 1664525u + 1013904223u;
        floats[i] = (float)(number >> 8) * 0x1p-23f - 1.0f;
    }
}

static double measure(const struct local_kernels *kernels, enum local_precision precision, size_t m,
                      size_t n_out, size_t n_in, size_t n_matrices)
{
    struct local_matrix matrices[MATRICES];
    size_t bytes = local_matrix_bytes(kernels, precision, n_out, n_in);
    for (size_t i = 0; i < n_matrices; i++) {
        local_matrix_init(matrices + i, kernels, precision, n_out, n_in, memory + i * bytes);
        local_matrix_pack(matrices + i, kernels, 0, n_out, weights);
    }
    struct local_rows rows;
    struct local_output output = {values, n_out, LOCAL_IDENTITY, NULL};
    local_rows_init(&rows, precision, m, n_in, activations, local_row_stride(n_in), codes);
    double best = 1e9;
    size_t next = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now(), passed = 0.0;
        long n = 0;
        for (; passed < ROUND_SECONDS; passed = now() - start, n++) {
            const struct local_matrix *matrix = matrices + next++ % n_matrices;
            kernels->convert(precision, &rows, 0, m);
            kernels->gemm(matrix, &rows, &output, 0, matrix->n_panels);
        }
        if (passed / (double)n < best) best = passed / (double)n;
    }
    return best;
}

/* Gop/s and the share of the peak, or of weights from the memory the GB/s. */
static void report(const struct local_kernels *kernels, size_t m, const size_t shape[2],
                   size_t n_matrices)
{
    printf("%5zu x %5zu x %5zu ", m, shape[0], shape[1]);
    for (int p = 0; p < 3; p++) {
        double t = measure(kernels, (enum local_precision)p, m, shape[0], shape[1], n_matrices);
        double rate = 2.0 * (double)(m * shape[0] * shape[1]) / t;
        size_t bytes = local_matrix_bytes(kernels, (enum local_precision)p, shape[0], shape[1]);
        printf(" %7.1f ", rate * 1e-9);
        if (n_matrices > 1) printf("%5.1fGB/s", (double)bytes / t * 1e-9);
        else if (peaks[p] > 0) printf("%5.1f%%", 100 * rate / peaks[p]);
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static const size_t shapes[][2] = {{2304, 768}, {768, 768}, {3072, 768}, {768, 3072},
                                       {1152, 384}, {384, 384}, {1536, 384}, {384, 1536}};
    static const size_t few[] = {1, 5, 12, 20}, many[] = {128, 512};
    const struct local_kernels *kernels = local_kernels_chosen();
    if (argc > 1)
        for (size_t i = 0; local_kernels_at(i) != NULL; i++)
            if (strcmp(local_kernels_at(i)->name, argv[1]) == 0 &&
                local_kernels_runs(local_kernels_at(i)))
                kernels = local_kernels_at(i);
    printf("%s\n", kernels->name);
    measure_peaks(kernels->name);
    activations = pages_alloc(pages_round(MOST_ROWS * (MOST_INPUTS + 16) * 4));
    values = pages_alloc(pages_round(MOST_ROWS * MOST_INPUTS * 4));
    weights = pages_alloc(pages_round(768 * MOST_INPUTS * 4));
    codes = pages_alloc(pages_round(MOST_ROWS * MOST_INPUTS * 4));
    memory = pages_alloc(pages_round((size_t)MATRICES * (768 * MOST_INPUTS * 4 + 65536)));
    fill(activations, MOST_ROWS * (MOST_INPUTS + 16));
    fill(weights, 768 * MOST_INPUTS);
    for (size_t s = 0; s < 8; s++)
        for (size_t r = 0; r < 2; r++) report(kernels, many[r], shapes[s], 1);
    for (size_t s = 0; s < 8; s += 2)
        for (size_t r = 0; r < 4; r++) report(kernels, few[r], shapes[s], MATRICES);
    return 0;
}

/*
 * distance_bench.c: nanoseconds a vector, for each family of kernels that this machine runs.
 *
 * A query meets 64 vectors that lie one behind the other in the cache, over and over; the figure is
 * the median of 15 rounds of 2 ms or more. "ratio" is the scalar family's time over this one's.
 * "bounds" and "encode" are whole calls of the family in use (RERANK_SIMD), as is "rotate".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vector/simd/kernels.h"
#include "vector/quantize.h"
#include "vector/rotate.h"

#define VECTORS 64
#define LARGEST 1024
#define ROUNDS 15

static _Alignas(64) float floats[VECTORS * LARGEST], query[LARGEST];
static float results[VECTORS], heads[3][VECTORS];
static int32_t counts[VECTORS];
static _Alignas(64) int16_t whole[LARGEST];
static _Alignas(64) int8_t high[LARGEST], low[LARGEST], bytes[VECTORS * LARGEST];
static _Alignas(64) uint64_t planes[LARGEST / 64][VECTOR_PLANE_WORDS];
static struct vector_code_query *prepared[2]; /* VECTOR_INT8, VECTOR_BIT */
static volatile double sink;

static struct vector_rounded rounded_query(size_t n)
{
    return (struct vector_rounded){whole, high, low, planes[0], n};
}

/* One pass over all vectors. */
static void run_dot(const struct vector_kernels *kernels, size_t n)
{
    for (size_t i = 0; i < VECTORS; i++) sink = kernels->dot(query, floats + i * n, n);
}

static void run_dots(const struct vector_kernels *kernels, size_t n)
{
    kernels->dots(query, floats, VECTORS, n, results);
}

static void run_squared_l2(const struct vector_kernels *kernels, size_t n)
{
    for (size_t i = 0; i < VECTORS; i++) sink = kernels->squared_l2(query, floats + i * n, n);
}

static void run_sums(const struct vector_kernels *kernels, size_t n)
{
    for (size_t i = 0; i < VECTORS; i++) sink = kernels->sums(query, floats + i * n, n).ab;
}

static void run_dots_int8(const struct vector_kernels *kernels, size_t n)
{
    struct vector_rounded rounded = rounded_query(n);
    kernels->dots_int8(&rounded, bytes, VECTORS, results);
}

static void run_sums_of_bits(const struct vector_kernels *kernels, size_t n)
{
    struct vector_rounded rounded = rounded_query(n);
    kernels->sums_of_bits(&rounded, (const uint8_t *)bytes, VECTORS, counts);
}

static void run_hamming(const struct vector_kernels *kernels, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < VECTORS; i++)
        sum += kernels->hamming(query, (const char *)floats + i * n / 8, n / 8);
    sink = (double)sum;
}

static void run_bounds(enum vector_code kind)
{
    struct vector_codes codes = {heads[0], heads[1], heads[2], bytes, VECTORS};
    vector_code_bounds(prepared[kind], &codes, &(struct vector_code_bound){1.0f, 1.0f, 1.0f},
                       results);
}

static void run_bounds_int8(const struct vector_kernels *kernels, size_t n)
{
    (void)kernels, (void)n;
    run_bounds(VECTOR_INT8);
}

static void run_bounds_bit(const struct vector_kernels *kernels, size_t n)
{
    (void)kernels, (void)n;
    run_bounds(VECTOR_BIT);
}

static void run_encode(enum vector_code kind, size_t n)
{
    struct vector_code_head head;
    unsigned char components[LARGEST];
    for (size_t i = 0; i < VECTORS; i++) {
        vector_code_encode(kind, VECTOR_DOT, floats + i * n, query, n, &head, components);
        sink = (double)head.scale;
    }
}

static void run_encode_int8(const struct vector_kernels *kernels, size_t n)
{
    (void)kernels;
    run_encode(VECTOR_INT8, n);
}

static void run_encode_bit(const struct vector_kernels *kernels, size_t n)
{
    (void)kernels;
    run_encode(VECTOR_BIT, n);
}

static void run_rotate(const struct vector_kernels *kernels, size_t n)
{
    (void)kernels;
    for (size_t i = 0; i < VECTORS; i++) vector_rotate(floats + i * n, n);
}

static const struct {
    const char *name;
    void (*run)(const struct vector_kernels *kernels, size_t n);
    int of_chosen; /* not of each family */
} loops[] = {{"dot", run_dot, 0},
             {"dots", run_dots, 0},
             {"squared_l2", run_squared_l2, 0},
             {"cosine", run_sums, 0},
             {"dots_int8", run_dots_int8, 0},
             {"sums_of_bits", run_sums_of_bits, 0},
             {"hamming", run_hamming, 0},
             {"bounds int8", run_bounds_int8, 1},
             {"bounds bit", run_bounds_bit, 1},
             {"encode int8", run_encode_int8, 1},
             {"encode bit", run_encode_bit, 1},
             {"rotate", run_rotate, 1}};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double measure(size_t loop, const struct vector_kernels *kernels, size_t n)
{
    double times[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double start = now(), passed = 0.0;
        long vectors = 0;
        for (; passed < 2e6; passed = now() - start, vectors += VECTORS)
            loops[loop].run(kernels, n);
        times[round] = passed / (double)vectors;
    }
    qsort(times, ROUNDS, sizeof times[0], compare);
    return times[ROUNDS / 2];
}

static void print(size_t loop, const struct vector_kernels *kernels, size_t n, double *scalar)
{
    double time = measure(loop, kernels, n);
    if (kernels == &vector_kernels_scalar) *scalar = time;
    printf("%-12s %10zu %-10s %10.1f", loops[loop].name, n, kernels->name, time);
    if (loops[loop].of_chosen) printf("\n");
    else printf(" %6.1f\n", *scalar / time);
}

static void print_all(size_t loop, size_t n)
{
    static const char *const families[] = {"scalar",     "avx2", "avx512",
                                           "avx512vnni", "neon", "neondot"};
    double scalar = 0.0;
    if (loops[loop].of_chosen) {
        print(loop, vector_kernels_chosen(), n, &scalar);
        return;
    }
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        const struct vector_kernels *kernels = vector_kernels_find(families[f]);
        if (kernels != NULL) print(loop, kernels, n, &scalar);
    }
}

static void fill(void)
{
    uint32_t number = 1;
    for (size_t i = 0; i < VECTORS * LARGEST; i++) {
        number = number * 1664525u + 1013904223u;
        floats[i] = (float)(number >> 8) * 0x1p-23f - 1.0f;
        bytes[i] = (int8_t)(number >> 24);
    }
    memcpy(query, floats + LARGEST, sizeof query);
    memcpy(planes, floats, sizeof planes);
    for (size_t i = 0; i < LARGEST / 64; i++) planes[i][6] = planes[i][7] = 0;
    memcpy(high, bytes, sizeof high);
    memcpy(low, bytes + LARGEST, sizeof low);
    memcpy(whole, floats, sizeof whole);
    for (size_t i = 0; i < LARGEST; i++) whole[i] = (int16_t)(whole[i] % 16000);
}

int main(void)
{
    static const size_t dimensions[] = {384, 768, 1024};
    fill();
    printf("%-12s %10s %-10s %10s %6s\n", "kernel", "dimensions", "family", "ns/vector", "ratio");
    for (size_t loop = 0; loop < sizeof loops / sizeof loops[0]; loop++) {
        for (size_t d = 0; d < 3; d++) {
            for (int kind = 0; kind < 2; kind++) {
                vector_code_query_free(prepared[kind]);
                if (vector_code_query_new((enum vector_code)kind, query, dimensions[d],
                                          &prepared[kind], NULL) != 0)
                    return 1;
            }
            print_all(loop, dimensions[d]);
        }
    }
    vector_code_query_free(prepared[0]);
    vector_code_query_free(prepared[1]);
    return 0;
}

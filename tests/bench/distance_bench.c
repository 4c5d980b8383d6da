/*
 * distance_bench.c: nanoseconds a vector, for each family of kernels that this machine runs.
 *
 * A query meets 64 vectors that lie one behind the other in the cache, over and over; the figure is
 * the median of 15 rounds of 2 ms or more. "ratio" is the scalar family's time over this one's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vector/kernels.h"

#define VECTORS 64
#define LARGEST 1024
#define ROUNDS 15

static float floats[VECTORS * LARGEST], query[LARGEST];
static uint64_t planes[LARGEST / 64][VECTOR_PLANES];
static volatile double sink;

static void run_dot(const struct vector_kernels *kernels, size_t i, size_t n)
{
    sink = kernels->dot(query, floats + i * n, n);
}

static void run_squared_l2(const struct vector_kernels *kernels, size_t i, size_t n)
{
    sink = kernels->squared_l2(query, floats + i * n, n);
}

static void run_sums(const struct vector_kernels *kernels, size_t i, size_t n)
{
    sink = kernels->sums(query, floats + i * n, n).ab;
}

static void run_dot_int8(const struct vector_kernels *kernels, size_t i, size_t n)
{
    sink = kernels->dot_int8((const int8_t *)query, (const int8_t *)floats + i * n, n);
}

static void run_sum_of_bits(const struct vector_kernels *kernels, size_t i, size_t n)
{
    sink = kernels->sum_of_bits(planes[0], (const uint8_t *)floats + i * n / 8, n / 8);
}

static const struct {
    const char *name;
    void (*run)(const struct vector_kernels *kernels, size_t i, size_t n);
} loops[] = {{"dot", run_dot},
             {"squared_l2", run_squared_l2},
             {"cosine", run_sums},
             {"dot_int8", run_dot_int8},
             {"sum_of_bits", run_sum_of_bits}};

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
            for (size_t i = 0; i < VECTORS; i++) loops[loop].run(kernels, i, n);
        times[round] = passed / (double)vectors;
    }
    qsort(times, ROUNDS, sizeof times[0], compare);
    return times[ROUNDS / 2];
}

int main(void)
{
    static const char *const families[] = {"scalar", "avx2", "avx512", "neon"};
    static const size_t dimensions[] = {384, 768, 1024};
    uint32_t number = 1;
    for (size_t i = 0; i < VECTORS * LARGEST; i++) {
        number = number * 1664525u + 1013904223u;
        floats[i] = (float)(number >> 8) * 0x1p-23f - 1.0f;
    }
    memcpy(query, floats + LARGEST, sizeof query);
    memcpy(planes, floats, sizeof planes);
    printf("%-12s %10s %-8s %10s %6s\n", "kernel", "dimensions", "family", "ns/vector", "ratio");
    for (size_t loop = 0; loop < sizeof loops / sizeof loops[0]; loop++) {
        for (size_t d = 0; d < 3; d++) {
            double scalar = 0.0;
            for (size_t f = 0; f < 4; f++) {
                const struct vector_kernels *kernels = vector_kernels_find(families[f]);
                if (kernels == NULL) continue;
                double time = measure(loop, kernels, dimensions[d]);
                if (f == 0) scalar = time;
                printf("%-12s %10zu %-8s %10.1f %6.1f\n", loops[loop].name, dimensions[d],
                       kernels->name, time, scalar / time);
            }
        }
    }
    return 0;
}

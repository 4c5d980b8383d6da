/*
 * read_bench.c: milliseconds that memory takes to give its bytes, the floor of every scan.
 *
 * Usage: read_bench [THREADS [BYTES...]]; without arguments two threads, and the float32 vectors of
 * 100,000 x 384 and x 768. Each thread sums the 64-bit words of its part of a buffer; the figure is
 * the median of many passes.
 */
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define MAX_THREADS 64
#define MAX_PASSES 200
#define MAX_MS 2000.0
#define LANES 64

struct part {
    const uint64_t *words;
    size_t n;
    uint64_t sum;
};

static volatile uint64_t sink;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Many sums side by side: compilers make vectors of them, and no addition waits for another. */
static void *sum_part(void *argument)
{
    struct part *part = argument;
    uint64_t sums[LANES] = {0};
    for (size_t i = 0; i + LANES <= part->n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++) sums[lane] += part->words[i + lane];
    for (size_t lane = 0; lane < LANES; lane++) part->sum += sums[lane];
    return NULL;
}

static double read_once(const uint64_t *words, size_t n, size_t threads)
{
    struct part parts[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    double start = now();
    for (size_t i = 0; i < threads; i++) {
        size_t begin = n / LANES * i / threads * LANES, end = n / LANES * (i + 1) / threads * LANES;
        parts[i] = (struct part){words + begin, end - begin, 0};
        if (i > 0 && pthread_create(&ids[i], NULL, sum_part, &parts[i]) != 0) {
            fprintf(stderr, "read_bench: no thread\n");
            exit(1);
        }
    }
    sum_part(&parts[0]);
    for (size_t i = 1; i < threads; i++) pthread_join(ids[i], NULL);
    for (size_t i = 0; i < threads; i++) sink += parts[i].sum;
    return now() - start;
}

static int measure(size_t bytes, size_t threads)
{
    double times[MAX_PASSES], passed = 0.0;
    size_t n_times = 0;
    void *buffer = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) {
        fprintf(stderr, "read_bench: no memory for %zu bytes\n", bytes);
        return 1;
    }
#ifdef MADV_HUGEPAGE
    madvise(buffer, bytes, MADV_HUGEPAGE);
#endif
    memset(buffer, 1, bytes);
    read_once(buffer, bytes / sizeof(uint64_t), threads);
    while (n_times < MAX_PASSES && (passed < MAX_MS || n_times < 11)) {
        times[n_times] = read_once(buffer, bytes / sizeof(uint64_t), threads);
        passed += times[n_times++];
    }
    munmap(buffer, bytes);
    qsort(times, n_times, sizeof times[0], compare);
    double median = times[n_times / 2];
    printf("%12zu %8zu %10.3f %8.1f\n", bytes, threads, median, (double)bytes / median * 1e-6);
    return 0;
}

int main(int argc, char **argv)
{
    static const size_t usual[] = {153600000, 307200000};
    size_t threads = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 2;
    int failed = 0;
    if (threads < 1 || threads > MAX_THREADS) {
        fprintf(stderr, "read_bench: expected 1 to %d threads\n", MAX_THREADS);
        return 2;
    }
    printf("%12s %8s %10s %8s\n", "bytes read", "threads", "ms", "GB/s");
    if (argc <= 2)
        for (size_t i = 0; i < 2; i++) failed |= measure(usual[i], threads);
    for (int i = 2; i < argc; i++) failed |= measure((size_t)strtoull(argv[i], NULL, 10), threads);
    return failed;
}

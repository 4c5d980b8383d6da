/*
 * layer_bench.c: activations, normalisation and attention of an encoder, for each family of layer
 * kernels that this machine runs, on one thread.
 *
 * Values lie in the second-level cache; an attention's head lies between others as it does in a
 * projection of 12 heads, and all queries of a text are one call. The figure is the median of 15
 * rounds of 2 ms or more of the thread's processor time. A multiplication and an addition are two
 * operations (FLOP); the softmax counts for none. "rounded": the attention of models that are not
 * float32, where it is another one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "local/simd/kernels.h"

#define ROUNDS 15
#define ROWS 64
#define LARGEST_ROW 1024
#define LARGEST_TEXT 512
#define HEADS 12
#define LARGEST_HEAD 64
#define SCRATCH (1 << 20)

static _Alignas(64) float values[ROWS * LARGEST_ROW], original[ROWS * LARGEST_ROW];
static _Alignas(64) float weight[LARGEST_ROW], bias[LARGEST_ROW];
static _Alignas(64) float projections[LARGEST_TEXT * 3 * HEADS * LARGEST_HEAD];
static _Alignas(64) float output[LARGEST_TEXT * HEADS * LARGEST_HEAD];
static _Alignas(64) float scratch[SCRATCH];

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct work {
    const struct local_kernels *kernels;
    void (*run)(const struct work *work);
    enum local_activation activation;
    size_t n, head_size;
    int in_place; /* the values must be put back before each run */
};

/* Nanoseconds a run. */
static double measure(const struct work *work)
{
    double times[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double passed = 0.0;
        long runs = 0;
        for (; passed < 2e6; runs++) {
            if (work->in_place) memcpy(values, original, sizeof values);
            double start = now();
            for (int i = 0; i < (work->in_place ? 1 : 8); i++) work->run(work);
            passed += now() - start;
        }
        times[round] = passed / (double)(work->in_place ? runs : 8 * runs);
    }
    qsort(times, ROUNDS, sizeof times[0], compare);
    return times[ROUNDS / 2];
}

static void run_activate(const struct work *work)
{
    work->kernels->activate(work->activation, values, work->n, ROWS, work->n);
}

static void run_layer_norm(const struct work *work)
{
    work->kernels->layer_norm(values, ROWS, work->n, weight, bias, 1e-12f);
}

static void attend(const struct work *work,
                   void (*attention_by)(const struct local_attention *attention))
{
    size_t hidden = HEADS * work->head_size, head = 3 * work->head_size;
    struct local_attention attention = {.queries = projections + head,
                                        .keys = projections + hidden + head,
                                        .values = projections + 2 * hidden + head,
                                        .stride = 3 * hidden,
                                        .n_tokens = work->n,
                                        .head_size = work->head_size,
                                        .n_queries = work->n,
                                        .scale = 0.2f,
                                        .output = output + head,
                                        .output_stride = hidden,
                                        .scratch = scratch};
    attention_by(&attention);
}

static void run_attention(const struct work *work)
{
    attend(work, work->kernels->attention);
}

static void run_rounded(const struct work *work)
{
    attend(work, work->kernels->attention_rounded);
}

static void bench_values(const struct local_kernels *kernels)
{
    static const struct {
        const char *name;
        enum local_activation activation;
    } activations[] = {{"gelu", LOCAL_GELU},
                       {"gelu_tanh", LOCAL_GELU_TANH},
                       {"tanh", LOCAL_TANH},
                       {"sigmoid", LOCAL_SIGMOID},
                       {"relu", LOCAL_RELU}};
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
        struct work work = {kernels, run_activate, activations[i].activation, 1024, 0, 1};
        printf("%-10s %-10s %6zu %6s %10.3f ns/value\n", kernels->name, activations[i].name, work.n,
               "", measure(&work) / (double)(ROWS * work.n));
    }
    static const size_t rows[] = {384, 768, 1024};
    for (size_t i = 0; i < 3; i++) {
        struct work work = {kernels, run_layer_norm, LOCAL_IDENTITY, rows[i], 0, 1};
        printf("%-10s %-10s %6zu %6s %10.3f ns/value\n", kernels->name, "layer_norm", work.n, "",
               measure(&work) / (double)(ROWS * work.n));
    }
}

static void bench_attention(const struct local_kernels *kernels, const char *name,
                            void (*run)(const struct work *work))
{
    static const size_t shapes[][2] = {{18, 32}, {83, 32}, {83, 64}, {512, 64}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct work work = {kernels, run, LOCAL_IDENTITY, shapes[i][0], shapes[i][1], 0};
        if (kernels->attention_scratch(work.n, work.head_size) > SCRATCH) continue;
        double time = measure(&work), n = (double)work.n;
        printf("%-10s %-10s %6zu %6zu %10.1f GFLOP/s %10.2f us\n", kernels->name, name, work.n,
               work.head_size, 4.0 * n * n * (double)work.head_size / time, time / 1e3);
    }
}

/* Of tables that share their layers, the first that runs stands for all. */
static int seen_before(size_t n)
{
    const struct local_kernels *kernels = local_kernels_at(n);
    for (size_t i = 0; i < n; i++)
        if (local_kernels_runs(local_kernels_at(i)) &&
            local_kernels_at(i)->attention == kernels->attention)
            return 1;
    return 0;
}

static void fill(float *numbers, size_t n, float spread)
{
    static uint32_t number = 1;
    for (size_t i = 0; i < n; i++) {
        number = number * 1664525u + 1013904223u;
        numbers[i] = spread * ((float)(number >> 8) * 0x1p-23f - 1.0f);
    }
}

int main(void)
{
    fill(original, sizeof original / sizeof original[0], 4.0f);
    fill(projections, sizeof projections / sizeof projections[0], 2.0f);
    fill(weight, LARGEST_ROW, 1.0f);
    fill(bias, LARGEST_ROW, 1.0f);
    printf("%-10s %-10s %6s %6s %10s\n", "family", "kernel", "n", "head", "time");
    for (size_t i = 0; local_kernels_at(i) != NULL; i++) {
        if (!local_kernels_runs(local_kernels_at(i)) || seen_before(i)) continue;
        bench_values(local_kernels_at(i));
        bench_attention(local_kernels_at(i), "attention", run_attention);
        if (local_kernels_at(i)->attention_rounded != local_kernels_at(i)->attention)
            bench_attention(local_kernels_at(i), "rounded", run_rounded);
    }
    return 0;
}

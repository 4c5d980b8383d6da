/*
 * Activations and normalisation of every family, against double precision. What is read
 * and written lies in allocations of just its size, before a page that faults.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/oracle.h"
#include "local/families.h"
#include "local/guarded.h"
#include "local/simd/layers.h"
#include "local/oracle_activation.h"
#include "vector/random.h"

/* ---- activations ----------------------------------------------------------------------------- */

static double bound(enum local_activation activation, double x)
{
    double larger = fabs(x) > 1 ? fabs(x) : 1;
    if (activation == LOCAL_IDENTITY || activation == LOCAL_RELU) return 0.0;
    if (activation == LOCAL_ROUGH_GELU) return 1.1e-4 * larger;
    return activation == LOCAL_GELU || activation == LOCAL_GELU_TANH ? 2e-7 * larger : 2e-7;
}

#define LAST_ACTIVATION LOCAL_SIGMOID
#define CHUNK 4096

/* Every 4799th float from -100 to 100, from the smallest on. */
static void try_values(const struct local_kernels *kernels, enum local_activation activation)
{
    static float x[CHUNK], y[CHUNK];
    const uint32_t end = 0x42C80000u; /* 100 */
    uint32_t bits = 0;
    while (bits < end) {
        for (size_t i = 0; i < CHUNK; i += 2, bits += 4799) {
            uint32_t positive = bits < end ? bits : end;
            memcpy(&x[i], &positive, sizeof x[i]);
            x[i + 1] = -x[i];
        }
        memcpy(y, x, sizeof y);
        kernels->activate(activation, y, CHUNK, 1, CHUNK);
        for (size_t i = 0; i < CHUNK; i++) {
            double error = fabs((double)y[i] - exact_activation(activation, (double)x[i]));
            if (!(error <= bound(activation, (double)x[i])))
                fail_msg("%s: activation %d of %a is %a, %g off", kernels->name, (int)activation,
                         (double)x[i], (double)y[i], error);
        }
    }
}

/* What a value far out gives: x itself or nothing, one or zero, never NaN. */
static void try_far_values(const struct local_kernels *kernels, enum local_activation activation)
{
    static const float far[] = {1e3f, 1e10f, 1e30f, FLT_MAX};
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        float y[20], saturated = activation >= LOCAL_TANH ? 1.0f : far[i];
        float low = activation == LOCAL_TANH       ? -1.0f
                    : activation == LOCAL_IDENTITY ? -far[i]
                                                   : 0.0f;
        for (size_t j = 0; j < 20; j++) y[j] = j % 2 == 0 ? far[i] : -far[i];
        kernels->activate(activation, y, 20, 1, 20);
        for (size_t j = 0; j < 20; j++) assert_true(y[j] == (j % 2 == 0 ? saturated : low));
    }
}

static void try_not_finite(const struct local_kernels *kernels, enum local_activation activation)
{
    float y[20];
    for (size_t i = 0; i < 20; i++) y[i] = i % 3 == 1 ? NAN : (float)i;
    kernels->activate(activation, y, 20, 1, 20);
    for (size_t i = 0; i < 20; i++) assert_int_equal(isnan(y[i]) != 0, i % 3 == 1);
    if (activation == LOCAL_GELU_TANH) return; /* -infinity times 0 */
    for (size_t i = 0; i < 20; i++) y[i] = i % 2 == 0 ? INFINITY : -INFINITY;
    kernels->activate(activation, y, 20, 1, 20);
    int is_gelu = activation == LOCAL_GELU || activation == LOCAL_ROUGH_GELU;
    if (is_gelu && strcmp(kernels->name, "scalar") == 0) return; /* as in PyTorch */
    for (size_t i = 0; i < 20; i++) assert_true(!isnan(y[i]));
}

static void try_activations(const struct local_kernels *kernels)
{
    for (int activation = LOCAL_IDENTITY; activation <= LAST_ACTIVATION; activation++) {
        try_values(kernels, (enum local_activation)activation);
        try_far_values(kernels, (enum local_activation)activation);
        try_not_finite(kernels, (enum local_activation)activation);
    }
}

/* A value's result is the same wherever it stands; what is between the rows stays. */
static void try_shapes(const struct local_kernels *kernels)
{
    for (int activation = LOCAL_IDENTITY; activation <= LAST_ACTIVATION; activation++) {
        for (size_t n = 1; n <= 70; n++) {
            size_t stride = n + n % 5, n_rows = 3, size = (n_rows - 1) * stride + n;
            struct guarded values = guard(size);
            uint64_t seed = n;
            for (size_t i = 0; i < size; i++) values.floats[i] = random_bell(&seed);
            struct guarded before = guard(size);
            memcpy(before.floats, values.floats, size * sizeof(float));
            kernels->activate((enum local_activation)activation, values.floats, stride, n_rows, n);
            for (size_t i = 0; i < size; i++) {
                float one = before.floats[i];
                if (i % stride < n)
                    kernels->activate((enum local_activation)activation, &one, 1, 1, 1);
                assert_memory_equal(&values.floats[i], &one, sizeof one);
            }
            unguard(&values);
            unguard(&before);
        }
    }
}

/* ---- normalisation --------------------------------------------------------------------------- */

ORACLE static double normalised(const float *row, size_t n, size_t i, float weight, float bias,
                                float epsilon)
{
    double mean = 0.0, variance = 0.0;
    for (size_t j = 0; j < n; j++) mean += (double)row[j] / (double)n;
    for (size_t j = 0; j < n; j++)
        variance += ((double)row[j] - mean) * ((double)row[j] - mean) / (double)n;
    return ((double)row[i] - mean) / sqrt(variance + (double)epsilon) * (double)weight +
           (double)bias;
}

struct normalisation {
    size_t n;
    float offset, spread, outlier, epsilon;
};

#define NORM_ROWS 3

static void try_normalisation(const struct local_kernels *kernels, struct normalisation what)
{
    size_t n = what.n;
    struct guarded values = guard(NORM_ROWS * n), before = guard(NORM_ROWS * n);
    struct guarded weight = guard(n), bias = guard(n), alone = guard(n);
    uint64_t seed = n;
    for (size_t i = 0; i < n; i++) {
        weight.floats[i] = (float)(0.5 + random_unit(&seed));
        bias.floats[i] = random_bell(&seed);
    }
    for (size_t i = 0; i < NORM_ROWS * n; i++)
        before.floats[i] = what.offset + what.spread * random_bell(&seed);
    for (size_t r = 0; r < NORM_ROWS; r++) before.floats[r * n + r % n] += what.outlier;
    memcpy(values.floats, before.floats, NORM_ROWS * n * sizeof(float));
    kernels->layer_norm(values.floats, NORM_ROWS, n, weight.floats, bias.floats, what.epsilon);
    for (size_t r = 0; r < NORM_ROWS; r++) {
        const float *row = before.floats + r * n;
        for (size_t i = 0; i < n; i += 1 + n / 100) {
            double wanted = normalised(row, n, i, weight.floats[i], bias.floats[i], what.epsilon);
            double size = fabs(wanted - (double)bias.floats[i]);
            double error = fabs((double)values.floats[r * n + i] - wanted);
            if (!(error <= 1e-6 * (size > 1 ? size : 1)))
                fail_msg("%s: %zu values about %g: %g, not %g", kernels->name, n,
                         (double)what.offset, (double)values.floats[r * n + i], wanted);
        }
        memcpy(alone.floats, row, n * sizeof(float));
        kernels->layer_norm(alone.floats, 1, n, weight.floats, bias.floats, what.epsilon);
        assert_memory_equal(alone.floats, values.floats + r * n, n * sizeof(float));
    }
    unguard(&values);
    unguard(&before);
    unguard(&weight);
    unguard(&bias);
    unguard(&alone);
}

static void try_normalisations(const struct local_kernels *kernels)
{
    static const size_t large[] = {127, 128, 256, 312, 383, 384, 511, 512, 768, 1000, 1024, 4096};
    for (size_t i = 0; i < 80 + sizeof large / sizeof large[0]; i++) {
        size_t n = i < 80 ? i + 1 : large[i - 80];
        try_normalisation(kernels, (struct normalisation){n, 0.0f, 1.0f, 0.0f, 1e-12f});
        try_normalisation(kernels, (struct normalisation){n, 0.1f, 1e-3f, 0.0f, 1e-5f});
        try_normalisation(kernels, (struct normalisation){n, 1000.0f, 1.0f, 0.0f, 1e-12f});
        try_normalisation(kernels, (struct normalisation){n, -3e4f, 1.0f, 0.0f, 1e-5f});
        try_normalisation(kernels, (struct normalisation){n, -1.0f, 0.5f, 60.0f, 1e-12f});
        try_normalisation(kernels, (struct normalisation){n, 7.3f, 0.0f, 0.0f, 1e-5f});
    }
}

int main(void)
{
    static const struct {
        const char *name;
        family_function test;
    } tests[] = {
        {"test_activations_are_near_the_exact_values", try_activations},
        {"test_activations_of_any_shape", try_shapes},
        {"test_layer_norm", try_normalisations},
    };
    for (size_t i = 0; local_kernels_at(i) != NULL; i++)
        for (size_t j = 0; j < sizeof tests / sizeof *tests && !has_others_layers(i); j++)
            add_family_test(tests[j].name, local_kernels_at(i), tests[j].test);
    return run_family_tests();
}

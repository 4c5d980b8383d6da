/*
 * Activations, normalisation and attention of every family, against double precision. What is read
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
    if (activation == LOCAL_GELU && strcmp(kernels->name, "scalar") == 0)
        return; /* as in PyTorch */
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

/* ---- attention ------------------------------------------------------------------------------- */

/* One head: the projections of a text with another head on each side (NaN), the last one cut off
 * where this head ends. */
struct text {
    size_t n, head, stride, output_stride;
    float scale;
    struct guarded queries, keys, values, output, scratch;
    struct guarded biases; /* [2 n - 1] */
    const float *bias;     /* the middle of it; NULL: none */
};

static struct guarded projection(const struct text *text, uint64_t *seed, double spread)
{
    struct guarded floats = guard(text->head + (text->n - 1) * text->stride);
    for (size_t t = 0; t < text->n; t++)
        for (size_t i = 0; i < text->head; i++)
            floats.floats[t * text->stride + i] = (float)spread * random_bell(seed);
    return floats;
}

static struct text new_text(const struct local_kernels *kernels, size_t n, size_t head,
                            double spread)
{
    struct text text = {.n = n, .head = head, .stride = head + n % 7, .output_stride = head + 3};
    uint64_t seed = n * 1000 + head;
    text.scale = (float)(1.0 / sqrt((double)head));
    text.queries = projection(&text, &seed, spread);
    text.keys = projection(&text, &seed, spread);
    text.values = projection(&text, &seed, 1.0);
    text.output = guard(head + (n - 1) * text.output_stride);
    text.scratch = guard((kernels->attention_scratch(n, head) + 15) / 16 * 16);
    return text;
}

static void give_bias(struct text *text, double spread)
{
    uint64_t seed = text->n;
    text->biases = guard(2 * text->n - 1);
    for (size_t i = 0; i < 2 * text->n - 1; i++)
        text->biases.floats[i] = (float)spread * random_bell(&seed);
    text->bias = text->biases.floats + text->n - 1;
}

static void free_text(struct text *text)
{
    if (text->bias != NULL) unguard(&text->biases);
    unguard(&text->queries);
    unguard(&text->keys);
    unguard(&text->values);
    unguard(&text->output);
    unguard(&text->scratch);
}

static void attend(const struct local_kernels *kernels, const struct text *text, size_t first,
                   size_t n_queries)
{
    kernels->attention(&(struct local_attention){.queries = text->queries.floats,
                                                 .keys = text->keys.floats,
                                                 .values = text->values.floats,
                                                 .stride = text->stride,
                                                 .n_tokens = text->n,
                                                 .head_size = text->head,
                                                 .first_query = first,
                                                 .n_queries = n_queries,
                                                 .scale = text->scale,
                                                 .bias = text->bias,
                                                 .output = text->output.floats,
                                                 .output_stride = text->output_stride,
                                                 .scratch = text->scratch.floats});
}

#define LONGEST 8192

/* The largest error of a query's row. */
ORACLE static double error_of(const struct text *text, size_t query)
{
    static double p[LONGEST];
    const float *q = text->queries.floats + query * text->stride;
    double largest = -INFINITY, sum = 0.0, error = 0.0;
    for (size_t t = 0; t < text->n; t++) {
        const float *k = text->keys.floats + t * text->stride;
        p[t] = 0.0;
        for (size_t i = 0; i < text->head; i++) p[t] += (double)q[i] * (double)k[i];
        p[t] *= (double)text->scale;
        if (text->bias != NULL) p[t] += (double)text->bias[(ptrdiff_t)t - (ptrdiff_t)query];
        if (p[t] > largest) largest = p[t];
    }
    for (size_t t = 0; t < text->n; t++) sum += p[t] = exp(p[t] - largest);
    for (size_t i = 0; i < text->head; i++) {
        double wanted = 0.0, got = (double)text->output.floats[query * text->output_stride + i];
        for (size_t t = 0; t < text->n; t++)
            wanted += p[t] / sum * (double)text->values.floats[t * text->stride + i];
        double d = fabs(got - wanted);
        if (!(d <= error)) error = d;
    }
    return error;
}

/* Beside the rows of the output nothing is written. */
static void look_at_gaps(const struct text *text)
{
    for (size_t t = 0; t + 1 < text->n; t++)
        for (size_t i = text->head; i < text->output_stride; i++)
            assert_true(isnan(text->output.floats[t * text->output_stride + i]));
}

static void try_text(const struct local_kernels *kernels, size_t n, size_t head)
{
    static const double spreads[] = {0.3, 1.0, 2.0};
    for (size_t s = 0; s < 3; s++) {
        struct text text = new_text(kernels, n, head, spreads[s]);
        attend(kernels, &text, 0, n);
        for (size_t q = 0; q < n; q += 1 + n / 20) {
            double error = error_of(&text, q);
            if (!(error <= 2e-6 * (1.0 + spreads[s] * spreads[s])))
                fail_msg("%s: %zu tokens, head of %zu, query %zu: %g off", kernels->name, n, head,
                         q, error);
        }
        look_at_gaps(&text);
        free_text(&text);
    }
}

static void try_texts(const struct local_kernels *kernels)
{
    static const size_t heads[] = {1,  2,  3,  4,  5,  7,  8,  9,  12, 15, 16,  17,  20,
                                   24, 31, 32, 33, 40, 47, 48, 63, 64, 65, 128, 255, 256};
    for (size_t h = 0; h < sizeof heads / sizeof heads[0]; h++)
        for (size_t n = 1; n <= 40; n += 1 + (h % 3)) try_text(kernels, n, heads[h]);
    for (size_t n = 41; n <= 140; n++) try_text(kernels, n, n % 2 == 0 ? 32 : 64);
    static const size_t lengths[] = {255, 256, 257, 511, 512};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        try_text(kernels, lengths[i], 64);
}

/* With a bias by relative position, of just its size. */
static void try_biases(const struct local_kernels *kernels)
{
    static const double spreads[] = {0.5, 8.0};
    for (size_t n = 1; n <= 80; n++) {
        for (size_t s = 0; s < 2; s++) {
            struct text text = new_text(kernels, n, n % 2 == 0 ? 32 : 19, 1.0);
            give_bias(&text, spreads[s]);
            attend(kernels, &text, 0, n);
            for (size_t q = 0; q < n; q += 1 + n / 20) {
                double error = error_of(&text, q);
                if (!(error <= 4e-6 * (1.0 + spreads[s])))
                    fail_msg("%s: %zu tokens, query %zu: %g off", kernels->name, n, q, error);
            }
            look_at_gaps(&text);
            free_text(&text);
        }
    }
}

/* Zeros change nothing, to the bit; so large ones that scores are beyond a float stay finite. */
static void try_extreme_biases(const struct local_kernels *kernels)
{
    for (size_t n = 1; n <= 40; n += 3) {
        struct text text = new_text(kernels, n, 16, 1.0);
        size_t size = (text.head + (n - 1) * text.output_stride) * sizeof(float);
        struct guarded without = guard(size / sizeof(float));
        attend(kernels, &text, 0, n);
        memcpy(without.floats, text.output.floats, size);
        give_bias(&text, 0.0);
        attend(kernels, &text, 0, n);
        assert_memory_equal(text.output.floats, without.floats, size);
        for (size_t i = 0; i < 2 * n - 1; i++)
            text.biases.floats[i] = i + 1 == n ? FLT_MAX : -FLT_MAX; /* each token's own */
        attend(kernels, &text, 0, n);
        for (size_t t = 0; t < n; t++)
            assert_memory_equal(text.output.floats + t * text.output_stride,
                                text.values.floats + t * text.stride, text.head * sizeof(float));
        unguard(&without);
        free_text(&text);
    }
}

/* Each stretch of queries gives the same bits as all at once. */
static void try_stretches(const struct local_kernels *kernels)
{
    static const size_t lengths[] = {1, 2, 7, 16, 29, 61}, heads[] = {32, 64, 19};
    for (size_t i = 0; i < 6; i++) {
        struct text text = new_text(kernels, lengths[i], heads[i % 3], 1.0);
        size_t n = text.n, size = text.head + (n - 1) * text.output_stride;
        struct guarded whole = guard(size);
        if (i % 2 == 1) give_bias(&text, 1.0);
        attend(kernels, &text, 0, n);
        memcpy(whole.floats, text.output.floats, size * sizeof(float));
        for (size_t first = 0; first < n; first++) {
            for (size_t many = 1; first + many <= n; many++) {
                memset(text.output.floats, 0xFF, size * sizeof(float));
                memset(text.scratch.floats, 0xFF,
                       kernels->attention_scratch(n, text.head) * sizeof(float));
                attend(kernels, &text, first, many);
                for (size_t t = 0; t < n; t++) {
                    const float *got = text.output.floats + t * text.output_stride;
                    if (t >= first && t < first + many)
                        assert_memory_equal(got, whole.floats + t * text.output_stride,
                                            text.head * sizeof(float));
                    else assert_true(isnan(got[0]) && isnan(got[text.head - 1]));
                }
            }
        }
        unguard(&whole);
        free_text(&text);
    }
}

static void try_long_text(const struct local_kernels *kernels)
{
    struct text text = new_text(kernels, LONGEST, 64, 1.0);
    attend(kernels, &text, 4090, 11);
    for (size_t q = 4090; q < 4101; q++) assert_true(error_of(&text, q) <= 4e-6);
    size_t floats = kernels->attention_scratch(LONGEST, 64);
    assert_true(floats <= LONGEST * (64 + 64 + 8) + 1024);
    attend(kernels, &text, 0, 0);
    free_text(&text);
}

/* Scores of +-1e30, and beyond what a float holds: the output stays finite, and is the value of the
 * largest score. */
static void try_large_scores(const struct local_kernels *kernels)
{
    static const float sizes[] = {1e2f, 1e15f, 1e19f, 1e30f};
    for (size_t n = 1; n <= 37; n += 4) {
        for (size_t s = 0; s < 4; s++) {
            struct text text = new_text(kernels, n, 16, 1.0);
            for (size_t t = 0; t < n; t++) {
                for (size_t i = 0; i < 16; i++) {
                    text.queries.floats[t * text.stride + i] = i == 0 ? sizes[s] : 0.0f;
                    text.keys.floats[t * text.stride + i] = i > 0        ? 0.0f
                                                            : t == n / 2 ? sizes[s]
                                                                         : -sizes[s];
                }
            }
            attend(kernels, &text, 0, n);
            for (size_t t = 0; t < n; t++)
                for (size_t i = 0; i < 16; i++)
                    assert_true(fabsf(text.output.floats[t * text.output_stride + i] -
                                      text.values.floats[n / 2 * text.stride + i]) <= 1e-6f);
            for (size_t t = 0; t < n; t++) text.keys.floats[t * text.stride] = -sizes[s];
            attend(kernels, &text, 0, n); /* all alike: the mean */
            assert_true(isfinite(text.output.floats[0]));
            if (s > 0) assert_true(error_of(&text, 0) <= 2e-6);
            free_text(&text);
        }
    }
}

/* Probabilities of one large score and others that fall away from it to nothing: each within 3e-7
 * of its exact value, relative to it. */
static void try_powers(const struct local_kernels *kernels)
{
    enum { N = 256 };
    struct text text = new_text(kernels, N, 1, 1.0);
    text.scale = 1.0f;
    for (size_t first = 1; first < N; first++) {
        float far = -120.0f * (float)first / (float)N;
        for (size_t t = 0; t < N; t++) {
            text.queries.floats[t * text.stride] = 1.0f;
            text.keys.floats[t * text.stride] = t == 0 ? 0.0f : t == first ? far : -1e4f;
            text.values.floats[t * text.stride] = t == first ? 1.0f : 0.0f;
        }
        attend(kernels, &text, 0, 1);
        double power = exp((double)far), wanted = power / (1.0 + power);
        double steps = 3e-7 + 0x1p-23 * fabs((double)far); /* score and scale are rounded */
        assert_true(fabs((double)text.output.floats[0] - wanted) <= steps * wanted + 0x1p-125);
    }
    free_text(&text);
}

/* Whether a family that needs less of the processor has the same layers. */
static int is_shared(size_t number)
{
    const struct local_kernels *kernels = local_kernels_at(number), *next;
    while ((next = local_kernels_at(++number)) != NULL)
        if (next->attention == kernels->attention) return 1;
    return 0;
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
        {"test_attention", try_texts},
        {"test_attention_with_a_bias", try_biases},
        {"test_attention_with_extreme_biases", try_extreme_biases},
        {"test_attention_of_some_queries", try_stretches},
        {"test_attention_of_a_long_text", try_long_text},
        {"test_attention_of_large_scores", try_large_scores},
        {"test_powers_of_scores", try_powers},
    };
    for (size_t i = 0; local_kernels_at(i) != NULL; i++)
        for (size_t j = 0; j < sizeof tests / sizeof *tests && !is_shared(i); j++)
            add_family_test(tests[j].name, local_kernels_at(i), tests[j].test);
    return run_family_tests();
}

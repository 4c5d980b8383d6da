/*
 * Attention of every family, against double precision. What is read
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
#include "vector/random.h"

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

static struct local_attention attention_of(const struct text *text, size_t first, size_t n_queries)
{
    return (struct local_attention){.queries = text->queries.floats,
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
                                    .scratch = text->scratch.floats};
}

static void attend(const struct local_kernels *kernels, const struct text *text, size_t first,
                   size_t n_queries)
{
    struct local_attention attention = attention_of(text, first, n_queries);
    kernels->attention(&attention);
}

static void attend_rounded(const struct local_kernels *kernels, const struct text *text,
                           size_t first, size_t n_queries)
{
    struct local_attention attention = attention_of(text, first, n_queries);
    kernels->attention_rounded(&attention);
}

typedef void (*attend_function)(const struct local_kernels *kernels, const struct text *text,
                                size_t first, size_t n_queries);

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
static void try_stretches_by(const struct local_kernels *kernels, attend_function attend_by)
{
    static const size_t lengths[] = {1, 2, 7, 16, 29, 61}, heads[] = {32, 64, 19};
    for (size_t i = 0; i < 6; i++) {
        struct text text = new_text(kernels, lengths[i], heads[i % 3], 1.0);
        size_t n = text.n, size = text.head + (n - 1) * text.output_stride;
        struct guarded whole = guard(size);
        if (i % 2 == 1) give_bias(&text, 1.0);
        attend_by(kernels, &text, 0, n);
        memcpy(whole.floats, text.output.floats, size * sizeof(float));
        for (size_t first = 0; first < n; first++) {
            for (size_t many = 1; first + many <= n; many++) {
                memset(text.output.floats, 0xFF, size * sizeof(float));
                memset(text.scratch.floats, 0xFF,
                       kernels->attention_scratch(n, text.head) * sizeof(float));
                attend_by(kernels, &text, first, many);
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

static void try_stretches(const struct local_kernels *kernels)
{
    try_stretches_by(kernels, attend);
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

/* ---- attention of what is rounded ------------------------------------------------------------ */

#define ROUNDED 0x1p-8 /* the relative error of a bfloat16, at most */

/* How far a query's row may be moved by rounding queries, keys, values and probabilities. */
ORACLE static double rounding_of(const struct text *text, size_t query)
{
    const float *q = text->queries.floats + query * text->stride;
    double largest_score = 0.0, largest_value = 0.0;
    for (size_t t = 0; t < text->n; t++) {
        const float *k = text->keys.floats + t * text->stride;
        const float *v = text->values.floats + t * text->stride;
        double score = 0.0;
        for (size_t i = 0; i < text->head; i++) {
            score += fabs((double)q[i] * (double)k[i]) * (double)text->scale;
            largest_value = fmax(largest_value, fabs((double)v[i]));
        }
        largest_score = fmax(largest_score, score);
    }
    return (exp(4.1 * ROUNDED * largest_score) - 1.0 + 2.1 * ROUNDED) * largest_value;
}

static void try_rounded_text(const struct local_kernels *kernels, size_t n, size_t head,
                             double bias)
{
    struct text text = new_text(kernels, n, head, 1.0);
    double error = 0.0, bound = 0.0;
    if (bias > 0.0) give_bias(&text, bias);
    attend_rounded(kernels, &text, 0, n);
    for (size_t q = 0; q < n; q += 1 + n / 20) {
        error = fmax(error, error_of(&text, q));
        bound = rounding_of(&text, q);
        if (!(error_of(&text, q) <= bound))
            fail_msg("%s: %zu tokens, head of %zu, query %zu: %g off, %g allowed", kernels->name, n,
                     head, q, error, bound);
    }
    /* Rounded once each, the errors cancel: a term that is lost or wrong would show. */
    if (!(error <= 0.03)) fail_msg("%s: %zu tokens: %g off", kernels->name, n, error);
    look_at_gaps(&text);
    free_text(&text);
}

static void try_rounded_texts(const struct local_kernels *kernels)
{
    static const size_t heads[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 48, 63, 64, 65, 128, 255};
    for (size_t h = 0; h < sizeof heads / sizeof heads[0]; h++)
        for (size_t n = 1; n <= 70; n += 1 + h % 3) try_rounded_text(kernels, n, heads[h], 0.0);
    for (size_t n = 71; n <= 140; n++) try_rounded_text(kernels, n, n % 2 == 0 ? 32 : 64, 1.0);
    try_rounded_text(kernels, 512, 64, 0.0);
}

static void try_rounded_stretches(const struct local_kernels *kernels)
{
    try_stretches_by(kernels, attend_rounded);
}

/* Of one key that is far nearer than all others the value comes back, rounded; scores beyond a
 * float are finite. */
static void try_rounded_large_scores(const struct local_kernels *kernels)
{
    for (size_t n = 1; n <= 37; n += 4) {
        struct text text = new_text(kernels, n, 16, 1.0);
        for (size_t t = 0; t < n; t++) {
            for (size_t i = 0; i < 16; i++) {
                text.queries.floats[t * text.stride + i] = i == 0 ? 1e30f : 0.0f;
                text.keys.floats[t * text.stride + i] = i > 0 ? 0.0f : t == n / 2 ? 1e30f : -1e30f;
            }
        }
        attend_rounded(kernels, &text, 0, n);
        for (size_t t = 0; t < n; t++)
            for (size_t i = 0; i < 16; i++) {
                float wanted = text.values.floats[n / 2 * text.stride + i];
                float got = text.output.floats[t * text.output_stride + i];
                assert_true(fabs((double)got - (double)wanted) <= ROUNDED * fabs((double)wanted));
            }
        for (size_t t = 0; t < n; t++) text.keys.floats[t * text.stride] = -1e30f;
        attend_rounded(kernels, &text, 0, n); /* all alike: the mean */
        assert_true(error_of(&text, 0) <= 3 * ROUNDED);
        text.values.floats[0] = NAN;
        attend_rounded(kernels, &text, 0, n);
        assert_true(isnan(text.output.floats[0]));
        free_text(&text);
    }
}

int main(void)
{
    static const struct {
        const char *name;
        family_function test;
    } tests[] = {
        {"test_attention", try_texts},
        {"test_attention_with_a_bias", try_biases},
        {"test_attention_with_extreme_biases", try_extreme_biases},
        {"test_attention_of_some_queries", try_stretches},
        {"test_attention_of_a_long_text", try_long_text},
        {"test_attention_of_large_scores", try_large_scores},
        {"test_powers_of_scores", try_powers},
    };
    for (size_t i = 0; local_kernels_at(i) != NULL; i++) {
        const struct local_kernels *kernels = local_kernels_at(i);
        for (size_t j = 0; j < sizeof tests / sizeof *tests && !has_others_layers(i); j++)
            add_family_test(tests[j].name, kernels, tests[j].test);
        if (kernels->attention_rounded == kernels->attention) continue;
        add_family_test("test_rounded_attention", kernels, try_rounded_texts);
        add_family_test("test_rounded_attention_of_some_queries", kernels, try_rounded_stretches);
        add_family_test("test_rounded_attention_of_large_scores", kernels,
                        try_rounded_large_scores);
    }
    return run_family_tests();
}

/*
 * layers_scalar.c: the layer kernels in plain C, each value computed in double and rounded once.
 */
#include "local/simd/layers.h"

#include <math.h>
#include <string.h>

#define TOGETHER 32 /* columns of the output that are summed side by side */

static double activated(enum local_activation activation, double x)
{
    switch (activation) {
    case LOCAL_IDENTITY:
        return x;
    case LOCAL_ROUGH_GELU:
    case LOCAL_GELU: /* erfc keeps what 1 + erf would cancel */
        return x * 0.5 * erfc(-x * 0.70710678118654752440);
    case LOCAL_GELU_TANH:
        return x / (1.0 + exp(-2.0 * 0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case LOCAL_RELU:
        return x < 0.0 ? 0.0 : x;
    case LOCAL_TANH:
        return tanh(x);
    case LOCAL_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    }
    return x;
}

void scalar_activate(enum local_activation activation, float *values, size_t stride, size_t n_rows,
                     size_t n_columns)
{
    for (size_t r = 0; r < n_rows; r++, values += stride)
        for (size_t i = 0; i < n_columns; i++)
            values[i] = (float)activated(activation, (double)values[i]);
}

void scalar_layer_norm(float *values, size_t n_rows, size_t n, const float *weight,
                       const float *bias, float epsilon)
{
    for (size_t r = 0; r < n_rows; r++, values += n) {
        double mean = 0.0, variance = 0.0;
        for (size_t i = 0; i < n; i++) mean += (double)values[i];
        mean /= (double)n;
        for (size_t i = 0; i < n; i++) {
            double difference = (double)values[i] - mean;
            variance += difference * difference;
        }
        double factor = 1.0 / sqrt(variance / (double)n + (double)epsilon);
        for (size_t i = 0; i < n; i++)
            values[i] =
                (float)(((double)values[i] - mean) * factor * (double)weight[i] + (double)bias[i]);
    }
}

int scalar_pack(const float *weights, size_t n_in, size_t width, float *panel)
{
    float zeros = 0.0f; /* what is not finite is no zero times zero */
    for (size_t i = 0; i < n_in; i++)
        for (size_t c = 0; c < width; c++) {
            panel[i * width + c] = weights[c * n_in + i];
            zeros += 0.0f * weights[c * n_in + i];
        }
    return zeros == 0.0f;
}

/* The scores of one query. */
size_t scalar_attention_scratch(size_t n_tokens, size_t head_size)
{
    (void)head_size;
    return n_tokens;
}

/* Of token q's query and token t's key. */
static double score(const struct local_attention *a, size_t q, size_t t)
{
    const float *query = a->queries + q * a->stride, *key = a->keys + t * a->stride;
    double sum = 0.0;
    for (size_t i = 0; i < a->head_size; i++) sum += (double)query[i] * (double)key[i];
    sum *= (double)a->scale;
    if (a->bias != NULL) sum += (double)a->bias[(ptrdiff_t)t - (ptrdiff_t)q];
    return fmax(-1e38, fmin(1e38, sum));
}

/* Makes scores of probabilities that are yet to be divided by their sum, which it returns. */
static double exponentials(float *scores, size_t n)
{
    double largest = (double)scores[0], sum = 0.0;
    for (size_t t = 1; t < n; t++)
        if ((double)scores[t] > largest) largest = (double)scores[t];
    for (size_t t = 0; t < n; t++) {
        double power = exp((double)scores[t] - largest);
        scores[t] = (float)power;
        sum += power;
    }
    return sum;
}

/* The probabilities' sums of some columns of the values. */
static void weighted_sums(const struct local_attention *a, size_t first, size_t n, double *sums)
{
    memset(sums, 0, n * sizeof *sums);
    for (size_t t = 0; t < a->n_tokens; t++) {
        const float *value = a->values + t * a->stride + first;
        for (size_t i = 0; i < n; i++) sums[i] += (double)a->scratch[t] * (double)value[i];
    }
}

void scalar_attention(const struct local_attention *attention)
{
    const struct local_attention *a = attention;
    for (size_t q = a->first_query; q < a->first_query + a->n_queries; q++) {
        for (size_t t = 0; t < a->n_tokens; t++) a->scratch[t] = (float)score(a, q, t);
        double sum = exponentials(a->scratch, a->n_tokens), sums[TOGETHER];
        float *output = a->output + q * a->output_stride;
        for (size_t first = 0; first < a->head_size; first += TOGETHER) {
            size_t n = a->head_size - first < TOGETHER ? a->head_size - first : TOGETHER;
            weighted_sums(a, first, n, sums);
            for (size_t i = 0; i < n; i++) output[first + i] = (float)(sums[i] / sum);
        }
    }
}

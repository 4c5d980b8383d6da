/*
 * oracle.h: what a random model computes, in double. Written for reading: one text at a time, sums
 * as the papers have them.
 */
#ifndef TESTS_LOCAL_ORACLE_H
#define TESTS_LOCAL_ORACLE_H

#include <math.h>

#include "base/oracle.h"
#include "local/random_model.h"

static struct random_tensor *random_find(struct random_model *model, const char *name)
{
    for (size_t i = 0; i < model->n_tensors; i++)
        if (strcmp(model->tensors[i].name, name) == 0) return &model->tensors[i];
    return NULL;
}

ORACLE static void oracle_linear(struct random_model *model, const char *name, const double *in,
                                 double *out)
{
    char full[100];
    snprintf(full, sizeof full, "%s.weight", name);
    const struct random_tensor *weight = random_find(model, full);
    snprintf(full, sizeof full, "%s.bias", name);
    const struct random_tensor *bias = random_find(model, full);
    for (size_t i = 0; i < weight->shape[0]; i++) {
        out[i] = bias->values[i];
        for (size_t j = 0; j < weight->shape[1]; j++)
            out[i] += (double)weight->values[i * weight->shape[1] + j] * in[j];
    }
}

ORACLE static void oracle_norm(struct random_model *model, const char *name, double *row)
{
    size_t n = model->config.hidden_size;
    char full[100];
    snprintf(full, sizeof full, "%s.weight", name);
    const float *weight = random_find(model, full)->values;
    snprintf(full, sizeof full, "%s.bias", name);
    const float *bias = random_find(model, full)->values;
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++) mean += row[i] / (double)n;
    for (size_t i = 0; i < n; i++) variance += (row[i] - mean) * (row[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        row[i] = (row[i] - mean) / sqrt(variance + 1e-12) * (double)weight[i] + (double)bias[i];
}

/* What the score of a key gains that lies so far behind the query; table: NULL without biases. */
ORACLE static double oracle_bias(const struct random_tensor *table, size_t head, double distance)
{
    double far = fabs(distance), bucket = far;
    if (table == NULL) return 0;
    if (far >= 8) bucket = fmin(15, 8 + floor(log(far / 8) / log(128. / 8) * 8 + 1e-9));
    if (distance > 0) bucket += 16;
    return (double)table->values[(size_t)bucket * table->shape[1] + head];
}

/* context [n_tokens, n] of one layer's attention over hidden [n_tokens, n]. */
ORACLE static void oracle_attention(struct random_model *model, size_t layer, size_t n_tokens,
                                    const double *hidden, double *context)
{
    const struct local_encoder_names *all = model->config.architecture->names;
    const char *const names[] = {all->query, all->key, all->value};
    const struct random_tensor *biases =
        random_find(model, "encoder.relative_attention_bias.weight");
    size_t n = model->config.hidden_size, size = n / model->config.n_heads;
    double *parts[3], *weights = calloc(n_tokens, sizeof *weights);
    for (int i = 0; i < 3; i++) {
        parts[i] = calloc(n_tokens * n, sizeof *parts[i]);
        for (size_t t = 0; t < n_tokens; t++)
            oracle_linear(model, random_layer(layer, names[i]), hidden + t * n, parts[i] + t * n);
    }
    memset(context, 0, n_tokens * n * sizeof *context);
    for (size_t head = 0; head < n; head += size) {
        for (size_t t = 0; t < n_tokens; t++) {
            double sum = 0;
            for (size_t u = 0; u < n_tokens; u++) {
                double dot = 0;
                for (size_t i = head; i < head + size; i++)
                    dot += parts[0][t * n + i] * parts[1][u * n + i];
                double bias = oracle_bias(biases, head / size, (double)u - (double)t);
                sum += weights[u] = exp(dot / sqrt((double)size) + bias);
            }
            for (size_t u = 0; u < n_tokens; u++)
                for (size_t i = head; i < head + size; i++)
                    context[t * n + i] += weights[u] / sum * parts[2][u * n + i];
        }
    }
    for (int i = 0; i < 3; i++) free(parts[i]);
    free(weights);
}

static void oracle_layer(struct random_model *model, size_t layer, size_t n_tokens, double *hidden)
{
    const struct local_encoder_names *names = model->config.architecture->names;
    size_t n = model->config.hidden_size, inner = model->config.intermediate_size;
    double *context = calloc(n_tokens * n, sizeof *context), *wide = calloc(inner, sizeof *wide);
    double *out = calloc(n, sizeof *out);
    oracle_attention(model, layer, n_tokens, hidden, context);
    for (size_t t = 0; t < n_tokens; t++) {
        double *row = hidden + t * n;
        oracle_linear(model, random_layer(layer, names->attention_output), context + t * n, out);
        for (size_t i = 0; i < n; i++) row[i] += out[i];
        oracle_norm(model, random_layer(layer, names->attention_norm), row);
        oracle_linear(model, random_layer(layer, names->intermediate), row, wide);
        for (size_t i = 0; i < inner; i++) wide[i] *= .5 * (1 + erf(wide[i] / sqrt(2)));
        oracle_linear(model, random_layer(layer, names->output), wide, out);
        for (size_t i = 0; i < n; i++) row[i] += out[i];
        oracle_norm(model, random_layer(layer, names->output_norm), row);
    }
    free(context);
    free(wide);
    free(out);
}

/* The hidden states of the last layer, for free(). */
static double *oracle_encode(struct random_model *model, const uint32_t *ids,
                             const uint8_t *segments, size_t n_tokens)
{
    const struct local_config *config = &model->config;
    size_t n = config->hidden_size;
    double *hidden = calloc(n_tokens * n, sizeof *hidden);
    const float *words = random_find(model, "embeddings.word_embeddings.weight")->values;
    const float *positions = random_find(model, "embeddings.position_embeddings.weight")->values;
    const struct random_tensor *kinds =
        random_find(model, "embeddings.token_type_embeddings.weight");
    for (size_t t = 0; t < n_tokens; t++) {
        for (size_t i = 0; i < n; i++)
            hidden[t * n + i] = (double)words[ids[t] * n + i] +
                                (double)positions[(config->first_position + t) * n + i] +
                                (kinds == NULL ? 0 : (double)kinds->values[segments[t] * n + i]);
        oracle_norm(model, "embeddings.LayerNorm", hidden + t * n);
    }
    for (size_t i = 0; i < config->n_layers; i++) oracle_layer(model, i, n_tokens, hidden);
    return hidden;
}

/* What a text's result is, [hidden_size] or [1]. */
static void oracle_result(struct random_model *model, const uint32_t *ids, const uint8_t *segments,
                          size_t n_tokens, double *result)
{
    const struct local_config *config = &model->config;
    size_t n = config->hidden_size;
    double *hidden = oracle_encode(model, ids, segments, n_tokens);
    if (config->classifies) {
        const struct local_head_names *head = config->architecture->head;
        double *pooled = calloc(n, sizeof *pooled);
        oracle_linear(model, head->dense, hidden, pooled);
        for (size_t i = 0; i < n; i++) pooled[i] = tanh(pooled[i]);
        oracle_linear(model, head->out, pooled, result);
        free(pooled);
    }
    for (size_t i = 0; !config->classifies && i < n; i++) {
        result[i] = hidden[i];
        for (size_t t = 1; t < n_tokens && config->pooling != LOCAL_CLS; t++) {
            double value = hidden[t * n + i];
            if (config->pooling == LOCAL_MEAN) result[i] += value;
            else if (value > result[i]) result[i] = value;
        }
        if (config->pooling == LOCAL_MEAN) result[i] /= (double)n_tokens;
    }
    free(hidden);
}

#endif

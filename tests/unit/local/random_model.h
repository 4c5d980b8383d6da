/*
 * random_model.h: small models of random weights as folders.
 */
#ifndef TESTS_LOCAL_RANDOM_MODEL_H
#define TESTS_LOCAL_RANDOM_MODEL_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/oracle.h"
#include "local/config.h"

enum { RANDOM_MODEL_TENSORS = 400 };

struct random_tensor {
    char name[100];
    size_t shape[2], n_dimensions, n;
    float *values;
};

struct random_model {
    char path[64]; /* of the folder */
    struct local_config config;
    struct random_tensor tensors[RANDOM_MODEL_TENSORS];
    size_t n_tensors;
    uint64_t random;
};

ORACLE static uint32_t random_bits(struct random_model *model)
{
    model->random = model->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(model->random >> 33);
}

/* About normal, of that deviation. */
ORACLE static float random_normal(struct random_model *model, double deviation)
{
    double sum = 0;
    for (int i = 0; i < 6; i++) sum += (double)random_bits(model) / (1u << 31) - .5;
    return (float)(sum * deviation * 1.41);
}

/* A tensor [n_rows, n], or [n] with n_rows 0, around `mean`. */
static void random_add(struct random_model *model, const char *name, size_t n_rows, size_t n,
                       float mean, double deviation)
{
    struct random_tensor *tensor = &model->tensors[model->n_tensors++];
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    tensor->n_dimensions = n_rows == 0 ? 1 : 2;
    tensor->shape[0] = n_rows == 0 ? n : n_rows;
    tensor->shape[1] = n;
    tensor->n = (n_rows == 0 ? 1 : n_rows) * n;
    tensor->values = malloc(tensor->n * sizeof *tensor->values);
    for (size_t i = 0; i < tensor->n; i++)
        tensor->values[i] = mean + random_normal(model, deviation);
}

static void random_add_linear(struct random_model *model, const char *name, size_t n_out,
                              size_t n_in)
{
    char full[100];
    snprintf(full, sizeof full, "%s.weight", name);
    random_add(model, full, n_out, n_in, 0, 1 / sqrt((double)n_in));
    snprintf(full, sizeof full, "%s.bias", name);
    random_add(model, full, 0, n_out, 0, .1);
}

static void random_add_norm(struct random_model *model, const char *name)
{
    char full[100];
    snprintf(full, sizeof full, "%s.weight", name);
    random_add(model, full, 0, model->config.hidden_size, 1, .1);
    snprintf(full, sizeof full, "%s.bias", name);
    random_add(model, full, 0, model->config.hidden_size, 0, .1);
}

static const char *random_layer(size_t layer, const char *part)
{
    static char name[100];
    snprintf(name, sizeof name, "encoder.layer.%zu.%s", layer, part);
    return name;
}

/* The tensors that the configuration wants. */
static void random_fill(struct random_model *model)
{
    const struct local_config *config = &model->config;
    const struct local_encoder_names *names = config->architecture->names;
    size_t n = config->hidden_size, inner = config->intermediate_size;
    random_add(model, "embeddings.word_embeddings.weight", config->vocabulary_size, n, 0, 1);
    random_add(model, "embeddings.position_embeddings.weight", config->n_positions, n, 0, .5);
    if (config->n_segments > 0)
        random_add(model, "embeddings.token_type_embeddings.weight", config->n_segments, n, 0, .5);
    if (config->architecture->names->relative_bias != NULL)
        random_add(model, "encoder.relative_attention_bias.weight", 32, config->n_heads, 0, 1);
    random_add_norm(model, "embeddings.LayerNorm");
    for (size_t i = 0; i < config->n_layers; i++) {
        random_add_linear(model, random_layer(i, names->query), n, n);
        random_add_linear(model, random_layer(i, names->key), n, n);
        random_add_linear(model, random_layer(i, names->value), n, n);
        random_add_linear(model, random_layer(i, names->attention_output), n, n);
        random_add_norm(model, random_layer(i, names->attention_norm));
        random_add_linear(model, random_layer(i, names->intermediate), inner, n);
        random_add_linear(model, random_layer(i, names->output), n, inner);
        random_add_norm(model, random_layer(i, names->output_norm));
    }
    if (!config->classifies) return;
    random_add_linear(model, config->architecture->head->dense, n, n);
    random_add_linear(model, config->architecture->head->out, 1, n);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void random_write_text(const struct random_model *model, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", model->path, name);
    FILE *file = fopen(path, "wb");
    fwrite(text, 1, strlen(text), file);
    fclose(file);
}

/* The data begins `shift` bytes behind a multiple of 8. */
static void random_write_weights(const struct random_model *model, size_t shift)
{
    size_t size = 1 << 16, used = 1, offset = 0;
    char *header = malloc(size), path[128];
    header[0] = '{';
    for (size_t i = 0; i < model->n_tensors; i++) {
        const struct random_tensor *tensor = &model->tensors[i];
        char shape[60];
        if (tensor->n_dimensions == 1) snprintf(shape, sizeof shape, "%zu", tensor->shape[0]);
        else snprintf(shape, sizeof shape, "%zu,%zu", tensor->shape[0], tensor->shape[1]);
        used += (size_t)snprintf(
            header + used, size - used,
            "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
            i == 0 ? "" : ",", tensor->name, shape, offset, offset + tensor->n * 4);
        offset += tensor->n * 4;
    }
    used += (size_t)snprintf(header + used, size - used, "}");
    while (used % 8 != shift) header[used++] = ' ';
    snprintf(path, sizeof path, "%s/model.safetensors", model->path);
    FILE *file = fopen(path, "wb");
    uint64_t length = used;
    fwrite(&length, 8, 1, file);
    fwrite(header, 1, used, file);
    for (size_t i = 0; i < model->n_tensors; i++)
        fwrite(model->tensors[i].values, 4, model->tensors[i].n, file);
    fclose(file);
    free(header);
}

static void random_write_config(const struct random_model *model)
{
    const struct local_config *config = &model->config;
    const struct local_architecture *architecture = config->architecture;
    char text[1000];
    snprintf(text, sizeof text,
             "{\"architectures\":[\"%s\"],\"model_type\":\"%s\",\"hidden_size\":%zu,"
             "\"num_hidden_layers\":%zu,\"num_attention_heads\":%zu,\"intermediate_size\":%zu,"
             "\"vocab_size\":%zu,\"max_position_embeddings\":%zu,\"type_vocab_size\":%zu,"
             "\"layer_norm_eps\":1e-12,\"hidden_act\":\"gelu\",\"pad_token_id\":%d%s}",
             architecture->models[config->classifies].name, architecture->model_type,
             config->hidden_size, config->n_layers, config->n_heads, config->intermediate_size,
             config->vocabulary_size, config->n_positions, config->n_segments,
             config->first_position > 0,
             config->classifies ? ",\"id2label\":{\"0\":\"LABEL_0\"}" : "");
    random_write_text(model, "config.json", text);
}

/* Words w5, w6... behind the special ones. */
static void random_write_vocabulary(const struct random_model *model)
{
    size_t size = 64 + model->config.vocabulary_size * 8;
    char *text = malloc(size);
    size_t used = (size_t)snprintf(text, size, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    for (size_t i = 5; i < model->config.vocabulary_size; i++)
        used += (size_t)snprintf(text + used, size - used, "w%zu\n", i);
    random_write_text(model, "vocab.txt", text);
    free(text);
}

/* A folder with all the files, below /tmp. */
static struct random_model *random_model_new(const struct local_config *config)
{
    struct random_model *model = calloc(1, sizeof *model);
    model->config = *config;
    model->random = 42;
    snprintf(model->path, sizeof model->path, "/tmp/local_XXXXXX");
    if (mkdtemp(model->path) == NULL) abort();
    random_fill(model);
    random_write_config(model);
    random_write_vocabulary(model);
    random_write_weights(model, 0);
    return model;
}

static void random_model_free(struct random_model *model)
{
    static const char *const names[] = {"config.json", "vocab.txt", "model.safetensors"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", model->path, names[i]);
        unlink(path);
    }
    rmdir(model->path);
    for (size_t i = 0; i < model->n_tensors; i++) free(model->tensors[i].values);
    free(model);
}

#endif

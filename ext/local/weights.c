#include "local/weights.h"

#include <stdio.h>

#include "base/memory.h"
#include "local/relative.h"
#include "local/wide.h"

/* ---- one tensor ------------------------------------------------------------------------------ */

/* The weights of `name`; NULL while there is no memory yet. */
static const float *plan_table(struct loading *loading, const char *name, size_t n_rows, size_t n)
{
    char full[LOADING_NAME];
    snprintf(full, sizeof full, "%s.weight", name);
    return loading_floats(loading, full, n_rows, n);
}

static struct local_norm plan_norm(struct loading *loading, const char *name, size_t n)
{
    char full[2][LOADING_NAME];
    snprintf(full[0], sizeof full[0], "%s.gamma", name);
    int is_old = loading_has(loading, full[0]);
    snprintf(full[0], sizeof full[0], "%s.%s", name, is_old ? "gamma" : "weight");
    snprintf(full[1], sizeof full[1], "%s.%s", name, is_old ? "beta" : "bias");
    const float *weight = loading_floats(loading, full[0], 0, n);
    return (struct local_norm){weight, loading_floats(loading, full[1], 0, n)};
}

static const struct local_wide none = {0};

/* A matrix of one Linear. */
static void plan_dense(struct loading *loading, struct local_matrix *matrix,
                       enum local_precision precision, const char *name, size_t n_out, size_t n_in,
                       struct local_wide wide)
{
    loading_matrix(loading,
                   &(struct loading_linears){.names = &name,
                                             .n_names = 1,
                                             .n_out = n_out,
                                             .n_in = n_in,
                                             .precision = precision,
                                             .wide = wide},
                   matrix);
}

/* ---- a layer --------------------------------------------------------------------------------- */

/* "LAYERS.N.PART". */
struct layer_name {
    char text[LOADING_NAME];
};

static struct layer_name name_in_layer(const struct local_encoder_names *names, size_t number,
                                       const char *part)
{
    struct layer_name name;
    snprintf(name.text, sizeof name.text, "%s.%zu.%s", names->layers, number, part);
    return name;
}

/* Of a layer's matrices: the inputs that are wide. */
struct layer_wide {
    struct local_wide attention, intermediate, output;
};

static void plan_attention(struct loading *loading, const struct local_weights *weights,
                           struct local_layer *layer, size_t number, struct local_wide wide)
{
    const struct local_encoder_names *names = weights->config.architecture->names;
    const struct layer_name full[] = {name_in_layer(names, number, names->query),
                                      name_in_layer(names, number, names->key),
                                      name_in_layer(names, number, names->value)};
    const char *const parts[] = {full[0].text, full[1].text, full[2].text};
    loading_matrix(loading,
                   &(struct loading_linears){.names = parts,
                                             .n_names = 3,
                                             .n_out = weights->config.hidden_size,
                                             .n_in = weights->config.hidden_size,
                                             .precision = weights->precision,
                                             .wide = wide},
                   &layer->attention);
}

static void plan_layer(struct loading *loading, struct local_weights *weights, size_t number,
                       const struct layer_wide *wide)
{
    const struct local_config *config = &weights->config;
    const struct local_encoder_names *names = config->architecture->names;
    enum local_precision precision = weights->precision;
    struct local_layer *layer = &weights->layers[number];
    size_t hidden = config->hidden_size, inner = config->intermediate_size;
    plan_attention(loading, weights, layer, number, wide->attention);
    plan_dense(loading, &layer->attention_output, precision,
               name_in_layer(names, number, names->attention_output).text, hidden, hidden, none);
    layer->attention_norm =
        plan_norm(loading, name_in_layer(names, number, names->attention_norm).text, hidden);
    plan_dense(loading, &layer->intermediate, precision,
               name_in_layer(names, number, names->intermediate).text, inner, hidden,
               wide->intermediate);
    plan_dense(loading, &layer->output, precision, name_in_layer(names, number, names->output).text,
               hidden, inner, wide->output);
    layer->output_norm =
        plan_norm(loading, name_in_layer(names, number, names->output_norm).text, hidden);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void plan_head(struct loading *loading, struct local_weights *weights)
{
    const struct local_head_names *names = weights->config.architecture->head;
    size_t hidden = weights->config.hidden_size;
    if (!names->is_in_encoder) loading_set_prefix(loading, "");
    plan_dense(loading, &weights->pooler, LOCAL_FLOAT32, names->dense, hidden, hidden, none);
    loading_set_prefix(loading, "");
    plan_dense(loading, &weights->classifier, LOCAL_FLOAT32, names->out, 1, hidden, none);
}

/* Names of the encoder's tensors begin with the architecture's prefix, or with nothing. */
static void find_prefix(struct loading *loading, const struct local_architecture *architecture)
{
    char word[LOADING_NAME];
    snprintf(word, sizeof word, "%s.weight", architecture->names->words);
    if (loading_has(loading, word)) return;
    loading_set_prefix(loading, architecture->prefix);
    if (!loading_has(loading, word)) loading_set_prefix(loading, "");
}

/* What is read, and what becomes of it. */
struct encoder_plan {
    struct local_weights *weights;
    const float *buckets;            /* [RELATIVE_BUCKETS, n_heads] */
    float *relative_bias;            /* as weights->relative_bias */
    struct layer_wide *wide;         /* [n_layers] */
    struct loading_largest *largest; /* [n_layers] of the weights of `output` */
};

/* ---- wide inputs ----------------------------------------------------------------------------- */

/* What wide inputs are known by: norms, and how large the weights of `output` are. */
static void plan_sketch(struct loading *loading, void *context)
{
    struct encoder_plan *plan = context;
    struct local_weights *weights = plan->weights;
    const struct local_config *config = &weights->config;
    const struct local_encoder_names *names = config->architecture->names;
    size_t hidden = config->hidden_size;
    find_prefix(loading, config->architecture);
    weights->embedding_norm = plan_norm(loading, names->embedding_norm, hidden);
    for (size_t i = 0; !loading_has_failed(loading) && i < config->n_layers; i++) {
        struct local_layer *layer = &weights->layers[i];
        char full[LOADING_NAME + 8];
        snprintf(full, sizeof full, "%s.weight", name_in_layer(names, i, names->output).text);
        layer->attention_norm =
            plan_norm(loading, name_in_layer(names, i, names->attention_norm).text, hidden);
        layer->output_norm =
            plan_norm(loading, name_in_layer(names, i, names->output_norm).text, hidden);
        plan->largest[i] = loading_largest(loading, full, hidden, config->intermediate_size);
    }
}

/* Of all parts of the columns together, in the first of them. */
static struct local_wide wide_of_columns(const struct loading_largest *largest, size_t n)
{
    float *columns = largest->columns;
    for (size_t i = n; i < largest->n_parts * n; i++)
        columns[i % n] = columns[i] > columns[i % n] ? columns[i] : columns[i % n];
    return wide_largest(columns, n);
}

/* `sizes`: [hidden] all 1. */
static void choose_in_layers(struct encoder_plan *plan, float *sizes)
{
    const struct local_weights *weights = plan->weights;
    size_t n = weights->config.hidden_size;
    const struct local_norm *norm = &weights->embedding_norm;
    const float *added = NULL;
    for (size_t i = 0; i < weights->config.n_layers; i++) {
        struct layer_wide *wide = &plan->wide[i];
        const struct local_layer *layer = &weights->layers[i];
        wide_pass_norm(sizes, n, added, norm->weight, norm->bias);
        wide->attention = wide_largest(sizes, n);
        wide_pass_norm(sizes, n, NULL, layer->attention_norm.weight, layer->attention_norm.bias);
        wide->intermediate = wide_largest(sizes, n);
        wide->output = wide_of_columns(&plan->largest[i], weights->config.intermediate_size);
        norm = &layer->output_norm;
        added = plan->largest[i].rows;
    }
}

static int choose_wide(const char *folder, struct encoder_plan *encoder, size_t n_threads,
                       const struct cancel *cancel, struct error *err)
{
    const struct local_config *config = &encoder->weights->config;
    struct loading_plan plan = {plan_sketch, encoder, encoder->weights->kernels};
    struct loading_block block = {0};
    float *sizes = memory_alloc(config->hidden_size, sizeof *sizes);
    encoder->largest = memory_zalloc(config->n_layers, sizeof *encoder->largest);
    int rc = sizes == NULL || encoder->largest == NULL ? error_nomem(err) : 0;
    if (rc == 0) rc = loading_run(folder, &plan, n_threads, cancel, &block, err);
    for (size_t i = 0; rc == 0 && i < config->hidden_size; i++) sizes[i] = 1.0f;
    if (rc == 0) choose_in_layers(encoder, sizes);
    loading_block_free(&block);
    memory_free(encoder->largest);
    memory_free(sizes);
    return rc;
}

/* ---- the encoder ----------------------------------------------------------------------------- */

static size_t reach_of(const struct local_config *config)
{
    return config->n_positions - config->first_position;
}

static void plan_relative(struct loading *loading, struct encoder_plan *plan)
{
    const struct local_config *config = &plan->weights->config;
    size_t n = config->n_heads * (2 * reach_of(config) - 1);
    plan->buckets = plan_table(loading, config->architecture->names->relative_bias,
                               RELATIVE_BUCKETS, config->n_heads);
    plan->relative_bias = loading_reserve(loading, n * sizeof *plan->relative_bias);
}

static void plan_encoder(struct loading *loading, void *context)
{
    struct encoder_plan *plan = context;
    struct local_weights *weights = plan->weights;
    const struct local_config *config = &weights->config;
    const struct local_encoder_names *names = config->architecture->names;
    size_t hidden = config->hidden_size;
    find_prefix(loading, config->architecture);
    weights->words = plan_table(loading, names->words, config->vocabulary_size, hidden);
    weights->positions = plan_table(loading, names->positions, config->n_positions, hidden);
    if (config->n_segments > 0)
        weights->segments = plan_table(loading, names->segments, config->n_segments, hidden);
    weights->embedding_norm = plan_norm(loading, names->embedding_norm, hidden);
    if (names->relative_bias != NULL) plan_relative(loading, plan);
    for (size_t i = 0; !loading_has_failed(loading) && i < config->n_layers; i++)
        plan_layer(loading, weights, i, &plan->wide[i]);
    if (config->classifies) plan_head(loading, weights);
}

int local_weights_load(const char *folder, const struct local_config *config,
                       enum local_precision precision, size_t n_threads,
                       const struct cancel *cancel, struct local_weights **loaded,
                       struct error *err)
{
    struct local_weights *weights = memory_zalloc(1, sizeof *weights);
    *loaded = NULL;
    if (weights == NULL) return error_nomem(err);
    weights->config = *config;
    weights->kernels = local_kernels_chosen();
    weights->precision = precision;
    weights->layers = memory_zalloc(config->n_layers, sizeof *weights->layers);
    struct encoder_plan encoder = {.weights = weights};
    struct loading_plan plan = {plan_encoder, &encoder, weights->kernels};
    encoder.wide = memory_zalloc(config->n_layers, sizeof *encoder.wide);
    int rc = weights->layers == NULL || encoder.wide == NULL ? error_nomem(err) : 0;
    if (rc == 0 && precision == LOCAL_INT8)
        rc = choose_wide(folder, &encoder, n_threads, cancel, err);
    if (rc == 0) rc = loading_run(folder, &plan, n_threads, cancel, &weights->block, err);
    if (rc == 0 && encoder.relative_bias != NULL)
        relative_spread(encoder.buckets, config->n_heads, reach_of(config), encoder.relative_bias);
    weights->relative_bias = encoder.relative_bias;
    memory_free(encoder.wide);
    if (rc == 0) *loaded = weights;
    else local_weights_free(weights);
    return rc;
}

void local_weights_free(struct local_weights *weights)
{
    if (weights == NULL) return;
    loading_block_free(&weights->block);
    memory_free(weights->layers);
    memory_free(weights);
}

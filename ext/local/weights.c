#include "local/weights.h"

#include <stdio.h>

#include "base/memory.h"
#include "local/relative.h"

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

/* A whole matrix of one Linear. */
static void plan_dense(struct loading *loading, struct local_matrix *matrix,
                       enum local_precision precision, const char *name, size_t n_out, size_t n_in)
{
    loading_matrix(loading, matrix, precision, n_out, n_in);
    loading_linear(loading, matrix, 0, name, n_out, n_in);
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

static void plan_layer(struct loading *loading, struct local_weights *weights, size_t number)
{
    const struct local_config *config = &weights->config;
    const struct local_encoder_names *names = config->architecture->names;
    enum local_precision precision = weights->precision;
    struct local_layer *layer = &weights->layers[number];
    size_t hidden = config->hidden_size, inner = config->intermediate_size;
    const char *const parts[] = {names->query, names->key, names->value};
    loading_matrix(loading, &layer->attention, precision, 3 * hidden, hidden);
    for (size_t i = 0; i < 3; i++)
        loading_linear(loading, &layer->attention, i * hidden,
                       name_in_layer(names, number, parts[i]).text, hidden, hidden);
    plan_dense(loading, &layer->attention_output, precision,
               name_in_layer(names, number, names->attention_output).text, hidden, hidden);
    layer->attention_norm =
        plan_norm(loading, name_in_layer(names, number, names->attention_norm).text, hidden);
    plan_dense(loading, &layer->intermediate, precision,
               name_in_layer(names, number, names->intermediate).text, inner, hidden);
    plan_dense(loading, &layer->output, precision, name_in_layer(names, number, names->output).text,
               hidden, inner);
    layer->output_norm =
        plan_norm(loading, name_in_layer(names, number, names->output_norm).text, hidden);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void plan_head(struct loading *loading, struct local_weights *weights)
{
    const struct local_head_names *names = weights->config.architecture->head;
    size_t hidden = weights->config.hidden_size;
    if (!names->is_in_encoder) loading_set_prefix(loading, "");
    plan_dense(loading, &weights->pooler, LOCAL_FLOAT32, names->dense, hidden, hidden);
    loading_set_prefix(loading, "");
    plan_dense(loading, &weights->classifier, LOCAL_FLOAT32, names->out, 1, hidden);
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
    const float *buckets; /* [RELATIVE_BUCKETS, n_heads] */
    float *relative_bias; /* as weights->relative_bias */
};

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
        plan_layer(loading, weights, i);
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
    int rc = weights->layers == NULL ? error_nomem(err) : 0;
    if (rc == 0) rc = loading_run(folder, &plan, n_threads, cancel, &weights->block, err);
    if (rc == 0 && encoder.relative_bias != NULL)
        relative_spread(encoder.buckets, config->n_heads, reach_of(config), encoder.relative_bias);
    weights->relative_bias = encoder.relative_bias;
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

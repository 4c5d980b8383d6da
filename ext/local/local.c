#include "local/local.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "local/architecture.h"
#include "local/call.h"
#include "local/dense.h"
#include "local/folder.h"
#include "local/resources.h"
#include "local/static.h"
#include "local/transformer.h"
#include "local/unit.h"

#define BATCH_SIZE 64 /* texts: some seconds of a large model, so that progress shows */

/* ---- embedding ------------------------------------------------------------------------------- */

struct embedding {
    const struct local *local;
    const struct model_sink *sink;
};

static int put_embeddings(void *context, const struct local_slice *slice, struct error *err)
{
    const struct embedding *embedding = context;
    const struct local *local = embedding->local;
    const struct model_sink *sink = embedding->sink;
    const struct dense *dense = local_dense_of(local);
    float *owned = NULL, *vectors = slice->results;
    size_t size = dense == NULL ? slice->size : dense_n_out(dense);
    size_t dimensions = local->dimensions > 0 ? local->dimensions : size;
    int rc = dense == NULL ? 0 : dense_apply(dense, slice->results, slice->n, &owned, err);
    if (owned != NULL) vectors = owned;
    for (size_t i = 0; rc == 0 && i < slice->n; i++) {
        float *vector = vectors + i * size;
        if (local->config.normalize) unit_make(vector, dimensions);
        rc = sink->put(sink->context, slice->numbers[i], vector, dimensions, err);
    }
    memory_free(owned);
    return rc == 0 ? sink->end(sink->context, err) : rc;
}

static int embed(struct model *model, const struct model_texts *texts,
                 const struct model_sink *sink, struct model_usage *usage, struct error *err)
{
    struct local *local = (struct local *)model;
    struct local_call call = {.local = local,
                              .texts = texts->texts,
                              .n_texts = texts->n_texts,
                              .cancel = texts->cancel,
                              .usage = usage,
                              .refuse = sink->refuse,
                              .context = sink->context};
    struct embedding embedding = {local, sink};
    return local_call_run(&call, put_embeddings, &embedding, err);
}

/* ---- reranking ------------------------------------------------------------------------------- */

struct scoring {
    const struct local *local;
    double *scores;
};

static int put_scores(void *context, const struct local_slice *slice, struct error *err)
{
    const struct scoring *scoring = context;
    (void)err;
    for (size_t i = 0; i < slice->n; i++) {
        double logit = (double)slice->results[i];
        /* Sums of float32: what is beyond would be noise that differs by processor. */
        scoring->scores[slice->numbers[i]] = scoring->local->config.score == LOCAL_SIGMOID
                                                 ? (double)(float)(1 / (1 + exp(-logit)))
                                                 : logit;
    }
    return 0;
}

static int refuse_document(void *context, size_t text, const struct error *why, struct error *err)
{
    const struct model_candidates *candidates = context;
    (void)why;
    (void)err;
    candidates->refused[text] = 1;
    return 0;
}

static int rerank(struct model *model, const struct model_candidates *candidates, double *scores,
                  struct model_usage *usage, struct error *err)
{
    struct local *local = (struct local *)model;
    struct local_call call = {.local = local,
                              .query = &candidates->query,
                              .texts = candidates->documents,
                              .n_texts = candidates->n_documents,
                              .cancel = candidates->cancel,
                              .usage = usage,
                              .refuse = candidates->refused == NULL ? NULL : refuse_document,
                              .context = (void *)candidates};
    struct scoring scoring = {local, scores};
    return local_call_run(&call, put_scores, &scoring, err);
}

/* ---- the model ------------------------------------------------------------------------------- */

static int tokenize(struct model *model, struct span text, const struct cancel *cancel, int ids,
                    struct model_tokens *tokens, struct error *err)
{
    struct local *local = (struct local *)model;
    struct tokenizer_request request = {
        .text = text,
        .without_special = local->methods->without_special,
        .lowers_case = local->config.lowers_case,
        .cancel = cancel,
    };
    struct tokens all;
    int rc = local_load_vocabulary(local, cancel, err);
    if (rc != 0) return rc;
    tokens_init(&all);
    rc = tokenizer_encode(local_tokenizer(local), &request, &all, NULL, err);
    tokens->n = all.n;
    if (rc == 0 && ids) {
        tokens->ids = all.ids;
        all.ids = NULL;
    }
    tokens_deinit(&all);
    return rc;
}

/* Not how far a processor's arithmetic rounds, nor which types and shards the weights lie in. */
static int fingerprint(struct model *model, const struct cancel *cancel, uint64_t *fingerprint,
                       struct error *err)
{
    struct local *local = (struct local *)model;
    const struct local_config *config = &local->config;
    uint64_t hash = local_config_hash(config), of_weights;
    int rc = local_load(local, cancel, err);
    if (rc == 0) rc = local_weights_hash(local, cancel, &of_weights, err);
    if (rc != 0) return rc;
    const uint64_t parts[] = {of_weights, tokenizer_hash(local_tokenizer(local)),
                              (uint64_t)local->precision};
    hash = hash_bytes(parts, sizeof parts, hash);
    *fingerprint = hash == 0 ? 1 : hash;
    return 0;
}

static void free_model(struct model *model)
{
    struct local *local = (struct local *)model;
    local_unload(local);
    memory_free(local->name);
    memory_free(local->folder);
    memory_free(local);
}

static const struct model_methods embedder_methods = {
    .embed = embed, .tokenize = tokenize, .fingerprint = fingerprint, .free = free_model};
static const struct model_methods reranker_methods = {
    .rerank = rerank, .tokenize = tokenize, .free = free_model};

static int check_options(const struct local *local, const struct local_options *options,
                         struct error *err)
{
    const struct local_config *config = &local->config;
    int reranks = options->task == MODEL_RERANK;
    if (reranks && !config->classifies)
        return error_set(
            err, ERROR_INVALID,
            "%s embeds and does not rerank (a reranker is a model for sequence classification)",
            options->name);
    if (!reranks && config->classifies)
        return error_set(err, ERROR_INVALID, "%s reranks and does not embed", options->name);
    if (config->dimensions != 0 && options->dimensions > config->dimensions)
        return error_set(err, ERROR_INVALID, "%s has %zu dimensions, not %zu", options->name,
                         config->dimensions, options->dimensions);
    return 0;
}

int local_new(const struct local_session *session, const struct local_options *options,
              struct model **model, struct error *err)
{
    struct local *local = memory_zalloc(1, sizeof *local);
    *model = NULL;
    if (local == NULL) return error_nomem(err);
    local->session = session;
    local->precision = options->precision;
    local->dimensions = options->dimensions;
    local->name = memory_copy(options->name, strlen(options->name));
    int rc = local->name == NULL ? error_nomem(err) : 0;
    if (rc == 0) rc = local_folder_find(options->model, &local->folder, err);
    if (rc == 0) rc = local_config_read(local->folder, &local->config, err);
    if (rc == 0) rc = check_options(local, options, err);
    if (rc != 0) {
        free_model(&local->model);
        return rc;
    }
    local->methods =
        local->config.architecture->is_static ? &local_static_methods : &local_transformer_methods;
    int reranks = options->task == MODEL_RERANK;
    size_t dimensions = local->dimensions > 0 ? local->dimensions : local->config.dimensions;
    local->model =
        (struct model){.methods = reranks ? &reranker_methods : &embedder_methods,
                       .name = local->name,
                       .dimensions = reranks ? 0 : dimensions,
                       .batch_size = options->batch_size > 0 ? options->batch_size : BATCH_SIZE,
                       .max_tokens = local->config.max_tokens};
    for (int role = MODEL_DOCUMENT; role <= MODEL_QUERY; role++)
        if (local->config.has_prompt[role])
            local->model.prompts[role] = local->config.prompts[role];
    *model = &local->model;
    return 0;
}

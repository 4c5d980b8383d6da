#include "local/transformer.h"

#include "base/file.h"
#include "local/batch.h"
#include "local/overlong.h"
#include "local/resources.h"

static int load_weights(const struct local *local, const struct cancel *cancel, void **weights,
                        struct error *err)
{
    struct local_weights *loaded;
    char folder[FILE_PATH_SIZE];
    local_part_of(local, folder);
    int rc = local_weights_load(folder, &local->config, local->precision, local->session->n_threads,
                                cancel, &loaded, err);
    *weights = loaded;
    return rc;
}

static void free_weights(void *weights)
{
    if (weights != NULL) local_batch_release(weights);
    local_weights_free(weights);
}

static struct local_shape shape(const void *weights)
{
    const struct local_config *config = &((const struct local_weights *)weights)->config;
    return (struct local_shape){config->vocabulary_size,
                                config->classifies ? 1 : config->hidden_size};
}

static struct loading_block *block(void *weights)
{
    return &((struct local_weights *)weights)->block;
}

static int tokenize(const struct local_call *call, struct span text, struct tokens *tokens,
                    struct error *err)
{
    const struct local *local = call->local;
    struct tokenizer_request request = {
        .text = call->query != NULL ? *call->query : text,
        .pair = call->query != NULL ? &text : NULL,
        .max_tokens = local->config.max_tokens,
        .lowers_case = local->config.lowers_case,
        .cancel = call->cancel,
    };
    int is_truncated = 0;
    size_t n_before = tokens->n;
    int rc = tokenizer_encode(local_tokenizer(local), &request, tokens, &is_truncated, err);
    if (rc == 0 && tokens->n == n_before)
        rc = error_set(err, ERROR_INVALID, "the text has no tokens of %s", local->name);
    return rc == 0 && is_truncated ? local_overlong(call, &request, err) : rc;
}

static int compute(const struct local_call *call, struct local_text *texts, size_t n_texts,
                   struct error *err)
{
    return local_batch_run(local_weights_of(call->local), texts, n_texts,
                           call->local->session->n_threads, call->cancel, err);
}

const struct local_methods local_transformer_methods = {
    .load = load_weights,
    .free = free_weights,
    .shape = shape,
    .block = block,
    .tokenize = tokenize,
    .compute = compute,
};

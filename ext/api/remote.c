#include "api/remote.h"

#include "api/cut.h"
#include "api/request.h"
#include "api/run.h"
#include "base/memory.h"

#define SPECIAL_TOKENS 3 /* that a model puts around and between texts, at most */

/* Tokens that are left for a text in which there are so many already, special ones included. */
static size_t room(const struct model *model, size_t taken)
{
    size_t used = taken + SPECIAL_TOKENS;
    return model->max_tokens > used ? model->max_tokens - used : 1;
}

/* Each text to what its prefix leaves. */
static int cut_texts(const struct model *model, const struct model_texts *texts, struct span **cut,
                     struct model_usage *usage, struct error *err)
{
    size_t kept = texts->prefix_size;
    size_t taken = kept == 0 || texts->n_texts == 0
                       ? 0
                       : api_count_tokens((struct span){texts->texts[0].data, kept});
    if (taken > 0 && model->max_tokens <= taken + SPECIAL_TOKENS)
        return error_set(err, ERROR_INVALID,
                         "max_tokens %zu leaves no room for a text behind the prefix, which takes "
                         "%zu with what the model adds: raise max_tokens in rerank_models, or "
                         "shorten the prefix",
                         model->max_tokens, taken + SPECIAL_TOKENS);
    return api_cut_all(texts->texts, texts->n_texts, kept, room(model, taken), cut,
                       &usage->truncated, err);
}

static int embed(struct model *model, const struct model_texts *texts,
                 const struct model_sink *sink, struct model_usage *usage, struct error *err)
{
    struct model_texts request = *texts;
    struct span *cut = NULL;
    int rc = 0;
    if (model->max_tokens != 0) {
        rc = cut_texts(model, texts, &cut, usage, err);
        request.texts = cut;
    }
    if (rc == 0) rc = remote_run_embed((struct remote *)model, &request, sink, usage, err);
    memory_free(cut);
    return rc;
}

static int rerank(struct model *model, const struct model_candidates *candidates, double *scores,
                  struct model_usage *usage, struct error *err)
{
    struct model_candidates request = *candidates;
    struct span *cut = NULL;
    int rc = 0;
    if (model->max_tokens != 0) {
        /* A query takes half of the room at most. Objects cannot be cut: their texts are. */
        request.query = api_cut(candidates->query, model->max_tokens / 2 + 1);
        rc =
            api_cut_all(candidates->documents, candidates->n_documents, 0,
                        room(model, api_count_tokens(request.query)), &cut, &usage->truncated, err);
        request.documents = cut;
        request.objects = NULL;
    }
    if (rc == 0) rc = remote_run_rerank((struct remote *)model, &request, scores, usage, err);
    memory_free(cut);
    return rc;
}

void remote_estimate(const struct model *model, const struct model_texts *texts, size_t *requests,
                     size_t *tokens)
{
    const struct remote *remote = (const struct remote *)model;
    *requests = *tokens = 0;
    for (size_t at = 0; at < texts->n_texts; at += remote_cut(remote, texts, at)) ++*requests;
    for (size_t i = 0; i < texts->n_texts; i++) *tokens += api_estimate_tokens(texts->texts[i]);
}

void remote_forget_key(struct model *model)
{
    struct remote *remote = (struct remote *)model;
    memory_free_secret(remote->key);
    remote->key = NULL;
}

static void free_model(struct model *model)
{
    struct remote *remote = (struct remote *)model;
    remote_forget_key(model);
    memory_free(remote->name);
    memory_free(remote->model_name);
    memory_free(remote->embed_url);
    memory_free(remote->rerank_url);
    memory_free(remote);
}

static const struct model_methods embeds = {.embed = embed, .free = free_model};
static const struct model_methods reranks = {.rerank = rerank, .free = free_model};
static const struct model_methods does_both = {
    .embed = embed, .rerank = rerank, .free = free_model};

int remote_new(struct api_session *session, const struct remote_options *options,
               struct model **model, struct error *err)
{
    const struct api_provider *provider = options->provider;
    struct remote *remote = memory_zalloc(1, sizeof *remote);
    *model = NULL;
    if (remote == NULL) return error_nomem(err);
    size_t most = provider->embed.max_inputs;
    if (most > REMOTE_MAX_TEXTS) most = REMOTE_MAX_TEXTS;
    remote->model.methods = provider->rerank.path == NULL  ? &embeds
                            : provider->embed.path == NULL ? &reranks
                                                           : &does_both;
    remote->model.batch_size = options->batch_size != 0 ? options->batch_size : most;
    remote->model.max_tokens = options->max_tokens;
    remote->max_documents =
        options->batch_size != 0 ? options->batch_size : provider->rerank.max_documents;
    remote->key_from = options->is_registered ? "the api_key of its row in rerank_models" : NULL;
    remote->session = session;
    remote->provider = provider;
    remote->plain = options->plain;
    remote->dimensions = options->dimensions;
    int rc = http_check_url(options->base_url, options->plain, err);
    if (rc == 0 && options->dimensions != 0 && provider->embed.dimensions == NULL)
        rc = error_set(err, ERROR_INVALID, "%s cannot be asked for dimensions", provider->name);
    if (rc == 0 && (!memory_copy_text(options->name, &remote->name) ||
                    !memory_copy_text(options->model, &remote->model_name)))
        rc = error_nomem(err);
    if (rc == 0 && options->key.size > 0) {
        remote->key = memory_copy(options->key.data, options->key.size);
        if (remote->key == NULL) rc = error_nomem(err);
    }
    if (rc == 0) rc = api_url(options->base_url, provider->embed.path, &remote->embed_url, err);
    if (rc == 0) rc = api_url(options->base_url, provider->rerank.path, &remote->rerank_url, err);
    remote->model.name = remote->name;
    if (rc == 0) *model = &remote->model;
    else free_model(&remote->model);
    return rc;
}

#include "model/model.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "text/utf8.h"

static int is_blank(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != ' ' && (text.data[i] < '\t' || text.data[i] > '\r')) return 0;
    return 1;
}

int model_check_text(struct span text, int empty_is_error, struct error *err)
{
    size_t offset = 0;
    if (!utf8_check(text, &offset))
        return error_set(err, ERROR_INVALID, "the text is not valid UTF-8 at byte %zu", offset);
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '\0')
            return error_set(err, ERROR_INVALID, "the text holds a NUL character at byte %zu", i);
    if (empty_is_error && is_blank(text)) return error_set(err, ERROR_INVALID, "the text is empty");
    return 0;
}

int model_embeddings_put(void *context, size_t text, const float *embedding, size_t dimensions,
                         struct error *err)
{
    struct model_embeddings *all = context;
    if (all->vectors == NULL) {
        all->vectors = memory_zalloc(all->n_texts, dimensions * sizeof *all->vectors);
        if (all->vectors == NULL) return error_nomem(err);
        all->dimensions = dimensions;
    }
    if (dimensions != all->dimensions)
        return error_set(err, ERROR_UNAVAILABLE, "expected %zu dimensions, as before, not %zu",
                         all->dimensions, dimensions);
    memcpy(all->vectors + text * dimensions, embedding, dimensions * sizeof *embedding);
    return 0;
}

static int not_finite(const struct model *model, struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, "%s gave a number that is not finite", model->name);
}

/* The caller's sink behind our checks. */
struct checked {
    struct model *model;
    const struct model_sink *sink;
};

static int put_checked(void *context, size_t text, const float *embedding, size_t dimensions,
                       struct error *err)
{
    struct checked *checked = context;
    struct model *model = checked->model;
    if (model->dimensions != 0 && dimensions != model->dimensions)
        return error_set(
            err, ERROR_UNAVAILABLE,
            "%s gave a vector of %zu dimensions, expected %zu as before (of a model that has "
            "changed, a new connection without the old cache file knows nothing)",
            model->name, dimensions, model->dimensions);
    for (size_t i = 0; i < dimensions; i++)
        if (!isfinite(embedding[i])) return not_finite(model, err);
    model->dimensions = dimensions;
    return checked->sink->put(checked->sink->context, text, embedding, dimensions, err);
}

static int end_checked(void *context, struct error *err)
{
    const struct model_sink *sink = ((struct checked *)context)->sink;
    return sink->end == NULL ? 0 : sink->end(sink->context, err);
}

int model_embed(struct model *model, const struct model_texts *texts, const struct model_sink *sink,
                struct model_usage *usage, struct error *err)
{
    struct checked checked = {model, sink};
    struct model_sink checking = {put_checked, end_checked, &checked};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < texts->n_texts; i++)
        rc = model_check_text(texts->texts[i], 1, err);
    if (rc == 0) rc = cancel_check(texts->cancel, err);
    if (rc != 0 || texts->n_texts == 0) return rc;
    return model->methods->embed(model, texts, &checking, usage, err);
}

int model_rerank(struct model *model, const struct model_candidates *candidates, float *scores,
                 struct model_usage *usage, struct error *err)
{
    size_t n = candidates->n_documents, n_missing = 0;
    int rc = model_check_text(candidates->query, 1, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = model_check_text(candidates->documents[i], 0, err);
    if (rc != 0 || n == 0) return rc;
    rc = model->methods->rerank(model, candidates, scores, usage, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (isnan(scores[i])) n_missing++;
        else if (isinf(scores[i])) return not_finite(model, err);
    }
    size_t wanted = candidates->top_n == 0 || candidates->top_n > n ? n : candidates->top_n;
    return rc == 0 && n - n_missing < wanted ? not_finite(model, err) : rc;
}

int model_tokenize(struct model *model, struct span text, const struct cancel *cancel, int ids,
                   struct model_tokens *tokens, struct error *err)
{
    *tokens = (struct model_tokens){0};
    int rc = model_check_text(text, 0, err);
    if (rc != 0) return rc;
    if (model->methods->tokenize == NULL)
        return error_set(err, ERROR_UNAVAILABLE,
                         "%s does not tell its tokens (name a model that begins with local:)",
                         model->name);
    return model->methods->tokenize(model, text, cancel, ids, tokens, err);
}

void model_free(struct model *model)
{
    if (model != NULL) model->methods->free(model);
}

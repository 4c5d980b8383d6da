#include "model/model.h"

#include <math.h>

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

/* What a model gives back is numbers, or it is refused. */
static int check_output(const struct model *model, const float *values, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return error_set(err, ERROR_UNAVAILABLE, "%s gave a number that is not finite",
                             model->name);
    return 0;
}

int model_embed(struct model *model, const struct model_texts *texts, float *embeddings,
                size_t *n_calls, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < texts->n_texts; i++)
        rc = model_check_text(texts->texts[i], 1, err);
    for (size_t at = 0; rc == 0 && at < texts->n_texts; at += model->batch_size) {
        struct model_texts batch = *texts;
        batch.texts += at;
        batch.n_texts =
            texts->n_texts - at < model->batch_size ? texts->n_texts - at : model->batch_size;
        float *out = embeddings + at * model->dimensions;
        if (n_calls != NULL) ++*n_calls;
        rc = cancel_check(texts->cancel, err);
        if (rc == 0) rc = model->methods->embed(model, &batch, out, err);
        if (rc == 0) rc = check_output(model, out, batch.n_texts * model->dimensions, err);
    }
    return rc;
}

int model_rerank(struct model *model, const struct model_candidates *candidates, float *scores,
                 struct error *err)
{
    int rc = model_check_text(candidates->query, 1, err);
    for (size_t i = 0; rc == 0 && i < candidates->n_documents; i++)
        rc = model_check_text(candidates->documents[i], 0, err);
    if (rc != 0 || candidates->n_documents == 0) return rc;
    rc = model->methods->rerank(model, candidates, scores, err);
    return rc == 0 ? check_output(model, scores, candidates->n_documents, err) : rc;
}

void model_free(struct model *model)
{
    if (model != NULL) model->methods->free(model);
}

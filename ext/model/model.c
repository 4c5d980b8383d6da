#include "model/model.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "text/blank.h"
#include "text/utf8.h"

int model_check_text(struct span text, int empty_is_error, struct error *err)
{
    size_t offset = 0;
    if (!utf8_check(text, &offset))
        return error_set(err, ERROR_INVALID, "the text is not valid UTF-8 at byte %zu", offset);
    const char *nul = text.size > 0 ? memchr(text.data, '\0', text.size) : NULL;
    if (nul != NULL)
        return error_set(err, ERROR_INVALID, "the text holds a NUL character at byte %zu",
                         (size_t)(nul - text.data));
    if (empty_is_error && text_is_blank(text))
        return error_set(err, ERROR_INVALID, "the text is empty");
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

int model_check_dimensions(const struct model *model, size_t dimensions, struct error *err)
{
    if (model->dimensions == 0 || dimensions == model->dimensions) return 0;
    return error_set(err, ERROR_UNAVAILABLE,
                     "%s gave a vector of %zu dimensions, expected %zu as before (of a model that "
                     "has changed, a new connection without the old cache file knows nothing)",
                     model->name, dimensions, model->dimensions);
}

/* ---- embedding ------------------------------------------------------------------------------- */

/* The caller's sink behind our checks. */
struct checked {
    struct model *model;
    const struct model_sink *sink;
    struct span *texts; /* [n] what the model gets; owned; NULL: all of the call */
    size_t *numbers;    /* [n] their numbers in the call; owned */
    size_t n;
};

/* `text` is a number of the call. */
static int refuse(const struct model_sink *sink, size_t text, const struct error *why,
                  struct error *err)
{
    if (sink->refuse != NULL) return sink->refuse(sink->context, text, why, err);
    if (err != NULL) *err = *why;
    return why->code;
}

static size_t number_of(const struct checked *checked, size_t text)
{
    return checked->numbers == NULL ? text : checked->numbers[text];
}

static int refuse_checked(void *context, size_t text, const struct error *why, struct error *err)
{
    const struct checked *checked = context;
    return refuse(checked->sink, number_of(checked, text), why, err);
}

static int put_checked(void *context, size_t text, const float *embedding, size_t dimensions,
                       struct error *err)
{
    struct checked *checked = context;
    struct model *model = checked->model;
    int rc = model_check_dimensions(model, dimensions, err);
    if (rc != 0) return rc;
    for (size_t i = 0; i < dimensions; i++) {
        struct error why;
        if (isfinite(embedding[i])) continue;
        not_finite(model, &why);
        return refuse_checked(checked, text, &why, err);
    }
    model->dimensions = dimensions;
    return checked->sink->put(checked->sink->context, number_of(checked, text), embedding,
                              dimensions, err);
}

static int end_checked(void *context, struct error *err)
{
    const struct model_sink *sink = ((struct checked *)context)->sink;
    return sink->end == NULL ? 0 : sink->end(sink->context, err);
}

/* From the first text that is refused on: what the model gets instead of all. */
static int leave_out(struct checked *checked, const struct model_texts *texts, size_t n_before,
                     struct error *err)
{
    checked->texts = memory_alloc(texts->n_texts, sizeof *checked->texts);
    checked->numbers = memory_alloc(texts->n_texts, sizeof *checked->numbers);
    if (checked->texts == NULL || checked->numbers == NULL) return error_nomem(err);
    for (checked->n = 0; checked->n < n_before; checked->n++) {
        checked->texts[checked->n] = texts->texts[checked->n];
        checked->numbers[checked->n] = checked->n;
    }
    return 0;
}

static int check_texts(struct checked *checked, const struct model_texts *texts, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < texts->n_texts; i++) {
        struct error why;
        if (model_check_text(texts->texts[i], 1, &why) != 0) {
            rc = refuse(checked->sink, i, &why, err);
            if (rc == 0 && checked->texts == NULL) rc = leave_out(checked, texts, i, err);
        } else if (checked->texts != NULL) {
            checked->texts[checked->n] = texts->texts[i];
            checked->numbers[checked->n++] = i;
        }
    }
    return rc;
}

int model_embed(struct model *model, const struct model_texts *texts, const struct model_sink *sink,
                struct model_usage *usage, struct error *err)
{
    struct checked checked = {.model = model, .sink = sink};
    struct model_sink checking = {put_checked, end_checked,
                                  sink->refuse == NULL ? NULL : refuse_checked, &checked};
    struct model_texts request = *texts;
    int rc = check_texts(&checked, texts, err);
    if (rc == 0) rc = cancel_check(texts->cancel, err);
    if (checked.texts != NULL) {
        request.texts = checked.texts;
        request.n_texts = checked.n;
    }
    if (rc == 0 && request.n_texts > 0)
        rc = model->methods->embed(model, &request, &checking, usage, err);
    memory_free(checked.texts);
    memory_free(checked.numbers);
    return rc;
}

/* ---- reranking ------------------------------------------------------------------------------- */

/* Scores must be finite; NAN is what did not come, which may be some of them (top_n), or, where
 * refusals have a place, what the model made of that document. */
static int check_scores(const struct model *model, const struct model_candidates *candidates,
                        double *scores, struct error *err)
{
    size_t n = candidates->n_documents, n_missing = 0, n_refused = 0;
    size_t wanted = candidates->top_n == 0 || candidates->top_n > n ? n : candidates->top_n;
    for (size_t i = 0; i < n; i++) {
        if (candidates->refused != NULL && candidates->refused[i]) scores[i] = NAN;
        if (isfinite(scores[i])) continue;
        if (candidates->refused != NULL && (wanted == n || isinf(scores[i])))
            candidates->refused[i] = 1;
        else if (isinf(scores[i])) return not_finite(model, err);
        if (candidates->refused != NULL && candidates->refused[i]) n_refused++;
        else n_missing++;
        scores[i] = NAN;
    }
    if (wanted > n - n_refused) wanted = n - n_refused;
    return n - n_refused - n_missing < wanted ? not_finite(model, err) : 0;
}

static int call_rerank(struct model *model, const struct model_candidates *candidates,
                       double *scores, struct model_usage *usage, struct error *err)
{
    if (candidates->n_documents == 0) return 0;
    int rc = model->methods->rerank(model, candidates, scores, usage, err);
    return rc == 0 ? check_scores(model, candidates, scores, err) : rc;
}

/* The documents that are not refused yet, as candidates of their own. */
struct readable {
    struct span *documents, *objects; /* [n]; owned */
    float *similarities;              /* [n]; owned */
    double *fused;                    /* [n]; owned */
    size_t *title_sizes;              /* [n]; owned */
    double *scores;                   /* [n]; owned */
    unsigned char *refused;           /* [n]; owned */
    size_t *numbers;                  /* [n] of the call; owned */
};

static void readable_deinit(struct readable *readable)
{
    memory_free(readable->documents);
    memory_free(readable->objects);
    memory_free(readable->similarities);
    memory_free(readable->fused);
    memory_free(readable->title_sizes);
    memory_free(readable->scores);
    memory_free(readable->refused);
    memory_free(readable->numbers);
}

static int readable_init(struct readable *readable, const struct model_candidates *candidates,
                         struct model_candidates *some, struct error *err)
{
    size_t n = candidates->n_documents;
    *some = *candidates;
    *readable = (struct readable){.documents = memory_alloc(n, sizeof *readable->documents),
                                  .objects = memory_alloc(n, sizeof *readable->objects),
                                  .similarities = memory_alloc(n, sizeof *readable->similarities),
                                  .fused = memory_alloc(n, sizeof *readable->fused),
                                  .title_sizes = memory_alloc(n, sizeof *readable->title_sizes),
                                  .scores = memory_alloc(n, sizeof *readable->scores),
                                  .refused = memory_zalloc(n, 1),
                                  .numbers = memory_alloc(n, sizeof *readable->numbers)};
    if (readable->documents == NULL || readable->objects == NULL ||
        readable->similarities == NULL || readable->fused == NULL ||
        readable->title_sizes == NULL || readable->scores == NULL || readable->refused == NULL ||
        readable->numbers == NULL)
        return error_nomem(err);
    some->documents = readable->documents;
    some->refused = readable->refused;
    some->n_documents = 0;
    if (candidates->objects != NULL) some->objects = readable->objects;
    if (candidates->similarities != NULL) some->similarities = readable->similarities;
    if (candidates->fused != NULL) some->fused = readable->fused;
    if (candidates->title_sizes != NULL) some->title_sizes = readable->title_sizes;
    for (size_t i = 0; i < n; i++) {
        if (candidates->refused[i]) continue;
        size_t at = some->n_documents++;
        readable->numbers[at] = i;
        readable->documents[at] = candidates->documents[i];
        if (candidates->objects != NULL) readable->objects[at] = candidates->objects[i];
        if (candidates->similarities != NULL)
            readable->similarities[at] = candidates->similarities[i];
        if (candidates->fused != NULL) readable->fused[at] = candidates->fused[i];
        if (candidates->title_sizes != NULL) readable->title_sizes[at] = candidates->title_sizes[i];
    }
    return 0;
}

static int rerank_readable(struct model *model, const struct model_candidates *candidates,
                           double *scores, struct model_usage *usage, struct error *err)
{
    struct readable readable;
    struct model_candidates some;
    int rc = readable_init(&readable, candidates, &some, err);
    if (some.top_n >= some.n_documents) some.top_n = 0;
    if (rc == 0) rc = call_rerank(model, &some, readable.scores, usage, err);
    for (size_t i = 0; rc == 0 && i < some.n_documents; i++) {
        scores[readable.numbers[i]] = readable.scores[i];
        candidates->refused[readable.numbers[i]] = readable.refused[i];
    }
    readable_deinit(&readable);
    return rc;
}

int model_rerank(struct model *model, const struct model_candidates *candidates, double *scores,
                 struct model_usage *usage, struct error *err)
{
    size_t n_refused = 0;
    int may_refuse = candidates->refused != NULL;
    int rc = model_check_text(candidates->query, 1, err);
    for (size_t i = 0; rc == 0 && i < candidates->n_documents; i++) {
        struct error why;
        int refused = model_check_text(candidates->documents[i], may_refuse, &why);
        if (may_refuse) {
            candidates->refused[i] = refused != 0;
            scores[i] = NAN;
            n_refused += refused != 0;
        } else if (refused != 0) {
            if (err != NULL) *err = why;
            rc = refused;
        }
    }
    if (rc != 0) return rc;
    return n_refused == 0 ? call_rerank(model, candidates, scores, usage, err)
                          : rerank_readable(model, candidates, scores, usage, err);
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

int model_fingerprint(struct model *model, const struct cancel *cancel, uint64_t *fingerprint,
                      struct error *err)
{
    *fingerprint = 0;
    return model->methods->fingerprint == NULL
               ? 0
               : model->methods->fingerprint(model, cancel, fingerprint, err);
}

void model_free(struct model *model)
{
    if (model != NULL) model->methods->free(model);
}

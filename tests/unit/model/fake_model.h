/*
 * fake_model.h: a model for tests that remembers how it was called and answers as told.
 *
 * A text's embedding is {its length, its role}; a document's score is its length.
 */
#ifndef TESTS_MODEL_FAKE_MODEL_H
#define TESTS_MODEL_FAKE_MODEL_H

#include <string.h>

#include "model/model.h"

struct fake_model {
    struct model model;
    int n_calls, n_freed;
    size_t n_texts, largest_batch;
    int fail_at;         /* the call that gives ERROR_UNAVAILABLE, from 1; 0: none */
    float answer;        /* not 0: what it gives in place of each length */
    const char *refuses; /* the text that it does not take; NULL: it takes all */
};

static int fake_call(struct fake_model *fake, size_t n, struct error *err)
{
    fake->n_calls++;
    fake->n_texts += n;
    if (n > fake->largest_batch) fake->largest_batch = n;
    if (fake->n_calls == fake->fail_at) return error_set(err, ERROR_UNAVAILABLE, "down");
    return 0;
}

static float fake_number(const struct fake_model *fake, struct span text)
{
    return fake->answer != 0 ? fake->answer : (float)text.size;
}

static int fake_refuses(const struct fake_model *fake, struct span text)
{
    return fake->refuses != NULL && text.size == strlen(fake->refuses) &&
           memcmp(text.data, fake->refuses, text.size) == 0;
}

/* One embedding, or why there is none. */
static int fake_put(const struct fake_model *fake, const struct model_texts *texts, size_t i,
                    const struct model_sink *sink, struct error *err)
{
    float embedding[2] = {fake_number(fake, texts->texts[i]), (float)texts->role};
    struct error why;
    if (!fake_refuses(fake, texts->texts[i])) return sink->put(sink->context, i, embedding, 2, err);
    if (sink->refuse == NULL) return error_set(err, ERROR_REFUSED, "not this one");
    error_set(&why, ERROR_REFUSED, "not this one");
    return sink->refuse(sink->context, i, &why, err);
}

static int fake_embed(struct model *model, const struct model_texts *texts,
                      const struct model_sink *sink, struct model_usage *usage, struct error *err)
{
    struct fake_model *fake = (struct fake_model *)model;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < texts->n_texts; at += model->batch_size) {
        size_t left = texts->n_texts - at, n = left < model->batch_size ? left : model->batch_size;
        usage->requests++;
        rc = fake_call(fake, n, err);
        for (size_t i = at; rc == 0 && i < at + n; i++) rc = fake_put(fake, texts, i, sink, err);
    }
    return rc;
}

static int fake_rerank(struct model *model, const struct model_candidates *candidates,
                       double *scores, struct model_usage *usage, struct error *err)
{
    struct fake_model *fake = (struct fake_model *)model;
    usage->requests++;
    for (size_t i = 0; i < candidates->n_documents; i++) {
        scores[i] = fake_number(fake, candidates->documents[i]);
        if (!fake_refuses(fake, candidates->documents[i])) continue;
        if (candidates->refused == NULL) return error_set(err, ERROR_REFUSED, "not this one");
        candidates->refused[i] = 1;
    }
    return fake_call(fake, candidates->n_documents, err);
}

static void fake_free(struct model *model)
{
    ((struct fake_model *)model)->n_freed++;
}

static struct fake_model fake_new(size_t batch_size)
{
    static const struct model_methods methods = {
        .embed = fake_embed, .rerank = fake_rerank, .free = fake_free};
    return (struct fake_model){
        .model = {
            .methods = &methods, .name = "fake:model", .dimensions = 2, .batch_size = batch_size}};
}

#endif

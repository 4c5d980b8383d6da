/*
 * array_sink.h: embeddings into an array of the test's own, [n_texts, dimensions].
 */
#ifndef TESTS_MODEL_ARRAY_SINK_H
#define TESTS_MODEL_ARRAY_SINK_H

#include <string.h>

#include "model/model.h"

static inline int array_put(void *context, size_t text, const float *embedding, size_t dimensions,
                            struct error *err)
{
    (void)err;
    memcpy((float *)context + text * dimensions, embedding, dimensions * sizeof *embedding);
    return 0;
}

static inline int embed_into(struct model *model, const struct model_texts *texts, float *out,
                             struct error *err)
{
    struct model_sink sink = {.put = array_put, .context = out};
    struct model_usage usage = {0};
    return model_embed(model, texts, &sink, &usage, err);
}

#endif

#include "lexical/lexical.h"

#include "base/memory.h"
#include "lexical/hashing.h"
#include "lexical/latent.h"
#include "lexical/rerank.h"
#include "text/words.h"

#define BATCH_SIZE 256

_Static_assert(LATENT_DIMENSIONS + LATENT_HASHED <= LEXICAL_DIMENSIONS, "an embedding fits");

struct lexical {
    struct model model;
    struct latent *latent; /* owned; NULL in the stateless model */
};

static const struct model_methods lexical_methods;

static int new_model(struct latent *latent, struct model **model, struct error *err)
{
    struct lexical *lexical = memory_zalloc(1, sizeof *lexical);
    *model = NULL;
    if (lexical == NULL) {
        latent_free(latent);
        return error_nomem(err);
    }
    size_t dimensions = latent != NULL ? latent_dimensions(latent) : LEXICAL_DIMENSIONS;
    lexical->model = (struct model){.methods = &lexical_methods,
                                    .name = "builtin:lexical",
                                    .dimensions = dimensions,
                                    .batch_size = BATCH_SIZE};
    lexical->latent = latent;
    *model = &lexical->model;
    return 0;
}

static int embed(struct model *model, const struct model_texts *texts,
                 const struct model_sink *sink, struct model_usage *usage, struct error *err)
{
    struct lexical *lexical = (struct lexical *)model;
    struct features features;
    float embedding[LEXICAL_DIMENSIONS];
    int rc = 0;
    usage->requests += (texts->n_texts + BATCH_SIZE - 1) / BATCH_SIZE;
    features_init(&features, texts->cancel);
    for (size_t i = 0; rc == 0 && i < texts->n_texts; i++) {
        rc = features_extract(&features, texts->texts[i], err);
        if (rc != 0) break;
        if (lexical->latent != NULL) rc = latent_embed(lexical->latent, &features, embedding, err);
        else rc = hashing_embed(&features, embedding, model->dimensions, err);
        if (rc == 0) rc = sink->put(sink->context, i, embedding, model->dimensions, err);
        if (rc == 0 && i % 32 == 31) rc = cancel_check(texts->cancel, err);
    }
    features_deinit(&features);
    return rc;
}

static int rerank(struct model *model, const struct model_candidates *candidates, double *scores,
                  struct model_usage *usage, struct error *err)
{
    struct lexical *lexical = (struct lexical *)model;
    usage->requests++;
    return lexical_rerank(lexical->latent != NULL ? latent_statistics(lexical->latent) : NULL,
                          candidates, scores, err);
}

static int fit(struct model *model, const struct model_collection *collection,
               struct model **fitted, struct error *err)
{
    (void)model;
    struct latent *latent;
    int rc = latent_fit(collection, &latent, err);
    return rc == 0 ? new_model(latent, fitted, err) : rc;
}

static int save(struct model *fitted, struct buffer *bytes, struct error *err)
{
    return latent_save(((struct lexical *)fitted)->latent, bytes, err);
}

static int load(struct model *model, struct span bytes, struct model **fitted, struct error *err)
{
    (void)model;
    struct latent *latent;
    int rc = latent_load(bytes, &latent, err);
    return rc == 0 ? new_model(latent, fitted, err) : rc;
}

/* Words are its tokens, and they have no numbers. */
static int tokenize(struct model *model, struct span text, const struct cancel *cancel, int ids,
                    struct model_tokens *tokens, struct error *err)
{
    struct words words;
    if (ids)
        return error_set(err, ERROR_UNAVAILABLE,
                         "%s has no token ids (name a model that begins with local:)", model->name);
    words_init(&words, cancel);
    int rc = words_split(&words, text, err);
    tokens->n = rc == 0 ? words.n : 0;
    words_deinit(&words);
    return rc;
}

static void free_model(struct model *model)
{
    latent_free(((struct lexical *)model)->latent);
    memory_free(model);
}

static const struct model_methods lexical_methods = {.embed = embed,
                                                     .rerank = rerank,
                                                     .fit = fit,
                                                     .save = save,
                                                     .load = load,
                                                     .tokenize = tokenize,
                                                     .free = free_model};

int lexical_new(struct model **model, struct error *err)
{
    return new_model(NULL, model, err);
}

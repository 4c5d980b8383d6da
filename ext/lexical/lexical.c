#include "lexical/lexical.h"

#include "base/memory.h"
#include "lexical/fused_rerank.h"
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

static enum words_rules rules_of(const struct lexical *lexical)
{
    return lexical->latent == NULL ? WORDS_NOW : latent_rules(lexical->latent);
}

static int new_model(struct latent *latent, int refits, struct model **model, struct error *err)
{
    struct lexical *lexical = memory_zalloc(1, sizeof *lexical);
    *model = NULL;
    if (lexical == NULL) {
        latent_free(latent);
        return error_nomem(err);
    }
    size_t dimensions = latent != NULL ? latent_dimensions(latent) : LEXICAL_DIMENSIONS;
    lexical->model = (struct model){.methods = &lexical_methods,
                                    .name = refits ? "builtin:lsa" : "builtin:lexical",
                                    .dimensions = dimensions,
                                    .batch_size = BATCH_SIZE,
                                    .refits = refits};
    lexical->latent = latent;
    lexical->model.is_of_old_rules = rules_of(lexical) != WORDS_NOW;
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
    features_init(&features, rules_of(lexical), texts->cancel);
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
    if (candidates->fused != NULL || (candidates->similarities != NULL && lexical->latent == NULL))
        return lexical_fused_rerank(rules_of(lexical), candidates, scores, err);
    return lexical_rerank(lexical->latent != NULL ? latent_statistics(lexical->latent) : NULL,
                          rules_of(lexical), candidates, scores, err);
}

static int fit(struct model *model, const struct model_collection *collection,
               struct model **fitted, struct error *err)
{
    struct latent *latent;
    int rc = latent_fit(collection, &latent, err);
    return rc == 0 ? new_model(latent, model->refits, fitted, err) : rc;
}

static int save(struct model *fitted, struct buffer *bytes, struct error *err)
{
    return latent_save(((struct lexical *)fitted)->latent, bytes, err);
}

static int load(struct model *model, struct span bytes, struct model **fitted, struct error *err)
{
    struct latent *latent;
    int rc = latent_load(bytes, &latent, err);
    return rc == 0 ? new_model(latent, model->refits, fitted, err) : rc;
}

/* Words are its tokens, and they have no numbers. */
static int tokenize(struct model *model, struct span text, const struct cancel *cancel, int ids,
                    struct model_tokens *tokens, struct error *err)
{
    struct words words;
    if (ids)
        return error_set(err, ERROR_UNAVAILABLE,
                         "%s has no token ids (name a model that begins with local:)", model->name);
    words_init(&words, rules_of((struct lexical *)model), cancel);
    int rc = words_split(&words, text, err);
    tokens->n = rc == 0 ? words.n - words.n_beside : 0;
    words_deinit(&words);
    return rc;
}

/* Terms, words or n-grams, that a text has too, or that the fit kept. */
static int has_sense(struct model *model, struct span query, const struct span *texts,
                     size_t n_texts, const struct cancel *cancel, int *has, struct error *err)
{
    const struct lexical *lexical = (struct lexical *)model;
    struct features asked, features;
    features_init(&asked, rules_of(lexical), cancel);
    features_init(&features, rules_of(lexical), cancel);
    int rc = features_extract(&asked, query, err);
    *has = rc == 0 && lexical->latent != NULL && latent_knows(lexical->latent, &asked);
    for (size_t i = 0; rc == 0 && !*has && i < n_texts; i++) {
        rc = features_extract(&features, texts[i], err);
        if (rc == 0) *has = features_meet(&asked, &features);
    }
    features_deinit(&asked);
    features_deinit(&features);
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
                                                     .has_sense = has_sense,
                                                     .free = free_model};

int lexical_new(struct model **model, struct error *err)
{
    return new_model(NULL, 0, model, err);
}

int lexical_new_lsa(struct model **model, struct error *err)
{
    return new_model(NULL, 1, model, err);
}

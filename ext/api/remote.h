/*
 * remote.h: a model behind an HTTP API, as a model like any other.
 *
 * The key is a copy of our own, sent to the base URL it came with and nowhere else, never part of
 * an error, and wiped when the model is freed.
 */
#ifndef API_REMOTE_H
#define API_REMOTE_H

#include "api/provider.h"
#include "api/session.h"
#include "model/model.h"

struct remote_options {
    const struct api_provider *provider;
    const char *name;     /* of the model: for errors and for the index */
    const char *model;    /* as the provider calls it */
    const char *base_url; /* checked with http_check_url(base_url, plain) */
    struct span key;      /* empty: none */
    int plain;            /* http:// to another machine is meant */
    int is_registered;    /* a key is given with this model, not by the environment */
    size_t dimensions;    /* asked for; 0: the model's own */
    size_t batch_size;    /* texts, or documents, a request; 0: as run.h says */
    size_t max_tokens;    /* of a text, or of query and document: what is longer is cut (cut.h);
                             0: nothing is */
};

/* The model's methods are for model.h alone, which gives every sink an `end`. Texts are copied; the
 * session is borrowed for the model's life. ERROR_NOMEM; ERROR_INVALID for a URL or dimensions that
 * cannot be had. */
int remote_new(struct api_session *session, const struct remote_options *options,
               struct model **model, struct error *err);

/* Wipes the model's key: what still uses the model is refused by the provider. */
void remote_forget_key(struct model *model);

/* How many requests these texts would be, and tokens, estimated. */
void remote_estimate(const struct model *model, const struct model_texts *texts, size_t *requests,
                     size_t *tokens);

#endif

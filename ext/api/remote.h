/*
 * remote.h: a model behind an HTTP API, as a model like any other.
 *
 * Texts are cut into requests by the provider's limits: texts, tokens (estimated), bytes; several
 * are in flight at once, and an answer's vectors go to the sink when it comes. Answers that may
 * heal are asked for again (http/http.h says after which delay), an answer that is broken once.
 * Documents to be reranked go in one request, or in several where there are more than the provider
 * takes in one.
 *
 * Refusals. A request that is too large for the provider (413, or the answer says so) is halved. A
 * request that is refused for what is in it (400, 413 and 422 whatever they say, 500 with words for
 * a number that is none or a text too long, twice an answer with such a number) is halved too, down
 * to the single text, which is then refused alone (model.h); all others are embedded: one text
 * among n costs some 2 log2(n) requests more. But the same answers come when everything is refused,
 * by a wrong model or a key that is no longer good, and halves would be hundreds of requests that
 * fail. So the first refusal of a call in which nothing was answered yet, and each that follows 16
 * refusals without an answer between, waits: one request with a plain word (PLAIN_TEXT) asks
 * whether the provider answers at all, and where that is refused too, up to four with one of the
 * texts each. If any is answered, the refused texts are to blame; if none is, the refusal is the
 * error of the call, after as many requests as were in flight and five. A call of a single text
 * whose caller takes no refusals asks nothing more: both are the same to it.
 *
 * How many texts a provider takes is learnt where both halves of a refused request are taken and
 * none so large was: requests are no larger then, until a hundred of that size were answered.
 *
 * A request holds at most REMOTE_MAX_TEXTS texts (or what the user set as batch_size), and as many
 * vectors as are read within the time in which a cancellation must be heard: more would save no
 * time, as requests run side by side.
 *
 * The key is a copy of our own, sent to the base URL it came with and nowhere else, never part of
 * an error, and wiped when the model is freed.
 */
#ifndef API_REMOTE_H
#define API_REMOTE_H

#include "api/provider.h"
#include "api/session.h"
#include "model/model.h"

#define REMOTE_MAX_TEXTS 128
#define REMOTE_MAX_NUMBERS 200000 /* of vectors in an answer */
#define REMOTE_MAX_BYTES 1500000  /* of texts in a request, but for a single one */

struct remote_options {
    const struct api_provider *provider;
    const char *name;     /* of the model: for errors and for the index */
    const char *model;    /* as the provider calls it */
    const char *base_url; /* checked with http_check_url(base_url, plain) */
    const char *key;      /* or NULL */
    int plain;            /* http:// to another machine is meant */
    int is_registered;    /* URL or key were given for this model, not by the environment */
    size_t dimensions;    /* asked for; 0: the model's own */
    size_t batch_size;    /* texts, or documents, a request; 0: as above */
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

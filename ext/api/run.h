/*
 * run.h: the requests of one call to a remote model, from texts to answers.
 *
 * Texts are cut into requests by the provider's limits: texts, tokens (estimated), bytes; several
 * are in flight at once, and an answer's vectors go to the sink when it comes. Answers that may
 * heal are asked for again (http/http.h says after which delay), one that is broken once.
 * Documents to be reranked go in one request, or in several where there are more than the provider
 * takes in one.
 *
 * Refusals. A request that is too large for the provider (413, or the answer says so) is cut into
 * such as it says that it takes (limit.h), or halved. A request that is refused for what is in it
 * (400, 413 and 422 whatever they say, 500 with words for a number that is none or a text too long,
 * twice an answer that does not hold what was asked for: an item too few or too many, an index
 * twice, a vector of another length, a number that is none) is halved too, down to the single text,
 * which is then refused alone (model.h); all others are embedded: one text among n costs some
 * 2 log2(n) requests more. But the same answers come when everything is refused,
 * by a wrong model or a key that is no longer good, and halves would be hundreds of requests that
 * fail. So the first refusal of a call in which nothing was answered yet, and each that follows 16
 * refusals without an answer between, waits: one request with a plain word (PLAIN_TEXT) asks
 * whether the provider answers at all, and where that is refused too, up to four with one of the
 * texts each. If any is answered, the refused texts are to blame; if none is, the refusal is the
 * error of the call, after as many requests as were in flight and five. So a call of a single text
 * knows, too, whether the text is to blame (ERROR_REFUSED) or the provider (ERROR_UNAVAILABLE).
 *
 * How many texts a provider takes is learnt where it tells, and where both halves of a refused
 * request are taken and none so large was: requests are no larger then, until a hundred of that
 * size were answered.
 *
 * A request holds at most REMOTE_MAX_TEXTS texts (or what the user set as batch_size), and as many
 * vectors as are read within the time in which a cancellation must be heard: more would save no
 * time, as requests run side by side.
 */
#ifndef API_RUN_H
#define API_RUN_H

#include "api/provider.h"
#include "api/session.h"
#include "model/model.h"

#define REMOTE_MAX_TEXTS 128
#define REMOTE_MAX_NUMBERS 200000 /* of vectors in an answer */
#define REMOTE_MAX_BYTES 1500000  /* of texts in a request, but for a single one */

/* A model, and what was learnt of its provider; made by remote.h. */
struct remote {
    struct model model; /* first */
    struct api_session *session;
    const struct api_provider *provider;
    char *name, *model_name, *key; /* owned; key may be NULL */
    char *embed_url, *rerank_url;  /* owned; NULL: it does not do that */
    int plain;
    size_t dimensions;    /* asked for, or 0 */
    size_t max_documents; /* in a request */
    size_t largest;       /* items of a request that was answered */
    size_t most;          /* items that it takes in a request, as was learnt; 0: nothing was */
    unsigned n_right;     /* answers to so many, since */
    const char *key_from; /* see response.h */
};

/* As the methods of model.h. */
int remote_run_embed(struct remote *remote, const struct model_texts *texts,
                     const struct model_sink *sink, struct model_usage *usage, struct error *err);
int remote_run_rerank(struct remote *remote, const struct model_candidates *candidates,
                      double *scores, struct model_usage *usage, struct error *err);

/* How many of the texts from `first` on go into one request. */
size_t remote_cut(const struct remote *remote, const struct model_texts *texts, size_t first);

#endif

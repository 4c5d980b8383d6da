/*
 * request.h: the bytes of a request. Pure: no network, no state.
 *
 * Bodies are compact JSON in raw UTF-8; control characters are escaped, "/" and what is beyond
 * ASCII are not. Members come in the order: model, input (or query, documents), what the row adds.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "api/provider.h"
#include "base/buffer.h"
#include "base/error.h"
#include "model/model.h"

struct api_embed_request {
    const struct api_provider *provider;
    const char *model;
    const struct span *texts; /* [n_texts], 1 or more, valid UTF-8 */
    size_t n_texts;
    enum model_role role;
    size_t dimensions; /* asked for; 0: not asked */
};

struct api_rerank_request {
    const struct api_provider *provider;
    const char *model;
    struct span query;
    const struct span *documents; /* [n_documents], 1 or more, valid UTF-8: texts; or, with
                                     `objects`, JSON objects */
    size_t n_documents;
    int objects;             /* only where api_provider_takes_objects */
    struct span rank_fields; /* comma-separated names; empty: none; only with objects */
    size_t top_n;            /* 0: all. Not sent where the provider has no limit: all come then */
};

/* Appends the body. ERROR_NOMEM; ERROR_INVALID when a document is not a JSON object, the provider
 * has no way to do what is asked (the task, dimensions, objects), or the buffer is too small. What
 * was appended until then stays. */
int api_embed_body(const struct api_embed_request *request, struct buffer *body, struct error *err);
int api_rerank_body(const struct api_rerank_request *request, struct buffer *body,
                    struct error *err);

/* Appends a text as a JSON string, with its quotes. */
int api_json_string(struct span text, struct buffer *body, struct error *err);

/* *url: base and path joined by exactly one '/', for memory_free; NULL after an error, and where
 * the path is NULL. ERROR_NOMEM. */
int api_url(const char *base_url, const char *path, char **url, struct error *err);

/* Tokens of a text, estimated: 1 for 4 bytes of a script with spaces, 1 for a character of one
 * without; never 0. */
size_t api_estimate_tokens(struct span text);

#endif

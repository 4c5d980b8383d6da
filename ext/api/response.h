/*
 * response.h: what an answer says. Pure: bytes in, numbers or an error out.
 *
 * An answer is read as hostile input: any bytes, any depth, any size up to what http/ let through.
 * Under status 200 all of it is validated: as many items as texts, each index an integer in range
 * and none twice, some with and some without index is an error, vectors of equal length, not empty,
 * of finite numbers, in the asked length; scores finite. A vector is an array of numbers or a base64
 * text of little-endian float32: decided by what came.
 */
#ifndef API_RESPONSE_H
#define API_RESPONSE_H

#include "api/provider.h"
#include "base/error.h"
#include "base/span.h"

#include <stdint.h>

/* What an answer means for who sent the request. */
enum api_outcome {
    API_OK,
    API_BROKEN,    /* 200, but not a valid answer: worth one more try */
    API_BUSY,      /* 429 and kin: everybody waits */
    API_RETRY,     /* may heal */
    API_TOO_LARGE, /* more than one text: halve the batch */
    API_FAILED     /* for good */
};

/* Vectors into *vectors [n_texts, *dimensions], allocated, the caller frees; *dimensions in: the
 * length wanted or 0; out: the length that came. *tokens: usage, or -1. API_OK, or API_BROKEN and
 * err says what is wrong ("expected 3 vectors, not 2"), or API_FAILED with ERROR_NOMEM. */
enum api_outcome api_parse_embeddings(const struct api_provider *provider, struct span body,
                                      size_t n_texts, size_t *dimensions, float **vectors,
                                      int64_t *tokens, struct error *err);

/* Scores into scores [n_documents]; with a limit (top_n above 0) those that did not come are NAN. */
enum api_outcome api_parse_scores(const struct api_provider *provider, struct span body,
                                  size_t n_documents, size_t top_n, float *scores, int64_t *tokens,
                                  struct error *err);

/* What an answer with another status than 200 (or an error object under 200) means; err gets
 * "HTTP 401: message (cure)": the provider's message with `key` (may be NULL) and every other text
 * that looks like a key scrubbed, control characters gone, clipped to 200 bytes, nothing of HTML.
 * Cures: 401 and 403 name the key's variable; model_not_available says what else can be done. */
enum api_outcome api_parse_failure(const struct api_provider *provider, int status,
                                   struct span body, size_t n_texts, const char *key,
                                   struct error *err);

#endif

/*
 * response.h: what an answer says. Pure: bytes in, numbers or an error out.
 *
 * An answer is read as hostile input: any bytes, any depth; its size must have been bounded before
 * (json.h says how much memory reading takes). Under status 200 all that is used of it is
 * validated: as many items as texts, each index an integer in range and none twice, some with and
 * some without index is an error, vectors of equal length, not empty, of finite numbers, in the
 * asked length; scores finite. What is not used (echoed documents, names, ids) may hold anything,
 * bytes that are not UTF-8 included. A vector is an array of numbers or a base64 text of
 * little-endian float32: decided by what came. No SDK checks all that.
 *
 * Reading numbers takes half a microsecond and 80 bytes each, without a look at a cancellation
 * token: 100 vectors of 1024 are 50 ms and 8 MB. Who sends batches keeps them small enough.
 */
#ifndef API_RESPONSE_H
#define API_RESPONSE_H

#include <stddef.h>
#include <stdint.h>

#include "api/provider.h"
#include "base/error.h"
#include "base/json.h"
#include "base/span.h"

/* What an answer means for who sent the request. */
enum api_outcome {
    API_OK,
    API_BROKEN, /* 200, but not what was asked for: no JSON, too few, too many, one twice, unequal
                    lengths, no finite number, an error. Worth one more try; then some text's own
                    fault, it may be */
    API_BUSY,   /* 429, 503, 529: everybody waits */
    API_RETRY,  /* may heal */
    API_TOO_LARGE, /* more than one text: halve the batch */
    API_REFUSED,   /* a text's fault, it may be, or everything's: run.h */
    API_FAILED     /* for good */
};

/* An answer, and what was asked. */
struct api_answer {
    const struct api_provider *provider;
    const char *model;    /* or NULL */
    const char *key;      /* that was sent: never in an error's text; or NULL */
    const char *url;      /* that was asked; or NULL */
    int status;           /* of HTTP */
    struct span body;     /* decoded */
    size_t n_texts;       /* texts, or documents, that were sent; 1 or more */
    const char *key_from; /* where a right key would be set; NULL: the provider's variable */
};

/* Vectors into *vectors [n_texts, *dimensions], allocated, the caller frees; NULL unless API_OK.
 * *dimensions in: the length wanted or 0; out: the length that came. *tokens: usage, or -1. API_OK;
 * API_BROKEN and err says what is wrong ("expected 3 vectors, not 2"); API_FAILED
 * with ERROR_NOMEM; any outcome of api_parse_failure when the status is not 200 or the answer is an
 * error. Errors other than ERROR_NOMEM are ERROR_UNAVAILABLE. */
enum api_outcome api_parse_embeddings(const struct api_answer *answer, size_t *dimensions,
                                      float **vectors, int64_t *tokens, struct error *err);

/* Scores into scores [n_texts], in the order of the documents; with a limit (top_n above 0) those
 * that did not come are NAN. Outcomes as above. */
enum api_outcome api_parse_scores(const struct api_answer *answer, size_t top_n, double *scores,
                                  int64_t *tokens, struct error *err);

/* The tree of an answer under status 200 that is no error, for cJSON_Delete (*root NULL: there is
 * none), and in it the array at the JSON pointer `place`. Outcomes as above. */
enum api_outcome api_read_answer(const struct api_answer *answer, const char *place, cJSON **root,
                                 const cJSON **items, struct error *err);

/* The first number of tokens above 0 at these JSON pointers; -1: none. */
int64_t api_read_tokens(const cJSON *root, const char *const places[2]);

/* What an answer with another status than 200 (or an error object under 200) means; err gets
 * "HTTP 401: message (cure)": the provider's message, or ours where it sent none, with the key and
 * every other text that looks like a key scrubbed, control characters gone, clipped to 200 bytes,
 * nothing of HTML. Cures: 401, 403 and 498 name the key's variable; a model that is offered on
 * dedicated endpoints only says what else can be done; where the address may be wrong (404, 405, a
 * redirection) it is shown. */
enum api_outcome api_parse_failure(const struct api_answer *answer, struct error *err);

/* The message of an error, wherever its provider puts it; NULL: none. */
const char *api_error_message(const cJSON *root);

/* After API_TOO_LARGE: how many texts the provider says that it takes, fewer than were sent; 0: it
 * does not say (limit.h). */
size_t api_failure_limit(const struct api_answer *answer);

#endif

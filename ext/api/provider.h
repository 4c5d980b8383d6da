/*
 * provider.h: every remote provider, one row each.
 *
 * A row says how a provider's HTTP API differs from the others: addresses, names of fields, places
 * of results, limits. remote.h, request.h, response.h and failure.h read rows and know no provider
 * by name: one that differs in nothing else is a row in provider.c.
 *
 * The same everywhere: POST of a JSON object, the key as a bearer token, "model" for the model,
 * "query" for the query, "index" for the place of a result in the request.
 *
 * Sources: the vendors' API references and SDKs of 2026; what a row does not name is never sent,
 * as some providers refuse unknown fields.
 */
#ifndef API_PROVIDER_H
#define API_PROVIDER_H

#include <stddef.h>

#include "base/rounding.h"

/* How a text is marked as query or document. */
struct api_role {
    const char *field; /* NULL: not at all, a prefix of the model's does it */
    const char *query, *document;
};

/* A flat member that is always sent as it is: a JSON value in text form, e.g. "\"float\"" or
 * "true". */
struct api_constant {
    const char *field; /* NULL: none */
    const char *value;
};

struct api_embed_form {
    const char *path;       /* "/embeddings"; NULL: does not embed */
    const char *input;      /* "input", "texts", "inputs" */
    const char *dimensions; /* field for a wanted length; NULL: cannot be asked for */
    struct api_role role;
    struct api_constant encoding, truncation, unit_length;
    /* Places in the answer. */
    const char *items;    /* JSON pointer to the array; "" is the root */
    const char *vector;   /* member of an item; NULL: the item itself, in the order of the texts */
    const char *usage[2]; /* JSON pointers to a number of tokens, the first above 0 counts; NULL:
                             none in the body */
    size_t max_inputs;    /* texts a request */
    size_t max_tokens;    /* tokens a request, of the provider's strictest model; 0: not known */
};

struct api_rerank_form {
    const char *path;                        /* NULL: does not rerank */
    const char *documents;                   /* "documents", "input", "texts" */
    const char *limit;                       /* "top_n", "top_k"; NULL: none, all scores come */
    struct api_constant no_echo, truncation; /* no_echo: documents shall not come back */
    int takes_objects;        /* documents may be objects, with rank_fields; see object_model */
    const char *object_model; /* the one model that takes objects; NULL: every one, if any */
    const char *items, *score;
    const char *usage[2]; /* as in api_embed_form */
    size_t max_documents;
};

/* A chat model that ranks documents when it is asked to: chat.h. */
struct api_chat_form {
    const char *path;  /* "/chat/completions"; NULL: it is no chat model */
    size_t max_tokens; /* of a request: what even a small model there reads, with room to answer */
};

struct api_provider {
    const char *name;       /* "together" */
    const char *kin;        /* another row, whose variable holds its base URL too; NULL: none */
    const char *base_url;   /* "https://api.together.ai/v1" */
    const char *other_base; /* how a base URL of another API of the same server ends, which is no
                               part of this one's; NULL: there is none */
    const char *key_env;    /* "TOGETHER_API_KEY" */
    int needs_key;          /* else a key is sent only if there is one */
    int sends_model;        /* tei has no such field */
    int retries_500;        /* a status of 500 may heal */
    int reset_is_seconds;   /* x-ratelimit-reset says how many seconds to wait */
    struct api_embed_form embed;
    struct api_rerank_form rerank;
    struct api_chat_form chat; /* of a row that does nothing else */
};

/* All rows, sorted by name: *n of them. Static. */
const struct api_provider *api_providers(size_t *n);

/* The row of that name (bytes, not NUL terminated); NULL: none. */
const struct api_provider *api_provider_find(const char *name, size_t size);

/* Whether this model of the provider reranks objects as they are; else the caller makes texts of
 * them. */
int api_provider_takes_objects(const struct api_provider *provider, const char *model);

#endif

/*
 * endpoint.h: where a remote model is, and with which key.
 *
 * A base URL is, in this order: the one that was given for the model; the variable
 * <PROVIDER>_BASE_URL ("TOGETHER_BASE_URL", "OLLAMA_BASE_URL", '-' as '_'), of a chat model
 * ("together-chat") then that of the same provider's other models; the provider's own. A
 * key is the one that was given for the model; or the provider's variable, but that one goes only
 * to where the provider is without a URL given: another host never gets it.
 *
 * A base URL is read as it was meant. White space around it and slashes at its end are no part of
 * it, nor is the path of a whole endpoint ("/embeddings"; but "/embed/" with a slash is a base).
 * What has no path, or that of another API of the same server (the row's other_base), gets the
 * provider's ("/v1"); any other path stays as it is.
 *
 * SQL in a database file (a view, a trigger, an index) can name any model. So a provider answers
 * only if the application has set it up: by the key it needs, by its variable for the base URL, or
 * in SQL that no file can run (INSERT INTO rerank_models, rerank_config), which is `trusted`.
 * Nobody's local servers are called because a file says so.
 */
#ifndef CATALOG_ENDPOINT_H
#define CATALOG_ENDPOINT_H

#include "api/provider.h"
#include "base/error.h"
#include "base/span.h"

#define ENDPOINT_URL_SIZE 2048

struct endpoint {
    char base_url[ENDPOINT_URL_SIZE];
    struct span key;  /* without white space around it; borrowed: from the environment or what was
                           given; empty: none */
    int key_is_usual; /* it is from the environment */
    int plain;        /* http:// is meant, wherever that is */
};

/* url and key: what was given for the model, or NULL. ERROR_INVALID says how to set up what is not,
 * or what is wrong with a URL or a key, and where it was set. */
int endpoint_resolve(const struct api_provider *provider, const char *url, const char *key,
                     int trusted, struct endpoint *endpoint, struct error *err);

#endif

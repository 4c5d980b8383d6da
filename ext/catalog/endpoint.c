#include "catalog/endpoint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/environment.h"
#include "http/http.h"

static void make_variable(const char *provider, char *out, size_t size)
{
    snprintf(out, size, "%s_BASE_URL", provider);
    for (char *p = out; *p != '\0'; p++) *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

void endpoint_variable(const struct api_provider *provider, char *out, size_t size)
{
    make_variable(provider->name, out, size);
}

/* The value of the provider's variable, or of its kin's; NULL: neither is set. variable [size]: the
 * name of the one that is, else the provider's own. */
static const char *base_url_set(const struct api_provider *provider, char *variable, size_t size)
{
    char kin[64];
    endpoint_variable(provider, variable, size);
    const char *value = environment_value(variable);
    if (value != NULL || provider->kin == NULL) return value;
    make_variable(provider->kin, kin, sizeof kin);
    value = environment_value(kin);
    if (value != NULL) snprintf(variable, size, "%s", kin);
    return value;
}

/* *same: whether both are of one scheme, host and port; of a URL that is none, that cannot be. */
static int have_same_origin(const char *one_url, const char *other_url, int *same,
                            struct error *err)
{
    char one[HTTP_ORIGIN_SIZE], other[HTTP_ORIGIN_SIZE];
    int rc = http_origin(one_url, one, sizeof one, NULL);
    if (rc == 0) rc = http_origin(other_url, other, sizeof other, NULL);
    *same = rc == 0 && strcmp(one, other) == 0;
    return rc == ERROR_NOMEM ? error_nomem(err) : 0;
}

int endpoint_resolve(const struct api_provider *provider, const char *url, const char *key,
                     int trusted, struct endpoint *endpoint, struct error *err)
{
    char variable[64];
    const char *from_variable = base_url_set(provider, variable, sizeof variable),
               *set_key = environment_value(provider->key_env);
    const char *usual = from_variable != NULL ? from_variable : provider->base_url;
    *endpoint = (struct endpoint){url != NULL ? url : usual, key, url != NULL || from_variable};
    int rc = http_check_url(endpoint->base_url, endpoint->plain, err);
    if (rc == 0 && strchr(endpoint->base_url, '?') != NULL)
        rc = error_set(err, ERROR_INVALID, "the URL holds a query: give it up to the path");
    int is_usual = url == NULL;
    if (rc != 0 && is_usual) error_context(err, "%s", variable);
    if (rc == 0 && !is_usual) rc = have_same_origin(url, usual, &is_usual, err);
    if (rc != 0) return rc;
    if (key == NULL && set_key != NULL && is_usual) endpoint->key = set_key;
    if (endpoint->key == NULL && provider->needs_key && url == NULL)
        return error_set(err, ERROR_INVALID,
                         "%s: no API key (set %s, or INSERT INTO rerank_models(name, provider, "
                         "model, api_key) ...)",
                         provider->name, provider->key_env);
    /* A key that a provider of this machine may have, but need not, sets nothing up. */
    if (!provider->needs_key && !trusted && url == NULL && from_variable == NULL)
        return error_set(err, ERROR_INVALID,
                         "%s is not set up (set %s, or INSERT INTO rerank_models(name, provider, "
                         "model) VALUES ('a name of yours', '%s', 'the model'))",
                         provider->name, variable, provider->name);
    return 0;
}

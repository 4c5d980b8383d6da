#include "catalog/endpoint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/environment.h"
#include "http/http.h"

static void make_variable(const char *provider, char *out, size_t size)
{
    snprintf(out, size, "%s_BASE_URL", provider);
    for (char *p = out; *p != '\0'; p++) *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

/* "TOGETHER_BASE_URL" into out [size]. */
static void name_variable(const struct api_provider *provider, char *out, size_t size)
{
    make_variable(provider->name, out, size);
}

/* Without the white space around it, which comes along when it is copied, or read from a file; NULL
 * is empty. */
static struct span trimmed(const char *text)
{
    static const char blanks[] = " \t\r\n\v\f";
    struct span span = {text, text == NULL ? 0 : strlen(text)};
    while (span.size > 0 && strchr(blanks, span.data[0]) != NULL) span.data++, span.size--;
    while (span.size > 0 && strchr(blanks, span.data[span.size - 1]) != NULL) span.size--;
    return span;
}

/* The value of the provider's variable, or of its kin's; empty: neither is set. variable [size]:
 * the name of the one that is, else the provider's own. */
static struct span base_url_set(const struct api_provider *provider, char *variable, size_t size)
{
    char kin[64];
    name_variable(provider, variable, size);
    struct span value = trimmed(environment_value(variable));
    if (value.size > 0 || provider->kin == NULL) return value;
    make_variable(provider->kin, kin, sizeof kin);
    value = trimmed(environment_value(kin));
    if (value.size > 0) snprintf(variable, size, "%s", kin);
    return value;
}

/* ---- URLs ------------------------------------------------------------------------------------ */

/* Where the path begins, or the end. */
static char *path_of(char *url)
{
    char *scheme = strstr(url, "://");
    char *path = strchr(scheme == NULL ? url : scheme + 3, '/');
    return path == NULL ? url + strlen(url) : path;
}

static void drop_slashes(char *url)
{
    char *path = path_of(url);
    size_t size = strlen(path);
    while (size > 0 && path[size - 1] == '/') path[--size] = '\0';
}

/* Takes `end` ("/embeddings"; NULL or "": nothing) off the path, if it ends so and, before that,
 * with `before`. */
static int drop_end(char *url, const char *before, const char *end)
{
    char whole[128];
    char *path = path_of(url);
    if (end == NULL || end[0] == '\0') return 0;
    snprintf(whole, sizeof whole, "%s%s", before, end);
    size_t size = strlen(path), length = strlen(whole);
    if (length > size || strcasecmp(path + size - length, whole) != 0) return 0;
    path[size - strlen(end)] = '\0';
    drop_slashes(url);
    return 1;
}

/* An endpoint in place of a base: one of the provider's, unless a slash behind it says that it is
 * meant as a base; or any of that API, or of another that the server has. */
static void drop_endpoint(const struct api_provider *provider, const char *base_path,
                          const char *own_part, char *url)
{
    static const char *const others[] = {"/embeddings", "/embed", "/rerank", "/chat/completions",
                                         "/models"};
    size_t size = strlen(url);
    int is_base = size > 0 && url[size - 1] == '/';
    drop_slashes(url);
    if (!is_base &&
        (drop_end(url, "", provider->embed.path) || drop_end(url, "", provider->rerank.path) ||
         drop_end(url, "", provider->chat.path)))
        return;
    const char *const before[] = {base_path, own_part, provider->other_base};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        for (size_t j = 0; j < sizeof others / sizeof *others; j++)
            if (before[i] != NULL && before[i][0] != '\0' && drop_end(url, before[i], others[j]))
                return;
}

/* Of an endpoint "/api/embed" the part "/api", of "/v1/chat/completions" the part "/v1", which a
 * base may end with, too; "" of others. */
static void first_part(const struct api_provider *provider, char out[64])
{
    const char *path = provider->embed.path, *last = path == NULL ? NULL : strrchr(path, '/');
    if (provider->chat.path != NULL) {
        path = provider->chat.path;
        last = strstr(path, "/chat/");
    }
    snprintf(out, 64, "%.*s", last == NULL ? 0 : (int)(last - path), path);
}

static int clean_url(const struct api_provider *provider, struct span given,
                     char out[ENDPOINT_URL_SIZE], struct error *err)
{
    char usual[ENDPOINT_URL_SIZE], own_part[64];
    snprintf(usual, sizeof usual, "%s", provider->base_url);
    const char *base_path = path_of(usual);
    if (given.size + strlen(base_path) >= ENDPOINT_URL_SIZE)
        return error_set(err, ERROR_INVALID, "the URL has more than %d bytes", ENDPOINT_URL_SIZE);
    snprintf(out, ENDPOINT_URL_SIZE, "%.*s", (int)given.size, given.data);
    first_part(provider, own_part);
    drop_endpoint(provider, base_path, own_part, out);
    drop_end(out, "", own_part);
    int is_other = drop_end(out, "", provider->other_base);
    size_t size = strlen(out);
    if (is_other || path_of(out)[0] == '\0')
        snprintf(out + size, ENDPOINT_URL_SIZE - size, "%s", base_path);
    return 0;
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

/* ---- keys ------------------------------------------------------------------------------------ */

/* A key is one word of visible ASCII: whatever else is in it was not meant. It is never shown. */
static int check_key(struct span key, const char *where, struct error *err)
{
    for (size_t i = 0; i < key.size; i++) {
        unsigned char c = (unsigned char)key.data[i];
        if (c >= 0x20 && c < 0x7F) continue;
        return error_set(err, ERROR_INVALID,
                         "the key in %s holds %s at byte %zu of %zu: give the key alone", where,
                         c == '\n' || c == '\r' ? "a line break"
                         : c <= 0x7F            ? "a control character"
                                                : "a character beyond ASCII",
                         i, key.size);
    }
    return 0;
}

/* As keys are pasted: in quotes, or with the word that goes before them in a header. */
static struct span bare_key(const char *text)
{
    static const char word[] = "Bearer ";
    struct span key = trimmed(text);
    if (key.size >= 2 && (key.data[0] == '"' || key.data[0] == '\'') &&
        key.data[key.size - 1] == key.data[0])
        key = (struct span){key.data + 1, key.size - 2};
    if (key.size >= sizeof word && strncasecmp(key.data, word, sizeof word - 1) == 0)
        key = (struct span){key.data + sizeof word - 1, key.size - (sizeof word - 1)};
    return key;
}

/* A key that was given goes where it was given for; that of the environment only to the usual
 * host. */
static int choose_key(const struct api_provider *provider, const char *key, int is_usual_host,
                      struct endpoint *endpoint, struct error *err)
{
    endpoint->key = bare_key(key);
    if (endpoint->key.size > 0) return check_key(endpoint->key, "api_key", err);
    if (!is_usual_host) return 0;
    endpoint->key = bare_key(environment_value(provider->key_env));
    endpoint->key_is_usual = endpoint->key.size > 0;
    return check_key(endpoint->key, provider->key_env, err);
}

int endpoint_resolve(const struct api_provider *provider, const char *url, const char *key,
                     int trusted, struct endpoint *endpoint, struct error *err)
{
    char variable[64], usual[ENDPOINT_URL_SIZE];
    struct span given = trimmed(url),
                from_variable = base_url_set(provider, variable, sizeof variable);
    struct span own = {provider->base_url, strlen(provider->base_url)};
    int is_usual = url == NULL, has_variable = from_variable.size > 0;
    *endpoint = (struct endpoint){.plain = !is_usual || has_variable};
    int rc = clean_url(provider, has_variable ? from_variable : own, usual, err);
    if (rc == 0)
        rc = clean_url(provider,
                       !is_usual      ? given
                       : has_variable ? from_variable
                                      : own,
                       endpoint->base_url, err);
    if (rc == 0) rc = http_check_url(endpoint->base_url, endpoint->plain, err);
    if (rc == 0 && strchr(endpoint->base_url, '?') != NULL)
        rc = error_set(err, ERROR_INVALID, "the URL holds a query: give it up to the path");
    if (rc == ERROR_INVALID && is_usual) error_context(err, "%s", variable);
    if (rc == 0 && !is_usual) rc = have_same_origin(endpoint->base_url, usual, &is_usual, err);
    if (rc == 0) rc = choose_key(provider, key, is_usual, endpoint, err);
    if (rc != 0) return rc;
    if (endpoint->key.size == 0 && provider->needs_key && url == NULL)
        return error_set(err, ERROR_INVALID,
                         "%s: no API key (set %s, or INSERT INTO rerank_models(name, provider, "
                         "model, api_key) ...)",
                         provider->name, provider->key_env);
    /* A key that a provider of this machine may have, but need not, sets nothing up. */
    if (!provider->needs_key && !trusted && url == NULL && !has_variable)
        return error_set(err, ERROR_INVALID,
                         "%s is not set up (set %s, or INSERT INTO rerank_models(name, provider, "
                         "model) VALUES ('a name of yours', '%s', 'the model'))",
                         provider->name, variable, provider->name);
    return 0;
}

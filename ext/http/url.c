#include "http/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"
#include "http/libcurl.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The length of `prefix` (lower case) when the text begins with it in any case, else 0. */
static size_t begins_with(const char *text, const char *prefix)
{
    size_t n = 0;
    while (prefix[n] != '\0' && lower(text[n]) == prefix[n]) n++;
    return prefix[n] == '\0' ? n : 0;
}

/* What libcurl might read in another way than the user or another program. */
static int check_characters(const char *url, size_t scheme, struct error *err)
{
    for (const char *c = url; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || *c == 0x7F)
            return error_set(err, ERROR_INVALID, "the URL holds white space or control characters");
        if (*c == '\\') return error_set(err, ERROR_INVALID, "the URL holds a backslash");
        if (*c == '#') return error_set(err, ERROR_INVALID, "the URL holds a fragment (#)");
    }
    size_t length = strcspn(url + scheme, "/?");
    if (length == 0) return error_set(err, ERROR_INVALID, "the URL has no host");
    for (size_t i = scheme; i < scheme + length; i++) {
        if (url[i] == '@') return error_set(err, ERROR_INVALID, "the URL holds a user name");
        if (url[i] == '%' || (unsigned char)url[i] > 0x7F)
            return error_set(err, ERROR_INVALID,
                             "the host in the URL must be plain ASCII (punycode for others)");
    }
    return 0;
}

/* Whether the host, as libcurl normalised it, can only be this machine. */
static int is_local(const char *host)
{
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) return 1;
    if (strncmp(host, "127.", 4) != 0) return 0;
    int parts = 1, digits = 0, value = 0;
    for (const char *c = host + 4;; c++) {
        if (*c >= '0' && *c <= '9' && digits < 3) {
            value = value * 10 + (*c - '0');
            digits++;
        } else {
            if (digits == 0 || value > 255) return 0;
            parts++;
            if (*c != '.') return *c == '\0' && parts == 4;
            digits = value = 0;
        }
    }
}

static int copy_host(const char *host, struct http_target *target, struct error *err)
{
    size_t length = strlen(host);
    if (length == 0 || strcmp(host, "[]") == 0)
        return error_set(err, ERROR_INVALID, "the URL has no host");
    if (length >= sizeof target->host)
        return error_set(err, ERROR_INVALID, "the host in the URL has %zu bytes, more than %d",
                         length, HTTP_HOST_SIZE - 1);
    for (size_t i = 0; i <= length; i++) target->host[i] = lower(host[i]);
    target->local = is_local(target->host);
    return 0;
}

/* Host and port, from libcurl's parser. */
static int take_parts(CURLU *parser, const char *url, struct http_target *target, struct error *err)
{
    char *host = NULL, *port = NULL;
    CURLUcode code = libcurl->url_set(parser, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (code == CURLUE_OK) code = libcurl->url_get(parser, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK)
        code = libcurl->url_get(parser, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    int rc = 0;
    unsigned long number = port != NULL ? strtoul(port, NULL, 10) : 0;
    if (code == CURLUE_OUT_OF_MEMORY) rc = error_nomem(err);
    else if (code == CURLUE_BAD_PORT_NUMBER ||
             (code == CURLUE_OK && (number < 1 || number > 65535)))
        rc = error_set(err, ERROR_INVALID, "the port in the URL is not 1 to 65535");
    else if (code != CURLUE_OK) rc = error_set(err, ERROR_INVALID, "the URL cannot be read");
    else rc = copy_host(host, target, err);
    target->port = (unsigned)number;
    libcurl->free(host);
    libcurl->free(port);
    return rc;
}

static int parse(const char *url, struct http_target *target, struct error *err)
{
    memset(target, 0, sizeof *target);
    if (url == NULL) return error_set(err, ERROR_INVALID, "there is no URL");
    size_t scheme = begins_with(url, "https://");
    target->secure = scheme != 0;
    if (scheme == 0) scheme = begins_with(url, "http://");
    if (scheme == 0)
        return error_set(err, ERROR_INVALID, "the URL must begin with https:// or http://");
    int rc = check_characters(url, scheme, err);
    if (rc != 0) return rc;
    rc = http_libcurl_load(err);
    if (rc != 0) return rc;
    CURLU *parser = libcurl->url();
    if (parser == NULL) return error_nomem(err);
    rc = take_parts(parser, url, target, err);
    libcurl->url_cleanup(parser);
    return rc;
}

int http_target_check(const char *url, int plain, struct http_target *target, struct error *err)
{
    int rc = parse(url, target, err);
    if (rc == 0 && !target->secure && !target->local && !plain)
        rc = error_set(err, ERROR_INVALID, "http:// is only for this machine: %s needs https://",
                       target->host);
    return rc;
}

int http_check_url(const char *url, int plain, struct error *err)
{
    struct http_target target;
    return http_target_check(url, plain, &target, err);
}

int http_origin(const char *url, char *origin, size_t size, struct error *err)
{
    struct http_target target;
    int rc = parse(url, &target, err);
    if (rc != 0) return rc;
    int length = snprintf(origin, size, "%s://%s:%u", target.secure ? "https" : "http", target.host,
                          target.port);
    if (length < 0 || (size_t)length >= size)
        return error_set(err, ERROR_INVALID, "the origin of the URL has more than %zu bytes", size);
    return 0;
}

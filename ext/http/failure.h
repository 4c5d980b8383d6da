/*
 * failure.h: why no whole answer came, in words, and whether asking again may help.
 */
#ifndef HTTP_FAILURE_H
#define HTTP_FAILURE_H

#include <curl/curl.h>

#include "http/http.h"

struct http_transfer;

/* Writes answer->failure and answer->may_heal for a transfer that ended with this code. */
void http_failure_describe(const struct http_transfer *transfer, CURLcode code,
                           const struct http_work *work, struct http_answer *answer);

/* Certificates to trust: CURL_CA_BUNDLE, else SSL_CERT_FILE; else NULL, libcurl's own choice. A
 * pointer into the environment. */
const char *http_trust_bundle(void);

/* SSL_CERT_DIR unless CURL_CA_BUNDLE is set, as the curl program does it, or NULL. */
const char *http_trust_folder(void);

#endif

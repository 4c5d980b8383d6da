/*
 * failure.h: why no whole answer came, in words, and whether asking again may help.
 */
#ifndef HTTP_FAILURE_H
#define HTTP_FAILURE_H

#include "http/http.h"
#include "http/libcurl.h"
#include "http/url.h"

/* An attempt that is over without a whole answer. All is borrowed. */
struct http_failure {
    CURLcode code;
    CURL *easy; /* asked for what happened */
    const struct http_target *target;
    const struct http_work *work; /* its timeouts */
    const char *detail;           /* libcurl's own words; "": none */
    size_t max_answer;            /* bytes */
    int head_too_large, too_large;
    struct http_answer *answer; /* gets the words, and whether asking again may help */
};

/* Writes answer->failure and answer->may_heal. */
void http_failure_describe(const struct http_failure *failure);

#endif

/*
 * url.h: what the room must know of a URL before it sends anything there.
 *
 * libcurl's own parser reads the URL, so that what was checked is what is connected to; before it,
 * everything that parsers read differently is refused: white space and control characters,
 * backslashes, user names, percent signs and other than ASCII bytes in the host.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/error.h"

#define HTTP_HOST_SIZE 256 /* a name has at most 253 bytes (RFC 1035) */

struct http_target {
    char host[HTTP_HOST_SIZE]; /* lower case; an IPv6 address in brackets */
    unsigned port;             /* 1 to 65535 */
    int secure;                /* https */
    int local;                 /* this machine: 127.0.0.0/8, ::1, localhost */
};

/* ERROR_INVALID, also for http:// to another machine unless `plain`; ERROR_NOMEM; ERROR_UNAVAILABLE
 * where there is no libcurl. The text never repeats the URL, which may hold a secret. */
int http_target_check(const char *url, int plain, struct http_target *target, struct error *err);

#endif

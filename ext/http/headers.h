/*
 * headers.h: the few response headers that somebody wants.
 *
 * Lines are read as they come and not kept. Sources: RFC 9110 (Retry-After), the SDKs of OpenAI and
 * Together AI (retry-after-ms, x-should-retry), Together's rate limits (x-ratelimit-reset), Text
 * Embeddings Inference (x-compute-tokens).
 */
#ifndef HTTP_HEADERS_H
#define HTTP_HEADERS_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_CEILING ((size_t)256 << 10) /* bytes of all header lines of an answer */

struct http_headers {
    size_t size;            /* bytes seen, of interim answers too */
    double retry_after_ms;  /* of this header, in seconds; below 0: none, or nothing to wait for */
    double retry_after;     /* of this header, in seconds; below 0: the same */
    double reset_after;     /* x-ratelimit-reset as it stands; below 0: none, or not a number */
    int should_retry;       /* 1 true, 0 false, -1 absent */
    int64_t compute_tokens; /* below 0: none */
};

/* Nothing has come yet. */
void http_headers_init(struct http_headers *headers);

/* One line with or without its end, as libcurl hands it over; a status line forgets what an interim
 * answer (RFC 9110, 15.2) had said. 0, or -1 when more than HTTP_HEAD_CEILING has come. */
int http_headers_take(struct http_headers *headers, const char *line, size_t size);

#endif

/*
 * http.h: many POSTs at once.
 *
 * The only room that knows libcurl. One client a database connection: it keeps connections open
 * and uses them again, HTTP/2 where the server offers it. http_run keeps up to `concurrency`
 * requests in flight, asks its caller for the next one and hands back each answer, in any order,
 * all in the caller's thread. It repeats a request when the caller finds that this may help, after
 * a delay that grows (1 s, doubled each time, at most 10 s, times a random 0.75 to 1) or the one
 * the server asked for; after a "too many requests" nobody is sent before that delay is over.
 *
 * Safety: http and https only; http:// only to this machine (127.0.0.0/8, ::1, localhost) or when
 * the request says so; certificates verified; no redirects; no cookies; no netrc; bodies are
 * bounded while they arrive, decoded (gzip) size counted. Proxy and certificate bundle come from
 * the usual environment variables (https_proxy, no_proxy, SSL_CERT_FILE, SSL_CERT_DIR,
 * CURL_CA_BUNDLE); requests to this machine never go through a proxy. Nothing is printed or logged;
 * our copy of the key is wiped from memory when a request is over (libcurl's own is out of reach).
 *
 * Cancellation is polled every 50 ms or less, in name look-up, connect, transfer and delay. (With a
 * libcurl before 7.87 a name look-up that hangs is seen through to its end.)
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/span.h"

struct http_client;

/* ERROR_NOMEM, ERROR_UNAVAILABLE: there is no libcurl, or it cannot start. The client takes all
 * memory from base/memory.h but what libcurl allocates itself. */
int http_client_new(struct http_client **client, struct error *err);
void http_client_free(struct http_client *client); /* accepts NULL; closes the connections */

/* What is sent. Everything is borrowed until `answer` says HTTP_DONE for it or http_run returns. */
struct http_request {
    const char *url;
    const char *bearer; /* "Authorization: Bearer ..." is sent; NULL: no such header; control
                           characters in it are ERROR_INVALID */
    struct span body;   /* application/json */
    int plain;          /* http:// to another machine is allowed */
    size_t max_answer;  /* bytes of the decoded body */
    void *tag;          /* the caller's */
};

/* What came. All is borrowed for the call. */
struct http_answer {
    int status;         /* of HTTP; 0: no whole answer came, `failure` says why */
    struct span body;   /* decoded */
    char failure[256];  /* lower case, e.g. "could not connect to 127.0.0.1 port 9: connection
                           refused"; never holds the key or the path */
    int may_heal;       /* of a failure: refused, reset, cut off, timed out (not: a bad certificate,
                           a body too large, a host without an address) */
    double retry_after; /* seconds, above 0, that the server asked for (retry-after-ms, Retry-After
                           in seconds or as a date); below 0: none, 0, or not in the future */
    double reset_after; /* seconds in the header named x-ratelimit-reset, as it stands; below 0:
                           none */
    int should_retry;   /* header x-should-retry: 1 true, 0 false, -1 absent */
    int64_t compute_tokens; /* header x-compute-tokens; below 0: none */
    unsigned attempt;       /* 1 for the first */
};

/* What the caller says of an answer. */
enum http_verdict {
    HTTP_DONE,       /* taken */
    HTTP_REPEAT,     /* send it again, if attempts are left, else `give_up` is called */
    HTTP_REPEAT_ALL, /* the same, and all others wait for this delay too: too many requests */
    HTTP_STOP        /* the whole run fails with the error that the caller set */
};

struct http_work {
    /* The next request to send: 1 and *request, or 0 when there is none now (there may be again
     * after an answer), or -1: stop with the error set. */
    int (*next)(void *context, struct http_request *request, struct error *err);
    /* Every answer. *wait: seconds to wait before repeating, below 0 for the delay that grows; it
     * holds answer->retry_after and may be changed. */
    enum http_verdict (*answer)(void *context, const struct http_request *request,
                                const struct http_answer *answer, double *wait, struct error *err);
    /* No attempt is left, or *wait is above max_wait: sets the error that ends the run. The answer
     * is the last one. */
    void (*give_up)(void *context, const struct http_request *request,
                    const struct http_answer *answer, struct error *err);
    void *context;
    unsigned concurrency;            /* requests in flight, 1 or more */
    unsigned max_attempts;           /* 1 or more, for each request */
    double connect_timeout, timeout; /* seconds, above 0; of the connection (name look-up and TLS
                                        included), of each attempt as a whole */
    double max_wait; /* seconds; a server that asks for more ends the run (give_up); the delay that
                        grows is never longer */
    const struct cancel *cancel;
};

/* Sends all, until `next` has none and none is in flight or waiting. 0, or the error of the first
 * request that failed for good; nothing is sent then any more, and answers under way are waited for
 * up to three seconds and handed to `answer`, whose verdict no longer counts. ERROR_INTERRUPTED
 * within 100 ms of a cancellation. The client can be used again after every outcome, but not from
 * within `next` and `answer`: ERROR_INVALID. */
int http_run(struct http_client *client, const struct http_work *work, struct error *err);

/* 0, or ERROR_INVALID and in err what is wrong with a URL: not http or https, a user name or
 * fragment in it, no host, control characters, white space, backslashes, percent signs or other
 * than ASCII in the host; http:// to another machine unless `plain`. ERROR_NOMEM. */
int http_check_url(const char *url, int plain, struct error *err);

/* "scheme://host:port", lower case, the port always given: what a key belongs to. ERROR_NOMEM, or
 * ERROR_INVALID when it does not fit in size or is no http or https URL. */
#define HTTP_ORIGIN_SIZE 300 /* enough for any */
int http_origin(const char *url, char *origin, size_t size, struct error *err);

#endif

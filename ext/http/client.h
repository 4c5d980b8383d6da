/*
 * client.h: what lives as long as a client: open connections, and the dice for delays.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include <signal.h>
#include <stdint.h>

#include "http/http.h"
#include "http/libcurl.h"

struct http_client {
    CURLM *multi;    /* owns connections and looked-up names */
    uint64_t random; /* state of http_client_random */
    int busy;        /* http_run is on the stack */
};

/* At least 0, below 1; for jitter, not for secrets. */
double http_client_random(struct http_client *client);

/* While libcurl works, writing to a connection that the server closed must not end the program:
 * with CURLOPT_NOSIGNAL (its alternative changes the handlers of the whole process) and some TLS
 * libraries that is ours to prevent. Blocks SIGPIPE in this thread; `end` drops what came. */
struct http_signals {
    sigset_t before;
    int was_pending;
};
void http_signals_begin(struct http_signals *signals);
void http_signals_end(const struct http_signals *signals);

#endif

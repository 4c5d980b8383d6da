/*
 * client.h: what lives as long as a client: open connections, and the dice for delays.
 */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

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

#endif

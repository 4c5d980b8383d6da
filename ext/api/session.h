/*
 * session.h: what the remote models of one connection share: the HTTP client, which is made when it
 * is first needed, the user's settings, and the count of requests.
 */
#ifndef API_SESSION_H
#define API_SESSION_H

#include <stdint.h>

#include "http/http.h"

struct api_settings {
    double timeout;        /* seconds for each attempt of a request, above 0 */
    unsigned max_retries;  /* of each request */
    unsigned concurrency;  /* requests in flight, 1 or more */
    uint64_t max_requests; /* of the whole session, repeated ones included */
};

struct api_session {
    struct http_client *client;   /* NULL: none yet */
    struct api_settings settings; /* the caller's, to be set before anything is sent */
    uint64_t n_requests;          /* sent */
};

void api_session_init(struct api_session *session);
void api_session_deinit(struct api_session *session);

/* Takes one request out of the budget. ERROR_UNAVAILABLE, and what was spent, when none is left. */
int api_session_spend(struct api_session *session, struct error *err);

/* Whether no request is left in the budget. */
int api_session_is_spent(const struct api_session *session);

/* Gives back one that was not sent after all. */
void api_session_unspend(struct api_session *session);

/* http_run with the session's client and settings: `work` comes with its callbacks and its
 * cancel token. */
int api_session_run(struct api_session *session, struct http_work *work, struct error *err);

#endif

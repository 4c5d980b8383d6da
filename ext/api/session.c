#include "api/session.h"

#include <inttypes.h>

/* Seconds until a connection stands, name look-up and TLS included; and the longest wait that a
 * server may ask for. */
#define CONNECT_TIMEOUT 10.0
#define MAX_WAIT 60.0

void api_session_init(struct api_session *session)
{
    *session = (struct api_session){0};
}

void api_session_deinit(struct api_session *session)
{
    http_client_free(session->client);
    session->client = NULL;
}

int api_session_is_spent(const struct api_session *session)
{
    return session->n_requests >= session->settings.max_requests;
}

int api_session_spend(struct api_session *session, struct error *err)
{
    if (!api_session_is_spent(session)) {
        session->n_requests++;
        return 0;
    }
    return error_set(err, ERROR_UNAVAILABLE,
                     "max_requests: all %" PRIu64 " requests of this connection are spent "
                     "(rerank_config('max_requests', n) raises the limit)",
                     session->n_requests);
}

void api_session_unspend(struct api_session *session)
{
    session->n_requests--;
}

int api_session_run(struct api_session *session, struct http_work *work, struct error *err)
{
    const struct api_settings *settings = &session->settings;
    int rc = session->client == NULL ? http_client_new(&session->client, err) : 0;
    if (rc != 0) return rc;
    work->concurrency = settings->concurrency;
    work->max_attempts = settings->max_retries + 1;
    work->timeout = settings->timeout;
    work->connect_timeout =
        settings->timeout < CONNECT_TIMEOUT ? settings->timeout : CONNECT_TIMEOUT;
    work->max_wait = MAX_WAIT;
    return http_run(session->client, work, err);
}

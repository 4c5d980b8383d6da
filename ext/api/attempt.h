/*
 * attempt.h: whether a request is sent again after an answer, and what is said when it is not.
 *
 * What all requests of this room have in common: attempts are counted by the session's settings,
 * each is paid out of its budget, and an error says whose it is and how many attempts there were.
 */
#ifndef API_ATTEMPT_H
#define API_ATTEMPT_H

#include "api/provider.h"
#include "api/session.h"

/* HTTP_STOP; "provider: what went wrong", unless the error is not the provider's. */
enum http_verdict api_stop(const struct api_provider *provider, struct error *err);

/* Whether no attempt is left after this answer. */
int api_is_last(const struct api_session *session, const struct http_answer *answer);

/* The verdict, with the error kept in *last for when attempts run out (http_run then calls
 * `give_up`); HTTP_STOP when the budget has none. */
enum http_verdict api_repeat(struct api_session *session, const struct api_provider *provider,
                             const struct http_answer *answer, enum http_verdict verdict,
                             struct error *last, struct error *err);

/* The same for an answer that may heal (is_busy: everybody waits), unless the server says that it
 * will not; *wait is what the provider asks for in a header of its own. */
enum http_verdict api_repeat_later(struct api_session *session, const struct api_provider *provider,
                                   const struct http_answer *answer, int is_busy, double *wait,
                                   struct error *last, struct error *err);

/* For give_up: what was last wrong, and how many attempts there were, or how long to wait. */
void api_give_up(struct api_session *session, const struct api_provider *provider,
                 const struct http_answer *answer, const struct error *last, struct error *err);

#endif

#include "api/attempt.h"

enum http_verdict api_stop(const struct api_provider *provider, struct error *err)
{
    if (err->code == ERROR_UNAVAILABLE) error_context(err, "%s", provider->name);
    return HTTP_STOP;
}

int api_is_last(const struct api_session *session, const struct http_answer *answer)
{
    return answer->attempt > session->settings.max_retries;
}

/* Without an attempt left, http_run gives up. */
enum http_verdict api_repeat(struct api_session *session, const struct api_provider *provider,
                             const struct http_answer *answer, enum http_verdict verdict,
                             struct error *last, struct error *err)
{
    *last = *err;
    if (api_is_last(session, answer) || api_session_spend(session, err) == 0) return verdict;
    error_context(err, "%.200s", last->text);
    return api_stop(provider, err);
}

enum http_verdict api_repeat_later(struct api_session *session, const struct api_provider *provider,
                                   const struct http_answer *answer, int is_busy, double *wait,
                                   struct error *last, struct error *err)
{
    if (answer->should_retry == 0) return api_stop(provider, err);
    if (is_busy && provider->reset_is_seconds && *wait < 0 && answer->reset_after > 0)
        *wait = answer->reset_after;
    return api_repeat(session, provider, answer, is_busy ? HTTP_REPEAT_ALL : HTTP_REPEAT, last,
                      err);
}

void api_give_up(struct api_session *session, const struct api_provider *provider,
                 const struct http_answer *answer, const struct error *last, struct error *err)
{
    double wait = answer->retry_after;
    int is_last = api_is_last(session, answer);
    if (wait < 0 && provider->reset_is_seconds) wait = answer->reset_after;
    if (!is_last) api_session_unspend(session);
    if (wait > 0 && !is_last)
        error_set(err, ERROR_UNAVAILABLE, "%.300s (the server asks to wait %.0f s)", last->text,
                  wait);
    else if (answer->attempt > 1)
        error_set(err, ERROR_UNAVAILABLE, "%.300s (%u attempts)", last->text, answer->attempt);
    else *err = *last;
    api_stop(provider, err);
}

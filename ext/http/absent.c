/*
 * absent.c: http.h of a library that was built by RERANK_NO_REMOTE=1, in place of all other files
 * of the room: nothing here, nor in what it needs, can reach a network.
 */
#include "http/http.h"

static int refuse(struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE,
                     "this library was built without remote models (RERANK_NO_REMOTE=1): take a "
                     "builtin: or local: model, or a library that was built with them");
}

int http_client_new(struct http_client **client, struct error *err)
{
    *client = NULL;
    return refuse(err);
}

void http_client_free(struct http_client *client)
{
    (void)client;
}

int http_run(struct http_client *client, const struct http_work *work, struct error *err)
{
    (void)client;
    (void)work;
    return refuse(err);
}

int http_check_url(const char *url, int plain, struct error *err)
{
    (void)url;
    (void)plain;
    return refuse(err);
}

int http_origin(const char *url, char *origin, size_t size, struct error *err)
{
    (void)url;
    if (size > 0) origin[0] = '\0';
    return refuse(err);
}

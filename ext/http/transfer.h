/*
 * transfer.h: one request under way: its handle of libcurl, what is sent, what has come.
 *
 * init, then for every request prepare, for every attempt start, take the outcome when libcurl says
 * that it is over, release; deinit. Works at any point: release and deinit take the handle out of
 * the multi handle, which closes the connection of an unfinished transfer.
 */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include "base/buffer.h"
#include "http/headers.h"
#include "http/http.h"
#include "http/libcurl.h"
#include "http/url.h"

enum http_transfer_state {
    HTTP_TRANSFER_FREE,   /* has no request */
    HTTP_TRANSFER_FLYING, /* is in the multi handle */
    HTTP_TRANSFER_WAITING /* is sent again when `due` has come */
};

struct http_transfer {
    enum http_transfer_state state;
    struct http_request request;
    struct http_target target;
    unsigned attempt; /* 1 while and after the first is sent */
    double due;       /* of clock_seconds */

    CURL *easy;                 /* owned; NULL before the first request */
    CURLM *multi;               /* where easy is now, or NULL */
    struct curl_slist lines[5]; /* the request's header lines, linked; borrowed by easy */
    char *authorization;        /* owned; the line with the key, or NULL */

    struct http_headers headers; /* of the answer */
    struct buffer body;
    int too_large, head_too_large, nomem; /* why our callbacks stopped it */
    char detail[CURL_ERROR_SIZE];         /* libcurl's own words */
};

void http_transfer_init(struct http_transfer *transfer);
void http_transfer_deinit(struct http_transfer *transfer);

/* Takes transfer->request: checks the URL and the key, builds the header lines. ERROR_INVALID,
 * ERROR_NOMEM. */
int http_transfer_prepare(struct http_transfer *transfer, struct error *err);

/* Sends it, for the first time or again. ERROR_NOMEM, ERROR_UNAVAILABLE. */
int http_transfer_start(struct http_transfer *transfer, CURLM *multi, const struct http_work *work,
                        struct error *err);

/* After libcurl is done with an attempt: 0 and the answer, whose body is borrowed until the next
 * start or release; or ERROR_NOMEM. */
int http_transfer_finish(struct http_transfer *transfer, CURLcode code,
                         const struct http_work *work, struct http_answer *answer,
                         struct error *err);

/* Forgets the request and wipes its key; keeps handle and body memory for the next. */
void http_transfer_release(struct http_transfer *transfer);

#endif

/*
 * run.c: keeps requests in flight until there are no more.
 *
 * A request holds one of `concurrency` places from the moment the caller gives it until the caller
 * has taken its answer, delays between attempts included. One loop does everything: look for a
 * cancellation, send what is due, let libcurl work, hand over what came, wait for at most SLICE.
 */
#include <math.h>

#include "base/broken_pipe.h"
#include "base/clock.h"
#include "base/memory.h"
#include "http/client.h"
#include "http/http.h"
#include "http/transfer.h"

#define SLICE 0.05         /* seconds between two looks at the token */
#define FIRST_DELAY 1.0    /* seconds; doubled each time */
#define LONGEST_DELAY 10.0 /* seconds */
#define DRAIN 3.0          /* seconds */
#define MIN_KEPT 16L       /* connections kept open, of all servers */

struct run {
    struct http_client *client;
    const struct http_work *work;
    struct http_transfer *places;
    unsigned n_places, n_busy;
    double hold;  /* of clock_seconds: nothing is sent before it */
    int dry;      /* `next` had none, and no answer has come since */
    int draining; /* the run has failed, and takes only what is under way */
};

/* The error that a callback set, or should have. */
static int stopped(struct error *err)
{
    return err->code != 0 ? err->code
                          : error_set(err, ERROR_UNAVAILABLE, "the requests were stopped");
}

/* ---- sending -------------------------------------------------------------------------------- */

static int send_again(struct run *run, double now, struct error *err)
{
    int rc = 0;
    for (unsigned i = 0; i < run->n_places && rc == 0; i++) {
        struct http_transfer *place = &run->places[i];
        if (place->state == HTTP_TRANSFER_WAITING && place->due <= now)
            rc = http_transfer_start(place, run->client->multi, run->work, err);
    }
    return rc;
}

static int send_new(struct run *run, struct error *err)
{
    for (unsigned i = 0; i < run->n_places && !run->dry; i++) {
        struct http_transfer *place = &run->places[i];
        if (place->state != HTTP_TRANSFER_FREE) continue;
        int more = run->work->next(run->work->context, &place->request, err);
        if (more < 0) return stopped(err);
        if (more == 0) {
            run->dry = 1;
            return 0;
        }
        int rc = http_transfer_prepare(place, err);
        if (rc == 0) rc = http_transfer_start(place, run->client->multi, run->work, err);
        if (rc != 0) return rc;
        run->n_busy++;
    }
    return 0;
}

/* What waited goes before what is new. */
static int send_due(struct run *run, struct error *err)
{
    double now = clock_seconds();
    if (now < run->hold) return 0;
    int rc = send_again(run, now, err);
    return rc != 0 ? rc : send_new(run, err);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* 1 s, 2 s, 4 s, 8 s, 10 s ..., never more than the longest wait, times a random 0.75 to 1 so that
 * those who failed together do not come back together. */
static double growing_delay(struct run *run, unsigned attempt)
{
    double delay = attempt < 5 ? ldexp(FIRST_DELAY, (int)attempt - 1) : LONGEST_DELAY;
    delay = fmin(fmin(delay, LONGEST_DELAY), fmax(run->work->max_wait, 0));
    return delay * (1 - 0.25 * http_client_random(run->client));
}

/* A repeat, or the end when none is left or the server wants more patience than there is. */
static int repeat(struct run *run, struct http_transfer *place, const struct http_answer *answer,
                  double wait, struct error *err)
{
    const struct http_work *work = run->work;
    if (place->attempt >= work->max_attempts || wait > work->max_wait) {
        work->give_up(work->context, &place->request, answer, err);
        return stopped(err);
    }
    if (!(wait >= 0)) wait = growing_delay(run, place->attempt);
    place->due = clock_seconds() + wait;
    place->state = HTTP_TRANSFER_WAITING;
    return 0;
}

static int hand_over(struct run *run, struct http_transfer *place, CURLcode code, struct error *err)
{
    const struct http_work *work = run->work;
    struct http_answer answer;
    int rc = http_transfer_finish(place, code, work, &answer, err);
    if (rc != 0) return rc;
    double wait = answer.retry_after;
    enum http_verdict verdict = work->answer(work->context, &place->request, &answer, &wait, err);
    run->dry = 0; /* there may be requests that this answer gave rise to */
    if (run->draining) verdict = HTTP_DONE;
    switch (verdict) {
    case HTTP_DONE:
        http_transfer_release(place);
        run->n_busy--;
        return 0;
    case HTTP_REPEAT:
        return repeat(run, place, &answer, wait, err);
    case HTTP_REPEAT_ALL:
        rc = repeat(run, place, &answer, wait, err);
        if (rc == 0) run->hold = fmax(run->hold, place->due);
        return rc;
    case HTTP_STOP:
        break;
    }
    return stopped(err);
}

/* *n: how many transfers ended. */
static int take_finished(struct run *run, unsigned *n, struct error *err)
{
    int left;
    const CURLMsg *message;
    *n = 0;
    while ((message = libcurl->multi_info_read(run->client->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        char *place = NULL;
        CURLcode code = message->data.result; /* the message goes with the handle */
        libcurl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &place);
        ++*n;
        int rc = hand_over(run, (struct http_transfer *)(void *)place, code, err);
        if (rc == 0) rc = cancel_check(run->work->cancel, err);
        if (rc != 0) return rc;
    }
    return 0;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static int multi_failed(CURLMcode code, struct error *err)
{
    if (code == CURLM_OUT_OF_MEMORY) return error_nomem(err);
    return error_set(err, ERROR_UNAVAILABLE, "libcurl failed: %s", libcurl->multi_strerror(code));
}

/* Milliseconds until something is due, at most a slice. */
static int patience(const struct run *run)
{
    double now = clock_seconds(), seconds = SLICE;
    for (unsigned i = 0; i < run->n_places; i++)
        if (run->places[i].state == HTTP_TRANSFER_WAITING)
            seconds = fmin(seconds, fmax(run->places[i].due, run->hold) - now);
    return seconds > 0 ? (int)ceil(seconds * 1000) : 0;
}

static int run_loop(struct run *run, struct error *err)
{
    CURLM *multi = run->client->multi;
    for (;;) {
        int rc = cancel_check(run->work->cancel, err);
        if (rc == 0) rc = send_due(run, err);
        if (rc != 0 || run->n_busy == 0) return rc;
        int running;
        unsigned n_finished;
        CURLMcode code = libcurl->multi_perform(multi, &running);
        if (code != CURLM_OK) return multi_failed(code, err);
        rc = take_finished(run, &n_finished, err);
        if (rc != 0) return rc;
        if (n_finished != 0) continue;
        code = libcurl->multi_poll(multi, NULL, 0, patience(run), NULL);
        if (code != CURLM_OK) return multi_failed(code, err);
    }
}

/* After a failure nothing more is sent; but what is under way may be paid for, so its answers are
 * waited for a while and handed over. What the caller says of them no longer matters. */
static void drain(struct run *run)
{
    CURLM *multi = run->client->multi;
    double deadline = clock_seconds() + DRAIN;
    struct error ignored;
    unsigned n_finished;
    int running = 1;
    run->draining = 1;
    while (running > 0 && clock_seconds() < deadline) {
        if (cancel_is_requested(run->work->cancel)) return;
        if (libcurl->multi_perform(multi, &running) != CURLM_OK) return;
        if (take_finished(run, &n_finished, &ignored) != 0) return;
        if (running > 0 &&
            libcurl->multi_poll(multi, NULL, 0, (int)(SLICE * 1000), NULL) != CURLM_OK)
            return;
    }
}

/* Kept connections: libcurl would otherwise keep fewer as transfers end. */
static void keep_connections(struct http_client *client, unsigned concurrency)
{
    long n = (long)concurrency * 2;
    libcurl->multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, n > MIN_KEPT ? n : MIN_KEPT);
}

int http_run(struct http_client *client, const struct http_work *work, struct error *err)
{
    struct error own;
    struct broken_pipe pipe;
    struct run run = {.client = client, .work = work, .n_places = work->concurrency};
    if (err == NULL) err = &own;
    *err = (struct error){0};
    if (client->busy)
        return error_set(err, ERROR_INVALID, "a request cannot be made while answers are taken");
    if (run.n_places == 0) run.n_places = 1;
    run.places = memory_alloc(run.n_places, sizeof *run.places);
    if (run.places == NULL) return error_nomem(err);
    for (unsigned i = 0; i < run.n_places; i++) http_transfer_init(&run.places[i]);
    client->busy = 1;
    /* With CURLOPT_NOSIGNAL (its alternative changes the handlers of the whole process) and some
     * TLS libraries that is ours to prevent. */
    broken_pipe_begin(&pipe);
    keep_connections(client, run.n_places);
    int rc = run_loop(&run, err);
    if (rc != 0 && rc != ERROR_INTERRUPTED && rc != ERROR_NOMEM) drain(&run);
    for (unsigned i = 0; i < run.n_places; i++) http_transfer_deinit(&run.places[i]);
    broken_pipe_end(&pipe);
    client->busy = 0;
    memory_free(run.places);
    return rc;
}

/*
 * caller.h: a caller of http_run, and the loopback server that it calls, for tests in C.
 *
 * For one test program: include it in one file, which gives start_server and stop_server to cmocka.
 */
#ifndef TESTS_HTTP_CALLER_H
#define TESTS_HTTP_CALLER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../base/failing_memory.h"
#include "base/clock.h"
#include "http/http.h"
#include "http/loopback.h"

#define MAX_LOG 256
#define SECRET "sk-secret-0123456789"

static struct loopback server;

/* One line for every answer. */
struct entry {
    size_t request;
    unsigned attempt;
    int status;
    double time;
};

/* n times the same request; every answer is judged as api/ would do it. */
struct caller {
    struct http_work work;
    struct http_request request;
    struct http_client *client;
    struct cancel cancel;
    double cancel_at; /* of clock_seconds; 0: never */
    size_t n, n_sent, n_done, n_log, n_given_up;
    int one_a_time; /* `next` has one only after the answer to the last */
    double sent_at[MAX_LOG];
    struct entry log[MAX_LOG];
    struct http_answer last; /* without its body */
    char body[65536];        /* of the last answer, clipped; NUL terminated */
    struct error err;
};

static inline int next(void *context, struct http_request *request, struct error *err)
{
    (void)err;
    struct caller *caller = context;
    if (caller->n_sent == caller->n) return 0;
    if (caller->one_a_time && caller->n_sent != caller->n_done) return 0;
    *request = caller->request;
    request->tag = (void *)(uintptr_t)caller->n_sent;
    if (caller->n_sent < MAX_LOG) caller->sent_at[caller->n_sent] = clock_seconds();
    caller->n_sent++;
    return 1;
}

static inline enum http_verdict answer(void *context, const struct http_request *request,
                                       const struct http_answer *answer, double *wait,
                                       struct error *err)
{
    (void)wait, (void)err;
    struct caller *caller = context;
    size_t size =
        answer->body.size < sizeof caller->body ? answer->body.size : sizeof caller->body - 1;
    if (size != 0) memcpy(caller->body, answer->body.data, size);
    caller->body[size] = '\0';
    caller->last = *answer;
    caller->last.body = (struct span){NULL, answer->body.size};
    if (caller->n_log < MAX_LOG)
        caller->log[caller->n_log++] = (struct entry){
            (size_t)(uintptr_t)request->tag, answer->attempt, answer->status, clock_seconds()};
    if (answer->status == 429) return HTTP_REPEAT_ALL;
    if (answer->status >= 500 || answer->may_heal) return HTTP_REPEAT;
    caller->n_done++;
    return HTTP_DONE;
}

static inline void give_up(void *context, const struct http_request *request,
                           const struct http_answer *answer, struct error *err)
{
    (void)request;
    struct caller *caller = context;
    caller->n_given_up++;
    error_set(err, ERROR_UNAVAILABLE, "attempt %u: status %d %s, wait %g", answer->attempt,
              answer->status, answer->failure, answer->retry_after);
}

static inline int is_cancelled(void *context)
{
    struct caller *caller = context;
    return caller->cancel_at > 0 && clock_seconds() >= caller->cancel_at;
}

/* A caller that sends `n` requests to url; its delays that grow are 0.05 seconds at most. */
static inline struct caller *caller_new(const char *url, size_t n)
{
    static struct caller caller;
    static const char body[] = "{\"model\":\"m\",\"input\":[\"text\"]}";
    http_client_free(caller.client); /* of a test that failed */
    failing_memory_blocks = 0;
    memset(&caller, 0, sizeof caller);
    caller.n = n;
    caller.request =
        (struct http_request){.url = url, .body = {body, sizeof body - 1}, .max_answer = 1 << 20};
    caller.cancel = (struct cancel){is_cancelled, &caller};
    caller.work = (struct http_work){.next = next,
                                     .answer = answer,
                                     .give_up = give_up,
                                     .context = &caller,
                                     .concurrency = 1,
                                     .max_attempts = 3,
                                     .connect_timeout = 5,
                                     .timeout = 5,
                                     .max_wait = 0.05,
                                     .cancel = &caller.cancel};
    assert_int_equal(http_client_new(&caller.client, NULL), 0);
    return &caller;
}

static inline int run(struct caller *caller)
{
    return http_run(caller->client, &caller->work, &caller->err);
}

static inline void end(struct caller *caller)
{
    http_client_free(caller->client);
    caller->client = NULL;
}

/* The address of a path of the server; four can be in use at once. */
static inline const char *url_of(const char *path)
{
    static char urls[4][128];
    static unsigned at;
    char *url = urls[at++ % 4];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%u%s", server.port, path);
    return url;
}

static inline const char *embed_url(void)
{
    return url_of("/ollama/api/embed");
}

/* POSTs to a path of the server's own, with the caller's client. */
static inline void control(struct caller *caller, const char *path, const char *body)
{
    struct caller *other = memory_zalloc(1, sizeof *other);
    other->n = 1;
    other->work = caller->work;
    other->work.context = other;
    other->work.cancel = NULL;
    other->work.timeout = 5;
    other->request = (struct http_request){
        .url = url_of(path), .body = {body, strlen(body)}, .max_answer = 1 << 24};
    if (http_run(caller->client, &other->work, &other->err) != 0 || other->last.status != 200)
        fail_msg("%s: %d %s %s", path, other->last.status, other->body, other->err.text);
    memcpy(caller->body, other->body, sizeof caller->body);
    memory_free(other);
}

/* What the next requests meet; what was recorded before is forgotten. */
static inline void behave(struct caller *caller, const char *steps)
{
    control(caller, "/loopback/clear", "");
    control(caller, "/loopback/behave", steps);
}

/* How many requests the server has recorded, and on how many connections. */
static inline void count_requests(struct caller *caller, size_t *n_requests, size_t *n_connections)
{
    static char seen[100000];
    static const char word[] = "\"connection\":";
    memset(seen, 0, sizeof seen);
    *n_requests = *n_connections = 0;
    control(caller, "/loopback/requests", "");
    for (const char *at = caller->body; (at = strstr(at, word)) != NULL;) {
        at += sizeof word - 1;
        if (*at < '0' || *at > '9') continue; /* the header of that name */
        unsigned long number = strtoul(at, NULL, 10) % sizeof seen;
        ++*n_requests;
        *n_connections += !seen[number];
        seen[number] = 1;
    }
}

/* Runs one request that meets these steps. */
static inline int run_against(struct caller *caller, const char *steps)
{
    behave(caller, steps);
    return run(caller);
}

/* After whatever happened the client still works, and nothing of ours is left behind. */
static inline void check_usable_and_end(struct caller *caller)
{
    control(caller, "/loopback/behave", "[]");
    end(caller);
    assert_int_equal(failing_memory_blocks, 0);
}

/* A socket of 127.0.0.1, and in url how to reach it; backlog below 0: nothing listens. */
static inline int open_port(int backlog, const char *scheme, char url[64])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(sock, (struct sockaddr *)&address, &size), 0);
    if (backlog >= 0) assert_int_equal(listen(sock, backlog), 0);
    snprintf(url, 64, "%s://127.0.0.1:%u/", scheme, ntohs(address.sin_port));
    return sock;
}

static inline int start_server(void **state)
{
    (void)state;
    return loopback_start(&server, (const char *const[]){NULL});
}

static inline int stop_server(void **state)
{
    (void)state;
    loopback_stop(&server);
    return 0;
}

#endif

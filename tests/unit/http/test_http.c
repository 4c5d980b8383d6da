/*
 * test_http.c: http_run against the loopback server, which misbehaves on command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "../base/failing_memory.h"
#include "base/clock.h"
#include "http/http.h"
#include "http/loopback.h"

#define MAX_LOG 256
#define SECRET "sk-secret-0123456789"

static struct loopback server;

/* ---- a caller of http_run ------------------------------------------------------------------- */

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

static int next(void *context, struct http_request *request, struct error *err)
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

static enum http_verdict answer(void *context, const struct http_request *request,
                                const struct http_answer *answer, double *wait, struct error *err)
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

static void give_up(void *context, const struct http_request *request,
                    const struct http_answer *answer, struct error *err)
{
    (void)request;
    struct caller *caller = context;
    caller->n_given_up++;
    error_set(err, ERROR_UNAVAILABLE, "attempt %u: status %d %s, wait %g", answer->attempt,
              answer->status, answer->failure, answer->retry_after);
}

static int is_cancelled(void *context)
{
    struct caller *caller = context;
    return caller->cancel_at > 0 && clock_seconds() >= caller->cancel_at;
}

/* A caller that sends `n` requests to url; its delays that grow are 0.05 seconds at most. */
static struct caller *caller_new(const char *url, size_t n)
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

static int run(struct caller *caller)
{
    return http_run(caller->client, &caller->work, &caller->err);
}

static void end(struct caller *caller)
{
    http_client_free(caller->client);
    caller->client = NULL;
}

/* The address of a path of the server; four can be in use at once. */
static const char *url_of(const char *path)
{
    static char urls[4][128];
    static unsigned at;
    char *url = urls[at++ % 4];
    snprintf(url, sizeof urls[0], "http://127.0.0.1:%u%s", server.port, path);
    return url;
}

static const char *embed_url(void)
{
    return url_of("/ollama/api/embed");
}

/* POSTs to a path of the server's own, with the caller's client. */
static void control(struct caller *caller, const char *path, const char *body)
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
static void behave(struct caller *caller, const char *steps)
{
    control(caller, "/loopback/clear", "");
    control(caller, "/loopback/behave", steps);
}

/* How many requests the server has recorded, and on how many connections. */
static void count_requests(struct caller *caller, size_t *n_requests, size_t *n_connections)
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
static int run_against(struct caller *caller, const char *steps)
{
    behave(caller, steps);
    return run(caller);
}

/* After whatever happened the client still works, and nothing of ours is left behind. */
static void check_usable_and_end(struct caller *caller)
{
    control(caller, "/loopback/behave", "[]");
    end(caller);
    assert_int_equal(failing_memory_blocks, 0);
}

/* ---- what goes well ------------------------------------------------------------------------- */

static void test_connections_are_reused(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 100);
    size_t n_requests, n_connections;
    caller->work.concurrency = 8;
    behave(caller, "[{\"delay\":0.01,\"times\":\"forever\"}]");
    assert_int_equal(run(caller), 0);
    assert_int_equal(caller->n_done, 100);
    for (size_t i = 0; i < caller->n_log; i++) assert_int_equal(caller->log[i].status, 200);
    assert_non_null(strstr(caller->body, "\"embeddings\""));
    count_requests(caller, &n_requests, &n_connections);
    assert_int_equal(n_requests, 100);
    assert_in_range(n_connections, 2, 8);
    caller->n += 20; /* a second run finds the connections of the first */
    control(caller, "/loopback/clear", "");
    assert_int_equal(run(caller), 0);
    assert_int_equal(caller->n_done, 120);
    check_usable_and_end(caller);
}

static void test_requests_that_follow_from_answers(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 5);
    caller->one_a_time = 1;
    caller->work.concurrency = 3;
    assert_int_equal(run_against(caller, "[]"), 0);
    assert_int_equal(caller->n_done, 5);
    caller->n = 0; /* and none at all */
    caller->n_sent = 0;
    assert_int_equal(run(caller), 0);
    check_usable_and_end(caller);
}

static void test_forms_of_answers(void **state)
{
    (void)state;
    static const char *const steps[] = {"[\"http10\"]",   "[\"chunked\"]", "[\"gzip\"]",
                                        "[\"pieces\"]",   "[\"interim\"]", "[\"close_after\"]",
                                        "[\"text_type\"]"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct caller *caller = caller_new(embed_url(), 1);
        if (run_against(caller, steps[i]) != 0 || caller->last.status != 200)
            fail_msg("%s: %s %s", steps[i], caller->err.text, caller->last.failure);
        assert_non_null(strstr(caller->body, "\"embeddings\""));
        assert_int_equal(caller->body[strlen(caller->body) - 1], '}');
        check_usable_and_end(caller);
    }
}

/* libcurl would ask before it sends a large body, and wait a second for servers that do not answer
 * the question. */
static void test_a_large_request_is_sent_at_once(void **state)
{
    (void)state;
    size_t size = 3 << 20;
    struct caller *caller = caller_new(embed_url(), 1);
    char *body = memory_alloc(size, 1);
    memset(body, 'x', size);
    memcpy(body, "{\"model\":\"m\",\"input\":[\"", 23);
    memcpy(body + size - 3, "\"]}", 3);
    caller->request.body = (struct span){body, size};
    assert_int_equal(run_against(caller, "[]"), 0);
    assert_int_equal(caller->last.status, 200);
    control(caller, "/loopback/requests", "");
    assert_non_null(strstr(caller->body, "\"content-length\":\"3145728\""));
    assert_null(strstr(caller->body, "\"expect\""));
    memory_free(body);
    check_usable_and_end(caller);
}

static void test_headers_reach_the_caller(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 1);
    assert_int_equal(run_against(caller, "[{\"status\":404,\"headers\":{\"Retry-After\":\"7\","
                                         "\"retry-after-ms\":\"2500\",\"X-Should-Retry\":\"false\","
                                         "\"X-RateLimit-Reset\":\"3\",\"X-Compute-Tokens\":\"12\"},"
                                         "\"body\":\"gone\"}]"),
                     0);
    assert_int_equal(caller->last.status, 404);
    assert_float_equal(caller->last.retry_after, 2.5, 1e-9);
    assert_float_equal(caller->last.reset_after, 3, 1e-9);
    assert_int_equal(caller->last.should_retry, 0);
    assert_int_equal(caller->last.compute_tokens, 12);
    assert_string_equal(caller->body, "gone");
    check_usable_and_end(caller);
}

static void test_what_is_sent(void **state)
{
    (void)state;
    struct caller *caller = caller_new(url_of("/openai/v1/embeddings"), 1);
    caller->request.bearer = "test-key";
    assert_int_equal(run_against(caller, "[]"), 0);
    assert_int_equal(caller->last.status, 200);
    control(caller, "/loopback/requests", "");
    static const char *const wanted[] = {"\"method\":\"POST\"",
                                         "\"content-type\":\"application/json\"",
                                         "\"accept\":\"application/json\"",
                                         "gzip",
                                         "\"authorization\":\"Bearer test-key\"",
                                         "\"content-length\":\"30\""};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (strstr(caller->body, wanted[i]) == NULL) fail_msg("%s: %s", wanted[i], caller->body);
    assert_null(strstr(caller->body, "expect"));
    check_usable_and_end(caller);
}

/* ---- repeats -------------------------------------------------------------------------------- */

static void test_a_request_is_repeated_in_its_place(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 3);
    assert_int_equal(run_against(caller, "[{\"status\":503,\"times\":2}]"), 0);
    static const struct entry wanted[] = {
        {0, 1, 503, 0}, {0, 2, 503, 0}, {0, 3, 200, 0}, {1, 1, 200, 0}, {2, 1, 200, 0}};
    assert_int_equal(caller->n_log, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(caller->log[i].request, wanted[i].request);
        assert_int_equal(caller->log[i].attempt, wanted[i].attempt);
        assert_int_equal(caller->log[i].status, wanted[i].status);
    }
    check_usable_and_end(caller);
}

static void test_others_go_on_while_one_waits(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 4);
    caller->work.concurrency = 2;
    caller->work.max_wait = 10;
    assert_int_equal(
        run_against(caller, "[{\"status\":503,\"headers\":{\"retry-after-ms\":\"700\"}}]"), 0);
    assert_int_equal(caller->n_log, 5);
    struct entry *last = &caller->log[4];
    assert_int_equal(last->attempt, 2);
    assert_int_equal(last->status, 200);
    for (size_t i = 0; i < 4; i++) assert_true(caller->log[i].time < last->time - 0.1);
    check_usable_and_end(caller);
}

static void test_too_many_requests_holds_all(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 8);
    caller->work.concurrency = 3;
    caller->work.max_wait = 10;
    assert_int_equal(run_against(caller, "[{\"status\":429,\"headers\":{\"Retry-After\":\"0.4\"}},"
                                         "{\"delay\":0.3,\"times\":2}]"),
                     0);
    assert_int_equal(caller->n_done, 8);
    assert_int_equal(caller->log[0].status, 429);
    double refused = caller->log[0].time;
    for (size_t i = 3; i < 8; i++) assert_true(caller->sent_at[i] >= refused + 0.39);
    assert_true(caller->log[8].time < refused + 5);
    check_usable_and_end(caller);
}

static void test_no_attempt_left(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 5);
    caller->work.concurrency = 2;
    assert_int_equal(run_against(caller, "[{\"status\":503,\"times\":\"forever\"}]"),
                     ERROR_UNAVAILABLE);
    assert_int_equal(caller->n_given_up, 1);
    assert_string_equal(caller->err.text, "attempt 3: status 503 , wait -1");
    check_usable_and_end(caller);
}

static void test_a_server_that_wants_too_much_patience(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 1);
    caller->work.max_wait = 60;
    assert_int_equal(run_against(caller, "[{\"status\":429,\"headers\":{\"Retry-After\":\"90\"}}]"),
                     ERROR_UNAVAILABLE);
    assert_string_equal(caller->err.text, "attempt 1: status 429 , wait 90");
    check_usable_and_end(caller);
}

static void test_the_delay_that_grows(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 1);
    caller->work.max_wait = 60;
    assert_int_equal(run_against(caller, "[{\"status\":503,\"headers\":{\"Retry-After\":\"0\"}}]"),
                     0);
    double delay = caller->log[1].time - caller->log[0].time;
    assert_true(delay > 0.74 && delay < 4);
    check_usable_and_end(caller);
}

/* ---- failures ------------------------------------------------------------------------------- */

/* What the caller is told of one attempt against these steps. */
static void check_failure(const char *steps, double timeout, const char *text, int may_heal)
{
    struct caller *caller = caller_new(embed_url(), 1);
    caller->request.bearer = SECRET;
    caller->request.max_answer = 100000;
    caller->work.max_attempts = 1;
    caller->work.timeout = timeout;
    int rc = run_against(caller, steps);
    if (rc != (may_heal ? ERROR_UNAVAILABLE : 0) || caller->last.status != 0 ||
        caller->last.may_heal != may_heal || strstr(caller->last.failure, text) == NULL)
        fail_msg("%s: %d %d %d %s", steps, rc, caller->last.status, caller->last.may_heal,
                 caller->last.failure);
    assert_null(strstr(caller->last.failure, SECRET));
    assert_null(strstr(caller->err.text, SECRET));
    assert_int_equal(caller->last.body.size, 0);
    check_usable_and_end(caller);
}

static void test_connections_that_break(void **state)
{
    (void)state;
    /* Twice: what breaks on a connection that was used before, libcurl itself tries on a new one.
     */
    check_failure("[{\"do\":\"reset\",\"times\":2}]", 10, "no whole answer from 127.0.0.1 port", 1);
    check_failure("[\"reset_middle\"]", 10, "no whole answer from 127.0.0.1 port", 1);
    check_failure("[{\"do\":\"close\",\"times\":2}]", 10, "no answer from 127.0.0.1 port", 1);
    check_failure("[\"close_middle\"]", 10, "the answer was cut off by 127.0.0.1 port", 1);
    check_failure("[\"not_http\"]", 10, "not an HTTP answer from 127.0.0.1 port", 0);
}

static void test_answers_that_do_not_end(void **state)
{
    (void)state;
    check_failure("[\"silence\"]", 0.6, "no whole answer from 127.0.0.1 port", 1);
    check_failure("[\"silence_after_head\"]", 0.6, ": timed out after 0.6 seconds", 1);
    check_failure("[{\"do\":\"drip\",\"interval\":0.1}]", 0.6, ": timed out after 0.6 seconds", 1);
}

static long peak_kilobytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
    return usage.ru_maxrss / 1024;
#else
    return usage.ru_maxrss;
#endif
}

static void test_answers_that_are_too_large(void **state)
{
    (void)state;
    long before = peak_kilobytes();
    check_failure("[\"flood\"]", 10, "the answer has more than 100000 bytes", 0);
    check_failure("[\"flood_chunked\"]", 10, "the answer has more than 100000 bytes", 0);
    check_failure("[\"gzip_bomb\"]", 10, "the answer has more than 100000 bytes", 0);
    check_failure("[\"flood_head\"]", 10, "the head of the answer is too large", 0);
    assert_true(peak_kilobytes() - before < 32 << 10);
}

static void test_a_ceiling_is_exact(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 1);
    caller->request.max_answer = 5;
    assert_int_equal(run_against(caller, "[{\"status\":200,\"body\":\"12345\"}]"), 0);
    assert_int_equal(caller->last.status, 200);
    assert_string_equal(caller->body, "12345");
    caller->n++;
    assert_int_equal(run_against(caller, "[{\"status\":200,\"body\":\"123456\"}]"), 0);
    assert_int_equal(caller->last.status, 0);
    check_usable_and_end(caller);
}

static void test_redirects_are_not_followed(void **state)
{
    (void)state;
    size_t n_requests, n_connections;
    struct caller *caller = caller_new(embed_url(), 1);
    caller->request.bearer = SECRET;
    assert_int_equal(run_against(caller, "[\"redirect\"]"), 0);
    assert_int_equal(caller->last.status, 302);
    count_requests(caller, &n_requests, &n_connections);
    assert_int_equal(n_requests, 1);
    check_usable_and_end(caller);
}

/* A socket of 127.0.0.1, and in url how to reach it; backlog below 0: nothing listens. */
static int open_port(int backlog, const char *scheme, char url[64])
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

static void test_connection_refused(void **state)
{
    (void)state;
    char url[64];
    int sock = open_port(-1, "http", url);
    struct caller *caller = caller_new(url, 1);
    caller->request.bearer = SECRET;
    assert_int_equal(run(caller), ERROR_UNAVAILABLE);
    assert_int_equal(caller->n_log, 3);
    assert_non_null(strstr(caller->err.text, "could not connect to 127.0.0.1 port "));
    assert_non_null(strstr(caller->err.text, ": connection refused"));
    assert_null(strstr(caller->err.text, SECRET));
    close(sock);
    check_usable_and_end(caller);
}

static void test_requests_that_must_not_be_sent(void **state)
{
    (void)state;
    struct caller *caller = caller_new("http://example.com/", 1);
    assert_int_equal(run(caller), ERROR_INVALID);
    assert_non_null(strstr(caller->err.text, "needs https://"));
    caller->n_sent = 0;
    caller->request.url = embed_url();
    caller->request.bearer = SECRET "\r\nX-Other: 1";
    assert_int_equal(run(caller), ERROR_INVALID);
    assert_string_equal(caller->err.text, "the key holds control characters");
    assert_int_equal(caller->n_log, 0);
    check_usable_and_end(caller);
}

/* ---- certificates --------------------------------------------------------------------------- */

/* One request to a server with that kind of certificate, trusting its authority by `variable`. */
static void check_certificate(const char *kind, const char *variable, int is_good)
{
    struct loopback secure;
    char url[64];
    const char *options[] = {"--tls", kind, NULL};
    if (loopback_start(&secure, options) != 0) fail_msg("the server did not start");
    if (variable != NULL) setenv(variable, secure.ca, 1);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/ollama/api/embed", secure.port);
    struct caller *caller = caller_new(url, 20);
    caller->work.concurrency = 4;
    int rc = run(caller);
    if (variable != NULL) unsetenv(variable);
    loopback_stop(&secure);
    if (rc != 0 || caller->last.status != (is_good ? 200 : 0) || caller->last.may_heal)
        fail_msg("%s: %d %d %s", kind, rc, caller->last.status, caller->last.failure);
    if (!is_good)
        assert_non_null(strstr(caller->last.failure, "refused the certificate of 127.0.0.1 port "));
    assert_int_equal(caller->n_done, 20);
    check_usable_and_end(caller);
}

static void test_certificates(void **state)
{
    (void)state;
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    unsetenv("CURL_CA_BUNDLE");
    check_certificate("good", "CURL_CA_BUNDLE", 1);
    check_certificate("good", "SSL_CERT_FILE", 1);
    check_certificate("good", NULL, 0);
    check_certificate("selfsigned", "CURL_CA_BUNDLE", 0);
    check_certificate("wronghost", "CURL_CA_BUNDLE", 0);
    check_certificate("expired", "CURL_CA_BUNDLE", 0);
}

static void test_a_bundle_that_is_not_there(void **state)
{
    (void)state;
    char url[64];
    int sock = open_port(4, "https", url);
    struct caller *caller = caller_new(url, 1);
    setenv("CURL_CA_BUNDLE", "/nowhere/ca.pem", 1);
    assert_int_equal(run(caller), 0);
    unsetenv("CURL_CA_BUNDLE");
    assert_non_null(strstr(caller->last.failure, "bundle cannot be read"));
    close(sock);
    check_usable_and_end(caller);
}

static void test_this_machine_needs_no_proxy(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 1);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    assert_int_equal(run_against(caller, "[]"), 0);
    assert_int_equal(caller->last.status, 200);
    caller->n++;
    caller->request.url = "http://example.com/";
    caller->request.plain = 1;
    caller->work.max_attempts = 1;
    assert_int_equal(run(caller), ERROR_UNAVAILABLE);
    unsetenv("http_proxy");
    assert_non_null(strstr(caller->err.text, "the proxy for example.com port 80: connection ref"));
    check_usable_and_end(caller);
}

static void test_a_proxy_that_refuses(void **state)
{
    (void)state;
    struct caller *caller = caller_new("https://example.com/", 1);
    behave(caller, "[{\"status\":407}]");
    setenv("https_proxy", url_of(""), 1);
    int rc = run(caller);
    unsetenv("https_proxy");
    assert_int_equal(rc, 0);
    assert_string_equal(caller->last.failure,
                        "the proxy refused to connect to example.com port 443: status 407");
    check_usable_and_end(caller);
}

/* ---- cancellation --------------------------------------------------------------------------- */

/* Cancels 0.2 seconds after the start: the run must end soon after. */
static void check_cancelled(struct caller *caller)
{
    caller->work.concurrency = 2;
    caller->cancel_at = clock_seconds() + 0.2;
    assert_int_equal(run(caller), ERROR_INTERRUPTED);
    double late = clock_seconds() - caller->cancel_at;
    if (late > 0.8) fail_msg("%g seconds late", late);
    print_message("           %.0f ms late\n", late * 1000);
    assert_string_equal(caller->err.text, "interrupted");
    check_usable_and_end(caller);
}

static void test_cancelled_in_transfer(void **state)
{
    (void)state;
    static const char *const steps[] = {"[{\"do\":\"silence\",\"times\":9}]",
                                        "[{\"do\":\"silence_after_head\",\"times\":9}]",
                                        "[{\"do\":\"drip\",\"times\":9,\"interval\":0.001}]"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct caller *caller = caller_new(embed_url(), 9);
        behave(caller, steps[i]);
        check_cancelled(caller);
    }
}

static void test_cancelled_in_a_delay(void **state)
{
    (void)state;
    static const char *const steps[] = {
        "[{\"status\":503,\"headers\":{\"Retry-After\":\"20\"},\"times\":9}]",
        "[{\"status\":429,\"headers\":{\"Retry-After\":\"20\"},\"times\":9}]"};
    for (size_t i = 0; i < 2; i++) {
        struct caller *caller = caller_new(embed_url(), 9);
        caller->work.max_wait = 60;
        behave(caller, steps[i]);
        check_cancelled(caller);
    }
}

static void test_cancelled_in_a_handshake(void **state)
{
    (void)state;
    char url[64];
    int sock = open_port(8, "https", url); /* accepts, and says nothing */
    check_cancelled(caller_new(url, 9));
    close(sock);
}

static void test_cancelled_before_the_start(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 9);
    caller->cancel_at = clock_seconds() - 1;
    assert_int_equal(run(caller), ERROR_INTERRUPTED);
    assert_int_equal(caller->n_sent, 0);
    check_usable_and_end(caller);
}

#ifdef __linux__

/* A queue that is full: Linux drops who knocks, so that a connection neither comes nor fails. */
static int open_full_port(char url[64], int knocking[4])
{
    int sock = open_port(0, "http", url);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    getsockname(sock, (struct sockaddr *)&address, &size);
    for (int i = 0; i < 4; i++) {
        knocking[i] = socket(AF_INET, SOCK_STREAM, 0);
        fcntl(knocking[i], F_SETFL, O_NONBLOCK);
        (void)!connect(knocking[i], (struct sockaddr *)&address, sizeof address);
    }
    return sock;
}

static void test_connections_that_are_not_made(void **state)
{
    (void)state;
    char url[64];
    int knocking[4], sock = open_full_port(url, knocking);
    struct caller *caller = caller_new(url, 1);
    caller->work.max_attempts = 1;
    caller->work.connect_timeout = 0.3;
    assert_int_equal(run(caller), ERROR_UNAVAILABLE);
    assert_non_null(strstr(caller->err.text, "could not connect to 127.0.0.1 port "));
    assert_non_null(strstr(caller->err.text, ": timed out after 0.3 seconds"));
    end(caller);
    check_cancelled(caller_new(url, 9));
    for (int i = 0; i < 4; i++) close(knocking[i]);
    close(sock);
}

/* In place of the system's, for libcurl: slow.invalid hangs, nothing else has an address. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **found)
{
    (void)service, (void)hints;
    *found = NULL;
    if (name != NULL && strcmp(name, "slow.invalid") == 0) sleep(3);
    return EAI_NONAME;
}

static void test_names_that_are_not_found(void **state)
{
    (void)state;
    struct caller *caller = caller_new("https://none.invalid/", 1);
    assert_int_equal(run(caller), 0);
    assert_string_equal(caller->last.failure, "there is no address for none.invalid port 443");
    assert_false(caller->last.may_heal);
    end(caller);
    if (curl_version_info(CURLVERSION_NOW)->version_num < 0x075700) skip();
    check_cancelled(caller_new("https://slow.invalid/", 9));
}

#endif

/* ---- memory and misuse ---------------------------------------------------------------------- */

static int run_once(struct caller *caller, struct error *err)
{
    struct http_client *client;
    caller->n_sent = caller->n_done = caller->n_log = 0;
    int rc = http_client_new(&client, err);
    if (rc == 0) rc = http_run(client, &caller->work, err);
    http_client_free(client);
    return rc;
}

static void test_each_allocation_fails_in_turn(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 2);
    caller->request.bearer = SECRET;
    caller->work.concurrency = 2;
    behave(caller, "[]");
    end(caller);
    for (long n = 0;; n++) {
        struct error err = {0};
        failing_memory_after = n;
        int rc = run_once(caller, &err);
        int was_enough = failing_memory_after > 0;
        failing_memory_after = -1;
        assert_int_equal(failing_memory_blocks, 0);
        if (rc == 0 && was_enough) break;
        if (rc == 0) continue; /* exactly as many as there were */
        assert_int_equal(rc, ERROR_NOMEM);
        assert_int_equal(err.code, ERROR_NOMEM);
        assert_true(n < 100);
    }
    assert_int_equal(caller->n_done, 2);
}

static int next_that_fails(void *context, struct http_request *request, struct error *err)
{
    (void)context, (void)request;
    return error_set(err, ERROR_CORRUPT, "no more texts") != 0 ? -1 : 0;
}

static enum http_verdict answer_that_stops(void *context, const struct http_request *request,
                                           const struct http_answer *answer, double *wait,
                                           struct error *err)
{
    (void)request, (void)answer, (void)wait;
    struct caller *caller = context;
    struct error inner;
    int rc = http_run(caller->client, &caller->work, &inner); /* not while one is going on */
    error_set(err, ERROR_CORRUPT, "inner %d", rc == ERROR_INVALID);
    return HTTP_STOP;
}

static void test_callers_that_stop(void **state)
{
    (void)state;
    struct caller *caller = caller_new(embed_url(), 9);
    caller->work.concurrency = 4;
    behave(caller, "[]");
    caller->work.answer = answer_that_stops;
    assert_int_equal(run(caller), ERROR_CORRUPT);
    assert_string_equal(caller->err.text, "inner 1");
    caller->work.answer = answer;
    caller->work.next = next_that_fails;
    assert_int_equal(run(caller), ERROR_CORRUPT);
    assert_int_equal(http_run(caller->client, &caller->work, NULL), ERROR_CORRUPT);
    caller->work.next = next;
    check_usable_and_end(caller);
}

static int start_server(void **state)
{
    (void)state;
    return loopback_start(&server, (const char *const[]){NULL});
}

static int stop_server(void **state)
{
    (void)state;
    loopback_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_are_reused),
        cmocka_unit_test(test_requests_that_follow_from_answers),
        cmocka_unit_test(test_forms_of_answers),
        cmocka_unit_test(test_a_large_request_is_sent_at_once),
        cmocka_unit_test(test_headers_reach_the_caller),
        cmocka_unit_test(test_what_is_sent),
        cmocka_unit_test(test_a_request_is_repeated_in_its_place),
        cmocka_unit_test(test_others_go_on_while_one_waits),
        cmocka_unit_test(test_too_many_requests_holds_all),
        cmocka_unit_test(test_no_attempt_left),
        cmocka_unit_test(test_a_server_that_wants_too_much_patience),
        cmocka_unit_test(test_the_delay_that_grows),
        cmocka_unit_test(test_connections_that_break),
        cmocka_unit_test(test_answers_that_do_not_end),
        cmocka_unit_test(test_answers_that_are_too_large),
        cmocka_unit_test(test_a_ceiling_is_exact),
        cmocka_unit_test(test_redirects_are_not_followed),
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_requests_that_must_not_be_sent),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_a_bundle_that_is_not_there),
        cmocka_unit_test(test_this_machine_needs_no_proxy),
        cmocka_unit_test(test_a_proxy_that_refuses),
        cmocka_unit_test(test_cancelled_in_transfer),
        cmocka_unit_test(test_cancelled_in_a_delay),
        cmocka_unit_test(test_cancelled_in_a_handshake),
        cmocka_unit_test(test_cancelled_before_the_start),
#ifdef __linux__
        cmocka_unit_test(test_connections_that_are_not_made),
        cmocka_unit_test(test_names_that_are_not_found),
#endif
        cmocka_unit_test(test_each_allocation_fails_in_turn),
        cmocka_unit_test(test_callers_that_stop),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

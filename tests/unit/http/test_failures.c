/*
 * test_failures.c: http_run against the loopback server, which misbehaves on command.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>
#include <sys/resource.h>

#include "http/caller.h"
#include "http/libcurl.h"

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
    check_failure("[\"flood_line\"]", 10, "the head of the answer is too large", 0);
    check_failure("[\"flood_status\"]", 10, "the head of the answer is too large", 0);
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
    if (libcurl->version_info(CURLVERSION_NOW)->version_num < 0x075700) skip();
    check_cancelled(caller_new("https://slow.invalid/", 9));
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_that_break),
        cmocka_unit_test(test_answers_that_do_not_end),
        cmocka_unit_test(test_answers_that_are_too_large),
        cmocka_unit_test(test_a_ceiling_is_exact),
        cmocka_unit_test(test_redirects_are_not_followed),
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_requests_that_must_not_be_sent),
        cmocka_unit_test(test_cancelled_in_transfer),
        cmocka_unit_test(test_cancelled_in_a_delay),
        cmocka_unit_test(test_cancelled_in_a_handshake),
        cmocka_unit_test(test_cancelled_before_the_start),
#ifdef __linux__
        cmocka_unit_test(test_connections_that_are_not_made),
        cmocka_unit_test(test_names_that_are_not_found),
#endif
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

/*
 * test_http.c: http_run against the loopback server: what goes well, repeats, misuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/caller.h"

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
        cmocka_unit_test(test_each_allocation_fails_in_turn),
        cmocka_unit_test(test_callers_that_stop),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

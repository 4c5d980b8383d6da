/*
 * test_certificates.c: http_run with TLS, which has to trust the server, and proxies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/caller.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_a_bundle_that_is_not_there),
        cmocka_unit_test(test_this_machine_needs_no_proxy),
        cmocka_unit_test(test_a_proxy_that_refuses),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, start_server, stop_server);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http/headers.h"
#include "http/http.h"

static void test_good_urls_and_their_origins(void **state)
{
    (void)state;
    static const struct {
        const char *url, *origin;
        int needs_plain;
    } cases[] = {
        {"https://api.together.ai/v1", "https://api.together.ai:443", 0},
        {"HTTPS://API.Together.AI", "https://api.together.ai:443", 0},
        {"https://example.com:8443/a?b=c%20d", "https://example.com:8443", 0},
        {"https://example.com?x=a@b", "https://example.com:443", 0},
        {"http://localhost:11434", "http://localhost:11434", 0},
        {"http://LOCALHOST/", "http://localhost:80", 0},
        {"http://127.0.0.1:8080/v1", "http://127.0.0.1:8080", 0},
        {"http://127.255.0.9", "http://127.255.0.9:80", 0},
        {"http://[::1]:9", "http://[::1]:9", 0},
        {"http://example.com/v1", "http://example.com:80", 1},
        {"http://10.0.0.1", "http://10.0.0.1:80", 1},
        {"http://128.0.0.1", "http://128.0.0.1:80", 1},
        {"http://0.0.0.0:1", "http://0.0.0.0:1", 1},
        {"http://127.0.0.1.example.com", "http://127.0.0.1.example.com:80", 1},
        {"http://127.example.com", "http://127.example.com:80", 1},
        {"http://localhost.example.com", "http://localhost.example.com:80", 1},
        {"http://notlocalhost", "http://notlocalhost:80", 1},
        {"http://[::2]", "http://[::2]:80", 1},
        {"http://[::ffff:10.0.0.1]:5", NULL, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char origin[300];
        struct error err = {0};
        if (http_check_url(cases[i].url, 1, &err) != 0) fail_msg("%s: %s", cases[i].url, err.text);
        int rc = http_check_url(cases[i].url, 0, &err);
        if (rc != (cases[i].needs_plain ? ERROR_INVALID : 0)) fail_msg("%s: %d", cases[i].url, rc);
        assert_int_equal(http_origin(cases[i].url, origin, sizeof origin, &err), 0);
        if (cases[i].origin != NULL) assert_string_equal(origin, cases[i].origin);
    }
}

static void test_bad_urls(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",
        "x",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "https:/example.com",
        "https:example.com",
        "https://",
        "https:///v1",
        "https://?x",
        "https://user@example.com",
        "https://user:secret@example.com",
        "https://:secret@example.com",
        "https://@example.com",
        "https://example.com#part",
        "https://example.com/a b",
        " https://example.com",
        "https://example.com/\n",
        "https://example.com/\x01",
        "https://example.com\\@evil.com",
        "https://exa%6dple.com",
        "https://ex\xC3\xA4mple.com",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:x",
        "https://example.com:-1",
        "https://[::1",
        "https://[]",
        "http://[::1%25lo]",
        "https://exa mple.com",
        "javascript://example.com",
        "https//example.com",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char origin[64];
        struct error err = {0};
        if (http_check_url(urls[i], 1, &err) != ERROR_INVALID) fail_msg("%s passed", urls[i]);
        assert_int_equal(err.code, ERROR_INVALID);
        assert_null(strstr(err.text, "secret"));
        assert_int_equal(http_origin(urls[i], origin, sizeof origin, &err), ERROR_INVALID);
    }
    assert_int_equal(http_check_url(NULL, 0, NULL), ERROR_INVALID);
}

static void test_long_hosts_and_short_buffers(void **state)
{
    (void)state;
    char url[1200] = "https://", origin[24];
    memset(url + 8, 'a', 1000);
    assert_int_equal(http_check_url(url, 0, NULL), ERROR_INVALID);
    assert_int_equal(http_origin("https://example.com", origin, 23, NULL), ERROR_INVALID);
    assert_int_equal(http_origin("https://example.com", origin, 24, NULL), 0);
}

static struct http_headers headers_of(const char *const *lines)
{
    struct http_headers headers;
    http_headers_init(&headers);
    for (; *lines != NULL; lines++)
        assert_int_equal(http_headers_take(&headers, *lines, strlen(*lines)), 0);
    return headers;
}

#define HEADERS(...) headers_of((const char *const[]){"HTTP/1.1 200 OK\r\n", __VA_ARGS__, NULL})

static void test_headers_that_are_wanted(void **state)
{
    (void)state;
    struct http_headers headers =
        HEADERS("Retry-After: 1.5\r\n", "retry-after-ms:250\r\n", "X-RateLimit-Reset: 7.25 \r\n",
                "X-Should-Retry: TRUE\r\n", "X-Compute-Tokens: 123\r\n");
    assert_float_equal(headers.retry_after, 1.5, 1e-9);
    assert_float_equal(headers.retry_after_ms, 0.25, 1e-9);
    assert_float_equal(headers.reset_after, 7.25, 1e-9);
    assert_int_equal(headers.should_retry, 1);
    assert_int_equal(headers.compute_tokens, 123);
    headers = HEADERS("x-should-retry: false\r\n", "X-Ratelimit-Reset: 6m0s\r\n");
    assert_int_equal(headers.should_retry, 0);
    assert_true(headers.reset_after < 0);
}

static void test_headers_that_say_nothing(void **state)
{
    (void)state;
    struct http_headers headers =
        HEADERS("Retry-After: 0\r\n", "retry-after-ms: -5\r\n", "X-Should-Retry: maybe\r\n",
                "X-Compute-Tokens: 12345678901234567890\r\n", "no colon here\r\n", "\r\n", "");
    assert_true(headers.retry_after < 0 && headers.retry_after_ms < 0);
    assert_int_equal(headers.should_retry, -1);
    assert_true(headers.compute_tokens < 0);
    static const char *const values[] = {
        "", ".", "1.2.3", "1e3", "nan", "inf", "0x10", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char line[80];
        snprintf(line, sizeof line, "Retry-After: %s\r\n", values[i]);
        headers = HEADERS(line);
        if (headers.retry_after >= 0) fail_msg("%s: %g", values[i], headers.retry_after);
    }
}

static void test_a_date_is_seconds_from_now(void **state)
{
    (void)state;
    char line[80];
    time_t then = time(NULL) + 100;
    struct tm parts;
    strftime(line, sizeof line, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n",
             gmtime_r(&then, &parts));
    struct http_headers headers = HEADERS(line);
    assert_true(headers.retry_after > 90 && headers.retry_after <= 100);
}

static void test_an_interim_answer_is_forgotten(void **state)
{
    (void)state;
    struct http_headers headers = HEADERS("Retry-After: 5\r\n", "\r\n", "HTTP/1.1 200 OK\r\n");
    assert_true(headers.retry_after < 0);
}

static void test_a_head_has_a_ceiling(void **state)
{
    (void)state;
    struct http_headers headers;
    http_headers_init(&headers);
    size_t n = 0;
    while (http_headers_take(&headers, "X-More: 0123456789\r\n", 20) == 0) n++;
    assert_int_equal(n, HTTP_HEAD_CEILING / 20);
    assert_int_equal(http_headers_take(&headers, "", SIZE_MAX), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_urls_and_their_origins),
        cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_long_hosts_and_short_buffers),
        cmocka_unit_test(test_headers_that_are_wanted),
        cmocka_unit_test(test_headers_that_say_nothing),
        cmocka_unit_test(test_a_date_is_seconds_from_now),
        cmocka_unit_test(test_an_interim_answer_is_forgotten),
        cmocka_unit_test(test_a_head_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

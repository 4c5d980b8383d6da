#include "http/headers.h"

#include <string.h>
#include <time.h>

#include "base/span.h"
#include "http/libcurl.h"

#define MAX_DATE 64 /* bytes of a date: RFC 9110's longest has 33 */

static void forget(struct http_headers *headers)
{
    headers->retry_after_ms = headers->retry_after = headers->reset_after = -1;
    headers->should_retry = -1;
    headers->compute_tokens = -1;
}

void http_headers_init(struct http_headers *headers)
{
    headers->size = 0;
    forget(headers);
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trimmed(const char *data, size_t size)
{
    while (size != 0 && is_blank(data[0])) data++, size--;
    while (size != 0 && is_blank(data[size - 1])) size--;
    return (struct span){data, size};
}

/* ASCII, in any case; `name` is lower case. */
static int is(struct span text, const char *name)
{
    if (text.size != strlen(name)) return 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c + 32) : c) != name[i]) return 0;
    }
    return 1;
}

/* "12" or "1.5", the same in every locale; below 0 for anything else. */
static double number_of(struct span text)
{
    double value = 0, place = 1;
    size_t digits = 0;
    int fraction = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '.' && !fraction) {
            fraction = 1;
        } else if (c >= '0' && c <= '9') {
            digits++;
            if (fraction) place /= 10;
            value = fraction ? value + (c - '0') * place : value * 10 + (c - '0');
        } else {
            return -1;
        }
    }
    return digits != 0 ? value : -1;
}

/* A whole number; -1 for anything else. */
static int64_t count_of(struct span text)
{
    int64_t value = 0;
    if (text.size == 0 || text.size > 18) return -1;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

/* Seconds from now, by the clock of this machine, until an HTTP date; below 0 when it is past. */
static double seconds_until(struct span date)
{
    char text[MAX_DATE];
    if (date.size >= sizeof text) return -1;
    memcpy(text, date.data, date.size);
    text[date.size] = '\0';
    time_t then = libcurl->getdate(text, NULL);
    return then == (time_t)-1 ? -1 : difftime(then, time(NULL));
}

/* 0 asks for nothing: the delay that grows is used then, or many clients would come back at once.
 */
static double positive(double seconds)
{
    return seconds > 0 ? seconds : -1;
}

static void take_value(struct http_headers *headers, struct span name, struct span value)
{
    double number = number_of(value);
    if (is(name, "retry-after-ms")) {
        headers->retry_after_ms = positive(number / 1000);
    } else if (is(name, "retry-after")) {
        headers->retry_after = positive(number >= 0 ? number : seconds_until(value));
    } else if (is(name, "x-ratelimit-reset")) {
        headers->reset_after = number;
    } else if (is(name, "x-should-retry")) {
        headers->should_retry = is(value, "true") ? 1 : is(value, "false") ? 0 : -1;
    } else if (is(name, "x-compute-tokens")) {
        headers->compute_tokens = count_of(value);
    }
}

int http_headers_take(struct http_headers *headers, const char *line, size_t size)
{
    if (size > HTTP_HEAD_CEILING - headers->size) return -1;
    headers->size += size;
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) forget(headers);
    const char *colon = memchr(line, ':', size);
    if (colon == NULL) return 0;
    size_t name = (size_t)(colon - line);
    take_value(headers, trimmed(line, name), trimmed(colon + 1, size - name - 1));
    return 0;
}

#include "http/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HOST_SHOWN 80 /* bytes of a host in a sentence */

/* The system's reason for a connection that was not made; NULL for the unusual ones. */
static const char *reason_of(long number)
{
    if (number == ECONNREFUSED) return "connection refused";
    if (number == ENETUNREACH) return "network is unreachable";
    if (number == EHOSTUNREACH) return "no route to host";
    if (number == ETIMEDOUT) return "timed out";
    if (number == EACCES || number == EPERM) return "not permitted";
    return NULL;
}

static void tell(const struct http_failure *failure, int may_heal, const char *before,
                 const char *after)
{
    const struct http_target *target = failure->target;
    failure->answer->may_heal = may_heal;
    snprintf(failure->answer->failure, sizeof failure->answer->failure, "%s%.*s port %u%s%s",
             before, HOST_SHOWN, target->host, target->port, after[0] != '\0' ? ": " : "", after);
}

static void tell_plain(const struct http_failure *failure, int may_heal, const char *text)
{
    failure->answer->may_heal = may_heal;
    snprintf(failure->answer->failure, sizeof failure->answer->failure, "%s", text);
}

/* libcurl names the machine it could not reach: if it is not the one that was meant, it is a proxy
 * from the environment, and who reads the error should look there. */
static void describe_connect(const struct http_failure *failure)
{
    long number = 0;
    char text[32] = "no connection was made";
    libcurl->easy_getinfo(failure->easy, CURLINFO_OS_ERRNO, &number);
    const char *reason = reason_of(number);
    if (reason == NULL && number != 0) snprintf(text, sizeof text, "system error %ld", number);
    if (reason == NULL) reason = text;
    char host[HTTP_HOST_SIZE];
    size_t brackets = failure->target->host[0] == '[';
    snprintf(host, sizeof host, "%s", failure->target->host + brackets);
    if (brackets) host[strlen(host) - 1] = '\0';
    int direct = failure->detail[0] == '\0' || strstr(failure->detail, host) != NULL;
    tell(failure, 1, direct ? "could not connect to " : "could not connect to the proxy for ",
         reason);
}

/* A tunnel that a proxy did not open ends in the same code of libcurl as a connection that breaks.
 */
static void describe_broken(const struct http_failure *failure)
{
    long status = 0;
    libcurl->easy_getinfo(failure->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (status < 300) {
        tell(failure, 1, "no whole answer from ", "connection lost");
        return;
    }
    char text[32];
    snprintf(text, sizeof text, "status %ld", status);
    tell(failure, status >= 500, "the proxy refused to connect to ", text);
}

/* The time to connect is 0 on a connection that was used before: what tells is whether the request
 * could begin. */
static void describe_timeout(const struct http_failure *failure)
{
    const struct http_work *work = failure->work;
    double begun = 0;
    libcurl->easy_getinfo(failure->easy, CURLINFO_PRETRANSFER_TIME, &begun);
    double limit = work->timeout;
    if (begun <= 0 && work->connect_timeout < limit) limit = work->connect_timeout;
    char text[64];
    snprintf(text, sizeof text, "timed out after %.4g seconds", limit);
    tell(failure, 1, begun > 0 ? "no whole answer from " : "could not connect to ", text);
}

/* Words of the TLS library, made to look like ours. Those say nothing of the request. */
static void describe_tls(const struct http_failure *failure, int may_heal, const char *before)
{
    char text[96];
    const char *detail = failure->detail;
    if (detail[0] == '\0') detail = libcurl->easy_strerror(failure->code);
    snprintf(text, sizeof text, "%.95s", detail);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') *c = ' ';
    size_t length = strlen(text);
    while (length != 0 && (text[length - 1] == ' ' || text[length - 1] == '.'))
        text[--length] = '\0';
    tell(failure, may_heal, before, text);
}

/* A handshake that was cut off may go better; one that the sides do not agree on will not. */
static int handshake_may_heal(const char *detail)
{
    return strstr(detail, "version") == NULL && strstr(detail, "alert") == NULL;
}

static void describe_too_large(const struct http_failure *failure)
{
    char text[64];
    size_t ceiling = failure->max_answer;
    snprintf(text, sizeof text, "the answer has more than %zu bytes", ceiling);
    tell_plain(failure, 0, text);
}

static void describe_code(const struct http_failure *failure)
{
    switch (failure->code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        tell(failure, 0, "there is no address for ", "");
        break;
    case CURLE_COULDNT_RESOLVE_PROXY:
        tell(failure, 0, "there is no address for the proxy for ", "");
        break;
    case CURLE_COULDNT_CONNECT:
        describe_connect(failure);
        break;
    case CURLE_OPERATION_TIMEDOUT:
        describe_timeout(failure);
        break;
    case CURLE_GOT_NOTHING:
        tell(failure, 1, "no answer from ", "connection closed");
        break;
    case CURLE_PARTIAL_FILE:
        tell(failure, 1, "the answer was cut off by ", "");
        break;
    case CURLE_SEND_ERROR:
        tell(failure, 1, "could not send to ", "connection lost");
        break;
    case CURLE_RECV_ERROR:
        describe_broken(failure);
        break;
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        tell(failure, 1, "no whole answer from ", "HTTP/2 error");
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        tell(failure, 0, "not an HTTP answer from ", "");
        break;
    case CURLE_BAD_CONTENT_ENCODING:
        tell(failure, 0, "the answer cannot be decompressed, from ", "");
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        describe_tls(failure, 0, "refused the certificate of ");
        break;
    case CURLE_SSL_CACERT_BADFILE:
        tell_plain(failure, 0,
                   "the certificate bundle cannot be read (CURL_CA_BUNDLE, SSL_CERT_FILE)");
        break;
    case CURLE_SSL_CONNECT_ERROR:
        describe_tls(failure, handshake_may_heal(failure->detail), "no secure connection to ");
        break;
    default:
        describe_tls(failure, 0, "no answer from ");
        break;
    }
}

void http_failure_describe(const struct http_failure *failure)
{
    if (failure->head_too_large) tell_plain(failure, 0, "the head of the answer is too large");
    else if (failure->too_large || failure->code == CURLE_FILESIZE_EXCEEDED)
        describe_too_large(failure);
    else if (failure->code == CURLE_OK) /* a "status" of 0 */
        tell(failure, 0, "not an HTTP answer from ", "");
    else describe_code(failure);
}

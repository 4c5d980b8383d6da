#include "http/transfer.h"

#include <limits.h>
#include <string.h>

#include "base/environment.h"
#include "base/memory.h"
#include "http/failure.h"

/* ---- what libcurl calls --------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t n, void *context)
{
    struct http_transfer *transfer = context;
    int rc = buffer_append(&transfer->body, data, size * n, NULL);
    if (rc == ERROR_NOMEM) transfer->nomem = 1;
    else if (rc != 0) transfer->too_large = 1;
    return rc == 0 ? size * n : 0;
}

static size_t take_header(char *data, size_t size, size_t n, void *context)
{
    struct http_transfer *transfer = context;
    if (http_headers_take(&transfer->headers, data, size * n) == 0) return size * n;
    transfer->head_too_large = 1;
    return 0;
}

/* Nothing is read from anywhere but the request's body. */
static size_t give_nothing(char *data, size_t size, size_t n, void *context)
{
    (void)data, (void)size, (void)n, (void)context;
    return 0;
}

/* ---- the header lines ----------------------------------------------------------------------- */

static void free_key(struct http_transfer *transfer)
{
    memory_free_secret(transfer->authorization);
    transfer->authorization = NULL;
}

static int build_authorization(struct http_transfer *transfer, struct error *err)
{
    static const char prefix[] = "Authorization: Bearer ";
    const char *bearer = transfer->request.bearer;
    if (bearer == NULL) return 0;
    for (const char *c = bearer; *c != '\0'; c++) /* a line end would begin a header of its own */
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            return error_set(err, ERROR_INVALID, "the key holds control characters");
    size_t length = strlen(bearer), start = sizeof prefix - 1;
    char *line = memory_alloc(start + length + 1, 1);
    if (line == NULL) return error_nomem(err);
    memcpy(line, prefix, start);
    memcpy(line + start, bearer, length + 1);
    transfer->authorization = line;
    return 0;
}

/* libcurl only reads the list, so that its nodes can be ours: nothing to copy, nothing to leak. An
 * empty Expect keeps libcurl from asking before it sends a body, which costs a second with servers
 * that do not know the question. */
static void link_lines(struct http_transfer *transfer)
{
    static const char *const fixed[] = {"Content-Type: application/json",
                                        "Accept: application/json",
                                        "Expect:", "User-Agent: sqlite-rerank"};
    size_t n = 0;
    for (; n < sizeof fixed / sizeof *fixed; n++) transfer->lines[n].data = (char *)fixed[n];
    if (transfer->authorization != NULL) transfer->lines[n++].data = transfer->authorization;
    for (size_t i = 0; i < n; i++)
        transfer->lines[i].next = i + 1 < n ? &transfer->lines[i + 1] : NULL;
}

/* ---- options -------------------------------------------------------------------------------- */

/* Sets one option unless one failed before. */
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (code == CURLE_OK) code = libcurl->easy_setopt(easy, option, value);                    \
    } while (0)

static long milliseconds(double seconds)
{
    if (!(seconds > 0.001)) return 1; /* 0 is libcurl's "no limit" */
    return seconds > 1e6 ? 1000000000L : (long)(seconds * 1000);
}

static int has_gzip(void)
{
    return (libcurl->version_info(CURLVERSION_NOW)->features & CURL_VERSION_LIBZ) != 0;
}

/* The options that say it by numbers are known to every libcurl that may be found at run time. */
static CURLcode set_protocols(CURL *easy)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    SET(CURLOPT_REDIR_PROTOCOLS, (long)CURLPROTO_HTTPS);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    return code;
}

/* Certificates to trust, as the curl program has them from variables; the library leaves it to us.
 * None set: libcurl's own choice. */
static CURLcode set_trust(CURL *easy)
{
    const char *bundle = environment_value("CURL_CA_BUNDLE"), *folder = NULL;
    CURLcode code = CURLE_OK;
    if (bundle == NULL) {
        bundle = environment_value("SSL_CERT_FILE");
        folder = environment_value("SSL_CERT_DIR");
    }
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (bundle != NULL) SET(CURLOPT_CAINFO, bundle);
    if (folder != NULL) { /* not every TLS library has folders: the bundle is enough then */
        CURLcode known = libcurl->easy_setopt(easy, CURLOPT_CAPATH, folder);
        if (code == CURLE_OK && known == CURLE_OUT_OF_MEMORY) code = known;
    }
    return code;
}

static CURLcode set_request(CURL *easy, struct http_transfer *transfer)
{
    const struct http_request *request = &transfer->request;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, request->body.size != 0 ? request->body.data : "");
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
    SET(CURLOPT_HTTPHEADER, transfer->lines);
    /* A request to this machine would reach another one through a proxy. */
    if (transfer->target.local) SET(CURLOPT_NOPROXY, "*");
    if (transfer->target.secure) {
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        SET(CURLOPT_PIPEWAIT, 1L); /* one connection, should the server offer HTTP/2 */
    } else {
        SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    }
    return code;
}

static CURLcode set_answer(CURL *easy, struct http_transfer *transfer)
{
    size_t ceiling = transfer->request.max_answer;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_READFUNCTION, give_nothing);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, (void *)transfer);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, (void *)transfer);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (has_gzip()) SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    /* Refuses an announced length at once; what is not announced is counted by take_body. */
    if (ceiling > 0 && ceiling < INT_MAX) SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)ceiling);
    SET(CURLOPT_PRIVATE, (void *)transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->detail);
    return code;
}

static CURLcode set_limits(CURL *easy, const struct http_work *work)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(work->connect_timeout));
    SET(CURLOPT_TIMEOUT_MS, milliseconds(work->timeout));
    /* A name look-up that was given up is left to end on its own, not waited for: from 7.87 on. */
    (void)libcurl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return code;
}

/* ---- a transfer's life ---------------------------------------------------------------------- */

void http_transfer_init(struct http_transfer *transfer)
{
    memset(transfer, 0, sizeof *transfer);
    http_headers_init(&transfer->headers);
    buffer_init(&transfer->body, 0);
}

/* Out of the multi handle; an attempt that is not over ends here. */
static void detach(struct http_transfer *transfer)
{
    if (transfer->multi == NULL) return;
    libcurl->multi_remove_handle(transfer->multi, transfer->easy);
    transfer->multi = NULL;
}

void http_transfer_release(struct http_transfer *transfer)
{
    detach(transfer);
    if (transfer->easy != NULL) libcurl->easy_reset(transfer->easy);
    free_key(transfer);
    memset(&transfer->request, 0, sizeof transfer->request);
    transfer->state = HTTP_TRANSFER_FREE;
    transfer->attempt = 0;
}

void http_transfer_deinit(struct http_transfer *transfer)
{
    http_transfer_release(transfer);
    libcurl->easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    buffer_deinit(&transfer->body);
}

int http_transfer_prepare(struct http_transfer *transfer, struct error *err)
{
    const struct http_request *request = &transfer->request;
    int rc = http_target_check(request->url, request->plain, &transfer->target, err);
    if (rc == 0) rc = build_authorization(transfer, err);
    if (rc == 0) link_lines(transfer);
    return rc;
}

static void forget_answer(struct http_transfer *transfer)
{
    http_headers_init(&transfer->headers);
    buffer_clear(&transfer->body);
    transfer->body.ceiling = transfer->request.max_answer;
    transfer->too_large = transfer->head_too_large = transfer->nomem = 0;
    transfer->detail[0] = '\0';
}

int http_transfer_start(struct http_transfer *transfer, CURLM *multi, const struct http_work *work,
                        struct error *err)
{
    if (transfer->easy == NULL) transfer->easy = libcurl->easy_init();
    if (transfer->easy == NULL) return error_nomem(err);
    forget_answer(transfer);
    CURL *easy = transfer->easy;
    libcurl->easy_reset(easy);
    CURLcode code = set_protocols(easy);
    if (code == CURLE_OK) code = set_trust(easy);
    if (code == CURLE_OK) code = set_limits(easy, work);
    if (code == CURLE_OK) code = set_request(easy, transfer);
    if (code == CURLE_OK) code = set_answer(easy, transfer);
    if (code == CURLE_OUT_OF_MEMORY) return error_nomem(err);
    if (code != CURLE_OK)
        return error_set(err, ERROR_UNAVAILABLE, "libcurl %s cannot do what is needed: %s",
                         libcurl->version_info(CURLVERSION_NOW)->version,
                         libcurl->easy_strerror(code));
    CURLMcode added = libcurl->multi_add_handle(multi, easy);
    if (added == CURLM_OUT_OF_MEMORY) return error_nomem(err);
    if (added != CURLM_OK)
        return error_set(err, ERROR_UNAVAILABLE, "libcurl cannot start a request: %s",
                         libcurl->multi_strerror(added));
    transfer->multi = multi;
    transfer->state = HTTP_TRANSFER_FLYING;
    transfer->attempt++;
    return 0;
}

/* libcurl keeps a header line whole, and ends at one of more than 100 KiB: from 8.6 on with a code
 * of its own, before that with the code of a failed allocation. It is one if memory is there, and
 * the answer had begun. */
static int is_line_too_long(const struct http_transfer *transfer, CURLcode code)
{
    curl_off_t begun = 0;
    if (code == CURLE_TOO_LARGE) return 1;
    if (code != CURLE_OUT_OF_MEMORY || transfer->nomem) return 0;
    libcurl->easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &begun);
    void *probe = begun > 0 ? memory_alloc(HTTP_HEAD_CEILING, 1) : NULL;
    memory_free(probe);
    return probe != NULL;
}

int http_transfer_finish(struct http_transfer *transfer, CURLcode code,
                         const struct http_work *work, struct http_answer *answer,
                         struct error *err)
{
    const struct http_headers *headers = &transfer->headers;
    long status = 0;
    *answer = (struct http_answer){
        .retry_after = headers->retry_after_ms > 0 ? headers->retry_after_ms : headers->retry_after,
        .reset_after = headers->reset_after,
        .should_retry = headers->should_retry,
        .compute_tokens = headers->compute_tokens,
        .attempt = transfer->attempt,
    };
    if (is_line_too_long(transfer, code)) transfer->head_too_large = 1;
    else if (transfer->nomem || code == CURLE_OUT_OF_MEMORY) {
        detach(transfer);
        return error_nomem(err);
    }
    if (code == CURLE_OK) libcurl->easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status > 0) {
        answer->status = (int)status;
        answer->body = (struct span){transfer->body.data, transfer->body.size};
    } else {
        struct http_failure failure = {code,
                                       transfer->easy,
                                       &transfer->target,
                                       work,
                                       transfer->detail,
                                       transfer->request.max_answer,
                                       transfer->head_too_large,
                                       transfer->too_large,
                                       answer};
        http_failure_describe(&failure);
    }
    detach(transfer);
    return 0;
}

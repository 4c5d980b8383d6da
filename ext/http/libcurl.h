/*
 * libcurl.h: the functions of libcurl, found when the first of them is needed.
 *
 * The library does not link libcurl: what never calls a server neither loads it nor needs it on the
 * machine. It is looked for by the names under which systems install its ABI 4, once a process, and
 * stays loaded. Everything is called as libcurl->easy_init(), with the types and numbers of
 * libcurl's interface: what of it is used is declared here.
 */
#ifndef HTTP_LIBCURL_H
#define HTTP_LIBCURL_H

#include <stdint.h>
#include <time.h>

#include "base/error.h"
#include "http/libcurl_numbers.h"

#define HTTP_LIBCURL_CONSTANT(name, number) name = number,
enum http_libcurl_constant {
    HTTP_LIBCURL_NUMBERS(HTTP_LIBCURL_CONSTANT) HTTP_LIBCURL_LATER_NUMBERS(HTTP_LIBCURL_CONSTANT)
};
#undef HTTP_LIBCURL_CONSTANT

/* Its types, under its names. */
typedef void CURL;
typedef void CURLM;
typedef struct Curl_URL CURLU;
typedef int CURLcode, CURLMcode, CURLUcode;
typedef int64_t curl_off_t;

struct curl_slist {
    char *data;
    struct curl_slist *next;
};

typedef struct CURLMsg {
    int msg;
    CURL *easy_handle;
    union {
        void *whatever;
        CURLcode result;
    } data;
} CURLMsg;

/* As far as it is read. */
typedef struct curl_version_info_data {
    int age;
    const char *version;
    unsigned int version_num;
    const char *host;
    int features;
} curl_version_info_data;

/* X(what it returns, its name without curl_, its arguments) */
#define HTTP_LIBCURL_FUNCTIONS(X)                                                                  \
    X(void, easy_cleanup, (CURL *))                                                                \
    X(CURLcode, easy_getinfo, (CURL *, int info, ...))                                             \
    X(CURL *, easy_init, (void))                                                                   \
    X(void, easy_reset, (CURL *))                                                                  \
    X(CURLcode, easy_setopt, (CURL *, int option, ...))                                            \
    X(const char *, easy_strerror, (CURLcode))                                                     \
    X(void, free, (void *))                                                                        \
    X(time_t, getdate, (const char *date, const time_t *unused))                                   \
    X(CURLcode, global_init, (long flags))                                                         \
    X(CURLMcode, multi_add_handle, (CURLM *, CURL *))                                              \
    X(CURLMcode, multi_cleanup, (CURLM *))                                                         \
    X(CURLMsg *, multi_info_read, (CURLM *, int *n_left))                                          \
    X(CURLM *, multi_init, (void))                                                                 \
    X(CURLMcode, multi_perform, (CURLM *, int *n_running))                                         \
    X(CURLMcode, multi_poll,                                                                       \
      (CURLM *, void *more, unsigned n_more, int milliseconds, int *n_ready))                      \
    X(CURLMcode, multi_remove_handle, (CURLM *, CURL *))                                           \
    X(CURLMcode, multi_setopt, (CURLM *, int option, ...))                                         \
    X(const char *, multi_strerror, (CURLMcode))                                                   \
    X(CURLU *, url, (void))                                                                        \
    X(void, url_cleanup, (CURLU *))                                                                \
    X(CURLUcode, url_get, (const CURLU *, int part, char **text, unsigned flags))                  \
    X(CURLUcode, url_set, (CURLU *, int part, const char *text, unsigned flags))                   \
    X(curl_version_info_data *, version_info, (int age))

#define HTTP_LIBCURL_MEMBER(type, name, arguments) type(*name) arguments;
struct libcurl {
    HTTP_LIBCURL_FUNCTIONS(HTTP_LIBCURL_MEMBER)
};
#undef HTTP_LIBCURL_MEMBER

/* NULL until http_libcurl_load returned 0; after that it never changes. */
extern const struct libcurl *libcurl;

/* Loads and starts it. ERROR_UNAVAILABLE: there is none, it is too old (7.66 has all of it), or it
 * cannot start; the next call says the same. ERROR_NOMEM. */
int http_libcurl_load(struct error *err);

#endif

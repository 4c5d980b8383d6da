/*
 * libcurl.h: the functions of libcurl, found when the first of them is needed.
 *
 * The library does not link libcurl: what never calls a server neither loads it nor needs it on the
 * machine. It is looked for by the names under which systems install its ABI 4, once a process, and
 * stays loaded. Everything is called as libcurl->easy_init(), with the types of <curl/curl.h>.
 */
#ifndef HTTP_LIBCURL_H
#define HTTP_LIBCURL_H

/* Options are chosen for the oldest libcurl that may be found, not for the newest. */
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>

#include "base/error.h"

#define HTTP_LIBCURL_FUNCTIONS(X)                                                                  \
    X(easy_cleanup)                                                                                \
    X(easy_getinfo)                                                                                \
    X(easy_init)                                                                                   \
    X(easy_reset)                                                                                  \
    X(easy_setopt)                                                                                 \
    X(easy_strerror)                                                                               \
    X(free)                                                                                        \
    X(getdate)                                                                                     \
    X(global_init)                                                                                 \
    X(multi_add_handle)                                                                            \
    X(multi_cleanup)                                                                               \
    X(multi_info_read)                                                                             \
    X(multi_init)                                                                                  \
    X(multi_perform)                                                                               \
    X(multi_poll)                                                                                  \
    X(multi_remove_handle)                                                                         \
    X(multi_setopt)                                                                                \
    X(multi_strerror)                                                                              \
    X(url)                                                                                         \
    X(url_cleanup)                                                                                 \
    X(url_get)                                                                                     \
    X(url_set)                                                                                     \
    X(version_info)

#define HTTP_LIBCURL_MEMBER(name) __typeof__(curl_##name) *name;
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

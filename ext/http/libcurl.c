#include "http/libcurl.h"

#include <stddef.h>
#include <string.h>

#include "base/once.h"
#include "http/library.h"

#if defined(_WIN32) /* of curl's own builds, of most others, and of MSYS2 */
static const char *const names[] = {"libcurl-x64.dll", "libcurl.dll", "libcurl-4.dll"};
#elif defined(__APPLE__)
static const char *const names[] = {"libcurl.4.dylib", "/usr/lib/libcurl.4.dylib"};
#else
/* The second and third are Debian's builds with other TLS libraries. */
static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"};
#endif

const struct libcurl *libcurl;

static struct once once = ONCE_NEW;
static struct libcurl functions;
static struct error failure;

static const struct symbol {
    const char *name;
    size_t offset;
} symbols[] = {
#define SYMBOL(type, name, arguments) {"curl_" #name, offsetof(struct libcurl, name)},
    HTTP_LIBCURL_FUNCTIONS(SYMBOL)
#undef SYMBOL
};

/* NULL: there is none, and `failure` says so. */
static void *open_library(void)
{
    void *library = library_open(names, sizeof names / sizeof *names, &failure);
    if (library == NULL)
        error_context(&failure, "remote models are asked by libcurl, which cannot be loaded");
    return library;
}

static int find_functions(void *library)
{
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *found = library_find(library, symbols[i].name);
        if (found == NULL)
            return error_set(&failure, ERROR_UNAVAILABLE,
                             "this machine has a libcurl without %s: 7.66 or newer is wanted",
                             symbols[i].name);
        memcpy((char *)&functions + symbols[i].offset, &found, sizeof found);
    }
    return 0;
}

/* Never undone: others in this process may use libcurl, and a name look-up may still be going on in
 * a thread of it. */
static void load(void)
{
    void *library = open_library();
    if (library == NULL || find_functions(library) != 0) return;
    CURLcode started = functions.global_init(CURL_GLOBAL_DEFAULT);
    if (started == CURLE_OUT_OF_MEMORY) error_nomem(&failure);
    else if (started != CURLE_OK)
        error_set(&failure, ERROR_UNAVAILABLE, "libcurl cannot start: %s",
                  functions.easy_strerror(started));
    else libcurl = &functions;
}

int http_libcurl_load(struct error *err)
{
    once_do(&once, load);
    if (libcurl != NULL) return 0;
    if (failure.code == ERROR_NOMEM) return error_nomem(err);
    return error_set(err, failure.code, "%s", failure.text);
}

#include "http/libcurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#ifdef __APPLE__
static const char *const names[] = {"libcurl.4.dylib", "/usr/lib/libcurl.4.dylib"};
#else
/* The second and third are Debian's builds with other TLS libraries. */
static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"};
#endif

const struct libcurl *libcurl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
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

/* NULL: there is none, and `failure` says so as the loader does of the first name. */
static void *open_library(void)
{
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < sizeof names / sizeof *names; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL && i == 0)
            error_set(&failure, ERROR_UNAVAILABLE,
                      "remote models are asked by libcurl, which cannot be loaded: %s", dlerror());
    }
    return library;
}

static int find_functions(void *library)
{
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *found = dlsym(library, symbols[i].name);
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
    pthread_once(&once, load);
    if (libcurl != NULL) return 0;
    if (failure.code == ERROR_NOMEM) return error_nomem(err);
    return error_set(err, failure.code, "%s", failure.text);
}

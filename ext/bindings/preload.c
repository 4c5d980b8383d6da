/*
 * preload.c: librerank_preload.so, for programs that cannot load extensions: under LD_PRELOAD every
 * connection that they open has the library, as by sqlite3_auto_extension().
 *
 * The functions that open a database are called here first. They find the SQLite of the process,
 * which a program may load long after this file, tell it of the library once, and go on there.
 */
#define _GNU_SOURCE /* RTLD_NEXT, dl_iterate_phdr */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "base/exported.h"

int sqlite3_rerank_auto_init(sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

typedef int open_function(const char *path, sqlite3 **db);
typedef int open_v2_function(const char *path, sqlite3 **db, int flags, const char *vfs);
typedef int open16_function(const void *path, sqlite3 **db);
typedef int auto_function(void (*entry)(void));

static struct {
    open_function *open;
    open_v2_function *open_v2;
    open16_function *open16;
} real;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The nth loaded file whose name has "sqlite3" in it. */
struct candidate {
    size_t n;
    char path[4096];
};

static int look_at(struct dl_phdr_info *info, size_t size, void *data)
{
    struct candidate *candidate = data;
    size_t length = info->dlpi_name != NULL ? strlen(info->dlpi_name) : 0;
    (void)size;
    if (length >= sizeof candidate->path || length == 0 ||
        strstr(info->dlpi_name, "sqlite3") == NULL)
        return 0;
    if (candidate->n > 0) {
        candidate->n--;
        return 0;
    }
    memcpy(candidate->path, info->dlpi_name, length + 1);
    return 1;
}

/* A file that is opened by a program for itself is in no scope that RTLD_NEXT looks into: the first
 * that has SQLite, or needs it. Each is opened after the list was let go: another thread may hold
 * the loader and wait for the list. */
static void *find_loaded(void)
{
    for (size_t n = 0;; n++) {
        struct candidate candidate = {.n = n};
        if (dl_iterate_phdr(look_at, &candidate) == 0) return NULL;
        void *library = dlopen(candidate.path, RTLD_LAZY | RTLD_NOLOAD);
        if (library == NULL) continue;
        if (dlsym(library, "sqlite3_open_v2") != NULL) return library; /* held: it is called */
        dlclose(library);
    }
}

static void find(void)
{
    void *library = dlsym(RTLD_NEXT, "sqlite3_open_v2") != NULL ? RTLD_NEXT : find_loaded();
    if (library == NULL) return;
    *(void **)&real.open = dlsym(library, "sqlite3_open");
    *(void **)&real.open_v2 = dlsym(library, "sqlite3_open_v2");
    *(void **)&real.open16 = dlsym(library, "sqlite3_open16");
    auto_function *add;
    *(void **)&add = dlsym(library, "sqlite3_auto_extension");
    /* A SQLite built without extensions hands them no functions. */
    if (add != NULL && dlsym(library, "sqlite3_load_extension") != NULL)
        add((void (*)(void))sqlite3_rerank_auto_init);
}

#ifdef RTLD_DEEPBIND /* musl has none */
typedef void *dlopen_function(const char *path, int mode);

static dlopen_function *real_dlopen;
static pthread_once_t dlopen_once = PTHREAD_ONCE_INIT;

static void find_dlopen(void)
{
    *(void **)&real_dlopen = dlsym(RTLD_NEXT, "dlopen");
}

/* By its own name, whatever its folder is called. */
static int is_of_sqlite(const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    if (slash != NULL) path = slash;
    return path != NULL && strstr(path, "sqlite") != NULL;
}

/* PHP has each of its modules look for functions in what the module needs, before all else: those
 * of SQLite would be called past the ones below. It ends in a jump, so that the loader sees who
 * called and looks where that file says. */
EXPORTED void *dlopen(const char *path, int mode)
{
    pthread_once(&dlopen_once, find_dlopen);
    if (is_of_sqlite(path)) mode &= ~RTLD_DEEPBIND;
    return real_dlopen(path, mode);
}
#endif

EXPORTED int sqlite3_open(const char *path, sqlite3 **db)
{
    pthread_once(&once, find);
    return real.open != NULL ? real.open(path, db) : SQLITE_ERROR;
}

EXPORTED int sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs)
{
    pthread_once(&once, find);
    return real.open_v2 != NULL ? real.open_v2(path, db, flags, vfs) : SQLITE_ERROR;
}

EXPORTED int sqlite3_open16(const void *path, sqlite3 **db)
{
    pthread_once(&once, find);
    return real.open16 != NULL ? real.open16(path, db) : SQLITE_ERROR;
}

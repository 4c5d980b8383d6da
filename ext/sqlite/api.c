#include "sqlite/api.h"

#ifdef SQLITE_CORE

int api_take(const sqlite3_api_routines *api, char **message)
{
    (void)api;
    (void)message;
    return 1;
}

void api_hold(void)
{
}

void api_release(void)
{
}

#else

#include <stdatomic.h>

#include "base/workers.h"

#define CHANGING (-1)

const sqlite3_api_routines *sqlite3_api;

/* Takes and holds; CHANGING while the first of them sets the pointer. Whoever counts here reads the
 * pointer without a lock: it cannot change under him. */
static atomic_long users;

/* Two copies of one version have the same numbers but no address in common. */
static int is_ours(const sqlite3_api_routines *api)
{
    return api == sqlite3_api ||
           (api->open_v2 == sqlite3_api->open_v2 && api->malloc64 == sqlite3_api->malloc64);
}

static void refuse(const sqlite3_api_routines *api, char **message)
{
    *message = api->mprintf("rerank: this library is in use by another copy of SQLite in this "
                            "process (%s), which has connections open: load a copy of its file "
                            "under another name, such as rerank2.so, for this one (%s)",
                            sqlite3_libversion(), api->libversion());
    api->log(SQLITE_ERROR, "%s", *message);
}

int api_take(const sqlite3_api_routines *api, char **message)
{
    long n = atomic_load(&users);
    for (;;) {
        if (n == CHANGING) {
            workers_yield();
            n = atomic_load(&users);
        } else if (!atomic_compare_exchange_weak(&users, &n, n == 0 ? CHANGING : n + 1)) {
            continue;
        } else if (n == 0) {
            sqlite3_api = api;
            atomic_store(&users, 1);
            return 1;
        } else if (is_ours(api)) {
            return 1;
        } else {
            refuse(api, message);
            api_release();
            return 0;
        }
    }
}

void api_hold(void)
{
    atomic_fetch_add(&users, 1);
}

void api_release(void)
{
    atomic_fetch_sub(&users, 1);
}

#endif

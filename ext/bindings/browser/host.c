/*
 * host.c: what the browser's build has beside SQLite and the library (`make browser`).
 *
 * Each database that is opened has the library. A page has one thread for it, so that nobody can
 * call sqlite3_interrupt() while a statement runs: what runs asks instead, whether it is to stop.
 * SQLite does between its steps, the library wherever it looks whether it was interrupted, which is
 * an empty statement (ext/sqlite/connection.c): the linker brings those calls here.
 */
#include <emscripten.h>

#include "rerank.h"

#define STEPS 1000 /* of SQLite's machine: some 20 microseconds */

int host_begin(const char *unused);
int __real_sqlite3_exec(sqlite3 *, const char *, sqlite3_callback, void *, char **);
int __wrap_sqlite3_exec(sqlite3 *, const char *, sqlite3_callback, void *, char **);

EM_JS(int, is_stopped, (void), { return Module.isStopped && Module.isStopped() ? 1 : 0; });

static int ask(void *db)
{
    if (is_stopped()) sqlite3_interrupt(db);
    return 0;
}

int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, sqlite3_callback row, void *context,
                        char **message)
{
    ask(db);
    return __real_sqlite3_exec(db, sql, row, context, message);
}

static int watch(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
    (void)message;
    (void)api;
    sqlite3_progress_handler(db, STEPS, ask, db);
    return SQLITE_OK;
}

/* SQLite calls it when it is initialised: SQLITE_EXTRA_INIT. */
int host_begin(const char *unused)
{
    (void)unused;
    int rc = sqlite3_auto_extension((void (*)(void))sqlite3_rerank_auto_init);
    return rc == SQLITE_OK ? sqlite3_auto_extension((void (*)(void))watch) : rc;
}

/*
 * extension.c: the entry points, the only exported symbols.
 *
 *     int sqlite3_rerank_init(sqlite3 *, char **, const sqlite3_api_routines *);
 *     int sqlite3_rerank_auto_init(sqlite3 *, char **, const sqlite3_api_routines *);
 *     int sqlite3_rerank_locked_init(sqlite3 *, char **, const sqlite3_api_routines *);
 *
 * As a loadable extension SQLite calls one on load, the first unless another is named. Built into a
 * program (compiled with -DSQLITE_CORE) one is called with a connection and NULL for the routines.
 *
 * The second is for sqlite3_auto_extension:
 * `sqlite3_auto_extension((void (*)(void))sqlite3_rerank_auto_init)`. Whoever opens a database then
 * has not asked for the library: what fails there does not fail the opening, but is what functions
 * and tables of the library answer (unavailable.h), and is in SQLite's error log.
 *
 * The third locks the connection as rerank_config('locked', 1) does, before any SQL runs; on a
 * connection that has the library it is the lock alone. Its errors are errors.
 */
#include <string.h>

#include "base/exported.h"
#include "base/memory.h"
#include "base/pinned.h"
#include "extension/unavailable.h"
#include "extension/version.h"
#include "functions/functions.h"
#include "semantic/semantic.h"
#include "sqlite/api.h"
#include "sqlite/subword_tokenizer.h"

#define SQLITE_OLDEST 3038000

static void *sqlite_alloc(uint64_t size)
{
    return sqlite3_malloc64(size);
}

static void *sqlite_realloc(void *block, uint64_t size)
{
    return sqlite3_realloc64(block, size);
}

static void sqlite_release(void *block)
{
    sqlite3_free(block);
}

static void version(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    (void)argv;
    sqlite3_result_text(context, RERANK_VERSION, -1, SQLITE_STATIC);
}

/* The version last: where it is there, all is. */
static int register_all(struct connection *connection)
{
    int rc = vector_functions_register(connection);
    if (rc == SQLITE_OK) rc = barcode_register(connection);
    if (rc == SQLITE_OK) rc = rank_chart_register(connection);
    if (rc == SQLITE_OK) rc = embed_register(connection);
    if (rc == SQLITE_OK) rc = rerank_register(connection);
    if (rc == SQLITE_OK) rc = tokens_register(connection);
    if (rc == SQLITE_OK) rc = chunk_each_register(connection);
    if (rc == SQLITE_OK) rc = models_register(connection);
    if (rc == SQLITE_OK) rc = settings_register(connection);
    if (rc == SQLITE_OK) rc = semantic_register(connection);
    if (rc == SQLITE_OK) rc = subword_tokenizer_register(connection);
    if (rc == SQLITE_OK)
        rc = connection_function(connection, "rerank_version", 0,
                                 SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, version);
    return rc;
}

/* What is run next forgets an error that sqlite3_open() would report after an automatic
 * extension. */
static int forget_error(sqlite3 *db)
{
    return sqlite3_exec(db, "", NULL, NULL, NULL);
}

/* Whether the connection has the function, of whatever copy of the library. An authorizer denies it
 * by name, makes it NULL, or denies every SELECT: then nobody can tell. */
static int find_version(sqlite3 *db, sqlite3_stmt **statement, int *found, char **message)
{
    int rc = sqlite3_prepare_v2(db, "SELECT rerank_version()", -1, statement, NULL);
    *found = rc == SQLITE_OK || strstr(sqlite3_errmsg(db), "not authorized to use") != NULL;
    if (rc == SQLITE_AUTH)
        *message = sqlite3_mprintf("rerank: the authorizer of this connection denies SELECT "
                                   "rerank_version(): load the library before it is set");
    return rc == SQLITE_ERROR ? forget_error(db) : rc;
}

/* Runs the SELECT. An error is the answer of a library that is unavailable: this one may not be. */
static int compare_version(sqlite3_stmt *statement, int *loaded, char **message)
{
    int rc = sqlite3_step(statement);
    const char *there = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (rc == SQLITE_ERROR) *loaded = 0;
    if (there == NULL || strcmp(there, RERANK_VERSION) == 0)
        return rc == SQLITE_ROW || rc == SQLITE_ERROR ? SQLITE_OK : rc;
    *message = sqlite3_mprintf("rerank: this connection has version %s loaded, and version %s "
                               "cannot be loaded beside it",
                               there, RERANK_VERSION);
    return SQLITE_ERROR;
}

/* *loaded: this connection has the library, maybe another copy of it. Tables are connected by it
 * and statements use it, so it stays; SQLITE_ERROR if it is another version. */
static int find_loaded(sqlite3 *db, int *loaded, char **message)
{
    sqlite3_stmt *statement = NULL;
    int rc = find_version(db, &statement, loaded, message);
    if (rc == SQLITE_OK && statement != NULL) rc = compare_version(statement, loaded, message);
    sqlite3_finalize(statement);
    return rc;
}

/* *loaded: the connection had the library before. */
static int load(sqlite3 *db, int locked, int *loaded, char **message)
{
    static const struct memory_methods methods = {sqlite_alloc, sqlite_realloc, sqlite_release};
    struct connection *connection;
    struct error err;
    *loaded = 0;
    pinned_keep();
    if (sqlite3_libversion_number() < SQLITE_OLDEST) {
        *message = sqlite3_mprintf("rerank: expected SQLite 3.38.0 or newer, not %s",
                                   sqlite3_libversion());
        return SQLITE_ERROR;
    }
    int rc = find_loaded(db, loaded, message);
    if (rc == SQLITE_OK && *loaded && locked)
        rc = sqlite3_exec(db, "SELECT rerank_config('locked', 1)", NULL, NULL, message);
    if (rc != SQLITE_OK || *loaded) return rc;
    memory_bind(&methods);
    if (connection_new(db, &connection, &err) != 0) {
        *message = sqlite3_mprintf("rerank: %s", err.text);
        return err.code == ERROR_NOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
    }
    if (locked) catalog_set(connection->catalog, CATALOG_LOCKED, "1", NULL);
    rc = register_all(connection);
    connection_release(connection);
    if (rc != SQLITE_OK) *message = sqlite3_mprintf("rerank: %s", sqlite3_errmsg(db));
    return rc;
}

static int enter(sqlite3 *db, int locked, char **message, const sqlite3_api_routines *api)
{
    int loaded;
    if (!api_take(api, message)) return SQLITE_ERROR;
    int rc = load(db, locked, &loaded, message);
    api_release();
    return rc;
}

EXPORTED int sqlite3_rerank_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);
EXPORTED int sqlite3_rerank_auto_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);
EXPORTED int sqlite3_rerank_locked_init(sqlite3 *db, char **message,
                                        const sqlite3_api_routines *api);

int sqlite3_rerank_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    return enter(db, 0, message, api);
}

/* Out of memory is an error nonetheless: the connection would have half of the library. */
int sqlite3_rerank_auto_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    int loaded;
    if (!api_take(api, message)) return SQLITE_OK; /* another SQLite's, which has the message */
    int rc = load(db, 0, &loaded, message);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_NOMEM) {
        const char *why = *message != NULL ? *message : sqlite3_errstr(rc);
        sqlite3_log(rc, "%s", why);
        rc = loaded ? SQLITE_OK : unavailable_register(db, why);
        if (rc == SQLITE_OK) forget_error(db);
        sqlite3_free(*message);
        *message = NULL;
    }
    api_release();
    return rc;
}

int sqlite3_rerank_locked_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    return enter(db, 1, message, api);
}

#ifndef SQLITE_CORE
/* What SQLite asks a file for first, whatever the file is called. */
EXPORTED int sqlite3_extension_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

int sqlite3_extension_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    return enter(db, 0, message, api);
}
#endif

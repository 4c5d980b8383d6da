/*
 * static.c: a program that has SQLite and the extension built in. It registers the entry point with
 * sqlite3_auto_extension, so that every connection it opens has the functions, and asks for one.
 */
#include <sqlite3ext.h>
#include <stdio.h>
#include <stdlib.h>

/* The extension's exported names; a program that builds it in declares them like this. */
int sqlite3_rerank_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);
int sqlite3_rerank_auto_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);
int sqlite3_rerank_locked_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

static int print_row(void *context, int n, char **values, char **names)
{
    (void)context;
    (void)names;
    for (int i = 0; i < n; i++) printf("%s%s", i > 0 ? "|" : "", values[i] ? values[i] : "NULL");
    printf("\n");
    return 0;
}

/* Opens a connection, locks it if that is meant, asks, and closes it again. */
static int ask(const char *sql, int locked)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    int rc = sqlite3_open(":memory:", &db);
    if (rc == SQLITE_OK && locked) rc = sqlite3_rerank_locked_init(db, &message, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_exec(db, sql, print_row, NULL, &message);
    if (rc != SQLITE_OK) printf("error %d: %s\n", rc, message ? message : sqlite3_errmsg(db));
    sqlite3_free(message);
    int closed = sqlite3_close(db);
    return rc != SQLITE_OK ? rc : closed;
}

/* A database opens, and works, and the library says why it does not; locked, it does not open. */
static int ask_where_it_cannot_start(void)
{
    setenv("RERANK_TIMEOUT_MS", "soon", 1);
    int rc = sqlite3_auto_extension((void (*)(void))sqlite3_rerank_auto_init);
    if (rc == SQLITE_OK) rc = ask("SELECT 'opened'", 0);
    if (rc == SQLITE_OK && ask("SELECT embed('a')", 0) != SQLITE_ERROR) rc = 1;
    sqlite3_reset_auto_extension();
    if (rc == SQLITE_OK) rc = sqlite3_auto_extension((void (*)(void))sqlite3_rerank_locked_init);
    if (rc == SQLITE_OK && ask("SELECT 'opened'", 0) != SQLITE_ERROR) rc = 1;
    sqlite3_reset_auto_extension();
    return rc;
}

int main(void)
{
    int rc = sqlite3_auto_extension((void (*)(void))sqlite3_rerank_auto_init);
    if (rc == SQLITE_OK) rc = ask("SELECT vector_dims('[1, 2, 3]')", 0);
    if (rc == SQLITE_OK) rc = ask("SELECT cosine_sim('[1, 0]', '[1, 0]')", 0);
    if (rc == SQLITE_OK)
        rc = ask("SELECT key, rank FROM rerank('bats', '[\"cats\", \"bats\"]', 1)", 0);
    if (rc == SQLITE_OK) rc = ask("SELECT rerank_config('locked')", 0);
    if (rc == SQLITE_OK) rc = ask("SELECT rerank_config('locked')", 1);
    sqlite3_reset_auto_extension();
    if (rc == SQLITE_OK) rc = ask("SELECT rerank_config('locked')", 1);
    if (rc == SQLITE_OK) rc = sqlite3_auto_extension((void (*)(void))sqlite3_rerank_locked_init);
    if (rc == SQLITE_OK) rc = ask("SELECT rerank_config('locked')", 0);
    sqlite3_reset_auto_extension();
    if (rc == SQLITE_OK) rc = ask_where_it_cannot_start();
    sqlite3_shutdown();
    if (sqlite3_memory_used() != 0) {
        printf("%lld bytes were never freed\n", (long long)sqlite3_memory_used());
        rc = 1;
    }
    return rc;
}

/* flow.c: the flow in C, by a file that is loaded (its path is the argument), or by what the
 * program was linked with. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef RERANK_INSIDE
#include <rerank.h>
#endif

static void stop(sqlite3 *db, const char *where, const char *message)
{
    fprintf(stderr, "%s: %s\n", where, message ? message : sqlite3_errmsg(db));
    exit(1);
}

static const char *read_text(const char *name)
{
    static char text[4096];
    FILE *file = fopen(name, "rb");
    if (file == NULL) {
        stop(NULL, name, "cannot be read");
    }
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

int main(int count, char **arguments)
{
    sqlite3 *db;
    sqlite3_stmt *ask;
    char *message = NULL;

#ifdef RERANK_INSIDE
    sqlite3_auto_extension((void (*)(void))sqlite3_rerank_auto_init);
#endif
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) {
        stop(db, "open", NULL);
    }
    if (count > 1) {
        sqlite3_enable_load_extension(db, 1);
        if (sqlite3_load_extension(db, arguments[1], NULL, &message) != SQLITE_OK) {
            stop(db, "load", message);
        }
    }
    if (sqlite3_exec(db, read_text("flow.sql"), NULL, NULL, &message) != SQLITE_OK) {
        stop(db, "flow", message);
    }
    if (sqlite3_prepare_v2(db, read_text("ask.sql"), -1, &ask, NULL) != SQLITE_OK) {
        stop(db, "ask", NULL);
    }
    sqlite3_bind_text(ask, 1, "bats in the dark", -1, SQLITE_STATIC);
    if (sqlite3_step(ask) != SQLITE_ROW) {
        stop(db, "ask", NULL);
    }
    printf("%s\n", (const char *)sqlite3_column_text(ask, 0));
    sqlite3_finalize(ask);
    return sqlite3_close(db);
}

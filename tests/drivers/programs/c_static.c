/*
 * c_static.c: SQLite's own interface, in a program that librerank.a is linked into.
 */
#include <pthread.h>
#include <sqlite3ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FLOATS = 16, POOL = 8 };

static void must(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK) return;
    fprintf(stderr, "%s\n", sqlite3_errmsg(db));
    exit(1);
}

static sqlite3 *open_db(const char **found)
{
    static char text[64];
    SNIPPET;
    must(db, rc);
    snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(search, 0));
    *found = text;
    sqlite3_finalize(search);
    return db;
}

static void print_cell(sqlite3_stmt *row, int i)
{
    if (sqlite3_column_type(row, i) != SQLITE_BLOB) {
        printf("%s", (const char *)sqlite3_column_text(row, i));
        return;
    }
    const float *floats = sqlite3_column_blob(row, i);
    for (int f = 0; f < sqlite3_column_bytes(row, i) / (int)sizeof *floats; f++)
        printf("%s%g", f > 0 ? " " : "", floats[f]);
}

/* Prints the rows of a statement, and finalizes it: its result code. */
static int print_rows(sqlite3_stmt *row)
{
    while (sqlite3_step(row) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(row); i++) {
            if (i > 0) printf("|");
            print_cell(row, i);
        }
        printf("\n");
    }
    return sqlite3_finalize(row);
}

static void bind(sqlite3_stmt *search, const char *word, char *value)
{
    float floats[FLOATS];
    int n = 0;
    if (strcmp(word, "text") == 0) {
        sqlite3_bind_text(search, 1, value, -1, SQLITE_TRANSIENT);
    } else if (strcmp(word, "number") == 0 && strchr(value, '.') == NULL) {
        sqlite3_bind_int(search, 1, atoi(value));
    } else if (strcmp(word, "number") == 0) {
        sqlite3_bind_double(search, 1, strtod(value, NULL));
    } else if (strcmp(word, "vector") == 0) {
        for (char *end = value; n < FLOATS && *end != 0; n++) floats[n] = strtof(end, &end);
        VECTOR;
    }
}

struct stopper {
    sqlite3 *db;
    _Atomic int over;
};

static void *interrupt(void *context)
{
    struct stopper *stopper = context;
    while (!stopper->over) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        sqlite3_interrupt(stopper->db);
    }
    return NULL;
}

static void stop(sqlite3 *db, const char *sql)
{
    struct stopper stopper = {db, 0};
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt, &stopper);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    stopper.over = 1;
    pthread_join(thread, NULL);
    printf("%s\n", rc == SQLITE_INTERRUPT ? "stopped" : sqlite3_errmsg(db));
}

static void pool(int size, const char *sql)
{
    sqlite3 *dbs[POOL];
    const char *title;
    for (int i = 0; i < size && i < POOL; i++) {
        sqlite3_stmt *search;
        dbs[i] = open_db(&title);
        must(dbs[i], sqlite3_prepare_v2(dbs[i], sql, -1, &search, NULL));
        must(dbs[i], print_rows(search));
    }
    for (int i = 0; i < size && i < POOL; i++) sqlite3_close(dbs[i]);
}

static void step(sqlite3 *db, const char *word, char *value, const char *sql)
{
    sqlite3_stmt *search = NULL;
    if (strcmp(word, "run") == 0) {
        must(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
    } else if (strcmp(word, "stop") == 0) {
        stop(db, sql);
    } else if (strcmp(word, "pool") == 0) {
        pool(atoi(value), sql);
    } else if (strcmp(word, "fail") == 0) {
        int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        printf("error: %s\n", rc == SQLITE_OK ? "none" : sqlite3_errmsg(db));
    } else {
        must(db, sqlite3_prepare_v2(db, sql, -1, &search, NULL));
        bind(search, word, value);
        must(db, print_rows(search));
    }
}

int main(void)
{
    static char line[4096];
    const char *title;
    sqlite3 *db = open_db(&title);
    FILE *steps = fopen("steps.tsv", "r");
    printf("%s\n", title);
    while (fgets(line, sizeof line, steps) != NULL) {
        line[strcspn(line, "\n")] = 0;
        char *value = line + strcspn(line, "\t");
        char *sql = strrchr(line, '\t') + 1;
        *value++ = 0;
        sql[-1] = 0;
        step(db, line, value, sql);
    }
    fclose(steps);
    return sqlite3_close(db);
}

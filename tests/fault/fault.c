/*
 * fault.c: a SQL script again, with the 1st, 2nd, 3rd... allocation failing.
 *
 *     fault LIBRARY SCRIPT              each statement of the script, each allocation in turn
 *     fault LIBRARY --no-failure SCRIPT the script once, no failure (for LeakSanitizer)
 *     fault LIBRARY --load              opening a database and loading the extension
 *
 * All memory of SQLite and of the extension passes through methods installed here before SQLite
 * starts (lookaside is off), so that the nth request can be refused: once, or that one and every
 * later one until the statement ends.
 *
 * First the script runs without a failure; what each statement answers is kept. Then, on a new
 * database, each statement is tried with n = 1, 2, 3... until it asks for fewer than n blocks. A
 * try must answer SQLITE_NOMEM (or say "out of memory"), or exactly what the statement answers
 * without a failure. Because a failed statement changes nothing, the next try runs on the same
 * database, and the connection's state after a failure is put to the test as well. Where a try
 * has rolled back the transaction, the statements since its BEGIN run once more. Where one succeeds
 * although an allocation failed, and has changed the database or begun or ended a transaction, the
 * database is built again from the statements before. A statement that asks for
 * many blocks (fitting a model) is tried at every n up to DENSE_POINTS and then in steps that give
 * about SPARSE_POINTS more: always the same ones.
 *
 * At the end: PRAGMA integrity_check after each statement, a clean close, and no block left.
 */
#include <sqlite3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DENSE_POINTS = 400, SPARSE_POINTS = 400, MAX_REPORTS = 5 };

/* ---- memory that fails on request ------------------------------------------------------------ */

static struct {
    sqlite3_mem_methods real;
    int armed;       /* the window is open */
    int persistent;  /* every request from the nth on fails, not the nth alone */
    long n;          /* the request that fails; 0: none */
    long n_requests; /* seen in the window since the last reset */
    long n_blocks;   /* allocated and not freed */
} memory;

static int must_fail(void)
{
    if (!memory.armed) return 0;
    memory.n_requests++;
    if (memory.n == 0) return 0;
    return memory.persistent ? memory.n_requests >= memory.n : memory.n_requests == memory.n;
}

static void *fault_malloc(int size)
{
    void *block = must_fail() ? NULL : memory.real.xMalloc(size);
    if (block != NULL) memory.n_blocks++;
    return block;
}

static void *fault_realloc(void *block, int size)
{
    return must_fail() ? NULL : memory.real.xRealloc(block, size);
}

static void fault_free(void *block)
{
    if (block != NULL) memory.n_blocks--;
    memory.real.xFree(block);
}

static int install_memory(void)
{
    int rc = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory.real);
    sqlite3_mem_methods methods = memory.real;
    methods.xMalloc = fault_malloc;
    methods.xRealloc = fault_realloc;
    methods.xFree = fault_free;
    if (rc == SQLITE_OK) rc = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    if (rc == SQLITE_OK) rc = sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    return rc;
}

static void arm(long n, int persistent)
{
    memory.n = n;
    memory.persistent = persistent;
    memory.n_requests = 0;
}

static int was_hit(void)
{
    return memory.n != 0 && memory.n_requests >= memory.n;
}

/* ---- the script ------------------------------------------------------------------------------ */

/* What a statement answered: its rows as text, then its error if it had one. */
struct answer {
    int rc;
    size_t size;
    char *text; /* malloc'd, NUL terminated, or NULL */
};

struct statement {
    char *sql;
    struct answer expected;
    long n_requests;     /* without a failure */
    int writes;          /* changes the database (or may) */
    int counts_attempts; /* its rows tell how often we tried, so they are not compared */
    int begun_at;        /* the statement that began the transaction it is in; itself: none */
};

struct script {
    const char *name;
    struct statement *statements;
    int n_statements;
};

static const char *library;
static long n_tries, n_failed;

static void die(const char *what)
{
    fprintf(stderr, "fault: %s\n", what);
    exit(2);
}

static void *allocate(size_t size)
{
    void *block = calloc(1, size);
    if (block == NULL) die("this program itself is out of memory");
    return block;
}

static char *copy_text(const char *text, size_t size)
{
    char *copy = allocate(size + 1);
    memcpy(copy, text, size);
    return copy;
}

/* The file without the lines that are the shell's own commands. */
static char *read_script(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) die("the script cannot be read");
    char *text = allocate(1 << 20);
    char line[1 << 14];
    size_t size = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(line);
        if (line[0] == '.') continue;
        if (size + length >= 1 << 20) die("the script is longer than 1 MB");
        memcpy(text + size, line, length + 1);
        size += length;
    }
    fclose(file);
    return text;
}

static void add_statement(struct script *script, const char *sql, size_t size)
{
    size_t n = (size_t)script->n_statements + 1;
    struct statement *grown = realloc(script->statements, n * sizeof *grown);
    if (grown == NULL) die("this program itself is out of memory");
    script->statements = grown;
    struct statement *added = &grown[script->n_statements++];
    *added = (struct statement){.sql = copy_text(sql, size)};
    added->counts_attempts =
        strstr(added->sql, "semantic_sync") != NULL || strstr(added->sql, "rerank_stats") != NULL;
}

static void parse_script(struct script *script, const char *path)
{
    char *text = read_script(path);
    char *start = text;
    for (char *end = text; *end != '\0'; end++) {
        if (*end != ';') continue;
        char after = end[1];
        end[1] = '\0';
        int complete = sqlite3_complete(start);
        if (complete) add_statement(script, start, (size_t)(end + 1 - start));
        end[1] = after;
        if (complete) start = end + 1;
    }
    free(text);
    const char *slash = strrchr(path, '/');
    script->name = slash != NULL ? slash + 1 : path;
}

/* ---- running one statement ------------------------------------------------------------------- */

static void append(struct answer *answer, const char *text, size_t size)
{
    char *grown = realloc(answer->text, answer->size + size + 1);
    if (grown == NULL) die("this program itself is out of memory");
    memcpy(grown + answer->size, text, size);
    answer->text = grown;
    answer->size += size;
    answer->text[answer->size] = '\0';
}

static void append_row(struct answer *answer, sqlite3_stmt *row)
{
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        const char *value = sqlite3_column_blob(row, i);
        if (sqlite3_column_type(row, i) == SQLITE_NULL) append(answer, "NULL", 4);
        else append(answer, value != NULL ? value : "", (size_t)sqlite3_column_bytes(row, i));
        append(answer, "|", 1);
    }
    append(answer, "\n", 1);
}

/* Runs it with the window open while SQLite works, closed while the rows are read. */
static struct answer run(sqlite3 *db, struct statement *statement, long n, int persistent)
{
    struct answer answer = {0};
    sqlite3_stmt *row = NULL;
    arm(n, persistent);
    memory.armed = 1;
    int rc = sqlite3_prepare_v2(db, statement->sql, -1, &row, NULL);
    while (rc == SQLITE_OK && row != NULL) {
        statement->writes |= !sqlite3_stmt_readonly(row) || statement->counts_attempts;
        memory.armed = 1;
        int step = sqlite3_step(row);
        memory.armed = 0;
        if (step != SQLITE_ROW) break;
        append_row(&answer, row);
    }
    memory.armed = 1;
    int last = sqlite3_finalize(row);
    memory.armed = 0;
    answer.rc = rc != SQLITE_OK ? rc : last;
    if (answer.rc != SQLITE_OK) {
        const char *message = sqlite3_errmsg(db);
        append(&answer, message, strlen(message));
    }
    return answer;
}

static int same_answer(const struct answer *a, const struct answer *b)
{
    if (a->rc != b->rc || a->size != b->size) return 0;
    return a->size == 0 || memcmp(a->text, b->text, a->size) == 0;
}

static int is_out_of_memory(const struct answer *answer)
{
    if ((answer->rc & 0xff) == SQLITE_NOMEM) return 1;
    /* SQLite keeps the code but drops the message when there is no memory for it. */
    if (answer->rc != SQLITE_OK && strcmp(answer->text, sqlite3_errstr(answer->rc)) == 0) return 1;
    return answer->rc != SQLITE_OK && answer->text != NULL &&
           strstr(answer->text, "out of memory") != NULL;
}

static void report(const struct script *script, int i, const char *what,
                   const struct answer *answer)
{
    if (n_failed++ >= MAX_REPORTS) return;
    printf("%s: statement %d: %s\n", script->name, i + 1, what);
    if (memory.n != 0)
        printf("  allocation %ld failed%s\n", memory.n, memory.persistent ? ", and all after" : "");
    printf("  %s\n", script->statements[i].sql);
    if (answer == NULL) return;
    printf("  expected (%d) %.500s\n", script->statements[i].expected.rc,
           script->statements[i].expected.text ? script->statements[i].expected.text : "");
    printf("  got      (%d) %.500s\n", answer->rc, answer->text ? answer->text : "");
}

/* ---- databases ------------------------------------------------------------------------------- */

static int open_database(sqlite3 **db, const char *entry)
{
    int rc = sqlite3_open(":memory:", db);
    if (rc == SQLITE_OK) rc = sqlite3_enable_load_extension(*db, 1);
    char *message = NULL;
    if (rc == SQLITE_OK) rc = sqlite3_load_extension(*db, library, entry, &message);
    if (rc != SQLITE_OK && message != NULL && memory.n == 0) printf("%s\n", message);
    sqlite3_free(message);
    return rc;
}

static sqlite3 *open_or_die(void)
{
    sqlite3 *db = NULL;
    arm(0, 0);
    if (open_database(&db, NULL) != SQLITE_OK) die("the extension cannot be loaded");
    return db;
}

static void close_or_report(struct script *script, sqlite3 *db)
{
    int rc = sqlite3_close(db);
    if (rc == SQLITE_OK) return;
    printf("%s: closing answered %d\n", script->name, rc);
    n_failed++;
}

static void repeat(struct script *script, sqlite3 *db, int first, int n)
{
    for (int i = first; i < n; i++) {
        struct answer answer = run(db, &script->statements[i], 0, 0);
        free(answer.text);
    }
}

/* A new database on which the first n statements have run. */
static sqlite3 *rebuild(struct script *script, sqlite3 *db, int n)
{
    close_or_report(script, db);
    db = open_or_die();
    repeat(script, db, 0, n);
    return db;
}

static void check_integrity(struct script *script, sqlite3 *db, int i)
{
    struct statement check = {.sql = (char *)"PRAGMA integrity_check"};
    if (!sqlite3_get_autocommit(db)) return;
    struct answer answer = run(db, &check, 0, 0);
    if (answer.rc != SQLITE_OK || answer.text == NULL || strcmp(answer.text, "ok|\n") != 0)
        report(script, i, "the database is damaged after it", &answer);
    free(answer.text);
}

/* ---- the tries ------------------------------------------------------------------------------- */

static long next_point(long n, long n_requests)
{
    long step = (n_requests - DENSE_POINTS) / SPARSE_POINTS;
    return n + (n < DENSE_POINTS || step < 1 ? 1 : step);
}

/* One try. True when the statement has run to its end without meeting the failure. */
static int try_statement(struct script *script, sqlite3 **db, int i, long n, int persistent)
{
    struct statement *statement = &script->statements[i];
    int was_autocommit = sqlite3_get_autocommit(*db);
    struct answer answer = run(*db, statement, n, persistent);
    int done = !was_hit();
    int right = same_answer(&answer, &statement->expected) ||
                (statement->counts_attempts && answer.rc == statement->expected.rc);
    n_tries++;
    if (!right && (done || !is_out_of_memory(&answer)))
        report(script, i, "neither the right answer nor out of memory", &answer);
    int changed = answer.rc == SQLITE_OK && statement->writes;
    int turned = was_autocommit != sqlite3_get_autocommit(*db);
    free(answer.text);
    if (done) return 1;
    if (turned && answer.rc != SQLITE_OK) repeat(script, *db, statement->begun_at, i);
    else if (changed || turned) *db = rebuild(script, *db, i);
    return 0;
}

static void try_all(struct script *script, int persistent)
{
    sqlite3 *db = open_or_die();
    for (int i = 0; i < script->n_statements; i++) {
        long n = 1;
        while (!try_statement(script, &db, i, n, persistent))
            n = next_point(n, script->statements[i].n_requests);
        check_integrity(script, db, i);
    }
    close_or_report(script, db);
}

static void run_without_failure(struct script *script)
{
    sqlite3 *db = open_or_die();
    int begun_at = 0;
    for (int i = 0; i < script->n_statements; i++) {
        struct statement *statement = &script->statements[i];
        if (sqlite3_get_autocommit(db)) begun_at = i;
        statement->begun_at = begun_at;
        statement->expected = run(db, statement, 0, 0);
        statement->n_requests = memory.n_requests;
        n_tries++;
    }
    close_or_report(script, db);
}

/* Opening and loading, each allocation failing. SQLite reports an entry point's SQLITE_NOMEM as
 * SQLITE_ERROR; what counts is that a load which says it worked has worked. */
static void try_load(const char *entry, const char *sql, int expected)
{
    int hit = 1;
    for (long n = 1; hit; n++) {
        sqlite3 *db = NULL;
        arm(n, n % 2 == 0);
        memory.armed = 1;
        int rc = open_database(&db, entry);
        memory.armed = 0;
        hit = was_hit();
        n_tries++;
        int failed = rc != SQLITE_OK && rc != SQLITE_NOMEM && rc != SQLITE_ERROR;
        if (rc == SQLITE_OK) failed = sqlite3_exec(db, sql, NULL, NULL, NULL) != expected;
        if (failed) {
            printf("loading: allocation %ld failed%s: code %d: %s\n", n,
                   memory.persistent ? ", and all after" : "", rc, sqlite3_errmsg(db));
            n_failed++;
        }
        sqlite3_close(db);
    }
}

static void try_loads(void)
{
    static const char auto_entry[] = "sqlite3_rerank_auto_init";
    static const char all[] =
        "SELECT rerank_version(), vector_dims(embed('a')), rerank('a', 'b');"
        "SELECT count(*) FROM embed_each('[\"a\"]'), rerank('a', '[\"b\"]'), rerank_models;"
        "CREATE VIRTUAL TABLE i USING semantic_index(); SELECT * FROM semantic_sync('i')";
    try_load(NULL, all, SQLITE_OK);
    try_load(auto_entry, all, SQLITE_OK);
    setenv("RERANK_TIMEOUT_MS", "soon", 1); /* the library cannot start */
    try_load(auto_entry, "SELECT embed('a')", SQLITE_ERROR);
    try_load(auto_entry, "CREATE VIRTUAL TABLE i USING semantic_index()", SQLITE_ERROR);
    unsetenv("RERANK_TIMEOUT_MS");
}

static void free_script(struct script *script)
{
    for (int i = 0; i < script->n_statements; i++) {
        free(script->statements[i].sql);
        free(script->statements[i].expected.text);
    }
    free(script->statements);
}

int main(int argc, char **argv)
{
    int clean = argc == 4 && strcmp(argv[2], "--no-failure") == 0;
    int load = argc == 3 && strcmp(argv[2], "--load") == 0;
    if (argc != 3 && !clean) die("usage: fault LIBRARY [--no-failure] SCRIPT | LIBRARY --load");
    library = argv[1];
    if (install_memory() != SQLITE_OK) die("SQLite does not take other memory methods");
    struct script script = {0};
    if (load) {
        try_loads();
    } else {
        parse_script(&script, argv[argc - 1]);
        run_without_failure(&script);
        for (int persistent = 0; persistent < 2 && !clean; persistent++)
            try_all(&script, persistent);
    }
    free_script(&script);
    sqlite3_shutdown();
    if (memory.n_blocks != 0) {
        printf("%ld blocks were never freed\n", memory.n_blocks);
        n_failed++;
    }
    printf("%ld passed, %ld failed\n", n_failed > n_tries ? 0 : n_tries - n_failed, n_failed);
    return n_failed != 0;
}

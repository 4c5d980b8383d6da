#include "sqlite/fts5.h"

#include <limits.h>
#include <string.h>

#include "base/memory.h"
#include "sqlite/statement.h"

/* The function of FTS5 that calls a visitor, and the type of the pointer that it is given: SQL can
 * make neither. */
#define VISIT "rerank_visit"
#define VISIT_POINTER "rerank.fts5_visit"

/* Of fts5_api: from then on tokenizers and functions are as they are used here. */
#define API_VERSION 2

int fts5_error(int code, struct error *err)
{
    if ((code & 0xff) == SQLITE_NOMEM) return error_nomem(err);
    if ((code & 0xff) == SQLITE_INTERRUPT) return error_set(err, ERROR_INTERRUPTED, "interrupted");
    error_set(err, ERROR_STORAGE, "%s", sqlite3_errstr(code));
    if (err != NULL) err->storage_code = code;
    return ERROR_STORAGE;
}

/* ---- the interface --------------------------------------------------------------------------- */

struct visit {
    fts5_visitor visitor;
    void *context;
    int rc;
    struct error *err;
};

static void visit_row(const Fts5ExtensionApi *api, Fts5Context *row, sqlite3_context *context,
                      int n_values, sqlite3_value **values)
{
    struct visit *visit = n_values == 1 ? sqlite3_value_pointer(values[0], VISIT_POINTER) : NULL;
    if (visit == NULL) {
        sqlite3_result_error(context, VISIT " is not for SQL", -1);
        return;
    }
    visit->rc = visit->visitor(visit->context, api, row, visit->err);
    /* SQLite must know of it, as it rolls back what cannot be gone on with. */
    if (visit->rc == ERROR_NOMEM) sqlite3_result_error_nomem(context);
}

static int take_api(struct connection *connection, sqlite3_stmt *statement, fts5_api **api,
                    struct error *err)
{
    int row;
    sqlite3_bind_pointer(statement, 1, (void *)api, "fts5_api_ptr", NULL);
    int rc = statement_step(connection->db, statement, &row, err);
    if (rc != 0) *api = NULL;
    if (*api != NULL && (*api)->iVersion < API_VERSION) *api = NULL;
    return rc;
}

int fts5_find(struct connection *connection, fts5_api **api, struct error *err)
{
    struct error problem = {0};
    sqlite3_stmt *statement;
    *api = NULL;
    int rc = statement_prepare(connection->db, &statement, &problem, "SELECT fts5(?1)");
    if (rc == 0) rc = take_api(connection, statement, api, &problem);
    else if ((problem.storage_code & 0xff) == SQLITE_ERROR) rc = 0; /* no such function */
    sqlite3_finalize(statement);
    if (rc != 0 && err != NULL) *err = problem;
    return rc;
}

static int need_api(struct connection *connection, fts5_api **api, struct error *err)
{
    int rc = fts5_find(connection, api, err);
    if (rc == 0 && *api == NULL)
        return error_set(err, ERROR_UNAVAILABLE, "this SQLite was compiled without FTS5");
    return rc;
}

/* ---- tokenizers ------------------------------------------------------------------------------ */

/* What the option tokenize says. */
struct arguments {
    const char **words; /* [n], each NUL terminated, in `bytes` */
    char *bytes;
    int n;
};

static const char *skip_spaces(const char *at)
{
    while (*at == ' ') at++;
    return at;
}

static int is_bare(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || byte == '_' || byte == 0x1A ||
           ((unsigned char)byte & 0x80) != 0;
}

/* Copies the word or the text in quotes at `at` to *out, with a NUL behind it. Returns where it
 * ends, or NULL: there is none. */
static const char *take_argument(const char *at, char **out)
{
    const char *start = at;
    if (*at != '\'') {
        while (is_bare(*at)) *(*out)++ = *at++;
        *(*out)++ = '\0';
        return at == start ? NULL : at;
    }
    for (at++; *at != '\0'; *(*out)++ = *at++)
        if (*at == '\'' && *++at != '\'') {
            *(*out)++ = '\0';
            return at;
        }
    return NULL;
}

/* As FTS5 reads it (fts5_config.c). */
static int read_arguments(const char *text, struct arguments *arguments, struct error *err)
{
    size_t size = strlen(text) + 1;
    *arguments = (struct arguments){.words = memory_alloc(size, sizeof *arguments->words),
                                    .bytes = memory_alloc(size, 2)};
    if (arguments->words == NULL || arguments->bytes == NULL) return error_nomem(err);
    char *out = arguments->bytes;
    for (const char *at = text; *at != '\0'; at = skip_spaces(at)) {
        arguments->words[arguments->n++] = out;
        at = take_argument(skip_spaces(at), &out);
        if (at == NULL)
            return error_set(err, ERROR_INVALID,
                             "tokenizer \"%s\": expected words and texts in single quotes", text);
    }
    return 0;
}

static int create(struct fts5_splitter *splitter, fts5_api *api, const struct arguments *arguments,
                  const char *text, struct error *err)
{
    const char *name = arguments->n == 0 ? NULL : arguments->words[0]; /* NULL: its default */
    int n = arguments->n == 0 ? 0 : arguments->n - 1;
    void *context;
    if (api->xFindTokenizer(api, name, &context, &splitter->methods) != SQLITE_OK)
        return error_set(err, ERROR_INVALID, "no such tokenizer: \"%s\"", name == NULL ? "" : name);
    int code = splitter->methods.xCreate(context, n == 0 ? NULL : arguments->words + 1, n,
                                         &splitter->tokenizer);
    if (code == SQLITE_OK) return 0;
    splitter->tokenizer = NULL;
    if (code == SQLITE_NOMEM) return error_nomem(err);
    return error_set(err, ERROR_INVALID, "tokenizer \"%s\": its arguments are not taken", text);
}

int fts5_splitter_open(struct fts5_splitter *splitter, struct connection *connection,
                       const char *text, struct error *err)
{
    struct arguments arguments = {0};
    fts5_api *api;
    *splitter = (struct fts5_splitter){0};
    int rc = need_api(connection, &api, err);
    if (rc == 0) rc = read_arguments(text, &arguments, err);
    if (rc == 0) rc = create(splitter, api, &arguments, text, err);
    memory_free(arguments.words);
    memory_free(arguments.bytes);
    return rc;
}

void fts5_splitter_close(struct fts5_splitter *splitter)
{
    if (splitter->tokenizer != NULL) splitter->methods.xDelete(splitter->tokenizer);
    *splitter = (struct fts5_splitter){0};
}

struct run {
    fts5_sink sink;
    void *context;
    struct span text;
    size_t n_positions;
    int rc;
    struct error *err;
};

static int take_token(void *context, int flags, const char *token, int size, int start, int end)
{
    struct run *run = context;
    int colocated = (flags & FTS5_TOKEN_COLOCATED) != 0 && run->n_positions > 0;
    if (size < 0 || start < 0 || end < start || (size_t)end > run->text.size) {
        run->rc = error_set(run->err, ERROR_INVALID,
                            "the tokenizer gave a token that is not of "
                            "the text");
        return SQLITE_ERROR;
    }
    if (!colocated) run->n_positions++;
    struct fts5_token found = {.token = {token, (size_t)size},
                               .start = (size_t)start,
                               .end = (size_t)end,
                               .position = run->n_positions - 1,
                               .colocated = colocated};
    run->rc = run->sink(run->context, &found, run->err);
    return run->rc == 0 ? SQLITE_OK : SQLITE_ABORT;
}

int fts5_splitter_run(struct fts5_splitter *splitter, int reason, struct span text, fts5_sink sink,
                      void *context, struct error *err)
{
    struct run run = {.sink = sink, .context = context, .text = text, .err = err};
    if (text.size > INT_MAX)
        return error_set(err, ERROR_INVALID, "expected a text of at most %d bytes", INT_MAX);
    int code =
        splitter->methods.xTokenize(splitter->tokenizer, &run, reason,
                                    text.size == 0 ? "" : text.data, (int)text.size, take_token);
    if (run.rc != 0) return run.rc == FTS5_ENOUGH ? 0 : run.rc;
    return code == SQLITE_OK || code == SQLITE_DONE ? 0 : fts5_error(code, err);
}

/* ---- what only a function of FTS5 may ask ---------------------------------------------------- */

/* Not before it is needed: SQLite lists it among the functions of the connection. */
static int make_function(struct connection *connection, fts5_api *api, struct error *err)
{
    if (api == connection->fts5) return 0;
    int code = api->xCreateFunction(api, VISIT, NULL, visit_row, NULL);
    if (code != SQLITE_OK) return fts5_error(code, err);
    connection->fts5 = api;
    return 0;
}

int fts5_visit(struct connection *connection, const char *schema, const char *table,
               const char *match, fts5_visitor visitor, void *context, struct error *err)
{
    struct visit visit = {.visitor = visitor, .context = context, .err = err};
    sqlite3_stmt *statement = NULL;
    fts5_api *api;
    int row, rc = need_api(connection, &api, err);
    if (rc == 0) rc = make_function(connection, api, err);
    if (rc != 0) return rc;
    rc = statement_prepare(connection->db, &statement, err,
                           "SELECT " VISIT "(\"%w\", ?1) FROM \"%w\".\"%w\" WHERE \"%w\" MATCH ?2",
                           table, schema, table, table);
    if (rc == 0) {
        sqlite3_bind_pointer(statement, 1, &visit, VISIT_POINTER, NULL);
        sqlite3_bind_text(statement, 2, match, -1, SQLITE_STATIC);
        rc = statement_step(connection->db, statement, &row, err);
    }
    sqlite3_finalize(statement);
    if (visit.rc != 0) rc = visit.rc;
    if (rc == ERROR_STORAGE) error_context(err, "%s", table);
    return rc;
}

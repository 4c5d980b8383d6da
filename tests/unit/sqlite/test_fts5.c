/*
 * test_fts5.c: FTS5 by its C interface: tokenizers as its option tokenize reads them, beside FTS5
 * itself, and visits of a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/each_allocation.h"
#include "base/memory.h"
#include "sqlite/fts5.h"

struct database {
    sqlite3 *db;
    struct connection *connection;
};

static void open_database(struct database *database)
{
    fts5_api *api;
    struct error err = {0};
    assert_int_equal(sqlite3_open(":memory:", &database->db), SQLITE_OK);
    assert_int_equal(connection_new(database->db, &database->connection, &err), 0);
    assert_int_equal(fts5_find(database->connection, &api, &err), 0);
    if (api == NULL) skip();
}

static void close_database(struct database *database)
{
    connection_release(database->connection);
    assert_int_equal(sqlite3_close(database->db), SQLITE_OK);
}

static void execute(struct database *database, const char *sql)
{
    assert_int_equal(sqlite3_exec(database->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* ---- tokenizers ------------------------------------------------------------------------------ */

/* Writes [token:start-end@position] of each, = before those that are colocated. */
struct writing {
    char text[1024];
    size_t n_taken, most;
};

static int write_token(void *context, const struct fts5_token *token, struct error *err)
{
    struct writing *writing = context;
    if (writing->n_taken++ == writing->most) return error_set(err, ERROR_INVALID, "enough");
    size_t size = strlen(writing->text);
    snprintf(writing->text + size, sizeof writing->text - size, "%s[%.*s:%zu-%zu@%zu]",
             token->colocated ? "=" : "", (int)token->token.size, token->token.data, token->start,
             token->end, token->position);
    return 0;
}

static void check_tokens(struct database *database, const char *tokenizer, const char *text,
                         const char *expected)
{
    struct fts5_splitter splitter;
    struct writing writing = {.most = SIZE_MAX};
    struct error err = {0};
    if (fts5_splitter_open(&splitter, database->connection, tokenizer, &err) != 0)
        fail_msg("%s", err.text);
    struct span span = {text, strlen(text)};
    assert_int_equal(
        fts5_splitter_run(&splitter, FTS5_TOKENIZE_TERMS, span, write_token, &writing, &err), 0);
    assert_string_equal(writing.text, expected);
    fts5_splitter_close(&splitter);
}

static void test_tokens(void **state)
{
    struct database database;
    (void)state;
    open_database(&database);
    check_tokens(&database, "", "Red cars", "[red:0-3@0][cars:4-8@1]");
    check_tokens(&database, "porter", "Red cars", "[red:0-3@0][car:4-8@1]");
    check_tokens(&database, "porter unicode61 remove_diacritics 2", "\xC3\x89t\xC3\xA9s",
                 "[et:0-6@0]");
    check_tokens(&database, "unicode61 tokenchars '-.'", "x-ray 1.5", "[x-ray:0-5@0][1.5:6-9@1]");
    check_tokens(&database, "'unicode61'tokenchars''''", "it's", "[it's:0-4@0]");
    check_tokens(&database, "  ascii  ", "a b", "[a:0-1@0][b:2-3@1]");
    check_tokens(&database, "unicode61", "", "");
    check_tokens(&database, "unicode61", " ?! ", "");
    close_database(&database);
}

/* Where FTS5 takes the text as its option, so do we. */
static void test_options_as_fts5_takes_them(void **state)
{
    static const char *const texts[] = {
        "",
        "porter",
        " porter  ascii ",
        "porter, ascii",
        "unicode61 'a",
        "'unicode61",
        "''",
        "'unicode61' 'separators' '''x'",
        "unicode61 tokenchars",
        "nobody",
        "unicode61\tx 1",
        "unicode61 \"a\" 'b'",
        "porter nobody",
        " ",
    };
    struct database database;
    (void)state;
    open_database(&database);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct fts5_splitter splitter;
        struct error err = {0};
        char *sql =
            sqlite3_mprintf("CREATE VIRTUAL TABLE t USING fts5(x, tokenize = \"%w\")", texts[i]);
        int taken = sqlite3_exec(database.db, sql, NULL, NULL, NULL) == SQLITE_OK;
        int rc = fts5_splitter_open(&splitter, database.connection, texts[i], &err);
        if ((rc == 0) != taken) fail_msg("%s: %s", texts[i], err.text);
        assert_int_equal(rc, taken ? 0 : ERROR_INVALID);
        fts5_splitter_close(&splitter);
        if (taken) execute(&database, "DROP TABLE t");
        sqlite3_free(sql);
    }
    close_database(&database);
}

static void check_refused(struct database *database, const char *tokenizer, const char *message)
{
    struct fts5_splitter splitter;
    struct error err = {0};
    assert_int_equal(fts5_splitter_open(&splitter, database->connection, tokenizer, &err),
                     ERROR_INVALID);
    assert_string_equal(err.text, message);
    fts5_splitter_close(&splitter);
}

static void test_refused(void **state)
{
    struct database database;
    (void)state;
    open_database(&database);
    check_refused(&database, "nobody", "no such tokenizer: \"nobody\"");
    check_refused(&database, "ascii (",
                  "tokenizer \"ascii (\": expected words and texts in single "
                  "quotes");
    check_refused(&database, "unicode61 nothing 1",
                  "tokenizer \"unicode61 nothing 1\": its arguments are not taken");
    close_database(&database);
}

static void test_a_sink_that_fails(void **state)
{
    struct database database;
    struct fts5_splitter splitter;
    struct writing writing = {.most = 1};
    struct error err = {0};
    (void)state;
    open_database(&database);
    assert_int_equal(fts5_splitter_open(&splitter, database.connection, "porter", &err), 0);
    struct span text = {"one two three", 13};
    assert_int_equal(
        fts5_splitter_run(&splitter, FTS5_TOKENIZE_TERMS, text, write_token, &writing, &err),
        ERROR_INVALID);
    assert_string_equal(err.text, "enough");
    assert_int_equal(writing.n_taken, 2);
    fts5_splitter_close(&splitter);
    close_database(&database);
}

/* ---- a tokenizer of an application ----------------------------------------------------------- */

static int own_create(void *context, const char **arguments, int n, Fts5Tokenizer **tokenizer)
{
    (void)arguments;
    *tokenizer = context;
    return n > 1 ? SQLITE_ERROR : SQLITE_OK;
}

static void own_delete(Fts5Tokenizer *tokenizer)
{
    (void)tokenizer;
}

/* Each byte, and each 'a' also as 'b'; of '!' what no tokenizer may give. */
static int own_tokenize(Fts5Tokenizer *tokenizer, void *context, int flags, const char *text,
                        int size, int (*take)(void *, int, const char *, int, int, int))
{
    int rc = SQLITE_OK;
    (void)tokenizer;
    (void)flags;
    for (int i = 0; rc == SQLITE_OK && i < size; i++) {
        rc = take(context, 0, text + i, 1, i, text[i] == '!' ? size + 1 : i + 1);
        if (rc == SQLITE_OK && text[i] == 'a')
            rc = take(context, FTS5_TOKEN_COLOCATED, "b", 1, i, i + 1);
    }
    return rc;
}

static void register_own(struct database *database)
{
    fts5_tokenizer methods = {own_create, own_delete, own_tokenize};
    fts5_api *api;
    struct error err = {0};
    assert_int_equal(fts5_find(database->connection, &api, &err), 0);
    assert_int_equal(api->xCreateTokenizer(api, "own", database, &methods, NULL), SQLITE_OK);
}

static void test_an_applications_tokenizer(void **state)
{
    struct database database;
    struct fts5_splitter splitter;
    struct writing writing = {.most = SIZE_MAX};
    struct error err = {0};
    (void)state;
    open_database(&database);
    check_refused(&database, "own", "no such tokenizer: \"own\"");
    register_own(&database);
    check_tokens(&database, "own x", "cab", "[c:0-1@0][a:1-2@1]=[b:1-2@1][b:2-3@2]");
    check_refused(&database, "own x y", "tokenizer \"own x y\": its arguments are not taken");
    assert_int_equal(fts5_splitter_open(&splitter, database.connection, "own", &err), 0);
    struct span text = {"x!", 2};
    assert_int_equal(
        fts5_splitter_run(&splitter, FTS5_TOKENIZE_TERMS, text, write_token, &writing, &err),
        ERROR_INVALID);
    assert_string_equal(err.text, "the tokenizer gave a token that is not of the text");
    fts5_splitter_close(&splitter);
    close_database(&database);
}

/* ---- visits ---------------------------------------------------------------------------------- */

struct visiting {
    int n_visits, n_rows, n_phrases, fails, code;
};

static int count_row(const Fts5ExtensionApi *api, Fts5Context *row, void *context)
{
    struct visiting *visiting = context;
    (void)api;
    (void)row;
    visiting->n_rows++;
    return visiting->code;
}

static int count(void *context, const Fts5ExtensionApi *api, Fts5Context *row, struct error *err)
{
    struct visiting *visiting = context;
    visiting->n_visits++;
    visiting->n_phrases = api->xPhraseCount(row);
    for (int i = 0; i < visiting->n_phrases; i++) {
        int code = api->xQueryPhrase(row, i, visiting, count_row);
        if (code != SQLITE_OK) return fts5_error(code, err);
    }
    return visiting->fails ? error_set(err, visiting->fails, "as told") : 0;
}

static int visit(struct database *database, const char *match, struct visiting *visiting,
                 struct error *err)
{
    return fts5_visit(database->connection, "main", "t", match, count, visiting, err);
}

static void test_visits(void **state)
{
    struct database database;
    struct error err = {0};
    (void)state;
    open_database(&database);
    execute(&database, "CREATE VIRTUAL TABLE t USING fts5(x, content = '');"
                       "INSERT INTO t(rowid, x) VALUES (1, 'a b'), (2, 'b c'), (3, 'c')");
    struct visiting visiting = {0};
    assert_int_equal(visit(&database, "\"b\" OR \"c\" OR \"nobody\"", &visiting, &err), 0);
    assert_int_equal(visiting.n_visits, 1);
    assert_int_equal(visiting.n_phrases, 3);
    assert_int_equal(visiting.n_rows, 4);
    visiting = (struct visiting){0};
    assert_int_equal(visit(&database, "\"nobody\"", &visiting, &err), 0);
    assert_int_equal(visiting.n_visits, 0);

    visiting = (struct visiting){.fails = ERROR_CORRUPT};
    assert_int_equal(visit(&database, "\"b\"", &visiting, &err), ERROR_CORRUPT);
    assert_string_equal(err.text, "as told");
    visiting = (struct visiting){.fails = ERROR_NOMEM};
    assert_int_equal(visit(&database, "\"b\"", &visiting, &err), ERROR_NOMEM);
    visiting = (struct visiting){.code = SQLITE_INTERRUPT};
    assert_int_equal(visit(&database, "\"b\"", &visiting, &err), ERROR_INTERRUPTED);
    visiting = (struct visiting){.code = SQLITE_DONE};
    assert_int_equal(visit(&database, "\"b\"", &visiting, &err), 0);
    assert_int_equal(visiting.n_rows, 1);

    assert_int_equal(visit(&database, "b AND", &visiting, &err), ERROR_STORAGE);
    assert_string_equal(err.text, "t: fts5: syntax error near \"\"");
    execute(&database, "DROP TABLE t; CREATE TABLE t(x); INSERT INTO t VALUES ('b')");
    assert_int_equal(visit(&database, "b", &visiting, &err), ERROR_STORAGE);
    assert_string_equal(err.text, "t: unable to use function MATCH in the requested context");
    close_database(&database);
}

static void test_sql_cannot_visit(void **state)
{
    struct database database;
    struct visiting visiting = {.code = SQLITE_DONE};
    struct error err = {0};
    (void)state;
    open_database(&database);
    execute(&database, "CREATE VIRTUAL TABLE t USING fts5(x); INSERT INTO t(x) VALUES ('a b')");
    assert_int_equal(visit(&database, "b", &visiting, &err), 0); /* makes the function */
    char *message = NULL;
    assert_int_equal(
        sqlite3_exec(database.db, "SELECT rerank_visit(t, 1) FROM t('a')", NULL, NULL, &message),
        SQLITE_ERROR);
    assert_string_equal(message, "rerank_visit is not for SQL");
    sqlite3_free(message);
    close_database(&database);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int split_once(void *context, struct error *err)
{
    struct database *database = context;
    struct fts5_splitter splitter;
    struct writing writing = {.most = SIZE_MAX};
    struct span text = {"one two", 7};
    int rc = fts5_splitter_open(&splitter, database->connection, "porter ascii", err);
    if (rc == 0)
        rc = fts5_splitter_run(&splitter, FTS5_TOKENIZE_TERMS, text, write_token, &writing, err);
    fts5_splitter_close(&splitter);
    return rc;
}

static void test_memory(void **state)
{
    struct database database;
    (void)state;
    open_database(&database);
    assert_int_equal(each_allocation(split_once, &database), 2);
    close_database(&database);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_options_as_fts5_takes_them),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_a_sink_that_fails),
        cmocka_unit_test(test_an_applications_tokenizer),
        cmocka_unit_test(test_visits),
        cmocka_unit_test(test_sql_cannot_visit),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_subword_tokenizer.c: the tokenizer `rerank` on documents: words that it met before beside
 * words that it meets for the first time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/each_allocation.h"
#include "sqlite/fts5.h"
#include "sqlite/subword_tokenizer.h"

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
    assert_int_equal(subword_tokenizer_register(database->connection), SQLITE_OK);
}

static void close_database(struct database *database)
{
    assert_int_equal(sqlite3_close(database->db), SQLITE_OK);
    connection_release(database->connection);
}

static void open_splitter(struct fts5_splitter *splitter, struct database *database,
                          const char *tokenizer)
{
    struct error err = {0};
    if (fts5_splitter_open(splitter, database->connection, tokenizer, &err) != 0)
        fail_msg("%s: %s", tokenizer, err.text);
}

/* Tokens of a document: "token:start-end", after a space or, at the place of the one before, a
 * "="; pieces with a ~ for their mark. */
struct writing {
    char text[16384];
    size_t size;
};

static int write_token(void *context, int flags, const char *token, int size, int start, int end)
{
    struct writing *writing = context;
    int is_piece = size > 0 && *token == 1;
    writing->size +=
        (size_t)snprintf(writing->text + writing->size, sizeof writing->text - writing->size,
                         "%c%s%.*s:%d-%d", flags & FTS5_TOKEN_COLOCATED ? '=' : ' ',
                         is_piece ? "~" : "", size - is_piece, token + is_piece, start, end);
    assert_true(writing->size < sizeof writing->text);
    return SQLITE_OK;
}

static void write_document(struct fts5_splitter *splitter, const char *text,
                           struct writing *writing)
{
    writing->size = 0;
    writing->text[0] = '\0';
    assert_int_equal(splitter->methods.xTokenize(splitter->tokenizer, writing,
                                                 FTS5_TOKENIZE_DOCUMENT, text, (int)strlen(text),
                                                 write_token),
                     SQLITE_OK);
}

/* Twice: the second time the words are known. */
static void check(struct database *database, const char *text, const char *expected)
{
    struct fts5_splitter splitter;
    struct writing writing;
    open_splitter(&splitter, database, "rerank porter unicode61 remove_diacritics 2");
    for (int i = 0; i < 2; i++) {
        write_document(&splitter, text, &writing);
        assert_string_equal(writing.text, expected);
    }
    fts5_splitter_close(&splitter);
}

static void test_documents(void **state)
{
    struct database database;
    (void)state;
    open_database(&database);
    check(&database, "", "");
    check(&database, " ,.", "");
    check(&database, "Retrieved the libraries",
          " retriev:0-9=~retr:0-9 the:10-13 librari:14-23=~libr:14-23");
    check(&database, "libraries, LIBRARIES", " librari:0-9=~libr:0-9 librari:11-20=~libr:11-20");
    check(&database, "libvirtd-tools", " libvirtd:0-8=~libv:0-8=~libvir:0-8 tool:9-14");
    check(&database, "12345678 x86", " 12345678:0-8 x86:9-12");
    check(&database, "программы", " программы:0-18=~прог:0-18=~програ:0-18");
    check(&database, "„Pakete“", " paket:3-9=~pake:3-9");
    check(&database, "one—two", " on:0-3 two:6-9");
    check(&database, "Windows版", " window:0-7 版:7-10");
    check(&database, "검색엔진", " 검색엔진:0-12=~검색:0-12=~색엔:0-12=~엔진:0-12");
    check(&database, "東京都", " 東京:0-6=東:0-3 京都:3-9=京:3-6 都:6-9");
    close_database(&database);
}

/* As it is typed elsewhere: apart from where it stands, the same tokens. */
static void test_spellings(void **state)
{
    struct database database;
    (void)state;
    open_database(&database);
    check(&database, "각", " 각:0-3");
    check(&database, "\u1100\u1161\u11A8, x", " 각:0-9 x:11-12"); /* in letters */
    check(&database, "й и\u0306", " й:0-2 й:3-7");
    check(&database, "of\uFB01ce", " offic:0-7");
    check(&database, "ａｂｃ", " abc:0-9");
    check(&database, "co\u00ADop", " coop:0-6");
    check(&database, "one\u00A0of\uFB01ce…b", " on:0-3 offic:5-12 b:15-16");
    check(&database, "\u00AD", "");
    close_database(&database);
}

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (*seed >> 33) % below;
}

static void random_text(uint64_t *seed, char *text, size_t size)
{
    static const char *const parts[] = {
        " ",    " ",     " ",   ", ",        "-", "\xC2\xA0", "a",    "ing", "libraries", "The",
        "wort", "Paket", "é",   "e\xCC\x81", "Ж", "лова",     "прог", "東",  "京",        "カフェ",
        "검색", "엔진",  "ไทย", "12",        "x", "“",        "I",    "ß",   "ИЙ",        "knights",
    };
    size_t n = draw(seed, 60);
    text[0] = '\0';
    for (size_t i = 0; i < n && strlen(text) + 16 < size; i++)
        strcat(text, parts[draw(seed, sizeof parts / sizeof *parts)]);
}

/* A tokenizer that is told its separators gets a text as a whole, and nothing is kept of it. (Of
 * bytes that are no UTF-8 each makes what it likes.) */
static void check_alike(struct database *database, const char *one, const char *other)
{
    struct fts5_splitter splitters[2];
    struct writing writing[2];
    uint64_t seed = 7;
    char text[1024];
    open_splitter(&splitters[0], database, one);
    open_splitter(&splitters[1], database, other);
    for (int i = 0; i < 2000; i++) {
        random_text(&seed, text, sizeof text);
        for (int j = 0; j < 2; j++) write_document(&splitters[j], text, &writing[j]);
        if (strcmp(writing[0].text, writing[1].text) != 0)
            fail_msg("%s:%s, not%s", text, writing[0].text, writing[1].text);
    }
    for (int j = 0; j < 2; j++) fts5_splitter_close(&splitters[j]);
}

static void test_words_alone_and_together(void **state)
{
    struct database database;
    (void)state;
    open_database(&database);
    check_alike(&database, "rerank", "rerank unicode61 separators ' '");
    check_alike(&database, "rerank porter unicode61 remove_diacritics 2",
                "rerank porter unicode61 remove_diacritics 2 separators ' '");
    check_alike(&database, "rerank porter", "rerank porter unicode61 separators ' '");
    close_database(&database);
}

static int own_create(void *context, const char **arguments, int n, Fts5Tokenizer **tokenizer)
{
    (void)arguments;
    (void)n;
    *tokenizer = context;
    return SQLITE_OK;
}

static void own_delete(Fts5Tokenizer *tokenizer)
{
    (void)tokenizer;
}

/* A token that was made of nothing of the text. */
static int own_tokenize(Fts5Tokenizer *tokenizer, void *context, int flags, const char *text,
                        int size, int (*take)(void *, int, const char *, int, int, int))
{
    (void)tokenizer;
    (void)flags;
    (void)text;
    int rc = take(context, 0, "paketen", 7, -1000, 1000);
    if (rc == SQLITE_OK) rc = take(context, 0, "paketen", 7, size, 0);
    return rc;
}

/* As itself, and in the place of unicode61. */
static void test_a_tokenizer_that_lies(void **state)
{
    static const char *const names[] = {"own", "unicode61"};
    struct database database;
    struct writing writing;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fts5_tokenizer methods = {own_create, own_delete, own_tokenize};
        fts5_api *api;
        struct fts5_splitter splitter;
        char name[64];
        open_database(&database);
        assert_int_equal(fts5_find(database.connection, &api, NULL), 0);
        assert_int_equal(api->xCreateTokenizer(api, names[i], &database, &methods, NULL),
                         SQLITE_OK);
        snprintf(name, sizeof name, "rerank %s", names[i]);
        open_splitter(&splitter, &database, name);
        for (int j = 0; j < 2; j++) {
            write_document(&splitter, "text", &writing);
            assert_string_equal(writing.text,
                                " paketen:-1000-1000=~pake:-1000-1000=~pakete:-1000-1000"
                                " paketen:4-0=~pake:4-0=~pakete:4-0");
        }
        fts5_splitter_close(&splitter);
        close_database(&database);
    }
}

static int split_document(void *context, struct error *err)
{
    struct fts5_splitter splitter;
    struct writing writing = {.size = 0};
    int rc = fts5_splitter_open(&splitter, ((struct database *)context)->connection,
                                "rerank porter", err);
    if (rc == 0) {
        int code = splitter.methods.xTokenize(splitter.tokenizer, &writing, FTS5_TOKENIZE_DOCUMENT,
                                              "Paketen", 7, write_token);
        if (code != SQLITE_OK) rc = fts5_error(code, err);
    }
    fts5_splitter_close(&splitter);
    return rc;
}

static void test_memory(void **state)
{
    struct database database;
    (void)state;
    open_database(&database);
    assert_int_equal(each_allocation(split_document, &database), 4);
    close_database(&database);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_words_alone_and_together),
        cmocka_unit_test(test_a_tokenizer_that_lies),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

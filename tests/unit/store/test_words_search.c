/*
 * test_words_search.c: the words of a query, beside FTS5's own answers, and any text as a query.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "store/word_index.h"
#include "store/words_memory.h"
#include "store/words_terms.h"

/* ---- beside FTS5 ----------------------------------------------------------------------------- */

/* What FTS5 says of the words of a query joined by OR, compared row by row; words are each once. So
 * many rows are expected to be asked for. */
static void compare_expecting(struct tables *tables, const char *query, const char *match, size_t n)
{
    struct words_search search;
    struct words_match found;
    struct error err = {0};
    sqlite3_stmt *statement;
    int is_found;
    double bm25;
    if (words_open(&search, tables, query, &err) != 0) fail_msg("%s: %s", query, err.text);
    words_search_expect(&search, n);
    assert_int_equal(sqlite3_prepare_v2(tables->db,
                                        "SELECT rowid, -bm25(X_fts) FROM X_fts "
                                        "WHERE X_fts MATCH ?1 ORDER BY 2 DESC, 1",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(statement, 1, match, -1, SQLITE_STATIC);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        double expected = sqlite3_column_double(statement, 1);
        assert_int_equal(words_search_next(&search, &found, &is_found, &err), 0);
        assert_true(is_found);
        if (found.id != sqlite3_column_int64(statement, 0) ||
            fabs(found.bm25 - expected) > 1e-9 * fabs(expected))
            fail_msg("%s: %lld %.17g, expected %lld %.17g", query, (long long)found.id, found.bm25,
                     (long long)sqlite3_column_int64(statement, 0), expected);
        assert_int_equal(words_search_bm25(&search, found.id, &bm25, &err), 0);
        assert_true(bm25 == found.bm25);
        assert_true(search.bound * 2.2 >= bm25);
    }
    assert_int_equal(words_search_next(&search, &found, &is_found, &err), 0);
    assert_false(is_found);
    sqlite3_finalize(statement);
    words_search_deinit(&search);
}

static void compare_each(struct tables *tables, const char *query, const char *match)
{
    static const size_t expected[] = {0, 1, 10, 100, SIZE_MAX};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        compare_expecting(tables, query, match, expected[i]);
}

/* Outside of a transaction FTS5 is asked, within one its pages are read. */
static void compare(struct tables *tables, const char *query, const char *match)
{
    int is_outside = sqlite3_get_autocommit(tables->db);
    compare_each(tables, query, match);
    if (!is_outside) return;
    tables_execute(tables, "BEGIN; SELECT count(*) FROM X_config");
    compare_each(tables, query, match);
    tables_execute(tables, "COMMIT");
}

static void add_phrase(char *match, size_t size, const char *phrase, size_t n)
{
    size_t at = strlen(match);
    snprintf(match + at, size - at, "%s\"%.*s\"", at == 0 ? "" : " OR ", (int)n, phrase);
}

/* A query of n words without endings, each of which is a token of its own; or, of trigrams, each
 * three letters. */
static void compare_words(struct tables *tables, uint64_t *seed, size_t n, int of_trigrams)
{
    char query[1024] = "", match[4096] = "", word[32];
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        words_word(seed, word, sizeof word);
        at += (size_t)snprintf(query + at, sizeof query - at, "%s%.3s", i == 0 ? "" : " ", word);
    }
    for (size_t i = 0; i + 3 <= at; i += of_trigrams ? 1 : 4)
        add_phrase(match, sizeof match, query + i, 3);
    compare(tables, query, match);
}

static void test_as_fts5_ranks(void **state)
{
    static const char *const tokenizers[] = {"porter unicode61", "unicode61", "trigram"};
    uint64_t seed = 1;
    char text[4096];
    (void)state;
    for (size_t i = 0; i < sizeof tokenizers / sizeof *tokenizers; i++) {
        struct tables tables;
        words_create(&tables, tokenizers[i]);
        tables_execute(&tables, "BEGIN");
        for (int document = -50; document < 350; document++) {
            words_text(&seed, words_random(&seed, 40), text, sizeof text);
            words_add(&tables, document * 3, text);
            if (document % 100 == 0) tables_execute(&tables, "COMMIT; BEGIN");
        }
        for (size_t n = 1; n <= 20; n++) compare_words(&tables, &seed, n, i == 2);
        tables_execute(&tables, "COMMIT");
        for (size_t n = 1; n <= 20; n++) compare_words(&tables, &seed, n, i == 2);
        tables_close(&tables);
    }
}

static void test_each_word_counts(void **state)
{
    struct tables tables;
    (void)state;
    words_create(&tables, "porter unicode61 remove_diacritics 2");
    words_add(&tables, 1, "the cat runs");
    words_add(&tables, 2, "a dog and a cat and a bird");
    words_add(&tables, 3, "a caf\xC3\xA9 for dogs and nobody else");
    compare(&tables, "Running RUN runs run cats", "run OR run OR run OR run OR cat");
    compare(&tables, "cafe Caf\xC3\xA9 dog", "cafe OR cafe OR dog");
    tables_close(&tables);
}

/* ---- any text -------------------------------------------------------------------------------- */

static void create_films(struct tables *tables)
{
    words_create(tables, "porter unicode61 remove_diacritics 2");
    words_add(tables, 1, "the dark knight rises over the city");
    words_add(tables, 2, "a knight in the dark of a castle");
    words_add(tables, 3, "what's the budget of and or not near, roughly");
    words_add(tables, 4, "C++ and e=mc2 in gateway/run.py of v1.1.6");
    words_add(tables, 5, "");
}

static void test_any_text_is_a_query(void **state)
{
    struct tables tables;
    (void)state;
    create_films(&tables);
    words_check(&tables, "", "");
    words_check(&tables, "?!", "");
    words_check(&tables, "\"", "");
    words_check(&tables, "-", "");
    words_check(&tables, "- -- --- \"\" \" -\"\" '", "");
    words_check(&tables, "castle", "2");
    words_check(&tables, "castle*", "2");
    words_check(&tables, "^castle", "2");
    words_check(&tables, "text : castle", "2");
    words_check(&tables, "{text}: (castle) + \"", "2");
    words_check(&tables, "AND", "3 4");
    words_check(&tables, "NOT NEAR", "3");
    words_check(&tables, "NEAR(roughly", "3");
    words_check(&tables, "what's the budget, roughly?", "3 1 2");
    words_check(&tables, "gateway/run.py", "4");
    words_check(&tables, "e=mc2", "4");
    words_check(&tables, "v1.1.6", "4");
    words_check(&tables, "C++", "4");
    words_check(&tables, "nobody knows", "");
    words_check(&tables, "\xFF\xFE castle \x80", "2");
    struct words_search search;
    struct words_match match;
    struct error err = {0};
    int found;
    struct span query = {"no\0castle", 9};
    assert_int_equal(words_search_open(&search, &tables.store, query, &err), 0);
    assert_int_equal(words_search_next(&search, &match, &found, &err), 0);
    assert_true(found);
    assert_int_equal(match.id, 2);
    words_search_deinit(&search);
    tables_close(&tables);
}

static void test_phrases_and_exclusions(void **state)
{
    struct tables tables;
    (void)state;
    create_films(&tables);
    words_check(&tables, "dark knight", "1 2");
    words_check(&tables, "\"dark knight\"", "1 | must 1");
    words_check(&tables, "\"Dark Knights\" castle", "1 | must 1");
    words_check(&tables, "\"dark knight\" \"the city\" castle", "1 | must 1");
    words_check(&tables, "\"a knight\" \"dark knight\"", " | must");
    words_check(&tables, "\"castle city\"", " | must");
    words_check(&tables, "\"nobody here\" castle", " | must");
    words_check(&tables, "\"knight\" \"city\"", "1 2"); /* a single word is one as any other */
    words_check(&tables, "\"nobody\" castle", "2");
    words_check(&tables, "knight -\"castle\"", "1 | not 2");
    words_check(&tables, "\"?\" castle", "2");
    words_check(&tables, "knight -castle", "1 | not 2");
    words_check(&tables, "knight -\"dark of\"", "1 | not 2");
    words_check(&tables, "knight -\"dark castle\"", "1 2");
    words_check(&tables, "knight -castles -city", " | not 1 2");
    words_check(&tables, "\"the dark\" -castle", "1 | must 1 2 | not 2");
    words_check(&tables, "-castle", " | not 2");
    words_check(&tables, "-\"?\" castle", "2");
    words_check(&tables, "knight -nobody", "1 2");
    tables_close(&tables);
}

static void test_bound(void **state)
{
    struct tables tables;
    struct words_search search;
    struct error err = {0};
    double bm25;
    (void)state;
    create_films(&tables);
    assert_int_equal(words_open(&search, &tables, "nobody", &err), 0);
    assert_true(search.bound == 0.0);
    words_search_deinit(&search);
    assert_int_equal(words_open(&search, &tables, "castle nobody", &err), 0);
    assert_true(fabs(search.bound - log(4.5 / 1.5) - log(5.5 / .5)) < 1e-12);
    assert_int_equal(words_search_bm25(&search, 1, &bm25, &err), 0);
    assert_true(isnan(bm25));
    assert_int_equal(words_search_bm25(&search, 99, &bm25, &err), 0);
    assert_true(isnan(bm25));
    words_search_deinit(&search);
    assert_int_equal(words_open(&search, &tables, "", &err), 0);
    assert_int_equal(words_search_bm25(&search, 1, &bm25, &err), 0);
    assert_true(isnan(bm25));
    words_search_deinit(&search);
    tables_close(&tables);
}

static void test_keep(void **state)
{
    struct tables tables;
    struct words_search search;
    struct words_match match;
    struct error err = {0};
    int64_t ids[] = {2, 3, 9};
    int found;
    (void)state;
    create_films(&tables);
    assert_int_equal(words_open(&search, &tables, "knight", &err), 0);
    words_search_keep(&search, ids, 3);
    assert_int_equal(words_search_next(&search, &match, &found, &err), 0);
    assert_true(found && match.id == 2);
    assert_int_equal(words_search_next(&search, &match, &found, &err), 0);
    assert_false(found);
    words_search_deinit(&search);
    assert_int_equal(words_open(&search, &tables, "knight", &err), 0);
    words_search_keep(&search, ids, 0);
    assert_int_equal(words_search_next(&search, &match, &found, &err), 0);
    assert_false(found);
    words_search_deinit(&search);
    /* Document 1 is of row 9 now: out of order. */
    tables_execute(&tables, "INSERT INTO X_docs VALUES (1, 9)");
    assert_int_equal(words_open(&search, &tables, "knight", &err), 0);
    words_search_keep(&search, ids, 3);
    assert_int_equal(words_search_next(&search, &match, &found, &err), 0);
    assert_true(found && match.id == 9);
    assert_int_equal(words_search_next(&search, &match, &found, &err), 0);
    assert_true(found && match.id == 2);
    assert_int_equal(words_search_next(&search, &match, &found, &err), 0);
    assert_false(found);
    words_search_deinit(&search);
    tables_close(&tables);
}

/* More different words than are asked for, and a text that is long. */
static void test_many_words(void **state)
{
    struct tables tables;
    char query[10000] = "";
    size_t at = 0;
    (void)state;
    create_films(&tables);
    for (int i = 0; i < 1000 && at + 16 < sizeof query; i++)
        at += (size_t)snprintf(query + at, sizeof query - at, "%s%d ", i % 2 ? "no" : "\"no",
                               i + 100);
    memcpy(query, "castle no", 9);
    words_check(&tables, query, "2");
    memcpy(query + 980, " castle\" ", 9); /* still a question: quotes, but no row has the phrases */
    query[990] = '\0';
    words_check(&tables, query, " | must");
    memset(query, 'x', sizeof query - 1);
    words_check(&tables, query, "");
    tables_close(&tables);
}

/* ---- documents and rows ---------------------------------------------------------------------- */

static void test_documents_of_other_rows(void **state)
{
    struct tables tables;
    struct words_search search;
    struct error err = {0};
    double bm25;
    (void)state;
    words_create(&tables, "porter unicode61");
    for (int i = 1; i <= 60; i++) words_add(&tables, i, i % 2 ? "cat" : "cat and dog");
    words_add(&tables, -1, "cat bird");
    words_add(&tables, -2, "bird");
    /* 1 is dead, 2 has another document, 50 has the one of 3, which has none. */
    tables_execute(&tables, "INSERT INTO X_docs VALUES (1, NULL), (2, NULL), (-1, 2), (3, 50),"
                            "(50, NULL), (-2, NULL)");
    tables_execute(&tables, "INSERT INTO X_docs SELECT value, NULL FROM "
                            "(WITH n(value) AS (SELECT 5 UNION ALL SELECT value + 1 FROM n "
                            "WHERE value < 45) SELECT value FROM n)");
    words_check(&tables, "bird", "2");
    words_check(&tables, "cat bird -dog", "2 47 49 50 51 53 55 57 59 | not 4 46 48 52 54 56 58 60");
    words_check(&tables, "\"cat and dog\" -cat",
                " | must 4 46 48 52 54 56 58 60 | not 2 4 46 47 48 49 50 51 52 53 54 55 56 57 58 "
                "59 60");
    assert_int_equal(words_open(&search, &tables, "cat", &err), 0);
    for (int64_t id = 0; id <= 61; id++) {
        int has = id == 2 || id == 4 || (id > 45 && id <= 60);
        assert_int_equal(words_search_bm25(&search, id, &bm25, &err), 0);
        if (isnan(bm25) == has) fail_msg("row %lld: %g", (long long)id, bm25);
    }
    words_search_deinit(&search);
    tables_close(&tables);
}

/* Rows far apart, and at the ends of their range. */
static void test_extreme_rows(void **state)
{
    struct tables tables;
    (void)state;
    words_create(&tables, "unicode61");
    words_add(&tables, INT64_MAX, "cat");
    words_add(&tables, INT64_MIN, "cat dog");
    words_add(&tables, 0, "dog");
    words_check(&tables, "cat", "9223372036854775807 -9223372036854775808");
    words_check(&tables, "dog -cat", "0 | not -9223372036854775808 9223372036854775807");
    compare(&tables, "cat dog", "cat OR dog");
    tables_close(&tables);
}

/* ---- words that many rows of a large index have ---------------------------------------------- */

/* Of 100 documents 99 have `the`, 30 have `of`, 20 have `in`; `rare` is in four of all, `some` in
 * 1 of 800. */
static void create_large(struct tables *tables, int n)
{
    words_create(tables, "unicode61");
    char *sql = sqlite3_mprintf(
        "INSERT INTO X_fts(rowid, text) WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < %d) SELECT i, iif(i %% 100, 'the', 'a') || iif(i %% 100 < 30, ' of', '') || "
        "iif(i %% 5, '', ' in') || iif(i %% 20000, '', ' rare') || iif(i %% 800, '', ' some') "
        "FROM n",
        n);
    tables_execute(tables, sql);
    sqlite3_free(sql);
}

/* Whether row `id` has a BM25 for a query, and how many rows are found. */
static void check_counts(struct tables *tables, const char *query, int64_t id, int has, size_t n)
{
    struct words_search search;
    struct words_match match;
    struct error err = {0};
    double bm25;
    assert_int_equal(words_open(&search, tables, query, &err), 0);
    assert_int_equal(words_search_bm25(&search, id, &bm25, &err), 0);
    if (isnan(bm25) == has) fail_msg("%s: %g", query, bm25);
    size_t n_found = 0;
    int found = 1;
    for (; found; n_found += (size_t)found)
        assert_int_equal(words_search_next(&search, &match, &found, &err), 0);
    if (n_found != n) fail_msg("%s: %zu rows", query, n_found);
    words_search_deinit(&search);
}

static void test_common_words(void **state)
{
    struct tables tables;
    (void)state;
    create_large(&tables, WORDS_LARGE);
    check_counts(&tables, "some of the", 99, 1, 80000);
    words_add(&tables, 80001, "the");
    check_counts(&tables, "of", 1, 1, 24000);
    check_counts(&tables, "the of", 99, 0, 24000);
    check_counts(&tables, "in the", 99, 0, 16000);
    check_counts(&tables, "rare of the", 1, 1, 24000);
    check_counts(&tables, "some of the", 1, 0, 100);
    check_counts(&tables, "some of the in", 5, 1, 16000);
    check_counts(&tables, "nobody the", 99, 1, 79201);
    char text[1024] = "some in";
    for (int i = 0; i < WORDS_OF_A_TEXT; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " no%d", i);
    check_counts(&tables, text, 5, 0, 100);
    memcpy(text, "rare", 4);
    check_counts(&tables, text, 5, 1, 16000);
    words_check(&tables, "\"the of\" \"in rare\"", " | must");
    words_check(&tables, "\"a of\" rare \"in rare\"",
                "20000 40000 60000 80000 | must 20000 40000 60000 80000");
    /* The same off FTS5's pages, and then out of what is kept of them. */
    tables_execute(&tables, "BEGIN; SELECT count(*) FROM X_config");
    for (int i = 0; i < 3; i++) {
        check_counts(&tables, "the of", 99, 0, 24000);
        check_counts(&tables, "some of the", 1, 0, 100);
        check_counts(&tables, "rare of the", 1, 1, 24000);
        check_counts(&tables, text, 5, 1, 16000);
    }
    assert_true(tables.store.words_memory->bytes > 0);
    assert_true(tables.store.lengths->n > 0);
    tables_execute(&tables, "COMMIT");
    tables_close(&tables);
}

/* ---- failures -------------------------------------------------------------------------------- */

/* Opens and asks for all there is: the first error. */
static int search_all(struct tables *tables, const char *query, struct error *err)
{
    struct words_search search;
    struct words_match match;
    int found = 1;
    int rc = words_open(&search, tables, query, err);
    while (rc == 0 && found) rc = words_search_next(&search, &match, &found, err);
    words_search_deinit(&search);
    return rc;
}

static void damaged(const char *sql, int code, const char *text)
{
    struct tables tables;
    create_films(&tables);
    words_check(&tables, "knight castle", "2 1");
    tables_execute(&tables, sql);
    for (int reads = 0; reads < 2; reads++) {
        struct error err = {0};
        if (reads) tables_execute(&tables, "BEGIN; SELECT count(*) FROM X_config");
        int rc = search_all(&tables, "knight castle", &err);
        if (rc != code || strstr(err.text, text) == NULL) fail_msg("%s: %d: %s", sql, rc, err.text);
        if (reads) tables_execute(&tables, "COMMIT");
    }
    tables_close(&tables);
}

static void test_damage(void **state)
{
    (void)state;
    damaged("DELETE FROM X_config WHERE key = 'lexical'", ERROR_CORRUPT, "X_config: 'lexical'");
    damaged("UPDATE X_config SET value = 'nobody' WHERE key = 'lexical'", ERROR_INVALID,
            "no such tokenizer: \"nobody\"");
    damaged("DROP TABLE X_fts", ERROR_STORAGE, "X_fts: no such table");
    damaged("DROP TABLE X_docs", ERROR_STORAGE, "X_docs");
    damaged("INSERT INTO X_docs VALUES (2, 'two')", ERROR_CORRUPT,
            "X_docs: document 2: its row is no number");
    damaged("DELETE FROM X_fts_docsize WHERE id = 2", ERROR_CORRUPT,
            "X_fts_docsize: document 2: its length is not there");
    damaged("UPDATE X_fts_docsize SET sz = x'8181818181' WHERE id = 2", ERROR_CORRUPT,
            "X_fts_docsize: document 2: its length is not there");
    damaged("UPDATE X_fts_docsize SET sz = x'0101' WHERE id = 2", ERROR_CORRUPT,
            "X_fts_docsize: document 2: its length is not there");
    damaged("UPDATE X_fts_docsize SET sz = x'01' WHERE id = 2", ERROR_CORRUPT,
            "X_fts: document 2 has a word behind its end");
    damaged("UPDATE X_fts_data SET block = x'0000' WHERE id = 1", ERROR_STORAGE, "X_fts: ");
    damaged("UPDATE X_fts_data SET block = x'0122' WHERE id = 1", ERROR_CORRUPT, "X_fts: ");
    damaged("UPDATE X_fts_data SET block = x'0000FFFF' WHERE id > 10", ERROR_STORAGE, "X_fts: ");
    damaged("DROP TABLE X_fts; CREATE TABLE X_fts(X_fts); INSERT INTO X_fts VALUES ('knight')",
            ERROR_STORAGE, "X_fts: ");
    damaged("DROP TABLE X_fts; CREATE VIRTUAL TABLE X_fts USING fts5(text, content = '', "
            "detail = none);"
            "INSERT INTO X_fts(rowid, text) VALUES (2, 'a knight')",
            ERROR_CORRUPT, "X_fts: ");
}

static int ask_once(void *context, struct error *err)
{
    return search_all(context, "\"knight\" castle -city", err);
}

/* SQLite ends a transaction in which it is told of an allocation that failed. */
static int ask_in_transaction(void *context, struct error *err)
{
    struct tables *tables = context;
    if (sqlite3_get_autocommit(tables->db))
        tables_execute(tables, "BEGIN; SELECT count(*) FROM X_config");
    return ask_once(context, err);
}

static void test_memory(void **state)
{
    struct tables tables;
    (void)state;
    create_films(&tables);
    words_check(&tables, "\"the dark\" castle -city", "2 | must 1 2 | not 1");
    assert_true(each_allocation(ask_once, &tables) > 10);
    assert_int_equal(ask_in_transaction(&tables, NULL), 0); /* lengths stay */
    assert_true(each_allocation(ask_in_transaction, &tables) > 10);
    tables_close(&tables);
}

static int always(void *context)
{
    (void)context;
    return 1;
}

static void test_interrupt(void **state)
{
    struct tables tables;
    struct cancel cancel = {always, NULL};
    struct error err = {0};
    (void)state;
    words_create(&tables, "unicode61");
    tables_execute(&tables, "INSERT INTO X_fts(rowid, text) WITH n(i) AS "
                            "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
                            "SELECT i, 'cat' FROM n");
    tables.store.cancel = &cancel;
    assert_int_equal(search_all(&tables, "cat", &err), ERROR_INTERRUPTED);
    tables_execute(&tables, "BEGIN; SELECT count(*) FROM X_config");
    assert_int_equal(search_all(&tables, "cat", &err), ERROR_INTERRUPTED);
    tables_execute(&tables, "COMMIT");
    tables_close(&tables);
}

/* What is typed again costs no walk more. */
static void test_repeated_phrases(void **state)
{
    static const char query[] = "-ox \"a cat\" -ox \"a cat\" -\"a cat\" -oxen";
    struct tables tables;
    struct words_terms terms;
    struct error err = {0};
    (void)state;
    words_create(&tables, "unicode61");
    assert_int_equal(words_terms_init(&terms, tables.store.connection, "unicode61",
                                      (struct span){query, strlen(query)}, &err),
                     0);
    assert_string_equal(terms.match.data, "\"a\" OR \"cat\" OR \"a cat\" OR \"ox\" OR "
                                          "\"a cat\" OR \"oxen\"");
    assert_int_equal(terms.n_must, 1);
    assert_int_equal(terms.n_excluded, 3);
    words_terms_deinit(&terms);
    tables_close(&tables);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_fts5_ranks),
        cmocka_unit_test(test_each_word_counts),
        cmocka_unit_test(test_any_text_is_a_query),
        cmocka_unit_test(test_phrases_and_exclusions),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_many_words),
        cmocka_unit_test(test_documents_of_other_rows),
        cmocka_unit_test(test_extreme_rows),
        cmocka_unit_test(test_common_words),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_repeated_phrases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

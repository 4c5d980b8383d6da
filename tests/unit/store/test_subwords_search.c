/*
 * test_subwords_search.c: words and their pieces, of the tokenizer `rerank`, in a ranked search.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "store/word_index.h"
#include "text/subwords.h"

static void create(struct tables *tables)
{
    words_create(tables, "rerank porter unicode61 remove_diacritics 2");
    words_add(tables, 1, "поиск программ");
    words_add(tables, 2, "набор библиотек для программирования");
    words_add(tables, 3, "東京都の猫カフェ");
    words_add(tables, 4, "검색엔진 모음");
    words_add(tables, 5, "a dark knight rises");
    words_add(tables, 6, "knights and other words");
    words_add(tables, 7, "Verwaltung von Paketen");
    words_add(tables, 8, "librarians");
}

/* -bm25() of one phrase in a document, 0: it is not there. */
static double of_phrase(struct tables *tables, const char *phrase, int64_t document)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(tables->db,
                                        "SELECT -bm25(X_fts) FROM X_fts WHERE X_fts MATCH "
                                        "'\"' || ?1 || '\"' AND rowid = ?2",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(statement, 1, phrase, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, document);
    double bm25 = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_double(statement, 0) : 0;
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    return bm25;
}

/* Each found document has the sum of what its terms are worth there, by FTS5's own bm25(). */
static void check_sum(struct tables *tables, const char *query, const char *const *terms)
{
    struct words_search search;
    struct words_match match;
    struct error err = {0};
    int found, n = 0;
    assert_int_equal(words_open(&search, tables, query, &err), 0);
    while (words_search_next(&search, &match, &found, &err) == 0 && found) {
        double expected = 0.0;
        for (size_t i = 0; terms[i] != NULL; i++)
            expected += of_phrase(tables, terms[i], match.id) *
                        subwords_weight((struct span){terms[i], strlen(terms[i])});
        assert_float_equal(match.bm25, expected, 1e-9);
        assert_true(match.bm25 <= 2.2 * search.bound);
        n++;
    }
    assert_int_equal(err.code, 0);
    assert_true(n > 0);
    words_search_deinit(&search);
}

static void test_pieces_are_terms(void **state)
{
    static const char *const program[] = {"программа", "\1прог", "\1програ", NULL};
    static const char *const engine[] = {"검색", "\1검색", NULL};
    static const char *const cats[] = {"東京", "京都", "カフ", "フェ", NULL};
    static const char *const knights[] = {"knights", "\1knig", NULL};
    static const char *const packages[] = {"\1pake", "\1verwal", NULL};
    static const char *const administration[] = {"\1verw", "\1verwal", NULL};
    struct tables tables;
    (void)state;
    create(&tables);
    check_sum(&tables, "Программа программы",
              (const char *const[]){"программа", "программы", "\1прог", "\1прог", "\1програ",
                                    "\1програ", NULL});
    check_sum(&tables, "программа", program);
    check_sum(&tables, "검색", engine);
    check_sum(&tables, "東京都 カフェ", cats);
    check_sum(&tables, "Knights", knights);
    check_sum(&tables, "Paketverwaltung", packages);
    check_sum(&tables, "Verwaltungssoftware", administration);
    tables_close(&tables);
}

static void test_other_forms_are_found(void **state)
{
    struct tables tables;
    (void)state;
    create(&tables);
    words_check(&tables, "программы", "1 2");
    words_check(&tables, "программирование", "1 2");
    words_check(&tables, "библиотека", "2");
    words_check(&tables, "엔진", "4");
    words_check(&tables, "猫", "3");
    words_check(&tables, "京都", "3");
    words_check(&tables, "東", "3");
    words_check(&tables, "犬", "");
    words_check(&tables, "librarianship", "8");
    words_check(&tables, "knightly", "");
    words_check(&tables, "Softwareverwaltung", "7");
    tables_close(&tables);
}

/* Phrases that must match and what is excluded are of words, not of pieces. */
static void test_phrases_are_of_words(void **state)
{
    struct tables tables;
    (void)state;
    create(&tables);
    words_check(&tables, "\"программы\"", "1 2");
    words_check(&tables, "\"набор программы\"", " | must");
    words_check(&tables, "\"поиск программ\"", "1 | must 1");
    words_check(&tables, "knight -dark", "6 | not 5");
    words_check(&tables, "knight -darker", "5 6");
    words_check(&tables, "\"京都の\"", "3 | must 3");
    words_check(&tables, "\"都京都\"", " | must");
    words_check(&tables, "猫 -カフェ", " | not 3");
    tables_close(&tables);
}

/* More pieces than terms are asked for, marks in a query, bytes that are no text. */
static void test_hostile(void **state)
{
    struct tables tables;
    char query[4096] = "";
    (void)state;
    create(&tables);
    for (size_t i = 0; i < 200; i++)
        snprintf(query + strlen(query), sizeof query - strlen(query), " wort%zuwort", i);
    words_check(&tables, query, "");
    words_check(&tables, "\1libr", "8");
    words_check(&tables, "\1", "");
    words_check(&tables, "\xE6\x9D knight \xFF", "5 6");
    tables_close(&tables);
}

static int search_all(void *context, struct error *err)
{
    struct words_search search;
    struct words_match match;
    int found = 1;
    int rc = words_open(&search, context, "программа 東京都 검색엔진 \"dark knight\" -words", err);
    while (rc == 0 && found) rc = words_search_next(&search, &match, &found, err);
    words_search_deinit(&search);
    return rc;
}

static void test_memory(void **state)
{
    struct tables tables;
    (void)state;
    create(&tables);
    assert_int_equal(search_all(&tables, NULL), 0); /* what it keeps */
    each_allocation(search_all, &tables);
    tables_close(&tables);
}

/* ---- how rare words are ---------------------------------------------------------------------- */

static double rarity(struct words_search *search, const char *word)
{
    struct error err = {0};
    double idf;
    struct span span = {word, strlen(word)};
    if (words_search_rarity(search, span, &idf, &err) != 0) fail_msg("%s: %s", word, err.text);
    return idf;
}

static void test_rarity(void **state)
{
    struct tables tables;
    struct words_search search;
    struct error err = {0};
    (void)state;
    words_create(&tables, "rerank porter unicode61");
    words_add(&tables, 1, "castles of programming");
    words_add(&tables, 2, "a castle");
    words_add(&tables, 3, "東京都");
    tables_execute(&tables, "INSERT INTO X_docs VALUES (1, 1), (2, 2), (3, 3)");
    assert_int_equal(words_open(&search, &tables, "Castles programs nobody -of 東京", &err), 0);
    double twice = log1p(1.5 / 2.5), never = log1p(3.5 / .5), once = log1p(2.5 / 1.5);
    assert_true(fabs(rarity(&search, "castles") - twice) < 1e-12);
    assert_true(fabs(rarity(&search, "castle") - twice) < 1e-12);
    assert_true(fabs(rarity(&search, "programs") - once) < 1e-12);
    assert_true(fabs(rarity(&search, "nobody") - never) < 1e-12);
    assert_true(fabs(rarity(&search, "castle nobody") - never) < 1e-12); /* the rarest */
    assert_true(fabs(rarity(&search, "東京") - once) < 1e-12);
    assert_true(rarity(&search, "of") == 0); /* nobody asked for it */
    assert_true(rarity(&search, ",") == 0);
    assert_true(rarity(&search, "") == 0);
    words_search_deinit(&search);
    assert_int_equal(words_open(&search, &tables, "?", &err), 0);
    assert_true(rarity(&search, "castle") == 0);
    words_search_deinit(&search);
    tables_close(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_terms),
        cmocka_unit_test(test_other_forms_are_found),
        cmocka_unit_test(test_phrases_are_of_words),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_rarity),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

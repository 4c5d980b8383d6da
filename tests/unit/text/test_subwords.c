#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "text/subwords.h"

/* The pieces of a word, each with a space before it. */
static void check_wanted(struct span word, enum subwords_wanted wanted, const char *expected)
{
    char out[1024] = "";
    struct subwords subwords;
    struct span piece;
    subwords_begin(&subwords, word, wanted);
    while (subwords_next(&subwords, &piece)) {
        assert_in_range(piece.size, 2, 1 + SUBWORDS_MAX_BYTES);
        assert_int_equal(*piece.data, SUBWORD_MARK);
        strcat(out, " ");
        strncat(out, piece.data + 1, piece.size - 1);
    }
    assert_string_equal(out, expected);
    assert_false(subwords_next(&subwords, &piece));
}

static void check_bytes(struct span word, const char *expected)
{
    check_wanted(word, SUBWORDS_ALL, expected);
}

static void check(const char *word, const char *expected)
{
    check_bytes((struct span){word, strlen(word)}, expected);
}

static void test_beginnings(void **state)
{
    (void)state;
    check("", "");
    check("cat", "");
    check("bats", "");
    check("batma", " batm");
    check("batman", " batm");
    check("batmans", " batm batman");
    check("слова", " слов");
    check("программа", " прог програ");
    check("x86", "");
    check("xr2206", "");
    check("हिन्दीमें", " हिन् हिन्दी");
}

static void check_others(const char *word, const char *shorter, const char *inside)
{
    check_wanted((struct span){word, strlen(word)}, SUBWORDS_SHORT, shorter);
    check_wanted((struct span){word, strlen(word)}, SUBWORDS_INSIDE, inside);
}

static void test_one_and_inside(void **state)
{
    (void)state;
    check_others("", "", "");
    check_others("bats", "", "");
    check_others("batman", "", " batm");
    check_others("batmans", " batm", " batm batman");
    check_others("batmanss", " batm", " batm batman");
    check_others("batmansss", " batm", " batm batman mansss");
    check_others("paketverwaltung", " pake",
                 " pake paketv etverw tverwa verwal erwalt rwaltu waltun altung");
    check_others("программирование", " прог",
                 " прог програ грамми раммир аммиро ммиров мирова ирован ровани ование");
    check_others("검색엔진", "", " 검색 색엔 엔진");
    check_others("paket2verwaltung", "", "");
    check_others("\1paketverwaltung", "", "");
}

static void test_numbers_have_none(void **state)
{
    (void)state;
    check("1234567", "");
    check("1234567a", "");
    check("слово2слово", "");
}

static void test_pairs_of_syllables(void **state)
{
    (void)state;
    check("검", "");
    check("검색", " 검색");
    check("검색엔진", " 검색 색엔 엔진");
    check("검색engine", " 검색en 검색engi");
}

static void test_weights(void **state)
{
    (void)state;
    assert_true(subwords_weight((struct span){"word", 4}) == 1);
    assert_true(subwords_weight((struct span){"", 0}) == 1);
    assert_true(subwords_weight((struct span){"\1word", 5}) == 0.5);
    assert_true(subwords_weight((struct span){"слово", 10}) == 1);
    assert_true(subwords_weight((struct span){"\1сло", 7}) == 1);
    assert_true(subwords_weight((struct span){"\1caf\xC3\xA9", 6}) == 1);
}

/* Bytes that are no UTF-8, NUL, a piece itself, and a word of a megabyte. */
static void test_hostile(void **state)
{
    (void)state;
    check("\xFF\xFE\xFD\xFC\xFB", " \xFF\xFE\xFD\xFC");
    check("\xE6\x9D\xE6\x9D\xE6\x9D\xE6\x9D\xE6", " \xE6\x9D\xE6\x9D \xE6\x9D\xE6\x9D\xE6\x9D");
    check("\1batman", "");
    check_bytes((struct span){"\0\0\0\0\0", 5}, " ");
    size_t size = 1 << 20;
    char *word = malloc(size);
    assert_non_null(word);
    memset(word, 'a', size);
    check_bytes((struct span){word, size}, " aaaa aaaaaa");
    for (size_t i = 0; i + 3 <= size; i += 3) memcpy(word + i, "검", 3);
    struct subwords subwords;
    struct span piece;
    size_t n = 0;
    subwords_begin(&subwords, (struct span){word, size}, SUBWORDS_INSIDE);
    while (subwords_next(&subwords, &piece)) n++;
    assert_int_equal(n, SUBWORDS_MAX_BYTES / 3 - 1);
    free(word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beginnings),        cmocka_unit_test(test_one_and_inside),
        cmocka_unit_test(test_numbers_have_none), cmocka_unit_test(test_pairs_of_syllables),
        cmocka_unit_test(test_weights),           cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

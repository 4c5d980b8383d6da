#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "text/stem.h"
#include "text/utf8.h"
#include "text/words.h"

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* Pairs that Porter's paper gives as examples of its steps, taken through all steps. */
static void test_stem(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"caresses", "caress"},
        {"ponies", "poni"},
        {"cats", "cat"},
        {"feed", "feed"},
        {"agreed", "agre"},
        {"plastered", "plaster"},
        {"motoring", "motor"},
        {"sing", "sing"},
        {"conflated", "conflat"},
        {"troubled", "troubl"},
        {"sized", "size"},
        {"hopping", "hop"},
        {"falling", "fall"},
        {"hissing", "hiss"},
        {"fizzed", "fizz"},
        {"filing", "file"},
        {"happy", "happi"},
        {"sky", "sky"},
        {"relational", "relat"},
        {"formalize", "formal"},
        {"electrical", "electr"},
        {"hopefulness", "hope"},
        {"revival", "reviv"},
        {"allowance", "allow"},
        {"adoption", "adopt"},
        {"probate", "probat"},
        {"rate", "rate"},
        {"cease", "ceas"},
        {"controlling", "control"},
        {"roll", "roll"},
        {"is", "is"},
        {"caf\xC3\xA9s", "caf\xC3\xA9s"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char word[32];
        size_t size = strlen(pairs[i][0]);
        memcpy(word, pairs[i][0], size);
        size = stem_english(word, size);
        word[size] = '\0';
        assert_string_equal(word, pairs[i][1]);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\xA6\x87", "\xF4\x8F\xBF\xBF"};
    static const struct {
        const char *text;
        size_t offset;
    } bad[] = {
        {"a\xFF", 1},      {"\x80", 0},         {"\xC0\x80", 0},         {"\xC3", 0},
        {"ab\xE2\x82", 2}, {"\xED\xA0\x80", 0}, {"\xF4\x90\x80\x80", 0}, {"\xE0\x80\xAF", 0}};
    size_t offset;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(utf8_check(span_of(good[i]), NULL));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(utf8_check(span_of(bad[i].text), &offset));
        assert_int_equal(offset, bad[i].offset);
    }
    for (uint32_t c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 257) {
        char bytes[4];
        const char *at = bytes;
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        size_t size = utf8_put(c, bytes);
        assert_int_equal(utf8_next(&at, bytes + size), c);
        assert_ptr_equal(at, bytes + size);
    }
}

static void check_words(const char *text, const char *expected)
{
    struct words words;
    char joined[256] = "";
    size_t at = 0;
    words_init(&words, WORDS_NOW, NULL);
    assert_int_equal(words_split(&words, span_of(text), NULL), 0);
    for (size_t i = 0; i < words.n; i++) {
        struct span word = words_get(&words, i);
        memcpy(joined + at, word.data, word.size);
        at += word.size;
        joined[at++] = '|';
    }
    joined[at] = '\0';
    assert_string_equal(joined, expected);
    words_deinit(&words);
}

static void test_words(void **state)
{
    (void)state;
    check_words("Batman & Robin!", "batman|robin|");
    check_words("Don't panic: it's Batman's cave", "dont|panic|it|batman|cave|");
    check_words("\xC3\x85ngstr\xC3\xB6m Stra\xC3\x9F"
                "e \xC3\x86sir",
                "angstrom|strasse|aesir|");
    check_words("\xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0",
                "\xD0\xBC\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB0|");
    check_words("\xE6\x9D\xB1\xE4\xBA\xAC", "\xE6\x9D\xB1|\xE4\xBA\xAC|");
    check_words("e\xCC\x81"
                "t\xC3\xA9",
                "ete|");
    check_words("\xEF\xBC\xA1\xEF\xBC\xA2 1984", "ab|1984|");
    check_words("\xCF\x84\xCE\xB9\xCD\xBE x\xCE\x87y", "\xCF\x84\xCE\xB9|x|y|");
    check_words(" ... ", "");
    check_words("a\xFF"
                "b",
                "a|b|");
}

static void test_long_words_are_cut(void **state)
{
    (void)state;
    struct words words;
    char text[1000];
    memset(text, 'x', sizeof text);
    words_init(&words, WORDS_NOW, NULL);
    assert_int_equal(words_split(&words, (struct span){text, sizeof text}, NULL), 0);
    assert_int_equal(words.n, (1000 + WORD_MAX_BYTES - 1) / WORD_MAX_BYTES);
    words_deinit(&words);
}

static void test_stop_words(void **state)
{
    (void)state;
    static const char *const stops[] = {"a",     "about", "the", "through", "to",
                                        "yours", "would", "and", "itself"};
    static const char *const others[] = {"bat", "hero", "", "th", "thee", "zebra", "aa"};
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        assert_true(word_is_stop(span_of(stops[i])));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(word_is_stop(span_of(others[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stem),       cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_words),      cmocka_unit_test(test_long_words_are_cut),
        cmocka_unit_test(test_stop_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

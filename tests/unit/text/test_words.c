/*
 * test_words.c: what a text is split into, by the rules of now and the first ones. Words stand with
 * a bar behind each; what stands beside a word, with a plus before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/each_allocation.h"
#include "text/words.h"

static void join(const struct words *words, char joined[512])
{
    size_t at = 0;
    for (size_t i = 0; i < words->n; i++) {
        struct span word = words_get(words, i);
        assert_in_range(word.size, 1, WORD_MAX_BYTES);
        if (words->items[i].kind >= WORD_PART) joined[at++] = '+';
        memcpy(joined + at, word.data, word.size);
        at += word.size;
        joined[at++] = '|';
    }
    joined[at] = '\0';
}

static void check(enum words_rules rules, const char *text, const char *expected)
{
    struct words words;
    char joined[512];
    words_init(&words, rules, NULL);
    assert_int_equal(words_split(&words, (struct span){text, strlen(text)}, NULL), 0);
    join(&words, joined);
    if (strcmp(joined, expected) != 0) fail_msg("%s: expected %s, not %s", text, expected, joined);
    words_deinit(&words);
}

struct example {
    const char *text, *words;
};

static void check_all(enum words_rules rules, const struct example *examples, size_t n)
{
    for (size_t i = 0; i < n; i++) check(rules, examples[i].text, examples[i].words);
}
#define CHECK_ALL(rules, examples) check_all(rules, examples, sizeof(examples) / sizeof *(examples))

static void test_names_of_code(void **state)
{
    static const struct example examples[] = {
        {"nextTick", "nexttick|+next|+tick|"},
        {"HTTPServer", "httpserver|+http|+server|"},
        {"XMLHttpRequest2", "xmlhttprequest2|+xml|+http|+request2|"},
        {"parseHTML5Doc", "parsehtml5doc|+parse|+html5|+doc|"},
        {"Title UPPER lower iPhone", "title|upper|lower|iphone|+phone|"},
        {"URLs PDFs", "urls|pdfs|"},
        {"snake_case", "snake|case|+snakecase|"},
        {"__init__", "init|"},
        {"kebab-case", "kebab|case|"},
        {"e-mail, wi-fi", "e|mail|+email|wi|fi|+wifi|"},
        {"node.js", "node|js|+nodejs|"},
        {"the end. Next", "the|end|next|"},
        {"AT&T", "at|t|+att|"},
        {"the U.S.A.", "the|u|s|a|+usa|"},
        {"C++, C# and .NET", "c|+c++|c|+c#|and|net|+.net|"},
        {"C++17 issue#5 a.b", "c|+c++|17|issue|5|a|b|+ab|"},
        {"1 + 1, a # b", "1|1|a|b|"},
        {"0xDeadBEEF", "0xdeadbeef|+deadbeef|"},
        {"bob@example.org", "bob|example|org|+exampleorg|"},
        {"std::vector a/b C:\\temp", "std|vector|a|b|c|temp|"},
    };
    (void)state;
    CHECK_ALL(WORDS_NOW, examples);
}

static void test_numbers(void **state)
{
    static const struct example examples[] = {
        {"v1.1.6", "v1|1|+1.1|6|+1.1.6|"},
        {"3.40.1", "3|40|+3.40|1|+3.40.1|"},
        {"sqlite-3.40", "sqlite|3|40|+3.40|+sqlite3.40|"},
        {"v2.0-rc1", "v2|0|+2.0|rc1|+v2.0rc1|"},
        {"2024-05-01 2024/05/01", "2024|05|+2024.05|01|+2024.05.01|2024|05|+2024.05|01|"
                                  "+2024.05.01|"},
        {"192.168.1.1", "192|168|+192.168|1|+192.168.1|1|+192.168.1.1|"},
        {"$5,000.00", "5|000|+5000|00|+5000.00|"},
        {"1,2 and 1,0000", "1|2|and|1|0000|"},
        {"covid-19 utf-8", "covid|19|+covid19|utf|8|+utf8|"},
        {"12:30.", "12|30|+12.30|"},
    };
    (void)state;
    CHECK_ALL(WORDS_NOW, examples);
}

static void test_apostrophes(void **state)
{
    static const struct example examples[] = {
        {"don't it's Batman's", "dont|it|batman|"},
        {"l'homme qu\u2019il", "lhomme|+homme|quil|"},
        {"O'Brien", "obrien|+brien|"},
        {"' 'a'", "a|"},
    };
    (void)state;
    CHECK_ALL(WORDS_NOW, examples);
}

static void test_scripts_without_spaces(void **state)
{
    static const struct example examples[] = {
        {"\u6771\u4EAC\u3001\u4EBA\u3005", "\u6771|\u4EAC|\u4EBA|\u3005|"},
        {"\u30B8\u30E7\u30FB\u30B9", "\u30B8|\u30E7|\u30B9|"},
        /* Thai: cat, water, chicken; Lao: language; Khmer: Khmer, with a full stop; Myanmar */
        {"\u0E41\u0E21\u0E27", "\u0E41\u0E21|\u0E27|"},
        {"\u0E19\u0E49\u0E33", "\u0E19\u0E49\u0E4D\u0E32|"},
        {"\u0E44\u0E01\u0E48", "\u0E44\u0E01\u0E48|"},
        {"\u0E9E\u0EB2\u0EAA\u0EB2", "\u0E9E\u0EB2|\u0EAA\u0EB2|"},
        {"\u1781\u17D2\u1798\u17C2\u179A\u17D4", "\u1781\u17D2\u1798\u17C2|\u179A|"},
        {"\u1019\u103C\u1014\u103A\u1019\u102C\u104B", "\u1019\u103C|\u1014\u103A|\u1019\u102C|"},
        {"a\u0E01"
         "b",
         "a|\u0E01|b|"},
        {"\U0001F600\uFE0F\U0001F44D\U0001F3FD", "\U0001F600|\U0001F44D|\U0001F3FD|"},
    };
    (void)state;
    CHECK_ALL(WORDS_NOW, examples);
}

static void test_korean(void **state)
{
    static const struct example examples[] = {
        /* train + object; Seoul + in; students + object; rain + subject; library + subject */
        {"\uAE30\uCC28\uB97C", "\uAE30\uCC28\uB97C|+\uAE30\uCC28|"},
        {"\uC11C\uC6B8\uC5D0\uC11C", "\uC11C\uC6B8\uC5D0\uC11C|+\uC11C\uC6B8|"},
        {"\uD559\uC0DD\uB4E4\uC744", "\uD559\uC0DD\uB4E4\uC744|+\uD559\uC0DD|"},
        {"\uBE44\uAC00", "\uBE44\uAC00|+\uBE44|"},
        {"\uB3C4\uC11C\uAD00\uC774", "\uB3C4\uC11C\uAD00\uC774|+\uB3C4\uC11C\uAD00|"},
        /* a particle of closed syllables behind an open one, and one alone, are none */
        {"\uAE30\uCC28\uC744 \uC5D0\uC11C", "\uAE30\uCC28\uC744|\uC5D0\uC11C|"},
    };
    (void)state;
    CHECK_ALL(WORDS_NOW, examples);
}

/* Both are the words of the second. */
static void test_one_spelling(void **state)
{
    static const struct example pairs[] = {
        {"e\u0301te\u0301", "ete|"},
        {"\uFF46\uFF55\uFF4C\uFF4C\u3000\uFF37", "full|w|"},
        {"\uFB01rst of\uFB01ce", "first|office|"},
        {"x\u00B2 H\u2082O", "x2|h2o|+h2|"},
        {"co\u00ADop \uFEFFbom a\u200Db", "coop|bom|ab|"},
        {"zero\u200Bwidth", "zero|width|"},
        {"Windows\u2122", "windows|"},
        {"\u1112\u1161\u11A8", "\uD559|"},               /* Hangul in letters */
        {"\u30AB\u3099 \uFF76\uFF9E", "\u30AC|\u30AC|"}, /* kana with their voicing mark */
        {"e\u2010mail", "e|mail|+email|"},
        {"\u0399\u03A3 \u03C2 \u0130I\u0131 \u1E9E\u00DF", "\u03B9\u03C3|\u03C3|iii|ssss|"},
        {"\u0451\u0416 \u0415\u0308", "\u0435\u0436|\u0435|"},
        {"\u0540\u0561\u0575 \u0570\u0561\u0575", "\u0570\u0561\u0575|\u0570\u0561\u0575|"},
        {"\u05E9\u05C1\u05DC\u05D5\u05B9\u05DD", "\u05E9\u05DC\u05D5\u05DD|"},
        {"\u0643\u0650\u062A\u0640\u0627\u0628 \u0623\u062D\u0645\u062F",
         "\u0643\u062A\u0627\u0628|\u0627\u062D\u0645\u062F|"},
        {"\u0627\u0654", "\u0627|"},
        {"\u0645\u06CC\u200C\u062E\u0648", "\u0645\u064A|\u062E\u0648|+\u0645\u064A\u062E\u0648|"},
        {"\u0661\u0662\u0663 \u0967 \u0E51", "123|1|1|"},
        {"\u0958\u0964", "\u0915\u093C|"}, /* Devanagari: a letter with nukta, a full stop */
        {"\u061F\u060C\u2192\u20AC", ""},
    };
    (void)state;
    CHECK_ALL(WORDS_NOW, pairs);
}

static void test_first_rules(void **state)
{
    static const struct example examples[] = {
        {"nextTick snake_case 3.40.1", "nexttick|snake|case|3|40|1|"},
        {"Don't panic: it's C++", "dont|panic|it|c|"},
        {"\uAE30\uCC28\uB97C", "\uAE30\uCC28\uB97C|"},
        {"\u1112\u1161\u11A8", "\u1112\u1161\u11A8|"},
        {"\uFB01rst", "\uFB01rst|"},
        {"co\u00ADop", "co|op|"},
        {"\u0E41\u0E21\u0E27", "\u0E41\u0E21\u0E27|"},
        {"\u6771\u4EAC", "\u6771|\u4EAC|"},
    };
    (void)state;
    CHECK_ALL(WORDS_FIRST, examples);
}

/* A stretch that no character ends, as nobody writes it. */
static void test_many_marks(void **state)
{
    enum { N = 200000 };
    static char text[2 * N + 1] = "a";
    struct words words;
    char joined[512];
    (void)state;
    for (size_t i = 0; i < N; i++) memcpy(text + 1 + 2 * i, i % 2 ? "\u0301" : "\u0323", 2);
    words_init(&words, WORDS_NOW, NULL);
    assert_int_equal(words_split(&words, (struct span){text, sizeof text}, NULL), 0);
    join(&words, joined);
    assert_string_equal(joined, "a|");
    words_deinit(&words);
}

static int split(void *context, struct error *err)
{
    const struct example *example = context;
    struct words words;
    char joined[512];
    words_init(&words, WORDS_NOW, NULL);
    int rc = words_split(&words, (struct span){example->text, strlen(example->text)}, err);
    if (rc == 0) join(&words, joined);
    if (rc == 0) assert_string_equal(joined, example->words);
    words_deinit(&words);
    return rc;
}

static void test_out_of_memory(void **state)
{
    struct example example = {"\u1112\u1161\u11A8 nextTick e\u0301 3.40.1",
                              "\uD559|nexttick|+next|+tick|e|3|40|+3.40|1|+3.40.1|"};
    (void)state;
    assert_true(each_allocation(split, &example) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_code), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_apostrophes),   cmocka_unit_test(test_scripts_without_spaces),
        cmocka_unit_test(test_korean),        cmocka_unit_test(test_one_spelling),
        cmocka_unit_test(test_first_rules),   cmocka_unit_test(test_many_marks),
        cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

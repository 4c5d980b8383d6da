#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/cut.h"
#include "base/each_allocation.h"
#include "base/memory.h"
#include "text/utf8.h"

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static void check_count(const char *text, size_t expected)
{
    size_t n = api_count_tokens(span_of(text));
    if (n != expected) fail_msg("%s: %zu, expected %zu", text, n, expected);
}

static void test_counts(void **state)
{
    (void)state;
    check_count("", 0);
    check_count(" \n\t", 0);
    check_count("a", 1);
    check_count("bat", 1);
    check_count("bats", 2);
    check_count("the bats of the caves", 7);
    check_count("1 12 123", 4);
    check_count("a,b;c", 5);
    check_count("a1b2", 4);
    check_count("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 3); /* Japanese */
    check_count("\xD0\xB4\xD0\xBE\xD0\xBC", 2);             /* Cyrillic */
    check_count("\xF0\x9F\xA6\x87\xF0\x9F\xA6\x87", 2);     /* bats */
    check_count("caf\xC3\xA9", 2);
}

static void check_cut(const char *text, size_t most, const char *expected)
{
    struct span cut = api_cut(span_of(text), most);
    if (cut.size != strlen(expected) || memcmp(cut.data, expected, cut.size) != 0)
        fail_msg("%zu of '%s': '%.*s'", most, text, (int)cut.size, cut.data);
}

static void test_cuts_behind_a_word(void **state)
{
    (void)state;
    check_cut("one two six", 9, "one two six");
    check_cut("one two six", 3, "one two six");
    check_cut("one two six", 2, "one two ");
    check_cut("one two six", 1, "one ");
    check_cut("  one two", 1, "  one ");
    check_cut("one, two", 2, "one, ");
    check_cut("one elephants", 3, "one ");
    check_cut("elephants", 2, "elephan");
    check_cut("123456789", 2, "1234");
    check_cut("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", 2, "\xE6\x97\xA5\xE6\x9C\xAC");
}

/* Whatever the text: never empty, never within a character, within the bound, never shorter where
 * there is more room; and by the two measures that servers are asked with, words and a quarter of
 * the bytes, no more. */
static void test_bounds(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "The quick brown fox, 42 years old, jumps over 1,234,567 lazy dogs. Then it sleeps!",
        "nospacesatallinthisverylongwordthatnobodyeverwouldwritebutsomebodydid",
        "\xE5\xAD\xA6\xE4\xB9\xA0 mixed \xF0\x9F\xA6\x87 text \xD0\xBC\xD0\xB8\xD1\x80 a b c d e f",
        "snake_case.and->arrows(); // 0xDEADBEEF\n\n\tif (x == 1) { return \"y\"; }"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct span text = span_of(texts[i]);
        size_t before = 0;
        for (size_t most = 1; most < 80; most++) {
            struct span cut = api_cut(text, most);
            size_t words = 0, offset;
            assert_true(cut.size > 0 && cut.size >= before);
            assert_true(api_count_tokens(cut) <= most);
            assert_true(utf8_check(cut, &offset));
            for (size_t j = 0; j < cut.size; j++)
                words += cut.data[j] != ' ' && (j == 0 || cut.data[j - 1] == ' ');
            assert_true(words <= most);
            assert_true(cut.size / 4 <= most);
            before = cut.size;
        }
        assert_int_equal(api_cut(text, 1000).size, text.size);
    }
}

static int cut_all(void *context, struct error *err)
{
    (void)context;
    struct span texts[3] = {span_of("one two"), span_of("one"), span_of("one two six")}, *cut;
    uint64_t n_cut = 1;
    int rc = api_cut_all(texts, 3, 0, 1, &cut, &n_cut, err);
    if (rc == 0) {
        assert_int_equal(n_cut, 3);
        assert_int_equal(cut[2].size, 4);
    }
    memory_free(cut);
    return rc;
}

static void test_all(void **state)
{
    (void)state;
    each_allocation(cut_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_cuts_behind_a_word),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_all),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_asked.c: quotes and dashes as people type them into a search box.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/each_allocation.h"
#include "text/asked.h"

/* The pieces as text: words as they are, "what must be" and -what is excluded, | between. */
static void check(const char *text, const char *expected)
{
    struct asked asked;
    struct error err = {0};
    char written[4096] = "";
    assert_int_equal(asked_read(&asked, (struct span){text, strlen(text)}, &err), 0);
    for (size_t i = 0; i < asked.n; i++) {
        const struct asked_piece *piece = &asked.pieces[i];
        size_t size = strlen(written);
        assert_true(piece->text.size > 0);
        snprintf(written + size, sizeof written - size, "%s%s%.*s%s", i == 0 ? "" : "|",
                 piece->kind == ASKED_MUST  ? "\""
                 : piece->kind == ASKED_NOT ? "-"
                                            : "",
                 (int)piece->text.size, piece->text.data, piece->kind == ASKED_MUST ? "\"" : "");
    }
    assert_string_equal(written, expected);
    asked_deinit(&asked);
}

static void test_words(void **state)
{
    (void)state;
    check("", "");
    check(" ", " ");
    check("bats in caves", "bats in caves");
    check("AND OR NOT NEAR(a b) c* ^d {e f}: +g", "AND OR NOT NEAR(a b) c* ^d {e f}: +g");
    check("what's the budget, roughly?", "what's the budget, roughly?");
    check("C++ e=mc2 @nasa gateway/run.py", "C++ e=mc2 @nasa gateway/run.py");
}

static void test_phrases(void **state)
{
    (void)state;
    check("\"dark knight\"", "\"dark knight\"");
    check("the \"dark knight\" rises", "the |\"dark knight\"| rises");
    check("\"a\"\"b\"c", "\"a\"|\"b\"|c");
    check("(\"a b\")", "(|\"a b\"|)");
    check("\xE2\x80\x9C"
          "a b"
          "\xE2\x80\x9D c",
          "\"a b\"| c");
    check("\xE2\x80\x9E"
          "a b"
          "\xE2\x80\x9C",
          "\"a b\"");
    check("\xC2\xAB"
          "a b"
          "\xC2\xBB",
          "\"a b\"");
    check("\xEF\xBC\x82"
          "a"
          "\xEF\xBC\x82",
          "\"a\"");
    check("\"\" a", " a");
    check("\"", "\"");
    check("a \"b", "a \"b");
    check("say \" \"", "say |\" \"");
    check("5\" disk and 3\" disk", "5\" disk and 3\" disk");
    check("caf\xC3\xA9\" and \"", "caf\xC3\xA9\" and \"");
}

static void test_exclusions(void **state)
{
    (void)state;
    check("jaguar -car", "jaguar |-car");
    check("-car jaguar", "-car| jaguar");
    check("jaguar\n-car -dealer", "jaguar\n|-car| |-dealer");
    check("jaguar -\"car dealer\" cat", "jaguar |-car dealer| cat");
    check("jaguar -\xE2\x80\x9C"
          "car dealer"
          "\xE2\x80\x9D",
          "jaguar |-car dealer");
    check("-foo.bar-baz x", "-foo.bar-baz| x");
    check("-foo\"bar baz\"", "-foo|\"bar baz\"");
    check("-\xE7\x8C\xAB \xE7\x8A\xAC", "-\xE7\x8C\xAB| \xE7\x8A\xAC");
    check("\xE7\x8A\xAC\xE3\x80\x80\xEF\xBC\x8D\xE7\x8C\xAB",
          "\xE7\x8A\xAC\xE3\x80\x80|-\xE7\x8C\xAB");
    check("-\xC3\x89t\xC3\xA9", "-\xC3\x89t\xC3\xA9");
}

static void test_what_excludes_nothing(void **state)
{
    (void)state;
    check("x-ray", "x-ray");
    check("a - b", "a - b");
    check("a-", "a-");
    check("-", "-");
    check("git log --oneline", "git log --oneline");
    check("Textanzeige und -suche", "Textanzeige und -suche");
    check("und\t -suche bzw. -index", "und\t -suche bzw. -index");
    check("und -suche -index", "und -suche |-index");
    check("Hund -suche und, -index", "Hund |-suche| und, |-index");
    check("Und -suche", "Und |-suche");
    check("at -5 degrees", "at -5 degrees");
    check("tar -x", "tar -x");
    check("\"a\"-car", "\"a\"|-car");
    check("a -\"b", "a -\"b");
    check("a -\"\" b", "a | b");
    check("\xE2\x80\x93"
          "car",
          "\xE2\x80\x93"
          "car");
}

static void test_any_bytes(void **state)
{
    struct asked asked;
    struct error err = {0};
    (void)state;
    check("\xFF\xFE -\xFF\"\x80", "\xFF\xFE -\xFF\"\x80");
    assert_int_equal(asked_read(&asked, (struct span){"a\0\"b\0c\" -d\0e", 13}, &err), 0);
    assert_int_equal(asked.n, 4);
    assert_int_equal(asked.pieces[1].kind, ASKED_MUST);
    assert_int_equal(asked.pieces[1].text.size, 3);
    assert_int_equal(asked.pieces[3].kind, ASKED_NOT);
    asked_deinit(&asked);
    assert_int_equal(asked_read(&asked, (struct span){NULL, 0}, &err), 0);
    assert_int_equal(asked.n, 0);
}

/* A text that is too long for a question is words. */
static void test_long_texts(void **state)
{
    char text[ASKED_MAX_BYTES + 2];
    struct asked asked;
    struct error err = {0};
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "\"b\" -cd ", 8);
    assert_int_equal(asked_read(&asked, (struct span){text, ASKED_MAX_BYTES}, &err), 0);
    assert_int_equal(asked.n, 4);
    asked_deinit(&asked);
    assert_int_equal(asked_read(&asked, (struct span){text, ASKED_MAX_BYTES + 1}, &err), 0);
    assert_int_equal(asked.n, 1);
    assert_int_equal(asked.pieces[0].kind, ASKED_WORDS);
    assert_int_equal(asked.pieces[0].text.size, ASKED_MAX_BYTES + 1);
    asked_deinit(&asked);
}

static int read_once(void *context, struct error *err)
{
    struct asked asked;
    (void)context;
    static const char typed[] = "a \"b\" c \"d\" e \"f\" g \"h\" i \"j\" k";
    struct span text = {typed, sizeof typed - 1};
    int rc = asked_read(&asked, text, err);
    asked_deinit(&asked);
    return rc;
}

static void test_memory(void **state)
{
    (void)state;
    assert_int_equal(each_allocation(read_once, NULL), 2);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),      cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_exclusions), cmocka_unit_test(test_what_excludes_nothing),
        cmocka_unit_test(test_any_bytes),  cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "text/unspaced.h"

/* The stretches of a text: those without spaces in brackets, their characters apart. */
static const char *cut(const char *text, size_t size, char *out)
{
    const char *at = text, *end = text + size;
    int unspaced, before = -1;
    *out = '\0';
    while (at < end) {
        const char *start = at;
        struct span stretch = unspaced_stretch(&at, end, &unspaced);
        assert_ptr_equal(stretch.data, start);
        assert_ptr_equal(stretch.data + stretch.size, at);
        assert_true(stretch.size > 0);
        assert_int_not_equal(unspaced, before);
        before = unspaced;
        if (!unspaced) strncat(out, stretch.data, stretch.size);
        const char *inside = stretch.data;
        while (unspaced && inside < at) {
            struct unspaced_character one;
            const char *from = inside;
            unspaced_next(&inside, at, &one);
            assert_ptr_equal(one.start, from);
            assert_ptr_equal(one.end, inside);
            assert_in_range(one.size, 1, UNSPACED_MAX_BYTES);
            strcat(out, "[");
            strncat(out, one.folded, one.size);
            strcat(out, "]");
        }
    }
    return out;
}

static void check(const char *text, const char *expected)
{
    char out[4096];
    assert_string_equal(cut(text, strlen(text), out), expected);
}

static void test_stretches(void **state)
{
    (void)state;
    check("", "");
    check("plain words", "plain words");
    check("naïve привет", "naïve привет");
    check("東京都", "[東][京][都]");
    check("Windows版の、新しい PC", "Windows[版][の]、[新][し][い] PC");
    check("한국어 서울", "한국어 서울");
    check("🐱猫", "[🐱][猫]");
    check("ーんヶ々〆", "[ー][ん][ヶ][々][〆]");
}

static void test_clusters(void **state)
{
    (void)state;
    check("ภาษาไทย", "[ภา][ษา][ไท][ย]");
    check("ภาษา ไทย", "[ภา][ษา] [ไท][ย]");
    check("ខ្មែរ", "[ខ្មែ][រ]");
    check("กabc", "[ก]abc");
}

/* A cluster of a hundred marks is cut; no byte is lost. */
static void test_long_cluster(void **state)
{
    (void)state;
    char text[512] = "ก", out[4096];
    for (int i = 0; i < 100; i++) strcat(text, "ิ");
    cut(text, strlen(text), out);
    assert_int_equal(strlen(out), strlen(text) + 2 * ((strlen(text) + 29) / 30));
}

/* Any bytes: what begins no character is of no such script. */
static void test_hostile(void **state)
{
    (void)state;
    char out[4096];
    check("\xFF\xFE", "\xFF\xFE");
    check("東\xE6\x9D", "[東]\xE6\x9D");
    check("\x80猫\xC0", "\x80[猫]\xC0");
    assert_string_equal(cut("\0猫", 4, out), "[猫]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stretches),
        cmocka_unit_test(test_clusters),
        cmocka_unit_test(test_long_cluster),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/fold.h"
#include "text/utf8.h"

static void fold(uint32_t character, char folded[FOLD_MAX_BYTES + 1])
{
    size_t size = fold_character(character, folded);
    assert_in_range(size, 0, FOLD_MAX_BYTES);
    folded[size] = '\0';
}

static void check_entry(uint32_t character, const char *expected)
{
    char folded[FOLD_MAX_BYTES + 1], same[FOLD_MAX_BYTES + 1];
    if (strcmp(expected, ".") == 0) return;
    same[utf8_put(character, same)] = '\0';
    if (strcmp(expected, "=") == 0) expected = same;
    if (strcmp(expected, "-") == 0) expected = "";
    fold(character, folded);
    if (strcmp(folded, expected) != 0) fail_msg("U+%04X gives %s", (unsigned)character, folded);
}

/* The table that Python's unicodedata makes: tests/golden/fold.py says how to read it. */
static void test_letters_as_unicode_has_them(void **state)
{
    (void)state;
    char line[256];
    int n = 0;
    FILE *table = fopen("tests/golden/fold.txt", "r");
    assert_non_null(table);
    while (fgets(line, sizeof line, table) != NULL) {
        char *at;
        uint32_t character = (uint32_t)strtoul(line, &at, 16);
        for (int i = 0; i < 16; i++, n++) {
            at += strspn(at, " ");
            size_t size = strcspn(at, " \n");
            char *next = at + size;
            assert_true(size > 0 && *next != '\0');
            *next = '\0';
            check_entry(character++, at);
            at = next + 1;
        }
    }
    fclose(table);
    assert_true(n > 1400);
}

static void test_what_is_folded_stays(void **state)
{
    (void)state;
    char folded[FOLD_MAX_BYTES + 1], again[FOLD_MAX_BYTES + 1];
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        fold(c, folded);
        const char *at = folded, *end = folded + strlen(folded);
        while (at < end) {
            const char *begin = at;
            fold(utf8_next(&at, end), again);
            assert_int_equal(strlen(again), at - begin);
            assert_memory_equal(again, begin, strlen(again));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_as_unicode_has_them),
        cmocka_unit_test(test_what_is_folded_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

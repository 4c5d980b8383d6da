#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "text/unicode/classes.h"
#include "text/unicode/fold.h"
#include "text/unicode/ucd.h"

#define MOST (UCD_MAX_DECOMPOSED * UNICODE_MAX_FOLDED)

/* A character in NFKC. */
static size_t compose(uint32_t c, uint32_t out[UCD_MAX_DECOMPOSED])
{
    uint32_t spare[UCD_MAX_DECOMPOSED];
    return ucd_normalize(out, ucd_decompose(c, 1, out), spare, 1);
}

static size_t fold_all(const uint32_t *characters, size_t n, uint32_t out[MOST])
{
    size_t n_out = 0;
    for (size_t i = 0; i < n; i++) n_out += unicode_fold(characters[i], out + n_out);
    return n_out;
}

static int has_letters(const uint32_t *characters, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ucd_properties(characters[i]) & (UCD_WORD | UCD_MARK)) return 1;
    return 0;
}

/* Letters are in NFKC what they are, once they are folded; all else stays no letter, whatever sign
 * it becomes. But for L with a dot behind it and kin, which folding makes the letter alone, and for
 * signs that are made of letters or marks and stay signs. */
static void test_what_is_surely_plain_is_plain(void **state)
{
    (void)state;
    static const uint32_t others[] = {0x13F, 0x140, 0x149, 0x1E9A, 0x2017, 0x2120, 0x2122};
    size_t n_plain = 0, n_others = 0;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        uint32_t composed[UCD_MAX_DECOMPOSED], one[MOST], all[MOST];
        if (!unicode_is_surely_plain(c)) continue;
        n_plain++;
        size_t n = compose(c, composed), n_one = fold_all(&c, 1, one);
        for (size_t i = 0; i < n; i++) composed[i] = unicode_plain_letter(composed[i]);
        size_t n_all = fold_all(composed, n, all);
        int is_letter = has_letters(&c, 1);
        if (has_letters(composed, n) == is_letter &&
            (!is_letter || (n_all == n_one && memcmp(all, one, n_one * sizeof *one) == 0)))
            continue;
        assert_int_equal(c, others[n_others]);
        n_others++;
    }
    assert_int_equal(n_others, sizeof others / sizeof *others);
    assert_true(n_plain > 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_surely_plain_is_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cancel.h"
#include "base/error.h"

static void test_sets_code_and_text(void **state)
{
    (void)state;
    struct error err = {.storage_code = 5};
    assert_int_equal(error_set(&err, ERROR_INVALID, "expected %d, not %s", 3, "four"),
                     ERROR_INVALID);
    assert_int_equal(err.code, ERROR_INVALID);
    assert_int_equal(err.storage_code, 0);
    assert_string_equal(err.text, "expected 3, not four");
    assert_int_equal(error_set(NULL, ERROR_CORRUPT, "nobody reads this"), ERROR_CORRUPT);
    assert_int_equal(error_nomem(&err), ERROR_NOMEM);
    assert_string_equal(err.text, "out of memory");
}

static void test_context(void **state)
{
    (void)state;
    struct error err;
    error_set(&err, ERROR_CORRUPT, "row is cut");
    error_context(&err, "index %s", "m");
    assert_int_equal(err.code, ERROR_CORRUPT);
    assert_string_equal(err.text, "index m: row is cut");
    error_context(NULL, "index"); /* the code is where it was: in the caller's hands */
}

/* Whether the text is whole UTF-8 characters, for the characters used here. */
static int is_whole(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != 0;) {
        int tail = *p >= 0xF0 ? 3 : *p >= 0xE0 ? 2 : *p >= 0xC0 ? 1 : 0;
        for (p++; tail > 0; tail--, p++)
            if ((*p & 0xC0) != 0x80) return 0;
    }
    return 1;
}

static void test_clips_between_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < 4; c++) {
        for (int shift = 0; shift < 5; shift++) {
            char text[1024] = "";
            size_t step = strlen(characters[c]), size = (size_t)shift;
            memset(text, 'a', size);
            for (; size < 700; size += step) memcpy(text + size, characters[c], step);
            struct error err;
            error_set(&err, ERROR_INVALID, "%s", text);
            size_t kept = strlen(err.text);
            assert_true(kept > sizeof err.text - 1 - step && kept < sizeof err.text);
            assert_true(is_whole(err.text));
            assert_memory_equal(err.text, text, kept);
            error_context(&err, "context");
            assert_true(is_whole(err.text));
            assert_memory_equal(err.text, "context: a", shift > 0 ? 10 : 9);
        }
    }
}

static void test_text_that_just_fits_is_whole(void **state)
{
    (void)state;
    struct error err;
    char text[sizeof err.text];
    for (size_t tail = 0; tail < 4; tail++) {
        static const char *const last[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
        size_t step = strlen(last[tail]);
        memset(text, 'a', sizeof text);
        memcpy(text + sizeof text - 1 - step, last[tail], step + 1);
        error_set(&err, ERROR_INVALID, "%s", text);
        assert_string_equal(err.text, text);
    }
}

static int answer_context(void *context)
{
    return *(int *)context;
}

static void test_cancel(void **state)
{
    (void)state;
    int wanted = 0;
    struct cancel cancel = {answer_context, &wanted};
    struct error err = {0};
    assert_int_equal(cancel_check(NULL, &err), 0);
    assert_int_equal(cancel_check(&cancel, &err), 0);
    assert_false(cancel_is_requested(NULL) || cancel_is_requested(&cancel));
    wanted = 1;
    assert_true(cancel_is_requested(&cancel));
    assert_int_equal(cancel_check(&cancel, &err), ERROR_INTERRUPTED);
    assert_string_equal(err.text, "interrupted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_code_and_text),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_clips_between_characters),
        cmocka_unit_test(test_text_that_just_fits_is_whole),
        cmocka_unit_test(test_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/base64.h"

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* The vectors of RFC 4648, section 10. */
static void test_published_vectors(void **state)
{
    (void)state;
    static const char *const texts[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    char bytes[6];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(base64_size(span_of(texts[i])), i);
        assert_int_equal(base64_decode(span_of(texts[i]), NULL, NULL), 0);
        assert_int_equal(base64_decode(span_of(texts[i]), bytes, NULL), 0);
        assert_memory_equal(bytes, "foobar", i);
    }
    static const unsigned char all[] = {0xFF, 0xEF, 0xBE};
    assert_int_equal(base64_decode(span_of("/+++"), bytes, NULL), 0);
    assert_memory_equal(bytes, all, sizeof all);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"Zm8", "base64 of 3 characters, not a multiple of 4"},
        {"Zm 8", "not base64 at character 2"},
        {"Zm8=Zm8=", "not base64 at character 3"},
        {"Zh==", "not base64 at character 1"}, /* stray bits */
        {"====", "not base64 at character 0"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error err = {0};
        char bytes[6];
        assert_int_equal(base64_decode(span_of(texts[i][0]), bytes, &err), ERROR_INVALID);
        assert_string_equal(err.text, texts[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

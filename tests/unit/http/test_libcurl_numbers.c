#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>

#include "http/libcurl_numbers.h"

/* What the library has written down of libcurl's interface, beside libcurl's own headers. */
static void test_every_number(void **state)
{
    (void)state;
#define COMPARE(name, number) assert_int_equal(name, number);
    HTTP_LIBCURL_NUMBERS(COMPARE)
#if LIBCURL_VERSION_NUM >= 0x080600
    HTTP_LIBCURL_LATER_NUMBERS(COMPARE)
#elif LIBCURL_VERSION_NUM >= 0x075700
    assert_int_equal(CURLOPT_QUICK_EXIT, 322);
#endif
}

static void test_types(void **state)
{
    (void)state;
    assert_int_equal(sizeof(CURLcode), sizeof(int));
    assert_int_equal(sizeof(curl_off_t), sizeof(int64_t));
    assert_int_equal(offsetof(struct curl_slist, next), sizeof(char *));
    assert_int_equal(offsetof(CURLMsg, easy_handle), sizeof(void *));
    assert_int_equal(offsetof(CURLMsg, data.result), 2 * sizeof(void *));
    assert_int_equal(offsetof(curl_version_info_data, version), sizeof(void *));
    assert_int_equal(offsetof(curl_version_info_data, version_num), 2 * sizeof(void *));
    assert_int_equal(offsetof(curl_version_info_data, features), 4 * sizeof(void *));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number),
        cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

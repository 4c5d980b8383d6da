#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/limit.h"

static void check(const char *body, size_t n_sent, size_t expected)
{
    size_t limit = api_told_limit((struct span){body, strlen(body)}, n_sent, 0);
    if (limit != expected) fail_msg("%s: %zu, expected %zu", body, limit, expected);
}

static void test_wordings(void **state)
{
    (void)state;
    check("batch size 60 > maximum allowed batch size 32", 60, 32);
    check("Maximum batch size of 64 exceeded", 100, 64);
    check("You can send at most 100 inputs.", 128, 100);
    check("Invalid 'input': array too long. Expected an array with maximum length 2048, but got an "
          "array with length 3000 instead.",
          3000, 2048);
    check("input array must be less than or equal to 2,048", 3000, 2048);
    check("too many inputs: 300 > 96", 300, 96);
    check("invalid request: total number of texts must be at most 96", 128, 96);
    check(
        "<400> InternalError.Algo.InvalidParameter: Value error, batch size is invalid, it should "
        "not be larger than 10.: input.contents",
        64, 10);
    check("List should have at most 32 items after validation, not 64", 64, 32);
    check("the number of items must be between 1 and 25", 64, 25);
    check("This endpoint supports up to 16 documents at once", 64, 16);
    check("{\"error\":{\"code\":\"batch_too_large\",\"max_batch_size\":20,\"got\":64}}", 64, 20);
    check("{\"detail\":[{\"type\":\"too_long\",\"loc\":[\"body\",\"input\"],\"msg\":\"List too "
          "long\",\"ctx\":{\"max_length\":16,\"actual_length\":64}}]}",
          64, 16);
    check("requests with more than 5 texts are not allowed", 64, 5);
    check("only batch size 1 is supported, must not exceed it", 64, 1);
    check("the model takes a batch of 1 only", 64, 1);
    check("exceeds 10-input limit", 64, 10);
    check("\xE6\x89\xB9\xE9\x87\x8F\xE5\xA4\xA7\xE5\xB0\x8F\xE4\xB8\x8D\xE8\x83\xBD"
          "\xE8\xB6\x85\xE8\xBF\x87"
          "10",
          64, 10);
    check("maximum of 512 inputs; 64 were sent", 64, 0);
}

static void test_no_limits(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "no",
        "input 3 is too long",
        "input[17] exceeds the maximum",
        "inputs must have less than 64 tokens. Given: 516",
        "text must not exceed 100 characters",
        "must be at most 64 bytes per text",
        "1 validation error for Request: input should be a string",
        "3 validation errors: input must be a list",
        "bge-m3 v1.5: text too long, must be shorter",
        "maximum 60 requests per second, 2 times allowed",
        "try again at 12:30:45, the limit of inputs is reached",
        "[\"body\",\"input\",17]: input should be a text",
        "texts must have at least 3 words",
        "dimensions must be at most 64 dims for this input",
        "error 22: the input must be text",
        "input too long (id 7f3a, 2024-05-01)",
        "the batch is too large",
        "at most 99999999999999999999 inputs",
        "limit 50",
        "input too long, a 64-bit id of the input",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) check(bodies[i], 128, 0);
}

static void test_what_the_status_says(void **state)
{
    (void)state;
    struct span body = {"50 it is", 8};
    assert_int_equal(api_told_limit(body, 128, 1), 50);
    assert_int_equal(api_told_limit(body, 128, 0), 0);
    assert_int_equal(api_told_limit(body, 50, 1), 0);
    assert_int_equal(api_told_limit((struct span){"a\0at most 7 texts", 17}, 9, 0), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wordings),
        cmocka_unit_test(test_no_limits),
        cmocka_unit_test(test_what_the_status_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

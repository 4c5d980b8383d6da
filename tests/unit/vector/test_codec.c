#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/failing_memory.h"
#include "vector/codec.h"
#include "vector/random.h"

static void expect_refusal(const void *bytes, size_t size, const char *message)
{
    struct error err = {0};
    size_t dimensions = 99;
    assert_int_equal(vector_check(bytes, size, &dimensions, &err), ERROR_INVALID);
    assert_string_equal(err.text, message);
    assert_int_equal(dimensions, 99);
}

static void test_check_sizes(void **state)
{
    (void)state;
    static float zeros[VECTOR_MAX_DIMENSIONS + 1];
    size_t dimensions = 0;
    assert_int_equal(vector_check(zeros, 4, &dimensions, NULL), 0);
    assert_int_equal(dimensions, 1);
    assert_int_equal(vector_check(zeros, sizeof zeros - 4, &dimensions, NULL), 0);
    assert_int_equal(dimensions, VECTOR_MAX_DIMENSIONS);
    expect_refusal(NULL, 0, "expected a vector, not an empty blob");
    expect_refusal(zeros, 7, "expected a length that is a multiple of 4 bytes, not 7");
    expect_refusal(zeros, 3, "expected a length that is a multiple of 4 bytes, not 3");
    expect_refusal(zeros, sizeof zeros, "expected at most 65536 dimensions, not 65537");
}

/* Each component of each length, at each address. */
static void test_check_finds_what_is_not_finite(void **state)
{
    (void)state;
    static const uint32_t bad[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001, 0x7FFFFFFF};
    static const char *const names[] = {"infinite", "infinite", "NaN", "NaN", "NaN"};
    uint32_t largest[] = {0x7F7FFFFF, 0xFF7FFFFF};
    unsigned char bytes[4 * 40 + 4];
    for (size_t n = 1; n <= 40; n++) {
        unsigned char *vector = bytes + n % 4;
        for (size_t i = 0; i < n; i++) memcpy(vector + 4 * i, &largest[i % 2], 4);
        size_t dimensions = 0;
        assert_int_equal(vector_check(vector, 4 * n, &dimensions, NULL), 0);
        assert_int_equal(dimensions, n);
        for (size_t i = 0; i < n; i++) {
            char message[64];
            memcpy(vector + 4 * i, &bad[i % 5], 4);
            snprintf(message, sizeof message, "component %zu is %s", i, names[i % 5]);
            expect_refusal(vector, 4 * n, message);
            memcpy(vector + 4 * i, &largest[0], 4);
        }
    }
}

static void test_parse(void **state)
{
    (void)state;
    static const char json[] = " [1, -2.5,\t3e2\n,\r0.1 ] ";
    float *vector = NULL;
    size_t dimensions = 0;
    assert_int_equal(
        vector_parse_json((struct span){json, sizeof json - 1}, &vector, &dimensions, NULL), 0);
    assert_int_equal(dimensions, 4);
    const float expected[] = {1.0f, -2.5f, 300.0f, 0.1f};
    assert_memory_equal(vector, expected, sizeof expected);
    memory_free(vector);
}

static void test_parse_errors(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"", "expected '[' of a JSON array of numbers at byte 0, where the text ends"},
        {"  ", "expected '[' of a JSON array of numbers at byte 2, where the text ends"},
        {"1,2", "expected '[' of a JSON array of numbers at byte 0"},
        {"{\"a\":1}", "expected '[' of a JSON array of numbers at byte 0"},
        {"[]", "expected at least one number, not an empty array"},
        {" [ ] ", "expected at least one number, not an empty array"},
        {"[1,\"2\"]", "expected a number as component 1, not a string (byte 3)"},
        {"[[1]]", "expected a number as component 0, not an array (byte 1)"},
        {"[1, {}]", "expected a number as component 1, not an object (byte 4)"},
        {"[null]", "expected a number as component 0, not null (byte 1)"},
        {"[1,true]", "expected a number as component 1, not a boolean (byte 3)"},
        {"[false]", "expected a number as component 0, not a boolean (byte 1)"},
        {"[NaN]", "expected a number as component 0, not other text (byte 1)"},
        {"[1,]", "expected a number as component 1, not other text (byte 3)"},
        {"[,1]", "expected a number as component 0, not other text (byte 1)"},
        {"[+1]", "expected a number as component 0, not other text (byte 1)"},
        {"[.5]", "expected a number as component 0, not other text (byte 1)"},
        {"[1e39]", "component 0 is beyond the range of float32 (byte 1)"},
        {"[0, -1e400]", "component 1 is beyond the range of float32 (byte 4)"},
        {"[", "expected a number at byte 1, where the text ends"},
        {"[1", "expected ',' or ']' at byte 2, where the text ends"},
        {"[1,", "expected a number at byte 3, where the text ends"},
        {"[1 2]", "expected ',' or ']' at byte 3"},
        {"[01]", "expected ',' or ']' at byte 2"},
        {"[1.]", "expected ',' or ']' at byte 2"},
        {"[1;2]", "expected ',' or ']' at byte 2"},
        {"[1] x", "unexpected text after the array at byte 4"},
        {"[1][2]", "unexpected text after the array at byte 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        float *vector = (float *)&err;
        size_t dimensions = 9;
        struct span json = {cases[i].json, strlen(cases[i].json)};
        assert_int_equal(vector_parse_json(json, &vector, &dimensions, &err), ERROR_INVALID);
        assert_string_equal(err.text, cases[i].message);
        assert_null(vector);
        assert_int_equal(dimensions, 0);
    }
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_nul_in_the_text_is_an_error(void **state)
{
    (void)state;
    float *vector;
    size_t dimensions;
    assert_int_equal(vector_parse_json((struct span){"[1\0]", 4}, &vector, &dimensions, NULL),
                     ERROR_INVALID);
    assert_int_equal(vector_parse_json((struct span){"[1]\0", 4}, &vector, &dimensions, NULL),
                     ERROR_INVALID);
    assert_int_equal(vector_parse_json((struct span){NULL, 0}, &vector, &dimensions, NULL),
                     ERROR_INVALID);
}

static void test_most_dimensions(void **state)
{
    (void)state;
    static char json[2 * VECTOR_MAX_DIMENSIONS + 3];
    for (size_t i = 0; i < VECTOR_MAX_DIMENSIONS + 1; i++)
        memcpy(json + 2 * i, i == 0 ? "[7" : ",7", 2);
    size_t size = 2 * VECTOR_MAX_DIMENSIONS;
    json[size] = ']';
    float *vector = NULL;
    size_t dimensions = 0;
    struct error err;
    assert_int_equal(vector_parse_json((struct span){json, size + 1}, &vector, &dimensions, &err),
                     0);
    assert_int_equal(dimensions, VECTOR_MAX_DIMENSIONS);
    assert_true(vector[VECTOR_MAX_DIMENSIONS - 1] == 7.0f);
    memory_free(vector);
    memcpy(json + size, ",7]", 3);
    assert_int_equal(vector_parse_json((struct span){json, size + 3}, &vector, &dimensions, &err),
                     ERROR_INVALID);
    assert_string_equal(err.text, "expected at most 65536 dimensions, not more");
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_text_gives_the_same_bits_back(void **state)
{
    (void)state;
    uint64_t seed = 4;
    for (size_t n = 1; n < 300; n += 7) {
        unsigned char bytes[4 * 300 + 1], *vector = bytes + 1; /* not aligned */
        for (size_t i = 0; i < n; i++) {
            uint32_t bits = (uint32_t)random_bits(&seed);
            if ((bits & 0x7F800000) == 0x7F800000) bits &= 0x807FFFFF; /* a denormal, or a zero */
            memcpy(vector + 4 * i, &bits, 4);
        }
        struct buffer json;
        buffer_init(&json, 100000);
        assert_int_equal(vector_format_json(vector, n, &json, NULL), 0);
        float *again = NULL;
        size_t dimensions = 0;
        struct span text = {json.data, json.size};
        assert_int_equal(vector_parse_json(text, &again, &dimensions, NULL), 0);
        assert_int_equal(dimensions, n);
        assert_memory_equal(again, vector, 4 * n);
        memory_free(again);
        buffer_deinit(&json);
    }
}

static void test_format(void **state)
{
    (void)state;
    const float vector[] = {1.0f, -0.0f, 0.1f, 1e-20f};
    struct buffer json;
    struct error err;
    buffer_init(&json, 100);
    assert_int_equal(vector_format_json(vector, 4, &json, &err), 0);
    assert_int_equal(json.size, 18);
    assert_memory_equal(json.data, "[1,-0.0,0.1,1e-20]", 18);
    buffer_deinit(&json);
    buffer_init(&json, 17);
    assert_int_equal(vector_format_json(vector, 4, &json, &err), ERROR_INVALID);
    assert_string_equal(err.text, "more than 17 bytes");
    buffer_deinit(&json);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static char json[4003] = "[1";
    for (size_t i = 2; i < 4000; i += 2) memcpy(json + i, ",1", 2);
    json[4000] = ']';
    for (long after = 0;; after++) {
        float *vector = NULL;
        size_t dimensions = 0;
        struct error err = {0};
        failing_memory_after = after;
        int rc = vector_parse_json((struct span){json, 4001}, &vector, &dimensions, &err);
        failing_memory_after = -1;
        if (rc == 0) {
            assert_int_equal(dimensions, 2000);
            memory_free(vector);
            assert_true(after > 2);
            break;
        }
        assert_int_equal(rc, ERROR_NOMEM);
        assert_null(vector);
        assert_int_equal(failing_memory_blocks, 0);
    }
    struct buffer out;
    buffer_init(&out, 1000);
    failing_memory_after = 0;
    assert_int_equal(vector_format_json(&(float){1.0f}, 1, &out, NULL), ERROR_NOMEM);
    failing_memory_after = -1;
    buffer_deinit(&out);
    assert_int_equal(failing_memory_blocks, 0);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_sizes),
        cmocka_unit_test(test_check_finds_what_is_not_finite),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_errors),
        cmocka_unit_test(test_nul_in_the_text_is_an_error),
        cmocka_unit_test(test_most_dimensions),
        cmocka_unit_test(test_text_gives_the_same_bits_back),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

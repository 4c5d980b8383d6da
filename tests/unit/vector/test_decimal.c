#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vector/decimal.h"
#include "vector/random.h"

/* strtof of the C library, in the C locale, is the oracle. */
static void expect_as_strtof(const char *text)
{
    float value = 0.0f, expected = strtof(text, NULL);
    size_t size = vector_decimal_parse((struct span){text, strlen(text)}, &value);
    if (size != strlen(text) || memcmp(&value, &expected, 4) != 0)
        fail_msg("%s gave %a, expected %a", text, (double)value, (double)expected);
}

static void expect_same_bits_back(float value)
{
    char text[VECTOR_DECIMAL_SIZE];
    size_t size = vector_decimal_format(value, text);
    assert_int_equal(size, strlen(text));
    float again = 0.0f;
    assert_int_equal(vector_decimal_parse((struct span){text, size}, &again), size);
    if (memcmp(&again, &value, 4) != 0) fail_msg("%a became %s", (double)value, text);
    assert_true(strtof(text, NULL) == value);
}

static void test_reads_as_the_c_library(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "-0.0e5",
        "1",
        "-1",
        "0.1",
        "1e0",
        "1E+2",
        "1e-2",
        "123456789",
        "16777217",
        "16777219",
        "16777217.000000000000000000000000000000000000001",
        "16777216.9999999999999999999999999999999",
        "3.4028234e38",
        "3.4028235e38",
        "3.4028235677973365e38",
        "3.4028235677973366e38",
        "-3.4028235677973367e38",
        "1e38",
        "1e39",
        "-1e39",
        "1e400",
        "1e99999999999999999999",
        "0e99999999999999999999",
        "1e-99999999999999999999",
        "1.4e-45",
        "1e-45",
        "7.006492321624085e-46",
        "7.006492321624086e-46",
        "7e-46",
        "1e-46",
        "1.1754943508222875e-38",
        "1.1754942807573643e-38",
        "1.17549429e-38",
        "340282356779733661637539395458142568447.9999",
        "340282356779733661637539395458142568448",
        "0.000000000000000000000000000000000000000000000700649232162408535"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) expect_as_strtof(texts[i]);
}

static void test_reads_random_numbers(void **state)
{
    (void)state;
    uint64_t seed = 1;
    char text[64];
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = random_bits(&seed);
        int digits = (int)(bits % 19), exponent = (int)((bits >> 8) % 92) - 50;
        snprintf(text, sizeof text, "%s%.*fe%d", bits & 64 ? "-" : "", digits,
                 random_unit(&seed) * (double)(bits >> 40), exponent);
        expect_as_strtof(text);
    }
}

/* The middle of two floats, written out in full, and what is just above and just below. */
static void test_ties_go_to_even(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 20000; i++) {
        uint32_t bits = (uint32_t)random_bits(&seed) & 0x7FFFFFFF;
        if (i < 100) bits = (uint32_t)i; /* denormals */
        if (i >= 100 && i < 200)
            bits = 0x800000u - 50u + (uint32_t)(i - 100); /* the least normal ones */
        if (bits >= 0x7F7FFFFF) bits = 0x7F7FFFFE;
        uint32_t next = bits + 1;
        float low, high;
        memcpy(&low, &bits, 4);
        memcpy(&high, &next, 4);
        char text[200];
        snprintf(text, sizeof text, "%.115e", ((double)low + (double)high) / 2);
        expect_as_strtof(text);
        char *last = strchr(text, 'e') - 1, *end = last;
        *last = '1'; /* it was a 0: the middle has at most 112 digits */
        expect_as_strtof(text);
        while (last > text && (*last == '0' || *last == '.' || last == end)) {
            if (*last != '.') *last = '9';
            last--;
        }
        (*last)--;
        expect_as_strtof(text);
    }
}

static void test_reads_endless_digits(void **state)
{
    (void)state;
    char text[5000];
    memset(text, '0', sizeof text);
    memcpy(text, "0.", 2);
    text[sizeof text - 1] = '\0';
    expect_as_strtof(text);
    text[4000] = '7';
    memcpy(text + 4990, "e3999", 6);
    expect_as_strtof(text);
    memset(text, '9', sizeof text);
    memcpy(text + 4990, "e-4990", 7);
    expect_as_strtof(text);
    memset(text, '0', sizeof text);
    memcpy(text, "16777217", 8);
    text[4000] = '1'; /* only this digit lifts it above a tie */
    memcpy(text + 4990, "e-4982", 7);
    expect_as_strtof(text);
}

static void test_reads_only_json_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {{"", 0},    {"-", 0},    {"+1", 0},    {".5", 0},  {"e5", 0},    {"NaN", 0},
                 {"inf", 0}, {"-inf", 0}, {" 1", 0},    {"-.5", 0}, {"01", 1},    {"-01", 2},
                 {"1.", 1},  {"1.e5", 1}, {"1e", 1},    {"1e+", 1}, {"1.5e-", 3}, {"0x10", 1},
                 {"1,5", 1}, {"1_0", 1},  {"1.5.5", 3}, {"12f", 2}, {"1e5e5", 3}, {"-0e1]", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float value = 0.0f;
        struct span text = {cases[i].text, strlen(cases[i].text)};
        if (vector_decimal_parse(text, &value) != cases[i].size) fail_msg("%s", cases[i].text);
    }
    float value;
    assert_int_equal(vector_decimal_parse((struct span){"12345", 2}, &value), 2);
    assert_true(value == 12.0f);
}

static void test_writes_short_texts(void **state)
{
    (void)state;
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0.0f, "0"},
                 {-0.0f, "-0.0"},
                 {1.0f, "1"},
                 {-2.5f, "-2.5"},
                 {0.1f, "0.1"},
                 {0.0001f, "0.0001"},
                 {-0.00001f, "-1e-5"},
                 {100000000.0f, "100000000"},
                 {1e9f, "1e9"},
                 {16777216.0f, "16777216"},
                 {1.0f / 3.0f, "0.33333334"},
                 {FLT_MAX, "3.4028235e38"},
                 {-FLT_MAX, "-3.4028235e38"},
                 {0x1p-149f, "1.4013e-45"},
                 {FLT_MIN, "1.1754944e-38"},
                 {123.456f, "123.456"},
                 {-0.0123456789f, "-0.012345679"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[VECTOR_DECIMAL_SIZE];
        vector_decimal_format(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
        expect_same_bits_back(cases[i].value);
    }
}

static void test_writes_any_bits(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (uint32_t i = 0; i < 60000; i++) {
        uint32_t bits = (uint32_t)random_bits(&seed);
        if (i < 255 * 8) bits = (i / 8) << 23 | (i % 8 < 4 ? i % 4 : 0x7FFFFF - i % 4);
        float value;
        memcpy(&value, &bits, 4);
        if (isfinite(value)) expect_same_bits_back(value);
    }
}

static void test_ignores_the_locale(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE",
                                        "ps_AF.UTF-8"};
    size_t i = 0;
    while (i < sizeof names / sizeof names[0] && setlocale(LC_NUMERIC, names[i]) == NULL) i++;
    if (i == sizeof names / sizeof names[0]) skip(); /* none with a decimal comma on this machine */
    char text[VECTOR_DECIMAL_SIZE];
    vector_decimal_format(1234.5f, text);
    float value = 0.0f;
    size_t size = vector_decimal_parse((struct span){"0.25", 4}, &value);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(text, "1234.5");
    assert_int_equal(size, 4);
    assert_true(value == 0.25f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_as_the_c_library),  cmocka_unit_test(test_reads_random_numbers),
        cmocka_unit_test(test_ties_go_to_even),         cmocka_unit_test(test_reads_endless_digits),
        cmocka_unit_test(test_reads_only_json_numbers), cmocka_unit_test(test_writes_short_texts),
        cmocka_unit_test(test_writes_any_bits),         cmocka_unit_test(test_ignores_the_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_argument.c: integers as SQL hands them to us: one rule, also for copies that belong to no
 * database.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sqlite/argument.h"

/* The value of an expression, copied as table functions copy their arguments. */
static sqlite3_value *value_of(const char *expression)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    char *sql = sqlite3_mprintf("SELECT %s", expression);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    sqlite3_value *value = sqlite3_value_dup(sqlite3_column_value(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
    sqlite3_free(sql);
    return value;
}

static void test_integers(void **state)
{
    static const struct {
        const char *expression;
        int64_t n;
    } cases[] = {
        {"5", 5},
        {"-3", -3},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775807 - 1", INT64_MIN},
        {"2.0", 2},
        {"-0.0", 0},
        {"1e15", 1000000000000000},
        {"'7'", 7},
        {"'  +7\t'", 7},
        {"'-7.00'", -7},
        {"'7.'", 7},
        {"'.0'", 0},
        {"'12e2'", 1200},
        {"'1.25E+2'", 125},
        {"'500e-2'", 5},
        {"'0e9999999999'", 0},
        {"'9223372036854775807'", INT64_MAX},
        {"'-9223372036854775808'", INT64_MIN},
        {"'00000000000000000000000000000000012'", 12},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sqlite3_value *value = value_of(cases[i].expression);
        int64_t n = 99;
        if (!argument_integer(value, &n)) fail_msg("%s: not an integer", cases[i].expression);
        assert_true(n == cases[i].n);
        sqlite3_value_free(value);
    }
}

static void test_not_integers(void **state)
{
    static const char *const expressions[] = {
        "NULL",
        "x'35'",
        "1.5",
        "1e19",
        "-1e19",
        "9e999",
        "''",
        "' '",
        "'abc'",
        "'5x'",
        "'5 5'",
        "'0x5'",
        "'5.5'",
        "'.'",
        "'-'",
        "'5e'",
        "'5e-1'",
        "'e5'",
        "'--5'",
        "'1.25e1'",
        "'inf'",
        "'nan'",
        "'9223372036854775808'",
        "'-9223372036854775809'",
        "'1e999'",
    };
    (void)state;
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        sqlite3_value *value = value_of(expressions[i]);
        int64_t n;
        if (argument_integer(value, &n)) fail_msg("%s: an integer", expressions[i]);
        sqlite3_value_free(value);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *expression;
        double x;
    } cases[] = {{"7", 7},        {"-0.5", -0.5},        {"'0.25'", 0.25},    {"' 1e-1 '", 0.1},
                 {"'-.5'", -0.5}, {"'1e999'", HUGE_VAL}, {"9e999", HUGE_VAL}, {"'12'", 12}};
    static const char *const others[] = {"NULL", "x'30'", "''",    "'abc'", "'0.5x'",        "'.'",
                                         "'1e'", "'nan'", "'inf'", "'0x5'", "'5' || char(0)"};
    double x;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sqlite3_value *value = value_of(cases[i].expression);
        if (!argument_number(value, &x)) fail_msg("%s: not a number", cases[i].expression);
        assert_true(x == cases[i].x);
        sqlite3_value_free(value);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        sqlite3_value *value = value_of(others[i]);
        if (argument_number(value, &x)) fail_msg("%s: a number", others[i]);
        sqlite3_value_free(value);
    }
}

static int count_of(const char *expression, size_t min, size_t max, size_t *count,
                    struct error *err)
{
    sqlite3_value *value = value_of(expression);
    int rc = argument_count(value, "k", min, max, count, err);
    sqlite3_value_free(value);
    return rc;
}

static void test_counts(void **state)
{
    size_t count;
    struct error err;
    (void)state;
    assert_int_equal(count_of("1", 1, SIZE_MAX, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(count_of("'25.0'", 1, 25, &count, &err), 0);
    assert_int_equal(count, 25);
    assert_int_equal(count_of("0", 0, 25, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(count_of("1e300", 1, SIZE_MAX, &count, &err), 0);
    assert_true(count == INT64_MAX);
    assert_int_equal(count_of("'99999999999999999999'", 1, SIZE_MAX, &count, &err), 0);
    assert_true(count == INT64_MAX);
}

static void test_no_counts(void **state)
{
    static const struct {
        const char *expression;
        size_t min, max;
        const char *text;
    } cases[] = {
        {"0", 1, SIZE_MAX, "k must be an integer of 1 or more, not 0"},
        {"-1", 0, SIZE_MAX, "k must be an integer of 0 or more, not -1"},
        {"-1e300", 0, SIZE_MAX, "k must be an integer of 0 or more, not -1.0e+300"},
        {"2.5", 1, SIZE_MAX, "k must be an integer of 1 or more, not 2.5"},
        {"'two'", 1, SIZE_MAX, "k must be an integer of 1 or more, not two"},
        {"NULL", 1, SIZE_MAX, "k must be an integer of 1 or more, not NULL"},
        {"x'31'", 1, SIZE_MAX, "k must be an integer of 1 or more, not a blob"},
        {"1e300", 1, 10, "k must be an integer from 1 to 10"},
        {"11", 1, 10, "k must be an integer from 1 to 10"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        size_t count = 7;
        assert_int_equal(count_of(cases[i].expression, cases[i].min, cases[i].max, &count, &err),
                         ERROR_INVALID);
        assert_string_equal(err.text, cases[i].text);
        assert_int_equal(count, 7);
    }
}

static void test_optional(void **state)
{
    size_t count = 25;
    struct error err;
    const char *text = "x";
    sqlite3_value *null = value_of("NULL"), *two = value_of("2"), *word = value_of("'word'");
    (void)state;
    assert_int_equal(argument_optional_count(NULL, "k", 1, SIZE_MAX, &count, &err), 0);
    assert_int_equal(argument_optional_count(null, "k", 1, SIZE_MAX, &count, &err), 0);
    assert_int_equal(count, 25);
    assert_int_equal(argument_optional_count(two, "k", 1, SIZE_MAX, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(argument_optional_count(word, "k", 1, SIZE_MAX, &count, &err), ERROR_INVALID);
    assert_int_equal(argument_optional_text(null, &text, &err), 0);
    assert_null(text);
    assert_int_equal(argument_optional_text(word, &text, &err), 0);
    assert_string_equal(text, "word");
    sqlite3_value_free(null);
    sqlite3_value_free(two);
    sqlite3_value_free(word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),  cmocka_unit_test(test_not_integers),
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_counts),
        cmocka_unit_test(test_no_counts), cmocka_unit_test(test_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/each_allocation.h"
#include "text/normalizer.h"
#include "text/unicode/ucd.h"

#define CEILING ((size_t)1 << 30)

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

struct never {
    int asked, after;
};

static int is_cancelled(void *context)
{
    struct never *never = context;
    return ++never->asked > never->after;
}

static int read_json(const char *json, struct normalizers *normalizers, struct error *err)
{
    cJSON *root;
    assert_int_equal(json_parse(span_of(json), &root, NULL), 0);
    int rc = normalizers_read(normalizers, root, err);
    cJSON_Delete(root);
    return rc;
}

/* What the steps make of a text, and how. */
static int apply(const char *json, struct span text, const struct cancel *cancel,
                 struct buffer *out, struct error *err)
{
    struct normalizers normalizers;
    struct buffer spare;
    int rc = read_json(json, &normalizers, err);
    buffer_init(&spare, CEILING);
    if (rc == 0) rc = normalizers_apply(&normalizers, text, cancel, out, &spare, err);
    buffer_deinit(&spare);
    normalizers_deinit(&normalizers);
    return rc;
}

static void check(const char *json, const char *text, const char *expected)
{
    struct buffer out;
    struct error err = {0};
    buffer_init(&out, CEILING);
    int rc = apply(json, span_of(text), NULL, &out, &err);
    if (rc != 0) print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    assert_int_equal(buffer_append(&out, "", 1, NULL), 0);
    assert_string_equal(out.data, expected);
    buffer_deinit(&out);
}

#define STEP(type) "{\"type\":\"" type "\"}"

/* As the reference has them, which takes properties from several versions of Unicode. */
static void test_bert(void **state)
{
    (void)state;
    static const char cased[] = "{\"type\":\"BertNormalizer\",\"lowercase\":false}";
    check(STEP("BertNormalizer"), "Caf\u00C9\t\u00C5\u200Bx\u00AD", "cafe ax");
    check(cased, "Caf\u00C9\u3000x", "Caf\u00C9 x");
    check(cased, "a\u4E00b", "a \u4E00 b");
    check(cased, "\U0002B820\U0002B91F", "\U0002B820\U0002B91F"); /* the range begins late */
    check(cased, "\U0002B920", " \U0002B920 ");
    check(cased, "\u0890", "\u0890");                  /* Cf since Unicode 14 */
    check(STEP("BertNormalizer"), "\u0898", "\u0898"); /* Mn since Unicode 14 */
    check(STEP("BertNormalizer"), "\u0130\u01C5", "i\u01C6");
    check("{\"type\":\"BertNormalizer\",\"clean_text\":false,\"strip_accents\":false}",
          "\x01\u0130", "\x01i\u0307");
}

static void test_characters(void **state)
{
    (void)state;
    check(STEP("Lowercase"), "\u00C4\u03A3\u03A3 \uA7CB", "\u00E4\u03C3\u03C3 \u0264");
    check(STEP("StripAccents"), "e\u0301\u0903\u20DDx", "ex");
    check(STEP("StripAccents"), "\u00E9", "\u00E9");
    check(STEP("Strip"), " \u3000 a b\xC2\x85", "a b");
    check(STEP("Strip"), " \t", "");
    check("{\"type\":\"Strip\",\"strip_left\":false}", " a ", " a");
    check("{\"type\":\"Prepend\",\"prepend\":\"_\"}", "a", "_a");
    check("{\"type\":\"Prepend\",\"prepend\":\"_\"}", "", "");
}

static void test_replace(void **state)
{
    (void)state;
#define REGEX(pattern)                                                                             \
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"" pattern "\"},\"content\":\"_\"}"
    check(REGEX(" +"), " a  b\t", "_a_b\t");
    check(REGEX(" {2,}"), " a   b  ", " a_b_");
    check(REGEX("\\\\s+"),
          " a \t\u3000"
          "b\n",
          "_a_b_");
    check(REGEX("\\\\s{2,}"), "a\tb\r\nc \u00A0", "a\tb_c_");
    check("{\"type\":\"Replace\",\"pattern\":{\"String\":\"aab\"},\"content\":\"x\"}", "aaabaaba",
          "axxa");
    check("{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u0301\"},\"content\":\"\"}",
          "e\u0301\u0302", "e\u0302");
    static const char *const unknown[] = {REGEX("a+"),     REGEX(""),    REGEX(" "),
                                          REGEX("\\\\s"),  REGEX("  +"), REGEX("\\\\s{3,}"),
                                          STEP("Replace"), STEP("Nmt")};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct normalizers normalizers;
        struct error err = {0};
        assert_int_equal(read_json(unknown[i], &normalizers, &err), ERROR_INVALID);
        normalizers_deinit(&normalizers);
    }
}

/* UAX 15, figures 3 to 6, and marks out of order. */
static void test_forms(void **state)
{
    (void)state;
    check(STEP("NFD"), "\u212B\u2126\u1E69", "A\u030A\u03A9s\u0323\u0307");
    check(STEP("NFC"), "s\u0307\u0323 d\u0307 \uD55C", "\u1E69 \u1E0B \uD55C");
    check(STEP("NFKC"), "\uFB01\u1E9B\u0323 2\u2075", "fi\u1E69 25");
    check(STEP("NFKD"), "\u1E9B\u0323\uAC01", "s\u0323\u0307\u1100\u1161\u11A8");
    check(STEP("NFC"), "\u1100\u1161\u11A8\u0958", "\uAC01\u0915\u093C");
    check(STEP("NFKC"), "\uFF76\uFF9E", "\u30AC");
    check(STEP("NFC"), "a\u0315\u0300\u05AE\u0300b", "\u00E0\u05AE\u0300\u0315b");
    check(STEP("NFD"), "\U0001E945", "\U0001E945");
}

/* Long texts are normalised in parts: the same comes out wherever a part ends. */
static void test_parts_join(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"e\u0301", "\u00E9"}, {"\u1100\u1161\u11A8", "\uAC01"}, {"\u304B\u3099", "\u304C"}};
    static const size_t n = 700;
    char *text = malloc(16 * n), *expected = malloc(16 * n);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        text[0] = expected[0] = '\0';
        for (size_t j = 0; j < n; j++) {
            strcat(text, pairs[i][0]);
            strcat(expected, pairs[i][1]);
        }
        check(STEP("NFC"), text, expected);
        check(STEP("NFD"), expected, text);
    }
    free(text);
    free(expected);
}

/* A run of marks without an end takes no time that grows with its square, nor room out of
 * measure. */
static void test_marks_without_end(void **state)
{
    (void)state;
    static const size_t n = 1000000;
    struct buffer out;
    char *text = malloc(2 * n);
    for (size_t i = 0; i < n; i++) memcpy(text + 2 * i, i % 2 == 0 ? "\u0301" : "\u0323", 2);
    buffer_init(&out, CEILING);
    assert_int_equal(apply(STEP("NFKC"), (struct span){text, 2 * n}, NULL, &out, NULL), 0);
    assert_int_equal(out.size, 2 * n);
    assert_memory_equal(out.data, "\u0323\u0323", 4);
    assert_memory_equal(out.data + 2 * n - 4, "\u0301\u0301", 4);
    buffer_deinit(&out);
    free(text);
}

static void test_each_step_stops(void **state)
{
    (void)state;
    static const char *const steps[] = {
        STEP("BertNormalizer"),
        STEP("Lowercase"),
        STEP("StripAccents"),
        STEP("NFC"),
        STEP("NFKD"),
        STEP("Strip"),
        REGEX(" +"),
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\"ab\"},\"content\":\"x\"}"};
    static const size_t n = 1 << 20;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++) text[i] = "ab \n"[i % 4];
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct never never = {.after = 3};
        struct cancel cancel = {is_cancelled, &never};
        struct buffer out;
        buffer_init(&out, CEILING);
        assert_int_equal(apply(steps[i], (struct span){text, n}, &cancel, &out, NULL),
                         ERROR_INTERRUPTED);
        assert_int_equal(never.asked, 4);
        buffer_deinit(&out);
    }
    free(text);
}

static int apply_forms(void *context, struct error *err)
{
    struct buffer out;
    (void)context;
    buffer_init(&out, CEILING);
    int rc = apply("{\"type\":\"Sequence\",\"normalizers\":[" STEP("NFKC") "," STEP(
                       "BertNormalizer") "," REGEX(" +") "]}",
                   span_of("\uFB01 e\u0301  \u1100\u1161"), NULL, &out, err);
    buffer_deinit(&out);
    return rc;
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(each_allocation(apply_forms, NULL) > 3);
}

static void test_properties(void **state)
{
    (void)state;
    assert_int_equal(ucd_properties('_'), UCD_PUNCTUATION | UCD_WORD);
    assert_int_equal(ucd_properties(0xB2),
                     0); /* superscript two: no word of a regular expression */
    assert_int_equal(ucd_properties(0x200D), UCD_CONTROL | UCD_WORD | UCD_EXTENDS);
    assert_int_equal(ucd_properties(0x24B6), UCD_WORD);
    assert_int_equal(ucd_properties(0x600) & UCD_CLUSTER, UCD_PREPENDS);
    assert_int_equal(ucd_properties('\n') & UCD_CLUSTER, UCD_BREAKS);
    assert_int_equal(ucd_properties(0xE33) & UCD_CLUSTER, UCD_EXTENDS);
    assert_int_equal(ucd_properties(0x110000), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bert),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_replace),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_parts_join),
        cmocka_unit_test(test_marks_without_end),
        cmocka_unit_test(test_each_step_stops),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_properties),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

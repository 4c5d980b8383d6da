#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/each_allocation.h"
#include "text/tokenizer.h"

#define VOCABULARY                                                                                 \
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nbat\n##s\n##man\nthe\n,\n\xE6\x97\xA5\ncafe\n!\n"

static const char word_piece_json[] =
    "{\"added_tokens\":[{\"id\":3,\"content\":\"[SEP]\",\"special\":true,\"normalized\":false}],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##"
    "\","
    "\"max_input_chars_per_word\":100,\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,"
    "\"[MASK]\":4,\"bat\":5,\"##s\":6,\"##man\":7,\"the\":8,\",\":9,\"\xE6\x97\xA5\":10,"
    "\"cafe\":11,\"!\":12}}}";

#define MARK "\xE2\x96\x81"
static const char unigram_json[] =
    "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKC\"},{\"type\":"
    "\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}]},"
    "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"" MARK
    "\",\"add_prefix_space\":true},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
    "\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":"
    "\"</s>\",\"type_id\":0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":"
    "{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{\"<s>\":{\"ids\":[0]},\"</s>\":{\"ids\":[1]"
    "}}},\"model\":{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":[[\"<s>\",0],[\"</"
    "s>\",0],[\"<unk>\""
    ",0],[\"" MARK "\",-3],[\"a\",-2.5],[\"b\",-2.75],[\"ab\",-4],[\"" MARK
    "a\",-3.5],[\"ba\",-4.25],[\"abb\",-8.5]]}}";

static struct tokenizer *make(const char *json, const char *vocabulary)
{
    struct tokenizer_files files = {0};
    struct tokenizer *tokenizer;
    struct error err = {0};
    if (json != NULL) files.tokenizer_json = (struct span){json, strlen(json)};
    if (vocabulary != NULL) files.vocab_txt = (struct span){vocabulary, strlen(vocabulary)};
    int rc = tokenizer_new(&files, &tokenizer, &err);
    if (rc != 0) print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    return tokenizer;
}

/* The ids as "2 5 3"; segments of 1 have a prime. */
static const char *encode(const struct tokenizer *tokenizer, struct tokenizer_request request)
{
    static char text[2000];
    struct tokens tokens;
    size_t used = 0;
    text[0] = '\0';
    tokens_init(&tokens);
    assert_int_equal(tokenizer_encode(tokenizer, &request, &tokens, NULL, NULL), 0);
    for (size_t i = 0; i < tokens.n; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%u%s", i > 0 ? " " : "",
                                 tokens.ids[i], tokens.segments[i] ? "'" : "");
    tokens_deinit(&tokens);
    return text;
}

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static void check(const struct tokenizer *tokenizer, const char *text, const char *ids)
{
    assert_string_equal(encode(tokenizer, (struct tokenizer_request){.text = span_of(text)}), ids);
}

static void check_word_piece(const struct tokenizer *tokenizer)
{
    check(tokenizer, "", "2 3");
    check(tokenizer, " The BATS, batman!", "2 8 5 6 9 5 7 12 3");
    check(tokenizer, "Caf\xC3\xA9 cafe\xCC\x81", "2 11 11 3");
    check(tokenizer,
          "bat\xE6\x97\xA5"
          "bat",
          "2 5 10 5 3");
    check(tokenizer, "batx thex the", "2 1 1 8 3");
    check(tokenizer, "the [SEP] bat", "2 8 3 5 3");
    check(tokenizer,
          "b\xE2\x80\x8B"
          "at\xC2\xA0the\tbat",
          "2 5 8 5 3");
    struct span pair = span_of("the bats");
    struct tokenizer_request request = {.text = span_of("bat bat bat"), .pair = &pair};
    assert_string_equal(encode(tokenizer, request), "2 5 5 5 3 8' 5' 6' 3'");
    request.max_tokens = 8;
    assert_string_equal(encode(tokenizer, request), "2 5 5 3 8' 5' 6' 3'");
    request.max_tokens = 7;
    assert_string_equal(encode(tokenizer, request), "2 5 5 3 8' 5' 3'");
    request.truncation = TOKENIZER_ONLY_SECOND;
    assert_string_equal(encode(tokenizer, request), "2 5 5 5 3 8' 3'");
    request.max_tokens = 5;
    assert_int_equal(tokenizer_encode(tokenizer, &request, &(struct tokens){0}, NULL, NULL),
                     ERROR_INVALID);
    request = (struct tokenizer_request){.text = span_of("bats bats"), .max_tokens = 4};
    assert_string_equal(encode(tokenizer, request), "2 5 6 3");
    request.without_special = 1;
    assert_string_equal(encode(tokenizer, request), "5 6 5 6");
}

static void test_word_piece(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = make(word_piece_json, NULL);
    assert_int_equal(tokenizer_size(tokenizer), 13);
    assert_int_equal(tokenizer_unknown(tokenizer), 1);
    check_word_piece(tokenizer);
    tokenizer_free(tokenizer);
    tokenizer = make(NULL, VOCABULARY);
    check_word_piece(tokenizer);
    tokenizer_free(tokenizer);
}

/* As all-mpnet-base-v2's: WordPiece between <s> and </s>, two of them between a pair. */
static void test_mpnet(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = make(
        "{\"added_tokens\":[{\"id\":0,\"content\":\"<s>\",\"special\":true,\"normalized\":false},"
        "{\"id\":1,\"content\":\"<pad>\",\"special\":true,\"normalized\":false},"
        "{\"id\":2,\"content\":\"</s>\",\"special\":true,\"normalized\":false},"
        "{\"id\":3,\"content\":\"<unk>\",\"special\":true,\"normalized\":true},"
        "{\"id\":7,\"content\":\"<mask>\",\"special\":true,\"normalized\":false,"
        "\"lstrip\":true}],"
        "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"
        "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true},"
        "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
        "\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"</s>\",2],"
        "\"cls\":[\"<s>\",0],\"trim_offsets\":true,\"add_prefix_space\":false},"
        "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","
        "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,"
        "\"vocab\":{\"<s>\":0,\"<pad>\":1,\"</s>\":2,\"<unk>\":3,\"bat\":4,\"##s\":5,"
        "\"[UNK]\":6,\"<mask>\":7}}}",
        NULL);
    assert_int_equal(tokenizer_size(tokenizer), 8);
    assert_int_equal(tokenizer_unknown(tokenizer), 6);
    check(tokenizer, "", "0 2");
    check(tokenizer, "BATS b\xC3\xA1t dog", "0 4 5 4 6 2");
    check(tokenizer, "a <mask></s>", "0 6 7 2 2");
    struct span pair = span_of("bats");
    struct tokenizer_request request = {.text = span_of("bat bat"), .pair = &pair};
    assert_string_equal(encode(tokenizer, request), "0 4 4 2 2 4 5 2");
    request.max_tokens = 6;
    assert_string_equal(encode(tokenizer, request), "0 4 2 2 4 2");
    request.max_tokens = 3;
    assert_int_equal(tokenizer_encode(tokenizer, &request, &(struct tokens){0}, NULL, NULL),
                     ERROR_INVALID);
    tokenizer_free(tokenizer);
}

static void test_words_that_are_too_long(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = make(NULL, VOCABULARY);
    char text[401] = "bat", expected[600] = "2 5";
    for (size_t i = 3; i < 100; i++) {
        strcat(text, "s");
        strcat(expected, " 6");
    }
    strcat(expected, " 3");
    check(tokenizer, text, expected);
    strcat(text, "s");
    check(tokenizer, text, "2 1 3");
    tokenizer_free(tokenizer);
}

static void test_unigram(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = make(unigram_json, NULL);
    check(tokenizer, "a", "0 7 1");
    check(tokenizer, "ab", "0 7 5 1");
    check(tokenizer, "  ab   \xEF\xBD\x81", "0 7 5 7 1");
    check(tokenizer, "xyz", "0 3 2 1");
    check(tokenizer, "axb", "0 7 2 5 1");
    tokenizer_free(tokenizer);
}

/* The score of the best of all ways to cut, by trying them. */
static double best_score(const char *text, size_t n)
{
    static const struct {
        const char *piece;
        double score;
    } pieces[] = {{MARK, -3},       {"a", -2.5},   {"b", -2.75}, {"ab", -4},
                  {MARK "a", -3.5}, {"ba", -4.25}, {"abb", -8.5}};
    double best = -INFINITY;
    if (n == 0) return 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t size = strlen(pieces[i].piece);
        if (size > n || memcmp(text, pieces[i].piece, size) != 0) continue;
        double score = pieces[i].score + best_score(text + size, n - size);
        if (score > best) best = score;
    }
    return best;
}

static void test_the_best_path_is_the_best(void **state)
{
    (void)state;
    static const double scores[] = {0, 0, 0, -3, -2.5, -2.75, -4, -3.5, -4.25, -8.5};
    struct tokenizer *tokenizer = make(unigram_json, NULL);
    for (unsigned bits = 0; bits < 1024; bits++) {
        char text[16] = MARK;
        for (size_t i = 0; i < 10; i++) text[3 + i] = bits >> i & 1 ? 'a' : 'b';
        struct tokens tokens;
        tokens_init(&tokens);
        struct tokenizer_request request = {.text = {text + 3, 10}, .without_special = 1};
        assert_int_equal(tokenizer_encode(tokenizer, &request, &tokens, NULL, NULL), 0);
        double score = 0;
        for (size_t i = 0; i < tokens.n; i++) score += scores[tokens.ids[i]];
        assert_true(fabs(score - best_score(text, 13)) < 1e-9);
        tokens_deinit(&tokens);
    }
    tokenizer_free(tokenizer);
}

static int requested(void *context)
{
    (void)context;
    return 1;
}

static void test_a_long_text_is_interrupted(void **state)
{
    (void)state;
    struct tokenizer *tokenizers[] = {make(NULL, VOCABULARY), make(unigram_json, NULL)};
    size_t size = 10000000;
    char *text = malloc(size);
    struct cancel cancel = {requested, NULL};
    for (int i = 0; i < 2; i++) {
        memset(text, i == 0 ? ',' : 'a', size);
        struct tokenizer_request request = {.text = {text, size}, .cancel = &cancel};
        struct tokens tokens;
        tokens_init(&tokens);
        assert_int_equal(tokenizer_encode(tokenizers[i], &request, &tokens, NULL, NULL),
                         ERROR_INTERRUPTED);
        assert_int_equal(tokens.n, 0);
        tokens_deinit(&tokens);
        tokenizer_free(tokenizers[i]);
    }
    free(text);
}

static void test_what_is_not_known_is_named(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"[]", "no object"},
        {"{\"normalizer\":{\"type\":\"Odd\"}}", "tokenizer.json: normalizer: Odd"},
        {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}", "pre_tokenizer: ByteLevel"},
        {"{\"model\":{\"type\":\"BPE\"}}", "model: BPE"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":-1}}}", "no id"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", "'[UNK]' is not in"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"b\"]]}}", "entry 0"},
        {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}}",
         "damaged"},
        {"{\"pre_tokenizer\":{\"type\":\"Punctuation\",\"behavior\":\"Removed\"}}", "Removed"},
        {"{\"model\":{\"vocab\":{\"[UNK]\":0}},\"post_processor\":{\"type\":\"Sequence\","
         "\"processors\":[{\"type\":\"BertProcessing\"},{\"type\":\"BertProcessing\"}]}}",
         "Sequence"},
        {"{\"model\":{\"type\":\"Unigram\",\"byte_fallback\":true,\"vocab\":[[\"a\",0]]}}",
         "byte_fallback"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct tokenizer_files given = {.tokenizer_json = span_of(files[i][0])};
        struct tokenizer *tokenizer;
        struct error err = {0};
        assert_int_equal(tokenizer_new(&given, &tokenizer, &err), ERROR_INVALID);
        if (strstr(err.text, files[i][1]) == NULL) print_error("%s\n", err.text);
        assert_non_null(strstr(err.text, files[i][1]));
    }
}

/* Of a post_processor's Sequence what changes ids; ids of added tokens are those of the vocabulary;
 * a token that stands alone is passed over as a whole. */
static void test_what_the_reference_does(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = make(
        "{\"added_tokens\":[{\"id\":9,\"content\":\"a\",\"single_word\":true,\"special\":true},"
        "{\"id\":7,\"content\":\"ab\",\"single_word\":true,\"special\":true},"
        "{\"id\":8,\"content\":\"b\",\"special\":true}],"
        "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
        "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},"
        "{\"type\":\"BertProcessing\",\"sep\":[\"x\",3],\"cls\":[\"y\",4]}]},"
        "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0,\"a\":1,\"abc\":2}}}",
        NULL);
    check(tokenizer, "a", "4 1 3");
    check(tokenizer, "ab abc",
          "4 7 2 3"); /* \"abc\": \"ab\" does not stand alone, its \"b\" is not looked at */
    check(tokenizer, "b a b", "4 8 1 8 3");
    tokenizer_free(tokenizer);
}

/* A template may name ids that the vocabulary does not have. */
static void test_each_id_is_below_the_size(void **state)
{
    (void)state;
    struct tokenizer *tokenizer =
        make("{\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"x\",70],\"cls\":[\"y\","
             "900]},\"model\":{\"vocab\":{\"[UNK]\":0}}}",
             NULL);
    assert_int_equal(tokenizer_size(tokenizer), 901);
    check(tokenizer, "a", "900 0 70");
    tokenizer_free(tokenizer);
}

/* Before added tokens are looked for, and of both texts. */
static void test_lower_case_first(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = make(
        "{\"added_tokens\":[{\"id\":3,\"content\":\"[SEP]\",\"special\":true}],"
        "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\","
        "\"vocab\":{\"[UNK]\":1,\"[SEP]\":3,\"bat\":5,\"the\":8,\"[\":10,\"sep\":11,\"]\":12}}}",
        NULL);
    struct span pair = span_of("The");
    struct tokenizer_request request = {.text = span_of("BAT [SEP] \xC3\x85"), .pair = &pair};
    assert_string_equal(encode(tokenizer, request), "1 3 1 1'");
    request.lowers_case = 1;
    assert_string_equal(encode(tokenizer, request), "5 10 11 12 1 8'");
    tokenizer_free(tokenizer);
}

static uint64_t hash_of(const char *json, const char *vocabulary)
{
    struct tokenizer *tokenizer = make(json, vocabulary);
    uint64_t hash = tokenizer_hash(tokenizer);
    tokenizer_free(tokenizer);
    return hash;
}

#define SMALL(before, words, behind)                                                               \
    "{" before                                                                                     \
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\","         \
    "\"vocab\":{" words "}}" behind "}"

/* Stored in indexes: how the file is laid out, and what we do not read, is none of it. */
static void test_hash(void **state)
{
    (void)state;
    uint64_t hash = hash_of(SMALL("", "\"[UNK]\":0,\"\xC3\xA9\":1", ""), NULL);
    assert_true(hash == UINT64_C(0xc34da83d7766e9ad));
    assert_true(hash == hash_of(SMALL("\"version\":\"1.0\",\"truncation\":{\"max_length\":5},",
                                      " \"[UNK]\" : 0.0,\n\"\\u00e9\": 1",
                                      ",\"padding\":null,\"decoder\":{\"type\":\"x\"}"),
                                NULL));
    /* Nor the order of members, nor those that are null. */
    assert_true(hash == hash_of(SMALL("\"normalizer\":null,", "\"\xC3\xA9\":1,\"[UNK]\":0",
                                      ",\"added_tokens\":null"),
                                NULL));
    assert_true(hash != hash_of(SMALL("", "\"[UNK]\":1,\"\xC3\xA9\":0", ""), NULL));
    assert_true(hash != hash_of(SMALL("", "\"[UNK]\":0,\"\xC3\xA9\":2", ""), NULL));
    assert_true(hash != hash_of(SMALL("", "\"[UNK]\":0,\"e\":1", ""), NULL));
    assert_true(hash != hash_of(SMALL("\"normalizer\":{\"type\":\"NFC\"},",
                                      "\"[UNK]\":0,\"\xC3\xA9\":1", ""),
                                NULL));
    hash = hash_of(NULL, VOCABULARY);
    assert_true(hash == UINT64_C(0x0d06d926bb31638c));
    assert_true(hash != hash_of(NULL, VOCABULARY "more\n"));
    struct tokenizer_files files = {.vocab_txt = span_of(VOCABULARY),
                                    .tokenizer_config_json = span_of("{\"do_lower_case\":false}")};
    struct tokenizer *tokenizer;
    assert_int_equal(tokenizer_new(&files, &tokenizer, NULL), 0);
    assert_true(hash != tokenizer_hash(tokenizer));
    tokenizer_free(tokenizer);
}

/* cJSON is not counted (base/json.h): vocab.txt makes each block ours. */
static int make_and_encode(void *context, struct error *err)
{
    struct tokenizer_files files = {.vocab_txt = span_of(VOCABULARY)};
    struct tokenizer *tokenizer;
    struct tokens tokens;
    (void)context;
    tokens_init(&tokens);
    int rc = tokenizer_new(&files, &tokenizer, err);
    struct span pair = span_of("the bats caf\xC3\xA9");
    struct tokenizer_request request = {.text = span_of("bats, the batman"), .pair = &pair};
    if (rc == 0) rc = tokenizer_encode(tokenizer, &request, &tokens, NULL, err);
    request.lowers_case = 1;
    if (rc == 0) rc = tokenizer_encode(tokenizer, &request, &tokens, NULL, err);
    tokens_deinit(&tokens);
    tokenizer_free(tokenizer);
    return rc;
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(each_allocation(make_and_encode, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_word_piece),
        cmocka_unit_test(test_mpnet),
        cmocka_unit_test(test_words_that_are_too_long),
        cmocka_unit_test(test_unigram),
        cmocka_unit_test(test_the_best_path_is_the_best),
        cmocka_unit_test(test_a_long_text_is_interrupted),
        cmocka_unit_test(test_what_is_not_known_is_named),
        cmocka_unit_test(test_what_the_reference_does),
        cmocka_unit_test(test_each_id_is_below_the_size),
        cmocka_unit_test(test_lower_case_first),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

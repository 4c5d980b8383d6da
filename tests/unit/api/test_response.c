#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/base64.h"
#include "api/response.h"
#include "base/failing_memory.h"

/* Two vectors of two components, in the forms of the providers. */
#define LIST(items) "{\"object\":\"list\",\"data\":[" items "],\"model\":\"m\"}"
#define ITEM(index, vector)                                                                        \
    "{\"object\":\"embedding\",\"index\":" index ",\"embedding\":" vector "}"
#define FIRST ITEM("0", "[0.25,-0.5]")
#define SECOND ITEM("1", "[0.75,1]")
#define GOOD LIST(FIRST "," SECOND)

static struct api_answer answer_of(const char *provider, const char *body, size_t n_texts)
{
    const struct api_provider *row = api_provider_find(provider, strlen(provider));
    assert_non_null(row);
    return (struct api_answer){
        .provider = row, .status = 200, .body = {body, strlen(body)}, .n_texts = n_texts};
}

static void expect_vectors(const char *provider, const char *body, int64_t expected_tokens)
{
    static const float expected[] = {0.25f, -0.5f, 0.75f, 1};
    struct api_answer answer = answer_of(provider, body, 2);
    struct error err = {0};
    float *vectors = NULL;
    int64_t tokens = 0;
    size_t dimensions = 0;
    if (api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err) != API_OK)
        fail_msg("%s: %s: %s", provider, body, err.text);
    assert_int_equal(dimensions, 2);
    assert_int_equal(tokens, expected_tokens);
    assert_memory_equal(vectors, expected, sizeof expected);
    memory_free(vectors);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_forms_of_embeddings(void **state)
{
    (void)state;
    static const char *const ordered[] = {"together", "openai",     "mistral",    "voyage",
                                          "jina",     "mixedbread", "infinity",   "vllm",
                                          "llamacpp", "litellm",    "tei-openai", "ollama-openai"};
    for (size_t i = 0; i < sizeof ordered / sizeof *ordered; i++) {
        expect_vectors(ordered[i], GOOD, -1);
        expect_vectors(ordered[i], LIST(SECOND "," FIRST), -1);
        expect_vectors(ordered[i],
                       "{\"data\":[{\"embedding\":[0.25,-0.5]},{\"embedding\":"
                       "[0.75,1]}],\"usage\":{\"total_tokens\":7}}",
                       7);
        expect_vectors(ordered[i],
                       "\xEF\xBB\xBF {\"data\":[{\"index\":1,\"embedding\":[75e-2,1.0]}"
                       ",{\"index\":0.0,\"embedding\":\"AACAPgAAAL8=\"}],\"error\":null,"
                       "\"usage\":{\"total_tokens\":0,\"prompt_tokens\":3}} \r\n",
                       3);
    }
    expect_vectors("cohere",
                   "{\"embeddings\":{\"float\":[[0.25,-0.5],[0.75,1]]},\"meta\":"
                   "{\"billed_units\":{\"input_tokens\":2}}}",
                   2);
    expect_vectors("nomic", "{\"embeddings\":[[0.25,-0.5],[0.75,1]],\"usage\":null}", -1);
    expect_vectors("ollama", "{\"embeddings\":[[0.25,-0.5],[0.75,1]],\"prompt_eval_count\":8}", 8);
    expect_vectors("tei", " [[0.25,-0.5],[0.75,1]] ", -1);
    expect_vectors("tei", "[\"AACAPgAAAL8=\",[0.75,1]]", -1);
}

/* The answer to a request for two texts is refused, with this reason. */
static void expect_broken(const char *provider, const char *body, const char *reason)
{
    struct api_answer answer = answer_of(provider, body, 2);
    struct error err = {0};
    float *vectors = NULL;
    int64_t tokens;
    size_t dimensions = 0;
    enum api_outcome outcome = api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err);
    assert_string_equal(err.text, reason);
    assert_int_equal(outcome, API_BROKEN);
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    assert_null(vectors);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_not_an_answer(void **state)
{
    (void)state;
    expect_broken("openai", "", "expected JSON, not an empty text");
    expect_broken("openai", " \n", "expected JSON, not an empty text");
    expect_broken("openai", "\n<html><body>login</body></html>", "expected JSON, not HTML");
    expect_broken("openai", "{\"data\":[{\"embedding\":[0.1,",
                  "the JSON breaks off after 27 bytes");
    expect_broken("openai", "{\"data\":[{\"emb", "not JSON at byte 11");
    expect_broken("openai", "{\"data\":[nan]}", "not JSON at byte 9");
    expect_broken("openai", GOOD "{}", "more text after the JSON at byte 149");
    expect_broken("openai", "{}", "expected an array at /data, not nothing");
    expect_broken("openai", "[]", "expected an array at /data, not nothing");
    expect_broken("openai", "{\"Data\":[]}", "expected an array at /data, not nothing");
    expect_broken("openai", "{\"data\":{}}", "expected an array at /data, not an object");
    expect_broken("tei", "{}", "expected an array, not an object");
    expect_broken("tei", "7", "expected an array, not a number");
    expect_broken("cohere", "{\"embeddings\":[[1],[2]]}",
                  "expected an array at /embeddings/float, not nothing");
}

static void test_wrong_items(void **state)
{
    (void)state;
    expect_broken("openai", LIST(""), "expected 2 vectors, not 0");
    expect_broken("openai", LIST(FIRST), "expected 2 vectors, not 1");
    expect_broken("openai", LIST(FIRST "," SECOND "," SECOND), "expected 2 vectors, not 3");
    expect_broken("ollama", "{\"embeddings\":[]}", "expected 2 vectors, not 0");
    expect_broken("openai", LIST(FIRST "," FIRST), "index 0 comes twice");
    expect_broken("openai", LIST(FIRST "," ITEM("2", "[1,1]")),
                  "expected an index from 0 to 1, not 2");
    expect_broken("openai", LIST(FIRST "," ITEM("-1", "[1,1]")),
                  "expected an index from 0 to 1, not -1");
    expect_broken("openai", LIST(FIRST "," ITEM("0.5", "[1,1]")),
                  "expected an index from 0 to 1, not 0.5");
    expect_broken("openai", LIST(FIRST "," ITEM("1e999", "[1,1]")),
                  "expected an index from 0 to 1, not inf");
    expect_broken("openai", LIST(FIRST "," ITEM("\"1\"", "[1,1]")),
                  "expected a number as index, not a text");
    expect_broken("openai", LIST(FIRST "," ITEM("null", "[1,1]")),
                  "expected a number as index, not null");
    expect_broken("openai", LIST(FIRST ",{\"embedding\":[1,1]}"), "item 1 has no index");
    expect_broken("openai", LIST("{\"embedding\":[1,1]}," FIRST),
                  "item 1 has an index, unlike the first");
    expect_broken("openai", LIST("1,2"), "vector 0: expected an array or base64, not nothing");
}

static void test_wrong_vectors(void **state)
{
    (void)state;
    expect_broken("openai", LIST(FIRST ",{\"index\":1}"),
                  "vector 1: expected an array or base64, not nothing");
    expect_broken("tei", "[[1],{}]", "vector 1: expected an array or base64, not an object");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "[]")), "vector 1: it is empty");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "[1]")),
                  "vector 1 has 1 dimensions, the first 2");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "[1,null]")), "vector 1: component 1 is null");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "[\"1\",2]")),
                  "vector 1: component 0 is a text");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "[true,2]")),
                  "vector 1: component 0 is true or false");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "[1e999,2]")),
                  "vector 1: component 0 is not finite");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "[-1e39,2]")),
                  "vector 1: component 0 is not finite");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "[[1,2]]")),
                  "vector 1 has 1 dimensions, the first 2");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "[[1],2]")),
                  "vector 1: component 0 is an array");
    /* 0.25 and a NaN, 0.25 and infinity */
    expect_broken("openai", LIST(FIRST "," ITEM("1", "\"AACAPgAAwH8=\"")),
                  "vector 1: component 1 is not finite");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "\"AACAPgAAgH8=\"")),
                  "vector 1: component 1 is not finite");
    expect_broken("openai", LIST(FIRST "," ITEM("1", "\"AACAPgAAgH8\"")),
                  "vector 1: base64 of 11 characters, not a multiple of 4");
}

static void test_asked_dimensions(void **state)
{
    (void)state;
    struct api_answer answer = answer_of("openai", GOOD, 2);
    struct error err = {0};
    float *vectors = NULL;
    int64_t tokens;
    size_t dimensions = 3;
    assert_int_equal(api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err),
                     API_BROKEN);
    assert_string_equal(err.text, "expected 3 dimensions, not 2");
    dimensions = 2;
    assert_int_equal(api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err), API_OK);
    memory_free(vectors);
}

/* A vector longer than any may be, and one as deep as JSON gets here. */
static void test_long_and_deep(void **state)
{
    (void)state;
    size_t n = 70000;
    char *body = memory_zalloc(2 * n + 10, 1);
    memcpy(body, "[[0],[", 6);
    for (size_t i = 0; i < n; i++) memcpy(body + 6 + 2 * i, "0,", 2);
    memcpy(body + 6 + 2 * n, "0]]", 3);
    struct api_answer answer = answer_of("tei", body, 2);
    struct error err = {0};
    float *vectors;
    int64_t tokens;
    size_t dimensions = 0;
    assert_int_equal(api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err),
                     API_BROKEN);
    assert_string_equal(err.text, "vector 1: 70001 dimensions are more than 65536");
    memset(body, '[', 2 * n);
    body[2 * n] = '\0';
    answer.body.size = 2 * n;
    assert_int_equal(api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err),
                     API_BROKEN);
    assert_string_equal(err.text, "not JSON at byte 1000");
    memory_free(body);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_error_under_200(void **state)
{
    (void)state;
    struct api_answer answer = answer_of("openai", "{\"error\":{\"message\":\"overloaded\"}}", 2);
    struct error err = {0};
    float *vectors;
    int64_t tokens;
    size_t dimensions = 0;
    assert_int_equal(api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err),
                     API_BROKEN);
    assert_string_equal(err.text, "HTTP 200: overloaded");
    answer = answer_of("vllm", "{\"error\":{\"message\":\"bad secret-key\",\"code\":401}}", 2);
    answer.key = "secret-key";
    double scores[2];
    assert_int_equal(api_parse_scores(&answer, 0, scores, &tokens, &err), API_FAILED);
    assert_string_equal(err.text, "HTTP 200: bad [key] (set VLLM_API_KEY)");
    answer = answer_of("litellm", "{\"error\":\"x\",\"results\":[]}", 2);
    assert_int_equal(api_parse_scores(&answer, 0, scores, &tokens, &err), API_BROKEN);
    assert_string_equal(err.text, "HTTP 200: x");
    answer = answer_of("openai", GOOD, 2);
    answer.status = 503;
    assert_int_equal(api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err), API_BUSY);
    assert_string_equal(err.text, "HTTP 503: service unavailable");
}

/* ---- base64 ------------------------------------------------------------------------------------
 */

static void expect_base64(const char *text, size_t n, const float *expected)
{
    float floats[8];
    size_t came = 0;
    struct span span = {text, strlen(text)};
    assert_int_equal(api_base64_floats(span, NULL, &came, NULL), 0);
    assert_int_equal(came, n);
    assert_int_equal(api_base64_floats(span, floats, &came, NULL), 0);
    assert_memory_equal(floats, expected, n * sizeof *floats);
}

static void test_base64(void **state)
{
    (void)state;
    static const float expected[] = {0.25f, -0.5f, 0.75f, 0.125f};
    expect_base64("AACAPg==", 1, expected);
    expect_base64("AACAPgAAAL8=", 2, expected);
    expect_base64("AACAPgAAAL8AAEA/", 3, expected);
    expect_base64("AACAPgAAAL8AAEA/AAAAPg==", 4, expected);
    static const char *const wrong[] = {"",
                                        "A",
                                        "AAAA",
                                        "AACAPg=",
                                        "AACAPg",
                                        "AACAPh==",
                                        "AACA Pg==",
                                        "AACAP-==",
                                        "AACAP===",
                                        "====",
                                        "AA==APg=",
                                        "AACAPgAAAL9=",
                                        "=ACAPg==",
                                        "AACAPg==AACAPg==",
                                        "AACAP\x80==",
                                        "AACAPgAAAL8AAEA/AA==",
                                        "AACAPg=A"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error err = {0};
        size_t n;
        struct span text = {wrong[i], strlen(wrong[i])};
        if (api_base64_floats(text, NULL, &n, &err) != ERROR_INVALID) fail_msg("%s", wrong[i]);
    }
}

/* ---- scores ------------------------------------------------------------------------------------
 */

#define SCORE(index, score) "{\"index\":" index ",\"relevance_score\":" score "}"

static void test_scores(void **state)
{
    (void)state;
    double scores[3];
    int64_t tokens;
    struct error err = {0};
    struct api_answer answer = answer_of(
        "together",
        "{\"results\":[" SCORE("2", "0.5") "," SCORE("0", "0.25") "],\"usage\":{\"total_tokens\":9,"
                                                                  "\"x\":[{}]}}",
        3);
    assert_int_equal(api_parse_scores(&answer, 2, scores, &tokens, &err), API_OK);
    assert_true(scores[0] == 0.25f && isnan(scores[1]) && scores[2] == 0.5f && tokens == 9);
    assert_int_equal(api_parse_scores(&answer, 1, scores, &tokens, &err), API_OK);
    assert_int_equal(api_parse_scores(&answer, 0, scores, &tokens, &err), API_BROKEN);
    assert_string_equal(err.text, "expected 3 scores, not 2");
    assert_int_equal(api_parse_scores(&answer, 9, scores, &tokens, &err), API_BROKEN);

    /* Echoes are not looked at, whatever they are. */
    answer = answer_of("tei",
                       "[{\"score\":-7,\"index\":1,\"text\":\"\xFF\xFE\"},"
                       "{\"score\":6e0,\"index\":0,\"text\":[[[]]]}]",
                       2);
    assert_int_equal(api_parse_scores(&answer, 1, scores, &tokens, &err), API_OK);
    assert_true(scores[0] == 6 && scores[1] == -7 && tokens == -1);

    answer = answer_of("litellm",
                       "{\"results\":[" SCORE(
                           "0", "1") "],\"meta\":{\"billed_units\":"
                                     "{\"total_tokens\":null},\"tokens\":{\"input_tokens\":4}}}",
                       1);
    assert_int_equal(api_parse_scores(&answer, 0, scores, &tokens, &err), API_OK);
    assert_int_equal(tokens, 4);
    answer = answer_of("cohere",
                       "{\"results\":[" SCORE("0", "1") "],\"meta\":{\"billed_units\":"
                                                        "{\"search_units\":1}}}",
                       1);
    assert_int_equal(api_parse_scores(&answer, 0, scores, &tokens, &err), API_OK);
    assert_int_equal(tokens, -1);
}

static void expect_broken_scores(const char *items, const char *reason)
{
    double scores[2];
    char body[300];
    int64_t tokens;
    struct error err = {0};
    snprintf(body, sizeof body, "{\"results\":%s}", items);
    struct api_answer answer = answer_of("infinity", body, 2);
    assert_int_equal(api_parse_scores(&answer, 0, scores, &tokens, &err), API_BROKEN);
    assert_string_equal(err.text, reason);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_broken_scores(void **state)
{
    (void)state;
    expect_broken_scores("null", "expected an array at /results, not null");
    expect_broken_scores("[]", "expected 2 scores, not 0");
    expect_broken_scores("[1,2,3]", "expected 2 scores, not 3");
    expect_broken_scores("[1,2]", "item 0 has no index");
    expect_broken_scores("[[],[]]", "item 0 has no index");
    expect_broken_scores("[{\"relevance_score\":1},{\"relevance_score\":2}]",
                         "item 0 has no index");
    expect_broken_scores("[" SCORE("0", "1") ",{\"relevance_score\":2}]", "item 1 has no index");
    expect_broken_scores("[" SCORE("1", "1") "," SCORE("1", "1") "]", "index 1 comes twice");
    expect_broken_scores("[" SCORE("1", "1") "," SCORE("7", "1") "]",
                         "expected an index from 0 to 1, not 7");
    expect_broken_scores("[" SCORE("1", "1") "," SCORE("0", "null") "]",
                         "the score of document 0 is null");
    expect_broken_scores("[" SCORE("1", "1e999") "," SCORE("0", "1") "]",
                         "the score of document 1 is not finite");
    expect_broken_scores("[" SCORE("1", "1") ",{\"index\":0,\"score\":1}]",
                         "the score of document 0 is nothing");
}

/* ---- whatever comes ----------------------------------------------------------------------------
 */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* An accepted answer has only finite numbers, a refused one a reason. */
static void parse_anything(const char *provider, const char *body, size_t size)
{
    struct api_answer answer = answer_of(provider, "", 2);
    struct error err = {0};
    float *vectors;
    double scores[2];
    int64_t tokens;
    size_t dimensions = 0;
    answer.body = (struct span){body, size};
    enum api_outcome outcome = api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err);
    assert_int_equal(outcome == API_OK, vectors != NULL);
    assert_int_equal(outcome == API_OK, err.text[0] == '\0');
    for (size_t i = 0; outcome == API_OK && i < 2 * dimensions; i++)
        assert_true(isfinite(vectors[i]));
    memory_free(vectors);
    if (answer.provider->rerank.path == NULL) return;
    outcome = api_parse_scores(&answer, 0, scores, &tokens, &err);
    if (outcome == API_OK) assert_true(isfinite(scores[0]) && isfinite(scores[1]));
}

static void test_mutations(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        GOOD, LIST("{\"index\":0,\"embedding\":\"AACAPgAAAL8=\"}," SECOND),
        "{\"results\":[" SCORE("0", "1") "," SCORE("1", "2") "],\"usage\":{\"total_tokens\":5}}",
        "[[0.25,-0.5],[0.75,1]]", "[{\"index\":0,\"score\":1},{\"index\":1,\"score\":0.5}]"};
    static const char *const providers[] = {"openai", "jina", "infinity", "tei", "tei"};
    static const char bytes[] = "0123456789-+.eE\"\\{}[],:ntu\x80\xFF\x00";
    uint64_t random = 42;
    for (int i = 0; i < 5000; i++) {
        char body[400];
        size_t size = strlen(bodies[i % 5]);
        memcpy(body, bodies[i % 5], size);
        for (uint64_t n = next_random(&random) % 3 + 1; n > 0; n--) {
            size_t at = next_random(&random) % size;
            size_t from = next_random(&random) % size, left = size - (at > from ? at : from);
            switch (next_random(&random) % 3) {
            case 0:
                body[at] = bytes[next_random(&random) % sizeof bytes];
                break;
            case 1:
                memmove(body + at, body + from, left);
                break;
            default:
                size = at + 1;
                break;
            }
        }
        parse_anything(providers[i % 5], body, size);
        assert_int_equal(failing_memory_blocks, 0);
    }
}

/* 200,000 numbers for two texts: not read at all. */
static void test_more_numbers_than_vectors_have(void **state)
{
    (void)state;
    static char body[400100];
    size_t size = (size_t)sprintf(body, "{\"data\":[0");
    while (size < 400000) size += (size_t)sprintf(body + size, ",0");
    size += (size_t)sprintf(body + size, "]}");
    struct api_answer answer = answer_of("openai", body, 2);
    struct error err = {0};
    size_t dimensions = 0;
    float *vectors;
    int64_t tokens;
    assert_int_equal(api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err),
                     API_BROKEN);
    assert_string_equal(err.text, "the answer holds more numbers than 2 vectors have");
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct api_answer answer = answer_of("openai", GOOD, 2);
    enum api_outcome outcome = API_FAILED;
    float *vectors = NULL;
    double scores[2];
    int64_t tokens;
    long n = 0;
    for (; outcome != API_OK && n < 200; n++) {
        struct error err = {0};
        size_t dimensions = 0;
        failing_memory_after = n;
        outcome = api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err);
        failing_memory_after = -1;
        if (outcome == API_OK) break;
        assert_int_equal(outcome, API_FAILED);
        assert_int_equal(err.code, ERROR_NOMEM);
        assert_string_equal(err.text, "out of memory");
        assert_null(vectors);
        assert_int_equal(failing_memory_blocks, 0);
    }
    assert_true(n > 0 && n < 200);
    memory_free(vectors);

    answer = answer_of("together", "{\"results\":[" SCORE("0", "1") "," SCORE("1", "2") "]}", 2);
    for (outcome = API_FAILED, n = 0; outcome != API_OK && n < 200; n++) {
        struct error err = {0};
        failing_memory_after = n;
        outcome = api_parse_scores(&answer, 0, scores, &tokens, &err);
        failing_memory_after = -1;
        if (outcome != API_OK) assert_int_equal(err.code, ERROR_NOMEM);
        assert_int_equal(failing_memory_blocks, 0);
    }
    assert_true(n > 0 && n < 200);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_embeddings),
        cmocka_unit_test(test_not_an_answer),
        cmocka_unit_test(test_wrong_items),
        cmocka_unit_test(test_wrong_vectors),
        cmocka_unit_test(test_asked_dimensions),
        cmocka_unit_test(test_long_and_deep),
        cmocka_unit_test(test_error_under_200),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_broken_scores),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_more_numbers_than_vectors_have),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

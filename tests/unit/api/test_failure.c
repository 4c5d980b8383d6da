#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "api/response.h"
#include "api/scrub.h"
#include "api/shared_file.h"
#include "base/failing_memory.h"
#include "text/utf8.h"

static const char *const outcomes[] = {"ok",        "broken",  "busy",  "retry",
                                       "too large", "refused", "failed"};

static const struct api_provider *provider_of(const char *name)
{
    const struct api_provider *provider = api_provider_find(name, strlen(name));
    assert_non_null(provider);
    return provider;
}

/* What an answer to a request for two texts means. */
static void expect(const char *provider, int status, const char *body, const char *outcome,
                   const char *text)
{
    struct error err = {0};
    struct api_answer answer = {.provider = provider_of(provider),
                                .model = "owner/name",
                                .status = status,
                                .body = {body, strlen(body)},
                                .n_texts = 2};
    assert_string_equal(outcomes[api_parse_failure(&answer, &err)], outcome);
    assert_string_equal(err.text, text);
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_places_of_the_message(void **state)
{
    (void)state;
    expect("openai", 400, "{\"error\":{\"message\":\"No.\",\"code\":null}}", "refused",
           "HTTP 400: No");
    expect("ollama", 400, "{\"error\":\"no\"}", "refused", "HTTP 400: no");
    expect("jina", 400, "{\"detail\":{\"message\":\"no\"}}", "refused", "HTTP 400: no");
    expect("voyage", 400, "{\"detail\":\"no\"}", "refused", "HTTP 400: no");
    expect("nomic", 422, "{\"detail\":[{\"msg\":\"no\"},{\"msg\":\"x\"}]}", "refused",
           "HTTP 422: no");
    expect("cohere", 400, "{\"id\":\"x\",\"message\":\"no\"}", "refused", "HTTP 400: no");
    expect("cohere", 400, "{\"error\":{},\"message\":\"no\"}", "refused", "HTTP 400: no");
    expect("cohere", 400, "{\"error\":\"\",\"message\":\"no\"}", "refused", "HTTP 400: no");
}

static void test_no_message(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "<html>Bad</html>",
                                         "plain",
                                         "{\"error\": {\"mess",
                                         "{\"error\":{\"message\":\"<html>x</html>\"}}",
                                         "{\"message\":\"see <!DOCTYPE html>\"}",
                                         "{\"message\":\" \\u0001\\n \"}",
                                         "[]",
                                         "null",
                                         "{\"message\":7}",
                                         "\xFF\xFE"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        expect("openai", 400, bodies[i], "refused", "HTTP 400: the request was refused");
        expect("tei", 401, bodies[i], "failed", "HTTP 401: invalid API key (set HF_TOKEN)");
        expect("openai", 502, bodies[i], "retry", "HTTP 502: bad gateway");
    }
    expect("openai", 302, "", "failed", "HTTP 302: redirected, which is not followed");
    expect("openai", 418, "", "failed", "HTTP 418: no message");
    expect("openai", 599, "", "failed", "HTTP 599: server error");
}

static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *outcome;
    } cases[] = {{301, "failed"},    {400, "refused"}, {401, "failed"}, {402, "failed"},
                 {403, "failed"},    {404, "failed"},  {408, "retry"},  {409, "retry"},
                 {413, "too large"}, {422, "refused"}, {425, "failed"}, {429, "busy"},
                 {498, "failed"},    {499, "failed"},  {501, "failed"}, {502, "retry"},
                 {503, "busy"},      {504, "retry"},   {505, "failed"}, {529, "busy"}};
    size_t n = 0;
    const struct api_provider *rows = api_providers(&n);
    for (size_t i = 0; i < n; i++) {
        struct api_answer answer = {.provider = &rows[i], .n_texts = 2};
        for (size_t j = 0; j < sizeof cases / sizeof *cases; j++) {
            answer.status = cases[j].status;
            assert_string_equal(outcomes[api_parse_failure(&answer, NULL)], cases[j].outcome);
        }
        answer.status = 500;
        assert_int_equal(api_parse_failure(&answer, NULL),
                         rows[i].retries_500 ? API_RETRY : API_FAILED);
        answer.status = 413;
        answer.n_texts = 1;
        assert_int_equal(api_parse_failure(&answer, NULL), API_REFUSED);
    }
}

static void test_bills(void **state)
{
    (void)state;
    expect("openai", 429,
           "{\"error\":{\"message\":\"pay\",\"type\":\"insufficient_quota\","
           "\"code\":null}}",
           "failed", "HTTP 429: pay");
    expect("openai", 429,
           "{\"error\":{\"message\":\"pay\",\"type\":\"x\",\"code\":"
           "\"project_spend_limit_exceeded\"}}",
           "failed", "HTTP 429: pay");
    expect("openai", 429, "{\"error\":{\"message\":\"slow\",\"code\":\"rate_limit_exceeded\"}}",
           "busy", "HTTP 429: slow");
    expect("together", 429,
           "{\"error\":{\"message\":\"slow\"},\"error_type\":"
           "\"dynamic_request_limited\"}",
           "busy", "HTTP 429: slow");
    expect("jina", 403, "{\"detail\":\"pay\",\"code\":\"AUTHZ_INSUFFICIENT_BALANCE\"}", "failed",
           "HTTP 403: pay");
}

static void test_too_large(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "The max allowed tokens per submitted batch is 9",
        "Too many, split into more batches",
        "Too many tokens in batch. Max is 9",
        "batch size 64 > maximum allowed batch size 32",
        "max 300000 tokens per request",
        "total number of texts must be at most 96 - received 104",
        "each list can contain at most 512 items",
        "size 3000 > allowed size 2048"};
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        char body[200], text[200];
        snprintf(body, sizeof body, "{\"message\":\"%s\"}", messages[i]);
        snprintf(text, sizeof text, "HTTP 400: %s", messages[i]);
        expect("mistral", 400, body, "too large", text);
        snprintf(text, sizeof text, "HTTP 500: %s", messages[i]);
        expect("mistral", 500, body, "too large", text);
        snprintf(text, sizeof text, "HTTP 429: %s", messages[i]);
        expect("mistral", 429, body, "busy", text);
    }
    expect("openai", 400, "{\"message\":\"at most words items\"}", "refused",
           "HTTP 400: at most words items");
    expect("openai", 200, "{\"error\":\"tokens in batch\"}", "too large",
           "HTTP 200: tokens in batch");
}

static void test_cures(void **state)
{
    (void)state;
    expect("together", 401, "{\"error\":{\"message\":\"invalid API key\"}}", "failed",
           "HTTP 401: invalid API key (set TOGETHER_API_KEY)");
    expect("openai", 403, "{\"error\":{\"message\":\"no\"}}", "failed",
           "HTTP 403: no (set OPENAI_API_KEY)");
    expect("cohere", 498, "{\"message\":\"invalid token\"}", "failed",
           "HTTP 498: invalid token (set CO_API_KEY)");
    expect("together", 400,
           "{\"error\":{\"message\":\"Unable to access non-serverless model owner/name. Please\","
           "\"code\":\"model_not_available\"}}",
           "failed",
           "HTTP 400: owner/name needs a dedicated endpoint at together: choose another model, "
           "another provider, local: or builtin:lexical");
    expect(
        "together", 400,
        "{\"error\":{\"message\":\"Unable to access model x.\",\"code\":\"model_not_available\"}}",
        "failed", "HTTP 400: Unable to access model x");
}

/* With 500 a text is to blame only where the answer says so. */
static void test_numbers_that_are_none(void **state)
{
    (void)state;
    expect("ollama", 500, "{\"error\":\"failed to encode response: json: unsupported value: NaN\"}",
           "refused", "HTTP 500: failed to encode response: json: unsupported value: NaN");
    expect("tei", 500, "ValueError: Out of range float values are not JSON compliant", "refused",
           "HTTP 500: internal server error");
    expect("together", 500, "{\"error\":{\"message\":\"got nan\"}}", "refused",
           "HTTP 500: got nan");
    expect("together", 500, "{\"error\":{\"message\":\"no nanny\"}}", "failed",
           "HTTP 500: no nanny");
    expect("llamacpp", 500,
           "{\"error\":{\"message\":\"input is too large to process. increase the physical "
           "batch size\"}}",
           "refused", "HTTP 500: input is too large to process. increase the physical batch size");
    expect("openai", 500, "{\"error\":{\"message\":\"internal\"}}", "retry", "HTTP 500: internal");
}

static void test_errors_under_200(void **state)
{
    (void)state;
    expect("openai", 200, "{\"error\":{\"message\":\"overloaded\"}}", "broken",
           "HTTP 200: overloaded");
    expect("openai", 200, "{\"error\":{}}", "broken", "HTTP 200: an error without a message");
    expect("vllm", 200, "{\"error\":{\"message\":\"m\",\"code\":429}}", "busy", "HTTP 200: m");
    expect("litellm", 200, "{\"error\":{\"message\":\"m\",\"code\":\"401\"}}", "failed",
           "HTTP 200: m (set LITELLM_API_KEY)");
    expect("litellm", 200, "{\"error\":{\"message\":\"m\",\"code\":1e99}}", "broken",
           "HTTP 200: m");
}

/* ---- what is shown of a message ----------------------------------------------------------------
 */

static void expect_scrubbed(const char *message, const char *key, const char *expected)
{
    char out[API_MESSAGE_BYTES + 1];
    api_scrub(message, key, out);
    assert_string_equal(out, expected);
}

#define REAL "tgp_v1_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
#define PLAIN "AbCdEfGhIjKlMnOpQrStUvWx"

static void test_scrubs_the_key(void **state)
{
    (void)state;
    expect_scrubbed("Incorrect API key provided: test-key. See https://h/k-1.", "test-key",
                    "Incorrect API key provided: [key]. See https://h/k-1");
    expect_scrubbed("TEST-KEY,test-keytest-key;Test-Keys", "test-key", "[key],[key][key];[key]s");
    expect_scrubbed("key '" REAL "' is wrong", REAL, "key '[key]' is wrong");
    expect_scrubbed("key " PLAIN " is wrong", PLAIN, "key [key] is wrong");
    expect_scrubbed("key " PLAIN " is wrong", NULL, "key " PLAIN " is wrong");
    expect_scrubbed("key is wrong", "", "key is wrong");
}

static void test_scrubs_pieces_of_the_key(void **state)
{
    (void)state;
    expect_scrubbed("key AbCdEf is wrong", PLAIN, "key [key] is wrong");
    expect_scrubbed("key abcdefgh... is wrong", PLAIN, "key [key]... is wrong");
    expect_scrubbed("the key ending in UvWx", PLAIN, "the key ending in [key]");
    expect_scrubbed("AbCde is short, vWx too", PLAIN, "AbCde is short, vWx too");
    expect_scrubbed("a short key has no pieces: secret", "secret-key",
                    "a short key has no pieces: secret");
}

static void test_scrubs_what_looks_like_a_key(void **state)
{
    (void)state;
    static const char *const secrets[] = {"sk-proj-abc_def",
                                          "sk-...abcd",
                                          "sk-ab***********yz",
                                          "AbC...xYz",
                                          "Ab\xE2\x80\xA6yz",
                                          "Ab\xE2\x80\xA2\xE2\x80\xA2yz",
                                          "hf_abc123",
                                          "jina_0123abc",
                                          "pa-A1b2c3",
                                          "nk-12345",
                                          "0123456789abcdef0123456789abcdef",
                                          "AIzaSyA-1234567",
                                          REAL};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        char message[200];
        snprintf(message, sizeof message, "wrong key: \"%s\" (key=%s).", secrets[i], secrets[i]);
        expect_scrubbed(message, NULL, "wrong key: \"[key]\" (key=[key])");
    }
    expect_scrubbed("Authorization: Bearer abc123def, Basic dXNlcjpwYXNzd29yZA==", NULL,
                    "Authorization: Bearer [key], Basic [key]==");
}

static void test_leaves_words_alone(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "model intfloat/multilingual-e5-large-instruct not found: https://api.together.ai/models",
        "Limit 1000000, Used 998000, Requested 9000. Please try again in 420ms",
        "id 8f1b2c3d-0000-4000-8000-000000000000 and oyGk652-2kFHot-a333e6076c7fc6ca",
        "Bearer token missing",
        "wait... then try",
        "task-specific risk-free hf_transfer",
        "[RID: 1] Loading model...",
        "gr\xC3\xBC\xC3\x9F\x65 \xE6\x97\xA5\xE6\x9C\xAC"};
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        expect_scrubbed(messages[i], PLAIN, messages[i]);
}

static void test_flattens(void **state)
{
    (void)state;
    expect_scrubbed(" a\r\n\tb\x01\x1B[31mc\x7F \xE2\x80\xAE\x64\xC2\x85.", NULL, "a b [31mc d");
    expect_scrubbed("a\xFF\x62\xED\xA0\x80", NULL,
                    "a\xEF\xBF\xBD\x62\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    expect_scrubbed("", NULL, "");
    expect_scrubbed(".", NULL, ".");
    expect_scrubbed("one. two.", NULL, "one. two");
}

static void test_clips(void **state)
{
    (void)state;
    static char message[10000];
    char out[API_MESSAGE_BYTES + 1];
    for (size_t size = 190; size < 220; size++) {
        memset(message, 0, sizeof message);
        for (size_t i = 0; i + 1 < size; i += 2) memcpy(message + i, "\xC3\xA9", 2);
        api_scrub(message, NULL, out);
        assert_true(strlen(out) <= API_MESSAGE_BYTES);
        assert_true(utf8_check((struct span){out, strlen(out)}, NULL));
    }
    assert_string_equal(out + 196, "...");
    /* A key that only begins within what is looked at. */
    memset(message, ' ', sizeof message - 1);
    memcpy(message, "word", 4);
    memset(message + 3000, '\x01', 1050);
    memcpy(message + 100, PLAIN PLAIN PLAIN, 3 * strlen(PLAIN));
    api_scrub(message, PLAIN, out);
    assert_string_equal(out, "word [key][key][key]");
    memset(message, 'x', sizeof message - 1);
    api_scrub(message, PLAIN, out);
    assert_string_equal(out, "");
    for (size_t i = 0; i + 4 < sizeof message; i += 4) memcpy(message + i, "k ab", 4);
    api_scrub(message, "k", out);
    assert_int_equal(strlen(out), API_MESSAGE_BYTES);
    assert_null(strstr(out, "k "));
}

/* No message whatever shows the key, more than 200 bytes or anything but UTF-8. */
static void test_any_message(void **state)
{
    (void)state;
    static const char *const parts[] = {PLAIN, "AbCdEf", "UvWx", " ", ".",       "...",
                                        "*",   "\xC3",   "\xA9", "<", "Bearer ", "sk-",
                                        "a",   "\n",     "/",    "0", ":",       "\x7F"};
    uint64_t random = 7;
    for (int i = 0; i < 2000; i++) {
        char message[600] = "", out[API_MESSAGE_BYTES + 1];
        for (int j = 0; j < 20; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            strncat(message, parts[(random >> 33) % (sizeof parts / sizeof *parts)],
                    sizeof message - strlen(message) - 1);
        }
        api_scrub(message, PLAIN, out);
        assert_null(strstr(out, PLAIN));
        assert_null(strstr(out, "AbCdEfGh"));
        assert_true(strlen(out) <= API_MESSAGE_BYTES);
        assert_true(utf8_check((struct span){out, strlen(out)}, NULL));
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    static const char body[] = "{\"error\":{\"message\":\"slow\",\"code\":null}}";
    struct api_answer answer = {.provider = provider_of("openai"),
                                .status = 429,
                                .body = {body, sizeof body - 1},
                                .n_texts = 1};
    enum api_outcome outcome = API_FAILED;
    long n = 0;
    for (; outcome == API_FAILED && n < 100; n++) {
        struct error err = {0};
        failing_memory_after = n;
        outcome = api_parse_failure(&answer, &err);
        failing_memory_after = -1;
        if (outcome == API_FAILED) assert_int_equal(err.code, ERROR_NOMEM);
        assert_int_equal(failing_memory_blocks, 0);
    }
    assert_int_equal(outcome, API_BUSY);
    assert_true(n > 0);
}

/* ---- against the collected errors of providers -------------------------------------------------
 */

/* Texts that do not come out as they are: one that is replaced by a cure, and one with an id of 32
 * digits and letters, which might be a key. */
static int is_changed(const char *message)
{
    return strstr(message, "non-serverless") != NULL || strstr(message, "[RID: ") != NULL;
}

/* Runs of spaces as one, which is how a message is shown. */
static const char *single_spaced(const char *message)
{
    static char text[600];
    size_t size = 0;
    for (; *message != '\0' && size + 1 < sizeof text; message++)
        if (*message != ' ' || size == 0 || text[size - 1] != ' ') text[size++] = *message;
    text[size] = '\0';
    return text;
}

static void expect_collected(const cJSON *entry)
{
    const char *name = json_text_at(entry, "/provider");
    const char *place = json_text_at(entry, "/message_at");
    const cJSON *content = json_at(entry, "/body");
    char *text = cJSON_IsString(content) ? NULL : cJSON_PrintUnformatted(content);
    const char *body = text == NULL ? content->valuestring : text;
    char head[300];
    struct error err = {0};
    struct api_answer answer = {.provider =
                                    provider_of(strcmp(name, "any gateway") == 0 ? "openai" : name),
                                .status = (int)json_at(entry, "/status")->valuedouble,
                                .body = {body, strlen(body)},
                                .n_texts = 1};
    enum api_outcome outcome = api_parse_failure(&answer, &err);
    int retried = outcome == API_BUSY || outcome == API_RETRY;
    if (retried != cJSON_IsTrue(json_at(entry, "/retry")))
        fail_msg("%s %s: %s", name, outcomes[outcome], err.text);

    const char *message = place == NULL ? NULL : json_text_at(content, place);
    if (message != NULL && !is_changed(message)) {
        message = single_spaced(message);
        size_t size = strlen(message) > 190 ? 190 : strlen(message);
        if (message[size - 1] == '.') size--;
        snprintf(head, sizeof head, "HTTP %d: %.*s", answer.status, (int)size, message);
        if (strncmp(err.text, head, strlen(head)) != 0) fail_msg("%s, not %s", err.text, head);
    }
    assert_null(strchr(err.text, '\n'));
    assert_null(strchr(err.text, '<'));

    /* Where the collection says to send less at once, two texts are halved. */
    const char *note = json_text_at(entry, "/note");
    answer.n_texts = 2;
    if (note != NULL && strstr(note, "split the batch") != NULL)
        assert_int_equal(api_parse_failure(&answer, NULL), API_TOO_LARGE);
    cJSON_free(text);
}

/* Every broken answer to a request for two texts. */
static void expect_misbehaviour(const cJSON *entry)
{
    const cJSON *body = json_at(entry, "/body");
    const char *name = json_text_at(entry, "/name");
    struct api_answer answer = {.provider = provider_of("openai"),
                                .status = (int)json_at(entry, "/status")->valuedouble,
                                .body = {body->valuestring, strlen(body->valuestring)},
                                .n_texts = strcmp(name, "null in a vector") == 0 ? 1 : 2};
    struct error err = {0};
    float *vectors = NULL;
    int64_t tokens;
    size_t dimensions = 0;
    int scores = strstr(answer.body.data == NULL ? "" : answer.body.data, "\"results\"") != NULL;
    if (scores) answer.provider = provider_of("together");
    double two[2];
    enum api_outcome outcome =
        scores ? api_parse_scores(&answer, 1, two, &tokens, &err)
               : api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err);
    memory_free(vectors);
    if (strcmp(name, "reordered") == 0) assert_int_equal(outcome, API_OK);
    else if (answer.status == 200) assert_int_equal(outcome, API_BROKEN);
    else assert_true(outcome > API_BROKEN);
    if (outcome != API_OK) assert_true(err.text[0] != '\0');
    /* Of one text only, the answer is right. */
    if (strcmp(name, "right JSON, wrong content type") != 0) return;
    answer.n_texts = 1;
    assert_int_equal(api_parse_embeddings(&answer, &dimensions, &vectors, &tokens, &err), API_OK);
    memory_free(vectors);
}

static void test_collected_errors(void **state)
{
    (void)state;
    const cJSON *entry;
    cJSON *wire = shared_json("wire/errors.json");
    if (wire == NULL) skip();
    assert_int_equal(cJSON_GetArraySize(json_at(wire, "/errors")), 79);
    assert_int_equal(cJSON_GetArraySize(json_at(wire, "/misbehaviour")), 16);
    cJSON_ArrayForEach(entry, json_at(wire, "/errors")) expect_collected(entry);
    cJSON_ArrayForEach(entry, json_at(wire, "/misbehaviour")) expect_misbehaviour(entry);
    cJSON_Delete(wire);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_of_the_message),
        cmocka_unit_test(test_no_message),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_bills),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_cures),
        cmocka_unit_test(test_numbers_that_are_none),
        cmocka_unit_test(test_errors_under_200),
        cmocka_unit_test(test_scrubs_the_key),
        cmocka_unit_test(test_scrubs_pieces_of_the_key),
        cmocka_unit_test(test_scrubs_what_looks_like_a_key),
        cmocka_unit_test(test_leaves_words_alone),
        cmocka_unit_test(test_flattens),
        cmocka_unit_test(test_clips),
        cmocka_unit_test(test_any_message),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_collected_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/completion.h"
#include "base/each_allocation.h"
#include "base/failing_memory.h"

#define WRAP(choice) "{\"object\":\"chat.completion\",\"choices\":[" choice "]}"
#define SAY(content) WRAP("{\"index\":0,\"message\":{\"content\":" content "}}")
#define END(content, reason)                                                                       \
    WRAP("{\"message\":{\"content\":" content "},\"finish_reason\":\"" reason "\"}")

static struct api_answer answer_of(int status, const char *body)
{
    return (struct api_answer){.provider = api_provider_find("together-chat", 13),
                               .model = "m",
                               .key = "secret-key",
                               .status = status,
                               .body = {body, strlen(body)},
                               .n_texts = 3};
}

static void expect_order(const char *body)
{
    struct api_answer answer = answer_of(200, body);
    size_t order[3] = {9, 9, 9};
    int64_t tokens;
    struct error err = {0};
    if (api_parse_ranking(&answer, order, &tokens, &err) != API_OK)
        fail_msg("%s: %s", body, err.text);
    if (order[0] != 2 || order[1] != 0 || order[2] != 1)
        fail_msg("%s: %zu %zu %zu", body, order[0], order[1], order[2]);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_rankings(void **state)
{
    (void)state;
    expect_order(SAY("\"{\\\"ranking\\\": [3, 1, 2]}\""));
    expect_order(SAY("\"[3] > [1] > [2]\""));
    expect_order(SAY("\"3\""));
    expect_order(SAY("[{\"type\":\"text\",\"text\":\"3,\"},{\"text\":\"1,2\"}]"));
    expect_order(SAY("[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"1,2,3\"}]"
                     "},{\"type\":\"text\",\"text\":\"3,1,2\"}]"));
    expect_order(END("\"{\\\"ranking\\\": [3, 1, \"", "length"));
    expect_order(WRAP("{\"message\":{\"content\":\"3,1,2\",\"refusal\":null,\"tool_calls\":[]},"
                      "\"finish_reason\":\"tool_calls\"},{\"message\":{\"content\":\"1,2,3\"}}"));
    expect_order("{\"error\":null,\"choices\":[{\"message\":{\"content\":\"3,1,2\","
                 "\"reasoning_content\":\"1 > 2 > 3\"}}]}");
}

static void test_tokens(void **state)
{
    (void)state;
    static const char *const contents[] = {"\"3,1,2\"", "null"};
    for (int i = 0; i < 2; i++) {
        char body[300];
        size_t order[3];
        int64_t tokens;
        snprintf(body, sizeof body,
                 "{\"choices\":[{\"message\":{\"content\":%s}}],\"usage\":{\"prompt_tokens\":5,"
                 "\"completion_tokens\":2,\"total_tokens\":7}}",
                 contents[i]);
        struct api_answer answer = answer_of(200, body);
        assert_int_equal(api_parse_ranking(&answer, order, &tokens, NULL),
                         i == 0 ? API_OK : API_BROKEN);
        assert_int_equal(tokens, 7);
    }
}

static void expect_failure(int status, const char *body, enum api_outcome outcome, const char *text)
{
    struct api_answer answer = answer_of(status, body);
    size_t order[3];
    int64_t tokens;
    struct error err = {0};
    enum api_outcome came = api_parse_ranking(&answer, order, &tokens, &err);
    if (came != outcome || strcmp(err.text, text) != 0)
        fail_msg("%s: %d %s\nexpected %d %s", body, came, err.text, outcome, text);
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    assert_int_equal(failing_memory_blocks, 0);
}

#define CUT                                                                                        \
    "the answer was cut off before it ranked anything (finish_reason length): the server allows "  \
    "too few tokens, or the model thinks for too long"

static void test_failures(void **state)
{
    (void)state;
    expect_failure(200, "{}", API_BROKEN, "expected an array at /choices, not nothing");
    expect_failure(200, "{\"choices\":{}}", API_BROKEN,
                   "expected an array at /choices, not an object");
    expect_failure(200, "not JSON", API_BROKEN, "not JSON at byte 0");
    expect_failure(200, "{\"choices\":[],\"x\":NaN}", API_BROKEN, "not JSON at byte 18");
    expect_failure(200, WRAP(""), API_BROKEN, "the answer holds no choice");
    expect_failure(200, WRAP("{}"), API_BROKEN,
                   "expected a message in the first choice, not nothing");
    expect_failure(200, WRAP("7"), API_BROKEN,
                   "expected a message in the first choice, not nothing");
    expect_failure(200, WRAP("{\"message\":\"3,1,2\"}"), API_BROKEN,
                   "expected a message in the first choice, not a text");
    expect_failure(200, WRAP("{\"message\":{}}"), API_BROKEN,
                   "expected a ranking, not nothing as content");
    expect_failure(200, SAY("null"), API_BROKEN, "expected a ranking, not null as content");
    expect_failure(200, SAY("\"\""), API_BROKEN,
                   "expected a ranking, not an empty text as content");
    expect_failure(200, SAY("[312]"), API_BROKEN, "expected a ranking, not an array as content");
    expect_failure(200, SAY("312"), API_BROKEN, "expected a ranking, not a number as content");
    expect_failure(200, END("null", "stop"), API_BROKEN,
                   "expected a ranking, not null as content (finish_reason stop)");
    expect_failure(200, SAY("\"As a model with secret-key\\nI will not.\""), API_BROKEN,
                   "expected a ranking of documents 1 to 3, not 'As a model with [key] I will "
                   "not'");
    expect_failure(200, END("\"\"", "length"), API_FAILED, CUT);
    expect_failure(200, END("\"<think>3, 1, 2\"", "length"), API_FAILED, CUT);
    expect_failure(200, END("\"3,1,2\"", "content_filter"), API_REFUSED,
                   "a content filter withheld the answer (finish_reason content_filter)");
    expect_failure(200,
                   WRAP("{\"message\":{\"content\":null,\"refusal\":\"I cannot, secret-key.\"}}"),
                   API_REFUSED, "the model refused: I cannot, [key]");
    expect_failure(200,
                   WRAP("{\"message\":{\"content\":null,\"tool_calls\":[{\"function\":{\"name\":"
                        "\"search\",\"arguments\":\"3,1,2\"}}]},\"finish_reason\":\"tool_calls\"}"),
                   API_BROKEN, "expected a ranking, not a call of the tool 'search'");
    expect_failure(200, WRAP("{\"message\":{\"function_call\":{\"name\":\"f\"}}}"), API_BROKEN,
                   "expected a ranking, not a call of the tool 'f'");
    expect_failure(200, "{\"error\":{\"message\":\"overloaded\"}}", API_BROKEN,
                   "HTTP 200: overloaded");
    expect_failure(401, "{\"error\":{\"message\":\"no\"}}", API_FAILED,
                   "HTTP 401: no (set TOGETHER_API_KEY)");
    expect_failure(429, "", API_BUSY, "HTTP 429: too many requests");
    expect_failure(400, "", API_REFUSED, "HTTP 400: the request was refused");
}

static int parse_once(void *context, struct error *err)
{
    struct api_answer answer = answer_of(200, context);
    size_t order[3];
    int64_t tokens;
    enum api_outcome outcome = api_parse_ranking(&answer, order, &tokens, err);
    assert_true(outcome == API_OK || outcome == API_FAILED);
    return outcome == API_OK ? 0 : ERROR_NOMEM;
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(each_allocation(parse_once, SAY("\"{\\\"ranking\\\": [3, 1, 2]}\"")) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rankings),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_memory),
    };
    failing_memory_bind();
    return cmocka_run_group_tests_name("api/completion", tests, NULL, NULL);
}

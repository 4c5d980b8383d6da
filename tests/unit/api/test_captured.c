/*
 * test_captured.c: the parsers against answers that were captured from the providers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "api/response.h"
#include "api/shared_file.h"
#include "base/failing_memory.h"

/* The vectors of all captured answers begin with this. */
static void expect_captured_vectors(struct api_answer *answer, const cJSON *pair)
{
    static const float captured[] = {0.25f, -0.5f, 0.75f, 0.125f, 0.125f, 0.75f, -0.5f, 0.25f};
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(json_at(pair, "/request/body"),
                                                          answer->provider->embed.input);
    struct error err = {0};
    float *vectors;
    int64_t tokens;
    size_t dimensions = 0;
    answer->n_texts = cJSON_IsArray(input) ? (size_t)cJSON_GetArraySize(input) : 1;
    enum api_outcome outcome = api_parse_embeddings(answer, &dimensions, &vectors, &tokens, &err);
    if (strcmp(json_text_at(pair, "/name") == NULL ? "" : json_text_at(pair, "/name"),
               "empty text") == 0) {
        assert_int_equal(outcome, API_BROKEN);
        assert_string_equal(err.text, "expected 1 vectors, not 0");
        return;
    }
    if (outcome != API_OK) fail_msg("%s: %s", answer->provider->name, err.text);
    assert_int_equal(dimensions, 4);
    assert_memory_equal(vectors, captured, answer->n_texts * 4 * sizeof *vectors);
    const cJSON *usage = json_at(pair, "/response/body/usage/total_tokens");
    if (cJSON_IsNumber(usage)) assert_int_equal(tokens, (int64_t)usage->valuedouble);
    memory_free(vectors);
}

static void expect_captured_scores(struct api_answer *answer, const cJSON *pair)
{
    const struct api_rerank_form *form = &answer->provider->rerank;
    const cJSON *body = json_at(pair, "/request/body"), *item;
    const cJSON *limit =
        form->limit == NULL ? NULL : cJSON_GetObjectItemCaseSensitive(body, form->limit);
    double scores[8];
    int64_t tokens;
    size_t n = 0;
    struct error err = {0};
    answer->n_texts =
        (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(body, form->documents));
    enum api_outcome outcome = api_parse_scores(
        answer, limit == NULL ? 0 : (size_t)limit->valuedouble, scores, &tokens, &err);
    if (outcome != API_OK) fail_msg("%s: %s", answer->provider->name, err.text);
    cJSON_ArrayForEach(item, json_at(json_at(pair, "/response/body"), form->items))
    {
        size_t index = (size_t)json_at(item, "/index")->valuedouble;
        double score = cJSON_GetObjectItemCaseSensitive(item, form->score)->valuedouble;
        assert_true(scores[index] == score);
        n++;
    }
    for (size_t i = 0; i < answer->n_texts; i++) n += isnan(scores[i]) ? 1u : 0u;
    assert_int_equal(n, answer->n_texts);
}

static int expect_captured(const struct api_provider *provider, int reranks, const cJSON *pair)
{
    const cJSON *response = json_at(pair, "/response/body");
    const char *base = json_text_at(pair, "/request/base_url");
    const char *path = json_text_at(pair, "/request/path");
    char url[300], ours[300];
    if (response == NULL || base == NULL || path == NULL) return 0;
    snprintf(url, sizeof url, "%s%s", base, path);
    snprintf(ours, sizeof ours, "%s%s", provider->base_url,
             reranks ? provider->rerank.path : provider->embed.path);
    if (strcmp(url, ours) != 0) return 0;
    char *text = cJSON_PrintUnformatted(response);
    struct api_answer answer = {.provider = provider, .status = 200, .body = {text, strlen(text)}};
    (reranks ? expect_captured_scores : expect_captured_vectors)(&answer, pair);
    cJSON_free(text);
    return 1;
}

static void test_captured_answers(void **state)
{
    (void)state;
    size_t n = 0;
    int compared = 0;
    const struct api_provider *rows = api_providers(&n);
    for (size_t i = 0; i < 2 * n; i++) {
        char path[100];
        const cJSON *variant;
        const struct api_provider *provider = &rows[i / 2];
        int reranks = i % 2 == 1;
        if ((reranks && provider->rerank.path == NULL) || provider->chat.path != NULL) continue;
        /* The OpenAI form of another server is a variant in that server's file. */
        int name = (int)strcspn(provider->name, "-");
        snprintf(path, sizeof path, "wire/%.*s-%s.json", name, provider->name,
                 reranks ? "rerank" : "embeddings");
        cJSON *file = shared_json(path);
        if (file == NULL && i == 0) skip();
        int before = compared;
        compared += expect_captured(provider, reranks, file);
        cJSON_ArrayForEach(variant, json_at(file, "/variants")) compared +=
            expect_captured(provider, reranks, variant);
        assert_true(compared > before);
        cJSON_Delete(file);
    }
    print_message("%d captured answers\n", compared);
    assert_true(compared >= 45);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captured_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

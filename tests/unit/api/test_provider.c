#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "api/provider.h"
#include "api/shared_file.h"

static void test_sorted_and_found(void **state)
{
    (void)state;
    size_t n = 0;
    const struct api_provider *rows = api_providers(&n);
    assert_int_equal(n, 23);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(api_provider_find(rows[i].name, strlen(rows[i].name)), &rows[i]);
        if (i > 0) assert_true(strcmp(rows[i - 1].name, rows[i].name) < 0);
    }
    assert_null(api_provider_find("openai-", 7));
    assert_null(api_provider_find("open", 4));
    assert_null(api_provider_find("", 0));
    assert_string_equal(api_provider_find("tei-openai", 3)->name, "tei");
}

/* A chat model's row is another of the same provider, and its key's. */
static void expect_kin(const struct api_provider *row)
{
    const struct api_provider *kin = api_provider_find(row->kin, strlen(row->kin));
    assert_non_null(kin);
    assert_string_equal(row->base_url, kin->base_url);
    assert_string_equal(row->key_env, kin->key_env);
    assert_int_equal(row->needs_key, kin->needs_key);
    assert_int_equal(strncmp(row->name, kin->name, strlen(kin->name)), 0);
    assert_string_equal(row->name + strlen(kin->name), "-chat");
    assert_true(row->sends_model && row->chat.path[0] == '/' && row->chat.max_tokens > 0);
    assert_null(row->rerank.path);
}

/* What request.c and response.c rely on. */
static void test_rows_are_complete(void **state)
{
    (void)state;
    size_t n = 0;
    const struct api_provider *rows = api_providers(&n);
    for (size_t i = 0; i < n; i++) {
        const struct api_embed_form *embed = &rows[i].embed;
        const struct api_rerank_form *rerank = &rows[i].rerank;
        assert_true(strncmp(rows[i].base_url, "http", 4) == 0 && rows[i].key_env != NULL);
        assert_true(!rows[i].needs_key || strncmp(rows[i].base_url, "https://", 8) == 0 ||
                    strncmp(rows[i].name, "litellm", 7) == 0);
        assert_int_equal(rows[i].chat.path == NULL, embed->path != NULL);
        if (rows[i].chat.path != NULL) {
            expect_kin(&rows[i]);
            continue;
        }
        assert_null(rows[i].kin);
        assert_true(embed->path[0] == '/' && embed->input != NULL && embed->items != NULL);
        assert_true(embed->max_inputs > 0);
        assert_int_equal(embed->role.field == NULL, embed->role.query == NULL);
        assert_int_equal(embed->role.field == NULL, embed->role.document == NULL);
        if (rerank->path == NULL) continue;
        assert_true(rerank->path[0] == '/' && rerank->documents != NULL && rerank->items != NULL);
        assert_true(rerank->score != NULL && rerank->max_documents > 0);
    }
}

static void test_objects(void **state)
{
    (void)state;
    const struct api_provider *together = api_provider_find("together", 8);
    assert_true(api_provider_takes_objects(together, "Salesforce/Llama-Rank-V1"));
    assert_true(api_provider_takes_objects(together, "Salesforce/Llama-Rank-v1"));
    assert_false(api_provider_takes_objects(together, "mixedbread-ai/mxbai-rerank-large-v2"));
    assert_true(api_provider_takes_objects(api_provider_find("mixedbread", 10), "any"));
    assert_false(api_provider_takes_objects(api_provider_find("cohere", 6), "any"));
}

/* ---- the rows against the description of the wire ----------------------------------------------
 */

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void expect_text(const cJSON *row, const char *name, const char *ours)
{
    const cJSON *theirs = member(row, name);
    if (cJSON_IsString(theirs)) {
        assert_non_null(ours);
        assert_string_equal(ours, theirs->valuestring);
    } else {
        assert_null(ours);
    }
}

/* A pointer to a member ("/score", "" for the item itself) is a name here. */
static void expect_member(const cJSON *row, const char *name, const char *ours)
{
    const char *theirs = member(row, name)->valuestring;
    if (theirs[0] == '\0') assert_null(ours);
    else assert_string_equal(ours, theirs + 1);
}

static void expect_json(const cJSON *theirs, const char *ours)
{
    cJSON *value = cJSON_Parse(ours);
    assert_non_null(value);
    assert_true(cJSON_Compare(value, theirs, 1));
    cJSON_Delete(value);
}

/* A field without a value to send is for callers who ask: ours never do. */
static void expect_constant(const cJSON *row, const char *name, struct api_constant ours)
{
    char send[40];
    snprintf(send, sizeof send, "%s_send", name);
    const cJSON *value = member(row, send);
    if (value == NULL || cJSON_IsNull(value)) {
        assert_null(ours.field);
    } else {
        expect_text(row, name, ours.field);
        expect_json(value, ours.value);
    }
}

static void expect_fixed(const cJSON *row, struct api_constant ours)
{
    const cJSON *fixed = member(row, "fixed");
    if (ours.field == NULL) {
        assert_null(fixed->child);
    } else {
        assert_int_equal(cJSON_GetArraySize(fixed), 1);
        expect_json(member(fixed, ours.field), ours.value);
    }
}

/* Headers, and units that are not tokens, are not read from the body. */
static void expect_usage(const cJSON *row, const char *const ours[2])
{
    int n = 0;
    const cJSON *place;
    cJSON_ArrayForEach(place, member(row, "usage"))
    {
        if (strncmp(place->valuestring, "header", 6) == 0) continue;
        if (strcmp(member(row, "usage_unit")->valuestring, "tokens") != 0) continue;
        assert_true(n < 2);
        assert_string_equal(ours[n++], place->valuestring);
    }
    if (n < 2) assert_null(ours[n]);
}

static void expect_number(const cJSON *row, const char *name, size_t ours)
{
    const cJSON *theirs = member(row, name);
    assert_int_equal(ours, cJSON_IsNumber(theirs) ? (size_t)theirs->valuedouble : 0);
}

static const struct api_provider *expect_provider(const cJSON *row)
{
    const char *name = member(row, "provider")->valuestring;
    const struct api_provider *ours = api_provider_find(name, strlen(name));
    assert_non_null(ours);
    expect_text(row, "base_url", ours->base_url);
    expect_text(row, "key_env", ours->key_env);
    assert_int_equal(ours->needs_key, strcmp(member(row, "auth")->valuestring, "bearer") == 0);
    assert_int_equal(ours->sends_model, cJSON_IsString(member(row, "model")));
    assert_int_equal(ours->retries_500, cJSON_IsTrue(member(row, "retry_500")));
    assert_int_equal(ours->reset_is_seconds, cJSON_IsString(member(row, "reset_header")));
    return ours;
}

static void expect_embeddings(const cJSON *row)
{
    const struct api_embed_form *ours = &expect_provider(row)->embed;
    expect_text(row, "path", ours->path);
    expect_text(row, "input", ours->input);
    expect_text(row, "dimensions", ours->dimensions);
    expect_constant(row, "encoding", ours->encoding);
    expect_constant(row, "truncation", ours->truncation);
    expect_fixed(row, ours->unit_length);
    /* Roles in free words (a prompt) are a matter of the model. */
    if (cJSON_IsString(member(row, "role_query"))) expect_text(row, "role", ours->role.field);
    else assert_null(ours->role.field);
    expect_text(row, "role_query", ours->role.query);
    expect_text(row, "role_document", ours->role.document);
    expect_text(row, "items", ours->items);
    expect_member(row, "vector", ours->vector);
    assert_int_equal(ours->vector != NULL, cJSON_IsString(member(row, "index")));
    expect_usage(row, ours->usage);
    expect_number(row, "max_inputs", ours->max_inputs);
    expect_number(row, "max_request_tokens", ours->max_tokens);
}

static void expect_rerank(const cJSON *row)
{
    const struct api_rerank_form *ours = &expect_provider(row)->rerank;
    expect_text(row, "path", ours->path);
    expect_text(row, "documents", ours->documents);
    expect_text(row, "limit", ours->limit);
    expect_constant(row, "truncation", ours->truncation);
    expect_fixed(row, ours->no_echo);
    assert_int_equal(ours->takes_objects, cJSON_IsString(member(row, "rank_fields")));
    expect_text(row, "items", ours->items);
    expect_member(row, "score", ours->score);
    assert_string_equal(member(row, "query")->valuestring, "query");
    assert_string_equal(member(row, "index")->valuestring, "/index");
    expect_usage(row, ours->usage);
    expect_number(row, "max_documents", ours->max_documents);
}

static void test_rows_are_those_of_the_wire(void **state)
{
    (void)state;
    cJSON *wire = shared_json("wire/providers.json");
    if (wire == NULL) skip();
    size_t n = 0, embedding = 0, reranking = 0;
    const cJSON *row;
    const struct api_provider *rows = api_providers(&n);
    for (size_t i = 0; i < n; i++) embedding += rows[i].embed.path != NULL;
    for (size_t i = 0; i < n; i++) reranking += rows[i].rerank.path != NULL;
    assert_int_equal(cJSON_GetArraySize(member(wire, "embeddings")), embedding);
    assert_int_equal(cJSON_GetArraySize(member(wire, "rerank")), reranking);
    cJSON_ArrayForEach(row, member(wire, "embeddings")) expect_embeddings(row);
    cJSON_ArrayForEach(row, member(wire, "rerank")) expect_rerank(row);
    cJSON_Delete(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted_and_found),
        cmocka_unit_test(test_rows_are_complete),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_rows_are_those_of_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

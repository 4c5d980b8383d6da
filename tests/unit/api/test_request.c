#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "api/request.h"
#include "api/shared_file.h"
#include "base/failing_memory.h"
#include "base/memory.h"

enum { MAX_TEXTS = 8, CEILING = 1 << 16 };

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static const struct api_provider *provider_of(const char *name)
{
    const struct api_provider *provider = api_provider_find(name, strlen(name));
    assert_non_null(provider);
    return provider;
}

/* The body for texts a NULL ends. */
static void expect_embed(const char *provider, enum model_role role, size_t dimensions,
                         const char *const *texts, const char *expected)
{
    struct span spans[MAX_TEXTS];
    struct buffer body;
    struct error err = {0};
    struct api_embed_request request = {provider_of(provider), "m", spans, 0, role, dimensions};
    buffer_init(&body, CEILING);
    while (texts[request.n_texts] != NULL) {
        spans[request.n_texts] = span_of(texts[request.n_texts]);
        request.n_texts++;
    }
    assert_int_equal(api_embed_body(&request, &body, &err), 0);
    assert_int_equal(buffer_append(&body, "", 1, &err), 0);
    assert_string_equal(body.data, expected);
    buffer_deinit(&body);
}

static void test_embed_bodies(void **state)
{
    (void)state;
    static const char *const ab[] = {"a", "b", NULL};
    expect_embed("together", MODEL_QUERY, 0, ab, "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}");
    expect_embed("openai", MODEL_DOCUMENT, 256, ab,
                 "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"dimensions\":256,"
                 "\"encoding_format\":\"float\"}");
    expect_embed("cohere", MODEL_QUERY, 512, ab,
                 "{\"model\":\"m\",\"texts\":[\"a\",\"b\"],\"output_dimension\":512,"
                 "\"embedding_types\":[\"float\"],\"input_type\":\"search_query\","
                 "\"truncate\":\"END\"}");
    expect_embed("voyage", MODEL_DOCUMENT, 0, ab,
                 "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"input_type\":\"document\","
                 "\"truncation\":true}");
    expect_embed("jina", MODEL_DOCUMENT, 0, ab,
                 "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"embedding_type\":\"float\","
                 "\"task\":\"retrieval.passage\",\"truncate\":true,\"normalized\":true}");
    expect_embed("nomic", MODEL_QUERY, 64, ab,
                 "{\"model\":\"m\",\"texts\":[\"a\",\"b\"],\"dimensionality\":64,"
                 "\"task_type\":\"search_query\",\"long_text_mode\":\"truncate\"}");
    expect_embed("tei", MODEL_QUERY, 0, ab,
                 "{\"inputs\":[\"a\",\"b\"],\"truncate\":true,\"normalize\":true}");
    expect_embed("vllm", MODEL_QUERY, 0, ab,
                 "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"encoding_format\":\"float\","
                 "\"truncate_prompt_tokens\":-1}");
}

static void test_one_text_is_a_list_too(void **state)
{
    (void)state;
    static const char *const one[] = {"a", NULL}, *const empty[] = {"", NULL};
    expect_embed("together", MODEL_QUERY, 0, one, "{\"model\":\"m\",\"input\":[\"a\"]}");
    expect_embed("together", MODEL_QUERY, 0, empty, "{\"model\":\"m\",\"input\":[\"\"]}");
}

static void test_escapes(void **state)
{
    (void)state;
    static const char *const texts[] = {"\b\t\n\f\r\"\\", "\x01\x1f\x7f/",
                                        "gr\xC3\xB6\xC3\x9F\x65 \xE2\x80\xA8 \xF0\x9F\x98\x80",
                                        "ends\n", NULL};
    expect_embed("together", MODEL_QUERY, 0, texts,
                 "{\"model\":\"m\",\"input\":[\"\\b\\t\\n\\f\\r\\\"\\\\\",\"\\u0001\\u001f\x7f/\","
                 "\"gr\xC3\xB6\xC3\x9F\x65 \xE2\x80\xA8 \xF0\x9F\x98\x80\",\"ends\\n\"]}");
}

/* Every character below U+0800 comes back as it was. */
static void test_what_is_written_reads_back(void **state)
{
    (void)state;
    char text[3];
    struct span span = {text, 0};
    struct api_embed_request request = {provider_of("together"), "m", &span, 1, MODEL_QUERY, 0};
    for (unsigned c = 1; c < 0x800; c++) {
        struct buffer body;
        cJSON *root;
        span.size = c < 0x80 ? 1 : 2;
        text[0] = (char)(c < 0x80 ? c : 0xC0 | c >> 6);
        text[1] = (char)(0x80 | (c & 0x3F));
        text[span.size] = '\0';
        buffer_init(&body, CEILING);
        assert_int_equal(api_embed_body(&request, &body, NULL), 0);
        assert_int_equal(json_parse((struct span){body.data, body.size}, &root, NULL), 0);
        assert_string_equal(json_text_at(root, "/input/0"), text);
        cJSON_Delete(root);
        buffer_deinit(&body);
    }
}

/* The body of a request for reranking; an error's text comes back in place of it. */
static const char *rerank_body(const char *provider, const char *const *documents, int objects,
                               const char *rank_fields, size_t top_n)
{
    static char text[2000];
    struct span spans[MAX_TEXTS];
    struct buffer body;
    struct error err = {0};
    struct api_rerank_request request = {.provider = provider_of(provider),
                                         .model = "Salesforce/Llama-Rank-V1",
                                         .query = {"q", 1},
                                         .documents = spans,
                                         .objects = objects,
                                         .rank_fields = span_of(rank_fields),
                                         .top_n = top_n};
    buffer_init(&body, CEILING);
    for (; documents[request.n_documents] != NULL; request.n_documents++)
        spans[request.n_documents] = span_of(documents[request.n_documents]);
    int rc = api_rerank_body(&request, &body, &err);
    if (rc == 0) snprintf(text, sizeof text, "%.*s", (int)body.size, body.data);
    else snprintf(text, sizeof text, "%s", err.text);
    assert_true(rc == 0 || rc == ERROR_INVALID);
    buffer_deinit(&body);
    return text;
}

#define MODEL "{\"model\":\"Salesforce/Llama-Rank-V1\",\"query\":\"q\","

static void test_rerank_bodies(void **state)
{
    (void)state;
    static const char *const ab[] = {"a", "b", NULL};
    assert_string_equal(rerank_body("together", ab, 0, "", 0),
                        MODEL "\"documents\":[\"a\",\"b\"]}");
    assert_string_equal(rerank_body("cohere", ab, 0, "", 1),
                        MODEL "\"documents\":[\"a\",\"b\"],\"top_n\":1}");
    assert_string_equal(rerank_body("voyage", ab, 0, "", 9),
                        MODEL "\"documents\":[\"a\",\"b\"],\"top_k\":2,\"truncation\":true}");
    assert_string_equal(rerank_body("jina", ab, 0, "", 1),
                        MODEL "\"documents\":[\"a\",\"b\"],\"top_n\":1,"
                              "\"return_documents\":false,\"truncation\":true}");
    assert_string_equal(rerank_body("mixedbread", ab, 0, "", 1),
                        MODEL "\"input\":[\"a\",\"b\"],\"top_k\":1}");
    assert_string_equal(rerank_body("tei", ab, 0, "", 1),
                        "{\"query\":\"q\",\"texts\":[\"a\",\"b\"],\"truncate\":true}");
}

static void test_rerank_objects(void **state)
{
    (void)state;
    static const char *const objects[] = {
        " { \"a b\" : \"x y\\\" z\",\n\"n\":12345678901234567890 } ", "{}", "{\"t\":\"tab\there\"}",
        NULL};
    assert_string_equal(rerank_body("together", objects, 1, "a b, n ,,", 0), MODEL
                        "\"documents\":[{\"a b\":\"x y\\\" z\",\"n\":12345678901234567890},{},"
                        "{\"t\":\"tab\\there\"}],\"rank_fields\":[\"a b\",\"n\"]}");
    assert_string_equal(rerank_body("mixedbread", objects + 1, 1, " , ", 0),
                        MODEL "\"input\":[{},{\"t\":\"tab\\there\"}]}");
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const text[] = {"{}", "\"a\"", NULL}, *const cut[] = {"{\"a\":", NULL};
    static const char *const two[] = {"{}{}", NULL};
    assert_string_equal(rerank_body("together", text, 1, "", 0),
                        "document 1: expected a JSON object, not a text");
    assert_string_equal(rerank_body("together", cut, 1, "", 0),
                        "document 0: the JSON breaks off after 5 bytes");
    assert_string_equal(rerank_body("together", two, 1, "", 0),
                        "document 0: more text after the JSON at byte 2");
    assert_string_equal(rerank_body("cohere", text, 1, "", 0),
                        "cohere takes texts as documents, not objects");
    assert_string_equal(rerank_body("openai", text, 0, "", 0), "openai does not rerank");

    struct span a = {"a", 1};
    struct error err = {0};
    struct buffer body;
    struct api_embed_request request = {provider_of("together"), "m", &a, 1, MODEL_QUERY, 8};
    buffer_init(&body, 20);
    assert_int_equal(api_embed_body(&request, &body, &err), ERROR_INVALID);
    assert_string_equal(err.text, "together has no choice of dimensions");
    request.dimensions = 0;
    assert_int_equal(api_embed_body(&request, &body, &err), ERROR_INVALID);
    assert_string_equal(err.text, "more than 20 bytes");
    buffer_deinit(&body);
}

static void expect_url(const char *base, const char *path, const char *expected)
{
    char *url;
    assert_int_equal(api_url(base, path, &url, NULL), 0);
    assert_string_equal(url, expected);
    memory_free(url);
}

static void test_url(void **state)
{
    (void)state;
    expect_url("http://h/v1", "/embed", "http://h/v1/embed");
    expect_url("http://h/v1/", "/embed", "http://h/v1/embed");
    expect_url("http://h//", "embed", "http://h/embed");
    expect_url("http://h", "//embed", "http://h/embed");
    char *none;
    assert_int_equal(api_url("http://h", NULL, &none, NULL), 0);
    assert_null(none);
}

static void test_estimate_tokens(void **state)
{
    (void)state;
    assert_int_equal(api_estimate_tokens(span_of("")), 1);
    assert_int_equal(api_estimate_tokens((struct span){NULL, 0}), 1);
    assert_int_equal(api_estimate_tokens(span_of("a")), 1);
    assert_int_equal(api_estimate_tokens(span_of("eight by")), 2);
    assert_int_equal(api_estimate_tokens(span_of("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E ok")), 4);
    assert_int_equal(api_estimate_tokens(span_of("\xFF\xFE")), 1);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct span documents[] = {{"{\"a\":[1,{\"b\":\"c\"}]}", 19}, {"{}", 2}};
    struct api_rerank_request request = {.provider = provider_of("mixedbread"),
                                         .model = "m",
                                         .query = {"q", 1},
                                         .documents = documents,
                                         .n_documents = 2,
                                         .objects = 1,
                                         .rank_fields = {"a", 1},
                                         .top_n = 1};
    int rc = ERROR_NOMEM;
    long n = 0;
    for (; rc != 0 && n < 100; n++) {
        struct buffer body;
        struct error err = {0};
        buffer_init(&body, CEILING);
        failing_memory_after = n;
        rc = api_rerank_body(&request, &body, &err);
        failing_memory_after = -1;
        if (rc != 0) assert_int_equal(rc, ERROR_NOMEM);
        if (rc != 0) assert_string_equal(err.text, "out of memory");
        buffer_deinit(&body);
        assert_int_equal(failing_memory_blocks, 0);
    }
    assert_true(n > 1 && n < 100);
}

/* ---- against what the vendors' SDKs send -------------------------------------------------------
 */

/* What callers of an SDK chose to send and we never do. */
static const char *const choices[] = {"output_dtype",
                                      "user",
                                      "options",
                                      "keep_alive",
                                      "max_tokens",
                                      "truncation_direction",
                                      "prompt",
                                      "prompt_name",
                                      "raw_scores",
                                      "return_text",
                                      "return_documents",
                                      "return_input",
                                      "rewrite_query",
                                      "max_tokens_per_doc",
                                      "returnDocuments",
                                      "max_tokens_per_text",
                                      NULL};
/* What we always send and an SDK leaves to the service. */
static const char *const always[] = {"encoding_format",
                                     "truncate",
                                     "truncation",
                                     "long_text_mode",
                                     "truncate_prompt_tokens",
                                     "normalize",
                                     "normalized",
                                     "return_documents",
                                     NULL};
/* SDKs ask for base64, or refuse long texts; we ask for numbers and let long texts be cut. */
static const char *const differing[] = {"encoding_format", "embedding_type", "embedding_types",
                                        "truncate",        "truncation",     NULL};

static void expect_listed(const char *name, const char *const *list)
{
    while (*list != NULL && strcmp(*list, name) != 0) list++;
    if (*list == NULL) fail_msg("the field %s is not expected here", name);
}

/* Takes out of both what is known to be different. */
static void drop_known(cJSON *ours, cJSON *theirs)
{
    cJSON *item, *next;
    for (item = theirs->child; item != NULL; item = next) {
        next = item->next;
        const cJSON *other = cJSON_GetObjectItemCaseSensitive(ours, item->string);
        if (other != NULL && cJSON_Compare(other, item, 1)) continue;
        if (other == NULL && strcmp(item->string, "encoding_format") == 0)
            assert_string_equal(item->valuestring, "base64"); /* Voyage's only other form */
        else expect_listed(item->string, other == NULL ? choices : differing);
        if (other != NULL) cJSON_DeleteItemFromObjectCaseSensitive(ours, item->string);
        cJSON_Delete(cJSON_DetachItemViaPointer(theirs, item));
    }
    for (item = ours->child; item != NULL; item = next) {
        next = item->next;
        if (cJSON_GetObjectItemCaseSensitive(theirs, item->string) != NULL) continue;
        expect_listed(item->string, always);
        cJSON_Delete(cJSON_DetachItemViaPointer(ours, item));
    }
}

/* Texts of a list, or the one text; 0 when it holds something else. */
static size_t take_texts(const cJSON *list, struct span *texts)
{
    size_t n = 0;
    const cJSON *item = cJSON_IsArray(list) ? list->child : list;
    for (; item != NULL; item = cJSON_IsArray(list) ? item->next : NULL) {
        if (!cJSON_IsString(item)) return 0;
        texts[n++] = span_of(item->valuestring);
    }
    return n;
}

static const char *url_of(const struct api_provider *provider, int reranks)
{
    static char text[300];
    const char *path = reranks ? provider->rerank.path : provider->embed.path;
    char *url;
    assert_int_equal(api_url(provider->base_url, path, &url, NULL), 0);
    snprintf(text, sizeof text, "%s", url);
    memory_free(url);
    return text;
}

static int build_embed(const struct api_provider *provider, cJSON *theirs, struct buffer *body)
{
    struct span texts[MAX_TEXTS];
    const struct api_embed_form *form = &provider->embed;
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(theirs, "model");
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(theirs, form->input);
    struct api_embed_request request = {.provider = provider, .texts = texts};
    request.model = cJSON_IsString(model) ? model->valuestring : "";
    request.n_texts = take_texts(input, texts);
    if (request.n_texts == 0) return 0; /* arrays of tokens */
    if (cJSON_IsString(input))
        cJSON_ReplaceItemInObjectCaseSensitive(
            theirs, form->input, cJSON_CreateStringArray(&(const char *){input->valuestring}, 1));
    /* Of the one text the bytes are gone with the item that was replaced. */
    input = cJSON_GetObjectItemCaseSensitive(theirs, form->input);
    take_texts(input, texts);
    if (form->dimensions != NULL) {
        const cJSON *length = cJSON_GetObjectItemCaseSensitive(theirs, form->dimensions);
        if (length != NULL) request.dimensions = (size_t)length->valuedouble;
    }
    if (form->role.field != NULL) {
        const char *document = form->role.document;
        const cJSON *role = cJSON_GetObjectItemCaseSensitive(theirs, form->role.field);
        int is_document = role != NULL && strcmp(role->valuestring, document) == 0;
        request.role = is_document ? MODEL_DOCUMENT : MODEL_QUERY;
        if (role == NULL) cJSON_AddStringToObject(theirs, form->role.field, form->role.query);
    }
    assert_int_equal(api_embed_body(&request, body, NULL), 0);
    return 1;
}

static int build_rerank(const struct api_provider *provider, cJSON *theirs, struct buffer *body)
{
    struct span documents[MAX_TEXTS];
    char *printed[MAX_TEXTS] = {0}, fields[200] = "";
    const struct api_rerank_form *form = &provider->rerank;
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(theirs, "model"), *item;
    struct api_rerank_request request = {.provider = provider, .documents = documents};
    request.model = cJSON_IsString(model) ? model->valuestring : "";
    request.query = span_of(json_text_at(theirs, "/query"));
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(theirs, form->documents))
    {
        if (cJSON_IsObject(item)) printed[request.n_documents] = cJSON_Print(item);
        request.objects = cJSON_IsObject(item);
        documents[request.n_documents] =
            span_of(request.objects ? printed[request.n_documents] : item->valuestring);
        request.n_documents++;
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(theirs, "rank_fields"))
    {
        size_t used = strlen(fields);
        snprintf(fields + used, sizeof fields - used, "%s,", item->valuestring);
    }
    request.rank_fields = span_of(fields);
    const cJSON *limit =
        form->limit == NULL ? NULL : cJSON_GetObjectItemCaseSensitive(theirs, form->limit);
    if (limit != NULL) request.top_n = (size_t)limit->valuedouble;
    assert_int_equal(api_rerank_body(&request, body, NULL), 0);
    for (size_t i = 0; i < MAX_TEXTS; i++) cJSON_free(printed[i]);
    return 1;
}

/* Whether the request was one that the table can make, and ours is the same then. */
static int compare_request(const struct api_provider *provider, int reranks, const cJSON *request)
{
    const char *base = json_text_at(request, "/base_url");
    const char *path = json_text_at(request, "/path");
    const cJSON *theirs = json_at(request, "/body");
    char url[300];
    if (base == NULL || path == NULL) return 0;
    snprintf(url, sizeof url, "%s%s", base, path);
    if (strcmp(url, url_of(provider, reranks)) != 0) return 0;
    /* What the documentation says not to send. */
    if (!reranks && provider->embed.dimensions == NULL &&
        cJSON_GetObjectItemCaseSensitive(theirs, "dimensions") != NULL)
        return 0;
    struct buffer body;
    cJSON *copy = cJSON_Duplicate(theirs, 1), *ours;
    buffer_init(&body, CEILING);
    int built = (reranks ? build_rerank : build_embed)(provider, copy, &body);
    if (built) {
        assert_int_equal(json_parse((struct span){body.data, body.size}, &ours, NULL), 0);
        drop_known(ours, copy);
        if (!cJSON_Compare(ours, copy, 1))
            fail_msg("%s: %.*s", provider->name, (int)body.size, body.data);
        cJSON_Delete(ours);
    }
    cJSON_Delete(copy);
    buffer_deinit(&body);
    return built;
}

static int compare_file(const char *name, int reranks)
{
    char path[100];
    const cJSON *variant;
    int n = 0;
    snprintf(path, sizeof path, "wire/%s-%s.json", name, reranks ? "rerank" : "embeddings");
    cJSON *file = shared_json(path);
    if (file == NULL) return 0;
    n += compare_request(provider_of(name), reranks, json_at(file, "/request"));
    cJSON_ArrayForEach(variant, json_at(file, "/variants")) n +=
        compare_request(provider_of(name), reranks, json_at(variant, "/request"));
    cJSON_Delete(file);
    return n;
}

static void test_bodies_are_those_of_the_wire(void **state)
{
    (void)state;
    size_t n = 0;
    int compared = 0;
    const struct api_provider *rows = api_providers(&n);
    cJSON *wire = shared_json("wire/providers.json");
    if (wire == NULL) skip();
    cJSON_Delete(wire);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].chat.path != NULL) continue;
        int embeds = compare_file(rows[i].name, 0);
        /* The two OpenAI forms of other servers have no file of their own. */
        assert_true(embeds > 0 || strstr(rows[i].name, "-openai") != NULL);
        compared += embeds;
        if (rows[i].rerank.path == NULL) continue;
        int scores = compare_file(rows[i].name, 1);
        assert_true(scores > 0);
        compared += scores;
    }
    print_message("%d captured requests\n", compared);
    assert_true(compared >= 35);
}

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embed_bodies),
        cmocka_unit_test(test_one_text_is_a_list_too),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_rerank_bodies),
        cmocka_unit_test(test_rerank_objects),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_estimate_tokens),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_bodies_are_those_of_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

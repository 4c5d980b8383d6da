/*
 * test_remote.c: remote models through the catalog, against the loopback server.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/each_allocation.h"
#include "catalog/catalog.h"
#include "catalog/endpoint.h"
#include "catalog/prefixes.h"
#include "http/loopback.h"

static struct loopback server;
static char together_url[64];

static const struct api_provider *provider_of(const char *name)
{
    return api_provider_find(name, strlen(name));
}

/* ---- where a model is, and with which key --------------------------------------------------- */

static void check_endpoint(const char *provider, const char *url, const char *key,
                           const char *expected_url, const char *expected_key)
{
    struct endpoint endpoint;
    struct error err = {0};
    assert_int_equal(endpoint_resolve(provider_of(provider), url, key, 0, &endpoint, &err), 0);
    assert_string_equal(endpoint.base_url, expected_url);
    size_t size = expected_key == NULL ? 0 : strlen(expected_key);
    assert_int_equal(endpoint.key.size, size);
    if (size > 0) assert_memory_equal(endpoint.key.data, expected_key, size);
}

static void check_no_endpoint(const char *provider, const char *url, int trusted,
                              const char *expected)
{
    struct endpoint endpoint;
    struct error err = {0};
    assert_int_equal(endpoint_resolve(provider_of(provider), url, NULL, trusted, &endpoint, &err),
                     ERROR_INVALID);
    if (strstr(err.text, expected) == NULL) fail_msg("'%s' lacks '%s'", err.text, expected);
}

static void test_keys_stay_with_their_host(void **state)
{
    (void)state;
    setenv("OPENAI_API_KEY", "env-key", 1);
    check_endpoint("openai", NULL, NULL, "https://api.openai.com/v1", "env-key");
    check_endpoint("openai", "https://api.openai.com:443/v2", NULL, "https://api.openai.com:443/v2",
                   "env-key");
    check_endpoint("openai", "https://api.openai.com.evil.example/v1", NULL,
                   "https://api.openai.com.evil.example/v1", NULL);
    check_endpoint("openai", "http://api.openai.com/v1", NULL, "http://api.openai.com/v1", NULL);
    check_endpoint("openai", "https://api.openai.com:444/v1", NULL, "https://api.openai.com:444/v1",
                   NULL);
    check_endpoint("openai", "http://localhost:1/v1", "own", "http://localhost:1/v1", "own");
    check_endpoint("openai", NULL, "own", "https://api.openai.com/v1", "own");
    setenv("OPENAI_BASE_URL", "https://gateway.example/openai", 1);
    check_endpoint("openai", NULL, NULL, "https://gateway.example/openai", "env-key");
    check_endpoint("openai", "https://api.openai.com/v1", NULL, "https://api.openai.com/v1", NULL);
    unsetenv("OPENAI_BASE_URL");
    unsetenv("OPENAI_API_KEY");
}

/* Whatever is pasted as a base. */
static void test_spellings_of_a_url(void **state)
{
    (void)state;
    static const struct {
        const char *provider, *given, *expected;
    } cases[] = {
        {"openai", "http://h", "http://h/v1"},
        {"openai", "http://h/", "http://h/v1"},
        {"openai", " http://h:1234/v1// \n", "http://h:1234/v1"},
        {"openai", "http://h/v1/embeddings", "http://h/v1"},
        {"openai", "http://h/v1/embeddings/", "http://h/v1"},
        {"openai", "http://h/v1/chat/completions", "http://h/v1"},
        {"openai", "http://h/api/openai", "http://h/api/openai"},
        {"openai", "http://h/api/openai/v1/", "http://h/api/openai/v1"},
        {"openai", "http://h/V1/Embeddings", "http://h/V1"},
        {"openai", "http://embeddings", "http://embeddings/v1"},
        {"vllm", "http://h:8000/v1/rerank", "http://h:8000/v1"},
        {"jina", "https://api.jina.ai", "https://api.jina.ai/v1"},
        {"cohere", "https://api.cohere.com", "https://api.cohere.com/v2"},
        {"cohere", "https://api.cohere.com/v1", "https://api.cohere.com/v2"},
        {"cohere", "https://api.cohere.com/v1/rerank", "https://api.cohere.com/v2"},
        {"cohere", "https://gateway/cohere/v1/", "https://gateway/cohere/v2"},
        {"nomic", "https://api-atlas.nomic.ai/v1/embedding/text", "https://api-atlas.nomic.ai/v1"},
        {"nomic", "https://api-atlas.nomic.ai/v1/embedding", "https://api-atlas.nomic.ai/v1"},
        {"ollama", "http://h:11434/", "http://h:11434"},
        {"ollama", "http://h:11434/api", "http://h:11434"},
        {"ollama", "http://h:11434/api/embed", "http://h:11434"},
        {"ollama", "http://h:11434/api/embeddings", "http://h:11434"},
        {"ollama", "http://h:11434/v1/", "http://h:11434"},
        {"ollama", "http://h:11434/v1/embeddings", "http://h:11434"},
        {"ollama", "http://h/ollama", "http://h/ollama"},
        {"ollama-openai", "http://h:11434", "http://h:11434/v1"},
        {"ollama-openai", "http://h/ollama/api/", "http://h/ollama/v1"},
        {"tei", "http://h:8080/embed", "http://h:8080"},
        {"tei", "http://h:8080/rerank", "http://h:8080"},
        {"tei", "http://h:8080/rerank/", "http://h:8080/rerank"},
        {"tei", "http://h:8080/v1/embeddings", "http://h:8080"},
        {"tei-openai", "http://h:8080", "http://h:8080/v1"},
        {"infinity", "http://h:7997/", "http://h:7997"},
        {"infinity", "http://h:7997/embeddings", "http://h:7997"},
        {"infinity", "http://h:7997/v1", "http://h:7997/v1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_endpoint(cases[i].provider, cases[i].given, NULL, cases[i].expected, NULL);
    size_t n;
    const struct api_provider *rows = api_providers(&n);
    for (size_t i = 0; i < n; i++)
        check_endpoint(rows[i].name, rows[i].base_url, "k", rows[i].base_url, "k");
    char *large = memory_zalloc(ENDPOINT_URL_SIZE + 10, 1);
    memset(large, 'x', ENDPOINT_URL_SIZE + 9);
    memcpy(large, "http://", 7);
    check_no_endpoint("tei", large, 1, "more than 2048 bytes");
    memory_free(large);
}

static void test_spellings_of_a_key(void **state)
{
    (void)state;
    check_endpoint("tei", "http://h", " sk-1\r\n", "http://h", "sk-1");
    check_endpoint("tei", "http://h", " \n", "http://h", NULL);
    check_endpoint("tei", "http://h", "\"sk-1\"", "http://h", "sk-1");
    check_endpoint("tei", "http://h", "'Bearer sk-1'\n", "http://h", "sk-1");
    check_endpoint("tei", "http://h", "bearer sk-1", "http://h", "sk-1");
    check_endpoint("tei", "http://h", "Bearer", "http://h", "Bearer");
    check_endpoint("tei", "http://h", "\"", "http://h", "\"");
    setenv("OPENAI_API_KEY", "\tenv-key\n", 1);
    check_endpoint("openai", NULL, NULL, "https://api.openai.com/v1", "env-key");
    setenv("OPENAI_API_KEY", "env-key\nother", 1);
    check_no_endpoint("openai", NULL, 1, "the key in OPENAI_API_KEY holds a line break at byte 7");
    setenv("OPENAI_API_KEY",
           "\xE2\x80\x9C"
           "key",
           1);
    check_no_endpoint("openai", NULL, 1, "a character beyond ASCII at byte 0 of 6");
    setenv("OPENAI_API_KEY", "  ", 1);
    check_no_endpoint("openai", NULL, 1, "no API key (set OPENAI_API_KEY");
    unsetenv("OPENAI_API_KEY");
}

static void test_what_is_not_set_up(void **state)
{
    (void)state;
    struct endpoint endpoint;
    check_no_endpoint("openai", NULL, 1, "no API key (set OPENAI_API_KEY");
    check_no_endpoint("ollama", NULL, 0, "ollama is not set up (set OLLAMA_BASE_URL");
    check_no_endpoint("ollama-openai", NULL, 0, "(set OLLAMA_OPENAI_BASE_URL");
    check_no_endpoint("tei", "ftp://localhost", 1, "must begin with https:// or http://");
    assert_int_equal(endpoint_resolve(provider_of("ollama"), NULL, NULL, 1, &endpoint, NULL), 0);
    assert_int_equal(endpoint.key.size, 0);
    setenv("TEI_BASE_URL", "not a url", 1);
    check_no_endpoint("tei", NULL, 1, "TEI_BASE_URL: ");
    setenv("TEI_BASE_URL", "http://tei.example:8080", 1);
    check_endpoint("tei", NULL, NULL, "http://tei.example:8080", NULL);
    unsetenv("TEI_BASE_URL");
}

static void test_known_prefixes(void **state)
{
    (void)state;
    assert_string_equal(prefixes_find("intfloat/e5-base-v2")->document, "passage: ");
    assert_string_equal(prefixes_find("BAAI/bge-base-en-v1.5")->query, "");
    assert_string_equal(prefixes_find("BAAI/bge-base-en")->query,
                        "Represent this sentence for searching relevant passages: ");
    assert_string_equal(prefixes_find("nomic-embed-text:latest")->query, "search_query: ");
    assert_string_equal(prefixes_find("hf.co/nomic-ai/Nomic-Embed-Text-v1.5-GGUF:Q4_K_M")->document,
                        "search_document: ");
    assert_string_equal(prefixes_find("/models/nomic_embed_text_v2_moe.gguf")->query,
                        "search_query: ");
    assert_string_equal(prefixes_find("text-embedding-modernbert-embed-base")->query,
                        "search_query: ");
    assert_string_equal(prefixes_find("jeffh/intfloat-multilingual-e5-large:f16")->query,
                        "query: ");
    assert_string_equal(prefixes_find("text-embedding-intfloat-e5-base-v2")->query, "query: ");
    assert_string_equal(prefixes_find("unsloth/embeddinggemma-300m-GGUF:Q8_0")->document,
                        "title: none | text: ");
    assert_string_equal(prefixes_find("Snowflake/snowflake-arctic-embed-m-v2.0")->query, "query: ");
    assert_string_equal(prefixes_find("snowflake-arctic-embed2:568m")->query, "query: ");
    assert_string_equal(prefixes_find("snowflake-arctic-embed:335m")->query,
                        "Represent this sentence for searching relevant passages: ");
    assert_string_equal(
        prefixes_find("dengcao/Qwen3-Embedding-8B:Q5_K_M")->query,
        "Instruct: Given a web search query, retrieve relevant passages that answer "
        "the query\nQuery:");
    static const char *const others[] = {"text-embedding-3-small",
                                         "not-e5-but-e50",
                                         "bge-m3:latest",
                                         "all-minilm",
                                         "Alibaba-NLP/gte-modernbert-base",
                                         "granite-embedding:278m",
                                         "qwen3:8b",
                                         "e50-large",
                                         ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(prefixes_find(others[i]));
}

/* ---- calls ---------------------------------------------------------------------------------- */

/* A catalog that keeps nothing, with the model 'here' for both tasks. */
static int new_catalog(struct catalog **catalog, struct error *err)
{
    struct catalog_alias alias = {.name = "here",
                                  .provider = "together",
                                  .model = "owner/model",
                                  .given = CATALOG_URL | CATALOG_API_KEY | CATALOG_BATCH_SIZE,
                                  .url = together_url,
                                  .api_key = "test-key",
                                  .batch_size = 2};
    size_t number;
    int rc = catalog_new(catalog, err);
    if (rc == 0) rc = catalog_set(*catalog, CATALOG_MEMORY_BUDGET, "0", err);
    if (rc == 0) rc = catalog_set(*catalog, CATALOG_MAX_RETRIES, "0", err);
    return rc == 0 ? catalog_add(*catalog, &alias, &number, err) : rc;
}

static int embed_and_rerank(struct catalog *catalog, struct error *err)
{
    struct span texts[5] = {{"one", 3}, {"two", 3}, {"three", 5}, {"two", 3}, {"four", 4}};
    struct model_texts request = {texts, 5, MODEL_QUERY, NULL, 0};
    struct model_candidates candidates = {.query = texts[0], .documents = texts, .n_documents = 3};
    struct model_embeddings all;
    struct catalog_entry *entry;
    double scores[3];
    int rc = catalog_find(catalog, "here", MODEL_EMBED, &entry, err);
    if (rc == 0) rc = catalog_embed(catalog, entry, NULL, &request, &all, NULL, err);
    if (rc != 0) return rc;
    assert_int_equal(all.dimensions, 8);
    assert_memory_equal(all.vectors + 8, all.vectors + 3 * 8, 8 * sizeof(float));
    assert_memory_not_equal(all.vectors, all.vectors + 8, 8 * sizeof(float));
    memory_free(all.vectors);
    rc = catalog_find(catalog, "here", MODEL_RERANK, &entry, err);
    if (rc == 0) rc = catalog_rerank(catalog, entry, NULL, &candidates, scores, err);
    if (rc == 0) assert_true(scores[0] > scores[1] && scores[0] > scores[2]);
    return rc;
}

static int do_everything(void *context, struct error *err)
{
    (void)context;
    struct catalog *catalog = NULL;
    int rc = new_catalog(&catalog, err);
    if (rc == 0) rc = embed_and_rerank(catalog, err);
    catalog_free(catalog);
    return rc;
}

static void test_calls_are_counted(void **state)
{
    (void)state;
    struct catalog *catalog;
    struct catalog_entry *entry;
    struct catalog_statistics statistics;
    assert_int_equal(new_catalog(&catalog, NULL), 0);
    assert_int_equal(embed_and_rerank(catalog, NULL), 0);
    assert_int_equal(catalog_find(catalog, "here", MODEL_EMBED, &entry, NULL), 0);
    catalog_entry_statistics(entry, &statistics);
    assert_int_equal(statistics.usage.requests, 2); /* four texts, two a request */
    assert_int_equal(statistics.texts, 4);
    assert_int_equal(statistics.cache_hits, 1);
    assert_true(statistics.usage.bytes > 100);
    assert_int_equal(statistics.failures, 0);
    assert_int_equal(catalog_set(catalog, CATALOG_MAX_REQUESTS, "4", NULL), 0);
    struct error err = {0};
    assert_int_equal(embed_and_rerank(catalog, &err), ERROR_UNAVAILABLE);
    if (strstr(err.text, "all 4 requests") == NULL) fail_msg("%s", err.text);
    catalog_free(catalog);
    assert_int_equal(failing_memory_blocks, 0);
}

/* ---- keys in memory -------------------------------------------------------------------------- */

#define HEAD 16 /* bytes before a block, which hold its size */

static int keys_freed;

static void *sized_alloc(uint64_t size)
{
    char *block = malloc((size_t)size + HEAD);
    if (block == NULL) return NULL;
    memcpy(block, &size, sizeof size);
    return block + HEAD;
}

static void free_looking_for_key(void *block)
{
    uint64_t size;
    const char *bytes = block;
    memcpy(&size, bytes - HEAD, sizeof size);
    for (uint64_t i = 0; i + 8 <= size; i++) keys_freed += memcmp(bytes + i, "test-key", 8) == 0;
    free((char *)block - HEAD);
}

static void *sized_realloc(void *old, uint64_t size)
{
    uint64_t old_size = 0;
    void *block = sized_alloc(size);
    if (old == NULL || block == NULL) return block;
    memcpy(&old_size, (char *)old - HEAD, sizeof old_size);
    memcpy(block, old, (size_t)(old_size < size ? old_size : size));
    free_looking_for_key(old);
    return block;
}

/* Also when a model gets another key, goes, or could not be made. */
static void test_no_key_is_left_in_memory(void **state)
{
    (void)state;
    static const struct memory_methods looking = {sized_alloc, sized_realloc, free_looking_for_key};
    struct catalog *catalog;
    struct catalog_entry *entry;
    struct error err;
    struct catalog_alias change = {.name = "here",
                                   .task = MODEL_EMBED,
                                   .provider = "together",
                                   .model = "owner/model",
                                   .given = CATALOG_API_KEY,
                                   .api_key = "another"};
    struct catalog_alias wrong = {.name = "wrong",
                                  .provider = "together",
                                  .model = "owner/model",
                                  .given = CATALOG_URL | CATALOG_API_KEY,
                                  .url = "ftp://localhost",
                                  .api_key = "test-key"};
    size_t number;
    memory_bind(&looking);
    assert_int_equal(new_catalog(&catalog, NULL), 0);
    assert_int_equal(embed_and_rerank(catalog, NULL), 0);
    assert_int_equal(catalog_add(catalog, &wrong, &number, &err), ERROR_INVALID);
    assert_int_equal(catalog_find(catalog, "here", MODEL_EMBED, &entry, NULL), 0);
    assert_int_equal(catalog_change(catalog, entry, &change, NULL), 0);
    assert_int_equal(catalog_find(catalog, "here", MODEL_RERANK, &entry, NULL), 0);
    assert_int_equal(catalog_remove(catalog, entry, NULL), 0);
    catalog_free(catalog);
    failing_memory_bind();
    assert_int_equal(keys_freed, 0);
}

/* ---- the store ------------------------------------------------------------------------------ */

/* What a store whose every call gives the error code at `context` answers. */
static int find_nothing(void *context, const struct store_key *key, float **vector,
                        size_t *dimensions, struct error *err)
{
    (void)key, (void)dimensions;
    *vector = NULL;
    return error_set(err, *(int *)context, "no find");
}

static int keep_nothing(void *context, const struct store_key *key, const float *vector,
                        size_t dimensions, struct error *err)
{
    (void)key, (void)vector, (void)dimensions;
    return error_set(err, *(int *)context, "no keep");
}

static int flush_nothing(void *context, struct error *err)
{
    return error_set(err, *(int *)context, "no flush");
}

static void close_nothing(void *context)
{
    (void)context;
}

static int store_code;

static int open_failing_store(const char *path, struct catalog_store *store, struct error *err)
{
    (void)path, (void)err;
    *store = (struct catalog_store){find_nothing, keep_nothing, flush_nothing, close_nothing,
                                    &store_code};
    return 0;
}

static void check_failing_store(int code, int expected_rc, int expected_failures)
{
    struct catalog *catalog;
    struct catalog_entry *entry;
    struct catalog_statistics statistics;
    struct error err = {0};
    store_code = code;
    assert_int_equal(new_catalog(&catalog, &err), 0);
    catalog_set_store_opener(catalog, open_failing_store);
    assert_int_equal(catalog_set_store(catalog, "somewhere", &err), 0);
    assert_int_equal(embed_and_rerank(catalog, &err), expected_rc);
    assert_int_equal(catalog_find(catalog, "here", MODEL_EMBED, &entry, &err), 0);
    catalog_entry_statistics(entry, &statistics);
    assert_int_equal(statistics.failures, expected_failures);
    assert_int_equal(statistics.usage.requests, expected_rc == 0 ? 2 : 0);
    catalog_free(catalog);
    assert_int_equal(failing_memory_blocks, 0);
}

/* What it cannot read or keep is no reason to fail; that there is no memory is not hidden, before
 * anything is sent. */
static void test_a_store_that_fails(void **state)
{
    (void)state;
    check_failing_store(ERROR_UNAVAILABLE, 0, 3); /* each of two requests, and the end */
    check_failing_store(ERROR_NOMEM, ERROR_NOMEM, 1);
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* Of five texts, in requests of two, the server refuses "three"; of three documents too. */
static int refuse_one(void *context, struct error *err)
{
    (void)context;
    struct span texts[5] = {{"one", 3}, {"two", 3}, {"three", 5}, {"three", 5}, {"four", 4}};
    struct model_texts request = {texts, 5, MODEL_QUERY, NULL, 0};
    unsigned char refused[3];
    struct model_candidates candidates = {
        .query = texts[0], .documents = texts, .n_documents = 3, .refused = refused};
    struct model_embeddings all = {0};
    struct catalog_refusals refusals = {0};
    struct catalog *catalog = NULL;
    struct catalog_entry *entry;
    double scores[3];
    int rc = new_catalog(&catalog, err);
    if (rc == 0) rc = catalog_set(catalog, CATALOG_CONCURRENCY, "1", err);
    if (rc == 0) rc = catalog_find(catalog, "here", MODEL_EMBED, &entry, err);
    if (rc == 0) rc = catalog_embed(catalog, entry, NULL, &request, &all, &refusals, err);
    if (rc == 0) {
        assert_int_equal(refusals.n, 2);
        assert_true(refusals.items[0].text == 2 && refusals.items[1].text == 3);
        assert_string_equal(refusals.items[1].why.text,
                            "together: HTTP 400: the request was refused");
        assert_int_equal(refusals.items[1].why.code, ERROR_REFUSED);
        assert_true(all.vectors[0] != 0 && all.vectors[2 * 8] == 0 && all.vectors[4 * 8] != 0);
        assert_int_equal(catalog_entry_requests(entry), 4); /* 1 2; 3 4; 3; 4 */
    }
    catalog_refusals_deinit(&refusals);
    memory_free(all.vectors);
    if (rc == 0) rc = catalog_find(catalog, "here", MODEL_RERANK, &entry, err);
    if (rc == 0) rc = catalog_rerank(catalog, entry, NULL, &candidates, scores, err);
    if (rc == 0) assert_memory_equal(refused, "\0\0\1", 3);
    catalog_free(catalog);
    return rc;
}

static void test_refusals_where_each_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const options[] = {
        "--behave",
        "[{\"status\": 400, \"body\": \"no\", \"match\": \"\\\"three\\\"\", "
        "\"times\": \"forever\"}]",
        NULL};
    struct loopback refusing;
    char before[sizeof together_url];
    memcpy(before, together_url, sizeof before);
    assert_int_equal(loopback_start(&refusing, options), 0);
    snprintf(together_url, sizeof together_url, "http://127.0.0.1:%u/together/v1", refusing.port);
    assert_true(each_allocation(refuse_one, NULL) > 50);
    memcpy(together_url, before, sizeof before);
    loopback_stop(&refusing);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    assert_true(each_allocation(do_everything, NULL) > 30);
}

static int start(void **state)
{
    (void)state;
    int rc = loopback_start(&server, (const char *const[]){NULL});
    snprintf(together_url, sizeof together_url, "http://127.0.0.1:%u/together/v1", server.port);
    return rc;
}

static int stop(void **state)
{
    (void)state;
    loopback_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_stay_with_their_host),
        cmocka_unit_test(test_spellings_of_a_url),
        cmocka_unit_test(test_spellings_of_a_key),
        cmocka_unit_test(test_what_is_not_set_up),
        cmocka_unit_test(test_known_prefixes),
        cmocka_unit_test(test_calls_are_counted),
        cmocka_unit_test(test_no_key_is_left_in_memory),
        cmocka_unit_test(test_a_store_that_fails),
        cmocka_unit_test(test_refusals_where_each_allocation_may_fail),
        cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, start, stop);
}

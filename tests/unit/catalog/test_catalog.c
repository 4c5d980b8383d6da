#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/failing_memory.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "model/fake_model.h"

#define LEXICAL "builtin:lexical"
#define STATIC "builtin:static"

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static struct catalog *new_catalog(void)
{
    struct catalog *catalog;
    assert_int_equal(catalog_new(&catalog, NULL), 0);
    return catalog;
}

static void free_catalog(struct catalog *catalog)
{
    catalog_free(catalog);
    assert_int_equal(failing_memory_blocks, 0);
}

static struct catalog_entry *find(struct catalog *catalog, const char *name, enum model_task task)
{
    struct catalog_entry *entry;
    assert_int_equal(catalog_find(catalog, name, task, &entry, NULL), 0);
    return entry;
}

static void check_unknown(struct catalog *catalog, const char *name, enum model_task task,
                          const char *expected)
{
    struct catalog_entry *entry;
    struct error err = {0};
    assert_int_equal(catalog_find(catalog, name, task, &entry, &err), ERROR_INVALID);
    assert_string_equal(err.text, expected);
}

static int add(struct catalog *catalog, const char *name, enum model_task task, const char *model,
               struct error *err)
{
    struct catalog_alias alias = {.name = name, .task = task, .model = model};
    size_t number;
    return catalog_add(catalog, &alias, &number, err);
}

/* catalog_embed into an array of ours. */
static int embed_into(struct catalog *catalog, struct catalog_entry *entry, struct model *fitted,
                      const struct model_texts *texts, float *out, struct error *err)
{
    struct model_embeddings all;
    int rc = catalog_embed(catalog, entry, fitted, texts, &all, NULL, err);
    if (rc == 0) memcpy(out, all.vectors, all.n_texts * all.dimensions * sizeof *out);
    memory_free(all.vectors);
    return rc;
}

/* texts as documents, n of them, at most 16. */
static int embed(struct catalog *catalog, struct catalog_entry *entry, const char *const *texts,
                 size_t n, float *out, struct error *err)
{
    struct span spans[16];
    for (size_t i = 0; i < n; i++) spans[i] = span_of(texts[i]);
    struct model_texts request = {spans, n, MODEL_DOCUMENT, NULL, 0};
    return embed_into(catalog, entry, NULL, &request, out, err);
}

static void test_finds_what_there_is(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_entry *entry = find(catalog, NULL, MODEL_EMBED);
    assert_ptr_equal(entry, find(catalog, STATIC, MODEL_EMBED));
    assert_ptr_equal(find(catalog, LEXICAL, MODEL_RERANK), find(catalog, NULL, MODEL_RERANK));
    assert_string_equal(catalog_entry_name(entry), STATIC);
    assert_true(catalog_is_embedded(catalog, entry));
    assert_false(catalog_is_embedded(catalog, find(catalog, LEXICAL, MODEL_EMBED)));
    assert_int_equal(catalog_entry_requests(entry), 0);
    assert_true(catalog_entry_model(entry)->dimensions > 0);
    check_unknown(
        catalog, "nope", MODEL_EMBED,
        "no model is called 'nope' (these embed: builtin:static, builtin:lexical, builtin:lsa, "
        "local:owner/name of a model folder, and provider:model of a remote provider)");
    assert_int_equal(add(catalog, "ranks", MODEL_RERANK, LEXICAL, NULL), 0);
    assert_int_equal(add(catalog, "finds", MODEL_EMBED, STATIC, NULL), 0);
    assert_true(catalog_is_embedded(catalog, find(catalog, "finds", MODEL_EMBED)));
    check_unknown(catalog, "ranks", MODEL_EMBED,
                  "the model ranks does not embed (these do: builtin:static, builtin:lexical, "
                  "builtin:lsa, finds)");
    check_unknown(
        catalog, "", MODEL_RERANK,
        "no model is called '' (these rerank: builtin:lexical, ranks, local:owner/name of a "
        "model folder, and provider:model of a remote provider)");
    free_catalog(catalog);
}

static void test_texts_are_embedded_once(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_entry *entry = find(catalog, NULL, MODEL_EMBED);
    size_t dimensions = catalog_entry_model(entry)->dimensions, bytes = dimensions * sizeof(float);
    const char *const texts[] = {"one cat", "two dogs", "one cat", "three birds", "two dogs"};
    float *a = malloc(5 * bytes), *b = malloc(5 * bytes);
    struct catalog_statistics statistics;
    assert_int_equal(embed(catalog, entry, texts, 5, a, NULL), 0);
    catalog_entry_statistics(entry, &statistics);
    assert_int_equal(statistics.usage.requests, 1);
    assert_int_equal(statistics.texts, 3);
    assert_int_equal(statistics.cache_hits, 2);
    assert_memory_equal(a, a + 2 * dimensions, bytes);
    assert_memory_equal(a + dimensions, a + 4 * dimensions, bytes);
    assert_int_equal(embed(catalog, entry, texts, 5, b, NULL), 0);
    assert_memory_equal(a, b, 5 * bytes);
    catalog_entry_statistics(entry, &statistics);
    assert_int_equal(statistics.usage.requests, 1);
    assert_int_equal(statistics.cache_hits, 7);
    for (size_t i = 0; i < 5; i++) {
        struct catalog *other = new_catalog();
        assert_int_equal(embed(other, find(other, NULL, MODEL_EMBED), texts + i, 1, b, NULL), 0);
        assert_memory_equal(a + i * dimensions, b, bytes);
        catalog_free(other);
    }
    free(a);
    free(b);
    free_catalog(catalog);
}

static void test_no_budget_no_cache(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_entry *entry = find(catalog, NULL, MODEL_EMBED);
    float *out = malloc(catalog_entry_model(entry)->dimensions * sizeof *out);
    const char *const texts[] = {"one cat"};
    assert_int_equal(catalog_set(catalog, CATALOG_MEMORY_BUDGET, "0", NULL), 0);
    assert_int_equal(catalog_get(catalog, CATALOG_MEMORY_BUDGET), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(embed(catalog, entry, texts, 1, out, NULL), 0);
    assert_int_equal(catalog_entry_requests(entry), 3);
    free(out);
    free_catalog(catalog);
}

/* A fitted model is never cached, and its calls count for the entry. */
static void test_fitted_models(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_entry *entry = find(catalog, NULL, MODEL_EMBED);
    struct fake_model fake = fake_new(8);
    struct span texts[2] = {span_of("abc"), span_of("abc")};
    struct model_texts request = {texts, 2, MODEL_DOCUMENT, NULL, 0};
    struct catalog_statistics statistics;
    float out[4];
    for (int i = 0; i < 2; i++)
        assert_int_equal(embed_into(catalog, entry, &fake.model, &request, out, NULL), 0);
    assert_int_equal(fake.n_calls, 2);
    assert_int_equal(fake.n_texts, 4);
    fake.fail_at = 3;
    assert_int_equal(embed_into(catalog, entry, &fake.model, &request, out, NULL),
                     ERROR_UNAVAILABLE);
    catalog_entry_statistics(entry, &statistics);
    assert_int_equal(statistics.usage.requests, 3);
    assert_int_equal(statistics.failures, 1);
    assert_int_equal(statistics.cache_hits, 0);
    free_catalog(catalog);
}

static void test_rerank_is_counted(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_entry *entry = find(catalog, NULL, MODEL_RERANK);
    struct fake_model fake = fake_new(1);
    struct span documents[3] = {span_of("a cat"), span_of(""), span_of("dogs")};
    struct model_candidates candidates = {
        .query = span_of("cat"), .documents = documents, .n_documents = 3};
    struct catalog_statistics statistics;
    double scores[3];
    assert_int_equal(catalog_rerank(catalog, entry, NULL, &candidates, scores, NULL), 0);
    assert_true(scores[0] > scores[1] && scores[0] > scores[2]);
    fake.fail_at = 1;
    assert_int_equal(catalog_rerank(catalog, entry, &fake.model, &candidates, scores, NULL),
                     ERROR_UNAVAILABLE);
    candidates.query = span_of("");
    assert_int_equal(catalog_rerank(catalog, entry, NULL, &candidates, scores, NULL),
                     ERROR_INVALID);
    candidates.query = span_of("cat");
    candidates.n_documents = 0;
    assert_int_equal(catalog_rerank(catalog, entry, NULL, &candidates, scores, NULL), 0);
    catalog_entry_statistics(entry, &statistics);
    assert_int_equal(statistics.usage.requests, 2);
    assert_int_equal(statistics.texts, 3);
    assert_int_equal(statistics.failures, 1);
    free_catalog(catalog);
}

static void test_prefixes(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_alias alias = {.name = "p",
                                  .task = MODEL_EMBED,
                                  .provider = "builtin",
                                  .model = "lexical",
                                  .query_prefix = "find: ",
                                  .document_prefix = "text: "};
    size_t number;
    assert_int_equal(catalog_add(catalog, &alias, &number, NULL), 0);
    struct catalog_entry *entry = find(catalog, "p", MODEL_EMBED);
    struct fake_model fake = fake_new(8);
    struct span texts[2] = {span_of("abc"), span_of("d")};
    struct model_texts request = {texts, 2, MODEL_DOCUMENT, NULL, 0};
    float out[4];
    assert_int_equal(embed_into(catalog, entry, &fake.model, &request, out, NULL), 0);
    assert_true(out[0] == 9 && out[2] == 7);
    texts[1] = span_of(" ");
    assert_int_equal(embed_into(catalog, entry, &fake.model, &request, out, NULL), ERROR_INVALID);
    assert_int_equal(fake.n_calls, 1);
    /* The model's own prefix is taken where the alias has none. */
    alias = (struct catalog_alias){
        .name = LEXICAL, .task = MODEL_EMBED, .model = LEXICAL, .query_prefix = "ask: "};
    assert_int_equal(catalog_change(catalog, find(catalog, LEXICAL, MODEL_EMBED), &alias, NULL), 0);
    assert_int_equal(add(catalog, "bare", MODEL_EMBED, LEXICAL, NULL), 0);
    texts[1] = span_of("d");
    request.role = MODEL_QUERY;
    entry = find(catalog, "bare", MODEL_EMBED);
    assert_int_equal(embed_into(catalog, entry, &fake.model, &request, out, NULL), 0);
    assert_true(out[0] == 8 && out[2] == 6);
    free_catalog(catalog);
}

static void check_refusal(const struct catalog_refusals *refusals, size_t i, size_t text,
                          const char *why)
{
    assert_true(i < refusals->n);
    assert_int_equal(refusals->items[i].text, text);
    assert_string_equal(refusals->items[i].why.text, why);
}

/* Refused texts are named in order, equal ones together; the others are embedded and cached. */
static void test_refusals(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct catalog_alias alias = {.name = "p",
                                  .task = MODEL_EMBED,
                                  .provider = "builtin",
                                  .model = "lexical",
                                  .document_prefix = "text: "};
    size_t number;
    assert_int_equal(catalog_add(catalog, &alias, &number, NULL), 0);
    struct span texts[] = {span_of("\xff"),    span_of("one cat"), span_of(" "),
                           span_of("one cat"), span_of("\xff"),    span_of("dogs"),
                           span_of("\xc2\xa0")};
    struct model_texts request = {texts, 7, MODEL_DOCUMENT, NULL, 0};
    struct fake_model fake = fake_new(8);
    fake.refuses = "text: dogs";
    const char *const names[] = {LEXICAL, "p"};
    for (int i = 0; i < 4; i++) {
        struct catalog_entry *entry = find(catalog, names[i / 2], MODEL_EMBED);
        struct model_embeddings all;
        struct catalog_refusals refusals;
        struct model *fitted = i % 2 == 0 ? NULL : &fake.model;
        int n = i == 3 ? 5 : 4;
        assert_int_equal(catalog_embed(catalog, entry, fitted, &request, &all, &refusals, NULL), 0);
        assert_int_equal(refusals.n, n);
        check_refusal(&refusals, 0, 0, "the text is not valid UTF-8 at byte 0");
        check_refusal(&refusals, 1, 2, "the text is empty");
        check_refusal(&refusals, 2, 4, "the text is not valid UTF-8 at byte 0");
        if (i == 3) check_refusal(&refusals, 3, 5, "not this one");
        check_refusal(&refusals, (size_t)n - 1, 6, "the text is empty");
        size_t dimensions = all.dimensions;
        assert_memory_equal(all.vectors + dimensions, all.vectors + 3 * dimensions,
                            dimensions * sizeof *all.vectors);
        for (size_t j = 0; j < dimensions; j++) assert_true(all.vectors[j] == 0);
        memory_free(all.vectors);
        catalog_refusals_deinit(&refusals);
        assert_int_equal(catalog_embed(catalog, entry, fitted, &request, &all, NULL, NULL),
                         ERROR_INVALID);
        assert_null(all.vectors);
    }
    struct catalog_statistics statistics;
    catalog_entry_statistics(find(catalog, LEXICAL, MODEL_EMBED), &statistics);
    assert_int_equal(statistics.failures, 0);
    assert_int_equal(statistics.texts, 2 + 3 + 2 + 2);
    free_catalog(catalog);
}

/* Nothing but refused texts, and an error after some. */
static void test_refusals_alone(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct span texts[] = {span_of("\xff"), span_of("one cat")};
    struct model_texts request = {texts, 1, MODEL_DOCUMENT, NULL, 0};
    struct fake_model fake = fake_new(8);
    struct catalog_entry *entry = find(catalog, NULL, MODEL_EMBED);
    struct model_embeddings all;
    struct catalog_refusals refusals;
    assert_int_equal(catalog_embed(catalog, entry, NULL, &request, &all, &refusals, NULL), 0);
    assert_null(all.vectors);
    assert_int_equal(refusals.n, 1);
    catalog_refusals_deinit(&refusals);
    request.n_texts = 2;
    fake.fail_at = fake.n_calls + 1;
    assert_int_equal(catalog_embed(catalog, entry, &fake.model, &request, &all, &refusals, NULL),
                     ERROR_UNAVAILABLE);
    assert_null(refusals.items);
    assert_int_equal(refusals.n, 0);
    free_catalog(catalog);
}

static void check_refused(struct catalog *catalog, const struct catalog_alias *alias,
                          const char *expected)
{
    struct error err = {0};
    size_t number;
    int end;
    assert_int_equal(catalog_add(catalog, alias, &number, &err), ERROR_INVALID);
    assert_string_equal(err.text, expected);
    assert_null(catalog_entry_at(catalog, 4, &end));
    assert_true(end);
}

static void test_aliases_that_are_refused(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    char long_name[CATALOG_MAX_NAME + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    struct catalog_alias alias = {.name = "a", .model = "lexical"};
    check_refused(
        catalog, &alias,
        "no model is called 'lexical' (these embed: builtin:static, builtin:lexical, builtin:lsa, "
        "local:owner/name of a model folder, and provider:model of a remote provider)");
    alias.provider = "nope";
    check_refused(
        catalog, &alias,
        "no provider is called 'nope' (there are: builtin, local, cohere, infinity, jina, litellm, "
        "litellm-chat, llamacpp, llamacpp-chat, mistral, mistral-chat, mixedbread, nomic, ollama, "
        "ollama-chat, ollama-openai, openai, openai-chat, tei, tei-openai, together, "
        "together-chat, vllm, vllm-chat, voyage)");
    alias = (struct catalog_alias){.name = LEXICAL, .model = LEXICAL};
    check_refused(catalog, &alias, "there is a model called 'builtin:lexical' already");
    alias.name = long_name;
    check_refused(catalog, &alias, "expected a name of at most 200 bytes, not 201");
    alias.name = "";
    check_refused(catalog, &alias, "name: the text is empty");
    alias.name = NULL;
    check_refused(catalog, &alias, "expected a name");
    alias = (struct catalog_alias){.name = "a"};
    check_refused(catalog, &alias, "expected a model that 'a' stands for");
    alias = (struct catalog_alias){.name = "a", .model = LEXICAL, .query_prefix = "\xff"};
    check_refused(catalog, &alias, "prefix: the text is not valid UTF-8 at byte 0");
    alias.task = MODEL_RERANK;
    alias.query_prefix = "q";
    check_refused(catalog, &alias, "a model that reranks takes no prefix");
    /* Taken for one task: neither is added. */
    assert_int_equal(add(catalog, "a", MODEL_RERANK, LEXICAL, NULL), 0);
    assert_int_equal(add(catalog, "a", 0, LEXICAL, NULL), ERROR_INVALID);
    check_unknown(
        catalog, "a", MODEL_EMBED,
        "the model a does not embed (these do: builtin:static, builtin:lexical, builtin:lsa)");
    free_catalog(catalog);
}

/* A message has room for so many names. */
static void test_a_list_of_names_that_is_cut_says_so(void **state)
{
    (void)state;
    char name[] = "as-long-as-many-names-are-a";
    struct catalog *catalog = new_catalog();
    for (; name[26] <= 'z'; name[26]++)
        assert_int_equal(add(catalog, name, MODEL_EMBED, STATIC, NULL), 0);
    check_unknown(
        catalog, "nope", MODEL_EMBED,
        "no model is called 'nope' (these embed: builtin:static, builtin:lexical, builtin:lsa, "
        "as-long-as-many-names-are-a, as-long-as-many-names-are-b, as-long-as-many-names-are-c, "
        "as-long-as-many-names-are-d, as-long-as-many-names-are-e, as-long-as-many-names-are-f, "
        "as-long-as-many-names-are-g, as-long-as-many-names-are-h, ..., local:owner/name of a "
        "model folder, and provider:model of a remote provider)");
    free_catalog(catalog);
}

static void test_defaults_follow_aliases(void **state)
{
    (void)state;
    struct catalog *catalog = new_catalog();
    struct error err = {0};
    assert_int_equal(add(catalog, "words", 0, LEXICAL, NULL), 0);
    assert_int_equal(catalog_set_default(catalog, MODEL_EMBED, "words", NULL), 0);
    struct catalog_entry *entry = find(catalog, NULL, MODEL_EMBED);
    assert_ptr_equal(entry, find(catalog, "words", MODEL_EMBED));
    assert_string_equal(catalog_default(catalog, MODEL_RERANK), LEXICAL);
    assert_int_equal(catalog_set_default(catalog, MODEL_EMBED, "nope", &err), ERROR_INVALID);
    assert_string_equal(catalog_default(catalog, MODEL_EMBED), "words");
    struct catalog_alias renamed = {.name = "terms", .task = MODEL_EMBED, .model = LEXICAL};
    assert_int_equal(catalog_change(catalog, entry, &renamed, NULL), 0);
    assert_string_equal(catalog_default(catalog, MODEL_EMBED), "terms");
    assert_ptr_equal(find(catalog, NULL, MODEL_EMBED), entry);
    assert_int_equal(catalog_remove(catalog, entry, NULL), 0);
    assert_string_equal(catalog_default(catalog, MODEL_EMBED), STATIC);
    assert_string_equal(catalog_entry_name(entry), LEXICAL);
    assert_int_equal(catalog_remove(catalog, find(catalog, NULL, MODEL_EMBED), &err),
                     ERROR_INVALID);
    assert_string_equal(err.text, "builtin:static is built in and cannot be removed");
    free_catalog(catalog);
}

static void test_the_environment(void **state)
{
    (void)state;
    struct catalog *catalog;
    struct error err = {0};
    setenv("RERANK_EMBED_MODEL", "mine", 1);
    setenv("RERANK_MEMORY_BUDGET", "12345", 1);
    catalog = new_catalog();
    assert_int_equal(catalog_get(catalog, CATALOG_MEMORY_BUDGET), 12345);
    check_unknown(
        catalog, NULL, MODEL_EMBED,
        "RERANK_EMBED_MODEL: no model is called 'mine' (these embed: builtin:static, "
        "builtin:lexical, builtin:lsa, local:owner/name of a model folder, and provider:model of a "
        "remote provider)");
    assert_int_equal(add(catalog, "mine", MODEL_EMBED, LEXICAL, NULL), 0);
    assert_ptr_equal(find(catalog, NULL, MODEL_EMBED), find(catalog, "mine", MODEL_EMBED));
    find(catalog, NULL, MODEL_RERANK);
    catalog_free(catalog);
    static const char *const bad[] = {"much", "-1", "1e6", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("RERANK_MEMORY_BUDGET", bad[i], 1);
        assert_int_equal(catalog_new(&catalog, &err), ERROR_INVALID);
        assert_null(catalog);
    }
    unsetenv("RERANK_MEMORY_BUDGET");
    setenv("RERANK_EMBED_MODEL", "", 1);
    catalog = new_catalog();
    find(catalog, NULL, MODEL_EMBED);
    unsetenv("RERANK_EMBED_MODEL");
    free_catalog(catalog);
}

/* All that can be done, with room for n allocations. */
static int do_everything(long n)
{
    static const char *const texts[] = {"one cat", "two dogs", "one cat"};
    static float out[3 * 65536];
    struct catalog *catalog;
    struct catalog_entry *entry;
    struct error err = {0};
    struct catalog_alias alias = {.name = "p", .model = LEXICAL, .document_prefix = "text: "};
    size_t number;
    failing_memory_after = n;
    int rc = catalog_new(&catalog, &err);
    if (rc == 0) rc = catalog_add(catalog, &alias, &number, &err);
    if (rc == 0) rc = catalog_set_default(catalog, MODEL_EMBED, "p", &err);
    if (rc == 0) rc = catalog_find(catalog, NULL, MODEL_EMBED, &entry, &err);
    if (rc == 0) rc = embed(catalog, entry, texts, 3, out, &err);
    alias.task = MODEL_EMBED;
    alias.name = "q";
    if (rc == 0) rc = catalog_change(catalog, entry, &alias, &err);
    failing_memory_after = -1;
    if (rc != 0) assert_int_equal(rc, ERROR_NOMEM);
    catalog_free(catalog);
    assert_int_equal(failing_memory_blocks, 0);
    return rc;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    long n = 0;
    while (do_everything(n) != 0) n++;
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_there_is),
        cmocka_unit_test(test_texts_are_embedded_once),
        cmocka_unit_test(test_no_budget_no_cache),
        cmocka_unit_test(test_fitted_models),
        cmocka_unit_test(test_rerank_is_counted),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refusals_alone),
        cmocka_unit_test(test_aliases_that_are_refused),
        cmocka_unit_test(test_a_list_of_names_that_is_cut_says_so),
        cmocka_unit_test(test_defaults_follow_aliases),
        cmocka_unit_test(test_the_environment),
        cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

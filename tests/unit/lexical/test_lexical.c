#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "lexical/lexical.h"
#include "model/array_sink.h"

#define N_TEXTS 60

struct texts {
    char text[N_TEXTS][96];
    size_t n, at;
};

static int next(void *context, struct span *text, int *done, struct error *err)
{
    (void)err;
    struct texts *texts = context;
    *done = texts->at == texts->n;
    if (*done) return 0;
    *text = (struct span){texts->text[texts->at], strlen(texts->text[texts->at])};
    texts->at++;
    return 0;
}

static struct model *fit(size_t n)
{
    static const char *const words[] = {"bats",  "caves", "heroes", "trains", "soup",
                                        "chefs", "stars", "ships",  "dogs"};
    static struct texts texts;
    struct model *model, *fitted;
    texts.n = n;
    texts.at = 0;
    for (size_t i = 0; i < n; i++)
        snprintf(texts.text[i], sizeof texts.text[i], "%s and %s near %s number %zu", words[i % 9],
                 words[i / 3 % 9], words[i * 7 % 9], i / 2);
    struct model_collection collection = {n, next, &texts, NULL};
    assert_int_equal(lexical_new(&model, NULL), 0);
    assert_int_equal(model->methods->fit(model, &collection, &fitted, NULL), 0);
    model_free(model);
    return fitted;
}

static void embed(struct model *model, const char *text, float *embedding)
{
    struct span span = {text, strlen(text)};
    struct model_texts texts = {&span, 1, MODEL_DOCUMENT, NULL, 0};
    assert_int_equal(embed_into(model, &texts, embedding, NULL), 0);
}

static void check_unit_length(const float *embedding, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += (double)embedding[i] * (double)embedding[i];
    assert_true(fabs(squares - 1.0) < 1e-5);
}

static void test_every_text_has_a_direction(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a hero", "the of", "!", "\xF0\x9F\xA6\x87", "x", "\xE6\x9D\xB1\xE4\xBA\xAC", "..."};
    float embedding[LEXICAL_DIMENSIONS], again[LEXICAL_DIMENSIONS];
    struct model *model;
    assert_int_equal(lexical_new(&model, NULL), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        embed(model, texts[i], embedding);
        embed(model, texts[i], again);
        check_unit_length(embedding, LEXICAL_DIMENSIONS);
        assert_memory_equal(embedding, again, sizeof embedding);
    }
    model_free(model);
}

static void test_collections_of_any_size(void **state)
{
    (void)state;
    for (size_t n = 0; n <= N_TEXTS; n = n < 12 ? n + 1 : n + 16) {
        struct model *model = fit(n);
        float *embedding = memory_alloc(model->dimensions, sizeof *embedding);
        embed(model, "bats in unknown words", embedding);
        check_unit_length(embedding, model->dimensions);
        memory_free(embedding);
        model_free(model);
    }
}

static void test_save_and_load(void **state)
{
    (void)state;
    struct model *model = fit(N_TEXTS), *stateless, *loaded;
    struct buffer bytes;
    struct error err;
    float a[2048], b[2048];
    buffer_init(&bytes, 1 << 24);
    assert_int_equal(lexical_new(&stateless, NULL), 0);
    assert_int_equal(model->methods->save(model, &bytes, NULL), 0);
    assert_int_equal(
        stateless->methods->load(stateless, (struct span){bytes.data, bytes.size}, &loaded, NULL),
        0);
    assert_int_equal(loaded->dimensions, model->dimensions);
    embed(model, "heroes and bats", a);
    embed(loaded, "heroes and bats", b);
    assert_memory_equal(a, b, model->dimensions * sizeof *a);
    model_free(loaded);
    for (size_t size = 0; size < bytes.size; size += size < 64 ? 1 : 997) {
        assert_int_equal(
            stateless->methods->load(stateless, (struct span){bytes.data, size}, &loaded, &err),
            ERROR_CORRUPT);
    }
    for (size_t i = 0; i < bytes.size; i += 101) {
        bytes.data[i] ^= 0x40;
        assert_int_equal(stateless->methods->load(stateless, (struct span){bytes.data, bytes.size},
                                                  &loaded, &err),
                         ERROR_CORRUPT);
        bytes.data[i] ^= 0x40;
    }
    buffer_deinit(&bytes);
    model_free(stateless);
    model_free(model);
}

/* Whatever weight the length of its documents gives to words. */
static void test_same_bits_when_loaded_again(void **state)
{
    (void)state;
    static const char *const texts[] = {"bats", "a detective near caves and 7 ships", "zzz"};
    float a[2048], b[2048];
    struct model *stateless, *loaded;
    assert_int_equal(lexical_new(&stateless, NULL), 0);
    for (size_t n = 0; n <= N_TEXTS; n = n < 12 ? n + 1 : n + 5) {
        struct model *model = fit(n);
        struct buffer bytes;
        buffer_init(&bytes, 1 << 24);
        assert_int_equal(model->methods->save(model, &bytes, NULL), 0);
        assert_int_equal(stateless->methods->load(stateless, (struct span){bytes.data, bytes.size},
                                                  &loaded, NULL),
                         0);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            embed(model, texts[i], a);
            embed(loaded, texts[i], b);
            assert_memory_equal(a, b, model->dimensions * sizeof *a);
        }
        model_free(loaded);
        model_free(model);
        buffer_deinit(&bytes);
    }
    model_free(stateless);
}

static void test_reranker(void **state)
{
    (void)state;
    static const char *const documents[] = {"Batman Begins", "Cooking for two", "",
                                            "bats in a cave", "the the the"};
    struct span spans[5];
    double scores[5], lone;
    struct model *model;
    struct model_candidates candidates = {
        .query = {"bats", 4}, .documents = spans, .n_documents = 5};
    for (size_t i = 0; i < 5; i++) spans[i] = (struct span){documents[i], strlen(documents[i])};
    assert_int_equal(lexical_new(&model, NULL), 0);
    assert_int_equal(model_rerank(model, &candidates, scores, &(struct model_usage){0}, NULL), 0);
    assert_true(scores[3] > scores[0] && scores[0] > scores[1]);
    assert_true(scores[2] <= scores[1] && scores[3] < 1);
    candidates.n_documents = 1;
    assert_int_equal(model_rerank(model, &candidates, &lone, &(struct model_usage){0}, NULL), 0);
    assert_true(lone > 0 && lone < 1);
    model_free(model);
}

/* Each trigram of a word is shared once: "aaa" has little of a word of many a. */
static void test_repeated_trigrams_count_once(void **state)
{
    (void)state;
    char query[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct span documents[] = {{"xaaax", 5}, {"kaaaaaaak", 9}};
    double scores[2];
    struct model *model;
    struct model_candidates candidates = {
        .query = {query, strlen(query)}, .documents = documents, .n_documents = 2};
    assert_int_equal(lexical_new(&model, NULL), 0);
    assert_int_equal(model_rerank(model, &candidates, scores, &(struct model_usage){0}, NULL), 0);
    for (size_t i = 0; i < 2; i++) assert_true(scores[i] >= 0 && scores[i] < 0.3f);
    candidates.query = documents[0];
    documents[0] = (struct span){query, strlen(query)};
    assert_int_equal(model_rerank(model, &candidates, scores, &(struct model_usage){0}, NULL), 0);
    assert_true(scores[0] >= 0 && scores[0] < 0.3f);
    model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_text_has_a_direction),
        cmocka_unit_test(test_collections_of_any_size),
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_same_bits_when_loaded_again),
        cmocka_unit_test(test_reranker),
        cmocka_unit_test(test_repeated_trigrams_count_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

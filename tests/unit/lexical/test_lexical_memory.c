#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/each_allocation.h"
#include "lexical/features.h"
#include "lexical/lexical.h"
#include "model/array_sink.h"

enum { N_DOCUMENTS = 300, MAX_DIMENSIONS = 1024 };

/* What was made with all the memory there is: each later success must be the same. */
static struct buffer fitted_bytes;
static float expected_hashed[2][MAX_DIMENSIONS], expected_fitted[2][MAX_DIMENSIONS];
static double expected_scores[2][3];

static struct span texts[] = {
    {"Bats fly out of a dark cave while the masked hero of an unforgiving metropolis investigates "
     "kidnappings, counterfeiters, smugglers and extraordinary conspiracies",
     0},
    {"\xE6\x9D\xB1\xE4\xBA\xAC", 0},
    {"the of", 0},
    {"!!!", 0},
};

static int next(void *context, struct span *text, int *done, struct error *err)
{
    static const char *const words[] = {"bats",  "caves", "heroes", "trains", "soup",
                                        "chefs", "stars", "ships",  "dogs"};
    static char document[96];
    size_t i = (*(size_t *)context)++;
    (void)err;
    *done = i == N_DOCUMENTS;
    int size = snprintf(document, sizeof document, "%s and %s near %s number %zu", words[i % 9],
                        words[i / 3 % 9], words[i * 7 % 9], i / 2);
    *text = (struct span){document, (size_t)size};
    return 0;
}

/* Keeps what is made first, without a failure; compares with it later. */
static void check_same(void *expected, const void *made, size_t size, int is_first)
{
    if (is_first) memcpy(expected, made, size);
    else assert_memory_equal(expected, made, size);
}

static int extract(void *context, struct error *err)
{
    struct features features;
    features_init(&features, WORDS_NOW, NULL);
    int rc = features_extract(&features, *(const struct span *)context, err);
    if (rc == 0) assert_true(features.terms.n > 0);
    features_deinit(&features);
    return rc;
}

static void test_features(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(each_allocation(extract, &texts[i]) >= (i == 0 ? 4 : 1));
}

static int embed_and_rerank(struct model *model, float expected[2][MAX_DIMENSIONS], double *scores,
                            int is_first, struct error *err)
{
    static float embeddings[2 * MAX_DIMENSIONS];
    double made[3];
    struct span documents[] = {{"bats in a cave", 14}, {"", 0}, {"trains and chefs", 16}};
    struct model_texts batch = {texts, 2, MODEL_DOCUMENT, NULL, 0};
    struct model_candidates candidates = {
        .query = texts[0], .documents = documents, .n_documents = 3};
    size_t size = 2 * model->dimensions * sizeof(float);
    int rc = embed_into(model, &batch, embeddings, err);
    if (rc == 0) check_same(expected, embeddings, size, is_first);
    if (rc == 0) rc = model_rerank(model, &candidates, made, &(struct model_usage){0}, err);
    if (rc == 0) check_same(scores, made, sizeof made, is_first);
    return rc;
}

static int use_stateless(void *context, struct error *err)
{
    struct model *model;
    int rc = lexical_new(&model, err);
    if (rc == 0)
        rc = embed_and_rerank(model, expected_hashed, expected_scores[0], context != NULL, err);
    model_free(model);
    return rc;
}

static int fit_and_save(void *context, struct error *err)
{
    struct model *model, *fitted = NULL;
    struct buffer bytes;
    size_t position = 0;
    struct model_collection collection = {N_DOCUMENTS, next, &position, NULL};
    buffer_init(&bytes, 1 << 24);
    int rc = lexical_new(&model, err);
    if (rc == 0) rc = model->methods->fit(model, &collection, &fitted, err);
    if (rc == 0) rc = model->methods->save(fitted, &bytes, err);
    if (rc == 0 && context == NULL) {
        assert_int_equal(bytes.size, fitted_bytes.size);
        assert_memory_equal(bytes.data, fitted_bytes.data, bytes.size);
    }
    if (rc == 0 && context != NULL) rc = buffer_append(context, bytes.data, bytes.size, err);
    buffer_deinit(&bytes);
    model_free(fitted);
    model_free(model);
    return rc;
}

static int load_and_use(void *context, struct error *err)
{
    struct model *model, *fitted = NULL;
    int rc = lexical_new(&model, err);
    if (rc == 0)
        rc = model->methods->load(model, (struct span){fitted_bytes.data, fitted_bytes.size},
                                  &fitted, err);
    if (rc == 0)
        rc = embed_and_rerank(fitted, expected_fitted, expected_scores[1], context != NULL, err);
    model_free(fitted);
    model_free(model);
    return rc;
}

static void test_stateless(void **state)
{
    (void)state;
    assert_true(each_allocation(use_stateless, NULL) > 8);
}

static void test_fit(void **state)
{
    (void)state;
    assert_true(each_allocation(fit_and_save, NULL) > 20);
}

static void test_load(void **state)
{
    (void)state;
    assert_true(each_allocation(load_and_use, NULL) > 12);
}

static int set_up(void **state)
{
    int first = 1;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) texts[i].size = strlen(texts[i].data);
    buffer_init(&fitted_bytes, 1 << 24);
    return fit_and_save(&fitted_bytes, NULL) != 0 || use_stateless(&first, NULL) != 0 ||
           load_and_use(&first, NULL) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_deinit(&fitted_bytes);
    return failing_memory_blocks != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_features),
        cmocka_unit_test(test_stateless),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_load),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

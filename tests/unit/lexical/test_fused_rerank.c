#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/each_allocation.h"
#include "base/memory.h"
#include "lexical/fused_rerank.h"
#include "lexical/lexical.h"

enum { MOST = 8 };

/* Scores of documents that were found with these fused scores; a title ends with a new line. */
static void score(const char *query, const char *const *documents, const double *fused, size_t n,
                  double *scores)
{
    struct span spans[MOST];
    size_t title_sizes[MOST];
    for (size_t i = 0; i < n; i++) {
        const char *end = strchr(documents[i], '\n');
        title_sizes[i] = end == NULL ? 0 : (size_t)(end - documents[i]);
        spans[i] = (struct span){documents[i], strlen(documents[i])};
    }
    struct model_candidates candidates = {.query = {query, strlen(query)},
                                          .documents = spans,
                                          .n_documents = n,
                                          .fused = fused,
                                          .title_sizes = title_sizes};
    assert_int_equal(lexical_fused_rerank(WORDS_NOW, &candidates, scores, NULL), 0);
}

/* The place of the best of n scores. */
static size_t best_of(const double *scores, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (scores[i] > scores[best]) best = i;
    return best;
}

static void test_nothing_to_add_leaves_the_scores(void **state)
{
    (void)state;
    static const char *const alike[] = {"soup", "bread", "tea"};
    static const double fused[] = {.25, .5, -.125};
    double scores[3];
    score("bats", alike, fused, 3, scores);
    assert_memory_equal(scores, fused, sizeof fused);
    score("bats", (const char *const[]){"bats", "bats", "bats"}, fused, 3, scores);
    assert_memory_equal(scores, fused, sizeof fused);
    score("bats", (const char *const[]){"a bat"}, fused, 1, scores);
    assert_true(scores[0] == fused[0]);
    score("bats", (const char *const[]){"", "", ""}, fused, 3, scores);
    assert_memory_equal(scores, fused, sizeof fused);
}

/* Where fused scores are all but equal, beside the distance to others, each part decides. */
static void test_each_part(void **state)
{
    (void)state;
    static const double fused[] = {.3001, .3, .2999, .1};
    double scores[4];
    score("dark cave", (const char *const[]){"a cave", "dark", "dark caverns", "tea"}, fused, 4,
          scores);
    assert_int_equal(best_of(scores, 4), 2); /* near a word that is alike */
    score("dark cave",
          (const char *const[]){"dark and a long way from here to the next street is a cave",
                                "a cave and a long way from here to the next street is dark",
                                "a long way from here to the next street is a dark cave", "tea"},
          fused, 4, scores);
    assert_int_equal(best_of(scores, 4), 2); /* proximity */
    score(
        "bats",
        (const char *const[]){"A film\nabout bats", "A bad\nbat", "Bats\na film", "Tea\nand soup"},
        fused, 4, scores);
    assert_int_equal(best_of(scores, 4), 2); /* the title */
}

/* By the definition: each of two documents is a standard deviation from their mean. */
static void test_scores_by_hand(void **state)
{
    (void)state;
    static const double fused[] = {.5, .25};
    static const char *const titles[] = {"soup\n", "bats\n"},
                             *const texts[] = {"a\nbats and a long way to the next dark cave",
                                               "a\ndark cave"};
    double scores[2], spread = .125;
    score("bats", titles, fused, 2, scores); /* the title alone: one term has no neighbour */
    assert_true(fabs(scores[0] - (.5 - FUSED_TITLE * spread)) < 1e-12);
    assert_true(fabs(scores[1] - (.25 + FUSED_TITLE * spread)) < 1e-12);
    score("bats cave", texts, fused, 2, scores); /* words in no title, and far apart */
    assert_memory_equal(scores, fused, sizeof fused);
    score("dark cave", texts, fused, 2, scores); /* as near in both */
    assert_memory_equal(scores, fused, sizeof fused);
    score("bats cave", (const char *const[]){"a\nbats", "a\nbats cave"}, fused, 2, scores);
    assert_true(fabs(scores[0] - (.5 - FUSED_PROXIMITY * spread)) < 1e-12);
    assert_true(fabs(scores[1] - (.25 + FUSED_PROXIMITY * spread)) < 1e-12);
}

/* Scores of any scale: the order is the same. */
static void test_scale_of_the_fused_scores(void **state)
{
    (void)state;
    static const char *const documents[] = {"a cave", "bats in a dark cave", "dark tea", "bats"};
    double fused[] = {.4, .35, .3, .1}, scores[4], scaled[4], small[4];
    score("bats in the dark", documents, fused, 4, scores);
    for (size_t i = 0; i < 4; i++) small[i] = fused[i] / 1024;
    score("bats in the dark", documents, small, 4, scaled);
    for (size_t i = 0; i < 4; i++) assert_true(fabs(scaled[i] * 1024 - scores[i]) < 1e-12);
    for (size_t i = 0; i < 4; i++) small[i] = .02; /* equal ones: the parts order them */
    score("bats in the dark", documents, small, 4, scaled);
    assert_int_equal(best_of(scaled, 4), 1);
}

static int never(void *context)
{
    return ++*(int *)context > 3;
}

static void test_hostile_texts(void **state)
{
    (void)state;
    size_t size = (size_t)10 << 20;
    char *text = memory_alloc(size, 1);
    int n_asked = 0;
    struct cancel cancel = {never, &n_asked};
    struct span documents[3] = {{text, size}, {text, (size_t)1 << 20}, {"bats", 4}};
    double fused[] = {.3, .2, .1}, scores[3];
    struct model_candidates candidates = {
        .query = {"bats of a cave", 14}, .documents = documents, .n_documents = 3, .fused = fused};
    assert_non_null(text);
    memset(text, 'b', size); /* a word of 10 MB, and one of 1 MB */
    assert_int_equal(lexical_fused_rerank(WORDS_NOW, &candidates, scores, NULL), 0);
    assert_int_equal(best_of(scores, 3), 0);
    for (size_t i = 0; i + 5 <= size; i += 5) memcpy(text + i, "bats\n", 5);
    candidates.cancel = &cancel;
    assert_int_equal(lexical_fused_rerank(WORDS_NOW, &candidates, scores, NULL), ERROR_INTERRUPTED);
    candidates.cancel = NULL;
    documents[0].size = documents[1].size;
    candidates.query = documents[1]; /* a query of 1 MB */
    assert_int_equal(lexical_fused_rerank(WORDS_NOW, &candidates, scores, NULL), 0);
    for (size_t i = 0; i < 3; i++) assert_true(isfinite(scores[i]));
    memory_free(text);
}

/* The model chooses by what it is given, and documents that it cannot read have no part in it. */
static void test_the_model_reranks_what_is_fused(void **state)
{
    (void)state;
    struct span documents[] = {{"soup\n", 5}, {" ", 1}, {"\xff", 1}, {"bats\n", 5}};
    size_t title_sizes[] = {4, 1, 1, 4};
    double fused[] = {.5, 7, 8, .25}, scores[4], expected[2], plain[4];
    unsigned char refused[4];
    struct model *model;
    struct model_candidates candidates = {
        .query = {"bats", 4}, .documents = documents, .n_documents = 4, .refused = refused};
    assert_int_equal(lexical_new(&model, NULL), 0);
    assert_int_equal(model_rerank(model, &candidates, plain, &(struct model_usage){0}, NULL), 0);
    candidates.fused = fused;
    candidates.title_sizes = title_sizes;
    assert_int_equal(model_rerank(model, &candidates, scores, &(struct model_usage){0}, NULL), 0);
    score("bats", (const char *const[]){"soup\n", "bats\n"}, (double[]){.5, .25}, 2, expected);
    assert_true(scores[0] == expected[0] && scores[3] == expected[1]);
    assert_true(isnan(scores[1]) && isnan(scores[2]) && refused[1] && refused[2]);
    assert_true(plain[3] > plain[0] && scores[3] > fused[3]);
    model_free(model);
}

static int rerank_once(void *context, struct error *err)
{
    struct span documents[] = {{"bats in a cave", 14}, {"", 0}, {"Trains\nand chefs", 16}};
    static const double fused[] = {.3, .2, .1};
    double scores[3], *expected = context;
    struct model_candidates candidates = {.query = {"bats near trains", 16},
                                          .documents = documents,
                                          .n_documents = 3,
                                          .fused = fused};
    int rc = lexical_fused_rerank(WORDS_NOW, &candidates, scores, err);
    if (rc == 0 && expected[0] == 0) memcpy(expected, scores, sizeof scores);
    if (rc == 0) assert_memory_equal(expected, scores, sizeof scores);
    return rc;
}

static void test_each_allocation(void **state)
{
    (void)state;
    double expected[3] = {0};
    assert_int_equal(rerank_once(expected, NULL), 0);
    assert_true(each_allocation(rerank_once, expected) > 5);
}

static int no_memory_is_left(void **state)
{
    (void)state;
    return failing_memory_blocks != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_add_leaves_the_scores),
        cmocka_unit_test(test_each_part),
        cmocka_unit_test(test_scores_by_hand),
        cmocka_unit_test(test_scale_of_the_fused_scores),
        cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_the_model_reranks_what_is_fused),
        cmocka_unit_test(test_each_allocation),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, no_memory_is_left);
}

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

/* Of these letters the table of builtin:static knows nothing: the nearest passage has no part. */
static void test_nothing_to_add_leaves_the_scores(void **state)
{
    (void)state;
    static const char *const alike[] = {"суп", "хлеб", "чай"};
    static const double fused[] = {.25, .5, -.125};
    double scores[3];
    score("мыши", alike, fused, 3, scores);
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

static void expect(const double *scores, double first, double second)
{
    assert_float_equal(scores[0], first, 1e-7);
    assert_float_equal(scores[1], second, 1e-7);
}

/* By the definition: each of two documents is a standard deviation from their mean. */
static void test_scores_by_hand(void **state)
{
    (void)state;
    static const double fused[] = {.5, .25};
    static const char *const
        titles[] = {"суп\n", "мыши\n"},
        *const texts[] = {"а\nмыши и очень долгий путь отсюда до самой далекой темной пещеры",
                          "а\nтемной пещеры"};
    double scores[2], spread = .125, moved;
    score("мыши", titles, fused, 2, scores); /* one term has no neighbour */
    moved = (FUSED_TITLE + FUSED_WINDOW) * spread;
    expect(scores, .5 - moved, .25 + moved);
    score("мыши пещеры", texts, fused, 2, scores); /* in no title, far apart, in one window */
    moved = FUSED_WINDOW * spread;
    expect(scores, .5 + moved, .25 - moved);
    score("темной пещеры", texts, fused, 2, scores); /* as near in both */
    assert_memory_equal(scores, fused, sizeof fused);
    score("мыши пещеры", (const char *const[]){"а\nмыши", "а\nмыши пещеры"}, fused, 2, scores);
    moved = (FUSED_PROXIMITY + FUSED_WINDOW) * spread;
    expect(scores, .5 - moved, .25 + moved);
    score("bats", (const char *const[]){"soup", "vampires in caves"}, fused, 2, scores);
    moved = FUSED_PASSAGE * spread; /* none of the words, but their meaning */
    expect(scores, .5 - moved, .25 + moved);
}

/* A word that no document has: a word that it begins stands for it, by the share of letters. */
static void test_words_that_are_alike(void **state)
{
    (void)state;
    static const double fused[] = {.25, .5};
    double scores[2], likeness = .5 + .5 * 8 / 12, moved = FUSED_WINDOW * .125;
    score("мышь", (const char *const[]){"мышьяк", "суп"}, fused, 2, scores);
    expect(scores, .25 + moved + .5 * likeness, .5 - moved);
    /* Where one has the word itself, what is alike counts in the window alone: .6 of its likeness,
     * beside 1. */
    score("мышь", (const char *const[]){"мышьяк", "мышь"}, fused, 2, scores);
    expect(scores, .25 - moved, .5 + moved);
}

/* Vectors alone were asked: their similarities are what is given, and BM25 is added. */
static void test_similarities_and_words(void **state)
{
    (void)state;
    struct span documents[] = {{"суп", 6}, {"мыши", 8}};
    static const float similarities[] = {.5, .25};
    struct model_candidates candidates = {.query = {"мыши", 8},
                                          .documents = documents,
                                          .n_documents = 2,
                                          .similarities = similarities};
    double scores[2], moved = (FUSED_WINDOW + FUSED_WORDS) * .125;
    struct model *model;
    assert_int_equal(lexical_fused_rerank(WORDS_NOW, &candidates, scores, NULL), 0);
    expect(scores, .5 - moved, .25 + moved);
    assert_int_equal(lexical_new(&model, NULL), 0);
    scores[0] = scores[1] = 0;
    assert_int_equal(model_rerank(model, &candidates, scores, &(struct model_usage){0}, NULL), 0);
    expect(scores, .5 - moved, .25 + moved);
    model_free(model);
}

/* Of 40 words: the 41st is in another window. */
static void test_windows(void **state)
{
    (void)state;
    static const double fused[] = {.5, .25};
    char texts[2][1000] = {"мыши", "мыши"};
    double scores[2], moved = FUSED_WINDOW * .125;
    for (int i = 0; i < 39; i++) strcat(texts[0], " и");
    for (int i = 0; i < 38; i++) strcat(texts[1], " и");
    strcat(texts[0], " пещеры");
    strcat(texts[1], " пещеры");
    score("мыши пещеры", (const char *const[]){texts[0], texts[1]}, fused, 2, scores);
    expect(scores, .5 - moved, .25 + moved);
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
        cmocka_unit_test(test_words_that_are_alike),
        cmocka_unit_test(test_similarities_and_words),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_scale_of_the_fused_scores),
        cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_the_model_reranks_what_is_fused),
        cmocka_unit_test(test_each_allocation),
    };
    failing_memory_bind();
    return cmocka_run_group_tests(tests, NULL, no_memory_is_left);
}

/*
 * test_fusion.c: the scores of both formulas, beside numbers worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "semantic/fusion.h"

/* By words 2, 4, 1; by vectors 1, 2, 3 and 5 as one; 6 is known to nobody. */
static const struct fusion_row rows[] = {
    {.id = 5, .nearness = .1, .similarity = .1, .bm25 = NAN},
    {.id = 2, .nearness = .4, .similarity = .4, .bm25 = 3.0},
    {.id = 1, .nearness = .8, .similarity = .8, .bm25 = 1.0},
    {.id = 6, .nearness = NAN, .similarity = NAN, .bm25 = NAN},
    {.id = 4, .nearness = NAN, .similarity = NAN, .bm25 = 2.0},
    {.id = 3, .nearness = .1, .similarity = .1, .bm25 = NAN},
};

static void fill(struct fusion *fusion)
{
    struct error err;
    *fusion = (struct fusion){0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(fusion_add(fusion, &rows[i], &err), 0);
}

static void expect(const struct fusion_formula *formula, const struct fusion_bounds *bounds,
                   size_t k, const int64_t *ids, const double *scores, size_t n)
{
    struct fusion fusion;
    struct top_k ranked;
    struct top_k_hit hit;
    struct error err;
    fill(&fusion);
    top_k_init(&ranked, k);
    assert_int_equal(fusion_rank(&fusion, formula, bounds, &ranked, &err), 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(top_k_pop(&ranked, &hit));
        assert_int_equal(hit.id, ids[i]);
        assert_float_equal(hit.score, scores[i], 1e-15);
        assert_float_equal(fusion_find(&fusion, hit.id)->score, scores[i], 1e-15);
    }
    assert_false(top_k_pop(&ranked, &hit));
    top_k_deinit(&ranked);
    fusion_deinit(&fusion);
}

static void weighted_is_a_sum_of_shares(void **state)
{
    (void)state;
    const struct fusion_formula formula = {FUSION_WEIGHTED, .25, 2.0, 100};
    const int64_t ids[] = {2, 1, 4, 3, 5, 6};
    const double most = 2.2 * 2.0, scores[] = {.75 * 3.0 / most + .25 * .4,
                                               .75 * 1.0 / most + .25 * .8,
                                               .75 * 2.0 / most,
                                               .25 * .1,
                                               .25 * .1,
                                               0.0};
    expect(&formula, NULL, SIZE_MAX, ids, scores, 6);
    expect(&formula, NULL, 2, ids, scores, 2);
    expect(&formula, &(struct fusion_bounds){.3, .4}, SIZE_MAX, ids + 1, scores + 1, 2);
}

static void without_words_there_is_no_share(void **state)
{
    (void)state;
    const struct fusion_formula formula = {FUSION_WEIGHTED, .5, 0.0, 100};
    const int64_t ids[] = {1, 2, 3};
    const double scores[] = {.4, .2, .05};
    expect(&formula, NULL, 3, ids, scores, 3);
}

static void rrf_is_of_ranks(void **state)
{
    (void)state;
    const struct fusion_formula formula = {FUSION_RRF, .5, 2.0, 100};
    const int64_t ids[] = {2, 1, 4, 3, 5, 6};
    const double scores[] = {.5 / 61 + .5 / 62, .5 / 63 + .5 / 61, .5 / 62, .5 / 63, .5 / 64, 0.0};
    expect(&formula, NULL, SIZE_MAX, ids, scores, 6);
}

static void a_rank_beyond_the_depth_is_none(void **state)
{
    (void)state;
    const struct fusion_formula formula = {FUSION_RRF, .25, 2.0, 2};
    const int64_t ids[] = {2, 4, 1};
    const double scores[] = {.75 / 61 + .25 / 62, .75 / 62, .25 / 61};
    expect(&formula, NULL, 3, ids, scores, 3);
}

static void none_is_ranked(void **state)
{
    (void)state;
    struct fusion fusion = {0};
    const struct fusion_formula formula = {FUSION_RRF, .5, 0.0, 100};
    struct top_k ranked;
    struct error err;
    top_k_init(&ranked, 10);
    assert_int_equal(fusion_rank(&fusion, &formula, NULL, &ranked, &err), 0);
    assert_int_equal(ranked.n, 0);
    assert_null(fusion_find(&fusion, 1));
    top_k_deinit(&ranked);
}

/* 40 rows: the lower the id, the better by words; the higher, the nearer. Id 7 has no vector. */
static void candidates(size_t k, size_t n_near, int64_t *ids, size_t n)
{
    struct fusion fusion = {0};
    const struct fusion_formula formula = {FUSION_WEIGHTED, .001, 2.0, 100};
    struct top_k ranked;
    struct top_k_hit hit;
    struct error err;
    for (int64_t id = 1; id <= 40; id++) {
        double near = id == 7 || id > (int64_t)n_near ? NAN : (double)id / 100;
        struct fusion_row row = {
            .id = id, .nearness = near, .similarity = near, .bm25 = (double)(41 - id) / 10};
        assert_int_equal(fusion_add(&fusion, &row, &err), 0);
    }
    top_k_init(&ranked, SIZE_MAX);
    assert_int_equal(fusion_rank(&fusion, &formula, NULL, &ranked, &err), 0);
    assert_int_equal(fusion_mix(&fusion, k, &ranked, &err), 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(top_k_pop(&ranked, &hit));
        ids[i] = hit.id;
    }
    assert_false(top_k_pop(&ranked, &hit));
    top_k_deinit(&ranked);
    fusion_deinit(&fusion);
}

/* By definition: at each place the next of its order that has none. */
static void candidates_are_of_both_orders(void **state)
{
    (void)state;
    int64_t ids[40], fewer[12];
    int has_place[41] = {0};
    int64_t by_words = 1, by_nearness = 40;
    candidates(SIZE_MAX, 40, ids, 40);
    for (size_t i = 0; i < 40; i++) {
        while (has_place[by_words] && by_words < 40) by_words++;
        while (by_nearness > 1 && (by_nearness == 7 || has_place[by_nearness])) by_nearness--;
        int64_t expected = i % FUSION_NEAREST == FUSION_NEAREST - 1 ? by_nearness : by_words;
        if (has_place[expected]) expected = by_words;
        assert_int_equal(ids[i], expected);
        has_place[expected] = 1;
    }
    candidates(12, 40, fewer, 12); /* of any k the first are the same */
    assert_memory_equal(fewer, ids, sizeof fewer);
}

static void candidates_without_vectors_are_by_score(void **state)
{
    (void)state;
    int64_t ids[40];
    candidates(40, 0, ids, 40);
    for (int64_t i = 0; i < 40; i++) assert_int_equal(ids[i], i + 1);
    candidates(0, 40, ids, 0);
    struct fusion none = {0};
    struct top_k ranked;
    struct error err;
    top_k_init(&ranked, SIZE_MAX);
    assert_int_equal(fusion_mix(&none, 5, &ranked, &err), 0);
    assert_int_equal(ranked.n, 0);
    top_k_deinit(&ranked);
}

static void what_is_unknown_counts_less(void **state)
{
    (void)state;
    assert_true(fusion_weight(.3, 1) == .3);
    assert_true(fusion_weight(0, 0) == 0);
    assert_true(fusion_weight(1, 0) == 1);
    assert_true(fabs(fusion_weight(.3, 0) - .18 / .88) < 1e-12);
    assert_true(fabs(fusion_weight(.5, .5) - .4 / .9) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weighted_is_a_sum_of_shares),
        cmocka_unit_test(without_words_there_is_no_share),
        cmocka_unit_test(rrf_is_of_ranks),
        cmocka_unit_test(a_rank_beyond_the_depth_is_none),
        cmocka_unit_test(none_is_ranked),
        cmocka_unit_test(candidates_are_of_both_orders),
        cmocka_unit_test(candidates_without_vectors_are_by_score),
        cmocka_unit_test(what_is_unknown_counts_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

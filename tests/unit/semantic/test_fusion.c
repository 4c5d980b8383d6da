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
        cmocka_unit_test(what_is_unknown_counts_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

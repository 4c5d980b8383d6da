/* Searches of near partitions: how far they look, and what they find then; also of lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "index/blocks.h"

enum { N = 6000, DIMENSIONS = 32, PARTITIONS = 100, CENTRES = 80, QUERIES = 20 };

static float vectors[N + QUERIES][DIMENSIONS];

/* Around centres; a share of 0 is a cluster in one point, of 1 noise. */
static void draw(double share)
{
    static float centres[CENTRES][DIMENSIONS];
    uint64_t random = 3;
    random_vector(&random, CENTRES * DIMENSIONS, centres[0]);
    for (size_t i = 0; i < N + QUERIES; i++) {
        const float *centre = centres[random_bits(&random) % CENTRES];
        for (size_t d = 0; d < DIMENSIONS; d++)
            vectors[i][d] = (float)(1.0 - share) * centre[d] + (float)share * random_bell(&random);
    }
}

/* How many of the k nearest are found for all queries; *scanned: the share of rows looked at. */
static size_t find(enum index_metric metric, enum index_quantize quantize, size_t k,
                   const struct index_ring *ring, double *scanned)
{
    struct index_layout layout = {metric, quantize, DIMENSIONS, INDEX_FLOAT32};
    struct blocks blocks;
    size_t n_right = 0;
    blocks_new(&blocks, &layout, vectors[0], N, PARTITIONS);
    struct index_storage storage = blocks_storage(&blocks);
    struct index_search search = {.snapshot = blocks.snapshot,
                                  .storage = &storage,
                                  .near_partitions_only = 1,
                                  .n_threads = 2};
    for (size_t q = 0; q < QUERIES; q++) {
        struct index_query query = {
            .vector = vectors[N + q], .k = k, .min_similarity = -INFINITY, .ring = ring};
        struct top_k hits, expected;
        top_k_init(&hits, k);
        assert_int_equal(index_search(&search, &query, 1, &hits, NULL), 0);
        blocks_oracle(&blocks, &query, &expected);
        assert_int_equal(hits.n, k);
        if (q % 8 == 0) blocks_forget(&blocks); /* the next reads them anew */
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++) n_right += hits.hits[i].id == expected.hits[j].id;
        top_k_deinit(&hits);
        top_k_deinit(&expected);
    }
    *scanned = (double)search.n_scanned / N / QUERIES;
    blocks_free(&blocks);
    return n_right;
}

/* Few of the rows where they lie in clusters, nearly all where none is much nearer than most; of
 * one hit as of many, and beside a ring that takes all. */
static void test_as_far_as_needed(void **state)
{
    (void)state;
    static const enum index_metric metrics[] = {INDEX_COSINE, INDEX_DOT, INDEX_L2};
    static const enum index_quantize codes[] = {INDEX_EXACT, INDEX_INT8, INDEX_BIT};
    static const size_t some[] = {1, 10, 25, 60};
    static const struct index_ring all = {INFINITY, -INFINITY, INFINITY};
    double scanned;
    draw(0.2);
    for (size_t i = 0; i < 9; i++) {
        size_t k = i % 3 == 1 ? 10 : 20;
        assert_true(20 * find(metrics[i % 3], codes[i / 3], k, NULL, &scanned) >= 19 * k * QUERIES);
        /* Bits of so few dimensions tell little apart. */
        assert_true(metrics[i % 3] == INDEX_DOT ||
                    scanned < (codes[i / 3] == INDEX_BIT ? 0.7 : 0.5));
    }
    draw(1.0);
    for (size_t i = 0; i < 12; i++) {
        size_t k = some[i % 4];
        assert_true(20 * find(metrics[i % 3], codes[i / 4], k, i % 2 ? &all : NULL, &scanned) >=
                    18 * k * QUERIES);
        assert_true(scanned > 0.5);
    }
}

static int by_score(const void *a, const void *b)
{
    const struct top_k_hit *x = a, *y = b;
    return (x->score > y->score) - (x->score < y->score);
}

/* Of a list: as ids, and as bits; how many of its k nearest are found. */
static size_t find_listed(struct blocks *blocks, struct index_search *search, const float *vector,
                          struct ids *ids, size_t k)
{
    struct ids_bits bits;
    size_t n_right = 0;
    ids_sort(ids);
    assert_int_equal(ids_bits_init(&bits, ids, NULL), 0);
    for (size_t as_bits = 0; as_bits < 2; as_bits++) {
        struct index_query query = {.vector = vector,
                                    .k = k,
                                    .min_similarity = -INFINITY,
                                    .only = ids->items,
                                    .n_only = ids->n,
                                    .bits = as_bits ? &bits : NULL};
        struct top_k hits, expected;
        top_k_init(&hits, k);
        assert_int_equal(index_search(search, &query, 1, &hits, NULL), 0);
        blocks_oracle(blocks, &query, &expected);
        assert_int_equal(hits.n, k < ids->n ? k : ids->n);
        for (size_t i = 0; i < hits.n; i++) {
            assert_true(ids_has(ids->items, ids->n, hits.hits[i].id));
            for (size_t j = 0; j < hits.n; j++) n_right += hits.hits[i].id == expected.hits[j].id;
        }
        top_k_deinit(&hits);
        top_k_deinit(&expected);
    }
    ids_bits_deinit(&bits);
    return n_right;
}

/* Near partitions of long lists: of rows anywhere fewer than all are looked at, and k are found
 * where all of a list are far from the query. */
static void of_lists(enum index_metric metric, enum index_quantize quantize)
{
    enum { FEW_ROWS = N / 8, MANY = N * 4 / 5, K = 10 };
    struct index_layout layout = {metric, quantize, DIMENSIONS, INDEX_FLOAT32};
    static struct top_k_hit far[N];
    struct ids ids = {0};
    struct blocks blocks;
    size_t n_right = 0, n_far = quantize == INDEX_EXACT ? FEW_ROWS : MANY;
    blocks_new(&blocks, &layout, vectors[0], N, PARTITIONS);
    struct index_storage storage = blocks_storage(&blocks);
    struct index_search search = {
        .snapshot = blocks.snapshot, .storage = &storage, .near_partitions_only = 1};
    for (size_t q = 0; q < QUERIES; q++) {
        ids.n = 0;
        for (size_t row = 0; row < N; row++)
            if (row % 5 != q % 5) ids_add(&ids, blocks.ids[row], NULL);
        n_right += find_listed(&blocks, &search, vectors[N + q], &ids, K);
    }
    assert_true(metric == INDEX_DOT || search.n_scanned < (size_t)N * 2 * QUERIES * 4 / 5);
    assert_true(n_right >= 2 * K * QUERIES * 19 / 20);
    const double *scores = blocks_scores(&blocks, vectors[N]);
    for (size_t row = 0; row < N; row++)
        far[row] = (struct top_k_hit){blocks.ids[row], scores[row]};
    qsort(far, N, sizeof *far, by_score);
    ids.n = 0;
    for (size_t i = 0; i < n_far; i++) ids_add(&ids, far[i].id, NULL);
    n_right = find_listed(&blocks, &search, vectors[N], &ids, K);
    assert_true(n_right >= 2 * K * 8 / 10);
    ids_deinit(&ids);
    blocks_free(&blocks);
}

static void test_lists(void **state)
{
    (void)state;
    draw(0.2);
    of_lists(INDEX_COSINE, INDEX_EXACT);
    of_lists(INDEX_DOT, INDEX_INT8);
    of_lists(INDEX_L2, INDEX_BIT);
    of_lists(INDEX_L2, INDEX_EXACT);
    of_lists(INDEX_COSINE, INDEX_BIT);
}

/* Of many hits as of few, where clusters are wide. */
static void test_many_hits(void **state)
{
    (void)state;
    static const size_t some[] = {32, 63, 64, 100, 150};
    double scanned;
    draw(0.5);
    for (size_t i = 0; i < 5; i++)
        assert_true(100 * find(INDEX_COSINE, INDEX_BIT, some[i], NULL, &scanned) >=
                    98 * some[i] * QUERIES);
}

/* What neither partitions nor codes tell apart is compared as a whole where vectors are in memory;
 * nearly the same comes of codes before. */
static void test_vague(void **state)
{
    (void)state;
    enum { MANY = 132000, WIDE = 64, K = 10 }; /* too many for a small index */
    struct index_layout layout = {INDEX_L2, INDEX_BIT, WIDE, INDEX_FLOAT32};
    struct blocks blocks;
    uint64_t random = 9;
    float *drawn = malloc((MANY + 1) * WIDE * sizeof *drawn);
    random_vector(&random, (MANY + 1) * WIDE, drawn);
    blocks_new(&blocks, &layout, drawn, MANY, 200);
    struct index_storage storage = blocks_storage(&blocks);
    struct index_query query = {.vector = drawn + MANY * WIDE, .k = K, .min_similarity = -INFINITY};
    struct top_k hits, expected;
    blocks_oracle(&blocks, &query, &expected);
    size_t n_right[2] = {0};
    for (size_t are_kept = 0; are_kept < 2; are_kept++) {
        struct index_search search = {.snapshot = blocks.snapshot,
                                      .storage = &storage,
                                      .near_partitions_only = 1,
                                      .keeps_vectors = 1,
                                      .n_threads = 2};
        if (are_kept) blocks_keep_vectors(&blocks, MANY / BLOCK_ROWS);
        top_k_init(&hits, K);
        assert_int_equal(index_search(&search, &query, 1, &hits, NULL), 0);
        top_k_sort(&hits);
        assert_int_equal(hits.n, K);
        for (size_t i = 0; i < K; i++)
            for (size_t j = 0; j < K; j++)
                n_right[are_kept] += hits.hits[i].id == expected.hits[j].id;
        assert_true(search.n_scanned >= MANY);
        top_k_deinit(&hits);
    }
    assert_true(n_right[0] >= K - 1 && n_right[1] == K);
    top_k_deinit(&expected);
    blocks_forget_vectors(&blocks);
    blocks_free(&blocks);
    free(drawn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_far_as_needed), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_many_hits), cmocka_unit_test(test_vague)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

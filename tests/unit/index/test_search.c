#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/failing_memory.h"
#include "index/searches.h"

static void assert_same_hits(const struct top_k *hits, const struct top_k *expected)
{
    assert_int_equal(hits->n, expected->n);
    for (size_t i = 0; i < hits->n; i++) {
        assert_int_equal(hits->hits[i].id, expected->hits[i].id);
        assert_true(hits->hits[i].score == expected->hits[i].score);
    }
}

static size_t count_common(const struct top_k *a, const struct top_k *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        for (size_t j = 0; j < b->n; j++) n += a->hits[i].id == b->hits[j].id;
    return n;
}

/* As many as there are, ranked, each with its true score; without codes and partitions that are
 * left out, those that comparing one by one finds. Returns how many hits are right. */
static size_t compare(struct blocks *blocks, struct index_search *search,
                      const struct index_query *query, int exactly)
{
    struct top_k hits, expected;
    search_one(search, query, &hits);
    blocks_oracle(blocks, query, &expected);
    const double *scores = blocks_scores(blocks, query->vector);
    assert_int_equal(hits.n, expected.n);
    if (exactly) assert_same_hits(&hits, &expected);
    for (size_t i = 0; i < hits.n; i++) {
        size_t row = blocks_row(blocks, hits.hits[i].id);
        assert_true(row < N && hits.hits[i].score == scores[row]);
        assert_true(i == 0 || hits.hits[i].score < hits.hits[i - 1].score ||
                    hits.hits[i].id > hits.hits[i - 1].id);
    }
    size_t n = exactly ? hits.n : query->k <= K ? count_common(&hits, &expected) : 0;
    top_k_deinit(&hits);
    top_k_deinit(&expected);
    return n;
}

static int is_exact(const struct blocks *blocks, const struct index_search *search)
{
    return blocks->layout.quantize == INDEX_EXACT && !search->near_partitions_only;
}

static void any_k(struct blocks *blocks, struct index_search *search)
{
    static const size_t some[] = {0, 1, 2, 300, N - 1, N, N + 7, SIZE_MAX};
    size_t n_right = 0;
    for (size_t i = 0; i < 8; i++) {
        struct index_query query = query_of(i, some[i]);
        compare(blocks, search, &query, is_exact(blocks, search) || some[i] >= N);
    }
    for (size_t q = 0; q < 40; q++) {
        struct index_query query = query_of(q, K);
        n_right += compare(blocks, search, &query, is_exact(blocks, search));
    }
    assert_true(n_right >= (search->near_partitions_only ? 37 : 39) * K);
}

static void test_any_k(void **state)
{
    (void)state;
    for_each_index(any_k);
}

/* As many rows are found as are similar enough, whatever the codes and the partitions. */
static void similar_enough(struct blocks *blocks, struct index_search *search)
{
    static const size_t places[] = {0, 1, 5, 40, 600};
    for (size_t q = 0; q < 4; q++) {
        struct top_k all;
        struct index_query query = query_of(q, SIZE_MAX);
        blocks_oracle(blocks, &query, &all);
        for (size_t i = 0; i < 5; i++) {
            size_t place = places[i];
            query.min_similarity =
                index_metrics[blocks->layout.metric].similarity(all.hits[place].score);
            for (query.k = 1; query.k <= 2000; query.k *= 7)
                compare(blocks, search, &query, query.k > place);
            query.min_similarity = nextafter(query.min_similarity, INFINITY);
            query.k = SIZE_MAX;
            compare(blocks, search, &query, 1);
        }
        query.min_similarity = 1e30;
        query.k = K;
        compare(blocks, search, &query, 1);
        top_k_deinit(&all);
    }
}

static void test_similar_enough(void **state)
{
    (void)state;
    for_each_index(similar_enough);
}

/* Of a list of ids, with some that no row has. */
static void of_a_list(struct blocks *blocks, struct index_search *search)
{
    static int64_t ids[N + 3];
    static const size_t steps[] = {1, 2, 7, 50, 3000};
    for (size_t i = 0; i < 5; i++) {
        struct index_query query = query_of(i, K);
        query.only = ids;
        ids[query.n_only++] = INT64_MIN;
        for (size_t row = 0; row < N; row += steps[i])
            ids[query.n_only++] = 10 * (int64_t)(row + 1);
        ids[query.n_only++] = INT64_MAX;
        for (query.k = 1; query.k < 10000; query.k *= 10)
            compare(blocks, search, &query,
                    blocks->layout.quantize == INDEX_EXACT || steps[i] >= 7 ||
                        query.k >= query.n_only);
        query.min_similarity = 0.2;
        query.k = SIZE_MAX;
        compare(blocks, search, &query, 1);
        query.n_only = 0;
        compare(blocks, search, &query, 1);
    }
}

static void test_lists(void **state)
{
    (void)state;
    for_each_index(of_a_list);
}

/* Many queries together find what each finds alone. */
static void in_a_group(struct blocks *blocks, struct index_search *search)
{
    static const size_t sizes[] = {1, 2, 5, 64, 80};
    static int64_t ids[] = {50, 60, 90, 1000, 20000, 30000, 70000};
    for (size_t i = 0; i < 5; i++) {
        struct index_query group[80];
        struct top_k together[80], alone;
        for (size_t q = 0; q < sizes[i]; q++) {
            group[q] = query_of(q, q % 5 == 0 ? 1 : K);
            if (q % 7 == 3) group[q].min_similarity = 0.3;
            if (q % 11 == 5) group[q].only = ids;
            if (q % 11 == 5) group[q].n_only = 7;
            top_k_init(&together[q], group[q].k);
        }
        assert_int_equal(index_search(search, group, sizes[i], together, NULL), 0);
        for (size_t q = 0; q < sizes[i]; q++) {
            search_one(search, &group[q], &alone);
            top_k_sort(&together[q]);
            assert_same_hits(&together[q], &alone);
            top_k_deinit(&together[q]);
            top_k_deinit(&alone);
        }
    }
    if (blocks->layout.quantize != INDEX_BIT) return;
    struct index_query group[2] = {query_of(0, K), query_of(1, SIZE_MAX)}; /* no codes for that */
    struct top_k hits[2], expected;
    for (size_t q = 0; q < 2; q++) top_k_init(&hits[q], group[q].k);
    assert_int_equal(index_search(search, group, 2, hits, NULL), 0);
    for (size_t q = 0; q < 2; q++) {
        top_k_sort(&hits[q]);
        blocks_oracle(blocks, &group[q], &expected);
        assert_same_hits(&hits[q], &expected);
        top_k_deinit(&hits[q]);
        top_k_deinit(&expected);
    }
}

static void test_groups(void **state)
{
    (void)state;
    for_each_index_in_threads(in_a_group);
}

static void exactly(struct blocks *blocks, struct index_search *search)
{
    search->exactly = 1;
    search->near_partitions_only = 0;
    struct index_query query = query_of(5, K);
    compare(blocks, search, &query, 1);
    assert_int_equal(search->n_scanned, N);
}

static void test_exactly(void **state)
{
    (void)state;
    for_each_index(exactly);
}

/* Near partitions only: a small part of the rows is looked at. */
static void near_partitions(struct blocks *blocks, struct index_search *search)
{
    struct index_query query = query_of(3, K);
    compare(blocks, search, &query, 0);
    if (search->near_partitions_only) assert_true(search->n_scanned < N / 2);
    else assert_true(search->n_scanned >= N);
    if (blocks->layout.quantize == INDEX_EXACT) assert_int_equal(search->n_rescored, 0);
    else assert_true(search->n_rescored >= K && search->n_rescored < N / 2);
}

static void test_near_partitions(void **state)
{
    (void)state;
    for_each_index(near_partitions);
}

/* ---- where blocks lie, and threads ----------------------------------------------------------- */

/* Blocks that stay in memory are read once; those that do not, each time. */
static void kept_or_not(struct blocks *blocks, struct index_search *search)
{
    struct index_query query = query_of(9, K);
    struct top_k first, hits;
    search->near_partitions_only = 0;
    search_one(search, &query, &first);
    assert_int_equal(blocks->n_loaded, blocks->snapshot->n_blocks);
    for (search->n_threads = 0; search->n_threads < 4; search->n_threads++) {
        search_one(search, &query, &hits);
        assert_same_hits(&hits, &first);
        top_k_deinit(&hits);
    }
    assert_int_equal(blocks->n_loaded, blocks->snapshot->n_blocks);
    static const uint64_t budgets[] = {0, 100, 300000, 3 << 20};
    for (size_t i = 0; i < 4; i++) {
        blocks_forget(blocks);
        blocks->budget = budgets[i];
        blocks->n_loaded = 0;
        search->n_threads = i + 1;
        for (int again = 0; again < 2; again++) {
            search_one(search, &query, &hits);
            assert_same_hits(&hits, &first);
            top_k_deinit(&hits);
        }
        if (i < 2) assert_int_equal(blocks->n_loaded, 2 * blocks->snapshot->n_blocks);
    }
    top_k_deinit(&first);
}

static void test_kept_or_not(void **state)
{
    (void)state;
    for_each_index(kept_or_not);
}

enum { MANY = 40000, SHORT = 32 }; /* 5 MB: enough for several threads */

static void test_threads_find_the_same(void **state)
{
    (void)state;
    float *many = calloc(MANY, SHORT * sizeof *many);
    uint64_t random = 3;
    for (size_t i = 0; i < MANY; i++) random_vector(&random, SHORT, many + i * SHORT);
    for (size_t i = 0; i < 9; i++) {
        struct index_layout layout = {metrics[i % 3], codes[i % 3], SHORT,
                                      i < 5   ? INDEX_FLOAT32
                                      : i < 7 ? INDEX_HALF
                                              : INDEX_COMPACT};
        struct blocks blocks;
        blocks_new(&blocks, &layout, many, MANY, i < 3 ? 0 : 30);
        struct index_storage storage = blocks_storage(&blocks);
        struct index_search search = {.snapshot = blocks.snapshot, .storage = &storage};
        struct index_query query = {
            .vector = many + 77 * SHORT, .k = K, .min_similarity = -INFINITY};
        struct top_k first, hits;
        search_one(&search, &query, &first);
        if (layout.metric != INDEX_DOT) assert_int_equal(first.hits[0].id, 780);
        for (size_t turn = 0; turn < 12; turn++) {
            search.n_threads = 2 + turn % 4;
            if (turn % 3 == 0) blocks_forget(&blocks);
            blocks.budget = turn < 6 ? 0 : UINT64_MAX;
            search_one(&search, &query, &hits);
            assert_same_hits(&hits, &first);
            top_k_deinit(&hits);
        }
        top_k_deinit(&first);
        blocks_free(&blocks);
    }
    free(many);
}

/* ---- ties ------------------------------------------------------------------------------------ */

static void test_ties(void **state)
{
    (void)state;
    skip_without_threads();
    float *same = calloc(N, DIMENSIONS * sizeof *same);
    for (size_t i = 0; i < N * DIMENSIONS; i++) same[i] = queries[0][i % DIMENSIONS];
    for (size_t i = 0; i < INDEXES; i++) {
        struct index_layout layout = layout_of(i);
        struct blocks blocks;
        blocks_new(&blocks, &layout, same, N, i < 9 ? 0 : 2);
        struct index_storage storage = blocks_storage(&blocks);
        struct index_search search = {
            .snapshot = blocks.snapshot, .storage = &storage, .n_threads = 2};
        for (size_t k = 1; k <= N; k *= 3) {
            struct index_query query = query_of(0, k);
            struct top_k hits;
            search_one(&search, &query, &hits);
            assert_int_equal(hits.n, k);
            for (size_t j = 0; j < k; j++) assert_int_equal(hits.hits[j].id, 10 * (j + 1));
            top_k_deinit(&hits);
        }
        blocks_free(&blocks);
    }
    free(same);
}

static void test_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct index_layout layout = {INDEX_COSINE, codes[i % 3], DIMENSIONS,
                                      (enum index_vectors)(i / 3)};
        struct blocks blocks;
        blocks_new(&blocks, &layout, vectors[0], 0, 0);
        struct index_storage storage = blocks_storage(&blocks);
        struct index_search search = {.snapshot = blocks.snapshot, .storage = &storage};
        struct index_query query = query_of(0, K);
        struct top_k hits;
        search_one(&search, &query, &hits);
        assert_int_equal(hits.n, 0);
        blocks_free(&blocks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_k),       cmocka_unit_test(test_similar_enough),
        cmocka_unit_test(test_lists),       cmocka_unit_test(test_groups),
        cmocka_unit_test(test_exactly),     cmocka_unit_test(test_near_partitions),
        cmocka_unit_test(test_kept_or_not), cmocka_unit_test(test_threads_find_the_same),
        cmocka_unit_test(test_ties),        cmocka_unit_test(test_empty),
    };
    failing_memory_bind();
    searches_fill();
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    searches_free();
    return n_failed;
}

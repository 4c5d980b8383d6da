/* Indexes with codes whose vectors are in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/failing_memory.h"
#include "index/blocks.h"

enum { N = 4000, DIMENSIONS = 64, QUERIES = 12 };

static float vectors[N + QUERIES][DIMENSIONS];

/* Noise, of which codes say little. */
static void draw(void)
{
    uint64_t random = 5;
    for (size_t i = 0; i < N + QUERIES; i++) random_vector(&random, DIMENSIONS, vectors[i]);
}

static const struct index_layout layouts[] = {
    {INDEX_COSINE, INDEX_BIT, DIMENSIONS, INDEX_FLOAT32},
    {INDEX_DOT, INDEX_BIT, DIMENSIONS, INDEX_HALF},
    {INDEX_L2, INDEX_BIT, DIMENSIONS, INDEX_COMPACT},
    {INDEX_COSINE, INDEX_INT8, DIMENSIONS, INDEX_FLOAT32},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static void test_find(void **state)
{
    (void)state;
    struct blocks blocks;
    blocks_new(&blocks, &layouts[0], vectors[0], N, 0);
    for (size_t n_blocks = 0; n_blocks <= N / BLOCK_ROWS; n_blocks += N / BLOCK_ROWS / 4) {
        blocks_keep_vectors(&blocks, n_blocks);
        const struct index_snapshot *kept = atomic_load(&blocks.snapshot->vectors);
        for (size_t row = 0; row < N; row++) {
            const void *vector = index_snapshot_find(kept, blocks.ids[row]);
            assert_int_equal(vector != NULL, row < n_blocks * BLOCK_ROWS);
            if (vector != NULL)
                assert_memory_equal(vector, vectors[row], DIMENSIONS * sizeof(float));
            assert_null(index_snapshot_find(kept, blocks.ids[row] + 1));
        }
        assert_null(index_snapshot_find(kept, INT64_MIN));
        assert_null(index_snapshot_find(kept, INT64_MAX));
        assert_ptr_equal(index_snapshot_vectors(blocks.snapshot),
                         n_blocks == N / BLOCK_ROWS ? kept : NULL);
        blocks_forget_vectors(&blocks);
    }
    blocks_free(&blocks);
}

/* What a query finds; sorted. */
static void find(struct blocks *blocks, const struct index_query *query,
                 struct index_search *search, struct top_k *hits)
{
    static struct index_storage storage;
    storage = blocks_storage(blocks);
    *search = (struct index_search){
        .snapshot = blocks->snapshot, .storage = &storage, .n_threads = 3, .max_bytes = UINT64_MAX};
    blocks->n_fetched = 0;
    top_k_init(hits, query->k);
    assert_int_equal(index_search(search, query, 1, hits, NULL), 0);
    top_k_sort(hits);
}

static void assert_same(const struct top_k *hits, const struct top_k *expected)
{
    assert_int_equal(hits->n, expected->n);
    for (size_t i = 0; i < hits->n; i++) {
        assert_int_equal(hits->hits[i].id, expected->hits[i].id);
        assert_true(hits->hits[i].score == expected->hits[i].score);
    }
}

/* All vectors are compared, as without codes: the true hits, whatever is asked for. */
static void test_exact(void **state)
{
    (void)state;
    static const size_t some[] = {1, 10, 60, 700, N, SIZE_MAX};
    static int64_t ids[N / 2];
    for (size_t i = 0; i < N / 2; i++) ids[i] = 20 * (int64_t)i;
    for (size_t i = 0; i < LAYOUTS; i++) {
        struct blocks blocks;
        blocks_new(&blocks, &layouts[i], vectors[0], N, 0);
        blocks_keep_vectors(&blocks, N / BLOCK_ROWS);
        for (size_t q = 0; q < QUERIES; q++) {
            struct index_query query = {
                .vector = vectors[N + q], .k = some[q % 6], .min_similarity = -INFINITY};
            struct index_search search;
            struct top_k hits, expected;
            if (q % 4 == 3) query.min_similarity = 0.1;
            if (q >= 6) query.only = ids, query.n_only = N / 2;
            find(&blocks, &query, &search, &hits);
            blocks_oracle(&blocks, &query, &expected);
            assert_same(&hits, &expected);
            assert_true(blocks.n_fetched == 0 || query.only != NULL);
            top_k_deinit(&hits);
            top_k_deinit(&expected);
        }
        blocks_forget_vectors(&blocks);
        blocks_free(&blocks);
    }
}

/* Until all vectors of a small index are in memory codes find what they do: of noise, and of
 * clusters in partitions. */
static void test_first_answers(void **state)
{
    (void)state;
    static float clustered[N + QUERIES][DIMENSIONS];
    for (size_t i = 0; i < N + QUERIES; i++)
        for (size_t d = 0; d < DIMENSIONS; d++)
            clustered[i][d] = vectors[i % 50][d] + 0.3f * vectors[i][d];
    for (size_t i = 0; i < 2 * LAYOUTS; i++) {
        float(*drawn)[DIMENSIONS] = i < LAYOUTS ? vectors : clustered;
        struct blocks blocks;
        blocks_new(&blocks, &layouts[i % LAYOUTS], drawn[0], N, 40);
        for (size_t q = 0; q < QUERIES; q++) {
            struct index_query query = {
                .vector = drawn[N + q], .k = 1 + 3 * q, .min_similarity = -INFINITY};
            struct index_storage storage = blocks_storage(&blocks);
            struct index_search search = {.snapshot = blocks.snapshot,
                                          .storage = &storage,
                                          .near_partitions_only = 1,
                                          .keeps_vectors = 1};
            struct top_k first, later;
            top_k_init(&first, query.k);
            top_k_init(&later, query.k);
            assert_int_equal(index_search(&search, &query, 1, &first, NULL), 0);
            assert_true(search.n_rescored > 0);
            blocks_keep_vectors(&blocks, N / BLOCK_ROWS);
            assert_int_equal(index_search(&search, &query, 1, &later, NULL), 0);
            top_k_sort(&first);
            top_k_sort(&later);
            assert_same(&first, &later);
            top_k_deinit(&first);
            top_k_deinit(&later);
            blocks_forget_vectors(&blocks);
        }
        blocks_free(&blocks);
    }
}

/* Codes that tell some rows of the best apart cost the vectors of these. */
static void test_wider(void **state)
{
    (void)state;
    static float alike[N + QUERIES][DIMENSIONS]; /* a hundred rows, and what is near to them */
    struct blocks blocks;
    memcpy(alike, vectors, sizeof alike);
    for (size_t i = 0; i < N + QUERIES; i++)
        for (size_t d = 0; d < DIMENSIONS && (i < 100 || i >= N); d++)
            alike[i][d] = vectors[0][d] + 0.001f * vectors[i][d];
    blocks_new(&blocks, &layouts[3], alike[0], N, 0);
    for (size_t q = 0; q < QUERIES; q++) {
        struct index_query query = {.vector = alike[N + q], .k = 5, .min_similarity = -INFINITY};
        struct index_search search;
        struct top_k hits, expected;
        find(&blocks, &query, &search, &hits);
        blocks_oracle(&blocks, &query, &expected);
        assert_int_equal(search.n_scanned, 2 * N);
        assert_in_range(search.n_rescored, 42 + 50, 42 + N / 24);
        assert_int_equal(blocks.n_fetched, search.n_rescored);
        assert_same(&hits, &expected);
        top_k_deinit(&hits);
        top_k_deinit(&expected);
    }
    blocks_free(&blocks);
}

/* Codes that say little cost all vectors. */
static void test_widest(void **state)
{
    (void)state;
    struct blocks blocks;
    blocks_new(&blocks, &layouts[0], vectors[0], N, 0);
    for (size_t q = 0; q < QUERIES; q++) {
        struct index_query query = {.vector = vectors[N + q], .k = 5, .min_similarity = -INFINITY};
        struct index_search search;
        struct top_k hits, expected;
        find(&blocks, &query, &search, &hits);
        blocks_oracle(&blocks, &query, &expected);
        assert_int_equal(search.n_scanned, 3 * N);
        assert_int_equal(search.n_rescored, 336);
        assert_same(&hits, &expected);
        top_k_deinit(&hits);
        top_k_deinit(&expected);
    }
    blocks_free(&blocks);
}

/* Every allocation of such searches fails once: out of memory, and nothing lost. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct blocks blocks;
    long n_blocks = failing_memory_blocks;
    blocks_new(&blocks, &layouts[0], vectors[0], N, 0);
    for (size_t i = 0; i < 4; i++) {
        struct index_query query = {
            .vector = vectors[N], .k = i % 2 ? 700 : 5, .min_similarity = -INFINITY};
        if (i == 2) blocks_keep_vectors(&blocks, N / BLOCK_ROWS);
        struct index_storage storage = blocks_storage(&blocks);
        struct index_search search = {.snapshot = blocks.snapshot, .storage = &storage};
        int rc = ERROR_NOMEM;
        for (long n = 0; rc != 0; n++) {
            struct top_k hits;
            top_k_init(&hits, query.k);
            failing_memory_after = n;
            rc = index_search(&search, &query, 1, &hits, NULL);
            failing_memory_after = -1;
            assert_true(rc == 0 || rc == ERROR_NOMEM);
            assert_true(n < 1000);
            top_k_deinit(&hits);
        }
    }
    blocks_forget_vectors(&blocks);
    blocks_free(&blocks);
    assert_int_equal(failing_memory_blocks, n_blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),          cmocka_unit_test(test_exact),
        cmocka_unit_test(test_first_answers), cmocka_unit_test(test_wider),
        cmocka_unit_test(test_widest),        cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    draw();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

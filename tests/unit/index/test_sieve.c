#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/each_allocation.h"
#include "index/blocks.h"

enum { N = 4000, DIMENSIONS = 32, QUERIES = 4, K = 10 };

static float vectors[N][DIMENSIONS], queries[QUERIES][DIMENSIONS];

static const enum index_metric metrics[] = {INDEX_COSINE, INDEX_DOT, INDEX_L2};
static const enum index_quantize codes[] = {INDEX_INT8, INDEX_BIT};
static const size_t partitions[] = {0, 40};

static void for_each_index(void (*test)(struct blocks *blocks, struct index_search *search))
{
    for (size_t i = 0; i < 16; i++) {
        struct index_layout layout = {metrics[i % 3], codes[i / 3 % 2], DIMENSIONS,
                                      i < 12   ? INDEX_FLOAT32
                                      : i < 15 ? INDEX_COMPACT
                                               : INDEX_HALF};
        struct blocks blocks;
        blocks_new(&blocks, &layout, vectors[0], N, partitions[i / 6 % 2]);
        struct index_storage storage = blocks_storage(&blocks);
        struct index_search search = {.snapshot = blocks.snapshot, .storage = &storage};
        test(&blocks, &search);
        search.near_partitions_only = blocks.snapshot->partitions != NULL;
        if (search.near_partitions_only) test(&blocks, &search);
        blocks_keep_vectors(&blocks, N / BLOCK_ROWS);
        test(&blocks, &search);
        blocks_free(&blocks);
    }
}

/* Ids that a number divides; -1: nobody can say. */
static int pass(void *context, const int64_t *ids, size_t n, unsigned char *answer,
                struct error *err)
{
    const int64_t *divisor = context;
    assert_true(n >= 1 && n <= INDEX_SIEVE_GROUP);
    if (*divisor < 0) return error_set(err, ERROR_STORAGE, "nobody can say");
    for (size_t i = 0; i < n; i++) answer[i] = ids[i] % *divisor == 0;
    return 0;
}

/* The true hits of those that pass. */
static void expect(struct blocks *blocks, const struct index_query *query, int64_t divisor,
                   struct top_k *expected)
{
    int64_t *only = malloc(N * sizeof *only);
    struct index_query listed = *query;
    listed.sieve = NULL;
    listed.only = only;
    assert_non_null(only);
    for (size_t i = 0; i < N; i++)
        if (blocks->ids[i] % divisor == 0) only[listed.n_only++] = blocks->ids[i];
    blocks_oracle(blocks, &listed, expected);
    free(only);
}

static size_t n_whole, n_hits, n_right;

static void compare(struct blocks *blocks, struct index_search *search, size_t q, int64_t divisor,
                    size_t most)
{
    struct index_sieve sieve = {.pass = pass, .context = &divisor, .most = most};
    struct index_query query = {
        .vector = queries[q], .k = K, .min_similarity = -INFINITY, .sieve = &sieve};
    struct top_k hits, expected;
    top_k_init(&hits, K);
    assert_int_equal(index_search(search, &query, 1, &hits, NULL), 0);
    expect(blocks, &query, divisor, &expected);
    assert_true(sieve.n_passed <= sieve.n_asked && sieve.n_asked <= most);
    assert_true(hits.n <= expected.n);
    for (size_t i = 0; i < hits.n; i++) assert_int_equal(hits.hits[i].id % divisor, 0);
    if (sieve.is_whole) {
        assert_int_equal(hits.n, expected.n);
        n_whole++;
        for (size_t i = 0; i < hits.n; i++, n_hits++)
            for (size_t j = 0; j < hits.n; j++)
                n_right += hits.hits[i].id == expected.hits[j].id &&
                           hits.hits[i].score == expected.hits[j].score;
    } else {
        /* But for one a round that ended it; and of rows whose vectors are in memory only those
         * that are near enough are asked about. */
        assert_true(sieve.n_asked + 4 >= most || index_snapshot_vectors(blocks->snapshot) != NULL);
    }
    top_k_deinit(&hits);
    top_k_deinit(&expected);
}

static void sieved(struct blocks *blocks, struct index_search *search)
{
    static const int64_t divisors[] = {1, 7, 90, 5000000};
    static const size_t most[] = {1, 33, 700, N, 2 * N};
    for (size_t q = 0; q < QUERIES; q++, blocks_forget(blocks))
        for (size_t d = 0; d < 4; d++)
            for (size_t m = 0; m < 5; m++) compare(blocks, search, q, divisors[d], most[m]);
}

/* Either what a search of the rows that pass gives, or the word that it is not. */
static void test_whole_or_not(void **state)
{
    (void)state;
    for_each_index(sieved);
    assert_true(n_whole > 12 * QUERIES * 9);
    assert_true(n_right >= n_hits * 97 / 100);
}

struct trial {
    struct index_search *search;
    struct index_query query;
};

static int search_once(void *context, struct error *err)
{
    struct trial *trial = context;
    struct top_k hits;
    top_k_init(&hits, K);
    int rc = index_search(trial->search, &trial->query, 1, &hits, err);
    top_k_deinit(&hits);
    return rc;
}

static void failing(struct blocks *blocks, struct index_search *search)
{
    int64_t divisor = 3;
    struct error err;
    struct index_sieve sieve = {.pass = pass, .context = &divisor, .most = 500};
    struct trial trial = {
        search, {.vector = queries[0], .k = K, .min_similarity = -INFINITY, .sieve = &sieve}};
    (void)blocks;
    assert_int_equal(search_once(&trial, NULL), 0);
    assert_true(each_allocation(search_once, &trial) >= 3);
    divisor = -1;
    assert_int_equal(search_once(&trial, &err), ERROR_STORAGE);
    assert_string_equal(err.text, "nobody can say");
}

static void test_failures(void **state)
{
    (void)state;
    for_each_index(failing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_or_not),
        cmocka_unit_test(test_failures),
    };
    uint64_t random = 1;
    failing_memory_bind();
    random_vector(&random, N * DIMENSIONS, vectors[0]);
    random_vector(&random, QUERIES * DIMENSIONS, queries[0]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

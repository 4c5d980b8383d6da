#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/each_allocation.h"
#include "index/search.h"

enum { N = 500, DIMENSIONS = 32, K = 40, MAX_CODE = 64 };

/* A collection in memory; row i has the id 10 * i. */
static float vectors[N][DIMENSIONS];
static unsigned char codes[2][N][MAX_CODE];

struct scan {
    enum index_quantize quantize; /* of the codes that are kept */
    size_t at, short_row;         /* the row that lacks a byte; N for none */
    int codes;
};

static int rewind_scan(void *context, int use_codes, struct error *err)
{
    struct scan *scan = context;
    (void)err;
    scan->at = 0;
    scan->codes = use_codes;
    return 0;
}

static int next(void *context, int64_t *id, const void **bytes, size_t *size, int *done,
                struct error *err)
{
    struct scan *scan = context;
    (void)err;
    size_t i = scan->at++;
    *done = i == N;
    if (*done) return 0;
    *id = 10 * (int64_t)i;
    *bytes = scan->codes ? (const void *)codes[scan->quantize == INDEX_BIT][i] : vectors[i];
    *size = scan->codes ? index_code_size(scan->quantize, DIMENSIONS) : sizeof vectors[i];
    *size -= i == scan->short_row;
    return 0;
}

static int fetch(void *context, int64_t id, const void **bytes, size_t *size, int *found,
                 struct error *err)
{
    struct scan *scan = context;
    (void)err;
    *found = id % 10 == 0 && id < 10 * N;
    if (!*found) return 0;
    *bytes = vectors[id / 10];
    *size = sizeof vectors[0] - (id / 10 == (int64_t)scan->short_row);
    return 0;
}

static int search(struct scan *scan, enum index_metric metric, struct top_k *hits,
                  struct error *err)
{
    struct index_storage storage = {rewind_scan, next, fetch, scan};
    struct index_query query = {.vector = vectors[7],
                                .dimensions = DIMENSIONS,
                                .metric = metric,
                                .quantize = scan->quantize,
                                .k = K,
                                .min_similarity = -INFINITY};
    top_k_init(hits, K);
    int rc = index_search(&storage, &query, hits, err);
    top_k_sort(hits);
    return rc;
}

/* A vector is its own nearest; hits come in order; codes find what a scan of vectors finds. */
static void test_codes_find_what_vectors_find(void **state)
{
    (void)state;
    for (enum index_metric metric = INDEX_COSINE; metric <= INDEX_L2; metric++)
        for (enum index_quantize quantize = INDEX_EXACT; quantize <= INDEX_BIT; quantize++) {
            struct scan scan = {.short_row = N},
                        with_codes = {.quantize = quantize, .short_row = N};
            struct top_k exact, hits;
            assert_int_equal(search(&scan, metric, &exact, NULL), 0);
            assert_int_equal(search(&with_codes, metric, &hits, NULL), 0);
            assert_int_equal(hits.n, K);
            if (metric != INDEX_DOT) assert_int_equal(hits.hits[0].id, 70);
            for (size_t i = 0; i < K; i++) {
                assert_int_equal(hits.hits[i].id, exact.hits[i].id);
                assert_true(hits.hits[i].similarity == exact.hits[i].similarity);
                assert_true(i == 0 || hits.hits[i].similarity <= hits.hits[i - 1].similarity);
            }
            top_k_deinit(&exact);
            top_k_deinit(&hits);
        }
}

static void test_damage_names_its_row(void **state)
{
    (void)state;
    for (enum index_quantize quantize = INDEX_EXACT; quantize <= INDEX_BIT; quantize++) {
        struct scan scan = {.quantize = quantize, .short_row = 7};
        struct top_k hits;
        struct error err = {0};
        assert_int_equal(search(&scan, INDEX_COSINE, &hits, &err), ERROR_CORRUPT);
        assert_non_null(strstr(err.text, "row 70"));
        top_k_deinit(&hits);
    }
}

static int search_once(void *context, struct error *err)
{
    struct scan *scan = context;
    struct top_k hits;
    int rc = search(scan, INDEX_COSINE, &hits, err);
    if (rc == 0) assert_int_equal(hits.n, K);
    if (rc == 0) assert_int_equal(hits.hits[0].id, 70);
    top_k_deinit(&hits);
    return rc;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct scan exact = {.short_row = N}, int8 = {.quantize = INDEX_INT8, .short_row = N},
                bit = {.quantize = INDEX_BIT, .short_row = N};
    assert_true(each_allocation(search_once, &exact) >= 2);
    assert_true(each_allocation(search_once, &int8) >= 6);
    assert_true(each_allocation(search_once, &bit) >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_find_what_vectors_find),
        cmocka_unit_test(test_damage_names_its_row),
        cmocka_unit_test(test_out_of_memory),
    };
    uint32_t random = 1;
    failing_memory_bind();
    for (size_t i = 0; i < N; i++) {
        for (size_t d = 0; d < DIMENSIONS; d++) {
            random = random * 1664525u + 1013904223u;
            vectors[i][d] = (float)(random >> 8) / (1 << 23) - 1.0f;
        }
        index_encode(INDEX_INT8, vectors[i], DIMENSIONS, codes[0][i]);
        index_encode(INDEX_BIT, vectors[i], DIMENSIONS, codes[1][i]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

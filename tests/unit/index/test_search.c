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
    struct index_storage storage = {rewind_scan, next, fetch, NULL, scan};
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

/* ---- rows in memory -------------------------------------------------------------------------- */

enum { MANY = 40000 }; /* with DIMENSIONS: enough for several threads */

static float many[MANY][DIMENSIONS];

static const struct index_packed *packed_of(void *context, int use_codes)
{
    const struct index_packed *packed = context;
    return use_codes == (packed->row_size != sizeof many[0]) ? packed : NULL;
}

static int fetch_many(void *context, int64_t id, const void **bytes, size_t *size, int *found,
                      struct error *err)
{
    (void)context;
    (void)err;
    *bytes = many[id];
    *size = sizeof many[id];
    *found = 1;
    return 0;
}

static void pack(struct index_packed *packed, enum index_quantize quantize)
{
    unsigned char code[MAX_CODE];
    *packed = (struct index_packed){0};
    for (size_t i = 0; i < MANY; i++) {
        const void *row = many[i];
        size_t size = sizeof many[i];
        if (quantize != INDEX_EXACT) {
            index_encode(quantize, many[i], DIMENSIONS, code);
            row = code;
            size = index_code_size(quantize, DIMENSIONS);
        }
        assert_true(index_packed_add(packed, (int64_t)i, row, size, UINT64_MAX));
    }
}

static int search_packed(struct index_packed *packed, const struct index_query *query,
                         struct top_k *hits, struct error *err)
{
    struct index_storage storage = {.fetch = fetch_many, .packed = packed_of, .context = packed};
    top_k_init(hits, query->k);
    int rc = index_search(&storage, query, hits, err);
    if (rc == 0) top_k_sort(hits);
    return rc;
}

/* Any number of threads finds the same: what one by one comparison finds. */
static void test_threads_find_the_same(void **state)
{
    (void)state;
    for (enum index_quantize quantize = INDEX_EXACT; quantize <= INDEX_BIT; quantize++) {
        struct index_packed packed;
        pack(&packed, quantize);
        for (enum index_metric metric = INDEX_COSINE; metric <= INDEX_L2; metric++) {
            struct top_k first, hits;
            struct index_query query = {many[11],  DIMENSIONS, metric, quantize, K,
                                        -INFINITY, NULL,       0,      1,        NULL};
            assert_int_equal(search_packed(&packed, &query, &first, NULL), 0);
            assert_int_equal(first.n, K);
            if (metric != INDEX_DOT) assert_int_equal(first.hits[0].id, 11);
            for (query.n_threads = 2; query.n_threads <= 5; query.n_threads++) {
                assert_int_equal(search_packed(&packed, &query, &hits, NULL), 0);
                assert_int_equal(hits.n, K);
                assert_memory_equal(hits.hits, first.hits, K * sizeof *hits.hits);
                top_k_deinit(&hits);
            }
            top_k_deinit(&first);
        }
        index_packed_deinit(&packed);
    }
}

static int cancelled(void *context)
{
    return ++*(int *)context > 0;
}

static void test_threads_stop(void **state)
{
    (void)state;
    struct index_packed packed;
    struct top_k hits;
    int n_asked = 0;
    struct cancel cancel = {cancelled, &n_asked};
    struct index_query query = {many[11], DIMENSIONS, INDEX_COSINE, INDEX_EXACT, K, -INFINITY, NULL,
                                0,        4,          &cancel};
    pack(&packed, INDEX_EXACT);
    assert_int_equal(search_packed(&packed, &query, &hits, NULL), ERROR_INTERRUPTED);
    top_k_deinit(&hits);
    index_packed_deinit(&packed);
}

/* Damage that got into memory names its row too. */
static void test_damage_in_memory(void **state)
{
    (void)state;
    for (enum index_quantize quantize = INDEX_EXACT; quantize <= INDEX_BIT; quantize++) {
        struct index_packed packed;
        struct top_k hits;
        struct error err = {0};
        struct index_query query = {
            many[11], DIMENSIONS, INDEX_COSINE, quantize, K, -INFINITY, NULL, 0, 3, NULL};
        pack(&packed, quantize);
        memset(packed.rows + 30000 * packed.row_size, 0xFF, packed.row_size);
        assert_int_equal(search_packed(&packed, &query, &hits, &err), ERROR_CORRUPT);
        assert_non_null(strstr(err.text, "row 30000"));
        top_k_deinit(&hits);
        query.dimensions = DIMENSIONS - 1;
        assert_int_equal(search_packed(&packed, &query, &hits, &err), ERROR_CORRUPT);
        top_k_deinit(&hits);
        index_packed_deinit(&packed);
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
        cmocka_unit_test(test_threads_find_the_same),
        cmocka_unit_test(test_threads_stop),
        cmocka_unit_test(test_damage_in_memory),
        cmocka_unit_test(test_out_of_memory),
    };
    uint32_t random = 1;
    failing_memory_bind();
    for (size_t i = 0; i < MANY * DIMENSIONS; i++) {
        random = random * 1664525u + 1013904223u;
        many[i / DIMENSIONS][i % DIMENSIONS] = (float)(random >> 8) / (1 << 23) - 1.0f;
    }
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

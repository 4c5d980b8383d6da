/*
 * Searches of what is damaged, of a storage that fails, out of memory, and interrupted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/each_allocation.h"
#include "index/searches.h"

static void expect_failure(struct index_search *search, const struct index_query *query, int code,
                           const char *text)
{
    struct top_k hits;
    struct error err = {0};
    top_k_init(&hits, query->k);
    assert_int_equal(index_search(search, query, 1, &hits, &err), code);
    assert_non_null(strstr(err.text, text));
    top_k_deinit(&hits);
}

/* A vector that cannot be used names its row, wherever it is met. */
static void damaged_vector(struct blocks *blocks, struct index_search *search)
{
    struct index_query query = query_of(0, K), whole = query_of(0, SIZE_MAX);
    struct top_k nearest;
    blocks_oracle(blocks, &query, &nearest);
    size_t row = blocks_row(blocks, nearest.hits[0].id), size = DIMENSIONS * sizeof(float);
    char name[32];
    float before[DIMENSIONS];
    snprintf(name, sizeof name, "row %d:", (int)nearest.hits[0].id);
    top_k_deinit(&nearest);
    memcpy(before, vectors[row], size);
    if (blocks->layout.quantize != INDEX_EXACT) {
        blocks->short_row = row;
        expect_failure(search, &query, ERROR_CORRUPT, name);
        expect_failure(search, &whole, ERROR_CORRUPT, name);
        blocks->short_row = N;
        vectors[row][3] = NAN;
        if (blocks->compact != NULL) memset(blocks_stored(blocks, row), 0xFF, sizeof(float));
        expect_failure(search, &query, ERROR_CORRUPT, name);
        expect_failure(search, &whole, ERROR_CORRUPT, name);
    } else {
        for (size_t i = 0; i < blocks->snapshot->n_blocks; i++) {
            struct index_rows rows =
                index_block_rows(&blocks->layout, blocks->bytes[i], BLOCK_ROWS);
            size_t at =
                index_row_find(&rows, blocks->snapshot->blocks[i].n, 10 * (int64_t)(row + 1));
            if (at == blocks->snapshot->blocks[i].n) continue;
            memset(rows.components + at * rows.stride, 0xFF, rows.stride);
        }
        blocks_forget(blocks);
        expect_failure(search, &query, ERROR_CORRUPT, name);
        blocks_forget(blocks);
        blocks->budget = 0;
        expect_failure(search, &query, ERROR_CORRUPT, name);
    }
    memcpy(vectors[row], before, size);
}

static void test_damaged_vector(void **state)
{
    (void)state;
    for_each_own_index(damaged_vector);
}

static void storage_fails(struct blocks *blocks, struct index_search *search)
{
    struct index_query query = query_of(0, K);
    blocks->load_code = ERROR_STORAGE;
    expect_failure(search, &query, ERROR_STORAGE, "no such block");
    blocks->load_code = 0;
    if (blocks->snapshot->partitions == NULL) return;
    struct index_block *last = &blocks->snapshot->blocks[blocks->snapshot->n_blocks - 1];
    last->partition = 5000;
    expect_failure(search, &query, ERROR_CORRUPT, "partition 5000");
}

static void test_storage_fails(void **state)
{
    (void)state;
    for_each_own_index(storage_fails);
}

/* The token says stop at the n-th question. */
struct patience {
    int left, n_asked;
};

static int is_cancelled(void *context)
{
    struct patience *patience = context;
    patience->n_asked++;
    return --patience->left <= 0;
}

/* How often a search asks. */
static int count_polls(struct index_search *search, const struct index_query *query,
                       struct patience *patience)
{
    struct top_k hits;
    *patience = (struct patience){.left = INT32_MAX};
    search_one(search, query, &hits);
    top_k_deinit(&hits);
    return patience->n_asked;
}

static int n_polls; /* of all searches: small ones need not ask */

static void cancelled(struct blocks *blocks, struct index_search *search)
{
    static int64_t ids[300];
    struct patience patience = {0};
    struct cancel cancel = {is_cancelled, &patience};
    struct index_query some[3] = {query_of(0, K), query_of(0, SIZE_MAX), query_of(0, K)};
    for (size_t i = 0; i < 300; i++) ids[i] = 20 * (int64_t)i;
    some[1].min_similarity = 0.9;
    some[2].only = ids;
    some[2].n_only = 256;
    (void)blocks;
    search->cancel = &cancel;
    for (size_t i = 0; i < 3; i++) {
        /* With threads: how often they ask follows from who takes which block. */
        size_t n_threads = search->n_threads;
        if (count_polls(search, &some[i], &patience) > 0) {
            patience.left = 1;
            expect_failure(search, &some[i], ERROR_INTERRUPTED, "interrupted");
        }
        search->n_threads = 1;
        int n_asked = count_polls(search, &some[i], &patience);
        for (int n = 1; n <= n_asked; n++) {
            patience.left = n;
            expect_failure(search, &some[i], ERROR_INTERRUPTED, "interrupted");
        }
        n_polls += n_asked;
        search->n_threads = n_threads;
    }
    search->cancel = NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    for_each_index(cancelled);
    assert_true(n_polls > 100);
}

struct trial {
    struct index_search *search;
    struct index_query *queries;
    size_t n;
};

static int search_once(void *context, struct error *err)
{
    struct trial *trial = context;
    struct top_k hits[2];
    for (size_t q = 0; q < trial->n; q++) top_k_init(&hits[q], trial->queries[q].k);
    int rc = index_search(trial->search, trial->queries, trial->n, hits, err);
    for (size_t q = 0; q < trial->n; q++) {
        if (rc == 0) assert_true(hits[q].n > 0);
        top_k_deinit(&hits[q]);
    }
    return rc;
}

static void out_of_memory(struct blocks *blocks, struct index_search *search)
{
    struct index_query some[2] = {query_of(0, K), query_of(1, 2)};
    struct top_k all;
    struct trial trial = {search, some, 2};
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        blocks->budget = in_memory ? UINT64_MAX : 0;
        some[0] = query_of(0, SIZE_MAX); /* reads all blocks: what stays in memory is there then */
        assert_int_equal(search_once(&trial, NULL), 0);
        assert_int_equal(search_once(&trial, NULL), 0); /* and what lies beside it */
        assert_true(each_allocation(search_once, &trial) >= 1);
        some[0] = query_of(0, K);
        assert_int_equal(search_once(&trial, NULL), 0);
        assert_int_equal(search_once(&trial, NULL), 0);
        assert_true(each_allocation(search_once, &trial) >= 4);
        blocks_oracle(blocks, some, &all);
        some[0].min_similarity =
            index_metrics[blocks->layout.metric].similarity(all.hits[3].score); /* for certain */
        top_k_deinit(&all);
        assert_int_equal(search_once(&trial, NULL), 0);
        assert_true(each_allocation(search_once, &trial) >= 4);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for_each_index_in_threads(out_of_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_vector),
        cmocka_unit_test(test_storage_fails),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_out_of_memory),
    };
    failing_memory_bind();
    searches_fill();
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    searches_free();
    return n_failed;
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/each_allocation.h"
#include "index/blocks.h"

enum { N = 6000, DIMENSIONS = 48, CENTRES = 40, K = 25 };

/* Clustered, as embeddings are. */
static float vectors[N][DIMENSIONS], queries[80][DIMENSIONS];

static const enum index_metric metrics[] = {INDEX_COSINE, INDEX_DOT, INDEX_L2};
static const enum index_quantize codes[] = {INDEX_EXACT, INDEX_INT8, INDEX_BIT};
static const size_t partitions[] = {0, 60};

enum { INDEXES = 22 };

/* Of every kind, and some that are compact. */
static struct index_layout layout_of(size_t i)
{
    size_t code = i < 18 ? i / 3 % 3 : i < 21 ? 0 : 2;
    return (struct index_layout){metrics[i % 3], codes[code], DIMENSIONS,
                                 i < 18 ? INDEX_FLOAT32 : INDEX_COMPACT};
}

static size_t partitions_of(size_t i)
{
    return partitions[i < 18 ? i / 9 : i % 2];
}

static void build(struct blocks *blocks, size_t i)
{
    struct index_layout layout = layout_of(i);
    blocks_new(blocks, &layout, vectors[0], N, partitions_of(i));
}

typedef void (*index_test)(struct blocks *blocks, struct index_search *search);

/* Near partitions only where there are some. */
static void test_index(index_test test, struct blocks *blocks, size_t i)
{
    struct index_storage storage = blocks_storage(blocks);
    struct index_search search = {.snapshot = blocks->snapshot,
                                  .storage = &storage,
                                  .near_partitions_only = partitions_of(i) > 0,
                                  .n_threads = 1 + i % 4};
    test(blocks, &search);
}

/* Built once, for all tests that leave them as they are. */
static struct blocks built[INDEXES];

static void for_each_index(index_test test)
{
    for (size_t i = 0; i < INDEXES; i++) {
        if (built[i].snapshot == NULL) build(&built[i], i);
        test_index(test, &built[i], i);
        blocks_reset(&built[i]);
    }
}

/* For a test that damages it. */
static void for_each_own_index(index_test test)
{
    for (size_t i = 0; i < INDEXES; i++) {
        struct blocks blocks;
        build(&blocks, i);
        test_index(test, &blocks, i);
        blocks_free(&blocks);
    }
}

static struct index_query query_of(size_t i, size_t k)
{
    return (struct index_query){.vector = queries[i], .k = k, .min_similarity = -INFINITY};
}

static void search_one(struct index_search *search, const struct index_query *query,
                       struct top_k *hits)
{
    top_k_init(hits, query->k);
    assert_int_equal(index_search(search, query, 1, hits, NULL), 0);
    top_k_sort(hits);
}

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
    for_each_index(in_a_group);
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
                                      i < 6 ? INDEX_FLOAT32 : INDEX_COMPACT};
        struct blocks blocks;
        blocks_new(&blocks, &layout, many, MANY, i < 3 ? 0 : 30);
        struct index_storage storage = blocks_storage(&blocks);
        struct index_search search = {.snapshot = blocks.snapshot, .storage = &storage};
        struct index_query query = {
            .vector = many + 77 * SHORT, .k = K, .min_similarity = -INFINITY};
        struct top_k first, hits;
        search_one(&search, &query, &first);
        if (layout.metric != INDEX_DOT) assert_int_equal(first.hits[0].id, 780);
        for (search.n_threads = 2; search.n_threads <= 5; search.n_threads++) {
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

/* ---- failures -------------------------------------------------------------------------------- */

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
        assert_true(each_allocation(search_once, &trial) >= 1);
        some[0] = query_of(0, K);
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
    for_each_index(out_of_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_k),          cmocka_unit_test(test_similar_enough),
        cmocka_unit_test(test_lists),          cmocka_unit_test(test_groups),
        cmocka_unit_test(test_exactly),        cmocka_unit_test(test_near_partitions),
        cmocka_unit_test(test_kept_or_not),    cmocka_unit_test(test_threads_find_the_same),
        cmocka_unit_test(test_ties),           cmocka_unit_test(test_empty),
        cmocka_unit_test(test_damaged_vector), cmocka_unit_test(test_storage_fails),
        cmocka_unit_test(test_cancel),         cmocka_unit_test(test_out_of_memory),
    };
    static float centres[CENTRES][DIMENSIONS];
    uint64_t random = 1;
    failing_memory_bind();
    random_vector(&random, CENTRES * DIMENSIONS, centres[0]);
    for (size_t i = 0; i < N + 80; i++) {
        float *vector = i < N ? vectors[i] : queries[i - N];
        const float *centre = centres[random_bits(&random) % CENTRES];
        for (size_t d = 0; d < DIMENSIONS; d++) vector[d] = centre[d] + 0.7f * random_bell(&random);
    }
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < INDEXES; i++)
        if (built[i].snapshot != NULL) blocks_free(&built[i]);
    return n_failed;
}

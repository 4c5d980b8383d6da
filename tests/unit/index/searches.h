/*
 * searches.h: indexes of every kind over the same vectors, and queries of them.
 *
 * For one test program, which includes cmocka.h before; its main calls searches_fill first and
 * searches_free last.
 */
#ifndef TESTS_INDEX_SEARCHES_H
#define TESTS_INDEX_SEARCHES_H

#include "index/blocks.h"

enum { N = 6000, DIMENSIONS = 48, CENTRES = 40, K = 25 };

/* Clustered, as embeddings are. */
static float vectors[N][DIMENSIONS], queries[80][DIMENSIONS];

static const enum index_metric metrics[] = {INDEX_COSINE, INDEX_DOT, INDEX_L2};
static const enum index_quantize codes[] = {INDEX_EXACT, INDEX_INT8, INDEX_BIT};
static const size_t partitions[] = {0, 120};

enum { INDEXES = 25 };

/* Threads do the same for all metrics: the thread sanitizer, which is slow, looks at one. */
#ifdef __SANITIZE_THREAD__
enum { FIRST_INDEX = 1, INDEX_STEP = 3, LEAST_THREADS = 2 };
#else
enum { FIRST_INDEX = 0, INDEX_STEP = 1, LEAST_THREADS = 1 };
#endif

/* Of every kind, and some that are compact, or halves. */
static struct index_layout layout_of(size_t i)
{
    size_t code = i < 18 ? i / 3 % 3 : i < 21 || i == 23 ? 0 : i == 24 ? 1 : 2;
    return (struct index_layout){metrics[i % 3], codes[code], DIMENSIONS,
                                 i < 18   ? INDEX_FLOAT32
                                 : i < 22 ? INDEX_COMPACT
                                          : INDEX_HALF};
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
                                  .max_bytes = blocks->budget,
                                  .n_threads = LEAST_THREADS + i % 4};
    test(blocks, &search);
}

/* Built once, for all tests that leave them as they are. */
static struct blocks built[INDEXES];

static inline void for_each_index_in_threads(index_test test)
{
    for (size_t i = FIRST_INDEX; i < INDEXES; i += INDEX_STEP) {
        if (built[i].snapshot == NULL) build(&built[i], i);
        test_index(test, &built[i], i);
        blocks_reset(&built[i]);
    }
}

/* For tests that start no thread: the thread sanitizer learns nothing from them. */
static inline void skip_without_threads(void)
{
#ifdef __SANITIZE_THREAD__
    skip();
#endif
}

/* One query alone: none of the indexes is large enough for a second thread. */
static inline void for_each_index(index_test test)
{
    skip_without_threads();
    for_each_index_in_threads(test);
}

/* For a test that damages it. */
static inline void for_each_own_index(index_test test)
{
    skip_without_threads();
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

static inline void searches_fill(void)
{
    static float centres[CENTRES][DIMENSIONS];
    uint64_t random = 1;
    random_vector(&random, CENTRES * DIMENSIONS, centres[0]);
    for (size_t i = 0; i < N + 80; i++) {
        float *vector = i < N ? vectors[i] : queries[i - N];
        const float *centre = centres[random_bits(&random) % CENTRES];
        for (size_t d = 0; d < DIMENSIONS; d++) vector[d] = centre[d] + 0.7f * random_bell(&random);
    }
}

static inline void searches_free(void)
{
    for (size_t i = 0; i < INDEXES; i++)
        if (built[i].snapshot != NULL) blocks_free(&built[i]);
}

#endif

/* Sketches: their bounds hold for every vector, and searches with them give the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>

#include "index/blocks.h"
#include "index/sketch.h"

enum { N = 1200, DIMENSIONS = 64, QUERIES = 12, K = 25 };

static float vectors[N + QUERIES][DIMENSIONS];

/* What a row is like. */
enum kind {
    NEAR_ONE_POINT,
    IN_CLUSTERS,
    NOISE,
    POWERS,
    TINY,
    HUGE_ONES,
    EQUAL,
    SPARSE,
    ZEROS,
    KINDS
};

static void draw_row(uint64_t *random, enum kind kind, const float *centre, float *row)
{
    int power = (int)(random_bits(random) % 60) - 30;
    random_vector(random, DIMENSIONS, row);
    for (size_t d = 0; d < DIMENSIONS; d++) {
        if (kind == NEAR_ONE_POINT) row[d] = 100.0f + 0.01f * row[d];
        if (kind == IN_CLUSTERS) row[d] = centre[d] + 0.3f * row[d];
        if (kind == POWERS) row[d] = ldexpf(row[d], power);
        if (kind == TINY) row[d] = ldexpf(row[d], -140);
        if (kind == HUGE_ONES) row[d] = ldexpf(row[d], 110);
        if (kind == EQUAL) row[d] = centre[d];
        if (kind == SPARSE && d != random_bits(random) % DIMENSIONS) row[d] = 0.0f;
        if (kind == ZEROS) row[d] = 0.0f;
    }
}

/* Rows of one kind, or (KINDS) of all; no zero vector where only directions count. */
static void draw(enum kind kind, enum index_metric metric)
{
    static float centres[8][DIMENSIONS];
    uint64_t random = 21 + (uint64_t)kind;
    random_vector(&random, 8 * DIMENSIONS, centres[0]);
    for (size_t i = 0; i < N + QUERIES; i++) {
        enum kind one = kind < KINDS ? kind : (enum kind)(random_bits(&random) % KINDS);
        draw_row(&random, one, centres[random_bits(&random) % 8], vectors[i]);
        int is_zero = 1;
        for (size_t d = 0; d < DIMENSIONS; d++) is_zero &= vectors[i][d] == 0.0f;
        if (metric == INDEX_COSINE && is_zero) vectors[i][i % DIMENSIONS] = 1.0f;
    }
}

static const struct index_layout layouts[] = {
    {INDEX_COSINE, INDEX_EXACT, DIMENSIONS, INDEX_FLOAT32},
    {INDEX_DOT, INDEX_EXACT, DIMENSIONS, INDEX_FLOAT32},
    {INDEX_L2, INDEX_EXACT, DIMENSIONS, INDEX_FLOAT32},
    {INDEX_COSINE, INDEX_EXACT, DIMENSIONS, INDEX_COMPACT},
    {INDEX_DOT, INDEX_EXACT, DIMENSIONS, INDEX_COMPACT},
    {INDEX_L2, INDEX_EXACT, DIMENSIONS, INDEX_COMPACT},
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

static int is_possible(const struct index_layout *layout, enum kind kind)
{
    return layout->vectors == INDEX_FLOAT32 ||
           (kind != TINY && kind != HUGE_ONES && kind != POWERS && kind != KINDS);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* A block of all rows and its sketch. */
struct sketched {
    const struct index_layout *layout;
    struct index_rows rows;
    void *block, *sketch;
    double inverses[N];
};

static void sketch_all(struct sketched *sketched, const struct index_layout *layout)
{
    size_t size = index_sketch_size(layout, N);
    float point[DIMENSIONS], *buffer = calloc(index_sketch_room(layout), sizeof *buffer);
    unsigned char stored[DIMENSIONS * sizeof(float)];
    sketched->layout = layout;
    sketched->block = calloc(1, index_block_size(layout, N));
    sketched->rows = index_block_rows(layout, sketched->block, N);
    sketched->sketch = aligned_alloc(64, (size + 63) / 64 * 64);
    memset(sketched->sketch, 0, size);
    for (size_t i = 0; i < N; i++) {
        index_vector_write(layout, vectors[i], point, stored);
        index_row_write(layout, &sketched->rows, i, (int64_t)i, stored, point, NULL);
        sketched->inverses[i] = index_inverse(index_vector_sums(layout),
                                              sketched->rows.components + i * sketched->rows.stride,
                                              layout->dimensions);
    }
    assert_true(index_sketch_is_empty(sketched->sketch));
    index_sketch_make(layout, &sketched->rows, N, N,
                      layout->metric == INDEX_COSINE ? sketched->inverses : NULL, sketched->sketch,
                      buffer);
    assert_false(index_sketch_is_empty(sketched->sketch));
    free(buffer);
}

static void sketch_free(struct sketched *sketched)
{
    free(sketched->block);
    free(sketched->sketch);
}

enum { AT_ONCE = 200 };

static size_t count(const uint64_t bits[INDEX_SKETCH_WORDS])
{
    size_t n = 0;
    for (size_t i = 0; i < INDEX_SKETCH_ROWS; i++) n += bits[i / 64] >> i % 64 & 1;
    return n;
}

/* How many of a pass of AT_ONCE rows are left; a row that is likely is left. */
static size_t pass(const struct index_sketch_aim *aim, const struct index_layout *layout,
                   size_t begin, double least, struct index_sketch_verdicts *verdicts)
{
    int any = index_sketch_pass(aim, layout, N, begin, AT_ONCE, least, verdicts);
    size_t n = count(verdicts->left);
    assert_int_equal(any, n > 0);
    for (size_t w = 0; any && w < INDEX_SKETCH_WORDS; w++)
        assert_int_equal(verdicts->likely[w] & ~verdicts->left[w], 0);
    return n;
}

/* No row is excluded by its own score, as it is computed. Returns how many reach the K-th. */
static size_t check_bounds(const struct sketched *sketched, const float *vector)
{
    const struct index_layout *layout = sketched->layout;
    const struct index_metric_row *metric = &index_metrics[layout->metric];
    struct index_sketch_query query;
    struct index_sketch_aim aim;
    struct top_k best;
    struct index_sketch_verdicts verdicts;
    float asked[DIMENSIONS];
    size_t n = 0;
    blocks_ask(layout, vector, asked);
    assert_int_equal(index_sketch_query_init(&query, layout, asked, NULL), 0);
    top_k_init(&best, K);
    if (query.norm > 0.0) {
        index_sketch_aim(&aim, layout, &query, NULL, sketched->sketch);
        for (size_t i = 0; i < N; i++) {
            double score = metric->score(index_vector_sums(layout), asked,
                                         sketched->rows.components + i * sketched->rows.stride,
                                         layout->dimensions);
            double estimate = metric->estimate(score);
            assert_true(index_sketch_pass(&aim, layout, N, i, 1, estimate, &verdicts));
            assert_true((double)verdicts.bounds[0] + aim.base >= estimate);
            assert_int_equal(count(verdicts.left), 1);
            assert_int_equal(top_k_offer(&best, (int64_t)i, score, NULL), 0);
        }
        double least = metric->estimate(top_k_threshold(&best));
        for (size_t i = 0; i < N; i += AT_ONCE) n += pass(&aim, layout, i, least, &verdicts);
        assert_int_equal(pass(&aim, layout, 0, -INFINITY, &verdicts), AT_ONCE);
        assert_int_equal(count(verdicts.likely), AT_ONCE);
        assert_int_equal(pass(&aim, layout, 0, INFINITY, &verdicts), 0);
    }
    top_k_deinit(&best);
    index_sketch_query_deinit(&query);
    return n;
}

static void test_bounds_hold(void **state)
{
    (void)state;
    for (size_t l = 0; l < LAYOUTS; l++) {
        for (int kind = 0; kind <= KINDS; kind++) {
            struct sketched sketched;
            size_t n = 0;
            if (!is_possible(&layouts[l], (enum kind)kind)) continue;
            draw((enum kind)kind, layouts[l].metric);
            sketch_all(&sketched, &layouts[l]);
            for (size_t q = 0; q < QUERIES && index_sketch_is_ready(sketched.sketch); q++)
                n += check_bounds(&sketched, vectors[N + q]);
            if (kind == IN_CLUSTERS || kind == NOISE)
                assert_true(n > 0 && n < QUERIES * (kind == NOISE ? N : N / 4));
            sketch_free(&sketched);
        }
    }
}

/* Of fewer components than a code has room for, and of halves: those at the head of each row. */
static void test_bounds_of_other_shapes(void **state)
{
    (void)state;
    static const size_t dimensions[] = {1, 3, 17, DIMENSIONS - 1};
    for (size_t l = 0; l < 3 * INDEX_VECTORS; l++) {
        struct index_layout layout = layouts[l % 3];
        layout.vectors = (enum index_vectors)(l / 3);
        for (int kind = 0; kind <= KINDS; kind++) {
            struct sketched sketched;
            if (!is_possible(&layout, (enum kind)kind)) continue;
            draw((enum kind)kind, layout.metric);
            for (size_t i = 0; i < N + QUERIES && layout.metric == INDEX_COSINE; i++)
                if (fabsf(vectors[i][0]) < FLT_MIN) vectors[i][0] = 1.0f;
            layout.dimensions = dimensions[kind % 4];
            sketch_all(&sketched, &layout);
            for (size_t q = 0; q < QUERIES && index_sketch_is_ready(sketched.sketch); q++)
                check_bounds(&sketched, vectors[N + q]);
            sketch_free(&sketched);
        }
    }
}

/* Of vectors that the arithmetic is not made for, or that are damaged, a sketch says nothing. */
static void test_of_no_use(void **state)
{
    (void)state;
    static const float bad[] = {INFINITY, NAN, 1e25f};
    for (size_t i = 0; i < 3; i++) {
        struct sketched sketched;
        draw(NOISE, INDEX_DOT);
        vectors[N / 2][3] = bad[i];
        sketch_all(&sketched, &layouts[1]);
        assert_false(index_sketch_is_ready(sketched.sketch));
        sketch_free(&sketched);
    }
    struct index_sketch_query query;
    float vector[DIMENSIONS] = {1e-35f};
    assert_int_equal(index_sketch_query_init(&query, &layouts[1], vector, NULL), 0);
    assert_true(query.norm == 0.0);
    index_sketch_query_deinit(&query);
}

/* ---- searches -------------------------------------------------------------------------------- */

enum { TILES = 5, ROWS = TILES * N, THREADS = 3 };

static size_t n_threads = THREADS;

static void search(struct blocks *blocks, uint64_t max_bytes, const struct index_query *queries,
                   size_t n, struct top_k *hits)
{
    struct index_storage storage = blocks_storage(blocks);
    struct index_search search = {.snapshot = blocks->snapshot,
                                  .storage = &storage,
                                  .n_threads = n_threads,
                                  .max_bytes = max_bytes};
    for (size_t i = 0; i < n; i++) top_k_init(&hits[i], queries[i].k);
    assert_int_equal(index_search(&search, queries, n, hits, NULL), 0);
    /* Codes may be looked at again, where they say too little. */
    if (blocks->snapshot->layout.quantize == INDEX_EXACT)
        assert_int_equal(search.n_scanned, n * blocks->n);
    for (size_t i = 0; i < n; i++) top_k_sort(&hits[i]);
}

/* The same hits with sketches as without. */
static void compare(struct blocks *blocks, const struct index_query *queries, size_t n)
{
    static struct top_k hits[QUERIES], expected[QUERIES];
    search(blocks, 0, queries, n, expected);
    search(blocks, UINT64_MAX, queries, n, hits);
    for (size_t q = 0; q < n; q++) {
        assert_int_equal(hits[q].n, expected[q].n);
        for (size_t i = 0; i < hits[q].n; i++) {
            assert_int_equal(hits[q].hits[i].id, expected[q].hits[i].id);
            assert_memory_equal(&hits[q].hits[i].score, &expected[q].hits[i].score, sizeof(double));
        }
        top_k_deinit(&hits[q]);
        top_k_deinit(&expected[q]);
    }
}

static size_t count_ready(const struct blocks *blocks)
{
    size_t n = 0;
    for (size_t i = 0; i < blocks->snapshot->n_blocks; i++) {
        const void *sketch = index_block_beside(&blocks->snapshot->blocks[i]);
        n += sketch != NULL && index_sketch_is_ready(sketch);
    }
    return n;
}

/* Every row several times, so that ties are many. */
static void compare_all(const struct index_layout *layout, enum kind kind)
{
    static float rows[ROWS][DIMENSIONS];
    static int64_t only[ROWS];
    struct blocks blocks;
    struct index_query queries[QUERIES];
    draw(kind, layout->metric);
    for (size_t i = 0; i < ROWS; i++) memcpy(rows[i], vectors[i % N], sizeof rows[i]);
    blocks_new(&blocks, layout, rows[0], ROWS, 0);
    for (size_t q = 0; q < QUERIES; q++)
        queries[q] =
            (struct index_query){.vector = vectors[N + q], .k = K, .min_similarity = -INFINITY};
    for (size_t i = 0; i < ROWS; i++) only[i] = 10 * (int64_t)(i + 1) - (i % 3 == 0);
    compare(&blocks, queries, 1); /* makes them */
    if (kind == NOISE || kind == IN_CLUSTERS)
        assert_int_equal(count_ready(&blocks), blocks.snapshot->n_blocks);
    compare(&blocks, queries, 4);
    for (size_t q = 0; q < 6; q++) {
        static const size_t some[] = {1, 7, ROWS / 40, ROWS, 2 * ROWS, SIZE_MAX};
        queries[q].k = some[q];
        if (q % 2 == 0) queries[q].only = only;
        queries[q].n_only = ROWS;
        compare(&blocks, &queries[q], 1);
    }
    struct top_k best;
    search(&blocks, 0, &queries[6], 1, &best);
    queries[7] = queries[6];
    queries[7].k = SIZE_MAX;
    queries[7].min_similarity = index_metrics[layout->metric].similarity(best.hits[9].score);
    compare(&blocks, &queries[7], 1);
    top_k_deinit(&best);
    blocks_free(&blocks);
}

static void test_same_hits(void **state)
{
    (void)state;
    for (size_t l = 0; l < LAYOUTS; l++)
        for (int kind = 0; kind <= KINDS; kind++)
            if (is_possible(&layouts[l], (enum kind)kind))
                compare_all(&layouts[l], (enum kind)kind);
}

/* Rows in doubt beyond those that may wait: many queries together, of vectors in all directions. */
static void test_doubts(void **state)
{
    (void)state;
    static float rows[ROWS][DIMENSIONS];
    for (size_t l = 0; l < LAYOUTS; l++) {
        struct blocks blocks;
        struct index_query queries[QUERIES];
        draw(NOISE, layouts[l].metric);
        for (size_t i = 0; i < ROWS; i++)
            for (size_t d = 0; d < DIMENSIONS; d++)
                rows[i][d] = vectors[i % N][d] * (d < i / N ? -1.0f : 1.0f);
        blocks_new(&blocks, &layouts[l], rows[0], ROWS, 0);
        for (size_t q = 0; q < QUERIES; q++)
            queries[q] =
                (struct index_query){.vector = vectors[N + q], .k = K, .min_similarity = -INFINITY};
        compare(&blocks, queries, 1);
        compare(&blocks, queries, QUERIES);
        n_threads = 1;
        compare(&blocks, queries, QUERIES);
        n_threads = THREADS;
        blocks_free(&blocks);
    }
}

/* Of int8 codes: what searches of codes find, they find with sketches; also where more rows than
 * those of the highest bounds are to be looked at, as their codes are alike. */
static void compare_codes(enum index_metric metric, enum kind kind)
{
    static float rows[ROWS][DIMENSIONS];
    struct index_layout layout = layouts[metric];
    struct blocks blocks;
    struct index_query queries[QUERIES];
    layout.quantize = INDEX_INT8;
    draw(kind, layout.metric);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t d = 0; d < DIMENSIONS; d++)
            rows[i][d] = vectors[i % N][d] * (1.0f + 1e-3f * (float)((i * 7 + d) % 11));
    blocks_new(&blocks, &layout, rows[0], ROWS, metric == INDEX_L2 ? 20 : 0);
    for (size_t q = 0; q < QUERIES; q++)
        queries[q] =
            (struct index_query){.vector = vectors[N + q], .k = K, .min_similarity = -INFINITY};
    compare(&blocks, queries, 1);
    /* All but those of a partition whose rows are its centroid. */
    assert_true(count_ready(&blocks) >= blocks.snapshot->n_blocks - 2);
    compare(&blocks, queries, QUERIES);
    blocks_free(&blocks);
}

static void test_codes(void **state)
{
    (void)state;
    static const enum kind kinds[] = {NOISE, IN_CLUSTERS, NEAR_ONE_POINT};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        compare_codes(INDEX_COSINE, kinds[i]);
        compare_codes(INDEX_DOT, kinds[i]);
        compare_codes(INDEX_L2, kinds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds_hold), cmocka_unit_test(test_bounds_of_other_shapes),
        cmocka_unit_test(test_of_no_use),   cmocka_unit_test(test_same_hits),
        cmocka_unit_test(test_doubts),      cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

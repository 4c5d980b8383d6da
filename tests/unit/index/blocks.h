/*
 * blocks.h: an index in memory, as the storage callbacks of a search see it: rows in blocks, with
 * or without codes and partitions; and damage on command.
 *
 * For one test program, which includes cmocka.h before.
 */
#ifndef TESTS_INDEX_BLOCKS_H
#define TESTS_INDEX_BLOCKS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/oracle.h"
#include "index/search.h"
#include "vector/compact.h"
#include "vector/half.h"
#include "vector/random.h"
#include "vector/rotate.h"

enum { BLOCK_ROWS = 100, BLOCKS_DIMENSIONS = 64 /* at most */, FAILING_READS = 5 };

struct blocks {
    struct index_layout layout;
    size_t n;
    float *vectors, *points; /* [n, dimensions] as given, and in code space */
    unsigned char *compact;  /* [n, index_vector_size] the vectors as they are stored, if compact */
    int64_t *ids;            /* [n] ascending */
    struct index_snapshot *snapshot;
    void **bytes; /* [n_blocks] */
    struct index_cache *cache;
    uint64_t budget; /* of blocks that are kept */
    atomic_size_t n_loaded;
    size_t n_fetched;
    struct index_snapshot *all; /* vectors that were listed; owned, as the next */
    struct index_storage all_storage;
    void *read;       /* a block of them */
    size_t short_row; /* the row whose vector lacks a byte; n: none */
    double *scores;   /* [n] by the oracle, of the query `scored`; NULL: of none yet */
    float scored[BLOCKS_DIMENSIONS];
    int load_code;         /* what load answers */
    atomic_size_t n_reads; /* blocks by threads; one in FAILING_READS cannot be read so */
};

static size_t blocks_row(const struct blocks *blocks, int64_t id)
{
    size_t low = 0, high = blocks->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (blocks->ids[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low < blocks->n && blocks->ids[low] == id ? low : blocks->n;
}

static int blocks_load(void *context, struct index_block *block, struct index_place *place,
                       const void **bytes, int *stay, struct error *err)
{
    struct blocks *blocks = context;
    size_t size = index_block_size(&blocks->layout, block->capacity);
    if (place == NULL || blocks->load_code != 0) blocks->n_loaded++;
    if (blocks->load_code != 0) return error_set(err, blocks->load_code, "no such block");
    *bytes = blocks->bytes[block->number - 1];
    struct index_bytes *room =
        index_bytes_new(blocks->cache, blocks->snapshot, size, blocks->budget);
    *stay = room != NULL ? INDEX_KEPT : INDEX_PASSED;
    if (place != NULL) {
        *place = (struct index_place){{block->number}, room};
        *bytes = NULL;
        *stay = INDEX_FOUND;
    }
    if (room == NULL || place != NULL) return 0;
    memcpy(index_bytes_data(room), *bytes, size);
    *bytes = index_snapshot_keep(block, room);
    return 0;
}

static int blocks_read(void *context, size_t thread, struct index_block *block,
                       struct index_place *place, const void **bytes, struct error *err)
{
    struct blocks *blocks = context;
    (void)thread;
    (void)err;
    *bytes = NULL;
    assert_int_equal(place->numbers[0], block->number);
    if (atomic_fetch_add(&blocks->n_reads, 1) % FAILING_READS == FAILING_READS - 1) return 0;
    blocks->n_loaded++;
    *bytes = blocks->bytes[block->number - 1];
    if (place->room == NULL) return 0;
    memcpy(index_bytes_data(place->room), *bytes,
           index_block_size(&blocks->layout, block->capacity));
    *bytes = index_snapshot_keep(block, place->room);
    place->room = NULL;
    return 0;
}

/* The vector of a row as it is stored. */
static void *blocks_stored(const struct blocks *blocks, size_t row)
{
    return blocks->compact != NULL ? blocks->compact + row * index_vector_size(&blocks->layout)
                                   : (void *)(blocks->vectors + row * blocks->layout.dimensions);
}

static void blocks_vector(const struct blocks *blocks, size_t row, const void **bytes, size_t *size)
{
    *bytes = blocks_stored(blocks, row);
    *size = index_vector_size(&blocks->layout) - (row == blocks->short_row);
}

static int blocks_fetch(void *context, int64_t id, const void **bytes, size_t *size, int *found,
                        struct error *err)
{
    struct blocks *blocks = context;
    size_t row = blocks_row(blocks, id);
    (void)err;
    blocks->n_fetched++;
    *found = row < blocks->n;
    if (*found) blocks_vector(blocks, row, bytes, size);
    return 0;
}

/* Reads a block of all vectors; one with a row that lacks a byte is damaged. */
static int blocks_load_vectors(void *context, struct index_block *block, struct index_place *place,
                               const void **bytes, int *stay, struct error *err)
{
    struct blocks *blocks = context;
    const struct index_snapshot *all = blocks->all;
    size_t first = (size_t)block->number * BLOCK_ROWS;
    (void)place;
    if (blocks->short_row - first < block->n)
        return error_set(err, ERROR_CORRUPT, "row %lld: its vector lacks a byte",
                         (long long)blocks->ids[blocks->short_row]);
    struct index_rows rows = index_block_rows(&all->layout, blocks->read, block->capacity);
    for (size_t i = 0; i < block->n; i++)
        index_row_write(&all->layout, &rows, i, blocks->ids[first + i],
                        blocks_stored(blocks, first + i), NULL, NULL);
    *bytes = blocks->read;
    *stay = INDEX_PASSED;
    return 0;
}

/* A list of all vectors, none in memory. */
static struct index_snapshot *blocks_list_vectors(const struct blocks *blocks)
{
    struct index_layout layout = blocks->layout;
    size_t n_blocks = (blocks->n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    layout.quantize = INDEX_EXACT;
    struct index_snapshot *all = index_snapshot_new(&layout, 1, n_blocks);
    assert_non_null(all);
    for (size_t i = 0; i < n_blocks; i++) {
        struct index_block *block = &all->blocks[i];
        block->number = (int64_t)i;
        block->n = i + 1 < n_blocks ? BLOCK_ROWS : blocks->n - i * BLOCK_ROWS;
        block->capacity = BLOCK_ROWS;
    }
    all->n_rows = blocks->n;
    return all;
}

static int blocks_all_vectors(void *context, struct index_snapshot **vectors,
                              const struct index_storage **storage, struct error *err)
{
    static const struct index_storage all = {.load = blocks_load_vectors};
    struct blocks *blocks = context;
    (void)err;
    *vectors = atomic_load(&blocks->snapshot->vectors);
    if (*vectors == NULL) *vectors = blocks->all;
    blocks->all_storage = all;
    blocks->all_storage.context = blocks;
    *storage = &blocks->all_storage;
    return 0;
}

static struct index_storage blocks_storage(struct blocks *blocks)
{
    return (struct index_storage){blocks_load, blocks_read, blocks_fetch, blocks_all_vectors,
                                  blocks};
}

/* n_partitions centroids, which are rows; every row goes to the nearest. */
static struct index_partitions *blocks_partitions(struct blocks *blocks, size_t n_partitions)
{
    struct index_partitions *partitions;
    size_t dimensions = blocks->layout.dimensions;
    assert_int_equal(index_partitions_new(n_partitions, dimensions, &partitions, NULL), 0);
    for (size_t i = 0; i < n_partitions; i++) {
        partitions->numbers[i] = 3 * (int64_t)i + 1;
        memcpy(partitions->centroids + i * dimensions,
               blocks->points + blocks->n / n_partitions * i * dimensions,
               dimensions * sizeof(float));
    }
    index_partitions_ready(partitions);
    return partitions;
}

/* The rows of one partition into blocks of it. */
static void blocks_write_partition(struct blocks *blocks, const uint32_t *places, size_t place,
                                   size_t *n_blocks)
{
    struct index_snapshot *snapshot = blocks->snapshot;
    const struct index_partitions *partitions = snapshot->partitions;
    size_t dimensions = blocks->layout.dimensions;
    struct index_block *block = NULL;
    for (size_t row = 0; row < blocks->n; row++) {
        if (places != NULL && places[row] != place) continue;
        if (block == NULL || block->n == block->capacity) {
            block = &snapshot->blocks[*n_blocks];
            block->number = (int64_t)++ * n_blocks;
            block->partition = partitions == NULL ? 0 : partitions->numbers[place];
            block->version = 1;
            block->capacity = BLOCK_ROWS;
            blocks->bytes[block->number - 1] =
                calloc(1, index_block_size(&blocks->layout, BLOCK_ROWS));
        }
        struct index_rows rows =
            index_block_rows(&blocks->layout, blocks->bytes[block->number - 1], block->capacity);
        index_row_write(&blocks->layout, &rows, block->n++, blocks->ids[row],
                        blocks_stored(blocks, row), blocks->points + row * dimensions,
                        partitions == NULL ? NULL : partitions->centroids + place * dimensions);
    }
}

/* Rows of `vectors` (borrowed), with ids 10, 20, 30... n_partitions 0: no partitions. */
static void blocks_new(struct blocks *blocks, const struct index_layout *layout, float *vectors,
                       size_t n, size_t n_partitions)
{
    size_t dimensions = layout->dimensions, n_blocks = 0;
    *blocks = (struct blocks){
        .layout = *layout, .n = n, .vectors = vectors, .short_row = n, .budget = UINT64_MAX};
    blocks->ids = calloc(n, sizeof *blocks->ids);
    blocks->read = calloc(BLOCK_ROWS, sizeof(int64_t) + index_vector_size(layout));
    blocks->points = calloc(n * dimensions, sizeof *blocks->points);
    if (layout->vectors != INDEX_FLOAT32) blocks->compact = calloc(n, index_vector_size(layout));
    for (size_t row = 0; row < n; row++) {
        float *point = blocks->points + row * dimensions;
        blocks->ids[row] = 10 * (int64_t)(row + 1);
        if (blocks->compact != NULL)
            index_vector_write(layout, vectors + row * dimensions, point,
                               blocks_stored(blocks, row));
        index_vector_point(layout, blocks_stored(blocks, row), point);
    }
    size_t most = n / BLOCK_ROWS + n_partitions + 1;
    blocks->snapshot = index_snapshot_new(layout, 1, most);
    blocks->bytes = calloc(most, sizeof *blocks->bytes);
    assert_int_equal(index_cache_open("blocks", &blocks->cache, NULL), 0);
    uint32_t *places = calloc(n, sizeof *places);
    if (n_partitions > 0) {
        blocks->snapshot->partitions = blocks_partitions(blocks, n_partitions);
        assert_int_equal(index_partitions_assign(blocks->snapshot->partitions, blocks->points, n, 2,
                                                 places, NULL, NULL),
                         0);
    }
    for (size_t place = 0; place < (n_partitions == 0 ? 1 : n_partitions); place++)
        blocks_write_partition(blocks, n_partitions == 0 ? NULL : places, place, &n_blocks);
    blocks->snapshot->n_blocks = n_blocks;
    blocks->snapshot->n_rows = n;
    blocks->all = blocks_list_vectors(blocks);
    free(places);
}

static void blocks_free(struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->snapshot->n_blocks; i++) free(blocks->bytes[i]);
    index_snapshot_free(blocks->snapshot);
    index_snapshot_free(blocks->all);
    index_cache_close(blocks->cache);
    free(blocks->read);
    free(blocks->bytes);
    free(blocks->ids);
    free(blocks->points);
    free(blocks->compact);
    free(blocks->scores);
    *blocks = (struct blocks){0};
}

/* Forgets what is in memory. */
static void blocks_forget(struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->snapshot->n_blocks; i++) {
        index_bytes_free(atomic_load(&blocks->snapshot->blocks[i].bytes));
        atomic_store(&blocks->snapshot->blocks[i].bytes, NULL);
        atomic_store(&blocks->snapshot->blocks[i].beside, NULL);
    }
}

/* The first n_blocks of its vectors, as a storage keeps them; all are whole blocks. */
static inline void blocks_keep_vectors(struct blocks *blocks, size_t n_blocks)
{
    struct index_snapshot *kept = blocks_list_vectors(blocks);
    assert_int_equal(blocks->n % BLOCK_ROWS, 0);
    for (size_t i = 0; i < n_blocks; i++) {
        struct index_block *block = &kept->blocks[i];
        size_t size = index_block_size(&kept->layout, BLOCK_ROWS);
        struct index_bytes *bytes = index_bytes_new(blocks->cache, kept, size, UINT64_MAX);
        assert_non_null(bytes);
        struct index_rows rows =
            index_block_rows(&kept->layout, index_bytes_data(bytes), BLOCK_ROWS);
        for (size_t row = 0; row < BLOCK_ROWS; row++)
            index_row_write(&kept->layout, &rows, row, blocks->ids[i * BLOCK_ROWS + row],
                            blocks_stored(blocks, i * BLOCK_ROWS + row), NULL, NULL);
        index_snapshot_keep(block, bytes);
    }
    atomic_store(&blocks->snapshot->vectors, kept);
}

static inline void blocks_forget_vectors(struct blocks *blocks)
{
    index_snapshot_free(atomic_exchange(&blocks->snapshot->vectors, NULL));
}

/* As when it was new, unless its rows were damaged. */
static inline void blocks_reset(struct blocks *blocks)
{
    blocks_forget(blocks);
    blocks->budget = UINT64_MAX;
    blocks->n_loaded = blocks->n_fetched = 0;
    blocks->short_row = blocks->n;
    blocks->load_code = 0;
}

/* ---- the oracle ------------------------------------------------------------------------------ */

/* A query as it meets stored vectors: [BLOCKS_DIMENSIONS] */
static void blocks_ask(const struct index_layout *layout, const float *query, float *asked)
{
    memcpy(asked, query, layout->dimensions * sizeof *asked);
    if (layout->vectors == INDEX_COMPACT) vector_rotate(asked, layout->dimensions);
}

/* What the formula of the metric gives, and how large what it adds up may be. */
ORACLE static double blocks_formula(const struct index_layout *layout, const float *asked,
                                    const float *vector, double *size)
{
    double dot = 0.0, a = 0.0, b = 0.0, squared = 0.0;
    for (size_t i = 0; i < layout->dimensions; i++) {
        double x = (double)asked[i], y = (double)vector[i];
        dot += x * y;
        a += x * x;
        b += y * y;
        squared += (x - y) * (x - y);
    }
    *size = layout->metric == INDEX_COSINE ? 1.0 : sqrt(a * b);
    return layout->metric == INDEX_COSINE ? dot / sqrt(a * b)
           : layout->metric == INDEX_DOT  ? dot
                                          : -sqrt(squared);
}

/* What a search must give for a query that asks so and a stored vector, to the last bit; it is what
 * their formula gives. */
static double blocks_score(const struct index_layout *layout, const float *asked,
                           const void *stored)
{
    float decoded[BLOCKS_DIMENSIONS];
    const float *vector = stored;
    if (layout->vectors == INDEX_COMPACT) {
        vector_compact_decode(stored, layout->dimensions, decoded);
        vector = decoded;
    } else if (layout->vectors == INDEX_HALF) {
        vector_half_decode(stored, layout->dimensions, decoded);
        vector = decoded;
    }
    double size, expected = blocks_formula(layout, asked, vector, &size);
    double score = index_metrics[layout->metric].score(index_vector_sums(layout), asked, stored,
                                                       layout->dimensions);
    assert_true(fabs(score - expected) <= 2e-6 * size);
    return score;
}

/* [n] of all rows for that query: computed when another was asked before. */
static const double *blocks_scores(struct blocks *blocks, const float *query)
{
    size_t size = blocks->layout.dimensions * sizeof *query;
    float asked[BLOCKS_DIMENSIONS];
    if (blocks->scores != NULL && memcmp(blocks->scored, query, size) == 0) return blocks->scores;
    if (blocks->scores == NULL) blocks->scores = calloc(blocks->n, sizeof *blocks->scores);
    memcpy(blocks->scored, query, size);
    blocks_ask(&blocks->layout, query, asked);
    for (size_t row = 0; row < blocks->n; row++)
        blocks->scores[row] = blocks_score(&blocks->layout, asked, blocks_stored(blocks, row));
    return blocks->scores;
}

/* All rows that qualify, one by one, sorted; hits is initialised with the query's k. */
static inline void blocks_oracle(struct blocks *blocks, const struct index_query *query,
                                 struct top_k *hits)
{
    const double *scores = blocks_scores(blocks, query->vector);
    size_t j = 0;
    top_k_init(hits, query->k);
    for (size_t row = 0; row < blocks->n; row++) {
        int64_t id = blocks->ids[row];
        double score = scores[row];
        while (query->only != NULL && j < query->n_only && query->only[j] < id) j++;
        if (query->only != NULL && (j == query->n_only || query->only[j] != id)) continue;
        if (index_metrics[blocks->layout.metric].similarity(score) < query->min_similarity)
            continue;
        assert_int_equal(top_k_offer(hits, id, score, NULL), 0);
    }
    top_k_sort(hits);
}

#endif

#include "index/scan.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/workers.h"

/* Bytes compared between two looks at the cancel token: well under 1 ms of work. */
#define BYTES_PER_POLL ((size_t)1 << 20)

/* A thread more for each so many bytes: about 100 microseconds of work. */
#define THREAD_BYTES ((size_t)1 << 20)

/* Rows that all queries of a group meet before the next ones: bytes, about, and at most. */
#define STRETCH_BYTES ((size_t)16 << 10)
#define ROWS_AT_ONCE 256

/* What the threads share: each takes the next block until there is none. */
struct scan {
    struct index_search *search;
    struct index_target *targets;
    size_t n_targets;
    struct index_block **blocks; /* [n_blocks] in memory */
    size_t n_blocks;
    struct top_k *heaps; /* [n_threads, n_targets]: with room for all that they keep */
    size_t n_threads;
    atomic_size_t next, n_rows;
    atomic_int stop;
    int rc; /* of the cancel token, which the caller's thread polls */
    struct error *err;
};

/* ---- one block ------------------------------------------------------------------------------- */

/* Rows [begin, begin + n) of a block. */
struct stretch {
    const struct index_rows *rows;
    size_t begin, n;
    const double *inverses; /* [n] 1 / |row|, where only directions count; else NULL */
};

static int compare_vectors(const struct scan *scan, const struct index_target *target,
                           const struct stretch *stretch, struct top_k *heap, struct error *err)
{
    const struct index_layout *layout = &scan->search->snapshot->layout;
    const struct index_metric_row *metric = &index_metrics[layout->metric];
    const struct index_query *query = target->query;
    const int64_t *ids = stretch->rows->ids + stretch->begin;
    size_t stride = stretch->rows->stride;
    const unsigned char *vectors = stretch->rows->components + stretch->begin * stride;
    const struct index_sums *sums = index_vector_sums(layout);
    struct index_comparison comparison = {.sums = sums,
                                          .query = query->vector,
                                          .inverse = target->inverse,
                                          .rows = vectors,
                                          .inverses = stretch->inverses,
                                          .n = stretch->n,
                                          .dimensions = layout->dimensions,
                                          .stride = stride};
    double scores[ROWS_AT_ONCE], threshold = top_k_threshold(heap);
    int rc = 0;
    metric->scores(&comparison, scores);
    for (size_t i = 0; rc == 0 && i < stretch->n; i++) {
        double score = scores[i];
        if (score < threshold - metric->slack) continue;
        const void *vector = vectors + i * stride;
        if (metric->slack > 0.0)
            score = metric->score(sums, query->vector, vector, layout->dimensions);
        if (score < threshold) continue;
        rc = index_check_score(layout, ids[i], vector, score, err);
        if (rc == 0 && index_query_takes(query, metric, score) && index_query_wants(query, ids[i]))
            rc = top_k_offer(heap, ids[i], score, err);
        threshold = top_k_threshold(heap);
    }
    return rc;
}

static int compare_codes(const struct index_target *target, const struct vector_code_bound *bound,
                         const struct stretch *stretch, struct top_k *heap, struct error *err)
{
    const struct index_rows *rows = stretch->rows;
    size_t begin = stretch->begin;
    float bounds[ROWS_AT_ONCE];
    struct vector_codes codes = {rows->offsets + begin, rows->scales + begin, rows->errors + begin,
                                 rows->components + begin * rows->stride, stretch->n};
    int rc = 0;
    vector_code_bounds(target->codes, &codes, bound, bounds);
    double min_bound = fmax(top_k_threshold(heap), target->min_bound);
    for (size_t i = 0; rc == 0 && i < codes.n; i++) {
        if ((double)bounds[i] < min_bound ||
            !index_query_wants(target->query, rows->ids[begin + i]))
            continue;
        rc = top_k_offer(heap, rows->ids[begin + i], (double)bounds[i], err);
        min_bound = fmax(top_k_threshold(heap), target->min_bound);
    }
    return rc;
}

/* All targets against one block: a stretch at a time, which stays in the first cache. */
static int compare(struct scan *scan, size_t thread, const struct index_block *block,
                   const void *bytes, struct error *err)
{
    const struct index_snapshot *snapshot = scan->search->snapshot;
    const struct index_layout *layout = &snapshot->layout;
    /* A scan only reads, but the arrays are those that writers use. */
    struct index_rows rows = index_block_rows(layout, (void *)(uintptr_t)bytes, block->capacity);
    const double *kept = bytes == index_block_data(block) ? index_block_inverses(block) : NULL;
    double inverses[ROWS_AT_ONCE];
    struct stretch stretch = {.rows = &rows};
    size_t place = index_snapshot_place(snapshot, block);
    size_t at_once = STRETCH_BYTES / rows.stride, n_compared = 0;
    if (at_once > ROWS_AT_ONCE) at_once = ROWS_AT_ONCE;
    if (at_once < 1) at_once = 1;
    int rc = 0, needs_inverses =
                    layout->quantize == INDEX_EXACT && index_metrics[layout->metric].of_directions;
    for (; rc == 0 && stretch.begin < block->n; stretch.begin += stretch.n) {
        stretch.n = block->n - stretch.begin < at_once ? block->n - stretch.begin : at_once;
        if (needs_inverses) stretch.inverses = kept != NULL ? kept + stretch.begin : inverses;
        for (size_t i = 0; needs_inverses && kept == NULL && i < stretch.n; i++) {
            const void *vector = rows.components + (stretch.begin + i) * rows.stride;
            inverses[i] = index_inverse(index_vector_sums(layout), vector, layout->dimensions);
        }
        for (size_t t = 0; rc == 0 && t < scan->n_targets; t++) {
            const struct index_target *target = &scan->targets[t];
            struct top_k *heap = &scan->heaps[thread * scan->n_targets + t];
            if (target->partitions != NULL && !target->partitions[place]) continue;
            rc = target->codes == NULL
                     ? compare_vectors(scan, target, &stretch, heap, err)
                     : compare_codes(target, &target->bounds[place], &stretch, heap, err);
            n_compared += stretch.n;
        }
    }
    atomic_fetch_add_explicit(&scan->n_rows, n_compared, memory_order_relaxed);
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void scan_blocks(void *context, size_t number)
{
    struct scan *scan = context;
    size_t polled = 0;
    while (!atomic_load_explicit(&scan->stop, memory_order_relaxed)) {
        size_t i = atomic_fetch_add_explicit(&scan->next, 1, memory_order_relaxed);
        if (i >= scan->n_blocks) return;
        const struct index_block *block = scan->blocks[i];
        struct error err = {0};
        int rc = compare(scan, number, block, index_block_data(block), &err);
        polled += index_block_size(&scan->search->snapshot->layout, block->n) * scan->n_targets;
        if (rc == 0 && number == 0 && polled >= BYTES_PER_POLL) {
            polled = 0;
            rc = cancel_check(scan->search->cancel, &err);
        }
        int expected = 0;
        if (rc == 0 || !atomic_compare_exchange_strong(&scan->stop, &expected, 1)) continue;
        scan->rc = rc; /* the first to fail: read after all threads have been joined */
        if (scan->err != NULL) *scan->err = err;
    }
}

static int is_chosen(const struct scan *scan, size_t place)
{
    for (size_t t = 0; t < scan->n_targets; t++)
        if (scan->targets[t].partitions == NULL || scan->targets[t].partitions[place]) return 1;
    return 0;
}

/* Blocks in the order of their partitions' distance from the only query: its best rows come first,
 * and nearly all others are seen to be none of them. */
struct by_distance {
    float base;
    struct index_block *block;
};

static int compare_distance(const void *a, const void *b)
{
    const struct by_distance *x = a, *y = b;
    return x->base > y->base ? -1 : x->base < y->base;
}

static int sort_blocks(struct scan *scan, struct error *err)
{
    const struct index_snapshot *snapshot = scan->search->snapshot;
    if (snapshot->partitions == NULL || scan->n_targets != 1 || scan->targets->bounds == NULL)
        return 0;
    struct by_distance *order = memory_alloc(scan->n_blocks, sizeof *order);
    if (order == NULL) return error_nomem(err);
    for (size_t i = 0; i < scan->n_blocks; i++) {
        size_t place = index_snapshot_place(snapshot, scan->blocks[i]);
        order[i] = (struct by_distance){scan->targets->bounds[place].base, scan->blocks[i]};
    }
    qsort(order, scan->n_blocks, sizeof *order, compare_distance);
    for (size_t i = 0; i < scan->n_blocks; i++) scan->blocks[i] = order[i].block;
    memory_free(order);
    return 0;
}

/* Lists the chosen blocks that are in memory; those that are not are read, and compared at once
 * when they do not stay. */
static int gather(struct scan *scan, size_t *n_bytes, struct error *err)
{
    struct index_snapshot *snapshot = scan->search->snapshot;
    const struct index_storage *storage = scan->search->storage;
    size_t place = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < snapshot->n_blocks; i++) {
        struct index_block *block = &snapshot->blocks[i];
        if (i == 0 || block->partition != block[-1].partition)
            place = index_snapshot_place(snapshot, block);
        if (place == index_snapshot_n_partitions(snapshot))
            return error_set(err, ERROR_CORRUPT,
                             "block %lld belongs to partition %lld, which does not exist "
                             "('optimize' mends it)",
                             (long long)block->number, (long long)block->partition);
        if (!is_chosen(scan, place)) continue;
        const void *bytes = index_block_data(block);
        int kept = 1;
        if (bytes == NULL) rc = storage->load(storage->context, block, &bytes, &kept, err);
        if (rc == 0 && !kept) rc = compare(scan, 0, block, bytes, err);
        if (rc == 0 && kept) {
            scan->blocks[scan->n_blocks++] = block;
            *n_bytes += index_block_size(&snapshot->layout, block->n) * scan->n_targets;
        }
        if (rc == 0 && i % 16 == 15) rc = cancel_check(scan->search->cancel, err);
    }
    return rc;
}

/* Threads do not allocate: each heap gets room for all that it can keep. */
static int make_heaps(struct scan *scan, size_t n_threads, struct error *err)
{
    size_t n = n_threads * scan->n_targets;
    scan->heaps = memory_zalloc(n, sizeof *scan->heaps);
    if (scan->heaps == NULL) return error_nomem(err);
    scan->n_threads = n_threads;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        size_t k = scan->targets[i % scan->n_targets].k, n_rows = scan->search->snapshot->n_rows;
        top_k_init(&scan->heaps[i], k < n_rows ? k : n_rows);
        rc = top_k_reserve(&scan->heaps[i], err);
    }
    return rc;
}

static int merge(struct scan *scan, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < scan->n_threads * scan->n_targets; i++) {
        struct top_k *hits = &scan->targets[i % scan->n_targets].hits;
        for (size_t j = 0; rc == 0 && j < scan->heaps[i].n; j++)
            rc = top_k_offer(hits, scan->heaps[i].hits[j].id, scan->heaps[i].hits[j].score, err);
    }
    return rc;
}

int index_scan(struct index_search *search, struct index_target *targets, size_t n_targets,
               struct error *err)
{
    struct scan scan = {.search = search, .targets = targets, .n_targets = n_targets, .err = err};
    size_t n_bytes = 0, n_threads = search->n_threads < 1 ? 1 : search->n_threads;
    size_t most = search->snapshot->n_rows * index_block_size(&search->snapshot->layout, 1) *
                  n_targets / THREAD_BYTES;
    if (n_threads > WORKERS_MAX) n_threads = WORKERS_MAX;
    if (n_threads > most) n_threads = most < 1 ? 1 : most;
    for (size_t t = 0; t < n_targets; t++) {
        top_k_init(&targets[t].hits, targets[t].k);
        targets[t].inverse = index_inverse(&index_sums[INDEX_FLOAT32], targets[t].query->vector,
                                           search->snapshot->layout.dimensions);
    }
    if (search->snapshot->n_rows == 0) return 0;
    scan.blocks = memory_alloc(search->snapshot->n_blocks, sizeof(struct index_block *));
    int rc = scan.blocks == NULL ? error_nomem(err) : make_heaps(&scan, n_threads, err);
    if (rc == 0) rc = gather(&scan, &n_bytes, err);
    if (rc == 0) rc = sort_blocks(&scan, err);
    if (rc == 0) {
        if (n_threads > n_bytes / THREAD_BYTES) n_threads = n_bytes / THREAD_BYTES;
        workers_run(n_threads, scan_blocks, &scan);
        rc = scan.rc != 0 ? scan.rc : cancel_check(search->cancel, err);
    }
    if (rc == 0) rc = merge(&scan, err);
    search->n_scanned += atomic_load(&scan.n_rows);
    for (size_t i = 0; scan.heaps != NULL && i < scan.n_threads * n_targets; i++)
        top_k_deinit(&scan.heaps[i]);
    memory_free(scan.heaps);
    memory_free(scan.blocks);
    return rc;
}

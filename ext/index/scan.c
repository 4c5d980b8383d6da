#include "index/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/workers.h"
#include "index/visits.h"

/* Bytes compared between two looks at the cancel token: well under 1 ms of work. */
#define BYTES_PER_POLL ((size_t)1 << 20)

/* A thread more for each so many bytes: about 100 microseconds of work. */
#define THREAD_BYTES ((size_t)1 << 20)

/* Rows that all queries of a group meet before the next ones: bytes, about, and at most. */
#define STRETCH_BYTES ((size_t)16 << 10)
#define ROWS_AT_ONCE 256

/* Sketches are made of one block in so many, and of so many bytes of vectors at least, by each
 * search: making costs eight times what comparing does. None are of so few components, which
 * stay in the processor's cache, and where more than one row in so many is wanted. */
#define MAKING_SHARE 8
#define LEAST_MAKING ((size_t)8 << 20)
#define LEAST_SKETCHED ((size_t)1 << 18)
#define ROWS_PER_HIT 32

/* A sketch that lets more than one row in so many pass is of no use: the next block is compared
 * without, then two, three, up to so many. */
#define PASSING_SHARE 2
#define MOST_SKIPPED 12

/* What a thread has of its own. */
struct lane {
    struct index_sketch_aim *aims; /* [n_targets] of the block at hand */
    float *buffer;                 /* to make sketches in; NULL: none are made */
    size_t n_met, n_passed;        /* rows of the block at hand */
    size_t n_useless, n_skip;      /* sketches one after the other; blocks to go */
};

/* What the threads share: each takes the next block until there is none. */
struct scan {
    struct index_search *search;
    struct index_target *targets;
    size_t n_targets;
    struct visits visits;
    int streams;         /* blocks are compared while others are read */
    struct top_k *heaps; /* [n_threads, n_targets]: with room for all that they keep */
    struct lane *lanes;  /* [n_threads] where sketches are asked; else NULL */
    size_t n_threads;
    atomic_size_t n_rows;
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

/* Whatever scores less is not among the k best. */
static double threshold_of(const struct index_target *target, const struct top_k *heap)
{
    return fmax(top_k_threshold(heap), atomic_load_explicit(&target->floor, memory_order_relaxed));
}

static void raise_floor(struct index_target *target, const struct top_k *heap)
{
    double threshold = top_k_threshold(heap);
    double floor = atomic_load_explicit(&target->floor, memory_order_relaxed);
    while (floor < threshold &&
           !atomic_compare_exchange_weak_explicit(&target->floor, &floor, threshold,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

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
    double scores[ROWS_AT_ONCE], threshold = threshold_of(target, heap);
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
        threshold = fmax(threshold, top_k_threshold(heap));
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
    double min_bound = fmax(threshold_of(target, heap), target->min_bound);
    for (size_t i = 0; rc == 0 && i < codes.n; i++) {
        if ((double)bounds[i] < min_bound ||
            !index_query_wants(target->query, rows->ids[begin + i]))
            continue;
        rc = top_k_offer(heap, rows->ids[begin + i], (double)bounds[i], err);
        min_bound = fmax(min_bound, top_k_threshold(heap));
    }
    return rc;
}

/* The least estimate of a row that may be among the best, or bound of its code. */
static double least_of(const struct scan *scan, const struct index_target *target,
                       const struct top_k *heap)
{
    const struct index_metric_row *metric = &index_metrics[scan->search->snapshot->layout.metric];
    double threshold = threshold_of(target, heap);
    return target->codes != NULL ? fmax(threshold, target->min_bound)
                                 : fmax(metric->estimate(threshold),
                                        metric->min_estimate(target->query->min_similarity));
}

static int compare_rows(const struct scan *scan, size_t t, size_t place,
                        const struct stretch *stretch, struct top_k *heap, struct error *err)
{
    const struct index_target *target = &scan->targets[t];
    return target->codes != NULL ? compare_codes(target, &target->bounds[place], stretch, heap, err)
                                 : compare_vectors(scan, target, stretch, heap, err);
}

/* Of the rows that passed those that are in the query's list. Returns how many. */
static size_t keep_wanted(const struct index_query *query, const struct stretch *stretch,
                          unsigned char *pass)
{
    size_t n = 0;
    for (size_t i = 0; i < stretch->n; i++) {
        pass[i] = pass[i] && index_query_wants(query, stretch->rows->ids[stretch->begin + i]);
        n += pass[i];
    }
    return n;
}

/* The same of the rows that a sketch does not exclude. */
static int compare_sketched(const struct scan *scan, size_t t, size_t place, size_t capacity,
                            const struct stretch *stretch, struct lane *lane, struct top_k *heap,
                            struct error *err)
{
    const struct index_target *target = &scan->targets[t];
    double least = least_of(scan, target, heap);
    unsigned char pass[ROWS_AT_ONCE];
    int rc = 0;
    if (isinf(least) && least < 0.0) return compare_rows(scan, t, place, stretch, heap, err);
    lane->n_met += stretch->n;
    size_t left = index_sketch_pass(&lane->aims[t], &scan->search->snapshot->layout, stretch->rows,
                                    capacity, stretch->begin, stretch->n, least, pass);
    lane->n_passed += left;
    if (target->query->only != NULL) left = keep_wanted(target->query, stretch, pass);
    for (size_t i = 0, n; rc == 0 && left > 0; i += n, left -= n) {
        const unsigned char *next = memchr(pass + i, 1, stretch->n - i);
        i = (size_t)(next - pass);
        for (n = 1; i + n < stretch->n && pass[i + n];) n++;
        struct stretch some = {.rows = stretch->rows, .begin = stretch->begin + i, .n = n};
        if (stretch->inverses != NULL) some.inverses = stretch->inverses + i;
        rc = compare_rows(scan, t, place, &some, heap, err);
    }
    return rc;
}

/* A block on its way through all targets. */
struct passage {
    const struct index_block *block;
    struct index_rows rows;
    size_t place;
    const double *inverses; /* [n] of its rows, in memory; NULL: there are none */
    int needs_inverses;     /* the metric does */
    struct lane *lane;      /* whose aims are set; NULL: vectors are compared, or codes */
    struct top_k *heaps;    /* [n_targets] */
};

/* All targets against some rows. Returns how many were compared. */
static int compare_stretch(struct scan *scan, const struct passage *passage,
                           const struct stretch *stretch, size_t *n_compared, struct error *err)
{
    int rc = 0;
    for (size_t t = 0; rc == 0 && t < scan->n_targets; t++) {
        struct index_target *target = &scan->targets[t];
        struct top_k *heap = &passage->heaps[t];
        if (target->partitions != NULL && !target->partitions[passage->place]) continue;
        if (passage->lane == NULL || target->sketch.norm == 0.0)
            rc = compare_rows(scan, t, passage->place, stretch, heap, err);
        else
            rc = compare_sketched(scan, t, passage->place, passage->block->capacity, stretch,
                                  passage->lane, heap, err);
        raise_floor(target, heap);
        *n_compared += stretch->n;
    }
    return rc;
}

/* A stretch at a time, which stays in the first cache. */
static int compare_all(struct scan *scan, const struct passage *passage, struct error *err)
{
    const struct index_layout *layout = &scan->search->snapshot->layout;
    const struct index_rows *rows = &passage->rows;
    size_t stride = passage->lane != NULL ? vector_nibbles_size(layout->dimensions) : rows->stride;
    size_t at_once = STRETCH_BYTES / stride, n_rows = passage->block->n, n_compared = 0;
    double inverses[ROWS_AT_ONCE];
    struct stretch stretch = {.rows = rows};
    int rc = 0;
    if (at_once > ROWS_AT_ONCE) at_once = ROWS_AT_ONCE;
    if (at_once < 1) at_once = 1;
    for (; rc == 0 && stretch.begin < n_rows; stretch.begin += stretch.n) {
        stretch.n = n_rows - stretch.begin < at_once ? n_rows - stretch.begin : at_once;
        if (passage->inverses != NULL) stretch.inverses = passage->inverses + stretch.begin;
        else if (passage->needs_inverses) stretch.inverses = inverses;
        for (size_t i = 0; stretch.inverses == inverses && i < stretch.n; i++) {
            const void *vector = rows->components + (stretch.begin + i) * rows->stride;
            inverses[i] = index_inverse(index_vector_sums(layout), vector, layout->dimensions);
        }
        rc = compare_stretch(scan, passage, &stretch, &n_compared, err);
    }
    atomic_fetch_add_explicit(&scan->n_rows, n_compared, memory_order_relaxed);
    return rc;
}

/* The lane, if the sketch of a block is to be asked: its aims are set. */
static struct lane *begin_sketched(const struct scan *scan, struct lane *lane, size_t place,
                                   const void *sketch)
{
    if (!index_sketch_is_ready(sketch)) return NULL;
    if (lane->n_skip > 0) {
        lane->n_skip--;
        return NULL;
    }
    lane->n_met = lane->n_passed = 0;
    for (size_t t = 0; t < scan->n_targets; t++) {
        const struct index_target *target = &scan->targets[t];
        if (target->sketch.norm > 0.0)
            index_sketch_aim(&lane->aims[t], &scan->search->snapshot->layout, &target->sketch,
                             target->codes == NULL ? NULL : &target->bounds[place], sketch);
    }
    return lane;
}

static void end_sketched(struct lane *lane)
{
    int is_useless = lane->n_passed > lane->n_met / PASSING_SHARE;
    if (!is_useless) lane->n_useless = 0;
    else if (lane->n_useless < MOST_SKIPPED) lane->n_useless++;
    if (is_useless) lane->n_skip = lane->n_useless;
}

/* All targets against one block. */
static int compare(struct scan *scan, size_t thread, const struct index_block *block,
                   const void *bytes, struct error *err)
{
    const struct index_snapshot *snapshot = scan->search->snapshot;
    const struct index_layout *layout = &snapshot->layout;
    struct lane *lane = scan->lanes == NULL ? NULL : &scan->lanes[thread];
    int is_kept = bytes == index_block_data(block);
    void *sketch = lane != NULL && is_kept ? index_block_beside(block) : NULL;
    /* A scan only reads, but the arrays are those that writers use. */
    struct passage passage = {
        .block = block,
        .rows = index_block_rows(layout, (void *)(uintptr_t)bytes, block->capacity),
        .place = index_snapshot_place(snapshot, block),
        .inverses = is_kept ? index_block_inverses(block) : NULL,
        .needs_inverses =
            layout->quantize == INDEX_EXACT && index_metrics[layout->metric].of_directions,
        .heaps = &scan->heaps[thread * scan->n_targets]};
    if (sketch != NULL) passage.lane = begin_sketched(scan, lane, passage.place, sketch);
    int rc = compare_all(scan, &passage, err);
    if (passage.lane != NULL) end_sketched(passage.lane);
    /* The block is in the processor's cache now. */
    if (rc == 0 && sketch != NULL && index_sketch_is_empty(sketch))
        index_sketch_make(layout, &passage.rows, block->n, block->capacity, passage.inverses,
                          sketch, lane->buffer);
    return rc;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* The first to fail ends all: read after all threads have been joined. */
static void fail(struct scan *scan, int rc, const struct error *err)
{
    int expected = 0;
    if (rc == 0 || !atomic_compare_exchange_strong(&scan->stop, &expected, 1)) return;
    scan->rc = rc;
    if (scan->err != NULL) *scan->err = *err;
}

static void visit(struct scan *scan, size_t number, struct visit *visit, size_t *polled)
{
    struct error err = {0};
    int rc = compare(scan, number, visit->block, visit->bytes, &err);
    *polled += index_block_size(&scan->search->snapshot->layout, visit->block->n) * scan->n_targets;
    if (rc == 0 && number == 0 && *polled >= BYTES_PER_POLL) {
        *polled = 0;
        rc = cancel_check(scan->search->cancel, &err);
    }
    fail(scan, rc, &err);
    atomic_store_explicit(&visit->is_over, 1, memory_order_release);
}

/* Compares blocks until that one is over (NULL: all are), or all are stopped. */
static void visit_until(struct scan *scan, size_t number, const struct visit *wanted)
{
    size_t polled = 0, n_pauses = 0;
    while (!atomic_load_explicit(&scan->stop, memory_order_relaxed) &&
           (wanted == NULL || !atomic_load_explicit(&wanted->is_over, memory_order_acquire))) {
        int done;
        struct visit *next = visits_take(&scan->visits, &done);
        if (next != NULL) visit(scan, number, next, &polled);
        else if (done) return;
        else workers_pause(n_pauses);
        n_pauses = next != NULL ? 0 : n_pauses + 1;
    }
}

static void scan_blocks(void *context, size_t number)
{
    visit_until(context, number, NULL);
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
    struct visit visit;
};

static int compare_distance(const void *a, const void *b)
{
    const struct by_distance *x = a, *y = b;
    return x->base > y->base ? -1 : x->base < y->base;
}

static int are_sorted(const struct scan *scan)
{
    return scan->search->snapshot->partitions != NULL && scan->n_targets == 1 &&
           scan->targets->bounds != NULL;
}

static int sort_blocks(struct scan *scan, struct error *err)
{
    const struct index_snapshot *snapshot = scan->search->snapshot;
    size_t n = atomic_load(&scan->visits.n);
    if (!are_sorted(scan)) return 0;
    struct by_distance *order = memory_alloc(n, sizeof *order);
    if (order == NULL) return error_nomem(err);
    for (size_t i = 0; i < n; i++) {
        size_t place = index_snapshot_place(snapshot, scan->visits.items[i].block);
        order[i] = (struct by_distance){scan->targets->bounds[place].base, scan->visits.items[i]};
    }
    qsort(order, n, sizeof *order, compare_distance);
    for (size_t i = 0; i < n; i++) scan->visits.items[i] = order[i].visit;
    memory_free(order);
    return 0;
}

/* Room for a sketch of a block that was in memory before this search, if it is time for it. */
static void make_room(const struct scan *scan, struct index_block *block, size_t *made)
{
    const struct index_snapshot *snapshot = scan->search->snapshot;
    const struct index_layout *layout = &snapshot->layout;
    size_t most = index_block_size(layout, snapshot->n_rows) / MAKING_SHARE;
    if (most < LEAST_MAKING) most = LEAST_MAKING;
    if (*made >= most || index_block_beside(block) != NULL) return;
    *made += index_block_size(layout, block->n);
    index_block_make_beside(snapshot, block, index_sketch_size(layout, block->capacity),
                            scan->search->max_bytes);
}

/* Those of the latest blocks that were lent. */
struct lent {
    const struct visit *visits[INDEX_MOST_LENT];
    size_t n;
};

/* Reads a block that is not in memory; when its bytes do not live long enough to be listed, it is
 * compared at once, and *bytes is NULL. */
static int read_block(struct scan *scan, struct lent *lent, struct index_block *block,
                      const void **bytes, struct error *err)
{
    const struct index_storage *storage = scan->search->storage;
    size_t at = lent->n % INDEX_MOST_LENT;
    int kept, rc;
    if (lent->n >= INDEX_MOST_LENT) visit_until(scan, 0, lent->visits[at]);
    if (atomic_load_explicit(&scan->stop, memory_order_relaxed)) return 0;
    rc = storage->load(storage->context, block, bytes, &kept, err);
    if (rc != 0 || kept == INDEX_KEPT) return rc;
    if (kept == INDEX_LENT && scan->streams) {
        lent->visits[at] = scan->visits.items + atomic_load(&scan->visits.n);
        lent->n++;
        return 0;
    }
    rc = compare(scan, 0, block, *bytes, err);
    *bytes = NULL;
    return rc;
}

/* Lists the chosen blocks. */
static int gather(struct scan *scan, size_t *n_bytes, struct error *err)
{
    struct index_snapshot *snapshot = scan->search->snapshot;
    struct lent lent = {.n = 0};
    size_t place = 0, made = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < snapshot->n_blocks &&
                       !atomic_load_explicit(&scan->stop, memory_order_relaxed);
         i++) {
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
        if (bytes != NULL && scan->lanes != NULL) make_room(scan, block, &made);
        if (bytes == NULL) rc = read_block(scan, &lent, block, &bytes, err);
        if (rc == 0 && bytes != NULL) {
            visits_add(&scan->visits, block, bytes);
            *n_bytes += index_block_size(&snapshot->layout, block->n) * scan->n_targets;
        }
        if (rc == 0 && i % 16 == 15) rc = cancel_check(scan->search->cancel, err);
    }
    return rc;
}

/* Whether a block that is chosen is to be read, while others are compared. */
static int is_to_stream(const struct scan *scan)
{
    const struct index_snapshot *snapshot = scan->search->snapshot;
    for (size_t i = 0; scan->n_threads > 1 && !are_sorted(scan) && i < snapshot->n_blocks; i++) {
        const struct index_block *block = &snapshot->blocks[i];
        if (index_block_data(block) == NULL &&
            is_chosen(scan, index_snapshot_place(snapshot, block)))
            return 1;
    }
    return 0;
}

/* All blocks: the caller's thread reads those that are not in memory. */
static void stream(void *context, size_t number)
{
    struct scan *scan = context;
    struct error err = {0};
    size_t n_bytes = 0;
    if (number == 0) {
        fail(scan, gather(scan, &n_bytes, &err), &err);
        visits_end(&scan->visits);
    }
    scan_blocks(scan, number);
}

/* Lists all first, in the best order. */
static int list_and_scan(struct scan *scan, struct error *err)
{
    size_t n_bytes = 0, n_threads = scan->n_threads;
    int rc = gather(scan, &n_bytes, err);
    if (rc == 0) rc = sort_blocks(scan, err);
    if (rc != 0) return rc;
    if (n_threads > n_bytes / THREAD_BYTES) n_threads = n_bytes / THREAD_BYTES;
    visits_end(&scan->visits);
    workers_run(n_threads, scan_blocks, scan);
    return scan->rc;
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

/* Whether blocks may have sketches: they fit in memory with all of them. */
static int has_sketches(const struct index_search *search)
{
    const struct index_snapshot *snapshot = search->snapshot;
    const struct index_layout *layout = &snapshot->layout;
    size_t n_rows = snapshot->n_rows;
    return layout->quantize != INDEX_BIT && n_rows * layout->dimensions >= LEAST_SKETCHED &&
           index_block_size(layout, n_rows) + index_sketch_size(layout, n_rows) <=
               search->max_bytes;
}

/* Whether a sketch may exclude rows of a target. */
static int wants_sketches(const struct scan *scan, const struct index_target *target)
{
    return target->k <= scan->search->snapshot->n_rows / ROWS_PER_HIT ||
           (target->codes == NULL && !isinf(target->query->min_similarity));
}

static int make_lanes(struct scan *scan, struct error *err)
{
    const struct index_layout *layout = &scan->search->snapshot->layout;
    int is_wanted = 0, rc = 0;
    if (!has_sketches(scan->search)) return 0;
    for (size_t t = 0; rc == 0 && t < scan->n_targets; t++) {
        struct index_target *target = &scan->targets[t];
        if (!wants_sketches(scan, target)) continue;
        rc = index_sketch_query_init(&target->sketch, layout, target->query->vector, err);
        is_wanted = 1;
    }
    if (rc != 0 || !is_wanted) return rc;
    scan->lanes = memory_zalloc(scan->n_threads, sizeof *scan->lanes);
    if (scan->lanes == NULL) return error_nomem(err);
    for (size_t i = 0; i < scan->n_threads; i++) {
        struct lane *lane = &scan->lanes[i];
        lane->aims = memory_alloc(scan->n_targets, sizeof *lane->aims);
        lane->buffer = memory_alloc(index_sketch_room(layout), sizeof *lane->buffer);
        if (lane->aims == NULL || lane->buffer == NULL) return error_nomem(err);
    }
    return 0;
}

static void scan_deinit(struct scan *scan)
{
    for (size_t i = 0; scan->heaps != NULL && i < scan->n_threads * scan->n_targets; i++)
        top_k_deinit(&scan->heaps[i]);
    for (size_t i = 0; scan->lanes != NULL && i < scan->n_threads; i++) {
        memory_free(scan->lanes[i].aims);
        memory_free(scan->lanes[i].buffer);
    }
    for (size_t t = 0; t < scan->n_targets; t++)
        index_sketch_query_deinit(&scan->targets[t].sketch);
    memory_free(scan->heaps);
    memory_free(scan->lanes);
    visits_deinit(&scan->visits);
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
    size_t n_threads = search->n_threads < 1 ? 1 : search->n_threads;
    size_t most = search->snapshot->n_rows * index_block_size(&search->snapshot->layout, 1) *
                  n_targets / THREAD_BYTES;
    if (n_threads > WORKERS_MAX) n_threads = WORKERS_MAX;
    if (n_threads > most) n_threads = most < 1 ? 1 : most;
    for (size_t t = 0; t < n_targets; t++) {
        top_k_init(&targets[t].hits, targets[t].k);
        atomic_init(&targets[t].floor, -INFINITY);
        targets[t].sketch = (struct index_sketch_query){0};
        targets[t].inverse = index_inverse(&index_sums[INDEX_FLOAT32], targets[t].query->vector,
                                           search->snapshot->layout.dimensions);
    }
    if (search->snapshot->n_rows == 0) return 0;
    int rc = visits_init(&scan.visits, search->snapshot->n_blocks, err);
    if (rc == 0) rc = make_heaps(&scan, n_threads, err);
    if (rc == 0) rc = make_lanes(&scan, err);
    scan.streams = rc == 0 && is_to_stream(&scan);
    if (scan.streams) {
        workers_run(n_threads, stream, &scan);
        rc = scan.rc;
    } else if (rc == 0) {
        rc = list_and_scan(&scan, err);
    }
    if (rc == 0) rc = cancel_check(search->cancel, err);
    if (rc == 0) rc = merge(&scan, err);
    search->n_scanned += atomic_load(&scan.n_rows);
    scan_deinit(&scan);
    return rc;
}

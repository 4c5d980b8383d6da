#include "index/lane.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* Rows that all queries of a group meet before the next ones: bytes, about, and at most. */
#define STRETCH_BYTES ((size_t)16 << 10)
#define ROWS_AT_ONCE 256

/* A sketch that lets more than one row in so many pass is of no use: the next block is compared
 * without, then two, three, up to so many. */
#define PASSING_SHARE 2
#define MOST_SKIPPED 12

/* ---- rows ------------------------------------------------------------------------------------ */

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

static int compare_vectors(const struct lane *lane, const struct index_target *target,
                           const struct stretch *stretch, struct top_k *heap, struct error *err)
{
    const struct index_layout *layout = &lane->snapshot->layout;
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
static double least_of(const struct lane *lane, const struct index_target *target,
                       const struct top_k *heap)
{
    const struct index_metric_row *metric = &index_metrics[lane->snapshot->layout.metric];
    double threshold = threshold_of(target, heap);
    return target->codes != NULL ? fmax(threshold, target->min_bound)
                                 : fmax(metric->estimate(threshold),
                                        metric->min_estimate(target->query->min_similarity));
}

static int compare_rows(const struct lane *lane, size_t t, size_t place,
                        const struct stretch *stretch, struct top_k *heap, struct error *err)
{
    const struct index_target *target = &lane->targets[t];
    return target->codes != NULL ? compare_codes(target, &target->bounds[place], stretch, heap, err)
                                 : compare_vectors(lane, target, stretch, heap, err);
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
static int compare_sketched(struct lane *lane, size_t t, size_t place, size_t capacity,
                            const struct stretch *stretch, struct top_k *heap, struct error *err)
{
    const struct index_target *target = &lane->targets[t];
    double least = least_of(lane, target, heap);
    unsigned char pass[ROWS_AT_ONCE];
    int rc = 0;
    if (isinf(least) && least < 0.0) return compare_rows(lane, t, place, stretch, heap, err);
    lane->n_met += stretch->n;
    size_t left = index_sketch_pass(&lane->aims[t], &lane->snapshot->layout, stretch->rows,
                                    capacity, stretch->begin, stretch->n, least, pass);
    lane->n_passed += left;
    if (target->query->only != NULL) left = keep_wanted(target->query, stretch, pass);
    for (size_t i = 0, n; rc == 0 && left > 0; i += n, left -= n) {
        const unsigned char *next = memchr(pass + i, 1, stretch->n - i);
        i = (size_t)(next - pass);
        for (n = 1; i + n < stretch->n && pass[i + n];) n++;
        struct stretch some = {.rows = stretch->rows, .begin = stretch->begin + i, .n = n};
        if (stretch->inverses != NULL) some.inverses = stretch->inverses + i;
        rc = compare_rows(lane, t, place, &some, heap, err);
    }
    return rc;
}

/* ---- one block ------------------------------------------------------------------------------- */

/* A block on its way through all targets. */
struct passage {
    const struct index_block *block;
    struct index_rows rows;
    size_t place;
    const double *inverses; /* [n] of its rows, in memory; NULL: there are none */
    int needs_inverses;     /* the metric does */
    int is_sketched;        /* the lane's aims are set; else vectors are compared, or codes */
};

/* All targets against some rows. Returns how many were compared. */
static int compare_stretch(struct lane *lane, const struct passage *passage,
                           const struct stretch *stretch, size_t *n_compared, struct error *err)
{
    int rc = 0;
    for (size_t t = 0; rc == 0 && t < lane->n_targets; t++) {
        struct index_target *target = &lane->targets[t];
        struct top_k *heap = &lane->heaps[t];
        if (target->partitions != NULL && !target->partitions[passage->place]) continue;
        if (!passage->is_sketched || target->sketch.norm == 0.0)
            rc = compare_rows(lane, t, passage->place, stretch, heap, err);
        else
            rc = compare_sketched(lane, t, passage->place, passage->block->capacity, stretch, heap,
                                  err);
        raise_floor(target, heap);
        *n_compared += stretch->n;
    }
    return rc;
}

/* A stretch at a time, which stays in the first cache. */
static int compare_all(struct lane *lane, const struct passage *passage, struct error *err)
{
    const struct index_layout *layout = &lane->snapshot->layout;
    const struct index_rows *rows = &passage->rows;
    size_t stride = passage->is_sketched ? vector_nibbles_size(layout->dimensions) : rows->stride;
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
        rc = compare_stretch(lane, passage, &stretch, &n_compared, err);
    }
    lane->n_rows += n_compared;
    return rc;
}

/* Whether the sketch of a block is to be asked: then the aims are set. */
static int begin_sketched(struct lane *lane, size_t place, const void *sketch)
{
    if (!index_sketch_is_ready(sketch)) return 0;
    if (lane->n_skip > 0) {
        lane->n_skip--;
        return 0;
    }
    lane->n_met = lane->n_passed = 0;
    for (size_t t = 0; t < lane->n_targets; t++) {
        const struct index_target *target = &lane->targets[t];
        if (target->sketch.norm > 0.0)
            index_sketch_aim(&lane->aims[t], &lane->snapshot->layout, &target->sketch,
                             target->codes == NULL ? NULL : &target->bounds[place], sketch);
    }
    return 1;
}

static void end_sketched(struct lane *lane)
{
    int is_useless = lane->n_passed > lane->n_met / PASSING_SHARE;
    if (!is_useless) lane->n_useless = 0;
    else if (lane->n_useless < MOST_SKIPPED) lane->n_useless++;
    if (is_useless) lane->n_skip = lane->n_useless;
}

int lane_compare(struct lane *lane, const struct index_block *block, size_t place,
                 const void *bytes, struct error *err)
{
    const struct index_layout *layout = &lane->snapshot->layout;
    int is_kept = bytes == index_block_data(block);
    void *sketch = lane->aims != NULL && is_kept ? index_block_beside(block) : NULL;
    /* A scan only reads, but the arrays are those that writers use. */
    struct passage passage = {
        .block = block,
        .rows = index_block_rows(layout, (void *)(uintptr_t)bytes, block->capacity),
        .place = place,
        .inverses = is_kept ? index_block_inverses(block) : NULL,
        .needs_inverses =
            layout->quantize == INDEX_EXACT && index_metrics[layout->metric].of_directions};
    if (sketch != NULL) passage.is_sketched = begin_sketched(lane, passage.place, sketch);
    int rc = compare_all(lane, &passage, err);
    if (passage.is_sketched) end_sketched(lane);
    /* The block is in the processor's cache now. */
    if (rc == 0 && sketch != NULL && index_sketch_is_empty(sketch))
        index_sketch_make(layout, &passage.rows, block->n, block->capacity, passage.inverses,
                          sketch, lane->buffer);
    return rc;
}

/* ---- its own --------------------------------------------------------------------------------- */

static int make_heaps(struct lane *lane, struct error *err)
{
    size_t n_rows = lane->snapshot->n_rows;
    int rc = 0;
    lane->heaps = memory_zalloc(lane->n_targets, sizeof *lane->heaps);
    if (lane->heaps == NULL) return error_nomem(err);
    for (size_t t = 0; rc == 0 && t < lane->n_targets; t++) {
        size_t k = lane->targets[t].k;
        top_k_init(&lane->heaps[t], k < n_rows ? k : n_rows);
        rc = top_k_reserve(&lane->heaps[t], err);
    }
    return rc;
}

int lane_init(struct lane *lane, const struct index_snapshot *snapshot,
              struct index_target *targets, size_t n_targets, int is_sketched, struct error *err)
{
    *lane = (struct lane){.snapshot = snapshot, .targets = targets, .n_targets = n_targets};
    int rc = make_heaps(lane, err);
    if (rc != 0 || !is_sketched) return rc;
    lane->aims = memory_alloc(n_targets, sizeof *lane->aims);
    lane->buffer = memory_alloc(index_sketch_room(&snapshot->layout), sizeof *lane->buffer);
    return lane->aims == NULL || lane->buffer == NULL ? error_nomem(err) : 0;
}

void lane_deinit(struct lane *lane)
{
    for (size_t t = 0; lane->heaps != NULL && t < lane->n_targets; t++)
        top_k_deinit(&lane->heaps[t]);
    memory_free(lane->heaps);
    memory_free(lane->aims);
    memory_free(lane->buffer);
}

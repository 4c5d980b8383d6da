#include "index/lane.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* Rows that all queries of a group meet before the next ones: bytes, about, and at most. */
#define STRETCH_BYTES ((size_t)16 << 10)
#define ROWS_AT_ONCE INDEX_SKETCH_ROWS

/* Sketches that leave more than one row in so many are of no use: as many blocks as they were asked
 * of are compared without, then twice, three times, up to so many times as many. */
#define LEFT_SHARE 2
#define MOST_SKIPPED 12

/* Rows in doubt that wait at most, of all targets. From half of them on they are looked through,
 * whether they still are, and whether sketches are of use: the first rows say little of the k-th
 * best, and it costs little to ask in vain. */
#define MOST_DOUBTS ((size_t)65536)

/* The row so many behind the one that is compared is fetched ahead, so much of it at most. */
#define ROWS_AHEAD 4
#define LINE_BYTES ((size_t)64)
#define MOST_FETCHED ((size_t)4096)

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

static void raise_floor(const struct lane *lane, size_t t)
{
    struct index_target *target = &lane->targets[t];
    double threshold = top_k_threshold(&lane->heaps[t]);
    if (target->n_sure > 0) threshold = fmax(threshold, top_k_threshold(&lane->sure[t]));
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

static int compare_codes(const struct lane *lane, size_t t, const struct vector_code_bound *bound,
                         const struct stretch *stretch, struct error *err)
{
    const struct index_target *target = &lane->targets[t];
    const struct index_rows *rows = stretch->rows;
    size_t begin = stretch->begin;
    float bounds[ROWS_AT_ONCE];
    struct vector_codes codes = {rows->offsets + begin, rows->scales + begin, rows->errors + begin,
                                 rows->components + begin * rows->stride, stretch->n};
    int rc = 0;
    vector_code_bounds(target->codes, &codes, bound, bounds);
    double min_bound = fmax(threshold_of(target, &lane->heaps[t]), target->min_bound);
    for (size_t i = 0; rc == 0 && i < codes.n; i++) {
        int64_t id = rows->ids[begin + i];
        if ((double)bounds[i] < min_bound || !index_query_wants(target->query, id)) continue;
        float width = 2.0f * (codes.scales[i] * bound->slack + codes.errors[i] * bound->radius);
        rc = top_k_offer(&lane->heaps[t], id, (double)bounds[i], err);
        if (rc == 0 && target->n_sure > 0)
            rc = top_k_offer(&lane->sure[t], id, (double)(bounds[i] - width), err);
        min_bound = fmax(min_bound, top_k_threshold(&lane->heaps[t]));
    }
    return rc;
}

/* The least estimate of a row that may be among the best, or bound of its code. */
static double least_of(const struct lane *lane, size_t t)
{
    const struct index_metric_row *metric = &index_metrics[lane->snapshot->layout.metric];
    const struct index_target *target = &lane->targets[t];
    double threshold = threshold_of(target, &lane->heaps[t]);
    return target->codes != NULL ? fmax(threshold, target->min_bound)
                                 : fmax(metric->estimate(threshold),
                                        metric->min_estimate(target->query->min_similarity));
}

static int compare_rows(const struct lane *lane, size_t t, size_t place,
                        const struct stretch *stretch, struct error *err)
{
    const struct index_target *target = &lane->targets[t];
    return target->codes != NULL ? compare_codes(lane, t, &target->bounds[place], stretch, err)
                                 : compare_vectors(lane, target, stretch, &lane->heaps[t], err);
}

/* ---- rows that wait -------------------------------------------------------------------------- */

struct lane_doubt {
    const struct index_block *block; /* in memory */
    const double *inverse;           /* 1 / |row|, where only directions count; else NULL */
    double bound;                    /* what its estimate, or its code's bound, is at most */
    uint32_t place, target, row;
};

/* Sketches were asked often enough to say whether they are of use. */
static void judge_sketches(struct lane *lane)
{
    int is_useless = lane->n_left > lane->n_met / LEFT_SHARE;
    if (!is_useless) lane->n_useless = 0;
    else if (lane->n_useless < MOST_SKIPPED) lane->n_useless++;
    lane->n_skip = lane->n_useless * lane->n_asked;
    lane->n_asked = lane->n_met = lane->n_left = 0;
}

/* Leaves those that may still be among the best. */
static void sift_doubts(struct lane *lane)
{
    size_t n = 0, t = SIZE_MAX;
    double least = INFINITY;
    for (size_t i = 0; i < lane->n_doubts; i++) {
        const struct lane_doubt *doubt = &lane->doubts[i];
        if (doubt->target != t) {
            t = doubt->target;
            least = least_of(lane, t);
        }
        if (doubt->bound >= least) lane->doubts[n++] = *doubt;
    }
    lane->n_doubts = n;
}

static struct index_rows rows_in_memory(const struct lane *lane, const struct index_block *block)
{
    return index_block_rows(&lane->snapshot->layout, (void *)(uintptr_t)index_block_data(block),
                            block->capacity);
}

static void fetch_row(const struct lane *lane, const struct lane_doubt *doubt)
{
    struct index_rows rows = rows_in_memory(lane, doubt->block);
    const unsigned char *row = rows.components + doubt->row * rows.stride;
    size_t size = rows.stride < MOST_FETCHED ? rows.stride : MOST_FETCHED;
    for (size_t at = 0; at < size; at += LINE_BYTES) __builtin_prefetch(row + at);
    if (doubt->inverse != NULL) __builtin_prefetch(doubt->inverse);
    if (lane->targets[doubt->target].codes == NULL) return;
    __builtin_prefetch(rows.ids + doubt->row);
    __builtin_prefetch(rows.offsets + doubt->row);
    __builtin_prefetch(rows.scales + doubt->row);
    __builtin_prefetch(rows.errors + doubt->row);
}

static int compare_doubt(struct lane *lane, const struct lane_doubt *doubt, struct error *err)
{
    struct index_rows rows = rows_in_memory(lane, doubt->block);
    struct stretch stretch = {
        .rows = &rows, .begin = doubt->row, .n = 1, .inverses = doubt->inverse};
    if (doubt->bound < least_of(lane, doubt->target)) return 0;
    lane->n_left++;
    int rc = compare_rows(lane, doubt->target, doubt->place, &stretch, err);
    raise_floor(lane, doubt->target);
    return rc;
}

static int compare_likely(struct lane *lane, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < lane->n_likely; i++)
        rc = compare_doubt(lane, &lane->likely[i], err);
    lane->n_likely = 0;
    return rc;
}

/* Compares all that are left. */
static int end_doubts(struct lane *lane, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < lane->n_doubts; i++) {
        if (i + ROWS_AHEAD < lane->n_doubts) fetch_row(lane, &lane->doubts[i + ROWS_AHEAD]);
        rc = compare_doubt(lane, &lane->doubts[i], err);
    }
    lane->n_doubts = 0;
    judge_sketches(lane);
    return rc;
}

/* Room for n more, at most ROWS_AT_ONCE. */
static int make_room(struct lane *lane, size_t n, struct error *err)
{
    if (lane->n_doubts + n <= lane->due) return 0;
    sift_doubts(lane);
    int is_useless = lane->n_left + lane->n_doubts > lane->n_met / LEFT_SHARE;
    int rc = is_useless || lane->n_doubts > lane->most_doubts / 2 ? end_doubts(lane, err) : 0;
    lane->due = lane->n_doubts == 0 ? lane->most_doubts / 2 : lane->most_doubts;
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

/* Those that are not in the query's list are out. Returns whether any are left. */
static int keep_wanted(const struct index_query *query, const struct stretch *stretch,
                       struct index_sketch_verdicts *verdicts)
{
    uint64_t any = 0;
    for (size_t w = 0; w < INDEX_SKETCH_WORDS; w++) {
        for (uint64_t bits = verdicts->left[w]; bits != 0; bits &= bits - 1) {
            size_t i = 64 * w + (size_t)__builtin_ctzll(bits);
            if (!index_query_wants(query, stretch->rows->ids[stretch->begin + i]))
                verdicts->left[w] ^= bits & -bits;
        }
        any |= verdicts->left[w];
    }
    return any != 0;
}

/* Rows that are not out: the likely ones are fetched, to be compared next. */
static void put_off(struct lane *lane, size_t t, const struct passage *passage,
                    const struct stretch *stretch, const struct index_sketch_verdicts *verdicts)
{
    for (size_t w = 0; w < INDEX_SKETCH_WORDS; w++) {
        for (uint64_t bits = verdicts->left[w]; bits != 0; bits &= bits - 1) {
            size_t i = 64 * w + (size_t)__builtin_ctzll(bits);
            struct lane_doubt doubt = {.block = passage->block,
                                       .inverse =
                                           stretch->inverses == NULL ? NULL : stretch->inverses + i,
                                       .bound = (double)verdicts->bounds[i] + lane->aims[t].base,
                                       .place = (uint32_t)passage->place,
                                       .target = (uint32_t)t,
                                       .row = (uint32_t)(stretch->begin + i)};
            if ((verdicts->likely[w] & bits & -bits) == 0) {
                lane->doubts[lane->n_doubts++] = doubt;
            } else {
                lane->likely[lane->n_likely++] = doubt;
                fetch_row(lane, &doubt);
            }
        }
    }
}

/* The rows of a stretch that the block's sketch does not exclude. */
static int compare_sketched(struct lane *lane, size_t t, const struct passage *passage,
                            const struct stretch *stretch, struct error *err)
{
    const struct index_query *query = lane->targets[t].query;
    struct index_sketch_verdicts verdicts;
    double least = least_of(lane, t);
    if (isinf(least) && least < 0.0) return compare_rows(lane, t, passage->place, stretch, err);
    lane->n_met += stretch->n;
    int any = index_sketch_pass(&lane->aims[t], &lane->snapshot->layout, passage->block->capacity,
                                stretch->begin, stretch->n, least, &verdicts);
    int rc = compare_likely(lane, err); /* of the pass before: they are fetched by now */
    if (any && query->only != NULL) any = keep_wanted(query, stretch, &verdicts);
    if (rc == 0 && any) rc = make_room(lane, stretch->n, err);
    if (rc == 0 && any) put_off(lane, t, passage, stretch, &verdicts);
    return rc;
}

/* All targets against some rows. Returns how many were compared. */
static int compare_stretch(struct lane *lane, const struct passage *passage,
                           const struct stretch *stretch, size_t *n_compared, struct error *err)
{
    int rc = 0;
    for (size_t t = 0; rc == 0 && t < lane->n_targets; t++) {
        const struct index_target *target = &lane->targets[t];
        if (target->partitions != NULL && !target->partitions[passage->place]) continue;
        if (!passage->is_sketched || target->sketch.norm == 0.0)
            rc = compare_rows(lane, t, passage->place, stretch, err);
        else rc = compare_sketched(lane, t, passage, stretch, err);
        raise_floor(lane, t);
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
    lane->n_asked++;
    for (size_t t = 0; t < lane->n_targets; t++) {
        const struct index_target *target = &lane->targets[t];
        if (target->sketch.norm > 0.0)
            index_sketch_aim(&lane->aims[t], &lane->snapshot->layout, &target->sketch,
                             target->codes == NULL ? NULL : &target->bounds[place], sketch);
    }
    return 1;
}

int lane_compare(struct lane *lane, struct index_block *block, size_t place, const void *bytes,
                 struct error *err)
{
    const struct index_layout *layout = &lane->snapshot->layout;
    int is_kept = bytes == index_block_data(block);
    void *sketch = lane->aims != NULL && is_kept ? index_block_beside(block) : NULL;
    /* A scan only reads, but the arrays are those that writers use. */
    struct passage passage = {
        .block = block,
        .rows = index_block_rows(layout, (void *)(uintptr_t)bytes, block->capacity),
        .place = place,
        .inverses = is_kept ? index_block_inverses(layout, block) : NULL,
        .needs_inverses =
            layout->quantize == INDEX_EXACT && index_metrics[layout->metric].of_directions};
    if (sketch != NULL) passage.is_sketched = begin_sketched(lane, passage.place, sketch);
    int rc = compare_all(lane, &passage, err);
    if (lane->n_asked > 0 && lane->n_left > lane->n_met / LEFT_SHARE) judge_sketches(lane);
    /* The block is in the processor's cache now. */
    if (rc == 0 && sketch != NULL && index_sketch_is_empty(sketch))
        index_sketch_make(layout, &passage.rows, block->n, block->capacity, passage.inverses,
                          sketch, lane->buffer);
    return rc;
}

int lane_end(struct lane *lane, struct error *err)
{
    int rc = compare_likely(lane, err);
    sift_doubts(lane);
    return rc == 0 ? end_doubts(lane, err) : rc;
}

/* ---- its own --------------------------------------------------------------------------------- */

static int make_heaps(struct lane *lane, struct error *err)
{
    size_t n_rows = lane->snapshot->n_rows;
    int rc = 0;
    lane->heaps = memory_zalloc(2 * lane->n_targets, sizeof *lane->heaps);
    if (lane->heaps == NULL) return error_nomem(err);
    lane->sure = lane->heaps + lane->n_targets;
    for (size_t t = 0; rc == 0 && t < lane->n_targets; t++) {
        size_t k = lane->targets[t].k, n_sure = lane->targets[t].n_sure;
        top_k_init(&lane->heaps[t], k < n_rows ? k : n_rows);
        top_k_init(&lane->sure[t], n_sure < n_rows ? n_sure : n_rows);
        rc = top_k_reserve(&lane->heaps[t], err);
        if (rc == 0) rc = top_k_reserve(&lane->sure[t], err);
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
    lane->most_doubts =
        snapshot->n_rows < MOST_DOUBTS / n_targets ? snapshot->n_rows * n_targets : MOST_DOUBTS;
    if (lane->most_doubts < 2 * ROWS_AT_ONCE) lane->most_doubts = 2 * ROWS_AT_ONCE;
    lane->due = lane->most_doubts / 2;
    lane->doubts = memory_alloc(lane->most_doubts + ROWS_AT_ONCE, sizeof *lane->doubts);
    if (lane->aims == NULL || lane->buffer == NULL || lane->doubts == NULL) return error_nomem(err);
    lane->likely = lane->doubts + lane->most_doubts;
    return 0;
}

void lane_deinit(struct lane *lane)
{
    for (size_t t = 0; lane->heaps != NULL && t < 2 * lane->n_targets; t++)
        top_k_deinit(&lane->heaps[t]);
    memory_free(lane->heaps);
    memory_free(lane->aims);
    memory_free(lane->buffer);
    memory_free(lane->doubts);
}

#include "index/scan.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/workers.h"
#include "index/visits.h"

/* Bytes compared between two looks at the cancel token: some ms of work, where a look takes a
 * microsecond. */
#define BYTES_PER_POLL ((size_t)8 << 20)

/* Blocks listed between two such looks, and what one that is not in memory counts as. */
#define LISTED_PER_POLL 1024
#define READ_AS_LISTED 64

/* Blocks that are found before one of them is read, a thread: so none waits for the thread that
 * finds them if that is not at work. */
#define BLOCKS_AHEAD 16

/* A thread more for each so many bytes: about 100 microseconds of work. */
#define THREAD_BYTES ((size_t)1 << 20)

/* Sketches are made of one block in so many, and of so many bytes of vectors at least, by each
 * search: making costs eight times what comparing does. None are of so few components, which
 * stay in the processor's cache, and where more than one row in so many is wanted. */
#define MAKING_SHARE 8
#define LEAST_MAKING ((size_t)8 << 20)
#define LEAST_SKETCHED ((size_t)1 << 18)
#define ROWS_PER_HIT 32

/* What the threads share: each takes the next block until there is none. */
struct scan {
    struct index_search *search;
    struct index_target *targets;
    size_t n_targets;
    struct visits visits;
    int streams;        /* blocks are compared while others are read */
    int has_sketches;   /* they are asked, and made */
    struct lane *lanes; /* [n_threads] */
    size_t n_threads;
    atomic_int stop;
    int rc; /* of the cancel token, which the caller's thread polls */
    struct error *err;
};

/* The first to fail ends all: read after all threads have been joined. */
static void fail(struct scan *scan, int rc, const struct error *err)
{
    int expected = 0;
    if (rc == 0 || !atomic_compare_exchange_strong(&scan->stop, &expected, 1)) return;
    scan->rc = rc;
    if (scan->err != NULL) *scan->err = *err;
}

/* Reads a block, if it is only found as yet, and compares it. */
static int read_and_compare(struct scan *scan, size_t number, struct visit *visit,
                            struct error *err)
{
    const struct index_storage *storage = scan->search->storage;
    const void *bytes = visit->bytes;
    int rc = 0;
    if (bytes == NULL)
        rc = storage->read(storage->context, number, visit->block, &visit->where, &bytes, err);
    visit->is_left = bytes == NULL;
    return rc != 0 || bytes == NULL
               ? rc
               : lane_compare(&scan->lanes[number], visit->block, visit->place, bytes, err);
}

/* Has the block fetched that this thread will probably take next. */
static void fetch_next(struct scan *scan, const struct visit *visit)
{
    const struct visit *next = visits_after(&scan->visits, visit, scan->n_threads);
    const void *sketch = next == NULL ? NULL : index_block_beside(next->block);
    if (sketch != NULL)
        index_sketch_prefetch(&scan->search->snapshot->layout, next->block->capacity, sketch);
}

static void visit(struct scan *scan, size_t number, struct visit *visit, size_t *polled)
{
    struct error err = {0};
    if (scan->has_sketches) fetch_next(scan, visit);
    int rc = read_and_compare(scan, number, visit, &err);
    *polled += index_block_size(&scan->search->snapshot->layout, visit->block->n) * scan->n_targets;
    if (rc == 0 && number == 0 && *polled >= BYTES_PER_POLL) {
        *polled = 0;
        rc = cancel_check(scan->search->cancel, &err);
    }
    fail(scan, rc, &err);
}

static int is_stopped(struct scan *scan)
{
    return atomic_load_explicit(&scan->stop, memory_order_relaxed);
}

/* Until there are no more, or all are stopped. */
static void visit_all(struct scan *scan, size_t number)
{
    size_t polled = 0, n_pauses = 0;
    while (!is_stopped(scan)) {
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
    struct scan *scan = context;
    struct error err = {0};
    visit_all(scan, number);
    if (!is_stopped(scan)) fail(scan, lane_end(&scan->lanes[number], &err), &err);
}

/* Lists a block. Of those that are to be read few wait, so that what is kept of them follows from
 * what keeping the others has cost; the thread that lists them helps. */
static void list(struct scan *scan, const struct visit *listed, size_t *polled)
{
    struct visit *next;
    int done;
    visits_add(&scan->visits, listed);
    while (listed->bytes == NULL && !is_stopped(scan) &&
           visits_ahead(&scan->visits) > BLOCKS_AHEAD * scan->n_threads &&
           (next = visits_take(&scan->visits, &done)) != NULL)
        visit(scan, 0, next, polled);
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
    return index_snapshot_n_partitions(scan->search->snapshot) > 1 && scan->n_targets == 1 &&
           scan->targets->bounds != NULL;
}

static int sort_blocks(struct scan *scan, struct error *err)
{
    size_t n = atomic_load(&scan->visits.n);
    if (!are_sorted(scan)) return 0;
    struct by_distance *order = memory_alloc(n, sizeof *order);
    if (order == NULL) return error_nomem(err);
    for (size_t i = 0; i < n; i++) {
        const struct visit *visit = &scan->visits.items[i];
        order[i] = (struct by_distance){scan->targets->bounds[visit->place].base, *visit};
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

/* Reads a block that is not in memory, or finds it; when its bytes do not live long enough to be
 * listed, it is compared at once: then *done. */
static int load_block(struct scan *scan, struct visit *visit, int *done, struct error *err)
{
    const struct index_storage *storage = scan->search->storage;
    const void *bytes = NULL;
    int stay, rc = storage->load(storage->context, visit->block,
                                 scan->streams ? &visit->where : NULL, &bytes, &stay, err);
    *done = rc == 0 && stay == INDEX_PASSED;
    if (*done) return lane_compare(&scan->lanes[0], visit->block, visit->place, bytes, err);
    if (rc == 0 && stay == INDEX_KEPT) visit->bytes = bytes;
    return rc;
}

/* The place of a block's partition, that one or a later one; their number if it is none. */
static size_t place_from(const struct index_snapshot *snapshot, size_t place,
                         const struct index_block *block)
{
    const struct index_partitions *partitions = snapshot->partitions;
    if (partitions == NULL) return 0;
    while (place < partitions->n && partitions->numbers[place] < block->partition) place++;
    return place < partitions->n && partitions->numbers[place] == block->partition ? place
                                                                                   : partitions->n;
}

/* Lists the chosen blocks. */
static int gather(struct scan *scan, size_t *n_bytes, struct error *err)
{
    struct index_snapshot *snapshot = scan->search->snapshot;
    size_t place = 0, made = 0, polled = 0, listed = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < snapshot->n_blocks && !is_stopped(scan); i++) {
        struct index_block *block = &snapshot->blocks[i];
        place = place_from(snapshot, place, block);
        if (place == index_snapshot_n_partitions(snapshot))
            return error_set(err, ERROR_CORRUPT,
                             "block %lld belongs to partition %lld, which does not exist "
                             "('optimize' mends it)",
                             (long long)block->number, (long long)block->partition);
        if (!is_chosen(scan, place)) continue;
        struct visit visit = {.block = block, .place = place, .bytes = index_block_data(block)};
        int done = 0;
        listed += visit.bytes != NULL ? 1 : READ_AS_LISTED;
        if (visit.bytes != NULL && scan->has_sketches) make_room(scan, block, &made);
        if (visit.bytes == NULL) rc = load_block(scan, &visit, &done, err);
        if (rc == 0 && !done) {
            list(scan, &visit, &polled);
            *n_bytes += index_block_size(&snapshot->layout, block->n) * scan->n_targets;
        }
        if (rc != 0 || listed < LISTED_PER_POLL) continue;
        listed = 0;
        rc = cancel_check(scan->search->cancel, err);
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

/* All blocks: the caller's thread finds those that are not in memory. */
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

/* Those that were found, but could not be read so. */
static int load_left(struct scan *scan, struct error *err)
{
    const struct index_storage *storage = scan->search->storage;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < atomic_load(&scan->visits.n); i++) {
        const struct visit *visit = &scan->visits.items[i];
        const void *bytes;
        int stay;
        if (!visit->is_left) continue;
        rc = storage->load(storage->context, visit->block, NULL, &bytes, &stay, err);
        if (rc == 0) rc = lane_compare(&scan->lanes[0], visit->block, visit->place, bytes, err);
    }
    return rc;
}

/* Whether blocks may have sketches: they fit in memory with all of them. */
static int may_have_sketches(const struct index_search *search)
{
    const struct index_snapshot *snapshot = search->snapshot;
    const struct index_layout *layout = &snapshot->layout;
    size_t n_rows = snapshot->n_rows;
    return layout->quantize != INDEX_BIT && n_rows * layout->dimensions >= LEAST_SKETCHED &&
           index_block_size(layout, n_rows) + index_sketch_size(layout, n_rows) <=
               search->max_bytes;
}

/* Whether a sketch may exclude rows of a target: few are wanted, or they are to be near. Of codes
 * it is not for certain: it must not be asked where their bounds are. */
static int wants_sketches(const struct scan *scan, const struct index_target *target)
{
    int are_near = target->codes == NULL ? !isinf(target->query->min_similarity)
                                         : target->n_sure > 0 && !isinf(target->min_bound);
    return are_near || target->k <= scan->search->snapshot->n_rows / ROWS_PER_HIT;
}

/* The queries that sketches are asked for, if there are any. */
static int aim_sketches(struct scan *scan, struct error *err)
{
    int rc = 0;
    if (!may_have_sketches(scan->search)) return 0;
    for (size_t t = 0; rc == 0 && t < scan->n_targets; t++) {
        struct index_target *target = &scan->targets[t];
        if (!wants_sketches(scan, target)) continue;
        rc = index_sketch_query_init(&target->sketch, &scan->search->snapshot->layout,
                                     target->query->vector, err);
        scan->has_sketches = 1;
    }
    return rc;
}

/* Threads do not allocate: each has its lane. */
static int make_lanes(struct scan *scan, size_t n_threads, struct error *err)
{
    int rc = 0;
    scan->lanes = memory_zalloc(n_threads, sizeof *scan->lanes);
    if (scan->lanes == NULL) return error_nomem(err);
    for (scan->n_threads = 0; rc == 0 && scan->n_threads < n_threads; scan->n_threads++)
        rc = lane_init(&scan->lanes[scan->n_threads], scan->search->snapshot, scan->targets,
                       scan->n_targets, scan->has_sketches, err);
    return rc;
}

static void scan_deinit(struct scan *scan)
{
    for (size_t i = 0; i < scan->n_threads; i++) lane_deinit(&scan->lanes[i]);
    for (size_t t = 0; t < scan->n_targets; t++)
        index_sketch_query_deinit(&scan->targets[t].sketch);
    for (size_t i = 0; i < atomic_load(&scan->visits.n); i++)
        index_bytes_free(scan->visits.items[i].where.room);
    memory_free(scan->lanes);
    visits_deinit(&scan->visits);
}

static int merge(struct scan *scan, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < scan->n_threads; i++) {
        const struct lane *lane = &scan->lanes[i];
        scan->search->n_scanned += lane->n_rows;
        for (size_t t = 0; rc == 0 && t < scan->n_targets; t++)
            for (size_t j = 0; rc == 0 && j < lane->heaps[t].n; j++)
                rc = top_k_offer(&scan->targets[t].hits, lane->heaps[t].hits[j].id,
                                 lane->heaps[t].hits[j].score, err);
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
    if (rc == 0) rc = aim_sketches(&scan, err);
    if (rc == 0) rc = make_lanes(&scan, n_threads, err);
    scan.streams = rc == 0 && is_to_stream(&scan);
    if (scan.streams) {
        workers_run(n_threads, stream, &scan);
        rc = scan.rc == 0 ? load_left(&scan, err) : scan.rc;
    } else if (rc == 0) {
        rc = list_and_scan(&scan, err);
    }
    if (rc == 0) rc = cancel_check(search->cancel, err);
    if (rc == 0) rc = merge(&scan, err);
    scan_deinit(&scan);
    return rc;
}

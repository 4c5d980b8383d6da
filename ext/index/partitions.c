#include "index/partitions.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/workers.h"
#include "vector/distance.h"
#include "vector/top_k.h"

#define POINTS_AT_ONCE 64             /* of a thread */
#define TILE_BYTES ((size_t)24 << 10) /* of centroids: what stays in the first cache */
#define MAX_TILE 256
#define LLOYD_STEPS 6
#define SMALLEST_SIDE 8 /* an eighth of the points */
#define UNIT 0x1p-24    /* what float32 rounds by */

/* ---- the list -------------------------------------------------------------------------------- */

int index_partitions_new(size_t n, size_t dimensions, struct index_partitions **partitions,
                         struct error *err)
{
    struct index_partitions *made = memory_zalloc(1, sizeof *made);
    *partitions = made;
    if (made == NULL) return error_nomem(err);
    atomic_init(&made->references, 1);
    made->n = n;
    made->dimensions = dimensions;
    made->numbers = memory_alloc(n, sizeof *made->numbers);
    made->centroids = memory_alloc(n, dimensions * sizeof *made->centroids);
    made->squared_norms = memory_alloc(n, sizeof *made->squared_norms);
    if (made->numbers != NULL && made->centroids != NULL && made->squared_norms != NULL) return 0;
    index_partitions_free(made);
    *partitions = NULL;
    return error_nomem(err);
}

void index_partitions_ready(struct index_partitions *partitions)
{
    size_t dimensions = partitions->dimensions;
    double largest = 0.0;
    for (size_t i = 0; i < partitions->n; i++) {
        const float *centroid = partitions->centroids + i * dimensions;
        double squared = vector_dot_everywhere(centroid, centroid, dimensions);
        if (squared > largest) largest = squared;
        partitions->squared_norms[i] = (float)squared;
    }
    partitions->largest_norm = sqrt(largest);
}

int index_partitions_copy(const struct index_partitions *partitions, struct index_partitions **copy,
                          struct error *err)
{
    size_t n = partitions->n, dimensions = partitions->dimensions;
    int rc = index_partitions_new(n, dimensions, copy, err);
    if (rc != 0) return rc;
    memcpy((*copy)->numbers, partitions->numbers, n * sizeof *partitions->numbers);
    memcpy((*copy)->centroids, partitions->centroids,
           n * dimensions * sizeof *partitions->centroids);
    return 0;
}

int index_partitions_add(struct index_partitions *partitions, int64_t number, const float *centroid,
                         struct error *err)
{
    size_t n = partitions->n, dimensions = partitions->dimensions;
    int64_t *numbers = memory_realloc(partitions->numbers, n + 1, sizeof *numbers);
    if (numbers != NULL) partitions->numbers = numbers;
    float *centroids = memory_realloc(partitions->centroids, n + 1, dimensions * sizeof *centroids);
    if (centroids != NULL) partitions->centroids = centroids;
    float *norms = memory_realloc(partitions->squared_norms, n + 1, sizeof *norms);
    if (norms != NULL) partitions->squared_norms = norms;
    if (numbers == NULL || centroids == NULL || norms == NULL) return error_nomem(err);
    numbers[n] = number;
    memcpy(centroids + n * dimensions, centroid, dimensions * sizeof *centroids);
    partitions->n++;
    return 0;
}

struct index_partitions *index_partitions_reference(struct index_partitions *partitions)
{
    atomic_fetch_add_explicit(&partitions->references, 1, memory_order_relaxed);
    return partitions;
}

void index_partitions_free(struct index_partitions *partitions)
{
    if (partitions == NULL ||
        atomic_fetch_sub_explicit(&partitions->references, 1, memory_order_acq_rel) > 1)
        return;
    memory_free(partitions->numbers);
    memory_free(partitions->centroids);
    memory_free(partitions->squared_norms);
    memory_free(partitions);
}

size_t index_partitions_find(const struct index_partitions *partitions, int64_t number)
{
    size_t low = 0, high = partitions->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (partitions->numbers[middle] < number) low = middle + 1;
        else high = middle;
    }
    return low < partitions->n && partitions->numbers[low] == number ? low : partitions->n;
}

/* ---- the nearest centroid -------------------------------------------------------------------- */

struct assignment {
    const struct index_partitions *partitions;
    const float *points;
    size_t n_points;
    uint32_t *places;
    const struct cancel *cancel;
    struct error *err;
    atomic_size_t next;
    atomic_int stop;
    int rc;
};

double index_partitions_distance(const struct index_partitions *partitions, const float *point,
                                 size_t place)
{
    const float *centroid = partitions->centroids + place * partitions->dimensions;
    return vector_dot_everywhere(centroid, centroid, partitions->dimensions) -
           2.0 * vector_dot_everywhere(point, centroid, partitions->dimensions);
}

/* The nearest centroid by sums that are the same on every processor. */
static uint32_t nearest_everywhere(const struct index_partitions *partitions, const float *point)
{
    uint32_t place = 0;
    double nearest = INFINITY;
    for (size_t i = 0; i < partitions->n; i++) {
        double distance = index_partitions_distance(partitions, point, i);
        if (!(distance < nearest)) continue;
        nearest = distance;
        place = (uint32_t)i;
    }
    return place;
}

/* How far apart two distances must be for each processor to find the same one smaller: twice what a
 * distance can be off, by the bound of vector_dot (distance.h) and the roundings to float32. */
static float least_gap(const struct index_partitions *partitions, const float *point)
{
    double norm = sqrt(vector_dot(point, point, partitions->dimensions));
    double most = partitions->largest_norm, largest = most * most + 2.0 * norm * most;
    if (largest > (double)FLT_MAX / 2.0) return INFINITY; /* a sum may overflow */
    double sums = 2.0 * ((double)partitions->dimensions / 16.0 + 8.0) * norm * most;
    return (float)(2.5 * UNIT * (sums + 2.0 * largest)) + FLT_MIN * (float)partitions->dimensions;
}

/* The points from `begin` on, against all centroids, a tile of them at a time that stays in the
 * cache. |x - c|^2 = |x|^2 + |c|^2 - 2 x.c: the first term is the same for all c. */
static void assign_points(const struct assignment *work, size_t begin, size_t n)
{
    const struct index_partitions *partitions = work->partitions;
    size_t dimensions = partitions->dimensions, tile = TILE_BYTES / (dimensions * sizeof(float));
    float nearest[POINTS_AT_ONCE], second[POINTS_AT_ONCE], dots[MAX_TILE];
    if (tile < 4) tile = 4;
    if (tile > MAX_TILE) tile = MAX_TILE;
    for (size_t i = 0; i < n; i++) {
        nearest[i] = second[i] = INFINITY;
        work->places[begin + i] = 0;
    }
    if (partitions->n == 1) return;
    for (size_t first = 0; first < partitions->n; first += tile) {
        size_t n_tile = partitions->n - first < tile ? partitions->n - first : tile;
        for (size_t i = 0; i < n; i++) {
            vector_dots(work->points + (begin + i) * dimensions,
                        partitions->centroids + first * dimensions, n_tile, dimensions, dots);
            for (size_t j = 0; j < n_tile; j++) {
                float distance = partitions->squared_norms[first + j] - 2.0f * dots[j];
                if (distance < nearest[i]) {
                    second[i] = nearest[i];
                    nearest[i] = distance;
                    work->places[begin + i] = (uint32_t)(first + j);
                } else if (distance < second[i]) {
                    second[i] = distance;
                }
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        const float *point = work->points + (begin + i) * dimensions;
        if (!(second[i] - nearest[i] > least_gap(partitions, point)))
            work->places[begin + i] = nearest_everywhere(partitions, point);
    }
}

static int choose_near(const struct index_partitions *partitions, size_t place, struct top_k *near,
                       struct error *err)
{
    const float *point = partitions->centroids + place * partitions->dimensions;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < partitions->n; i++) {
        double nearness = -index_partitions_distance(partitions, point, i);
        rc = top_k_offer(near, (int64_t)i, isnan(nearness) ? -INFINITY : nearness, err);
    }
    return rc;
}

static int compare_hit_ids(const void *a, const void *b)
{
    const struct top_k_hit *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

int index_partitions_near(struct index_partitions *partitions, size_t place, size_t n,
                          struct index_partitions **near, struct error *err)
{
    size_t dimensions = partitions->dimensions;
    struct top_k places;
    *near = NULL;
    if (n >= partitions->n) {
        *near = index_partitions_reference(partitions);
        return 0;
    }
    top_k_init(&places, n);
    int rc = choose_near(partitions, place, &places, err);
    if (rc == 0) rc = index_partitions_new(n, dimensions, near, err);
    if (rc == 0) {
        qsort(places.hits, n, sizeof *places.hits, compare_hit_ids);
        for (size_t i = 0; i < n; i++) {
            size_t at = (size_t)places.hits[i].id;
            (*near)->numbers[i] = partitions->numbers[at];
            memcpy((*near)->centroids + i * dimensions, partitions->centroids + at * dimensions,
                   dimensions * sizeof(float));
        }
        index_partitions_ready(*near);
    }
    top_k_deinit(&places);
    return rc;
}

static void assign_chunks(void *context, size_t number)
{
    struct assignment *work = context;
    while (!atomic_load_explicit(&work->stop, memory_order_relaxed)) {
        size_t begin = atomic_fetch_add_explicit(&work->next, POINTS_AT_ONCE, memory_order_relaxed);
        if (begin >= work->n_points) return;
        size_t left = work->n_points - begin;
        assign_points(work, begin, left < POINTS_AT_ONCE ? left : POINTS_AT_ONCE);
        if (number != 0) continue;
        work->rc = cancel_check(work->cancel, work->err);
        if (work->rc != 0) atomic_store_explicit(&work->stop, 1, memory_order_relaxed);
    }
}

int index_partitions_assign(const struct index_partitions *partitions, const float *points,
                            size_t n_points, size_t n_threads, uint32_t *places,
                            const struct cancel *cancel, struct error *err)
{
    struct assignment work = {.partitions = partitions,
                              .points = points,
                              .n_points = n_points,
                              .places = places,
                              .cancel = cancel,
                              .err = err};
    if (n_threads > n_points / POINTS_AT_ONCE) n_threads = n_points / POINTS_AT_ONCE;
    workers_run(n_threads, assign_chunks, &work);
    return work.rc;
}

/* ---- 2-means --------------------------------------------------------------------------------- */

void index_centroid_bound(float *centroid, size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) {
        if (isfinite(centroid[i])) continue;
        centroid[i] = isnan(centroid[i]) ? 0.0f : copysignf(FLT_MAX, centroid[i]);
    }
}

void index_centroid(const float *points, size_t n_points, size_t dimensions, float *centroid)
{
    memset(centroid, 0, dimensions * sizeof *centroid);
    for (size_t i = 0; i < n_points; i++)
        vector_add(centroid, points + i * dimensions, 1.0f / (float)n_points, dimensions);
    index_centroid_bound(centroid, dimensions);
}

/* The points on a line: `along` [n_points] is where they lie on it. */
struct split {
    const float *points;
    size_t n_points, dimensions;
    unsigned char *sides;
    float *centroids; /* [2, dimensions] */
    float *direction; /* [dimensions] */
    float *along, *sorted;
};

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* Side 1 lies beyond `at`; if that leaves one side too small, half of the points do, equal ones
 * being dealt in their order. Returns how many changed sides. */
static size_t cut(struct split *split, float at)
{
    size_t n = split->n_points, n_beyond = 0, n_changed = 0, least = n / SMALLEST_SIDE;
    for (size_t i = 0; i < n; i++) n_beyond += split->along[i] > at;
    int balanced = n_beyond >= least && n - n_beyond >= least && n_beyond > 0 && n_beyond < n;
    size_t equal_left = 0;
    if (!balanced) {
        memcpy(split->sorted, split->along, n * sizeof *split->sorted);
        qsort(split->sorted, n, sizeof *split->sorted, compare_floats);
        at = split->sorted[n / 2];
        n_beyond = 0;
        for (size_t i = 0; i < n; i++) n_beyond += split->along[i] > at;
        equal_left = n - n / 2 - n_beyond;
    }
    for (size_t i = 0; i < n; i++) {
        int beyond = split->along[i] > at;
        if (!beyond && equal_left > 0 && split->along[i] == at) {
            beyond = 1;
            equal_left--;
        }
        n_changed += split->sides[i] != beyond;
        split->sides[i] = (unsigned char)beyond;
    }
    return n_changed;
}

static void project(struct split *split)
{
    for (size_t i = 0; i < split->n_points; i++) {
        const float *point = split->points + i * split->dimensions;
        double along = vector_dot_everywhere(split->direction, point, split->dimensions);
        /* Of vectors near float32's end. */
        split->along[i] = fabs(along) <= (double)FLT_MAX ? (float)along : 0.0f;
    }
}

static void take_means(struct split *split)
{
    size_t dimensions = split->dimensions, n_side[2] = {0, 0};
    for (size_t i = 0; i < split->n_points; i++) n_side[split->sides[i]]++;
    memset(split->centroids, 0, 2 * dimensions * sizeof *split->centroids);
    for (size_t i = 0; i < split->n_points; i++)
        vector_add(split->centroids + split->sides[i] * dimensions, split->points + i * dimensions,
                   1.0f / (float)n_side[split->sides[i]], dimensions);
    index_centroid_bound(split->centroids, 2 * dimensions);
}

/* The line through both means; a point is nearer to the second beyond the middle between them. */
static float aim(struct split *split)
{
    const float *a = split->centroids, *b = a + split->dimensions;
    double middle = 0.0;
    for (size_t i = 0; i < split->dimensions; i++) {
        split->direction[i] = b[i] - a[i];
        middle += ((double)b[i] - (double)a[i]) * ((double)b[i] + (double)a[i]) / 2.0;
    }
    return (float)middle;
}

int index_partitions_split(const float *points, size_t n_points, size_t dimensions,
                           unsigned char *sides, float *centroids, const struct cancel *cancel,
                           struct error *err)
{
    struct split split = {.points = points,
                          .n_points = n_points,
                          .dimensions = dimensions,
                          .sides = sides,
                          .centroids = centroids,
                          .direction = memory_alloc(dimensions, sizeof(float)),
                          .along = memory_alloc(n_points, sizeof(float)),
                          .sorted = memory_alloc(n_points, sizeof(float))};
    int rc = split.direction == NULL || split.along == NULL || split.sorted == NULL
                 ? error_nomem(err)
                 : 0;
    if (rc == 0) {
        /* To begin with: halves along the line through two points that lie apart in the list. */
        memset(sides, 0, n_points);
        memcpy(centroids, points + n_points / 3 * dimensions, dimensions * sizeof *centroids);
        memcpy(centroids + dimensions, points + (n_points - 1) * dimensions,
               dimensions * sizeof *centroids);
        aim(&split);
        project(&split);
        cut(&split, INFINITY);
        take_means(&split);
    }
    for (int step = 0; rc == 0 && step < LLOYD_STEPS; step++) {
        float middle = aim(&split);
        project(&split);
        size_t n_changed = cut(&split, middle);
        take_means(&split);
        if (n_changed == 0) break;
        rc = cancel_check(cancel, err);
    }
    memory_free(split.direction);
    memory_free(split.along);
    memory_free(split.sorted);
    return rc;
}

#include "index/sketch.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "vector/distance.h"
#include "vector/rotate.h"

#define ALIGNMENT ((size_t)64)
#define MOST_AT_ONCE 256

/* Norms within which no square overflows float32 and no product that counts vanishes. */
#define LEAST_NORM 0x1p-100
#define MOST_NORM 0x1p60

/* What a bound may lack that was computed of products too small for float32. */
#define SMALLEST (4.0 * (double)FLT_MIN)

enum state { EMPTY, BEING_MADE, READY, USELESS };

/* At the head of a sketch; behind it centroid[dimensions], offsets, scales, errors [capacity], and
 * the codes, the centroid and the codes at a multiple of ALIGNMENT. */
struct head {
    atomic_int state;
    double squared_norm; /* |c|^2 */
    double reach;        /* the largest |r| + |e| */
};

struct parts {
    struct head *head;
    float *centroid, *offsets, *scales, *errors;
    unsigned char *codes;
};

_Static_assert(sizeof(struct head) <= ALIGNMENT, "a sketch's head");

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Where the codes begin. */
static size_t codes_at(const struct index_layout *layout, size_t capacity)
{
    return ALIGNMENT + aligned(layout->dimensions * sizeof(float)) +
           aligned(3 * capacity * sizeof(float));
}

static struct parts parts_of(const struct index_layout *layout, size_t capacity, const void *sketch)
{
    unsigned char *at = (unsigned char *)(uintptr_t)sketch;
    float *numbers =
        (float *)(void *)(at + ALIGNMENT + aligned(layout->dimensions * sizeof(float)));
    return (struct parts){.head = (struct head *)(void *)at,
                          .centroid = (float *)(void *)(at + ALIGNMENT),
                          .offsets = numbers,
                          .scales = numbers + capacity,
                          .errors = numbers + 2 * capacity,
                          .codes = at + codes_at(layout, capacity)};
}

size_t index_sketch_size(const struct index_layout *layout, size_t capacity)
{
    return codes_at(layout, capacity) + capacity * vector_nibbles_size(layout->dimensions);
}

size_t index_sketch_room(const struct index_layout *layout)
{
    return 2 * vector_nibbles_room(layout->dimensions);
}

/* What computing costs at most, of the magnitudes of all terms: a dot product (n / 16 + 10) 2^-24
 * (vector/distance.h), of which a bound and a score have six; rotating two vectors at most 10 *
 * (log2 n + 3) 2^-24 < 2^-16; the rest of a row's code and of its bound some 2^-19. */
static double share(size_t dimensions)
{
    return 0x1p-15 + ((double)dimensions / 16.0 + 10.0) * 0x1p-21;
}

static int is_within(double norm)
{
    return norm >= LEAST_NORM && norm <= MOST_NORM;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* sums += factor * row */
static void add_row(const struct index_layout *layout, const void *row, float factor, float *sums)
{
    index_vector_sums(layout)->add(sums, row, factor, layout->dimensions);
}

static float factor_of(const double *inverses, size_t i)
{
    return inverses == NULL ? 1.0f : (float)inverses[i];
}

static void set_centroid(const struct index_layout *layout, const struct index_rows *rows, size_t n,
                         const double *inverses, float *centroid)
{
    memset(centroid, 0, layout->dimensions * sizeof *centroid);
    for (size_t i = 0; i < n; i++)
        add_row(layout, rows->components + i * rows->stride, factor_of(inverses, i), centroid);
    for (size_t d = 0; d < layout->dimensions; d++) centroid[d] /= (float)n;
}

/* The numbers and the code of a row, of r and, in rotated space, c; returns |r| + |e|. */
static double write_row(const struct index_layout *layout, const struct parts *parts, size_t i,
                        float *r)
{
    size_t dimensions = layout->dimensions, size = vector_nibbles_size(dimensions);
    int is_dot = index_metrics[layout->metric].form == VECTOR_DOT;
    double square = vector_dot(r, r, dimensions), cr = vector_dot(parts->centroid, r, dimensions);
    if (!isfinite(square) || !isfinite(cr)) return INFINITY;
    float scale = vector_nibbles_encode(r, dimensions, parts->codes + i * size);
    double error = sqrt(vector_dot(r, r, dimensions)),
           ce = vector_dot(parts->centroid, r, dimensions);
    double norm = sqrt(square);
    error += share(dimensions) * error + 0x1p-21 * (norm + error);
    parts->offsets[i] = (float)(is_dot ? ce : -square - 2.0 * (cr - ce));
    parts->scales[i] = is_dot ? scale : 2.0f * scale;
    parts->errors[i] = (float)((is_dot ? 1.0 : 2.0) * error);
    return norm + error;
}

static enum state fill(const struct index_layout *layout, const struct index_rows *rows, size_t n,
                       const double *inverses, const struct parts *parts, float *buffer)
{
    size_t dimensions = layout->dimensions;
    float *mean = buffer, *r = buffer + vector_nibbles_room(dimensions);
    int is_rotated = layout->vectors == INDEX_COMPACT;
    double reach = 0.0;
    set_centroid(layout, rows, n, inverses, mean);
    double square = vector_dot(mean, mean, dimensions);
    if (!(sqrt(square) <= MOST_NORM)) return USELESS;
    memcpy(parts->centroid, mean, dimensions * sizeof *mean);
    if (!is_rotated) vector_rotate(parts->centroid, dimensions);
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < dimensions; d++) r[d] = -mean[d];
        add_row(layout, rows->components + i * rows->stride, factor_of(inverses, i), r);
        if (!(vector_dot(r, r, dimensions) <= MOST_NORM * MOST_NORM)) return USELESS;
        if (!is_rotated) vector_rotate(r, dimensions);
        reach = fmax(reach, write_row(layout, parts, i, r));
    }
    parts->head->squared_norm = vector_dot(parts->centroid, parts->centroid, dimensions);
    parts->head->reach = reach;
    return is_within(reach + sqrt(parts->head->squared_norm)) ? READY : USELESS;
}

void index_sketch_make(const struct index_layout *layout, const struct index_rows *rows, size_t n,
                       size_t capacity, const double *inverses, void *sketch, float *buffer)
{
    struct parts parts = parts_of(layout, capacity, sketch);
    int expected = EMPTY;
    if (!atomic_compare_exchange_strong(&parts.head->state, &expected, BEING_MADE)) return;
    enum state state = n == 0 ? USELESS : fill(layout, rows, n, inverses, &parts, buffer);
    atomic_store_explicit(&parts.head->state, (int)state, memory_order_release);
}

static int state_of(const void *sketch)
{
    const struct head *head = sketch;
    return atomic_load_explicit(&head->state, memory_order_acquire);
}

int index_sketch_is_empty(const void *sketch)
{
    return state_of(sketch) == EMPTY;
}

int index_sketch_is_ready(const void *sketch)
{
    return state_of(sketch) == READY;
}

/* ---- asking ---------------------------------------------------------------------------------- */

int index_sketch_query_init(struct index_sketch_query *query, const struct index_layout *layout,
                            const float *vector, struct error *err)
{
    size_t dimensions = layout->dimensions;
    *query = (struct index_sketch_query){.point = memory_alloc(dimensions, sizeof *query->point)};
    if (query->point == NULL) return error_nomem(err);
    index_code_space(layout, vector, query->point);
    double norm = vector_norm(query->point, dimensions);
    if (!is_within(norm)) return 0;
    query->norm = norm;
    return vector_nibbles_query_init(&query->codes, query->point, dimensions, err);
}

void index_sketch_query_deinit(struct index_sketch_query *query)
{
    memory_free(query->point);
    vector_nibbles_query_deinit(&query->codes);
    *query = (struct index_sketch_query){0};
}

void index_sketch_aim(struct index_sketch_aim *aim, const struct index_layout *layout,
                      const struct index_sketch_query *query, const void *sketch)
{
    const struct index_metric_row *metric = &index_metrics[layout->metric];
    size_t dimensions = layout->dimensions;
    struct parts parts = parts_of(layout, 0, sketch);
    double norm = query->norm, reach = parts.head->reach, cost = share(dimensions);
    double centroid = sqrt(parts.head->squared_norm), far = norm + centroid + reach;
    struct index_pair pair = {.query = query->point,
                              .centroid = parts.centroid,
                              .dimensions = dimensions,
                              .squared_norm = parts.head->squared_norm,
                              .squared_distance =
                                  vector_squared_l2(query->point, parts.centroid, dimensions)};
    int is_dot = metric->form == VECTOR_DOT;
    double slack = is_dot ? cost * (norm + centroid) * (centroid + reach) : 2.0 * cost * far * far;
    slack += (is_dot ? 1.0 : 2.0) * query->codes.off * reach + SMALLEST;
    aim->query = query;
    aim->sketch = sketch;
    aim->base = metric->base(&pair) + slack;
    aim->radius = (float)(sqrt(pair.squared_distance) * (1.0 + cost));
}

size_t index_sketch_pass(const struct index_sketch_aim *aim, const struct index_layout *layout,
                         size_t capacity, size_t begin, size_t n, double least, unsigned char *pass)
{
    struct parts parts = parts_of(layout, capacity, aim->sketch);
    const float *offsets = parts.offsets + begin, *scales = parts.scales + begin,
                *errors = parts.errors + begin;
    float dots[MOST_AT_ONCE], radius = aim->radius;
    float needed = nextafterf((float)(least - aim->base), -INFINITY);
    size_t n_passed = 0;
    vector_nibbles_dots(&aim->query->codes,
                        parts.codes + begin * vector_nibbles_size(layout->dimensions), n, dots);
    for (size_t i = 0; i < n; i++) {
        float bound = (offsets[i] + scales[i] * dots[i]) + radius * errors[i];
        pass[i] = (unsigned char)(bound >= needed);
    }
    for (size_t i = 0; i < n; i++) n_passed += pass[i];
    return n_passed;
}

#include "index/sketch.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "vector/distance.h"
#include "vector/rotate.h"

#define ALIGNMENT ((size_t)64)

/* Norms within which no square overflows float32 and no product that counts vanishes. */
#define LEAST_NORM 0x1p-100
#define MOST_NORM 0x1p60

/* Of a code's bound. At 4 the rest are one in 30,000, of those that lie next to `least`; where the
 * query lies next to the row, e lies towards it by |e|^2, some 2 of 384 components. */
#define STANDARD_ERRORS 6.0

/* What a bound may lack that was computed of products too small for float32. */
#define SMALLEST (4.0 * (double)FLT_MIN)

enum state { EMPTY, BEING_MADE, READY, USELESS };

/* At the head of a sketch; behind it centroid[dimensions], offsets, scales, errors [capacity], and
 * the codes, the centroid and the codes at a multiple of ALIGNMENT. */
struct head {
    atomic_int state;
    double squared_norm; /* |c|^2 */
    double reach;        /* the largest |r| + |e| */
    double code_error;   /* and of the codes' errors; 0 of vectors */
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

/* Codes of whatever metric have dot products with a query. */
static int estimates_dots(const struct index_layout *layout)
{
    return layout->quantize == INDEX_INT8 || index_metrics[layout->metric].form == VECTOR_DOT;
}

static int is_within(double norm)
{
    return norm >= LEAST_NORM && norm <= MOST_NORM;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* sums += row i: its unit vector where only directions count, or what its code stands for, twice
 * that where the code says twice. */
static void add_row(const struct index_layout *layout, const struct index_rows *rows, size_t i,
                    const double *inverses, float *sums)
{
    const unsigned char *row = rows->components + i * rows->stride;
    if (layout->quantize == INDEX_INT8)
        vector_add_int8(sums, (const int8_t *)row, rows->scales[i], layout->dimensions);
    else
        index_vector_sums(layout)->add(sums, row, inverses == NULL ? 1.0f : (float)inverses[i],
                                       layout->dimensions);
}

static void set_centroid(const struct index_layout *layout, const struct index_rows *rows, size_t n,
                         const double *inverses, float *centroid)
{
    memset(centroid, 0, layout->dimensions * sizeof *centroid);
    for (size_t i = 0; i < n; i++) add_row(layout, rows, i, inverses, centroid);
    for (size_t d = 0; d < layout->dimensions; d++) centroid[d] /= (float)n;
}

/* The numbers and the code of a row, of r and, in rotated space, c; returns |r| + |e|. */
static double write_row(const struct index_layout *layout, const struct parts *parts, size_t i,
                        float *r)
{
    size_t dimensions = layout->dimensions, size = vector_nibbles_size(dimensions);
    int is_dot = estimates_dots(layout);
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
    int is_rotated = layout->vectors == INDEX_COMPACT || layout->quantize == INDEX_INT8;
    double reach = 0.0, code_error = 0.0;
    set_centroid(layout, rows, n, inverses, mean);
    double square = vector_dot(mean, mean, dimensions);
    if (!(sqrt(square) <= MOST_NORM)) return USELESS;
    memcpy(parts->centroid, mean, dimensions * sizeof *mean);
    if (!is_rotated) vector_rotate(parts->centroid, dimensions);
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < dimensions; d++) r[d] = -mean[d];
        add_row(layout, rows, i, inverses, r);
        if (!(vector_dot(r, r, dimensions) <= MOST_NORM * MOST_NORM)) return USELESS;
        if (!is_rotated) vector_rotate(r, dimensions);
        reach = fmax(reach, write_row(layout, parts, i, r));
        if (layout->quantize != INDEX_INT8) continue;
        parts->offsets[i] += rows->offsets[i];
        if ((double)rows->errors[i] > code_error) code_error = (double)rows->errors[i];
    }
    parts->head->squared_norm = vector_dot(parts->centroid, parts->centroid, dimensions);
    parts->head->reach = reach;
    parts->head->code_error = code_error;
    return is_within(reach + sqrt(parts->head->squared_norm) + code_error) ? READY : USELESS;
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

/* The bounds of codes, all but <q, v>, of a block. */
static void aim_at_codes(struct index_sketch_aim *aim, const struct index_layout *layout,
                         const struct vector_code_bound *bound, const struct parts *parts)
{
    const float *point = aim->query->point;
    double reach = parts->head->reach, norms = sqrt(parts->head->squared_norm) + reach;
    double errors = STANDARD_ERRORS / sqrt((double)layout->dimensions);
    /* The largest component of a code is 127. */
    double slack = (double)bound->slack * norms / 127.0 + errors * aim->query->codes.off * reach;
    aim->base = (double)bound->base + vector_dot(point, parts->centroid, layout->dimensions) +
                (double)bound->radius * parts->head->code_error + slack +
                share(layout->dimensions) * aim->query->norm * norms + SMALLEST;
    aim->radius *= (float)errors;
}

static void aim_at_vectors(struct index_sketch_aim *aim, const struct index_layout *layout,
                           double squared_distance, const struct parts *parts)
{
    const struct index_metric_row *metric = &index_metrics[layout->metric];
    double norm = aim->query->norm, reach = parts->head->reach, cost = share(layout->dimensions);
    double centroid = sqrt(parts->head->squared_norm), far = norm + centroid + reach;
    struct index_pair pair = {.query = aim->query->point,
                              .centroid = parts->centroid,
                              .dimensions = layout->dimensions,
                              .squared_norm = parts->head->squared_norm,
                              .squared_distance = squared_distance};
    int is_dot = estimates_dots(layout);
    double slack = is_dot ? cost * (norm + centroid) * (centroid + reach) : 2.0 * cost * far * far;
    slack += (is_dot ? 1.0 : 2.0) * aim->query->codes.off * reach + SMALLEST;
    aim->base = metric->base(&pair) + slack;
}

void index_sketch_aim(struct index_sketch_aim *aim, const struct index_layout *layout,
                      const struct index_sketch_query *query, const struct vector_code_bound *bound,
                      const void *sketch)
{
    size_t dimensions = layout->dimensions;
    struct parts parts = parts_of(layout, 0, sketch);
    double square = vector_squared_l2(query->point, parts.centroid, dimensions);
    *aim = (struct index_sketch_aim){.query = query,
                                     .sketch = sketch,
                                     .radius = (float)(sqrt(square) * (1.0 + share(dimensions)))};
    if (bound != NULL) aim_at_codes(aim, layout, bound, &parts);
    else aim_at_vectors(aim, layout, square, &parts);
}

/* Of the rows that are left, those whose estimate reaches `needed`. */
static void tell_likely(const float *errors, float radius, float needed,
                        struct index_sketch_verdicts *verdicts)
{
    for (size_t w = 0; w < INDEX_SKETCH_WORDS; w++) {
        verdicts->likely[w] = 0;
        for (uint64_t bits = verdicts->left[w]; bits != 0; bits &= bits - 1) {
            size_t bit = (size_t)__builtin_ctzll(bits), i = 64 * w + bit;
            uint64_t is_likely = verdicts->bounds[i] - radius * errors[i] >= needed;
            verdicts->likely[w] |= is_likely << bit;
        }
    }
}

int index_sketch_pass(const struct index_sketch_aim *aim, const struct index_layout *layout,
                      size_t capacity, size_t begin, size_t n, double least,
                      struct index_sketch_verdicts *verdicts)
{
    struct parts parts = parts_of(layout, capacity, aim->sketch);
    const struct vector_nibbles some = {.codes = parts.codes +
                                                 begin * vector_nibbles_size(layout->dimensions),
                                        .offsets = parts.offsets + begin,
                                        .scales = parts.scales + begin,
                                        .errors = parts.errors + begin,
                                        .n = n};
    float needed = nextafterf((float)(least - aim->base), -INFINITY);
    uint64_t any = 0;
    vector_nibbles_bounds(&aim->query->codes, &some, aim->radius, needed, verdicts->bounds,
                          verdicts->left);
    for (size_t w = 0; w < INDEX_SKETCH_WORDS; w++) any |= verdicts->left[w];
    if (any != 0) tell_likely(some.errors, aim->radius, needed, verdicts);
    return any != 0;
}

void index_sketch_prefetch(const struct index_layout *layout, size_t capacity, const void *sketch)
{
    struct parts parts = parts_of(layout, capacity, sketch);
    const void *begins[] = {parts.head,   parts.centroid, parts.centroid + 16, parts.offsets,
                            parts.scales, parts.errors,   parts.codes,         parts.codes + 64};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) __builtin_prefetch(begins[i]);
}

#include "vector/quantize.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "vector/simd/kernels.h"

#define INT8_LARGEST 127
#define WHOLE_LARGEST (128 * 127 + 63) /* its low part is at most 63 */
#define PLANE_LARGEST ((1 << (VECTOR_PLANES - 1)) - 1)
#define ALIGNMENT 64 /* a cache line, the widest register */
#define BATCH 256    /* codes whose dot products are kept at a time */

struct vector_code_query {
    enum vector_code kind;
    float unit;
    double off; /* |q - unit t| */
    float sum;  /* of all t_i, VECTOR_BIT only */
    struct vector_rounded rounded;
    unsigned char *block; /* holds what rounded borrows: */
    int16_t *whole;
    int8_t *high, *low;
    uint64_t *planes;
};

size_t vector_code_size(enum vector_code kind, size_t dimensions)
{
    return kind == VECTOR_INT8 ? dimensions : (dimensions + 7) / 8;
}

/* ---- encoding -------------------------------------------------------------------------------- */

/* What the kernels add up, in the end. */
struct totals {
    double largest, magnitudes, squares; /* max |r_i|, sum |r_i|, |r|^2 */
    double ee, ce, ck;                   /* |e|^2, <c, e>, <c, k> */
};

static double add_lanes(const double s[VECTOR_LANES])
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* The last dimensions % VECTOR_LANES components, then zeros. */
struct tail {
    float vector[VECTOR_LANES], centroid[VECTOR_LANES];
    size_t n;
};

/* Splits a vector into a stretch for the kernels and what is left over. */
static void split(const float *vector, const float *centroid, size_t dimensions,
                  struct vector_encoding *encoding, struct tail *tail)
{
    size_t n = dimensions - dimensions % VECTOR_LANES;
    *encoding = (struct vector_encoding){.vector = vector, .centroid = centroid, .n = n};
    *tail = (struct tail){.n = dimensions - n};
    for (size_t i = 0; i < tail->n; i++) {
        tail->vector[i] = vector[n + i];
        if (centroid != NULL) tail->centroid[i] = centroid[n + i];
    }
}

/* The same sums, to go on with the tail. */
static struct vector_encoding encoding_of_tail(const struct vector_encoding *encoding,
                                               const struct tail *tail)
{
    struct vector_encoding rest = *encoding;
    rest.vector = tail->vector;
    rest.centroid = encoding->centroid == NULL ? NULL : tail->centroid;
    rest.n = VECTOR_LANES;
    return rest;
}

static void measure(struct vector_encoding encoding, const struct tail *tail, struct totals *totals)
{
    const struct vector_kernels *kernels = vector_kernels_chosen();
    kernels->spread(&encoding);
    if (tail->n > 0) {
        encoding = encoding_of_tail(&encoding, tail);
        kernels->spread(&encoding); /* a zero behind the end adds nothing */
    }
    for (size_t j = 0; j < VECTOR_LANES; j++)
        totals->largest = fmax(totals->largest, encoding.sums[0][j]);
    totals->magnitudes = add_lanes(encoding.sums[1]);
    totals->squares = add_lanes(encoding.sums[2]);
}

static void encode_int8(struct vector_encoding *encoding, const struct tail *tail,
                        int8_t *components)
{
    const struct vector_kernels *kernels = vector_kernels_chosen();
    kernels->round_int8(encoding, components);
    if (tail->n == 0) return;
    int8_t last[VECTOR_LANES];
    size_t n = encoding->n;
    *encoding = encoding_of_tail(encoding, tail);
    kernels->round_int8(encoding, last); /* a zero behind the end adds nothing */
    memcpy(components + n, last, tail->n);
}

static void encode_bits(struct vector_encoding *encoding, const struct tail *tail, uint8_t *bits)
{
    const struct vector_kernels *kernels = vector_kernels_chosen();
    kernels->take_signs(encoding, bits);
    if (tail->n == 0) return;
    uint8_t last;
    double squares[VECTOR_LANES];
    size_t n = encoding->n;
    memcpy(squares, encoding->sums[0], sizeof squares);
    *encoding = encoding_of_tail(encoding, tail);
    kernels->take_signs(encoding, &last);
    /* A zero behind the end passes for +1: its e is taken back. Its c is zero. */
    memcpy(encoding->sums[0] + tail->n, squares + tail->n,
           (VECTOR_LANES - tail->n) * sizeof squares[0]);
    bits[n / 8] = (uint8_t)(last & ((1u << tail->n) - 1));
}

static float narrow(double value)
{
    if (value > (double)FLT_MAX) return FLT_MAX;
    return value < -(double)FLT_MAX ? -FLT_MAX : (float)value;
}

/* value >= 0 */
static float narrow_up(double value)
{
    float nearest = narrow(value);
    return (double)nearest < value && nearest < FLT_MAX ? nextafterf(nearest, FLT_MAX) : nearest;
}

static struct vector_code_head make_head(enum vector_form form, const struct totals *totals,
                                         double scale, size_t dimensions)
{
    double factor = form == VECTOR_DOT ? 1.0 : 2.0;
    double offset = form == VECTOR_DOT ? -totals->ce : -totals->squares - 2.0 * scale * totals->ck;
    struct vector_code_head head = {
        .offset = narrow(offset),
        .scale = narrow(factor * scale),
        .error = narrow_up(factor * sqrt(totals->ee / (double)dimensions)),
    };
    if (offset > (double)FLT_MAX) head.error = FLT_MAX;
    return head;
}

void vector_code_encode(enum vector_code kind, enum vector_form form, const float *vector,
                        const float *centroid, size_t dimensions, struct vector_code_head *head,
                        void *components)
{
    struct vector_encoding encoding;
    struct tail tail;
    struct totals totals = {.largest = 0.0};
    split(vector, centroid, dimensions, &encoding, &tail);
    measure(encoding, &tail, &totals);
    if (!isfinite(totals.squares)) {
        memset(components, 0, vector_code_size(kind, dimensions));
        *head = (struct vector_code_head){.error = FLT_MAX};
        return;
    }
    double scale = 0.0;
    if (kind == VECTOR_INT8) {
        scale = totals.largest / INT8_LARGEST;
        encoding.units = totals.largest > 0.0 ? INT8_LARGEST / totals.largest : 0.0;
    } else if (totals.magnitudes > 0.0) {
        scale = totals.squares / totals.magnitudes;
    }
    /* e belongs to the scale that is stored: in VECTOR_SQUARED_L2 twice it must be a float32
     * too. */
    encoding.scale = (double)narrow(fmin(scale, (double)FLT_MAX / 2.0));
    if (kind == VECTOR_INT8) encode_int8(&encoding, &tail, components);
    else encode_bits(&encoding, &tail, components);
    totals.ee = add_lanes(encoding.sums[0]);
    totals.ce = add_lanes(encoding.sums[1]);
    totals.ck = add_lanes(encoding.sums[2]);
    *head = make_head(form, &totals, encoding.scale, dimensions);
}

/* ---- a query --------------------------------------------------------------------------------- */

/* Bit j of t_i, in two's complement, to bit i % 64 of planes[i / 64][j]. */
static void spread_to_planes(struct vector_code_query *query, size_t i, int t)
{
    uint64_t *planes = query->planes + i / 64 * VECTOR_PLANE_WORDS;
    for (int j = 0; j < VECTOR_PLANES; j++)
        planes[j] |= (uint64_t)((unsigned)t >> j & 1) << (i % 64);
}

static void split_whole(struct vector_code_query *query, size_t i, int t)
{
    int high = (t + 64 + 128 * 128) / 128 - 128; /* rounded to the nearest, half up */
    query->whole[i] = (int16_t)t;
    query->high[i] = (int8_t)high;
    query->low[i] = (int8_t)(t - 128 * high);
}

/* 0 of what is not finite, which a caller has no business to bring: all is off then, and nothing is
 * undefined. */
static double largest_magnitude(const float *vector, size_t dimensions)
{
    double largest = 0.0;
    for (size_t i = 0; i < dimensions; i++) {
        double magnitude = fabs((double)vector[i]);
        if (!isfinite(magnitude)) return 0.0;
        if (magnitude > largest) largest = magnitude;
    }
    return largest;
}

/* Whole numbers t_i, ties away from zero, and how far off they are. */
static void round_query(struct vector_code_query *query, const float *vector)
{
    int limit = query->kind == VECTOR_INT8 ? WHOLE_LARGEST : PLANE_LARGEST, sum = 0;
    double largest = largest_magnitude(vector, query->rounded.dimensions), squares = 0.0;
    query->unit = (float)(largest / limit);
    for (size_t i = 0; i < query->rounded.dimensions; i++) {
        double exact = largest > 0.0 ? (double)vector[i] * (limit / largest) : 0.0;
        int t = (int)(exact + (exact < 0.0 ? -0.5 : 0.5));
        double off = (double)vector[i] - (double)query->unit * t;
        squares += off * off;
        sum += t; /* at most 65536 * 16319 */
        if (query->kind == VECTOR_INT8) {
            split_whole(query, i, t);
        } else {
            query->high[i] = (int8_t)t;
            spread_to_planes(query, i, t);
        }
    }
    query->sum = (float)sum;
    query->off = sqrt(squares);
}

/* The arrays of a query behind one another, each a multiple of ALIGNMENT. */
static void lay_out(struct vector_code_query *query, size_t dimensions)
{
    size_t padded = (dimensions + 63) / 64 * 64;
    uintptr_t past = (uintptr_t)query->block % ALIGNMENT;
    unsigned char *start = query->block + (past == 0 ? 0 : ALIGNMENT - past);
    query->rounded.dimensions = dimensions;
    query->high = (int8_t *)start;
    query->rounded.high = query->high;
    if (query->kind == VECTOR_INT8) {
        query->low = query->high + padded;
        query->rounded.low = query->low;
        query->whole = (int16_t *)(void *)(start + 2 * padded);
        query->rounded.whole = query->whole;
    } else {
        query->planes = (uint64_t *)(void *)(start + padded);
        query->rounded.planes = query->planes;
    }
}

int vector_code_query_new(enum vector_code kind, const float *query, size_t dimensions,
                          struct vector_code_query **prepared, struct error *err)
{
    *prepared = NULL;
    struct vector_code_query *made = memory_zalloc(1, sizeof *made);
    if (made == NULL) return error_nomem(err);
    /* high, low and whole; or high and the planes, 8 words for 64 components. */
    size_t words = (dimensions + 63) / 64, bytes = 64 * (kind == VECTOR_INT8 ? 4 : 2);
    made->block = memory_zalloc(words * bytes + ALIGNMENT, 1);
    if (made->block == NULL) {
        vector_code_query_free(made);
        return error_nomem(err);
    }
    made->kind = kind;
    lay_out(made, dimensions);
    round_query(made, query);
    *prepared = made;
    return 0;
}

void vector_code_query_free(struct vector_code_query *prepared)
{
    if (prepared == NULL) return;
    memory_free(prepared->block);
    memory_free(prepared);
}

double vector_code_slack(const struct vector_code_query *prepared, double z)
{
    return z * prepared->off * (prepared->kind == VECTOR_INT8 ? INT8_LARGEST : 1);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* Sums <t, k> of n codes, at most BATCH. */
static void sum_dots(const struct vector_code_query *query, const unsigned char *components,
                     size_t n, float *sums)
{
    const struct vector_kernels *kernels = vector_kernels_chosen();
    if (query->kind == VECTOR_INT8) {
        kernels->dots_int8(&query->rounded, (const int8_t *)components, n, sums);
        return;
    }
    /* Over the set bits less over the others: twice the former less all, at most 2^22. */
    int32_t set[BATCH];
    kernels->sums_of_bits(&query->rounded, components, n, set);
    for (size_t i = 0; i < n; i++) sums[i] = 2.0f * (float)set[i] - query->sum;
}

void vector_code_bounds(const struct vector_code_query *prepared, const struct vector_codes *codes,
                        const struct vector_code_bound *bound, float *bounds)
{
    size_t size = vector_code_size(prepared->kind, prepared->rounded.dimensions);
    float base = bound->base, radius = bound->radius, slack = bound->slack, unit = prepared->unit;
    float sums[BATCH];
    for (size_t from = 0; from < codes->n; from += BATCH) {
        size_t n = codes->n - from < BATCH ? codes->n - from : BATCH;
        sum_dots(prepared, (const unsigned char *)codes->components + from * size, n, sums);
        const float *offsets = codes->offsets + from, *scales = codes->scales + from,
                    *errors = codes->errors + from;
        for (size_t i = 0; i < n; i++) {
            float dot = unit * sums[i] + slack;
            float value = ((base + offsets[i]) + scales[i] * dot) + radius * errors[i];
            sums[i] = value >= -FLT_MAX ? value : INFINITY;
        }
        memcpy(bounds + from, sums, n * sizeof *bounds);
    }
}

/*
 * quantize.h: vectors in a quarter or a thirtieth of the space, to find candidates that exact
 * vectors then rank, and to tell how far the estimate may be off.
 *
 * A code stands for v = c + r, where c is a centroid, the same for many vectors, or the origin. It
 * is a head of three float32 and the components k_i, one byte or one bit each:
 *   VECTOR_INT8  r_i ~ scale k_i, signed bytes: r_i in units of max |r_i| / 127, to the nearest
 *                whole number, ties away from zero; scale = that unit
 *   VECTOR_BIT   r_i ~ scale k_i, k_i = 1 where r_i >= 0, else -1; scale = |r|^2 / sum |r_i|;
 *                k_i = 1 is bit i % 8 of byte i / 8 set, the bits left over are 0
 * Encoding computes in double, in an order of its own: codes are the same bytes on every processor.
 *
 * With e = scale k - r, for any query q,
 *   <q, v>    = <q, c> - <c, e> + scale <q, k> - <q - c, e>
 *   -|q-v|^2  = -|q-c|^2 - |r|^2 - 2 scale <c, k> + 2 scale <q, k> - 2 <q - c, e>
 * where all but the last term is known: from the query and c alone (the base), from v and c alone
 * (the offset), and from q and the code (their dot product <q, k>). The last term is the error. It
 * is at most |q-c| |e| (Cauchy-Schwarz), and where e points anywhere with respect to q, as after
 * vector_rotate, it is about |q-c| |e| / sqrt(n), n = dimensions: z of these standard errors are
 * exceeded as seldom as z standard deviations of a bell curve, and z = sqrt(n) are never exceeded.
 * |e| is about 0.007 |r| for VECTOR_INT8 and 0.75 |r| for VECTOR_BIT, of vectors spread like noise.
 * The scale of the bits makes <r, e> zero: it is the estimator of RaBitQ (Gao, Long, SIGMOD 2024).
 *
 * A query is rounded too, q_i ~ unit t_i: |t_i| <= 31 for VECTOR_BIT, <= 16319 for VECTOR_INT8. The
 * dot products are sums of whole numbers, exact and the same on every processor; what rounding the
 * query costs is the slack.
 */
#ifndef VECTOR_QUANTIZE_H
#define VECTOR_QUANTIZE_H

#include <stddef.h>

#include "base/error.h"

enum vector_code { VECTOR_INT8, VECTOR_BIT };

/* What the codes estimate: <q, v>, or -|q - v|^2. */
enum vector_form { VECTOR_DOT, VECTOR_SQUARED_L2 };

/* The numbers of one code, stored beside its components.
 *   VECTOR_DOT         offset = -<c, e>                 scale          error = |e| / sqrt(n)
 *   VECTOR_SQUARED_L2  offset = -|r|^2 - 2 scale <c, k>  scale: twice it  error = 2 |e| / sqrt(n)
 * e is that of the scale as it is stored, error is rounded up. All are finite, scale and error not
 * negative: what is beyond float32 is clamped to FLT_MAX or -FLT_MAX, and error is FLT_MAX where
 * that would make a bound too low. */
struct vector_code_head {
    float offset, scale, error;
};

/* Bytes of the components: dimensions, or ceil(dimensions / 8). */
size_t vector_code_size(enum vector_code kind, size_t dimensions);

/* Writes the code of a vector to *head and to components, of vector_code_size bytes at any address.
 * vector and centroid (NULL: the origin): [dimensions], finite. Of what is not finite the code is
 * zeros with an error of FLT_MAX. */
void vector_code_encode(enum vector_code kind, enum vector_form form, const float *vector,
                        const float *centroid, size_t dimensions, struct vector_code_head *head,
                        void *components);

/* A query made ready to meet codes of one kind. Read-only after that: threads may share it. */
struct vector_code_query;

/* query: [dimensions], finite, not kept. ERROR_NOMEM. */
int vector_code_query_new(enum vector_code kind, const float *query, size_t dimensions,
                          struct vector_code_query **prepared, struct error *err);
void vector_code_query_free(struct vector_code_query *prepared); /* accepts NULL */

/* z standard errors of a dot product <q, k> from rounding the query: z |q - unit t| max |k_i|,
 * where the last is 1 or 127 (more than the root mean square that would do). With z =
 * sqrt(dimensions) no dot product is off by more. */
double vector_code_slack(const struct vector_code_query *prepared, double z);

/* n codes, borrowed, any bytes: what is not of our making gives bounds of no use and no harm. */
struct vector_codes {
    const float *offsets, *scales, *errors; /* [n] each, of the heads */
    const void *components;                 /* [n, vector_code_size], at any address */
    size_t n;
};

/* How to read them. For estimates alone, radius and slack are 0; for lower bounds, negative. */
struct vector_code_bound {
    float base;   /* <q, c>, or -|q - c|^2 */
    float radius; /* z |q - c| */
    float slack;  /* vector_code_slack(prepared, z) */
};

/* bounds[i] = base + offset_i + scale_i (dot_i + slack) + radius error_i, computed in float32:
 * wrong by at most 2^-21 times the sum of the magnitudes of these terms. +INFINITY where it is NaN
 * or below -FLT_MAX. */
void vector_code_bounds(const struct vector_code_query *prepared, const struct vector_codes *codes,
                        const struct vector_code_bound *bound, float *bounds);

#endif

/*
 * quantize.h: vectors in a quarter or a thirtieth of the space, to find candidates that exact
 * vectors then rank.
 *
 * A code begins with two float32, little-endian, and goes on with the components:
 *   bytes 0-3  norm: |v|
 *   bytes 4-7  scale: what one unit of the components is worth
 *   bytes 8-   the components, c_i or s_i, one byte or one bit each:
 *     VECTOR_INT8  v_i ~ scale c_i, signed bytes, scale = max |v_i| / 127
 *     VECTOR_BIT   v_i ~ scale s_i, s_i = 1 where v_i >= 0, else -1; scale = |v|^2 / sum |v_i|;
 *                  s_i = 1 is bit i % 8 of byte i / 8 set, the bits left over are 0
 *
 * A query is rounded too, q_i ~ scale_q t_i: |t_i| <= 127 for VECTOR_INT8, <= 31 for VECTOR_BIT.
 * The estimates, from sums of whole numbers and so the same on every processor:
 *   dot         scale_q scale sum t_i c_i (or s_i)
 *   cosine      dot / (|q| |v|)
 *   squared_l2  |q|^2 + |v|^2 - 2 dot
 *
 * Errors of dot. VECTOR_INT8: at most scale / 2 sum |q_i| + scale_q / 2 sum |v_i| + n scale scale_q
 * / 4, about 0.3% of |q| |v| for embeddings. VECTOR_BIT: exact for q = v up to the rounding of q,
 * since sum v_i s_i scale = |v|^2; for other q the part of q across v is seen through the signs
 * alone, with a standard error of about 0.75 |q| |v| / sqrt(n) for components that are spread like
 * noise. The scale is the estimator of RaBitQ (Gao, Long, SIGMOD 2024), without its random
 * rotation.
 */
#ifndef VECTOR_QUANTIZE_H
#define VECTOR_QUANTIZE_H

#include <stddef.h>

#include "base/error.h"

enum vector_code { VECTOR_INT8, VECTOR_BIT };

/* Bytes of a code: 8 + dimensions, or 8 + ceil(dimensions / 8). */
size_t vector_code_size(enum vector_code kind, size_t dimensions);

/* Writes the code of a vector (checked, [dimensions]) to `code`, of vector_code_size bytes at any
 * address. A norm beyond float32 is stored as the largest float32, a scale below it as 0: such
 * vectors are ranked by their exact bytes only. */
void vector_code_encode(enum vector_code kind, const void *vector, size_t dimensions, void *code);

/* Whether stored bytes are such a code: ERROR_CORRUPT for another size, a norm or scale that is
 * negative or not finite. */
int vector_code_check(enum vector_code kind, const void *code, size_t size, size_t dimensions,
                      struct error *err);

/* A query made ready to meet codes of one kind. Read-only after that: threads may share it. */
struct vector_code_query;

/* query: checked, [dimensions], not kept. ERROR_NOMEM. */
int vector_code_query_new(enum vector_code kind, const void *query, size_t dimensions,
                          struct vector_code_query **prepared, struct error *err);
void vector_code_query_free(struct vector_code_query *prepared); /* accepts NULL */

/* Estimates from a checked code at any address: finite. cosine is not clamped, so that it ranks,
 * and 0 where the query or the vector is zero; squared_l2 is 0 or more. */
double vector_code_dot(const struct vector_code_query *prepared, const void *code);
double vector_code_cosine(const struct vector_code_query *prepared, const void *code);
double vector_code_squared_l2(const struct vector_code_query *prepared, const void *code);

#endif

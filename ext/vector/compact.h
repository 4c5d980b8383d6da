/*
 * compact.h: a vector in a byte a component, to be kept in place of the vector.
 *
 * Its bytes, at any address:
 *
 *   float32  scale, little-endian
 *   int8     components[dimensions], the largest magnitude 127; of the zero vector all are 0
 *
 * It stands for the vector that vector_rotate turns into scale * components, each product rounded
 * to float32. Scale and components are the VECTOR_INT8 code (quantize.h) of the rotated vector
 * about the origin: the same bytes on every processor. After the rotation no component is much
 * larger than the others, whatever the vector was like: the error of each is scale / 2 at most, so
 * the cosine of a vector and of what is kept of it is about 1 - (m / 127)^2 / 24, m the largest
 * component in units of their root mean square, which is some 3 to 5: more than .9999.
 *
 * Sums are taken in rotated space, where they are the same up to rounding (rotate.h): a query is
 * rotated once, a row never.
 */
#ifndef VECTOR_COMPACT_H
#define VECTOR_COMPACT_H

#include <stddef.h>

/* What a vector must lie within, so that its scale is a normal float32, and all that is computed
 * of it finite: the magnitude of its largest component, unless that is 0. */
#define VECTOR_COMPACT_LEAST 1e-30f
#define VECTOR_COMPACT_MOST 1e30f

/* Bytes of a compact vector. */
size_t vector_compact_size(size_t dimensions);

/* Whether a vector [dimensions] lies within those limits, and so is finite. */
int vector_compact_takes(const float *vector, size_t dimensions);

/* Writes the bytes of a vector [dimensions] that lies within the limits; scratch: [dimensions], may
 * be the vector itself. */
void vector_compact_encode(const float *vector, size_t dimensions, float *scratch, void *compact);

/* What the bytes stand for: [dimensions], rotated; and as it was given, but for the rounding. */
void vector_compact_decode(const void *compact, size_t dimensions, float *rotated);
void vector_compact_read(const void *compact, size_t dimensions, float *vector);

/* sums [dimensions] += factor * the decoded vector, scale and factor multiplied first. */
void vector_compact_add(float *sums, const void *compact, float factor, size_t dimensions);

/* 1 if the bytes are what vector_compact_encode may write; *is_zero: of the zero vector. */
int vector_compact_is_valid(const void *compact, size_t dimensions, int *is_zero);

/* rotated . c, |c|^2 and |rotated - c|^2, where c is decoded and rotated is a query [dimensions] in
 * rotated space. Bounds and what is not finite: as vector_dot and vector_squared_l2 (distance.h).
 * Of bytes that are not valid a sum may be anything, also NaN or infinite. */
double vector_compact_dot(const void *rotated, const void *compact, size_t dimensions);
double vector_compact_square(const void *compact, size_t dimensions);
double vector_compact_squared_l2(const void *rotated, const void *compact, size_t dimensions);

#endif

/*
 * half.h: a vector in two bytes a component, to be kept in place of the vector.
 *
 * Its bytes, at any address: [dimensions] binary16 of IEEE 754, little-endian, each component
 * rounded to the nearest, ties to even. It stands for exactly these numbers: a component is off by
 * 2^-11 of itself at most, or by 2^-25 below 2^-14. So a cosine is off by some 2^-11 at most, and
 * for usual vectors, whose components err independently, by far less.
 */
#ifndef VECTOR_HALF_H
#define VECTOR_HALF_H

#include <stddef.h>

/* What a vector must lie within: the magnitude of its largest component, unless that is 0. */
#define VECTOR_HALF_LEAST 0x1p-14f
#define VECTOR_HALF_MOST 65504.0f

/* Bytes of such a vector. */
size_t vector_half_size(size_t dimensions);

/* Whether a vector [dimensions] lies within those limits, and so is finite. */
int vector_half_takes(const float *vector, size_t dimensions);

/* Writes the bytes of a vector [dimensions] that lies within the limits: the same on every
 * processor, as is what they stand for: [dimensions]. */
void vector_half_encode(const float *vector, size_t dimensions, void *half);
void vector_half_decode(const void *half, size_t dimensions, float *vector);

/* 1 if the bytes are finite numbers; *is_zero: all of them 0. */
int vector_half_is_valid(const void *half, size_t dimensions, int *is_zero);

/* vector . h, |h|^2 and |vector - h|^2 of what the bytes stand for. Bounds and what is not finite:
 * as vector_dot and vector_squared_l2 (distance.h). */
double vector_half_dot(const void *vector, const void *half, size_t dimensions);
double vector_half_square(const void *half, size_t dimensions);
double vector_half_squared_l2(const void *vector, const void *half, size_t dimensions);

/* sums += factor * h, component by component: the same on every processor. */
void vector_half_add(float *sums, const void *half, float factor, size_t dimensions);

#endif

/*
 * distance.h: how near two vectors, or two strings of bits, are, and sums of vectors.
 *
 * Vectors are float32, 1 to VECTOR_MAX_DIMENSIONS of them, at any address, and finite (codec.h
 * checks that). A component that is not makes the result infinite or NaN: a scan may leave the
 * check until it sees one.
 *
 * A processor's wide registers add in float32, at least 16 sums side by side (Higham, "Accuracy and
 * Stability of Numerical Algorithms", 3.1). With n = dimensions and u = 2^-24:
 *   dot         |error| <= (n / 16 + 8) u sum |a_i b_i|
 *   squared_l2  |error| <= (n / 16 + 10) u sum (a_i - b_i)^2
 *   cosine      |error| <= 2 (n / 16 + 8) u
 * Sums that overflow float32, or are so small that products of components fell under its least
 * number, are taken again in double. The last bits differ between processors, never between two
 * calls on one.
 */
#ifndef VECTOR_DISTANCE_H
#define VECTOR_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/rounding.h"

/* a . b */
double vector_dot(const void *a, const void *b, size_t dimensions);

/* The same, summed in double in one order: the same bits on every processor, for what ends in a
 * file. Takes some twice as long. */
double vector_dot_everywhere(const float *a, const float *b, size_t dimensions);

/* |a - b|^2 */
double vector_squared_l2(const void *a, const void *b, size_t dimensions);

/* a . b / (|a| |b|), in [-1, 1], exactly 1 for equal vectors; NaN if either is the zero vector. */
double vector_cosine(const void *a, const void *b, size_t dimensions);

/* dots[i] = vector [dimensions] . row i of rows [n_rows, dimensions], within the bound of dot and
 * rounded to float32; what overflows float32, or is very small, is not taken again in double: such
 * a dot is infinite, NaN, or off by up to n 2^-149. For rows in the first-level cache, where it
 * takes two thirds of the time of vector_dot. Rows that come from memory are read a tenth faster
 * one behind the other, by vector_dot, which keeps up with a plain read of them (asking for them
 * ahead of time changed nothing). */
void vector_dots(const float *vector, const float *rows, size_t n_rows, size_t dimensions,
                 float *dots);

/* The number of bits that differ between a and b, of `bytes` bytes at any address. */
uint64_t vector_hamming(const void *a, const void *b, size_t bytes);

/* |a|, summed in double. */
double vector_norm(const void *a, size_t dimensions);

/* a / |a| into unit: [dimensions], may be a itself. 0 for the zero vector, which has none (unit is
 * then unwritten), else 1. */
int vector_normalize(const void *a, size_t dimensions, float *unit);

/* sums [dimensions] += factor * b [dimensions]; of int8 too. The same bits on every processor. */
void vector_add(float *restrict sums, const float *restrict b, float factor, size_t dimensions);
void vector_add_int8(float *restrict sums, const int8_t *restrict b, float factor,
                     size_t dimensions);

/* sums_i += value where bit i % 8 of bits[i / 8] is set; dimensions is a multiple of 32, and the
 * caller knows that no sum overflows. */
void vector_add_where(int32_t *restrict sums, const uint8_t *restrict bits, int32_t value,
                      size_t dimensions);

#endif

/*
 * nibbles.h: vectors in half a byte a component, to tell for certain which cannot be near a query.
 *
 * A code stands for r ~ scale k, the k_i odd from -15 to 15, so k_i = 2 u_i - 15 with u_i in 4
 * bits; scale is a sixth of the root mean square of r, which errs least where components are like
 * noise (Max, "Quantizing for minimum distortion", IRE Trans. IT-6, 1960), as after vector_rotate.
 * Then
 * |e|, e = r - scale k, is about .11 |r|, and for any query
 *   <q, r> = scale <q, k> + <q, e>,  |<q, e>| <= |q| |e|
 * by Cauchy and Schwarz: with |e| beside the code that is a bound which holds for all vectors.
 *
 * A query is rounded too, q_i ~ unit t_i with |t_i| <= 127: |<q, k> - unit <t, k>| <= off |k|, off
 * = |q - unit t|. Products are whole numbers, so dot products are exact, but for the last rounding
 * to float32. Codes are kept in memory alone, never in a file.
 */
#ifndef VECTOR_NIBBLES_H
#define VECTOR_NIBBLES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Bytes of a code, a multiple of 64; floats of the buffer that one is made of. */
size_t vector_nibbles_size(size_t dimensions);
size_t vector_nibbles_room(size_t dimensions);

/* Writes the code of r [dimensions], finite, with a finite norm; its buffer has room for
 * vector_nibbles_room, and holds e afterwards, each component rounded twice. Returns scale. */
float vector_nibbles_encode(float *r, size_t dimensions, unsigned char *code);

/* A query made ready. Read-only after that: threads may share it. */
struct vector_nibbles_query {
    void *memory;    /* owned */
    int8_t *rounded; /* [2 size] in it, at a multiple of 64: t, then zeros */
    size_t size;     /* of a code */
    int32_t sum;     /* of all t_i */
    float unit;
    double off; /* |q - unit t|, rounded up */
};

/* query: [dimensions], finite, not kept. ERROR_NOMEM; deinit also after a failure. */
int vector_nibbles_query_init(struct vector_nibbles_query *prepared, const float *query,
                              size_t dimensions, struct error *err);
void vector_nibbles_query_deinit(struct vector_nibbles_query *prepared);

/* Codes, and what bounds of them are made of: borrowed. */
#define VECTOR_NIBBLES_MOST 256
struct vector_nibbles {
    const unsigned char *codes;             /* [n, size] */
    const float *offsets, *scales, *errors; /* [n] */
    size_t n;                               /* at most VECTOR_NIBBLES_MOST */
};

/* bounds[i] = offset_i + scale_i unit <t, k_i> + radius error_i, each step rounded to float32; bit
 * i % 64 of reached[i / 64] tells whether that is at least `needed`. */
void vector_nibbles_bounds(const struct vector_nibbles_query *prepared,
                           const struct vector_nibbles *some, float radius, float needed,
                           float *bounds, uint64_t reached[VECTOR_NIBBLES_MOST / 64]);

#endif

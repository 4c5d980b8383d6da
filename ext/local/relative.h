/*
 * relative.h: what attention adds to a score for how far the key lies from the query.
 *
 * Raffel et al. 2020 (T5, "Exploring the Limits of Transfer Learning", section 2.1): a learnt
 * number for each head and bucket of distances, the same in all layers; MPNet (Song et al. 2020)
 * has them too. 32 buckets: 16 for the query itself and keys before it, then 16 for keys after it.
 * Of each 16, 8 hold one distance, 0 to 7; from there on they widen with the logarithm up to
 * distance 128, and all that is further is in the last one:
 *   bucket = n                                        n < 8
 *            min(15, 8 + floor(8 ln(n/8) / ln(128/8)))  else: 8 + floor(2 log2(n/8))
 */
#ifndef LOCAL_RELATIVE_H
#define LOCAL_RELATIVE_H

#include <stddef.h>

#include "base/rounding.h"

enum { RELATIVE_BUCKETS = 32 };

/* Of a key's place less the query's. */
size_t relative_bucket(ptrdiff_t distance);

/* A row of biases for each head, of the distances 1 - reach .. reach - 1.
 * buckets: [RELATIVE_BUCKETS, n_heads], biases: [n_heads, 2 reach - 1]. */
void relative_spread(const float *buckets, size_t n_heads, size_t reach, float *biases);

#endif

/*
 * hashing.h: vectors without a vocabulary.
 *
 * Signed feature hashing (Weinberger et al., "Feature hashing for large scale multitask learning",
 * ICML 2009): each term adds its weight, with a sign, to one component; both are chosen by bits of
 * its hash. Weights grow with the square root of the count; n-grams weigh less than words. Only
 * additions, multiplications, divisions and square roots of IEEE 754 in a fixed order are used, so
 * the same text gives the same bytes on every platform (base/rounding.h).
 */
#ifndef LEXICAL_HASHING_H
#define LEXICAL_HASHING_H

#include "lexical/features.h"

/* Adds weight * sign of a term to sums [dimensions], dimensions a power of two. */
void hashing_add(uint64_t term, double weight, double *sums, size_t dimensions);

/* The unit vector of a text's features into embedding [dimensions], a power of two. ERROR_NOMEM. */
int hashing_embed(const struct features *features, float *embedding, size_t dimensions,
                  struct error *err);

/* sums [n] / |sums| as float32, into unit [n]. A zero sum gives the first unit vector: there is
 * always a direction. */
void hashing_normalize(const double *sums, float *unit, size_t n);

#endif

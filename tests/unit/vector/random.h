/*
 * random.h: the same pseudo-random numbers in every run (splitmix64: Steele, Lea, Flood, OOPSLA
 * 2014).
 */
#ifndef TESTS_VECTOR_RANDOM_H
#define TESTS_VECTOR_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/oracle.h"

ORACLE static inline uint64_t random_bits(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* From 0 to 1. */
ORACLE static inline double random_unit(uint64_t *state)
{
    return (double)(random_bits(state) >> 11) * 0x1p-53;
}

/* Around 0, of variance 1: bell-shaped, at most 6 in magnitude. */
ORACLE static inline float random_bell(uint64_t *state)
{
    double sum = -6.0;
    for (int i = 0; i < 12; i++) sum += random_unit(state);
    return (float)sum;
}

ORACLE static inline void random_vector(uint64_t *state, size_t dimensions, float *vector)
{
    for (size_t i = 0; i < dimensions; i++) vector[i] = random_bell(state);
}

#endif

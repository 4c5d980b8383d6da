/*
 * splitmix.h: numbers that look random and follow from one (SplitMix64: Steele, Lea, Flood, "Fast
 * splittable pseudorandom number generators", OOPSLA 2014). The same everywhere: files hold what
 * was made of them. Not for secrets.
 */
#ifndef BASE_SPLITMIX_H
#define BASE_SPLITMIX_H

#include <stdint.h>

#define SPLITMIX_STEP UINT64_C(0x9E3779B97F4A7C15) /* from one state to the next */

/* The next number; *state moves on. */
static inline uint64_t splitmix_next(uint64_t *state)
{
    uint64_t z = *state += SPLITMIX_STEP;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

#endif

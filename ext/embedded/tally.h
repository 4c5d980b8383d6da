/*
 * tally.h: in how many of some rows of signs each component is set, all components at once.
 *
 * An addition a component and row is the slow way where rows are worth the same, as n-grams are
 * (unknown.h). Here a bit of a word stands for a component, and carry-save adders count them, as in
 * Harley and Seal's count of bits (Warren, "Hacker's Delight", 5-1): five operations a row and word.
 */
#ifndef EMBEDDED_TALLY_H
#define EMBEDDED_TALLY_H

#include <stdint.h>

#include "embedded/table.h"

#define TALLY_DIGITS 8
#define TALLY_MOST ((1 << TALLY_DIGITS) - 1) /* rows */
#define TALLY_WORDS (TABLE_DIMENSIONS / 64)

/* All zero: no rows. */
struct tally {
    uint64_t digits[TALLY_DIGITS][TALLY_WORDS]; /* bits of 2^i: of the count of each component */
    /* Where bit i of n is set: what counts 2^i and is not in the digits yet. */
    uint64_t waiting[TALLY_DIGITS][TALLY_WORDS];
    unsigned n; /* rows */
};

/* One row more: TALLY_MOST at most. */
void tally_add(struct tally *tally, const uint64_t row[TALLY_WORDS]);

/* Adds value to each of sums [TABLE_DIMENSIONS] as often as the component was set, and forgets the
 * rows. */
void tally_take(struct tally *tally, int32_t value, int32_t *sums);

#endif

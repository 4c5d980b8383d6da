/*
 * unknown.h: words that the table does not know: names, other alphabets.
 *
 * Such a word is the sum of its n-grams of characters, each of which has signs made of it: texts
 * that share such words, or parts of them, are similar, others are not. Of scripts that write no
 * spaces an n-gram is two characters; else three, of which the ends of a word are one each.
 */
#ifndef EMBEDDED_UNKNOWN_H
#define EMBEDDED_UNKNOWN_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/* What a component of an n-gram is worth, in units of 2^-24 as table_scale: 0.003, a tenth of a
 * usual row's. By tests/quality/known_item.py: with 0.01 what the table knows (Latin words in a
 * Russian text) counts too little beside the rest, and 0.001 is no better. */
#define UNKNOWN_SCALE 50332

/* Gives each n-gram of a word (UTF-8, not empty) to `take`, one at least, as a number that is the
 * same everywhere. An error of `take` ends it. */
int unknown_grams(struct span word, int (*take)(void *context, uint64_t gram, struct error *err),
                  void *context, struct error *err);

/* The signs of an n-gram [TABLE_ROW_BYTES], as table_signs: numbers that follow from it
 * (base/splitmix.h). */
void unknown_signs(uint64_t gram, uint8_t *signs);

#endif

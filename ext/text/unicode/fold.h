/*
 * fold.h: one spelling for letters that readers take as the same.
 *
 * Lower case, and no accents, for Latin (Latin-1, Extended-A, Extended-B and Additional), Greek
 * (ancient accents included) and Cyrillic (with its Supplement); full-width ASCII becomes ASCII.
 * Letters that are written as two become two ("ß" "ss", "æ" "ae"). Combining marks vanish. Other
 * characters stay as they are. Source: the decompositions and case mappings of the Unicode
 * Character Database, and for letters with a stroke in Latin-1 and Extended-A ("ø", "ł") the plain
 * letter.
 */
#ifndef TEXT_UNICODE_FOLD_H
#define TEXT_UNICODE_FOLD_H

#include <stddef.h>
#include <stdint.h>

/* Writes 1 or 2 characters, or none for a combining mark; returns how many. */
#define UNICODE_MAX_FOLDED 2
size_t unicode_fold(uint32_t character, uint32_t out[UNICODE_MAX_FOLDED]);

#endif

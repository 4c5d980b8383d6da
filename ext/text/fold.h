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
#ifndef TEXT_FOLD_H
#define TEXT_FOLD_H

#include <stddef.h>
#include <stdint.h>

#define FOLD_MAX_BYTES 4

/* Writes the folded character as UTF-8; returns the bytes written, 0 for a combining mark. */
size_t fold_character(uint32_t character, char out[FOLD_MAX_BYTES]);

#endif

/*
 * stem.h: English words without their endings.
 *
 * M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980, pages 130-137, as
 * published, steps 1a to 5b. Words of one or two letters, and words that are not all a-z, stay as
 * they are.
 */
#ifndef TEXT_STEM_H
#define TEXT_STEM_H

#include <stddef.h>

/* Stems `word` (lower case, [size] bytes) in place; returns the new size, never larger. */
size_t stem_english(char *word, size_t size);

#endif

/*
 * fold.h: a character as readers take it (unicode/fold.h), in UTF-8.
 */
#ifndef TEXT_FOLD_H
#define TEXT_FOLD_H

#include <stddef.h>
#include <stdint.h>

#define FOLD_MAX_BYTES 4

/* Writes the folded character as UTF-8; returns the bytes written, 0 for a combining mark. */
size_t fold_character(uint32_t character, char out[FOLD_MAX_BYTES]);

#endif

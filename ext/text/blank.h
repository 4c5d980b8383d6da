/*
 * blank.h: what a text without anything in it is.
 */
#ifndef TEXT_BLANK_H
#define TEXT_BLANK_H

#include "base/span.h"

/* True for a text of no characters, or of white space alone: Unicode's White_Space, so U+00A0,
 * U+2028 and U+3000 as well as the blanks of ASCII. Bytes that are not UTF-8 are no white space. */
int text_is_blank(struct span text);

/* The same, but characters that nobody sees count too: controls, U+200B, U+FEFF, soft hyphens. */
int text_is_invisible(struct span text);

#endif

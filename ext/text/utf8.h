/*
 * utf8.h: UTF-8 as RFC 3629 defines it: no surrogates, nothing past U+10FFFF, no overlong forms.
 */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* True if the text is valid; else *offset (may be NULL) is the byte at which the first bad
 * character begins. */
int utf8_check(struct span text, size_t *offset);

/* Copies to out [text.size], with a space for each NUL and for each byte that is in no valid
 * character. */
void utf8_repair(struct span text, char *out);

/* Whether a byte goes on with a character that began before it. */
static inline int utf8_is_inside(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* Where the character begins that ends at `at`, not before `start`. start < at. */
const char *utf8_before(const char *start, const char *at);

/* The character at *at, which is moved past it. A byte that begins no valid character counts as
 * U+FFFD. *at < end. */
uint32_t utf8_next(const char **at, const char *end);

/* Writes a character, 1 to 4 bytes; returns how many. */
size_t utf8_put(uint32_t character, char *out);

#endif

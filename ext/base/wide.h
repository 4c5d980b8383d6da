/*
 * wide.h: texts as Windows takes and gives them, in UTF-16. Nowhere else is there any of it.
 */
#ifndef BASE_WIDE_H
#define BASE_WIDE_H
#ifdef _WIN32

#include <stddef.h>
#include <wchar.h>

/* With their NUL. Whether it fits, and is valid; else the result is empty. */
int wide_from_utf8(const char *text, wchar_t *wide, size_t capacity);
int wide_to_utf8(const wchar_t *wide, char *text, size_t capacity);

/* What the system says of an error's number, without a line end. */
const char *wide_reason(unsigned long number, char *text, size_t capacity);

#endif
#endif

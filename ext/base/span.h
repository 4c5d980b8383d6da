/*
 * span.h: borrowed bytes, usually UTF-8 text. Not NUL terminated.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>

struct span {
    const char *data; /* may be NULL when size is 0 */
    size_t size;      /* bytes */
};

#endif

/*
 * buffer.h: bytes that grow, up to a ceiling named at birth (as curl's dynbuf does it).
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>

#include "base/error.h"

struct buffer {
    char *data; /* owned; NULL while empty */
    size_t size, capacity, ceiling;
};

/* An empty buffer that never holds more than `ceiling` bytes. Allocates nothing. */
void buffer_init(struct buffer *buffer, size_t ceiling);
void buffer_deinit(struct buffer *buffer);

/* Makes it empty, keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Room for `extra` more bytes. ERROR_NOMEM, or ERROR_INVALID past the ceiling. */
int buffer_reserve(struct buffer *buffer, size_t extra, struct error *err);

/* Appends bytes / printf text. Errors of buffer_reserve; the buffer is unchanged then. */
int buffer_append(struct buffer *buffer, const void *data, size_t size, struct error *err);
int buffer_format(struct buffer *buffer, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

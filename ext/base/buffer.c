#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void buffer_init(struct buffer *buffer, size_t ceiling)
{
    *buffer = (struct buffer){.ceiling = ceiling};
}

void buffer_deinit(struct buffer *buffer)
{
    memory_free(buffer->data);
    *buffer = (struct buffer){.ceiling = buffer->ceiling};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

int buffer_reserve(struct buffer *buffer, size_t extra, struct error *err)
{
    if (extra > buffer->ceiling - buffer->size)
        return error_set(err, ERROR_INVALID, "more than %zu bytes", buffer->ceiling);
    size_t needed = buffer->size + extra;
    if (needed <= buffer->capacity) return 0;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < needed)
        capacity = capacity > buffer->ceiling / 2 ? buffer->ceiling : capacity * 2;
    char *data = memory_realloc(buffer->data, capacity, 1);
    if (data == NULL) return error_nomem(err);
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

int buffer_append(struct buffer *buffer, const void *data, size_t size, struct error *err)
{
    int rc = buffer_reserve(buffer, size, err);
    if (rc != 0) return rc;
    if (size != 0) memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return 0;
}

int buffer_format(struct buffer *buffer, struct error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) return error_set(err, ERROR_INVALID, "text cannot be formatted");
    int rc = buffer_reserve(buffer, (size_t)length + 1, err);
    if (rc != 0) return rc;
    va_start(arguments, format);
    vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
    return 0;
}

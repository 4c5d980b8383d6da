#include "base/file.h"

int file_read_whole(const char *path, struct buffer *buffer, struct error *err)
{
    struct file file;
    int rc = file_open(path, &file, err);
    if (rc != 0) return rc;
    /* SIZE_MAX is past every ceiling. */
    size_t size = file.size < SIZE_MAX ? (size_t)file.size : SIZE_MAX;
    rc = buffer_reserve(buffer, size, err);
    if (rc == 0) rc = file_read(&file, 0, buffer->data, size, err);
    if (rc == 0) buffer->size = size;
    file_close(&file);
    if (rc != 0) error_context(err, "%.300s", path);
    return rc;
}

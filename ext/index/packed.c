#include "index/packed.h"

#include <string.h>

#include "base/memory.h"

#define LEAST_ROWS 64

void index_packed_deinit(struct index_packed *packed)
{
    memory_free(packed->ids);
    memory_free(packed->rows);
    *packed = (struct index_packed){0};
}

static uint64_t bytes_of(const struct index_packed *packed, size_t capacity)
{
    return (uint64_t)capacity * (packed->row_size + sizeof *packed->ids);
}

uint64_t index_packed_bytes(const struct index_packed *packed)
{
    return bytes_of(packed, packed->capacity);
}

/* Room for twice the rows, or for as many as may be held. */
static int grow(struct index_packed *packed, uint64_t max_bytes)
{
    size_t capacity = packed->n < LEAST_ROWS / 2 ? LEAST_ROWS : packed->n * 2;
    uint64_t most = max_bytes / (packed->row_size + sizeof *packed->ids);
    if (capacity > most) capacity = (size_t)most;
    if (capacity <= packed->n) return 0;
    int64_t *ids = memory_realloc(packed->ids, capacity, sizeof *ids);
    if (ids == NULL) return 0;
    packed->ids = ids;
    unsigned char *rows = memory_realloc(packed->rows, capacity, packed->row_size);
    if (rows == NULL) return 0;
    packed->rows = rows;
    packed->capacity = capacity;
    return 1;
}

int index_packed_add(struct index_packed *packed, int64_t id, const void *bytes, size_t size,
                     uint64_t max_bytes)
{
    if (packed->n == 0) packed->row_size = size;
    if (size == 0 || size != packed->row_size) return 0;
    if (packed->n > 0 && packed->ids[packed->n - 1] >= id) return 0;
    if (packed->n == packed->capacity && !grow(packed, max_bytes)) return 0;
    packed->ids[packed->n] = id;
    memcpy(packed->rows + packed->n * size, bytes, size);
    packed->n++;
    return 1;
}

const void *index_packed_find(const struct index_packed *packed, int64_t id)
{
    size_t low = 0, high = packed->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (packed->ids[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low < packed->n && packed->ids[low] == id ? packed->rows + low * packed->row_size : NULL;
}

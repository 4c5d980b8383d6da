#include "index/block.h"

#include <math.h>
#include <string.h>

#include "vector/distance.h"
#include "vector/rotate.h"

#define BLOCK_BYTES ((size_t)256 << 10) /* of a full block, about */
#define FEWEST_ROWS 16
#define MOST_ROWS 2048

enum vector_code index_code(const struct index_layout *layout)
{
    return layout->quantize == INDEX_BIT ? VECTOR_BIT : VECTOR_INT8;
}

static size_t stride_of(const struct index_layout *layout)
{
    return layout->quantize == INDEX_EXACT
               ? layout->dimensions * sizeof(float)
               : vector_code_size(index_code(layout), layout->dimensions);
}

static size_t row_size(const struct index_layout *layout)
{
    size_t head = layout->quantize == INDEX_EXACT ? 0 : sizeof(struct vector_code_head);
    return sizeof(int64_t) + head + stride_of(layout);
}

size_t index_block_size(const struct index_layout *layout, size_t capacity)
{
    return capacity * row_size(layout);
}

size_t index_block_capacity(const struct index_layout *layout, size_t n_rows)
{
    size_t most = BLOCK_BYTES / row_size(layout);
    if (most > MOST_ROWS) most = MOST_ROWS;
    if (most < FEWEST_ROWS) most = FEWEST_ROWS;
    return n_rows < FEWEST_ROWS ? FEWEST_ROWS : n_rows > most ? most : n_rows;
}

void index_block_arrays(const struct index_layout *layout, size_t capacity,
                        struct index_arrays *arrays)
{
    size_t number = layout->quantize == INDEX_EXACT ? 0 : sizeof(float), at = 0;
    *arrays =
        (struct index_arrays){.size = {sizeof(int64_t), number, number, number, stride_of(layout)}};
    for (size_t i = 0; i < INDEX_ARRAYS; at += capacity * arrays->size[i++]) arrays->offset[i] = at;
}

struct index_rows index_block_rows(const struct index_layout *layout, void *bytes, size_t capacity)
{
    struct index_arrays arrays;
    unsigned char *at = bytes;
    index_block_arrays(layout, capacity, &arrays);
    struct index_rows rows = {
        .ids = bytes, .components = at + arrays.offset[4], .stride = arrays.size[4]};
    if (layout->quantize == INDEX_EXACT) return rows;
    rows.offsets = (float *)(void *)(at + arrays.offset[1]);
    rows.scales = (float *)(void *)(at + arrays.offset[2]);
    rows.errors = (float *)(void *)(at + arrays.offset[3]);
    return rows;
}

void index_row_write(const struct index_layout *layout, const struct index_rows *rows, size_t i,
                     int64_t id, const float *vector, const float *in_code_space,
                     const float *centroid)
{
    unsigned char *components = rows->components + i * rows->stride;
    rows->ids[i] = id;
    if (layout->quantize == INDEX_EXACT) {
        memcpy(components, vector, rows->stride);
        return;
    }
    struct vector_code_head head;
    vector_code_encode(index_code(layout), index_metrics[layout->metric].form, in_code_space,
                       centroid, layout->dimensions, &head, components);
    rows->offsets[i] = head.offset;
    rows->scales[i] = head.scale;
    rows->errors[i] = head.error;
}

size_t index_row_find(const struct index_rows *rows, size_t n, int64_t id)
{
    size_t i = 0;
    while (i < n && rows->ids[i] != id) i++;
    return i;
}

void index_code_space(const struct index_layout *layout, const float *vector, float *rotated)
{
    size_t dimensions = layout->dimensions;
    int is_unit = index_metrics[layout->metric].of_directions &&
                  vector_normalize(vector, dimensions, rotated);
    if (!is_unit) memmove(rotated, vector, dimensions * sizeof *rotated);
    vector_rotate(rotated, dimensions);
}

int index_block_check(const struct index_layout *layout, const struct index_rows *rows, size_t n,
                      struct error *err)
{
    if (layout->quantize == INDEX_EXACT) return 0;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(rows->offsets[i]) || !isfinite(rows->scales[i]) || rows->scales[i] < 0 ||
            !isfinite(rows->errors[i]) || rows->errors[i] < 0)
            return error_set(err, ERROR_CORRUPT,
                             "row %lld: the numbers of its code are not finite ('optimize' mends "
                             "it)",
                             (long long)rows->ids[i]);
    return 0;
}

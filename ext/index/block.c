#include "index/block.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "vector/compact.h"
#include "vector/distance.h"
#include "vector/half.h"
#include "vector/rotate.h"

#define BLOCK_BYTES ((size_t)256 << 10) /* of a full block, about */
#define FEWEST_ROWS 16
#define MOST_ROWS 2048

enum vector_code index_code(const struct index_layout *layout)
{
    return layout->quantize == INDEX_BIT ? VECTOR_BIT : VECTOR_INT8;
}

int index_layout_is_same(const struct index_layout *a, const struct index_layout *b)
{
    return a->metric == b->metric && a->quantize == b->quantize && a->vectors == b->vectors &&
           a->dimensions == b->dimensions;
}

static size_t stride_of(const struct index_layout *layout)
{
    return layout->quantize == INDEX_EXACT
               ? index_vector_size(layout)
               : vector_code_size(index_code(layout), layout->dimensions);
}

static size_t row_size(const struct index_layout *layout)
{
    size_t head = layout->quantize == INDEX_EXACT ? 0 : sizeof(struct vector_code_head);
    return sizeof(int64_t) + head + stride_of(layout);
}

size_t index_block_size(const struct index_layout *layout, size_t capacity)
{
    size_t row = row_size(layout), most = SIZE_MAX / 2;
    return capacity > most / row ? most : capacity * row;
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
                     int64_t id, const void *stored, const float *in_code_space,
                     const float *centroid)
{
    unsigned char *components = rows->components + i * rows->stride;
    rows->ids[i] = id;
    if (layout->quantize == INDEX_EXACT) {
        memcpy(components, stored, rows->stride);
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
    if (layout->vectors != INDEX_COMPACT) vector_rotate(rotated, dimensions);
}

/* ---- stored vectors -------------------------------------------------------------------------- */

size_t index_vector_size(const struct index_layout *layout)
{
    if (layout->vectors == INDEX_COMPACT) return vector_compact_size(layout->dimensions);
    if (layout->vectors == INDEX_HALF) return vector_half_size(layout->dimensions);
    return layout->dimensions * sizeof(float);
}

const struct index_sums *index_vector_sums(const struct index_layout *layout)
{
    return &index_sums[layout->vectors];
}

void index_vector_write(const struct index_layout *layout, const float *vector, float *scratch,
                        void *stored)
{
    if (layout->vectors == INDEX_COMPACT)
        vector_compact_encode(vector, layout->dimensions, scratch, stored);
    else if (layout->vectors == INDEX_HALF) vector_half_encode(vector, layout->dimensions, stored);
    else memcpy(stored, vector, index_vector_size(layout));
}

void index_vector_point(const struct index_layout *layout, const void *stored, float *point)
{
    const float *vector = stored;
    if (layout->vectors == INDEX_COMPACT) {
        vector_compact_decode(stored, layout->dimensions, point);
        vector = point;
    } else if (layout->vectors == INDEX_HALF) {
        vector_half_decode(stored, layout->dimensions, point);
        vector = point;
    }
    index_code_space(layout, vector, point);
}

void index_vector_read(const struct index_layout *layout, const void *stored, float *vector)
{
    if (layout->vectors == INDEX_COMPACT) vector_compact_read(stored, layout->dimensions, vector);
    else if (layout->vectors == INDEX_HALF) vector_half_decode(stored, layout->dimensions, vector);
    else memcpy(vector, stored, index_vector_size(layout));
}

static int check_small(const struct index_layout *layout, int64_t id, const void *stored,
                       int *is_zero, struct error *err)
{
    int is_compact = layout->vectors == INDEX_COMPACT;
    if (is_compact ? vector_compact_is_valid(stored, layout->dimensions, is_zero)
                   : vector_half_is_valid(stored, layout->dimensions, is_zero))
        return 0;
    return error_set(err, ERROR_CORRUPT,
                     "row %lld: the bytes of its vector are none that storage = '%s' writes",
                     (long long)id, is_compact ? "int8" : "float16");
}

static int check_float32(const struct index_layout *layout, int64_t id, const void *stored,
                         int *is_zero, struct error *err)
{
    *is_zero = 1;
    for (size_t i = 0; i < layout->dimensions; i++) {
        float component;
        memcpy(&component, (const char *)stored + i * sizeof component, sizeof component);
        if (!isfinite(component))
            return error_set(err, ERROR_CORRUPT,
                             "row %lld: component %zu of its vector is not finite", (long long)id,
                             i);
        if (component != 0.0f) *is_zero = 0;
    }
    return 0;
}

int index_vector_check(const struct index_layout *layout, int64_t id, const void *stored,
                       size_t size, struct error *err)
{
    size_t expected = index_vector_size(layout);
    int is_zero, rc;
    if (size != expected || stored == NULL)
        return error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                         (long long)id, expected, size);
    rc = layout->vectors == INDEX_FLOAT32 ? check_float32(layout, id, stored, &is_zero, err)
                                          : check_small(layout, id, stored, &is_zero, err);
    if (rc == 0 && is_zero && index_metrics[layout->metric].of_directions)
        rc = error_set(err, ERROR_CORRUPT, "row %lld: its vector is zero", (long long)id);
    return rc;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

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

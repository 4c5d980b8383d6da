#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "index/block.h"
#include "vector/random.h"
#include "vector/rotate.h"

enum { CAPACITY = 20, MOST = 40 };

static const size_t dimensions[] = {1, 3, 8, 33, MOST};
static const enum index_quantize codes[] = {INDEX_EXACT, INDEX_INT8, INDEX_BIT};

static void for_each_layout(void (*test)(const struct index_layout *layout))
{
    for (size_t i = 0; i < 135; i++) {
        struct index_layout layout = {(enum index_metric)(i % 3), codes[i / 3 % 3],
                                      dimensions[i / 9 % 5], (enum index_vectors)(i / 45)};
        test(&layout);
    }
}

static size_t row_bytes(const struct index_layout *layout)
{
    if (layout->quantize == INDEX_EXACT && layout->vectors == INDEX_COMPACT)
        return 8 + 4 + layout->dimensions;
    if (layout->quantize == INDEX_EXACT && layout->vectors == INDEX_HALF)
        return 8 + 2 * layout->dimensions;
    if (layout->quantize == INDEX_EXACT) return 8 + 4 * layout->dimensions;
    if (layout->quantize == INDEX_INT8) return 8 + 12 + layout->dimensions;
    return 8 + 12 + (layout->dimensions + 7) / 8;
}

/* The arrays lie one behind the other, as the header says. */
static void arrays(const struct index_layout *layout)
{
    size_t size = index_block_size(layout, CAPACITY);
    assert_int_equal(size, CAPACITY * row_bytes(layout));
    unsigned char *bytes = malloc(size);
    struct index_rows rows = index_block_rows(layout, bytes, CAPACITY);
    assert_ptr_equal(rows.ids, bytes);
    if (layout->quantize == INDEX_EXACT) {
        assert_null(rows.offsets);
        assert_ptr_equal(rows.components, bytes + 8 * CAPACITY);
    } else {
        assert_ptr_equal(rows.offsets, bytes + 8 * CAPACITY);
        assert_ptr_equal(rows.scales, bytes + 12 * CAPACITY);
        assert_ptr_equal(rows.errors, bytes + 16 * CAPACITY);
        assert_ptr_equal(rows.components, bytes + 20 * CAPACITY);
    }
    assert_ptr_equal(rows.components + CAPACITY * rows.stride, bytes + size);
    free(bytes);
    assert_true(index_block_size(layout, SIZE_MAX / row_bytes(layout) + 2) == SIZE_MAX / 2);
}

static void test_arrays(void **state)
{
    (void)state;
    for_each_layout(arrays);
}

/* What was written is found again, in the arrays that hold all of it: each row can be moved
 * alone. */
static void write_and_move(const struct index_layout *layout)
{
    size_t size = index_block_size(layout, CAPACITY);
    float vector[MOST], rotated[MOST], centroid[MOST], stored[MOST + 1];
    uint64_t random = 1;
    unsigned char *bytes = calloc(1, size), *other = calloc(1, size);
    struct index_rows rows = index_block_rows(layout, bytes, CAPACITY);
    struct index_rows others = index_block_rows(layout, other, CAPACITY);
    random_vector(&random, layout->dimensions, centroid);
    for (size_t i = 0; i < CAPACITY; i++) {
        random_vector(&random, layout->dimensions, vector);
        index_vector_write(layout, vector, rotated, stored);
        index_vector_point(layout, stored, rotated);
        int64_t id = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : (int64_t)i;
        index_row_write(layout, &rows, i, id, stored, rotated, i % 2 ? centroid : NULL);
        index_row_write(layout, &others, CAPACITY - 1 - i, id, stored, rotated,
                        i % 2 ? centroid : NULL);
        if (layout->quantize == INDEX_EXACT)
            assert_memory_equal(rows.components + i * rows.stride, stored, rows.stride);
    }
    assert_int_equal(index_block_check(layout, &rows, CAPACITY, NULL), 0);
    for (size_t i = 0; i < CAPACITY; i++) {
        assert_int_equal(index_row_find(&rows, CAPACITY, rows.ids[i]), i);
        assert_int_equal(index_row_find(&others, CAPACITY, rows.ids[i]), CAPACITY - 1 - i);
    }
    assert_int_equal(index_row_find(&rows, CAPACITY, 12345), CAPACITY);
    assert_int_equal(index_row_find(&rows, 5, rows.ids[5]), 5);
    struct index_arrays arrays;
    size_t covered = 0;
    index_block_arrays(layout, CAPACITY, &arrays);
    for (size_t a = 0; a < INDEX_ARRAYS; a++) {
        assert_int_equal(arrays.size[a] == 0 ? covered : arrays.offset[a], covered);
        covered += arrays.size[a] * CAPACITY;
        for (size_t i = 0; i < CAPACITY; i++)
            assert_memory_equal(bytes + arrays.offset[a] + i * arrays.size[a],
                                other + arrays.offset[a] + (CAPACITY - 1 - i) * arrays.size[a],
                                arrays.size[a]);
    }
    assert_int_equal(covered, size);
    free(bytes);
    free(other);
}

static void test_write_and_move(void **state)
{
    (void)state;
    for_each_layout(write_and_move);
}

/* What is read of a stored vector is the vector, to the bit or as near as bytes come; its point is
 * that of what is read. Bytes that are none name their row. */
static void stored_vectors(const struct index_layout *layout)
{
    size_t n = layout->dimensions, size = index_vector_size(layout);
    float vector[MOST], read[MOST], point[MOST], expected[MOST], stored[MOST + 1];
    struct index_layout as_floats = *layout;
    struct error err = {0};
    uint64_t random = 6;
    as_floats.vectors = INDEX_FLOAT32;
    random_vector(&random, n, vector);
    assert_int_equal(size, layout->vectors == INDEX_COMPACT ? 4 + n
                           : layout->vectors == INDEX_HALF  ? 2 * n
                                                            : 4 * n);
    index_vector_write(layout, vector, point, stored);
    assert_int_equal(index_vector_check(layout, 5, stored, size, &err), 0);
    index_vector_read(layout, stored, read);
    if (layout->vectors == INDEX_FLOAT32) assert_memory_equal(read, vector, size);
    index_vector_point(layout, stored, point);
    index_code_space(&as_floats, read, expected);
    for (size_t i = 0; i < n; i++) {
        assert_true(fabsf(read[i] - vector[i]) < 0.1f);
        assert_true(fabsf(point[i] - expected[i]) < 1e-5f);
    }
    assert_int_equal(index_vector_check(layout, 5, stored, size - 1, &err), ERROR_CORRUPT);
    assert_int_equal(index_vector_check(layout, 5, NULL, size, &err), ERROR_CORRUPT);
    memset(stored, 0xFF, sizeof stored);
    assert_int_equal(index_vector_check(layout, 5, stored, size, &err), ERROR_CORRUPT);
    assert_non_null(strstr(err.text, "row 5:"));
    memset(stored, 0, sizeof stored);
    assert_int_equal(index_vector_check(layout, 5, stored, size, &err),
                     layout->metric == INDEX_COSINE ? ERROR_CORRUPT : 0);
}

static void test_stored_vectors(void **state)
{
    (void)state;
    for_each_layout(stored_vectors);
}

/* Code space keeps norms: of the unit vector for cosine, else of the vector. */
static void code_space(const struct index_layout *layout)
{
    float vector[MOST], rotated[MOST];
    uint64_t random = 5;
    if (layout->vectors == INDEX_COMPACT) return; /* there the rotation is done before */
    random_vector(&random, layout->dimensions, vector);
    index_code_space(layout, vector, rotated);
    double before = 0.0, after = 0.0;
    for (size_t i = 0; i < layout->dimensions; i++) {
        before += (double)vector[i] * (double)vector[i];
        after += (double)rotated[i] * (double)rotated[i];
    }
    if (layout->metric == INDEX_COSINE) before = 1.0;
    assert_true(fabs(before - after) <= 1e-5 * before);
    index_code_space(layout, vector, vector); /* in place */
    assert_memory_equal(vector, rotated, layout->dimensions * sizeof *vector);
    memset(vector, 0, sizeof vector);
    index_code_space(layout, vector, rotated);
    for (size_t i = 0; i < layout->dimensions; i++) assert_true(rotated[i] == 0.0f);
}

static void test_code_space(void **state)
{
    (void)state;
    for_each_layout(code_space);
}

static void damage(const struct index_layout *layout)
{
    if (layout->quantize == INDEX_EXACT) return;
    static const float wrong[] = {NAN, INFINITY, -INFINITY, -1.0f, -1e-45f};
    unsigned char *bytes = calloc(1, index_block_size(layout, CAPACITY));
    struct index_rows rows = index_block_rows(layout, bytes, CAPACITY);
    for (size_t i = 0; i < CAPACITY; i++) rows.ids[i] = 100 + (int64_t)i;
    float *numbers[] = {rows.offsets, rows.scales, rows.errors};
    assert_int_equal(index_block_check(layout, &rows, CAPACITY, NULL), 0);
    for (size_t which = 0; which < 3; which++)
        for (size_t i = 0; i < (which == 0 ? 3 : 5); i++) {
            struct error err = {0};
            numbers[which][11] = wrong[i];
            assert_int_equal(index_block_check(layout, &rows, 11, &err), 0);
            assert_int_equal(index_block_check(layout, &rows, 12, &err), ERROR_CORRUPT);
            assert_non_null(strstr(err.text, "row 111:"));
            numbers[which][11] = 0.0f;
        }
    free(bytes);
}

static void test_damage(void **state)
{
    (void)state;
    for_each_layout(damage);
}

/* Blocks double, between some rows and about 256 KB. */
static void test_capacities(void **state)
{
    (void)state;
    static const size_t all[] = {1, 3, 384, 768, 65536};
    for (size_t i = 0; i < 45; i++) {
        struct index_layout layout = {INDEX_DOT, codes[i % 3], all[i / 3 % 5],
                                      (enum index_vectors)(i / 15)};
        size_t full = index_block_capacity(&layout, SIZE_MAX / 4);
        assert_true(full >= 16 && full <= 2048);
        if (full > 16) assert_true(index_block_size(&layout, full) <= (size_t)256 << 10);
        for (size_t n = 0; n < 5000; n++) {
            size_t capacity = index_block_capacity(&layout, n);
            assert_int_equal(capacity, n < 16 ? 16 : n < full ? n : full);
        }
    }
}

static void test_codes(void **state)
{
    (void)state;
    struct index_layout layout = {INDEX_COSINE, INDEX_INT8, 4, INDEX_FLOAT32};
    assert_int_equal(index_code(&layout), VECTOR_INT8);
    layout = (struct index_layout){INDEX_L2, INDEX_BIT, 4, INDEX_FLOAT32};
    assert_int_equal(index_code(&layout), VECTOR_BIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays),         cmocka_unit_test(test_write_and_move),
        cmocka_unit_test(test_code_space),     cmocka_unit_test(test_damage),
        cmocka_unit_test(test_capacities),     cmocka_unit_test(test_codes),
        cmocka_unit_test(test_stored_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "vector/codec.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "vector/decimal.h"
#include "vector/simd/kernels.h"

/* Vectors are stored as they lie in memory. A big-endian machine would write files that no other
 * reads. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "vectors are little-endian in memory and in files");
_Static_assert(sizeof(float) == 4, "vectors are made of 4-byte floats");

/* ERROR_INVALID, naming the component, if one is not finite. */
static int check_components(const void *vector, size_t dimensions, struct error *err)
{
    for (size_t i = 0; i < dimensions; i++) {
        double value = vector_component(vector, i);
        if (isfinite(value)) continue;
        return error_set(err, ERROR_INVALID, "component %zu is %s", i,
                         isnan(value) ? "NaN" : "infinite");
    }
    return 0;
}

int vector_check(const void *bytes, size_t size, size_t *dimensions, struct error *err)
{
    if (size == 0) return error_set(err, ERROR_INVALID, "expected a vector, not an empty blob");
    if (size % 4 != 0) {
        return error_set(err, ERROR_INVALID,
                         "expected a length that is a multiple of 4 bytes, not %zu", size);
    }
    if (size / 4 > VECTOR_MAX_DIMENSIONS) {
        return error_set(err, ERROR_INVALID, "expected at most %d dimensions, not %zu",
                         VECTOR_MAX_DIMENSIONS, size / 4);
    }
    /* A finite sum of squares has finite terms; one that is not may have overflowed. */
    if (!isfinite(vector_kernels_chosen()->dot(bytes, bytes, size / 4))) {
        int rc = check_components(bytes, size / 4, err);
        if (rc != 0) return rc;
    }
    *dimensions = size / 4;
    return 0;
}

/* The array as far as it is read. */
struct reader {
    struct span json;
    size_t at; /* the next byte */
    float *vector;
    size_t dimensions, capacity;
};

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->json.size &&
           memchr(" \t\n\r", reader->json.data[reader->at], 4) != NULL)
        reader->at++;
}

/* Takes the next byte if it is `wanted`. */
static int take(struct reader *reader, char wanted)
{
    skip_space(reader);
    if (reader->at >= reader->json.size || reader->json.data[reader->at] != wanted) return 0;
    reader->at++;
    return 1;
}

static const char *kind_of_value(const struct reader *reader)
{
    switch (reader->json.data[reader->at]) {
    case '"':
        return "a string";
    case '[':
        return "an array";
    case '{':
        return "an object";
    case 'n':
        return "null";
    case 't':
    case 'f':
        return "a boolean";
    default:
        return "other text";
    }
}

static int unexpected(const struct reader *reader, const char *wanted, struct error *err)
{
    if (reader->at >= reader->json.size)
        return error_set(err, ERROR_INVALID, "expected %s at byte %zu, where the text ends", wanted,
                         reader->at);
    return error_set(err, ERROR_INVALID, "expected %s at byte %zu", wanted, reader->at);
}

static int grow(struct reader *reader, struct error *err)
{
    if (reader->dimensions < reader->capacity) return 0;
    if (reader->capacity == VECTOR_MAX_DIMENSIONS) {
        return error_set(err, ERROR_INVALID, "expected at most %d dimensions, not more",
                         VECTOR_MAX_DIMENSIONS);
    }
    size_t capacity =
        reader->capacity == 0 ? 128 : reader->capacity * 2; /* meets the maximum exactly */
    float *vector = memory_realloc(reader->vector, capacity, sizeof *vector);
    if (vector == NULL) return error_nomem(err);
    reader->vector = vector;
    reader->capacity = capacity;
    return 0;
}

static int read_component(struct reader *reader, struct error *err)
{
    skip_space(reader);
    if (reader->at >= reader->json.size) return unexpected(reader, "a number", err);
    struct span rest = {reader->json.data + reader->at, reader->json.size - reader->at};
    float value;
    size_t size = vector_decimal_parse(rest, &value);
    if (size == 0) {
        return error_set(err, ERROR_INVALID,
                         "expected a number as component %zu, not %s (byte %zu)",
                         reader->dimensions, kind_of_value(reader), reader->at);
    }
    if (!isfinite(value)) {
        return error_set(err, ERROR_INVALID,
                         "component %zu is beyond the range of float32 (byte %zu)",
                         reader->dimensions, reader->at);
    }
    int rc = grow(reader, err);
    if (rc != 0) return rc;
    reader->vector[reader->dimensions++] = value;
    reader->at += size;
    return 0;
}

static int read_array(struct reader *reader, struct error *err)
{
    if (!take(reader, '[')) return unexpected(reader, "'[' of a JSON array of numbers", err);
    if (take(reader, ']'))
        return error_set(err, ERROR_INVALID, "expected at least one number, not an empty array");
    do {
        int rc = read_component(reader, err);
        if (rc != 0) return rc;
    } while (take(reader, ','));
    if (!take(reader, ']')) return unexpected(reader, "',' or ']'", err);
    skip_space(reader);
    if (reader->at < reader->json.size)
        return error_set(err, ERROR_INVALID, "unexpected text after the array at byte %zu",
                         reader->at);
    return 0;
}

int vector_parse_json(struct span json, float **vector, size_t *dimensions, struct error *err)
{
    struct reader reader = {.json = json};
    int rc = read_array(&reader, err);
    if (rc != 0) {
        memory_free(reader.vector);
        reader.vector = NULL;
        reader.dimensions = 0;
    }
    *vector = reader.vector;
    *dimensions = reader.dimensions;
    return rc;
}

int vector_format_json(const void *vector, size_t dimensions, struct buffer *out, struct error *err)
{
    const unsigned char *bytes = vector;
    for (size_t i = 0; i < dimensions; i++) {
        float value;
        memcpy(&value, bytes + 4 * i, sizeof value);
        char text[VECTOR_DECIMAL_SIZE + 1] = {i == 0 ? '[' : ','};
        size_t size = vector_decimal_format(value, text + 1);
        int rc = buffer_append(out, text, size + 1, err);
        if (rc != 0) return rc;
    }
    return buffer_append(out, "]", 1, err);
}

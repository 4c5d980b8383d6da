/*
 * fuzz_vector.c: any bytes as a vector's JSON text and as its BLOB. What is accepted must come back
 * with the same bits after it was written as JSON and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "vector/codec.h"

static void expect_same_again(const float *vector, size_t dimensions)
{
    struct error err = {0};
    struct buffer json;
    float *again = NULL;
    size_t n = 0;
    buffer_init(&json, 64u * VECTOR_MAX_DIMENSIONS);
    if (vector_format_json(vector, dimensions, &json, &err) != 0) abort();
    if (vector_parse_json((struct span){json.data, json.size}, &again, &n, &err) != 0) abort();
    if (n != dimensions || memcmp(vector, again, n * sizeof *again) != 0) abort();
    memory_free(again);
    buffer_deinit(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    float *vector = NULL;
    size_t dimensions = 0;
    if (vector_parse_json((struct span){(const char *)data, size}, &vector, &dimensions, &err) == 0)
        expect_same_again(vector, dimensions);
    memory_free(vector);
    if (vector_check(data, size, &dimensions, &err) == 0) {
        float *aligned = memory_alloc(dimensions, sizeof *aligned);
        if (aligned == NULL) return 0;
        memcpy(aligned, data, size);
        expect_same_again(aligned, dimensions);
        memory_free(aligned);
    }
    return 0;
}

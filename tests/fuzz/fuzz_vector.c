/*
 * fuzz_vector.c: any bytes as a vector's JSON text, as its BLOB and as its quantised code. A vector
 * that is accepted must come back with the same bits after it was written as JSON and read again; a
 * code that is accepted gives finite estimates.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "vector/codec.h"
#include "vector/quantize.h"

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

static void estimate(const struct vector_code_query *query, const void *code)
{
    if (!isfinite(vector_code_dot(query, code)) || !isfinite(vector_code_cosine(query, code)))
        abort();
    if (!(vector_code_squared_l2(query, code) >= 0)) abort();
}

/* A vector meets the hostile code of as many dimensions, and its own. */
static void expect_finite_estimates(enum vector_code kind, const void *vector, size_t dimensions,
                                    const void *code, size_t code_size)
{
    struct error err = {0};
    struct vector_code_query *query = NULL;
    size_t size = vector_code_size(kind, dimensions);
    void *own = memory_alloc(size, 1);
    if (own == NULL || vector_code_query_new(kind, vector, dimensions, &query, &err) != 0) abort();
    vector_code_encode(kind, vector, dimensions, own);
    if (vector_code_check(kind, own, size, dimensions, &err) != 0) abort();
    estimate(query, own);
    if (vector_code_check(kind, code, code_size, dimensions, &err) == 0) estimate(query, code);
    vector_code_query_free(query);
    memory_free(own);
}

/* The bytes are a vector and the code it meets, both at addresses that nothing aligns. */
static void quantise(const uint8_t *data, size_t size)
{
    struct error err = {0};
    size_t dimensions = size < 8 ? 0 : (size - 8) / 5;
    for (int kind = VECTOR_INT8; kind <= VECTOR_BIT; kind++) {
        size_t n = dimensions;
        if (n == 0 || vector_check(data, 4 * n, &n, &err) != 0) return;
        expect_finite_estimates((enum vector_code)kind, data, n, data + 4 * n,
                                vector_code_size((enum vector_code)kind, n));
    }
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
    quantise(data, size);
    if (vector_check(data, size, &dimensions, &err) == 0) {
        float *aligned = memory_alloc(dimensions, sizeof *aligned);
        if (aligned == NULL) return 0;
        memcpy(aligned, data, size);
        expect_same_again(aligned, dimensions);
        memory_free(aligned);
    }
    return 0;
}

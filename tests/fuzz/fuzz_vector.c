/*
 * fuzz_vector.c: any bytes as a vector's JSON text, as its BLOB and as its quantised code. A vector
 * that is accepted must come back with the same bits after it was written as JSON and read again;
 * the bound of its code is not below what it bounds, that of any other bytes is a number.
 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "vector/codec.h"
#include "vector/distance.h"
#include "vector/quantize.h"
#include "vector/rotate.h"

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

/* Vectors of n components, at addresses that nothing aligns made into floats. */
struct input {
    float *query, *vector;  /* finite */
    const float *centroid;  /* NULL for the origin */
    const uint8_t *hostile; /* any bytes, as many as components of a code */
    float head[3];          /* any floats */
    size_t n;
};

/* The bound of a code: a number, or infinite. */
static float bound_of(const struct vector_code_query *query, const struct vector_code_bound *bound,
                      const struct vector_code_head *head, const void *components)
{
    float value;
    struct vector_codes codes = {&head->offset, &head->scale, &head->error, components, 1};
    vector_code_bounds(query, &codes, bound, &value);
    if (!(value >= -FLT_MAX)) abort();
    return value;
}

/* <q, c> or -|q - c|^2, and |q - c|, as narrow as a caller has them. */
static struct vector_code_bound hard_bound(const struct input *input, enum vector_form form,
                                           double slack)
{
    double product = 0.0, squares = 0.0;
    for (size_t i = 0; i < input->n; i++) {
        double q = (double)input->query[i];
        double c = input->centroid == NULL ? 0.0 : (double)input->centroid[i];
        product += q * c;
        squares += (q - c) * (q - c);
    }
    double base = form == VECTOR_DOT ? product : -squares;
    base = fmin(fmax(base, -(double)FLT_MAX), (double)FLT_MAX);
    double radius = fmin(sqrt((double)input->n * squares), (double)FLT_MAX);
    return (struct vector_code_bound){(float)base, (float)radius,
                                      (float)fmin(slack, (double)FLT_MAX)};
}

/* No bound is below what it bounds, but for the rounding of its terms. */
static void meet(const struct input *input, enum vector_code kind, enum vector_form form)
{
    struct error err = {0};
    struct vector_code_query *query = NULL;
    struct vector_code_head head, hostile = {input->head[0], input->head[1], input->head[2]};
    unsigned char *own = memory_alloc(vector_code_size(kind, input->n), 1);
    if (own == NULL || vector_code_query_new(kind, input->query, input->n, &query, &err) != 0)
        abort();
    vector_code_encode(kind, form, input->vector, input->centroid, input->n, &head, own);
    if (!isfinite(head.offset) || !(head.scale >= 0.0f && head.scale <= FLT_MAX) ||
        !(head.error >= 0.0f && head.error <= FLT_MAX))
        abort();
    double slack = vector_code_slack(query, sqrt((double)input->n));
    struct vector_code_bound bound = hard_bound(input, form, slack);
    double exact = form == VECTOR_DOT ? vector_dot(input->query, input->vector, input->n)
                                      : -vector_squared_l2(input->query, input->vector, input->n);
    double largest = 0.0;
    for (size_t i = 0; i < input->n; i++) {
        double c = input->centroid == NULL ? 0.0 : (double)input->centroid[i];
        largest = fmax(largest, fmax(fabs((double)input->query[i]),
                                     fmax(fabs((double)input->vector[i]), fabs(c))));
    }
    double reserve = 1e-4 * (double)input->n * (double)input->n * largest * largest + 1e-30;
    if (bound.base < FLT_MAX && (double)bound_of(query, &bound, &head, own) < exact - reserve)
        abort();
    bound_of(query, &bound, &hostile, input->hostile);
    vector_code_query_free(query);
    memory_free(own);
}

/* The bytes are three vectors, a head and the components that it goes with. */
static void quantise(const uint8_t *data, size_t size)
{
    struct error err = {0};
    size_t n = size < 12 ? 0 : (size - 12) / 13, checked = 0;
    if (n == 0 || n > VECTOR_MAX_DIMENSIONS) return;
    if (vector_check(data, 4 * n, &checked, &err) != 0) return;
    if (vector_check(data + 4 * n, 4 * n, &checked, &err) != 0) return;
    if (vector_check(data + 8 * n, 4 * n, &checked, &err) != 0) return;
    float *floats = memory_alloc(3 * n, sizeof *floats);
    if (floats == NULL) return;
    memcpy(floats, data, 12 * n);
    struct input input = {.query = floats, .vector = floats + n, .n = n};
    input.hostile = data + 12 * n;
    memcpy(input.head, data + 13 * n, sizeof input.head);
    for (int i = 0; i < 8; i++) {
        input.centroid = i & 4 ? floats + 2 * n : NULL;
        meet(&input, i & 1 ? VECTOR_BIT : VECTOR_INT8, i & 2 ? VECTOR_SQUARED_L2 : VECTOR_DOT);
    }
    vector_rotate(floats, n);
    memory_free(floats);
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

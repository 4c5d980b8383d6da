#include "vector/quantize.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "vector/distance.h"
#include "vector/kernels.h"

#define INT8_LARGEST 127
#define PLANE_LARGEST ((1 << (VECTOR_PLANES - 1)) - 1)

struct head {
    float norm, scale;
};

struct vector_code_query {
    enum vector_code kind;
    size_t dimensions;
    double norm, scale;
    int32_t sum;     /* of all t_i */
    int8_t *rounded; /* t_i: [dimensions] */
    uint64_t
        *planes; /* the same as bits, VECTOR_BIT only: [ceil(dimensions / 64)][VECTOR_PLANES] */
};

size_t vector_code_size(enum vector_code kind, size_t dimensions)
{
    return sizeof(struct head) + (kind == VECTOR_INT8 ? dimensions : (dimensions + 7) / 8);
}

static double largest_magnitude(const void *vector, size_t dimensions)
{
    double largest = 0.0;
    for (size_t i = 0; i < dimensions; i++)
        largest = fmax(largest, fabs(vector_component(vector, i)));
    return largest;
}

/* The nearest of the whole numbers -limit..limit times the scale that is returned. */
static double round_components(const void *vector, size_t dimensions, int limit, int8_t *rounded)
{
    double largest = largest_magnitude(vector, dimensions);
    double units = largest == 0.0 ? 0.0 : limit / largest;
    for (size_t i = 0; i < dimensions; i++)
        rounded[i] = (int8_t)floor(vector_component(vector, i) * units + 0.5);
    return largest / limit;
}

static float narrow(double value)
{
    return value > (double)FLT_MAX ? FLT_MAX : (float)value;
}

static double take_signs(const void *vector, size_t dimensions, double norm, unsigned char *bits)
{
    double magnitudes = 0.0;
    memset(bits, 0, (dimensions + 7) / 8);
    for (size_t i = 0; i < dimensions; i++) {
        double value = vector_component(vector, i);
        magnitudes += fabs(value);
        if (value >= 0.0) bits[i / 8] |= (unsigned char)(1u << (i % 8));
    }
    return magnitudes == 0.0 ? 0.0 : norm * norm / magnitudes;
}

void vector_code_encode(enum vector_code kind, const void *vector, size_t dimensions, void *code)
{
    unsigned char *bytes = code;
    double norm = vector_norm(vector, dimensions), scale;
    if (kind == VECTOR_INT8)
        scale = round_components(vector, dimensions, INT8_LARGEST,
                                 (int8_t *)bytes + sizeof(struct head));
    else scale = take_signs(vector, dimensions, norm, bytes + sizeof(struct head));
    struct head head = {narrow(norm), narrow(scale)};
    memcpy(bytes, &head, sizeof head);
}

int vector_code_check(enum vector_code kind, const void *code, size_t size, size_t dimensions,
                      struct error *err)
{
    size_t expected = vector_code_size(kind, dimensions);
    if (size != expected)
        return error_set(err, ERROR_CORRUPT, "expected a code of %zu bytes, not %zu", expected,
                         size);
    struct head head;
    memcpy(&head, code, sizeof head);
    if (isfinite(head.norm) && isfinite(head.scale) && head.norm >= 0.0f && head.scale >= 0.0f)
        return 0;
    return error_set(err, ERROR_CORRUPT,
                     "the norm or the scale of a code is negative or not finite");
}

/* Bit j of t_i, in two's complement, to bit i % 64 of planes[i / 64][j]. */
static void spread_to_planes(struct vector_code_query *query)
{
    for (size_t i = 0; i < query->dimensions; i++) {
        uint64_t *planes = query->planes + i / 64 * VECTOR_PLANES;
        unsigned number = (unsigned)query->rounded[i];
        for (int j = 0; j < VECTOR_PLANES; j++)
            planes[j] |= (uint64_t)(number >> j & 1) << (i % 64);
    }
}

int vector_code_query_new(enum vector_code kind, const void *query, size_t dimensions,
                          struct vector_code_query **prepared, struct error *err)
{
    *prepared = NULL;
    struct vector_code_query *made = memory_zalloc(1, sizeof *made);
    if (made == NULL) return error_nomem(err);
    made->rounded = memory_alloc(dimensions, sizeof *made->rounded);
    if (kind == VECTOR_BIT)
        made->planes = memory_zalloc((dimensions + 63) / 64, VECTOR_PLANES * sizeof *made->planes);
    if (made->rounded == NULL || (kind == VECTOR_BIT && made->planes == NULL)) {
        vector_code_query_free(made);
        return error_nomem(err);
    }
    made->kind = kind;
    made->dimensions = dimensions;
    made->norm = vector_norm(query, dimensions);
    int limit = kind == VECTOR_INT8 ? INT8_LARGEST : PLANE_LARGEST;
    made->scale = round_components(query, dimensions, limit, made->rounded);
    for (size_t i = 0; i < dimensions; i++) made->sum += made->rounded[i];
    if (kind == VECTOR_BIT) spread_to_planes(made);
    *prepared = made;
    return 0;
}

void vector_code_query_free(struct vector_code_query *prepared)
{
    if (prepared == NULL) return;
    memory_free(prepared->rounded);
    memory_free(prepared->planes);
    memory_free(prepared);
}

static struct head read_head(const void *code)
{
    struct head head;
    memcpy(&head, code, sizeof head);
    return head;
}

double vector_code_dot(const struct vector_code_query *prepared, const void *code)
{
    const struct vector_kernels *kernels = vector_kernels_chosen();
    const unsigned char *components = (const unsigned char *)code + sizeof(struct head);
    int32_t sum;
    if (prepared->kind == VECTOR_INT8) {
        sum =
            kernels->dot_int8(prepared->rounded, (const int8_t *)components, prepared->dimensions);
    } else {
        /* Over the set bits less over the others: twice the former less all. */
        size_t bytes = (prepared->dimensions + 7) / 8;
        sum = 2 * kernels->sum_of_bits(prepared->planes, components, bytes) - prepared->sum;
    }
    return prepared->scale * (double)read_head(code).scale * sum;
}

double vector_code_cosine(const struct vector_code_query *prepared, const void *code)
{
    double norms = prepared->norm * (double)read_head(code).norm;
    return norms == 0.0 ? 0.0 : vector_code_dot(prepared, code) / norms;
}

double vector_code_squared_l2(const struct vector_code_query *prepared, const void *code)
{
    double norm = (double)read_head(code).norm;
    double squared =
        prepared->norm * prepared->norm + norm * norm - 2.0 * vector_code_dot(prepared, code);
    return squared > 0.0 ? squared : 0.0;
}

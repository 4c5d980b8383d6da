/*
 * kernels_scalar.c: plain C, for every processor, and the oracle of the other families.
 *
 * Sums are doubles: a product of two floats is exact in one, and 65536 of them neither overflow nor
 * lose more than 2^-37 of the sum of their magnitudes. Four sums run side by side, or each addition
 * would wait for the one before.
 */
#include "vector/simd/kernels.h"

#include <string.h>

static double scalar_dot(const void *a, const void *b, size_t dimensions)
{
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
    size_t i = 0;
    for (; i + 4 <= dimensions; i += 4)
        for (size_t j = 0; j < 4; j++)
            sum[j] += vector_component(a, i + j) * vector_component(b, i + j);
    for (; i < dimensions; i++) sum[0] += vector_component(a, i) * vector_component(b, i);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static double scalar_squared_l2(const void *a, const void *b, size_t dimensions)
{
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
    size_t i = 0;
    for (; i + 4 <= dimensions; i += 4) {
        for (size_t j = 0; j < 4; j++) {
            double difference = vector_component(a, i + j) - vector_component(b, i + j);
            sum[j] += difference * difference;
        }
    }
    for (; i < dimensions; i++) {
        double difference = vector_component(a, i) - vector_component(b, i);
        sum[0] += difference * difference;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static struct vector_sums scalar_sums(const void *a, const void *b, size_t dimensions)
{
    return (struct vector_sums){
        .ab = scalar_dot(a, b, dimensions),
        .aa = scalar_dot(a, a, dimensions),
        .bb = scalar_dot(b, b, dimensions),
    };
}

static void scalar_dots(const float *vector, const float *rows, size_t n_rows, size_t dimensions,
                        float *dots)
{
    for (size_t i = 0; i < n_rows; i++)
        dots[i] = (float)scalar_dot(vector, rows + i * dimensions, dimensions);
}

static void scalar_dots_int8(const struct vector_rounded *query, const int8_t *codes, size_t n,
                             float *sums)
{
    for (size_t i = 0; i < n; i++, codes += query->dimensions) {
        int64_t sum = 0;
        for (size_t j = 0; j < query->dimensions; j++) sum += query->whole[j] * codes[j];
        sums[i] = (float)sum;
    }
}

static double scalar_dot_int8(const void *a, const int8_t *b, size_t dimensions)
{
    double sum = 0.0;
    for (size_t i = 0; i < dimensions; i++) sum += vector_component(a, i) * b[i];
    return sum;
}

static double scalar_square_int8(const int8_t *b, size_t dimensions)
{
    int64_t sum = 0;
    for (size_t i = 0; i < dimensions; i++) sum += b[i] * b[i];
    return (double)sum;
}

/* scale b_i is a float32, as where it is written out. */
static double scalar_squared_l2_int8(const void *a, const int8_t *b, float scale, size_t dimensions)
{
    double sum = 0.0;
    for (size_t i = 0; i < dimensions; i++) {
        double difference = vector_component(a, i) - (double)(scale * (float)b[i]);
        sum += difference * difference;
    }
    return sum;
}

static double scalar_dot_half(const void *a, const void *b, size_t dimensions)
{
    double sum = 0.0;
    for (size_t i = 0; i < dimensions; i++)
        sum += vector_component(a, i) * (double)vector_half_component(b, i);
    return sum;
}

static double scalar_square_half(const void *b, size_t dimensions)
{
    double sum = 0.0;
    for (size_t i = 0; i < dimensions; i++) {
        double component = (double)vector_half_component(b, i);
        sum += component * component;
    }
    return sum;
}

static double scalar_squared_l2_half(const void *a, const void *b, size_t dimensions)
{
    double sum = 0.0;
    for (size_t i = 0; i < dimensions; i++) {
        double difference = vector_component(a, i) - (double)vector_half_component(b, i);
        sum += difference * difference;
    }
    return sum;
}

static void scalar_widen_half(const void *halves, size_t dimensions, float *floats)
{
    for (size_t i = 0; i < dimensions; i++) floats[i] = vector_half_component(halves, i);
}

/* The number of set bits, added up in fields of 2, 4 and 8 bits (Warren, "Hacker's Delight",
 * 5-1). */
static int32_t count_bits(uint64_t word)
{
    word -= (word >> 1) & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + ((word >> 2) & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (int32_t)((word * 0x0101010101010101u) >> 56);
}

static int32_t sum_of_bits(const uint64_t *planes, const uint8_t *bits, size_t bytes)
{
    int32_t count[VECTOR_PLANES] = {0};
    for (size_t at = 0; at < bytes; at += 8, planes += VECTOR_PLANE_WORDS) {
        uint64_t word = vector_word(bits + at, bytes - at);
        for (int j = 0; j < VECTOR_PLANES; j++) count[j] += count_bits(planes[j] & word);
    }
    int32_t sum = -count[VECTOR_PLANES - 1] * (1 << (VECTOR_PLANES - 1));
    for (int j = 0; j < VECTOR_PLANES - 1; j++) sum += count[j] * (1 << j);
    return sum;
}

static void scalar_sums_of_bits(const struct vector_rounded *query, const uint8_t *codes, size_t n,
                                int32_t *sums)
{
    size_t bytes = (query->dimensions + 7) / 8;
    for (size_t i = 0; i < n; i++) sums[i] = sum_of_bits(query->planes, codes + i * bytes, bytes);
}

static uint64_t scalar_hamming(const void *a, const void *b, size_t bytes)
{
    const unsigned char *p = a, *q = b;
    uint64_t sum = 0;
    for (size_t at = 0; at < bytes; at += 8)
        sum +=
            (uint64_t)count_bits(vector_word(p + at, bytes - at) ^ vector_word(q + at, bytes - at));
    return sum;
}

static void scalar_add(float *restrict sums, const float *restrict b, float factor,
                       size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * b[i];
}

static void scalar_add_int8(float *restrict sums, const int8_t *restrict b, float factor,
                            size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * (float)b[i];
}

static void scalar_add_where(int32_t *restrict sums, const uint8_t *restrict bits, int32_t value,
                             size_t n)
{
    static const int32_t bit[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    for (size_t i = 0; i < n; i += 8)
        for (size_t j = 0; j < 8; j++) sums[i + j] += (bits[i / 8] & bit[j]) != 0 ? value : 0;
}

static void scalar_signs(float *vector, const uint64_t *bits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bits[i / 64] >> (i % 64) & 1) vector[i] = -vector[i];
}

static void scalar_hadamard(float *vector, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++) vector[i] *= factor;
    for (size_t stride = 1; stride < n; stride *= 2) {
        for (size_t at = 0; at < n; at += 2 * stride) {
            for (size_t i = at; i < at + stride; i++) {
                float a = vector[i], b = vector[i + stride];
                vector[i] = a + b;
                vector[i + stride] = a - b;
            }
        }
    }
}

static void scalar_mix(float *restrict a, float *restrict b, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++) {
        float sum = a[i] + b[i], difference = a[i] - b[i];
        a[i] = sum * factor;
        b[i] = difference * factor;
    }
}

static double centroid_component(const struct vector_encoding *encoding, size_t i)
{
    return encoding->centroid == NULL ? 0.0 : (double)encoding->centroid[i];
}

static double residual(const struct vector_encoding *encoding, size_t i)
{
    return (double)encoding->vector[i] - centroid_component(encoding, i);
}

static void scalar_products(const float *a, const float *b, size_t n, double sums[VECTOR_LANES])
{
    for (size_t i = 0; i < n; i++) sums[i % VECTOR_LANES] += (double)a[i] * (double)b[i];
}

static void scalar_spread(struct vector_encoding *encoding)
{
    for (size_t i = 0; i < encoding->n; i++) {
        double r = residual(encoding, i), magnitude = r < 0.0 ? -r : r;
        double *largest = &encoding->sums[0][i % VECTOR_LANES];
        if (magnitude > *largest) *largest = magnitude;
        encoding->sums[1][i % VECTOR_LANES] += magnitude;
        encoding->sums[2][i % VECTOR_LANES] += r * r;
    }
}

static void add_component(struct vector_encoding *encoding, size_t i, double r, double k)
{
    double c = centroid_component(encoding, i), e = encoding->scale * k - r;
    encoding->sums[0][i % VECTOR_LANES] += e * e;
    encoding->sums[1][i % VECTOR_LANES] += c * e;
    encoding->sums[2][i % VECTOR_LANES] += c * k;
}

static void scalar_round_int8(struct vector_encoding *encoding, int8_t *components)
{
    for (size_t i = 0; i < encoding->n; i++) {
        double r = residual(encoding, i), exact = r * encoding->units;
        components[i] = (int8_t)(exact + (exact < 0.0 ? -0.5 : 0.5));
        add_component(encoding, i, r, components[i]);
    }
}

static void scalar_take_signs(struct vector_encoding *encoding, uint8_t *bits)
{
    memset(bits, 0, encoding->n / 8);
    for (size_t i = 0; i < encoding->n; i++) {
        double r = residual(encoding, i);
        if (r >= 0.0) bits[i / 8] |= (uint8_t)(1u << (i % 8));
        add_component(encoding, i, r, r >= 0.0 ? 1.0 : -1.0);
    }
}

static void scalar_dots_of_nibbles(const int8_t *query, const uint8_t *codes, size_t n, size_t size,
                                   int32_t *sums)
{
    for (size_t i = 0; i < n; i++, codes += size) {
        sums[i] = 0;
        for (size_t j = 0; j < size; j++) {
            const int8_t *t = query + j + j / (VECTOR_NIBBLES / 2) * (VECTOR_NIBBLES / 2);
            sums[i] += t[0] * (codes[j] & 15) + t[VECTOR_NIBBLES / 2] * (codes[j] >> 4);
        }
    }
}

static void scalar_bounds_of_nibbles(const struct vector_nibble_terms *terms, const int32_t *sums,
                                     size_t n, float *bounds, uint64_t *reached)
{
    for (size_t i = 0; i < n; i++) {
        bounds[i] = vector_nibble_bound(terms, sums[i], i);
        reached[i / 64] |= (uint64_t)(bounds[i] >= terms->needed) << i % 64;
    }
}

static void scalar_round_to_nibbles(float *restrict r, size_t n, float units, float step,
                                    uint8_t *restrict code)
{
    for (size_t i = 0; i < n; i++) {
        int32_t whole = (int32_t)(r[i] * units + 8.0f);
        uint8_t u = whole < 0 ? 0 : whole > 15 ? 15 : (uint8_t)whole;
        size_t in_group = i % VECTOR_NIBBLES;
        uint8_t *byte =
            code + i / VECTOR_NIBBLES * (VECTOR_NIBBLES / 2) + in_group % (VECTOR_NIBBLES / 2);
        *byte = in_group < VECTOR_NIBBLES / 2 ? u : (uint8_t)(*byte | u << 4);
        r[i] -= ((float)u - 7.5f) * step;
    }
}

const struct vector_kernels vector_kernels_scalar = {
    .name = "scalar",
    .dot = scalar_dot,
    .squared_l2 = scalar_squared_l2,
    .sums = scalar_sums,
    .dots = scalar_dots,
    .products = scalar_products,
    .dots_int8 = scalar_dots_int8,
    .dot_int8 = scalar_dot_int8,
    .square_int8 = scalar_square_int8,
    .squared_l2_int8 = scalar_squared_l2_int8,
    .dot_half = scalar_dot_half,
    .square_half = scalar_square_half,
    .squared_l2_half = scalar_squared_l2_half,
    .widen_half = scalar_widen_half,
    .sums_of_bits = scalar_sums_of_bits,
    .hamming = scalar_hamming,
    .add = scalar_add,
    .add_int8 = scalar_add_int8,
    .add_where = scalar_add_where,
    .signs = scalar_signs,
    .hadamard = scalar_hadamard,
    .mix = scalar_mix,
    .spread = scalar_spread,
    .round_int8 = scalar_round_int8,
    .take_signs = scalar_take_signs,
    .dots_of_nibbles = scalar_dots_of_nibbles,
    .bounds_of_nibbles = scalar_bounds_of_nibbles,
    .round_to_nibbles = scalar_round_to_nibbles,
};

/*
 * kernels_each.h: the kernels whose shape is the same in every family with wide registers, for the
 * file that includes it.
 *
 * The file has defined before:
 *   FAMILY(name)      the family's name before that of a function
 *   TARGET            what a function needs to be compiled for the family
 *   LANES, lanes      the floats of a register, and its type: + - * work on it
 *   REGISTERS         2 or 4: the registers that hide the latency of a sum, where several sums run
 *   load, store       at any address; loads of const void *
 *   load_first        of 0..LANES - 1 floats alone; the other lanes are zeros
 *   widen_int8        LANES signed bytes, at any address, as floats
 *   widen_halves      LANES binary16 numbers, at any address, as floats
 *   all               a float in every lane
 *   fused             a * b + c, rounded once
 *   sum_of            all lanes, as a double
 *   negate_where      lane i where bit i is set; higher bits say nothing
 *   transform_lanes   the Walsh-Hadamard transform of one register, strides 1, 2, ... LANES / 2
 *   DOUBLES, doubles  the doubles of a register, and its type: + - * work on it
 *   load_doubles, store_doubles
 *   widen             DOUBLES floats as doubles
 *   all_doubles       a double in every lane
 *   magnitude         |a|
 *   max_of            of a and b; b where a is NaN
 *   integers          the type of DOUBLES whole numbers
 *   round_away        to whole numbers, ties away from zero
 *   doubles_of        whole numbers
 *   store_int8        VECTOR_LANES of them as bytes, from an array of integers
 *   take_sign         *k = 1 where a >= 0, else -1; returns a bit for each that is 1
 *   at_least          a bit for each lane where a >= b
 *
 * What is not fused is a product and a sum, each rounded: it ends in files. Sums have their order:
 * see kernels.h.
 */
#ifndef VECTOR_SIMD_KERNELS_EACH_H
#define VECTOR_SIMD_KERNELS_EACH_H

#include "vector/simd/kernels.h"

#define EACH TARGET __attribute__((always_inline)) static inline
#define WIDE (LANES * sizeof(float))    /* bytes of a register */
#define GROUPS (VECTOR_LANES / DOUBLES) /* registers of a sum of an encoding */

/* ---- sums over vectors ----------------------------------------------------------------------- */

/* The next term of a . b, or of |a - b|^2. */
EACH lanes add_term(lanes a, lanes b, lanes sum, int of_difference)
{
    lanes difference = a - b;
    return of_difference ? fused(difference, difference, sum) : fused(a, b, sum);
}

/* Four registers of sums hide the latency of a fused multiply-add. What is left over is read alone,
 * so that no byte behind a vector is touched. */
EACH double sum_terms(const void *a, const void *b, size_t dimensions, int of_difference)
{
    const unsigned char *p = a, *q = b;
    lanes s[4] = {all(0.0f), all(0.0f), all(0.0f), all(0.0f)};
    size_t left = dimensions;
    for (; left >= 4 * LANES; left -= 4 * LANES, p += 4 * WIDE, q += 4 * WIDE) {
#pragma GCC unroll 4 /* so that the sums stay in registers, here and below */
        for (size_t j = 0; j < 4; j++)
            s[j] = add_term(load(p + j * WIDE), load(q + j * WIDE), s[j], of_difference);
    }
    for (; left >= LANES; left -= LANES, p += WIDE, q += WIDE)
        s[0] = add_term(load(p), load(q), s[0], of_difference);
    if (left > 0) s[1] = add_term(load_first(p, left), load_first(q, left), s[1], of_difference);
    return sum_of((s[0] + s[1]) + (s[2] + s[3]));
}

TARGET static double FAMILY(dot)(const void *a, const void *b, size_t dimensions)
{
    return sum_terms(a, b, dimensions, 0);
}

TARGET static double FAMILY(squared_l2)(const void *a, const void *b, size_t dimensions)
{
    return sum_terms(a, b, dimensions, 1);
}

/* The next term of a . b, b . b, or |a - scale b|^2, b in bytes. */
enum int8_sum { OF_PRODUCTS, OF_SQUARES, OF_DIFFERENCES };

EACH lanes add_int8_term(const unsigned char *a, const int8_t *b, lanes scale, lanes sum,
                         enum int8_sum what)
{
    lanes bytes = widen_int8(b);
    if (what == OF_SQUARES) return fused(bytes, bytes, sum);
    if (what == OF_PRODUCTS) return fused(load(a), bytes, sum);
    lanes difference = load(a) - scale * bytes;
    return fused(difference, difference, sum);
}

/* What is left over is copied to where zeros follow, which add nothing. */
EACH double sum_int8_terms(const void *a, const int8_t *b, float scale, size_t dimensions,
                           enum int8_sum what)
{
    const unsigned char *p = a;
    size_t i = 0, step = what == OF_SQUARES ? 0 : WIDE;
    lanes s[4] = {all(0.0f), all(0.0f), all(0.0f), all(0.0f)}, scales = all(scale);
    for (; i + 4 * LANES <= dimensions; i += 4 * LANES, p += 4 * step) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++)
            s[j] = add_int8_term(p + j * step, b + i + j * LANES, scales, s[j], what);
    }
    for (; i + LANES <= dimensions; i += LANES, p += step)
        s[0] = add_int8_term(p, b + i, scales, s[0], what);
    if (i < dimensions) {
        unsigned char floats[WIDE] = {0};
        int8_t bytes[LANES] = {0};
        if (what != OF_SQUARES) memcpy(floats, p, (dimensions - i) * sizeof(float));
        memcpy(bytes, b + i, dimensions - i);
        s[1] = add_int8_term(floats, bytes, scales, s[1], what);
    }
    return sum_of((s[0] + s[1]) + (s[2] + s[3]));
}

TARGET static double FAMILY(dot_int8)(const void *a, const int8_t *b, size_t dimensions)
{
    return sum_int8_terms(a, b, 1.0f, dimensions, OF_PRODUCTS);
}

TARGET static double FAMILY(square_int8)(const int8_t *b, size_t dimensions)
{
    return sum_int8_terms(b, b, 1.0f, dimensions, OF_SQUARES);
}

TARGET static double FAMILY(squared_l2_int8)(const void *a, const int8_t *b, float scale,
                                             size_t dimensions)
{
    return sum_int8_terms(a, b, scale, dimensions, OF_DIFFERENCES);
}

/* The next term of a . b, b . b, or |a - b|^2, b in halves. */
EACH lanes add_half_term(const unsigned char *a, const unsigned char *b, lanes sum,
                         enum int8_sum what)
{
    lanes halves = widen_halves(b);
    if (what == OF_SQUARES) return fused(halves, halves, sum);
    return add_term(load(a), halves, sum, what == OF_DIFFERENCES);
}

/* As sum_int8_terms. */
EACH double sum_half_terms(const void *a, const void *b, size_t dimensions, enum int8_sum what)
{
    const unsigned char *p = a, *q = b;
    size_t left = dimensions, step = what == OF_SQUARES ? 0 : WIDE;
    lanes s[4] = {all(0.0f), all(0.0f), all(0.0f), all(0.0f)};
    for (; left >= 4 * LANES; left -= 4 * LANES, p += 4 * step, q += 2 * WIDE) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++)
            s[j] = add_half_term(p + j * step, q + j * WIDE / 2, s[j], what);
    }
    for (; left >= LANES; left -= LANES, p += step, q += WIDE / 2)
        s[0] = add_half_term(p, q, s[0], what);
    if (left > 0) {
        unsigned char floats[WIDE] = {0}, halves[WIDE / 2] = {0};
        if (what != OF_SQUARES) memcpy(floats, p, left * sizeof(float));
        memcpy(halves, q, left * sizeof(uint16_t));
        s[1] = add_half_term(floats, halves, s[1], what);
    }
    return sum_of((s[0] + s[1]) + (s[2] + s[3]));
}

TARGET static double FAMILY(dot_half)(const void *a, const void *b, size_t dimensions)
{
    return sum_half_terms(a, b, dimensions, OF_PRODUCTS);
}

TARGET static double FAMILY(square_half)(const void *b, size_t dimensions)
{
    return sum_half_terms(b, b, dimensions, OF_SQUARES);
}

TARGET static double FAMILY(squared_l2_half)(const void *a, const void *b, size_t dimensions)
{
    return sum_half_terms(a, b, dimensions, OF_DIFFERENCES);
}

TARGET static void FAMILY(widen_half)(const void *halves, size_t dimensions, float *floats)
{
    const unsigned char *p = halves;
    size_t i = 0;
    for (; i + LANES <= dimensions; i += LANES) store(floats + i, widen_halves(p + 2 * i));
    for (; i < dimensions; i++) floats[i] = vector_half_component(halves, i);
}

EACH double sum_of_registers(const lanes s[REGISTERS])
{
#if REGISTERS == 4
    return sum_of((s[0] + s[1]) + (s[2] + s[3]));
#else
    return sum_of(s[0] + s[1]);
#endif
}

struct dots {
    lanes ab[REGISTERS], aa[REGISTERS], bb[REGISTERS];
};

EACH void add_dots(struct dots *s, size_t j, lanes a, lanes b)
{
    s->ab[j] = fused(a, b, s->ab[j]);
    s->aa[j] = fused(a, a, s->aa[j]);
    s->bb[j] = fused(b, b, s->bb[j]);
}

TARGET static struct vector_sums FAMILY(sums)(const void *a, const void *b, size_t dimensions)
{
    const unsigned char *p = a, *q = b;
    struct dots s;
#pragma GCC unroll 4
    for (size_t j = 0; j < REGISTERS; j++) s.ab[j] = s.aa[j] = s.bb[j] = all(0.0f);
    size_t left = dimensions;
    for (; left >= REGISTERS * LANES; left -= REGISTERS * LANES) {
#pragma GCC unroll 4
        for (size_t j = 0; j < REGISTERS; j++)
            add_dots(&s, j, load(p + j * WIDE), load(q + j * WIDE));
        p += REGISTERS * WIDE;
        q += REGISTERS * WIDE;
    }
    for (; left >= LANES; left -= LANES, p += WIDE, q += WIDE) add_dots(&s, 0, load(p), load(q));
    if (left > 0) add_dots(&s, 1, load_first(p, left), load_first(q, left));
    return (struct vector_sums){
        .ab = sum_of_registers(s.ab), .aa = sum_of_registers(s.aa), .bb = sum_of_registers(s.bb)};
}

/* Four rows share each load of the vector. rows: [4, dimensions]; dots: [4]. */
TARGET static void FAMILY(dot4)(const float *vector, const float *rows, size_t dimensions,
                                float *dots)
{
    const unsigned char *p = (const unsigned char *)vector, *q[4];
    lanes s[4][REGISTERS];
    for (size_t r = 0; r < 4; r++) {
        q[r] = (const unsigned char *)(rows + r * dimensions);
        for (size_t j = 0; j < REGISTERS; j++) s[r][j] = all(0.0f);
    }
    size_t left = dimensions, at = 0;
    for (; left >= REGISTERS * LANES; left -= REGISTERS * LANES, at += REGISTERS * WIDE) {
#pragma GCC unroll 4
        for (size_t j = 0; j < REGISTERS; j++) {
            lanes v = load(p + at + j * WIDE);
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++) s[r][j] = fused(v, load(q[r] + at + j * WIDE), s[r][j]);
        }
    }
    for (; left >= LANES; left -= LANES, at += WIDE) {
        lanes v = load(p + at);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) s[r][0] = fused(v, load(q[r] + at), s[r][0]);
    }
    if (left > 0) {
        lanes v = load_first(p + at, left);
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) s[r][1] = fused(v, load_first(q[r] + at, left), s[r][1]);
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < 4; r++) dots[r] = (float)sum_of_registers(s[r]);
}

TARGET static void FAMILY(dots)(const float *vector, const float *rows, size_t n_rows,
                                size_t dimensions, float *dots)
{
    size_t i = 0;
    for (; i + 4 <= n_rows; i += 4)
        FAMILY(dot4)(vector, rows + i * dimensions, dimensions, dots + i);
    for (; i < n_rows; i++) dots[i] = (float)FAMILY(dot)(vector, rows + i * dimensions, dimensions);
}

/* The compiler finds the lanes of these. */
TARGET static void FAMILY(add)(float *restrict sums, const float *restrict b, float factor,
                               size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * b[i];
}

TARGET static void FAMILY(add_int8)(float *restrict sums, const int8_t *restrict b, float factor,
                                    size_t dimensions)
{
    for (size_t i = 0; i < dimensions; i++) sums[i] += factor * (float)b[i];
}

#ifndef OWN_ADD_WHERE /* defined by a file that has a better one */
/* Eight at a time, whatever the registers: bit i of a byte for lane i, four bytes together. */
typedef int32_t eight_whole __attribute__((vector_size(32)));

TARGET static void FAMILY(add_where)(int32_t *restrict sums, const uint8_t *restrict bits,
                                     int32_t value, size_t n)
{
    const eight_whole bit = {1, 2, 4, 8, 16, 32, 64, 128}, zeros = {0}, values = zeros + value;
    for (size_t i = 0; i < n; i += 32) {
        int32_t word;
        memcpy(&word, bits + i / 8, sizeof word);
        eight_whole words = zeros + word;
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            eight_whole sum, here = bit << (int32_t)(8 * j);
            memcpy(&sum, sums + i + 8 * j, sizeof sum);
            sum += values & ((words & here) == here);
            memcpy(sums + i + 8 * j, &sum, sizeof sum);
        }
    }
}
#endif

/* ---- rotation -------------------------------------------------------------------------------- */

TARGET static void FAMILY(signs)(float *vector, const uint64_t *bits, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(vector + i, negate_where(load(vector + i), bits[i / 64] >> (i % 64)));
    for (; i < n; i++)
        if (bits[i / 64] >> (i % 64) & 1) vector[i] = -vector[i];
}

EACH void butterfly(lanes *a, lanes *b)
{
    lanes sum = *a + *b;
    *b = *a - *b;
    *a = sum;
}

/* Two strides of four registers, or of what lies in them. */
EACH void transform_four(lanes x[4])
{
    butterfly(&x[0], &x[1]);
    butterfly(&x[2], &x[3]);
    butterfly(&x[0], &x[2]);
    butterfly(&x[1], &x[3]);
}

/* The strides below LANES * wide, wide 1 or 4. */
EACH void transform_short_strides(float *vector, size_t n, float factor, size_t wide)
{
    lanes factors = all(factor);
    for (size_t i = 0; i < n; i += LANES * wide) {
        lanes x[4];
#pragma GCC unroll 4
        for (size_t j = 0; j < wide; j++)
            x[j] = transform_lanes(load(vector + i + j * LANES) * factors);
        if (wide == 4) transform_four(x);
#pragma GCC unroll 4
        for (size_t j = 0; j < wide; j++) store(vector + i + j * LANES, x[j]);
    }
}

/* Two strides, `stride` and twice that, in one pass. */
TARGET static void transform_two_strides(float *vector, size_t n, size_t stride)
{
    for (size_t at = 0; at < n; at += 4 * stride) {
        for (size_t i = at; i < at + stride; i += LANES) {
            lanes x[4];
#pragma GCC unroll 4
            for (size_t j = 0; j < 4; j++) x[j] = load(vector + i + j * stride);
            transform_four(x);
#pragma GCC unroll 4
            for (size_t j = 0; j < 4; j++) store(vector + i + j * stride, x[j]);
        }
    }
}

TARGET static void FAMILY(hadamard)(float *vector, size_t n, float factor)
{
    if (n < LANES) {
        vector_kernels_scalar.hadamard(vector, n, factor);
        return;
    }
    size_t stride = n < 4 * LANES ? LANES : 4 * LANES;
    if (stride == LANES) transform_short_strides(vector, n, factor, 1);
    else transform_short_strides(vector, n, factor, 4);
    for (; 4 * stride <= n; stride *= 4) transform_two_strides(vector, n, stride);
    if (2 * stride > n) return;
    for (size_t i = 0; i < stride; i += LANES) {
        lanes a = load(vector + i), b = load(vector + stride + i);
        butterfly(&a, &b);
        store(vector + i, a);
        store(vector + stride + i, b);
    }
}

TARGET static void FAMILY(mix)(float *restrict a, float *restrict b, size_t n, float factor)
{
    lanes factors = all(factor);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        lanes x = load(a + i), y = load(b + i);
        butterfly(&x, &y);
        store(a + i, x * factors);
        store(b + i, y * factors);
    }
    for (; i < n; i++) {
        float sum = a[i] + b[i], difference = a[i] - b[i];
        a[i] = sum * factor;
        b[i] = difference * factor;
    }
}

/* ---- encoding -------------------------------------------------------------------------------- */

/* DOUBLES components of the centroid, and of what the vector is without it. */
struct components {
    doubles c, r;
};

EACH struct components load_components(const struct vector_encoding *encoding, size_t i)
{
    struct components at = {all_doubles(0.0), widen(encoding->vector + i)};
    if (encoding->centroid != NULL) {
        at.c = widen(encoding->centroid + i);
        at.r = at.r - at.c;
    }
    return at;
}

EACH void load_sums(const struct vector_encoding *encoding, doubles s[3][GROUPS])
{
#pragma GCC unroll 12
    for (size_t j = 0; j < 3 * GROUPS; j++)
        s[j / GROUPS][j % GROUPS] = load_doubles(&encoding->sums[j / GROUPS][j % GROUPS * DOUBLES]);
}

EACH void store_sums(struct vector_encoding *encoding, doubles s[3][GROUPS])
{
#pragma GCC unroll 12
    for (size_t j = 0; j < 3 * GROUPS; j++)
        store_doubles(&encoding->sums[j / GROUPS][j % GROUPS * DOUBLES], s[j / GROUPS][j % GROUPS]);
}

TARGET static void FAMILY(spread)(struct vector_encoding *encoding)
{
    doubles s[3][GROUPS];
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += VECTOR_LANES) {
#pragma GCC unroll 4
        for (size_t j = 0; j < GROUPS; j++) {
            doubles r = load_components(encoding, i + j * DOUBLES).r, size = magnitude(r);
            s[0][j] = max_of(size, s[0][j]);
            s[1][j] = s[1][j] + size;
            s[2][j] = s[2][j] + r * r;
        }
    }
    store_sums(encoding, s);
}

/* With e = scale k - r: e^2, c e and c k. */
EACH void add_components(doubles s[3][GROUPS], size_t j, struct components at, doubles k,
                         doubles scale)
{
    doubles e = scale * k - at.r;
    s[0][j] = s[0][j] + e * e;
    s[1][j] = s[1][j] + at.c * e;
    s[2][j] = s[2][j] + at.c * k;
}

TARGET static void FAMILY(round_int8)(struct vector_encoding *encoding, int8_t *components)
{
    doubles s[3][GROUPS], scale = all_doubles(encoding->scale);
    doubles units = all_doubles(encoding->units);
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += VECTOR_LANES) {
        integers k[GROUPS];
#pragma GCC unroll 4
        for (size_t j = 0; j < GROUPS; j++) {
            struct components at = load_components(encoding, i + j * DOUBLES);
            k[j] = round_away(at.r * units);
            add_components(s, j, at, doubles_of(k[j]), scale);
        }
        store_int8(components + i, k);
    }
    store_sums(encoding, s);
}

TARGET static void FAMILY(take_signs)(struct vector_encoding *encoding, uint8_t *bits)
{
    doubles s[3][GROUPS], scale = all_doubles(encoding->scale);
    load_sums(encoding, s);
    for (size_t i = 0; i < encoding->n; i += VECTOR_LANES) {
        unsigned byte = 0;
#pragma GCC unroll 4
        for (size_t j = 0; j < GROUPS; j++) {
            struct components at = load_components(encoding, i + j * DOUBLES);
            doubles k;
            byte |= take_sign(at.r, &k) << (j * DOUBLES);
            add_components(s, j, at, k, scale);
        }
        bits[i / VECTOR_LANES] = (uint8_t)byte;
    }
    store_sums(encoding, s);
}

TARGET static void FAMILY(products)(const float *a, const float *b, size_t n,
                                    double sums[VECTOR_LANES])
{
    doubles s[GROUPS];
    for (size_t j = 0; j < GROUPS; j++) s[j] = load_doubles(&sums[j * DOUBLES]);
    for (size_t i = 0; i < n; i += VECTOR_LANES) {
#pragma GCC unroll 4
        for (size_t j = 0; j < GROUPS; j++)
            s[j] = s[j] + widen(a + i + j * DOUBLES) * widen(b + i + j * DOUBLES);
    }
    for (size_t j = 0; j < GROUPS; j++) store_doubles(&sums[j * DOUBLES], s[j]);
}

TARGET static void FAMILY(round_to_nibbles)(float *restrict r, size_t n, float units, float step,
                                            uint8_t *restrict code)
{
    for (size_t i = 0; i < n; i += VECTOR_NIBBLES, code += VECTOR_NIBBLES / 2) {
        int32_t u[VECTOR_NIBBLES];
        for (size_t j = 0; j < VECTOR_NIBBLES; j++) {
            int32_t whole = (int32_t)(r[i + j] * units + 8.0f);
            whole = whole > 0 ? whole : 0;
            u[j] = whole < 15 ? whole : 15;
            r[i + j] -= ((float)u[j] - 7.5f) * step;
        }
        for (size_t j = 0; j < VECTOR_NIBBLES / 2; j++)
            code[j] = (uint8_t)(u[j] | u[VECTOR_NIBBLES / 2 + j] << 4);
    }
}

typedef int32_t wholes __attribute__((vector_size(WIDE)));

/* In the order of vector_nibble_bound. */
TARGET static void FAMILY(bounds_of_nibbles)(const struct vector_nibble_terms *terms,
                                             const int32_t *sums, size_t n, float *bounds,
                                             uint64_t *reached)
{
    lanes unit = all(terms->unit), radius = all(terms->radius), needed = all(terms->needed);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        wholes whole;
        memcpy(&whole, sums + i, sizeof whole);
        lanes dots = unit * __builtin_convertvector(2 * whole - terms->all, lanes);
        lanes bound = load(terms->offsets + i) + load(terms->scales + i) * dots;
        bound = bound + radius * load(terms->errors + i);
        store(bounds + i, bound);
        reached[i / 64] |= (uint64_t)at_least(bound, needed) << i % 64;
    }
    for (; i < n; i++) {
        bounds[i] = vector_nibble_bound(terms, sums[i], i);
        reached[i / 64] |= (uint64_t)(bounds[i] >= terms->needed) << i % 64;
    }
}

/* All of the above, in a family's table. */
#define KERNELS_OF_EACH                                                                            \
    .dot = FAMILY(dot), .squared_l2 = FAMILY(squared_l2), .sums = FAMILY(sums),                    \
    .dots = FAMILY(dots), .dot_int8 = FAMILY(dot_int8), .square_int8 = FAMILY(square_int8),        \
    .squared_l2_int8 = FAMILY(squared_l2_int8), .dot_half = FAMILY(dot_half),                      \
    .square_half = FAMILY(square_half), .squared_l2_half = FAMILY(squared_l2_half),                \
    .widen_half = FAMILY(widen_half), .products = FAMILY(products), .add = FAMILY(add),            \
    .add_int8 = FAMILY(add_int8), .add_where = FAMILY(add_where), .signs = FAMILY(signs),          \
    .hadamard = FAMILY(hadamard), .mix = FAMILY(mix), .spread = FAMILY(spread),                    \
    .round_int8 = FAMILY(round_int8), .take_signs = FAMILY(take_signs),                            \
    .bounds_of_nibbles = FAMILY(bounds_of_nibbles), .round_to_nibbles = FAMILY(round_to_nibbles)

#endif

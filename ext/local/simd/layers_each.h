/*
 * layers_each.h: activations and normalisation over lanes, for the family whose file includes it.
 *
 * The file has defined before:
 *   FAMILY(name)            the family's name before that of a function
 *   TARGET                  what a function needs to be compiled for the family
 *   LANES, lanes            the floats of a register, and its type: + - * / work on it
 *   load, store             at any address
 *   load_first, store_first of 0..LANES - 1 floats alone; the other lanes are loaded as zeros
 *   all                     a float in every lane
 *   fused, fused_minus      a * b + c and c - a * b, rounded once
 *   min, max          where one of the two is NaN: the second, or NaN
 *   magnitude_up_to         the smaller of |a| and b; where a is NaN: b, or NaN
 *   nearest                 whole numbers, ties to even
 *   exponents               a, limited so that times_power can take nearest of it
 *   times_power             a * 2^n, n whole
 *   keep_first              the first 1..LANES - 1 lanes of a, then those of b
 *   sum_lanes, max_lane      of all lanes
 *   transpose               LANES registers in place
 *   load_columns            LANES registers, of as many rows: [i] has the i-th float of each
 *
 * Horner's rule is enough: the next lanes do not wait for these. The polynomials are from
 * tests/golden/fit_gelu.py.
 */
#ifndef LOCAL_SIMD_LAYERS_EACH_H
#define LOCAL_SIMD_LAYERS_EACH_H

#include <math.h>

#include "local/simd/layers.h"

#define NORMED_ROWS 4 /* together */

#define EACH TARGET __attribute__((always_inline)) static inline

/* 2^n 2^f, |f| <= 1/2, n whole: within 2^-23 of it. */
EACH lanes power_of_two(lanes n, lanes f)
{
    lanes p = fused(all(0.000153533605f), f, all(0.0013398875f));
    p = fused(p, f, all(0.00961843692f));
    p = fused(p, f, all(0.0555033237f));
    p = fused(p, f, all(0.240226477f));
    p = fused(p, f, all(0.693147182f));
    return times_power(fused(p, f, all(1.0f)), n);
}

/* e^x, 0 for large negative x, infinite for large ones. log2(e) is taken in two parts, so that the
 * fraction of x log2(e) is exact to the last bit. */
EACH lanes exponential(lanes x)
{
    x = min(all(89.0f), max(all(-88.3f), x)); /* 2^-127.4 to 2^128.4 */
    lanes n = nearest(x * all(0x1.715476p+0f));
    lanes f = fused(x, all(0x1.4ae0cp-26f), fused(x, all(0x1.715476p+0f), -n));
    return power_of_two(n, f);
}

EACH lanes sigmoid(lanes x)
{
    return all(1.0f) / (all(1.0f) + exponential(-x));
}

/* max(x, 0) - a ((a - 5.5875) H(a))^4, a = |x|, nothing beyond: fit_gelu.py says why. */
EACH lanes gelu(lanes x)
{
    lanes a = magnitude_up_to(x, all(5.5875f));
    lanes p = fused(all(-3.5195701e-06f), a, all(4.05063838e-05f));
    p = fused(p, a, all(-9.15740238e-05f));
    p = fused(p, a, all(-0.000514095358f));
    p = fused(p, a, all(0.000864951988f));
    p = fused(p, a, all(0.00954164937f));
    p = fused(p, a, all(0.00308359065f));
    p = fused(p, a, all(-0.150495872f));
    p = p * (a - all(5.5875f));
    p = p * p;
    return fused_minus(p * p, a, max(all(0.0f), x));
}

/* The same with the square of a polynomial, half as long. */
EACH lanes rough_gelu(lanes x)
{
    lanes a = magnitude_up_to(x, all(3.75f));
    lanes p = fused(all(-0.00647136848f), a, all(0.0270961877f));
    p = fused(p, a, all(0.0228178557f));
    p = fused(p, a, all(-0.188280702f));
    p = p * (a - all(3.75f));
    return fused_minus(p * p, a, max(all(0.0f), x));
}

/* x (1 + tanh(y)) / 2 = x sigmoid(2 y). */
EACH lanes gelu_tanh(lanes x)
{
    lanes cube = x * x * x;
    lanes y = all(0.797884561f) * fused(all(0.044715f), cube, x);
    return x / (all(1.0f) + exponential(all(-2.0f) * y));
}

EACH lanes activated(enum local_activation activation, lanes x)
{
    switch (activation) {
    case LOCAL_IDENTITY:
        return x;
    case LOCAL_GELU:
        return gelu(x);
    case LOCAL_ROUGH_GELU:
        return rough_gelu(x);
    case LOCAL_GELU_TANH:
        return gelu_tanh(x);
    case LOCAL_RELU:
        return max(all(0.0f), x);
    case LOCAL_TANH:
        return all(1.0f) - all(2.0f) / (all(1.0f) + exponential(x + x));
    case LOCAL_SIGMOID:
        return sigmoid(x);
    }
    return x;
}

EACH void activate_rows(enum local_activation activation, float *values, size_t stride,
                        size_t n_rows, size_t n_columns)
{
    for (size_t r = 0; r < n_rows; r++, values += stride) {
        size_t i = 0;
        for (; i + LANES <= n_columns; i += LANES)
            store(values + i, activated(activation, load(values + i)));
        if (i < n_columns)
            store_first(values + i, n_columns - i,
                        activated(activation, load_first(values + i, n_columns - i)));
    }
}

TARGET void FAMILY(activate)(enum local_activation activation, float *values, size_t stride,
                             size_t n_rows, size_t n_columns)
{
    if (stride == n_columns) { /* one long row */
        n_columns *= n_rows;
        n_rows = 1;
    }
    switch (activation) {
    case LOCAL_IDENTITY:
        break;
    case LOCAL_GELU:
        activate_rows(LOCAL_GELU, values, stride, n_rows, n_columns);
        break;
    case LOCAL_ROUGH_GELU:
        activate_rows(LOCAL_ROUGH_GELU, values, stride, n_rows, n_columns);
        break;
    case LOCAL_GELU_TANH:
        activate_rows(LOCAL_GELU_TANH, values, stride, n_rows, n_columns);
        break;
    case LOCAL_RELU:
        activate_rows(LOCAL_RELU, values, stride, n_rows, n_columns);
        break;
    case LOCAL_TANH:
        activate_rows(LOCAL_TANH, values, stride, n_rows, n_columns);
        break;
    case LOCAL_SIGMOID:
        activate_rows(LOCAL_SIGMOID, values, stride, n_rows, n_columns);
        break;
    }
}

EACH float sum_of_four(const lanes s[4])
{
    return sum_lanes((s[0] + s[1]) + (s[2] + s[3]));
}

TARGET static float sum_of_row(const float *values, size_t n)
{
    lanes zero = all(0.0f), s[4] = {zero, zero, zero, zero};
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        s[0] = s[0] + load(values + i);
        s[1] = s[1] + load(values + i + LANES);
        s[2] = s[2] + load(values + i + 2 * LANES);
        s[3] = s[3] + load(values + i + 3 * LANES);
    }
    for (; i + LANES <= n; i += LANES) s[0] = s[0] + load(values + i);
    if (i < n) s[1] = s[1] + load_first(values + i, n - i);
    return sum_of_four(s);
}

/* The sums of the differences to some number, and of their squares. */
struct differences {
    lanes sum[4], squares[4];
};

EACH void add_difference(struct differences *sums, int part, lanes d)
{
    sums->sum[part] = sums->sum[part] + d;
    sums->squares[part] = fused(d, d, sums->squares[part]);
}

/* How far the row's mean lies from `mean`; and its variance. */
TARGET static float variance_of_row(const float *values, size_t n, float mean, float *variance)
{
    lanes zero = all(0.0f), m = all(mean);
    struct differences sums = {{zero, zero, zero, zero}, {zero, zero, zero, zero}};
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        add_difference(&sums, 0, load(values + i) - m);
        add_difference(&sums, 1, load(values + i + LANES) - m);
        add_difference(&sums, 2, load(values + i + 2 * LANES) - m);
        add_difference(&sums, 3, load(values + i + 3 * LANES) - m);
    }
    for (; i + LANES <= n; i += LANES) add_difference(&sums, 0, load(values + i) - m);
    if (i < n) add_difference(&sums, 1, keep_first(load_first(values + i, n - i) - m, n - i, zero));
    float beyond = sum_of_four(sums.sum) / (float)n;
    *variance = sum_of_four(sums.squares) / (float)n - beyond * beyond;
    return beyond;
}

/* What a row is normalised by. */
struct normal {
    float mean, beyond, factor;
};

EACH lanes normalised(lanes x, struct normal by, lanes weight, lanes bias)
{
    return fused(((x - all(by.mean)) - all(by.beyond)) * all(by.factor), weight, bias);
}

TARGET static void normalise_row(float *values, size_t n, struct normal by, const float *weight,
                                 const float *bias)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(values + i, normalised(load(values + i), by, load(weight + i), load(bias + i)));
    if (i < n)
        store_first(values + i, n - i,
                    normalised(load_first(values + i, n - i), by, load_first(weight + i, n - i),
                               load_first(bias + i, n - i)));
}

/* The mean is rounded, and where the values lie far from zero that is felt: what it lacks is
 * measured with the variance, and taken off each value after the mean is, which is exact there.
 * Step by step for a few rows, so that one row's lanes come together while the next row's are
 * worked on. */
TARGET void FAMILY(layer_norm)(float *values, size_t n_rows, size_t n, const float *weight,
                               const float *bias, float epsilon)
{
    struct normal by[NORMED_ROWS];
    for (size_t taken; n_rows > 0; n_rows -= taken, values += taken * n) {
        taken = n_rows < NORMED_ROWS ? n_rows : NORMED_ROWS;
        for (size_t r = 0; r < taken; r++) by[r].mean = sum_of_row(values + r * n, n) / (float)n;
        for (size_t r = 0; r < taken; r++) {
            float variance;
            by[r].beyond = variance_of_row(values + r * n, n, by[r].mean, &variance);
            if (variance < 0.0f) variance = 0.0f;
            by[r].factor = 1.0f / sqrtf(variance + epsilon);
        }
        for (size_t r = 0; r < taken; r++) normalise_row(values + r * n, n, by[r], weight, bias);
    }
}

#endif

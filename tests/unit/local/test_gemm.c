/*
 * Gemm and conversions of every family, against double precision and, of codes, against plain C.
 * What is read and written lies in memory of just its size, before a page that faults.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/oracle.h"
#include "local/families.h"
#include "local/guarded.h"
#include "local/matrix.h"
#include "local/oracle_activation.h"
#include "local/simd/gemm.h"
#include "vector/random.h"

static const struct local_kernels *scalar(void)
{
    size_t n = 0;
    while (local_kernels_at(n + 1) != NULL) n++;
    return local_kernels_at(n);
}

/* A product, and all that it reads and writes. */
struct product {
    const struct local_kernels *kernels;
    enum local_precision precision;
    size_t n_rows, n_out, n_in, stride;
    enum local_activation activation;
    int has_codes_alone;      /* of int8: no input is wide */
    float *weights, *bias;    /* [n_out, n_in], [n_out] */
    double *inputs, *decoded; /* [n_rows, n_in], [n_out, n_in] as codes have them, or NULL */
    void *memory;             /* of the matrix, but its panels */
    struct guarded panels, floats, codes, scales, zeros, wide_values, values, residual;
    struct local_matrix matrix;
    struct local_rows rows;
};

static void fill(struct product *product, uint64_t *state)
{
    size_t n_weights = product->n_out * product->n_in, n_floats = product->n_rows * product->n_in;
    product->weights = malloc(n_weights * sizeof(float));
    product->bias = malloc(product->n_out * sizeof(float));
    random_vector(state, n_weights, product->weights);
    random_vector(state, product->n_out, product->bias);
    product->floats = guard(n_floats);
    random_vector(state, n_floats, product->floats.floats);
    product->values = guard((product->n_rows - 1) * product->stride + product->n_out);
    product->residual = guard((product->n_rows - 1) * product->stride + product->n_out);
    for (size_t r = 0; r < product->n_rows; r++)
        random_vector(state, product->n_out, product->residual.floats + r * product->stride);
}

/* Some inputs, the first and the last among them, of int8. */
static struct local_wide some_wide(const struct product *product)
{
    struct local_wide wide = {.n = product->n_rows % (LOCAL_WIDE + 1)};
    if (wide.n > product->n_in) wide.n = product->n_in;
    if (product->precision != LOCAL_INT8 || product->has_codes_alone) wide.n = 0;
    for (size_t k = 0; k < wide.n; k++)
        wide.inputs[k] = wide.n == 1 ? product->n_in / 2 : k * (product->n_in - 1) / (wide.n - 1);
    return wide;
}

static int is_wide(const struct product *product, size_t input)
{
    for (size_t k = 0; k < product->matrix.wide.n; k++)
        if (product->matrix.wide.inputs[k] == input) return 1;
    return 0;
}

/* Packed, then the panels moved to where nothing lies behind them. */
static void pack(struct product *product)
{
    const struct local_kernels *kernels = product->kernels;
    size_t bytes = local_matrix_bytes(kernels, product->precision, product->n_out, product->n_in);
    assert_int_equal(posix_memalign(&product->memory, 64, bytes), 0);
    memset(product->memory, 0, bytes);
    local_matrix_init(&product->matrix, kernels, product->precision, product->n_out, product->n_in,
                      product->memory);
    product->matrix.wide = some_wide(product);
    for (size_t k = 0; k < product->matrix.wide.n; k++) /* by far the largest */
        for (size_t c = 0; c < product->n_out; c++)
            product->weights[c * product->n_in + product->matrix.wide.inputs[k]] *= 50;
    local_matrix_pack(&product->matrix, kernels, 0, product->n_out, product->weights);
    memcpy(product->matrix.bias, product->bias, product->n_out * sizeof(float));
    bytes = product->matrix.n_panels *
            gemm_panel_bytes(product->precision, kernels->width, product->n_in);
    product->panels = guard_bytes(bytes);
    memcpy(product->panels.bytes, product->matrix.panels, bytes);
    product->matrix.panels = product->panels.bytes;
}

static void convert(struct product *product)
{
    product->rows = (struct local_rows){.n_rows = product->n_rows,
                                        .n_in = product->n_in,
                                        .floats = product->floats.floats,
                                        .stride = product->n_in};
    product->codes =
        guard_bytes(product->n_rows * gemm_row_bytes(product->precision, &product->rows));
    product->scales = guard(product->n_rows);
    product->zeros = guard(product->n_rows);
    product->wide_values = guard(product->n_rows * LOCAL_WIDE);
    product->rows.codes = product->codes.bytes;
    product->rows.scales = product->scales.floats;
    product->rows.zeros = (int32_t *)(void *)product->zeros.bytes;
    product->rows.wide_values = product->wide_values.floats;
    product->rows.wide = product->matrix.wide;
    struct guarded before = guard(product->n_rows * product->n_in);
    size_t bytes = product->n_rows * product->n_in * sizeof(float);
    memcpy(before.floats, product->floats.floats, bytes);
    product->kernels->convert(product->precision, &product->rows, 0, product->n_rows);
    assert_memory_equal(before.floats, product->floats.floats, bytes);
    unguard(&before);
}

static void finish(struct product *product)
{
    free(product->weights);
    free(product->bias);
    free(product->inputs);
    free(product->decoded);
    free(product->memory);
    unguard(&product->panels);
    unguard(&product->floats);
    unguard(&product->codes);
    unguard(&product->scales);
    unguard(&product->zeros);
    unguard(&product->wide_values);
    unguard(&product->values);
    unguard(&product->residual);
}

static void multiply(struct product *product, const float *residual)
{
    struct local_output output = {product->values.floats, product->stride, product->activation,
                                  residual};
    product->kernels->gemm(&product->matrix, &product->rows, &output, 0, product->matrix.n_panels);
}

/* ---- what it should be ----------------------------------------------------------------------- */

static double rounded(float value)
{
    union {
        uint32_t bits;
        float value;
    } number = {(uint32_t)gemm_bfloat16(value) << 16};
    return (double)number.value;
}

/* Of int8, where kernels.h says that it lies. */
static double weight_at(const struct product *product, size_t column, size_t input)
{
    size_t width = product->kernels->width;
    float weight = product->weights[column * product->n_in + input];
    if (product->precision == LOCAL_FLOAT32) return (double)weight;
    if (product->precision == LOCAL_BFLOAT16) return rounded(weight);
    const int8_t *panel = (const int8_t *)product->panels.bytes +
                          column / width * width * ((product->n_in + 3) / 4 * 4);
    double scale = (double)product->matrix.scales[column];
    double code = (double)panel[(input / 4 * width + column % width) * 4 + input % 4];
    if (is_wide(product, input)) {
        assert_true(code == 0);
        return (double)weight;
    }
    assert_true(fabs((double)weight - scale * code) <= scale * .501);
    return scale * code;
}

static double input_at(const struct product *product, size_t row, size_t input)
{
    float value = product->floats.floats[row * product->n_in + input];
    if (product->precision == LOCAL_FLOAT32) return (double)value;
    if (product->precision == LOCAL_BFLOAT16) return rounded(value);
    const uint8_t *codes = product->codes.bytes + row * ((product->n_in + 3) / 4 * 4);
    double scale = (double)product->rows.scales[row];
    if (is_wide(product, input)) return (double)value;
    double decoded = scale * (codes[input] - product->rows.zeros[row]);
    assert_true(fabs((double)value - decoded) <= scale * .51);
    return decoded;
}

typedef double (*value_at)(const struct product *product, size_t row, size_t input);

/* [n, n_in], for free(). */
static double *decode(const struct product *product, size_t n, value_at value)
{
    double *values = malloc(n * product->n_in * sizeof *values);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < product->n_in; i++)
            values[r * product->n_in + i] = value(product, r, i);
    return values;
}

ORACLE static void add_products(const double *a, const double *b, size_t n, double *sum,
                                double *magnitude)
{
    for (size_t i = 0; i < n; i++) {
        *sum += a[i] * b[i];
        *magnitude += fabs(a[i] * b[i]);
    }
}

/* Whatever the order of a sum is, it is no further off than this many times half an epsilon of
 * all magnitudes. */
static void check_value(const struct product *product, size_t row, size_t column, double residual)
{
    double sum = (double)product->bias[column], magnitude = fabs(sum);
    add_products(product->inputs + row * product->n_in, product->decoded + column * product->n_in,
                 product->n_in, &sum, &magnitude);
    double error = magnitude * (double)FLT_EPSILON *
                   (product->precision == LOCAL_INT8 ? 4 : (double)product->n_in / 2 + 2);
    if (product->activation == LOCAL_ROUGH_GELU) error += 1.1e-4 * (1 + fabs(sum));
    double wanted = exact_activation(product->activation, sum) + residual;
    double got = (double)product->values.floats[row * product->stride + column];
    if (!(fabs(got - wanted) <= 1.2 * error + 5e-7 * (1 + fabs(wanted))))
        fail_msg("%s, precision %d, %zu x %zu x %zu: value %zu, %zu is %g, not %g",
                 product->kernels->name, (int)product->precision, product->n_rows, product->n_out,
                 product->n_in, row, column, got, wanted);
}

static void start(struct product *product, uint64_t *state)
{
    fill(product, state);
    pack(product);
    convert(product);
    product->inputs = decode(product, product->n_rows, input_at);
    product->decoded = decode(product, product->n_out, weight_at);
}

static void check_all(const struct product *product, const float *residual)
{
    for (size_t r = 0; r < product->n_rows; r++) {
        for (size_t c = 0; c < product->n_out; c++)
            check_value(product, r, c,
                        residual == NULL ? 0.0 : (double)residual[r * product->stride + c]);
        for (size_t c = product->n_out; c < product->stride && r + 1 < product->n_rows; c++)
            assert_true(isnan(product->values.floats[r * product->stride + c]));
    }
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* At each precision. */
typedef void (*precision_function)(const struct local_kernels *kernels,
                                   enum local_precision precision);

static void at_each_precision(const struct local_kernels *kernels, precision_function test)
{
    for (int precision = LOCAL_FLOAT32; precision <= LOCAL_INT8; precision++)
        test(kernels, (enum local_precision)precision);
}

static void try_shape(const struct local_kernels *kernels, enum local_precision precision,
                      size_t n_rows, size_t n_out, size_t n_in, enum local_activation activation)
{
    uint64_t state = n_rows * 1000003 + n_out * 1009 + n_in;
    struct product product = {.kernels = kernels,
                              .precision = precision,
                              .n_rows = n_rows,
                              .n_out = n_out,
                              .n_in = n_in,
                              .stride = n_out + n_rows % 3,
                              .activation = activation};
    start(&product, &state);
    multiply(&product, NULL);
    check_all(&product, NULL);
    multiply(&product, product.residual.floats);
    check_all(&product, product.residual.floats);
    /* The residual may be where the output goes. */
    size_t n = (n_rows - 1) * product.stride + n_out;
    struct guarded before = guard(n);
    memcpy(before.floats, product.values.floats, n * sizeof(float));
    memcpy(product.values.floats, product.residual.floats, n * sizeof(float));
    multiply(&product, product.values.floats);
    for (size_t r = 0; r < n_rows; r++)
        assert_memory_equal(product.values.floats + r * product.stride,
                            before.floats + r * product.stride, n_out * sizeof(float));
    unguard(&before);
    finish(&product);
}

static void try_sizes(const struct local_kernels *kernels, enum local_precision precision)
{
    static const size_t inputs[] = {1,  2,  3,  4,  5,  7,   15,  16,  17,  31,  32,
                                    33, 63, 64, 65, 66, 127, 129, 255, 256, 257, 260};
    static const size_t outputs[] = {1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 100};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        for (size_t j = 0; j < sizeof outputs / sizeof *outputs; j++)
            try_shape(kernels, precision, 1 + (7 * i + 5 * j) % 40, outputs[j], inputs[i],
                      (enum local_activation)((i + j) % (LOCAL_TANH + 1)));
    for (size_t n_rows = 1; n_rows <= 70; n_rows++)
        try_shape(kernels, precision, n_rows, 37, 67, LOCAL_IDENTITY);
    try_shape(kernels, precision, 33, 34, 768, LOCAL_GELU);
    try_shape(kernels, precision, 40, 33, 3072, LOCAL_IDENTITY);
    try_shape(kernels, precision, 17, 32, 1024, LOCAL_GELU_TANH); /* rows of 4096 bytes as floats */
}

static void test_sizes(const struct local_kernels *kernels)
{
    at_each_precision(kernels, try_sizes);
}

/* A row's values are the same, to the bit, alone and among others; those of a column in any
 * range of panels. */
static void try_neighbours(const struct local_kernels *kernels, enum local_precision precision)
{
    uint64_t state = 11;
    struct product product = {.kernels = kernels,
                              .precision = precision,
                              .n_rows = 75,
                              .n_out = 100,
                              .n_in = 165,
                              .stride = 100};
    float alone[100];
    start(&product, &state);
    multiply(&product, NULL);
    struct local_rows all = product.rows;
    size_t row_bytes = gemm_row_bytes(precision, &all);
    for (size_t n = 1; n <= 3; n++)
        for (size_t r = 0; r + n <= product.n_rows; r++) {
            struct local_rows some = all;
            some.n_rows = n;
            some.floats += r * all.stride;
            some.codes = (unsigned char *)all.codes + r * row_bytes;
            some.scales += r;
            some.zeros += r;
            some.wide_values += r * LOCAL_WIDE;
            float values[300];
            struct local_output output = {.values = values, .stride = 100};
            for (size_t panel = product.matrix.n_panels; panel-- > 0;)
                kernels->gemm(&product.matrix, &some, &output, panel, panel + 1);
            assert_memory_equal(values, product.values.floats + r * 100, n * sizeof alone);
        }
    finish(&product);
}

static void test_neighbours(const struct local_kernels *kernels)
{
    at_each_precision(kernels, try_neighbours);
}

/* Weights that are packed on the way give the same bits: of parts that share panels, of ranges of
 * panels, into the place of the residual. Nothing behind the last weight is read. */
static void try_mapped(const struct local_kernels *kernels, size_t n_parts, size_t part,
                       size_t n_in)
{
    uint64_t state = part;
    struct product product = {.kernels = kernels,
                              .n_rows = 19,
                              .n_out = n_parts * part,
                              .n_in = n_in,
                              .stride = n_parts * part + 3,
                              .activation = LOCAL_GELU};
    start(&product, &state);
    multiply(&product, product.residual.floats);
    struct guarded weights = guard(product.n_out * n_in);
    struct guarded scratch = guard_bytes(local_matrix_scratch(kernels, n_in));
    struct local_matrix mapped;
    const float *parts[LOCAL_PARTS];
    memcpy(weights.floats, product.weights, product.n_out * n_in * sizeof(float));
    for (size_t i = 0; i < n_parts; i++) parts[i] = weights.floats + i * part * n_in;
    local_matrix_init_mapped(&mapped, kernels, parts, n_parts, part, n_in, product.matrix.bias);
    assert_int_equal(mapped.n_out, product.n_out);
    assert_int_equal(mapped.n_panels, product.matrix.n_panels);
    assert_true(local_matrix_bias_bytes(kernels, product.n_out) >= product.n_out * sizeof(float));
    float *values = product.residual.floats; /* the residual itself */
    struct local_output output = {values, product.stride, product.activation, values};
    for (size_t first = 0; first < mapped.n_panels; first += 2)
        local_matrix_multiply(&mapped, kernels, &product.rows, &output, first,
                              first + 2 < mapped.n_panels ? first + 2 : mapped.n_panels,
                              scratch.bytes);
    for (size_t r = 0; r < product.n_rows; r++)
        assert_memory_equal(values + r * product.stride, product.values.floats + r * product.stride,
                            product.n_out * sizeof(float));
    unguard(&weights);
    unguard(&scratch);
    finish(&product);
}

static void test_mapped(const struct local_kernels *kernels)
{
    static const size_t inputs[] = {1, 15, 16, 17, 33, 64, 384};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        for (size_t n_parts = 1; n_parts <= LOCAL_PARTS; n_parts++)
            for (size_t part = 1; part <= 100; part += part < 5 ? 1 : part % 32 == 0 ? 4 : 14)
                try_mapped(kernels, n_parts, part, inputs[i]);
    for (size_t n_parts = 1; n_parts <= LOCAL_PARTS; n_parts++)
        try_mapped(kernels, n_parts, 96, 50);
}

/* Codes are the same, bit for bit, in all families; of rows that are hard to code as well. */
static void try_codes(const struct local_kernels *kernels, enum local_precision precision)
{
    enum { ROWS = 9 };
    static const size_t code_bytes[] = {0, sizeof(uint16_t), sizeof(uint8_t)};
    for (size_t n_in = 1; n_in <= 70; n_in++) {
        uint64_t state = n_in;
        struct product ours = {.kernels = kernels,
                               .precision = precision,
                               .n_rows = ROWS,
                               .n_out = 1,
                               .n_in = n_in,
                               .stride = 1};
        struct product plain = ours;
        plain.kernels = scalar();
        fill(&ours, &state);
        float *rows = ours.floats.floats;
        for (size_t i = 0; i < n_in; i++) {
            rows[i] = 0;
            rows[n_in + i] = -3.5f;
            rows[2 * n_in + i] = 1e-42f * (float)i;
            rows[3 * n_in + i] = i % 2 == 0 ? FLT_MAX : -FLT_MAX;
            rows[4 * n_in + i] = (float)i - 1.5f;
            rows[5 * n_in + i] = i == 0 ? 1e30f : 1e-3f;
        }
        state = n_in;
        fill(&plain, &state);
        memcpy(plain.floats.floats, rows, ROWS * n_in * sizeof(float));
        pack(&ours);
        pack(&plain);
        convert(&ours);
        convert(&plain);
        size_t row_bytes = gemm_row_bytes(precision, &ours.rows);
        for (size_t r = 0; r < ROWS; r++) /* what fills up a row has weight zero */
            assert_memory_equal(ours.codes.bytes + r * row_bytes, plain.codes.bytes + r * row_bytes,
                                n_in * code_bytes[precision]);
        if (precision == LOCAL_INT8) {
            assert_memory_equal(ours.scales.bytes, plain.scales.bytes, ROWS * sizeof(float));
            assert_memory_equal(ours.zeros.bytes, plain.zeros.bytes, ROWS * sizeof(int32_t));
        }
        finish(&ours);
        finish(&plain);
    }
}

static void test_codes(const struct local_kernels *kernels)
{
    at_each_precision(kernels, try_codes);
}

/* The largest codes, of one sign, over a long row: no sum of 16 bits holds two of their
 * products. */
static void try_largest(const struct local_kernels *kernels, enum local_precision precision)
{
    uint64_t state = 5;
    struct product product = {.kernels = kernels,
                              .precision = precision,
                              .n_rows = 19,
                              .n_out = 33,
                              .n_in = 3072,
                              .stride = 33,
                              .has_codes_alone = 1};
    fill(&product, &state);
    for (size_t i = 0; i < 33 * 3072; i++) product.weights[i] = i / 3072 % 2 == 0 ? 2.0f : -2.0f;
    for (size_t i = 0; i < 19 * 3072; i++)
        product.floats.floats[i] = i / 3072 % 2 == 0 ? 1.0f : -1.0f;
    pack(&product);
    convert(&product);
    multiply(&product, NULL);
    for (size_t r = 0; r < 19; r++)
        for (size_t c = 0; c < 33; c++) {
            double wanted = (r % 2 == c % 2 ? 6144.0 : -6144.0) + (double)product.bias[c];
            assert_true(fabs((double)product.values.floats[r * 33 + c] - wanted) <= 2e-2);
        }
    finish(&product);
}

static void test_largest(const struct local_kernels *kernels)
{
    at_each_precision(kernels, try_largest);
}

int main(void)
{
    for (size_t i = 0; local_kernels_at(i) != NULL; i++) {
        add_family_test("test_sizes", local_kernels_at(i), test_sizes);
        add_family_test("test_neighbours", local_kernels_at(i), test_neighbours);
        add_family_test("test_mapped", local_kernels_at(i), test_mapped);
        add_family_test("test_codes", local_kernels_at(i), test_codes);
        add_family_test("test_largest", local_kernels_at(i), test_largest);
    }
    return run_family_tests();
}

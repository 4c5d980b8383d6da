#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/each_allocation.h"
#include "local/dense.h"
#include "local/model_folder.h"

enum { N_IN = 5, N_BETWEEN = 40, N_OUT = 3, N = 9 };

static const struct local_config config = {
    .dense =
        {{.folder = "2_Dense",
          .n_in = N_IN,
          .n_out = N_BETWEEN,
          .has_bias = 1,
          .activation = LOCAL_TANH,
          .normalizes_input = 1},
         {.folder = "3_Dense", .n_in = N_BETWEEN, .n_out = N_OUT, .activation = LOCAL_SIGMOID}},
    .n_dense = 2,
};

/* Weights and bias of both, any numbers. */
static float first[N_BETWEEN * N_IN + N_BETWEEN], second[N_OUT * N_BETWEEN];

static void put_tensors(const char *name, const char *header, const float *values, size_t n)
{
    static char file[8 + 300 + sizeof first];
    uint64_t length = strlen(header);
    memcpy(file, &length, 8);
    memcpy(file + 8, header, length);
    memcpy(file + 8 + length, values, n * sizeof *values);
    model_folder_put(name, file, 8 + length + n * sizeof *values);
}

static int make(void **state)
{
    enum { BYTES = 4 * N_BETWEEN * N_IN };
    char header[300];
    if (model_folder_make(state) != 0) return -1;
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) first[i] = sinf((float)i);
    for (size_t i = 0; i < sizeof second / sizeof *second; i++) second[i] = cosf((float)i);
    snprintf(header, sizeof header,
             "{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]},"
             "\"linear.bias\":{\"dtype\":\"F32\",\"shape\":[%d],\"data_offsets\":[%d,%d]}}",
             N_BETWEEN, N_IN, BYTES, N_BETWEEN, BYTES, BYTES + 4 * N_BETWEEN);
    put_tensors("2_Dense/model.safetensors", header, first, sizeof first / sizeof *first);
    snprintf(header, sizeof header,
             "{\"linear.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]}}",
             N_OUT, N_BETWEEN, 4 * N_OUT * N_BETWEEN);
    put_tensors("3_Dense/model.safetensors", header, second, sizeof second / sizeof *second);
    return 0;
}

/* The formula, in double. */
static void compute(const float *vector, double out[N_OUT])
{
    double sum = 0, between[N_BETWEEN];
    for (size_t j = 0; j < N_IN; j++) sum += (double)vector[j] * (double)vector[j];
    double factor = sum > 0 ? 1 / sqrt(sum) : 0;
    for (size_t i = 0; i < N_BETWEEN; i++) {
        between[i] = (double)first[N_BETWEEN * N_IN + i];
        for (size_t j = 0; j < N_IN; j++)
            between[i] += (double)first[i * N_IN + j] * (double)vector[j] * factor;
        between[i] = tanh(between[i]);
    }
    for (size_t i = 0; i < N_OUT; i++) {
        double value = 0;
        for (size_t j = 0; j < N_BETWEEN; j++)
            value += (double)second[i * N_BETWEEN + j] * between[j];
        out[i] = 1 / (1 + exp(-value));
    }
}

static int apply(void *context, struct error *err)
{
    float vectors[N * N_IN], *out = NULL, *alone = NULL;
    struct dense *dense = NULL;
    uint64_t hash = 1;
    (void)context;
    for (size_t i = 0; i < N * N_IN; i++) vectors[i] = i < N_IN ? 0 : cosf((float)(3 * i));
    int rc = dense_load(model_folder, &config, 2, NULL, &dense, err);
    if (rc == 0) rc = dense_check(dense, err);
    if (rc == 0) rc = dense_hash(dense, 2, NULL, &hash, err);
    if (rc == 0) {
        float last[N_IN];
        assert_true(hash != 1);
        assert_int_equal(dense_n_out(dense), N_OUT);
        memcpy(last, vectors + (N - 1) * N_IN, sizeof last);
        rc = dense_apply(dense, vectors, N, &out, err);
        if (rc == 0) rc = dense_apply(dense, last, 1, &alone, err);
    }
    for (size_t i = 0; rc == 0 && i < N; i++) {
        double wanted[N_OUT];
        compute(vectors + i * N_IN, wanted);
        for (size_t j = 0; j < N_OUT; j++)
            assert_true(fabs((double)out[i * N_OUT + j] - wanted[j]) < 1e-5);
    }
    if (rc == 0) assert_memory_equal(alone, out + (N - 1) * N_OUT, N_OUT * sizeof *out);
    memory_free(out);
    memory_free(alone);
    dense_free(dense);
    return rc;
}

static void test_formula(void **state)
{
    (void)state;
    assert_int_equal(apply(NULL, NULL), 0);
    assert_true(each_allocation(apply, NULL) > 6);
}

static void test_none(void **state)
{
    (void)state;
    struct local_config without = config;
    struct dense *dense;
    without.n_dense = 0;
    assert_int_equal(dense_load(model_folder, &without, 2, NULL, &dense, NULL), 0);
    assert_null(dense);
    dense_free(NULL);
}

static void refused(const struct local_config *wanted, int code, const char *words)
{
    struct dense *dense;
    struct error err = {0};
    assert_int_equal(dense_load(model_folder, wanted, 2, NULL, &dense, &err), code);
    assert_null(dense);
    if (strstr(err.text, words) == NULL) print_error("no '%s' in '%s'\n", words, err.text);
    assert_non_null(strstr(err.text, words));
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_files_that_are_not_so(void **state)
{
    (void)state;
    struct local_config wanted = config;
    wanted.dense[1].has_bias = 1;
    refused(&wanted, ERROR_UNAVAILABLE, "3_Dense: model.safetensors has no tensor linear.bias");
    wanted.dense[1].n_in = N_IN;
    refused(&wanted, ERROR_CORRUPT, "3_Dense: tensor linear.weight has the shape [3, 40]");
    model_folder_put_text("3_Dense/model.safetensors", "x");
    refused(&config, ERROR_CORRUPT, "3_Dense: model.safetensors: 1 bytes are no safetensors file");
    unlink(model_folder_path("3_Dense/model.safetensors"));
    refused(&config, ERROR_UNAVAILABLE, "3_Dense: ");
    snprintf(wanted.dense[1].folder, LOCAL_PART_SIZE, "none");
    refused(&wanted, ERROR_UNAVAILABLE, "none: ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, model_folder_remove)

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        TEST(test_formula),
        TEST(test_none),
        TEST(test_files_that_are_not_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

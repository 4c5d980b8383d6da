#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/each_allocation.h"
#include "local/model_folder.h"
#include "local/safetensors.h"

/* ---- files ----------------------------------------------------------------------------------- */

/* Writes a file of that header and data; the header's length as it is, or as it is told. */
static void put_with_length(const char *name, uint64_t length, const char *header, const void *data,
                            size_t size)
{
    size_t header_size = strlen(header);
    unsigned char *file = malloc(8 + header_size + size);
    assert_non_null(file);
    for (int i = 0; i < 8; i++) file[i] = (unsigned char)(length >> (8 * i));
    memcpy(file + 8, header, header_size);
    memcpy(file + 8 + header_size, data, size);
    model_folder_put(name, file, 8 + header_size + size);
    free(file);
}

static void put_tensors(const char *name, const char *header, const void *data, size_t size)
{
    put_with_length(name, strlen(header), header, data, size);
}

static const float numbers[] = {1.5F, -2.0F, 3.25F, 4.0F, 5.0F, -6.5F};

static void put_good(void)
{
    put_tensors("model.safetensors",
                "{\"__metadata__\":{\"format\":\"pt\"},"
                "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]},"
                "\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}   ",
                numbers, sizeof numbers);
}

/* Refused with that code and a text that has all of `words` (separated by '|') in it. */
static void refused(int code, const char *words)
{
    struct safetensors *safetensors;
    struct error err = {0};
    char copy[200];
    int rc = safetensors_open(model_folder, &safetensors, &err);
    assert_null(safetensors);
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = copy, *end; word != NULL; word = end) {
        end = strchr(word, '|');
        if (end != NULL) *end++ = '\0';
        if (strstr(err.text, word) == NULL) print_error("no '%s' in '%s'\n", word, err.text);
        assert_non_null(strstr(err.text, word));
    }
    assert_int_equal(rc, code);
    assert_int_equal(err.code, code);
    assert_int_equal(safetensors_open(model_folder, &safetensors, NULL), code);
    assert_int_equal(failing_memory_blocks, 0);
}

/* A header over 24 bytes of data is corrupt. */
static void refused_header(const char *header, const char *words)
{
    put_tensors("model.safetensors", header, numbers, sizeof numbers);
    refused(ERROR_CORRUPT, words);
    refused(ERROR_CORRUPT, "model.safetensors");
}

/* ---- what is good ---------------------------------------------------------------------------- */

static void test_finds_and_reads(void **state)
{
    (void)state;
    struct safetensors *safetensors;
    struct error err = {0};
    float values[4] = {0};
    put_good();
    assert_int_equal(safetensors_open(model_folder, &safetensors, &err), 0);
    const struct tensor *a = safetensors_find(safetensors, "a");
    const struct tensor *b = safetensors_find(safetensors, "b");
    assert_null(safetensors_find(safetensors, "c"));
    assert_null(safetensors_find(safetensors, "__metadata__"));
    assert_non_null(a);
    assert_int_equal(a->type, TENSOR_FLOAT32);
    assert_string_equal(a->type_name, "F32");
    assert_int_equal(a->n_dimensions, 2);
    assert_int_equal(a->shape[0], 2);
    assert_int_equal(a->shape[1], 2);
    assert_int_equal(a->n_elements, 4);
    assert_int_equal(safetensors_read(safetensors, a, 0, 4, values, &err), 0);
    assert_memory_equal(values, numbers, sizeof values);
    assert_int_equal(safetensors_read(safetensors, b, 1, 1, values, &err), 0);
    assert_true(values[0] == -6.5F);
    assert_int_equal(safetensors_read(safetensors, b, 2, 0, values, &err), 0);
    assert_int_equal(safetensors_read(safetensors, b, 1, 2, values, &err), ERROR_CORRUPT);
    assert_int_equal(safetensors_read(safetensors, b, UINT64_MAX, 2, values, &err), ERROR_CORRUPT);
    assert_string_equal(err.text, "model.safetensors: tensor b has 2 elements, not "
                                  "18446744073709551615 and 2");
    assert_int_equal(truncate(model_folder_path("model.safetensors"), 20), 0);
    assert_int_equal(safetensors_read(safetensors, a, 0, 4, values, &err), ERROR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "model.safetensors: expected 16 bytes"));
    safetensors_close(safetensors);
    safetensors_close(NULL);
    assert_int_equal(failing_memory_blocks, 0);
}

static void test_bytes(void **state)
{
    (void)state;
    struct safetensors *safetensors;
    struct stat status;
    put_good();
    assert_int_equal(safetensors_open(model_folder, &safetensors, NULL), 0);
    assert_int_equal(stat(model_folder_path("model.safetensors"), &status), 0);
    assert_int_equal(safetensors_bytes(safetensors), status.st_size);
    safetensors_close(safetensors);
    put_tensors("model.safetensors", "{}", "", 0);
    assert_int_equal(safetensors_open(model_folder, &safetensors, NULL), 0);
    assert_null(safetensors_find(safetensors, "a"));
    assert_int_equal(safetensors_bytes(safetensors), 10);
    safetensors_close(safetensors);
}

/* Every number of 16 bits, in one piece and from the middle on. */
static const float *read_all_halves(const char *dtype, float *values)
{
    static uint16_t halves[65536];
    char header[200];
    struct safetensors *safetensors;
    struct error err = {0};
    float few[3];
    for (size_t i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
    snprintf(header, sizeof header,
             "{\"t\":{\"dtype\":\"%s\",\"shape\":[256,256],\"data_offsets\":[0,131072]}}", dtype);
    put_tensors("model.safetensors", header, halves, sizeof halves);
    assert_int_equal(safetensors_open(model_folder, &safetensors, &err), 0);
    const struct tensor *tensor = safetensors_find(safetensors, "t");
    assert_non_null(tensor);
    assert_int_equal(safetensors_read(safetensors, tensor, 0, 65536, values, &err), 0);
    assert_int_equal(safetensors_read(safetensors, tensor, 15359, 3, few, &err), 0);
    assert_memory_equal(few, values + 15359, sizeof few);
    safetensors_close(safetensors);
    return values;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void test_all_of_float16(void **state)
{
    (void)state;
    static float values[65536];
    read_all_halves("F16", values);
    for (uint32_t i = 0; i < 65536; i++) {
        int exponent = (int)(i >> 10 & 31), fraction = (int)(i & 1023);
        float expected = exponent == 31  ? fraction == 0 ? INFINITY : NAN
                         : exponent == 0 ? ldexpf((float)fraction, -24)
                                         : ldexpf((float)(1024 + fraction), exponent - 25);
        if (i >> 15) expected = -expected;
        if (isnan(expected)) {
            assert_true(isnan(values[i]));
            assert_int_equal(bits_of(values[i]) >> 13 & 1023, fraction);
        } else if (bits_of(values[i]) != bits_of(expected)) fail_msg("%#x", i);
    }
}

static void test_all_of_bfloat16(void **state)
{
    (void)state;
    static float values[65536];
    read_all_halves("BF16", values);
    for (uint32_t i = 0; i < 65536; i++)
        if (bits_of(values[i]) != i << 16) fail_msg("%#x", i);
}

static void test_other_types(void **state)
{
    (void)state;
    struct safetensors *safetensors;
    struct error err = {0};
    float value;
    int64_t whole;
    put_tensors("model.safetensors",
                "{\"ids\":{\"dtype\":\"U64\",\"shape\":[1,2],\"data_offsets\":[0,16]},"
                "\"none\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[16,16]},"
                "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[16,20]},"
                "\"deep\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[20,24]}}",
                numbers, sizeof numbers);
    assert_int_equal(safetensors_open(model_folder, &safetensors, &err), 0);
    const struct tensor *ids = safetensors_find(safetensors, "ids");
    assert_int_equal(ids->type, TENSOR_OTHER);
    assert_string_equal(ids->type_name, "U64");
    assert_int_equal(safetensors_read(safetensors, ids, 0, 1, &value, &err), ERROR_UNAVAILABLE);
    assert_string_equal(err.text,
                        "model.safetensors: tensor ids is of type U64, expected F32, F16, "
                        "BF16, F64 or I8");
    assert_int_equal(safetensors_read_integers(safetensors, ids, 0, 1, &whole, &err),
                     ERROR_UNAVAILABLE);
    assert_string_equal(err.text,
                        "model.safetensors: tensor ids is of type U64, expected I32 or I64");
    const struct tensor *deep = safetensors_find(safetensors, "deep");
    assert_int_equal(deep->type, TENSOR_OTHER);
    assert_int_equal(deep->n_dimensions, TENSOR_MAX_DIMENSIONS);
    assert_int_equal(safetensors_read(safetensors, deep, 0, 1, &value, &err), ERROR_UNAVAILABLE);
    assert_int_equal(safetensors_find(safetensors, "none")->n_elements, 0);
    const struct tensor *scalar = safetensors_find(safetensors, "scalar");
    assert_int_equal(scalar->n_dimensions, 0);
    assert_int_equal(safetensors_read(safetensors, scalar, 0, 1, &value, &err), 0);
    assert_true(value == 5.0F);
    safetensors_close(safetensors);
}

/* float64 is rounded, what is beyond float32 infinite; bytes are what they are. More than is read
 * at once. */
static void test_wide_and_narrow_types(void **state)
{
    (void)state;
    enum { N = 1300 };
    static struct {
        double wide[N];
        int64_t longs[N];
        int32_t whole[N];
        int8_t bytes[N];
    } data;
    static float values[N];
    static int64_t integers[N];
    struct safetensors *safetensors;
    char header[400];
    for (int i = 0; i < N; i++) {
        data.wide[i] = i == 7 ? -1e300 : i / 3.0;
        data.longs[i] = i - INT64_C(5000000000);
        data.whole[i] = i - 700;
        data.bytes[i] = (int8_t)(i % 256 - 128);
    }
    snprintf(header, sizeof header,
             "{\"wide\":{\"dtype\":\"F64\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
             "\"longs\":{\"dtype\":\"I64\",\"shape\":[%d],\"data_offsets\":[%d,%d]},"
             "\"whole\":{\"dtype\":\"I32\",\"shape\":[%d],\"data_offsets\":[%d,%d]},"
             "\"bytes\":{\"dtype\":\"I8\",\"shape\":[%d],\"data_offsets\":[%d,%d]}}",
             N, 8 * N, N, 8 * N, 16 * N, N, 16 * N, 20 * N, N, 20 * N, 21 * N);
    put_tensors("model.safetensors", header, &data, 21 * N);
    assert_int_equal(safetensors_open(model_folder, &safetensors, NULL), 0);
    const struct tensor *wide = safetensors_find(safetensors, "wide");
    assert_int_equal(safetensors_read(safetensors, wide, 0, N, values, NULL), 0);
    for (int i = 0; i < N; i++)
        assert_true(i == 7 ? values[i] > 3e38F : values[i] == (float)data.wide[i]);
    const struct tensor *bytes = safetensors_find(safetensors, "bytes");
    assert_int_equal(safetensors_read(safetensors, bytes, 3, N - 3, values, NULL), 0);
    for (int i = 3; i < N; i++) assert_true(values[i - 3] == data.bytes[i]);
    const struct tensor *longs = safetensors_find(safetensors, "longs");
    assert_int_equal(safetensors_read_integers(safetensors, longs, 0, N, integers, NULL), 0);
    assert_memory_equal(integers, data.longs, sizeof integers);
    const struct tensor *whole = safetensors_find(safetensors, "whole");
    assert_int_equal(safetensors_read_integers(safetensors, whole, 0, N, integers, NULL), 0);
    for (int i = 0; i < N; i++) assert_true(integers[i] == data.whole[i]);
    assert_int_equal(safetensors_read_integers(safetensors, whole, N, 1, integers, NULL),
                     ERROR_CORRUPT);
    assert_int_equal(safetensors_read(safetensors, whole, 0, 1, values, NULL), ERROR_UNAVAILABLE);
    assert_int_equal(safetensors_read_integers(safetensors, bytes, 0, 1, integers, NULL),
                     ERROR_UNAVAILABLE);
    safetensors_close(safetensors);
}

/* ---- what is not ----------------------------------------------------------------------------- */

static void test_missing(void **state)
{
    (void)state;
    refused(ERROR_UNAVAILABLE, "model.safetensors|No such file");
    model_folder_put("pytorch_model.bin", "x", 1);
    refused(ERROR_UNAVAILABLE, "model.safetensors|No such file");
}

static void test_lengths(void **state)
{
    (void)state;
    model_folder_put("model.safetensors", "", 0);
    refused(ERROR_CORRUPT, "model.safetensors: 0 bytes are no safetensors file");
    model_folder_put("model.safetensors", "\3\0\0\0\0\0\0", 7);
    refused(ERROR_CORRUPT, "model.safetensors: 7 bytes");
    put_with_length("model.safetensors", 100, "{}", "", 0);
    refused(ERROR_CORRUPT, "model.safetensors: 10 bytes, expected 108|cut short");
    put_with_length("model.safetensors", UINT64_MAX, "{}", "", 0);
    refused(ERROR_CORRUPT, "a header of 18446744073709551615 bytes, expected 8388608");
    put_with_length("model.safetensors", (uint64_t)1 << 40, "{}", "", 0);
    refused(ERROR_CORRUPT, "a header of");
    put_with_length("model.safetensors", 0, "{}", "", 0);
    refused(ERROR_CORRUPT, "its header: expected JSON, not an empty text");
    /* What a hub answers instead of a file, and what stands for one in a repository. */
    model_folder_put_text("model.safetensors", "<!doctype html><html></html>");
    refused(ERROR_CORRUPT, "is it a safetensors file?");
    model_folder_put_text("model.safetensors", "version https://git-lfs.github.com/spec/v1\n");
    refused(ERROR_CORRUPT, "is it a safetensors file?");
}

static void test_cut_short(void **state)
{
    (void)state;
    put_good();
    struct stat status;
    assert_int_equal(stat(model_folder_path("model.safetensors"), &status), 0);
    assert_int_equal(truncate(model_folder_path("model.safetensors"), status.st_size - 1), 0);
    char words[100];
    snprintf(words, sizeof words, "model.safetensors: %d bytes, expected %d|cut short",
             (int)status.st_size - 1, (int)status.st_size);
    refused(ERROR_CORRUPT, words);
    assert_int_equal(truncate(model_folder_path("model.safetensors"), status.st_size + 1), 0);
    snprintf(words, sizeof words, "%d bytes, expected %d as its header says",
             (int)status.st_size + 1, (int)status.st_size);
    refused(ERROR_CORRUPT, words);
}

#define F32(name, shape, offsets)                                                                  \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_headers(void **state)
{
    (void)state;
    refused_header("not JSON", "its header: not JSON at byte");
    refused_header("{\"a\":", "its header: the JSON breaks off");
    refused_header("[1,2]", "not a JSON object");
    refused_header("{\"a\":1}", "tensor a: expected dtype, shape and data_offsets");
    refused_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[6]}}", "tensor a: expected dtype");
    refused_header("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"data_offsets\":[0,24]}}",
                   "tensor a: its shape is not an array");
    refused_header("{\"a\":{\"dtype\":7,\"shape\":[6],\"data_offsets\":[0,24]}}",
                   "tensor a: it has no dtype");
    refused_header("{\"a\":{\"dtype\":\"Q4\",\"shape\":[6],\"data_offsets\":[0,24]}}",
                   "tensor a: no such dtype: Q4");
    refused_header("{" F32("a", "6", "[0,24]") "}", "tensor a: its shape is not an array");
    refused_header("{" F32("a", "[-6]", "[0,24]") "}", "tensor a: its shape holds");
    refused_header("{" F32("a", "[1.5,4]", "[0,24]") "}", "tensor a: its shape holds");
    refused_header("{" F32("a", "[1e300]", "[0,24]") "}", "tensor a: its shape holds");
    refused_header("{" F32("a", "[1e999]", "[0,24]") "}", "tensor a: its shape holds");
    refused_header("{" F32("a", "[9007199254740993]", "[0,24]") "}", "tensor a: its shape holds");
    refused_header("{" F32("a", "[\"6\"]", "[0,24]") "}", "tensor a: its shape holds");
    refused_header("{" F32("a", "[4294967296,4294967296]", "[0,0]") "}",
                   "tensor a: its shape is too large");
    refused_header("{" F32("a", "[1000000,1000000,1000000,1000]", "[0,0]") "}", "too large");
    refused_header("{" F32("a", "[6]", "[0]") "}", "tensor a: its data_offsets");
    refused_header("{" F32("a", "[6]", "[0,24,48]") "}", "tensor a: its data_offsets");
    refused_header("{" F32("a", "[6]", "[24,0]") "}", "tensor a: its data_offsets");
    refused_header("{" F32("a", "[6]", "[-24,0]") "}", "tensor a: its data_offsets");
    refused_header("{" F32("a", "[6]", "{}") "}", "tensor a: its data_offsets");
    refused_header("{" F32("a", "[5]", "[0,24]") "}", "24 bytes for 5 elements of 32 bits");
    refused_header("{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                   "1 bytes for 1 elements of 4 bits");
}

static void test_layouts(void **state)
{
    (void)state;
    refused_header("{" F32("a", "[4]", "[0,16]") "," F32("b", "[4]", "[8,24]") "}",
                   "tensor b begins at byte 8 of the data, expected 16");
    refused_header("{" F32("a", "[2]", "[0,8]") "," F32("b", "[3]", "[12,24]") "}",
                   "tensor b begins at byte 12 of the data, expected 8");
    refused_header("{" F32("a", "[5]", "[4,24]") "}", "tensor a begins at byte 4");
    refused_header("{" F32("a", "[6]", "[0,24]") "," F32("b", "[6]", "[0,24]") "}",
                   "begins at byte 0 of the data, expected 24");
    refused_header("{" F32("a", "[8]", "[0,32]") "}", "expected|cut short");
    refused_header("{" F32("a", "[5]", "[0,20]") "}", "expected");
    refused_header("{" F32("a", "[3]", "[0,12]") "," F32("a", "[3]", "[12,24]") "}",
                   "tensor a is there twice");
    refused_header("{}", "34 bytes, expected 10");
}

/* ---- shards ---------------------------------------------------------------------------------- */

#define INDEX "model.safetensors.index.json"

static void put_shards(void)
{
    put_tensors("model-00001-of-00002.safetensors", "{" F32("a", "[2]", "[0,8]") "}", numbers, 8);
    put_tensors("model-00002-of-00002.safetensors",
                "{" F32("c", "[1]", "[0,4]") "," F32("b", "[3]", "[4,16]") "}", numbers + 2, 16);
    model_folder_put_text(INDEX, "{\"metadata\":{\"total_size\":24},\"weight_map\":{"
                                 "\"c\":\"model-00002-of-00002.safetensors\","
                                 "\"a\":\"model-00001-of-00002.safetensors\","
                                 "\"b\":\"model-00002-of-00002.safetensors\"}}");
}

static void test_shards(void **state)
{
    (void)state;
    struct safetensors *safetensors;
    struct error err = {0};
    float values[3];
    put_shards();
    assert_int_equal(safetensors_open(model_folder, &safetensors, &err), 0);
    assert_int_equal(
        safetensors_read(safetensors, safetensors_find(safetensors, "a"), 0, 2, values, &err), 0);
    assert_memory_equal(values, numbers, 8);
    assert_int_equal(
        safetensors_read(safetensors, safetensors_find(safetensors, "b"), 0, 3, values, &err), 0);
    assert_memory_equal(values, numbers + 3, 12);
    assert_true(safetensors_bytes(safetensors) > 24 + 16);
    safetensors_close(safetensors);
    /* One file for all comes first. */
    put_good();
    assert_int_equal(safetensors_open(model_folder, &safetensors, &err), 0);
    assert_null(safetensors_find(safetensors, "c"));
    safetensors_close(safetensors);
}

static void test_bad_shards(void **state)
{
    (void)state;
    put_shards();
    model_folder_put_text(INDEX, "{\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\","
                                 "\"x\":\"model-00002-of-00002.safetensors\"}}");
    refused(ERROR_CORRUPT, "model-00002-of-00002.safetensors: no tensor x|promises");
    model_folder_put_text(INDEX, "{\"weight_map\":{\"a\":\"model-00002-of-00002.safetensors\"}}");
    refused(ERROR_CORRUPT, "model-00002-of-00002.safetensors: no tensor a|promises");
    put_shards();
    put_tensors("model-00001-of-00002.safetensors", "{" F32("b", "[2]", "[0,8]") "}", numbers, 8);
    refused(ERROR_CORRUPT, "tensor b is there twice");
    put_shards();
    model_folder_put("model-00002-of-00002.safetensors", "", 0);
    refused(ERROR_CORRUPT, "model-00002-of-00002.safetensors: 0 bytes");
    unlink(model_folder_path("model-00002-of-00002.safetensors"));
    refused(ERROR_UNAVAILABLE, "model-00002-of-00002.safetensors|No such file");
}

static void refused_index(const char *text, const char *words)
{
    model_folder_put_text(INDEX, text);
    refused(ERROR_CORRUPT, words);
    refused(ERROR_CORRUPT, INDEX);
}

static void test_bad_indexes(void **state)
{
    (void)state;
    refused_index("", "an empty text");
    refused_index("{", "breaks off");
    refused_index("{}", "no weight_map");
    refused_index("{\"weight_map\":[]}", "no weight_map");
    refused_index("{\"weight_map\":{}}", "no weight_map");
    refused_index("{\"weight_map\":{\"a\":1}}", "tensor a|not a number");
    refused_index("{\"weight_map\":{\"a\":\"\"}}", "tensor a");
    refused_index("{\"weight_map\":{\"a\":\"../b.safetensors\"}}", "not ../b.safetensors");
    refused_index("{\"weight_map\":{\"a\":\"x/b.safetensors\"}}", "not x/b.safetensors");
    refused_index("{\"weight_map\":{\"a\":\".safetensors\"}}", "not .safetensors");
    refused_index("{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "not /etc/passwd");
    refused_index("{\"weight_map\":{\"a\":\"model.bin\"}}", "not model.bin");
    char many[8192] = "{\"weight_map\":{\"a\":\"0.safetensors\"";
    for (int i = 1; i <= 100; i++) {
        size_t used = strlen(many);
        snprintf(many + used, sizeof many - used, ",\"%d\":\"%d.safetensors\"", i, i);
    }
    strncat(many, "}}", 3);
    refused_index(many, "101 files, expected 100 at most");
    static char large[(8 << 20) + 2];
    memset(large, ' ', sizeof large - 1);
    refused_index(large, "more than 8388608 bytes");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int open_once(void *context, struct error *err)
{
    struct safetensors *safetensors;
    (void)context;
    int rc = safetensors_open(model_folder, &safetensors, err);
    if (rc == 0) assert_non_null(safetensors_find(safetensors, "b"));
    safetensors_close(safetensors);
    return rc;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    put_shards();
    assert_true(each_allocation(open_once, NULL) >= 8);
    put_good();
    assert_true(each_allocation(open_once, NULL) >= 4);
}

/* A header of `size` bytes, filled up with blanks, before four floats and two of 16 bits. */
static struct safetensors *open_padded(int size)
{
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
                                 "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],"
                                 "\"data_offsets\":[16,20]}}";
    struct safetensors *safetensors;
    char padded[200];
    snprintf(padded, sizeof padded, "%-*s", size, header);
    put_tensors("model.safetensors", padded, numbers, 20);
    assert_int_equal(safetensors_open(model_folder, &safetensors, NULL), 0);
    return safetensors;
}

static void test_mapped(void **state)
{
    (void)state;
    struct error err = {0};
    struct safetensors *safetensors = open_padded(124);
    const struct tensor *a = safetensors_find(safetensors, "a");
    assert_int_equal(safetensors_check(safetensors, &err), 0);
    const float *mapped = safetensors_mapped(safetensors, a);
    assert_non_null(mapped);
    assert_memory_equal(mapped, numbers, 16);
    assert_ptr_equal(safetensors_mapped(safetensors, a), mapped);
    assert_null(safetensors_mapped(safetensors, safetensors_find(safetensors, "b")));
    assert_int_equal(safetensors_check(safetensors, &err), 0);
    assert_int_equal(truncate(model_folder_path("model.safetensors"), 20), 0);
    assert_int_equal(safetensors_check(safetensors, &err), ERROR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "model.safetensors was written to while it was in use"));
    safetensors_close(safetensors);
    for (int size = 125; size < 128; size++) { /* numbers at odd places */
        safetensors = open_padded(size);
        assert_null(safetensors_mapped(safetensors, safetensors_find(safetensors, "a")));
        safetensors_close(safetensors);
    }
    assert_int_equal(failing_memory_blocks, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, model_folder_make, model_folder_remove)

int main(void)
{
    failing_memory_bind();
    const struct CMUnitTest tests[] = {
        TEST(test_mapped),
        TEST(test_finds_and_reads),
        TEST(test_bytes),
        TEST(test_all_of_float16),
        TEST(test_all_of_bfloat16),
        TEST(test_other_types),
        TEST(test_wide_and_narrow_types),
        TEST(test_missing),
        TEST(test_lengths),
        TEST(test_cut_short),
        TEST(test_headers),
        TEST(test_layouts),
        TEST(test_shards),
        TEST(test_bad_shards),
        TEST(test_bad_indexes),
        TEST(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

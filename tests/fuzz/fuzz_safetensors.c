/*
 * fuzz_safetensors.c: any bytes as the weights of a model. The first byte chooses what the rest
 * are: a whole file, a header in front of 64 bytes of data, or an index of shards. What is opened
 * has tensors that can be read to their last element, and no further.
 */
#include <stdint.h>
#include <stdlib.h>

#include "local/model_folder.h"
#include "local/safetensors.h"

enum { DATA_SIZE = 64 };

static const char shard[] = "\x39\0\0\0\0\0\0\0"
                            "{\"a\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[0,8]}}  "
                            "01234567";

static void clean_up(void)
{
    model_folder_remove(NULL);
}

static void prepare(void)
{
    if (model_folder_make(NULL) != 0 || atexit(clean_up) != 0) abort();
    model_folder_put("1.safetensors", shard, sizeof shard - 1);
    model_folder_put_text("2.safetensors", "");
}

/* The header's length, the header and data behind it. */
static void put_header(const uint8_t *header, size_t size)
{
    unsigned char *file = calloc(1, 8 + size + DATA_SIZE);
    if (file == NULL) return;
    for (size_t i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)size >> (8 * i));
    memcpy(file + 8, header, size);
    model_folder_put("model.safetensors", file, 8 + size + DATA_SIZE);
    free(file);
}

static void read_integers(const struct safetensors *safetensors, const struct tensor *tensor,
                          int wanted)
{
    size_t n = (size_t)tensor->n_elements;
    int64_t *values = malloc((n + 1) * sizeof *values), value;
    if (values == NULL) abort();
    if (safetensors_read_integers(safetensors, tensor, 0, n, values, NULL) != wanted) abort();
    if (n > 0 && safetensors_read_integers(safetensors, tensor, n - 1, 1, &value, NULL) != wanted)
        abort();
    if (wanted == 0 && n > 0 && value != values[n - 1]) abort();
    if (safetensors_read_integers(safetensors, tensor, n, 1, &value, NULL) == 0) abort();
    free(values);
}

static void read_all(const struct safetensors *safetensors, const struct tensor *tensor)
{
    struct error err = {0};
    float value;
    size_t n = (size_t)tensor->n_elements;
    if (tensor->n_dimensions > TENSOR_MAX_DIMENSIONS || tensor->type_name == NULL) abort();
    if (tensor->n_elements > 8 * safetensors_bytes(safetensors)) abort();
    float *values = malloc((n + 1) * sizeof *values);
    if (values == NULL) abort();
    int is_whole = tensor->type == TENSOR_INT32 || tensor->type == TENSOR_INT64;
    int wanted = tensor->type == TENSOR_OTHER || is_whole ? ERROR_UNAVAILABLE : 0;
    if (safetensors_read(safetensors, tensor, 0, n, values, &err) != wanted) abort();
    if (n > 0 && safetensors_read(safetensors, tensor, n - 1, 1, &value, &err) != wanted) abort();
    if (wanted == 0 && n > 0 && memcmp(&value, values + n - 1, sizeof value) != 0) abort();
    if (safetensors_read(safetensors, tensor, n, 1, &value, &err) == 0) abort();
    free(values);
    read_integers(safetensors, tensor, is_whole ? 0 : ERROR_UNAVAILABLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a", "b", "c", "ab", "", "__metadata__"};
    struct safetensors *safetensors;
    struct error err = {0};
    if (model_folder[0] == '\0') prepare();
    if (size == 0) return 0;
    unlink(model_folder_path("model.safetensors"));
    if (data[0] % 3 == 0) model_folder_put("model.safetensors", data + 1, size - 1);
    else if (data[0] % 3 == 1) put_header(data + 1, size - 1);
    else model_folder_put("model.safetensors.index.json", data + 1, size - 1);
    int rc = safetensors_open(model_folder, &safetensors, &err);
    if (rc != 0 && rc != ERROR_CORRUPT && rc != ERROR_UNAVAILABLE) abort();
    if ((rc == 0) != (safetensors != NULL) || err.code != rc) abort();
    for (size_t i = 0; rc == 0 && i < sizeof names / sizeof *names; i++) {
        const struct tensor *tensor = safetensors_find(safetensors, names[i]);
        if (tensor != NULL) read_all(safetensors, tensor);
    }
    safetensors_close(safetensors);
    return 0;
}

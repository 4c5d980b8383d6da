#include "local/safetensors.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "local/narrow.h"

/* The format allows headers of 100 MB. One of 8 MB names some 60000 tensors, where a large
 * encoder has 400, and its tree takes up to 40 times that memory (json.h). */
#define MAX_HEADER ((uint64_t)8 << 20)
#define MAX_INDEX ((size_t)8 << 20)
#define MAX_SHARDS 100
#define LENGTH_SIZE 8 /* bytes of the header's length */

struct shard {
    struct file file;
    const unsigned char *mapped; /* all of it, once that was asked for; or NULL */
    char name[256];
    char *names; /* of its tensors, each with its NUL */
};

struct safetensors {
    struct shard *shards; /* [n_shards] */
    size_t n_shards;
    struct tensor *tensors; /* [n_tensors] by name */
    size_t n_tensors;
};

/* ---- types ----------------------------------------------------------------------------------- */

struct type {
    const char *name;
    enum tensor_type type;
    unsigned bits;
};

/* All that the format knows (huggingface/safetensors, enum Dtype). */
static const struct type types[] = {
    {"F32", TENSOR_FLOAT32, 32},  {"F16", TENSOR_FLOAT16, 16},  {"BF16", TENSOR_BFLOAT16, 16},
    {"F64", TENSOR_FLOAT64, 64},  {"I64", TENSOR_INT64, 64},    {"U64", TENSOR_OTHER, 64},
    {"C64", TENSOR_OTHER, 64},    {"I32", TENSOR_INT32, 32},    {"U32", TENSOR_OTHER, 32},
    {"I16", TENSOR_OTHER, 16},    {"U16", TENSOR_OTHER, 16},    {"I8", TENSOR_INT8, 8},
    {"U8", TENSOR_OTHER, 8},      {"BOOL", TENSOR_OTHER, 8},    {"F8_E4M3", TENSOR_OTHER, 8},
    {"F8_E5M2", TENSOR_OTHER, 8}, {"F8_E8M0", TENSOR_OTHER, 8}, {"F8_E4M3FNUZ", TENSOR_OTHER, 8},
    {"F6_E3M2", TENSOR_OTHER, 6}, {"F6_E2M3", TENSOR_OTHER, 6}, {"F8_E5M2FNUZ", TENSOR_OTHER, 8},
    {"F4", TENSOR_OTHER, 4},
};

static const struct type *find_type(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}

/* ---- one entry of a header ------------------------------------------------------------------- */

/* A whole number that a double holds exactly. */
static int whole_number(const cJSON *item, uint64_t *value)
{
    const double most = 9007199254740992.0; /* 2^53 */
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < most)) return 0;
    *value = (uint64_t)item->valuedouble;
    return (double)*value == item->valuedouble;
}

static int bad_entry(const struct tensor *tensor, const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, "tensor %.100s: %s", tensor->name, what);
}

/* The shape, and n_elements. */
static int parse_shape(const cJSON *shape, struct tensor *tensor, struct error *err)
{
    const cJSON *item;
    size_t n = 0;
    if (!cJSON_IsArray(shape)) return bad_entry(tensor, "its shape is not an array", err);
    tensor->n_elements = 1;
    cJSON_ArrayForEach(item, shape)
    {
        uint64_t length;
        if (!whole_number(item, &length) || length > SIZE_MAX)
            return bad_entry(tensor, "its shape holds what is no length", err);
        if (length != 0 && tensor->n_elements > UINT64_MAX / 64 / length)
            return bad_entry(tensor, "its shape is too large", err);
        if (n < TENSOR_MAX_DIMENSIONS) tensor->shape[n] = (size_t)length;
        tensor->n_elements *= length;
        n++;
    }
    tensor->n_dimensions = n < TENSOR_MAX_DIMENSIONS ? n : TENSOR_MAX_DIMENSIONS;
    if (n > TENSOR_MAX_DIMENSIONS) {
        tensor->type = TENSOR_OTHER;
        tensor->type_name = "more than 4 dimensions";
    }
    return 0;
}

/* Where it begins among the tensors' bytes; its size is that of its elements. */
static int parse_offsets(const cJSON *offsets, unsigned bits, struct tensor *tensor,
                         struct error *err)
{
    uint64_t first, end;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !whole_number(offsets->child, &first) || !whole_number(offsets->child->next, &end) ||
        first > end)
        return bad_entry(tensor, "its data_offsets are not two rising numbers", err);
    uint64_t n_bits = tensor->n_elements * bits;
    if (n_bits % 8 != 0 || end - first != n_bits / 8)
        return error_set(err, ERROR_CORRUPT,
                         "tensor %.100s: %" PRIu64 " bytes for %" PRIu64 " elements of %u bits",
                         tensor->name, end - first, tensor->n_elements, bits);
    tensor->offset = first;
    tensor->n_bytes = end - first;
    return 0;
}

static int parse_entry(const cJSON *entry, struct tensor *tensor, struct error *err)
{
    const char *name = json_text_at(entry, "/dtype");
    if (!cJSON_IsObject(entry) || cJSON_GetArraySize(entry) != 3)
        return bad_entry(tensor, "expected dtype, shape and data_offsets", err);
    if (name == NULL) return bad_entry(tensor, "it has no dtype", err);
    const struct type *type = find_type(name);
    if (type == NULL)
        return error_set(err, ERROR_CORRUPT, "tensor %.100s: no such dtype: %.50s", tensor->name,
                         name);
    tensor->type = type->type;
    tensor->type_name = type->name;
    int rc = parse_shape(json_at(entry, "/shape"), tensor, err);
    if (rc == 0) rc = parse_offsets(json_at(entry, "/data_offsets"), type->bits, tensor, err);
    return rc;
}

/* ---- a header -------------------------------------------------------------------------------- */

static int is_metadata(const cJSON *entry)
{
    return strcmp(entry->string, "__metadata__") == 0;
}

/* Room for the tensors that a header names, and for their names. */
static int make_room(struct safetensors *all, struct shard *shard, const cJSON *header,
                     struct error *err)
{
    size_t n = 0, size = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, header)
    {
        if (is_metadata(entry)) continue;
        size += strlen(entry->string) + 1;
        n++;
    }
    shard->names = memory_alloc(size, 1);
    if (shard->names == NULL) return error_nomem(err);
    struct tensor *grown = memory_realloc(all->tensors, all->n_tensors + n + 1, sizeof *grown);
    if (grown == NULL) return error_nomem(err);
    all->tensors = grown;
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    /* An empty one before that which begins where it lies. */
    return x->n_bytes == y->n_bytes ? 0 : x->n_bytes < y->n_bytes ? -1 : 1;
}

/* The tensors lie one behind the other, from the header's end to the file's. Makes their offsets
 * those of the file. */
static int check_layout(const struct shard *shard, uint64_t start, struct tensor *tensors, size_t n,
                        struct error *err)
{
    uint64_t expected = 0, size = shard->file.size;
    qsort(tensors, n, sizeof *tensors, by_offset);
    for (size_t i = 0; i < n; i++) {
        if (tensors[i].offset != expected)
            return error_set(err, ERROR_CORRUPT,
                             "tensor %.100s begins at byte %" PRIu64
                             " of the data, expected %" PRIu64 " where the one before it ends",
                             tensors[i].name, tensors[i].offset, expected);
        tensors[i].offset += start;
        expected += tensors[i].n_bytes;
    }
    if (start + expected != size)
        return error_set(err, ERROR_CORRUPT,
                         "%" PRIu64 " bytes, expected %" PRIu64 " as its header says%s", size,
                         start + expected,
                         size < start + expected ? ": it is cut short, download it again" : "");
    return 0;
}

static int add_tensors(struct safetensors *all, size_t number, const cJSON *header, uint64_t start,
                       struct error *err)
{
    struct shard *shard = &all->shards[number];
    if (!cJSON_IsObject(header))
        return error_set(err, ERROR_CORRUPT, "its header is not a JSON object");
    int rc = make_room(all, shard, header, err);
    if (rc != 0) return rc;
    struct tensor *first = all->tensors + all->n_tensors, *tensor = first;
    char *name = shard->names;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, header)
    {
        if (is_metadata(entry)) continue;
        size_t size = strlen(entry->string) + 1;
        memcpy(name, entry->string, size);
        *tensor = (struct tensor){.name = name, .file = number};
        name += size;
        rc = parse_entry(entry, tensor++, err);
        if (rc != 0) return rc;
    }
    size_t n = (size_t)(tensor - first);
    rc = check_layout(shard, start, first, n, err);
    if (rc == 0) all->n_tensors += n;
    return rc;
}

static int read_header(const struct file *file, struct buffer *header, struct error *err)
{
    unsigned char bytes[LENGTH_SIZE];
    uint64_t length = 0;
    if (file->size < LENGTH_SIZE)
        return error_set(err, ERROR_CORRUPT, "%" PRIu64 " bytes are no safetensors file",
                         file->size);
    int rc = file_read(file, 0, bytes, sizeof bytes, err);
    if (rc != 0) return rc;
    for (size_t i = 0; i < sizeof bytes; i++) length |= (uint64_t)bytes[i] << (8 * i);
    if (length > MAX_HEADER)
        return error_set(err, ERROR_CORRUPT,
                         "a header of %" PRIu64 " bytes, expected %" PRIu64
                         " at most: is it a safetensors file?",
                         length, MAX_HEADER);
    if (length > file->size - LENGTH_SIZE)
        return error_set(err, ERROR_CORRUPT,
                         "%" PRIu64 " bytes, expected %" PRIu64
                         " for its header alone: it is cut short, download it again",
                         file->size, length + LENGTH_SIZE);
    buffer_init(header, (size_t)length);
    rc = buffer_reserve(header, (size_t)length, err);
    if (rc == 0) rc = file_read(file, LENGTH_SIZE, header->data, (size_t)length, err);
    if (rc == 0) header->size = (size_t)length;
    return rc;
}

static int parse_header(struct safetensors *all, size_t number, struct error *err)
{
    struct buffer header;
    cJSON *root = NULL;
    buffer_init(&header, 0);
    int rc = read_header(&all->shards[number].file, &header, err);
    uint64_t start = LENGTH_SIZE + (uint64_t)header.size;
    if (rc == 0 && json_parse((struct span){header.data, header.size}, &root, err) != 0) {
        error_context(err, "its header");
        rc = ERROR_CORRUPT;
        if (err != NULL) err->code = rc;
    }
    buffer_deinit(&header);
    if (rc == 0) rc = add_tensors(all, number, root, start, err);
    cJSON_Delete(root);
    return rc;
}

/* Its tensors are added behind those that are there. */
static int open_shard(struct safetensors *all, const char *folder, const char *name,
                      struct error *err)
{
    char path[FILE_PATH_SIZE];
    struct shard *shard = &all->shards[all->n_shards];
    *shard = (struct shard){.file.descriptor = -1};
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return error_set(err, ERROR_UNAVAILABLE, "a path of more than %d bytes", FILE_PATH_SIZE);
    snprintf(shard->name, sizeof shard->name, "%s", name);
    int rc = file_open(path, &shard->file, err);
    if (rc != 0) return rc;
    rc = parse_header(all, all->n_shards++, err);
    if (rc != 0) error_context(err, "%.200s", name);
    return rc;
}

/* ---- by name --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static int sort_by_name(struct safetensors *all, struct error *err)
{
    struct tensor *tensors = all->tensors;
    qsort(tensors, all->n_tensors, sizeof *tensors, by_name);
    for (size_t i = 1; i < all->n_tensors; i++)
        if (by_name(&tensors[i - 1], &tensors[i]) == 0)
            return error_set(err, ERROR_CORRUPT, "%.200s: tensor %.100s is there twice",
                             all->shards[tensors[i].file].name, tensors[i].name);
    return 0;
}

const struct tensor *safetensors_find(const struct safetensors *safetensors, const char *name)
{
    struct tensor wanted = {.name = name};
    return safetensors->n_tensors == 0
               ? NULL
               : bsearch(&wanted, safetensors->tensors, safetensors->n_tensors,
                         sizeof *safetensors->tensors, by_name);
}

/* ---- an index of shards ---------------------------------------------------------------------- */

#define INDEX_NAME "model.safetensors.index.json"

/* A name that stays within the folder. */
static int is_shard_name(const char *name)
{
    static const char end[] = ".safetensors";
    size_t size = strlen(name);
    return size >= sizeof end && size < sizeof((struct shard *)NULL)->name && name[0] != '.' &&
           strchr(name, '/') == NULL && strcmp(name + size - (sizeof end - 1), end) == 0;
}

static int by_file(const void *a, const void *b)
{
    return strcmp((*(const cJSON *const *)a)->valuestring, (*(const cJSON *const *)b)->valuestring);
}

/* What is promised is in the shard that it is promised in. */
static int check_promise(const struct safetensors *all, const cJSON *promise, struct error *err)
{
    const struct tensor *tensor = safetensors_find(all, promise->string);
    if (tensor != NULL && strcmp(all->shards[tensor->file].name, promise->valuestring) == 0)
        return 0;
    return error_set(err, ERROR_CORRUPT, "%.200s: no tensor %.100s, which " INDEX_NAME " promises",
                     promise->valuestring, promise->string);
}

/* The entries of weight_map, by file. */
static int list_promises(const cJSON *map, const cJSON ***promises, size_t *n, struct error *err)
{
    const cJSON *item;
    if (!cJSON_IsObject(map) || map->child == NULL)
        return error_set(err, ERROR_CORRUPT, INDEX_NAME ": no weight_map");
    *n = 0;
    *promises = memory_alloc((size_t)cJSON_GetArraySize(map), sizeof **promises);
    if (*promises == NULL) return error_nomem(err);
    cJSON_ArrayForEach(item, map)
    {
        if (!cJSON_IsString(item) || !is_shard_name(item->valuestring))
            return error_set(err, ERROR_CORRUPT,
                             INDEX_NAME ": tensor %.100s: expected a file's name that ends in "
                                        ".safetensors, not %.100s",
                             item->string,
                             cJSON_IsString(item) ? item->valuestring : json_kind(item));
        (*promises)[(*n)++] = item;
    }
    qsort(*promises, *n, sizeof **promises, by_file);
    return 0;
}

static int open_promised(struct safetensors *all, const char *folder, const cJSON *map,
                         struct error *err)
{
    const cJSON **promises = NULL;
    size_t n = 0, n_files = 0;
    int rc = list_promises(map, &promises, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        n_files += i == 0 || by_file(&promises[i - 1], &promises[i]) != 0;
    if (rc == 0 && n_files > MAX_SHARDS)
        rc = error_set(err, ERROR_CORRUPT, INDEX_NAME ": %zu files, expected %d at most", n_files,
                       MAX_SHARDS);
    if (rc == 0 && (all->shards = memory_zalloc(n_files, sizeof *all->shards)) == NULL)
        rc = error_nomem(err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (i == 0 || by_file(&promises[i - 1], &promises[i]) != 0)
            rc = open_shard(all, folder, promises[i]->valuestring, err);
    if (rc == 0) rc = sort_by_name(all, err);
    for (size_t i = 0; rc == 0 && i < n; i++) rc = check_promise(all, promises[i], err);
    memory_free(promises);
    return rc;
}

static int open_index(struct safetensors *all, const char *folder, const char *path,
                      struct error *err)
{
    struct buffer text;
    cJSON *root = NULL;
    buffer_init(&text, MAX_INDEX);
    int rc = file_read_whole(path, &text, err);
    if (rc == 0 && json_parse((struct span){text.data, text.size}, &root, err) != 0) {
        error_context(err, INDEX_NAME);
        rc = ERROR_CORRUPT;
    }
    if (rc == ERROR_INVALID) rc = ERROR_CORRUPT; /* longer than an index is */
    if (rc != 0 && err != NULL) err->code = rc;
    buffer_deinit(&text);
    if (rc == 0) rc = open_promised(all, folder, json_at(root, "/weight_map"), err);
    cJSON_Delete(root);
    return rc;
}

/* ---- opening and reading --------------------------------------------------------------------- */

static int open_single(struct safetensors *all, const char *folder, struct error *err)
{
    all->shards = memory_zalloc(1, sizeof *all->shards);
    if (all->shards == NULL) return error_nomem(err);
    int rc = open_shard(all, folder, "model.safetensors", err);
    return rc == 0 ? sort_by_name(all, err) : rc;
}

int safetensors_open(const char *folder, struct safetensors **opened, struct error *err)
{
    char single[FILE_PATH_SIZE], index[FILE_PATH_SIZE];
    *opened = NULL;
    int length = snprintf(index, sizeof index, "%s/" INDEX_NAME, folder);
    if (length < 0 || length >= (int)sizeof index)
        return error_set(err, ERROR_UNAVAILABLE, "a path of more than %d bytes", FILE_PATH_SIZE);
    snprintf(single, sizeof single, "%s/model.safetensors", folder);
    struct safetensors *all = memory_zalloc(1, sizeof *all);
    if (all == NULL) return error_nomem(err);
    int rc;
    if (!file_exists(single) && file_exists(index)) rc = open_index(all, folder, index, err);
    else rc = open_single(all, folder, err);
    if (rc == 0) *opened = all;
    else safetensors_close(all);
    return rc;
}

void safetensors_close(struct safetensors *safetensors)
{
    if (safetensors == NULL) return;
    for (size_t i = 0; i < safetensors->n_shards; i++) {
        file_unmap(safetensors->shards[i].mapped, safetensors->shards[i].file.size);
        file_close(&safetensors->shards[i].file);
        memory_free(safetensors->shards[i].names);
    }
    memory_free(safetensors->shards);
    memory_free(safetensors->tensors);
    memory_free(safetensors);
}

uint64_t safetensors_bytes(const struct safetensors *safetensors)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < safetensors->n_shards; i++) bytes += safetensors->shards[i].file.size;
    return bytes;
}

/* Bytes of an element; 0: of a type that is not read. */
static size_t width_of(enum tensor_type type)
{
    static const size_t widths[] = {
        [TENSOR_FLOAT32] = 4, [TENSOR_FLOAT16] = 2, [TENSOR_BFLOAT16] = 2, [TENSOR_FLOAT64] = 8,
        [TENSOR_INT8] = 1,    [TENSOR_INT32] = 4,   [TENSOR_INT64] = 8,    [TENSOR_OTHER] = 0};
    return widths[type];
}

/* Numbers that are read at a time, to be converted. */
enum { BLOCK = 512 };

static int read_bytes(const struct safetensors *safetensors, const struct tensor *tensor,
                      uint64_t first, size_t n, void *bytes, struct error *err)
{
    const struct shard *shard = &safetensors->shards[tensor->file];
    size_t width = width_of(tensor->type);
    int rc = file_read(&shard->file, tensor->offset + first * width, bytes, n * width, err);
    if (rc != 0) error_context(err, "%.200s", shard->name);
    return rc;
}

/* Rounded: what is beyond float32 becomes infinite. */
static int read_doubles(const struct safetensors *safetensors, const struct tensor *tensor,
                        uint64_t first, size_t n, float *values, struct error *err)
{
    double block[BLOCK];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i += BLOCK) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;
        rc = read_bytes(safetensors, tensor, first + i, count, block, err);
        for (size_t j = 0; rc == 0 && j < count; j++)
            values[i + j] = fabs(block[j]) > (double)FLT_MAX ? INFINITY : (float)block[j];
    }
    return rc;
}

static int check_read(const struct safetensors *safetensors, const struct tensor *tensor,
                      int is_known, const char *expected, uint64_t first, size_t n,
                      struct error *err)
{
    const struct shard *shard = &safetensors->shards[tensor->file];
    if (!is_known)
        return error_set(err, ERROR_UNAVAILABLE, "%.200s: tensor %.100s is of type %s, expected %s",
                         shard->name, tensor->name, tensor->type_name, expected);
    if (first > tensor->n_elements || n > tensor->n_elements - first)
        return error_set(err, ERROR_CORRUPT,
                         "%.200s: tensor %.100s has %" PRIu64 " elements, not %" PRIu64 " and %zu",
                         shard->name, tensor->name, tensor->n_elements, first, n);
    return 0;
}

const float *safetensors_mapped(struct safetensors *safetensors, const struct tensor *tensor)
{
    struct shard *shard = &safetensors->shards[tensor->file];
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    return NULL;
#endif
    if (tensor->type != TENSOR_FLOAT32 || tensor->offset % sizeof(float) != 0) return NULL;
    if (shard->mapped == NULL) shard->mapped = file_map(&shard->file);
    if (shard->mapped == NULL) return NULL;
    return (const float *)(const void *)(shard->mapped + tensor->offset);
}

int safetensors_check(const struct safetensors *safetensors, struct error *err)
{
    for (size_t i = 0; i < safetensors->n_shards; i++) {
        const struct shard *shard = &safetensors->shards[i];
        if (shard->mapped != NULL && !file_is_unchanged(&shard->file))
            return error_set(err, ERROR_UNAVAILABLE,
                             "%.200s was written to while it was in use: a new connection reads it "
                             "again (rename a new file over the old one, and nothing breaks)",
                             shard->name);
    }
    return 0;
}

int safetensors_read(const struct safetensors *safetensors, const struct tensor *tensor,
                     uint64_t first, size_t n, float *values, struct error *err)
{
    size_t width = width_of(tensor->type);
    int rc = check_read(safetensors, tensor, tensor->type <= TENSOR_INT8,
                        "F32, F16, BF16, F64 or I8", first, n, err);
    if (rc != 0 || n == 0) return rc;
    if (tensor->type == TENSOR_FLOAT64)
        return read_doubles(safetensors, tensor, first, n, values, err);
    unsigned char *end = (unsigned char *)(values + n);
    rc = read_bytes(safetensors, tensor, first, n, end - n * width, err);
    if (rc != 0) return rc;
    if (tensor->type == TENSOR_FLOAT16) narrow_float16(values, n);
    else if (tensor->type == TENSOR_BFLOAT16) narrow_bfloat16(values, n);
    else if (tensor->type == TENSOR_INT8) narrow_int8(values, n);
    return 0;
}

int safetensors_read_integers(const struct safetensors *safetensors, const struct tensor *tensor,
                              uint64_t first, size_t n, int64_t *values, struct error *err)
{
    int is_wide = tensor->type == TENSOR_INT64;
    int rc = check_read(safetensors, tensor, is_wide || tensor->type == TENSOR_INT32, "I32 or I64",
                        first, n, err);
    if (rc != 0 || n == 0) return rc;
    int32_t block[BLOCK];
    if (is_wide) return read_bytes(safetensors, tensor, first, n, values, err);
    for (size_t i = 0; rc == 0 && i < n; i += BLOCK) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;
        rc = read_bytes(safetensors, tensor, first + i, count, block, err);
        for (size_t j = 0; rc == 0 && j < count; j++) values[i + j] = block[j];
    }
    return rc;
}

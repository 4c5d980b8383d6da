/*
 * safetensors.h: the weights of a model, read from model.safetensors.
 *
 * The format (huggingface/safetensors): 8 bytes little-endian length of a JSON header, the header
 * {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...,
 * "__metadata__": {...}}, then the tensors' bytes, row-major and little-endian, without holes. A
 * model in shards has model.safetensors.index.json: {"weight_map": {"name": "file"}}.
 *
 * The file is not trusted: header length, names, shapes, offsets (bounds, overlaps, holes) and
 * sizes are checked when it is opened, each read against the file's end. A shard's name is a plain
 * file name within the folder. A header has 8 MB at most: an encoder's has 100 KB, and what it is
 * parsed to takes up to 40 times that memory, where the format's own limit is 100 MB.
 *
 * What is to be converted is read by position (base/file.h): a file that is cut meanwhile gives an
 * error. What is used as it is may stay in the file, mapped: safetensors_check() before each use.
 */
#ifndef LOCAL_SAFETENSORS_H
#define LOCAL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define TENSOR_MAX_DIMENSIONS 4

enum tensor_type {
    TENSOR_FLOAT32,
    TENSOR_FLOAT16,
    TENSOR_BFLOAT16,
    TENSOR_FLOAT64,
    TENSOR_INT8,
    TENSOR_INT32,
    TENSOR_INT64,
    TENSOR_OTHER
};

struct tensor {
    const char *name;
    enum tensor_type type;
    const char *type_name; /* as the file has it; of a tensor of too many dimensions that */
    size_t n_dimensions, shape[TENSOR_MAX_DIMENSIONS];
    uint64_t n_elements;
    /* Where it is: of the room's own use. */
    size_t file;
    uint64_t offset, n_bytes;
};

struct safetensors;

/* Opens model.safetensors of the folder, or the shards that model.safetensors.index.json names.
 * ERROR_UNAVAILABLE names the file that is missing, ERROR_CORRUPT the file and what is wrong. */
int safetensors_open(const char *folder, struct safetensors **opened, struct error *err);
void safetensors_close(struct safetensors *safetensors); /* accepts NULL */

/* Bytes of all its files. */
uint64_t safetensors_bytes(const struct safetensors *safetensors);

/* The tensor of that name; NULL: there is none. Those of a type that is not above, or of more
 * dimensions than there is room for, are TENSOR_OTHER: found, and not to be read. Borrowed. */
const struct tensor *safetensors_find(const struct safetensors *safetensors, const char *name);

/* Elements first .. first + n - 1 in row-major order, as float32: floats and int8, exactly but for
 * float64, which is rounded (infinities and NaN as they are). Several threads may read at once;
 * nothing is allocated. ERROR_UNAVAILABLE, ERROR_CORRUPT: elements that it does not have. */
int safetensors_read(const struct safetensors *safetensors, const struct tensor *tensor,
                     uint64_t first, size_t n, float *values, struct error *err);

/* The same of a tensor of int32 or int64. */
int safetensors_read_integers(const struct safetensors *safetensors, const struct tensor *tensor,
                              uint64_t first, size_t n, int64_t *values, struct error *err);

/* The elements where they lie, mapped, until the file is closed: of float32 that begins at a
 * multiple of 4 bytes, as all do behind the header that Hugging Face writes, on a little-endian
 * processor. NULL: they are to be read. Not by several threads at once. */
const float *safetensors_mapped(struct safetensors *safetensors, const struct tensor *tensor);

/* Whether files that are mapped are as they were when they were opened. ERROR_UNAVAILABLE names the
 * one that is not: reading on would mix two models, or end the process. */
int safetensors_check(const struct safetensors *safetensors, struct error *err);

#endif

/*
 * loading.h: tensors of a folder's safetensors, where they lie or in one block of large pages.
 *
 * float32 that is used as float32 stays in the file, mapped: processes share its pages, and nothing
 * is copied but biases, which gemm wants in whole panels. What is to be converted is copied:
 * matrices of bfloat16 and int8, tensors of other types, and those that the file has at an odd
 * place (safetensors.h). Several threads read that, a piece at a time: a matrix is packed for the
 * kernels as it is read, so that the file and the weights are never in memory together.
 *
 * Shapes must be those that are asked for, all numbers finite. Of what is mapped nothing is looked
 * at before it is needed: loading_hash() finds numbers that are not finite there.
 */
#ifndef LOCAL_LOADING_H
#define LOCAL_LOADING_H

#include "base/cancel.h"
#include "base/error.h"
#include "local/simd/kernels.h"

enum { LOADING_NAME = 160 }; /* bytes of a tensor's name */

/* What is on its way. */
struct loading;

/* Where it is. */
struct loading_block {
    struct safetensors *file; /* what is mapped; NULL: nothing */
    unsigned char *memory;
    size_t size;
    struct piece *pieces; /* [n_pieces] of the room's own use */
    size_t n_pieces;
    _Atomic uint64_t hash; /* 0: not known yet */
};

/* Which tensors there are to be, and where they go. Called twice: first without memory, to learn
 * how much is needed and whether all is there; then again, as before. */
struct loading_plan {
    void (*plan)(struct loading *loading, void *context);
    void *context;
    const struct local_kernels *kernels; /* that matrices are packed for */
};

/* Of the safetensors in that folder. ERROR_UNAVAILABLE: a file or a tensor is missing;
 * ERROR_CORRUPT: it is not what it should be; both name it. ERROR_NOMEM, ERROR_INTERRUPTED. The
 * block is empty after an error. */
int loading_run(const char *folder, const struct loading_plan *plan, size_t n_threads,
                const struct cancel *cancel, struct loading_block *block, struct error *err);
void loading_block_free(struct loading_block *block);

/* XXH64 of all numbers as float32, in the plan's order: the same whatever the types and shards of
 * the files, the processor and the model's precision. Indexes store what is made of it. What is
 * mapped is read for it, the first time. ERROR_CORRUPT names a tensor that holds a number that is
 * not finite; ERROR_NOMEM, ERROR_INTERRUPTED. Any number of threads may ask at once. */
int loading_hash(struct loading_block *block, size_t n_threads, const struct cancel *cancel,
                 uint64_t *hash, struct error *err);

/* safetensors_check of what is mapped: before the numbers are used. */
int loading_check(const struct loading_block *block, struct error *err);

/* ---- for a plan ------------------------------------------------------------------------------ */

/* All below do nothing once something has failed. */
int loading_has_failed(const struct loading *loading);

/* What all names begin with from now on; borrowed. At first nothing. */
void loading_set_prefix(struct loading *loading, const char *prefix);

/* Whether there is a tensor of that name; if it is a matrix its shape; if it is a vector its
 * length, else 0. */
int loading_has(const struct loading *loading, const char *name);
int loading_shape(const struct loading *loading, const char *name, size_t shape[2]);
size_t loading_length(const struct loading *loading, const char *name);

/* Room for so many bytes, zeros, at a multiple of 64; NULL while there is no memory yet. */
void *loading_reserve(struct loading *loading, size_t bytes);

/* A tensor [n_rows, n], or [n] with n_rows 0, as floats; NULL while there is no memory yet. */
const float *loading_floats(struct loading *loading, const char *name, size_t n_rows, size_t n);

/* The same, which may be of int8: the codes as they are. */
const float *loading_codes(struct loading *loading, const char *name, size_t n_rows, size_t n);

/* The largest magnitudes of a matrix [n_out, n_in]; no memory while there is none yet. */
struct loading_largest {
    float *rows;    /* [n_out] */
    float *columns; /* [n_parts, n_in] each of some of the rows */
    size_t n_parts;
};
struct loading_largest loading_largest(struct loading *loading, const char *name, size_t n_out,
                                       size_t n_in);

/* A tensor [n] of int32 or int64. */
const int64_t *loading_integers(struct loading *loading, const char *name, size_t n);

/* The Linears of these names, LOCAL_PARTS at most, as one matrix [n_names * n_out, n_in]: weights
 * [n_out, n_in] and, if they have any, biases [n_out] of each. */
struct loading_linears {
    const char *const *names;
    size_t n_names;
    size_t n_out, n_in;
    int has_no_bias;
    enum local_precision precision;
    struct local_wide wide;
};
void loading_matrix(struct loading *loading, const struct loading_linears *linears,
                    struct local_matrix *matrix);

#endif

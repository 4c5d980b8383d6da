/*
 * block.h: rows of one index side by side, as they are stored and as they are scanned.
 *
 * A block has room for `capacity` rows, of which the first n are there. Its bytes, little-endian,
 * one array behind the other:
 *
 *   int64    ids[capacity]
 *   bytes    vectors[capacity][index_vector_size]              INDEX_EXACT
 * or
 *   float32  offsets[capacity], scales[capacity], errors[capacity]
 *   bytes    components[capacity][vector_code_size]            INDEX_INT8, INDEX_BIT
 *
 * Arrays, because a scan reads one thing of all rows: a code's components go through one loop of
 * the processor's widest registers, its three numbers (vector/quantize.h) through another. A block
 * is large enough for a read of the storage to cost less than what is read, small enough to stay in
 * a processor's second cache while a group of queries is compared with it.
 *
 * A vector is stored as [dimensions] float32, as half of that (vector/half.h), or compact
 * (vector/compact.h), beside codes too. What an index keeps of it is what its bytes stand for: that
 * is scored and returned, and codes are made of it. A compact one is in rotated space; queries are
 * brought there (index_search).
 *
 * Codes live in "code space": the vector (its unit vector where only directions count) rotated by
 * vector_rotate. That keeps distances, and spreads what a few components hold over all of them, so
 * that one scale or one bit a component tells as much as it can (RaBitQ: Gao, Long, SIGMOD 2024).
 */
#ifndef INDEX_BLOCK_H
#define INDEX_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "index/metric.h"

enum index_quantize { INDEX_EXACT, INDEX_INT8, INDEX_BIT };

/* More rows than a block of ours ever has: a stored number beyond it is damage. */
#define INDEX_MAX_CAPACITY 65536

/* What all blocks of an index have in common. */
struct index_layout {
    enum index_metric metric;
    enum index_quantize quantize;
    size_t dimensions;
    enum index_vectors vectors;
};

int index_layout_is_same(const struct index_layout *a, const struct index_layout *b);

/* A block's arrays; exact ones have no offsets, scales and errors. */
struct index_rows {
    int64_t *ids;
    float *offsets, *scales, *errors;
    unsigned char *components; /* [capacity, stride]: vectors or codes */
    size_t stride;
};

/* Bytes of a block of so many rows; SIZE_MAX / 2, which none has, where a size_t counts no further:
 * a damaged file may say so where sizes have 32 bits. */
size_t index_block_size(const struct index_layout *layout, size_t capacity);

/* How many rows a new block should take, in a partition that has n_rows already: as many again, up
 * to what makes a full block. */
size_t index_block_capacity(const struct index_layout *layout, size_t n_rows);

/* The arrays of a block's bytes, aligned to 8, of index_block_size. */
struct index_rows index_block_rows(const struct index_layout *layout, void *bytes, size_t capacity);

/* Where the arrays of a block lie in its bytes, in the order above, and the size of an element; a
 * size of 0 for those that it has not. Components are the last. */
#define INDEX_ARRAYS 5
struct index_arrays {
    size_t offset[INDEX_ARRAYS], size[INDEX_ARRAYS];
};
void index_block_arrays(const struct index_layout *layout, size_t capacity,
                        struct index_arrays *arrays);

/* Writes row i: the bytes of its vector as it is stored; in_code_space and centroid (NULL: the
 * origin) are used by codes alone. */
void index_row_write(const struct index_layout *layout, const struct index_rows *rows, size_t i,
                     int64_t id, const void *stored, const float *in_code_space,
                     const float *centroid);

/* The row of an id among the first n; n if it is not there. */
size_t index_row_find(const struct index_rows *rows, size_t n, int64_t id);

/* A vector in code space: [dimensions], may be the vector itself, which is in rotated space already
 * where vectors are compact. */
void index_code_space(const struct index_layout *layout, const float *vector, float *rotated);

/* A stored vector: its bytes; what scores are made of; the bytes written of a vector (one that
 * vector_compact_takes or vector_half_takes, where it is stored so); what they stand for, in code
 * space and as it was given; whether bytes of whatever size are one that the index can use, finite
 * and with a direction where that counts: ERROR_CORRUPT names the row. float32 ones are aligned.
 * scratch, point, vector: [dimensions]. */
size_t index_vector_size(const struct index_layout *layout);
const struct index_sums *index_vector_sums(const struct index_layout *layout);
void index_vector_write(const struct index_layout *layout, const float *vector, float *scratch,
                        void *stored);
void index_vector_point(const struct index_layout *layout, const void *stored, float *point);
void index_vector_read(const struct index_layout *layout, const void *stored, float *vector);
int index_vector_check(const struct index_layout *layout, int64_t id, const void *stored,
                       size_t size, struct error *err);

/* Whether the first n rows can be used: ERROR_CORRUPT for numbers of codes that are not finite or
 * negative, naming the row. */
int index_block_check(const struct index_layout *layout, const struct index_rows *rows, size_t n,
                      struct error *err);

/* Which codes the index has; not for INDEX_EXACT. */
enum vector_code index_code(const struct index_layout *layout);

#endif

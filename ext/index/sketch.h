/*
 * sketch.h: what lies beside a block in memory, and tells of most rows that they cannot be among
 * the best: a scan reads an eighth of the bytes of float32 vectors, half of those of bytes, and the
 * vectors or codes of the other rows. Internal to the room.
 *
 * A sketch has the mean c of the block's rows and a code (vector/nibbles.h) of each v - c, all in
 * code space (block.h). With r = v - c = s k + e a row's estimate (metric.h) is
 *   <q, v>    = <q, c> + <c, e> + s <q, k> + <q - c, e>
 *   -|q-v|^2  = -|q - c|^2 - |r|^2 - 2 s <c, k> + 2 s <q, k> + 2 <q - c, e>
 * and its last term at most |q - c| |e| (Cauchy, Schwarz). That holds for every vector. What
 * computing costs is added, of the bound as of the score that the bound is compared with: a share
 * of all magnitudes that is larger than the sum of all roundings (`share` in sketch.c). So whoever
 * leaves out the rows whose bound is below the k-th best score finds the same rows as a scan of all
 * vectors, to the last bit.
 *
 * Of an index with int8 codes v is what a code stands for, about the centroid of its partition, and
 * what is bounded is the bound that the code gives (vector/quantize.h): by so many standard errors,
 * as that is. The codes' own errors are small beside that: each counts as the block's largest.
 *
 * The estimate alone is off by far less than its bound: a row whose estimate, too, may reach the
 * k-th best score is likely to be among the best, and one whose bound alone does is in doubt.
 *
 * A sketch is made by the first search that finds its block in memory and has room beside it. Of
 * vectors so large or so small that this arithmetic would not hold it is of no use, and says so.
 */
#ifndef INDEX_SKETCH_H
#define INDEX_SKETCH_H

#include "index/block.h"
#include "vector/nibbles.h"

/* Bytes of a sketch of a block, and floats of the buffer that it is made in. */
size_t index_sketch_size(const struct index_layout *layout, size_t capacity);
size_t index_sketch_room(const struct index_layout *layout);

/* A sketch is zeros, is made once, by one of the threads that call this, and is read after that.
 * inverses: [n] 1 / |row|, where only directions count; else NULL. */
void index_sketch_make(const struct index_layout *layout, const struct index_rows *rows, size_t n,
                       size_t capacity, const double *inverses, void *sketch, float *buffer);
int index_sketch_is_empty(const void *sketch); /* nobody has begun to make it */
int index_sketch_is_ready(const void *sketch); /* it is made, and of use */

/* A query made ready. */
struct index_sketch_query {
    float *point; /* [dimensions] in code space; owned */
    double norm;  /* of it; 0: sketches say nothing to it */
    struct vector_nibbles_query codes;
};

/* vector: as index_query has it. ERROR_NOMEM; deinit also after a failure. */
int index_sketch_query_init(struct index_sketch_query *query, const struct index_layout *layout,
                            const float *vector, struct error *err);
void index_sketch_query_deinit(struct index_sketch_query *query);

/* A query beside a sketch that is ready. bound: how the block's codes are read; NULL: it has
 * vectors. */
struct index_sketch_aim {
    const struct index_sketch_query *query;
    const unsigned char *sketch;
    double base;  /* of all bounds, with what computing costs */
    float radius; /* |q - c|, or a share of it */
};
void index_sketch_aim(struct index_sketch_aim *aim, const struct index_layout *layout,
                      const struct index_sketch_query *query, const struct vector_code_bound *bound,
                      const void *sketch);

/* What a sketch says of the rows of a pass: of row i bit i % 64 of word i / 64. */
#define INDEX_SKETCH_ROWS VECTOR_NIBBLES_MOST
#define INDEX_SKETCH_WORDS (INDEX_SKETCH_ROWS / 64)
struct index_sketch_verdicts {
    uint64_t left[INDEX_SKETCH_WORDS];   /* their estimate, or code's bound, may reach `least` */
    uint64_t likely[INDEX_SKETCH_WORDS]; /* of these, those that are likely to */
    float bounds[INDEX_SKETCH_ROWS];     /* + aim->base: what the row's own reaches at most */
};

/* Which of rows begin to begin + n, at most INDEX_SKETCH_ROWS, of a block are not excluded; 0 if
 * all are. */
int index_sketch_pass(const struct index_sketch_aim *aim, const struct index_layout *layout,
                      size_t capacity, size_t begin, size_t n, double least,
                      struct index_sketch_verdicts *verdicts);

/* Has the processor fetch where the parts of a sketch begin. */
void index_sketch_prefetch(const struct index_layout *layout, size_t capacity, const void *sketch);

#endif

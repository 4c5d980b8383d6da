/*
 * weights.h: the weights of a model, as its forward pass reads them.
 *
 * Read from the folder's safetensors by several threads, a piece at a time: a matrix is packed for the kernels
 * (and rounded to the model's precision) as it is read, so that the file and the weights are never in
 * memory together. Embedding matrices, biases and norms are float32 always. All lie in one block of large pages.
 *
 * Names are those of transformers' checkpoints, with or without the prefix "bert." or "roberta.", and
 * LayerNorm's "gamma" and "beta" of older ones. Shapes must be those that config.json tells, all
 * numbers finite.
 */
#ifndef LOCAL_WEIGHTS_H
#define LOCAL_WEIGHTS_H

#include "base/cancel.h"
#include "local/config.h"
#include "local/simd/kernels.h"

struct local_norm {
    const float *weight, *bias; /* [hidden_size] */
};

struct local_layer {
    struct local_matrix attention; /* query, key, value one behind the other: [3 hidden, hidden] */
    struct local_matrix attention_output; /* [hidden, hidden] */
    struct local_norm attention_norm;
    struct local_matrix intermediate; /* [intermediate, hidden] */
    struct local_matrix output;       /* [hidden, intermediate] */
    struct local_norm output_norm;
};

struct local_weights {
    struct local_config
        config; /* of a static model: dimensions and vocabulary_size as the matrix has them */
    const struct local_kernels *kernels;
    enum local_precision precision;
    const float *words; /* [vocabulary_size, hidden_size]; of a static model dimensions columns */
    const float *positions; /* [n_positions, hidden_size] */
    const float *segments;  /* [n_segments, hidden_size] */
    const float *
        importance; /* of a static model: [vocabulary_size], what each vector is multiplied by; NULL: 1 */
    struct local_norm embedding_norm;
    struct local_layer *layers; /* [n_layers] */
    struct local_matrix pooler,
        classifier;        /* of a cross-encoder, float32: [hidden, hidden], [1, hidden] */
    unsigned char *memory; /* what all of them point into */
    size_t size;
    _Atomic(void *) spare; /* scratch memory of the last call: batch.h */
};

/* ERROR_UNAVAILABLE: a file or a tensor is missing; ERROR_CORRUPT: it is not what it should be; both name it.
 * ERROR_NOMEM, ERROR_INTERRUPTED. */
int local_weights_load(const char *folder, const struct local_config *config,
                       enum local_precision precision, size_t n_threads,
                       const struct cancel *cancel, struct local_weights **loaded,
                       struct error *err);
void local_weights_free(struct local_weights *weights); /* accepts NULL */

#endif

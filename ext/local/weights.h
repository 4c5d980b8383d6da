/*
 * weights.h: the weights of an encoder, as its forward pass reads them.
 *
 * Names of tensors are those of transformers' checkpoints, as the architecture's row has them
 * (architecture.h), with or without its prefix, and LayerNorm's "gamma" and "beta" of older ones.
 * Shapes must be those that config.json tells. Embedding matrices, biases and norms are float32
 * always.
 */
#ifndef LOCAL_WEIGHTS_H
#define LOCAL_WEIGHTS_H

#include "local/config.h"
#include "local/loading.h"

struct local_norm {
    const float *weight, *bias; /* [hidden] */
};

struct local_layer {
    struct local_matrix attention; /* [3 hidden, hidden] query, key, value one behind the other */
    struct local_matrix attention_output; /* [hidden, hidden] */
    struct local_norm attention_norm;     /* [hidden] */
    struct local_matrix intermediate;     /* [inner, hidden] */
    struct local_matrix output;           /* [hidden, inner] */
    struct local_norm output_norm;        /* [hidden] */
};

struct local_weights {
    struct local_config config;
    const struct local_kernels *kernels;
    enum local_precision precision;
    const float *words;               /* [vocabulary_size, hidden] */
    const float *positions;           /* [n_positions, hidden] */
    const float *segments;            /* [n_segments, hidden]; NULL: none */
    struct local_norm embedding_norm; /* [hidden] */
    /* [n_heads, 2 reach - 1] what attention adds to a score, of distances 1 - reach .. reach -
     * 1; reach: the most tokens of a text, n_positions - first_position. NULL: none. */
    const float *relative_bias;
    struct local_layer *layers;     /* [n_layers] */
    struct local_matrix pooler;     /* [hidden, hidden] of a cross-encoder, float32 */
    struct local_matrix classifier; /* [1, hidden] of a cross-encoder, float32 */
    struct loading_block block;     /* what all of them point into */
    _Atomic(void *) spare;          /* scratch memory of the last call: batch.h */
};

/* Errors of loading_run. */
int local_weights_load(const char *folder, const struct local_config *config,
                       enum local_precision precision, size_t n_threads,
                       const struct cancel *cancel, struct local_weights **loaded,
                       struct error *err);
void local_weights_free(struct local_weights *weights); /* accepts NULL */

#endif

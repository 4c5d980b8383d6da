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
#ifndef BERT_WEIGHTS_H
#define BERT_WEIGHTS_H

#include "base/cancel.h"
#include "bert/config.h"
#include "bert/kernels.h"

struct bert_norm {
    const float *weight, *bias; /* [hidden_size] */
};

struct bert_layer {
    struct bert_matrix attention; /* query, key, value one behind the other: [3 hidden, hidden] */
    struct bert_matrix attention_output; /* [hidden, hidden] */
    struct bert_norm attention_norm;
    struct bert_matrix intermediate; /* [intermediate, hidden] */
    struct bert_matrix output;       /* [hidden, intermediate] */
    struct bert_norm output_norm;
};

struct bert_weights {
    struct bert_config
        config; /* of a static model: dimensions and vocabulary_size as the matrix has them */
    const struct bert_kernels *kernels;
    enum bert_precision precision;
    const float *words; /* [vocabulary_size, hidden_size]; of a static model dimensions columns */
    const float *positions; /* [n_positions, hidden_size] */
    const float *segments;  /* [n_segments, hidden_size] */
    const float *
        importance; /* of a static model: [vocabulary_size], what each vector is multiplied by; NULL: 1 */
    struct bert_norm embedding_norm;
    struct bert_layer *layers; /* [n_layers] */
    struct bert_matrix pooler,
        classifier;        /* of a cross-encoder, float32: [hidden, hidden], [1, hidden] */
    unsigned char *memory; /* what all of them point into */
    size_t size;
    _Atomic(void *) spare; /* scratch memory of the last call: batch.h */
};

/* ERROR_UNAVAILABLE: a file or a tensor is missing; ERROR_CORRUPT: it is not what it should be; both name it.
 * ERROR_NOMEM, ERROR_INTERRUPTED. */
int bert_weights_load(const char *folder, const struct bert_config *config,
                      enum bert_precision precision, size_t n_threads, const struct cancel *cancel,
                      struct bert_weights **loaded, struct error *err);
void bert_weights_free(struct bert_weights *weights); /* accepts NULL */

#endif

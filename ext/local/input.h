/*
 * input.h: a text as a model computes it.
 */
#ifndef LOCAL_INPUT_H
#define LOCAL_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct local_text {
    const uint32_t *ids;     /* [n_tokens], each below the rows of the embedding matrix */
    const uint8_t *segments; /* [n_tokens] token types */
    size_t n_tokens;         /* of an encoder 1 or more, n_positions - first_position at most */
    size_t row;              /* of its first token in the group that it is computed in: batch.h */
    float *result;           /* an embedder: [dimensions] pooled; a cross-encoder: [1] the logit */
};

#endif

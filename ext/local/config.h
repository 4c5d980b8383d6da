/*
 * config.h: what a model folder says of its model.
 *
 * Read from config.json (architecture and sizes), and where they are there modules.json and the
 * config.json of its Pooling module, or 1_Pooling/config.json (sentence-transformers: pooling,
 * Normalize), sentence_bert_config.json (max_seq_length), tokenizer_config.json (model_max_length)
 * and config_sentence_transformers.json (activation_fn of a cross-encoder). What they ask for that
 * is not known here (an architecture, an activation, a pooling mode, position embeddings, a Dense
 * module) is refused by name: a vector that is nearly right is worse than none.
 *
 * Without modules.json an encoder is pooled as sentence-transformers does then: the mean of all
 * tokens, not normalised. Prompts are the caller's.
 */
#ifndef LOCAL_CONFIG_H
#define LOCAL_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "local/architecture.h"
#include "local/simd/activation.h"

enum local_pooling { LOCAL_CLS, LOCAL_MEAN, LOCAL_MAX };

struct local_config {
    const struct local_architecture *architecture; /* its row */
    int classifies; /* a cross-encoder, of one label; else an embedder */
    size_t hidden_size, n_layers, n_heads, intermediate_size;
    size_t vocabulary_size, n_positions, n_segments; /* rows of the embedding matrices */
    size_t first_position;                           /* of a text's first token */
    float layer_norm_epsilon;
    enum local_activation activation; /* hidden_act */
    enum local_pooling pooling;
    int normalize;
    size_t dimensions; /* of the embedding: hidden_size (of a static model 0: the matrix says) */
    /* That it reads, special ones included: the least that any file says. A static model has no
     * limit of its own: 512, as Model2Vec's encode cuts. */
    size_t max_tokens;
    /* Of a cross-encoder: what makes the score of the logit, identity or sigmoid. What the
     * configuration says (activation_fn of config_sentence_transformers.json,
     * sentence_transformers.activation_fn or sbert_ce_default_activation_function of config.json),
     * else the sigmoid, as sentence-transformers does with one label. */
    enum local_activation score;
};

/* ERROR_UNAVAILABLE: config.json is not there, or something is not known here; ERROR_CORRUPT: a
 * file that is no JSON, a size that is missing or absurd. The text begins with the file's name. */
int local_config_read(const char *folder, struct local_config *config, struct error *err);

#endif

/*
 * config.h: what a model folder says of its model.
 *
 * Read from config.json (architecture and sizes), and where they are there modules.json and the
 * config.json of its modules, or 1_Pooling/config.json (modules.h), sentence_bert_config.json
 * (max_seq_length, do_lower_case), tokenizer_config.json (model_max_length) and
 * config_sentence_transformers.json (prompts; activation_fn of a cross-encoder). What they ask for
 * that is not known here (an architecture, an activation, a pooling mode, position embeddings, a
 * module) is refused by name: a vector that is nearly right is worse than none.
 *
 * Without modules.json an encoder is pooled as sentence-transformers does then: the mean of all
 * tokens, not normalised.
 */
#ifndef LOCAL_CONFIG_H
#define LOCAL_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "local/architecture.h"
#include "local/simd/activation.h"
#include "model/model.h"

enum local_pooling { LOCAL_CLS, LOCAL_MEAN, LOCAL_MAX };

enum {
    LOCAL_PART_SIZE = 128,   /* bytes of a folder's name, its NUL included */
    LOCAL_PROMPT_SIZE = 2048 /* of a prompt, the same */
};

/* A Dense module: activation(W x + b) of an embedding x. */
struct local_dense {
    char folder[LOCAL_PART_SIZE]; /* below the model's */
    size_t n_in, n_out;
    int has_bias;
    enum local_activation activation;
    int normalizes_input; /* x is made of length 1 before */
};
enum { LOCAL_MAX_DENSE = 4 };

struct local_config {
    /* The folder below the model's that config.json, tokenizer and weights lie in; "": that one. */
    char part[LOCAL_PART_SIZE];
    const struct local_architecture *architecture; /* its row */
    int classifies; /* a cross-encoder, of one label; else an embedder */
    size_t hidden_size, n_layers, n_heads, intermediate_size;
    size_t vocabulary_size, n_positions, n_segments; /* rows of the embedding matrices */
    size_t first_position;                           /* of a text's first token */
    float layer_norm_epsilon;
    enum local_activation activation; /* hidden_act */
    enum local_pooling pooling;
    struct local_dense dense[LOCAL_MAX_DENSE]; /* what the pooled vector goes through, in order */
    size_t n_dense;
    int normalize;     /* in the end */
    size_t dimensions; /* of the embedding (of a static model 0: the matrix says) */
    /* That it reads, special ones included: the least that any file says. Of a static model 512, as
     * Model2Vec's encode cuts, or 0, no limit, as sentence-transformers' StaticEmbedding. */
    size_t max_tokens;
    int lowers_case;   /* texts, before the tokenizer sees them */
    int keeps_unknown; /* of a static model: what the vocabulary does not know counts, as a token */
    /* What goes before a text of that role (enum model_role), if the files say anything of it. */
    char prompts[2][LOCAL_PROMPT_SIZE];
    int has_prompt[2];
    int leaves_prompt_out; /* its tokens are not pooled: refused where that would count */
    /* Of a cross-encoder: what makes the score of the logit, identity or sigmoid. What the
     * configuration says (activation_fn of config_sentence_transformers.json,
     * sentence_transformers.activation_fn or sbert_ce_default_activation_function of config.json),
     * else the sigmoid, as sentence-transformers does with one label. */
    enum local_activation score;
};

/* XXH64 of what embeddings follow from, beside weights and vocabulary: not of prompts. Indexes
 * store what is made of it. */
uint64_t local_config_hash(const struct local_config *config);

/* ERROR_UNAVAILABLE: config.json is not there, or something is not known here; ERROR_CORRUPT: a
 * file that is no JSON, a size that is missing or absurd. The text begins with the file's name. */
int local_config_read(const char *folder, struct local_config *config, struct error *err);

#endif

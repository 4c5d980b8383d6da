/*
 * architecture.h: what tells one architecture from another, a row each.
 *
 * config.c finds the row by the names in config.json and reads the sizes that the row has;
 * weights.c reads by it which tensors there are, encoder.c what is done with them. All names of
 * tensors are here; any other field only because two rows differ in it. What all have in common
 * is written where it is done:
 *
 *   learnt absolute positions, added to the words; then a norm     encoder.c, embed_item
 *                                                                  weights.c, plan_encoder
 *   norms behind each addition (post-norm), in place               encoder.c, go_through_layer
 *   the norm before a matrix, whose widest inputs int8 keeps       weights.c, plan_sketch
 *   a plain feed-forward network with one activation               encoder.c, go_through_layer
 *   as many inner values as the activation leaves                  encoder.c, widest
 *   every token attends to every other                             encoder.c, attention_item
 *   query, key and value are matrices of their own                 weights.c, plan_attention
 *   a bias in every Linear (has_no_bias, loading.h)                weights.c, plan_layer
 *   a weight and a bias in every norm                              weights.c, plan_norm
 *   a cross-encoder's logit: tanh, from the first token            encoder.c, classify
 *
 * To add an architecture that differs in these (ModernBERT: norms first, no biases, rotary
 * positions, GeGLU, local attention; and a tokenizer of byte-level BPE, a kind that text/ does not
 * know): its row, a field for each difference that the others' rows set too, and a branch at each
 * place named above. What it computes goes into tests/golden/local/ first.
 */
#ifndef LOCAL_ARCHITECTURE_H
#define LOCAL_ARCHITECTURE_H

#include <stddef.h>

enum { LOCAL_ARCHITECTURE_MODELS = 4 };

/* Of an encoder's tensors, behind the prefix and before ".weight" and ".bias". */
struct local_encoder_names {
    const char *words;                 /* [vocabulary, hidden] */
    const char *positions;             /* [positions, hidden] */
    const char *segments;              /* [segments, hidden] */
    const char *embedding_norm;        /* [hidden] */
    const char *relative_bias;         /* [buckets, heads], see relative.h; NULL: there is none */
    const char *layers;                /* the layers; behind it ".N." and: */
    const char *query, *key, *value;   /* [hidden, hidden] */
    const char *attention_output;      /* [hidden, hidden] */
    const char *attention_norm;        /* [hidden] */
    const char *intermediate, *output; /* [inner, hidden], [hidden, inner] */
    const char *output_norm;           /* [hidden] */
};

/* Of a cross-encoder's: the first token's state through `dense`, tanh and `out` to one logit. */
struct local_head_names {
    const char *dense; /* [hidden, hidden] */
    int is_in_encoder; /* its name begins with the encoder's prefix */
    const char *out;   /* [1, hidden] */
};

struct local_architecture {
    const char *model_type; /* of config.json */
    /* Names in "architectures". The first is what the model_type means where there is none. What
     * lies on top of an encoder that does not classify (BertForMaskedLM) is not read. */
    struct local_architecture_model {
        const char *name; /* NULL behind the last one */
        int classifies;
    } models[LOCAL_ARCHITECTURE_MODELS];
    /* A vector a token and nothing else (static.h): no other field counts. */
    int is_static;

    const char *prefix; /* that names of the encoder's tensors may begin with */
    const struct local_encoder_names *names;
    const struct local_head_names *head;

    size_t first_position;       /* row of the position embeddings of a text's first token */
    int is_first_behind_padding; /* pad_token_id + 1 instead, if config.json has one */
    size_t pair_segments;        /* token types (segments) that a pair needs; 0: there are none */
    size_t usual_segments;       /* where config.json does not say type_vocab_size */
};

extern const struct local_architecture local_bert; /* Devlin et al. 2019 */
/* Conneau et al. 2020. RoBERTa's own models are built alike and tokenized otherwise (byte-level
 * BPE): they are refused. */
extern const struct local_architecture local_xlm_roberta;
extern const struct local_architecture local_mpnet;  /* Song et al. 2020 */
extern const struct local_architecture local_static; /* Model2Vec */

/* The row of that name, or without a name (NULL) of that model_type; NULL: none. */
const struct local_architecture *local_architecture_find(const char *name, const char *model_type,
                                                         int *classifies);

/* "BertModel, ... or StaticModel". */
void local_architecture_list(char *out, size_t size);

#endif

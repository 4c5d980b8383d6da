/*
 * instance.h: a local model of one connection, a call of it, and what kinds of models there are.
 * Internal to the room; local.h is what others see.
 */
#ifndef LOCAL_INSTANCE_H
#define LOCAL_INSTANCE_H

#include "base/shared.h"
#include "local/config.h"
#include "local/input.h"
#include "local/loading.h"
#include "local/local.h"
#include "text/tokenizer.h"

struct local_methods;

struct local {
    struct model model;
    const struct local_session *session;
    const struct local_methods *methods;
    char *name, *folder; /* owned; the folder that the model's files begin at */
    enum local_precision precision;
    struct local_config config;
    size_t dimensions;         /* asked for; 0: all */
    struct shared *vocabulary; /* a struct tokenizer; NULL: not read yet */
    struct shared *weights;    /* what methods->load gave; NULL: not read yet */
};

/* A call: texts, or with a query pairs. */
struct local_call {
    struct local *local;
    const struct span *query; /* NULL: embed the texts */
    const struct span *texts; /* [n_texts] */
    size_t n_texts;
    const struct cancel *cancel;
    struct model_usage *usage;
    /* As in struct model_sink. */
    int (*refuse)(void *context, size_t text, const struct error *why, struct error *err);
    void *context; /* of `refuse` */
};

/* What is known once the weights are read. */
struct local_shape {
    size_t n_rows; /* of the embedding matrix: one for each token */
    size_t size;   /* floats of a result: of a pooled vector, or 1 of a cross-encoder */
};

/* What a kind of model does its own way: encoders (transformer.h), static vectors (static.h). */
struct local_methods {
    int without_special; /* texts are tokenized without [CLS], [SEP]... */

    /* Reads the weights: several threads may share them. */
    int (*load)(const struct local *local, const struct cancel *cancel, void **weights,
                struct error *err);
    void (*free)(void *weights); /* accepts NULL */
    struct local_shape (*shape)(const void *weights);
    struct loading_block *(*block)(void *weights); /* what they lie in */

    /* Appends the tokens of one text of the call, with what is to be done if it is too long.
     * ERROR_INVALID: the model does not take this text. */
    int (*tokenize)(const struct local_call *call, struct span text, struct tokens *tokens,
                    struct error *err);

    /* Computes the results of texts, which are all zero before; their order may change. */
    int (*compute)(const struct local_call *call, struct local_text *texts, size_t n_texts,
                   struct error *err);
};

#endif

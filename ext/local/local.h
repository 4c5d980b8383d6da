/*
 * local.h: open encoders and cross-encoders, and static vectors, run inside the process.
 *
 * A model is a folder (folder.h) with config.json (config.h), tokenizer.json or vocab.txt
 * (text/tokenizer.h) and model.safetensors (safetensors.h). Encoders are those of Devlin et al.
 * 2019 (BERT: a transformer with norms behind each addition) and their kin, a row each of
 * architecture.h. Embedding: the hidden states of the last layer, pooled. Cross-encoder: query and
 * document as one pair, the first token's state through the pooler (dense, tanh) and the classifier
 * to one logit. Leaving the pooler out is a known wrong port: ms-marco-MiniLM then gives .498 where
 * .99998 is right.
 *
 * A model is found when it is made, and its weights are read when they are first needed. Weights
 * are shared by all models of the process that have the same folder and precision, and freed with
 * the last of them (resources.h).
 *
 * Texts are tokenized, some at a time (call.h), and computed as their kind of model does: static.h,
 * or transformer.h. There they are grouped to some hundreds of tokens, each text whole, and laid
 * one behind the other without padding. With enough groups each thread computes groups of its own
 * (batch.h); else all threads share one (team.h).
 */
#ifndef LOCAL_LOCAL_H
#define LOCAL_LOCAL_H

#include "local/precision.h"
#include "model/model.h"

/* What the local models of one connection share. */
struct local_session {
    size_t n_threads;    /* that a call computes with, 1 or more */
    int refuse_overlong; /* a text longer than the model reads is an error; else it is cut */
};

struct local_options {
    const char *name;               /* of the model: for errors and for the index */
    const char *model;              /* owner/name: see folder.h */
    enum model_task task;           /* exactly one */
    enum local_precision precision; /* of gemm */
    size_t dimensions; /* the first so many of each embedding (matryoshka), normalised again if the
                                      model normalises; 0: all */
    size_t batch_size; /* texts that a caller hands over at once; 0: as is best */
};

/* The model's methods are for model.h alone. Texts are copied; the session is borrowed for the
 * model's life. The configuration is read now, the weights later. Errors of local_folder_find
 * and local_config_read; ERROR_INVALID when the model does not do the task, or has fewer
 * dimensions. */
int local_new(const struct local_session *session, const struct local_options *options,
              struct model **model, struct error *err);

#endif

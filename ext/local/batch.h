/*
 * batch.h: any number of texts through the encoder, by several threads.
 *
 * Texts are put into groups of equal work, the longest first, each text whole. With enough tokens
 * for every thread a thread computes groups of its own and waits for nobody; else all of them go
 * through each group together (team.h).
 */
#ifndef LOCAL_BATCH_H
#define LOCAL_BATCH_H

#include "base/cancel.h"
#include "local/encoder.h"

/* Tokens of a group, at most: the weights are read once for so many rows, and mapped ones packed.
 * Codes are multiplied so fast that it counts whether activations stay in the second level cache:
 * of bfloat16 and int8 there are BATCH_CODE_TOKENS. */
#define BATCH_GROUP_TOKENS 384
#define BATCH_CODE_TOKENS 192

/* Computes the results of all texts; their order and `row` are changed. ERROR_NOMEM,
 * ERROR_INTERRUPTED. */
int local_batch_run(struct local_weights *weights, struct local_text *texts, size_t n_texts,
                    size_t n_threads, const struct cancel *cancel, struct error *err);

/* Gives back the scratch memory that the weights kept for the next call. */
void local_batch_release(struct local_weights *weights);

#endif

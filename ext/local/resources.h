/*
 * resources.h: what all models of the process that have the same folder share: the vocabulary, and
 * of the same precision the weights. Read when they are first needed, freed with the last model.
 */
#ifndef LOCAL_RESOURCES_H
#define LOCAL_RESOURCES_H

#include "local/dense.h"
#include "local/instance.h"

/* Reads the vocabulary, or it and the weights, unless that has been done: then ERROR_UNAVAILABLE if
 * a file that is mapped has been written to. ERROR_CORRUPT: a token has no row, or a module Dense
 * does not fit; ERROR_INVALID: there are fewer dimensions than are asked for; errors of
 * tokenizer_new, methods->load and dense_load. */
int local_load_vocabulary(struct local *local, const struct cancel *cancel, struct error *err);
int local_load(struct local *local, const struct cancel *cancel, struct error *err);
void local_unload(struct local *local);

/* The folder [FILE_PATH_SIZE] that config.json, tokenizer and weights lie in. */
void local_part_of(const struct local *local, char *folder);

/* What has been loaded. */
const struct tokenizer *local_tokenizer(const struct local *local);
void *local_weights_of(const struct local *local);
const struct dense *local_dense_of(const struct local *local); /* NULL: there is none */

/* Of both, as loading_hash: what is mapped is read the first time. */
int local_weights_hash(const struct local *local, const struct cancel *cancel, uint64_t *hash,
                       struct error *err);

#endif

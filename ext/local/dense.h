/*
 * dense.h: what a pooled vector goes through (sentence-transformers' module Dense):
 * activation(W x + b), one after the other. W [n_out, n_in] is the tensor linear.weight of the
 * module's own model.safetensors, b [n_out] linear.bias. float32 whatever the model's precision.
 */
#ifndef LOCAL_DENSE_H
#define LOCAL_DENSE_H

#include "base/cancel.h"
#include "local/config.h"

struct dense;

/* Those of config->dense, in folders below the model's; *loaded is NULL where there are none.
 * Errors of loading_run. */
int dense_load(const char *folder, const struct local_config *config, size_t n_threads,
               const struct cancel *cancel, struct dense **loaded, struct error *err);
void dense_free(struct dense *dense); /* accepts NULL */

/* As loading_check, before dense_apply. */
int dense_check(const struct dense *dense, struct error *err);

/* Chains what loading_hash gives to *hash. */
int dense_hash(struct dense *dense, size_t n_threads, const struct cancel *cancel, uint64_t *hash,
               struct error *err);

/* Floats of a vector that comes out. */
size_t dense_n_out(const struct dense *dense);

/* vectors: [n, n_in]; may be changed. *out: [n, n_out], for memory_free; NULL after an error. A row
 * is computed alike whatever its neighbours are. ERROR_NOMEM. */
int dense_apply(const struct dense *dense, float *vectors, size_t n, float **out,
                struct error *err);

#endif

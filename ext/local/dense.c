#include "local/dense.h"

#include <math.h>
#include <stdio.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/pages.h"
#include "local/loading.h"
#include "local/matrix.h"
#include "local/unit.h"

struct dense_layer {
    struct local_dense config;
    struct local_matrix matrix; /* [n_out, n_in] */
    struct loading_block block; /* what it points into */
};

struct dense {
    const struct local_kernels *kernels;
    struct dense_layer layers[LOCAL_MAX_DENSE];
    size_t n;
};

/* ---- weights --------------------------------------------------------------------------------- */

static void plan_layer(struct loading *loading, void *context)
{
    struct dense_layer *layer = context;
    const char *name = "linear";
    loading_matrix(loading,
                   &(struct loading_linears){.names = &name,
                                             .n_names = 1,
                                             .n_out = layer->config.n_out,
                                             .n_in = layer->config.n_in,
                                             .has_no_bias = !layer->config.has_bias},
                   &layer->matrix);
}

static int load_layer(struct dense *dense, const char *folder, const struct local_dense *config,
                      size_t n_threads, const struct cancel *cancel, struct error *err)
{
    char path[FILE_PATH_SIZE];
    struct dense_layer *layer = &dense->layers[dense->n];
    struct loading_plan plan = {plan_layer, layer, dense->kernels};
    layer->config = *config;
    int length = snprintf(path, sizeof path, "%s/%s", folder, config->folder);
    if (length < 0 || length >= (int)sizeof path)
        return error_set(err, ERROR_UNAVAILABLE, "a path of more than %d bytes", FILE_PATH_SIZE);
    int rc = loading_run(path, &plan, n_threads, cancel, &layer->block, err);
    if (rc == 0) dense->n++;
    else error_context(err, "%s", config->folder);
    return rc;
}

int dense_load(const char *folder, const struct local_config *config, size_t n_threads,
               const struct cancel *cancel, struct dense **loaded, struct error *err)
{
    *loaded = NULL;
    if (config->n_dense == 0) return 0;
    struct dense *dense = memory_zalloc(1, sizeof *dense);
    if (dense == NULL) return error_nomem(err);
    dense->kernels = local_kernels_chosen();
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < config->n_dense; i++)
        rc = load_layer(dense, folder, &config->dense[i], n_threads, cancel, err);
    if (rc == 0) *loaded = dense;
    else dense_free(dense);
    return rc;
}

void dense_free(struct dense *dense)
{
    if (dense == NULL) return;
    for (size_t i = 0; i < dense->n; i++) loading_block_free(&dense->layers[i].block);
    memory_free(dense);
}

int dense_check(const struct dense *dense, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < dense->n; i++) {
        rc = loading_check(&dense->layers[i].block, err);
        if (rc != 0) error_context(err, "%s", dense->layers[i].config.folder);
    }
    return rc;
}

int dense_hash(struct dense *dense, size_t n_threads, const struct cancel *cancel, uint64_t *hash,
               struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < dense->n; i++) {
        uint64_t own;
        rc = loading_hash(&dense->layers[i].block, n_threads, cancel, &own, err);
        if (rc == 0) *hash = hash_bytes(&own, sizeof own, *hash);
        else error_context(err, "%s", dense->layers[i].config.folder);
    }
    return rc;
}

size_t dense_n_out(const struct dense *dense)
{
    return dense->layers[dense->n - 1].config.n_out;
}

/* ---- vectors --------------------------------------------------------------------------------- */

/* scratch: as local_matrix_multiply has it. */
static void apply_layer(const struct dense *dense, const struct dense_layer *layer, float *in,
                        size_t n, float *out, void *scratch)
{
    size_t n_in = layer->config.n_in, n_out = layer->config.n_out;
    int is_sigmoid = layer->config.activation == LOCAL_SIGMOID;
    struct local_output output = {.values = out,
                                  .stride = n_out,
                                  .activation =
                                      is_sigmoid ? LOCAL_IDENTITY : layer->config.activation};
    struct local_rows rows;
    for (size_t i = 0; layer->config.normalizes_input && i < n; i++) unit_make(in + i * n_in, n_in);
    local_rows_init(&rows, LOCAL_FLOAT32, n, n_in, in, n_in, NULL);
    local_matrix_multiply(&layer->matrix, dense->kernels, &rows, &output, 0, layer->matrix.n_panels,
                          scratch);
    for (size_t i = 0; is_sigmoid && i < n * n_out; i++)
        out[i] = (float)(1 / (1 + exp(-(double)out[i])));
}

int dense_apply(const struct dense *dense, float *vectors, size_t n, float **out, struct error *err)
{
    float *in = vectors, *made = NULL;
    *out = NULL;
    for (size_t i = 0; i < dense->n; i++) {
        const struct dense_layer *layer = &dense->layers[i];
        size_t size = local_matrix_scratch(dense->kernels, layer->config.n_in);
        void *scratch = pages_alloc(size);
        made = scratch == NULL ? NULL : memory_alloc(n, layer->config.n_out * sizeof *made);
        if (made != NULL) apply_layer(dense, layer, in, n, made, scratch);
        pages_free(scratch, size);
        if (in != vectors) memory_free(in);
        if (made == NULL) return error_nomem(err);
        in = made;
    }
    *out = made;
    return 0;
}

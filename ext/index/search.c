#include "index/search.h"

#include <math.h>

#include "base/memory.h"
#include "vector/codec.h"
#include "vector/distance.h"
#include "vector/quantize.h"

/* Rows between two looks at the cancel token: under 1 ms of work at 1,000 dimensions. */
#define ROWS_PER_POLL 1024

double index_similarity(enum index_metric metric, double closeness)
{
    return metric == INDEX_L2 ? 1.0 / (1.0 - closeness) : closeness;
}

double index_distance(enum index_metric metric, double closeness)
{
    return metric == INDEX_COSINE ? 1.0 - closeness : -closeness;
}

/* Which code; for a quantised index only. */
static enum vector_code code_kind(enum index_quantize quantize)
{
    return quantize == INDEX_BIT ? VECTOR_BIT : VECTOR_INT8;
}

size_t index_code_size(enum index_quantize quantize, size_t dimensions)
{
    return quantize == INDEX_EXACT ? 0 : vector_code_size(code_kind(quantize), dimensions);
}

void index_encode(enum index_quantize quantize, const float *vector, size_t dimensions, void *code)
{
    if (quantize != INDEX_EXACT) vector_code_encode(code_kind(quantize), vector, dimensions, code);
}

/* How many candidates a scan of codes keeps for k wanted: the coarser the code, the more. Measured
 * in tests/recall. */
static size_t oversampled(enum index_quantize quantize, size_t k)
{
    size_t factor = quantize == INDEX_BIT ? 16 : 4, extra = quantize == INDEX_BIT ? 256 : 32;
    return k > (SIZE_MAX - extra) / factor ? SIZE_MAX : k * factor + extra;
}

static double closeness_of(const struct index_query *query, const void *vector)
{
    switch (query->metric) {
    case INDEX_DOT:
        return vector_dot(query->vector, vector, query->dimensions);
    case INDEX_L2:
        return -sqrt(vector_squared_l2(query->vector, vector, query->dimensions));
    default:
        return vector_cosine(query->vector, vector, query->dimensions);
    }
}

/* One stored vector against the query. */
static int offer_vector(const struct index_query *query, int64_t id, const void *bytes, size_t size,
                        struct top_k *hits, struct error *err)
{
    if (size != query->dimensions * sizeof(float) || bytes == NULL)
        return error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                         (long long)id, query->dimensions * sizeof(float), size);
    double closeness = closeness_of(query, bytes);
    if (isnan(closeness) ||
        (isinf(closeness) && vector_check(bytes, size, &(size_t){0}, NULL) != 0))
        return error_set(err, ERROR_CORRUPT, "row %lld: its vector is zero or not finite",
                         (long long)id);
    if (index_similarity(query->metric, closeness) < query->min_similarity) return 0;
    return top_k_offer(hits, id, closeness, err);
}

static int scan_vectors(const struct index_storage *storage, const struct index_query *query,
                        struct top_k *hits, struct error *err)
{
    const void *bytes;
    size_t size, n = 0;
    int64_t id;
    int done = 0;
    int rc = storage->rewind(storage->context, 0, err);
    while (rc == 0 && (rc = storage->next(storage->context, &id, &bytes, &size, &done, err)) == 0 &&
           !done) {
        rc = offer_vector(query, id, bytes, size, hits, err);
        if (rc == 0 && ++n % ROWS_PER_POLL == 0) rc = cancel_check(query->cancel, err);
    }
    return rc;
}

/* Reads the vectors of some ids; an id without a vector is passed over. */
static int fetch_vectors(const struct index_storage *storage, const struct index_query *query,
                         const int64_t *ids, size_t n_ids, struct top_k *hits, struct error *err)
{
    const void *bytes;
    size_t size;
    int found, rc = 0;
    for (size_t i = 0; rc == 0 && i < n_ids; i++) {
        rc = storage->fetch(storage->context, ids[i], &bytes, &size, &found, err);
        if (rc == 0 && found) rc = offer_vector(query, ids[i], bytes, size, hits, err);
        if (rc == 0 && i % ROWS_PER_POLL == ROWS_PER_POLL - 1)
            rc = cancel_check(query->cancel, err);
    }
    return rc;
}

/* What a code says of the closeness: monotone in it, which is all that choosing candidates needs.
 */
static double estimate(enum index_metric metric, const struct vector_code_query *prepared,
                       const void *code)
{
    switch (metric) {
    case INDEX_DOT:
        return vector_code_dot(prepared, code);
    case INDEX_L2:
        return -vector_code_squared_l2(prepared, code);
    default:
        return vector_code_cosine(prepared, code);
    }
}

static int scan_codes(const struct index_storage *storage, const struct index_query *query,
                      struct top_k *candidates, struct error *err)
{
    const void *bytes;
    size_t size, n = 0;
    int64_t id;
    int done = 0;
    enum vector_code kind = code_kind(query->quantize);
    struct vector_code_query *prepared = NULL;
    int rc = vector_code_query_new(kind, query->vector, query->dimensions, &prepared, err);
    if (rc == 0) rc = storage->rewind(storage->context, 1, err);
    while (rc == 0 && (rc = storage->next(storage->context, &id, &bytes, &size, &done, err)) == 0 &&
           !done) {
        rc = vector_code_check(kind, bytes, size, query->dimensions, err);
        if (rc != 0) error_context(err, "row %lld ('optimize' mends it)", (long long)id);
        if (rc == 0)
            rc = top_k_offer(candidates, id, estimate(query->metric, prepared, bytes), err);
        if (rc == 0 && ++n % ROWS_PER_POLL == 0) rc = cancel_check(query->cancel, err);
    }
    vector_code_query_free(prepared);
    return rc;
}

/* Codes first, then the candidates exactly. */
static int search_codes(const struct index_storage *storage, const struct index_query *query,
                        struct top_k *hits, struct error *err)
{
    struct top_k candidates;
    struct top_k_hit hit;
    int64_t *ids = NULL;
    size_t n_ids = 0;
    top_k_init(&candidates, oversampled(query->quantize, query->k));
    int rc = scan_codes(storage, query, &candidates, err);
    if (rc == 0 && (ids = memory_alloc(candidates.n, sizeof *ids)) == NULL) rc = error_nomem(err);
    while (rc == 0 && top_k_pop(&candidates, &hit)) ids[n_ids++] = hit.id;
    if (rc == 0) rc = fetch_vectors(storage, query, ids, n_ids, hits, err);
    memory_free(ids);
    top_k_deinit(&candidates);
    return rc;
}

int index_search(const struct index_storage *storage, const struct index_query *query,
                 struct top_k *hits, struct error *err)
{
    if (query->only != NULL)
        return fetch_vectors(storage, query, query->only, query->n_only, hits, err);
    if (query->quantize == INDEX_EXACT || query->k == SIZE_MAX)
        return scan_vectors(storage, query, hits, err);
    return search_codes(storage, query, hits, err);
}

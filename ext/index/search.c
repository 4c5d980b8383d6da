#include "index/search.h"

#include <math.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "base/workers.h"
#include "vector/codec.h"
#include "vector/distance.h"
#include "vector/quantize.h"

/* Rows between two looks at the cancel token: under 1 ms of work at 1,000 dimensions. */
#define ROWS_PER_POLL 1024

/* A thread more for each so many bytes in memory: about 100 microseconds of work. */
#define THREAD_BYTES ((size_t)1 << 20)

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

/* One stored vector, whose closeness was computed, among the hits. */
static int offer_closeness(const struct index_query *query, int64_t id, const void *bytes,
                           double closeness, struct top_k *hits, struct error *err)
{
    if (isnan(closeness) ||
        (isinf(closeness) &&
         vector_check(bytes, query->dimensions * sizeof(float), &(size_t){0}, NULL) != 0))
        return error_set(err, ERROR_CORRUPT, "row %lld: its vector is zero or not finite",
                         (long long)id);
    if (index_similarity(query->metric, closeness) < query->min_similarity) return 0;
    return top_k_offer(hits, id, closeness, err);
}

static int check_size(const struct index_query *query, int64_t id, const void *bytes, size_t size,
                      struct error *err)
{
    if (size == query->dimensions * sizeof(float) && bytes != NULL) return 0;
    return error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                     (long long)id, query->dimensions * sizeof(float), size);
}

/* One stored vector against the query. */
static int offer_vector(const struct index_query *query, int64_t id, const void *bytes, size_t size,
                        struct top_k *hits, struct error *err)
{
    int rc = check_size(query, id, bytes, size, err);
    return rc != 0 ? rc : offer_closeness(query, id, bytes, closeness_of(query, bytes), hits, err);
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

/* ---- rows in memory -------------------------------------------------------------------------- */

/* What the threads share: each takes the next chunk until there is none. */
struct packed_scan {
    const struct index_packed *packed;
    const struct index_query *query;
    const struct vector_code_query *prepared; /* NULL: rows are vectors, not codes */
    double *closeness;                        /* [n]; NAN for a row that is not what it should be */
    atomic_size_t next;                       /* row */
    atomic_int stop;
    int rc; /* of the cancel token, which the caller's thread polls */
    struct error *err;
};

static double packed_closeness(const struct packed_scan *scan, const void *row)
{
    const struct index_query *query = scan->query;
    if (scan->prepared == NULL) return closeness_of(query, row);
    if (vector_code_check(code_kind(query->quantize), row, scan->packed->row_size,
                          query->dimensions, NULL) != 0)
        return NAN;
    return estimate(query->metric, scan->prepared, row);
}

static void scan_chunks(void *context, size_t number)
{
    struct packed_scan *scan = context;
    const struct index_packed *packed = scan->packed;
    while (!atomic_load_explicit(&scan->stop, memory_order_relaxed)) {
        size_t begin = atomic_fetch_add_explicit(&scan->next, ROWS_PER_POLL, memory_order_relaxed);
        if (begin >= packed->n) return;
        size_t end = packed->n - begin < ROWS_PER_POLL ? packed->n : begin + ROWS_PER_POLL;
        for (size_t i = begin; i < end; i++)
            scan->closeness[i] = packed_closeness(scan, packed->rows + i * packed->row_size);
        if (number != 0) continue;
        scan->rc = cancel_check(scan->query->cancel, scan->err);
        if (scan->rc != 0) atomic_store_explicit(&scan->stop, 1, memory_order_relaxed);
    }
}

/* The closeness of every row, into scan->closeness, which the caller frees. */
static int scan_packed(struct packed_scan *scan, struct error *err)
{
    const struct index_packed *packed = scan->packed;
    size_t n_threads = scan->query->n_threads, least = packed->n * packed->row_size / THREAD_BYTES;
    if (n_threads > least) n_threads = least;
    scan->err = err;
    scan->closeness = memory_alloc(packed->n, sizeof *scan->closeness);
    if (scan->closeness == NULL) return error_nomem(err);
    workers_run(n_threads, scan_chunks, scan);
    return scan->rc != 0 ? scan->rc : cancel_check(scan->query->cancel, err);
}

static int scan_packed_vectors(const struct index_packed *packed, const struct index_query *query,
                               struct top_k *hits, struct error *err)
{
    struct packed_scan scan = {.packed = packed, .query = query};
    if (packed->n == 0) return 0;
    int rc = check_size(query, packed->ids[0], packed->rows, packed->row_size, err);
    if (rc == 0) rc = scan_packed(&scan, err);
    for (size_t i = 0; rc == 0 && i < packed->n; i++)
        if (!(scan.closeness[i] < top_k_threshold(hits)))
            rc = offer_closeness(query, packed->ids[i], packed->rows + i * packed->row_size,
                                 scan.closeness[i], hits, err);
    memory_free(scan.closeness);
    return rc;
}

static int scan_packed_codes(const struct index_packed *packed, const struct index_query *query,
                             const struct vector_code_query *prepared, struct top_k *candidates,
                             struct error *err)
{
    struct packed_scan scan = {.packed = packed, .query = query, .prepared = prepared};
    int rc = packed->n == 0 ? 0 : scan_packed(&scan, err);
    for (size_t i = 0; rc == 0 && i < packed->n; i++) {
        if (isnan(scan.closeness[i])) {
            rc = vector_code_check(code_kind(query->quantize), packed->rows + i * packed->row_size,
                                   packed->row_size, query->dimensions, err);
            error_context(err, "row %lld ('optimize' mends it)", (long long)packed->ids[i]);
        } else if (!(scan.closeness[i] < top_k_threshold(candidates))) {
            rc = top_k_offer(candidates, packed->ids[i], scan.closeness[i], err);
        }
    }
    memory_free(scan.closeness);
    return rc;
}

static const struct index_packed *packed_rows(const struct index_storage *storage, int codes)
{
    return storage->packed == NULL ? NULL : storage->packed(storage->context, codes);
}

/* ---- scans ----------------------------------------------------------------------------------- */

static int scan_vectors(const struct index_storage *storage, const struct index_query *query,
                        struct top_k *hits, struct error *err)
{
    const struct index_packed *packed = packed_rows(storage, 0);
    if (packed != NULL) return scan_packed_vectors(packed, query, hits, err);
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
    const struct index_packed *packed = rc == 0 ? packed_rows(storage, 1) : NULL;
    if (packed != NULL) {
        rc = scan_packed_codes(packed, query, prepared, candidates, err);
        vector_code_query_free(prepared);
        return rc;
    }
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

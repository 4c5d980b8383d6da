#include "index/rescore.h"

#include <math.h>

/* Rows fetched between two looks at the cancel token. */
#define ROWS_PER_POLL 256

/* One stored vector against the query; *takes: whether that score counts. */
static int score_vector(const struct index_search *search, const struct index_query *query,
                        int64_t id, const void *bytes, size_t size, double *score, int *takes,
                        struct error *err)
{
    const struct index_layout *layout = &search->snapshot->layout;
    if (size != index_vector_size(layout) || bytes == NULL)
        return error_set(err, ERROR_CORRUPT, "row %lld: expected a vector of %zu bytes, not %zu",
                         (long long)id, index_vector_size(layout), size);
    *score = index_search_metric(search)->score(index_vector_sums(layout), query->vector, bytes,
                                                layout->dimensions);
    int rc = index_check_score(layout, id, bytes, *score, err);
    *takes = rc == 0 && index_query_takes(query, index_search_metric(search), *score);
    return rc;
}

int rescore_fetch(const struct index_search *search, const struct index_query *query, int64_t id,
                  struct top_k *hits, struct error *err)
{
    const struct index_storage *storage = search->storage;
    const void *bytes;
    size_t size;
    double score;
    int found, takes = 0, rc = storage->fetch(storage->context, id, &bytes, &size, &found, err);
    if (rc == 0 && found) rc = score_vector(search, query, id, bytes, size, &score, &takes, err);
    return rc == 0 && takes ? top_k_offer(hits, id, score, err) : rc;
}

double rescore_least_bound(const struct index_search *search, const struct index_query *query,
                           const struct top_k *hits)
{
    const struct index_metric_row *metric = index_search_metric(search);
    double threshold = top_k_threshold(hits), least = metric->min_estimate(query->min_similarity);
    return isinf(threshold) ? least : fmax(least, metric->estimate(threshold) - RESCORE_SMALLEST);
}

/* Whether no row of that bound can be better than the k-th best hit. */
static int is_beyond(const struct index_search *search, double bound, const struct top_k *hits)
{
    double threshold = top_k_threshold(hits);
    return !isinf(threshold) &&
           bound + RESCORE_SMALLEST < index_search_metric(search)->estimate(threshold);
}

int rescore_all(struct index_search *search, const struct index_query *query,
                struct top_k *candidates, struct top_k *hits, int *done, struct error *err)
{
    *done = 1;
    struct top_k_hit candidate;
    int rc = 0;
    for (size_t n = 1; rc == 0; n++) {
        *done = top_k_pop(candidates, &candidate);
        if (!*done || is_beyond(search, candidate.score, hits)) break;
        rc = rescore_fetch(search, query, candidate.id, hits, err);
        search->n_rescored++;
        if (rc == 0 && n % ROWS_PER_POLL == 0) rc = cancel_check(search->cancel, err);
    }
    return rc;
}

/* Whether a row is to be asked about: it is not where its vector is in memory, and not near enough,
 * which is found out sooner. */
static int is_worth_asking(struct index_search *search, const struct index_query *query,
                           const struct index_snapshot *vectors, int64_t id,
                           const struct top_k *hits, int *is_worth, struct error *err)
{
    const void *vector = vectors == NULL ? NULL : index_snapshot_find(vectors, id);
    double score;
    *is_worth = 1;
    if (vector == NULL) return 0;
    search->n_rescored++;
    int rc = score_vector(search, query, id, vector, index_vector_size(&vectors->layout), &score,
                          is_worth, err);
    if (rc == 0 && score < top_k_threshold(hits)) *is_worth = 0;
    return rc;
}

/* The next candidates to be asked about; *done = 1 if no more can be among the k best. */
static int next_group(struct index_search *search, const struct index_query *query,
                      struct top_k *candidates, const struct top_k *hits, int64_t *ids, size_t *n,
                      int *done, struct error *err)
{
    const struct index_snapshot *vectors = index_snapshot_vectors(search->snapshot);
    struct top_k_hit candidate;
    int is_worth, rc = 0;
    *n = 0;
    while (rc == 0 && *n < INDEX_SIEVE_GROUP && top_k_pop(candidates, &candidate)) {
        *done = is_beyond(search, candidate.score, hits);
        if (*done) return 0;
        rc = is_worth_asking(search, query, vectors, candidate.id, hits, &is_worth, err);
        ids[*n] = candidate.id;
        *n += is_worth != 0;
    }
    return rc;
}

int rescore_sieved(struct index_search *search, const struct index_query *query,
                   struct top_k *candidates, struct top_k *hits, int *done, struct error *err)
{
    struct index_sieve *sieve = query->sieve;
    int64_t ids[INDEX_SIEVE_GROUP];
    unsigned char pass[INDEX_SIEVE_GROUP];
    size_t n;
    int rc = 0, are_kept = index_snapshot_vectors(search->snapshot) != NULL;
    *done = 0;
    do {
        rc = next_group(search, query, candidates, hits, ids, &n, done, err);
        if (rc == 0 && n > 0) rc = sieve->pass(sieve->context, ids, n, pass, err);
        sieve->n_asked += n;
        for (size_t i = 0; rc == 0 && i < n; i++) {
            if (!pass[i]) continue;
            rc = rescore_fetch(search, query, ids[i], hits, err);
            search->n_rescored += !are_kept;
            sieve->n_passed++;
        }
        if (rc == 0) rc = cancel_check(search->cancel, err);
    } while (rc == 0 && n > 0 && !*done);
    return rc;
}

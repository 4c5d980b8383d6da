#include "index/sieved.h"

#include <math.h>

#include "index/prepared.h"
#include "index/rescore.h"
#include "index/scan.h"

/* Of the partitions, one in so many is looked at first; and one row that is asked about counts as
 * much as one in so many that are wanted. */
#define SIEVE_SHARE 8
#define ASKED_FOR_ONE 3

static size_t count_above(const struct top_k *hits, double score)
{
    size_t n = 0;
    for (size_t i = 0; i < hits->n; i++) n += hits->hits[i].score > score;
    return n;
}

/* One scan of a search with a sieve, and what it gives: *left of the rows of the highest bounds are
 * looked at. *goes_on: more partitions are. */
static int sieve_once(struct index_search *search, const struct index_query *query,
                      struct index_prepared *prepared, size_t *left, int *goes_on,
                      struct top_k *hits, struct error *err)
{
    struct index_target target = {.query = query,
                                  .k = *left,
                                  .codes = prepared->codes,
                                  .bounds = prepared->bounds,
                                  .partitions = prepared->partitions,
                                  .min_bound = rescore_least_bound(search, query, hits)};
    double before = top_k_threshold(hits);
    size_t n_before = count_above(hits, before);
    int done = 0, rc = index_scan(search, &target, 1, err);
    size_t n = target.hits.n;
    int is_full = n == target.k;
    if (rc == 0) rc = rescore_sieved(search, query, &target.hits, hits, &done, err);
    *left -= n - target.hits.n;
    top_k_deinit(&target.hits);
    int rest_is_open = index_prepared_has_rest(search->snapshot, prepared) &&
                       (hits->n < query->k || count_above(hits, before) > n_before);
    *goes_on = rc == 0 && (done || !is_full) && rest_is_open && *left > 0;
    query->sieve->is_whole = (done || !is_full) && !rest_is_open &&
                             (hits->n == query->k || isinf(query->min_similarity));
    if (*goes_on) index_prepared_choose(search->snapshot, prepared, prepared->n_chosen);
    return rc;
}

int sieved_search(struct index_search *search, const struct index_query *query, struct top_k *hits,
                  struct error *err)
{
    struct index_prepared prepared = {0};
    struct index_query like = *query; /* the query of whose hits so many are looked at */
    size_t left = query->sieve->most;
    int goes_on = 1;
    like.k = left / ASKED_FOR_ONE;
    size_t n_first = index_snapshot_n_partitions(search->snapshot) / SIEVE_SHARE;
    int rc = index_prepare(search, &like, n_first < PREPARED_FIRST ? PREPARED_FIRST : n_first,
                           &prepared, err);
    if (rc == 0)
        index_prepared_set_errors(search->snapshot, &prepared, index_prepared_errors(search));
    while (rc == 0 && goes_on)
        rc = sieve_once(search, query, &prepared, &left, &goes_on, hits, err);
    index_prepared_deinit(&prepared);
    return rc;
}

#include "index/query.h"

#include <math.h>

const struct index_metric_row *index_search_metric(const struct index_search *search)
{
    return &index_metrics[search->snapshot->layout.metric];
}

int index_query_wants(const struct index_query *query, int64_t id)
{
    if (query->only == NULL) return 1;
    return query->bits != NULL && query->bits->words != NULL
               ? ids_bits_have(query->bits, id)
               : ids_has(query->only, query->n_only, id);
}

int index_query_takes(const struct index_query *query, const struct index_metric_row *metric,
                      double score)
{
    const struct index_ring *ring = query->ring;
    double similarity = metric->similarity(score), distance;
    if (similarity < query->min_similarity) return 0;
    if (ring == NULL) return 1;
    distance = metric->distance(score);
    return similarity <= ring->max_similarity && distance >= ring->min_distance &&
           distance <= ring->max_distance;
}

int index_check_score(const struct index_layout *layout, int64_t id, const void *vector,
                      double score, struct error *err)
{
    if (isfinite(score)) return 0;
    if (!isnan(score) && index_vector_sums(layout)->is_finite(vector, layout->dimensions)) return 0;
    return error_set(err, ERROR_CORRUPT, "row %lld: its vector is zero or not finite",
                     (long long)id);
}

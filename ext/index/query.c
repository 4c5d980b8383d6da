#include "index/query.h"

#include <math.h>

int index_query_wants(const struct index_query *query, int64_t id)
{
    size_t low = 0, high = query->n_only;
    if (query->only == NULL) return 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (query->only[middle] < id) low = middle + 1;
        else high = middle;
    }
    return low < query->n_only && query->only[low] == id;
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

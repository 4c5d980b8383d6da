#include "index/prepared.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "vector/distance.h"

/* A bound is the estimate and so many standard errors: fewer where partitions are left out and each
 * row whose bound is high enough has its vector read. */
#define STANDARD_ERRORS 2.25
#define STANDARD_ERRORS_READ 2.0

/* Partitions are chosen that have so many rows for each that is wanted. */
#define ROWS_PER_HIT 16

void index_prepared_deinit(struct index_prepared *prepared)
{
    memory_free(prepared->rotated);
    vector_code_query_free(prepared->codes);
    memory_free(prepared->bounds);
    memory_free(prepared->partitions);
    memory_free(prepared->chosen);
    top_k_deinit(&prepared->rest);
}

void index_prepared_measure(const struct index_snapshot *snapshot, struct index_prepared *prepared)
{
    const struct index_metric_row *metric = &index_metrics[snapshot->layout.metric];
    const struct index_partitions *partitions = snapshot->partitions;
    struct index_pair pair = {.query = prepared->rotated,
                              .dimensions = snapshot->layout.dimensions,
                              .squared_distance = prepared->norm * prepared->norm};
    for (size_t i = 0; i < index_snapshot_n_partitions(snapshot); i++) {
        if (partitions != NULL) {
            pair.centroid = partitions->centroids + i * pair.dimensions;
            pair.squared_norm = (double)partitions->squared_norms[i];
            pair.squared_distance = vector_squared_l2(pair.query, pair.centroid, pair.dimensions);
        }
        prepared->bounds[i].base = (float)metric->base(&pair);
        prepared->bounds[i].radius = (float)sqrt(pair.squared_distance);
    }
}

int index_prepared_has_rest(const struct index_snapshot *snapshot,
                            const struct index_prepared *prepared)
{
    return prepared->partitions != NULL &&
           prepared->n_chosen < index_snapshot_n_partitions(snapshot);
}

void index_prepared_choose(const struct index_snapshot *snapshot, struct index_prepared *prepared,
                           size_t n)
{
    struct top_k_hit next;
    memset(prepared->partitions, 0, index_snapshot_n_partitions(snapshot));
    for (; n > 0 && top_k_pop(&prepared->rest, &next); n--) {
        prepared->partitions[next.id] = prepared->chosen[next.id] = 1;
        prepared->n_chosen++;
    }
}

/* Among how many rows there are as many as are wanted. */
static size_t n_met(const struct index_snapshot *snapshot, const struct index_query *query)
{
    double times = (double)snapshot->n_rows / (double)(query->n_only + 1);
    double met = query->only == NULL || times < 1.0 ? (double)query->k : (double)query->k * times;
    return met < (double)snapshot->n_rows ? (size_t)met : snapshot->n_rows;
}

/* The partitions that are looked at first: so many, or more for k, or all. */
static int choose_partitions(const struct index_snapshot *snapshot, size_t k, size_t n_first,
                             struct index_prepared *prepared, struct error *err)
{
    size_t n_partitions = index_snapshot_n_partitions(snapshot);
    if (k >= snapshot->n_rows / ROWS_PER_HIT) return 0;
    size_t for_k = (size_t)((uint64_t)k * ROWS_PER_HIT * n_partitions / snapshot->n_rows) + 1;
    if (n_first < for_k) n_first = for_k;
    if (n_first >= n_partitions) return 0;
    top_k_init(&prepared->rest, n_partitions);
    prepared->partitions = memory_alloc(n_partitions, 1);
    prepared->chosen = memory_zalloc(n_partitions, 1);
    int rc = prepared->partitions == NULL || prepared->chosen == NULL
                 ? error_nomem(err)
                 : top_k_reserve(&prepared->rest, err);
    for (size_t i = 0; rc == 0 && i < n_partitions; i++) {
        double near = index_metrics[snapshot->layout.metric].nearness(&prepared->bounds[i]);
        rc = top_k_offer(&prepared->rest, (int64_t)i, near, err);
    }
    if (rc == 0) index_prepared_choose(snapshot, prepared, n_first);
    return rc;
}

int index_prepare(const struct index_search *search, const struct index_query *query,
                  size_t n_first, struct index_prepared *prepared, struct error *err)
{
    const struct index_snapshot *snapshot = search->snapshot;
    const struct index_layout *layout = &snapshot->layout;
    int has_codes = layout->quantize != INDEX_EXACT;
    if (!has_codes && snapshot->partitions == NULL) return 0;
    prepared->rotated = memory_alloc(layout->dimensions, sizeof *prepared->rotated);
    prepared->bounds =
        memory_alloc(index_snapshot_n_partitions(snapshot), sizeof *prepared->bounds);
    if (prepared->rotated == NULL || prepared->bounds == NULL) return error_nomem(err);
    index_code_space(layout, query->vector, prepared->rotated);
    prepared->norm = vector_norm(prepared->rotated, layout->dimensions);
    index_prepared_measure(snapshot, prepared);
    int rc = 0;
    if (search->near_partitions_only && snapshot->partitions != NULL)
        rc = choose_partitions(snapshot, n_met(snapshot, query), n_first, prepared, err);
    if (rc == 0 && has_codes)
        rc = vector_code_query_new(index_code(layout), prepared->rotated, layout->dimensions,
                                   &prepared->codes, err);
    return rc;
}

void index_prepared_set_errors(const struct index_snapshot *snapshot,
                               struct index_prepared *prepared, double standard_errors)
{
    double slack = vector_code_slack(prepared->codes, standard_errors);
    for (size_t i = 0; i < index_snapshot_n_partitions(snapshot); i++) {
        prepared->bounds[i].radius *= (float)standard_errors;
        prepared->bounds[i].slack = (float)slack;
    }
}

double index_prepared_errors(const struct index_search *search,
                             const struct index_prepared *prepared)
{
    int are_near = search->keeps_vectors || index_snapshot_vectors(search->snapshot) != NULL;
    return are_near || prepared->partitions == NULL ? STANDARD_ERRORS : STANDARD_ERRORS_READ;
}

#include "index/metric.h"

#include <math.h>

#include "vector/codec.h"
#include "vector/compact.h"
#include "vector/distance.h"
#include "vector/half.h"

/* Far more than the rounding of two multiplications in double. */
#define COSINE_SLACK 1e-12

/* How much of its length a row that is among the best has in the direction of the query, of what is
 * left of it without its centroid: chosen for the share of neighbours in the first partitions. */
#define REACH 0.35

/* ---- what scores are made of ----------------------------------------------------------------- */

static double float32_square(const void *vector, size_t dimensions)
{
    return vector_dot(vector, vector, dimensions);
}

static int float32_is_finite(const void *vector, size_t dimensions)
{
    return vector_check(vector, dimensions * sizeof(float), &(size_t){0}, NULL) == 0;
}

static int compact_is_finite(const void *compact, size_t dimensions)
{
    return vector_compact_is_valid(compact, dimensions, &(int){0});
}

static int half_is_finite(const void *half, size_t dimensions)
{
    return vector_half_is_valid(half, dimensions, &(int){0});
}

static void float32_add(float *sums, const void *vector, float factor, size_t dimensions)
{
    vector_add(sums, vector, factor, dimensions);
}

const struct index_sums index_sums[INDEX_VECTORS] = {
    [INDEX_FLOAT32] = {vector_dot, float32_square, vector_squared_l2, float32_is_finite,
                       float32_add},
    [INDEX_COMPACT] = {vector_compact_dot, vector_compact_square, vector_compact_squared_l2,
                       compact_is_finite, vector_compact_add},
    [INDEX_HALF] = {vector_half_dot, vector_half_square, vector_half_squared_l2, half_is_finite,
                    vector_half_add},
};

double index_inverse(const struct index_sums *sums, const void *vector, size_t dimensions)
{
    return 1.0 / sqrt(sums->square(vector, dimensions));
}

static const unsigned char *row_of(const struct index_comparison *comparison, size_t i)
{
    return comparison->rows + i * comparison->stride;
}

/* The dot product of a row. */
static double dot_of(const struct index_comparison *comparison, size_t i)
{
    return comparison->sums->dot(comparison->query, row_of(comparison, i), comparison->dimensions);
}

static double same(double value)
{
    return value;
}

static double negative(double value)
{
    return -value;
}

/* ---- what cosine and dot share: estimates of <q, v> ------------------------------------------ */

static double dot_magnitude(double norm, double centroid_norm, double min_estimate)
{
    (void)min_estimate;
    return norm * centroid_norm;
}

/* ---- cosine ---------------------------------------------------------------------------------- */

/* Dot products of finite vectors are far from a double's end. Equal float32 vectors give exactly
 * 1. */
static double cosine_score(const struct index_sums *sums, const void *query, const void *vector,
                           size_t dimensions)
{
    double dot = sums->dot(query, vector, dimensions);
    double squares = float32_square(query, dimensions) * sums->square(vector, dimensions);
    if (squares == 0.0) return NAN;
    double cosine = dot / sqrt(squares);
    return cosine > 1.0 ? 1.0 : cosine < -1.0 ? -1.0 : cosine;
}

/* Without a root or a division: most rows are seen not to be among the best. */
static void cosine_scores(const struct index_comparison *comparison, double *scores)
{
    for (size_t i = 0; i < comparison->n; i++)
        scores[i] = dot_of(comparison, i) * comparison->inverse * comparison->inverses[i];
}

static double cosine_distance(double score)
{
    return 1.0 - score;
}

/* |q| = 1: the distance is known already. */
static double cosine_base(const struct index_pair *pair)
{
    if (pair->centroid == NULL) return 0.0;
    return (1.0 + pair->squared_norm - pair->squared_distance) / 2.0;
}

/* Unit vectors whose mean is c lie sqrt(1 - |c|^2) from it. Those that reach out towards q, at
 * right angles to c, are that much nearer than c, times the sine of the angle: partitions that lie
 * close around their mean are no nearer than wide ones of the same direction. */
static double cosine_nearness(const struct vector_code_bound *bound)
{
    double base = (double)bound->base, radius = (double)bound->radius;
    double squared_norm = radius * radius + 2.0 * base - 1.0;
    double squared_cosine = squared_norm > 0.0 ? base * base / squared_norm : 0.0;
    double near =
        base + REACH * sqrt(fmax(1.0 - squared_norm, 0.0) * fmax(1.0 - squared_cosine, 0.0));
    return isnan(near) ? -INFINITY : near;
}

/* ---- dot ------------------------------------------------------------------------------------- */

static double dot_score(const struct index_sums *sums, const void *query, const void *vector,
                        size_t dimensions)
{
    return sums->dot(query, vector, dimensions);
}

static void dot_scores(const struct index_comparison *comparison, double *scores)
{
    for (size_t i = 0; i < comparison->n; i++) scores[i] = dot_of(comparison, i);
}

static double dot_base(const struct index_pair *pair)
{
    if (pair->centroid == NULL) return 0.0;
    return vector_dot(pair->query, pair->centroid, pair->dimensions);
}

static double by_base(const struct vector_code_bound *bound)
{
    return (double)bound->base;
}

/* ---- l2 -------------------------------------------------------------------------------------- */

static double l2_score(const struct index_sums *sums, const void *query, const void *vector,
                       size_t dimensions)
{
    return -sqrt(sums->squared_l2(query, vector, dimensions));
}

static void l2_scores(const struct index_comparison *comparison, double *scores)
{
    for (size_t i = 0; i < comparison->n; i++)
        scores[i] = l2_score(comparison->sums, comparison->query, row_of(comparison, i),
                             comparison->dimensions);
}

static double l2_similarity(double score)
{
    return 1.0 / (1.0 - score);
}

static double l2_estimate(double score)
{
    return -(score * score);
}

/* similarity = 1 / (1 + distance), which a double rounds. */
static double l2_min_estimate(double min_similarity)
{
    if (isinf(min_similarity)) return min_similarity;
    double distance = 1.0 / min_similarity - 1.0 + 0x1p-50;
    return min_similarity <= 0.0 ? -INFINITY : l2_estimate(distance);
}

static double l2_base(const struct index_pair *pair)
{
    return -pair->squared_distance;
}

/* Rows of such an estimate are within sqrt(-min_estimate) of the query. */
static double l2_magnitude(double norm, double centroid_norm, double min_estimate)
{
    double reach = isinf(min_estimate) || min_estimate > 0.0 ? 0.0 : sqrt(-min_estimate);
    reach += norm + centroid_norm;
    return reach * reach;
}

static double by_radius(const struct vector_code_bound *bound)
{
    return -(double)bound->radius;
}

/* ---- the table ------------------------------------------------------------------------------- */

const struct index_metric_row index_metrics[INDEX_METRICS] = {
    [INDEX_COSINE] = {.name = "cosine",
                      .of_directions = 1,
                      .is_bounded = 1,
                      .form = VECTOR_DOT,
                      .score = cosine_score,
                      .scores = cosine_scores,
                      .slack = COSINE_SLACK,
                      .similarity = same,
                      .distance = cosine_distance,
                      .estimate = same,
                      .min_estimate = same,
                      .base = cosine_base,
                      .nearness = cosine_nearness,
                      .magnitude = dot_magnitude},
    [INDEX_DOT] = {.name = "dot",
                   .form = VECTOR_DOT,
                   .score = dot_score,
                   .scores = dot_scores,
                   .similarity = same,
                   .distance = negative,
                   .estimate = same,
                   .min_estimate = same,
                   .base = dot_base,
                   .nearness = by_base,
                   .magnitude = dot_magnitude},
    [INDEX_L2] = {.name = "l2",
                  .is_bounded = 1,
                  .form = VECTOR_SQUARED_L2,
                  .score = l2_score,
                  .scores = l2_scores,
                  .similarity = l2_similarity,
                  .distance = negative,
                  .estimate = l2_estimate,
                  .min_estimate = l2_min_estimate,
                  .base = l2_base,
                  .nearness = by_radius,
                  .magnitude = l2_magnitude},
};

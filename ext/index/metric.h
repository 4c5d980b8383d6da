/*
 * metric.h: all that the rest asks of a metric, a row of one table each.
 *
 * Similarity rises and distance falls as vectors come nearer, for every metric. Rows are ranked by
 * a score, which rises too and costs least to take:
 *            score        similarity           distance
 *   cosine   cos(a, b)    cos(a, b)            1 - cos(a, b)
 *   dot      a . b        a . b                -(a . b)
 *   l2       -|a - b|     1 / (1 + |a - b|)    |a - b|
 *
 * A row is scored as it is stored: as float32, as half of that (vector/half.h), or compact
 * (vector/compact.h), and then beside a query that is rotated. Its score is the same wherever it is
 * taken.
 *
 * Codes (vector/quantize.h) estimate <q, v> or -|q - v|^2 in code space (block.h), which is
 * rotated. The estimate of a row rises with its score, with a bound of its error: a metric that
 * neither of the two tells of (a sum of absolute differences) has no codes, and no compact vectors,
 * which lie rotated, too.
 *
 * Another metric: a number at the end of the enum, a row in metric.c, and the tests try it. Where
 * no kernel of vector/ computes its score, that is to be written first.
 */
#ifndef INDEX_METRIC_H
#define INDEX_METRIC_H

#include <stddef.h>

#include "vector/quantize.h"

/* Files store these numbers. */
enum index_metric { INDEX_COSINE, INDEX_DOT, INDEX_L2, INDEX_METRICS };

/* How the vectors of rows are stored. Files store these numbers (store/store.h). */
enum index_vectors { INDEX_FLOAT32, INDEX_COMPACT, INDEX_HALF, INDEX_VECTORS };

/* What scores are made of, for each of these: a . b, |b|^2, |a - b|^2, and 1 if all of b is finite;
 * and sums += factor * b. a: [dimensions] float32, rotated where b is compact, as sums are then; b:
 * a stored vector, at any address. */
struct index_sums {
    double (*dot)(const void *a, const void *b, size_t dimensions);
    double (*square)(const void *b, size_t dimensions);
    double (*squared_l2)(const void *a, const void *b, size_t dimensions);
    int (*is_finite)(const void *b, size_t dimensions);
    void (*add)(float *sums, const void *b, float factor, size_t dimensions);
};
extern const struct index_sums index_sums[INDEX_VECTORS];

/* A query beside stored vectors that lie one behind the other. */
struct index_comparison {
    const struct index_sums *sums; /* of the rows */
    const float *query;            /* [dimensions], rotated where rows are compact */
    double inverse;                /* 1 / |query| */
    const unsigned char *rows;     /* [n, stride] at any address */
    const double *inverses;        /* [n] 1 / |row|; read by metrics of directions alone */
    size_t n, dimensions, stride;
};

/* A query beside the centroid of a partition, both in code space. */
struct index_pair {
    const float *query, *centroid; /* [dimensions]; centroid NULL: the origin */
    size_t dimensions;
    double squared_norm;     /* |centroid|^2 */
    double squared_distance; /* |query - centroid|^2 */
};

struct index_metric_row {
    const char *name;      /* as the option metric = NAME says it */
    int of_directions;     /* lengths do not count: the zero vector has no place, and code space
                              holds unit vectors */
    int is_bounded;        /* similarities lie in [-1, 1] */
    enum vector_form form; /* of the estimate */

    /* The score of a query and a stored vector, both at any address; NaN or infinite when one of
     * them is of no use: zero where only directions count, or not finite. */
    double (*score)(const struct index_sums *sums, const void *query, const void *vector,
                    size_t dimensions);
    /* scores: [n] of all rows, off by at most `slack`. */
    void (*scores)(const struct index_comparison *comparison, double *scores);
    double slack;

    double (*similarity)(double score);
    double (*distance)(double score);

    /* The estimate that goes with a score, and the least one of the vectors that are so similar or
     * more: -INFINITY if all may be. */
    double (*estimate)(double score);
    double (*min_estimate)(double min_similarity);

    /* The base of a partition's bounds: <q, c> or -|q - c|^2. */
    double (*base)(const struct index_pair *pair);
    /* How near the best rows of a partition may be: the nearest are searched first. Of its bounds,
     * radius |q - c|. */
    double (*nearness)(const struct vector_code_bound *bound);
    /* The magnitude of the terms of a base, of which float32 takes its share: from the norms of the
     * query and of the centroid, for rows whose estimate is min_estimate or more. */
    double (*magnitude)(double norm, double centroid_norm, double min_estimate);
};

extern const struct index_metric_row index_metrics[INDEX_METRICS];

/* 1 / |v| of a stored vector; infinite for the zero vector. */
double index_inverse(const struct index_sums *sums, const void *vector, size_t dimensions);

#endif

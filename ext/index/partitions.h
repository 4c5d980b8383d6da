/*
 * partitions.h: where the rows of an index lie: near which of its centroids.
 *
 * Each row belongs to the centroid that is nearest to it in code space (block.h), so that rows that
 * are near each other lie together (the inverted file of Sivic and Zisserman 2003; Jegou, Douze,
 * Schmid 2011). A search of the nearest partitions finds nearly all neighbours; and codes of what
 * is left of a row without its centroid are far finer than codes of the row.
 *
 * An index begins as one partition. One that has grown too large is cut in two by 2-means over its
 * own rows: no other is touched, nothing is ever trained anew, and an insert costs what it costs on
 * average (SPFresh: Xu et al., SOSP 2023, keep an index in step in the same manner).
 *
 * Shared by threads read-only once made; reference counted.
 */
#ifndef INDEX_PARTITIONS_H
#define INDEX_PARTITIONS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/error.h"

#define INDEX_MAX_PARTITIONS 65536

struct index_partitions {
    atomic_size_t references;
    int64_t version;      /* a number, another after each change */
    size_t n, dimensions; /* n: 1 to INDEX_MAX_PARTITIONS */
    int64_t *numbers;     /* [n] ascending */
    float *centroids;     /* [n, dimensions] */
    float *squared_norms; /* [n] */
    double largest_norm;  /* of the centroids */
};

/* Room for n partitions, one reference; ERROR_NOMEM. The caller fills numbers, centroids, version,
 * then calls index_partitions_ready. */
int index_partitions_new(size_t n, size_t dimensions, struct index_partitions **partitions,
                         struct error *err);
void index_partitions_ready(struct index_partitions *partitions);
struct index_partitions *index_partitions_reference(struct index_partitions *partitions);
void index_partitions_free(struct index_partitions *partitions); /* one reference; accepts NULL */

/* Partitions of our own that may grow: a copy, one reference; and one more at the end, of a number
 * beyond all others. What index_partitions_ready fills in is not there. ERROR_NOMEM. */
int index_partitions_copy(const struct index_partitions *partitions, struct index_partitions **copy,
                          struct error *err);
int index_partitions_add(struct index_partitions *partitions, int64_t number, const float *centroid,
                         struct error *err);

/* The n partitions whose centroids are nearest to that of a place, itself included, or all: one
 * reference. The same on every processor. ERROR_NOMEM. */
int index_partitions_near(struct index_partitions *partitions, size_t place, size_t n,
                          struct index_partitions **near, struct error *err);

/* The place (0 to n - 1) of a partition number; n if there is none. */
size_t index_partitions_find(const struct index_partitions *partitions, int64_t number);

/* places[i] (0 to n - 1): the centroid nearest to points[i], the first of equally near ones, the
 * same on every processor; points: [n_points, dimensions] in code space. ERROR_INTERRUPTED. */
int index_partitions_assign(const struct index_partitions *partitions, const float *points,
                            size_t n_points, size_t n_threads, uint32_t *places,
                            const struct cancel *cancel, struct error *err);

/* |point - centroid|^2 - |point|^2, the same on every processor. */
double index_partitions_distance(const struct index_partitions *partitions, const float *point,
                                 size_t place);

/* Cuts points (2 or more) in two by 2-means: sides[i] is 0 or 1, each side has an eighth of the
 * points at least, centroids: [2, dimensions] the means. The same points give the same cut,
 * on every processor. ERROR_NOMEM, ERROR_INTERRUPTED. */
int index_partitions_split(const float *points, size_t n_points, size_t dimensions,
                           unsigned char *sides, float *centroids, const struct cancel *cancel,
                           struct error *err);

/* Makes a mean finite: components beyond float32, of vectors near its end that were rotated, count
 * as its ends. Any centroid is right, a near one is better. */
void index_centroid_bound(float *centroid, size_t dimensions);

/* The mean of n points, finite. */
void index_centroid(const float *points, size_t n_points, size_t dimensions, float *centroid);

#endif

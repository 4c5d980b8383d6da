/*
 * plane.h: the plane that shows most of how vectors differ: their first two principal components
 * (Pearson, "On lines and planes of closest fit", 1901).
 *
 * By subspace iteration: some directions more than two are multiplied by the covariance again and
 * again, orthonormal anew each time; among what they span then are the two strongest (Halko,
 * Martinsson, Tropp, "Finding structure with randomness", SIAM Review 53, 2011, 4.4 and 5.3). They
 * begin as axes that were rotated (rotate.h). Nothing is drawn by chance, and each sum has its
 * order: the same vectors in the same order give the same bits on every processor.
 */
#ifndef VECTOR_PLANE_H
#define VECTOR_PLANE_H

#include <stddef.h>

#include "base/cancel.h"

struct vector_plane {
    size_t dimensions;
    double *mean; /* [dimensions] owned: the origin */
    float *axes;  /* [2, dimensions] owned: orthonormal, the stronger first, the largest component
                     of each positive; zeros where the vectors do not differ so */
};

/* The plane of rows [n, dimensions], one or more, finite, which are overwritten. ERROR_NOMEM,
 * ERROR_INTERRUPTED; deinit also after a failure. */
int vector_plane_fit(struct vector_plane *plane, float *rows, size_t n, size_t dimensions,
                     const struct cancel *cancel, struct error *err);
void vector_plane_deinit(struct vector_plane *plane);

/* Where a vector [dimensions], finite, falls on it; both coordinates are finite. */
void vector_plane_place(const struct vector_plane *plane, const float *vector, double place[2]);

#endif

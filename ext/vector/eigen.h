/*
 * eigen.h: eigenvalues and eigenvectors of small symmetric matrices, by Jacobi's rotations (Golub,
 * Van Loan, "Matrix Computations", 8.5).
 */
#ifndef VECTOR_EIGEN_H
#define VECTOR_EIGEN_H

#include <stddef.h>

#include "base/cancel.h"

/* Of a symmetric matrix [n, n] that is not negative: the eigenvalues come to be its diagonal, and
 * the eigenvectors the rows of vectors [n, n], both to some 1e-9 of the largest. A few hundred
 * dimensions take a second. ERROR_INTERRUPTED. */
int vector_eigen(double *matrix, double *vectors, size_t n, const struct cancel *cancel,
                 struct error *err);

/* Afterwards: which of them are the largest, best first, into order [n]. */
void vector_eigen_order(const double *matrix, size_t n, size_t *order);

#endif

#include "vector/eigen.h"

#include <math.h>
#include <string.h>

#define SWEEPS 30

/* The rotation that makes matrix[p][q] zero; vectors follow. */
static void rotate(double *matrix, double *vectors, size_t n, size_t p, size_t q)
{
    double pq = matrix[p * n + q];
    double theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * pq);
    double t = (theta >= 0 ? 1.0 : -1.0) / (fabs(theta) + sqrt(theta * theta + 1.0));
    double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    for (size_t i = 0; i < n; i++) {
        double x = matrix[i * n + p], y = matrix[i * n + q];
        matrix[i * n + p] = c * x - s * y;
        matrix[i * n + q] = s * x + c * y;
    }
    double *rows[2] = {matrix, vectors};
    for (int m = 0; m < 2; m++) {
        double *row_p = rows[m] + p * n, *row_q = rows[m] + q * n;
        for (size_t i = 0; i < n; i++) {
            double x = row_p[i], y = row_q[i];
            row_p[i] = c * x - s * y;
            row_q[i] = s * x + c * y;
        }
    }
}

int vector_eigen(double *matrix, double *vectors, size_t n, const struct cancel *cancel,
                 struct error *err)
{
    double trace = 0;
    memset(vectors, 0, n * n * sizeof *vectors);
    for (size_t i = 0; i < n; i++) vectors[i * n + i] = 1.0;
    for (size_t i = 0; i < n; i++) trace += matrix[i * n + i];
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        int rotated = 0;
        for (size_t p = 0; p + 1 < n; p++) {
            for (size_t q = p + 1; q < n; q++) {
                if (fabs(matrix[p * n + q]) <= 1e-9 * trace / (double)n) continue;
                rotate(matrix, vectors, n, p, q);
                rotated = 1;
            }
            int rc = p % 32 == 31 ? cancel_check(cancel, err) : 0;
            if (rc != 0) return rc;
        }
        if (!rotated) break;
    }
    return 0;
}

void vector_eigen_order(const double *matrix, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; i++) {
        size_t j = i;
        for (; j > 0 && matrix[order[j - 1] * (n + 1)] < matrix[i * (n + 1)]; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
}

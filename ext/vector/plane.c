#include "vector/plane.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "vector/distance.h"
#include "vector/eigen.h"
#include "vector/rotate.h"

/* Directions that are followed, and how often they are multiplied by the covariance. */
#define WIDTH 8
#define ROUNDS 12

/* What remains of a direction, next to what it was, if it depends on those before it; the variance
 * of an axis, next to the first one's, that rounding alone makes. */
#define NOTHING_LEFT 1e-7
#define NO_VARIANCE 1e-10

/* Components that are multiplied between two looks at the cancel token. */
#define POLL_EVERY ((size_t)4 << 20)

struct sketch {
    const struct cancel *cancel;
    const float *rows; /* [n, dimensions] around their mean, none beyond 1 */
    size_t n, dimensions, width;
    size_t left;       /* see cancel_poll */
    float *directions; /* [width, dimensions] owned; orthonormal, or zero */
    float *products;   /* [width, dimensions] owned; directions times the covariance */
};

static float *direction(const struct sketch *sketch, size_t j)
{
    return sketch->directions + j * sketch->dimensions;
}

/* Rows less their mean, in units of the largest component: what is squared then neither overflows
 * nor vanishes. Equal rows become zeros, as their sum in double is exact. */
static void centre(const struct vector_plane *plane, float *rows, size_t n)
{
    size_t dimensions = plane->dimensions;
    double *mean = plane->mean, most = 0.0;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < dimensions; i++) mean[i] += (double)rows[r * dimensions + i];
    for (size_t i = 0; i < dimensions; i++) mean[i] /= (double)n;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < dimensions; i++) {
            /* No fmax: gcc 12 stops with an internal error where it vectorizes one for aarch64. */
            double size = fabs((double)rows[r * dimensions + i] - mean[i]);
            if (size > most) most = size;
        }
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < dimensions; i++) {
            float *component = &rows[r * dimensions + i];
            *component = most == 0.0 ? 0.0f : (float)(((double)*component - mean[i]) / most);
        }
}

static int begin(struct sketch *sketch, struct error *err)
{
    size_t dimensions = sketch->dimensions;
    sketch->width = dimensions < WIDTH ? dimensions : WIDTH;
    sketch->directions = memory_zalloc(sketch->width, dimensions * sizeof *sketch->directions);
    sketch->products = memory_alloc(sketch->width, dimensions * sizeof *sketch->products);
    if (sketch->directions == NULL || sketch->products == NULL) return error_nomem(err);
    for (size_t j = 0; j < sketch->width; j++) {
        direction(sketch, j)[j] = 1.0f;
        vector_rotate(direction(sketch, j), dimensions);
    }
    return 0;
}

/* products = directions times the covariance, but for a factor. */
static int multiply(struct sketch *sketch, struct error *err)
{
    size_t dimensions = sketch->dimensions, width = sketch->width;
    memset(sketch->products, 0, width * dimensions * sizeof *sketch->products);
    for (size_t r = 0; r < sketch->n; r++) {
        const float *row = sketch->rows + r * dimensions;
        for (size_t j = 0; j < width; j++) {
            double dot = vector_dot_everywhere(row, direction(sketch, j), dimensions);
            vector_add(sketch->products + j * dimensions, row, (float)dot, dimensions);
        }
        int rc = cancel_poll(sketch->cancel, &sketch->left, width * dimensions, POLL_EVERY, err);
        if (rc != 0) return rc;
    }
    return 0;
}

/* The products become the directions: each less what those before it have of it, twice, as the
 * first time leaves what rounding left (Gram and Schmidt). */
static void orthonormalize(struct sketch *sketch)
{
    size_t dimensions = sketch->dimensions;
    float *swapped = sketch->directions;
    sketch->directions = sketch->products;
    sketch->products = swapped;
    for (size_t j = 0; j < sketch->width; j++) {
        float *vector = direction(sketch, j);
        double before = sqrt(vector_dot_everywhere(vector, vector, dimensions));
        for (size_t k = 0; k < 2 * j; k++) {
            const float *other = direction(sketch, k % j);
            double dot = vector_dot_everywhere(vector, other, dimensions);
            vector_add(vector, other, (float)-dot, dimensions);
        }
        double norm = sqrt(vector_dot_everywhere(vector, vector, dimensions));
        for (size_t i = 0; i < dimensions; i++)
            vector[i] = norm <= NOTHING_LEFT * before ? 0.0f : (float)((double)vector[i] / norm);
    }
}

/* covariance [width, width] of the rows within the directions, but for a factor. */
static void vary(const struct sketch *sketch, double *covariance)
{
    size_t width = sketch->width;
    double place[WIDTH];
    memset(covariance, 0, width * width * sizeof *covariance);
    for (size_t r = 0; r < sketch->n; r++) {
        const float *row = sketch->rows + r * sketch->dimensions;
        for (size_t j = 0; j < width; j++)
            place[j] = vector_dot_everywhere(row, direction(sketch, j), sketch->dimensions);
        for (size_t j = 0; j < width; j++)
            for (size_t k = 0; k < width; k++) covariance[j * width + k] += place[j] * place[k];
    }
}

/* An axis and its opposite are one direction: that with the largest component positive. */
static void turn(float *axis, size_t dimensions)
{
    size_t largest = 0;
    for (size_t i = 1; i < dimensions; i++)
        if (fabsf(axis[i]) > fabsf(axis[largest])) largest = i;
    if (axis[largest] > 0.0f) return;
    for (size_t i = 0; i < dimensions; i++) axis[i] = -axis[i];
}

/* The two strongest axes within the directions. */
static int choose(const struct sketch *sketch, float *axes, struct error *err)
{
    size_t width = sketch->width, dimensions = sketch->dimensions, order[WIDTH];
    double covariance[WIDTH * WIDTH], vectors[WIDTH * WIDTH];
    vary(sketch, covariance);
    int rc = vector_eigen(covariance, vectors, width, sketch->cancel, err);
    if (rc != 0) return rc;
    vector_eigen_order(covariance, width, order);
    for (size_t k = 0; k < 2 && k < width; k++) {
        double value = covariance[order[k] * (width + 1)];
        if (value <= NO_VARIANCE * covariance[order[0] * (width + 1)]) continue;
        for (size_t j = 0; j < width; j++)
            vector_add(axes + k * dimensions, direction(sketch, j),
                       (float)vectors[order[k] * width + j], dimensions);
        turn(axes + k * dimensions, dimensions);
    }
    return 0;
}

int vector_plane_fit(struct vector_plane *plane, float *rows, size_t n, size_t dimensions,
                     const struct cancel *cancel, struct error *err)
{
    struct sketch sketch = {.cancel = cancel, .rows = rows, .n = n, .dimensions = dimensions};
    plane->dimensions = dimensions;
    plane->mean = memory_zalloc(dimensions, sizeof *plane->mean);
    plane->axes = memory_zalloc(2, dimensions * sizeof *plane->axes);
    int rc = plane->mean == NULL || plane->axes == NULL ? error_nomem(err) : 0;
    if (rc == 0) centre(plane, rows, n);
    if (rc == 0) rc = begin(&sketch, err);
    for (int round = 0; rc == 0 && round < ROUNDS; round++) {
        rc = multiply(&sketch, err);
        if (rc == 0) orthonormalize(&sketch);
    }
    if (rc == 0) rc = choose(&sketch, plane->axes, err);
    memory_free(sketch.directions);
    memory_free(sketch.products);
    return rc;
}

void vector_plane_deinit(struct vector_plane *plane)
{
    memory_free(plane->mean);
    memory_free(plane->axes);
    *plane = (struct vector_plane){0};
}

void vector_plane_place(const struct vector_plane *plane, const float *vector, double place[2])
{
    const float *x = plane->axes, *y = plane->axes + plane->dimensions;
    place[0] = place[1] = 0.0;
    for (size_t i = 0; i < plane->dimensions; i++) {
        double component = (double)vector[i] - plane->mean[i];
        place[0] += component * (double)x[i];
        place[1] += component * (double)y[i];
    }
}

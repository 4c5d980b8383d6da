#include "lexical/hashing.h"

#include <math.h>

#include "base/memory.h"

void hashing_add(uint64_t term, double weight, double *sums, size_t dimensions)
{
    size_t component = (size_t)(term & (dimensions - 1));
    sums[component] += term >> 63 ? -weight : weight;
}

void hashing_normalize(const double *sums, float *unit, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) squares += sums[i] * sums[i];
    double norm = sqrt(squares);
    for (size_t i = 0; i < n; i++) unit[i] = norm > 0 ? (float)(sums[i] / norm) : i == 0;
}

int hashing_embed(const struct features *features, float *embedding, size_t dimensions,
                  struct error *err)
{
    double *sums = memory_zalloc(dimensions, sizeof *sums);
    if (sums == NULL) return error_nomem(err);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < features->terms.n; i++) {
        const struct term_count *item = &features->terms.items[i];
        double weight =
            sqrt((double)item->count) * (item->kind != TERM_GRAM ? 1.0 : FEATURE_GRAM_WEIGHT);
        hashing_add(item->term, weight, sums, dimensions);
        if (i % TERMS_PER_POLL == TERMS_PER_POLL - 1)
            rc = cancel_check(features->terms.cancel, err);
    }
    hashing_normalize(sums, embedding, dimensions);
    memory_free(sums);
    return rc;
}
